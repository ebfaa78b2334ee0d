"""Where answers may go: which addresses can be registered, and when an address is the registered one (RFC 9700 §2.1, RFC 8252 §7, §8.4)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from idp.config import is_loopback, settings
from idp.errors import N_, BadInput

MAX_URI = 2000
# Printable ASCII without space, quotes, angle brackets, backslash, caret, backtick, braces and bar (RFC 3986 §2).
URI = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
REVERSE_DOMAIN = re.compile(r"[a-z][a-z0-9+\-]*(\.[a-z0-9+\-]+)+")
HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?")
LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")


def require_registrable(uri: str, *, native: bool) -> None:
    """Raise BadInput with the reason unless `uri` may be registered.

    https anywhere; http on loopback, outside production or for a native app; a scheme like `com.example.app` for a native app.
    """

    def refuse(reason: str) -> None:
        raise BadInput(N_("%(uri)s cannot be registered: %(reason)s"), detail=f"address refused: {reason}", uri=uri[:200], reason=reason)

    if not uri or len(uri) > MAX_URI:
        refuse(N_("it must have 1 to 2,000 characters"))
    if not URI.fullmatch(uri):
        refuse(
            N_("it holds a space, a control character or another character that must be percent-encoded, or a fragment is written wrongly")
        )
    if "#" in uri:
        refuse(N_("it must not have a fragment (#...)"))
    if "*" in uri:
        refuse(N_("wildcards are not allowed; register each address"))
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        refuse(N_("it is not an address"))
    if "@" in parts.netloc:
        refuse(N_("it must not have a user name or password (@)"))
    if parts.scheme in {"http", "https"}:
        _require_web(uri, parts.scheme, host, native=native, refuse=refuse)
    elif not native:
        refuse(N_("use https; only a native app may use its own scheme"))
    elif not (REVERSE_DOMAIN.fullmatch(parts.scheme) and uri.startswith(parts.scheme + ":")):
        refuse(N_("an own scheme must be a domain of yours in reverse, as in com.example.app:/callback"))


def _require_web(uri: str, scheme: str, host: str, *, native: bool, refuse: object) -> None:
    assert callable(refuse)  # noqa: S101 - narrows the type
    if not uri.startswith(f"{scheme}://") or not host:
        refuse(N_("it has no host"))
    if host not in LOOPBACK_ADDRESSES and not HOST.fullmatch(host):
        refuse(N_("its host is not a plain domain name in lower case"))
    if f"//{host}" not in uri and f"//[{host}]" not in uri:
        refuse(N_("write the host in lower case"))
    segments = urlsplit(uri).path.lower().replace("%2e", ".").split("/")
    if "." in segments or ".." in segments:
        refuse(N_("its path must not hold . or .. segments"))
    if scheme == "http":
        if not is_loopback(host):
            refuse(N_("use https; http is only for loopback"))
        if settings().server.environment == "production" and not native:
            refuse(N_("use https; in production http is only for native apps on loopback"))


def matches(uri: str, registered: list[str], *, native: bool) -> bool:
    """Whether `uri` is one of `registered`, byte by byte; for a native app the port of a loopback address may differ (RFC 8252 §7.3).

    NOTE: the scheme is looked at again here, whatever was registered, and however it came into the table (case 4).
    """
    if not uri.startswith(("https://", "http://")) and not (native and REVERSE_DOMAIN.fullmatch(uri.partition(":")[0])):
        return False
    if uri in registered:
        return True
    return native and any(_same_but_port(uri, known) for known in registered)


def _same_but_port(uri: str, known: str) -> bool:
    form = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::([1-9][0-9]{0,4}))?(/[^#]*)?")
    one, other = form.fullmatch(uri), form.fullmatch(known)
    if not (one and other and URI.fullmatch(uri) and (one[1], one[3]) == (other[1], other[3])):
        return False
    return one[2] is None or 1 <= int(one[2]) <= 65535


def origin(uri: str) -> str | None:
    """The web origin of a redirect address (RFC 6454), for CORS; None for an app's own scheme."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else None
