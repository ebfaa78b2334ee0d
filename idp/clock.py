"""One clock for all machines: `now()` is the only place that asks the time.

On PostgreSQL it is corrected by the offset to the database's clock (`correct`), so that a code lives as long on one machine as on
another. Tests freeze it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta


class _Clock:
    """What can be changed about the time: the correction, and the instant at which a test holds it."""

    offset = timedelta(0)
    frozen: datetime | None = None


_clock = _Clock()


def now() -> datetime:
    """This instant, UTC, microseconds."""
    if _clock.frozen is not None:
        return _clock.frozen
    return datetime.now(UTC) + _clock.offset


def timestamp() -> int:
    """This instant as whole seconds since 1970 (RFC 7519 NumericDate)."""
    return int(now().timestamp())


def correct(reference: datetime) -> timedelta:
    """Take `reference` (UTC, the database's clock just now) as right; answers the correction that holds from here on."""
    _clock.offset = reference - datetime.now(UTC)
    return _clock.offset


@contextmanager
def freeze(at: datetime) -> Iterator[Callable[[timedelta | float], None]]:
    """For tests: hold the time at `at`; the value given moves it on by a timedelta or seconds."""
    before = _clock.frozen
    _clock.frozen = at

    def shift(by: timedelta | float) -> None:
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        _clock.frozen = now() + step

    try:
        yield shift
    finally:
        _clock.frozen = before
