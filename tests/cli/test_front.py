"""What strangers can do to a server by how they send (case 128): slowly, by halves, too much, twice."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.cli.running import Place, Server

FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = Place(tmp_path_factory.mktemp("front"))
    assert place.idp("init").code == 0
    with place.serving("--no-worker") as running:
        yield running


def connect(server: Server, sent: str, *, patience: float = 20) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), patience)
    connection.sendall(sent.replace("HOST", f"localhost:{server.port}").encode("latin-1"))
    return connection


def answer(connection: socket.socket) -> bytes:
    """Everything until the server closes, or has said what it announced."""
    received = b""
    while part := connection.recv(65536):
        received += part
        head, _, body = received.partition(b"\r\n\r\n")
        told = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), None)
        if told is not None and len(body) >= told:
            break
    return received


def ask(server: Server, sent: str) -> bytes:
    with connect(server, sent) as connection:
        return answer(connection)


def quick(server: Server, *paths: str) -> float:
    """Seconds until the slowest of these was answered by 200."""
    slowest = 0.0
    for path in paths:
        began = time.monotonic()
        assert ask(server, f"GET {path} HTTP/1.1\r\nHost: HOST\r\n\r\n").startswith(b"HTTP/1.1 200"), path
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def test_half_a_form_holds_nobody_up(server: Server) -> None:
    """Case 128: a hundred forms that never end, some of them dripping, and everybody else is served; then they are sent away by 408."""
    head = f"POST /token HTTP/1.1\r\nHost: HOST\r\n{FORM}Content-Length: 500\r\n\r\ngrant_type="
    with ExitStack() as stack:
        silent = [stack.enter_context(connect(server, head)) for _ in range(60)]
        dripping = [stack.enter_context(connect(server, head)) for _ in range(40)]
        began = time.monotonic()
        while time.monotonic() < began + 9:
            for connection in dripping:
                connection.sendall(b"x")
            assert quick(server, "/jwks", "/health/live", "/health/ready") < 0.5
            ours = ask(server, f"POST /token HTTP/1.1\r\nHost: HOST\r\n{FORM}Content-Length: 12\r\n\r\ngrant_type=x")
            assert ours.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401"))
            time.sleep(0.5)
        for connection in silent + dripping:
            assert answer(connection).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began < 15


def test_too_much_is_not_read(server: Server) -> None:
    """Case 128: a gigabyte that is announced is refused before its first byte; one that is not, once there was too much."""
    announced = f"POST /token HTTP/1.1\r\nHost: HOST\r\n{FORM}Content-Length: 1000000000\r\n\r\n"
    began = time.monotonic()
    assert ask(server, announced).startswith(b"HTTP/1.1 413")
    assert time.monotonic() - began < 2
    with connect(server, f"POST /token HTTP/1.1\r\nHost: HOST\r\n{FORM}Transfer-Encoding: chunked\r\n\r\n") as connection:
        for _ in range(20):
            connection.sendall(b"2000\r\n" + b"a" * 0x2000 + b"\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 413")


def test_too_many_fields_and_headers(server: Server) -> None:
    """Case 128: 10,000 fields that fit into a body, 1,000 headers, a header of 500 KB: refused, and the server stands."""
    body = "&".join(f"a{n}" for n in range(10_000))
    many = ask(server, f"POST /token HTTP/1.1\r\nHost: HOST\r\n{FORM}Content-Length: {len(body)}\r\n\r\n{body}")
    assert many.startswith(b"HTTP/1.1 400")
    for headers in ("".join(f"X-{n}: y\r\n" for n in range(1000)), f"X-Long: {'y' * 500_000}\r\n"):
        try:
            refused = ask(server, f"GET /jwks HTTP/1.1\r\nHost: HOST\r\n{headers}\r\n")
        except ConnectionError:  # it hung up in the middle of it
            refused = b""
        assert refused[:13] in {b"", b"HTTP/1.1 431 ", b"HTTP/1.1 400 "}
    assert quick(server, "/jwks") < 0.5


@pytest.mark.parametrize("how", ["Content-Length: 12\r\n", "Transfer-Encoding: chunked\r\n"])
def test_a_whole_form_is_read_however_it_comes(server: Server, how: str) -> None:
    body = "grant_type=x" if "Length" in how else "5\r\ngrant\r\n7\r\n_type=x\r\n0\r\n\r\n"
    received = ask(server, f"POST /token HTTP/1.1\r\nHost: HOST\r\n{FORM}{how}\r\n{body}")
    assert b"unsupported_grant_type" in received or b"invalid_client" in received


def test_two_headers_of_a_name_are_not_one(server: Server) -> None:
    """Case 25: of two Authorization headers neither is picked."""
    twice = "Authorization: Bearer abc\r\nAuthorization: Bearer def\r\n"
    received = ask(server, f"GET /userinfo HTTP/1.1\r\nHost: HOST\r\n{twice}\r\n")
    assert received.startswith(b"HTTP/1.1 400")


def test_an_address_in_other_letters(server: Server) -> None:
    """What is no address of ours is a 404 of ours, whatever letters it has."""
    for path in ("/%D0%B0", "/%FF%FE", "/a%00b", "/%2e%2e/etc", "//evil.example/x"):
        assert ask(server, f"GET {path} HTTP/1.1\r\nHost: HOST\r\n\r\n")[:12] in {b"HTTP/1.1 404", b"HTTP/1.1 400"}, path


def test_files_are_taken_where_they_are_and_few_at_once(server: Server) -> None:
    """Case 128: a picture may have five megabytes at its one address; who sends eight slowly keeps out other pictures, nothing else."""
    head = f"POST /account/avatar HTTP/1.1\r\nHost: HOST\r\nCookie: idp_login=x\r\n{FORM}"
    assert ask(server, f"{head}Content-Length: 300000\r\n\r\n" + "a" * 300_000).startswith(b"HTTP/1.1 400")  # it was read: no form
    assert ask(server, f"{head}Content-Length: 6000000\r\n\r\n").startswith(b"HTTP/1.1 413")
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(connect(server, f"{head}Content-Length: 5000000\r\n\r\na"))
        time.sleep(0.3)
        assert ask(server, f"{head}Content-Length: 3\r\n\r\na=1").startswith(b"HTTP/1.1 503")
        assert quick(server, "/jwks", "/health/ready") < 0.5
