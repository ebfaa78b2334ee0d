"""Relying parties that are not ours open what we signed and encrypted for them, and find the claims that they expect: npm's openid-client.

Goal G-16 of threats.md. Its settings are the defaults, but for what a client has to know of its own registration; signatures are looked at
that it would not look at over TLS.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import machine
from tests.oidc import over_tls, receiving
from tests.oidc.asking import person, phone
from tests.oidc.test_openid_client import Node
from tests.oidc.test_relying_parties import sign_in
from tests.world import SIGNED_OUT, Browser, World

pytestmark = pytest.mark.node
DECRYPTING = {
    "RSA-OAEP": ("RSA", {"name": "RSA-OAEP", "hash": "SHA-1"}, ["decrypt"]),
    "RSA-OAEP-256": ("RSA", {"name": "RSA-OAEP", "hash": "SHA-256"}, ["decrypt"]),
    "ECDH-ES": ("EC", {"name": "ECDH", "namedCurve": "P-256"}, ["deriveBits"]),
    "ECDH-ES+A128KW": ("EC", {"name": "ECDH", "namedCurve": "P-256"}, ["deriveBits"]),
    "ECDH-ES+A256KW": ("OKP", {"name": "X25519"}, ["deriveBits"]),
}


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost."""
    if reason := machine.relying_parties():
        pytest.skip(reason)
    return over_tls.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def there(told, pem: Path) -> Iterator[World]:
    """The provider over TLS, for all of this file."""
    with over_tls.served(told, pem) as world, pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.world.ISSUER", world.settings.server.issuer)
        yield world


@pytest.fixture(scope="module")
def browser(there: World, pem: Path) -> Iterator[Browser]:
    """Somebody's browser, in which they sign in once."""
    headers = {"Accept-Language": "en", "User-Agent": "Chrome/156.0"}
    with Browser(verify=ssl.create_default_context(cafile=str(pem)), base_url=there.settings.server.issuer, headers=headers) as made:
        yield made


def whole(there: World, browser: Browser, who: tuple[Path, str], asks: dict[str, Any], **registered: Any) -> dict[str, Any]:
    """What the library got in a whole sign-in, with refreshing, introspection and revocation."""
    pem, number = who
    party = there.party(**registered)
    given = {"issuer": there.settings.server.issuer, "client_id": party.client.id, "secret": party.secret, "method": "basic"}
    given |= {"redirect_uri": party.redirect_uri, "signed_out": SIGNED_OUT, "checked": True}
    node = Node(str(machine.node()), pem)
    try:
        asked = node.ask(json.dumps(given | asks))
        got = node.ask(sign_in(there, browser, asked["address"], number))
    finally:
        node.close()
    assert "error" not in got, got
    assert {got[name]["sub"] for name in ("claims", "userinfo", "refreshed", "again")} == {got["claims"]["sub"]}
    return got


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "Ed25519", "EdDSA"])
def test_signed(there: World, browser: Browser, story, pem: Path, algorithm: str) -> None:
    """ID token, userinfo and introspection by one algorithm; each key is found in /jwks, by either name of Ed25519."""
    signed = {f"{kind}_signed_response_alg": algorithm for kind in ("id_token", "userinfo", "introspection")}
    got = whole(there, browser, (pem, phone(story, "zimin")), {"scope": "openid email", "metadata": signed}, **signed)
    assert got["claims"]["sub"] == person(story, "zimin").user_id
    assert (got["userinfo"]["email"], got["userinfo"]["aud"]) == ("zimin@post.example", got["claims"]["aud"])
    assert (got["asked"]["active"], got["after"]) == (True, {"active": False})


@pytest.mark.parametrize("algorithm", list(DECRYPTING))
def test_encrypted(there: World, browser: Browser, story, pem: Path, algorithm: str) -> None:
    """The same, encrypted to its key."""
    kind, imported, usages = DECRYPTING[algorithm]
    signed = {f"{each}_signed_response_alg": "ES256" for each in ("id_token", "userinfo", "introspection")}
    encrypted = {f"{each}_encrypted_response_alg": algorithm for each in ("id_token", "userinfo", "introspection")}
    private = receiving.key(kind).as_dict(private=True)
    own = {name: private[name] for name in ("kty", "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi") if name in private}
    decrypt = {"jwk": own, "algorithm": imported, "usages": usages, "alg": algorithm, "kid": f"enc-{kind}"}
    asks = {"scope": "openid email", "metadata": signed, "decrypt": decrypt}
    keys = receiving.published(kind)
    got = whole(there, browser, (pem, phone(story, "zimin")), asks, jwks=keys, **signed, **encrypted)
    assert got["userinfo"]["email"] == "zimin@post.example"
    assert (got["asked"]["active"], got["after"]) == (True, {"active": False})


def test_pairwise(there: World, browser: Browser, story, pem: Path) -> None:
    """Another `sub`, the same everywhere; its ID token as a hint signs the person out."""
    got = whole(there, browser, (pem, phone(story, "zimin")), {"scope": "openid email"}, subject_type="pairwise")
    assert got["asked"]["sub"] == got["claims"]["sub"] != person(story, "zimin").user_id


@pytest.mark.parametrize("preset", ["org_id", "organization", "groups"])
def test_as_written_for_another_provider(there: World, pem: Path, story, preset: str) -> None:
    """claims.md "Claim mapping": an application that reads other names finds the company and what the person may do there."""
    headers = {"Accept-Language": "en", "User-Agent": "Chrome/156.0"}
    registered: dict[str, Any] = {"claim_mapping": preset, "account_types": ["employee"]}
    with Browser(verify=ssl.create_default_context(cafile=str(pem)), base_url=there.settings.server.issuer, headers=headers) as fresh:
        got = whole(there, fresh, (pem, phone(story, "lazareva")), {"scope": "openid company"}, **registered)
    for claims in (got["claims"], got["userinfo"], got["refreshed"]):
        company, name, roles = claims["company_id"], claims["company_name"], claims["roles"]
        expected = {
            "org_id": {"org_id": company, "org_name": name},
            "organization": {"organization": {company: {"id": company, "name": name}}, "groups": [f"/{role}" for role in roles]},
            "groups": {"groups": roles},
        }[preset]
        assert {each: claims[each] for each in expected} == expected
