"""Places at the database: fewer than the server has threads, so that one is always left to say that the others wait in vain."""

from __future__ import annotations

import threading
import time
from collections import deque

from idp.errors import Unavailable

NAP = 0.002  # seconds: places change hands faster, and nobody need be woken


class Places:
    """`with places:` waits for one of `count` places.

    It waits as long as others come and go, and raises Unavailable when for `patience` seconds nobody has: then all are stuck, and whoever
    comes next is told at once.
    """

    def __init__(self, count: int, patience: float) -> None:
        self._free, self._patience = count, patience
        self._moved = time.monotonic()  # when somebody last came or went
        self._lock = threading.Lock()
        self._queue: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        """Take a place."""
        if self._take():
            return
        self._require_movement()
        time.sleep(NAP)
        with self._lock:
            if self._free:
                self._free -= 1
                self._moved = time.monotonic()
                return
            turn = threading.Lock()
            turn.acquire()
            self._queue.append(turn)
        while not turn.acquire(timeout=max(NAP, self._moved + self._patience - time.monotonic())):
            with self._lock:
                if turn not in self._queue:  # it was given to us in this instant
                    return
                try:
                    self._require_movement()
                except Unavailable:
                    self._queue.remove(turn)
                    raise

    def __exit__(self, *_: object) -> None:
        """Give it to who waits longest, or back."""
        with self._lock:
            self._moved = time.monotonic()
            if self._queue:
                self._queue.popleft().release()
            else:
                self._free += 1

    def _take(self) -> bool:
        with self._lock:
            if not self._free:
                return False
            self._free -= 1
            self._moved = time.monotonic()
            return True

    def _require_movement(self) -> None:
        if time.monotonic() - self._moved >= self._patience:
            raise Unavailable(detail="everybody is waiting for the database")
