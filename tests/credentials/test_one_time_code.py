"""What every one-time code has in common: its value, how it is typed, when it is over. ASVS 6.5.3, 6.5.4; threats E."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
import sqlalchemy as sa

from idp import clock, crypto
from idp.config import settings
from idp.credentials import one_time_code, phone_code, phone_limits
from idp.credentials.phone_sendings import FLASH, NotOpen
from idp.credentials.tables import PhoneGuesses
from idp.db.columns import table
from idp.db.session import session
from idp.errors import BadInput, TooManyTries
from tests.credentials.lab import PHONE
from tests.world import World

OTHERS = "+79005553511"
pytestmark = pytest.mark.usefixtures("world")


def drawn(code_id: str, kind: str, counter: int) -> int:
    """What is drawn for a code the `counter`th time: 32 bits."""
    return int.from_bytes(crypto.derive("phone code", code_id, kind, counter)[:4], "big")


def unlucky(prefix: str, digits: int) -> Iterator[str]:
    """Ids whose first draw is of the rest that would make the low codes likelier."""
    fair = 2**32 // 10**digits * 10**digits
    return (code_id for code_id in (f"{prefix}_{n}" for n in range(10**6)) if drawn(code_id, one_time_code.REPEATED, 0) >= fair)


@pytest.mark.parametrize(("prefix", "digits"), [("otp", 6), (one_time_code.LONG, 8)])
def test_the_value(prefix: str, digits: int) -> None:
    """So many digits, the leading zero too; an unlucky draw is drawn again, so that each value is as likely as the others."""
    code_id = f"{prefix}_1"
    assert one_time_code.digits_of(code_id) == digits
    assert one_time_code.derive_code(code_id) == f"{drawn(code_id, one_time_code.REPEATED, 0) % 10**digits:0{digits}}"
    assert one_time_code.derive_code(code_id, FLASH) == f"{drawn(code_id, FLASH, 0) % 10**6:06}"
    for code_id, _ in zip(unlucky(prefix, digits), range(3), strict=False):
        again = next(draw for draw in (drawn(code_id, one_time_code.REPEATED, n) for n in range(1, 9)) if draw < 2**32 - 2**32 % 10**digits)
        assert one_time_code.derive_code(code_id) == f"{again % 10**digits:0{digits}}"


def test_ids_say_how_long() -> None:
    """An id is new each time, and says how many digits its code has."""
    short, long = one_time_code.new_id(is_long=False), one_time_code.new_id(is_long=True)
    assert (short.split("_")[0], long.split("_")[0]) == ("otp", one_time_code.LONG)
    assert (one_time_code.digits_of(short), one_time_code.digits_of(long)) == (6, 8)
    assert one_time_code.new_id(is_long=True) != long


def test_eight_as_they_are_typed() -> None:
    """Eight digits, or the six of a flash call that went out beside them; each refusal speaks of eight."""
    code_id = f"{one_time_code.LONG}_1"
    assert one_time_code.read_code("1234 5678", code_id) == "12345678"
    assert one_time_code.read_code("123-456", code_id) == "123456"
    for typed, reason in (
        ("1234567", one_time_code.SHORT_OF_EIGHT),
        ("123456789", one_time_code.OVER_EIGHT),
        ("1234567O", one_time_code.NOT_EIGHT),
    ):
        with pytest.raises(BadInput) as refused:
            one_time_code.read_code(typed, code_id)
        assert refused.value.message == reason


def test_pauses() -> None:
    """After each sending its own pause, after the last one of the list always that."""
    pauses = settings().login.code_pauses
    assert [one_time_code.pause_after(sends) for sends in range(1, len(pauses) + 3)] == [*pauses, pauses[-1], pauses[-1]]


class TestItsChannels:
    """By which a code begins, and by which it may be sent again."""

    @pytest.fixture
    def changed_settings(self) -> dict[str, dict[str, object]]:
        """A ladder with e-mail in it."""
        return {"messages": {"ladder": {"default": ["sms", "voice", "email"]}}}

    @pytest.mark.parametrize(
        ("purpose", "asked", "begins"),
        [
            (phone_code.SIGN_IN, "email", "email"),
            (phone_code.SIGN_IN, "voice", "voice"),
            (phone_code.SIGN_IN, "pigeon", "sms"),
            (phone_code.SIGN_IN, None, "sms"),
            # They show who holds the number, which nobody shows by e-mail.
            (phone_code.NEW_NUMBER, "email", "sms"),
            (phone_code.FORMER_NUMBER, "email", "sms"),
            (phone_code.NEW_NUMBER, "voice", "voice"),
            (phone_code.FURTHER_PROOF, "sms", "email"),
        ],
    )
    def test_as_asked(self, world: World, purpose: str, asked: str | None, begins: str) -> None:
        """As asked for, where that is offered and may show what the code is to show."""
        with world.writes():
            sent = phone_code.begin(PHONE, flow_id="flw_1", purpose=purpose, language="en", network="203.0.113.0/24", channel=asked)
        assert (sent.channel, sent.sent) == (begins, (begins,))

    @pytest.mark.parametrize(
        ("purpose", "ways"),
        [
            (phone_code.SIGN_IN, {"sms", "voice", "email"}),
            # One that is to show the mailbox shows no phone, and the other way round.
            (phone_code.FURTHER_PROOF, {"email"}),
            (phone_code.NEW_NUMBER, {"sms", "voice"}),
            (phone_code.FORMER_NUMBER, {"sms", "voice"}),
        ],
    )
    def test_again(self, world: World, purpose: str, ways: set[str]) -> None:
        """Once the pause is over: by these ways and no other, whatever is asked for."""
        about = {"flow_id": "flw_1", "purpose": purpose, "language": "en", "network": "203.0.113.0/24"}
        with clock.freeze(clock.now()) as later:
            with world.writes():
                sent = phone_code.begin(PHONE, **about)
                another = phone_code.begin(OTHERS, **about | {"flow_id": "flw_2"})
            later(120)
            with world.reads():
                found = phone_code.find(sent.id, "flw_1")
                assert found is not None
                assert {way.channel for way in found.progress().ways} == ways
            for channel in {"sms", "voice", "email"} - ways:
                with world.writes(), pytest.raises(NotOpen):
                    phone_code.resend(sent.id, "flw_1", channel)
            with world.writes():
                phone_code.resend(sent.id, "flw_1", min(ways))
            with world.reads():
                found = phone_code.find(sent.id, "flw_1")
                assert found is not None
                assert found.sent == (sent.channel, min(ways))
                assert phone_code.find(another.id, "flw_2") == another, "and nobody else's"


def test_what_was_never_sent_is_not_right(world: World) -> None:
    """The digits of a flash call that nobody made, for a code that went out as a text."""
    with world.writes():
        sent = phone_code.begin(PHONE, flow_id="flw_1", purpose=phone_code.SIGN_IN, language="en", network="203.0.113.0/24")
    assert sent.sent == ("sms",)
    for code, channel in ((one_time_code.derive_code(sent.id, FLASH), None), (one_time_code.derive_code(sent.id), "sms")):
        with world.writes():
            guess = phone_code.guess(sent.id, "flw_1")
        assert guess is not None
        with world.writes():
            right = phone_code.judge(guess, code)
        assert (right and right.channel) == channel
    with world.writes():
        assert right is not None
        assert phone_code.redeem(replace(right, channel="voice"))
    with world.reads():
        used = phone_code.find(sent.id, "flw_1")
        assert used is not None
        assert (used.channel, used.is_open) == ("voice", False), "by which it came is kept: it says what was proved"


def test_a_further_proof_has_a_limit_of_its_own(world: World) -> None:
    """Wrong codes of a further proof count for themselves as well: once there are too many, no code goes out, no guess is looked at, and
    nothing is taken from the number's own.
    """
    about = {"flow_id": "flw_1", "purpose": phone_code.FURTHER_PROOF, "language": "en", "network": "203.0.113.0/24"}
    with world.writes():
        sent = phone_code.begin(PHONE, **about)
    with world.writes(), suppress(TooManyTries):
        for _ in range(100):
            phone_limits.count_guess(phone_limits.further(PHONE))
            session.commit()
    with pytest.raises(TooManyTries), world.writes():
        phone_code.begin(PHONE, **about)
    with world.writes():
        with pytest.raises(TooManyTries):
            phone_code.guess(sent.id, "flw_1", purpose=phone_code.FURTHER_PROOF)
        guesses = table(PhoneGuesses)
        of_the_number = sa.select(guesses.c.recent).where(guesses.c.digest == phone_limits.phone_digest(PHONE))
        assert session.scalar(of_the_number) in (None, [])
        phone_limits.require_open(phone_limits.phone_digest(PHONE))
        assert phone_code.begin(PHONE, **about | {"flow_id": "flw_2", "purpose": phone_code.SIGN_IN}).is_open
