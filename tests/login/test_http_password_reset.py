"""A forgotten password: a code, a new one twice, everything else ends; nothing shows whose a login is.

`product.md` §5.3; cases 90, 92, 98. There is no link that anybody could send, so nothing of case 93 can leak.
"""

from __future__ import annotations

from datetime import timedelta

import httpx2
import sqlalchemy as sa

from idp import clock
from idp.cli.demo_story import Story
from idp.credentials import password
from idp.credentials.tables import Device
from idp.db.session import session as database
from idp.directory import users
from idp.login.tables import Session
from idp.oidc.change_phone import change_phone
from tests.login.http_lab import ORLOV, base_of, claims, cookies_set, known, post, signed_in, text_of
from tests.login.lab import ANNA, how_many, where, wrong
from tests.login.password_lab import MAIL, NEW, SECRET, again, at_password, enter, give, id_of, shop
from tests.world import Browser, Party, World, answer_of, new_phone

LATER = 200 * 86400
STORES = "tall-ladders_by-the-till"


def at_reset(browser: Browser, party: Party) -> httpx2.Response:
    """The page that asks whose password it is, by the link on the page of the password."""
    page = at_password(browser, party)
    assert f'href="{base_of(page)}/reset"' in page.text
    return browser.get(f"{base_of(page)}/reset")


def ask(browser: Browser, party: Party, login: str) -> httpx2.Response:
    """The page of the code."""
    page = browser.onward(browser.submit(at_reset(browser, party), login=login))
    assert where(page) == "code"
    return page


def prove(world: World, browser: Browser, page: httpx2.Response, to: str) -> httpx2.Response:
    """The code that was sent is entered."""
    return browser.onward(browser.submit(page, code=world.code_for(to)))


def test_by_mail_and_by_phone(world: World, party: Party) -> None:
    """Nobody is signed in by it (case 92); every session, every known browser and every refresh token ends, and the owner is told."""
    anna = id_of(world)
    for login, to in ((MAIL, MAIL), ("8 900 555-35-01", ANNA)):
        give(world, anna)
        other, remembered = world.browser(), known(world, party, ANNA)
        tokens = world.tokens(other, party, ANNA, scope="openid offline_access")
        browser = world.browser()
        page = prove(world, browser, ask(browser, party, login), to)
        assert "All other sign-ins end" in text_of(page)
        answer = again(browser, page, NEW)
        assert where(answer) == "password"
        assert "The new password is set. Sign in with it." in text_of(answer)
        assert not {"idp_session", "idp_browser"} & set(cookies_set(answer))
        assert not signed_in(world, other, party)
        assert "login" in str(remembered.authorize(party).url)
        world.deliver()
        assert world.refresh(party, tokens["refresh_token"]).status_code == 400
        assert browser.submit(answer, login=login, password=SECRET).status_code == 422
        assert browser.submit(answer, login=login, password=NEW).status_code == 303
        told = [message["text"] for message in world.inbox(MAIL)]
        assert any("Задан пароль" in text for text in told), told
    with world.reads():
        assert password.is_by_phone(anna)
    assert {event.details["by_phone"] for event in world.events("password.reset")} == {False, True}
    live = [row for row in world.events("device.removed") if row.details["reason"] == "password_reset"]
    assert live
    assert how_many(world, Device) > 0


def test_what_may_not_be_set(world: World, party: Party) -> None:
    """Too short, tried first, one's own, not the same twice: it is said beside the field, nothing typed is shown, the code was not lost."""
    give(world, id_of(world))
    browser = world.browser()
    page = prove(world, browser, ask(browser, party, MAIL), MAIL)
    for one, other, said in (
        ("short", "short", "At least 8 characters."),
        ("qwerty12345", "qwerty12345", "tried first"),
        ("Смирнова 91", "Смирнова 91", "Do not use your name"),
        (NEW, NEW + " ", "These are not the same."),
        ("x" * 1025, "x" * 1025, "at most 1024 bytes"),
    ):
        answer = browser.submit(page, password=one, password_again=other)
        assert (answer.status_code, said in text_of(answer)) == (422, True), (one, text_of(answer))
        assert one not in answer.text
    assert browser.submit(page, password=NEW, password_again=NEW).status_code == 303


def test_a_code_is_once(world: World, party: Party) -> None:
    """Case 90: not twice, not in another tab or browser, not after a newer one, not once password, address or number were changed; and not
    for anybody else, whoever is named in the form.
    """
    anna, orlov = id_of(world), id_of(world, ORLOV)
    for owner in (anna, orlov):
        give(world, owner)
    with clock.freeze(clock.now()) as later:
        browser = world.browser()
        page = ask(browser, party, MAIL)
        first = world.code_for(MAIL)
        assert browser.submit(page, code=wrong(first)).status_code == 422
        later(301)
        page = browser.onward(browser.press(browser.get(str(page.url)), "/resend"))
        second = world.code_for(MAIL)
        assert first != second
        assert browser.submit(page, code=first).status_code == 422
        chosen = browser.onward(browser.submit(page, code=second))
        assert where(browser.onward(browser.submit(page, code=second))) == "password"
        assert "New password once more" in text_of(chosen)
        stranger = world.browser(address="198.51.100.7")
        assert stranger.get(str(chosen.url)).status_code == 410
        named = {"login": ORLOV, "owner_id": orlov, "user_id": orlov, "account_id": orlov, "id": orlov}
        done = post(browser, chosen, password=NEW, password_again=NEW, **named)
        assert where(browser.onward(done)) == "password"
        for login, text, right in ((MAIL, NEW, True), (ORLOV, SECRET, True), (ORLOV, NEW, False)):
            here = world.browser(address="198.51.100.8")
            assert here.submit(at_password(here, party), login=login, password=text).status_code == (303 if right else 422)
        # The same form once more, and a second tab that was open: it is done.
        for text in ("another one altogether", NEW):
            after = again(browser, chosen, text)
            assert "New password once more" not in text_of(after)
        assert browser.submit(at_password(browser, party), login=MAIL, password="another one altogether").status_code == 422
        for change in ("password", "address", "number"):
            later(3601)
            one, login = world.browser(), ANNA if change == "number" else MAIL
            page = prove(world, one, ask(one, party, login), login)
            later(1)
            with world.writes():
                if change == "password":
                    password.keep(anna, "a digest", user_id=anna)
                elif change == "address":
                    users.confirm_email(anna, "anna@new.example")
                else:
                    change_phone(anna, new_phone())
            refused = one.submit(page, password=NEW, password_again=NEW)
            said = "This number alone does not set a password anew" if change == "number" else "There is no password to set anew"
            assert (refused.status_code, said in text_of(refused)) == (422, True)
    assert len(world.events("password.reset")) == 1


def test_nobody_learns_whose_it_is(world: World, party: Party) -> None:
    """G-7, OWASP Forgot Password: known, unknown, without a password, blocked: the same answers; the code goes only where there is a
    password, and to the stored address, not to the one that was typed (case 98).
    """
    give(world, id_of(world))
    with world.writes():
        blocked = users.register("+79015550101", "Blocked", "en", "1")
        users.confirm_email(blocked.id, "blocked@post.example")
        users.block(blocked.id, "fraud")
    give(world, blocked.id)
    answers = {}
    with clock.freeze(clock.now()):
        for number, login in enumerate(("ANNA@post.example", "nobody@post.example", "orlov@post.example", "blocked@post.example")):
            browser = world.browser(address=f"198.18.{number}.7")
            page = ask(browser, party, login)
            refused = browser.submit(page, code="000000")
            early = browser.onward(browser.press(page, "/resend"))
            seen = [(each.status_code, text_of(each).replace(login.lower(), "LOGIN")) for each in (page, refused, early)]
            answers[login] = seen
            name = login.lower()
            assert [message["to"] for message in world.inbox(name) if message["code"]] == (
                [name] if name.startswith(("anna", "blocked")) else []
            )
    assert all(seen == answers["nobody@post.example"] for seen in answers.values())
    browser = world.browser(address="198.18.9.7")
    page = ask(browser, party, "+7 901 555-77-77")
    page = prove(world, browser, page, "+79015557777")
    assert "There is no password to set anew for this login." in text_of(page)


def test_a_number_that_does_not_open_its_id(world: World, party: Party) -> None:
    """A recycled number sets no password either: else it would open by a detour what it does not open by itself (`product.md` §6.4)."""
    give(world, id_of(world))
    with clock.freeze(clock.now()) as later:
        later(timedelta(seconds=LATER))
        browser = world.browser()
        page = prove(world, browser, ask(browser, party, ANNA), ANNA)
        assert "This number alone does not set a password anew." in text_of(page)
        assert 'name="password"' not in page.text
        by_mail = world.browser()
        page = prove(world, by_mail, ask(by_mail, party, MAIL), MAIL)
        assert where(again(by_mail, page, NEW)) == "password"


def test_not_beside_the_code_that_set_it(world: World, party: Party) -> None:
    """Case 92: who took over the number has one thing, not two: for three days a password that a code set counts beside no such code."""
    anna = id_of(world)
    give(world, anna)
    with clock.freeze(clock.now()) as later:
        browser = world.browser()
        page = prove(world, browser, ask(browser, party, ANNA), ANNA)
        again(browser, page, NEW)
        for wait, is_worth_it in ((60, False), (73 * 3600, True)):
            later(wait)
            thief = world.browser(address="198.51.100.7")
            page = thief.authorize(party, acr_values="urn:idp:acr:mfa")
            page = thief.onward(thief.submit(page, phone=ANNA))
            answer = thief.onward(thief.submit(page, code=world.code_for(ANNA)))
            if is_worth_it:
                page = thief.get(f"{base_of(answer)}/password")
                answer = thief.onward(thief.submit(page, password=NEW))
            assert claims(world, party, answer)["acr"] == f"urn:idp:acr:{'mfa' if is_worth_it else 'code'}"
            # Nor the other way round: signed in with by itself, it is no password beside the number.
            other = world.browser()
            assert "code" in answer_of(other.onward(other.submit(at_password(other, party), login=ANNA, password=NEW)))
            with world.reads():
                newest = database.scalars(sa.select(Session.password_at).order_by(Session.created_at.desc(), Session.id.desc())).first()
            assert (newest is None) != is_worth_it


def test_one_address_two_passwords(world: World, party: Party, story: Story) -> None:
    """A store's login is somebody's own address: their own password counts, and the store's is as wrong as any (G-7). Whose it is that is
    set anew, is said to who has shown that they read the mail: theirs, and what stands behind it; without one of theirs, the store's.
    """
    anna, account_id = id_of(world), shop(world, story, text=STORES, login=MAIL)
    give(world, anna)
    assert "code" in answer_of(enter(world.browser(), party, MAIL, SECRET))
    refused, nobody = (enter(world.browser(), party, login, STORES) for login in (MAIL, "nobody@post.example"))
    assert (refused.status_code, nobody.status_code) == (422, 422)
    assert text_of(refused) == text_of(nobody)
    browser = world.browser()
    asked = ask(browser, party, MAIL)
    assert "ООО «Ромашка»" not in text_of(asked)
    page = prove(world, browser, asked, MAIL)
    assert "It will be the password of your ID." in text_of(page)
    assert "The account ООО «Ромашка» has the same login." in text_of(page)
    again(browser, page, NEW)
    assert "code" in answer_of(enter(world.browser(), party, MAIL, NEW))
    with world.writes():
        assert password.remove(anna, user_id=anna)
    assert "is not linked to an ID yet" in text_of(enter(world.browser(), party, MAIL, STORES)), "the store's is what it was"
    browser = world.browser()
    page = prove(world, browser, ask(browser, party, MAIL), MAIL)
    assert "It will be the password of the account ООО «Ромашка», not that of your ID." in text_of(page)
    assert "has the same login" not in text_of(page)
    again(browser, page, SECRET)
    with world.reads():
        assert (password.has(anna), password.has(account_id)) == (False, True)
    assert "is not linked to an ID yet" in text_of(enter(world.browser(), party, MAIL, SECRET))
