"""`POST /introspect` (RFC 7662, RFC 9701): whether a token stands at this moment, and what it stands for now, not when it was made.

Only for clients that prove themselves, and each about its own tokens, or those for the resource that it is the server of: who holds
somebody else's learns nothing from us.
"""

from __future__ import annotations

from idp.delegation import access_tokens, answers, claims, resources, tokens
from idp.delegation.clients import Client
from idp.delegation.tokens import Opened
from idp.errors import OAuthRefusal
from idp.oidc import guard
from idp.oidc.client_auth.methods import invalid_client
from idp.oidc.endpoints.token import server
from idp.oidc.server import ProtocolRequest
from idp.web.faces import json_response, text_response
from idp.web.http import Request, Response

INACTIVE = {"active": False}
JWT = f"application/{answers.INTROSPECTION}"


def introspect(request: Request) -> Response:
    """The claims of an active token; of any other exactly `{"active": false}`, so that no answer tells why. Raises OAuthRefusal."""
    asked = ProtocolRequest("POST", guard.form_only(request), authorization=request.header("Authorization"))
    client = server.authenticate_client(asked, [], "introspection").client
    if client.is_public:
        raise invalid_client("Introspection is for clients that have a secret.", basic=False)
    if "token" not in asked.parameters:
        raise OAuthRefusal("invalid_request", "token is missing.")
    opened = _find(asked.parameters["token"])
    told = claims.introspection(opened) if opened is not None and _may_ask(client, opened) else INACTIVE
    if not _wants_jwt(request.header("Accept")):
        return json_response(told)
    return text_response(answers.introspection(client, told), JWT)


def _wants_jwt(accept: str) -> bool:
    """Whether it asks for a signed answer by name (RFC 9701 §4); JSON is what everybody else gets."""
    return JWT in accept.lower() and any(each.partition(";")[0].strip() == JWT for each in accept.lower().split(","))


def _find(token: str) -> Opened | None:
    """Each kind is known by its form, so `token_type_hint` (RFC 7662 §2.1) has nothing to add, right or wrong."""
    return tokens.find_refresh_token(token) if tokens.REFRESH_TOKEN.fullmatch(token) else access_tokens.find(token, for_any=True)


def _may_ask(client: Client, opened: Opened) -> bool:
    """Its own tokens; and the resource server, those that are for it, whoever got them: no other one's, so none but its own scopes."""
    if opened.client.id == client.id:
        return True
    resource = resources.stands(opened.client, opened.audience) if opened.audience else None
    return resource is not None and client.id in resource.introspected_by
