"""A receiver that hangs holds up what is for it, and nobody else: back-channel logout by a real worker (case 52, promise R21)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from idp import outbox
from idp.cli import worker
from idp.delegation.clients import Client
from idp.oidc.logout import backchannel
from tests.oidc.asking import person, phone
from tests.oidc.receiver import receiver
from tests.world import World, claims_of

BACKLOG = 1000
WITHIN = 1.0  # seconds (R21)
SLACK = 1.5  # for a machine that does other things


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """Loopback may be called back; a receiver that hangs is waited for as long as usual."""
    return {"outbound": {"allow_private_addresses": True}}


@contextmanager
def working(world: World) -> Iterator[None]:
    """A worker for the length of the block."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(world.app, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def soon(condition: Callable[[], bool], within: float = 15) -> float:
    """Wait until it holds; answers after how long."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within, "it did not come to be"
        time.sleep(0.01)
    return time.monotonic() - began


def put(world: World, client: Client, count: int, name: str) -> None:
    """So many ended sessions of which this client is to hear."""
    payload = {"client": client.id, "session": "ses_x", "sub": "usr_x", "sid": "ses_x"}
    with world.writes():
        for number in range(count):
            outbox.put(outbox.lane(backchannel.KIND, str(client.backchannel_logout_uri)), payload, key=f"{name}:{number}")


@pytest.mark.parametrize("hanging", [1, 16])
def test_who_hangs_delays_nobody_else(world: World, hanging: int) -> None:
    """R21: a thousand rows wait for receivers that never answer; one for somebody else is there within a second, again and again."""
    with ExitStack() as stack:
        good, *never = (stack.enter_context(receiver(*statuses)) for statuses in ((200,), *[(0,)] * hanging))
        healthy = world.party(backchannel_logout_uri=good.address).client
        for number, each in enumerate(never):
            put(world, world.party(backchannel_logout_uri=each.address).client, BACKLOG // hanging, f"hanging{number}")
        with working(world):
            soon(lambda: all(each.sent for each in never))
            took = []
            for turn in range(5):
                put(world, healthy, 1, f"good{turn}")
                took.append(soon(lambda turn=turn: len(good.sent) > turn))
                time.sleep(0.3)
        assert sorted(took)[2] < WITHIN, took
        assert max(took) < WITHIN + SLACK, took
        assert all(len(each.sent) <= 12 for each in never)  # each is asked by one hand at a time


def test_who_answers_gets_them_all(world: World) -> None:
    """A backlog for one receiver is worked off by several hands, each row once."""
    with receiver() as good:
        client = world.party(backchannel_logout_uri=good.address).client
        put(world, client, 60, "good")
        with working(world):
            soon(lambda: len(good.sent) >= 60, 30)
        jtis = [claims["jti"] for claims in good.claims(world)]
        assert len(jtis) == len(set(jtis)) == 60
        with world.reads():
            assert outbox.backlog() == {"waiting": 0, "dead": 0, "age": 0}


def test_the_user_waits_for_nobody(world: World, story) -> None:
    """Case 52: signing out takes no longer because a receiver hangs, and a good one hears of it within a second of it."""
    with receiver() as good, receiver(0) as never:
        parties = [world.party(backchannel_logout_uri=each.address) for each in (never, good)]
        browser = world.browser()
        first = world.tokens(browser, parties[0], phone(story, "zimin"), scope="openid")
        code = browser.authorize(parties[1]).headers["Location"].partition("code=")[2].partition("&")[0]
        assert world.redeem(parties[1], code).status_code == 200
        with working(world):
            time.sleep(0.5)
            began = time.monotonic()
            assert browser.get("/end_session", params={"id_token_hint": first["id_token"]}).status_code == 200
            assert time.monotonic() - began < WITHIN
            assert soon(lambda: len(good.sent) == 1) < WITHIN + SLACK
            soon(lambda: len(never.sent) == 1)
        assert [each["sid"] for each in good.claims(world)] == [claims_of(first["id_token"])["sid"]]
        assert person(story, "zimin").user_id in str(good.claims(world))


def test_one_that_comes_back_is_told(world: World) -> None:
    """At least once (case 85): down at first, and told as soon as it stands again."""
    with receiver(503, 503, 200) as at:
        client = world.party(backchannel_logout_uri=at.address).client
        put(world, client, 1, "late")
        with working(world):
            soon(lambda: len(at.sent) == 3)
            pauses = [later - before for before, later in zip(at.at, at.at[1:], strict=False)]
            assert pauses[0] > 0.7
            assert pauses[1] > 1.4
        time.sleep(0.2)
        with world.reads():
            assert outbox.backlog()["waiting"] == 0
