"""Virtual users over plain sockets, all in one thread: each is a generator that yields requests and is sent the answers.

Written for measuring: it costs about 40 µs of a core per request, so one core of load keeps one core of server busy.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Answer:
    """Status, head and body of one response."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: bytes) -> str:
        """A header's value by its lower-case name; an empty text without it."""
        start = self.head.lower().find(b"\r\n" + name + b": ")
        if start < 0:
            return ""
        start += len(name) + 4
        return self.head[start : self.head.index(b"\r\n", start)].decode()

    def cookies(self) -> dict[str, str]:
        """The cookies that it sets."""
        found = {}
        for line in self.head.split(b"\r\n"):
            if line.lower().startswith(b"set-cookie: "):
                name, _, value = line[12:].split(b";", 1)[0].decode().partition("=")
                found[name] = value
        return found


Script = Generator[bytes, Answer, int]
"""A user: yields requests, is sent answers, and returns 1 when the operation is done, 0 when it failed. Begun anew after each."""


def get(path: str, host: str, *, cookies: dict[str, str] | None = None, authorization: str = "") -> bytes:
    """The bytes of a GET."""
    return _request("GET", path, host, cookies, authorization, b"")


def post(path: str, host: str, body: str, *, cookies: dict[str, str] | None = None, authorization: str = "") -> bytes:
    """The bytes of a form's POST."""
    return _request("POST", path, host, cookies, authorization, body.encode())


def _request(method: str, path: str, host: str, cookies: dict[str, str] | None, authorization: str, body: bytes) -> bytes:  # noqa: PLR0917
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "User-Agent: bench", "Accept-Language: en"]
    if cookies:
        lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()))
    if authorization:
        lines.append(f"Authorization: {authorization}")
    if method == "POST":
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(slots=True)
class Result:
    """What a run gave: operations done and failed, the seconds it took, the milliseconds of each operation."""

    done: int = 0
    failed: int = 0
    first_failure: str = ""
    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Operations per second."""
        return self.done / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """The milliseconds within which `share` of the operations were done."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class _User:
    """One connection and the script that runs on it."""

    def __init__(self, port: int, begin: Callable[[], Script]) -> None:
        self.begin = begin
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.start()

    def start(self) -> None:
        """A new operation."""
        self.script = self.begin()
        self.began = time.perf_counter()
        self.socket.sendall(next(self.script))

    def receive(self) -> Answer | None:
        """The answer, once all of it is here."""
        answer, self.buffer = receive(self.buffer + self.socket.recv(262144))
        return answer


def receive(buffer: bytes) -> tuple[Answer | None, bytes]:
    """The answer at the beginning of `buffer`, once all of it is there, and what follows it."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None, buffer
    head = buffer[: end + 2]
    marker = head.lower().find(b"content-length: ")
    length = int(head[marker + 16 : head.index(b"\r\n", marker)]) if marker >= 0 else 0
    whole = end + 4 + length
    if len(buffer) < whole:
        return None, buffer
    return Answer(int(head[9:12]), head, buffer[end + 4 : whole]), buffer[whole:]


def run(port: int, begin: Callable[[], Script], *, users: int, seconds: float) -> Result:
    """Let `users` repeat the operation for `seconds`; what is under way at the end does not count."""
    result = Result()
    selector = selectors.DefaultSelector()
    everybody = [_User(port, begin) for _ in range(users)]
    for user in everybody:
        selector.register(user.socket, selectors.EVENT_READ, user)
    began = time.perf_counter()
    until = began + seconds
    while time.perf_counter() < until:
        for key, _ in selector.select(0.5):
            user: _User = key.data
            answer = user.receive()
            if answer is None:
                continue
            try:
                user.socket.sendall(user.script.send(answer))
            except StopIteration as end:
                if end.value:
                    result.done += 1
                    result.milliseconds.append((time.perf_counter() - user.began) * 1000)
                else:
                    result.first_failure = result.first_failure or f"{answer.status} {answer.body[:200]!r}"
                    result.failed += 1
                user.start()
    result.seconds = time.perf_counter() - began
    for user in everybody:
        user.script.close()
        user.socket.close()
    return result
