"""The settings of resource servers other than our own API (RFC 8707): each `[resources."<address>"]`.

NOTE: a scope belongs to one resource. What a person allowed is kept by scope, so one word for two APIs would open both by one consent.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from idp.config_providers import is_address
from idp.config_source import TextList

SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")  # RFC 6749 §3.3
ABOUT_THE_PERSON = ("account", "company")  # scopes of ours that put claims into access tokens
OURS = frozenset({"openid", "profile", "email", "phone", "address", "companies", "offline_access"})
OWN_API = re.compile(r"(employees|invitations|partners|events|admin|company)(:.*)?", re.IGNORECASE)
LONGEST = 500


class Resource(BaseModel):
    """An API that takes our access tokens: its address is what clients name (`resource`), and the `aud` of its tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    title: str = Field("", max_length=60)
    """What people read of it, where they are asked for consent; empty: its host."""
    scopes: dict[str, str] = Field(min_length=1)
    """What can be allowed there: scope = what people read of it. With `account` or `company` among them (and an empty text), its tokens say
    as which account and for which company the person is there."""
    access_token_lifetime: int = Field(0, ge=0, le=86400)
    """Seconds that a token for it lives; 0: as `[oidc] access_token_lifetime` says."""
    access_token_format: Literal["", "jwt", "opaque"] = ""
    """What it can read; empty: as the client is registered."""
    access_token_algorithm: Literal["", "ES256", "RS256", "Ed25519"] = ""
    """How a JWT for it is signed; empty: as `[oidc] access_token_algorithm` says."""
    introspected_by: TextList = []
    """The client_ids of the resource server itself: they may ask /introspect about tokens that are for it, whoever got them."""

    @field_validator("scopes")
    @classmethod
    def _scopes(cls, value: dict[str, str]) -> dict[str, str]:
        for scope, text in value.items():
            if not SCOPE.fullmatch(scope):
                raise ValueError(f'"{scope}" is no scope: 1 to 100 printable ASCII characters without spaces, quotes and backslashes')
            if scope in ABOUT_THE_PERSON:
                continue
            if scope in OURS or OWN_API.fullmatch(scope):
                raise ValueError(f'"{scope}" is a scope of this provider. Choose another word')
            if not text or len(text) > 200:
                raise ValueError(f'"{scope}": what do people read of it, in up to 200 characters?')
        return value


def problem_with(resources: dict[str, Resource], issuer: str) -> str | None:
    """What is wrong with them together."""
    seen: dict[str, str] = {}
    for address, resource in resources.items():
        if not is_address(address) or len(address) > LONGEST:
            return f"{address}: an https address without a fragment, of up to {LONGEST} characters; http is only for loopback"
        if address.rstrip("/") == issuer:
            return f"{address} is this provider itself"
        for scope in resource.scopes:
            if scope in ABOUT_THE_PERSON:
                continue
            if scope in seen:
                return f'the scope "{scope}" stands at {seen[scope]} and at {address}: one consent would open both'
            seen[scope] = address
    return None
