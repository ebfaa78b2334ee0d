"""A client looks after its own registration (RFC 7592). Cases 47 and 48 of threats.md."""

from __future__ import annotations

from typing import Any

import pytest

from idp.delegation import clients
from tests.oidc.asking import token_error
from tests.oidc.asserting import public
from tests.oidc.registering import DEVELOPER, OPEN, own, party, registered
from tests.world import CALLBACK, ISSUER, Party, World


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """Open to everybody."""
    return OPEN


def sent_again(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The registration as its owner would send it back, changed."""
    ours = {"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"}
    return {name: value for name, value in (body | changes).items() if name not in ours and value is not None}


def test_reading(world: World) -> None:
    """§2.1, conformance §3.0: 200 with everything; the secret is never shown again (case 48)."""
    body = registered(world, contacts=["tea@rp.example"])
    answer = own(world, body)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    again = answer.json()
    assert again == {name: value for name, value in body.items() if not name.startswith("client_secret")}


def test_another_ones_token(world: World) -> None:
    """Case 47: the token of A at the address of B is 403, for every method, wherever the id stands; nothing is read or changed."""
    one, other = registered(world), registered(world)
    for method, sent in (("GET", None), ("PUT", sent_again(other, client_name="Taken")), ("PUT", sent_again(one)), ("DELETE", None)):
        answer = own(world, other, method, token=one["registration_access_token"], json=sent)
        assert answer.status_code == 403
        assert other["client_name"] not in answer.text
    answer = own(world, one, "PUT", json=sent_again(other))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
    assert own(world, one, "GET", json={"client_id": other["client_id"]}).json()["client_id"] == one["client_id"]
    path = one["registration_client_uri"].removeprefix(ISSUER) + f"?client_id={other['client_id']}"
    headers = {"Authorization": f"Bearer {one['registration_access_token']}"}
    assert world.browser(address=DEVELOPER).get(path, headers=headers).json()["client_id"] == one["client_id"]
    assert own(world, other).json()["client_name"] == "Tea house"
    assert own(world, one, token=one["registration_access_token"]).status_code == 200
    missing = {"registration_client_uri": f"{ISSUER}/register/cli_nobody"}
    assert own(world, missing, token=one["registration_access_token"]).status_code == 403


def test_wrong_tokens(world: World) -> None:
    """§3: 401 with a challenge, also for a client that an operator registered, which has no such token."""
    body = registered(world)
    ordinary = world.party().client.id
    token = body["registration_access_token"]
    for wrong in ("x", token + "x", token[:-1], token.upper(), body["client_secret"], f"{ordinary}.", f"{ordinary}.x", "."):
        for method in ("GET", "PUT", "DELETE"):
            path = body["registration_client_uri"].removeprefix(ISSUER)
            headers = {"Authorization": f"Bearer {wrong}"}
            answer = world.browser(address=DEVELOPER).request(method, path, headers=headers)
            assert token_error(answer, 401) == "invalid_token"
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    bare = world.browser(address=DEVELOPER).get(path)
    assert bare.status_code == 401
    assert bare.headers["WWW-Authenticate"] == 'Bearer realm="idp"'
    assert world.browser(address=DEVELOPER).get(f"{path}?access_token={token}").status_code == 401


def test_replacing(world: World) -> None:
    """§2.2: all of it is replaced, and what is left out is gone; the answer says what is registered now, without the secret."""
    body = registered(world, contacts=["tea@rp.example"], policy_uri="https://rp.example/policy", grant_types=["authorization_code"])
    changed = sent_again(body, client_name="Coffee house", contacts=None, redirect_uris=[CALLBACK, "https://rp.example/two"])
    answer = own(world, body, "PUT", json=changed)
    assert answer.status_code == 200
    now = answer.json()
    assert (now["client_name"], now["redirect_uris"][1]) == ("Coffee house", "https://rp.example/two")
    assert "contacts" not in now
    assert now["policy_uri"] == "https://rp.example/policy"
    assert "client_secret" not in now
    assert own(world, body).json() == now
    event = world.events("client.updated")[-1]
    assert set(event.details["changed"]) == {"name", "contacts", "redirect_uris"}


def test_what_must_match(world: World) -> None:
    """§2.2: `client_id` always, `client_secret` where it is sent: nobody chooses one."""
    body = registered(world)
    for changes in (
        {"client_id": None},
        {"client_id": "cli_other"},
        {"client_secret": "x" * 43},
        {"client_secret": 7},
        {"client_id": ["x"]},
    ):
        answer = own(world, body, "PUT", json=sent_again(body, **changes))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
    assert own(world, body, "PUT", json=sent_again(body, redirect_uris=["x"])).json()["error"] == "invalid_redirect_uri"
    assert own(world, body, "PUT", json=sent_again(body, application_type="native")).status_code == 400
    assert own(world, body, "PUT", json=sent_again(body, scope="openid company")).status_code == 400


def test_nothing_is_loosened_by_silence(world: World) -> None:
    """What makes a client stricter stays where a replacement does not mention it; only by its name it is taken away."""
    body = registered(
        world,
        token_endpoint_auth_method="private_key_jwt",
        jwks={"keys": [public("EC")]},
        require_signed_request_object=True,
        subject_type="pairwise",
        userinfo_signed_response_alg="ES256",
        scope="openid",
    )
    bare = {"client_id": body["client_id"], "redirect_uris": [CALLBACK]}
    now = own(world, body, "PUT", json=bare).json()
    kept = (
        "token_endpoint_auth_method",
        "jwks",
        "require_signed_request_object",
        "subject_type",
        "userinfo_signed_response_alg",
        "scope",
        "grant_types",
    )
    assert {name: now[name] for name in kept} == {name: body[name] for name in kept}
    said = own(world, body, "PUT", json=bare | {"require_signed_request_object": False}).json()
    assert said.get("require_signed_request_object") in {None, False}
    with world.writes():
        clients.update(body["client_id"], pkce="required", scopes=["openid"])
    own(world, body, "PUT", json=sent_again(said))
    with world.reads():
        assert clients.get(body["client_id"]).pkce == "required"


def test_another_way_to_say_who_it_is(world: World) -> None:
    """A client that comes to need a secret gets one, this once; one whose secret becomes a key gets another."""
    body = registered(world, token_endpoint_auth_method="none")
    now = own(world, body, "PUT", json=sent_again(body, token_endpoint_auth_method="client_secret_post")).json()
    assert now["client_secret_expires_at"] == 0
    with world.reads():
        party_now = Party(clients.get(body["client_id"]), now["client_secret"])
    form = {"grant_type": "authorization_code", "code": "x", "client_id": party_now.client.id, "client_secret": now["client_secret"]}
    assert world.browser(address="198.51.100.20").post("/token", data=form).json()["error"] != "invalid_client"
    as_key = own(world, body, "PUT", json=sent_again(now, id_token_signed_response_alg="HS256")).json()
    assert as_key["client_secret"] != now["client_secret"]
    assert own(world, body, "PUT", json=sent_again(as_key)).json().get("client_secret") is None
    assert world.browser(address="198.51.100.20").post("/token", data=form).json()["error"] == "invalid_client"


def test_deleting(world: World) -> None:
    """§2.3, conformance §3.0: 204 without a body; then nothing that it holds works, and its own address is 401."""
    body = registered(world)
    answer = own(world, body, "DELETE")
    assert (answer.status_code, answer.content) == (204, b"")
    assert [own(world, body, method).status_code for method in ("GET", "PUT", "DELETE")] == [401] * 3
    rp = party(world)
    form = {"grant_type": "authorization_code", "code": "x"}
    basic = (body["client_id"], body["client_secret"])
    assert world.browser(address="198.51.100.20").post("/token", data=form, auth=basic).json()["error"] == "invalid_client"
    event = world.events("client.deleted")[-1]
    assert (event.client_id, event.details["why"]) == (body["client_id"], "itself")
    with world.writes():
        clients.delete(rp.client.id)


def test_the_operator_sees_it(world: World) -> None:
    """What registered itself stands among all clients, marked, and goes by the operator's word."""
    body = registered(world)
    with world.reads():
        found = [client for client in clients.list_all() if client.registered_by == "dynamic"]
    assert [client.id for client in found] == [body["client_id"]]
    with world.writes():
        clients.delete(body["client_id"])
    assert own(world, body).status_code == 401
