"""One connection to a message centre: bound when it is first needed, read in a thread of its own, tried when it is silent, made again.

NOTE: smpplib writes whole messages into its log at DEBUG, so its loggers are shut.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Any

from smpplib import client, consts, exceptions, smpp

from idp.config_gateways import SmppGateway
from idp.messages.gateway import GatewayFailed, context, word_for

LONGEST_PDU = 64 * 1024
A_MOMENT = 0.05  # seconds
LOOK = 0.5  # seconds between two looks whether somebody wants us to end
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between two tries to bind again
_log = logging.getLogger("idp.smpp")
_mute = logging.getLogger("idp.smpp.library")
_mute.propagate = False
_mute.addHandler(logging.NullHandler())
_mute.setLevel(logging.CRITICAL + 1)
logging.getLogger("smpplib").setLevel(logging.CRITICAL + 1)


class Refused(Exception):  # noqa: N818 - what happened
    """The centre said no; `status` is its command_status (SMPP 3.4 §5.1.3)."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"command_status 0x{status:02x}")


class _Client(client.Client):  # type: ignore[misc] # smpplib has no types
    """smpplib's client on a socket of ours: any address family, TLS that checks the name, no PDU without an end."""

    def __init__(self, gateway: SmppGateway, until: float) -> None:
        super().__init__(gateway.host, gateway.port, timeout=gateway.timeout, logger_name="idp.smpp.library", allow_unknown_opt_params=True)
        plain: socket.socket = socket.create_connection((gateway.host, gateway.port), max(0.05, until - time.monotonic()))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if gateway.security == "tls":
                checked = context(gateway.certificate_authority)
                plain = checked.wrap_socket(plain, server_hostname=gateway.host)
        except BaseException:
            plain.close()
            raise
        self._socket: socket.socket | None = plain
        self.begun = b""  # of a PDU, read already
        self.state = consts.SMPP_CLIENT_STATE_OPEN

    @property
    def sock(self) -> Any:
        """The socket."""
        return self._socket

    def leave(self) -> None:
        """Close the socket, once."""
        sock, self._socket = self._socket, None
        self.state = consts.SMPP_CLIENT_STATE_CLOSED
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for it
            sock.close()

    def hears(self) -> bool:
        """Whether a PDU begins: TLS may have been speaking only to itself, and nobody must wait for what does not come."""
        self.sock.settimeout(A_MOMENT)
        try:
            self.begun = self.sock.recv(1)
        except TimeoutError:
            return False
        if not self.begun:
            raise exceptions.ConnectionError
        return True

    def _recv_exact(self, exact_size: int) -> bytes:
        if not 0 <= exact_size <= LONGEST_PDU:
            raise exceptions.PDUError("a PDU without an end")
        begun, self.begun = self.begun, b""
        return begun + bytes(super()._recv_exact(exact_size - len(begun)))


class Link:
    """A connection that is there when it is needed. `hear(pdu, ack)` is called for each deliver_sm, in the thread that reads."""

    def __init__(self, name: str, gateway: SmppGateway, hear: Callable[[Any, Callable[[], None]], None]) -> None:
        self.name, self.gateway, self.hear = name, gateway, hear
        self._binding = threading.Lock()
        self._speaking = threading.Lock()  # one at a time: TLS is not to be read and written at once
        self._client: _Client | None = None
        self._answers: dict[int, Future[Any]] = {}
        self._over = threading.Event()
        self._news = threading.Event()  # there is a line to listen to, or it is over
        self._thread: threading.Thread | None = None

    def submit(self, until: float, **fields: Any) -> str:
        """Hand over one part; answers the id that the centre gave it. Raises Refused, GatewayFailed (`timeout`, `connection`, `tls`)."""
        answer = self._ask("submit_sm", until, **fields)
        return bytes(answer.message_id or b"").decode("latin-1")

    def enquire(self, until: float) -> None:
        """Try the line; raises as `submit` does."""
        self._ask("enquire_link", until)

    def start(self) -> None:
        """Begin to keep a connection, before there is anything to hand over."""
        with self._binding:
            self._begin()

    def close(self) -> None:
        """Unbind, without waiting for long, and end the thread."""
        self._over.set()
        self._news.set()
        now = self._client
        if now is not None:
            with suppress(Exception):
                self._ask("unbind", time.monotonic() + 1)
            self._drop(now)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2)

    def _ask(self, command: str, until: float, **fields: Any) -> Any:
        """Send a PDU and answer what comes back to it."""
        try:
            bound = self._bound(until)
            sequence, answer = self._sent(bound, command, until, **fields)
            try:
                found = answer.result(max(0.05, until - time.monotonic()))
            finally:
                self._answers.pop(sequence, None)
        except (Refused, GatewayFailed):
            raise
        except FutureTimeout:
            raise GatewayFailed(self.name, "timeout") from None
        except (exceptions.ConnectionError, exceptions.PDUError):
            raise GatewayFailed(self.name, "connection") from None
        except Exception as e:
            raise GatewayFailed(self.name, word_for(e)) from None
        if found.is_error():
            raise Refused(int(found.status))
        return found

    def _sent(self, bound: _Client, command: str, until: float, **fields: Any) -> tuple[int, Future[Any]]:
        """Send a PDU; answers its number, and what its answer will be put into."""
        answer: Future[Any] = Future()
        try:
            with self._speaking:
                pdu = smpp.make_pdu(command, client=bound, **{key: value for key, value in fields.items() if value is not None})
                self._answers[pdu.sequence] = answer
                bound.sock.settimeout(max(0.05, until - time.monotonic()))
                bound.send_pdu(pdu)
        except Exception:  # perhaps half of it went out: nobody could read what followed
            self._drop(bound)
            raise exceptions.ConnectionError from None
        return pdu.sequence, answer

    def _bound(self, until: float) -> _Client:
        """The connection, made and bound when there is none. Who comes meanwhile waits, as long as it has time."""
        if not self._binding.acquire(timeout=max(0.05, until - time.monotonic())):
            raise TimeoutError
        try:
            if self._client is not None:
                return self._client
            if self._over.is_set():
                raise ConnectionResetError
            made = _Client(self.gateway, until)
            try:
                made.sock.settimeout(max(0.05, until - time.monotonic()))
                self._bind(made)
            except BaseException:
                made.leave()
                raise
            self._client = made
            if self._over.is_set():  # meanwhile: `close` has not seen this one
                self._client = None
                made.leave()
                raise ConnectionResetError
            self._news.set()
            self._begin()
            _log.info("bound to the message centre", extra={"gateway": self.name})
            return made
        finally:
            self._binding.release()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep, name=f"smpp {self.name}", daemon=True)
            self._thread.start()

    def _bind(self, made: _Client) -> None:
        gateway = self.gateway
        who = {"system_id": gateway.system_id, "password": gateway.password, "system_type": gateway.system_type}
        pdu = smpp.make_pdu(f"bind_{gateway.mode}", client=made, **who)
        made.send_pdu(pdu)
        answer = made.read_pdu()
        if answer.is_error():
            raise Refused(int(answer.status))

    def _keep(self) -> None:
        """The thread: read, and when the line breaks bind again, after a pause that grows."""
        pause = 0.0
        while True:
            self._news.clear()
            if self._over.is_set():
                return
            now = self._client
            if now is None:
                if not self._news.wait(pause):  # else somebody who has a message was quicker
                    with suppress(Exception):
                        self._bound(time.monotonic() + self.gateway.timeout)
                pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            try:
                self._listen(now)
            except Exception as e:
                if not self._over.is_set():
                    _log.warning("the message centre's line broke", extra={"gateway": self.name, "reason": word_for(e)})
            self._drop(now)

    def _listen(self, now: _Client) -> None:
        """Read until the line breaks (raises), or it is over."""
        spoken, asked = time.monotonic(), False
        while self._client is now:
            sock = now.sock
            if sock is None:
                return
            has_more = isinstance(sock, ssl.SSLSocket) and sock.pending()
            if has_more or select.select([sock], [], [], min(LOOK, self.gateway.enquire_every))[0]:
                with self._speaking:
                    if not now.hears():
                        continue
                    sock.settimeout(self.gateway.timeout)
                    try:
                        pdu = now.read_pdu()
                    except exceptions.UnknownCommandError:
                        pdu = None  # read whole, and nobody knows what it says
                spoken, asked = time.monotonic(), False
                if pdu is not None:
                    self._take(now, pdu)
            elif time.monotonic() - spoken > self.gateway.enquire_every + (self.gateway.timeout if asked else 0):
                if asked:
                    raise TimeoutError
                asked = True
                self._say(now, "enquire_link")

    def _take(self, now: _Client, pdu: Any) -> None:
        if pdu.command in {"submit_sm_resp", "enquire_link_resp", "unbind_resp", "generic_nack"}:
            answer = self._answers.pop(pdu.sequence, None)
            if answer is not None:
                answer.set_result(pdu)
        elif pdu.command == "enquire_link":
            self._say(now, "enquire_link_resp", sequence=pdu.sequence)
        elif pdu.command == "deliver_sm":
            self.hear(pdu, lambda: self._acknowledge(now, pdu.sequence))
        elif pdu.command == "unbind":
            self._say(now, "unbind_resp", sequence=pdu.sequence)
            raise ConnectionResetError

    def _acknowledge(self, now: _Client, sequence: int) -> None:
        with suppress(Exception):  # the line is gone: the centre will say it again
            self._say(now, "deliver_sm_resp", sequence=sequence)

    def _say(self, now: _Client, command: str, *, sequence: int | None = None) -> None:
        """Send what nobody waits for an answer to."""
        with self._speaking:
            pdu = smpp.make_pdu(command, client=now)
            if sequence is not None:
                pdu.sequence = sequence
            now.sock.settimeout(self.gateway.timeout)
            now.send_pdu(pdu)

    def _drop(self, now: _Client) -> None:
        """Close the connection, and tell who waits for an answer that none will come."""
        with self._binding:
            if self._client is not now:
                return
            self._client = None
            now.leave()
            for sequence in list(self._answers):
                answer = self._answers.pop(sequence, None)
                if answer is not None and not answer.done():
                    answer.set_exception(GatewayFailed(self.name, "connection"))
