"""Limits are exact: whoever counts, and however many at once. OWASP ASVS 5.0 §2.4.1, §6.6.3; threats: §0.3 (2), cases 42, 53, 55."""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp import clock, limits
from idp.errors import TooManyTries
from idp.limits import Limit
from tests.ground import Ground, parallel

NUMBER = "+79005550001"


def spend(ground: Ground, subject: str = NUMBER, *, limit: int = 3, window_seconds: float = 60, rule: str = "wrong_codes") -> int:
    """One try."""
    with ground.writes():
        return limits.spend(rule, subject, limit=limit, window_seconds=window_seconds)


def test_so_many_and_no_more(ground: Ground) -> None:
    """The last one that is allowed says 0 left; the next is refused and told when to come back, to the second."""
    with clock.freeze(clock.now()) as shift:
        assert [spend(ground) for _ in range(3)] == [2, 1, 0]
        shift(12.5)
        with pytest.raises(TooManyTries) as refused:
            spend(ground)
        assert refused.value.retry_after == 48
        assert refused.value.retry_at == clock.now() + timedelta(seconds=47.5)
        shift(47.4)
        with pytest.raises(TooManyTries) as refused:
            spend(ground)
        assert refused.value.retry_after == 1
        shift(0.1)
        assert spend(ground) == 2


def test_a_refused_try_is_counted(ground: Ground) -> None:
    """A refusal is an answer: its count is committed, but it does not make the wait longer."""
    with clock.freeze(clock.now()) as shift:
        for _ in range(3):
            spend(ground)
        for _ in range(5):
            with pytest.raises(TooManyTries):
                spend(ground)
        with ground.reads():
            assert limits.used("wrong_codes", NUMBER, window_seconds=60) == 8
        shift(60)
        assert spend(ground) == 2


def test_rules_and_subjects_are_apart(ground: Ground) -> None:
    """One subject's tries are not another's, nor another rule's."""
    assert spend(ground) == 2
    assert spend(ground, "+79005550002") == 2
    assert spend(ground, rule="sendings") == 2
    assert spend(ground) == 1


@pytest.mark.parametrize("allowed", [1, 5, 20])
def test_exact_at_once(ground: Ground, allowed: int) -> None:
    """Cases 53, 55: forty tries at the same moment, from two processes' pools: exactly so many get through, and every one is counted."""
    other = ground.connect()

    def one(number: int) -> int:
        from idp.db.session import writes

        with (ground.app if number % 2 else other).app_context(), writes():
            return limits.spend("wrong_codes", NUMBER, limit=allowed, window_seconds=60)

    answers = parallel(40, one)
    assert sorted(answer for answer in answers if isinstance(answer, int)) == list(range(allowed))
    assert sum(isinstance(answer, TooManyTries) for answer in answers) == 40 - allowed, answers
    with ground.reads():
        assert limits.used("wrong_codes", NUMBER, window_seconds=60) == 40
    ground.close(other)


def test_looking_counts_nothing(ground: Ground) -> None:
    """`would_allow`, `used` and `require_left` only look."""
    with ground.reads():
        assert limits.would_allow("wrong_codes", NUMBER, limit=1, window_seconds=60)
        limits.require_left("wrong_codes", NUMBER, limit=1, window_seconds=60)
        assert limits.used("wrong_codes", NUMBER, window_seconds=60) == 0
    with clock.freeze(clock.now()) as shift:
        spend(ground, limit=1)
        with ground.reads():
            assert not limits.would_allow("wrong_codes", NUMBER, limit=1, window_seconds=60)
            with pytest.raises(TooManyTries) as refused:
                limits.require_left("wrong_codes", NUMBER, limit=1, window_seconds=60)
            assert refused.value.retry_after == 60
            assert limits.used("wrong_codes", NUMBER, window_seconds=60) == 1
        shift(60)
        with ground.reads():
            limits.require_left("wrong_codes", NUMBER, limit=1, window_seconds=60)
            assert limits.used("wrong_codes", NUMBER, window_seconds=60) == 0


def test_in_a_row(ground: Ground) -> None:
    """A row has no window: it goes on until it is reset, exactly, also at once."""
    with clock.freeze(clock.now()) as shift:

        def wrong(_: int = 0) -> int:
            with ground.writes():
                return limits.in_a_row("wrong", NUMBER)

        assert [wrong(), wrong()] == [1, 2]
        shift(timedelta(days=400))
        assert sorted(parallel(20, wrong)) == list(range(3, 23))
        with ground.writes():
            limits.sweep(clock.now())
            assert limits.row("wrong", NUMBER) == 22
            assert limits.reset("wrong", NUMBER)
            assert not limits.reset("wrong", NUMBER)
            assert limits.row("wrong", NUMBER) == 0
        assert wrong() == 1


def test_clear(ground: Ground) -> None:
    """What was counted can be forgotten, for one subject."""
    spend(ground)
    spend(ground, "+79005550002")
    with ground.writes():
        assert limits.clear("wrong_codes", NUMBER)
        assert not limits.clear("wrong_codes", NUMBER)
        assert limits.used("wrong_codes", "+79005550002", window_seconds=60) == 1


def test_subjects_are_not_kept(ground: Ground) -> None:
    """Case 42: the table names no number; and the same number under two rules looks like two."""
    spend(ground)
    spend(ground, rule="sendings")
    assert NUMBER[1:] not in ground.dump()
    assert len({row.subject_digest for row in ground.rows(Limit)}) == 2


def test_windows_that_are_over_are_swept(ground: Ground) -> None:
    """The table does not grow with everybody who ever tried."""
    with clock.freeze(clock.now()) as shift:
        spend(ground)
        spend(ground, "+79005550002", window_seconds=600)
        shift(60)
        with ground.writes():
            assert limits.sweep(clock.now()) == 1
        assert len(ground.rows(Limit)) == 1
