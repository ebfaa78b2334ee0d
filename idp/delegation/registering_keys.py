"""What may be registered of keys, and of what is signed and encrypted with them: a part of `registering` (RFC 7591 §2, OpenID Connect
Registration §2, RFC 9101 §10.5). Everything here raises BadInput with the reason.
"""

from __future__ import annotations

import re
from typing import Any

from idp.delegation import client_keys, redirects
from idp.errors import N_, BadInput

BY_HMAC = "client_secret_jwt"
BY_SECRET = ("secret", "client_secret_basic", "client_secret_post", BY_HMAC)
BY_KEY = "private_key_jwt"
REQUEST_OBJECTS = (*client_keys.ALGORITHMS, client_keys.SHARED, "none")
"""By what a client may sign its request objects; `none` is a decision for one client: nothing then says who made the request."""
OF_REQUEST_OBJECTS = (
    "request_object_signing_alg",
    "request_object_encryption_alg",
    "request_object_encryption_enc",
    "require_signed_request_object",
    "request_uris",
)
SIGNED_BY_SECRET = (
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "introspection_signed_response_alg",
    "request_object_signing_alg",
)
LONGEST_REQUEST_URI = 512  # OpenID Connect Core §6.2
FRAGMENT = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]{1,200}")
FIELDS = ("token_endpoint_auth_signing_alg", "jwks", "jwks_uri", *OF_REQUEST_OBJECTS)
MOST_REQUEST_URIS = 100


def require(values: dict[str, Any], *, by_person: bool) -> None:
    """Judge FIELDS, and put them as they are stored. `by_person`: people sign in at it, so that it has something to request."""
    _require_keys(values)
    _require_request_objects(values, by_person=by_person)


def _require_keys(values: dict[str, Any]) -> None:
    """Its keys, by value or at an address (RFC 7591 §2: one of both), and whether what it wants signed can be."""
    method, algorithm = values["token_endpoint_auth_method"], values["token_endpoint_auth_signing_alg"]
    if values["jwks"] is not None and values["jwks_uri"] is not None:
        raise BadInput(N_("Give the keys themselves or their address, not both (jwks, jwks_uri)."))
    if values["jwks"] is not None:
        values["jwks"] = client_keys.require_registrable(values["jwks"])
    elif values["jwks_uri"] is not None:
        redirects.require_registrable(values["jwks_uri"], native=False)
    elif method == BY_KEY:
        raise BadInput(N_("private_key_jwt needs the client's public keys, as a JWK Set or the address of one."))
    fitting = {BY_KEY: client_keys.ALGORITHMS, BY_HMAC: (client_keys.SHARED,)}.get(method, REQUEST_OBJECTS[:-1])
    if algorithm is not None and algorithm not in fitting:
        raise BadInput(N_("Assertions are signed by one of: %(kinds)s."), kinds=", ".join(fitting))
    if uses_secret(values) and method not in BY_SECRET:
        raise BadInput(N_("HS256 is made with a secret. Register the client for a method that has one."))


def uses_secret(values: dict[str, Any]) -> bool:
    """Whether the secrets of such a client are keys, for it or for us: then they are kept sealed (`clients`)."""
    method = values["token_endpoint_auth_method"]
    return method == BY_HMAC or any(values.get(name) == client_keys.SHARED for name in SIGNED_BY_SECRET)


def _require_request_objects(values: dict[str, Any], *, by_person: bool) -> None:
    """Request objects (OpenID Connect Core §6, RFC 9101 §10.5)."""
    if not by_person and any(values[name] for name in OF_REQUEST_OBJECTS):
        raise BadInput(N_("Nobody signs in at a machine: it sends no request objects."))
    if values["request_object_signing_alg"] not in {None, *REQUEST_OBJECTS}:
        raise BadInput(N_("Request objects are signed by one of: %(kinds)s."), kinds=", ".join(REQUEST_OBJECTS))
    if values["request_object_encryption_alg"] not in {None, *client_keys.ENCRYPTION}:
        raise BadInput(N_("The key of an encryption travels by one of: %(kinds)s."), kinds=", ".join(client_keys.ENCRYPTION))
    if values["request_object_encryption_enc"] not in {None, *client_keys.CONTENT}:
        raise BadInput(N_("Content is encrypted by one of: %(kinds)s."), kinds=", ".join(client_keys.CONTENT))
    if values["request_object_encryption_enc"] and not values["request_object_encryption_alg"]:
        raise BadInput(N_("request_object_encryption_enc needs request_object_encryption_alg."))
    if values["require_signed_request_object"] and values["request_object_signing_alg"] == "none":
        raise BadInput(N_("Request objects cannot be required to be signed and be signed by none."))
    values["request_uris"] = list(dict.fromkeys(values["request_uris"] or ())) or None
    if len(values["request_uris"] or ()) > MOST_REQUEST_URIS:
        raise BadInput(N_("A client has at most %(count)s addresses."), count=MOST_REQUEST_URIS)
    for uri in values["request_uris"] or ():
        address, hash_, fragment = uri.partition("#")
        redirects.require_registrable(address, native=False)
        if len(uri) > LONGEST_REQUEST_URI or (hash_ and not FRAGMENT.fullmatch(fragment)):
            raise BadInput(N_("A request_uri has at most 512 characters; its fragment is the SHA-256 of the content in base64url."))
