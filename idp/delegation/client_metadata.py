"""A client's description as it goes over the wire, and as we keep it: the names of the specifications, in both directions.

RFC 7591 §2 (https://www.rfc-editor.org/rfc/rfc7591), OpenID Connect Registration §2, the logout specifications, RFC 9101 §10.5,
RFC 9701 §6. What is not named here is left aside (RFC 7591 §2), so nobody calls himself first party, nor chooses his own id (case 49);
what is allowed is judged by `registering`, as for an operator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from idp.config import settings
from idp.delegation import redirects, registering
from idp.delegation.clients import Client
from idp.errors import BadInput, OAuthRefusal
from idp.languages import LANGUAGES

LISTS = ("redirect_uris", "post_logout_redirect_uris", "grant_types", "response_types", "contacts", "request_uris", "default_acr_values")
FLAGS = (
    "require_signed_request_object",
    "require_auth_time",
    "backchannel_logout_session_required",
    "frontchannel_logout_session_required",
)
NUMBERS = ("default_max_age",)
OBJECTS = ("jwks",)
_ANSWERS = tuple(
    f"{each}_{how}"
    for each in ("id_token", "userinfo", "introspection")
    for how in ("signed_response_alg", "encrypted_response_alg", "encrypted_response_enc")
)
TEXTS = (
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    *_ANSWERS,
    *("request_object_signing_alg", "request_object_encryption_alg", "request_object_encryption_enc"),
    *("jwks_uri", "subject_type", "sector_identifier_uri", "initiate_login_uri"),
    *("client_uri", "logo_uri", "policy_uri", "tos_uri", "software_id", "software_version"),
    *("backchannel_logout_uri", "frontchannel_logout_uri"),
)
NAMES = (*LISTS, *FLAGS, *NUMBERS, *OBJECTS, *TEXTS)
"""Members that are called as our fields are."""
KINDS = {"web": "web", "native": "native"}  # by application_type
EITHER = "secret"  # by Basic or in the body: a method of ours, which the registry does not know
BASIC = "client_secret_basic"
METHODS = {"web": EITHER, "native": "none"}  # where none is named; an app on a phone keeps no secret
UNSPEAKABLE = re.compile(r"[^ !#-\[\]-~]")  # RFC 6749 §5.2
LONGEST_NAME, LONGEST_DESCRIPTION = 100, 400
INVALID, BAD_ADDRESS = "invalid_client_metadata", "invalid_redirect_uri"
# What makes a client stricter, or its people harder to recognise. Left out of a replacement it stays: nobody drops it without saying so.
KEPT = (
    *("token_endpoint_auth_method", "token_endpoint_auth_signing_alg", *_ANSWERS),
    *("request_object_signing_alg", "require_signed_request_object", "require_auth_time", "default_max_age"),
    *("subject_type", "sector_identifier_uri", "response_types", "grant_types"),
)


def is_known(name: str) -> bool:
    """Whether it is a member that is registered here."""
    return name in {*NAMES, "client_name", "scope", "application_type"} or name.startswith("client_name#")


def refuse(description: str, error: str = INVALID) -> OAuthRefusal:
    """The refusal of RFC 7591 §3.2.2."""
    return OAuthRefusal(error, UNSPEAKABLE.sub("", description)[:LONGEST_DESCRIPTION])


@contextmanager
def judged(error: str = INVALID) -> Iterator[None]:
    """What the rules refuse in here is refused in the protocol's words."""
    try:
        yield
    except OAuthRefusal:
        raise
    except BadInput as refused:
        raise refuse(refused.message % refused.params if refused.params else refused.message, error) from refused


def read(given: dict[str, Any], *, now: Client | None = None) -> tuple[str, dict[str, Any]]:
    """The kind and the fields of a client that describes itself so, each field that can be named; raises OAuthRefusal.

    `now`: as it is registered already (RFC 7592 §2.2): what is left out is taken out, but what makes it stricter stays.
    """
    said = {name: value for name, value in given.items() if value not in (None, "", [], {})}
    _require_types(said)
    kind = _kind(said, now)
    fields: dict[str, Any] = {name: said.get(name) for name in NAMES if name in registering.FIELDS}
    _require_response_types(said)
    if now is None:
        fields["token_endpoint_auth_method"] = said.get("token_endpoint_auth_method") or METHODS[kind]
        fields["grant_types"] = _grant_types(said)
        fields["scopes"] = _scopes(said, settings().registration.scopes)
    else:
        fields |= {name: getattr(now, name) for name in KEPT if name not in said and name in fields}
        if fields["token_endpoint_auth_method"] == BASIC and now.token_endpoint_auth_method == EITHER:
            fields["token_endpoint_auth_method"] = EITHER  # it only repeats what it was told
        if fields["token_endpoint_auth_method"] == "private_key_jwt" and not {"jwks", "jwks_uri"} & said.keys():
            fields |= {"jwks": now.jwks, "jwks_uri": now.jwks_uri}
        if "grant_types" in said:
            fields["grant_types"] = _grant_types(said)
        fields["scopes"] = _scopes(said, now.scopes)
    if said.get("token_endpoint_auth_method") == EITHER:
        raise refuse(
            "token_endpoint_auth_method is one of: client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, none."
        )
    if not fields["redirect_uris"] and {"authorization_code", "implicit"} & set(fields["grant_types"]):
        raise refuse("redirect_uris is missing: where people come back to after signing in.", BAD_ADDRESS)
    for uri in (fields["redirect_uris"] or ())[: registering.MOST_ADDRESSES]:
        with judged(BAD_ADDRESS):
            redirects.require_registrable(uri, native=kind == "native")
    fields["name"] = said.get("client_name") or _host(fields["redirect_uris"])
    fields["names"] = {code: said[f"client_name#{code}"] for code in LANGUAGES if f"client_name#{code}" in said}
    return kind, fields


def written(client: Client) -> dict[str, Any]:
    """Everything that is registered of a client, defaults included, as it goes out (RFC 7591 §3.2.1). No secret stands in it."""
    told: dict[str, Any] = {"client_id": client.id, "client_id_issued_at": int(client.created_at.timestamp()), "client_name": client.name}
    told |= {f"client_name#{code}": name for code, name in client.names.items()}
    told["application_type"] = "native" if client.kind == "native" else "web"
    told |= {name: getattr(client, name) for name in NAMES if getattr(client, name) not in (None, [])}
    if told["token_endpoint_auth_method"] == EITHER:  # RFC 7591 §2 has one default; libraries that name none may still use the other
        told["token_endpoint_auth_method"] = BASIC
    told.setdefault("response_types", ["code"] if "authorization_code" in client.grant_types else [])
    return told | {"scope": " ".join(client.scopes)}


def _require_types(said: dict[str, Any]) -> None:
    texts = [*TEXTS, "client_name", "scope", "application_type", *(f"client_name#{code}" for code in LANGUAGES)]
    for name in texts:
        if not isinstance(said.get(name, ""), str):
            raise refuse(f"{name} is a text.")
    for name in LISTS:
        value = said.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
            raise refuse(f"{name} is a list of texts.", BAD_ADDRESS if name == "redirect_uris" else INVALID)
    for name in FLAGS:
        if not isinstance(said.get(name, False), bool):
            raise refuse(f"{name} is true or false.")
    for name in NUMBERS:
        value = said.get(name, 0)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**9:
            raise refuse(f"{name} is a number of seconds.")


def _kind(said: dict[str, Any], now: Client | None) -> str:
    """`application_type` as our kind. Left out by a public client that can only be an app on somebody's device, it is `native`: command
    line tools are often registered so, and a port of loopback that changes is what they need (RFC 8252 §7.3).
    """
    named = said.get("application_type")
    if named is not None and named not in KINDS:
        raise refuse("application_type is web or native.")
    if now is not None:
        if named is not None and KINDS[named] != KINDS.get(now.kind, "web"):
            raise refuse("application_type stays as it is. Register another client.")
        return now.kind
    if named is None and said.get("token_endpoint_auth_method") == "none":
        local = [uri for uri in said.get("redirect_uris", ()) if not uri.startswith("https://")]
        return "native" if local else "web"
    return KINDS[named or "web"]


def _grant_types(said: dict[str, Any]) -> list[str]:
    allowed = [registering.DEVICE_CODE if each == "device_code" else each for each in settings().registration.grant_types]
    types = said.get("response_types", ["code"])
    by_code, by_browser = any("code" in each.split(" ") for each in types), any(each != "code" for each in types)
    chosen: list[str] = said.get("grant_types") or [
        name for name, used in (("authorization_code", by_code), ("implicit", by_browser)) if used
    ]
    if beyond := [each for each in chosen if each not in allowed]:
        raise refuse(f"A client that registers itself gets tokens by: {', '.join(allowed)}. Not by: {beyond[0][:60]}")
    needs_code = by_code if "response_types" in said else "authorization_code" in chosen or not {registering.DEVICE_CODE} & set(chosen)
    if needs_code and "authorization_code" not in chosen:
        raise refuse("response_types with code need the grant type authorization_code.")
    return chosen


def _require_response_types(said: dict[str, Any]) -> None:
    """Where there is a field for them, they are judged with it; else there is one."""
    if "response_types" not in registering.FIELDS and set(said.get("response_types", ["code"])) != {"code"}:
        raise refuse("response_types is: code.")


def _scopes(said: dict[str, Any], default: list[str]) -> list[str]:
    if "scope" not in said:
        return list(default)
    asked = list(dict.fromkeys(filter(None, said["scope"].split(" "))))
    allowed = settings().registration.scopes
    if beyond := [scope for scope in asked if scope not in allowed and scope not in default]:
        raise refuse(f"A client that registers itself may ask for: {' '.join(allowed)}. Not for: {beyond[0][:100]}")
    return asked


def _host(redirect_uris: list[str] | None) -> str:
    """What a client without a name is called: where it leads."""
    parts = urlsplit(redirect_uris[0]) if redirect_uris else None
    return ((parts.hostname or parts.scheme) if parts else "")[:LONGEST_NAME] or "-"
