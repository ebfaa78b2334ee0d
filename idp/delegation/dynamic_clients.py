"""Clients that registered themselves: how many there may be, who may read and change one, and when it goes (RFC 7591, RFC 7592).

The token that opens a registration is `<client_id>.<secret>`, kept by its digest: so whose it is can be told without a search, and a token
of one client at the address of another is refused as what it is (case 47).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import clock, crypto, limits
from idp.config import settings
from idp.db.columns import table
from idp.db.session import changed, session
from idp.delegation import client_metadata, clients, initial_tokens, registering
from idp.delegation.clients import Client
from idp.delegation.registering_keys import BY_SECRET, uses_secret
from idp.delegation.tables import ClientRow
from idp.errors import N_, Conflict, TooManyTries

DYNAMIC = "dynamic"
HOUR, DAY = 3600, timedelta(days=1)
FULL = 3600  # seconds after which it is worth asking again: some will have gone
AT_ONCE = 500
LOOPBACK = ("127.", "::/")  # not counted: a proxy here whose hops nobody configured speaks for everybody

_C = table(ClientRow)


class Registered(NamedTuple):
    """A registration as its owner sees it, this once: the secret (None: it has none, or keeps its own), the token that opens it."""

    client: Client
    secret: str | None
    token: str


def register(given: dict[str, Any], *, network: str, initial_token: str | None) -> Registered:
    """Register what describes itself as `given`; `initial_token`: the id of the one that was shown, of which one use is spent.

    Raises OAuthRefusal (RFC 7591 §3.2.2), TooManyTries, `fetched.Wanted`.
    """
    require_room(network if initial_token is None else None)
    kind, fields = client_metadata.read(given)
    chosen = crypto.new_id("cli", ordered=False)
    token = f"{chosen}.{crypto.new_secret()}"
    lifetime = settings().registration.unused_lifetime
    # A refusal is committed, and must not cost a use: what it spent is taken back with the rest.
    with session.begin_nested(), client_metadata.judged():
        if initial_token is not None and not initial_tokens.spend(initial_token):
            raise Conflict(detail="the initial access token was used up meanwhile")
        client, secret = clients.register(
            **fields,
            kind=kind,
            client_id=chosen,
            pkce=settings().registration.default_pkce,
            arrival={
                "registered_by": DYNAMIC,
                "registration_token_digest": crypto.digest(token),
                "unused_until": clock.now() + timedelta(seconds=lifetime) if lifetime else None,
            },
        )
    return Registered(client, secret, token)


def find_owner(token: str) -> Client | None:
    """The client whose registration `token` opens."""
    client = clients.find(token.rpartition(".")[0])
    known = client.registration_token_digest if client is not None else None
    return client if known is not None and crypto.equal(known, crypto.digest(token)) else None


def replace(client: Client, given: dict[str, Any]) -> tuple[Client, str | None]:
    """The client as `given` describes it now (RFC 7592 §2.2), and its secret where it got one by this. Raises OAuthRefusal, `Wanted`."""
    if given.get("client_id") != client.id:
        raise client_metadata.refuse("client_id is missing, or is not the one of this address.")
    if given.get("client_secret") is not None and not (
        isinstance(given["client_secret"], str) and client.has_secret(given["client_secret"])
    ):
        raise client_metadata.refuse("client_secret is not the one of this client. It is made here, and cannot be chosen.")
    kind, fields = client_metadata.read(given, now=client)
    with session.begin_nested(), client_metadata.judged():
        after = registering.require(kind, {**{name: getattr(client, name) for name in registering.FIELDS}, **fields})
        secret = clients.give_secret(client.id, as_key=uses_secret(after)) if _needs_secret(client, after) else None
        return clients.update(client.id, **fields), secret


def _needs_secret(client: Client, after: dict[str, Any]) -> bool:
    if after["token_endpoint_auth_method"] not in BY_SECRET:
        return False
    return not client.secrets or (uses_secret(after) and all(secret.sealed is None for secret in client.secrets))


def note_use(client: Client) -> None:
    """Somebody signed in there, or it refreshed: it stays. Written down once a day at most; of other clients this costs a comparison."""
    lifetime = timedelta(seconds=settings().registration.unused_lifetime)
    until = clock.now() + lifetime
    if client.unused_until is None or until - client.unused_until < DAY:
        return
    changed(
        sa.update(_C).where(_C.c.id == client.id, _C.c.disabled_at.is_(None), _C.c.unused_until <= until - DAY).values(unused_until=until)
    )
    clients.forget(client.id)


def expire(now: datetime) -> int:
    """Disable those that nobody has used for so long; answers how many. For the schedule."""
    if not settings().registration.unused_lifetime:
        return 0
    due = sa.select(_C.c.id).where(_C.c.unused_until <= now, _C.c.disabled_at.is_(None)).order_by(_C.c.unused_until).limit(AT_ONCE)
    found = list(session.scalars(due))
    for client_id in found:
        # Decided here: it may have been used a moment ago.
        if changed(sa.update(_C).where(_C.c.id == client_id, _C.c.unused_until <= now, _C.c.disabled_at.is_(None)).values(updated_at=now)):
            clients.delete(client_id, why="unused")
    return len(found)


def require_room(network: str | None) -> None:
    """Raise TooManyTries where there is none. A flood fills nothing (case 50): so many of a network in an hour, and so many in all.

    NOTE: the sum is looked at, not counted, so that as many more get in as arrive at one moment.
    """
    policy = settings().registration
    if network is not None and not network.startswith(LOOPBACK):
        limits.spend("registrations", network, limit=policy.per_network_per_hour, window_seconds=HOUR)
    alive = sa.select(sa.func.count()).select_from(_C).where(_C.c.registered_by.is_not(None), _C.c.disabled_at.is_(None))
    if (session.scalar(alive) or 0) >= policy.most_clients:
        raise TooManyTries(N_("There are as many clients as there may be. Come back later, or ask the operator."), retry_after=FULL)
