"""What may die in the middle of a changed profile: a picture, an address and the way back from it, another number."""

from __future__ import annotations

import httpx2

from tests.account.test_profile import file_of
from tests.faults.crash import Step
from tests.faults.steps import COUNTED, KNOWN, KNOWN_MAIL, Act, _sending, _signed_in
from tests.login.http_lab import token_of
from tests.world import ISSUER, Browser, World

NEW, NEW_MAIL = "+79015550001", "zimina.new@post.example"
COUNTED_MAIL = COUNTED | {"email_codes": {"tries"}}


def _in(world: World) -> Browser:
    browser, _ = _signed_in(world)
    return browser


def _at_mail_code(world: World) -> tuple[Browser, Act]:
    browser = _in(world)
    page = browser.onward(browser.submit(browser.go("/account/email"), email=NEW_MAIL))
    return browser, _sending(browser.filled(page, code=world.code_for(NEW_MAIL)))


def change_profile(world: World) -> Act:
    """Name and address."""
    browser = _in(world)
    return _sending(browser.filled(browser.go("/account/profile"), name="Зимина Другая", locality="Тула"))


def change_language(world: World) -> Act:
    """Language and time zone."""
    browser = _in(world)
    return _sending(browser.filled(browser.go("/account/language"), locale="zh", zoneinfo="Asia/Shanghai"))


def _picture(browser: Browser) -> httpx2.Request:
    token = token_of(browser.go("/account/avatar"))
    request = browser.build_request("POST", f"{ISSUER}/account/avatar", data={"csrf_token": token}, files={"picture": ("x", file_of())})
    request.read()
    return request


def keep_picture(world: World) -> Act:
    """A picture in the place of what was there: it commits before it is drawn."""
    return _sending(_picture(_in(world)))


def remove_picture(world: World) -> Act:
    """It is gone."""
    browser = _in(world)
    assert browser.send(_picture(browser)).status_code == 303
    return _sending(browser.pressed(browser.go("/account/avatar"), "/avatar/remove"))


def ask_for_address(world: World) -> Act:
    """A code goes out."""
    browser = _in(world)
    return _sending(browser.filled(browser.go("/account/email"), email=NEW_MAIL))


def change_address(world: World) -> Act:
    """The right code: the address, the mail to the former one with its link."""
    return _at_mail_code(world)[1]


def undo_address(world: World) -> Act:
    """The former address takes it back."""
    _, change = _at_mail_code(world)
    change(world)
    link = next(str(message["link"]) for message in world.inbox(KNOWN_MAIL) if message["link"])
    owner = world.browser()
    return _sending(owner.pressed(owner.go(link.removeprefix(ISSUER)), "/email/undo"))


def remove_address(world: World) -> Act:
    """It is gone, and can be taken back."""
    browser = _in(world)
    return _sending(browser.pressed(browser.go("/account/email"), "/email/remove"))


def change_number(world: World) -> Act:
    """The code to the new number: everything ends, and here a session begins."""
    browser = _in(world)
    page = browser.onward(browser.press(browser.go("/account/phone"), "/account/phone"))
    page = browser.onward(browser.submit(page, code=world.code_for(KNOWN)))
    page = browser.onward(browser.submit(page, phone=NEW))
    return _sending(browser.filled(page, code=world.code_for(NEW)))


STEPS_OF_PROFILE = (
    Step("change the profile", change_profile),
    Step("keep a picture", keep_picture, uneven={"limits": {"tries"}}),
    Step("change the language", change_language),
    Step("remove a picture", remove_picture),
    Step("ask for another address", ask_for_address),
    Step("change the address", change_address, uneven=COUNTED_MAIL),
    Step("undo the address", undo_address),
    Step("remove the address", remove_address),
    Step("change the number", change_number, uneven=COUNTED),
)
