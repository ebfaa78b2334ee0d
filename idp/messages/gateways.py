"""The channel that leaves the house: text messages through the gateways of the settings, in their order; mail through `[smtp]`."""

from __future__ import annotations

from idp.config import settings
from idp.config_gateways import AppriseGateway, Gateway
from idp.messages import apprise, webhook
from idp.messages.gateway import GatewayFailed, Outgoing, Taken
from idp.messages.wording import Text


def is_ready(kind: str) -> bool:
    """Whether the settings name somebody for `sms` or `email`."""
    return bool(settings().messages.sms) if kind == "sms" else kind == "email" and bool(settings().smtp.host)


def deliver(message_id: str, kind: str, to: str, text: Text) -> Taken:
    """Hand a message to the first gateway that takes it; raises GatewayFailed of the last one that did not."""
    if kind == "email":
        from idp.messages import mail  # noqa: PLC0415 - the servers, which only put messages in, start without

        return mail.send(message_id, to, text)
    failure = GatewayFailed("", "no_gateway")
    message = Outgoing(message_id, to, text.text)
    for name in settings().messages.sms:
        try:
            return _send(name, settings().messages.gateways[name], message)
        except GatewayFailed as e:
            failure = e
    raise failure


def look() -> list[tuple[str, str, bool]]:
    """For `idp doctor`: each gateway and the mail server, what is to be said of it, and whether it is well. Sends nothing."""
    found = []
    for name in settings().messages.sms:
        gateway = settings().messages.gateways[name]
        try:
            says = apprise.look(gateway) if isinstance(gateway, AppriseGateway) else webhook.look(gateway)
            found.append((name, says, True))
        except (OSError, ValueError) as e:
            found.append((name, e.strerror or type(e).__name__ if isinstance(e, OSError) else str(e), False))
    if is_ready("email"):
        from idp.messages import mail  # noqa: PLC0415 - as above

        try:
            found.append((mail.NAME, mail.look(), True))
        except GatewayFailed as e:
            found.append((mail.NAME, f"does not answer ({e.word})", False))
    return found


def _send(name: str, gateway: Gateway, message: Outgoing) -> Taken:
    return apprise.send(name, gateway, message) if isinstance(gateway, AppriseGateway) else webhook.send(name, gateway, message)
