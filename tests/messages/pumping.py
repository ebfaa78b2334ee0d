"""Whoever pumps messages, and whoever only wants to sign in: numbers of any country, browsers that work for a code, what it all cost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import unescape
from itertools import count
from typing import Any

import altcha
import httpx2
import phonenumbers
import sqlalchemy as sa
from phonenumbers import PhoneNumberType

from idp.db.session import session
from idp.messages.tables import SpendCount, SpendEntry
from tests.conftest import Told
from tests.plenty import PLENTY
from tests.world import Browser, Party, World

NO_LIMITS = dict.fromkeys(("network_messages_per_hour", "number_messages_per_day"), 10**6)


@contextmanager
def spending(told: Told, *, login: dict[str, object] | None = None, **spend: object) -> Iterator[World]:
    """A provider with these keys of `[spend]`, everything else in plenty."""
    url = told.copy()
    made = World(told.settings(url, spend=PLENTY | spend, login=NO_LIMITS | (login or {})))
    try:
        yield made
    finally:
        made.close()
        told.drop(url)
        told.settings(told.url)


def mobiles(country: str = "RU", beginning: int = 0) -> Iterator[str]:
    """Mobile numbers of a country, one after the other; the first so many are left out."""
    example = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
    first = int(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)[1:]) // 1000 * 1000 + beginning
    for number in count(first):
        phone = f"+{number}"
        if phonenumbers.is_valid_number(phonenumbers.parse(phone)):
            yield phone


def ask(world: World, party: Party, phone: str, address: str = "203.0.113.7", browser: Browser | None = None) -> httpx2.Response:
    """Ask for a code in a browser at this address; the page that comes."""
    browser = browser or world.browser(address=address)
    return browser.onward(browser.submit(browser.authorize(party), phone=phone))


def challenge_of(page: httpx2.Response) -> dict[str, Any]:
    """What the page gives its script to do."""
    found = re.search(r'data-challenge="([^"]+)"', page.text)
    assert found is not None, page.text
    read: dict[str, Any] = json.loads(unescape(found[1]))
    return read


def solve(page: httpx2.Response) -> str:
    """What the script of the page finds, by the library's own solver."""
    challenge = altcha.Challenge.from_dict(challenge_of(page))
    solution = altcha.solve_challenge(challenge)
    assert solution is not None
    return altcha.Payload(challenge, solution).to_base64()


def counted(world: World, kind: str = "day", subject: str = "") -> tuple[int, int, int]:
    """Money (in ten-thousandths), messages and entered codes of a budget."""
    sums = (sa.func.coalesce(sa.func.sum(column), 0) for column in (SpendCount.cost, SpendCount.messages, SpendCount.verified))
    with world.reads():
        row = session.execute(sa.select(*sums).where(SpendCount.kind == kind, SpendCount.subject == subject)).one()
    return int(row[0]), int(row[1]), int(row[2])


def ledger(world: World) -> Sequence[SpendEntry]:
    """The ledger, in order."""
    with world.reads():
        return session.scalars(sa.select(SpendEntry).order_by(SpendEntry.created_at, SpendEntry.id)).all()


def told_of(world: World, name: str) -> list[tuple[str, str, Any]]:
    """The events of that name: which budget, of whom, what."""
    return [
        (event.details["budget"], event.details["of"], event.details.get("percent", event.details.get("rule")))
        for event in world.events(name)
    ]
