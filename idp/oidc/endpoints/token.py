"""`POST /token` (RFC 6749 §3.2, OpenID Connect Core §3.1.3): spend, commit, and only then sign."""

from __future__ import annotations

import time

from authlib.oauth2 import OAuth2Error

from idp import telemetry
from idp.db.session import session
from idp.delegation import dynamic_clients
from idp.errors import OAuthRefusal
from idp.oidc import guard
from idp.oidc.endpoints import cors
from idp.oidc.grant_types.authorization_code import AuthorizationCodeGrant
from idp.oidc.grant_types.client_credentials import ClientCredentialsGrant
from idp.oidc.grant_types.device_code import DeviceCodeGrant
from idp.oidc.grant_types.refresh_token import RefreshTokenGrant
from idp.oidc.server import ProtocolRequest, Server, refusal_of
from idp.web.faces import json_response
from idp.web.http import Request, Response

GRANT_TYPES = (AuthorizationCodeGrant, RefreshTokenGrant, ClientCredentialsGrant, DeviceCodeGrant)

server = Server()
for _grant in GRANT_TYPES:
    server.register_grant(_grant)


def token(request: Request) -> Response:
    """Answer a token request; refusals as JSON (RFC 6749 §5.2)."""
    if request.method == "OPTIONS":
        return cors.preflight(request)
    began = time.perf_counter()
    asked = ProtocolRequest("POST", guard.form_only(request), authorization=request.header("Authorization"))
    try:
        grant = server.token_grant(asked)
        grant.validate_token_request()
        if grant.granted.client.unused_until is not None:
            dynamic_clients.note_use(grant.granted.client)
        # A signature takes as long as the whole transaction: nobody waits for the write lock meanwhile.
        session.commit()
        answered = json_response(grant.create_token_response())
        telemetry.observe_token_request(time.perf_counter() - began)
        return cors.allow(answered, request, grant.granted.client)
    except OAuth2Error as e:
        raise refusal_of(e) from e
    except OAuthRefusal as refusal:
        return cors.refused(refusal, request, asked.parameters)
