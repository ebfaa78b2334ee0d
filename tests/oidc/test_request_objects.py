"""Request objects by value (OpenID Connect Core §6.1, RFC 9101): a request signed by the client's key counts, and nothing else inside one.

The official modules oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported and
oidcc-ensure-request-object-with-redirect-uri. Cases 1 to 3, 33, 35 and 39 of threats.md, where the JWT is a request object.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from joserfc import jwe
from joserfc.jwk import KeySet

from idp import clock
from idp.delegation import clients
from idp.errors import BadInput
from tests.keyring import forge
from tests.oidc.asking import back_at, error_at, is_page_of_ours, phone, signed_in
from tests.oidc.asserting import ALGORITHMS, kind_of, private, public, signed
from tests.world import CALLBACK, ISSUER, Browser, Party, World, claims_of

OTHER = "https://rp.example/other"


@pytest.fixture
def party(world: World) -> Party:
    """A portal that signs its requests with an EC key `k1`, and has two addresses."""
    return world.party(jwks={"keys": [public("EC", kid="k1")]}, redirect_uris=[CALLBACK, OTHER])


@pytest.fixture
def browser(world: World, story, party: Party) -> Browser:
    """Somebody who is signed in there."""
    return signed_in(world, story, "zimin", party=party)


def holds(party: Party, **changes: Any) -> dict[str, Any]:
    """The claims of a sound object: a whole request; None takes one out."""
    now = clock.timestamp()
    sound = {**party.asks(state="inside", nonce="inside"), "iss": party.client.id, "aud": ISSUER, "iat": now, "exp": now + 60}
    return {name: value for name, value in (sound | changes).items() if value is not None}


def ask(browser: Browser, party: Party, token: str, **outside: str) -> httpx2.Response:
    """With what must be outside, and nothing else (RFC 9101 §5)."""
    return browser.get("/authorize", params={"client_id": party.client.id, "request": token, **outside})


def refused(browser: Browser, party: Party, token: str, **outside: str) -> str:
    """The error at the client's address outside, with the state outside."""
    return error_at(ask(browser, party, token, **{"redirect_uri": CALLBACK, "state": "state-1", **outside}), party)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm(world: World, story, algorithm: str) -> None:
    """Each that discovery names, with and without kid and typ; the answer goes where the object says, with its state."""
    said = world.browser().get("/.well-known/openid-configuration").json()
    assert said["request_parameter_supported"] is True
    assert algorithm in said["request_object_signing_alg_values_supported"]
    assert "none" not in said["request_object_signing_alg_values_supported"]
    party = world.party(jwks={"keys": [public(kind_of(algorithm), kid="k1")]})
    browser = signed_in(world, story, "zimin", party=party)
    for header in ({}, {"kid": None}, {"typ": None}, {"typ": "oauth-authz-req+jwt"}):
        token = signed(holds(party), algorithm=algorithm, header=header)
        answer = back_at(ask(browser, party, token), CALLBACK)
        assert answer["state"] == "inside"
        assert world.redeem(party, answer["code"]).status_code == 200


def test_what_is_inside_wins(browser: Browser, party: Party) -> None:
    """Core §6.1: also over a state, a prompt or an address outside; what is only outside counts too."""
    token = signed(holds(party, redirect_uri=OTHER, prompt="none", max_age=None))
    answer = back_at(ask(browser, party, token, redirect_uri=CALLBACK, state="outside", prompt="login"), OTHER)
    assert answer["state"] == "inside"
    token = signed(holds(party, state=None, redirect_uri=None, scope=None))
    assert back_at(ask(browser, party, token, redirect_uri=OTHER, state="outside", scope="openid"), OTHER)["state"] == "outside"
    for number in (10**6, "1000000"):
        assert "code" in back_at(ask(browser, party, signed(holds(party, max_age=number))), CALLBACK)
    assert error_at(ask(browser, party, signed(holds(party, max_age=0, prompt="none", state=None))), party, state=None) == "login_required"


def test_a_bad_address_outside(browser: Browser, party: Party) -> None:
    """oidcc-ensure-request-object-with-redirect-uri: the good one inside is used. The other way round nobody is sent anywhere (case 1)."""
    good, bad = signed(holds(party)), signed(holds(party, redirect_uri=f"{CALLBACK}_invalid"))
    assert "code" in back_at(ask(browser, party, good, redirect_uri=f"{CALLBACK}_invalid", scope="openid", response_type="code"), CALLBACK)
    assert is_page_of_ours(ask(browser, party, bad, redirect_uri=CALLBACK))
    assert is_page_of_ours(ask(browser, party, signed(holds(party, redirect_uri="javascript:alert(1)"))))


def test_without_a_signature(world: World, story, browser: Browser, party: Party) -> None:
    """oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported: only where a client is registered so, and it only so.

    With a bad address outside, nobody is sent to the one inside: nobody has signed it.
    """
    unsigned = forge.compact({"alg": "none"}, holds(party), None)
    assert refused(browser, party, unsigned) == "request_not_supported"
    assert is_page_of_ours(ask(browser, party, unsigned, redirect_uri=f"{CALLBACK}_invalid"))
    open_one = world.party(request_object_signing_alg="none", jwks={"keys": [public("EC", kid="k1")]})
    visitor = signed_in(world, story, "zimin", party=open_one)
    claims = holds(open_one)
    assert back_at(ask(visitor, open_one, forge.compact({"alg": "none"}, claims, None)), CALLBACK)["state"] == "inside"
    assert "code" in back_at(
        ask(visitor, open_one, forge.compact({"alg": "none"}, claims, None), redirect_uri=f"{CALLBACK}_invalid"), CALLBACK
    )
    for token in (
        signed(claims),
        forge.compact({"alg": "None"}, claims, None),
        forge.compact({"alg": "NONE"}, claims, None),
        forge.compact({"alg": "none"}, claims, None) + "AAAA",
        signed(claims, header={"alg": "none"}),
    ):
        assert refused(visitor, open_one, token) == "invalid_request_object"


def test_who_must_sign(world: World, story) -> None:
    """RFC 9101 §5, §10.5: without an object the request is refused; with one, only what is inside counts."""
    party = world.party(jwks={"keys": [public("EC", kid="k1")]}, require_signed_request_object=True, redirect_uris=[CALLBACK, OTHER])
    visitor = world.browser()
    assert error_at(visitor.authorize(party), party) == "invalid_request"
    unsigned = forge.compact({"alg": "none"}, holds(party), None)
    assert refused(visitor, party, unsigned) == "request_not_supported"
    answer = ask(visitor, party, signed(holds(party, prompt="none", state=None)), state="outside", redirect_uri=OTHER)
    assert error_at(answer, party, state=None) == "login_required"
    no_scope = signed(holds(party, scope=None, prompt="none"))
    assert error_at(ask(visitor, party, no_scope, scope="openid"), party, state="inside") == "invalid_scope"
    with world.writes(), pytest.raises(BadInput):
        clients.update(party.client.id, request_object_signing_alg="none")


def test_pinned(world: World, story) -> None:
    """A client that is registered for one algorithm uses no other."""
    keys = [public("RSA", kid="r"), public("EC", kid="e"), public("OKP", kid="o")]
    party = world.party(jwks={"keys": keys}, request_object_signing_alg="PS256")
    browser = signed_in(world, story, "zimin", party=party)
    for algorithm, kid in (("RS256", "r"), ("ES256", "e"), ("Ed25519", "o")):
        assert refused(browser, party, signed(holds(party), algorithm=algorithm, header={"kid": kid})) == "invalid_request_object"
    assert "code" in back_at(ask(browser, party, signed(holds(party), algorithm="PS256", header={"kid": "r"})), CALLBACK)
    with world.writes():
        clients.update(party.client.id, request_object_signing_alg="EdDSA")
    for algorithm in ("EdDSA", "Ed25519"):  # two names of one
        assert "code" in back_at(ask(browser, party, signed(holds(party), algorithm=algorithm, header={"kid": "o"})), CALLBACK)


def test_by_a_secret(world: World, story) -> None:
    """HS256, for a client whose secret is kept as a key; for any other a secret that is only hashed makes no signature."""
    party = world.party(request_object_signing_alg="HS256")
    browser = signed_in(world, story, "zimin", party=party)
    token = forge.compact({"alg": "HS256"}, holds(party), str(party.secret).encode())
    assert "code" in back_at(ask(browser, party, token), CALLBACK)
    hashed = world.party()
    for key in (str(hashed.secret).encode(), b"", b"secret", hashed.client.id.encode()):
        assert refused(browser, hashed, forge.compact({"alg": "HS256"}, holds(hashed), key)) == "invalid_request_object"


def test_forged(browser: Browser, party: Party) -> None:
    """Case 33: no signature, an HMAC under the public key, a key of the sender's own, extensions, other serializations."""
    claims, key, half, mine = holds(party), private("EC"), public("EC"), private("RSA")
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    good = signed(claims)
    header, payload, signature = good.split(".")
    forged = [
        *(forge.compact({"alg": none, "kid": "k1"}, claims, None) for none in ("None", "NONE", "nOnE", "", "null")),
        *(
            forge.compact({"alg": "HS256", "kid": "k1"}, claims, shared)
            for shared in (pem, pem.strip(), b"\n" + pem, b"x\n" + pem, der, base64.b64encode(der), json.dumps(half).encode(), b"", b"\x00")
        ),
        *(signed(claims, header={"alg": other}) for other in ("ES384", "RS256", "PS256", "EdDSA", "HS256", "es256", None, 1, ["ES256"])),
        *(
            signed(claims, algorithm="RS256", key=mine, header={"kid": kid, **own})
            for kid in ("k1", None, "../k1", 1)
            for own in ({"jwk": public("RSA")}, {"jku": "https://e.example/k"}, {"x5u": "https://e.example/c"}, {"x5c": ["MIIB"]}, {})
        ),
        *(
            signed(claims, header=more)
            for more in (
                {"crit": ["exp"], "exp": 1},
                {"crit": []},
                {"crit": ["b64"], "b64": False},
                {"b64": False},
                {"zip": "DEF"},
                {"enc": "A128GCM"},
                {"epk": {}},
                {"jwk": half},
                {"typ": "at+jwt"},
                {"typ": "client-authentication+jwt"},
                {"typ": 1},
                {"kid": "k2"},
            )
        ),
        signed(claims, key=private("EC", 7)),
        forge.compact('{"alg":"ES256","alg":"none","kid":"k1"}', claims, key),
        forge.compact({"alg": "ES256", "kid": "k1"}, json.dumps(claims)[:-1] + ',"scope":"openid"}', key),
        forge.compact({"alg": "ES256", "kid": "k1"}, [claims], key),
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}..{signature}",
        f"{good}.{signature}",
        f"{header}.{payload}.{base64.urlsafe_b64encode(bytes(64)).decode().rstrip('=')}",
        json.dumps({"payload": payload, "signatures": []}),
        json.dumps({"payload": payload, "protected": header, "signature": signature}),
        "x",
        "..",
        "....",
    ]
    for token in forged:
        assert refused(browser, party, token) == "invalid_request_object", token
    assert "code" in back_at(ask(browser, party, good), CALLBACK)


def test_of_whom_and_for_whom(world: World, browser: Browser, party: Party) -> None:
    """Case 35: `iss` and `client_id` are the client, `aud` is or holds the issuer, and nothing in it makes it an assertion.

    Once the signature is good, the answer goes to the address inside.
    """
    other = world.party(jwks={"keys": [public("OKP", kid="k1")]})
    for good in ({"iss": None}, {"aud": None}, {"aud": [ISSUER, "https://other.example"]}, {"jti": "x"}, {"sub": "x"}, {"client_id": None}):
        assert "code" in back_at(ask(browser, party, signed(holds(party, **good))), CALLBACK), good
    for wrong in (
        {"iss": other.client.id},
        {"iss": [party.client.id]},
        {"iss": ""},
        {"aud": "https://other.example"},
        {"aud": f"{ISSUER}/"},
        {"aud": f"{ISSUER}/authorize"},
        {"aud": []},
        {"aud": [ISSUER, 1]},
        {"aud": {"0": ISSUER}},
        {"sub": party.client.id},
        {"client_id": other.client.id},
    ):
        assert error_at(ask(browser, party, signed(holds(party, **wrong))), party, state="inside") == "invalid_request_object", wrong
    mixed = ask(browser, party, signed(holds(party)), response_type="token")
    assert error_at(mixed, party, state="inside") == "invalid_request_object"
    assert is_page_of_ours(ask(browser, other, signed(holds(party))))
    assert is_page_of_ours(browser.get("/authorize", params={"request": signed(holds(party))}))
    assert is_page_of_ours(browser.get("/authorize", params={"client_id": "nobody", "request": signed(holds(party))}))


def test_when(browser: Browser, party: Party) -> None:
    """Case 35: times are whole seconds; a clock may be ten seconds ahead."""
    with clock.freeze(clock.now().replace(microsecond=0)):
        now = clock.timestamp()
        for good in ({"exp": None}, {"exp": now + 1}, {"exp": now + 10**6}, {"nbf": now + 8}, {"iat": None}, {"iat": now + 10}):
            assert "code" in back_at(ask(browser, party, signed(holds(party, **good))), CALLBACK), good
        for wrong in (
            {"exp": now},
            {"exp": now - 300},
            {"exp": str(now + 60)},
            {"exp": now + 60.5},
            {"exp": True},
            {"exp": float("nan")},
            {"nbf": now + 11},
            {"nbf": "x"},
            {"iat": now + 11},
        ):
            assert error_at(ask(browser, party, signed(holds(party, **wrong))), party, state="inside") == "invalid_request_object", wrong


def test_what_may_be_inside(browser: Browser, party: Party) -> None:
    """What a query may hold (case 3, 26): no object in an object, no lists, nothing unseen, nothing too long."""
    for wrong in (
        {"request": "x"},
        {"request_uri": "https://rp.example/r"},
        {"scope": ["openid"]},
        {"state": {"a": 1}},
        {"nonce": 1.5},
        {"state": "a\x00b"},
        {"state": "\ud800"},
        {"redirect_uri": "https://rp.example/\u043a"},
        {"prompt": ["none", "login"]},
    ):
        assert refused(browser, party, signed(holds(party, **wrong))) in {"invalid_request_object", "invalid_request"}, wrong
    twice = {"client_id": party.client.id, "request": signed(holds(party)), "request_uri": "https://rp.example/r", "redirect_uri": CALLBACK}
    assert error_at(browser.get("/authorize", params=twice), party, state=None) == "invalid_request"
    assert "code" in back_at(ask(browser, party, signed(holds(party, extra="x"))), CALLBACK)


def test_large_and_deep(browser: Browser, party: Party) -> None:
    """Case 39: refused before it costs anything."""
    for token in (
        signed(holds(party, more="x" * 5900)),
        signed("[" * 3000),
        signed('{"a":' * 900 + "1" + "}" * 900),
        signed(holds(party, claims=json.loads('{"a":' * 400 + "1" + "}" * 400))),
        signed(holds(party), header={"more": "x" * 5000}),
        "a." + "b" * 8000 + ".c",
    ):
        began = time.perf_counter()
        answer = ask(browser, party, token, redirect_uri=CALLBACK)
        assert time.perf_counter() - began < 0.5
        assert answer.status_code < 500


def test_by_post(world: World, browser: Browser, party: Party) -> None:
    """RFC 9101 §5: also in the body of a POST."""
    answer = browser.post("/authorize", data={"client_id": party.client.id, "request": signed(holds(party))})
    assert back_at(browser.onward(answer), CALLBACK)["state"] == "inside"


def test_parked_and_resumed(world: World, story, party: Party) -> None:
    """What was inside is what the journey goes on with, page after page; the object itself is not needed again."""
    visitor = world.browser()
    with clock.freeze(clock.now()) as later:
        page = visitor.onward(ask(visitor, party, signed(holds(party, scope="openid email"))))
        later(120)
        page = visitor.onward(visitor.submit(page, phone=phone(story, "zimin")))
        answer = back_at(visitor.onward(visitor.submit(page, code=world.code_for(phone(story, "zimin")))), CALLBACK)
    assert answer["state"] == "inside"
    assert world.redeem(party, answer["code"]).json()["scope"] == "openid email"


def encrypted(world: World, token: str, algorithm: str, content: str, kid: bool = True) -> str:
    """A token encrypted to the provider, as a client does it from /jwks."""
    keys = world.browser().get("/jwks").json()["keys"]
    jwk = next(key for key in keys if key["use"] == "enc" and key["kty"] == ("RSA" if algorithm.startswith("RSA") else "EC"))
    header = {"alg": algorithm, "enc": content, "cty": "JWT", **({"kid": jwk["kid"]} if kid else {})}
    return jwe.encrypt_compact(header, token.encode(), KeySet.import_key_set({"keys": [jwk]}).keys[0], algorithms=[algorithm, content])


def test_encrypted(world: World, browser: Browser, party: Party) -> None:
    """Core §6.1, §10.2: signed, then encrypted to our published key, by what discovery names."""
    said = world.browser().get("/.well-known/openid-configuration").json()
    contents = said["request_object_encryption_enc_values_supported"]
    for algorithm in said["request_object_encryption_alg_values_supported"]:
        token = encrypted(world, signed(holds(party)), algorithm, contents[0])
        assert back_at(ask(browser, party, token), CALLBACK)["state"] == "inside"
    for content in contents:
        token = encrypted(world, signed(holds(party)), "ECDH-ES", content, kid=False)
        assert back_at(ask(browser, party, token), CALLBACK)["state"] == "inside"


def test_encrypted_and_not_sound(world: World, browser: Browser, party: Party) -> None:
    """Anybody can encrypt to us: what is inside must be signed all the same; nothing twice; what does not open says no more than that."""
    for inside in (
        forge.compact({"alg": "none"}, holds(party), None),
        signed(holds(party), key=private("EC", 7)),
        encrypted(world, signed(holds(party)), "ECDH-ES", "A128GCM"),
        json.dumps(holds(party)),
        "x",
        "",
    ):
        error = refused(browser, party, encrypted(world, inside, "RSA-OAEP-256", "A256GCM"))
        assert error == ("request_not_supported" if inside.startswith("ey") and inside.endswith(".") else "invalid_request_object")
    good = encrypted(world, signed(holds(party)), "RSA-OAEP-256", "A256GCM")
    assert refused(browser, party, good[:-3] + "AAA") == "invalid_request_object"
    assert refused(browser, party, good.replace(good.split(".")[1], "A" * 342)) == "invalid_request_object"
    assert "code" in back_at(ask(browser, party, good), CALLBACK)


def test_claims_inside(world: World, browser: Browser, party: Party) -> None:
    """Core §5.5, §6.1: inside, `claims` is an object and no text; an answer that is posted is asked for inside, too."""
    wanted = {"userinfo": {"name": {"essential": True}}, "id_token": {"email": None}}
    answer = back_at(ask(browser, party, signed(holds(party, scope="openid", claims=wanted))), CALLBACK)
    tokens = world.redeem(party, answer["code"]).json()
    assert "email" in claims_of(tokens["id_token"])
    assert "name" in world.userinfo(tokens["access_token"]).json()
    posted = ask(browser, party, signed(holds(party, response_mode="form_post")))
    assert posted.status_code == 200
    assert f'action="{CALLBACK}"' in posted.text
    late = ask(browser, party, signed(holds(party, response_mode="form_post", exp=1)))
    assert "invalid_request_object" in late.text
    assert f'action="{CALLBACK}"' in late.text
