"""A gateway that fails is left alone, and asked again when it is well; meanwhile every message arrives by the next one.

Promise R13 (500, 429, hanging, slow, 200 with an error, TLS, no connection): the second gateway within ten seconds, a breaker that opens
after five failures or half of all within 30 s, a probe when it is half open. R2: no two different codes, none too late.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from idp import clock, events, outbox, schedule
from idp.cli import worker
from idp.db.session import reads, writes
from idp.events import Event
from idp.messages import breaker, channels, gateways
from idp.messages.breaker import Admitted
from idp.messages.gateway import GatewayFailed
from idp.messages.tables import Receipt
from idp.outbox import Outbox
from tests.cli.test_worker import person, soon, working
from tests.ground import Ground, parallel
from tests.machine import count
from tests.messages.far_end import FarEnd, http_gateway
from tests.messages.test_gateways import a_webhook, receipt, send, use


@pytest.fixture(scope="module")
def _other_end() -> Iterator[FarEnd]:
    with http_gateway() as end:
        yield end


@pytest.fixture
def other_end(_other_end: FarEnd) -> FarEnd:
    """The second gateway."""
    _other_end.clear()
    return _other_end


def standing(ground: Ground, name: str = "gw0") -> breaker.Standing:
    """How a gateway stands."""
    with ground.reads():
        return breaker.standings()[name]


def told(ground: Ground) -> list[tuple[str, str]]:
    """What an operator reads of gateways."""
    with ground.reads():
        return [(event.name, event.details["gateway"]) for event in events.read(name="gateway.")]


FAULTS: dict[int | str, str] = {
    500: "status_500",
    429: "status_429",
    403: "status_403",
    404: "status_404",
    "error": "refused",
    "words": "refused",
    "close": "connection",
    "redirect": "status_302",
    "hang": "timeout",
    "drip": "timeout",
    "nobody": "connection",
    "tls": "tls",
}


@pytest.mark.parametrize(("fault", "word"), FAULTS.items())
def test_whatever_the_first_one_does(ground: Ground, far_end: FarEnd, other_end: FarEnd, fault: int | str, word: str) -> None:
    """R13: each message arrives by the second, under its id; after five the first is not asked; a probe closes it; both are told."""
    first = a_webhook(far_end, timeout=0.15 if fault in {"hang", "drip"} else 2)
    if fault == "nobody":
        first["url"] = "http://localhost:1/"
    elif fault == "tls":
        first["url"] = first["url"].replace("http:", "https:")
    use(ground, first, a_webhook(other_end, timeout=5))
    far_end.otherwise = lambda: fault
    with clock.freeze(clock.now()) as shift:
        sent = []
        for number in range(7):
            sent += send(ground, to=f"+7900555350{number}")
            worker.drain(ground.app)
            found = receipt(ground, sent[-1])
            assert (found.state, found.gateway, found.tries) == ("sent", "gw1", 1)
            assert found.passed == f"gw0 {word if number < breaker.IN_A_ROW else 'open'}"
        assert [asked.key for asked in other_end.asked] == sent
        assert told(ground) == [("gateway.opened", "gw0")]
        assert (standing(ground).is_closed, standing(ground).reason) == (False, word)
        if fault in {"nobody", "tls"}:
            return
        assert [asked.key for asked in far_end.asked] == sent[: breaker.IN_A_ROW]
        far_end.otherwise = lambda: "ok"
        shift(breaker.FIRST_PAUSE)
        sent = send(ground, 2)
        worker.drain(ground.app)
        assert {receipt(ground, message_id).gateway for message_id in sent} == {"gw0"}, "it is asked again"
        assert standing(ground).is_closed
        assert told(ground) == [("gateway.opened", "gw0"), ("gateway.closed", "gw0")]


def test_a_probe_that_fails(ground: Ground, far_end: FarEnd, other_end: FarEnd) -> None:
    """One message tries, all others pass at once; the pause doubles, up to five minutes."""
    use(ground, a_webhook(far_end), a_webhook(other_end))
    far_end.otherwise = lambda: 500
    with clock.freeze(clock.now()) as shift:
        send(ground, breaker.IN_A_ROW)
        worker.drain(ground.app)
        pause = breaker.FIRST_PAUSE
        for _ in range(6):
            shift(pause - 1)
            send(ground, 3)
            worker.drain(ground.app)
            before = len(far_end.asked)
            shift(1)
            sent = send(ground, 3)
            worker.drain(ground.app)
            assert len(far_end.asked) == before + 1, "one probe, when the pause is over and not sooner"
            assert sorted(receipt(ground, message_id).passed for message_id in sent) == ["gw0 open", "gw0 open", "gw0 status_500"]
            pause = min(2 * pause, breaker.LONGEST_PAUSE)
        assert pause == breaker.LONGEST_PAUSE
        assert len(other_end.asked) == breaker.IN_A_ROW + 36
    assert told(ground) == [("gateway.opened", "gw0")]


def test_half_of_six(ground: Ground, far_end: FarEnd, other_end: FarEnd) -> None:
    """Never five in a row, and yet it is left: half of at least six within 30 seconds; what was longer ago does not count."""
    use(ground, a_webhook(far_end), a_webhook(other_end))
    with clock.freeze(clock.now()) as shift:
        for answers, is_closed in ((("ok", 500, 500, "ok", 500), True), (("ok",), True), ((500,), True)):
            far_end.answers.extend(answers)
            for _ in answers:
                send(ground)
                worker.drain(ground.app)
            assert standing(ground).is_closed is is_closed
            shift(breaker.WINDOW + breaker.STEP)
        far_end.answers.extend(["ok", 500, 500, "ok", "ok", 500])
        for number in range(6):
            assert standing(ground).is_closed, number
            send(ground)
            worker.drain(ground.app)
            shift(1)
    assert not standing(ground).is_closed
    assert told(ground) == [("gateway.opened", "gw0")]


@pytest.mark.parametrize("answer", [400, "error"])
def test_numbers_that_nobody_serves_open_nothing(ground: Ground, far_end: FarEnd, other_end: FarEnd, answer: int | str) -> None:
    """A refusal may be about the number. Whoever asks for codes to numbers that no gateway serves must not close the way for all others."""
    use(ground, a_webhook(far_end), a_webhook(other_end))
    far_end.otherwise = other_end.otherwise = lambda: answer
    send(ground, 12)
    with clock.freeze(clock.now()):
        worker.drain(ground.app)
    far_end.otherwise = lambda: "ok"
    [message_id] = send(ground)
    with clock.freeze(clock.now()):
        worker.drain(ground.app)
    assert receipt(ground, message_id).gateway == "gw0"
    assert told(ground) == []


@pytest.mark.parametrize("answer", [400, "error"])
def test_one_number_opens_nothing(ground: Ground, far_end: FarEnd, other_end: FarEnd, answer: int | str) -> None:
    """Case 66: a number that the first gateway does not serve, and the second does: whoever asks for it all the time keeps nobody else from
    the first. Five numbers within the hour are no longer one.
    """
    use(ground, a_webhook(far_end), a_webhook(other_end))
    far_end.otherwise = lambda: answer
    with clock.freeze(clock.now()) as shift:
        for _ in range(3 * breaker.IN_A_ROW):
            [message_id] = send(ground)
            worker.drain(ground.app)
            assert receipt(ground, message_id).gateway == "gw1"
            shift(2)
        assert (standing(ground).is_closed, told(ground)) == (True, [])
        for number in range(2, breaker.IN_A_ROW + 1):
            send(ground, to=f"+7900555360{number}")
            worker.drain(ground.app)
        assert told(ground) == [("gateway.opened", "gw0")]


def test_the_only_gateway(ground: Ground, far_end: FarEnd) -> None:
    """Without a second one messages wait in the outbox, know why, and go out with the probe's end."""
    use(ground, a_webhook(far_end))
    far_end.answers.extend([500] * breaker.IN_A_ROW)
    with clock.freeze(clock.now()) as shift:
        sent = send(ground, breaker.IN_A_ROW + 2)
        worker.drain(ground.app)
        assert {receipt(ground, message_id).reason for message_id in sent} == {"status_500", "open"}
        for _ in range(8):
            shift(5)
            worker.drain(ground.app)
        assert {receipt(ground, message_id).state for message_id in sent} == {"sent"}
    assert [name for name, _ in told(ground)] == ["gateway.opened", "gateway.closed"]


# ---- several workers ----


def test_the_breaker_is_everybodys(ground: Ground, far_end: FarEnd, other_end: FarEnd) -> None:
    """What one process has seen another one knows at once; of eight that want to probe one may; of eight failures the fifth opens, once."""
    use(ground, a_webhook(far_end), a_webhook(other_end))

    def fail(_: int) -> None:
        with ground.app.app_context(), writes():
            breaker.failed("gw0", "timeout", Admitted())

    def admit(number: int) -> Admitted | None:
        with (ground.app if number % 2 else other).app_context():
            return breaker.admit("gw0")

    with clock.freeze(clock.now()) as shift:
        assert parallel(8, fail) == [None] * 8
        other = ground.connect()
        send(ground)
        worker.drain(other)
        assert (len(far_end.asked), len(other_end.asked)) == (0, 1)
        shift(breaker.FIRST_PAUSE)
        assert sorted(parallel(8, admit), key=str) == [Admitted(is_probe=True), *[None] * 7]
        assert admit(0) is None
        shift(breaker.PROBE)
        assert admit(0) == Admitted(is_probe=True), "who probed died: another one does"
    assert [event.name for event in ground.rows(Event) if event.name.startswith("gateway.")] == ["gateway.opened"]
    [opened] = [event for event in ground.rows(Event) if event.name == "gateway.opened"]
    assert (opened.outcome, opened.details) == ("failed", {"gateway": "gw0", "reason": "timeout", "in_a_row": 5, "failed": 5, "of": 5})
    ground.close(other)


def test_a_late_answer_changes_nothing(ground: Ground) -> None:
    """Who was asked before the breaker opened, and answers now: neither a yes nor a no moves it."""
    with clock.freeze(clock.now()) as shift:
        for _ in range(breaker.IN_A_ROW):
            with ground.writes():
                breaker.failed("gw0", "timeout", Admitted())
        before = standing(ground)
        shift(3)
        with ground.writes():
            breaker.succeeded("gw0", Admitted())
        with ground.writes():
            breaker.failed("gw0", "connection", Admitted())
        assert standing(ground) == before


# ---- nobody waits for a gateway that hangs ----


def test_twenty_people_and_a_gateway_that_hangs(ground: Ground, far_end: FarEnd, other_end: FarEnd) -> None:
    """R13: all twenty reach the second within ten seconds (p95), one message and one code each; the breaker is open by then."""
    patience = count(1, 8)  # seconds for one try: eight are the default
    use(ground, a_webhook(far_end, timeout=patience), a_webhook(other_end))
    far_end.otherwise = lambda: "hang"
    arrived: dict[str, float] = {}
    with working(ground.app):
        time.sleep(0.2)
        began = time.monotonic()
        with ground.writes():
            sent = {
                str(channels.send("sms", f"+790055500{n:02}", "sign_in_code", "ru", code=f"4938{n:02}", expires_at=_soon()))
                for n in range(20)
            }
        while len(arrived) < 20 and time.monotonic() - began < patience + 9:
            for asked in list(other_end.asked):
                arrived.setdefault(asked.key, time.monotonic() - began)
            time.sleep(0.02)
        far_end.go_on.set()
        soon(lambda: {row.state for row in ground.rows(Outbox)} == {"done"})
    assert set(arrived) == sent
    assert sorted(arrived.values())[18] < min(10, breaker.IN_A_ROW * patience), "one after the other, five would have waited"
    assert {row.gateway for row in ground.rows(Receipt)} == {"gw1"}
    assert not standing(ground).is_closed
    said: dict[str, set[str]] = {}
    for asked in far_end.asked + other_end.asked:
        said.setdefault(asked.json["to"], set()).add(asked.json["message"]["text"])
    assert len(said) == 20
    assert all(len(texts) == 1 for texts in said.values()), "two different codes for one person"
    assert len(other_end.asked) == 20, "nobody gets it twice from a gateway that answers"


def _soon() -> Any:
    return clock.now() + timedelta(minutes=5)


def test_nothing_else_is_held_up(ground: Ground, far_end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    """All hands wait for a gateway: reactions, other kinds of outbox rows and the schedule go on."""
    use(ground, a_webhook(far_end, timeout=8))
    ground.use(messages=ground.settings.messages.model_dump() | {"at_once": 2})
    far_end.otherwise = lambda: "ok" if far_end.go_on.is_set() else "hang"
    done, ran = threading.Event(), threading.Event()
    monkeypatch.setitem(worker.HANDLERS, "signal", lambda _id, _payload, **_more: done.set())  # type: ignore[arg-type]
    user_id = person(ground)
    send(ground, 4)
    with working(ground.app):
        soon(lambda: len(far_end.asked) == 2)
        monkeypatch.setattr(schedule, "SCHEDULE", (schedule.Job("tick", 1, ran.set),))
        with ground.writes():
            outbox.put("signal", {})
            events.record("browser.stolen", user_id=user_id)
        assert done.wait(2)
        soon(lambda: all(event.reacted_at for event in ground.rows(Event) if event.name == "browser.stolen"), 2)
        assert ran.wait(3)
        assert len(far_end.asked) == 2, "the hands were not all full"
        far_end.go_on.set()
        soon(lambda: {row.state for row in ground.rows(Outbox) if row.kind == "signal"} == {"done"})
        soon(lambda: sum(row.state == "sent" for row in ground.rows(Receipt)) >= 3)


def test_nobody_is_asked_too_late(ground: Ground, far_end: FarEnd, other_end: FarEnd) -> None:
    """R2: the first one hangs until the code is over: the second does not get it any more."""
    use(ground, a_webhook(far_end, timeout=1.2), a_webhook(other_end))
    far_end.answers.append("hang")
    [message_id] = send(ground, expires_at=clock.now() + timedelta(seconds=1))
    worker.drain(ground.app)
    assert (len(far_end.asked), other_end.asked) == (1, [])
    found = receipt(ground, message_id)
    assert (found.state, found.reason, found.passed) == ("queued", "expired", "gw0 timeout")
    worker.drain(ground.app)
    assert other_end.asked == []


def test_a_failure_says_whether_somebody_may_have_it(ground: Ground, far_end: FarEnd, other_end: FarEnd) -> None:
    """The last word alone does not: a gateway before it may have taken the message without saying so."""
    use(ground, a_webhook(far_end, timeout=0.3), a_webhook(other_end))
    for first, second, passed, is_doubtful in (
        (500, 503, "gw0 status_500", False),
        ("hang", 503, "gw0 timeout", True),
        (500, "close", "gw0 status_500", True),
    ):
        far_end.answers.append(first)
        other_end.answers.append(second)
        with ground.writes(), pytest.raises(GatewayFailed) as raised:
            channels.deliver(
                "out_1", {"channel": "sms", "to": "+79005550001", "wording": "test", "language": "ru", "code": None, "params": {}}
            )
        assert raised.value.passed == (passed,)
        assert (raised.value.doubts > 0) is is_doubtful


def test_doctor_says_who_is_left_alone(ground: Ground, far_end: FarEnd, other_end: FarEnd) -> None:
    """Each gateway with what it carries; one that is left alone is not well."""
    use(ground, a_webhook(far_end), a_webhook(other_end))
    far_end.otherwise = lambda: 503
    send(ground, breaker.IN_A_ROW)
    worker.drain(ground.app)
    with ground.app.app_context(), reads():
        first, second = gateways.look(breaker.standings())
    assert (first[0], first[2]) == ("gw0 (sms)", False)
    assert "left alone since" in first[1]
    assert "(status_503)" in first[1]
    assert (second[0], second[2]) == ("gw1 (sms)", True)
