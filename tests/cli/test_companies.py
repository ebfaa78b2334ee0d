"""`idp companies`, `idp employees`: what operators do in companies, and what portals notice of it at once (product.md §9, §10)."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory import companies
from tests.cli.terminal import answer, idp
from tests.oidc.asking import person, phone
from tests.world import Party, World

SCOPE = "openid account company"


@pytest.fixture
def party(world: World) -> Party:
    """A portal of companies."""
    return world.party(account_types=["employee"])


def accountant(world: World, story, party: Party) -> dict[str, Any]:
    """Tokens of Anna as accountant of «Ромашка»."""
    return world.tokens(world.browser(), party, phone(story, "anna"), account="Ромашка", scope=SCOPE)


def employee(story, key: str, company: str = "romashka") -> dict[str, Any]:
    """The employee as `idp employees list` has them."""
    listed: list[dict[str, Any]] = answer("employees", "list", story.companies[company])
    return next(each for each in listed if each["user_id"] == person(story, key).user_id)


def test_suspended_and_activated(world: World, story, party: Party) -> None:
    """Everyone is out with the next request, and in again; the reason is kept, the operator stands in both events."""
    tokens, company_id = accountant(world, story, party), story.companies["romashka"]
    assert "is suspended" in idp("companies", "suspend", company_id, "--reason", "documents").out
    assert world.userinfo(tokens["access_token"]).status_code == 401
    assert answer("companies", "show", company_id)["suspended_reason"] == "documents"
    assert "already" in idp("companies", "suspend", company_id, "--reason", "again").out
    assert answer("companies", "activate", "7700491276")["status"] == "active"
    assert world.userinfo(tokens["access_token"]).json()["company_status"] == "active"
    assert "already" in idp("companies", "activate", company_id).out
    for name in ("company.suspended", "company.activated"):
        assert [event.actor_id for event in world.events(name) if event.details.get("uid") is not None] == ["operator"]


def test_what_is_missing_is_named(world: World, story) -> None:
    """A company that has just registered cannot be activated, and the operator reads why."""
    with world.writes():
        owner = person(story, "zimin").user_id
        made = companies.register("sole_proprietor", "500100732259", "ИП Зимин", owner_user_id=owner, offer_version="1")
    done = idp("companies", "activate", made.id)
    assert (done.code, done.out) == (1, "")
    assert "OGRN, BIK of the bank, Bank account, Warehouse address" in done.err
    shown = answer("companies", "show", made.id)
    assert (shown["status"], shown["missing"][0], shown["owner_user_id"]) == ("registered", "ogrn", owner)
    assert [each["id"] for each in answer("companies", "list", "--status", "registered")] == [made.id]


def test_found(world: World, story) -> None:
    """By a part of the name or the numbers."""
    assert [each["inn"] for each in answer("companies", "list", "--search", "ромашка")] == ["7700491276"]
    assert [each["inn"] for each in answer("companies", "list", "--search", "7800")] == ["7800935510"]
    assert len(answer("companies", "list")) == 3
    assert "ООО «Ромашка»" in idp("companies", "list").out
    assert "No company fits" in idp("companies", "list", "--search", "nothing").err


def test_a_role_changed_at_once(world: World, story, party: Party) -> None:
    """product.md §10.4: the portal's next look has the new role, and nothing of the old one."""
    tokens, anna = accountant(world, story, party), employee(story, "anna")
    assert world.userinfo(tokens["access_token"]).json()["roles"] == ["accountant"]
    changed = answer("employees", "change-role", anna["id"], "--role", "manager", "--role", "warehouse_operator")
    assert changed["roles"] == ["manager", "warehouse_operator"]
    now = world.userinfo(tokens["access_token"]).json()
    assert now["roles"] == ["manager", "warehouse_operator"]
    assert "finance:read" not in now["permissions"]
    [event] = [event for event in world.events("employee.roles_changed") if event.details.get("uid") is not None]
    assert (event.actor_id, event.details["employee_id"]) == ("operator", anna["id"])


def test_blocked_in_one_company(world: World, story, party: Party) -> None:
    """Out of this company at once, until an instant or for good; in the others nothing changes."""
    here, anna = accountant(world, story, party), employee(story, "anna")
    there = world.tokens(world.browser(), party, phone(story, "anna"), account="ИП Смирнова", scope=SCOPE)
    done = idp("employees", "block", anna["id"], "--until", "2h", "--reason", "holidays")
    assert (done.code, done.err) == (0, "")
    assert world.userinfo(here["access_token"]).status_code == 401
    assert world.userinfo(there["access_token"]).status_code == 200
    assert (employee(story, "anna")["reason"], employee(story, "anna")["blocked_reason"]) == ("blocked_until", "holidays")
    assert answer("employees", "block", anna["id"])["blocked_until"] is None
    assert "may enter again" in idp("employees", "unblock", anna["id"]).out
    assert world.userinfo(here["access_token"]).status_code == 200
    assert "was not blocked" in idp("employees", "unblock", anna["id"]).out


def test_listed(world: World, story) -> None:
    """The owner first, each with how they stand; the table shows the same people."""
    listed = answer("employees", "list", "7700491276")
    assert [each["is_owner"] for each in listed] == [True] + [False] * 6
    assert listed[0]["role_titles"] == ["Owner", "Administrator"]
    assert employee(story, "karimov")["reason"] == "blocked_until"
    table = idp("employees", "list", story.companies["romashka"]).out
    assert all(each["id"] in table for each in listed)
    assert answer("employees", "show", listed[0]["id"]) == listed[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("employees", "block", "OWNER"), "only be replaced"),
        (("employees", "change-role", "OWNER", "--role", "manager"), "only be replaced"),
        (("employees", "change-role", "ANNA", "--role", "king"), "accountant"),
        (("employees", "show", "emp_nobody"), "idp employees list"),
        (("employees", "list", "cmp_nothing"), "idp companies list"),
        (("companies", "suspend", "0000000000", "--reason", "x"), "idp companies list"),
    ],
)
def test_refused_with_what_to_do(world: World, story, words: tuple[str, ...], said: str) -> None:
    """Exit code 1, one line, and nothing has changed."""
    ids = {"OWNER": employee(story, "orlov")["id"], "ANNA": employee(story, "anna")["id"]}
    before = len(world.events())
    done = idp(*(ids.get(word, word) for word in words))
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    assert len(world.events()) == before


@pytest.mark.parametrize("until", ["1999-01-01", "tomorrow", "-5m", "99999999d", "9999-12-31", "2026-13-01"])
def test_until_when(world: World, story, until: str) -> None:
    """An instant that is none, or is past."""
    done = idp("employees", "block", employee(story, "anna")["id"], "--until", until)
    assert done.code in {1, 2}
    assert "instant" in done.err or "future" in done.err
