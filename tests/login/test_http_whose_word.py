"""Whose word counts no more: browsers and sessions after a rise in rights, a changed number, a company's veto; administrators' are shorter.

`product.md` §3 and §4, cases 73, 76, 78, 82 and 83, goal G-6.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from idp import clock
from idp.credentials.tables import Device
from idp.db.session import session as database
from idp.directory import accounts, companies, employees, numbers, roles, users
from idp.directory.tables import Company, Employee
from idp.errors import Conflict
from idp.oidc.change_phone import change_phone
from tests.conftest import Told
from tests.login.http_lab import claims, copy_cookies, drop_cookies, known, people_on, press, prove, provider, right_code, signed_in
from tests.login.http_lab import text_of as seen
from tests.login.lab import ANNA, OTHER, at_code, where, wrong
from tests.world import Browser, Party, World, answer_of, new_phone

NAME = "Анна Смирнова"
LAZAREVA, JULIA = "+79005553505", "Юлия Лазарева"  # an employee, no administrator
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def id_of(world: World, phone: str) -> str:
    """Whose the number is."""
    with world.reads():
        user = users.find_by_phone(phone)
        assert user is not None
        return user.id


def work_of(world: World, phone: str) -> Employee:
    """Where the person works."""
    user_id = id_of(world, phone)
    with world.reads():
        found = employees.find(str(accounts.candidates(user_id, ["employee"])[0].employee_id))
        assert found is not None
        return found


def set_policy(world: World, phone: str, **policy: str | int | None) -> None:
    """As an operator does, for the company where the person works."""
    company_id = work_of(world, phone).company_id
    with world.writes():
        assert companies.set_policy(company_id, policy)


def promote(world: World, phone: str) -> None:
    """Somebody makes the person an administrator."""
    employee = work_of(world, phone)
    with world.writes():
        employees.change_roles(employee.id, [roles.built_in(roles.ADMINISTRATOR)], by="usr_somebody")


def rules_of(world: World) -> list[str]:
    """By which rules the last sign-in was decided."""
    found: list[str] = world.events("login.succeeded")[-1].details["rules"]
    return found


def enter_code(world: World, browser: Browser, party: Party, name: str) -> dict[str, object]:
    """Press the name; a code is due, and entered with the tick as it stands."""
    page = press(browser, browser.authorize(party), name)
    assert where(page) == "phone_code"
    return claims(world, party, browser.onward(browser.submit(page, code=right_code(world, page))))


class TestTheCompany:
    """§3, §4: a company may shorten for how long a browser's word counts for its people, or take none."""

    def test_veto(self, world: World, party: Party) -> None:
        """Case 76: at the next request, in browsers that are known already; a code is asked, and the browser is not remembered again."""
        with clock.freeze(clock.now()) as later:
            browser = known(world, party, LAZAREVA)
            later(HOUR)
            assert claims(world, party, press(browser, browser.authorize(party), JULIA))["acr"] == "urn:idp:acr:remembered"
            set_policy(world, LAZAREVA, remember_browser=0)
            later(60)
            assert not signed_in(world, browser, party), "nor does a session count that is nothing but a browser's word"
            page = browser.authorize(party)
            assert "a code is needed" in seen(page)
            assert enter_code(world, browser, party, JULIA)["acr"] == "urn:idp:acr:code"
            assert rules_of(world) == ["company_browser"]
            assert signed_in(world, browser, party)
            assert world.events("device.removed")[-1].details["reason"] == "company_browser"
            drop_cookies(browser, "idp_session")
            assert where(browser.authorize(party)) == "identify"
            later(60)
            assert prove(world, browser, party, LAZAREVA)["acr"] == "urn:idp:acr:code"
            with world.reads():
                assert database.scalar(sa.select(sa.func.count()).select_from(Device).where(Device.removed_at.is_(None))) == 0

    def test_other_people_are_not_hurt(self, world: World, party: Party) -> None:
        """Whoever does not work there is known as before, in the same browser too."""
        browser = known(world, party, LAZAREVA)
        prove(world, browser, party, "+79005553510")
        set_policy(world, LAZAREVA, remember_browser=0)
        drop_cookies(browser, "idp_session")
        assert claims(world, party, press(browser, browser.authorize(party), "Павел Зимин"))["acr"] == "urn:idp:acr:remembered"

    @pytest.mark.parametrize(("days", "code"), [(2, False), (3, True), (40, True)])
    def test_shorter(self, world: World, party: Party, days: int, code: bool) -> None:
        """Three days from the last use; then a code, which begins them anew. Longer than the provider's own it cannot be."""
        with clock.freeze(clock.now()) as later:
            browser = known(world, party, LAZAREVA)
            set_policy(world, LAZAREVA, remember_browser=3 * 86400)
            later(days * DAY)
            if code:
                enter_code(world, browser, party, JULIA)
                drop_cookies(browser, "idp_session")
                later(2 * DAY)
            assert claims(world, party, press(browser, browser.authorize(party), JULIA))["acr"] == "urn:idp:acr:remembered"
            set_policy(world, LAZAREVA, remember_browser=900 * 86400)
            drop_cookies(browser, "idp_session")
            later(60 * DAY)
            assert where(browser.authorize(party)) == "identify"

    def test_a_password_that_nobody_has(self, world: World) -> None:
        """`code+password` asks for what this person cannot prove: the strongest that they can takes its place."""
        set_policy(world, LAZAREVA, new_browser="code+password")
        seller = world.party(account_types=["employee"])
        assert prove(world, world.browser(), seller, LAZAREVA, scope="openid company")["acr"] == "urn:idp:acr:code"

    def test_it_is_written_down(self, world: World) -> None:
        """House rule 6: who changed what, once."""
        set_policy(world, LAZAREVA, remember_browser=86400, new_browser="code+password")
        employee = work_of(world, LAZAREVA)
        with world.writes():
            assert not companies.set_policy(employee.company_id, {"remember_browser": 86400})
            assert companies.set_policy(employee.company_id, {"remember_browser": None})
        told = [event.details for event in world.events("company.policy_changed")]
        assert told == [{"remember_browser": 86400, "new_browser": "code+password"}, {"remember_browser": None}]
        with world.reads():
            assert database.get_one(Company, employee.company_id).remember_browser is None


class TestAdministrators:
    """`threats.md` §1.10: 30 minutes without use, eight hours in all; seven days for a browser's word."""

    @pytest.mark.parametrize(("idle", "lives"), [(timedelta(minutes=30, seconds=-1), True), (timedelta(minutes=30), False)])
    def test_idle(self, world: World, party: Party, idle: timedelta, lives: bool) -> None:
        """Case 83: refreshing is no use of the browser."""
        browser = world.browser()
        with clock.freeze(clock.now()) as later:
            tokens = world.tokens(browser, party, ANNA, scope="openid offline_access")
            later(idle / 2)
            assert world.refresh(party, tokens["refresh_token"]).status_code == 200
            later(idle / 2)
            assert signed_in(world, browser, party) is lives

    def test_eight_hours(self, world: World, party: Party) -> None:
        """Case 83: polling, a press of the name and refreshing do not move the end."""
        browser = world.browser()
        with clock.freeze(clock.now()) as later:
            until = clock.now() + 8 * HOUR
            prove(world, browser, party, ANNA)
            for turn in range(19):
                later(timedelta(minutes=25))
                assert signed_in(world, browser, party), turn
                if turn % 5 == 0:
                    press(browser, browser.authorize(party, prompt="select_account"), NAME)
            later(until - clock.now() - timedelta(seconds=1))
            assert signed_in(world, browser, party)
            later(1)
            assert not signed_in(world, browser, party)

    def test_seven_days(self, world: World, party: Party) -> None:
        """Case 78: a browser's word opens an administrator's session for a week from its last use; then a code is due."""
        with clock.freeze(clock.now()) as later:
            browser = known(world, party, ANNA)
            later(7 * DAY - timedelta(seconds=1))
            press(browser, browser.authorize(party), NAME)
            drop_cookies(browser, "idp_session")
            later(7 * DAY)
            assert enter_code(world, browser, party, NAME)["acr"] == "urn:idp:acr:code"
            assert rules_of(world) == ["administrator_browser"]

    def test_who_reads_along_at_the_gateway(self, told: Told) -> None:
        """Case 73: with the setting on, a code is not enough in a browser that does not know an administrator; their e-mail is
        asked too, no fresh ID is offered, and in a known browser nothing changes. Others, and those without an address, have the code.
        """
        with provider(told, login={"administrators_second_proof": True}) as world, clock.freeze(clock.now()) as later:
            party, browser = world.party(), world.browser()
            page = at_code(world, browser, party, ANNA)
            page = browser.onward(browser.submit(page, code=world.code_for(ANNA), remember="1"))
            assert where(page) == "further_proof"
            assert "one proof is not enough" in seen(page)
            assert 'value="anew"' not in page.text
            assert where(browser.onward(browser.submit(page, answer="anew"))) == "further_proof"
            page = browser.onward(browser.submit(page, answer="email"))
            answer = browser.onward(browser.submit(page, code=world.code_for("anna@post.example")))
            assert claims(world, party, answer)["amr"] == ["sms", "otp"]
            assert rules_of(world) == ["nobody_known"]
            assert world.events("login.further_proof_due")[-1].details["rules"] == ["nobody_known", "administrator_second_proof"]
            later(60)
            assert prove(world, browser, party, ANNA, prompt="login")["amr"] == ["sms"]
            assert prove(world, world.browser(), party, LAZAREVA)["amr"] == ["sms"]
            with world.writes():
                phone = new_phone()
                owner = users.register(phone, "Ева", "en", "1").id
                companies.register("sole_proprietor", "500100732259", "ИП Ким", owner_user_id=owner, offer_version="1")
            later(60)
            assert prove(world, world.browser(), party, phone)["amr"] == ["sms"]
            assert world.events("login.succeeded")[-1].details["unmet"] == ["administrator_second_proof"]

    def test_and_they_are_told(self, world: World, party: Party) -> None:
        """Case 73: whatever the setting, a sign-in in a new browser is told where the gateway of the texts does not read: by mail."""
        with clock.freeze(clock.now()) as later:
            prove(world, world.browser(), party, ANNA)
            later(HOUR)
            prove(world, world.browser(address="192.0.2.66", user_agent=OTHER), party, ANNA)
            assert [message["channel"] for message in world.inbox("anna@post.example")] == ["email"]
            assert not [message for message in world.inbox(ANNA) if not message["code"]]


class TestARiseInRights:
    """Cases 76 and 82: made an administrator, a person proves anew; what was proved for lesser rights is worth nothing."""

    def test_at_the_next_request(self, world: World, party: Party) -> None:
        """Before any worker ran, the session is not taken and the name needs a code. Once it ran, sessions, browsers, tokens are over."""
        with clock.freeze(clock.now()) as later:
            browser, elsewhere = world.browser(), known(world, party, LAZAREVA, address="198.51.100.9")
            later(60)
            tokens = world.tokens(browser, party, LAZAREVA, scope="openid offline_access")
            later(60)
            promote(world, LAZAREVA)
            assert not signed_in(world, browser, party)
            page = press(elsewhere, elsewhere.authorize(party), JULIA)
            assert where(page) == "phone_code"
            later(60)
            page = press(browser, browser.authorize(party), JULIA)
            mine = claims(world, party, browser.onward(browser.submit(page, code=right_code(world, page), remember="1")))
            assert rules_of(world) == ["rights_raised"]
            later(60)
            world.deliver()
            assert signed_in(world, browser, party), "what was proved after the rise stays"
            assert claims(world, party, browser.authorize(party, prompt="none"))["sid"] == mine["sid"]
            assert world.refresh(party, tokens["refresh_token"]).json()["error"] == "invalid_grant"
            assert world.userinfo(tokens["access_token"]).status_code == 401
            assert where(elsewhere.authorize(party)) == "identify"
            reasons = {event.details["reason"] for event in world.events("device.removed")}
            assert reasons == {"rights_raised"}

    def test_an_old_cookie(self, world: World, party: Party) -> None:
        """G-6: copies of session and browser from before are nothing, also for who proves elsewhere."""
        with clock.freeze(clock.now()) as later:
            browser, thief = world.browser(), world.browser(address="192.0.2.66", user_agent=OTHER)
            prove(world, browser, party, LAZAREVA)
            copy_cookies(browser, thief)
            later(60)
            promote(world, LAZAREVA)
            world.deliver()
            assert not signed_in(world, thief, party)
            assert not people_on(thief.authorize(party))

    def test_the_owner(self, world: World, party: Party) -> None:
        """Who is made the owner, too; who registers a company of their own goes on as before."""
        with clock.freeze(clock.now()) as later:
            promote(world, LAZAREVA)
            world.deliver()
            later(60)
            browser = world.browser()
            sub, employee = str(prove(world, browser, party, LAZAREVA)["sub"]), work_of(world, LAZAREVA)
            later(60)
            with world.writes():
                companies.register("sole_proprietor", "500100732259", "ИП Лазарева", owner_user_id=sub, offer_version="1")
            assert signed_in(world, browser, party)
            with world.writes():
                employees.replace_owner(employee.company_id, employee.id)
            assert not signed_in(world, browser, party)


class TestAChangedNumber:
    """Case 76, NIST SP 800-63B-4 §3.1.3: a new number is a new authenticator."""

    def test_all_ends(self, world: World, party: Party) -> None:
        """Sessions, browsers, tokens, at the next request; the new number signs in to the same ID, the former one begins another."""
        user_id, phone = id_of(world, LAZAREVA), new_phone()
        with clock.freeze(clock.now()) as later:
            browser, elsewhere = world.browser(), known(world, party, LAZAREVA, address="198.51.100.9")
            later(60)
            tokens = world.tokens(browser, party, LAZAREVA, scope="openid offline_access")
            later(60)
            with world.writes():
                assert change_phone(user_id, phone, actor_id="operator") == (2, 2, 1)
            assert not signed_in(world, browser, party)
            assert where(elsewhere.authorize(party)) == "identify"
            assert world.refresh(party, tokens["refresh_token"]).json()["error"] == "invalid_grant"
            assert prove(world, world.browser(), party, phone)["sub"] == user_id
            page = at_code(world, world.browser(), party, LAZAREVA)
            assert where(page) == "phone_code"
        assert [event.actor_id for event in world.events("user.phone_changed")] == ["operator"]

    def test_who_is_told(self, world: World) -> None:
        """Case 97: the former number and the mail, once each; the new number, which somebody may just have put there, is not."""
        user_id, phone = id_of(world, LAZAREVA), new_phone()
        with world.writes():
            change_phone(user_id, phone)
        assert [len(world.inbox(to)) for to in (LAZAREVA, "lazareva@post.example", phone)] == [1, 1, 0]
        assert "изменён" in world.inbox("lazareva@post.example")[0]["text"]

    def test_somebody_elses(self, world: World) -> None:
        """A number that is another ID's cannot be given; one's own is only believed."""
        user_id = id_of(world, LAZAREVA)
        with world.writes(), pytest.raises(Conflict):
            change_phone(user_id, ANNA)
        with world.writes():
            numbers.doubt(user_id, LAZAREVA)
            assert change_phone(user_id, LAZAREVA) is None
        with world.reads():
            assert users.get(user_id).phone_doubted_at is None
        assert not world.events("user.signed_out_everywhere")


class TestAStrangePlace:
    """§3.4, risk: a copied cookie shows itself where network and language are both others."""

    def test_both(self, world: World, party: Party) -> None:
        """Another network alone is how people live; with another language a code is due before the name opens anything."""
        browser, away = known(world, party, LAZAREVA), world.browser(address="192.0.2.66", user_agent=OTHER)
        copy_cookies(browser, away, "idp_browser")
        away.headers["Accept-Language"] = "zh-CN"
        page = away.authorize(party, ui_locales="en")
        assert "a code is needed" in seen(page)
        assert where(press(away, page, JULIA)) == "phone_code"
        assert not world.events("login.succeeded")[1:]
        away.headers["Accept-Language"] = "en-GB,en;q=0.5"
        assert claims(world, party, press(away, away.authorize(party, ui_locales="zh"), JULIA))["acr"] == "urn:idp:acr:remembered"
        assert world.events("login.succeeded")[-1].details["signs"] == ["new_network"]

    def test_in_a_new_browser(self, world: World, party: Party) -> None:
        """There a code is due anyway; what was strange stands in the event, with the rule that nobody can meet yet."""
        with clock.freeze(clock.now()) as later:
            prove(world, world.browser(), party, LAZAREVA)
            later(60)
            away = world.browser(address="192.0.2.66", user_agent=OTHER)
            away.headers["Accept-Language"] = "zh-CN"
            prove(world, away, party, LAZAREVA)
        told = world.events("login.succeeded")[-1].details
        assert told["signs"] == ["new_language", "new_network"]
        assert (told["rules"], told["unmet"], told["trust"]) == (["nobody_known", "strange_sign_in"], ["strange_sign_in"], "new")


def test_guesses_at_the_number_are_strange(world: World, party: Party) -> None:
    """Case 69: many wrong codes stand in the event of whoever comes next in a new browser; in a known one a press is enough."""
    with clock.freeze(clock.now()) as later:
        browser = known(world, party, LAZAREVA)
        later(60)
        stranger = world.browser(address="192.0.2.66")
        page = at_code(world, stranger, party, LAZAREVA)
        for _ in range(5):
            stranger.submit(page, code=wrong(right_code(world, page)))
        assert claims(world, party, press(browser, browser.authorize(party), JULIA))["acr"] == "urn:idp:acr:remembered"
        assert "signs" not in world.events("login.succeeded")[-1].details
        later(60)
        prove(world, world.browser(address="192.0.2.7"), party, LAZAREVA)
    told = world.events("login.succeeded")[-1].details
    assert told["signs"] == ["many_failures", "new_language", "new_network"]
    assert told["unmet"] == ["strange_sign_in"]


def test_what_is_demanded_is_told(world: World, party: Party) -> None:
    """Cases 10 and 78: prompt=login, max_age and acr_values are stronger than any browser's word, each by its own rule."""
    with clock.freeze(clock.now()) as later:
        browser = known(world, party, LAZAREVA)
        for asked, rule in (
            ({"prompt": "login"}, "fresh_proof"),
            ({"max_age": "60"}, "fresh_proof"),
            ({"acr_values": "urn:idp:acr:code"}, "acr_values"),
        ):
            drop_cookies(browser, "idp_session")
            later(HOUR)
            page = press(browser, browser.authorize(party, **asked), JULIA)
            assert where(page) == "phone_code"
            assert "code" in answer_of(browser.onward(browser.submit(page, code=right_code(world, page), remember="1")))
            assert rules_of(world) == [rule]
        drop_cookies(browser, "idp_session")
        later(60)
        press(browser, browser.authorize(party), JULIA)
        assert rules_of(world) == []
