"""Partners and connections: both sides agree, either sees it end at once (product.md §11)."""

from __future__ import annotations

import pytest

from idp.directory import companies, partners
from idp.errors import BadInput, Conflict, Forbidden, Gone, NotFound

SCOPES = ["company:read", "events:read"]


def _partner(key: str = "polka", name: str = "Полка", client_id: str | None = "cli_polka") -> str:
    return partners.publish(key, name, "ООО «Полка Софт»", SCOPES, client_id=client_id)


def test_asked_confirmed_cancelled(world) -> None:
    """A connection holds from the partner's yes to the company's no, and while the company is not suspended."""
    company = world.company(world.person())
    owner, partner_id = world.owner(company), _partner()
    connection_id = partners.request(partner_id, ["company:read"], by=owner)
    assert partners.active_connection("cli_polka", company.id) is None
    with pytest.raises(Conflict):
        partners.request(partner_id, ["company:read"], by=owner)
    with pytest.raises(NotFound):
        partners.confirm(connection_id, partner_id=_partner("other", "Другой", "cli_other"))
    partners.confirm(connection_id, partner_id=partner_id)
    found = partners.active_connection("cli_polka", company.id)
    assert found is not None
    assert (found.id, found.scopes, found.company_id) == (connection_id, ("company:read",), company.id)
    assert partners.active_connection("cli_other", company.id) is None
    assert partners.active_connection("cli_polka", "cmp_other") is None
    partners.note_use(connection_id)
    assert partners.get_connection(connection_id).last_used_at is not None
    companies.suspend(company.id, "Проверка")
    assert partners.active_connection("cli_polka", company.id) is None
    companies.change_details(
        company.id, ogrn="1247799412739", bik="044599990", bank_account="40702810900000412736", warehouse_address="г. Подольск"
    )
    companies.activate(company.id)
    assert partners.active_connection("cli_polka", company.id) is not None
    partners.cancel(connection_id, by=owner)
    assert partners.active_connection("cli_polka", company.id) is None
    with pytest.raises(Gone):
        partners.cancel(connection_id, by=owner)
    with pytest.raises(Gone):
        partners.confirm(connection_id, partner_id=partner_id)
    assert partners.connections_of(company.id) == []
    again = partners.request(partner_id, SCOPES, by=owner)
    partners.decline(again, partner_id=partner_id)
    assert partners.get_connection(again).status == "declined"


def test_who_may_and_how_much(world) -> None:
    """Not without `partners:write`, not for another company, not more than the partner was published with."""
    company, other = world.company(world.person()), world.company(world.person(), kind="sole_proprietor")
    partner_id = _partner()
    with pytest.raises(Forbidden):
        partners.request(partner_id, SCOPES, by=world.standing(world.employee(company, world.person())))
    for scopes in ([], ["company:write"], ["company:read", "admin:users"]):
        with pytest.raises(BadInput):
            partners.request(partner_id, scopes, by=world.owner(company))
    with pytest.raises(NotFound):
        partners.request("prt_none", SCOPES, by=world.owner(company))
    connection_id = partners.request(partner_id, SCOPES, by=world.owner(company))
    with pytest.raises(NotFound):
        partners.cancel(connection_id, by=world.owner(other))
    assert [connection.id for connection, _ in partners.connections_of(company.id)] == [connection_id]


def test_the_catalogue(world) -> None:
    """Found by any part of the name, in any case; a percent sign is a percent sign."""
    _partner()
    second = _partner("uchyotka", "Учётка 100%", None)
    assert [one.name for one in partners.search()] == ["Полка", "Учётка 100%"]
    assert [one.name for one in partners.search("ПОЛ")] == ["Полка"]
    assert [one.name for one in partners.search("%")] == ["Учётка 100%"]
    with pytest.raises(Conflict):
        _partner(name="Ещё одна", client_id=None)
    with pytest.raises(BadInput):
        _partner(key="Не ключ", client_id=None)
    partners.assign_client(second, "cli_second")
    found = partners.find_by_client("cli_second")
    assert found is not None
    assert found.id == second
    with pytest.raises(NotFound):
        partners.assign_client("prt_none", "cli_third")
