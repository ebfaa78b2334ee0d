"""`[spend]` with everything in plenty: for tests whose promise is another one, and for those that make one thing scarce."""

from __future__ import annotations

PLENTY: dict[str, object] = {
    **dict.fromkeys(("day_budget", "country_budget", "prefix_budget", "network_budget", "notice_budget"), "1000000"),
    **dict.fromkeys(("unverified_floor", "work_from_prefix", "work_from_network"), 10**6),
    "work_from_budget": 100,
    "work": 10,
}
