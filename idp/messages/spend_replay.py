"""A day of the ledger against other rules: what would they have blocked, saved, and whom would they have hurt?

The same rules judge as for a message that is wanted now, in the order in which the day's messages were asked for, each against what these
rules would have let through before it. What was refused on that day itself is not in the ledger: `mode = "record"` refuses nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from idp.config_spend import Spend
from idp.messages.spend_rules import KINDS, Asked, Reserve, Seen, Used, is_at_home, judge


@dataclass
class Said:
    """What one rule did: messages it kept from going out, their money in ten-thousandths, and how many of them people did enter."""

    outcome: str
    messages: int = 0
    verified: int = 0
    saved: int = 0


@dataclass
class Replayed:
    """What came of it. `asked_to_work`: browsers of people who then entered the code, and would have had to wait for a second.

    `hurt`: people who entered a code on that day and would have got none. Money in ten-thousandths.
    """

    messages: int = 0
    cost: int = 0
    let_through: int = 0
    spent: int = 0
    asked_to_work: int = 0
    hurt: int = 0
    rules: dict[str, Said] = field(default_factory=dict)

    @property
    def saved(self) -> int:
        """The money that would not have been spent."""
        return self.cost - self.spent


def replay(entries: Iterable[Any], spend: Spend, usual: Callable[[str], int], *, robots_work: bool = False) -> Replayed:
    """Judge `entries` (rows of the ledger, the oldest first) by the rules of `spend`. `usual`: of a country, as `spend_ledger.usual`.

    Whose code was entered is taken for a person, whose browser works when it is asked to; everybody else for a robot that does not, unless
    `robots_work`.
    """
    done, used, learned = Replayed(), dict[tuple[str, str], Used](), dict[str, int]()
    entered: list[tuple[datetime, int, list[tuple[str, str]]]] = []
    refused, served = set[str](), set[str]()
    for number, entry in enumerate(entries):
        while entered and entered[0][0] <= entry.created_at:
            for key in heapq.heappop(entered)[2]:
                used[key] = used[key]._replace(verified=used[key].verified + 1)
        done.messages += 1
        done.cost += entry.cost
        asked = _asked(entry)
        keys = [(kind, asked.subject(kind)) for kind in KINDS if kind != "plain" or asked.reserve == "plain"]
        if entry.channel != "email":
            if entry.country not in learned:
                learned[entry.country] = usual(entry.country)
            usually, now_used = learned[entry.country], {kind: used.get((kind, subject), Used()) for kind, subject in keys}
            seen = Seen(spend, asked, now_used, usually, is_at_home(entry.country, usually))
            verdict = judge(seen, worked=False)
            if verdict.outcome in {"work", "hard_work"} and (entry.verified_at is not None or robots_work):
                done.asked_to_work += entry.verified_at is not None
                verdict = judge(seen, worked=True, hard=True)
            if verdict.outcome != "admit":
                said = done.rules.setdefault(verdict.rule, Said(verdict.outcome))
                said.messages += 1
                said.saved += entry.cost
                said.verified += entry.verified_at is not None
                refused.update({entry.code_id} if entry.verified_at is not None else ())
                continue
            for key in keys:
                before = used.get(key, Used())
                used[key] = Used(before.cost + entry.cost, before.messages + 1, before.verified)
            if entry.verified_at is not None:
                heapq.heappush(entered, (entry.verified_at, number, keys))
        served.add(entry.code_id)
        done.let_through += 1
        done.spent += entry.cost
    done.hurt = len(refused - served)
    return done


def _asked(entry: Any) -> Asked:
    reserve: Reserve = entry.reserve
    return Asked(entry.channel, entry.country, entry.prefix, entry.network, entry.cost, reserve)
