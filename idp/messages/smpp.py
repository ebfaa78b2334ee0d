"""Text messages straight to a message centre, by SMPP 3.4 (https://smpp.org/SMPP_v3_4_Issue1_2.pdf), with smpplib, an optional extra.

A connection is bound at the first message and kept by the process (the worker) in a thread of its own: it reads what the centre says, tries
the line when it is silent (enquire_link), and binds again when it broke. Delivery reports (deliver_sm) wait until the worker has
written them down, and only then is the centre told: what nobody wrote down it sends once more.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from smpplib import consts

from idp import clock, telemetry
from idp.config_gateways import SmppGateway
from idp.db.session import writes
from idp.messages import receipts
from idp.messages.gateway import GatewayFailed, Outgoing, Taken
from idp.messages.parts import split
from idp.messages.smpp_link import Link, Refused

# Statuses that are about the message or its number (SMPP 3.4 §5.1.3); all others are about us or the centre.
_ABOUT_MESSAGE = {0x01: "length", 0x0B: "bad_number", 0x33: "bad_number", 0x45: "refused", 0x62: "bad_validity"}
_WORDS = _ABOUT_MESSAGE | {0x05: "bound_already", 0x0D: "login", 0x0E: "login", 0x0F: "login", 0x14: "queue_full", 0x58: "throttled"}
_DELIVERED, _FAILED = {"DELIVRD", 2}, {"EXPIRED", "DELETED", "UNDELIV", "REJECTD", 3, 4, 5, 8}
_STATES = {2: "delivrd", 3: "expired", 4: "deleted", 5: "undeliv", 8: "rejectd"}
_ID, _STATE = re.compile(r"\bid:(\S{1,65})"), re.compile(r"\bstat:([A-Z]+)")

_links: dict[str, Link] = {}
_lock = threading.Lock()


class Report(NamedTuple):
    """What a centre said of a message. `ack`: to be called once it is written down. `until`: then it is not kept any longer."""

    gateway: str
    known_as: str
    is_delivered: bool
    reason: str
    ack: Callable[[], None]
    until: float


_heard: list[Report] = []
KNOWN_WITHIN = 10.0  # seconds in which we know a message that the centre reports on: a report can be quicker than our own transaction


def send(name: str, gateway: SmppGateway, message: Outgoing) -> Taken:
    """Hand a message over, in all its parts; raises GatewayFailed. The last part's report stands for all of them."""
    until = time.monotonic() + gateway.timeout
    text = split(message.text, ucs2=gateway.alphabet == "ucs2")
    link = _link(name, gateway)
    known_as = ""
    for number, part in enumerate(text.parts, 1):
        is_last = number == len(text.parts)
        try:
            known_as = link.submit(
                until,
                source_addr_ton=gateway.source_ton if gateway.source else 0,
                source_addr_npi=gateway.source_npi if gateway.source else 0,
                source_addr=gateway.source,
                dest_addr_ton=consts.SMPP_TON_INTL,
                dest_addr_npi=consts.SMPP_NPI_ISDN,
                destination_addr=message.to.removeprefix("+"),
                esm_class=consts.SMPP_GSMFEAT_UDHI if text.is_joined else consts.SMPP_MSGMODE_DEFAULT,
                data_coding=text.coding,
                short_message=part,
                registered_delivery=1 if is_last and gateway.mode == "transceiver" else 0,
                validity_period=_validity(message),
            )
        except Refused as e:
            about_message = e.status in _ABOUT_MESSAGE
            raise GatewayFailed(name, _WORDS.get(e.status, f"smpp_{e.status:02x}"), is_about_message=about_message) from None
    return Taken(name, _as_reported(gateway, known_as) or None)


def look(name: str, gateway: SmppGateway) -> str:
    """What `idp doctor` says: the centre takes us in and answers enquire_link. Raises GatewayFailed."""
    link = Link(name, gateway, lambda _pdu, _ack: None)
    try:
        link.enquire(time.monotonic() + gateway.timeout)
    except Refused as e:
        raise GatewayFailed(name, _WORDS.get(e.status, f"smpp_{e.status:02x}")) from None
    finally:
        link.close()
    return f"{gateway.host}:{gateway.port} binds as {gateway.system_id} ({gateway.mode}, {gateway.security})"


def open_line(name: str, gateway: SmppGateway) -> None:
    """Bind before there is a message, in the background: reports on former ones wait at the centre."""
    if gateway.mode == "transceiver":
        _link(name, gateway).start()


def write_down() -> int:
    """Write down the reports that came since the last look, each in a unit of its own, and tell the centre; answers how many."""
    with _lock:
        reports, _heard[:] = list(_heard), []
    written = 0
    while reports:
        report = reports[0]
        try:
            with writes():
                changed = receipts.reported(report.gateway, report.known_as, delivered=report.is_delivered, reason=report.reason)
        except BaseException:  # the database is away: what is not written down is not acknowledged
            with _lock:
                _heard.extend(reports)
            raise
        reports.pop(0)
        if changed is None and time.monotonic() < report.until:
            with _lock:
                _heard.append(report)
            continue
        written += 1
        if changed:
            telemetry.log.info("message_reported", gateway=report.gateway, result="delivered" if report.is_delivered else "failed")
        report.ack()
    return written


def close() -> None:
    """Say good-bye to every centre."""
    with _lock:
        links = list(_links.values())
        _links.clear()
    for link in links:
        link.close()


def _link(name: str, gateway: SmppGateway) -> Link:
    """The connection of this process to the gateway; a new one when the settings are others."""
    with _lock:
        link = _links.get(name)
        if link is None or link.gateway != gateway:
            former, link = link, Link(name, gateway, _reported(name))
            _links[name] = link
            if former is not None:
                former.close()
    return link


def _reported(name: str) -> Callable[[Any, Callable[[], None]], None]:
    """Who hears a deliver_sm: a report is kept for the worker, all else (somebody's answer to a text) is acknowledged and dropped."""

    def hear(pdu: Any, ack: Callable[[], None]) -> None:
        known_as, state = _read(pdu)
        if not known_as or state not in _DELIVERED | _FAILED:
            ack()
            return
        word = _STATES.get(state, str(state).lower()) if isinstance(state, int) else state.lower()
        report = Report(name, known_as[:200], state in _DELIVERED, word, ack, time.monotonic() + KNOWN_WITHIN)
        with _lock:
            _heard.append(report)

    return hear


def _read(pdu: Any) -> tuple[str, str | int]:
    """Id and state of a report: from its parameters where the centre gives them, else from its text (SMPP 3.4 appendix B)."""
    if not (pdu.esm_class or 0) & 0x3C:  # message type: not a receipt
        return "", ""
    text = bytes(pdu.short_message or getattr(pdu, "message_payload", None) or b"").decode("latin-1")
    by_text, state = _ID.search(text), _STATE.search(text)
    given = bytes(getattr(pdu, "receipted_message_id", None) or b"").decode("latin-1")
    # Some centres leave out the zero at the end of the parameter, and smpplib takes the last digit for it.
    known_as = by_text[1] if by_text and by_text[1].startswith(given) else given
    said: Any = getattr(pdu, "message_state", None) or (state[1] if state else "")
    return (known_as if known_as.isprintable() else ""), said


def _as_reported(gateway: SmppGateway, known_as: str) -> str:
    """A message's id as the reports will call it."""
    if gateway.report_ids == "decimal":
        with suppress(ValueError):
            return str(int(known_as, 16))
    return known_as


def _validity(message: Outgoing) -> str | None:
    """How long the centre may keep trying: as long as the message is good for, relative, at most 63 hours (SMPP 3.4 §7.1.1)."""
    if message.expires_at is None:
        return None
    seconds = max(1, min(63 * 3600, int((message.expires_at - clock.now()).total_seconds())))
    days, rest = divmod(seconds, 86400)
    return f"0000{days:02}{rest // 3600:02}{rest % 3600 // 60:02}{rest % 60:02}000R"
