"""The browser that is known: `product.md` §3, threats F."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from idp import clock
from idp.credentials import trusted_device
from idp.credentials.trusted_device import Recognition
from idp.directory import users
from tests.machine import count
from tests.world import World

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/1 Safari/604.1"
)
NOBODY = Recognition()


class Shelf:
    """The calls of the sign-in pages about one browser."""

    def __init__(self, world: World) -> None:
        self.world = world
        with world.writes():
            self.anna, self.boris = (users.register(f"+7901222334{n}", name, "ru", "1").id for n, name in enumerate(("Анна", "Борис")))

    @contextmanager
    def unit(self) -> Iterator[None]:
        """A unit of work."""
        with self.world.writes():
            yield

    def trust(self, user_id: str, cookie: str = "", agent: str = CHROME) -> str:
        """A sign-in with the tick: the new cookie."""
        with self.unit():
            known = trusted_device.recognise(cookie, agent)
            return trusted_device.trust(known, user_id, amr=("sms",), auth_time=clock.now(), user_agent=agent, ip="203.0.113.7")[1]

    def use(self, cookie: str, agent: str = CHROME) -> str | None:
        """The first name is pressed: the new cookie."""
        with self.unit():
            known = trusted_device.recognise(cookie, agent)
            device = known.people[0].device_id if known.people else "dev_none"
            return trusted_device.use(known, device, user_agent=agent, ip="203.0.113.7")

    def look(self, cookie: str, agent: str = CHROME) -> Recognition:
        """What the cookie says."""
        with self.world.reads():
            return trusted_device.recognise(cookie, agent)


@pytest.fixture
def shelf(world: World) -> Shelf:
    """A provider with two people."""
    return Shelf(world)


def names(known: Recognition) -> list[str]:
    """Who is known."""
    return [person.name for person in known.people]


def test_known_again(shelf: Shelf) -> None:
    """Trusted once, known from then on; every use gives a new value."""
    first = shelf.trust(shelf.anna)
    assert names(shelf.look(first)) == ["Анна"]
    second = shelf.use(first)
    assert second is not None
    assert second != first
    assert shelf.look(second).verdict == "present"
    assert names(shelf.look(second)) == ["Анна"]


def test_several_people(shelf: Shelf) -> None:
    """Two people in one browser, the last one first; proving again makes no second device."""
    cookie = shelf.trust(shelf.boris, shelf.trust(shelf.anna))
    assert names(shelf.look(cookie)) == ["Борис", "Анна"]
    cookie = shelf.trust(shelf.anna, cookie)
    assert names(shelf.look(cookie)) == ["Анна", "Борис"]


def test_two_tabs(shelf: Shelf) -> None:
    """`product.md` §3.1: the former value, within a minute and from the same browser, gets what the other tab got."""
    with clock.freeze(clock.now()) as later:
        former = shelf.trust(shelf.anna)
        present = shelf.use(former)
        later(60)
        assert shelf.look(former).verdict == "former"
        assert shelf.use(former) == present
        assert shelf.look(present or "").verdict == "present"


def test_two_tabs_at_once(shelf: Shelf) -> None:
    """Many uses of one value in one moment: all get the same new one, nobody is thrown out."""
    cookie = shelf.trust(shelf.anna)
    with ThreadPoolExecutor(8) as pool:
        got = set(pool.map(lambda _: shelf.use(cookie), range(16)))
    assert len(got) == 1
    assert shelf.look(got.pop() or "").verdict == "present"


@pytest.mark.parametrize(("seconds", "agent", "uses"), [(61, CHROME, 1), (1, SAFARI, 1), (1, CHROME, 2)])
def test_stolen(shelf: Shelf, seconds: float, agent: str, uses: int) -> None:
    """Case 77: the former value too late or from another browser, or any older one: stolen. The browser ends once, each is told once."""
    with clock.freeze(clock.now()) as later:
        cookie = present = shelf.trust(shelf.boris, shelf.trust(shelf.anna))
        for _ in range(uses):
            present = shelf.use(present) or ""
        later(seconds)
        known = shelf.look(cookie, agent)
        assert known.verdict == "stolen"
        assert known.people == ()
        assert shelf.use(cookie, agent) is None
        with shelf.unit():
            assert known.browser_id
            assert trusted_device.report_theft(known.browser_id)
            assert not trusted_device.report_theft(known.browser_id)
        assert shelf.look(present).verdict == "unknown"
        assert {event.user_id for event in shelf.world.events("browser.stolen")} == {shelf.anna, shelf.boris}
        assert len(shelf.world.events("browser.stolen")) == 2


@pytest.mark.parametrize("cookie", ["", "x", "brw_0.1.x", "a.b.c", "ы" * 80, "brw_" + "0" * 26 + ".1." + "A" * 43])
def test_forged(shelf: Shelf, cookie: str) -> None:
    """What we did not make is nobody's and no event; a counter or an id that was changed does not match."""
    assert shelf.look(cookie) == NOBODY
    real = shelf.trust(shelf.anna)
    browser, counter, mac = real.split(".")
    for changed in (f"{browser}.{int(counter) + 1}.{mac}", f"{browser}.0{counter}.{mac}", f"{browser[:-1]}0.{counter}.{mac}", real + "\n"):
        assert shelf.look(changed) in {NOBODY} or changed == real
    assert shelf.world.events("browser.stolen") == []


def test_not_somebody_elses(shelf: Shelf) -> None:
    """Case 75: a device of one browser does not help in another one, nor its person's name another person."""
    mine, other = shelf.trust(shelf.anna), shelf.trust(shelf.boris)
    device = shelf.look(mine).people[0].device_id
    with shelf.unit():
        known = trusted_device.recognise(other, CHROME)
        assert known.person(device) is None
        assert trusted_device.use(known, device, user_agent=CHROME, ip="") is None


def test_forgotten(shelf: Shelf) -> None:
    """Taken off the list here, or everywhere (case 76): not known at the next look; the others stay."""
    cookie = shelf.trust(shelf.boris, shelf.trust(shelf.anna))
    elsewhere = shelf.trust(shelf.boris)
    known = shelf.look(cookie)
    with shelf.unit():
        assert trusted_device.forget(known.browser_id or "", device_id=known.people[1].device_id) == shelf.anna
        assert trusted_device.forget(known.browser_id or "", device_id=known.people[1].device_id) is None
    assert names(shelf.look(cookie)) == ["Борис"]
    assert shelf.use(cookie)
    with shelf.unit():
        assert trusted_device.forget_all(shelf.boris, "signed_out_everywhere") == 2
    assert shelf.look(elsewhere).people == ()
    assert len(shelf.world.events("device.removed")) == 3


def test_blocked(shelf: Shelf) -> None:
    """Case 76: a blocked person is known nowhere."""
    cookie = shelf.trust(shelf.anna)
    with shelf.unit():
        users.block(shelf.anna, "asked to")
    assert shelf.look(cookie).people == ()


def test_sixty_days(shelf: Shelf) -> None:
    """`threats.md` §1.10: sixty days without use, and the browser is a stranger; with use it goes on."""
    with clock.freeze(clock.now()) as later:
        cookie = shelf.trust(shelf.anna)
        later(timedelta(days=59))
        cookie = shelf.use(cookie) or ""
        later(timedelta(days=59))
        assert names(shelf.look(cookie)) == ["Анна"]
        later(timedelta(days=1))
        assert shelf.look(cookie) == NOBODY
        later(timedelta(days=31))
        with shelf.unit():
            assert trusted_device.sweep(clock.now()) == 2


def test_restored_from_backup(shelf: Shelf) -> None:
    """A value ahead of the database is our loss, not a theft."""
    cookie = shelf.trust(shelf.anna)
    browser = cookie.split(".")[0]
    assert shelf.look(trusted_device._cookie(browser, 9)) == NOBODY


def test_names() -> None:
    """What people call it; nothing is made up for what does not say."""
    assert trusted_device.name_of(CHROME) == "Chrome, Windows"
    assert trusted_device.name_of(SAFARI) == "Mobile Safari, iOS"
    assert trusted_device.name_of("") == ""


@pytest.mark.slow
def test_any_order(shelf: Shelf) -> None:
    """Model: an owner and a thief with a copy, in any order and at any pace. As long as one of them never comes, the other is never thrown
    out; once both have come back with values that differ by more than the grace allows, the next old value ends it for both.
    """

    class Machine(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            self.cookie = {"owner": shelf.trust(shelf.anna)}
            self.cookie["thief"] = self.cookie["owner"]
            self.used: set[str] = set()

        @rule(who=st.sampled_from(["owner", "thief"]))
        def come(self, who: str) -> None:
            agent = CHROME if who == "owner" else SAFARI
            known = shelf.look(self.cookie[who], agent)
            if known.verdict == "stolen":
                assert self.used - {who}, "somebody who was alone was taken for a thief"
                with shelf.unit():
                    trusted_device.report_theft(known.browser_id or "")
                for each in ("owner", "thief"):
                    assert shelf.look(self.cookie[each]).people == ()
                self.begin()
            else:
                assert known.verdict == "present", "the thief's and the owner's browser are told apart, so no former value is honoured"
                self.cookie[who] = shelf.use(self.cookie[who], agent) or ""
                self.used.add(who)

        @rule(seconds=st.sampled_from([1.0, 59.0, 61.0, 86400.0]))
        def wait(self, seconds: float) -> None:
            later(seconds)

        @invariant()
        def never_both(self) -> None:
            if hasattr(self, "cookie") and self.cookie["owner"] != self.cookie["thief"]:
                verdicts = {shelf.look(self.cookie["owner"], CHROME).verdict, shelf.look(self.cookie["thief"], SAFARI).verdict}
                assert verdicts != {"present"}

    with clock.freeze(clock.now()) as later:
        examples = hypothesis_settings(max_examples=count(15, 300), stateful_step_count=15, deadline=None)
        run_state_machine_as_test(Machine, settings=examples)  # type: ignore[no-untyped-call]
