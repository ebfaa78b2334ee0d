"""Wrong input in every field of every page of signing in: an error beside the field, the focus on it, nothing typed is lost.

`pages.md` §2.2 and §2.15, WCAG 3.3.1; without a script, as everything here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import httpx2
import pytest
import sqlalchemy as sa

from idp import clock
from idp.cli.demo_story import Story
from idp.db.columns import table
from idp.db.session import session
from idp.directory.tables import User
from tests.credentials.factors import make_codes, set_up, wrong_code
from tests.login.http_lab import base_of, guess_wrong, right_code
from tests.login.lab import ANNA, at_code, wrong
from tests.login.password_lab import MAIL, NEW, SECRET, SHOP, at_password, enter, give, id_of, shop
from tests.login.recovering import at_ways, choose, named, new_code, with_recovery_codes
from tests.login.test_http_password_reset import ask, at_reset, prove
from tests.world import Browser, Party, World, new_phone

TOP = Path(__file__).parents[2]
SILENT, WITH_APP = "+79005553510", "+79005553502"
TICKS, SECRETS = {"remember", "terms", "sure"}, {"password", "password_again"}
CODES = [("code", {"code": typed}) for typed in ("", "12", "1234567", "12a456", '"><b>', "١٢٣٤٥٦", "wrong")]
RECOVERY_CODES = [("code", {"code": typed}) for typed in ("", "123456", '"><b>', "aaaa-bbbb-cccc")]
APPS: dict[str, str] = {}  # whose authenticator has which secret
# page (its template, and after a plus which state of it): its fields with something wrong in them (which is to blame: what is sent)
WRONG: dict[str, list[tuple[str, dict[str, str]]]] = {
    "identify": [
        ("phone", {"phone": typed})
        for typed in ("", "12 34", "anna", "+7 900 555 35", "+1 900 234 5678", "8 (495) 123-45-67", '"><b>', "+49 1511 2345678", "+" * 60)
    ],
    "phone_code": [
        ("code", {"code": typed, "remember": tick})
        for typed in ("", "12", "1234567", "12a456", "abcdef", '"><b>', "١٢٣٤٥٦", "wrong")
        for tick in ("", "1")
    ],
    "register": [
        ("name", {"name": "", "terms": "1"}),
        ("name", {"name": "x" * 300, "terms": "1"}),
        ("name", {"name": "   ", "terms": ""}),
        ("terms", {"name": "Вера Новикова", "terms": ""}),
        ("terms", {"name": '"><b>', "terms": ""}),
    ],
    "email_code": CODES,
    "password": [
        ("login", {"login": "", "password": "", "remember": "1"}),
        *(("login", {"login": typed, "password": SECRET, "remember": ""}) for typed in ("anna", "12 34", "a@b", '"><b>')),
        *(("password", {"login": MAIL, "password": typed, "remember": tick}) for typed in ("", "not it", "x" * 1100) for tick in ("", "1")),
    ],
    "password_address": CODES,
    "totp": CODES,
    "recovery_code": RECOVERY_CODES,
    "reset": [("login", {"login": typed}) for typed in ("", "anna", "12 34", "a@b", '"><b>')],
    "reset_code": CODES,
    "reset_password": [
        ("password", {"password": "short", "password_again": "short"}),
        ("password", {"password": "", "password_again": NEW}),
        ("password_again", {"password": NEW, "password_again": SECRET}),
        ("password_again", {"password": NEW, "password_again": ""}),
    ],
    "recover": [
        ("login", {"login": "", "phone": ""}),
        ("login", {"login": "anna", "phone": "+79005553599"}),
        ("login", {"login": '"><b>', "phone": "12 34"}),
        ("phone", {"login": MAIL, "phone": "12 34"}),
        ("phone", {"login": ANNA, "phone": ANNA}),
    ],
    "recover_code": CODES,
    "recover_email": CODES,
    "recover_email+recovery": RECOVERY_CODES,
}
CASES = [(page, blamed, typed) for page, cases in WRONG.items() for blamed, typed in cases]


def parsed(page: httpx2.Response) -> Element:
    """The page as a browser reads it."""
    root: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page.text)
    return root


def at_email_code(world: World, browser: Browser, party: Party) -> httpx2.Response:
    """A number that was silent for long: an address of the ID is proved beside it."""
    with world.writes():
        ago = {name: clock.now() - timedelta(days=365) for name in ("created_at", "last_sign_in_at", "phone_verified_at")}
        session.execute(sa.update(table(User)).where(table(User).c.phone == SILENT).values(ago))
    asked = browser.onward(browser.submit(at_code(world, browser, party, SILENT), code=world.code_for(SILENT)))
    return browser.onward(browser.submit(asked, answer="email"))


def at_register(world: World, browser: Browser, party: Party) -> httpx2.Response:
    """Somebody new."""
    page = at_code(world, browser, party, new_phone(4))
    return browser.onward(browser.submit(page, code=right_code(world, page)))


def at_factor(world: World, browser: Browser, party: Party, factor: str) -> httpx2.Response:
    """Beside the number a further proof of this person."""
    user_id = id_of(world, WITH_APP)
    if factor == "totp":
        APPS[user_id] = set_up(world, user_id).text
    else:
        make_codes(world, user_id)
    page = at_code(world, browser, party, WITH_APP)
    page = browser.onward(browser.submit(page, code=right_code(world, page)))
    return browser.get(f"{base_of(page)}/{factor}")


def at_reset_code(world: World, browser: Browser, party: Party) -> httpx2.Response:
    """A forgotten password."""
    give(world, id_of(world))
    return ask(browser, party, MAIL)


def at_recover(browser: Browser, party: Party) -> httpx2.Response:
    """A lost phone."""
    return browser.get(f"{base_of(browser.authorize(party))}/recover")


def at_recover_email(world: World, browser: Browser, party: Party) -> httpx2.Response:
    """Proved by mail."""
    return choose(browser, at_ways(world, browser, party, ANNA, new_phone()), "email")


def at_recover_recovery_code(world: World, browser: Browser, party: Party) -> httpx2.Response:
    """And then by a recovery code."""
    with_recovery_codes(world, id_of(world))
    page = at_recover_email(world, browser, party)
    return browser.onward(browser.submit(page, code=world.code_for(MAIL)))


OPENED: dict[str, Callable[[World, Browser, Party], httpx2.Response]] = {
    "identify": lambda _, browser, party: browser.authorize(party),
    "phone_code": lambda world, browser, party: at_code(world, browser, party, ANNA),
    "register": at_register,
    "email_code": at_email_code,
    "password": lambda _, browser, party: at_password(browser, party),
    "password_address": lambda _, browser, party: enter(browser, party, SHOP, scope="openid account company"),
    "totp": lambda world, browser, party: at_factor(world, browser, party, "totp"),
    "recovery_code": lambda world, browser, party: at_factor(world, browser, party, "recovery_code"),
    "reset": lambda _, browser, party: at_reset(browser, party),
    "reset_code": at_reset_code,
    "reset_password": lambda world, browser, party: prove(world, browser, at_reset_code(world, browser, party), MAIL),
    "recover": lambda _, browser, party: at_recover(browser, party),
    "recover_code": lambda _, browser, party: named(browser, browser.authorize(party), ANNA, new_phone()),
    "recover_email": at_recover_email,
    "recover_email+recovery": at_recover_recovery_code,
}


def opened(world: World, browser: Browser, party: Party, page: str, story: Story) -> httpx2.Response:
    """The page."""
    if page == "password_address":
        shop(world, story, verified=False)
    if page == "recovery_code":  # of one who has the app: else nothing is asked for beside the number
        set_up(world, id_of(world, WITH_APP))
    there = OPENED[page](world, browser, party)
    assert there.status_code == 200, there.text
    return there


def not_the_code(world: World, page: str, form: httpx2.Response) -> str:
    """As many digits as the right one has."""
    if page == "totp":
        return wrong_code(APPS[id_of(world, WITH_APP)])
    if page == "recover_code":
        return wrong(new_code(world, form))
    by_mail = {"password_address": SHOP, "reset_code": MAIL, "recover_email": MAIL}
    return wrong(world.code_for(by_mail[page]) if page in by_mail else right_code(world, form))


def test_every_page_is_here() -> None:
    """A template with a field that somebody adds gets its cases in WRONG."""
    assert {page.partition("+")[0] for page in WRONG} == with_fields("login")


def with_fields(folder: str) -> set[str]:
    """The templates of a folder in which something is typed, chosen or ticked."""
    fields = re.compile(r"ui\.(field|choice|tick|new_password)\(|<(textarea|select)|<input(?! type=\"hidden\")")
    return {path.stem for path in (TOP / "templates" / folder).glob("*.html") if fields.search(path.read_text())}


@pytest.mark.parametrize("page", WRONG)
def test_every_field_is_here(world: World, party: Party, page: str, story: Story) -> None:
    """A field that somebody adds to a form gets its cases in WRONG; a tick that may be either way has none."""
    root = parsed(opened(world, world.browser(), party, page, story))
    form = next(form for form in root.iter("form") if any(field.get("name") == WRONG[page][0][0] for field in form.iter("input")))
    fields = {field.get("name") for field in form.iter("input") if field.get("type") != "hidden"}
    assert fields - {blamed for blamed, _ in WRONG[page]} <= {"remember"}


def test_wrong_input(world: World, party: Party, story: Story) -> None:
    """One page after the other, each with everything that is wrong in it."""
    there: dict[str, tuple[Browser, httpx2.Response]] = {}
    for page, blamed, typed in CASES:
        if page not in there or (page == "phone_code" and typed["code"] == "wrong"):
            browser = world.browser(address=f"198.51.{len(typed)}{CASES.index((page, blamed, typed))}.7")
            there[page] = (browser, opened(world, browser, party, page, story))
        browser, form = there[page]
        sent = {name: value for name, value in typed.items() if name not in TICKS or value}
        if sent.get("code") == "wrong":
            sent["code"] = not_the_code(world, page, form)
        request = browser.filled(form, **{name: value for name, value in sent.items() if name not in TICKS})
        kept = [part for part in request.read().decode().split("&") if part.partition("=")[0] not in TICKS]
        body = "&".join([*kept, *(f"{name}=1" for name in sent if name in TICKS)])
        answer = browser.post(str(request.url), content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status_code == 422, (page, typed)
        look(parsed(answer), blamed, sent, set(typed))


def look(root: Element, blamed: str, sent: dict[str, str], fields: set[str]) -> None:
    """The error stands before the field and is named by it, the field has the focus, all values are as they were sent; secrets are not."""
    inputs = [field for field in root.iter() if field.tag in {"input", "select"}]
    by_name = {field.get("name"): field for field in inputs}
    assert (root.findtext(".//title") or "").startswith("Error:")
    wrong = by_name[blamed]
    assert wrong.get("aria-invalid") == "true"
    assert wrong.get("autofocus") is not None
    assert [field.get("name") for field in inputs if field.get("autofocus") is not None] == [blamed]
    said = next(element for element in root.iter() if element.get("id") == f"{blamed}-error")
    assert f"{blamed}-error" in (wrong.get("aria-describedby") or "").split()
    assert "".join(said.itertext()).strip()
    for name in fields:
        if name in SECRETS:
            assert by_name[name].get("value") is None, name
        elif name in TICKS:
            assert (by_name[name].get("checked") is not None) == (name in sent), name
        else:
            assert by_name[name].get("value", "") == sent[name], name


@pytest.mark.parametrize("at", ["phone_code", "email_code"])
def test_what_can_win_nothing_is_not_shown_again(world: World, party: Party, at: str, story: Story) -> None:
    """Case 62: once a code is over, what was typed is not echoed: it may be the right one, too late."""
    browser = world.browser()
    page = opened(world, browser, party, at, story)
    guess_wrong(world, browser, page, 5)
    code = right_code(world, page)
    assert code not in browser.submit(page, code=code).text
