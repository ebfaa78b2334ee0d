"""The authenticator app: RFC 6238 §5.2 (a step is good around its time, and once), cases 53, 54, 61 and 69 as they hold for its codes."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import sqlalchemy as sa

from idp import clock, crypto
from idp.credentials import factor_limits, totp
from idp.credentials.tables import Authenticator
from idp.db.session import session
from idp.errors import BadInput, TooManyTries
from tests import machine
from tests.conftest import Told
from tests.credentials.factors import code_of, enter, person, set_up, wrong_code
from tests.login.http_lab import provider
from tests.world import World


class TestSteps:
    """Which codes are right, and when."""

    def test_the_vectors_of_the_specification(self) -> None:
        """RFC 6238 appendix B, SHA-1, the last six digits of its eight."""
        secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        vectors = {59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"}
        for seconds, code in vectors.items():
            with clock.freeze(datetime.fromtimestamp(seconds, UTC)):
                assert totp._step_of(secret, code) == seconds // 30
                assert totp._step_of(secret, "000000") is None

    def test_one_step_to_either_side(self, world: World) -> None:
        """The step before, the present one and the next are good; two away are not. A used one takes all before it along."""
        user = person(world)
        with clock.freeze(datetime(2026, 11, 23, 9, 0, 10, tzinfo=UTC)) as later:
            text = set_up(world, user).text
            assert not enter(world, user, code_of(text, steps=-1))  # it was the one that confirmed
            assert not enter(world, user, code_of(text, steps=2))
            assert enter(world, user, code_of(text))
            later(30)
            assert enter(world, user, code_of(text, steps=1), for_id="flw_2")
            assert not enter(world, user, code_of(text), for_id="flw_2")  # older than one that was taken
            later(120)
            assert not enter(world, user, code_of(text, steps=-2), for_id="flw_2")
            assert enter(world, user, code_of(text, steps=-1), for_id="flw_2")

    def test_a_clock_that_is_put_back_revives_no_code(self, world: World) -> None:
        """What was accepted once is never accepted again, whatever the clock says (R15)."""
        user = person(world)
        with clock.freeze(datetime(2026, 11, 23, 9, 0, 10, tzinfo=UTC)) as later:
            text = set_up(world, user).text
            code = code_of(text)
            assert enter(world, user, code)
            for shift in (-90, -3600, 3690, 0):
                later(shift)
                assert not enter(world, user, code, for_id=f"flw{shift}")

    def test_right_twice_at_once_is_right_once(self, world: World) -> None:
        """Case 54: the same code in two tabs at one moment: one is in, however many there are."""
        user = person(world)
        for each in range(machine.count(3, 50)):
            with clock.freeze(clock.now() + timedelta(hours=3 * each)):
                text = set_up(world, user).text
                code = code_of(text)

                def one(nth: int, code: str = code, each: int = each) -> bool:
                    return enter(world, user, code, for_id=f"flw_{each}_{nth}")

                with ThreadPoolExecutor(3) as pool:
                    assert Counter(pool.map(one, range(3)))[True] == 1


class TestGuesses:
    """How often it may be guessed."""

    def test_five_in_a_sign_in(self, world: World) -> None:
        """Case 53: of thirty guesses at once five are looked at, and the right code after them wins nothing."""
        user = person(world)
        text = set_up(world, user).text

        def one(nth: int) -> str:
            try:
                return str(enter(world, user, wrong_code(text, nth + 1)))
            except TooManyTries as refusal:
                return refusal.message

        with ThreadPoolExecutor(10) as pool:
            assert Counter(pool.map(one, range(30))) == {"False": 5, factor_limits.ALL_TRIED: 25}
        assert len(world.events(totp.WRONG)) == 5
        with pytest.raises(TooManyTries):
            enter(world, user, code_of(text))
        assert enter(world, user, code_of(text), for_id="flw_2")

    def test_ten_an_hour_and_a_known_browser_apart(self, world: World) -> None:
        """Case 69: a stranger burns the person's guesses; a browser that knows them has its own. Another person's are nobody's business."""
        user, other = person(world), person(world, 1)
        with clock.freeze(clock.now()) as later:
            text, others = set_up(world, user).text, set_up(world, other).text
            for nth in range(10):
                assert not enter(world, user, wrong_code(text, nth + 1), for_id=f"flw_{nth // 5}")
            with pytest.raises(TooManyTries) as refused:
                enter(world, user, code_of(text), for_id="flw_2")
            assert refused.value.retry_at == clock.now() + timedelta(hours=1)
            assert enter(world, user, code_of(text), for_id="flw_3", device_id="dev_1")
            assert enter(world, other, code_of(others), for_id="flw_4")
            later(3601)
            assert enter(world, user, code_of(text), for_id="flw_5")

    def test_a_hundred_in_a_row(self, told: Told) -> None:
        """After so many wrong ones no code is taken until support says so; a right one in between begins anew."""
        with provider(told, login={"number_wrong_in_a_row": 6, "number_wrong_per_hour": 50}) as world, clock.freeze(clock.now()) as later:
            user = person(world)
            text = set_up(world, user).text
            for row in range(2):
                for nth in range(5):
                    assert not enter(world, user, wrong_code(text, nth + 1), for_id=f"flw_{row}")
                assert enter(world, user, code_of(text), for_id=f"flw_{row}b")
                later(60)
            for nth in range(6):
                assert not enter(world, user, wrong_code(text, nth + 1), for_id=f"flw_9{nth}")
            later(90000)
            with pytest.raises(TooManyTries) as refused:
                enter(world, user, code_of(text), for_id="flw_10")
            assert refused.value.message == totp.WORDS.off
            with world.writes():
                assert factor_limits.forget(totp.NAME, user, [])
            assert enter(world, user, code_of(text), for_id="flw_11")

    @pytest.mark.parametrize(
        ("typed", "problem"),
        [
            ("", totp.TOO_SHORT),
            ("12345", totp.TOO_SHORT),
            ("1234567", totp.TOO_LONG),
            ("12a456", totp.NOT_DIGITS),
            ("٣٣٣٣٣٣", totp.NOT_DIGITS),
        ],
    )
    def test_what_is_no_code_is_no_guess(self, typed: str, problem: str) -> None:
        """Case 61."""
        with pytest.raises(BadInput) as refused:
            totp.read_code(typed)
        assert refused.value.message == problem

    def test_as_people_type_it(self) -> None:
        assert {totp.read_code(typed) for typed in ("123456", " 123 456", "123-456", "12\u00a034\u00a056")} == {"123456"}


class TestSettingUp:
    """From the picture to the first right code."""

    def test_it_counts_from_the_first_right_code(self, world: World) -> None:
        """Until then nobody is asked for it; the page that is opened again shows the same secret; after half an hour it shows another."""
        user = person(world)
        with clock.freeze(clock.now()) as later:
            with world.writes():
                first, again, elsewhere = (totp.begin(user, each) for each in ("ses_1", "ses_1", "ses_2"))
            assert first == again
            assert first.text != elsewhere.text
            with world.writes():
                assert not totp.is_set_up(user)
                assert totp.guess(user, for_id="flw_1") is None
                assert not totp.confirm(first, user, "ses_1", wrong_code(first.text))
                assert not totp.confirm(first, user, "ses_2", code_of(first.text))  # another session's
                assert not totp.confirm(first, person(world, 1), "ses_1", code_of(first.text))
            later(1801)
            with world.writes():
                third = totp.begin(user, "ses_1")
                assert third.text != first.text
                assert totp.sweep(clock.now()) == 2
                assert totp.confirm(third, user, "ses_1", code_of(third.text))
                assert not totp.confirm(third, user, "ses_1", code_of(third.text))
            assert [event.details["replaced"] for event in world.events(totp.ADDED)] == [False]

    def test_another_takes_its_place(self, world: World) -> None:
        """A person has one: the former app's codes are good no more from the moment in which the new one is confirmed."""
        user = person(world)
        former, following = set_up(world, user).text, set_up(world, user, session_id="ses_2").text
        assert not enter(world, user, code_of(former))
        assert enter(world, user, code_of(following))
        assert [event.details["replaced"] for event in world.events(totp.ADDED)] == [False, True]

    def test_removed_and_used_at_one_moment(self, world: World) -> None:
        """A guess that was counted before the removal opens nothing after it."""
        user = person(world)
        text = set_up(world, user).text
        with world.writes():
            guess = totp.guess(user, for_id="flw_1")
        assert guess is not None
        with world.writes():
            assert totp.remove(user)
            assert not totp.remove(user)
        with world.writes():
            right = totp.judge(guess, code_of(text))
            assert right is not None
            assert not totp.redeem(right)
        assert len(world.events(totp.REMOVED)) == 1

    def test_what_the_picture_says(self, world: World) -> None:
        """Issuer and label as apps read them, 160 bits; whatever stands in a name, it stays one label of one address."""
        with world.writes():
            secret = totp.begin(person(world), "ses_1")
        address = urlsplit(secret.address("Базар ID", "anna:smirnova@post.example " + "x" * 80))
        asked = parse_qs(address.query)
        assert (address.scheme, address.netloc) == ("otpauth", "totp")
        issuer, _, label = unquote(address.path.removeprefix("/")).partition(":")
        assert (issuer, asked) == ("Базар ID", {"secret": [secret.text], "issuer": ["Базар ID"]})
        assert label.startswith("anna smirnova@post.example xx")
        assert len(label) == totp.LONGEST_LABEL
        assert len(secret.text) * 5 == 160
        assert secret.grouped.replace(" ", "") == secret.text
        assert {len(group) for group in secret.grouped.split(" ")} == {4}

    def test_the_database_does_not_hold_it(self, world: World) -> None:
        """Sealed, and bound to whose it is: the row of one person, copied to another, opens nothing."""
        user, other = person(world), person(world, 1)
        text = set_up(world, user).text
        with world.writes():
            row = session.scalars(sa.select(Authenticator)).one()
            assert text not in row.sealed
            session.execute(sa.update(Authenticator).values(user_id=other))
        with world.writes(), pytest.raises(ValueError, match="another person"):
            totp.guess(other, for_id="flw_1")
        assert crypto.unseal(totp.SEAL, row.sealed) == f"{user} {text}"
