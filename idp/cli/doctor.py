"""`idp doctor`: is everything well? One line for each thing that can be wrong, and what to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import click
import sqlalchemy as sa

from idp import clock, config, crypto, keyring, outbox, throttle
from idp.cli import failures
from idp.cli.check import hide
from idp.cli.failures import Failure
from idp.cli.output import FORMAT, as_json, tell
from idp.cli.setting import at_work
from idp.config import Settings
from idp.db import schema
from idp.db.session import reads
from idp.jws import ENCRYPTION
from idp.login import upstream

LATE = 60  # seconds that something may wait in the queue
SKEW = 60  # seconds that this machine's clock may differ: as much as tokens tolerate


class Finding(NamedTuple):
    """What was found of one thing. `state`: ok, bad, or skipped because what it needs is bad."""

    name: str
    state: str
    says: str


@click.command()
@FORMAT
@click.pass_context
def doctor(ctx: click.Context, form: str) -> None:
    """Say whether everything is well, one line each; exit code 1 when something is not."""
    found = examine()
    if form == "json":
        as_json([finding._asdict() for finding in found])
    else:
        for finding in found:
            colour = {"ok": "green", "bad": "red"}.get(finding.state, "yellow")
            tell(f"{click.style(f'{finding.state:<8}', fg=colour)}{finding.name:<15}{finding.says}")
    ctx.exit(1 if any(finding.state == "bad" for finding in found) else 0)


def examine() -> list[Finding]:
    """Look at everything, in the order in which one thing needs another."""
    found: list[Finding] = []

    def look(name: str, needs: tuple[str, ...], ask: Callable[[], str]) -> None:
        missing = [finding.name for finding in found if finding.name in needs and finding.state != "ok"]
        if missing:
            found.append(Finding(name, "skipped", f"needs {', '.join(missing)}"))
            return
        try:
            found.append(Finding(name, "ok", ask()))
        except Exception as e:
            said = failures.explain(e) or [f"{type(e).__name__}: {e}"]
            found.append(Finding(name, "bad", " ".join(" ".join(said).split())))

    look("configuration", (), _configuration)
    settings = config.settings() if found[0].state == "ok" else config.Settings()
    look("database", ("configuration",), lambda: _database(settings))
    look("migrations", ("configuration", "database"), lambda: _migrations(settings))
    look("keys", ("configuration", "database", "migrations"), lambda: _keys(settings))
    look("clock", ("configuration", "database"), lambda: _clock(settings))
    look("queue", ("configuration", "database", "migrations", "keys"), lambda: _queue(settings))
    look("wrong codes", ("configuration", "database", "migrations", "keys"), lambda: _wrong_codes(settings))
    look("redis", ("configuration",), lambda: _redis(settings))
    look("channels", ("configuration",), lambda: _channels(settings, {finding.name for finding in found if finding.state == "ok"}))
    look("providers", ("configuration",), lambda: _providers(settings))
    look("certificate", ("configuration",), lambda: _certificate(settings))
    return found


def _configuration() -> str:
    settings = config.load()
    config.use(settings)
    return f"{settings.server.environment}, {settings.server.issuer}"


def _database(settings: Settings) -> str:
    source = _connect(settings)
    try:
        with source.connect() as connection:
            began = time.perf_counter()
            version = connection.scalar(sa.text("SELECT sqlite_version()" if source.dialect.name == "sqlite" else "SHOW server_version"))
            took = (time.perf_counter() - began) * 1000
            if source.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # fails on a file that cannot be written
                connection.exec_driver_sql("ROLLBACK")
    finally:
        source.dispose()
    kind = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[source.dialect.name]
    return f"{kind} {version}, answers in {took:.1f} ms ({hide('url', settings.database.url)})"


def _connect(settings: Settings) -> sa.Engine:
    url = sa.make_url(settings.database.url)
    if url.get_backend_name() == "sqlite":
        if url.database and not Path(url.database).exists():  # connecting would make it
            raise Failure(f"{url.database} does not exist. Run `idp init`.")
        return sa.create_engine(url, connect_args={"timeout": settings.database.lock_timeout})
    return sa.create_engine(url, connect_args={"connect_timeout": 5})


def _migrations(settings: Settings) -> str:
    missing = schema.pending(settings.database.url)
    if missing:
        raise Failure(f"not applied: {', '.join(missing)}. Run `idp db upgrade`.")
    return f"up to date ({schema.revisions()[-1]})" if schema.revisions() else "none yet"


def _keys(settings: Settings) -> str:
    path = settings.keys.folder / crypto.ROOT_KEY
    crypto.load_keys(settings.keys.folder)
    if path.stat().st_mode & 0o077:
        raise Failure(f"{path} can be read by others. Run: chmod 600 {path}")
    with at_work(settings), reads():
        active = [key for key in keyring.listing() if key.state == "active"]
        for key in active:
            crypto.unseal(keyring.PURPOSE, key.private_sealed or "")
    signing = [key for key in active if key.algorithm not in ENCRYPTION]
    if not signing:
        raise Failure("no signing key. Run `idp init`.")
    oldest = min(key.active_at or key.created_at for key in signing)
    return f"{path}; {', '.join(sorted(key.algorithm for key in signing))} sign, the oldest for {(clock.now() - oldest).days} days"


def _clock(settings: Settings) -> str:
    if not settings.database.url.startswith("postgresql"):
        return "this machine's own, as the database's"
    source = _connect(settings)
    try:
        with source.connect() as connection:
            before = clock.now()
            theirs = connection.scalar(sa.text("SELECT clock_timestamp()"))
            offset = (theirs - (before + (clock.now() - before) / 2)).total_seconds()
    finally:
        source.dispose()
    if abs(offset) > SKEW:
        raise Failure(f"{offset:+.1f} s from the database's. Set this machine's clock (NTP).")
    return f"{offset:+.3f} s from the database's"


def _queue(settings: Settings) -> str:
    with at_work(settings), reads():
        backlog = outbox.backlog()
    waiting, dead, age = int(backlog["waiting"]), int(backlog["dead"]), backlog["age"]
    if age > LATE:
        raise Failure(f"{waiting} waiting, the oldest for {age:.0f} s. Is `idp worker` running?")
    return f"{waiting} waiting" + (f", the oldest for {age:.0f} s" if waiting else "") + (f"; {dead} given up" if dead else "")


def _wrong_codes(settings: Settings) -> str:
    from idp.credentials import wrong_codes  # noqa: PLC0415 - the rest of this file needs no rules

    most = settings.login.wrong_codes_per_hour
    with at_work(settings), reads():
        found = wrong_codes.lately()
    if found >= most:
        raise Failure(
            f"{most} or more in the last hour over all numbers: somebody guesses. Browsers that know nobody work for a code, and new codes "
            "have eight digits, until it ends."
        )
    return f"{found} in the last hour, of {most}"


def _redis(settings: Settings) -> str:
    if not settings.redis.url:
        return "none: each process throttles for itself"
    is_well, says = throttle.look(settings.redis)
    if not is_well:
        raise Failure(f"{says}. Sign-ins go on; each process throttles for itself.")
    return says


def _channels(settings: Settings, well: set[str]) -> str:
    if settings.messages.channel == "inbox":
        return f"inbox: every message is shown at {settings.server.issuer}/dev/inbox, on loopback only"
    from idp.messages import breaker, gateways  # noqa: PLC0415 - only who has gateways

    states = None
    if {"database", "migrations", "keys"} <= well:
        with at_work(settings), reads():
            states = breaker.standings()
    found = gateways.look(states)
    told = "; ".join(f"{name}: {says}" for name, says, _ in found)
    missing = [
        what for kind, what in (("voice", "spoken calls"), ("flash_call", "flash calls"), ("email", "mail")) if not gateways.named(kind)
    ]
    told += f"; no {', no '.join(missing)}" if missing else ""
    if not all(is_well for _, _, is_well in found):
        raise Failure(f"{told}. `idp messages test --to … --gateway NAME` sends one.")
    return told


def _providers(settings: Settings) -> str:
    """Other providers are asked where they are; what OAuth 2 alone is has nothing to ask for."""
    answers: dict[str, str] = {}
    for key, provider in settings.providers.items():
        try:
            upstream.endpoints(provider)
            answers[key] = "answers" if provider.kind == "oidc" else "not called"
        except upstream.UpstreamFailed as failed:
            answers[key] = failed.word
    said = ", ".join(f"{key} {word}" for key, word in answers.items()) or "none"
    if not set(answers.values()) <= {"answers", "not called"}:
        raise Failure(f"{said}. People sign in by their number meanwhile.")
    return said


def _certificate(settings: Settings) -> str:
    server = settings.server
    if server.certificate is None or server.key is None:
        return "none of ours: " + ("a proxy serves TLS" if server.issuer.startswith("https:") else "plain http on loopback")
    from idp.cli import certificate  # noqa: PLC0415 - only who serves TLS

    said = certificate.problems(server.certificate, server.key, urlsplit(server.issuer).hostname or "")
    if said:
        raise Failure(*said)
    return f"good until {certificate.expires(server.certificate)}"
