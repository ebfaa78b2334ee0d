"""What every page of a portal has: its language, the session's cookie, the form token, the headers, and a face for what goes wrong."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, abort, g, redirect, render_template, request
from markupsafe import Markup
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from clients import person as people
from clients import texts
from clients.provider import Provider, SignedOut
from clients.settings import LOOPBACK, Settings
from clients.store import Session, Store
from clients.texts import N_

# A path of our own: no scheme, no host, no backslash, nothing a browser could read as another site.
OWN_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9_\-./?=&%]*")

PROBLEMS = {
    400: (N_("That did not work"), N_("The address or form was not complete. Go back and try again.")),
    403: (N_("This form is too old"), N_("You signed in or out since it was opened. Go back, reload the page and try again.")),
    404: (N_("There is no such page"), N_("The address may be mistyped, or the page has moved.")),
    405: (N_("That did not work"), N_("This address is not opened this way. Begin at the first page.")),
    413: (N_("That did not work"), N_("What was sent is too large.")),
    500: (N_("Something broke on our side"), N_("It has been written down. Try again in a minute.")),
}


@dataclass(frozen=True)
class Furniture:
    """What the pages of one portal need to know."""

    title: str
    settings: Settings
    store: Store
    provider: Provider


def furnish(app: Flask, furniture: Furniture) -> None:
    """Give the app's pages all of the above."""
    settings, store = furniture.settings, furniture.store
    cookie = ("__Host-" if settings.secure else "") + f"{settings.name}_session"
    language_cookie = ("__Host-" if settings.secure else "") + f"{settings.name}_language"
    flags: dict[str, Any] = {"secure": settings.secure, "httponly": True, "samesite": "Lax", "path": "/"}

    @app.before_request
    def arrive() -> AnyResponse | None:
        g.visit, g.secret, g.person, g.new_secret = None, "", None, None
        g.language = _language(request.args.get("lang"), request.cookies.get(language_cookie))
        if request.endpoint in {"static", "live", "backchannel_logout"}:
            return None
        # localhost and 127.0.0.1 are two hosts to a cookie: a sign-in begun at one would not be known at the other.
        own = settings.url.partition("//")[2]
        if request.host != own and {_hostname(request.host), _hostname(own)} <= LOOPBACK and request.method == "GET":
            return redirect(settings.url + request.full_path.rstrip("?"), 302)
        g.secret = request.cookies.get(cookie, "")
        g.visit = store.find(g.secret) if g.secret else None
        if g.visit is not None and g.visit.ended and request.endpoint not in {"sign_in", "callback", "signed_out"}:
            raise SignedOut  # the provider said so; who was here learns it from their next click
        if request.method == "POST":
            sent = request.form.get("form_token", "")
            if not g.visit or not hmac.compare_digest(sent.encode(), form_token().encode()):
                abort(403)
        return None

    @app.after_request
    def leave(response: Response) -> Response:
        if request.endpoint == "static":
            response.headers["Cache-Control"] = "public, max-age=300"
        else:
            response.headers["Cache-Control"] = "no-store"
            if request.args.get("lang") == g.language:
                response.set_cookie(language_cookie, g.language, max_age=365 * 24 * 60 * 60, **flags)
            if g.new_secret:
                response.set_cookie(cookie, g.new_secret, **flags)
            elif g.secret and g.visit is None:
                response.delete_cookie(cookie, **flags)
        response.headers.update(_headers(settings, furniture.provider))
        return response

    @app.errorhandler(HTTPException)
    def problem(error: HTTPException) -> tuple[str, int]:
        code = error.code or 500
        title, message = PROBLEMS.get(code, PROBLEMS[500 if code >= 500 else 400])
        return render_template("pages/problem.html", title=title, message=message, button=N_("To the first page"), action="/"), code

    @app.context_processor
    def context() -> dict[str, Any]:
        def _(text: str, **params: object) -> str:
            return texts.translate(g.language, text, **params)

        return {
            "_": _,
            "lang": g.language,
            "languages": [(code, name, f"{_here()}?{urlencode({'lang': code})}") for code, name in texts.LANGUAGES.items()],
            "portal_title": furniture.title,
            "links": {name: url for name, url in settings.links.items() if name != settings.name},
            "form_token": Markup('<input type="hidden" name="form_token" value="{}">').format(form_token()) if g.secret else "",
            "person": g.person,
            "initials": people.initials,
            "role_title": lambda role: _(people.ROLES[role][0]) if role in people.ROLES else role or "",
            "role_within": lambda role: _(people.ROLES[role][1]) if role in people.ROLES else role or "",
            "status": lambda key: people.STATUSES.get(key, ("", key)),
            "company_type": lambda key: _(people.TYPES[key]) if key in people.TYPES else key,
            "money": lambda amount: texts.money(g.language, amount),
            "number": lambda value: texts.number(g.language, value),
            "day": lambda value: texts.day(g.language, value),
        }


def know(secret: str, session: Session) -> None:
    """From this answer on the browser holds `secret`."""
    g.secret = g.new_secret = secret
    g.visit = session


def forget() -> None:
    """From this answer on the browser holds nothing."""
    g.visit, g.new_secret = None, None


def form_token() -> str:
    """What a form must send back: derived from the cookie, which another site can neither read nor guess."""
    return hmac.new(g.secret.encode(), b"form", hashlib.sha256).hexdigest()


def own_path(wanted: str | None) -> str:
    """`wanted` when it is a path of this portal, else the first page: no open redirector."""
    return wanted if wanted and OWN_PATH.fullmatch(wanted) else "/"


def _here() -> str:
    return request.path if request.method == "GET" and request.endpoint not in {None, "callback", "sign_in"} else "/"


def _hostname(host: str) -> str:
    return host.rpartition(":")[0].strip("[]") if ":" in host and not host.endswith("]") else host.strip("[]")


def _language(asked: str | None, remembered: str | None) -> str:
    for wanted in (asked, remembered):
        if wanted in texts.LANGUAGES:
            return wanted
    return texts.negotiate(tag for tag, _ in request.accept_languages) or texts.DEFAULT


def _headers(settings: Settings, provider: Provider) -> dict[str, str]:
    # form-action counts for the redirects that follow a form, too: sign-out and switching lead to the provider.
    targets = " ".join(["'self'", *provider.origins()])
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; "
            f"form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    }
    if settings.secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers
