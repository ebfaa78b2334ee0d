"""Sending: `send` puts a message into the outbox, in the transaction that wants it; the worker composes it and hands it to a channel.

To add a way of delivery: a file and a line in CHANNELS. A channel takes the outbox row's id as the mark by which the same message, handed
over twice, goes out once. What became of each message stands in `receipts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from idp import clock, outbox, telemetry
from idp.config import settings
from idp.messages import gateways, inbox, receipts, spend_ledger, spend_rules, wording
from idp.messages.gateway import Taken, doubts
from idp.messages.wording import Text

KIND = "message"  # of the outbox rows
KINDS = frozenset({"sms", "voice", "flash_call", "email"})


class Channel(NamedTuple):
    """A way of delivery: its name in `messages.channel`, what it carries, and `deliver(id, kind, to, text)`, which may raise anything.

    `deliver` answers who took the message; None: nobody else, it is there. `is_ready`: whether the settings let it carry a kind.
    `leaves`: it leaves the house, so `deliver` is also told `expires_at`, and `only` which gateway is meant.
    """

    name: str
    carries: frozenset[str]
    deliver: Callable[..., Taken | None]
    is_ready: Callable[[str], bool] = lambda _: True
    leaves: bool = False


CHANNELS = (
    Channel("inbox", KINDS, inbox.deliver),
    Channel("gateways", KINDS, gateways.deliver, gateways.is_ready, leaves=True),
)


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
    message_id: str | None = None,
    link: str | None = None,
) -> str | None:
    """Have the wording `words` reach `to` (a phone number in E.164, an e-mail address) once the present transaction is committed.

    `channel`: `sms`, `voice`, `flash_call` (the number that calls ends in `code`) or `email`; `language`: a code of ours. `key`: the same
    one sends nothing twice. `expires_at`: later it is not sent at all. `person_note`: the user's id, for the operator's ledger; it is never
    part of the text.
    `message_id`: the one that the ledger gave it (`spend.admit`). `link`: an address of ours, which stands in a mail on a line of its own.
    Answers the message's id, or None when `key` was used before. Raises KeyError for a wording that has nothing to say on this channel.
    """
    wording.WORDINGS[words][channel]
    payload: dict[str, Any] = {"channel": channel, "to": to, "wording": words, "language": language, "code": code}
    payload |= {"params": dict(params or {}), "person": person_note} | ({"link": link} if link else {})
    return outbox.put(KIND, payload, key=key, expires_at=expires_at, row_id=message_id)


def is_carried(kind: str) -> bool:
    """Whether a message of this kind can be sent at all: `sms`, `voice`, `flash_call` or `email`."""
    return _find(kind) is not None


def deliver(message_id: str, payload: Mapping[str, Any], *, expires_at: datetime | None = None, only: str | None = None) -> Taken:
    """Compose a message and hand it over. For the worker; raises what the channel raises, and it is then tried again.

    The channel's work comes before the unit's first statement: a slow gateway holds no lock. `expires_at`: nobody is given it later.
    `only`: this gateway and no other, for whoever tests it.
    """
    kind, to = payload["channel"], payload["to"]
    text = wording.compose(
        payload["wording"], kind, payload["language"], code=payload["code"], params=payload["params"], link=payload.get("link")
    )
    began = clock.now()
    try:
        taken = _hand_over(message_id, kind, to, text, expires_at=expires_at, only=only)
    except Exception as e:
        _tell(message_id, payload, began, "failed", gateway=getattr(e, "gateway", ""), reason=word_of(e))
        raise
    _tell(message_id, payload, began, "sent", gateway=taken.gateway)
    receipts.sent(
        message_id,
        channel=kind,
        wording=payload["wording"],
        to=to,
        gateway=taken.gateway,
        gateway_message_id=taken.known_as,
        delivered=taken.delivered,
        passed=taken.passed,
    )
    in_parts = gateways.parts_of(text.text, taken.gateway) if kind == "sms" else 1
    told = {"parts": in_parts, "doubts": doubts(taken.passed)}
    spend_ledger.note_sent(message_id, to, kind, taken.gateway, **told, delivered=taken.delivered)
    return taken


def _hand_over(message_id: str, kind: str, to: str, text: Text, **more: Any) -> Taken:
    channel = _find(kind)
    if channel is None:
        raise NoChannel(f"the channel {settings().messages.channel} does not carry {kind}")
    taken = channel.deliver(message_id, kind, to, text, **more) if channel.leaves else channel.deliver(message_id, kind, to, text)
    return taken or Taken(channel.name, delivered=True)


def _tell(message_id: str, payload: Mapping[str, Any], began: datetime, result: str, **more: str) -> None:
    """A line in the log and, for a code, in the metrics: nothing of the person, nothing of the text."""
    if payload["code"] is not None:
        telemetry.count_message(payload["channel"], spend_rules.country_of(payload["to"]), result)
    duration = round((clock.now() - began).total_seconds() * 1000)
    said = {"channel": payload["channel"], "wording": payload["wording"], "result": result, "duration_ms": duration, **more}
    telemetry.log.info("message", message_id=message_id, **said)


def note_failure(message_id: str, payload: Mapping[str, Any], error: Exception, *, given_up: bool, expires_at: datetime | None) -> None:
    """Write down that a try failed, in the unit in which the outbox learns of it. Raises KeyError for a payload that is no message."""
    receipts.failed(
        message_id,
        channel=payload["channel"],
        wording=payload["wording"],
        to=payload["to"],
        gateway=getattr(error, "gateway", settings().messages.channel),
        reason=word_of(error),
        given_up=given_up,
        expires_at=expires_at,
        passed=getattr(error, "passed", ()),
    )
    # One gateway may have taken it although another one then said no.
    spend_ledger.note_failed(message_id, payload["to"], doubts=getattr(error, "doubts", 0), given_up=given_up)


def word_of(error: Exception) -> str:
    """The word for a failure: the gateway's, else the class. NOTE: never the text, which may hold number or code."""
    return str(getattr(error, "word", type(error).__name__))


def _find(kind: str) -> Channel | None:
    """The channel of the settings, if it carries this."""
    wanted = settings().messages.channel
    return next((channel for channel in CHANNELS if channel.name == wanted and kind in channel.carries and channel.is_ready(kind)), None)
