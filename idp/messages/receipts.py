"""What became of each message: given to a gateway, delivered, or failed and why. What an operator looks at when somebody got no code.

    queued     a try failed, another one follows
    sent       the gateway took it
    delivered  the gateway says that it arrived (or the inbox of a desk holds it)
    failed     given up, expired, or the gateway says that it will not arrive

The worker writes the row at the first try, in the transaction that moves the outbox row: the sign-in that wants a message pays nothing.
Each move is one conditional UPDATE, so a report that comes twice, late or out of order changes nothing (promise R13).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from idp import clock
from idp.db.columns import table
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.messages.tables import Receipt

KEEP = timedelta(days=90)

_rows = table(Receipt)
_OF = sa.update(_rows).where(_rows.c.id == sa.bindparam("of_message"))
_SENT = _OF.where(_rows.c.state.in_(("queued", "failed"))).values(tries=_rows.c.tries + 1, reason=None)
_STATES = sa.select(_rows).where(_rows.c.id.in_(sa.bindparam("ids", expanding=True)))
_FAILED = _OF.where(_rows.c.state == "queued").values(tries=_rows.c.tries + 1)


def sent(
    message_id: str,
    *,
    channel: str,
    wording: str,
    gateway: str,
    gateway_message_id: str | None = None,
    delivered: bool = False,
) -> None:
    """The gateway took the message, and calls it `gateway_message_id`; `delivered`: it is there already."""
    now = clock.now()
    known_as = gateway_message_id[:200] if gateway_message_id else None
    values: dict[str, Any] = {"gateway": gateway, "gateway_message_id": known_as, "sent_at": now}
    values |= {"state": "delivered", "settled_at": now} if delivered else {"state": "sent", "settled_at": None}
    if not insert_or_ignore(Receipt, id=message_id, channel=channel, wording=wording, tries=1, created_at=now, **values):
        changed(_SENT, of_message=message_id, **values)


def failed(
    message_id: str, *, channel: str, wording: str, gateway: str, reason: str, given_up: bool, expires_at: datetime | None = None
) -> None:
    """A try failed for `reason` (a word); `given_up`: it was the last one."""
    now = clock.now()
    values: dict[str, Any] = {"gateway": gateway, "reason": reason[:40], "state": "failed" if given_up else "queued"}
    values |= {"settled_at": now if given_up else None, "expires_at": expires_at}
    if not insert_or_ignore(Receipt, id=message_id, channel=channel, wording=wording, tries=1, created_at=now, **values):
        changed(_FAILED, of_message=message_id, **values)


def reported(gateway: str, known_as: str, *, delivered: bool, reason: str | None = None) -> bool | None:
    """A delivery report of `gateway` about the message that it, or we, call `known_as`.

    It may come while we do not know ourselves whether the message was taken. Answers whether it changed anything: a second one, or one
    after the end, does not. None: there is no such message of this gateway.
    """
    which = (_rows.c.gateway == gateway) & sa.or_(_rows.c.id == known_as, _rows.c.gateway_message_id == known_as)
    word = None if delivered else re.sub(r"[^a-z0-9_]+", "_", (reason or "not_delivered").lower())[:40]
    values = {"state": "delivered" if delivered else "failed", "reason": word, "settled_at": clock.now()}
    if changed(sa.update(_rows).where(which, _rows.c.state.in_(("queued", "sent"))).values(**values)):
        return True
    return False if session.scalar(sa.select(_rows.c.id).where(which).limit(1)) else None


def find(message_id: str) -> sa.Row[tuple[object, ...]] | None:
    """The receipt of a message."""
    return session.execute(sa.select(_rows).where(_rows.c.id == message_id)).one_or_none()


def newest(limit: int = 100) -> Sequence[sa.Row[tuple[object, ...]]]:
    """The receipts, the newest first."""
    return session.execute(sa.select(_rows).order_by(_rows.c.created_at.desc(), _rows.c.id.desc()).limit(limit)).all()


def states_of(message_ids: Sequence[str]) -> dict[str, sa.Row[Any]]:
    """The receipts of these messages, by id; one that nobody has tried yet has none."""
    found = session.execute(_STATES, {"ids": list(message_ids)}).all() if message_ids else []
    return {row.id: row for row in found}


def sweep(now: datetime) -> int:
    """What waited for another try past its time has failed; what is older than three months goes. Answers how many. For the schedule."""
    late = sa.update(_rows).where(_rows.c.state == "queued", _rows.c.expires_at <= now)
    count = changed(late.values(state="failed", reason="expired", settled_at=now))
    return count + delete_some(Receipt, _rows.c.created_at < now - KEEP)
