"""What the tests of signing in have in common: short ways through the pages."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx2
import sqlalchemy as sa

from idp.credentials.tables import Device
from idp.db.session import session as database
from idp.directory import users
from idp.directory.tables import User
from idp.login.tables import Session
from tests.world import Browser, Party, World, answer_of, claims_of

ANNA = "+79005553501"
OTHER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:150.0) Gecko/20100101 Firefox/150.0"


def at_code(world: World, browser: Browser, party: Party, phone: str, **asked: str) -> httpx2.Response:
    """The page where the code is entered."""
    page = browser.authorize(party, **asked)
    return browser.onward(browser.submit(page, phone=phone))


def id_token(world: World, party: Party, answer: httpx2.Response) -> dict[str, object]:
    """The claims of the ID token that the answer leads to."""
    response = world.redeem(party, answer_of(answer)["code"])
    assert response.status_code == 200, response.text
    return claims_of(response.json()["id_token"])


def how_many(world: World, model: type[Session | Device | User]) -> int:
    """How many rows there are."""
    with world.reads():
        return int(database.scalar(sa.select(sa.func.count()).select_from(model)) or 0)


def where(page: httpx2.Response) -> str:
    """The last word of a page's address."""
    return urlsplit(str(page.url)).path.rpartition("/")[2]


def words(page: httpx2.Response) -> str:
    """The page with ordinary spaces."""
    return page.text.replace("\u00a0", " ")


def name_of(world: World, claims: dict[str, object]) -> str | None:
    """The person's name as it is kept."""
    with world.reads():
        return users.get(str(claims["sub"])).name


def wrong(code: str) -> str:
    """Not the code."""
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"
