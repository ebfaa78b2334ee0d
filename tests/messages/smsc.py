"""A message centre that speaks SMPP 3.4, as far as a client can tell, and does what message centres do. It knows nothing of smpplib.

Written from the specification (§3.2 the header, §4 the PDUs, §5.1.3 the statuses, appendix B the text of a delivery receipt).
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

SYSTEM_ID, PASSWORD = "bazar", "pass-123"
BIND_TRANSMITTER, BIND_TRANSCEIVER, SUBMIT, DELIVER, UNBIND, ENQUIRE = 0x02, 0x09, 0x04, 0x05, 0x06, 0x15
ANSWER, GENERIC_NACK = 0x80000000, 0x80000000
OK, THROTTLED, QUEUE_FULL, BAD_NUMBER, BAD_PASSWORD = 0x00, 0x58, 0x14, 0x0B, 0x0E


@dataclass
class Submitted:
    """A submit_sm that reached the centre."""

    source: tuple[int, int, str]
    to: tuple[int, int, str]
    esm_class: int
    validity: str
    wants_report: bool
    coding: int
    octets: bytes
    known_as: str

    @property
    def body(self) -> bytes:
        """Without the header that joins parts."""
        return self.octets[1 + self.octets[0] :] if self.esm_class & 0x40 else self.octets

    @property
    def header(self) -> tuple[int, int, int]:
        """Of a part: the reference, how many, which."""
        assert self.octets[:3] == b"\x05\x00\x03"
        return self.octets[3], self.octets[4], self.octets[5]


@dataclass
class Centre:
    """What the centre was given, and how it will answer: the next submit first, `otherwise` once there is none.

    A number is a command_status; `hang` never answers, `close` breaks the line after it took the message, `nack` answers generic_nack.
    `deaf`: it answers nothing at all, enquire_link neither. `slow`: it lets nobody in before this is over.
    """

    port: int = 0
    answers: deque[int | str] = field(default_factory=deque)
    otherwise: Callable[[], int | str] = lambda: OK
    submitted: list[Submitted] = field(default_factory=list)
    binds: list[tuple[int, str]] = field(default_factory=list)
    enquired: int = 0
    unbound: int = 0
    acknowledged: list[tuple[int, int]] = field(default_factory=list)
    deaf: bool = False
    slow: threading.Event | None = None
    name: Callable[[int], str] = lambda number: f"smsc-{number}"
    lines: list[socket.socket] = field(default_factory=list)

    def clear(self) -> None:
        """As at the beginning; every line is cut."""
        self.cut()
        self.answers.clear()
        self.submitted.clear()
        self.binds.clear()
        self.acknowledged.clear()
        self.enquired, self.unbound, self.deaf, self.slow = 0, 0, False, None
        self.otherwise, self.name = lambda: OK, lambda number: f"smsc-{number}"

    def cut(self) -> None:
        """Break all lines."""
        for line in list(self.lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def report(self, known_as: str, state: str = "DELIVRD", *, sequence: int = 7001, tlv: bool = False, esm_class: int = 0x04) -> None:
        """Send a delivery receipt down the newest line: as text (appendix B), or by the parameters of §5.3.2.12 and §5.3.2.35."""
        text = f"id:{known_as} sub:001 dlvrd:001 submit date:2611230601 done date:2611230602 stat:{state} err:000 text:".encode()
        more = b""
        if tlv:
            text = b""
            more = struct.pack(">HH", 0x001E, len(known_as) + 1) + known_as.encode() + b"\0"
            more += struct.pack(">HHB", 0x0427, 1, {"DELIVRD": 2, "UNDELIV": 5}[state])
            more += struct.pack(">HH", 0x1499, 3) + b"abc"  # a vendor's own
        body = b"\0\x01\x0179005550001\0\x05\0bazar\0" + bytes([esm_class, 0, 0]) + b"\0\0\0\0" + bytes([0, 0, len(text)]) + text + more
        self.lines[-1].sendall(pdu(DELIVER, 0, sequence, body))

    def say(self, command: int, sequence: int = 9001) -> None:
        """Send a PDU without a body down the newest line."""
        self.lines[-1].sendall(pdu(command, 0, sequence))


def pdu(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """A PDU: its header and body."""
    return struct.pack(">LLLL", 16 + len(body), command, status, sequence) + body


def _serve(centre: Centre, line: socket.socket) -> None:
    centre.lines.append(line)
    try:
        while True:
            length, command, status, sequence = struct.unpack(">LLLL", _read(line, 16))
            body = _read(line, length - 16)
            if centre.deaf:
                continue
            if command in {BIND_TRANSMITTER, BIND_TRANSCEIVER}:
                if not _bind(centre, line, command, sequence, body):
                    return
            elif command == SUBMIT:
                if not _submit(centre, line, sequence, body):
                    return
            elif command == ENQUIRE:
                centre.enquired += 1
                line.sendall(pdu(ENQUIRE | ANSWER, 0, sequence))
            elif command == UNBIND:
                centre.unbound += 1
                line.sendall(pdu(UNBIND | ANSWER, 0, sequence))
                return
            elif command == DELIVER | ANSWER:
                centre.acknowledged.append((sequence, status))
    except (OSError, EOFError):
        return
    finally:
        with suppress(ValueError):
            centre.lines.remove(line)
        line.close()


def _bind(centre: Centre, line: socket.socket, command: int, sequence: int, body: bytes) -> bool:
    system_id, password, _ = body.split(b"\0", 2)
    centre.binds.append((command, system_id.decode()))
    if centre.slow is not None:
        centre.slow.wait(5)
    if password.decode() != PASSWORD:
        line.sendall(pdu(command | ANSWER, BAD_PASSWORD, sequence))
        return False
    line.sendall(pdu(command | ANSWER, OK, sequence, b"CENTRE\0"))
    return True


def _submit(centre: Centre, line: socket.socket, sequence: int, body: bytes) -> bool:
    answer = centre.answers.popleft() if centre.answers else centre.otherwise()
    known_as = centre.name(len(centre.submitted) + 1)
    if answer in {OK, "hang", "close"}:
        centre.submitted.append(_parse(body, known_as))
    if answer == "close":
        return False
    if answer == "nack":
        line.sendall(pdu(GENERIC_NACK, 0x03, sequence))
    elif isinstance(answer, int):
        line.sendall(pdu(SUBMIT | ANSWER, answer, sequence, known_as.encode() + b"\0" if answer == OK else b""))
    return True


def _parse(body: bytes, known_as: str) -> Submitted:
    _, rest = body.split(b"\0", 1)  # service_type
    source, rest = _address(rest)
    to, rest = _address(rest)
    esm_class = rest[0]
    _, validity, rest = rest[3:].split(b"\0", 2)  # schedule_delivery_time
    wants_report, _replace, coding, _default, length = rest[:5]
    assert len(rest) == 5 + length, "the PDU is longer than it says"
    return Submitted(source, to, esm_class, validity.decode(), bool(wants_report), coding, rest[5:], known_as)


def _address(rest: bytes) -> tuple[tuple[int, int, str], bytes]:
    address, after = rest[2:].split(b"\0", 1)
    return (rest[0], rest[1], address.decode()), after


def _read(line: socket.socket, length: int) -> bytes:
    read = b""
    while len(read) < length:
        piece = line.recv(length - len(read))
        if not piece:
            raise EOFError
        read += piece
    return read


@contextmanager
def message_centre(tls: ssl.SSLContext | None = None) -> Iterator[Centre]:
    """A centre on a port of its own."""
    centre = Centre()
    listener = socket.create_server(("127.0.0.1", 0))
    centre.port = listener.getsockname()[1]
    served: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            if tls is not None:
                try:
                    line = tls.wrap_socket(line, server_side=True)
                except (OSError, ssl.SSLError):
                    line.close()
                    continue
            thread = threading.Thread(target=_serve, args=(centre, line), daemon=True)
            thread.start()
            served.append(thread)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield centre
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        centre.cut()
        for one in served:
            one.join(5)
