"""The one-time code: `product.md` §2, NIST SP 800-63B-4 §3.1.3, threats E."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from idp import clock, config, crypto
from idp.credentials import one_time_code, phone_code
from idp.credentials.tables import PhoneCode
from idp.db.columns import table
from idp.db.session import session
from idp.directory import users
from idp.errors import BadInput
from tests.conftest import Told
from tests.credentials.lab import LISTED, PHONE, Desk, wrong
from tests.machine import count
from tests.world import new_phone


class TestTheCode:
    """What it looks like, and where it is not."""

    def test_derived(self, desk: Desk) -> None:
        """Six digits, the same for every sending, another for every transaction and kind; case 42: nowhere in the database."""
        one, other = desk.begin(), desk.begin(flow="flw_2")
        assert one_time_code.derive_code(one.id) == one_time_code.derive_code(one.id) == desk.world.inbox(PHONE)[1]["code"]
        assert one_time_code.derive_code(one.id) != one_time_code.derive_code(other.id)
        assert one_time_code.derive_code(one.id) != one_time_code.derive_code(one.id, "flash_call")

    @pytest.mark.usefixtures("world")
    def test_uniform(self) -> None:
        """ASVS 6.5.3, 6.5.4: each digit is as likely as the others, in each place; the leading zero stays."""
        many = count(5000, 50000)
        codes = [one_time_code.derive_code(f"otp_{n}") for n in range(many)]
        assert all(len(code) == 6 for code in codes)
        for place in range(6):
            for digit in "0123456789":
                seen = sum(code[place] == digit for code in codes)
                assert abs(seen - many / 10) < 6 * (many * 0.09) ** 0.5

    @pytest.mark.parametrize("typed", ["123456", " 123 456 ", "123-456", "123–456", "1 2 3 4 5 6", "123\u00a0456", "123‑456"])
    def test_as_people_type_it(self, typed: str) -> None:
        """`pages.md` §2.8: spaces, hyphens and dashes do not matter."""
        assert one_time_code.read_code(typed) == "123456"

    @pytest.mark.parametrize(
        ("typed", "why"),
        [
            ("", one_time_code.TOO_SHORT),
            ("12345", one_time_code.TOO_SHORT),
            ("1234567", one_time_code.TOO_LONG),
            ("1_2_3_4_5_6", one_time_code.NOT_DIGITS),
            ("١٢٣٤٥٦", one_time_code.NOT_DIGITS),
            ("１２３４５６", one_time_code.NOT_DIGITS),
            ("abcdef", one_time_code.NOT_DIGITS),
            ("123456\x00", one_time_code.NOT_DIGITS),
            ("+12345", one_time_code.NOT_DIGITS),
        ],
    )
    def test_no_guess_at_all(self, typed: str, why: str) -> None:
        """Case 61: what is not six digits is refused with its reason, and never evaluated."""
        with pytest.raises(BadInput) as refused:
            one_time_code.read_code(typed)
        assert refused.value.message == why

    @given(st.text(max_size=30))
    def test_any_text(self, text: str) -> None:
        """Six ASCII digits or a refusal."""
        try:
            code = one_time_code.read_code(text)
        except BadInput:
            return
        assert len(code) == 6
        assert set(code) <= set("0123456789")


class TestGuessing:
    """Five tries, once, here and for this only."""

    def test_right(self, desk: Desk) -> None:
        """The right code wins, once."""
        sent = desk.begin()
        assert desk.guess(sent, one_time_code.derive_code(sent.id))
        assert not desk.guess(sent, one_time_code.derive_code(sent.id))
        assert desk.look(sent).used_at

    def test_five(self, desk: Desk) -> None:
        """Case 53: after five wrong ones the right one does not win."""
        sent = desk.begin()
        for nth in range(1, 6):
            assert not desk.guess(sent, wrong(sent, nth))
            assert desk.look(sent).tries_left == 5 - nth
        assert not desk.guess(sent, one_time_code.derive_code(sent.id))
        assert not desk.look(sent).is_open

    def test_counted_before_judged(self, desk: Desk) -> None:
        """A guess that is never judged (the machine died) is a guess; nothing else is lost."""
        sent = desk.begin()
        assert desk.count(sent) is not None
        assert desk.look(sent).tries_left == 4
        assert desk.guess(sent, one_time_code.derive_code(sent.id))

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
            code = one_time_code.derive_code(sent.id)
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
            assert desk.guess(sent, one_time_code.derive_code(sent.id))
            guess = desk.count(other, flow="flw_2")
            assert guess is not None
            later(1)
            assert not desk.guess(other, one_time_code.derive_code(other.id), flow="flw_2")
            with desk.world.writes():
                assert phone_code.judge(guess, one_time_code.derive_code(other.id))
                assert not phone_code.redeem(guess)  # counted in time, but it ran out before it was used
            later(-3600)
            assert not desk.guess(sent, one_time_code.derive_code(sent.id))


class TestTestNumbers:
    """`product.md` §2.8."""

    def test_fixed(self, configured: Any) -> None:
        """The fixed code works, no other does, nothing is sent, the use is an event."""
        desk = configured(login=LISTED)
        sent = desk.begin()
        assert not desk.guess(sent, one_time_code.derive_code(sent.id))
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
    assert one_time_code.derive_code(sent.id) not in text
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
