"""What happened, to whom, by whom: the audit trail.

`record` writes a line in the transaction of the change itself. What names a person (phone, e-mail, address, browser) stands apart, under a
salted digest, and can be blanked; the line's own digest covers only that one. The worker links the digests into a chain, in batches: a line
that is changed, taken out or put in between afterwards breaks it, and its head is sealed with the keys in `keys/`.

Names are a noun and what befell it: `login.succeeded`, `session.ended`, `browser.stolen`, `code.replayed`, `token.reused`, `key.revoked`.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypedDict, Unpack

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock, crypto, telemetry
from idp.db.columns import LATER, Base, Digest, Id, Instant, Json, table
from idp.db.ready import Ready
from idp.db.session import changed, insert_or_ignore, session

LONGEST = 1000  # characters of one text; who sends more is not heard out
BATCH = 200  # lines that are linked in one transaction: 10 ms of the write lock
PURPOSE = "event chain"
ORIGIN = "0" * 64

# One event, one line, wherever it is printed (threats: case 125): line breaks, escapes, bidirectional controls and halves of characters.
_unprintable = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


_UNLINKED, _UNREACTED, _ACTED = sa.text("position IS NULL"), sa.text("reacted_at IS NULL"), sa.text("actor_id IS NOT NULL")
_Blank = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Event(Base):
    """One line of history. NOTE: never edited; only `personal` and its salt can be blanked, and the worker fills in the last four."""

    __tablename__ = "events"
    __table_args__ = (
        sa.Index("ix_events_user_id_id", "user_id", "id"),
        sa.Index("ix_events_actor_id", "actor_id", sqlite_where=_ACTED, postgresql_where=_ACTED),
        sa.Index("ix_events_company_id_id", "company_id", "id"),
        sa.Index("ix_events_name_id", "name", "id"),
        # What the worker still has to do; the first stays as short as it is quick.
        sa.Index("ix_events_unlinked", "id", sqlite_where=_UNLINKED, postgresql_where=_UNLINKED),
        sa.Index("ix_events_unreacted", "name", sqlite_where=_UNREACTED, postgresql_where=_UNREACTED),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    name: Mapped[str] = mapped_column(sa.String(60))
    outcome: Mapped[str] = mapped_column(sa.String(20))
    actor_id: Mapped[str | None] = mapped_column(Id)
    user_id: Mapped[str | None] = mapped_column(Id)
    company_id: Mapped[str | None] = mapped_column(Id)
    client_id: Mapped[str | None] = mapped_column(sa.String(200))
    session_id: Mapped[str | None] = mapped_column(Id)
    request_id: Mapped[str | None] = mapped_column(sa.String(80))
    details: Mapped[dict[str, Any]] = mapped_column(Json)
    personal: Mapped[dict[str, Any] | None] = mapped_column(_Blank)
    personal_salt: Mapped[str | None] = mapped_column(sa.String(40))
    personal_digest: Mapped[str | None] = mapped_column(Digest)
    digest: Mapped[str] = mapped_column(Digest)
    position: Mapped[int | None] = mapped_column(sa.BigInteger, unique=True)
    chain_digest: Mapped[str | None] = mapped_column(Digest)
    chained_at: Mapped[datetime | None] = mapped_column(Instant)
    reacted_at: Mapped[datetime | None] = mapped_column(Instant)


class EventChain(Base):
    """The head of the chain: one row. `sealed` holds position and digest once more, closed with a key that is not in the database."""

    __tablename__ = "event_chain"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(sa.BigInteger)
    digest: Mapped[str] = mapped_column(Digest)
    sealed: Mapped[str] = mapped_column(sa.Text)


_COVERED = (
    *("id", "at", "name", "outcome", "actor_id", "user_id", "company_id", "client_id", "session_id", "request_id"),
    *("details", "personal_digest"),
)
_insert = Ready(sa.insert(table(Event)).execution_options(**{LATER: True}))


class _Actor(NamedTuple):
    actor_id: str
    details: Mapping[str, Any]
    personal: Mapping[str, Any]


_acting: ContextVar[_Actor | None] = ContextVar("acting", default=None)


@contextmanager
def acting(actor_id: str, *, details: Mapping[str, Any], personal: Mapping[str, Any]) -> Iterator[None]:
    """What is recorded in here was done by `actor_id`, unless the rule names another; `details` and `personal` are added.

    For who has no ID of their own: `operator` is whoever ran a command.
    """
    token = _acting.set(_Actor(actor_id, details, personal))
    try:
        yield
    finally:
        _acting.reset(token)


def record(
    name: str,
    *,
    outcome: str = "ok",
    actor_id: str | None = None,
    user_id: str | None = None,
    company_id: str | None = None,
    client_id: str | None = None,
    session_id: str | None = None,
    details: Mapping[str, Any] | None = None,
    personal: Mapping[str, Any] | None = None,
) -> str:
    """Write down what happened, in the present transaction; answers the event's id.

    `outcome`: `ok`, `refused` or `failed`. `user_id`: whom it befell; `actor_id`: who did it, when that is another. `details`: JSON in
    which nothing names a person; `personal`: `phone`, `email`, `ip`, `browser` … in a column that can be blanked.
    """
    at, acting_now = clock.now(), _acting.get()
    if acting_now is not None:
        actor_id = actor_id or acting_now.actor_id
        details = {**acting_now.details, **(details or {})}
        personal = {**acting_now.personal, **(personal or {})}
    values: dict[str, Any] = {
        "id": _new_id(at),
        "at": at,
        "name": name,
        "outcome": outcome,
        "actor_id": _short(actor_id, 40),
        "user_id": _short(user_id, 40),
        "company_id": _short(company_id, 40),
        "client_id": _short(client_id, 200),
        "session_id": _short(session_id, 40),
        "request_id": _short(telemetry.request_id(), 80),
        "details": _plain(details or {}),
        "personal": _plain(personal) if personal else None,
        "personal_salt": None,
        "personal_digest": None,
    }
    if personal:
        values["personal_salt"] = secrets.token_urlsafe(16)
        values["personal_digest"] = _personal_digest(values["personal_salt"], values["personal"])
    values["digest"] = _digest(values)
    session.execute(_insert, values)
    telemetry.count_event(name, "" if outcome == "ok" else outcome)
    return str(values["id"])


class Wanted(TypedDict, total=False):
    """Which events: those that fit all that is given.

    `name`: one name, or a beginning with its dot (`login.`); `names`: any of these. `since` (inclusive) and `until` (exclusive) are
    instants.
    """

    user_id: str | None
    company_id: str | None
    client_id: str | None
    session_id: str | None
    name: str | None
    names: Collection[str] | None
    outcome: str | None
    since: datetime | None
    until: datetime | None


def search(*, before: str | None = None, limit: int = 100, **wanted: Unpack[Wanted]) -> Sequence[Event]:
    """The events that fit, newest first, at most `limit`. `before`: the id of the last event of the page before."""
    fitting = sa.select(Event).where(*_fitting(wanted)).order_by(Event.id.desc()).limit(limit)
    return session.scalars(fitting.where(Event.id < before) if before is not None else fitting).all()


def read(*, after: str = "", limit: int = 1000, **wanted: Unpack[Wanted]) -> Sequence[Event]:
    """The events that fit, oldest first, at most `limit`. `after`: the id of the last event of the page before."""
    fitting = sa.select(Event).where(*_fitting(wanted), Event.id > after).order_by(Event.id).limit(limit)
    return session.scalars(fitting).all()


def count(**wanted: Unpack[Wanted]) -> int:
    """How many events fit."""
    return session.scalar(sa.select(sa.func.count()).select_from(Event).where(*_fitting(wanted))) or 0


def count_up_to(most: int, name: str, *, since: datetime) -> int:
    """How many events of this name there are since an instant, but at most `most`: a look at so many places of an index."""
    some = sa.select(Event.id).where(Event.name == name, Event.id >= _id_at(since)).limit(most).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def _fitting(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    given = {column: value for column, value in wanted.items() if value is not None}
    name, names, since, until = wanted.get("name"), wanted.get("names"), wanted.get("since"), wanted.get("until")
    fits = [getattr(Event, column) == value for column, value in given.items() if column not in {"name", "names", "since", "until"}]
    if names is not None:
        fits.append(Event.name.in_(sorted(names)))
    if name is not None:
        fits.append(Event.name.startswith(name, autoescape=True) if name.endswith(".") else Event.name == name)
    # An id begins with its instant, and has an index.
    if since is not None:
        fits += [Event.at >= since, Event.id >= _id_at(since)]
    if until is not None:
        fits += [Event.at < until, Event.id < _id_at(until)]
    return fits


def blank(user_id: str) -> int:
    """Take out what names the person in their events, for good: also the salt, or a phone number could be guessed. The chain still holds.

    Answers how many events were blanked.
    """
    theirs = sa.update(Event).where(sa.or_(Event.user_id == user_id, Event.actor_id == user_id), Event.personal_digest.is_not(None))
    return changed(theirs.values(personal=None, personal_salt=None))


def line(event: Event, *, personal: bool = True) -> str:
    """The event as one line of JSON (ASCII), for an export; reading it gives the same values back.

    Without `personal` the part that names a person is not there at all, which is something else than blanked (null).
    """
    values = {column: getattr(event, column) for column in (*_COVERED, "digest", "position", "chain_digest")}
    if personal:
        values["personal"] = event.personal
    return _canonical({**values, "at": _instant(event.at)})


# ---------------------------------------------------------------- the chain


class Verdict(NamedTuple):
    """What `verify_chain` found: how many lines are in order, and the first thing that is not (None: all is)."""

    checked: int
    broken: str | None


def link(limit: int = BATCH) -> int:
    """Take the oldest unlinked events into the chain; answers how many. For the worker, in a `writes()` unit.

    Only one can: whoever moves the head from where it was has written the batch, anybody else has written nothing.
    """
    head = session.get(EventChain, 1, populate_existing=True)
    if head is None:
        insert_or_ignore(EventChain, id=1, position=0, digest=ORIGIN, sealed=_sealed(0, ORIGIN))
        start, former = 0, ORIGIN
    else:
        start, former = head.position, head.digest
    waiting = session.execute(sa.select(Event.id, Event.digest).where(Event.position.is_(None)).order_by(Event.id).limit(limit)).all()
    if not waiting:
        return 0
    now, links, digest = clock.now(), [], former
    for position, row in enumerate(waiting, start + 1):
        digest = _following(digest, row.digest)
        links.append({"event": row.id, "place": position, "chained": digest, "now": now})
    end = start + len(links)
    moved = sa.update(EventChain).where(EventChain.id == 1, EventChain.position == start, EventChain.digest == former)
    if changed(moved.values(position=end, digest=digest, sealed=_sealed(end, digest))) == 0:
        return 0
    session.connection().execute(_link, links)
    return len(links)


_events = table(Event)
_link = (
    sa.update(_events)
    .where(_events.c.id == sa.bindparam("event"))
    .values(position=sa.bindparam("place"), chain_digest=sa.bindparam("chained"), chained_at=sa.bindparam("now"))
)


def verify_chain(progress: Callable[[int, int], None] = lambda _checked, _of: None) -> Verdict:
    """Read the whole chain again: was a line changed, taken out, put in between or cut off at the end?

    Events that the worker has not linked yet (a second's worth) are not looked at. `progress` hears from time to time how many lines were
    checked, and of how many. In a `reads()` unit.
    """
    head = session.get(EventChain, 1, populate_existing=True)
    if head is None:
        lost = session.scalar(sa.select(Event.id).where(Event.position.is_not(None)).limit(1))
        return Verdict(0, "the head of the chain is gone" if lost else None)
    former, checked = ORIGIN, 0
    for event in _chained(head.position):
        wrong = _wrong(event, former, checked + 1)
        if wrong:
            return Verdict(checked, wrong)
        former, checked = str(event.chain_digest), checked + 1
        if checked % 1000 == 0:
            progress(checked, head.position)
    if checked != head.position or former != head.digest:
        return Verdict(checked, f"the chain ends at {checked}, its head says {head.position}")
    try:
        is_ours = crypto.unseal(PURPOSE, head.sealed) == f"{head.position} {head.digest}"
    except ValueError:
        is_ours = False
    return Verdict(checked, None if is_ours else "the head of the chain was not sealed with the keys in keys/")


def _chained(until: int) -> Iterator[Event]:
    """The linked events up to position `until`, in order, a batch at a time."""
    last = 0
    while True:
        batch = sa.select(Event).where(Event.position > last, Event.position <= until).order_by(Event.position).limit(1000)
        rows = session.scalars(batch.execution_options(populate_existing=True)).all()
        if not rows:
            return
        yield from rows
        last = int(rows[-1].position or 0)
        session.expunge_all()


def _wrong(event: Event, former: str, position: int) -> str | None:
    if event.position != position:
        return f"an event is missing before {event.id}: position {position}"
    if event.personal is not None and _personal_digest(event.personal_salt or "", event.personal) != event.personal_digest:
        return f"the personal part of {event.id} was changed"
    if _digest({column: getattr(event, column) for column in _COVERED}) != event.digest:
        return f"{event.id} was changed"
    if _following(former, event.digest) != event.chain_digest:
        return f"{event.id} does not follow what stands before it"
    return None


def _following(former: str, digest: str) -> str:
    return hashlib.sha256(f"{former}{digest}".encode()).hexdigest()


def _sealed(position: int, digest: str) -> str:
    return crypto.seal(PURPOSE, f"{position} {digest}")


# ---------------------------------------------------------------- texts and digests


def _digest(values: Mapping[str, Any]) -> str:
    covered = {column: values[column] for column in _COVERED}
    return hashlib.sha256(_canonical({**covered, "at": _instant(values["at"])}).encode()).hexdigest()


def _personal_digest(salt: str, personal: Mapping[str, Any]) -> str:
    return hashlib.sha256((salt + _canonical(personal)).encode()).hexdigest()


_canonical = json.JSONEncoder(separators=(",", ":"), sort_keys=True, allow_nan=False).encode


def _new_id(at: datetime) -> str:
    """An id whose order is that of the events, to the microsecond: several happen within the same request."""
    return f"evt_{crypto.base32(_beginning(at) | secrets.randbits(72))}"


def _id_at(at: datetime) -> str:
    """The smallest id of an event of this instant."""
    return f"evt_{crypto.base32(_beginning(at))}"


def _beginning(at: datetime) -> int:
    return max(0, int(at.timestamp() * 1_000_000)) << 72


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _short(text: str | None, length: int) -> str | None:
    return _visible(text)[:length] if text else None


def _visible(text: str) -> str:
    text = text[:LONGEST]
    return text if text.isalnum() else _unprintable.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain(value: Any) -> Any:
    """`value` as JSON that every database gives back as it was: no floats, no control characters, no objects of ours."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {_visible(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, datetime):
        return _instant(value)
    return _visible(str(value))
