"""Recovery codes: ten for a person who has lost what they prove themselves with, shown once, each good once (NIST SP 800-63B-4 §3.1.2).

A code is twelve characters of an alphabet in which nothing is read as something else: 60 random bits, so that nobody guesses one. What is
kept is an argon2id hash (ASVS 5.0 §6.5.2 asks for a password's hash below 112 bits, and that many would be 23 characters to type). All of
a set share one salt, so that a guess costs one hash and not ten; and the salt is sealed, so that whoever has the database alone has nothing
to try codes against.

NOTE: that hash is slow. It is made in a `place` of `password_hashing`, and outside of any unit that writes: `draw` before the unit that
keeps the codes, `digest` between the commit of a counted guess and what follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.credentials import factor_limits, password_hashing
from idp.credentials.factor_limits import Counted
from idp.credentials.phone_limits import Words
from idp.credentials.tables import RecoveryCode, RecoveryCodeSet
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, insert_or_ignore, session
from idp.errors import N_, BadInput

NAME = "recovery_code"
HOW_MANY, LENGTH, GROUP = 10, 12, 4
MADE, REMOVED, USED, WRONG = "recovery_codes.made", "recovery_codes.removed", "recovery_code.used", "recovery_code.wrong"
SALT, SEAL = 26, "recovery codes"  # characters: 130 bits

WORDS = Words(
    wrong=N_("Too many wrong recovery codes were entered."),
    messages="",  # nothing is sent
    off=N_("Recovery codes are off: too many wrong ones were entered in a row. Write to support."),
)
NOT_A_CODE = N_("A recovery code has twelve letters and digits, for example %(example)s.")
EXAMPLE = "7k3m-x9qd-4tfw"

_sets, _codes = table(RecoveryCodeSet), table(RecoveryCode)
_OF = _sets.c.user_id == sa.bindparam("of_user")
_SET = Ready(sa.select(_sets).where(_OF))
_LEFT = Ready(
    sa.select(_sets.c.id, _sets.c.made_at, sa.func.count(_codes.c.digest).label("left"))
    .select_from(_sets.outerjoin(_codes, (_codes.c.set_id == _sets.c.id) & _codes.c.used_at.is_(None)))
    .where(_OF)
    .group_by(_sets.c.id, _sets.c.made_at)
)
# Whether `of_user` has one left, as a part of one statement.
ARE_LEFT = sa.exists().where(_OF, _codes.c.set_id == _sets.c.id, _codes.c.used_at.is_(None))
_USE = Ready(
    sa.update(_codes)
    .where(_codes.c.set_id == sa.bindparam("of_set"), _codes.c.digest == sa.bindparam("typed"), _codes.c.used_at.is_(None))
    .values(used_at=sa.bindparam("now", type_=_sets.c.made_at.type))
)
_FORGET_CODES = Ready(sa.delete(_codes).where(_codes.c.set_id == sa.bindparam("of_set")))
_FORGET_SET = Ready(sa.delete(_sets).where(_sets.c.id == sa.bindparam("of_set")))
_READ_AS = str.maketrans("oil", "011")  # Crockford: what looks alike is read as the one that there is
_SPACES = re.compile(r"[\s\-‐-―−]+")


class Drawn(NamedTuple):
    """Codes that nobody has yet: `texts` as they are shown, and what is kept of them."""

    id: str
    sealed_salt: str
    texts: tuple[str, ...]
    digests: tuple[str, ...]


class Left(NamedTuple):
    """The codes that a person has: their set, when it was made, and how many of it are left."""

    set_id: str
    made_at: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess that has been counted and may now be judged, against this set and no other."""

    user_id: str
    set_id: str
    salt: str
    counted: Counted

    @property
    def tries_left(self) -> int:
        """How many guesses this sign-in has left."""
        return self.counted.tries_left


# ---------------------------------------------------------------- making them


def draw(user_id: str) -> Drawn:
    """Ten new codes for this person, as yet good for nothing. Slow: outside of a unit that writes."""
    salt = crypto.random_text(SALT)
    codes = [crypto.random_text(LENGTH) for _ in range(HOW_MANY)]
    sealed = crypto.seal(SEAL, f"{user_id} {salt}")
    return Drawn(crypto.new_id("rcs"), sealed, tuple(map(grouped, codes)), tuple(password_hashing.stretch(code, salt) for code in codes))


def keep(user_id: str, drawn: Drawn, *, instead_of: str, session_id: str | None = None, personal: Mapping[str, str] | None = None) -> bool:
    """These are the person's codes from now on, and the former ones are none any more. `instead_of`: the id of the set that whoever asked
    for new ones has seen, empty where there was none; False when it is another by now: a page that is sent again kills no codes that were
    just shown. The caller holds the person (`users.get(…, alone=True)`).
    """
    former = left(user_id)
    if (former.set_id if former else "") != instead_of:
        return False
    if former:
        _forget(former.set_id)
    now = clock.now()
    insert_or_ignore(RecoveryCodeSet, id=drawn.id, user_id=user_id, sealed_salt=drawn.sealed_salt, made_at=now)
    for digest in drawn.digests:
        insert_or_ignore(RecoveryCode, set_id=drawn.id, digest=digest, used_at=None)
    details = {"set": drawn.id, "former_left": former.number if former else None}
    events.record(MADE, user_id=user_id, session_id=session_id, details=details, personal=personal)
    return True


def left(user_id: str) -> Left | None:
    """The codes that they have; None when none were ever made, or they were taken away."""
    row = session.execute(_LEFT, {"of_user": user_id}).one_or_none()
    return Left(row.id, row.made_at, row.left) if row is not None else None


def are_left(user_id: str) -> bool:
    """Whether they have one that can be used."""
    found = left(user_id)
    return found is not None and found.number > 0


def remove(user_id: str, *, actor_id: str | None = None) -> bool:
    """None of their codes is good any more; answers whether there were any. The caller holds the person."""
    former = left(user_id)
    if former is None:
        return False
    _forget(former.set_id)
    events.record(REMOVED, user_id=user_id, actor_id=actor_id, details={"set": former.set_id, "former_left": former.number})
    return True


def grouped(code: str) -> str:
    """A code as it is shown: in groups of four."""
    return "-".join(code[at : at + GROUP] for at in range(0, LENGTH, GROUP))


# ---------------------------------------------------------------- proving one


def read_code(text: str) -> str:
    """A code as people type it, in capitals, with other dashes or none; raises BadInput for what cannot be one, which is no guess."""
    code = _SPACES.sub("", text).lower().translate(_READ_AS)
    if len(code) != LENGTH or not set(code) <= set(crypto.ALPHABET):
        raise BadInput(NOT_A_CODE, example=EXAMPLE)
    return code


def guess(user_id: str, *, for_id: str, device_id: str | None = None) -> Guess | None:
    """Count one guess at the person's codes; None when they have none. The caller commits before it calls `digest` and `redeem`.

    `for_id`: the sign-in; `device_id`: the browser's trust in the person, if it knows them. Raises TooManyTries.
    """
    row = session.execute(_SET, {"of_user": user_id}).one_or_none()
    if row is None:
        return None
    counted = factor_limits.count(NAME, user_id, WORDS, for_id=for_id, device_id=device_id)
    return Guess(user_id, row.id, _unseal(row), counted)


def digest(guess: Guess, code: str) -> str:
    """What would be kept of this code (of `read_code`). Slow, and the same for a right one and a wrong one."""
    return password_hashing.stretch(code, guess.salt)


def redeem(guess: Guess, digest: str, *, personal: Mapping[str, str] | None = None) -> int | None:
    """Use the code up; answers how many are left. None, and written down, when it is none of the set, was used, or the set is gone."""
    if not changed(_USE, of_set=guess.set_id, typed=digest, now=clock.now()):
        events.record(WRONG, outcome="refused", user_id=guess.user_id, details={"tries_left": guess.tries_left}, personal=personal)
        return None
    factor_limits.give_back(guess.counted)
    now_left = left(guess.user_id)
    count = now_left.number if now_left else 0
    events.record(USED, user_id=guess.user_id, details={"set": guess.set_id, "left": count}, personal=personal)
    return count


def _unseal(row: sa.Row[tuple[object, ...]]) -> str:
    user_id, _, salt = crypto.unseal(SEAL, row.sealed_salt).partition(" ")
    if user_id != row.user_id:
        raise ValueError(f"the recovery codes {row.id} were made for another person than their row says")
    return salt


def _forget(set_id: str) -> None:
    changed(_FORGET_CODES, of_set=set_id)
    changed(_FORGET_SET, of_set=set_id)
