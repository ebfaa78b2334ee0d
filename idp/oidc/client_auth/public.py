"""A client that can keep no secret: it only says its name, and PKCE stands in for the rest (RFC 6749 §2.1, RFC 8252 §8.5)."""

from __future__ import annotations

from idp.delegation import clients
from idp.delegation.clients import Client
from idp.oidc.client_auth.methods import Sent, invalid_client


def authenticate(sent: Sent) -> Client:
    """The public client of this id; raises OAuthRefusal `invalid_client`, also for one that has a secret and did not send it."""
    client = clients.find(sent.client_id)
    if client is None or not client.is_public:
        raise invalid_client("This client is not known, or has to send its secret.", basic=False)
    return client
