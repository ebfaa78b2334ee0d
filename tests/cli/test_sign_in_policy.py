"""`idp users change-phone|mark-test|explain-login`, `idp companies set-policy`: how people sign in, as operators set and see it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp import clock
from idp.directory import users
from idp.login.policy import REASONS
from tests.cli.terminal import answer, idp
from tests.login.lab import where
from tests.oidc.asking import person, phone, token_error
from tests.world import World, answer_of, new_phone

LISTED, CODE = "+79005553510", "424242"


def test_another_number(world: World, story) -> None:
    """Case 76: everything ends at once; told at the former number and by mail; the operator stands in the event."""
    party, zimin, number = world.party(), person(story, "zimin"), new_phone()
    browser = world.browser()
    tokens = world.tokens(browser, party, zimin.phone, scope="openid offline_access")
    assert answer("users", "change-phone", zimin.phone, number) == {"user_id": zimin.user_id, "phone": number, "changed": True}
    assert answer_of(browser.authorize(party, prompt="none"))["error"] == "login_required"
    assert where(browser.authorize(party)) == "identify"
    assert token_error(world.refresh(party, tokens["refresh_token"])) == "invalid_grant"
    assert [len([m for m in world.inbox(to) if not m["code"]]) for to in (zimin.phone, "zimin@post.example", number)] == [1, 1, 0]
    [event] = world.events("user.phone_changed")
    assert (event.user_id, event.actor_id, event.details["invitations"]) == (zimin.user_id, "operator", 0)
    assert "code" in answer_of(world.sign_in(world.browser(), party, number))
    assert "was the number of" in idp("users", "change-phone", zimin.user_id, number).out


def test_another_persons_number(world: World, story) -> None:
    """Refused, and nothing ends; nor for what is no number."""
    zimin, browser, party = person(story, "zimin"), world.browser(), world.party()
    world.tokens(browser, party, zimin.phone)
    for wrong in (phone(story, "anna"), "12", "+7 900"):
        done = idp("users", "change-phone", zimin.phone, wrong)
        assert (done.code, done.out) == (1, "")
    assert "code" in answer_of(browser.authorize(party, prompt="none"))
    assert not world.events("user.phone_changed")


def test_a_long_silence_is_over(world: World, story) -> None:
    """§6.4: support has made sure that the number is still theirs: a code opens the ID again."""
    zimin, party = person(story, "zimin"), world.party()
    with clock.freeze(clock.now()) as later:
        later(timedelta(days=400))
        browser = world.browser()
        page = browser.onward(browser.submit(browser.authorize(party), phone=zimin.phone))
        assert where(browser.onward(browser.submit(page, code=world.code_for(zimin.phone)))) == "further_proof"
        assert "is believed" in idp("users", "change-phone", zimin.user_id, zimin.phone).out
        later(60)
        assert "code" in answer_of(world.sign_in(world.browser(), party, zimin.phone))


def test_a_reviewer(world: World, story) -> None:
    """§2.8: marked and unmarked, once each, as events."""
    zimin = person(story, "zimin").user_id
    assert answer("users", "mark-test", LISTED) == {"user_id": zimin, "is_test": True, "changed": True}
    assert "was so already" in idp("users", "mark-test", LISTED).out
    with world.reads():
        assert users.get(zimin).is_test
    assert "no test person" in idp("users", "mark-test", LISTED, "--off").out
    marks = [(event.actor_id, event.details["is_test"]) for event in world.events("user.test_mark_changed")]
    assert marks == [("operator", True), ("operator", False)]


def test_explained(world: World, story) -> None:
    """Each sign-in with its rules, each rule with its reason; the newest first."""
    party, anna = world.party(), person(story, "anna")
    assert "has not signed in yet" in idp("users", "explain-login", anna.phone).err
    with clock.freeze(clock.now()) as later:
        browser = world.browser()
        answer_of(world.sign_in(browser, party, anna.phone))
        later(60)
        page = browser.authorize(party, prompt="login")
        page = browser.onward(browser.submit(browser.get(str(page.url).replace("/people", "/identify")), phone=anna.phone))
        answer_of(browser.onward(browser.submit(page, code=world.code_for(anna.phone))))
    shown = answer("users", "explain-login", anna.user_id)
    assert [(row["what"], row["proof"], row["level"], row["browser"], row["rules"]) for row in shown] == [
        ("login.succeeded", "phone_code", "code", "known", ["fresh_proof"]),
        ("login.succeeded", "phone_code", "code", "new", ["nobody_known"]),
    ]
    assert shown[0]["reasons"] == [REASONS["fresh_proof"]]
    said = idp("users", "explain-login", anna.user_id, "-n", "1").out
    assert f"fresh_proof: {REASONS['fresh_proof']}" in said
    assert "nobody_known" not in said


def test_refusals_are_explained(world: World, story) -> None:
    """Who was kept out, and by what; what nobody can meet yet is said to be so."""
    party, karimov = world.party(), person(story, "karimov")
    with clock.freeze(clock.now()) as later:
        answer_of(world.sign_in(world.browser(), party, karimov.phone, acr_values="urn:idp:acr:mfa"))
        later(60)
        idp("users", "block", karimov.user_id, "--reason", "fraud")
        world.sign_in(world.browser(), party, karimov.phone)
    newest, first = answer("users", "explain-login", karimov.user_id)
    assert (newest["what"], newest["rules"], newest["reasons"]) == ("login.refused", ["blocked"], ["The ID is blocked."])
    assert (first["rules"], first["unmet"]) == (["nobody_known", "acr_values"], ["acr_values"])
    assert "Nobody can meet it yet" in idp("users", "explain-login", karimov.user_id).out


@pytest.mark.parametrize(("days", "seconds"), [("never", 0), ("1", 86400), ("9999", 9999 * 86400), ("default", None)])
def test_a_companys_policy(world: World, story, days: str, seconds: int | None) -> None:
    """Kept in seconds, shown, and an event; a second time nothing changes."""
    company_id = story.companies["romashka"]
    if seconds is None:
        idp("companies", "set-policy", company_id, "--remember-browser", "never")
    assert answer("companies", "set-policy", company_id, "--remember-browser", days)["remember_browser"] == seconds
    assert "was so already" in idp("companies", "set-policy", company_id, "--remember-browser", days).out
    assert world.events("company.policy_changed")[-1].actor_id == "operator"


@pytest.mark.parametrize(
    "words", [(), ("--remember-browser", "0"), ("--remember-browser", "-5"), ("--remember-browser", "soon"), ("--new-browser", "x")]
)
def test_no_policy(world: World, story, words: tuple[str, ...]) -> None:
    """Wrong usage: 2, and nothing changes."""
    assert idp("companies", "set-policy", story.companies["romashka"], *words).code == 2
    assert not world.events("company.policy_changed")
