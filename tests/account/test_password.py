"""A person's own password: set, changed, taken off, after a fresh proof, and told of (`product.md` §12, ASVS 5.0 §7.4.3, §7.5.1)."""

from __future__ import annotations

from datetime import timedelta

from idp import clock
from idp.credentials import password
from tests.account.lab import ANNA, entered
from tests.login.http_lab import signed_in, text_of
from tests.login.lab import where
from tests.login.password_lab import MAIL, NEW, SECRET, enter, id_of
from tests.world import World, answer_of

PAGE = "/account/password"


def test_set_changed_removed(world: World) -> None:
    """Twice the same, looked through, hashed; other browsers are signed out unless the tick is taken off; mail tells of each."""
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
    told = [message["text"] for message in world.inbox(MAIL) if not message["code"]]
    assert sum("Задан пароль" in text for text in told) == 2
    assert sum("убран" in text for text in told) == 1


def test_only_after_a_proof_of_the_last_minutes(world: World) -> None:
    """ASVS 5.0 §7.5.1: an old session, or a known browser's word, changes no password; the sign-in in between leads back to the page."""
    with clock.freeze(clock.now()) as later:
        browser, page = entered(world, PAGE)
        later(timedelta(minutes=6))
        for answer in (browser.get(PAGE), browser.submit(page, password=NEW, password_again=NEW), browser.get("/account/password/remove")):
            assert where(browser.onward(answer)) in {"people", "identify", "further_proof"}
    with world.reads():
        assert not password.has(id_of(world))
