"""The public keys of clients, and the assertions signed with them that were used (RFC 7517, RFC 7523 §3, OpenID Connect Core §9).

A key that signs for a client comes from the client's registration only, never from what it signed. Here stands what is stored; what an
assertion must say is judged in `oidc/client_auth/private_key_jwt`.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import lru_cache
from typing import Any

from idp import crypto, jws
from idp.db.columns import table
from idp.db.session import delete_some, insert_or_ignore
from idp.delegation.tables import UsedAssertion
from idp.errors import N_, BadInput

ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")
"""What clients may sign with. EdDSA is what RFC 8037 calls Ed25519 (RFC 9864); both words are in use."""
FITTING = {
    # kty, crv: the members of such a key, and what it signs
    ("RSA", None): (("n", "e"), ("RS256", "PS256")),
    ("EC", "P-256"): (("crv", "x", "y"), ("ES256",)),
    ("OKP", "Ed25519"): (("crv", "x"), ("Ed25519", "EdDSA")),
}
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
MOST_KEYS = 10
RSA_BITS = (2048, 8192)  # shorter can be broken, longer makes each check slow
KID = re.compile(r"[!-~]{1,200}")
MEMBER = re.compile(r"[A-Za-z0-9_-]{1,1400}")  # 8,192 bits in base64url, and a little

_T = table(UsedAssertion)


def require_registrable(jwks: Any) -> dict[str, Any]:
    """The JWK Set as it is stored: public members only, each key with a `kid` of its own (its thumbprint where it has none).

    Raises BadInput for private and symmetric keys, weak ones, and those that sign nothing we accept.
    """
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not 1 <= len(keys) <= MOST_KEYS or not all(isinstance(key, dict) for key in keys):
        raise BadInput(N_('Keys are given as a JWK Set: {"keys": [...]}, with 1 to %(count)s public keys.'), count=MOST_KEYS)
    stored = [_require_key(key) for key in keys]
    if len({key["kid"] for key in stored}) != len(stored):
        raise BadInput(N_("Two keys have the same kid. Give each its own."))
    return {"keys": stored}


def _require_key(key: dict[str, Any]) -> dict[str, str]:
    if PRIVATE & key.keys() or key.get("kty") == "oct":
        raise BadInput(
            N_("This is a private or shared key. Keep it, and register only the public half. Make a new key if it was sent to others.")
        )
    members, algorithms = FITTING.get((_text(key, "kty"), _text(key, "crv") or None), ((), ()))
    if not members:
        raise BadInput(N_("A key is RSA, EC on P-256, or Ed25519."))
    if key.get("use", "sig") != "sig" or "verify" not in _listed(key.get("key_ops", ["verify"])):
        raise BadInput(N_("This key is not for signatures (use, key_ops)."))
    if "alg" in key and key["alg"] not in algorithms:
        raise BadInput(N_("The alg of a key is one of: %(kinds)s."), kinds=", ".join(algorithms))
    public = {name: _text(key, name) for name in ("kty", *members)}
    _require_sound(public)
    kid = key.get("kid", _thumbprint(public))
    if not isinstance(kid, str) or not KID.fullmatch(kid):
        raise BadInput(N_("A kid has 1 to 200 printable ASCII characters."))
    return {**public, "kid": kid, "use": "sig", **({"alg": key["alg"]} if "alg" in key else {})}


def _require_sound(public: dict[str, str]) -> None:
    if not all(MEMBER.fullmatch(value) for name, value in public.items() if name not in {"kty", "crv"}):
        raise BadInput(N_("A member of the key is missing, or is not base64url."))
    if public["kty"] == "RSA":
        modulus, exponent = (int.from_bytes(jws.decode(public[name]), "big") for name in ("n", "e"))
        if not RSA_BITS[0] <= modulus.bit_length() <= RSA_BITS[1] or not 65537 <= exponent < 2**32:
            raise BadInput(N_("An RSA key has 2,048 to 8,192 bits and an exponent of 65537 or more."))
    try:
        _parsed(json.dumps(public))
    except ValueError as e:  # a point that is not on the curve, a wrong length, an even exponent
        raise BadInput(N_("This is not a sound public key."), detail=f"key refused: {type(e).__name__}") from e


def _text(key: dict[str, Any], name: str) -> str:
    value = key.get(name)
    return value if isinstance(value, str) else ""


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _thumbprint(public: dict[str, str]) -> str:
    from joserfc import jwk  # noqa: PLC0415 - heavy, and most requests do without

    return str(jwk.thumbprint(public))


def find(jwks: dict[str, Any] | None, *, kid: str | None, algorithm: str) -> Any:
    """The registered key `kid` that signs by `algorithm`, parsed by the JOSE library; without a `kid`, the only one that does. Or None."""
    fitting = [
        key
        for key in (jwks or {}).get("keys", ())
        if algorithm in FITTING[key["kty"], key.get("crv")][1] and key.get("alg", algorithm) in _same(algorithm)
    ]
    chosen = fitting if kid is None else [key for key in fitting if key["kid"] == kid]
    if len(chosen) != 1:
        return None
    members = FITTING[chosen[0]["kty"], chosen[0].get("crv")][0]
    return _parsed(json.dumps({name: chosen[0][name] for name in ("kty", *members)}))


def signs(key: dict[str, Any]) -> list[str]:
    """The algorithms that a registered key is good for."""
    return [key["alg"]] if "alg" in key else list(FITTING[key["kty"], key.get("crv")][1])


def _same(algorithm: str) -> tuple[str, ...]:
    return ("Ed25519", "EdDSA") if algorithm in {"Ed25519", "EdDSA"} else (algorithm,)


@lru_cache(maxsize=256)
def _parsed(key: str) -> Any:
    from joserfc import jwk  # noqa: PLC0415 - heavy, and most requests do without

    return jwk.import_key(json.loads(key))


def use_once(client_id: str, jti: str, *, expires_at: datetime) -> bool:
    """Note that an assertion was used; answers whether this was its first time, among all workers."""
    return insert_or_ignore(UsedAssertion, digest=crypto.digest(f"{client_id} {jti}"), expires_at=expires_at)


def sweep(now: datetime) -> int:
    """Forget assertions that have expired, and so are refused without being remembered; answers how many."""
    return delete_some(UsedAssertion, _T.c.expires_at < now)
