"""A relying party that is not ours: npm's openid-client (certified by the OpenID Foundation) signs in with all its defaults, over TLS.

Goal G-16 of threats.md. Validation of issuer, audience, nonce, `at_hash`, `iss` and state is the library's.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import machine
from tests.oidc import over_tls
from tests.oidc.asking import person, phone
from tests.oidc.devices import GRANT_TYPES, television
from tests.world import CALLBACK, SIGNED_OUT, Browser, Party

pytestmark = pytest.mark.node


class Node:
    """The running script."""

    def __init__(self, program: str, pem: Path, script_name: str = "openid_client.mjs") -> None:
        script = Path(__file__).with_name(script_name)
        environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(pem)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen([program, str(script)], text=True, env=environment, cwd=script.parent.parent, **pipes)

    def ask(self, line: str) -> dict[str, Any]:
        """Give it a line, read its answer."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError(self.process.stderr.read())
        return json.loads(answer)

    def close(self) -> None:
        """End it."""
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.mark.parametrize(
    "how",
    [
        ({}, "default"),
        ({"pkce": "required", "id_token_signed_response_alg": "ES256"}, "basic"),
        ({"id_token_signed_response_alg": "Ed25519", "access_token_format": "opaque"}, "post"),
        ({"kind": "single_page"}, "none"),
        ({"kind": "native", "redirect_uris": ["http://127.0.0.1/cb"]}, "none"),
    ],
)
def test_a_whole_sign_in(told, story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: tuple[dict, str]) -> None:
    """Discovery, the address, the callback, the code, userinfo, a refresh, introspection, revocation, signing out."""
    registration, method = how
    if reason := machine.relying_parties():
        pytest.skip(reason)
    pem = over_tls.certificate(tmp_path)
    with over_tls.served(told, pem) as world:
        issuer = world.settings.server.issuer
        monkeypatch.setattr("tests.world.ISSUER", issuer)
        party: Party = world.party(**registration)
        uri = party.redirect_uri.replace("127.0.0.1/", "127.0.0.1:49321/")
        given = {"issuer": issuer, "client_id": party.client.id, "secret": party.secret, "redirect_uri": uri, "method": method}
        node = Node(str(machine.node()), pem)
        trusting = ssl.create_default_context(cafile=str(pem))
        with Browser(verify=trusting, base_url=issuer, headers={"Accept-Language": "en", "User-Agent": "Chrome/156.0"}) as browser:
            try:
                asked = node.ask(json.dumps(given | {"scope": "openid profile email", "signed_out": SIGNED_OUT}))
                page = browser.go(asked["address"])
                page = browser.onward(browser.submit(page, phone=phone(story, "zimin")))
                back = browser.onward(browser.submit(page, code=world.code_for(phone(story, "zimin"))))
                back = browser.allow(back) if party.client.kind == "native" else back
                got = node.ask(back.headers["Location"])
            finally:
                node.close()
            assert "error" not in got, got
            subject = person(story, "zimin").user_id
            assert {got[name]["sub"] for name in ("claims", "userinfo", "refreshed", "again")} == {subject}
            assert got["claims"]["iss"] == issuer
            assert got["userinfo"]["email"] == "zimin@post.example"
            assert got["scope"] == "openid profile email"
            assert got["refreshed"]["auth_time"] == got["claims"]["auth_time"]
            assert (got["asked"] or {"sub": subject})["sub"] == subject
            assert got["after"] == (None if method == "none" else {"active": False})
            assert got["gone"] == "invalid_grant"
            left = browser.get(got["leave"])
            assert left.headers["Location"] == f"{SIGNED_OUT}?state={got['state']}"


@pytest.mark.parametrize("how", [("none", "allow"), ("none", "deny"), ("default", "allow")])
def test_on_a_device(told, story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: tuple[str, str]) -> None:
    """RFC 8628: codes, a person at another screen, the library asking in the pace that it was told; allowed, and refused."""
    method, pressed = how
    if reason := machine.relying_parties():
        pytest.skip(reason)
    pem = over_tls.certificate(tmp_path)
    with over_tls.served(told, pem) as world:
        issuer = world.settings.server.issuer
        monkeypatch.setattr("tests.world.ISSUER", issuer)
        party = television(world) if method == "none" else world.party(grant_types=GRANT_TYPES, redirect_uris=[])
        given = {"issuer": issuer, "client_id": party.client.id, "secret": party.secret, "method": method, "flow": "device"}
        node = Node(str(machine.node()), pem)
        headers = {"Accept-Language": "en", "User-Agent": "Chrome/156.0"}
        with Browser(verify=ssl.create_default_context(cafile=str(pem)), base_url=issuer, headers=headers) as browser:
            try:
                device = node.ask(json.dumps(given | {"scope": "openid email"}))["device"]
                page = browser.go(device["verification_uri_complete"])
                page = browser.onward(browser.submit(page, user_code=device["user_code"]))
                page = browser.onward(browser.submit(page, phone=phone(story, "zimin")))
                page = browser.onward(browser.submit(page, code=world.code_for(phone(story, "zimin"))))
                assert device["user_code"] in page.text
                browser.onward(browser.submit(page, answer=pressed))
                got = node.ask("now")
            finally:
                node.close()
        if pressed == "deny":
            assert got == {"error": "access_denied"}
            return
        subject = person(story, "zimin").user_id
        assert {got[name]["sub"] for name in ("claims", "userinfo", "refreshed")} == {subject}
        assert (got["scope"], got["userinfo"]["email"]) == ("openid email", "zimin@post.example")


def test_it_notices_an_error(told, story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 6749 §4.1.2.1: the library understands our refusals as what they are."""
    if reason := machine.relying_parties():
        pytest.skip(reason)
    pem = over_tls.certificate(tmp_path)
    with over_tls.served(told, pem) as world:
        issuer = world.settings.server.issuer
        monkeypatch.setattr("tests.world.ISSUER", issuer)
        party = world.party()
        given = {"issuer": issuer, "client_id": party.client.id, "secret": party.secret, "redirect_uri": CALLBACK, "method": "default"}
        node = Node(str(machine.node()), pem)
        with Browser(verify=ssl.create_default_context(cafile=str(pem)), base_url=issuer) as browser:
            try:
                asked = node.ask(json.dumps(given | {"scope": "openid", "signed_out": SIGNED_OUT}))
                back = browser.press(browser.go(asked["address"]), "/cancel")
                got = node.ask(back.headers["Location"])
            finally:
                node.close()
        assert got == {"error": "access_denied", "description": "The person cancelled."}
