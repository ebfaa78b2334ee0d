"""A person's own pages on a phone, in Russian, in the dark: browsers, apps, activity, the copy of their data, the end of their ID (§12).

WCAG 2.2 AA by axe and no sideways scroll at 320 px on each of them; nothing is asked of strangers, no policy is violated.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from idp.directory import users
from tests.axe import violations
from tests.conftest import Told
from tests.journeys.one_process import Guest, Site, opened
from tests.journeys.visitor import TELL_VIOLATIONS

pytestmark = pytest.mark.browser

ZIMINA = "+79005553509"


@pytest.fixture(scope="module")
def site(chromium: Browser, told: Told) -> Iterator[Site]:
    """The provider and an app."""
    del chromium
    with opened(told) as made:
        yield made


def look(page: Page, name: str) -> None:
    """Nothing for axe to find, nothing wider than a small phone."""
    found = violations(page)
    assert not found, (name, found)
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, name
    page.set_viewport_size({"width": 360, "height": 740})


def test_a_persons_own_pages(chromium: Browser, site: Site, tmp_path: Path) -> None:
    """She signs a lost laptop out, withdraws an app, finds both in her activity, takes a copy, asks for the end and takes it back."""
    laptop, her = Guest(chromium, site, "ru"), Guest(chromium, site, "ru")
    page, said = her.page, []
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    her.context.add_init_script(TELL_VIOLATIONS)
    page.on("console", lambda message: said.append(message.text))
    laptop.come()
    laptop.prove(ZIMINA)
    laptop.is_in()

    page.goto(f"{site.origin}/account/security#browsers")
    her.prove(ZIMINA)
    _browsers(her, laptop)
    _apps(her)
    _activity(her)
    _copy(her, tmp_path)
    _end(her)
    assert not [line for line in said if not line.startswith("Failed to load resource: the server responded with a status of")]
    for guest in (laptop, her):
        guest.context.close()


def _browsers(her: Guest, laptop: Guest) -> None:
    """The lost laptop is signed out."""
    page = her.page
    section = page.locator("section:has(#browsers)")
    expect(section.locator(".rows > li")).to_have_count(2)
    expect(section.locator(".rows > li").first).to_contain_text(her.say("this browser"))
    look(page, "browsers")
    section.locator(".rows").get_by_role("button").click()
    expect(section.locator(".rows > li")).to_have_count(1)
    laptop.come()
    expect(laptop.page.locator("#phone")).to_be_visible()


def _apps(her: Guest) -> None:
    """An app is allowed something, and loses it."""
    page, site = her.page, her.site
    scopes = ["openid", "profile", "phone"]
    other = site.world.party(name="Reports", first_party=False, redirect_uris=[f"{site.origin}/party"], scopes=scopes)
    site.party, shop = other, site.party
    her.come(scope="openid profile phone")
    her.press("Allow")
    her.is_in()
    site.party = shop
    page.goto(f"{site.origin}/account/apps")
    look(page, "apps")
    page.locator("main a.row").click()
    her.headed("Reports")
    look(page, "app")
    her.press("Withdraw access")
    expect(page.locator("main .rows")).to_have_count(0)


def _activity(her: Guest) -> None:
    """All that is told, and what to do when it was somebody else."""
    page, site = her.page, her.site
    page.goto(f"{site.origin}/account/activity")
    for words in ("Signed in with a code to the phone", "Access was withdrawn from %(app)s", "Signed out of a browser: %(browser)s"):
        expect(page.locator("main")).to_contain_text(her.say(words, app="Reports", browser="HeadlessChrome, Linux"))
    look(page, "activity")
    page.locator("main").get_by_role("link", name=her.say("Something here was not you?")).click()
    her.headed("This was not me")
    look(page, "not_me")


def _copy(her: Guest, tmp_path: Path) -> None:
    """The archive opens, and its page is for people."""
    page, site = her.page, her.site
    page.goto(f"{site.origin}/account/data")
    look(page, "data")
    page.locator("main a.row").first.click()
    look(page, "download")
    with page.expect_download() as begun:
        her.press("Download")
    begun.value.save_as(tmp_path / "mine.zip")
    with zipfile.ZipFile(tmp_path / "mine.zip") as packed:
        packed.extractall(tmp_path / "mine")
    copy = her.context.new_page()
    copy.goto((tmp_path / "mine" / "index.html").as_uri())
    copy.emulate_media(color_scheme="dark")
    expect(copy.locator("h1")).to_have_text(her.say("Your data at %(brand)s", brand="Базар ID"))
    copy.set_viewport_size({"width": 360, "height": 740})
    look(copy, "copy")
    copy.close()


def _end(her: Guest) -> None:
    """Asked for, awaited, taken back."""
    page, site = her.page, her.site
    page.goto(f"{site.origin}/account/deletion")
    look(page, "deletion")
    her.press("Delete my ID")
    expect(page.locator("#sure-error")).to_be_visible()
    look(page, "deletion-missed")
    page.locator("#sure").check()
    her.press("Delete my ID")
    expect(page.get_by_role("button", name=her.say("Keep my ID"))).to_be_visible()
    look(page, "deletion-awaited")
    page.goto(f"{site.origin}/account/profile")
    look(page, "profile-awaited")
    her.press("Keep my ID")
    her.press("Keep my ID")
    her.headed("My data")
    with site.world.reads():
        found = users.find_by_phone(ZIMINA)
    assert found is not None
    assert found.deletion_due_at is None
