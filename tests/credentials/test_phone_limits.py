"""How often, and how often again: `threats.md` §1.10, cases 55, 65 to 67 and 69."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest

from idp import clock
from idp.cli.demo_story import Story
from idp.config import Settings
from idp.credentials import one_time_code, phone_code, phone_limits, phone_sendings, trusted_device
from idp.errors import Gone, TooManyTries
from tests.credentials.lab import PHONE, Desk, wrong
from tests.world import new_phone


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
                desk.guess(third, one_time_code.derive_code(third.id), flow="flw_2")
            with pytest.raises(TooManyTries) as refused:  # what could not be entered is not sent
                desk.begin(flow="flw_3")
            assert refused.value.retry_at == clock.now() + timedelta(hours=1)
            later(3600)
            fourth = desk.begin(flow="flw_4")
            assert desk.guess(fourth, one_time_code.derive_code(fourth.id), flow="flw_4")

    def test_honest_people(self, desk: Desk) -> None:
        """A right code is no wrong one: whoever signs in often is never stopped by it."""
        with clock.freeze(clock.now()) as later:
            for n in range(30):
                later(9000)
                sent = desk.begin(flow=f"flw_{n}")
                assert not desk.guess(sent, wrong(sent), flow=f"flw_{n}")
                assert desk.guess(sent, one_time_code.derive_code(sent.id), flow=f"flw_{n}")

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
                assert phone_limits.is_off(PHONE)
                assert phone_limits.turn_on(PHONE, actor_id="operator")
                assert not phone_limits.is_off(PHONE)
            assert desk.begin()
            [event] = desk.world.events("phone.codes_turned_on")
            assert (event.actor_id, event.user_id, event.personal) == ("operator", None, {"phone": PHONE})

    def test_support_forgives_the_owners_browsers_too(self, desk: Desk, story: Story) -> None:
        """They count apart (case 69), so whoever is locked out of a known browser would stay so."""
        owner = story.people[0]
        proof = {"amr": ("sms",), "auth_time": clock.now(), "user_agent": "", "ip": "203.0.113.7"}
        with desk.world.writes():
            trusted_device.trust(trusted_device.Recognition(), owner.user_id, **proof)
            [known] = trusted_device.of_person(owner.user_id)
            own = phone_limits.budget(owner.phone, known.device_id)
            for _ in range(10):
                phone_limits.count_guess(own)
            with pytest.raises(TooManyTries):
                phone_limits.require_open(own)
            assert phone_limits.turn_on(owner.phone)
            phone_limits.require_open(own)
        assert [event.user_id for event in desk.world.events("phone.codes_turned_on")] == [owner.user_id]

    def test_a_number_that_was_never_guessed_at(self, desk: Desk) -> None:
        """Nothing to forget, no event."""
        with desk.world.writes():
            assert not phone_limits.is_off(PHONE)
            assert not phone_limits.turn_on(PHONE)
        assert desk.world.events("phone.codes_turned_on") == []

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
        assert desk.guess(own, one_time_code.derive_code(own.id), flow="flw_own")
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

    def test_all_known_browsers_together(self, desk: Desk) -> None:
        """Cases 66 and 67: a hundred remembered browsers of one number are no hundred times three messages: nine a day beside its ten.

        A browser that has sent none finds the number's own open, as long as strangers have not spent them.
        """
        sent = 0
        for n in range(40):
            try:
                desk.begin(flow=f"flw_{n}", device=f"dev_{n // 4}", network=f"10.{n}.0.0/24")
                sent += 1
            except TooManyTries as refused:
                assert refused.message == phone_limits.TOO_MANY_MESSAGES  # noqa: PT017 - each of them
        assert sent == 19
        with clock.freeze(clock.now() + timedelta(days=1, seconds=1)):
            assert desk.begin(flow="flw_tomorrow", device="dev_1")

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
            assert sent.next_send_at == clock.now() + timedelta(seconds=30)
            desk.guess(sent, wrong(sent))
            later(29)
            with pytest.raises(TooManyTries) as early:
                desk.resend(sent)
            assert early.value.retry_at == sent.next_send_at
            later(1)
            desk.resend(sent)
            with pytest.raises(TooManyTries):
                desk.resend(sent)
            assert desk.look(sent).next_send_at == clock.now() + timedelta(seconds=60)
            later(60)
            desk.resend(sent)
            again = desk.look(sent)
            assert again.expires_at == sent.expires_at
            assert again.tries_left == 4
            later(60)
            with pytest.raises(phone_sendings.NotOpen) as no_more:
                desk.resend(sent)
            assert no_more.value.message == phone_sendings.NOT_OPEN  # one spoken call is left
            assert desk.world.waiting() == 3
            assert desk.guess(sent, one_time_code.derive_code(sent.id))

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
            assert desk.guess(used, one_time_code.derive_code(used.id))
            later(300)
            for sent, flow in ((used, "flw_1"), (old, "flw_2"), (old, "flw_other")):
                with pytest.raises(Gone):
                    desk.resend(sent, flow=flow)


def test_settings_are_the_figures() -> None:
    """`threats.md` §1.10: the figures of the product are the defaults."""
    login = Settings().login
    assert (login.code_lifetime, login.code_tries, login.code_sends, login.code_pauses) == (300, 5, 3, [30, 60, 120])
    assert (login.number_wrong_per_hour, login.number_wrong_per_day, login.number_wrong_in_a_row) == (10, 20, 100)
    assert (login.number_messages_per_day, login.network_messages_per_hour) == (10, 20)
