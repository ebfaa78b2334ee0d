"""One connection, for whoever wants to know how long each answer takes."""

from __future__ import annotations

import socket
import time

from bench.load import Answer, receive


class Line:
    """One connection, one request after the other."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> tuple[Answer, float]:
        """The answer, and the milliseconds until it was there."""
        began, buffer, answer = time.perf_counter(), b"", None
        self.socket.sendall(request)
        while answer is None:
            read = self.socket.recv(262144)
            if not read:
                raise ConnectionError("the server hung up")
            buffer += read
            answer, buffer = receive(buffer)
        return answer, (time.perf_counter() - began) * 1000
