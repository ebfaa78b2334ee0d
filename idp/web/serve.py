"""One request, from its route to its bytes: the unit of work, the check of the form, the faces, the log line.

A view that finds in its unit that something has to be fetched first says so (`errors.First`), and runs again once it is there.

Order matters: the view runs, the unit is committed, and only then are templates rendered. What the view could not know (the database is
away, a bug) ends here too, and never as a stack trace on a page.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from idp import telemetry
from idp.db.session import places, reads, writes
from idp.errors import N_, First, Refusal, Unavailable
from idp.web import csrf
from idp.web.faces import Face, refusal_answer, status_of
from idp.web.headers import every_headers
from idp.web.http import Answer, Elsewhere, Page, Request, Response
from idp.web.pages import render

log = logging.getLogger("idp.web")
Mode = Literal["reads", "writes", "none"]
UNITS: dict[str, Callable[[], Any]] = {"reads": reads, "writes": writes}
REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    303: "See Other",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    413: "Content Too Large",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
SERVER_ERROR = 500
FIRSTS = 4  # how often one request may begin anew: its address, its keys, and once for luck


@dataclass(frozen=True, slots=True)
class Route:
    """One address: who serves it, for which methods, what it does to the database, and how its refusals look.

    `checked`: a POST must carry the token of our own form. `direct`: machines call it, so it is served before Flask's request machinery.
    `largest`: bytes that its body may have where it takes files; 0: it takes none, and `[server] max_body` holds.
    """

    path: str
    view: Callable[..., Answer]
    methods: tuple[str, ...]
    mode: Mode
    face: Face = "page"
    checked: bool = True
    direct: bool = False
    largest: int = 0


class _Broken(Refusal):
    """A fault of ours. The request id leads to the log, where the rest is."""

    status = 500
    error = "server_error"
    title = N_("Something broke on our side")
    message = N_("Try again in a minute. If it happens again, send support the details below.")


def answer(route: Route, request: Request, params: dict[str, str]) -> Response:
    """The finished answer to `request`; never raises. Needs an application context."""
    began = time.perf_counter()
    telemetry.bind(request_id=request.request_id)
    request.largest = route.largest
    try:
        response = finish(_view(route, request, params), request)
    except Elsewhere as first:
        response = finish(first.answer, request)
    except Refusal as refusal:
        response = _refused(refusal, request, route.face)
    except (OperationalError, InterfaceError, PoolTimeout) as e:
        log.warning("database_unavailable", extra={"kind": type(getattr(e, "orig", None) or e).__name__, "route": route.path})
        response = _refused(Unavailable(detail="the database did not answer"), request, route.face)
    except Exception:
        log.exception("broken", extra={"route": route.path})
        response = _refused(_Broken(), request, route.face)
    telemetry.observe_request(request.method, route.path, response.status, time.perf_counter() - began)
    return response


def _view(route: Route, request: Request, params: dict[str, str]) -> Answer:
    if route.mode == "none":
        return _seen(route, request, params)
    for _ in range(FIRSTS):
        try:
            with places(), UNITS[route.mode]():
                return _seen(route, request, params)
        except First as first:
            first.do()
    raise Unavailable(detail="what comes first is never done")


def _seen(route: Route, request: Request, params: dict[str, str]) -> Answer:
    if route.checked and request.is_post:
        csrf.require(request)
    return route.view(request, **params)


def finish(given: Answer, request: Request) -> Response:
    """The bytes of an answer, with the headers that every answer has."""
    if isinstance(given, Page):
        given = render(given, request)
    if not isinstance(given, Response):
        raise TypeError("a view gives a Response or a Page")
    if not any(name == "X-Content-Type-Options" for name, _ in given.headers):
        given.headers.extend(every_headers())
    given.headers.append(("X-Request-Id", request.request_id))
    return given


def _refused(refusal: Refusal, request: Request, face: Face) -> Response:
    level = logging.ERROR if status_of(refusal) >= SERVER_ERROR else logging.INFO
    log.log(level, "refused", extra={"error": refusal.error, "detail": refusal.detail, "status": status_of(refusal)})
    return finish(refusal_answer(refusal, request, face), request)


def write(response: Response, start_response: Callable[..., Any], *, head: bool = False) -> list[bytes]:
    """Hand the answer to the WSGI server; of a HEAD request only what is known about the body."""
    status = f"{response.status} {REASONS.get(response.status, 'Answer')}"
    start_response(status, [*response.headers, ("Content-Length", str(len(response.body)))])
    return [] if head else [response.body]
