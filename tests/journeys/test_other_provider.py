"""Another provider in a real browser: linked at the first sign-in, pressed at the next one, unlinked and linked again from one's own pages.

`product.md` §7. The provider is npm's oidc-provider, on another site than ours.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests import machine
from tests.conftest import Told
from tests.journeys.one_process import Guest, Site, opened
from tests.login import theirs
from tests.login.social_lab import linked
from tests.world import new_phone

pytestmark = [pytest.mark.browser, pytest.mark.node]


@pytest.fixture
def site(chromium: Browser, told: Told) -> Iterator[Site]:
    """Ours and theirs, which know each other's addresses."""
    del chromium  # skips what needs one, before anything is set up
    if reason := machine.relying_parties():
        pytest.skip(reason)
    port = machine.free_port()
    with theirs.running(theirs.client(f"http://localhost:{port}/login/social/callback/staff")) as issuer:
        staff = {"title": "Theirs", "issuer": issuer, "client_id": "us", "client_secret": theirs.SECRET}
        with opened(told, port=port, providers={"staff": staff}, outbound={"allow_private_addresses": True}) as made:
            yield made


def test_linked_pressed_unlinked(chromium: Browser, site: Site) -> None:
    """The policy of our pages lets the browser go there, though their pages lead on to a third address; the way back needs no script."""
    vera, phone = Guest(chromium, site, "en"), new_phone()
    page = vera.page

    def allow(answer: str = "Allow") -> None:
        page.get_by_label("Who are you?").fill("vera")
        page.get_by_role("button", name=answer).click()

    vera.come()
    vera.press("Sign in with %(provider)s", provider="Theirs")
    allow()
    expect(page.locator(".notice").first).to_contain_text("Nobody here is linked")
    vera.prove(phone)
    expect(page.locator("#name")).to_have_value("Them vera")
    page.locator("#terms").check()
    vera.press("Create the ID and sign in")
    expect(page.get_by_role("heading", level=1)).to_have_text("Link Theirs to your ID?")
    vera.press("Link")
    vera.is_in()
    user = str(site.world.events("social.linked")[0].user_id)
    vera.context.clear_cookies(domain="localhost")

    vera.come()
    vera.press("Sign in with %(provider)s", provider="Theirs")  # where she is still signed in, and is asked nothing
    vera.is_in()

    # A word of theirs is no fresh proof of ours: it takes a code to change what opens the ID.
    page.goto(f"{site.origin}/account/providers")
    vera.choose("Them vera")
    vera.enter(phone)
    vera.headed("Other providers")
    vera.press("Unlink: %(provider)s", provider="Theirs")
    expect(page.get_by_text("None yet.")).to_be_visible()
    assert linked(site.world, user) == []
    for answer, said in (("Deny", "Theirs was not linked"), ("Allow", "Theirs is linked")):
        vera.context.clear_cookies(domain="127.0.0.1")
        vera.press("Link: %(provider)s", provider="Theirs")
        allow(answer)
        expect(page.locator(".notice").first).to_contain_text(said)
    assert [subject for _, subject in linked(site.world, user)] == ["vera"]
    vera.context.close()
