"""What must still happen: put in with the change, done at least once by one at a time, tried again, given up, wiped.

Threats: case 42 (a dump tells nothing), promise R2 (nothing lost, nothing after its time).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from idp import clock, crypto, outbox
from idp.db.session import session
from idp.errors import Refusal
from idp.outbox import Job, Outbox
from tests.ground import Ground, one_over, parallel, refuse

PAYLOAD = {"to": "+79005550001", "code": "493817"}


def put(ground: Ground, **more: Any) -> str | None:
    """One row."""
    with ground.writes():
        return outbox.put("message", PAYLOAD, **more)


def claim(ground: Ground, limit: int = 10, lease_seconds: float = 60) -> list[Job]:
    """What a worker gets."""
    with ground.writes():
        return outbox.claim(limit, lease_seconds)


def do(ground: Ground, verb: Callable[..., bool], *args: Any) -> bool:
    """One verb in a unit."""
    with ground.writes():
        return verb(*args)


def only(ground: Ground) -> Outbox:
    """The only row."""
    [row] = ground.rows(Outbox)
    assert isinstance(row, Outbox)
    return row


def test_from_put_to_done(ground: Ground) -> None:
    """It is claimed once, opened, and wiped when done."""
    row_id = put(ground)
    [job] = claim(ground)
    assert (job.id, job.kind, job.attempts, job.payload()) == (row_id, "message", 1, PAYLOAD)
    assert claim(ground) == []
    assert do(ground, outbox.done, job)
    row = only(ground)
    assert (row.state, row.sealed, row.lease, row.leased_until) == ("done", None, None, None)
    assert not do(ground, outbox.done, job)
    assert claim(ground) == []


def test_it_waits_with_its_transaction(ground: Ground) -> None:
    """A unit that fails puts nothing in; one that is refused does (a refusal is an answer)."""
    with pytest.raises(ZeroDivisionError), ground.writes():
        one_over(outbox.put("message", PAYLOAD))
    assert ground.rows(Outbox) == []
    with pytest.raises(Refusal), ground.writes():
        refuse(outbox.put("message", PAYLOAD))
    assert len(ground.rows(Outbox)) == 1


def test_a_dump_tells_nothing(ground: Ground) -> None:
    """Case 42: neither number nor code stands in the database, before, during and after; with other keys nothing opens."""
    put(ground, key="evt_1:notice")
    for secret in PAYLOAD.values():
        assert secret not in ground.dump()
    [job] = claim(ground)
    do(ground, outbox.failed, job, "Timeout")
    for secret in PAYLOAD.values():
        assert secret not in ground.dump()
    with pytest.raises(ValueError, match="another purpose"):
        crypto.unseal("another purpose", job.sealed)


def test_the_same_key_once(ground: Ground) -> None:
    """A key is put in once, however often and however many at once; also after it was done."""
    ids = parallel(12, lambda _: put(ground, key="evt_1:notice"))
    assert sum(1 for found in ids if found is not None) == 1, ids
    [job] = claim(ground)
    do(ground, outbox.done, job)
    assert put(ground, key="evt_1:notice") is None
    assert put(ground) is not None


def test_each_row_goes_to_one(ground: Ground) -> None:
    """R2: forty rows, ten workers at once: every row exactly once."""
    with ground.writes():
        for _ in range(40):
            outbox.put("message", PAYLOAD)
    got = parallel(10, lambda _: claim(ground, 6))
    jobs = [job.id for some in got for job in some]
    assert len(jobs) == len(set(jobs)) == 40


def test_a_worker_that_dies_gives_it_back(ground: Ground) -> None:
    """R2: when the lease ends another gets it; the first, coming to itself, can finish nothing."""
    with clock.freeze(clock.now()) as shift:
        put(ground)
        [first] = claim(ground, lease_seconds=60)
        shift(59)
        assert claim(ground) == []
        shift(2)
        [second] = claim(ground)
        assert second.attempts == 2
        assert not do(ground, outbox.done, first)
        assert not do(ground, outbox.failed, first, "Late")
        assert do(ground, outbox.done, second)


def test_a_lease_is_prolonged_by_its_holder_alone(ground: Ground) -> None:
    """What is still being done stays with who does it; who lost it prolongs nothing."""
    with clock.freeze(clock.now()) as shift:
        put(ground)
        [first] = claim(ground, lease_seconds=10)
        shift(9)
        assert do(ground, outbox.keep, [first], 10) == 1
        shift(9)
        assert claim(ground) == []
        shift(2)
        [second] = claim(ground)
        assert do(ground, outbox.keep, [first], 10) == 0
        assert do(ground, outbox.done, second)
        assert do(ground, outbox.keep, [second], 10) == 0


def test_failures_pause_longer_and_longer(ground: Ground) -> None:
    """Pauses double, within a quarter either way; after the last try the row is dead and is not claimed again."""
    with clock.freeze(clock.now()) as shift:
        put(ground)
        pauses = []
        for attempt in range(1, outbox.TRIES + 1):
            [job] = claim(ground)
            assert job.attempts == attempt
            assert do(ground, outbox.failed, job, "HTTP 500")
            row = only(ground)
            assert row.last_error == "HTTP 500"
            if attempt < outbox.TRIES:
                pauses.append((row.due_at - clock.now()).total_seconds())
                assert claim(ground) == []
                shift(outbox.LONGEST_PAUSE * 2)
        assert all(0.75 * 2**n <= pause <= 1.25 * 2**n for n, pause in enumerate(pauses)), pauses
        assert only(ground).state == "dead"
        assert claim(ground) == []
        with ground.reads():
            assert outbox.backlog() == {"waiting": 0, "dead": 1, "age": 0}


def test_what_expires_is_tried_until_then(ground: Ground) -> None:
    """R2: a warning that is good for a day outlives an outage of hours; every five minutes it is tried again, and it never is dead."""
    with clock.freeze(clock.now()) as shift:
        put(ground, expires_at=clock.now() + timedelta(days=1))
        for _ in range(outbox.TRIES * 3):
            [job] = claim(ground)
            assert not outbox.is_last(job)
            assert do(ground, outbox.failed, job, "timeout")
            assert (only(ground).due_at - clock.now()).total_seconds() <= outbox.LONGEST_PAUSE * 1.25
            shift(outbox.LONGEST_PAUSE * 1.25)
        assert only(ground).state == "waiting"


def test_nothing_after_its_time(ground: Ground) -> None:
    """R2: an expired row is not claimed, a claimed one knows that it is late, and both are wiped."""
    with clock.freeze(clock.now()) as shift:
        put(ground, expires_at=clock.now() + timedelta(seconds=300))
        [job] = claim(ground, lease_seconds=10)
        assert not job.has_expired()
        shift(300)
        assert job.has_expired()
        assert claim(ground) == []
        with ground.reads():
            assert not outbox.is_due()
        assert do(ground, outbox.expire, job)
        assert (only(ground).state, only(ground).sealed) == ("expired", None)


def test_the_schedule_wipes(ground: Ground) -> None:
    """Expired rows lose what they said, dead ones too; finished ones go after a week; what waits stays."""
    with clock.freeze(clock.now()) as shift:
        put(ground, expires_at=clock.now() + timedelta(seconds=60))
        put(ground, not_before=clock.now() + timedelta(days=30))
        shift(60)
        assert do(ground, outbox.sweep, clock.now()) == 1
        assert sorted((row.state, row.sealed is None) for row in ground.rows(Outbox)) == [("expired", True), ("waiting", False)]
        shift(timedelta(days=8))
        assert do(ground, outbox.sweep, clock.now()) == 1
        assert [row.state for row in ground.rows(Outbox)] == ["waiting"]


def test_not_before(ground: Ground) -> None:
    """What is to happen later waits, and then goes oldest first."""
    with clock.freeze(clock.now()) as shift:
        late = put(ground, not_before=clock.now() + timedelta(seconds=30))
        soon = put(ground)
        assert [job.id for job in claim(ground, lease_seconds=5)] == [soon]
        shift(30)
        with ground.reads():
            assert outbox.is_due()
            assert outbox.backlog()["age"] == 30
        assert {job.id for job in claim(ground)} == {late, soon}


def test_what_was_not_begun_is_given_back(ground: Ground) -> None:
    """A worker that is told to stop leaves the rest of its batch to others, at once, and no try is lost."""
    put(ground)
    [job] = claim(ground)
    assert do(ground, outbox.give_back, job)
    [again] = claim(ground)
    assert again.attempts == 1


def test_a_row_of_other_keys_is_a_failure(ground: Ground) -> None:
    """A row that the keys in keys/ do not open raises ValueError, which the worker counts as a try."""
    put(ground)
    with ground.writes():
        session.execute(sa.update(Outbox).values(sealed=crypto.seal("another purpose", "{}")))
    [job] = claim(ground)
    with pytest.raises(ValueError, match="keys"):
        job.payload()
