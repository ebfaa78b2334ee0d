"""Every recurring job on one page: its name, how often, and what it does.

Any number of workers may run. A row per job says when it is due; whoever moves it on by one conditional UPDATE does the job, in one
`writes()` unit. A run that dies is made up for when the job is due again: every job can be done twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock, events, keyring, limits, outbox, telemetry
from idp.account import email_undo, erasing
from idp.credentials import (
    email_code,
    passkey,
    password_limits,
    phone_code,
    phone_limits,
    phone_sendings,
    recoveries,
    social,
    totp,
    trusted_device,
)
from idp.db.columns import Base, Instant, table
from idp.db.session import SOME, changed, insert_or_ignore, reads, session, writes
from idp.delegation import (
    access_tokens,
    account_choices,
    client_keys,
    codes,
    device_authorizations,
    dynamic_clients,
    fetched,
    requests,
    tokens,
)
from idp.directory import deletion, invitations
from idp.login import flow_row
from idp.login import session as sign_ins
from idp.login.tables import Session
from idp.messages import breaker, inbox, receipts, spend_ledger
from idp.oidc import recovery

MINUTE, HOUR, DAY = 60, 3600, 86400


class ScheduledJob(Base):
    """When a job is due next, for all workers."""

    __tablename__ = "scheduled_jobs"

    name: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(Instant)


class Job(NamedTuple):
    """`every`: seconds from one run to the next. A `run` that answers True has more to do and is due again at once."""

    name: str
    every: float
    run: Callable[[], Any]


def _sweep(sweep: Callable[[datetime], int]) -> Callable[[], bool]:
    """A sweep takes SOME rows at a time and says how many they were: who got as many comes again at once."""
    return lambda: sweep(clock.now()) >= SOME


def measure() -> None:
    """Set the gauges of the metrics."""
    now = clock.now()
    live = sa.select(sa.func.count()).where(Session.ended_at.is_(None), Session.expires_at > now, Session.idle_expires_at > now)
    telemetry.set_gauge("sessions", session.scalar(live) or 0)
    oldest = session.scalar(sa.select(sa.func.min(keyring.SigningKey.active_at)).where(keyring.SigningKey.state == "active"))
    if oldest is not None:
        telemetry.set_gauge("key_age", (now - oldest).total_seconds())
    for name, standing in breaker.standings().items():
        telemetry.set_gauge("gateways", not standing.is_closed, name)


SCHEDULE = (
    # What keeps up with what happens
    Job("event_chain", 1, lambda: events.link() == events.BATCH),
    Job("metrics", 15, measure),
    # Keys: made, published, activated, retired
    Job("signing_keys", 10 * MINUTE, keyring.look),
    # Lost phones whose waiting time is over
    Job("recoveries_due", 5, recovery.complete_next),
    # What has had its time
    Job("outbox", MINUTE, _sweep(outbox.sweep)),
    Job("limits", 10 * MINUTE, _sweep(limits.sweep)),
    Job("inbox", HOUR, _sweep(inbox.sweep)),
    Job("message_receipts", 10 * MINUTE, _sweep(receipts.sweep)),
    Job("spend_settled", MINUTE, lambda: spend_ledger.settle(clock.now()) >= spend_ledger.AT_ONCE),
    Job("spend_ledger", HOUR, _sweep(spend_ledger.sweep)),
    Job("parked_requests", HOUR, _sweep(requests.sweep)),
    Job("authorization_codes", HOUR, _sweep(codes.sweep)),
    Job("device_authorizations", HOUR, _sweep(device_authorizations.sweep)),
    Job("constant_parameters", HOUR, lambda: codes.notice_constants(clock.now())),
    Job("opaque_tokens", 10 * MINUTE, _sweep(access_tokens.sweep_opaque)),
    Job("revoked_tokens", HOUR, _sweep(access_tokens.sweep_revoked)),
    Job("account_choices", DAY, _sweep(account_choices.sweep)),
    Job("used_assertions", 10 * MINUTE, _sweep(client_keys.sweep)),
    Job("fetched_documents", DAY, _sweep(fetched.sweep)),
    Job("unused_clients", HOUR, lambda: dynamic_clients.expire(clock.now()) >= dynamic_clients.AT_ONCE),
    Job("token_families", DAY, _sweep(tokens.sweep)),
    Job("sign_ins", HOUR, _sweep(flow_row.sweep)),
    Job("sessions", DAY, _sweep(sign_ins.sweep)),
    Job("phone_codes", HOUR, _sweep(phone_code.sweep)),
    Job("phone_code_sendings", HOUR, _sweep(phone_sendings.sweep)),
    Job("email_codes", HOUR, _sweep(email_code.sweep)),
    Job("email_undos", DAY, _sweep(email_undo.sweep)),
    Job("recoveries", DAY, _sweep(recoveries.sweep)),
    Job("phone_guesses", DAY, _sweep(phone_limits.sweep)),
    Job("authenticators", HOUR, _sweep(totp.sweep)),
    Job("passkey_challenges", HOUR, _sweep(passkey.sweep)),
    Job("password_guesses", DAY, _sweep(password_limits.sweep)),
    Job("deletions_to_come", HOUR, deletion.remind),
    Job("deleted_ids", 10 * MINUTE, erasing.erase_due),
    Job("invitations", HOUR, invitations.expire_due),
    Job("social_requests", HOUR, _sweep(social.sweep)),
    Job("trusted_devices", DAY, _sweep(trusted_device.sweep)),
)

_rows = table(ScheduledJob)


def due() -> list[Job]:
    """The jobs that are due now; takes no lock. Outside of any unit."""
    with reads():
        known = {row.name: row.due_at for row in session.execute(sa.select(_rows))}
    now = clock.now()
    return [job for job in SCHEDULE if job.name not in known or known[job.name] <= now]


def run(job: Job) -> bool:
    """Do `job`, unless another worker has just taken it; answers whether it was ours. Outside of any unit."""
    with writes():
        if not _take(job):
            return False
    with writes():
        if job.run() is True:
            session.execute(sa.update(_rows).where(_rows.c.name == job.name).values(due_at=clock.now()))
    return True


def _take(job: Job) -> bool:
    now = clock.now()
    following = now + timedelta(seconds=job.every)
    if insert_or_ignore(ScheduledJob, name=job.name, due_at=following):
        return True
    return changed(sa.update(_rows).where(_rows.c.name == job.name, _rows.c.due_at <= now).values(due_at=following)) == 1
