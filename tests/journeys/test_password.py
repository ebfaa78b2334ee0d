"""A password at a real browser: signed in with, shown, forgotten and set anew; a store's login on its way to an ID.

`product.md` §5 and §8.1. Russian, on a phone; WCAG 2.2 AA by axe and no sideways scroll at 320 px on every page of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from idp.cli.demo_story import Story
from tests.conftest import Told
from tests.journeys.one_process import Guest, Site, opened
from tests.journeys.test_own_pages import look
from tests.journeys.visitor import TELL_VIOLATIONS
from tests.login.password_lab import NEW, SECRET, SHOP, give, id_of, linked_to, shop

pytestmark = pytest.mark.browser

ZIMIN = "+79005553510"
ZIMINA, MAIL = "+79005553509", "zimina@post.example"


@pytest.fixture(scope="module")
def site(chromium: Browser, told: Told) -> Iterator[Site]:
    """The provider and an app."""
    del chromium
    with opened(told) as made:
        yield made


def come(chromium: Browser, site: Site, said: list[str]) -> tuple[Guest, Page]:
    """Somebody with a phone, at the page where number or password is asked for."""
    guest = Guest(chromium, site, "ru")
    page = guest.page
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(reduced_motion="reduce")
    guest.context.add_init_script(TELL_VIOLATIONS)
    page.on("console", lambda message: said.append(message.text))
    return guest, page


def typed(guest: Guest, login: str, text: str) -> None:
    """Login and password are entered."""
    guest.page.locator("#login").fill(login)
    guest.page.locator("#password").fill(text)
    guest.press("Sign in")


def test_in_forgotten_and_in_again(chromium: Browser, site: Site) -> None:
    """In with e-mail and password; in another browser it is forgotten and set anew, which ends the first one; then in with the new one."""
    said: list[str] = []
    give(site.world, id_of(site.world, ZIMINA))
    first, page = come(chromium, site, said)
    first.come()
    first.press("Sign in with e-mail and password")
    look(page, "password")
    typed(first, MAIL, "не тот пароль")
    expect(page.locator("#password-error")).to_contain_text("неверны")
    expect(page.locator("#password")).to_be_focused()
    expect(page.locator("#password")).to_have_value("")
    expect(page.locator("#login")).to_have_value(MAIL)
    look(page, "password-wrong")
    page.locator("#password").fill(SECRET)
    show = page.get_by_role("button", name=first.say("Show the password"), exact=True)
    show.click()
    expect(page.locator("#password")).to_have_attribute("type", "text")
    page.get_by_role("button", name=first.say("Hide the password"), exact=True).click()
    expect(page.locator("#password")).to_have_attribute("type", "password")
    first.press("Sign in")
    first.is_in()

    _forgotten(chromium, site, said, first)
    assert not [line for line in said if not line.startswith("Failed to load resource: the server responded with a status of")]
    first.context.close()


def _forgotten(chromium: Browser, site: Site, said: list[str], first: Guest) -> None:
    """In another browser it is set anew, and the first one is out."""
    second, page = come(chromium, site, said)
    second.come()
    second.press("Sign in with e-mail and password")
    second.press("Forgotten password")
    look(page, "reset")
    page.locator("#login").fill(MAIL)
    second.press("Get a code")
    expect(page.locator("#code")).to_be_visible()
    look(page, "reset_code")
    page.locator("#code").press_sequentially(site.world.code_for(MAIL))
    second.press("Next")
    look(page, "reset_password")
    page.locator("#password").fill(NEW)
    page.locator("#password_again").fill(NEW + " ")
    second.press("Set the password")
    expect(page.locator("#password_again-error")).to_be_visible()
    look(page, "reset_password-wrong")
    page.locator("#password").fill(NEW)
    page.locator("#password_again").fill(NEW)
    second.press("Set the password")
    expect(page.get_by_role("status").first).to_have_text(second.say("The new password is set. Sign in with it."))
    look(page, "password-done")
    typed(second, MAIL, NEW)
    second.is_in()
    first.come()
    expect(first.page.locator("#phone")).to_be_visible()  # neither signed in nor known any more
    page.goto(f"{site.origin}/account/password")
    second.press("Get a code")  # the password alone does not change itself
    second.enter(ZIMINA)
    expect(page.locator("#password_again")).to_be_visible()
    look(page, "own_password")
    second.context.close()


def test_both_once_in_each_browser(chromium: Browser, site: Site) -> None:
    """An app wants `code+password` of a new browser: both on the first visit, nothing on the second, both again in another browser."""
    said: list[str] = []
    give(site.world, id_of(site.world, ZIMIN))
    strict = site.world.party(name="Bank", redirect_uris=[f"{site.origin}/party"], new_browser="code+password").client.id
    for _ in range(2):
        guest, page = come(chromium, site, said)
        guest.come(client_id=strict)
        guest.prove(ZIMIN)
        guest.press("Enter the password")
        guest.headed("Enter the password")
        expect(page.locator("#login")).to_have_count(0)
        look(page, "password-beside-the-code")
        page.locator("#password").fill(SECRET)
        guest.press("Sign in")
        guest.is_in()
        guest.context.clear_cookies(name="idp_session")
        guest.come(client_id=strict)
        guest.choose("Павел Зимин")  # a press, and nothing else
        guest.is_in()
        guest.context.close()
    assert not said


def test_a_store_that_is_not_linked_yet(chromium: Browser, site: Site, story: Story) -> None:
    """The store's e-mail and password, the code that shows the address, phone and code, the ID, a clear yes; then in as that account."""
    said: list[str] = []
    account_id = shop(site.world, story, verified=False)
    guest, page = come(chromium, site, said)
    guest.come(scope="openid account company")
    guest.press("Sign in with e-mail and password")
    typed(guest, SHOP, SECRET)
    guest.headed("Confirm the e-mail address")
    look(page, "password_address")
    page.locator("#code").press_sequentially(site.world.code_for(SHOP))
    guest.press("Confirm")
    expect(page.locator("#phone")).to_be_visible()
    look(page, "identify-to-link")
    guest.prove(ZIMIN)
    expect(page.locator(".facts")).to_contain_text("Павел Зимин")
    look(page, "link")
    assert linked_to(site.world, account_id) is None
    guest.press("Link for good")
    guest.is_in()
    assert linked_to(site.world, account_id) == id_of(site.world, ZIMIN)
    assert not [line for line in said if not line.startswith("Failed to load resource: the server responded with a status of")]
    guest.context.close()
