"""A person climbs the ladder in a browser: each rung, one that fails, one that stays silent, help on the way; `product.md` §2."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from idp.directory import users
from idp.languages import LANGUAGES
from tests.conftest import Told
from tests.journeys.rungs import ASK, HEADINGS, LADDER, ask, says
from tests.journeys.stage import Stage, set_up
from tests.journeys.visitor import PATIENCE, Visitor, Visitors
from tests.machine import count

pytestmark = pytest.mark.browser

ANNA, EMAIL, BY_TEXT = "+79005553501", "anna@post.example", "+79005553503"
LOST = {
    "flash_call": "The call did not get through.",
    "sms": "The text message could not be delivered.",
    "voice": "The call did not get through.",
}


@pytest.fixture(scope="module")
def stage(chromium: Browser, told: Told, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The provider with all rungs, where Anna has a confirmed address."""
    expect.set_options(timeout=PATIENCE)
    with set_up(told, tmp_path_factory.mktemp("ladder"), **LADDER) as made:
        with made.world.writes():
            anna = users.find_by_phone(ANNA)
            assert anna is not None
            users.confirm_email(anna.id, EMAIL)
        yield made


def begin(visitor: Visitor, phone: str = ANNA) -> str:
    """To the page of the code; answers the code."""
    visitor.begin("staff")
    return visitor.ask_for_code(phone)


def test_a_flash_call(visitors: Visitors) -> None:
    """The number that calls ends in the code: six digits of it are typed, and she is in."""
    anna = visitors.come("ru")
    digits = begin(anna)
    expect(anna.heading).to_have_text(anna.idp(HEADINGS["flash_call"]))
    anna.enter(digits)
    anna.arrived("staff")


@pytest.mark.parametrize("language", LANGUAGES[: count(1, 3)])
def test_up_to_the_top(visitors: Visitors, language: str) -> None:
    """Each rung fails in turn: without a press the page says so, says why, and the next rung stands first; the e-mail lets her in."""
    anna = visitors.come(language)
    begin(anna)
    code = ""
    for failing, following in (("flash_call", "sms"), ("sms", "voice"), ("voice", "email")):
        says(anna, "failed", "absent_subscriber")
        why = anna.idp("The phone is off, busy or out of coverage.")
        expect(anna.page.locator("#news")).to_contain_text(re.compile(re.escape(why).replace(r"\ ", r"\s")))
        expect(anna.page.locator("#news")).to_contain_text(re.compile(re.escape(anna.idp(LOST[failing])).replace(r"\ ", r"\s")))
        first = anna.page.locator("#ways button").first
        expect(first).to_have_text(re.compile(re.escape(anna.idp(ASK[following])).replace(r"\ ", r"\s")))
        code = ask(anna, following, EMAIL if following == "email" else ANNA)
    anna.enter(code)
    anna.arrived("staff")


def test_silent_without_a_script(visitors: Visitors) -> None:
    """`Look again` shows what has become of it; the text message is asked for, and its code works: all by plain forms."""
    anna = visitors.come("en", java_script_enabled=False)
    page = anna.page
    begin(anna)
    says(anna, "sent")
    page.wait_for_timeout(1100)
    page.locator("#code").fill("12")
    anna.button("What became of the code").click()
    expect(page.locator(".rows .state")).to_have_text("Handed over")
    says(anna, "failed", "no_answer")
    anna.link("Look again").click()
    expect(page.locator(".rows .state")).to_have_text("Not delivered")
    expect(page.locator(".rows")).to_contain_text("The phone is off, busy or out of coverage.")
    anna.link("Back to the code").click()
    assert page.locator("#code").input_value() == "12"
    anna.enter(ask(anna, "sms", ANNA))
    anna.arrived("staff")


def test_silent(visitors: Visitors) -> None:
    """Sent once more and nobody confirms: the page offers the other rungs, a spoken call says the code."""
    anna = visitors.come("ru")
    begin(anna)
    anna.page.wait_for_timeout(1100)
    ask(anna, "flash_call", ANNA)
    anna.enter(ask(anna, "voice", ANNA))
    anna.arrived("staff")


def test_the_text_fills_itself_in(visitors: Visitors) -> None:
    """WebOTP: the browser hands over the code of the message, and nobody types anything (https://wicg.github.io/web-otp/)."""
    petrov = visitors.come("en")
    petrov.page.add_init_script(
        """window.OTPCredential = class {};
        navigator.credentials.get = (options) => new Promise((resolve, refuse) => {
            window.arrive = (code) => resolve({ code });
            options.signal.addEventListener("abort", () => refuse(new DOMException("", "AbortError")));
        });"""
    )
    code = begin(petrov, BY_TEXT)
    expect(petrov.heading).to_have_text(HEADINGS["sms"])
    petrov.page.evaluate("(code) => window.arrive(code)", code)
    petrov.arrived("staff")


def test_wrong_digits_and_help(visitors: Visitors) -> None:
    """Wrong digits: what was typed stays and is typed over; help is looked at, and nothing is lost by it."""
    anna = visitors.come("en")
    page = anna.page
    anna.begin("staff")
    page.locator("#phone").fill("8 900 555")
    anna.button("The number is lost or has changed").click()
    expect(anna.heading).to_have_text("The number is lost or has changed")
    expect(page.get_by_role("link", name="help@bazar.example")).to_have_attribute("href", "mailto:help@bazar.example")
    anna.link("Back to signing in").click()
    assert page.locator("#phone").input_value() == "8 900 555"
    digits = anna.ask_for_code(ANNA)
    wrong = f"{(int(digits) + 1) % 10**6:06}"
    anna.enter(wrong)
    expect(page.locator("#code-error")).to_contain_text("These digits are wrong.")
    expect(page.locator("#code")).to_be_focused()
    assert page.locator("#code").input_value() == wrong
    page.keyboard.type("12")
    assert page.locator("#code").input_value() == "12"
    page.locator("#remember").uncheck()
    anna.button("Not getting the code?").click()
    expect(anna.heading).to_have_text("The code does not come")
    anna.link("Back to signing in").click()
    assert page.locator("#code").input_value() == "12"
    expect(page.locator("#remember")).not_to_be_checked()
    page.locator("#remember").check()
    anna.enter(digits)
    anna.arrived("staff")
