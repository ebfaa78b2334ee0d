"""As which account, for which company: the account step in its order (claims.md, "Parameters of an authorization request"; product.md §4).

`company=` or `account=` · the account in `id_token_hint` · the session's last choice for this client · the only candidate · the chooser.
"""

from __future__ import annotations

import pytest

from idp.directory import companies, employees
from tests.oidc.asking import back_at, error_at, phone, signed_in
from tests.world import CALLBACK, Browser, Party, World, answer_of, claims_of

SCOPE = "openid account company"


def chosen(world: World, party: Party, answer) -> dict:
    """The claims of the ID token that this redirect's code gives."""
    return claims_of(world.redeem(party, answer_of(answer)["code"]).json()["id_token"])


def account_of(world: World, story, key: str, words: str) -> str:
    """The id of the account in the chooser whose row holds `words`."""
    browser, party = world.browser(), world.party()
    answer = world.sign_in(browser, party, phone(story, key), scope=SCOPE, account=words)
    return chosen(world, party, answer)["account_id"]


def test_without_the_scope_nobody_is_asked(world: World, story) -> None:
    """The staff portal's way: the person alone signs in, and no token names an account."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "anna"), scope="openid companies")
    for token in ("id_token", "access_token"):
        assert not {"account_id", "account_type", "company_id", "roles", "permissions"} & set(claims_of(tokens[token]))


@pytest.mark.parametrize("scope", ["openid account", "openid company", "openid account company"])
def test_the_chooser(world: World, story, scope: str) -> None:
    """Several accounts: the person chooses; the tokens carry that one and nothing of the others."""
    party, browser = world.party(), world.browser()
    page = world.sign_in(browser, party, phone(story, "anna"), scope=scope)
    assert 'name="account"' in page.text
    claims = chosen(world, party, world.choose(browser, page, "Смирнова"))
    if "company" in scope:
        assert claims["company_id"] == story.companies["smirnova"]
        assert claims["roles"] == ["administrator", "owner"]
    if "account" in scope.split():
        assert claims["account_type"] == "employee"
    assert ("company_id" in claims) == ("company" in scope)
    assert ("account_id" in claims) == ("account" in scope.split())


def test_the_only_candidate(world: World, story) -> None:
    """product.md §4.1: one account, no question; also where the client's kinds leave only one."""
    assert back_at(world.sign_in(world.browser(), world.party(), phone(story, "zimin"), scope=SCOPE), CALLBACK)["code"]
    seller = world.party(account_types=["employee"])
    claims = chosen(world, seller, world.sign_in(world.browser(), seller, phone(story, "lazareva"), scope=SCOPE))
    assert claims["company_id"] == story.companies["romashka"]


def test_named_by_company(world: World, story) -> None:
    """`company=`: no question, this company."""
    for key in ("romashka", "smirnova"):
        party = world.party()
        claims = chosen(
            world, party, world.sign_in(world.browser(), party, phone(story, "anna"), scope=SCOPE, company=story.companies[key])
        )
        assert claims["company_id"] == story.companies[key]


def test_named_by_account(world: World, story) -> None:
    """`account=`: any account, the personal one included; together with `company=` both have to fit."""
    personal, office = account_of(world, story, "anna", "Personal"), account_of(world, story, "anna", "Ромашка")
    party, browser = world.party(), signed_in(world, story, "anna")
    claims = chosen(world, party, browser.authorize(party, scope=SCOPE, account=personal))
    assert (claims["account_id"], claims["account_type"]) == (personal, "personal")
    assert "company_id" not in claims
    romashka, smirnova = story.companies["romashka"], story.companies["smirnova"]
    assert chosen(world, party, browser.authorize(party, scope=SCOPE, account=office, company=romashka))["account_id"] == office
    for account, company in ((office, smirnova), (personal, romashka)):
        assert error_at(browser.authorize(party, scope=SCOPE, account=account, company=company), party) == "access_denied"


@pytest.mark.parametrize("prompt", [None, "none", "consent", "select_account"])
def test_a_company_that_may_not_be_entered(world: World, story, prompt: str | None) -> None:
    """Fail closed: not a member, blocked, suspended, unknown: `access_denied` with a plain reason, and never another company instead."""
    party = world.party()
    for key, company, words in (
        ("zimin", story.companies["romashka"], "not a member"),
        ("anna", "cmp_" + "0" * 26, "not a member"),
        ("karimov", story.companies["romashka"], "blocked"),
        ("anna", story.companies["veter"], "suspended"),
        ("laptev", story.companies["veter"], "suspended"),
    ):
        browser = signed_in(world, story, key)
        answer = browser.authorize(party, scope=SCOPE, company=company, prompt=prompt)
        if prompt == "select_account":
            person_id = answer.text.partition('name="person" value="')[2].partition('"')[0]
            answer = browser.onward(browser.submit(answer, person=person_id))
        assert error_at(answer, party) == "access_denied", key
        assert words in answer_of(answer)["error_description"]


def test_somebody_elses_account(world: World, story) -> None:
    """Case 88 at this step: an account id of another person is not a member's, and the chooser takes none that is not on the page."""
    office = account_of(world, story, "lazareva", "Ромашка")
    party, browser = world.party(), signed_in(world, story, "anna")
    assert error_at(browser.authorize(party, scope=SCOPE, account=office), party) == "access_denied"
    page = browser.authorize(party, scope=SCOPE)
    assert browser.submit(page, account=office).status_code == 400
    assert chosen(world, party, world.choose(browser, page, "Ромашка"))["account_id"] != office


def test_kinds_that_the_client_is_not_for(world: World, story) -> None:
    """Candidates are of the client's `account_types`; a named account of another kind is refused."""
    personal = account_of(world, story, "anna", "Personal")
    seller, browser = world.party(account_types=["employee"]), signed_in(world, story, "anna")
    page = browser.authorize(seller, scope=SCOPE)
    assert "Personal" not in page.text
    assert error_at(browser.authorize(seller, scope=SCOPE, account=personal), seller) == "access_denied"
    shop = world.party(account_types=["personal"])
    assert chosen(world, shop, browser.authorize(shop, scope=SCOPE))["account_id"] == personal


def test_the_accounts_order(world: World, story) -> None:
    """The hint wins over the session's last choice, and a name over both; `select_account` over hint and choice."""
    party, browser = world.party(), world.browser()
    romashka, smirnova = story.companies["romashka"], story.companies["smirnova"]
    first = world.sign_in(browser, party, phone(story, "anna"), scope=SCOPE, account="Ромашка")
    hint = world.redeem(party, answer_of(first)["code"]).json()["id_token"]
    assert chosen(world, party, browser.authorize(party, scope=SCOPE))["company_id"] == romashka
    assert chosen(world, party, browser.authorize(party, scope=SCOPE, company=smirnova))["company_id"] == smirnova
    assert chosen(world, party, browser.authorize(party, scope=SCOPE, prompt="none"))["company_id"] == smirnova
    assert chosen(world, party, browser.authorize(party, scope=SCOPE, prompt="none", id_token_hint=hint))["company_id"] == romashka
    named = browser.authorize(party, scope=SCOPE, prompt="none", id_token_hint=hint, company=smirnova)
    assert chosen(world, party, named)["company_id"] == smirnova
    page = browser.authorize(party, scope=SCOPE, prompt="select_account", id_token_hint=hint)
    assert page.status_code == 200


def test_the_last_choice_is_per_client(world: World, story) -> None:
    """What was chosen for one client says nothing to another: there the person is asked, the person's newest choice first."""
    party, other, browser = world.party(), world.party(), world.browser()
    world.sign_in(browser, party, phone(story, "anna"), scope=SCOPE, account="Смирнова")
    assert error_at(browser.authorize(other, scope=SCOPE, prompt="none"), other) == "account_selection_required"
    assert 'name="account"' in browser.authorize(other, scope=SCOPE).text


def test_the_last_choice_stands_first(world: World, story) -> None:
    """In a new browser the person is asked again; what they chose for this client the last time stands first, marked."""
    party = world.party()
    for words in ("Смирнова", "Ромашка"):
        world.sign_in(world.browser(), party, phone(story, "anna"), scope=SCOPE, account=words)
        page = world.sign_in(world.browser(), party, phone(story, "anna"), scope=SCOPE)
        first = page.text.partition('name="account"')[2].partition("</button>")[0]
        assert words in first
        assert "recent" in first


def test_what_cannot_be_chosen_is_shown(world: World, story) -> None:
    """product.md §4.3: suspended and blocked ones stand there with the reason, as no button; a forged press leads back to the page."""
    party, browser = world.party(), world.browser()
    page = world.sign_in(browser, party, phone(story, "anna"), scope=SCOPE)
    greyed = page.text.partition('aria-disabled="true"')[2].partition("</div>")[0]
    assert "Северный ветер" in greyed
    assert "suspended" in greyed.replace("\u00a0", " ")
    with world.reads():
        from idp.directory import accounts

        (person,) = [p for p in story.people if p.key == "anna"]
        veter = next(s for s in accounts.candidates(person.user_id, ["employee"]) if s.company_id == story.companies["veter"])
    there = browser.onward(browser.submit(page, account=veter.account_id))
    assert there.status_code == 200
    assert 'name="account"' in there.text


def test_nobody_may_enter(world: World, story) -> None:
    """No candidate: a page that says so and leads back to the app; silently `access_denied`."""
    seller = world.party(account_types=["employee"])
    browser: Browser = world.browser()
    page = world.sign_in(browser, seller, phone(story, "zimin"), scope=SCOPE)
    assert page.status_code == 403
    assert "no company" in page.text
    assert error_at(browser.authorize(seller, scope=SCOPE, prompt="none"), seller) == "access_denied"
    assert error_at(browser.press(page, "/cancel"), seller) == "access_denied"


def test_suspended_between_the_chooser_and_the_press(world: World, story) -> None:
    """Nothing is remembered between two requests: a suspension or a block holds from the next look on (house.md rule 7)."""
    party, browser = world.party(), world.browser()
    page = world.sign_in(browser, party, phone(story, "anna"), scope=SCOPE)
    with world.writes():
        companies.suspend(story.companies["romashka"], "check")
    there = world.choose(browser, page, "Ромашка")
    assert there.status_code == 200
    greyed = [part.partition("</div>")[0] for part in there.text.split('role="group" aria-disabled="true"')[1:]]
    assert any("Ромашка" in part for part in greyed)
    assert error_at(browser.authorize(party, scope=SCOPE, company=story.companies["romashka"]), party) == "access_denied"


def test_removed_after_the_choice(world: World, story) -> None:
    """The session's last choice is a default, never a right."""
    party, browser = world.party(), world.browser()
    world.sign_in(browser, party, phone(story, "anna"), scope=SCOPE, account="Ромашка")
    with world.writes():
        staff = [(e, s) for e, s in employees.of_company(story.companies["romashka"]) if s.user_id == story.people[0].user_id]
        employees.remove(staff[0][0].id)
    assert error_at(browser.authorize(party, scope=SCOPE, prompt="none"), party) == "account_selection_required"
    page = browser.authorize(party, scope=SCOPE)
    assert 'name="account"' in page.text
    assert "Ромашка" not in page.text


def test_a_blocked_employee_does_not_come_in_as_a_buyer(world: World, story) -> None:
    """`company=` means the person's work there: the same company's buyer account is no way around a block (it is chosen by `account=`)."""
    business = account_of(world, story, "anna", "Business")
    party, browser = world.party(), signed_in(world, story, "anna")
    romashka = story.companies["romashka"]
    claims = chosen(world, party, browser.authorize(party, scope=SCOPE, account=business))
    assert (claims["account_type"], claims["company_id"], claims["roles"]) == ("business", romashka, [])
    assert chosen(world, party, browser.authorize(party, scope=SCOPE, company=romashka))["account_type"] == "employee"
    with world.writes():
        staff = employees.of_company(romashka)
        employees.block(next(e.id for e, s in staff if s.user_id == story.people[0].user_id))
    assert error_at(browser.authorize(party, scope=SCOPE, company=romashka), party) == "access_denied"
    shop = world.party(account_types=["business"])
    assert chosen(world, shop, browser.authorize(shop, scope=SCOPE, company=romashka))["account_id"] == business
