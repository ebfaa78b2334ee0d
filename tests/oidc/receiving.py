"""A client that receives what is signed and encrypted for it: keys of its own, and a library that is not ours to open things with."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from joserfc import jwe, jwk, jws

from tests.world import World

RSA, POINT, CURVE = "RSA", "EC", "OKP"
KIND = {"RSA-OAEP": RSA, "RSA-OAEP-256": RSA, "ECDH-ES": POINT, "ECDH-ES+A128KW": POINT, "ECDH-ES+A256KW": CURVE}


@cache
def key(kind: str, number: int = 0) -> Any:
    """A key pair for encryption."""
    made = {"RSA": lambda: jwk.RSAKey.generate_key(2048), "EC": lambda: jwk.ECKey.generate_key("P-256")}
    return made.get(kind, lambda: jwk.OKPKey.generate_key("X25519"))()


def published(*kinds: str, **members: str) -> dict[str, Any]:
    """Its public keys, as it registers or serves them; named `enc-RSA` and so on."""
    return {"keys": [key(kind).as_dict(private=False) | {"kid": f"enc-{kind}", "use": "enc"} | members for kind in kinds]}


def decrypted(token: str, algorithm: str, content: str = "A128CBC-HS256") -> tuple[dict[str, Any], str]:
    """Header and plaintext of a JWE, by this algorithm and no other."""
    opened = jwe.decrypt_compact(token, key(KIND[algorithm]), algorithms=[algorithm, content])
    assert opened.plaintext is not None
    assert (opened.protected["alg"], opened.protected["enc"]) == (algorithm, content)
    assert opened.protected["kid"] == f"enc-{KIND[algorithm]}"
    return dict(opened.protected), opened.plaintext.decode()


def verified(world: World, token: str, algorithm: str = "RS256", *, secret: str | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a JWT, verified with /jwks or with a secret."""
    with_: Any = jwk.OctKey.import_key(secret) if secret else jwk.KeySet.import_key_set(world.browser().get("/jwks").json())
    opened = jws.deserialize_compact(token, with_, algorithms=[algorithm])
    return dict(opened.headers()), dict(json.loads(opened.payload))
