"""What can be asked for (`scope`, RFC 6749 §3.3, OpenID Connect Core §5.4), and what of it a client gets."""

from __future__ import annotations

from collections.abc import Collection

from idp.errors import OAuthRefusal

OPENID = "openid"
OFFLINE = "offline_access"
ACCOUNT, COMPANY, COMPANIES = "account", "company", "companies"
IDENTITY = (OPENID, "profile", "email", "phone", "address", ACCOUNT, COMPANY, COMPANIES, OFFLINE)
SUPPORTED = IDENTITY
"""Every scope that something stands behind today; discovery lists these."""


def asks_for_account(scopes: tuple[str, ...] | list[str]) -> bool:
    """Whether an account has to be chosen; otherwise the person alone signs in."""
    return ACCOUNT in scopes or COMPANY in scopes


def granted(requested: str, allowed: list[str]) -> tuple[str, ...]:
    """The scopes of `requested` (parted by spaces) that exist, in the order asked, each once.

    A scope that the provider does not know is ignored (Core §3.1.2.1); one that this client may not ask for is `invalid_scope`.
    """
    known = tuple(dict.fromkeys(scope for scope in requested.split(" ") if scope in SUPPORTED))
    refused = [scope for scope in known if scope not in allowed]
    if refused:
        raise OAuthRefusal("invalid_scope", f"This client may not ask for: {' '.join(refused)}. Its operator can allow it.")
    if not known:
        raise OAuthRefusal("invalid_scope", "No known scope was asked for. OpenID Connect needs at least: openid.")
    return known


def remaining(given: Collection[str], registered: Collection[str], narrowed: Collection[str] = ()) -> tuple[str, ...]:
    """What is left of scopes that were `given`, now that the client is `registered` for these; `narrowed`: only of those, when any."""
    return tuple(scope for scope in given if scope in registered and (not narrowed or scope in narrowed))
