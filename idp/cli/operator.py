"""An operator at the command line: who they are in the events, whom they mean, and when."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from idp import clock, events
from idp.cli.failures import Failure
from idp.cli.output import remark
from idp.cli.setting import at_work
from idp.config import Settings
from idp.credentials import phone
from idp.db.session import writes
from idp.directory import companies, search, users
from idp.directory.names import clean_name
from idp.directory.tables import Company, User
from idp.errors import BadInput

OPERATOR = "operator"  # the actor of what is done here: whoever may run the command has no ID of ours
LONGEST_NAMED = 60
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_DURATION = re.compile(r"([0-9]{1,6})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@contextmanager
def by_operator() -> Iterator[None]:
    """A `writes()` unit whose events name the operator: the number of their login in `details`, its name where it can be blanked."""
    with events.acting(OPERATOR, details={"uid": os.getuid()}, personal={"operator": login_name()}), writes():
        yield


@contextmanager
def operating() -> Iterator[Settings]:
    """`at_work`, and in it the unit of `by_operator`."""
    with at_work() as settings, by_operator():
        yield settings


def login_name() -> str:
    """Who runs the command on this machine; behind sudo, who called it."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without a name
        name = str(os.getuid())
    caller = os.environ.get("SUDO_USER", "")
    return f"{caller} as {name}" if caller and caller != name else name


# ---------------------------------------------------------------- whom they mean


def require_user(text: str) -> User:
    """The person with this id, phone (as people type it) or e-mail; raises Failure with where to look."""
    found = users.find(text) if text.startswith("usr_") else users.find_by_email(text) if "@" in text else _by_phone(text)
    if found is None:
        raise Failure(f"There is no person {named(text)}. `idp users list --search TEXT` finds them by a part of phone, e-mail or name.")
    return found


def read_phone(text: str) -> str:
    """A phone as people type it, in E.164; raises Failure. Also one that gets no codes now: it may have got them before."""
    if _E164.fullmatch(text):
        return text
    try:
        return phone.read_number(text)
    except BadInput as e:
        raise Failure(f"{named(text)} is no phone number. Give it with its country code, for example +79123456789.") from e


def _by_phone(text: str) -> User | None:
    try:
        return users.find_by_phone(read_phone(text))
    except Failure:
        return None


def require_company(text: str) -> Company:
    """The company with this id or (once the operator has checked it) INN; raises Failure with where to look."""
    found = companies.find(text) if text.startswith("cmp_") else companies.find_by_inn(text)
    if found is None:
        raise Failure(f"There is no company {named(text)}. `idp companies list --search TEXT` finds them by a part of name, INN or OGRN.")
    return found


def named(text: str) -> str:
    """What was typed, as it is named in an answer."""
    return repr(text if len(text) <= LONGEST_NAMED else text[:LONGEST_NAMED] + "…")


# ---------------------------------------------------------------- what they write


def words(longest: int) -> Callable[[str], str]:
    """The type of an option that people read: one line of at most `longest` characters."""

    def text(given: str) -> str:
        try:
            return clean_name(given, longest=longest)
        except BadInput as e:
            raise click.BadParameter(e.message % e.params if e.params else e.message) from e

    return text


def looked_for(text: str) -> str:
    """The type of `--search`."""
    if len(text) > search.LONGEST:
        raise click.BadParameter(f"Shorten this to {search.LONGEST} characters.")
    return text


# ---------------------------------------------------------------- lists


def paged(states: tuple[str, ...], what: str) -> Callable[[Any], Any]:
    """The options of a list that is read page by page."""
    options = (
        click.option("--search", "text", type=looked_for, default="", metavar="TEXT", help=f"Only those whose {what} fits."),
        click.option("--status", type=click.Choice(states), help="Only those in this state."),
        click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many."),
        click.option("--after", metavar="ID", help="Those that follow this one: the last id of the page before."),
    )

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def tell_of_more(ids: list[str], limit: int) -> None:
    """Where the next page begins, unless this one was the last."""
    if len(ids) == limit:
        remark(f"There may be more: --after {ids[-1]}")


# ---------------------------------------------------------------- when


def past(text: str) -> datetime:
    """An option's instant: ISO 8601 (without a zone: UTC), or so long ago: 90s, 30m, 2h, 7d."""
    return _instant(text, -1)


def ahead(text: str) -> datetime:
    """An option's instant: ISO 8601 (without a zone: UTC), or so long from now: 90s, 30m, 2h, 7d."""
    return _instant(text, 1)


def _instant(text: str, direction: int) -> datetime:
    at: datetime | None = None
    with suppress(ValueError, OverflowError):
        if (match := _DURATION.fullmatch(text.strip())) is not None:
            at = clock.now() + direction * timedelta(**{_UNITS[match[2]]: int(match[1])})
        else:
            at = datetime.fromisoformat(text.strip())
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    # At the very ends of the calendar a database's driver cannot shift it to another zone.
    if at is None or not 1970 <= at.year < 9999:
        raise click.BadParameter(f"{named(text)} is no instant. Give 2026-11-22T18:00:00Z, 2026-11-22 (UTC), or 90s, 30m, 2h, 7d.")
    return at
