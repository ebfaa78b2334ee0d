"""Which clients can be registered, and with which addresses (RFC 7591 §2, RFC 8252 §7, RFC 9700 §2.1, §2.6).

By the rules themselves, since only an operator registers. Cases 4, 42 and 46 of threats.md.
"""

from __future__ import annotations

import re

import pytest

from idp.delegation import clients, registering
from idp.delegation.tables import ClientRow, ClientSecret
from idp.errors import BadInput, Conflict
from tests.oidc.asking import rows
from tests.world import World

NEVER = [
    "",
    "x",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "javascript://a.example/%0aalert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://a.example/x",
    "about:blank",
    "ftp://a.example/cb",
    "ws://a.example/cb",
    "urn:ietf:wg:oauth:2.0:oob",
    "/callback",
    "//a.example/cb",
    "https:/a.example/cb",
    "https:a.example/cb",
    "https://",
    "https:///cb",
    "https://?x",
    "HTTPS://a.example/cb",
    "https://A.example/cb",
    "https://a.EXAMPLE/cb",
    "https://*.example/cb",
    "https://a.example/*",
    "https://a.example/cb#x",
    "https://a.example/cb#",
    "https://user@a.example/cb",
    "https://user:pass@a.example/cb",
    "https://a.example@evil.example/cb",
    "https://a.example/cb\n",
    "https://a.example/cb\r\nX: y",
    "https://a.example/cb\x00",
    "https://a.example/ cb",
    " https://a.example/cb",
    "https://a.example/cb\t",
    "https://a.example\\@evil.example/cb",
    "https://a.example/\\evil",
    "https://a.example/../cb",
    "https://a.example/./cb",
    "https://a.example/%2e%2e/cb",
    "https://a.example/x/%2E/cb",
    "https://a..example/cb",
    "https://-a.example/cb",
    "https://a_b.example/cb",
    "https://\u0430.example/cb",
    "https://a\u3002example/cb",
    "https://a.example/\u00e9",
    "https://a.example/\u202ecb",
    "https://a.example:x/cb",
    "https://a.example:99999/cb",
    "https://[::1/cb",
    'https://a.example/"x',
    "https://a.example/<x>",
    "https://a.example/`x",
    "https://a.example/{x}",
    "https://a.example/|x",
    "https://a.example/" + "x" * 2000,
    "http://a.example/cb",
    "http://169.254.169.254/cb",
    "http://10.0.0.1/cb",
    "http://192.168.1.1/cb",
    "http://0.0.0.0/cb",
    "http://localhost.evil.example/cb",
    "http://127.0.0.1.evil.example/cb",
    "http://2130706433/cb",
]
ONLY_NATIVE = ["com.example.app:/cb", "com.example.app://cb", "org.example-b.app:/x/y?z=1"]
NOT_EVEN_NATIVE = [
    "myapp:/cb",
    "app:cb",
    "COM.example:/cb",
    "com..example:/cb",
    ".example:/cb",
    "1com.example:/cb",
    "com.example",
    "intent:/x",
]
WEB = ["https://a.example", "https://a.example/", "https://a.example/cb?x=1&y=%20", "https://a.example:8443/cb", "https://a.example/%C3%A9"]
LOOPBACK = [
    "http://localhost:3000/cb",
    "http://127.0.0.1/cb",
    "http://127.0.0.1:8080/cb",
    "http://[::1]:5000/cb",
    "http://app.localhost/cb",
]
GOOD = {"name": "App", "kind": "web", "redirect_uris": ["https://a.example/cb"], "scopes": ["openid"]}


@pytest.mark.parametrize("uri", NEVER)
def test_addresses_that_nobody_may_register(world: World, uri: str) -> None:
    """Cases 4 and 46: of no kind of client, as no kind of address."""
    for kind in registering.KINDS:
        for field in ("redirect_uris", "post_logout_redirect_uris"):
            with world.writes(), pytest.raises(BadInput):
                clients.register(**GOOD | {"kind": kind} | {field: [*GOOD["redirect_uris"], uri] if field == "redirect_uris" else [uri]})
    for field in ("initiate_login_uri", "client_uri"):
        if uri:
            with world.writes(), pytest.raises(BadInput):
                clients.register(**GOOD | {field: uri})
    assert rows(world, ClientRow) == []


def test_own_schemes(world: World) -> None:
    """RFC 8252 §7.1: a native app's, in reverse domain order; nobody else's."""
    for uri in ONLY_NATIVE:
        assert world.party(kind="native", redirect_uris=[uri]).client.redirect_uris == [uri]
    for kind, refused in (("web", ONLY_NATIVE), ("single_page", ONLY_NATIVE), ("native", NOT_EVEN_NATIVE)):
        for uri in refused:
            with world.writes(), pytest.raises(BadInput):
                clients.register(**GOOD | {"kind": kind, "redirect_uris": [uri]})


def test_good_addresses(world: World) -> None:
    """They are kept as they are given, in order, each once."""
    for kind in ("web", "single_page", "native"):
        party = world.party(kind=kind, redirect_uris=[*WEB, *LOOPBACK, WEB[0]])
        assert party.client.redirect_uris == [*WEB, *LOOPBACK]


def test_loopback_in_production(told, tmp_path) -> None:
    """claims.md: http on loopback is for desks; in production for native apps alone."""
    url = told.copy()
    world = World(told.settings(url, server={"issuer": "https://id.example", "environment": "production"}))
    try:
        for uri in LOOPBACK:
            assert world.party(kind="native", redirect_uris=[uri])
            for kind in ("web", "single_page"):
                with world.writes(), pytest.raises(BadInput):
                    clients.register(**GOOD | {"kind": kind, "redirect_uris": [uri]})
    finally:
        world.close()
        told.drop(url)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 101},
        {"name": "<b>Google</b>"},
        {"name": "Goo\u200bgle"},
        {"name": "\u202eelgooG"},
        {"name": "a\nb"},
        {"name": "a\x00b"},
        {"names": {"ru": "<b>"}},
        {"kind": "machine"},
        {"scopes": []},
        {"scopes": ["openid", "everything"]},
        {"scopes": ["admin:users"]},
        {"redirect_uris": []},
        {"pkce": "plain"},
        {"pkce": "none"},
        {"account_types": ["employee", "robot"]},
        {"grant_types": ["password"]},
        {"grant_types": ["authorization_code", "client_credentials"]},
        {"grant_types": ["refresh_token"]},
        {"kind": "single_page", "grant_types": ["authorization_code", registering.DEVICE_CODE]},
        {"kind": "machine", "redirect_uris": [], "grant_types": [registering.DEVICE_CODE]},
        {"redirect_uris": [], "grant_types": ["authorization_code", registering.DEVICE_CODE]},
        {"id_token_signed_response_alg": "none"},
        {"id_token_signed_response_alg": "HS512"},
        {"client_id": "a b"},
        {"client_id": "../x"},
        {"client_id": "x"},
        {"client_id": "x" * 65},
        {"client_id": "клиент"},
        {"secret": "short"},
        {"secret": "x" * 31},
        {"secret": "has a blank" * 4},
    ],
    ids=str,
)
def test_registrations_that_are_refused(world: World, wrong: dict) -> None:
    """Case 46: with a reason in words that a person can read."""
    with world.writes(), pytest.raises(BadInput) as refused:
        clients.register(**GOOD | wrong)
    assert len(refused.value.message) > 20


def test_what_is_registered(world: World) -> None:
    """Defaults: PKCE or nonce for a client with a secret, always PKCE for one without; RS256; every kind of account."""
    web, spa = world.party(), world.party(kind="single_page", pkce="optional")
    assert (web.client.pkce, web.client.token_endpoint_auth_method, web.client.is_public) == ("or_nonce", "secret", False)
    assert (spa.client.pkce, spa.client.token_endpoint_auth_method, spa.client.is_public) == ("required", "none", True)
    assert spa.secret is None
    assert web.client.id_token_signed_response_alg == "RS256"
    assert web.client.account_types == ["personal", "business", "employee"]
    assert [event.client_id for event in world.events("client.registered")] == [web.client.id, spa.client.id]


def test_what_it_gets_tokens_by(world: World) -> None:
    """RFC 7591 §2 `grant_types`: by kind unless something is said; a device's code only where it is (RFC 8628), then without an address."""
    assert world.party().client.grant_types == ["authorization_code", "refresh_token"]
    assert world.machine().client.grant_types == ["client_credentials"]
    assert world.party(grant_types=["authorization_code"]).client.grant_types == ["authorization_code"]
    with world.writes():
        television, _ = clients.register(**GOOD | {"kind": "native", "redirect_uris": [], "grant_types": [registering.DEVICE_CODE]})
    assert (television.grant_types, television.redirect_uris) == ([registering.DEVICE_CODE], [])
    with world.writes():
        after = clients.update(television.id, grant_types=[registering.DEVICE_CODE, "refresh_token"])
        assert clients.update(television.id, name="Other").grant_types == after.grant_types
    assert after.grant_types == [registering.DEVICE_CODE, "refresh_token"]
    with world.writes(), pytest.raises(BadInput):
        clients.update(television.id, grant_types=["authorization_code"])


def test_ids_and_secrets(world: World) -> None:
    """claims.md: only `[A-Za-z0-9_-]`; a secret has 256 bits, is shown once and kept as a digest (case 42)."""
    made = [world.party() for _ in range(5)]
    assert len({party.secret for party in made}) == len({party.client.id for party in made}) == 5
    for party in made:
        assert re.fullmatch("[A-Za-z0-9_-]{43}", party.secret)
        assert re.fullmatch("[A-Za-z0-9_-]{3,64}", party.client.id)
    stored = str(rows(world, ClientSecret)) + str(rows(world, ClientRow))
    assert not [party.secret for party in made if party.secret in stored]
    assert made[0].secret not in repr(made[0].client)


def test_an_id_is_one_clients(world: World) -> None:
    """Case 49: nobody takes another's id, in no other case either; ids of other kinds of things are theirs."""
    world.party(client_id="portal-1")
    with world.writes(), pytest.raises(Conflict):
        clients.register(**GOOD | {"client_id": "portal-1"})
    with world.reads():
        assert clients.find("portal-1") is not None
        for other in ("PORTAL-1", "portal-1 ", "portal-1\x00", "", "nobody", "x" * 500):
            assert clients.find(other) is None
