"""The ladder: by which channels a code can reach a number, the preferred one first (`product.md` §2.2)."""

from __future__ import annotations

from datetime import datetime

from idp.config import settings
from idp.messages import channels


def offered(phone: str, *, has_email: bool = False, at: datetime | None = None) -> tuple[str, ...]:  # noqa: ARG001 - no channel sleeps yet
    """The channels for `phone` (E.164) in the order of the settings, as far as they are carried now; e-mail only where `has_email`."""
    ladder = settings().messages.ladder
    prefix = max((each for each in ladder if phone.startswith(each)), key=len, default=None)
    order = ladder[prefix] if prefix is not None else ["sms"]
    return tuple(each for each in order if (each != "email" or has_email) and channels.is_carried(each))
