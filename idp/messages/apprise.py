"""Text messages through any of the services that apprise knows, each by its address (https://github.com/caronc/apprise).

Apprise answers yes or no, logs what it does, and may redirect: here it is told not to follow, to check certificates, and to be quiet; of
what it would have logged only a status is taken.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from typing import Any

from idp.config_gateways import AppriseGateway
from idp.messages.gateway import GatewayFailed, Outgoing, Taken, percent, status_failed

_STATUS = re.compile(r"\berror=(\d{3})\b")
_NOBODY = Outgoing("out_0", "+10000000000", "test")
_loading = threading.Lock()


def send(name: str, gateway: AppriseGateway, message: Outgoing) -> Taken:
    """Hand a message over; raises GatewayFailed."""
    service = _service(gateway, message)
    if service is None:
        raise GatewayFailed(name, "bad_address")
    heard = _Heard()
    logger = logging.getLogger("apprise")
    logger.addHandler(heard)
    try:
        taken = service.notify(body=message.text)
    except Exception:  # some services raise on an answer that they did not expect; its text would tell the message
        taken = False
    finally:
        logger.removeHandler(heard)
    if not taken:
        raise heard.failure(name)
    return Taken(name)


def look(gateway: AppriseGateway) -> str:
    """What `idp doctor` says of it: whether apprise can read the address. Raises ValueError; nothing is sent."""
    service = _service(gateway, _NOBODY)
    if service is None:
        raise ValueError("apprise cannot read its url")
    return f"{service.service_name} by apprise, not called"


def _service(gateway: AppriseGateway, message: Outgoing) -> Any:
    """Apprise's own object for the address with this recipient; None when there is no such service, or the address is wrong."""
    apprise = _load()
    asset = apprise.AppriseAsset(http_redirects=False, async_mode=False, secure_logging=True)
    service = apprise.Apprise.instantiate(message.fill(gateway.url, percent), asset=asset, suppress_exceptions=True)
    if service is None:
        return None
    # Whatever the address says: no unchecked certificate, no redirect, no endless wait, no second try that we do not count.
    service.verify_certificate = str(gateway.certificate_authority) if gateway.certificate_authority else True
    service.redirects = False
    service.socket_connect_timeout = min(4.0, gateway.timeout / 2)
    service.socket_read_timeout = gateway.timeout - service.socket_connect_timeout
    return service


def _load() -> Any:
    """Apprise with all its services: half a second, so only for who sends."""
    with _loading, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it still looks for a module that Python 3.13 drops
        logger = logging.getLogger("apprise")
        logger.propagate = False  # it would print numbers and texts
        logger.setLevel(logging.WARNING)
        import apprise  # noqa: PLC0415 - as above

        apprise.Apprise.instantiate("json://localhost", suppress_exceptions=True)  # reads the services
    return apprise


class _Heard(logging.Handler):
    """Listens for the status that apprise logs when a service refuses, in this thread; keeps nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.word = "refused"
        self.listener = threading.get_ident()

    def failure(self, name: str) -> GatewayFailed:
        """What it comes to."""
        if self.word.startswith("status_"):
            return status_failed(name, int(self.word.removeprefix("status_")))
        return GatewayFailed(name, self.word, is_about_message=self.word == "refused")

    def emit(self, record: logging.LogRecord) -> None:
        """Called for each line of apprise's."""
        if record.thread != self.listener:  # another message, which is sent at the same time
            return
        said = record.getMessage()
        if status := _STATUS.search(said):
            self.word = f"status_{status[1]}"
        elif "onnection error" in said:
            self.word = "connection"
