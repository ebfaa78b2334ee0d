"""client_secret_jwt (OpenID Connect Core §9): a client proves itself by an HMAC under a secret that never travels.

Cases 25, 33, 35, 39 and 42 of threats.md, where the key is a secret; and what becomes of secrets that are keys.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from idp import clock, crypto
from idp.delegation import client_keys, clients
from idp.delegation.tables import ClientSecret
from idp.errors import BadInput, Conflict
from tests.keyring import forge
from tests.oidc.asking import rows, signed_in, token_error
from tests.oidc.asserting import GRANT, TYPE, ask, private, public, robot, says, signed
from tests.world import CALLBACK, ISSUER, Party, World, answer_of


def hmac(party: Party, claims: Any = None, *, key: bytes | None = None, **header: Any) -> str:
    """A sound assertion; `header` replaces members of its header."""
    made = {"alg": "HS256", "typ": "JWT", **header}
    return forge.compact(
        {name: value for name, value in made.items() if value is not None},
        says(party) if claims is None else claims,
        str(party.secret).encode() if key is None else key,
    )


def refused(answer: Any) -> str:
    """The description of a refusal."""
    assert token_error(answer, 401) == "invalid_client"
    return str(answer.json()["error_description"])


@pytest.fixture
def party(world: World) -> Party:
    """A machine with a secret that it signs with."""
    return world.machine(token_endpoint_auth_method="client_secret_jwt")


def test_it_is_taken(world: World, party: Party) -> None:
    """With and without `typ` and `client_id`, for the issuer and for its token endpoint; discovery names it."""
    said = world.browser().get("/.well-known/openid-configuration").json()
    for endpoint in ("token", "introspection", "revocation"):
        assert "client_secret_jwt" in said[f"{endpoint}_endpoint_auth_methods_supported"]
        assert "HS256" in said[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
    for assertion, more in (
        (hmac(party), {}),
        (hmac(party, typ=None), {"client_id": party.client.id}),
        (hmac(party, says(party, aud=f"{ISSUER}/token")), {}),
        (hmac(party, kid="whatever"), {}),
    ):
        assert ask(world, assertion, **more).status_code == 200


def test_everywhere(world: World, story) -> None:
    """At /token with a code, at /introspect and at /revoke; each assertion once, at whichever."""
    party = world.party(token_endpoint_auth_method="client_secret_jwt")
    code = answer_of(signed_in(world, story, "zimin", party=party).authorize(party, prompt="none"))["code"]
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": party.verifier}
    assertion = hmac(party)
    tokens = ask(world, assertion, **grant).json()
    http = world.browser()
    proof = {"client_assertion_type": TYPE, "client_assertion": assertion, "token": tokens["access_token"]}
    assert "jti" in refused(http.post("/introspect", data=proof))
    assert http.post("/introspect", data=proof | {"client_assertion": hmac(party)}).json()["active"]
    assert http.post("/revoke", data=proof | {"client_assertion": hmac(party)}).status_code == 200
    assert http.post("/introspect", data=proof | {"client_assertion": hmac(party)}).json() == {"active": False}


def test_what_it_says(world: World, party: Party) -> None:
    """Case 35: the same judgement as of any assertion: whose, for whom, when, once."""
    now = clock.timestamp()
    for wrong in (
        {"iss": None},
        {"sub": None},
        {"iss": "other"},
        {"aud": None},
        {"aud": "https://other.example"},
        {"aud": [ISSUER, "https://other.example"]},
        {"exp": None},
        {"exp": now - 1},
        {"exp": now + 700},
        {"exp": str(now + 60)},
        {"exp": now + 60.5},
        {"nbf": now + 60},
        {"iat": now + 60},
        {"jti": None},
        {"jti": ""},
    ):
        refused(ask(world, hmac(party, says(party, **wrong))))
    assertion = hmac(party)
    assert ask(world, assertion).status_code == 200
    assert "jti" in refused(ask(world, assertion))


def test_forged(world: World, party: Party) -> None:
    """Case 33: no key, an empty one, a guessed one, what is stored of the secret, another client's; other algorithms; no signature."""
    stored = rows(world, ClientSecret, ClientSecret.client_id == party.client.id)[0]
    other = world.machine(token_endpoint_auth_method="client_secret_jwt")
    claims = says(party)
    forged = [
        *(
            hmac(party, claims, key=key)
            for key in (
                b"",
                b"\x00",
                b"secret",
                party.client.id.encode(),
                stored.digest.encode(),
                bytes.fromhex(stored.digest),
                stored.sealed.encode(),
                str(other.secret).encode(),
                str(party.secret).encode()[:-1],
                base64.urlsafe_b64decode(str(party.secret) + "="),
            )
        ),
        *(hmac(party, claims, alg=alg) for alg in ("none", "None", "HS384", "HS512", "hs256", "RS256", "ES256", "", None, ["HS256"])),
        *(hmac(party, claims, **{name: value}) for name, value in (("jwk", {"kty": "oct", "k": "AAAA"}), ("jku", "https://e.example"))),
        *(hmac(party, claims, **{name: value}) for name, value in (("crit", ["exp"]), ("b64", False), ("zip", "DEF"), ("x5c", ["M"]))),
        forge.compact({"alg": "none"}, claims, None),
        hmac(party, claims).rsplit(".", 1)[0] + ".",
        signed(claims, algorithm="ES256", key=private("EC")),
        json.dumps({"payload": "x", "signatures": []}),
        hmac(party, says(party, more="x" * 9000)),
    ]
    for assertion in forged:
        answer = ask(world, assertion)
        assert token_error(answer, 400, 401) in {"invalid_client", "invalid_request"}
    assert ask(world, hmac(party, claims)).status_code == 200


def test_each_method_for_itself(world: World, party: Party) -> None:
    """Case 25: registered for the one, a client never gets in by the other; nor by the secret itself, where it has said that it signs."""
    signer = robot(world)
    half = json.dumps(public("EC")).encode()
    refused(ask(world, forge.compact({"alg": "HS256", "kid": "k1"}, says(signer), half)))
    secretive = world.machine()
    refused(ask(world, hmac(secretive)))
    http = world.browser()
    given = GRANT | {"client_id": party.client.id, "client_secret": str(party.secret)}
    refused(http.post("/token", data=given))
    assert token_error(http.post("/token", data=GRANT, auth=(party.client.id, str(party.secret))), 401) == "invalid_client"
    assert http.post("/token", data=GRANT, auth=(secretive.client.id, str(secretive.secret))).status_code == 200


def test_sealed_and_only_where_it_is_needed(world: World, party: Party) -> None:
    """Case 42: a secret that is a key is sealed; any other one only hashed; what is no key any more, or was revoked, no longer."""
    plain = world.machine()
    stored = {row.client_id: row for row in rows(world, ClientSecret)}
    assert stored[plain.client.id].sealed is None
    assert str(party.secret) not in str(stored[party.client.id])
    with world.reads():
        assert crypto.unseal(client_keys.SHARED_PURPOSE, stored[party.client.id].sealed) == party.secret
    with world.writes():
        clients.update(party.client.id, token_endpoint_auth_method="client_secret_basic")
    assert rows(world, ClientSecret, ClientSecret.client_id == party.client.id)[0].sealed is None
    assert world.token(party, **GRANT).status_code == 200
    other = world.machine(token_endpoint_auth_method="client_secret_jwt")
    with world.writes():
        clients.delete(other.client.id)
    assert rows(world, ClientSecret, ClientSecret.client_id == other.client.id)[0].sealed is None


def test_a_hashed_secret_becomes_no_key(world: World) -> None:
    """Who changes to it needs a secret that was kept for it first; then both work until the old one is revoked."""
    party = world.machine()
    with world.writes(), pytest.raises(BadInput, match="add-secret --as-key"):
        clients.update(party.client.id, token_endpoint_auth_method="client_secret_jwt")
    with world.writes():
        made, secret = clients.add_secret(party.client.id, as_key=True)
        clients.update(party.client.id, token_endpoint_auth_method="client_secret_jwt")
    refused(ask(world, hmac(party)))
    assert ask(world, hmac(Party(party.client, secret, ""))).status_code == 200
    with world.writes(), pytest.raises(Conflict, match="last secret"):
        clients.revoke_secret(party.client.id, made)


def test_two_secrets(world: World, party: Party) -> None:
    """While one is replaced by the other, both sign; we sign with the one that the client has used last."""
    with world.writes():
        _, secret = clients.add_secret(party.client.id)
    newer = Party(party.client, secret, "")
    for each in (party, newer):
        assert ask(world, hmac(each)).status_code == 200
    with world.reads():
        assert client_keys.shared_key(clients.get(party.client.id)) == str(party.secret).encode()
    basic = world.machine(token_endpoint_auth_method="client_secret_jwt")
    with world.writes():
        _, second = clients.add_secret(basic.client.id)
        client = clients.get(basic.client.id)
        found = client.find_secret(second)
        assert found is not None
        assert client_keys.shared_key(client) == str(basic.secret).encode()
        assert client_keys.shared_key(client.having_used(found)) == second.encode()
        clients.note_use(found)
    clients.forget_cached()
    with world.reads():
        assert client_keys.shared_key(clients.get(basic.client.id)) == second.encode()


def test_short_ones_never(world: World) -> None:
    """A secret given by an operator has 32 characters at least: as many octets as the hash (RFC 7518 §3.2)."""
    for secret in ("", "x", "x" * 31):
        with world.writes(), pytest.raises(BadInput):
            clients.register(name="Robot", kind="machine", scopes=[], token_endpoint_auth_method="client_secret_jwt", secret=secret)
    for wrong in (
        {"token_endpoint_auth_signing_alg": "HS512"},
        {"token_endpoint_auth_signing_alg": "none"},
        {"token_endpoint_auth_signing_alg": "ES256"},
    ):
        with world.writes(), pytest.raises(BadInput):
            clients.register(name="Robot", kind="machine", scopes=[], token_endpoint_auth_method="client_secret_jwt", **wrong)
