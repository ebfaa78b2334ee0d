"""A relying party's server on loopback that is told of sign-outs: it takes them, refuses them, breaks, or never answers."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from joserfc import jwt
from joserfc.jwk import KeySet

from tests.canary import CANARY
from tests.world import World


@dataclass
class Receiver:
    """What it was sent, and how it answers: `statuses` in their order, the last one for ever; 0: not at all."""

    port: int
    statuses: list[int] = field(default_factory=lambda: [200])
    sent: list[dict[str, str]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/logout?from=idp"

    def claims(self, world: World) -> list[dict[str, object]]:
        """The claims of all logout tokens, their signatures checked by the provider's published keys with another library."""
        keys = KeySet.import_key_set(json.loads(world.browser().get("/jwks").content))
        algorithms = ["RS256", "ES256", "Ed25519"]
        return [jwt.decode(each["logout_token"], keys, algorithms=algorithms).claims for each in self.sent]

    def header(self) -> dict[str, object]:
        """The header of the last one."""
        segment = self.sent[-1]["logout_token"].split(".")[0]
        return dict(json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))))


@contextmanager
def receiver(*statuses: int) -> Iterator[Receiver]:
    """One that listens for the length of the block."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    made, over = Receiver(listening.getsockname()[1], list(statuses) or [200]), threading.Event()

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            raw = b""
            while b"\r\n\r\n" not in raw:
                raw += connection.recv(65536)
            head, _, body = raw.partition(b"\r\n\r\n")
            length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
            while len(body) < length:
                body += connection.recv(65536)
            status = made.statuses.pop(0) if len(made.statuses) > 1 else made.statuses[0]
            made.heads.append(head.decode())
            made.at.append(time.monotonic())
            told = dict(parse_qsl(body.decode()))
            CANARY.add("logout token", told.get("logout_token", ""))  # no secret, and still no line of a log
            made.sent.append(told)
            if status == 0:
                over.wait(30)
                return
            connection.sendall(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)
