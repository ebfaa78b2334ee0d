"""Short ways for the tests of a person's own pages: enter them, prove anew."""

from __future__ import annotations

import httpx2
import sqlalchemy as sa

from idp.clock import now
from idp.db.columns import table
from idp.db.session import session
from idp.directory.tables import User
from tests.world import Browser, World

ANNA = "+79005553501"


def doubted(world: World, phone: str, *, email: bool = False) -> None:
    """Somebody had the number who did not show that the ID is theirs; it has no `email` that is verified, unless it is to keep it."""
    gone = {} if email else {"email": None, "email_canonical": None, "email_verified_at": None}
    with world.writes():
        session.execute(sa.update(table(User)).where(table(User).c.phone == phone).values(phone_doubted_at=now(), **gone))


def prove(world: World, browser: Browser, page: httpx2.Response, phone: str) -> httpx2.Response:
    """From a page of a sign-in to where it leads: by the number and its code, also where the person is known."""
    identify = browser.get(str(page.url).rpartition("/")[0] + "/identify")
    code = browser.onward(browser.submit(identify, phone=phone))
    return browser.onward(browser.submit(code, code=world.code_for(phone)))


def entered(
    world: World, path: str = "/account/profile", *, phone: str = ANNA, browser: Browser | None = None
) -> tuple[Browser, httpx2.Response]:
    """A browser in which the person has just signed in on their way to `path`, and that page, in English."""
    browser = browser or world.browser()
    browser.get("/language?to=en")  # whoever is in the story speaks Russian
    page = prove(world, browser, browser.go(path), phone)
    assert page.status_code == 200, page.text
    assert page.url.path == path
    return browser, page
