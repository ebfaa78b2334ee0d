"""`POST /introspect` (RFC 7662): whether a token stands at this moment, and what it stands for now, not when it was made.

Only for clients that prove themselves, and each about its own tokens alone: who holds somebody else's learns nothing from us.
"""

from __future__ import annotations

from idp.delegation import access_tokens, claims, tokens
from idp.delegation.tokens import Opened
from idp.errors import OAuthRefusal
from idp.oidc import guard
from idp.oidc.client_auth.methods import invalid_client
from idp.oidc.endpoints.token import server
from idp.oidc.server import ProtocolRequest
from idp.web.faces import json_response
from idp.web.http import Request, Response

INACTIVE = {"active": False}


def introspect(request: Request) -> Response:
    """The claims of an active token; of any other exactly `{"active": false}`, so that no answer tells why. Raises OAuthRefusal."""
    asked = ProtocolRequest("POST", guard.form_only(request), authorization=request.header("Authorization"))
    client = server.authenticate_client(asked, [], "introspection").client
    if client.is_public:
        raise invalid_client("Introspection is for clients that have a secret.", basic=False)
    if "token" not in asked.parameters:
        raise OAuthRefusal("invalid_request", "token is missing.")
    opened = _find(asked.parameters["token"])
    if opened is None or opened.client.id != client.id:
        return json_response(INACTIVE)
    return json_response(claims.introspection(opened))


def _find(token: str) -> Opened | None:
    """Each kind is known by its form, so `token_type_hint` (RFC 7662 §2.1) has nothing to add, right or wrong."""
    return tokens.find_refresh_token(token) if tokens.REFRESH_TOKEN.fullmatch(token) else access_tokens.find(token)
