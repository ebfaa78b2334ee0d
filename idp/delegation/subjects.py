"""Who a person is to a client: the `sub` claim (OpenID Connect Core §8). Public for now; pairwise ones would be made here."""

from __future__ import annotations

from idp.delegation.clients import Client


def subject(client: Client, user_id: str) -> str:
    """The `sub` of this person for this client: at most 255 ASCII characters, never given to another person."""
    del client  # a pairwise subject depends on its sector
    return user_id


def user_of(client: Client, sub: str) -> str:
    """The person behind a `sub` that we issued to this client."""
    del client
    return sub
