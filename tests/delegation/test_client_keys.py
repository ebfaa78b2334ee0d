"""Which keys a client may register (RFC 7517, RFC 7518 §3.3, OpenID Connect Core §9): public halves, strong enough, for signatures.

Case 38 of threats.md, for keys that are not ours.
"""

from __future__ import annotations

from typing import Any

import pytest

from idp.delegation import client_keys, clients
from idp.delegation.tables import ClientRow
from idp.errors import BadInput
from tests.oidc.asking import rows
from tests.oidc.asserting import private, public
from tests.world import World

RSA, EC, OKP = public("RSA"), public("EC"), public("OKP")


def test_what_is_kept() -> None:
    """Public members, a kid, and for what; nothing else of what was sent."""
    more = {"x5c": ["MIIB"], "x5t": "x", "key_ops": ["verify"], "d2": "x"}
    stored = client_keys.require_registrable({"keys": [{**EC, "kid": "a", **more}, {**RSA, "use": "sig", "alg": "PS256"}, OKP], "x": 1})
    assert set(stored) == {"keys"}
    assert stored["keys"][0] == {**EC, "kid": "a"}
    assert stored["keys"][1] == {**RSA, "kid": stored["keys"][1]["kid"], "use": "sig", "alg": "PS256"}
    assert len({key["kid"] for key in stored["keys"]}) == 3


def test_a_thumbprint() -> None:
    """RFC 7638 §3.1: the example of the specification."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4"
        "Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI"
        "4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    stored = client_keys.require_registrable({"keys": [{"kty": "RSA", "n": modulus, "e": "AQAB"}]})
    assert stored["keys"][0]["kid"] == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


SECRETS = [
    {**EC, "d": "AAAA"},
    {**RSA, "d": "AAAA"},
    {**RSA, "p": "AAAA", "q": "AAAA"},
    {**OKP, "d": "AAAA"},
    {"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    {"kty": "oct"},
    {**EC, "k": "AAAA"},
]
UNSOUND: list[Any] = [
    None,
    {},
    [],
    "x",
    {"keys": None},
    {"keys": []},
    {"keys": {}},
    {"keys": ["x"]},
    {"keys": [RSA | {"kid": str(n)} for n in range(11)]},
    {"keys": [EC, EC]},
    {"keys": [EC | {"kid": "a"}, RSA | {"kid": "a"}]},
    *(
        {"keys": [key]}
        for key in (
            {},
            {"kty": "RSA"},
            {"kty": "rsa", "n": RSA["n"], "e": "AQAB"},
            {**RSA, "n": ""},
            {**RSA, "n": "*"},
            {**RSA, "n": 5},
            {**RSA, "e": "Aw"},
            {**RSA, "e": "AQ"},
            {**RSA, "e": "AAAA"},
            {**RSA, "e": "AQAA"},
            {**RSA, "n": "_" * 1500},
            {**EC, "crv": "P-384"},
            {**EC, "crv": "secp256k1"},
            {**EC, "y": EC["x"]},
            {**EC, "x": "AA"},
            {"kty": "EC", "crv": "P-256", "x": EC["x"]},
            {**OKP, "crv": "Ed448"},
            {**OKP, "x": "AA"},
            {**EC, "use": "x"},
            {**EC, "use": ["sig"]},
            {**EC, "use": "enc", "alg": "ES256"},
            {**RSA, "use": "enc", "alg": "RSA1_5"},
            {**OKP, "use": "enc"},
            {**OKP, "crv": "X25519", "use": "sig"},
            {**EC, "key_ops": ["encrypt"]},
            {**EC, "key_ops": "verify"},
            {**EC, "alg": "RS256"},
            {**RSA, "alg": "HS256"},
            {**RSA, "use": "sig", "alg": "RSA-OAEP"},
            {**RSA, "alg": "ECDH-ES"},
            {**EC, "kid": ""},
            {**EC, "kid": "a\n"},
            {**EC, "kid": "x" * 201},
            {**EC, "kid": 7},
        )
    ),
]


@pytest.mark.parametrize("key", SECRETS, ids=lambda key: " ".join(sorted(key)))
def test_a_secret_is_not_taken(world: World, key: dict[str, str]) -> None:
    """A private or shared key is refused as such, so that its owner learns what they have just sent; nothing of it is kept."""
    with world.writes(), pytest.raises(BadInput, match="private or shared"):
        clients.register(name="Robot", kind="machine", scopes=[], token_endpoint_auth_method="private_key_jwt", jwks={"keys": [key]})
    assert rows(world, ClientRow) == []


@pytest.mark.parametrize("jwks", UNSOUND, ids=range(len(UNSOUND)))
def test_what_is_no_key_for_us(jwks: object) -> None:
    """With a reason in words, and never a fault."""
    with pytest.raises(BadInput) as refused:
        client_keys.require_registrable(jwks)
    assert len(refused.value.message) > 20


@pytest.mark.parametrize("bits", [1024, 1536])
def test_short_rsa_keys(bits: int) -> None:
    """RFC 7518 §3.3: 2,048 bits at least."""
    with pytest.raises(BadInput, match="2,048"):
        client_keys.require_registrable({"keys": [public("RSA", bits=bits)]})
    assert private("RSA").key_size == 2048


def test_keys_go_with_the_method(world: World) -> None:
    """Who proves itself by a key has some; who can keep no secret has none, and proves itself by nothing."""
    given = {"name": "App", "kind": "web", "redirect_uris": ["https://a.example/cb"], "scopes": ["openid"]}
    for wrong in (
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"kind": "native", "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [EC]}},
        {"kind": "single_page", "token_endpoint_auth_method": "secret"},
        {"kind": "machine", "redirect_uris": [], "scopes": [], "token_endpoint_auth_method": "none"},
        {"kind": "native", "token_endpoint_auth_method": "client_secret_jwt"},
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [EC]}, "secret": "x" * 43},
    ):
        with world.writes(), pytest.raises(BadInput):
            clients.register(**given | wrong)
    assert rows(world, ClientRow) == []
