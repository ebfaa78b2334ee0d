"""What the demo stands on: its configuration, keys, tables, story and clients. Everything it keeps lies in `demo-data/`.

Written so that it can run again over whatever an earlier run left, on other ports, or half way.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idp import config, crypto
from idp.cli import demo_story
from idp.cli.furnish import furnish
from idp.cli.setting import at_work
from idp.db.session import writes
from idp.delegation import clients
from idp.directory import partners

FOLDER = Path("demo-data")
SECRETS = FOLDER / "secrets.json"
PARTNER = "polka"  # of the story: the partner portal is its app
DATABASE = FOLDER / "idp.sqlite3"


@dataclass(frozen=True)
class Portal:
    """One relying party of the demo: `at` is its port, counted from the provider's."""

    key: str
    name: str
    names: dict[str, str]
    at: int
    first_party: bool
    scopes: str
    account_types: tuple[str, ...]
    about: str


PORTALS = (
    Portal("seller", "Seller portal", {"ru": "Кабинет продавца", "zh": "卖家中心"}, 1, True,
           "openid profile email phone account company companies offline_access", ("employee",),
           "choose a company, see what the role may do"),
    Portal("staff", "Staff portal", {"ru": "Кабинет сотрудника", "zh": "员工中心"}, 2, True,
           "openid profile email phone companies offline_access", ("personal", "business", "employee"),
           "a person and all the companies they work for"),
    Portal("partner", "Полка", {}, 3, False,
           "openid profile account company offline_access", ("personal", "business", "employee"),
           "a partner's app: all accounts to choose from, and consent is asked"),
)  # fmt: skip


def url(at: int, port: int) -> str:
    """Where the provider (`at` 0) or a portal is."""
    return f"http://localhost:{port + at}"


def environment(port: int) -> dict[str, str]:
    """Of the provider and its worker. What the caller set for a deployment of their own has no place here."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(config.PREFIX)}
    return {
        **ours,
        "IDP_CONFIG": os.devnull,
        "IDP_SERVER__ISSUER": url(0, port),
        "IDP_SERVER__PORT": str(port),
        "IDP_SERVER__WORKERS": "1",
        "IDP_DATABASE__URL": f"sqlite:///{DATABASE}",
        "IDP_MESSAGES__CHANNEL": "inbox",
        "IDP_OUTBOUND__ALLOW_PRIVATE_ADDRESSES": "true",  # the portals are on loopback, and are told there who has signed out
        "IDP_TELEMETRY__LOG_LEVEL": "WARNING",
        "IDP_TELEMETRY__LOG_FORMAT": "console",
    }


def prepare(port: int) -> list[tuple[str, str, str]]:
    """Keys, tables, story, clients. Answers the demo's people: phone, name, what they show."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    settings = config.load(environment=environment(port))
    crypto.make_keys(settings.keys.folder)
    furnish(settings)
    known = secrets()
    with at_work(settings):
        with writes():
            story = demo_story.seed()
        with writes():
            demo_story.give_passwords()
        with writes():
            for portal in PORTALS:
                _register(portal, known[portal.key], port)
        with writes():
            partner = partners.find_by_key(PARTNER)
            if partner is not None and partner.client_id is None:
                partners.assign_client(partner.id, "partner")
    return [(person.phone, person.name, person.shows) for person in story.people]


def secrets() -> dict[str, str]:
    """The portals' secrets, kept between runs where only their owner can read them; written before anything is registered with them."""
    with suppress(OSError, ValueError):
        known = json.loads(SECRETS.read_text("utf-8"))
        if set(known) == {portal.key for portal in PORTALS}:
            return {str(name): str(value) for name, value in known.items()}
    made = {portal.key: crypto.new_secret() for portal in PORTALS}
    SECRETS.unlink(missing_ok=True)
    with os.fdopen(os.open(SECRETS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(made, file, indent=2)
    return made


def logout_fields(address: str) -> dict[str, Any]:
    """Where the portal at `address` is told that somebody has signed out."""
    return {"backchannel_logout_uri": f"{address}/backchannel-logout", "backchannel_logout_session_required": True}


def _register(portal: Portal, secret: str, port: int) -> None:
    """Have the client as it is described here, whatever an earlier run (on other ports, with another secret) left."""
    address = url(portal.at, port)
    told = logout_fields(address)
    found = clients.find(portal.key)
    if found is None:
        clients.register(
            client_id=portal.key,
            name=portal.name,
            names=portal.names,
            kind="web",
            first_party=portal.first_party,
            redirect_uris=[f"{address}/callback"],
            post_logout_redirect_uris=[f"{address}/signed-out"],
            scopes=portal.scopes.split(),
            account_types=list(portal.account_types),
            secret=secret,
            client_uri=address,
            initiate_login_uri=f"{address}/sign-in",
            **told,
            purpose=next((app.description for app in demo_story.PARTNERS if app.name == portal.name), None),
        )
        return
    clients.update(
        portal.key,
        redirect_uris=[f"{address}/callback"],
        post_logout_redirect_uris=[f"{address}/signed-out"],
        client_uri=address,
        initiate_login_uri=f"{address}/sign-in",
        **told,
    )
    if not found.has_secret(secret):
        for old in found.secrets:
            clients.revoke_secret(portal.key, old.id, force=True)
        clients.add_secret(portal.key, secret)
