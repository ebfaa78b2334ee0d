"""The worker: delivers within a moment, reacts to what happened, keeps the schedule with others, survives the database, stops politely.

House rules 5 and 6. Promises R1, R2, R9; threats: cases 28 and 77 (the person is told).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from idp import clock, events, keyring, outbox, reactions, schedule
from idp.cli import worker
from idp.db.session import engine, session
from idp.directory import users
from idp.events import Event
from idp.messages import channels, inbox
from idp.messages.channels import Channel
from idp.messages.wording import Text
from idp.outbox import Outbox
from idp.schedule import ScheduledJob
from tests.ground import Ground, ground, parallel

__all__ = ["ground"]

PHONE = "+79005550001"


@contextmanager
def working(*apps: Flask) -> Iterator[threading.Event]:
    """Workers, one per application, until the end of the block; the value given stops them."""
    stop = threading.Event()
    threads = [threading.Thread(target=worker.run, args=(app, stop)) for app in apps]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in threads)


def send(ground: Ground, count: int = 1, **more: Any) -> None:
    """Codes to PHONE."""
    with ground.writes():
        for number in range(count):
            channels.send("sms", PHONE, "sign_in_code", "en", code=f"{number:06}", **more)


def codes(ground: Ground) -> list[str | None]:
    """What arrived, in the order of the codes."""
    with ground.reads():
        return sorted((message.code for message in inbox.newest(limit=1000)), key=str)


def soon(condition: Callable[[], bool], within: float = 5) -> float:
    """Wait until `condition` holds; answers after how long."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within, "it did not come to be"
        time.sleep(0.01)
    return time.monotonic() - began


def person(ground: Ground, phone: str = PHONE, locale: str = "en") -> str:
    """Somebody who can be told something."""
    with ground.writes():
        return users.register(phone, "Анна", locale, "1").id


def test_a_message_is_delivered_in_a_moment(ground: Ground) -> None:
    """From commit to inbox: well under a second."""
    with working(ground.app):
        time.sleep(0.5)
        send(ground)
        assert soon(lambda: codes(ground) == ["000000"]) < 1
        assert [row.state for row in ground.rows(Outbox)] == ["done"]


def test_several_workers_deliver_everything_once(ground: Ground) -> None:
    """R2: 60 messages, three workers: each arrives, none twice, nothing is left open."""
    delivered: list[str] = []

    def deliver(message_id: str, kind: str, to: str, text: Text) -> None:
        delivered.append(message_id)
        inbox.deliver(message_id, kind, to, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channels, "CHANNELS", (Channel("inbox", channels.KINDS, deliver),))
        others = [ground.connect(), ground.connect()]
        with working(ground.app, *others):
            send(ground, 60)
            soon(lambda: len(codes(ground)) == 60, 20)
            soon(lambda: {row.state for row in ground.rows(Outbox)} == {"done"})
    assert codes(ground) == [f"{number:06}" for number in range(60)]
    assert len(delivered) == len(set(delivered)) == 60
    ground.close(*others)


def test_what_takes_longer_than_a_lease_is_kept(ground: Ground) -> None:
    """R2: a short lease gives back soon what a dead worker had in its hands; a slow one prolongs it, and nobody sends it twice."""
    delivered: list[str] = []

    def deliver(message_id: str, kind: str, to: str, text: Text) -> None:
        delivered.append(message_id)
        time.sleep(2)
        inbox.deliver(message_id, kind, to, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channels, "CHANNELS", (Channel("inbox", channels.KINDS, deliver),))
        patch.setattr(worker, "LEASE", 0.6)
        patch.setattr(worker, "KEPT_EVERY", 0.1)
        other = ground.connect()
        with working(ground.app, other):
            send(ground, 3)
            soon(lambda: len(codes(ground)) == 3, 10)
    assert len(delivered) == len(set(delivered)) == 3
    ground.close(other)


def test_a_gateway_that_fails_is_tried_again(ground: Ground) -> None:
    """R2, R13: an exception is a try; another message is not held up; the log and the row name neither number nor code."""
    tries: list[str] = []

    def deliver(message_id: str, kind: str, to: str, text: Text) -> None:
        if text.code == "000000" and not tries:
            tries.append(message_id)
            raise ConnectionError(f"{to} {text.code}")
        inbox.deliver(message_id, kind, to, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channels, "CHANNELS", (Channel("inbox", channels.KINDS, deliver),))
        send(ground, 2)
        worker.drain(ground.app)
        assert codes(ground) == ["000001"]
        row = next(row for row in ground.rows(Outbox) if row.state == "waiting")
        assert (row.attempts, row.last_error) == (1, "ConnectionError")
        assert "000000" not in ground.dump()
        with working(ground.app):
            soon(lambda: codes(ground) == ["000000", "000001"])


def test_nothing_is_sent_after_its_time(ground: Ground) -> None:
    """R2: a code that could not go out while it lived does not go out."""
    with clock.freeze(clock.now()) as shift:
        send(ground, expires_at=clock.now() + timedelta(minutes=5))
        shift(300)
        worker.drain(ground.app)
        assert codes(ground) == []
        for job in schedule.SCHEDULE:
            if job.name == "outbox":
                with ground.app.app_context():
                    schedule.run(job)
        assert [(row.state, row.sealed) for row in ground.rows(Outbox)] == [("expired", None)]


def test_a_row_that_nobody_can_do_harms_nobody(ground: Ground) -> None:
    """An unknown kind, a payload that does not open: a failed try each, and the rest goes out."""
    with ground.writes():
        outbox.put("no_such_kind", {})
        outbox.put("message", {"channel": "sms"})
        broken = outbox.put("message", {})
        session.execute(sa.update(Outbox).where(Outbox.id == broken).values(sealed="AAAA"))
    send(ground)
    worker.drain(ground.app)
    assert codes(ground) == ["000000"]
    assert sorted(str(row.last_error) for row in ground.rows(Outbox) if row.state == "waiting") == ["KeyError", "KeyError", "ValueError"]


@pytest.mark.parametrize(
    ("name", "locale", "says"),
    [
        ("browser.stolen", "ru-RU", "из другого браузера"),
        ("browser.stolen", "en", "from another browser"),
        ("token.reused", "zh-Hans-CN", "旧密钥"),
        ("token.reused", "fr", "старый ключ"),
    ],
)
def test_the_person_is_told(ground: Ground, name: str, locale: str, says: str) -> None:
    """Cases 28 and 77: by text, in their language (the default one where we have not theirs), once, however often the worker looks."""
    user_id = person(ground, locale=locale)
    with ground.writes():
        event_id = events.record(name, outcome="refused", user_id=user_id)
    worker.drain(ground.app)
    with ground.writes():  # as if the worker had died before it could say that it had reacted
        session.execute(sa.update(Event).where(Event.id == event_id).values(reacted_at=None))
    worker.drain(ground.app)
    with ground.reads():
        [message] = inbox.newest()
    assert (message.to, message.channel, message.code) == (PHONE, "sms", None)
    assert says in message.text


def test_who_cannot_be_told_is_no_error(ground: Ground) -> None:
    """An event of nobody, of somebody unknown, of a test number: nothing is sent, and the event is over."""
    ground.use(login={"test_numbers": {PHONE: "123456"}})
    user_id = person(ground)
    with ground.writes():
        for whom in (None, "usr_unknown", user_id):
            events.record("browser.stolen", user_id=whom)
    worker.drain(ground.app)
    assert ground.rows(Outbox) == []
    assert all(event.reacted_at for event in ground.rows(Event) if event.name == "browser.stolen")


def test_one_reaction_that_fails_holds_up_no_other(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again; the next event has its own unit."""
    user_id = person(ground)
    failures = iter([RuntimeError("once")])

    def react(event: Event) -> None:
        for failure in failures:
            raise failure
        reactions.tell_of_stolen_browser(event)

    monkeypatch.setitem(reactions.REACTIONS, "browser.stolen", (react,))
    with ground.writes():
        events.record("browser.stolen", user_id=user_id)
        events.record("browser.stolen", user_id=user_id)
    worker.drain(ground.app)
    worker.drain(ground.app)
    assert len(ground.rows(Outbox)) == 2


def test_the_schedule_runs_once_for_all(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight workers look at once: each job is done by one of them, and again only when it is due."""
    runs: list[str] = []
    monkeypatch.setattr(schedule, "SCHEDULE", tuple(schedule.Job(f"job{n}", 60, lambda n=n: runs.append(f"job{n}")) for n in range(5)))

    def look(_: int) -> None:
        with ground.app.app_context():
            for job in schedule.due():
                schedule.run(job)

    with clock.freeze(clock.now()) as shift:
        assert parallel(8, look) == [None] * 8
        assert sorted(runs) == [f"job{n}" for n in range(5)]
        shift(59)
        look(0)
        assert len(runs) == 5
        shift(1)
        parallel(8, look)
        assert sorted(runs) == sorted([f"job{n}" for n in range(5)] * 2)


def test_the_whole_schedule_runs(ground: Ground) -> None:
    """Every job on the page works on an empty database and on one with keys; a job that has more to do is due again at once."""
    with clock.freeze(clock.now()), ground.app.app_context():  # a busy machine takes longer than a second, and the first is due again
        for job in schedule.SCHEDULE:
            assert schedule.run(job), job.name
        assert schedule.due() == []
    assert len({row.name for row in ground.rows(ScheduledJob)}) == len(schedule.SCHEDULE)
    assert {row.state for row in ground.rows(keyring.SigningKey)} == {"active", "next"}
    with ground.writes():
        for _ in range(events.BATCH + 1):
            events.record("login.succeeded")
    with clock.freeze(clock.now() + timedelta(seconds=2)), ground.app.app_context():
        chain = next(job for job in schedule.SCHEDULE if job.name == "event_chain")
        assert schedule.run(chain)
        assert chain in schedule.due()
        assert schedule.run(chain)
        assert chain not in schedule.due()
    with ground.reads():
        assert events.verify_chain().broken is None


def test_a_job_that_fails_is_not_the_end(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others run, and messages go out."""
    ran = threading.Event()

    def fail() -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(schedule, "SCHEDULE", (schedule.Job("bad", 1, fail), schedule.Job("good", 1, ran.set)))
    with working(ground.app):
        assert ran.wait(5)
        send(ground)
        soon(lambda: codes(ground) == ["000000"])


def test_the_database_may_go_and_come(ground: Ground) -> None:
    """R9: while it is away the worker waits; within ten seconds of its return everything goes on, with no restart."""
    with working(ground.app):
        time.sleep(0.3)
        with ground.app.app_context(), engine().begin() as connection:
            connection.execute(sa.text("ALTER TABLE outbox RENAME TO away"))
        time.sleep(1)
        with ground.app.app_context(), engine().begin() as connection:
            connection.execute(sa.text("ALTER TABLE away RENAME TO outbox"))
        send(ground)
        assert soon(lambda: codes(ground) == ["000000"], 10) < 10


def test_it_finishes_what_it_does_and_leaves_the_rest(ground: Ground) -> None:
    """Told to stop in the middle: the messages in hand are finished, the rest is free at once for whoever comes next."""
    ground.use(messages={"at_once": 2})
    began, go_on = threading.Barrier(3), threading.Event()

    def deliver(message_id: str, kind: str, to: str, text: Text) -> None:
        began.wait(5)
        go_on.wait(10)
        inbox.deliver(message_id, kind, to, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channels, "CHANNELS", (Channel("inbox", channels.KINDS, deliver),))
        send(ground, 3)
        with working(ground.app) as stop:
            began.wait(5)
            stop.set()
            go_on.set()
    assert len(codes(ground)) == 2
    assert sorted((row.state, row.attempts, row.lease is None) for row in ground.rows(Outbox)) == [
        ("done", 1, True),
        ("done", 1, True),
        ("waiting", 0, True),
    ]
    worker.drain(ground.app)
    assert len(codes(ground)) == 3
