"""Refreshing: rotation, a short grace, and the end of the family when an old one comes back.

RFC 6749 §6, RFC 9700 §4.14.2, FAPI 2.0 §5.3.2.1; cases 20, 27 and 28 of threats.md.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from idp import clock
from idp.delegation.tables import TokenFamily
from tests.machine import count
from tests.oidc.asking import person, phone, rows, token_error
from tests.world import World, claims_of


def test_the_answer(world: World, story) -> None:
    """OpenID Connect Core §12.2: the same person and `auth_time`, a newer `iat`, no nonce invented; all tokens are new."""
    party = world.party()
    with clock.freeze(clock.now()) as later:
        first = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid profile")
        later(timedelta(hours=2))
        answer = world.refresh(party, first["refresh_token"])
    assert answer.headers["Cache-Control"] == "no-store"
    second = answer.json()
    assert set(second) == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
    assert second["scope"] == "openid profile"
    for name in ("access_token", "refresh_token", "id_token"):
        assert second[name] != first[name]
    before, after = claims_of(first["id_token"]), claims_of(second["id_token"])
    for name in ("iss", "sub", "aud", "azp", "auth_time", "sid", "acr", "amr"):
        assert after[name] == before[name], name
    assert after["iat"] == before["iat"] + 7200
    assert "nonce" not in after
    assert claims_of(second["access_token"])["auth_time"] == before["auth_time"]


def test_the_grace(world: World, story) -> None:
    """R6: the same refresh again within ten seconds (an answer was lost) gets the same successor; its tokens are good."""
    party = world.party()
    with clock.freeze(clock.now()) as later:
        first = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
        answers = [world.refresh(party, first)]
        for _ in range(3):
            later(3)
            answers.append(world.refresh(party, first))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1
        for answer in answers:
            assert world.userinfo(answer.json()["access_token"]).status_code == 200
        assert world.refresh(party, answers[0].json()["refresh_token"]).status_code == 200


def test_reuse_after_the_grace(world: World, story) -> None:
    """Case 28: then everything that came of it is dead at once, access tokens included, and it is an event."""
    party = world.party()
    with clock.freeze(clock.now()) as later:
        first = world.tokens(world.browser(), party, phone(story, "zimin"))
        second = world.refresh(party, first["refresh_token"]).json()
        later(11)
        assert world.userinfo(second["access_token"]).status_code == 200
        assert token_error(world.refresh(party, first["refresh_token"])) == "invalid_grant"
        for tokens in (first, second):
            assert world.userinfo(tokens["access_token"]).status_code == 401
            assert token_error(world.refresh(party, tokens["refresh_token"])) == "invalid_grant"
    events = world.events("token.reused")
    assert [event.user_id for event in events] == [person(story, "zimin").user_id]
    assert rows(world, TokenFamily)[-1].revoked_reason == "token_reused"


def test_an_older_one_within_the_grace(world: World, story) -> None:
    """Case 28: the grace is for the token before the present one, and for none older."""
    party = world.party()
    with clock.freeze(clock.now()):
        first = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
        second = world.refresh(party, first).json()["refresh_token"]
        third = world.refresh(party, second).json()["refresh_token"]
        assert token_error(world.refresh(party, first)) == "invalid_grant"
        assert token_error(world.refresh(party, third)) == "invalid_grant"


def test_the_thief_and_the_owner(world: World, story) -> None:
    """RFC 9700 §4.14.2: whoever of the two comes second after the grace ends it for both; another sign-in of the person lives on."""
    party = world.party()
    with clock.freeze(clock.now()) as later:
        stolen = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
        later(1)
        apart = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
        thiefs = world.refresh(party, stolen).json()["refresh_token"]
        thiefs = world.refresh(party, thiefs).json()["refresh_token"]
        later(60)
        assert token_error(world.refresh(party, stolen)) == "invalid_grant"
        assert token_error(world.refresh(party, thiefs)) == "invalid_grant"
        assert world.refresh(party, apart).status_code == 200


def test_many_at_once(world: World, story) -> None:
    """Case 27: parallel refreshes of one token all get the one successor, and there is one living leaf."""
    party = world.party()
    token = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
    for _ in range(count(3, 100)):
        together = Barrier(6)

        def refresh(token: str = token, together: Barrier = together) -> tuple[int, str]:
            together.wait()
            answer = world.refresh(party, token)
            return answer.status_code, answer.json().get("refresh_token", "")

        with ThreadPoolExecutor(6) as pool:
            answers = {future.result() for future in [pool.submit(refresh) for _ in range(6)]}
        assert len(answers) == 1
        ((status, successor),) = answers
        assert status == 200
        token = successor


def test_another_client(world: World, story) -> None:
    """Case 20, RFC 6749 §10.4: a refresh token in another client's hands is refused and stays good for its own."""
    mine, theirs = world.party(), world.party()
    public, other = world.party(kind="single_page"), world.party(kind="single_page")
    for owner, thieves in ((mine, (theirs, public)), (public, (other, mine))):
        token = world.tokens(world.browser(), owner, phone(story, "zimin"))["refresh_token"]
        for thief in thieves:
            assert token_error(world.refresh(thief, token)) == "invalid_grant"
        assert world.refresh(owner, token).status_code == 200
    assert {event.details["why"] for event in world.events("token.refused")} == {"another client"}


def test_tokens_that_are_none(world: World, story) -> None:
    """RFC 6749 §5.2: cut off, another counter, another family, other kinds of token: `invalid_grant`, and nothing is spent or revoked."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    other = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
    token = tokens["refresh_token"]
    family, counter, mac = token.split(".")
    wrong = [
        token[:-1],
        token + "x",
        token.swapcase(),
        f"{family}.1.{mac}",
        f"{family}.00.{mac}",
        f"{family}.0.{'A' * 43}",
        f"{family}.-1.{mac}",
    ]
    wrong += [
        f"{other.split('.')[0]}.{counter}.{mac}",
        tokens["access_token"],
        tokens["id_token"],
        f"{family}.{'9' * 30}.{mac}",
        f"{family}.{counter}",
    ]
    wrong += ["x", "..", "null", f" {token}", f"{token} ", f"{family}.٠.{mac}"]
    for given in wrong:
        assert token_error(world.refresh(party, given)) in {"invalid_grant", "invalid_request"}, given
    assert token_error(world.token(party, grant_type="refresh_token")) == "invalid_request"
    assert world.refresh(party, token).status_code == 200
    assert world.refresh(party, other).status_code == 200


def test_scope_narrows(world: World, story) -> None:
    """RFC 6749 §6: fewer scopes for this access token; the refresh token keeps what was granted."""
    party = world.party()
    first = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid profile email")
    second = world.refresh(party, first["refresh_token"], scope="openid email").json()
    assert second["scope"] == "openid email"
    assert set(world.userinfo(second["access_token"]).json()) == {"sub", "email", "email_verified"}
    third = world.refresh(party, second["refresh_token"]).json()
    assert third["scope"] == "openid profile email"
    fourth = world.refresh(party, third["refresh_token"], scope="email profile nonsense").json()
    assert fourth["scope"].split() == ["profile", "email"]
    assert "id_token" not in fourth


@pytest.mark.parametrize("scope", ["openid phone", "openid profile email offline_access", "company"])
def test_scope_never_widens(world: World, story, scope: str) -> None:
    """Case 13: `invalid_scope`; the token is not spent."""
    party = world.party()
    token = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid profile email")["refresh_token"]
    assert token_error(world.refresh(party, token, scope=scope)) == "invalid_scope"
    assert world.refresh(party, token).status_code == 200


def test_it_is_stored_nowhere(world: World, story) -> None:
    """Case 42: what stands in the database makes no refresh token."""
    party = world.party()
    token = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
    assert token.rpartition(".")[2] not in str(rows(world, TokenFamily))


def test_an_hour_of_refreshing(world: World, story) -> None:
    """R6: a client that refreshes every five minutes, and loses some answers, is never asked to sign in again."""
    party = world.party()
    with clock.freeze(clock.now()) as later:
        token = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
        for turn in range(count(40, 1000)):
            later(290)
            answer = world.refresh(party, token)
            if turn % 10 == 0:  # lost
                later(5)
                answer = world.refresh(party, token)
            token = answer.json()["refresh_token"]
