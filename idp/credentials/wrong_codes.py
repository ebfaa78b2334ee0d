"""How many wrong codes are entered for all numbers together: somebody who tries a few at each of many numbers never meets a number's limit.

Of a million guesses one is right, so what all numbers together may be guessed at is what such an attack wins (goal G-4). Above `[login]
wrong_codes_per_hour` a browser that knows nobody works for each new code, and a new code has eight digits.

What is counted are the events that wrong codes leave anyway, of the last hour and up to the limit: no row that everybody would wait for. A
process looks once a second.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from idp import clock, events
from idp.config import settings
from idp.db.session import engine, insert_or_ignore
from idp.messages.tables import SpendAlarm

EVENT = "code.wrong"
WINDOW = timedelta(hours=1)
FRESH = timedelta(seconds=1)

_looked: WeakKeyDictionary[sa.Engine, tuple[datetime, bool]] = WeakKeyDictionary()  # when a process has looked, and what it saw


def lately() -> int:
    """How many wrong codes there were in the last hour; no more than the limit are counted."""
    return events.count_up_to(settings().login.wrong_codes_per_hour, EVENT, since=clock.now() - WINDOW)


def are_many() -> bool:
    """Whether codes are guessed at more than may be; what is answered may be a second old. In a `writes()` unit: an alarm may be due."""
    now = clock.now()
    at, many = _looked.get(engine(), (now - FRESH, False))
    if abs(now - at) < FRESH:
        return many
    many = lately() >= settings().login.wrong_codes_per_hour
    _looked[engine()] = (now, many)
    if many and insert_or_ignore(SpendAlarm, day=f"{now:%Y-%m-%d}", kind="codes", subject=f"{now:%H}", mark="wrong_codes", told_at=now):
        details = {"hour": f"{now:%Y-%m-%dT%H}", "limit": settings().login.wrong_codes_per_hour}
        events.record("codes.sprayed", outcome="failed", details=details)
    return many
