"""What is allowed is what stood on the page that was pressed: for this person, as this account. Cases 6 and 15 of threats.md."""

from __future__ import annotations

import re

from idp.delegation.tables import Consent
from tests.oidc.asking import phone, rows, signed_in
from tests.world import Browser, World, answer_of, claims_of


def sign_in_beside(world: World, browser: Browser, number: str) -> None:
    """In another tab, somebody else signs in."""
    page = browser.authorize(world.party(), prompt="login")
    found = re.search(r'href="(/login/[^"]+/identify)"', page.text)
    assert found is not None
    page = browser.go(found[1])
    page = browser.onward(browser.submit(page, phone=number))
    assert answer_of(browser.onward(browser.submit(page, code=world.code_for(number))))["code"]


def test_another_person_in_the_same_browser(world: World, story) -> None:
    """Cases 6 and 15: the page shows one person's name, another one has signed in since; pressing it allows nothing of the other's."""
    party = world.party(first_party=False)
    browser = signed_in(world, story, "zimin")
    page = browser.authorize(party, scope="openid profile phone")
    sign_in_beside(world, browser, phone(story, "anna"))
    again = browser.onward(browser.submit(page, answer="allow"))
    assert again.status_code == 200
    assert str(again.url) == str(page.url)
    assert "Смирнова" in again.text
    assert rows(world, Consent) == []
    tokens = world.redeem(party, answer_of(browser.onward(browser.submit(again, answer="allow")))["code"]).json()
    assert [(row.client_id, row.user_id) for row in rows(world, Consent)] == [(party.client.id, claims_of(tokens["id_token"])["sub"])]


def test_another_account_in_another_tab(world: World, story) -> None:
    """Case 6: the page shows one account, the chooser in another tab took another one since; pressing it allows nothing for that one."""
    party = world.party(first_party=False)
    browser = world.browser()
    chooser = world.sign_in(browser, party, phone(story, "anna"), scope="openid company")
    page = world.choose(browser, chooser, "Ромашка")
    assert "Ромашка" in page.text
    world.choose(browser, chooser, "Смирнова")
    again = browser.onward(browser.submit(page, answer="allow"))
    assert again.status_code == 200
    assert "Смирнова" in again.text
    assert rows(world, Consent) == []


def test_a_default_that_moves(world: World, story) -> None:
    """Case 6: without the chooser the last choice decides; when another tab moves it between the press and the way back, the code is
    for the account on the page.
    """
    party = world.party(first_party=False)
    browser = world.browser()
    chooser = world.sign_in(browser, party, phone(story, "anna"), scope="openid company")
    done = browser.onward(browser.submit(world.choose(browser, chooser, "Ромашка"), answer="allow"))
    assert answer_of(done)["code"]
    page = browser.authorize(party, scope="openid company profile")  # more than was allowed: asked again, for the last choice
    assert "Ромашка" in page.text
    pressed = browser.submit(page, answer="allow")
    beside = browser.authorize(party, scope="openid company", prompt="select_account")
    if "/people" in str(beside.url):
        beside = browser.onward(browser.submit(beside, person=re.findall(r'name="person" value="([^"]+)"', beside.text)[0]))
    there = world.choose(browser, beside, "Смирнова")
    assert answer_of(browser.onward(browser.submit(there, answer="allow")))["code"]
    tokens = world.redeem(party, answer_of(browser.onward(pressed))["code"]).json()
    assert claims_of(tokens["id_token"])["company_id"] == story.companies["romashka"]
