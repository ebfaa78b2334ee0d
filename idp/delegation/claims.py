"""Who the person is, as tokens and userinfo say it: the contract on the wire (OpenID Connect Core §2, §5; RFC 9068 §2.2).

Nothing stands here that the granted scopes did not ask for. ID token and access token carry only the chosen account and company; names,
phone and the list of all companies are for userinfo.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from idp import clock, crypto
from idp.config import settings
from idp.delegation import claims_parameter
from idp.delegation.claim_mapping import applied
from idp.delegation.clients import Client
from idp.delegation.resources import Target
from idp.delegation.scopes import ACCOUNT, COMPANIES, COMPANY, asks_for_account
from idp.delegation.subjects import session_id, subject
from idp.delegation.tokens import Opened, Present
from idp.directory import accounts, users
from idp.directory.accounts import Standing

Claims = dict[str, Any]
LISTED_COMPANIES = 100
EDWARDS = frozenset({"Ed25519", "EdDSA"})


def access_token(client: Client, found: Present, scopes: tuple[str, ...], target: Target | None = None) -> Claims:
    """The claims of a JWT access token (RFC 9068 §2.2) for `target`; None: our own API."""
    now = clock.timestamp()
    claims = {
        **_registered(client, scopes, target.audience if target else None),
        "iat": now,
        "exp": now + (target.lifetime if target else settings().oidc.access_token_lifetime),
        "jti": found.family.new_jti(),
        **_acting(client, found, scopes),
    }
    return claims if client.mapping is None else applied(client.mapping, claims)


def machine_access_token(client: Client, scopes: tuple[str, ...], target: Target | None = None) -> Claims:
    """The claims of an access token that a client asked for itself (RFC 9068 §2.2): no person, no session. `sub` is the client."""
    now = clock.timestamp()
    return {
        **_registered(client, scopes, target.audience if target else None),
        "iat": now,
        "exp": now + (target.lifetime if target else settings().oidc.access_token_lifetime),
        "jti": crypto.new_id("tok"),
        "sub": client.id,
    }


def introspection(opened: Opened) -> Claims:
    """The answer of the introspection endpoint about a token that stands (RFC 7662 §2.2): what a JWT would say if it were made now."""
    claims = {
        "active": True,
        "token_type": opened.token_type,
        **_registered(opened.client, opened.scopes, opened.audience),
        "iat": opened.issued_at,
        "exp": opened.expires_at,
        "jti": opened.jti,
        **({"sub": opened.client.id} if opened.found is None else _acting(opened.client, opened.found, opened.scopes)),
    }
    return claims if opened.client.mapping is None else applied(opened.client.mapping, claims)


def _registered(client: Client, scopes: tuple[str, ...], audience: str | None) -> Claims:
    issuer = settings().server.issuer
    return {"iss": issuer, "aud": audience or issuer, "client_id": client.id, "scope": " ".join(scopes)}


def _acting(client: Client, found: Present, scopes: tuple[str, ...]) -> Claims:
    """Who acts, how they proved it, and as whom: the account and the one company, with what may be done there."""
    family, standing = found.family, found.standing
    claims: Claims = {
        "sub": subject(client, family.user_id),
        "sid": session_id(client, family.session_id),
        "auth_time": int(family.auth_time.timestamp()),
        "acr": settings().login.acr_prefix + family.acr,
        "amr": list(family.amr),
    }
    if standing is not None and asks_for_account(scopes):
        claims["account_id"] = standing.account_id
        if COMPANY in scopes and standing.company_id:
            claims |= {"company_id": standing.company_id, "roles": list(standing.roles), "permissions": list(standing.permissions)}
    return claims


def id_token(client: Client, found: Present, scopes: tuple[str, ...], *, nonce: str | None, alone: bool = False) -> Claims:
    """The claims of an ID token (OpenID Connect Core §2), without `at_hash`. `auth_time` is the moment of the proof, also on a refresh.

    `alone`: no access token goes with it, so that userinfo cannot be asked, and it says what the scopes give there (Core §5.4).
    """
    family, now = found.family, clock.timestamp()
    claims: Claims = {
        "iss": settings().server.issuer,
        "sub": subject(client, family.user_id),
        "aud": client.id,
        "azp": client.id,
        "iat": now,
        "exp": now + settings().oidc.id_token_lifetime,
        "auth_time": int(family.auth_time.timestamp()),
        "acr": settings().login.acr_prefix + family.acr,
        "amr": list(family.amr),
        "sid": session_id(client, family.session_id),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if family.claims is not None:
        claims |= _one_by_one(client, found, "id_token")
    if alone:
        claims |= users.standard_claims(found.user, set(scopes))
    claims |= _chosen(found.standing, scopes)
    return claims if client.mapping is None else applied(client.mapping, claims)


def userinfo(client: Client, found: Present, scopes: tuple[str, ...]) -> Claims:
    """The claims of the userinfo endpoint (OpenID Connect Core §5.3), as everything is at this moment."""
    claims: Claims = {"sub": subject(client, found.family.user_id)}
    claims |= users.standard_claims(found.user, set(scopes))
    claims |= _chosen(found.standing, scopes)
    if found.family.claims is not None:
        claims |= _one_by_one(client, found, "userinfo")
    if COMPANIES in scopes:
        claims["companies"] = accounts.companies_of(found.family.user_id, LISTED_COMPANIES)
    return claims if client.mapping is None else applied(client.mapping, claims)


def _one_by_one(client: Client, found: Present, place: str) -> Claims:
    """What was asked for by name for this place (Core §5.5), as far as it is filled in and, where values were named, has one of those."""
    wanted = claims_parameter.names(found.family.claims, place, client.scopes)
    scopes = tuple({claims_parameter.SCOPE_OF[name] for name in wanted})
    there = users.standard_claims(found.user, set(scopes)) | _chosen(found.standing, scopes)
    if COMPANIES in scopes:
        there["companies"] = accounts.companies_of(found.family.user_id, LISTED_COMPANIES)
    return {name: there[name] for name, wish in wanted.items() if name in there and ("values" not in wish or there[name] in wish["values"])}


def _chosen(standing: Standing | None, scopes: tuple[str, ...]) -> Claims:
    """The account and the one company that was chosen, as far as asked for."""
    claims: Claims = {}
    if standing is None:
        return claims
    if ACCOUNT in scopes:
        claims |= {"account_id": standing.account_id, "account_type": standing.kind}
    if COMPANY in scopes and standing.company_id:
        claims |= {
            "company_id": standing.company_id,
            "company_name": standing.company_name,
            "company_type": standing.company_type,
            "company_status": standing.company_status,
            "company_inn": standing.company_inn,
            "roles": list(standing.roles),
            "permissions": list(standing.permissions),
        }
    return claims


def half_hash(value: str, algorithm: str) -> str:
    """`at_hash` (OpenID Connect Core §3.1.3.6): the left half of the hash that the signature's algorithm uses, base64url.

    RS256, PS256, ES256 and HS256 use SHA-256; Ed25519, by either of its names, uses SHA-512 inside (RFC 8032 §5.1).
    """
    hashed = hashlib.sha512(value.encode("ascii")) if algorithm in EDWARDS else hashlib.sha256(value.encode("ascii"))
    return base64.urlsafe_b64encode(hashed.digest()[: hashed.digest_size // 2]).rstrip(b"=").decode()
