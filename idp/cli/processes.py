"""Processes that live and die with another: the worker beside the server, the portals beside the demo. And `idp worker` itself."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping

import click

PR_SET_PDEATHSIG = 1
SHORT_LIFE = 5.0  # seconds: who dies sooner is started again more slowly
LONGEST_PAUSE = 5.0
WORKER = [sys.executable, "-m", "idp.cli.main", "worker"]


def end_with(parent: int) -> None:
    """Have the kernel send us SIGTERM when `parent` (a process id) dies, however it dies. Does nothing where there is no Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os.kill(os.getpid(), signal.SIGTERM)


class Companion:
    """A command that is kept running by a thread of this process, and started again when it ends by itself.

    NOTE: the kernel's signal on the parent's death belongs to the thread that started the child; this one lives until `stop`.
    """

    def __init__(self, command: list[str], *, environment: Mapping[str, str] | None = None, said: Callable[[str], None]) -> None:
        self.command = command
        self.environment = {**os.environ, **(environment or {})}
        self.said = said
        self.process: subprocess.Popen[bytes] | None = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._keep, name="companion", daemon=True)

    def start(self) -> None:
        """Begin to keep it running."""
        self.thread.start()

    def stop(self, patience: float = 10) -> None:
        """End it: SIGTERM, and SIGKILL after `patience` seconds."""
        self.stopping.set()
        end([self.process] if self.process else [], patience)
        if self.thread.is_alive():
            self.thread.join(1)

    def _keep(self) -> None:
        pause = 0.2
        while not self.stopping.is_set():
            began = time.monotonic()
            self.process = subprocess.Popen(self.command, env=self.environment)  # noqa: S603 - our own program
            if self.stopping.is_set():
                self.process.terminate()
            code = self.process.wait()
            if self.stopping.is_set():
                return
            pause = 0.2 if time.monotonic() - began > SHORT_LIFE else min(2 * pause, LONGEST_PAUSE)
            self.said(f"{' '.join(self.command[3:4])} ended ({_how(code)}); it is started again in {pause:.1f} s")
            self.stopping.wait(pause)


def end(processes: list[subprocess.Popen[bytes]], patience: float) -> None:
    """SIGTERM to each that still runs; SIGKILL to those that are left after `patience` seconds."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + patience
    for process in processes:
        try:
            process.wait(max(0.01, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


@click.command()
@click.option("--parent", type=int, hidden=True, help="End when this process does.")
def worker(parent: int | None) -> None:
    """Run the worker alone: what must still happen (messages, reactions) and the schedule.

    `idp serve` runs one by itself. Any number may run: each thing is claimed by one of them.
    """
    if parent is not None:
        end_with(parent)
    from idp.cli import worker as loop  # noqa: PLC0415 - the server takes this file for `Companion` and must not load the rooms twice

    gc.freeze()
    gc.enable()
    loop.run(beside=parent is not None)
