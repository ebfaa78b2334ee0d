"""Request objects (OpenID Connect Core §6, RFC 9101): a request's parameters in a JWT, by value (`request`) or by address (`request_uri`).

What comes out is the request as it is meant, one value for each name, and is then judged as any other (`authorization_request`).

    1  the client, by `client_id` outside: without it there are no keys. Unknown: the request goes on as it came, to its refusal
    2  `request_uri`: one that the client has registered, byte by byte up to the fragment, and fetched through the one door (`fetched`)
    3  encrypted ones are opened with our key, by the algorithms that we name; what is inside is signed
    4  the header: what brings its own key or changes the rules is refused, whatever it says (threats: case 33)
    5  the algorithm: the registered one, if any. `none` only for a client that is registered for `none`, and for nothing else
    6  the signature, by a key of the client's registration
    7  `iss`, `aud`, `exp`, `nbf`, `iat` where they are there; the client is no `sub`: that would be an assertion (RFC 9101 §10.8)
    8  what is inside wins over what is outside (Core §6.1). Where a client must sign, what is outside does not count at all (RFC 9101 §5)

NOTE: a refusal goes back by the address outside, or, once the signature has been seen to be good, by the one inside; both only if
registered. The object is never an answer to the question who the client is: whoever holds it can send it.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from urllib.parse import urlencode

from idp import clock, jwe_received, jws, jws_received
from idp.config import settings
from idp.delegation import client_keys, clients, fetched
from idp.delegation.clients import Client
from idp.errors import OAuthRefusal, Refusal
from idp.oidc import guard
from idp.web.http import read_pairs

PARAMETERS = frozenset({"request", "request_uri"})
ALGORITHMS = (*client_keys.ALGORITHMS, client_keys.SHARED)
NONE = "none"
TYPES = ("", "jwt", "application/jwt", "oauth-authz-req+jwt", "application/oauth-authz-req+jwt")
NEVER = jws_received.NEVER | {"x5c"}
UNSIGNED = re.compile(r"([A-Za-z0-9_-]{1,4096})\.([A-Za-z0-9_-]+)\.")
SOUND = re.compile(r"\s*[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*){2,4}\s*")
NOT_PARAMETERS = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "sub"})
STRUCTURED = frozenset({"claims", "authorization_details", "registration"})
LONGEST_URI = 512  # Core §6.2
FRESH = 2.0  # seconds that what stands at a `request_uri` without a fitting hash is good for
NOT_OPENED = "-"  # in the place of what did not open
SKEW = 10  # seconds that the client's clock may be ahead of ours


class Refused(OAuthRefusal):
    """The request object is refused; `sent` says by which parameters the answer goes back."""

    sent: dict[str, str]


def opened(sent: dict[str, str]) -> dict[str, str]:
    """The parameters that a request with a request object means, by name. Raises Refused, and `fetched.Wanted`. Within a unit."""
    # Before the transaction begins: the library takes its time to load, and an RSA key to open.
    jws_received.registry("RS256")
    if jwe_received.is_one(sent.get("request", "")):
        sent = sent | {"request": _inside(sent["request"])}
    client = clients.find(sent.get("client_id", ""))
    outside = {name: value for name, value in sent.items() if name not in PARAMETERS}
    if client is None:
        return outside
    try:
        if sent.keys() >= PARAMETERS:
            raise OAuthRefusal("invalid_request", "Send request or request_uri, not both.")
        claims, is_signed = _read(client, *_token(client, sent))
        inside = _parameters(claims)
    except OAuthRefusal as refusal:
        raise _back(refusal, outside) from refusal
    required = client.require_signed_request_object
    meant = ({"client_id": client.id} if required else outside) | inside
    try:
        _require_claims(client, claims)
        _require_agreement(client, outside, inside)
    except OAuthRefusal as refusal:
        raise _back(refusal, meant if is_signed else outside) from refusal
    return meant


def _back(refusal: OAuthRefusal, sent: dict[str, str]) -> Refused:
    refused = Refused(refusal.error, refusal.description)
    refused.sent = sent
    return refused


def _token(client: Client, sent: dict[str, str]) -> tuple[str, str]:
    """The object as it was sent or fetched, and the parameter that named it."""
    if "request" in sent:
        return sent["request"], "request"
    return _fetched(client, sent["request_uri"]), "request_uri"


def _fetched(client: Client, uri: str) -> str:
    """NOTE: the fragment says which content is meant (Core §6.2): what has this hash is used however old it is. Another hash means that it
    changed and is fetched anew, and no more: some clients register a hash before there is a content.
    """
    address, _, fragment = uri.partition("#")
    registered = {each.partition("#")[0] for each in client.request_uris or ()}
    if len(uri) > LONGEST_URI or address not in registered:
        raise OAuthRefusal("invalid_request_uri", "request_uri is not one of the addresses registered for this client (request_uris).")
    if fragment:
        kept = fetched.find(address, max_age=float("inf"), every=FRESH, sound=_is_sound)
        if kept is not None and _hash(kept) == fragment:
            return kept.strip()
    body = fetched.find(address, max_age=FRESH, every=FRESH, sound=_is_sound, or_older=False)
    if body is None:
        raise OAuthRefusal("invalid_request_uri", "What stands at request_uri could not be fetched, or is no request object.")
    token = body.strip()
    if fragment and UNSIGNED.fullmatch(token) and _hash(body) != fragment:
        raise OAuthRefusal("invalid_request_uri", "What stands at request_uri is not what the hash in its fragment says.")
    return token


def _is_sound(body: str) -> bool:
    return len(body) <= 2 * jws.LONGEST and SOUND.fullmatch(body) is not None


def _hash(body: str) -> str:
    return jws.encode(hashlib.sha256(body.encode()).digest())


# ---------------------------------------------------------------- the JWT


def _read(client: Client, token: str, parameter: str) -> tuple[dict[str, Any], bool]:
    """Its claims, and whether it is signed; raises OAuthRefusal."""
    if jwe_received.is_one(token):
        token = _inside(token)
    if token == NOT_OPENED:
        raise _invalid("it is not encrypted to a key that is in our jwks_uri, by algorithms that our metadata name")
    unsigned = UNSIGNED.fullmatch(token) if len(token) <= jws.LONGEST else None
    halves = (unsigned[1], unsigned[2]) if unsigned else jws_received.halves(token)
    if halves is None:
        raise _invalid("it is not a compact JWT of at most 8192 characters")
    header, claims = (jws_received.members(half) for half in halves)
    if header is None or claims is None:
        raise _invalid("its header and its claims are JSON objects in base64url, in which each name stands once")
    algorithm, kid = _read_header(header)
    if algorithm == NONE and unsigned:
        if client.request_object_signing_alg != NONE or client.require_signed_request_object:
            raise OAuthRefusal(
                f"{parameter}_not_supported",
                "Unsigned request objects are only for clients that are registered so (request_object_signing_alg: none).",
            )
        return claims, False
    _require_algorithm(client, algorithm)
    if not client_keys.has_signed(client, token, kid=kid, algorithm=algorithm):
        raise _invalid("no registered key of this client has signed it: look at kid, alg and the keys that are registered")
    return claims, True


def _inside(token: str) -> str:
    """What was encrypted to us, once: what is inside is signed, and nothing else (Core §6.1)."""
    inside = jwe_received.opened(token)
    return NOT_OPENED if inside is None or jwe_received.is_one(inside) else inside


def _read_header(header: dict[str, Any]) -> tuple[str, str | None]:
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "")
    if NEVER & header.keys():
        raise _invalid("its header may hold alg, kid and typ, but no key, no address of one, and no crit")
    if type(algorithm) is not str or (kid is not None and type(kid) is not str):
        raise _invalid("alg and kid are strings")
    if type(kind) is not str or kind.lower() not in TYPES:
        raise _invalid("its typ is that of something else")
    return algorithm, kid


def _require_algorithm(client: Client, algorithm: str) -> None:
    pinned = client.request_object_signing_alg
    allowed = ALGORITHMS if pinned is None else (pinned,)
    if algorithm not in ALGORITHMS or jws.plain(algorithm) not in {jws.plain(each) for each in allowed}:
        raise _invalid(f"this client signs by {' or '.join(allowed)}")


def _require_claims(client: Client, claims: dict[str, Any]) -> None:
    """What a JWT says of itself. Each time is a whole number of seconds, each name a text (case 35)."""
    issuer, now = settings().server.issuer, clock.timestamp()
    audience = claims.get("aud", issuer)
    named = audience if type(audience) is list else [audience]
    if claims.get("iss", client.id) != client.id or claims.get("sub") == client.id:
        raise _invalid("iss is the client_id, and sub is not: that would be an assertion of who the client is")
    if any(type(each) is not str for each in named) or issuer not in named:
        raise _invalid(f"aud must be the issuer, {issuer}")
    expires, begins, issued = claims.get("exp", now + 1), claims.get("nbf", now), claims.get("iat", now)
    if not all(type(time) is int for time in (expires, begins, issued)):
        raise _invalid("exp, nbf and iat are whole seconds since 1970")
    if expires <= now:
        raise _invalid("it has expired")
    if max(begins, issued) > now + SKEW:
        raise _invalid("nbf or iat lies in the future: look at your clock")


def _require_agreement(client: Client, outside: dict[str, str], inside: dict[str, str]) -> None:
    """Core §6.1: what OAuth 2.0 wants outside must be the same inside."""
    if inside.get("client_id", client.id) != client.id:
        raise _invalid("client_id inside is another one than outside")
    if "response_type" in inside and outside.get("response_type", inside["response_type"]) != inside["response_type"]:
        raise _invalid("response_type inside is another one than outside")


# ---------------------------------------------------------------- its parameters


def _parameters(claims: dict[str, Any]) -> dict[str, str]:
    """Its claims as parameters, held to what those of a query are; raises OAuthRefusal."""
    if PARAMETERS & claims.keys():
        raise _invalid("it holds no request and no request_uri")
    try:
        pairs = [pair for name, value in claims.items() if name not in NOT_PARAMETERS for pair in _pairs(name, value)]
        read = read_pairs(urlencode(pairs, encoding="utf-8", errors="strict"))
    except OAuthRefusal:
        raise
    except (Refusal, ValueError, RecursionError) as refusal:  # too long, unseen characters, half of a pair, too deep
        raise _invalid("a parameter in it is too long, or holds characters that cannot be typed") from refusal
    try:
        return guard.one_of_each(read)
    except OAuthRefusal as refusal:
        raise _invalid("a parameter in it is not what its specification allows") from refusal


def _pairs(name: str, value: Any) -> list[tuple[str, str]]:
    if value is None:
        return []
    if type(value) is str:
        return [(name, value)]
    if type(value) is int:
        return [(name, str(value))]
    if type(value) is bool:
        return [(name, "true" if value else "false")]
    if name in STRUCTURED and isinstance(value, dict | list):
        return [(name, json.dumps(value, ensure_ascii=False, separators=(",", ":")))]
    if name in guard.MAY_REPEAT and isinstance(value, list) and all(type(each) is str for each in value):
        return [(name, each) for each in value]
    raise _invalid("a parameter in it is no text")


def _invalid(reason: str) -> OAuthRefusal:
    return OAuthRefusal("invalid_request_object", f"The request object is refused: {reason}.")
