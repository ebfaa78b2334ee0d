"""Who a person is to a client: the `sub` claim (OpenID Connect Core §8), and `sid` beside it.

A public one is the person's id, the same for every client. A pairwise one is that id, encrypted under the client's sector so that it is
the same for ever, and that only we can open it again: a hint, a logout token, an access token lead back to the person without a table of
who is called what at whom. Two sectors cannot tell by it that they know the same person (Core §17.3); so `sid`, which all clients of one
session share, is veiled likewise.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from idp import crypto

if TYPE_CHECKING:
    from idp.delegation.clients import Client

PAIRWISE = "pairwise"
SUBJECT, SESSION = "pairwise subject", "pairwise session"
_id = re.compile(r"[a-z]{3}_[0-9a-z]{26}")


def subject(client: Client, user_id: str) -> str:
    """The `sub` of this person for this client: at most 255 ASCII characters, never given to another person."""
    if client.subject_type != PAIRWISE:
        return user_id
    return crypto.veil(SUBJECT, user_id, client.sector_identifier or client.id)


def user_of(client: Client, sub: str) -> str | None:
    """The person behind a `sub` that we issued to this client; None for one that we did not."""
    if client.subject_type != PAIRWISE:
        return sub
    return _opened(SUBJECT, client, sub)


def session_id(client: Client, session: str) -> str:
    """The `sid` of a session for this client (OpenID Connect Back-Channel Logout §2.1)."""
    if client.subject_type != PAIRWISE:
        return session
    return crypto.veil(SESSION, session, client.sector_identifier or client.id)


def session_of(client: Client, sid: str) -> str | None:
    """The session behind a `sid` that we issued to this client; None for one that we did not."""
    if client.subject_type != PAIRWISE:
        return sid
    return _opened(SESSION, client, sid)


def _opened(purpose: str, client: Client, veiled: str) -> str | None:
    found = crypto.unveil(purpose, veiled, client.sector_identifier or client.id)
    return found if found and _id.fullmatch(found) else None
