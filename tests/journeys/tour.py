"""A walk past every page of the provider and the portals, as somebody meets them: `tour` stops at each and calls `look` with its name.

The tests look with axe, `make screens` with a camera.
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

import sqlalchemy as sa
from playwright.sync_api import expect

from idp import clock
from idp.db.columns import table
from idp.db.session import session
from idp.delegation.tables import Consent
from idp.directory import users
from idp.directory.tables import User
from idp.login import flow, sending
from idp.login.policy import Demand
from tests.credentials.factors import make_codes, set_up
from tests.journeys.rungs import HEADINGS, says
from tests.journeys.tour_devices import devices
from tests.journeys.tour_own_pages import own_pages, taken_back, vouch
from tests.journeys.tour_own_proofs import PROVIDERS, own_proofs
from tests.journeys.tour_rare_sign_ins import rare_sign_ins
from tests.journeys.visitor import ROMASHKA, Look, Visitor
from tests.world import new_phone

ANNA, KARIMOV = "+79005553501", "+79005553507"
ZIMIN, ZIMIN_MAIL = "+79005553510", "zimin@post.example"
# Whoever walks needs them: a ladder with all rungs, that begins with a flash call for some, and who is silent soon.
SETTINGS: dict[str, dict[str, object]] = {
    "login": {"silent_after": 2},
    "messages": {"ladder": {"default": ["sms", "voice", "email"], "7902": ["flash_call", "sms", "voice", "email"]}},
    "providers": PROVIDERS,
    "brand": {"support_email": "help@bazar.example", "support_phone": "+78005553535"},
}


def tour(visitor: Visitor, look: Look) -> None:
    """All of it, in one browser; it can be walked again on the same stage."""
    with visitor.stage.world.writes():
        session.execute(sa.delete(table(Consent)))
    _sign_in(visitor, look)
    _seller_portal(visitor, look)
    _other_portals(visitor, look)
    devices(visitor, look)
    _people_and_sign_out(visitor, look)
    _sign_up(visitor, look)
    _blocked(visitor, look)
    _own_pages(visitor, look)
    _ladder(visitor, look)
    _changed_hands(visitor, look)
    _further_factors(visitor, look)
    vouch(visitor, look, _lost_phone(visitor, look))
    me = own_pages(visitor, look)
    own_proofs(visitor, look, me)
    taken_back(visitor, look, me)
    rare_sign_ins(visitor, look)
    _astray(visitor, look)


def _sign_in(visitor: Visitor, look: Look) -> None:
    page = visitor.page
    visitor.open("seller")
    look("seller-landing")
    visitor.begin("seller")
    look("login-identify")
    page.locator("#phone").fill("12 34")
    visitor.button(visitor.idp("Get a code")).click()
    expect(page.locator("#phone-error")).to_be_visible()
    look("login-identify-wrong")
    _password(visitor, look)
    _earning(visitor, look)
    code = visitor.ask_for_code(ANNA)
    look("login-phone_code")
    visitor.enter("000000" if code != "000000" else "111111")
    expect(page.locator("#code-error")).to_be_visible()
    look("login-phone_code-wrong")
    visitor.enter(code)
    expect(page.locator("form[action$='/account']").first).to_be_visible()
    look("oidc-account")
    visitor.choose(ROMASHKA)
    visitor.arrived("seller")


def _password(visitor: Visitor, look: Look) -> None:
    """The page of the password, a wrong one, and the first pages of a forgotten one."""
    page, identify = visitor.page, visitor.page.url
    visitor.link(visitor.idp("Sign in with e-mail and password")).click()
    expect(page.locator("#password")).to_be_visible()
    look("login-password")
    page.locator("#login").fill("anna@post.example")
    page.locator("#password").fill("not it at all")
    visitor.button(visitor.idp("Sign in")).click()
    expect(page.locator("#password-error")).to_be_visible()
    look("login-password-wrong")
    visitor.link(visitor.idp("Forgotten password")).click()
    page.locator("#login").fill("anna@post.example")
    look("login-reset")
    visitor.button(visitor.idp("Get a code")).click()
    expect(page.locator("#code")).to_be_visible()
    look("login-reset_code")
    page.goto(identify)


def _earning(visitor: Visitor, look: Look) -> None:
    """The page of somebody whose browser has to work for the code, with a worker that never comes to an end."""
    page = visitor.page
    identify = page.url
    with visitor.stage.world.writes():
        sending.await_work(flow.Flow(identify.split("/")[4], "/", Demand(clock.now()), clock.now()), ANNA, None)
    page.route("**/proof-of-work-worker.js*", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(identify.replace("identify", "proof_of_work"))
    expect(page.locator("[data-status]")).not_to_be_empty()
    look("login-proof_of_work")
    page.unroute("**/proof-of-work-worker.js*")
    page.goto(identify)


def _seller_portal(visitor: Visitor, look: Look) -> None:
    page = visitor.page
    look("seller-overview")
    page.locator(".switcher summary").click()
    look("seller-switcher")
    visitor.open("seller", "/finance")
    look("seller-finance")
    visitor.open("seller", "/orders")
    look("seller-forbidden")
    visitor.open("seller")
    page.locator(".switcher summary").click()
    page.locator(".switcher button.row").first.click()
    expect(page.locator(".menu > ul").first.locator("a")).to_have_count(9)
    for section in ("orders", "products", "logistics", "employees", "company"):
        visitor.open("seller", f"/{section}")
        look(f"seller-{section}")
    visitor.open("seller", "/nowhere")
    look("seller-not-found")


def _other_portals(visitor: Visitor, look: Look) -> None:
    page = visitor.page
    visitor.open("staff")
    look("staff-landing")
    visitor.begin("staff")
    visitor.arrived("staff")
    look("staff-home")
    visitor.begin("partner")
    visitor.choose(ROMASHKA)
    expect(page.locator("form[action$='/consent']")).to_be_visible()
    look("oidc-consent")
    visitor.button(visitor.idp("Refuse")).click()
    expect(page.locator(".facts code")).to_be_visible()
    look("partner-refused")
    visitor.begin("partner")
    page.locator("button.row").last.click()
    expect(page.locator("form[action$='/consent']")).to_be_visible()
    look("oidc-consent-personal")
    page.locator("main a.row").click()
    expect(page.locator("form[action$='/people']")).to_be_visible()
    look("login-people")
    visitor.link(visitor.idp("Remove someone from the list")).click()
    look("login-people-removing")
    visitor.begin("partner")
    visitor.choose(ROMASHKA)
    visitor.button(visitor.idp("Allow")).click()
    visitor.arrived("partner")
    look("partner-home")


def _people_and_sign_out(visitor: Visitor, look: Look) -> None:
    page, provider = visitor.page, visitor.stage.provider
    page.goto(f"{provider}/end_session?client_id=partner")
    look("oidc-end_session")
    visitor.button(visitor.idp("Sign out")).click()
    expect(page.locator("h2")).to_be_visible()
    look("oidc-signed_out")
    visitor.open("staff")
    expect(visitor.heading).to_have_text(visitor.portal("You have been signed out"))
    look("staff-signed-out-elsewhere")
    visitor.open("staff", "/signed-out")
    look("staff-signed-out")


def _sign_up(visitor: Visitor, look: Look) -> None:
    page = visitor.page
    visitor.begin("staff")
    visitor.link(visitor.idp("Another number")).click()
    expect(page.locator("#phone")).to_be_visible()
    look("login-identify-another")
    visitor.enter(visitor.ask_for_code(new_phone()))
    expect(page.locator("#name")).to_be_visible()
    look("login-register")
    visitor.button(visitor.idp("Create the ID and sign in")).click()
    expect(page.locator("#name-error")).to_be_visible()
    look("login-register-wrong")
    page.locator("#name").fill({"ru": "Вера Новикова", "en": "Vera Novikova", "zh": "王小梅"}[visitor.language])
    page.locator("#terms").check()
    visitor.button(visitor.idp("Create the ID and sign in")).click()
    visitor.arrived("staff")
    look("staff-home-empty")
    visitor.begin("seller")
    expect(visitor.heading).to_have_text(visitor.idp("Your ID has no company yet"))
    look("oidc-no_account")


def _blocked(visitor: Visitor, look: Look) -> None:
    """A company that may not be entered, and five wrong codes."""
    visitor.link(visitor.idp("Sign in with another number")).click()
    visitor.link(visitor.idp("Another number")).click()
    code = visitor.ask_for_code(KARIMOV)
    for guess in range(1, 6):
        visitor.enter(str((int(code) + guess) % 10**6).zfill(6))
        expect(visitor.page.locator("#code-error")).to_contain_text(str(5 - guess) if guess < 5 else re.compile("."))
    look("login-phone_code-over")
    known = visitor.codes(KARIMOV)
    visitor.page.locator("button[data-ready]").first.click()
    visitor.enter(visitor.new_code(KARIMOV, known))
    expect(visitor.page.locator("[aria-disabled=true]").first).to_be_visible()
    look("oidc-account-blocked")


def _own_pages(visitor: Visitor, look: Look) -> None:
    """Who is signed in looks at their ID; the pages are walked in the dark, too, by `test_own_pages`."""
    page = visitor.page
    for name in ("security", "apps", "activity", "not_me", "data", "data/archive", "deletion"):
        page.goto(f"{visitor.stage.provider}/language?to={visitor.language}&next=/account/{name}")  # whoever is in the story speaks Russian
        expect(page.locator("nav.menu")).to_have_count(1)
        look("account-download" if name == "data/archive" else f"account-{name}")


def _changed_hands(visitor: Visitor, look: Look) -> None:
    """A number whose ID was silent for long: the question, the form of a fresh ID, a wrong code from the e-mail and the right one."""
    with visitor.stage.world.writes():
        ago = {name: clock.now() - timedelta(days=365) for name in ("created_at", "last_sign_in_at", "phone_verified_at")}
        session.execute(sa.update(table(User)).where(table(User).c.phone == ZIMIN).values(ago))
    visitor.context.clear_cookies()
    page = visitor.page
    visitor.begin("staff")
    visitor.enter(visitor.ask_for_code(ZIMIN))
    expect(page.locator("button[value=anew]")).to_be_visible()
    look("login-further_proof")
    visitor.button(visitor.idp("Begin a fresh ID")).click()
    expect(page.locator("#name")).to_be_visible()
    look("login-register-anew")
    page.go_back()
    known = visitor.codes(ZIMIN_MAIL)
    visitor.button(visitor.idp("Send a code by e-mail")).click()
    expect(page.locator("#code")).to_be_visible()
    look("login-email_code")
    code = visitor.new_code(ZIMIN_MAIL, known)
    visitor.enter(str((int(code) + 1) % 10**6).zfill(6))
    expect(page.locator("#code-error")).to_be_visible()
    look("login-email_code-wrong")
    visitor.enter(code)
    visitor.arrived("staff")


def _further_factors(visitor: Visitor, look: Look) -> None:
    """Somebody with an authenticator app in a new browser: its code, a recovery code instead, and how many of those are left."""
    page, phone = visitor.page, new_phone()
    with visitor.stage.world.writes():
        user_id = users.register(phone, "Ева Ким", visitor.language, "1").id
    set_up(visitor.stage.world, user_id)
    codes = make_codes(visitor.stage.world, user_id)
    visitor.context.clear_cookies()
    visitor.begin("staff")
    visitor.enter(visitor.ask_for_code(phone))
    expect(page.locator("a[href$='/totp']")).to_be_visible()
    look("login-further_proof-app")
    page.locator("a[href$='/totp']").click()
    expect(page.locator("#code")).to_be_visible()
    look("login-totp")
    page.goto(page.url.replace("totp", "help?about=app&from=totp"))
    look("login-help-app")
    page.goto(re.sub("help.*", "recovery_code", page.url))
    look("login-recovery_code")
    visitor.enter("0000")
    expect(page.locator("#code-error")).to_be_visible()
    look("login-recovery_code-wrong")
    visitor.enter(codes[0])
    expect(page.locator("a[href='/account/recovery_codes']")).to_be_visible()
    look("login-recovery_code_left")
    visitor.link(visitor.idp("Continue")).click()
    visitor.arrived("staff")


def _lost_phone(visitor: Visitor, look: Look) -> str:
    """Which ID, which new number, its code; the ways, of which a stranger can prove none; and a code that two administrators are read.
    Answers that code.
    """
    page, new = visitor.page, new_phone()
    visitor.context.clear_cookies()
    visitor.begin("staff")
    page.goto(page.url.replace("identify", "recover"))
    visitor.button(visitor.idp("Get a code")).click()
    expect(page.locator("#login-error")).to_be_visible()
    look("login-recover-wrong")
    page.locator("#login").fill(ANNA)
    page.locator("#phone").fill(new)
    known = visitor.codes(new)
    visitor.button(visitor.idp("Get a code")).click()
    expect(page.locator("#code")).to_be_visible()
    look("login-recover_code")
    page.locator("#code").press_sequentially(visitor.new_code(new, known))
    visitor.button(visitor.idp("Go on")).click()
    expect(page.locator("button[value=vouched]")).to_be_visible()
    look("login-recover_ways")
    page.locator("button[value=browser]").click()
    expect(page.get_by_role("alert")).to_be_visible()
    look("login-recover_ways-refused")
    page.locator("button[value=email]").click()
    expect(page.locator("#code")).to_be_visible()
    look("login-recover_email")
    visitor.link(visitor.idp("Another way")).click()
    page.locator("button[value=vouched]").click()
    expect(page.locator("dl.facts")).to_be_visible()
    look("login-recover_state")
    return page.locator(".notice .mono").inner_text()


def _ladder(visitor: Visitor, look: Look) -> None:
    """Up the ladder, rung by rung; help on the way, and a blocked ID at the end."""
    page, phone = visitor.page, f"+7902{secrets.randbelow(10**7):07d}"
    with visitor.stage.world.writes():
        users.block(users.register(phone, "Blocked", "ru", "1").id, "fraud")
    page.goto(f"{visitor.stage.provider}/end_session")
    visitor.button(visitor.idp("Sign out")).click()
    expect(page.locator("form[action*=end_session]")).to_have_count(0)
    visitor.begin("staff")
    visitor.link(visitor.idp("Another number")).click()
    code = visitor.ask_for_code(phone)
    look("login-phone_code-flash_call")
    for following in ("sms", "voice", "email"):
        if following == "voice":
            says(visitor, "sent")
            expect(page.locator("#news")).not_to_be_empty()
            look("login-phone_code-silent")
        says(visitor, "failed", "absent_subscriber")
        page.reload()
        expect(page.locator("#ways .button")).to_be_visible()
        if following == "sms":
            look("login-phone_code-failed")
        page.locator("#ways .button").click()
        expect(visitor.heading).to_have_text(visitor.idp(HEADINGS[following]))
        look(f"login-phone_code-{following}")
    visitor.button(visitor.idp("What became of the code")).click()
    expect(page.locator(".rows")).to_be_visible()
    look("login-receipts")
    for about in ("code", "number", "password", "locked", "linked"):
        page.goto(re.sub(r"/phone_code/receipts|/help.*", "", page.url) + f"/help?about={about}&from=phone_code")
        look(f"login-help-{about}")
    page.goto(re.sub(r"/help.*", "/phone_code", page.url))
    visitor.enter(code)
    expect(visitor.link(visitor.idp("What can I do now?"))).to_be_visible()
    look("errors-blocked")


def _astray(visitor: Visitor, look: Look) -> None:
    page, provider = visitor.page, visitor.stage.provider
    page.goto(f"{provider}/authorize?client_id=partner&redirect_uri=https://stranger.example/&response_type=code")
    look("errors-refusal")
    page.route("**/form-post.js*", lambda route: route.fulfill(body="", content_type="text/javascript"))
    back = f"{visitor.stage.portals['partner']}/callback"
    page.goto(
        f"{provider}/authorize?client_id=partner&redirect_uri={back}&response_type=code&response_mode=form_post"
        f"&scope=openid&nonce=n&prompt=none&ui_locales={visitor.language}"
    )
    expect(page.locator(f"form[action='{back}']")).to_be_visible()
    look("oidc-form_post")
    page.unroute("**/form-post.js*")
    page.goto(f"{provider}/login/flw_00000000000000000000000000")
    look("errors-gone")
    page.goto(f"{provider}/nowhere")
    look("errors-not-found")
    page.goto(f"{provider}/dev/inbox")
    look("messages-inbox")
    page.goto(f"{provider}/dev/inbox?to=nobody@post.example")
    look("messages-inbox-nothing")
