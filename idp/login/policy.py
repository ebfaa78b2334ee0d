"""Which proofs there are, how strong each is, and whether what was proved is what a relying party demands.

OpenID Connect Core §3.1.2.1 (`prompt`, `max_age`, `acr_values`, `id_token_hint`, `login_hint`) and Initiating User Registration
(`prompt=create`) are behind it; this module does not know those words: whoever speaks the protocol makes a Demand of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

# Weakest first. What stands in the `acr` claim has the configured prefix before it.
LEVELS = ("remembered", "code", "mfa", "phishing_resistant")
REMEMBERED = LEVELS[0]


@dataclass(frozen=True, slots=True)
class Proof:
    """A way to prove who one is: its name (of the file in `credentials`, the page, the address) and the level that it alone reaches."""

    name: str
    acr: str


# To add one: a file in credentials, a page, and a line here.
PROOFS = (Proof("phone_code", "code"),)

# The levels that somebody can be at in this house, weakest first.
REACHABLE = tuple(level for level in LEVELS if level == REMEMBERED or level in {proof.acr for proof in PROOFS})


@dataclass(frozen=True, slots=True)
class Proved:
    """What was proved, when, and how strong that is; `proof` names it, or is `remembered` when a known browser vouches."""

    proof: str
    acr: str
    amr: tuple[str, ...]
    auth_time: datetime


class Held(Protocol):
    """What a session or a known browser can show."""

    @property
    def user_id(self) -> str:
        """Whose it is."""

    @property
    def acr(self) -> str:
        """How strong the proof is."""

    @property
    def auth_time(self) -> datetime:
        """When it was given."""

    @property
    def confirmed_at(self) -> datetime:
        """When the person last proved or pressed who they are."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a relying party wants of a sign-in, in our words.

    `fresh_since`: the proof was given at this instant or later. `acr`: at least this level, or the strongest that can be reached.
    `choose_person` and `create`: the person says who they are after `asked_at`. `user_id`: only this person. `login_hint`: what to fill in.
    """

    asked_at: datetime
    fresh_since: datetime | None = None
    acr: str | None = None
    choose_person: bool = False
    create: bool = False
    user_id: str | None = None
    login_hint: str = ""

    def __post_init__(self) -> None:
        if self.acr is not None and self.acr not in LEVELS:
            raise ValueError(f"{self.acr!r} is no level: {', '.join(LEVELS)}")

    def to_json(self) -> dict[str, Any]:
        """As it is kept with a sign-in; the hint, which may be a phone number, is kept apart and sealed."""
        return {
            "asked_at": self.asked_at.isoformat(),
            "fresh_since": self.fresh_since.isoformat() if self.fresh_since else None,
            "acr": self.acr,
            "choose_person": self.choose_person,
            "create": self.create,
            "user_id": self.user_id,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], *, login_hint: str = "") -> Demand:
        """What `to_json` gave."""
        since = kept["fresh_since"]
        return cls(
            datetime.fromisoformat(kept["asked_at"]),
            datetime.fromisoformat(since) if since else None,
            kept["acr"],
            kept["choose_person"],
            kept["create"],
            kept["user_id"],
            login_hint,
        )


def rank(acr: str) -> int:
    """The place of a level; higher is stronger. Raises ValueError for what is no level."""
    return LEVELS.index(acr)


def is_enough(demand: Demand, held: Held) -> bool:
    """Whether a proof is of the right person, fresh and strong enough. A demand that no proof here can meet is met by the strongest one."""
    if demand.user_id is not None and held.user_id != demand.user_id:
        return False
    if demand.fresh_since is not None and held.auth_time < demand.fresh_since:
        return False
    return demand.acr is None or rank(held.acr) >= min(rank(demand.acr), rank(REACHABLE[-1]))


def is_met(demand: Demand, held: Held | None) -> bool:
    """Whether the session that is `held` is all that is demanded: then nobody has to see a page."""
    if held is None or not is_enough(demand, held):
        return False
    return held.confirmed_at >= demand.asked_at or not (demand.choose_person or demand.create)
