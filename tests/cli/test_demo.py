"""`idp demo`: one command, four addresses, on loopback; a second run goes on where the first one ended (commands.md)."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.cli.running import PATIENCE, Place, command_of, descendants, is_alive, wait_until

PORTALS = ("seller", "staff", "partner")


def free_range() -> int:
    """The first of four ports in a row that nobody listens on."""
    for port in range(20000 + os.getpid() % 9000, 40000, 4):
        with suppress(OSError):
            for each in range(port, port + 4):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", each))
            return port
    raise AssertionError("no four free ports")


@contextmanager
def running(place: Place, *words: str, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A demo that has come up, and what it printed until then."""
    out = place.folder / "out"
    with out.open("w") as file:
        command = [sys.executable, "-m", "idp.cli.main", "demo", "--port", str(port), *words]
        process = subprocess.Popen(command, cwd=place.folder, env=place.environment, stdout=file, stderr=subprocess.STDOUT, text=True)
    try:
        wait_until("the demo", lambda: "Ctrl-C" in out.read_text() or process.poll() is not None, PATIENCE)
        assert process.poll() is None, out.read_text()
        yield process, out.read_text()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


def everybody(pid: int) -> list[int]:
    """A process's children, their children, and so on."""
    return [each for child in descendants(pid) for each in (child, *everybody(child))]


def read(url: str) -> str:
    """A page as a browser that is new here gets it, redirects followed, with the cookies they set."""
    with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(url, timeout=10) as answer:
        return str(answer.read().decode())


@pytest.mark.slow
def test_two_runs_and_a_new_beginning(empty: Place) -> None:
    port = free_range()
    data = empty.folder / "demo-data"
    with running(empty, port=port) as (process, said):
        for at in range(4):
            assert f"http://localhost:{port + at}" in said
            assert read(f"http://localhost:{port + at}/health/live")
        assert f"http://localhost:{port}/dev/inbox" in said
        assert len(re.findall(r"\+7\s900\s555", said)) == 10
        assert read(f"http://localhost:{port}/dev/inbox.json").strip() == "[]"
        assert json.loads(read(f"http://localhost:{port}/.well-known/openid-configuration"))["issuer"] == f"http://localhost:{port}"
        for path in (data / "secrets.json", empty.folder / "keys" / "root.key"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for name in PORTALS:  # each can begin a sign-in: it is registered, with this address
            page = read(f"http://localhost:{port + 1 + PORTALS.index(name)}/sign-in")
            assert 'name="phone"' in page
        kept = (data / "secrets.json").read_bytes()
        family = everybody(process.pid)
        assert len(family) >= 9
    assert process.returncode == 0
    wait_until("the end of all", lambda: not any(map(is_alive, family)))

    moved = free_range()
    (data / "secrets.json").write_text("{}")  # half of what an earlier run left is gone: made again, and registered
    with running(empty, port=moved) as (process, said):
        assert (data / "secrets.json").read_bytes() != kept
        assert 'name="phone"' in read(f"http://localhost:{moved + 1}/sign-in")
        family = everybody(process.pid)
        process.kill()  # not even then is anybody left behind
        wait_until("the end of all", lambda: not any(map(is_alive, family)), 40)

    with running(empty, "--reset", port=moved):
        assert 'name="phone"' in read(f"http://localhost:{moved + 2}/sign-in")


def test_a_taken_port_is_said(empty: Place) -> None:
    port = free_range()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port + 2))
        other.listen()
        done = empty.idp("demo", "--port", str(port))
    assert (done.code, done.out) == (1, "")
    assert f"Port {port + 2} is taken" in done.err
    assert "make demo PORT=9000" in done.err
    assert not Path(empty.folder, "demo-data").exists()


@pytest.mark.slow
def test_it_ends_when_a_part_ends(empty: Place) -> None:
    """A portal that dies is not hidden: the demo says which, and ends."""
    with running(empty, port=free_range()) as (process, _):
        family = everybody(process.pid)
        [seller] = [pid for pid in descendants(process.pid) if "clients.seller" in command_of(pid) or "seller" in command_of(pid)]
        os.kill(seller, signal.SIGKILL)
        wait_until("its end", lambda: process.poll() is not None)
        assert process.returncode == 1
        assert "The seller ended" in (empty.folder / "out").read_text()
        time.sleep(0.1)
        wait_until("the end of all", lambda: not any(map(is_alive, family)))
