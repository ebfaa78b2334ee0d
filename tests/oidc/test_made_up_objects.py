"""Made-up content in what a client has really signed, or encrypted to us: never a 5xx, never a redirect elsewhere (goal G-1 of threats.md).

Cases 1, 2, 26, 35 and 39, by property: a good signature opens the door for whatever stands behind it.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp import clock, jwe_received
from idp.jws import encode
from tests.keyring import forge
from tests.machine import count
from tests.oidc.asking import raw
from tests.oidc.asserting import GRANT, TYPE, private, public, says
from tests.world import CALLBACK, ISSUER, Party, World

pytestmark = pytest.mark.fuzz
NAMES = (
    "iss sub aud exp nbf iat jti client_id redirect_uri response_type response_mode scope state nonce prompt max_age acr_values login_hint "
    "id_token_hint ui_locales code_challenge code_challenge_method company account request request_uri registration claims display resource"
).split()
WORDS = [
    "code",
    "none",
    "openid",
    "S256",
    "0",
    "-1",
    "null",
    ISSUER,
    CALLBACK,
    "https://evil.example/",
    "javascript:alert(1)",
    "\r\n",
    "\x00",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
changes = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=12), json_values, max_size=5)
many = settings(
    max_examples=count(40, 10000),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture
def party(world: World) -> Party:
    """A portal with a key."""
    return world.party(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [public("EC", kid="k1")]})


def token(claims: Any, header: dict[str, Any]) -> str:
    """Signed, whatever it says."""
    return forge.compact({"alg": "ES256", "kid": "k1"} | header, json.dumps(claims), private("EC"))


def authorized(world: World, asked: dict[str, str]) -> None:
    """Ask, and look where it leads."""
    status, headers, _ = raw(world, "GET", "/authorize", query=urlencode(asked))
    assert status in {200, 303, 400}, (status, asked)
    to = headers.get("Location", "")
    assert to == "" or to.startswith((CALLBACK + "?", CALLBACK + "#", f"{ISSUER}/", "/")), to
    assert not to.startswith("//")


@many
@given(
    more=changes, without=st.sets(st.sampled_from(NAMES)), header=st.dictionaries(st.sampled_from(["typ", "cty", "kid", "x"]), json_values)
)
def test_request_objects(world: World, party: Party, more: dict[str, Any], without: set[str], header: dict[str, Any]) -> None:
    """Any JSON as any claim, any value as a header that says little."""
    good = {name: value for name, value in party.asks().items() if name not in without}
    asked = {"client_id": party.client.id, "request": token(good | more, header)}
    authorized(world, asked)
    authorized(world, asked | {"redirect_uri": CALLBACK, "response_type": "code", "scope": "openid"})


@many
@given(content=st.text(max_size=200) | json_values.map(json.dumps))
def test_request_objects_that_are_no_objects(world: World, party: Party, content: str) -> None:
    """Anything at all in the place of the claims, or of the whole."""
    authorized(
        world, {"client_id": party.client.id, "redirect_uri": CALLBACK, "request": forge.compact({"alg": "ES256"}, content, private("EC"))}
    )
    authorized(world, {"client_id": party.client.id, "redirect_uri": CALLBACK, "request": content})
    authorized(world, {"client_id": party.client.id, "redirect_uri": CALLBACK, "request_uri": content})


@many
@given(
    header=st.dictionaries(st.sampled_from(["alg", "enc", "kid", "epk", "apu", "zip", "iv", "tag", "p2c", "crit", "cty"]), json_values),
    parts=st.lists(st.binary(max_size=300), min_size=4, max_size=4),
    said=st.fixed_dictionaries(
        {"alg": st.sampled_from([*jwe_received.ALGORITHMS, "RSA1_5", "dir"]), "enc": st.sampled_from(jwe_received.CONTENT)}
    ),
)
def test_encrypted_ones(world: World, party: Party, header: dict[str, Any], parts: list[bytes], said: dict[str, Any]) -> None:
    """Whatever stands in the five parts."""
    said = said | header
    made = ".".join([encode(json.dumps(said).encode()), *(encode(part) for part in parts)])
    authorized(world, {"client_id": party.client.id, "redirect_uri": CALLBACK, "request": made})


@many
@given(more=changes, header=st.dictionaries(st.sampled_from(["typ", "cty", "kid", "x"]), json_values))
def test_assertions(world: World, party: Party, more: dict[str, Any], header: dict[str, Any]) -> None:
    """Any JSON as any claim of an assertion: refused, or the client that it is of."""
    now = clock.timestamp()
    form = {**GRANT, "client_assertion_type": TYPE, "client_assertion": token(says(party, iat=now) | more, header)}
    for path in ("/token", "/introspect", "/revoke"):
        status, _, body = raw(world, "POST", path, body=urlencode(form | {"token": "x"}).encode())
        assert status in {200, 400, 401}, (status, path, more)
        assert path != "/token" or status != 200, body
