"""The promise of the product, in each language: one sign-in for all portals, one sign-out, one press the next time."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from clients.seller.sections import SECTIONS
from idp.languages import LANGUAGES
from tests.journeys.visitor import ROMASHKA, SMIRNOVA, VETER, Visitor, Visitors
from tests.machine import count

pytestmark = pytest.mark.browser

ANNA = "+79005553501"
TYPED = {"ru": "8 (900) 555-35-01", "en": "+7 900 555 35 01", "zh": "9005553501"}
ACCOUNTANT = ["Overview", "Finance"]
OWNER = [*ACCOUNTANT[:1], "Orders", "Products and prices", "Warehouse", "Logistics", "Finance", "Employees", "Partners", "Company"]


def sections(visitor: Visitor) -> list[str]:
    """What the seller portal's menu offers."""
    return visitor.page.locator(".menu > ul").first.locator("a").all_inner_texts()


# Every page of it is looked at in each language by `test_every_page`.
@pytest.mark.parametrize("language", LANGUAGES[: count(1, 3)])
def test_one_sign_in_for_all(visitors: Visitors, language: str) -> None:
    """Seller portal, code, chooser, accountant; staff portal without a page; signed out of both; back by one press; elsewhere a code."""
    anna = visitors.come(language)
    page = anna.begin("seller")
    assert page.locator("html").get_attribute("lang") == language
    expect(anna.heading).to_have_text(anna.idp("Sign in to %(app)s", app=anna.name_of("seller")))

    prove(anna, TYPED[language])
    choose_romashka(anna)
    look_around(anna)

    # The staff portal: in, and no page of the provider was shown
    anna.begin("staff")
    anna.arrived("staff")
    assert anna.saw_nothing_of_the_provider()
    expect(anna.heading).to_have_text("Анна Смирнова")

    leave(anna)
    come_back(anna)

    # Another browser knows nothing of her
    stranger = visitors.come(language)
    stranger.begin("seller")
    expect(stranger.page.locator("#phone")).to_be_visible()
    stranger.ask_for_code(ANNA)
    assert "Анна" not in stranger.page.content()


def prove(anna: Visitor, typed: str) -> None:
    """The two pages of proving who one is, with what goes wrong on them."""
    page = anna.page
    # A number that is none: what was typed stays, the field has the focus and says what to do
    page.locator("#phone").fill("12 34")
    anna.button(anna.idp("Get a code")).click()
    expect(page.locator("#phone-error")).to_have_text(anna.idp("Enter a phone number, for example +7 912 345-67-89."))
    expect(page.locator("#phone")).to_be_focused()
    assert page.locator("#phone").input_value() == "12 34"
    assert page.title().startswith(anna.idp("Error: %(title)s", title=""))

    # A wrong code, with the tries that are left, then the right one
    code = anna.ask_for_code(ANNA, typed)
    expect(anna.heading).to_have_text(anna.idp("Enter the code from the text message"))
    anna.enter("000000" if code != "000000" else "111111")
    wrong = anna.idp("This code is wrong. Check the message and enter it again.")
    expect(page.locator("#code-error")).to_contain_text(wrong)
    expect(page.locator("#code-error")).to_contain_text("4")
    expect(page.locator("#code")).to_be_focused()
    anna.enter(code)


def choose_romashka(anna: Visitor) -> None:
    """Where to? A suspended company can be seen and not pressed."""
    page = anna.page
    expect(anna.heading).to_have_text(anna.idp("Where do you want to go?"))
    assert page.locator("button.row b").all_inner_texts() in ([ROMASHKA, SMIRNOVA], [SMIRNOVA, ROMASHKA])
    closed = page.locator("[aria-disabled=true]", has_text=VETER)
    expect(closed).to_contain_text(anna.idp("The company is suspended. Ask its owner."))
    anna.choose(ROMASHKA)
    anna.arrived("seller")


def look_around(anna: Visitor) -> None:
    """In the seller portal she is the accountant, and sees an accountant's sections; the others are shut, not only hidden."""
    page = anna.page
    title = anna.portal("%(person)s, %(role)s of %(company)s", person="Анна Смирнова", role=anna.portal("accountant"), company=ROMASHKA)
    expect(anna.heading).to_have_text(title)
    assert sections(anna) == [anna.portal(section) for section in ACCOUNTANT]
    finance = anna.open("seller", "/finance")
    expect(finance.get_by_role("heading", level=2, name=anna.portal("Documents"), exact=True)).to_be_visible()
    for shut in ("orders", "products", "stock", "logistics", "employees", "partners", "company"):
        answer = page.goto(f"{anna.stage.portals['seller']}/{shut}")
        assert answer is not None
        assert answer.status == 403
        expect(anna.heading).to_have_text(anna.portal("No access: %(section)s", section=anna.portal(SECTIONS[shut].title)))
        assert page.locator("table").count() == 0


def leave(anna: Visitor) -> None:
    """Signed out of the seller portal: the provider's session is over, and so is the staff portal's."""
    page = anna.page
    anna.open("seller")
    anna.sign_out()
    assert page.url.startswith(anna.stage.portals["seller"] + "/signed-out")
    both = "You have signed out here and at the sign-in service. On a computer that others use, close the browser too."
    expect(page.locator("main p").first).to_have_text(anna.portal(both))
    assert "idp_session" not in anna.cookies()
    answer = page.goto(anna.stage.portals["staff"] + "/")
    assert answer is not None
    assert answer.status == 401
    expect(anna.heading).to_have_text(anna.portal("You have been signed out"))
    assert "Анна" not in page.content()


def come_back(anna: Visitor) -> None:
    """Back in the same browser: her name, no code; the company she was in stands first."""
    page = anna.page
    known = anna.messages(ANNA)
    anna.begin("seller")
    expect(anna.heading).to_have_text(anna.idp("Who is signing in to %(app)s?", app=anna.name_of("seller")))
    page.get_by_role("button", name=re.compile("Анна Смирнова")).click()
    expect(page.locator("button.row").first.locator(".tag")).to_have_text(anna.idp("recent"))
    anna.choose(ROMASHKA)
    anna.arrived("seller")
    assert anna.messages(ANNA) == known


def test_another_company_without_a_page(visitors: Visitors) -> None:
    """The switcher: other roles, other sections, no page of the provider; a suspended company is grey."""
    anna = visitors.come("ru")
    page = anna.sign_in("seller", ANNA, ROMASHKA)
    assert sections(anna) == [anna.portal(section) for section in ACCOUNTANT]
    anna.pages_seen.clear()
    page.locator(".switcher summary").click()
    expect(page.locator(".switcher [aria-disabled=true]")).to_contain_text(VETER)
    page.locator(".switcher button", has_text=SMIRNOVA).click()
    expect(anna.heading).to_contain_text(SMIRNOVA)
    assert sections(anna) == [anna.portal(section) for section in OWNER]
    assert anna.saw_nothing_of_the_provider()


def test_five_wrong_codes(visitors: Visitors) -> None:
    """After five the right code is wrong, too; a new one works at once."""
    orlov = visitors.come("en")
    orlov.begin("staff")
    phone = "+79005553502"
    code = orlov.ask_for_code(phone)
    for left in (4, 3, 2, 1):
        orlov.enter(str((int(code) + left) % 10**6).zfill(6))
        expect(orlov.page.locator("#code-error")).to_contain_text(str(left))
    orlov.enter(str((int(code) + 5) % 10**6).zfill(6))
    over = orlov.idp("Too many wrong codes. Ask for a new one.")
    expect(orlov.page.locator("#code-error")).to_have_text(over)
    orlov.enter(code)
    expect(orlov.page.locator("#code-error")).to_have_text(over)
    known = orlov.codes(phone)
    orlov.button(orlov.idp("Send a new text message")).click()
    orlov.enter(orlov.new_code(phone, known))
    orlov.arrived("staff")
