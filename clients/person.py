"""Who is signed in, read from the provider's claims.

The claims are `sub name`, the chosen company's `company_id company_name company_type company_status company_inn roles permissions`,
and `companies`: all companies of the person, where the scope of that name was asked for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clients.texts import N_

# Role: its title by itself, and inside a sentence. A company's own role has no entry and is shown as the company named it.
ROLES = {
    "owner": (N_("Owner"), N_("owner")),
    "administrator": (N_("Administrator"), N_("administrator")),
    "manager": (N_("Manager"), N_("manager")),
    "content_manager": (N_("Content manager"), N_("content manager")),
    "accountant": (N_("Accountant"), N_("accountant")),
    "warehouse_operator": (N_("Warehouse operator"), N_("warehouse operator")),
}
STATUSES = {
    "active": ("ok", N_("Active")),
    "registered": ("warn", N_("Not active yet")),
    "suspended": ("bad", N_("Suspended")),
    "blocked": ("bad", N_("Your access is blocked")),
}
TYPES = {
    "sole_proprietor": N_("Sole proprietor"),
    "legal_entity": N_("Legal entity"),
}


def role_of(roles: Iterable[str]) -> str | None:
    """The one role to name a person by: the owner is also an administrator, and is called the owner."""
    roles = list(roles)
    return "owner" if "owner" in roles else next(iter(roles), None)


def initials(name: str) -> str:
    """Two letters for a person's or company's picture, without quotes and forms such as `ООО «...»`."""
    words = [word.strip("«»\"'“”.,()") for word in name.replace("\u00a0", " ").split()]
    words = [word for word in words if word and word not in {"ООО", "ИП", "АО", "ПАО", "LLC", "Ltd", "Inc"}]
    return "".join(word[0] for word in words[:2]).upper() or "·"


@dataclass(frozen=True)
class Membership:
    """One company of a person, as the `companies` claim lists it."""

    id: str
    name: str
    inn: str
    status: str
    roles: tuple[str, ...]

    @property
    def role(self) -> str | None:
        return role_of(self.roles)

    @property
    def closed(self) -> bool:
        """Can it be seen but not entered?"""
        return self.status in {"suspended", "blocked"}


@dataclass(frozen=True)
class Person:
    """The person signed in, and the company they came in for (`company_id` is None where none was chosen)."""

    name: str
    company_id: str | None
    company_name: str
    company_type: str
    company_status: str
    company_inn: str
    roles: tuple[str, ...]
    permissions: frozenset[str]
    companies: tuple[Membership, ...]
    claims: Mapping[str, Any]

    @property
    def role(self) -> str | None:
        return role_of(self.roles)

    @property
    def others(self) -> tuple[Membership, ...]:
        """The companies to switch to."""
        return tuple(company for company in self.companies if company.id != self.company_id)

    def may(self, permissions: Iterable[str]) -> bool:
        """Does the person hold at least one of these, in this company?"""
        return not self.permissions.isdisjoint(permissions)


def read(claims: Mapping[str, Any]) -> Person:
    """The person these claims describe. What is missing gives nothing: no `permissions` means none."""
    return Person(
        name=_text(claims.get("name")) or _text(claims.get("preferred_username")) or _text(claims.get("sub")),
        company_id=_text(claims.get("company_id")) or None,
        company_name=_text(claims.get("company_name")),
        company_type=_text(claims.get("company_type")),
        company_status=_text(claims.get("company_status")),
        company_inn=_text(claims.get("company_inn")),
        roles=_texts(claims.get("roles")),
        permissions=frozenset(_texts(claims.get("permissions"))),
        companies=tuple(_membership(entry) for entry in _list(claims.get("companies")) if isinstance(entry, Mapping) and entry.get("id")),
        claims=claims,
    )


def _membership(entry: Mapping[str, Any]) -> Membership:
    roles = _texts(entry.get("roles"))
    status = _text(entry.get("status"))
    # The provider lists no role where the person may not enter: what is not the company's state is their own.
    if not roles and status != "suspended":
        status = "blocked"
    roles = tuple(sorted(roles, key=lambda role: [*ROLES, role].index(role)))  # the owner first, a company's own roles last
    return Membership(_text(entry["id"]), _text(entry.get("name")), _text(entry.get("inn")), status, roles)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(entry for entry in _list(value) if isinstance(entry, str))
