"""The answer of the token endpoint (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3): made after the commit, since signing is slow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from idp import keyring, telemetry
from idp.config import settings
from idp.delegation import access_tokens, answers, claims, resources
from idp.delegation.clients import Client
from idp.delegation.resources import Target
from idp.delegation.scopes import OPENID, remaining
from idp.delegation.tokens import Present
from idp.errors import OAuthRefusal


@dataclass(frozen=True, slots=True)
class Granted:
    """What was granted; nothing is signed yet. `opaque`: the access token, where the client has it so; else a JWT is still to be made.
    `envelope`: how the ID token is encrypted. `target`, `allowed`: what the access token is for and the scopes that it has there; None: our
    own API, and all of `scopes`.
    """

    client: Client
    found: Present
    scopes: tuple[str, ...]
    nonce: str | None
    opaque: str | None
    envelope: answers.Envelope | None
    target: Target | None
    allowed: tuple[str, ...]


def grant(
    client: Client, found: Present, scopes: tuple[str, ...], *, nonce: str | None = None, resource: str = "", opens: bool = True
) -> Granted:
    """What of `scopes` the client is registered for now, with an opaque access token where it has those; within the transaction.

    `resource`: the parameter of this request (RFC 8707 §2.2). `opens`: an access token is given, not an ID token alone.
    """
    left = remaining(scopes, client.scopes)
    if not left:
        raise OAuthRefusal("invalid_scope", "This client may not ask for any of these scopes now.")
    target, allowed = None, left
    if resource or found.family.resources:
        target, allowed = resources.choose(client, found.family.resources, resource, left)
    is_opaque = target.is_opaque if target else client.access_token_format == "opaque"
    opaque = access_tokens.issue_opaque(client, found, allowed, target) if is_opaque and opens else None
    envelope = answers.id_token_envelope(client) if OPENID in left else None
    return Granted(client, found, left, nonce, opaque, envelope, target, allowed)


def answer(granted: Granted, grant_type: str) -> dict[str, Any]:
    """Sign the tokens and name them."""
    client, found, scopes = granted.client, granted.found, granted.scopes
    body = access_token(granted)
    if found.family.refreshable:
        body["refresh_token"] = found.family.refresh_token
    if OPENID in scopes:
        content = claims.id_token(client, found, scopes, nonce=granted.nonce)
        body["id_token"] = id_token(granted, content, at_hash=body["access_token"])
    telemetry.count_token(grant_type)
    return body


def access_token(granted: Granted) -> dict[str, Any]:
    """The access token, signed where it is a JWT, and what is said beside it (RFC 6749 §5.1, §4.2.2)."""
    oidc, target = settings().oidc, granted.target
    token = granted.opaque or keyring.sign(
        claims.access_token(granted.client, granted.found, granted.allowed, target),
        typ=access_tokens.TYPE,
        algorithm=target.algorithm if target else oidc.access_token_algorithm,
    )
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": target.lifetime if target else oidc.access_token_lifetime,
        "scope": " ".join(granted.allowed),
    }


def id_token(granted: Granted, content: claims.Claims, **beside: str) -> str:
    """The ID token of `content`, signed; `beside`: what goes out with it, by the name of the claim that is its hash (Core §3.3.2.11)."""
    client = granted.client
    hashes = {name: claims.half_hash(token, client.id_token_signed_response_alg) for name, token in beside.items()}
    return answers.id_token(client, content | hashes, granted.envelope)
