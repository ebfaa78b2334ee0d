"""What takes our access tokens, and whose they are (RFC 9728): our own API, userinfo, as ready bytes.

A refusal there names this document (§5.1), so that a client which knows only the address of the API finds out where to get tokens for it.
"""

from __future__ import annotations

import json
from functools import lru_cache

from idp.config import settings
from idp.delegation import client_keys, registering_answers
from idp.delegation.scopes import OFFLINE, SUPPORTED
from idp.oidc.endpoints import cors
from idp.web.http import Request, Response

PATH = "/.well-known/oauth-protected-resource"


def protected_resource(request: Request) -> Response:
    """`GET /.well-known/oauth-protected-resource`."""
    if request.method == "OPTIONS":
        return cors.preflight(request)
    headers = [("Content-Type", "application/json"), ("Cache-Control", "public, max-age=300"), *cors.ANYBODY]
    return Response(_document(settings().server.issuer), headers=headers)


def challenge(error: str = "", description: str = "") -> tuple[tuple[str, str], ...]:
    """The header of a refusal (RFC 6750 §3, RFC 9728 §5.1); without an error where no token was sent."""
    said = f', error="{error}", error_description="{description}"' if error else ""
    return (("WWW-Authenticate", f'Bearer realm="idp"{said}, resource_metadata="{settings().server.issuer}{PATH}"'),)


@lru_cache(maxsize=4)
def _document(issuer: str) -> bytes:
    brand = settings().brand
    document = {
        "resource": issuer,
        "authorization_servers": [issuer],
        "jwks_uri": f"{issuer}/jwks",
        "scopes_supported": [scope for scope in SUPPORTED if scope != OFFLINE],  # which is asked for at the provider, not here
        "bearer_methods_supported": ["header", "body"],
        "resource_signing_alg_values_supported": [each for each in registering_answers.ALGORITHMS if each != client_keys.SHARED],
        "resource_name": brand.name,
        **{f"resource_name#{language}": name for language, name in brand.names.items()},
        **({"resource_policy_uri": brand.privacy_url} if brand.privacy_url else {}),
        **({"resource_tos_uri": brand.terms_url} if brand.terms_url else {}),
    }
    return json.dumps(document, indent=2, ensure_ascii=False).encode()
