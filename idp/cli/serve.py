"""`idp serve`: the server, its workers, and `idp worker` beside them.

The application is imported once, here, and the workers are forked from this process: so a worker starts in a moment, also after a crash,
and they share their memory. Nothing is connected before the fork.
"""

from __future__ import annotations

import errno
import gc
import importlib
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import click
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from idp import config, crypto, telemetry
from idp.cli.failures import Failure
from idp.cli.front import DRAIN, Front
from idp.cli.processes import WORKER, Companion, end_with
from idp.config import Settings
from idp.db import schema

log = logging.getLogger("idp.serve")
BACKLOG = 1024
CONNECTIONS = 4096  # of one process at the same time; who drips a request holds one of them, and no thread
SPARE = 1  # thread: the others may all be at the database, and somebody has to say so
HEADER_SECONDS = 10  # to send a request's headers in: who drips them holds a connection, not a thread
HEADER_BYTES = 64 * 1024
FALSE_STARTS = 5  # workers in a row that died before they could serve


@click.command()
@click.option("--workers", type=click.IntRange(1, 64), help="Server processes [default: server.workers].")
@click.option("--certificate", type=click.Path(exists=True, dir_okay=False), help="PEM file: serve TLS ourselves (1.2 or newer).")
@click.option("--key", type=click.Path(exists=True, dir_okay=False), help="PEM file with the certificate's private key.")
@click.option("--no-worker", is_flag=True, help="Leave `idp worker` to somebody else.")
def serve(workers: int | None, certificate: str | None, key: str | None, no_worker: bool) -> None:
    """Serve the provider, and run `idp worker` beside it.

    SIGTERM and Ctrl-C let requests finish, then end everything; a second one ends it at once. From the first on /health/ready says 503.
    SIGHUP starts the workers anew, one after the other.
    """
    given = {
        "IDP_SERVER__WORKERS": str(workers or ""),
        "IDP_SERVER__CERTIFICATE": str(Path(certificate).absolute()) if certificate else "",
        "IDP_SERVER__KEY": str(Path(key).absolute()) if key else "",
        "IDP_SERVER__WORKER": "false" if no_worker else "",
    }
    os.environ.update({name: value for name, value in given.items() if value})  # the environment, so that the worker knows as well
    settings = config.settings()
    crypto.load_keys(settings.keys.folder)
    _require_free(settings.server.bind, settings.server.port)
    _bring_tables(settings)
    telemetry.set_up(settings.telemetry)
    folder = _share_metrics(settings)
    try:
        _Server(settings).run()
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _require_free(address: str, port: int) -> None:
    """Raise Failure when somebody listens there already: the server itself shares its port, and would not notice."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as e:
            if e.errno == errno.EADDRINUSE:
                raise Failure(f"Port {port} on {address} is taken. End who listens there, or choose another: [server] port.") from e
            raise Failure(f"{address}:{port} cannot be listened on: {e.strerror}. Look at [server] bind and port.") from e


def _bring_tables(settings: Settings) -> None:
    """SQLite is this machine's alone, so its tables are brought up here; on PostgreSQL other machines may still run the old program."""
    missing = schema.pending(settings.database.url)
    if not missing:
        return
    if not settings.database.url.startswith("sqlite"):
        raise Failure(f"The database lacks {', '.join(missing)}. Run `idp db upgrade` (once, for all machines).")
    from idp.cli.furnish import furnish  # noqa: PLC0415 - only where tables are new

    furnish(settings)


def _share_metrics(settings: Settings) -> Path | None:
    """Before any process starts: the folder into which all of them count."""
    if not settings.telemetry.metrics_port:
        return None
    folder = Path(tempfile.mkdtemp(prefix="idp-metrics-"))
    telemetry.share_metrics(folder)
    return folder


class _Server(MPServer):
    """Granian with our settings, and with patience: it gives up when workers die before they can serve, not because some were killed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.began = multiprocessing.Value("I", 0)  # how many workers have come up
        self.began_before = 0
        self.false_starts = 0
        self.companions: list[Callable[[], None]] = []  # what stops them
        self.worker: Companion | None = None
        self.leaving = multiprocessing.RawValue("b", 0)  # not locked: a signal's handler writes it
        self.signals: SimpleQueue[int] = SimpleQueue()  # what a signal's handler may fill, whatever it has interrupted
        self.own_pid = os.getpid()
        server = settings.server
        super().__init__(
            "idp.app:create_wsgi",
            address=server.bind,
            port=server.port,
            interface=Interfaces.RSGI,
            workers=server.workers,
            backlog=BACKLOG,
            backpressure=CONNECTIONS,
            websockets=False,
            # HTTP/1.1 alone: while Granian waits to see which of the two is spoken it has no time limit, and whoever connects and says
            # nothing holds a connection for ever. A proxy in front may speak HTTP/2 to browsers.
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=HEADER_BYTES),
            log_level=LogLevels.error,
            log_dictconfig=telemetry.SERVER_LOGGING,
            respawn_failed_workers=True,
            workers_kill_timeout=DRAIN,
            process_name="idp serve",
            **_tls(settings),
        )

    def run(self) -> None:
        """Serve until a signal ends it; raises Failure when the workers cannot start."""
        importlib.import_module("idp.app")
        if self.settings.redis.url:
            importlib.import_module("redis")  # which workers load only where it is configured
        gc.freeze()  # what is here now stays, and stays shared: a collection in a worker would copy it by touching it
        gc.enable()
        on_shutdown: Callable[[Callable[[], None]], object] = self.on_shutdown
        on_shutdown(self._stop_companions)
        try:
            self.serve(target_loader=self._load, wrap_loader=False)
        except SystemExit as e:
            if e.code:
                raise Failure("The server's workers cannot start; the log says why.") from e
        finally:
            self._stop_companions()

    def signal_handler_interrupt(self, *args: Any, **_: Any) -> None:
        """SIGTERM and Ctrl-C. Whoever asks /health/ready is told first, and has `server.notice` seconds to send no more."""
        if os.getpid() != self.own_pid:  # a process that has only just been forked: it has this handler still, and nothing in its hands
            os._exit(1)
        self.leaving.value = 1
        self.signals.put(int(args[0]))

    def signal_handler_reload(self, *args: Any, **_: Any) -> None:
        """SIGHUP: the processes are replaced."""
        self.signals.put(int(args[0]))

    def _listen(self) -> None:
        """Do what the signals say. In a thread: a handler must not wait for what it has interrupted, such as another handler, or the wait
        for this very signal."""
        heard: Counter[int] = Counter()
        while True:
            number = self.signals.get()
            heard[number] += 1
            if number == signal.SIGHUP:
                super().signal_handler_reload()  # type: ignore[no-untyped-call]
            elif heard[number] > 1:
                self._end_at_once()
            elif number == signal.SIGTERM and self.settings.server.notice:
                waiting = threading.Timer(self.settings.server.notice, super().signal_handler_interrupt)
                waiting.daemon = True
                waiting.start()
            else:
                super().signal_handler_interrupt()  # type: ignore[no-untyped-call]

    def _end_at_once(self) -> None:
        for process in list(self.wrks):
            process.kill()  # type: ignore[no-untyped-call]
        if self.worker is not None:
            self.worker.stop(patience=0)
        super().signal_handler_interrupt()  # type: ignore[no-untyped-call]

    def _load(self) -> Any:
        """In each worker, once: the application.

        NOTE: until Granian listens to signals here, those of the server above are ours by the fork, and would swallow the one that says
        that it has died. `own_pid` is that server's: who has died already is nobody's parent any more.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        end_with(self.own_pid)
        importlib.import_module("idp.console.health").leave_when(lambda: self.leaving.value)
        wsgi = importlib.import_module("idp.app").create_wsgi()
        routes, server = importlib.import_module("idp.routes"), self.settings.server
        front = Front(wsgi, threads=server.threads + SPARE, quick=routes.QUICK, max_body=server.max_body, larger=routes.LARGER)
        with self.began.get_lock():
            self.began.value += 1
        return front

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        server = self.settings.server
        log.info("serving %s on %s:%d, %d processes of %d threads", server.issuer, server.bind, server.port, server.workers, server.threads)
        super()._spawn_workers(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        for task in (self._listen, self._start_companions):
            threading.Thread(target=task, daemon=True).start()

    def _start_companions(self) -> None:
        """Once a worker serves: what is started beside it must not delay the first answer."""
        until = time.monotonic() + 10
        while not self.began.value and time.monotonic() < until:
            time.sleep(0.02)
        if self.settings.telemetry.metrics_port:
            try:
                self.companions.append(telemetry.serve_metrics(self.settings.telemetry.metrics_port))
            except OSError as e:
                log.error("metrics_not_served port=%s reason=%s", self.settings.telemetry.metrics_port, e.strerror)
        if self.settings.server.worker and not self.interrupt_signal:
            self.worker = Companion([*WORKER, "--parent", str(os.getpid())], said=log.warning)
            self.companions.append(self.worker.stop)
            self.worker.start()

    def _stop_companions(self) -> None:
        while self.companions:
            self.companions.pop()()

    def _respawn_workers(self, workers: Any, spawn_target: Any, target_loader: Any, delay: float = 0) -> None:
        """A worker that was killed is replaced at once, however often. Granian gives up when one dies twice within 5.5 seconds; we, when
        none comes up any more."""
        self.false_starts = 0 if self.began.value > self.began_before else self.false_starts + 1
        self.began_before = self.began.value
        if self.false_starts:
            time.sleep(min(0.2 * 2**self.false_starts, 3))
        super()._respawn_workers(workers, spawn_target, target_loader, delay)
        if self.false_starts < FALSE_STARTS:
            self.respawned_wrks.clear()


def _tls(settings: Settings) -> dict[str, Any]:
    server = settings.server
    if server.certificate is None or server.key is None:
        return {}
    from idp.cli.certificate import as_pkcs8  # noqa: PLC0415 - only who serves TLS

    for path in (server.certificate, server.key):
        if not os.access(path, os.R_OK):
            raise Failure(f"{path} cannot be read. Look at [server] certificate and key.")
    return {"ssl_cert": server.certificate, "ssl_key": as_pkcs8(server.key), "ssl_protocol_min": SSLProtocols.tls12}
