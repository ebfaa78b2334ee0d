"""What may be registered of the form of our answers: a part of `registering`.

OpenID Connect Registration §2, RFC 9701 §6. Everything here raises BadInput with the reason.
"""

from __future__ import annotations

from typing import Any

from idp.delegation import client_keys
from idp.errors import N_, BadInput

ALGORITHMS = ("RS256", "ES256", "Ed25519", "EdDSA", "PS256", client_keys.SHARED)
"""By what we sign for a client; the first one is the default of ID tokens and introspection. `none` is missing, and stays so."""
SIGNED = ("id_token_signed_response_alg", "userinfo_signed_response_alg", "introspection_signed_response_alg")
ENCRYPTED = tuple(name.replace("_signed_", "_encrypted_") for name in SIGNED)
CONTENT = tuple(name.removesuffix("alg") + "enc" for name in ENCRYPTED)
FIELDS = (*SIGNED, *ENCRYPTED, *CONTENT)
OF_PEOPLE = ("userinfo_signed_response_alg", *ENCRYPTED[:2], *CONTENT[:2])


def require(values: dict[str, Any], *, by_person: bool) -> None:
    """Judge FIELDS, and put them as they are stored; the client's keys have been judged. `by_person`: people sign in at it."""
    if not by_person and any(values[name] for name in OF_PEOPLE):
        raise BadInput(N_("Nobody signs in at a machine: it gets no ID tokens and no userinfo."))
    values |= {name: values[name] or None for name in FIELDS}
    values[SIGNED[0]] = values[SIGNED[0]] or ALGORITHMS[0]
    if any(values[name] not in {None, *ALGORITHMS} for name in SIGNED):
        raise BadInput(N_("Answers are signed by one of: %(kinds)s."), kinds=", ".join(ALGORITHMS))
    for algorithm, content in zip(ENCRYPTED, CONTENT, strict=True):
        _require_encrypted(values, algorithm, content)


def _require_encrypted(values: dict[str, Any], algorithm: str, content: str) -> None:
    if values[algorithm] is None:
        if values[content] is not None:
            raise BadInput(N_("%(content)s needs %(algorithm)s."), content=content, algorithm=algorithm)
        return
    if values[algorithm] not in client_keys.ENCRYPTION:
        raise BadInput(N_("The key of an encryption travels by one of: %(kinds)s."), kinds=", ".join(client_keys.ENCRYPTION))
    values[content] = values[content] or client_keys.CONTENT[0]
    if values[content] not in client_keys.CONTENT:
        raise BadInput(N_("Content is encrypted by one of: %(kinds)s."), kinds=", ".join(client_keys.CONTENT))
    # What stands at its `jwks_uri` is looked at when it is needed: it may be there tomorrow.
    keys = (values["jwks"] or {}).get("keys", ())
    if values["jwks_uri"] is None and not any(values[algorithm] in client_keys.works_by(key) for key in keys):
        raise BadInput(
            N_("%(algorithm)s needs a public key of the client that is for it, in its keys or at their address."), algorithm=algorithm
        )
