"""Relying parties' servers are told that a session has ended (OpenID Connect Back-Channel Logout 1.0).

https://openid.net/specs/openid-connect-backchannel-1_0.html. Whatever ends a session records `session.ended`; the reaction to it puts one
row for each client into the outbox, under a key made of the event, so that each is told once. The worker hands them over, each receiver in
a lane of its own: nobody who signs out waits for it, and no receiver for another (threats: case 52, promise R21).

What is told: 2xx is done; 400 says that the relying party would not or could not (§2.8), and asking again would change nothing; all else
is tried again with growing pauses, until it is given up (`outbox`), which is an event.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from idp import clock, crypto, events, outbound, outbox
from idp.config import settings
from idp.db.session import reads
from idp.delegation import answers, clients, fetched, redirects, session_clients, subjects
from idp.delegation.clients import Client

KIND = "logout"  # of the outbox rows, each in the lane of its receiver
TYPE = "logout+jwt"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
LIFETIME = 120  # seconds; §2.4 recommends two minutes
REFUSED, UNDELIVERED = "logout.refused", "logout.undelivered"
BAD_REQUEST = 400

_log = logging.getLogger("idp.logout")


class NotTaken(RuntimeError):  # noqa: N818 - what happened
    """The relying party answered neither 2xx nor 400. `word` is its status."""

    def __init__(self, status: int) -> None:
        self.word = f"status_{status}"
        super().__init__(self.word)


def tell(session_id: str, user_id: str, *, cause: str) -> int:
    """Have every client of a session told that it has ended, once the present transaction is committed; answers how many.

    `cause`: what ended it; the same one tells nobody twice.
    """
    return sum(_put(client_id, session_id, user_id, cause) for client_id in session_clients.of_ended(session_id))


def tell_of_person(user_id: str, *, cause: str, only: str | None = None) -> int:
    """The same for every live session of a person who is let in nowhere any more; `only`: at this client."""
    theirs = [each for each in session_clients.of_person(user_id) if only in {None, each[1]}]
    return sum(_put(client_id, session_id, user_id, cause) for session_id, client_id in theirs)


def _put(client_id: str, session_id: str, user_id: str, cause: str) -> bool:
    client = clients.find(client_id)
    if client is None or client.backchannel_logout_uri is None:
        return False
    payload = {"client": client.id, "session": session_id}
    payload |= {"sub": subjects.subject(client, user_id), "sid": subjects.session_id(client, session_id)}
    kind = outbox.lane(KIND, redirects.origin(client.backchannel_logout_uri) or "")
    return outbox.put(kind, payload, key=f"{cause}:{session_id}:{client_id}") is not None


def logout_token(client: Client, sub: str, sid: str, envelope: answers.Envelope | None = None) -> str:
    """§2.4: whom it is about (`sub` and `sid`), signed and encrypted as the client's ID tokens; without a nonce, so that it is none."""
    now = clock.timestamp()
    claims = {
        "iss": settings().server.issuer,
        "sub": sub,
        "aud": client.id,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": crypto.new_id("lgt"),  # anew for each try: a relying party refuses one that it has seen, and may have lost its answer
        "sid": sid,
        "events": {EVENT: {}},
    }
    token = answers.signed(client, claims, typ=TYPE, algorithm=client.id_token_signed_response_alg)
    return token if envelope is None else envelope.sealed(token, nested=True)


def deliver(row_id: str, payload: Mapping[str, Any], *, expires_at: datetime | None = None) -> str | None:
    """POST a logout token to its client's address, as it is registered now; for the worker, before its unit's first statement.

    Answers None, or the word under which the row is done although the client would not. Raises NotTaken, OutboundFailed: to be tried again.
    """
    del expires_at
    try:
        client, envelope = _receiver(payload["client"])
    except fetched.Wanted as first:
        first.do()
        client, envelope = _receiver(payload["client"])
    if client is None or client.backchannel_logout_uri is None:  # deleted, or wants to hear no more
        return "not_registered"
    token = logout_token(client, payload["sub"], payload["sid"], envelope)
    status = outbound.fetch(client.backchannel_logout_uri, form={"logout_token": token}, bounded=False).status
    _log.info("logout", extra={"message_id": row_id, "client_id": client.id, "status": status})
    if 200 <= status < 300:
        return None
    if status != BAD_REQUEST:
        raise NotTaken(status)
    _record(REFUSED, "refused", payload, {"row": row_id})
    return "refused"


def _receiver(client_id: str) -> tuple[Client | None, answers.Envelope | None]:
    """The client as it is registered now, and how what it gets is encrypted. Raises OAuthRefusal, `fetched.Wanted`."""
    with reads():
        client = clients.find(client_id)
        return client, answers.id_token_envelope(client) if client is not None else None


def note_failure(row_id: str, payload: Mapping[str, Any], error: Exception, *, given_up: bool, expires_at: datetime | None) -> None:
    """Write down that a client was never told, in the unit in which the outbox gives up. Raises KeyError for a payload that is none."""
    del expires_at
    if given_up:
        details = {"row": row_id, "reason": str(getattr(error, "word", type(error).__name__))}
        _record(UNDELIVERED, "failed", payload, details)


def _record(name: str, outcome: str, payload: Mapping[str, Any], details: dict[str, str]) -> None:
    events.record(name, outcome=outcome, client_id=payload["client"], session_id=payload["session"], details=details)
