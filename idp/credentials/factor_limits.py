"""How often a person's further factors (`totp`, `recovery_codes`) may be guessed at: 5 times in one sign-in, and over all sign-ins as often
as codes to a number (`phone_limits`): 10 wrong ones an hour, 20 a day, 100 in a row.

A guess is counted before it is looked at and given back when it was right. A browser that knows the person counts apart from everybody
else: whoever holds a stolen number and burns the guesses does not lock its owner out of it.
"""

from __future__ import annotations

from typing import NamedTuple

from idp import crypto, limits
from idp.config import settings
from idp.credentials import phone_limits
from idp.credentials.phone_limits import Words
from idp.errors import N_, TooManyTries

ALL_TRIED = N_("Too many wrong codes in this sign-in. Prove it another way, or start again.")


class Counted(NamedTuple):
    """A guess that was counted: under which mark and for whom, and how many this sign-in has left."""

    subject: str
    mark: int
    tries_left: int


def subject(factor: str, user_id: str, device_id: str | None = None) -> str:
    """Whose guesses count: the person's, or, from a browser that knows them, that browser's own."""
    return crypto.derive("factor guesses", factor, user_id, device_id or "").hex()


def count(factor: str, user_id: str, words: Words, *, for_id: str, device_id: str | None) -> Counted:
    """Count one guess at `factor`; `for_id`: the sign-in in which it is made. Raises TooManyTries.

    The caller commits before it looks at the guess, so that one whose answer was seen is one that was counted, whatever crashes.
    """
    login, whose = settings().login, subject(factor, user_id, device_id)
    phone_limits.require_open(whose, words)  # before anything is counted
    try:
        left = limits.spend(factor, for_id, limit=login.code_tries, window_seconds=login.flow_lifetime)
    except TooManyTries as refusal:
        refusal.message, refusal.retry_at = ALL_TRIED, None  # nothing to wait for: this sign-in takes no more of them
        raise
    return Counted(whose, phone_limits.count_guess(whose, words), left)


def give_back(counted: Counted) -> None:
    """It was right."""
    phone_limits.give_back(counted.subject, counted.mark)


def forget(factor: str, user_id: str, device_ids: list[str]) -> bool:
    """What was guessed at a factor counts no more, in no browser: support's decision. Answers whether there was anything."""
    subjects = [subject(factor, user_id, device_id) for device_id in (None, *device_ids)]
    return sum(phone_limits.forget(each) for each in subjects) > 0
