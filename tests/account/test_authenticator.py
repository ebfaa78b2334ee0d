"""The authenticator app on a person's own pages: set up, replaced, removed; always after a fresh proof, and everybody is told.

`product.md` §6.2, ASVS 5.0 §7.4.3 and §7.5.1, cases 82 and 102.
"""

from __future__ import annotations

import re
from datetime import timedelta

import httpx2

from idp import clock, limits
from idp.account import recovery_codes as pages
from idp.credentials import recovery_codes, totp
from idp.login import session
from tests.account.lab import ANNA, entered
from tests.credentials.factors import code_of, wrong_code
from tests.login.http_lab import known, token_of
from tests.login.lab import where, words
from tests.login.password_lab import give, id_of
from tests.world import Browser, World

SET_UP = "/account/authenticator/set_up"


def secret_on(page: httpx2.Response) -> str:
    """The letters and digits that are typed where no camera works."""
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", page.text)
    assert found is not None, page.text
    return found[1].replace(" ", "")


def confirm(browser: Browser, page: httpx2.Response) -> httpx2.Response:
    """Enter what the app shows."""
    return browser.submit(page, code=code_of(secret_on(page)))


def test_from_the_picture_to_the_first_code(world: World) -> None:
    """The picture stands in the page itself, without styles or scripts; reloading shows the same secret; from the first right code on the
    app counts, other browsers are signed out and forget the person (case 82), this one is not; recovery codes are offered; both are told.
    """
    party = world.party()
    elsewhere = known(world, party, ANNA, address="198.51.100.9")
    browser, page = entered(world, SET_UP)
    secret, user = secret_on(page), id_of(world)
    svg = page.text.partition("<svg viewBox")[2].partition("</svg>")[0]
    assert 'class="qr"' in svg
    assert "style=" not in svg
    assert "style=" not in page.text
    assert f"secret={secret}" in page.text
    assert secret_on(browser.get(SET_UP)) == secret
    for typed, why in (("12", "Some are missing"), (wrong_code(secret), "This code is wrong")):
        refused = browser.submit(page, code=typed)
        assert refused.status_code == 422
        assert why in words(refused)
        assert f'value="{typed}"' in refused.text
        assert secret_on(refused) == secret
    answer = confirm(browser, page)
    assert answer.status_code == 303
    offered = browser.onward(answer)
    assert where(offered) == "recovery_codes"
    assert "only a recovery code lets you in" in words(offered)
    assert "It is set up" in words(browser.get("/account/authenticator"))
    assert where(elsewhere.go("/account/profile")) == "identify"  # nobody is known there any more
    with world.reads():
        assert len(session.of_person(user)) == 1
    assert browser.onward(confirm(browser, page)).url.path == "/account/authenticator"  # the form once more: nothing is left to confirm
    assert [event.user_id for event in world.events(totp.ADDED)] == [user]
    notices = [message["text"] for message in world.inbox(ANNA) if not message["code"]]
    assert any("приложение-аутентификатор" in text for text in notices)
    assert secret not in "".join(notices)


def test_only_after_a_fresh_proof(world: World) -> None:
    """Case 102: neither a session of ten minutes ago nor a foreign site's form sets up, confirms or removes anything."""
    began = clock.now()
    with clock.freeze(began):
        browser, page = entered(world, SET_UP)
    with clock.freeze(began + timedelta(minutes=6)):
        assert "/login/flw_" in browser.get(SET_UP).headers["Location"]
        assert "/login/flw_" in confirm(browser, page).headers["Location"]
    forged = browser.post(SET_UP, data={"code": code_of(secret_on(page))})
    assert forged.status_code == 410
    with world.reads():
        assert not totp.is_set_up(id_of(world))
    with clock.freeze(began + timedelta(seconds=60)):
        assert confirm(browser, page).status_code == 303
    with clock.freeze(began + timedelta(minutes=7)):
        overview = browser.get("/account/authenticator")
        assert "/login/flw_" in browser.press(overview, "/remove").headers["Location"]
        assert "/login/flw_" in browser.post("/account/recovery_codes", data={"csrf_token": token_of(overview)}).headers["Location"]
    with world.reads():
        assert totp.is_set_up(id_of(world))


def test_who_has_a_password_proves_it_too(world: World) -> None:
    """Case 102: whoever got hold of the number alone sets up no app of their own for somebody who has a password; and no recovery codes."""
    browser, _ = entered(world)
    give(world, id_of(world))
    for path in (SET_UP, "/account/recovery_codes"):
        page = browser.get("/account/recovery_codes")
        answer = browser.get(path) if path == SET_UP else browser.submit(page, instead_of="")
        page = browser.onward(answer)
        assert where(page) == "further_proof"
        assert "/password" in page.text
    assert not world.events(recovery_codes.MADE)


def test_removed_right_after_it_was_set_up(world: World) -> None:
    """Who changes their mind needs no code of it: the proof that set it up is still fresh. Removing it twice is once."""
    browser, page = entered(world, SET_UP)
    assert confirm(browser, page).status_code == 303
    overview = browser.get("/account/authenticator")
    for _ in range(2):
        assert browser.press(overview, "/remove").headers["Location"] == "/account/authenticator"
    assert "Set up an app" in words(browser.get("/account/authenticator"))
    assert len(world.events(totp.REMOVED)) == 1


class TestRecoveryCodes:
    """Made, shown once, made anew."""

    def test_shown_once(self, world: World) -> None:
        """Ten on the answer and nowhere else; a page that is sent again makes no second set, and shows nothing."""
        browser, page = entered(world, "/account/recovery_codes")
        made = browser.submit(page, instead_of="")
        codes = re.findall(r"<li><span>([0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4})</span></li>", made.text)
        assert (made.status_code, len(set(codes))) == (200, 10)
        assert made.headers["Cache-Control"] == "no-store"
        again = browser.submit(page, instead_of="")
        assert again.status_code == 409
        following = browser.get("/account/recovery_codes")
        assert "10 of 10 left" in words(following)
        assert not any(code in again.text + following.text for code in codes)
        anew = browser.send(browser.filled(following, instead_of=re.findall('name="instead_of" value="([^"]+)"', following.text)[0]))
        assert anew.status_code == 200
        assert not any(code in anew.text for code in codes)
        assert [event.details["former_left"] for event in world.events(recovery_codes.MADE)] == [None, 10]
        assert "10 of 10 left" in words(browser.get("/account/security"))
        assert any("коды восстановления" in message["text"] for message in world.inbox(ANNA))

    def test_not_without_end(self, world: World) -> None:
        """Each set is ten slow hashes: so many a day are enough."""
        browser, page = entered(world, "/account/recovery_codes")
        with world.writes():
            for _ in range(pages.A_DAY):
                limits.spend("recovery_codes", id_of(world), limit=pages.A_DAY, window_seconds=pages.DAY)
        assert browser.submit(page, instead_of="").status_code == 429
        with world.reads():
            assert recovery_codes.left(id_of(world)) is None
