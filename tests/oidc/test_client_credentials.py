"""A machine asks for itself (RFC 6749 §4.4, RFC 9068): only registered scopes, no person in the token, nothing to refresh.

What describes a person is never a machine's. Cases 13, 34 and 49 of threats.md.
"""

from __future__ import annotations

import pytest

from idp import keyring
from idp.delegation import clients
from idp.delegation.scopes import SUPPORTED
from idp.errors import BadInput
from tests.oidc.asking import error_at, is_page_of_ours, signed_in, token_error
from tests.world import ISSUER, World, claims_of

GRANT = {"grant_type": "client_credentials"}


def test_a_token_of_its_own(world: World) -> None:
    """RFC 9068 §2.2: `sub` is the client; no session, no proof, no account; no refresh token (RFC 6749 §4.4.3) and no ID token."""
    robot = world.machine()
    answer = world.token(robot, **GRANT, scope="orders:read")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 300, "orders:read")
    claims = claims_of(body["access_token"])
    assert set(claims) == {"iss", "aud", "sub", "client_id", "scope", "iat", "exp", "jti"}
    assert claims["iss"] == claims["aud"] == ISSUER
    assert claims["sub"] == claims["client_id"] == robot.client.id
    assert (claims["scope"], claims["exp"] - claims["iat"]) == ("orders:read", 300)
    assert claims["jti"].startswith("tok_")
    with world.app.app_context():
        assert keyring.verify(body["access_token"], typ="at+jwt", audience=ISSUER) == claims
    other = world.token(robot, **GRANT, scope="orders:read").json()
    assert claims_of(other["access_token"])["jti"] != claims["jti"]


def test_scopes(world: World) -> None:
    """Case 13: at most what is registered; nothing asked for means all of it (RFC 6749 §3.3)."""
    robot = world.machine()
    assert world.token(robot, **GRANT).json()["scope"] == "orders:read orders:write"
    assert world.token(robot, **GRANT, scope="orders:write orders:read orders:write").json()["scope"] == "orders:write orders:read"
    for scope in ("orders:read admin", "openid", "orders:*", "ORDERS:READ", 'orders:read"', "company:read"):
        assert token_error(world.token(robot, **GRANT, scope=scope)) == "invalid_scope"
    assert token_error(world.token(world.machine(scopes=[]), **GRANT)) == "invalid_scope"


def test_a_company_is_not_ignored(world: World) -> None:
    """A token that was asked for on behalf of a company would look as if it were for that company."""
    robot = world.machine()
    for name, value in (("company", "cmp_" + "0" * 26), ("account", "acc_" + "0" * 26)):
        assert token_error(world.token(robot, **GRANT, **{name: value})) == "invalid_request"
    assert token_error(world.token(robot, **GRANT, authorization_details='[{"type":"x"}]')) == "invalid_authorization_details"


def test_only_machines(world: World) -> None:
    """Each kind has its own grants, and a machine proves itself always (RFC 6749 §4.4.2)."""
    robot, portal, app = world.machine(), world.party(), world.party(kind="single_page")
    for party in (portal, app):
        assert token_error(world.token(party, **GRANT)) == "unauthorized_client"
    assert token_error(world.browser().post("/token", data={**GRANT, "client_id": robot.client.id}), 401) == "invalid_client"
    for form in (
        {"grant_type": "authorization_code", "code": "x", "redirect_uri": "x"},
        {"grant_type": "refresh_token", "refresh_token": "x"},
    ):
        assert token_error(world.token(robot, **form)) == "unauthorized_client"
    for uri in ("", "https://rp.example/callback"):
        assert is_page_of_ours(world.browser().authorize(robot, redirect_uri=uri))


def test_it_says_nothing_of_a_person(world: World, story) -> None:
    """Case 34: at userinfo a machine's token is none; nor does it hint at anybody."""
    robot = world.machine()
    token = world.token(robot, **GRANT).json()["access_token"]
    answer = world.userinfo(token)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    party = world.party()
    hinted = signed_in(world, story, "zimin", party).authorize(party, id_token_hint=token)
    assert error_at(hinted, party) == "invalid_request"


@pytest.mark.parametrize(
    "scope",
    [*SUPPORTED, "company:read", "admin:users", "admin:users:read", "ADMIN:keys", "admin", "a b", 'a"', "a\\b", "", "\u0430", "x" * 101],
)
def test_scopes_that_no_machine_may_have(world: World, scope: str) -> None:
    """Words about people, words of our own API, and what is no scope at all (RFC 6749 §3.3)."""
    with world.writes(), pytest.raises(BadInput):
        clients.register(name="Robot", kind="machine", scopes=["orders:read", scope])


def test_what_no_machine_may_have(world: World) -> None:
    """No addresses, nothing of sign-in; and the other kinds have no words of their own."""
    good = {"name": "Robot", "kind": "machine", "scopes": ["orders:read"]}
    for more in (
        {"redirect_uris": ["https://a.example/cb"]},
        {"post_logout_redirect_uris": ["https://a.example/out"]},
        {"account_types": ["personal"]},
        {"pkce": "required"},
    ):
        with world.writes(), pytest.raises(BadInput):
            clients.register(**good | more)
    for kind in ("web", "single_page", "native"):
        with world.writes(), pytest.raises(BadInput):
            clients.register(name="App", kind=kind, redirect_uris=["https://a.example/cb"], scopes=["openid", "orders:read"])


@pytest.mark.parametrize("kind", ["usr", "USR", "acc", "cmp"])
def test_a_client_is_never_a_person(world: World, kind: str) -> None:
    """Case 49: `sub` of a machine's token is its id, so that no client may be called as a person could be."""
    with world.writes(), pytest.raises(BadInput):
        clients.register(name="Robot", kind="machine", scopes=[], client_id=f"{kind}_0123456789abcdefghjkmnpqrs")
