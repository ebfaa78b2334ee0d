"""Connected apps: what each may see of the person, in plain words, since when; and the end of it."""

from __future__ import annotations

from typing import Any

from idp import languages
from idp.account import entry, shell
from idp.account.entry import Me
from idp.delegation import apps, clients, resources
from idp.delegation.apps import App
from idp.directory import accounts
from idp.errors import N_, NotFound
from idp.oidc.endpoints.account import initials, row
from idp.oidc.endpoints.consent import DONE, SEEN
from idp.web.http import Answer, Request, see_other
from idp.web.pages import language_of

LIST = "/account/apps"
NOT_CONNECTED = N_("This app is not connected to your ID.")


def show(request: Request) -> Answer:
    """`GET /account/apps`: the list."""
    me = entry.enter(request)
    language = language_of(request)
    shown = [_shown(app, client, language) for app in apps.of_person(me.id) if (client := clients.find(app.client_id))]
    return shell.page(me, "account/apps.html", section="apps", apps=shown)


def show_one(request: Request, client_id: str) -> Answer:
    """`GET /account/apps/<client>`: what it may see and do, as whom, and what stops when that is withdrawn."""
    me = entry.enter(request)
    app, client = _required(me, client_id)
    language = language_of(request)

    def items(texts: tuple[tuple[str, str, str | None], ...]) -> list[dict[str, str | None]]:
        allowed = [text for text in texts if text[0] in app.scopes]
        return [{"title": say(language, title), "detail": say(language, more) if more else None} for _, title, more in allowed]

    standings = [standing for account_id in app.accounts if (standing := accounts.standing(account_id))]
    shown: dict[str, Any] = {
        **_shown(app, client, language),
        "see": items(SEEN) or [{"title": say(language, N_("That you have an ID here")), "detail": None}],
        "do": [*items(DONE), *({"title": text, "detail": where} for text, where in resources.described(app.scopes))],
        "accounts": [row(standing, language) for standing in standings if standing.user_id == me.id],
        "purpose": client.purpose,
        "policy_url": client.policy_uri,
    }
    return shell.page(me, "account/app.html", section="apps", app=shown, action=f"{LIST}/{client.id}")


say = languages.gettext


def withdraw(request: Request, client_id: str) -> Answer:
    """`POST /account/apps/<client>`: it may do nothing more. Pressed twice, or in two windows, it ends once."""
    me = entry.enter(request)
    apps.withdraw(me.id, client_id, personal=entry.place(request))
    return see_other(LIST)


def _required(me: Me, client_id: str) -> tuple[App, clients.Client]:
    client = clients.find(client_id)
    app = next((app for app in apps.of_person(me.id) if app.client_id == client_id), None)
    if client is None or app is None:
        raise NotFound(NOT_CONNECTED, detail="an app that holds nothing of this person")
    return app, client


def _shown(app: App, client: clients.Client, language: str) -> dict[str, Any]:
    name = client.title(language)
    return {
        "id": client.id,
        "name": name,
        "initials": initials(name),
        "ours": client.first_party,
        "consented": app.consented,
        "signed_in": app.signed_in,
        "since": app.since,
        "used_at": app.used_at,
    }
