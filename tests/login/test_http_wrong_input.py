"""Wrong input in every field of every page of signing in: an error beside the field, the focus on it, nothing typed is lost.

`pages.md` §2.2 and §2.15, WCAG 3.3.1; without a script, as everything here.
"""

from __future__ import annotations

from datetime import timedelta
from xml.etree.ElementTree import Element

import html5lib
import httpx2
import pytest
import sqlalchemy as sa

from idp import clock
from idp.db.columns import table
from idp.db.session import session
from idp.directory.tables import User
from tests.login.http_lab import guess_wrong, right_code
from tests.login.lab import ANNA, at_code
from tests.world import Browser, Party, World, new_phone

SILENT = "+79005553510"
TICKS = {"remember", "terms"}
# page: its fields with something wrong in them (which field is to blame: what is sent)
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
    "email_code": [("code", {"code": typed}) for typed in ("", "12", "1234567", "12a456", '"><b>', "١٢٣٤٥٦", "wrong")],
}
CASES = [(page, blamed, typed) for page, cases in WRONG.items() for blamed, typed in cases]


def parsed(page: httpx2.Response) -> Element:
    """The page as a browser reads it."""
    root: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page.text)
    return root


def opened(world: World, browser: Browser, party: Party, page: str) -> httpx2.Response:
    """The page."""
    if page == "identify":
        return browser.authorize(party)
    if page == "email_code":
        with world.writes():
            ago = {name: clock.now() - timedelta(days=365) for name in ("created_at", "last_sign_in_at", "phone_verified_at")}
            session.execute(sa.update(table(User)).where(table(User).c.phone == SILENT).values(ago))
        asked = browser.onward(browser.submit(at_code(world, browser, party, SILENT), code=world.code_for(SILENT)))
        return browser.onward(browser.submit(asked, answer="email"))
    there = at_code(world, browser, party, ANNA if page == "phone_code" else new_phone(4))
    return there if page == "phone_code" else browser.onward(browser.submit(there, code=right_code(world, there)))


@pytest.mark.parametrize("page", WRONG)
def test_every_field_is_here(world: World, party: Party, page: str) -> None:
    """A field that somebody adds to a form gets its cases in WRONG; a tick that may be either way has none."""
    root = parsed(opened(world, world.browser(), party, page))
    form = next(form for form in root.iter("form") if form.get("id") == "proof")
    fields = {field.get("name") for field in form.iter("input") if field.get("type") != "hidden"}
    assert fields - {blamed for blamed, _ in WRONG[page]} <= {"remember"}


def test_wrong_input(world: World, party: Party) -> None:
    """One page after the other, each with everything that is wrong in it."""
    there: dict[str, tuple[Browser, httpx2.Response]] = {}
    for page, blamed, typed in CASES:
        if page not in there or (page == "phone_code" and typed["code"] == "wrong"):
            browser = world.browser(address=f"198.51.{len(typed)}{CASES.index((page, blamed, typed))}.7")
            there[page] = (browser, opened(world, browser, party, page))
        browser, form = there[page]
        sent = {name: value for name, value in typed.items() if name not in TICKS or value}
        if sent.get("code") == "wrong":
            sent["code"] = f"{(int(right_code(world, form)) + 7) % 10**6:06}"
        request = browser.filled(form, **{name: value for name, value in sent.items() if name not in TICKS})
        kept = [part for part in request.read().decode().split("&") if part.partition("=")[0] not in TICKS]
        body = "&".join([*kept, *(f"{name}=1" for name in sent if name in TICKS)])
        answer = browser.post(str(request.url), content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status_code == 422, (page, typed)
        _look(parsed(answer), blamed, sent, set(typed))


def _look(root: Element, blamed: str, sent: dict[str, str], fields: set[str]) -> None:
    """The error stands before the field and is named by it, the field has the focus, all values are as they were sent."""
    by_name = {field.get("name"): field for field in root.iter("input")}
    assert (root.findtext(".//title") or "").startswith("Error:")
    wrong = by_name[blamed]
    assert wrong.get("aria-invalid") == "true"
    assert wrong.get("autofocus") is not None
    assert [field.get("name") for field in root.iter("input") if field.get("autofocus") is not None] == [blamed]
    said = next(element for element in root.iter() if element.get("id") == f"{blamed}-error")
    assert f"{blamed}-error" in (wrong.get("aria-describedby") or "").split()
    assert "".join(said.itertext()).strip()
    for name in fields:
        if name in TICKS:
            assert (by_name[name].get("checked") is not None) == (name in sent), name
        else:
            assert by_name[name].get("value", "") == sent[name], name


@pytest.mark.parametrize("at", ["phone_code", "email_code"])
def test_what_can_win_nothing_is_not_shown_again(world: World, party: Party, at: str) -> None:
    """Case 62: once a code is over, what was typed is not echoed: it may be the right one, too late."""
    browser = world.browser()
    page = opened(world, browser, party, at)
    guess_wrong(world, browser, page, 5)
    code = right_code(world, page)
    assert code not in browser.submit(page, code=code).text
