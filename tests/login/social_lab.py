"""A provider of ours, another provider, and short ways between them. A module takes `upstream` and `changed_settings` from here."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from idp.credentials import social
from idp.login import upstream as said
from tests.login.hostile import Upstream, running, sent_to
from tests.world import Browser, Party, World, new_phone

OAUTH = {"kind": "oauth2", "title": "Forum", "client_id": "us", "client_secret": "f" * 40, "scopes": ["me"], "subject": "user.id"}


@pytest.fixture(scope="module")
def other() -> Iterator[Upstream]:
    """The process of it."""
    with running() as server:
        yield server


@pytest.fixture
def upstream(other: Upstream) -> Upstream:
    """Honest again, and nothing is known of it."""
    other.reset()
    said.forget_known()
    return other


@pytest.fixture
def changed_settings(upstream: Upstream) -> dict[str, dict[str, object]]:
    """It is configured twice: by OpenID Connect, and by plain OAuth 2 under another name."""
    here = upstream.issuer
    ends = {"authorization_endpoint": f"{here}/authorize", "token_endpoint": f"{here}/token", "userinfo_endpoint": f"{here}/userinfo"}
    forum = OAUTH | ends | {"issuer": f"{here}/forum", "name": ["user.first", "user.last"]}
    return {"providers": {"up": upstream.settings(), "forum": forum}, "outbound": {"allow_private_addresses": True}}


def come_back(browser: Browser, party: Party, upstream: Upstream, key: str = "up", **asked: str) -> httpx2.Response:
    """From the relying party to the other provider and back, with its yes: where that leads."""
    return browser.go(upstream.agree(sent_to(browser, browser.authorize(party, **asked), key)))


def by_phone(world: World, browser: Browser, page: httpx2.Response, phone: str) -> httpx2.Response:
    """From the phone page to what follows the code."""
    page = browser.onward(browser.submit(page, phone=phone))
    return browser.onward(browser.submit(page, code=world.code_for(phone)))


def signed_up(world: World, browser: Browser, party: Party, upstream: Upstream, *, answer: str = "link") -> tuple[str, httpx2.Response]:
    """Somebody new comes from the other provider, proves a number, and says yes or no; their number, and the way back."""
    phone = new_phone()
    page = by_phone(world, browser, come_back(browser, party, upstream), phone)
    page = browser.onward(browser.submit(page, name="Vera", terms="1"))
    return phone, browser.onward(browser.submit(page, answer=answer))


def linked(world: World, user_id: str) -> list[tuple[str, str]]:
    """Issuer and subject of what is linked to an ID."""
    with world.reads():
        return [(each.issuer, each.subject) for each in social.of_person(user_id)]


__all__ = ["changed_settings", "other", "upstream"]
