"""What every gateway has in common: what it is given, what it answers, and how it fails.

NOTE: a failure is a word of ours. What the other side says may hold number and code: it is neither logged nor kept.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from idp.config_gateways import PLACE


class Outgoing(NamedTuple):
    """A text message. `id` is the idempotency key: a gateway that heeds it sends one message, however often it is handed over."""

    id: str
    to: str
    text: str

    def fill(self, template: str, write: Callable[[str], str] = str) -> str:
        """`template` with its places filled, each value written by `write`; what was filled in is not looked through again."""
        values = {"to": self.to, "number": self.to.removeprefix("+"), "text": self.text, "id": self.id}
        return PLACE.sub(lambda found: write(values[found[1]]), template)


class Taken(NamedTuple):
    """A gateway took a message: its name in the settings, what it calls the message, and whether that is there already."""

    gateway: str
    known_as: str | None = None
    delivered: bool = False


class GatewayFailed(RuntimeError):  # noqa: N818 - what happened, as in the receipts
    """A gateway did not take a message. `word` says why: `timeout`, `connection`, `tls`, `status_500`, `refused` …

    NOTE: after a `timeout` or a lost `connection` nobody knows whether it did: it is handed over again under the same id.
    """

    def __init__(self, gateway: str, word: str) -> None:
        self.gateway, self.word = gateway, word
        super().__init__(f"{gateway}: {word}")


def percent(value: str) -> str:
    """`value` for an address."""
    return quote(value, safe="")


@cache  # reading all authorities takes longer than sending a message
def context(authority: Path | None) -> ssl.SSLContext:
    """TLS that checks the certificate and its name, by the authorities that the machine trusts and by `authority`."""
    checked = ssl.create_default_context()
    if authority is not None:
        checked.load_verify_locations(cafile=authority)
    return checked


def word_for(error: BaseException) -> str:
    """The word for what went wrong on the way, however deep it lies in what was raised."""
    seen: BaseException | None = error
    for _ in range(10):
        if isinstance(seen, ssl.SSLError):
            return "tls"
        if isinstance(seen, TimeoutError | socket.timeout) or "Timeout" in type(seen).__name__:
            return "timeout"
        if isinstance(seen, socket.gaierror):
            return "unknown_host"
        seen = seen and (seen.__cause__ or seen.__context__)
    if isinstance(error, OSError) or re.search("Connect|Protocol|Network|Read|Write|Disconnected", type(error).__name__):
        return "connection"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()[:40]


def read(body: bytes) -> Any:
    """JSON of the other side; None for what is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def value_at(answer: Any, path: str) -> str:
    """The value at `path` (names and numbers with dots between), as the settings write it; empty for what is not there, or is no value."""
    for step in path.split("."):
        if isinstance(answer, dict):
            answer = answer.get(step)
        elif isinstance(answer, list) and step.isascii() and step.isdigit() and int(step) < len(answer):
            answer = answer[int(step)]
        else:
            return ""
    if isinstance(answer, bool):
        return str(answer).lower()
    return str(answer) if isinstance(answer, str | int | float) else ""
