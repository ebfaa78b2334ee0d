"""What a relying party may demand, and what meets it: OpenID Connect Core §3.1.2.1, `claims.md` ("How strong, how fresh")."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.login import policy
from idp.login.policy import (
    DUES,
    EMAIL_CODE,
    PASSKEY,
    PASSWORD,
    PHONE_CODE,
    RECOVERY_CODE,
    RULES,
    SIGNS,
    TOTP,
    Decision,
    Demand,
    Limits,
    Person,
    Proved,
    Situation,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Held:
    """A session, as far as the policy looks at it."""

    user_id: str = "usr_anna"
    acr: str = "code"
    auth_time: datetime = NOON
    confirmed_at: datetime = NOON
    vouched_at: datetime = NOON
    rights_raised_at: datetime | None = None
    browser_lifetime: int | None = None
    is_administrator: bool = False
    password_at: datetime | None = None


REMEMBERED = Held(acr="remembered", auth_time=NOON - 24 * HOUR)


@pytest.mark.parametrize(
    ("demand", "held", "met"),
    [
        (Demand(NOON), None, False),
        (Demand(NOON), Held(), True),
        (Demand(NOON), REMEMBERED, True),
        (Demand(NOON, fresh_since=NOON), Held(), True),
        (Demand(NOON, fresh_since=NOON + timedelta(microseconds=1)), Held(), False),
        (Demand(NOON, fresh_since=NOON - HOUR), REMEMBERED, False),
        (Demand(NOON, acr="remembered"), REMEMBERED, True),
        (Demand(NOON, acr="code"), REMEMBERED, False),
        (Demand(NOON, acr="code"), Held(), True),
        (Demand(NOON, acr="phishing_resistant"), Held(), True),
        (Demand(NOON, acr="phishing_resistant"), REMEMBERED, False),
        (Demand(NOON, user_id="usr_boris"), Held(), False),
        (Demand(NOON, user_id="usr_anna"), Held(), True),
        (Demand(NOON + HOUR, choose_person=True), Held(), False),
        (Demand(NOON + HOUR, create=True), Held(), False),
        (Demand(NOON + HOUR, choose_person=True), Held(confirmed_at=NOON + HOUR), True),
        (Demand(NOON + HOUR), Held(), True),
    ],
)
def test_met(demand: Demand, held: Held | None, met: bool) -> None:
    """Cases 10 and 78: a remembered browser is neither fresh nor strong; what nobody here can prove is met by the strongest there is."""
    assert policy.is_met(demand, held) is met


def test_levels() -> None:
    """The order is that of `claims.md`; what can be reached is part of it."""
    assert policy.LEVELS == ("remembered", "code", "mfa", "phishing_resistant")
    assert policy.REACHABLE == policy.LEVELS
    with pytest.raises(ValueError, match="no level"):
        Demand(NOON, acr="urn:idp:acr:code")


instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone
demands = st.builds(
    Demand,
    asked_at=instants,
    fresh_since=st.none() | instants,
    acr=st.none() | st.sampled_from(policy.LEVELS),
    choose_person=st.booleans(),
    create=st.booleans(),
    user_id=st.none() | st.sampled_from(["usr_anna", "usr_boris"]),
    login_hint=st.text(max_size=20),
    password_of=st.sampled_from(["", "user", "acc_anna"]),
)
held = st.builds(
    Held,
    user_id=st.sampled_from(["usr_anna", "usr_boris"]),
    acr=st.sampled_from(policy.REACHABLE),
    auth_time=instants,
    confirmed_at=instants,
)


@given(demands)
def test_kept(demand: Demand) -> None:
    """What is stored with a sign-in comes back as it was; the hint, perhaps a phone number, is not in it."""
    assert Demand.from_json(demand.to_json(), login_hint=demand.login_hint) == demand
    assert "login_hint" not in demand.to_json()


@given(demands, held)
def test_monotonic(demand: Demand, session: Held) -> None:
    """A later or stronger proof never meets less; a press alone meets neither freshness nor strength."""
    if policy.is_met(demand, session):
        assert policy.is_met(
            demand, replace(session, auth_time=session.auth_time + HOUR, acr="code", confirmed_at=session.confirmed_at + HOUR)
        )
    pressed = replace(session, confirmed_at=session.confirmed_at + HOUR)
    assert policy.is_enough(demand, pressed) == policy.is_enough(demand, session)


@given(demands)
def test_a_proof_now_is_enough(demand: Demand) -> None:
    """Nobody is asked in circles: the right person with a code of this moment meets every demand made before it."""
    at = max(demand.asked_at, demand.fresh_since or demand.asked_at)
    assert policy.is_met(demand, Held(user_id=demand.user_id or "usr_anna", auth_time=at, confirmed_at=at))


# ---- every rule, in the situation that it is for ----

DAY = timedelta(days=1)
MFA, STRICT = Demand(NOON, acr="mfa"), Demand(NOON, password_of="acc_anna")
PROVED, BOTH = frozenset({PHONE_CODE}), frozenset({PHONE_CODE, EMAIL_CODE})
STRANGE = frozenset({"new_network", "new_language"})


def situation(**given: object) -> Situation:
    """Nothing is demanded, a code was proved a moment ago in a new browser, by nobody in particular; but for what is given."""
    return Situation(**{"demand": Demand(NOON), "at": NOON, "held": Held(), "proofs": PROVED} | given)  # type: ignore[arg-type]


def pressed(**given: object) -> Situation:
    """A name that is known here."""
    return situation(**{"held": REMEMBERED, "proofs": frozenset(), "browser": "known"} | given)


@pytest.mark.parametrize(
    ("given", "due", "rules", "unmet"),
    [
        (situation(), "nothing", [], []),
        (pressed(), "nothing", [], []),
        (situation(held=None), "proof", ["nobody_known"], []),
        (situation(demand=Demand(NOON, user_id="usr_boris")), "another_person", ["another_person"], []),
        (pressed(demand=Demand(NOON, fresh_since=NOON)), "proof", ["fresh_proof"], []),
        (pressed(demand=Demand(NOON, acr="code")), "proof", ["acr_values"], []),
        (situation(demand=Demand(NOON, acr="code")), "nothing", [], []),
        (situation(demand=Demand(NOON, acr="mfa")), "nothing", ["acr_values"], ["acr_values"]),
        (pressed(demand=Demand(NOON, acr="phishing_resistant")), "proof", ["acr_values"], ["acr_values"]),
        (pressed(held=replace(REMEMBERED, rights_raised_at=NOON - HOUR)), "proof", ["rights_raised"], []),
        (situation(held=Held(auth_time=NOON - HOUR, rights_raised_at=NOON)), "proof", ["rights_raised"], []),
        (situation(held=Held(rights_raised_at=NOON)), "nothing", [], []),
        (pressed(held=replace(REMEMBERED, browser_lifetime=0)), "proof", ["company_browser"], []),
        (pressed(held=replace(REMEMBERED, browser_lifetime=3600)), "nothing", [], []),
        (pressed(at=NOON + HOUR, held=replace(REMEMBERED, browser_lifetime=3600)), "proof", ["company_browser"], []),
        (situation(held=Held(browser_lifetime=0)), "nothing", [], []),
        (pressed(at=NOON + 7 * DAY, held=replace(REMEMBERED, is_administrator=True)), "proof", ["administrator_browser"], []),
        (pressed(at=NOON + 6 * DAY, held=replace(REMEMBERED, is_administrator=True)), "nothing", [], []),
        (pressed(at=NOON + 7 * DAY), "nothing", [], []),
        (pressed(signs=STRANGE), "proof", ["strange_place"], []),
        (pressed(signs=frozenset({"new_network"})), "nothing", [], []),
        (situation(person=Person(silent=True)), "further_proof", ["silent_number"], []),
        (situation(person=Person(silent=True), proofs=BOTH), "nothing", [], []),
        (situation(person=Person(silent=True), browser="known"), "nothing", [], []),
        (pressed(person=Person(silent=True)), "nothing", [], []),
        (situation(person=Person(doubted=True)), "further_proof", ["doubted_number"], []),
        (situation(person=Person(silent=True, doubted=True)), "further_proof", ["silent_number", "doubted_number"], []),
        (situation(person=Person(doubted=True), browser="shared"), "further_proof", ["doubted_number"], []),
        (situation(person=Person(factors=frozenset({PASSKEY}))), "nothing", [], []),
        (situation(person=Person(factors=frozenset({TOTP}))), "further_proof", ["second_factor"], []),
        (situation(person=Person(factors=frozenset({TOTP})), browser="known"), "nothing", [], []),
        (situation(person=Person(factors=frozenset({TOTP})), proofs=frozenset({PASSWORD})), "further_proof", ["second_factor"], []),
        (situation(person=Person(factors=frozenset({TOTP})), proofs=frozenset({PASSKEY})), "nothing", [], []),
        (situation(person=Person(silent=True), proofs=frozenset({PASSWORD})), "nothing", [], []),
        (
            situation(demand=Demand(NOON, acr="mfa"), person=Person(factors=frozenset({TOTP}))),
            "further_proof",
            ["acr_values", "second_factor"],
            [],
        ),
        (situation(demand=MFA, person=Person(factors=frozenset({PASSWORD}))), "further_proof", ["acr_values"], []),
        (
            situation(demand=Demand(NOON, acr="phishing_resistant"), person=Person(factors=frozenset({PASSWORD}))),
            *("further_proof", ["acr_values"], ["acr_values"]),
        ),
        (situation(person=Person(is_administrator=True, has_email=True)), "nothing", [], []),
        (
            situation(person=Person(is_administrator=True, has_email=True), limits=Limits(administrators_second_proof=True)),
            *("further_proof", ["administrator_second_proof"], []),
        ),
        (
            situation(person=Person(is_administrator=True), limits=Limits(administrators_second_proof=True)),
            *("nothing", ["administrator_second_proof"], ["administrator_second_proof"]),
        ),
        (situation(person=Person(has_email=True), limits=Limits(administrators_second_proof=True)), "nothing", [], []),
        (situation(demand=Demand(NOON, password_of="acc_anna")), "nothing", ["new_browser_password"], ["new_browser_password"]),
        (situation(demand=STRICT, person=Person(factors=frozenset({PASSWORD}))), "further_proof", ["new_browser_password"], []),
        (situation(demand=STRICT, person=Person(factors=frozenset({PASSKEY}))), "further_proof", ["new_browser_password"], []),
        (
            situation(demand=STRICT, person=Person(factors=frozenset({PASSWORD})), proofs=frozenset({PHONE_CODE, PASSWORD})),
            "nothing",
            [],
            [],
        ),
        (pressed(demand=STRICT, person=Person(factors=frozenset({PASSWORD}))), "further_proof", ["new_browser_password"], []),
        (pressed(demand=STRICT, held=replace(REMEMBERED, password_at=NOON - DAY)), "nothing", [], []),
        (situation(signs=STRANGE), "nothing", ["strange_sign_in"], ["strange_sign_in"]),
        (situation(demand=Demand(NOON + HOUR, choose_person=True)), "press", ["choose_person"], []),
        (pressed(demand=Demand(NOON + HOUR, choose_person=True, acr="code")), "proof", ["acr_values", "choose_person"], []),
    ],
)
def test_decided(given: Situation, due: str, rules: list[str], unmet: list[str]) -> None:
    """Cases 10, 73, 76, 78, 82 and `product.md` §3, §6.4: what is due, and the rules that made it so. Every rule stands in here."""
    decision = policy.decide(given)
    assert (decision.due, list(decision.rules), list(decision.unmet)) == (due, rules, unmet)


def test_every_rule_has_a_name_and_a_reason() -> None:
    """The names are told apart, the reasons are one line each, and the table above leaves none out."""
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert all(rule.reason.endswith(".") and "\n" not in rule.reason and len(rule.reason) < 140 for rule in RULES)
    (table,) = (mark for mark in test_decided.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    assert {rule for case in table.args[1] for rule in case[2]} == set(names)


holds = st.builds(
    Held,
    user_id=st.sampled_from(["usr_anna", "usr_boris"]),
    acr=st.sampled_from(policy.REACHABLE),
    auth_time=instants,
    confirmed_at=instants,
    vouched_at=instants,
    rights_raised_at=st.none() | instants,
    browser_lifetime=st.none() | st.integers(0, 10**8),
    is_administrator=st.booleans(),
)
people = st.builds(
    Person,
    silent=st.booleans(),
    doubted=st.booleans(),
    factors=st.frozensets(st.sampled_from([PASSWORD, PASSKEY, TOTP, RECOVERY_CODE])),
    has_email=st.booleans(),
    has_phone=st.booleans(),
    is_administrator=st.booleans(),
)
situations = st.builds(
    Situation,
    demand=demands,
    at=instants,
    held=st.none() | holds,
    proofs=st.sampled_from([frozenset(), PROVED, BOTH, frozenset({PASSWORD}), frozenset({PASSKEY}), frozenset({PHONE_CODE, TOTP})]),
    browser=st.sampled_from(["known", "shared", "new"]),
    person=people,
    signs=st.frozensets(st.sampled_from(SIGNS)),
    limits=st.builds(Limits, st.integers(0, 10**8), st.booleans()),
)


@given(situations)
def test_what_is_due_has_a_rule(one: Situation) -> None:
    """Nothing is asked of anybody without a rule that says so; what is unmet is among the rules; the order is that of the page."""
    decision = policy.decide(one)
    assert (decision.due == "nothing") == (set(decision.rules) == set(decision.unmet) and not _too_weak(one, decision))
    assert set(decision.unmet) <= set(decision.rules) <= set(policy.REASONS)
    assert list(decision.rules) == [rule.name for rule in RULES if rule.name in decision.rules]
    assert decision.acr in policy.REACHABLE
    assert policy.decide(one) == decision


def _too_weak(one: Situation, decision: Decision) -> bool:
    return one.held is None or policy.rank(one.held.acr) < policy.rank(decision.acr)


def weight(decision: Decision) -> int:
    """How much is due."""
    return DUES.index(decision.due)


@given(situations)
def test_what_is_worse_is_never_easier(one: Situation) -> None:
    """A browser that is not known, a doubted number, a company's veto, one more thing that is strange: no more is let in by any of them."""
    before = weight(policy.decide(one))
    worse = [
        replace(one, person=replace(one.person, doubted=True)),
        replace(one, person=replace(one.person, silent=True)),
        replace(one, limits=one.limits._replace(administrators_second_proof=True)),
        *([replace(one, signs=frozenset(SIGNS))] if one.browser == "known" else [replace(one, browser="new")]),
    ]
    if isinstance(one.held, Held):
        worse.append(replace(one, held=replace(one.held, browser_lifetime=0)))
        if not one.proofs:
            worse.append(replace(one, held=replace(one.held, acr="remembered")))
    assert all(weight(policy.decide(each)) >= before for each in worse)


@given(situations)
def test_nobody_is_asked_in_circles(one: Situation) -> None:
    """The right person, who begins with a code to the phone and then proves what is asked for, is in after a few proofs, whatever else
    there is; or nothing is left but a fresh ID.
    """
    at = max(one.demand.asked_at, one.demand.fresh_since or one.at, one.at)
    given_ = [Proved(PHONE_CODE, "code", ("sms",), at)]
    for _ in range(len(policy.PROOFS)):
        all_of_it = policy.together(given_)
        held = Held(one.demand.user_id or "usr_anna", all_of_it.acr, at, at, at)
        decision = policy.decide(replace(one, at=at, held=held, proofs=all_of_it.proofs))
        if decision.due == "nothing" or not decision.ways:
            break
        name = sorted(decision.ways)[0]
        given_.append(replace(policy.proof(name, (name,)), auth_time=at))
    assert decision.due == "nothing" or not policy.OF_NUMBER.isdisjoint(decision.rules)


@given(st.sampled_from(policy.LEVELS), holds)
def test_a_press_is_never_a_proof(level: str, held: Held) -> None:
    """Case 78: what a known browser vouches for meets no demand for freshness or strength, however it was asked for."""
    remembered = replace(held, acr="remembered")
    late = Demand(NOON, fresh_since=remembered.auth_time + timedelta(microseconds=1), user_id=held.user_id)
    assert not policy.is_enough(late, remembered)
    if level != "remembered":
        assert not policy.is_enough(Demand(NOON, acr=level, user_id=held.user_id), remembered)
