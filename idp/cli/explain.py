"""`idp users explain-login`: why somebody was asked for what they were asked for, by the rules of `login/policy`."""

from __future__ import annotations

from typing import Any

import click

from idp import events
from idp.cli.operator import require_user
from idp.cli.output import FORMAT, as_json, table, tell
from idp.cli.setting import at_work
from idp.db.session import reads
from idp.events import Event
from idp.login.policy import REASONS

NAMES = ("login.succeeded", "login.further_proof_due", "login.refused")
MORE = {"blocked": "The ID is blocked."}  # what keeps people out before any rule is asked


@click.command(name="explain-login")
@click.argument("who", metavar="ID|PHONE|EMAIL")
@click.option("-n", "count", type=click.IntRange(1, 100), default=5, show_default=True, help="The last so many sign-ins.")
@FORMAT
def explain_login(who: str, count: int, form: str) -> None:
    """Show the last sign-ins of a person: what they proved, and the rules that asked for it, each with its reason."""
    with at_work(), reads():
        user_id = require_user(who).id
        found = sorted((event for name in NAMES for event in events.search(user_id=user_id, name=name, limit=count)), key=_at)[-count:]
        rows = [_row(event) for event in reversed(found)]
    if form == "json":
        as_json(rows)
        return
    columns = ("at", "what", "proof", "level", "browser", "rules", "strange")
    table(columns, [tuple(row[name] for name in columns) for row in rows], empty="This person has not signed in yet.")
    named = dict.fromkeys(rule for row in rows for rule in row["rules"])
    if named:
        tell("")
    for rule in named:
        unmet = " Nobody can meet it yet: the strongest proof there is took its place." if any(rule in row["unmet"] for row in rows) else ""
        tell(f"{rule}: {reason_of(rule)}{unmet}")


def reason_of(rule: str) -> str:
    """Why there is this rule; of one that an older version had, nothing is known here any more."""
    return REASONS.get(rule) or MORE.get(rule, "A rule of another version.")


def _at(event: Event) -> str:
    return event.id


def _row(event: Event) -> dict[str, Any]:
    told = event.details
    return {
        "at": event.at,
        "what": event.name,
        "flow": told.get("flow"),
        "proof": told.get("proof"),
        "level": told.get("acr"),
        "amr": told.get("amr", []),
        "browser": told.get("trust"),
        "rules": told.get("rules", []),
        "reasons": [reason_of(rule) for rule in told.get("rules", [])],
        "unmet": told.get("unmet", []),
        "strange": told.get("signs", []),
    }
