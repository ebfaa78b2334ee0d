"""The money of a day, many at once: what a budget holds is spent and no message more, with four worker processes. Case 66, goal G-2.

On SQLite and PostgreSQL. Nobody waits in a circle, and the counts are those of the ledger whatever happens at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import httpx2
import pytest
import sqlalchemy as sa

from idp import clock
from idp.config_spend import units
from idp.db.session import session
from idp.messages.spend import day_of
from idp.messages.spend_rules import SHARDS
from idp.messages.tables import SpendCount, SpendEntry
from tests.conftest import Told
from tests.faults.race import at_once, statuses
from tests.faults.served import Served, served
from tests.machine import count
from tests.messages.pumping import mobiles, solve
from tests.world import Party

RUNS = count(5, 20)
MESSAGES = 7  # that a budget holds
AT_ONCE = count(24, 60)


@pytest.fixture(scope="module")
def provider(told_on_both: Told, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A budget for each prefix of seven digits, so that each run has one of its own."""
    with served(told_on_both, tmp_path_factory.mktemp("served"), spend={"prefix_budget": str(MESSAGES * 10)}) as running:
        yield running


@pytest.fixture(scope="module")
def party(provider: Served) -> Party:
    """A relying party."""
    return provider.party()


def _new(beginning: int) -> list[str]:
    """Numbers with seven digits in common that nobody has had."""
    return list(islice(mobiles("RU", 10_000 * beginning), AT_ONCE))


def _agrees(provider: Served) -> None:
    """Whatever the budgets say was counted stands in the ledger: money, messages, entered codes."""
    for kind, column in (("day", sa.literal("")), ("country", SpendEntry.country), ("prefix", SpendEntry.prefix)):
        paid = sa.select(column, sa.func.sum(SpendEntry.cost), sa.func.count(), sa.func.count(SpendEntry.verified_at)).group_by(column)
        counts = (sa.func.sum(SpendCount.cost), sa.func.sum(SpendCount.messages), sa.func.sum(SpendCount.verified))
        counted = sa.select(SpendCount.subject, *counts).where(SpendCount.kind == kind).group_by(SpendCount.subject)
        asked = paid.where(SpendEntry.purpose == "sign_in", SpendEntry.returned_at.is_(None))
        assert sorted(tuple(row) for row in provider.rows(asked)) == sorted(
            (row[0], *map(int, row[1:])) for row in provider.rows(counted.having(sa.func.sum(SpendCount.messages) > 0))
        )


def test_a_budget_holds(provider: Served, party: Party) -> None:
    """Twenty-four people ask in one instant for what seven can have: seven codes go out, the others read why, nobody waits for long."""
    for run in range(RUNS):
        requests = []
        for phone in _new(run):
            browser = provider.browser()
            requests.append(browser.filled(browser.authorize(party), phone=phone))
        answers = at_once(requests)
        assert statuses(answers) == {303: MESSAGES, 429: AT_ONCE - MESSAGES}
    _agrees(provider)


def test_asked_for_and_entered_at_once(provider: Served, party: Party) -> None:
    """Some ask and some enter their codes, in one instant, for numbers with the same beginning: all get on, and every count is right."""
    for run in range(RUNS):
        numbers = _new(50 + run)
        entering = []
        for phone in numbers[:3]:
            browser = provider.browser()
            page = browser.onward(browser.submit(browser.authorize(party), phone=phone))
            entering.append(browser.filled(page, code=provider.code_for(phone)))
        asking = []
        for phone in numbers[3:12]:
            browser = provider.browser()
            asking.append(browser.filled(browser.authorize(party), phone=phone))
        mixed = [request for pair in zip(asking, entering * 3, strict=True) for request in pair]
        answers = at_once(mixed)
        assert set(statuses(answers)) <= {303, 422, 429}
        assert sum(answer.status == 303 for answer in answers[::2]) == MESSAGES - 3
    _agrees(provider)


@pytest.fixture(scope="module")
def pumped(told_on_both: Told, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Where every code has to be earned, from the second one on."""
    with served(told_on_both, tmp_path_factory.mktemp("work"), spend={"work_from_network": 1}) as running:
        yield running


def _to_be_earned(provider: Served, party: Party, phone: str) -> httpx2.Request:
    """What a browser that has worked is about to send."""
    browser = provider.browser()
    page = browser.onward(browser.submit(browser.authorize(party), phone=phone))
    return browser.filled(page, altcha=solve(page))


def test_work_counts_once(pumped: Served) -> None:
    """The same solution twenty times in one instant: one code goes out."""
    party, numbers = pumped.party(), mobiles()
    first = pumped.browser()
    first.submit(first.authorize(party), phone=next(numbers))
    answers = at_once([_to_be_earned(pumped, party, next(numbers))] * 20)
    assert statuses(answers) == {303: 20}
    assert len(pumped.events("code.sent")) == 2
    _agrees(pumped)


def test_a_large_budget_holds(pumped: Served) -> None:
    """One that is spread over rows, each with room for one message: more people ask than there are rows, and no more get a code."""
    each, price = units("1000000") // SHARDS, units("10")
    day = {"day": day_of(clock.now()), "kind": "country", "subject": "RU"}
    with pumped.writes():
        session.execute(sa.delete(SpendCount).where(SpendCount.kind == "country"))
        for shard in range(SHARDS):
            session.add(SpendCount(**day, shard=shard, cost=each - price, messages=0, verified=0, most=each))
    party, before = pumped.party(), len(pumped.events("code.sent"))
    answers = statuses(at_once([_to_be_earned(pumped, party, phone) for phone in islice(mobiles("RU", 10_000), AT_ONCE)]))
    assert answers[303] == len(pumped.events("code.sent")) - before
    assert 1 <= answers[303] <= SHARDS
    spent = sa.select(SpendCount.cost).where(SpendCount.kind == "country")
    assert sum(row[0] for row in pumped.rows(spent)) == SHARDS * (each - price) + answers[303] * price
    assert max(row[0] for row in pumped.rows(spent)) <= each
