"""How often may this be tried: counters that are exact whoever counts, and however many at once.

A count is one upsert that answers the new value, in the database, shared by all processes; it is made before the thing that it limits is
judged. A window begins with the first try and lasts as long as the rule says: somebody who waits for its end can fit twice the limit into a
short time around it, once. Subjects (phone numbers, networks) are kept as an HMAC under a key from `keys/`, never in clear.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock, crypto, telemetry
from idp.db.columns import Base, Digest, Instant, table
from idp.db.session import changed, delete_some, is_postgresql, session
from idp.errors import TooManyTries


class Limit(Base):
    """How often a rule's subject has tried since `window_start`. Without `expires_at` it counts on until it is cleared."""

    __tablename__ = "limits"

    rule: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    subject_digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    window_start: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    tries: Mapped[int]


def spend(rule: str, subject: str, *, limit: int, window_seconds: float) -> int:
    """Count one try of `subject` under `rule`; answers how many are left. In a `writes()` unit.

    Raises TooManyTries (with `retry_after` and `retry_at`) when there have been more than `limit` within the window. The count stays, as
    what was written before a refusal does.
    """
    count, ends_at = _count(rule, subject, window_seconds)
    if count > limit:
        telemetry.count_limited(rule)
        raise too_many(ends_at, detail=f"{rule}: {count} of {limit}")
    return limit - count


def give_back(rule: str, subject: str) -> None:
    """The try that was counted last was a good one, and only bad ones are to count. In a `writes()` unit."""
    changed(sa.update(Limit).where(*_is(rule, subject), Limit.tries > 0).values(tries=Limit.tries - 1))


def count(rule: str, subject: str, *, window_seconds: float) -> int:
    """Count one of what has happened already, and refuse nothing; answers how many the window holds. In a `writes()` unit."""
    return _count(rule, subject, window_seconds)[0]


def would_allow(rule: str, subject: str, *, limit: int, window_seconds: float) -> bool:
    """Whether a `spend` would be allowed now. It counts nothing, so it decides nothing: for showing what is offered."""
    return used(rule, subject, window_seconds=window_seconds) < limit


def used(rule: str, subject: str, *, window_seconds: float) -> int:
    """How many tries the present window holds."""
    now = clock.now()
    found = session.execute(sa.select(Limit.tries, Limit.window_start).where(*_is(rule, subject))).one_or_none()
    return 0 if found is None or found.window_start + timedelta(seconds=window_seconds) <= now else found.tries


def require_left(rule: str, subject: str, *, limit: int, window_seconds: float) -> None:
    """Raise TooManyTries when the window is already spent; count nothing. For failures, that are counted only once they have happened."""
    now = clock.now()
    found = session.execute(sa.select(Limit.tries, Limit.window_start).where(*_is(rule, subject))).one_or_none()
    if found is not None and found.tries >= limit and (ends_at := found.window_start + timedelta(seconds=window_seconds)) > now:
        raise too_many(ends_at, detail=f"{rule}: {found.tries} of {limit}")


def clear(rule: str, subject: str) -> bool:
    """Forget what was counted, windows and rows alike; answers whether there was anything."""
    return changed(sa.delete(Limit).where(*_is(rule, subject))) == 1


def in_a_row(rule: str, subject: str) -> int:
    """Count one more in a row (failures, that only `reset` ends); answers how many there are now. In a `writes()` unit."""
    return _count(rule, subject, None)[0]


def row(rule: str, subject: str) -> int:
    """How many there have been in a row."""
    return session.scalar(sa.select(Limit.tries).where(*_is(rule, subject))) or 0


def reset(rule: str, subject: str) -> bool:
    """The row is over: a success, or an operator's word. Answers whether there was one."""
    return clear(rule, subject)


def sweep(now: datetime) -> int:
    """Take out the windows that are over; answers how many. For the schedule."""
    return delete_some(Limit, Limit.expires_at <= now)


def too_many(ends_at: datetime, *, detail: str | None = None) -> TooManyTries:
    """The refusal that says when the window ends."""
    seconds = max(1, math.ceil((ends_at - clock.now()).total_seconds()))
    return TooManyTries(retry_after=seconds, retry_at=ends_at, detail=detail)


def _count(rule: str, subject: str, window_seconds: float | None) -> tuple[int, datetime]:
    """One more; the count and the end of its window (for a row: now)."""
    now = clock.now()
    ends_at = None if window_seconds is None else now + timedelta(seconds=window_seconds)
    # The window's length is the rule's of today, not that of the day on which the window began.
    oldest = None if window_seconds is None else now - timedelta(seconds=window_seconds)
    values = {"rule": rule, "subject_digest": _digest(rule, subject), "now": now, "ends_at": ends_at, "oldest": oldest}
    count, start = session.execute(_counting(is_postgresql()), values).one()
    return count, start + timedelta(seconds=window_seconds or 0)


@cache
def _counting(on_postgresql: bool) -> Any:
    """The upsert, made once. A row has no end, and so no `oldest`: nothing is older than NULL."""
    columns = table(Limit).c
    instant = columns.window_start.type
    now, ends_at, oldest = (sa.bindparam(name, type_=instant) for name in ("now", "ends_at", "oldest"))
    first = (postgresql.insert if on_postgresql else sqlite.insert)(table(Limit)).values(
        rule=sa.bindparam("rule"), subject_digest=sa.bindparam("subject_digest"), window_start=now, expires_at=ends_at, tries=1
    )
    over = columns.window_start <= oldest
    return first.on_conflict_do_update(
        index_elements=[columns.rule, columns.subject_digest],
        set_={
            "tries": sa.case((over, 1), else_=columns.tries + 1),
            "window_start": sa.case((over, now), else_=columns.window_start),
            "expires_at": sa.case((over, ends_at), else_=columns.expires_at),
        },
    ).returning(columns.tries, columns.window_start)


def _is(rule: str, subject: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return Limit.rule == rule, Limit.subject_digest == _digest(rule, subject)


def _digest(rule: str, subject: str) -> str:
    return crypto.derive("limit", rule, subject).hex()
