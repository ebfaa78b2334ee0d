"""What `/token` is sent beside a good request (RFC 6749 §3.2, §5.2). Cases 3b, 24 and 26 of threats.md."""

from __future__ import annotations

import json
import time
from urllib.parse import urlencode

import pytest

from idp.delegation import clients
from idp.delegation.tables import ClientRow
from tests.oidc.asking import change, raw, signed_in, token_error
from tests.world import CALLBACK, Party, World, answer_of

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def party(world: World) -> Party:
    """A client with a secret."""
    return world.party()


@pytest.fixture
def form(world: World, story, party: Party) -> dict[str, str]:
    """A good request, with the secret in the body."""
    code = answer_of(signed_in(world, story, "zimin", party).authorize(party))["code"]
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": party.verifier,
        "client_id": party.client.id,
        "client_secret": str(party.secret),
    }


def test_in_the_address(world: World, form: dict) -> None:
    """Case 24: parameters belong in the body; one in the address refuses the request, whatever it is, and the code is untouched."""
    http = world.browser()
    assert token_error(http.post("/token", params=form)) == "invalid_request"
    for name in ("code", "client_id", "client_secret", "grant_type", "scope", "x"):
        rest = {key: value for key, value in form.items() if key != name}
        assert token_error(http.post("/token", params={name: form.get(name, "y")}, data=rest)) == "invalid_request", name
    assert token_error(http.post("/token?x", data=form)) == "invalid_request"
    assert http.post("/token", data=form).status_code == 200


def test_get(world: World, form: dict) -> None:
    """Case 24: 405, as JSON, with the methods that there are."""
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD"):
        answer = world.browser().request(method, "/token", params=form)
        assert answer.status_code == 405
        assert "POST" in answer.headers["Allow"]
        assert answer.headers["Cache-Control"] == "no-store"


def test_nothing_of_it_is_logged(world: World, form: dict, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Cases 24 and 41: neither what was sent in the wrong place, nor what was right, stands in a log line."""
    http = world.browser()
    http.post("/token", params=form)
    http.get("/token", params=form)
    tokens = http.post("/token", data=form).json()
    http.post("/token", data=form)
    world.userinfo(tokens["access_token"])
    http.get("/userinfo", params={"access_token": tokens["access_token"]})
    for path in ("/introspect", "/revoke"):
        http.get(path, params={"token": tokens["refresh_token"]})
        http.post(path, params={"token": tokens["refresh_token"]})
        client = {name: form[name] for name in ("client_id", "client_secret")}
        http.post(path, data=client | {"token": tokens["access_token"]})
    written = "".join(capfd.readouterr()) + caplog.text + "".join(str(vars(record)) for record in caplog.records)
    secrets = [
        form["code"],
        form["client_secret"],
        form["code_verifier"],
        tokens["access_token"],
        tokens["refresh_token"],
        tokens["id_token"],
    ]
    assert not [secret for secret in secrets if secret in written]


@pytest.mark.parametrize(
    "name", ["grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret", "refresh_token", "scope", "foobar"]
)
def test_a_name_that_stands_twice(world: World, form: dict, name: str) -> None:
    """Case 3b, RFC 6749 §3.2: also when both are the same; the code is untouched."""
    for other in (form.get(name, "x"), "other", ""):
        pairs = [*(form | {name: form.get(name, "x")}).items(), (name, other)]
        answer = world.browser().post("/token", content=urlencode(pairs), headers={"Content-Type": FORM})
        assert token_error(answer) == "invalid_request"
    assert world.browser().post("/token", data=form).status_code == 200


def test_what_may_stand_twice(world: World, form: dict) -> None:
    """RFC 8707 §2, RFC 8693 §2.1: `resource` and `audience`. Of resources each is looked at: these are none (§2.2)."""
    pairs = [*form.items(), ("audience", "a"), ("audience", "b")]
    named = [("grant_type", "refresh_token"), ("resource", "https://a.example"), ("resource", "https://b.example")]
    given = world.browser().post("/token", content=urlencode(pairs), headers={"Content-Type": FORM})
    assert given.status_code == 200
    again = [*named, *((name, form[name]) for name in ("client_id", "client_secret")), ("refresh_token", given.json()["refresh_token"])]
    assert token_error(world.browser().post("/token", content=urlencode(again), headers={"Content-Type": FORM})) == "invalid_target"


NO_VALUES = [
    "ключ",
    "é",
    "\x00",
    "a\x00b",
    "\x7f",
    "🙂",
    "\ud7ff",
    "x" * 9000,
    "%",
    "%00",
    "\r\nX: y",
    "[]",
    "{}",
    "' OR 1=1 --",
    "null",
    "-1",
    " ",
]


@pytest.mark.parametrize("name", ["grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret"])
def test_values_that_are_none(world: World, form: dict, name: str) -> None:
    """Case 26: other alphabets, NUL, markup, far too long: a 4xx, quickly, and the code is untouched."""
    for value in NO_VALUES:
        began = time.thread_time()
        answer = world.browser().post("/token", data=form | {name: value})
        assert time.thread_time() - began < 0.05 * 4  # 50 ms, and a slow machine
        error = token_error(answer, 400, 401)
        assert error in {"invalid_request", "invalid_client", "invalid_grant", "unsupported_grant_type"}, value
    assert world.browser().post("/token", data=form).status_code == 200


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"grant_type":"authorization_code","code":"x"}'),
        ("text/plain", b"grant_type=authorization_code"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\nauthorization_code\r\n--x--'),
        ("", b"grant_type=authorization_code"),
        (FORM, b"\xff\xfe\x00"),
        (FORM, b"code=%ff%fe"),
        (FORM, b"=&=&="),
        (FORM, b"&".join(b"a%d=1" % i for i in range(1000))),
        (FORM, b"grant_type"),
        (FORM, b"grant_type[]=authorization_code&code[]=x"),
        (FORM, b"a" * 60000),
        (FORM, b"%" * 5000),
        (FORM, b""),
    ],
)
def test_bodies_that_are_none(world: World, kind: str, body: bytes) -> None:
    """Case 26: JSON to a form endpoint, array style, a thousand fields, broken bytes: a 4xx in JSON."""
    status, headers, answer = raw(world, "POST", "/token", body=body, CONTENT_TYPE=kind)
    assert status in {400, 401, 413}
    assert headers["Content-Type"] == "application/json"
    assert json.loads(answer)["error"] in {"invalid_request", "invalid_client"}


@pytest.mark.parametrize("size", [65537, 1_000_000])
def test_a_megabyte(world: World, form: dict, size: int) -> None:
    """Case 26: 413, without reading on; also when Content-Length is missing or wrong."""
    body = b"code=" + b"x" * size
    for length in (str(size), "", "10" * 8):
        status, _, answer = raw(world, "POST", "/token", body=body, CONTENT_LENGTH=length)
        assert status == (400 if len(length) > 12 else 413)
        assert json.loads(answer)["error"] == "invalid_request"
    assert world.browser().post("/token", data=form).status_code == 200


@pytest.mark.parametrize("length", ["abc", "-1", "1.5", "\u0663", "0x10", "1 2", "9" * 30])
def test_a_length_that_is_none(world: World, length: str) -> None:
    """Case 26: what only a raw socket sends."""
    for path in ("/token", "/userinfo", "/introspect", "/revoke", "/authorize", "/end_session"):
        status, _, _ = raw(world, "POST", path, body=b"x=y", CONTENT_LENGTH=length)
        assert status in {400, 413}, path


def test_unknown_parameters_are_ignored(world: World, form: dict) -> None:
    """RFC 6749 §3.2, claims.md: `scope` with a code, `state`, `data`, whatever a library adds."""
    more = {
        "scope": "openid",
        "state": "x",
        "data": "y",
        "nonce": "z",
        "response_type": "code",
        "foo[bar]": "1",
        "audience": "x",
        "ключ": "знач",
    }
    answer = world.browser().post("/token", data=form | more)
    assert answer.status_code == 200
    assert answer.json()["scope"] == "openid profile"


def test_grants_that_a_client_is_not_registered_for(world: World, form: dict, party: Party, story) -> None:
    """RFC 6749 §5.2: `unauthorized_client`."""
    tokens = world.browser().post("/token", data=form).json()
    for left, error in ((["authorization_code"], "refresh_token"), (["refresh_token"], "authorization_code")):
        change(world, ClientRow, ClientRow.id == party.client.id, grant_types=left)
        clients.forget_cached()
        answer = world.token(party, grant_type=error, code="x", redirect_uri=CALLBACK, refresh_token=tokens["refresh_token"])
        assert token_error(answer) == "unauthorized_client"
    change(world, ClientRow, ClientRow.id == party.client.id, grant_types=["authorization_code"])
    clients.forget_cached()
    code = answer_of(signed_in(world, story, "zimin", party).authorize(party))["code"]
    assert "refresh_token" not in world.redeem(party, code).json()
