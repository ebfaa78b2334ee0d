"""Connecting a device in a real browser (RFC 8628 §3.3, RFC 10027): on a phone, with a wrong code first, and Back after the end."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.tour_devices import type_code, waiting_code
from tests.journeys.visitor import Visitors

pytestmark = pytest.mark.browser

ZIMIN = "+79005553510"


def test_connecting_a_device(visitors: Visitors) -> None:
    """The code is typed, wrong and right; sign-in; the code to compare; allowed. Back shows no button that still does something."""
    zimin = visitors.come("ru", viewport={"width": 360, "height": 740})
    page = zimin.page
    code = waiting_code(zimin)
    page.goto(f"{zimin.stage.provider}/device")
    type_code(zimin, "BCDF")
    expect(page.locator("#user_code-error")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "user_code"
    type_code(zimin, code.replace("-", "").lower())
    zimin.enter(zimin.ask_for_code(ZIMIN))
    expect(page.locator("main .mono")).to_have_text(code)
    refuse, allow = (zimin.button(zimin.idp(word)).bounding_box() for word in ("Refuse", "Allow"))
    assert refuse is not None
    assert allow is not None
    assert (refuse["width"], refuse["height"]) == (allow["width"], allow["height"])
    zimin.button(zimin.idp("Allow")).click()
    expect(zimin.heading).to_have_text(zimin.idp("You can go back to your device"))
    assert page.locator("main form").count() == 0
    page.go_back()
    page.reload()
    expect(page.locator("main form")).to_have_count(0)


def test_a_link_with_the_code(visitors: Visitors) -> None:
    """The address fills the field in; the person presses, signs in, and refuses."""
    zimin = visitors.come("zh")
    page = zimin.page
    code = waiting_code(zimin)
    page.goto(f"{zimin.stage.provider}/device?user_code={code}")
    expect(page.locator("#user_code")).to_have_value(code)
    zimin.button(zimin.idp("Continue")).click()
    zimin.enter(zimin.ask_for_code(ZIMIN))
    zimin.button(zimin.idp("Refuse")).click()
    expect(zimin.heading).to_have_text(zimin.idp("The device gets no access"))
