"""How often somebody's password may be guessed at: five times as quick as one types, then with pauses; ten wrong ones an hour and twenty a
day lock the login for a while; after a hundred in a row it is shut until the password is set anew or support opens it.

What is counted is the login that was typed, in the form in which two logins are the same: so one that nobody has locks as any other does
(G-7), and nothing shows which number and which address belong together. A browser that knows the person counts apart (`subject`): a
stranger never locks anybody out of it. A guess is counted and committed before it is looked at, and given back when it was right.

Somebody who tries one password with many logins meets no login's limit (case 95). So wrong ones are also counted by network; from one that
has used up its share only browsers that know the person go on, everybody else signs in by phone and code.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, events, limits
from idp.config import settings
from idp.credentials.tables import Device, PasswordGuesses
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.errors import N_, TooManyTries

HOUR, DAY = 3600, 86400
FREE = 5  # wrong ones within an hour, until there are pauses
PAUSES = (30, 60, 120)  # seconds after the fifth, the sixth, all later ones
KEPT = timedelta(days=400)
NETWORK = "password_network"

_rows, _devices = table(PasswordGuesses), table(Device)
_FOUND = Ready(sa.select(_rows).where(_rows.c.digest == sa.bindparam("of_subject")))
_LOCKED = Ready(_FOUND.statement.with_for_update())
_WRITE = Ready(sa.update(_rows).where(_rows.c.digest == sa.bindparam("of_subject")))

SLOWER = N_("Several wrong passwords in a row: there is a pause now.")
LOCKED = N_("Too many wrong passwords. Signing in with this password is locked for a while.")
SHUT = N_("Too many wrong passwords in a row. Set a new one by “Forgotten password”, or write to support.")
NETWORK_SPENT = N_("Too many wrong passwords came from your network. Sign in with phone and code, or come back later.")


class Locked(TooManyTries):
    """No password is looked at until `retry_at`; without one, until it is set anew or support opens it."""


def subject(login: str, device_id: str | None = None) -> str:
    """Whose guesses are counted: those at `login` (canonical), or, from a browser that this person trusts, that browser's own."""
    return crypto.derive("password guesses", login, *([device_id] if device_id else [])).hex()


def require_open(of: str) -> None:
    """Raise TooManyTries while no guess at this subject is looked at. It counts nothing, so it decides nothing: `count_guess` does."""
    row = session.execute(_FOUND, {"of_subject": of}).one_or_none()
    if row is not None:
        _judge(row.recent, row.in_a_row, clock.now())


def count_guess(of: str) -> int:
    """Count one guess against a subject and answer its mark, for `give_back`. Raises TooManyTries, and then nothing is counted.

    The row is locked between looking and writing, so a hundred guesses at once are counted one after the other.
    """
    now = clock.now()
    insert_or_ignore(PasswordGuesses, digest=of, recent=[], in_a_row=0, changed_at=now)
    row = session.execute(_LOCKED, {"of_subject": of}).one()
    _judge(row.recent, row.in_a_row, now)
    mark, recent = _micros(now), [each for each in row.recent if each > _micros(now) - 2 * DAY * 1_000_000]
    while mark in recent:  # two in one microsecond
        mark += 1
    changed(_WRITE, of_subject=of, recent=[*recent, mark], in_a_row=row.in_a_row + 1, changed_at=now)
    return mark


def give_back(of: str, mark: int) -> None:
    """The guess with this mark was right: it does not count, and nothing is wrong in a row any more.

    NOTE: the others of the last day stay. Else whoever knows a second password of their own could wipe out what they guessed before.
    """
    row = session.execute(_LOCKED, {"of_subject": of}).one_or_none()
    if row is not None:
        changed(_WRITE, of_subject=of, recent=[each for each in row.recent if each != mark], in_a_row=0, changed_at=clock.now())


def wrong(of: str, network: str, *, is_known: bool, user_id: str | None, login: str) -> None:
    """The guess that was counted last was wrong: count it by network too, and write down when it was the one that locks the login.

    NOTE: a lock that is over when its oldest guess is so long ago comes back with one more: that is still the same, and no news.
    """
    if not is_known:
        limits.count(NETWORK, network, window_seconds=HOUR)
    row = session.execute(_FOUND, {"of_subject": of}).one()
    try:
        _judge(row.recent, row.in_a_row, clock.now())
    except Locked as locked:
        if row.in_a_row != settings().login.password_wrong_in_a_row and _was_locked(row.recent[:-1]):
            return
        until = None if locked.retry_at is None else locked.retry_at.isoformat()
        details = {"until": until, "known_browser": is_known}
        events.record("password.locked", outcome="refused", user_id=user_id, details=details, personal={"login": login})
    except TooManyTries:
        pass


def require_network(network: str) -> None:
    """Raise TooManyTries when too many wrong passwords came from this network within the hour."""
    try:
        limits.require_left(NETWORK, network, limit=settings().login.network_wrong_passwords_per_hour, window_seconds=HOUR)
    except TooManyTries as e:
        raise TooManyTries(NETWORK_SPENT, retry_after=e.retry_after, retry_at=e.retry_at, detail=e.detail) from e


def locked_until(of: str) -> datetime | None:
    """When the next guess is looked at; None: now, or (`is_shut`) not before somebody opens it."""
    row = session.execute(_FOUND, {"of_subject": of}).one_or_none()
    try:
        if row is not None:
            _judge(row.recent, row.in_a_row, clock.now())
    except TooManyTries as e:
        return e.retry_at
    return None


def is_shut(of: str) -> bool:
    """Whether nothing but a new password or support opens it."""
    row = session.execute(_FOUND, {"of_subject": of}).one_or_none()
    return row is not None and row.in_a_row >= settings().login.password_wrong_in_a_row


def forget(logins: list[str], user_id: str | None) -> bool:
    """Nothing counts any more that was guessed at these logins, from wherever; answers whether there was anything."""
    theirs = sa.select(_devices.c.id).where(_devices.c.user_id == user_id, _devices.c.removed_at.is_(None))
    devices = list(session.scalars(theirs)) if user_id is not None else []
    now, forgotten = clock.now(), 0
    for of in (subject(login, device) for login in logins for device in (None, *devices)):
        row = session.execute(_LOCKED, {"of_subject": of}).one_or_none()
        if row is not None and (row.recent or row.in_a_row):
            forgotten += changed(_WRITE, of_subject=of, recent=[], in_a_row=0, changed_at=now)
    return forgotten > 0


def sweep(now: datetime) -> int:
    """Delete rows that have not changed for more than a year."""
    return delete_some(PasswordGuesses, _rows.c.changed_at < now - KEPT)


def _was_locked(recent: list[int]) -> bool:
    """Whether the last of these locked the login, or left it locked; two days of them are kept, so that it can be told."""
    try:
        _judge(recent, 0, _at(recent[-1]) if recent else clock.now())
    except Locked:
        return True
    except TooManyTries:
        pass
    return False


def _judge(recent: list[int], in_a_row: int, now: datetime) -> None:
    """Raises Locked when there were as many wrong ones as there may be, TooManyTries in a pause."""
    login = settings().login
    if in_a_row >= login.password_wrong_in_a_row:
        raise Locked(SHUT, retry_after=DAY)
    day = [each for each in recent if each > _micros(now) - DAY * 1_000_000]
    hour = [each for each in day if each > _micros(now) - HOUR * 1_000_000]
    for marks, most, seconds in ((day, login.password_wrong_per_day, DAY), (hour, login.password_wrong_per_hour, HOUR)):
        if len(marks) >= most:
            raise Locked(LOCKED, **_until(marks[-most], seconds, now))
    if len(hour) >= FREE:
        pause = PAUSES[min(len(hour) - FREE, len(PAUSES) - 1)]
        wait = _until(hour[-1], pause, now)
        if wait["retry_at"] > now:
            raise TooManyTries(SLOWER, **wait)


def _until(mark: int, seconds: int, now: datetime) -> dict[str, Any]:
    """Until what was counted under `mark` is `seconds` old."""
    free = _at(mark) + timedelta(seconds=seconds)
    return {"retry_at": free, "retry_after": max(1, int((free - now).total_seconds()) + 1)}


def _at(mark: int) -> datetime:
    return datetime.fromtimestamp(mark / 1_000_000, UTC)


def _micros(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)
