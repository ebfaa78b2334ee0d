"""The gateway of the text messages is down, in each of the ways in which gateways are: every person signs in all the same.

By the next gateway, or, where there is none, by the next channel of the ladder. Promise R13: no page waits for a gateway, no try is lost to
a sending that failed, and nobody ever gets two different codes (R2). Over HTTP, from the number to the relying party.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from idp import clock
from idp.credentials.tables import PhoneCode
from idp.db.session import session
from tests.conftest import Told
from tests.login.rungs import offered
from tests.machine import count
from tests.messages.far_end import FarEnd, http_gateway
from tests.messages.test_gateways import a_webhook
from tests.plenty import PLENTY
from tests.world import Browser, Party, World

PEOPLE = [f"+790055535{n:02}" for n in range(1, 1 + count(7, 10))]  # more than the breaker bears in a row
FAULTS: tuple[int | str, ...] = (500, "hang", "nobody")
AT_ONCE = 1  # second within which every page answers


@pytest.fixture
def spare() -> Iterator[FarEnd]:
    """The gateway that is well."""
    with http_gateway() as end:
        yield end


@contextmanager
def provider(told: Told, **messages: Any) -> Iterator[World]:
    """A provider whose messages leave the house."""
    url = told.copy()
    made = World(told.settings(url, messages={"channel": "gateways", **messages}, spend=PLENTY))
    try:
        yield made
    finally:
        made.close()
        told.drop(url)
        told.settings(told.url)


def broken(end: FarEnd, fault: int | str) -> dict[str, Any]:
    """The gateway that does this."""
    if fault == "nobody":
        return a_webhook(end, url="http://localhost:1/")
    end.otherwise = lambda: fault
    return a_webhook(end, timeout=0.2)


def begin(world: World, party: Party, phone: str) -> tuple[Browser, Any]:
    """To the page of the code, at once."""
    browser, began = world.browser(address=f"198.51.{phone[-2:].lstrip('0')}.7"), time.monotonic()
    page = browser.onward(browser.submit(browser.authorize(party), phone=phone))
    assert time.monotonic() - began < 3 * AT_ONCE, "three pages"
    return browser, page


def said_to(end: FarEnd, phone: str) -> set[str]:
    """The codes that went to a number."""
    texts = [asked.json for asked in end.asked if asked.json["to"] == phone[1:]]
    found = [re.search(r"\d(?:, )?\d(?:, )?\d(?:, )?\d(?:, )?\d(?:, )?\d", each["message"]["text"]) for each in texts]
    return {one[0].replace(", ", "") for one in found if one is not None}


def nothing_was_counted(world: World) -> bool:
    """No sending has cost anybody a try."""
    with world.reads():
        return set(session.scalars(sa.select(PhoneCode.tries))) == {0}


@pytest.mark.parametrize("fault", FAULTS)
def test_by_the_next_gateway(told: Told, far_end: FarEnd, spare: FarEnd, fault: int | str) -> None:
    """Nobody notices: the first message of each arrives by the second gateway; the dead one is soon not asked any more."""
    gateways = {"main": broken(far_end, fault), "spare": a_webhook(spare)}
    with provider(told, sms=["main", "spare"], gateways=gateways) as world, clock.freeze(clock.now()):
        party = world.party()
        waiting = {phone: begin(world, party, phone) for phone in PEOPLE}
        began = time.monotonic()
        world.deliver()
        assert time.monotonic() - began < 10
        assert nothing_was_counted(world)
        for phone, (browser, page) in waiting.items():
            [code] = said_to(spare, phone)
            assert said_to(far_end, phone) <= {code}, "two different codes for one person"
            assert browser.submit(page, code=code).status_code == 303
        assert len(world.events("login.succeeded")) == len(PEOPLE)
        assert len(far_end.asked) < len(PEOPLE)
        assert [event.details["gateway"] for event in world.events("gateway.opened")] == ["main"]


@pytest.mark.parametrize("fault", FAULTS)
def test_by_the_next_channel(told: Told, far_end: FarEnd, spare: FarEnd, fault: int | str) -> None:
    """There is no second gateway for texts: within fifteen seconds the page says so and offers the call, which says the same code; and
    when the gateway is well again, the text message that was still tried says it as well.
    """
    gateways = {"main": broken(far_end, fault), "caller": a_webhook(spare, asks_first=True)}
    settings = {"sms": ["main"], "voice": ["caller"], "gateways": gateways, "ladder": {"default": ["sms", "voice"]}}
    with provider(told, **settings) as world, clock.freeze(clock.now()) as later:
        party = world.party()
        waiting = {phone: begin(world, party, phone) for phone in PEOPLE[:3]}
        world.deliver()
        for browser, page in waiting.values():
            assert "could not" not in browser.get(str(page.url)).text, "it may be over in a moment"
        later(timedelta(seconds=10))
        for browser, page in waiting.values():
            offers = browser.get(str(page.url))
            said = offers.text.replace("\u00a0", " ")
            assert "The text message could not be delivered. We could not hand it over to the operator." in said
            assert offered(offers)[0] == "voice"
            assert browser.get(f"{page.url}/state").json()["mark"] == "1-failed"
            assert browser.submit(offers, channel="voice").status_code == 303
        world.deliver()
        assert nothing_was_counted(world)
        for phone, (browser, page) in waiting.items():
            [code] = said_to(spare, phone)
            assert said_to(far_end, phone) <= {code}, "two different codes for one person"
            assert browser.submit(page, code=code).status_code == 303
        assert len(world.events("login.succeeded")) == 3
        if fault != "nobody":
            far_end.clear()
            later(timedelta(seconds=60))
            world.deliver()
            for phone in waiting:
                assert said_to(far_end, phone) == said_to(spare, phone)
