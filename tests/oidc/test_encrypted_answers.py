"""ID tokens and userinfo encrypted to the client's key: signed, then encrypted (OpenID Connect Core §5.3.2, §10.2, §16.14)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from idp import clock
from idp.delegation import client_keys, clients
from idp.errors import BadInput
from tests.oidc.asking import error_at, person, phone, signed_in, token_error
from tests.oidc.client_site import LABORATORY, site
from tests.oidc.receiving import KIND, decrypted, published, verified
from tests.oidc.test_discovery import OPENID
from tests.world import ISSUER, World, answer_of

ALL = published("RSA", "EC", "OKP")
WAYS = [
    *((algorithm, "A128CBC-HS256") for algorithm in client_keys.ENCRYPTION),
    *(("ECDH-ES", content) for content in client_keys.CONTENT[1:]),
    ("RSA-OAEP-256", "A256GCM"),
]


@pytest.mark.parametrize("way", WAYS, ids="/".join)
def test_each_way(world: World, story, way: tuple[str, str]) -> None:
    """A nested JWT, `cty: JWT`, under the client's `kid`; inside it the token as it would be without, `at_hash` and all."""
    algorithm, content = way
    encrypted = {"id_token_encrypted_response_alg": algorithm, "id_token_encrypted_response_enc": content}
    also = {
        "userinfo_encrypted_response_alg": algorithm,
        "userinfo_encrypted_response_enc": content,
        "userinfo_signed_response_alg": "ES256",
    }
    party = world.party(jwks=published(KIND[algorithm]), id_token_signed_response_alg="ES256", **encrypted, **also)
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid email offline_access")
    for answered in (tokens, world.refresh(party, tokens["refresh_token"]).json()):
        header, inner = decrypted(answered["id_token"], algorithm, content)
        assert header["cty"] == "JWT"
        _, claims = verified(world, inner, "ES256")
        assert (claims["iss"], claims["aud"], claims["sub"]) == (ISSUER, party.client.id, person(story, "zimin").user_id)
        assert claims["at_hash"]
    answer = world.userinfo(tokens["access_token"])
    assert answer.headers["Content-Type"] == "application/jwt"
    header, inner = decrypted(answer.text, algorithm, content)
    assert header["cty"] == "JWT"
    assert verified(world, inner, "ES256")[1]["email"] == "zimin@post.example"


def test_encrypted_and_not_signed(world: World, story) -> None:
    """Core §5.3.2: userinfo may be encrypted alone: the claims themselves are inside, and no `cty`."""
    party = world.party(jwks=ALL, userinfo_encrypted_response_alg="RSA-OAEP")
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid email")
    answer = world.userinfo(tokens["access_token"])
    assert answer.headers["Content-Type"] == "application/jwt"
    assert answer.headers["Cache-Control"] == "no-store"
    header, inner = decrypted(answer.text, "RSA-OAEP")
    assert "cty" not in header
    assert json.loads(inner) == {"sub": person(story, "zimin").user_id, "email": "zimin@post.example", "email_verified": True}
    assert tokens["id_token"].count(".") == 2


def test_what_it_needs(world: World) -> None:
    """Registration §2: a key that is for it, or an address of keys; `enc` needs `alg`, and A128CBC-HS256 is its default; no RSA1_5."""
    for kind in ("id_token", "userinfo", "introspection"):
        algorithm, content = f"{kind}_encrypted_response_alg", f"{kind}_encrypted_response_enc"
        for refused in (
            {algorithm: "RSA-OAEP"},
            {algorithm: "RSA-OAEP", "jwks": published("EC")},
            {algorithm: "ECDH-ES", "jwks": published("RSA")},
            {algorithm: "RSA-OAEP", "jwks": published("RSA", alg="RSA-OAEP-256")},
            {algorithm: "RSA1_5", "jwks": ALL},
            {algorithm: "dir", "jwks": ALL},
            {algorithm: "none", "jwks": ALL},
            {algorithm: "RSA-OAEP", content: "A1", "jwks": ALL},
            {content: "A128GCM", "jwks": ALL},
        ):
            with pytest.raises(BadInput):
                world.party(**refused)
        made = world.party(**{algorithm: "RSA-OAEP", "jwks": ALL}).client
        assert getattr(made, content) == "A128CBC-HS256"
    for of_people in ("id_token_encrypted_response_alg", "userinfo_encrypted_response_alg", "userinfo_signed_response_alg"):
        with pytest.raises(BadInput):
            world.machine(**{of_people: "RS256" if "signed" in of_people else "RSA-OAEP", "jwks": ALL})


def test_a_change_that_takes_the_key_away(world: World) -> None:
    """The keys that answers are encrypted to cannot be taken out while they are."""
    party = world.party(jwks=ALL, id_token_encrypted_response_alg="RSA-OAEP")
    with pytest.raises(BadInput), world.writes():
        clients.update(party.client.id, jwks=published("EC"))
    with world.writes():
        changed = clients.update(party.client.id, jwks=published("EC"), id_token_encrypted_response_alg="ECDH-ES")
    assert changed.id_token_encrypted_response_alg == "ECDH-ES"


def test_as_a_hint(world: World, story) -> None:
    """Core §3.1.2.1: the client sends the token that was inside; what is encrypted to it nobody else can open, and it is no hint."""
    party = world.party(jwks=ALL, id_token_encrypted_response_alg="ECDH-ES")
    browser = signed_in(world, story, "zimin", party)
    token = world.redeem(party, answer_of(browser.authorize(party))["code"]).json()["id_token"]
    inner = decrypted(token, "ECDH-ES")[1]
    assert "code" in answer_of(browser.authorize(party, prompt="none", id_token_hint=inner))
    assert error_at(browser.authorize(party, prompt="none", id_token_hint=token), party) == "invalid_request"


class TestAtAnAddress:
    """Keys that stand at `jwks_uri` (Core §10.2.1)."""

    @pytest.fixture
    def changed_settings(self) -> dict[str, dict[str, object]]:
        """Addresses on loopback may be asked."""
        return {"outbound": LABORATORY | {"timeout": 3.0}}

    def test_rotated(self, world: World, story) -> None:
        """Fetched when they are needed, before anything is spent: a code whose answer cannot be encrypted is still good afterwards."""
        with site() as there:
            address = there.put("/jwks", {"keys": []})
            party = world.party(jwks_uri=address, id_token_encrypted_response_alg="RSA-OAEP-256")
            browser = world.browser()
            code = answer_of(world.sign_in(browser, party, phone(story, "zimin"), scope="openid"))["code"]
            assert token_error(world.redeem(party, code)) == "invalid_request"
            there.put("/jwks", published("RSA"))
            with clock.freeze(clock.now() + timedelta(seconds=11)):
                tokens = world.redeem(party, code)
            assert tokens.status_code == 200, tokens.text
            assert decrypted(tokens.json()["id_token"], "RSA-OAEP-256")[0]["kid"] == "enc-RSA"


def test_discovery(world: World) -> None:
    """Discovery §3, RFC 9701 §7: what is listed can be registered, and nothing else."""
    document = world.browser().get(OPENID).json()
    for kind in ("id_token", "userinfo", "introspection"):
        assert document[f"{kind}_encryption_alg_values_supported"] == list(KIND)
        assert document[f"{kind}_encryption_enc_values_supported"] == ["A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM"]
