"""What may a message cost, and who may have one sent? Case 66: messages are pumped because somebody earns on each of them.

    require_open   look what is used, ask the rules; raises, and takes nothing
    admit          take the money from every budget, by one conditional statement, and write the ledger

Between the two the caller counts its own limits (number, network), so that whoever is sent to work first, or away, loses none of them.
The price is reserved when the message is put into the outbox; `spend_ledger` sets it right when it went out, or did not.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from idp import clock, crypto, events, limits, telemetry
from idp.config import settings
from idp.config_spend import units
from idp.db.columns import LATER, table
from idp.db.ready import Ready
from idp.db.session import engine, insert_or_ignore, session
from idp.errors import N_, TooManyTries, WorkNeeded
from idp.messages import spend_counts, spend_rules
from idp.messages.spend_counts import Counted, Row
from idp.messages.spend_rules import NO_LIMIT, NOTICES, PREFIX, Asked, Reserve, Seen, Verdict
from idp.messages.tables import SpendAlarm, SpendCount, SpendEntry

PLAIN_PAUSE = 600  # seconds between two messages to one network whose browsers run no scripts
NOTICE = "notice"  # the purpose of what no code is for
SPENT = N_("Codes cannot be sent to this number now. Sign in another way, try again later, or write to support.")

_entries, _counts = table(SpendEntry), table(SpendCount)
_ENTER = Ready(sa.insert(_entries).execution_options(**{LATER: True}))
_USUAL = Ready(
    sa.select(sa.func.coalesce(sa.func.sum(_counts.c.verified), 0)).where(
        _counts.c.kind == "country",
        _counts.c.subject == sa.bindparam("country"),
        _counts.c.day >= sa.bindparam("since"),
        _counts.c.day < sa.bindparam("until"),
    )
)
# What a process has learned or told today, by database: both hold until the day is over, and only save a statement.
_learned: WeakKeyDictionary[sa.Engine, dict[tuple[str, str], int]] = WeakKeyDictionary()
_told: WeakKeyDictionary[sa.Engine, set[tuple[str, str, str, str]]] = WeakKeyDictionary()


class Ticket(NamedTuple):
    """A message that the rules let through; `admit` takes it."""

    day: str
    asked: Asked
    counted: Counted
    verdict: Verdict


def require_open(phone: str, channel: str, *, network: str, work: str | None = None, is_known: bool = False) -> Ticket:
    """Ask the rules whether a code may go to `phone` (E.164) by `channel` now, for a browser in `network`. Takes no money yet.

    `work`: `solved`, the browser has worked for it; `hard`, for longer; `plain`, it runs no scripts and takes from the budget for those.
    `is_known`: it is a browser that knows the person. Raises WorkNeeded, and TooManyTries when the money is spent, the country closed, or
    this network's turn without scripts has not come.
    """
    spend, day = settings().spend, day_of(clock.now())
    reserve: Reserve = "known" if is_known else "plain" if work == "plain" else ""
    asked = Asked(
        channel=channel,
        country=spend_rules.country_of(phone),
        prefix=phone[:PREFIX],
        network=network_digest(network),
        cost=spend_rules.price(spend, channel, phone),
        reserve=reserve,
    )
    if channel == "email":  # costs nothing, and is what remains when the money is spent
        return Ticket(day, asked, Counted({}, {}), Verdict("admit"))
    counted = spend_counts.read(day, {kind: asked.subject(kind) for kind in spend_rules.KINDS})
    usual = _usual(asked.country, day)
    seen = Seen(spend, asked, counted.used, usual, spend_rules.is_at_home(asked.country, usual))
    verdict = spend_rules.judge(seen, worked=work is not None, hard=work in {"hard", "plain"})
    if verdict.outcome != "admit":
        _refuse(day, asked, verdict, network)
    if reserve == "plain":
        limits.spend("spend_without_scripts", asked.network, limit=1, window_seconds=PLAIN_PAUSE)
    return Ticket(day, asked, counted, verdict)


def admit(ticket: Ticket, *, purpose: str, code_id: str | None = None) -> str:
    """Take the message's money from every budget, and enter it in the ledger. Answers the id under which it goes into the outbox.

    Raises TooManyTries when somebody else has just taken the last of it; then nothing is taken.
    """
    day, asked, _, _ = ticket
    day_shard = country_shard = 0
    if asked.channel != "email":
        rows = _rows_for(ticket)
        if rows is None or not spend_counts.take(day, rows, asked.cost):
            _refuse(day, asked, Verdict("refuse", "day_budget", "day"), "")
            raise spent()  # only recorded, and so never refused: the rows have no limit then
        day_shard, country_shard = rows[0].shard, rows[1].shard
        _sound_alarms(ticket)
    now, message_id = clock.now(), crypto.new_id("out")
    entry = {
        **{"id": message_id, "day": day, "purpose": purpose, "code_id": code_id, "channel": asked.channel, "country": asked.country},
        **{"prefix": asked.prefix, "network": asked.network, "reserve": asked.reserve, "day_shard": day_shard},
        **{"country_shard": country_shard, "parts": 1, "cost": asked.cost, "is_doubtful": False, "created_at": now},
    }
    session.execute(_ENTER, entry)
    return message_id


def admit_notice(phone: str, channel: str, *, parts: int) -> str | None:
    """Take the money of a notice to `phone` from the day's budget for all of them, and enter it in the ledger.

    Answers the id under which it goes into the outbox; None when the budget is spent, which is told once a day.
    """
    spend, now = settings().spend, clock.now()
    day, cost, most = day_of(now), spend_rules.price(spend, channel, phone, parts), units(spend.notice_budget)
    limit = NO_LIMIT if spend.mode == "record" else most
    if cost > limit or not spend_counts.take(day, [Row(NOTICES, "", 0, limit)], cost):
        telemetry.count_limited("spend_notice_budget")
        _tell("spend.exhausted", day, NOTICES, subject="", mark="notice_budget", personal={})
        return None
    message_id = crypto.new_id("out")
    where = {"country": spend_rules.country_of(phone), "prefix": phone[:PREFIX], "network": "", "reserve": "", "day_shard": 0}
    entry = {"id": message_id, "day": day, "purpose": NOTICE, "code_id": None, "channel": channel, **where, "country_shard": 0}
    session.execute(_ENTER, entry | {"parts": parts, "cost": cost, "is_doubtful": False, "created_at": now})
    return message_id


def plain_from(network: str) -> datetime | None:
    """When the next message may go to a browser of this network that runs no scripts; None: now."""
    try:
        limits.require_left("spend_without_scripts", network_digest(network), limit=1, window_seconds=PLAIN_PAUSE)
    except TooManyTries as refusal:
        return refusal.retry_at
    return None


def day_of(at: datetime) -> str:
    """The day of the budgets in which an instant lies: UTC's."""
    return f"{at:%Y-%m-%d}"


def network_digest(network: str) -> str:
    """What stands for a network in the ledger."""
    return crypto.derive("spend network", network).hex()


def spent() -> TooManyTries:
    """The refusal of whoever comes when the money is gone: what to do, and when; not why."""
    now = clock.now()
    tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return TooManyTries(SPENT, retry_after=int((tomorrow - now).total_seconds()) + 1, retry_at=tomorrow)


def _rows_for(ticket: Ticket) -> list[Row] | None:
    """The rows that this message is counted in; None when a budget has none with room."""
    spend, asked = settings().spend, ticket.asked
    rows = []
    for kind in spend_rules.KINDS:
        if kind == "plain" and asked.reserve != "plain":
            continue
        shards = spend_rules.shards(spend, kind, asked)
        most = spend_rules.limit(spend, kind, asked)
        most = NO_LIMIT if spend.mode == "record" or most == NO_LIMIT else most // shards
        shard = ticket.counted.roomy(kind, shards, most, asked.cost)
        if shard is None:
            return None
        rows.append(Row(kind, asked.subject(kind), shard, most))
    return rows


def _usual(country: str, day: str) -> int:
    """How many codes people of this country usually enter in a day; looked up once a day."""
    known = _learned.setdefault(engine(), {})
    if (country, day) not in known:
        spend, today = settings().spend, datetime.fromisoformat(day)
        since = day_of(today - timedelta(days=spend.unverified_days))
        found = session.execute(_USUAL, {"country": country, "since": since, "until": day}).scalar_one()
        if any(of != day for _, of in known):
            known.clear()
        known[country, day] = int(found) // spend.unverified_days
    return known[country, day]


def _refuse(day: str, asked: Asked, verdict: Verdict, network: str) -> None:
    """Write down what a rule says, and raise it, unless the rules are only recorded."""
    telemetry.count_limited(f"spend_{verdict.rule}")
    name = {"work": "spend.work_asked", "hard_work": "spend.work_asked", "refuse": "spend.exhausted"}[verdict.outcome]
    personal = {"ip": network} if verdict.of == "network" and network else {}
    _tell(name, day, verdict.of, subject=asked.subject(verdict.of), mark=verdict.rule, personal=personal)
    if settings().spend.mode == "record":
        return
    if verdict.outcome != "refuse":
        needed = WorkNeeded(detail=f"spend: {verdict.rule}")
        needed.is_hard = verdict.outcome == "hard_work"
        raise needed
    refusal = spent()
    refusal.detail = f"spend: {verdict.rule}"
    raise refusal


def _sound_alarms(ticket: Ticket) -> None:
    """Tell, once a day each, that so much of the day's or the country's budget is used: of what strangers may use of it."""
    spend, asked = settings().spend, ticket.asked
    for kind, subject in (("day", ""), ("country", asked.country)):
        most = spend_rules.limit(spend, kind, asked._replace(reserve=""))
        used = ticket.counted.used[kind].cost if kind in ticket.counted.used else 0
        for percent in spend.alarms:
            if most and (used + asked.cost) * 100 >= most * percent:
                _tell("spend.alarm", ticket.day, kind, subject=subject, mark=str(percent), personal={})


def _tell(name: str, day: str, kind: str, *, subject: str, mark: str, personal: dict[str, str]) -> None:
    """Record an event, the first time today."""
    told = _told.setdefault(engine(), set())
    if (day, kind, subject, mark) in told:
        return
    if insert_or_ignore(SpendAlarm, day=day, kind=kind, subject=subject, mark=mark, told_at=clock.now()):
        details = {"day": day, "budget": kind, "of": subject, "mode": settings().spend.mode}
        details["percent" if name == "spend.alarm" else "rule"] = mark
        events.record(name, outcome="failed" if name == "spend.exhausted" else "ok", details=details, personal=personal)
        return  # not known to be told before the commit
    if any(of != day for of, *_ in told):
        told.clear()
    told.add((day, kind, subject, mark))
