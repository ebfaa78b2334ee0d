"""How often a number may be guessed at and written to, over all sign-ins, browsers and networks: 10 wrong codes an hour, 20 a day, 100
in a row; 10 messages a day. The hours and days slide: ten messages before midnight and ten after it are twenty. The same for an address.

A guess is counted before it is looked at and given back when it was right, so that people who type well are never hurt. A browser that
knows the person counts apart from everybody else: a stranger who burns the number's guesses does not lock its owner out.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.config import settings
from idp.credentials.tables import Device, PhoneGuesses
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.directory.names import canonical_email
from idp.directory.tables import User
from idp.errors import N_, TooManyTries

HOUR = 3600
DAY = 86400
KEPT = timedelta(days=400)  # a row that long untouched holds nothing but a count in a row

_rows, _devices, _users = table(PhoneGuesses), table(Device), table(User)
_FOUND = Ready(sa.select(_rows).where(_rows.c.digest == sa.bindparam("subject")))
_LOCKED = Ready(_FOUND.statement.with_for_update())
_WRITE = Ready(sa.update(_rows).where(_rows.c.digest == sa.bindparam("subject")))
_OWNER = Ready(
    sa.select(_users.c.id.label("user_id"), _users.c.email, _devices.c.id.label("device_id"))
    .select_from(_users.outerjoin(_devices, (_devices.c.user_id == _users.c.id) & _devices.c.removed_at.is_(None)))
    .where(_users.c.phone == sa.bindparam("of_phone"))
)

TOO_MANY_WRONG = N_("Too many wrong codes were entered for this number.")
TOO_MANY_MESSAGES = N_("Too many codes were sent to this number. Wait for a while, or use another number.")
CODES_OFF = N_("Codes are off for this number: too many wrong ones were entered in a row. Write to support.")


class Words(NamedTuple):
    """What is said of a number, or of an address, when there were too many."""

    wrong: str
    messages: str
    off: str


OF_A_NUMBER = Words(TOO_MANY_WRONG, TOO_MANY_MESSAGES, CODES_OFF)
OF_AN_ADDRESS = Words(
    N_("Too many wrong codes were entered for this address."),
    N_("Too many codes were sent to this address. Wait for a while, or use another one."),
    N_("Codes are off for this address: too many wrong ones were entered in a row. Write to support."),
)


def phone_digest(phone: str) -> str:
    """What stands for a number (E.164) where only equality matters: an HMAC, since there are too few numbers for a plain digest."""
    return crypto.derive("phone", phone).hex()


def address_digest(address: str) -> str:
    """What stands for an e-mail address: the same for every way to write it. Raises BadInput when it is none."""
    return crypto.derive("email address", canonical_email(address)).hex()


def budget(phone: str, device_id: str | None = None) -> str:
    """Whose limits count: the number's, or, from a browser that this person trusts, that browser's own for the number."""
    return crypto.derive("phone budget", phone, device_id).hex() if device_id else phone_digest(phone)


def further(phone: str) -> str:
    """Whose wrong codes of a further proof count, besides the number's: who holds the number ends its row with every right code."""
    return crypto.derive("phone budget", phone, "further_proof").hex()


def require_open(subject: str, words: Words = OF_A_NUMBER) -> None:
    """Raise TooManyTries while codes for `subject` (of `budget`) are off: what is sent could not be entered."""
    row = session.execute(_FOUND, {"subject": subject}).one_or_none()
    if row is not None:
        _judge(row.recent, row.in_a_row, clock.now(), words)


def count_guess(subject: str, words: Words = OF_A_NUMBER) -> int:
    """Count one guess against `subject` and answer its mark, for `give_back`. Raises TooManyTries, and then nothing is counted.

    The row is locked between looking and writing, so a hundred guesses at once are counted one after the other.
    """
    now = clock.now()
    row = _locked(subject, now)
    recent = _judge(row.recent, row.in_a_row, now, words)
    mark = _micros(now)
    while mark in recent:  # two in one microsecond
        mark += 1
    _write(subject, recent=[*recent, mark], in_a_row=row.in_a_row + 1, changed_at=now)
    return mark


def count_message(phone: str) -> None:
    """Count one message to `phone` (E.164), over all purposes. Raises TooManyTries, and then nothing is counted."""
    _count_message(phone_digest(phone), OF_A_NUMBER)


def count_mail(address: str) -> None:
    """The same for a mail to `address`."""
    _count_message(address_digest(address), OF_AN_ADDRESS)


def _count_message(subject: str, words: Words) -> None:
    now, most = clock.now(), settings().login.number_messages_per_day
    row = _locked(subject, now)
    day = [each for each in row.sent if each > _micros(now) - DAY * 1_000_000]
    if len(day) >= most:
        raise _wait(words.messages, day[-most], DAY, now)
    _write(subject, sent=[*day, _micros(now)], changed_at=now)


def give_back(subject: str, mark: int) -> None:
    """The guess with this mark was right: it does not count, and nothing is wrong in a row any more."""
    row = session.execute(_LOCKED, {"subject": subject}).one_or_none()
    if row is not None:
        kept = [each for each in row.recent if each != mark]
        _write(subject, recent=kept, in_a_row=0, changed_at=clock.now())


def wrong_lately(phone: str) -> int:
    """How many codes for this number were guessed wrong in the last hour."""
    row = session.execute(_FOUND, {"subject": phone_digest(phone)}).one_or_none()
    since = _micros(clock.now()) - HOUR * 1_000_000
    return sum(mark > since for mark in row.recent) if row is not None else 0


def is_off(phone: str) -> bool:
    """Whether codes for this number are off until somebody turns them on: a hundred wrong ones in a row."""
    row = session.execute(_FOUND, {"subject": phone_digest(phone)}).one_or_none()
    return row is not None and row.in_a_row >= settings().login.number_wrong_in_a_row


def turn_on(phone: str, *, actor_id: str | None = None) -> bool:
    """Codes for this number (E.164) work again, whatever was entered before: support's decision. Answers whether there was anything to
    forget, which is an event. The browsers that know the person count apart; what they counted is forgotten as well, and what was entered
    for their address.
    """
    owner = session.execute(_OWNER, {"of_phone": phone}).all()
    browsers = [budget(phone, row.device_id) for row in owner if row.device_id]
    addresses = {address_digest(row.email) for row in owner if row.email}
    subjects = [phone_digest(phone), further(phone), *browsers, *sorted(addresses)]
    forgotten = sum(forget(subject) for subject in subjects)
    if forgotten:
        user_id = owner[0].user_id if owner else None
        events.record("phone.codes_turned_on", user_id=user_id, actor_id=actor_id, personal={"phone": phone})
    return forgotten > 0


def forget(subject: str) -> bool:
    """What was guessed at `subject` counts no more: an operator's word. Answers whether there was anything to count."""
    return _write(subject, recent=[], in_a_row=0, changed_at=clock.now()) > 0


def sweep(now: datetime) -> int:
    """Delete rows that have not changed for more than a year."""
    return delete_some(PhoneGuesses, _rows.c.changed_at < now - KEPT)


def _locked(subject: str, now: datetime) -> Any:
    """The subject's row, ours until the commit. The same work whether there was one: it would show who has been here (case 70)."""
    insert_or_ignore(PhoneGuesses, digest=subject, recent=[], sent=[], in_a_row=0, changed_at=now)
    return session.execute(_LOCKED, {"subject": subject}).one()


def _write(subject: str, **values: Any) -> int:
    return changed(_WRITE, subject=subject, **values)


def _micros(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def _judge(recent: list[int], in_a_row: int, now: datetime, words: Words) -> list[int]:
    """The guesses of the last day; raises TooManyTries when there were as many as there may be."""
    login = settings().login
    if in_a_row >= login.number_wrong_in_a_row:
        raise TooManyTries(words.off, retry_after=DAY)
    day = [each for each in recent if each > _micros(now) - DAY * 1_000_000]
    hour = [each for each in day if each > _micros(now) - HOUR * 1_000_000]
    for marks, most, seconds in ((day, login.number_wrong_per_day, DAY), (hour, login.number_wrong_per_hour, HOUR)):
        if len(marks) >= most:
            raise _wait(words.wrong, marks[-most], seconds, now)
    return day


def _wait(text: str, mark: int, seconds: int, now: datetime) -> TooManyTries:
    """Until the oldest that still counts is `seconds` old."""
    free = datetime.fromtimestamp(mark / 1_000_000, UTC) + timedelta(seconds=seconds)
    return TooManyTries(text, retry_after=max(1, int((free - now).total_seconds()) + 1), retry_at=free)
