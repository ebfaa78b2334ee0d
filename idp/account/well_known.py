"""Addresses that password managers and browsers look for, under names that are the same everywhere; public, without cookies.

`webauthn`: WebAuthn Level 3 §5.11 (related origins). `passkey-endpoints`: https://www.w3.org/TR/passkey-endpoints/. NOTE: both are asked
for at the domain that passkeys belong to: where `[login] passkey_domain` is not the issuer's host, that host must lead here or serve them.
"""

from __future__ import annotations

from idp.account.passkeys import ADD, PAGE
from idp.config import settings
from idp.credentials import passkey
from idp.errors import NotFound
from idp.web.faces import json_response
from idp.web.http import Request, Response, see_other

PASSWORD = "/account/password"


def webauthn(request: Request) -> Response:
    """Which origins may use our passkeys. Raises NotFound where it is only the one they belong to."""
    del request
    origins = settings().login.passkey_origins
    if not origins:
        raise NotFound(detail="no related origins")
    return json_response({"origins": origins})


def change_password(request: Request) -> Response:
    """Where a person changes the password (https://w3c.github.io/webappsec-change-password-url/): a redirect, to the page itself."""
    del request
    return see_other(PASSWORD)


def passkey_endpoints(request: Request) -> Response:
    """Where a person adds a passkey and looks after those they have. Raises NotFound where browsers make none."""
    del request
    if not passkey.is_possible():
        raise NotFound(detail="no passkeys on a bare address")
    issuer = settings().server.issuer
    return json_response({"enroll": issuer + ADD, "manage": issuer + PAGE})
