"""The ladder: which channels a number is offered, by the settings and the hour, and the same whether anybody has it.

Product §2; threats: cases 67 (no calls at night) and 70.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from idp.messages import ladder
from tests.ground import Ground

MOSCOW, KAZAKH, CHINA, CALIFORNIA = "+79005550001", "+77015550001", "+8613800138000", "+14155550100"
ALL = ["flash_call", "sms", "voice", "email"]
TABLE: dict[str, Any] = {"kind": "webhook", "timeout": 1}
GATEWAYS: dict[str, Any] = {
    "text": TABLE | {"url": "https://gw.example/?to={to}&text={text}"},
    "call": TABLE | {"url": "https://gw.example/?to={to}&first={prompt}&text={text}"},
    "flash": TABLE | {"url": "https://gw.example/?to={to}&from={code}"},
}


def use(ground: Ground, **more: Any) -> None:
    """Gateways for everything but mail, and more of `[messages]`."""
    carried = {"channel": "gateways", "sms": ["text"], "voice": ["call"], "flash_call": ["flash"], "gateways": GATEWAYS}
    ground.use(messages=carried | {"ladder": {"default": ALL}} | more, smtp={"host": "mail.example", "sender": "id@example.com"})


def at(hour: int, minute: int = 0) -> datetime:
    """An instant, by its hour in UTC."""
    return datetime(2026, 11, 23, hour, minute, tzinfo=UTC)


def test_without_a_ladder(ground: Ground) -> None:
    """A text, then a call that speaks, then mail to who has proved an address; a flash call only where the settings name it."""
    assert ladder.offered(MOSCOW) == ("sms", "voice")
    assert ladder.offered(MOSCOW, has_email=True) == ("sms", "voice", "email")


def test_the_longest_prefix_decides(ground: Ground) -> None:
    """By the number's beginning, with or without a plus; `default` for all others, and without it as if nothing were named."""
    lines = {"+7": ALL, "77": ["sms"], "+770": ["voice", "sms"], "default": ["email", "sms"]}
    use(ground, ladder=lines)
    assert ladder.offered(MOSCOW, has_email=True) == tuple(ALL)
    assert ladder.offered(KAZAKH) == ("voice", "sms")
    assert ladder.offered("+77715550001") == ("sms",)
    assert ladder.offered(CHINA, has_email=True) == ("email", "sms")
    assert ladder.offered(CHINA) == ("sms",)
    use(ground, ladder={"+7": ALL})
    assert ladder.offered(CHINA) == ("sms", "voice")


def test_what_nobody_carries_is_passed_over(ground: Ground) -> None:
    """A line may name more than there are gateways for."""
    use(ground, voice=[])
    assert ladder.offered(MOSCOW) == ("flash_call", "sms")


@pytest.mark.parametrize(
    ("phone", "when", "calls"),
    [
        (MOSCOW, at(18, 59), True),  # 21:59 there
        (MOSCOW, at(19), False),
        (MOSCOW, at(4, 59), False),
        (MOSCOW, at(5), True),
        (CHINA, at(13, 59), True),
        (CHINA, at(14), False),
        (CALIFORNIA, at(14), False),  # six in the morning
        (CALIFORNIA, at(19), True),
        ("+79991", at(19), False),  # whatever it is: as where we are
        ("+79991", at(12), True),
    ],
)
def test_nobody_is_called_at_night(ground: Ground, phone: str, when: datetime, calls: bool) -> None:
    """Case 67: no call between the hours of the settings, in the number's own time; a text and a mail disturb nobody."""
    use(ground, quiet_hours="22:00-08:00")
    offered = ladder.offered(phone, has_email=True, at=when)
    assert offered == (tuple(ALL) if calls else ("sms", "email"))
    use(ground)
    assert ladder.offered(phone, has_email=True, at=when) == tuple(ALL)


def test_hours_of_one_day_and_a_country_of_many_zones(ground: Ground) -> None:
    """Hours need not pass midnight. Where ours is none of a country's zones, it has to be day in all of them."""
    use(ground, quiet_hours="13:00-15:00")
    assert [ladder.is_quiet(CHINA, at(hour)) for hour in (4, 5, 6, 7)] == [False, True, True, False]
    ground.use(messages={"quiet_hours": "22:00-08:00"}, languages={"timezone": "Asia/Shanghai"})
    # From eight in the morning in Bucharest, the westernmost of +7's, to ten at night in Kamchatka.
    assert [ladder.is_quiet(MOSCOW, at(hour)) for hour in (5, 6, 9, 10)] == [True, False, False, True]
