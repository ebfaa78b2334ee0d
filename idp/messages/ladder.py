"""The ladder: which channels a number is offered, the best one first. What failed or stays silent is followed by the next line.

Which channel comes first is a setting by the beginning of the number; nobody is called at night.
"""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from idp import clock
from idp.config import settings
from idp.config_messages import CALLS
from idp.config_messages import DEFAULT as OTHERS
from idp.messages import channels

DEFAULT = ("sms", "voice", "email")  # where the settings name nothing: a flash call is made only where they name it


def offered(phone: str, *, has_email: bool = False, at: datetime | None = None) -> tuple[str, ...]:
    """The channels for `phone` (E.164), in the order of the settings: those that are carried, and no call in the number's quiet hours.

    `has_email`: there is a proved address to write to. `at`: when, by default now. It looks at settings only, so it is the same for a
    number that we know and for one that we do not (case 70).
    """
    is_night = None
    found = []
    for kind in line_of(phone):
        if kind == "email" and not has_email:
            continue
        if kind in CALLS:
            is_night = is_quiet(phone, at or clock.now()) if is_night is None else is_night
            if is_night:
                continue
        if channels.is_carried(kind):
            found.append(kind)
    return tuple(found)


def line_of(phone: str) -> tuple[str, ...]:
    """What `[messages.ladder]` says of the longest prefix that fits."""
    ladder, number = settings().messages.ladder, phone.removeprefix("+")
    fitting = [prefix for prefix in ladder if prefix != OTHERS and number.startswith(prefix)]
    if fitting:
        return tuple(ladder[max(fitting, key=len)])
    return tuple(ladder.get(OTHERS, DEFAULT))


def is_quiet(phone: str, at: datetime) -> bool:
    """Whether it is an hour at which nobody with this number is called (case 67).

    A mobile number tells its country at most, and that may have eleven zones: then the house's own, where most of its people live, if it is
    one of them; else it must be day in all of them. A number of no known zone: the house's own.
    """
    hours = settings().messages.quiet
    if hours is None:
        return False
    return any(_is_between(hours, at.astimezone(zone).time()) for zone in _zones(phone))


def _is_between(hours: tuple[time, time], now: time) -> bool:
    begin, end = hours
    return begin <= now < end if begin < end else now >= begin or now < end


def _zones(phone: str) -> list[ZoneInfo]:
    # Late: its table is read only where there are quiet hours.
    from phonenumbers import NumberParseException, parse  # noqa: PLC0415 - as above
    from phonenumbers.timezone import time_zones_for_number  # noqa: PLC0415 - as above

    ours = settings().languages.timezone
    try:
        names = list(time_zones_for_number(parse(phone)))
    except NumberParseException:
        names = []
    found = []
    for name in [ours] if ours in names else names:
        try:
            found.append(ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError):  # `Etc/Unknown`
            continue
    return found or [ZoneInfo(ours)]
