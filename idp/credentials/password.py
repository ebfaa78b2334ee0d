"""The password of a person or of an account with a login e-mail (`product.md` §5; ASVS 5.0 §6.2).

At least eight characters, as they were typed: no composition rules, no normalisation, nothing cut off; of a very long one nothing is
hashed (case 94). It is looked through when it is set, against what everybody would try (`common_passwords`) and what is known of the
person. The digest is argon2id's (`password_hashing`), the guesses are counted (`password_limits`).

A login is an e-mail address or a phone number. An address leads to the person who has proved it and has a password, else to the account
that signs in with it: whoever opens an account with somebody else's address gets nothing of theirs (cases 98, 111). Which of the two it
is, is said only to who has shown that they read its mail (`login/reset`).

NOTE: what is slow is the caller's: hash outside of any unit, then `keep`; find the digest, end the unit, compare, and begin another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from idp import clock, events
from idp.config import settings
from idp.credentials import password_limits
from idp.credentials.common_passwords import is_common
from idp.credentials.phone import read_number
from idp.credentials.tables import Password
from idp.db.columns import asked_for, table
from idp.db.ready import Ready
from idp.db.session import changed, insert_or_ignore, session
from idp.directory import users
from idp.directory.names import canonical_email
from idp.directory.tables import Account, User
from idp.errors import N_, BadInput

SHORTEST = 8  # characters
LONGEST = 1024  # bytes: more is no password but work for us
DOUBTED = timedelta(hours=72)
OWN = 3  # characters of a word that is somebody's own

TOO_SHORT = N_("At least %(shortest)s characters.")
TOO_LONG = N_("That is too long for a password: at most %(longest)s bytes.")
COMMON = N_("This password is one of those that are tried first. Choose another one, for example four words that have nothing in common.")
YOURS = N_("Do not use your name, number, e-mail or the name of this site: whoever knows you tries them first.")
DIFFERENT = N_("These are not the same. Type the new password twice.")
NO_LOGIN = N_("Enter your e-mail address or phone number.")

_passwords, _users, _accounts = table(Password), table(User), table(Account)
_OF = Ready(sa.select(_passwords.c.owner_id, _passwords.c.digest).where(_passwords.c.owner_id == sa.bindparam("of_owner")))
_WRITE = Ready(sa.update(_passwords).where(_passwords.c.owner_id == sa.bindparam("of_owner")))
_SAME = Ready(_WRITE.statement.where(_passwords.c.digest == sa.bindparam("former")))
_ASKED = asked_for(_users.c.email_canonical)
_PERSON = (
    *(_users.c.id, sa.literal(None).label("account_id"), _users.c.id.label("user_id")),
    *(_users.c.email.label("address"), _passwords.c.digest),
)
_ACCOUNT = (
    *(_accounts.c.id, _accounts.c.id.label("account_id"), _accounts.c.user_id, _accounts.c.login_email.label("address")),
    *(_passwords.c.digest, _accounts.c.login_email_verified_at.label("verified_at")),
)
_OPEN = _accounts.c.status == "active"


def _whose(columns: Iterable[Any], owners: sa.Table, fits: sa.ColumnElement[bool]) -> Ready:
    """A row for every login, nobody's as well."""
    found = _ASKED.outerjoin(owners, fits).outerjoin(_passwords, _passwords.c.owner_id == owners.c.id)
    return Ready(sa.select(*columns).select_from(found))


_BY_PHONE = _whose((*_PERSON, _users.c.phone_verified_at.label("verified_at")), _users, _users.c.phone == _ASKED.c.wanted)
_BY_ADDRESS = _whose((*_PERSON, _users.c.email_verified_at.label("verified_at")), _users, _users.c.email_canonical == _ASKED.c.wanted)
_BY_LOGIN_EMAIL = _whose(_ACCOUNT, _accounts, (_accounts.c.login_email_canonical == _ASKED.c.wanted) & _OPEN)
_ACCOUNT_BY_ID = _whose(_ACCOUNT, _accounts, (_accounts.c.id == _ASKED.c.wanted) & _OPEN)
_OF_PERSON = Ready(
    sa.select(_passwords.c.owner_id, _passwords.c.digest)
    .select_from(_passwords.outerjoin(_accounts, _accounts.c.id == _passwords.c.owner_id))
    .where(
        (_passwords.c.owner_id == sa.bindparam("of_user"))
        | ((_accounts.c.user_id == sa.bindparam("of_user")) & (_accounts.c.status == "active"))
    )
    .order_by(_passwords.c.owner_id.desc())  # their own (`usr_`) before their accounts' (`acc_`)
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose password a login leads to. `user_id`: whom it signs in; None while the account is not linked. `account_id`: of an account's
    login e-mail. `address`: the stored one, never the one that was typed (case 98). `verified_at`: when it was shown to be theirs.
    """

    id: str
    account_id: str | None
    user_id: str | None
    address: str | None
    digest: str | None
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class Login:
    """What was typed as a login: `canonical` is what two have in common that are the same."""

    canonical: str
    is_phone: bool


def read_login(text: str) -> Login:
    """An e-mail address, or a phone number as people type it; raises BadInput."""
    text = text.strip()
    if not text:
        raise BadInput(NO_LOGIN)
    if "@" in text or "＠" in text:
        return Login(canonical_email(text), is_phone=False)
    if not re.search(r"\d", text):
        raise BadInput(NO_LOGIN)
    return Login(read_number(text), is_phone=True)


def find_owner(login: Login) -> Owner | None:
    """Whose password it takes to sign in with this login; the same statements whether anybody's (G-7)."""
    if login.is_phone:
        return _one(_BY_PHONE, login.canonical)
    person, account = _one(_BY_ADDRESS, login.canonical), _one(_BY_LOGIN_EMAIL, login.canonical)
    if person is not None and (person.digest is not None or account is None):
        return person
    return account


def behind(owner: Owner, login: Login) -> Owner | None:
    """The account with a password that has the same login as this person, and opens nothing by it as long as they have one of their own."""
    account = _one(_BY_LOGIN_EMAIL, login.canonical) if owner.account_id is None and not login.is_phone else None
    return account if account is not None and account.digest is not None else None


def find_account(account_id: str) -> Owner | None:
    """The account as the owner of a password; None when it is closed."""
    return _one(_ACCOUNT_BY_ID, account_id)


def has(owner_id: str) -> bool:
    """Whether this person or account has a password."""
    return session.execute(_OF, {"of_owner": owner_id}).one_or_none() is not None


def set_at(owner_id: str) -> datetime | None:
    """When the present password was set."""
    return session.scalar(sa.select(_passwords.c.set_at).where(_passwords.c.owner_id == owner_id))


def digests_of(user_id: str, account_id: str | None = None) -> list[tuple[str, str]]:
    """What a person may prove that they know: owner and digest of their own password and of their accounts'; only that account's and their
    own, when one is named.
    """
    rows = session.execute(_OF_PERSON, {"of_user": user_id}).all()
    return [(row.owner_id, row.digest) for row in rows if account_id is None or row.owner_id in {user_id, account_id}][:3]


def is_set(of_user: Any) -> sa.ColumnElement[bool]:
    """Whether that person has a password of their own or of an account of theirs, as a part of a statement; one that is no more than a code
    to the number (`is_by_phone`, after `doubted_since`) is none beside it.
    """
    worth = _passwords.c.by_phone.is_(sa.false()) | (_passwords.c.set_at <= sa.bindparam("doubted_since", type_=_passwords.c.set_at.type))
    theirs = sa.select(_accounts.c.id).where(_accounts.c.user_id == of_user, _accounts.c.status == "active")
    return sa.exists().where((_passwords.c.owner_id == of_user) | _passwords.c.owner_id.in_(theirs), worth)


def is_still(owner_id: str, digest: str) -> bool:
    """Whether the digest that was compared with is the password's now: else it was changed in this very moment."""
    row = session.execute(_OF, {"of_owner": owner_id}).one_or_none()
    return row is not None and row.digest == digest


def is_unchanged_since(owner_id: str, at: datetime | None) -> bool:
    """Whether there is a password, and it was not set anew after `at`."""
    since = set_at(owner_id)
    return since is not None and at is not None and since <= at


def is_by_phone(owner_id: str) -> bool:
    """Whether a code to the number, and nothing else, set this password in place of another one within the last days.

    NOTE: beside such a code it shows nothing new: whoever was given the number's SIM card has both. Its owner was told, and has this long
    to object.
    """
    found = session.execute(sa.select(_passwords.c.set_at, _passwords.c.by_phone).where(_passwords.c.owner_id == owner_id)).one_or_none()
    return found is not None and found.by_phone and found.set_at > clock.now() - DOUBTED


def require_size(password: str) -> None:
    """Raise BadInput for what no password can be: it is hashed for nobody."""
    if len(password.encode("utf-8", "surrogatepass")) > LONGEST:
        raise BadInput(TOO_LONG, longest=LONGEST)


def require_good(password: str, *, own: Iterable[str | None] = ()) -> None:
    """Raise BadInput unless `password` may be set. `own`: what everybody knows of the person: name, number, address, company.

    Nothing else is asked of it: no capitals, no digits; spaces and letters of every script are welcome.
    """
    require_size(password)
    if len(password) < SHORTEST:
        raise BadInput(TOO_SHORT, shortest=SHORTEST)
    if _is_own(password, [*own, *_brand()]):
        raise BadInput(YOURS)
    if is_common(password):
        raise BadInput(COMMON)


def keep(
    owner_id: str,
    digest: str,
    *,
    user_id: str | None,
    reason: str = "changed",
    by_phone: bool = False,
    actor_id: str | None = None,
    personal: Mapping[str, Any] | None = None,
) -> None:
    """From now on `digest` is the password of this person or account.

    `reason`: `set`, `changed` or `reset`, the second half of the event's name. `by_phone`: whoever did it showed a code to the number and
    nothing else.
    """
    values = {"digest": digest, "set_at": clock.now(), "by_phone": by_phone}
    if not changed(_WRITE, of_owner=owner_id, **values):
        insert_or_ignore(Password, owner_id=owner_id, **values)
    if user_id is not None:
        users.void_proofs(user_id)
    details = {"owner": owner_id, "by_phone": by_phone}
    events.record(f"password.{reason}", user_id=user_id, actor_id=actor_id, details=details, personal=personal)


def renew(owner_id: str, former: str, digest: str) -> None:
    """The same password under a digest of today's making, unless it was changed meanwhile."""
    changed(_SAME, of_owner=owner_id, former=former, digest=digest)


def remove(owner_id: str, *, user_id: str | None, actor_id: str | None = None, personal: Mapping[str, Any] | None = None) -> bool:
    """There is no password any more; answers whether there was one."""
    if not changed(sa.delete(_passwords).where(_passwords.c.owner_id == owner_id)):
        return False
    events.record("password.removed", user_id=user_id, actor_id=actor_id, details={"owner": owner_id}, personal=personal)
    return True


def unlock(owner: Owner, logins: Iterable[Login], *, actor_id: str | None = None) -> bool:
    """Wrong passwords are forgotten, and the next one is looked at: support's decision. Answers whether there was anything to forget."""
    named = list(dict.fromkeys(login.canonical for login in logins))
    if not password_limits.forget([*named, owner.id, *([owner.user_id] if owner.user_id else [])], owner.user_id):
        return False
    events.record("password.unlocked", user_id=owner.user_id, actor_id=actor_id, details={"owner": owner.id}, personal={"logins": named})
    return True


def verified(owner: Owner) -> None:
    """Whoever signs in with this account's login e-mail has shown that they read its mail."""
    if owner.account_id is None:
        return
    first = sa.update(_accounts).where(_accounts.c.id == owner.account_id, _accounts.c.login_email_verified_at.is_(None))
    if changed(first, login_email_verified_at=clock.now()):
        details = {"account_id": owner.account_id}
        events.record("account.login_email_verified", user_id=owner.user_id, details=details, personal={"email": owner.address or ""})


def _one(statement: Ready, wanted: str) -> Owner | None:
    row = session.execute(statement, {"wanted": wanted}).one()
    return None if row.id is None else Owner(row.id, row.account_id, row.user_id, row.address, row.digest, row.verified_at)


def _brand() -> list[str]:
    brand = settings().brand
    return [brand.name, *brand.names.values()]


def _is_own(password: str, own: Iterable[str | None]) -> bool:
    """Whether it is made of the person's own words and at most three more characters."""
    words = {word for text in own if text for word in _words(text)}
    rest = password.casefold()
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest != password.casefold() and len(re.sub(r"[\W_]", "", rest)) <= 4


def _words(text: str) -> set[str]:
    """The pieces of a name, an address or a number under which it may stand in a password."""
    folded = text.casefold()
    digits = re.sub(r"\D", "", folded)
    pieces = {folded, re.sub(r"[\W_]", "", folded), *re.split(r"[\W_]+", folded)}
    if len(digits) >= 7 and folded.lstrip("+").replace(" ", "").isdecimal():
        pieces |= {digits, digits[-10:], digits[-7:], "8" + digits[-10:]}
    return {piece for piece in pieces if len(piece) >= OWN}
