"""What is over is deleted, not before: codes, parked requests, token families (data minimisation, RFC 9700 §4.2).

The schedule calls these; a spent code is kept for a day, so that a replay still finds what to revoke (case 19).
"""

from __future__ import annotations

from datetime import timedelta

from idp import clock
from idp.delegation import account_choices, codes, requests, tokens
from idp.delegation.tables import AccountChoice, Code, ParkedRequest, TokenFamily
from idp.directory import numbers
from idp.login import session as sessions
from tests.oidc.asking import person, phone, rows, token_error
from tests.world import World, answer_of


def test_codes(world: World, story) -> None:
    """A day after their minute."""
    party, browser = world.party(), world.browser()
    answer = answer_of(world.sign_in(browser, party, phone(story, "zimin")))
    first = world.redeem(party, answer["code"]).json()
    with clock.freeze(clock.now()) as later:
        later(timedelta(hours=23))
        with world.writes():
            assert codes.sweep(clock.now()) == 0
        assert token_error(world.redeem(party, answer["code"])) == "invalid_grant"
        assert token_error(world.refresh(party, first["refresh_token"])) == "invalid_grant", "the replay was noticed"
        later(timedelta(hours=2))
        with world.writes():
            assert codes.sweep(clock.now()) == 1
        assert rows(world, Code) == []
        assert token_error(world.redeem(party, answer["code"])) == "invalid_grant"


def test_parked_requests(world: World, story) -> None:
    """A day after they ran out, finished or not."""
    party = world.party()
    world.sign_in(world.browser(), party, phone(story, "zimin"))
    world.browser().authorize(party)
    assert len(rows(world, ParkedRequest)) == 2
    with clock.freeze(clock.now() + timedelta(hours=24)) as later:
        with world.writes():
            assert requests.sweep(clock.now()) == 0
        later(timedelta(hours=2))
        with world.writes():
            assert requests.sweep(clock.now()) == 2
    assert rows(world, ParkedRequest) == []


def test_families(world: World, story) -> None:
    """A month after their absolute end; until then a reuse is still noticed."""
    party = world.party()
    world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid offline_access")
    lifetime = timedelta(seconds=world.settings.oidc.refresh_token_lifetime)
    with clock.freeze(clock.now() + lifetime + timedelta(days=29)) as later:
        with world.writes():
            assert tokens.sweep(clock.now()) == 0
        later(timedelta(days=2))
        with world.writes():
            assert tokens.sweep(clock.now()) == 1
    assert rows(world, TokenFamily) == []


def test_account_choices(world: World, story) -> None:
    """They go with their session's row, half a year after its end; those of sessions that are kept stay."""
    party = world.party(account_types=["employee"])
    with clock.freeze(clock.now()) as later:
        world.tokens(world.browser(), party, phone(story, "lazareva"), scope="openid company")
        later(timedelta(days=300))
        with world.writes():  # so long silent, a code alone would not let them in
            numbers.change(person(story, "lazareva").user_id, phone(story, "lazareva"))
        world.tokens(world.browser(), party, phone(story, "lazareva"), scope="openid company")
        assert len(rows(world, AccountChoice)) == 2
        with world.writes():
            assert account_choices.sweep(clock.now()) == 0
            assert sessions.sweep(clock.now()) == 1
            assert account_choices.sweep(clock.now()) == 1
        (kept,) = rows(world, AccountChoice)
        assert kept.chosen_at == clock.now()
