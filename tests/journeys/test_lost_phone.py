"""A lost phone, in a real browser as wide as one: `product.md` §6.3, threats 97. From the help page to the first sign-in that follows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from idp import clock
from idp.directory import users
from tests.conftest import Told
from tests.journeys.one_process import Guest, Site, opened
from tests.login.recovering import WAIT, look_what_is_due, with_recovery_codes
from tests.world import World, new_phone

pytestmark = pytest.mark.browser

ZIMIN, MAIL = "+79005553510", "zimin@post.example"
PHONE_WIDTH = {"width": 360, "height": 740}


@pytest.fixture
def site(chromium: Browser, told: Told) -> Iterator[Site]:
    """One of its own."""
    del chromium  # skips what needs one, before anything is set up
    with opened(told) as made:
        yield made


def narrow(chromium: Browser, site: Site) -> Guest:
    """Somebody with a phone."""
    guest = Guest(chromium, site, "ru")
    guest.page.set_viewport_size(PHONE_WIDTH)
    return guest


def fits(guest: Guest) -> None:
    """Nothing scrolls sideways."""
    assert guest.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def whose(world: World, phone: str) -> str:
    """Who has the number."""
    with world.reads():
        user = users.find_by_phone(phone)
    assert user is not None
    return user.id


def test_from_help_to_the_new_number(chromium: Browser, site: Site) -> None:
    """By e-mail and a recovery code; the owner sees it elsewhere and lets it happen; three days later the new number opens the ID."""
    world, new = site.world, new_phone()
    user_id = whose(world, ZIMIN)
    codes = with_recovery_codes(world, user_id)
    with clock.freeze(clock.now()) as later:
        guest = narrow(chromium, site)
        guest.come()
        guest.press("The number is lost or has changed")
        guest.press("Give my ID a new number")
        guest.headed("The number is lost or has changed")
        guest.page.locator("#login").fill("8 (900) 555-35-10")
        guest.page.locator("#phone").fill(new)
        guest.press("Get a code")
        guest.page.locator("#code").press_sequentially(world.code_for(new))
        guest.press("Go on")
        guest.headed("Prove that the ID is yours")
        fits(guest)
        guest.page.locator("button[value=email]").click()
        guest.page.locator("#code").press_sequentially(world.code_for(MAIL))
        guest.press("Go on")
        guest.headed("Enter a recovery code")
        guest.page.locator("#code").fill(codes[0])
        guest.press("Go on")
        expect(guest.page.get_by_role("heading", level=1)).to_contain_text("Номер сменится")
        fits(guest)
        owner = narrow(chromium, site)
        owner.come()
        owner.prove(ZIMIN)
        owner.headed("Is it you who changes the number?")
        owner.press("It was me: go on")
        owner.is_in()
        link = next(message["link"] for message in world.inbox(MAIL) if message["link"])
        owner.page.goto(link)
        owner.headed("Stop the change of the number?")
        later(WAIT)
        look_what_is_due(world)
        owner.page.reload()
        owner.headed("The number was changed")
        fresh = narrow(chromium, site)
        fresh.come()
        fresh.page.locator("#phone").fill(new)
        fresh.press("Get a code")
        fresh.enter(new)
        fresh.is_in()
        assert whose(world, new) == user_id
        for each in (guest, owner, fresh):
            each.context.close()
