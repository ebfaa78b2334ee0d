"""A client that proves itself by its secret (RFC 6749 §2.3.1)."""

from __future__ import annotations

from idp import crypto
from idp.delegation import clients
from idp.delegation.clients import Client
from idp.oidc.client_auth.methods import ACCEPTED, Sent, invalid_client

WRONG = "This client_id and this secret do not go together."
_nobody = crypto.digest("nobody")


def authenticate(sent: Sent) -> Client:
    """The client of this id and secret; raises OAuthRefusal `invalid_client`. An unknown id costs the same work as a wrong secret."""
    basic = sent.method == "client_secret_basic"
    client = clients.find(sent.client_id)
    if client is None or client.is_public:
        crypto.equal(crypto.digest(sent.secret), _nobody)
        raise invalid_client(WRONG, basic=basic)
    secret_id = client.find_secret(sent.secret)
    if secret_id is None:
        raise invalid_client(WRONG, basic=basic)
    method = client.token_endpoint_auth_method
    if sent.method not in ACCEPTED.get(method, {method}):
        raise invalid_client(f"This client is registered for {method}.", basic=basic)
    clients.note_use(secret_id)
    return client.having_used(secret_id)
