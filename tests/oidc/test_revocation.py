"""`/revoke`: a client gives its tokens back (RFC 7009). Cases 24, 25, 32 and 127 of threats.md."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from idp import clock
from idp.db.session import engine
from idp.delegation import access_tokens
from idp.delegation.tables import OpaqueToken, RevokedToken, TokenFamily
from tests.oidc.asking import person, phone, rows, token_error
from tests.oidc.test_client_authentication import basic
from tests.oidc.test_cors import SPA, STRANGERS, allowed
from tests.oidc.test_introspection import FORMATS
from tests.world import Party, World, answer_of, claims_of


def stands(world: World, party: Party, token: str) -> bool:
    """Whether introspection says so."""
    active: bool = world.introspect(party, token).json()["active"]
    return active


def is_done(answer) -> bool:
    """RFC 7009 §2.2: 200, and nothing to read."""
    return (answer.status_code, answer.content, answer.headers["Cache-Control"]) == (200, b"", "no-store")


@FORMATS
def test_a_refresh_token(world: World, story, format_: str) -> None:
    """RFC 7009 §2.1: it takes its whole family along, access tokens of before and after a refresh included; it is an event."""
    party = world.party(access_token_format=format_)
    first = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid offline_access")
    second = world.refresh(party, first["refresh_token"]).json()
    assert is_done(world.revoke(party, second["refresh_token"]))
    for tokens in (first, second):
        assert not stands(world, party, tokens["refresh_token"])
        assert not stands(world, party, tokens["access_token"])
        assert token_error(world.userinfo(tokens["access_token"]), 401) == "invalid_token"
        assert token_error(world.refresh(party, tokens["refresh_token"])) == "invalid_grant"
    assert [row.revoked_reason for row in rows(world, TokenFamily)] == ["revoked_by_client"]
    assert is_done(world.revoke(party, second["refresh_token"])), "once more changes nothing"
    (event,) = world.events("token.revoked")
    assert (event.user_id, event.client_id, event.details["token"]) == (person(story, "zimin").user_id, party.client.id, "refresh_token")
    assert world.events("token.reused") == []


def test_a_refresh_token_that_was_spent(world: World, story) -> None:
    """A client that signs out with the token it last wrote down, and not the newest, is signed out as well."""
    party = world.party()
    with clock.freeze(clock.now()) as later:
        first = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
        second = world.refresh(party, first).json()["refresh_token"]
        later(3600)
        assert is_done(world.revoke(party, first))
        assert token_error(world.refresh(party, second)) == "invalid_grant"


@FORMATS
def test_an_access_token(world: World, story, format_: str) -> None:
    """RFC 7009 §2.1: this one alone, at once; what else came of the sign-in goes on."""
    party = world.party(access_token_format=format_)
    first = world.tokens(world.browser(), party, phone(story, "zimin"))
    second = world.refresh(party, first["refresh_token"]).json()
    assert is_done(world.revoke(party, first["access_token"]))
    assert not stands(world, party, first["access_token"])
    assert token_error(world.userinfo(first["access_token"]), 401) == "invalid_token"
    assert stands(world, party, second["access_token"])
    assert world.userinfo(second["access_token"]).status_code == 200
    assert is_done(world.revoke(party, first["access_token"])), "once more changes nothing"
    assert world.refresh(party, second["refresh_token"]).status_code == 200
    (event,) = world.events("token.revoked")
    assert (event.user_id, event.session_id) == (person(story, "zimin").user_id, claims_of(first["id_token"])["sid"])
    assert event.details["token"] == "access_token"


@FORMATS
def test_a_machines(world: World, format_: str) -> None:
    """A token by client_credentials: no family, and gone all the same."""
    robot = world.machine(access_token_format=format_)
    first, second = (world.token(robot, grant_type="client_credentials").json()["access_token"] for _ in range(2))
    assert is_done(world.revoke(robot, first))
    assert (stands(world, robot, first), stands(world, robot, second)) == (False, True)
    (event,) = world.events("token.revoked")
    assert (event.user_id, event.client_id) == (None, robot.client.id)


def test_what_is_none(world: World, story) -> None:
    """RFC 7009 §2.2: unknown, damaged, of another kind, run out, with whatever hint: 200, and nothing else has changed."""
    party, browser = world.party(), world.browser()
    tokens = world.tokens(browser, party, phone(story, "zimin"))
    code = answer_of(browser.authorize(party))["code"]
    forged = tokens["refresh_token"][:-1] + ("A" if tokens["refresh_token"][-1] != "A" else "B")
    wrong = ["x", "a.b.c", "A" * 43, "fam_x.1.y", forged, code, tokens["id_token"], tokens["access_token"][:-2], party.client.id]
    wrong += [claims_of(tokens["access_token"])["jti"], claims_of(tokens["access_token"])["sid"], party.secret]
    for token in wrong:
        assert is_done(world.revoke(party, token)), token
    assert is_done(world.revoke(party, "x", token_type_hint="id_token")), "never unsupported_token_type"
    assert world.events("token.revoked") == []
    assert rows(world, RevokedToken) == []
    with clock.freeze(clock.now() + timedelta(seconds=301)):
        assert is_done(world.revoke(party, tokens["access_token"]))
        assert rows(world, RevokedToken) == []
    assert stands(world, party, tokens["access_token"])
    assert world.redeem(party, code).status_code == 200
    assert is_done(world.revoke(party, tokens["access_token"], token_type_hint="refresh_token"))
    assert not stands(world, party, tokens["access_token"])
    assert is_done(world.revoke(party, tokens["refresh_token"], token_type_hint="access_token"))
    assert not stands(world, party, tokens["refresh_token"])


def test_another_clients(world: World, story) -> None:
    """Case 32, RFC 7009 §2.1: refused, left alone, and written down; whoever a public client says to be."""
    portal, app = world.party(), world.party(kind="single_page", access_token_format="opaque")
    robot, browser = world.machine(), world.browser()
    tokens = world.tokens(browser, portal, phone(story, "zimin"))
    theirs = world.redeem(app, answer_of(browser.authorize(app))["code"]).json()
    its = world.token(robot, grant_type="client_credentials").json()["access_token"]
    tries = [(app, tokens["access_token"]), (app, tokens["refresh_token"]), (portal, theirs["access_token"])]
    tries += [(portal, theirs["refresh_token"]), (app, its), (robot, tokens["refresh_token"])]
    for party, token in tries:
        assert token_error(world.revoke(party, token)) == "invalid_grant"
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert stands(world, portal, token)
    assert stands(world, robot, its)
    assert world.userinfo(theirs["access_token"]).status_code == 200
    assert world.refresh(app, theirs["refresh_token"]).status_code == 200
    refused = world.events("token.refused")
    assert [event.client_id for event in refused] == [party.client.id for party, _ in tries]
    assert {event.details["why"] for event in refused} == {"another client"}
    assert {event.outcome for event in refused} == {"refused"}


def test_who_may_revoke(world: World, story) -> None:
    """Cases 24 and 25: a client, by its one method, in the body of a POST; nothing of an address, and the token stands."""
    party = world.party()
    token = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
    http, form, client_id = world.browser(), {"token": token}, party.client.id
    right = basic(client_id, party.secret)
    unknown = [
        http.post("/revoke", data=form),
        http.post("/revoke", data=form | {"client_id": client_id}),
        http.post("/revoke", data=form | {"client_id": "nobody"}),
        http.post("/revoke", data=form | {"client_id": client_id, "client_secret": ""}),
        http.post("/revoke", data=form, headers=basic(client_id, "x" * 43)),
        http.post("/revoke", data=form, headers=basic(b"%zz:%zz")),
        http.post("/revoke", data=form | {"client_secret": party.secret}, headers=right),
    ]
    assert {token_error(answer, 401) for answer in unknown} == {"invalid_client"}
    for params in ({"token": token}, {"client_id": client_id}, {"x": "y"}):
        assert token_error(http.post("/revoke", params=params, data=form, headers=right)) == "invalid_request"
    assert token_error(http.post("/revoke", data={"token": ""}, headers=right)) == "invalid_request"
    assert http.get("/revoke", params=form, headers=right).status_code == 405
    assert http.post("/revoke", json=form, headers=right).status_code == 400
    assert stands(world, party, token)
    assert is_done(http.post("/revoke", data=form | {"client_id": client_id, "client_secret": party.secret}))
    assert not stands(world, party, token)


def test_a_single_page_app(world: World, story) -> None:
    """claims.md, case 127: `client_id` only; its own origin may read the answer, with a preflight, and nobody else's may."""
    party = world.party(kind="single_page", redirect_uris=[f"{SPA}/cb"])
    preflight = world.browser().options("/revoke", headers={"Origin": SPA, "Access-Control-Request-Method": "POST"})
    assert (preflight.status_code, allowed(preflight)) == (204, "*")
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    for origin in STRANGERS:
        assert allowed(world.revoke(party, "x", headers={"Origin": origin})) is None
    missing = world.browser().post("/revoke", data={"client_id": party.client.id}, headers={"Origin": SPA})
    assert (token_error(missing), allowed(missing)) == ("invalid_request", SPA)
    for token in (tokens["access_token"], tokens["refresh_token"]):
        answer = world.revoke(party, token, headers={"Origin": SPA})
        assert is_done(answer)
        assert allowed(answer) == SPA
    assert token_error(world.userinfo(tokens["access_token"]), 401) == "invalid_token"
    assert token_error(world.refresh(party, tokens["refresh_token"])) == "invalid_grant"
    confidential = world.party(redirect_uris=[f"{SPA}/cb"])
    assert allowed(world.revoke(confidential, "x", headers={"Origin": SPA})) is None


@pytest.mark.parametrize("when", ["at the statement", "at the event", "at the commit"])
def test_an_error_of_the_storage(world: World, story, when: str) -> None:
    """Case 32 (fosite CVE-2020-15223), RFC 7009 §2.2.1: 503, never 200 unless durable; the token stands, and can be revoked then."""
    fails = False
    begins = {"at the statement": ("UPDATE token_families", "INSERT INTO revoked_tokens", "DELETE FROM opaque_tokens")}

    def break_down(*given: object) -> None:
        statement = str(given[2]) if len(given) > 2 else ""
        if fails and (when == "at the commit" or statement.startswith(begins.get(when, ("INSERT INTO events",)))):
            raise sa.exc.OperationalError(statement, None, Exception("the disk is full"))

    with world.app.app_context():
        source = engine()
    moment = "commit" if when == "at the commit" else "before_cursor_execute"
    sa.event.listen(source, moment, break_down)
    try:
        for format_ in ("jwt", "opaque"):
            party = world.party(access_token_format=format_)
            address = "203.0.113.7" if format_ == "jwt" else "198.51.100.7"
            tokens = world.tokens(world.browser(address=address), party, phone(story, "zimin"))
            for token in (tokens["access_token"], tokens["refresh_token"]):
                fails = True
                answer = world.revoke(party, token)
                fails = False
                assert token_error(answer, 503) == "temporarily_unavailable"
                assert int(answer.headers["Retry-After"]) > 0
                assert stands(world, party, token)
                assert is_done(world.revoke(party, token))
                assert not stands(world, party, token)
    finally:
        sa.event.remove(source, moment, break_down)


def test_what_is_kept_of_it(world: World, story) -> None:
    """A revoked JWT is remembered until nobody could show it any more, and no longer; an opaque one is gone at once."""
    party, other = world.party(), world.party(access_token_format="opaque")
    with clock.freeze(clock.now()) as later:
        token = world.tokens(world.browser(), party, phone(story, "zimin"))["access_token"]
        opaque = world.tokens(world.browser(address="198.51.100.7"), other, phone(story, "lazareva"))["access_token"]
        assert is_done(world.revoke(party, token))
        assert is_done(world.revoke(other, opaque))
        assert rows(world, OpaqueToken) == []
        (kept,) = rows(world, RevokedToken)
        assert (kept.jti, int(kept.expires_at.timestamp())) == (claims_of(token)["jti"], claims_of(token)["exp"])
        later(300 + 3599)
        with world.writes():
            assert access_tokens.sweep_revoked(clock.now()) == 0
        later(2)
        with world.writes():
            assert access_tokens.sweep_revoked(clock.now()) == 1
    assert rows(world, RevokedToken) == []
