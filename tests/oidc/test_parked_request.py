"""A request that waits for the person: it belongs to the browser that began it, ends once, and is never taken up by somebody else.

RFC 6749 §10.12, RFC 9700 §4.7; cases 7, 8 and 15 of threats.md.
"""

from __future__ import annotations

from datetime import timedelta

from idp import clock
from idp.delegation.tables import Code, ParkedRequest
from tests.oidc.asking import back_at, error_at, is_page_of_ours, person, phone, rows
from tests.world import CALLBACK, World, answer_of, claims_of


def journeys(world: World) -> list[str]:
    """The ids of the parked requests, oldest first."""
    return [row.id for row in sorted(rows(world, ParkedRequest), key=lambda row: row.created_at)]


def paths(request_id: str) -> list[tuple[str, str]]:
    """Everything that can be done to a parked request."""
    return [
        *(("GET", f"/authorize/{request_id}{tail}") for tail in ("", "/account", "/consent", "/switch")),
        *(("POST", f"/authorize/{request_id}{tail}") for tail in ("/account", "/consent", "/cancel")),
    ]


def test_a_link_is_worth_nothing_in_another_browser(world: World, story) -> None:
    """Cases 7 and 8: whoever is sent the address of a begun sign-in can do nothing with it, and it does nothing to them."""
    party, attacker, victim = world.party(), world.browser(), world.browser(address="198.51.100.9")
    world.sign_in(victim, party, phone(story, "zimina"))
    page = attacker.authorize(party, state="attackers")
    (mine,) = [row.id for row in rows(world, ParkedRequest) if row.finished_at is None]
    flow = str(page.url).rpartition("/")[0]
    codes = len(rows(world, Code))
    for visitor in (victim, world.browser()):
        cookies = dict(visitor.cookies)
        for method, path in [*paths(mine), ("GET", flow), ("GET", flow + "/identify"), ("POST", flow + "/phone_code")]:
            answer = visitor.request(method, path, data={"answer": "allow", "account": "x"} if method == "POST" else None)
            assert is_page_of_ours(answer, 410), path
        assert dict(visitor.cookies) == cookies
    assert len(rows(world, Code)) == codes
    done = attacker.submit(attacker.onward(attacker.submit(page, phone=phone(story, "zimin"))), code=world.code_for(phone(story, "zimin")))
    assert is_page_of_ours(victim.get(done.headers["Location"]), 410)
    assert attacker.onward(done).headers["Location"].startswith(CALLBACK)


def test_an_attacker_who_plants_a_request_gets_nothing(world: World, story) -> None:
    """Case 8: the attacker begins, the victim signs in by the link's request of their own; resuming the attacker's leads to a sign-in."""
    party, attacker, victim = world.party(), world.browser(), world.browser(address="198.51.100.9")
    attacker.authorize(party)
    (planted,) = journeys(world)
    world.sign_in(victim, party, phone(story, "zimina"))
    there = attacker.go(f"/authorize/{planted}")
    assert there.status_code == 200
    assert 'name="phone"' in there.text


def test_secrets_change_at_sign_in(world: World, story) -> None:
    """Case 8: a session cookie that was there before the sign-in is not the one after it."""
    party, browser = world.party(), world.browser()
    browser.cookies.set("idp_session", "A" * 43, domain="localhost.local", path="/")
    world.sign_in(browser, party, phone(story, "zimin"))
    values = [cookie.value for cookie in browser.cookies.jar if cookie.name == "idp_session"]
    planted = world.browser()
    planted.headers["Cookie"] = "idp_session=" + "A" * 43
    assert any(value != "A" * 43 for value in values)
    assert error_at(planted.get("/authorize", params=party.asks(prompt="none")), party) == "login_required"


def test_back_after_the_end(world: World, story) -> None:
    """Case 15: the Back button and a bookmark show what became of it; a new code needs a new request."""
    party, browser = world.party(), world.browser()
    world.sign_in(browser, party, phone(story, "zimin"))
    (done,) = journeys(world)
    codes = len(rows(world, Code))
    for method, path in paths(done):
        answer = browser.request(method, path)
        assert is_page_of_ours(answer, 410), path
    assert "already signed in" in browser.get(f"/authorize/{done}").text
    assert len(rows(world, Code)) == codes
    assert back_at(browser.authorize(party), CALLBACK)["code"]


def test_back_after_cancelling(world: World, story) -> None:
    """Case 15: a refusal ends the request as a code does."""
    party, browser = world.party(), world.browser()
    page = browser.authorize(party)
    assert error_at(browser.press(page, "/cancel"), party) == "access_denied"
    assert is_page_of_ours(browser.press(page, "/cancel"), 410)
    assert is_page_of_ours(browser.get(f"/authorize/{journeys(world)[0]}"), 410)


def test_an_old_request(world: World, story) -> None:
    """A request waits for an hour; then the page offers to begin again where the client can be entered."""
    party, browser = world.party(initiate_login_uri="https://rp.example/start"), world.browser()
    browser.authorize(party)
    with clock.freeze(clock.now() + timedelta(seconds=world.settings.oidc.request_lifetime + 1)):
        answer = browser.get(f"/authorize/{journeys(world)[0]}")
        assert is_page_of_ours(answer, 410)
        assert 'href="https://rp.example/start?iss=http%3A%2F%2Flocalhost%3A8000"' in answer.text


def test_two_tabs_two_clients(world: World, story) -> None:
    """Case 15: both tabs go on after one sign-in, each to its own client with its own state and nonce."""
    one, other = world.party(), world.party(redirect_uris=["https://other.example/cb"])
    browser = world.browser()
    page = browser.authorize(one, state="one", nonce="n1")
    browser.authorize(other, state="other", nonce="n2")
    first, second = journeys(world)
    page = browser.onward(browser.submit(page, phone=phone(story, "zimin")))
    answer = back_at(browser.onward(browser.submit(page, code=world.code_for(phone(story, "zimin")))), CALLBACK)
    there = back_at(browser.go(f"/authorize/{second}"), "https://other.example/cb")
    assert (answer["state"], there["state"]) == ("one", "other")
    assert claims_of(world.redeem(other, there["code"]).json()["id_token"])["nonce"] == "n2"
    assert claims_of(world.redeem(one, answer["code"]).json()["id_token"])["nonce"] == "n1"
    assert is_page_of_ours(browser.get(f"/authorize/{first}"), 410)


def test_two_people_one_browser(world: World, story) -> None:
    """Case 15 (Keycloak CVE-2025-12390): what one person decided in a request is void for the next; each code is of who is here then."""
    party = world.party(first_party=False)
    browser = world.browser()
    consent = world.sign_in(browser, party, phone(story, "anna"), scope="openid company", account="Ромашка")
    assert 'value="allow"' in consent.text
    (waiting,) = journeys(world)
    other = world.party()
    page = browser.authorize(other, prompt="select_account")
    page = browser.go(str(page.url).replace("/people", "/identify"))
    page = browser.onward(browser.submit(page, phone=phone(story, "lazareva")))
    assert answer_of(browser.onward(browser.submit(page, code=world.code_for(phone(story, "lazareva")))))["code"]
    there = browser.submit(consent, answer="allow")  # the old page, pressed by who is here now
    there = browser.onward(there)
    assert there.status_code == 200, "nothing was decided for the new person yet"
    assert waiting in str(there.url)
    there = world.choose(browser, there, "Ромашка") if 'name="account"' in there.text else there
    answer = browser.onward(browser.submit(there, answer="allow"))
    claims = claims_of(world.redeem(party, answer_of(answer)["code"]).json()["id_token"])
    assert claims["sub"] == person(story, "lazareva").user_id
    assert claims["roles"] == ["content_manager"]


def test_ids_that_are_none(world: World) -> None:
    """Case 26: whatever stands in the address, it is a page with 410 or 404."""
    browser = world.browser()
    browser.authorize(world.party())
    ids = (
        "req_",
        "req_" + "0" * 26,
        "req_%00",
        "req_" + "x" * 5000,
        "..%2f..",
        "' OR 1=1 --",
        "req_%0a" + "0" * 25,
        "a b",
    )
    for given in ids:
        for tail in ("", "/account", "/consent", "/switch"):
            assert browser.get(f"/authorize/{given}{tail}").status_code in {404, 410}, given
