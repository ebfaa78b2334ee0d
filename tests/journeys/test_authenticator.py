"""The authenticator app and the recovery codes, from the picture to the day on which the phone is lost: `product.md` §6.2.

In a real browser. The clock is moved by steps of the app; nothing violates the pages' policy (G-11).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from idp import clock
from idp.directory import users
from tests.conftest import Told
from tests.credentials.factors import code_of
from tests.journeys.one_process import Guest, Site, opened
from tests.world import new_phone

pytestmark = pytest.mark.browser

STEP = timedelta(seconds=30)
STATUS = "Failed to load resource: the server responded with a status of"  # what Chromium writes for every answer of 400 and above


@pytest.fixture(scope="module")
def site(chromium: Browser, told: Told) -> Iterator[Site]:
    """The provider and a relying party."""
    del chromium  # skips what needs one, before anything is set up
    with opened(told) as made:
        yield made


@pytest.fixture
def come(chromium: Browser, site: Site) -> Iterator[Callable[..., Guest]]:
    """`come("ru")`: somebody at a browser of their own; at the end none has had anything to complain about."""
    here: list[Guest] = []
    said: list[str] = []

    def arrive(language: str = "ru") -> Guest:
        here.append(Guest(chromium, site, language))
        here[-1].context.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
        return here[-1]

    yield arrive
    for guest in here:
        guest.context.close()
    assert not [line for line in said if not line.startswith(STATUS)]


def enter(guest: Guest, code: str) -> None:
    """Type a code, and send it."""
    guest.page.locator("#code").press_sequentially(code)
    guest.press("Sign in")


def set_up(own: Guest) -> tuple[str, str]:
    """The picture, the letters, the first right code; answers the secret and that code."""
    own.headed("Authenticator app")
    own.press("Set up an app")
    own.headed("Set up an authenticator app")
    picture = own.page.locator("svg.qr")
    box = picture.bounding_box()
    assert box is not None
    assert box["width"] >= 200  # else a camera does not read it from a hand's distance
    assert picture.locator("path").first.get_attribute("fill") == "#fff"
    address = own.page.get_by_role("link", name=own.say("The app is on this device: open it")).get_attribute("href") or ""
    secret = parse_qs(urlsplit(address).query)["secret"][0]
    own.page.locator("summary").click()
    expect(own.page.locator("details code")).to_have_text(" ".join(secret[at : at + 4] for at in range(0, 32, 4)))
    first = code_of(secret)
    own.page.locator("#code").press_sequentially(first)
    own.press("Confirm")
    return secret, first


def keep_codes(own: Guest, to: Path) -> list[str]:
    """Make recovery codes, save and print them; answers them."""
    own.headed("Recovery codes")
    own.press("Make the codes")
    own.headed("Your recovery codes")
    codes = own.page.locator("#codes span").all_inner_texts()
    assert len(set(codes)) == 10
    with own.page.expect_download() as saving:
        own.press("Save as a file")
    saving.value.save_as(to)
    assert to.read_text().split() == codes
    assert saving.value.url.startswith("blob:")  # what a browser remembers of a download is its address
    own.page.emulate_media(media="print")
    expect(own.page.locator("#codes")).to_be_visible()
    expect(own.page.locator(".bar")).to_be_hidden()
    own.page.emulate_media(media="screen")
    own.press("I have kept them")
    own.headed("Sign-in and security")
    expect(own.page.locator("a[href='/account/recovery_codes']")).to_contain_text("10")
    return codes


def test_set_up_used_and_lost(site: Site, come: Callable[..., Guest], tmp_path: Path) -> None:
    """Then a browser that is new asks for the app's code, which is taken once; and when the app is lost a recovery code lets in."""
    phone = new_phone()
    with site.world.writes():
        users.register(phone, "Ева Ким", "ru", "1")
    with clock.freeze(clock.now()) as later:
        own = come("ru")
        own.page.goto(f"{site.origin}/account/authenticator")
        own.prove(phone)
        secret, first = set_up(own)
        codes = keep_codes(own, tmp_path / "codes.txt")

        new = come("ru")
        later(2)
        new.come()
        new.prove(phone)
        new.press("Code of the authenticator app")
        enter(new, first)
        expect(new.page.locator("#code-error")).to_contain_text(new.say("This code was used already. Wait for the next one in the app."))
        later(STEP)
        new.page.locator("#code").fill("")
        enter(new, code_of(secret))
        new.is_in()

        lost = come("ru")
        later(2)
        lost.come()
        lost.prove(phone)
        lost.press("Recovery code")
        enter(lost, codes[0])
        expect(lost.page.get_by_role("heading", level=1)).to_contain_text("9")
        lost.press("Continue")
        lost.is_in()
