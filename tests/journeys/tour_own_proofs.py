"""The walk past what opens an ID, on its owner's own pages: an app for codes, recovery codes, a password, a passkey, another provider."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import expect

from idp.credentials import social
from idp.credentials.social import Claimed
from idp.directory import users
from tests.credentials.factors import code_of, wrong_code
from tests.journeys.device import Device
from tests.journeys.tour_own_pages import Somebody
from tests.journeys.visitor import Look, Visitor
from tests.login.password_lab import NEW

# Nobody goes there: what is linked is written down by hand.
PROVIDERS: dict[str, object] = {
    "google": {"preset": "google", "client_id": "us", "client_secret": "g" * 40},
    "yandex": {"preset": "yandex", "client_id": "us", "client_secret": "y" * 40},
}
THERE = "https://accounts.google.com"


def own_proofs(visitor: Visitor, look: Look, me: Somebody) -> None:
    """All of them; whoever is signed in proved their number lately."""
    _authenticator(visitor, look)
    _recovery_codes(visitor, look)
    _password(visitor, look)
    _providers(visitor, look, me)
    _passkey(visitor, look)


def _authenticator(visitor: Visitor, look: Look) -> None:
    """Set up, with a wrong code first."""
    visitor.own("authenticator")
    look("account-authenticator")
    visitor.own("authenticator/set_up")
    look("account-authenticator_set_up")
    address = visitor.page.locator("a[href^='otpauth:']").get_attribute("href") or ""
    secret = parse_qs(urlsplit(address).query)["secret"][0]
    visitor.type(wrong_code(secret))
    visitor.press("Confirm", "#code-error")
    look("account-authenticator_set_up-wrong")
    visitor.type(code_of(secret))
    visitor.press("Confirm", "form[action='/account/recovery_codes']")


def _recovery_codes(visitor: Visitor, look: Look) -> None:
    """Those of somebody with an app: made, and counted."""
    look("account-recovery_codes")
    visitor.press("Make the codes", "#codes")
    look("account-recovery_codes_made")
    visitor.own("recovery_codes")
    look("account-recovery_codes-left")
    visitor.own("authenticator")
    look("account-authenticator-there")


def _password(visitor: Visitor, look: Look) -> None:
    """Set, and what can be done about it then."""
    page = visitor.page
    visitor.own("password")
    look("account-password")
    page.locator("#password").fill("12345")
    page.locator("#password_again").fill("123456")
    visitor.press("Set the password", "#password_again-error")
    look("account-password-wrong")
    page.locator("#password").fill(NEW)
    page.locator("#password_again").fill(NEW)
    visitor.press("Set the password", "#passkeys")
    visitor.own("password")
    look("account-password-there")


def _providers(visitor: Visitor, look: Look, me: Somebody) -> None:
    """One that is linked, and one that did not answer."""
    with visitor.stage.world.writes():
        users.get(me.id, alone=True)
        social.link(me.id, "google", Claimed(THERE, me.id, "Eva"))
    visitor.own("providers?provider=yandex&why=away")
    look("account-providers")


def _passkey(visitor: Visitor, look: Look) -> None:
    """Made, made once more on the same device, called otherwise, removed; then it opens nothing, and the page says so."""
    page, device = visitor.page, Device(visitor.context, visitor.page)
    visitor.own("passkeys/add")
    look("account-passkey_add")
    visitor.press("Create a passkey", "#name")
    look("account-passkey-added")
    [key] = device.keys()
    its_page = page.url.partition("?")[0]
    visitor.own("passkeys/add")
    visitor.button(visitor.idp("Create a passkey")).click()
    expect(page.locator("form[data-passkey] [role=status]")).not_to_be_empty()
    look("account-passkey_add-already")
    page.goto(its_page)
    look("account-passkey")
    page.locator("#name").fill("")
    visitor.press("Save", "#name-error")
    look("account-passkey-wrong")
    visitor.own("security")
    look("account-security-all")
    page.goto(f"{its_page}/remove")
    look("account-passkey_remove")
    visitor.press("Remove the passkey", "[data-signal]")
    look("account-passkey_removed")
    if not device.keys():  # where the browser listens to what the page tells it
        device.put(key)
    _removed(visitor, look, device)
    device.take_away()


def _removed(visitor: Visitor, look: Look, device: Device) -> None:
    """Signing in with it."""
    page = visitor.page
    device.is_there(False)  # else the list under the field answers by itself
    visitor.context.clear_cookies()
    visitor.begin("staff")
    page.goto(page.url.replace("identify", "passkey"))
    look("login-passkey")
    device.is_there(True)
    visitor.press("Sign in with a passkey", "[role=alert]")
    look("login-passkey-refused")
