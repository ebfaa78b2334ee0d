"""A sign-in and the gateway that carries its code: the page never waits for it, and a gateway that fails costs the person nothing.

Promise R13: /login answers within a second whatever the gateway does; tries are not consumed by sendings that failed. Cases 62, 73.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from idp import clock
from idp.cli import worker
from idp.credentials.tables import PhoneCode
from idp.db.session import session
from tests.conftest import Told
from tests.messages.far_end import FarEnd, http_gateway
from tests.messages.test_gateways import a_webhook
from tests.world import World, answer_of, new_phone


@pytest.fixture
def world(told: Told, far_end: FarEnd) -> Iterator[World]:
    """A provider whose messages go to the far end."""
    url = told.copy()
    gateway = a_webhook(far_end, timeout=9)
    messages = {"channel": "gateways", "sms": ["main"], "gateways": {"main": gateway}, "at_once": 1}  # who hangs there holds up all others
    made = World(told.settings(url, messages=messages))
    yield made
    far_end.clear()
    made.close()
    told.drop(url)
    told.settings(told.url)


def code_at(end: FarEnd) -> str:
    """The code of the newest message that reached the gateway."""
    found = re.match(r"(\d{6}) ", end.asked[-1].json["message"]["text"])
    assert found is not None
    return found[1]


def test_the_page_does_not_wait(world: World, far_end: FarEnd) -> None:
    """R13: the worker hangs at the gateway; meanwhile numbers are taken, codes judged, pages shown at once; and all messages get there."""
    far_end.answers.append("hang")
    party, browser, stop = world.party(), world.browser(), threading.Event()
    thread = threading.Thread(target=worker.run, args=(world.app, stop))
    thread.start()
    try:
        page = browser.onward(browser.submit(browser.authorize(party), phone=new_phone()))
        until = time.monotonic() + 5
        while not far_end.asked and time.monotonic() < until:
            time.sleep(0.01)
        assert far_end.asked, "the worker is not at the gateway"
        slowest = 0.0
        for _ in range(5):
            began = time.monotonic()
            at_code = browser.onward(browser.submit(browser.authorize(party, prompt="login"), phone=new_phone()))
            assert at_code.status_code == 200
            assert browser.submit(at_code, code="000000").status_code in {303, 422}
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 1
        assert len(far_end.asked) == 1, "the worker did not hang meanwhile"
        far_end.go_on.set()
        while len({asked.key for asked in far_end.asked}) < 6 and time.monotonic() < until + 5:
            time.sleep(0.02)
        assert len({asked.key for asked in far_end.asked}) == 6
        assert page.status_code == 200
    finally:
        far_end.go_on.set()
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_a_failed_sending_costs_no_try(world: World, far_end: FarEnd) -> None:
    """R13: the gateway is away for the first sending; five guesses are left, the person asks again, and that code signs in."""
    far_end.answers.extend([500] * 20)
    party, browser = world.party(), world.browser()
    with clock.freeze(clock.now()) as later:
        page = browser.onward(browser.submit(browser.authorize(party), phone="+79005553501"))
        world.deliver()
        later(31)
        page = browser.onward(browser.submit(browser.get(str(page.url)), channel="sms"))
        with world.reads():
            assert session.execute(sa.select(PhoneCode.tries, PhoneCode.sends)).one() == (0, 2)
        far_end.answers.clear()
        world.deliver()
        answer_of(browser.onward(browser.submit(page, code=code_at(far_end))))


def test_never_two_different_codes(told: Told, far_end: FarEnd) -> None:
    """R2, R13: the first gateway took the message and never said so, the second got it too, and the person asked once more: one code."""
    url = told.copy()
    with http_gateway() as other_end:
        gateways = {"main": a_webhook(far_end, timeout=0.2), "spare": a_webhook(other_end, timeout=5)}
        world = World(told.settings(url, messages={"channel": "gateways", "sms": ["main", "spare"], "gateways": gateways}))
        far_end.answers.append("hang")
        party, browser = world.party(), world.browser()
        with clock.freeze(clock.now()) as later:
            page = browser.onward(browser.submit(browser.authorize(party), phone=new_phone()))
            world.deliver()
            later(31)
            page = browser.onward(browser.submit(browser.get(str(page.url)), channel="sms"))
            world.deliver()
        assert (len(far_end.asked), len(other_end.asked)) == (2, 1)
        said = {asked.json["message"]["text"] for asked in (*far_end.asked, *other_end.asked)}
        assert len(said) == 1
        assert far_end.asked[0].key == other_end.asked[0].key != far_end.asked[1].key
        page = browser.onward(browser.submit(page, code=code_at(other_end)))
        assert page.status_code == 200
        assert "terms" in page.text
        far_end.clear()
        world.close()
    told.drop(url)
    told.settings(told.url)


def test_the_gateway_learns_nothing_but_number_and_text(world: World, far_end: FarEnd) -> None:
    """Case 73: whoever reads along there has a number and a code: no id of a person, of a sign-in, of a browser, of a client."""
    party, browser = world.party(), world.browser()
    browser.onward(browser.submit(browser.authorize(party), phone="+79005553501"))
    world.deliver()
    [asked] = far_end.asked
    everything = f"{asked.path} {asked.headers} {asked.body!r}"
    assert not re.search(r"(usr|acc|cmp|ses|brw|flw|otp|dev|req|cli)_", everything)
    assert party.client.id not in everything
    inbox = world.browser(address="127.0.0.1").get("/dev/inbox.json")
    assert inbox.status_code == 404, "case 62: with a real channel nobody can read codes here"
