"""The e-mail address: it counts once its code was entered, the former one is told and can take it back (cases 93, 97, 98, 111).

`product.md` §12; ASVS 5.0 §7.5.1; CVE-2019-19844 (addresses that look the same), USENIX'22 pre-hijacking (the unexpired change).
"""

from __future__ import annotations

from datetime import timedelta

import httpx2
import pytest
import sqlalchemy as sa

from idp import clock
from idp.clock import freeze
from idp.credentials import passkey, password, recovery_codes, social, totp
from idp.credentials.social import Claimed
from idp.db.session import session as database
from idp.directory import users
from idp.directory.names import canonical_email
from idp.directory.tables import User
from tests.account.lab import ANNA, entered, prove
from tests.account.test_phone import texts, user_of, wrong
from tests.authenticator import Authenticator
from tests.credentials.factors import code_of
from tests.credentials.test_passkey import add as add_passkey
from tests.login.http_lab import text_of
from tests.login.password_lab import NEW as NEW_PASSWORD
from tests.login.password_lab import again, give
from tests.login.test_http_password_reset import ask
from tests.login.test_http_password_reset import prove as prove_reset
from tests.world import ISSUER, Browser, World, new_phone

ORLOV = "+79005553502"
NEW = "Anna.New@Example.org"


def asked(world: World, address: str, *, phone: str = ANNA, browser: Browser | None = None) -> tuple[Browser, httpx2.Response]:
    """A browser whose person has asked for `address`, on the page that asks for its code."""
    browser, page = entered(world, "/account/email", phone=phone, browser=browser)
    return browser, browser.onward(browser.submit(page, email=address))


def changed(world: World, address: str = NEW, *, phone: str = ANNA, browser: Browser | None = None) -> tuple[Browser, httpx2.Response]:
    """The whole change."""
    browser, page = asked(world, address, phone=phone, browser=browser)
    return browser, browser.onward(browser.submit(page, code=world.code_for(address)))


def link_to(world: World, address: str) -> str:
    """The newest link that was sent there, as a path."""
    link = next(str(message["link"]) for message in world.inbox(address) if message["link"])
    assert link.startswith(f"{ISSUER}/account/email/undo/")
    return link.removeprefix(ISSUER)


def nobody(world: World) -> str:
    """The number of a person who has just registered, without an address."""
    phone = new_phone()
    with world.writes():
        users.register(phone, "Новый Человек", "ru", "1")
    return phone


def test_it_counts_only_once_its_code_was_entered(world: World) -> None:
    """Case 97: before that nothing has changed and nobody is told; then phone and former address are, and the claims are new."""
    former = str(user_of(world, ANNA).email)
    browser, page = asked(world, NEW)
    assert page.url.path == "/account/email/code"
    assert user_of(world, ANNA).email == former
    assert "link" not in texts(world, former)
    assert browser.submit(page, code=wrong(world.code_for(NEW))).status_code == 422
    assert user_of(world, ANNA).email == former
    done = browser.onward(browser.submit(page, code=world.code_for(NEW)))
    assert "Your address is confirmed" in done.text.replace("\N{NO-BREAK SPACE}", " ")
    assert user_of(world, ANNA).email == NEW
    claims = world.userinfo(world.tokens(world.browser(), world.party(), ANNA, scope="openid email")["access_token"]).json()
    assert (claims["email"], claims["email_verified"]) == (NEW, True)
    assert link_to(world, former)
    assert "относится к вашему" in texts(world, NEW)
    assert "почт" in texts(world, ANNA)
    assert browser.submit(page, code=world.code_for(NEW)).status_code == 303  # the code is used up


def test_no_form_can_say_that_it_is_proved(world: World) -> None:
    """Case 97, self-verify: neither a field nor another session's code makes an address count; an old proof is none."""
    former = user_of(world, ANNA).email
    browser, page = asked(world, NEW)
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    other, _ = entered(world)
    token_there = other.get("/account/profile").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    evil = {"email": NEW, "email_verified": "1", "verified_at": "2026-01-01", "code": world.code_for(NEW)}
    assert other.onward(other.post("/account/email/code", data=evil | {"csrf_token": token_there})).url.path == "/account/email"
    browser.post("/account/email", data=evil | {"csrf_token": token})
    assert user_of(world, ANNA).email == former
    with freeze(clock.now() + timedelta(minutes=6)):
        late = browser.onward(browser.post("/account/email", data={"csrf_token": token, "email": "x@example.org"}))
        assert "/login/" in late.url.path
        assert prove(world, browser, late, ANNA).url.path == "/account/email"
        assert not world.inbox("x@example.org")


def test_somebody_elses_address_is_refused_only_once_it_was_proved(world: World) -> None:
    """Cases 70 and 98: whoever has an address, is told only to who reads its mail; however it is spelled it belongs to one ID."""
    taken = str(user_of(world, ORLOV).email)
    browser, page = asked(world, taken.upper())
    assert "belongs" not in page.text
    refused = browser.submit(page, code=world.code_for(taken.upper()))
    assert refused.status_code == 409
    assert "This e-mail address belongs to another ID." in refused.text.replace("\N{NO-BREAK SPACE}", " ")
    assert user_of(world, ORLOV).email == taken
    assert user_of(world, ANNA).email != taken


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("mike@example.org", "MIKE@EXAMPLE.ORG", True),
        ("mike@example.org", "ｍｉｋｅ@example.org", True),
        ("mike@example.org", "mıke@example.org", False),  # the mail goes to another box, so it is another address
        ("mike@example.org", "mike+shop@example.org", False),
        ("straße@example.org", "STRASSE@example.org", True),
    ],
)
def test_one_address_is_one_persons(world: World, one: str, other: str, same: bool) -> None:
    """Case 98: compared in one form; a look-alike is another address, is proved by its own mail, and never gets the first one's."""
    assert (canonical_email(one) == canonical_email(other)) is same
    changed(world, one, phone=nobody(world))
    _, page = changed(world, other, phone=(second := nobody(world)))
    if same:
        assert page.status_code == 409
        assert user_of(world, second).email is None
    else:
        assert user_of(world, second).email == other
    assert other == one or not [message for message in world.inbox(other) if message["to"] == one]


def test_the_former_address_takes_it_back(world: World) -> None:
    """Cases 93 and 97: the token leaves the address at once; a button undoes the change, ends all sessions and pending changes, once."""
    former = str(user_of(world, ANNA).email)
    thief, _ = changed(world, "thief@evil.example")
    thief_page = thief.onward(thief.submit(thief.get("/account/email"), email="second@evil.example"))  # pending
    owner = world.browser()
    first = owner.get(link_to(world, former))
    assert first.status_code == 303
    assert first.headers["Location"] == "/account/email/undo"
    assert first.headers["Referrer-Policy"] == "no-referrer"
    page = owner.onward(first)
    token = link_to(world, former).rpartition("/")[2]
    assert token not in page.text
    assert former in page.text
    assert "thief@evil.example" not in page.text
    assert user_of(world, ANNA).email == "thief@evil.example"  # to look changes nothing
    assert owner.submit(page, csrf_token="forged").status_code == 410
    done = owner.press(page, "/account/email/undo")
    assert "The change is undone" in done.text
    assert user_of(world, ANNA).email == former
    assert "/login/" in thief.go("/account/email").url.path
    assert "/login/" in thief.onward(thief.submit(thief_page, code=world.code_for("second@evil.example"))).url.path
    assert user_of(world, ANNA).email == former
    owner.get(f"/account/email/undo/{token}")
    assert owner.get("/account/email/undo").status_code == 410  # once
    assert len(world.events("user.email_undone")) == 1
    assert "отменена" in texts(world, former)


def test_the_second_change_is_undone_with_the_first(world: World) -> None:
    """A thief who changes the address twice holds the link of the second change: it undoes nothing once the first was undone."""
    former = str(user_of(world, ANNA).email)
    thief, _ = changed(world, "one@evil.example")
    page = thief.onward(thief.submit(thief.get("/account/email"), email="two@evil.example"))
    thief.submit(page, code=world.code_for("two@evil.example"))
    links = [link_to(world, former), link_to(world, "one@evil.example")]
    owner = world.browser()
    owner.press(owner.go(links[0]), "/account/email/undo")
    assert user_of(world, ANNA).email == former
    assert thief.go(links[1]).status_code == 410
    assert user_of(world, ANNA).email == former


def test_after_three_days_nothing_is_undone(world: World) -> None:
    """To the second; and what is no link of ours is none."""
    former = str(user_of(world, ANNA).email)
    with freeze(clock.now()) as pass_by:
        changed(world)
        link, owner = link_to(world, former), world.browser()
        pass_by(timedelta(hours=72) - timedelta(seconds=1))
        assert owner.go(link).status_code == 200
        page = owner.go(link)
        pass_by(1)
        assert owner.press(page, "/account/email/undo").status_code == 410
    assert user_of(world, ANNA).email == NEW
    for odd in ("x", "a" * 43, "%00" * 43, "..%2F..", "é" * 43):
        assert world.browser().go(f"/account/email/undo/{odd}").status_code in {404, 410}


def test_the_former_address_may_have_gone_elsewhere(world: World) -> None:
    """Another ID proved it meanwhile: nobody is robbed of it, the thief's address goes, everybody is out, and the page says so."""
    former = str(user_of(world, ANNA).email)
    changed(world, "thief@evil.example")
    link = link_to(world, former)
    changed(world, former, phone=(second := nobody(world)))
    owner = world.browser()
    done = owner.press(owner.go(link), "/account/email/undo")
    assert "belongs to another ID" in done.text.replace("\N{NO-BREAK SPACE}", " ")
    assert user_of(world, second).email == former
    assert user_of(world, ANNA).email is None


def test_removed_and_taken_back(world: World) -> None:
    """An address that is removed is told like one that is changed, by phone and with the link; the last way in stays."""
    former = str(user_of(world, ANNA).email)
    browser, page = entered(world, "/account/email")
    done = browser.onward(browser.press(page, "/account/email/remove"))
    assert "Your address was removed" in done.text.replace("\N{NO-BREAK SPACE}", " ")
    assert user_of(world, ANNA).email is None
    assert "почта" in texts(world, ANNA)
    owner = world.browser()
    owner.press(owner.go(link_to(world, former)), "/account/email/undo")
    assert user_of(world, ANNA).email == former
    assert "/remove" not in entered(world, "/account/email", phone=nobody(world))[1].text


def test_the_last_way_in_stays(world: World) -> None:
    """Case 106: without a number, or beside one that is doubted, the address stays, and the page says why."""
    former = str(user_of(world, ANNA).email)
    theirs = sa.update(User).where(User.email == former)
    for without, why in (({"phone": None}, "no phone number"), ({"phone_doubted_at": clock.now()}, "by itself any more")):
        browser, page = entered(world, "/account/email")
        with world.writes():
            database.execute(theirs.values(without))
        assert "/remove" not in browser.get("/account/email").text
        refused = browser.press(page, "/account/email/remove")
        assert (refused.status_code, why in text_of(refused), former in text_of(refused)) == (422, True, True)
        with world.writes():
            database.execute(theirs.values(phone=ANNA))
    assert user_of(world, ANNA).email == former


def test_what_is_no_address(world: World) -> None:
    """Said beside the field, with what was typed; too many mails to one address are refused with the time."""
    browser, page = entered(world, "/account/email")
    for typed in ("anna", "a@b", "a@b.example\r\nBcc: x@evil.example", str(user_of(world, ANNA).email).upper(), "x" * 300 + "@example.org"):
        refused = browser.submit(page, email=typed)
        assert refused.status_code == 422, typed
        assert 'aria-invalid="true"' in refused.text
    code_page = browser.onward(browser.submit(page, email=NEW))
    assert browser.submit(code_page, code="abc").status_code == 422
    early = browser.onward(browser.press(code_page, "/resend"))
    assert early.status_code == 200  # the page says from when
    assert len(world.inbox(NEW)) == 1
    with freeze(clock.now() + timedelta(seconds=31)):
        browser.press(code_page, "/resend")
        assert len({message["code"] for message in world.inbox(NEW)}) == 1
        assert len(world.inbox(NEW)) == 2
    with freeze(clock.now() + timedelta(minutes=6)):
        over = browser.go("/account/email/code")
        assert "The time of this code is over" in over.text.replace("\N{NO-BREAK SPACE}", " ")
        assert browser.onward(browser.post(str(over.url), data={"csrf_token": "x"})).status_code == 410


def test_what_was_set_up_since_is_taken_off(world: World) -> None:
    """Case 111: the thief's password, passkey, app, recovery codes and other provider go with the address; what was there before stays."""
    user_id, former = user_of(world, ANNA).id, str(user_of(world, ANNA).email)
    began = clock.now()
    with freeze(began - timedelta(days=1)), world.writes():
        social.link(user_id, "before", Claimed("https://before.example", "1"))
    with freeze(began) as pass_by:
        changed(world, "thief@evil.example")
        with freeze(began - timedelta(days=1)):  # had it been there, the thief would have had to show it
            old = add_passkey(world, Authenticator(), user_id)
        pass_by(60)
        with world.writes():
            social.link(user_id, "evil", Claimed("https://evil.example", "1"))
            app = totp.begin(user_id, "ses_thief")
            assert totp.confirm(app, user_id, "ses_thief", code_of(app.text))
            recovery_codes.keep(user_id, recovery_codes.draw(user_id), instead_of="")
        give(world, user_id)
        add_passkey(world, Authenticator(), user_id)
        owner = world.browser()
        owner.press(owner.go(link_to(world, former)), "/account/email/undo")
    with world.reads():
        assert [each.provider for each in social.of_person(user_id)] == ["before"]
        assert [each.id for each in passkey.of_person(user_id)] == [old]
        assert not totp.is_set_up(user_id)
        assert not recovery_codes.are_left(user_id)
        assert not password.has(user_id)


def test_an_address_and_a_forgotten_password_at_once(world: World) -> None:
    """One outcome, whichever was first: a new password ends the session that was about to change the address; a changed address leaves
    nothing to set anew by the former one. Both say so.
    """
    party = world.party()
    for phone, reset_first in ((ANNA, True), (ORLOV, False)):
        user, wanted = user_of(world, phone), f"{phone[1:]}@example.org"
        changer, code_page = asked(world, wanted, phone=phone)
        give(world, user.id)
        forgetful = world.browser()
        new_password = prove_reset(world, forgetful, ask(forgetful, party, str(user.email)), str(user.email))
        code = world.code_for(wanted)
        if reset_first:
            assert "The new password is set" in again(forgetful, new_password, NEW_PASSWORD).text.replace("\N{NO-BREAK SPACE}", " ")
            assert "/login/" in changer.onward(changer.submit(code_page, code=code)).url.path
            assert user_of(world, phone).email == user.email
        else:
            assert changer.onward(changer.submit(code_page, code=code)).url.path == "/account/security"
            refused = again(forgetful, new_password, NEW_PASSWORD)
            assert "There is no password to set anew" in refused.text.replace("\N{NO-BREAK SPACE}", " ")
            assert user_of(world, phone).email == wanted


def test_a_second_factor_is_asked_for_before_the_address_changes(world: World) -> None:
    """ASVS 5.0 §7.5.1: whoever has an app proves it too; a number that was stolen takes no ID away, neither by address nor by number."""
    browser, _ = entered(world)
    user_id = user_of(world, ANNA).id
    with freeze(clock.now() - timedelta(days=1)), world.writes():
        app = totp.begin(user_id, "ses_owner")
        assert totp.confirm(app, user_id, "ses_owner", code_of(app.text))
    for path in ("/account/email", "/account/phone"):
        assert "/login/" in browser.go(path).url.path
    token = browser.get("/account/profile").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    for path, fields in (("/account/email", {"email": NEW}), ("/account/phone", {}), ("/account/email/remove", {})):
        assert "/login/" in browser.onward(browser.post(path, data={"csrf_token": token, **fields})).url.path
    assert not world.inbox(NEW)
