"""Our cookies: their names, their flags, and how they are read (RFC 6265).

With an https issuer they are `__Host-idp_…` and Secure; on http://localhost both are left off together. SameSite is Lax: a Strict one is
not sent on the first navigation that comes from a relying party.

One is for scripts, in a frame of ours on a relying party's page: `session_state` says that the session is another one than before, and
nothing else (OpenID Connect Session Management 1.0). It goes wherever the session's own cookie goes; to us it proves nothing.
"""

from __future__ import annotations

from functools import lru_cache

from idp import crypto
from idp.config import settings

SHORT_NAMES = ("session", "login", "browser", "language", "shared", "undo", "recovery", "session_state")
FOR_SCRIPTS = "session_state"
PURPOSE = "browser state"


@lru_cache(maxsize=32)
def _name(short: str, secure: bool) -> str:
    return f"{'__Host-' if secure else ''}idp_{short}"


def is_secure() -> bool:
    """Whether the provider is reached by https; taken from the configuration, never from a header."""
    return settings().server.issuer.startswith("https://")


def cookie_name(short: str) -> str:
    """The full name of a cookie: ports of one host share a jar, so each of our apps has its own prefix."""
    return _name(short, is_secure())


def cookie_header(short: str, value: str, max_age: int | None) -> str:
    """The value of `Set-Cookie`."""
    parts = [f"{cookie_name(short)}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if short == FOR_SCRIPTS:  # SameSite=None goes with Secure only; on http://localhost all ports are one site
        parts[2:] = ["SameSite=None" if is_secure() else "SameSite=Lax"]
    if is_secure():
        parts.append("Secure")
    if max_age is not None:
        parts.append(f"Max-Age={max_age}")
    return "; ".join(parts)


def browser_state(session_secret: str) -> str:
    """What scripts may know of the session that `session_secret` opens: the same as long as it is the same; empty without one.

    A digest under a name of its own: neither the secret nor the digest by which the session is found follows from it.
    """
    return crypto.digest(f"{PURPOSE}:{session_secret}") if session_secret else ""


def read_cookies(header: str) -> dict[str, str]:
    """The cookies of a `Cookie` header. A name that stands twice is dropped: somebody planted one, and we cannot tell which."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for part in header.split(";"):
        name, equals, value = part.strip().partition("=")
        if not equals:
            continue
        if name in found and found[name] != value:
            twice.add(name)
        found[name] = value
    return {name: value for name, value in found.items() if name not in twice}
