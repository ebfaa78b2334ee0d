"""Access and ID tokens as others read them: RFC 9068, RFC 7515, `at_hash` (OpenID Connect Core §3.1.3.6). Verified with a JOSE library."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from idp import clock, keyring
from tests.oidc.asking import phone
from tests.world import ISSUER, World, claims_of


def header_of(token: str) -> dict:
    """The header of a JWT."""
    part = token.split(".", maxsplit=1)[0]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def half(token: str, hash_name: str) -> str:
    """The left half of a hash, base64url."""
    digest = hashlib.new(hash_name, token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


@pytest.mark.parametrize(("algorithm", "hash_name"), [("RS256", "sha256"), ("ES256", "sha256"), ("Ed25519", "sha512")])
def test_each_algorithm(world: World, story, algorithm: str, hash_name: str) -> None:
    """The ID token is signed as registered, with a `kid` of /jwks; `at_hash` fits the algorithm and the access token."""
    party = world.party(id_token_signed_response_alg=algorithm)
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    keys = KeySet.import_key_set(world.browser().get("/jwks").json())
    decoded = jwt.decode(tokens["id_token"], keys, algorithms=[algorithm])
    assert decoded.header == {"alg": algorithm, "typ": "JWT", "kid": header_of(tokens["id_token"])["kid"]}
    assert decoded.claims["at_hash"] == half(tokens["access_token"], hash_name)
    refreshed = world.refresh(party, tokens["refresh_token"]).json()
    assert claims_of(refreshed["id_token"])["at_hash"] == half(refreshed["access_token"], hash_name)


def test_rs256_unless_registered_otherwise(world: World, story) -> None:
    """Core §2: the default is RS256 (conformance: oidcc-idtoken-signature)."""
    tokens = world.tokens(world.browser(), world.party(), phone(story, "zimin"))
    assert header_of(tokens["id_token"])["alg"] == "RS256"


def test_rfc_9068(world: World, story) -> None:
    """RFC 9068 §2: `typ: at+jwt`, `aud`, `client_id`, `jti`, `scope`, `auth_time`, `acr`, `amr`; five minutes."""
    party = world.party(account_types=["employee"])
    tokens = world.tokens(world.browser(), party, phone(story, "lazareva"), scope="openid company")
    keys = KeySet.import_key_set(world.browser().get("/jwks").json())
    decoded = jwt.decode(tokens["access_token"], keys, algorithms=["ES256"])
    assert decoded.header["typ"] == "at+jwt"
    claims = decoded.claims
    assert (claims["iss"], claims["aud"], claims["client_id"], claims["scope"]) == (ISSUER, ISSUER, party.client.id, "openid company")
    assert claims["exp"] - claims["iat"] == tokens["expires_in"] == 300
    assert claims["company_id"] == story.companies["romashka"]
    assert claims["roles"] == ["content_manager"]
    assert len(tokens["access_token"]) < 4096


def test_each_token_has_an_id_of_its_own(world: World, story) -> None:
    """RFC 9068 §2.2: `jti` is unique."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    seen = {claims_of(tokens["access_token"])["jti"]}
    for _ in range(5):
        tokens = world.refresh(party, tokens["refresh_token"]).json()
        seen.add(claims_of(tokens["access_token"])["jti"])
    assert len(seen) == 6


def test_it_runs_out(world: World, story) -> None:
    """Case 40: to the second; an ID token's signature outlives it as a hint, an access token's does not."""
    party = world.party()
    with clock.freeze(clock.now()) as later:
        tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
        later(timedelta(seconds=tokens["expires_in"] - 1))
        assert world.userinfo(tokens["access_token"]).status_code == 200
        later(1)
        assert world.userinfo(tokens["access_token"]).status_code == 401


def test_after_a_rotation(world: World, story) -> None:
    """Core §10.1.1: new tokens have the new key, old ones are good as long as they live, and both keys stand in /jwks."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    before = header_of(tokens["id_token"])["kid"]
    with world.writes():
        keyring.rotate(at_once=True)
    refreshed = world.refresh(party, tokens["refresh_token"]).json()
    after = header_of(refreshed["id_token"])["kid"]
    assert after != before
    published = {key["kid"] for key in world.browser().get("/jwks").json()["keys"]}
    assert {before, after} <= published
    assert world.userinfo(tokens["access_token"]).status_code == 200
    assert world.userinfo(refreshed["access_token"]).status_code == 200


def test_a_revoked_key(world: World, story) -> None:
    """Case 38: what an emergency takes out of /jwks opens nothing from that moment on."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    kid = header_of(tokens["access_token"])["kid"]
    with world.writes():
        keyring.revoke(kid)
    assert world.userinfo(tokens["access_token"]).status_code == 401
    assert kid not in world.browser().get("/jwks").text
    assert world.userinfo(world.refresh(party, tokens["refresh_token"]).json()["access_token"]).status_code == 200
