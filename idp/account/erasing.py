"""What of an ID is in which room, and the end of all of it once its time is over (`directory/deletion` says when).

ERASED names every table that has rows of one person; a test holds that no table of a person is missing here or in STAYS. One transaction
does it: a worker that dies in the middle has done nothing, and another one does it whole.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa

from idp import clock, events
from idp.account.tables import EmailUndo
from idp.config import settings
from idp.credentials import trusted_device
from idp.credentials.tables import (
    Authenticator,
    Browser,
    Device,
    Identity,
    Passkey,
    PasskeyOwner,
    Password,
    Recovery,
    RecoveryCodeSet,
    RecoveryVouch,
)
from idp.db.columns import Base, table
from idp.db.session import changed, session
from idp.delegation.tables import AccountChoice, Code, Consent, DeviceAuthorization, OpaqueToken, TokenFamily
from idp.directory import deletion, users
from idp.directory.tables import Account, Picture, User
from idp.languages import negotiate
from idp.login import session as sessions
from idp.login.tables import PasswordReset, Session
from idp.messages import gateways, spend, wording
from idp.messages.channels import is_carried, send
from idp.oidc.logout import backchannel

WORDS = "id_deleted"
LAST_WORD = timedelta(days=1)  # later the outbox forgets number and address as well


class Erased(NamedTuple):
    """Rows of one person in a table, and how to find them."""

    model: type[Base]
    theirs: Callable[[str], sa.ColumnElement[bool]]


def _by_user(model: type[Base]) -> Erased:
    return Erased(model, lambda user_id: table(model).c.user_id == user_id)


def _of_families(user_id: str) -> sa.ColumnElement[bool]:
    families = table(TokenFamily)
    return table(OpaqueToken).c.family_id.in_(sa.select(families.c.id).where(families.c.user_id == user_id))


def _by_owner(model: type[Base]) -> Erased:
    """A password is the person's, or one of their accounts'."""
    owner, accounts = table(model).c.owner_id, table(Account)
    return Erased(model, lambda user_id: (owner == user_id) | owner.in_(sa.select(accounts.c.id).where(accounts.c.user_id == user_id)))


# In this order; what points at another table stands before it. To add one: a line, or a line in STAYS with the reason.
ERASED: tuple[Erased, ...] = (
    # What lets in
    _by_user(Device),
    _by_user(Session),
    _by_owner(Password),
    _by_owner(PasswordReset),
    _by_user(Passkey),
    _by_user(PasskeyOwner),
    _by_user(Authenticator),
    _by_user(RecoveryCodeSet),  # and with it its codes
    _by_user(Identity),
    _by_user(EmailUndo),
    _by_user(RecoveryVouch),  # a word for a colleague; whose it was for, goes with the request
    _by_user(Recovery),
    # What they look like
    _by_user(Picture),
    # What apps were given
    Erased(OpaqueToken, _of_families),
    _by_user(Code),
    Erased(DeviceAuthorization, lambda user_id: table(DeviceAuthorization).c.issued["user_id"].as_string() == user_id),
    _by_user(TokenFamily),
    _by_user(AccountChoice),
    _by_user(Consent),
)

STAYS: dict[str, str] = {
    "users": "the id alone, so that nobody gets it again; all else is emptied (`deletion.blank`)",
    "accounts": "closed, without e-mail and password: companies' history points at it",
    "employees": "the company's own record of who worked there",
    "events": "blanked: what happened stays, who it was does not (`events.blank`)",
    "families": "ended; names nobody",
    "family_members": "ended; names nobody",
    "invitations": "the record of who invited; what is still open runs out",
    "connections": "the company's",
    "parked_requests": "gone within a day, and holds no more than ids",
    "login_flows": "gone within days, and holds no more than ids",
    "passkey_challenges": "gone within the hour",
    "social_requests": "gone within the hour",
    "phone_code_sendings": "gone within days, and holds no more than ids",
}


def erase_due() -> bool:
    """Erase one ID whose time is over; answers whether there was one, so that the schedule comes again. In a writing unit."""
    user_id = deletion.due()
    if user_id is not None:
        erase(user_id)
    return user_id is not None


def erase(user_id: str) -> bool:
    """Take an ID that is due out of everything; False when it is not due any more: taken back, or its owner has come to own a company.

    NOTE: whoever signs in in this very moment holds the person (the order: `db/session`). Either that is before us, and what it began is
    erased; or it waits for us, and finds nobody with this number.
    """
    person = users.get(user_id, alone=True)
    if deletion.lost(user_id).owned:
        deletion.cancel(user_id, reason="owns_company")
        return False
    trusted_device.hold_all(user_id)
    sessions.hold_all(user_id)
    if not deletion.begin(user_id):
        return False
    browsers = _browsers_of(user_id)
    backchannel.tell_of_person(user_id, cause=user_id)  # while it is known where they are signed in
    for each in ERASED:
        changed(sa.delete(each.model).where(each.theirs(user_id)))
    _forget_places(browsers)
    deletion.leave_everything(user_id)
    _say_goodbye(person)
    events.blank(user_id)
    events.record(deletion.DELETED, user_id=user_id)
    deletion.blank(user_id)
    return True


def _browsers_of(user_id: str) -> list[str]:
    devices, live = table(Device), table(Session)
    trusted = sa.select(devices.c.browser_id).where(devices.c.user_id == user_id)
    used = sa.select(live.c.browser_id).where(live.c.user_id == user_id, live.c.browser_id.is_not(None))
    return list(session.scalars(trusted.union(used)))


def _forget_places(browser_ids: list[str]) -> None:
    """Names and addresses of browsers that tell of nobody else; who trusts one in this very moment loses nothing by it."""
    browsers, devices, live = table(Browser), table(Device), table(Session)
    alone = [~sa.exists().where(each.c.browser_id == browsers.c.id) for each in (devices, live)]
    theirs = sa.update(browsers).where(browsers.c.id.in_(browser_ids), *alone)
    changed(theirs.values(name="", first_ip="", last_ip="", language=None))


def _say_goodbye(person: User) -> None:
    """The last message, by every way that led to the person; from the outbox, since the row that knows them is emptied next."""
    language = negotiate([person.locale or ""]) or settings().languages.default
    reach = {"sms": person.phone, "email": person.email if person.email_verified_at else None}
    for kind, to in reach.items():
        if not to or not is_carried(kind) or person.phone in settings().login.test_numbers:
            continue
        paid = None
        if kind == "sms":
            parts = gateways.parts_of(wording.compose(WORDS, kind, language).text)
            paid = spend.admit_notice(to, kind, parts=parts)
            if paid is None:
                continue
        until = clock.now() + LAST_WORD
        send(kind, to, WORDS, language, key=f"{person.id}:{WORDS}:{kind}", expires_at=until, message_id=paid)
