"""What a relying party may demand, and what meets it: OpenID Connect Core §3.1.2.1, `claims.md` ("How strong, how fresh")."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.login import policy
from idp.login.policy import Demand

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
    assert policy.REACHABLE == ("remembered", "code")
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
