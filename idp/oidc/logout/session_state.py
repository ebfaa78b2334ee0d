"""How a relying party's page notices by itself that somebody has signed out (OpenID Connect Session Management 1.0).

https://openid.net/specs/openid-connect-session-1_0.html. An authorization answer carries `session_state`: a salted hash over the client,
the origin of its page and the state of the browser, a cookie of ours that scripts can read. The page of `/check_session` lies in a frame
of the relying party's page, is asked by `postMessage`, and makes the hash again. It learns nothing that the cookie does not say, and the
asker nothing but `unchanged`, `changed` or `error`.

NOTE: to the frame our cookie is a third party's. Where a browser keeps those from it, there is no way to tell, and the answer is `error`: a
`changed` would sign everybody out who is in. Back-channel logout works in every browser.
"""

from __future__ import annotations

import hashlib
import secrets

from idp.delegation import redirects
from idp.delegation.scopes import OPENID
from idp.oidc.steps.journey import Journey
from idp.web.cookies import FOR_SCRIPTS, browser_state, cookie_name
from idp.web.headers import every_headers
from idp.web.http import Answer, Request, Response
from idp.web.pages import static_url

# Framed by anybody, so without `frame-ancestors`: there is nothing to press and nothing to read on it.
HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "public, max-age=300"),
    ("Content-Security-Policy", "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
)


def parameters(journey: Journey) -> dict[str, str]:
    """What a successful authorization answer says beside the rest (§3): `session_state`; nothing to an app that is no web page."""
    request, asked = journey.request, journey.asked
    origin = redirects.origin(asked.redirect_uri) if OPENID in asked.scopes else None
    if origin is None:
        return {}
    salt = secrets.token_urlsafe(9)
    told = f"{asked.client_id} {origin} {browser_state(request.cookie('session'))} {salt}"
    return {"session_state": f"{hashlib.sha256(told.encode()).hexdigest()}.{salt}"}


def settle(request: Request, answer: Answer, said: dict[str, str]) -> None:
    """Where that was `said`: give this browser the state of its session, if it has lost it or never had it."""
    state = browser_state(request.cookie("session")) if said else ""
    if state and request.cookie(FOR_SCRIPTS) != state:
        answer.set_cookie(FOR_SCRIPTS, state)


def check_session(request: Request) -> Response:
    """`/check_session`: the page for the frame. The hash is made in the browser; nothing is asked of us."""
    del request
    script = f'<script src="{static_url("check-session.js")}" data-cookie="{cookie_name(FOR_SCRIPTS)}"></script>'
    body = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Session</title>{script}</head></html>\n'
    return Response(body.encode(), headers=[*HEADERS, *every_headers()])
