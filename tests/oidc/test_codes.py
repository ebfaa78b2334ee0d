"""Authorization codes are redeemed once, by the client they were given to (RFC 6749 §4.1.2, §4.1.3; RFC 9700 §4.5, ASVS 5.0 §10.4.2).

Cases 17, 19, 20, 30 and 37 of threats.md. The races of several processes are in tests/faults.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from idp import clock
from idp.delegation import codes
from idp.delegation.tables import Code, TokenFamily
from idp.directory import companies, employees, users
from tests.machine import count
from tests.oidc.asking import person, rows, signed_in, token_error
from tests.world import CALLBACK, World, answer_of, claims_of

SCOPE = "openid company"


def new_code(world: World, browser, party, **changes: str | None) -> str:
    """A code for who is signed in."""
    return answer_of(browser.authorize(party, **changes))["code"]


def test_a_minute(world: World, story) -> None:
    """RFC 9700, FAPI 2.0 §5.3.2.1: a code lives for sixty seconds at most."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    for seconds, status in ((59, 200), (60, 400), (61, 400)):
        with clock.freeze(clock.now()) as later:
            code = new_code(world, browser, party)
            later(seconds)
            assert world.redeem(party, code).status_code == status, seconds


def test_many_at_once(world: World, story) -> None:
    """Case 17: of parallel redemptions exactly one succeeds, the others are `invalid_grant`, and none is a 5xx."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    for _ in range(count(3, 100)):
        code, together = new_code(world, browser, party), Barrier(8)

        def redeem(code: str = code, together: Barrier = together) -> tuple[int, str]:
            together.wait()
            answer = world.redeem(party, code)
            return answer.status_code, answer.json().get("error", "")

        with ThreadPoolExecutor(8) as pool:
            answers = [future.result() for future in [pool.submit(redeem) for _ in range(8)]]
        assert sorted(answers) == [(200, "")] + [(400, "invalid_grant")] * 7
    assert {len([row for row in rows(world, TokenFamily) if row.id == code.family_id]) for code in rows(world, Code) if code.family_id} == {
        1
    }


def test_a_replay_revokes_what_the_first_use_gave(world: World, story) -> None:
    """Case 19: `invalid_grant`, and access and refresh token of that code are dead at once (RFC 6749 §4.1.2)."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    code = new_code(world, browser, party)
    first = world.redeem(party, code).json()
    other = world.redeem(party, new_code(world, browser, party)).json()
    assert world.userinfo(first["access_token"]).status_code == 200
    with clock.freeze(clock.now() + timedelta(seconds=30)):
        assert token_error(world.redeem(party, code)) == "invalid_grant"
        assert token_error(world.userinfo(first["access_token"]), 401) == "invalid_token"
        assert token_error(world.refresh(party, first["refresh_token"])) == "invalid_grant"
        assert world.userinfo(other["access_token"]).status_code == 200, "another code's tokens live on"
    assert len(world.events("code.replayed")) == 1


def test_a_replay_after_a_refresh(world: World, story) -> None:
    """Case 19: what came of it by refreshing is dead as well."""
    party = world.party()
    code = new_code(world, signed_in(world, story, "zimin", party), party)
    refreshed = world.refresh(party, world.redeem(party, code).json()["refresh_token"]).json()
    assert token_error(world.redeem(party, code)) == "invalid_grant"
    assert world.userinfo(refreshed["access_token"]).status_code == 401
    assert token_error(world.refresh(party, refreshed["refresh_token"])) == "invalid_grant"


def test_another_client(world: World, story) -> None:
    """Case 20: a code in another client's hands is `invalid_grant` and stays good for its own; it is written down."""
    mine, theirs, public = world.party(), world.party(), world.party(kind="single_page")
    browser = signed_in(world, story, "zimin", mine)
    code = new_code(world, browser, mine)
    for thief in (theirs, public):
        assert token_error(world.redeem(thief, code, code_verifier=mine.verifier)) == "invalid_grant"
    assert {event.details["why"] for event in world.events("code.refused")} == {"another client"}
    tokens = world.redeem(mine, code)
    assert tokens.status_code == 200
    for thief in (theirs, public):
        assert token_error(world.redeem(thief, code, code_verifier=mine.verifier)) == "invalid_grant"
        assert token_error(world.refresh(thief, tokens.json()["refresh_token"])) == "invalid_grant"
    assert world.userinfo(tokens.json()["access_token"]).status_code == 200, "a stranger's try revokes nothing"
    assert world.refresh(mine, tokens.json()["refresh_token"]).status_code == 200


def test_another_address_or_verifier(world: World, story) -> None:
    """Case 20: all that must hold stands in one UPDATE; a wrong try leaves the code as it was."""
    party = world.party(redirect_uris=[CALLBACK, "https://rp.example/other"])
    code = new_code(world, signed_in(world, story, "zimin", party), party)
    for wrong in ({"redirect_uri": "https://rp.example/other"}, {"redirect_uri": "https://evil.example/"}, {"code_verifier": "x" * 43}):
        assert token_error(world.redeem(party, code, **wrong)) == "invalid_grant"
    assert world.redeem(party, code).status_code == 200


def test_codes_that_are_none(world: World, story) -> None:
    """RFC 6749 §5.2: unknown, cut off, in another case: `invalid_grant`; missing: `invalid_request`."""
    party = world.party()
    code = new_code(world, signed_in(world, story, "zimin", party), party)
    for wrong in ("x", code[:-1], code + "x", code.swapcase(), code + "=", " " + code, "null", "undefined", code * 50):
        assert token_error(world.redeem(party, wrong)) == "invalid_grant", wrong
    for missing in ("code", "redirect_uri"):
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": party.verifier}
        assert token_error(world.token(party, **form | {missing: ""})) == "invalid_request"
    assert world.redeem(party, code).status_code == 200


def test_no_code_stands_in_the_database(world: World, story) -> None:
    """Case 42: only digests; and a code has at least 128 bits (conformance: oidcc-server)."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    codes = {new_code(world, browser, party) for _ in range(20)}
    assert len(codes) == 20
    assert all(len(code) >= 43 for code in codes)
    text = str(rows(world, Code))
    assert not any(code in text for code in codes)


@pytest.mark.parametrize("what", ["user", "session", "company", "employee"])
def test_what_changed_before_the_code_was_redeemed(world: World, story, what: str) -> None:
    """Case 30: a person who was blocked, signed out, suspended or removed meanwhile gets no tokens for a code of before."""
    party = world.party(account_types=["employee"])
    browser = signed_in(world, story, "lazareva", party)
    code = new_code(world, browser, party, scope=SCOPE)
    if what == "session":
        browser.press(browser.get("/end_session"), "/end_session/confirm")
    with world.writes():
        if what == "user":
            users.block(person(story, "lazareva").user_id, "test")
        elif what == "company":
            companies.suspend(story.companies["romashka"], "test")
        elif what == "employee":
            staff = employees.of_company(story.companies["romashka"])
            employees.block(next(e.id for e, s in staff if s.user_id == person(story, "lazareva").user_id))
    assert token_error(world.redeem(party, code)) == "invalid_grant"


def test_everybody_gets_their_own(world: World, story) -> None:
    """Case 37: many people at one client at once: the subject of every token is the person of its code."""
    party = world.party()
    browsers = {p.user_id: signed_in(world, story, p.key, party) for p in story.people[:4]}

    def once(user_id: str) -> tuple[str, str, str, str]:
        code = new_code(world, browsers[user_id], party, prompt="none", nonce=user_id)
        tokens = world.redeem(party, code).json()
        claims = claims_of(tokens["id_token"])
        return user_id, claims["sub"], claims["nonce"], world.userinfo(tokens["access_token"]).json()["sub"]

    def several(user_id: str) -> list[tuple[str, str, str, str]]:
        return [once(user_id) for _ in range(count(10, 2500))]

    with ThreadPoolExecutor(4) as pool:
        for answers in pool.map(several, browsers):
            assert all(len(set(answer)) == 1 for answer in answers), answers


def test_a_challenge_that_never_changes_is_noticed(world: World, story) -> None:
    """Case 23: one client's people all come with the same code_challenge and nonce. It is said once a day, in the event log."""
    fresh, constant = world.party(), world.party()
    for n, who in enumerate(("lazareva", "zimin", "zimina")):
        browser = signed_in(world, story, who, constant)
        fresh.verifier = f"a-verifier-of-its-own-for-each-transaction-{n}"
        new_code(world, browser, fresh, prompt="none", nonce=f"nonce-{n}")
        assert world.events(codes.CONSTANT) == []
        with world.writes():
            codes.notice_constants(clock.now())
    with world.writes():
        assert codes.notice_constants(clock.now()) == 0
    said = [(event.client_id, event.details["parameter"]) for event in world.events(codes.CONSTANT)]
    assert sorted(said) == [(constant.client.id, "code_challenge"), (constant.client.id, "nonce")]
    with clock.freeze(clock.now() + timedelta(hours=2)), world.writes():
        assert codes.notice_constants(clock.now()) == 0
