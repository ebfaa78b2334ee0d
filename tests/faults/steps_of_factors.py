"""What may die in the middle, once more: an authenticator app and recovery codes, made, used and taken off."""

from __future__ import annotations

import httpx2

from idp.oidc.reset_factors import reset_factors
from tests.account.lab import entered
from tests.account.test_authenticator import SET_UP, secret_on
from tests.credentials.factors import code_of, make_codes, set_up, wrong_code
from tests.faults.crash import Step
from tests.faults.steps import COUNTED, KNOWN, Act, _at_code, _doing, _id_of, _sending
from tests.login.http_lab import base_of
from tests.world import Browser, World

COUNTED_FOR_A_SIGN_IN = COUNTED | {"limits": {"tries"}}


def _owner(world: World) -> str:
    with world.reads():
        return _id_of(KNOWN)


def _at(world: World, factor: str) -> tuple[Browser, httpx2.Response]:
    browser, _, page = _at_code(world, KNOWN)
    page = browser.onward(browser.submit(page, code=world.code_for(KNOWN), remember="on"))
    return browser, browser.get(f"{base_of(page)}/{factor}")


def confirm_authenticator(world: World) -> Act:
    """The first right code: the app counts, and other browsers are signed out."""
    browser, page = entered(world, SET_UP, phone=KNOWN)
    return _sending(browser.filled(page, code=code_of(secret_on(page))))


def remove_authenticator(world: World) -> Act:
    """It is taken off, and other browsers are signed out."""
    browser, page = entered(world, SET_UP, phone=KNOWN)
    browser.submit(page, code=code_of(secret_on(page)))
    return _sending(browser.pressed(browser.get("/account/authenticator"), "/remove"))


def right_app_code(world: World) -> Act:
    """Proved by both: the step is used up, session, trusted browser."""
    secret = set_up(world, _owner(world))
    browser, page = _at(world, "totp")
    return _sending(browser.filled(page, code=code_of(secret.text)))


def wrong_app_code(world: World) -> Act:
    """A guess."""
    secret = set_up(world, _owner(world))
    browser, page = _at(world, "totp")
    return _sending(browser.filled(page, code=wrong_code(secret.text)))


def right_recovery_code(world: World) -> Act:
    """One of the ten is used up, session, trusted browser."""
    set_up(world, _owner(world))
    code = make_codes(world, _owner(world))[0]
    browser, page = _at(world, "recovery_code")
    return _sending(browser.filled(page, code=code))


def make_recovery_codes(world: World) -> Act:
    """Ten new ones in the place of ten."""
    make_codes(world, _owner(world))
    browser, page = entered(world, "/account/recovery_codes", phone=KNOWN)
    return _sending(browser.pressed(page, "/account/recovery_codes"))


def take_off_all(world: World) -> Act:
    """Support lets somebody in again who has lost everything."""
    user_id = _owner(world)
    set_up(world, user_id)
    make_codes(world, user_id)
    return _doing(lambda: reset_factors(user_id, "seen with a passport"))


STEPS_OF_FACTORS = (
    Step("confirm authenticator", confirm_authenticator),
    Step("remove authenticator", remove_authenticator),
    Step("right app code", right_app_code, uneven=COUNTED_FOR_A_SIGN_IN),
    Step("wrong app code", wrong_app_code, uneven=COUNTED_FOR_A_SIGN_IN | {"events": {"details"}}),
    Step("right recovery code", right_recovery_code, uneven=COUNTED_FOR_A_SIGN_IN),
    Step("make recovery codes", make_recovery_codes, uneven={"limits": {"tries"}}),
    Step("reset factors", take_off_all),
)
