"""A sign-in with PyPI's idpyoidc, whose answers are one JSON object each: given the settings, it writes the address to open, reads the one
that the browser came back to, and writes what it got. Run by `test_relying_parties`, in a process of its own: it imports with warnings.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from idpyoidc.client.client_auth import PrivateKeyJWT
from idpyoidc.client.rp_handler import RPHandler


class ForTheIssuer(PrivateKeyJWT):  # type: ignore[misc] # the library has no types
    """By default it signs for the token endpoint."""

    def _get_audience_and_algorithm(self, context: Any, keyjar: Any, **kwargs: Any) -> tuple[str, str]:
        _, algorithm = super()._get_audience_and_algorithm(context, keyjar, **kwargs)
        return context.provider_info["issuer"], algorithm


def main() -> None:
    """One sign-in."""
    given = json.loads(sys.stdin.readline())
    settings: dict[str, Any] = {
        "issuer": given["issuer"],
        "client_type": "oidc",
        "redirect_uris": [given["redirect_uri"]],
        "response_types_supported": ["code"],
        "scopes_supported": given["scope"].split(),
        "token_endpoint_auth_methods_supported": [given["method"]],
        "client_authn_methods": [given["method"]],
        "add_ons": {
            "pkce": {
                "function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
                "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
            }
        },
    }
    if given["secret"]:
        settings["client_secret"] = given["secret"]
    handler = RPHandler("https://rp.example", client_configs={given["issuer"]: settings}, httpc_params={"verify": given["ca"]})
    tell({"jwks": json.loads(handler.keyjar.export_jwks_as_json())})
    settings["client_id"] = json.loads(sys.stdin.readline())
    tell({"address": handler.begin(given["issuer"])})
    if given["method"] == "private_key_jwt" and not given["all_defaults"]:
        handler.issuer2rp[given["issuer"]].get_context().client_authn_methods["private_key_jwt"] = ForTheIssuer()
    answer = dict(parse_qsl(urlsplit(json.loads(sys.stdin.readline())).query))
    try:
        got = handler.finalize(given["issuer"], answer)
    except Exception as e:  # whatever the library makes of a refusal
        got = {"error": f"{type(e).__name__}: {e}"}
    if "error" in got:
        tell({"error": str(got["error"])})
        return
    tell({"claims": got["id_token"].to_dict(), "userinfo": dict(got["userinfo"].to_dict())})


def tell(value: dict[str, Any]) -> None:
    """One line."""
    sys.stdout.write(json.dumps(value, default=str) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
