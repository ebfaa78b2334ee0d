"""`idp users recoveries`: people who have lost their phone and wait for a new number; seen and stopped by support."""

from __future__ import annotations

import click

from idp.cli.failures import Failure
from idp.cli.operator import by_operator, named, require_user
from idp.cli.output import FORMAT, as_json, done, table
from idp.cli.setting import at_work
from idp.credentials import recoveries as cases
from idp.credentials import vouches
from idp.credentials.recoveries import Case
from idp.db.session import reads

STATES = (cases.WAITING, cases.ASKING, cases.DRAFT, cases.COMPLETED, cases.CANCELLED)


@click.group()
def recoveries() -> None:
    """Lost phones: a new number that an ID is to get once a waiting time is over."""


@recoveries.command(name="list")
@click.option("--of", "who", metavar="ID|PHONE|EMAIL", help="Of this person.")
@click.option("--state", type=click.Choice(STATES), help="Only those.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many.")
@FORMAT
def list_some(who: str | None, state: str | None, limit: int, form: str) -> None:
    """List those in which a new number was proved for somebody's ID, the newest first."""
    with at_work(), reads():
        found = cases.search(state=state, user_id=require_user(who).id if who else None, limit=limit)
        rows = [_row(case) for case in found]
    if form == "json":
        as_json(rows)
        return
    columns = ("recovery", "person", "state", "new number", "way", "vouched", "begun", "due", "ended", "reason")
    table(columns, [tuple(row.values()) for row in rows], empty="Nobody has asked for a new number." if not who else "They have not asked.")


@recoveries.command()
@click.argument("recovery", metavar="RECOVERY")
@FORMAT
def cancel(recovery: str, form: str) -> None:
    """Stop one: the number stays as it is, and the person is told. Nothing is signed out."""
    with at_work(), by_operator():
        case = cases.find(recovery)
        if case is None:
            raise Failure(f"There is no recovery {named(recovery)}. `idp users recoveries list` shows them.")
        stopped = cases.cancel(case.id, cases.SUPPORT)
    done({"recovery": case.id, "cancelled": stopped}, form, f"{case.id} is stopped." if stopped else f"{case.id} was over already.")


def _row(case: Case) -> dict[str, object]:
    return {
        "recovery": case.id,
        "user_id": case.user_id,
        "state": case.state,
        "phone": case.phone,
        "way": case.way,
        "vouched_by": ", ".join(vouches.given(case)),
        "begun_at": case.begun_at,
        "due_at": case.due_at,
        "ended_at": case.ended_at,
        "ended_reason": case.ended_reason,
    }
