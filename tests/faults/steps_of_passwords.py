"""What may die in the middle, once more: a password entered, forgotten, set; a store's login on its way to an ID."""

from __future__ import annotations

import httpx2

from idp.directory import companies, employees, roles
from tests.account.lab import entered
from tests.faults.crash import Step
from tests.faults.steps import COUNTED, KNOWN, KNOWN_MAIL, Act, _id_of, _sending
from tests.login.http_lab import base_of
from tests.login.password_lab import NEW, SECRET, SHOP, at_password, give
from tests.world import Browser, World

# A guess that was counted and never looked at is a guess; a digest has its own salt each time; a code by mail is counted as others are.
GUESSED = {"password_guesses": {"recent", "in_a_row"}, "limits": {"tries"}, "events": {"details"}}
SALTED = {"passwords": {"digest"}}
MAILED = COUNTED | {"email_codes": {"tries"}, "limits": {"tries"}}


def _at(world: World, *, of: str = KNOWN) -> tuple[Browser, httpx2.Response]:
    with world.reads():
        owner = _id_of(of)
    give(world, owner)
    browser = world.browser()
    return browser, at_password(browser, world.party())


def _at_reset_code(world: World) -> tuple[Browser, httpx2.Response]:
    browser, page = _at(world)
    page = browser.get(f"{base_of(page)}/reset")
    return browser, browser.onward(browser.submit(page, login=KNOWN_MAIL))


def _store(world: World) -> tuple[Browser, httpx2.Response]:
    """The store's login was right: its address is to be shown."""
    with world.writes():
        company = companies.find_by_inn("7700491276")
        assert company is not None
        employee = employees.add(company.id, [roles.built_in("administrator")], login_email=SHOP, name="Касса")
    give(world, employee.account_id)
    browser = world.browser()
    page = at_password(browser, world.party())
    return browser, browser.onward(browser.submit(page, login=SHOP, password=SECRET))


def right_password(world: World) -> Act:
    """Session, trusted browser, the guess given back."""
    browser, page = _at(world)
    return _sending(browser.filled(page, login=KNOWN_MAIL, password=SECRET))


def wrong_password(world: World) -> Act:
    """Counted, written down."""
    browser, page = _at(world)
    return _sending(browser.filled(page, login=KNOWN_MAIL, password="not it at all"))


def forgotten_password(world: World) -> Act:
    """A code goes out."""
    browser, page = _at(world)
    return _sending(browser.filled(browser.get(f"{base_of(page)}/reset"), login=KNOWN_MAIL))


def code_of_forgotten_password(world: World) -> Act:
    """The code is used up."""
    browser, page = _at_reset_code(world)
    return _sending(browser.filled(page, code=world.code_for(KNOWN_MAIL)))


def set_anew(world: World) -> Act:
    """The new password; everything that was open with the old one ends."""
    browser, page = _at_reset_code(world)
    page = browser.onward(browser.submit(page, code=world.code_for(KNOWN_MAIL)))
    return _sending(browser.filled(page, password=NEW, password_again=NEW))


def set_by_its_owner(world: World) -> Act:
    """On the person's own page; other browsers are signed out."""
    browser, page = entered(world, "/account/password", phone=KNOWN)
    return _sending(browser.filled(page, password=NEW, password_again=NEW))


def remove_password(world: World) -> Act:
    """It opens nothing any more."""
    browser, page = entered(world, "/account/password", phone=KNOWN)
    assert browser.submit(page, password=NEW, password_again=NEW).status_code == 303
    return _sending(browser.pressed(browser.go("/account/password"), "/remove"))


def show_the_address(world: World) -> Act:
    """The code from the store's e-mail."""
    browser, page = _store(world)
    return _sending(browser.filled(page, code=world.code_for(SHOP)))


def link_a_store(world: World) -> Act:
    """For good: account, rights, session."""
    browser, page = _store(world)
    page = browser.onward(browser.submit(page, code=world.code_for(SHOP)))
    page = browser.onward(browser.submit(page, phone=KNOWN))
    page = browser.onward(browser.submit(page, code=world.code_for(KNOWN)))
    return _sending(browser.filled(page, answer="link"))


STEPS_OF_PASSWORDS = (
    Step("right password", right_password, uneven=GUESSED),
    Step("wrong password", wrong_password, uneven=GUESSED),
    Step("forgotten password", forgotten_password, uneven=MAILED),
    Step("code of a forgotten password", code_of_forgotten_password, uneven=MAILED),
    Step("set a forgotten password anew", set_anew, uneven=SALTED),
    Step("set a password", set_by_its_owner, uneven=SALTED),
    Step("remove a password", remove_password),
    Step("show a login's address", show_the_address, uneven=MAILED),
    Step("link a store", link_a_store),
)
