"""`idp keys`: the signing keys, rotated ahead of the schedule or thrown out in an emergency."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from idp import keyring
from idp.cli.failures import Failure
from idp.cli.operator import by_operator, named, operating
from idp.cli.output import FORMAT, as_json, confirmed, remark, table, tell
from idp.cli.setting import at_work
from idp.config import Settings
from idp.db.session import reads
from idp.errors import Conflict
from idp.jws import ALGORITHMS, ENCRYPTION
from idp.keyring import SigningKey

MEANS = {
    "next": "in /jwks, signs when its time comes",
    "active": "signs",
    "retiring": "signs no more, in /jwks until its last token has expired",
    "retired": "opens id_token_hint only",
    "revoked": "out of everything",
}


OPENS = {"active": "others encrypt to it", "retiring": "in /jwks no more, opens what was encrypted to it", "revoked": "out of everything"}


@click.group()
def keys() -> None:
    """Signing keys. The schedule makes and rotates them by itself; these are for when that is not soon enough."""


@keys.command(name="list")
@FORMAT
def list_all(form: str) -> None:
    """List the signing keys, the newest first: what each does, since when, until when."""
    with at_work() as settings, reads():
        found = [_shown(key, settings) for key in keyring.listing()]
    _print(found, form)


@keys.command()
@click.option("--algorithm", type=click.Choice((*ALGORITHMS, *ENCRYPTION)), help="Only the keys of this one [default: all].")
@click.option("--now", is_flag=True, help="Also when relying parties may not have fetched the next key yet.")
@FORMAT
def rotate(algorithm: str | None, now: bool, form: str) -> None:
    """Let the next key sign from now on; the one before stays in /jwks until its tokens have expired."""
    try:
        with operating():
            keyring.rotate(algorithm, at_once=now)
    except Conflict as e:
        raise _why_not(e, algorithm) from e
    with at_work() as settings, reads():
        found = [_shown(key, settings) for key in keyring.listing() if algorithm in {None, key.algorithm}]
    _print(found, form)
    remark("Rotated. Every process signs with the new key within a second.")


@keys.command()
@click.argument("kid")
@click.option("--yes", is_flag=True, help="Do not ask.")
@FORMAT
def revoke(kid: str, yes: bool, form: str) -> None:
    """Throw the compromised key KID out: of /jwks, and with it every token that it signed. The next key signs at once."""
    with at_work() as settings:
        with reads():
            key = next((key for key in keyring.listing() if key.kid == kid), None)
        if key is None:
            raise Failure(f"There is no key {named(kid)}. `idp keys list` shows those that there are.")
        if key.state == "revoked":
            raise Failure(f"{kid} has been revoked already: nothing to do. `idp keys list` shows the keys.")
        confirmed(f"Revoke {kid} ({key.algorithm}, {key.state}), so that everything it signed is refused", yes)
        with by_operator():
            keyring.revoke(kid)
        with reads():
            found = [_shown(key, settings) for key in keyring.listing() if key.kid == kid]
    if form == "json":
        as_json(found[0])
    else:
        tell(f"{kid} is revoked.")
    remark(f"Our processes notice within a second. Who keeps /jwks in memory may believe it for {settings.keys.jwks_max_age} s more.")


def _why_not(refused: Conflict, algorithm: str | None) -> Failure:
    if refused.message == keyring.ROTATED_MEANWHILE:
        return Failure(f"{refused.message} Look at `idp keys list` before you rotate again.")
    with at_work() as settings, reads():
        waiting = [key for key in keyring.listing() if key.state == "next" and algorithm in {None, key.algorithm}]
    published = timedelta(seconds=settings.keys.published_before)
    return Failure(
        *(f"{key.algorithm}: the next key {key.kid} may sign from {_written(key.created_at + published)} on." for key in waiting),
        "Relying parties may not have fetched it yet. Wait, or rotate with --now: some then fail until they fetch /jwks again.",
    )


def _shown(key: SigningKey, settings: Settings) -> dict[str, Any]:
    """A key with the instants that matter in its state. `until` of the next one: when it may sign."""
    since: datetime | None = {"next": key.created_at, "active": key.active_at}.get(key.state, key.retiring_at)
    until = {
        "next": key.created_at + timedelta(seconds=settings.keys.published_before),
        "active": (key.active_at or key.created_at) + timedelta(seconds=settings.keys.lifetime),
    }.get(key.state, key.remove_at)
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": key.state,
        "created_at": key.created_at,
        "since": since,
        "until": until,
        "means": (OPENS if key.algorithm in ENCRYPTION else MEANS)[key.state],
    }


def _print(found: list[dict[str, Any]], form: str) -> None:
    if form == "json":
        as_json(found)
        return
    columns = ("kid", "algorithm", "state", "since", "until", "means")
    table((*columns[:-1], ""), [[key[name] for name in columns] for key in found], empty="No keys yet. `idp init` makes them.")


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
