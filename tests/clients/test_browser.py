"""The portals in a real browser: axe, 320 px, dark, keyboard, no script, and the policies that only a browser enforces."""

from collections.abc import Iterator
from typing import Any

import pytest

from clients.seller.sections import SECTIONS
from tests.clients.lab import EVERYTHING, Lab

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page at 320 px; what its console complains about fails the test."""
    context = chromium.new_context(viewport={"width": 320, "height": 640}, locale="ru-RU", reduced_motion="reduce")
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Security Policy" in message.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def sideways(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def accessible(page: Any) -> None:
    from tests.axe import violations
    from tests.machine import count

    for width, scheme in ((320, "light"), (1280, "dark"), (320, "dark"), (1280, "light"))[: count(2, 4)]:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        assert not violations(page), (width, scheme)
        assert not sideways(page), (page.url, width)


@pytest.mark.slow
def test_every_page_is_accessible_narrow_and_wide_light_and_dark(page: Any, seller: str, lab: Lab) -> None:
    lab.roles["cmp_romashka"] = (["owner"], EVERYTHING)
    for path in ("/", "/nothing", "/signed-out", "/sign-in", *(f"/{key}" for key in SECTIONS)):
        page.goto(seller + path)
        accessible(page)
    lab.roles["cmp_romashka"] = (["accountant"], ["finance:read"])
    page.goto(f"{seller}/orders")
    accessible(page)


def test_staff_and_partner_are_too(page: Any, staff: str, partner: str) -> None:
    for base in (staff, partner):
        page.goto(f"{base}/sign-in")
        accessible(page)


def test_everything_works_without_a_script(chromium: Any, seller: str, lab: Lab) -> None:
    """Sign in, open the menu, switch the company, sign out: with scripts turned off, and with the real form-action policy."""
    context = chromium.new_context(java_script_enabled=False, locale="ru-RU", viewport={"width": 360, "height": 700})
    page = context.new_page()
    page.goto(seller)
    page.get_by_role("link", name="Войти").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Анна Смирнова, бухгалтер компании ООО «Ромашка»"
    page.get_by_role("button", name="Меню").click()
    page.get_by_role("link", name="Финансы", exact=True).click()
    page.locator("summary").click()
    page.get_by_role("button", name="ИП Смирнова А. В.").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Анна Смирнова, владелец компании ИП Смирнова А. В."
    lab.switch_error = "interaction_required"
    page.locator("summary").click()
    page.get_by_role("button", name="ООО «Ромашка»").click()  # a form whose answer leads to the provider and back
    assert "бухгалтер" in page.get_by_role("heading", level=1).inner_text()
    page.get_by_role("button", name="Меню").click()
    page.get_by_role("button", name="Выйти").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Вы вышли"
    context.close()


def test_the_keyboard_is_enough(page: Any, seller: str) -> None:
    page.goto(f"{seller}/sign-in")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.innerText.trim().split('\\n')[0]"))
        visible = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert visible != "none" or page.evaluate("document.activeElement === document.body")
    assert {"Обзор", "Финансы", "Выйти", "English"} <= seen
