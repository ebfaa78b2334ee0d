"""`idp companies`: sellers, found and shown, activated after the check, suspended."""

from __future__ import annotations

import re
from typing import Any

import click

from idp.cli.failures import Failure
from idp.cli.operator import by_operator, paged, require_company, tell_of_more, words
from idp.cli.output import FORMAT, as_json, done, record, table
from idp.cli.setting import at_work
from idp.db.session import reads
from idp.directory import companies as sellers
from idp.directory import employees, search
from idp.directory.tables import Company

WHICH = click.argument("which", metavar="ID|INN")
COLUMNS = (
    "id kind inn ogrn legal_name short_name status created_at activated_at suspended_at suspended_reason bik bank_account "
    "warehouse_address new_browser remember_browser offer_version offer_accepted_at"
).split()


def days(text: str) -> int:
    """An option's days in seconds; 0: never, -1: the default."""
    if text in {"never", "default"}:
        return 0 if text == "never" else -1
    if not re.fullmatch("[1-9][0-9]{0,3}", text):
        raise click.BadParameter("Give a number of days from 1 to 9999, `never` or `default`.")
    return int(text) * 86400


@click.group()
def companies() -> None:
    """Companies that sell here. Everything holds from the next request on, in every process."""


@companies.command(name="list")
@paged(search.COMPANY_STATES, "id, INN, OGRN or name")
@FORMAT
def list_some(text: str, status: str | None, limit: int, after: str | None, form: str) -> None:
    """List companies, the newest first."""
    with at_work(), reads():
        found = search.companies(text, status=status, limit=limit, after=after)
    if form == "json":
        as_json([_row(company) for company in found])
    else:
        rows = [(c.id, c.inn, c.short_name, c.kind, c.status, c.created_at) for c in found]
        columns = ("id", "INN", "name", "kind", "status", "registered")
        table(columns, rows, empty="No company fits." if text or status or after else "No company has registered yet.")
    tell_of_more([company.id for company in found], limit)


@companies.command()
@WHICH
@FORMAT
def show(which: str, form: str) -> None:
    """Show a company: its details, what is still missing, who owns it."""
    with at_work(), reads():
        company = require_company(which)
        owner = sellers.owner_of(company.id)
        person = employees.user_of(owner.id) if owner else None
        shown: dict[str, Any] = {
            **_row(company),
            "missing": sellers.missing(company),
            "owner_employee_id": owner.id if owner else None,
            "owner_user_id": person.id if person else None,
            "employees": len(employees.of_company(company.id)),
        }
    if form == "json":
        as_json(shown)
        return
    record({name: value for name, value in shown.items() if value not in (None, [])})


@companies.command()
@WHICH
@FORMAT
def activate(which: str, form: str) -> None:
    """Let a company in that you have checked, or that was suspended."""
    with at_work(), by_operator():
        company = require_company(which)
        lacks = [sellers.MISSING[field] for field in sellers.missing(company)]
        if lacks:
            raise Failure(f"{company.id} cannot be activated yet: the company has still to give its {', '.join(lacks)}.")
        new = sellers.activate(company.id)
        shown = _row(sellers.get(company.id))
    done(shown, form, f"{shown['id']} is active." if new else f"{shown['id']} was active already.")


@companies.command()
@WHICH
@click.option("--reason", type=words(300), metavar="TEXT", required=True, help="Its people read it where they choose the company.")
@FORMAT
def suspend(which: str, reason: str, form: str) -> None:
    """Keep everyone out of a company; `idp companies activate` lets them in again."""
    with at_work(), by_operator():
        company_id = require_company(which).id
        new = sellers.suspend(company_id, reason)
        shown = _row(sellers.get(company_id))
    done(shown, form, f"{company_id} is suspended." if new else f"{company_id} was suspended already: the first reason stays.")


@companies.command(name="set-policy")
@WHICH
@click.option("--new-browser", type=click.Choice(sellers.NEW_BROWSER), help="What a browser that does not know the person asks for.")
@click.option(
    "--remember-browser",
    type=days,
    metavar="DAYS|never|default",
    help="For how long a known browser's word counts; `never`: each time a code; `default`: as [login] remember_browser says.",
)
@FORMAT
def set_policy(which: str, new_browser: str | None, remember_browser: int | None, form: str) -> None:
    """Say how the people of a company sign in: it holds for them everywhere, since a sign-in is the person's and not the company's."""
    wanted: dict[str, str | int | None] = {} if new_browser is None else {"new_browser": new_browser}
    if remember_browser is not None:
        wanted["remember_browser"] = None if remember_browser < 0 else remember_browser
    if not wanted:
        raise click.UsageError("Say what is to change: --new-browser, --remember-browser.")
    with at_work(), by_operator():
        company_id = require_company(which).id
        new = sellers.set_policy(company_id, wanted)
        shown = _row(sellers.get(company_id))
    done(shown, form, f"The policy of {company_id} is changed." if new else f"The policy of {company_id} was so already.")


def _row(company: Company) -> dict[str, Any]:
    return {column: getattr(company, column) for column in COLUMNS}
