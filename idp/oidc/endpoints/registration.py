"""`/register`: clients register themselves (RFC 7591, OpenID Connect Registration 1.0), and look after their registration (RFC 7592).

mode      open: anybody; token: with an initial access token; off: nobody
bounds    so many of a network and in all; 64 KiB; what nobody uses goes again
answer    what was registered, all of it. The secret stands in it this once; afterwards no answer of ours has it (case 48)
"""

from __future__ import annotations

import json
import re
from typing import Any

from idp.config import settings
from idp.delegation import client_metadata, clients, dynamic_clients, initial_tokens, software_statements
from idp.delegation.client_metadata import refuse
from idp.delegation.clients import Client
from idp.errors import N_, BadInput, Conflict, NotFound, OAuthRefusal, TooLarge
from idp.oidc.endpoints import cors
from idp.web.faces import json_response
from idp.web.http import Request, Response

CREATED, NO_CONTENT, FORBIDDEN = 201, 204, 403
BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9\-._~+/]+=*)")
UNKEPT = re.compile(r"\\u0000|[\ud800-\udfff]")  # what no database takes as text, as JSON writes it


def register(request: Request) -> Response:
    """`POST /register`. Raises OAuthRefusal, TooManyTries; NotFound where it is off."""
    if request.method == "OPTIONS":
        return cors.preflight(request)
    try:
        answered = _register(request)
    except OAuthRefusal as refusal:  # it names nobody: a page that registers itself may read what is wrong
        refused = {"error": refusal.error, "error_description": refusal.description}
        answered = json_response(refused, status=refusal.http_status, headers=refusal.headers)
    answered.headers += cors.ANYBODY
    return answered


def _register(request: Request) -> Response:
    mode = settings().registration.mode
    if mode == "off":
        raise NotFound(N_("Nobody registers here but the operator."))
    token = _bearer(request)
    if mode == "token" and not token:
        raise _unauthorized(token, "Send an initial access token of the operator (Bearer).")
    described = _body(request)
    given = software_statements.applied(described)  # a signature is looked at before the transaction begins
    initial = initial_tokens.find(token) if token else None
    if (mode == "token" or token) and initial is None:
        raise _unauthorized(
            token, "Send an initial access token of the operator (Bearer); this one is not valid, has expired or is used up."
        )
    try:
        made = dynamic_clients.register(given, network=request.network, initial_token=initial)
    except Conflict as used:
        raise _unauthorized(token, "The initial access token was used up a moment ago.") from used
    shown = _shown(made.client, made.token, made.secret)
    if "software_statement" in described:  # as it came (RFC 7591 §3.2.1)
        shown["software_statement"] = described["software_statement"]
    return json_response(shown, status=CREATED)


def look_after(request: Request, client_id: str) -> Response:
    """`GET`, `PUT` and `DELETE /register/<client_id>`, with the token of that registration. Raises OAuthRefusal."""
    token = _bearer(request)
    given, wrong = {}, None
    if request.method == "PUT" and token:
        try:  # a signature is looked at before the transaction begins; what is wrong is told to the owner only
            given = software_statements.applied(_body(request))
        except OAuthRefusal as refusal:
            wrong = refusal
    owner = dynamic_clients.find_owner(token)
    if owner is None:
        raise _unauthorized(
            token, "Send the registration_access_token of this client (Bearer). This one is not valid, or the client is gone."
        )
    if owner.id != client_id:
        raise OAuthRefusal("insufficient_scope", "This registration_access_token is for another client.", status=FORBIDDEN)
    if request.method == "DELETE":
        clients.delete(owner.id, why="itself")
        return Response(status=NO_CONTENT, headers=[("Cache-Control", "no-store")])
    if request.method == "PUT":
        if wrong is not None:
            raise wrong
        owner, secret = dynamic_clients.replace(owner, given)
        return json_response(_shown(owner, token, secret))
    return json_response(_shown(owner, token, None))


def _shown(client: Client, token: str, secret: str | None) -> dict[str, Any]:
    """RFC 7591 §3.2.1, RFC 7592 §3: the token is the one that was sent, or has just been made."""
    return {
        **client_metadata.written(client),
        **({"client_secret": secret, "client_secret_expires_at": 0} if secret is not None else {}),
        "registration_access_token": token,
        "registration_client_uri": f"{settings().server.issuer}/register/{client.id}",
    }


def _bearer(request: Request) -> str:
    """The token of the header, or an empty text. Never from the address, where logs would keep it."""
    match = BEARER.fullmatch(request.header("Authorization"))
    return match[1] if match else ""


def _unauthorized(token: str, description: str) -> OAuthRefusal:
    """RFC 6750 §3: without an error where nothing was sent."""
    said = f', error="invalid_token", error_description="{description}"' if token else ""
    return OAuthRefusal("invalid_token", description, status=401, headers=(("WWW-Authenticate", f'Bearer realm="idp"{said}'),))


def _body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent; raises OAuthRefusal."""
    if request.content_type != "application/json":
        raise refuse("Send the metadata as application/json.")
    try:
        given = json.loads(request.body.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_once)
        texts = json.dumps(given, ensure_ascii=False)
    except TooLarge as e:
        raise refuse("The metadata is too large.") from e
    except BadInput as e:
        raise refuse("The body cannot be read.") from e
    except (ValueError, RecursionError) as e:
        raise refuse("The body is not JSON in UTF-8, or names a member twice.") from e
    if not isinstance(given, dict) or UNKEPT.search(texts):
        raise refuse("The body is a JSON object of metadata, whose texts hold no control characters.")
    return given


def _no_number(_: str) -> None:
    raise ValueError("no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Nobody picks one of two silently."""
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member twice")
    return dict(pairs)
