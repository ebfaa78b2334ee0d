"""A client that proves itself by an assertion that it signed (OpenID Connect Core §9, RFC 7521 §4.2, RFC 7523 §3), by whichever method.

    1  its size and shape, before anything is parsed
    2  the header: what brings its own key or changes the rules is refused, whatever it says (threats: case 33)
    3  `iss` and `sub`: the client, which must be registered for a method of this kind
    4  the algorithm, which must be of that method, and the one that the client is registered for, if any
    5  the signature, by a key of its registration (`private_key_jwt`) or by its secret (`client_secret_jwt`)
    6  `aud`: this issuer, or its token endpoint, which is what most libraries name (Core §9), and nobody else
    7  `exp`, `iat`, `nbf`: for a few minutes only
    8  `jti`: once, for all workers

Every refusal is `invalid_client`, and says what to change: a developer reads it, and an attacker knows it all from the specification.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from idp import clock, jws, jws_received
from idp.config import settings
from idp.delegation import client_keys, clients
from idp.delegation.clients import Client
from idp.errors import OAuthRefusal
from idp.oidc.client_auth import client_secret_jwt, private_key_jwt
from idp.oidc.client_auth.methods import Sent, invalid_client

METHODS = {private_key_jwt.METHOD: private_key_jwt.ALGORITHMS, client_secret_jwt.METHOD: client_secret_jwt.ALGORITHMS}
ALGORITHMS = (*private_key_jwt.ALGORITHMS, *client_secret_jwt.ALGORITHMS)
LIFETIME = 600  # seconds that an assertion may be good for (some libraries' default); we remember it so long
SKEW = 10  # seconds that the client's clock may be ahead of ours
LONGEST_JTI = 256
NEVER = jws_received.NEVER | {"x5c"}
# Explicit types (RFC 8725 §3.11) of other things are no assertions; a plain one, or none, is what libraries send.
TYPES = ("", "jwt", "application/jwt", "client-authentication+jwt")


def authenticate(sent: Sent) -> Client:
    """The client that signed `sent.assertion`; raises OAuthRefusal `invalid_client`. Within the transaction of what it asks for."""
    assertion = sent.assertion
    halves = jws_received.halves(assertion)
    if halves is None:
        raise _refused("it is not a compact JWS of at most 8192 characters")
    header, claims = (jws_received.members(half) for half in halves)
    if header is None or claims is None:
        raise _refused("its header and its claims are JSON objects in base64url, in which each name stands once")
    algorithm, kid = _read_header(header)
    jws_received.registry(algorithm)  # before the transaction begins: the library takes its time to load
    client = _claimed(claims, sent.client_id)
    _require_algorithm(client, algorithm)
    if not client_keys.has_signed(client, assertion, kid=kid, algorithm=algorithm):
        raise _refused("no registered key of this client has signed it: look at kid, alg and the keys or the secret that are registered")
    _require_audience(claims.get("aud"))
    expires_at = _require_times(claims)
    jti = claims.get("jti")
    if type(jti) is not str or not 1 <= len(jti) <= LONGEST_JTI:
        raise _refused(f"jti is required: 1 to {LONGEST_JTI} characters, new each time")
    if not client_keys.use_once(client.id, jti, expires_at=expires_at):
        raise _refused("this jti was used before. Make a new assertion for each request")
    return client


def _read_header(header: dict[str, Any]) -> tuple[str, str | None]:
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "")
    if NEVER & header.keys():
        raise _refused("its header may hold alg, kid and typ, but no key, no address of one, and no crit")
    if type(algorithm) is not str or algorithm not in ALGORITHMS:
        raise _refused(f"alg is one of: {', '.join(ALGORITHMS)}")
    if kid is not None and type(kid) is not str:
        raise _refused("kid is a string")
    if type(kind) is not str or kind.lower() not in TYPES:
        raise _refused("its typ is that of something else")
    return algorithm, kid


def _claimed(claims: dict[str, Any], named: str) -> Client:
    """The client that the assertion says it is of; nothing is proved yet."""
    subject = claims.get("sub")
    if type(subject) is not str or claims.get("iss") != subject:
        raise _refused("iss and sub are both the client_id")
    if named not in {"", subject}:
        raise _refused("client_id in the body is another client than the one in the assertion")
    client = clients.find(subject)
    if client is None or client.token_endpoint_auth_method not in METHODS:
        raise _refused(f"this client is not known, or not registered for {' or '.join(METHODS)}")
    return client


def _require_algorithm(client: Client, algorithm: str) -> None:
    """A client of the one method never gets in by the other: a public key is no secret (case 33)."""
    method, pinned = client.token_endpoint_auth_method, client.token_endpoint_auth_signing_alg
    wanted = METHODS[method] if pinned is None else (pinned,)
    if jws.plain(algorithm) not in {jws.plain(each) for each in wanted}:
        raise _refused(f"this client is registered for {method} with alg {' or '.join(wanted)}")


def _require_audience(audience: Any) -> None:
    issuer = settings().server.issuer
    ours = (issuer, f"{issuer}/token")
    named = audience if type(audience) is list else [audience]
    if not named or any(type(each) is not str or each not in ours for each in named):
        raise _refused(f"aud must be the issuer, {issuer}, or its token endpoint, and nothing else")


def _require_times(claims: dict[str, Any]) -> datetime:
    """When it expires. Each time is a whole number of seconds: floats and texts have been compared wrongly once too often (case 35)."""
    now = clock.timestamp()
    expires: Any = claims.get("exp")
    issued, begins = claims.get("iat", now), claims.get("nbf", now)
    if not all(type(time) is int for time in (expires, issued, begins)):
        raise _refused("exp is required, and exp, iat and nbf are whole seconds since 1970")
    if expires <= now:
        raise _refused("it has expired")
    if expires > now + LIFETIME + SKEW:
        raise _refused(f"exp is at most {LIFETIME} seconds from now")
    if max(issued, begins) > now + SKEW:
        raise _refused("iat or nbf lies in the future: look at your clock")
    return datetime.fromtimestamp(expires, UTC)


def _refused(reason: str) -> OAuthRefusal:
    return invalid_client(f"The client assertion is refused: {reason}.", basic=False)
