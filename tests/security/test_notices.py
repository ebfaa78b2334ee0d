"""Warnings cost a text each, so nobody can have them sent without end. Case 66 of threats.md."""

from __future__ import annotations

from idp import clock
from idp.reactions import NOTICES
from tests.oidc.asking import phone
from tests.world import World, answer_of


def test_reused_on_purpose(world: World, story) -> None:
    """Case 66: whoever holds a public client's tokens reuses one after the other: the family ends each time, the texts stop."""
    party, browser, number = world.party(kind="single_page"), world.browser(), phone(story, "zimin")
    with clock.freeze(clock.now()) as later:
        tokens = world.tokens(browser, party, number)
        for _ in range(NOTICES + 3):
            first = world.refresh(party, tokens["refresh_token"]).json()
            world.refresh(party, first["refresh_token"])
            assert world.refresh(party, tokens["refresh_token"]).status_code == 400
            tokens = world.redeem(party, answer_of(browser.authorize(party))["code"]).json()
        texts = [message for message in world.inbox(number) if message["code"] is None]
        assert len(texts) == NOTICES
        assert len(world.events("token.reused")) == NOTICES + 3
        later(86400)
        world.refresh(party, world.refresh(party, tokens["refresh_token"]).json()["refresh_token"])
        world.refresh(party, tokens["refresh_token"])
        assert len([message for message in world.inbox(number) if message["code"] is None]) >= 1
