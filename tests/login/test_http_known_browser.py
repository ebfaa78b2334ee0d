"""The browser that is known: several people in it, the tick, theft. `product.md` §3, cases 75, 77, 79."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from idp import clock
from idp.credentials.tables import Browser as BrowserRow
from idp.credentials.tables import Device
from idp.db.session import session as database
from idp.directory import users
from idp.login.tables import Session
from tests.login.http_lab import (
    CHROME,
    ORLOV,
    base_of,
    claims,
    cookie,
    cookies_set,
    copy_cookies,
    drop_cookies,
    guess_wrong,
    known,
    people_on,
    post,
    press,
    prove,
    right_code,
    signed_in,
    text_of,
)
from tests.login.lab import ANNA, OTHER, at_code, how_many, where, words
from tests.machine import count
from tests.world import Browser, Party, World, answer_of

ZIMIN = "+79005553510"  # no administrator: those are remembered for a shorter time
NAME, SECOND = "Анна Смирнова", "Алексей Орлов"


def both(world: World, party: Party) -> Browser:
    """A browser that two people trust, in which nobody is signed in."""
    browser = known(world, party, ANNA)
    prove(world, browser, party, ORLOV)
    drop_cookies(browser, "idp_session")
    return browser


def live_devices(world: World) -> int:
    """How many browsers are trusted by how many people."""
    with world.reads():
        return int(database.scalar(sa.select(sa.func.count()).select_from(Device).where(Device.removed_at.is_(None))) or 0)


class TestSeveralPeople:
    """One browser, a family."""

    def test_press_a_name(self, world: World, party: Party) -> None:
        """Each presses their own name and is in as themselves, with numbers masked on the page."""
        browser = both(world, party)
        page = browser.authorize(party)
        assert list(people_on(page)) == [SECOND, NAME], "who was here last stands first"
        assert "+7 ••• •••-35-01" in words(page)
        assert ANNA not in page.text
        subs = {}
        for name, phone in ((NAME, ANNA), (SECOND, ORLOV)):
            drop_cookies(browser, "idp_session")
            subs[phone] = claims(world, party, press(browser, browser.authorize(party), name))["sub"]
        with world.reads():
            assert {users.get(sub).phone: phone for phone, sub in subs.items()} == {ANNA: ANNA, ORLOV: ORLOV}

    def test_another_takes_over(self, world: World, party: Party) -> None:
        """A press by the other one ends the first one's session: never two people in one session (case 15)."""
        browser = both(world, party)
        first = claims(world, party, press(browser, browser.authorize(party), NAME))
        copied = world.browser()
        copy_cookies(browser, copied, "idp_session")
        second = claims(world, party, press(browser, browser.authorize(party, prompt="select_account"), SECOND))
        assert second["sid"] != first["sid"]
        assert not signed_in(world, copied, party)

    def test_another_number(self, world: World, party: Party) -> None:
        """`Another number` leads to the field, and a third person joins the list."""
        browser = both(world, party)
        page = browser.authorize(party)
        assert f'href="{base_of(page)}/identify"' in page.text
        prove(world, browser, party, "+79005553503")
        drop_cookies(browser, "idp_session")
        assert len(people_on(browser.authorize(party))) == 3

    def test_remove(self, world: World, party: Party) -> None:
        """Taken off the list: needs a code from then on, here and only here; the other one stays."""
        browser, elsewhere = both(world, party), known(world, party, ANNA, address="198.51.100.9")
        page = browser.authorize(party)
        person = people_on(page)[NAME]
        page = browser.get(f"{page.url}?removing=1")
        assert "Who should be removed" in words(page)
        page = browser.onward(browser.submit(page, person=person))
        assert list(people_on(page)) == [SECOND]
        assert where(browser.onward(post(browser, page, person=person))) == "people", "the old page's button is nobody's now"
        assert how_many(world, Session) == 3
        assert list(people_on(elsewhere.authorize(party))) == [NAME]
        assert world.events("device.removed")[-1].details["reason"] == "forgotten"

    def test_remove_somebody_elsewhere(self, world: World, party: Party) -> None:
        """Only who is on this browser's own list can be taken off it."""
        browser, elsewhere = both(world, party), known(world, party, ANNA, address="198.51.100.9")
        theirs = people_on(elsewhere.authorize(party))[NAME]
        page = browser.authorize(party)
        for person in (theirs, "", "dev_1", "ses_1", "x" * 5000):
            post(browser, page, "people/forget", person=person)
        assert live_devices(world) == 3

    def test_a_blocked_person(self, world: World, party: Party) -> None:
        """Blocked: not on the list any more, and an old page's button opens nothing."""
        browser = both(world, party)
        page = browser.authorize(party)
        with world.writes():
            blocked = users.find_by_phone(ANNA)
            assert blocked is not None
            users.block(blocked.id, "fraud")
        assert where(press(browser, page, NAME)) == "people"
        assert list(people_on(browser.authorize(party))) == [SECOND]
        assert not signed_in(world, browser, party)


class TestTheTick:
    """§3.1: `Remember this browser`, on beforehand."""

    def test_on_beforehand(self, world: World, party: Party) -> None:
        """It is ticked, and says for how many days."""
        page = at_code(world, world.browser(), party, ANNA)
        assert 'name="remember" value="1" checked' in page.text
        assert "Remember this browser for 60 days" in text_of(page)

    def test_off(self, world: World, party: Party) -> None:
        """Taken off: nothing is trusted, nothing is on the list, the session ends with the window."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        answer = post(browser, page, code=right_code(world, page))
        assert set(cookies_set(answer)) == {"idp_session", "idp_session_state", "idp_shared"}
        assert "Max-Age" not in cookies_set(answer)["idp_session"]
        assert live_devices(world) == 0
        drop_cookies(browser, "idp_session")
        assert where(browser.authorize(party)) == "identify"

    def test_off_where_it_was_on(self, world: World, party: Party) -> None:
        """Taken off in a browser that knows the person: it forgets this person, and nobody else."""
        browser = both(world, party)
        page = browser.onward(browser.submit(browser.get(f"{base_of(browser.authorize(party))}/identify"), phone=ANNA))
        answer = post(browser, page, code=right_code(world, page))
        assert "Max-Age" not in cookies_set(answer)["idp_session"]
        drop_cookies(browser, "idp_session")
        assert list(people_on(browser.authorize(party))) == [SECOND]
        assert world.events("device.removed")[-1].details["reason"] == "not_remembered"

    def test_kept_through_a_wrong_code(self, world: World, party: Party) -> None:
        """A wrong code leaves the tick as the person set it."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        assert 'name="remember" value="1" checked' in guess_wrong(world, browser, page)[0].text
        assert "checked" not in post(browser, page, code="12345").text

    def test_what_the_browser_is_called(self, world: World, party: Party) -> None:
        """§3.1: named by browser and system, with where it was first and last used."""
        known(world, party, ANNA, user_agent=OTHER, address="203.0.113.7")
        with world.reads():
            row = database.scalars(sa.select(BrowserRow)).one()
            assert (row.name, row.first_ip, row.last_ip) == ("Firefox, Windows", "203.0.113.7", "203.0.113.7")


class TestWhoseDevice:
    """Case 75."""

    def test_it_is_nobody_elses(self, world: World, party: Party) -> None:
        """A's device at B's sign-in is ignored: B needs a code, A's name gives A's session and not B's; afterwards each has their own."""
        browser = known(world, party, ANNA)
        hers = people_on(browser.authorize(party))[NAME]
        page = browser.onward(browser.submit(browser.get(f"{base_of(browser.authorize(party))}/identify"), phone=ORLOV))
        assert where(page) == "phone_code"
        for fields in ({"person": hers, "code": ""}, {"device": hers, "phone": ORLOV}):
            assert post(browser, page, **fields).status_code == 422
        assert how_many(world, Session) == 1
        assert claims(world, party, browser.onward(browser.submit(page, code=right_code(world, page))))["acr"] == "urn:idp:acr:code"
        assert live_devices(world) == 2

    def test_only_the_person_asked_for(self, world: World, party: Party) -> None:
        """`id_token_hint` of another person: A is not on the list, and pressing A's name by hand does nothing."""
        hint = world.tokens(world.browser(address="198.51.100.9"), party, ORLOV)["id_token"]
        browser = known(world, party, ANNA)
        hers = people_on(browser.authorize(party))[NAME]
        page = browser.authorize(party, id_token_hint=hint)
        assert where(page) == "identify"
        assert "35-01" not in page.text
        assert "Орлов" not in page.text
        assert where(browser.onward(post(browser, page, "people", person=hers))) == "identify"
        page = browser.onward(browser.submit(page, phone=ANNA))
        refused = browser.submit(page, code=right_code(world, page))
        assert refused.status_code == 403
        assert "The app asks for another ID" in text_of(refused)
        assert not cookies_set(refused)
        assert world.events("login.refused")[-1].details["reason"] == "another_id"

    @pytest.mark.parametrize("forge", ["counter", "other id", "signature", "none", "jwt"])
    def test_a_cookie_that_we_did_not_make(self, world: World, party: Party, forge: str) -> None:
        """Case 77: changed or invented, it is nobody's; it is no theft either, and the real one goes on."""
        browser = known(world, party, ANNA)
        real = cookie(browser, "idp_browser") or ""
        browser_id, counter, mark = real.split(".")
        forged = {
            "counter": f"{browser_id}.{int(counter) + 1}.{mark}",
            "other id": f"brw_{'0' * 26}.{counter}.{mark}",
            "signature": f"{browser_id}.{counter}.{'A' * 43}",
            "none": f"{browser_id}.{counter}.",
            "jwt": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c3JfMSJ9.",
        }[forge]
        other = world.browser(address="198.51.100.9")
        other.cookies.set("idp_browser", forged, domain="localhost.local")
        assert where(other.authorize(party)) == "identify"
        assert not world.events("browser.stolen")
        assert where(browser.authorize(party)) == "people"


class TestTheft:
    """Case 77: a copied cookie is noticed by whoever comes second, and both are out."""

    @pytest.mark.parametrize("agent", [OTHER, CHROME], ids=["another browser", "one that calls itself the same"])
    @pytest.mark.parametrize("first", ["owner", "thief"])
    def test_both_are_out(self, world: World, party: Party, agent: str, first: str) -> None:
        """Whoever of the two goes on first: when the other comes, nobody is known and nobody is signed in; the person is told, once."""
        with clock.freeze(clock.now()) as later:
            owner, thief = known(world, party, ANNA), world.browser(address="192.0.2.66", user_agent=agent)
            copy_cookies(owner, thief, "idp_browser")
            one, other = (owner, thief) if first == "owner" else (thief, owner)
            later(3600)
            assert "code" in answer_of(press(one, one.authorize(party), NAME))
            assert signed_in(world, one, party)
            later(61)
            page = other.authorize(party)
            assert where(page) == "identify"
            assert not people_on(page)
            assert not signed_in(world, one, party)
            assert where(one.authorize(party)) == "identify"
            assert live_devices(world) == 0
            (event,) = world.events("browser.stolen")
            with world.reads():
                assert users.get(event.user_id or "").phone == ANNA
            assert [ended.details["reason"] for ended in world.events("session.ended")] == ["browser_stolen"] * 2
            notices = [message for message in world.inbox(ANNA) if not message["code"]]
            assert len(notices) == 1
            assert "used from another browser" in notices[0]["text"] or "друг" in notices[0]["text"]
            for browser in (one, other):
                browser.authorize(party)
            assert len(world.events("browser.stolen")) == 1
            assert len([message for message in world.inbox(ANNA) if not message["code"]]) == 1
            later(600)
            assert prove(world, owner, party, ANNA)["acr"] == "urn:idp:acr:code", "the owner begins anew"

    def test_everybody_in_it_is_told(self, world: World, party: Party) -> None:
        """Two people trusted the browser: each has an event and a notice, in their own language."""
        with clock.freeze(clock.now()) as later:
            owner = both(world, party)
            thief = world.browser(address="192.0.2.66", user_agent=OTHER)
            copy_cookies(owner, thief, "idp_browser")
            later(61)
            press(thief, thief.authorize(party), NAME)
            owner.authorize(party)
            assert len({event.user_id for event in world.events("browser.stolen")}) == 2
            for phone in (ANNA, ORLOV):
                assert len([message for message in world.inbox(phone) if not message["code"]]) == 1

    def test_a_live_session_does_not_hide_it(self, world: World, party: Party) -> None:
        """The owner stays signed in while the thief uses the copy; when the owner next shows the old cookie, the thief is out."""
        with clock.freeze(clock.now()) as later:
            owner, thief = world.browser(), world.browser(address="192.0.2.66", user_agent=OTHER)
            prove(world, owner, party, ANNA)
            copy_cookies(owner, thief, "idp_browser")
            later(600)
            press(thief, thief.authorize(party), NAME)
            later(61)
            owner.authorize(party, prompt="select_account")
            assert not signed_in(world, thief, party)
            assert len(world.events("browser.stolen")) == 1

    def test_two_tabs(self, world: World, party: Party) -> None:
        """Two tabs that press at the same moment, or one after the other: both are in, and it is no theft."""
        for turn in range(count(3, 20)):
            browser = known(world, party, ANNA, address=f"198.51.{turn}.7")
            pages = [browser.authorize(party, state=f"tab {n}") for n in range(2)]
            sent = [browser.filled(page, person=people_on(page)[NAME]) for page in pages]
            with ThreadPoolExecutor(2) as pool:
                answers = list(pool.map(browser.send, sent))
            assert {answer.status_code for answer in answers} == {303}
            values = {cookies_set(answer)["idp_browser"].partition(";")[0] for answer in answers}
            assert len(values) == 1, "both tabs hold the same value afterwards"
            states = {answer_of(browser.onward(answer))["state"] for answer in answers}
            assert states == {"tab 0", "tab 1"}
        assert not world.events("browser.stolen")

    @pytest.mark.parametrize(("after", "is_theft"), [(0, False), (59, False), (60, False), (61, True)])
    def test_a_lost_answer(self, world: World, party: Party, after: int, is_theft: bool) -> None:
        """The answer with the new cookie never arrived: within sixty seconds the old one still does, and gets the present one."""
        with clock.freeze(clock.now()) as later:
            browser = known(world, party, ANNA)
            lost = world.browser()
            copy_cookies(browser, lost)
            later(3600)
            page = browser.authorize(party)
            browser.send(browser.filled(page, person=people_on(page)[NAME]))
            later(after)
            again = lost.authorize(party)  # the same browser, with what it held before
            assert where(again) == ("identify" if is_theft else "people")
            assert bool(world.events("browser.stolen")) is is_theft
            if not is_theft:
                assert "code" in answer_of(press(lost, again, NAME))
                assert cookie(lost, "idp_browser") == cookie(browser, "idp_browser")

    def test_not_from_another_browser(self, world: World, party: Party) -> None:
        """The sixty seconds are for the same browser: another one with the value of before is a thief at once."""
        owner, thief = known(world, party, ANNA), world.browser(address="192.0.2.66", user_agent=OTHER)
        copy_cookies(owner, thief, "idp_browser")
        press(owner, owner.authorize(party), NAME)
        assert where(thief.authorize(party)) == "identify"
        assert len(world.events("browser.stolen")) == 1


class TestOnlyAfterTheProof:
    """Case 79."""

    def test_nothing_before(self, world: World, party: Party) -> None:
        """Wrong codes with the tick, all at once, with resends and desks between them: no browser is trusted, no cookie is given."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        code = f"{(int(right_code(world, page)) + 1) % 10**6:06}"
        sent = [browser.filled(page, code=code, remember="1") for _ in range(8)]
        sent += [browser.build_request("GET", base_of(page)) for _ in range(4)] + [browser.filled(page, channel="sms") for _ in range(4)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(browser.send, sent))
        assert not any(cookies_set(answer) for answer in answers)
        assert how_many(world, Device) == 0
        assert cookie(browser, "idp_browser") is None

    def test_refused_after_the_proof(self, world: World, party: Party) -> None:
        """The code was right, the person is blocked: the tick gives nothing."""
        with world.writes():
            anna = users.find_by_phone(ANNA)
            assert anna is not None
            users.block(anna.id, "fraud")
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        refused = browser.submit(page, code=right_code(world, page), remember="1")
        assert refused.status_code == 403
        assert not cookies_set(refused)
        assert how_many(world, Device) == how_many(world, Session) == 0

    def test_sixty_days(self, world: World, party: Party) -> None:
        """Trusted for sixty days from its last use."""
        with clock.freeze(clock.now()) as later:
            browser = known(world, party, ANNA)
            later(timedelta(days=60) - timedelta(seconds=1))
            assert where(browser.authorize(party)) == "people"
            later(1)
            assert where(browser.authorize(party)) == "identify"

    def test_every_day(self, world: World, party: Party) -> None:
        """Whoever comes every day never needs a code, however long; rotated at each use, with the first proof's time and way all along."""
        with clock.freeze(clock.now()) as later:
            browser = world.browser()
            first, values = prove(world, browser, party, ZIMIN), set()
            for _ in range(count(62, 400)):
                later(timedelta(days=1))
                drop_cookies(browser, "idp_session")
                values.add(cookie(browser, "idp_browser"))
                told = claims(world, party, press(browser, browser.authorize(party), "Павел Зимин"))
                assert (told["auth_time"], told["amr"], told["acr"]) == (first["auth_time"], first["amr"], "urn:idp:acr:remembered")
            assert len(values) == count(62, 400)
            assert len(world.inbox(ZIMIN)) == 1


class TestShared:
    """§3.1: a browser that others use too: off beforehand, and nobody on the list."""

    def test_the_tick_is_off_beforehand(self, world: World, party: Party) -> None:
        """Whoever took it off finds it off the next time; whoever sets it finds it on."""
        browser = world.browser()
        for sent, shown in (({}, True), ({}, False), ({"remember": "1"}, False), ({"remember": "1"}, True)):
            drop_cookies(browser, "idp_session")
            page = browser.authorize(party)
            page = browser.onward(browser.submit(browser.get(f"{base_of(page)}/identify"), phone=ORLOV))
            assert ('name="remember" value="1" checked' in page.text) is shown
            post(browser, page, code=right_code(world, page), **sent)

    def test_nobody_is_remembered(self, world: World, party: Party) -> None:
        """One press on the page of removal: nobody is on the list or signed in, both have an event; elsewhere they are known."""
        browser, elsewhere = both(world, party), known(world, party, ANNA, address="198.51.100.9")
        press(browser, browser.authorize(party), NAME)
        page = browser.authorize(party, prompt="select_account")
        answer = browser.press(browser.get(f"{page.url}?removing=1"), "/people/shared")
        assert "idp_shared=1" in cookies_set(answer)["idp_shared"]
        assert where(browser.onward(answer)) == "identify"
        assert not signed_in(world, browser, party)
        assert not cookie(browser, "idp_browser")
        assert [event.details["reason"] for event in world.events("browser.ended")] == ["shared"] * 2
        assert list(people_on(elsewhere.authorize(party))) == [NAME]

    def test_it_is_no_more_than_a_wish(self, world: World, party: Party) -> None:
        """A planted or a forged mark changes the tick, and nothing else: it neither lets anybody in nor keeps anybody out."""
        browser = known(world, party, ANNA)
        for value in ("1", "0", "true", "1" * 4000):
            browser.cookies.set("idp_shared", value, domain="localhost.local")
            assert list(people_on(browser.authorize(party))) == [NAME]
        assert "code" in answer_of(press(browser, browser.authorize(party), NAME))
