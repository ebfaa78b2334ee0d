"""Relying parties that are not ours sign in by every client authentication that discovery names: PyPI's idpyoidc, npm's openid-client.

Goal G-16 of threats.md. All settings are the libraries' defaults, but for one: idpyoidc signs assertions for the token endpoint's address
and is refused until it signs for the issuer, as FAPI 2.0 and the revision of RFC 7523 have it.
"""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from idp.delegation import clients
from tests import machine
from tests.oidc import over_tls
from tests.oidc.asking import person, phone
from tests.oidc.asserting import kind_of, private, public
from tests.oidc.test_openid_client import Node
from tests.world import Browser, World

WEB_CRYPTO: dict[str, object] = {
    "RS256": {"name": "RSASSA-PKCS1-v1_5", "hash": "SHA-256"},
    "PS256": {"name": "RSA-PSS", "hash": "SHA-256"},
    "ES256": {"name": "ECDSA", "namedCurve": "P-256"},
    "Ed25519": "Ed25519",
}


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost."""
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


def sign_in(there: World, browser: Browser, address: str, number: str) -> str:
    """The whole of it, by phone and code, or silently after that; where the browser is sent back to."""
    page = browser.go(address)
    if "Location" in page.headers:
        return page.headers["Location"]
    page = browser.onward(browser.submit(page, phone=number))
    return browser.onward(browser.submit(page, code=there.code_for(number))).headers["Location"]


class Idpyoidc:
    """The running script."""

    def __init__(self, given: dict[str, Any], folder: Path) -> None:
        command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("idpyoidc_party.py"))]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, text=True, cwd=folder, **pipes)  # it writes its keys where it stands
        self.jwks = self.ask(given)["jwks"]

    def ask(self, value: object) -> dict[str, Any]:
        """Give it a line, read its answer."""
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError(self.process.stderr.read()[-3000:])
        return json.loads(answer)

    def close(self) -> None:
        """End it."""
        self.process.communicate()


@pytest.mark.parametrize(
    "how",
    [
        ("client_secret_basic", "secret", True),
        ("client_secret_basic", "client_secret_basic", True),
        ("client_secret_post", "client_secret_post", True),
        ("private_key_jwt", "private_key_jwt", False),
        ("private_key_jwt", "private_key_jwt", True),
    ],
    ids=str,
)
def test_idpyoidc(there: World, browser: Browser, story, pem: Path, how: tuple[str, str, bool]) -> None:
    """Discovery, the address, the callback, the code, userinfo."""
    method, registered, all_defaults = how
    issuer, secret = there.settings.server.issuer, None if method == "private_key_jwt" else "s" * 20 + method.replace("_", "-") + registered
    given = {"issuer": issuer, "secret": secret, "redirect_uri": "https://rp.example/callback", "ca": str(pem), "method": method}
    rp = Idpyoidc(given | {"scope": "openid profile email", "all_defaults": all_defaults}, pem.parent)
    try:
        ours = [{name: value for name, value in key.items() if name != "use"} for key in rp.jwks["keys"] if key.get("use") == "sig"]
        keys = {"jwks": {"keys": [key for key in ours if key["kty"] in {"RSA", "EC"}]}} if secret is None else {"secret": secret}
        party = there.party(token_endpoint_auth_method=registered, pkce="required", **keys)
        back = sign_in(there, browser, rp.ask(party.client.id)["address"], phone(story, "zimin"))
        got = rp.ask(back)
    finally:
        rp.close()
    assert "error" not in got, got
    assert got["claims"]["iss"] == issuer
    assert got["claims"]["sub"] == got["userinfo"]["sub"] == person(story, "zimin").user_id
    assert got["userinfo"]["email"] == "zimin@post.example"


@pytest.mark.node
@pytest.mark.parametrize(
    "how",
    [
        ("basic", "client_secret_basic", None),
        ("post", "client_secret_post", None),
        ("none", "none", None),
        ("client_secret_jwt", "client_secret_jwt", None),
        *(("private_key_jwt", "private_key_jwt", algorithm) for algorithm in WEB_CRYPTO),
    ],
    ids=str,
)
def test_openid_client(there: World, browser: Browser, story, pem: Path, how: tuple[str, str, str | None]) -> None:
    """A whole sign-in, with refreshing; a method that is registered exactly is the only one. Who has a key signs its request too."""
    method, registered, algorithm = how
    if reason := machine.relying_parties():
        pytest.skip(reason)
    keys: dict[str, Any] = {}
    given: dict[str, Any] = {"issuer": there.settings.server.issuer, "method": method, "scope": "openid profile email"}
    if algorithm:
        keys["jwks"] = {"keys": [public(kind_of(algorithm), kid="mine")]}
        der = private(kind_of(algorithm)).private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        given |= {"pkcs8": base64.b64encode(der).decode(), "algorithm": WEB_CRYPTO[algorithm], "kid": "mine", "signed": True}
        keys["require_signed_request_object"] = True
    party = there.party(token_endpoint_auth_method=registered, **keys)
    given |= {"client_id": party.client.id, "secret": party.secret, "redirect_uri": party.redirect_uri}
    node = Node(str(machine.node()), pem)
    try:
        asked = node.ask(json.dumps(given | {"signed_out": party.client.post_logout_redirect_uris[0]}))
        got = node.ask(sign_in(there, browser, asked["address"], phone(story, "zimin")))
    finally:
        node.close()
    assert "error" not in got, got
    assert {got[name]["sub"] for name in ("claims", "userinfo", "refreshed", "again")} == {person(story, "zimin").user_id}
    with there.reads():
        found = clients.get(party.client.id)
    assert found.token_endpoint_auth_method == registered
