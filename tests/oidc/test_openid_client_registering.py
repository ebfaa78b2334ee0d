"""A relying party that is not ours registers itself and signs in: npm's openid-client, over TLS (RFC 7591; goal G-16 of threats.md)."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest

from tests import machine
from tests.oidc import over_tls
from tests.oidc.asking import person, phone
from tests.oidc.registering import OPEN
from tests.oidc.test_openid_client import Node
from tests.world import CALLBACK, Browser

pytestmark = pytest.mark.node


def test_registering_and_signing_in(told, story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Discovery, registration, the person's consent, the code, a refresh, userinfo: with what the library does by itself."""
    if reason := machine.relying_parties():
        pytest.skip(reason)
    pem = over_tls.certificate(tmp_path)
    with over_tls.served(told, pem, **OPEN) as world:
        issuer = world.settings.server.issuer
        monkeypatch.setattr("tests.world.ISSUER", issuer)
        metadata = {"redirect_uris": [CALLBACK], "client_name": "Theirs", "grant_types": ["authorization_code", "refresh_token"]}
        node = Node(str(machine.node()), pem, "openid_client_registering.mjs")
        trusting = ssl.create_default_context(cafile=str(pem))
        with Browser(verify=trusting, base_url=issuer, headers={"Accept-Language": "en", "User-Agent": "Chrome/156.0"}) as browser:
            begun = node.ask(json.dumps({"issuer": issuer, "metadata": metadata}))
            assert begun["registered"]["registration_client_uri"].startswith(issuer)
            page = browser.onward(browser.get(begun["address"]))
            page = browser.onward(browser.submit(page, phone=phone(story, "zimin")))
            page = browser.onward(browser.submit(page, code=world.code_for(phone(story, "zimin"))))
            done = node.ask(browser.allow(page).headers["Location"])
        node.close()
    assert done["claims"]["sub"] == done["userinfo"]["sub"] == person(story, "zimin").user_id
