"""What a person signs in as, and how each account stands at this moment: may it be entered, in which roles, and if not, why.

Nothing here is remembered between two requests: a block, a suspension or a changed role holds from the next look on.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.db.columns import table
from idp.db.session import changed, insert_or_ignore, session
from idp.directory import roles as roles_
from idp.directory.names import canonical_email, kept_email
from idp.directory.tables import Account, Company, Employee, EmployeeRestriction, EmployeeRole, Role, RolePermission, User
from idp.errors import N_, Conflict, Forbidden, Gone, NotFound

Kind = Literal["personal", "business", "employee"]
Reason = Literal["user_blocked", "closed", "not_linked", "blocked", "blocked_until", "company_suspended"]

TITLES = {"personal": N_("Personal"), "business": N_("Business")}
REASONS: dict[str, str] = {
    "user_blocked": N_("This ID is blocked. Write to support."),
    "closed": N_("You no longer work in this company."),
    "not_linked": N_("This account is not linked to an ID yet."),
    "blocked": N_("Your access is blocked. Ask an administrator of the company."),
    "blocked_until": N_("Your access is blocked until %(until)s. Ask an administrator of the company."),
    "company_suspended": N_("The company is suspended. Ask its owner."),
}


@dataclass(frozen=True)
class Standing:
    """An account as it is now.

    `roles` and `permissions` mean "in this company" and are empty unless the account may be entered: a right that must not be used is
    not told. `role_titles` are always there, for people to read: English texts of the catalogues for built-in roles, a company's own
    words for its own. `title` is the company's name, or a text of the catalogues ("Personal", "Business"). `reason` says why the account
    may not be entered (REASONS has its wording), `note` what the operator or the administrator wrote about it.
    """

    account_id: str
    kind: Kind
    user_id: str | None
    company_id: str | None
    company_name: str | None
    company_type: str | None
    company_status: str | None
    company_inn: str | None
    roles: tuple[str, ...]
    permissions: tuple[str, ...]
    title: str
    may_enter: bool
    reason: Reason | None
    blocked_until: datetime | None
    linked: bool
    role_titles: tuple[str, ...] = ()
    employee_id: str | None = None
    is_owner: bool = False
    note: str | None = None
    since: datetime | None = None
    new_browser: str = "code"
    is_premium: bool = False
    last_used_at: datetime | None = None


_FIELD, _LINE = "\x1f", "\x1e"  # never part of a title: names.clean_name takes control characters out
_accounts, _users, _companies, _employees = table(Account), table(User), table(Company), table(Employee)
_roles, _given, _allowed, _taken = table(Role), table(EmployeeRole), table(RolePermission), table(EmployeeRestriction)

_role_texts = (
    sa.select(sa.func.aggregate_strings(_roles.c.key + _FIELD + _roles.c.title, _LINE))
    .select_from(_given.join(_roles, _roles.c.id == _given.c.role_id))
    .where(_given.c.employee_id == _employees.c.id)
    .scalar_subquery()
)
_permission_texts = (
    sa.select(sa.func.aggregate_strings(_allowed.c.permission, _LINE))
    .select_from(_given.join(_allowed, _allowed.c.role_id == _given.c.role_id))
    .where(
        _given.c.employee_id == _employees.c.id,
        ~sa.exists().where(_taken.c.employee_id == _given.c.employee_id, _taken.c.permission == _allowed.c.permission),
    )
    .correlate(_employees)
    .scalar_subquery()
)
_STANDING = sa.select(
    _accounts.c.id,
    _accounts.c.kind,
    _accounts.c.user_id,
    _accounts.c.status,
    _accounts.c.is_premium,
    _accounts.c.last_used_at,
    _users.c.status.label("user_status"),
    _accounts.c.company_id,
    _companies.c.short_name,
    _companies.c.kind.label("company_kind"),
    _companies.c.status.label("company_status"),
    _companies.c.inn,
    _companies.c.suspended_at,
    _companies.c.suspended_reason,
    _companies.c.new_browser,
    _employees.c.id.label("employee_id"),
    _employees.c.is_owner,
    _employees.c.status.label("employee_status"),
    _employees.c.blocked_at,
    _employees.c.blocked_until,
    _employees.c.blocked_reason,
    _role_texts.label("role_texts"),
    _permission_texts.label("permission_texts"),
).select_from(
    _accounts.outerjoin(_users, _users.c.id == _accounts.c.user_id)
    .outerjoin(_companies, _companies.c.id == _accounts.c.company_id)
    .outerjoin(_employees, _employees.c.account_id == _accounts.c.id)
)
_BY_ID = _STANDING.where(_accounts.c.id == sa.bindparam("account_id"))
_BY_USER = _STANDING.where(
    _accounts.c.user_id == sa.bindparam("user_id"),
    _accounts.c.kind.in_(sa.bindparam("kinds", expanding=True)),
    _accounts.c.status == "active",
).order_by(_accounts.c.last_used_at.is_(None), _accounts.c.last_used_at.desc(), _companies.c.short_name, _accounts.c.id)


def standing(account_id: str) -> Standing | None:
    """How this account stands now, in one statement; None when there is no such account."""
    row = session.execute(_BY_ID, {"account_id": account_id}).one_or_none()
    return None if row is None else _read(row, clock.now())


def candidates(user_id: str, kinds: Collection[str]) -> list[Standing]:
    """The person's accounts of these kinds, last used first, also those that may not be entered (with `reason`); no closed ones."""
    now = clock.now()
    return [_read(row, now) for row in session.execute(_BY_USER, {"user_id": user_id, "kinds": list(kinds)})]


def companies_of(user_id: str, limit: int = 100) -> list[dict[str, Any]]:
    """The claim `companies`: where the person is an employee, last used first, at most `limit`.

    `roles` is empty where the person may not enter now; `last_used_at` is in seconds since 1970, or null.
    """
    rows = session.execute(_BY_USER.limit(limit), {"user_id": user_id, "kinds": ["employee"]})
    now = clock.now()
    return [
        {
            "id": it.company_id,
            "name": it.company_name,
            "inn": it.company_inn,
            "status": it.company_status,
            "roles": list(it.roles),
            "account_id": it.account_id,
            "last_used_at": int(it.last_used_at.timestamp()) if it.last_used_at else None,
        }
        for it in (_read(row, now) for row in rows)
    ]


def _read(row: sa.Row[*tuple[Any, ...]], now: datetime) -> Standing:
    reason, note, since = _why_not(row, now)
    held = dict(line.split(_FIELD) for line in row.role_texts.split(_LINE)) if row.role_texts else {}
    if row.is_owner:
        held[roles_.OWNER] = roles_.OWNER_TITLE
    keys = sorted(held, key=roles_.place)
    permissions = sorted(set(row.permission_texts.split(_LINE))) if row.permission_texts else ()
    return Standing(
        account_id=row.id,
        kind=row.kind,
        user_id=row.user_id,
        company_id=row.company_id,
        company_name=row.short_name,
        company_type=row.company_kind,
        company_status=row.company_status,
        company_inn=row.inn,
        roles=() if reason else tuple(sorted(keys)),
        permissions=() if reason else tuple(permissions),
        title=row.short_name if row.kind == "employee" else TITLES[row.kind],
        may_enter=reason is None,
        reason=reason,
        blocked_until=row.blocked_until if reason == "blocked_until" else None,
        linked=row.user_id is not None,
        role_titles=tuple(held[key] for key in keys),
        employee_id=row.employee_id,
        is_owner=bool(row.is_owner),
        note=note,
        since=since,
        new_browser=row.new_browser or "code",
        is_premium=row.is_premium,
        last_used_at=row.last_used_at,
    )


def _why_not(row: sa.Row[*tuple[Any, ...]], now: datetime) -> tuple[Reason | None, str | None, datetime | None]:
    """Why the account may not be entered, what was written about it, since when. What only support can mend comes first."""
    if row.user_status == "blocked":
        return "user_blocked", None, None
    if row.status != "active" or row.employee_status == "removed" or (row.kind == "employee" and row.employee_id is None):
        return "closed", None, None
    if row.user_id is None:
        return "not_linked", None, None
    if row.employee_status == "blocked" and row.blocked_until is None:
        return "blocked", row.blocked_reason, row.blocked_at
    if row.employee_status == "blocked" and row.blocked_until > now:
        return "blocked_until", row.blocked_reason, row.blocked_at
    if row.company_status == "suspended":
        return "company_suspended", row.suspended_reason, row.suspended_at
    return None, None, None


def require_may(actor: Standing, permission: str, *, company_id: str) -> None:
    """Raises NotFound for another company's things (they are none of the actor's business), Forbidden without the permission."""
    if actor.company_id != company_id:
        raise NotFound(detail=f"{actor.account_id} reached for {company_id}")
    if not actor.may_enter or permission not in actor.permissions:
        raise Forbidden(detail=f"{actor.account_id} lacks {permission}")


def find(account_id: str) -> Account | None:
    """The account's row."""
    return session.get(Account, account_id, populate_existing=True)


def personal_of(user_id: str) -> str:
    """The id of the person's personal account; raises NotFound."""
    found = session.scalar(sa.select(Account.id).where(Account.user_id == user_id, Account.kind == "personal"))
    if found is None:
        raise NotFound(detail=f"no personal account of {user_id}")
    return found


def open_account(
    kind: Kind, *, user_id: str | None = None, company_id: str | None = None, login_email: str | None = None, actor_id: str | None = None
) -> str:
    """A new account; answers its id. Raises Conflict when the person has this account already, or the login e-mail is taken."""
    now, account_id = clock.now(), crypto.new_id("acc")
    actor_id = actor_id if actor_id != user_id else None
    inserted = insert_or_ignore(
        Account,
        id=account_id,
        kind=kind,
        user_id=user_id,
        company_id=company_id,
        login_email=kept_email(login_email) if login_email else None,
        login_email_canonical=canonical_email(login_email) if login_email else None,
        created_at=now,
        linked_at=now if user_id else None,
    )
    if not inserted:
        raise Conflict(N_("There is such an account already."))
    details = {"account_id": account_id, "kind": kind}
    events.record("account.opened", user_id=user_id, company_id=company_id, actor_id=actor_id, details=details)
    return account_id


def link(account_id: str, user_id: str) -> None:
    """Link an account to an ID, for good. Raises Gone when it is linked already, Conflict when the ID has an account there."""
    row = standing(account_id)
    if row is None:
        raise NotFound(detail=f"no account {account_id}")
    mine = table(Account).alias()
    twice = sa.exists().where(
        mine.c.user_id == user_id, mine.c.kind == "employee", mine.c.status == "active", mine.c.company_id == _accounts.c.company_id
    )
    free = sa.update(_accounts).where(_accounts.c.id == account_id, _accounts.c.user_id.is_(None), _accounts.c.status == "active")
    if not changed(free.where(~twice).values(user_id=user_id, linked_at=clock.now())):
        if row.linked or row.reason == "closed":
            raise Gone(N_("This account is linked to an ID already."), title=N_("Already linked"))
        raise Conflict(N_("This ID has an account in that company already."))
    events.record("account.linked", user_id=user_id, company_id=row.company_id, details={"account_id": account_id})


def close(account_id: str) -> None:
    """End an account; its login e-mail is free again. The event is the caller's: an employee is removed, a buyer account unlinked."""
    values = {"status": "closed", "closed_at": clock.now(), "login_email_canonical": None}
    changed(sa.update(_accounts).where(_accounts.c.id == account_id).values(**values))


def note_use(account_id: str) -> None:
    """Remember that this account has just been entered: the chooser offers it first."""
    changed(sa.update(_accounts).where(_accounts.c.id == account_id).values(last_used_at=clock.now()))


def give_premium(account_id: str, *, is_premium: bool = True, actor_id: str | None = None) -> None:
    """Give or take the entitlement that a family hangs on."""
    if changed(
        sa.update(_accounts).where(_accounts.c.id == account_id, _accounts.c.is_premium != is_premium).values(is_premium=is_premium)
    ):
        events.record("account.premium_changed", actor_id=actor_id, details={"account_id": account_id, "is_premium": is_premium})
