"""Every form is our own page's, and whatever is typed into one is shown as text: CWE-352, CWE-79, `pages.md` §2.16a."""

from __future__ import annotations

import html
from dataclasses import dataclass

import httpx2
import pytest
import sqlalchemy as sa

from idp.cli.demo_story import Story
from idp.db.columns import table
from idp.db.session import session as database
from idp.delegation import clients
from idp.delegation.tables import ClientRow
from idp.directory import users
from idp.routes import ROUTES
from idp.web.serve import Route
from tests.login.http_lab import base_of, claims, cookies_set, dump, post, press, prove, request_of, right_code, token_of
from tests.login.lab import ANNA, at_code
from tests.world import SIGNED_OUT, Browser, Party, World, new_phone

CHECKED = [route for route in ROUTES if "POST" in route.methods and route.checked and route.face == "page"]
FOREIGN = {"/api/messages/receipts/<gateway>", "/authorize", "/end_session", "/introspect", "/revoke", "/token", "/userinfo"}
FOREIGN |= {"/login/social/callback/<provider>"}  # it changes nothing, and becomes a GET of our own
FOREIGN |= {"/device_authorization", "/register"}  # the device itself sends it, and the app


@dataclass
class Standing:
    """A browser in the middle of things, where every form would do something."""

    browser: Browser
    page: httpx2.Response
    request: str
    fields: dict[str, str]


@pytest.fixture
def standing(world: World, story: Story) -> Standing:
    """Anna is known and signed in; one request waits at the chooser, another one's code is on its way."""
    party = world.party(first_party=False)
    browser = world.browser()
    prove(world, browser, world.party(), ANNA)
    chooser = browser.authorize(party, scope="openid account company")
    request = str(chooser.url).partition("/account")[0].removeprefix("http://localhost:8000")
    account = chooser.text.partition('name="account" value="')[2].partition('"')[0]
    page = at_code(world, browser, world.party(), new_phone(1), prompt="create")
    fields = {
        "account": account,
        "answer": "allow",
        "phone": new_phone(2),
        "code": right_code(world, page),
        "name": "Ева",
        "terms": "1",
        "remember": "1",
        "channel": "sms",
        "person": browser.get(f"{base_of(page)}/people").text.partition('name="person" value="')[2].partition('"')[0] or "dev_1",
        "post_logout_redirect_uri": SIGNED_OUT,
    }
    assert request.startswith("/authorize/req_")
    assert account.startswith("acc_")
    return Standing(browser, page, request, fields)


def test_which_are_not_checked() -> None:
    """The only POSTs without our token are those that a relying party's site, or a machine, sends; each with its own defence."""
    unchecked = {route.path for route in ROUTES if "POST" in route.methods and not route.checked}
    assert unchecked == FOREIGN
    assert len(CHECKED) >= 10
    assert not any(route.direct for route in CHECKED)


def address_of(route: Route, standing: Standing) -> str:
    """Where its form goes, in the middle of things."""
    return route.path.replace("<flow>", base_of(standing.page)[7:]).replace("/authorize/<request_id>", standing.request)


def test_a_form_of_another_site(world: World, party: Party, standing: Standing) -> None:
    """CWE-352, case 6: each form without our token, with an empty one, another browser's, in the query: 410, and nothing has happened."""
    stranger = token_of(world.browser(address="198.51.100.9").authorize(party))
    mine = token_of(standing.page)
    cookies = sorted((cookie.name, cookie.value or "") for cookie in standing.browser.cookies.jar)
    before = dump(world)
    attempts: list[dict[str, str]] = [{}, {"csrf_token": ""}, {"csrf_token": stranger}, {"csrf_token": mine[:-1]}, {"CSRF_TOKEN": mine}]
    for route in CHECKED:
        address = address_of(route, standing)
        for forged in attempts:
            refused = standing.browser.post(address, data=standing.fields | forged)
            assert refused.status_code == 410, (route.path, forged)
            assert "This page was open for too long" in refused.text.replace("\u00a0", " "), route.path
            assert not cookies_set(refused), route.path
        sent = standing.browser.post(f"{address}?csrf_token={mine}", data=standing.fields)
        assert sent.status_code == 410, route.path
        plain = standing.browser.post(address, content=f"csrf_token={mine}", headers={"Content-Type": "text/plain"})
        assert plain.status_code == 400, route.path
        assert dump(world) == before, route.path
    assert sorted((cookie.name, cookie.value or "") for cookie in standing.browser.cookies.jar) == cookies


def test_without_our_cookie(world: World, party: Party, standing: Standing) -> None:
    """A token is worth nothing without the cookie that it is bound to; cookies that are off are said to be."""
    before = dump(world)
    for route in CHECKED:
        refused = world.browser().post(address_of(route, standing), data=standing.fields | {"csrf_token": token_of(standing.page)})
        assert refused.status_code == 410, route.path
        assert "cookies are off" in refused.text, route.path
        assert dump(world) == before, route.path


def test_our_own_form_works(world: World, standing: Standing) -> None:
    """The same standing, with the token: each does what it says, so the tests above refuse something."""
    browser, page = standing.browser, standing.page
    token = {"csrf_token": token_of(page)}
    assert browser.post(f"{standing.request}/account", data=standing.fields | token).status_code == 303
    assert browser.post(f"{standing.request}/consent", data={"answer": "deny"} | token).headers["Location"].startswith("https://rp.example")
    assert post(browser, page, code=standing.fields["code"]).headers["Location"].endswith("/register")
    assert post(browser, page, "register", name="Ева", terms="1").status_code == 303
    assert browser.post("/end_session/confirm", data=token).status_code == 200


# ---- markup ----

MARKUP = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>{{7*7}}${7*7}&lt;b&gt;"
SHORT = '"><img src=x onerror=a(1)>{{7*7}}<b>'


def inert(page: httpx2.Response, *, shown: str | None = None) -> None:
    """Nothing of the markup is markup on this page; with `shown`, it stands there as text."""
    for live in ("<script>a", "<img"):
        found = page.text.find(live)
        assert found < 0, page.text[max(0, found - 100) : found + 100]
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    if shown is not None:
        assert shown in html.unescape(page.text)
        assert shown not in page.text


def test_in_a_name(world: World, party: Party, story: Story) -> None:
    """`pages.md` §2.16a: a name full of markup, on every page that shows it: sign-up, people, consent, chooser, sign-out."""
    browser, phone = world.browser(), new_phone(3)
    page = browser.onward(post(browser, at_code(world, browser, party, phone), code="1"))
    page = browser.onward(browser.submit(page, code=right_code(world, page)))
    inert(post(browser, page, name=MARKUP + "x" * 100), shown=MARKUP)
    inert(post(browser, page, name=MARKUP), shown=MARKUP)
    sub = claims(world, party, browser.onward(post(browser, page, name=MARKUP, terms="1")))["sub"]
    inert(browser.authorize(party, prompt="select_account"), shown=MARKUP)
    people = browser.authorize(party, prompt="select_account")
    inert(browser.get(f"{people.url}?removing=1"), shown=MARKUP)
    foreign = world.party(first_party=False, account_types=["personal", "business"])
    inert(browser.authorize(foreign), shown=MARKUP)
    inert(browser.get("/end_session"), shown=MARKUP)
    employees = world.party(account_types=["employee"])
    inert(browser.authorize(employees, scope="openid company"))
    with world.writes():
        users.block(sub, MARKUP)
    page = at_code(world, browser, party, phone)
    inert(browser.submit(page, code=right_code(world, page)))


def test_in_a_clients_name(world: World, story: Story) -> None:
    """A client's name and purpose are shown as text on each page of its sign-in, refusals included, also if registration let them pass."""
    named = world.party(first_party=False, redirect_uris=["https://rp.example/%22%3E%3Cb%3E"])
    with world.writes():
        row = table(ClientRow)
        database.execute(sa.update(row).where(row.c.id == named.client.id).values(name=SHORT, purpose=SHORT))
    clients.forget_cached()
    browser = world.browser()
    page = browser.authorize(named, scope="openid account company")
    inert(page, shown=SHORT)
    request = request_of(browser, page)
    page = browser.onward(browser.submit(page, phone=ANNA))
    chooser = browser.onward(browser.submit(page, code=right_code(world, page)))
    inert(chooser)
    consent = world.choose(browser, chooser, "Ромашка")
    inert(consent, shown=SHORT)
    inert(browser.authorize(named, prompt="select_account", scope="openid"), shown=SHORT)
    inert(browser.get("/end_session", params={"client_id": named.client.id}), shown=SHORT)
    browser.onward(browser.submit(consent, answer="allow"))
    inert(browser.get(request), shown=SHORT)


@pytest.mark.parametrize("markup", [MARKUP, SHORT], ids=["long", "short"])
def test_in_every_field(world: World, party: Party, story: Story, markup: str) -> None:
    """Typed into any field, sent as any parameter: where it comes back it is text, where it is nobody's business it does not."""
    browser = world.browser()
    identify = browser.authorize(party, login_hint=markup, ui_locales=markup, acr_values=markup)
    inert(identify)
    inert(browser.submit(identify, phone=markup), shown=markup)
    page = browser.onward(browser.submit(identify, phone=ANNA))
    inert(browser.submit(page, code=markup))
    inert(browser.onward(browser.submit(page, channel=markup)))
    prove(world, browser, world.party(), ANNA)
    chooser = browser.authorize(party, scope="openid company", prompt="select_account")
    chooser = press(browser, chooser, "Анна Смирнова")
    inert(browser.get(f"{chooser.url}?query=" + markup.replace("&", "%26").replace("+", "%2B")), shown=markup[:100])
    inert(browser.submit(chooser, account=markup))
    asked = party.asks(state=markup, nonce=markup)
    inert(browser.get("/authorize", params=asked | {"client_id": markup}))
    inert(browser.get("/authorize", params=asked | {"redirect_uri": markup}))
    inert(browser.get("/authorize", params=asked | {"response_type": markup, "redirect_uri": "x"}))
    inert(browser.get("/end_session", params={"client_id": party.client.id, "post_logout_redirect_uri": SIGNED_OUT, "state": markup}))
    inert(browser.get("/end_session", params={"client_id": markup, "id_token_hint": markup, "state": markup}))
    inert(browser.get("/language", params={"to": markup, "next": markup}))
    inert(browser.get(f"/login/{markup}"))
    inert(browser.get("/nothing", params={markup: markup}))
    inert(world.browser(address="127.0.0.1").get("/dev/inbox", params={"to": markup}), shown=markup)


def test_headers_that_are_shown(world: World, party: Party) -> None:
    """What a browser calls itself, where it says it comes from: on no page."""
    browser = world.browser(user_agent=SHORT)
    browser.headers |= {"Referer": f"https://x.example/{SHORT}", "Accept-Language": f"en, {SHORT}", "Host": "localhost:8000"}
    page = at_code(world, browser, party, ANNA)
    inert(page)
    browser.onward(browser.submit(page, code=right_code(world, page)))
    inert(browser.authorize(party, prompt="select_account"))
    inert(browser.get("/nothing"))
