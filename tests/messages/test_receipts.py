"""What became of a message, for the page that offers the next channel and for support: also before anybody was asked.

Product: a receipt for the person and for support (queued, sent, delivered, failed, the gateway's reason). Promise R13.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp import clock, outbox
from idp.cli import worker
from idp.messages import channels, receipts
from idp.messages.receipts import State
from tests.ground import Ground
from tests.messages.far_end import FarEnd
from tests.messages.test_gateways import CODE, PHONE, a_webhook, use


def send(ground: Ground, to: str = PHONE, **more: object) -> str:
    """A code that is good for five minutes, its id."""
    with ground.writes():
        expires_at = clock.now() + timedelta(minutes=5)
        return str(channels.send("sms", to, "sign_in_code", "ru", code=CODE, expires_at=expires_at, **more))  # type: ignore[arg-type]


def state(ground: Ground, *message_ids: str) -> dict[str, State]:
    """As the page asks."""
    with ground.reads():
        return receipts.states_of(message_ids)


def test_from_the_queue_to_the_phone(ground: Ground, far_end: FarEnd) -> None:
    """Queued before anybody was asked; queued with a reason after a try that failed; sent; delivered."""
    use(ground, a_webhook(far_end))
    far_end.answers.append(503)
    with clock.freeze(clock.now()) as shift:
        message_id, asked_at = send(ground), clock.now()
        assert state(ground, message_id) == {message_id: State("queued", None, "sms", "", asked_at)}
        worker.drain(ground.app)
        assert state(ground, message_id)[message_id][:4] == ("queued", "status_503", "sms", "gw0")
        shift(5)
        worker.drain(ground.app)
        assert state(ground, message_id)[message_id] == State("sent", None, "sms", "gw0", asked_at, clock.now(), None)
        shift(2)
        with ground.writes():
            assert receipts.reported("gw0", "gw-2", delivered=True)
        found = state(ground, message_id)[message_id]
        assert (found.state, found.settled_at) == ("delivered", clock.now())


def test_a_report_says_that_it_failed(ground: Ground, far_end: FarEnd) -> None:
    """The code still lives, and will not arrive: the page can offer the next channel."""
    use(ground, a_webhook(far_end))
    message_id = send(ground)
    worker.drain(ground.app)
    with ground.writes():
        assert receipts.reported("gw0", message_id, delivered=False, reason="UNDELIV")
    assert state(ground, message_id)[message_id][:2] == ("failed", "undeliv")


def test_a_report_of_who_never_said_that_it_took_it(ground: Ground, far_end: FarEnd) -> None:
    """After a timeout nobody knows: its yes counts, its no does not, since the next gateway has it too. Who said no is not heard."""
    use(ground, a_webhook(far_end), a_webhook(far_end), a_webhook(far_end))
    far_end.answers.extend([500, "hang", "ok"])
    message_id = send(ground)
    worker.drain(ground.app)
    for gateway, delivered, answer, ends in (
        ("gw0", True, None, "sent"),
        ("gw1", False, False, "sent"),
        ("gw1", True, True, "delivered"),
        ("gw1", True, False, "delivered"),
        ("gw2", False, False, "delivered"),
    ):
        with ground.writes():
            assert receipts.reported(gateway, message_id, delivered=delivered) is answer, (gateway, delivered)
        assert state(ground, message_id)[message_id].state == ends


@pytest.mark.parametrize("was_tried", [False, True])
def test_its_time_is_over(ground: Ground, far_end: FarEnd, was_tried: bool) -> None:
    """It has failed as soon as nobody will send it any more, and not only when somebody sweeps."""
    use(ground, a_webhook(far_end))
    far_end.answers.append(503)
    with clock.freeze(clock.now()) as shift:
        message_id = send(ground)
        if was_tried:
            worker.drain(ground.app)
        shift(300)
        assert state(ground, message_id)[message_id][:2] == ("failed", "expired")
        with ground.writes():
            outbox.sweep(clock.now())
            receipts.sweep(clock.now())
        assert state(ground, message_id)[message_id][:2] == ("failed", "expired")


def test_of_many_and_of_none(ground: Ground, far_end: FarEnd) -> None:
    """In the order in which they were asked for; what nobody knows is left out."""
    use(ground, a_webhook(far_end))
    first = send(ground)
    worker.drain(ground.app)
    second = send(ground)
    found = state(ground, second, "out_unknown", first, second)
    assert [(message_id, said.state) for message_id, said in found.items()] == [(second, "queued"), (first, "sent")]
    assert state(ground) == {}


def test_found_by_number(ground: Ground, far_end: FarEnd) -> None:
    """By a digest, never by the number, of which only the ends are kept; by time and by state."""
    use(ground, a_webhook(far_end))
    other = "+79005550002"
    far_end.answers.extend(["ok", 500, "ok"])
    with clock.freeze(clock.now()) as shift:
        first = send(ground)
        worker.drain(ground.app)
        shift(60)
        second, at = send(ground), clock.now()
        worker.drain(ground.app)
        third = send(ground, other)
        worker.drain(ground.app)
        with ground.reads():
            assert {row.id for row in receipts.newest(to=PHONE)} == {first, second}
            assert [row.id for row in receipts.newest(to=PHONE, since=at)] == [second]
            assert [row.id for row in receipts.newest(state="queued")] == [second]
            assert [row.recipient for row in receipts.newest(to=other)] == ["+7…02"]
            assert receipts.find(third) is not None
        assert not any(secret in ground.dump() for secret in (PHONE, PHONE[1:], other[1:], CODE))


@pytest.mark.parametrize(
    ("to", "shown"),
    [("+79005550001", "+7…01"), ("anna@example.com", "a…@example.com"), ("a" * 64 + "@" + "b" * 90 + ".example", "a…@" + "b" * 77)],
)
def test_masked(to: str, shown: str) -> None:
    """Enough to know it again, too little to use it, and no longer than its column."""
    assert receipts.masked(to) == shown
