"""The provider and the three portals of the demo as processes, for the tests of one file: over http on loopback, or over TLS on four sites.

The database is a copy of the story; the portals are registered as `idp demo` registers them. Nothing is left behind: every process is ended
by its id, and ends with us however we end.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from idp import crypto
from idp.cli.demo_data import PORTALS, logout_fields
from idp.cli.demo_story import PARTNERS
from idp.delegation import clients
from tests import machine
from tests.conftest import Told
from tests.plenty import PLENTY
from tests.world import World

ROOT = Path(__file__).parents[2]
PATIENCE = 60  # seconds until everything must answer: a busy machine is slow, not broken
# Everybody here comes from one loopback address; the limits are other files' promises.
LIMITS = ("network_messages_per_hour", "number_messages_per_day", "number_wrong_per_hour", "number_wrong_per_day")


@dataclass(frozen=True)
class Tls:
    """PEM files: one certificate for all hosts, its key, and who signed it."""

    certificate: Path
    key: Path
    authority: Path


@dataclass
class Stage:
    """What runs, and where: `provider` and `portals` are origins, without a slash at the end."""

    provider: str
    portals: dict[str, str]
    folder: Path
    tls: Tls | None = None
    changes: dict[str, dict[str, object]] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    world: World = field(init=False)

    @property
    def origins(self) -> set[str]:
        """Where a browser may send anything at all."""
        return {self.provider, *self.portals.values()}

    def register(self) -> dict[str, str]:
        """The portals as clients; answers their secrets."""
        secrets = {portal.key: crypto.new_secret() for portal in PORTALS}
        with self.world.writes():
            for portal in PORTALS:
                at = self.portals[portal.key]
                clients.register(
                    client_id=portal.key,
                    name=portal.name,
                    names=portal.names,
                    kind="web",
                    first_party=portal.first_party,
                    redirect_uris=[f"{at}/callback"],
                    post_logout_redirect_uris=[f"{at}/signed-out"],
                    scopes=portal.scopes.split(),
                    account_types=list(portal.account_types),
                    secret=secrets[portal.key],
                    client_uri=at,
                    initiate_login_uri=f"{at}/sign-in",
                    # Over TLS the sites have names that only the browser and the portals know.
                    **({} if self.tls else logout_fields(at)),
                    purpose=next((app.description for app in PARTNERS if app.name == portal.name), None),
                )
        return secrets

    def start(self, told: Told, database: str) -> None:
        """Everything, until it answers."""
        port = urlsplit(self.provider).port or 443
        server: dict[str, object] = {"issuer": self.provider, "port": port, "workers": 1}
        if self.tls:
            server |= {"certificate": self.tls.certificate, "key": self.tls.key}
        tables: dict[str, dict[str, object]] = {
            "server": server,
            "login": dict.fromkeys(LIMITS, 10**6),
            "telemetry": {"log_level": "WARNING"},
            "spend": PLENTY,
            "outbound": {"allow_private_addresses": True},
        }
        for name, given in self.changes.items():
            tables[name] = tables.get(name, {}) | given
        self.world = World(told.settings(database, **tables))
        secrets = self.register()
        self._run("provider", ["idp.cli.main", "serve"], self._environment())
        for name, address in self.portals.items():
            variables = {
                **os.environ,
                "OIDC_ISSUER": self.provider,
                "OIDC_CLIENT_ID": name,
                "OIDC_CLIENT_SECRET": secrets[name],
                "PORTAL_URL": address,
                "PORTAL_BIND": f"127.0.0.1:{urlsplit(address).port}",
                "PORTAL_STORE": str(self.folder / f"{name}.sqlite3"),
                "PORTAL_LINKS": json.dumps(self.portals),
            }
            command = [f"clients.{name}"]
            if self.tls:
                variables |= {
                    "PORTAL_CERTIFICATE": str(self.tls.certificate),
                    "PORTAL_KEY": str(self.tls.key),
                    "OIDC_CA_FILE": str(self.tls.authority),
                }
                command = ["tests.journeys.on_loopback", name]
            self._run(name, command, variables)
        self._wait()

    def stop(self) -> None:
        """End everything, the portals first."""
        for process in reversed(self.running.values()):
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def said(self) -> str:
        """What the processes printed; nothing, when all went well."""
        return "".join(f"{path.name}: {path.read_text('utf-8', 'replace')}\n" for path in sorted(self.folder.glob("*.log")))

    def _environment(self) -> dict[str, str]:
        """The settings of `world`, as `idp` reads them from the environment."""
        found = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
        found["IDP_CONFIG"] = os.devnull
        for section in ("server", "database", "keys", "brand", "login", "messages", "telemetry", "spend", "outbound"):
            for name, value in getattr(self.world.settings, section).model_dump(exclude_unset=True, mode="json").items():
                found[f"IDP_{section.upper()}__{name.upper()}"] = value if isinstance(value, str) else json.dumps(value)
        for key, provider in self.changes.get("providers", {}).items():
            found[f"IDP_PROVIDERS__{key.upper()}"] = json.dumps(provider)
        return found

    def _run(self, name: str, module: list[str], variables: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig=TERM", "--", sys.executable, "-m", *module],
                cwd=ROOT,
                env=variables,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def _wait(self) -> None:
        """NOTE: a listening socket is not enough: the first page of a portal also needs its worker."""
        until = time.monotonic() + PATIENCE
        waiting = dict(zip(self.running, (self.provider, *self.portals.values()), strict=True))
        while waiting:
            for name, address in list(waiting.items()):
                if self._answers(address):
                    del waiting[name]
                elif self.running[name].poll() is not None or time.monotonic() > until:
                    raise AssertionError(f"the {name} does not answer:\n{self.said()[-3000:]}")
            time.sleep(0.05)

    def _answers(self, address: str) -> bool:
        parts = urlsplit(address)
        try:
            with socket.create_connection(("127.0.0.1", parts.port), 2) as plain, self._wrapped(plain, parts.hostname) as connection:
                connection.sendall(f"GET /health/live HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
                return connection.recv(12).endswith(b" 200")
        except OSError:
            return False

    def _wrapped(self, plain: socket.socket, host: str | None) -> socket.socket:
        if self.tls is None:
            return plain
        return ssl.create_default_context(cafile=self.tls.authority).wrap_socket(plain, server_hostname=host)


@contextmanager
def set_up(
    told: Told, folder: Path, hosts: dict[str, str] | None = None, tls: Tls | None = None, **changes: dict[str, object]
) -> Iterator[Stage]:
    """A stage for the length of the block. `hosts`: of `provider`, `seller`, `staff`, `partner`; all localhost when left out. `changes`: of
    the provider's settings, by table.
    """
    scheme, hosts = "https" if tls else "http", hosts or {}
    names = ("provider", *(portal.key for portal in PORTALS))
    at = {name: f"{scheme}://{hosts.get(name, 'localhost')}:{machine.free_port()}" for name in names}
    stage = Stage(at.pop("provider"), at, folder, tls, changes)
    database = told.copy()
    try:
        stage.start(told, database)
        yield stage
    finally:
        stage.stop()
        stage.world.close()
        told.drop(database)
