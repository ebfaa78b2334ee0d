"""Which client is it: one method, the registered one (RFC 6749 §2.3, OpenID Connect Core §9, claims.md "What real client libraries do").

Cases 24, 25 and 26 of threats.md.
"""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from idp import clock
from idp.delegation import clients
from idp.delegation.tables import ClientRow
from tests.oidc.asking import change, raw, signed_in, token_error
from tests.world import CALLBACK, Party, World, answer_of


@pytest.fixture
def party(world: World) -> Party:
    """A client as an operator registers it: method `secret`."""
    return world.party()


@pytest.fixture
def form(world: World, story, party: Party) -> dict[str, str]:
    """What redeems a fresh code, but for the client's authentication."""
    code = answer_of(signed_in(world, story, "zimin", party).authorize(party))["code"]
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": party.verifier}


def basic(user: str | bytes, password: str = "") -> dict[str, str]:
    """An Authorization header."""
    raw = user if isinstance(user, bytes) else f"{user}:{password}".encode()
    return {"Authorization": "Basic " + base64.b64encode(raw).decode()}


def test_basic(world: World, party: Party, form: dict) -> None:
    """client_secret_basic."""
    assert world.browser().post("/token", data=form, headers=basic(party.client.id, party.secret)).status_code == 200


def test_post(world: World, party: Party, form: dict) -> None:
    """client_secret_post."""
    data = form | {"client_id": party.client.id, "client_secret": party.secret}
    assert world.browser().post("/token", data=data).status_code == 200


def test_basic_with_the_client_id_in_the_body(world: World, party: Party, form: dict) -> None:
    """claims.md: one method, not two; many libraries do so."""
    data = form | {"client_id": party.client.id}
    assert world.browser().post("/token", data=data, headers=basic(party.client.id, party.secret)).status_code == 200


def test_basic_is_form_decoded(world: World, party: Party, form: dict) -> None:
    """RFC 6749 §2.3.1: encoded and raw arrive the same; the scheme's name has no case."""
    encoded = "".join(f"%{ord(c):02X}" for c in party.client.id), "".join(f"%{ord(c):02x}" for c in party.secret)
    header = basic(*encoded)["Authorization"].replace("Basic", "bAsIc")
    assert world.browser().post("/token", data=form, headers={"Authorization": header}).status_code == 200


def test_ids_and_secrets_need_no_encoding(world: World) -> None:
    """claims.md: they use only `[A-Za-z0-9_-]`."""
    for _ in range(5):
        party = world.party()
        assert quote(party.client.id, safe="") == party.client.id
        assert quote(party.secret, safe="") == party.secret


def test_a_public_client_says_its_name(world: World, story) -> None:
    """Public clients: `client_id` only; a secret of theirs is nobody's."""
    party = world.party(kind="single_page")
    browser = signed_in(world, story, "zimin", party)
    code = answer_of(browser.authorize(party))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": party.verifier}
    http, client_id = world.browser(), party.client.id
    assert token_error(http.post("/token", data=form), 401) == "invalid_client"
    assert token_error(http.post("/token", data=form | {"client_id": client_id, "client_secret": "x" * 43}), 401) == "invalid_client"
    assert token_error(http.post("/token", data=form, headers=basic(client_id, "x" * 43)), 401) == "invalid_client"
    assert token_error(http.post("/token", data=form, headers=basic(client_id)), 401) == "invalid_client"
    tokens = http.post("/token", data=form | {"client_id": client_id})
    assert tokens.status_code == 200
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens.json()["refresh_token"], "client_id": client_id}
    assert http.post("/token", data=refresh).status_code == 200


def test_two_methods_at_once(world: World, party: Party, form: dict) -> None:
    """Case 25: refused, although each of them would do; the code is untouched."""
    http, right = world.browser(), basic(party.client.id, party.secret)
    other = world.party()
    both = {"client_id": party.client.id, "client_secret": party.secret}
    for data in (
        form | both,
        form | {"client_secret": party.secret},
        form | {"client_id": other.client.id},
        form | {"client_assertion": "x.y.z"},
    ):
        answer = http.post("/token", data=data, headers=right)
        assert token_error(answer, 401) == "invalid_client"
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert http.post("/token", data=form, headers=right).status_code == 200


def test_wrong(world: World, party: Party, form: dict) -> None:
    """Case 25: wrong, empty, missing, somebody else's, of no client at all: `invalid_client`, 401, and the code is untouched."""
    http, other = world.browser(), world.party()
    client_id, secret = party.client.id, party.secret
    for given in ((client_id, ""), (client_id, "x"), (client_id, secret[:-1]), (client_id, secret + "x"), (client_id, secret.swapcase())):
        assert token_error(http.post("/token", data=form, headers=basic(*given)), 401) == "invalid_client"
    for given in (
        (client_id, other.secret),
        (other.client.id, secret),
        ("nobody", secret),
        ("", secret),
        ("", ""),
        (client_id.upper(), secret),
    ):
        answer = http.post("/token", data=form, headers=basic(*given))
        assert token_error(answer, 401) == "invalid_client"
        assert 'realm="' in answer.headers["WWW-Authenticate"]
        body = http.post("/token", data=form | {"client_id": given[0], "client_secret": given[1]})
        assert token_error(body, 401) == "invalid_client"
    assert token_error(http.post("/token", data=form), 401) == "invalid_client"
    assert token_error(http.post("/token", data=form | {"client_id": client_id}), 401) == "invalid_client"
    assert token_error(http.post("/token", data=form | {"client_secret": secret}), 401) == "invalid_client"
    assert http.post("/token", data=form, headers=basic(client_id, secret)).status_code == 200


def test_the_answer_does_not_tell_what_was_wrong(world: World, party: Party, form: dict) -> None:
    """Case 25: an unknown client and a wrong secret are the same bytes."""
    http = world.browser()
    answers = [http.post("/token", data=form, headers=basic(name, "x" * 43)) for name in ("nobody", party.client.id)]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode(b"%ff:%fe").decode(),
        "Basic " + base64.b64encode(b"%:%").decode(),
        "Basic " + base64.b64encode(b"%zz:%zz").decode(),
        "Basic " + base64.b64encode(b"a%00b:c%00d").decode(),
        "Basic " + base64.b64encode(b"a\x00b:c\x00d").decode(),
        "Basic " + base64.b64encode("клиент:тайна".encode()).decode(),
        "Basic " + base64.b64encode("cl\u00efent:\u00e9".encode("latin-1")).decode(),
        "Basic " + base64.b64encode(b":").decode(),
        "Basic " + base64.b64encode(b"x:" + b"y" * 1_000_000).decode(),
        "Basic " + "=" * 10,
        "Basic YTpi YTpi",
        "Basic a",
        "Bearer x",
        "Digest username=x",
        "basic",
        " ",
        ":",
        "DPoP x",
        "Basic " + "A" * 100_000,
    ],
)
def test_headers_that_are_none(world: World, header: str) -> None:
    """Cases 25 and 26: bad base64, bad percent signs, other alphabets, NUL, a megabyte: 401 `invalid_client`, never a 500."""
    form = {"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK}
    answer = world.browser().post("/token", data=form, headers={"Authorization": header})
    assert token_error(answer, 401) == "invalid_client"


@pytest.mark.parametrize("header", ["Basic \u00e9\u00e8", "B\u00e4sic eDp5", "Basic \x00", "Basic eDp5\x80", "Basic \u00a0eDp5"])
def test_header_bytes_outside_ascii(world: World, header: str) -> None:
    """Case 26: what a raw socket can send."""
    status, _, body = raw(world, "POST", "/token", body=b"grant_type=authorization_code&code=x", HTTP_AUTHORIZATION=header)
    assert (status, json.loads(body)["error"]) == (401, "invalid_client")


def test_a_method_registered_explicitly_is_strict(world: World, party: Party, form: dict) -> None:
    """claims.md: `secret` is either; a client registered for one of them uses that one, and never none."""
    client_id, secret = party.client.id, party.secret
    body = form | {"client_id": client_id, "client_secret": secret}
    for method, by_basic, by_post in (("client_secret_basic", 400, 401), ("client_secret_post", 401, 400)):
        change(world, ClientRow, ClientRow.id == client_id, token_endpoint_auth_method=method)
        clients.forget_cached()
        http = world.browser()
        wrong = {"code": "x"}  # past the authentication it is an unknown code
        assert http.post("/token", data=form | wrong, headers=basic(client_id, secret)).status_code == by_basic
        assert http.post("/token", data=body | wrong).status_code == by_post
        assert token_error(http.post("/token", data=form | {"client_id": client_id}), 401) == "invalid_client"


def test_methods_that_are_not_offered(world: World, party: Party, form: dict) -> None:
    """What discovery does not list is refused with `invalid_client`, not ignored."""
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    for more in ({"client_assertion": "x.y.z", "client_assertion_type": kind}, {"client_assertion_type": kind}, {"client_assertion": "x"}):
        assert token_error(world.browser().post("/token", data=form | more | {"client_id": party.client.id}), 401) == "invalid_client"


def test_a_disabled_client(world: World, party: Party, form: dict) -> None:
    """A client that was disabled is nobody, from the next look on (a second later at most)."""
    change(world, ClientRow, ClientRow.id == party.client.id, disabled_at=clock.now())
    clients.forget_cached()
    assert token_error(world.browser().post("/token", data=form, headers=basic(party.client.id, party.secret)), 401) == "invalid_client"
    assert world.browser().authorize(party).status_code == 400
