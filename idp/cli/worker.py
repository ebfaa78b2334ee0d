"""The worker's loop: messages and whatever else waits in the outbox, reactions to what happened, the schedule.

It wakes when a transaction that put something into the outbox is committed (PostgreSQL's NOTIFY), or looks ten times a second (SQLite).
Each thing is done in an application context and a unit of its own. Messages are handed over in threads, as many as `[messages] at_once`
says, and are claimed only when one is free; relying parties are told of sign-outs in threads of their own, each receiver in its lane
(`lanes`); everything else is done in between. When the database goes away it waits and comes back by
itself; when it is told to stop it finishes what it is doing.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app

from idp import outbox, reactions, schedule, telemetry
from idp.cli.crew import Crew
from idp.cli.lanes import Lanes
from idp.cli.setting import at_work
from idp.config import settings
from idp.db.session import engine, is_postgresql, reads, writes
from idp.messages import channels, gateways
from idp.oidc.logout import backchannel

POLL = 0.1  # seconds between two looks where nobody wakes us
NAP = 1.0  # seconds, where somebody does: reactions and the schedule still want a look
SCHEDULE_EVERY = 1.0
BURST = 1.0  # seconds in which several signals are one: of a parent's death the kernel tells once for each of its threads
AT_ONCE = 5  # outbox rows, messages and logouts apart, that are claimed together
TELLING = 24  # threads in which relying parties are told; most wait for an answer
LEASE = (
    15.0  # seconds: so long waits what a worker had in its hands when it died; in half of it all that was claimed is begun, or given back
)
KEPT_EVERY = 3.0  # seconds after which the lease of what takes longer is prolonged
AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
LONGEST_WAIT = 5.0  # seconds between two tries to reach a database that is away

HANDLERS: Mapping[str, Callable[..., object]] = {channels.KIND: channels.deliver, backchannel.KIND: backchannel.deliver}
"""Kind of outbox row: who does it, given the row's id and what was put in; `expires_at`: when it would be too late. A text that comes back
stays with the row: how it ended.
"""

FAILED: Mapping[str, Callable[..., None]] = {channels.KIND: channels.note_failure, backchannel.KIND: backchannel.note_failure}
"""Kind of outbox row: who writes down that a try failed, as `channels.note_failure` does."""

_log = logging.getLogger("idp.worker")


def run(app: Flask | None = None, stop: threading.Event | None = None, *, beside: bool = False) -> None:
    """Work until `stop` is set. Without `app`: read the configuration, connect, log, and stop at SIGTERM or Ctrl-C; at once at a second
    one, unless it stands `beside` a server, which ends it when its patience does."""
    stopping = stop or threading.Event()
    if app is not None:
        _work(app, stopping)
        return
    _listen(stopping, patient=beside)
    with at_work(threads=settings().messages.at_once + 6):
        telemetry.set_up()
        _work(current_app._get_current_object(), stopping)  # type: ignore[attr-defined] # the application behind the proxy


def drain(app: Flask) -> None:
    """Do what is due now, until nothing is: reactions, then the outbox. For whoever has no worker running: tests, the demo's story."""
    while _turn(app, threading.Event()):
        pass


def _listen(stop: threading.Event, *, patient: bool) -> None:
    """Set `stop` at the first signal; one that comes more than `BURST` later ends the process, unless it is `patient`.

    NOTE: the event is set in a thread. A handler that set it would wait for ever for the lock of the very wait, or of the very handler,
    that it has interrupted; a SimpleQueue may be filled from anywhere.
    """
    told: SimpleQueue[int] = SimpleQueue()
    first: list[float] = []

    def hear(number: int, _frame: object) -> None:
        if not first:
            first.append(time.monotonic())
            told.put(number)
        elif not patient and time.monotonic() - first[0] > BURST:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def wait() -> None:
        told.get()
        stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hear)


def _work(app: Flask, stop: threading.Event) -> None:
    ear = _Ear(app)
    crew = Crew(app, settings().messages.at_once, _do)
    lanes = Lanes(app, backchannel.KIND, TELLING, _do, LEASE)
    pause = POLL
    looked = kept = float("-inf")
    _log.info("the worker begins")
    if settings().messages.channel == "gateways":
        gateways.open_lines()
    try:
        while not stop.is_set():
            try:
                crew.say_what_went_wrong()
                lanes.crew.say_what_went_wrong()
                if time.monotonic() - kept >= KEPT_EVERY:
                    kept = time.monotonic()
                    _keep(app, [*crew.under_way(), *lanes.crew.under_way()])
                busy = _turn(app, stop, crew, lanes)
                if time.monotonic() - looked >= SCHEDULE_EVERY:
                    looked = time.monotonic()
                    _run_schedule(app, stop)
                if not busy and lanes.backed_up:
                    lanes.crew.wait_for_one(POLL)
                elif not busy and crew.free():
                    ear.wait(stop)
                elif not busy:
                    crew.wait(POLL)
                pause = POLL
            except Exception as e:
                if isinstance(e, AWAY):
                    _log.warning("the database is away (%s), looking again in %.1f s", type(getattr(e, "orig", None) or e).__name__, pause)
                else:
                    _log.exception("the worker goes on after an error, in %.1f s", pause)
                ear.close()
                stop.wait(pause)
                pause = min(pause * 2, LONGEST_WAIT)
    finally:
        ear.close()
        crew.finish()
        lanes.crew.finish()
        gateways.close_lines()
        _log.info("the worker has ended")


def _turn(app: Flask, stop: threading.Event, crew: Crew | None = None, lanes: Lanes | None = None) -> bool:
    """Everything that is due now, once; answers whether there was anything. Messages are given to the `crew`, as many as it has hands free,
    logouts to the `lanes`; without them they are handed over here, one after the other."""
    with app.app_context():
        busy = reactions.react() + gateways.write_down_reports() > 0
    hands = AT_ONCE if crew is None else crew.free()
    messages = _claim(app, hands, only=channels.KIND) if hands else []
    if crew is not None:
        for job in messages:
            crew.take(job)
    busy = (lanes.begin() if lanes is not None else _tell_here(app)) or busy
    others = _claim(app, AT_ONCE, but=(channels.KIND, backchannel.KIND))
    begin_before = time.monotonic() + LEASE / 2
    for job in others if crew is not None else messages + others:
        if stop.is_set() or time.monotonic() > begin_before:
            with app.app_context(), writes():
                outbox.give_back(job)
        else:
            with app.app_context():
                _do(job)
    return busy or bool(messages or others)


def _tell_here(app: Flask) -> bool:
    with app.app_context(), reads():
        due = outbox.lanes_due(backchannel.KIND)
    jobs = [job for lane in due for job in _claim(app, AT_ONCE, only=lane)]
    for job in jobs:
        with app.app_context():
            _do(job)
    return bool(jobs)


def _claim(app: Flask, limit: int, **which: Any) -> list[outbox.Job]:
    with app.app_context():
        with reads():
            if not outbox.is_due(**which):
                return []
        with writes():
            return outbox.claim(limit, LEASE, **which)


def _keep(app: Flask, jobs: list[outbox.Job]) -> None:
    if jobs:
        with app.app_context(), writes():
            outbox.keep(jobs, LEASE)


def _do(job: outbox.Job) -> None:
    telemetry.bind(job_id=job.id)
    try:
        with writes():
            if job.has_expired():
                outbox.expire(job)
            else:
                # First the work, which may be slow, then the unit's first statement. The inbox writes in the same unit as `done`.
                said = HANDLERS[_handler(job)](job.id, job.payload(), expires_at=job.expires_at)
                outbox.done(job, said if isinstance(said, str) else None)
    except AWAY:  # nothing is known of the job: its lease will end
        raise
    except Exception as e:
        word = channels.word_of(e)
        _log.warning("outbox row %s (%s) failed, try %d: %s", job.id, job.kind, job.attempts, word)
        with writes():
            if outbox.failed(job, word) and _handler(job) in FAILED:
                with suppress(KeyError, ValueError):  # a row that nobody can read has failed as well
                    FAILED[_handler(job)](job.id, job.payload(), e, given_up=outbox.is_last(job), expires_at=job.expires_at)
    finally:
        telemetry.forget()


def _handler(job: outbox.Job) -> str:
    """The kind of a row without its lane."""
    return job.kind.partition(":")[0]


def _run_schedule(app: Flask, stop: threading.Event) -> None:
    with app.app_context():
        due = schedule.due()
    for job in due:
        if stop.is_set():
            return
        with app.app_context():
            try:
                schedule.run(job)
            except AWAY:
                raise
            except Exception:
                _log.exception("the scheduled job %s failed, it runs again when it is due", job.name)


class _Ear:
    """Waits for news: on PostgreSQL by LISTEN on a connection of its own, else for a moment."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.connection: sa.Connection | None = None

    def wait(self, stop: threading.Event) -> None:
        """Return when there may be something to do, or `stop` is set."""
        with self.app.app_context():
            if not is_postgresql():
                stop.wait(POLL)
                return
            raw = self._listening()
        until = time.monotonic() + NAP
        while not stop.is_set() and time.monotonic() < until:
            try:
                if any(True for _ in raw.notifies(timeout=POLL, stop_after=1)):
                    return
            except Exception as e:  # the driver's own, past SQLAlchemy: the connection is gone
                raise sa.exc.OperationalError(f"LISTEN {outbox.CHANNEL}", None, e) from e

    def _listening(self) -> Any:
        """The driver's connection, listening."""
        if self.connection is None:
            connection = engine().connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # it never goes back into the pool
            connection.exec_driver_sql(f"LISTEN {outbox.CHANNEL}")
            self.connection = connection
        return self.connection.connection.dbapi_connection  # `driver_connection` is None once a connection is detached

    def close(self) -> None:
        """Let the connection go; the next `wait` makes a new one."""
        if self.connection is not None:
            with suppress(Exception):  # it may be gone already
                self.connection.close()
            self.connection = None
