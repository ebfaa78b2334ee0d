"""Sellers: registered by their own word, active once the operator has checked them, suspended when something is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from stdnum.ru import inn as inns
from stdnum.ru import ogrn as ogrns

from idp import clock, crypto, events
from idp.db.columns import table
from idp.db.session import changed, session
from idp.directory import accounts, employees, roles
from idp.directory.accounts import Standing
from idp.directory.employees import Actor, actor_id
from idp.directory.names import clean_name
from idp.directory.tables import Company, Employee
from idp.errors import N_, BadInput, Conflict, NotFound

Kind = Literal["sole_proprietor", "legal_entity"]

INN_LENGTH = {"legal_entity": 10, "sole_proprietor": 12}
OGRN_LENGTH = {"legal_entity": 13, "sole_proprietor": 15}
NEW_BROWSER = ("code", "code+password")
MISSING = {
    "ogrn": N_("OGRN"),
    "bik": N_("BIK of the bank"),
    "bank_account": N_("Bank account"),
    "warehouse_address": N_("Warehouse address"),
}

SELLS_ALREADY = N_("A company with this INN sells here already. If it is yours, add it as an existing one.")


def require_inn(kind: str, inn: str) -> str:
    """The INN without spaces; raises BadInput unless its length suits the kind and its check digits are right."""
    digits = inn.replace(" ", "")
    if not digits.isascii() or not digits.isdigit() or len(digits) != INN_LENGTH[kind] or not inns.is_valid(digits):
        raise BadInput(N_("Check the INN: %(length)s digits."), length=INN_LENGTH[kind])
    return digits


def require_ogrn(kind: str, ogrn: str) -> str:
    """The OGRN (of a sole proprietor: OGRNIP) without spaces; raises BadInput as `require_inn` does."""
    digits = ogrn.replace(" ", "")
    if not digits.isascii() or not digits.isdigit() or len(digits) != OGRN_LENGTH[kind] or not ogrns.is_valid(digits):
        raise BadInput(N_("Check the OGRN: %(length)s digits."), length=OGRN_LENGTH[kind])
    return digits


def is_bank_account(bik: str, account: str) -> bool:
    """Whether the account's check digit suits the bank: weights 7, 1, 3 over the last three digits of the BIK and the account."""
    if not (bik + account).isascii() or not (bik + account).isdigit() or len(bik) != 9 or len(account) != 20:
        return False
    return sum(int(digit) * weight for digit, weight in zip(bik[-3:] + account, (7, 1, 3) * 8, strict=False)) % 10 == 0


def find(company_id: str) -> Company | None:
    """The company."""
    return session.get(Company, company_id, populate_existing=True)


def get(company_id: str) -> Company:
    """The company; raises NotFound."""
    company = find(company_id)
    if company is None:
        raise NotFound(N_("There is no such company."), detail=f"no company {company_id}")
    return company


def find_by_inn(inn: str) -> Company | None:
    """The company that the operator has checked under this INN, active or suspended."""
    return session.scalar(sa.select(Company).where(Company.inn == inn, Company.activated_at.is_not(None)))


def register(
    kind: Kind,
    inn: str,
    legal_name: str,
    *,
    owner_user_id: str,
    offer_version: str,
    short_name: str | None = None,
    ogrn: str | None = None,
    owner_name: str | None = None,
    owner_email: str | None = None,
) -> Company:
    """A company in the state `registered`, with its owner as the first employee.

    Raises BadInput for numbers that cannot be, Conflict when the INN is a checked company's, or this person registered it before.
    """
    digits = require_inn(kind, inn)
    number = require_ogrn(kind, ogrn) if ogrn else None
    legal, short = clean_name(legal_name, longest=300), clean_name(short_name or legal_name)
    if find_by_inn(digits) is not None or any(one.company_inn == digits for one in accounts.candidates(owner_user_id, ["employee"])):
        raise Conflict(SELLS_ALREADY)
    now, company_id = clock.now(), crypto.new_id("cmp")
    row = {"id": company_id, "kind": kind, "inn": digits, "ogrn": number, "legal_name": legal, "short_name": short, "created_at": now}
    session.execute(sa.insert(table(Company)).values(**row, offer_version=offer_version, offer_accepted_at=now))
    events.record(
        "company.registered",
        user_id=owner_user_id,
        company_id=company_id,
        details={"kind": kind, "offer": offer_version},
    )
    employees.add(
        company_id,
        [roles.built_in(roles.ADMINISTRATOR)],
        user_id=owner_user_id,
        name=owner_name,
        email=owner_email,
        is_owner=True,
        by=owner_user_id,
    )
    return get(company_id)


def missing(company: Company) -> list[str]:
    """The columns that are still to be filled in before the company can be active, in the order of MISSING, which has their names."""
    return [field for field in MISSING if not getattr(company, field)]


def change_details(company_id: str, *, by: Actor = None, **fields: str) -> None:
    """Fill in or change `ogrn`, `bik` and `bank_account` (together), `warehouse_address`, `new_browser`. Raises BadInput, NotFound."""
    if isinstance(by, Standing):
        accounts.require_may(by, "company:write", company_id=company_id)
    company = get(company_id)
    values = {name: value.strip() for name, value in fields.items()}
    if not values.keys() <= {*MISSING, "new_browser"}:
        raise BadInput(detail=f"not details of a company: {sorted(fields)}")
    if "ogrn" in values:
        values["ogrn"] = require_ogrn(company.kind, values["ogrn"])
    if ("bik" in values or "bank_account" in values) and not is_bank_account(values.get("bik", ""), values.get("bank_account", "")):
        raise BadInput(N_("Check the BIK and the account: they do not belong together."))
    if "warehouse_address" in values:
        values["warehouse_address"] = clean_name(values["warehouse_address"], longest=300)
    if values.get("new_browser", "code") not in NEW_BROWSER:
        raise BadInput(detail=f"new_browser is one of {NEW_BROWSER}")
    if values and changed(sa.update(Company).where(Company.id == company_id).values(**values)):
        events.record("company.details_changed", actor_id=actor_id(by), company_id=company_id, details={"fields": sorted(values)})


def set_policy(company_id: str, policy: Mapping[str, str | int | None], *, by: Actor = None) -> bool:
    """Say how the people who work here sign in; answers whether anything changed. Raises BadInput, NotFound.

    `new_browser`: `code` or `code+password`. `remember_browser`: seconds for which a known browser's word counts, 0: it never does, None:
    as the provider's settings say. It holds from the next request on, in browsers that are known already too.
    """
    if isinstance(by, Standing):
        accounts.require_may(by, "company:write", company_id=company_id)
    company, seconds = get(company_id), policy.get("remember_browser")
    if not policy.keys() <= {"new_browser", "remember_browser"} or policy.get("new_browser", "code") not in NEW_BROWSER:
        raise BadInput(detail=f"new_browser is one of {NEW_BROWSER}, and beside it there is remember_browser")
    if seconds is not None and not (isinstance(seconds, int) and 0 <= seconds < 2**31):
        raise BadInput(detail="remember_browser is in seconds, 0 or more")
    new = {name: value for name, value in policy.items() if value != getattr(company, name)}
    if not new or not changed(sa.update(Company).where(Company.id == company_id).values(**new)):
        return False
    events.record("company.policy_changed", actor_id=actor_id(by), company_id=company_id, details=new)
    return True


def activate(company_id: str, *, actor_id: str | None = None) -> bool:
    """The operator's check: from registered or suspended to active; answers whether it was not until now.

    Raises NotFound, Conflict while something is missing, or the INN is another's.
    """
    company = get(company_id)
    lacks = missing(company)
    if lacks:
        raise Conflict(N_("Some details of the company are still missing."), title=N_("Not yet"), detail=f"{company_id} lacks {lacks}")
    now = clock.now()
    values: dict[str, Any] = {"status": "active", "suspended_at": None, "suspended_reason": None}
    if company.activated_at is None:
        values["activated_at"] = now
    try:
        with session.begin_nested():
            moved = changed(sa.update(Company).where(Company.id == company_id, Company.status != "active").values(**values))
    except IntegrityError as e:  # the index over checked companies: another one was active under this INN first
        raise Conflict(SELLS_ALREADY) from e
    if moved:
        events.record("company.activated", actor_id=actor_id, company_id=company_id, details={"from": company.status})
    return bool(moved)


def suspend(company_id: str, reason: str, *, actor_id: str | None = None) -> bool:
    """Keep everyone out of the company, from the next request on; answers whether it was not until now. Raises NotFound."""
    values = {"status": "suspended", "suspended_at": clock.now(), "suspended_reason": clean_name(reason, longest=300)}
    if changed(sa.update(Company).where(Company.id == company_id, Company.status != "suspended").values(**values)):
        events.record("company.suspended", actor_id=actor_id, company_id=company_id)
        return True
    get(company_id)
    return False


def owner_of(company_id: str) -> Employee | None:
    """The company's owner: whom a person turns to who may not enter."""
    return session.scalar(
        sa.select(Employee).where(Employee.company_id == company_id, Employee.is_owner), execution_options={"populate_existing": True}
    )
