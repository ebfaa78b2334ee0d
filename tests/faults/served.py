"""The provider as it is run: `idp serve` with several worker processes and `idp worker` beside them, on a port and a database of its own.

`Served` is a `World` whose browsers speak over loopback; what only the provider itself can do (registering a client, looking at the
database) still happens in this process, on the same database. Nothing is left behind: the server is ended by its process id, and the
kernel ends its children with it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from tests import machine
from tests.cli.running import is_alive, wait_until
from tests.conftest import Told
from tests.plenty import PLENTY, ROOMY
from tests.world import Browser, World

WORKERS = 4
PATIENCE = 30  # seconds until the server must answer: a busy machine is slow, not broken


class Visitor(Browser):
    """A browser that speaks to a real server."""

    def onward(self, answer: httpx2.Response) -> httpx2.Response:
        """Follow redirects as long as they stay here."""
        for _ in range(20):
            to = answer.headers.get("Location")
            if to is None or urlsplit(urljoin(str(answer.url), to)).netloc != self.base_url.netloc.decode():
                return answer
            answer = self.get(urljoin(str(answer.url), to))
        raise AssertionError("the provider sends the browser in circles")


class Served(World):
    """One provider, served."""

    def __init__(self, told: Told, url: str, log: Path, *, workers: int = WORKERS, **changes: dict[str, object]) -> None:
        self.port = machine.free_port()
        self.issuer = f"http://localhost:{self.port}"
        self.log = log
        tables: dict[str, dict[str, object]] = {
            "server": {"issuer": self.issuer, "port": self.port, "workers": workers},
            "login": ROOMY,  # hundreds of people sign in from one loopback address
            "spend": PLENTY,
        }
        for name, given in changes.items():
            tables[name] = tables.get(name, {}) | given
        super().__init__(told.settings(url, **tables))
        self.process: subprocess.Popen[bytes] | None = None
        self.visitors: list[Visitor] = []

    def environment(self) -> dict[str, str]:
        """The settings, as `idp` reads them from the environment."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
        ours["IDP_CONFIG"] = os.devnull
        for section in ("server", "database", "redis", "keys", "login", "messages", "oidc", "telemetry", "spend", "registration"):
            for name, value in getattr(self.settings, section).model_dump(exclude_unset=True, mode="json").items():
                written = value if isinstance(value, str) else json.dumps(value)  # a list of texts comes with commas
                ours[f"IDP_{section.upper()}__{name.upper()}"] = written
        return ours

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self.log.open("ab") as log:
            command = ["setpriv", "--pdeathsig=TERM", "--", sys.executable, "-m", "idp.cli.main", "serve"]
            self.process = subprocess.Popen(command, env=self.environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.wait()

    def kill(self, *, everybody: bool) -> None:
        """SIGKILL to the server, and to its children; those that are spared end by themselves, and that is waited for."""
        assert self.process is not None
        children = [pid for pid, _ in self._children()]
        for pid in [self.process.pid, *(children if everybody else [])]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_until("the end of the orphans", lambda: not any(map(is_alive, children)), PATIENCE)

    def wait(self, patience: float = PATIENCE) -> float:
        """Wait until it is ready; answers how long that took, in seconds."""
        began = time.monotonic()
        while True:
            try:
                if httpx2.get(f"http://127.0.0.1:{self.port}/health/ready", timeout=2, verify=machine.AUTHORITIES).status_code == 200:
                    return time.monotonic() - began
            except httpx2.TransportError:
                pass
            ended = self.process is None or self.process.poll() is not None
            if ended or time.monotonic() - began > patience:
                raise AssertionError(f"the server does not answer:\n{self.said()[-3000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it as an operator would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def said(self) -> str:
        """Everything its processes printed."""
        return self.log.read_text("utf-8", "replace")

    def processes(self) -> list[int]:
        """The ids of its children that serve requests (the worker beside them is not one)."""
        return [
            pid for pid, words in self._children() if b"worker" not in words and b"multiprocessing.resource_tracker" not in b" ".join(words)
        ]

    def worker(self) -> int | None:
        """The id of `idp worker` beside them."""
        return next((pid for pid, words in self._children() if b"worker" in words), None)

    def _children(self) -> list[tuple[int, list[bytes]]]:
        """Its children that live, and their command lines."""
        assert self.process is not None
        found = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                children = (task / "children").read_text().split()
            except OSError:
                continue
            for child in map(int, children):
                try:
                    words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if words != [b""]:  # else it is dead, and waits to be told so
                    found.append((child, words))
        return found

    def browser(self, *, address: str = "", user_agent: str = "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0 Safari/537.36") -> Visitor:
        """A fresh browser; its address is loopback's, whatever is asked for."""
        del address
        # A connection for each request: one that is kept may be closed by the server in the instant in which it is used again, and a real
        # browser then asks once more by itself.
        no_keeping = httpx2.Limits(max_keepalive_connections=0)
        headers = {"User-Agent": user_agent, "Accept-Language": "en"}
        made = Visitor(base_url=self.issuer, headers=headers, timeout=30, limits=no_keeping, verify=machine.AUTHORITIES)
        self.visitors.append(made)
        return made

    def close(self) -> None:
        """Let go of the database, and of every connection."""
        for visitor in self.visitors:
            visitor.close()
        super().close()

    def deliver(self) -> None:
        """The worker beside the server delivers; wait until nothing waits any more."""
        until = time.monotonic() + PATIENCE
        while self.waiting():
            if time.monotonic() > until:
                raise AssertionError(f"messages are not delivered:\n{self.said()[-3000:]}")
            time.sleep(0.02)

    def rows(self, statement: Any) -> list[Any]:
        """What a SELECT finds."""
        from idp.db.session import session

        with self.reads():
            return list(session.execute(statement).all())


@contextmanager
def served(told: Told, folder: Path, *, workers: int = WORKERS, sound: bool = True, **changes: dict[str, object]) -> Iterator[Served]:
    """A provider on a copy of the story, served for the length of the block. `sound`: what it logs holds no error."""
    url = told.copy()
    # Beside the rest of the suite a process may wait long for its turn: that is no database that is stuck.
    changes = {"database": {"stuck_after": machine.count(40, 9) / 10}} | changes
    provider = Served(told, url, folder / "idp.log", workers=workers, **changes)
    try:
        provider.start()
        yield provider
        errors = [line for line in provider.said().splitlines() if '"level":"error"' in line or "Traceback" in line]
        assert not (sound and errors), errors[:5]
        if told.cluster is not None:
            assert "deadlock detected" not in (told.cluster.folder / "log").read_text("utf-8", "replace")
    finally:
        provider.stop()
        provider.close()
        told.drop(url)
