"""Keys that others encrypt to (OpenID Connect Core §10.2, RFC 7516): in /jwks while active, and opening for a week longer.

Cases 38 and 42 of threats.md for such keys; and what is opened with them, cases 33 and 39 where the token is encrypted.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from joserfc import jwe
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from idp import clock, jwe_received, keyring
from idp.db.session import session, writes
from idp.delegation import client_keys
from idp.jws import encode
from tests.ground import Ground


@pytest.fixture
def keys(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A ground with such keys and one that signs, its context pushed."""
    monkeypatch.setattr(keyring, "ALGORITHMS", ("ES256",))
    monkeypatch.setattr(keyring, "LOOK_AT_MOST", 30)
    with ground.writes():
        assert keyring.ensure() == 4
    with ground.app.app_context():
        yield ground


def published(kty: str) -> dict[str, Any]:
    """The one that is in /jwks."""
    (found,) = (key for key in json.loads(keyring.jwks())["keys"] if key["use"] == "enc" and key["kty"] == kty)
    return dict(found)


def encrypted(algorithm: str, content: str = "A128CBC-HS256", text: str = "a.b.c", *, key: Any = None, **header: Any) -> str:
    """As a client does it, with what is in /jwks."""
    jwk = published("RSA" if algorithm.startswith("RSA") else "EC") if key is None else key
    chosen = KeySet.import_key_set({"keys": [jwk]}).keys[0] if isinstance(jwk, dict) else jwk
    made = {"alg": algorithm, "enc": content, "cty": "JWT", "kid": jwk["kid"] if isinstance(jwk, dict) else None, **header}
    made = {name: value for name, value in made.items() if value is not None}
    registry = jwe.JWERegistry(algorithms=[algorithm, content, "DEF"], strict_check_header=False)
    return jwe.encrypt_compact(made, text.encode(), chosen, registry=registry)


@pytest.mark.parametrize("content", jwe_received.CONTENT)
@pytest.mark.parametrize("algorithm", jwe_received.ALGORITHMS)
def test_every_algorithm(keys: Ground, algorithm: str, content: str) -> None:
    """Each that metadata name, with and without kid; the same ones that clients can register for themselves."""
    assert jwe_received.opened(encrypted(algorithm, content)) == "a.b.c"
    assert jwe_received.opened(encrypted(algorithm, content, kid=None)) == "a.b.c"
    assert tuple(jwe_received.ALGORITHMS) == client_keys.ENCRYPTION
    assert jwe_received.CONTENT == client_keys.CONTENT


def test_rotation(keys: Ground) -> None:
    """After a rotation /jwks has the new one only; the old one opens for a week more, and is then gone with its private half."""
    with clock.freeze(clock.now()) as later:
        old = published("RSA")
        with writes():
            assert keyring.rotate("RSA-OAEP-256") == 1
        new = published("RSA")
        assert new["kid"] != old["kid"]
        for key in (old, new):
            assert jwe_received.opened(encrypted("RSA-OAEP-256", key=key)) == "a.b.c"
            assert jwe_received.opened(encrypted("RSA-OAEP", key=key, kid=None)) == "a.b.c"
        later(keyring.KEPT - 1)
        with writes():
            keyring.look()
        assert jwe_received.opened(encrypted("RSA-OAEP-256", key=old)) == "a.b.c"
        later(1)
        with writes():
            keyring.look()
        assert jwe_received.opened(encrypted("RSA-OAEP-256", key=old)) is None
        assert jwe_received.opened(encrypted("RSA-OAEP-256", key=new)) == "a.b.c"
        assert old["kid"] not in {row.kid for row in keys.rows(keyring.SigningKey)}


def test_in_its_time(keys: Ground) -> None:
    """The schedule rotates them as it does those that sign."""
    with clock.freeze(clock.now()) as later:
        before = {kty: published(kty)["kid"] for kty in ("RSA", "EC")}
        later(keys.settings.keys.lifetime)
        with writes():
            keyring.look()
        for kty, kid in before.items():
            assert published(kty)["kid"] != kid
        with writes():
            assert keyring.look() == 0


def test_revoked(keys: Ground) -> None:
    """Out at once, and another one in its place; nothing is left of the private half (case 42)."""
    old = published("EC")
    token = encrypted("ECDH-ES", key=old)
    with writes():
        keyring.revoke(old["kid"])
    assert published("EC")["kid"] != old["kid"]
    assert jwe_received.opened(token) is None
    with keys.reads():
        assert session.scalar(sa.select(keyring.SigningKey.private_sealed).where(keyring.SigningKey.kid == old["kid"])) is None
    assert "PRIVATE" not in keys.dump()


def test_they_sign_nothing(keys: Ground) -> None:
    """A key is for one use: a token that seems signed by one of them is none (RFC 7517 §4.2)."""
    for algorithm in keyring.ENCRYPTION:
        with pytest.raises(keyring.NoSigningKey):
            keyring.sign({}, typ="JWT", algorithm=algorithm)
    (kid, sealed), *_ = keyring.private_keys("RSA-OAEP-256", None)
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    from idp import crypto
    from tests.keyring.forge import claims

    private = serialization.load_pem_private_key(crypto.unseal(keyring.PURPOSE, sealed).encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    for algorithm in ("RS256", "RSA-OAEP-256"):
        message = ".".join(encode(json.dumps(part).encode()) for part in ({"alg": algorithm, "typ": "JWT", "kid": kid}, claims()))
        token = f"{message}.{encode(private.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256()))}"
        assert keyring.verify(token, typ="JWT") is None


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # that they are weak is why they are tried
def test_what_does_not_open(keys: Ground) -> None:
    """Cases 33 and 39: algorithms that we do not name, keys that are not ours, compression, extensions, what is changed or too long."""
    rsa, ec = published("RSA"), published("EC")
    good = encrypted("RSA-OAEP-256")
    parts = good.split(".")
    shared = OctKey.generate_key(128)
    assert not {"RSA1_5", "dir", "A128KW", "PBES2-HS256+A128KW", "ECDH-1PU"} & jwe_received.ALGORITHMS.keys()

    def with_header(**header: Any) -> str:
        return ".".join([encode(json.dumps({"alg": "RSA-OAEP-256", "enc": "A128GCM", "kid": rsa["kid"], **header}).encode()), *parts[1:]])

    refused = [
        encrypted("RSA1_5", key=rsa),
        encrypted("dir", key=OctKey.generate_key(256)),
        encrypted("A128KW", key=shared),
        encrypted("PBES2-HS256+A128KW", key=shared),
        encrypted("RSA-OAEP-256", "A192GCM"),
        encrypted("RSA-OAEP-256", zip="DEF"),
        encrypted("RSA-OAEP-256", text="x" * 100_000, zip="DEF"),
        encrypted("RSA-OAEP-256", text="x" * 20_000),
        encrypted("RSA-OAEP-256", key=RSAKey.generate_key(2048), kid=rsa["kid"]),
        encrypted("ECDH-ES", key=ECKey.generate_key("P-256"), kid=ec["kid"]),
        encrypted("ECDH-ES", key=ECKey.generate_key("P-384"), kid=ec["kid"]),
        encrypted("RSA-OAEP-256", kid="other"),
        encrypted("RSA-OAEP-256", kid=ec["kid"]),
        encrypted("RSA-OAEP-256", text="\x00\xff"),
        *(with_header(**{name: value}) for name, value in (("crit", ["x"]), ("jwk", rsa), ("jku", "https://e.example"), ("x5c", ["M"]))),
        *(with_header(**{name: value}) for name, value in (("alg", "none"), ("alg", 1), ("enc", "none"), ("enc", ["A128GCM"]), ("kid", 1))),
        *(with_header(**{name: value}) for name, value in (("p2c", 10**9), ("apu", "x"), ("epk", {}), ("b64", False), ("iv", "x"))),
        *(".".join([*parts[:at], "", *parts[at + 1 :]]) for at in range(5)),
        *(".".join([*parts[:at], parts[at][:-2] + "AA", *parts[at + 1 :]]) for at in range(1, 5)),
        ".".join(parts[:4]),
        f"{good}.x",
        f"{good}\n",
        good.replace(parts[0], encode(zlib.compress(b"{}"))),
        "....",
        "." * 9000,
        "a" * 20000,
        json.dumps({"ciphertext": parts[3]}),
    ]
    for token in refused:
        began = time.thread_time()
        assert jwe_received.opened(token) is None, token[:80]
        assert time.thread_time() - began < 0.2
    assert jwe_received.opened(good) == "a.b.c"
