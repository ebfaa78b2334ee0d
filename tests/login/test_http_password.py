"""Sign in with e-mail or phone and a password: what is asked, what is said, what is counted (`product.md` §5; cases 94 to 96, 98, 128)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from argon2 import PasswordHasher

from idp import clock
from idp.cli.demo_story import Story
from idp.credentials import password, password_hashing
from idp.credentials.password_hashing import place
from idp.directory import companies, users
from idp.login.tables import Session
from tests.account.lab import entered
from tests.login.http_lab import base_of, drop_cookies, known, people_on, post, press, text_of
from tests.login.lab import ANNA, at_code, how_many, id_token, where
from tests.login.password_lab import MAIL, NEW, SECRET, at_password, enter, give, id_of
from tests.world import Party, World, answer_of

ZIMIN = "+79005553510"
WRONG = "The e-mail, the number or the password is wrong."


def test_by_address_and_by_number(world: World, party: Party) -> None:
    """In all spellings of the login (case 98), and exactly as the password was set (case 94): one proof, and the browser is remembered."""
    anna = id_of(world)
    give(world, anna)
    for login in (MAIL, " ANNA@Post.example", "+7 900 555-35-01", "89005553501"):
        browser = world.browser()
        claims = id_token(world, party, enter(browser, party, login))
        assert (claims["sub"], claims["amr"], claims["acr"]) == (anna, ["pwd"], "urn:idp:acr:code")
    drop_cookies(browser, "idp_session")
    assert set(people_on(browser.authorize(party))) == {"Анна Смирнова"}
    for wrong in (SECRET + " ", SECRET.title(), SECRET[:-1], " " + SECRET):
        page = enter(world.browser(), party, MAIL, wrong)
        assert (page.status_code, WRONG in page.text) == (422, True)
    signed = [event for event in world.events("login.succeeded") if event.details["proof"] == "password"]
    assert len(signed) == 4
    assert {event.user_id for event in world.events("password.wrong")} == {anna}


def test_what_the_page_takes(world: World, party: Party) -> None:
    """The login comes back as it was typed and the password never does; what is no login is no guess; a huge one is hashed for nobody."""
    give(world, id_of(world))
    browser = world.browser()
    page = at_password(browser, party)
    assert 'autocomplete="username"' in page.text
    assert 'autocomplete="current-password"' in page.text
    assert f'href="{base_of(page)}/password"' in browser.get(f"{base_of(page)}/identify").text
    for login, text, status, said in (
        ("nobody", SECRET, 422, "Enter your e-mail address or phone number."),
        ("", SECRET, 422, "Enter your e-mail address or phone number."),
        (MAIL, "", 422, "Enter the password."),
        (MAIL, "я" * 513, 422, "That is too long for a password: at most 1024 bytes."),
        (MAIL, "x" * 9000, 400, "One of the values is too long."),
        (MAIL, SECRET + "\0", 400, "cannot be typed"),
        (MAIL, "x" * 70_000, 413, ""),
    ):
        answer = browser.submit(page, login=login, password=text)
        assert (answer.status_code, said in text_of(answer)) == (status, True), (login, text[:30], text_of(answer))
        assert SECRET not in answer.text
        if status == 422:
            assert f'value="{login}"' in answer.text or not login
            assert 'aria-invalid="true"' in answer.text
    assert not world.events("password.wrong")
    browser.onward(post(browser, page, "help?about=password&from=password", login="anna@post.exampl", password=SECRET))
    assert 'value="anna@post.exampl"' in browser.get(f"{base_of(page)}/password?back=1").text


def test_locked_and_in_a_known_browser(world: World, party: Party) -> None:
    """`product.md` §5.5: after ten wrong ones nothing is looked at, right or not; the page says until when and who helps. Somebody's own
    browser is not locked by strangers, an unknown login locks alike, and support unlocks, which is written down.
    """
    anna = id_of(world)
    give(world, anna)
    with clock.freeze(clock.now()) as later:
        own = known(world, party, ANNA, address="198.51.100.1")
        browsers = {MAIL: world.browser(), "nobody@post.example": world.browser(address="198.51.100.7")}
        pages = {login: at_password(browser, party) for login, browser in browsers.items()}
        texts: dict[str, list[str]] = {login: [] for login in pages}
        for _ in range(11):
            for login, page in pages.items():
                answer = browsers[login].submit(page, login=login, password="not it at all")
                texts[login].append(f"{answer.status_code} {answer.headers.get('Retry-After')} {text_of(answer)}".replace(login, "LOGIN"))
            later(121)
        assert texts[MAIL] == texts["nobody@post.example"]
        assert [text[:3] for text in texts[MAIL]] == ["422"] * 10 + ["429"]
        locked = browsers[MAIL].submit(pages[MAIL], login=MAIL, password=SECRET)
        assert locked.status_code == 429
        assert 0 < int(locked.headers["Retry-After"]) <= 3600
        assert "is locked for a while. Try again after" in text_of(locked)
        assert "you can sign in with phone and code" in text_of(locked)
        assert f"{base_of(locked)}/help?about=locked&amp;from=password" in locked.text
        assert {event.user_id for event in world.events("password.locked")} == {anna, None}
        page = own.authorize(party)
        page = own.get(f"{base_of(page)}/password")
        assert "code" in answer_of(own.onward(own.submit(page, login=MAIL, password=SECRET)))
        with world.writes():
            owner = password.find_owner(password.read_login(MAIL))
            assert owner is not None
            assert password.unlock(owner, [password.read_login(MAIL)], actor_id="operator")
        assert browsers[MAIL].submit(pages[MAIL], login=MAIL, password=SECRET).status_code == 303


def test_a_stranger_silences_nothing(world: World, party: Party) -> None:
    """Case 102 (who breaks in is told of): a login that is kept locked from afar is told of once, apart from all else; so what happens
    meanwhile is told too. Who has no password hears of no lock.
    """
    anna = id_of(world)
    give(world, anna)
    with clock.freeze(clock.now()) as later:
        entered(world)
        pages = {}
        for login, address in ((MAIL, "203.0.113.1"), (ZIMIN, "198.51.100.1")):
            browser = world.browser(address=address)
            pages[login] = browser, at_password(browser, party)
        for guesses in range(16):
            for login, (browser, page) in pages.items():
                assert browser.submit(page, login=login, password="not it at all").status_code == 422
            later(121 if guesses != 9 else 3601 - 9 * 121)  # the tenth locks; from then on one each time the oldest is an hour old
            pages = {login: (browser, at_password(browser, party)) for login, (browser, _) in pages.items()}
        assert sorted(event.user_id or "" for event in world.events("password.locked")) == ["", anna]
        entered(world)
        told = [message["text"] for message in world.inbox(MAIL) if not message["code"]]
    assert not world.events("notice.withheld")
    assert sum("неверный пароль" in text for text in told) == 1
    assert sum("в новом браузере" in text for text in told) == 1


def test_a_pause_after_five(world: World, party: Party) -> None:
    """It slows down before it locks: after five wrong ones the page says from when the next one is looked at."""
    give(world, id_of(world))
    with clock.freeze(clock.now()) as later:
        browser = world.browser()
        page = at_password(browser, party)
        answers = [browser.submit(page, login=MAIL, password="not it at all") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [422] * 5 + [429]
        assert 29 <= int(answers[-1].headers["Retry-After"]) <= 31
        later(31)
        assert "code" in answer_of(browser.onward(browser.submit(page, login=MAIL, password=SECRET)))


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """A network's share that is spent quickly."""
    return {"login": {"network_wrong_passwords_per_hour": 12}}


def test_one_password_with_many_logins(world: World, party: Party) -> None:
    """Case 95: spraying ends at the network's limit, which no login's limit would notice. Who is known goes on, by phone and code anybody;
    and other networks never hear of it.
    """
    give(world, id_of(world))
    own = known(world, party, ANNA, address="203.0.113.1")
    browser = world.browser()
    page = at_password(browser, party)
    answers = [browser.submit(page, login=f"user{n}@post.example", password="qwerty12345") for n in range(14)]
    assert [answer.status_code for answer in answers] == [422] * 12 + [429] * 2
    assert "Sign in with phone and code, or come back later." in text_of(answers[-1])
    assert browser.submit(page, login=MAIL, password=SECRET).status_code == 429
    mine = own.authorize(party)
    mine = own.get(f"{base_of(mine)}/password")
    assert "code" in answer_of(own.onward(own.submit(mine, login=MAIL, password=SECRET)))
    elsewhere = world.browser(address="198.51.100.7")
    assert elsewhere.submit(at_password(elsewhere, party), login=MAIL, password=SECRET).status_code == 303
    code = at_code(world, browser, party, ANNA)
    assert where(code) == "phone_code"


def test_the_line_is_full(world: World, party: Party) -> None:
    """Case 128: whoever comes when too many are hashed already is told to come back in a moment; nothing was counted, nothing looked at."""
    give(world, id_of(world))
    browser = world.browser()
    page = at_password(browser, party)
    with ExitStack() as line:
        for _ in range(world.settings.server.threads):
            line.enter_context(place())
        for text in (SECRET, "not it at all"):
            answer = browser.submit(page, login=MAIL, password=text)
            assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(password_hashing.RETRY_AFTER))
            assert f'value="{MAIL}"' in answer.text
    assert not world.events("password.wrong")
    assert "code" in answer_of(browser.onward(browser.submit(page, login=MAIL, password=SECRET)))


def test_blocked_and_changed_meanwhile(world: World, party: Party) -> None:
    """Whoever proved the password learns that the ID is blocked; a password that was changed while it was looked at opens nothing."""
    anna = id_of(world)
    give(world, anna)
    browser = world.browser()
    page = at_password(browser, party)
    with world.writes():
        users.block(anna, "fraud")
    assert browser.submit(page, login=MAIL, password=SECRET).status_code == 403
    assert browser.submit(page, login=MAIL, password="not it at all").status_code == 422
    with world.writes():
        users.unblock(anna)
    judge = password_hashing.is_right

    def slow(digest: str | None, text: str) -> bool:
        right = judge(digest, text)
        give(world, anna, NEW)
        return right

    password_hashing.is_right = slow
    try:
        answer = browser.submit(page, login=MAIL, password=SECRET)
    finally:
        password_hashing.is_right = judge
    assert (answer.status_code, WRONG in answer.text) == (422, True)
    assert how_many(world, Session) == 0


def test_a_digest_of_former_days(world: World, party: Party) -> None:
    """It is made anew, as digests are made now, when its owner signs in; and goes on to be right."""
    anna = id_of(world)
    with world.writes():
        password.keep(anna, PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(SECRET), user_id=anna, reason="set")
    for _ in range(2):
        assert "code" in answer_of(enter(world.browser(), party))
    with world.reads():
        ((_, digest),) = password.digests_of(anna)
    assert not password_hashing.is_old(digest)


@pytest.mark.parametrize("whose", ["company", "client"])
def test_once_in_each_browser_beside_the_code(world: World, story: Story, whose: str) -> None:
    """`new_browser = code+password`, of the company that is entered or of the app itself: both the first time, nothing the second, both
    again in another browser (`product.md` §3.3). An app that does not say so, for no such company, asks for the code alone.
    """
    lax, party = world.party(), world.party(new_browser="code+password" if whose == "client" else "code")
    if whose == "company":
        with world.writes():
            companies.set_policy(story.companies["romashka"], {"new_browser": "code+password"})
    lazareva = next(person for person in story.people if person.key == "lazareva")
    give(world, lazareva.user_id)
    asked = {"scope": "openid account company" if whose == "company" else "openid"}
    assert "code" in answer_of(world.sign_in(world.browser(), lax, lazareva.phone, scope="openid"))
    for _ in range(2):
        browser = world.browser()
        page = at_code(world, browser, party, lazareva.phone, **asked)
        page = browser.onward(browser.submit(page, code=world.code_for(lazareva.phone)))
        page = world.choose(browser, page, "Ромашка") if where(page) == "account" else page
        if where(page) == "further_proof":
            page = browser.get(f"{base_of(page)}/password")
        assert where(page) == "password"
        assert 'name="login"' not in page.text
        wrong = browser.submit(page, password="not it at all")
        assert (wrong.status_code, "This password is wrong." in wrong.text) == (422, True)
        claims = id_token(world, party, browser.onward(browser.submit(page, password=SECRET)))
        assert (set(claims["amr"]), claims["acr"]) == ({"sms", "pwd"}, "urn:idp:acr:mfa")  # type: ignore[arg-type]
        drop_cookies(browser, "idp_session")
        page = browser.authorize(party, **asked)
        page = press(browser, page, "Юлия Лазарева")
        answer = world.choose(browser, page, "Ромашка") if where(page) == "account" else page
        assert "code" in answer_of(answer)
