"""`[oidc] legacy_response_types`: ID tokens and access tokens through the browser, for clients that are registered for them.

OpenID Connect Core §3.2 (implicit) and §3.3 (hybrid), OAuth 2.0 Multiple Response Types §3 and §5. Cases 2, 5, 13 and 19 of threats.md.
The modules of the official Implicit and Hybrid plans (`conformance.md` §3.5, §3.6) are named where they are kept; those that have nothing
to do with the response type are in `test_conformance_basic`.
"""

from __future__ import annotations

from typing import Any

import pytest

from idp.delegation import clients, response_types
from idp.delegation.tables import Code, OpaqueToken
from idp.errors import BadInput
from tests.oidc.answers import came_back
from tests.oidc.asking import is_page_of_ours, person, phone, rows, signed_in
from tests.oidc.test_access_token import half
from tests.world import CALLBACK, Browser, Party, World, claims_of

TYPES = response_types.LEGACY
IMPLICIT = ("id_token", "id_token token")
PROTOCOL = {"iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash", "c_hash"}


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """The older response types are on."""
    return {"oidc": {"legacy_response_types": True}}


def party_for(world: World, *types: str, **changes: Any) -> Party:
    """A client that is registered for some response types."""
    return world.party(**{"response_types": list(types or TYPES), "pkce": "optional", **changes})


def asked(
    world: World, browser: Browser, party: Party, response_type: str, mode: str = "fragment", **changes: str | None
) -> dict[str, str]:
    """What comes back to a person who is signed in."""
    changes = {"code_challenge": None, "code_challenge_method": None, **changes}
    wanted = {} if mode == "fragment" else {"response_mode": mode}
    return came_back(browser.authorize(party, response_type=response_type, **wanted, **changes), party.redirect_uri, mode)


@pytest.mark.parametrize("mode", ["fragment", "form_post"])
@pytest.mark.parametrize("response_type", TYPES)
def test_the_whole_of_it(world: World, story, response_type: str, mode: str) -> None:
    """oidcc-server, oidcc-idtoken-signature, oidcc-userinfo-get, -post-header, -post-body of the implicit and hybrid plans, form post too.

    Nothing in the query (Core §3.2.2.5); `at_hash` and `c_hash` (§3.2.2.10, §3.3.2.11); what a code gives is about the same person.
    """
    party, words = party_for(world, response_type), response_type.split()
    browser = signed_in(world, story, "zimin")
    given = asked(world, browser, party, response_type, mode)
    tokens = {"access_token", "token_type", "expires_in", "scope"} if "token" in words else set()
    assert set(given) - {"iss", "state", "session_state"} == tokens | ({"id_token", "code"} & set(words))
    if "id_token" in words:
        claims = claims_of(given["id_token"])
        assert (claims["nonce"], claims["aud"], claims["sub"]) == ("nonce-1", party.client.id, person(story, "zimin").user_id)
        assert claims.get("at_hash") == (half(given["access_token"], "sha256") if "token" in words else None)
        assert claims.get("c_hash") == (half(given["code"], "sha256") if "code" in words else None)
        assert set(claims) - PROTOCOL == (set() if {"token", "code"} & set(words) else set(claims) - PROTOCOL)
    if "token" in words:
        assert (given["token_type"], given["scope"]) == ("Bearer", "openid profile")
        assert int(given["expires_in"]) == world.settings.oidc.access_token_lifetime
        http = world.browser()
        for answer in (
            world.userinfo(given["access_token"]),
            http.post("/userinfo", headers={"Authorization": f"Bearer {given['access_token']}"}),
            http.post("/userinfo", data={"access_token": given["access_token"]}),
        ):
            assert answer.json()["sub"] == person(story, "zimin").user_id
    if "code" in words:
        later = world.token(party, grant_type="authorization_code", code=given["code"], redirect_uri=CALLBACK).json()
        assert claims_of(later["id_token"])["sub"] == person(story, "zimin").user_id
        assert claims_of(later["id_token"])["nonce"] == "nonce-1"
        assert world.refresh(party, later["refresh_token"]).status_code == 200


def test_the_words_in_any_order(world: World, story) -> None:
    """Multiple Response Types §3: the order of the words says nothing."""
    party, browser = party_for(world, "token id_token code"), signed_in(world, story, "zimin")
    for words in ("id_token token code", "token code id_token", "code id_token token"):
        assert {"code", "id_token", "access_token"} <= set(asked(world, browser, party, words))


def test_a_new_sign_in(world: World, story) -> None:
    """oidcc-server, from a browser that nobody is signed in to: the answer of the last page."""
    party = party_for(world)
    answer = world.sign_in(world.browser(), party, phone(story, "zimin"), response_type="id_token token")
    assert claims_of(came_back(answer, CALLBACK, "fragment")["id_token"])["nonce"] == "nonce-1"


@pytest.mark.parametrize("response_type", TYPES)
def test_without_a_nonce(world: World, story, response_type: str) -> None:
    """oidcc-ensure-request-without-nonce-fails; oidcc-ensure-request-without-nonce-succeeds-for-code-flow where no ID token comes first."""
    party, browser = party_for(world), signed_in(world, story, "zimin")
    given = asked(world, browser, party, response_type, nonce=None)
    assert given.get("error") == ("invalid_request" if "id_token" in response_type else None)


@pytest.mark.parametrize("scope", ["profile", "email", "phone", "address", "profile email phone address"])
def test_scopes(world: World, story, scope: str) -> None:
    """oidcc-scope-profile, -email, -phone, -address, -all (implicit): with an access token userinfo has the claims, else the ID token."""
    party, browser = party_for(world), signed_in(world, story, "zimin")
    alone = claims_of(asked(world, browser, party, "id_token", scope=f"openid {scope}")["id_token"])
    beside = asked(world, browser, party, "id_token token", scope=f"openid {scope}")
    told = world.userinfo(beside["access_token"]).json()
    assert set(claims_of(beside["id_token"])) <= PROTOCOL
    assert {name: alone.get(name) for name in told} == told


@pytest.mark.parametrize("response_type", IMPLICIT)
def test_prompts_and_ages(world: World, story, response_type: str) -> None:
    """oidcc-prompt-none-not-logged-in, -prompt-none-logged-in, -max-age-10000, -id-token-hint, -prompt-login (implicit)."""
    party, browser = party_for(world), world.browser()
    refused = asked(world, browser, party, response_type, prompt="none", state="s" * 128)
    assert (refused["error"], refused["state"]) == ("login_required", "s" * 128)
    first = came_back(
        world.sign_in(browser, party, phone(story, "zimin"), response_type=response_type, max_age="15000"), CALLBACK, "fragment"
    )
    for changes in ({"prompt": "none"}, {"max_age": "10000"}, {"prompt": "none", "id_token_hint": first["id_token"]}):
        again = claims_of(asked(world, browser, party, response_type, **changes)["id_token"])
        assert {name: again[name] for name in ("sub", "auth_time")} == {
            name: claims_of(first["id_token"])[name] for name in ("sub", "auth_time")
        }
    assert browser.authorize(party, response_type=response_type, prompt="login").status_code == 200


def test_a_strange_address(world: World, story) -> None:
    """Case 2, oidcc-ensure-registered-redirect-uri: tokens least of all go to an address that is not registered."""
    party, browser = party_for(world), signed_in(world, story, "zimin")
    for response_type in TYPES:
        assert is_page_of_ours(browser.authorize(party, response_type=response_type, redirect_uri="https://evil.example/"))


def test_only_who_is_registered(world: World, story) -> None:
    """Case 5: a response type that is served here, and not registered for this client, is refused; `code` likewise."""
    browser = signed_in(world, story, "zimin")
    plain, only = world.party(), party_for(world, "id_token")
    for response_type in TYPES:
        assert asked(world, browser, plain, response_type)["error"] == "unauthorized_client"
    assert came_back(browser.authorize(only), CALLBACK)["error"] == "unauthorized_client"
    assert asked(world, browser, only, "id_token", "form_post")["id_token"]
    assert rows(world, Code) == [each for each in rows(world, Code) if each.client_id not in {plain.client.id, only.client.id}]


@pytest.mark.parametrize("response_type", TYPES)
def test_never_in_a_query(world: World, story, response_type: str) -> None:
    """Case 5, Multiple Response Types §5: `response_mode=query` is refused for what holds a token."""
    party, browser = party_for(world), signed_in(world, story, "zimin")
    refused = came_back(browser.authorize(party, response_type=response_type, response_mode="query"), CALLBACK, "fragment")
    assert refused["error"] == "invalid_request"


def test_a_replayed_code_ends_what_stood_beside_it(world: World, story) -> None:
    """Case 19, oidcc-codereuse, oidcc-codereuse-30seconds (hybrid): the front channel's access token ends as well, also an opaque one."""
    for changes in ({}, {"access_token_format": "opaque"}):
        party, browser = party_for(world, **changes), signed_in(world, story, "zimin")
        given = asked(world, browser, party, "code id_token token")
        form = {"grant_type": "authorization_code", "code": given["code"], "redirect_uri": CALLBACK}
        later = world.token(party, **form).json()
        for token in (given["access_token"], later["access_token"]):
            assert world.userinfo(token).status_code == 200
        assert world.token(party, **form).json()["error"] == "invalid_grant"
        for token in (given["access_token"], later["access_token"]):
            assert world.userinfo(token).status_code == 401


def test_signing_out_ends_them(world: World, story) -> None:
    """They belong to the session: whoever signs out takes them along."""
    party, browser = party_for(world), signed_in(world, story, "zimin")
    token = asked(world, browser, party, "id_token token")["access_token"]
    assert world.userinfo(token).status_code == 200
    browser.press(browser.get("/end_session"), "/end_session/confirm")
    assert world.userinfo(token).status_code == 401


def test_no_refresh_token_without_a_code(world: World, story) -> None:
    """Case 13, Core §11: `offline_access` is ignored where no code comes of it."""
    party, browser = party_for(world), signed_in(world, story, "zimin")
    given = asked(world, browser, party, "id_token token", scope="openid offline_access")
    assert given["scope"] == "openid"
    assert asked(world, browser, party, "code token", scope="offline_access")["scope"] == "offline_access"
    assert asked(world, browser, party, "id_token", scope="profile")["error"] == "invalid_scope"


def test_an_id_token_alone_keeps_no_access_token(world: World, story) -> None:
    """What nobody gets is not made."""
    party, browser = party_for(world, access_token_format="opaque"), signed_in(world, story, "zimin")
    asked(world, browser, party, "id_token")
    assert rows(world, OpaqueToken) == []


def test_pkce_of_a_public_client(world: World, story) -> None:
    """RFC 9700 §2.1.1: where a code comes, a public client sends a challenge; where none comes, there is nothing to protect by it."""
    party = party_for(world, kind="single_page", pkce=None)
    browser = signed_in(world, story, "zimin")
    assert asked(world, browser, party, "id_token token")["id_token"]
    assert asked(world, browser, party, "code id_token")["error"] == "invalid_request"
    given = came_back(browser.authorize(party, response_type="code id_token"), CALLBACK, "fragment")
    assert world.redeem(party, given["code"]).status_code == 200


def test_discovery(world: World) -> None:
    """oidcc-discovery-endpoint-verification (dynamic): `code`, `id_token`, `id_token token`; the grant type implicit."""
    document = world.browser().get("/.well-known/openid-configuration").json()
    assert document["response_types_supported"] == ["code", *TYPES]
    assert {"authorization_code", "implicit"} <= set(document["grant_types_supported"])


def test_registering(world: World) -> None:
    """Registration §2: in the specification's words, each once; the grant type follows; nonsense is refused."""
    party = party_for(world, "token id_token", "code", "code")
    assert party.client.response_types == ["id_token token", "code"]
    assert "implicit" in party.client.grant_types
    with world.writes():
        back = clients.update(party.client.id, response_types=["code"])
    assert (back.response_types, "implicit" in back.grant_types) == (None, False)
    for wrong in (["token"], ["code", "x"], ["none"], [""]):
        with pytest.raises(BadInput), world.writes():
            clients.update(party.client.id, response_types=wrong)


class TestOff:
    """The setting's default."""

    @pytest.fixture
    def changed_settings(self) -> dict[str, dict[str, object]]:
        """As it comes."""
        return {}

    def test_nothing_of_it_is_there(self, world: World, story) -> None:
        """Case 5: off, they are refused to everybody, and cannot be registered; who had registered goes on with the code."""
        with pytest.raises(BadInput, match="legacy_response_types is off"):
            party_for(world)
        document = world.browser().get("/.well-known/openid-configuration").json()
        assert document["response_types_supported"] == ["code"]
        assert "implicit" not in document["grant_types_supported"]
        browser, party = signed_in(world, story, "zimin"), world.party()
        for response_type in TYPES:
            assert asked(world, browser, party, response_type)["error"] == "unsupported_response_type"
