"""`/userinfo` (OpenID Connect Core §5.3, RFC 6750): who the person is at this moment, for a client that holds an access token."""

from __future__ import annotations

import re

from idp import keyring
from idp.config import settings
from idp.delegation import claims, clients, scopes, tokens
from idp.errors import OAuthRefusal
from idp.oidc import guard
from idp.oidc.endpoints import cors
from idp.web.faces import json_response
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
    opened = keyring.verify(token, typ="at+jwt", audience=settings().server.issuer)
    if opened is None:
        raise refuse("invalid_token", "The access token is not valid, or has expired.")
    client = clients.find(str(opened.get("client_id")))
    found = tokens.find_present(opened.get("jti"), user_id=opened.get("sub"), client_id=opened.get("client_id"))
    if client is None or found is None:
        raise refuse("invalid_token", "What this access token stood for has ended.")
    granted = tuple(str(opened.get("scope", "")).split())
    if scopes.OPENID not in granted:
        raise refuse("insufficient_scope", "The access token needs the scope openid.", status=403)
    if opened.get("account_id") != (found.standing.account_id if found.standing else None):
        raise refuse("invalid_token", "This access token is for an account that was changed since. Use the newer one.")
    return cors.allow(json_response(claims.userinfo(client, found, granted)), request, client)


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
        raise OAuthRefusal("invalid_token", "Send an access token.", status=401, headers=(("WWW-Authenticate", 'Bearer realm="idp"'),))
    return sent


def refuse(error: str, description: str, *, status: int = 401) -> OAuthRefusal:
    """A refusal with the challenge of RFC 6750 §3."""
    challenge = f'Bearer realm="idp", error="{error}", error_description="{description}"'
    return OAuthRefusal(error, description, status=status, headers=(("WWW-Authenticate", challenge),))
