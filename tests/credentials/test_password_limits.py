"""How often a password may be guessed at: slower, then locked, never in a browser that knows the person (`product.md` §5.5, case 95)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from idp import clock
from idp.credentials import password, password_limits, trusted_device
from idp.credentials.password_limits import Locked
from idp.directory import users
from idp.errors import TooManyTries
from tests.world import World

LOGIN = "mike@example.com"
START = datetime.fromisoformat("2026-11-23T09:00:00+00:00")


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """A network's share that is spent quickly."""
    return {"login": {"network_wrong_passwords_per_hour": 12}}


def guess(world: World, of: str, *, right: bool = False, network: str = "203.0.113.0/24", known: bool = False) -> None:
    """A guess at a login: counted, committed, and then what came of it."""
    with world.writes():
        mark = password_limits.count_guess(of)
    with world.writes():
        if right:
            password_limits.give_back(of, mark)
        else:
            password_limits.wrong(of, network, is_known=known, user_id=None, login=LOGIN)


def refused(world: World, of: str) -> TooManyTries:
    """Why no guess is taken now."""
    with pytest.raises(TooManyTries) as caught, world.writes():
        password_limits.count_guess(of)
    return caught.value


def to_the_second(refusal: TooManyTries) -> datetime:
    """Until when: guesses of one instant differ by a microsecond."""
    assert refusal.retry_at is not None
    return refusal.retry_at.replace(microsecond=0)


def test_slower_and_then_locked(world: World) -> None:
    """Five at once, then pauses of 30, 60, 120 seconds; the tenth within an hour locks until an hour after the first; twenty a day."""
    of = password_limits.subject(LOGIN)
    with clock.freeze(START) as shift:
        for _ in range(5):
            guess(world, of)
        for pause in (30, 60, 120, 120, 120):
            waits = refused(world, of)
            assert (type(waits), to_the_second(waits)) == (TooManyTries, clock.now() + timedelta(seconds=pause))
            shift(pause + 1)
            guess(world, of)
        locked = refused(world, of)
        assert isinstance(locked, Locked)
        assert to_the_second(locked) == START + timedelta(hours=1)
        (event,) = world.events("password.locked")
        assert event.details == {"until": locked.retry_at and locked.retry_at.isoformat(), "known_browser": False}
        shift(timedelta(hours=2))
        for _ in range(10):
            with world.writes(), suppress(TooManyTries):
                password_limits.count_guess(of)
            shift(timedelta(minutes=7))
        locked = refused(world, of)
        assert to_the_second(locked) == START + timedelta(days=1)


def test_a_right_one_is_given_back(world: World) -> None:
    """Whoever types well is never held up; but what was guessed before stays until its time is over."""
    of = password_limits.subject(LOGIN)
    with clock.freeze(START):
        for _ in range(4):
            guess(world, of)
        for _ in range(20):
            guess(world, of, right=True)
        guess(world, of)
        refused(world, of)


def test_a_hundred_in_a_row(world: World) -> None:
    """NIST SP 800-63B-4 §3.2.2: after a hundred in a row nothing is looked at, until somebody opens it; and that is written down."""
    of = password_limits.subject(LOGIN)
    with clock.freeze(START) as shift:
        for _ in range(5):
            for _ in range(20):
                with world.writes(), suppress(TooManyTries):
                    password_limits.count_guess(of)
                shift(timedelta(minutes=7))
            shift(timedelta(days=1))
        shut = refused(world, of)
        assert (type(shut), shut.retry_at) == (Locked, None)
        with world.writes():
            assert password_limits.is_shut(of)
            mike = users.register("+79005550101", "Mike", "en", "1")
            users.confirm_email(mike.id, LOGIN)
            owner = password.find_owner(password.read_login(LOGIN))
            assert owner is not None
            assert password.unlock(owner, [password.read_login(LOGIN)], actor_id="operator")
            assert not password.unlock(owner, [password.read_login(LOGIN)], actor_id="operator")
        guess(world, of)
    (event,) = world.events("password.unlocked")
    assert (event.user_id, event.actor_id) == (mike.id, "operator")


def test_a_stranger_locks_nobody_out_of_their_browser(world: World) -> None:
    """`product.md` §5.5: a browser that knows the person has a budget of its own, and unlocking forgets that as well."""
    with world.writes():
        mike = users.register("+79005550101", "Mike", "en", "1")
        users.confirm_email(mike.id, LOGIN)
        known = trusted_device.Recognition()
        trusted_device.trust(known, mike.id, amr=("sms",), auth_time=clock.now(), user_agent="A", ip="203.0.113.7")
        (device,) = trusted_device.of_person(mike.id)
    theirs, strangers = password_limits.subject(LOGIN, device.device_id), password_limits.subject(LOGIN)
    with clock.freeze(clock.now()):
        for _ in range(5):
            guess(world, strangers)
        refused(world, strangers)
        guess(world, theirs, right=True)
        for _ in range(5):
            guess(world, theirs, known=True)
        refused(world, theirs)
        with world.writes():
            assert password_limits.forget([LOGIN], mike.id)
        guess(world, theirs)
        guess(world, strangers)


def test_one_password_with_many_logins(world: World) -> None:
    """Case 95: no login's limit is met, but the network's is; a known browser does not count into it, and others' networks go on."""
    most = world.settings.login.network_wrong_passwords_per_hour
    with clock.freeze(START) as shift:
        for number in range(most):
            guess(world, password_limits.subject(f"{number}@example.com"))
            guess(world, password_limits.subject("own", "dev_1"), known=True, right=True)
        with world.reads(), pytest.raises(TooManyTries) as caught:
            password_limits.require_network("203.0.113.0/24")
        assert to_the_second(caught.value) == START + timedelta(hours=1)
        with world.reads():
            password_limits.require_network("198.51.100.0/24")
        shift(timedelta(hours=1, seconds=1))
        with world.reads():
            password_limits.require_network("203.0.113.0/24")


def test_guesses_at_one_moment(world: World) -> None:
    """Case 53, for passwords: of thirty guesses at once exactly five are taken."""
    of = password_limits.subject(LOGIN)

    def one(_: int) -> bool:
        try:
            with world.writes():
                password_limits.count_guess(of)
        except TooManyTries:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(one, range(30))) == 5
