"""What may die in the middle, of passkeys: the question, the offer, the making, another name, the removal, and signing in with one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2

from idp import clock
from idp.clock import freeze
from tests.authenticator import Authenticator
from tests.faults.crash import EVERY, Step
from tests.faults.steps import COUNTED, KNOWN, Act, _at_code, _sending
from tests.login.http_lab import base_of, copy_cookies, token_of
from tests.login.recovering import at_ways
from tests.login.test_http_passkey import press as show_passkey
from tests.world import Browser, World

ANOTHER = "+79015550011"


def ask_for_passkey(world: World) -> Act:
    """The script asks what the authenticator has to sign."""
    browser = world.browser()
    page = browser.authorize(world.party())
    return _sending(browser.build_request("POST", f"{base_of(page)}/passkey/options", data={"csrf_token": token_of(page)}))


def offer_passkey(world: World) -> Act:
    """A right code in a browser that could make one: on to the offer, once."""
    browser, _, page = _at_code(world, KNOWN)
    return _sending(browser.filled(page, code=world.code_for(KNOWN), passkey="1"))


def keep_passkey(world: World) -> Act:
    """A new one: its question is used up, it is kept."""
    browser, page = _adding(world)
    return _finger(browser, page, f"{page.url.path}/options", Authenticator().create)


def sign_in_with_passkey(world: World) -> Act:
    """The whole of a sign-in: question, counter, session, trusted browser."""
    device, browser = _has_passkey(world), world.browser()
    page = browser.authorize(world.party())
    return _finger(browser, page, f"{base_of(page)}/passkey/options", device.get)


def passkey_as_further_proof(world: World) -> Act:
    """Beside a code, in a strange place."""
    device, browser = _has_passkey(world), world.browser(address="198.51.100.9")
    page = browser.onward(browser.submit(browser.authorize(world.party()), phone=KNOWN))
    page = browser.onward(browser.submit(page, code=world.code_for(KNOWN)))
    assert page.url.path.endswith("/further_proof"), page.url
    return _finger(browser, browser.get(f"{base_of(page)}/passkey"), f"{base_of(page)}/passkey/options", device.get)


def _finger(browser: Browser, page: httpx2.Response, address: str, does: Callable[[dict[str, Any]], str]) -> Act:
    """The button and the finger: the question is used up before the answer to it is looked at, so whoever does it again is asked anew."""

    def act(world: World) -> str:
        there = world.browser()
        copy_cookies(browser, there)
        options = there.post(address, data={"csrf_token": token_of(page)})
        if options.status_code != 200:
            return f"{options.status_code} {options.headers.get('Location')}"
        return _sending(there.filled(page, credential=does(options.json())))(world)

    return act


def recover_by_passkey(world: World) -> Act:
    """It was shown for a lost phone: the waiting time begins."""
    device, browser = _has_passkey(world), world.browser()
    with freeze(clock.now() - timedelta(seconds=10)) as shift:
        page = at_ways(world, browser, world.party(), KNOWN, ANOTHER)
        question = browser.onward(browser.submit(page, answer="passkey"))
        shift(5)
        back = browser.onward(show_passkey(browser, question, device))
    assert back.url == page.url
    return _sending(browser.filled(back, answer="passkey"))


def rename_passkey(world: World) -> Act:
    """Another name."""
    browser, page = _with_passkey(world)
    return _sending(browser.filled(page, name="Laptop"))


def remove_passkey(world: World) -> Act:
    """It opens nothing any more."""
    browser, page = _with_passkey(world)
    return _sending(browser.pressed(browser.get(f"{page.url.path}/remove"), "/remove"))


def _adding(world: World) -> tuple[Browser, httpx2.Response]:
    """Somebody has just proved who they are, to add one."""
    browser = world.browser()
    page = browser.go("/account/passkeys/add")
    page = browser.onward(browser.submit(page, phone=KNOWN))
    return browser, browser.onward(browser.submit(page, code=world.code_for(KNOWN)))


def _with_passkey(world: World, device: Authenticator | None = None) -> tuple[Browser, httpx2.Response]:
    """Somebody has just added one; its page."""
    browser, page = _adding(world)
    options = browser.post(f"{page.url.path}/options", data={"csrf_token": token_of(page)}).json()
    return browser, browser.onward(browser.submit(page, credential=(device or Authenticator()).create(options)))


def _has_passkey(world: World) -> Authenticator:
    """Since two minutes, from another browser."""
    device = Authenticator()
    with freeze(clock.now() - timedelta(minutes=2)):
        _with_passkey(world, device)
    return device


ASKED = {"passkey_challenges": EVERY}  # a question that nobody answers leads nowhere
STEPS_OF_PASSKEYS = (
    Step("ask for passkey", ask_for_passkey),
    Step("offer passkey", offer_passkey, uneven=COUNTED),
    Step("keep passkey", keep_passkey, uneven=ASKED),
    Step("sign in with passkey", sign_in_with_passkey, uneven=ASKED),
    Step("passkey as further proof", passkey_as_further_proof, uneven=ASKED),
    Step("recover by passkey", recover_by_passkey),
    Step("rename passkey", rename_passkey),
    Step("remove passkey", remove_passkey),
)
