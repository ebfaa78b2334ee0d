"""What an employee may do: the permissions, the five roles that every company has, and a company's own roles.

The matrix below is the whole of it; the rows of the built-in roles are a copy that `install` keeps equal to it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.db.columns import table
from idp.db.session import changed, insert_or_ignore, session
from idp.directory.names import clean_name
from idp.directory.tables import EmployeeRole, Invitation, Role, RolePermission
from idp.errors import N_, BadInput, Conflict, Forbidden, NotFound

PERMISSIONS = (
    "orders:read",
    "orders:write",
    "products:read",
    "products:write",
    "prices:write",
    "photos:write",
    "stock:read",
    "stock:write",
    "logistics:read",
    "logistics:write",
    "shipping:read",
    "shipping:write",
    "returns:read",
    "returns:write",
    "labels:print",
    "customers:read",
    "customers:write",
    "finance:read",
    "finance:write",
    "documents:read",
    "employees:read",
    "employees:write",
    "roles:write",
    "company:read",
    "company:write",
    "partners:read",
    "partners:write",
)

ADMINISTRATOR = "administrator"
OWNER = "owner"


@dataclass(frozen=True)
class BuiltIn:
    """One of the five roles: its id, its title (English, in the catalogues), what it allows."""

    id: str
    title: str
    permissions: frozenset[str]


def _built_in(key: str, title: str, permissions: Iterable[str]) -> tuple[str, BuiltIn]:
    return key, BuiltIn(f"rol_{key}", title, frozenset(permissions))


def _areas(*areas: str) -> list[str]:
    return [permission for permission in PERMISSIONS if permission.split(":")[0] in areas]


BUILT_IN: dict[str, BuiltIn] = dict(
    (
        _built_in(ADMINISTRATOR, N_("Administrator"), PERMISSIONS),
        # No finance, no people; the company's own data and its partners are the administrator's.
        _built_in("manager", N_("Manager"), _areas("orders", "products", "prices", "photos", "stock", "logistics", "customers")),
        _built_in("content_manager", N_("Content manager"), _areas("products", "prices", "photos")),
        _built_in("accountant", N_("Accountant"), ("documents:read", "finance:read")),
        _built_in("warehouse_operator", N_("Warehouse operator"), _areas("shipping", "returns", "labels")),
    )
)
OWNER_TITLE = N_("Owner")
_ORDER = {OWNER: -1} | {key: place for place, key in enumerate(BUILT_IN)}
_KEY = re.compile(r"[a-z][a-z0-9_]{1,39}")


def install() -> None:
    """Write the five roles, or bring their rows up to this version's matrix. Belongs behind every migration; harmless twice."""
    now = clock.now()
    for key, role in BUILT_IN.items():
        insert_or_ignore(Role, id=role.id, company_id=None, key=key, title=role.title, created_at=now)
        _set_permissions(role.id, role.permissions)


def _set_permissions(role_id: str, permissions: Collection[str]) -> None:
    changed(sa.delete(RolePermission).where(RolePermission.role_id == role_id, RolePermission.permission.not_in(permissions)))
    for permission in sorted(permissions):
        insert_or_ignore(RolePermission, role_id=role_id, permission=permission)


def built_in(key: str) -> str:
    """The id of a built-in role; raises NotFound."""
    if key not in BUILT_IN:
        raise NotFound(N_("There is no such role."), detail=f"no built-in role {key!r}")
    return BUILT_IN[key].id


def place(key: str) -> tuple[int, str]:
    """Where a role stands among others: the owner first, then as the built-in roles are listed, then a company's own."""
    return _ORDER.get(key, len(_ORDER)), key


def of_company(company_id: str) -> list[Role]:
    """The roles that can be given in this company: the five, then its own by title."""
    rows = session.scalars(sa.select(Role).where(sa.or_(Role.company_id.is_(None), Role.company_id == company_id)))
    return sorted(rows, key=lambda role: (role.company_id is not None, place(role.key) if role.company_id is None else (0, role.title)))


def permissions_of(role_ids: Collection[str]) -> frozenset[str]:
    """What these roles allow together."""
    return frozenset(session.scalars(sa.select(RolePermission.permission).where(RolePermission.role_id.in_(role_ids))))


def require_in_company(role_ids: Collection[str], company_id: str) -> None:
    """Raises NotFound unless each role is built in or this company's own, BadInput when there is none."""
    if not role_ids:
        raise BadInput(N_("Choose at least one role."))
    mine = sa.or_(Role.company_id.is_(None), Role.company_id == company_id)
    found = set(session.scalars(sa.select(Role.id).where(Role.id.in_(role_ids), mine)))
    if found != set(role_ids):
        raise NotFound(N_("There is no such role."), detail=f"roles {sorted(set(role_ids) - found)} are not of {company_id}")


def require_within(given: Collection[str], own: Collection[str]) -> None:
    """Nobody gives more than they have (case 118): raises Forbidden unless every permission in `given` is in `own`."""
    beyond = set(given) - set(own)
    if beyond:
        raise Forbidden(N_("You cannot give more than you may do yourself."), detail=f"beyond the giver: {sorted(beyond)}")


def define(company_id: str, key: str, title: str, permissions: Collection[str], *, actor_id: str | None = None) -> str:
    """A company's own role; answers its id. `key` is what tokens say in `roles`.

    Raises BadInput for a key that reads like a built-in role (a portal would take it for one) or an unknown permission, Conflict when
    the company has the key already.
    """
    if not _KEY.fullmatch(key) or key in _ORDER:
        raise BadInput(N_("Choose another short name for the role: small Latin letters, digits and underscores."))
    _require_known(permissions)
    role_id = crypto.new_id("rol")
    if not insert_or_ignore(Role, id=role_id, company_id=company_id, key=key, title=clean_name(title), created_at=clock.now()):
        raise Conflict(N_("The company has a role with this short name."))
    _set_permissions(role_id, permissions)
    events.record(
        "role.defined", company_id=company_id, actor_id=actor_id, details={"role_id": role_id, "permissions": sorted(permissions)}
    )
    return role_id


def change(company_id: str, role_id: str, title: str, permissions: Collection[str], *, actor_id: str | None = None) -> None:
    """Give a company's own role another title and other permissions, for all who have it, at once. Raises NotFound, BadInput."""
    _require_known(permissions)
    if not changed(sa.update(Role).where(Role.id == role_id, Role.company_id == company_id).values(title=clean_name(title))):
        raise NotFound(N_("There is no such role."), detail=f"{role_id} is no own role of {company_id}")
    _set_permissions(role_id, permissions)
    events.record(
        "role.changed", company_id=company_id, actor_id=actor_id, details={"role_id": role_id, "permissions": sorted(permissions)}
    )


def remove(company_id: str, role_id: str, *, actor_id: str | None = None) -> None:
    """Take away a company's own role that nobody has and no invitation has offered. Raises Conflict, NotFound."""
    used = sa.or_(
        sa.exists().where(table(EmployeeRole).c.role_id == role_id),
        sa.exists().where(table(Invitation).c.role_id == role_id),
    )
    if not changed(sa.delete(Role).where(Role.id == role_id, Role.company_id == company_id, sa.not_(used))):
        if session.scalar(sa.select(Role.id).where(Role.id == role_id, Role.company_id == company_id)):
            raise Conflict(N_("Someone has this role, or was invited to it. Change it instead."))
        raise NotFound(N_("There is no such role."), detail=f"{role_id} is no own role of {company_id}")
    events.record("role.removed", company_id=company_id, actor_id=actor_id, details={"role_id": role_id})


def _require_known(permissions: Collection[str]) -> None:
    unknown = set(permissions) - set(PERMISSIONS)
    if unknown:
        raise BadInput(detail=f"unknown permissions: {sorted(unknown)}")
