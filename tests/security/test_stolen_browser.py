"""A copied browser is thrown out with all that was asked for in it. Cases 76 and 77 of threats.md."""

from __future__ import annotations

from datetime import timedelta

from idp import clock
from tests.oidc.asking import phone, token_error
from tests.world import World, answer_of

OFFLINE = "openid offline_access"


def test_refresh_tokens_that_outlive_the_session(world: World, story) -> None:
    """Case 77: the thief presses the owner's name and asks for `offline_access`; when the owner comes back with the older cookie, the
    thief's refresh token is dead, and so is the access token. What the person has in another browser goes on.
    """
    party, number = world.party(), phone(story, "zimin")
    elsewhere = world.tokens(world.browser(), party, number, scope=OFFLINE)
    with clock.freeze(clock.now()) as later:
        owner, thief = world.browser(), world.browser(user_agent="Mozilla/5.0 (Windows NT 10.0) Firefox/140.0")
        answer_of(world.sign_in(owner, party, number))
        thief.cookies.set("idp_browser", owner.cookies["idp_browser"], domain="localhost.local")
        later(timedelta(minutes=5))
        page = thief.authorize(party, scope=OFFLINE)
        stolen = world.redeem(
            party, answer_of(thief.onward(thief.submit(page, person=page.text.split('name="person" value="')[1][:30])))["code"]
        ).json()
        assert world.userinfo(stolen["access_token"]).status_code == 200
        later(timedelta(minutes=5))
        assert owner.authorize(party, prompt="login").status_code == 200
        assert len(world.events("browser.stolen")) == 1
        world.deliver()
        assert world.userinfo(stolen["access_token"]).status_code == 401
        assert token_error(world.refresh(party, stolen["refresh_token"])) == "invalid_grant"
        assert world.refresh(party, elsewhere["refresh_token"]).status_code == 200
