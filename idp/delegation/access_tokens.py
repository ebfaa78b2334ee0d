"""Access tokens that come back to us: who stands behind one at this moment, and taking one back (RFC 7009, RFC 7662, RFC 9068).

There are two formats, as the client is registered. A JWT says for itself what it stands for and is kept nowhere; its `jti` leads to its
family, and to a row of its own once it is revoked. An opaque one is 256 random bits, kept by their digest, with what it stands for. What a
machine got for itself has no family: it stands as long as its client.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import clock, crypto, events, keyring
from idp.config import settings
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.delegation import clients, resources, tokens
from idp.delegation.clients import Client
from idp.delegation.resources import Target
from idp.delegation.scopes import asks_for_account, remaining
from idp.delegation.subjects import session_of, user_of
from idp.delegation.tables import OpaqueToken, RevokedToken, TokenFamily
from idp.delegation.tokens import Opened, Present
from idp.directory.tables import User
from idp.errors import OAuthRefusal

_T, _revoked = table(OpaqueToken), table(RevokedToken)
_families, _users, _sessions = table(TokenFamily), table(User), tokens.SESSIONS
TYPE = "at+jwt"
OPAQUE = re.compile(r"[A-Za-z0-9_-]{43}")
JTI = re.compile(r"(fam_[0-9a-z]{26})\.[A-Za-z0-9_-]{1,40}|tok_[0-9a-z]{26}")
FOR_ITSELF = "client_credentials"


class _Said(NamedTuple):
    """What an access token says, of whichever format."""

    jti: str
    scopes: tuple[str, ...]
    account_id: object
    issued_at: int
    expires_at: int
    audience: str | None  # none: our own API


def issue_opaque(client: Client, found: Present | None, scopes: Collection[str], target: Target | None = None) -> str:
    """One more opaque access token, of a family or (`found` is None) for the client itself; only its digest is kept.

    It is good as long as `target` says; without one it is for our own API, for `[oidc] access_token_lifetime` seconds.
    """
    family = found.family if found else None
    token, now = crypto.new_secret(), clock.now()
    session.execute(
        _INSERT,
        {
            "digest": crypto.digest(token),
            "jti": crypto.new_id("tok"),
            "client_id": client.id,
            "family_id": family.id if family else None,
            "account_id": family.account_id if family and asks_for_account(tuple(scopes)) else None,
            "scopes": list(scopes),
            "audience": [target.audience] if target else None,
            "created_at": now,
            "expires_at": now + timedelta(seconds=target.lifetime if target else settings().oidc.access_token_lifetime),
        },
    )
    return token


_INSERT = Ready(sa.insert(_T))
_BY_DIGEST = Ready(
    sa.select(*(c.label("t_" + c.name) for c in _T.c), *tokens.COLUMNS)
    .select_from(
        _T.outerjoin(_families, _families.c.id == _T.c.family_id)
        .outerjoin(_users, _users.c.id == _families.c.user_id)
        .outerjoin(_sessions, _sessions.c.id == _families.c.session_id)
    )
    .where(_T.c.digest == sa.bindparam("digest"))
)
_BY_JTI = tokens.LOOK.where(_families.c.id == sa.bindparam("family_id"), ~sa.exists().where(_revoked.c.jti == sa.bindparam("jti")))


_IS_REVOKED = Ready(sa.select(sa.exists().where(_revoked.c.jti == sa.bindparam("jti"))))


def find(token: str, *, for_any: bool = False) -> Opened | None:
    """An access token that stands now, in one statement (one more where an account was chosen); None for whatever reason, one that is for
    another resource server among them, unless it is `for_any`.

    It stands while its signature, its time, its client, its person, its account and, without `offline_access`, its session do (case 30),
    and for as many of its scopes as the client is still registered for.
    """
    opened = _find_opaque(token) if OPAQUE.fullmatch(token) else _find_jwt(token, for_any)
    return opened if opened is None or opened.audience is None or for_any else None


def _find_opaque(token: str) -> Opened | None:
    row = session.execute(_BY_DIGEST, {"digest": crypto.digest(token)}).first()
    if row is None or row.t_expires_at <= clock.now():
        return None
    issued, expires = int(row.t_created_at.timestamp()), int(row.t_expires_at.timestamp())
    audience = row.t_audience[0] if row.t_audience else None
    said = _Said(row.t_jti, tuple(row.t_scopes), row.t_account_id, issued, expires, audience)
    client = clients.find(row.t_client_id)
    if client is None:
        return None
    if row.t_family_id is None:
        return _for_itself(said, client)
    return _standing(row, said, client) if row.f_id is not None else None


def _find_jwt(token: str, for_any: bool) -> Opened | None:
    claims = _open(token, for_any=for_any)
    match = JTI.fullmatch(claims["jti"]) if claims else None
    if claims is None or match is None:
        return None
    client = clients.find(claims["client_id"])
    if client is None:
        return None
    audience = None if claims["aud"] == settings().server.issuer else claims["aud"]
    said = _Said(match[0], tuple(claims["scope"].split()), claims.get("account_id"), claims["iat"], claims["exp"], audience)
    if match[1] is None:
        revoked = session.execute(_IS_REVOKED, {"jti": match[0]}).scalar()
        return None if revoked or claims["sub"] != client.id else _for_itself(said, client)
    row = session.execute(_BY_JTI, {"family_id": match[1], "jti": match[0]}).first()
    return _standing(row, said, client) if row is not None and row.f_user_id == user_of(client, claims["sub"]) else None


def _open(token: str, *, for_any: bool) -> dict[str, Any] | None:
    """The claims of a JWT of ours that has not run out."""
    issuer = settings().server.issuer
    claims = keyring.verify(token, typ=TYPE, audience=(issuer, *settings().resources) if for_any else issuer)
    if claims is None or not all(type(claims.get(name)) is str for name in ("jti", "sub", "client_id", "scope")):
        return None
    return claims


def _standing(row: Any, said: _Said, client: Client) -> Opened | None:
    try:
        found = tokens.require_present(row, client.scopes)
    except OAuthRefusal:
        return None
    scopes = _left(said, client)
    if found.family.client_id != client.id or not scopes:
        return None
    # A token is for one account: it does not follow when the family is switched to another company.
    named = asks_for_account(said.scopes) or said.account_id is not None
    if named and said.account_id != found.family.account_id:
        return None
    return Opened(said.jti, "Bearer", client, scopes, said.issued_at, said.expires_at, found, said.audience)


def _left(said: _Said, client: Client) -> tuple[str, ...]:
    """The scopes that it is still good for; none, too, where its client may not name its resource any more, or there is none."""
    scopes = remaining(said.scopes, client.scopes)
    if said.audience is None:
        return scopes
    resource = resources.stands(client, said.audience)
    return remaining(scopes, resource.scopes) if resource else ()


def _for_itself(said: _Said, client: Client) -> Opened | None:
    scopes = _left(said, client)
    if FOR_ITSELF not in client.grant_types or not scopes:
        return None
    return Opened(said.jti, "Bearer", client, scopes, said.issued_at, said.expires_at, None, said.audience)


def revoke(token: str, *, client: Client) -> None:
    """End this one access token. What is none of ours, or over, is left as it is (RFC 7009 §2.2).

    Raises OAuthRefusal `invalid_grant` when it is another client's.
    """
    if OPAQUE.fullmatch(token):
        _revoke_opaque(token, client)
    elif claims := _open(token, for_any=True):
        _revoke_jwt(claims, client)


def _revoke_opaque(token: str, client: Client) -> None:
    digest = crypto.digest(token)
    row = session.execute(_BY_DIGEST, {"digest": digest}).first()
    if row is None or row.t_expires_at <= clock.now():
        return
    if row.t_client_id != client.id:
        raise tokens.not_yours(row.f_user_id, client.id)
    if changed(_TAKE, digest=digest) == 1:
        _record(client, row.t_jti, row.f_user_id, row.f_session_id)


_TAKE = Ready(sa.delete(_T).where(_T.c.digest == sa.bindparam("digest")))


def _revoke_jwt(claims: dict[str, Any], client: Client) -> None:
    owner = clients.find(claims["client_id"])
    user_id = user_of(owner, claims["sub"]) if owner and claims["sub"] != owner.id else None
    if claims["client_id"] != client.id:
        raise tokens.not_yours(user_id, client.id)
    if insert_or_ignore(RevokedToken, jti=claims["jti"], expires_at=datetime.fromtimestamp(claims["exp"], UTC)):
        sid = claims.get("sid")
        _record(client, claims["jti"], user_id, session_of(client, sid) if sid else None)


def _record(client: Client, jti: str, user_id: str | None, session_id: str | None) -> None:
    details = {"token": "access_token", "jti": jti}
    events.record("token.revoked", user_id=user_id, client_id=client.id, session_id=session_id, details=details)


def sweep_opaque(now: datetime) -> int:
    """Delete opaque tokens that have run out; answers how many."""
    return delete_some(OpaqueToken, _T.c.expires_at < now)


def sweep_revoked(now: datetime) -> int:
    """Forget revoked tokens that have run out for an hour, so for every machine's clock; answers how many."""
    return delete_some(RevokedToken, _revoked.c.expires_at < now - timedelta(hours=1))
