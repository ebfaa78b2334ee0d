"""What must still happen: messages, logouts, signals. A row is written in the transaction that wants it; the worker acts after it.

A row waits sealed, is claimed by one conditional UPDATE with a lease, and is tried again with growing pauses when it fails, until it is
dead. Who claims and dies gives it back when the lease ends: so everything is done at least once, and whatever does it takes the row's id as
the mark of "done already". What is done or expired is wiped: no code stays behind (threats: case 42, promise R2).

A kind may have lanes, `<kind>:<lane>`, one for each receiver: rows of one lane are claimed apart, so that a receiver that hangs holds up
its own and nobody else's (promise R21).
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock, crypto
from idp.db.columns import Base, Id, Instant
from idp.db.session import changed, delete_some, insert_or_ignore, is_postgresql, session

CHANNEL = "idp_outbox"  # of PostgreSQL's LISTEN and NOTIFY
PURPOSE = "outbox"
STATES = ("waiting", "done", "dead", "expired")
TRIES = 10  # with the pauses below: given up after about ten minutes, unless the row itself says until when
FIRST_PAUSE, LONGEST_PAUSE = 1, 300  # seconds
KEEP = timedelta(days=7)  # so long a finished row's key keeps the same thing from being put in again


class Outbox(Base):
    """One thing to do. NOTE: `sealed` is there only while the row waits (or is dead and has not expired)."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.CheckConstraint(sa.column("state").in_(STATES), name="state"),
        sa.Index("ix_outbox_waiting", "due_at", sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'")),
        sa.Index("ix_outbox_state_created_at", "state", "created_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(40))
    sealed: Mapped[str | None] = mapped_column(sa.Text)
    key: Mapped[str | None] = mapped_column(sa.String(200), unique=True)
    state: Mapped[str] = mapped_column(sa.String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(Instant)
    leased_until: Mapped[datetime | None] = mapped_column(Instant)
    lease: Mapped[str | None] = mapped_column(sa.String(43))
    created_at: Mapped[datetime] = mapped_column(Instant)
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    last_error: Mapped[str | None] = mapped_column(sa.String(200))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row as it stands, for who looks. `sealed` is gone once it is done."""

    id: str
    kind: str
    sealed: str | None
    state: str
    attempts: int
    created_at: datetime
    expires_at: datetime | None
    due_at: datetime
    done_at: datetime | None
    last_error: str | None

    def payload(self) -> dict[str, Any]:
        """What `put` was given, as far as it is still there and the keys open it."""
        try:
            return dict(json.loads(crypto.unseal(PURPOSE, self.sealed))) if self.sealed else {}
        except ValueError:
            return {}


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed row. `id` is the idempotency key towards whoever does the work; `lease` proves that the row is still ours."""

    id: str
    kind: str
    sealed: str
    attempts: int
    created_at: datetime
    expires_at: datetime | None
    lease: str

    def payload(self) -> dict[str, Any]:
        """What `put` was given; raises ValueError when the keys are not those that sealed it."""
        opened: dict[str, Any] = json.loads(crypto.unseal(PURPOSE, self.sealed))
        return opened

    def has_expired(self) -> bool:
        """Whether it is too late to do it."""
        return self.expires_at is not None and self.expires_at <= clock.now()


def put(
    kind: str,
    payload: Mapping[str, Any],
    *,
    key: str | None = None,
    expires_at: datetime | None = None,
    not_before: datetime | None = None,
    row_id: str | None = None,
) -> str | None:
    """Have `kind` done with `payload` (JSON) once the present transaction is committed; answers the row's id.

    `key`: the same key puts nothing in a second time and answers None. `expires_at`: after it nothing is done. `not_before`: not earlier.
    `row_id`: the id, where it is known beforehand (`out_…`).
    """
    now, row_id = clock.now(), row_id or crypto.new_id("out")
    added = insert_or_ignore(
        Outbox,
        id=row_id,
        kind=kind,
        sealed=crypto.seal(PURPOSE, json.dumps(payload)),
        key=key,
        state="waiting",
        attempts=0,
        due_at=not_before or now,
        created_at=now,
        expires_at=expires_at,
    )
    if not added:
        return None
    wake()
    return row_id


def wake() -> None:
    """Have the worker look once the present transaction is committed, for what hangs off an event and is no row yet."""
    if is_postgresql():  # delivered when the transaction commits, dropped when it rolls back; same texts are merged
        session.execute(sa.text(f"NOTIFY {CHANNEL}"))


def lane(kind: str, receiver: str) -> str:
    """The kind of a row that goes to this receiver and is to hold up no other."""
    return f"{kind}:{crypto.digest(receiver)[:16]}"


def lanes_due(kind: str) -> list[str]:
    """The lanes of a kind in which something is to be done now. In a `reads()` unit."""
    due = _due(clock.now()).with_only_columns(Outbox.kind).where(Outbox.kind.startswith(f"{kind}:", autoescape=True))
    return sorted(session.scalars(due.distinct()))


def is_due(only: str | None = None, but: tuple[str, ...] = ()) -> bool:
    """Whether there is anything to claim (of the kind `only`, of any kind `but` some): a look that takes no lock. In a `reads()` unit."""
    return session.scalar(_due(clock.now(), only, but).limit(1)) is not None


def claim(limit: int = 10, lease_seconds: float = 60, *, only: str | None = None, but: tuple[str, ...] = ()) -> list[Job]:
    """Take up to `limit` rows that are due, oldest first, for `lease_seconds`; of kinds as in `is_due`. In a `writes()` unit.

    Until the lease ends nobody else gets them; then anybody may, whatever became of us.
    """
    now, lease = clock.now(), crypto.new_secret()
    chosen = _due(now, only, but).order_by(Outbox.due_at, Outbox.id).limit(limit).with_for_update(skip_locked=True)
    taken = (
        sa.update(Outbox)
        .where(Outbox.id.in_(chosen))
        .values(leased_until=now + timedelta(seconds=lease_seconds), lease=lease, attempts=Outbox.attempts + 1)
    )
    columns = (Outbox.id, Outbox.kind, Outbox.sealed, Outbox.attempts, Outbox.created_at, Outbox.expires_at, Outbox.lease)
    rows = session.execute(taken.returning(*columns), execution_options={"synchronize_session": False}).all()
    return sorted((Job(**row._mapping) for row in rows), key=lambda job: job.id)


def keep(jobs: Sequence[Job], lease_seconds: float) -> int:
    """They are still being done: nobody else gets them for another `lease_seconds`. Answers how many are still ours."""
    ours = sa.update(Outbox).where(
        Outbox.id.in_([job.id for job in jobs]), Outbox.lease.in_({job.lease for job in jobs}), Outbox.state == "waiting"
    )
    return changed(ours.values(leased_until=clock.now() + timedelta(seconds=lease_seconds)))


def done(job: Job, said: str | None = None) -> bool:
    """It is done: wipe what it said. False when the lease was lost meanwhile (and another may be doing it again). `said`: how it ended,
    in a word, where nobody will do it again although it did not go well.
    """
    return _finish(job, "done", said)


def expire(job: Job) -> bool:
    """It is too late: wipe what it said, do nothing."""
    return _finish(job, "expired")


def failed(job: Job, error: str) -> bool:
    """It did not work: try again after a pause that doubles each time, within a quarter either way; after the last try it is dead.

    What expires is tried until then: an hour without the gateway loses no warning that is good for a day.
    `error`: a word for the operator (a class, a status). NOTE: never the text of an exception, which may hold number or code.
    """
    if is_last(job):
        return changed(_ours(job).values(state="dead", lease=None, leased_until=None, done_at=clock.now(), last_error=error[:200])) == 1
    pause = min(FIRST_PAUSE * 2 ** min(job.attempts - 1, 20), LONGEST_PAUSE) * random.uniform(0.75, 1.25)  # noqa: S311 - so that not all come back at once
    due_at = clock.now() + timedelta(seconds=pause)
    return changed(_ours(job).values(lease=None, leased_until=None, due_at=due_at, last_error=error[:200])) == 1


def is_last(job: Job) -> bool:
    """Whether no try follows this one."""
    return job.expires_at is None and job.attempts >= TRIES


def give_back(job: Job) -> bool:
    """It was not begun: another may claim it at once."""
    return changed(_ours(job).values(lease=None, leased_until=None, attempts=Outbox.attempts - 1)) == 1


def sweep(now: datetime) -> int:
    """Wipe what expired undone, take out what finished long ago; answers how many rows. For the schedule."""
    not_leased = sa.or_(Outbox.leased_until.is_(None), Outbox.leased_until < now)
    late = sa.update(Outbox).where(Outbox.state.in_(("waiting", "dead")), Outbox.expires_at <= now, not_leased)
    count = changed(late.values(state="expired", sealed=None, lease=None, leased_until=None, done_at=now))
    return count + delete_some(Outbox, Outbox.state != "waiting", Outbox.created_at < now - KEEP)


def backlog() -> dict[str, float]:
    """For the metrics: rows `waiting` and `dead`, and the `age` in seconds of the oldest row that is due; without those that are too late.

    In a `reads()` unit.
    """
    now = clock.now()
    in_time = sa.or_(Outbox.expires_at.is_(None), Outbox.expires_at > now)
    counts = session.execute(
        sa.select(Outbox.state, sa.func.count().label("rows")).where(Outbox.state.in_(("waiting", "dead")), in_time).group_by(Outbox.state)
    )
    found: dict[str, float] = {"waiting": 0, "dead": 0, "age": 0}
    found.update({row.state: row.rows for row in counts})
    oldest = session.scalar(sa.select(sa.func.min(Outbox.due_at)).where(Outbox.state == "waiting", Outbox.due_at <= now, in_time))
    return {**found, "age": (now - oldest).total_seconds()} if oldest else found


def look(ids: Sequence[str]) -> list[Waiting]:
    """What stands of these rows, in no order. In a `reads()` unit."""
    return [Waiting(**row._mapping) for row in session.execute(_LOOK.where(Outbox.id.in_(ids)))] if ids else []


def waiting(kind: str, limit: int = 100) -> list[Waiting]:
    """The rows of a kind that wait, the newest first. In a `reads()` unit."""
    wanted = _LOOK.where(Outbox.kind == kind, Outbox.state == "waiting").order_by(Outbox.id.desc()).limit(limit)
    return [Waiting(**row._mapping) for row in session.execute(wanted)]


_LOOK = sa.select(
    *(Outbox.id, Outbox.kind, Outbox.sealed, Outbox.state, Outbox.attempts, Outbox.created_at),
    *(Outbox.expires_at, Outbox.due_at, Outbox.done_at, Outbox.last_error),
)


def _due(now: datetime, only: str | None = None, but: tuple[str, ...] = ()) -> sa.Select[str]:
    others = [sa.and_(Outbox.kind != each, ~Outbox.kind.startswith(f"{each}:", autoescape=True)) for each in but]
    of_kind = Outbox.kind == only if only is not None else sa.and_(sa.true(), *others)
    return sa.select(Outbox.id).where(
        of_kind,
        Outbox.state == "waiting",
        Outbox.due_at <= now,
        sa.or_(Outbox.leased_until.is_(None), Outbox.leased_until < now),
        sa.or_(Outbox.expires_at.is_(None), Outbox.expires_at > now),
    )


def _ours(job: Job) -> sa.Update:
    return sa.update(Outbox).where(Outbox.id == job.id, Outbox.lease == job.lease, Outbox.state == "waiting")


def _finish(job: Job, state: str, said: str | None = None) -> bool:
    return changed(_ours(job).values(state=state, sealed=None, lease=None, leased_until=None, done_at=clock.now(), last_error=said)) == 1
