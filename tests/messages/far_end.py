"""The other end: a gateway that speaks HTTP and a mail server, both on loopback, that can do whatever gateways do."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests import machine

logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # what a mail server logs is not what we log
USER, PASSWORD = "idp", "Correct-Horse-7"


@dataclass
class Asked:
    """A request that reached the gateway."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """The idempotency key."""
        return self.headers.get("idempotency-key", "")

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The body of a form."""
        return dict(parse_qsl(self.body.decode(), strict_parsing=True))

    @property
    def query(self) -> dict[str, str]:
        """The query of the address."""
        return dict(parse_qsl(urlsplit(self.path).query, strict_parsing=True))


@dataclass
class FarEnd:
    """What a gateway was asked, and how it will answer: the next one first, `otherwise` once there is none.

    A number is a status; `ok`, `error` (200 that says no), `close` (took it, and the connection breaks), `hang`, `redirect`, `words` (200,
    and no JSON), `flood` (200 and no end), `drip` (200, a letter now and then, and no end).
    """

    url: str = ""
    answers: deque[int | str] = field(default_factory=deque)
    otherwise: Callable[[], int | str] = lambda: "ok"
    asked: list[Asked] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    def clear(self) -> None:
        """As at the beginning; whoever hangs is let go."""
        self.go_on.set()
        self.answers.clear()
        self.asked.clear()
        self.otherwise = lambda: "ok"
        self.go_on = threading.Event()


def _handler(end: FarEnd) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            end.asked.append(Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            answer = end.answers.popleft() if end.answers else end.otherwise()
            number, said = len(end.asked), b"words"
            if answer == "hang":
                end.go_on.wait(10)
            if answer in {"hang", "close"}:
                self.close_connection = True
                return
            if answer in {"ok", "error"}:
                said = json.dumps({"status": answer, "messages": [{"id": f"gw-{number}"}], "code": 0 if answer == "ok" else 7}).encode()
            status = answer if isinstance(answer, int) else 302 if answer == "redirect" else 200
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Type", "application/json")
            if answer in {"flood", "drip"}:
                self._flood(answer == "drip")
                return
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def _flood(self, slowly: bool) -> None:
            self.end_headers()
            for _ in range(100 if slowly else 10_000):
                if slowly and end.go_on.wait(0.05):
                    return
                try:
                    self.wfile.write(b"x" if slowly else b"x" * 65536)
                except OSError:
                    return

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the standard library's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def http_gateway(tls: ssl.SSLContext | None = None) -> Iterator[FarEnd]:
    """A gateway on a port of its own."""
    end = FarEnd()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(end))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # who hangs up is no error of ours
    end.url = f"{'https' if tls else 'http'}://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield end
    finally:
        end.clear()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Mailbox:
    """What a mail server took, and how it will answer.

    A number refuses the mail, `rcpt` the address; `hang` and `close` take it, and the connection breaks.
    """

    port: int = 0
    answers: deque[int | str] = field(default_factory=deque)
    taken: list[EmailMessage] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)

    def clear(self) -> None:
        """As at the beginning."""
        self.answers.clear()
        self.taken.clear()
        self.sessions.clear()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's names
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """RCPT TO."""
        if self.answers and self.answers[0] == "rcpt":
            self.answers.popleft()
            return f"550 5.1.1 no such mailbox {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """The end of DATA."""
        answer = self.answers.popleft() if self.answers else "ok"
        if isinstance(answer, int):
            return f"{answer} not now"
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.taken.append(mail)
        self.sessions.append({"tls": session.ssl is not None, "user": session.authenticated, "to": list(envelope.rcpt_tos)})
        if answer == "hang":
            await asyncio.sleep(3)
        if answer in {"hang", "close"}:
            assert server.transport is not None
            server.transport.abort()
        return "250 OK"


def _knows(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, given: Any) -> AuthResult:
    known = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=known, handled=False)


class _Controller(Controller):
    def _trigger_server(self) -> None:
        """Only knock: aiosmtpd would speak TLS with a server's context, which no client can have."""
        socket.create_connection(("127.0.0.1", self.port), 1).close()


@contextmanager
def mail_server(tls: ssl.SSLContext | None = None, *, starttls: bool = True, login: bool = False) -> Iterator[Mailbox]:
    """A mail server on a port of its own: with STARTTLS, TLS from the first byte (`starttls=False`), or neither."""
    box = Mailbox()
    kind: dict[str, Any] = {"ssl_context": tls} if tls is not None and not starttls else {}
    if tls is not None and starttls:
        kind = {"tls_context": tls, "require_starttls": True}
    if login:
        kind |= {"authenticator": _knows, "auth_required": True}
    box.port = machine.free_port()
    controller = _Controller(box, hostname="127.0.0.1", port=box.port, **kind)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
