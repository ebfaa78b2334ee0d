"""One kind of token is not another (RFC 8725 §3.11, RFC 9068 §4). Case 34 of threats.md."""

from __future__ import annotations

import pytest

from idp import clock, keyring
from tests.oidc.asking import error_at, is_page_of_ours, person, phone, token_error
from tests.world import ISSUER, SIGNED_OUT, World, claims_of


def made(world: World, typ: str, **claims: object) -> str:
    """A token under our own signature."""
    now = clock.timestamp()
    with world.reads():
        return keyring.sign({"iss": ISSUER, "iat": now, "exp": now + 300, **claims}, typ=typ, algorithm="ES256")


def test_an_id_token_is_no_access_token(world: World, story) -> None:
    """Case 34 (Keycloak CVE-2019-3868)."""
    tokens = world.tokens(world.browser(), world.party(), phone(story, "zimin"))
    for wrong in (tokens["id_token"], tokens["refresh_token"]):
        assert token_error(world.userinfo(wrong), 401) == "invalid_token"


def test_an_access_token_is_no_hint(world: World, story) -> None:
    """Case 34: neither at the authorization endpoint nor for signing out."""
    party, browser = world.party(), world.browser()
    tokens = world.tokens(browser, party, phone(story, "zimin"))
    for wrong in (tokens["access_token"], tokens["refresh_token"]):
        assert error_at(browser.authorize(party, prompt="none", id_token_hint=wrong), party) == "invalid_request"
        page = browser.get("/end_session", params={"id_token_hint": wrong, "post_logout_redirect_uri": SIGNED_OUT})
        assert is_page_of_ours(page, 200)
        assert "/end_session/confirm" in page.text


def test_tokens_are_no_cookies(world: World, story) -> None:
    """Case 34: nothing that a client gets signs a browser in."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    for value in (*tokens.values(), tokens["access_token"][:43], tokens["refresh_token"].rpartition(".")[2]):
        browser = world.browser()
        browser.headers["Cookie"] = f"idp_session={value}; idp_login={value}; idp_browser={value}"
        assert error_at(browser.get("/authorize", params=party.asks(prompt="none")), party) == "login_required"


def test_tokens_are_no_codes(world: World, story) -> None:
    """Case 34: at the token endpoint each grant takes its own."""
    party, browser = world.party(), world.browser()
    tokens = world.tokens(browser, party, phone(story, "zimin"))
    code = browser.authorize(party).headers["Location"].partition("code=")[2].partition("&")[0]
    for wrong in (tokens["refresh_token"], tokens["access_token"], tokens["id_token"]):
        assert token_error(world.redeem(party, wrong)) == "invalid_grant"
    for wrong in (code, tokens["access_token"], tokens["id_token"]):
        assert token_error(world.refresh(party, wrong)) == "invalid_grant"
    assert world.redeem(party, code).status_code == 200


@pytest.mark.parametrize(
    "typ", ["JWT", "at+JWT", "application/at+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt", "dpop+jwt", ""]
)
def test_the_type_is_exact(world: World, story, typ: str) -> None:
    """Case 34: with the right claims and our own key, another `typ` is no access token."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    claims = claims_of(tokens["access_token"])
    assert world.userinfo(made(world, "at+jwt", **claims)).status_code == 200
    assert token_error(world.userinfo(made(world, typ, **claims)), 401) == "invalid_token"


def test_a_logout_token_is_no_hint(world: World, story) -> None:
    """Case 34: nor the other way round."""
    party, browser = world.party(), world.browser()
    world.sign_in(browser, party, phone(story, "zimin"))
    wrong = made(world, "logout+jwt", aud=party.client.id, sub=person(story, "zimin").user_id, events={}, sid="x")
    assert error_at(browser.authorize(party, prompt="none", id_token_hint=wrong), party) == "invalid_request"


def test_a_hint_signs_nobody_in(world: World, story) -> None:
    """Case 34: whoever holds somebody's ID token still has to prove who they are."""
    party = world.party()
    hint = world.tokens(world.browser(), party, phone(story, "zimin"))["id_token"]
    stranger = world.browser()
    assert error_at(stranger.authorize(party, prompt="none", id_token_hint=hint), party) == "login_required"
    assert stranger.authorize(party, id_token_hint=hint).status_code == 200


def test_another_clients_hint(world: World, story) -> None:
    """Core §3.1.2.1: a hint is an ID token that was issued to this client."""
    mine, theirs, browser = world.party(), world.party(), world.browser()
    hint = world.tokens(browser, theirs, phone(story, "zimin"))["id_token"]
    assert error_at(browser.authorize(mine, prompt="none", id_token_hint=hint), mine) == "invalid_request"


def test_a_token_whose_claims_do_not_fit(world: World, story) -> None:
    """Case 40: user, client, account and family of an access token belong together; otherwise it is nobody's."""
    party = world.party(account_types=["employee"])
    claims = claims_of(world.tokens(world.browser(), party, phone(story, "lazareva"), scope="openid company")["access_token"])
    other = claims_of(world.tokens(world.browser(), world.party(), phone(story, "zimin"))["access_token"])
    changes = [{"sub": other["sub"]}, {"client_id": other["client_id"]}, {"jti": other["jti"]}, {"jti": "x"}, {"jti": 1}, {"jti": None}]
    changes += [{"account_id": "acc_other"}, {"account_id": None}, {"aud": party.client.id}, {"client_id": "nobody"}, {"sub": None}]
    for change in changes:
        token = made(world, "at+jwt", **{name: value for name, value in (claims | change).items() if value is not None})
        assert token_error(world.userinfo(token), 401) == "invalid_token", change
    assert world.userinfo(made(world, "at+jwt", **claims)).status_code == 200
