"""People in a company: who may change whom, the owner, roles of the company's own (product.md §10; case 118)."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from idp import clock
from idp.db.session import reads, session, writes
from idp.directory import accounts, employees, roles, users
from idp.directory.tables import Account, RolePermission
from idp.errors import BadInput, Conflict, Forbidden, NotFound

MATRIX = {
    "manager": {"orders", "products", "prices", "photos", "stock", "logistics", "customers"},
    "content_manager": {"products", "prices", "photos"},
    "warehouse_operator": {"shipping", "returns", "labels"},
}


def test_the_matrix_of_roles() -> None:
    """product.md §10.1, word for word; every permission belongs to the administrator."""
    assert roles.BUILT_IN["administrator"].permissions == set(roles.PERMISSIONS)
    assert roles.BUILT_IN["accountant"].permissions == {"documents:read", "finance:read"}
    for key, areas in MATRIX.items():
        assert {permission.split(":")[0] for permission in roles.BUILT_IN[key].permissions} == areas
    assert len(roles.PERMISSIONS) == len(set(roles.PERMISSIONS)) == 27


def test_installing_again_mends_the_rows(world) -> None:
    """The rows follow the matrix: what an older version gave too much is taken, what is lacking is added."""
    accountant = roles.built_in("accountant")
    session.execute(sa.insert(RolePermission).values(role_id=accountant, permission="finance:write"))
    session.execute(sa.delete(RolePermission).where(RolePermission.role_id == accountant, RolePermission.permission == "documents:read"))
    roles.install()
    roles.install()
    assert roles.permissions_of([accountant]) == {"documents:read", "finance:read"}
    assert [role.key for role in roles.of_company("cmp_none")] == list(roles.BUILT_IN)


def test_a_role_of_ones_own(world) -> None:
    """A company's own role: for this company only, and with a key that no portal takes for a built-in one."""
    company, other = world.company(world.person()), world.company(world.person(), kind="sole_proprietor")
    role_id = roles.define(company.id, "photographer", "Фотограф", ["photos:write"])
    assert roles.of_company(company.id)[-1].id == role_id
    assert role_id not in {role.id for role in roles.of_company(other.id)}
    with pytest.raises(NotFound):
        employees.add(other.id, [role_id], user_id=world.person().id)
    for key in ("owner", "administrator", "Owner", "x", "", "a b"):
        with pytest.raises(BadInput):
            roles.define(company.id, key, "Роль", ["photos:write"])
    with pytest.raises(BadInput):
        roles.define(company.id, "root", "Роль", ["everything"])
    with pytest.raises(Conflict):
        roles.define(company.id, "photographer", "Фотограф", [])
    employee = employees.add(company.id, [role_id], user_id=world.person().id)
    assert (world.standing(employee).roles, world.standing(employee).role_titles) == (("photographer",), ("Фотограф",))
    roles.change(company.id, role_id, "Фотограф", ["photos:write", "products:read"])
    assert world.standing(employee).permissions == ("photos:write", "products:read")
    with pytest.raises(NotFound):
        roles.change(other.id, role_id, "Фотограф", [])
    with pytest.raises(NotFound):
        roles.change(company.id, roles.built_in("manager"), "Менеджер", list(roles.PERMISSIONS))
    with pytest.raises(Conflict):
        roles.remove(company.id, role_id)
    employees.change_roles(employee.id, [roles.built_in("manager")])
    roles.remove(company.id, role_id)
    with pytest.raises(NotFound):
        roles.remove(company.id, role_id)


def test_a_person_works_once_in_a_company(world) -> None:
    """One open account for each person and company; after a removal they can come again, and history stays."""
    company, person = world.company(world.person()), world.person()
    first = world.employee(company, person)
    with pytest.raises(Conflict):
        world.employee(company, person, "manager")
    employees.remove(first.id)
    with pytest.raises(NotFound):
        employees.get(first.id)
    second = world.employee(company, person, "manager")
    assert second.account_id != first.account_id
    assert session.scalar(sa.select(sa.func.count()).where(Account.user_id == person.id, Account.kind == "employee")) == 2
    assert len(employees.of_company(company.id)) == 2


def test_the_login_email_of_a_removed_employee_is_free(world) -> None:
    """product.md §10.6: the same e-mail can come again."""
    company = world.company(world.person())
    first = employees.add(company.id, [roles.built_in("manager")], login_email="sklad@romashka.example")
    with pytest.raises(Conflict):
        employees.add(company.id, [roles.built_in("manager")], login_email="SKLAD@romashka.example")
    employees.remove(first.id)
    employees.add(company.id, [roles.built_in("manager")], login_email="sklad@romashka.example")


def test_the_owner_is_only_replaced(world) -> None:
    """product.md §10.1: an owner cannot be blocked, restricted, demoted or removed; another administrator takes over."""
    company = world.company(world.person())
    owner = world.owner(company)
    manager = [roles.built_in("manager")]
    for attempt in (
        lambda: employees.block(owner.employee_id),
        lambda: employees.remove(owner.employee_id),
        lambda: employees.restrict(owner.employee_id, ["finance:read"]),
        lambda: employees.change_roles(owner.employee_id, manager),
    ):
        with pytest.raises(Conflict):
            attempt()
    successor = world.employee(company, world.person(), "manager")
    with pytest.raises(Conflict):
        employees.replace_owner(company.id, successor.id, by=owner)
    employees.change_roles(successor.id, [roles.built_in("administrator")])
    with pytest.raises(Forbidden):
        employees.replace_owner(company.id, successor.id, by=world.standing(successor))
    employees.replace_owner(company.id, successor.id, by=owner)
    assert world.owner(company).employee_id == successor.id
    former = accounts.standing(owner.account_id)
    assert former is not None
    assert former.roles == ("administrator",)
    employees.remove(former.employee_id or "", by=world.owner(company))


def test_who_may_change_whom(world) -> None:
    """Case 118: not without the permission, not in another company, not above oneself, not one who may do more."""
    company, other = world.company(world.person()), world.company(world.person(), kind="sole_proprietor")
    clerk, target = world.employee(company, world.person()), world.employee(company, world.person(), "warehouse_operator")
    with pytest.raises(Forbidden):
        employees.block(target.id, by=world.standing(clerk))
    with pytest.raises(NotFound):
        employees.block(target.id, by=world.owner(other))
    people = roles.define(company.id, "people", "Кадры", ["employees:read", "employees:write", "shipping:read"])
    recruiter = world.standing(employees.add(company.id, [people], user_id=world.person().id))
    administrator = world.employee(company, world.person(), "administrator")
    for attempt in (
        lambda: employees.block(administrator.id, by=recruiter),
        lambda: employees.change_roles(target.id, [roles.built_in("administrator")], by=recruiter),
        lambda: employees.change_roles(recruiter.employee_id, [roles.built_in("administrator")], by=recruiter),
        lambda: employees.add(company.id, [roles.built_in("manager")], user_id=world.person().id, by=recruiter),
    ):
        with pytest.raises(Forbidden):
            attempt()
    employees.add(company.id, [people], user_id=world.person().id, by=recruiter)
    employees.change_roles(target.id, [roles.built_in("manager")], by=world.owner(company))


def test_a_restricted_administrator_cannot_lift_it(world) -> None:
    """Case 118: what was taken from a person is beyond that person."""
    company = world.company(world.person())
    administrator = world.employee(company, world.person(), "administrator")
    employees.restrict(administrator.id, ["finance:read", "finance:write"], by=world.owner(company))
    with pytest.raises(Forbidden):
        employees.restrict(administrator.id, [], by=world.standing(administrator))
    with pytest.raises(Forbidden):
        employees.add(company.id, [roles.built_in("accountant")], user_id=world.person().id, by=world.standing(administrator))


def test_one_who_is_blocked_changes_nothing(world) -> None:
    """A standing is looked at as it is: who was blocked meanwhile may do nothing."""
    company = world.company(world.person())
    administrator, target = world.employee(company, world.person(), "administrator"), world.employee(company, world.person())
    employees.block(administrator.id)
    with pytest.raises(Forbidden):
        employees.remove(target.id, by=world.standing(administrator))


def test_a_block_in_the_past_is_refused(world) -> None:
    """A mistyped date would let the person in at once."""
    employee = world.employee(world.company(world.person()), world.person())
    with pytest.raises(BadInput):
        employees.block(employee.id, clock.now() - timedelta(seconds=1))


def test_contact_data_is_the_companys(world) -> None:
    """What the company keeps of a person is not what the ID says; only known fields are written (case 122)."""
    person = world.person()
    employee = world.employee(world.company(world.person()), person)
    employees.change_contact(employee.id, name="Смирнова А. В.", phone="+79005550000", email="smirnova@romashka.example", picture=None)
    changed = employees.get(employee.id)
    assert (changed.name, changed.phone, changed.email) == ("Смирнова А. В.", "+79005550000", "smirnova@romashka.example")
    assert users.get(person.id).name == "Анна Смирнова"
    with pytest.raises(BadInput):
        employees.change_contact(employee.id, is_owner="yes")
    assert employees.user_of(employee.id).id == person.id  # type: ignore[union-attr]


def test_every_change_is_an_event(world) -> None:
    """house.md rule 6: each verb that changes something writes one line; one that changes nothing writes none."""
    company = world.company(world.person())
    employee = world.employee(company, world.person())
    before = len(world.events())
    employees.change_roles(employee.id, [roles.built_in("manager")])
    employees.restrict(employee.id, ["stock:write"])
    employees.block(employee.id)
    employees.unblock(employee.id)
    employees.unblock(employee.id)
    employees.remove(employee.id)
    assert world.events()[before:] == [
        "employee.roles_changed",
        "employee.restricted",
        "employee.blocked",
        "employee.unblocked",
        "employee.removed",
    ]


def test_two_changes_of_roles_at_once(database: Flask, world_maker) -> None:
    """Case 118: two administrators change one person's roles in the same moment; one of the two holds, never the sum."""
    with writes():
        world = world_maker()
        employee_id = world.employee(world.company(world.person()), world.person(), "accountant").id
    wanted = [roles.built_in("content_manager"), roles.built_in("warehouse_operator")]
    for _ in range(10):
        start = threading.Barrier(2)

        def change(role_id: str, start: threading.Barrier = start) -> None:
            with database.app_context():
                start.wait()
                with writes():
                    employees.change_roles(employee_id, [role_id])
                session.remove()

        threads = [threading.Thread(target=change, args=(role_id,)) for role_id in wanted]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with reads():
            assert employees.roles_of(employee_id) in [[role_id] for role_id in wanted]
