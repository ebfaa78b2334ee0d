"""What a command prints: a table for eyes, JSON for programs. Answers go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

FORMAT = click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print.")


def tell(line: str = "") -> None:
    """A line of the answer."""
    click.echo(line)


def remark(line: str) -> None:
    """A line beside the answer, to standard error."""
    click.echo(line, err=True)


def as_json(value: Any) -> None:
    """`value` as JSON; instants become ISO 8601."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


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


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    # One value, one line: what came from elsewhere cannot begin a new one, nor order the terminal about.
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in str(value))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
