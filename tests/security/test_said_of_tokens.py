"""What is said when a code or a refresh token is refused, word by word: to the client, which must know what to do, and in the trail, where
an operator looks for who did what (RFC 6749 §5.2; cases 17, 19, 20, 28 and 30 of threats.md).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from idp import clock
from idp.delegation import clients, codes, session_clients, tokens
from idp.delegation.tables import Code, TokenFamily
from idp.directory import companies, users
from idp.login import session as sessions
from tests.oidc.asking import change, person, phone, rows, signed_in, token_error
from tests.world import Party, World, answer_of

REVOKED = "It has been revoked."
NO_MATCH = "The code does not go with this client, redirect_uri and code_verifier, or its minute is over."


def said(answer: httpx2.Response, status: int = 400) -> tuple[str, str]:
    """Error and description."""
    return token_error(answer, status), answer.json()["error_description"]


def trail(world: World, name: str) -> list[dict[str, Any]]:
    """What the trail says under a name, without what each line has."""
    words = ("outcome", "user_id", "client_id", "session_id", "company_id", "details")
    return [{word: value for word in words if (value := getattr(event, word))} for event in world.events(name)]


def session_of(world: World) -> str:
    """The session of the newest family or code."""
    found = rows(world, Code) or rows(world, TokenFamily)
    return str(found[-1].session_id)


@pytest.fixture
def zimin(story) -> str:
    """Who signs in here."""
    return person(story, "zimin").user_id


def test_codes_that_do_not_fit(world: World, story, zimin: str) -> None:
    """Each wrong thing is named in the trail and none to the client, who may be a thief; the code stays good for its own."""
    mine, theirs = world.party(), world.party()
    code = answer_of(signed_in(world, story, "zimin", mine).authorize(mine))["code"]
    assert said(world.redeem(theirs, code)) == ("invalid_grant", NO_MATCH)
    assert said(world.redeem(mine, code, redirect_uri="https://portal.example/other")) == ("invalid_grant", NO_MATCH)
    assert said(world.redeem(mine, code, code_verifier="v" * 43)) == ("invalid_grant", NO_MATCH)
    known = {"outcome": "refused", "user_id": zimin, "session_id": session_of(world)}
    assert trail(world, "code.refused") == [
        known | {"client_id": theirs.client.id, "details": {"why": "another client"}},
        known | {"client_id": mine.client.id, "details": {"why": "another redirect_uri"}},
        known | {"client_id": mine.client.id, "details": {"why": "another code_verifier"}},
    ]
    assert world.redeem(mine, code).status_code == 200


def test_a_verifier_too_many(world: World, story, zimin: str) -> None:
    """RFC 9700 §4.8.2: a code that was asked for without a challenge takes no verifier: somebody took the challenge out on the way."""
    party = world.party()
    code = answer_of(signed_in(world, story, "zimin", party).authorize(party))["code"]
    change(world, Code, code_challenge="")
    assert said(world.redeem(party, code)) == ("invalid_grant", NO_MATCH)
    assert trail(world, "code.refused") == [
        {
            "outcome": "refused",
            "user_id": zimin,
            "session_id": session_of(world),
            "client_id": party.client.id,
            "details": {"why": "a code_verifier without a code_challenge"},
        }
    ]


def test_codes_that_are_over(world: World, story, zimin: str) -> None:
    """Expired, unknown, ill-formed verifier, and used before: the last revokes what it gave."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    first = rows(world, Code)
    with clock.freeze(clock.now()) as later:
        code = answer_of(browser.authorize(party))["code"]
        later(60)
        assert said(world.redeem(party, code)) == ("invalid_grant", NO_MATCH)
        assert [line["details"] for line in trail(world, "code.refused")] == [{"why": "expired"}]
        assert said(world.redeem(party, "x" * 43)) == ("invalid_grant", "The code is not known. A code is used once, within a minute.")
        for verifier in ("v" * 42, "v" * 129, "v" * 42 + "!"):
            assert said(world.redeem(party, code, code_verifier=verifier)) == (
                "invalid_grant",
                "code_verifier has 43 to 128 characters of A-Z a-z 0-9 - . _ ~ (RFC 7636 section 4.1).",
            )
        code = answer_of(browser.authorize(party))["code"]
        given = world.redeem(party, code).json()
        assert said(world.redeem(party, code)) == ("invalid_grant", "The code was used before. What it gave has been revoked.")
    where = {"outcome": "refused", "user_id": zimin, "session_id": first[-1].session_id, "client_id": party.client.id}
    assert trail(world, "code.replayed") == [where]
    assert said(world.refresh(party, given["refresh_token"])) == ("invalid_grant", REVOKED)
    assert rows(world, TokenFamily)[-1].revoked_reason == "code_replayed"


def test_a_verifier_of_every_length(world: World, story) -> None:
    """RFC 7636 §4.1: 43 and 128 characters are the ends, both of them allowed."""
    for verifier in ("A-._~" + "z" * 38, "0" * 128):
        party = world.party()
        party.verifier = verifier
        assert world.tokens(world.browser(), party, phone(story, "zimin"))["access_token"]


def test_refresh_tokens_of_others(world: World, story, zimin: str) -> None:
    """Garbage, another client's, a family that never was; only the second is worth a line in the trail."""
    mine, theirs = world.party(), world.party()
    token = world.tokens(world.browser(), mine, phone(story, "zimin"))["refresh_token"]
    assert said(world.refresh(mine, "x")) == ("invalid_grant", "This is not a refresh token of ours.")
    assert trail(world, "token.refused") == []
    assert said(world.refresh(theirs, token)) == ("invalid_grant", "This token was given to another client.")
    line = {"outcome": "refused", "user_id": zimin, "client_id": theirs.client.id, "details": {"why": "another client"}}
    assert trail(world, "token.refused") == [line]
    assert said(world.revoke(theirs, token)) == ("invalid_grant", "This token was given to another client.")
    assert trail(world, "token.refused") == [line, line]
    with world.writes():
        assert tokens.sweep(clock.now() + timedelta(days=500)) == 1
    assert said(world.refresh(mine, token)) == ("invalid_grant", "This token was given to another client.")
    assert trail(world, "token.refused") == [line, line]
    assert world.revoke(mine, token).status_code == 200


def test_used_before(world: World, story, zimin: str) -> None:
    """The whole line: the person is told, support finds the session and the app."""
    party = world.party()
    with clock.freeze(clock.now()) as later:
        token = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
        world.refresh(party, token)
        later(10)
        assert said(world.refresh(party, token)) == (
            "invalid_grant",
            "This refresh token was used before. Everything that came of it has been revoked.",
        )
        assert said(world.refresh(party, token)) == ("invalid_grant", REVOKED)
    line = {"outcome": "refused", "user_id": zimin, "client_id": party.client.id, "session_id": session_of(world)}
    assert trail(world, "token.reused") == [line]


def test_given_back(world: World, story, zimin: str) -> None:
    """RFC 7009: the trail names the family; a second time nothing happens."""
    party = world.party()
    token = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
    for _ in range(2):
        assert world.revoke(party, token).status_code == 200
    line = {"outcome": "ok", "user_id": zimin, "client_id": party.client.id, "session_id": session_of(world)}
    assert trail(world, "token.revoked") == [line | {"details": {"token": "refresh_token", "family": token.partition(".")[0]}}]
    assert rows(world, TokenFamily)[-1].revoked_reason == "revoked_by_client"


@pytest.mark.parametrize(
    ("what", "description"),
    [
        ("family", REVOKED),
        ("idle", "It has expired. Sign in again."),
        ("lifetime", "It has expired. Sign in again."),
        ("blocked", "This ID is blocked."),
        ("session", "The session has ended. Sign in again."),
        ("session's time", "The session has ended. Sign in again."),
        ("another's account", "This account is no longer this person's."),
        ("suspended", "This account may not enter now (company_suspended)."),
    ],
)
def test_what_ended(world: World, story, what: str, description: str) -> None:
    """The reason, and nothing is spent: it would be good again where the reason goes."""
    party = world.party(account_types=["employee"])
    now = clock.now()
    with clock.freeze(now) as later:
        token = world.tokens(world.browser(), party, phone(story, "lazareva"), scope="openid company")["refresh_token"]
        later(1)
        lazareva, family = person(story, "lazareva").user_id, token.partition(".")[0]
        with world.writes():
            if what == "family":
                assert tokens.revoke(family, reason="test")
                assert not tokens.revoke(family, reason="test")
            elif what == "blocked":
                users.block(lazareva, "test")
            elif what == "suspended":
                companies.suspend(story.companies["romashka"], "test")
            elif what == "session":
                sessions.end(session_of(world), "test")
        if what == "idle":
            change(world, TokenFamily, idle_expires_at=clock.now())
        elif what == "lifetime":
            change(world, TokenFamily, expires_at=clock.now())
        elif what == "session's time":
            change(world, sessions.Session, expires_at=clock.now())
        elif what == "another's account":
            change(world, TokenFamily, user_id=person(story, "zimin").user_id)
        assert said(world.refresh(party, token)) == ("invalid_grant", description)
        assert rows(world, TokenFamily)[-1].counter == 0


def test_scopes(world: World, story) -> None:
    """RFC 6749 §6, and a client that was narrowed down to nothing that this token has."""
    party = world.party()
    token = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid profile")["refresh_token"]
    assert said(world.refresh(party, token, scope="openid phone")) == (
        "invalid_scope",
        "A refresh cannot add scopes. Ask for them at the authorization endpoint.",
    )
    with world.writes():
        clients.update(party.client.id, scopes=["email"])
    assert said(world.refresh(party, token)) == ("invalid_scope", "This client may not ask for any scope of this refresh token now.")


def test_a_database_from_a_backup(world: World, story, zimin: str) -> None:
    """R17: what was rotated since the backup is not known any more; that is our loss, nobody's theft, and the family goes on."""
    party = world.party()
    former = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
    ahead = world.refresh(party, former).json()["refresh_token"]
    change(world, TokenFamily, counter=0)
    assert said(world.refresh(party, ahead)) == ("invalid_grant", "This refresh token is not known any more. Sign in again.")
    assert trail(world, "token.reused") == []
    assert world.refresh(party, former).status_code == 200


def test_switching(world: World, story) -> None:
    """claims.md, "Switching the company": why not, in words; the tokens stay good where they are."""
    party = world.party(account_types=["employee"])
    romashka, smirnova, veter = (story.companies[key] for key in ("romashka", "smirnova", "veter"))
    alone = world.party()
    token = world.tokens(world.browser(), alone, phone(story, "anna"), scope="openid companies")["refresh_token"]
    assert said(world.refresh(alone, token, company=romashka)) == (
        "invalid_request",
        "company needs the scope account or company, which this refresh token does not have.",
    )
    token = world.tokens(world.browser(), party, phone(story, "lazareva"), scope="openid company")["refresh_token"]
    assert said(world.refresh(party, token, company=smirnova)) == ("access_denied", "This person is not a member of that company.")
    with clock.freeze(clock.now()):
        anna = world.tokens(world.browser(), party, phone(story, "anna"), scope="openid company", company=romashka)["refresh_token"]
        refused = said(world.refresh(party, anna, company=veter))
        assert refused == ("access_denied", "This person may not enter that company now (company_suspended).")
        world.refresh(party, anna)
        assert said(world.refresh(party, anna, company=smirnova)) == ("invalid_grant", tokens.OTHER_COMPANY)


def test_whose_tokens_end(world: World, story, zimin: str) -> None:
    """Of one session, of one person, of what was proved before an instant: those, and nobody else's."""
    party, other = world.party(), world.party()
    with clock.freeze(clock.now()) as later:
        browser = world.browser()
        first = world.tokens(browser, party, phone(story, "zimin"))["refresh_token"]
        second = world.redeem(other, answer_of(browser.authorize(other))["code"]).json()["refresh_token"]
        elsewhere = world.tokens(world.browser(), other, phone(story, "lazareva"))["refresh_token"]
        here = next(row.session_id for row in rows(world, TokenFamily) if row.id == first.partition(".")[0])
        with world.reads():
            assert sorted(session_clients.of_session(here, living=True)) == sorted([party.client.id, other.client.id])
        with world.writes():
            tokens.revoke(second.partition(".")[0], reason="test")
            assert session_clients.of_session(here, living=True) == [party.client.id]
            assert tokens.revoke_of_session(here, reason="session_test") == 1
            assert tokens.revoke_of_session(here, reason="again") == 0
            assert session_clients.of_session(here, living=True) == []
        family = next(row for row in rows(world, TokenFamily) if row.id == first.partition(".")[0])
        assert (family.revoked_reason, family.revoked_at) == ("session_test", clock.now())
        later(10)
        old = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
        later(10)
        fresh = world.tokens(world.browser(), party, phone(story, "zimin"))["refresh_token"]
        proved = next(row.auth_time for row in rows(world, TokenFamily) if row.id == fresh.partition(".")[0])
        with world.writes():
            assert tokens.revoke_of_user(zimin, reason="older", before=proved) == 1
        assert said(world.refresh(party, old)) == ("invalid_grant", REVOKED)
        assert next(row.revoked_reason for row in rows(world, TokenFamily) if row.id == old.partition(".")[0]) == "older"
        with world.writes():
            assert tokens.revoke_of_user(zimin, reason="all") == 1
            assert tokens.revoke_of_user(zimin, reason="all") == 0
        gone = next(row for row in rows(world, TokenFamily) if row.id == fresh.partition(".")[0])
        assert (gone.revoked_reason, gone.revoked_at) == ("all", clock.now())
        assert world.refresh(other, elsewhere).status_code == 200


def test_constants_to_the_word(world: World, story, zimin: str) -> None:
    """Case 23: three sessions within the hour, one client, one value; said once a day and never of what was left out."""
    constant, busy = world.party(), world.party()
    with clock.freeze(clock.now()) as later:
        for nth, key in enumerate(("lazareva", "zimin", "zimina")):
            browser = signed_in(world, story, key, constant, nonce=None)
            busy.verifier = f"a-verifier-of-its-own-for-each-transaction-{nth}"
            answer_of(browser.authorize(busy, prompt="none", nonce=None))
        with world.writes():
            assert codes.notice_constants(clock.now()) == 1, "the challenge of one client, and no nonce that nobody sent"
        assert trail(world, codes.CONSTANT) == [
            {"outcome": "failed", "client_id": constant.client.id, "details": {"parameter": "code_challenge"}}
        ]
        later(timedelta(minutes=30))
        for key in ("lazareva", "zimin", "zimina"):
            signed_in(world, story, key, busy)
        with world.writes():
            assert codes.notice_constants(clock.now()) == 2, "another client's day is its own: its challenge and its nonce"
        later(timedelta(hours=25))
        for key in ("lazareva", "zimin", "zimina"):
            signed_in(world, story, key, constant)
        with world.writes():
            assert codes.notice_constants(clock.now()) == 2, "a day later it is said again, and of the nonce too"


def test_the_hour_of_constants(world: World, story) -> None:
    """Of codes that ran out an hour ago and more nothing is counted; neither is what was not sent at all."""
    old, plain = world.party(), world.party(pkce="or_nonce")
    with clock.freeze(clock.now()) as later:
        for nth, key in enumerate(("lazareva", "zimin")):
            browser = signed_in(world, story, key, old, nonce=None)
            answer_of(browser.authorize(plain, prompt="none", code_challenge=None, code_challenge_method=None, nonce=f"n-{nth}"))
        later(timedelta(hours=1, seconds=world.settings.oidc.code_lifetime))
        browser = signed_in(world, story, "zimina", old, nonce=None)
        with world.writes():
            assert codes.notice_constants(clock.now()) == 0
        later(1)
        for nth, key in enumerate(("lazareva", "zimin", "zimina")):
            browser = signed_in(world, story, key)
            answer_of(browser.authorize(plain, prompt="none", code_challenge=None, code_challenge_method=None, nonce=f"m-{nth}"))
        with world.writes():
            codes.notice_constants(clock.now())
        assert plain.client.id not in {event.client_id for event in world.events(codes.CONSTANT)}


def test_swept_to_the_instant(world: World, story) -> None:
    """A code a day after its end, a family thirty days after its."""
    party = world.party()
    with clock.freeze(clock.now()):
        world.tokens(world.browser(), party, phone(story, "zimin"))
        ends = (rows(world, Code)[-1].expires_at + timedelta(days=1), rows(world, TokenFamily)[-1].expires_at + timedelta(days=30))
        for sweep, end in zip((codes.sweep, tokens.sweep), ends, strict=True):
            with world.writes():
                assert sweep(end) == 0
                assert sweep(end + timedelta(microseconds=1)) == 1


def test_one_person_at_many_apps_is_no_constant(world: World, story) -> None:
    """Nobody's mistake: one session with the same value again and again (Back, a second tab); two clients with the same value."""
    one, another = world.party(), world.party()
    for party, key in ((one, "zimin"), (another, "zimina")):
        browser = signed_in(world, story, key, party)
        for _ in range(3):
            answer_of(browser.authorize(party, prompt="none"))
    signed_in(world, story, "lazareva", one)
    with world.writes():
        assert codes.notice_constants(clock.now()) == 0


def test_party_is_frozen_in_its_codes(world: World, story, zimin: str) -> None:
    """What a code says is what was asked and proved (house.md: values are made from one another), instant by instant."""
    party: Party = world.party()
    with clock.freeze(clock.now()):
        browser = signed_in(world, story, "zimin", party)
        answer_of(browser.authorize(party, nonce="n-1", scope="openid email"))
        row = rows(world, Code)[-1]
        lifetime = timedelta(seconds=world.settings.oidc.code_lifetime)
        assert (row.created_at, row.expires_at - row.created_at, row.used_at, row.family_id) == (clock.now(), lifetime, None, None)
        assert (row.client_id, row.redirect_uri, row.code_challenge) == (party.client.id, party.redirect_uri, party.challenge)
        assert (row.nonce, row.scopes, row.user_id, row.amr, row.acr) == ("n-1", ["openid", "email"], zimin, ["sms"], "code")
