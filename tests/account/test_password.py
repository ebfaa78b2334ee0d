"""A person's own password: set, changed, taken off, after a proof, and told everywhere (`product.md` §12, ASVS 5.0 §7.4.3, §7.5.1)."""

from __future__ import annotations

from datetime import timedelta

import httpx2
import sqlalchemy as sa

from idp import clock
from idp.credentials import password, password_hashing, social
from idp.credentials.social import Claimed
from idp.db.session import session as database
from idp.directory.tables import User
from tests.account.lab import ANNA, doubted, entered
from tests.credentials.factors import set_up
from tests.login.http_lab import base_of, signed_in, text_of, token_of
from tests.login.lab import where
from tests.login.password_lab import MAIL, NEW, SECRET, enter, give, id_of
from tests.world import Browser, World, answer_of

PAGE = "/account/password"


def known_by_heart(browser: Browser, page: httpx2.Response, text: str) -> httpx2.Response:
    """One more proof is due: the password is it; what comes of it."""
    assert where(page) == "further_proof", page.url
    return browser.onward(browser.submit(browser.get(f"{base_of(page)}/password"), password=text))


def test_set_changed_removed(world: World) -> None:
    """Twice the same, looked through, hashed; other browsers are signed out unless the tick is taken off; all channels tell of each."""
    party, anna = world.party(), id_of(world)
    with clock.freeze(clock.now()) as later:
        elsewhere = world.browser()
        answer_of(world.sign_in(elsewhere, party, ANNA))
        later(60)
        browser, page = entered(world, PAGE)
        assert "Set a password" in text_of(page)
        for one, other, said in (("short", "short", "At least 8"), (NEW, SECRET, "not the same"), ("Смирнова 91", "Смирнова 91", "Do not")):
            refused = browser.submit(page, password=one, password_again=other)
            assert (refused.status_code, said in text_of(refused), one in refused.text) == (422, True, False)
        form = browser.filled(page, password=SECRET, password_again=SECRET)
        kept = form.content.decode().replace("&sign_out=1", "")
        answer = browser.post(PAGE, content=kept, headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status_code == 303
        assert signed_in(world, elsewhere, party), "the tick was off"
        assert "Set on" in text_of(browser.go("/account/security"))
        later(2)
        page = browser.go(PAGE)
        assert "Change the password" in text_of(page)
        assert browser.submit(page, password=NEW, password_again=NEW).status_code == 303
        assert not signed_in(world, elsewhere, party)
        assert browser.go("/account/security").status_code == 200, "this browser stays"
        with world.reads():
            assert password.is_by_phone(anna), "whoever changed it showed the number alone"
        assert enter(world.browser(), party, MAIL, SECRET).status_code == 422
        assert "code" in answer_of(enter(world.browser(), party, MAIL, NEW))
        later(2)
        assert browser.press(browser.go(PAGE), "/remove").status_code == 303
        assert "Not set." in text_of(browser.go("/account/security"))
        assert enter(world.browser(), party, MAIL, NEW).status_code == 422
    names = [event.name for event in world.events() if event.user_id == anna and event.name.startswith("password.")]
    assert [name for name in names if name != "password.wrong"] == ["password.set", "password.changed", "password.removed"]
    for to, changed, removed in ((MAIL, "Задан пароль", "убран"), (ANNA, "пароль вашего ID изменён", "больше нет пароля")):
        told = [message["text"] for message in world.inbox(to) if not message["code"]]
        assert [sum(words in text for text in told) for words in (changed, removed)] == [2, 1], "on every channel"


def test_only_after_a_proof_of_the_last_minutes(world: World) -> None:
    """ASVS 5.0 §7.5.1: an old session, or a known browser's word, changes no password; the sign-in in between leads back to the page."""
    with clock.freeze(clock.now()) as later:
        browser, page = entered(world, PAGE)
        later(timedelta(minutes=6))
        for answer in (browser.get(PAGE), browser.submit(page, password=NEW, password_again=NEW), browser.get("/account/password/remove")):
            assert where(browser.onward(answer)) in {"people", "identify", "further_proof"}
    with world.reads():
        assert not password.has(id_of(world))


def test_who_has_more_proves_it_first(world: World) -> None:
    """Case 102: whoever holds the number alone changes or removes no password; nor do they set one for somebody who has an app, and make
    two proofs of the number and a word of their own.
    """
    anna = id_of(world)
    thief, page = entered(world, PAGE)
    give(world, anna)
    removing = thief.build_request("POST", f"{PAGE}/remove", data={"csrf_token": token_of(page)})
    for answer in (thief.get(PAGE), thief.submit(page, password=NEW, password_again=NEW), thief.send(removing)):
        assert where(thief.onward(answer)) == "further_proof"
    with world.reads():
        [(_, kept)] = password.digests_of(anna)
    assert password_hashing.is_right(kept, SECRET)
    now = clock.now()
    with world.writes():
        password.remove(anna, user_id=anna)
    with clock.freeze(now - timedelta(days=1)):
        set_up(world, anna)
    with clock.freeze(now):
        assert where(thief.onward(thief.submit(page, password=NEW, password_again=NEW))) == "further_proof"
    with world.reads():
        assert not password.has(anna)


def test_the_last_way_in_stays(world: World) -> None:
    """Case 106: an ID whose number is gone keeps the password that is all that opens it, whatever provider once did; a number frees it."""
    anna = id_of(world)
    give(world, anna)
    browser, _ = entered(world)
    page = known_by_heart(browser, browser.go(PAGE), SECRET)
    with world.writes():
        database.execute(sa.update(User).where(User.id == anna).values(phone=None))
        social.link(anna, "gone", Claimed("https://gone.example/a", "1"))
    assert ("/remove" in page.text, "/remove" in browser.get(PAGE).text) == (True, False)
    refused = browser.press(page, "/remove")
    assert (refused.status_code, "It is your only way in" in text_of(refused)) == (409, True)
    with world.writes():
        assert password.has(anna)
        database.execute(sa.update(User).where(User.id == anna).values(phone=ANNA))
    doubted(world, ANNA)
    assert browser.press(page, "/remove").status_code == 409, "a code to a doubted number opens it only beside the password"
    with world.writes():
        database.execute(sa.update(User).where(User.id == anna).values(email=MAIL, email_canonical=MAIL, email_verified_at=clock.now()))
    assert browser.press(page, "/remove").status_code == 303
