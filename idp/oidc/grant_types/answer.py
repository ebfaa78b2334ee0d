"""The answer of the token endpoint (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3): made after the commit, since signing is slow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from idp import keyring, telemetry
from idp.config import settings
from idp.delegation import claims
from idp.delegation.clients import Client
from idp.delegation.scopes import OPENID
from idp.delegation.tokens import Present


@dataclass(frozen=True, slots=True)
class Granted:
    """What was granted; nothing is signed yet."""

    client: Client
    found: Present
    scopes: tuple[str, ...]
    nonce: str | None = None


def answer(granted: Granted, grant_type: str) -> dict[str, Any]:
    """Sign the tokens and name them."""
    oidc = settings().oidc
    client, found, scopes = granted.client, granted.found, granted.scopes
    access_token = keyring.sign(claims.access_token(client, found, scopes), typ="at+jwt", algorithm=oidc.access_token_algorithm)
    body: dict[str, Any] = {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": oidc.access_token_lifetime,
        "scope": " ".join(scopes),
    }
    if found.family.refreshable:
        body["refresh_token"] = found.family.refresh_token
    if OPENID in scopes:
        algorithm = client.id_token_signed_response_alg
        content = claims.id_token(client, found, scopes, nonce=granted.nonce)
        content["at_hash"] = claims.half_hash(access_token, algorithm)
        body["id_token"] = keyring.sign(content, typ="JWT", algorithm=algorithm)
    telemetry.count_token(grant_type)
    return body
