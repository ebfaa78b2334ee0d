"""Which proofs are due: every rule of it on one page, each with a name that is recorded with the sign-in that it decided.

`decide` looks at one Situation and nothing else: what the app demands, what is held, in which browser, who it is about, what is strange.
It says what is due and which rules said so. OpenID Connect Core §3.1.2.1 (`prompt`, `max_age`, `acr_values`, `id_token_hint`) and
Initiating User Registration (`prompt=create`) are behind the demand; this module does not know those words: whoever speaks the protocol
makes a Demand of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol

from idp import clock
from idp.config import settings

# Weakest first. What stands in the `acr` claim has the configured prefix before it.
LEVELS = ("remembered", "code", "mfa", "phishing_resistant")
REMEMBERED = LEVELS[0]


@dataclass(frozen=True, slots=True)
class Proof:
    """A way to prove who one is: its name (of the file in `credentials`, the page, the address) and the level that it alone reaches."""

    name: str
    acr: str


PHONE_CODE, EMAIL_CODE = "phone_code", "email_code"

# To add one: a file in credentials, a page, and a line here. NOTE: a code by e-mail only ever stands beside the one to the phone, and both
# together are no `mfa` (`claims.md`).
PROOFS = (Proof(PHONE_CODE, "code"),)

# The levels that somebody can be at in this house, weakest first.
REACHABLE = tuple(level for level in LEVELS if level == REMEMBERED or level in {proof.acr for proof in PROOFS})


@dataclass(frozen=True, slots=True)
class Proved:
    """What was proved, when, and how strong that is; `proof` names it, or is `remembered` when a known browser vouches. `also`: what was
    proved beside it.
    """

    proof: str
    acr: str
    amr: tuple[str, ...]
    auth_time: datetime
    also: tuple[str, ...] = ()

    @property
    def proofs(self) -> frozenset[str]:
        """What was proved in this very sign-in."""
        return frozenset({self.proof, *self.also} - {REMEMBERED})


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

    @property
    def vouched_at(self) -> datetime:
        """When the browser last vouched for the person: `remembered` grows old from here on."""

    @property
    def rights_raised_at(self) -> datetime | None:
        """When the person was last made an administrator or an owner."""

    @property
    def browser_lifetime(self) -> int | None:
        """Seconds for which a known browser's word counts in this person's companies; None: none of them says."""

    @property
    def is_administrator(self) -> bool:
        """Whether the shorter life of administrators' browsers is theirs."""


@dataclass(frozen=True, slots=True)
class Given:
    """A proof of this moment, as a thing that is held."""

    user_id: str
    acr: str
    auth_time: datetime
    confirmed_at: datetime
    rights_raised_at: datetime | None = None
    browser_lifetime: int | None = None
    is_administrator: bool = False

    @property
    def vouched_at(self) -> datetime:
        """No browser had to vouch."""
        return self.confirmed_at


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


@dataclass(frozen=True, slots=True)
class Person:
    """Whom it is about, as far as the rules look: `silent` since longer than the settings' `recycled_after`; `doubted`: somebody had the
    number who did not show that the ID is theirs; `factors` that they set up beyond their phone; `has_email` that is verified; what their
    companies want of a new browser.
    """

    silent: bool = False
    doubted: bool = False
    factors: frozenset[str] = frozenset()
    has_email: bool = False
    is_administrator: bool = False
    new_browser: str = "code"


class Limits(NamedTuple):
    """What the settings say: seconds for which administrators' browsers vouch, and whether they prove more in a new one."""

    administrators_browser: int = 7 * 86400
    administrators_second_proof: bool = False


NOBODY, DEFAULTS = Person(), Limits()

# What is strange about a sign-in. There is no map of networks to countries here: a network that this person was not seen in, another
# language than theirs, a number from abroad, guesses at it.
SIGNS = ("new_network", "new_language", "foreign_number", "many_failures")


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision looks at. `proofs`: given in this very sign-in; `held`: the strongest there is, of them or of the browser's."""

    demand: Demand
    at: datetime
    held: Held | None = None
    proofs: frozenset[str] = frozenset()
    browser: Literal["known", "shared", "new"] = "new"
    person: Person = NOBODY
    signs: frozenset[str] = frozenset()
    limits: Limits = DEFAULTS


# What may be due, weakest first. `press`: the person says by one press that it is them; `proof`: a code; `further_proof`: one beside it.
NOTHING, PRESS, PROOF, FURTHER_PROOF, ANOTHER_PERSON = DUES = ("nothing", "press", "proof", "further_proof", "another_person")


class Rule(NamedTuple):
    """One line of the policy. `wants` answers what is due by it (of DUES), a level (of LEVELS) that is to be held, or None."""

    name: str
    reason: str
    wants: Callable[[Situation], str | None]


@dataclass(frozen=True, slots=True)
class Decision:
    """`due`: what it takes (of DUES). `rules`: the names of those that asked for anything, in their order. `unmet`: those among them that
    want what nobody can prove here yet; the strongest there is takes its place. `acr`: the level that is asked for, as far as it can be
    reached.
    """

    due: str
    rules: tuple[str, ...]
    unmet: tuple[str, ...] = ()
    acr: str = REMEMBERED

    @property
    def is_enough(self) -> bool:
        """Whether what is held will do, once the person has said that it is them."""
        return self.due in {NOTHING, PRESS}


def _by_number_alone(s: Situation) -> bool:
    """Only the number was proved in this sign-in, in a browser that does not vouch for the person."""
    return s.proofs == {PHONE_CODE} and s.browser != "known"


def _or_unmet(s: Situation, wanted: bool) -> str | None:
    return None if not wanted else FURTHER_PROOF if s.person.has_email else "mfa"


RULES = (
    Rule(
        "nobody_known", "Nobody is signed in here, and the browser knows nobody it is about.", lambda s: PROOF if s.held is None else None
    ),
    Rule(
        "another_person",
        "The app asks for one person (id_token_hint), and this is another.",
        lambda s: ANOTHER_PERSON if s.held is not None and s.demand.user_id not in {None, s.held.user_id} else None,
    ),
    Rule(
        "fresh_proof",
        "The app wants a proof that is younger than the one there is (prompt=login, max_age).",
        lambda s: PROOF if s.held is not None and s.demand.fresh_since is not None and s.held.auth_time < s.demand.fresh_since else None,
    ),
    Rule("acr_values", "The app wants a sign-in of at least this strength (acr_values).", lambda s: s.demand.acr),
    Rule(
        "rights_raised",
        "The person was made an administrator or the owner of a company after that proof.",
        lambda s: (
            PROOF if s.held is not None and s.held.rights_raised_at is not None and s.held.auth_time < s.held.rights_raised_at else None
        ),
    ),
    Rule(
        "company_browser",
        "A company of this person takes no browser's word, or not for so long.",
        lambda s: "code" if s.held is not None and _is_older(s, s.held, s.held.browser_lifetime) else None,
    ),
    Rule(
        "administrator_browser",
        "An administrator's browser is trusted for a shorter time.",
        lambda s: (
            "code" if s.held is not None and s.held.is_administrator and _is_older(s, s.held, s.limits.administrators_browser) else None
        ),
    ),
    Rule(
        "strange_place",
        "The known browser is in another network and speaks another language than the last time: its cookie may have been copied.",
        lambda s: "code" if s.held is not None and s.browser == "known" and {"new_network", "new_language"} <= s.signs else None,
    ),
    Rule(
        "silent_number",
        "The ID was not in use for so long that its number may be somebody else's by now.",
        lambda s: FURTHER_PROOF if s.person.silent and _by_number_alone(s) else None,
    ),
    Rule(
        "doubted_number",
        "Whoever had the number before did not show that the ID is theirs.",
        lambda s: FURTHER_PROOF if s.person.doubted and _by_number_alone(s) else None,
    ),
    Rule(
        "second_factor",
        "The person set up another factor beside the phone.",
        lambda s: FURTHER_PROOF if s.person.factors - s.proofs and _by_number_alone(s) else None,
    ),
    Rule(
        "administrator_second_proof",
        "Administrators prove more than the number in a browser that does not know them ([login] administrators_second_proof).",
        lambda s: _or_unmet(s, s.limits.administrators_second_proof and s.person.is_administrator and _by_number_alone(s)),
    ),
    Rule(
        "company_new_browser",
        "A company of this person wants a password beside the code in a new browser.",
        lambda s: "mfa" if s.person.new_browser == "code+password" and s.proofs and s.browser != "known" else None,
    ),
    Rule(
        "strange_sign_in",
        "In a new browser two or more things are strange: network, language, a number from abroad, guesses at it.",
        lambda s: "mfa" if len(s.signs) >= 2 and s.proofs and s.browser != "known" else None,
    ),
    Rule(
        "choose_person",
        "The app wants the person to say who they are (prompt=select_account, prompt=create).",
        lambda s: (
            PRESS
            if (s.demand.choose_person or s.demand.create) and s.held is not None and s.held.confirmed_at < s.demand.asked_at
            else None
        ),
    ),
)
# Those that doubt whether the number is still the ID's: whoever has it may begin anew.
OF_NUMBER = frozenset({"silent_number", "doubted_number", "second_factor"})
REASONS = {rule.name: rule.reason for rule in RULES}


def decide(situation: Situation) -> Decision:
    """What is due, and by which rules. A level that nobody can reach here is met by the strongest one that somebody can."""
    due, acr = 0, 0
    named: list[str] = []
    unmet: list[str] = []
    held = _RANK[situation.held.acr] if situation.held is not None else -1
    for name, _, wants in RULES:
        wanted = wants(situation)
        if wanted is None:
            continue
        if wanted in _RANK:
            level = _RANK[wanted]
            if level > _STRONGEST:
                unmet.append(name)
                level = _STRONGEST
            acr = max(acr, level)
            if held >= level and name not in unmet:
                continue  # it asked for no more than there is
            wanted = PROOF if held < level else NOTHING
        named.append(name)
        due = max(due, _DUE[wanted])
    return Decision(DUES[due], tuple(named), tuple(unmet), LEVELS[acr])


def is_enough(demand: Demand, held: Held) -> bool:
    """Whether what is held will do for a demand, once the person has said that it is them."""
    return decide(Situation(demand, clock.now(), held, limits=limits())).is_enough


def is_met(demand: Demand, held: Held | None) -> bool:
    """Whether the session that is `held` is all that is demanded: then nobody has to see a page."""
    return held is not None and decide(Situation(demand, clock.now(), held, limits=limits())).due == NOTHING


def limits() -> Limits:
    """As the settings are."""
    login = settings().login
    return Limits(login.remember_browser_administrators, login.administrators_second_proof)


def rank(acr: str) -> int:
    """The place of a level; higher is stronger. Raises ValueError for what is no level."""
    return LEVELS.index(acr)


def _is_older(s: Situation, held: Held, seconds: int | None) -> bool:
    """Whether all there is is a known browser's word, and that is `seconds` old."""
    return held.acr == REMEMBERED and seconds is not None and held.vouched_at + timedelta(seconds=seconds) <= s.at


_RANK = {level: place for place, level in enumerate(LEVELS)}
_DUE = {due: place for place, due in enumerate(DUES)}
_STRONGEST = _RANK[REACHABLE[-1]]
