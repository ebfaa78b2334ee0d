"""One clock for all machines: the database's, as exactly as it can be known, and never a jump back for nothing (promise R15)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from idp import clock


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    clock.correct(lambda: datetime.now(UTC))


def at(offset: float, after: float, before: float) -> timedelta:
    """A look at a clock that is `offset` seconds ahead of ours; its answer took `after` seconds to ask for and `before` to come."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    times = iter([start, start + timedelta(seconds=after + before)])

    class Ours(datetime):
        @classmethod
        def now(cls, _zone: object = None) -> datetime:
            return next(times)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "datetime", Ours)
        return clock.correct(lambda: start + timedelta(seconds=after + offset))


def test_who_has_the_same_time_keeps_it_however_long_the_answer_took() -> None:
    """Processes of one machine agree to the microsecond."""
    (kept,) = {at(0, random.uniform(0.001, 0.5), random.uniform(0.001, 0.5)) for _ in range(100)}
    assert abs(kept) < timedelta(milliseconds=1)


def test_another_time_is_taken_over_and_kept() -> None:
    """Known to half of the wait; a later look that agrees moves nothing, one that knows better does."""
    first = at(90, 0.2, 0.1)
    assert abs(first.total_seconds() - 90) <= 0.15
    assert at(90, 0.3, 0.3) == first
    better = at(90, 0.001, 0.001)
    assert abs(better.total_seconds() - 90) <= 0.001
    assert at(90, 0.2, 0.1) == better
    assert abs(at(-90, 0.01, 0.01).total_seconds() + 90) <= 0.01
