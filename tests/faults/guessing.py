"""Guesses at a code, all in one instant: how they are made, and what is left of them."""

from __future__ import annotations

import secrets

import httpx2
import sqlalchemy as sa

from idp.credentials.tables import PhoneCode, PhoneGuesses
from tests.faults.race import at_once, statuses
from tests.faults.served import Served, Visitor
from tests.machine import count
from tests.world import Party, new_phone

GUESSES = count(100, 200)


def asked(provider: Served, browser: Visitor, party: Party, phone: str) -> tuple[httpx2.Response, str, str]:
    """The page that asks for the code, the id of its flow, and the code."""
    page = browser.onward(browser.submit(browser.authorize(party), phone=phone))
    assert page.status_code == 200
    return page, str(page.url).split("/")[4], provider.code_for(phone)


def wrong(right: str) -> str:
    """Any code but that one."""
    return f"{(int(right) + 1 + secrets.randbelow(999_998)) % 10**6:06}"


def code_of(provider: Served, flow: str) -> PhoneCode:
    """What is kept of a flow's code."""
    (row,) = provider.rows(sa.select(PhoneCode).where(PhoneCode.flow_id == flow))
    found: PhoneCode = row[0]
    return found


def judged(provider: Served, code_id: str) -> int:
    """How many guesses at it were looked at, as the events tell."""
    return sum(event.details.get("code") == code_id for event in provider.events("code.wrong"))


def five_are_judged(provider: Served, browser: Visitor, party: Party) -> None:
    """Cases 53, R3: of a hundred guesses at once five are looked at, the counter says five, and then the right code wins nothing."""
    page, flow, right = asked(provider, browser, party, new_phone())
    answers = at_once([browser.filled(page, code=wrong(right)) for _ in range(GUESSES)])
    assert statuses(answers) == {422: GUESSES}
    code = code_of(provider, flow)
    assert (code.tries, judged(provider, code.id)) == (5, 5)
    assert provider.rows(sa.select(PhoneGuesses.in_a_row).where(PhoneGuesses.digest == code.budget)) == [(5,)]
    answers = at_once([browser.filled(page, code=right) for _ in range(20)])
    assert statuses(answers) == {422: 20}
    assert not any(answer.cookie("idp_session") for answer in answers)
    assert code_of(provider, flow).used_at is None
