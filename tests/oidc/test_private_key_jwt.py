"""private_key_jwt (OpenID Connect Core §9, RFC 7523 §3): a client proves itself by what it signs, once, for us alone, for minutes.

Cases 25, 33, 35 and 39 of threats.md, where a client assertion is the JWT.
"""

from __future__ import annotations

import base64
import json
import time
from threading import Barrier, Thread
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import serialization

from idp import clock, schedule
from idp.delegation import clients
from idp.delegation.tables import UsedAssertion
from tests.keyring import forge
from tests.oidc.asking import rows, signed_in, token_error
from tests.oidc.asserting import ALGORITHMS, GRANT, TYPE, ask, kind_of, private, public, robot, says, signed
from tests.world import CALLBACK, ISSUER, Party, World, answer_of, claims_of


def refused(answer: Any) -> str:
    """The description of a refusal, which is `invalid_client` and leaves no challenge for a password."""
    assert token_error(answer, 401) == "invalid_client"
    assert "WWW-Authenticate" not in answer.headers
    return str(answer.json()["error_description"])


@pytest.fixture
def party(world: World) -> Party:
    """A machine with an EC key `k1`."""
    return robot(world)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm(world: World, algorithm: str) -> None:
    """Each that discovery names is taken, for a key of its kind, with and without kid and client_id."""
    assert algorithm in world.browser().get("/.well-known/openid-configuration").json()["token_endpoint_auth_signing_alg_values_supported"]
    party = robot(world, public(kind_of(algorithm), kid="k1"))
    for header, more in (({}, {}), ({"kid": None}, {}), ({"typ": None}, {"client_id": party.client.id})):
        answer = ask(world, signed(says(party), algorithm=algorithm, header=header), **more)
        assert answer.status_code == 200, answer.text
    assert claims_of(answer.json()["access_token"])["sub"] == party.client.id


def test_a_whole_sign_in(world: World, story) -> None:
    """A web client redeems its code and refreshes; a wrong assertion leaves the code untouched."""
    party = world.party(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [public("EC", kid="k1")]})
    assert party.secret is None
    code = answer_of(signed_in(world, story, "zimin", party).authorize(party))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": party.verifier}
    refused(ask(world, signed(says(party, aud="https://other.example")), **form))
    answer = ask(world, signed(says(party)), **form)
    assert answer.status_code == 200, answer.text
    refreshed = ask(world, signed(says(party)), grant_type="refresh_token", refresh_token=answer.json()["refresh_token"])
    assert refreshed.status_code == 200


def test_once(world: World, party: Party) -> None:
    """Each assertion is good once, also after a refusal for another reason; another client's `jti` is another one."""
    assertion = signed(says(party))
    assert token_error(ask(world, assertion, scope="nothing")) == "invalid_scope"
    assert "jti" in refused(ask(world, assertion))
    claims = says(party, jti="the same")
    assert ask(world, signed(claims)).status_code == 200
    assert "jti" in refused(ask(world, signed(claims | {"exp": claims["exp"] + 1})))
    assert ask(world, signed(says(robot(world), jti="the same"))).status_code == 200


def test_once_among_all(world: World, party: Party) -> None:
    """Twenty at once: one of them is answered."""
    assertion, barrier, codes = signed(says(party)), Barrier(20), []

    def go() -> None:
        barrier.wait()
        codes.append(ask(world, assertion).status_code)

    threads = [Thread(target=go) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] + [401] * 19


def test_it_is_remembered_until_it_expires(world: World, party: Party) -> None:
    """The schedule forgets what is refused as expired anyway, and nothing else; what is kept names no client and no `jti`."""
    sweep = next(job for job in schedule.SCHEDULE if job.name == "used_assertions")
    with clock.freeze(clock.now()) as later:
        short, long = signed(says(party, jti="first", exp=clock.timestamp() + 30)), signed(says(party, exp=clock.timestamp() + 300))
        assert ask(world, short).status_code == ask(world, long).status_code == 200
        stored = rows(world, UsedAssertion)
        assert len(stored) == 2
        assert not {"first", party.client.id} & {row.digest for row in stored}
        later(31)
        with world.writes():
            sweep.run()
        assert len(rows(world, UsedAssertion)) == 1
        assert "expired" in refused(ask(world, short))
        assert "jti" in refused(ask(world, long))


def test_times(world: World, party: Party) -> None:
    """Case 35: ten minutes and ten seconds at most, ten seconds of a clock that is ahead, whole seconds and nothing else."""
    with clock.freeze(clock.now().replace(microsecond=0)):
        now = clock.timestamp()
        for good in (
            {"exp": now + 1},
            {"exp": now + 610},
            {"iat": now + 10, "nbf": now + 10},
            {"iat": None},
            {"nbf": now - 3600},
            {"iat": now - 3600},
        ):
            assert ask(world, signed(says(party, **good))).status_code == 200, good
        for wrong in (
            {"exp": None},
            {"exp": now},
            {"exp": now - 1},
            {"exp": now + 611},
            {"exp": now + 10**6},
            {"exp": -1},
            {"exp": str(now + 60)},
            {"exp": now + 60.0},
            {"exp": True},
            {"exp": [now + 60]},
            {"exp": float("nan")},
            {"exp": float("inf")},
            {"exp": 10**400},
            {"iat": now + 11},
            {"nbf": now + 11},
            {"iat": str(now)},
            {"iat": now + 0.5},
            {"nbf": False},
        ):
            refused(ask(world, signed(says(party, **wrong))))
        raw = json.dumps(says(party)).replace(str(now + 60), "1e309")
        refused(ask(world, signed(raw)))


def test_for_whom(world: World, party: Party) -> None:
    """`aud` is this issuer or its token endpoint, as text or in a list of nothing else: what another provider was shown is no proof here.

    oidcc-ensure-client-assertion-with-iss-aud-succeeds, and what the official suite and most libraries send otherwise: the endpoint (Core
    §9); older ones send both.
    """
    token = f"{ISSUER}/token"
    for audience in (ISSUER, [ISSUER], token, [token], [ISSUER, token]):
        assert ask(world, signed(says(party, aud=audience))).status_code == 200
    for audience in (
        None,
        "",
        [],
        f"{ISSUER}/",
        f"{ISSUER}/token/",
        f"{ISSUER}/introspect",
        ISSUER.upper(),
        "https://other.example",
        [ISSUER, "https://other.example"],
        ["https://other.example", f"{ISSUER}/token"],
        [ISSUER, 1],
        [[ISSUER]],
        {"0": ISSUER},
        True,
    ):
        refused(ask(world, signed(says(party, aud=audience))))
    assert ISSUER in refused(ask(world, signed(says(party, aud="https://other.example/token"))))


def test_of_whom(world: World, party: Party) -> None:
    """`iss` and `sub` are the client_id, and so is `client_id` where it is sent."""
    other = robot(world)
    for wrong in (
        {"iss": None},
        {"sub": None},
        {"iss": other.client.id},
        {"sub": other.client.id},
        {"iss": [party.client.id]},
        {"sub": ""},
    ):
        refused(ask(world, signed(says(party, **wrong))))
    refused(ask(world, signed(says(party)), client_id=other.client.id))
    refused(ask(world, signed(says(party, iss="nobody", sub="nobody"))))
    for jti in (None, "", 7, ["x"], "x" * 257):
        assert "jti" in refused(ask(world, signed(says(party, jti=jti))))
    assert ask(world, signed(says(party))).status_code == 200


def test_whose_key(world: World, party: Party) -> None:
    """The key is the registered one, by its kid; another client's, or one that was taken out, signs nothing."""
    stranger = robot(world, public("OKP", kid="k1"))
    refused(ask(world, signed(says(party), algorithm="Ed25519")))
    refused(ask(world, signed(says(stranger))))
    for kid in ("k2", "", "K1", "../k1", "k1' OR '1'='1", 1, ["k1"]):
        refused(ask(world, signed(says(party), header={"kid": kid})))
    with world.writes():
        clients.update(party.client.id, jwks={"keys": [public("EC", kid="old"), public("RSA", kid="k1")]})
    refused(ask(world, signed(says(party))))
    assert ask(world, signed(says(party), header={"kid": "old"})).status_code == 200
    assert ask(world, signed(says(party), algorithm="PS256")).status_code == 200
    with world.writes():
        clients.update(party.client.id, jwks={"keys": [public("RSA", kid="k1", alg="PS256")]})
    refused(ask(world, signed(says(party), algorithm="RS256")))
    assert ask(world, signed(says(party), algorithm="PS256")).status_code == 200


def test_forged(world: World, party: Party) -> None:
    """Case 33: no signature, a shared key made of the public one, a key of the sender's own, extensions, other serializations."""
    claims, key, half = says(party), private("EC"), public("EC")
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    mine, my_half = private("RSA"), public("RSA")
    good = signed(claims)
    header, payload, signature = good.split(".")
    forged = [
        *(forge.compact({"alg": none, "typ": "JWT", "kid": "k1"}, claims, None) for none in ("none", "None", "NONE", "nOnE", "")),
        *(
            forge.compact({"alg": "HS256", "typ": "JWT", "kid": "k1"}, claims, shared)
            for shared in (pem, pem.strip(), b"\n" + pem, der, json.dumps(half).encode(), half["x"].encode(), b"")
        ),
        *(
            signed(claims, header={"alg": other})
            for other in ("ES384", "ES512", "RS256", "PS256", "EdDSA", "HS256", "ES256K", "es256", None, 1)
        ),
        *(
            signed(claims, algorithm="RS256", key=mine, header={"kid": kid, **own})
            for kid in ("k1", None)
            for own in (
                {"jwk": my_half},
                {"jku": "https://evil.example/jwks"},
                {"x5u": "https://evil.example/cert"},
                {"x5c": ["MIIB"]},
                {},
            )
        ),
        *(
            signed(claims, header=more)
            for more in (
                {"crit": ["exp"], "exp": 1},
                {"crit": []},
                {"crit": ["b64"], "b64": False},
                {"b64": False},
                {"b64": True},
                {"zip": "DEF"},
                {"enc": "A128GCM"},
                {"jwk": half},
                {"typ": "at+jwt"},
                {"typ": "logout+jwt"},
                {"typ": "dpop+jwt"},
                {"typ": "oauth-authz-req+jwt"},
                {"typ": 1},
            )
        ),
        signed(claims, header={"alg": "ES256"}, key=mine),
        forge.compact('{"alg":"ES256","alg":"none","kid":"k1"}', claims, key),
        forge.compact({"alg": "ES256", "kid": "k1"}, json.dumps(claims)[:-1] + f',"sub":"{party.client.id}"}}', key),
        forge.compact({"alg": "ES256", "kid": "k1"}, [claims], key),
        forge.compact([], claims, key),
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}..{signature}",
        f".{payload}.{signature}",
        f"{header}.{payload}.{signature}.{signature}",
        f"{header}.{payload}.{signature[::-1]}",
        f"{header}.{payload}.{base64.urlsafe_b64encode(bytes(64)).decode().rstrip('=')}",
        f"{header}.{payload}={'.'}{signature}",
        f" {good}",
        f"{good}\n",
        json.dumps({"payload": payload, "signatures": []}),
        json.dumps({"payload": payload, "protected": header, "signature": signature}),
        "x",
        "..",
    ]
    for assertion in forged:
        refused(ask(world, assertion))
    assert ask(world, good).status_code == 200


def test_large_and_deep(world: World, party: Party) -> None:
    """Case 39: what is too long or too deep is refused before it costs anything."""
    for assertion in (
        signed(says(party, more="x" * 7000)),
        signed("[" * 4000),
        signed('{"a":' * 900 + "1" + "}" * 900),
        signed(says(party), header={"more": "x" * 5000}),
        "a." + "b" * 8000 + ".c",
    ):
        began = time.perf_counter()
        answer = ask(world, assertion)
        assert time.perf_counter() - began < 0.5
        assert answer.status_code in {400, 401, 413}, answer.text
    assert ask(world, signed(says(party, more="x" * 1000))).status_code == 200


def test_one_method(world: World, party: Party) -> None:
    """Case 25: two methods at once; another method than the registered one; the assertion without its type, or with another."""
    secretive = world.machine()
    http = world.browser()
    basic = {"Authorization": "Basic " + base64.b64encode(f"{secretive.client.id}:{secretive.secret}".encode()).decode()}
    assert token_error(ask(world, signed(says(party)), headers=basic), 401) == "invalid_client"
    refused(ask(world, signed(says(party)), client_secret="x" * 43))
    refused(ask(world, signed(says(secretive))))
    for form in (
        {"client_assertion": signed(says(party))},
        {"client_assertion_type": TYPE},
        {"client_assertion": signed(says(party)), "client_assertion_type": TYPE.replace("jwt", "saml2")},
        {"client_id": party.client.id},
        {"client_id": party.client.id, "client_secret": "x" * 43},
    ):
        refused(http.post("/token", data=GRANT | form))
    for more in ({"client_assertion": "x"}, {"client_assertion_type": TYPE}):
        assert token_error(http.post("/token", data=GRANT | more, headers=basic), 401) == "invalid_client"
    twice = [*GRANT.items(), ("client_assertion_type", TYPE), ("client_assertion", "x"), ("client_assertion", signed(says(party)))]
    assert (
        token_error(http.post("/token", content=urlencode(twice), headers={"Content-Type": "application/x-www-form-urlencoded"}))
        == "invalid_request"
    )
    assert http.post("/token", data=GRANT, headers=basic).status_code == 200


def test_a_deleted_client_signs_nothing(world: World, party: Party) -> None:
    """Its keys go with it."""
    with world.writes():
        clients.delete(party.client.id)
    refused(ask(world, signed(says(party))))


def test_a_key_without_a_name(world: World) -> None:
    """It is named by its thumbprint (RFC 7638), or not at all."""
    party = robot(world, public("EC"))
    kid = party.client.jwks["keys"][0]["kid"]
    assert len(kid) == 43
    for named in (kid, None):
        assert ask(world, signed(says(party), header={"kid": named})).status_code == 200
    refused(ask(world, signed(says(party))))
