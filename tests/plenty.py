"""`[spend]` and the limits of `[login]` in plenty: for tests whose promise is another one, and for those that make one thing scarce."""

from __future__ import annotations

PLENTY: dict[str, object] = {
    **dict.fromkeys(("day_budget", "country_budget", "prefix_budget", "network_budget", "notice_budget"), "1000000"),
    **dict.fromkeys(("unverified_floor", "work_from_prefix", "work_from_network"), 10**6),
    "work_from_budget": 100,
    "work": 10,
}

ROOMY: dict[str, object] = dict.fromkeys(
    (
        *("network_messages_per_hour", "number_messages_per_day"),
        *("number_wrong_per_hour", "number_wrong_per_day", "number_wrong_in_a_row", "wrong_codes_per_hour"),
    ),
    10**6,
)
