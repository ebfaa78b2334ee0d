"""What is refused in front of Authlib, before anything is understood (RFC 6749 §3.1, §3.2; RFC 9700 §4).

Authlib takes the first or the last of two equal parameters and reads a POST's parameters from its query string as well. Here nobody wins:
a name stands once, and each endpoint has one place for its parameters.
"""

from __future__ import annotations

from idp.errors import OAuthRefusal
from idp.web.http import Parameters, Request

MAY_REPEAT = frozenset({"resource", "audience"})  # RFC 8707 §2, RFC 8693 §2.1
ASCII_ONLY = frozenset(
    {
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "redirect_uri",
        "request",
        "request_uri",
        "response_type",
        "response_mode",
        "grant_type",
        "code",
        "code_verifier",
        "code_challenge",
        "code_challenge_method",
        "refresh_token",
        "scope",
        "prompt",
        "max_age",
        "acr_values",
        "company",
        "account",
        "resource",
        "id_token_hint",
        "access_token",
        "token",
    }
)


def one_of_each(parameters: Parameters) -> dict[str, str]:
    """The parameters by name. Raises OAuthRefusal `invalid_request` when one stands twice, or is not what its specification allows.

    An empty value counts as left out (RFC 6749 §3.1). Of what may repeat, the values stand in one text, apart by spaces: they are addresses
    and names, which hold none.
    """
    found: dict[str, str] = {}
    for name, value in parameters.pairs:
        if name in found and name not in MAY_REPEAT:
            raise OAuthRefusal("invalid_request", f"The parameter {_quoted(name)} was sent more than once.")
        if name in ASCII_ONLY and not value.isascii():
            raise OAuthRefusal("invalid_request", f"The parameter {name} holds characters outside ASCII.")
        found[name] = f"{found[name]} {value}".strip() if name in found else value
    return {name: value for name, value in found.items() if value}


def _quoted(name: str) -> str:
    """A stranger's word, as an error description may hold it (RFC 6749 §5.2: printable ASCII without quotes and backslash)."""
    return "".join(c for c in name[:40] if " " <= c <= "~" and c not in '"\\')


def form_only(request: Request) -> dict[str, str]:
    """The parameters of a machine's POST: from the body, never from the address, where logs would keep them. Raises OAuthRefusal."""
    if request.environ.get("QUERY_STRING"):
        raise OAuthRefusal("invalid_request", "Send the parameters in the body of the POST, not in the address.")
    return one_of_each(request.form)
