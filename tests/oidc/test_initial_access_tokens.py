"""Initial access tokens: who may register where not everybody may (RFC 7591 §3, §5). Case 50 of threats.md."""

from __future__ import annotations

import pytest

from idp import clock
from idp.delegation import initial_tokens
from tests.cli.terminal import answer, idp
from tests.oidc.registering import metadata, post
from tests.world import World


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """By token only, and one of a network in an hour, which tokens do not count towards."""
    return {"registration": {"mode": "token", "per_network_per_hour": 1}}


def made(world: World, *, uses: int | None = None, lifetime: int | None = None) -> str:
    """A token."""
    with world.writes():
        return initial_tokens.add("Partners", uses=uses, lifetime=lifetime)[1]


def test_without_one(world: World) -> None:
    """§3, RFC 6750 §3: 401 with a challenge, which names no error where nothing was sent."""
    bare = post(world, metadata())
    assert (bare.status_code, bare.headers["WWW-Authenticate"]) == (401, 'Bearer realm="idp"')
    wrong = post(world, metadata(), token="x" * 43)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_token")
    assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]


def test_as_often_as_it_says(world: World) -> None:
    """Uses are counted; what was refused costs none; one without a number goes on."""
    token, endless = made(world, uses=2), made(world)
    statuses = [post(world, given, token=token).status_code for given in (metadata(redirect_uris=[]), metadata(), metadata(), metadata())]
    assert statuses == [400, 201, 201, 401]
    assert [post(world, metadata(), token=endless).status_code for _ in range(4)] == [201] * 4


def test_as_long_as_it_says(world: World) -> None:
    """It expires to the second."""
    with clock.freeze(clock.now()) as later:
        token = made(world, lifetime=60)
        later(59)
        assert post(world, metadata(), token=token).status_code == 201
        later(1)
        assert post(world, metadata(), token=token).status_code == 401


def test_at_the_terminal(world: World) -> None:
    """`idp clients add-registration-token`, `list-`, `revoke-registration-token`: shown once, kept by its digest, gone when revoked."""
    shown = answer("clients", "add-registration-token", "Partners", "--uses", "3", "--days", "7")
    token = shown["initial_access_token"]
    assert post(world, metadata(), token=token).status_code == 201
    listed = answer("clients", "list-registration-tokens")
    assert [(each["id"], each["uses_left"]) for each in listed] == [(shown["token_id"], 2)]
    assert token not in str(listed)
    assert "Partners" in idp("clients", "list-registration-tokens").out
    assert idp("clients", "revoke-registration-token", shown["token_id"]).code == 0
    assert post(world, metadata(), token=token).status_code == 401
    assert idp("clients", "revoke-registration-token", shown["token_id"]).code != 0
    assert answer("clients", "list-registration-tokens") == []
    names = [event.name for event in world.events() if event.name.startswith("registration_token.")]
    assert names == ["registration_token.added", "registration_token.revoked"]
    assert idp("clients", "add-registration-token", "").code != 0
