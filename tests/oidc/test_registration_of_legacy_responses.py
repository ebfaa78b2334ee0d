"""Clients that register for the implicit and hybrid response types, where they are served (OpenID Connect Registration 1.0 §2)."""

from __future__ import annotations

import pytest

from tests.oidc.asking import phone
from tests.oidc.registering import OPEN, party, refused, registered
from tests.world import World

HYBRID = ["code id_token", "code token", "code id_token token"]


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """They are served."""
    return {**OPEN, "oidc": {"legacy_response_types": True}}


@pytest.mark.parametrize("types", [["id_token"], ["id_token token"], ["code", "id_token"], *([each] for each in HYBRID)])
def test_grant_types_follow(world: World, types: list[str]) -> None:
    """§2: a client that names no grant types gets those that its response types need; what comes back agrees with itself."""
    body = registered(world, response_types=types)
    by_code = any("code" in each for each in types)
    assert body["response_types"] == types
    assert set(body["grant_types"]) == ({"implicit", "authorization_code"} if by_code else {"implicit"})
    assert registered(world, response_types=types, grant_types=sorted(body["grant_types"]))["response_types"] == types


def test_what_does_not_agree(world: World) -> None:
    """RFC 7591 §2.1: `code` without its grant type."""
    refused(world, response_types=["code id_token"], grant_types=["implicit"])
    refused(world, response_types=["code nonsense"])


def test_it_works(world: World, story) -> None:
    """An ID token comes back in the fragment, for a client that registered itself so."""
    rp, browser = party(world, response_types=["id_token"], grant_types=["implicit"]), world.browser()
    asked = {"response_type": "id_token", "scope": "openid", "code_challenge": None, "code_challenge_method": None}
    page = world.sign_in(browser, rp, phone(story, "zimin"), **asked)
    assert "id_token=" in browser.allow(page).headers["Location"].partition("#")[2]
