"""The servers of one run: the provider as `idp serve` starts it, and the floor under the same server with the same settings."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 30  # seconds


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: its port, and the process that leads its group."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def host(self) -> str:
        """As the Host header has it."""
        return f"localhost:{self.port}"

    def family(self) -> list[int]:
        """The process and its children."""
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                waiting += [int(child) for child in task.read_text().split()]
        return found

    def processor_seconds(self) -> float:
        """What all its processes have used so far."""
        total = 0.0
        for pid in self.family():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / TICKS
        return total

    def megabytes(self) -> list[float]:
        """The resident memory of each process, largest first."""
        sizes = []
        for pid in self.family():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS"):
                    sizes.append(int(line.split()[1]) / 1024)
        return sorted(sizes, reverse=True)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: list[str], environment: dict[str, str], port: int, *, cores: set[int], ready: str) -> Iterator[Served]:
    """Run `command` on `cores` until the block ends; it has answered `ready` when the block begins."""
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),  # noqa: PLW1509
    )
    try:
        _wait(process, port, ready)
        yield Served(port, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(process: subprocess.Popen[bytes], port: int, ready: str) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode} before it answered")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(f"GET {ready} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode())
                if connection.recv(64).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass
        time.sleep(0.01)
    raise RuntimeError("the server did not answer")


def settings(folder: Path, port: int, database: str | None, workers: int) -> dict[str, str]:
    """The environment of the provider: production's own figures, but for limits that one address alone would meet at once.

    Access tokens live as long as the run: one is asked about again and again.
    """
    return {
        "IDP_CONFIG": os.devnull,
        "IDP_SERVER__ISSUER": f"http://localhost:{port}",
        "IDP_SERVER__PORT": str(port),
        "IDP_SERVER__WORKERS": str(workers),
        "IDP_SERVER__WORKER": "false",
        "IDP_DATABASE__URL": database or f"sqlite:///{folder / 'idp.sqlite3'}",
        "IDP_KEYS__FOLDER": str(folder / "keys"),
        "IDP_TELEMETRY__LOG_LEVEL": "WARNING",
        "IDP_OIDC__ACCESS_TOKEN_LIFETIME": "86400",
        "IDP_LOGIN__NETWORK_MESSAGES_PER_HOUR": "100000000",
        "IDP_LOGIN__NUMBER_MESSAGES_PER_DAY": "100000000",
        "IDP_LOGIN__NETWORK_WRONG_PASSWORDS_PER_HOUR": "100000000",
        "IDP_LOGIN__NUMBER_WRONG_PER_HOUR": "100000000",
        "IDP_LOGIN__NUMBER_WRONG_PER_DAY": "100000000",
        "IDP_SPEND__DAY_BUDGET": "100000000000",
        "IDP_SPEND__COUNTRY_BUDGET": "100000000000",
        "IDP_SPEND__PREFIX_BUDGET": "100000000000",
        "IDP_SPEND__NETWORK_BUDGET": "100000000000",
        "IDP_SPEND__UNVERIFIED_FLOOR": "100000000",
        "IDP_SPEND__WORK_FROM_PREFIX": "100000000",
        "IDP_SPEND__WORK_FROM_NETWORK": "100000000",
    }


def provider_command(workers: int) -> list[str]:
    """`idp serve`, as an operator starts it."""
    return [sys.executable, "-m", "idp.cli.main", "serve", "--workers", str(workers)]


def floor_command(port: int, workers: int, threads: int) -> list[str]:
    """The floor under the same server."""
    arguments = [
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        str(workers),
        "--blocking-threads",
        str(threads),
    ]
    return [sys.executable, "-m", "granian", *arguments, "--log-level", "error", "--factory", "bench.floor:create"]
