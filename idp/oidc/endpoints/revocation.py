"""`POST /revoke` (RFC 7009): a client gives a token back. A refresh token takes its whole family along, an access token only itself.

NOTE: 200 is said only of what is committed: the dispatcher ends the unit before the answer goes out (case 32).
"""

from __future__ import annotations

from idp.delegation import access_tokens, tokens
from idp.errors import OAuthRefusal
from idp.oidc import guard
from idp.oidc.endpoints import cors
from idp.oidc.endpoints.token import server
from idp.oidc.server import ProtocolRequest
from idp.web.headers import NO_STORE
from idp.web.http import Request, Response


def revoke(request: Request) -> Response:
    """200 for a token that is revoked now, or was none of ours (RFC 7009 §2.2); another client's is left alone, and refused (§2.1)."""
    if request.method == "OPTIONS":
        return cors.preflight(request)
    asked = ProtocolRequest("POST", guard.form_only(request), authorization=request.header("Authorization"))
    try:
        client = server.authenticate_client(asked, [], "revocation").client
        if "token" not in asked.parameters:
            raise OAuthRefusal("invalid_request", "token is missing.")
        token = asked.parameters["token"]
        # Each kind is known by its form, so `token_type_hint` has nothing to add, right or wrong.
        rule = tokens.revoke_refresh_token if tokens.REFRESH_TOKEN.fullmatch(token) else access_tokens.revoke
        rule(token, client=client)
        return cors.allow(Response(headers=[NO_STORE]), request, client)
    except OAuthRefusal as refusal:
        return cors.refused(refusal, request, asked.parameters)
