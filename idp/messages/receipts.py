"""What became of each message: given to a gateway, delivered, or failed and why. What an operator looks at when somebody got no code.

    queued     nobody was asked yet, or a try failed and another one follows
    sent       the gateway took it
    delivered  the gateway says that it arrived (or the inbox of a desk holds it)
    failed     given up, expired, or the gateway says that it will not arrive

The worker writes the row at the first try, in the transaction that moves the outbox row: the sign-in that wants a message pays nothing, and
until then `states_of` asks the outbox. Each move is one conditional UPDATE, so a report that comes twice, late or out of order changes
nothing (promise R13).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import clock, crypto, outbox
from idp.db.columns import table
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.messages import spend_ledger
from idp.messages.gateway import UNKNOWN
from idp.messages.tables import Receipt

KEEP = timedelta(days=90)
ONE_REFUSAL = timedelta(hours=1)  # in which one recipient's messages say no more against a gateway than one of them

_rows = table(Receipt)
_OF = sa.update(_rows).where(_rows.c.id == sa.bindparam("of_message"))
_SENT = _OF.where(_rows.c.state.in_(("queued", "failed"))).values(tries=_rows.c.tries + 1, reason=None)
_FAILED = _OF.where(_rows.c.state == "queued").values(tries=_rows.c.tries + 1)


class State(NamedTuple):
    """How a message stands. `reason`: a word (`timeout`, `status_500`, `expired` …); `gateway`: who was asked last, empty before that."""

    state: str
    reason: str | None
    channel: str
    gateway: str
    created_at: datetime
    sent_at: datetime | None = None
    settled_at: datetime | None = None


def sent(
    message_id: str,
    *,
    channel: str,
    wording: str,
    to: str,
    gateway: str,
    gateway_message_id: str | None = None,
    delivered: bool = False,
    passed: Sequence[str] = (),
) -> None:
    """The gateway took the message, and calls it `gateway_message_id`; `delivered`: it is there already; `passed`: who did not take it."""
    now = clock.now()
    known_as = gateway_message_id[:200] if gateway_message_id else None
    values: dict[str, Any] = {"gateway": gateway, "gateway_message_id": known_as, "sent_at": now, "passed": _listed(passed)}
    values |= {"state": "delivered", "settled_at": now} if delivered else {"state": "sent", "settled_at": None}
    if not _insert(message_id, to, channel=channel, wording=wording, created_at=now, **values):
        changed(_SENT, of_message=message_id, **values)


def failed(
    message_id: str,
    *,
    channel: str,
    wording: str,
    to: str,
    gateway: str,
    reason: str,
    given_up: bool,
    expires_at: datetime | None = None,
    passed: Sequence[str] = (),
) -> None:
    """A try failed for `reason` (a word); `given_up`: it was the last one."""
    now = clock.now()
    values: dict[str, Any] = {"gateway": gateway, "reason": reason[:40], "state": "failed" if given_up else "queued"}
    values |= {"settled_at": now if given_up else None, "expires_at": expires_at, "passed": _listed(passed)}
    if not _insert(message_id, to, channel=channel, wording=wording, created_at=now, **values):
        changed(_FAILED, of_message=message_id, **values)


def reported(gateway: str, known_as: str, *, delivered: bool, reason: str | None = None) -> bool | None:
    """A delivery report of `gateway` about the message that it, or we, call `known_as`.

    It may come while we do not know ourselves whether the message was taken, also from one that never said so before the next one was
    asked: then only a yes counts. Answers whether it changed anything: a second one, or one after the end, does not. None: there is no such
    message of this gateway.
    """
    theirs = (_rows.c.gateway == gateway) & sa.or_(_rows.c.id == known_as, _rows.c.gateway_message_id == known_as)
    passed = "; " + _rows.c.passed
    perhaps = (_rows.c.id == known_as) & sa.or_(*(passed.contains(f"; {gateway} {word}", autoescape=True) for word in UNKNOWN))
    which = sa.or_(theirs, perhaps) if delivered else theirs
    word = None if delivered else re.sub(r"[^a-z0-9_]+", "_", (reason or "not_delivered").lower())[:40]
    values = {"state": "delivered" if delivered else "failed", "reason": word, "settled_at": clock.now()}
    if changed(sa.update(_rows).where(which, _rows.c.state.in_(("queued", "sent"))).values(**values)):
        if delivered:
            spend_ledger.note_delivered(sa.select(_rows.c.id).where(which))
        return True
    return False if session.scalar(sa.select(_rows.c.id).where(sa.or_(theirs, perhaps)).limit(1)) else None


def was_refused(gateway: str, word: str, to: str) -> bool:
    """Whether this gateway has passed over a message to the same recipient with the same word in the last hour, and another was asked."""
    passed = sa.literal("; ") + _rows.c.passed + ";"
    theirs = (_rows.c.recipient_digest == digest(to)) & (_rows.c.created_at > clock.now() - ONE_REFUSAL)
    looked = sa.select(_rows.c.id).where(theirs, passed.contains(f"; {gateway} {word};", autoescape=True)).limit(1)
    return session.scalar(looked) is not None


def states_of(message_ids: Iterable[str]) -> dict[str, State]:
    """How these messages stand now, also those that nobody was asked for yet; those that nobody knows are left out.

    A `failed` one whose code still lives will not arrive: whoever shows it offers the next channel.
    """
    wanted, now = list(dict.fromkeys(message_ids)), clock.now()
    if not wanted:
        return {}
    rows = session.execute(sa.select(_rows).where(_rows.c.id.in_(wanted)))
    found = {row.id: State(*stand(row, now), row.channel, row.gateway, row.created_at, row.sent_at, row.settled_at) for row in rows}
    for row in outbox.look([message_id for message_id in wanted if message_id not in found]):
        state, reason = before_any_try(row, now)
        channel = str(row.payload().get("channel", ""))
        found[row.id] = State(state, reason, channel, "", row.created_at, None, row.done_at)
    return {message_id: found[message_id] for message_id in wanted if message_id in found}


def before_any_try(row: outbox.Waiting, now: datetime) -> tuple[str, str | None]:
    """State and reason of a message that has no receipt yet."""
    is_late = row.state == "expired" or (row.expires_at is not None and row.expires_at <= now)
    if row.state == "waiting" and not is_late:
        return "queued", row.last_error
    return "failed", "expired" if is_late else row.last_error


def stand(row: Any, now: datetime) -> tuple[str, str | None]:
    """State and reason of a receipt, as the sweep will put them, which may not have come by yet."""
    is_late = row.state == "queued" and row.expires_at is not None and row.expires_at <= now
    return ("failed", "expired") if is_late else (row.state, row.reason)


def find(message_id: str) -> sa.Row[tuple[object, ...]] | None:
    """The receipt of a message."""
    return session.execute(sa.select(_rows).where(_rows.c.id == message_id)).one_or_none()


def newest(
    limit: int = 100, *, to: str | None = None, since: datetime | None = None, state: str | None = None
) -> Sequence[sa.Row[tuple[object, ...]]]:
    """The receipts, the newest first. `to`: of this number (E.164) or address; `since`: not before; `state`: only these."""
    wanted = sa.select(_rows).order_by(_rows.c.created_at.desc(), _rows.c.id.desc()).limit(limit)
    if to is not None:
        wanted = wanted.where(_rows.c.recipient_digest == digest(to))
    if since is not None:
        wanted = wanted.where(_rows.c.created_at >= since)
    if state is not None:
        wanted = wanted.where(_rows.c.state == state)
    return session.execute(wanted).all()


def sweep(now: datetime) -> int:
    """What waited for another try past its time has failed; what is older than three months goes. Answers how many. For the schedule."""
    late = sa.update(_rows).where(_rows.c.state == "queued", _rows.c.expires_at <= now)
    count = changed(late.values(state="failed", reason="expired", settled_at=now))
    return count + delete_some(Receipt, _rows.c.created_at < now - KEEP)


def masked(to: str) -> str:
    """A number or an address as support may see it: enough to know it again, too little to use it."""
    local, at, host = to.rpartition("@")
    shown = f"{local[:1]}…@{host}" if at else f"{to[:2]}…{to[-2:]}"
    return shown[:80]


def digest(to: str) -> str:
    """What stands for a recipient where only equality matters: an HMAC, since there are too few numbers for a plain digest."""
    return crypto.derive("message recipient", to).hex()


def _insert(message_id: str, to: str, **values: Any) -> bool:
    return insert_or_ignore(Receipt, id=message_id, tries=1, recipient=masked(to), recipient_digest=digest(to), **values)


def _listed(passed: Sequence[str]) -> str | None:
    return "; ".join(passed)[:200] or None
