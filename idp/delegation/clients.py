"""Who may ask: the registered relying parties, their addresses and secrets.

A process keeps a client for a moment, since every request needs one: `CACHED` seconds, so that a change is seen everywhere in under a
second. A secret is random, so its SHA-256 is what is stored and compared.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.db.columns import table
from idp.db.session import session
from idp.delegation import redirects
from idp.delegation.scopes import SUPPORTED, why_not_for_a_machine
from idp.delegation.tables import ClientRow, ClientSecret, as_dict
from idp.errors import N_, BadInput, Conflict, NotFound

CACHED = 0.8
KINDS = ("web", "single_page", "native", "machine")
PUBLIC = ("single_page", "native")
MACHINE = "machine"
ACCOUNT_TYPES = ("personal", "business", "employee")
TOKEN_FORMATS = ("jwt", "opaque")
ALGORITHMS = ("RS256", "ES256", "Ed25519")
ID = re.compile(r"[A-Za-z0-9_-]{3,64}")
# An id that we make for something else. A machine's `sub` is its client_id: it must never be a person's (case 49).
OTHER_ID = re.compile(r"(?!cli_)[a-z]{3}_[0-9a-z]{26}", re.IGNORECASE)
UNSEEN = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff<>]")


@dataclass(frozen=True, slots=True)
class Client:
    """A client as requests see it. `secrets` are the digests of those that are live."""

    id: str
    name: str
    names: dict[str, str]
    kind: str
    first_party: bool
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    scopes: list[str]
    grant_types: list[str]
    account_types: list[str]
    token_endpoint_auth_method: str
    pkce: str
    id_token_signed_response_alg: str
    access_token_format: str
    subject_type: str
    sector_identifier: str | None
    initiate_login_uri: str | None
    client_uri: str | None
    logo_uri: str | None
    policy_uri: str | None
    tos_uri: str | None
    support_uri: str | None
    purpose: str | None
    created_at: Any
    updated_at: Any
    disabled_at: Any
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def title(self, language: str) -> str:
        """Its name for a reader of `language`."""
        return self.names.get(language, self.name)

    @property
    def is_public(self) -> bool:
        """Whether it can keep no secret (RFC 6749 §2.1)."""
        return self.token_endpoint_auth_method == "none"

    def may_return_to(self, uri: str) -> bool:
        """Whether an answer may go to `uri`."""
        return redirects.matches(uri, self.redirect_uris, native=self.kind == "native")

    def may_leave_to(self, uri: str) -> bool:
        """Whether a person who signed out may be sent to `uri`: byte by byte, without exception."""
        return uri in self.post_logout_redirect_uris and redirects.matches(
            uri, self.post_logout_redirect_uris, native=self.kind == "native"
        )

    def has_secret(self, secret: str) -> bool:
        """Whether `secret` is one of its live ones; the time taken does not tell which character was wrong."""
        given = crypto.digest(secret)
        return bool(secret) and sum(crypto.equal(given, known) for known in self.secrets) > 0

    @property
    def restart_url(self) -> str | None:
        """Where a person can begin again (Initiating Login from a Third Party, OpenID Connect Core §4), as far as the client told us."""
        return self.initiate_login_uri or self.client_uri


_cache: dict[str, tuple[float, Client]] = {}


def find(client_id: str) -> Client | None:
    """The client, unless it does not exist or was disabled."""
    now = time.monotonic()
    cached = _cache.get(client_id)
    if cached is not None and cached[0] > now:
        return cached[1]
    if not ID.fullmatch(client_id):
        return None
    rows = session.execute(_FIND, {"client_id": client_id}).all()
    if not rows:
        _cache.pop(client_id, None)
        return None
    client = _client(rows)
    _cache[client_id] = (now + CACHED, client)
    return client


def forget_cached() -> None:
    """Drop what this process keeps of clients."""
    _cache.clear()


_FIND = (
    sa.select(table(ClientRow), table(ClientSecret).c.digest.label("secret_digest"))
    .select_from(
        table(ClientRow).outerjoin(
            table(ClientSecret),
            sa.and_(table(ClientSecret).c.client_id == table(ClientRow).c.id, table(ClientSecret).c.revoked_at.is_(None)),
        )
    )
    .where(table(ClientRow).c.id == sa.bindparam("client_id"), table(ClientRow).c.disabled_at.is_(None))
)


def _client(rows: Any) -> Client:
    values = as_dict(rows[0])
    values.pop("secret_digest")
    return Client(**values, secrets=tuple(row.secret_digest for row in rows if row.secret_digest))


def get(client_id: str) -> Client:
    """The client; raises NotFound."""
    client = find(client_id)
    if client is None:
        raise NotFound(N_("There is no client %(client_id)s."), client_id=client_id)
    return client


def list_all() -> list[Client]:
    """Every client that is not disabled, oldest first, without secrets."""
    rows = session.execute(
        sa.select(table(ClientRow)).where(table(ClientRow).c.disabled_at.is_(None)).order_by(table(ClientRow).c.created_at)
    ).all()
    return [Client(**as_dict(row)) for row in rows]


def register(  # noqa: PLR0913 - the fields of one record
    *,
    name: str,
    kind: str,
    redirect_uris: list[str] | None = None,
    scopes: list[str],
    names: dict[str, str] | None = None,
    post_logout_redirect_uris: list[str] | None = None,
    first_party: bool = False,
    account_types: list[str] | None = None,
    client_id: str | None = None,
    pkce: str | None = None,
    id_token_signed_response_alg: str = "RS256",
    access_token_format: str = "jwt",
    secret: str | None = None,
    purpose: str | None = None,
    initiate_login_uri: str | None = None,
    client_uri: str | None = None,
) -> tuple[Client, str | None]:
    """Register a client; answers it and its secret (None for a public one), which is shown this once.

    `kind`: web (keeps a secret), single_page or native (public, always PKCE), machine (acts for itself: no person, no addresses).
    `secret`: a given one instead of a random one, at least 32 characters. `names`: the name in other languages, by language code.
    `access_token_format`: jwt (it says what it stands for) or opaque.
    Raises BadInput with the reason, Conflict when the id is taken.
    """
    _require(
        names=[name, *(names or {}).values()],
        kind=kind,
        scopes=scopes,
        pkce=pkce,
        account_types=account_types,
        algorithm=id_token_signed_response_alg,
        access_token_format=access_token_format,
        client_id=client_id,
    )
    native, machine, redirect_uris = kind == "native", kind == MACHINE, redirect_uris or []
    if machine and (redirect_uris or post_logout_redirect_uris or account_types or pkce):
        raise BadInput(N_("Nobody signs in at a machine: it has no redirect addresses, account types or PKCE."))
    if not machine and not redirect_uris:
        raise BadInput(N_("Give at least one redirect address: where people come back to after signing in."))
    for uri in [*redirect_uris, *(post_logout_redirect_uris or [])]:
        redirects.require_registrable(uri, native=native)
    for uri in filter(None, [initiate_login_uri, client_uri]):
        redirects.require_registrable(uri, native=False)
    chosen = client_id or crypto.new_id("cli", ordered=False)
    if session.execute(sa.select(ClientRow.id).where(ClientRow.id == chosen)).first():
        raise Conflict(N_("The client id %(client_id)s is taken. Choose another one."), client_id=chosen)
    now = clock.now()
    public = kind in PUBLIC
    row = ClientRow(
        id=chosen,
        name=name,
        names=names or {},
        kind=kind,
        first_party=first_party,
        redirect_uris=list(dict.fromkeys(redirect_uris)),
        post_logout_redirect_uris=list(dict.fromkeys(post_logout_redirect_uris or [])),
        scopes=list(dict.fromkeys(scopes)),
        grant_types=["client_credentials"] if machine else ["authorization_code", "refresh_token"],
        account_types=[] if machine else list(account_types or ACCOUNT_TYPES),
        token_endpoint_auth_method="none" if public else "secret",
        pkce="required" if public else (pkce or "or_nonce"),
        id_token_signed_response_alg=id_token_signed_response_alg,
        access_token_format=access_token_format,
        subject_type="public",
        purpose=purpose,
        initiate_login_uri=initiate_login_uri,
        client_uri=client_uri,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    shown = None
    if not public:
        shown = secret or crypto.new_secret()
        if len(shown) < 32 or not re.fullmatch(r"[A-Za-z0-9_-]+", shown):
            raise BadInput(N_("A secret has at least 32 characters of A-Z, a-z, 0-9, - and _."))
        session.add(ClientSecret(id=crypto.new_id("sec"), client_id=chosen, digest=crypto.digest(shown), created_at=now))
        session.flush()
    events.record("client.registered", client_id=chosen, details={"kind": kind, "first_party": first_party})
    _cache.pop(chosen, None)
    return get(chosen), shown


def _require(
    *,
    names: list[str],
    kind: str,
    scopes: list[str],
    pkce: str | None,
    account_types: list[str] | None,
    algorithm: str,
    access_token_format: str,
    client_id: str | None,
) -> None:
    if not all(1 <= len(each.strip()) <= 100 and not UNSEEN.search(each) for each in names):
        raise BadInput(N_("A name has 1 to 100 characters that can be seen."))
    if kind not in KINDS:
        raise BadInput(N_("The kind is one of: %(kinds)s."), kinds=", ".join(KINDS))
    if kind == MACHINE:
        for scope in scopes:
            if reason := why_not_for_a_machine(scope):
                raise BadInput(N_("A machine cannot have the scope %(scope)s: %(reason)s"), scope=scope[:100], reason=reason)
    elif not scopes or not set(scopes) <= set(SUPPORTED):
        unknown = [scope for scope in scopes if scope not in SUPPORTED]
        raise BadInput(N_("Unknown scope: %(scopes)s. Known are: %(known)s."), scopes=", ".join(unknown) or "-", known=", ".join(SUPPORTED))
    if pkce not in {None, "required", "or_nonce", "optional"}:
        raise BadInput(N_("pkce is one of: required, or_nonce, optional."))
    if any(kind not in ACCOUNT_TYPES for kind in account_types or ()):
        raise BadInput(N_("Account types are: %(kinds)s."), kinds=", ".join(ACCOUNT_TYPES))
    if algorithm not in ALGORITHMS:
        raise BadInput(N_("ID tokens are signed by one of: %(kinds)s."), kinds=", ".join(ALGORITHMS))
    if access_token_format not in TOKEN_FORMATS:
        raise BadInput(N_("Access tokens are: %(kinds)s."), kinds=", ".join(TOKEN_FORMATS))
    if client_id is not None and not ID.fullmatch(client_id):
        raise BadInput(N_("A client id has 3 to 64 characters of A-Z, a-z, 0-9, - and _."))
    if client_id is not None and OTHER_ID.fullmatch(client_id):
        raise BadInput(N_("This client id looks like the id of something else. Choose another one."))
