"""A lost phone: the number of an ID is to be another one, and the former one cannot say so (`product.md` §6.3, NIST SP 800-63B-4 §3.1.3).

    open        which ID, and which new number: typed, and nothing tells whether anybody has the ID (case 70)
    proved      the new number, by a code
    ask         two administrators of a company of theirs are to vouch (`vouches`)
    begin       the ID was proved in another way: from now on all channels are told, and the waiting time runs
    cancel      by whoever has the ID: from the notice, from their pages, after any sign-in
    complete    once the time is over; what ends with the former number is the caller's (`oidc/recovery`)

NOTE: changing the number binds a new authenticator. So it takes a proof that is not the number, a notice to all that is known, and time.
NOTE: what the notice leads to (`token`) can stop the change and nothing else. It is derived, so it stands nowhere, and comes out the same
when a reaction runs twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, events, limits
from idp.config import settings
from idp.credentials import phone_limits
from idp.credentials.tables import Recovery
from idp.db.columns import asked_for, table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.directory import users
from idp.directory.tables import User
from idp.errors import N_, Conflict, Gone

DRAFT, ASKING, WAITING, COMPLETED, CANCELLED = "draft", "asking", "waiting", "completed", "cancelled"
PASSKEY, BROWSER, EMAIL, VOUCHED = WAYS = ("passkey", "browser", "email", "vouched")
BEGUN, ENDED, DONE = "recovery.begun", "recovery.cancelled", "recovery.completed"
NEW_PHONE, MAIL = "new_phone", "recover"  # the purposes of its codes
NOT_ME, WITHDRAWN, SUPPORT, CHANGED, TAKEN, LOST_VOUCH, BLOCKED = (
    *("not_me", "withdrawn", "support", "phone_changed", "number_taken", "vouch_lost", "blocked"),
)
LOST_BROWSER, LOST_PASSKEY = "browser_lost", "passkey_lost"
SEAL, LINK, VOUCH = "recovery", "recovery link", "recovery vouch"
KEPT, KEPT_ENDED = timedelta(days=2), timedelta(days=180)
BEGINS_PER_DAY = 3  # for one ID: each is a notice to every channel of it
DAY = 86400
_TOKEN = re.compile(r"(rcv_[0-9a-z]{26})\.([A-Za-z0-9_-]{43})")

OVER = N_("This request to change the number is over. Begin again.")
ANOTHER = N_("A change of this ID’s number is under way already. Sign in to see it.")

_rows, _users = table(Recovery), table(User)
_ID = _rows.c.id == sa.bindparam("case_id")
_FIND = Ready(sa.select(_rows).where(_ID))
_LOCK = Ready(_FIND.statement.with_for_update())
_OF_FLOW = Ready(
    sa.select(_rows).where(_rows.c.flow_id == sa.bindparam("of_flow")).order_by(_rows.c.created_at.desc(), _rows.c.id.desc()).limit(1)
)
_OF_PERSON = Ready(sa.select(_rows).where(_rows.c.user_id == sa.bindparam("of_user"), _rows.c.state == WAITING))
_OF_NUMBER = Ready(
    sa.select(_rows)
    .where(
        _rows.c.phone_digest == sa.bindparam("digest"),
        _rows.c.phone_proved_at.is_not(None),
        sa.or_(_rows.c.state == ASKING, _rows.c.state == WAITING),
    )
    .order_by(_rows.c.state.desc(), _rows.c.created_at.desc())
    .limit(1)
)
_OF_VOUCH = Ready(sa.select(_rows).where(_rows.c.vouch_digest == sa.bindparam("digest")))
_DUE = Ready(
    sa.select(_rows.c.id)
    .where(_rows.c.state == WAITING, _rows.c.due_at <= sa.bindparam("now", type_=_rows.c.due_at.type))
    .order_by(_rows.c.due_at, _rows.c.id)
    .limit(1)
)
_NOTE = Ready(sa.update(_rows).where(_ID, _rows.c.state == DRAFT))
_OPEN = sa.or_(_rows.c.state == DRAFT, _rows.c.state == ASKING)
_BEGIN = Ready(sa.update(_rows).where(_ID, _OPEN, _rows.c.phone_proved_at.is_not(None)))
_END = Ready(sa.update(_rows).where(_ID, _rows.c.state == sa.bindparam("from_state")))
_ASKED = asked_for(_users.c.email_canonical)
_BY_PHONE, _BY_EMAIL = (
    Ready(sa.select(_users.c.id).select_from(_ASKED.outerjoin(_users, (named == _ASKED.c.wanted) & (_users.c.status == "active"))))
    for named in (_users.c.phone, _users.c.email_canonical)
)
_MARK = Ready(sa.update(_users).where(_users.c.id == sa.bindparam("of_user")))


@dataclass(frozen=True, slots=True)
class Case:
    """One request as the pages see it; `who` and `phone` in clear."""

    id: str
    state: str
    flow_id: str
    who: str
    user_id: str | None
    phone: str
    former_digest: str | None
    phone_code_id: str | None
    phone_proved_at: datetime | None
    email_code_id: str | None
    email_proved_at: datetime | None
    way: str | None
    browser_id: str | None
    passkey_id: str | None
    created_at: datetime
    expires_at: datetime
    begun_at: datetime | None
    due_at: datetime | None
    ended_at: datetime | None
    ended_reason: str | None

    @property
    def is_open(self) -> bool:
        """Whether the ID can still be proved for it."""
        return self.state in {DRAFT, ASKING} and clock.now() < self.expires_at

    @property
    def is_waiting(self) -> bool:
        """Whether the number changes once the time is over."""
        return self.state == WAITING


def open_for(flow_id: str, who: str, phone: str, *, phone_code_id: str) -> Case:
    """Somebody says that the ID with `who` (a number in E.164, or an address in the form in which two are the same) is theirs, and that
    `phone` is their new number.

    NOTE: it may be anybody's, or nobody's; a blocked ID is nobody's here. The same work for all of them (G-7).
    """
    now = clock.now()
    found = session.execute(_BY_EMAIL if "@" in who else _BY_PHONE, {"wanted": who}).one()
    row: dict[str, Any] = {
        "id": crypto.new_id("rcv"),
        "state": DRAFT,
        "flow_id": flow_id,
        "who": crypto.seal(SEAL, who),
        "user_id": found.id,
        "phone": crypto.seal(SEAL, phone),
        "phone_digest": phone_limits.phone_digest(phone),
        "phone_code_id": phone_code_id,
        "created_at": now,
        "expires_at": now + timedelta(seconds=settings().login.flow_lifetime),
    }
    insert_or_ignore(Recovery, **row)
    return get(row["id"])


def find(case_id: str) -> Case | None:
    """The request with this id."""
    return _one(_FIND, case_id=case_id)


def get(case_id: str, *, alone: bool = False) -> Case:
    """The same; raises Gone. `alone`: nobody else moves it until the commit."""
    found = _one(_LOCK if alone else _FIND, case_id=case_id)
    if found is None:
        raise Gone(OVER)
    return found


def of_flow(flow_id: str) -> Case | None:
    """The last one that was begun in a sign-in."""
    return _one(_OF_FLOW, of_flow=flow_id)


def of_person(user_id: str) -> Case | None:
    """The one that waits for this person."""
    return _one(_OF_PERSON, of_user=user_id)


def of_number(phone: str) -> Case | None:
    """The one that is to give an ID this number (E.164): it waits, or colleagues are still to vouch."""
    found = _one(_OF_NUMBER, digest=phone_limits.phone_digest(phone))
    return found if found is not None and (found.is_waiting or found.is_open) else None


def of_vouch_code(code: str) -> Case | None:
    """The one that this code (of `vouch_code`) was read out for, while it can be vouched for."""
    found = _one(_OF_VOUCH, digest=_vouch_digest(code))
    return found if found is not None and found.state == ASKING and found.is_open else None


def of_token(token: str) -> Case | None:
    """The one that a link in a notice leads to, whatever became of it; None when the link is not ours."""
    match = _TOKEN.fullmatch(token)
    return find(match[1]) if match and crypto.is_derived(match[2], LINK, match[1]) else None


def is_token(text: str) -> bool:
    """Whether it may be what stands in such a link."""
    return _TOKEN.fullmatch(text) is not None


def token(case_id: str) -> str:
    """What stands in the link of the notice."""
    return f"{case_id}.{crypto.derive_text(LINK, case_id)}"


def vouch_code(case_id: str) -> str:
    """What the person reads out to a colleague: eight characters, in which nothing is read as something else. The same each time."""
    letters = crypto.base32(int.from_bytes(crypto.derive(VOUCH, case_id)[:16], "big"))[-8:]
    return f"{letters[:4]}-{letters[4:]}"


def note(case: Case, **values: Any) -> None:
    """Keep what a page learned about a request that is not proved yet."""
    changed(_NOTE, case_id=case.id, **values)


def ask(case: Case) -> None:
    """Administrators are to vouch, to whom the person reads out `vouch_code`; once."""
    until = clock.now() + timedelta(seconds=settings().login.recovery_vouching)
    changed(_NOTE, case_id=case.id, state=ASKING, expires_at=until, vouch_digest=_vouch_digest(vouch_code(case.id)))


def require_may_begin(case: Case) -> User:
    """Whose number it is to be, held until the commit. Raises as `begin` does, which then does not: for who first uses something up."""
    if case.user_id is None or case.phone_proved_at is None or not case.is_open:
        raise Gone(OVER)
    user = users.get(case.user_id, alone=True)  # one at a time for one person
    if user.status != "active":
        raise Gone(OVER)
    if of_person(user.id) is not None:
        raise Conflict(ANOTHER)
    limits.require_left("recovery", user.id, limit=BEGINS_PER_DAY, window_seconds=DAY)
    return user


def begin(case: Case, way: str, *, browser_id: str | None = None, passkey_id: str | None = None, actor_id: str | None = None) -> Case:
    """The ID was proved by `way`: the waiting time runs, and all channels are told (by the event). In the transaction of the proof.

    `browser_id`, `passkey_id`: the browser whose word it was, the passkey that was shown. Raises Gone (used, over), Conflict (another one
    waits for this ID), TooManyTries.
    """
    user = require_may_begin(case)
    limits.spend("recovery", user.id, limit=BEGINS_PER_DAY, window_seconds=DAY)
    login, now = settings().login, clock.now()
    due_at = now + timedelta(seconds=login.recovery_wait_passkey if way == PASSKEY else login.recovery_wait)
    former = phone_limits.phone_digest(user.phone) if user.phone else None
    values = {"state": WAITING, "way": way, "browser_id": browser_id, "passkey_id": passkey_id, "begun_at": now, "due_at": due_at}
    values["former_digest"] = former
    if not changed(_BEGIN, case_id=case.id, **values):
        raise Gone(OVER)  # another tab was first
    changed(_MARK, of_user=user.id, phone_changes_at=due_at)
    details = {"recovery": case.id, "way": way, "browser": browser_id, "passkey": passkey_id, "due_at": due_at.isoformat()}
    events.record(BEGUN, user_id=user.id, actor_id=actor_id, details=details, personal={"phone": case.phone, "former_phone": user.phone})
    return get(case.id)


def cancel(case_id: str, reason: str, *, actor_id: str | None = None) -> bool:
    """It does not happen; answers whether it was to happen until now. `reason`: of the words above."""
    case = find(case_id)
    if case is None or case.state not in {WAITING, ASKING, DRAFT}:
        return False
    if case.user_id is not None:
        users.get(case.user_id, alone=True)  # first the person, then what is theirs (`db/session`)
    ended = {"state": CANCELLED, "ended_at": clock.now(), "ended_reason": reason}
    if not changed(_END, case_id=case_id, from_state=case.state, **ended):
        return False  # somebody else was first
    if case.is_waiting:
        changed(_MARK, of_user=case.user_id, phone_changes_at=None)
        details = {"recovery": case.id, "reason": reason, "way": case.way, "browser": case.browser_id}
        events.record(ENDED, user_id=case.user_id, actor_id=actor_id, details=details, personal={"phone": case.phone})
    return True


def cancel_of_person(user_id: str, reason: str, *, actor_id: str | None = None) -> bool:
    """The one that waits for this person does not happen; answers whether there was one. For whatever ends what was proved until now: who
    began it may be who is to be kept out (cases 76, 77, 97).
    """
    case = of_person(user_id)
    return case is not None and cancel(case.id, reason, actor_id=actor_id)


def next_due() -> str | None:
    """The one whose time has been over for longest."""
    found: str | None = session.execute(_DUE, {"now": clock.now()}).scalar_one_or_none()
    return found


def complete(case: Case) -> bool:
    """It happens now; False when somebody was first. The caller holds the person, and changes the number in this transaction."""
    if not changed(_END, case_id=case.id, from_state=WAITING, state=COMPLETED, ended_at=clock.now()):
        return False
    changed(_MARK, of_user=case.user_id, phone_changes_at=None)
    events.record(DONE, user_id=case.user_id, details={"recovery": case.id, "way": case.way}, personal={"phone": case.phone})
    return True


def search(*, state: str | None = None, user_id: str | None = None, limit: int = 100) -> Sequence[Case]:
    """Those that have got as far as a proof of the new number, the newest first: for support."""
    fits: list[sa.ColumnElement[bool]] = [_rows.c.phone_proved_at.is_not(None), _rows.c.user_id.is_not(None)]
    fits += [_rows.c.state == state] if state else []
    fits += [_rows.c.user_id == user_id] if user_id else []
    found = session.execute(sa.select(_rows).where(*fits).order_by(_rows.c.created_at.desc(), _rows.c.id.desc()).limit(limit))
    return [_read(row) for row in found.mappings()]


def sweep(now: datetime) -> int:
    """Delete what came to nothing two days ago, and what ended half a year ago."""
    unproved = _rows.c.state.in_((DRAFT, ASKING)) & (_rows.c.expires_at < now - KEPT)
    ended = _rows.c.state.in_((COMPLETED, CANCELLED)) & (_rows.c.ended_at < now - KEPT_ENDED)
    return delete_some(Recovery, unproved | ended)


def _vouch_digest(code: str) -> str:
    return crypto.derive(VOUCH, "digest", code).hex()


def _one(statement: Ready, **values: Any) -> Case | None:
    row = session.execute(statement, values).mappings().one_or_none()
    return _read(row) if row is not None else None


def _read(row: Any) -> Case:
    shown = {name: row[name] for name in Case.__slots__ if name not in {"who", "phone"}}
    return Case(**shown, who=crypto.unseal(SEAL, row["who"]), phone=crypto.unseal(SEAL, row["phone"]))
