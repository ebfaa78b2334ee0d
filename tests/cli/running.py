"""The command line as people run it: in a process and a folder of its own."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests import machine

PATIENCE = 60
ANYBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the certificates of these tests are their own
ANYBODY.check_hostname, ANYBODY.verify_mode = False, ssl.CERT_NONE


@dataclass
class Done:
    """What a command answered."""

    code: int
    out: str
    err: str


@dataclass
class Place:
    """A folder in which commands run, and the variables that they see."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Without anything of the caller's configuration."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
        return {**ours, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONWARNINGS": "", **self.variables}

    def idp(self, *words: str, **variables: str) -> Done:
        """Run `idp words…` to its end, in a process of its own."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            code = _forks().run(words, self.folder, {**self.environment, **variables}, out, err)
            done = Done(code, out.read_text("utf-8"), err.read_text("utf-8"))
        assert "Traceback" not in done.err, done.err
        return done

    @contextmanager
    def python(self, *words: str) -> Iterator[tuple[subprocess.Popen[str], Iterator[str]]]:
        """Python in a process of its own, and the lines that it says; ended at the end."""
        command = [sys.executable, *words]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            try:
                yield process, iter(process.stdout)
            finally:
                process.kill()

    @contextmanager
    def serving(self, *words: str, ready: bool = True) -> Iterator[Server]:
        """`idp serve words…` on a port of its own, ended at the end."""
        port = machine.free_port()
        scheme = "https" if "IDP_SERVER__CERTIFICATE" in self.variables or "--certificate" in words else "http"
        variables = {
            **self.environment,
            "IDP_SERVER__PORT": str(port),
            "IDP_SERVER__ISSUER": f"{scheme}://localhost:{port}",
        }
        log = self.folder / f"serve-{port}.log"
        with log.open("wb") as out:
            command = [sys.executable, "-m", "idp.cli.main", "serve", *words]
            process = subprocess.Popen(command, cwd=self.folder, env=variables, stdout=out, stderr=subprocess.STDOUT)
        server = Server(process, port, log, f"{scheme}://localhost:{port}")
        try:
            if ready:
                server.wait()
            yield server
        finally:
            server.end()


class _Forks:
    """See `tests/cli/forks.py`."""

    def __init__(self) -> None:
        environment = {**Place(Path.cwd()).environment}
        command = [sys.executable, "-m", "tests.cli.forks"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        atexit.register(self.end)

    def run(self, words: tuple[str, ...], folder: Path, environment: dict[str, str], out: Path, err: Path) -> int:
        """The exit code of `idp words…`."""
        assert self.process.stdin
        assert self.process.stdout
        order = {"words": words, "folder": str(folder), "environment": environment, "out": str(out), "err": str(err)}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        assert ready, f"idp {' '.join(words)} did not end within {PATIENCE} s: {err.read_text()}"
        return int(self.process.stdout.readline())

    def end(self) -> None:
        """It ends when nobody speaks to it any more."""
        self.process.communicate()


@cache
def _forks() -> _Forks:
    return _Forks()


@dataclass
class Server:
    """A running `idp serve`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    url: str

    def get(self, path: str = "/health/ready", timeout: float = 5) -> int | None:
        """The status of an answer; None when there is none."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=timeout, context=ANYBODY) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as e:
            return e.code
        except OSError:
            return None

    def wait(self) -> float:
        """Until it answers; the seconds that took."""
        began = time.monotonic()
        while self.get("/health/live") != 200:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < began + PATIENCE, self.log.read_text()
            time.sleep(0.02)
        return time.monotonic() - began

    def children(self, containing: str = "") -> list[int]:
        """The process ids of its children whose command line contains a text."""
        return [pid for pid in descendants(self.process.pid) if containing in command_of(pid)]

    def workers(self) -> list[int]:
        """The processes that serve."""
        return [pid for pid in self.children() if "idp.cli.main worker" not in command_of(pid)]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Tell it to end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def descendants(pid: int) -> list[int]:
    """The children of a process, by id."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def command_of(pid: int) -> str:
    """A process's command line; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(what: str, holds: object, seconds: float = 20) -> None:
    """Until `holds()` is true; fails saying `what` did not come."""
    assert callable(holds)
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"{what} did not happen within {seconds} s"
        time.sleep(0.02)
