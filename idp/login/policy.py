"""Which proofs are due: every rule of it on one page, each with a name that is recorded with the sign-in that it decided.

`decide` looks at one Situation and nothing else: what the app demands, what is held, in which browser, who it is about, what is strange.
It says what is due and which rules said so. OpenID Connect Core §3.1.2.1 (`prompt`, `max_age`, `acr_values`, `id_token_hint`) and
Initiating User Registration (`prompt=create`) are behind the demand; this module does not know those words: whoever speaks the protocol
makes a Demand of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    """A way to prove who one is: its name (of the file in `credentials`, the page, the address) and the level that it alone reaches.

    `is_first`: it says by itself who somebody is; the others only stand beside such a one.
    """

    name: str
    acr: str
    is_first: bool = False


PHONE_CODE, EMAIL_CODE, PASSWORD, PASSKEY = "phone_code", "email_code", "password", "passkey"
TOTP, RECOVERY_CODE, SOCIAL = "totp", "recovery_code", "social"
# A password that a code to the number set lately: it shows no more than that number (`password.is_by_phone`).
NUMBERS_PASSWORD = "password_by_number"
SESSION = "session"  # what a session of this browser can show when it lacks only one thing more

# To add one: a file in credentials, a page, and a line here.
PROOFS = (
    Proof(PHONE_CODE, "code", is_first=True),
    Proof(PASSWORD, "code", is_first=True),
    Proof(PASSKEY, "phishing_resistant", is_first=True),
    Proof(SOCIAL, "code", is_first=True),
    Proof(TOTP, "code"),
    Proof(RECOVERY_CODE, "code"),
    Proof(EMAIL_CODE, "code"),
)

# Two of these make `mfa`; a code by e-mail beside another proof does not (`claims.md`).
KINDS = frozenset({PHONE_CODE, PASSWORD, SOCIAL, TOTP, RECOVERY_CODE})
KNOWN_BY_HEART = frozenset({PASSWORD, PASSKEY})  # what `code+password` wants: something that no gateway of text messages has seen
BESIDE_A_FACTOR = frozenset({TOTP, PASSKEY, RECOVERY_CODE})  # what stands for an authenticator app that the person set up
BESIDE_A_NUMBER = KNOWN_BY_HEART | BESIDE_A_FACTOR | {EMAIL_CODE, SOCIAL}  # what shows that whoever has the number is the person
CODE_AND_PASSWORD, OWN_PASSWORD = "code+password", "user"
_OF_AMR = {"sms": PHONE_CODE, "tel": PHONE_CODE, "pwd": PASSWORD, "fed": SOCIAL}

# The levels that somebody can be at in this house, weakest first.
REACHABLE = LEVELS


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
    session_id: str | None = None

    @property
    def proofs(self) -> frozenset[str]:
        """What was proved in this very sign-in."""
        return frozenset({self.proof, *self.also} - {REMEMBERED})


def proof(name: str, amr: tuple[str, ...]) -> Proved:
    """A proof of this moment; `amr` as `claims.md` says (RFC 8176). Raises KeyError for what is none."""
    return Proved(name, _LEVEL_OF[name], amr, clock.now())


def together(given: Sequence[Proved]) -> Proved:
    """What the proofs of one sign-in amount to: the first one names it, two of different kinds are `mfa`.

    The oldest dates it: else one fresh proof would make a session of last week fresh. What a remembered browser's session once was is none
    of them.
    """
    given = [each for each in given if each.acr != REMEMBERED] or given
    kinds = {kind for each in given for kind in _kinds(each)}
    level = max(_RANK[each.acr] for each in given)
    if len(kinds) >= 2:
        level = max(level, _RANK["mfa"])
    named = [name for each in given for name in (each.proof, *each.also) if name not in {SESSION, REMEMBERED}]
    amr = tuple(dict.fromkeys(word for each in given for word in each.amr))
    return Proved(named[0], LEVELS[level], amr, min(each.auth_time for each in given), also=tuple(named[1:]))


def of_session(amr: Sequence[str]) -> frozenset[str]:
    """What a session has shown already, by the proofs' names: it is not asked for a second time to make it stronger."""
    return frozenset(_OF_AMR[word] for word in amr if word in _OF_AMR)


def _kinds(given: Proved) -> set[str]:
    """What kinds of proof these are. NOTE: a code to a number that came by e-mail shows the mailbox, not the phone."""
    if given.proof == SESSION:
        return set(of_session(given.amr))
    if given.proof == PHONE_CODE and PHONE_CODE not in {_OF_AMR.get(word) for word in given.amr}:
        return set()
    return {given.proof} & KINDS


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

    @property
    def password_at(self) -> datetime | None:
        """When a password or a passkey was last given in this browser."""


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
    password_at: datetime | None = None

    @property
    def vouched_at(self) -> datetime:
        """No browser had to vouch."""
        return self.confirmed_at


@dataclass(frozen=True, slots=True)
class Demand:
    """What a relying party wants of a sign-in, in our words.

    `fresh_since`: the proof was given at this instant or later. `acr`: at least this level, or the strongest that can be reached.
    `choose_person` and `create`: the person says who they are after `asked_at`. `user_id`: only this person. `login_hint`: what to fill in.
    `password_of`: a browser that is new to it proves a password or a passkey beside the code, once: that account's password or the
    person's own (an account's id), or the person's own (`user`). `popup`: its pages stand in a window that the app opened.
    """

    asked_at: datetime
    fresh_since: datetime | None = None
    acr: str | None = None
    choose_person: bool = False
    create: bool = False
    user_id: str | None = None
    login_hint: str = ""
    password_of: str = ""
    popup: bool = False

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
            "password_of": self.password_of,
            "popup": self.popup,
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
            kept.get("password_of", ""),
            popup=kept.get("popup", False),
        )


@dataclass(frozen=True, slots=True)
class Person:
    """Whom it is about, as far as the rules look: `silent` since longer than the settings' `recycled_after`; `doubted`: somebody had the
    number who did not show that the ID is theirs; `factors` that they set up beyond their phone; `has_email` that is verified.
    """

    silent: bool = False
    doubted: bool = False
    factors: frozenset[str] = frozenset()
    has_email: bool = False
    has_phone: bool = True
    is_administrator: bool = False

    @property
    def ways(self) -> frozenset[str]:
        """All that they can prove."""
        return self.factors | ({EMAIL_CODE} if self.has_email else set()) | ({PHONE_CODE} if self.has_phone else set())

    @property
    def reach(self) -> str:
        """The strongest level that they can reach."""
        if PASSKEY in self.factors:
            return "phishing_resistant"
        return "mfa" if self.factors & (KINDS - {SOCIAL}) else "code"


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
    """One line of the policy. `wants` answers what is due by it (of DUES), a level (of LEVELS) that is to be held, or None. `by`: each of
    these is the further proof that it wants.
    """

    name: str
    reason: str
    wants: Callable[[Situation], str | None]
    by: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """`due`: what it takes (of DUES). `rules`: the names of those that asked for anything, in their order. `unmet`: those among them that
    want what this person cannot prove; the strongest that they can takes its place. `acr`: the level that is asked for, as far as it can be
    reached. `ways`: which further proofs the first rule that wants one takes, of those that the person has; none: nothing but a fresh ID.
    `is_stale`: some rule wants a proof from the beginning, so that what is held cannot be added to.
    """

    due: str
    rules: tuple[str, ...]
    unmet: tuple[str, ...] = ()
    acr: str = REMEMBERED
    ways: frozenset[str] = frozenset()
    is_stale: bool = False

    @property
    def is_enough(self) -> bool:
        """Whether what is held will do, once the person has said that it is them."""
        return self.due in {NOTHING, PRESS}


def _missing(s: Situation, by: frozenset[str]) -> str | None:
    """A further proof, where something was proved in a browser that does not vouch for the person, and none of these."""
    return FURTHER_PROOF if s.proofs and s.browser != "known" and not s.proofs & by else None


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
        lambda s: _missing(s, BESIDE_A_NUMBER) if s.person.silent and PHONE_CODE in s.proofs else None,
        BESIDE_A_NUMBER - {SOCIAL},
    ),
    Rule(
        "doubted_number",
        "Whoever had the number before did not show that the ID is theirs.",
        lambda s: _missing(s, BESIDE_A_NUMBER) if s.person.doubted and PHONE_CODE in s.proofs else None,
        BESIDE_A_NUMBER - {SOCIAL},
    ),
    Rule(
        "second_factor",
        "The person set up an authenticator app beside the phone.",
        lambda s: _missing(s, BESIDE_A_FACTOR) if TOTP in s.person.factors else None,
        BESIDE_A_FACTOR,
    ),
    Rule(
        "administrator_second_proof",
        "Administrators prove more than the number in a browser that does not know them ([login] administrators_second_proof).",
        lambda s: (
            _missing(s, BESIDE_A_FACTOR)
            if s.limits.administrators_second_proof and s.person.is_administrator and len(s.proofs) == 1
            else None
        ),
        BESIDE_A_FACTOR | {PHONE_CODE, PASSWORD, EMAIL_CODE},
    ),
    Rule(
        "new_browser_password",
        "The app or the company that was chosen wants a password or a passkey beside the code, once in each browser.",
        lambda s: (
            FURTHER_PROOF
            if s.demand.password_of and s.held is not None and s.held.password_at is None and not s.proofs & KNOWN_BY_HEART
            else None
        ),
        KNOWN_BY_HEART,
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
# Those that doubt whether the number is still the ID's: whoever has it may begin anew, also where no other proof is left.
OF_NUMBER = frozenset({"silent_number", "doubted_number", "second_factor"})
REASONS = {rule.name: rule.reason for rule in RULES}


def decide(situation: Situation) -> Decision:
    """What is due, and by which rules. A level that this person cannot reach is met by the strongest one that they can."""
    due, acr = 0, 0
    named: list[str] = []
    unmet: list[str] = []
    ways: frozenset[str] | None = None
    is_stale = False
    held = _RANK[situation.held.acr] if situation.held is not None else -1
    reach = max(_RANK[situation.person.reach], held)
    left = situation.person.ways - situation.proofs
    for name, _, wants, takes in RULES:
        wanted, by = wants(situation), takes
        if wanted is None:
            continue
        if wanted in _RANK:
            level = _RANK[wanted]
            if level > reach:
                unmet.append(name)
                level = reach
            acr = max(acr, level)
            if held >= level and name not in unmet:
                continue  # it asked for no more than there is
            wanted, by = _to_reach(level, held, situation.proofs)
        if wanted == FURTHER_PROOF:
            taken = by & left
            if not taken and name not in OF_NUMBER:
                unmet.append(name)
                wanted = NOTHING
            elif ways is None:
                ways = taken
        named.append(name)
        is_stale = is_stale or wanted == PROOF
        due = max(due, _DUE[wanted])
    return Decision(DUES[due], tuple(named), tuple(dict.fromkeys(unmet)), LEVELS[acr], ways or frozenset(), is_stale)


def _to_reach(level: int, held: int, proofs: frozenset[str]) -> tuple[str, frozenset[str]]:
    """What is due to be at a level, and by which further proofs."""
    if held >= level:
        return NOTHING, frozenset()
    if not proofs or held < _RANK["code"]:
        return PROOF, frozenset()
    return FURTHER_PROOF, frozenset({PASSKEY}) if level > _RANK["mfa"] else (KINDS - {SOCIAL}) | {PASSKEY}


def is_enough(demand: Demand, held: Held) -> bool:
    """Whether what is held will do for a demand, once the person has said that it is them."""
    return decide(Situation(demand, clock.now(), held, limits=limits())).is_enough


def is_met(demand: Demand, held: Held | None, person: Person = NOBODY) -> bool:
    """Whether the session that is `held` is all that is demanded: then nobody has to see a page."""
    return held is not None and decide(Situation(demand, clock.now(), held, person=person, limits=limits())).due == NOTHING


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
_LEVEL_OF = {each.name: each.acr for each in PROOFS}
