"""A new first line in `keys/root.key` logs nobody out: what was sealed or given out under the older one still opens (`keys/README.md`)."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

import pytest

from idp import clock, crypto, keyring
from idp.cli.demo_story import Story
from tests.conftest import Told
from tests.world import World, answer_of

ANNA = "+79005553501"


def test_a_new_root_key_logs_nobody_out(world: World, told: Told, story: Story, tmp_path: Path) -> None:
    """Refresh tokens, the trusted browser, open pages and the signing keys go on under the new key."""
    del story
    party, browser = world.party(), world.browser()
    tokens = world.tokens(browser, party, ANNA)
    stranger = world.browser()
    page = stranger.authorize(party)
    kept = (world.settings.keys.folder / crypto.ROOT_KEY).read_bytes()
    (tmp_path / crypto.ROOT_KEY).write_bytes(base64.urlsafe_b64encode(secrets.token_bytes(32)) + b"\n" + kept)
    try:
        crypto.load_keys(tmp_path)
        assert world.refresh(party, tokens["refresh_token"]).status_code == 200
        assert stranger.submit(page, phone="+79005553502").status_code == 303
        browser.cookies.delete("idp_session")
        people = browser.authorize(party)
        assert "Анна" in people.text
        with world.reads():
            assert keyring.verify(tokens["access_token"], typ="at+jwt") is not None
    finally:
        crypto.load_keys(told.folder / "keys")


def test_without_the_older_key_nothing_opens(world: World, told: Told, tmp_path: Path) -> None:
    """A copy of the database without its keys refreshes nothing and knows nobody (case 42)."""
    party, browser = world.party(), world.browser()
    tokens = world.tokens(browser, party, ANNA)
    sealed = crypto.seal("outbox", "text")
    crypto.make_keys(tmp_path)
    try:
        crypto.load_keys(tmp_path)
        assert world.refresh(party, tokens["refresh_token"]).json()["error"] == "invalid_grant"
        browser.cookies.delete("idp_session")
        assert "Анна" not in browser.authorize(party).text
        with pytest.raises(ValueError, match="does not open"):
            crypto.unseal("outbox", sealed)
    finally:
        crypto.load_keys(told.folder / "keys")


def test_a_successor_ahead_of_a_restored_database_is_no_theft(world: World) -> None:
    """A refresh token that is newer than the row: refused, but nobody is told of a theft that was our restore."""
    party, browser = world.party(), world.browser()
    tokens = world.tokens(browser, party, ANNA)
    family, counter, _ = tokens["refresh_token"].split(".")
    ahead = f"{family}.{int(counter) + 3}.{crypto.derive_text('refresh token', family, int(counter) + 3)}"
    assert world.refresh(party, ahead).json()["error"] == "invalid_grant"
    assert world.events("token.reused") == []
    assert world.refresh(party, tokens["refresh_token"]).status_code == 200
    with clock.freeze(clock.now()):
        assert answer_of(browser.authorize(party, prompt="none"))["code"]
