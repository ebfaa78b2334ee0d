"""What must still stand when tokens are issued: a code's session, a refresh token's family. Cases 27 and 30 of threats.md."""

from __future__ import annotations

import sqlalchemy as sa

from idp.db.session import session
from idp.delegation import tokens
from idp.delegation.tables import TokenFamily
from idp.login import session as sessions
from idp.login.tables import Session
from tests.oidc.asking import phone, token_error
from tests.security.meanwhile import between_statements, meanwhile
from tests.world import World, answer_of


def test_the_session_ends_before_the_code_is_redeemed(world: World, story) -> None:
    """Case 30: signed out, or thrown out with a stolen browser, between code and redemption: nothing begins, `offline_access` or not."""
    party = world.party()
    for scope in ("openid", "openid offline_access"):
        answer = answer_of(world.sign_in(world.browser(), party, phone(story, "zimin"), scope=scope))
        with world.writes():
            for session_id in session.scalars(sa.select(Session.id).where(Session.ended_at.is_(None))).all():
                sessions.end(session_id, "browser_stolen")
        assert token_error(world.redeem(party, answer["code"])) == "invalid_grant"


@between_statements
def test_revoked_while_it_is_refreshed(world: World, story) -> None:
    """Cases 27 and 28: another process ends the family between our look and our UPDATE: no token follows."""
    party = world.party()
    given = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid offline_access")

    def revoke() -> None:
        for family_id in session.scalars(sa.select(TokenFamily.id)).all():
            tokens.revoke(family_id, reason="signed_out_everywhere")

    with meanwhile(world, "UPDATE token_families", revoke) as interrupted:
        refused = world.refresh(party, given["refresh_token"])
    assert interrupted
    assert token_error(refused) == "invalid_grant"
