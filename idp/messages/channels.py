"""Sending: `send` puts a message into the outbox, in the transaction that wants it; the worker composes it and hands it to a channel.

To add a way of delivery: a file and a line in CHANNELS. A channel takes the outbox row's id as the mark by which the same message, handed
over twice, goes out once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import phonenumbers

from idp import clock, outbox, telemetry
from idp.config import settings
from idp.messages import inbox, wording
from idp.messages.wording import Text

KIND = "message"  # of the outbox rows
KINDS = frozenset({"sms", "voice", "flash_call", "email"})


class Channel(NamedTuple):
    """A way of delivery: its name in `messages.channel`, what it carries, and `deliver(id, kind, to, text)`, which may raise anything."""

    name: str
    carries: frozenset[str]
    deliver: Callable[[str, str, str, Text], None]


CHANNELS = (Channel("inbox", KINDS, inbox.deliver),)


class NoChannel(RuntimeError):  # noqa: N818 - it says what is missing
    """No configured channel carries this kind of message."""


def send(
    channel: str,
    to: str,
    words: str,
    language: str,
    *,
    code: str | None = None,
    params: Mapping[str, str] | None = None,
    key: str | None = None,
    expires_at: datetime | None = None,
    person_note: str | None = None,
) -> str | None:
    """Have the wording `words` reach `to` (a phone number in E.164, an e-mail address) once the present transaction is committed.

    `channel`: `sms`, `voice` or `email`; `language`: a code of ours. `key`: the same one sends nothing twice. `expires_at`: later it is not
    sent at all. `person_note`: the user's id, for the operator's ledger; it is never part of the text.
    Answers the message's id, or None when `key` was used before. Raises KeyError for a wording that has nothing to say on this channel.
    """
    wording.WORDINGS[words][channel]
    payload: dict[str, Any] = {"channel": channel, "to": to, "wording": words, "language": language, "code": code}
    payload |= {"params": dict(params or {}), "person": person_note}
    return outbox.put(KIND, payload, key=key, expires_at=expires_at)


def deliver(message_id: str, payload: Mapping[str, Any]) -> None:
    """Compose a message and hand it over. For the worker; raises what the channel raises, and it is then tried again.

    The channel's work comes before the unit's first statement: a slow gateway holds no lock.
    """
    kind, to = payload["channel"], payload["to"]
    text = wording.compose(payload["wording"], kind, payload["language"], code=payload["code"], params=payload["params"])
    began = clock.now()
    result = "failed"
    try:
        _channel(kind).deliver(message_id, kind, to, text)
        result = "sent"
    finally:
        if payload["code"] is not None:
            telemetry.count_message(kind, _country(to), result)
        duration = round((clock.now() - began).total_seconds() * 1000)
        telemetry.log.info("message", message_id=message_id, channel=kind, wording=payload["wording"], result=result, duration_ms=duration)


def _channel(kind: str) -> Channel:
    wanted = settings().messages.channel
    for channel in CHANNELS:
        if channel.name == wanted and kind in channel.carries:
            return channel
    raise NoChannel(f"the channel {wanted} does not carry {kind}")


def _country(to: str) -> str:
    if not to.startswith("+"):
        return ""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(to)) or ""
    except phonenumbers.NumberParseException:
        return ""
