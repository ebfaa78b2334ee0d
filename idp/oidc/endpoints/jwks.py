"""`/jwks`: the public halves of the keys that sign, will sign and have signed (RFC 7517 §5)."""

from __future__ import annotations

from idp import keyring
from idp.config import settings
from idp.oidc.endpoints import cors
from idp.web.http import Request, Response


def jwks(request: Request) -> Response:
    """Ready bytes; relying parties may keep them for `[keys] jwks_max_age` seconds."""
    if request.method == "OPTIONS":
        return cors.preflight(request)
    caching = ("Cache-Control", f"public, max-age={settings().keys.jwks_max_age}")
    return Response(keyring.jwks(), headers=[("Content-Type", "application/jwk-set+json"), caching, *cors.ANYBODY])
