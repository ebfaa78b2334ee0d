"""argon2id in a bounded pool of its own: what is slow on purpose may not slow down anything else (threats: case 128).

At one moment as many passwords are hashed in a process as it has processors of its own (`at_once`); a few more stand in line, each in its
own thread, which sleeps meanwhile (argon2 lets go of Python's lock). Whoever finds the line full is told so at once: a thread is always
left for everybody else, and /jwks and discovery have one of their own.

NOTE: never between the first statement of a unit and its commit (`db/session`): a hash takes as long as fifty sign-ins' statements.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type, hash_secret_raw

from idp.config import settings
from idp.errors import N_, TooManyTries

RETRY_AFTER = 2  # seconds
# OWASP Password Storage: argon2id with 19 MiB, two passes, one lane. A digest says what it was made with; older ones are made anew.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)
# What is compared with where there is no password: made like all others, of something that nobody knows any more (equal work).
NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$Zl6PwLPpbNq1Ty4B0xqN3Q$Xzx0b1TQpfM0Hq1DqU9m5kq2cN7l3mWm0yJH4m9V1oA"

BUSY = N_("Very many people are signing in right now. Try again in a moment.")


class Busy(TooManyTries):
    """The line is full; nothing was looked at and nothing counted."""

    def __init__(self) -> None:
        super().__init__(BUSY, retry_after=RETRY_AFTER, detail="the line for password checks is full")


class _Pool:
    """How many are inside, and who hashes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.hashing: dict[int, threading.Semaphore] = {}  # by how many may: the settings of a process change in tests only


_pool = _Pool()


def at_once() -> int:
    """How many hash at one moment in this process: the machine's processors, shared with the other processes that serve."""
    return max(1, (os.cpu_count() or 1) // settings().server.workers)


def _hashing() -> threading.Semaphore:
    size = at_once()
    with _pool.lock:
        return _pool.hashing.setdefault(size, threading.Semaphore(size))


@contextmanager
def place() -> Iterator[None]:
    """A place in the line, for as long as somebody's password is dealt with; raises Busy when there is none.

    Taken before a guess is counted: one that was counted is looked at.
    """
    with _pool.lock:
        if _pool.inside >= max(at_once(), settings().server.threads):
            raise Busy()
        _pool.inside += 1
    try:
        yield
    finally:
        with _pool.lock:
            _pool.inside -= 1


def make(password: str) -> str:
    """The digest that is kept of `password`. In a `place`."""
    with _hashing():
        return _hasher.hash(_bytes(password))


def is_right(digest: str | None, password: str) -> bool:
    """Whether `digest` was made of `password`; None, where there is none, takes as long and is never right. In a `place`."""
    with _hashing():
        try:
            _hasher.verify(digest or NOBODY, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False
    return digest is not None


def stretch(secret: str, salt: str) -> str:
    """The same hash of something random, under a salt that is given: so it can be looked for. In a `place`."""
    with _hashing():
        how = (_hasher.time_cost, _hasher.memory_cost, _hasher.parallelism, _hasher.hash_len, Type.ID)
        return hash_secret_raw(_bytes(secret), _bytes(salt), *how).hex()


def is_old(digest: str) -> bool:
    """Whether it was made in another way than digests are made now."""
    return _hasher.check_needs_rehash(digest)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
