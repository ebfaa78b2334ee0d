"""The settings of what the provider fetches from addresses that others name: `[outbound]`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Outbound(BaseModel):
    """What is fetched from other providers, and from addresses that clients name."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    allow_private_addresses: bool = False
    """Also fetch from loopback and private networks, and there by plain http too: for a laboratory. Refused in production: whoever may name
    an address could reach what stands behind the firewall."""
    certificate_authorities: list[Path] = []
    """PEM files of authorities that are trusted beside those of the machine."""
    timeout: float = Field(3.0, gt=0, le=10)
    """Seconds for one fetch, from looking the name up to the last byte."""
    at_once: int = Field(2, ge=1, le=64)
    """Fetches of one process at the same time, fewer than `[server] threads`: so many requests can wait for a server that hangs while all
    others go on. One more is refused."""

    @field_validator("certificate_authorities")
    @classmethod
    def _are_there(cls, value: list[Path]) -> list[Path]:
        for path in value:
            if not path.is_file():
                raise ValueError(f"there is no file {path}")
        return value
