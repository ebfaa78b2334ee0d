"""Put together: settings, keys, database, routes, faces. `create_wsgi` is what a server loads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from flask import Request as FlaskRequest
from flask import Response as FlaskResponse
from flask import request as flask_request
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Rule

from idp import config, crypto, telemetry, throttle
from idp.config import Settings
from idp.db.session import connect_application
from idp.errors import NotAllowedMethod, NotFound, Refusal
from idp.routes import ROUTES
from idp.web.faces import refusal_answer
from idp.web.http import Request, Response
from idp.web.serve import Route, answer, finish, write

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def create_app(settings: Settings | None = None) -> Flask:
    """The application with its database and its pages; machines' endpoints are in front of it, see `create_wsgi`."""
    chosen = settings or config.settings()
    config.use(chosen)
    telemetry.set_up(chosen.telemetry)
    crypto.load_keys(chosen.keys.folder)
    throttle.use(chosen.redis)
    app = Flask("idp", static_folder=None, template_folder=None)
    # An address is what stands on the page of routes. Others werkzeug would tidy up by a 308 to the host that the Host header names (case
    # 89), and a 308 sends a form on (RFC 9700 §4.12).
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    app.url_rule_class = _Address
    app.session_interface = _NoSessions()
    connect_application(app, chosen.database, threads=chosen.server.threads)
    for route in ROUTES:
        if not route.direct:
            endpoint = f"{' '.join(route.methods)} {route.path}"
            app.add_url_rule(
                route.path, endpoint.replace(".", "_"), _as_flask_view(route), methods=list(route.methods), provide_automatic_options=False
            )
    app.register_error_handler(HTTPException, _not_routed)
    return app


class _Address(Rule):
    """A rule by which addresses are read. None is ever built from it (`url_for`): what werkzeug compiles for that is half of a start."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: ARG002 - its signature
        return _not_built


def _not_built(*_: object) -> tuple[str, str]:
    raise RuntimeError("addresses are written where they are used: nothing builds one from a rule")


def _as_flask_view(route: Route) -> Callable[..., FlaskResponse]:
    def view(**params: str) -> FlaskResponse:
        return _Finished(answer(route, Request(flask_request.environ), params))

    return view


class _Finished(FlaskResponse):
    """An answer of ours on its way through Flask, which has nothing left to do with it."""

    def __init__(self, response: Response) -> None:
        self.finished = response

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Hand it to the server as it is."""
        return write(self.finished, start_response, head=environ["REQUEST_METHOD"] == "HEAD")


class _NoSessions(SessionInterface):
    """Flask's signed cookie is neither read nor written: a session is a row (`login.session`)."""

    def open_session(self, app: Flask, request: FlaskRequest) -> SessionMixin:  # noqa: ARG002 - Flask's signature
        """One that holds nothing and is the same for everybody."""
        return _NOTHING

    def is_null_session(self, obj: object) -> bool:
        """So nothing is saved."""
        return obj is _NOTHING


_NOTHING = SessionInterface.null_session_class()


def _not_routed(e: HTTPException) -> FlaskResponse:
    request = Request(flask_request.environ)
    telemetry.bind(request_id=request.request_id)
    refusal: Refusal = NotAllowedMethod() if isinstance(e, MethodNotAllowed) else NotFound()
    return _Finished(finish(refusal_answer(refusal, request, "page"), request))


def create_wsgi(settings: Settings | None = None, app: Flask | None = None) -> WSGI:
    """The whole provider as one WSGI callable: machines' endpoints first, everything else is Flask's."""
    app = app or create_app(settings)
    direct = {route.path: route for route in ROUTES if route.direct}
    pages = app.wsgi_app

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        route = direct.get(environ.get("PATH_INFO", ""))
        if route is None:
            return pages(environ, start_response)
        request = Request(environ)
        with app.app_context():
            if request.method in route.methods or (request.method == "HEAD" and "GET" in route.methods):
                return write(answer(route, request, {}), start_response, head=request.method == "HEAD")
            telemetry.bind(request_id=request.request_id)
            refused = finish(refusal_answer(NotAllowedMethod(), request, route.face), request)
            refused.headers.append(("Allow", ", ".join(route.methods)))
            return write(refused, start_response)

    return serve
