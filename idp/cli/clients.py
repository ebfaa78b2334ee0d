"""`idp clients`: relying parties, and what their developers paste into their code."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from idp.cli.failures import Failure
from idp.cli.output import FORMAT, as_json, record, remark, table, tell
from idp.cli.setting import at_work
from idp.cli.snippets import snippets
from idp.db.session import reads, writes
from idp.delegation import clients as registered
from idp.delegation import registering
from idp.delegation.clients import Client

SCOPES = "openid profile phone account company"


@click.group()
def clients() -> None:
    """Relying parties: the apps and portals that people sign in to through us."""


@clients.command()
@click.option("--name", required=True, help="What people read on the sign-in page.")
@click.option("--kind", type=click.Choice(registering.KINDS), default="web", show_default=True, help="web and machine keep a secret.")
@click.option("--redirect-uri", "redirect_uris", multiple=True, help="Where people come back to; may be given more than once.")
@click.option("--post-logout-redirect-uri", "post_logout", multiple=True, help="Where they come back to after signing out.")
@click.option("--scope", help=f"What it may ask for, separated by spaces [default: {SCOPES}; of a machine: nothing]")
@click.option("--account-type", "account_types", multiple=True, type=click.Choice(registering.ACCOUNT_TYPES), help="[default: all]")
@click.option("--first-party", is_flag=True, help="Ours: people are not asked for consent.")
@click.option("--pkce", type=click.Choice(["required", "or_nonce", "optional"]), help="[default: or_nonce; public clients: required]")
@click.option(
    "--access-token-format",
    type=click.Choice(registering.TOKEN_FORMATS),
    default="jwt",
    show_default=True,
    help="opaque: asked about here.",
)
@click.option("--id", "client_id", help="Its client_id [default: made up].")
@FORMAT
def create(**given: Any) -> None:
    """Register a client. Its secret is printed this once, in snippets that are ready to use."""
    with at_work() as settings:
        with writes():
            client, secret = registered.register(
                name=given["name"],
                kind=given["kind"],
                redirect_uris=list(given["redirect_uris"]),
                post_logout_redirect_uris=list(given["post_logout"]),
                scopes=(given["scope"] if given["scope"] is not None else "" if given["kind"] == "machine" else SCOPES).split(),
                account_types=list(given["account_types"]) or None,
                first_party=given["first_party"],
                pkce=given["pkce"],
                access_token_format=given["access_token_format"],
                client_id=given["client_id"],
            )
        texts = snippets(
            issuer=settings.server.issuer,
            client_id=client.id,
            secret=secret,
            redirect_uri=next(iter(client.redirect_uris), ""),
            scopes=client.scopes,
            kind=client.kind,
        )
    if given["form"] == "json":
        as_json({**_shown(client), "client_secret": secret, "snippets": texts})
        return
    record({"client_id": client.id, "client_secret": secret or "(none: it could not keep one)", "issuer": settings.server.issuer})
    if secret:
        remark("The secret is shown only now: we keep no more than its digest.")
    for name, text in texts.items():
        tell(f"\n---- {name}\n\n{text.rstrip()}")


@clients.command(name="list")
@FORMAT
def list_all(form: str) -> None:
    """List the clients, the oldest first."""
    with at_work(), reads():
        found = registered.list_all()
    if form == "json":
        as_json([_shown(client) for client in found])
        return
    rows = [(c.id, c.name, c.kind, "ours" if c.first_party else "", " ".join(c.redirect_uris), c.created_at) for c in found]
    table(
        ("client_id", "name", "kind", "", "returns to", "registered"), rows, empty="No clients yet. `idp clients create --help` shows how."
    )


@clients.command()
@click.argument("client_id")
@FORMAT
def show(client_id: str, form: str) -> None:
    """Show the client CLIENT_ID, without secrets."""
    with at_work(), reads():
        client = registered.find(client_id)
    if client is None:
        raise Failure(f"There is no client {client_id!r}. `idp clients list` shows those that there are.")
    shown = {**_shown(client), "live_secrets": len(client.secrets)}
    if form == "json":
        as_json(shown)
        return
    record({name: value for name, value in shown.items() if value not in (None, [])})


def _shown(client: Client) -> dict[str, Any]:
    values = asdict(client)
    del values["secrets"]
    return {"client_id": values.pop("id"), **values}
