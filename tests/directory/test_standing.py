"""How an account stands now: roles, permissions, and every reason why it may not be entered (product.md §4.3, §10.4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from idp import clock
from idp.db.session import engine
from idp.directory import accounts, companies, employees, roles, users
from idp.errors import Conflict, Gone

BANK = {"bik": "044599990", "bank_account": "40702810900000412736", "warehouse_address": "г. Подольск", "ogrn": "1247799412739"}


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        sent.append(statement)

    sa.event.listen(engine(), "before_cursor_execute", note)
    yield sent
    sa.event.remove(engine(), "before_cursor_execute", note)


def test_it_is_one_statement(world) -> None:
    """Every token and every userinfo asks: so it is one round trip, whatever the account."""
    person = world.person()
    employee = world.employee(world.company(world.person()), person, "manager")
    for account_id in (employee.account_id, accounts.personal_of(person.id), "acc_none"):
        with counted() as sent:
            accounts.standing(account_id)
        assert len(sent) == 1
    with counted() as sent:
        accounts.candidates(person.id, ["personal", "employee"])
    assert len(sent) == 1


def test_an_accountant(world) -> None:
    """The tokens of an accountant: one role, two permissions, the company as it is now."""
    company = world.company(world.person("Алексей Орлов"))
    standing = world.standing(world.employee(company, world.person()))
    assert standing.may_enter
    assert standing.roles == ("accountant",)
    assert standing.permissions == ("documents:read", "finance:read")
    assert (standing.company_id, standing.company_name, standing.company_type) == (company.id, "ООО «Ромашка»", "legal_entity")
    assert (standing.company_status, standing.company_inn) == ("registered", "7700491276")
    assert (standing.kind, standing.title, standing.role_titles) == ("employee", "ООО «Ромашка»", ("Accountant",))


def test_an_owner(world) -> None:
    """The owner is an administrator, and both stand in the tokens."""
    standing = world.owner(world.company(world.person()))
    assert standing.roles == ("administrator", "owner")
    assert standing.role_titles == ("Owner", "Administrator")
    assert standing.permissions == tuple(sorted(roles.PERMISSIONS))
    assert standing.is_owner


def test_several_roles_and_a_restriction(world) -> None:
    """Roles add up; what was taken away stays away, whichever role would give it."""
    employee = world.employee(world.company(world.person()), world.person(), "content_manager")
    employees.change_roles(employee.id, [roles.built_in("manager"), roles.built_in("content_manager")])
    employees.restrict(employee.id, ["customers:read", "customers:write", "photos:write"])
    standing = world.standing(employee)
    assert standing.roles == ("content_manager", "manager")
    manager = roles.BUILT_IN["manager"].permissions
    assert set(standing.permissions) == manager - {"customers:read", "customers:write", "photos:write"}
    employees.restrict(employee.id, [])
    assert set(world.standing(employee).permissions) == manager


def test_a_restriction_is_one_person_s(world) -> None:
    """What was taken from one employee, the others of that role keep: a colleague, and somebody in another company."""
    company, other = world.company(world.person()), world.company(world.person(), kind="sole_proprietor")
    restricted, colleague, stranger = (world.employee(where, world.person()) for where in (company, company, other))
    employees.restrict(restricted.id, ["finance:read"])
    assert world.standing(restricted).permissions == ("documents:read",)
    assert world.standing(colleague).permissions == world.standing(stranger).permissions == ("documents:read", "finance:read")


def test_a_personal_and_a_business_account(world) -> None:
    """A buyer has no roles; the personal account has no company."""
    person = world.person()
    company = world.company(world.person())
    personal = accounts.standing(accounts.personal_of(person.id))
    assert personal is not None
    assert (personal.title, personal.may_enter, personal.company_id, personal.roles) == ("Personal", True, None, ())
    business = accounts.standing(accounts.open_account("business", user_id=person.id, company_id=company.id))
    assert business is not None
    assert (business.title, business.company_name, business.permissions) == ("Business", "ООО «Ромашка»", ())


def test_every_reason(world) -> None:
    """Case 30: a block, a suspension, a removal hold at the next look, and say why; no right is told meanwhile."""
    owner, person = world.person(), world.person()
    company = world.company(owner)
    employee = world.employee(company, person)

    def expect(reason: str | None) -> None:
        standing = world.standing(employee)
        assert (standing.reason, standing.may_enter) == (reason, reason is None)
        assert bool(standing.roles) is bool(standing.permissions) is (reason is None)
        assert standing.role_titles == ("Accountant",)

    expect(None)
    employees.block(employee.id, reason="Отпуск")
    expect("blocked")
    assert world.standing(employee).note == "Отпуск"
    employees.unblock(employee.id)
    expect(None)
    companies.suspend(company.id, "Истёк срок документов")
    expect("company_suspended")
    assert world.standing(employee).note == "Истёк срок документов"
    assert world.standing(employee).since is not None
    companies.change_details(company.id, **BANK)
    companies.activate(company.id)
    expect(None)
    users.block(person.id, "Жалоба")
    expect("user_blocked")
    users.unblock(person.id)
    expect(None)
    employees.remove(employee.id)
    expect("closed")
    assert accounts.candidates(person.id, ["employee"]) == []
    assert all(reason in accounts.REASONS for reason in ("blocked", "company_suspended", "user_blocked", "closed"))


def test_a_block_runs_out_by_itself(world) -> None:
    """A temporary block ends at its instant, to the second, without anybody's help."""
    employee = world.employee(world.company(world.person()), world.person())
    start = datetime(2026, 11, 22, 12, tzinfo=UTC)
    with clock.freeze(start) as shift:
        until = start + timedelta(hours=1)
        employees.block(employee.id, until, "Проверка")
        shift(3599)
        standing = world.standing(employee)
        assert (standing.reason, standing.blocked_until) == ("blocked_until", until)
        shift(1)
        standing = world.standing(employee)
        assert (standing.reason, standing.blocked_until, standing.roles) == (None, None, ("accountant",))


def test_an_account_that_is_not_linked(world) -> None:
    """An account waits for its ID; the link is made once, and for good."""
    company = world.company(world.person())
    employee = employees.add(company.id, [roles.built_in("manager")], login_email="sklad@romashka.example")
    assert (world.standing(employee).linked, world.standing(employee).reason) == (False, "not_linked")
    person, other = world.person(), world.person()
    accounts.link(employee.account_id, person.id)
    assert world.standing(employee).may_enter
    assert world.standing(employee).user_id == person.id
    with pytest.raises(Gone):
        accounts.link(employee.account_id, other.id)
    second = employees.add(company.id, [roles.built_in("manager")], login_email="sklad2@romashka.example")
    with pytest.raises(Conflict):
        accounts.link(second.account_id, person.id)


def test_candidates_are_all_shown_last_used_first(world) -> None:
    """The chooser sees every open account, those that may not be entered too."""
    person = world.person()
    mine = world.company(person, kind="sole_proprietor")
    theirs = world.company(world.person())
    employee = world.employee(theirs, person)
    companies.suspend(theirs.id, "Проверка")
    personal = accounts.personal_of(person.id)
    accounts.note_use(personal)
    found = accounts.candidates(person.id, ["personal", "business", "employee"])
    assert found[0].account_id == personal
    assert {one.account_id: one.may_enter for one in found} == {
        personal: True,
        employee.account_id: False,
        world.owner(mine).account_id: True,
    }
    assert [one.kind for one in accounts.candidates(person.id, ["personal"])] == ["personal"]
    assert accounts.candidates(person.id, []) == []


def test_the_companies_claim(world) -> None:
    """claims.md: companies where the person works; no role is named where they may not enter."""
    person = world.person()
    world.company(person, kind="sole_proprietor")
    theirs = world.company(world.person())
    employee = world.employee(theirs, person)
    accounts.open_account("business", user_id=person.id, company_id=theirs.id)
    with clock.freeze(datetime(2026, 11, 22, 12, tzinfo=UTC)):
        accounts.note_use(employee.account_id)
    first, second = accounts.companies_of(person.id)
    assert first == {
        "id": theirs.id,
        "name": "ООО «Ромашка»",
        "inn": "7700491276",
        "status": "registered",
        "roles": ["accountant"],
        "account_id": employee.account_id,
        "last_used_at": int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()),
    }
    assert (second["roles"], second["last_used_at"]) == (["administrator", "owner"], None)
    employees.block(employee.id)
    assert accounts.companies_of(person.id, limit=1)[0]["roles"] == []
