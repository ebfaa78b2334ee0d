"""`idp users`: what operators do for people, and what relying parties notice of it (product.md §13)."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
import sqlalchemy as sa

from idp import clock
from idp.account import erasing
from idp.credentials import password_limits, phone_limits
from idp.db.session import session as database
from idp.directory import deletion
from idp.login.tables import Session
from idp.oidc import reset_factors
from idp.oidc.sign_out_everywhere import EVENT
from tests.cli.terminal import answer, idp
from tests.credentials import factors
from tests.credentials.factors import make_codes, set_up, wrong_code
from tests.login.http_lab import known
from tests.login.password_lab import SHOP, enter, give, shop
from tests.oidc.asking import person, phone, signed_in, token_error
from tests.world import World, answer_of

OFFLINE = "openid offline_access"


def test_blocked_at_once(world: World, story) -> None:
    """ASVS 5.0 §7.4.2: session, tokens and sign-in are refused with the next request; unblocked, they go on."""
    party, zimin = world.party(), person(story, "zimin")
    browser = world.browser()
    tokens = world.tokens(browser, party, zimin.phone, scope=OFFLINE)
    done = idp("users", "block", zimin.user_id, "--reason", "the number was stolen")
    assert (done.code, done.out, done.err) == (0, f"{zimin.user_id} is blocked.\n", "")
    assert world.userinfo(tokens["access_token"]).status_code == 401
    assert token_error(world.refresh(party, tokens["refresh_token"])) == "invalid_grant"
    assert answer_of(browser.authorize(party, prompt="none"))["error"] == "login_required"
    page = world.browser()
    assert "blocked" in world.sign_in(page, party, zimin.phone).text
    assert "the number was stolen" not in page.authorize(party).text
    assert "was blocked already" in idp("users", "block", zimin.phone, "--reason", "again").out
    assert answer("users", "unblock", "zimin@post.example")["status"] == "active"
    assert world.userinfo(tokens["access_token"]).status_code == 200
    assert "was not blocked" in idp("users", "unblock", zimin.user_id).out


def test_who_did_it(world: World, story) -> None:
    """House rule 6: the operator has no ID; the number of their login stands in the event, its name where it can be blanked."""
    user_id = person(story, "zimin").user_id
    idp("users", "block", user_id, "--reason", "x")
    [event] = world.events("user.blocked")
    assert (event.user_id, event.actor_id, event.details) == (user_id, "operator", {"uid": os.getuid()})
    assert event.personal is not None
    assert event.personal["operator"]


def test_signed_out_everywhere(world: World, story) -> None:
    """Case 76: sessions, trusted browsers, tokens that outlive the session; the person may sign in again."""
    party, zimin = world.party(), person(story, "zimin")
    browser = world.browser()
    with clock.freeze(clock.now()) as later:
        tokens = world.tokens(browser, party, zimin.phone, scope=OFFLINE)
        assert answer("users", "sign-out", zimin.phone) == {"user_id": zimin.user_id, "sessions": 1, "browsers": 1, "apps": 1}
        assert world.userinfo(tokens["access_token"]).status_code == 401
        assert token_error(world.refresh(party, tokens["refresh_token"])) == "invalid_grant"
        assert 'name="person"' not in browser.authorize(party).text
        later(timedelta(seconds=1))
        assert "access_token" in world.tokens(world.browser(), party, zimin.phone)
    [event] = world.events(EVENT)
    assert (event.user_id, event.actor_id) == (zimin.user_id, "operator")
    shown = answer("users", "show", zimin.user_id)
    assert [len(shown[part]) for part in ("sessions", "browsers")] == [1, 1]


def test_codes_on(world: World, story) -> None:
    """NIST SP 800-63B-4 §3.2.2: after a hundred wrong ones codes are off; the operator turns them on."""
    zimin, party = person(story, "zimin"), world.party()
    with clock.freeze(clock.now()) as later:
        for _ in range(100):
            later(5000)
            with world.writes():
                phone_limits.count_guess(phone_limits.budget(zimin.phone))
        later(timedelta(days=30))
        assert answer("users", "show", zimin.user_id)["codes"] == "off"
        page = world.browser()
        assert page.submit(page.authorize(party), phone=zimin.phone).status_code == 429
        assert "again" in idp("users", "codes-on", "8 (900) 555-35-10").out
        assert answer("users", "show", zimin.user_id)["codes"] == "on"
        assert "code" in answer_of(world.sign_in(page, party, zimin.phone))
    assert [event.user_id for event in world.events("phone.codes_turned_on")] == [zimin.user_id]
    assert answer("users", "codes-on", "+79009999999") == {"phone": "+79009999999", "codes": "on", "changed": False}


def test_unlock_password(world: World, story) -> None:
    """`product.md` §5.5: support opens what wrong passwords locked, a person's or a login e-mail's, and it is written down."""
    zimin, party = person(story, "zimin"), world.party()
    give(world, zimin.user_id)
    kassa, mail = shop(world, story), "zimin@post.example"
    assert answer("users", "show", zimin.user_id)["password_locked"] is None
    for login in (mail, SHOP):
        with world.writes():
            for _ in range(5):
                password_limits.count_guess(password_limits.subject(login))
        assert enter(world.browser(), party, login).status_code == 429
    assert answer("users", "show", zimin.user_id)["password_locked"].startswith("until ")
    assert "looked at again" in idp("users", "unlock-password", "8 900 555-35-10").out
    assert answer("users", "show", zimin.user_id)["password_locked"] is None
    assert "code" in answer_of(enter(world.browser(), party, mail))
    assert answer("users", "unlock-password", SHOP) == {"owner": kassa, "user_id": None, "changed": True}
    assert enter(world.browser(), party, SHOP).status_code == 200
    assert answer("users", "unlock-password", mail)["changed"] is False
    assert idp("users", "unlock-password", "nobody@post.example").code == 1
    assert [(event.user_id, event.actor_id) for event in world.events("password.unlocked")] == [
        (zimin.user_id, "operator"),
        (None, "operator"),
    ]


def test_found(world: World, story) -> None:
    """By a part of phone, e-mail or name, by state, page by page; the whole id comes back."""
    assert [user["name"] for user in answer("users", "list", "--search", "викторовна")] == []
    assert {user["name"] for user in answer("users", "list", "--search", "зимин")} == {"Павел Зимин", "Мария Зимина"}
    everyone = answer("users", "list")
    assert {user["id"] for user in everyone} == {each.user_id for each in story.people}
    page = idp("users", "list", "--limit", "4")
    assert f"--after {everyone[3]['id']}" in page.err
    assert answer("users", "list", "--limit", "4", "--after", everyone[3]["id"]) == everyone[4:8]
    assert "after" not in idp("users", "list", "--after", everyone[7]["id"]).err
    idp("users", "block", everyone[0]["id"], "--reason", "x")
    assert [user["id"] for user in answer("users", "list", "--status", "blocked")] == [everyone[0]["id"]]


def test_shown(world: World, story) -> None:
    """Everything that support asks for, and nothing that would let anybody in."""
    anna, party = person(story, "anna"), world.party()
    world.tokens(world.browser(), party, anna.phone, account="Ромашка", scope="openid account")
    shown = answer("users", "show", anna.phone)
    assert shown == answer("users", "show", "ANNA@post.example") == answer("users", "show", anna.user_id)
    assert shown["last_sign_in_at"].endswith("+00:00")
    work = {
        account["company_name"]: (account["roles"], account["reason"]) for account in shown["accounts"] if account["kind"] == "employee"
    }
    assert work["ООО «Ромашка»"] == (["Accountant"], None)
    assert work["ООО «Северный ветер»"] == (["Manager"], "company_suspended")
    [session], [browser] = shown["sessions"], shown["browsers"]
    assert (session["ip"], session["acr"], session["amr"]) == ("203.0.113.7", "code", ["sms"])
    assert browser["name"] == session["browser"] == "Chrome, Linux"
    table = idp("users", "show", anna.user_id).out
    for words in (session["id"], browser["device_id"], "ООО «Ромашка»", "no: company_suspended", anna.phone):
        assert words in table
    assert "digest" not in table + str(shown)


@pytest.mark.parametrize("who", ["usr_nobody", "+79001234567", "nobody@post.example", "nonsense", "", "\u202e", "x" * 5000])
@pytest.mark.parametrize("command", ["show", "unblock", "sign-out"])
def test_nobody(world: World, who: str, command: str) -> None:
    """One line that says where to look; nothing is written."""
    before = len(world.events())
    done = idp("users", command, who)
    assert (done.code, done.out) == (1, "")
    assert "idp users list" in done.err
    assert len(done.err) < 250
    assert len(world.events()) == before


def test_a_name_cannot_order_the_terminal_about(world: World, story) -> None:
    """Case 125: in a table and in JSON."""
    evil = "Chrome\x1b[2J\x9b31m\u202e"
    signed_in(world, story, "belova")
    with world.writes():
        database.execute(sa.update(Session).values(browser_name=evil))
    for form in ("table", "json"):
        assert "Chrome\\u001b[2J\\u009b31m\\u202e" in idp("users", "show", phone(story, "belova"), "--format", form).out
    assert answer("users", "show", phone(story, "belova"))["sessions"][0]["browser"] == evil


def test_factors_are_reset(world: World, story) -> None:
    """Case 106: who has lost app and codes is let in again by support, with a reason; everything else of theirs ends, and they are told."""
    party, zimin = world.party(), person(story, "zimin")
    browser = known(world, party, zimin.phone)
    set_up(world, zimin.user_id)
    make_codes(world, zimin.user_id)
    assert "authenticator app, recovery codes" in idp("users", "show", zimin.phone).out
    assert idp("users", "reset-factors", zimin.phone).code == 2
    done = answer("users", "reset-factors", zimin.phone, "--reason", "seen with her passport")
    assert done == {"user_id": zimin.user_id, "removed": ["authenticator app", "recovery codes"], "changed": True}
    assert "nothing to take off" in idp("users", "reset-factors", zimin.phone, "--reason", "again").out
    [event] = world.events(reset_factors.EVENT)
    assert (event.actor_id, event.details["reason"]) == ("operator", "seen with her passport")
    assert browser.authorize(party).url.path.endswith("/identify")
    texts = [message["text"] for message in world.inbox(zimin.phone) if not message["code"]]
    assert any("поддержка" in text for text in texts)
    assert not any("отключено" in text for text in texts)


def test_a_deletion_is_seen_and_cancelled(world: World, story) -> None:
    """`show` and `list` say that an ID is to be deleted, or was; `keep` cancels it; what was deleted is not unblocked."""
    zimin, began = person(story, "zimin"), clock.now()
    assert "nothing to cancel" in idp("users", "keep", zimin.phone).out
    with world.writes():
        deletion.request(zimin.user_id, wait=timedelta(days=14))
    assert answer("users", "show", zimin.phone)["deletion_due_at"]
    assert answer("users", "keep", zimin.phone) == {"user_id": zimin.user_id, "kept": True}
    assert answer("users", "show", zimin.phone)["deletion_due_at"] is None
    [event] = world.events(deletion.CANCELLED)
    assert (event.actor_id, event.details["reason"]) == ("operator", "support")
    with world.writes():
        deletion.request(zimin.user_id, wait=timedelta(0))
    with clock.freeze(began + timedelta(days=1)), world.writes():
        assert erasing.erase(zimin.user_id)
    shown = answer("users", "show", zimin.user_id)
    assert (shown["status"], shown["phone"], shown["sessions"], shown["browsers"]) == ("deleted", None, [], [])
    assert [row["id"] for row in answer("users", "list", "--status", "deleted")] == [zimin.user_id]
    assert zimin.user_id not in idp("users", "list", "--status", "blocked").out
    assert "deleted by its owner" in idp("users", "unblock", zimin.user_id).err
    assert idp("users", "change-phone", zimin.user_id, "+79015550000").code == 1


def test_codes_of_the_app_are_turned_on_again(world: World, story) -> None:
    """After too many wrong ones: `codes-on` is for the app and the recovery codes too, and takes nothing off."""
    zimin = person(story, "zimin")
    secret = set_up(world, zimin.user_id)
    assert not answer("users", "codes-on", zimin.phone)["changed"]
    assert not factors.enter(world, zimin.user_id, wrong_code(secret.text))
    assert answer("users", "codes-on", zimin.phone)["changed"]
    assert "authenticator app" in idp("users", "show", zimin.phone).out
