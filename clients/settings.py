"""What the environment says about one portal. Nothing else configures it.

OIDC_ISSUER          address of the provider, exactly as its discovery document says it
OIDC_CLIENT_ID       the client registered there for this portal
OIDC_CLIENT_SECRET   its secret, or OIDC_CLIENT_SECRET_FILE: a file that holds it
OIDC_CA_FILE         certificate authority (PEM) that the provider is checked against; left out: the usual ones
PORTAL_URL           address of this portal as browsers see it, e.g. http://localhost:8001
PORTAL_BIND          host:port to listen on; left out: taken from PORTAL_URL
PORTAL_CERTIFICATE   PEM files for serving TLS itself; both or neither
PORTAL_KEY
PORTAL_STORE         SQLite file with the sessions; its key lies beside it (.key); default <name>.sqlite3
PORTAL_LINKS         JSON object with the addresses of the other portals: {"seller": "...", "staff": "...", "partner": "..."}
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class BadSettings(ValueError):  # noqa: N818 - a wrong setting is an answer
    """A variable is missing or makes no sense; the text says which and what to do."""


@dataclass(frozen=True)
class Settings:
    """One portal's settings. `url` and `issuer` have no trailing slash unless the issuer itself has one."""

    name: str
    issuer: str
    client_id: str
    client_secret: str
    url: str
    host: str
    port: int
    store: Path
    links: Mapping[str, str]
    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def secure(self) -> bool:
        """Are cookies Secure (and `__Host-`)? Only https can carry them; http is for loopback."""
        return self.url.startswith("https://")

    @property
    def redirect_uri(self) -> str:
        return f"{self.url}/callback"

    @property
    def post_logout_redirect_uri(self) -> str:
        return f"{self.url}/signed-out"


def read(name: str, environ: Mapping[str, str]) -> Settings:
    """The settings of the portal `name` (it names the store's default file). Raises BadSettings."""
    needed = {key: environ.get(key, "").strip() for key in ("OIDC_ISSUER", "OIDC_CLIENT_ID", "PORTAL_URL")}
    missing = [key for key, value in needed.items() if not value]
    secret = environ.get("OIDC_CLIENT_SECRET", "") or _secret_file(environ)
    if not secret:
        missing.append("OIDC_CLIENT_SECRET (or OIDC_CLIENT_SECRET_FILE)")
    if missing:
        raise BadSettings(f"Set {', '.join(missing)}.")
    url = needed["PORTAL_URL"].rstrip("/")
    for key, address in (("PORTAL_URL", url), ("OIDC_ISSUER", needed["OIDC_ISSUER"])):
        _require_safe(key, address)
    if urlsplit(url).path:
        raise BadSettings("PORTAL_URL has a path; a portal owns its whole host, because `__Host-` cookies do.")
    host, port = _bind(environ.get("PORTAL_BIND", ""), url)
    certificate, key_file = _file(environ, "PORTAL_CERTIFICATE"), _file(environ, "PORTAL_KEY")
    if (certificate is None) != (key_file is None):
        raise BadSettings("Set PORTAL_CERTIFICATE and PORTAL_KEY together, or neither.")
    return Settings(
        name=name,
        issuer=needed["OIDC_ISSUER"],
        client_id=needed["OIDC_CLIENT_ID"],
        client_secret=secret,
        url=url,
        host=host,
        port=port,
        store=Path(environ.get("PORTAL_STORE") or f"{name}.sqlite3"),
        links=_links(environ.get("PORTAL_LINKS", "")),
        ca_file=_file(environ, "OIDC_CA_FILE"),
        certificate=certificate,
        key=key_file,
    )


def _secret_file(environ: Mapping[str, str]) -> str:
    path = _file(environ, "OIDC_CLIENT_SECRET_FILE")
    return path.read_text().strip() if path else ""


def _file(environ: Mapping[str, str], key: str) -> Path | None:
    if not environ.get(key):
        return None
    path = Path(environ[key])
    if not path.is_file():
        raise BadSettings(f"{key} names {path}, which is no file.")
    return path


def _require_safe(key: str, address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return
    # Without TLS anyone on the way reads codes and cookies; loopback has no way.
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return
    raise BadSettings(f"{key} must be an https address (or http on loopback), not {address!r}.")


def _bind(wanted: str, url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    if not wanted:
        host = parts.hostname or ""
        return ("127.0.0.1" if host == "localhost" else host), parts.port or (443 if parts.scheme == "https" else 80)
    host, _, port = wanted.rpartition(":")
    if not host or not port.isdigit():
        raise BadSettings(f"PORTAL_BIND must be host:port, not {wanted!r}.")
    return host.strip("[]"), int(port)


def _links(text: str) -> dict[str, str]:
    try:
        links = json.loads(text or "{}")
    except ValueError as error:
        raise BadSettings(f"PORTAL_LINKS is no JSON: {error}.") from error
    if not isinstance(links, dict) or not all(isinstance(value, str) for value in links.values()):
        raise BadSettings("PORTAL_LINKS must be a JSON object of names and addresses.")
    for name, address in links.items():
        _require_safe(f"PORTAL_LINKS[{name}]", address)
    return {name: address.rstrip("/") for name, address in links.items()}
