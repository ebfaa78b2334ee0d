"""An authorization request as it was understood, parked until the person is done (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, TypedDict

import sqlalchemy as sa

from idp import clock, crypto
from idp.config import settings
from idp.db.columns import LATER, table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, session
from idp.delegation import claims_parameter
from idp.delegation.tables import ParkedRequest
from idp.errors import N_, Gone

_T = table(ParkedRequest)
_FIND = Ready(sa.select(_T).where(_T.c.id == sa.bindparam("request_id")))
_INSERT = Ready(sa.insert(_T).execution_options(**{LATER: True}))
_OPEN = Ready(sa.update(_T).where(_T.c.id == sa.bindparam("request_id"), _T.c.finished_at.is_(None)))
PURPOSE = "parked request"
ID = re.compile("req_[0-9a-z]{26}")  # what is none is not asked for: PostgreSQL takes no NUL in a text


class Device(TypedDict):
    """A device that waits: the digest of its code, and what its page tells the person about it."""

    digest: str
    user_code: str
    network: str
    name: str
    asked_at: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asked for, checked. Absent parameters are empty; `max_age` is in seconds or None."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None
    nonce: str | None
    code_challenge: str
    prompts: tuple[str, ...] = ()
    max_age: int | None = None
    acr_values: tuple[str, ...] = ()
    login_hint: str = ""
    hint_user_id: str | None = None  # from id_token_hint; the token itself is not kept
    hint_account_id: str | None = None
    company_id: str | None = None
    account_id: str | None = None
    ui_locales: tuple[str, ...] = ()
    popup: bool = False  # `display=popup`: its pages stay within reach of the window that opened them
    response_types: tuple[str, ...] = ("code",)
    response_mode: str = "query"
    claims: dict[str, Any] | None = None  # the parameter of OpenID Connect Core §5.5, as far as it is understood
    resources: tuple[str, ...] = ()  # RFC 8707
    device: Device | None = None  # that waits for the answer (RFC 8628); there is no redirect address then
    asked_at: datetime | None = None

    @property
    def needed(self) -> tuple[str, ...]:
        """The scopes that the person has to allow: those asked for, and those of claims that were asked for one by one."""
        if self.claims is None:
            return self.scopes
        return tuple(dict.fromkeys((*self.scopes, *claims_parameter.scopes_of(self.claims))))


_PARTS = tuple(part.name for part in fields(Asked))


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked request and what was decided on the way: by whom, as which account, whether consent was pressed."""

    id: str
    asked: Asked
    user_id: str | None
    account_id: str | None
    consented: bool


def park(asked: Asked, *, login_secret: str) -> Parked:
    """Keep `asked` until the person is done; only the browser that holds `login_secret` in its cookie can take it up again."""
    now = clock.now()
    parked = Parked(crypto.new_id("req"), replace(asked, asked_at=asked.asked_at or now), None, None, consented=False)
    session.execute(
        _INSERT,
        {
            "id": parked.id,
            "client_id": asked.client_id,
            "sealed": write(parked.asked),
            "binding": crypto.digest(login_secret),
            "consented": False,
            "created_at": now,
            "expires_at": now + timedelta(seconds=settings().oidc.request_lifetime),
        },
    )
    return parked


def get(request_id: str, *, login_secret: str) -> Parked:
    """Take the request up again; raises Gone when it is over, done, or another browser's: the id in the address opens nothing."""
    row = session.execute(_FIND, {"request_id": request_id}).first() if ID.fullmatch(request_id) else None
    if row is None or not login_secret or not crypto.equal(row.binding, crypto.digest(login_secret)):
        raise Gone(detail="no such parked request in this browser")
    asked = read(row.sealed)
    if row.finished_at is not None:
        raise _over(N_("This sign-in is done"), N_("You have already signed in with it. To enter again, start from the app."), asked)
    if row.expires_at <= clock.now():
        raise _over(None, None, asked)
    return Parked(row.id, asked, row.user_id, row.account_id, bool(row.consented))


def _over(title: str | None, message: str | None, asked: Asked) -> Gone:
    refusal = Gone(message, title=title, detail="the parked request is over")
    refusal.shown["client_id"] = asked.client_id
    return refusal


def write(asked: Asked) -> str:
    """`asked` as a text that opens only with the keys in `keys/`."""
    return crypto.seal(PURPOSE, json.dumps({name: getattr(asked, name) for name in _PARTS}, default=datetime.isoformat))


def read(sealed: str) -> Asked:
    """What `write` closed."""
    values: dict[str, Any] = json.loads(crypto.unseal(PURPOSE, sealed))
    values["asked_at"] = datetime.fromisoformat(values["asked_at"]) if values["asked_at"] else None
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return Asked(**values)


def decide(parked: Parked, *, user_id: str, account_id: str | None = None, consented: bool | None = None) -> None:
    """Write down what `user_id` decided; what another person decided before is void, and so is a consent given as another account."""
    same = parked.user_id == user_id
    as_before = same and account_id in {None, parked.account_id}
    values = {
        "user_id": user_id,
        "account_id": account_id if account_id is not None else (parked.account_id if same else None),
        "consented": consented if consented is not None else (parked.consented and as_before),
    }
    changed(_OPEN, request_id=parked.id, **values)


def finish(parked: Parked) -> bool:
    """End the request; True for exactly one caller, who issues the code (or the refusal)."""
    return changed(_OPEN, request_id=parked.id, finished_at=clock.now()) == 1


def sweep(now: datetime) -> int:
    """Delete what has been over for a day; answers how many."""
    return delete_some(ParkedRequest, _T.c.expires_at < now - timedelta(days=1))
