"""Whose a phone number is: changed, doubted, believed again, given up to whoever holds it now (`product.md` §6.4).

Operators sell a number again some months after its line was cut. What hangs on a number hangs on the ID and stays with it: sessions, known
browsers, companies. Offers that were sent to the number are not opened by its next holder: they have run out, until who made them sends
them again.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from idp import clock, events
from idp.db.columns import table
from idp.db.session import changed, session
from idp.directory import users
from idp.directory.names import require_phone
from idp.directory.tables import Invitation, User
from idp.errors import N_, Conflict

_users, _invitations = table(User), table(Invitation)
_THEIRS = sa.update(_users).where(_users.c.id == sa.bindparam("user_id"), _users.c.phone == sa.bindparam("of_phone"))
_DOUBT = _THEIRS.where(_users.c.phone_doubted_at.is_(None))
_DOUBTED = _THEIRS.where(_users.c.phone_doubted_at.is_not(None))
_OFFERS = sa.update(_invitations).where(_invitations.c.contact == sa.bindparam("of_phone"), _invitations.c.status == "pending")

TAKEN = N_("This number belongs to another ID.")
GIVEN_UP = "user.phone_given_up"
CHANGED = "user.phone_changed"


def heard_of(user: User) -> datetime:
    """When the ID was last in use, or its number last shown to be the person's."""
    return max(at for at in (user.created_at, user.last_sign_in_at, user.phone_verified_at) if at is not None)


def doubt(user_id: str, phone: str) -> bool:
    """Somebody holds the number (E.164) who has not shown that the ID is theirs: from now on a code alone does not open it, silent or not.

    Else they would come again, once its owner had pressed their name somewhere. Answers whether it was not doubted until now.
    """
    return changed(_DOUBT, user_id=user_id, of_phone=phone, phone_doubted_at=clock.now()) > 0


def believe(user_id: str, phone: str) -> bool:
    """Number and ID belong together: who proved the one has shown the other. Answers whether it was doubted until now."""
    if not changed(_DOUBTED, user_id=user_id, of_phone=phone, phone_doubted_at=None, phone_verified_at=clock.now()):
        return False
    events.record("user.phone_believed", user_id=user_id, personal={"phone": phone})
    return True


def give_up(user_id: str, phone: str) -> bool:
    """The doubted ID has this number no more: a fresh ID begins with it. All else stays with the former one.

    False when it did not have it (another tab was first), or is not doubted any more: then nothing has changed.
    """
    now = clock.now()
    if not changed(_DOUBTED, user_id=user_id, of_phone=phone, phone=None, phone_verified_at=None, phone_doubted_at=None, updated_at=now):
        return False
    offers = _leave(phone)
    events.record(GIVEN_UP, user_id=user_id, details={"invitations": offers}, personal={"phone": phone})
    return True


def change(user_id: str, phone: str, *, actor_id: str | None = None) -> bool:
    """Make `phone` (E.164, shown to be the person's) their number, or believe the one they have; answers whether it is another one.

    What ends with a changed number is the caller's (`oidc/change_phone`). Raises BadInput, Conflict when it is another ID's, NotFound.
    """
    phone, now, user = require_phone(phone), clock.now(), users.get(user_id, alone=True)
    users.require_alive(user)
    former = user.phone
    other = users.find_by_phone(phone)
    if other is not None and other.id != user_id:
        raise Conflict(TAKEN)
    values = {"phone": phone, "phone_verified_at": now, "phone_doubted_at": None, "updated_at": now}
    try:
        with session.begin_nested():
            offers = _leave(former) if former and former != phone else 0  # before the number: see `db/session`
            changed(sa.update(_users).where(_users.c.id == user_id).values(**values))
    except IntegrityError as e:  # somebody registered with it in the same moment
        raise Conflict(TAKEN) from e
    if former == phone:
        events.record("user.phone_believed", user_id=user_id, actor_id=actor_id, personal={"phone": phone})
        return False
    personal = {"phone": phone} | ({"former_phone": former} if former else {})
    events.record(CHANGED, user_id=user_id, actor_id=actor_id, details={"invitations": offers}, personal=personal)
    return True


def _leave(phone: str) -> int:
    """What was offered to whoever had the number runs out: the next holder did not get it, and `resend` renews it."""
    return changed(_OFFERS, of_phone=phone, status="expired")
