"""R14: Redis is there, shared by all processes; is killed, hangs, is full; and comes back. Sign-ins go on, and wait for nothing.

Guesses are counted in the database whatever is configured: exactly five are judged with Redis, and while it hangs.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest
from redis import Redis

from idp import throttle
from idp.oidc import arrivals
from tests import machine, servers
from tests.cli.running import wait_until
from tests.faults.conftest import BOTH
from tests.faults.guessing import five_are_judged
from tests.faults.race import allowed, at_once, statuses
from tests.faults.served import Served, Visitor, served
from tests.machine import count
from tests.world import Party, World, answer_of

ANNA = "+79005553501"
BACK = 20.0  # seconds until Redis is used again: it is looked for every three
CROWD = 20
TIMEOUT = 0.2  # seconds; the default is less, but a machine on which all tests run may be as slow
PATIENT = 0.5


@pytest.fixture(scope="module")
def redis() -> Iterator[servers.Redis]:
    """A Redis of our own, that may be killed and frozen."""
    if reason := machine.missing("redis-server"):
        pytest.skip(reason)
    with servers.redis() as started:
        yield started


@pytest.fixture(scope="module")
def keys(redis: servers.Redis) -> Iterator[Redis]:
    """A look into it."""
    with Redis.from_url(redis.url, decode_responses=True) as client:
        yield client


def owing(keys: Redis) -> list[str]:
    """The keys of those who owe something."""
    return [key for key in keys.scan_iter() if key != throttle.PREFIX + "probe"]


# ---- several processes ----


@pytest.fixture(scope="module", params=BOTH[: count(1, 2)])
def provider(request: pytest.FixtureRequest, redis: servers.Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two processes that serve; a header says from where somebody comes, since loopback is not counted."""
    told = request.getfixturevalue(f"told_on_{request.param}")
    tables: dict[str, dict[str, object]] = {"server": {"trusted_hops": 1}, "redis": {"url": redis.url, "timeout": PATIENT}}
    with served(told, tmp_path_factory.mktemp("redis"), workers=2, **tables) as running:
        yield running


@pytest.fixture(scope="module")
def party(provider: Served) -> Party:
    """A relying party with a secret."""
    return provider.party()


def visitor(provider: Served, address: str) -> Visitor:
    """A browser at `address`."""
    browser = provider.browser()
    browser.headers["X-Forwarded-For"] = address
    return browser


def test_one_figure_for_all_processes(provider: Served, party: Party, keys: Redis) -> None:
    """A network's crowd is counted once for both processes, exactly, and who looks into Redis learns no address."""
    keys.flushdb()
    browser = visitor(provider, "203.0.113.7")
    assert browser.get("/authorize", params=party.asks()).status_code == 303
    (key,) = owing(keys)
    assert key.startswith("idp:throttle:arrivals:")
    assert "203.0.113" not in key + str(keys.get(key))
    assert 0 < keys.pttl(key) <= arrivals.PACE * 1000
    room = count(40, arrivals.CROWD)
    began = time.monotonic()
    keys.set(key, "", px=round((arrivals.CROWD - room) * arrivals.PACE * 1000) or 1)  # so many came in this moment, from somewhere
    found: dict[int, int] = {}
    for _ in range(0, room + 40, 80):
        requests = [browser.build_request("GET", "/authorize", params=party.asks()) for _ in range(80)]
        for status, times in statuses(at_once(requests)).items():
            found[status] = found.get(status, 0) + times
    since = math.ceil((time.monotonic() - began) / arrivals.PACE)
    assert set(found) == {303, 429}
    assert room <= found[303] <= room + since
    assert visitor(provider, "198.51.100.7").get("/authorize", params=party.asks()).status_code == 303


@pytest.mark.parametrize("is_frozen", [False, True], ids=["well", "hangs"])
def test_five_of_a_hundred_guesses_are_judged(provider: Served, party: Party, redis: servers.Redis, is_frozen: bool) -> None:
    """Case 53, R3, R14: as without Redis."""
    if is_frozen:
        redis.freeze()
    try:
        for _ in range(count(1, 10)):
            five_are_judged(provider, visitor(provider, "203.0.114.7"), party)
    finally:
        redis.thaw()


def test_sign_ins_while_it_is_killed_and_comes_back(provider: Served, party: Party, redis: servers.Redis, keys: Redis) -> None:
    """Nobody notices; each process says once that it is away; and then it is counted in again."""
    before = provider.said().count('"event":"redis_away"')
    wait_until("Redis in both processes", lambda: provider.said().count('"event":"redis_back"') == before, BACK)
    answer_of(provider.sign_in(visitor(provider, "203.0.115.7"), party, ANNA))
    redis.kill()
    for _ in range(3):
        answer_of(provider.sign_in(visitor(provider, "203.0.115.7"), party, ANNA))
    redis.start()
    assert owing(keys) == []

    def is_counted() -> bool:
        assert visitor(provider, "203.0.116.7").get("/authorize", params=party.asks()).status_code == 303
        return owing(keys) != []

    wait_until("Redis to be counted in", is_counted, BACK)
    answer_of(provider.sign_in(visitor(provider, "203.0.115.7"), party, ANNA))
    assert 1 <= provider.said().count('"event":"redis_away"') - before <= 2


# ---- what one process does ----


@pytest.fixture
def changed_settings(redis: servers.Redis, keys: Redis, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, object]]:
    """Redis, with nothing in it; a small crowd; and it is looked for often."""
    keys.flushdb()
    monkeypatch.setattr(arrivals, "CROWD", CROWD)
    monkeypatch.setattr(throttle, "LOOK_AGAIN", 0.1)
    return {"redis": {"url": redis.url, "timeout": TIMEOUT}}


def begin(world: World, party: Party, times: int) -> tuple[list[int], list[float]]:
    """So many begin a sign-in, all from one network, one after the other: statuses, and seconds."""
    answers: list[httpx2.Response] = []
    took = []
    for n in range(times):
        began = time.perf_counter()
        answers.append(world.browser(address=f"203.0.113.{n}").get("/authorize", params=party.asks()))
        took.append(time.perf_counter() - began)
    return [answer.status_code for answer in answers], took


def fill(redis: servers.Redis) -> None:
    """No room for anything more, as with `maxmemory-policy noeviction`."""
    with Redis.from_url(redis.url) as client:
        client.config_set("maxmemory", "1")


def empty(redis: servers.Redis) -> None:
    """Room again."""
    with Redis.from_url(redis.url) as client:
        client.config_set("maxmemory", "0")


FAULTS = {
    "killed": (servers.Redis.kill, servers.Redis.start),
    "hangs": (servers.Redis.freeze, servers.Redis.thaw),
    "full": (fill, empty),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_half_the_room_while_it_is_away(
    world: World,
    redis: servers.Redis,
    keys: Redis,
    fault: tuple[Callable[[servers.Redis], None], Callable[[servers.Redis], None]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Each process lets through half the crowd by itself; one request waits a moment for Redis, and none after it; one line in the log,
    however long it lasts; and once it is well it is counted in, what came meanwhile apart."""
    fail, mend = fault
    party = world.party()
    assert begin(world, party, 2)[0] == [303, 303]
    fail(redis)
    try:
        found, took = begin(world, party, CROWD + 5)
        assert found[0] == 303
        assert CROWD // 2 <= found.count(303) <= CROWD // 2 + math.ceil(sum(took) / arrivals.PACE)
        assert set(found) == {303, 429}
        assert took[0] <= allowed(2 * TIMEOUT)
        assert statistics.median(took[1:]) < TIMEOUT
        time.sleep(0.5)  # some looks
        said = capfd.readouterr().out
        assert (said.count('"event":"redis_away"'), said.count('"event":"redis_back"')) == (1, 0), said
    finally:
        mend(redis)
    wait_until("Redis to be well", lambda: '"event":"redis_back"' in capfd.readouterr().out, BACK)
    keys.flushdb()
    assert begin(world, party, CROWD // 2 + 1)[0] == [303] * (CROWD // 2 + 1)
    assert len(owing(keys)) == 1


def test_a_debt_that_cannot_be(world: World, keys: Redis) -> None:
    """Redis's clock was set back by a day, and every key lives a day longer: no network is shut out for that."""
    party = world.party()
    assert begin(world, party, 2 * CROWD)[0].count(429) >= 1
    (key,) = owing(keys)
    keys.pexpire(key, 86_400_000)
    assert begin(world, party, 1)[0] == [303]
    assert keys.pttl(key) <= CROWD * arrivals.PACE * 1000


def test_redis_is_away_from_the_beginning(told, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that is started without its Redis is one that works."""
    monkeypatch.setattr(arrivals, "CROWD", CROWD)
    url = told.copy()
    world = World(told.settings(url, redis={"url": f"redis://127.0.0.1:{machine.free_port()}"}))
    try:
        found, took = begin(world, world.party(), CROWD)
        assert CROWD // 2 <= found.count(303) <= CROWD // 2 + math.ceil(sum(took) / arrivals.PACE)
    finally:
        world.close()
        told.drop(url)
