"""A device without a browser, as the tests play it: it shows a code, and asks until somebody has answered (RFC 8628)."""

from __future__ import annotations

from typing import Any

import httpx2

from idp.delegation import registering
from tests.world import Browser, Party, World

DEVICE_CODE = registering.DEVICE_CODE
GRANT_TYPES = [DEVICE_CODE, "refresh_token"]


def television(world: World, **changes: Any) -> Party:
    """A client without an address: a native app on a device."""
    given = {"kind": "native", "grant_types": GRANT_TYPES, "redirect_uris": [], "post_logout_redirect_uris": [], "name": "TV"}
    return world.party(**given | changes)


def begins(world: World, party: Party, *, at: str = "198.51.100.77", user_agent: str = "", **form: str) -> httpx2.Response:
    """POST /device_authorization from the device's network."""
    browser = world.browser(address=at, user_agent=user_agent)
    return World._post(party, "/device_authorization", {"scope": "openid profile", **form}, browser)


def begun(world: World, party: Party, **form: str) -> dict[str, Any]:
    """The same, and it goes well."""
    answer = begins(world, party, **form)
    assert answer.status_code == 200, answer.text
    codes: dict[str, Any] = answer.json()
    return codes


def polls(world: World, party: Party, device_code: str, **form: str) -> httpx2.Response:
    """The device asks whether its person has answered."""
    return world.token(party, grant_type=DEVICE_CODE, device_code=device_code, **form)


def types(browser: Browser, user_code: str) -> httpx2.Response:
    """A person types the code; the page that follows."""
    return browser.onward(browser.submit(browser.get("/device"), user_code=user_code))


def allows(browser: Browser, user_code: str) -> httpx2.Response:
    """A person who is signed in types the code and allows it; the last page."""
    return browser.allow(types(browser, user_code))
