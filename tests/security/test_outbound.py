"""The one door to addresses that others name: only public ones are reached, and no server holds us up (cases 43 and 45, goal G-8)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from idp import config, outbound
from idp.config import Settings
from idp.outbound import OutboundFailed, fetch, is_public

Handler = Callable[[socket.socket], None]

NOT_PUBLIC = (
    *("127.0.0.1", "127.255.255.254", "0.0.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fec0::1", "100::1", "::7f00:1"),
)
ADDRESSES = (
    *("http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "//example.com/", "example.com"),
    *("https://", "https:///path", "https://user@example.com/", "https://localhost:80@example.com/", "https://example.com/#x"),
    *("https://example.com\\@127.0.0.1/", "https://example.com/\n", "https://exa mple.com/", "https://example.com:99999/", "https://[::1"),
    *("http://localhost/", "http://127.0.0.1/", "javascript:alert(1)", ""),
)


@pytest.fixture
def laboratory() -> Iterator[None]:
    """Loopback may be reached."""
    config.use(Settings(outbound={"allow_private_addresses": True, "timeout": 0.6}))
    yield
    config.use(Settings())


@pytest.fixture
def strict() -> None:
    """Nothing but the public."""
    config.use(Settings())


@contextmanager
def server(handler: Handler) -> Iterator[tuple[str, list[int]]]:
    """Whoever connects is handed to `handler`; answers the address, and a list that grows by each connection."""
    seen: list[int] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            handler(connection)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            seen.append(1)
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/x", seen
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


def says(answer: bytes, *, drip: bytes = b"", every: float = 0.05, endless: bytes = b"") -> Handler:
    """Reads the request, sends `answer`, then `drip` again and again, or `endless` as quickly as it is taken."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)
        while drip or endless:
            connection.sendall(drip or endless)
            time.sleep(every if drip else 0)

    return handle


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_public(address: str) -> None:
    """Case 43: loopback, private, link-local, shared, reserved and documentation ranges, also behind the wrappings of IPv6."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_what_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_is_none(strict: None, address: str) -> None:
    """Only https, with a host, and nothing that two programs read differently."""
    with pytest.raises(OutboundFailed, match="address"):
        fetch(address)


def test_no_connection_to_what_is_not_public(strict: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 43: a name with one private address among public ones is refused whole, and the socket is never opened."""
    opened: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *given, **_: opened.append(given))
    for addresses in (["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:169.254.169.254"]):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, found=found, **__: found)
        with pytest.raises(OutboundFailed, match="not_public"):
            fetch("https://rebound.example/x")
    assert opened == []


def test_the_name_is_looked_up_once(strict: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 43, DNS rebinding: the connection goes to the address that was looked at, whatever the name means a moment later."""
    asked, opened = [], []

    def look_up(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34" if len(asked) == 1 else "127.0.0.1", 443))]

    def connect(address: tuple[str, int], *_: object, **__: object) -> object:
        opened.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(OutboundFailed, match="connection"):
        fetch("https://rebound.example/x")
    assert (asked, opened) == (["rebound.example"], [("93.184.216.34", 443)])


def test_a_good_answer(laboratory: None) -> None:
    with server(says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")) as (address, _):
        assert fetch(address, query={"a": "b c"}) == (200, b"hi")


@pytest.mark.parametrize(
    ("handler", "word"),
    [
        (says(b"HTTP/1.1 200 OK\r\n", drip=b"x"), "timeout"),  # headers that never end
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", drip=b"x"), "timeout"),
        (says(b"", drip=b" "), "connection"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n", endless=b"x" * 65536), "too_large"),
        (says(b"HTTP/1.1 200 OK\r\n", endless=b"X-Header: " + b"x" * 60000 + b"\r\n"), "connection"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi"), "encoding"),
        (says(b"not http at all\r\n\r\n"), "connection"),
        (says(b""), "connection"),
        (lambda _: time.sleep(2), "timeout"),
    ],
    ids=["headers", "body", "blank", "huge", "huge headers", "gzip", "garbage", "nothing", "silent"],
)
def test_a_hostile_server(laboratory: None, handler: Handler, word: str) -> None:
    """Case 45: one deadline for all of it, 256 KiB at most, nothing is unpacked."""
    with server(handler) as (address, _):
        began = time.monotonic()
        with pytest.raises(OutboundFailed, match=word):
            fetch(address)
        assert time.monotonic() - began < 1.5


def test_no_redirects(laboratory: None) -> None:
    """A redirect is an answer like any other, and is not followed."""
    with server(says(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")) as (inner, seen):
        answer = f"HTTP/1.1 302 Found\r\nLocation: {inner}\r\nContent-Length: 0\r\n\r\n".encode()
        with server(says(answer)) as (address, _):
            assert fetch(address).status == 302
        assert seen == []


def test_a_look_up_that_hangs(strict: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 45: nobody waits for a name server longer than for anybody else; and only so many can wait at once."""
    gone = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        gone.wait(10)
        return []

    config.use(Settings(outbound={"timeout": 0.2, "at_once": 1}))
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    outbound._room.cache_clear()
    try:
        for word in ("timeout", "busy"):
            began = time.monotonic()
            with pytest.raises(OutboundFailed, match=word):
                fetch("https://slow.example/")
            assert time.monotonic() - began < 1
    finally:
        gone.set()
        outbound._room.cache_clear()
