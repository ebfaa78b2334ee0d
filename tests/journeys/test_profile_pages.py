"""Profile, picture, language, e-mail and number on a phone, in Russian: as somebody goes through them, with real files and a real mailbox.

WCAG 2.2 AA by axe and no sideways scroll at 320 px on each page; the menu works without a script; no policy is violated.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from idp.directory import users
from tests.account.test_profile import file_of
from tests.conftest import Told
from tests.journeys.one_process import Guest, Site, opened
from tests.journeys.test_own_pages import look
from tests.journeys.visitor import TELL_VIOLATIONS
from tests.world import new_phone

pytestmark = pytest.mark.browser

LAZAREVA = "+79005553505"
NEW_MAIL = "lazareva.new@post.example"


@pytest.fixture(scope="module")
def site(chromium: Browser, told: Told) -> Iterator[Site]:
    """The provider and an app."""
    del chromium
    with opened(told) as made:
        yield made


def test_a_person_changes_what_their_id_says(chromium: Browser, site: Site) -> None:
    """Name and picture, language, another address, another number; then the former address takes its change back."""
    her, said = Guest(chromium, site, "ru"), []
    page = her.page
    page.set_viewport_size({"width": 360, "height": 740})
    her.context.add_init_script(TELL_VIOLATIONS)
    page.on("console", lambda message: said.append(message.text))
    with site.world.reads():
        former = str(users.find_by_phone(LAZAREVA).email)  # type: ignore[union-attr]
    page.goto(f"{site.origin}/account")
    her.prove(LAZAREVA)
    her.headed("Profile")
    _profile(her)
    _email(her)
    _phone(her)
    _undo(chromium, site, former)
    page.goto(f"{site.origin}/account/profile")
    expect(page.locator("#phone").or_(page.get_by_role("button").first).first).to_be_visible()
    assert "/login/" in page.url  # signed out by the former address
    assert not [line for line in said if not line.startswith("Failed to load resource: the server responded with a status of")]
    her.context.close()


def _profile(her: Guest) -> None:
    page = her.page
    look(page, "profile")
    page.get_by_role("button", name=her.say("Menu")).click()
    expect(page.locator("#menu")).to_be_visible()
    look(page, "menu")
    page.locator("#menu").get_by_role("button", name=her.say("Close")).click()
    page.locator("#name").fill("")
    her.press("Save")
    expect(page.locator("#name-error")).to_be_visible()
    expect(page.locator("#name")).to_be_focused()
    look(page, "profile-wrong")
    page.locator("#name").fill("Ольга Лазарева")
    page.locator("#birthdate").fill("1988-02-29")
    her.press("Save")
    expect(page.get_by_role("status")).to_have_text(her.say("Saved."))
    look(page, "profile-saved")
    page.locator("main a.row[href='/account/avatar']").click()
    look(page, "avatar")
    page.locator("#picture").set_input_files({"name": "me.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    her.press("Save")
    expect(page.locator("#picture-error")).to_be_visible()
    look(page, "avatar-wrong")
    page.locator("#picture").set_input_files({"name": "me.jpg", "mimeType": "image/jpeg", "buffer": file_of(size=(1200, 900))})
    her.press("Save")
    expect(page.locator("main img.avatar")).to_have_js_property("naturalWidth", 128)
    look(page, "profile-picture")
    page.locator("main a.row[href='/account/language']").click()
    page.locator("#zoneinfo").select_option("Asia/Yekaterinburg")
    look(page, "language")
    her.press("Save")


def _email(her: Guest) -> None:
    page, site = her.page, her.site
    page.goto(f"{site.origin}/account/security")
    look(page, "security")
    page.locator("main a.row[href='/account/email']").click()
    look(page, "email")
    page.locator("#email").fill(NEW_MAIL)
    her.press("Get a code")
    expect(page.locator("#code")).to_be_focused()
    look(page, "email-code")
    _code(her, NEW_MAIL)
    expect(page.get_by_role("status")).to_have_text(her.say("Your address is confirmed."))
    look(page, "security-email")


def _code(her: Guest, to: str) -> None:
    """Typed, as it is read."""
    her.page.locator("#code").press_sequentially(her.site.world.code_for(to))  # what is filled in at once is sent by the page itself
    her.press("Confirm")


def _phone(her: Guest) -> None:
    page, new = her.page, new_phone()
    page.locator("main a.row[href='/account/phone']").click()
    look(page, "phone")
    page.locator("form[action='/account/phone'] button").click()
    _code(her, LAZAREVA)
    page.locator("#phone").fill("12")
    her.press("Get a code")
    expect(page.locator("#phone-error")).to_be_visible()
    look(page, "phone-new-wrong")
    page.locator("#phone").fill(new)
    her.press("Get a code")
    look(page, "phone-code")
    _code(her, new)
    expect(page.get_by_role("status")).to_contain_text("Номер изменён")
    look(page, "security-phone")


def _undo(chromium: Browser, site: Site, former: str) -> None:
    """In a browser that knows nobody: the link from the mail, one button."""
    link = next(message["link"] for message in site.world.inbox(former) if message["link"])
    owner = Guest(chromium, site, "ru")
    page = owner.page
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{site.origin}/account/email/undo/{link.rpartition('/')[2]}")
    assert page.url == f"{site.origin}/account/email/undo"
    look(page, "email_undo")
    owner.press("Undo the change")
    owner.headed("The change is undone")
    look(page, "email_undone")
    with site.world.reads():
        assert users.find_by_email(former) is not None
        assert users.find_by_email(NEW_MAIL) is None
    owner.context.close()
