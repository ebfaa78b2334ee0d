"""Servers for the length of a test run: a PostgreSQL cluster and a Redis of our own, on loopback, gone at the end.

Both are told to end with the process that started them, so that a test run which is killed leaves nothing behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests import machine

USER = "idp"
PATIENCE = 60  # seconds until a server must answer: a busy machine is slow, not broken


@dataclass
class Cluster:
    """A running PostgreSQL. Everybody on this machine may enter; it holds only what tests made up."""

    folder: Path
    programs: Path
    port: int
    process: subprocess.Popen[bytes]

    def url(self, database: str) -> str:
        """The address of `database`, as `[database] url` has it."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, *, template: str = "template1") -> str:
        """Make `database`, as a copy of `template`; answers its address."""
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(database), sql.Identifier(template)))
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove `database`, whoever is connected."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def kill(self) -> None:
        """As a power cut would: nothing is written out any more."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(PATIENCE)

    def start(self) -> None:
        """Start (again) on the same port with the same data."""
        self.process = _start_postgresql(self.programs, self.folder, self.port)
        self._wait()

    def stop(self) -> None:
        """End it, without waiting for those who are connected."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(host="127.0.0.1", port=self.port, user=USER, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)

    def _wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                psycopg.connect(host="127.0.0.1", port=self.port, user=USER, dbname="postgres", connect_timeout=5).close()
            except psycopg.OperationalError as e:
                if self.process.poll() is not None or time.monotonic() > until:
                    log = (self.folder / "log").read_text("utf-8", "replace")[-2000:]
                    raise RuntimeError(f"PostgreSQL did not start: {e}\n{log}") from e
                time.sleep(0.05)
            else:
                return


@contextmanager
def postgresql(*options: str) -> Iterator[Cluster]:
    """A fresh cluster; `options` go to its server (`log_statement=all`). As root it runs as the user postgres, which PostgreSQL insists on.

    Ask `machine.missing("postgresql")` first.
    """
    programs = Path(machine.postgresql() or "")
    folder = Path(tempfile.mkdtemp(prefix="idp-postgresql-"))
    try:
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        make = [programs / "initdb", "-D", folder / "data", "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run([*_as_postgres(), *map(str, make)], check=False, capture_output=True, text=True, cwd="/")
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr}")
        if options:
            with (folder / "data" / "postgresql.auto.conf").open("a") as settings:
                settings.writelines(f"{name} = '{value}'\n" for name, _, value in (option.partition("=") for option in options))
        port = machine.free_port()
        cluster = Cluster(folder, programs, port, _start_postgresql(programs, folder, port))
        try:
            cluster._wait()
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start_postgresql(programs: Path, folder: Path, port: int) -> subprocess.Popen[bytes]:
    # fsync stays on: what the tests promise about a crash must hold for a disk, too.
    options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "max_connections": 200, "fsync": "on"}
    command = [str(programs / "postgres"), "-D", str(folder / "data"), *(f"--{name}={value}" for name, value in options.items())]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen([*_as_postgres("INT"), *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/")


def _as_postgres(signal_at_our_end: str = "") -> list[str]:
    """The words before a command that make it PostgreSQL's user, and let it end when we do."""
    words = []
    if os.getuid() == 0:
        words += ["--reuid=postgres", "--regid=postgres", "--init-groups"]
    if signal_at_our_end:
        words += [f"--pdeathsig={signal_at_our_end}"]
    return ["setpriv", *words, "--"] if words else []


@dataclass
class Redis:
    """A running Redis. It keeps nothing: killed and started again, it is empty."""

    folder: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Its address, as `[redis] url` has it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def freeze(self) -> None:
        """It hangs: whoever connects is let in by the kernel, and never answered."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self.process.send_signal(signal.SIGCONT)

    def start(self) -> None:
        """Start again, on the same port."""
        self.process = _start_redis(self.folder, self.port)
        _wait_for_port(self.port, self.process)

    def stop(self) -> None:
        """End it."""
        self.thaw()
        self.process.terminate()
        self.process.wait(PATIENCE)


@contextmanager
def redis() -> Iterator[Redis]:
    """A fresh Redis. Ask `machine.missing("redis-server")` first."""
    folder = tempfile.mkdtemp(prefix="idp-redis-")
    port = machine.free_port()
    started = Redis(folder, port, _start_redis(folder, port))
    try:
        _wait_for_port(port, started.process)
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _start_redis(folder: str, port: int) -> subprocess.Popen[bytes]:
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no", "logfile": f"{folder}/log"}
    words = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    command = ["setpriv", "--pdeathsig=TERM", "--", "redis-server", *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
