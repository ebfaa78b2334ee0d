"""An ID token of another provider, judged (OpenID Connect Core §3.1.3.7; threats: cases 33 to 35 and 108).

    1  its size and shape, before anything is parsed
    2  the header: what brings its own key or changes the rules is refused, whatever it says
    3  the algorithm: allowed by us and named by the provider, never a shared secret
    4  the key: from the provider's own JWK Set, by `kid`, of the algorithm's kind; the signature
    5  `iss`: exactly the provider. `aud`: exactly us and nobody beside us; `azp`, where it stands
    6  `exp` and `iat`: there, whole numbers, now
    7  `nonce`: there, and that of this journey; a token that says it needs none is refused for want of it
    8  `sub`: a text

Every refusal is a word for the log; people read that it did not work.
"""

from __future__ import annotations

import re
from typing import Any

from idp import clock, crypto, jws_received
from idp.jws import plain

TYPES = ("", "jwt", "application/jwt")  # an explicit type is that of something else (RFC 8725 §3.11)
SKEW = 60  # seconds that the provider's clock may differ from ours
OLDEST = 600  # seconds: the journey takes no longer
KINDS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "Ed25519": "OKP"}
CURVES = {"ES256": "P-256", "Ed25519": "Ed25519"}
SUBJECT = re.compile(r"[^\x00-\x1f\x7f]{1,255}")

Claims = dict[str, Any]


class TokenRefused(Exception):  # noqa: N818 - an answer
    """It is not believed; `word` says why."""

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(word)


class KeyUnknown(TokenRefused):
    """No key of the set that we know has this `kid`: there may be a newer set."""


def judge(token: str, keys: list[Any], *, algorithms: frozenset[str], issuer: str, client_id: str, nonce: str) -> Claims:
    """The claims of `token`; raises TokenRefused, KeyUnknown. `keys`: of the provider's JWK Set. `algorithms`: by their present names."""
    halves = jws_received.halves(token)
    if halves is None:
        raise TokenRefused("token_shape")
    header, claims = (jws_received.members(half) for half in halves)
    if header is None or claims is None:
        raise TokenRefused("token_shape")
    algorithm, kid = _read_header(header, algorithms)
    if not _is_signed(token, _key(keys, kid, algorithm), algorithm):
        raise TokenRefused("token_signature")
    if type(claims.get("iss")) is not str or claims["iss"] != issuer:
        raise TokenRefused("token_issuer")
    if claims.get("aud") not in (client_id, [client_id]) or claims.get("azp", client_id) != client_id:
        raise TokenRefused("token_audience")
    _require_times(claims)
    if type(claims.get("nonce")) is not str or not crypto.equal(claims["nonce"], nonce):
        raise TokenRefused("token_nonce")
    if type(claims.get("sub")) is not str or not SUBJECT.fullmatch(claims["sub"]):
        raise TokenRefused("token_subject")
    return claims


def _read_header(header: dict[str, Any], algorithms: frozenset[str]) -> tuple[str, str | None]:
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "")
    if jws_received.NEVER & header.keys() or type(kind) is not str or kind.lower() not in TYPES:
        raise TokenRefused("token_header")
    if type(algorithm) is not str or plain(algorithm) not in algorithms or plain(algorithm) not in KINDS:
        raise TokenRefused("token_algorithm")
    if kid is not None and type(kid) is not str:
        raise TokenRefused("token_header")
    return plain(algorithm), kid


def _key(keys: list[Any], kid: str | None, algorithm: str) -> dict[str, Any]:
    """The one key it can be. Without a `kid` there must be only one of that kind."""
    fitting = [key for key in keys if isinstance(key, dict) and _fits(key, algorithm) and (kid is None or key.get("kid") == kid)]
    if not fitting:
        raise KeyUnknown("token_key")
    if len(fitting) > 1:
        raise TokenRefused("token_key")
    # What else stands in it (a private half, certificates, `key_ops`) is not for us.
    return {name: fitting[0][name] for name in ("kty", "n", "e", "crv", "x", "y") if name in fitting[0]}


def _fits(key: dict[str, Any], algorithm: str) -> bool:
    named = key.get("alg")
    return (
        key.get("kty") == KINDS[algorithm]
        and key.get("crv") == CURVES.get(algorithm)
        and key.get("use", "sig") == "sig"
        and (named is None or (type(named) is str and plain(named) == algorithm))
    )


def _is_signed(token: str, members: dict[str, Any], algorithm: str) -> bool:
    from joserfc import errors  # noqa: PLC0415 - heavy, and most requests do without
    from joserfc.jwk import ECKey, OKPKey, RSAKey  # noqa: PLC0415 - as above

    kinds: dict[str, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    try:
        key = kinds[members["kty"]].import_key(members)
        if members["kty"] == "RSA" and key.public_key.key_size < 2048:
            return False
    except (errors.JoseError, ValueError, TypeError, KeyError):
        return False
    return jws_received.is_signed(token, key, algorithm)


def _require_times(claims: Claims) -> None:
    """Each time is a whole number of seconds: floats and texts have been compared wrongly once too often (case 35)."""
    now = clock.timestamp()
    expires: Any = claims.get("exp")
    issued: Any = claims.get("iat")
    begins = claims.get("nbf", now)
    if not all(type(time) is int for time in (expires, issued, begins)):
        raise TokenRefused("token_times")
    if expires <= now or issued < now - OLDEST - SKEW or max(issued, begins) > now + SKEW:
        raise TokenRefused("token_times")
