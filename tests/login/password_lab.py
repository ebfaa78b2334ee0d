"""Short ways for the tests of passwords: somebody has one, types one, has forgotten it."""

from __future__ import annotations

import httpx2

from idp.cli.demo_story import Story
from idp.credentials import password, password_hashing
from idp.directory import accounts, employees, roles, users
from tests.login.http_lab import base_of
from tests.login.lab import ANNA
from tests.world import Browser, Party, World

SECRET = "nine-lilacs_in-a-vase"  # one word of twenty letters or more, as the canary knows secrets (case 41)
NEW = "paper-boats_on-a-lake"
MAIL = "anna@post.example"
SHOP = "kassa@romashka.example"


def give(world: World, owner_id: str, text: str = SECRET) -> None:
    """This person or account has this password."""
    with password_hashing.place():
        digest = password_hashing.make(text)
    with world.writes():
        password.keep(owner_id, digest, user_id=owner_id if owner_id.startswith("usr_") else None, reason="set")


def id_of(world: World, phone: str = ANNA) -> str:
    """Whose number it is."""
    with world.reads():
        user = users.find_by_phone(phone)
        assert user is not None
        return user.id


def shop(world: World, story: Story, *, verified: bool = True, role: str = "accountant", text: str = SECRET, login: str = SHOP) -> str:
    """An account of ООО «Ромашка» with a login e-mail and a password, that is linked to nobody yet; answers its id."""
    with world.writes():
        employee = employees.add(story.companies["romashka"], [roles.built_in(role)], login_email=login, name="Касса")
    give(world, employee.account_id, text)
    with world.writes():
        owner = password.find_account(employee.account_id)
        assert owner is not None
        if verified:
            password.verified(owner)
    return employee.account_id


def at_password(browser: Browser, party: Party, **asked: str) -> httpx2.Response:
    """The page where login and password are entered."""
    page = browser.authorize(party, **asked)
    return browser.get(f"{base_of(page)}/password")


def enter(browser: Browser, party: Party, login: str = MAIL, text: str = SECRET, **asked: str) -> httpx2.Response:
    """Login and password are sent; what comes of it, redirects followed."""
    return browser.onward(browser.submit(at_password(browser, party, **asked), login=login, password=text))


def linked_to(world: World, account_id: str) -> str | None:
    """Whose account it is."""
    with world.reads():
        standing = accounts.standing(account_id)
        assert standing is not None
        return standing.user_id


def again(browser: Browser, page: httpx2.Response, text: str, again: str | None = None) -> httpx2.Response:
    """A new password is typed twice."""
    return browser.onward(browser.submit(page, password=text, password_again=text if again is None else again))
