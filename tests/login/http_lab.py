"""More short ways, for the tests that walk through a sign-in over HTTP: raw forms, copied cookies, other settings, the database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import sqlalchemy as sa

from idp.cli.demo_story import Story
from idp.credentials import one_time_code
from idp.credentials.tables import PhoneCode
from idp.db.columns import Base
from idp.db.session import engine
from idp.db.session import session as database
from tests.conftest import Told
from tests.login.lab import at_code, wrong
from tests.world import Browser, Party, World, answer_of, claims_of

ORLOV = "+79005553502"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0 Safari/537.36"


@contextmanager
def provider(told: Told, **changes: dict[str, object]) -> Iterator[World]:
    """A provider of this test's own with other settings."""
    url = told.copy()
    made = World(told.settings(url, **changes))
    try:
        yield made
    finally:
        made.close()
        told.drop(url)
        told.settings(told.url)


def token_of(page: httpx2.Response) -> str:
    """The token that stands in the forms of a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


def post(browser: Browser, page: httpx2.Response, step: str = "", /, **fields: str) -> httpx2.Response:
    """Send these fields, and no others but the token of `page`, to `step` of the same sign-in (or to the page itself)."""
    address = f"{base_of(page)}/{step}" if step else str(page.url)
    return browser.post(address, data={"csrf_token": token_of(page)} | fields)


def base_of(page: httpx2.Response) -> str:
    """`/login/<flow>` of a page."""
    return "/login/" + flow_of(page)


def request_of(browser: Browser, page: httpx2.Response) -> str:
    """`/authorize/<request>` behind a page of a sign-in: where its Cancel leads."""
    identify = browser.get(f"{base_of(page)}/identify")
    return "/authorize/" + identify.text.partition('action="/authorize/')[2].partition("/")[0]


def flow_of(page: httpx2.Response) -> str:
    """The id of the sign-in that a page belongs to."""
    return str(page.url).partition("/login/")[2].partition("/")[0]


def people_on(page: httpx2.Response) -> dict[str, str]:
    """Who can be pressed on a page: name -> what the form sends."""
    return {name: sent for sent, name in re.findall(r'name="person" value="([^"]*)">.*?<b>([^<]*)</b>', page.text)}


def press(browser: Browser, page: httpx2.Response, name: str) -> httpx2.Response:
    """Press the name on the page of known people; follows the answer."""
    return browser.onward(browser.submit(page, person=people_on(page)[name]))


def prove(world: World, browser: Browser, party: Party, phone: str, **asked: str) -> dict[str, Any]:
    """The whole sign-in by number and code, also where somebody is known: the claims of the ID token."""
    page = browser.authorize(party, **asked)
    page = browser.onward(browser.submit(browser.get(f"{base_of(page)}/identify"), phone=phone))
    return claims(world, party, browser.onward(browser.submit(page, code=world.code_for(phone))))


def claims(world: World, party: Party, answer: httpx2.Response) -> dict[str, Any]:
    """The claims of the ID token that the redirect back leads to."""
    response = world.redeem(party, answer_of(answer)["code"])
    assert response.status_code == 200, response.text
    return claims_of(response.json()["id_token"])


def copy_cookies(of: Browser, to: Browser, *names: str) -> None:
    """`to` holds what `of` holds: all cookies, or these."""
    for cookie in list(of.cookies.jar):
        if not names or cookie.name in names:
            to.cookies.jar.set_cookie(cookie)


def drop_cookies(browser: Browser, *names: str) -> None:
    """The browser loses these cookies."""
    for name in names:
        browser.cookies.delete(name)


def cookie(browser: Browser, name: str) -> str | None:
    """The value that the browser holds."""
    return next((each.value for each in browser.cookies.jar if each.name == name), None)


def cookies_set(response: httpx2.Response) -> dict[str, str]:
    """Name -> the whole line of each cookie that an answer sets."""
    return {line.partition("=")[0]: line for line in response.headers.get_list("Set-Cookie")}


def right_code(world: World, page: httpx2.Response) -> str:
    """The code of the sign-in that a page belongs to, without a look into the inbox."""
    with world.reads():
        sent = database.scalars(sa.select(PhoneCode.id).where(PhoneCode.flow_id == flow_of(page)).order_by(PhoneCode.created_at)).all()
    return one_time_code.derive_code(sent[-1])


def guess_wrong(world: World, browser: Browser, page: httpx2.Response, times: int = 1) -> list[httpx2.Response]:
    """As many wrong codes, one after the other."""
    code = wrong(right_code(world, page))
    return [browser.submit(page, code=code) for _ in range(times)]


def judged(world: World) -> int:
    """How many wrong codes were looked at."""
    return len(world.events("code.wrong"))


def known(world: World, party: Party, phone: str, *, user_agent: str = CHROME, address: str = "203.0.113.7") -> Browser:
    """A browser that remembers this person, whose session is over."""
    browser = world.browser(address=address, user_agent=user_agent)
    page = at_code(world, browser, party, phone)
    answer_of(browser.onward(browser.submit(page, code=right_code(world, page))))
    drop_cookies(browser, "idp_session")
    return browser


def signed_in(world: World, browser: Browser, party: Party) -> bool:
    """Whether the browser has a live session: `prompt=none` tells, and changes nothing but when it was last seen."""
    return "code" in answer_of(browser.authorize(party, prompt="none"))


def text_of(page: httpx2.Response) -> str:
    """What a reader sees, with ordinary spaces."""
    body = re.sub(r"<head>.*?</head>|<svg.*?</svg>", "", page.text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).replace("\u00a0", " ").split())


def dump(world: World) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    with world.app.app_context(), engine().connect() as connection:
        return {
            kept.name: sorted(
                repr(tuple(row))
                for row in connection.execute(sa.select(*(sa.type_coerce(column, sa.types.NullType()) for column in kept.c)))
            )
            for kept in Base.metadata.sorted_tables
        }


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """The SQL that runs meanwhile, statement by statement."""
    ran: list[str] = []

    def note(*given: Any) -> None:
        ran.append(given[2])

    with world.app.app_context():
        listened = engine()
    sa.event.listen(listened, "before_cursor_execute", note)
    try:
        yield ran
    finally:
        sa.event.remove(listened, "before_cursor_execute", note)


def phone_of(story: Story, key: str) -> str:
    """The number of the person with this key in the story."""
    return next(person.phone for person in story.people if person.key == key)
