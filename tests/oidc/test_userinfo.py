"""`/userinfo`: who the person is, for whoever holds a live access token (OpenID Connect Core §5.3, RFC 6750). Case 40 of threats.md."""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp import clock
from idp.delegation import clients
from idp.delegation.tables import ClientRow
from tests.oidc.asking import change, person, phone, raw, token_error
from tests.world import ISSUER, World

CHALLENGE = 'Bearer realm="idp"'


@pytest.fixture
def token(world: World, story) -> str:
    """An access token."""
    return world.tokens(world.browser(), world.party(), phone(story, "zimin"), scope="openid email")["access_token"]


def test_get_and_post(world: World, story, token: str) -> None:
    """Core §5.3.1: by GET and by POST in the header, by POST in the body: the same answer."""
    http, header = world.browser(), {"Authorization": f"Bearer {token}"}
    answers = [
        http.get("/userinfo", headers=header),
        http.post("/userinfo", headers=header),
        http.post("/userinfo", headers=header, data={"foo": "bar"}),
        http.post("/userinfo", data={"access_token": token}),
        http.get("/userinfo", headers={"Authorization": f"bearer {token}"}),
        http.get("/userinfo", headers={"Authorization": f"BEARER  {token}"}),
        http.get("/userinfo?schema=openid", headers=header),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json() == {"sub": person(story, "zimin").user_id, "email": "zimin@post.example", "email_verified": True}


def test_without_a_token(world: World) -> None:
    """RFC 6750 §3.1: a bare challenge, without an error code in it."""
    http = world.browser()
    for answer in (
        http.get("/userinfo"),
        http.post("/userinfo"),
        http.post("/userinfo", data={"x": "y"}),
        http.post("/userinfo", data={"access_token": ""}),
    ):
        assert token_error(answer, 401) == "invalid_token"
        assert answer.headers["WWW-Authenticate"] == f'{CHALLENGE}, resource_metadata="{ISSUER}/.well-known/oauth-protected-resource"'


def test_in_the_address(world: World, token: str) -> None:
    """Case 40, RFC 9700 §4.3.2: a token in the query is refused, also beside a right header, and by POST."""
    http, header = world.browser(), {"Authorization": f"Bearer {token}"}
    for answer in (
        http.get("/userinfo", params={"access_token": token}),
        http.get("/userinfo", params={"access_token": token}, headers=header),
        http.get("/userinfo?access_token=", headers=header),
        http.post("/userinfo", params={"access_token": token}),
    ):
        assert token_error(answer, 400) == "invalid_request"
        assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]


def test_two_ways_at_once(world: World, token: str) -> None:
    """RFC 6750 §2: one method; the same token twice is two as well."""
    http, header = world.browser(), {"Authorization": f"Bearer {token}"}
    assert token_error(http.post("/userinfo", data={"access_token": token}, headers=header), 400) == "invalid_request"
    twice = http.post(
        "/userinfo", content=f"access_token={token}&access_token={token}", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert token_error(twice, 400) == "invalid_request"


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Basic eDp5", "x", "Bearer a b", "Bearer é", "Bearer x,y", "DPoP x", "Bearer\tx", 'Bearer "x"', ":"]
)
def test_headers_that_are_none(world: World, header: str) -> None:
    """RFC 6750 §3.1, case 26: 400 or 401 with a challenge, never a 500."""
    status, headers, _ = raw(world, "GET", "/userinfo", HTTP_AUTHORIZATION=header)
    assert status in {400, 401}
    assert headers["WWW-Authenticate"].startswith(CHALLENGE)


@pytest.mark.parametrize("bad", ["xyzzy", "a.b.c", "..", "eyJ.eyJ.sig", "A" * 9000, "null", "%00"])
def test_tokens_that_are_none(world: World, bad: str) -> None:
    """RFC 6750 §3.1: `invalid_token`, and nothing of what was sent in the answer."""
    for answer in (world.userinfo(bad), world.browser().post("/userinfo", data={"access_token": bad})):
        assert answer.status_code in {400, 401}
        assert bad not in answer.text
        assert bad not in answer.headers.get("WWW-Authenticate", "")


def test_expired(world: World, token: str) -> None:
    """Case 40."""
    with clock.freeze(clock.now() + timedelta(seconds=301)):
        answer = world.userinfo(token)
        assert token_error(answer, 401) == "invalid_token"
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_cookie_is_no_token(world: World, story, token: str) -> None:
    """Case 34: a browser that is signed in gets nothing here by its cookies."""
    browser = world.browser()
    world.sign_in(browser, world.party(), phone(story, "zimin"))
    assert token_error(browser.get("/userinfo"), 401) == "invalid_token"
    assert token


def test_a_client_that_was_disabled(world: World, story) -> None:
    """Case 40: its tokens open nothing any more."""
    party = world.party()
    token = world.tokens(world.browser(), party, phone(story, "zimin"))["access_token"]
    change(world, ClientRow, ClientRow.id == party.client.id, disabled_at=clock.now())
    clients.forget_cached()
    assert token_error(world.userinfo(token), 401) == "invalid_token"


def test_other_methods(world: World) -> None:
    """RFC 9110 §15.5.6."""
    for method in ("PUT", "DELETE", "PATCH"):
        assert world.browser().request(method, "/userinfo").status_code == 405


def test_bodies_that_are_no_form(world: World, token: str) -> None:
    """Case 26: JSON, a file, too much."""
    http = world.browser()
    assert http.post("/userinfo", json={"access_token": token}).status_code == 400
    assert http.post("/userinfo", files={"access_token": token.encode()}).status_code == 400
    assert http.post("/userinfo", data={"access_token": "x" * 70000}).status_code == 413
