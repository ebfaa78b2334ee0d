"""What the companies in which a person works ask of that person's sign-ins, all of them together: the strictest counts.

It counts wherever the person has not been removed, also while they are blocked or the company is suspended: either may be over at any
moment, and then nobody signs in anew. `login/policy` says what follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import session
from idp.directory import roles
from idp.directory.tables import Account, Company, Employee, EmployeeRole

_accounts, _companies, _employees, _given = table(Account), table(Company), table(Employee), table(EmployeeRole)


@dataclass(frozen=True, slots=True)
class Rules:
    """`new_browser`: `code` or `code+password`. `browser_lifetime`: seconds for which a known browser's word counts, None: as the settings
    say. `is_administrator`: the person may do everything in some company, its owner included.
    """

    new_browser: str = "code"
    browser_lifetime: int | None = None
    is_administrator: bool = False


def of_person(user_id: str) -> Rules:
    """What holds for this person now, in one statement."""
    row = session.execute(_OF_PERSON, {"user_id": user_id}).one()
    return Rules("code+password" if row.strict else "code", row.lifetime, bool(row.administers))


def browser_lifetime_of(user_id: sa.Column[str]) -> sa.ColumnElement[int | None]:
    """`browser_lifetime` as a part of another statement over that column: for who may not ask a second time."""
    return _at_work(user_id, sa.func.min(_companies.c.remember_browser)).correlate(user_id.table).scalar_subquery()


def is_administrator(user_id: sa.Column[str]) -> sa.ColumnElement[bool]:
    """The same of `is_administrator`."""
    return _at_work(user_id, sa.literal(1)).where(_administers).correlate(user_id.table).exists()


def _at_work(user_id: sa.ColumnElement[str], *wanted: sa.ColumnElement[Any]) -> sa.Select[Any]:
    mine = _accounts.alias("mine")
    return (
        sa.select(*wanted)
        .select_from(mine.join(_employees, _employees.c.account_id == mine.c.id).join(_companies, _companies.c.id == mine.c.company_id))
        .where(mine.c.user_id == user_id, mine.c.kind == "employee", mine.c.status == "active", _employees.c.status != "removed")
    )


_administers = sa.exists().where(_given.c.employee_id == _employees.c.id, _given.c.role_id == roles.BUILT_IN[roles.ADMINISTRATOR].id)
_OF_PERSON = Ready(
    _at_work(
        sa.bindparam("user_id", type_=_accounts.c.user_id.type),
        sa.func.max(sa.case((_companies.c.new_browser == "code+password", 1), else_=0)).label("strict"),
        sa.func.min(_companies.c.remember_browser).label("lifetime"),
        sa.func.max(sa.case((_administers, 1), else_=0)).label("administers"),
    )
)
