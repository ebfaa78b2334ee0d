"""The settings of clients that register themselves (RFC 7591): `[registration]`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from idp.config_source import TextList


class Registration(BaseModel):
    """Clients that register themselves, at /register."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    mode: Literal["open", "token", "off"] = "off"
    """`open`: whoever asks. `token`: who holds an initial access token (`idp clients add-registration-token`). `off`: nobody new; those
    that are registered can still be read, changed and taken back by themselves."""
    scopes: TextList = ["openid", "profile", "email", "phone", "address", "offline_access"]
    """What such a client may ask people for, and what it is registered for when it names nothing."""
    grant_types: TextList = ["authorization_code", "refresh_token", "implicit"]
    """What it may get tokens by. `device_code` can be added: whoever may register then can ask people to compare codes (RFC 10027)."""
    default_pkce: Literal["required", "or_nonce", "optional"] = "or_nonce"
    """What it must send that has a secret: PKCE, or a nonce. `optional` is for a laboratory. Public ones always need PKCE."""
    skip_consent: bool = False
    """Ask nobody for consent to such a client: for a laboratory, and refused in production."""
    per_network_per_hour: int = Field(1000, ge=1)
    """Registrations of one network (IPv4 /24, IPv6 /56) in an hour; with an initial access token they are not counted."""
    most_clients: int = Field(10000, ge=1)
    """How many such clients there may be at a time."""
    software_statements: dict[str, Path] = {}
    """Whose software statements count: issuer = a file with its public keys (a JWK Set). Those of others are refused."""
    documents: bool = False
    """Let an https address be a client_id: what the client says of itself is fetched there (client id metadata documents). Its page that
    asks for consent marks it as unverified."""
    unused_lifetime: int = Field(30 * 86400, ge=0)
    """Seconds without a sign-in after which such a client is disabled. 0: never, which production refuses together with `open`."""

    @field_validator("software_statements")
    @classmethod
    def _are_there(cls, value: dict[str, Path]) -> dict[str, Path]:
        for path in value.values():
            if not path.is_file():
                raise ValueError(f"there is no file {path}")
        return value


def unsafe(registration: Registration) -> list[str]:
    """What may not be so in production, a sentence each."""
    problems = []
    if (registration.mode == "open" or registration.documents) and not registration.unused_lifetime:
        problems.append(
            "[registration] unused_lifetime = 0 keeps for ever what anybody registers. Give it seconds, or set mode to token or off, and "
            "documents to false."
        )
    if registration.skip_consent:
        problems.append("[registration] skip_consent lets whoever registers read about people who never agreed. Turn it off in production.")
    return problems
