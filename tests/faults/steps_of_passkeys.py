"""What may die in the middle, of passkeys: the question, the offer, another name, the removal."""

from __future__ import annotations

import httpx2

from tests.authenticator import Authenticator
from tests.faults.crash import Step
from tests.faults.steps import COUNTED, KNOWN, Act, _at_code, _sending
from tests.login.http_lab import base_of, token_of
from tests.world import Browser, World


def ask_for_passkey(world: World) -> Act:
    """The script asks what the authenticator has to sign."""
    browser = world.browser()
    page = browser.authorize(world.party())
    return _sending(browser.build_request("POST", f"{base_of(page)}/passkey/options", data={"csrf_token": token_of(page)}))


def offer_passkey(world: World) -> Act:
    """A right code in a browser that could make one: on to the offer, once."""
    browser, _, page = _at_code(world, KNOWN)
    return _sending(browser.filled(page, code=world.code_for(KNOWN), passkey="1"))


def rename_passkey(world: World) -> Act:
    """Another name."""
    browser, page = _with_passkey(world)
    return _sending(browser.filled(page, name="Laptop"))


def remove_passkey(world: World) -> Act:
    """It opens nothing any more."""
    browser, page = _with_passkey(world)
    return _sending(browser.pressed(browser.get(f"{page.url.path}/remove"), "/remove"))


def _with_passkey(world: World) -> tuple[Browser, httpx2.Response]:
    """Somebody has just added one; its page."""
    browser, add = world.browser(), "/account/passkeys/add"
    page = browser.go(add)
    page = browser.onward(browser.submit(page, phone=KNOWN))
    page = browser.onward(browser.submit(page, code=world.code_for(KNOWN)))
    options = browser.post(f"{add}/options", data={"csrf_token": token_of(page)}).json()
    return browser, browser.onward(browser.submit(page, credential=Authenticator().create(options)))


STEPS_OF_PASSKEYS = (
    Step("ask for passkey", ask_for_passkey),
    Step("offer passkey", offer_passkey, uneven=COUNTED),
    Step("rename passkey", rename_passkey),
    Step("remove passkey", remove_passkey),
)
