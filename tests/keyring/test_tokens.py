"""Our own tokens: what we sign every library opens, and what we did not sign, or not as this kind of token, we refuse.

RFC 7515 (JWS), RFC 7519 (JWT), RFC 8725 (best current practice), RFC 9864 (Ed25519). Threats: cases 33, 34, 35, 39.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet

from idp import clock, keyring
from idp.jws import ALGORITHMS, decode, encode
from tests.ground import ISSUER, Ground, prepared
from tests.keyring.forge import AUDIENCE, active, claims, compact

TYP = "at+jwt"
Forge = Callable[[Ground], str]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Ground]:
    """A ground with keys, its context pushed; nothing here changes them."""
    with prepared(tmp_path_factory.mktemp("keys"), request) as ground:
        with ground.writes():
            keyring.ensure()
        with ground.app.app_context():
            yield ground


@pytest.mark.filterwarnings("ignore:.*EdDSA")
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "EdDSA"])
def test_a_library_opens_what_we_sign(keys: Ground, algorithm: str) -> None:
    """joserfc, given /jwks, verifies our tokens and notices a changed one."""
    said = claims(roles=["accountant"], name="Анна")
    token = keyring.sign(said, typ=TYP, algorithm=algorithm)
    key_set = KeySet.import_key_set(json.loads(keyring.jwks()))
    opened = jwt.decode(token, key_set, algorithms=[algorithm])
    assert opened.claims == said
    assert opened.header["typ"] == TYP
    assert opened.header["alg"] == algorithm
    head, body, signature = token.split(".")
    changed = encode(decode(body).replace(b"usr_1", b"usr_2"))
    with pytest.raises(BadSignatureError):
        jwt.decode(f"{head}.{changed}.{signature}", key_set, algorithms=[algorithm])


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "EdDSA"])
def test_we_open_what_we_sign(keys: Ground, algorithm: str) -> None:
    """The claims come back as they went in."""
    said = claims(company_id="cmp_1", permissions=["orders:write"])
    token = keyring.sign(said, typ=TYP, algorithm=algorithm)
    assert keyring.verify(token, typ=TYP) == said
    assert keyring.verify(token, typ=TYP, audience=AUDIENCE) == said
    assert keyring.verify(token, typ=TYP, audience={"other", AUDIENCE}) == said


def _with_header(**more: Any) -> Forge:
    """Rightly signed, with these members in the header."""

    def forge(ground: Ground) -> str:
        kid, private, _ = active(ground)
        header = {"alg": "ES256", "typ": TYP, "kid": kid, **more}
        return compact({name: value for name, value in header.items() if value is not ...}, claims(), private)

    return forge


def _hmac(key: Callable[[Any, dict[str, str]], bytes], alg: str = "HS256") -> Forge:
    """An HMAC whose key is made of our public RSA key."""

    def forge(ground: Ground) -> str:
        kid, private, jwk = active(ground, "RS256")
        return compact({"alg": alg, "typ": TYP, "kid": kid}, claims(), key(private.public_key(), jwk))

    return forge


def _public(encoding: str, form: str) -> Callable[[Any, dict[str, str]], bytes]:
    chosen = getattr(serialization.Encoding, encoding), getattr(serialization.PublicFormat, form)
    return lambda key, _: key.public_bytes(*chosen)


def _embedded(member: str, value: Callable[[Any], Any]) -> Forge:
    """Signed with the attacker's key, which the header brings along or points to; our kid."""

    def forge(ground: Ground) -> str:
        kid, _, _ = active(ground)
        own = ec.generate_private_key(ec.SECP256R1())
        return compact({"alg": "ES256", "typ": TYP, "kid": kid, member: value(own)}, claims(), own)

    return forge


def _jwk_of(key: Any) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": encode(numbers.x.to_bytes(32, "big")), "y": encode(numbers.y.to_bytes(32, "big"))}


def _raw(write: Callable[[str, Any], str]) -> Forge:
    """A header or a token as text."""

    def forge(ground: Ground) -> str:
        kid, private, _ = active(ground)
        return write(kid, private)

    return forge


def _turned(ground: Ground, turn: Callable[[str, str, str], str]) -> str:
    return turn(*keyring.sign(claims(), typ=TYP, algorithm="ES256").split("."))


def _json_serialization(ground: Ground) -> str:
    head, body, _ = keyring.sign(claims(), typ=TYP, algorithm="ES256").split(".")
    return json.dumps({"protected": head, "payload": body, "signatures": []})


FORGERIES: dict[str, Forge] = {
    "alg none": lambda ground: compact({"alg": "none", "typ": TYP, "kid": active(ground)[0]}, claims(), None),
    "alg none, our signature": _with_header(alg="none"),
    "alg None": _with_header(alg="None"),
    "alg NONE": _with_header(alg="NONE"),
    "alg nOnE, blank signature": lambda ground: compact({"alg": "nOnE", "typ": TYP, "kid": active(ground)[0]}, claims(), None) + "A",
    "no alg": _with_header(alg=...),
    "alg a list": _with_header(alg=["ES256"]),
    "alg of another key": _with_header(alg="RS256"),
    "alg in small letters": _with_header(alg="es256"),
    "HMAC with the public key, PEM": _hmac(_public("PEM", "SubjectPublicKeyInfo")),
    "HMAC with the public key, PKCS 1": _hmac(_public("PEM", "PKCS1")),
    "HMAC with the public key, DER": _hmac(_public("DER", "SubjectPublicKeyInfo")),
    "HMAC with the public key, text before PEM": _hmac(lambda key, _: b"x\n" + _public("PEM", "SubjectPublicKeyInfo")(key, {})),
    "HMAC with the public JWK": _hmac(lambda _, jwk: json.dumps(jwk).encode()),
    "HMAC that says RS256": _hmac(_public("PEM", "SubjectPublicKeyInfo"), "RS256"),
    "HMAC with an empty key": _hmac(lambda *_: b""),
    "embedded jwk": _embedded("jwk", _jwk_of),
    "embedded jku": _embedded("jku", lambda _: "https://evil.example/jwks"),
    "embedded x5u": _embedded("x5u", lambda _: "https://evil.example/chain.pem"),
    "embedded x5c": _embedded("x5c", lambda _: ["MIIB"]),
    "jwk beside our own signature": _with_header(jwk={"kty": "EC"}),
    "crit": _with_header(crit=["exp"], exp=1),
    "crit, empty": _with_header(crit=[]),
    "b64 false": _with_header(b64=False, crit=["b64"]),
    "zip": _with_header(zip="DEF"),
    "no kid": _with_header(kid=...),
    "kid of nobody": _with_header(kid="key_00000000000000000000000000"),
    "kid a path": _with_header(kid="../../../../dev/null"),
    "kid with SQL": _with_header(kid="' OR 1=1 --"),
    "kid a number": _with_header(kid=1),
    "kid of another key": lambda ground: compact(
        {"alg": "ES256", "typ": TYP, "kid": active(ground, "RS256")[0]}, claims(), active(ground)[1]
    ),
    "another's key": lambda ground: compact(
        {"alg": "ES256", "typ": TYP, "kid": active(ground)[0]}, claims(), ec.generate_private_key(ec.SECP256R1())
    ),
    "a member twice": _raw(lambda kid, key: compact(f'{{"alg":"none","alg":"ES256","typ":"{TYP}","kid":"{kid}"}}', claims(), key)),
    "header an array": _raw(lambda kid, key: compact([["alg", "ES256"], ["typ", TYP], ["kid", kid]], claims(), key)),
    "header no JSON": _raw(lambda _, key: compact("{", claims(), key)),
    "JSON serialization, no signatures": _json_serialization,
    "two parts": lambda ground: _turned(ground, lambda head, body, _: f"{head}.{body}"),
    "empty signature": lambda ground: _turned(ground, lambda head, body, _: f"{head}.{body}."),
    "four parts": lambda ground: _turned(ground, lambda head, body, end: f"{head}.{body}.{end}.{end}"),
    "five parts (JWE)": lambda ground: _turned(ground, lambda head, body, end: f"{head}.{body}.{end}.{end}.{end}"),
    "padded": lambda ground: _turned(ground, lambda head, body, end: f"{head}.{body}.{end}=="),
    "signature with a line break": lambda ground: _turned(ground, lambda head, body, end: f"{head}.{body}.{end}\n"),
    "signature in the other alphabet": lambda ground: _turned(ground, lambda head, body, end: f"{head}.{body}.{end[:-1]}+"),
    "signature of zeros": lambda ground: _turned(ground, lambda head, body, _: f"{head}.{body}.{encode(bytes(64))}"),
    "signature in DER": lambda ground: _turned(ground, lambda head, body, _: f"{head}.{body}.{encode(b'0D' + bytes(68))}"),
    "payload an array": _raw(lambda kid, key: compact({"alg": "ES256", "typ": TYP, "kid": kid}, [claims()], key)),
    "payload no JSON": _raw(lambda kid, key: compact({"alg": "ES256", "typ": TYP, "kid": kid}, "{", key)),
    "empty": lambda _: "",
    "not ASCII": lambda _: "ключ.ключ.ключ",
    "lone surrogate": lambda _: "\ud800.a.b",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused(keys: Ground, name: str) -> None:
    """Case 33: no algorithm, key or form but ours; also as a hint, where even expired tokens are taken."""
    token = FORGERIES[name](keys)
    assert keyring.verify(token, typ=TYP) is None
    assert keyring.verify_hint(token) is None


def test_the_forger_can_sign(keys: Ground) -> None:
    """Case 33: the forgeries fail for what is wrong with them, not because the test cannot sign."""
    assert keyring.verify(_with_header()(keys), typ=TYP) is not None


WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "aud a list": {"aud": [AUDIENCE]},
    "aud another": {"aud": "cli_staff"},
    "aud empty": {"aud": ""},
    "aud null": {"aud": None},
    "iss a list": {"iss": [ISSUER]},
    "iss with a slash": {"iss": ISSUER + "/"},
    "iss in capitals": {"iss": ISSUER.upper()},
    "iss another": {"iss": "https://id.example.org"},
    "exp a text": {"exp": "9999999999"},
    "exp a fraction": {"exp": 9999999999.5},
    "exp true": {"exp": True},
    "exp null": {"exp": None},
    "exp beyond 64 bits": {"exp": 10**30},
    "exp past": {"exp": 1},
    "iat a text": {"iat": "1"},
    "iat true": {"iat": True},
    "iat in the future": {"iat": 9999999999},
    "nbf in the future": {"nbf": 9999999999},
    "nbf a text": {"nbf": "0"},
    "nbf null": {"nbf": None},
    "sub a number": {"sub": 1},
    "sub null": {"sub": None},
}


@pytest.mark.parametrize("name", WRONG_CLAIMS)
def test_a_claim_of_the_wrong_kind_is_refused(keys: Ground, name: str) -> None:
    """Case 35: rightly signed, and yet: lists, numbers and times that are none."""
    kid, private, _ = active(keys)
    token = compact({"alg": "ES256", "typ": TYP, "kid": kid}, claims(**WRONG_CLAIMS[name]), private)
    assert keyring.verify(token, typ=TYP, audience=AUDIENCE) is None


@pytest.mark.parametrize("time_", ["NaN", "Infinity", "1e309", "1e999999", "-1e309"])
@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
def test_no_number_is_no_time(keys: Ground, claim: str, time_: str) -> None:
    """Case 35: NaN is never past, infinity never comes."""
    kid, private, _ = active(keys)
    said = {**claims(), claim: "@"}
    token = compact({"alg": "ES256", "typ": TYP, "kid": kid}, json.dumps(said).replace('"@"', time_), private)
    assert keyring.verify(token, typ=TYP) is None


@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "iat"])
def test_what_must_be_there_is_there(keys: Ground, missing: str) -> None:
    """Case 35: a claim that is left out is not a claim that is fulfilled."""
    said = claims()
    del said[missing]
    assert keyring.verify(keyring.sign(said, typ=TYP, algorithm="ES256"), typ=TYP) is None


@pytest.mark.parametrize("typ", ["JWT", "logout+jwt", "AT+JWT", "application/at+jwt", "at+jwt ", ""])
def test_one_kind_of_token_is_not_another(keys: Ground, typ: str) -> None:
    """Case 34: an ID token or a logout token is no access token, and the other way round."""
    assert keyring.verify(keyring.sign(claims(), typ=typ, algorithm="ES256"), typ=TYP) is None
    assert keyring.verify(keyring.sign(claims(), typ=TYP, algorithm="ES256"), typ=typ) is None


def test_a_token_ends_to_the_second(keys: Ground) -> None:
    """It holds until `exp`, and not at it (RFC 7519 §4.1.4); as a hint it goes on."""
    start = clock.now().replace(microsecond=0)
    with clock.freeze(start) as shift:
        token = keyring.sign(claims(), typ="JWT", algorithm="ES256")
        shift(299.999)
        assert keyring.verify(token, typ="JWT") is not None
        shift(timedelta(milliseconds=1))
        assert keyring.verify(token, typ="JWT") is None
        assert keyring.verify_hint(token, audience=AUDIENCE) is not None
        assert keyring.verify_hint(token, audience="cli_staff") is None


def test_an_access_token_is_no_hint(keys: Ground) -> None:
    """Case 34: only ID tokens say whom a sign-out means."""
    assert keyring.verify_hint(keyring.sign(claims(), typ=TYP, algorithm="ES256")) is None


@pytest.mark.parametrize(
    "make", [lambda size: "A" * size, lambda size: "." * size, lambda size: "e30." * (size // 4), lambda size: "[" * size]
)
@pytest.mark.parametrize("size", [8193, 10**6, 5 * 10**7])
def test_a_huge_token_costs_nothing(keys: Ground, make: Callable[[int], str], size: int) -> None:
    """Case 39: more than 8 KiB is not looked at."""
    token = make(size)
    began = time.perf_counter()
    assert keyring.verify(token, typ=TYP) is None
    assert time.perf_counter() - began < 0.05


def test_a_deep_token_costs_nothing(keys: Ground) -> None:
    """Case 39: nested as deep as 8 KiB allow, in the header and, rightly signed, in the payload."""
    kid, private, _ = active(keys)
    deep = "[" * 300 + "]" * 300
    keyring.jwks()  # the look at the table is not what is measured
    began = time.perf_counter()
    assert keyring.verify(compact(deep, claims(), private), typ=TYP) is None
    deeper = '{"a":' * 1000 + "1" + "}" * 1000
    assert keyring.verify(compact({"alg": "ES256", "typ": TYP, "kid": kid}, deeper, private), typ=TYP) is None
    assert time.perf_counter() - began < 0.05


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_changed_character_is_noticed(keys: Ground, data: st.DataObject) -> None:
    """Any change of one character, insertion or cut: refused (a signature has one spelling)."""
    algorithm = data.draw(st.sampled_from(ALGORITHMS))
    token = keyring.sign(claims(), typ=TYP, algorithm=algorithm)
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABYZabyz0189-_.=+/ \n\0é"))
    how = data.draw(st.sampled_from(["replace", "insert", "cut"]))
    changed = {"replace": token[:at] + letter + token[at + 1 :], "insert": token[:at] + letter + token[at:], "cut": token[:at]}[how]
    if changed != token:
        assert keyring.verify(changed, typ=TYP) is None


def test_one_kind_of_key_signs_by_its_own_algorithm_alone(keys: Ground) -> None:
    """Case 33: RS256 and PS256 have the same kind of key; a token that names the other one's is refused."""
    for algorithm, other in (("RS256", "PS256"), ("PS256", "RS256"), ("ES256", "Ed25519"), ("Ed25519", "ES256")):
        head, body, signature = keyring.sign(claims(), typ=TYP, algorithm=algorithm).split(".")
        changed = encode(json.dumps(json.loads(decode(head)) | {"alg": other}).encode())
        assert keyring.verify(f"{changed}.{body}.{signature}", typ=TYP) is None
        kid, private, _ = active(keys, algorithm)
        assert keyring.verify(compact({"alg": other, "typ": TYP, "kid": kid}, claims(), private), typ=TYP) is None


def test_keys_of_every_kind_are_distinct(keys: Ground) -> None:
    """The forger's helpers cover every kind of key."""
    kinds = {algorithm: type(active(keys, algorithm)[1]) for algorithm in ALGORITHMS}
    assert issubclass(kinds["RS256"], rsa.RSAPrivateKey)
    assert issubclass(kinds["ES256"], ec.EllipticCurvePrivateKey)
    assert issubclass(kinds["Ed25519"], ed25519.Ed25519PrivateKey)
