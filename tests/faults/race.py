"""Requests that arrive in the same instant.

Each has a connection of its own, opened before; all but the last byte is sent, and then every last byte at once: so it is the server, and
not the sending of a hundred requests, that decides who comes first.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tests.machine import count

LONGEST = 5.0  # seconds that an answer may take, whatever else is going on
GIVE_UP = 30.0


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and how long it took from the instant in which the request was complete. Status 0: the connection ended without one."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    seconds: float

    def header(self, name: str) -> str:
        """The first header of that name, or an empty text."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    def cookie(self, name: str) -> str:
        """The value that the answer sets for a cookie, or an empty text."""
        set_here = (value.partition(";")[0].partition("=") for key, value in self.headers if key == "set-cookie")
        return next((value for key, _, value in set_here if key == name), "")

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


def at_once(requests: Sequence[httpx2.Request]) -> list[Answered]:
    """Send all of them in one instant; answers in the order of the requests. No answer is a 5xx, and none takes longer than 5 s."""
    address = urlsplit(str(requests[0].url))
    texts = [_bytes(request) for request in requests]
    sockets = []
    try:
        for text in texts:
            connection = socket.create_connection(("127.0.0.1", address.port or 80), timeout=GIVE_UP)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(text[:-1])
            sockets.append(connection)
        time.sleep(0.05)  # so that the server has read what there is
        began = time.monotonic()
        for connection, text in zip(sockets, texts, strict=True):
            connection.send(text[-1:])
        answers = _read_all(sockets, began)
    finally:
        for connection in sockets:
            connection.close()
    broken = [(answer.status, answer.body[:300]) for answer in answers if not 200 <= answer.status < 500]
    assert not broken, broken
    slowest = max(answer.seconds for answer in answers)
    assert slowest <= allowed(LONGEST), f"an answer took {slowest:.1f} s"
    return answers


def allowed(seconds: float) -> float:
    """`seconds` in `make faults`; twice that beside the rest of the suite, and more where more programs want a core: slow is not broken."""
    return seconds * max(count(2, 1), os.getloadavg()[0] / (os.cpu_count() or 1) / 2)


def statuses(answers: Sequence[Answered]) -> dict[int, int]:
    """How many answers of each status."""
    return dict(Counter(answer.status for answer in answers))


def _bytes(request: httpx2.Request) -> bytes:
    address = urlsplit(str(request.url))
    path = address.path + (f"?{address.query}" if address.query else "")
    body = request.read()
    kept = {name: value for name, value in request.headers.items() if name.lower() not in {"connection", "accept-encoding"}}
    head = [f"{request.method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in kept.items()), "connection: close"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def _read_all(sockets: Sequence[socket.socket], began: float) -> list[Answered]:
    parts: list[list[bytes]] = [[] for _ in sockets]
    ended = [GIVE_UP] * len(sockets)
    with selectors.DefaultSelector() as waiting:
        for number, connection in enumerate(sockets):
            connection.setblocking(False)
            waiting.register(connection, selectors.EVENT_READ, number)
        while waiting.get_map() and time.monotonic() < began + GIVE_UP:
            for key, _ in waiting.select(1):
                try:
                    read = key.fileobj.recv(65536)  # type: ignore[union-attr] # it is a socket
                except ConnectionError:
                    read = b""
                if read:
                    parts[key.data].append(read)
                else:
                    waiting.unregister(key.fileobj)
                    ended[key.data] = time.monotonic() - began
    return [_answered(b"".join(part), seconds) for part, seconds in zip(parts, ended, strict=True)]


def _answered(raw: bytes, seconds: float) -> Answered:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    status = int(first.split()[1]) if first.startswith("HTTP/1.1 ") else 0
    return Answered(status, headers, body, seconds)
