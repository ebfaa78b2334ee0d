"""Passkeys: a key pair whose secret half never leaves the person's phone, computer or password manager (WebAuthn Level 3).

Two ceremonies, each in the same three strides, and the edge commits between them:

    a challenge goes out    `ask_for_proof`, `ask_for_key`: 32 random bytes, kept as a digest
    the answer comes        `take` uses the challenge up by one conditional UPDATE, whatever becomes of the answer; then nothing of it
                            depends on the database, and `verify` (or `passkey_response.verify_new`) judges it, outside of any transaction
    it counts               `use` moves the counter on, `add` keeps the key: again one statement decides

NOTE: what is asked before somebody is known is the same for everybody, and holds no list of credentials. What is answered to a credential
that we do not know is what is answered to one whose signature is wrong, after the same work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.config import settings
from idp.credentials import passkey_models
from idp.credentials import passkey_response as responses
from idp.credentials.passkey_response import GET, NewKey, Response, Unsound, Used
from idp.credentials.tables import Passkey, PasskeyChallenge, PasskeyOwner
from idp.db.columns import asked_for, table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.directory.names import clean_name
from idp.errors import N_, Conflict, TooManyTries

SIGN_IN, FURTHER_PROOF, ADD = "sign_in", "further_proof", "add"
LIFETIME = timedelta(minutes=5)
OPEN_AT_ONCE = 20  # challenges of one sign-in or session: tabs, and presses that came to nothing
MOST = 20  # passkeys of one person
NAME_LENGTH = 60
OFFERED_EVERY = timedelta(days=30)
KEPT = timedelta(days=1)

ADDED, REMOVED, RENAMED = "passkey.added", "passkey.removed", "passkey.renamed"
DOUBTED, REFUSED = "passkey.doubted", "passkey.refused"
ALREADY = N_("This device already keeps a passkey for an ID here.")
TOO_MANY = N_("You have as many passkeys as anybody can have. Remove one that you do not use.")

_keys, _owners, _challenges = table(Passkey), table(PasskeyOwner), table(PasskeyChallenge)
_NOW = sa.bindparam("now", type_=_challenges.c.expires_at.type)
_OPEN = Ready(
    sa.select(sa.func.count())
    .select_from(_challenges)
    .where(_challenges.c.bound_to == sa.bindparam("bound"), _challenges.c.used_at.is_(None), _challenges.c.expires_at > _NOW)
)
_TAKE = Ready(
    sa.update(_challenges)
    .where(
        _challenges.c.digest == sa.bindparam("of_digest"),
        _challenges.c.ceremony == sa.bindparam("for_ceremony"),
        _challenges.c.bound_to == sa.bindparam("bound"),
        _challenges.c.user_id == sa.bindparam("of_user"),
        _challenges.c.used_at.is_(None),
        _challenges.c.expires_at > _NOW,
    )
    .values(used_at=_NOW)
)
_ASKED = asked_for(_keys.c.credential_digest)
_FIND = Ready(
    sa.select(
        *(_keys.c.id, _keys.c.user_id, _keys.c.credential_id, _keys.c.public_key, _keys.c.eligible, _keys.c.name),
        _owners.c.handle,
    ).select_from(
        _ASKED.outerjoin(_keys, _keys.c.credential_digest == _ASKED.c.wanted).outerjoin(_owners, _owners.c.user_id == _keys.c.user_id)
    )
)
_USE = Ready(
    sa.update(_keys)
    .where(
        _keys.c.id == sa.bindparam("key_id"),
        _keys.c.user_id == sa.bindparam("of_user"),
        sa.or_(
            _keys.c.counter < sa.bindparam("new_counter", type_=_keys.c.counter.type),
            sa.and_(_keys.c.counter == 0, sa.bindparam("new_counter", type_=_keys.c.counter.type) == 0),
        ),
    )
    .values(counter=sa.bindparam("new_counter", type_=_keys.c.counter.type), last_used_at=_NOW)
)
_OFFER = Ready(
    sa.update(_owners)
    .where(
        _owners.c.user_id == sa.bindparam("of_user"),
        sa.or_(_owners.c.offered_at.is_(None), _owners.c.offered_at <= sa.bindparam("before", type_=_owners.c.offered_at.type)),
        ~sa.exists().where(_keys.c.user_id == _owners.c.user_id),
    )
    .values(offered_at=_NOW)
)
_OWNER = Ready(sa.select(_owners.c.handle).where(_owners.c.user_id == sa.bindparam("of_user")))


@dataclass(frozen=True, slots=True)
class Kept:
    """A passkey as a ceremony sees it, and the handle of its owner."""

    id: str
    user_id: str
    credential_id: str
    public_key: str
    eligible: bool
    name: str
    handle: str

    @property
    def amr(self) -> tuple[str, ...]:
        """RFC 8176: the key never leaves its hardware, or may; the person was verified by the device; so it was two factors."""
        return ("swk" if self.eligible else "hwk", "user", "mfa")


class Shown(NamedTuple):
    """A passkey, and what its right signature said."""

    kept: Kept
    used: Used


def domain() -> str:
    """The domain that passkeys belong to (the RP ID): that of the settings, else the issuer's host."""
    return settings().login.passkey_domain or urlsplit(settings().server.issuer).hostname or ""


def is_possible() -> bool:
    """Whether browsers make passkeys here at all: they belong to a domain, and a bare address is none."""
    return not re.fullmatch(r"[0-9.]+|.*:.*", domain())


def origin() -> str:
    """Where our pages are, as browsers write it: in small letters, and without the port that the scheme has anyway (RFC 6454 §6.2)."""
    parts = urlsplit(settings().server.issuer)
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{(parts.hostname or '').lower()}" + (f":{parts.port}" if parts.port not in {None, usual} else "")


def ask_for_proof(bound_to: str, *, user_id: str | None = None) -> dict[str, Any]:
    """What `navigator.credentials.get` is to be given (its `publicKey`, as JSON), with a new challenge. Raises TooManyTries.

    `bound_to`: the sign-in. `user_id`: who has been proved already in it; then only their passkeys will do, and the browser is told which.
    """
    ceremony = FURTHER_PROOF if user_id else SIGN_IN
    return {
        "challenge": _challenge(ceremony, bound_to, user_id),
        "rpId": domain(),
        "allowCredentials": [_descriptor(key) for key in of_person(user_id)] if user_id else [],
        "userVerification": "required",
        "timeout": int(LIFETIME.total_seconds() * 1000),
    }


def ask_for_key(bound_to: str, user_id: str, *, name: str, shown_name: str) -> dict[str, Any]:
    """What `navigator.credentials.create` is to be given, likewise. Raises TooManyTries.

    `bound_to`: the session. `name` and `shown_name`: what the password manager writes beside the passkey.
    """
    return {
        "challenge": _challenge(ADD, bound_to, user_id),
        "rp": {"id": domain(), "name": settings().brand.name},
        "user": {"id": handle_of(user_id), "name": name, "displayName": shown_name},
        "pubKeyCredParams": [{"type": "public-key", "alg": int(each)} for each in responses.ALGORITHMS],
        "excludeCredentials": [_descriptor(key) for key in of_person(user_id)],
        "authenticatorSelection": {"residentKey": "required", "requireResidentKey": True, "userVerification": "required"},
        "attestation": "none",
        "timeout": int(LIFETIME.total_seconds() * 1000),
    }


def take(response: Response, ceremony: str, bound_to: str, *, user_id: str | None = None) -> bool:
    """Use up the challenge that was answered; False when it is another one's, was used, or is over (case 99).

    The caller commits before it looks at the answer: whoever sends a hundred answers to one challenge has one looked at.
    """
    of = {"of_digest": crypto.digest(response.challenge), "for_ceremony": ceremony, "bound": bound_to, "of_user": user_id or ""}
    return changed(_TAKE, **of, now=clock.now()) == 1


def find(response: Response) -> Kept | None:
    """The passkey that an assertion names."""
    row = session.execute(_FIND, {"wanted": crypto.digest(response.credential_id)}).one()
    return None if row.id is None else Kept(*row)


def verify(response: Response, kept: Kept | None, *, user_id: str | None = None) -> Shown:
    """What the answer proves: that the owner of `kept` is here. Raises Unsound. Asks the database nothing.

    `user_id`: who has to be its owner (case 101). A credential that is nobody's is judged like any other, and is as wrong as a wrong
    signature: `unknown`, both times.
    """
    responses.require_here(response, GET, origin=origin(), domain=domain())
    try:
        used = responses.verify(response, kept.public_key if kept else responses.NOBODYS_KEY, origin=origin(), domain=domain())
    except Unsound as e:
        raise Unsound("unknown") from e
    # The handle may be left out only where a list of credentials was given (WebAuthn §7.2, step 6).
    if kept is None or (response.user_handle != kept.handle and (response.user_handle is not None or user_id is None)):
        raise Unsound("unknown")
    if user_id is not None and kept.user_id != user_id:
        raise Unsound("another_person")
    return Shown(kept, used)


def use(shown: Shown) -> Literal["", "unknown", "doubted"]:
    """Count the use; answers what is wrong with it, as `Unsound` would say it: `unknown`: it was removed in this very moment; `doubted`,
    with an alarm: the authenticator contradicts what it was before (case 105). In the unit of the proof.

    A counter that does not grow: two have the key, and nobody can tell which of them is the owner. A key that could not leave its device
    and now can: it is not the same. Either way it opens nothing, and the owner is told by the event.
    """
    kept, used = shown
    values = {"key_id": kept.id, "of_user": kept.user_id, "new_counter": used.counter, "now": clock.now(), "backed_up": used.backed_up}
    reason = "eligible" if used.eligible != kept.eligible else "counter"
    if reason == "counter" and changed(_USE, **values):
        return ""
    if session.execute(sa.select(_keys.c.id).where(_keys.c.id == kept.id)).first() is None:
        return "unknown"
    events.record(DOUBTED, outcome="refused", user_id=kept.user_id, details={"passkey": kept.id, "reason": reason})
    return "doubted"


def refuse(reason: str, kept: Kept | None, *, personal: dict[str, str], **details: Any) -> None:
    """Write down an answer that proved nothing."""
    told = {"reason": reason, "passkey": kept.id if kept else None, **details}
    events.record(REFUSED, outcome="refused", user_id=kept.user_id if kept else None, details=told, personal=personal)


def add(user_id: str, key: NewKey, *, browser: str, ip: str) -> str:
    """Keep a key that was verified; answers its id. The caller has read the user `alone`. Raises Conflict.

    Without a person's own word it is called what its model is called, else what the browser is.
    """
    if len(of_person(user_id)) >= MOST:
        raise Conflict(TOO_MANY)
    name = passkey_models.name_of(key.aaguid) or browser
    values = {
        "id": crypto.new_id("psk"),
        "user_id": user_id,
        "credential_digest": crypto.digest(key.credential_id),
        "credential_id": key.credential_id,
        "public_key": key.public_key,
        "counter": key.counter,
        "aaguid": key.aaguid,
        "eligible": key.eligible,
        "backed_up": key.backed_up,
        "transports": list(key.transports),
        "name": name[:NAME_LENGTH],
        "created_at": clock.now(),
        "last_used_at": None,
    }
    handle_of(user_id)
    if not insert_or_ignore(Passkey, **values):  # somebody's already: theirs, or another one's (case 101)
        raise Conflict(ALREADY)
    details = {"passkey": values["id"], "aaguid": key.aaguid, "eligible": key.eligible}
    events.record(ADDED, user_id=user_id, details=details, personal={"browser": browser, "ip": ip})
    return str(values["id"])


def of_person(user_id: str) -> list[Passkey]:
    """The person's passkeys, the newest first."""
    theirs = sa.select(_keys).where(_keys.c.user_id == user_id).order_by(_keys.c.created_at.desc(), _keys.c.id)
    return list(session.execute(theirs).all())  # type: ignore[arg-type] # rows with its columns, that nobody writes through


def has_any(user_id: str) -> bool:
    """Whether the person has one."""
    return session.execute(sa.select(_keys.c.id).where(_keys.c.user_id == user_id).limit(1)).first() is not None


def rename(user_id: str, passkey_id: str, name: str) -> bool:
    """Call one of the person's passkeys otherwise; False when it is not theirs. Raises BadInput."""
    named = sa.update(_keys).where(_keys.c.id == passkey_id, _keys.c.user_id == user_id)
    if not changed(named.values(name=clean_name(name, longest=NAME_LENGTH))):
        return False
    events.record(RENAMED, user_id=user_id, details={"passkey": passkey_id})
    return True


def remove(user_id: str, passkey_id: str, *, personal: Mapping[str, str] | None = None) -> bool:
    """Take one of the person's passkeys away: it opens nothing any more; False when it is not theirs (case 106: by its id alone nobody
    removes one).
    """
    return _remove(user_id, _keys.c.id == passkey_id, personal=personal) == 1


def remove_all(user_id: str, *, actor_id: str | None = None) -> bool:
    """Take all of them away; answers whether there were any."""
    return _remove(user_id, sa.true(), actor_id=actor_id) > 0


def handle_of(user_id: str) -> str:
    """By what the person's authenticators know them; made when it is first asked for."""
    found = find_handle(user_id)
    if found is None:
        insert_or_ignore(PasskeyOwner, user_id=user_id, handle=crypto.new_secret(), offered_at=None)
        found = str(session.execute(_OWNER, {"of_user": user_id}).scalar_one())
    return found


def find_handle(user_id: str) -> str | None:
    """The same, if it was ever asked for."""
    return session.execute(_OWNER, {"of_user": user_id}).scalar_one_or_none()


def offer(user_id: str) -> bool:
    """Whether it is time to offer the person a passkey; then the next time is a month away. Once, however many ask at the same moment."""
    handle_of(user_id)
    now = clock.now()
    return changed(_OFFER, of_user=user_id, now=now, before=now - OFFERED_EVERY) == 1


def sweep(now: datetime) -> int:
    """Delete challenges that have been over for a day."""
    return delete_some(PasskeyChallenge, _challenges.c.expires_at < now - KEPT)


def _challenge(ceremony: str, bound_to: str, user_id: str | None) -> str:
    now, secret = clock.now(), crypto.new_secret()
    if session.execute(_OPEN, {"bound": bound_to, "now": now}).scalar_one() >= OPEN_AT_ONCE:
        raise TooManyTries(retry_after=int(LIFETIME.total_seconds()), detail="too many passkey challenges at once")
    values = {"digest": crypto.digest(secret), "ceremony": ceremony, "bound_to": bound_to, "user_id": user_id or ""}
    insert_or_ignore(PasskeyChallenge, **values, created_at=now, expires_at=now + LIFETIME, used_at=None)
    return secret


def _descriptor(key: Passkey) -> dict[str, Any]:
    return {"type": "public-key", "id": key.credential_id, "transports": list(key.transports)}


def _remove(user_id: str, which: sa.ColumnElement[bool], *, actor_id: str | None = None, personal: Mapping[str, str] | None = None) -> int:
    gone = session.execute(sa.delete(_keys).where(_keys.c.user_id == user_id, which).returning(_keys.c.id, _keys.c.name)).all()
    for row in gone:
        named = {"passkey": row.name, **(personal or {})}
        events.record(REMOVED, user_id=user_id, actor_id=actor_id, details={"passkey": row.id}, personal=named)
    return len(gone)
