"""The settings of `[messages]`: which gateways carry what, how many messages at once, and which channel a number is offered first."""

from __future__ import annotations

import re
from datetime import time
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from idp.config_gateways import LONGEST_TRY, Gateway, Smtp, WebhookGateway
from idp.config_source import TextList

KINDS = ("flash_call", "sms", "voice", "email")
CALLS = frozenset({"flash_call", "voice"})
DEFAULT = "default"  # of the ladder: numbers for which no prefix is named
SMTP = "smtp"  # the name under which `[smtp]` is a gateway
LEFT_WITHIN = 9.0  # seconds: a gateway that others follow is left within ten (promise R13)
CARRIES = {
    "sms": frozenset({"apprise", "webhook", "smpp"}),
    "voice": frozenset({"webhook"}),
    "flash_call": frozenset({"webhook"}),
    "email": frozenset({"smtp"}),
}
ONLY_OF = {"prompt": "voice", "digits": "voice", "code": "flash_call"}  # places that nothing else fills


class Messages(BaseModel):
    """How codes and notices reach people."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    channel: Literal["inbox", "gateways"] = "inbox"
    """`inbox` keeps every message in the database and shows it at /dev/inbox, on loopback only: for a desk, refused in production.
    `gateways` sends through the gateways that `sms`, `voice`, `flash_call` and `email` name."""
    sms: TextList = []
    """The gateways of text messages, by name, the preferred one first; the next is asked when it does not take a message, and at once while
    it is left alone because it failed too often."""
    voice: TextList = []
    """The gateways of calls that speak the code, once a key was pressed. None: no such calls."""
    flash_call: TextList = []
    """The gateways of calls whose number ends in the code. None: no such calls."""
    email: TextList = []
    """The gateways of mail: `smtp` is the server of `[smtp]`, which is also meant when none is named."""
    gateways: dict[str, Gateway] = {}
    """The gateways, each a table of its own: `[messages.gateways.<name>]`, as below. They hold secrets: a key can come from a file, as in
    IDP_MESSAGES__GATEWAYS__<NAME>__URL_FILE."""
    at_once: int = Field(8, ge=1, le=64)
    """Messages that one worker sends at the same time: so many can wait for a gateway that hangs before others do."""
    ladder: dict[str, TextList] = {}
    """Which channels a number is offered, the first one first: by the beginning of the number (`"+7" = ["flash_call", "sms"]`), the longest
    that fits, and `default` for all others. Channels without a gateway are passed over. Nothing named: sms, voice, email."""
    quiet_hours: str = ""
    """Local times of the number between which nobody is called, as in `22:00-08:00`. Empty: calls at any hour. Where a number may be in
    several zones, `[languages] timezone` decides if it is one of them, else none of them may be quiet."""
    bound_host: str = ""
    """The host in the last line of a text (`@host #123456`), by which phones fill the code in. Empty: the issuer's host.
    `idp check` refuses one with which not even the short form of the text is one message."""

    @field_validator("ladder")
    @classmethod
    def _ladder(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        """Prefixes are kept as digits."""
        found: dict[str, list[str]] = {}
        for prefix, channels in value.items():
            digits = DEFAULT if prefix in {"", DEFAULT} else prefix.removeprefix("+")
            if digits != DEFAULT and not re.fullmatch("[1-9][0-9]{0,14}", digits):
                raise ValueError(f'"{prefix}" is no beginning of a number: write it as "+7" or "+7900", or `default`')
            if digits in found:
                raise ValueError(f'"{prefix}" is there twice')
            if unknown := [name for name in channels if name not in KINDS]:
                raise ValueError(f'"{prefix}": {unknown[0]} is no channel; there are {", ".join(KINDS)}')
            if not channels or len(set(channels)) < len(channels):
                raise ValueError(f'"{prefix}": name each channel once, and one at least')
            found[digits] = channels
        return found

    @field_validator("quiet_hours")
    @classmethod
    def _quiet_hours(cls, value: str) -> str:
        if value and (not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", value) or value[:5] == value[6:]):
            raise ValueError("must be two different times, as in 22:00-08:00")
        return value

    @property
    def quiet(self) -> tuple[time, time] | None:
        """From when to when nobody is called; it may pass midnight."""
        return (time.fromisoformat(self.quiet_hours[:5]), time.fromisoformat(self.quiet_hours[6:])) if self.quiet_hours else None

    @model_validator(mode="after")
    def _gateways(self) -> Messages:
        for name in self.gateways:
            if not re.fullmatch("[a-z][a-z0-9_]{0,31}", name) or name == SMTP:
                reason = "the server of [smtp] is called so" if name == SMTP else "use small letters, digits and _"
                raise ValueError(f"gateways: {name!r} is no name; {reason}")
        for kind in KINDS:
            self._check(kind, getattr(self, kind))
        if self.channel == "gateways":
            self._check_channels()
        return self

    def _check(self, kind: str, names: list[str]) -> None:
        """Raise ValueError unless these gateways can carry `kind`."""
        if len(set(names)) < len(names):
            raise ValueError(f"{kind}: a gateway is named twice")
        for name in names:
            if kind == "email" and name == SMTP:
                continue
            if (gateway := self.gateways.get(name)) is None:
                raise ValueError(f"{kind}: there is no table [messages.gateways.{name}]")
            if gateway.kind not in CARRIES[kind]:
                can = " or ".join(sorted(CARRIES[kind]))
                raise ValueError(f'{kind}: gateway {name} is of kind "{gateway.kind}", which does not carry it; use {can}')
            if isinstance(gateway, WebhookGateway):
                _check_places(kind, name, gateway)

    def _check_channels(self) -> None:
        """Raise ValueError unless everybody can be reached, and everything that is named is used."""
        if not self.sms:
            raise ValueError('sms: name a gateway; channel = "gateways" sends codes by text message')
        for prefix, channels in self.ladder.items():
            if not any(kind != "email" and getattr(self, kind) for kind in channels):
                raise ValueError(f'ladder: no channel of "{prefix}" has a gateway, mail apart, which few people can be reached by')
        if self.flash_call and not any("flash_call" in channels for channels in self.ladder.values()):
            raise ValueError(
                'flash_call: no line of [messages.ladder] names it, so nobody would be called; as in default = ["flash_call", "sms"]'
            )

    def problem_with(self, smtp: Smtp) -> str:
        """What does not go together with `[smtp]`, and the gateways' time limits; empty when all is well."""
        if SMTP in self.email and not smtp.host:
            return "email: smtp is named, but [smtp] host is not set"
        for kind in KINDS:
            times = [smtp.timeout if name == SMTP else self.gateways[name].timeout for name in getattr(self, kind)]
            if sum(times) > LONGEST_TRY:
                return f"{kind}: the gateways' timeouts together are more than {LONGEST_TRY:.0f} seconds"
            if any(one > LEFT_WITHIN for one in times[:-1]):
                return f"{kind}: a gateway that another one follows may take {LEFT_WITHIN:.0f} seconds at most (timeout)"
        return ""


def _check_places(kind: str, name: str, gateway: WebhookGateway) -> None:
    """Raise ValueError unless the table says what this kind of message needs, and asks for nothing that it has not."""
    if wrong := sorted(place for place in gateway.places if ONLY_OF.get(place, kind) != kind):
        raise ValueError(f"{kind}: gateway {name} uses {{{wrong[0]}}}, which only {ONLY_OF[wrong[0]]} has")
    wanted = {"voice": {"text", "digits"}, "flash_call": {"code"}}.get(kind, {"text"})
    if not gateway.places & wanted:
        raise ValueError(f"{kind}: gateway {name} uses {' or '.join(f'{{{place}}}' for place in sorted(wanted))} nowhere")
    if kind == "voice" and "prompt" not in gateway.places and not gateway.asks_first:
        raise ValueError(
            f"voice: gateway {name} would speak the code to a voice mail box: let it speak {{prompt}} and wait for a key, "
            "or say asks_first = true where it waits by itself"
        )
