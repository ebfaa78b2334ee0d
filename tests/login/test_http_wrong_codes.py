"""Codes are guessed at over many numbers, each within its limits: goal G-4, `threats.md` §1.10, case 55."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

import httpx2
import pytest

from idp import clock
from tests.conftest import Told
from tests.login.http_lab import guess_wrong, known, people_on, provider, text_of
from tests.login.lab import ANNA, at_code, where
from tests.login.rungs import says
from tests.messages.pumping import NO_LIMITS, ask, mobiles, solve, spending
from tests.plenty import PLENTY
from tests.world import Browser, World, answer_of

MOST = 6


@pytest.fixture
def world(told: Told) -> Iterator[World]:
    """A provider to which six wrong codes in an hour are too many."""
    with spending(told, login={"wrong_codes_per_hour": MOST}) as made:
        yield made


def spray(world: World, times: int = MOST) -> None:
    """So many wrong codes, three for each number."""
    party = world.party()
    for n, phone in enumerate(islice(mobiles(), times // 3)):
        browser = world.browser(address=f"198.51.{n}.7")
        guess_wrong(world, browser, ask(world, party, phone, browser=browser), 3)


def worked(world: World, browser: Browser, phone: str = ANNA) -> httpx2.Response:
    """The page of the code for which the browser has worked."""
    page = ask(world, world.party(), phone, browser=browser)
    assert where(page) == "proof_of_work"
    return browser.onward(browser.submit(page, altcha=solve(page)))


def test_below_it_nothing_changes(world: World) -> None:
    """Three wrong codes: six digits, no work, no alarm."""
    with clock.freeze(clock.now()) as later:
        spray(world, 3)
        later(2)
        assert where(ask(world, world.party(), ANNA)) == "phone_code"
        assert len(world.code_for(ANNA)) == 6
        assert world.events("codes.sprayed") == []


def test_whoever_is_not_known_works_for_a_longer_code(world: World) -> None:
    """Six: work, then eight digits, which open the ID; one alarm in the hour; and an hour later all is as it was."""
    with clock.freeze((clock.now() + timedelta(hours=1)).replace(minute=5)) as later:
        spray(world)
        later(2)
        browser = world.browser()
        page = worked(world, browser)
        code = world.code_for(ANNA)
        assert re.fullmatch("[0-9]{8}", code)
        assert "Eight-digit code" in text_of(page)
        [message] = [each for each in world.inbox(ANNA) if each["code"]]
        assert message["text"].startswith(code)
        assert message["text"].endswith(f" #{code}")  # what a browser reads out of it (WebOTP)
        assert "code" in answer_of(browser.onward(browser.submit(page, code=f"{code[:4]} {code[4:]}")))
        for phone in islice(mobiles(), 10, 12):
            guess_wrong(world, (other := world.browser(address="198.51.100.7")), worked(world, other, phone), 2)
            later(2)
        assert [event.outcome for event in world.events("codes.sprayed")] == ["failed"]
        later(3600)
        assert where(ask(world, world.party(), ANNA)) == "phone_code"
        assert len(world.code_for(ANNA)) == 6


def test_the_known_browser_does_not_work(world: World) -> None:
    """Case 67: where the browser knows the person, a code goes out as ever; it too is longer."""
    with clock.freeze(clock.now()) as later:
        party = world.party()
        browser = known(world, party, ANNA)
        spray(world)
        later(2)
        page = browser.authorize(party, prompt="login")
        assert where(browser.onward(browser.submit(page, person=next(iter(people_on(page).values()))))) == "phone_code"
        assert len(world.code_for(ANNA)) == 8


def test_without_scripts(world: World) -> None:
    """There is the slow way: one message in ten minutes for a network."""
    with clock.freeze(clock.now()) as later:
        spray(world)
        later(2)
        for phone, status in zip(islice(mobiles(), 10, 12), (303, 429), strict=True):
            browser = world.browser(address="203.0.113.9")
            page = ask(world, world.party(), phone, browser=browser)
            assert where(page) == "proof_of_work"
            assert browser.submit(page).status_code == status


def test_a_code_that_began_before(world: World) -> None:
    """It stays as it was sent: six digits open it, and it is sent again without work."""
    with clock.freeze(clock.now()) as later:
        browser = world.browser()
        page = at_code(world, browser, world.party(), ANNA)
        code = world.code_for(ANNA)
        spray(world)
        later(31)
        page = browser.onward(browser.submit(page, channel="sms"))
        assert [message["code"] for message in world.inbox(ANNA)] == [code, code]
        assert "code" in answer_of(browser.onward(browser.submit(page, code=code)))


@pytest.mark.parametrize(
    ("typed", "says_of_it"),
    [
        ("1234567", "The code has eight digits. Some are missing."),
        ("123456789", "The code has eight digits. There are too many."),
        ("1234567O", "Enter the eight digits from the message."),
    ],
)
def test_what_is_no_code_of_eight(world: World, typed: str, says_of_it: str) -> None:
    """Case 61: it is said what is missing, and no guess is counted."""
    with clock.freeze(clock.now()) as later:
        spray(world)
        later(2)
        browser = world.browser()
        answer = browser.submit(worked(world, browser), code=typed)
        assert answer.status_code == 422
        assert says_of_it in text_of(answer)
        assert len(world.events("code.wrong")) == MOST


def test_a_flash_call_says_six(told: Told) -> None:
    """A number that calls ends in six digits; a text that follows says eight. Both are right, whichever was sent."""
    ladder = {"ladder": {"default": ["flash_call", "sms"]}}
    with (
        provider(told, messages=ladder, login=NO_LIMITS | {"wrong_codes_per_hour": 3}, spend=PLENTY) as world,
        clock.freeze(clock.now()) as later,
    ):
        spray(world, 3)
        for typed in ("flash_call", "sms"):
            later(2)
            browser = world.browser()
            page = worked(world, browser)
            says(world, page, "failed")
            page = browser.onward(browser.submit(browser.get(str(page.url)), channel="sms"))
            sent = {message["channel"]: message["code"] for message in reversed(world.inbox(ANNA))}
            assert {channel: len(code) for channel, code in sent.items()} == {"flash_call": 6, "sms": 8}
            assert "code" in answer_of(browser.onward(browser.submit(page, code=sent[typed])))
