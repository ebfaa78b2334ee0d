"""Clients whose id is the address of what they say of themselves: client id metadata documents.

https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/. Off unless `[registration] documents` is on. The document is
fetched through the one door, judged as a registration is, and kept as a client of ours, so that all else knows it as one; after an hour it
is looked at again. Such a client has no secret: it is public, or it proves itself by its keys.

NOTE: here an address does come from a request. What nobody knows yet is fetched only so often for one network, and never twice within ten
seconds (`fetched`).
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from idp import clock, crypto, throttle
from idp.config import settings
from idp.db.columns import table
from idp.db.session import changed
from idp.delegation import client_metadata, clients, dynamic_clients, fetched, redirects, registering
from idp.delegation.client_metadata import refuse
from idp.delegation.tables import ClientRow
from idp.errors import Conflict, TooManyTries

DOCUMENT = "document"
METHODS = ("none", "private_key_jwt")
CROWD, PACE = 30, 20.0  # new addresses of one network at once, and seconds for each one after that
REMEMBERED = 1000

_C = table(ClientRow)
_applied: dict[str, str] = {}  # address: the digest of the document that this process has applied


def look_up(address: str, *, network: str) -> None:
    """Let `clients.find` know the client whose id is `address`, as its document says it is now. Within a unit.

    Raises OAuthRefusal, TooManyTries, and `fetched.Wanted` where the document has to be fetched first.
    """
    if not settings().registration.documents:
        raise refuse("The client_id is no id of a registered client. Addresses of documents are not taken here.")
    if not registering.DOCUMENT_ID.fullmatch(address) or not urlsplit(address).path.strip("/"):
        raise refuse("A client_id that is an address has at most 100 characters, https, a path, and neither query nor fragment.")
    with client_metadata.judged():
        redirects.require_registrable(address, native=False)
    known = clients.find(address)
    try:
        body = fetched.find(address, sound=lambda text: _read(address, text) is not None)
    except fetched.Wanted:
        if known is None:
            _admit(network)
        raise
    given = _read(address, body) if body is not None else None
    if body is None or given is None:
        raise refuse("The document of this client could not be read: JSON, in which client_id is its own address.")
    if known is not None and _applied.get(address) == crypto.digest(body):
        return
    kind, fields = _judged(given)
    with client_metadata.judged():
        if known is None and not _revived(address):
            _register(address, kind, fields, network)
        else:
            clients.update(address, **fields)
    if len(_applied) >= REMEMBERED:
        _applied.clear()
    _applied[address] = crypto.digest(body)


def _read(address: str, text: str) -> dict[str, Any] | None:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) and given.get("client_id") == address else None


def _judged(given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """NOTE: what everybody can read holds no secret, and nothing that a secret would sign."""
    described = {"token_endpoint_auth_method": METHODS[0], **given}
    if "client_secret" in given or described["token_endpoint_auth_method"] not in METHODS:
        raise refuse(f"The document holds no secret: its token_endpoint_auth_method is one of {', '.join(METHODS)}.")
    return client_metadata.read(described)


def _register(address: str, kind: str, fields: dict[str, Any], network: str) -> None:
    dynamic_clients.require_room(network)
    arrival = {"registered_by": DOCUMENT, "unused_until": _until()}
    try:
        clients.register(**fields, kind=kind, client_id=address, pkce=settings().registration.default_pkce, arrival=arrival)
    except Conflict as taken:  # by another process a moment ago; or the operator has deleted it, and it stays so
        if clients.find(address) is None:
            raise refuse("This client was deleted here by the operator.") from taken


def _revived(address: str) -> bool:
    """Whether it had only gone because nobody used it."""
    unused = (_C.c.registered_by == DOCUMENT, _C.c.disabled_at.is_not(None), _C.c.unused_until <= _C.c.disabled_at)
    values = {"disabled_at": None, "unused_until": _until()}
    return changed(sa.update(_C).where(_C.c.id == address, *unused).values(**values)) == 1


def _until() -> Any:
    lifetime = settings().registration.unused_lifetime
    return clock.now() + timedelta(seconds=lifetime) if lifetime else None


def _admit(network: str) -> None:
    if network.startswith(dynamic_clients.LOOPBACK):
        return
    ahead = throttle.count("documents", network, crowd=CROWD, pace=PACE)
    if ahead > 0:
        raise TooManyTries(retry_after=max(1, round(ahead)), detail="too many addresses of documents")
