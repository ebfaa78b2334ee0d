"""A process that dies at a chosen point, and the one that comes after it.

`Sweep` lets one step (a request, a turn of the worker, a command) die at its k-th point, for every k: before each statement, before and
after each COMMIT, around what is done to files. It dies in a forked process by `os._exit`, as by SIGKILL: nothing is rolled back, flushed
or closed. Then the same step is done once more by another process, and what is in the database at last is compared with what would be there
without the crash. The clock stands still meanwhile, so that times can be compared as well.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

from idp.credentials import trusted_device
from idp.db import schema
from idp.delegation import clients
from tests.conftest import Told
from tests.world import World

DIED = 9
TIMES = ("_at", "_start")
KIND = re.compile("(?:[a-z]{3}_(?=[0-9a-z]{26}$|[0-9a-f]{20}$))?")
EVERY = {"*"}
Dump = dict[str, list[str]]
# Ids, digests, sealed texts and secrets: new in each run, so only that they are there can be compared.
MADE_UP = re.compile(r"(?=[A-Za-z_-]*[A-Z0-9])[A-Za-z0-9_-]{22,}={0,2}")


@dataclass(frozen=True)
class Died:
    """Where a process died: the point's number, what it was about to do, and how many transactions it had committed."""

    point: int
    about_to: str
    commits: int


@dataclass(frozen=True)
class Outcome:
    """What a step answered, and what the database holds after it."""

    answer: str
    dump: Dump


@dataclass(frozen=True)
class Step:
    """One thing that is done.

    `prepare` brings a world to where it is done, and answers how: a function that does it in any world on that database, and says what came
    back. `blank`: begin with empty tables instead of the story. `later`: seconds until it is tried again (a lease has to end).
    `uneven`: columns in which a crash may leave a trace, by table: a guess that was counted and never judged is a guess. EVERY column: rows
    may stay behind that lead nowhere. `given`: what is there meanwhile, and the settings that it needs, by table.
    """

    name: str
    prepare: Callable[[World], Callable[[World], str]]
    blank: bool = False
    later: float = 0
    uneven: dict[str, set[str]] = field(default_factory=dict)
    given: Callable[[], AbstractContextManager[dict[str, dict[str, object]]]] = lambda: nullcontext({})

    def __str__(self) -> str:
        return self.name


class Points:
    """Counts the points of this process and ends it at the chosen one."""

    def __init__(self, chosen: int, tell: Callable[[Died], None]) -> None:
        self.chosen, self.tell, self.passed, self.commits = chosen, tell, 0, 0

    def pass_by(self, about_to: str) -> None:
        """One more point."""
        self.passed += 1
        if self.passed == self.chosen:
            self.tell(Died(self.passed, about_to, self.commits))
            os._exit(DIED)

    def watch(self) -> None:
        """From here on each statement, COMMIT and file of this process is a point."""
        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            setattr(DefaultDialect, name, self._before(getattr(DefaultDialect, name)))
        DefaultDialect.do_commit = self._around_commit(DefaultDialect.do_commit)  # type: ignore[method-assign]
        for name in ("open", "fdopen", "fsync", "link", "replace"):
            setattr(os, name, self._around(name, getattr(os, name)))

    def _before(self, execute: Callable[..., None]) -> Callable[..., None]:
        def counted(dialect: Any, cursor: Any, statement: str, *rest: Any, **more: Any) -> None:
            self.pass_by(" ".join(statement.split())[:70])
            execute(dialect, cursor, statement, *rest, **more)

        return counted

    def _around_commit(self, commit: Callable[..., None]) -> Callable[..., None]:
        def counted(dialect: Any, connection: Any) -> None:
            self.pass_by("COMMIT")
            commit(dialect, connection)
            self.commits += 1
            self.pass_by("go on after COMMIT")

        return counted

    def _around(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **more: Any) -> Any:
            self.pass_by(f"os.{name}")
            done = act(*args, **more)
            self.pass_by(f"go on after os.{name}")
            return done

        return counted


def in_another_process(work: Callable[[Callable[[Any], None]], Any]) -> tuple[int, Any]:
    """Fork, do `work` there, answer the exit code and the last thing it told. What it raises is raised here."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads are not there in the child, which is well
        child = os.fork()
    if child == 0:
        code = 0
        try:
            os.close(reader)

            def tell(value: Any, failed: bool = False) -> None:
                told = pickle.dumps((failed, value))
                while told:
                    told = told[os.write(writer, told) :]

            try:
                tell(work(tell))
            except BaseException:
                tell(traceback.format_exc(), failed=True)
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    failed, value = pickle.loads(told) if told else (True, "it said nothing")  # noqa: S301 - from ourselves
    if failed:
        raise AssertionError(f"in the forked process:\n{value}")
    return os.waitstatus_to_exitcode(status), value


class Sweep:
    """One step on one kind of database."""

    def __init__(self, told: Told, folder: Path, step: Step, shift: Callable[[float], None], given: dict[str, dict[str, object]]) -> None:
        self.told, self.folder, self.step, self.shift = told, folder, step, shift
        self.name = "".join(c if c.isalnum() else "_" for c in step.name)[:40]
        trusted_device.name_of("Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0 Safari/537.36")  # reads its patterns once, not in each process
        before = self._url("before")
        if step.blank:
            self._create("before", "template1")
            schema.upgrade(before)
        else:
            self._create("before", "told")
        world = World(told.settings(before, **given))
        self.act = step.prepare(world)
        world.close()
        self._create("point", "before")
        self.known: set[str] = set()
        self.world = World(told.settings(self._url("point"), **given))  # never connected here, only in the processes forked from here
        _, self.known = in_another_process(lambda _: self._known())

    def once(self, times: int = 1) -> Outcome:
        """What is there after the step was done without a crash."""
        self._create("point", "before")
        for _ in range(times):
            _, outcome = in_another_process(lambda _: self._done())
        found: Outcome = outcome
        return found

    def die_at(self, point: int) -> Died | None:
        """Do the step and die at `point`; None when it has fewer."""

        def work(tell: Callable[[Any], None]) -> Any:
            Points(point, tell).watch()
            clients.forget_cached()
            self.act(self.world)

        self._create("point", "before")
        code, died = in_another_process(work)
        assert code == (DIED if died else 0)
        where: Died | None = died
        return where

    def retry(self) -> Outcome:
        """Do it again after the crash, in another process."""

        def work(_tell: Callable[[Any], None]) -> Outcome:
            self.shift(self.step.later)
            return self._done()

        _, outcome = in_another_process(work)
        found: Outcome = outcome
        return found

    def close(self) -> None:
        """Throw the databases away."""
        self.world.close()
        for which in ("point", "before"):
            self._remove(which)

    # ---- in the forked process ----

    def _done(self) -> Outcome:
        clients.forget_cached()
        answer = self.act(self.world)
        return Outcome(self._plain(answer), self._dump())

    def _known(self) -> set[str]:
        """Every made-up text that was there before: those can be compared as they are."""
        return {found for _, row in self._rows() for found in MADE_UP.findall(json.dumps(row, default=str))}

    def _dump(self) -> Dump:
        rows: Dump = {}
        for table, row in self._rows():
            uneven = self.step.uneven.get(table, set()) | ({name for name in row if name.endswith(TIMES)} if self.step.later else set())
            if uneven == EVERY:
                continue
            kept = {name: value for name, value in row.items() if name not in uneven}
            rows.setdefault(table, []).append(self._plain(json.dumps(kept, default=str, sort_keys=True)))
        return {table: sorted(texts) for table, texts in rows.items()}

    def _rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        engine = sa.create_engine(self.world.settings.database.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            for table in sorted(sa.inspect(connection).get_table_names()):
                for row in connection.execute(sa.text(f'SELECT * FROM "{table}"')).mappings():  # noqa: S608 - our own tables
                    yield table, dict(row)

    def _plain(self, text: str) -> str:
        return MADE_UP.sub(lambda found: found[0] if found[0] in self.known else KIND.match(found[0])[0] + "…", text)  # type: ignore[index]

    # ---- databases ----

    def _url(self, which: str) -> str:
        cluster = self.told.cluster
        return cluster.url(f"{which}_{self.name}") if cluster else f"sqlite:///{self.folder / which}.sqlite3"

    def _create(self, which: str, source: str) -> None:
        cluster = self.told.cluster
        self._remove(which)
        if cluster is not None:
            cluster.create(f"{which}_{self.name}", template=f"before_{self.name}" if source == "before" else source)
        elif source != "template1":
            path = self.folder / "before.sqlite3" if source == "before" else self.told.folder / "told.sqlite3"
            shutil.copy(path, self.folder / f"{which}.sqlite3")

    def _remove(self, which: str) -> None:
        if self.told.cluster is not None:
            self.told.cluster.drop(f"{which}_{self.name}")
        for path in self.folder.glob(f"{which}.sqlite3*"):
            path.unlink()


@contextmanager
def swept(told: Told, folder: Path, step: Step, shift: Callable[[float], None]) -> Iterator[Sweep]:
    """A sweep for the length of the block."""
    with step.given() as given:
        sweep = Sweep(told, folder, step, shift, given)
        try:
            yield sweep
        finally:
            sweep.close()


def differences(one: Dump, other: Dump) -> list[str]:
    """Where two dumps differ, a line each."""
    found = []
    for table in sorted({*one, *other}):
        left, right = list(one.get(table, [])), list(other.get(table, []))
        for row in list(left):
            if row in right:
                left.remove(row)
                right.remove(row)
        found += [f"- {table}: {row}" for row in left] + [f"+ {table}: {row}" for row in right]
    return found
