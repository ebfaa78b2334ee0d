"""Who a person is at other providers: identities, and the journeys to a provider that are under way.

An identity is an issuer and a subject, and nothing else (threats: case 107): what a provider says of e-mail addresses, numbers and names
never finds anybody, links nothing and takes nothing over. Whoever links proves first who they are here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.credentials.tables import Identity, SocialRequest
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.errors import N_, Conflict, NotFound

LIFETIME = timedelta(minutes=10)  # from the button to the way back
KEPT = timedelta(hours=1)  # as long as a sign-in may take
FOUND = "social identity"
NONCE, VERIFIER = "social nonce", "social verifier"
STATE_LENGTH = 43

TAKEN_TITLE = N_("It belongs to another ID")
TAKEN = N_("This account at %(provider)s is linked to another ID here. Sign in with it and unlink it there first.")

_identities, _requests = table(Identity), table(SocialRequest)
_OF = Ready(
    sa.select(_identities).where(_identities.c.issuer == sa.bindparam("of_issuer"), _identities.c.subject == sa.bindparam("of_subject"))
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who somebody is at another provider, as it said so: proved by its signature or by the answer of its own address."""

    issuer: str
    subject: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person takes along to another provider. `nonce` and the verifier of `challenge` come back out of the state."""

    id: str
    state: str

    @property
    def nonce(self) -> str:
        """What the ID token has to say."""
        return nonce_of(self.state)

    @property
    def challenge(self) -> str:
        """The S256 of the verifier (RFC 7636 §4.2)."""
        return base64.urlsafe_b64encode(hashlib.sha256(verifier_of(self.state).encode()).digest()).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Begun:
    """A journey that came back: from which sign-in, or for whom it is to be linked."""

    id: str
    provider: str
    flow_id: str | None
    session_id: str | None
    user_id: str | None
    used_at: datetime


def nonce_of(state: str) -> str:
    """The nonce of a journey."""
    return crypto.derive_text(NONCE, state)


def verifier_of(state: str) -> str:
    """The code verifier of a journey."""
    return crypto.derive_text(VERIFIER, state)


def begin(
    provider: str, browser_secret: str, *, flow_id: str | None = None, session_id: str | None = None, user_id: str | None = None
) -> Asked:
    """Send somebody to `provider`: from a sign-in, or (`session_id`, `user_id`) to link it. Only the browser with this `login` cookie can
    come back.
    """
    now, asked = clock.now(), Asked(crypto.new_id("soc"), crypto.new_secret())
    values: dict[str, Any] = {"id": asked.id, "state_digest": crypto.digest(asked.state), "browser_digest": crypto.digest(browser_secret)}
    values |= {"provider": provider, "flow_id": flow_id, "session_id": session_id, "user_id": user_id}
    session.execute(sa.insert(_requests), values | {"created_at": now, "expires_at": now + LIFETIME})
    return asked


def redeem(state: str, provider: str, browser_secret: str) -> Begun | None:
    """The journey of this state, once, in the browser that began it and from the provider it led to; None otherwise.

    Commit before the code is used: one state is good for one try, whatever comes of it.
    """
    if len(state) != STATE_LENGTH or not browser_secret:
        return None
    now = clock.now()
    mine = _mine(state, provider, browser_secret)
    spend = sa.update(_requests).where(*mine, _requests.c.used_at.is_(None), _requests.c.expires_at > now).values(used_at=now)
    row = session.execute(spend.returning(*_BEGUN)).one_or_none()
    return Begun(*row) if row is not None else None


def find_redeemed(state: str, provider: str, browser_secret: str) -> Begun | None:
    """The journey that came back with this state before: somebody pressed Back, or reloaded."""
    if len(state) != STATE_LENGTH or not browser_secret:
        return None
    row = session.execute(sa.select(*_BEGUN).where(*_mine(state, provider, browser_secret), _requests.c.used_at.is_not(None))).one_or_none()
    return Begun(*row) if row is not None else None


_BEGUN = tuple(_requests.c[name] for name in ("id", "provider", "flow_id", "session_id", "user_id", "used_at"))


def _mine(state: str, provider: str, browser_secret: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _requests.c.state_digest == crypto.digest(state),
        _requests.c.provider == provider,
        _requests.c.browser_digest == crypto.digest(browser_secret),
    )


def keep_found(request_id: str, claimed: Claimed) -> None:
    """Nobody here is linked to whom the provider named: keep it until they have proved who they are here."""
    sealed = crypto.seal(FOUND, json.dumps(asdict(claimed)))
    changed(sa.update(_requests).where(_requests.c.id == request_id).values(found=sealed, found_at=clock.now()))


def found(request_id: str | None) -> tuple[Claimed, str, datetime] | None:
    """Whom the provider named, its key, and when; None when there is nothing, or it was linked or declined."""
    if not request_id:
        return None
    waiting = sa.select(_requests.c.found, _requests.c.provider, _requests.c.found_at)
    row = session.execute(waiting.where(_requests.c.id == request_id, _requests.c.settled_at.is_(None))).one_or_none()
    if row is None or row.found is None:
        return None
    return Claimed(**json.loads(crypto.unseal(FOUND, row.found))), row.provider, row.found_at


def settle(request_id: str) -> bool:
    """The person said yes or no: once, and what was kept is wiped."""
    waiting = sa.update(_requests).where(_requests.c.id == request_id, _requests.c.settled_at.is_(None), _requests.c.found.is_not(None))
    return changed(waiting.values(settled_at=clock.now(), found=None)) == 1


def find(claimed: Claimed) -> Identity | None:
    """The identity here of whom the provider named."""
    wanted = sa.select(Identity).where(Identity.issuer == claimed.issuer, Identity.subject == claimed.subject)
    return session.scalars(wanted, execution_options={"populate_existing": True}).one_or_none()


def owner(claimed: Claimed) -> str | None:
    """Whose ID it is linked to."""
    row = session.execute(_OF, {"of_issuer": claimed.issuer, "of_subject": claimed.subject}).one_or_none()
    return row.user_id if row is not None else None


def note_use(identity_id: str) -> bool:
    """It signed its person in just now; False when it was unlinked in this very moment."""
    return changed(sa.update(_identities).where(_identities.c.id == identity_id).values(last_used_at=clock.now())) == 1


def link(user_id: str, provider: str, claimed: Claimed, *, title: str = "", session_id: str | None = None) -> bool:
    """Link it to the ID of `user_id`, who was read `alone` and has proved who they are; False when it was linked to it already.

    Raises Conflict when it belongs to another ID: said only to whoever holds both.
    """
    made = crypto.new_id("idt")
    values = {"user_id": user_id, "provider": provider, "issuer": claimed.issuer, "subject": claimed.subject}
    if not insert_or_ignore(Identity, id=made, **values, label=claimed.name[:200] or None, created_at=clock.now()):
        if owner(claimed) == user_id:
            return False
        raise Conflict(TAKEN, title=TAKEN_TITLE, provider=title or provider)
    _record("social.linked", user_id, provider, made, claimed.issuer, session_id)
    return True


def unlink(user_id: str, identity_id: str, *, session_id: str | None = None) -> None:
    """Take it off the ID of `user_id`. Whether another way in is left is judged by who knows all of them. Raises NotFound."""
    gone = sa.delete(_identities).where(_identities.c.id == identity_id, _identities.c.user_id == user_id)
    row = session.execute(gone.returning(_identities.c.provider, _identities.c.issuer)).one_or_none()
    if row is None:
        raise NotFound(detail="no such identity of this person")
    _record("social.unlinked", user_id, row.provider, identity_id, row.issuer, session_id)


def _record(  # noqa: PLR0917 - the columns of the row
    name: str, user_id: str, provider: str, identity_id: str, issuer: str, session_id: str | None
) -> None:
    details = {"provider": provider, "identity": identity_id, "issuer": issuer}
    events.record(name, user_id=user_id, session_id=session_id, details=details)


def of_person(user_id: str) -> list[Identity]:
    """Where else a person is known, the oldest first."""
    theirs = sa.select(Identity).where(Identity.user_id == user_id).order_by(Identity.created_at, Identity.id)
    return list(session.scalars(theirs, execution_options={"populate_existing": True}))


def sweep(now: datetime) -> int:
    """Delete journeys that ended or ran out an hour ago."""
    return delete_some(SocialRequest, _requests.c.expires_at < now - KEPT)
