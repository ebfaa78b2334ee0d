"""The keys of clients, and the assertions signed with them that were used (RFC 7517, RFC 7523 §3, OpenID Connect Core §9, §10).

A key that signs for a client, or that we encrypt to, comes from the client's registration only: from its set of keys, from the address of
one (`fetched`), or it is a secret of its own (HS256). Never from what it signed. Here stands what is stored; what an assertion or a request
object must say is judged in `oidc`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from idp import crypto, jws, jws_received
from idp.db.columns import table
from idp.db.session import delete_some, insert_or_ignore
from idp.delegation import fetched
from idp.delegation.tables import UsedAssertion
from idp.errors import N_, BadInput

if TYPE_CHECKING:
    from idp.delegation.clients import Client

ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")
"""What clients may sign with. EdDSA is what RFC 8037 calls Ed25519 (RFC 9864); both words are in use."""
SHARED = "HS256"
"""What is signed with a secret of the client, by it or by us: only for clients registered so, whose secrets are sealed and not hashed."""
SHARED_PURPOSE = "client secret"
TO_RSA = ("RSA-OAEP", "RSA-OAEP-256")
TO_POINT = ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
ENCRYPTION = (*TO_RSA, *TO_POINT)
"""How the key of an encryption travels (`alg` of a JWE), to a client and to us. RSA1_5 is missing: its padding gives itself away."""
CONTENT = ("A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM")
"""How the content is encrypted (`enc` of a JWE); the first one is the default of OpenID Connect Registration §2."""


class _Kind(NamedTuple):
    """A kind of key: its members, what it signs by, what it is encrypted to by."""

    members: tuple[str, ...]
    signs: tuple[str, ...]
    encrypts: tuple[str, ...]


KINDS = {
    # kty, crv
    ("RSA", None): _Kind(("n", "e"), ("RS256", "PS256"), TO_RSA),
    ("EC", "P-256"): _Kind(("crv", "x", "y"), ("ES256",), TO_POINT),
    ("OKP", "Ed25519"): _Kind(("crv", "x"), ("Ed25519", "EdDSA"), ()),
    ("OKP", "X25519"): _Kind(("crv", "x"), (), TO_POINT),
}
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
MOST_KEYS = 10
MOST_FETCHED = 50
RSA_BITS = (2048, 8192)  # shorter can be broken, longer makes each check slow
KID = re.compile(r"[!-~]{1,200}")
MEMBER = re.compile(r"[A-Za-z0-9_-]{1,1400}")  # 8,192 bits in base64url, and a little

_T = table(UsedAssertion)


def require_registrable(jwks: Any) -> dict[str, Any]:
    """The JWK Set as it is stored: public members only, each key with a `kid` of its own (its thumbprint where it has none).

    A key is for what its `use` says, `sig` or `enc`; without one, for all that its kind can. Raises BadInput for private and symmetric
    keys, weak ones, and those of kinds that we do not know.
    """
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not 1 <= len(keys) <= MOST_KEYS or not all(isinstance(key, dict) for key in keys):
        raise BadInput(N_('Keys are given as a JWK Set: {"keys": [...]}, with 1 to %(count)s public keys.'), count=MOST_KEYS)
    stored = [_require_key(key) for key in keys]
    if len({(key["kid"], key.get("use")) for key in stored}) != len(stored):
        raise BadInput(N_("Two keys have the same kid. Give each its own."))
    return {"keys": stored}


def _require_key(key: dict[str, Any]) -> dict[str, str]:
    if PRIVATE & key.keys() or key.get("kty") == "oct":
        raise BadInput(
            N_("This is a private or shared key. Keep it, and register only the public half. Make a new key if it was sent to others.")
        )
    kind = KINDS.get((_text(key, "kty"), _text(key, "crv") or None))
    if kind is None:
        raise BadInput(N_("A key is RSA, EC on P-256, Ed25519, or X25519."))
    use = key.get("use")
    by_use = {"sig": kind.signs, "enc": kind.encrypts, None: (*kind.signs, *kind.encrypts)}
    algorithms = by_use.get(use, ()) if use is None or isinstance(use, str) else ()
    if not algorithms or (use != "enc" and kind.signs and "verify" not in _listed(key.get("key_ops", ["verify"]))):
        raise BadInput(N_("This key is neither for signatures nor for encryption (use, key_ops)."))
    if "alg" in key and key["alg"] not in algorithms:
        raise BadInput(N_("The alg of a key is one of: %(kinds)s."), kinds=", ".join(algorithms))
    public = {name: _text(key, name) for name in ("kty", *kind.members)}
    _require_sound(public)
    kid = key.get("kid", _thumbprint(public))
    if not isinstance(kid, str) or not KID.fullmatch(kid):
        raise BadInput(N_("A kid has 1 to 200 printable ASCII characters."))
    return {**public, "kid": kid, **{name: key[name] for name in ("use", "alg") if key.get(name) is not None}}


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


# ---------------------------------------------------------------- what a client signed


def has_signed(client: Client, token: str, *, kid: str | None, algorithm: str) -> bool:
    """Whether a registered key of `client` signed `token` by `algorithm`. Within a unit.

    Raises `fetched.Wanted` where the keys stand at an address that has to be asked first: they were never fetched, or no key there fits and
    the client may have changed them (Core §10.1.1).
    """
    if algorithm == SHARED:
        return any(jws_received.is_signed(token, key, SHARED) for key in _secrets(client))
    key = find(client, kid=kid, algorithm=algorithm)
    if key is not None and jws_received.is_signed(token, key, algorithm):
        return True
    if client.jwks_uri is not None:
        fetched.want(client.jwks_uri, sound=is_key_set)
    return False


def is_signed_by(keys: Iterable[dict[str, str]], token: str, *, kid: str | None, algorithm: str) -> bool:
    """Whether one of these public keys signed `token` by `algorithm`; without a `kid`, the only one that does."""
    key = _fitting(keys, kid, algorithm)
    return key is not None and jws_received.is_signed(token, key, algorithm)


def find(client: Client, *, kid: str | None, algorithm: str) -> Any:
    """The client's key `kid` that signs by `algorithm`, parsed by the JOSE library; without a `kid`, the only one that does. Or None.

    Raises `fetched.Wanted`, as `has_signed` does.
    """
    return _fitting(_public_keys(client), kid, algorithm)


def _fitting(keys: Iterable[dict[str, str]], kid: str | None, algorithm: str) -> Any:
    fitting = [
        key for key in keys if key.get("use") != "enc" and algorithm in _kind(key).signs and key.get("alg", algorithm) in _same(algorithm)
    ]
    chosen = fitting if kid is None else [key for key in fitting if key["kid"] == kid]
    return _imported(chosen[0]) if len(chosen) == 1 else None


def _public_keys(client: Client) -> Iterable[dict[str, str]]:
    if client.jwks_uri is not None:
        body = fetched.find(client.jwks_uri, sound=is_key_set)
        return _read(body) or () if body is not None else ()
    keys: list[dict[str, str]] = (client.jwks or {}).get("keys", [])
    return keys


def is_key_set(body: str) -> bool:
    """Whether it is a JWK Set. One without any key is sound: its client has taken them all back."""
    return _read(body) is not None


@lru_cache(maxsize=128)
def _read(body: str) -> tuple[dict[str, str], ...] | None:
    """The keys of a set that we can use; others may stand there too (RFC 7517 §5). None: it is no set of keys."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return None
    keys = given.get("keys") if isinstance(given, dict) else None
    if not isinstance(keys, list):
        return None
    found = []
    for key in keys[:MOST_FETCHED]:
        try:
            found.append(_require_key(key if isinstance(key, dict) else {}))
        except BadInput:
            continue
    return tuple(found)


def shared_key(client: Client) -> bytes | None:
    """The secret by which we sign for this client (HS256: OpenID Connect Core §10.1); of two, the one that it used last. Or None."""
    return next((crypto.unseal(SHARED_PURPOSE, secret.sealed).encode() for secret in client.secrets if secret.sealed), None)


def _secrets(client: Client) -> list[Any]:
    from joserfc.jwk import OctKey  # noqa: PLC0415 - heavy, and most requests do without

    return [OctKey.import_key(crypto.unseal(SHARED_PURPOSE, secret.sealed)) for secret in client.secrets if secret.sealed]


# ---------------------------------------------------------------- what is encrypted to a client


class EncryptionKey(NamedTuple):
    """A key of a client that we encrypt to: its name for the header, and itself, of the JOSE library."""

    kid: str
    key: Any


def encryption_key(client: Client, algorithm: str) -> EncryptionKey | None:
    """The client's key for `alg` of a JWE: one that is for encryption rather than one that says nothing of its use (RFC 7517 §4.2).

    None where it has none. Raises `fetched.Wanted`, as `has_signed` does: so look before anything is spent, within the unit.
    """
    fitting = [
        key
        for key in _public_keys(client)
        if key.get("use") != "sig" and algorithm in _kind(key).encrypts and key.get("alg", algorithm) == algorithm
    ]
    fitting.sort(key=lambda key: key.get("use") != "enc")
    if fitting:
        return EncryptionKey(fitting[0]["kid"], _imported(fitting[0]))
    if client.jwks_uri is not None:
        fetched.want(client.jwks_uri, sound=is_key_set)
    return None


def works_by(key: dict[str, Any]) -> list[str]:
    """The algorithms that a registered key is good for."""
    kind = _kind(key)
    by_use = {"sig": kind.signs, "enc": kind.encrypts}
    return [key["alg"]] if "alg" in key else list(by_use.get(key.get("use", ""), (*kind.signs, *kind.encrypts)))


def _kind(key: dict[str, Any]) -> _Kind:
    return KINDS[key["kty"], key.get("crv")]


def _imported(key: dict[str, str]) -> Any:
    return _parsed(json.dumps({name: key[name] for name in ("kty", *_kind(key).members)}))


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
