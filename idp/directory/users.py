"""One person's ID: found by phone or e-mail, registered once, described, blocked; and what of it a relying party is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from idp import clock, crypto, events
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, insert_or_ignore, session
from idp.directory.names import canonical_email, clean_name, kept_email, require_link, require_phone
from idp.directory.tables import Account, User
from idp.errors import N_, BadInput, Conflict, NotFound

PROFILE = (
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
)
ADDRESS = {
    "formatted": "address_formatted",
    "street_address": "street_address",
    "locality": "locality",
    "region": "region",
    "postal_code": "postal_code",
    "country": "country",
}
_LINKS = {"profile", "picture", "website"}
_BIRTHDATE = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?")
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_ROW = sa.select(table(User))
_WANTED = {column: _ROW.where(table(User).c[column] == sa.bindparam("wanted")) for column in ("id", "phone", "email_canonical")}
_BY_ID, _BY_PHONE, _BY_EMAIL = (Ready(wanted) for wanted in _WANTED.values())
# Against each other, not against those who only name the person by a foreign key.
_BY_ID_ALONE, _BY_PHONE_ALONE = (Ready(_WANTED[column].with_for_update(key_share=True)) for column in ("id", "phone"))
_SIGNED_IN = Ready(sa.update(table(User)).where(table(User).c.id == sa.bindparam("user_id")))

NOBODY = N_("There is no such person here.")
BLOCKED = "user.blocked"
EMAIL_CONFIRMED, EMAIL_CHANGED, EMAIL_REMOVED = "user.email_confirmed", "user.email_changed", "user.email_removed"
EMAIL_UNDONE = "user.email_undone"
EMAIL_TAKEN = N_("This e-mail address belongs to another ID.")


def _one(statement: Ready, wanted: str) -> User | None:
    # A row that has a user's columns; nobody writes through it.
    return cast("User | None", session.execute(statement, {"wanted": wanted}).one_or_none())


def find(user_id: str) -> User | None:
    """The user with this id, blocked ones too."""
    return _one(_BY_ID, user_id)


def get(user_id: str, *, alone: bool = False) -> User:
    """The user with this id; raises NotFound. `alone`: until the commit nobody else signs them in or out (the order: `db/session`)."""
    user = _one(_BY_ID_ALONE if alone else _BY_ID, user_id)
    if user is None:
        raise NotFound(NOBODY, detail=f"no user {user_id}")
    return user


def find_by_phone(phone: str, *, alone: bool = False) -> User | None:
    """The user who signs in with this number (E.164), blocked ones too; `alone` as in `get`."""
    return _one(_BY_PHONE_ALONE if alone else _BY_PHONE, phone)


def find_by_email(email: str) -> User | None:
    """The user who proved that this address is theirs; however it is spelled. None also for what is no address."""
    try:
        return _one(_BY_EMAIL, canonical_email(email))
    except BadInput:
        return None


def register(phone: str, name: str, locale: str, terms_version: str, is_test: bool = False) -> User:
    """The one user with this number (E.164, proved a moment ago), made with a personal account unless there is one already.

    Two first sign-ins in parallel give one user: both insert, the number decides (case 71). Who comes second changes nothing. It is read
    `alone`, as in `get`.
    Raises BadInput for a number or a name that cannot be kept.
    """
    now = clock.now()
    user_id = crypto.new_id("usr")
    values = {
        "id": user_id,
        "phone": require_phone(phone),
        "phone_verified_at": now,
        "name": clean_name(name),
        "locale": _checked("locale", locale),
        "terms_version": terms_version,
        "terms_accepted_at": now,
        "is_test": is_test,
        "created_at": now,
        "updated_at": now,
    }
    if insert_or_ignore(User, **values):
        insert_or_ignore(Account, id=crypto.new_id("acc"), kind="personal", user_id=user_id, created_at=now, linked_at=now)
        events.record("user.registered", user_id=user_id, details={"is_test": is_test, "terms": terms_version}, personal={"phone": phone})
    user = find_by_phone(phone, alone=True)
    if user is None:
        raise RuntimeError("a user was neither inserted nor found: the table lost its unique phone")
    return user


def require_alive(user: User) -> None:
    """Raises NotFound for an ID that was deleted: nothing is given to it any more."""
    if user.deleted_at is not None:
        raise NotFound(NOBODY, detail=f"{user.id} was deleted")


def void_proofs(user_id: str) -> None:
    """What was proved of the person in sign-ins that are under way counts no more."""
    changed(_SIGNED_IN, user_id=user_id, proofs_since=clock.now())


def note_sign_in(user_id: str) -> None:
    """Remember that the person has just signed in. The sign-in itself is the event of who calls."""
    changed(_SIGNED_IN, user_id=user_id, last_sign_in_at=clock.now())


def block(user_id: str, reason: str, *, actor_id: str | None = None) -> bool:
    """Keep the person out of everything, from the next request on; answers whether they were not until now. Raises NotFound."""
    values = {"status": "blocked", "blocked_at": clock.now(), "blocked_reason": clean_name(reason, longest=500)}
    return _move(user_id, "active", values, BLOCKED, actor_id)


def unblock(user_id: str, *, actor_id: str | None = None) -> bool:
    """Let the person in again; answers whether they were blocked until now. Raises NotFound."""
    return _move(user_id, "blocked", {"status": "active", "blocked_at": None, "blocked_reason": None}, "user.unblocked", actor_id)


def mark_test(user_id: str, *, is_test: bool = True, actor_id: str | None = None) -> bool:
    """Let the person sign in with a listed test number in production too, or no longer; answers whether that is new. Raises NotFound."""
    if changed(sa.update(User).where(User.id == user_id, User.is_test != is_test).values(is_test=is_test)):
        events.record("user.test_mark_changed", user_id=user_id, actor_id=actor_id, details={"is_test": is_test})
        return True
    get(user_id)
    return False


def _move(user_id: str, from_status: str, values: dict[str, Any], event: str, actor_id: str | None) -> bool:
    if changed(sa.update(User).where(User.id == user_id, User.status == from_status, User.deleted_at.is_(None)).values(**values)):
        events.record(event, user_id=user_id, actor_id=actor_id)
        return True
    get(user_id)
    return False


def change_profile(user_id: str, claims: Mapping[str, Any], *, actor_id: str | None = None) -> None:
    """Set the given claims of OpenID Connect Core §5.1 (`address` as an object with the members of §5.1.1); None or "" empties one.

    Only these can be set this way: a name outside the list raises BadInput, so no form can slip in a phone or a status (case 122).
    """
    values: dict[str, Any] = {}
    for claim, value in claims.items():
        if claim == "address" and isinstance(value, Mapping):
            for member, text in value.items():
                values[_column_of(member, ADDRESS)] = clean_name(text, longest=300) if text else None
        else:
            values[_column_of(claim, {name: name for name in PROFILE})] = _checked(claim, value) if value else None
    if not values:
        return
    if not changed(sa.update(User).where(User.id == user_id).values(updated_at=clock.now(), **values)):
        raise NotFound(NOBODY, detail=f"no user {user_id}")
    events.record("user.profile_changed", user_id=user_id, actor_id=actor_id, details={"claims": sorted(claims)})


def _column_of(claim: str, columns: Mapping[str, str]) -> str:
    if claim not in columns:
        raise BadInput(N_("Some of what was sent cannot be changed here."), detail=f"not a claim of the profile: {claim!r}")
    return columns[claim]


def _checked(claim: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadInput(detail=f"{claim} must be a text")
    if claim in _LINKS:
        return require_link(value)
    text = clean_name(value)
    if (
        (claim == "birthdate" and not _BIRTHDATE.fullmatch(text))
        or (claim == "locale" and not _LOCALE.fullmatch(text))
        or (claim == "zoneinfo" and not _is_zone(text))
    ):
        raise BadInput(detail=f"{claim} is not in the form of OpenID Connect Core §5.1")
    return text


def zone_of(user: User) -> str | None:
    """The zone in which times are written for the person; None: they named none, or this machine does not know it any more."""
    return user.zoneinfo if user.zoneinfo and _is_zone(user.zoneinfo) else None


def _is_zone(text: str) -> bool:
    try:
        ZoneInfo(text)
    except (LookupError, ValueError, OSError):  # no such zone; a path that leads elsewhere; a folder
        return False
    return True


def confirm_email(user_id: str, email: str, *, actor_id: str | None = None) -> str | None:
    """Make `email` the person's, who has just proved that it is; answers the one that they had, if it was another one.

    Raises Conflict when it is another ID's, NotFound, BadInput.
    """
    former = _set_email(user_id, email)
    if former is None:
        events.record(EMAIL_CONFIRMED, user_id=user_id, actor_id=actor_id, personal={"email": email})
    else:
        events.record(EMAIL_CHANGED, user_id=user_id, actor_id=actor_id, personal={"email": email, "former_email": former})
    return former


def restore_email(user_id: str, email: str) -> bool:
    """The change of the address was undone by whoever reads the former one, which is `email`; False when it is another ID's by now: then
    the person has none. Raises NotFound.
    """
    former = get(user_id, alone=True).email
    try:
        _set_email(user_id, email)
        restored = True
    except Conflict:
        _no_email(user_id)
        restored = False
    personal = {"email": email} | ({"former_email": former} if former else {})
    events.record(EMAIL_UNDONE, user_id=user_id, details={"restored": restored}, personal=personal)
    return restored


def _set_email(user_id: str, email: str) -> str | None:
    canonical, now, user = canonical_email(email), clock.now(), get(user_id, alone=True)
    require_alive(user)
    other = find_by_email(email)
    if other is not None and other.id != user_id:
        raise Conflict(EMAIL_TAKEN)
    values = {"email": kept_email(email), "email_canonical": canonical, "email_verified_at": now, "updated_at": now}
    try:
        with session.begin_nested():
            changed(sa.update(User).where(User.id == user_id).values(**values))
    except IntegrityError as e:  # two people confirmed one address in the same moment
        raise Conflict(EMAIL_TAKEN) from e
    return user.email if user.email and canonical_email(user.email) != canonical else None


def _no_email(user_id: str) -> None:
    values = {"email": None, "email_canonical": None, "email_verified_at": None, "updated_at": clock.now()}
    changed(sa.update(User).where(User.id == user_id).values(**values))


def remove_email(user_id: str, *, actor_id: str | None = None) -> str | None:
    """The person has no address any more; answers the one that they had. Raises NotFound."""
    former = get(user_id, alone=True).email
    if former is None:
        return None
    _no_email(user_id)
    events.record(EMAIL_REMOVED, user_id=user_id, actor_id=actor_id, personal={"former_email": former})
    return former


def standard_claims(user: User | sa.Row[Any], scopes: set[str]) -> dict[str, Any]:
    """The claims of the scopes `profile`, `email`, `phone`, `address` (OpenID Connect Core §5.4), each only when it is filled in.

    `user` is a User or the row that `present` gives.
    """
    claims: dict[str, Any] = {}
    if "profile" in scopes:
        claims |= {claim: value for claim in PROFILE if (value := getattr(user, claim))}
        claims["updated_at"] = _seconds(user.updated_at)
    if "email" in scopes and user.email:
        claims |= {"email": user.email, "email_verified": user.email_verified_at is not None}
    if "phone" in scopes and user.phone:
        claims |= {"phone_number": user.phone, "phone_number_verified": user.phone_verified_at is not None}
    if "address" in scopes:
        address = {member: value for member, column in ADDRESS.items() if (value := getattr(user, column))}
        if address:
            claims["address"] = address
    return claims


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
