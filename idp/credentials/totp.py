"""The authenticator app: six digits that change every thirty seconds (RFC 6238, https://www.rfc-editor.org/rfc/rfc6238).

SHA-1, six digits and thirty seconds, since that is what every app takes; with 160 bits of secret (RFC 4226 §4, R6) the HMAC is as strong as
it has to be. A code is good in its own step, the one before and the one after: clocks differ, people type (§5.2).

NOTE: RFC 6238 §5.2 wants a code to be accepted once, and the library remembers nothing. The step of a code that was accepted is written
down by one conditional UPDATE which takes only a later one than the last: of two that come at once with the same code one is in.

A guess goes through three calls, as with `phone_code`, and the edge commits between the first and the second: `guess` counts it, `judge`
compares, `redeem` uses its step up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import pyotp
import sqlalchemy as sa

from idp import clock, crypto, events
from idp.credentials import factor_limits
from idp.credentials.factor_limits import Counted
from idp.credentials.phone_limits import Words
from idp.credentials.tables import Authenticator
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.errors import N_, BadInput

NAME = "totp"
STEP, DIGITS, WINDOW = 30, 6, 1  # seconds, and steps that are taken before and after the present one
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # RFC 4648 §6: what apps read
SECRET = 32  # characters: 160 bits
SETTING_UP = timedelta(minutes=30)  # to fetch the phone, find an app and install it
LONGEST_LABEL = 48
SEAL = "authenticator"
ADDED, REMOVED, WRONG = "authenticator.added", "authenticator.removed", "authenticator.wrong"

WORDS = Words(
    wrong=N_("Too many wrong codes of the authenticator app were entered."),
    messages="",  # nothing is sent
    off=N_("Codes of the authenticator app are off: too many wrong ones were entered in a row. Write to support."),
)
NOT_DIGITS = N_("The code is made of digits. Enter the six digits that the app shows.")
TOO_SHORT = N_("The code has six digits. Some are missing.")
TOO_LONG = N_("The code has six digits. There are too many.")

_rows = table(Authenticator)
_LIVE = Ready(sa.select(_rows).where(_rows.c.user_id == sa.bindparam("of_user"), _rows.c.confirmed_at.is_not(None)))
_PENDING = Ready(
    sa.select(_rows)
    .where(
        _rows.c.user_id == sa.bindparam("of_user"),
        _rows.c.session_id == sa.bindparam("of_session"),
        _rows.c.confirmed_at.is_(None),
        _rows.c.created_at > sa.bindparam("since", type_=_rows.c.created_at.type),
    )
    .order_by(_rows.c.created_at.desc(), _rows.c.id.desc())
    .limit(1)
)
_TAKE = Ready(
    sa.update(_rows)
    .where(
        _rows.c.id == sa.bindparam("of_id"),
        _rows.c.confirmed_at.is_not(None),
        _rows.c.last_step < sa.bindparam("step"),
    )
    .values(last_step=sa.bindparam("step"), last_used_at=sa.bindparam("now", type_=_rows.c.created_at.type))
)
_CLAIM = Ready(
    sa.update(_rows)
    .where(
        _rows.c.id == sa.bindparam("of_id"),
        _rows.c.user_id == sa.bindparam("of_user"),
        _rows.c.session_id == sa.bindparam("of_session"),
        _rows.c.confirmed_at.is_(None),
    )
    .values(last_step=sa.bindparam("step"))
)
_CONFIRM = Ready(
    sa.update(_rows)
    .where(_rows.c.id == sa.bindparam("of_id"), _rows.c.confirmed_at.is_(None))
    .values(confirmed_at=sa.bindparam("now", type_=_rows.c.created_at.type))
)
_FORMER = Ready(
    sa.delete(_rows).where(_rows.c.user_id == sa.bindparam("of_user"), _rows.c.confirmed_at.is_not(None), _rows.c.id != sa.bindparam("but"))
)
_SPACES = re.compile(r"[\s\-‐-―−]+")  # apps show "123 456", and phones type other dashes


# Whether `of_user` uses one, as a part of one statement.
IS_SET_UP = sa.exists().where(_rows.c.user_id == sa.bindparam("of_user"), _rows.c.confirmed_at.is_not(None))


class Secret(NamedTuple):
    """An authenticator that is being set up; `text` is what the app has to be told."""

    id: str
    text: str
    expires_at: datetime

    @property
    def grouped(self) -> str:
        """The secret as it is read aloud and typed: in groups of four."""
        return " ".join(self.text[at : at + 4] for at in range(0, len(self.text), 4))

    def address(self, issuer: str, label: str) -> str:
        """What the QR picture says (https://github.com/google/google-authenticator/wiki/Key-Uri-Format): who issued it, and for whom.

        A colon parts the two, and what is too long makes a picture that no camera reads.
        """
        name, label = (" ".join(each.replace(":", " ").split())[:LONGEST_LABEL].rstrip() for each in (issuer, label))
        return _app(self.text).provisioning_uri(name=label, issuer_name=name)


class Live(NamedTuple):
    """The authenticator that a person uses."""

    id: str
    confirmed_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess that has been counted and may now be judged; `step`: whose code it is, once it was judged right."""

    id: str
    user_id: str
    secret: str
    counted: Counted
    step: int = 0

    @property
    def tries_left(self) -> int:
        """How many guesses this sign-in has left."""
        return self.counted.tries_left


# ---------------------------------------------------------------- setting it up


def begin(user_id: str, session_id: str) -> Secret:
    """The secret that is being set up in this session: one and the same, until it is confirmed or its half hour is over."""
    found = pending(user_id, session_id)
    if found is not None:
        return found
    now, text = clock.now(), crypto.random_text(SECRET, BASE32)
    row = {"id": crypto.new_id("atc"), "user_id": user_id, "session_id": session_id, "sealed": crypto.seal(SEAL, f"{user_id} {text}")}
    insert_or_ignore(Authenticator, **row, last_step=0, created_at=now, confirmed_at=None, last_used_at=None)
    return Secret(row["id"], text, now + SETTING_UP)


def pending(user_id: str, session_id: str) -> Secret | None:
    """What is being set up in this session."""
    of = {"of_user": user_id, "of_session": session_id, "since": clock.now() - SETTING_UP}
    row = session.execute(_PENDING, of).one_or_none()
    return Secret(row.id, _unseal(row), row.created_at + SETTING_UP) if row is not None else None


def confirm(secret: Secret, user_id: str, session_id: str, code: str, *, personal: Mapping[str, str] | None = None) -> bool:
    """The first code (of `read_code`) of the app that is being set up: it is the person's from now on, in place of the one they had.

    False for a wrong code, and when it was confirmed or given up meanwhile. What is guessed here opens nothing: whoever sees this page sees
    the secret. The caller holds the person (`users.get(…, alone=True)`).
    """
    step = _step_of(secret.text, code)
    if step is None or not changed(_CLAIM, of_id=secret.id, of_user=user_id, of_session=session_id, step=step):
        return False
    replaced = changed(_FORMER, of_user=user_id, but=secret.id) > 0  # first it goes: each person has one
    changed(_CONFIRM, of_id=secret.id, now=clock.now())
    events.record(
        ADDED, user_id=user_id, session_id=session_id, details={"authenticator": secret.id, "replaced": replaced}, personal=personal
    )
    return True


def give_up(user_id: str, session_id: str) -> None:
    """What is being set up in this session is wanted no more."""
    changed(sa.delete(_rows).where(_rows.c.user_id == user_id, _rows.c.session_id == session_id, _rows.c.confirmed_at.is_(None)))


def find(user_id: str) -> Live | None:
    """The authenticator that the person uses."""
    row = session.execute(_LIVE, {"of_user": user_id}).one_or_none()
    return Live(row.id, row.confirmed_at, row.last_used_at) if row is not None else None


def is_set_up(user_id: str) -> bool:
    """Whether they use one."""
    return session.execute(_LIVE, {"of_user": user_id}).one_or_none() is not None


def remove(user_id: str, *, actor_id: str | None = None, session_id: str | None = None, personal: Mapping[str, str] | None = None) -> bool:
    """The person uses none any more, and its secret is gone; answers whether they did until now."""
    removed = changed(sa.delete(_rows).where(_rows.c.user_id == user_id, _rows.c.confirmed_at.is_not(None))) > 0
    if removed:
        events.record(REMOVED, user_id=user_id, actor_id=actor_id, session_id=session_id, personal=personal)
    return removed


# ---------------------------------------------------------------- proving it


def read_code(text: str) -> str:
    """The digits of a code as people type them; raises BadInput for anything else, which is no guess and not counted (case 61)."""
    code = _SPACES.sub("", text)
    if not re.fullmatch("[0-9]*", code):
        raise BadInput(NOT_DIGITS)
    if len(code) != DIGITS:
        raise BadInput(TOO_SHORT if len(code) < DIGITS else TOO_LONG)
    return code


def guess(user_id: str, *, for_id: str, device_id: str | None = None) -> Guess | None:
    """Count one guess at the person's codes; None when they use no authenticator (any more). The caller commits before it calls `judge`.

    `for_id`: the sign-in; `device_id`: the browser's trust in the person, if it knows them. Raises TooManyTries.
    """
    row = session.execute(_LIVE, {"of_user": user_id}).one_or_none()
    if row is None:
        return None
    return Guess(row.id, user_id, _unseal(row), factor_limits.count(NAME, user_id, WORDS, for_id=for_id, device_id=device_id))


def judge(guess: Guess, code: str, *, personal: Mapping[str, str] | None = None) -> Guess | None:
    """The guess with the step whose code it is, though it may have been used; None, and written down, when it is no step's."""
    step = _step_of(guess.secret, code)
    if step is not None:
        return replace(guess, step=step)
    events.record(WRONG, outcome="refused", user_id=guess.user_id, details={"tries_left": guess.tries_left}, personal=personal)
    return None


def redeem(guess: Guess) -> bool:
    """Use the step up after a right guess (of `judge`); False when it or a later one was used, or the authenticator is gone: then nothing
    may follow from it.
    """
    if not changed(_TAKE, of_id=guess.id, step=guess.step, now=clock.now()):
        return False
    factor_limits.give_back(guess.counted)
    return True


def sweep(now: datetime) -> int:
    """Delete what was never confirmed."""
    return delete_some(Authenticator, _rows.c.confirmed_at.is_(None), _rows.c.created_at <= now - SETTING_UP)


def _app(secret: str) -> pyotp.TOTP:
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP)


def _step_of(secret: str, code: str) -> int | None:
    """Which of the steps that are good now has this code, the latest of several; takes the same time for every wrong one."""
    now, app = int(clock.now().timestamp()) // STEP, _app(secret)
    right = [step for step in range(now - WINDOW, now + WINDOW + 1) if crypto.equal(app.generate_otp(step), code)]
    return max(right, default=None)


def _unseal(row: sa.Row[tuple[object, ...]]) -> str:
    user_id, _, text = crypto.unseal(SEAL, row.sealed).partition(" ")
    if user_id != row.user_id:
        raise ValueError(f"the authenticator {row.id} was made for another person than its row says")
    return text
