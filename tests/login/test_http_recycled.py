"""Numbers that changed hands: a code alone does not open an ID that was silent for long. `product.md` §6.4, NIST SP 800-63B-4 §3.1.3."""

from __future__ import annotations

from datetime import timedelta

import httpx2
import pytest
import sqlalchemy as sa

from idp import clock
from idp.credentials import phone_limits
from idp.db.session import session as database
from idp.delegation.tables import TokenFamily
from idp.directory import accounts, invitations, users
from idp.directory.tables import Account, User
from idp.errors import Gone
from idp.login.tables import Session
from tests.conftest import Told
from tests.login.http_lab import (
    ORLOV,
    base_of,
    claims,
    cookies_set,
    drop_cookies,
    known,
    people_on,
    post,
    press,
    prove,
    provider,
    right_code,
    signed_in,
    text_of,
)
from tests.login.lab import at_code, how_many, where, wrong
from tests.world import Browser, Party, World, answer_of, new_phone

ZIMIN, NAME, MAIL = "+79005553510", "Павел Зимин", "zimin@post.example"
SILENCE = timedelta(days=180)


def id_of(world: World, phone: str) -> str:
    """Whose the number is."""
    with world.reads():
        user = users.find_by_phone(phone)
        assert user is not None
        return user.id


def person(world: World, user_id: str) -> User:
    """As they are now."""
    with world.reads():
        return users.get(user_id)


def without_email(world: World) -> str:
    """The number of somebody who never gave an address."""
    phone = new_phone()
    with world.writes():
        users.register(phone, "Ева Ким", "en", "1")
    return phone


def at_question(world: World, browser: Browser, party: Party, phone: str, **asked: str) -> httpx2.Response:
    """The page that is shown after the right code."""
    page = at_code(world, browser, party, phone, **asked)
    page = browser.onward(browser.submit(page, code=world.code_for(phone)))
    assert where(page) == "further_proof", page.text
    return page


def begin_anew(browser: Browser, page: httpx2.Response, name: str = "Новый Человек") -> httpx2.Response:
    """Press `Begin a fresh ID`, give a name; the answer to it."""
    form = browser.onward(browser.submit(page, answer="anew"))
    assert where(form) == "register"
    return browser.submit(form, name=name, terms="1")


def by_email(world: World, browser: Browser, page: httpx2.Response, to: str = MAIL) -> httpx2.Response:
    """Have a code sent to the address and enter it; follows the answer."""
    page = browser.onward(browser.submit(page, answer="email"))
    assert where(page) == "email_code"
    return browser.onward(browser.submit(page, code=world.code_for(to)))


@pytest.mark.parametrize(("silence", "asked"), [(SILENCE - timedelta(seconds=1), False), (SILENCE, True)])
def test_after_so_long(world: World, party: Party, silence: timedelta, asked: bool) -> None:
    """To the second: until then a code opens the ID, from then on it does not."""
    with clock.freeze(clock.now()) as later:
        prove(world, world.browser(), party, ZIMIN)
        later(silence)
        browser = world.browser()
        page = at_code(world, browser, party, ZIMIN)
        answer = browser.submit(page, code=world.code_for(ZIMIN))
        assert (answer.headers["Location"].endswith("/further_proof")) is asked
        assert ("idp_session" in cookies_set(answer)) is not asked


def test_the_setting(told: Told) -> None:
    """`[login] recycled_after = 0`: a code always opens the ID."""
    with provider(told, login={"recycled_after": 0}) as world, clock.freeze(clock.now()) as later:
        later(10 * SILENCE)
        assert prove(world, world.browser(), world.party(), ZIMIN)["acr"] == "urn:idp:acr:code"


class TestWhatIsShown:
    """Whoever has the number learns nothing of whose it was."""

    def test_nothing_of_the_former_person(self, world: World, party: Party) -> None:
        """Neither name nor address stands on any page of it; the address is masked."""
        with clock.freeze(clock.now()) as later:
            later(SILENCE)
            browser = world.browser()
            page = at_question(world, browser, party, ZIMIN)
            assert "z•••@p•••.example" in text_of(page)
            mail = browser.onward(browser.submit(page, answer="email"))
            form = browser.onward(post(browser, page, "further_proof", answer="anew"))
            for shown in (page, mail, form):
                assert shown.status_code == 200
                for word in ("Зимин", "Павел", "zimin", "post.example"):
                    assert word not in shown.text, str(shown.url)

    def test_before_the_code_all_is_the_same(self, world: World, party: Party) -> None:
        """Case 70: only the right code tells that the number was anybody's."""
        with clock.freeze(clock.now()) as later:
            later(SILENCE)
            for phone in (ZIMIN, new_phone()):
                browser = world.browser()
                page = at_code(world, browser, party, phone)
                assert where(page) == "phone_code"
                assert browser.submit(page, code=wrong(right_code(world, page))).status_code == 422
                assert where(browser.go(f"{base_of(page)}/further_proof")) == "phone_code"

    def test_without_an_address(self, world: World, party: Party) -> None:
        """Then there is only the fresh ID, and no button for an e-mail that there is not."""
        phone = without_email(world)
        with clock.freeze(clock.now()) as later:
            later(SILENCE)
            browser = world.browser()
            page = at_question(world, browser, party, phone)
            assert 'value="email"' not in page.text
            assert where(browser.onward(post(browser, page, answer="email"))) == "further_proof"
            assert post(browser, page, answer="email").status_code == 422
            assert not world.inbox(phone)[0]["to"].count("@")


class TestTheSamePerson:
    """The e-mail proves that number and ID still belong together."""

    def test_by_email(self, world: World, party: Party) -> None:
        """In as themselves; both proofs stand in `amr`, and no level is reached by it that one code does not reach."""
        user_id = id_of(world, ZIMIN)
        with clock.freeze(clock.now()) as later:
            later(SILENCE)
            browser = world.browser()
            told = claims(world, party, by_email(world, browser, at_question(world, browser, party, ZIMIN)))
            assert (told["sub"], told["amr"], told["acr"]) == (user_id, ["sms", "otp"], "urn:idp:acr:code")
            assert person(world, user_id).phone_doubted_at is None
            later(60)
            assert prove(world, world.browser(), party, ZIMIN)["sub"] == user_id, "from now on a code is enough again"
        assert [event.details["rules"] for event in world.events("login.further_proof_due")] == [["nobody_known", "silent_number"]]

    def test_five_guesses(self, world: World, party: Party) -> None:
        """Case 53: five tries; the right one after them wins nothing, and the code to the phone is no code of the e-mail."""
        with clock.freeze(clock.now()) as later:
            later(SILENCE)
            browser = world.browser()
            page = at_code(world, browser, party, ZIMIN)
            to_phone = world.code_for(ZIMIN)
            page = browser.onward(browser.submit(page, code=to_phone))
            page = browser.onward(browser.submit(page, answer="email"))
            right = world.code_for(MAIL)
            guesses = [to_phone if to_phone != right else wrong(right), *[wrong(right)] * 4]
            answers = [browser.submit(page, code=guess) for guess in guesses]
            assert [answer.status_code for answer in answers] == [422] * 5
            assert "Too many wrong codes" in text_of(answers[-1])
            assert browser.submit(page, code=right).status_code == 422
            assert how_many(world, Session) == 0

    def test_a_right_text_message_ends_no_row(self, told: Told) -> None:
        """NIST SP 800-63B-4 §3.2.2: who holds the number has every code by text right, and all the same guesses at the e-mail's only so
        often in a row, over all days and sign-ins; then that way is closed until support opens it, and the others are not.
        """
        with provider(told, login={"number_wrong_in_a_row": 8}) as world, clock.freeze(clock.now()) as later:
            party = world.party()
            later(SILENCE)
            for guesses in (5, 3):
                later(timedelta(days=1))
                browser = world.browser()
                page = browser.onward(browser.submit(at_question(world, browser, party, ZIMIN), answer="email"))
                right = world.code_for(MAIL)
                assert [browser.submit(page, code=wrong(right)).status_code for _ in range(guesses)] == [422] * guesses
            closed = browser.submit(page, code=right)
            assert closed.status_code == 429
            assert "Write to support" in text_of(closed)
            later(timedelta(days=2))
            browser = world.browser()
            page = at_question(world, browser, party, ZIMIN)
            refused = browser.submit(page, answer="email")
            assert refused.status_code == 429
            assert "Write to support" in text_of(refused)
            assert f"{base_of(page)}/help?about=locked" in refused.text
            assert where(browser.onward(browser.submit(refused, answer="anew"))) == "register"
            with world.writes():
                assert phone_limits.turn_on(ZIMIN)
            later(60)
            browser = world.browser()
            assert "code" in answer_of(by_email(world, browser, at_question(world, browser, party, ZIMIN)))

    def test_sent_again(self, world: World, party: Party) -> None:
        """Case 65: after the pause the same code; once its time is over, a new one, and the former is worth nothing."""
        with clock.freeze(clock.now()) as later:
            later(SILENCE)
            browser = world.browser()
            page = at_question(world, browser, party, ZIMIN)
            page = browser.onward(browser.submit(page, answer="email"))
            first = world.code_for(MAIL)
            assert where(browser.onward(browser.press(page, "/resend"))) == "email_code"
            assert len(world.inbox(MAIL)) == 1, "not before the pause"
            later(31)
            page = browser.onward(browser.press(page, "/resend"))
            assert [message["code"] for message in world.inbox(MAIL)] == [first, first]
            later(300)
            assert "The time of this code is over" in text_of(browser.get(str(page.url)))
            page = browser.onward(browser.press(page, "/resend"))
            second = world.code_for(MAIL)
            if second != first:
                assert browser.submit(page, code=first).status_code == 422
            assert "code" in answer_of(browser.onward(browser.submit(page, code=second)))

    def test_a_browser_that_vouches(self, told: Told) -> None:
        """A browser that the ID trusts: a press is enough, a code there is too, and it ends the doubt."""
        with provider(told, login={"remember_browser": 400 * 86400}) as world, clock.freeze(clock.now()) as later:
            party = world.party()
            browser, user_id = known(world, party, ZIMIN), id_of(world, ZIMIN)
            later(SILENCE)
            at_question(world, world.browser(), party, ZIMIN)
            assert person(world, user_id).phone_doubted_at is not None
            assert claims(world, party, press(browser, browser.authorize(party), NAME))["sub"] == user_id
            later(60)
            at_question(world, world.browser(address="192.0.2.7"), party, ZIMIN)  # not silent any more, but doubted
            later(60)
            assert prove(world, browser, party, ZIMIN, prompt="login")["sub"] == user_id
            assert person(world, user_id).phone_doubted_at is None
            later(60)
            assert prove(world, world.browser(address="198.51.100.7"), party, ZIMIN)["sub"] == user_id


class TestAFreshId:
    """Whoever has the number now is somebody else."""

    def test_what_moves(self, world: World, party: Party) -> None:
        """The number, and nothing else: sessions, browsers, tokens and the account stay with the former ID, which is told by mail."""
        former = id_of(world, ZIMIN)
        with clock.freeze(clock.now()) as later:
            old = world.browser()
            tokens = world.tokens(old, party, ZIMIN, scope="openid offline_access")
            later(timedelta(days=29))
            with world.writes():  # long silent, but for a browser and a token that live for longer than the silence of this test
                backdated = sa.update(User).where(User.id == former)
                ago = clock.now() - SILENCE
                database.execute(backdated.values(last_sign_in_at=ago, created_at=ago, phone_verified_at=ago))
            browser = world.browser(address="192.0.2.7")
            page = at_question(world, browser, party, ZIMIN)
            mine = claims(world, party, browser.onward(begin_anew(browser, page)))["sub"]
            assert mine != former
            assert id_of(world, ZIMIN) == mine
            assert person(world, former).phone is None
            assert person(world, former).name == "Павел Зимин"
            assert world.refresh(party, tokens["refresh_token"]).status_code == 200
            drop_cookies(old, "idp_session")
            assert claims(world, party, press(old, old.authorize(party), NAME))["sub"] == former
            assert not people_on(browser.authorize(party, prompt="select_account")).get(NAME)
            with world.reads():
                for model in (TokenFamily, Session):
                    assert set(database.scalars(sa.select(model.user_id).where(model.user_id.in_([former, mine])))) == {former, mine}
                assert database.scalar(sa.select(sa.func.count()).where(Account.user_id == mine)) == 1
            told = [message for message in world.inbox(MAIL) if not message["code"]]
            assert "номер" in told[0]["text"]
            assert [event.user_id for event in world.events("user.phone_given_up")] == [former]
            later(60)
            assert prove(world, world.browser(), party, ZIMIN)["sub"] == mine, "a new ID is not silent"

    def test_not_asked_there_is_no_way_to_it(self, world: World, party: Party) -> None:
        """Case 60: the page's address and its buttons do nothing for a number that a code opens; nor does `register` before the choice."""
        browser = world.browser()
        page = at_code(world, browser, party, ORLOV)
        for step in ("further_proof", "email_code", "register"):
            assert where(browser.go(f"{base_of(page)}/{step}")) == "phone_code"
            assert where(browser.onward(post(browser, page, step, answer="anew", code="123456", name="Ева", terms="1"))) == "phone_code"
        with clock.freeze(clock.now()) as later:
            later(SILENCE)
            browser = world.browser()
            page = at_question(world, browser, party, ZIMIN)
            for step in ("email_code", "register", "phone_code", "people"):
                assert where(browser.onward(post(browser, page, step, name="Ева", terms="1", code="000000", person="x"))) == "further_proof"
            assert how_many(world, Session) == 0

    def test_in_another_browser(self, world: World, party: Party) -> None:
        """Cases 7 and 8: the address of the question is worth nothing elsewhere."""
        with clock.freeze(clock.now()) as later:
            later(SILENCE)
            page = at_question(world, world.browser(), party, ZIMIN)
            assert world.browser().get(str(page.url)).status_code == 410

    def test_the_owner_came_meanwhile(self, told: Told) -> None:
        """Between the question and the name the owner shows that the number is theirs: nothing moves, and the stranger is in nowhere."""
        with provider(told, login={"remember_browser": 400 * 86400}) as world, clock.freeze(clock.now()) as later:
            party = world.party()
            owners, user_id = known(world, party, ZIMIN), id_of(world, ZIMIN)
            later(SILENCE)
            browser = world.browser(address="192.0.2.7")
            form = browser.onward(browser.submit(at_question(world, browser, party, ZIMIN), answer="anew"))
            later(60)
            prove(world, owners, party, ZIMIN, prompt="login")
            answer = browser.submit(form, name="Чужой", terms="1")
            assert "idp_session" not in cookies_set(answer)
            assert where(browser.onward(answer)) == "identify"
            assert id_of(world, ZIMIN) == user_id

    def test_the_question_comes_again(self, world: World, party: Party) -> None:
        """Whoever could not answer is asked again, also after the owner pressed their name somewhere: the doubt stays."""
        with clock.freeze(clock.now()) as later:
            later(SILENCE)
            at_question(world, world.browser(), party, ZIMIN)
            user_id = id_of(world, ZIMIN)
            with world.writes():
                users.note_sign_in(user_id)
            later(60)
            at_question(world, world.browser(), party, ZIMIN)
        assert world.events("login.further_proof_due")[-1].details["rules"] == ["nobody_known", "doubted_number"]

    def test_another_person_is_wanted(self, world: World, party: Party) -> None:
        """An app that asks for one ID gets no fresh one instead, and the number stays where it is."""
        with clock.freeze(clock.now()) as later:
            hint = world.tokens(world.browser(), party, ZIMIN)["id_token"]
            user_id = id_of(world, ZIMIN)
            later(SILENCE)
            browser = world.browser()
            page = at_question(world, browser, party, ZIMIN, id_token_hint=hint)
            assert browser.submit(page, answer="anew").status_code == 403
            assert id_of(world, ZIMIN) == user_id

    def test_invitations_do_not_follow(self, world: World, party: Party) -> None:
        """What was sent to the number before it moved has run out for its new holder, until the inviter sends it again."""
        with clock.freeze(clock.now()) as later:
            later(SILENCE)
            anna = id_of(world, "+79005553501")
            with world.writes():
                owner = next(each for each in accounts.candidates(anna, ["employee"]) if each.is_owner)
                issued = invitations.create(str(owner.company_id), "rol_accountant", inviter=owner, phone=ZIMIN)
            browser = world.browser()
            sub = claims(world, party, browser.onward(begin_anew(browser, at_question(world, browser, party, ZIMIN))))["sub"]
            with world.writes(), pytest.raises(Gone):
                invitations.accept(issued.token, sub)
            with world.reads():
                assert invitations.waiting_for(sub) == []
            with world.writes():
                renewed = invitations.resend(issued.invitation_id, by=owner)
                assert invitations.accept(renewed.token, sub)


def test_a_blocked_id(world: World, party: Party) -> None:
    """Blocked stays blocked: a fresh ID is no way round it."""
    user_id = id_of(world, ZIMIN)
    with world.writes():
        users.block(user_id, "fraud")
    with clock.freeze(clock.now()) as later:
        later(SILENCE)
        browser = world.browser()
        page = at_code(world, browser, party, ZIMIN)
        assert browser.submit(page, code=world.code_for(ZIMIN)).status_code == 403
    assert person(world, user_id).phone == ZIMIN


def test_a_test_number_never_changes_hands(told: Told) -> None:
    """§2.8: a listed number is nobody's line; a reviewer who comes once a year is in."""
    with provider(told, login={"test_numbers": {ZIMIN: "424242"}}) as world, clock.freeze(clock.now()) as later:
        later(2 * SILENCE)
        browser, party = world.browser(), world.party()
        assert "code" in answer_of(browser.onward(browser.submit(at_code(world, browser, party, ZIMIN), code="424242")))
        assert signed_in(world, browser, party)
