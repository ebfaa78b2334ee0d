"""The settings of what carries messages out of the house: `[smtp]`, and each `[messages.gateways.<name>]`.

Which of them carries what, and in which order, stands in `[messages]` (`config_messages`).

NOTE: what may hold a secret (addresses, headers, bodies, passwords) is marked `repr=False`, so that no error prints it, and `idp check`
hides it whole: gateways keep their keys anywhere in an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from idp.config_source import is_loopback, nearest

LONGEST_TRY = 18.0  # seconds that all gateways of a message may take together
PLACES = ("to", "number", "text", "id", "language", "prompt", "digits", "code")
SAYS = ("text", "digits", "code")  # one of them stands in whatever is sent
PLACE = re.compile(r"\{([^{}]*)\}")
_PLAIN_SCHEMES = {"json", "xml", "form", "http"}  # of apprise: they end in s when they speak TLS


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, values: Any) -> Any:
        for key in values if isinstance(values, dict) else ():
            if key not in cls.model_fields:
                raise ValueError(f"{key} is not known{nearest(key, cls.model_fields, '{}')}")
        return values


class _Gateway(_Table):
    timeout: float = Field(8.0, gt=0, le=LONGEST_TRY)
    """Seconds for one try."""
    certificate_authority: Path | None = None
    """PEM file of the authority that signed the gateway's certificate, where that is not one that everybody trusts."""


class AppriseGateway(_Gateway):
    """Any text message service that apprise knows."""

    kind: Literal["apprise"]
    url: str = Field(repr=False)
    """Apprise's address of the service, with `{to}` where the number stands (`{number}`: without the plus) and `{id}`, if it
    takes one."""

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        _require_places([value])
        if "{text}" in value:
            raise ValueError("apprise puts the text in by itself: take {text} out")
        if not re.match("[a-z0-9]+://", value):
            raise ValueError("must be an address of apprise, as in smsc://user:password@{to}")
        parts = urlsplit(PLACE.sub("0", value))
        if parts.scheme in _PLAIN_SCHEMES and not is_loopback(parts.hostname or ""):
            raise ValueError(f"{parts.scheme}:// sends codes in clear; only to loopback. Use {parts.scheme}s://")
        return value


class Reports(_Table):
    """How a gateway reports what became of a message."""

    secret: str = Field(repr=False, min_length=32)
    id: str = "id"
    state: str = "status"
    delivered: list[str] = ["delivered"]
    failed: list[str] = ["failed", "undelivered", "expired", "rejected"]


class WebhookGateway(_Gateway):
    """Any service that takes a message, or makes a call, by one HTTP request."""

    kind: Literal["webhook"]
    url: str = Field(repr=False)
    """https; what is put into its places is percent-encoded."""
    method: Literal["POST", "PUT", "GET"] = "POST"
    """How it is called; `GET` has no body, so the places stand in the url."""
    headers: dict[str, str] = Field({}, repr=False)
    """`Idempotency-Key` with the message's id is always among them."""
    encoding: Literal["json", "form"] = "json"
    """How the body is written."""
    body: dict[str, Any] | list[Any] = Field({}, repr=False)
    """The body as a table, with places in its texts; none: no body is sent. `{to}` (`{number}`: without the plus), `{text}`, `{id}`,
    `{language}` (ru, en, zh); of a voice call also `{prompt}`, which is spoken first (`… press any key`), and `{digits}`, the code in
    single digits, which alone may take the text's place; of a flash call `{code}`, in which the number that calls has to end."""
    asks_first: bool = False
    """Of a voice call: the gateway waits for a key before it speaks, also without `{prompt}`. One of the two is required, so that no voice
    mail box takes down a code."""
    success: dict[str, str] = {}
    """Path in the JSON answer = the value that means yes, beside a 2xx status; `""`: nothing may be there."""
    message_id: str = ""
    """Path in the JSON answer of the id that the gateway gave the message, as in `messages.0.id`."""
    reports: Reports | None = None
    """Takes the gateway's delivery reports at `/api/messages/receipts/<name>`, as JSON or as a form. A table: `secret`, which it sends as
    `Authorization: Bearer …`; `id` and `state`, the paths of the message's id and its state; `delivered` and `failed`, lists of states."""

    @model_validator(mode="after")
    def _is_whole(self) -> WebhookGateway:
        if urlsplit(PLACE.sub("0", self.url)).netloc != urlsplit(self.url).netloc:
            raise ValueError("url: no place may stand in the host")
        parts = urlsplit(self.url)
        if (
            not parts.hostname
            or parts.fragment
            or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)))
        ):
            raise ValueError("url: must be https; plain http is only for loopback")
        if any(not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not value.isprintable() for name, value in self.headers.items()):
            raise ValueError("headers: a name or value cannot be sent")
        if self.encoding == "form" and not (isinstance(self.body, dict) and all(isinstance(value, str) for value in self.body.values())):
            raise ValueError("body: a form is a table of texts")
        if self.method == "GET" and self.body:
            raise ValueError("body: GET has none; put the places into the url")
        texts = [self.url, *self.headers.values(), *texts_of(self.body)]
        _require_places(texts)
        if not self.places & set(SAYS):
            raise ValueError("{text} stands nowhere in url, headers or body: what would people read?")
        return self

    @property
    def places(self) -> set[str]:
        """The places that stand anywhere in the table."""
        texts = [self.url, *self.headers.values(), *texts_of(self.body)]
        return {place for text in texts for place in PLACE.findall(text)}


class SmppGateway(_Gateway):
    """A message centre that speaks SMPP 3.4, over a connection that the worker keeps. Needs the extra: `pip install 'idp[smpp]'`."""

    kind: Literal["smpp"]
    host: str
    """Its name or address."""
    port: int = Field(2775, ge=1, le=65535)
    """2775 is the usual one; with TLS mostly another."""
    security: Literal["tls", "none"] = "tls"
    """`tls`: from the first byte. `none`: only to loopback or a private address, where a tunnel to the operator ends: codes go in clear."""
    system_id: str = Field(min_length=1, max_length=15)
    """The name to bind with."""
    password: str = Field(repr=False, max_length=8)
    """Its password: SMPP has room for eight characters."""
    system_type: str = Field("", max_length=12)
    """Only where the operator names one."""
    mode: Literal["transceiver", "transmitter"] = "transceiver"
    """`transceiver` also takes delivery reports; `transmitter` only sends."""
    source: str = Field("", max_length=20)
    """The sender that people see; empty: the operator's choice."""
    source_ton: int = Field(5, ge=0, le=6)
    """The sender's type of number: 5 for letters, 1 for an international number, 3 for a short one."""
    source_npi: int = Field(0, ge=0, le=18)
    """The sender's numbering plan: 0 for letters, 1 for a number."""
    alphabet: Literal["gsm7", "ucs2"] = "gsm7"
    """`gsm7`: texts that fit into GSM 03.38 go in it, others in UCS-2. `ucs2`: all of them, for a centre with another default alphabet."""
    report_ids: Literal["same", "decimal"] = "same"
    """`decimal`: the centre calls a message by a hexadecimal number when it takes it, and by the decimal one in its reports."""
    enquire_every: float = Field(30.0, gt=0, le=600)
    """Seconds of silence after which the connection is tried (enquire_link)."""

    @model_validator(mode="after")
    def _is_whole(self) -> SmppGateway:
        if find_spec("smpplib") is None:
            raise ValueError("kind = \"smpp\" needs a library that is not installed: pip install 'idp[smpp]'")
        if self.security == "none" and not is_loopback(self.host) and not _is_private(self.host):
            raise ValueError('security = "none" is only for loopback, or a private address (10.0.0.1) where a tunnel ends')
        if not all(text.isascii() and text.isprintable() for text in (self.system_id, self.password, self.system_type, self.source)):
            raise ValueError("system_id, password, system_type and source are written in ASCII")
        return self


class Smtp(_Table):
    """The server that takes our mail: the gateway `smtp`. With `[messages] channel = "gateways"`, mail goes out once `host` is set."""

    host: str = ""
    """Its name. Empty: no mail is sent."""
    port: int = Field(587, ge=1, le=65535)
    """587 for `starttls`, 465 for `tls`."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls`: refused when the server does not offer it. `tls`: from the first byte. `none`: only for a server on loopback."""
    user: str = ""
    """The name to log in with; empty: no login."""
    password: str = Field("", repr=False)
    """Its password."""
    sender: str = ""
    """The address that mail comes from; the product's name stands before it."""
    timeout: float = Field(8.0, gt=0, le=LONGEST_TRY)
    """Seconds for one try."""
    certificate_authority: Path | None = None
    """PEM file of the authority that signed the server's certificate, where that is not one that everybody trusts."""
    needs_host: ClassVar[bool] = False

    @model_validator(mode="after")
    def _is_whole(self) -> Smtp:
        if self.needs_host and not self.host:
            raise ValueError("host: name the server")
        if self.host and not re.fullmatch(r"[^\s@<>()\"',;:]+@[^\s@<>()\"',;:]+", self.sender):
            raise ValueError("sender must be an e-mail address, as in id@example.com")
        if self.security == "none" and self.host and not is_loopback(self.host):
            raise ValueError('security = "none" is only for a server on loopback')
        if bool(self.user) != bool(self.password):
            raise ValueError("user and password belong together: give both or neither")
        return self


class SmtpGateway(Smtp):
    """One more mail server, for `[messages] email`. Its keys are those of `[smtp]`."""

    kind: Literal["smtp"]
    needs_host: ClassVar[bool] = True


Gateway = Annotated[AppriseGateway | WebhookGateway | SmppGateway | SmtpGateway, Field(discriminator="kind")]


def texts_of(body: Any) -> Iterator[str]:
    """Every text in a body, however deep."""
    if isinstance(body, str):
        yield body
    for item in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from texts_of(item)


def _is_private(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return False


def _require_places(texts: list[str]) -> None:
    """Raise ValueError unless the number is asked for, and nothing that is not known."""
    found = {place for text in texts for place in PLACE.findall(text)}
    if unknown := sorted(found - set(PLACES)):
        raise ValueError(f"{{{unknown[0]}}} is not known; there are {', '.join(f'{{{place}}}' for place in PLACES)}")
    if not found & {"to", "number"}:
        raise ValueError("{to} stands nowhere: where does the number go?")
