"""What a command prints: a table for eyes, JSON for programs. Answers go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click

from idp.cli.failures import Failure

FORMAT = click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print.")


def tell(line: str = "") -> None:
    """A line of the answer."""
    click.echo(line)


def remark(line: str) -> None:
    """A line beside the answer, to standard error, as text."""
    click.echo(visible(line), err=True)


def as_json(value: Any) -> None:
    """`value` as JSON; instants become ISO 8601."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=_plain)
    # Nothing that orders the terminal about. It can only stand within a string, where JSON has an escape for it.
    click.echo("".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """`rows` under the headings `columns`; `empty` is what is said when there are none."""
    rows = list(rows)
    if not rows:
        remark(empty)
        return
    # Late: whoever asks for JSON, or serves, does without.
    from rich import box  # noqa: PLC0415 - as above
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        # Text, not str: a name in square brackets is a name, not an order to the printer.
        shown.add_row(*[Text(_text(cell)) for cell in row])
    # Into a file or a pipe nothing is folded: a line stays a line.
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 10_000, highlight=False).print(shown)


def record(values: Mapping[str, Any]) -> None:
    """One thing, a line for each of its values."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        click.echo(f"{name:<{width}}  {_text(value)}".rstrip())


def done(thing: Mapping[str, Any], form: str, said: str) -> None:
    """What was done: a sentence; for a program the `thing` as it is now, and the sentence beside it."""
    if form == "json":
        as_json(thing)
        remark(said)
    else:
        tell(visible(said))


@contextmanager
def progress(what: str, length: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error for long work, where somebody sits before it. Gives what is called with how much is done."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    with click.progressbar(length=length, label=what, file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)


def visible(text: str) -> str:
    """`text` as one line that only shows: what came from elsewhere cannot begin a new one, nor order the terminal about."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def confirmed(question: str, yes: bool) -> None:
    """Go on only after `--yes`, or a yes at the terminal. Raises Failure otherwise: nobody is asked where nobody sits."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failure(f"{question}? Nobody can be asked here: say --yes.")
    if not click.confirm(f"{question}?", err=True):
        raise Failure("Nothing was done.")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return visible(str(value))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
