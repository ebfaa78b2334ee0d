"""Whether the settings of passkeys fit the issuer: browsers refuse what does not, and a person sees only that nothing happens."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
ORIGIN = re.compile(r"https://[a-z0-9.-]+(?::[0-9]{1,5})?")


def problem_with(issuer: str, domain: str, origins: list[str]) -> str | None:
    """What is wrong with `[login] passkey_domain` and `passkey_origins`, a sentence; None when all is well."""
    host = urlsplit(issuer).hostname or ""
    if domain and domain != host and not DOMAIN.fullmatch(domain):
        return f'passkey_domain "{domain}" is no domain: write it as example.com, without a scheme or a port'
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            return f'passkey_origins: "{origin}" is no origin: write it as https://id.example.org, without a path'
    if origins and issuer not in origins:
        return f"passkey_origins must name the issuer itself ({issuer}) among the others"
    if domain and host != domain and not host.endswith(f".{domain}") and not origins:
        return (
            f"passkey_domain {domain} is neither the issuer's host ({host}) nor a domain above it: browsers would make no passkey. "
            "Where the issuer has moved, list its origin in passkey_origins"
        )
    return None
