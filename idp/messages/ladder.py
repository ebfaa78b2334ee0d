"""The ladder: by which channels a code can reach a number, the preferred one first (`product.md` §2.2)."""

from __future__ import annotations

from datetime import datetime

from idp.config import settings
from idp.messages import channels

DEFAULT = ("sms", "voice", "email")  # a flash call is made only where the settings name it


def offered(phone: str, *, has_email: bool = False, at: datetime | None = None) -> tuple[str, ...]:  # noqa: ARG001 - no channel sleeps yet
    """The channels for `phone` (E.164) in the order of the settings, as far as they are carried now; e-mail only where `has_email`."""
    ladder, number = settings().messages.ladder, phone.removeprefix("+")
    prefix = max((each for each in ladder if number.startswith(each)), key=len, default="default")
    order = ladder.get(prefix, DEFAULT)
    return tuple(each for each in order if (each != "email" or has_email) and channels.is_carried(each))
