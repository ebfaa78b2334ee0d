"""A forgotten password: e-mail address or number, a code, a new password twice (`product.md` §5.3; OWASP Forgot Password).

Until a code was right, every page is the same whether the login is anybody's: the same work, the same words, the same time (G-7). A code is
sent to the stored address (case 98), only where there is a password to set anew, and it does not outlive that password or that address
(case 90). Nobody is signed in by it, and what else a sign-in asks for it asks for afterwards as well (case 92, ASVS 5.0 §6.4.3).

A number alone does not open an ID that was silent for long, or that somebody doubted (`login/policy`): then it sets no password either.
Every other session ends at once, with known browsers; what apps hold, and the news to the owner, hang off the event (`reactions`).

NOTE: `answer` commits between counting the guess and looking at it; the new password is hashed outside of any unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto
from idp.credentials import email_code, password, password_limits, phone_code, recoveries, trusted_device
from idp.credentials.password import Login, Owner
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, insert_or_ignore
from idp.db.session import session as database
from idp.directory import users
from idp.errors import N_, TooManyTries, WorkNeeded
from idp.login import session, situation
from idp.login.flow_row import Flow
from idp.login.tables import PasswordReset
from idp.web.http import Request
from idp.web.pages import language_of

PURPOSE = "password_reset"
EVENT = "password.reset"
SEAL = "password reset"

CODES_BUSY = N_("No codes are sent to this number now. Try again later, or use your e-mail address.")

_resets = table(PasswordReset)
_FIND = Ready(sa.select(_resets).where(_resets.c.flow_id == sa.bindparam("of_flow")))
_WRITE = Ready(sa.update(_resets).where(_resets.c.flow_id == sa.bindparam("of_flow")))
_DONE = Ready(_WRITE.statement.where(_resets.c.proved_at.is_not(None), _resets.c.done_at.is_(None)))


@dataclass(frozen=True, slots=True)
class Reset:
    """A forgotten password in this sign-in, as far as it has come."""

    login: Login
    owner_id: str | None
    code_id: str
    begun_at: datetime
    proved_at: datetime | None
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class Code:
    """The code under way, by phone or by mail, as a page may show it."""

    digits: int
    expires_at: datetime
    next_send_at: datetime
    has_sendings_left: bool
    tries_left: int
    is_open: bool


def find(row: Flow) -> Reset | None:
    """What has become of a forgotten password in this sign-in."""
    found = database.execute(_FIND, {"of_flow": row.id}).one_or_none()
    if found is None:
        return None
    kind, _, canonical = crypto.unseal(SEAL, found.login).partition(":")
    login = Login(canonical, is_phone=kind == "phone")
    return Reset(login, found.owner_id, found.code_id, found.begun_at, found.proved_at, found.done_at)


def done_for(row: Flow) -> bool:
    """Whether a new password was set in this sign-in: the next page says so."""
    found = database.execute(_FIND, {"of_flow": row.id}).one_or_none()
    return found is not None and found.done_at is not None


def begin(row: Flow, request: Request, login: Login) -> None:
    """Send a code, if this login has a password; the same work and the same answer if not. Raises TooManyTries.

    While the last code for the same login can still be entered, nothing is sent.
    """
    former = find(row)
    if former is not None and former.login == login and former.done_at is None and former.proved_at is None:
        code = code_of(row, former)
        if code is not None and code.is_open:
            return
    language, owner = language_of(request, row.ui_locales), password.find_owner(login)
    has_password = owner is not None and owner.digest is not None
    if login.is_phone:
        code_id = _to_phone(row, request, login, language)
    else:
        to = owner.address if owner is not None and owner.address else login.canonical
        code_id = email_code.begin(to, for_id=row.id, purpose=PURPOSE, language=language, network=request.network, send=has_password).id
    kept: dict[str, Any] = {"login": crypto.seal(SEAL, f"{'phone' if login.is_phone else 'email'}:{login.canonical}"), "code_id": code_id}
    kept |= {"owner_id": owner.id if owner is not None and has_password else None, "begun_at": clock.now()}
    if not insert_or_ignore(PasswordReset, flow_id=row.id, **kept):
        changed(_WRITE, of_flow=row.id, **kept, proved_at=None, done_at=None)


def _to_phone(row: Flow, request: Request, login: Login, language: str) -> str:
    """As at a sign-in, a code goes to whatever number was typed: who owns it learns more than any stranger."""
    try:
        how = {"flow_id": row.id, "purpose": PURPOSE, "language": language, "network": request.network}
        return phone_code.begin(login.canonical, **how).id
    except WorkNeeded as needed:
        raise TooManyTries(CODES_BUSY, retry_after=needed.retry_after, retry_at=needed.retry_at, detail=needed.detail) from needed


def code_of(row: Flow, reset: Reset) -> Code | None:
    """The code of this reset, dead or alive."""
    if reset.login.is_phone:
        sms = phone_code.find(reset.code_id, row.id)
        if sms is None:
            return None
        ways = sms.progress().ways if sms.is_open else ()
        return Code(sms.digits, sms.expires_at, sms.next_send_at, bool(ways), sms.tries_left, sms.is_open)
    mail = email_code.find(reset.code_id, row.id)
    if mail is None:
        return None
    return Code(mail.digits, mail.expires_at, mail.next_send_at, mail.has_sendings_left, mail.tries_left, mail.is_open)


def resend(row: Flow, reset: Reset) -> None:
    """The code once more. Raises NotOpen, Gone, TooManyTries."""
    if not reset.login.is_phone:
        email_code.resend(reset.code_id, row.id)
        return
    sms = phone_code.find(reset.code_id, row.id)
    if sms is not None:
        phone_code.resend(reset.code_id, row.id, next((way.channel for way in sms.progress().ways), sms.sent[-1]))


def owner_of(reset: Reset) -> Owner | None:
    """Whose password may be set anew now that the code was right; None: nobody's, or not by this login any more.

    NOTE: looked up anew: the address or the number may have gone to somebody else since, and a password may have been set.
    """
    owner = password.find_owner(reset.login)
    if owner is None or owner.digest is None or owner.id != reset.owner_id or reset.done_at is not None:
        return None
    if not password.is_unchanged_since(owner.id, reset.begun_at):
        return None
    if reset.login.is_phone:
        user = users.find(owner.id)
        if user is None or user.phone_doubted_at is not None or situation.is_silent(user):
            return None
    return owner


def proved(row: Flow) -> None:
    """The code was right and is used up."""
    changed(_WRITE, of_flow=row.id, proved_at=clock.now())


def finish(row: Flow, request: Request, reset: Reset, owner: Owner, digest: str) -> bool:
    """Set the new password, once; what was open with the old one ends. False when another tab was first.

    NOTE: who read the code that came by mail has shown that the address is read.
    """
    if owner.user_id is not None:
        users.get(owner.user_id, alone=True)
    if owner_of(reset) is None or not changed(_DONE, of_flow=row.id, done_at=clock.now()):
        return False
    personal = {"ip": request.remote_address, "browser": trusted_device.name_of(request.user_agent)}
    personal["login"] = reset.login.canonical
    password.keep(owner.id, digest, user_id=owner.user_id, reason="reset", by_phone=reset.login.is_phone, personal=personal)
    if not reset.login.is_phone:
        password.verified(owner)
    password_limits.forget([reset.login.canonical, owner.id], owner.user_id)
    if owner.user_id is not None:
        users.void_proofs(owner.user_id)
        recoveries.cancel_of_person(owner.user_id, "password_reset")
        trusted_device.forget_all(owner.user_id, "password_reset")
        session.end_all(owner.user_id, "password_reset")
    return True
