"""The threads in which the worker does what may take long: one gateway that hangs holds up neither other messages nor anything else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from flask import Flask

from idp import outbox


class Crew:
    """`size` threads that `do` one job each, in an application context of its own."""

    def __init__(self, app: Flask, size: int, do: Callable[[outbox.Job], None], *, name: str = "message") -> None:
        self.app, self.size, self.do = app, size, do
        self._threads = ThreadPoolExecutor(size, thread_name_prefix=name)
        self._changed = threading.Condition()
        self._jobs: set[outbox.Job] = set()
        self._failure: BaseException | None = None

    def free(self) -> int:
        """How many jobs would be begun at once."""
        return self.size - len(self._jobs)

    def under_way(self) -> list[outbox.Job]:
        """What has been begun and is not done."""
        with self._changed:
            return list(self._jobs)

    def take(self, job: outbox.Job) -> None:
        """Begin a job."""
        with self._changed:
            self._jobs.add(job)
        self._threads.submit(self._run, job)

    def wait(self, seconds: float) -> None:
        """Wait until somebody is free, or `seconds` are over."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._jobs) < self.size, seconds)

    def wait_for_one(self, seconds: float) -> None:
        """Wait until a job is done, or `seconds` are over."""
        with self._changed:
            if self._jobs:
                self._changed.wait(seconds)

    def say_what_went_wrong(self) -> None:
        """Raise what a job could not deal with itself: the database went away."""
        with self._changed:
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def finish(self) -> None:
        """Wait for what was begun, and end the threads."""
        self._threads.shutdown(wait=True)

    def _run(self, job: outbox.Job) -> None:
        try:
            with self.app.app_context():
                self.do(job)
        except BaseException as e:
            with self._changed:
                self._failure = e
        finally:
            with self._changed:
                self._jobs.discard(job)
                self._changed.notify_all()
