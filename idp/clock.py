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


def correct(ask: Callable[[], datetime]) -> timedelta:
    """Take the clock that `ask` reads (UTC; the database's) as right; answers the correction that holds from here on.

    NOTE: its answer is of some moment while we waited for it. A correction that fits is kept: were it made anew each time, two processes
    of one machine would differ by what each of them had to wait, and the time of one would jump back.
    """
    before = datetime.now(UTC)
    reference = ask()
    least, most = reference - datetime.now(UTC), reference - before
    if not least <= _clock.offset <= most:
        _clock.offset = least + (most - least) / 2
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
