"""Which ways a client can say who it is (RFC 6749 §2.3, OpenID Connect Core §9), and what it sent of them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import unquote_plus

from idp.errors import OAuthRefusal

SUPPORTED = ("client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none")
SIGNED = "assertion"  # client_secret_jwt or private_key_jwt: they look alike, and the registration says which it must be
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 §2.2
# `secret` is what clients get that an operator registers: by Basic or in the body, as their library likes it.
ACCEPTED = {"secret": frozenset({"client_secret_basic", "client_secret_post"})}
CHALLENGE = (("WWW-Authenticate", 'Basic realm="idp"'),)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a client sent to say who it is."""

    method: str
    client_id: str
    secret: str = ""
    assertion: str = ""


def read(authorization: str, form: dict[str, str]) -> Sent:
    """Read one method, no more, from the Authorization header and the form; raises OAuthRefusal `invalid_client`.

    Basic together with the same `client_id` in the body is one method: many libraries send both.
    """
    if authorization:
        sent = _basic(authorization)
        if {"client_secret", "client_assertion", "client_assertion_type"} & form.keys():
            raise invalid_client("Two ways of client authentication at once. Use one.", basic=True)
        if form.get("client_id", sent.client_id) != sent.client_id:
            raise invalid_client("client_id in the body is another client than the one in the Authorization header.", basic=True)
        return sent
    if "client_assertion" in form or "client_assertion_type" in form:
        return _assertion(form)
    if "client_id" not in form:
        raise invalid_client(
            "Say which client it is: client_secret_basic, client_secret_post, private_key_jwt, or client_id of a public client.",
            basic=False,
        )
    method = "client_secret_post" if "client_secret" in form else "none"
    return Sent(method, form["client_id"], form.get("client_secret", ""))


def _assertion(form: dict[str, str]) -> Sent:
    if "client_secret" in form:
        raise invalid_client("Two ways of client authentication at once. Use one.", basic=False)
    if form.get("client_assertion_type") != ASSERTION or "client_assertion" not in form:
        raise invalid_client(f"Send client_assertion together with client_assertion_type={ASSERTION}.", basic=False)
    return Sent(SIGNED, form.get("client_id", ""), assertion=form["client_assertion"])


def _basic(authorization: str) -> Sent:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise invalid_client("The Authorization header must use Basic here.", basic=True)
    try:
        text = base64.b64decode(credentials.strip(), validate=True).decode("utf-8")
        # RFC 6749 §2.3.1: both are form-encoded first. Ours use only [A-Za-z0-9_-], so encoded and raw arrive the same.
        client_id, colon, secret = text.partition(":")
        decoded = [unquote_plus(part, errors="strict") for part in (client_id, secret)]
    except ValueError as e:  # no base64, no UTF-8, or no ASCII to begin with
        raise invalid_client("The Authorization header is not Basic credentials in base64.", basic=True) from e
    if not colon:
        raise invalid_client("The Authorization header holds no colon between client_id and secret.", basic=True)
    return Sent("client_secret_basic", decoded[0], decoded[1])


def invalid_client(description: str, *, basic: bool) -> OAuthRefusal:
    """The refusal of RFC 6749 §5.2; with a challenge when the client tried the Authorization header."""
    return OAuthRefusal("invalid_client", description, status=401, headers=CHALLENGE if basic else ())
