"""Switching the company without a page: `prompt=none&company=` in the browser, `company=` at a refresh.

claims.md, "Switching the company"; case 30 of threats.md.
"""

from __future__ import annotations

import pytest

from idp.cli.demo_story import Story
from idp.directory import companies, employees, roles, users
from tests.oidc.asking import error_at, person, phone, token_error
from tests.world import World, answer_of, claims_of

SCOPE = "openid account company"


def employee_of(story, key: str, company: str) -> str:
    """The id of the employee; in a unit of work."""
    staff = employees.of_company(story.companies[company])
    return next(e.id for e, s in staff if s.user_id == person(story, key).user_id)


def test_in_the_browser(world: World, story) -> None:
    """Silently, to any company of the person's; the tokens of the other tab stay right, and the session remembers the last one."""
    party, browser = world.party(), world.browser()
    romashka, smirnova = story.companies["romashka"], story.companies["smirnova"]
    first = world.tokens(browser, party, phone(story, "anna"), scope=SCOPE, company=romashka)
    answer = answer_of(browser.authorize(party, scope=SCOPE, prompt="none", company=smirnova))
    second = world.redeem(party, answer["code"]).json()
    assert [claims_of(tokens["id_token"])["company_id"] for tokens in (first, second)] == [romashka, smirnova]
    assert claims_of(first["id_token"])["sid"] == claims_of(second["id_token"])["sid"]
    assert claims_of(first["id_token"])["auth_time"] == claims_of(second["id_token"])["auth_time"]
    for tokens, company in ((first, romashka), (second, smirnova)):
        assert world.userinfo(tokens["access_token"]).json()["company_id"] == company
        assert claims_of(world.refresh(party, tokens["refresh_token"]).json()["access_token"])["company_id"] == company


def test_by_refreshing(world: World, story) -> None:
    """The new tokens carry the other company and its roles; those of before are refused, the next refresh keeps it."""
    party = world.party()
    romashka, smirnova = story.companies["romashka"], story.companies["smirnova"]
    first = world.tokens(world.browser(), party, phone(story, "anna"), scope=SCOPE, company=romashka)
    second = world.refresh(party, first["refresh_token"], company=smirnova).json()
    for token in ("id_token", "access_token"):
        claims = claims_of(second[token])
        assert (claims["company_id"], claims["roles"]) == (smirnova, ["administrator", "owner"])
    assert world.userinfo(second["access_token"]).json()["company_id"] == smirnova
    assert token_error(world.userinfo(first["access_token"]), 401) == "invalid_token"
    third = world.refresh(party, second["refresh_token"]).json()
    assert claims_of(third["id_token"])["company_id"] == smirnova
    fourth = world.refresh(party, third["refresh_token"], company=smirnova).json()
    assert claims_of(fourth["id_token"])["company_id"] == smirnova


@pytest.mark.parametrize("company", ["veter", "cmp_00000000000000000000000000", "nonsense", ""])
def test_where_the_person_may_not_enter(world: World, story, company: str) -> None:
    """Checked afresh; a refusal says why, spends nothing, and the tokens go on in the company of before."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "anna"), scope=SCOPE, company=story.companies["romashka"])
    answer = world.refresh(party, tokens["refresh_token"], company=story.companies.get(company, company))
    if company:
        assert token_error(answer) == "access_denied"
        answer = world.refresh(party, tokens["refresh_token"])
    assert claims_of(answer.json()["id_token"])["company_id"] == story.companies["romashka"]


def test_somebody_elses_company(world: World, story) -> None:
    """A company in which the person does not work is nobody's to switch to."""
    party = world.party(account_types=["employee"])
    tokens = world.tokens(world.browser(), party, phone(story, "lazareva"), scope=SCOPE)
    assert token_error(world.refresh(party, tokens["refresh_token"], company=story.companies["smirnova"])) == "access_denied"


def test_kinds_that_the_client_is_not_for(world: World, story) -> None:
    """The client is checked afresh as well: a shop's refresh cannot become an employee's."""
    shop = world.party(account_types=["personal"])
    tokens = world.tokens(world.browser(), shop, phone(story, "anna"), scope=SCOPE)
    assert token_error(world.refresh(shop, tokens["refresh_token"], company=story.companies["romashka"])) == "access_denied"


def test_without_the_scope(world: World, story) -> None:
    """A person who signed in alone has no company to switch."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "anna"), scope="openid companies")
    assert token_error(world.refresh(party, tokens["refresh_token"], company=story.companies["romashka"])) == "invalid_request"


@pytest.mark.parametrize("what", ["block", "remove", "suspend", "user"])
def test_access_ends_at_once(world: World, story, what: str) -> None:
    """Case 30, house.md rule 7: blocked, removed, suspended: userinfo, refresh and silent sign-in are refused from the next request on."""
    party, browser = world.party(), world.browser()
    romashka = story.companies["romashka"]
    tokens = world.tokens(browser, party, phone(story, "anna"), scope=SCOPE, company=romashka)
    with world.writes():
        if what == "suspend":
            companies.suspend(romashka, "test")
        elif what == "user":
            users.block(person(story, "anna").user_id, "test")
        else:
            getattr(employees, what)(employee_of(story, "anna", "romashka"))
    assert token_error(world.userinfo(tokens["access_token"]), 401) == "invalid_token"
    assert token_error(world.refresh(party, tokens["refresh_token"])) == "invalid_grant"
    error = error_at(browser.authorize(party, scope=SCOPE, prompt="none", company=romashka), party)
    assert error == ("login_required" if what == "user" else "access_denied")


def test_a_role_that_changed(world: World, story) -> None:
    """claims.md: a JWT is a snapshot, the next one is right; userinfo is right at once."""
    party = world.party(account_types=["employee"])
    tokens = world.tokens(world.browser(), party, phone(story, "lazareva"), scope=SCOPE)
    with world.writes():
        employees.change_roles(employee_of(story, "lazareva", "romashka"), [roles.built_in("accountant")])
    assert claims_of(tokens["access_token"])["roles"] == ["content_manager"]
    assert world.userinfo(tokens["access_token"]).json()["roles"] == ["accountant"]
    assert claims_of(world.refresh(party, tokens["refresh_token"]).json()["access_token"])["roles"] == ["accountant"]


def test_a_retry_is_no_second_switch(world: World, story: Story) -> None:
    """Within the grace the spent token repeats its own request; asked for another company with it, nothing is given (RFC 9700 §4.14.2)."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, "+79005553501", account="Ромашка", scope="openid account company")
    spent = tokens["refresh_token"]
    switched = world.refresh(party, spent, company=story.companies["smirnova"])
    assert switched.status_code == 200
    assert world.refresh(party, spent, company=story.companies["romashka"]).json()["error"] == "invalid_grant"
    again = world.refresh(party, spent, company=story.companies["smirnova"]).json()
    assert again["refresh_token"] == switched.json()["refresh_token"]
    assert world.userinfo(again["access_token"]).json()["company_id"] == story.companies["smirnova"]
