"""Signed out of everything at once: sessions, known browsers, what apps were given, also to work while nobody is there. Cases 30, 76."""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp import clock, events
from idp.errors import NotFound
from idp.oidc.sign_out_everywhere import EVENT, sign_out_everywhere
from tests.oidc.asking import person, phone, signed_in, token_error
from tests.security.meanwhile import between_statements, meanwhile
from tests.world import World, answer_of

OFFLINE = "openid offline_access"


def test_nothing_is_left(world: World, story) -> None:
    """Case 76: with the next request session and known browser are dead, tokens of both kinds too; another person goes on."""
    party, number = world.party(), phone(story, "zimin")
    first, second = world.browser(), world.browser(user_agent="Mozilla/5.0 (Windows NT 10.0) Firefox/140.0")
    online, offline = world.tokens(first, party, number), world.tokens(second, party, number, scope=OFFLINE)
    waiting = answer_of(second.authorize(party, scope=OFFLINE))["code"]
    other = world.tokens(world.browser(), party, phone(story, "belova"), scope=OFFLINE)
    with world.writes():
        assert sign_out_everywhere(person(story, "zimin").user_id) == (2, 2, 2)
    for tokens in (online, offline):
        assert world.userinfo(tokens["access_token"]).status_code == 401
        assert token_error(world.refresh(party, tokens["refresh_token"])) == "invalid_grant"
    assert token_error(world.redeem(party, waiting)) == "invalid_grant"
    for browser in (first, second):
        assert answer_of(browser.authorize(party, prompt="none"))["error"] == "login_required"
        assert 'name="person"' not in browser.authorize(party).text
    assert world.userinfo(other["access_token"]).status_code == 200
    assert world.refresh(party, other["refresh_token"]).status_code == 200


def test_it_is_one_event(world: World, story) -> None:
    """House rule 6: what the person is told hangs off it; who did it stands in it."""
    signed_in(world, story)
    user_id = person(story, "zimin").user_id
    with world.writes(), events.acting("operator", details={}, personal={}):
        sign_out_everywhere(user_id)
    [event] = world.events(EVENT)
    assert (event.user_id, event.actor_id, event.details) == (user_id, "operator", {"sessions": 1, "browsers": 1, "apps": 0})
    assert [(each.actor_id, each.details["reason"]) for each in world.events("session.ended")] == [("operator", "signed_out_everywhere")]


def test_the_next_sign_in_is_not_touched(world: World, story) -> None:
    """The person signs in again before the worker reacts to the event."""
    party, number = world.party(), phone(story, "zimin")
    with clock.freeze(clock.now()) as later:
        signed_in(world, story)
        with world.writes():
            sign_out_everywhere(person(story, "zimin").user_id)
        later(timedelta(seconds=1))
        tokens = world.tokens(world.browser(), party, number, scope=OFFLINE)
        world.deliver()
        assert world.userinfo(tokens["access_token"]).status_code == 200
        assert world.refresh(party, tokens["refresh_token"]).status_code == 200


def test_nobody(world: World) -> None:
    """An id that is nobody's leaves no event."""
    with pytest.raises(NotFound), world.writes():
        sign_out_everywhere("usr_nobody")
    assert world.events(EVENT) == []


@between_statements
def test_a_code_that_is_redeemed_at_the_same_moment(world: World, story) -> None:
    """Case 30: the sign-out comes after the look at the session and before the commit; what was given lives until the event is heard."""
    party = world.party()
    browser = signed_in(world, story, party=party, scope=OFFLINE)
    code = answer_of(browser.authorize(party, scope=OFFLINE))["code"]
    with meanwhile(world, "INSERT INTO events", lambda: sign_out_everywhere(person(story, "zimin").user_id)) as seen:
        tokens = world.redeem(party, code).json()
    assert seen
    world.deliver()
    assert world.userinfo(tokens["access_token"]).status_code == 401
    assert token_error(world.refresh(party, tokens["refresh_token"])) == "invalid_grant"
