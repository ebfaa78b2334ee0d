"""A passkey from the offer to its removal, in a real browser with an authenticator of Chromium's own: `product.md` §6.1.

WebAuthn Level 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from idp.directory import users
from tests.conftest import Told
from tests.journeys.device import Device
from tests.journeys.one_process import Guest, Site, opened
from tests.journeys.test_own_pages import look
from tests.world import new_phone

pytestmark = pytest.mark.browser


UNKNOWN, ACCEPTED = "signalUnknownCredential", "signalAllAcceptedCredentials"
SIGNALS = """
  window.signals = {};
  for (const name of ["signalUnknownCredential", "signalAllAcceptedCredentials"]) {
    const signal = PublicKeyCredential[name];
    PublicKeyCredential[name] = (told) => {
      window.signals[name] = told;
      return signal.call(PublicKeyCredential, told);
    };
  }
"""


def signals(guest: Guest, name: str) -> dict[str, Any]:
    """What this page has told the authenticator: by the call of this name, and by no other."""
    guest.page.wait_for_function(f"window.signals.{name}")
    called: dict[str, dict[str, Any]] = guest.page.evaluate("window.signals")
    assert set(called) == {name}
    return called[name]


@pytest.fixture(scope="module")
def site(chromium: Browser, told: Told) -> Iterator[Site]:
    """One for all."""
    del chromium
    with opened(told) as made:
        yield made


@pytest.fixture
def come(chromium: Browser, site: Site) -> Iterator[Any]:
    """`come("ru")`: somebody at a browser of their own; at the end it had nothing to complain about."""
    here: list[Guest] = []
    said: list[str] = []

    def arrive(language: str = "en") -> Guest:
        guest = Guest(chromium, site, language)
        guest.context.add_init_script(SIGNALS)
        guest.context.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        guest.context.on("weberror", lambda error: said.append(str(error.error)))
        here.append(guest)
        return guest

    yield arrive
    for guest in here:
        guest.context.close()
    assert not [text for text in said if not text.startswith("Failed to load resource")], said


def _text(given: str) -> str:
    """Base64 as WebAuthn writes it, of what DevTools say."""
    return given.rstrip("=").replace("+", "-").replace("/", "_")


def person(site: Site) -> str:
    """The number of somebody of this test's own."""
    phone = new_phone()
    with site.world.writes():
        users.register(phone, "Ева Ким", "en", "1")
    return phone


def test_from_the_offer_to_the_removal(site: Site, come: Any) -> None:
    """Offered after a code and made by one press; the next sign-in, in a browser that was never here, by the button; named; removed.

    Pages tell the authenticator which passkeys open the ID, and which one opens nothing (WebAuthn §5.1.10).
    """
    phone, guest = person(site), come()
    device = Device(guest.context, guest.page)
    guest.come()
    expect(guest.page.locator("form[data-passkey]")).to_be_visible()
    guest.prove(phone)
    guest.headed("Next time without a code?")
    look(guest.page, "offer")
    guest.press("Create a passkey")
    guest.is_in()
    [key] = device.keys()
    assert key["isResidentCredential"]
    assert key["rpId"] == "localhost"

    other = come()
    elsewhere = Device(other.context, other.page)
    elsewhere.is_there(False)  # else the list under the field answers by itself
    elsewhere.put(key)
    other.come()
    button = other.page.get_by_role("button", name=other.say("Sign in with a passkey"))
    expect(button).to_be_visible()
    elsewhere.is_there(True)
    button.click()
    other.is_in()
    assert site.world.events("login.succeeded")[-1].details["proof"] == "passkey"

    page = other.page
    page.goto(f"{site.origin}/account/security")
    keys = page.locator("section:has(#passkeys) .rows > li")
    expect(keys).to_have_count(1)
    look(page, "passkeys")
    mine = {"rpId": "localhost", "userId": _text(key["userHandle"]), "allAcceptedCredentialIds": [_text(key["credentialId"])]}
    assert signals(other, ACCEPTED) == mine
    keys.locator(".row-do a").first.click()
    look(page, "rename")
    page.locator("#name").fill("My laptop")
    other.press("Save")
    expect(page.get_by_text("My laptop")).to_be_visible()
    page.get_by_role("link", name=other.say("Remove: %(passkey)s", passkey="My laptop")).click()
    other.press("Remove the passkey")
    other.headed("The passkey is removed")
    look(page, "removed")
    assert signals(other, ACCEPTED) == mine | {"allAcceptedCredentialIds": []}

    _it_opens_nothing(guest, phone, key)


def _it_opens_nothing(guest: Guest, phone: str, key: dict[str, Any]) -> None:
    """In the browser that made it, where it still is: the page says so, tells the authenticator, and the number does it."""
    guest.context.clear_cookies()
    guest.come()
    guest.page.get_by_role("button", name=guest.say("Sign in with a passkey")).click()
    expect(guest.page.get_by_role("alert")).to_have_text(
        guest.say("This passkey opens no ID here. Perhaps it was removed. Sign in another way.")
    )
    look(guest.page, "opens nothing")
    assert signals(guest, UNKNOWN) == {"rpId": "localhost", "credentialId": _text(key["credentialId"])}
    guest.press("Sign in another way")
    guest.prove(phone)
    guest.is_in()


def test_the_list_under_the_field(site: Site, come: Any) -> None:
    """Conditional mediation: whoever chooses the passkey in the list of the phone field is in, without a press of any button."""
    phone, guest = person(site), come("ru")
    device = Device(guest.context, guest.page)
    guest.come()
    guest.prove(phone)
    guest.press("Create a passkey")
    guest.is_in()
    guest.context.clear_cookies()
    guest.come()  # the virtual authenticator chooses at once
    guest.is_in()
    assert site.world.events("login.succeeded")[-1].details["proof"] == "passkey"
    assert len(device.keys()) == 1


def test_it_never_stands_in_the_way(site: Site, come: Any) -> None:
    """The question does not come, comes late, or nobody answers: the number does it as ever, and the button says what is wrong."""
    phone, guest = person(site), come()
    device = Device(guest.context, guest.page)
    device.is_there(False)
    waiting: list[Route] = []
    guest.page.route("**/passkey/options", lambda route: waiting.append(route))  # noqa: PLW0108 - Playwright marks what it is given, and a method takes no mark
    guest.come()
    guest.page.locator("#phone").fill(phone)
    guest.press("Get a code")
    expect(guest.page.locator("#code")).to_be_visible()
    guest.page.unroute("**/passkey/options")
    guest.page.route("**/passkey/options", lambda route: route.fulfill(status=503, body="{}"))
    guest.come()
    guest.page.get_by_role("button", name=guest.say("Sign in with a passkey")).click()
    expect(guest.page.locator("form[data-passkey] [role=status]")).to_have_text(
        guest.say("That did not work. Try again or go on without a passkey.")
    )
    guest.prove(phone)
    guest.headed("Next time without a code?")
    guest.press("Not now")
    guest.is_in()
    assert waiting
    assert device.keys() == []
