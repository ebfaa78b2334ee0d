"""Connections that say nothing are closed. Case 128 of threats.md."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from idp.cli.serve import HEADER_SECONDS
from tests.cli.running import Place

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.mark.slow
def test_silence(tmp_path: Path) -> None:
    """Case 128: no byte, half a request, half of HTTP/2's preface: each is over after the time for headers, and holds no connection."""
    place = Place(tmp_path)
    assert place.idp("init").code == 0
    with place.serving("--no-worker") as server:
        silent = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(4)]
        for connection, said in zip(silent, (b"", b"GET /jwks HTT", PREFACE[:8], PREFACE), strict=True):
            connection.sendall(said)
        until = time.monotonic() + HEADER_SECONDS + 10
        for connection in silent:
            connection.settimeout(max(0.1, until - time.monotonic()))
            while connection.recv(4096):
                pass  # whatever it answers, it ends
            connection.close()
