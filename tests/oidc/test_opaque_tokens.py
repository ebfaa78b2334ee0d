"""Access tokens that say nothing: random, kept by their digest (RFC 6749 §1.4). Cases 19, 28, 34, 40 and 42 of threats.md."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

import pytest

from idp import clock
from idp.delegation import access_tokens, clients
from idp.delegation.tables import ClientRow, OpaqueToken
from idp.errors import BadInput
from tests.oidc.asking import change, error_at, person, phone, rows, token_error
from tests.oidc.test_access_token import half
from tests.world import CALLBACK, Party, World, answer_of, claims_of


@pytest.fixture
def party(world: World) -> Party:
    """A client whose access tokens are opaque."""
    return world.party(access_token_format="opaque")


def test_what_it_looks_like(world: World, story, party: Party) -> None:
    """Case 42: 256 random bits, of which the digest is kept; the ID token's `at_hash` is of it."""
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid email")
    token = tokens["access_token"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 300, "openid email")
    (row,) = rows(world, OpaqueToken)
    assert row.digest == hashlib.sha256(token.encode()).hexdigest()
    assert claims_of(tokens["id_token"])["at_hash"] == half(token, "sha256")
    http = world.browser()
    for answer in (world.userinfo(token), http.post("/userinfo", data={"access_token": token})):
        assert answer.json() == {"sub": person(story, "zimin").user_id, "email": "zimin@post.example", "email_verified": True}


def test_each_is_another(world: World, story, party: Party) -> None:
    """A refresh gives a new one; the one before lives out its time."""
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    seen, ids = {tokens["access_token"]}, {world.introspect(party, tokens["access_token"]).json()["jti"]}
    for _ in range(3):
        tokens = world.refresh(party, tokens["refresh_token"]).json()
        seen.add(tokens["access_token"])
        ids.add(world.introspect(party, tokens["access_token"]).json()["jti"])
    assert len(seen) == len(ids) == 4
    assert all(world.userinfo(token).status_code == 200 for token in seen)


def test_it_runs_out(world: World, story, party: Party) -> None:
    """Case 40: to the second, and then the row is swept."""
    with clock.freeze(clock.now()) as later:
        token = world.tokens(world.browser(), party, phone(story, "zimin"))["access_token"]
        later(timedelta(seconds=299))
        with world.writes():
            assert access_tokens.sweep_opaque(clock.now()) == 0
        assert world.userinfo(token).status_code == 200
        later(1)
        assert token_error(world.userinfo(token), 401) == "invalid_token"
        later(1)
        with world.writes():
            assert access_tokens.sweep_opaque(clock.now()) == 1
        assert token_error(world.userinfo(token), 401) == "invalid_token"


def test_the_grace(world: World, story, party: Party) -> None:
    """R6: the same refresh again within ten seconds gets the same successor, and an access token that is good, like those before."""
    with clock.freeze(clock.now()) as later:
        first = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
        answers = [world.refresh(party, first).json()]
        for _ in range(3):
            later(3)
            answers.append(world.refresh(party, first).json())
        assert len({answer["refresh_token"] for answer in answers}) == 1
        assert all(world.userinfo(answer["access_token"]).status_code == 200 for answer in answers)


@pytest.mark.parametrize("what", ["code", "refresh token"])
def test_a_replay_ends_them(world: World, story, party: Party, what: str) -> None:
    """Cases 19 and 28: what came of a code that is replayed, or of a refresh token that is reused, is dead at once."""
    with clock.freeze(clock.now()) as later:
        code = answer_of(world.sign_in(world.browser(), party, phone(story, "zimin")))["code"]
        first = world.redeem(party, code).json()
        second = world.refresh(party, first["refresh_token"]).json()
        later(11)
        again = world.redeem(party, code) if what == "code" else world.refresh(party, first["refresh_token"])
        assert token_error(again) == "invalid_grant"
        for tokens in (first, second):
            assert token_error(world.userinfo(tokens["access_token"]), 401) == "invalid_token"
            assert not world.introspect(party, tokens["access_token"]).json()["active"]


def test_nothing_is_given_by_a_refused_request(world: World, story, party: Party) -> None:
    """A token is written with what it comes of, or not at all."""
    code = answer_of(world.sign_in(world.browser(), party, phone(story, "zimin")))["code"]
    assert token_error(world.redeem(party, code, code_verifier="x" * 43)) == "invalid_grant"
    assert token_error(world.refresh(party, "x")) == "invalid_grant"
    assert rows(world, OpaqueToken) == []


def test_one_kind_is_not_another(world: World, story, party: Party) -> None:
    """Case 34: our other secrets of the same length are no access tokens, nor is one of these anything else."""
    browser = world.browser()
    tokens = world.tokens(browser, party, phone(story, "zimin"))
    code = answer_of(browser.authorize(party))["code"]
    for wrong in (code, party.secret, browser.cookies["idp_session"], tokens["refresh_token"], tokens["refresh_token"].rpartition(".")[2]):
        assert token_error(world.userinfo(str(wrong)), 401) == "invalid_token"
    assert token_error(world.redeem(party, tokens["access_token"])) == "invalid_grant"
    assert token_error(world.refresh(party, tokens["access_token"])) == "invalid_grant"
    assert error_at(browser.authorize(party, prompt="none", id_token_hint=tokens["access_token"]), party) == "invalid_request"
    stranger = world.browser()
    stranger.headers["Cookie"] = f"idp_session={tokens['access_token']}; idp_browser={tokens['access_token']}"
    assert error_at(stranger.get("/authorize", params=party.asks(prompt="none")), party) == "login_required"


def test_a_machines(world: World) -> None:
    """By client_credentials as well; nobody stands behind it, so userinfo knows nobody."""
    robot = world.machine(access_token_format="opaque")
    answer = world.token(robot, grant_type="client_credentials", scope="orders:read").json()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", answer["access_token"])
    assert (answer["scope"], answer["expires_in"]) == ("orders:read", 300)
    assert token_error(world.userinfo(answer["access_token"]), 401) == "invalid_token"


def test_the_format_can_be_changed(world: World, story, party: Party) -> None:
    """What was given out before goes on until its time; the next refresh gives the other format."""
    first = world.tokens(world.browser(), party, phone(story, "zimin"))
    change(world, ClientRow, ClientRow.id == party.client.id, access_token_format="jwt")
    clients.forget_cached()
    second = world.refresh(party, first["refresh_token"]).json()
    assert claims_of(second["access_token"])["client_id"] == party.client.id
    assert {world.userinfo(tokens["access_token"]).status_code for tokens in (first, second)} == {200}


def test_formats(world: World) -> None:
    """A registration names one of the two."""
    with world.writes(), pytest.raises(BadInput):
        clients.register(name="x", kind="web", redirect_uris=[CALLBACK], scopes=["openid"], access_token_format="JWT")
    assert world.party().client.access_token_format == "jwt"
