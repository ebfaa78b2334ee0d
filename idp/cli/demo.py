"""`idp demo`: the provider and three portals on loopback, with a story in the database. Everything it keeps lies in `demo-data/`.

A second run starts from what the first one left; `--reset` starts anew (the root key in `keys/` stays: it may seal another database).
"""

from __future__ import annotations

import ctypes
import errno
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from types import FrameType

import click

from idp.cli import demo_story
from idp.cli.demo_data import FOLDER, PORTALS, environment, prepare, secrets, url
from idp.cli.failures import Failure
from idp.cli.output import tell
from idp.cli.processes import PR_SET_PDEATHSIG, end
from idp.languages import format_phone

PATIENCE = 20  # seconds for everything to come up


@click.command()
@click.option(
    "--port", type=click.IntRange(1024, 65532), default=8000, show_default=True, help="The provider's; the portals take the next three."
)
@click.option("--reset", is_flag=True, help="Begin anew: throw away what earlier runs left.")
def demo(port: int, reset: bool) -> None:
    """Run the provider and three portals on loopback, with a seeded story, until Ctrl-C."""
    if importlib.util.find_spec("clients") is None:
        raise Failure("The demo's portals are not installed. Run it in a checkout: make demo.")
    _require_free(port)
    if reset:
        shutil.rmtree(FOLDER, ignore_errors=True)
    phones = prepare(port)
    running: list[subprocess.Popen[bytes]] = []
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        _start(running, port)
        _announce(port, phones)
        _watch(running)
    except KeyboardInterrupt:
        tell("\nThe demo ends. `make demo` goes on from here, `make demo-reset` begins anew.")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave anybody behind
        _end(running)


def _require_free(port: int) -> None:
    for each in range(port, port + 4):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", each))
            except OSError as e:
                if e.errno != errno.EADDRINUSE:
                    raise Failure(f"Port {each} cannot be used: {e.strerror}. Choose others: make demo PORT=9000.") from e
                raise Failure(
                    f"Port {each} is taken; the demo needs {port} to {port + 3}.",
                    "Is another demo running? End it, or move all four: make demo PORT=9000 (idp demo --port 9000).",
                ) from e


def _start(running: list[subprocess.Popen[bytes]], port: int) -> None:
    """Start everything and wait until it answers; raises Failure when something ends instead."""
    known = secrets()
    running.append(_run("provider", ["idp.cli.main", "serve"], environment(port)))
    links = json.dumps({portal.key: url(portal.at, port) for portal in PORTALS})
    for portal in PORTALS:
        variables = {
            **os.environ,
            "OIDC_ISSUER": url(0, port),
            "OIDC_CLIENT_ID": portal.key,
            "OIDC_CLIENT_SECRET": known[portal.key],
            "PORTAL_URL": url(portal.at, port),
            "PORTAL_BIND": f"127.0.0.1:{port + portal.at}",
            "PORTAL_STORE": str(FOLDER / f"{portal.key}.sqlite3"),
            "PORTAL_LINKS": links,
        }
        running.append(_run(portal.key, [f"clients.{portal.key}"], variables))
    until = time.monotonic() + PATIENCE
    waiting = [f"http://127.0.0.1:{port + at}/health/live" for at in range(4)]
    while waiting:
        _require_running(running)
        waiting = [each for each in waiting if not _answers(each)]
        if waiting and time.monotonic() > until:
            raise Failure(f"{waiting[0]} does not answer after {PATIENCE} seconds. What was printed above says why.")
        time.sleep(0.05)


def _run(name: str, module: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
    """A process of its own, which ends when this one does, however that ends; what it prints goes to a file."""
    with (FOLDER / f"{name}.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own programs
            [sys.executable, "-m", *module],
            env=variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_end_with_us,  # noqa: PLW1509 - this process has one thread
            process_group=0,  # Ctrl-C is for us: we end them, each with its own
        )


def _end_with_us() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=1) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)
    except OSError:
        return False


def _require_running(running: list[subprocess.Popen[bytes]]) -> None:
    for name, process in zip(("provider", *(portal.key for portal in PORTALS)), running, strict=False):
        code = process.poll()
        if code is not None:
            log = FOLDER / f"{name}.log"
            last = log.read_text("utf-8", "replace").strip().splitlines()[-5:]
            raise Failure(f"The {name} ended with exit code {code}; the end of {log}:", *(f"  {line}" for line in last))


def _watch(running: list[subprocess.Popen[bytes]]) -> None:
    """Until Ctrl-C, or until one of them ends by itself."""
    while True:
        _require_running(running)
        time.sleep(0.5)


def _end(running: list[subprocess.Popen[bytes]]) -> None:
    """Everybody, with whom they started: also the processes of a portal that was killed."""
    end(running, 15)
    for process in running:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _announce(port: int, phones: list[tuple[str, str, str]]) -> None:
    tell()
    tell(f"  Provider       {url(0, port)}")
    for portal in PORTALS:
        tell(f"  {portal.name:<15}{url(portal.at, port)}  {portal.about}")
    tell(f"  Inbox          {url(0, port)}/dev/inbox  every code and mail of the demo")
    tell()
    tell("  Sign in with one of these numbers; the code comes to the inbox. A number that is not listed signs up.")
    tell()
    for phone, name, shows in phones:
        tell(f"  {format_phone(phone):<19}{name}")
        tell(f"  {'':<19}{shows}")
    tell()
    tell("  Two have a password as well (“Sign in with e-mail and password”):")
    tell()
    for each in (demo_story.PERSONS_PASSWORD, demo_story.STORES_PASSWORD):
        tell(f"  {each.login:<26}{each.text}")
        tell(f"  {'':<26}{each.shows}")
    tell()
    tell(f"  Logs and data are in {FOLDER}/. Ctrl-C ends everything; a second run goes on from here, `make demo-reset` begins anew.")
