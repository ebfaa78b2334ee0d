"""What every one-time code has in common, to a phone (`phone_code`) and to an e-mail address (`email_code`): its digits, how people type
them, and the statements by which a guess is counted and a code used up.

A value is never stored: it is derived from the id of its row, and an id is in one table only, so no value is good in two.
"""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.config import settings
from idp.credentials import wrong_codes
from idp.db.ready import Ready
from idp.errors import N_, BadInput

REPEATED = "repeated"  # the value that text, spoken call and e-mail have in common
LONG = "otp8"  # the kind of id of a code whose repeated value has eight digits

NOT_DIGITS = N_("The code is made of digits. Enter the six digits from the message.")
TOO_SHORT = N_("The code has six digits. Some are missing.")
TOO_LONG = N_("The code has six digits. There are too many.")
NOT_EIGHT = N_("The code is made of digits. Enter the eight digits from the message.")
SHORT_OF_EIGHT = N_("The code has eight digits. Some are missing.")
OVER_EIGHT = N_("The code has eight digits. There are too many.")
TIME_OVER = N_("The time of this code is over. Ask for a new one.")

_SPACES = re.compile(r"[\s\-‐-―−]+")  # people paste "123 456", "123-456", and phones type other dashes


class Statements:
    """The statements over one table of codes. `bound`: the column that says to which sign-in or session a code belongs; nobody else's
    request finds it.
    """

    def __init__(self, codes: sa.Table, bound: sa.Column[Any], *, counted: tuple[sa.Column[Any], ...], used: dict[str, Any], **only: Any):
        """`counted`: the columns that a counted guess needs. `used`: what else is written of a code that was right. `only`: what a column
        must hold for a code to be right at all.
        """
        self._codes, self._bound = codes, bound
        now = sa.bindparam("now", type_=codes.c.expires_at.type)
        is_it, is_open = codes.c.id == sa.bindparam("code_id"), (codes.c.used_at.is_(None), codes.c.expires_at > now)
        self.find = Ready(sa.select(codes).where(is_it, bound == sa.bindparam("of")))
        # First the code, then what is counted against its number or address, as a guess does it: the two never wait for each other.
        self.lock = Ready(self.find.statement.with_for_update())
        self.last_for_purpose = self.last(codes.c.purpose == sa.bindparam("for_purpose"))
        has_tries = codes.c.tries < sa.bindparam("most")
        self.count = Ready(
            sa.update(codes)
            .where(is_it, bound == sa.bindparam("of"), codes.c.purpose == sa.bindparam("for_purpose"), has_tries, *is_open)
            .values(tries=codes.c.tries + 1)
            .returning(codes.c.tries, *counted)
        )
        may_win = [codes.c[name] == value for name, value in only.items()]
        self.use = Ready(sa.update(codes).where(is_it, *may_win, *is_open).values(used_at=now, **used).returning(codes.c.created_at))
        self.again = Ready(sa.update(codes).where(is_it, codes.c.sends == sa.bindparam("so_far"), *is_open))

    def last(self, *where: sa.ColumnElement[bool]) -> Ready:
        """The last code of the sign-in or session for which this holds."""
        newest = sa.select(self._codes).where(self._bound == sa.bindparam("of"), *where)
        return Ready(newest.order_by(self._codes.c.created_at.desc(), self._codes.c.id.desc()).limit(1))


def new_id(*, is_long: bool) -> str:
    """The id of a code to come; that of a long one says so."""
    return crypto.new_id(LONG if is_long else "otp")


def digits_of(code_id: str) -> int:
    """How many digits the value has that the sendings of this code repeat: six, or eight."""
    return 8 if code_id.startswith(f"{LONG}_") else 6


def read_code(text: str, code_id: str = "") -> str:
    """The digits of a code as people type and paste them; raises BadInput for anything else, which is no guess and not counted (case 61).

    Where the code has eight, a flash call may have gone out as well, whose six are typed.
    """
    code, digits = _SPACES.sub("", text), digits_of(code_id)
    if len(code) in {6, digits} and re.fullmatch("[0-9]+", code):
        return code
    if not re.fullmatch("[0-9]*", code):
        raise BadInput(NOT_DIGITS if digits == 6 else NOT_EIGHT)
    if len(code) < digits:
        raise BadInput(TOO_SHORT if digits == 6 else SHORT_OF_EIGHT)
    raise BadInput(TOO_LONG if digits == 6 else OVER_EIGHT)


def derive_code(code_id: str, kind: str = REPEATED) -> str:
    """The six or eight digits of a code: derived, so that every sending says the same; each value is as likely as the others.

    `kind`: `repeated` is what text, spoken call and e-mail have in common; `flash_call` what the calling number ends in, always six.
    """
    counter, digits = 0, digits_of(code_id) if kind == REPEATED else 6
    unbiased = 2**32 - 2**32 % 10**digits
    while True:
        number = int.from_bytes(crypto.derive("phone code", code_id, kind, counter)[:4], "big")
        if number < unbiased:  # the rest of 2**32 would make the low codes likelier: take the next number instead
            return f"{number % 10**digits:0{digits}}"
        counter += 1


def is_over(row: Any) -> bool:
    """Whether no guess can win any more: used, too late, or all tries gone. A new sending is a new code then."""
    return bool(row["used_at"]) or row["expires_at"] <= clock.now() or row["tries"] >= settings().login.code_tries


def pause_after(sends: int) -> int:
    """How many seconds nothing more is sent, once the code went out `sends` times."""
    pauses = settings().login.code_pauses
    return pauses[min(sends, len(pauses)) - 1]


def write_down_wrong(code_id: str, tries_left: int, **personal: str) -> None:
    """A wrong guess, in the trail; where there were too many of them over all codes, the alarm is due now and not only at the next code."""
    details = {"code": code_id, "tries_left": tries_left}
    events.record(wrong_codes.EVENT, outcome="refused", details=details, personal=personal)
    wrong_codes.are_many()
