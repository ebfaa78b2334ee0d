"""What may die in the middle: every step of every flow, from the first request to a command of the operator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import httpx2
import sqlalchemy as sa

from idp import clock, keyring, schedule
from idp.cli import demo_story, worker
from idp.clock import freeze
from idp.db.session import session
from idp.delegation import clients
from idp.directory import accounts, employees, invitations, roles
from idp.directory.tables import User
from idp.errors import Refusal
from idp.login import flow, sending
from idp.login.policy import Demand
from idp.oidc.change_phone import change_phone
from tests.faults.crash import Step
from tests.messages.pumping import solve
from tests.world import Browser, Party, World, answer_of

KNOWN, KNOWN_MAIL, NEW = "+79005553509", "zimina@post.example", "+79015550000"
LAZAREVA = "+79005553505"
ANNA = "+79005553501"  # five accounts
COUNTED = {"phone_codes": {"tries"}, "phone_guesses": {"recent", "in_a_row"}}
LEASED = {"outbox": {"attempts", "lease", "leased_until"}}
Act = Callable[[World], str]


def _sending(request: httpx2.Request) -> Act:
    """Send this very request in whichever world; says the status and where it leads."""

    def act(world: World) -> str:
        answer = world.browser().send(request)
        to = urlsplit(answer.headers.get("Location", ""))
        cookies = sorted(value.partition("=")[0] for name, value in answer.headers.multi_items() if name.lower() == "set-cookie")
        error = answer.json().get("error", "") if "json" in answer.headers.get("Content-Type", "") else ""
        return f"{answer.status_code} {to.netloc}{to.path} {cookies} {error}"

    return act


def _doing(act: Callable[[], object]) -> Act:
    """Do it in a unit of work of whichever world."""

    def do(world: World) -> str:
        try:
            with world.writes():
                act()
        except Refusal as refusal:
            return refusal.error
        return "done"

    return do


def _working(world: World) -> str:
    worker.drain(world.app)
    return f"{world.waiting()} wait"


def _at_code(world: World, phone: str, **asked: str) -> tuple[Browser, Party, httpx2.Response]:
    browser, party = world.browser(), world.party()
    return browser, party, browser.onward(browser.submit(browser.authorize(party, **asked), phone=phone))


def _signed_in(world: World, phone: str = KNOWN) -> tuple[Browser, Party]:
    browser, party = world.browser(), world.party()
    with freeze(clock.now() - timedelta(seconds=5)):  # else a sign-in that is asked for in the same instant is met by this one
        answer_of(world.sign_in(browser, party, phone, scope="openid"))
    return browser, party


def _wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


# ---- signing in ----


def authorize(world: World) -> Act:
    """The first request of a new browser: parked."""
    return _sending(world.browser().build_request("GET", "/authorize", params=world.party().asks()))


def begin(world: World) -> Act:
    """The parked request is taken up: a sign-in begins."""
    browser = world.browser()
    parked = browser.get("/authorize", params=world.party().asks())
    return _sending(browser.build_request("GET", parked.headers["Location"]))


def identify(world: World) -> Act:
    """A number is given: a code goes out."""
    browser = world.browser()
    return _sending(browser.filled(browser.authorize(world.party()), phone=KNOWN))


def resend(world: World) -> Act:
    """The same code once more."""
    browser, _, page = _at_code(world, KNOWN)
    with freeze(clock.now()) as shift:
        shift(31)
        request = browser.pressed(browser.get(page.url), "/resend")

    def later(other: World) -> str:
        with freeze(clock.now()) as shift:
            shift(31)
            return _sending(request)(other)

    return later


def earn_code(world: World) -> Act:
    """The browser has worked for it: a code goes out, and the work is used up."""
    browser = world.browser()
    page = browser.authorize(world.party())
    flow_id = str(page.url).split("/")[4]
    with world.writes():
        sending.await_work(flow.Flow(flow_id, "/", Demand(clock.now()), clock.now()), KNOWN, None)
    page = browser.get(str(page.url).replace("identify", "proof_of_work"))
    return _sending(browser.filled(page, altcha=solve(page)))


def right_code(world: World) -> Act:
    """Proved: session, trusted browser, events."""
    browser, _, page = _at_code(world, KNOWN)
    return _sending(browser.filled(page, code=world.code_for(KNOWN), remember="on"))


def right_code_of_new_number(world: World) -> Act:
    """Proved, and nobody's yet: on to the name."""
    browser, _, page = _at_code(world, NEW)
    return _sending(browser.filled(page, code=world.code_for(NEW)))


def wrong_code(world: World) -> Act:
    """A guess."""
    browser, _, page = _at_code(world, KNOWN)
    return _sending(browser.filled(page, code=_wrong(world.code_for(KNOWN))))


def register(world: World) -> Act:
    """Name and terms: a user, an account, a session."""
    browser, _, page = _at_code(world, NEW)
    form = browser.onward(browser.submit(page, code=world.code_for(NEW)))
    return _sending(browser.filled(form, name="Вера Новикова", terms="on"))


def _long_silent(world: World) -> None:
    """Nobody has heard of the known number's ID for a year."""
    with world.writes():
        ago = clock.now() - timedelta(days=365)
        session.execute(sa.update(User).where(User.phone == KNOWN).values(created_at=ago, last_sign_in_at=ago, phone_verified_at=ago))


def _at_question(world: World) -> tuple[Browser, httpx2.Response]:
    _long_silent(world)
    browser, _, page = _at_code(world, KNOWN)
    return browser, browser.onward(browser.submit(page, code=world.code_for(KNOWN), remember="on"))


def right_code_of_silent_id(world: World) -> Act:
    """Proved, and not enough: the number may have changed hands."""
    _long_silent(world)
    browser, _, page = _at_code(world, KNOWN)
    return _sending(browser.filled(page, code=world.code_for(KNOWN)))


def ask_by_email(world: World) -> Act:
    """A code goes to the address of the silent ID."""
    browser, page = _at_question(world)
    return _sending(browser.filled(page, answer="email"))


def right_email_code(world: World) -> Act:
    """Both proved: the number is believed, session, trusted browser."""
    browser, page = _at_question(world)
    page = browser.onward(browser.submit(page, answer="email"))
    return _sending(browser.filled(page, code=world.code_for(KNOWN_MAIL)))


def begin_anew(world: World) -> Act:
    """A fresh ID with the number: the former one gives it up, in the same instant."""
    browser, page = _at_question(world)
    with world.writes():
        owner = next(each for each in accounts.candidates(_id_of(ANNA), ["employee"]) if each.is_owner)
        invitations.create(str(owner.company_id), "rol_accountant", inviter=owner, phone=KNOWN)
    form = browser.onward(browser.submit(page, answer="anew"))
    return _sending(browser.filled(form, name="Вера Новикова", terms="on"))


def _id_of(phone: str) -> str:
    return str(session.scalar(sa.select(User.id).where(User.phone == phone)))


def share(world: World) -> Act:
    """Others use this browser too: nobody is remembered."""
    browser, party = _signed_in(world)
    page = browser.authorize(party, prompt="select_account")
    return _sending(browser.pressed(browser.get(str(page.url) + "?removing=1"), "/people/shared"))


def give_another_number(world: World) -> Act:
    """The operator changes a person's number: everything of theirs ends."""
    browser, _ = _signed_in(world)
    del browser
    with world.reads():
        user_id = _id_of(KNOWN)
    return _doing(lambda: change_phone(user_id, NEW))


def after_a_rise(world: World) -> Act:
    """Somebody was made an administrator: what they proved before ends."""
    _signed_in(world, LAZAREVA)
    world.deliver()
    with world.writes():
        staff = accounts.candidates(_id_of(LAZAREVA), ["employee"])[0]
        employees.change_roles(str(staff.employee_id), [roles.built_in(roles.ADMINISTRATOR)])
    return _working


def press_name(world: World) -> Act:
    """Known in this browser: in by one press."""
    browser, party = _signed_in(world)
    browser.cookies.delete("idp_session")
    return _sending(browser.pressed(browser.authorize(party), "/people"))


def press_name_when_a_code_is_due(world: World) -> Act:
    """Known in this browser, and the client wants a proof: a code goes out."""
    browser, party = _signed_in(world)
    return _sending(browser.pressed(browser.authorize(party, prompt="login"), "/people"))


def stolen_browser(world: World) -> Act:
    """A copy of the cookie comes back after its time: the browser is out, and its sessions."""
    browser, party = _signed_in(world)
    browser.cookies.delete("idp_session")
    page, former = browser.authorize(party), browser.cookies["idp_browser"]
    assert page.url.path.endswith("/people")
    for _ in range(2):
        answer_of(browser.onward(browser.send(browser.pressed(browser.authorize(party, prompt="select_account"), "/people"))))
        browser.cookies.delete("idp_session")
    browser.cookies.set("idp_browser", former, domain="localhost.local")
    return _sending(browser.build_request("GET", str(page.url).removesuffix("/people")))


def forget(world: World) -> Act:
    """Taken off the list of people."""
    browser, party = _signed_in(world)
    page = browser.authorize(party, prompt="select_account")
    return _sending(browser.pressed(browser.get(str(page.url) + "?removing=1"), "/forget"))


# ---- what the client gets ----


def choose_account(world: World) -> Act:
    """One of several accounts."""
    browser, _ = _signed_in(world, ANNA)
    page = browser.authorize(world.party(), scope="openid company")
    return _sending(browser.pressed(page, "/account"))


def consent(world: World) -> Act:
    """Allowed."""
    browser, _ = _signed_in(world)
    page = browser.authorize(world.party(first_party=False), scope="openid profile")
    return _sending(browser.filled(page, answer="allow"))


def refuse(world: World) -> Act:
    """Refused: back to the client."""
    browser, _ = _signed_in(world)
    page = browser.authorize(world.party(first_party=False), scope="openid profile")
    return _sending(browser.filled(page, answer="deny"))


def issue_after_pages(world: World) -> Act:
    """Everything is decided: the parked request becomes a code."""
    browser, _ = _signed_in(world, ANNA)
    page = browser.authorize(world.party(), scope="openid company")
    answer = browser.send(browser.pressed(page, "/account"))
    return _sending(browser.build_request("GET", answer.headers["Location"]))


def issue_at_once(world: World) -> Act:
    """Nothing is open: a code without a page."""
    browser, party = _signed_in(world)
    return _sending(browser.build_request("GET", "/authorize", params=party.asks(prompt="none")))


def _tokens_asked(world: World, party: Party, **form: str) -> Act:
    browser = world.browser()
    auth = httpx2.BasicAuth(party.client.id, party.secret or "")
    request = browser.build_request("POST", "/token", data=form)
    return _sending(next(auth.auth_flow(request)))


def redeem(world: World) -> Act:
    """A code for tokens."""
    browser, party = _signed_in(world)
    code = answer_of(browser.authorize(party, scope="openid offline_access"))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": party.redirect_uri, "code_verifier": party.verifier}
    return _tokens_asked(world, party, **form)


def _refreshable(world: World) -> tuple[Party, str]:
    browser, party = _signed_in(world, ANNA)
    page = browser.authorize(party, scope="openid company offline_access")
    back = answer_of(world.choose(browser, page, "Ромашка"))
    return party, world.redeem(party, back["code"]).json()["refresh_token"]


def refresh(world: World) -> Act:
    """A refresh token for its successor."""
    party, token = _refreshable(world)
    return _tokens_asked(world, party, grant_type="refresh_token", refresh_token=token)


def refresh_with_company(world: World) -> Act:
    """The same, into another company."""
    party, token = _refreshable(world)
    with world.reads():
        company = session.scalar(sa.text("SELECT id FROM companies WHERE short_name = 'ИП Смирнова А. В.'"))
    return _tokens_asked(world, party, grant_type="refresh_token", refresh_token=token, company=str(company))


def reuse(world: World) -> Act:
    """A refresh token that was spent long ago: the family ends."""
    party, token = _refreshable(world)
    second = world.refresh(party, token).json()["refresh_token"]
    assert world.refresh(party, second).status_code == 200
    return _tokens_asked(world, party, grant_type="refresh_token", refresh_token=token)


def _revoked(world: World, party: Party, token: str) -> Act:
    auth = httpx2.BasicAuth(party.client.id, party.secret or "")
    request = world.browser().build_request("POST", "/revoke", data={"token": token})
    return _sending(next(auth.auth_flow(request)))


def revoke(world: World) -> Act:
    """A refresh token is given back: the family ends."""
    return _revoked(world, *_refreshable(world))


def revoke_access_token(world: World) -> Act:
    """A JWT is given back: it is remembered."""
    party, token = _refreshable(world)
    return _revoked(world, party, world.refresh(party, token).json()["access_token"])


def redeem_for_an_opaque_token(world: World) -> Act:
    """A code for tokens, one of which is kept."""
    browser, _ = _signed_in(world)
    party = world.party(access_token_format="opaque")
    code = answer_of(browser.authorize(party, scope="openid"))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": party.redirect_uri, "code_verifier": party.verifier}
    return _tokens_asked(world, party, **form)


def end_session(world: World) -> Act:
    """Signed out by the button."""
    browser, _ = _signed_in(world)
    return _sending(browser.pressed(browser.get("/end_session"), "/confirm"))


# ---- the worker, the keys, the operator ----


def deliver(world: World) -> Act:
    """A code waits in the outbox."""
    browser = world.browser()
    browser.submit(browser.authorize(world.party()), phone=KNOWN)
    return _working


def react(world: World) -> Act:
    """A theft is to be told of: from the event to the message."""
    _sending_reuse = reuse(world)
    _sending_reuse(world)
    return _working


def chain(world: World) -> Act:
    """Events are linked into the chain."""

    def act(other: World) -> str:
        job = next(job for job in schedule.SCHEDULE if job.name == "event_chain")
        with other.app.app_context():
            schedule.run(job)
        return "linked"

    return act


def look_at_keys(world: World) -> Act:
    """The schedule's look: the next key has stood for long enough and the active one is old."""

    def act(other: World) -> str:
        with freeze(clock.now()) as shift:
            shift(91 * 86400)
            return _doing(keyring.look)(other)

    return act


def rotate_keys(world: World) -> Act:
    """The operator's rotation."""

    def act(other: World) -> str:
        with freeze(clock.now()) as shift:
            shift(3 * 3600)
            return _doing(keyring.rotate)(other)

    return act


def revoke_key(world: World) -> Act:
    """The emergency."""
    with world.reads():
        kid = next(key.kid for key in keyring.listing() if key.state == "active" and key.algorithm == "ES256")
    return _doing(lambda: keyring.revoke(kid))


def make_keys(_world: World) -> Act:
    """The first keys."""
    return _doing(keyring.ensure)


def tell_story(_world: World) -> Act:
    """The demo's story: companies, people, a family, partners."""
    return _doing(demo_story.seed)


def add_client(_world: World) -> Act:
    """A new relying party."""
    given = {"name": "Portal", "kind": "web", "client_id": "portal", "redirect_uris": ["https://rp.example/cb"], "scopes": ["openid"]}
    return _doing(lambda: clients.register(**given))  # type: ignore[arg-type] # the fields of one record


STEPS = (
    Step("authorize", authorize),
    Step("begin", begin),
    Step("identify", identify),
    Step("resend", resend),
    Step("earn a code", earn_code),
    Step("right code", right_code, uneven=COUNTED),
    Step("right code of a new number", right_code_of_new_number, uneven=COUNTED),
    Step("wrong code", wrong_code, uneven=COUNTED | {"events": {"details"}}),
    Step("register", register),
    Step("right code of a silent ID", right_code_of_silent_id, uneven=COUNTED),
    Step("ask by e-mail", ask_by_email),
    Step("right code by e-mail", right_email_code, uneven=COUNTED),
    Step("begin anew", begin_anew),
    Step("share", share),
    Step("give another number", give_another_number),
    Step("after a rise", after_a_rise),
    Step("press name", press_name),
    Step("press name when a code is due", press_name_when_a_code_is_due),
    Step("stolen browser", stolen_browser),
    Step("forget", forget),
    Step("choose account", choose_account),
    Step("consent", consent),
    Step("refuse", refuse),
    Step("issue after pages", issue_after_pages),
    Step("issue at once", issue_at_once),
    Step("redeem", redeem),
    Step("refresh", refresh),
    Step("refresh with company", refresh_with_company),
    Step("reuse", reuse),
    Step("revoke", revoke),
    Step("revoke access token", revoke_access_token),
    Step("redeem for an opaque token", redeem_for_an_opaque_token),
    Step("end session", end_session),
    Step("deliver", deliver, later=16, uneven=LEASED),
    Step("react", react, later=16, uneven=LEASED),
    Step("chain", chain, later=2, uneven={"event_chain": {"sealed"}}),
    Step("look at keys", look_at_keys),
    Step("rotate keys", rotate_keys),
    Step("revoke key", revoke_key),
    Step("make keys", make_keys, blank=True),
    Step("tell story", tell_story, blank=True),
    Step("add client", add_client),
)
