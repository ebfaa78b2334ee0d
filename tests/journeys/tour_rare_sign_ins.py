"""The walk past what few meet while they sign in: a forgotten password, a change of the number that waits, what is to be linked first."""

from __future__ import annotations

import secrets

from playwright.sync_api import expect

from idp import clock
from idp.cli.demo_story import COMPANIES, PERSONS_PASSWORD, STORES_PASSWORD
from idp.credentials import password, recoveries, social
from idp.credentials.social import Claimed
from idp.directory import companies, employees, roles, users
from idp.login import flow_row
from idp.login.policy import Demand
from tests.journeys.tour_own_pages import Somebody, somebody
from tests.journeys.tour_own_proofs import THERE
from tests.journeys.visitor import Look, Visitor
from tests.world import new_phone


def rare_sign_ins(visitor: Visitor, look: Look) -> None:
    """By somebody new, who has an address and a password."""
    me = somebody(visitor)
    with visitor.stage.world.writes():
        users.confirm_email(me.id, me.mail)
        password.keep(me.id, PERSONS_PASSWORD.digest, user_id=me.id, reason="set")
    _forgotten(visitor, look, me)
    _recovery_waits(visitor, look, me)
    _known_elsewhere(visitor, look, me)
    _a_store(visitor, look, me)


def _begin(visitor: Visitor, portal: str) -> str:
    """A sign-in of a browser that knows nobody; answers its id."""
    visitor.context.clear_cookies()
    return visitor.begin(portal).url.split("/")[4]


def _forgotten(visitor: Visitor, look: Look, me: Somebody) -> None:
    """The code of the e-mail, and a new password that is none."""
    _begin(visitor, "staff")
    page = visitor.page
    page.goto(page.url.replace("identify", "reset"))
    page.locator("#login").fill(me.mail)
    visitor.press("Get a code", "#code")
    visitor.type(visitor.new_code(me.mail))
    visitor.press("Next", "#password_again")
    look("login-reset_password")
    page.locator("#password").fill("12345")
    page.locator("#password_again").fill("123456")
    visitor.press("Set the password", "#password_again-error")
    look("login-reset_password-wrong")


def _recovery_waits(visitor: Visitor, look: Look, me: Somebody) -> None:
    """Somebody has asked for another number: the owner is asked at the next sign-in, and stops it by the link of the notice."""
    flow_id, phone = _begin(visitor, "staff"), new_phone()
    with visitor.stage.world.writes():
        case = recoveries.open_for(flow_id, me.mail, phone, phone_code_id="")
        recoveries.note(case, phone_proved_at=clock.now())
        recoveries.begin(recoveries.get(case.id), recoveries.EMAIL)
    visitor.enter(visitor.ask_for_code(me.phone))
    expect(visitor.page.locator("button[value=mine]")).to_be_visible()
    look("login-recover_asked")
    visitor.page.goto(visitor.new_link(me.mail))
    look("login-recover_link")
    visitor.press("It was not me: stop it", "main > a.primary")
    look("login-recover_link-stopped")


def _known_elsewhere(visitor: Visitor, look: Look, me: Somebody) -> None:
    """They came back from another provider, which named somebody whom nobody here is linked to."""
    flow_id = _begin(visitor, "staff")
    with visitor.stage.world.writes():
        asked = social.begin("google", "nobody's", flow_id=flow_id)
        social.keep_found(asked.id, Claimed(THERE, me.id, "Eva"))
        flow_row.write(flow_row.Flow(flow_id, "/", Demand(clock.now()), clock.now()), social_request_id=asked.id)
    visitor.enter(visitor.ask_for_code(me.phone))
    expect(visitor.page.locator("button[value=skip]")).to_be_visible()
    look("login-social")


def _a_store(visitor: Visitor, look: Look, me: Somebody) -> None:
    """An account that is nobody's yet: its password, the code to its address, phone and code, and the question to which ID."""
    page, mail = visitor.page, f"kassa.{secrets.token_hex(4)}@romashka.example"
    with visitor.stage.world.writes():
        company = companies.find_by_inn(COMPANIES[0].inn)
        assert company is not None
        employee = employees.add(company.id, [roles.built_in("warehouse_operator")], login_email=mail, name="Касса")
        password.keep(employee.account_id, STORES_PASSWORD.digest, user_id=None, reason="set")
    _begin(visitor, "seller")
    visitor.link(visitor.idp("Sign in with e-mail and password")).click()
    page.locator("#login").fill(mail)
    page.locator("#password").fill(STORES_PASSWORD.text)
    visitor.press("Sign in", "#code")
    look("login-password_address")
    code = visitor.new_code(mail)
    visitor.type(str((int(code) + 1) % 10 ** len(code)).zfill(len(code)))
    visitor.press("Confirm", "#code-error")
    look("login-password_address-wrong")
    visitor.type(code)
    visitor.press("Confirm", "#phone")
    look("login-identify-to-link")
    visitor.enter(visitor.ask_for_code(me.phone))
    expect(page.locator("button[value=link]")).to_be_visible()
    look("login-link")
