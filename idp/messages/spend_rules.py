"""The rules of what messages may cost, as lists: BUDGETS, CLOSED, PUMPED. Each has a name, by which events, metrics and `idp messages
simulate` call it.

    refuse     the money of a day is spent, or a country is closed because nobody there enters the codes
    hard_work  nobody enters the codes of a country whose people are at home here: it would be cheap to close it for them, so the browser
               works for longer; only money refuses
    work       it looks as if somebody pumps messages: first the browser works
    admit

Nothing here looks at the database or the clock, so that the same rules judge a message that is wanted now and one of a day that is over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

import phonenumbers

from idp.config import settings
from idp.config_spend import ANY, Spend, units

Reserve = Literal["", "known", "plain"]
Outcome = Literal["admit", "work", "hard_work", "refuse"]
KINDS = ("day", "country", "prefix", "network", "plain")  # in the order in which their rows are locked, by everybody
NOTICES = "notices"  # the budget of what nobody asked leave for; no rule looks at it
LOCKED = (*KINDS, NOTICES)
NO_LIMIT = 2**62
PREFIX = 8  # a plus and seven digits
SHARDS = 8
LARGE = 200  # messages that each shard must be good for


class Used(NamedTuple):
    """What has gone against a budget today: money, messages, and how many of them were entered."""

    cost: int = 0
    messages: int = 0
    verified: int = 0

    @property
    def unverified(self) -> int:
        """How many nobody has entered, or not yet."""
        return self.messages - self.verified


class Asked(NamedTuple):
    """A message that is wanted. `reserve`: `known`, a browser that knows the person asks; `plain`, one that runs no scripts."""

    channel: str
    country: str
    prefix: str
    network: str
    cost: int
    reserve: Reserve = ""

    def subject(self, kind: str) -> str:
        """Whose budget of this kind it is."""
        return {"country": self.country, "prefix": self.prefix, "network": self.network}.get(kind, "")


class Seen(NamedTuple):
    """What a rule looks at. `usual`: how many codes people in the country usually enter in a day. `at_home`: of `is_at_home`."""

    spend: Spend
    asked: Asked
    used: Mapping[str, Used]
    usual: int
    at_home: bool = False

    def of(self, kind: str) -> Used:
        """What is used of a budget."""
        return self.used.get(kind, Used())


class Verdict(NamedTuple):
    """What is to be done, by which rule, and of which budget (`of`: one of KINDS) that speaks."""

    outcome: Outcome
    rule: str = ""
    of: str = ""


@lru_cache(maxsize=4096)
def country_of(phone: str) -> str:
    """The country of a number (ISO 3166), or an empty text; so for what is no number."""
    if not phone.startswith("+"):
        return ""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(phone)) or ""
    except phonenumbers.NumberParseException:
        return ""


def is_at_home(country: str, usual: int) -> bool:
    """Whether people of this country are our own: it is the default one, or one of the settings whose codes are usually entered."""
    login = settings().login
    return country == login.default_country or (country in login.allowed_countries and usual > 0)


def price(spend: Spend, channel: str, phone: str, parts: int = 1) -> int:
    """What a message costs, in ten-thousandths: by the longest prefix that fits. Nothing where no price is set, as for mail."""
    prices = spend.prices.get(channel, {})  # type: ignore[call-overload] # mail has none
    fits = [prefix for prefix in prices if prefix == ANY or phone.startswith(prefix)]
    best = max(fits, key=lambda prefix: 0 if prefix == ANY else len(prefix), default=None)
    return 0 if best is None else units(prices[best]) * parts


def limit(spend: Spend, kind: str, asked: Asked) -> int:
    """How much of a budget may be used up when this message is wanted, in ten-thousandths.

    The day's is one budget for all, and strangers may not touch what is kept of it: so no attack costs more than it, and a browser that
    knows the person still gets a code when everybody else's are spent.
    """
    if kind == "day":
        day = units(spend.day_budget)
        known, plain = day * spend.known_browsers // 100, day * spend.without_scripts // 100
        return {"known": day, "plain": day - known, "": day - known - plain}[asked.reserve]
    if kind == "plain":
        return units(spend.day_budget) * spend.without_scripts // 100
    if asked.reserve == "known":
        return NO_LIMIT
    if kind == "country":
        return units(spend.country_budgets.get(asked.country, spend.country_budget))
    return units(spend.prefix_budget if kind == "prefix" else spend.network_budget)


def shards(spend: Spend, kind: str, asked: Asked) -> int:
    """In how many rows a budget is counted. The row of a large one would make all sign-ins of the world wait for one another.

    Each row is good for an equal part; so a few messages' worth may stay unspent, and never is more spent. The number must not hang on the
    single message, or two of them would count differently.
    """
    dearest = max((units(each) for by_prefix in spend.prices.values() for each in by_prefix.values()), default=0)
    if kind == "day":
        whole = units(spend.day_budget)
    elif kind == "country":
        whole = units(spend.country_budgets.get(asked.country, spend.country_budget))
    else:
        return 1
    return SHARDS if whole >= SHARDS * LARGE * max(dearest, 1) else 1


def unverified_limit(seen: Seen) -> int:
    """How many codes may go out to the country today that nobody enters: a share of what is usual, or of today's when that is more."""
    return max(seen.spend.unverified_floor, seen.spend.unverified_share * max(seen.usual, seen.of("country").verified) // 100)


def _is_spent(kind: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.of(kind).cost + seen.asked.cost > limit(seen.spend, kind, seen.asked)


def _is_nearly_spent(kind: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.of(kind).cost * 100 >= limit(seen.spend, kind, seen.asked) * seen.spend.work_from_budget


Rule = tuple[str, str, Callable[[Seen], bool]]  # its name, the budget of which it speaks, when it holds

BUDGETS: tuple[Rule, ...] = (
    ("day_budget", "day", _is_spent("day")),
    ("country_budget", "country", _is_spent("country")),
    ("prefix_budget", "prefix", _is_spent("prefix")),
    ("network_budget", "network", _is_spent("network")),
    ("without_scripts", "plain", _is_spent("plain")),
)
CLOSED: tuple[Rule, ...] = (("country_closed", "country", lambda seen: seen.of("country").unverified >= unverified_limit(seen)),)
PUMPED: tuple[Rule, ...] = (
    ("adjacent_numbers", "prefix", lambda seen: seen.of("prefix").unverified >= seen.spend.work_from_prefix),
    ("network_rate", "network", lambda seen: seen.of("network").unverified >= seen.spend.work_from_network),
    (
        "unverified_share",
        "country",
        lambda seen: seen.of("country").unverified * 100 >= unverified_limit(seen) * seen.spend.work_from_unverified,
    ),
    ("country_budget_low", "country", _is_nearly_spent("country")),
    ("day_budget_low", "day", _is_nearly_spent("day")),
)


def judge(seen: Seen, *, worked: bool, hard: bool = False) -> Verdict:
    """What is to be done about a message; `worked`: the browser has worked for it, or is one that cannot; `hard`: for longer, or cannot.

    A browser that knows the person is asked for nothing: its three messages a day are counted apart, and only the day's budget binds it.
    """
    known = seen.asked.reserve == "known"
    for name, of, holds in BUDGETS:
        if (of != "plain" or seen.asked.reserve == "plain") and holds(seen):
            return Verdict("refuse", name, of)
    closed: Outcome = "hard_work" if seen.at_home else "refuse"
    stages: tuple[tuple[Outcome, tuple[Rule, ...]], ...] = (
        (closed, () if hard and seen.at_home else CLOSED),
        ("work", () if worked else PUMPED),
    )
    for outcome, rules in () if known else stages:
        for name, of, holds in rules:
            if holds(seen):
                return Verdict(outcome, name, of)
    return Verdict("admit")
