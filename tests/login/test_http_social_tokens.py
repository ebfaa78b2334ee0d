"""ID tokens of another provider that are not believed, each for one reason; and that nothing comes of any of them.

OpenID Connect Core §3.1.3.7; threats: case 108 (nonce missing or wrong, audience, times, algorithms, issuer), and of 33 to 35 what concerns
tokens that others make. The same token without the fault signs in.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jws
from joserfc.jwk import RSAKey

from idp.cli.demo_story import Story
from idp.directory import accounts
from idp.login import upstream as said
from idp.login.tables import Session
from tests.login.hostile import KEYS, SECRET, Upstream, segment
from tests.login.http_lab import cookies_set, text_of
from tests.login.lab import how_many, where
from tests.login.social_lab import changed_settings, come_back, other, signed_up, upstream
from tests.world import Party, World, answer_of, claims_of

__all__ = ["changed_settings", "other", "upstream"]

CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "nonce missing": ({"nonce": None}, "token_nonce"),
    "nonce missing and said to be needless": ({"nonce": None, "nonce_supported": False}, "token_nonce"),
    "nonce wrong": ({"nonce": "other"}, "token_nonce"),
    "nonce empty": ({"nonce": ""}, "token_nonce"),
    "nonce a list": ({"nonce": ["x"]}, "token_nonce"),
    "aud of another": ({"aud": "them"}, "token_audience"),
    "aud missing": ({"aud": None}, "token_audience"),
    "aud of us and another": ({"aud": ["us", "them"]}, "token_audience"),
    "aud of us twice": ({"aud": ["us", "us"]}, "token_audience"),
    "azp of another": ({"azp": "them"}, "token_audience"),
    "iss of another": ({"iss": "https://accounts.google.com"}, "token_issuer"),
    "iss missing": ({"iss": None}, "token_issuer"),
    "exp missing": ({"exp": None}, "token_times"),
    "exp past": ({"exp": 1}, "token_times"),
    "exp a text": ({"exp": "9999999999"}, "token_times"),
    "exp a float": ({"exp": 9999999999.5}, "token_times"),
    "exp true": ({"exp": True}, "token_times"),
    "iat missing": ({"iat": None}, "token_times"),
    "iat of last year": ({"iat": 1000000000}, "token_times"),
    "iat to come": ({"iat": 9999999999}, "token_times"),
    "nbf to come": ({"nbf": 9999999999}, "token_times"),
    "sub missing": ({"sub": None}, "token_subject"),
    "sub a number": ({"sub": 7}, "token_subject"),
    "sub empty": ({"sub": ""}, "token_subject"),
    "sub too long": ({"sub": "x" * 256}, "token_subject"),
    "sub with NUL": ({"sub": "a\x00b"}, "token_subject"),
}
HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "embedded key": ({"jwk": {"kty": "EC"}}, "token_header"),
    "address of keys": ({"jku": "https://evil.example/jwks"}, "token_header"),
    "address of certificates": ({"x5u": "https://evil.example/x"}, "token_header"),
    "crit": ({"crit": ["exp"]}, "token_header"),
    "b64": ({"b64": False}, "token_header"),
    "zip": ({"zip": "DEF"}, "token_header"),
    "typ of an access token": ({"typ": "at+jwt"}, "token_header"),
    "typ of a logout token": ({"typ": "logout+jwt"}, "token_header"),
    "kid a number": ({"kid": 7}, "token_header"),
    "kid unknown": ({"kid": "../../etc/passwd"}, "token_key"),
    "kid of another kind": ({"kid": "RS256"}, "token_key"),
}
STRANGER = RSAKey.import_key(
    rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
)


def by_hmac(secret: bytes, algorithm: str = "HS256") -> Any:
    """Makes tokens that are signed with a shared secret."""

    def make(header: dict[str, Any], claims: dict[str, Any]) -> str:
        message = f"{segment(header | {'alg': algorithm})}.{segment(claims)}"
        return f"{message}.{segment(hmac.digest(secret, message.encode(), hashlib.sha256))}"

    return make


def unsigned(algorithm: str, signature: str = "") -> Any:
    """Makes tokens that nobody signed."""
    return lambda header, claims: f"{segment(header | {'alg': algorithm})}.{segment(claims)}.{signature}"


def by_a_stranger(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A good signature by a key that is not the provider's."""
    header |= {"alg": "RS256", "kid": "RS256"}
    return jws.serialize_compact(header, json.dumps(claims).encode(), STRANGER, algorithms=["RS256"])


def twice(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A claim that stands twice, one of them right, under a signature of the provider."""
    raw = json.dumps(claims)[:-1] + ', "nonce": "other"}'
    message = f"{segment(header)}.{segment(raw.encode())}"
    return f"{message}.{segment(jws.JWSRegistry(algorithms=['ES256']).get_alg('ES256').sign(message.encode(), KEYS['ES256']))}"


PUBLIC_PEM = KEYS["RS256"].as_pem(private=False)
MAKES: dict[str, tuple[Any, str]] = {
    "none": (unsigned("none"), "token_shape"),
    "none with a signature": (unsigned("none", "eA"), "token_algorithm"),
    "None": (unsigned("None", "eA"), "token_algorithm"),
    "HS256 by the public key": (by_hmac(PUBLIC_PEM), "token_algorithm"),
    "HS256 by the client's secret": (by_hmac(SECRET.encode()), "token_algorithm"),
    "HS256 called RS256": (by_hmac(PUBLIC_PEM, "RS256"), "token_key"),
    "HS256 by nothing": (by_hmac(b""), "token_algorithm"),
    "a stranger's key": (by_a_stranger, "token_signature"),
    "a claim that stands twice": (twice, "token_shape"),
    "no signature": (unsigned("ES256", "eA"), "token_signature"),
    "JSON serialisation": (lambda _, claims: json.dumps({"payload": segment(claims), "signatures": []}), "token_shape"),
    "too long": (lambda *_: "x" * 9000, "token_shape"),
    "five parts": (lambda *_: "a.b.c.d.e", "token_shape"),
    "not JSON": (lambda _, claims: f"{segment(b'{')}.{segment(claims)}.eA", "token_shape"),
    "deeply nested": (lambda header, _: f"{segment(header)}.{segment(b'[' * 4000)}.eA", "token_shape"),
    "empty": (lambda *_: "", "token_shape"),
}


def test_they_are_refused(world: World, party: Party, upstream: Upstream) -> None:
    """One after the other in one browser: no session, a sentence on the phone page, and the reason in the event."""
    browser = world.browser()
    cases = [*((name, {"claims": given}, word) for name, (given, word) in CLAIMS.items())]
    cases += [*((name, {"header": given}, word) for name, (given, word) in HEADERS.items())]
    cases += [*((name, {"make": make}, word) for name, (make, word) in MAKES.items())]
    cases += [("no token", {"token": {"id_token": None}}, "no_id_token"), ("a list", {"token": {"id_token": ["x"]}}, "no_id_token")]
    cases += [
        ("slash", {"claims": {"iss": f"{upstream.issuer}/"}}, "token_issuer"),
        ("l", {"claims": {"iss": [upstream.issuer]}}, "token_issuer"),
    ]
    for name, changes, _ in cases:
        upstream.reset()
        for attribute, value in changes.items():
            setattr(upstream, attribute, value)
        page = come_back(browser, party, upstream)
        assert "Signing in with Upstream did not work" in text_of(page), name
        assert "idp_session" not in cookies_set(page), name
    found = [event.details["reason"] for event in world.events("social.failed")]
    assert [(case[0], reason) for case, reason in zip(cases, found, strict=True)] == [(name, word) for name, _, word in cases]
    assert how_many(world, Session) == 0


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_what_is_believed(world: World, party: Party, upstream: Upstream, algorithm: str) -> None:
    """The four algorithms; an audience that is a list of us, `azp` that is us; a header without `typ`, and without `kid` where there is one
    key of that kind.
    """
    upstream.algorithm = algorithm
    upstream.header = {"kid": "Ed25519"} if algorithm == "EdDSA" else {}
    browser = world.browser()
    for changes in ({}, {"claims": {"aud": ["us"], "azp": "us"}}, {"header": {**upstream.header, "typ": None}}):
        for attribute, value in changes.items():
            setattr(upstream, attribute, value)
        assert "linked to this account" in text_of(come_back(browser, party, upstream))
    if algorithm in {"ES256", "EdDSA"}:
        upstream.header = {"kid": None}
        assert "linked to this account" in text_of(come_back(browser, party, upstream))
    # What the provider does not announce is not believed either.
    upstream.metadata = {
        "id_token_signing_alg_values_supported": [each for each in ("RS256", "PS256", "ES256", "EdDSA") if each != algorithm]
    }
    said.forget_known()
    assert "did not work" in text_of(come_back(browser, party, upstream))


def test_a_new_key_is_looked_for_once(world: World, party: Party, upstream: Upstream) -> None:
    """A provider rotates its keys: we look again. Whoever comes with keys that nobody knows makes us look no more than once a minute."""
    browser = world.browser()
    known = upstream.jwks
    upstream.jwks = lambda: {"keys": [key for key in known()["keys"] if key["kid"] != "ES256"]}  # type: ignore[method-assign]
    try:
        assert "did not work" in text_of(come_back(browser, party, upstream))
        upstream.header = {"kid": "RS256"}
        upstream.algorithm = "RS256"
        assert where(come_back(browser, party, upstream)) == "identify"
        before = [path for path, _, _ in upstream.seen].count("/jwks")
        upstream.header = {"kid": "unknown"}
        for _ in range(3):
            assert "did not work" in text_of(come_back(browser, party, upstream))
        assert [path for path, _, _ in upstream.seen].count("/jwks") == before == 2
    finally:
        upstream.jwks = known  # type: ignore[method-assign]


def test_it_makes_nobody_more_than_they_are(world: World, party: Party, upstream: Upstream, story: Story) -> None:
    """Case 113: what it says of accounts, companies, roles and permissions is nobody's word here: at the first sign-in, when it is linked,
    and by the button afterwards, apps are told what they are told of anybody, and nothing of it is kept.
    """
    romashka, words = story.companies["romashka"], ["owner", "administrator", "orders:write"]
    crown = {
        "company": {"id": romashka, "name": "ООО «Ромашка»", "role": "owner"},
        "account": {"id": "acc_1", "kind": "employee", "company_id": romashka},
        "companies": [romashka],
        "accounts": [romashka],
        **dict.fromkeys(("company_id", "tenant", "org_id"), romashka),
        **dict.fromkeys(("role", "roles", "permission", "permissions", "groups", "entitlements", "scope", "scp"), words),
        **dict.fromkeys(("is_administrator", "admin", "phone_number_verified", "email_verified"), True),
        "account_id": "acc_1",
    }
    scope = "openid profile email phone account company companies"
    told: list[list[dict[str, object]]] = []
    for subject, claims in (("plain", {}), ("crowned", crown)):
        upstream.subject, upstream.claims = subject, claims
        browser = world.browser()
        signed_up(world, browser, party, upstream)
        tokens = [world.redeem(party, answer_of(browser.authorize(party, scope=scope))["code"]).json()]
        back = come_back(world.browser(), party, upstream, scope=scope)
        tokens.append(world.redeem(party, answer_of(back)["code"]).json())
        sub = str(claims_of(tokens[0]["id_token"])["sub"])
        with world.reads():
            assert [account.kind for account in accounts.candidates(sub, ["personal", "employee"])] == ["personal"]
        told.append([claims_of(each["id_token"]) | world.userinfo(each["access_token"]).json() for each in tokens])
        assert not [word for each in told[-1] for word in (romashka, "orders:write", "owner") if word in str(each)]
    for plain, crowned in zip(*told, strict=True):
        assert set(plain) == set(crowned)
        assert (plain.get("companies"), plain.get("company")) == (crowned.get("companies"), crowned.get("company"))
