"""Is the database there at all? A thread that waits for it in vain is a thread that answers nobody.

A stopped database refuses at once and needs nothing of this. One that has fallen silent (its machine froze, the network swallows what is
sent) lets every request wait. So whoever hears nothing for SILENT seconds doubts, one thread knocks, and when nobody opens, all requests
are refused at once until somebody does (promises R9, R10).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

SILENT = 0.5  # seconds without a byte until we doubt: nearly every statement is answered in a hundredth of that
KNOCK_EVERY = 0.5  # seconds between two knocks while it is away

_log = logging.getLogger("idp.database")


class Presence:
    """What one process knows of its database. `away`: nothing may be asked of it now.

    `knock` goes to the database and comes back, within a second or so, or raises: because nobody opened, not because it was sent away.
    """

    def __init__(self, knock: Callable[[], None]) -> None:
        self.away = False
        self._knock = knock
        self._knocking = threading.Lock()

    def doubt(self) -> None:
        """Have somebody look, unless somebody does already. Returns at once."""
        if self._knocking.acquire(blocking=False):
            threading.Thread(target=self._look, name="database", daemon=True).start()

    def _look(self) -> None:
        try:
            while True:
                try:
                    self._knock()
                except Exception as e:
                    if not self.away:
                        _log.warning("the database is silent and lets nobody in (%s): requests are refused at once", type(e).__name__)
                    self.away = True
                    time.sleep(KNOCK_EVERY)
                else:
                    if self.away:
                        _log.warning("the database is back")
                    return
        finally:
            self.away = False
            self._knocking.release()
