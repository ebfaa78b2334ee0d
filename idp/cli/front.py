"""Between the sockets and the threads: requests arrive on an event loop (RSGI, Granian's own interface) and are answered by the provider's
one WSGI callable in a few threads.

So nobody holds a thread who has not sent a whole request: a body that drips in costs a connection until its time is over, and one that is
too large is never read. Addresses that need no database have a thread to themselves: relying parties get our keys whatever the others
wait for.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from types import MappingProxyType
from typing import Any, NamedTuple

log = logging.getLogger("idp.serve")
WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
BODY_SECONDS = 10  # to send a request's body in, as for its headers
FILE_SECONDS = 60  # the same where files are taken: a phone sends half a megabyte a second, or less
FILES = 8  # bodies with files that are read at once: each may be megabytes, and whoever sends it need not be anybody
DRAIN = 25  # seconds that requests may still take once we are told to stop
LATECOMERS = 0.5  # second more for requests that were sent before anybody could know
QUIET = 0.2  # seconds without a request, after which the last answer has left
WAITING = 1000  # requests that may wait for a thread; to the next one it is said at once that we are busy
BODYLESS = frozenset({"GET", "HEAD", "OPTIONS"})
PLAIN = ("Content-Type", "text/plain; charset=utf-8")
TOO_SLOW = (408, [PLAIN, ("Connection", "close")], b"The request's body did not arrive in time. Send it again.\n")
BUSY = (503, [PLAIN, ("Retry-After", "2")], b"Too many requests are waiting. Try again in a moment.\n")
BROKEN = (500, [PLAIN], b"Something broke on our side. Try again in a minute.\n")


class _Task(NamedTuple):
    """One request with its body, and what tells the loop that it was answered."""

    scope: Any
    protocol: Any
    body: bytes
    length: int
    answered: asyncio.Future[None]


class _Lane:
    """Threads that answer requests one after the other, in the order they came."""

    def __init__(self, answer: Callable[[_Task], None], threads: int) -> None:
        self.waiting: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self.answer = answer
        for number in range(threads):
            threading.Thread(target=self._work, name=f"answer-{number}", daemon=True).start()

    def _work(self) -> None:
        while True:
            self.answer(self.waiting.get())


class Front:
    """The RSGI application over `wsgi`: `threads` for all addresses but those in `quick`, which need no database and share one.

    `max_body`: of a larger body (bytes) only the size reaches `wsgi`, which refuses it; `larger`: the same where an address takes files.
    """

    def __init__(
        self, wsgi: WSGI, *, threads: int, quick: frozenset[str], max_body: int, larger: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self.wsgi = wsgi
        self.quick = quick
        self.max_body = max_body
        self.larger = larger
        self.files = 0
        self.lane = _Lane(self._answer, threads)
        self.quick_lane = _Lane(self._answer, 1)
        self.under_way: set[Any] = set()
        self.leaving: asyncio.Task[None] | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called in the worker before it serves.

        NOTE: Granian's own handler waits for the requests under way while it holds the interpreter, and they wait for the interpreter.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave, loop)

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.leaving is None:
            self.leaving = loop.create_task(self._drain())

    async def _drain(self) -> None:
        """Answer what was begun, and for a moment what still comes; then end. Each answer closes its connection, so that less comes."""
        begun, until = set(self.under_way), time.monotonic() + DRAIN
        while begun & self.under_way and time.monotonic() < until:
            await asyncio.sleep(QUIET / 4)
        until, quiet_since = min(until, time.monotonic() + LATECOMERS), time.monotonic()
        while time.monotonic() < until and time.monotonic() - quiet_since < QUIET:
            await asyncio.sleep(QUIET / 4)
            if self.under_way:
                quiet_since = time.monotonic()
        logging.shutdown()
        os._exit(0)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request; of a WebSocket nothing is ever heard here."""
        self.under_way.add(scope)
        try:
            await self._serve(scope, protocol)
        finally:
            self.under_way.remove(scope)

    async def _serve(self, scope: Any, protocol: Any) -> None:
        body, length = b"", 0
        if scope.method not in BODYLESS or "content-length" in scope.headers or "transfer-encoding" in scope.headers:
            takes_files = scope.path in self.larger
            if takes_files and self.files >= FILES:
                protocol.response_bytes(*BUSY)
                return
            self.files += takes_files
            try:
                async with asyncio.timeout(FILE_SECONDS if takes_files else BODY_SECONDS):
                    body, length = await self._read(scope, protocol)
            except TimeoutError:
                protocol.response_bytes(*TOO_SLOW)
                return
            except Exception:  # Granian's own: the connection broke off, and nobody waits for an answer
                protocol.response_bytes(*TOO_SLOW)
                return
            finally:
                self.files -= takes_files
        lane = self.quick_lane if scope.path in self.quick else self.lane
        if lane.waiting.qsize() >= WAITING:
            protocol.response_bytes(*BUSY)
            return
        answered = asyncio.get_running_loop().create_future()
        lane.waiting.put(_Task(scope, protocol, body, length, answered))
        await answered

    async def _read(self, scope: Any, protocol: Any) -> tuple[bytes, int]:
        """The body and its length in bytes; of one that is too large, only a length that says so."""
        told, most = scope.headers.get("content-length", ""), self.larger.get(scope.path, self.max_body)
        if told.isdecimal() and int(told) > most:
            return b"", int(told)
        parts, length = [], 0
        async for part in protocol:
            parts.append(part)
            length += len(part)
            if length > most:
                return b"", length
        return b"".join(parts), length

    def _answer(self, task: _Task) -> None:
        answer = BROKEN
        try:
            status: list[Any] = []
            parts = self.wsgi(environment(task.scope, task.body, task.length), lambda line, headers: status.extend((line, headers)))
            closing = [("Connection", "close")] if self.leaving else []
            answer = (int(status[0][:3]), [*status[1], *closing], b"".join(parts))
        except Exception:
            log.exception("broken")
        try:
            task.protocol.response_bytes(*answer)
        except Exception:  # whoever asked has gone
            log.debug("nobody waits for the answer any more")
        finally:
            task.answered.get_loop().call_soon_threadsafe(_settle, task.answered)


def _settle(answered: asyncio.Future[None]) -> None:
    if not answered.done():
        answered.set_result(None)


def environment(scope: Any, body: bytes, length: int) -> dict[str, Any]:
    """The WSGI environment (PEP 3333) of a request. A header that came twice is joined, so that nobody reads only one of two."""
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path if scope.path.isascii() else scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    found["SERVER_NAME"], _, found["SERVER_PORT"] = scope.server.rpartition(":")
    for name, value in scope.headers.items():
        key = "CONTENT_TYPE" if name == "content-type" else f"HTTP_{name.upper().replace('-', '_')}"
        found[key] = f"{found[key]}{'; ' if name == 'cookie' else ', '}{value}" if key in found else value
    # Whatever was told: this is how much there is.
    found.pop("HTTP_CONTENT_LENGTH", None)
    if length or scope.method not in BODYLESS:
        found["CONTENT_LENGTH"] = str(length)
    return found
