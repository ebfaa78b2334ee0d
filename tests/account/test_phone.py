"""Another number: a code to the old one, then a code to the new one, and nothing of the old sign-ins is left (case 97, G-6).

`product.md` §12; ASVS 5.0 §7.5.1; NIST SP 800-63B-4 §3.1.3 (a changed number is a new authenticator).
"""

from __future__ import annotations

from datetime import timedelta

import httpx2

from idp import clock
from idp.clock import freeze
from idp.directory import users
from tests.account.lab import ANNA, entered, prove
from tests.world import Browser, World, new_phone

ORLOV = "+79005553502"


def at_new_number(world: World, phone: str = ANNA) -> tuple[Browser, httpx2.Response]:
    """A browser whose person has proved the number they have, on the page that asks for the new one."""
    browser, page = entered(world, "/account/phone", phone=phone)
    page = browser.onward(browser.press(page, "/account/phone"))
    assert page.url.path == "/account/phone/former"
    page = browser.onward(browser.submit(page, code=world.code_for(phone)))
    assert page.url.path == "/account/phone/new"
    return browser, page


def wrong(code: str) -> str:
    """Another code."""
    return f"{(int(code) + 1) % 10**6:06}"


def texts(world: World, to: str) -> str:
    """All that was sent there."""
    return "\n".join(message["text"] for message in world.inbox(to))


def test_both_codes_then_everything_else_ends(world: World) -> None:
    """Case 97: the former number and the mail are told, other browsers and apps are out at once, here it goes on under a new secret."""
    party = world.party()
    other, _ = entered(world)
    tokens = world.tokens(world.browser(), party, ANNA, scope="openid offline_access")
    browser, page = at_new_number(world)
    user_id, copied = user_of(world, ANNA).id, dict(browser.cookies)
    new = new_phone()
    page = browser.onward(browser.submit(page, phone=new))
    assert page.url.path == "/account/phone/code"
    assert user_of(world, ANNA).id == user_id  # nothing has changed yet
    refused = browser.submit(page, code=wrong(world.code_for(new)))
    assert refused.status_code == 422
    done = browser.onward(browser.submit(refused, code=world.code_for(new)))
    assert done.url.path == "/account/security"
    assert "Your number was changed" in done.text.replace("\N{NO-BREAK SPACE}", " ")
    assert user_of(world, new).id == user_id
    assert world.code_for(ANNA)  # codes of before
    assert "/login/" in other.go("/account/profile").url.path
    assert world.refresh(party, tokens["refresh_token"]).status_code == 400
    thief = world.browser()
    for name, value in copied.items():
        thief.cookies.set(name, value)
    assert "/login/" in thief.go("/account/profile").url.path
    assert "изменён" in texts(world, ANNA) or "сменили" in texts(world, ANNA)
    assert texts(world, str(user_of(world, new).email))
    assert [event.details["reason"] for event in world.events("session.begun")] == ["phone_changed"]
    assert browser.go("/account/phone/code").url.path == "/account/phone"  # what was proved counts once


def test_no_step_can_be_left_out(world: World) -> None:
    """Case 60: without the code to the former number no other is asked for, whatever is posted; nor from another session."""
    browser, page = entered(world, "/account/phone")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    new = new_phone()
    for path, fields in (("new", {"phone": new}), ("code", {"code": "123456"}), ("former", {"code": "123456"}), ("code/resend", {})):
        answer = browser.onward(browser.post(f"/account/phone/{path}", data={"csrf_token": token, "verified": "true", **fields}))
        assert answer.url.path == "/account/phone", path
    assert not texts(world, new)
    first, page = at_new_number(world)
    page = first.onward(first.submit(page, phone=new))
    second, _ = entered(world)
    assert second.go("/account/phone/code").url.path == "/account/phone"
    assert user_of(world, ANNA)


def test_the_proof_of_the_former_number_grows_old(world: World) -> None:
    """After ten minutes it is asked for again; and the page itself wants a proof that is younger than five."""
    browser, page = at_new_number(world)
    with freeze(clock.now() + timedelta(minutes=11)):
        late = browser.onward(browser.submit(page, phone=new_phone()))
        assert "/login/" in late.url.path
        assert prove(world, browser, late, ANNA).url.path == "/account/phone"


def test_somebody_elses_number_is_refused_only_once_it_was_proved(world: World) -> None:
    """Case 70: until the code was entered, the page says the same of a number that another ID has and of one that nobody has."""
    browser, page = at_new_number(world)
    shown = []
    for phone in (new_phone(), ORLOV):
        code_page = browser.onward(browser.submit(page, phone=phone))
        shown.append((code_page.status_code, str(code_page.url), len(code_page.text) - code_page.text.count(phone[-4:])))
        assert "belongs to another" not in code_page.text
    assert shown[0][:2] == shown[1][:2]
    taken = browser.submit(code_page, code=world.code_for(ORLOV))
    assert taken.status_code == 409
    assert "belongs to another ID" in taken.text
    assert user_of(world, ANNA).id != user_of(world, ORLOV).id
    assert browser.go("/account/security").url.path == "/account/security"  # nobody was signed out


def test_what_cannot_be_a_new_number(world: World) -> None:
    """No number, the one there is: said beside the field. No code goes by e-mail, to neither number."""
    browser, page = at_new_number(world)
    for typed, said in (("12 34", "Enter a phone number"), (ANNA, "yours already")):
        refused = browser.submit(page, phone=typed)
        assert refused.status_code == 422
        assert said in refused.text.replace("\N{NO-BREAK SPACE}", " ")
    page = browser.onward(browser.submit(page, phone=ORLOV))
    sent = len(world.inbox(ORLOV))
    with freeze(clock.now() + timedelta(seconds=61)):
        for _ in range(2):
            token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
            browser.post("/account/phone/code/resend", data={"csrf_token": token, "channel": "email"})
        mail = str(user_of(world, ORLOV).email)
        assert not [message for message in world.inbox(mail) if message["code"]]
        assert 'value="email"' not in browser.get("/account/phone/code").text
        again = browser.onward(browser.press(browser.get("/account/phone/code"), "/resend"))
        assert again.status_code == 200
        assert len(world.inbox(ORLOV)) == sent + 1


def test_whoever_has_lost_the_number_is_led_on(world: World) -> None:
    """From the page of the number to the page of a lost phone, without signing out first."""
    browser, page = entered(world, "/account/phone")
    there = browser.onward(browser.press(page, "/account/phone/lost"))
    assert there.status_code == 200
    assert there.url.path.endswith("/recover")
    assert browser.go("/account/profile").url.path == "/account/profile"


def test_five_guesses_and_no_more(world: World) -> None:
    """Case 53: the right code after five wrong ones wins nothing; the page leads to a new one."""
    browser, page = at_new_number(world)
    new = new_phone()
    page = browser.onward(browser.submit(page, phone=new))
    code = world.code_for(new)
    for _ in range(5):
        assert browser.submit(page, code=wrong(code)).status_code == 422
    assert browser.submit(page, code=code).status_code == 422
    assert browser.submit(page, code="12").status_code == 422
    assert user_of(world, ANNA)


def user_of(world: World, phone: str):
    """Whose number it is."""
    with world.reads():
        found = users.find_by_phone(phone)
    assert found is not None
    return found
