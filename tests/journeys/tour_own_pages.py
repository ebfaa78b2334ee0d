"""The walk past a person's own pages, by somebody new: what their ID says of them, what apps may see, and a change that is taken back."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from playwright.sync_api import expect

from idp.directory import users
from tests.account.test_profile import file_of
from tests.journeys.device import Device
from tests.journeys.visitor import Look, Visitor
from tests.world import new_phone

ORLOV = "+79005553502"
NAMES = {"ru": "Ева Ким", "en": "Eva Kim", "zh": "金小夏"}


@dataclass(frozen=True)
class Somebody:
    """Who is new on each walk."""

    id: str
    phone: str
    mail: str


def somebody(visitor: Visitor) -> Somebody:
    """They have a number and nothing else; `mail` is for when they want one."""
    phone = new_phone()
    with visitor.stage.world.writes():
        made = users.register(phone, NAMES[visitor.language], visitor.language, "1")
    return Somebody(made.id, phone, f"kim.{secrets.token_hex(4)}@post.example")


def own_pages(visitor: Visitor, look: Look) -> Somebody:
    """Signed in with a code in a browser that could make a passkey; answers who."""
    me = somebody(visitor)
    device = Device(visitor.context, visitor.page)
    visitor.context.clear_cookies()
    visitor.begin("staff")
    visitor.enter(visitor.ask_for_code(me.phone))
    expect(visitor.button(visitor.idp("Create a passkey"))).to_be_visible()
    look("login-passkey_offer")
    visitor.button(visitor.idp("Not now")).click()
    visitor.arrived("staff")
    device.take_away()
    _profile(visitor, look)
    _picture(visitor, look)
    _email(visitor, look, me)
    _phone(visitor, look, me)
    _apps(visitor, look)
    return me


def _profile(visitor: Visitor, look: Look) -> None:
    """What the ID says of them."""
    visitor.own("profile")
    look("account-profile")
    visitor.page.locator("#name").fill("")
    visitor.page.locator("#birthdate").fill("2999-01-01")
    visitor.press("Save", "#name-error")
    look("account-profile-wrong")
    visitor.own("language")
    look("account-language")


def _picture(visitor: Visitor, look: Look) -> None:
    """One that is none, and one that is."""
    given = {"name": "me.jpg", "mimeType": "image/jpeg"}
    visitor.own("avatar")
    look("account-avatar")
    visitor.page.locator("#picture").set_input_files({**given, "buffer": b"no picture"})  # type: ignore[typeddict-item]
    visitor.press("Save", "#picture-error")
    look("account-avatar-wrong")
    visitor.page.locator("#picture").set_input_files({**given, "buffer": file_of()})  # type: ignore[typeddict-item]
    visitor.press("Save", "main img.avatar")
    visitor.own("avatar")
    look("account-avatar-there")


def _email(visitor: Visitor, look: Look, me: Somebody) -> None:
    """The first address, and another one in its place."""
    page = visitor.page
    visitor.own("email")
    look("account-email")
    page.locator("#email").fill("kim@post")
    visitor.press("Get a code", "#email-error")
    look("account-email-wrong")
    page.locator("#email").fill(me.mail)
    visitor.press("Get a code", "#code")
    look("account-code")
    code = visitor.new_code(me.mail)
    visitor.type(str((int(code) + 1) % 10**6).zfill(6))
    visitor.press("Confirm", "#code-error")
    look("account-code-wrong")
    visitor.type(code)
    visitor.press("Confirm", "[role=status]")
    visitor.own("email")
    look("account-email-another")
    page.locator("#email").fill(f"new.{me.mail}")
    visitor.press("Get a code", "#code")
    visitor.type(visitor.new_code(f"new.{me.mail}"))
    visitor.press("Confirm", "[role=status]")


def _phone(visitor: Visitor, look: Look, me: Somebody) -> None:
    """Another number, as far as the field for it."""
    page, known = visitor.page, visitor.codes(me.phone)
    visitor.own("phone")
    look("account-phone")
    page.locator("form[action='/account/phone'] button").click()
    expect(page.locator("#code")).to_be_visible()
    look("account-code-phone")
    visitor.type(visitor.new_code(me.phone, known))
    visitor.press("Confirm", "#phone")
    look("account-phone_new")
    page.locator("#phone").fill("12 34")
    visitor.press("Get a code", "#phone-error")
    look("account-phone_new-wrong")


def _apps(visitor: Visitor, look: Look) -> None:
    """One that is ours, and one that was allowed something."""
    visitor.begin("partner")
    visitor.press("Allow", ".menu .who")
    visitor.own("apps")
    look("account-apps-two")
    visitor.own("apps/partner")
    look("account-app")
    visitor.own("apps/staff")
    look("account-app-ours")


def taken_back(visitor: Visitor, look: Look, me: Somebody) -> None:
    """The former address undoes its change, which signs everybody out."""
    visitor.page.goto(visitor.new_link(me.mail))
    look("account-email_undo")
    visitor.press("Undo the change", "main a.primary")
    look("account-email_undone")


def vouch(visitor: Visitor, look: Look, code: str) -> None:
    """An administrator was read the code of a colleague who has lost their phone."""
    page = visitor.page
    visitor.context.clear_cookies()
    visitor.own("vouch")
    visitor.enter(visitor.ask_for_code(ORLOV))
    expect(page.locator("nav.menu")).to_have_count(1)
    page.goto(f"{visitor.stage.provider}/language?to={visitor.language}&next=/account/vouch")  # whoever is in the story speaks Russian
    look("account-vouch")
    page.locator("#code").fill("aaaa-aaaa")
    visitor.press("Go on", "#code-error")
    look("account-vouch-wrong")
    page.locator("#code").fill(code)
    visitor.press("Go on", "button[value=vouch]")
    look("account-vouch_person")
    visitor.press("It is them: I vouch", "main p > a[href='/account/security']")
    look("account-vouch_person-done")
