"""A sign-in under way as it is kept: its row, read and written. What it means says `flow`, the desk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto
from idp.credentials import phone_code
from idp.credentials.phone import read_number
from idp.credentials.phone_code import Transaction
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some
from idp.db.session import session as database
from idp.directory import users
from idp.directory.tables import User
from idp.errors import N_, BadInput, Gone
from idp.login.policy import Demand, Proved
from idp.login.tables import LoginFlow
from idp.web.http import Request

HINT = "login hint"
KEPT = timedelta(days=2)
ID = re.compile("flw_[0-9a-z]{26}")  # what is none is not asked for: PostgreSQL takes no NUL in a text

OVER = N_("It stood open for too long, or was begun in another browser. Start again from the app you want to enter.")

NOTHING_PROVED: dict[str, Any] = dict.fromkeys(("doubted_user_id", "email_code_id", "anew_at", "given", "wanted", "account_id"))

_flows = table(LoginFlow)
_READ = (  # in the order of `Flow`, and the hint
    *("id", "return_to", "demand", "expires_at", "cancel_to", "client_name", "client_logo", "ui_locales"),
    *("phone_code_id", "remember", "finished_at", "doubted_user_id", "email_code_id", "anew_at", "given", "wanted", "account_id"),
    *("providers", "social_request_id"),
    *("password_owner_id", "password_at", "login_hint"),
)
_MINE = Ready(
    sa.select(*(_flows.c[name] for name in _READ)).where(
        _flows.c.id == sa.bindparam("flow_id"), _flows.c.browser_digest == sa.bindparam("digest")
    )
)
_MINE_LOCKED = Ready(_MINE.statement.with_for_update())
_WRITE = Ready(sa.update(_flows).where(_flows.c.id == sa.bindparam("of_flow")))
_INSERT = Ready(sa.insert(_flows))
_FINISH = Ready(_WRITE.statement.where(_flows.c.finished_at.is_(None)))


@dataclass(slots=True)
class Flow:
    """A sign-in under way, as it was read: where it leads, what is demanded, and in the row of `phone_code_id` what has been proved.

    `code` is that row once somebody asked for it (`code_of`). `doubted_user_id`: to whom the proofs so far lead, when they do not open that
    ID; then `given` is what they were and `wanted` names those of which one more is due. The row of `email_code_id` is it, where that was
    chosen; `anew_at` says that a fresh ID is wanted. `account_id`: the account whose password was given. `providers`: of the other
    providers those that are offered; None: all. `social_request_id`: one of them named somebody whom nobody here is linked to.
    """

    id: str
    return_to: str
    demand: Demand
    expires_at: datetime
    cancel_to: str | None = None
    client_name: str | None = None
    client_logo: str | None = None
    ui_locales: tuple[str, ...] = ()
    phone_code_id: str | None = None
    remember: bool = True
    finished_at: datetime | None = None
    doubted_user_id: str | None = None
    email_code_id: str | None = None
    anew_at: datetime | None = None
    given: tuple[Proved, ...] = ()
    wanted: frozenset[str] = frozenset()
    account_id: str | None = None
    providers: tuple[str, ...] | None = None
    social_request_id: str | None = None
    password_owner_id: str | None = None
    password_at: datetime | None = None
    code: Transaction | None = None

    @property
    def address(self) -> str:
        """The desk of this sign-in: it leads on to whatever is due."""
        return f"/login/{self.id}"


def insert(flow: Flow, login_secret: str) -> None:
    """Keep a new one, for the browser whose `login` cookie this is."""
    demand, providers = flow.demand, flow.providers
    values: dict[str, Any] = {"id": flow.id, "browser_digest": crypto.digest(login_secret), "remember": flow.remember}
    values |= {"return_to": flow.return_to, "cancel_to": flow.cancel_to, "providers": None if providers is None else list(providers)}
    values |= {"demand": demand.to_json(), "login_hint": crypto.seal(HINT, demand.login_hint) if demand.login_hint else None}
    values |= {"client_name": flow.client_name, "client_logo": flow.client_logo, "ui_locales": list(flow.ui_locales)}
    database.execute(_INSERT, values | {"created_at": clock.now(), "expires_at": flow.expires_at})


def get(request: Request, flow_id: str, *, lock: bool = False) -> Flow:
    """The sign-in of this address, in the browser that began it; `lock` where something is about to be done.

    Raises Gone when it is another browser's (cases 7 and 8: whoever is sent a link can do nothing with it) or has expired; then the page
    offers to start again where the person came from. A finished one is given back: Back leads on, not into an error.
    """
    mine = {"flow_id": flow_id, "digest": crypto.digest(request.cookie("login"))}
    row = database.execute(_MINE_LOCKED if lock else _MINE, mine).one_or_none() if ID.fullmatch(flow_id) else None
    if row is None:
        raise Gone(OVER, detail="no such sign-in in this browser")
    *values, hint = row
    flow = Flow(*values)
    flow.providers = None if row.providers is None else tuple(row.providers)
    flow.given, flow.wanted = tuple(_proof_of(each) for each in row.given or ()), frozenset(row.wanted or ())
    flow.demand = Demand.from_json(row.demand, login_hint=crypto.unseal(HINT, hint) if hint else "")
    flow.ui_locales = request.ui_locales = tuple(flow.ui_locales)
    request.popup = flow.demand.popup
    if flow.expires_at <= clock.now() and flow.finished_at is None:
        refusal = Gone(OVER, detail=f"{flow.id} has expired")
        refusal.shown["restart_url"] = flow.return_to
        raise refusal
    return flow


def hinted_phone(flow: Flow) -> str:
    """What the phone field begins with: the hint, if it is a number we take. It says nothing about whether anybody has it."""
    if not flow.demand.login_hint:
        return ""
    try:
        return read_number(flow.demand.login_hint)
    except BadInput:
        return ""


def code_of(flow: Flow) -> Transaction | None:
    """The code that was sent last in this sign-in, dead or alive; once it was used, its number is proved."""
    if flow.code is None and flow.phone_code_id:
        flow.code = phone_code.find(flow.phone_code_id, flow.id)
    return flow.code


def get_code(flow: Flow) -> Transaction:
    """The same where there must be one; raises Gone."""
    code = code_of(flow)
    if code is None:
        raise Gone(OVER, detail=f"{flow.id} has no code")
    return code


def has_given(flow: Flow, name: str) -> bool:
    """Whether this proof was already given in this sign-in, by the person to whom it leads."""
    return any(name in each.proofs for each in flow.given)


def pending_user(flow: Flow, *, alone: bool = False) -> User | None:
    """To whom the proofs so far lead, when they alone do not open that ID; `alone` as in `users.get`. None: nothing was proved yet."""
    return users.get(flow.doubted_user_id, alone=alone) if flow.doubted_user_id else None


def write(flow: Flow, **values: Any) -> None:
    """Keep what came of a page."""
    kept = dict(values)
    if "given" in kept:
        kept["given"] = [_json_of(each) for each in kept["given"] or ()]
        values["given"] = tuple(values["given"] or ())
    if "wanted" in kept:
        kept["wanted"] = sorted(kept["wanted"] or ())
        values["wanted"] = frozenset(values["wanted"] or ())
    changed(_WRITE, of_flow=flow.id, **kept)
    for name, value in values.items():
        setattr(flow, name, value)
    flow.code = None  # to be read again


def finish(flow: Flow) -> bool:
    """Once only: answers whether it was this call (case 54)."""
    return changed(_FINISH, of_flow=flow.id, finished_at=clock.now()) > 0


def sweep(now: datetime) -> int:
    """Delete sign-ins that ran out two days ago."""
    return delete_some(LoginFlow, _flows.c.expires_at < now - KEPT)


def _json_of(given: Proved) -> dict[str, Any]:
    kept = {"proof": given.proof, "acr": given.acr, "amr": list(given.amr), "at": given.auth_time.isoformat(), "also": list(given.also)}
    return kept | ({"session": given.session_id} if given.session_id else {})


def _proof_of(kept: dict[str, Any]) -> Proved:
    at = datetime.fromisoformat(kept["at"])
    return Proved(kept["proof"], kept["acr"], tuple(kept["amr"]), at, tuple(kept["also"]), kept.get("session"))
