"""A store's login: the account of an employee with an e-mail address and a password of its own, linked to an ID or not yet.

`product.md` §1 (whose a password is), §5.2 (the first sign-in shows the address), §8.1 (linked for good, after the ID was shown).
"""

from __future__ import annotations

import httpx2
import pytest

from idp import clock
from idp.cli import demo_story
from idp.cli.demo_story import Story
from idp.credentials import password
from idp.directory import accounts, employees, roles
from tests.login.http_lab import base_of, cookies_set, known, post, signed_in, text_of
from tests.login.lab import id_token, where
from tests.login.password_lab import NEW, SECRET, SHOP, again, at_password, enter, give, id_of, linked_to, shop
from tests.world import Browser, Party, World, answer_of, claims_of, new_phone

ASKED = {"scope": "openid account company"}
DYACHENKO = "+79005553506"


def at_link(world: World, browser: Browser, party: Party, phone: str, **asked: str) -> httpx2.Response:
    """Login and password of the store, then phone and code: the question to which ID it is to be linked."""
    page = enter(browser, party, SHOP, **(ASKED | asked))
    assert where(page) == "identify"
    assert "is not linked to an ID yet" in text_of(page)
    page = browser.onward(browser.submit(page, phone=phone))
    return browser.onward(browser.submit(page, code=world.code_for(phone)))


def test_the_demos_two(world: World, party: Party) -> None:
    """What `make demo` prints works, and would be a good password; a second run changes nothing."""
    for _ in range(2):
        with world.writes():
            person, store = demo_story.give_passwords()
    for secret in (person, store):
        with world.reads():
            password.require_good(secret.text)
    assert "code" in answer_of(enter(world.browser(), party, person.login, person.text))
    page = enter(world.browser(), party, store.login, store.text)
    assert (where(page), page.status_code) == ("code", 200)
    assert len(world.events("password.set")) == 2


def test_a_linked_one_chooses_the_account(world: World, party: Party, story: Story) -> None:
    """It signs in the person, with that account chosen: nobody is asked where to go, though Anna has five accounts."""
    account_id, anna = shop(world, story, role="manager"), id_of(world, "+79005553509")
    with world.writes():
        accounts.link(account_id, anna)
    claims = id_token(world, party, enter(world.browser(), party, SHOP, **ASKED))
    assert (claims["sub"], claims["account_id"], claims["amr"]) == (anna, account_id, ["pwd"])
    assert claims["roles"] == ["manager"]


def test_the_address_is_shown_first(world: World, party: Party, story: Story) -> None:
    """§5.2, case 111: the first sign-in sends a code to the login e-mail; without it nothing comes of the password."""
    account_id, maria = shop(world, story, verified=False), id_of(world, "+79005553509")
    with world.writes():
        accounts.link(account_id, maria)
    browser = world.browser()
    page = enter(browser, party, SHOP, **ASKED)
    assert where(page) == "code"
    assert "k•••@r•••.example" in text_of(page)
    assert "idp_session" not in cookies_set(page)
    assert browser.submit(page, code="12").status_code == 422
    assert browser.submit(page, code="000000").status_code == 422
    code = world.code_for(SHOP)
    stranger = world.browser(address="198.51.100.7")
    assert stranger.get(str(page.url)).status_code == 410
    assert id_token(world, party, browser.onward(browser.submit(page, code=code)))["account_id"] == account_id
    assert browser.submit(page, code=code).status_code == 303
    assert "code" in answer_of(enter(world.browser(), party, SHOP, **ASKED))
    assert len(world.events("account.login_email_verified")) == 1


def test_linked_to_an_id_that_is_there(world: World, party: Party, story: Story) -> None:
    """After the password phone and code; the ID is shown; nothing is issued before it was confirmed; then for good, and told."""
    account_id, maria = shop(world, story), id_of(world, "+79005553509")
    browser = world.browser()
    page = at_link(world, browser, party, "+79005553509")
    assert where(page) == "link"
    said = text_of(page)
    assert "Link ООО «Ромашка» to this ID?" in said
    for words in ("Мария Зимина", "+7 ••• •••-35-09", SHOP, "This is for good", "There is an ID with this number already."):
        assert words in said
    assert linked_to(world, account_id) is None
    assert not signed_in(world, browser, party)
    # No way around the question: not by the desk, not by another page of the sign-in.
    for there in ("", "/people", "/further_proof", "/register", "/password", "/reset"):
        assert where(browser.go(f"{base_of(page)}{there}")) == "link"
    claims = id_token(world, party, browser.onward(browser.submit(page, answer="link")))
    assert (claims["sub"], claims["account_id"]) == (maria, account_id)
    assert set(claims["amr"]) == {"sms"}  # type: ignore[arg-type]
    assert linked_to(world, account_id) == maria
    assert [event.user_id for event in world.events("account.linked")] == [maria]
    for to in ("zimina@post.example", "+79005553509"):
        assert any("привязан аккаунт" in message["text"] for message in world.inbox(to)), to
    # From now on the login alone is enough.
    assert id_token(world, party, enter(world.browser(), party, SHOP, **ASKED))["account_id"] == account_id


def test_linked_to_a_fresh_id(world: World, party: Party, story: Story) -> None:
    """A number that nobody has: name and terms, then the question, then the account; a repeated press changes nothing."""
    account_id, phone, browser = shop(world, story), new_phone(), world.browser()
    page = at_link(world, browser, party, phone)
    assert where(page) == "register"
    page = browser.onward(browser.submit(page, name="Вера Новая", terms="1"))
    assert where(page) == "link"
    assert "A new ID has just begun with this number." in text_of(page)
    answer = browser.onward(browser.submit(page, answer="link"))
    assert id_token(world, party, answer)["account_id"] == account_id
    assert linked_to(world, account_id) == id_of(world, phone)
    assert post(browser, page, answer="link").status_code == 303
    assert len(world.events("account.linked")) == 1


def test_not_linked_after_all(world: World, party: Party, story: Story) -> None:
    """Whoever sees that it is the wrong ID signs in without, or takes another number; an ID that works there already gets it not twice."""
    account_id, browser = shop(world, story), world.browser()
    page = at_link(world, browser, party, DYACHENKO, scope="openid")
    refused = browser.submit(page, answer="link")
    assert (refused.status_code, "This ID has an account in that company already." in text_of(refused)) == (409, True)
    assert 'value="link"' not in refused.text
    assert browser.submit(page, answer="").status_code == 422
    page = browser.onward(browser.submit(browser.get(f"{base_of(page)}/identify"), phone="+79005553510"))
    page = browser.onward(browser.submit(page, code=world.code_for("+79005553510")))
    assert "Павел Зимин" in text_of(page)
    answer = browser.onward(browser.submit(page, answer="without"))
    assert id_token(world, party, answer)["sub"] == id_of(world, "+79005553510")
    assert linked_to(world, account_id) is None


def test_somebody_was_quicker(world: World, party: Party, story: Story) -> None:
    """The account was linked, or its password changed, while the question stood open: it is not linked any more."""
    for change in ("password", "linked"):
        with world.writes():
            employee = employees.add(story.companies["romashka"], [roles.built_in("manager")], login_email=f"{change}@romashka.example")
        give(world, employee.account_id)
        browser = world.browser()
        page = enter(browser, party, f"{change}@romashka.example", **ASKED)
        page = browser.onward(browser.submit(page, code=world.code_for(f"{change}@romashka.example")))
        page = browser.onward(browser.submit(page, phone="+79005553510"))
        page = browser.onward(browser.submit(page, code=world.code_for("+79005553510")))
        assert where(page) == "link"
        if change == "password":
            give(world, employee.account_id, NEW)
        else:
            with world.writes():
                accounts.link(employee.account_id, id_of(world, "+79005553509"))
        late = browser.get(str(page.url))
        assert "cannot be linked any more" in text_of(late)
        assert browser.submit(page, answer="link").status_code == 303
        assert linked_to(world, employee.account_id) != id_of(world, "+79005553510")


@pytest.mark.parametrize("role", ["administrator"])
def test_an_administrators_account_raises_rights(world: World, party: Party, story: Story, role: str) -> None:
    """Cases 76, 82: what the person proved before, in other browsers, was for lesser rights and ends; this sign-in goes on."""
    account_id = shop(world, story, role=role)
    other = known(world, party, "+79005553509", address="203.0.113.8")
    with clock.freeze(clock.now()) as later:
        later(60)
        browser = world.browser()
        page = at_link(world, browser, party, "+79005553509")
        later(30)
        answer = answer_of(browser.onward(browser.submit(page, answer="link")))
        assert claims_of(world.redeem(party, answer["code"]).json()["id_token"])["account_id"] == account_id
        world.deliver()
        assert signed_in(world, browser, party)
        page = other.authorize(party)
        assert where(page) in {"people", "identify"}
        assert not signed_in(world, other, party)


def test_a_forgotten_store_password(world: World, party: Party, story: Story) -> None:
    """The code goes to the login e-mail, which is shown by it; the account is linked as ever."""
    shop(world, story, verified=False)
    browser = world.browser()
    page = browser.get(f"{base_of(at_password(browser, party))}/reset")
    page = browser.onward(browser.submit(page, login=SHOP))
    page = browser.onward(browser.submit(page, code=world.code_for(SHOP)))
    assert where(again(browser, page, NEW)) == "password"
    assert where(enter(browser, party, SHOP, NEW)) == "identify"
    assert enter(browser, party, SHOP, SECRET).status_code == 422
