"""`response_mode`: the same answer in the query, behind a `#`, or in a form that is posted; refusals go the way of the answer.

OAuth 2.0 Multiple Response Type Encoding Practices §2.1, OAuth 2.0 Form Post Response Mode, RFC 9207. Cases 3b, 4, 5 and 12 of threats.md.
"""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from idp.delegation import clients
from idp.delegation.tables import Code
from tests.oidc.answers import MODES, came_back
from tests.oidc.asking import back_at, is_page_of_ours, phone, rows, signed_in
from tests.world import CALLBACK, World, claims_of

HOSTILE = "\"'><script>alert(1)</script>&amp;#\r\n\tя"


@pytest.mark.parametrize("mode", MODES)
def test_the_answer_comes_as_asked(world: World, story, mode: str) -> None:
    """Case 12: code, state as it was, and `iss`; after pages and without any; the code is good once."""
    party, browser = world.party(), world.browser()
    first = came_back(world.sign_in(browser, party, phone(story, "zimin"), response_mode=mode), CALLBACK, mode)
    silent = came_back(browser.authorize(party, response_mode=mode, state=HOSTILE), CALLBACK, mode)
    none = came_back(browser.authorize(party, response_mode=mode, prompt="none", state=None), CALLBACK, mode)
    assert (first["state"], silent["state"], none.get("state")) == ("state-1", HOSTILE, None)
    for answer in (first, silent, none):
        assert set(answer) <= {"code", "state", "iss", "session_state"}
        assert claims_of(world.redeem(party, answer["code"]).json()["id_token"])["nonce"] == "nonce-1"
        assert world.redeem(party, answer["code"]).status_code == 400


@pytest.mark.parametrize("mode", MODES)
def test_a_query_of_their_own_is_kept(world: World, story, mode: str) -> None:
    """RFC 6749 §3.1.2: a registered address with a query keeps it, to the letter."""
    address = "https://rp.example/callback?tenant=%D1%8F&b=1"
    party = world.party(redirect_uris=[address])
    answer = came_back(world.sign_in(world.browser(), party, phone(story, "zimin"), response_mode=mode), address, mode)
    assert world.redeem(party, answer["code"]).status_code == 200


@pytest.mark.parametrize("mode", MODES)
def test_refusals_go_the_same_way(world: World, story, mode: str) -> None:
    """Case 12: what is read, what the desk says, what the person says; each with state and `iss`, never beside a code."""
    party, browser = world.party(first_party=False), world.browser()
    for error, changes in (
        ("invalid_scope", {"scope": "nothing"}),
        ("invalid_request", {"max_age": "x"}),
        ("unsupported_response_type", {"response_type": "code none"}),
        ("login_required", {"prompt": "none"}),
    ):
        answer = came_back(browser.authorize(party, response_mode=mode, **changes), CALLBACK, mode)
        assert (answer["error"], answer["state"]) == (error, "state-1")
        assert set(answer) == {"error", "error_description", "state", "iss"}
    page = browser.authorize(party, response_mode=mode, state=HOSTILE)
    cancelled = came_back(browser.press(page, "/cancel"), CALLBACK, mode)
    assert (cancelled["error"], cancelled["state"]) == ("access_denied", HOSTILE)
    page = world.sign_in(browser, party, phone(story, "zimin"), response_mode=mode)
    assert came_back(browser.submit(page, answer="deny"), CALLBACK, mode)["error"] == "access_denied"


@pytest.mark.parametrize("mode", MODES)
def test_what_the_guard_refuses_goes_the_same_way(world: World, mode: str) -> None:
    """Case 3b: a name that stands twice; the mode is believed when it stands once."""
    party, browser = world.party(), world.browser()
    twice = [*party.asks(response_mode=mode).items(), ("nonce", "other")]
    answer = came_back(browser.get("/authorize?" + urlencode(twice)), CALLBACK, mode)
    assert (answer["error"], answer["state"]) == ("invalid_request", "state-1")
    modes = [*party.asks(response_mode=mode).items(), ("response_mode", "fragment")]
    assert came_back(browser.get("/authorize?" + urlencode(modes)), CALLBACK)["error"] == "invalid_request"
    strange = [*party.asks(response_mode=mode, redirect_uri="https://evil.example/").items(), ("nonce", "other")]
    assert is_page_of_ours(browser.get("/authorize?" + urlencode(strange)))


def test_what_stands_in_the_form_is_escaped(world: World) -> None:
    """Case 5: state is a stranger's text; in the page it is a value and never markup, and comes back as it was."""
    party = world.party(redirect_uris=["https://rp.example/callback?a=%22'&lt"])
    page = world.browser().authorize(party, response_mode="form_post", prompt="none", state=HOSTILE)
    assert came_back(page, party.redirect_uri, "form_post")["state"] == HOSTILE
    assert "<script>" not in page.text
    assert page.text.count("<script") == 1
    assert "onload" not in page.text


@pytest.mark.parametrize("address", ["com.example.app:/callback", "com.example.app://callback"])
def test_a_form_goes_to_web_addresses_only(world: World, story, address: str) -> None:
    """Case 4: an app's own scheme gets its answer by a redirect; a form is refused, in the default way, and none is shown."""
    party = world.party(kind="native", redirect_uris=[address])
    refused = world.browser().authorize(party, response_mode="form_post")
    assert back_at(refused, address)["error"] == "invalid_request"
    answer = world.sign_in(world.browser(), party, phone(story, "zimin"), response_mode="fragment")
    assert came_back(answer, address, "fragment")["code"]


def test_an_address_that_was_taken_off_the_list_gets_no_form(world: World, story) -> None:
    """Case 4: what is not registered any more when the person is done gets nothing, posted or not."""
    party, browser = world.party(first_party=False), world.browser()
    page = world.sign_in(browser, party, phone(story, "zimin"), response_mode="form_post")
    with world.writes():
        clients.update(party.client.id, redirect_uris=["https://rp.example/other"])
    clients.forget_cached()
    assert is_page_of_ours(browser.onward(browser.submit(page, answer="allow")))
    assert rows(world, Code) == []


def test_a_form_that_is_opened_again(world: World, story) -> None:
    """Case 15: the page is kept by no cache; its address gives no second code of the same request."""
    party, browser = world.party(first_party=False), world.browser()
    page = world.sign_in(browser, party, phone(story, "zimin"), response_mode="form_post")
    given = browser.onward(browser.submit(page, answer="allow"))
    assert came_back(given, CALLBACK, "form_post")["code"]
    assert browser.get(str(given.url)).status_code == 410
    assert len(rows(world, Code)) == 1


def test_by_post(world: World, story) -> None:
    """Core §3.1.2.1: a request by POST is answered by a form as well."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    sent = browser.onward(browser.post("/authorize", data=party.asks(response_mode="form_post")))
    assert came_back(sent, CALLBACK, "form_post")["code"]


def test_discovery_names_them(world: World) -> None:
    """Discovery §3: `response_modes_supported`."""
    document = world.browser().get("/.well-known/openid-configuration").json()
    assert document["response_modes_supported"] == list(MODES)
    assert document["response_types_supported"] == ["code"]
