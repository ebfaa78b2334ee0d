"""Single-page apps: who may read our answers from a browser (the Fetch standard's CORS protocol), on the endpoints that need it.

Discovery and keys are for everybody. Elsewhere an origin must be the origin of a redirect address of the client at hand; never with
credentials, never `null`, and never at the authorization endpoint (RFC 9700 §2.6).
"""

from __future__ import annotations

from idp.delegation import clients, redirects
from idp.delegation.clients import Client
from idp.errors import OAuthRefusal
from idp.web.faces import json_response
from idp.web.http import Request, Response

ANYBODY = [("Access-Control-Allow-Origin", "*")]
PREFLIGHT = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, POST"),
    ("Access-Control-Allow-Headers", "authorization, content-type, dpop"),
    ("Access-Control-Max-Age", "600"),
]


def preflight(request: Request) -> Response:
    """The answer to OPTIONS. It opens nothing: what may be read is decided when the request itself comes."""
    del request
    return Response(status=204, headers=list(PREFLIGHT))


def refused(refusal: OAuthRefusal, request: Request, sent: dict[str, str]) -> Response:
    """A refusal as JSON (RFC 6749 §5.2), which a page of the client that was named may read; `sent`: the parameters of the request."""
    body = {"error": refusal.error, "error_description": refusal.description}
    answered = json_response(body, status=refusal.http_status, headers=refusal.headers)
    return allow(answered, request, clients.find(sent.get("client_id", "")))


def allow(response: Response, request: Request, client: Client | None) -> Response:
    """Let a page of `client` read `response`; an error before the client is known can be read by nobody."""
    origin = request.header("Origin")
    if origin and client is not None and client.is_public and origin in {redirects.origin(uri) for uri in client.redirect_uris}:
        response.headers += [
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After"),
            ("Vary", "Origin"),
        ]
    return response
