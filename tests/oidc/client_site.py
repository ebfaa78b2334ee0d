"""The web server of a client: its keys and request objects stand there, on a real loopback socket."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

LABORATORY = {"allow_private_addresses": True, "timeout": 2.0}
HANGS = 4.0  # seconds: longer than that


class Site(ThreadingHTTPServer):
    """What stands at which path, and what was asked."""

    daemon_threads = True

    def __init__(self, pem: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scheme = "https" if pem else "http"
        if pem:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.says: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []
        self.hangs = 0.0

    def at(self, path: str) -> str:
        """The address of `path`."""
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}{path}"

    def put(self, path: str, body: Any, status: int = 200) -> str:
        """Let this stand there: bytes, a text, or what becomes JSON; answers its address."""
        self.says[path] = (status, body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode())
        return self.at(path)


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        """Answer, after a while where that is wanted."""
        self.server.asked.append(self.path)
        if self.server.hangs:
            time.sleep(self.server.hangs)
        status, body = self.server.says.get(self.path, (404, b"nothing"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        with suppress(OSError):  # whoever asked may have gone
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def site(pem: Path | None = None) -> Iterator[Site]:
    """A site for a while; by TLS with this key and certificate."""
    server = Site(pem)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
