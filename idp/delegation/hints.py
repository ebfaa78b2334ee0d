"""ID tokens that come back to us as `id_token_hint`: whom a client means (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2).

A hint is the signed token, as we made it. One that is encrypted to its client cannot be opened here: the client has to send what was in it,
as Core §3.1.2.1 says.
"""

from __future__ import annotations

from typing import Any

from idp import crypto, jws, jws_received, keyring
from idp.delegation import client_keys, clients

HS256 = jws.encode(b'{"alg":"HS256","typ":"JWT"}') + "."


def find(token: str, *, audience: str | None = None) -> dict[str, Any] | None:
    """Its claims, also when it has expired; None for what is no ID token of ours, or not one for `audience`. It proves nobody."""
    return _by_secret(token, audience) if token.startswith(HS256) else keyring.verify_hint(token, audience=audience)


def _by_secret(token: str, audience: str | None) -> dict[str, Any] | None:
    """One that was signed with a client's own secret; which client, it says itself, and is believed once that secret has opened it."""
    halves = jws_received.halves(token)
    said = jws_received.members(halves[1]) if halves else None
    named = audience or (said or {}).get("aud")
    client = clients.find(named) if isinstance(named, str) else None
    if client is None or client.id_token_signed_response_alg != client_keys.SHARED:
        return None
    for secret in client.secrets:
        key = crypto.unseal(client_keys.SHARED_PURPOSE, secret.sealed) if secret.sealed else ""
        claims = jws.open_by_secret(key.encode(), token, "JWT") if key else None
        if claims is not None:
            return claims if keyring.is_hint(claims, client.id) else None
    return None
