"""Where a client wants to be told that somebody has signed out: what may be registered.

OpenID Connect Back-Channel Logout 1.0 §2.2 (https://openid.net/specs/openid-connect-backchannel-1_0.html) and Front-Channel Logout 1.0 §2
(https://openid.net/specs/openid-connect-frontchannel-1_0.html).
"""

from __future__ import annotations

from typing import Any

from idp.delegation import redirects
from idp.errors import N_, BadInput

BACK, FRONT = "backchannel_logout", "frontchannel_logout"
FIELDS = tuple(f"{way}_{what}" for way in (BACK, FRONT) for what in ("uri", "session_required"))


def require(kind: str, values: dict[str, Any]) -> None:
    """Judge the four fields in `values`, and put them as they are stored. Raises BadInput.

    A front-channel address shares scheme, host and port with a redirect address (§2): whoever may frame a page of ours into somebody's
    sign-out is who they signed in to.
    """
    for way in (BACK, FRONT):
        address = values[f"{way}_uri"] = values[f"{way}_uri"] or None
        needed = f"{way}_session_required"
        values[needed] = None if values[needed] is None else bool(values[needed])
        if address is None:
            if values[needed]:
                raise BadInput(N_("%(field)s needs %(address)s: without it nothing is sent."), field=needed, address=f"{way}_uri")
            continue
        if kind == "machine":
            raise BadInput(N_("Nobody signs in at a machine: there is no sign-out that it could be told of."))
        redirects.require_registrable(address, native=False)
    front = values[f"{FRONT}_uri"]
    if front and redirects.origin(front) not in {redirects.origin(uri) for uri in values["redirect_uris"]}:
        raise BadInput(N_("frontchannel_logout_uri has the scheme, host and port of one of the redirect addresses."))
