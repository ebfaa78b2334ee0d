"""A one-time code to an e-mail address: six digits, for one purpose of one sign-in or session, five guesses, five minutes, once.

The same rules as for a code to a phone (`phone_code`), over a table of its own; a value is derived from the row's id, and a guess goes
through the same three calls, `guess`, commit, `judge`, `redeem`. While codes are guessed at it has eight digits as well.

NOTE: to whoever types an address nothing may tell whether somebody has it (case 70, goal G-7). With `send=False` all is counted and written
as ever, a mail goes to nobody, and no guess is right.
NIST SP 800-63B-4 §3.1.3.1: e-mail is no proof of a device that the person holds; what a code by mail is worth says `login/policy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from idp import clock, crypto, events, limits, telemetry
from idp.config import settings
from idp.credentials import one_time_code, phone_limits, wrong_codes
from idp.credentials.phone_limits import OF_AN_ADDRESS
from idp.credentials.phone_sendings import NOBODY, TOO_EARLY, NotOpen
from idp.credentials.tables import EmailCode
from idp.db.columns import table
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.errors import N_, Gone
from idp.messages import channels

WORDING = "email_code"
KEPT = timedelta(days=2)
SEAL = "email code"

ALL_SENT = N_("No more codes are sent now. Wait for the last one, or start again later.")

_codes = table(EmailCode)
_sql = one_time_code.Statements(_codes, _codes.c.for_id, counted=(_codes.c.address, _codes.c.is_sent), used={}, is_sent=True)


@dataclass(frozen=True, slots=True)
class Sent:
    """One code as a page may show it; the code itself is not in it. `next_send_at`: the end of the pause."""

    id: str
    purpose: str
    address: str
    created_at: datetime
    expires_at: datetime
    next_send_at: datetime
    sends: int
    tries_left: int
    used_at: datetime | None

    @property
    def digits(self) -> int:
        """How many digits the code has."""
        return one_time_code.digits_of(self.id)

    @property
    def is_open(self) -> bool:
        """Whether a guess can still win."""
        return self.used_at is None and self.tries_left > 0 and clock.now() < self.expires_at

    @property
    def has_sendings_left(self) -> bool:
        """Whether it can be sent again, once the pause is over."""
        return self.is_open and self.sends < settings().login.code_sends


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess that has been counted and may now be judged, against this transaction's code and no other. `mark`: under which."""

    id: str
    address: str
    tries_left: int
    mark: int
    is_sent: bool


def begin(address: str, *, for_id: str, purpose: str, language: str, network: str, send: bool = True) -> Sent:
    """Open a transaction for `address` and send its code; with `send=False` the same work, and nothing is sent (case 70).

    `address`: the stored one, where there is one, never what was typed (case 98). `for_id`: the sign-in or session that it is bound to.
    `network`: the caller's, as limits count it. Raises BadInput (no address), TooManyTries.
    """
    login, now = settings().login, clock.now()
    digest = phone_limits.address_digest(address)
    phone_limits.require_open(digest, OF_AN_ADDRESS)
    code_id = one_time_code.new_id(is_long=wrong_codes.are_many())
    _count(address, network)
    row: dict[str, Any] = {
        "id": code_id,
        "for_id": for_id,
        "purpose": purpose,
        "address": crypto.seal(SEAL, address),
        "address_digest": digest,
        "language": language,
        "network": network,
        "is_sent": send,
        "tries": 0,
        "sends": 1,
        "created_at": now,
        "expires_at": now + timedelta(seconds=login.code_lifetime),
        "next_send_at": now + timedelta(seconds=one_time_code.pause_after(1)),
        "used_at": None,
    }
    insert_or_ignore(EmailCode, **row)
    _send(row, address)
    events.record("code.sent", details={"code": code_id, "purpose": purpose, "channel": "email"}, personal={"email": address})
    return _shown(row, address)


def find(code_id: str, for_id: str) -> Sent | None:
    """The transaction, if it belongs to this sign-in or session."""
    return _found(session.execute(_sql.find, {"code_id": code_id, "of": for_id}))


def find_last(for_id: str, *, purpose: str) -> Sent | None:
    """The last transaction of this sign-in or session for this purpose."""
    return _found(session.execute(_sql.last_for_purpose, {"of": for_id, "for_purpose": purpose}))


def resend(code_id: str, for_id: str) -> None:
    """Send the code once more; it does not live longer for it, and the tries go on.

    Raises Gone (over: a new sending is a new transaction), NotOpen (too early, or no more), TooManyTries (the address's or the network's
    limit).
    """
    login, now = settings().login, clock.now()
    row = session.execute(_sql.lock, {"code_id": code_id, "of": for_id}).mappings().one_or_none()
    if row is None or one_time_code.is_over(row):
        raise Gone(one_time_code.TIME_OVER)
    if row["sends"] >= login.code_sends:
        raise NotOpen(ALL_SENT)
    if row["next_send_at"] > now:
        wait = int((row["next_send_at"] - now).total_seconds()) + 1
        raise NotOpen(TOO_EARLY, retry_after=wait, retry_at=row["next_send_at"])
    address = crypto.unseal(SEAL, row["address"])
    _count(address, row["network"])
    sends = row["sends"] + 1
    after = {"sends": sends, "next_send_at": now + timedelta(seconds=one_time_code.pause_after(sends))}
    if not changed(_sql.again, code_id=code_id, so_far=row["sends"], now=now, **after):  # pressed twice: the other press sends it
        return
    _send(row, address)
    details = {"code": code_id, "purpose": row["purpose"], "channel": "email", "again": row["sends"]}
    events.record("code.sent", details=details, personal={"email": address})


def guess(code_id: str, for_id: str, *, purpose: str) -> Guess | None:
    """Count one guess; None when this code takes no more of them (used, expired, five guessed, another's, for something else).

    The caller commits before it calls `judge`. Raises TooManyTries when the address has no guesses left.
    """
    of = {"code_id": code_id, "of": for_id, "for_purpose": purpose, "most": settings().login.code_tries, "now": clock.now()}
    row = session.execute(_sql.count, of).one_or_none()
    if row is None:
        return None
    address = crypto.unseal(SEAL, row.address)
    mark = phone_limits.count_guess(phone_limits.address_digest(address), OF_AN_ADDRESS)
    return Guess(code_id, address, settings().login.code_tries - row.tries, mark, row.is_sent)


def judge(guess: Guess, code: str) -> bool:
    """Whether `code` (of `read_code`) is right; a wrong one is written down. It takes the same time for every wrong one."""
    if crypto.equal(one_time_code.derive_code(guess.id), code) and guess.is_sent:
        return True
    one_time_code.write_down_wrong(guess.id, guess.tries_left, email=guess.address)
    return False


def redeem(guess: Guess) -> bool:
    """Use the code up after a right guess (of `judge`); False when it was used or ran out meanwhile: then nothing may follow from it."""
    now = clock.now()
    begun = session.execute(_sql.use, {"code_id": guess.id, "now": now}).scalar_one_or_none()
    if begun is None:
        return False
    telemetry.observe_code((now - begun).total_seconds())
    phone_limits.give_back(phone_limits.address_digest(guess.address), guess.mark)
    return True


def sweep(now: datetime) -> int:
    """Delete transactions that have been over for two days."""
    return delete_some(EmailCode, _codes.c.expires_at < now - KEPT)


def _count(address: str, network: str) -> None:
    """Count one mail: against the network, with all other codes, and against the address, over all purposes. Raises TooManyTries."""
    most = settings().login.network_messages_per_hour
    limits.spend("code_network", network, limit=most, window_seconds=phone_limits.HOUR)
    phone_limits.count_mail(address)


def _send(row: Any, address: str) -> None:
    """Put the code into the outbox; where nothing is to go out, a mail to nobody that has expired before it could."""
    to, until = (address, row["expires_at"]) if row["is_sent"] else (NOBODY, clock.now())
    channels.send("email", to, WORDING, row["language"], code=one_time_code.derive_code(row["id"]), expires_at=until)


def _found(result: Any) -> Sent | None:
    row = result.mappings().one_or_none()
    return _shown(row, crypto.unseal(SEAL, row["address"])) if row else None


def _shown(row: Any, address: str) -> Sent:
    return Sent(
        id=row["id"],
        purpose=row["purpose"],
        address=address,
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        next_send_at=row["next_send_at"],
        sends=row["sends"],
        tries_left=max(0, settings().login.code_tries - row["tries"]),
        used_at=row["used_at"],
    )
