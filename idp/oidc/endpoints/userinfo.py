"""`/userinfo` (OpenID Connect Core §5.3, RFC 6750): who the person is at this moment, for a client that holds an access token.

JSON, or a JWT where the client is registered for one, signed or encrypted; its `Accept` decides nothing.
"""

from __future__ import annotations

import re

from idp.delegation import access_tokens, answers, claims, scopes
from idp.errors import OAuthRefusal
from idp.oidc import guard
from idp.oidc.endpoints import cors
from idp.oidc.endpoints.protected_resource import challenge
from idp.web.faces import json_response, text_response
from idp.web.http import Request, Response

BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9\-._~+/]+=*)")


def userinfo(request: Request) -> Response:
    """The claims that the token's scopes give, from the directory as it is now. The token comes in the header, or in a POST's body."""
    if request.method == "OPTIONS":
        return cors.preflight(request)
    try:
        return _answer(request)
    except OAuthRefusal as refusal:  # it holds nothing of anybody: a page may read that its token has expired, and refresh
        refused = {"error": refusal.error, "error_description": refusal.description}
        answered = json_response(refused, status=refusal.http_status, headers=refusal.headers)
        answered.headers += [*cors.ANYBODY, ("Access-Control-Expose-Headers", "WWW-Authenticate")]
        return answered


def _answer(request: Request) -> Response:
    token = _token(request)
    opened = access_tokens.find(token)
    if opened is None:
        raise refuse("invalid_token", "The access token is not valid, has expired, or what it stood for has ended.")
    if opened.found is None:
        raise refuse("invalid_token", "This access token is a client's own. Nobody signed in.")
    if scopes.OPENID not in opened.scopes:
        raise refuse("insufficient_scope", "The access token needs the scope openid.", status=403)
    content = claims.userinfo(opened.client, opened.found, opened.scopes)
    wrapped = answers.userinfo(opened.client, content)
    answered = json_response(content) if wrapped is None else text_response(wrapped, "application/jwt")
    return cors.allow(answered, request, opened.client)


def _token(request: Request) -> str:
    """The one access token of the request (RFC 6750 §2); never from the address, where logs would keep it."""
    if "access_token" in request.query:
        raise refuse("invalid_request", "Send the access token in the Authorization header, not in the address.", status=400)
    header = request.header("Authorization")
    sent = guard.one_of_each(request.form).get("access_token") if request.is_post else None
    if header and sent:
        raise refuse("invalid_request", "The access token was sent in two ways. Use one.", status=400)
    if header:
        match = BEARER.fullmatch(header)
        if match is None:
            raise refuse("invalid_request", "The Authorization header is not: Bearer, a space, the access token.", status=400)
        return match[1]
    if not sent:
        # Without any token: a challenge and no error code (RFC 6750 §3.1).
        raise OAuthRefusal("invalid_token", "Send an access token.", status=401, headers=challenge())
    return sent


def refuse(error: str, description: str, *, status: int = 401) -> OAuthRefusal:
    """A refusal with the challenge of RFC 6750 §3."""
    return OAuthRefusal(error, description, status=status, headers=challenge(error, description))
