"""People in a company: added, given roles, restricted, blocked, removed; the owner, who is only ever replaced.

Who acts is `by`: a colleague's Standing (then they may do no more than their permissions, in their own company), an operator's user id,
or None for the system itself. Everything holds from the next request on: nobody remembers rights (accounts.standing).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.db.columns import table
from idp.db.session import changed, insert_or_ignore, session
from idp.directory import accounts, roles
from idp.directory.accounts import Standing
from idp.directory.names import clean_name, kept_email, require_link, require_phone
from idp.directory.tables import Account, Employee, EmployeeRestriction, EmployeeRole, User
from idp.errors import N_, BadInput, Conflict, Forbidden, NotFound

Actor = Standing | str | None
RAISED = "employee.raised"

NOT_HERE = N_("There is no such employee in this company.")
ONLY_REPLACED = N_("The owner can only be replaced by another administrator.")


def actor_id(by: Actor) -> str | None:
    """The user behind `by`, for the event."""
    return by.user_id if isinstance(by, Standing) else by


def find(employee_id: str) -> Employee | None:
    """The employee, removed ones too."""
    return session.get(Employee, employee_id, populate_existing=True)


def get(employee_id: str, company_id: str | None = None, *, alone: bool = False) -> Employee:
    """The employee (of this company, when one is given); raises NotFound, also for the removed.

    `alone` makes other writers of this employee wait: of two changes of roles at once, the later one holds, never both together.
    """
    wanted = sa.select(Employee).where(Employee.id == employee_id)
    employee = session.scalar(wanted.with_for_update() if alone else wanted, execution_options={"populate_existing": True})
    if employee is None or employee.status == "removed" or company_id not in {None, employee.company_id}:
        raise NotFound(NOT_HERE, detail=f"no employee {employee_id} in {company_id}")
    return employee


def of_company(company_id: str) -> list[tuple[Employee, Standing]]:
    """Everyone who works there, the owner first, then by name, each with how they stand now."""
    rows = session.scalars(
        sa.select(Employee)
        .where(Employee.company_id == company_id, Employee.status != "removed")
        .order_by(Employee.is_owner.desc(), Employee.name, Employee.id),
        execution_options={"populate_existing": True},
    ).all()
    found = ((employee, accounts.standing(employee.account_id)) for employee in rows)
    return [(employee, standing) for employee, standing in found if standing]


def add(
    company_id: str,
    role_ids: Collection[str],
    *,
    user_id: str | None = None,
    login_email: str | None = None,
    name: str | None = None,
    email: str | None = None,
    position: str | None = None,
    is_owner: bool = False,
    by: Actor = None,
) -> Employee:
    """A new employee with an account: linked to `user_id`, or waiting to be linked, with `login_email`.

    Raises Conflict when the person works there already, NotFound for a role that is not this company's.
    """
    _require_allowed(by, company_id, gives=role_ids)
    roles.require_in_company(role_ids, company_id)
    details = _contact_values(name=name, email=email, position=position)
    account_id = accounts.open_account("employee", user_id=user_id, company_id=company_id, login_email=login_email, actor_id=actor_id(by))
    employee_id = crypto.new_id("emp")
    row = {"id": employee_id, "account_id": account_id, "company_id": company_id, "is_owner": is_owner, "created_at": clock.now()}
    session.execute(sa.insert(table(Employee)).values(**row, **details))
    _set_roles(employee_id, role_ids)
    _record("employee.added", employee_id, company_id, user_id, by, roles=sorted(role_ids), account_id=account_id)
    if roles.built_in(roles.ADMINISTRATOR) in role_ids:
        _note_rise(employee_id, company_id, user_id, by)
    return get(employee_id)


def link(account_id: str, user_id: str, *, proved_at: datetime) -> None:
    """Link an account, of an employee or another, to the ID of whoever has just proved both, for good. Raises what `accounts.link` does.

    Where it is an administrator's, whatever the person proved before `proved_at` was for lesser rights (cases 76, 82).
    """
    accounts.link(account_id, user_id)
    employee = session.scalar(sa.select(Employee).where(Employee.account_id == account_id, Employee.status != "removed"))
    if employee is not None and (employee.is_owner or roles.built_in(roles.ADMINISTRATOR) in _roles_of(employee.id)):
        changed(sa.update(User).where(User.id == user_id).values(rights_raised_at=proved_at))
        _record(RAISED, employee.id, employee.company_id, user_id, None, before=proved_at.isoformat())


def change_roles(employee_id: str, role_ids: Collection[str], *, by: Actor = None) -> None:
    """Give the employee these roles instead of the present ones. Raises Conflict for the owner, Forbidden, NotFound."""
    employee, user_id = _touch(employee_id, by, gives=role_ids)
    roles.require_in_company(role_ids, employee.company_id)
    _require_not_owner(employee)
    rises = roles.built_in(roles.ADMINISTRATOR) in set(role_ids) - set(_roles_of(employee_id))
    _set_roles(employee_id, role_ids)
    _record("employee.roles_changed", employee_id, employee.company_id, user_id, by, roles=sorted(role_ids))
    if rises:
        _note_rise(employee_id, employee.company_id, user_id, by)


def restrict(employee_id: str, permissions: Collection[str], *, by: Actor = None) -> None:
    """Take exactly these permissions away from the employee, whatever the roles give; an empty list gives all back."""
    employee, user_id = _touch(employee_id, by, gives=_roles_of(employee_id))
    _require_not_owner(employee)
    if not set(permissions) <= set(roles.PERMISSIONS):
        raise BadInput(detail=f"unknown permissions in {sorted(permissions)}")
    changed(
        sa.delete(EmployeeRestriction).where(
            EmployeeRestriction.employee_id == employee_id, EmployeeRestriction.permission.not_in(permissions)
        )
    )
    for permission in sorted(permissions):
        insert_or_ignore(EmployeeRestriction, employee_id=employee_id, permission=permission)
    _record("employee.restricted", employee_id, employee.company_id, user_id, by, permissions=sorted(permissions))


def block(employee_id: str, until: datetime | None = None, reason: str | None = None, *, by: Actor = None) -> None:
    """Keep the employee out, for good or until an instant. Raises Conflict for the owner, BadInput for an instant that is past."""
    employee, user_id = _touch(employee_id, by)
    _require_not_owner(employee)
    now = clock.now()
    if until is not None and until <= now:
        raise BadInput(N_("Choose a moment in the future."))
    note = clean_name(reason, longest=300) if reason else None
    values = {"status": "blocked", "blocked_at": now, "blocked_until": until, "blocked_reason": note}
    _move(employee, values, "employee.blocked", user_id, by, until=until.isoformat() if until else None)


def unblock(employee_id: str, *, by: Actor = None) -> None:
    """Let the employee in again."""
    employee, user_id = _touch(employee_id, by)
    if employee.status == "blocked":
        values = {"status": "active", "blocked_at": None, "blocked_until": None, "blocked_reason": None}
        _move(employee, values, "employee.unblocked", user_id, by)


def remove(employee_id: str, *, by: Actor = None) -> None:
    """End the employee's access; the row stays as history, and the person can be invited again. Raises Conflict for the owner."""
    employee, user_id = _touch(employee_id, by)
    _require_not_owner(employee)
    _move(employee, {"status": "removed", "removed_at": clock.now()}, "employee.removed", user_id, by)
    accounts.close(employee.account_id)


def replace_owner(company_id: str, employee_id: str, *, by: Actor = None) -> None:
    """Make an administrator who may enter the owner instead of the present one, who stays as an administrator.

    Only the owner or an operator may. Raises Conflict when the new one is no administrator.
    """
    if isinstance(by, Standing) and not (by.is_owner and by.may_enter and by.company_id == company_id):
        raise Forbidden(N_("Only the owner can hand the company over."))
    employee = get(employee_id, company_id, alone=True)
    standing = accounts.standing(employee.account_id)
    if standing is None or not standing.may_enter or roles.ADMINISTRATOR not in standing.roles:
        raise Conflict(N_("Make this employee an administrator first."))
    if employee.is_owner:
        return
    changed(sa.delete(EmployeeRestriction).where(EmployeeRestriction.employee_id == employee_id))
    changed(sa.update(Employee).where(Employee.company_id == company_id, Employee.is_owner).values(is_owner=False))
    # A block that has run out leaves its words in the row; an owner has none.
    clear = {"status": "active", "blocked_at": None, "blocked_until": None, "blocked_reason": None}
    changed(sa.update(Employee).where(Employee.id == employee_id).values(is_owner=True, **clear))
    _record("company.owner_replaced", employee_id, company_id, standing.user_id, by)
    _note_rise(employee_id, company_id, standing.user_id, by)


def change_contact(employee_id: str, *, by: Actor = None, **fields: str | None) -> None:
    """Change what the company keeps of the employee: `name`, `position`, `email`, `phone`, `picture`; None empties one."""
    employee, user_id = _touch(employee_id, by)
    values = _contact_values(**fields)
    if values:
        _move(employee, values, "employee.contact_changed", user_id, by, fields=sorted(values))


def roles_of(employee_id: str) -> list[str]:
    """The ids of the employee's roles."""
    return sorted(_roles_of(employee_id))


def _contact_values(**fields: str | None) -> dict[str, str | None]:
    checks = {"name": clean_name, "position": clean_name, "email": kept_email, "phone": require_phone, "picture": require_link}
    if not fields.keys() <= checks.keys():
        raise BadInput(detail=f"not fields of an employee: {sorted(fields.keys() - checks.keys())}")
    return {name: checks[name](value) if value else None for name, value in fields.items()}


def _touch(employee_id: str, by: Actor, *, gives: Collection[str] = ()) -> tuple[Employee, str | None]:
    """The employee whom `by` may change, and their user's id."""
    employee = get(employee_id, by.company_id if isinstance(by, Standing) else None, alone=True)
    _require_allowed(by, employee.company_id, gives=[*gives, *_roles_of(employee_id)] if gives else _roles_of(employee_id))
    return employee, session.scalar(sa.select(Account.user_id).where(Account.id == employee.account_id))


def _require_allowed(by: Actor, company_id: str, *, gives: Collection[str]) -> None:
    # Case 118: neither another company's people, nor a role above one's own, nor a person who may do more than oneself.
    if isinstance(by, Standing):
        accounts.require_may(by, "employees:write", company_id=company_id)
        roles.require_within(roles.permissions_of(gives), by.permissions)


def _require_not_owner(employee: Employee) -> None:
    if employee.is_owner:
        raise Conflict(ONLY_REPLACED)


def _roles_of(employee_id: str) -> list[str]:
    return list(session.scalars(sa.select(EmployeeRole.role_id).where(EmployeeRole.employee_id == employee_id)))


def _set_roles(employee_id: str, role_ids: Collection[str]) -> None:
    changed(sa.delete(EmployeeRole).where(EmployeeRole.employee_id == employee_id, EmployeeRole.role_id.not_in(role_ids)))
    for role_id in sorted(set(role_ids)):
        insert_or_ignore(EmployeeRole, employee_id=employee_id, role_id=role_id)


def _move(employee: Employee, values: dict[str, Any], event: str, user_id: str | None, by: Actor, **details: Any) -> None:
    if changed(sa.update(Employee).where(Employee.id == employee.id, Employee.status != "removed").values(**values)):
        _record(event, employee.id, employee.company_id, user_id, by, **details)


def _note_rise(employee_id: str, company_id: str, user_id: str | None, by: Actor) -> None:
    """Somebody made the person an administrator or the owner: what they proved before was for lesser rights (cases 76, 82, 88).

    Whoever registers a company of their own gets nothing of anybody else's, and goes on.
    """
    if user_id is None or actor_id(by) == user_id:
        return
    changed(sa.update(User).where(User.id == user_id).values(rights_raised_at=clock.now()))
    _record(RAISED, employee_id, company_id, user_id, by)


def _record(event: str, employee_id: str, company_id: str, user_id: str | None, by: Actor, **details: Any) -> None:
    actor = actor_id(by) if actor_id(by) != user_id else None
    events.record(event, user_id=user_id, actor_id=actor, company_id=company_id, details={"employee_id": employee_id, **details})


def user_of(employee_id: str) -> User | None:
    """The ID that the employee's account is linked to."""
    return session.scalar(
        sa.select(User)
        .join(Account, Account.user_id == User.id)
        .join(Employee, Employee.account_id == Account.id)
        .where(Employee.id == employee_id)
    )
