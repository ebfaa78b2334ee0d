"""What may be registered: every field that an operator decides, judged for a new client and for a change alike.

RFC 7591 §2 has the names; why an address is refused stands in `redirects`, why a key or an algorithm is in `registering_keys`. Everything
here raises BadInput with the reason, before anything is written.
"""

from __future__ import annotations

import re
from typing import Any

from idp.config import settings
from idp.delegation import (
    claim_mapping,
    logout_addresses,
    redirects,
    registering_answers,
    registering_keys,
    registering_requests,
    registering_software,
    sectors,
)
from idp.delegation.registering_keys import BY_KEY, BY_SECRET
from idp.delegation.scopes import SUPPORTED, why_not_for_a_machine
from idp.errors import N_, BadInput
from idp.languages import LANGUAGES

KINDS = ("web", "single_page", "native", "machine")
MACHINE = "machine"
ACCOUNT_TYPES = ("personal", "business", "employee")
TOKEN_FORMATS = ("jwt", "opaque")
TOKEN_FORMATS = ("jwt", "opaque")
PKCE = ("required", "or_nonce", "optional")

NEW_BROWSER = ("code", "code+password")

METHODS = {
    # kind: how such a client may say who it is; the first one is the default. What runs in a browser or on a phone keeps no secret.
    "web": (*BY_SECRET, BY_KEY, "none"),
    "single_page": ("none",),
    "native": ("none",),
    "machine": (*BY_SECRET, BY_KEY),
}

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES = {
    # kind: what such a client may hand in for tokens (RFC 6749 §4, RFC 8628 §3.4). Only what is asked for besides DEFAULT_GRANT_TYPES can
    # be phished from another screen (RFC 10027 §6), so a device's code is an operator's decision.
    # `implicit` follows from the response types that are registered (`registering_requests`).
    "web": ("authorization_code", "refresh_token", DEVICE_CODE, registering_requests.IMPLICIT),
    "single_page": ("authorization_code", "refresh_token", registering_requests.IMPLICIT),
    "native": ("authorization_code", "refresh_token", DEVICE_CODE, registering_requests.IMPLICIT),
    "machine": ("client_credentials",),
}
DEFAULT_GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")

FIELDS = (
    "name",
    "names",
    "first_party",
    "redirect_uris",
    "post_logout_redirect_uris",
    "scopes",
    "resources",
    "grant_types",
    "account_types",
    "token_endpoint_auth_method",
    *registering_keys.FIELDS,
    "pkce",
    *registering_answers.FIELDS,
    "access_token_format",
    "purpose",
    "new_browser",
    "providers",
    "initiate_login_uri",
    "client_uri",
    "policy_uri",
    "tos_uri",
    "support_uri",
    *sectors.FIELDS,
    "claim_mapping",
    *registering_requests.FIELDS,
    *logout_addresses.FIELDS,
    *registering_software.FIELDS,
)
"""What can be changed afterwards. A client stays of its kind: another kind is another app."""

ID = re.compile(r"[A-Za-z0-9_-]{3,64}")
DOCUMENT_ID = re.compile(r"https://[A-Za-z0-9._~:/-]{3,92}")  # the address of what a client says of itself (`document_clients`)
# An id that we make for something else. A machine's `sub` is its client_id: it must never be a person's (case 49).
OTHER_ID = re.compile(r"(?!cli_)[a-z]{3}_[0-9a-z]{26}", re.IGNORECASE)
SECRET = re.compile(r"[A-Za-z0-9_-]{32,200}")
UNSEEN = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff<>]")
MOST_ADDRESSES = 100
LISTS = ("redirect_uris", "post_logout_redirect_uris", "scopes", "grant_types", "account_types")
PAGES = ("initiate_login_uri", "client_uri", "policy_uri", "tos_uri", "support_uri")


def require(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """The columns of a client of `kind` as they are stored; `given` has some of FIELDS, None stands for the default. Raises BadInput."""
    if kind not in KINDS:
        raise BadInput(N_("The kind is one of: %(kinds)s."), kinds=", ".join(KINDS))
    values: dict[str, Any] = {**dict.fromkeys(FIELDS), **given}
    values |= {name: list(dict.fromkeys(values[name] or ())) for name in LISTS}
    values |= {name: values[name] or None for name in (*PAGES, "purpose", *registering_keys.FIELDS)}
    values["names"] = {code: name for code, name in (values["names"] or {}).items() if name}
    values["providers"] = None if values["providers"] is None else list(dict.fromkeys(values["providers"]))
    values["first_party"] = bool(values["first_party"])
    values["new_browser"] = values["new_browser"] or NEW_BROWSER[0]
    if values["new_browser"] not in NEW_BROWSER:
        raise BadInput(N_("What a new browser shows is one of: %(ways)s."), ways=", ".join(NEW_BROWSER))
    values["resources"] = list(dict.fromkeys(values["resources"] or ())) or None
    _require_words(values)
    _require_scopes(kind, values)
    _require_grant_types(kind, values)
    registering_requests.require(values, by_person=kind != MACHINE)
    if kind == MACHINE:
        if values["redirect_uris"] or values["post_logout_redirect_uris"] or values["account_types"] or values["pkce"]:
            raise BadInput(N_("Nobody signs in at a machine: it has no redirect addresses, account types or PKCE."))
        sectors.require_none(values)
    else:
        values["account_types"] = values["account_types"] or list(ACCOUNT_TYPES)
        _require_addresses(kind, values)
        sectors.require(kind, values)
    _require_proof(kind, values)
    registering_keys.require(values, by_person=kind != MACHINE)
    logout_addresses.require(kind, values)
    registering_software.require(values)
    registering_answers.require(values, by_person=kind != MACHINE)
    values["claim_mapping"] = claim_mapping.require(values["claim_mapping"])
    return values


def grant_types(kind: str) -> list[str]:
    """What a client of `kind` hands in for tokens unless something else is said (RFC 6749 §4)."""
    return [name for name in GRANT_TYPES[kind] if name in DEFAULT_GRANT_TYPES]


def _require_grant_types(kind: str, values: dict[str, Any]) -> None:
    chosen = values["grant_types"] = values["grant_types"] or grant_types(kind)
    if not set(chosen) <= set(GRANT_TYPES[kind]):
        raise BadInput(N_("A client of this kind gets tokens by: %(kinds)s."), kinds=", ".join(GRANT_TYPES[kind]))
    if chosen == ["refresh_token"]:
        raise BadInput(N_("A refresh token comes of a sign-in. Register authorization_code or the device code besides."))


def require_id(client_id: str) -> None:
    """Raise BadInput unless a client may be called so."""
    if not ID.fullmatch(client_id):
        raise BadInput(N_("A client id has 3 to 64 characters of A-Z, a-z, 0-9, - and _."))
    if OTHER_ID.fullmatch(client_id):
        raise BadInput(N_("This client id looks like the id of something else. Choose another one."))


def require_secret(secret: str) -> None:
    """Raise BadInput unless `secret` is long enough to be stored by its SHA-256, and needs no encoding in a Basic header."""
    if not SECRET.fullmatch(secret):
        raise BadInput(N_("A secret has at least 32 characters of A-Z, a-z, 0-9, - and _."))


def _require_words(values: dict[str, Any]) -> None:
    names = [values["name"] or "", *values["names"].values()]
    if not all(1 <= len(each.strip()) <= 100 and not UNSEEN.search(each) for each in names):
        raise BadInput(N_("A name has 1 to 100 characters that can be seen."))
    if not set(values["names"]) <= set(LANGUAGES):
        raise BadInput(N_("A name can be given in these languages: %(kinds)s."), kinds=", ".join(LANGUAGES))
    purpose = values["purpose"] or "-"
    if len(purpose) > 300 or UNSEEN.search(purpose):
        raise BadInput(N_("The purpose has at most 300 characters that can be seen."))
    if any(kind not in ACCOUNT_TYPES for kind in values["account_types"]):
        raise BadInput(N_("Account types are: %(kinds)s."), kinds=", ".join(ACCOUNT_TYPES))
    values["access_token_format"] = values["access_token_format"] or TOKEN_FORMATS[0]
    if values["access_token_format"] not in TOKEN_FORMATS:
        raise BadInput(N_("Access tokens are: %(kinds)s."), kinds=", ".join(TOKEN_FORMATS))


def require_providers(kind: str, keys: list[str] | None) -> None:
    """Raise BadInput for a provider that is not configured. Asked only when they are named: one that was taken out of the configuration
    since then stands in nobody's way, and is offered no more.
    """
    configured = settings().providers
    if unknown := [key for key in keys or () if key not in configured]:
        raise BadInput(
            N_("There is no provider %(provider)s. Configured are: %(known)s."),
            provider=unknown[0][:40],
            known=", ".join(configured) or "-",
        )
    if kind == MACHINE and keys:
        raise BadInput(N_("Nobody signs in at a machine: it offers no other providers."))


def require_resources(named: list[str] | None) -> None:
    """Raise BadInput for a resource server that is not configured. Asked only when they are named, as above."""
    configured = settings().resources
    if unknown := [address for address in named or () if address not in configured]:
        raise BadInput(
            N_("There is no resource %(resource)s. Configured are: %(known)s."),
            resource=unknown[0][:200],
            known=", ".join(configured) or "-",
        )


def _require_scopes(kind: str, values: dict[str, Any]) -> None:
    configured, scopes = settings().resources, values["scopes"]
    known = [*SUPPORTED, *(scope for each in values["resources"] or () if each in configured for scope in configured[each].scopes)]
    if kind == MACHINE:
        for scope in scopes:
            if reason := why_not_for_a_machine(scope):
                raise BadInput(N_("A machine cannot have the scope %(scope)s: %(reason)s"), scope=scope[:100], reason=reason)
    elif not scopes or not set(scopes) <= set(known):
        unknown = [scope for scope in scopes if scope not in known]
        raise BadInput(N_("Unknown scope: %(scopes)s. Known are: %(known)s."), scopes=", ".join(unknown) or "-", known=", ".join(known))


def _require_addresses(kind: str, values: dict[str, Any]) -> None:
    if not values["redirect_uris"] and {"authorization_code", registering_requests.IMPLICIT} & set(values["grant_types"]):
        raise BadInput(N_("Give at least one redirect address: where people come back to after signing in."))
    addresses = [*values["redirect_uris"], *values["post_logout_redirect_uris"]]
    if len(addresses) > MOST_ADDRESSES:
        raise BadInput(N_("A client has at most %(count)s addresses."), count=MOST_ADDRESSES)
    for uri in addresses:
        redirects.require_registrable(uri, native=kind == "native")


def _require_proof(kind: str, values: dict[str, Any]) -> None:
    """How the client proves who it is, and that its codes are its own."""
    for uri in filter(None, (values[name] for name in PAGES)):
        redirects.require_registrable(uri, native=False)
    method = values["token_endpoint_auth_method"] = values["token_endpoint_auth_method"] or METHODS[kind][0]
    if method not in METHODS[kind]:
        raise BadInput(N_("A client of this kind says who it is by one of: %(kinds)s."), kinds=", ".join(METHODS[kind]))
    if values["pkce"] not in {None, *PKCE}:
        raise BadInput(N_("pkce is one of: required, or_nonce, optional."))
    values["pkce"] = "required" if method == "none" else (values["pkce"] or "or_nonce")
