"""The ledger: what was sent, delivered, entered, and what it cost, a row for each message. `spend.admit` opens it; here is what follows.

The price was reserved for one part. It is set right when the gateway took the message (a long text has several parts), and given back when
no gateway can have taken it. What a gateway may have taken although nobody heard its answer stays paid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import clock
from idp.config import settings
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.messages import spend_counts, spend_rules
from idp.messages.spend import NOTICE, day_of
from idp.messages.spend_counts import Change, Row
from idp.messages.spend_rules import NOTICES, PREFIX
from idp.messages.tables import SpendAlarm, SpendCount, SpendEntry, UsedWork

AT_ONCE = 50
KEEP = timedelta(days=90)
KEEP_SMALL = timedelta(days=2)  # of prefixes and networks there are many, and only today's count
NOTICE_TRIED = timedelta(days=1)  # as long as a notice is worth sending
SETTLED = timedelta(minutes=10)  # past its end no message is under way any more

_rows = table(SpendEntry)
_AT = sa.bindparam("at", type_=_rows.c.created_at.type)
_WHERE = ("day", "channel", "purpose", "country", "prefix", "network", "reserve", "day_shard", "country_shard")
_SENT = (
    sa.update(_rows)
    .where(_rows.c.id == sa.bindparam("of_message"), _rows.c.sent_at.is_(None))
    .values(sent_at=_AT, gateway=sa.bindparam("by"))
    .returning(_rows.c.parts, _rows.c.is_doubtful, *(_rows.c[name] for name in _WHERE))
)
_OF_ONE = _rows.c.id == sa.bindparam("of_message")
_DOUBTED = sa.select(_rows.c.parts, _rows.c.is_doubtful, *(_rows.c[name] for name in _WHERE)).where(_OF_ONE).with_for_update()
_MORE = sa.update(_rows).where(_OF_ONE).values(parts=sa.bindparam("in_parts"), cost=_rows.c.cost + sa.bindparam("more"))
_DELIVERED = sa.update(_rows).where(_rows.c.delivered_at.is_(None)).values(delivered_at=_AT)
_DELIVERED_ONE = _DELIVERED.where(_rows.c.id == sa.bindparam("of_message"))
_DOUBTFUL = sa.update(_rows).where(_OF_ONE).values(is_doubtful=sa.true())
_VERIFIED = Ready(
    sa.update(_rows)
    .where(_rows.c.code_id == sa.bindparam("of_code"), _rows.c.verified_at.is_(None), _rows.c.returned_at.is_(None))
    .values(verified_at=_AT)
    .returning(*(_rows.c[name] for name in _WHERE))
)
_UNSENT = _rows.c.sent_at.is_(None) & _rows.c.returned_at.is_(None) & _rows.c.verified_at.is_(None) & _rows.c.is_doubtful.is_(False)
_LATE = (
    sa.select(_rows.c.id)
    .where(_UNSENT, _rows.c.created_at < _AT)
    .where(sa.or_(_rows.c.purpose != NOTICE, _rows.c.created_at < sa.bindparam("of_notices", type_=_rows.c.created_at.type)))
    .limit(AT_ONCE)
)
_RETURN = (
    sa.update(_rows)
    .where(_rows.c.id.in_(sa.bindparam("of_messages", expanding=True)), _UNSENT)
    .values(returned_at=_AT)
    .returning(_rows.c.cost, *(_rows.c[name] for name in _WHERE))
)


class Sum(NamedTuple):
    """One line of what was spent: `cost` in ten-thousandths."""

    name: str
    messages: int
    sent: int
    delivered: int
    verified: int
    cost: int


def note_sent(message_id: str, phone: str, channel: str, gateway: str, *, parts: int = 1, doubts: int = 0, delivered: bool = False) -> None:
    """A gateway took the message, in so many parts; `doubts`: so many others may have taken it in this try, and want money too.

    What is not in the ledger yet (a mail, a test of the operator's) is entered now.
    """
    now = clock.now()
    row = session.execute(_SENT, {"of_message": message_id, "at": now, "by": gateway}).one_or_none()
    if row is None:
        insert_or_ignore(SpendEntry, **_notice(message_id, phone, channel, parts, 1 + doubts), gateway=gateway, created_at=now, sent_at=now)
    else:
        _pay(message_id, phone, row, parts, parts * (1 + doubts) - (0 if row.is_doubtful else row.parts))
    if delivered:
        note_delivered(message_id)


def note_failed(message_id: str, phone: str, *, doubts: int, given_up: bool) -> None:
    """A try failed, in which so many gateways may have taken the message all the same: each may want its money, now and at each later try.

    `given_up`: no other try follows, and the money comes back unless there was a doubt. What was reserved pays for the first one.
    """
    row = session.execute(_DOUBTED, {"of_message": message_id}).one_or_none() if doubts else None
    if row is not None:
        changed(_DOUBTFUL, of_message=message_id)
        _pay(message_id, phone, row, row.parts, row.parts * (doubts - (0 if row.is_doubtful else 1)))
    if given_up:
        _give_back([message_id])


def note_delivered(messages: str | sa.Select[Any]) -> None:
    """It arrived. `messages`: an id, or a SELECT of ids."""
    if isinstance(messages, str):
        changed(_DELIVERED_ONE, of_message=messages, at=clock.now())
    else:
        changed(_DELIVERED.where(_rows.c.id.in_(messages)), at=clock.now())


def note_verified(code_id: str) -> None:
    """The code was entered: all messages that said it have been worth their money. In the transaction that uses it up."""
    found = session.execute(_VERIFIED, {"of_code": code_id, "at": clock.now()}).all()
    spend_counts.add(change for row in found for change in _changes(row, verified=1))


def settle(now: datetime) -> int:
    """Give back the money of what was never handed to a gateway and cannot be any more; answers how many. For the schedule."""
    over = now - timedelta(seconds=settings().login.code_lifetime) - SETTLED
    late = session.execute(_LATE, {"at": over, "of_notices": now - NOTICE_TRIED - SETTLED}).scalars().all()
    return _give_back(late)


def sums(day: str, by: str) -> Iterator[Sum]:
    """What was spent on a day, by `country`, `prefix`, `channel` or `gateway`; the dearest first."""
    name = sa.func.coalesce(_rows.c[by], "")
    count = sa.func.count
    paid = sa.func.coalesce(sa.func.sum(sa.case((_rows.c.returned_at.is_(None), _rows.c.cost), else_=0)), 0)
    query = (
        sa.select(name, count(), count(_rows.c.sent_at), count(_rows.c.delivered_at), count(_rows.c.verified_at), paid)
        .where(_rows.c.day == day)
        .group_by(name)
        .order_by(paid.desc(), name)
    )
    return (Sum(each[0], *map(int, each[1:])) for each in session.execute(query))


def of_day(day: str) -> Sequence[Any]:
    """The codes of a day, in the order in which they were asked for: what `idp messages simulate` replays."""
    wanted = _rows.c.day == day, _rows.c.purpose != NOTICE, _rows.c.returned_at.is_(None)
    return session.execute(sa.select(_rows).where(*wanted).order_by(_rows.c.created_at, _rows.c.id)).all()


def used(day: str, kind: str = "day") -> int:
    """What the codes of a day (or, of the kind NOTICES, its notices) have cost so far, as the budget counts it."""
    counts = table(SpendCount)
    where = counts.c.kind == kind, counts.c.day == day
    return int(session.scalar(sa.select(sa.func.coalesce(sa.func.sum(counts.c.cost), 0)).where(*where)) or 0)


def usual(country: str, day: str, days: int) -> int:
    """How many codes of this country were entered on a usual day before `day`."""
    counts = table(SpendCount)
    since = day_of(datetime.fromisoformat(day) - timedelta(days=days))
    where = counts.c.kind == "country", counts.c.subject == country, counts.c.day >= since, counts.c.day < day
    return int(session.scalar(sa.select(sa.func.coalesce(sa.func.sum(counts.c.verified), 0)).where(*where)) or 0) // days


def sweep(now: datetime) -> int:
    """Take out what is older than anybody looks at; answers how many rows. For the schedule."""
    counts, alarms, work = table(SpendCount), table(SpendAlarm), table(UsedWork)
    small = counts.c.kind.in_(("prefix", "network")) & (counts.c.day < day_of(now - KEEP_SMALL))
    return max(
        delete_some(SpendEntry, _rows.c.created_at < now - KEEP),
        delete_some(SpendCount, sa.or_(small, counts.c.day < day_of(now - KEEP))),
        delete_some(SpendAlarm, alarms.c.day < day_of(now - KEEP)),
        delete_some(UsedWork, work.c.expires_at < now - SETTLED),
    )


def _pay(message_id: str, phone: str, row: Any, parts: int, more: int) -> None:
    """The message is in so many parts, and so many more of them have to be paid than were."""
    if more or parts != row.parts:
        cost = more * spend_rules.price(settings().spend, row.channel, phone)
        changed(_MORE, of_message=message_id, in_parts=parts, more=cost)
        spend_counts.add(_changes(row, cost=cost))


def _give_back(messages: Sequence[str]) -> int:
    found = session.execute(_RETURN, {"of_messages": messages, "at": clock.now()}).all() if messages else []
    spend_counts.add(change for row in found for change in _changes(row, cost=-row.cost, messages=-1))
    return len(found)


def _changes(row: Any, **counts: int) -> list[Change]:
    """`counts` for all budgets in which a message of the ledger was counted: none for mail."""
    if row.channel == "email":
        return []
    if row.purpose == NOTICE:
        return [Change(row.day, Row(NOTICES, ""), **counts)]
    rows = [Row("day", "", row.day_shard), Row("country", row.country, row.country_shard)]
    rows += [Row("prefix", row.prefix), Row("network", row.network)]
    rows += [Row("plain", "")] if row.reserve == "plain" else []
    return [Change(row.day, each, **counts) for each in rows]


def _notice(message_id: str, phone: str, channel: str, parts: int, times: int) -> dict[str, Any]:
    """A row for what was not entered before: it costs money, and takes none from any budget."""
    spend = settings().spend
    return {
        **{"id": message_id, "day": day_of(clock.now()), "purpose": NOTICE, "channel": channel},
        **{"country": spend_rules.country_of(phone), "prefix": phone[:PREFIX] if phone.startswith("+") else ""},
        **{"network": "", "reserve": "", "day_shard": 0, "country_shard": 0, "parts": parts, "is_doubtful": False},
        "cost": spend_rules.price(spend, channel, phone, parts * times),
    }
