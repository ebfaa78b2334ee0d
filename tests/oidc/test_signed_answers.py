"""Userinfo and introspection as signed JWTs, and what is signed with the client's secret (OpenID Connect Core §5.3.2, §10.1; RFC 9701).

Conformance: oidcc-userinfo-rs256.
"""

from __future__ import annotations

import hmac
import json
from hashlib import sha256

import pytest

from idp import jws, keyring
from idp.delegation import clients, registering_answers
from idp.errors import BadInput
from tests.oidc.asking import error_at, person, phone, signed_in, token_error
from tests.oidc.receiving import decrypted, published, verified
from tests.oidc.test_discovery import OPENID
from tests.oidc.test_id_token_algorithms import half, header_of
from tests.world import ISSUER, Party, World, answer_of, claims_of

BY_KEY = [algorithm for algorithm in registering_answers.ALGORITHMS if algorithm != "HS256"]
JWT = "application/token-introspection+jwt"
pytestmark = pytest.mark.filterwarnings("ignore:.*EdDSA")


def introspected(world: World, party: Party, token: str, accept: str = JWT):
    """What `/introspect` answers to this `Accept`."""
    http = world.browser(address="198.51.100.20")
    return http.post("/introspect", data={"token": token}, auth=(party.client.id, party.secret), headers={"Accept": accept})


@pytest.mark.parametrize("algorithm", BY_KEY)
def test_signed_userinfo(world: World, story, algorithm: str) -> None:
    """Conformance, userinfo-rs256: application/jwt, signed by what was registered; `iss`, `aud`, no nonce; the same `sub`."""
    party = world.party(userinfo_signed_response_alg=algorithm)
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid email")
    for accept in ("*/*", "application/json", "application/jwt"):  # the registration decides, not this
        answer = world.browser().get("/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}", "Accept": accept})
        assert answer.headers["Content-Type"] == "application/jwt"
        assert answer.headers["Cache-Control"] == "no-store"
        header, claims = verified(world, answer.text, algorithm)
        assert header["alg"] == algorithm
        assert claims == {
            "iss": ISSUER,
            "aud": party.client.id,
            "sub": claims_of(tokens["id_token"])["sub"],
            "email": "zimin@post.example",
            "email_verified": True,
        }


def test_json_is_the_default(world: World, story) -> None:
    """Core §5.3.2: a client that registered nothing gets JSON, whatever it accepts; refusals are JSON for all."""
    party, other = world.party(), world.party(userinfo_signed_response_alg="RS256")
    token = world.tokens(world.browser(), party, phone(story, "zimin"))["access_token"]
    answer = world.browser().get("/userinfo", headers={"Authorization": f"Bearer {token}", "Accept": "application/jwt"})
    assert answer.headers["Content-Type"] == "application/json"
    assert token_error(world.userinfo("x.y.z"), 401) == "invalid_token"
    for refused in ("none", "HS512", "", None):
        if refused:
            with pytest.raises(BadInput):
                world.party(userinfo_signed_response_alg=refused)
        else:
            assert world.party(userinfo_signed_response_alg=refused).client.userinfo_signed_response_alg is None
    assert other.client.userinfo_signed_response_alg == "RS256"


def test_signed_userinfo_is_nothing_else(world: World, story) -> None:
    """Case 34: it is no hint, no access token, no ID token."""
    party = world.party(userinfo_signed_response_alg="RS256")
    browser = signed_in(world, story, "zimin", party)
    token = world.redeem(party, answer_of(browser.authorize(party))["code"]).json()["access_token"]
    said = world.userinfo(token).text
    assert error_at(browser.authorize(party, prompt="none", id_token_hint=said), party) == "invalid_request"
    assert token_error(world.userinfo(said), 401) == "invalid_token"
    assert world.introspect(party, said).json() == {"active": False}
    assert "exp" not in claims_of(said)


@pytest.mark.parametrize("algorithm", [None, *BY_KEY])
def test_signed_introspection(world: World, story, algorithm: str | None) -> None:
    """RFC 9701 §5: by name in `Accept`; `typ`, `iss`, `aud`, `iat`, and the JSON answer as a member; RS256 where nothing was registered."""
    party = world.party(introspection_signed_response_alg=algorithm)
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid offline_access")
    for token in (tokens["access_token"], tokens["refresh_token"], "nonsense"):
        plain = world.introspect(party, token)
        assert plain.headers["Content-Type"] == "application/json"
        answer = introspected(world, party, token)
        assert answer.headers["Content-Type"] == JWT
        header, claims = verified(world, answer.text, algorithm or "RS256")
        assert (header["typ"], header["alg"]) == ("token-introspection+jwt", algorithm or "RS256")
        assert claims.keys() == {"iss", "aud", "iat", "token_introspection"}
        assert (claims["iss"], claims["aud"]) == (ISSUER, party.client.id)
        assert claims["token_introspection"] == plain.json()


@pytest.mark.parametrize(
    ("accept", "signed"),
    [
        (JWT, True),
        (JWT.upper(), True),
        (f"application/json, {JWT};q=0.9", True),
        (f"{JWT}; q=1.0", True),
        ("", False),
        ("*/*", False),
        ("application/*", False),
        ("application/jwt", False),
        ("application/json", False),
        (JWT + "x", False),
        ("x" + JWT, False),
    ],
)
def test_only_by_name(world: World, accept: str, signed: bool) -> None:
    """RFC 9701 §4: whoever does not name the type gets JSON, as ever."""
    answer = introspected(world, world.machine(), "x", accept)
    assert answer.headers["Content-Type"] == (JWT if signed else "application/json")


def test_signed_introspection_is_nothing_else(world: World, story) -> None:
    """Case 34, RFC 9701 §8.1: not an access token, although it describes one; and others' tokens stay inactive in it (case 32)."""
    party, other = world.party(), world.party()
    token = world.tokens(world.browser(), party, phone(story, "zimin"))["access_token"]
    said = introspected(world, party, token).text
    assert token_error(world.userinfo(said), 401) == "invalid_token"
    assert world.introspect(party, said).json() == {"active": False}
    assert keyring.verify_hint(said) is None
    assert verified(world, introspected(world, other, token).text)[1]["token_introspection"] == {"active": False}


def test_signed_and_encrypted_introspection(world: World) -> None:
    """RFC 9701 §6: to the key of whoever asks; a machine may have it so too."""
    party = world.machine(jwks=published("EC"), introspection_encrypted_response_alg="ECDH-ES", introspection_signed_response_alg="ES256")
    token = world.token(party, grant_type="client_credentials").json()["access_token"]
    header, inner = decrypted(introspected(world, party, token).text, "ECDH-ES")
    assert header["cty"] == "JWT"
    assert verified(world, inner, "ES256")[1]["token_introspection"]["active"] is True
    assert world.introspect(party, token).json()["active"] is True


class TestByTheSecret:
    """HS256: made with the client's secret (Core §10.1), which is sealed for it."""

    @pytest.fixture
    def party(self, world: World) -> Party:
        """A client that wants everything so."""
        return world.party(**dict.fromkeys(registering_answers.SIGNED, "HS256"))

    def test_everything(self, world: World, story, party: Party) -> None:
        """ID token, userinfo, introspection; `at_hash` by SHA-256."""
        tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid email")
        header, claims = verified(world, tokens["id_token"], "HS256", secret=party.secret)
        assert header == {"alg": "HS256", "typ": "JWT"}
        assert claims["at_hash"] == half(tokens["access_token"], "HS256")
        assert verified(world, world.userinfo(tokens["access_token"]).text, "HS256", secret=party.secret)[1]["sub"] == claims["sub"]
        told = introspected(world, party, tokens["access_token"]).text
        assert verified(world, told, "HS256", secret=party.secret)[1]["token_introspection"]["active"] is True
        assert header_of(tokens["access_token"])["alg"] == "ES256"  # it is for us, not for the client

    def test_as_a_hint(self, world: World, story, party: Party) -> None:
        """Core §3.1.2.1; case 33: only this client's own secret opens it, never a public key, and never for another client."""
        browser = signed_in(world, story, "zimin", party)
        token = world.redeem(party, answer_of(browser.authorize(party))["code"]).json()["id_token"]
        assert "code" in answer_of(browser.authorize(party, prompt="none", id_token_hint=token))
        other = world.party(id_token_signed_response_alg="HS256")
        assert error_at(browser.authorize(other, prompt="none", id_token_hint=token), other) == "invalid_request"
        message = token.rpartition(".")[0]
        public = world.browser().get("/jwks").content
        for secret in (b"", b"x" * 43, public, json.dumps(json.loads(public)["keys"][0]).encode(), (other.secret or "").encode()):
            forged = f"{message}.{jws.encode(hmac.digest(secret, message.encode(), sha256))}"
            assert error_at(browser.authorize(party, prompt="none", id_token_hint=forged), party) == "invalid_request"
        left = browser.go(f"/end_session?id_token_hint={token}&post_logout_redirect_uri=https://rp.example/signed-out")
        assert left.headers["Location"] == "https://rp.example/signed-out"

    def test_who_did_not_register_it(self, world: World, story, party: Party) -> None:
        """Case 33: HS256 with the right secret is no hint of a client whose ID tokens are signed with our keys."""
        browser = signed_in(world, story, "zimin", party)
        token = world.redeem(party, answer_of(browser.authorize(party))["code"]).json()["id_token"]
        with world.writes():
            clients.update(party.client.id, id_token_signed_response_alg="RS256")
        assert error_at(browser.authorize(party, prompt="none", id_token_hint=token), party) == "invalid_request"

    def test_two_secrets(self, world: World, story, party: Party) -> None:
        """While a secret is being replaced, what is signed is signed with the one that the client has just used."""
        with world.writes():
            _, second = clients.add_secret(party.client.id)
        for secret in (second, party.secret, second):
            now = Party(party.client, secret)
            tokens = world.tokens(world.browser(), now, phone(story, "zimin"), scope="openid")
            verified(world, tokens["id_token"], "HS256", secret=secret)

    def test_who_has_no_secret(self, world: World) -> None:
        """Core §10.1: without a secret there is nothing to sign with."""
        for refused in ({"kind": "single_page"}, {"token_endpoint_auth_method": "none"}):
            with pytest.raises(BadInput):
                world.party(id_token_signed_response_alg="HS256", **refused)


def test_discovery(world: World) -> None:
    """Discovery §3, RFC 9701 §7: each that is listed can be registered; `none` is not among them."""
    document = world.browser().get(OPENID).json()
    for kind in ("id_token", "userinfo", "introspection"):
        listed = document[f"{kind}_signing_alg_values_supported"]
        assert listed[0] == "RS256"
        assert "none" not in listed
        for algorithm in listed:
            assert getattr(world.party(**{f"{kind}_signed_response_alg": algorithm}).client, f"{kind}_signed_response_alg") == algorithm


def test_nobody_gets_anothers(world: World, story) -> None:
    """`aud` is whoever asked: the person's answer to one client passes for no answer to another."""
    parties = [world.party(userinfo_signed_response_alg="ES256") for _ in range(2)]
    told = [world.userinfo(world.tokens(world.browser(), each, phone(story, "zimin"))["access_token"]).text for each in parties]
    assert [claims_of(each)["aud"] for each in told] == [each.client.id for each in parties]
    assert {claims_of(each)["sub"] for each in told} == {person(story, "zimin").user_id}
