"""A portal: a relying party with the routes that all of them share. What a developer of another one would copy.

    /            what the portal is, or its first page once signed in (each portal's own)
    /sign-in     to the provider and back: the code flow with state, nonce and PKCE; `?company=` names the company
    /callback    the way back: state, issuer, ID token; then the session gets a new id
    /company     POST: another company, silently by refresh, else by way of the browser
    /sign-out    POST: here first, then at the provider
    /signed-out  where the provider sends people after that
    /backchannel-logout  POST, by the provider's server: somebody has signed out there, so they are signed out here at once

Tokens stay on the server (`store.py`); all talk with the provider is in `provider.py`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import Flask, g, redirect, render_template, request
from werkzeug.wrappers import Response

from clients import pages
from clients import person as people
from clients.logout_token import BadToken
from clients.provider import ASK_THE_PERSON, Provider, Refused, SignedOut, Unavailable
from clients.settings import Settings
from clients.store import Store
from clients.texts import N_

# What /sign-in hands on to the provider; the rest of its query is nobody's business.
PROMPTS = {"select_account", "login", "create"}
log = logging.getLogger(__name__)
View = TypeVar("View", bound=Callable[..., Any])
Answer = Response | str | tuple[str, int]


@dataclass(frozen=True)
class Portal:
    """What makes one portal differ from another: `title` and `about` are texts, `scope` is what it asks for."""

    name: str
    title: str
    about: str
    scope: str


def create(portal: Portal, settings: Settings) -> Flask:
    """The app with the shared routes. The portal adds its own, each under `signed_in`."""
    app = Flask("clients", template_folder="templates", static_folder="static")
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    store = Store(settings.store)
    provider = Provider(app, settings, store, portal.scope)
    app.extensions["portal"] = provider
    pages.furnish(app, pages.Furniture(portal.title, settings, store, provider))
    _share_routes(app, settings, store, provider)
    _share_refusals(app, store)
    return app


def signed_in(provider: Provider) -> Callable[[View], View]:
    """A view under this one has `g.person`, as the provider knows them at this moment; others are sent to sign in."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if g.visit is None or g.visit.tokens is None:
                return _to_provider(provider, next_=request.full_path.rstrip("?"))
            g.person = people.read(provider.person(g.visit))
            return view(*args, **kwargs)

        return wrapper  # type: ignore[return-value]

    return decorate


def _share_routes(app: Flask, settings: Settings, store: Store, provider: Provider) -> None:
    @app.before_request
    def open_visit() -> None:
        # Only a browser that begins something needs a session; a look at the first page sets no cookie.
        if g.visit is None and request.endpoint == "sign_in":
            pages.know(*store.begin())

    @app.get("/sign-in")
    def sign_in() -> Answer:
        # OpenID Connect Core §4: others may start a sign-in here; with somebody else's issuer they may not.
        if request.args.get("iss", settings.issuer) != settings.issuer:
            return redirect("/", 303)
        prompt = request.args.get("prompt")
        target = request.args.get("target_link_uri", "")
        return _to_provider(
            provider,
            next_=target.removeprefix(settings.url) if target.startswith(settings.url) else request.args.get("next"),
            company=request.args.get("company"),
            prompt=prompt if prompt in PROMPTS else None,
            login_hint=request.args.get("login_hint"),
            invitation=request.args.get("invitation"),
        )

    @app.get("/callback")
    def callback() -> Answer:
        begun = provider.begun()
        if begun is None:
            # Pressed twice, or came back late. Nothing is taken from an answer that this browser did not ask for.
            if g.visit and g.visit.tokens:
                return redirect("/", 303)
            return _problem(
                N_("This sign-in is not known here"), N_("It took too long, or was begun in another browser. Begin again."), 400
            )
        try:
            tokens = provider.finish()
        except Refused as refused:
            if begun["prompt"] == "none" and refused.error in ASK_THE_PERSON:
                return _to_provider(provider, next_=begun["next"], company=begun["company"])
            return _refused(refused)
        if begun["company"] and tokens["company_id"] != begun["company"]:
            return _refused(Refused("access_denied", "Another company came back than was asked for."))
        pages.know(*store.sign_in(g.visit, tokens))
        return redirect(pages.own_path(begun["next"]), 303)

    @app.post("/company")
    def switch() -> Answer:
        company = request.form.get("company", "")
        if not company or g.visit.tokens is None:
            return redirect("/", 303)
        try:
            provider.switch(g.visit, company)
        except Refused:
            return _to_provider(provider, company=company, prompt="none")
        return redirect("/", 303)

    @app.post("/sign-out")
    def sign_out() -> Answer:
        tokens = g.visit.tokens
        store.drop(g.visit.digest)
        if tokens is None:
            pages.forget()
            return redirect("/signed-out", 303)
        pages.know(*store.begin())
        try:
            return redirect(provider.end_session(tokens, language=g.language), 303)
        except Unavailable:
            # Signed out here in any case; say that the provider's own session may still be open.
            return redirect("/signed-out?only=here", 303)

    @app.get("/signed-out")
    def signed_out() -> Answer:
        back = provider.begun()
        if back and g.visit.tokens is None:
            store.drop(g.visit.digest)
            pages.forget()
        return render_template("pages/signed_out.html", everywhere=bool(back), only_here=request.args.get("only") == "here")

    @app.post("/backchannel-logout")
    def backchannel_logout() -> tuple[dict[str, str], int]:
        # OpenID Connect Back-Channel Logout §2.5 to §2.8. No cookie and no form token: who asks is the provider's server, and proves it by
        # the signature alone. Nobody who has no session here is no error: they may have signed out here first.
        try:
            told = provider.logout_token(request.form.get("logout_token", ""))
        except BadToken as bad:
            log.warning("a logout token was refused: %s", bad)
            return {"error": "invalid_request", "error_description": "This logout token is not valid."}, 400
        except Unavailable:
            return {"error": "temporarily_unavailable"}, 503  # its keys could not be fetched: the provider tries again
        if not store.is_first(told.jti, told.expires_at):
            return {"error": "invalid_request", "error_description": "This logout token was here before."}, 400
        store.end(sub=told.sub, sid=told.sid)
        return {}, 200

    @app.get("/health/live")
    def live() -> str:
        return "ok"


def _share_refusals(app: Flask, store: Store) -> None:
    @app.errorhandler(SignedOut)
    def ended(_: SignedOut) -> Answer:
        if g.visit:
            store.drop(g.visit.digest)
        pages.forget()
        return _problem(
            N_("You have been signed out"),
            N_("Your session has ended: you signed out elsewhere, or your access was changed. Sign in again to go on."),
            401,
            button=N_("Sign in"),
            action="/sign-in?" + urlencode({"next": request.path}) if request.method == "GET" else "/sign-in",
        )

    @app.errorhandler(Unavailable)
    def unavailable(_: Unavailable) -> Answer:
        return _problem(
            N_("The sign-in service does not answer"),
            N_("We cannot check who you are at the moment, so nothing is shown. Try again in a minute."),
            503,
            button=N_("Try again"),
            action=request.path if request.method == "GET" and request.endpoint != "callback" else "/",
        )

    @app.errorhandler(Refused)
    def refused(error: Refused) -> Answer:
        provider: Provider = app.extensions["portal"]
        if error.error in ASK_THE_PERSON and request.method == "GET":
            return _to_provider(provider, next_=request.full_path.rstrip("?"))
        return _refused(error)


def _to_provider(provider: Provider, *, next_: str | None = "/", **wishes: str | None) -> Response:
    """Send the browser to sign in; `wishes` are parameters such as `company` and `prompt`."""
    keep = {"next": pages.own_path(next_), "company": wishes.get("company"), "prompt": wishes.get("prompt")}
    return redirect(provider.begin(language=g.language, keep=keep, **wishes), 303)


def _refused(refused: Refused) -> Answer:
    if refused.error == "access_denied":
        title, message = N_("You were not let in"), N_("Sign-in was refused or cancelled. You can try again, or choose another account.")
    else:
        title, message = N_("Sign-in did not work"), N_("Nothing is lost. Begin again; if it happens twice, tell support the code below.")
    return _problem(title, message, 403 if refused.error == "access_denied" else 400, refused=refused, other_account=True)


def _problem(title: str, message: str, code: int, **more: Any) -> tuple[str, int]:
    """A page that says what happened and what to do; `button` and `action` are its way on."""
    more = {"button": N_("Sign in again"), "action": "/sign-in", "still_in": g.visit is not None and g.visit.tokens is not None, **more}
    return render_template("pages/problem.html", title=title, message=message, **more), code
