"""Who may ask: the registered relying parties and machines, their addresses, secrets and keys.

A process keeps a client for a moment, since every request needs one: `CACHED` seconds, so that a change is seen everywhere in under a
second. A secret is random, so its SHA-256 is what is stored and compared. Where it is also a key (HS256, `client_secret_jwt`), it is sealed
besides, only then. What may be registered is judged in `registering`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.config import settings
from idp.db.columns import Instant, table
from idp.db.ready import Ready
from idp.db.session import changed, insert_or_ignore, session
from idp.delegation import claim_mapping, client_keys, redirects, registering, registering_requests, sectors
from idp.delegation.claim_mapping import Mapping
from idp.delegation.registering import FIELDS
from idp.delegation.registering_keys import BY_SECRET, uses_secret
from idp.delegation.tables import ClientRow, ClientSecret, as_dict
from idp.errors import N_, BadInput, Conflict, NotFound

CACHED = 0.8
NOTED_EVERY = timedelta(minutes=1)
LIVE_SECRETS = 2  # so that one can be replaced without a pause

_C, _S = table(ClientRow), table(ClientSecret)


@dataclass(frozen=True, slots=True)
class Secret:
    """A live secret as requests see it."""

    id: str
    digest: str
    sealed: str | None


@dataclass(frozen=True, slots=True)
class Client:
    """A client as requests see it, with its live secrets."""

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
    jwks: dict[str, Any] | None
    id_token_signed_response_alg: str
    access_token_format: str
    subject_type: str
    sector_identifier: str | None
    sector_identifier_uri: str | None
    initiate_login_uri: str | None
    client_uri: str | None
    logo_uri: str | None
    policy_uri: str | None
    tos_uri: str | None
    support_uri: str | None
    purpose: str | None
    new_browser: str | None
    providers: list[str] | None
    response_types: list[str] | None
    jwks_uri: str | None
    token_endpoint_auth_signing_alg: str | None
    id_token_encrypted_response_alg: str | None
    id_token_encrypted_response_enc: str | None
    userinfo_signed_response_alg: str | None
    userinfo_encrypted_response_alg: str | None
    userinfo_encrypted_response_enc: str | None
    introspection_signed_response_alg: str | None
    introspection_encrypted_response_alg: str | None
    introspection_encrypted_response_enc: str | None
    request_object_signing_alg: str | None
    request_object_encryption_alg: str | None
    request_object_encryption_enc: str | None
    require_signed_request_object: bool | None
    request_uris: list[str] | None
    default_max_age: int | None
    require_auth_time: bool | None
    default_acr_values: list[str] | None
    backchannel_logout_uri: str | None
    backchannel_logout_session_required: bool | None
    frontchannel_logout_uri: str | None
    frontchannel_logout_session_required: bool | None
    resources: list[str] | None
    claim_mapping: dict[str, Any] | None
    contacts: list[str] | None
    software_id: str | None
    software_version: str | None
    registered_by: str | None
    registration_token_digest: str | None = field(repr=False)
    unused_until: Any
    created_at: Any
    updated_at: Any
    disabled_at: Any
    secrets: tuple[Secret, ...] = field(default=(), repr=False)
    mapping: Mapping | None = field(default=None, repr=False)

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

    def find_secret(self, secret: str) -> str | None:
        """The id of the live secret that `secret` is, or None; the time taken does not tell which character was wrong."""
        given = crypto.digest(secret)
        found = [known.id for known in self.secrets if crypto.equal(given, known.digest)]
        return found[0] if secret and found else None

    def having_used(self, secret_id: str) -> Client:
        """The same client, with the secret by which it has just proved itself in front: where we sign with a secret, it is that one."""
        if len(self.secrets) < LIVE_SECRETS:
            return self
        return replace(self, secrets=tuple(sorted(self.secrets, key=lambda secret: secret.id != secret_id)))

    def has_secret(self, secret: str) -> bool:
        """Whether `secret` is one of its live ones."""
        return self.find_secret(secret) is not None

    def can_be_mistaken_at(self, uri: str) -> bool:
        """Whether another app on the same device may receive what is sent to `uri`, its own scheme or loopback (RFC 8252 §8.6)."""
        return self.kind == "native" and not uri.startswith("https://")

    @property
    def restart_url(self) -> str | None:
        """Where a person can begin again, as far as the client told us: its login, by us as a third party (OpenID Connect Core §4), with
        our `iss` and its own home page as the place to end at; else that page.
        """
        if self.initiate_login_uri is None:
            return self.client_uri
        said = {"iss": settings().server.issuer} | ({"target_link_uri": self.client_uri} if self.client_uri else {})
        return f"{self.initiate_login_uri}{'&' if '?' in self.initiate_login_uri else '?'}{urlencode(said)}"


_cache: dict[str, tuple[float, Client]] = {}


def find(client_id: str) -> Client | None:
    """The client, unless it does not exist or was disabled."""
    now = time.monotonic()
    cached = _cache.get(client_id)
    if cached is not None and cached[0] > now:
        return cached[1]
    if not registering.ID.fullmatch(client_id) and not registering.DOCUMENT_ID.fullmatch(client_id):
        return None
    rows = session.execute(_FIND, {"client_id": client_id}).all()
    if not rows:
        _cache.pop(client_id, None)
        return None
    client = _client(rows)
    _cache[client_id] = (now + CACHED, client)
    return client


def forget(client_id: str) -> None:
    """Drop what this process keeps of one client."""
    _cache.pop(client_id, None)


def forget_cached() -> None:
    """Drop what this process keeps of clients."""
    _cache.clear()


_FIND = Ready(
    sa.select(
        _C,
        *(_S.c[name].label(f"secret_{name}") for name in ("id", "digest", "sealed", "last_used_at")),
    )
    .select_from(_C.outerjoin(_S, sa.and_(_S.c.client_id == _C.c.id, _S.c.revoked_at.is_(None))))
    .where(_C.c.id == sa.bindparam("client_id"), _C.c.disabled_at.is_(None))
)


def _client(rows: Any) -> Client:
    values = as_dict(rows[0])
    for name in ("id", "digest", "sealed", "last_used_at"):
        del values[f"secret_{name}"]
    if len(rows) > 1:  # the one that it used last is in front
        rows = sorted(rows, key=_use)
    secrets = tuple(Secret(row.secret_id, row.secret_digest, row.secret_sealed) for row in rows if row.secret_id)
    table = values["claim_mapping"]
    return Client(**values, secrets=secrets, mapping=claim_mapping.parsed(table) if table else None)


def _use(row: Any) -> tuple[float, str]:
    """The newest use first; then, of those that were never used, the oldest."""
    return (-row.secret_last_used_at.timestamp() if row.secret_last_used_at is not None else 0.0, row.secret_id)


def get(client_id: str) -> Client:
    """The client; raises NotFound."""
    client = find(client_id)
    if client is None:
        raise NotFound(N_("There is no client %(client_id)s."), client_id=client_id)
    return client


def list_all() -> list[Client]:
    """Every client that is not disabled, oldest first, without secrets."""
    rows = session.execute(sa.select(_C).where(_C.c.disabled_at.is_(None)).order_by(_C.c.created_at, _C.c.id)).all()
    return [Client(**as_dict(row)) for row in rows]


def register(
    *,
    name: str,
    kind: str,
    scopes: list[str],
    client_id: str | None = None,
    secret: str | None = None,
    arrival: dict[str, Any] | None = None,
    **more: Any,
) -> tuple[Client, str | None]:
    """Register a client; answers it and its secret (None for one that needs none), which is shown this once.

    `kind`: web (keeps a secret), single_page or native (public, always PKCE), machine (acts for itself: no person, no addresses).
    `more`: of `registering.FIELDS`; what is left out has its default. `names`: the name in other languages, by language code. `jwks`: a
    JWK Set of public keys. `secret`: a given one instead of a random one, at least 32 characters. `arrival`: `registered_by` and what
    belongs to it, for a client that no operator registers. Raises BadInput with the reason,
    Conflict when the id is taken, also by one that was deleted; `fetched.Wanted` where the list of its sector has to be fetched first.
    """
    values = registering.require(kind, {"name": name, "scopes": scopes, **_known(more)})
    registering.require_providers(kind, values["providers"])
    registering_requests.require_served(values["response_types"])
    registering.require_resources(values["resources"])
    sectors.require_claimed(None, values)
    if client_id is not None and arrival is None:
        registering.require_id(client_id)
    by_secret = values["token_endpoint_auth_method"] in BY_SECRET
    if secret is not None and not by_secret:
        raise BadInput(N_("A client of this kind has no secret."))
    shown = _choose_secret(secret) if by_secret else None
    chosen, now = client_id or crypto.new_id("cli", ordered=False), clock.now()
    fixed = {
        "kind": kind,
        "created_at": now,
        "updated_at": now,
        **(arrival or {}),
    }
    if not insert_or_ignore(ClientRow, id=chosen, **fixed, **values):
        raise Conflict(N_("The client id %(client_id)s is taken. Choose another one."), client_id=chosen)
    if shown is not None:
        _keep_secret(chosen, shown, as_key=uses_secret(values))
    details = {"kind": kind, "first_party": values["first_party"], "method": values["token_endpoint_auth_method"]}
    if arrival:
        details["by"] = arrival["registered_by"]
    events.record("client.registered", client_id=chosen, details=details)
    _cache.pop(chosen, None)
    return get(chosen), shown


def update(client_id: str, **changes: Any) -> Client:
    """Change some of `registering.FIELDS`; what is not named stays as it is. The event says each value before and after.

    A client that no longer proves itself by a secret loses its secrets: they would be good again, unnoticed, after the next change. Raises
    BadInput with the reason, NotFound, `fetched.Wanted` as `register` does.
    """
    before = _lock(client_id)
    now_public = changes.get("token_endpoint_auth_method", before["token_endpoint_auth_method"]) == "none"
    kept = {name: before[name] for name in FIELDS if not (before["kind"] == registering.MACHINE and name == "pkce")}
    if now_public and before["token_endpoint_auth_method"] != "none":
        kept |= {"jwks": None, "jwks_uri": None}
    for one, other in (("jwks", "jwks_uri"), ("jwks_uri", "jwks")):  # the new place of its keys takes the place of the old one
        if changes.get(one):
            kept[other] = None
    after = registering.require(before["kind"], kept | _known(changes))
    registering.require_providers(before["kind"], changes.get("providers"))
    registering_requests.require_served(changes.get("response_types"))
    registering.require_resources(changes.get("resources"))
    sectors.require_same(before, after)
    sectors.require_claimed(before, after)
    differing = [name for name in (*FIELDS, "sector_identifier") if after[name] != before[name]]
    if not differing:
        return get(client_id)
    if "token_endpoint_auth_method" in differing:
        _settle_secrets(client_id, after["token_endpoint_auth_method"])
    _settle_keys(client_id, as_key=uses_secret(after))
    changed(sa.update(_C).where(_C.c.id == client_id).values(**{name: after[name] for name in differing}, updated_at=clock.now()))
    told = {name: {"before": _told(before[name]), "after": _told(after[name])} for name in differing}
    events.record("client.updated", client_id=client_id, details={"changed": told})
    _cache.pop(client_id, None)
    return get(client_id)


def delete(client_id: str, *, why: str = "") -> None:
    """Disable a client for good: it is found no more, so that nothing it holds works. Its row stays, for what points at it and so that
    nobody gets its id again. `why`: a word for the event, where no operator decides. Raises NotFound.
    """
    _lock(client_id)
    now = clock.now()
    changed(sa.update(_C).where(_C.c.id == client_id).values(disabled_at=now, updated_at=now))
    revoked = changed(sa.update(_S).where(_S.c.client_id == client_id, _S.c.revoked_at.is_(None)).values(revoked_at=now, sealed=None))
    events.record("client.deleted", client_id=client_id, details={"secrets": revoked, **({"why": why} if why else {})})
    _cache.pop(client_id, None)


def list_secrets(client_id: str) -> list[dict[str, Any]]:
    """The live secrets of a client, the oldest first: `id`, `created_at`, `last_used_at` (to the minute), never what is compared."""
    live = sa.select(_S.c.id, _S.c.created_at, _S.c.last_used_at).where(_S.c.client_id == client_id, _S.c.revoked_at.is_(None))
    return [as_dict(row) for row in session.execute(live.order_by(_S.c.created_at, _S.c.id))]


def add_secret(client_id: str, secret: str | None = None, *, as_key: bool = False) -> tuple[str, str]:
    """A second secret beside the first; answers its id and itself, which is shown this once. Raises BadInput, Conflict, NotFound.

    `as_key`: sealed, for a client that is about to be registered for HS256 or `client_secret_jwt`; those that are have it so anyway.
    """
    before = _lock(client_id)
    if before["kind"] not in {"web", registering.MACHINE} or before["token_endpoint_auth_method"] == "none":
        raise BadInput(N_("A client of this kind has no secret."))
    if len(list_secrets(client_id)) >= LIVE_SECRETS:
        raise Conflict(N_("It has two live secrets. Revoke one of them first."))
    shown = _choose_secret(secret)
    made = _keep_secret(client_id, shown, as_key=as_key or uses_secret(before))
    events.record("client.secret_added", client_id=client_id, details={"secret": made})
    _cache.pop(client_id, None)
    return made, shown


def give_secret(client_id: str, *, as_key: bool) -> str:
    """A new secret in the place of all that it has, for a client that is about to need one; answers it, this once. Raises NotFound."""
    _lock(client_id)
    changed(sa.update(_S).where(_S.c.client_id == client_id, _S.c.revoked_at.is_(None)).values(revoked_at=clock.now(), sealed=None))
    shown = crypto.new_secret()
    events.record("client.secret_added", client_id=client_id, details={"secret": _keep_secret(client_id, shown, as_key=as_key)})
    forget(client_id)
    return shown


def revoke_secret(client_id: str, secret_id: str, *, force: bool = False) -> None:
    """Revoke a secret. The last one of a client that needs one only by `force`. Raises Conflict, NotFound."""
    before, live = _lock(client_id), list_secrets(client_id)
    if secret_id not in {row["id"] for row in live}:
        raise NotFound(N_("This client has no live secret %(secret)s."), secret=secret_id[:60])
    keys = {row.id for row in session.execute(sa.select(_S.c.id).where(_S.c.client_id == client_id, _S.c.sealed.is_not(None)))}
    is_last = len(live) == 1 or (uses_secret(before) and keys == {secret_id})
    if is_last and before["token_endpoint_auth_method"] in BY_SECRET and not force:
        raise Conflict(N_("It is the last secret of this client, which could no longer sign in. Add another one first."))
    changed(sa.update(_S).where(_S.c.id == secret_id).values(revoked_at=clock.now(), sealed=None))
    events.record("client.secret_revoked", client_id=client_id, details={"secret": secret_id, "left": len(live) - 1})
    _cache.pop(client_id, None)


_noted: dict[str, datetime] = {}
# Whoever holds the row at this moment writes the same: nobody waits for it.
_NOTE = Ready(
    sa.update(_S)
    .where(
        _S.c.id.in_(
            sa.select(_S.c.id)
            .where(
                _S.c.id == sa.bindparam("b_id"),
                sa.or_(_S.c.last_used_at.is_(None), _S.c.last_used_at <= sa.bindparam("b_before", type_=Instant())),
            )
            .with_for_update(skip_locked=True)
            .correlate(None)
        )
    )
    .values(last_used_at=sa.bindparam("b_now", type_=Instant()))
)


def note_use(secret_id: str) -> None:
    """Write down that a secret was used just now, at most once a minute."""
    now = clock.now()
    before = _noted.get(secret_id)
    if before is not None and abs(now - before) < NOTED_EVERY:
        return
    _noted[secret_id] = now
    changed(_NOTE, b_id=secret_id, b_now=now, b_before=now - NOTED_EVERY)


def _lock(client_id: str) -> dict[str, Any]:
    """The row as it is now, held until the commit: of two changes at once, the second sees what the first one did. Raises NotFound."""
    holding = sa.update(_C).where(_C.c.id == client_id, _C.c.disabled_at.is_(None)).values(updated_at=_C.c.updated_at).returning(_C)
    row = session.execute(holding).first()
    if row is None:
        raise NotFound(N_("There is no client %(client_id)s."), client_id=client_id[:100])
    return as_dict(row)


def _known(given: dict[str, Any]) -> dict[str, Any]:
    unknown = given.keys() - set(FIELDS)
    if unknown:
        raise TypeError(f"no field of a client: {', '.join(sorted(unknown))}")
    return given


def _choose_secret(given: str | None) -> str:
    """`given` if it will do, or a random one; judged before anything is written, since a refusal is committed."""
    if given is None:
        return crypto.new_secret()
    registering.require_secret(given)
    if session.execute(sa.select(_S.c.id).where(_S.c.digest == crypto.digest(given))).first():
        raise Conflict(N_("This secret is or was in use. Choose another one."))
    return given


def _keep_secret(client_id: str, secret: str, *, as_key: bool) -> str:
    """NOTE: a sealed one has its digest too: it is compared by that, and nobody else may have it. Of so many bits it tells nothing."""
    made = crypto.new_id("sec")
    sealed = crypto.seal(client_keys.SHARED_PURPOSE, secret) if as_key else None
    values = {"id": made, "client_id": client_id, "digest": crypto.digest(secret), "sealed": sealed, "created_at": clock.now()}
    session.execute(sa.insert(_S), values)
    return made


def _settle_secrets(client_id: str, method: str) -> None:
    if method not in BY_SECRET:
        changed(sa.update(_S).where(_S.c.client_id == client_id, _S.c.revoked_at.is_(None)).values(revoked_at=clock.now(), sealed=None))
    elif not list_secrets(client_id):
        raise BadInput(N_("This client has no secret yet. Add one first."))


def _settle_keys(client_id: str, *, as_key: bool) -> None:
    """A secret that is a key must be sealed; one that is none any more is no longer."""
    live = (_S.c.client_id == client_id, _S.c.revoked_at.is_(None))
    if not as_key:
        changed(sa.update(_S).where(*live, _S.c.sealed.is_not(None)).values(sealed=None))
    elif not session.scalar(sa.select(sa.func.count()).select_from(_S).where(*live, _S.c.sealed.is_not(None))):
        raise BadInput(
            N_("Its secrets are kept so that they cannot be used as keys. Add one that can: idp clients add-secret --as-key %(client_id)s"),
            client_id=client_id,
        )


def _told(value: Any) -> Any:
    """A value as the event keeps it: of keys, what names them."""
    return [key["kid"] for key in value["keys"]] if isinstance(value, dict) and "keys" in value else value
