"""Protected resource metadata (RFC 9728) of our own API: a client that knows only its address finds out whose tokens it takes."""

from __future__ import annotations

import re

from tests.oidc.asking import phone
from tests.world import ISSUER, World

PROTECTED = "/.well-known/oauth-protected-resource"


def test_the_document(world: World) -> None:
    """§2, §3.2: the resource is the issuer; its provider too, whose own document says the same scopes."""
    answer = world.browser().get(PROTECTED)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    document = answer.json()
    assert (document["resource"], document["authorization_servers"]) == (ISSUER, [ISSUER])
    assert document["bearer_methods_supported"] == ["header", "body"]
    assert document["jwks_uri"] == f"{ISSUER}/jwks"
    assert document["resource_name"] == "Bazar ID"
    known = world.browser().get("/.well-known/openid-configuration").json()
    assert {"openid", "company"} <= set(document["scopes_supported"]) <= set(known["scopes_supported"])
    assert "none" not in document["resource_signing_alg_values_supported"]
    assert all(value not in (None, "", []) for value in document.values())  # §3.2: what is empty is left out


def test_whoever_asks(world: World) -> None:
    """As discovery: for pages of anybody, to be kept for a while, without a cookie."""
    answer = world.browser().get(PROTECTED)
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in answer.headers
    assert world.browser().options(PROTECTED, headers={"Origin": "https://app.example"}).headers["Access-Control-Allow-Origin"] == "*"
    assert world.browser().post(PROTECTED).status_code == 405


def test_a_refusal_leads_there(world: World, story) -> None:
    """§5.1: `resource_metadata` in every challenge of userinfo, whose address is what RFC 9728 §3.1 makes of the resource's."""
    party = world.party(scopes=["profile"], pkce="required")
    without = world.tokens(world.browser(), party, phone(story, "zimin"), scope="profile")["access_token"]
    browser = world.browser()
    for sent, status in (("", 401), ("Bearer x", 401), ("Basic x", 400), (f"Bearer {without}", 403)):
        answer = browser.get("/userinfo", headers={"Authorization": sent} if sent else {})
        assert answer.status_code == status
        named = re.search('resource_metadata="([^"]+)"', answer.headers["WWW-Authenticate"])
        assert named is not None
        assert named[1] == ISSUER + PROTECTED
        assert browser.get(named[1]).json()["resource"] == ISSUER
