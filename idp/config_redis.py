"""The setting of what many machines may share beside the database: `[redis]`."""

from __future__ import annotations

import re
from importlib.util import find_spec
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

FORM = "must be redis://host:6379/0, or rediss:// for TLS, with user:password@ before the host if need be, and nothing behind the number"


class Redis(BaseModel):
    """Optional, for more than one process: throttles then count in one place for all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: str = Field("", repr=False)
    """`redis://host:6379/0`; with TLS `rediss://user:password@host:6379/0`. Needs the extra: `pip install 'idp[redis]'`. Empty: each
    process throttles for itself. Guesses, messages and money are counted in the database, with Redis and without; and what was changed
    (a client, a signing key) is seen by all processes within a second, through the database too. While Redis is away, slow or full,
    sign-ins go on: each process throttles for itself, with half the room."""
    timeout: float = Field(0.05, gt=0, le=1)
    """Seconds to connect to it, and to answer. Sign-ins that begin in the moment in which it goes wait so long, and none after that.
    Looking its name up is the system's own affair: give an address where that may take long."""

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        """NOTE: it may hold a password, so no message quotes any of it."""
        if not value:
            return value
        try:
            parts = urlsplit(value)
            is_sound = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise ValueError(FORM) from None
        # No query: the client would take its time limits from there, ours notwithstanding.
        if not is_sound or "?" in value or "#" in value or not re.fullmatch(r"/?[0-9]{0,4}", parts.path):
            raise ValueError(FORM)
        if find_spec("redis") is None:
            raise ValueError("needs a library that is not installed: pip install 'idp[redis]'")
        return value
