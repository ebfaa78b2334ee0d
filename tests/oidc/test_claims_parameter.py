"""The `claims` parameter: claims one by one, in the place where they are wanted (OpenID Connect Core §5.5).

oidcc-claims-essential of the official plans; the error code unmet_authentication_requirements. Cases 13 and 26 of threats.md.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from idp.delegation import clients
from tests.oidc.asking import back_at, error_at, person, phone, signed_in
from tests.world import CALLBACK, Browser, Party, World, answer_of, claims_of

LEAN = {"iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"}
CODE, MFA, STRONG = (f"urn:idp:acr:{level}" for level in ("code", "mfa", "phishing_resistant"))


def told(world: World, browser: Browser, party: Party, claims: Any, **changes: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the ID token and userinfo say."""
    answer = browser.authorize(party, claims=json.dumps(claims), **{"scope": "openid", **changes})
    tokens = world.redeem(party, back_at(answer, CALLBACK)["code"]).json()
    return claims_of(tokens["id_token"]), world.userinfo(tokens["access_token"]).json()


def test_in_the_place_where_it_is_wanted(world: World, story) -> None:
    """oidcc-claims-essential: a claim of userinfo is in userinfo and not in the ID token, and the other way round; nothing else comes."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    id_token, userinfo = told(world, browser, party, {"userinfo": {"name": {"essential": True}}})
    assert set(id_token) == LEAN
    assert set(userinfo) == {"sub", "name"}
    id_token, userinfo = told(
        world, browser, party, {"id_token": {"email": None, "auth_time": {"essential": True}}, "userinfo": {"locale": {}}}
    )
    assert set(id_token) == LEAN | {"email"}
    assert set(userinfo) <= {"sub", "locale"}
    assert told(world, browser, party, {"userinfo": {"email": None}}, scope="openid phone")[1].keys() >= {"email", "phone_number"}


def test_a_refresh_keeps_them(world: World, story) -> None:
    """Core §12.2: what was asked for once is in the ID token of a refresh too."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    answer = browser.authorize(party, scope="openid", claims='{"id_token":{"email":null}}')
    tokens = world.redeem(party, answer_of(answer)["code"]).json()
    assert "email" in claims_of(world.refresh(party, tokens["refresh_token"]).json()["id_token"])


def test_values(world: World, story) -> None:
    """§5.5.1: a claim that was asked for with values comes with one of them or not at all, and that is no error."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    mail = told(world, browser, party, {"userinfo": {"email": None}})[1]["email"]
    for wish, comes in (({"value": mail}, True), ({"values": ["x", mail]}, True), ({"value": "x@y.example", "essential": True}, False)):
        assert ("email" in told(world, browser, party, {"userinfo": {"email": wish}})[1]) == comes, wish


def test_only_of_its_own_scopes(world: World, story) -> None:
    """Case 13: what a client is not registered for it does not get by name either, nor what was taken from it since; no error."""
    party = world.party(scopes=["openid", "profile"])
    browser = signed_in(world, story, "zimin", party)
    every = dict.fromkeys(("email", "phone_number", "address", "companies", "name", "made_up", "company_inn"))
    id_token, userinfo = told(world, browser, party, {"userinfo": every, "id_token": every})
    assert set(id_token) == LEAN | {"name"}
    assert set(userinfo) == {"sub", "name"}
    tokens = world.redeem(party, answer_of(browser.authorize(party, scope="openid", claims='{"userinfo":{"name":null}}'))["code"]).json()
    with world.writes():
        clients.update(party.client.id, scopes=["openid"])
    clients.forget_cached()
    assert set(world.userinfo(tokens["access_token"]).json()) == {"sub"}


def test_the_chosen_account(world: World, story) -> None:
    """claims.md: the account and the company can be asked for by name; then they are chosen first."""
    party = world.party()
    browser = signed_in(world, story, "anna")
    page = browser.authorize(party, scope="openid", claims='{"id_token":{"company_id":{"essential":true}}}')
    answer = world.choose(browser, page, "Ромашка")
    id_token = claims_of(world.redeem(party, answer_of(answer)["code"]).json()["id_token"])
    assert id_token["company_id"]
    assert set(id_token) == LEAN | {"company_id"}


def test_consent(world: World, story) -> None:
    """Case 13: a claim needs the consent of its scope; the page names it, and it is asked for once."""
    party = world.party(first_party=False)
    browser = signed_in(world, story, "zimin")
    asked = {"scope": "openid", "claims": '{"userinfo":{"email":null}}'}
    assert "Your e-mail address" in browser.authorize(party, **asked).text
    assert error_at(browser.authorize(party, prompt="none", **asked), party) == "consent_required"
    assert "Your e-mail address" not in browser.authorize(party, scope="openid").text
    browser.allow(browser.authorize(party, **asked))
    assert set(told(world, browser, party, {"userinfo": {"email": None}})[1]) == {"sub", "email"}
    assert browser.authorize(party, scope="openid", claims='{"userinfo":{"phone_number":null}}').status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        *("{", "[]", "null", '"x"', "1", '{"userinfo":[]}', '{"id_token":"x"}', '{"userinfo":{"name":true}}', '{"userinfo":{"name":[]}}'),
        *('{"userinfo":{"name":{"essential":"yes"}}}', '{"userinfo":{"name":{"values":"x"}}}', "[" * 4000, '{"a":' * 1500),
    ],
)
def test_malformed(world: World, claims: str) -> None:
    """Case 26: what is none of it is told, and never a fault of ours."""
    party = world.party()
    assert error_at(world.browser().authorize(party, claims=claims), party) == "invalid_request"


def test_a_sub_that_is_named(world: World, story) -> None:
    """§5.5.1, Core §3.1.2.2: that person, or nobody; who else is here does not matter."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    mine, other = ({"id_token": {"sub": {"value": person(story, key).user_id}}} for key in ("zimin", "zimina"))
    assert told(world, browser, party, mine, prompt="none")[0]["sub"] == person(story, "zimin").user_id
    assert error_at(browser.authorize(party, prompt="none", claims=json.dumps(other)), party) == "login_required"
    assert browser.authorize(party, claims=json.dumps(other)).status_code == 200
    for wrong in ({"value": "nobody"}, {"values": ["a", "b"]}):
        answer = browser.authorize(party, prompt="none", claims=json.dumps({"id_token": {"sub": wrong}}))
        assert error_at(answer, party) in {"login_required", "invalid_request"}


def test_an_acr_that_is_essential(world: World, story) -> None:
    """§5.5.1.1: the answer names one of the levels that were asked for; what cannot be reached is a failed sign-in, not a wish."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)

    def wish(*values: str, essential: bool = True) -> dict[str, Any]:
        return {"id_token": {"acr": {"essential": essential, "values": list(values)}}}

    assert told(world, browser, party, wish(STRONG, CODE))[0]["acr"] == CODE
    assert told(world, browser, party, wish("urn:idp:acr:remembered"))[0]["acr"] == "urn:idp:acr:remembered"
    assert told(world, browser, party, wish(STRONG, essential=False))[0]["acr"] == CODE
    for values in ((STRONG,), (MFA, STRONG), ("urn:elsewhere:gold",)):
        for prompt in ({}, {"prompt": "none"}):
            answer = browser.authorize(party, claims=json.dumps(wish(*values)), **prompt)
            assert error_at(answer, party) == "unmet_authentication_requirements", (values, prompt)
    fresh = world.browser()
    assert error_at(fresh.authorize(party, claims=json.dumps(wish("x"))), party) == "unmet_authentication_requirements"
    answer = world.sign_in(fresh, party, phone(story, "zimin"), claims=json.dumps(wish(STRONG)))
    assert error_at(answer, party) == "unmet_authentication_requirements"


def test_discovery(world: World) -> None:
    """Discovery §3."""
    document = world.browser().get("/.well-known/openid-configuration").json()
    assert document["claims_parameter_supported"] is True
