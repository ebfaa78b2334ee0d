"""A token family to the second and to the row: rotated by one conditional UPDATE, shown by introspection as it stands.

RFC 7662 §2.2, RFC 9700 §4.14.2; case 27 of threats.md.
"""

from __future__ import annotations

from datetime import timedelta

from idp import clock
from idp.delegation import clients, tokens
from idp.delegation.tables import TokenFamily
from tests.oidc.asking import change, phone, rows, signed_in, token_error
from tests.world import World, answer_of


def test_rotation_is_one_conditional_update(world: World, story) -> None:
    """House rule 5: whoever looked too early rotates nothing: the counter and the family's life stand in the UPDATE's WHERE (case 27)."""
    party = world.party()
    first = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
    with world.reads():
        family = tokens.present(first.partition(".")[0]).family
    with world.writes():
        assert tokens._rotate(family, 0)
        assert not tokens._rotate(family, 0), "somebody else was first"
        assert not tokens._rotate(family, 2), "nobody has been given that one"
        assert tokens._rotate(family, 1)
        tokens.revoke(family.id, reason="test")
        assert not tokens._rotate(family, 2), "ended meanwhile"
    row = rows(world, TokenFamily)[-1]
    assert (row.counter, row.revoked_reason) == (2, "test")


def test_a_family_without_refresh_tokens(world: World, story) -> None:
    """A client that may not refresh holds none; what the keys would make of its family is none either."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    code = answer_of(browser.authorize(party))["code"]
    given = world.redeem(party, code).json()
    change(world, TokenFamily, refreshable=False)
    answer = world.refresh(party, given["refresh_token"])
    assert (token_error(answer), answer.json()["error_description"]) == ("invalid_grant", "This is not a refresh token of ours.")
    assert world.introspect(party, given["refresh_token"]).json() == {"active": False}


def test_introspected_to_the_second(world: World, story) -> None:
    """RFC 7662 §2.2: a refresh token's `iat` is its last rotation, its `exp` the nearer of its ends; without a scope left it is none."""
    party = world.party()
    with clock.freeze(clock.now().replace(microsecond=0)) as later:
        token = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid profile")["refresh_token"]
        later(100)
        token = world.refresh(party, token).json()["refresh_token"]
        now, oidc = int(clock.now().timestamp()), world.settings.oidc
        told = world.introspect(party, token).json()
        assert (told["iat"], told["exp"]) == (now, now + oidc.refresh_token_idle)
        change(world, TokenFamily, expires_at=clock.now() + timedelta(seconds=7))
        assert world.introspect(party, token).json()["exp"] == now + 7
        for other in ("x", token[:-1], token.replace("fam_", "fan_")):
            assert world.introspect(party, other).json() == {"active": False}
        with world.writes():
            clients.update(party.client.id, scopes=["email"])
        assert world.introspect(party, token).json() == {"active": False}
        with world.writes():
            assert tokens.sweep(clock.now() + timedelta(days=500)) == 1
        assert world.introspect(party, token).json() == {"active": False}
