"""Signing in without a script, without a mouse, and with the Back button pressed at the wrong moments."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright, expect

from tests import machine
from tests.journeys.stage import Stage
from tests.journeys.visitor import ROMASHKA, SMIRNOVA, Visitor, Visitors

pytestmark = pytest.mark.browser

RING = "each => { const look = getComputedStyle(each); return look.outlineStyle === 'none' ? 0 : parseFloat(look.outlineWidth); }"
ANNA, ORLOV, LAZAREVA = (f"+790055535{number}" for number in ("01", "02", "05"))


def test_without_a_script(visitors: Visitors) -> None:
    """Every page is plain HTML: number, wrong code, code, chooser, consent, switch, sign-out, name."""
    anna = visitors.come("ru", java_script_enabled=False)
    page = anna.begin("seller")
    code = anna.ask_for_code(ANNA)
    expect(page.locator("[data-waiting]")).to_contain_text(re.compile(r"\b\d\d:\d\d:\d\d\b"))  # the hour, no countdown
    anna.enter("000000" if code != "000000" else "111111")
    expect(page.locator("#code-error")).to_be_visible()
    anna.enter(code)
    anna.choose(ROMASHKA)
    anna.arrived("seller")
    page.locator(".switcher summary").click()
    page.locator(".switcher button", has_text=SMIRNOVA).click()
    expect(anna.heading).to_contain_text(SMIRNOVA)

    anna.begin("partner")
    anna.choose(ROMASHKA)
    anna.button(anna.idp("Allow")).click()
    anna.arrived("partner")
    anna.open("seller")
    anna.sign_out()
    anna.begin("staff")
    page.locator("button.row", has_text="Анна Смирнова").click()
    anna.arrived("staff")


def tab_to(visitor: Visitor, selector: str) -> None:
    """Press Tab until the thing has the focus, as who cannot use a mouse does; the ring can be seen."""
    wanted = visitor.page.locator(selector).first
    expect(wanted).to_be_visible()
    for _ in range(40):
        if wanted.evaluate("each => each === document.activeElement"):
            ring = wanted.evaluate(
                "each => { const s = getComputedStyle(each); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) }"
            )
            assert ring >= 2, selector
            return
        visitor.page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by Tab on {visitor.page.url}")


def test_by_keyboard_alone(visitors: Visitors) -> None:
    """Tab and Enter lead through the sign-in, and out again; the code field is ready to type in."""
    anna = visitors.come("en")
    page, keyboard = anna.page, anna.page.keyboard
    anna.open("seller")
    tab_to(anna, "a.primary")
    keyboard.press("Enter")
    tab_to(anna, "#phone")
    known = anna.codes(ANNA)
    keyboard.type("9005553501")
    keyboard.press("Enter")
    expect(page.locator("#code")).to_be_focused()
    code = anna.new_code(ANNA, known)
    keyboard.type(code)
    keyboard.press("Enter")
    expect(anna.heading).to_have_text(anna.idp("Where do you want to go?"))
    tab_to(anna, f"button.row:has-text('{ROMASHKA}')")
    keyboard.press("Enter")
    anna.arrived("seller")
    tab_to(anna, ".switcher summary")
    keyboard.press("Enter")
    tab_to(anna, f".switcher button:has-text('{SMIRNOVA}')")
    keyboard.press("Enter")
    expect(anna.heading).to_contain_text(SMIRNOVA)
    tab_to(anna, ".who button")
    keyboard.press("Enter")
    expect(anna.heading).to_have_text(anna.portal("Signed out"))
    tab_to(anna, "a.primary")
    keyboard.press("Enter")
    tab_to(anna, "button.row:has-text('Анна Смирнова')")
    keyboard.press("Enter")
    expect(anna.heading).to_have_text(anna.idp("Where do you want to go?"))


@pytest.fixture
def freezing(playwright: Playwright, stage: Stage) -> Iterator[Visitors]:
    """A browser that keeps left pages frozen (bfcache), as people's browsers do and Playwright's by itself does not."""
    browser = playwright.chromium.launch(
        executable_path=machine.chromium(), args=["--no-sandbox"], ignore_default_args=["--disable-back-forward-cache"]
    )
    with Visitors.of(browser, stage) as people:
        yield people
    browser.close()


@pytest.mark.parametrize("kind", ["visitors", "freezing"])
def test_back_after_signing_out(kind: str, request: pytest.FixtureRequest) -> None:
    """Case 86: neither the cache nor a frozen page shows anything of the person once they are out."""
    lazareva: Visitor = request.getfixturevalue(kind).come("ru")
    page = lazareva.sign_in("seller", LAZAREVA)
    lazareva.open("seller", "/products")
    expect(page.locator("table")).to_be_visible()
    lazareva.sign_out()
    for _ in range(6):
        page.evaluate("setTimeout(() => history.back())")
        page.wait_for_timeout(500)
        page.wait_for_load_state()
        if page.url == "about:blank":
            break
        assert "Лазарева" not in page.content(), page.url
        assert ROMASHKA not in page.content(), page.url
        assert page.locator("table").count() == 0


def test_back_after_signing_in(visitors: Visitors) -> None:
    """Case 15: the pages of a finished sign-in lead on; nobody is stuck, and no second code is issued for the same request."""
    anna = visitors.come("en")
    page = anna.sign_in("seller", ANNA, ROMASHKA)
    page.go_back()  # the chooser of a request that is answered
    expect(anna.heading).to_have_text(anna.idp("This sign-in is done"))
    assert "Анна" not in page.content()
    anna.link(anna.idp("Start again")).click()
    anna.arrived("seller")
    assert anna.portal("accountant") in anna.heading.inner_text()
    granted = len(anna.stage.world.events("authorization.granted"))
    for _ in range(3):
        page.go_back()
        page.wait_for_load_state()
    anna.open("seller")
    anna.arrived("seller")
    assert len(anna.stage.world.events("authorization.granted")) == granted


def test_another_person_after_back(visitors: Visitors) -> None:
    """Case 15 (Keycloak, CVE-2025-12390): the form of a finished sign-in, opened again, gives nobody another person's session."""
    both = visitors.come("en")
    both.begin("staff")
    address = both.page.url
    both.enter(both.ask_for_code(ORLOV))
    both.arrived("staff")
    both.page.goto(address)  # the form of the finished sign-in, from the history
    assert not both.page.locator("#phone").count()
    both.open("staff")
    both.sign_out()
    both.begin("staff")
    both.link(both.idp("Another number")).click()
    both.enter(both.ask_for_code(LAZAREVA))
    both.arrived("staff")
    expect(both.heading).to_have_text("Юлия Лазарева")
    both.page.goto(address)
    both.open("staff")
    expect(both.heading).to_have_text("Юлия Лазарева")
