"""`idp keys`: rotation ahead of the schedule, and the emergency (R7; OpenID Connect Core §10.1.1)."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest

from idp import clock, keyring
from tests.cli.terminal import answer, idp
from tests.oidc.asking import phone
from tests.world import World


def published(world: World) -> set[str]:
    """The kids in /jwks, as every process has them a second after a change."""
    time.sleep(keyring.LOOK_AGAIN + 0.05)
    return {key["kid"] for key in world.browser().get("/jwks").json()["keys"]}


def by_state(algorithm: str = "ES256") -> dict[str, list[str]]:
    """The kids of an algorithm's keys, by state."""
    found: dict[str, list[str]] = {}
    for key in answer("keys", "list"):
        if key["algorithm"] == algorithm:
            found.setdefault(key["state"], []).append(key["kid"])
    return found


def test_listed(world: World) -> None:
    """Each with its state, since when, until when; nothing of the private half."""
    listed = answer("keys", "list")
    assert sorted((key["algorithm"], key["state"]) for key in listed) == sorted(
        [(algorithm, state) for algorithm in keyring.ALGORITHMS for state in ("active", "next")]
        + [(algorithm, "active") for algorithm in keyring.ENCRYPTION]
    )
    assert all(key["since"] < key["until"] and key["since"].endswith("+00:00") for key in listed)
    table = idp("keys", "list").out
    assert all(key["kid"] in table for key in listed)
    assert "sealed" not in json.dumps(listed)


def test_not_before_its_time(world: World) -> None:
    """R7: relying parties must have seen the next key; the operator reads until when to wait, and how to go on all the same."""
    before = answer("keys", "list")
    done = idp("keys", "rotate", "--algorithm", "ES256")
    assert (done.code, done.out) == (1, "")
    assert by_state()["next"][0] in done.err
    assert "UTC" in done.err
    assert "--now" in done.err
    assert answer("keys", "list") == before
    following = by_state()["next"]
    rotated = answer("keys", "rotate", "--algorithm", "ES256", "--now")
    assert {key["algorithm"] for key in rotated} == {"ES256"}
    assert by_state()["active"] == following
    assert len(by_state("RS256")) == 2


def test_rotated_in_time(world: World) -> None:
    """After `keys.published_before` it needs no force, and what was signed before stays good."""
    with clock.freeze(clock.now()) as later:
        following = {algorithm: by_state(algorithm)["next"] for algorithm in keyring.ALGORITHMS}
        later(timedelta(seconds=world.settings.keys.published_before))
        assert idp("keys", "rotate").code == 0
        for algorithm in keyring.ALGORITHMS:
            found = by_state(algorithm)
            assert found["active"] == following[algorithm]
            assert set(found) == {"next", "active", "retiring"}
            assert found["retiring"][0] in published(world)
    assert {event.actor_id for event in world.events("key.activated") if event.details.get("uid") is not None} == {"operator"}


def test_revoked_at_once(world: World, story) -> None:
    """The emergency: out of /jwks, what it signed is refused, its successor signs. No terminal, no --yes: nothing happens."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    [kid], [following] = by_state()["active"], by_state()["next"]
    asked = idp("keys", "revoke", kid)
    assert (asked.code, asked.out) == (1, "")
    assert "--yes" in asked.err
    assert kid in published(world)
    done = idp("keys", "revoke", kid, "--yes")
    assert (done.code, done.out) == (0, f"{kid} is revoked.\n")
    assert kid not in published(world)
    assert world.userinfo(tokens["access_token"]).status_code == 401
    fresh: dict[str, Any] = world.refresh(party, tokens["refresh_token"]).json()
    assert world.userinfo(fresh["access_token"]).status_code == 200
    assert by_state()["active"] == [following]
    assert by_state()["revoked"] == [kid]
    [event] = world.events("key.revoked")
    assert (event.actor_id, event.details["kid"]) == ("operator", kid)
    again = idp("keys", "revoke", kid, "--yes")
    assert again.code == 1
    assert "already" in again.err


@pytest.mark.parametrize("kid", ["key_of_nobody", "", "x" * 9000, "\x1b[2J\u202e", "'; --"])
def test_a_key_that_is_none(world: World, kid: str) -> None:
    """Nothing is revoked, and the operator reads where to look."""
    before = answer("keys", "list")
    done = idp("keys", "revoke", "--yes", "--", kid)
    assert (done.code, done.out) == (1, "")
    assert "idp keys list" in done.err
    assert answer("keys", "list") == before
