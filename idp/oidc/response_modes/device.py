"""Where a device waits (RFC 8628), the answer goes into its row, where the device finds it, and the person to a page that ends here."""

from __future__ import annotations

from typing import Any

from idp.delegation import device_authorizations
from idp.delegation.requests import Asked, Device
from idp.errors import N_, Gone
from idp.web.http import Response, see_other

ALLOWED, REFUSED = "/device/allowed", "/device/refused"
OVER_TITLE = N_("The code on the device has run out")
OVER = N_("Start again on the device: it shows a new code.")


def require_waiting(device: Device) -> None:
    """Raise Gone when the device does not wait any more: nobody is asked for nothing."""
    if not device_authorizations.is_waiting(device):
        raise over()


def allow(device: Device, asked: Asked, **issued: Any) -> Response:
    """The device may fetch tokens for whom `issued` names (as `device_authorizations.allow` takes it); raises Gone when it is too late."""
    if not device_authorizations.allow(device, asked, **issued):
        raise over()
    return see_other(ALLOWED)


def refuse(device: Device, asked: Asked, *, user_id: str | None) -> Response:
    """The device is told no."""
    device_authorizations.deny(device, asked.client_id, user_id=user_id)
    return see_other(REFUSED)


def over() -> Gone:
    """What a person reads who comes too late."""
    return Gone(OVER, title=OVER_TITLE, detail="the device does not wait any more")
