"""The one place where a refusal is given a face: a page for a person, JSON for a program, an OAuth error for a client."""

from __future__ import annotations

import json
from typing import Literal

from idp import clock, languages
from idp.errors import OAuthRefusal, Refusal, TooManyTries, Unavailable
from idp.web.headers import NO_STORE, every_headers
from idp.web.http import Answer, Page, Request, Response
from idp.web.pages import language_of

Face = Literal["page", "json"]
JSON_TYPE = ("Content-Type", "application/json")


def json_response(value: object, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """A JSON answer that no cache keeps (RFC 6749 §5.1)."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status=status, headers=[JSON_TYPE, NO_STORE, ("Pragma", "no-cache"), *every_headers(), *headers])


def text_response(text: str, kind: str) -> Response:
    """An answer that is a text of this media type, and that no cache keeps."""
    return Response(text.encode(), headers=[("Content-Type", kind), NO_STORE, ("Pragma", "no-cache"), *every_headers()])


def status_of(refusal: Refusal) -> int:
    """The HTTP status of a refusal."""
    return refusal.http_status if isinstance(refusal, OAuthRefusal) else refusal.status


def refusal_answer(refusal: Refusal, request: Request, face: Face) -> Answer:
    """`refusal` as `face` shows it, with `Retry-After` where waiting helps."""
    answer = _as_json(refusal) if face == "json" else _as_page(refusal, request)
    if isinstance(refusal, TooManyTries | Unavailable):
        answer.headers.append(("Retry-After", str(refusal.retry_after)))
    return answer


def _as_json(refusal: Refusal) -> Response:
    """RFC 6749 §5.2. The description is English and holds nothing of what was sent."""
    if isinstance(refusal, OAuthRefusal):
        return json_response(
            {"error": refusal.error, "error_description": refusal.description}, status=refusal.http_status, headers=refusal.headers
        )
    description = refusal.message % refusal.params if refusal.params else refusal.message
    return json_response({"error": refusal.error, "error_description": description}, status=refusal.status)


def _as_page(refusal: Refusal, request: Request) -> Page:
    language = language_of(request)

    def translate(text: str, **params: object) -> str:
        return languages.gettext(language, text, **params)

    return Page(
        "errors/refusal.html",
        status=status_of(refusal),
        title=translate(refusal.title, **refusal.params),
        message=refusal.text(translate),
        error=refusal.error,
        description=refusal.description if isinstance(refusal, OAuthRefusal) else None,
        at=clock.now(),
        client_id=refusal.shown.get("client_id"),
        client_name=refusal.shown.get("client_name"),
        client_logo=refusal.shown.get("client_logo"),
        restart_url=refusal.shown.get("restart_url"),
        support_url=refusal.shown.get("support_url"),
        help_url=refusal.shown.get("help_url"),
    )
