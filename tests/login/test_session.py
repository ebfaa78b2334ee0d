"""The signed-in browser: ASVS 5.0 §7.2 to §7.4, `threats.md` §1.10."""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp import clock, crypto
from idp.directory import users
from idp.login import session
from idp.login.policy import Proved
from idp.login.session import SignedIn
from tests.world import World

HOUR = 3600
DAY = 86400


def by_code() -> Proved:
    """A code of this moment."""
    return Proved("phone_code", "code", ("sms",), clock.now())


def remembered(age: float = DAY) -> Proved:
    """What a known browser vouches for."""
    return Proved("remembered", "remembered", ("sms",), clock.now() - timedelta(seconds=age))


class Desk:
    """Sessions of two people."""

    def __init__(self, world: World) -> None:
        self.world = world
        with world.writes():
            self.anna, self.boris = (users.register(f"+7901222335{n}", name, "ru", "1").id for n, name in enumerate(("Анна", "Борис")))

    def start(self, user_id: str, proved: Proved | None = None, former: str = "") -> tuple[SignedIn, str]:
        """Sign in, in the browser that holds `former`."""
        with self.world.writes():
            begun = session.start(user_id, proved or by_code(), former=session.find(former), ip="203.0.113.7", user_agent="")
        assert begun is not None
        return begun

    def find(self, secret: str) -> SignedIn | None:
        """Who is here."""
        with self.world.reads():
            return session.find(secret)

    def come(self, secret: str) -> bool:
        """A request of a signed-in person."""
        with self.world.writes():
            found = session.find(secret)
            return found is not None and (session.touch(found) or True)


@pytest.fixture
def desk(world: World) -> Desk:
    """A provider with two people."""
    return Desk(world)


def test_found(desk: Desk) -> None:
    """Found by its secret, and by nothing that looks like it; the secret itself is not stored (case 42)."""
    started, secret = desk.start(desk.anna)
    assert desk.find(secret) == started
    assert (started.user_id, started.acr, started.amr, started.name) == (desk.anna, "code", ("sms",), "Анна")
    for other in ("", secret[:-1], secret + "A", "A" * 43, crypto.digest(secret), started.id, "ы" * 43, "\ud800" * 43):
        assert desk.find(other) is None


def test_proved_again(desk: Desk) -> None:
    """ASVS 7.2.4: the same person keeps the sid and gets a new secret; the old one is dead; auth_time is the new proof's."""
    with clock.freeze(clock.now()) as later:
        first, old = desk.start(desk.anna)
        later(HOUR)
        second, new = desk.start(desk.anna, former=old)
        assert second.id == first.id
        assert desk.find(old) is None
        assert desk.find(new) == second
        assert second.auth_time == clock.now() > first.auth_time
        assert second.expires_at > first.expires_at


def test_somebody_else(desk: Desk) -> None:
    """Case 15: another person in the same browser ends the former session; nothing of it is carried over."""
    first, old = desk.start(desk.anna)
    second, new = desk.start(desk.boris, former=old)
    assert second.id != first.id
    assert desk.find(old) is None
    assert (found := desk.find(new)) is not None
    assert found.user_id == desk.boris
    assert [(event.user_id, event.session_id) for event in desk.world.events("session.ended")] == [(desk.anna, first.id)]


def test_pressed(desk: Desk) -> None:
    """`claims.md`: a remembered browser keeps the original proof and the lower level; beside a real proof it only confirms the person."""
    with clock.freeze(clock.now()) as later:
        alone, _ = desk.start(desk.boris, remembered())
        assert (alone.acr, alone.auth_time, alone.confirmed_at) == ("remembered", clock.now() - timedelta(days=1), clock.now())
        real, secret = desk.start(desk.anna)
        later(HOUR)
        pressed, _ = desk.start(desk.anna, remembered(), former=secret)
        assert (pressed.id, pressed.acr, pressed.auth_time, pressed.expires_at) == (real.id, "code", real.auth_time, real.expires_at)
        assert pressed.confirmed_at == clock.now()


@pytest.mark.parametrize("held", ["code", "remembered"])
def test_pressed_too_late(desk: Desk, held: str) -> None:
    """Case 80: the session that was seen has ended since; by a press nothing begins of it. A proof of this moment begins a session."""
    seen, _ = desk.start(desk.anna, by_code() if held == "code" else remembered())
    with desk.world.writes():
        session.end_all(desk.anna, "signed_out_everywhere")
        assert session.start(desk.anna, Proved("remembered", seen.acr, seen.amr, seen.auth_time), former=seen) is None
        assert session.of_person(desk.anna) == []
        begun = session.start(desk.anna, by_code(), former=seen)
        assert begun is not None
        assert [each.id for each in session.of_person(desk.anna)] == [begun[0].id] != [seen.id]


def test_idle(desk: Desk) -> None:
    """Twelve hours without use, and it is over; a use just before moves that on."""
    with clock.freeze(clock.now()) as later:
        _, secret = desk.start(desk.anna)
        later(12 * HOUR - 1)
        assert desk.come(secret)
        later(12 * HOUR - 1)
        assert desk.find(secret)
        later(1)
        assert desk.find(secret) is None
        assert not desk.come(secret)


def test_thirty_days(desk: Desk) -> None:
    """Case 83: whoever comes every hour is out after thirty days all the same."""
    with clock.freeze(clock.now()) as later:
        started, secret = desk.start(desk.anna)
        hours = 0
        while desk.come(secret):
            later(6 * HOUR)
            hours += 6
        assert hours == 30 * 24
        assert clock.now() == started.expires_at


def test_touched_once_a_minute(desk: Desk) -> None:
    """A busy browser does not write with every request."""
    with clock.freeze(clock.now()) as later:
        started, _ = desk.start(desk.anna)
        with desk.world.writes():
            assert not session.touch(started)
            later(60)
            assert session.touch(started)
            assert not session.touch(started)


def test_ended(desk: Desk) -> None:
    """Case 80: ended here is ended for every copy of the cookie; once, with one event; the others live on."""
    (one, first), (_, second), (_, other) = desk.start(desk.anna), desk.start(desk.anna), desk.start(desk.boris)
    with desk.world.writes():
        assert session.end(one.id, "signed_out")
        assert not session.end(one.id, "signed_out")
    assert desk.find(first) is None
    assert desk.find(second)
    with desk.world.writes():
        assert session.end_all(desk.anna, "signed_out_everywhere") == 1
    assert desk.find(second) is None
    assert desk.find(other)
    assert [event.details["reason"] for event in desk.world.events("session.ended")] == ["signed_out", "signed_out_everywhere"]


def test_all_but_this_one(desk: Desk) -> None:
    """`sign out everywhere else` leaves the session that asked."""
    (mine, first), (_, second) = desk.start(desk.anna), desk.start(desk.anna)
    with desk.world.writes():
        assert session.end_all(desk.anna, "password_changed", except_id=mine.id) == 1
    assert desk.find(first)
    assert desk.find(second) is None


def test_blocked(desk: Desk) -> None:
    """ASVS 7.4.2: a blocked person is out with the next request."""
    _, secret = desk.start(desk.anna)
    with desk.world.writes():
        users.block(desk.anna, "asked to")
    assert desk.find(secret) is None


def test_swept(desk: Desk) -> None:
    """Kept for half a year after its end, then gone."""
    with clock.freeze(clock.now()) as later:
        desk.start(desk.anna)
        later(timedelta(days=30 + 180))
        with desk.world.writes():
            assert session.sweep(clock.now()) == 0
            later(1)
            assert session.sweep(clock.now()) == 1
