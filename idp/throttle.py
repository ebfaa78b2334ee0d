"""How fast something cheap may be asked for: by a crowd at once, and then at a steady pace. Nothing that must be exact is counted here:
guesses, messages and money are counted in the database (`limits`), whatever is configured.

    here      in this process's own memory
    shared    in the Redis of `[redis] url`, one figure for all processes of all machines

The rule is the same in both homes (GCRA): each one that is admitted owes `pace` seconds more, time pays the debt off, and no more than
the crowd's worth of it may be owed. In Redis the debt is what is left of its key's life: it goes by itself, and no machine's clock is
asked. The key is an HMAC of the subject under a key from `keys/`: whoever reads Redis learns no address.

NOTE: no sign-in fails because of Redis, and none is kept by it. One that does not answer within `[redis] timeout`, or answers no (full,
read-only), is left alone at once; what comes meanwhile is counted here, with half the crowd's room, and a thread looks whether it is well
again (R14).
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from idp import crypto
from idp.config_redis import Redis
from idp.telemetry import log

LOOK_AGAIN = 3.0  # seconds
SUBJECTS = 20_000  # that are remembered here
PREFIX = "idp:throttle:"

# Milliseconds. More than a crowd's worth cannot be owed: a life that is longer means that Redis's clock was set back, or the rule made
# stricter, and begins anew.
OWE = """
local owed, crowd = redis.call('PTTL', KEYS[1]), tonumber(ARGV[1])
if owed < 0 or owed > crowd then owed = 0 end
owed = owed + tonumber(ARGV[2])
if owed > crowd then return owed - crowd end
redis.call('SET', KEYS[1], '', 'PX', owed)
return 0
"""


def count(rule: str, subject: str, *, crowd: int, pace: float) -> float:
    """One more of `subject`: 0 when it is admitted, else the seconds until one would be; what is refused is not counted.

    `crowd`: how many at once; `pace`: seconds for each one after that.
    """
    shared = _homes.shared
    if shared is not None:
        counted = shared.count(rule, subject, crowd, pace)
        if counted is not None:
            return counted
        crowd = max(1, crowd // 2)
    return _homes.here.count((rule, subject), crowd, pace)


def use(wanted: Redis) -> None:
    """From now on count in that Redis, which is not connected to yet, or only here when it has no address; what was counted here is
    forgotten."""
    if _homes.shared is not None:
        _homes.shared.close()
    _homes.here, _homes.shared = _Here(), _Shared(wanted) if wanted.url else None


def look(wanted: Redis) -> tuple[bool, str]:
    """Whether that Redis can be counted in, and a sentence about it, for an operator."""
    parts = urlsplit(wanted.url)
    place = f"Redis at {parts.hostname}:{parts.port or 6379}"
    shared = _Shared(wanted)
    try:
        shared.probe()  # on a connection that is kept, so that the next one measures the answer alone
        began = time.perf_counter()
        shared.probe()
        return True, f"{place} answers in {(time.perf_counter() - began) * 1000:.1f} ms"
    except Exception as e:
        return False, f"{place} cannot be counted in: {e} (it has {wanted.timeout * 1000:.0f} ms)"
    finally:
        shared.close()


class _Here:
    """This process's own memory."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.free_at: dict[tuple[str, str], float] = {}  # when all that a subject owes would be paid off

    def count(self, subject: tuple[str, str], crowd: int, pace: float) -> float:
        now = time.monotonic()
        with self.lock:
            free_at = max(now, self.free_at.get(subject, now)) + pace
            ahead = free_at - now - crowd * pace
            if ahead > 0:
                return ahead
            if len(self.free_at) >= SUBJECTS and subject not in self.free_at:
                self._forget(now)
            self.free_at[subject] = free_at
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop subjects that owe nothing; when all of them do, all: a flood from everywhere is no single one's doing."""
        self.free_at = {subject: free_at for subject, free_at in self.free_at.items() if free_at > now}
        if len(self.free_at) >= SUBJECTS:
            self.free_at.clear()


class _Shared:
    """A Redis, and whether it is worth asking."""

    def __init__(self, wanted: Redis) -> None:
        # Late: a seventh of a second, and only who has it configured needs to have it installed.
        from redis import Redis as Client  # noqa: PLC0415 - as above
        from redis.backoff import NoBackoff  # noqa: PLC0415 - as above
        from redis.retry import Retry  # noqa: PLC0415 - as above

        # As few round trips as can be to connect: no word on protocols (2 is spoken by all) and none on who we are.
        limits: dict[str, Any] = {
            "socket_connect_timeout": wanted.timeout,
            "socket_timeout": wanted.timeout,
            "retry": Retry(NoBackoff(), 0),
        }
        self.client = Client.from_url(wanted.url, protocol=2, driver_info=None, **limits)
        self.lock = threading.Lock()
        self.is_away = False
        self.closed = threading.Event()

    def count(self, rule: str, subject: str, crowd: int, pace: float) -> float | None:
        """As above; None when Redis does not say."""
        if self.is_away:
            return None
        try:
            return self._owe(f"{PREFIX}{rule}:{crypto.derive('throttle', rule, subject).hex()}", crowd * pace, pace)
        except Exception as e:  # whatever it is: not to know a figure is no reason to fail a sign-in
            self._leave_alone(e)
            return None

    def probe(self) -> None:
        """Count something that nobody asks for; raises when that does not go. A PING would be answered by one that is full as well."""
        self._owe(f"{PREFIX}probe", 1.0, 0.001)

    def close(self) -> None:
        """Let go of it."""
        self.closed.set()
        self.client.close()

    def _owe(self, key: str, crowd: float, pace: float) -> float:
        """Seconds until one more would be admitted; one round trip."""
        ahead: Any = self.client.eval(OWE, 1, key, str(round(crowd * 1000)), str(round(pace * 1000)))
        return float(ahead) / 1000

    def _leave_alone(self, reason: Exception) -> None:
        with self.lock:
            if self.is_away:  # another thread found out in the same moment
                return
            self.is_away = True
        log.warning("redis_away", reason=f"{type(reason).__name__}: {reason}")
        threading.Thread(target=self._look_again, name="redis", daemon=True).start()

    def _look_again(self) -> None:
        """Not on anybody's request: nobody pays for finding out that it still hangs."""
        while self.is_away and not self.closed.wait(LOOK_AGAIN):
            with suppress(Exception):
                self.probe()
                self.is_away = False
                log.info("redis_back")


class _Homes:
    """Where this process counts."""

    here = _Here()
    shared: _Shared | None = None


_homes = _Homes()
