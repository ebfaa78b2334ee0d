"""What a code leaves behind: its row, its message, its lines in the trail, each value of them (`product.md` §2; cases 65, 67 and 70)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from idp import clock
from idp.credentials import one_time_code, phone_code, phone_limits, phone_sendings
from idp.credentials.tables import PhoneCode
from idp.db.columns import table
from idp.db.session import session
from idp.errors import Gone, TooManyTries
from idp.messages.tables import SpendEntry
from idp.messages.wording import compose
from tests.credentials.lab import LISTED, PHONE, Desk, wrong
from tests.world import new_phone

NETWORK = "203.0.113.0/24"


def trail(desk: Desk, name: str) -> list[tuple[str, dict[str, Any], dict[str, Any] | None]]:
    """Outcome, details and what names the person, of each line."""
    return [(event.outcome, event.details, event.personal) for event in desk.world.events(name)]


def row_of(desk: Desk, code_id: str) -> dict[str, Any]:
    """The row of a code."""
    with desk.world.reads():
        return dict(session.execute(sa.select(table(PhoneCode)).where(table(PhoneCode).c.id == code_id)).mappings().one())


def test_the_row(desk: Desk) -> None:
    """Everything by the settings, and what the caller is shown of it."""
    with clock.freeze(clock.now()):
        now, sent = clock.now(), desk.begin()
        row = row_of(desk, sent.id)
        del row["phone"]
        assert row == {
            "id": sent.id,
            "flow_id": "flw_1",
            "purpose": "sign_in",
            "phone_digest": phone_limits.phone_digest(PHONE),
            "budget": phone_limits.phone_digest(PHONE),
            "channel": "sms",
            "language": "en",
            "network": NETWORK,
            "is_test": False,
            "tries": 0,
            "sends": 1,
            "sent": ["sms"],
            "created_at": now,
            "expires_at": now + timedelta(minutes=5),
            "next_send_at": now + timedelta(seconds=30),
            "used_at": None,
        }
        shown = phone_code.Transaction(
            id=sent.id,
            purpose="sign_in",
            phone=PHONE,
            channel="sms",
            created_at=now,
            expires_at=now + timedelta(minutes=5),
            next_send_at=now + timedelta(seconds=30),
            sent=("sms",),
            tries_left=5,
            used_at=None,
            is_test=False,
        )
        assert sent == desk.look(sent) == shown
        assert sent.is_open


def test_the_trail(desk: Desk) -> None:
    """Sent, sent again, guessed wrong: each with the code's id; the number only where it can be blanked (house.md rule 6)."""
    with clock.freeze(clock.now()) as later:
        sent = desk.begin()
        later(30)
        desk.resend(sent)
        later(60)
        desk.resend(sent)
        assert not desk.guess(sent, wrong(sent))
        assert desk.guess(sent, one_time_code.derive_code(sent.id))
    about = {"code": sent.id, "purpose": "sign_in", "channel": "sms"}
    assert trail(desk, "code.sent") == [
        ("ok", about | {"test": False}, {"phone": PHONE}),
        ("ok", about | {"again": 1}, {"phone": PHONE}),
        ("ok", about | {"again": 2}, {"phone": PHONE}),
    ]
    assert trail(desk, "code.wrong") == [("refused", {"code": sent.id, "tries_left": 4}, {"phone": PHONE})]
    assert trail(desk, "code.test_number_used") == []


def test_the_trail_of_a_test_number(configured: Any) -> None:
    """Every use is recorded (`product.md` §2.8), and that it was one."""
    desk = configured(login=LISTED)
    with clock.freeze(clock.now()) as later:
        sent = desk.begin()
        later(30)
        desk.resend(sent)
        assert desk.world.waiting() == 0
        assert desk.guess(sent, "424242")
    assert [details["test"] for _, details, _ in trail(desk, "code.sent")[:1]] == [True]
    assert trail(desk, "code.test_number_used") == [("ok", {"code": sent.id}, {"phone": PHONE})]


def test_the_message(desk: Desk) -> None:
    """The same text each time, in the language in which it was asked for, to that number, and not after the code's end."""
    with clock.freeze(clock.now()) as later:
        with desk.world.writes():
            sent = phone_code.begin(PHONE, flow_id="flw_1", purpose="sign_in", language="ru", network=NETWORK)
        later(30)
        desk.resend(sent)
        text = compose("sign_in_code", "sms", "ru", code=one_time_code.derive_code(sent.id)).text
        assert [message["text"] for message in desk.world.inbox(PHONE)] == [text, text]
        later(60)
        desk.resend(sent)
        later(210)  # the code's end, before the worker came
        assert len(desk.world.inbox(PHONE)) == 2


def test_what_it_cost(desk: Desk) -> None:
    """Each sending stands in the ledger under its code and by its channel; entered is what the code's messages were, once."""
    with clock.freeze(clock.now()) as later:
        other, sent = desk.begin(new_phone(6), flow="flw_2"), desk.begin()
        for pause, channel in ((30, "sms"), (60, "voice")):
            later(pause)
            desk.resend(sent, channel)
        row = row_of(desk, sent.id)
        assert (row["channel"], row["sent"]) == ("voice", ["sms", "sms", "voice"])
        assert row["next_send_at"] == clock.now() + timedelta(seconds=120)
        later(1)
        assert desk.guess(sent, one_time_code.derive_code(sent.id))
        of = table(SpendEntry)
        with desk.world.reads():
            kept = session.execute(sa.select(of.c.code_id, of.c.channel, of.c.verified_at).order_by(of.c.created_at, of.c.id)).all()
        assert [tuple(each[:2]) for each in kept if each.code_id == sent.id] == [(sent.id, "sms"), (sent.id, "sms"), (sent.id, "voice")]
        assert {each.verified_at for each in kept if each.code_id == sent.id} == {clock.now()}
        assert [each.verified_at for each in kept if each.code_id != sent.id] == [None]
        assert other.id != sent.id


def test_too_early(desk: Desk) -> None:
    """The wait in whole seconds, never too short: whoever waits for it gets a code."""
    with clock.freeze(clock.now()) as later:
        sent = desk.begin()
        later(timedelta(seconds=29, milliseconds=400))
        with pytest.raises(TooManyTries) as refused:
            desk.resend(sent)
        assert (refused.value.message, refused.value.retry_after) == (phone_sendings.TOO_EARLY, 1)
        assert refused.value.retry_at == sent.created_at + timedelta(seconds=30)
        later(timedelta(seconds=-10))
        with pytest.raises(TooManyTries) as refused:
            desk.resend(sent)
        assert refused.value.retry_after == 11
        later(timedelta(seconds=10, milliseconds=600))
        desk.resend(sent)
        row = row_of(desk, sent.id)
        assert (row["sends"], row["next_send_at"]) == (2, clock.now() + timedelta(seconds=60))
        assert desk.look(sent).next_send_at == clock.now() + timedelta(seconds=60)


def test_no_more(desk: Desk) -> None:
    """Three messages and a call a sign-in; then the page offers none and a press gets the reason."""
    with clock.freeze(clock.now()) as later:
        sent = desk.begin()
        for pause in (30, 60):
            later(pause)
            desk.resend(sent)
        later(120)
        with desk.world.reads():
            assert [way.channel for way in desk.look(sent).progress().ways] == ["voice"]
        with pytest.raises(TooManyTries) as refused:
            desk.resend(sent)
        assert refused.value.message == phone_sendings.NOT_OPEN
        with desk.world.writes():
            phone_code.resend(sent.id, "flw_1", "voice")
        with desk.world.reads():
            assert desk.look(sent).progress().ways == ()
        with pytest.raises(TooManyTries) as refused:
            desk.resend(sent)
        assert refused.value.message == phone_sendings.ALL_SENT
        assert len(desk.world.inbox(PHONE)) == 4


@pytest.mark.parametrize("over", ["used", "time", "tries", "another sign-in's", "none"])
def test_over(desk: Desk, over: str) -> None:
    """What can no longer be entered is not sent again: a new sending is a new code."""
    with clock.freeze(clock.now()) as later:
        sent = desk.begin()
        assert len(desk.world.inbox(PHONE)) == 1
        later(30)
        if over == "used":
            assert desk.guess(sent, one_time_code.derive_code(sent.id))
        elif over == "time":
            later(270)
        elif over == "tries":
            for nth in range(1, 6):
                desk.guess(sent, wrong(sent, nth))
        which = "otp_none" if over == "none" else sent.id
        with pytest.raises(Gone) as refused, desk.world.writes():
            phone_code.resend(which, "flw_2" if over == "another sign-in's" else "flw_1", "sms")
        assert refused.value.message == one_time_code.TIME_OVER
        assert len(desk.world.inbox(PHONE)) == 1


def test_the_last_second(desk: Desk) -> None:
    """Up to its end, and with the last try left, it is sent again."""
    with clock.freeze(clock.now()) as later:
        sent = desk.begin()
        for nth in range(1, 5):
            desk.guess(sent, wrong(sent, nth))
        later(299)
        desk.resend(sent)
        assert row_of(desk, sent.id)["sends"] == 2


def test_each_for_itself(desk: Desk) -> None:
    """Sending one again changes nothing of another, of the same number or of another one."""
    with clock.freeze(clock.now()) as later:
        sent, same, other = desk.begin(), desk.begin(flow="flw_2"), desk.begin(new_phone(), flow="flw_3")
        before = [row_of(desk, each.id) for each in (same, other)]
        later(30)
        desk.resend(sent)
        assert [row_of(desk, each.id) for each in (same, other)] == before


def test_the_network_counts_each_sending(configured: Any) -> None:
    """Case 55: a sending again is one more of the network's twenty an hour, wherever it was asked for."""
    desk = configured(login={"network_messages_per_hour": 2})
    with clock.freeze(clock.now()) as later:
        sent = desk.begin()
        later(30)
        desk.resend(sent)
        later(60)
        with pytest.raises(TooManyTries):
            desk.resend(sent)
        with pytest.raises(TooManyTries):
            desk.begin(new_phone(), flow="flw_2")
        desk.begin(new_phone(), flow="flw_3", network="198.51.100.0/24")
        assert row_of(desk, sent.id)["sends"] == 2


def test_five_minutes_to_the_sweep(desk: Desk) -> None:
    """Two days after its end, to the instant."""
    with clock.freeze(clock.now()) as later:
        desk.begin()
        later(timedelta(days=2, minutes=5))
        with desk.world.writes():
            assert phone_code.sweep(clock.now()) == 0
        later(timedelta(microseconds=1))
        with desk.world.writes():
            assert phone_code.sweep(clock.now()) == 1
