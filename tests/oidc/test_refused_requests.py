"""What goes wrong at the authorization endpoint, and who is told: a page where client or address are wrong, else the relying party
(RFC 6749 §4.1.2.1, RFC 9700 §4.11.2, OpenID Connect Core §3.1.2.6). Cases 2, 3b and 5 of threats.md.
"""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from idp.delegation.tables import Code, ParkedRequest
from tests.oidc.answers import came_back
from tests.oidc.asking import back_at, error_at, is_page_of_ours, rows, signed_in
from tests.world import CALLBACK, World

# Names that stand once, or nobody's.
NAMES = (
    "nonce prompt max_age code_challenge code_challenge_method client_id redirect_uri state scope response_type response_mode acr_values "
    "login_hint id_token_hint ui_locales company account display claims request foobar"
).split()


def test_an_unknown_client_is_a_page(world: World) -> None:
    """Case 2: whatever else the request says, nobody is sent to an address that a stranger brought."""
    party, browser = world.party(), world.browser()
    for client_id in (
        None,
        "",
        "nobody",
        party.client.id + "x",
        party.client.id.upper(),
        "../x",
        "cli_%00",
        "x" * 5000,
        "клиент",
        "' OR 1=1 --",
    ):
        for changes in ({}, {"response_type": "token"}, {"response_type": None}, {"scope": "nothing"}, {"prompt": "none"}):
            answer = browser.get("/authorize", params=party.asks(client_id=client_id, **changes))
            assert is_page_of_ours(answer), (client_id, changes)
    assert rows(world, ParkedRequest) == []


@pytest.mark.parametrize(
    ("response_type", "mode"),
    [
        *((each, "fragment") for each in ("id_token", "id_token token", "code token", "code id_token", "token id_token code")),
        *((each, "query") for each in ("token", "none", "CODE", "code code", "x", '"')),
    ],
)
def test_other_response_types_never_leave_for_a_strange_address(world: World, response_type: str, mode: str) -> None:
    """Case 2: an unsupported type is told to the registered address, where its answer would have stood, and to no other."""
    party, browser = world.party(), world.browser()
    answer = came_back(browser.get("/authorize", params=party.asks(response_type=response_type)), CALLBACK, mode)
    assert (answer["error"], answer["state"]) == ("unsupported_response_type", "state-1")
    evil = browser.get("/authorize", params=party.asks(response_type=response_type, redirect_uri="https://evil.example/"))
    assert is_page_of_ours(evil)


def test_what_a_relying_party_is_told(world: World) -> None:
    """RFC 6749 §4.1.2.1: from a right client and address on, every refusal goes back with error, description, state and iss."""
    party, browser = world.party(scopes=["openid", "profile"]), world.browser()
    for error, changes in (
        ("invalid_request", {"response_type": None}),
        ("invalid_scope", {"scope": None}),
        ("invalid_scope", {"scope": "nothing known"}),
        ("invalid_scope", {"scope": "openid email"}),
        ("invalid_request", {"prompt": "none login"}),
        ("invalid_request", {"max_age": "-1"}),
        ("invalid_request", {"max_age": "1.5"}),
        ("invalid_request", {"max_age": "٣"}),
        ("invalid_request", {"max_age": "1e9"}),
        ("invalid_request", {"max_age": "9" * 10}),
        ("invalid_request", {"nonce": "n" * 1025}),
        ("invalid_request", {"company": "romashka"}),
        ("invalid_request", {"scope": "openid", "company": "cmp_" + "0" * 26}),
        ("invalid_request", {"id_token_hint": "x.y.z"}),
        ("request_not_supported", {"request": "eyJhbGciOiJub25lIn0.e30."}),
        ("invalid_request_uri", {"request_uri": "https://rp.example/request.jwt"}),
        ("registration_not_supported", {"registration": "{}"}),
        ("login_required", {"prompt": "none"}),
    ):
        assert error_at(browser.get("/authorize", params=party.asks(**changes)), party) == error, changes


@pytest.mark.parametrize("mode", ["query.jwt", "form_post.jwt", "none", "web_message", "jwt", "QUERY", "x", '"><script>alert(1)</script>'])
def test_other_response_modes(world: World, mode: str) -> None:
    """Case 5: a response_mode that is not supported is refused, by the mode that is; what was sent is never shown as it is."""
    party, browser = world.party(), world.browser()
    answer = browser.get("/authorize", params=party.asks(response_mode=mode, state='"><script>alert(1)</script>'))
    assert error_at(answer, party, state='"><script>alert(1)</script>') == "invalid_request"
    assert "<" not in answer.headers["Location"]
    assert "<script" not in answer.text


def test_the_one_response_mode(world: World, story) -> None:
    """OAuth 2.0 Multiple Response Type Encoding Practices §2.1: `query` may be named."""
    party = world.party()
    answer = world.sign_in(world.browser(), party, story.people[-1].phone, response_mode="query")
    assert back_at(answer, CALLBACK)["code"]


def test_hostile_words_on_our_pages(world: World) -> None:
    """Case 5: what a stranger sends is on none of our pages, least of all as markup."""
    bad = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
    party, browser = world.party(), world.browser()
    pages = [browser.get("/authorize", params=party.asks(**{name: bad})) for name in ("client_id", "redirect_uri")]
    pages += [browser.get("/authorize", params={bad: bad, "client_id": bad}), browser.get("/authorize/" + "x" * 20, params={"x": bad})]
    pages.append(browser.authorize(party, state=bad, nonce=bad, login_hint=bad, ui_locales=bad, acr_values=bad, display=bad))
    for page in pages:
        assert "<script>" not in page.text
        assert "<img" not in page.text
        assert "'><" not in page.text


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_stands_twice(world: World, name: str) -> None:
    """Case 3b: neither the first nor the last wins, also when both say the same, and unknown names are no exception (RFC 6749 §3.1)."""
    party, browser = world.party(), world.browser()
    for other in ("", "other", party.asks().get(name, "other")):
        pairs = [*party.asks(**({} if name in party.asks() else {name: "one"})).items(), (name, other)]
        answer = browser.get("/authorize?" + urlencode(pairs))
        if name in {"client_id", "redirect_uri"}:
            assert is_page_of_ours(answer), other
        else:
            assert error_at(answer, party, state=None if name == "state" else "state-1") == "invalid_request"


@pytest.mark.parametrize("details", ['[{"type":"payment"}]', "[]", "{", "x"])
def test_details_are_not_ignored(world: World, story, details: str) -> None:
    """RFC 9396 §5: no type of `authorization_details` is known here; the client learns it, and gets no plain token instead."""
    party = world.party()
    for browser in (world.browser(), signed_in(world, story, "zimin", party)):
        assert error_at(browser.authorize(party, authorization_details=details), party) == "invalid_authorization_details"


def test_the_address_is_not_taken_from_a_pair(world: World) -> None:
    """Case 3b: of two addresses, one of them registered, none is used."""
    party, browser = world.party(), world.browser()
    for pair in ((CALLBACK, "https://evil.example/"), ("https://evil.example/", CALLBACK)):
        pairs = [(k, v) for k, v in party.asks().items() if k != "redirect_uri"] + [("redirect_uri", uri) for uri in pair]
        assert is_page_of_ours(browser.get("/authorize?" + urlencode(pairs)))


def test_split_over_address_and_body(world: World) -> None:
    """Case 3b: a POST has one place for its parameters."""
    party, browser = world.party(), world.browser()
    for query in ("nonce=x", "client_id=" + party.client.id, "foobar=1", urlencode(party.asks())):
        assert is_page_of_ours(browser.post("/authorize?" + query, data=party.asks()))


def test_a_code_is_never_made_on_the_way(world: World, story) -> None:
    """Case 2: no refusal leaves a code or a parked request behind, not even for a person who is signed in."""
    party, browser = world.party(), world.browser()
    world.sign_in(browser, party, story.people[-1].phone)
    codes, parked = len(rows(world, Code)), len(rows(world, ParkedRequest))
    for changes in (
        {"response_type": "token"},
        {"response_mode": "web_message"},
        {"scope": "x"},
        {"redirect_uri": "https://evil.example"},
        {"request": "x"},
    ):
        browser.get("/authorize", params=party.asks(**changes))
    assert (len(rows(world, Code)), len(rows(world, ParkedRequest))) == (codes, parked)
