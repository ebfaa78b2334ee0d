"""The channel that leaves the house: every kind of message through the gateways that the settings name for it, in their order.

A gateway that does not take a message is followed by the next one, under the same id; one whose breaker is open is passed over at once.
NOTE: after a `timeout` nobody knows whether it was taken, and the next gateway gets it all the same: somebody may read it twice, which is
better than not at all. All sendings of one code say the same, so no two different ones exist (promise R2).
"""

from __future__ import annotations

import sys
from datetime import datetime

from idp import clock
from idp.config import settings
from idp.config_gateways import AppriseGateway, Gateway, SmppGateway, Smtp, WebhookGateway
from idp.config_messages import KINDS, SMTP
from idp.db.session import writes
from idp.messages import apprise, breaker, parts, receipts, webhook
from idp.messages.gateway import GatewayFailed, Outgoing, Taken, within
from idp.messages.wording import Text

GOOD_BYE = 1.5  # seconds
OPEN, LATE, NOBODY = "open", "expired", "no_gateway"  # words for a message that no gateway was given


def named(kind: str) -> list[str]:
    """The gateways of a kind of message, the preferred one first."""
    messages = settings().messages
    names: list[str] = getattr(messages, kind)
    return names or ([SMTP] if kind == "email" and settings().smtp.host else [])


def is_ready(kind: str) -> bool:
    """Whether the settings name somebody for this kind of message."""
    return kind in KINDS and bool(named(kind))


def deliver(message_id: str, kind: str, to: str, text: Text, *, expires_at: datetime | None = None, only: str | None = None) -> Taken:
    """Hand a message to the first gateway that takes it; raises GatewayFailed of the last one that did not.

    To be called before the first statement of the caller's unit: what a gateway did wrong is written down at once, in a unit of its own, so
    that all others leave it too. Nobody is asked after `expires_at`. `only`: this one, whatever its breaker says, and nothing is counted.
    """
    message = Outgoing(message_id, to, text.text, text.language, text.prompt, text.digits, text.code or "", expires_at)
    if only is not None:
        return _send(only, message, text)
    failure = GatewayFailed("", NOBODY)
    passed: list[str] = []
    doubted: list[tuple[GatewayFailed, breaker.Admitted]] = []
    for name in named(kind):
        if expires_at is not None and clock.now() >= expires_at:
            failure = GatewayFailed(name, LATE)
            passed.append(LATE)
            break
        admitted = breaker.admit(name)
        if admitted is None:
            failure = GatewayFailed(name, OPEN)
        else:
            try:
                taken = _send(name, message, text)
            except GatewayFailed as e:
                failure = e
                if e.is_about_message:
                    doubted.append((e, admitted))
                else:
                    _blame(e, admitted)
            else:
                for refusal, when in doubted:  # the message was well: somebody took it
                    _blame(refusal, when, to)
                breaker.succeeded(name, admitted)
                return taken._replace(passed=tuple(passed))
        passed.append(f"{name} {failure.word}")
    failure.passed = tuple(passed[:-1])  # the last one is the failure itself
    raise failure


def parts_of(text: str, name: str | None = None) -> int:
    """How many text messages `text` is as this gateway sends it; without a name, as the one does that makes most of it."""
    tables = [settings().messages.gateways.get(each) for each in (named("sms") if name is None else [name])]
    return parts.count(text, ucs2=any(isinstance(each, SmppGateway) and each.alphabet == "ucs2" for each in tables))


def look(states: dict[str, breaker.Standing] | None = None) -> list[tuple[str, str, bool]]:
    """For `idp doctor`: each gateway, what it carries and what is to be said of it, and whether it is well. Sends nothing.

    `states`: of `breaker.standings`; one that is left alone is not well.
    """
    found: list[tuple[str, str, bool]] = []
    for name in dict.fromkeys(name for kind in KINDS for name in named(kind)):
        carries = ", ".join(kind for kind in KINDS if name in named(kind))
        try:
            says, is_well = _look(name), True
        except GatewayFailed as e:
            says, is_well = f"does not answer ({e.word})", False
        except (OSError, ValueError) as e:
            says, is_well = e.strerror or type(e).__name__ if isinstance(e, OSError) else str(e), False
        standing = (states or {}).get(name)
        if standing is not None and not standing.is_closed:
            says, is_well = f"{says}, {standing.says()}", False
        found.append((f"{name} ({carries})", says, is_well))
    return found


def open_lines() -> None:
    """For the worker, when it begins: have the connections made that are kept between messages."""
    for name in named("sms"):
        gateway = _table(name)
        if isinstance(gateway, SmppGateway):
            from idp.messages import smpp  # noqa: PLC0415 - as in _hand_over

            smpp.open_line(name, gateway)


def write_down_reports() -> int:
    """Write down what was said on those connections since the last look; answers to how many messages. Outside of any unit."""
    smpp = sys.modules.get("idp.messages.smpp")
    return 0 if smpp is None else int(smpp.write_down())


def close_lines() -> None:
    """Leave these connections."""
    if (smpp := sys.modules.get("idp.messages.smpp")) is not None:
        smpp.close()


def _blame(failure: GatewayFailed, admitted: breaker.Admitted, to: str | None = None) -> None:
    """Count it against the gateway. `to`: it may be about this recipient, whom only another one serves; again and again it says no more."""
    with writes():
        if to is not None and not admitted.is_probe and receipts.was_refused(failure.gateway, failure.word, to):
            return
        breaker.failed(failure.gateway, failure.word, admitted)


def _send(name: str, message: Outgoing, text: Text) -> Taken:
    """Within the gateway's own time, whatever it does with it; a mail server's good-bye comes after it has taken the mail."""
    gateway = _table(name)
    try:
        return within(gateway.timeout + (GOOD_BYE if isinstance(gateway, Smtp) else 0), lambda: _hand_over(name, gateway, message, text))
    except TimeoutError:
        raise GatewayFailed(name, "timeout") from None


def _hand_over(name: str, gateway: Gateway | Smtp, message: Outgoing, text: Text) -> Taken:
    if isinstance(gateway, WebhookGateway):
        return webhook.send(name, gateway, message)
    if isinstance(gateway, AppriseGateway):
        return apprise.send(name, gateway, message)
    # Late: the servers, which only put messages in, start without; and SMPP's library is there where it is used.
    if isinstance(gateway, SmppGateway):
        from idp.messages import smpp  # noqa: PLC0415 - as above

        return smpp.send(name, gateway, message)
    from idp.messages import mail  # noqa: PLC0415 - as above

    return mail.send(name, gateway, message.id, message.to, text)


def _look(name: str) -> str:
    gateway = _table(name)
    if isinstance(gateway, WebhookGateway):
        return webhook.look(gateway)
    if isinstance(gateway, AppriseGateway):
        return apprise.look(gateway)
    if isinstance(gateway, SmppGateway):
        from idp.messages import smpp  # noqa: PLC0415 - as in _hand_over

        return smpp.look(name, gateway)
    from idp.messages import mail  # noqa: PLC0415 - as in _hand_over

    return mail.look(name, gateway)


def _table(name: str) -> Gateway | Smtp:
    return settings().smtp if name == SMTP else settings().messages.gateways[name]
