"""What may die while a device waits for a person (RFC 8628): from its first request to its tokens."""

from __future__ import annotations

import httpx2

from idp import clock
from idp.clock import freeze
from tests.faults.crash import Step
from tests.faults.steps import Act, _sending, _signed_in
from tests.oidc.devices import DEVICE_CODE, begun, polls, television, types
from tests.world import Party, World

GUESSED = {"limits": {"tries"}}


def begin_at_a_device(world: World) -> Act:
    """Two codes."""
    form = {"client_id": television(world).client.id, "scope": "openid profile"}
    return _sending(world.browser().build_request("POST", "/device_authorization", data=form))


def type_the_code(world: World) -> Act:
    """The right one: parked, and no guess."""
    browser, _ = _signed_in(world)
    codes = begun(world, television(world))
    return _sending(browser.filled(browser.get("/device"), user_code=codes["user_code"]))


def type_a_wrong_code(world: World) -> Act:
    """A guess, counted for the browser and for its network."""
    browser, _ = _signed_in(world)
    return _sending(browser.filled(browser.get("/device"), user_code="BCDF-GHJK"))


def allow_a_device(world: World) -> Act:
    """The last page: parked request and device, both at once."""
    browser, _ = _signed_in(world)
    page = types(browser, begun(world, television(world))["user_code"])
    answer = browser.submit(page, answer="allow")
    return _sending(browser.build_request("GET", answer.headers["Location"]))


def refuse_a_device(world: World) -> Act:
    """Likewise."""
    browser, _ = _signed_in(world)
    return _sending(browser.filled(types(browser, begun(world, television(world))["user_code"]), answer="deny"))


def _asked(world: World, party: Party, device_code: str) -> httpx2.Request:
    form = {"client_id": party.client.id, "grant_type": DEVICE_CODE, "device_code": device_code}
    return world.browser().build_request("POST", "/token", data=form)


def ask_too_soon(world: World) -> Act:
    """Nobody has answered, and it asked a moment ago: the pause grows."""
    party = television(world)
    codes = begun(world, party)
    polls(world, party, codes["device_code"])
    act = _sending(_asked(world, party, codes["device_code"]))

    def later(other: World) -> str:
        with freeze(clock.now()) as shift:
            shift(1)
            return act(other)

    return later


def fetch_tokens(world: World) -> Act:
    """Allowed: the code is spent, a family begins."""
    browser, _ = _signed_in(world)
    party = television(world)
    codes = begun(world, party)
    browser.allow(types(browser, codes["user_code"]))
    return _sending(_asked(world, party, codes["device_code"]))


STEPS_OF_DEVICES = (
    Step("begin at a device", begin_at_a_device),
    Step("type a device's code", type_the_code),
    Step("type a wrong device's code", type_a_wrong_code, uneven=GUESSED),
    Step("allow a device", allow_a_device),
    Step("refuse a device", refuse_a_device),
    Step("ask too soon on a device", ask_too_soon),
    Step("fetch tokens on a device", fetch_tokens),
)
