"""What we say to one client, in the form that it is registered for: signed, encrypted to its key, or signed and then encrypted.

OpenID Connect Core §5.3.2, §10.2, §16.14 (sign first); RFC 7516, RFC 7519 §5.2 (`cty`), RFC 9701. What is encrypted is encrypted by the
JOSE library; what is only signed, and that is nearly all, never loads it.

NOTE: the key is looked up (`id_token_envelope`) within the unit of work, before anything is spent: it may have to be fetched first. Signed
and encrypted is after the commit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from idp import clock, jws, keyring
from idp.config import settings
from idp.delegation import client_keys
from idp.delegation.client_keys import EncryptionKey
from idp.delegation.clients import Client
from idp.errors import OAuthRefusal, Unavailable

Claims = dict[str, Any]
INTROSPECTION = "token-introspection+jwt"
DEFAULT = "RS256"


class Envelope(NamedTuple):
    """How something is encrypted: `alg` and `enc` of the JWE, and the client's key."""

    algorithm: str
    content: str
    to: EncryptionKey

    def sealed(self, text: str, *, nested: bool) -> str:
        """`text` as a compact JWE; `nested`: it is a JWT itself."""
        from joserfc import jwe  # noqa: PLC0415 - heavy, and most requests do without

        header = {"alg": self.algorithm, "enc": self.content, "kid": self.to.kid} | ({"cty": "JWT"} if nested else {})
        return jwe.encrypt_compact(header, text.encode(), self.to.key, algorithms=[self.algorithm, self.content])


def id_token_envelope(client: Client) -> Envelope | None:
    """How this client's ID tokens are encrypted; None: not at all. Within the unit.

    Raises OAuthRefusal where its keys hold none for it, `fetched.Wanted`.
    """
    if client.id_token_encrypted_response_alg is None:
        return None
    return _envelope(client, client.id_token_encrypted_response_alg, client.id_token_encrypted_response_enc)


def id_token(client: Client, claims: Claims, envelope: Envelope | None) -> str:
    """An ID token. After the commit."""
    token = signed(client, claims, typ="JWT", algorithm=client.id_token_signed_response_alg)
    return token if envelope is None else envelope.sealed(token, nested=True)


def userinfo(client: Client, claims: Claims) -> str | None:
    """The userinfo answer of a client that wants a JWT (Core §5.3.2); None: it wants JSON. Raises as `id_token_envelope` does."""
    algorithm, encrypted = client.userinfo_signed_response_alg, client.userinfo_encrypted_response_alg
    if algorithm is None and encrypted is None:
        return None
    envelope = _envelope(client, encrypted, client.userinfo_encrypted_response_enc) if encrypted is not None else None
    if algorithm is None and envelope is not None:
        return envelope.sealed(orjson.dumps(claims).decode(), nested=False)
    # NOTE: it has no `exp`, so that it passes for no ID token, not as a hint either (case 34).
    token = signed(client, {**claims, "iss": settings().server.issuer, "aud": client.id}, typ="JWT", algorithm=algorithm or DEFAULT)
    return token if envelope is None else envelope.sealed(token, nested=True)


def introspection(client: Client, claims: Claims) -> str:
    """The answer of the introspection endpoint for `client`, which asked for it signed (RFC 9701 §5). Raises likewise."""
    encrypted = client.introspection_encrypted_response_alg
    envelope = _envelope(client, encrypted, client.introspection_encrypted_response_enc) if encrypted is not None else None
    content = {"iss": settings().server.issuer, "aud": client.id, "iat": clock.timestamp(), "token_introspection": claims}
    token = signed(client, content, typ=INTROSPECTION, algorithm=client.introspection_signed_response_alg or DEFAULT)
    return token if envelope is None else envelope.sealed(token, nested=True)


def signed(client: Client, claims: Claims, *, typ: str, algorithm: str) -> str:
    """A compact JWS by one of our keys, or by the client's secret (HS256, Core §10.1)."""
    if algorithm != client_keys.SHARED:
        try:
            return keyring.sign(claims, typ=typ, algorithm=algorithm)
        except keyring.NoSigningKey as e:  # of an algorithm that this version is the first to know: the schedule makes it in a while
            raise Unavailable(detail=str(e)) from e
    secret = client_keys.shared_key(client)
    if secret is None:
        raise OAuthRefusal("invalid_request", "This client is registered for HS256 and has no secret that can be used as a key. Add one.")
    return jws.by_secret(secret, claims, typ)


def _envelope(client: Client, algorithm: str, content: str | None) -> Envelope:
    key = client_keys.encryption_key(client, algorithm)
    if key is None:
        raise OAuthRefusal(
            "invalid_request", f"This client is registered for answers encrypted by {algorithm}, and none of its keys is for that."
        )
    return Envelope(algorithm, content or client_keys.CONTENT[0], key)
