"""What stands at the addresses that clients name: their keys, their request objects, the list of their sector, their description.

It is fetched through the one door (`outbound`), never within a unit of work, and kept in the database for all workers. Within a unit a
rule asks `find` or `want`; where the address has to be asked first, they raise `Wanted`, and whoever serves the request takes the unit
back, asks, and begins anew (`errors.First`). So a hot path costs one look at most, and nobody waits for a lock meanwhile.

    how often    of all workers one asks, once in AGAIN seconds; those who need the same wait for it, WAITING of a process at most
    how old      OLD seconds, then the next request asks again; where that fails, what was good stands, and LATER seconds are quiet
    how long     as the door has it: seconds for all of it, 256 KiB
    what for     whoever asks says what is sound (`sound`): a page that says "back soon" takes nobody's keys away

NOTE: an address comes from a client's registration, never from a request.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, outbound
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, insert_or_ignore, places, reads, session, writes
from idp.delegation.tables import FetchedDocument
from idp.errors import First
from idp.outbound import OutboundFailed

AGAIN = 10.0  # seconds between two tries of one address, whoever would like to know
OLD = 3600.0
LATER = 300.0  # seconds until what is old, and could not be fetched anew, is tried again
PATIENCE = 3.5  # seconds for somebody else's try: the door's three, and its storing
WAITING = 2  # of one process; the others come back later
UNUSED = timedelta(days=30)
OK = 200
ASKING = "asking"
Sound = Callable[[str], bool]
Read = Callable[[bytes], str | None]

_T = table(FetchedDocument)
_FIND = Ready(sa.select(_T.c.body, _T.c.fetched_at, _T.c.tried_at, _T.c.failed).where(_T.c.digest == sa.bindparam("digest")))
_room = threading.BoundedSemaphore(WAITING)
_log = logging.getLogger("idp.delegation.fetched")


class Wanted(First):
    """This address has to be asked first."""

    def __init__(self, address: str, *, every: float = AGAIN, sound: Sound | None = None, read: Read | None = None) -> None:
        self.address, self.every, self.sound, self.read = address, every, sound, read
        super().__init__("an address has to be asked first")

    def do(self) -> None:
        """Ask it."""
        refetch(self.address, every=self.every, sound=self.sound, read=self.read)


def find(
    address: str,
    *,
    max_age: float = OLD,
    every: float = AGAIN,
    sound: Sound | None = None,
    read: Read | None = None,
    or_older: bool = True,
) -> str | None:
    """What `address` held when it was last fetched, within a unit; None: nothing sound was ever there. Raises Wanted.

    What is older than `max_age` is asked for anew. Where that brings nothing, what there was is the answer, unless `or_older` is false.
    `read` makes a text of the bytes, where they are none; what is read otherwise stands apart, under its kind and the address (`kind https://…`).
    """
    row = _row(address)
    if row is None:
        raise Wanted(address, every=every, sound=sound, read=read)
    if row.body is None:
        if _may_ask(row, every):
            raise Wanted(address, every=every, sound=sound, read=read)
        return None
    if _age(row.fetched_at) >= max_age:
        # What may be an hour old may be older for a while: nobody waits for it twice, nor for somebody else's try.
        due = row.failed is None or (_age(row.tried_at) >= LATER if max_age >= LATER else _may_ask(row, every))
        if due:
            raise Wanted(address, every=every, sound=sound, read=read)
        if not or_older:
            return None
    body: str = row.body
    return body


def brought_nothing(address: str) -> bool:
    """Whether it was asked, and nothing was ever there. Within a unit."""
    row = _row(address)
    return row is not None and row.body is None and row.failed != ASKING


def want(address: str, *, every: float = AGAIN, sound: Sound | None = None) -> None:
    """What is there will not do (a key is not in it): raise Wanted, unless it was asked a moment ago. Within a unit."""
    row = _row(address)
    if row is None or _may_ask(row, every):
        raise Wanted(address, every=every, sound=sound)


def refetch(address: str, *, every: float = 0.0, sound: Sound | None = None, read: Read | None = None) -> str | None:
    """Ask `address` now, unless that was done less than `every` seconds ago; answers what is kept of it then. Outside of any unit.

    `sound` judges what came: what is not sound is not kept, and what was there stands.
    """
    with places(), writes():
        mine = _claim(address, every)
    if mine:
        values = _ask(address, sound, read or _text)
        with places(), writes():
            changed(sa.update(_T).where(_T.c.digest == crypto.digest(address)).values(**values))
    else:
        _wait(address)
    with places(), reads():
        row = _row(address)
    return row.body if row is not None else None


def sweep(now: datetime) -> int:
    """Forget what nobody has asked for in a month; answers how many they were."""
    return delete_some(FetchedDocument, _T.c.tried_at < now - UNUSED)


def _row(address: str) -> Any:
    return session.execute(_FIND, {"digest": crypto.digest(address)}).first()


def _age(at: datetime | None) -> float:
    return (clock.now() - at).total_seconds() if at is not None else float("inf")


def _may_ask(row: Any, every: float) -> bool:
    """Whether the last try was long enough ago; or somebody is trying at this moment, and there is something to wait for."""
    age = _age(row.tried_at)
    return age >= every or (row.failed == ASKING and age < PATIENCE)


def _claim(address: str, every: float) -> bool:
    now, digest = clock.now(), crypto.digest(address)
    if insert_or_ignore(FetchedDocument, digest=digest, tried_at=now, failed=ASKING):
        return True
    due = sa.update(_T).where(_T.c.digest == digest, _T.c.tried_at <= now - timedelta(seconds=every))
    return changed(due.values(tried_at=now, failed=ASKING)) == 1


def _ask(address: str, sound: Sound | None, read: Read) -> dict[str, Any]:
    """The columns to be stored: what came, or why nothing did."""
    try:
        answer = outbound.fetch(address.rpartition(" ")[2], headers={"Accept": "*/*"})
        if answer.status != OK:
            raise OutboundFailed(f"status_{answer.status}")
        body = read(answer.body)
        if body is None or (sound is not None and not sound(body)):
            raise OutboundFailed("unsound")
    except OutboundFailed as failed:
        _log.info("an address of a client brought nothing", extra={"why": failed.word})
        if failed.word == "busy":  # not the fault of this address: it is tried again in a second
            return {"failed": failed.word, "tried_at": clock.now() - timedelta(seconds=AGAIN - 1)}
        return {"failed": failed.word}
    return {"failed": None, "body": body, "fetched_at": clock.now()}


def _text(body: bytes) -> str | None:
    """As text that every database takes; None for what is none."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text


def _wait(address: str) -> None:
    """Until somebody else's try is over. A server that hangs holds up WAITING of our threads at most."""
    if not _room.acquire(blocking=False):
        return
    try:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with places(), reads():
                row = _row(address)
            if row is None or row.failed != ASKING or _age(row.tried_at) >= PATIENCE:
                return
            time.sleep(0.05)
    finally:
        _room.release()
