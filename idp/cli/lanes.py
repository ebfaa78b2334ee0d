"""What goes to many receivers, each in a lane of its own: whoever hangs holds up what is for them, and nobody else (promise R21).

A receiver that we know nothing of gets one hand; one that answers, a few; one that was slow the last time gets one again, and all the slow
ones together no more than half of the crew. So there is always a hand for who answers.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from flask import Flask

from idp import outbox
from idp.cli.crew import Crew
from idp.db.session import reads, writes

EACH = 4  # hands for a receiver that answers
SLOW = 1.0  # seconds


class Lanes:
    """The lanes of one kind of outbox row, and the crew of `size` that works in them; `do` does one row."""

    def __init__(self, app: Flask, kind: str, size: int, do: Callable[[outbox.Job], None], lease: float) -> None:
        self.app, self.kind, self.lease = app, kind, lease
        self.crew = Crew(app, size, self._timed, name=kind)
        self._do = do
        self._took: dict[str, float] = {}  # lane: how long its last row took
        self._lock = threading.Lock()
        self.backed_up = False

    def begin(self) -> bool:
        """Give what is due to whoever has a hand free; answers whether anything was begun."""
        with self.app.app_context(), reads():
            due = outbox.lanes_due(self.kind)
        begun, self.backed_up = False, False
        for lane in sorted(due, key=lambda lane: (self._is_slow(lane), lane)):
            hands = self._hands(lane)
            if hands <= 0:
                self.backed_up = True
                continue
            with self.app.app_context(), writes():
                jobs = outbox.claim(hands, self.lease, only=lane)
            for job in jobs:
                self.crew.take(job)
            begun = begun or bool(jobs)
        return begun

    def _hands(self, lane: str) -> int:
        """How many more rows of this lane may be begun now."""
        busy = Counter(job.kind for job in self.crew.under_way())
        if self._is_slow(lane):
            others = sum(count for each, count in busy.items() if self._is_slow(each))
            return min(1 - busy[lane], self.crew.size // 2 - others, self.crew.free())
        return min((EACH if lane in self._took else 1) - busy[lane], self.crew.free())

    def _is_slow(self, lane: str) -> bool:
        return self._took.get(lane, 0) > SLOW

    def _timed(self, job: outbox.Job) -> None:
        began = time.monotonic()
        try:
            self._do(job)
        finally:
            with self._lock:
                if len(self._took) > 10_000:
                    self._took.clear()
                self._took[job.kind] = time.monotonic() - began
