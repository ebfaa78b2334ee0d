"""How long a refresh token lives: with the session, or with `offline_access` beyond it (OpenID Connect Core §11, ASVS 5.0 §10.4.8)."""

from __future__ import annotations

from datetime import timedelta

from idp import clock
from idp.directory import users
from tests.oidc.asking import person, signed_in, token_error
from tests.world import World, answer_of, claims_of

ONLINE, OFFLINE = "openid profile", "openid profile offline_access"


def both(world: World, story) -> tuple:
    """A browser, a client, and tokens without and with `offline_access` of one session."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    made = [world.redeem(party, answer_of(browser.authorize(party, scope=scope))["code"]).json() for scope in (ONLINE, OFFLINE)]
    return browser, party, *made


def test_signing_out(world: World, story) -> None:
    """What is bound to the session ends with it, access tokens too; what was asked for to work while nobody is there goes on."""
    browser, party, online, offline = both(world, story)
    assert claims_of(online["access_token"])["sid"] == claims_of(offline["access_token"])["sid"]
    browser.press(browser.get("/end_session"), "/end_session/confirm")
    assert world.userinfo(online["access_token"]).status_code == 401
    assert token_error(world.refresh(party, online["refresh_token"])) == "invalid_grant"
    assert world.userinfo(offline["access_token"]).status_code == 200
    assert world.refresh(party, offline["refresh_token"]).status_code == 200


def test_a_session_that_ran_out(world: World, story) -> None:
    """Case 83: refreshing does not keep a session alive past its absolute end."""
    settings = world.settings
    with clock.freeze(clock.now()) as later:
        _, party, online, offline = both(world, story)
        tokens = {"online": online, "offline": offline}
        for _ in range(settings.login.session_lifetime // 86400 // 5):
            later(timedelta(days=5) - timedelta(seconds=10))
            tokens = {name: world.refresh(party, kept["refresh_token"]).json() for name, kept in tokens.items()}
            assert all("access_token" in kept for kept in tokens.values()), tokens
        later(timedelta(days=1))
        assert token_error(world.refresh(party, tokens["online"]["refresh_token"])) == "invalid_grant"
        assert world.refresh(party, tokens["offline"]["refresh_token"]).status_code == 200


def test_without_use(world: World, story) -> None:
    """Thirty days without use end it; a use begins them anew."""
    idle = world.settings.oidc.refresh_token_idle
    with clock.freeze(clock.now()) as later:
        _, party, _, offline = both(world, story)
        later(idle - 1)
        offline = world.refresh(party, offline["refresh_token"]).json()
        later(idle - 1)
        offline = world.refresh(party, offline["refresh_token"]).json()
        later(idle)
        assert token_error(world.refresh(party, offline["refresh_token"])) == "invalid_grant"


def test_the_absolute_end(world: World, story) -> None:
    """ASVS 5.0 §10.4.8: ninety days, whatever its use."""
    with clock.freeze(clock.now()) as later:
        _, party, _, offline = both(world, story)
        for _ in range(world.settings.oidc.refresh_token_lifetime // 86400 // 10):
            later(timedelta(days=10) - timedelta(seconds=1))
            offline = world.refresh(party, offline["refresh_token"]).json()
        later(10)
        assert token_error(world.refresh(party, offline["refresh_token"])) == "invalid_grant"


def test_auth_time_stays(world: World, story) -> None:
    """claims.md: `auth_time` is the moment of the proof; it is never the token's, the code's or the refresh's."""
    with clock.freeze(clock.now()) as later:
        at = clock.timestamp()
        browser, party, _, offline = both(world, story)
        for _ in range(3):
            later(timedelta(hours=5))
            offline = world.refresh(party, offline["refresh_token"]).json()
            silent = world.redeem(party, answer_of(browser.authorize(party, prompt="none"))["code"]).json()
            for tokens in (offline, silent):
                assert claims_of(tokens["id_token"])["auth_time"] == at
                assert claims_of(tokens["access_token"])["auth_time"] == at


def test_it_has_to_be_allowed(world: World, story) -> None:
    """Case 13, Core §11: somebody else's app gets `offline_access` only after the person agreed to it."""
    party = world.party(first_party=False)
    browser = signed_in(world, story, "zimin")
    page = browser.authorize(party, scope=OFFLINE)
    assert "Work while you are not there" in page.text.replace("\u00a0", " ")
    tokens = world.redeem(party, answer_of(browser.onward(browser.submit(page, answer="allow")))["code"]).json()
    assert "offline_access" in tokens["scope"]


def test_a_blocked_person(world: World, story) -> None:
    """Case 30: `offline_access` outlives a session, not the person's right to be here."""
    _, party, _, offline = both(world, story)
    with world.writes():
        users.block(person(story, "zimin").user_id, "test")
    assert world.userinfo(offline["access_token"]).status_code == 401
    assert token_error(world.refresh(party, offline["refresh_token"])) == "invalid_grant"
    with world.writes():
        users.unblock(person(story, "zimin").user_id)
    assert world.refresh(party, offline["refresh_token"]).status_code == 200
