"""What clients' addresses held (OpenID Connect Core §10.1.1): fetched seldom, once for all workers, and never lost to a bad day.

Cases 43 and 45 of threats.md as far as it depends on who fetches when; the door itself is tested in tests/security/test_outbound.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Barrier, Thread

import pytest

from idp import clock, schedule
from idp.db.session import writes
from idp.delegation import fetched
from idp.delegation.fetched import Wanted
from idp.delegation.tables import FetchedDocument
from tests.oidc.asking import rows
from tests.oidc.client_site import HANGS, LABORATORY, Site, site
from tests.world import World


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """A laboratory: loopback may be asked."""
    return {"outbound": LABORATORY}


@pytest.fixture
def there() -> Iterator[Site]:
    """The client's server."""
    with site() as server:
        yield server


def found(world: World, address: str, **how: object) -> str | None:
    """As a request does: look, fetch outside of the unit where it is wanted, look again."""
    for _ in range(3):
        try:
            with world.reads():
                return fetched.find(address, **how)  # type: ignore[arg-type] # as it is called
        except Wanted as wanted:
            with world.app.app_context():
                wanted.do()
    raise AssertionError("it wants the same again and again")


def wanted(world: World, address: str) -> bool:
    """Whether it would be asked now for something that is not in it."""
    try:
        with world.reads():
            fetched.want(address)
    except Wanted:
        return True
    return False


def test_once_and_kept(world: World, there: Site) -> None:
    """The first one fetches, the others find; after an hour the next one asks again."""
    address = there.put("/keys", "one")
    with clock.freeze(clock.now()) as later:
        assert found(world, address) == "one"
        there.put("/keys", "two")
        later(3599)
        assert found(world, address) == "one"
        assert len(there.asked) == 1
        later(1)
        assert found(world, address) == "two"
        assert len(there.asked) == 2


def test_what_is_not_in_it(world: World, there: Site) -> None:
    """An unknown key makes us look again, ten seconds after the last look at the earliest, however many ask."""
    address = there.put("/keys", "one")
    with clock.freeze(clock.now()) as later:
        assert found(world, address) == "one"
        later(9)
        assert not wanted(world, address)
        later(1)
        assert wanted(world, address)
        with world.app.app_context():
            assert fetched.refetch(address, every=10) == "one"
            assert fetched.refetch(address, every=10) == "one"
        assert len(there.asked) == 2
        assert not wanted(world, address)


def test_a_bad_day(world: World, there: Site) -> None:
    """What was good stands while the address fails, whatever it says; five minutes pass until it is asked again."""
    address = there.put("/keys", "good")
    with clock.freeze(clock.now()) as later:
        assert found(world, address, sound=lambda body: body == "good") == "good"
        for status, body in ((500, b"x"), (404, b"good"), (200, b"<p>Back soon</p>"), (301, b"good"), (200, b"\xff\xfe"), (200, b"a\x00b")):
            later(3600)
            there.put("/keys", body, status)
            before = len(there.asked)
            assert found(world, address, sound=lambda body: body == "good") == "good"
            assert found(world, address, sound=lambda body: body == "good") == "good"
            assert len(there.asked) == before + 1
            later(299)
            assert found(world, address) == "good"
            assert len(there.asked) == before + 1
        there.put("/keys", "good")
        later(1)
        assert found(world, address) == "good"
        assert rows(world, FetchedDocument)[0].failed is None


def test_nothing_was_ever_there(world: World, there: Site) -> None:
    """Nobody waits for it twice in ten seconds."""
    address = there.at("/nothing")
    with clock.freeze(clock.now()) as later:
        assert found(world, address) is None
        assert found(world, address) is None
        assert len(there.asked) == 1
        later(10)
        there.put("/nothing", "something")
        assert found(world, address) == "something"


def test_too_large(world: World, there: Site) -> None:
    """256 KiB, and not a byte more is kept."""
    assert found(world, there.put("/small", b"x" * 200_000)) == "x" * 200_000
    assert found(world, there.put("/large", b"x" * 300_000)) is None
    assert {row.failed for row in rows(world, FetchedDocument)} == {None, "too_large"}


def test_many_at_once(world: World, there: Site) -> None:
    """One asks, the others wait for what it brings, two at most; who does not wait comes again. A slow address is asked once."""
    there.hangs = 1.0
    address, barrier, brought = there.put("/keys", "one"), Barrier(8), []

    def go() -> None:
        barrier.wait()
        with world.app.app_context():
            brought.append(fetched.refetch(address, every=10))

    threads = [Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(there.asked) == 1
    assert brought.count("one") >= 1 + fetched.WAITING
    assert set(brought) <= {"one", None}


def test_no_lock_meanwhile(world: World, there: Site) -> None:
    """Case 45: while a server hangs, others write; it costs its deadline and no more."""
    there.hangs = HANGS
    address, took = there.put("/keys", "one"), []

    def go() -> None:
        began = time.monotonic()
        with world.app.app_context():
            fetched.refetch(address)
        took.append(time.monotonic() - began)

    thread = Thread(target=go)
    thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    with world.app.app_context(), writes():
        fetched.sweep(clock.now())
    assert time.monotonic() - began < 1.0
    thread.join()
    assert took[0] < HANGS
    assert rows(world, FetchedDocument)[0].failed == "timeout"


def test_somebody_died_asking(world: World, there: Site) -> None:
    """A try that never ended holds nobody up for longer than a try takes."""
    address = there.put("/keys", "one")
    with clock.freeze(clock.now()) as later:
        with world.writes():
            assert fetched._claim(address, 10)
        later(3.6)
        assert found(world, address) is None
        later(6.4)
        assert found(world, address) == "one"


def test_only_through_the_door(world: World, there: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 43: without the laboratory's setting nothing on loopback is asked."""
    from idp import config

    config.use(config.settings().model_copy(update={"outbound": config.Settings().outbound}))
    assert found(world, there.put("/keys", "one")) is None
    assert found(world, "https://127.0.0.1/keys") is None
    assert there.asked == []


def test_what_nobody_asks_for_is_forgotten(world: World, there: Site) -> None:
    """A month after the last look."""
    job = next(job for job in schedule.SCHEDULE if job.name == "fetched_documents")
    with clock.freeze(clock.now()) as later:
        assert found(world, there.put("/keys", "one")) == "one"
        later(30 * 86400)
        with world.writes():
            assert not job.run()
        assert len(rows(world, FetchedDocument)) == 1
        later(1)
        with world.writes():
            job.run()
        assert rows(world, FetchedDocument) == []
