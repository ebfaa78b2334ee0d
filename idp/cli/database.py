"""`idp db`: tables up and down."""

from __future__ import annotations

import click
import sqlalchemy as sa

from idp import config
from idp.cli.failures import Failure
from idp.cli.furnish import furnish
from idp.cli.output import FORMAT, as_json, confirmed, tell
from idp.db import schema


@click.group()
def db() -> None:
    """Bring the tables up or down.

    `idp serve` does it by itself on SQLite. On PostgreSQL run `idp db upgrade` once, before the new program starts anywhere.
    """


@db.command()
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the tables up to REVISION (default: the newest)."""
    applied, _ = furnish(config.settings(), revision)
    tell(f"Applied {', '.join(applied)}." if applied else "The tables are up to date.")


@db.command()
@click.argument("revision", default="-1")
@click.option("--yes", is_flag=True, help="Do not ask.")
def downgrade(revision: str, yes: bool) -> None:
    """Take the tables back to REVISION (default: one step; `base`: empty). What only newer ones hold is lost."""
    confirmed(f"Take {shown(_url())} back to {revision}, and lose what only newer tables hold", yes)
    undone = schema.downgrade(_url(), revision)
    tell(f"Undone: {', '.join(reversed(undone))}." if undone else "Nothing to undo.")


@db.command()
@FORMAT
def check(form: str) -> None:
    """Say whether the tables are at the newest revision; exit code 1 when they are not."""
    missing = schema.pending(_url())
    if form == "json":
        as_json({"current": not missing, "pending": missing})
    elif not missing:
        tell("The tables are up to date.")
    if missing:
        raise Failure(f"Not applied yet: {', '.join(missing)}. Run `idp db upgrade`.")


@db.command(hidden=True)
@click.argument("message")
def revision(message: str) -> None:
    """For developers: write the next revision from what the present database lacks."""
    tell(f"{schema.write_revision(_url(), message)}: read it, then run `make format`.")


def _url() -> str:
    return config.settings().database.url


def shown(url: str) -> str:
    """`url` without its password."""
    return sa.make_url(url).render_as_string(hide_password=True)
