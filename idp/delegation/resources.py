"""Resource servers besides our own API: which one a token is for, and what that means for it (RFC 8707).

A token is for one of them (RFC 9700 §2.3): what one resource server is shown is no good at another, and none of them opens userinfo. Which
ones there are, with their scopes, stands in the settings; which of them a client may name, in its registration. The issuer's own address
names our own API. Nothing here is asked where no resource is named.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from idp.config import settings
from idp.config_resources import Resource
from idp.delegation.clients import Client
from idp.delegation.scopes import SUPPORTED
from idp.errors import OAuthRefusal

MOST = 10  # in one request


class Target(NamedTuple):
    """What one access token is for, and like. `lifetime` in seconds."""

    audience: str
    lifetime: int
    algorithm: str
    is_opaque: bool


def read(sent: str) -> tuple[str, ...]:
    """The addresses of a `resource` parameter, each once; several stand apart by spaces (`guard.one_of_each`), which no address holds."""
    return tuple(dict.fromkeys(filter(None, sent.split(" "))))


def require(client: Client, sent: str) -> tuple[str, ...]:
    """The resources that `sent` names, if `client` may name each. Raises OAuthRefusal `invalid_target` (§2)."""
    named = read(sent)
    if len(named) > MOST:
        raise _invalid(f"At most {MOST} resources can be named in one request.")
    for address in named:
        if address != settings().server.issuer:
            _require(client, address)
    return named


def scopes_of(named: Collection[str]) -> frozenset[str]:
    """Every scope of the resources in `named`."""
    known = settings().resources
    return frozenset(scope for address in named if address in known for scope in known[address].scopes)


def require_scopes(client: Client, named: Sequence[str], granted: Collection[str], asked: str) -> None:
    """Raise OAuthRefusal `invalid_scope` where a resource was named and nothing of it is granted, or the other way round: a token for it
    would allow nothing, and the client would only find out there.
    """
    for address in named:
        if address != settings().server.issuer and not scopes_of((address,)) & set(granted):
            raise OAuthRefusal("invalid_scope", f"Ask for a scope of {_shown(address)} too: it is one of the resources that were named.")
    unnamed = scopes_of(client.resources or ()) - scopes_of(named) - set(SUPPORTED)
    if missed := unnamed & set(asked.split(" ")):
        raise OAuthRefusal("invalid_scope", f"Name the resource (RFC 8707) that these scopes belong to: {' '.join(sorted(missed))}.")


def choose(client: Client, authorized: Sequence[str], sent: str, scopes: tuple[str, ...]) -> tuple[Target | None, tuple[str, ...]]:
    """What the next access token is for, and which of `scopes` it gets; None: our own API.

    `authorized`: the resources named when all this was allowed; `sent`: the parameter of this request. Without it the first one that was
    named. Raises OAuthRefusal `invalid_target`, `invalid_scope` (§2.2).
    """
    issuer = settings().server.issuer
    named = read(sent)
    if len(named) > 1:
        raise _invalid("A token is for one resource. Ask for one after the other.")
    address = named[0] if named else (authorized[0] if authorized else issuer)
    if address == issuer:
        return None, _left(scopes, SUPPORTED, address)
    if address not in authorized:
        raise _invalid(f"{_shown(address)} was not named when this was allowed.")
    resource = _require(client, address)
    return _target(client, address, resource), _left(scopes, resource.scopes, address)


def choose_for_a_machine(client: Client, sent: str, asked: str, scopes: tuple[str, ...]) -> tuple[Target | None, tuple[str, ...]]:
    """The same for a client that acts for itself. `scopes`: what it would get without a resource; `asked`: what it asked for, if it did."""
    named = require(client, sent)
    if named == (settings().server.issuer,):
        return None, scopes
    if asked and len(named) == 1 and (foreign := set(scopes) - scopes_of(named)):
        raise OAuthRefusal("invalid_scope", f"These are not scopes of the resource that was named: {' '.join(sorted(foreign))}.")
    return choose(client, named, sent, scopes)


def stands(client: Client, address: str) -> Resource | None:
    """The resource of a token that was given to `client`, if it could still have it now."""
    return settings().resources.get(address) if address in (client.resources or ()) else None


def described(scopes: Collection[str]) -> list[tuple[str, str]]:
    """What people read of those of `scopes` that are a resource's: the text, and which resource's it is."""
    return [
        (text, resource.title or urlsplit(address).hostname or address)
        for address, resource in settings().resources.items()
        for scope, text in resource.scopes.items()
        if text and scope in scopes
    ]


def _require(client: Client, address: str) -> Resource:
    resource = settings().resources.get(address)
    if resource is None:
        raise _invalid(f"There is no resource {_shown(address)}.")
    if address not in (client.resources or ()):
        raise _invalid(f"This client may not name {_shown(address)}. Its operator can allow it.")
    return resource


def _target(client: Client, address: str, resource: Resource) -> Target:
    oidc = settings().oidc
    return Target(
        address,
        resource.access_token_lifetime or oidc.access_token_lifetime,
        resource.access_token_algorithm or oidc.access_token_algorithm,
        (resource.access_token_format or client.access_token_format) == "opaque",
    )


def _left(scopes: tuple[str, ...], of: Collection[str], address: str) -> tuple[str, ...]:
    left = tuple(scope for scope in scopes if scope in of)
    if not left:
        raise OAuthRefusal("invalid_scope", f"Nothing that was allowed is a scope of {_shown(address)}.")
    return left


def _invalid(description: str) -> OAuthRefusal:
    return OAuthRefusal("invalid_target", description)


def _shown(address: str) -> str:
    """A stranger's word, as an error description may hold it."""
    return "".join(c for c in address[:200] if "!" <= c <= "~" and c not in '"\\')
