"""`idp clients`: relying parties and machines, and what their developers paste into their code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import click

from idp.cli.client_fields import SCOPES, fields, said
from idp.cli.failures import Failure
from idp.cli.output import FORMAT, as_json, record, remark, table, tell
from idp.cli.setting import at_work
from idp.cli.snippets import snippets
from idp.db.session import reads, writes
from idp.delegation import client_keys, initial_tokens, registering
from idp.delegation import clients as registered
from idp.delegation.clients import Client
from idp.errors import First

Made = TypeVar("Made")
FIRSTS = 4  # how often a command may begin anew
ONCE = "The secret is shown only now."


@click.group()
def clients() -> None:
    """Relying parties: the apps and portals that people sign in to through us, and machines."""


@clients.command()
@click.option(
    "--kind",
    type=click.Choice(registering.KINDS),
    default="web",
    show_default=True,
    help="web and machine keep a secret or a key; single_page and native cannot.",
)
@fields
@click.option("--id", "client_id", help="Its client_id [default: made up].")
@FORMAT
def create(**given: Any) -> None:
    """Register a client. Its secret is printed this once, in snippets that are ready to use."""
    machine = given["kind"] == registering.MACHINE
    if not given["name"]:
        raise click.UsageError("Missing option '--name': what people read on the sign-in page.")
    by_code = not given["grant_types"] or "authorization_code" in given["grant_types"]
    if not machine and by_code and not given["redirect_uris"]:
        raise click.UsageError("Missing option '--redirect-uri': where people come back to.")
    with at_work() as settings:
        values = {"scopes": [] if machine else SCOPES.split(), **said(given, {})}
        client, secret = _written(lambda: registered.register(kind=given["kind"], client_id=given["client_id"], **values))
        texts = snippets(client, secret, settings.server.issuer)
    if given["form"] == "json":
        as_json({**_shown(client), "client_secret": secret, "snippets": texts})
        return
    record({"client_id": client.id, "client_secret": secret or "(none: it has none)", "issuer": settings.server.issuer})
    if secret:
        remark(ONCE)
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
    whose = {None: "", "dynamic": "by itself", "document": "by its address"}
    rows = [
        (c.id, c.name, c.kind, "ours" if c.first_party else whose[c.registered_by], " ".join(c.redirect_uris), c.created_at) for c in found
    ]
    table(
        ("client_id", "name", "kind", "", "returns to", "registered"), rows, empty="No clients yet. `idp clients create --help` shows how."
    )


@clients.command()
@click.argument("client_id")
@FORMAT
def show(client_id: str, form: str) -> None:
    """Show the client CLIENT_ID: what is registered, its secrets by their ids, its keys by theirs."""
    with at_work(), reads():
        client = _get(client_id)
        secrets = registered.list_secrets(client_id)
    shown = {**_shown(client), "live_secrets": len(secrets), "secrets": secrets}
    if form == "json":
        as_json(shown)
        return
    apart = {"secrets", "keys"}
    record({name: value for name, value in shown.items() if value not in (None, [], {}) and name not in apart})
    if secrets:
        tell()
        rows = [(each["id"], each["created_at"], each["last_used_at"] or "never") for each in secrets]
        table(("secret", "made", "last used"), rows, empty="")
    if shown["keys"]:
        tell()
        table(("kid", "kty", "alg"), [(key["kid"], key["kty"], key["alg"]) for key in shown["keys"]], empty="")


@clients.command()
@click.argument("client_id")
@fields
@FORMAT
def update(client_id: str, form: str, **given: Any) -> None:
    """Change the client CLIENT_ID: what is named is replaced, the rest stays. An empty value takes one out.

    It holds everywhere within a second.
    """
    with at_work():
        with reads():
            before = _get(client_id)
        changes = said(given, before.names)
        if not changes:
            raise click.UsageError("Say what to change. `idp clients update --help` names what can be.")
        after = _written(lambda: registered.update(client_id, **changes))
    if form == "json":
        as_json(_shown(after))
        return
    old, new = _shown(before), _shown(after)
    changed = {name: value for name, value in new.items() if value != old[name] and name != "updated_at"}
    if not changed:
        remark("Nothing has changed: it was so already.")
    record({name: "(none)" if value in (None, [], {}) else value for name, value in changed.items()})


@clients.command()
@click.argument("client_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@FORMAT
def delete(client_id: str, yes: bool, form: str) -> None:
    """Delete the client CLIENT_ID: nothing that it holds works any more. There is no way back, and its id is not given again."""
    with at_work():
        with reads():
            client = _get(client_id)
        if not yes and sys.stdin.isatty():
            click.confirm(f"Delete {client.name} ({client_id})? Nobody will sign in there any more", abort=True, err=True)
        with writes():
            registered.delete(client_id)
    if form == "json":
        as_json({"client_id": client_id, "deleted": True})
        return
    remark(f"{client_id} is deleted.")


@clients.command()
@click.argument("client_id")
@click.option("--as-key", is_flag=True, help="For a client that is about to be registered for HS256 or client_secret_jwt.")
@FORMAT
def add_secret(client_id: str, as_key: bool, form: str) -> None:
    """Give the client CLIENT_ID a second secret; the first one goes on working until it is revoked."""
    with at_work(), writes():
        secret_id, secret = registered.add_secret(client_id, as_key=as_key)
    if form == "json":
        as_json({"client_id": client_id, "secret_id": secret_id, "client_secret": secret})
        return
    record({"client_id": client_id, "secret_id": secret_id, "client_secret": secret})
    remark(ONCE)
    remark(f"`idp clients show {client_id}` tells when the old one was last used, `idp clients revoke-secret` revokes it.")


@clients.command()
@click.argument("client_id")
@click.argument("secret_id")
@click.option("--force", is_flag=True, help="Also the last one of a client that needs one.")
@FORMAT
def revoke_secret(client_id: str, secret_id: str, force: bool, form: str) -> None:
    """Revoke the secret SECRET_ID of the client CLIENT_ID; `idp clients show` names them."""
    with at_work(), writes():
        registered.revoke_secret(client_id, secret_id, force=force)
    if form == "json":
        as_json({"client_id": client_id, "secret_id": secret_id, "revoked": True})
        return
    remark(f"{secret_id} is revoked.")


@clients.command()
@click.argument("name")
@click.option("--uses", type=click.IntRange(1, 100_000), help="How many clients it may register [default: any number].")
@click.option("--days", type=click.IntRange(1, 3650), help="Until it expires [default: never].")
@FORMAT
def add_registration_token(name: str, uses: int | None, days: int | None, form: str) -> None:
    """Make an initial access token: whoever holds it registers clients at /register (RFC 7591). NAME says whom it is for."""
    with at_work() as settings, writes():
        token_id, token = initial_tokens.add(name, uses=uses, lifetime=days * 86400 if days else None)
        mode = settings.registration.mode
    if form == "json":
        as_json({"token_id": token_id, "initial_access_token": token})
        return
    record({"token_id": token_id, "initial_access_token": token})
    remark("The token is shown only now.")
    if mode == "off":
        remark('Nobody can use it yet: [registration] mode is "off". Set it to "token".')


@clients.command()
@FORMAT
def list_registration_tokens(form: str) -> None:
    """List the initial access tokens that can still be used."""
    with at_work(), reads():
        found = initial_tokens.list_all()
    if form == "json":
        as_json(found)
        return
    rows = [
        (each["id"], each["name"], "any" if each["uses_left"] is None else each["uses_left"], each["expires_at"] or "never")
        for each in found
    ]
    table(("token", "for", "uses left", "expires"), rows, empty="No registration tokens.")


@clients.command()
@click.argument("token_id")
@FORMAT
def revoke_registration_token(token_id: str, form: str) -> None:
    """Revoke the initial access token TOKEN_ID. What was registered with it stays."""
    with at_work(), writes():
        initial_tokens.revoke(token_id)
    if form == "json":
        as_json({"token_id": token_id, "revoked": True})
        return
    remark(f"{token_id} is revoked.")


def _written(act: Callable[[], Made]) -> Made:
    """In a unit of its own; what has to be fetched first is fetched, and the unit begins anew."""
    for _ in range(FIRSTS):
        try:
            with writes():
                return act()
        except First as first:
            first.do()
    raise Failure("What has to be fetched for this client cannot be fetched now. Try again in a minute.")


def _get(client_id: str) -> Client:
    client = registered.find(client_id)
    if client is None:
        raise Failure(f"There is no client {client_id!r}. `idp clients list` shows those that there are.")
    return client


def _shown(client: Client) -> dict[str, Any]:
    values = asdict(client)
    del values["secrets"], values["jwks"], values["mapping"]
    keys = [{"kid": key["kid"], "kty": key["kty"], "alg": client_keys.works_by(key)} for key in (client.jwks or {}).get("keys", ())]
    return {"client_id": values.pop("id"), **values, "keys": keys}
