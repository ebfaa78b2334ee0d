"""`idp events`: the audit trail, followed as it grows, or exported. What names a person is shown only where it is asked for."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import click

from idp import clock
from idp import events as trail
from idp.cli.failures import Failure
from idp.cli.operator import past, require_company, require_user
from idp.cli.output import FORMAT, progress, remark, tell, visible
from idp.cli.setting import at_work
from idp.db.session import reads
from idp.events import Event, Wanted

EVERY = 1.0  # seconds between two looks of `-f`
LATE = timedelta(seconds=10)  # an id is older than its commit: who was slow to commit is found by looking back that far
PAGE = 1000
SINCE = "2026-11-22T18:00:00Z, 2026-11-22 (UTC), or 30m, 2h, 7d ago"
PERSONAL = click.option("--personal", is_flag=True, help="Also what names a person: phone, e-mail, address, browser.")


@click.group()
def events() -> None:
    """What happened, to whom, by whom."""


@events.command()
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("-n", "count", type=click.IntRange(0, 100_000), default=10, show_default=True, help="Begin with the last so many.")
@click.option("--name", metavar="NAME", help="One name (login.succeeded), or its beginning with the dot (login.).")
@click.option("--user", "who", metavar="ID|PHONE|EMAIL", help="What befell this person.")
@click.option("--company", "company", metavar="ID|INN", help="What happened in this company.")
@click.option("--client", "client_id", metavar="CLIENT_ID", help="What this relying party did.")
@click.option("--since", type=past, metavar="INSTANT", help=f"Not before: {SINCE}.")
@PERSONAL
@FORMAT
def tail(*, follow: bool, count: int, since: datetime | None, personal: bool, form: str, **given: str | None) -> None:
    """Show the last events, the newest at the end."""
    with at_work():
        begun = clock.now()
        with reads():
            wanted = _wanted(since=since, **given)
            # First, so that nothing falls between: what is there already is not new, shown or not.
            known = {event.id: event.at for event in _all({**wanted, "since": begun - LATE})} if follow else {}
            shown = trail.search(limit=count, **wanted)[::-1] if count else []
        write = _writer(form, personal)
        for event in shown:
            write(event)
        if follow:
            for event in _following(wanted, known | {event.id: event.at for event in shown}):
                write(event)
        elif not shown:
            remark("No event fits.")


@events.command()
@click.option("--since", type=past, metavar="INSTANT", help=f"Not before: {SINCE} [default: from the beginning].")
@click.option("--until", type=past, metavar="INSTANT", help="Before this instant [default: now].")
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path), help="A new file, which only you can read [default: standard output]."
)
@click.option("--verify", is_flag=True, help="First read the whole chain again: was a line changed, taken out or put in?")
@PERSONAL
def export(since: datetime | None, until: datetime | None, path: Path | None, verify: bool, personal: bool) -> None:
    """Write events as lines of JSON, the oldest first."""
    until = until or clock.now()
    if since is not None and since >= until:
        raise Failure("Nothing lies between: --since must be before --until.")
    with at_work(), reads():
        if verify:
            _verify()
        wanted: Wanted = {"since": since, "until": until}
        with _into(path) as write, progress("Exporting", trail.count(**wanted)) as tell_how_many:
            done = 0
            for event in _all(wanted):
                write(trail.line(event, personal=personal))
                done += 1
                if done % PAGE == 0:
                    tell_how_many(done)
    remark(f"{done} events" + (f" in {path}" if path else "") + ("." if personal else ", without what names a person."))


def _wanted(*, name: str | None, who: str | None, company: str | None, client_id: str | None, since: datetime | None) -> Wanted:
    # An id is believed: its events are there also when what it named is not any more.
    user_id = who if who is None or who.startswith("usr_") else require_user(who).id
    company_id = company if company is None or company.startswith("cmp_") else require_company(company).id
    return {"name": name, "user_id": user_id, "company_id": company_id, "client_id": client_id, "since": since}


def _following(wanted: Wanted, known: dict[str, datetime]) -> Iterator[Event]:
    """What is recorded from now on, for ever. `known`: id and instant of what is not new. Outside of any unit."""
    while True:
        time.sleep(EVERY)
        since = clock.now() - LATE
        with reads():
            fresh = [event for event in _all({**wanted, "since": since}) if event.id not in known]
        yield from fresh
        known = {event_id: at for event_id, at in known.items() if at >= since - LATE} | {event.id: event.at for event in fresh}


def _all(wanted: Wanted) -> Iterator[Event]:
    """The events that fit, oldest first, a page at a time."""
    page = trail.read(limit=PAGE, **wanted)
    while page:
        yield from page
        page = trail.read(limit=PAGE, after=page[-1].id, **wanted) if len(page) == PAGE else []


def _verify() -> None:
    with progress("Verifying", 100) as tell_how_far:
        verdict = trail.verify_chain(lambda checked, of: tell_how_far(checked * 100 // of))
    if verdict.broken is not None:
        raise Failure(
            f"The chain is broken after {verdict.checked} events: {verdict.broken}.",
            "Nothing was exported. Compare with a backup; without --verify it is exported as it is.",
        )
    remark(f"The chain is in order: {verdict.checked} events. What the worker has not linked yet is not in it.")


@contextmanager
def _into(path: Path | None) -> Iterator[Callable[[str], None]]:
    """A function that writes a line: to standard output, or into a new file, which is there only when everything is in it."""
    if path is None:
        yield _lines(sys.stdout)
        return
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as e:
        raise Failure(f"{path} is there already. Name another file.") from e
    except OSError as e:
        raise Failure(f"{path} cannot be written ({e.strerror}). Name a file in a folder of yours.") from e
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            yield _lines(file)
    except BaseException as e:
        path.unlink(missing_ok=True)
        if isinstance(e, OSError):
            raise Failure(f"{path} could not be written to its end ({e.strerror}).") from e
        raise


def _lines(stream: TextIO) -> Callable[[str], None]:
    def write(line: str) -> None:
        stream.write(line + "\n")

    return write


def _writer(form: str, personal: bool) -> Callable[[Event], None]:
    return (lambda event: tell(trail.line(event, personal=personal))) if form == "json" else (lambda event: tell(_row(event, personal)))


def _row(event: Event, personal: bool) -> str:
    who = {"user": event.user_id, "actor": event.actor_id, "company": event.company_id, "client": event.client_id}
    values = {**{name: value for name, value in who.items() if value}, **event.details, **((event.personal or {}) if personal else {})}
    told = " ".join(f"{name}={_value(value)}" for name, value in values.items())
    return visible(f"{event.at:%Y-%m-%d %H:%M:%S}Z  {event.outcome:<8}{event.name:<26}  {told}")


def _value(value: Any) -> str:
    if isinstance(value, str) and value and not any(c.isspace() or c in "\"'=" for c in value):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
