"""R9, R10: PostgreSQL is stopped, killed, frozen, cut off, slow; and comes back. Two worker processes, and `idp worker` beside them.

While it is away whatever needs it answers 503 with `Retry-After` within two seconds, whatever does not goes on; ten seconds after its
return all is as before, and nobody restarted anything.
"""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import psycopg
import pytest

from tests import machine, servers
from tests.conftest import Told
from tests.faults.race import allowed
from tests.faults.served import Served, Visitor
from tests.faults.wire import Wire, wire
from tests.world import Party, answer_of

pytestmark = pytest.mark.postgresql

TOLD = 2.0  # seconds until 503
BACK = 10.0  # seconds until all is as before
ANNA = "+79005553501"


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[servers.Cluster]:
    """One that may be frozen and killed."""
    if reason := machine.missing("postgresql"):
        pytest.skip(reason)
    with servers.postgresql() as started:
        yield started


@pytest.fixture(scope="module")
def between(own_cluster: servers.Cluster) -> Iterator[Wire]:
    """The wire to it."""
    with wire(own_cluster.port) as made:
        yield made


@pytest.fixture(scope="module")
def provider(own_cluster: servers.Cluster, between: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Served over the wire."""
    folder = tmp_path_factory.mktemp("away")
    told = Told(folder, own_cluster)
    running = Served(told, between.url(told.copy()), folder / "idp.log", workers=2)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        running.close()
        assert "Traceback" not in running.said()


@pytest.fixture(scope="module")
def party(provider: Served) -> Party:
    return provider.party()


@pytest.fixture(scope="module")
def anna(provider: Served, party: Party) -> Visitor:
    """Signed in, and known to all processes."""
    browser = provider.browser()
    answer_of(provider.sign_in(browser, party, ANNA))
    for _ in range(20):
        assert get(provider, "/jwks").status_code == 200
    return browser


def get(provider: Served, path: str, **headers: str) -> httpx2.Response:
    """On a connection of its own, so that any process may answer."""
    return httpx2.get(f"http://127.0.0.1:{provider.port}{path}", headers=headers, timeout=20, verify=machine.AUTHORITIES)


def refused(provider: Served, party: Party, access_token: str) -> None:
    """What needs the database says so, in the form of whoever asked, and in time."""
    asks: list[tuple[str, Callable[[], httpx2.Response]]] = [
        ("page", lambda: get(provider, f"/authorize?{urlencode(party.asks())}", **{"Accept-Language": "ru"})),
        ("page", lambda: get(provider, "/login/flw_00000000000000000000000000/identify", **{"Accept-Language": "ru"})),
        ("json", lambda: provider.redeem(party, "no-such-code")),
        ("json", lambda: get(provider, "/userinfo", Authorization=f"Bearer {access_token}")),
        ("json", lambda: get(provider, "/health/ready")),
    ]
    for kind, ask in asks:
        began = time.monotonic()
        answer = ask()
        took = time.monotonic() - began
        assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True), (answer.url, answer.text)
        assert took <= allowed(TOLD), f"{answer.url} took {took:.2f} s"
        if kind == "page":
            assert "Сейчас не получается ответить" in answer.text.replace("\N{NO-BREAK SPACE}", " ")
            assert '<html lang="ru"' in answer.text
        else:
            assert answer.json()["error"] == "temporarily_unavailable"


def goes_on(provider: Served) -> None:
    """What needs no database."""
    for path in ("/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/health/live"):
        assert get(provider, path).status_code == 200, path
    assert b'"kid"' in get(provider, "/jwks").content


def is_back(provider: Served, party: Party, browser: Visitor, since: float) -> None:
    """Within BACK seconds: every process answers, a code is sent by the worker, and it signs somebody in."""
    while not all(get(provider, "/health/ready").status_code == 200 for _ in range(8)):
        assert time.monotonic() - since <= allowed(BACK)
        time.sleep(0.05)
    assert "code" in answer_of(browser.authorize(party, prompt="none"))
    provider.browser().authorize(party)
    newcomer = provider.browser()
    newcomer.onward(newcomer.submit(newcomer.authorize(party), phone=ANNA))
    provider.deliver()
    assert time.monotonic() - since <= allowed(BACK)


@contextmanager
def frozen(cluster: servers.Cluster) -> Iterator[None]:
    """All its processes."""
    children = Path(f"/proc/{cluster.process.pid}/task/{cluster.process.pid}/children").read_text().split()
    everybody = [cluster.process.pid, *map(int, children)]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in everybody:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def stopped(cluster: servers.Cluster) -> Iterator[None]:
    """As a power cut does."""
    cluster.kill()
    try:
        yield
    finally:
        cluster.start()


@contextmanager
def wired(between: Wire, how: str) -> Iterator[None]:
    between.become(how)
    try:
        yield
    finally:
        between.become("flowing")


@pytest.fixture(params=["stopped", "frozen", "swallowed", "refused"])
def away(request: pytest.FixtureRequest, own_cluster: servers.Cluster, between: Wire) -> Callable[[], AbstractContextManager[None]]:
    """A way for the database to be away during a block."""
    how = str(request.param)
    return {"stopped": lambda: stopped(own_cluster), "frozen": lambda: frozen(own_cluster)}.get(how, lambda: wired(between, how))


def test_away_and_back(provider: Served, party: Party, anna: Visitor, away: Callable[[], AbstractContextManager[None]]) -> None:
    """R9, with requests in flight all the while: none hangs, none breaks, none is let in that should not be."""
    given = provider.redeem(party, answer_of(anna.authorize(party))["code"]).json()
    with Load(provider, given["access_token"]) as load:
        with away():
            refused(provider, party, given["access_token"])
            goes_on(provider)
            refused(provider, party, given["access_token"])
        since = time.monotonic()
        is_back(provider, party, anna, since)
    assert load.statuses() <= {200, 503}
    assert load.slowest("/userinfo") <= allowed(TOLD)
    assert load.p99("/jwks") <= allowed(0.5), load.p99("/jwks")
    assert provider.userinfo(given["access_token"]).status_code == 200


class Load:
    """Strangers who ask for userinfo, forty a second, and relying parties that fetch the keys meanwhile."""

    def __init__(self, provider: Served, access_token: str) -> None:
        self.provider, self.token = provider, access_token
        self.seen: list[tuple[str, int, float]] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=("/userinfo", 0.2)) for _ in range(8)]
        self.threads += [threading.Thread(target=self._ask, args=("/jwks", 0.1)) for _ in range(2)]

    def _ask(self, path: str, pause: float) -> None:
        while not self.over.wait(pause):
            began = time.monotonic()
            status = get(self.provider, path, Authorization=f"Bearer {self.token}").status_code
            self.seen.append((path, status, time.monotonic() - began))

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def statuses(self) -> set[int]:
        """Every status that was answered; those of /jwks are 200."""
        assert {status for path, status, _ in self.seen if path == "/jwks"} == {200}
        return {status for _, status, _ in self.seen}

    def slowest(self, path: str) -> float:
        return max(seconds for asked, _, seconds in self.seen if asked == path)

    def p99(self, path: str) -> float:
        return statistics.quantiles([seconds for asked, _, seconds in self.seen if asked == path], n=100)[98]


def test_slow_is_shed(provider: Served, party: Party, anna: Visitor, between: Wire) -> None:
    """R10: two seconds late, each way: requests are refused, 99 of 100 of them within a second, and the keys come as ever."""
    given = provider.redeem(party, answer_of(anna.authorize(party))["code"]).json()
    with Load(provider, given["access_token"]) as load:
        load.seen.clear()
        between.become("flowing", delay=2.0)
        try:
            time.sleep(machine.count(6, 30))
        finally:
            between.become("flowing")
        is_back(provider, party, anna, time.monotonic())
    refusals = sorted(seconds for path, status, seconds in load.seen if path == "/userinfo" and status == 503)
    assert len(refusals) > 50
    assert statistics.median(refusals) <= allowed(0.2)
    assert refusals[-1] <= allowed(TOLD)
    assert load.p99("/jwks") <= allowed(0.5)


def test_a_backend_that_was_ended_is_not_noticed(provider: Served, party: Party, anna: Visitor, own_cluster: servers.Cluster) -> None:
    """R9: an administrator ends every connection, the worker's too: the next request opens another, and nobody hears of it."""
    administrator = {"host": "127.0.0.1", "port": own_cluster.port, "user": servers.USER, "dbname": "postgres"}
    for _ in range(5):
        with psycopg.connect(**administrator, autocommit=True) as connection:  # type: ignore[arg-type] # by name
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
            )
        time.sleep(0.1)
        assert "code" in answer_of(anna.authorize(party, prompt="none"))
    newcomer = provider.browser()
    newcomer.onward(newcomer.submit(newcomer.authorize(party), phone=ANNA))
    provider.deliver()


def test_a_process_that_comes_up_meanwhile(provider: Served, party: Party, anna: Visitor, between: Wire) -> None:
    """R9: it has no keys in memory, so /jwks is 503 as everything else; it lives, says what it can do, and needs no restart."""
    with wired(between, "refused"):
        for pid in provider.processes():
            os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + allowed(10)
        while True:
            try:
                assert get(provider, "/health/live").status_code == 200
                break
            except httpx2.TransportError:
                assert time.monotonic() < until
        assert get(provider, "/.well-known/openid-configuration").status_code == 200
        answer = get(provider, "/jwks")
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert answer.headers["Retry-After"]
        assert "max-age" not in answer.headers.get("Cache-Control", "")
    is_back(provider, party, anna, time.monotonic())
    goes_on(provider)
