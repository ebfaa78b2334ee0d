"""What can be asked for (`scope`, RFC 6749 §3.3, OpenID Connect Core §5.4), and what of it a client gets."""

from __future__ import annotations

import re
from collections.abc import Collection

from idp.errors import N_, OAuthRefusal

OPENID = "openid"
OFFLINE = "offline_access"
ACCOUNT, COMPANY, COMPANIES = "account", "company", "companies"
IDENTITY = (OPENID, "profile", "email", "phone", "address", ACCOUNT, COMPANY, COMPANIES, OFFLINE)
SUPPORTED = IDENTITY
"""Every scope that something stands behind today; discovery lists these."""
# Words of the provider's own API. Nothing stands behind them yet: whoever was given one today would one day hold what nobody decided.
OWN_API = re.compile(r"(company|employees|invitations|partners|events|admin)(:.*)?", re.IGNORECASE)
TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")  # RFC 6749 §3.3: printable ASCII without space, quote and backslash


def why_not_for_a_machine(scope: str) -> str | None:
    """Why a client that acts for itself cannot have `scope`; None when it can: it is a word of the operator's own APIs."""
    if not TOKEN.fullmatch(scope):
        return N_("a scope is 1 to 100 printable ASCII characters, without spaces, quotes and backslashes")
    if scope in IDENTITY:
        return N_("it describes a person, and a machine is none")
    if OWN_API.fullmatch(scope):
        return N_("it belongs to the API of this provider, which does not give it to machines")
    return None


def granted_to_a_machine(requested: str, allowed: list[str]) -> tuple[str, ...]:
    """The scopes of `requested` in the order asked, each once; nothing asked: all that are registered. Raises OAuthRefusal `invalid_scope`.

    Nothing is ignored here: a machine's scopes are words of its operator's own, so each other one is a mistake (RFC 6749 §3.3).
    """
    wanted = tuple(dict.fromkeys(filter(None, requested.split(" ")))) or tuple(allowed)
    refused = [scope for scope in wanted if scope not in allowed]
    if refused:
        named = ", ".join(scope[:100] for scope in refused[:10] if TOKEN.fullmatch(scope))
        raise OAuthRefusal("invalid_scope", f"This client may not ask for{': ' + named if named else ' that'}. Its operator can allow it.")
    if not wanted:
        raise OAuthRefusal("invalid_scope", "This client is registered for no scope. Its operator can add some.")
    return wanted


def asks_for_account(scopes: tuple[str, ...] | list[str]) -> bool:
    """Whether an account has to be chosen; otherwise the person alone signs in."""
    return ACCOUNT in scopes or COMPANY in scopes


def granted(requested: str, allowed: list[str], also: Collection[str] = ()) -> tuple[str, ...]:
    """The scopes of `requested` (parted by spaces) that exist, in the order asked, each once; `also`: those of resources that were named.

    A scope that the provider does not know is ignored (Core §3.1.2.1); one that this client may not ask for is `invalid_scope`.
    """
    known = tuple(dict.fromkeys(scope for scope in requested.split(" ") if scope in SUPPORTED or scope in also))
    refused = [scope for scope in known if scope not in allowed]
    if refused:
        raise OAuthRefusal("invalid_scope", f"This client may not ask for: {' '.join(refused)}. Its operator can allow it.")
    if not known:
        raise OAuthRefusal("invalid_scope", "No known scope was asked for. OpenID Connect needs at least: openid.")
    return known


def remaining(given: Collection[str], registered: Collection[str], narrowed: Collection[str] = ()) -> tuple[str, ...]:
    """What is left of scopes that were `given`, now that the client is `registered` for these; `narrowed`: only of those, when any."""
    return tuple(scope for scope in given if scope in registered and (not narrowed or scope in narrowed))
