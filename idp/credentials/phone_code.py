"""The one-time code: six digits to a phone, for one sign-in, five guesses, five minutes, once (`product.md` §2, NIST SP 800-63B-4 §3.1.3).

It is sent by the channels of the ladder (`phone_sendings`): text, spoken call and e-mail repeat one value; of a flash call the last six
digits of the calling number are a second value, good once such a call was made. All of them share the five guesses and the five minutes.
While codes are guessed at (`wrong_codes`) the repeated value has eight digits, in every code that begins then; its id says so.

A guess goes through three calls, and the edge commits between the first and the second:
`guess` counts it by one conditional UPDATE, `judge` compares, `redeem` uses the code up by another one. So of a hundred guesses at once
exactly five are judged, and of two right ones exactly one wins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, events, limits, telemetry
from idp.config import settings
from idp.credentials import one_time_code, phone_limits, phone_sendings, wrong_codes
from idp.credentials.one_time_code import REPEATED, derive_code
from idp.credentials.phone_sendings import EMAIL, FLASH
from idp.credentials.tables import PhoneCode
from idp.db.columns import table
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.directory import users
from idp.errors import Gone, WorkNeeded
from idp.messages import spend, spend_ledger

SIGN_IN, FURTHER_PROOF = "sign_in", "further_proof"
FORMER_NUMBER, NEW_NUMBER = "former_number", "new_number"  # of a person who changes theirs
# NOTE: these codes show who holds the number, so none goes by e-mail: that of whoever has the number now would prove somebody else's.
BY_PHONE_ONLY = frozenset({FORMER_NUMBER, NEW_NUMBER})
AMR = {"sms": "sms", "voice": "tel", "flash_call": "tel", "email": "otp"}  # RFC 8176, as `claims.md` says
KNOWN_BROWSER_SENDS = 3  # a day, apart from the number's: whoever bombs the number does not lock out its owner's own browser
KNOWN_BROWSERS_SENDS = 9  # a day, of all of them together: else whoever earns on each message has a hundred browsers remembered
KEPT = timedelta(days=2)

SEAL = "phone code"
_codes = table(PhoneCode)
_sql = one_time_code.Statements(
    _codes,
    _codes.c.flow_id,
    counted=(_codes.c.phone, _codes.c.sent, _codes.c.budget, _codes.c.is_test),
    used={"channel": sa.bindparam("by")},
)
_OF_NUMBER = _sql.last(_codes.c.phone_digest == sa.bindparam("digest"), _codes.c.purpose == SIGN_IN)


@dataclass(frozen=True, slots=True)
class Transaction:
    """One code as a page may show it; the code itself is not in it.

    `sent`: the channel of each sending; `channel`: of the last one, or by which the value came that was typed. `next_send_at`: the end of
    the pause.
    """

    id: str
    purpose: str
    phone: str
    channel: str
    created_at: datetime
    expires_at: datetime
    next_send_at: datetime
    sent: tuple[str, ...]
    tries_left: int
    used_at: datetime | None
    is_test: bool

    @property
    def digits(self) -> int:
        """How many digits what is repeated has."""
        return one_time_code.digits_of(self.id)

    @property
    def is_open(self) -> bool:
        """Whether a guess can still win."""
        return self.used_at is None and self.tries_left > 0 and clock.now() < self.expires_at

    def progress(self) -> phone_sendings.Progress:
        """How its ladder stands: two looks at the database. The further proof has one rung."""
        only = (EMAIL,) if self.purpose == FURTHER_PROOF else phone_sendings.by_phone(self.phone) if self.purpose in BY_PHONE_ONLY else None
        return phone_sendings.progress(self.id, self.phone, self.sent, self.next_send_at, only=only)


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess that has been counted and may now be judged, against this transaction's number and no other (case 58).

    `sent`: the channels by which something was sent; `channel`: the one by which the value that was typed came, once it was judged right.
    `marks`: under which it was counted, and for whom (`phone_limits.count_guess`).
    """

    id: str
    phone: str
    sent: tuple[str, ...]
    tries_left: int
    is_test: bool
    marks: tuple[tuple[str, int], ...]
    channel: str = ""


def begin(
    phone: str,
    *,
    flow_id: str,
    purpose: str,
    language: str,
    network: str,
    device_id: str | None = None,
    channel: str | None = None,
    work: str | None = None,
) -> Transaction:
    """Open a transaction for `phone` (E.164) and send its code; the same work whether anybody has the number (case 70).

    `network`: the caller's, as limits count it. `device_id`: the trusted browser of the person with this number, which has limits of its
    own. `channel`: by which to begin, if it is offered, else by the ladder's first; the further proof goes by e-mail and no other way.
    `work`: what the browser did for it, as `spend.require_open` knows it. Raises TooManyTries, WorkNeeded.
    """
    login, now = settings().login, clock.now()
    if purpose in BY_PHONE_ONLY and channel == EMAIL:
        channel = None
    channel = EMAIL if purpose == FURTHER_PROOF else phone_sendings.first(phone, channel)
    budget = phone_limits.budget(phone, device_id)
    is_test = _is_test(phone)
    phone_limits.require_open(budget)
    if purpose == FURTHER_PROOF:
        phone_limits.require_open(phone_limits.further(phone))
    is_guessed = wrong_codes.are_many() and not is_test
    if is_guessed and purpose == SIGN_IN and work is None and not _is_known(phone, budget):
        telemetry.count_limited("wrong_codes")
        raise WorkNeeded(detail="wrong codes over all numbers")
    code_id = one_time_code.new_id(is_long=is_guessed)
    paid = None if is_test else _spend(phone, channel, budget, network, code_id=code_id, purpose=purpose, work=work)
    row: dict[str, Any] = {
        "id": code_id,
        "flow_id": flow_id,
        "purpose": purpose,
        "phone": crypto.seal(SEAL, phone),
        "phone_digest": phone_limits.phone_digest(phone),
        "budget": budget,
        "channel": channel,
        "language": language,
        "network": network,
        "is_test": is_test,
        "tries": 0,
        "sends": 1,
        "sent": [channel],
        "created_at": now,
        "expires_at": now + timedelta(seconds=login.code_lifetime),
        "next_send_at": now + timedelta(seconds=one_time_code.pause_after(1)),
    }
    insert_or_ignore(PhoneCode, **row)
    _send(paid, row, 0, channel, phone)
    details = {"code": row["id"], "purpose": purpose, "channel": channel, "test": is_test}
    events.record("code.sent", details=details, personal={"phone": phone})
    return _shown({**row, "used_at": None}, phone)


def find(code_id: str, flow_id: str) -> Transaction | None:
    """The transaction, if it belongs to this sign-in."""
    row = session.execute(_sql.find, {"code_id": code_id, "of": flow_id}).mappings().one_or_none()
    return _shown(row, crypto.unseal(SEAL, row["phone"])) if row else None


def find_last(phone: str, flow_id: str) -> Transaction | None:
    """The last transaction that is to prove this number (E.164) in this sign-in; never the one of a further proof."""
    row = session.execute(_OF_NUMBER, {"of": flow_id, "digest": phone_limits.phone_digest(phone)}).mappings().one_or_none()
    return _shown(row, phone) if row else None


def find_of(flow_id: str, purpose: str) -> Transaction | None:
    """The last transaction of this sign-in or session for this purpose."""
    row = session.execute(_sql.last_for_purpose, {"of": flow_id, "for_purpose": purpose}).mappings().one_or_none()
    return _shown(row, crypto.unseal(SEAL, row["phone"])) if row else None


def resend(code_id: str, flow_id: str, channel: str, *, work: str | None = None) -> None:
    """Send the code once more by `channel`; it does not live longer for it, and the tries go on.

    Raises Gone (over: a new sending is a new transaction), NotOpen (too early, no more, or not this way now), TooManyTries (the number's or
    the network's limit), WorkNeeded.
    """
    row = session.execute(_sql.lock, {"code_id": code_id, "of": flow_id}).mappings().one_or_none()
    if row is None or one_time_code.is_over(row):
        raise Gone(one_time_code.TIME_OVER)
    phone = crypto.unseal(SEAL, row["phone"])
    _shown(row, phone).progress().require(channel)
    paid = None
    if not row["is_test"]:
        paid = _spend(phone, channel, row["budget"], row["network"], code_id=code_id, purpose=row["purpose"], work=work)
    now, sends = clock.now(), row["sends"] + 1
    pause = timedelta(seconds=one_time_code.pause_after(sends))
    after = {"sends": sends, "sent": [*row["sent"], channel], "channel": channel, "next_send_at": now + pause}
    if not changed(_sql.again, code_id=code_id, so_far=row["sends"], now=now, **after):
        return  # the button was pressed twice: the other press sends it
    _send(paid, row, row["sends"], channel, phone)
    details = {"code": row["id"], "purpose": row["purpose"], "channel": channel, "again": row["sends"]}
    events.record("code.sent", details=details, personal={"phone": phone})


def guess(code_id: str, flow_id: str, *, purpose: str = SIGN_IN) -> Guess | None:
    """Count one guess; None when this code takes no more of them (used, expired, five guessed, another sign-in's).

    The caller commits before it calls `judge`, so a guess whose answer was seen is a guess that was counted, whatever crashes.
    Raises TooManyTries when the number has no guesses left, over all sign-ins.
    """
    now, tries = clock.now(), settings().login.code_tries
    of = {"code_id": code_id, "of": flow_id, "for_purpose": purpose, "most": tries, "now": now}
    row = session.execute(_sql.count, of).one_or_none()
    if row is None:
        return None
    phone, subjects = crypto.unseal(SEAL, row.phone), [row.budget]
    if purpose == FURTHER_PROOF:
        subjects.append(phone_limits.further(phone))
        phone_limits.require_open(subjects[-1])  # before anything is counted
    marks = tuple((subject, phone_limits.count_guess(subject)) for subject in subjects)
    return Guess(code_id, phone, tuple(row.sent), tries - row.tries, row.is_test, marks)


def judge(guess: Guess, code: str) -> Guess | None:
    """The guess with the channel by which `code` (of `read_code`) came, if it is right; None, and written down, when it is wrong.

    Takes the same time for every wrong one. A value that was never sent is not right.
    """
    found = [by for by, value in _values(guess) if crypto.equal(value, code)]
    channel = found[0] if found else None
    if found and channel == REPEATED:
        channel = phone_sendings.by_phone_or_mail(guess.id, guess.phone, [each for each in guess.sent if each != FLASH])
    if channel:
        return replace(guess, channel=channel)
    one_time_code.write_down_wrong(guess.id, guess.tries_left, phone=guess.phone)
    return None


def redeem(guess: Guess) -> bool:
    """Use the code up after a right guess (of `judge`); False when it was used or ran out meanwhile: then nothing may follow from it."""
    now = clock.now()
    begun = session.execute(_sql.use, {"code_id": guess.id, "now": now, "by": guess.channel}).scalar_one_or_none()
    if begun is None:
        return False
    telemetry.observe_code((now - begun).total_seconds())
    for subject, mark in guess.marks:
        phone_limits.give_back(subject, mark)
    spend_ledger.note_verified(guess.id)  # after all else that is locked here: the rows of a budget are everybody's
    if guess.is_test:
        events.record("code.test_number_used", details={"code": guess.id}, personal={"phone": guess.phone})
    return True


def sweep(now: datetime) -> int:
    """Delete transactions that have been over for two days."""
    return delete_some(PhoneCode, _codes.c.expires_at < now - KEPT)


def _shown(row: Any, phone: str) -> Transaction:
    login = settings().login
    return Transaction(
        id=row["id"],
        purpose=row["purpose"],
        phone=phone,
        channel=row["channel"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        next_send_at=row["next_send_at"],
        sent=tuple(row["sent"]),
        tries_left=max(0, login.code_tries - row["tries"]),
        used_at=row["used_at"],
        is_test=row["is_test"],
    )


def _is_test(phone: str) -> bool:
    """Whether the fixed code of the settings holds for `phone`; in production only for people who are marked `test`."""
    if phone not in settings().login.test_numbers:
        return False
    if settings().server.environment != "production":
        return True
    user = users.find_by_phone(phone)
    return user is not None and user.is_test


def _values(guess: Guess) -> list[tuple[str, str]]:
    """What is right for this guess, and of which kind it is."""
    if guess.is_test:
        right = settings().login.test_numbers.get(guess.phone, "")
        return [(guess.sent[-1], right)] if right else []
    values = [(FLASH, derive_code(guess.id, FLASH))] if FLASH in guess.sent else []
    if any(each != FLASH for each in guess.sent):
        values.append((REPEATED, derive_code(guess.id)))
    return values


def _own(number: str, budget: str) -> tuple[tuple[str, str, int], ...]:
    """The limits under which a known browser's messages count, apart from the number's."""
    return (("code_known_browser", budget, KNOWN_BROWSER_SENDS), ("code_known_browsers", number, KNOWN_BROWSERS_SENDS))


def _is_known(phone: str, budget: str) -> bool:
    """Whether it is a browser that knows the person, with a message of its own left today."""
    number = phone_limits.phone_digest(phone)
    return budget != number and all(
        limits.would_allow(*of, limit=most, window_seconds=phone_limits.DAY) for *of, most in _own(number, budget)
    )


def _spend(phone: str, channel: str, budget: str, network: str, *, code_id: str, purpose: str, work: str | None) -> str:
    """Count one message: its money, against the number over all purposes, and against the network; answers the id it is sent under.

    Raises TooManyTries, and WorkNeeded before anything is counted.
    """
    login = settings().login
    number = phone_limits.phone_digest(phone)
    is_known = _is_known(phone, budget)
    ticket = spend.require_open(phone, channel, network=network, work=work, is_known=is_known)
    if is_known:
        for *of, most in _own(number, budget):
            limits.spend(*of, limit=most, window_seconds=phone_limits.DAY)
    else:
        limits.spend("code_network", network, limit=login.network_messages_per_hour, window_seconds=phone_limits.HOUR)
        phone_limits.count_message(phone)
    return spend.admit(ticket, purpose=purpose, code_id=code_id)


def _send(paid: str | None, row: Any, place: int, channel: str, phone: str) -> None:
    """Put the code of a transaction into the outbox, under the id it was paid for; a test number's is not sent."""
    if paid is not None:
        value = derive_code(row["id"], FLASH) if channel == FLASH else derive_code(row["id"])
        how = {"phone": phone, "language": row["language"], "value": value, "expires_at": row["expires_at"]}
        phone_sendings.send(row["id"], place, channel, message_id=paid, **how)
