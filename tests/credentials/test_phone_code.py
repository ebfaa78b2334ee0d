"""The one-time code: `product.md` §2, NIST SP 800-63B-4 §3.1.3, threats E."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from idp import clock, config, crypto
from idp.config import Settings
from idp.credentials import phone_code, phone_limits
from idp.credentials.phone_code import Guess, Transaction
from idp.credentials.tables import PhoneCode
from idp.db.columns import table
from idp.db.session import session
from idp.directory import users
from idp.errors import BadInput, Gone, TooManyTries
from tests.conftest import Told
from tests.machine import count
from tests.world import World, new_phone

PHONE = "+79012223344"
LISTED: dict[str, object] = {"test_numbers": {PHONE: "424242"}}


class Desk:
    """The calls of a sign-in page, each in its own unit of work, as the page makes them."""

    def __init__(self, world: World) -> None:
        self.world = world

    def begin(self, phone: str = PHONE, *, flow: str = "flw_1", network: str = "203.0.113.0/24", device: str | None = None) -> Transaction:
        """A code goes out."""
        with self.world.writes():
            return phone_code.begin(phone, flow_id=flow, purpose="sign_in", language="en", network=network, device_id=device)

    def resend(self, sent: Transaction, *, flow: str = "flw_1") -> None:
        """It goes out once more."""
        with self.world.writes():
            phone_code.resend(sent.id, flow)

    def count(self, sent: Transaction, *, flow: str = "flw_1") -> Guess | None:
        """A guess is counted."""
        with self.world.writes():
            return phone_code.guess(sent.id, flow)

    def guess(self, sent: Transaction, code: str, *, flow: str = "flw_1") -> bool:
        """The whole of a guess."""
        guess = self.count(sent, flow=flow)
        if guess is None:
            return False
        with self.world.writes():
            return phone_code.judge(guess, code) and phone_code.redeem(guess)

    def look(self, sent: Transaction, *, flow: str = "flw_1") -> Transaction:
        """The transaction as it is now."""
        with self.world.reads():
            found = phone_code.find(sent.id, flow)
        assert found is not None
        return found


@pytest.fixture
def desk(world: World) -> Desk:
    """A desk in a provider of its own."""
    return Desk(world)


def wrong(sent: Transaction, nth: int = 1) -> str:
    """A code that is not the right one."""
    return f"{(int(phone_code.derive_code(sent.id)) + nth) % 10**6:06}"


@pytest.fixture
def configured(told: Told) -> Iterator[Any]:
    """Make the desk of a provider with other settings."""
    made: list[World] = []

    def make(**changes: dict[str, object]) -> Desk:
        made.append(World(told.settings(told.copy(), **changes)))
        return Desk(made[-1])

    yield make
    for world in made:
        world.close()


class TestTheCode:
    """What it looks like, and where it is not."""

    def test_derived(self, desk: Desk) -> None:
        """Six digits, the same for every sending, another for every transaction and kind; case 42: nowhere in the database."""
        one, other = desk.begin(), desk.begin(flow="flw_2")
        assert phone_code.derive_code(one.id) == phone_code.derive_code(one.id) == desk.world.inbox(PHONE)[1]["code"]
        assert phone_code.derive_code(one.id) != phone_code.derive_code(other.id)
        assert phone_code.derive_code(one.id) != phone_code.derive_code(one.id, "flash_call")

    @pytest.mark.usefixtures("world")
    def test_uniform(self) -> None:
        """ASVS 6.5.3, 6.5.4: each digit is as likely as the others, in each place; the leading zero stays."""
        many = count(5000, 50000)
        codes = [phone_code.derive_code(f"otp_{n}") for n in range(many)]
        assert all(len(code) == 6 for code in codes)
        for place in range(6):
            for digit in "0123456789":
                seen = sum(code[place] == digit for code in codes)
                assert abs(seen - many / 10) < 6 * (many * 0.09) ** 0.5

    @pytest.mark.parametrize("typed", ["123456", " 123 456 ", "123-456", "123–456", "1 2 3 4 5 6", "123\u00a0456", "123‑456"])
    def test_as_people_type_it(self, typed: str) -> None:
        """`pages.md` §2.8: spaces, hyphens and dashes do not matter."""
        assert phone_code.read_code(typed) == "123456"

    @pytest.mark.parametrize(
        ("typed", "why"),
        [
            ("", phone_code.TOO_SHORT),
            ("12345", phone_code.TOO_SHORT),
            ("1234567", phone_code.TOO_LONG),
            ("1_2_3_4_5_6", phone_code.NOT_DIGITS),
            ("١٢٣٤٥٦", phone_code.NOT_DIGITS),
            ("１２３４５６", phone_code.NOT_DIGITS),
            ("abcdef", phone_code.NOT_DIGITS),
            ("123456\x00", phone_code.NOT_DIGITS),
            ("+12345", phone_code.NOT_DIGITS),
        ],
    )
    def test_no_guess_at_all(self, typed: str, why: str) -> None:
        """Case 61: what is not six digits is refused with its reason, and never evaluated."""
        with pytest.raises(BadInput) as refused:
            phone_code.read_code(typed)
        assert refused.value.message == why

    @given(st.text(max_size=30))
    def test_any_text(self, text: str) -> None:
        """Six ASCII digits or a refusal."""
        try:
            code = phone_code.read_code(text)
        except BadInput:
            return
        assert len(code) == 6
        assert set(code) <= set("0123456789")


class TestGuessing:
    """Five tries, once, here and for this only."""

    def test_right(self, desk: Desk) -> None:
        """The right code wins, once."""
        sent = desk.begin()
        assert desk.guess(sent, phone_code.derive_code(sent.id))
        assert not desk.guess(sent, phone_code.derive_code(sent.id))
        assert desk.look(sent).used_at

    def test_five(self, desk: Desk) -> None:
        """Case 53: after five wrong ones the right one does not win."""
        sent = desk.begin()
        for nth in range(1, 6):
            assert not desk.guess(sent, wrong(sent, nth))
            assert desk.look(sent).tries_left == 5 - nth
        assert not desk.guess(sent, phone_code.derive_code(sent.id))
        assert not desk.look(sent).is_open

    def test_counted_before_judged(self, desk: Desk) -> None:
        """A guess that is never judged (the machine died) is a guess; nothing else is lost."""
        sent = desk.begin()
        assert desk.count(sent) is not None
        assert desk.look(sent).tries_left == 4
        assert desk.guess(sent, phone_code.derive_code(sent.id))

    def test_a_hundred_at_once(self, desk: Desk) -> None:
        """Case 53, R3: of 100 guesses at once exactly five are counted, and none after them is judged."""
        sent = desk.begin()
        with ThreadPoolExecutor(16) as pool:
            counted = list(pool.map(lambda _: desk.count(sent), range(100)))
        assert sum(guess is not None for guess in counted) == 5
        assert sorted(guess.tries_left for guess in counted if guess) == [0, 1, 2, 3, 4]
        assert desk.look(sent).tries_left == 0

    def test_right_twice_at_once(self, desk: Desk) -> None:
        """Case 54: two right codes at once, one wins."""
        for turn in range(count(5, 100)):
            sent = desk.begin(new_phone(turn), network=f"10.0.{turn}.0/24")
            code = phone_code.derive_code(sent.id)
            with ThreadPoolExecutor(4) as pool:
                won = list(pool.map(lambda _, sent=sent, code=code: desk.guess(sent, code), range(4)))
            assert sum(won) == 1

    def test_bound(self, desk: Desk) -> None:
        """Cases 58 and 63, ASVS 6.6.2: another sign-in, another purpose or an invented id has no guess; nothing is counted."""
        sent = desk.begin()
        assert desk.count(sent, flow="flw_2") is None
        with desk.world.writes():
            assert phone_code.guess(sent.id, "flw_1", purpose="new_phone") is None
            assert phone_code.guess("otp_none", "flw_1") is None
            assert phone_code.find(sent.id, "flw_2") is None
        assert desk.look(sent).tries_left == 5

    def test_time_over(self, desk: Desk) -> None:
        """Case 64: a second before its time the code wins, at its time and after it does not; a clock that goes back revives nothing."""
        with clock.freeze(clock.now()) as later:
            sent, other = desk.begin(), desk.begin(flow="flw_2")
            later(299)
            assert desk.guess(sent, phone_code.derive_code(sent.id))
            guess = desk.count(other, flow="flw_2")
            assert guess is not None
            later(1)
            assert not desk.guess(other, phone_code.derive_code(other.id), flow="flw_2")
            with desk.world.writes():
                assert phone_code.judge(guess, phone_code.derive_code(other.id))
                assert not phone_code.redeem(guess)  # counted in time, but it ran out before it was used
            later(-3600)
            assert not desk.guess(sent, phone_code.derive_code(sent.id))


class TestTheNumber:
    """What holds for a number over all sign-ins."""

    def test_twenty_a_day(self, desk: Desk) -> None:
        """Case 55: 10 wrong ones an hour and 20 in any 24 hours, however many sign-ins, networks and phones they come from."""
        with clock.freeze(clock.now()) as later:
            judged = 0
            for flow in range(40):
                later(1800)
                with suppress(TooManyTries):
                    sent = desk.begin(flow=f"flw_{flow}", network=f"10.{flow}.0.0/24")
                    for nth in range(1, 6):
                        guess = desk.count(sent, flow=f"flw_{flow}")
                        judged += guess is not None
                        if guess:
                            with desk.world.writes():
                                assert not phone_code.judge(guess, wrong(sent, nth))
            assert judged == 20

    def test_ten_an_hour(self, desk: Desk) -> None:
        """The eleventh within the hour is not counted and not judged; an hour later it is."""
        with clock.freeze(clock.now()) as later:
            first, second, third = (desk.begin(flow=f"flw_{n}") for n in range(3))
            for n, sent in enumerate((first, second)):
                for nth in range(1, 6):
                    assert not desk.guess(sent, wrong(sent, nth), flow=f"flw_{n}")
            with pytest.raises(TooManyTries):
                desk.guess(third, phone_code.derive_code(third.id), flow="flw_2")
            with pytest.raises(TooManyTries) as refused:  # what could not be entered is not sent
                desk.begin(flow="flw_3")
            assert refused.value.retry_at == clock.now() + timedelta(hours=1)
            later(3600)
            fourth = desk.begin(flow="flw_4")
            assert desk.guess(fourth, phone_code.derive_code(fourth.id), flow="flw_4")

    def test_honest_people(self, desk: Desk) -> None:
        """A right code is no wrong one: whoever signs in often is never stopped by it."""
        with clock.freeze(clock.now()) as later:
            for n in range(30):
                later(9000)
                sent = desk.begin(flow=f"flw_{n}")
                assert not desk.guess(sent, wrong(sent), flow=f"flw_{n}")
                assert desk.guess(sent, phone_code.derive_code(sent.id), flow=f"flw_{n}")

    def test_a_hundred_in_a_row(self, desk: Desk) -> None:
        """NIST SP 800-63B-4 §3.2.2: after 100 wrong ones in a row codes are off for the number, until support turns them on."""
        subject = phone_limits.budget(PHONE)
        with clock.freeze(clock.now()) as later:
            for _ in range(100):
                later(5000)
                with desk.world.writes():
                    phone_limits.count_guess(subject)
            later(timedelta(days=30))
            with pytest.raises(TooManyTries) as refused:
                desk.begin()
            assert refused.value.message == phone_limits.CODES_OFF
            with desk.world.writes():
                assert phone_limits.turn_on(PHONE)
            assert desk.begin()

    def test_known_browser(self, desk: Desk) -> None:
        """Cases 67 and 69: who burns a number's guesses and messages does not lock out the browser that its owner trusts."""
        for n in range(2):
            sent = desk.begin(flow=f"flw_{n}")
            for nth in range(1, 6):
                desk.guess(sent, wrong(sent, nth), flow=f"flw_{n}")
        for n in range(8):
            with pytest.raises(TooManyTries):
                desk.begin(flow=f"flw_{n}")
        own = desk.begin(flow="flw_own", device="dev_1")
        assert desk.guess(own, phone_code.derive_code(own.id), flow="flw_own")
        for _ in range(2):
            assert desk.begin(device="dev_1")

    def test_ten_messages_a_day(self, desk: Desk) -> None:
        """Case 67: at most ten messages a day to one number; a known browser has three of its own besides."""
        sent = 0
        for n in range(30):
            try:
                desk.begin(flow=f"flw_{n}", network=f"10.{n}.0.0/24")
                sent += 1
            except TooManyTries:
                continue
        assert sent == 10
        for n in range(3):
            desk.begin(flow=f"flw_own{n}", device="dev_1")
        with pytest.raises(TooManyTries):
            desk.begin(flow="flw_own4", device="dev_1")
        assert desk.world.waiting() == 13

    def test_twenty_messages_a_network(self, desk: Desk) -> None:
        """Case 66: at most 20 messages an hour from one network, whatever the numbers; another network is not hurt."""
        for n in range(20):
            desk.begin(new_phone(n), flow=f"flw_{n}")
        with pytest.raises(TooManyTries):
            desk.begin(new_phone(21))
        assert desk.begin(new_phone(21), network="198.51.100.0/24")


class TestSendingAgain:
    """The same code, no longer life, not too often."""

    def test_pauses(self, desk: Desk) -> None:
        """Case 65: after 30 and 60 seconds, three sendings in all; the code, its life and its tries stay the same."""
        with clock.freeze(clock.now()) as later:
            sent = desk.begin()
            assert sent.resend_at == clock.now() + timedelta(seconds=30)
            desk.guess(sent, wrong(sent))
            later(29)
            with pytest.raises(TooManyTries) as early:
                desk.resend(sent)
            assert early.value.retry_at == sent.resend_at
            later(1)
            desk.resend(sent)
            with pytest.raises(TooManyTries):
                desk.resend(sent)
            assert desk.look(sent).resend_at == clock.now() + timedelta(seconds=60)
            later(60)
            desk.resend(sent)
            again = desk.look(sent)
            assert again.resend_at is None
            assert again.expires_at == sent.expires_at
            assert again.tries_left == 4
            with pytest.raises(TooManyTries) as no_more:
                desk.resend(sent)
            assert no_more.value.message == phone_code.ALL_SENT
            assert desk.world.waiting() == 3
            assert desk.guess(sent, phone_code.derive_code(sent.id))

    def test_pressed_twice(self, desk: Desk) -> None:
        """Two presses at once are one sending."""
        with clock.freeze(clock.now()) as later:
            sent = desk.begin()
            later(30)

            def press(_: int) -> None:
                with suppress(TooManyTries):
                    desk.resend(sent)

            with ThreadPoolExecutor(8) as pool:
                list(pool.map(press, range(8)))
            assert desk.world.waiting() == 2

    def test_over(self, desk: Desk) -> None:
        """What has run out, was used or guessed away is not sent again."""
        with clock.freeze(clock.now()) as later:
            used, old = desk.begin(), desk.begin(flow="flw_2")
            assert desk.guess(used, phone_code.derive_code(used.id))
            later(300)
            for sent, flow in ((used, "flw_1"), (old, "flw_2"), (old, "flw_other")):
                with pytest.raises(Gone):
                    desk.resend(sent, flow=flow)


class TestTestNumbers:
    """`product.md` §2.8."""

    def test_fixed(self, configured: Any) -> None:
        """The fixed code works, no other does, nothing is sent, the use is an event."""
        desk = configured(login=LISTED)
        sent = desk.begin()
        assert not desk.guess(sent, phone_code.derive_code(sent.id))
        assert desk.guess(sent, "424242")
        assert desk.world.waiting() == 0
        assert len(desk.world.events("code.test_number_used")) == 1

    def test_not_listed_any_more(self, configured: Any, told: Told) -> None:
        """Taken off the list between sending and entering: nothing is right."""
        desk = configured(login=LISTED)
        sent = desk.begin()
        told.settings(desk.world.settings.database.url)
        assert not desk.guess(sent, "424242")
        assert not desk.guess(sent, "")

    @pytest.mark.parametrize("is_test", [True, False])
    def test_in_production(self, configured: Any, is_test: bool) -> None:
        """In production only people who are marked `test` have it; everybody else with that number gets a real code."""
        desk = configured(login=LISTED)
        with desk.world.writes():
            users.register(PHONE, "Reviewer", "en", "1", is_test=is_test)
        live = desk.world.settings.model_copy(
            update={"server": desk.world.settings.server.model_copy(update={"environment": "production"})}
        )
        config.use(live)
        sent = desk.begin()
        assert sent.is_test == is_test
        assert desk.world.waiting() == (0 if is_test else 1)
        assert desk.guess(sent, "424242") == is_test


def test_rows_hold_no_number(desk: Desk) -> None:
    """Case 42: neither number nor code can be read from the rows, and they open only with the keys."""
    sent = desk.begin()
    with desk.world.reads():
        row = session.execute(sa.select(table(PhoneCode))).mappings().one()
    text = " ".join(str(value) for value in row.values())
    assert PHONE not in text
    assert phone_code.derive_code(sent.id) not in text
    assert crypto.unseal(phone_code.SEAL, row["phone"]) == PHONE


def test_swept(desk: Desk) -> None:
    """What has been over for two days goes; what is alive stays."""
    with clock.freeze(clock.now()) as later:
        old = desk.begin()
        later(timedelta(days=2, seconds=301))
        alive = desk.begin(flow="flw_2")
        with desk.world.writes():
            assert phone_code.sweep(clock.now()) == 1
            assert phone_code.find(old.id, "flw_1") is None
            assert phone_code.find(alive.id, "flw_2") is not None


def test_settings_are_the_figures() -> None:
    """`threats.md` §1.10: the figures of the product are the defaults."""
    login = Settings().login
    assert (login.code_lifetime, login.code_tries, login.code_sends, login.code_pauses) == (300, 5, 3, [30, 60, 120])
    assert (login.number_wrong_per_hour, login.number_wrong_per_day, login.number_wrong_in_a_row) == (10, 20, 100)
    assert (login.number_messages_per_day, login.network_messages_per_hour) == (10, 20)
