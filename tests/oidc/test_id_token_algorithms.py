"""ID tokens by each algorithm that a client can be registered for: signed by a key of /jwks, with the right hashes.

OpenID Connect Core §2, §3.1.3.6, RFC 7518 §3, RFC 8037, RFC 9864.

Conformance: oidcc-idtoken-signature, oidcc-idtoken-rs256, oidcc-idtoken-unsigned.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from idp.delegation import registering_answers
from idp.errors import BadInput
from tests.oidc.asking import error_at, phone, signed_in
from tests.oidc.test_discovery import OPENID
from tests.world import World, answer_of, claims_of

BY_KEY = [algorithm for algorithm in registering_answers.ALGORITHMS if algorithm != "HS256"]


def header_of(token: str) -> dict[str, Any]:
    """The header of a JWT, unverified."""
    part = token.split(".", maxsplit=1)[0]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def half(value: str, algorithm: str) -> str:
    """`at_hash`, worked out by the text of the specification."""
    made = hashlib.new("sha512" if algorithm.startswith("Ed") else "sha256", value.encode()).digest()
    return base64.urlsafe_b64encode(made[: len(made) // 2]).decode().rstrip("=")


@pytest.mark.filterwarnings("ignore:.*EdDSA")
@pytest.mark.parametrize("algorithm", BY_KEY)
def test_each_algorithm(world: World, story, algorithm: str) -> None:
    """The header says what was registered, the key is in /jwks by its `kid`, `at_hash` is made by the algorithm's hash."""
    party = world.party(id_token_signed_response_alg=algorithm)
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid offline_access")
    header = header_of(tokens["id_token"])
    assert header.keys() == {"alg", "typ", "kid"}
    assert (header["alg"], header["typ"]) == (algorithm, "JWT")
    keys = KeySet.import_key_set(world.browser().get("/jwks").json())
    for answered in (tokens, world.refresh(party, tokens["refresh_token"]).json()):
        opened = jwt.decode(answered["id_token"], keys, algorithms=[algorithm])
        assert opened.claims["at_hash"] == half(answered["access_token"], algorithm)
    hinted = signed_in(world, story, "zimin", party).authorize(party, prompt="none", id_token_hint=tokens["id_token"])
    assert "code" in answer_of(hinted)


def test_none_registered(world: World, story) -> None:
    """Conformance, idtoken-signature: RS256, with a `kid`."""
    for algorithm in (None, "", "RS256"):
        party = world.party(id_token_signed_response_alg=algorithm)
        tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid")
        assert header_of(tokens["id_token"])["alg"] == "RS256"
        assert header_of(tokens["id_token"])["kid"]


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "RS1", "HS1", "RS384", "ES384", "rs256", " RS256"])
def test_what_nobody_gets(world: World, algorithm: str) -> None:
    """Conformance, idtoken-unsigned; case 33: `none` is not listed and cannot be registered, nor what we do not sign by."""
    assert algorithm not in world.browser().get(OPENID).json()["id_token_signing_alg_values_supported"]
    with pytest.raises(BadInput):
        world.party(id_token_signed_response_alg=algorithm)


def test_discovery_lists_them(world: World) -> None:
    """Discovery §3: RS256 among them, first."""
    listed = world.browser().get(OPENID).json()["id_token_signing_alg_values_supported"]
    assert listed == list(registering_answers.ALGORITHMS)
    assert listed[0] == "RS256"


def test_an_unsigned_hint(world: World, story) -> None:
    """Case 33: a hint whose header says `none`, with its claims as they were, is no hint."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    token = world.redeem(party, answer_of(browser.authorize(party))["code"]).json()["id_token"]
    for algorithm in ("none", "None", "NONE"):
        header = base64.urlsafe_b64encode(json.dumps(header_of(token) | {"alg": algorithm}).encode()).decode().rstrip("=")
        for forged in (f"{header}.{token.split('.')[1]}.", f"{header}.{token.split('.')[1]}.{token.split('.')[2]}"):
            assert error_at(browser.authorize(party, prompt="none", id_token_hint=forged), party) == "invalid_request"
    assert claims_of(token)["nonce"] == "nonce-1"
