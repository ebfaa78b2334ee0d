"""Wrong input in every field of a person's own pages: an error beside the field, the focus on it, nothing typed is lost.

`pages.md` §2.15, WCAG 3.3.1; without a script, as everything here. The pages of signing in: `tests/login/test_http_wrong_input.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx2

from tests.account.lab import ANNA, entered
from tests.account.test_passkeys import ADD, add
from tests.account.test_phone import at_new_number, wrong
from tests.account.test_profile import upload
from tests.authenticator import Authenticator
from tests.login.password_lab import NEW, SECRET
from tests.login.test_http_wrong_input import TICKS, look, parsed, with_fields
from tests.world import Browser, World, new_phone

ORLOV, ZIMIN = "+79005553502", "+79005553510"
NEW_NUMBER, NEW_MAIL = new_phone(7), "anna.new@example.org"
Opened = tuple[Browser, httpx2.Response]


def at(path: str, phone: str = ANNA) -> Callable[[World], Opened]:
    """A page, right after a proof."""
    return lambda world: entered(world, path, phone=phone)


def at_email_code(world: World) -> Opened:
    """A code went to the address."""
    browser, page = entered(world, "/account/email")
    return browser, browser.onward(browser.submit(page, email=NEW_MAIL))


def at_former_code(world: World) -> Opened:
    """A code went to the number that the ID has."""
    browser, page = entered(world, "/account/phone")
    return browser, browser.onward(browser.press(page, "/account/phone"))


def at_new_code(world: World) -> Opened:
    """A code went to the new number."""
    browser, page = at_new_number(world, ORLOV)
    return browser, browser.onward(browser.submit(page, phone=NEW_NUMBER))


def at_passkey(world: World) -> Opened:
    """The name of a passkey."""
    browser, page = entered(world, ADD, phone=ZIMIN)
    return browser, add(browser, page, Authenticator())


EITHER_WAY = {"sign_out", "gender"}  # whatever comes of a tick is right, and of a choice that stays as it was
MALFORMED = [("code", {"code": typed}) for typed in ("", "12", "1234567", "12a456", '"><b>')]
# page (its template, and after a plus which state of it): the way there, and its fields with something wrong in them
WRONG: dict[str, tuple[Callable[[World], Opened], list[tuple[str, dict[str, str]]]]] = {
    "profile": (
        at("/account/profile"),
        [
            ("name", {"name": " ", "birthdate": "2999-01-01", "locality": "Тула"}),
            ("family_name", {"name": "Анна", "family_name": "x" * 300, "middle_name": '"><b>', "birthdate": "yesterday"}),
            ("given_name", {"given_name": "x" * 300}),
            ("middle_name", {"middle_name": "x" * 300, "country": "x" * 400}),
            ("birthdate", {"birthdate": "1990-13-31", "street_address": "x" * 400}),
            *((name, {name: "x" * 400}) for name in ("street_address", "locality", "region", "postal_code", "country")),
        ],
    ),
    "language": (at("/account/language"), [("locale", {"locale": "xx"}), ("zoneinfo", {"zoneinfo": "Mars/Base"})]),
    "avatar": (at("/account/avatar"), [("picture", {"picture": ""})]),
    "email": (at("/account/email"), [("email", {"email": typed}) for typed in ("", "anna", "a@b", '"><b>', "x" * 300 + "@example.org")]),
    "code+email": (at_email_code, [*MALFORMED, ("code", {"code": NEW_MAIL})]),
    "code+former": (at_former_code, [*MALFORMED, ("code", {"code": ANNA})]),
    "code+new": (at_new_code, [*MALFORMED, ("code", {"code": NEW_NUMBER})]),
    "phone_new": (at_new_number, [("phone", {"phone": typed}) for typed in ("", "12 34", ANNA, '"><b>')]),
    "password": (
        at("/account/password"),
        [
            ("password", {"password": "short", "password_again": "short"}),
            ("password", {"password": "", "password_again": NEW}),
            ("password_again", {"password": NEW, "password_again": SECRET}),
        ],
    ),
    "authenticator_set_up": (at("/account/authenticator/set_up"), MALFORMED),
    "passkey": (at_passkey, [("name", {"name": ""}), ("name", {"name": "x" * 300})]),
    "vouch": (at("/account/vouch"), [("code", {"code": typed}) for typed in ("", "aaaa-aaaa", '"><b>')]),
    "deletion": (at("/account/deletion", ZIMIN), [("sure", {"sure": ""})]),
}


def test_every_page_is_here() -> None:
    """A template with a field that somebody adds gets its cases in WRONG."""
    assert {page.partition("+")[0] for page in WRONG} == with_fields("account")


def test_wrong_input(world: World) -> None:
    """One page after the other, each with everything that is wrong in it."""
    for page, (opened, cases) in sorted(WRONG.items(), key=lambda each: each[0] == "passkey"):  # who has one proves it everywhere else
        browser, form = opened(world)
        assert form.status_code == 200, (page, form.text)
        there = {field.get("name") for field in parsed(form).iter() if field.tag in {"input", "select"} and field.get("type") != "hidden"}
        assert there - {blamed for blamed, _ in cases} <= EITHER_WAY, page
        for blamed, typed in cases:
            sent = typed
            if typed.get("code", "") in {NEW_MAIL, NEW_NUMBER, ANNA}:
                sent = {"code": wrong(world.code_for(typed["code"]))}
            answer = browser.submit(form, **sent)
            assert answer.status_code == 422, (page, typed)
            choices = {"locale", "zoneinfo"}  # none of theirs was chosen
            look(parsed(answer), blamed, {name: value for name, value in sent.items() if value or name not in TICKS}, set(sent) - choices)


def test_a_file_that_is_no_picture(world: World) -> None:
    """Said beside the field; a file cannot be shown again."""
    browser, _ = entered(world, "/account/avatar")
    answer = upload(browser, b"%PDF-1.7")
    assert answer.status_code == 422
    look(parsed(answer), "picture", {}, set())
