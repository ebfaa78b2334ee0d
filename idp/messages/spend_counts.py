"""What has gone against each budget of a day: read, taken from, given back to.

Taking is one statement for all budgets of a message: each row takes the money only while it stays within its limit, and the rows that did
tell whether all of them did. They are always locked in one order, so that two messages never wait for each other in a circle. A large
budget is spread over rows (`spend_rules.shards`), so that they do not all wait for one.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp.db.columns import LATER, table
from idp.db.session import session
from idp.messages.spend_rules import KINDS, LOCKED, Used
from idp.messages.tables import SpendCount

_rows = table(SpendCount)
_READ = sa.select(_rows.c.kind, _rows.c.shard, _rows.c.cost, _rows.c.messages, _rows.c.verified).where(
    _rows.c.day == sa.bindparam("on_day"),
    sa.or_(*(sa.and_(_rows.c.kind == kind, _rows.c.subject == sa.bindparam(f"of_{kind}", type_=sa.String)) for kind in KINDS)),
)


class Row(NamedTuple):
    """One row of a budget, and the limit that it has to stay within."""

    kind: str
    subject: str
    shard: int = 0
    most: int = 0


class Change(NamedTuple):
    """What is counted in one row of a day."""

    day: str
    row: Row
    cost: int = 0
    messages: int = 0
    verified: int = 0


class Counted(NamedTuple):
    """What is used, by kind of budget: all of it, and in each of its rows."""

    used: Mapping[str, Used]
    costs: Mapping[tuple[str, int], int]

    def roomy(self, kind: str, shards: int, most: int, cost: int) -> int | None:
        """One of the rows that still have room for `cost`, by chance; None when none has."""
        free = [shard for shard in range(shards) if self.costs.get((kind, shard), 0) + cost <= most]
        return random.choice(free) if free else None  # noqa: S311 - it only keeps them from waiting for one another


def read(day: str, subjects: Mapping[str, str]) -> Counted:
    """What is used of the budgets of a message; `subjects` by kind. One statement, and no lock."""
    values = {"on_day": day, **{f"of_{kind}": subjects[kind] for kind in KINDS}}
    used: dict[str, Used] = {}
    costs = {}
    for kind, shard, cost, messages, verified in session.execute(_READ, values):
        before = used.get(kind, Used())
        used[kind] = Used(before.cost + cost, before.messages + messages, before.verified + verified)
        costs[kind, shard] = cost
    return Counted(used, costs)


def take(day: str, rows: Sequence[Row], cost: int) -> bool:
    """Take one message of `cost` from all of these; False when one of them has not that much left, and then nothing is taken."""
    wanted = [Change(day, row, cost, 1) for row in rows]
    took = session.execute(_counting(len(rows), limited=True), _values(wanted)).scalars().all()
    if len(took) == len(rows):
        return True
    add([Change(day, row, -cost, -1) for row in rows if row.kind in took])
    return False


def add(changes: Iterable[Change]) -> None:
    """Count what has happened, or give back; no limit is asked.

    Several messages go together: were one's rows locked after another's, two such transactions could wait for each other.
    """
    whole: dict[tuple[str, Row], Change] = {}
    for change in changes:
        known = whole.get((change.day, change.row), change._replace(cost=0, messages=0, verified=0))
        sums = (known.cost + change.cost, known.messages + change.messages, known.verified + change.verified)
        whole[change.day, change.row] = Change(change.day, change.row, *sums)
    if whole:
        session.execute(_counting(len(whole), limited=False), _values(list(whole.values())))


def _values(changes: Sequence[Change]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for n, (day, row, cost, messages, verified) in enumerate(sorted(changes, key=_place)):
        values |= {f"day{n}": day, f"kind{n}": row.kind, f"subject{n}": row.subject, f"shard{n}": row.shard, f"most{n}": row.most}
        values |= {f"cost{n}": cost, f"messages{n}": messages, f"verified{n}": verified}
    return values


def _place(change: Change) -> tuple[int, str, str, int]:
    """Where in the order of locking a row stands."""
    return LOCKED.index(change.row.kind), change.day, change.row.subject, change.row.shard


@lru_cache(maxsize=64)
def _counting(rows: int, *, limited: bool) -> sa.TextClause:
    """The upsert for so many rows, as text: SQLAlchemy would write one of several rows anew each time."""
    each = ", ".join(f"(:day{n}, :kind{n}, :subject{n}, :shard{n}, :cost{n}, :messages{n}, :verified{n}, :most{n})" for n in range(rows))
    text = f"""
        INSERT INTO spend_counts (day, kind, subject, shard, cost, messages, verified, most) VALUES {each}
        ON CONFLICT (day, kind, subject, shard) DO UPDATE SET
            cost = spend_counts.cost + excluded.cost,
            messages = spend_counts.messages + excluded.messages,
            verified = spend_counts.verified + excluded.verified
    """  # noqa: S608 - only the numbers of its parameters are put in
    if limited:
        return sa.text(f"{text}, most = excluded.most WHERE spend_counts.cost + excluded.cost <= excluded.most RETURNING kind")
    return sa.text(text).execution_options(**{LATER: True})
