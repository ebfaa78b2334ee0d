"""What every gateway has in common: what it is given, what it answers, how it fails, and how long it may take.

NOTE: a failure is a word of ours. What the other side says may hold number and code: it is neither logged nor kept.
"""

from __future__ import annotations

import json
import queue
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import quote

from idp.config_gateways import PLACE

Answer = TypeVar("Answer")
UNKNOWN = ("timeout", "connection")  # after these words nobody knows whether the gateway took the message


class Outgoing(NamedTuple):
    """A text message or a call. `id` is the idempotency key: a gateway that heeds it sends one, however often it is handed over.

    Of a voice call: `prompt` is spoken first, then, after a key, `text`, or the code in single `digits`. Of a flash call `code` is what the
    number that calls ends in. `expires_at`: after it nobody should read it any more.
    """

    id: str
    to: str
    text: str
    language: str = ""
    prompt: str = ""
    digits: str = ""
    code: str = ""
    expires_at: datetime | None = None

    def fill(self, template: str, write: Callable[[str], str] = str) -> str:
        """`template` with its places filled, each value written by `write`; what was filled in is not looked through again."""
        values = {"to": self.to, "number": self.to.removeprefix("+"), "text": self.text, "id": self.id, "language": self.language}
        values |= {"prompt": self.prompt, "digits": self.digits, "code": self.code}
        return PLACE.sub(lambda found: write(values[found[1]]), template)


class Taken(NamedTuple):
    """A gateway took a message: its name in the settings, what it calls the message, and whether that is there already.

    `passed`: who did not take it before, and why (`main timeout`).
    """

    gateway: str
    known_as: str | None = None
    delivered: bool = False
    passed: tuple[str, ...] = ()


def doubts(said: Iterable[str]) -> int:
    """How many of these words (`timeout`, `main timeout`) leave it open whether the gateway took the message: it may ask for its money."""
    return sum(each.rpartition(" ")[2] in UNKNOWN for each in said)


class GatewayFailed(RuntimeError):  # noqa: N818 - what happened, as in the receipts
    """A gateway did not take a message. `word` says why: `timeout`, `connection`, `tls`, `status_500`, `refused` …

    `is_about_message`: it answered, and may mean this message only (a number that is not in service): until another gateway takes the same
    one that says nothing against it. `passed`: as in `Taken`.
    NOTE: after a `timeout` or a lost `connection` nobody knows whether it did: it is handed over again under the same id.
    """

    def __init__(self, gateway: str, word: str, *, is_about_message: bool = False, passed: tuple[str, ...] = ()) -> None:
        self.gateway, self.word, self.is_about_message, self.passed = gateway, word, is_about_message, passed
        super().__init__(f"{gateway}: {word}")

    @property
    def doubts(self) -> int:
        """How many may have taken the message all the same: this gateway, and those that were asked before it in the same try."""
        return doubts((*self.passed, self.word))


def status_failed(gateway: str, status: int) -> GatewayFailed:
    """An HTTP status that is no yes. Of the refusals 401, 402, 403, 407, 408 and 429 are about us, the others may be about the message."""
    about_us = status in {401, 402, 403, 407, 408, 429} or not 400 <= status < 500
    return GatewayFailed(gateway, f"status_{status}", is_about_message=not about_us)


def within(seconds: float, work: Callable[[], Answer]) -> Answer:
    """What `work` answers or raises, if it does so in time; else TimeoutError, and whatever comes of it later is nobody's any more.

    Each wait on the way has a limit of its own, but nobody limits all of them: a name server that hangs, an answer that drips.
    """
    answered: queue.SimpleQueue[tuple[Answer | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answered.put((work(), None))
        except BaseException as e:
            answered.put((None, e))

    threading.Thread(target=run, name="gateway", daemon=True).start()
    try:
        answer, failure = answered.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if failure is not None:
        raise failure
    return cast("Answer", answer)


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
