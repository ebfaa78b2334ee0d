"""The signed-in browser: one row per session, found by the digest of a secret that only the browser holds (ASVS 5.0 §7.2).

A session is over when it was ended, was idle for 12 hours or is 30 days old (an administrator's: 30 minutes, 8 hours), or when its person
is blocked; each is looked up, nothing is remembered. Whatever hangs off a session (codes, token families) asks for its `ended_at` itself,
so ending one needs no calls.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

import sqlalchemy as sa

from idp import clock, crypto, events, outbox
from idp.config import settings
from idp.credentials import trusted_device
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.directory import sign_in_rules
from idp.directory.tables import User
from idp.errors import N_, Forbidden
from idp.login.policy import REMEMBERED, Proved
from idp.login.tables import Session

TOUCH = timedelta(seconds=60)  # last_seen_at is that exact, and no request writes more often
KEPT = timedelta(days=180)  # longer than any refresh token that was given in it
SECRET_LENGTH = 43
LATELY = 20  # sign-ins that a new one is compared with

ENDED = "session.ended"
"""The event of every end but two: a session that ran out unseen, and that of an ID that was erased."""

BLOCKED_TITLE = N_("This ID is blocked")
BLOCKED = N_("You cannot sign in with it. Write to support to learn why.")

_sessions, _users = table(Session), table(User)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A live session as a request sees it; `id` is the OIDC `sid`, `acr` the short name of its level."""

    id: str
    user_id: str
    auth_time: datetime
    amr: tuple[str, ...]
    acr: str
    confirmed_at: datetime
    name: str
    phone: str | None
    browser_id: str | None
    last_seen_at: datetime
    expires_at: datetime
    idle_lifetime: int | None = None
    rights_raised_at: datetime | None = None
    browser_lifetime: int | None = None
    password_at: datetime | None = None
    account_id: str | None = None

    is_administrator: ClassVar[bool] = False  # their sessions are shorter than their browsers' trust: nothing is left to be shortened

    @property
    def vouched_at(self) -> datetime:
        """When the person last pressed their name, if that is all there is."""
        return self.confirmed_at


# What the companies say of known browsers is only looked up where a known browser's word is all there is.
_BROWSER_LIFETIME = sa.case((_sessions.c.acr == REMEMBERED, sign_in_rules.browser_lifetime_of(_sessions.c.user_id))).label(
    "browser_lifetime"
)
_FIND = Ready(
    sa.select(_sessions, _users.c.name, _users.c.phone, _users.c.rights_raised_at, _BROWSER_LIFETIME)
    .join(_users, _users.c.id == _sessions.c.user_id)
    .where(
        _sessions.c.secret_digest == sa.bindparam("digest"),
        _sessions.c.ended_at.is_(None),
        _sessions.c.expires_at > sa.bindparam("now", type_=_sessions.c.expires_at.type),
        _sessions.c.idle_expires_at > sa.bindparam("now", type_=_sessions.c.expires_at.type),
        _users.c.status == "active",
    )
)


_ADDRESSES = Ready(
    sa.select(_sessions.c.ip)
    .where(_sessions.c.user_id == sa.bindparam("of_user"))
    .order_by(_sessions.c.last_seen_at.desc())
    .limit(sa.literal_column(str(LATELY)))
)
_NOW = sa.bindparam("now", type_=_sessions.c.expires_at.type)
_SEEN = Ready(
    sa.update(_sessions)
    .where(
        _sessions.c.id == sa.bindparam("session_id"),
        _sessions.c.ended_at.is_(None),
        _sessions.c.expires_at > _NOW,
        _sessions.c.idle_expires_at > _NOW,
        _sessions.c.last_seen_at <= sa.bindparam("before", type_=_sessions.c.last_seen_at.type),
    )
    .values(last_seen_at=_NOW)
)


def find(secret: str) -> SignedIn | None:
    """The live session of the browser that holds `secret` in its cookie; one statement."""
    if len(secret) != SECRET_LENGTH:
        return None
    row = session.execute(_FIND, {"digest": crypto.digest(secret), "now": clock.now()}).one_or_none()
    if row is None:
        return None
    return SignedIn(
        id=row.id,
        user_id=row.user_id,
        auth_time=row.auth_time,
        amr=tuple(row.amr),
        acr=row.acr,
        confirmed_at=row.confirmed_at,
        name=row.name or "",
        phone=row.phone,
        browser_id=row.browser_id,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
        idle_lifetime=row.idle_lifetime,
        rights_raised_at=row.rights_raised_at,
        browser_lifetime=row.browser_lifetime,
        password_at=row.password_at,
        account_id=row.account_id,
    )


def touch(signed_in: SignedIn) -> bool:
    """The session was used: it is idle from now on, at most once a minute, and never past `expires_at` (case 83). In a writing unit."""
    now = clock.now()
    if signed_in.last_seen_at > now - TOUCH:
        return False
    until = _idle(now, signed_in.expires_at, signed_in.idle_lifetime)
    return changed(_SEEN, session_id=signed_in.id, now=now, before=now - TOUCH, idle_expires_at=until) > 0


def start(
    user_id: str,
    proved: Proved,
    *,
    former: SignedIn | None = None,
    browser_id: str | None = None,
    is_administrator: bool = False,
    password_at: datetime | None = None,
    account_id: str | None = None,
    ip: str = "",
    user_agent: str = "",
) -> tuple[SignedIn, str] | None:
    """Sign the person in; answers the session and the secret for the browser's cookie.

    `former` is the live session of this browser. The same person keeps it (and its `sid`) under a new secret, the old one is dead (ASVS
    7.2.4). Somebody else ends it. A remembered browser adds nothing to a session that holds a real proof: only `confirmed_at` moves.
    None: nothing was proved, and `former` has ended in this very moment. It vouches for nobody, and no other session may begin of it.
    """
    now, secret = clock.now(), crypto.new_secret()
    if former is not None and former.user_id != user_id:
        end(former.id, "another_person")
        former = None
    values = {"secret_digest": crypto.digest(secret), "confirmed_at": now, "last_seen_at": now, "ip": ip, "browser_id": browser_id}
    values |= {"browser_name": trusted_device.name_of(user_agent), "password_at": password_at, "account_id": account_id}
    idle, lifetime = _lifetimes(is_administrator)
    values["idle_lifetime"] = idle
    until = now + timedelta(seconds=lifetime)
    if former is not None:
        if proved.proof == REMEMBERED:
            proved = replace(proved, acr=former.acr, amr=former.amr, auth_time=former.auth_time)
            until = min(until, former.expires_at)
        values |= {"amr": list(proved.amr), "acr": proved.acr, "auth_time": proved.auth_time, "expires_at": until}
        live = _sessions.c.ended_at.is_(None) & (_sessions.c.expires_at > now)
        kept = sa.update(_sessions).where(_sessions.c.id == former.id, live).values(**values, idle_expires_at=_idle(now, until, idle))
        if changed(kept):
            return _present(secret)
        if proved.proof == REMEMBERED:
            return None
    proof = {"amr": list(proved.amr), "acr": proved.acr, "auth_time": proved.auth_time, "expires_at": until}
    values |= proof | {"id": crypto.new_id("ses"), "user_id": user_id, "created_at": now, "idle_expires_at": _idle(now, until, idle)}
    insert_or_ignore(Session, **values)
    return _present(secret)


def renew(live: SignedIn, *, browser_id: str | None) -> tuple[SignedIn, str] | None:
    """The same proof under another `sid` and secret, for who stays while all else ends; `live` itself is ended by the caller (`end_all`).

    Whatever began in the former one (a copied cookie, a code on its way) ends with it. Nothing is proved anew: `auth_time` and the moment
    at which it is over are copied. None: it has ended in this very moment.
    """
    now, secret = clock.now(), crypto.new_secret()
    still = (_sessions.c.id == live.id, _sessions.c.ended_at.is_(None), _sessions.c.expires_at > now, _sessions.c.idle_expires_at > now)
    row = session.execute(sa.select(_sessions).where(*still).with_for_update()).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping) | {"id": crypto.new_id("ses"), "secret_digest": crypto.digest(secret), "browser_id": browser_id}
    values |= {"created_at": now, "last_seen_at": now, "idle_expires_at": _idle(now, row.expires_at, row.idle_lifetime)}
    insert_or_ignore(Session, **values)
    return _present(secret)


def is_live(session_id: str) -> bool:
    """Whether it goes on, under whatever secret."""
    now = clock.now()
    live = (_sessions.c.ended_at.is_(None), _sessions.c.expires_at > now, _sessions.c.idle_expires_at > now)
    return session.execute(sa.select(_sessions.c.id).where(_sessions.c.id == session_id, *live)).first() is not None


def password_at(session_id: str) -> datetime | None:
    """When a password or a passkey was last given in the browser of this session."""
    return session.scalar(sa.select(_sessions.c.password_at).where(_sessions.c.id == session_id))


def hold_all(user_id: str) -> None:
    """Until the commit nobody else uses or ends a session of this person (the order: `db/session`)."""
    theirs = sa.select(_sessions.c.id).where(_sessions.c.user_id == user_id, _sessions.c.ended_at.is_(None))
    session.execute(theirs.order_by(_sessions.c.id).with_for_update())


def end(session_id: str, reason: str, *, actor_id: str | None = None) -> bool:
    """End one session; answers whether it was live until now."""
    return _end(_sessions.c.id == session_id, reason, actor_id) > 0


def end_all(
    user_id: str, reason: str, *, except_id: str | None = None, actor_id: str | None = None, proved_before: datetime | None = None
) -> int:
    """End every session of a person, but for one, or only those whose proof is older than an instant; answers how many."""
    older = _sessions.c.auth_time < proved_before if proved_before is not None else sa.true()
    return _end((_sessions.c.user_id == user_id) & (_sessions.c.id != (except_id or "")) & older, reason, actor_id)


def end_of_browser(browser_id: str, reason: str, *, user_id: str | None = None) -> int:
    """End the sessions that were begun in a known browser, of one person or of all; answers how many."""
    whose = _sessions.c.user_id == user_id if user_id else sa.true()
    return _end((_sessions.c.browser_id == browser_id) & whose, reason, None)


def of_person(user_id: str) -> list[Session]:
    """The person's live sessions, the last used first; none while they are blocked, though the rows wait for them."""
    now = clock.now()
    live = (Session.ended_at.is_(None), Session.expires_at > now, Session.idle_expires_at > now)
    theirs = sa.select(Session).where(Session.user_id == user_id, *live).order_by(Session.last_seen_at.desc(), Session.id)
    active = sa.exists().where(_users.c.id == user_id, _users.c.status == "active")
    return list(session.scalars(theirs.where(active), execution_options={"populate_existing": True}))


def addresses_of(user_id: str) -> set[str]:
    """From where the person signed in lately."""
    return {row.ip for row in session.execute(_ADDRESSES, {"of_user": user_id})}


def with_id(session_id: str, user_id: str) -> Session | None:
    """This person's session, live or over."""
    wanted = sa.select(Session).where(Session.id == session_id, Session.user_id == user_id)
    return session.scalar(wanted, execution_options={"populate_existing": True})


def ended_for(browser_id: str, user_id: str, reason: str) -> list[str]:
    """The ids of a person's sessions in a known browser that ended for `reason`."""
    wanted = sa.select(_sessions.c.id).where(
        _sessions.c.browser_id == browser_id, _sessions.c.user_id == user_id, _sessions.c.ended_reason == reason
    )
    return list(session.scalars(wanted))


def sweep(now: datetime) -> int:
    """Delete sessions that have been over for half a year. What runs out unseen is no event: nobody did it."""
    return delete_some(Session, _sessions.c.expires_at < now - KEPT)


def _end(which: sa.ColumnElement[bool], reason: str, actor_id: str | None) -> int:
    now = clock.now()
    over = sa.update(_sessions).where(which, _sessions.c.ended_at.is_(None)).values(ended_at=now, ended_reason=reason)
    rows = session.execute(over.returning(_sessions.c.id, _sessions.c.user_id, _sessions.c.expires_at, _sessions.c.idle_expires_at)).all()
    for row in rows:
        lived = row.expires_at > now and row.idle_expires_at > now
        details = {"reason": reason, "expired": not lived}
        events.record(ENDED, user_id=row.user_id, actor_id=actor_id, session_id=row.id, details=details)
    if rows:
        outbox.wake()
    return len(rows)


def _lifetimes(is_administrator: bool) -> tuple[int, int]:
    """Seconds without use, and in all."""
    login = settings().login
    idle, lifetime = login.session_idle, login.session_lifetime
    if not is_administrator:
        return idle, lifetime
    return min(idle, login.session_idle_administrators), min(lifetime, login.session_lifetime_administrators)


def _idle(now: datetime, until: datetime, seconds: int | None) -> datetime:
    return min(now + timedelta(seconds=settings().login.session_idle if seconds is None else seconds), until)


def _present(secret: str) -> tuple[SignedIn, str]:
    found = find(secret)
    if found is None:  # blocked in this very moment: the row is there, and nobody will ever find it
        raise Forbidden(BLOCKED, title=BLOCKED_TITLE)
    return found, secret
