"""Made-up registrations: never a 5xx, never a client that an operator could not have registered (goal G-1, case 46 of threats.md)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp.delegation import client_metadata
from tests.machine import count
from tests.oidc.asking import raw
from tests.oidc.registering import metadata, own, registered
from tests.world import CALLBACK, World

pytestmark = pytest.mark.fuzz
NAMES = [
    *client_metadata.NAMES,
    "client_name",
    "client_name#ru",
    "client_name#xx",
    "scope",
    "application_type",
    "client_id",
    "client_secret",
    "x",
]
WORDS = [
    *(
        "code",
        "id_token",
        "id_token token",
        "authorization_code",
        "implicit",
        "refresh_token",
        "password",
        "web",
        "native",
        "none",
        "pairwise",
    ),
    *(
        "client_secret_basic",
        "client_secret_jwt",
        "private_key_jwt",
        "HS256",
        "RS256",
        "EdDSA",
        "RSA-OAEP",
        "A128GCM",
        "openid",
        "openid email",
    ),
    *(
        CALLBACK,
        "https://rp.example/two",
        "http://127.0.0.1/x",
        "com.example.app:/x",
        "javascript:alert(1)",
        "https://[::1",
        "//x",
        "%",
        "\\",
    ),
    *(
        "\x00",
        "\ud800",
        "\u202e",
        "<b>",
        "é",
        "x" * 3000,
        "",
        " ",
        "https://rp.example:99999/",
        "https://xn--/",
        "#",
        "https://rp.example/#x",
    ),
]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=30)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8
)
texts = st.lists(st.sampled_from(WORDS), max_size=3)
made_up = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), values | texts | st.sampled_from(WORDS), max_size=7)
many = settings(
    max_examples=count(200, 20000),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """Room for all of them; addresses are asked in vain, and not for long."""
    return {"registration": {"mode": "open", "per_network_per_hour": 10**6, "most_clients": 10**6}, "outbound": {"timeout": 0.05}}


def send(world: World, method: str, path: str, body: Any, **environ: str) -> tuple[int, dict[str, Any]]:
    """Send it; what must hold of every answer is looked at here."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, headers, answer = raw(world, method, path, body=text, CONTENT_TYPE="application/json", **environ)
    assert status in {200, 201, 400, 413}, (status, text, answer[:300])
    assert headers["Content-Type"] == "application/json"
    told = json.loads(answer)
    if status >= 400:
        assert told["error"] in {"invalid_client_metadata", "invalid_redirect_uri"}, told
        assert all(" " <= c <= "~" and c not in '"\\' for c in told["error_description"])
    return status, told


def test_registering(world: World) -> None:
    """What is accepted can be read back, is a client's own registration still when it is sent again, and is nothing of ours."""

    @many
    @given(made_up, st.booleans())
    def tried(drawn: dict[str, Any], sound: bool) -> None:
        status, body = send(world, "POST", "/register", {**(metadata() if sound else {}), **drawn})
        if status == 201:
            assert body["client_id"].startswith("cli_")
            assert not {"first_party", "pkce", "registered_by"} & body.keys()
            assert all(uri.startswith(("https://", "http://127.0.0.1", "com.example.app:")) for uri in body["redirect_uris"])
            again = own(world, body, "PUT", json={name: value for name, value in body.items() if name != "registration_access_token"})
            assert again.status_code == 200, again.text
            gone = {"client_secret", "client_secret_expires_at"}
            assert again.json() == {name: value for name, value in body.items() if name not in gone}

    tried()


def test_replacing(world: World) -> None:
    """The same at the address of a registration."""
    body = registered(world)
    token = body["registration_access_token"]

    @many
    @given(made_up, st.booleans())
    def tried(drawn: dict[str, Any], sound: bool) -> None:
        given_ = {**(metadata(client_id=body["client_id"]) if sound else {}), **drawn}
        path = f"/register/{body['client_id']}"
        status, told = send(world, "PUT", path, given_, HTTP_AUTHORIZATION=f"Bearer {token}")
        assert status != 200 or told["client_id"] == body["client_id"]

    tried()


def test_bytes(world: World) -> None:
    """What is no JSON at all."""

    @many
    @given(st.binary(max_size=60) | st.text('[]{}",:0e-\\u', max_size=60).map(str.encode))
    def tried(drawn: bytes) -> None:
        send(world, "POST", "/register", drawn)

    tried()
