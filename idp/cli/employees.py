"""`idp employees`: the people in a company, as support helps with them when its administrators cannot."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from idp.cli.failures import Failure
from idp.cli.operator import OPERATOR, ahead, by_operator, named, require_company, words
from idp.cli.output import FORMAT, as_json, done, record, table
from idp.cli.setting import at_work
from idp.db.session import reads
from idp.directory import accounts, roles
from idp.directory import employees as staff
from idp.directory.accounts import Standing
from idp.directory.tables import Employee

WHO = click.argument("employee_id")


@click.group()
def employees() -> None:
    """People in companies. Everything holds from the next request on, in every portal."""


@employees.command(name="list")
@click.argument("company", metavar="COMPANY")
@FORMAT
def list_all(company: str, form: str) -> None:
    """List everyone who works in COMPANY (id or INN), the owner first."""
    with at_work(), reads():
        company_id = require_company(company).id
        found = [_shown(employee, standing) for employee, standing in staff.of_company(company_id)]
    if form == "json":
        as_json(found)
        return
    rows = [(e["id"], e["name"], e["role_titles"], e["user_id"], e["email"], _entry(e)) for e in found]
    table(("employee", "name", "roles", "person", "e-mail", "may enter"), rows, empty="Nobody works there.")


@employees.command()
@WHO
@FORMAT
def show(employee_id: str, form: str) -> None:
    """Show the employee EMPLOYEE_ID, with the permissions that hold now."""
    with at_work(), reads():
        shown = _present(employee_id)
    if form == "json":
        as_json(shown)
        return
    record({name: value for name, value in shown.items() if value not in (None, [])})


@employees.command()
@WHO
@click.option(
    "--until", type=ahead, metavar="INSTANT", help="2026-11-22T18:00:00Z, 2026-11-22 (UTC), or 2h, 7d from now [default: for good]."
)
@click.option("--reason", type=words(300), metavar="TEXT", help="The person reads it where they choose the company.")
@FORMAT
def block(employee_id: str, until: datetime | None, reason: str | None, form: str) -> None:
    """Keep an employee out of the company; of other companies and shopping nothing changes."""
    with at_work(), by_operator():
        _require(employee_id)
        staff.block(employee_id, until, reason, by=OPERATOR)
        shown = _present(employee_id)
    done(shown, form, f"{employee_id} is blocked" + (f" until {until:%Y-%m-%d %H:%M:%S} UTC." if until else "."))


@employees.command()
@WHO
@FORMAT
def unblock(employee_id: str, form: str) -> None:
    """Let an employee in again."""
    with at_work(), by_operator():
        was = _require(employee_id).status
        staff.unblock(employee_id, by=OPERATOR)
        shown = _present(employee_id)
    done(shown, form, f"{employee_id} may enter again." if was == "blocked" else f"{employee_id} was not blocked.")


@employees.command(name="change-role")
@WHO
@click.option("--role", "keys", multiple=True, required=True, metavar="ROLE", help="The role's short name; may be given more than once.")
@FORMAT
def change_role(employee_id: str, keys: tuple[str, ...], form: str) -> None:
    """Give an employee these roles instead of the present ones. The owner is only ever replaced by another administrator."""
    with at_work(), by_operator():
        employee = _require(employee_id)
        there = {role.key: role.id for role in roles.of_company(employee.company_id)}
        unknown = [key for key in keys if key not in there]
        if unknown:
            raise Failure(f"There is no role {named(unknown[0])} in this company. It has: {', '.join(there)}.")
        staff.change_roles(employee_id, [there[key] for key in keys], by=OPERATOR)
        shown = _present(employee_id)
    done(shown, form, f"{employee_id} is {', '.join(shown['role_titles'])} from now on.")


def _require(employee_id: str) -> Employee:
    employee = staff.find(employee_id)
    if employee is None or employee.status == "removed":
        raise Failure(f"There is no employee {named(employee_id)}. `idp employees list COMPANY` shows those that there are.")
    return employee


def _present(employee_id: str) -> dict[str, Any]:
    employee = _require(employee_id)
    standing = accounts.standing(employee.account_id)
    if standing is None:
        raise RuntimeError(f"{employee_id} has no account: a foreign key holds it")
    return _shown(employee, standing)


def _shown(employee: Employee, standing: Standing) -> dict[str, Any]:
    columns = (
        "id company_id account_id name position email phone is_owner status blocked_at blocked_until blocked_reason created_at".split()
    )
    return {
        **{column: getattr(employee, column) for column in columns},
        "company_name": standing.company_name,
        "user_id": standing.user_id,
        "roles": list(standing.roles),
        "role_titles": list(standing.role_titles),
        "permissions": list(standing.permissions),
        "may_enter": standing.may_enter,
        "reason": standing.reason,
        "last_used_at": standing.last_used_at,
    }


def _entry(shown: dict[str, Any]) -> str:
    return "yes" if shown["may_enter"] else f"no: {shown['reason']}"
