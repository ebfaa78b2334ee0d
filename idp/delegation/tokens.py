"""Token families: everything that came of one code, refreshed by rotation (RFC 6749 §6, RFC 9700 §4.14.2) and looked at afresh each time.

A refresh token is `<family>.<counter>.<HMAC of both>`: the successor is derived, so a retry after a lost answer gets the same one, and a
copy of the database refreshes nothing. A token older than that is a stolen one, or its owner's after the thief's: the family ends.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.config import settings
from idp.db.columns import LATER, Instant, table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, session
from idp.delegation import account_choices, clients
from idp.delegation.clients import Client
from idp.delegation.scopes import OFFLINE, asks_for_account, remaining
from idp.delegation.tables import TokenFamily
from idp.directory import accounts
from idp.directory.accounts import Standing
from idp.directory.tables import User
from idp.errors import OAuthRefusal

_T = table(TokenFamily)
_users = table(User)
# The room of sessions is a neighbour: its table is known here by name only, as a foreign key would know it.
SESSIONS = sa.table("sessions", sa.column("id"), sa.column("ended_at", Instant), sa.column("expires_at", Instant))
PURPOSE = "refresh token"
HANDED_ON = (
    *("client_id", "user_id", "session_id", "account_id", "company_id", "scopes", "auth_time", "amr", "acr", "claims", "resources"),
)
"""What a code hands on to its family."""
REFRESH_TOKEN = re.compile(r"(fam_[0-9a-z]{26})\.(0|[1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})")
NOT_YOURS = "This token was given to another client."
OTHER_COMPANY = "This refresh token was used a moment ago, for another company. Use its successor."


@dataclass(frozen=True, slots=True)
class Family:
    """The present state of a token family, and what its tokens say."""

    id: str
    client_id: str
    user_id: str
    session_id: str
    account_id: str | None
    company_id: str | None
    scopes: tuple[str, ...]
    auth_time: datetime
    amr: tuple[str, ...]
    acr: str
    claims: dict[str, Any] | None
    resources: tuple[str, ...]
    refreshable: bool
    counter: int

    @property
    def refresh_token(self) -> str:
        """The refresh token that is good now (derived; the same every time)."""
        return f"{self.id}.{self.counter}.{_mac(self.id, self.counter)}"

    def new_jti(self) -> str:
        """The id of one more access token; it leads back to the family, so that a revoked one is refused."""
        return f"{self.id}.{secrets.token_urlsafe(9)}"


@dataclass(frozen=True, slots=True)
class Present:
    """Who stands behind a family at this moment: the user's row, and the account with its roles (None where none was asked for)."""

    family: Family
    user: Any
    standing: Standing | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A token that was shown to us and stands at this moment. `scopes`: what it was given for and its client is still registered for.

    `token_type` is that of RFC 6749 §7.1; a refresh token is `N_A`, as RFC 8693 §2.2.1 calls what opens no resource. Times are seconds.
    `found`: who acts; None where the client does so for itself. `audience`: the resource it is for; None: our own API.
    """

    jti: str
    token_type: str
    client: Client
    scopes: tuple[str, ...]
    issued_at: int
    expires_at: int
    found: Present | None
    audience: str | None = None


def begin(family_id: str, issued: dict[str, Any], *, refreshable: bool) -> Family:
    """The family of a code that was just redeemed (`issued` is its row)."""
    now = clock.now()
    oidc = settings().oidc
    values = {name: issued[name] for name in HANDED_ON}
    values |= {"id": family_id, "refreshable": refreshable, "offline": OFFLINE in issued["scopes"], "counter": 0}
    session.execute(
        _INSERT,
        values
        | {
            "created_at": now,
            "rotated_at": now,
            "idle_expires_at": now + timedelta(seconds=oidc.refresh_token_idle),
            "expires_at": now + timedelta(seconds=oidc.refresh_token_lifetime),
        },
    )
    return _made(values)


def take_up(family_id: str, issued: dict[str, Any], *, refreshable: bool) -> Family:
    """The family whose first tokens went out beside the code that was just redeemed; `present` says whether it still stands."""
    changed(sa.update(_T).where(_T.c.id == family_id, _T.c.revoked_at.is_(None)).values(refreshable=refreshable))
    return _made({name: issued[name] for name in HANDED_ON} | {"id": family_id, "refreshable": refreshable, "counter": 0})


def _made(values: dict[str, Any]) -> Family:
    shown = {name: values[name] for name in Family.__slots__}
    return Family(**{**shown, **{name: tuple(values[name] or ()) for name in ("scopes", "amr", "resources")}})


def present(family_id: str) -> Present:
    """The family of a code that was just redeemed, its user, session and account as they are now.

    Raises OAuthRefusal `invalid_grant` when one of them no longer stands: the session as well when `offline_access` was asked for, since
    what is to outlive a session begins while it lives (case 30).
    """
    return require_present(_look(family_id), (), begins=True)


_INSERT = Ready(sa.insert(_T).execution_options(**{LATER: True}))
COLUMNS: tuple[Any, ...] = (
    *(c.label("f_" + c.name) for c in _T.c),
    _users,
    SESSIONS.c.ended_at.label("s_ended_at"),
    SESSIONS.c.expires_at.label("s_expires_at"),
)
"""What `require_present` reads: a family, its person, its session."""
LOOK = sa.select(*COLUMNS).select_from(_T.join(_users, _users.c.id == _T.c.user_id).outerjoin(SESSIONS, SESSIONS.c.id == _T.c.session_id))
_LOOK = Ready(LOOK.where(_T.c.id == sa.bindparam("family_id")))


def _look(family_id: str) -> Any:
    return session.execute(_LOOK, {"family_id": family_id}).first()


def require_present(row: Any, registered: Collection[str], *, begins: bool = False) -> Present:
    """Who stands behind a family at this moment, by the `row` of a statement over COLUMNS. Raises OAuthRefusal `invalid_grant`.

    `registered`: the client's scopes as they are now. What may no longer outlive a session does not. `begins`: the session must stand.
    """
    if row is None or row.f_revoked_at is not None:
        raise OAuthRefusal("invalid_grant", "It has been revoked.")
    now = clock.now()
    if row.f_expires_at <= now or row.f_idle_expires_at <= now:
        raise OAuthRefusal("invalid_grant", "It has expired. Sign in again.")
    if row.status != "active":
        raise OAuthRefusal("invalid_grant", "This ID is blocked.")
    offline = row.f_offline and OFFLINE in registered
    if (begins or not offline) and (row.s_expires_at is None or row.s_ended_at is not None or row.s_expires_at <= now):
        raise OAuthRefusal("invalid_grant", "The session has ended. Sign in again.")
    family = _family(row)
    return Present(family, row, _standing(family) if family.account_id else None)


def _standing(family: Family) -> Standing:
    standing = accounts.standing(family.account_id) if family.account_id else None
    if standing is None or standing.user_id != family.user_id:
        raise OAuthRefusal("invalid_grant", "This account is no longer this person's.")
    if not standing.may_enter:
        raise OAuthRefusal("invalid_grant", f"This account may not enter now ({standing.reason}).")
    return standing


def _family(row: Any) -> Family:
    return Family(
        id=row.f_id,
        client_id=row.f_client_id,
        user_id=row.f_user_id,
        session_id=row.f_session_id,
        account_id=row.f_account_id,
        company_id=row.f_company_id,
        scopes=tuple(row.f_scopes),
        auth_time=row.f_auth_time,
        amr=tuple(row.f_amr),
        acr=row.f_acr,
        claims=row.f_claims,
        resources=tuple(row.f_resources or ()),
        refreshable=bool(row.f_refreshable),
        counter=row.f_counter,
    )


def refresh(
    token: str,
    *,
    client: Client,
    company_id: str | None = None,
    narrowed: Collection[str] = (),
    wants_more: Callable[[Family, Standing], bool] = lambda _family, _standing: False,
) -> tuple[Present, tuple[str, ...]]:
    """Spend a refresh token; answers its family, whose `refresh_token` is now the successor, and the scopes that are given.

    `company_id`: switch to this company, with the same checks as at a sign-in. `narrowed`: the scopes asked for; one that the family does
    not have is `invalid_scope` (RFC 6749 §6), one that the client may not ask for any more is left out. The same token again within
    `[oidc] refresh_token_grace` seconds gives the same successor; later it revokes the family. A refusal for other reasons spends nothing.
    `wants_more`: whether the other account wants a proof that only the person can give. Raises OAuthRefusal.
    """
    named = _read(token)
    if named is None:
        raise OAuthRefusal("invalid_grant", "This is not a refresh token of ours.")
    family_id, counter = named
    row = _require_own(_look(family_id), client)
    found = require_present(row, client.scopes)
    if not found.family.refreshable:
        raise OAuthRefusal("invalid_grant", "This is not a refresh token of ours.")
    if counter > row.f_counter:  # the database was restored from a backup: our loss, nobody's theft
        raise OAuthRefusal("invalid_grant", "This refresh token is not known any more. Sign in again.")
    if not _is_good(row, counter):
        raise _reused(found.family)
    if not set(narrowed) <= set(found.family.scopes):
        raise OAuthRefusal("invalid_scope", "A refresh cannot add scopes. Ask for them at the authorization endpoint.")
    left = remaining(found.family.scopes, client.scopes)
    given = remaining(left, left, narrowed)
    if not given:
        raise OAuthRefusal("invalid_scope", "This client may not ask for any scope of this refresh token now.")
    if company_id is not None:
        if counter != row.f_counter and company_id != found.family.company_id:  # a retry is the same request, not another switch
            raise OAuthRefusal("invalid_grant", OTHER_COMPANY)
        found = _switched(found, left, company_id, client.account_types, wants_more)
    if counter == row.f_counter and not _rotate(found.family, counter):
        row = _look(family_id)  # another worker spent it, or ended the family, between our look and our UPDATE
        found = require_present(row, client.scopes)
        if not _is_good(row, counter):
            raise _reused(found.family)
        if company_id not in {None, found.family.company_id}:
            raise OAuthRefusal("invalid_grant", OTHER_COMPANY)
    return replace(found, family=replace(found.family, counter=counter + 1)), given


def find_refresh_token(token: str) -> Opened | None:
    """A refresh token that a refresh would take now, the one before the present one within its grace included; spends nothing."""
    named = _read(token)
    row = _look(named[0]) if named else None
    client = clients.find(row.f_client_id) if row else None
    if named is None or row is None or client is None or not row.f_refreshable or not _is_good(row, named[1]):
        return None
    try:
        found = require_present(row, client.scopes)
    except OAuthRefusal:
        return None
    given = remaining(found.family.scopes, client.scopes)
    ends = min(row.f_idle_expires_at, row.f_expires_at)
    issued, expires = int(row.f_rotated_at.timestamp()), int(ends.timestamp())
    return Opened(f"{named[0]}.{named[1]}", "N_A", client, given, issued, expires, found) if given else None


def revoke_refresh_token(token: str, *, client: Client) -> None:
    """End the family of a refresh token, also of one that was spent before: whoever gives it back wants no more (RFC 7009 §2.1).

    What is no refresh token of ours, or over, is left as it is. Raises OAuthRefusal `invalid_grant` when it is another client's.
    """
    named = _read(token)
    row = _look(named[0]) if named else None
    if row is None:
        return
    if row.f_client_id != client.id:
        raise not_yours(row.f_user_id, client.id)
    if revoke(row.f_id, reason="revoked_by_client"):
        details = {"token": "refresh_token", "family": row.f_id}
        events.record("token.revoked", user_id=row.f_user_id, client_id=client.id, session_id=row.f_session_id, details=details)


def not_yours(user_id: str | None, client_id: str) -> OAuthRefusal:
    """The refusal of a token that was given to another client than `client_id`, which has it all the same: an event."""
    events.record("token.refused", outcome="refused", user_id=user_id, client_id=client_id, details={"why": "another client"})
    return OAuthRefusal("invalid_grant", NOT_YOURS)


def _read(token: str) -> tuple[str, int] | None:
    """Family and counter of a refresh token that we made, good or spent; None of anything else."""
    match = REFRESH_TOKEN.fullmatch(token)
    if match is None or not crypto.is_derived(match[3], PURPOSE, match[1], int(match[2])):
        return None
    return match[1], int(match[2])


def _require_own(row: Any, client: Client) -> Any:
    if row is None:
        raise OAuthRefusal("invalid_grant", NOT_YOURS)
    if row.f_client_id != client.id:
        raise not_yours(row.f_user_id, client.id)
    return row


def _is_good(row: Any, counter: int) -> bool:
    """The present token, or the one before it within the grace."""
    if counter == row.f_counter:
        return True
    grace = timedelta(seconds=settings().oidc.refresh_token_grace)
    return bool(counter == row.f_counter - 1 and clock.now() < row.f_rotated_at + grace)


def _rotate(family: Family, counter: int) -> bool:
    now = clock.now()
    return (
        changed(
            sa.update(_T)
            .where(_T.c.id == family.id, _T.c.counter == counter, _T.c.revoked_at.is_(None))
            .values(
                counter=counter + 1,
                rotated_at=now,
                idle_expires_at=now + timedelta(seconds=settings().oidc.refresh_token_idle),
                account_id=family.account_id,
                company_id=family.company_id,
            )
        )
        == 1
    )


def _reused(family: Family) -> OAuthRefusal:
    revoke(family.id, reason="token_reused")
    events.record("token.reused", outcome="refused", user_id=family.user_id, client_id=family.client_id, session_id=family.session_id)
    return OAuthRefusal("invalid_grant", "This refresh token was used before. Everything that came of it has been revoked.")


def _switched(
    found: Present,
    left: tuple[str, ...],
    company_id: str,
    account_types: list[str],
    wants_more: Callable[[Family, Standing], bool],
) -> Present:
    """The family as the person's account in another company; the reason when that may not be (claims, "Switching the company")."""
    family = found.family
    if not asks_for_account(left):
        raise OAuthRefusal("invalid_request", "company needs the scope account or company, which this refresh token does not have.")
    if found.standing is not None and company_id == found.standing.company_id:
        return found
    there = account_choices.of_company(accounts.candidates(family.user_id, account_types), company_id, account_types)
    standing = next((s for s in there if s.may_enter), None)
    if standing is None:
        raise OAuthRefusal("access_denied", _why_not(there))
    if wants_more(family, standing):
        raise OAuthRefusal("interaction_required", "This company wants a proof first. Send the person to the authorization endpoint.")
    return Present(replace(family, account_id=standing.account_id, company_id=company_id), found.user, standing)


def _why_not(there: list[Standing]) -> str:
    return f"This person may not enter that company now ({there[0].reason})." if there else "This person is not a member of that company."


def revoke(family_id: str | None, *, reason: str) -> bool:
    """End a family with all its tokens; answers whether it was alive."""
    return (
        changed(sa.update(_T).where(_T.c.id == family_id, _T.c.revoked_at.is_(None)).values(revoked_at=clock.now(), revoked_reason=reason))
        == 1
    )


def revoke_of_session(session_id: str, *, reason: str) -> int:
    """End every family that began in a session, those with `offline_access` too; answers how many were alive."""
    theirs = sa.update(_T).where(_T.c.session_id == session_id, _T.c.revoked_at.is_(None))
    return changed(theirs.values(revoked_at=clock.now(), revoked_reason=reason))


def revoke_of_user(user_id: str, *, reason: str, before: datetime | None = None, but_session: str | None = None) -> int:
    """End every family of a person, those with `offline_access` too; with `before`, those whose proof is older; `but_session`: but those
    that began in it. Answers how many lived.
    """
    older = _T.c.auth_time < before if before is not None else sa.true()
    theirs = sa.update(_T).where(_T.c.user_id == user_id, _T.c.revoked_at.is_(None), _T.c.session_id != (but_session or ""), older)
    return changed(theirs.values(revoked_at=clock.now(), revoked_reason=reason))


def _mac(family_id: str, counter: int) -> str:
    return crypto.derive_text(PURPOSE, family_id, counter)


def sweep(now: datetime) -> int:
    """Delete families that have been over for a month; answers how many."""
    return delete_some(TokenFamily, _T.c.expires_at < now - timedelta(days=30))
