"""Authorization codes: issued, and redeemed once (RFC 6749 §4.1.2, RFC 7636, RFC 9700 §2.1.1)."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.config import settings
from idp.db.columns import LATER, table
from idp.db.ready import Ready
from idp.db.session import delete_some, session
from idp.delegation import tokens
from idp.delegation.requests import Asked
from idp.delegation.tables import Code, as_dict
from idp.errors import OAuthRefusal

_T = table(Code)
SESSIONS = 3  # that had the same challenge or nonce in an hour: one alone may be a person who pressed Back
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # a SHA-256 in base64url, so exactly 43 characters
CONSTANT = "client.constant_parameter"
VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


def issue(
    asked: Asked,
    *,
    user_id: str,
    session_id: str,
    account_id: str | None,
    company_id: str | None,
    auth_time: datetime,
    amr: tuple[str, ...],
    acr: str,
    family_id: str | None = None,
) -> str:
    """A code for what was asked, to be redeemed once within `[oidc] code_lifetime` seconds; only its digest is kept.

    `family_id`: the family that it goes on with, where tokens go out beside it already (Core §3.3): a replay ends those too.
    """
    code = crypto.new_secret()
    now = clock.now()
    session.execute(
        _INSERT,
        {
            "digest": crypto.digest(code),
            "client_id": asked.client_id,
            "redirect_uri": asked.redirect_uri,
            "code_challenge": asked.code_challenge,
            "nonce": asked.nonce,
            "scopes": list(asked.scopes),
            "user_id": user_id,
            "session_id": session_id,
            "account_id": account_id,
            "company_id": company_id,
            "auth_time": auth_time,
            "amr": list(amr),
            "acr": acr,
            "claims": asked.claims,
            "resources": list(asked.resources) or None,
            "created_at": now,
            "expires_at": now + timedelta(seconds=settings().oidc.code_lifetime),
            "family_id": family_id,
        },
    )
    return code


_INSERT = Ready(sa.insert(_T).execution_options(**{LATER: True}))
_REDEEM = Ready(
    sa.update(_T)
    .where(
        _T.c.digest == sa.bindparam("b_digest"),
        _T.c.used_at.is_(None),
        _T.c.expires_at > sa.bindparam("b_now", type_=_T.c.expires_at.type),
        _T.c.client_id == sa.bindparam("b_client"),
        _T.c.redirect_uri == sa.bindparam("b_uri"),
        _T.c.code_challenge == sa.bindparam("b_challenge"),
    )
    .values(used_at=sa.bindparam("b_now", type_=_T.c.used_at.type), family_id=sa.func.coalesce(_T.c.family_id, sa.bindparam("b_family")))
    .returning(_T)
)


def redeem(code: str, *, client_id: str, redirect_uri: str, verifier: str, refreshable: bool) -> tuple[tokens.Family, str | None]:
    """Spend a code; answers the token family that it begins, and its nonce.

    Only the right client, address and verifier spend it: all stand in the UPDATE's WHERE, so another client's try leaves it untouched.
    A second use by the right ones revokes what the first one gave (RFC 6749 §4.1.2). Raises OAuthRefusal `invalid_grant`.
    """
    if verifier and not VERIFIER.fullmatch(verifier):
        raise OAuthRefusal("invalid_grant", "code_verifier has 43 to 128 characters of A-Z a-z 0-9 - . _ ~ (RFC 7636 section 4.1).")
    challenge = s256(verifier) if verifier else ""
    key = {"b_digest": crypto.digest(code), "b_client": client_id, "b_uri": redirect_uri, "b_challenge": challenge}
    now = clock.now()
    family_id = crypto.new_id("fam")
    row = session.execute(_REDEEM, {**key, "b_now": now, "b_family": family_id}).first()
    if row is None:
        raise _refused(key)
    issued = as_dict(row)
    if issued["family_id"] != family_id:
        return tokens.take_up(issued["family_id"], issued, refreshable=refreshable), issued["nonce"]
    return tokens.begin(family_id, issued, refreshable=refreshable), issued["nonce"]


def _refused(key: dict[str, Any]) -> OAuthRefusal:
    row = session.execute(sa.select(_T).where(_T.c.digest == key["b_digest"])).first()
    if row is None:
        return OAuthRefusal("invalid_grant", "The code is not known. A code is used once, within a minute.")
    known = {"user_id": row.user_id, "client_id": key["b_client"], "session_id": row.session_id}
    matches = row.client_id == key["b_client"] and row.redirect_uri == key["b_uri"] and row.code_challenge == key["b_challenge"]
    if matches and row.used_at is not None:
        tokens.revoke(row.family_id, reason="code_replayed")
        events.record("code.replayed", outcome="refused", **known)
        return OAuthRefusal("invalid_grant", "The code was used before. What it gave has been revoked.")
    events.record("code.refused", outcome="refused", details={"why": _why(row, key)}, **known)
    return OAuthRefusal("invalid_grant", "The code does not go with this client, redirect_uri and code_verifier, or its minute is over.")


def _why(row: Any, key: dict[str, Any]) -> str:
    if row.client_id != key["b_client"]:
        return "another client"
    if row.redirect_uri != key["b_uri"]:
        return "another redirect_uri"
    if row.code_challenge != key["b_challenge"]:
        return "another code_verifier" if row.code_challenge else "a code_verifier without a code_challenge"
    return "expired"


def s256(verifier: str) -> str:
    """The challenge of a verifier (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def sweep(now: datetime) -> int:
    """Delete codes that have been over for a day (until then a replay still finds what to revoke); answers how many."""
    return delete_some(Code, _T.c.expires_at < now - timedelta(days=1))


def notice_constants(now: datetime) -> int:
    """Say once a day which clients use one code_challenge or nonce again and again, so that it protects nobody (RFC 9700 §2.1.1).

    Looks at the codes of the last hour; answers how many it said it of. The event is `client.constant_parameter`.
    """
    said = 0
    for column in (_T.c.code_challenge, _T.c.nonce):
        recent = sa.and_(_T.c.expires_at > now - timedelta(hours=1), column != "")
        several = sa.func.count(_T.c.session_id.distinct()) >= SESSIONS
        found = sa.select(_T.c.client_id).where(recent).group_by(_T.c.client_id, column).having(several).distinct()
        for client_id in session.scalars(found).all():
            before = events.search(name=CONSTANT, client_id=client_id, since=now - timedelta(days=1))
            if not any(event.details["parameter"] == column.name for event in before):
                events.record(CONSTANT, outcome="failed", client_id=client_id, details={"parameter": column.name})
                said += 1
    return said
