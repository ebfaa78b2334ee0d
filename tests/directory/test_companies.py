"""A seller registers: numbers with check digits, what is missing, the operator's check (product.md §9)."""

from __future__ import annotations

import pytest

from idp.directory import companies
from idp.errors import BadInput, Conflict, Forbidden, NotFound

DETAILS = {"ogrn": "1247799412739", "bik": "044599990", "bank_account": "40702810900000412736", "warehouse_address": "г. Подольск"}


@pytest.mark.parametrize(
    ("kind", "inn"),
    [
        ("legal_entity", "7700491275"),  # the check digit
        ("legal_entity", "770049138660"),  # a person's number
        ("sole_proprietor", "7700491276"),  # a firm's number
        ("sole_proprietor", "770049138661"),
        ("legal_entity", "77004912٧6"),  # digits that are none here
        ("legal_entity", "7700491276\n"),
        ("legal_entity", ""),
    ],
)
def test_an_inn_that_cannot_be(kind: str, inn: str) -> None:
    """The length suits the kind, and the check digits are right."""
    with pytest.raises(BadInput):
        companies.require_inn(kind, inn)


def test_numbers_that_can_be() -> None:
    """Spaces, as people copy them, do no harm."""
    assert companies.require_inn("legal_entity", "7700 491 276") == "7700491276"
    assert companies.require_ogrn("legal_entity", DETAILS["ogrn"]) == DETAILS["ogrn"]
    assert companies.require_ogrn("sole_proprietor", "321779990041380") == "321779990041380"
    for kind, ogrn in (("sole_proprietor", DETAILS["ogrn"]), ("legal_entity", "1247799412738")):
        with pytest.raises(BadInput):
            companies.require_ogrn(kind, ogrn)


def test_a_bank_account_and_its_bank() -> None:
    """The check digit is over both: a mistyped digit in either shows."""
    assert companies.is_bank_account("044525225", "40702810138250123017")
    assert not companies.is_bank_account("044525226", "40702810138250123017")
    assert not companies.is_bank_account("044525225", "40702810138250123018")
    assert not companies.is_bank_account("", "")


def test_from_registered_to_active_to_suspended(world) -> None:
    """What is missing is named until nothing is; the operator's check does the rest."""
    company = world.company(world.person())
    assert company.status == "registered"
    assert company.offer_accepted_at is not None
    assert companies.missing(company) == ["ogrn", "bik", "bank_account", "warehouse_address"]
    with pytest.raises(Conflict):
        companies.activate(company.id)
    with pytest.raises(BadInput):
        companies.change_details(company.id, bik="044599990", bank_account="40702810900000412737")
    with pytest.raises(BadInput):
        companies.change_details(company.id, status="active")
    companies.change_details(company.id, **DETAILS)
    assert companies.missing(companies.get(company.id)) == []
    companies.activate(company.id)
    assert companies.get(company.id).status == "active"
    companies.suspend(company.id, "Истёк срок документов")
    companies.suspend(company.id, "Ещё раз")
    assert companies.get(company.id).suspended_reason == "Истёк срок документов"
    companies.activate(company.id)
    assert companies.get(company.id).suspended_reason is None
    assert [name for name in world.events() if name.startswith("company.")] == [
        "company.registered",
        "company.details_changed",
        "company.activated",
        "company.suspended",
        "company.activated",
    ]


def test_a_registration_does_not_occupy_an_inn(world) -> None:
    """A stranger who registers first keeps nobody out: the number is taken by the operator's check alone."""
    stranger, seller = world.company(world.person()), world.company(world.person())
    for company in (stranger, seller):
        companies.change_details(company.id, **DETAILS)
    companies.activate(seller.id)
    with pytest.raises(Conflict):
        companies.activate(stranger.id)
    assert companies.get(stranger.id).status == "registered"
    with pytest.raises(Conflict):
        world.company(world.person())
    found = companies.find_by_inn("7700491276")
    assert found is not None
    assert found.id == seller.id


def test_the_same_person_registers_once(world) -> None:
    """A form sent twice makes one company."""
    person = world.person()
    world.company(person)
    with pytest.raises(Conflict):
        world.company(person)


def test_who_may_change_a_company(world) -> None:
    """`company:write`, in the own company; the new-browser rule is one of two words."""
    company, other = world.company(world.person()), world.company(world.person(), kind="sole_proprietor")
    clerk = world.standing(world.employee(company, world.person()))
    with pytest.raises(Forbidden):
        companies.change_details(company.id, new_browser="code+password", by=clerk)
    with pytest.raises(NotFound):
        companies.change_details(company.id, new_browser="code+password", by=world.owner(other))
    with pytest.raises(BadInput):
        companies.change_details(company.id, new_browser="none", by=world.owner(company))
    companies.change_details(company.id, new_browser="code+password", by=world.owner(company))
    assert world.owner(company).new_browser == "code+password"
    with pytest.raises(NotFound):
        companies.get("cmp_none")
