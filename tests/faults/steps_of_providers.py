"""What may die in the middle, once more: linking another provider, coming back from it, unlinking.

What is whole to a person is the way there and back: a state is spent before the provider is asked who came, and whoever dies in between
presses the button again. The journey that they began leads nowhere, and is thrown away in its time.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

import httpx2

from idp.credentials import social
from idp.credentials.social import Claimed
from idp.directory import users
from idp.login import upstream as said
from tests.account.lab import entered
from tests.faults.crash import EVERY, Step
from tests.faults.steps import KNOWN, Act, _doing, _sending
from tests.login.hostile import running
from tests.login.http_lab import copy_cookies
from tests.world import Browser, World

THEIRS = Claimed("https://accounts.google.com", "108", "Anna S.")


class _InTheCode(dict[str, dict[str, str]]):
    """What was asked stands in the code itself: whoever agrees is a process about to die, and the provider is another."""

    def pop(self, code: str, *_: object) -> dict[str, str]:  # type: ignore[override]
        asked: dict[str, str] = json.loads(base64.urlsafe_b64decode(code))
        return asked


@contextmanager
def _another_provider() -> Iterator[dict[str, dict[str, object]]]:
    with running() as server:
        server.asked = _InTheCode()
        said.forget_known()
        yield {"providers": {"up": server.settings()}, "outbound": {"allow_private_addresses": True}}


def _journey(browser: Browser, page: httpx2.Response, action: str) -> Act:
    """Press the button, agree there, come back; where the button leads nowhere else, that is the answer."""
    pressed = browser.pressed(page, action)

    def act(world: World) -> str:
        there = world.browser()
        copy_cookies(browser, there)
        sent = there.send(pressed)
        address = sent.headers.get("Location", "")
        if urlsplit(address).path != "/authorize" or urlsplit(address).port == urlsplit(str(there.base_url)).port:
            return f"{sent.status_code} {urlsplit(address).path}"
        asked = dict(parse_qsl(urlsplit(address).query))
        code = base64.urlsafe_b64encode(json.dumps(asked).encode()).decode()
        back = there.build_request("GET", asked["redirect_uri"], params={"code": code, "state": asked["state"]})
        return _sending(back)(world)

    return act


def _whose(world: World) -> str:
    with world.reads():
        user = users.find_by_phone(KNOWN)
        assert user is not None
        return user.id


def come_back(world: World) -> Act:
    """A state is spent, and who came is kept."""
    with world.writes():
        asked = social.begin("google", "browser", flow_id="flw_1")

    def spend() -> None:
        if social.redeem(asked.state, "google", "browser") is not None:
            social.keep_found(asked.id, THEIRS)

    return _doing(spend)


def link(world: World) -> Act:
    """Somebody says yes."""
    user_id = _whose(world)
    with world.writes():
        asked = social.begin("google", "browser", flow_id="flw_1")
        social.keep_found(asked.id, THEIRS)

    def say_yes() -> None:
        if social.settle(asked.id):
            users.get(user_id, alone=True)
            social.link(user_id, "google", THEIRS)

    return _doing(say_yes)


def sign_in_with_provider(world: World) -> Act:
    """There and back: session, trusted browser."""
    browser, page = entered(world, "/account/providers", phone=KNOWN)
    assert _journey(browser, page, "/link/up")(world).startswith("303")
    elsewhere = world.browser()
    return _journey(elsewhere, elsewhere.authorize(world.party()), "/social/up")


def link_by_own_page(world: World) -> Act:
    """There and back: it is linked to this ID."""
    browser, page = entered(world, "/account/providers", phone=KNOWN)
    return _journey(browser, page, "/link/up")


def unlink(world: World) -> Act:
    """It is taken off."""
    user_id = _whose(world)
    with world.writes():
        social.link(user_id, "google", THEIRS)
        identity = social.of_person(user_id)[0].id
    return _doing(lambda: social.unlink(user_id, identity))


BEGUN = {"social_requests": EVERY}
STEPS_OF_PROVIDERS = (
    Step("come back from a provider", come_back, uneven={"social_requests": {"found"}}),
    Step("link a provider", link),
    Step("sign in with a provider", sign_in_with_provider, uneven=BEGUN, given=_another_provider),
    Step("link on one's own page", link_by_own_page, uneven=BEGUN, given=_another_provider),
    Step("unlink a provider", unlink),
)
