"""Recovery codes: ten, each good once, of the newest set only (NIST SP 800-63B-4 §3.1.2, ASVS 5.0 §6.5.1 and §6.5.2)."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from idp import clock
from idp.credentials import recovery_codes
from idp.credentials.tables import RecoveryCode
from idp.db.session import session
from idp.directory import users
from idp.errors import BadInput, TooManyTries
from tests.credentials.factors import make_codes, person, recover
from tests.login.http_lab import dump
from tests.world import World


def test_each_is_good_once(world: World) -> None:
    """However it is typed; a code of somebody else's set is no code."""
    user, other = person(world), person(world, 1)
    codes, others = make_codes(world, user), make_codes(world, other)
    assert len(set(codes)) == 10
    assert recover(world, user, codes[0]) == 9
    assert recover(world, user, codes[0]) is None
    assert recover(world, user, codes[1].upper().replace("-", " ")) == 8
    assert recover(world, user, others[0], for_id="flw_2") is None
    assert [event.details["left"] for event in world.events(recovery_codes.USED)] == [9, 8]
    held = str(dump(world))
    assert not any(code in held or code.replace("-", "") in held for code in codes)


def test_the_same_code_in_two_tabs(world: World) -> None:
    """Case 54: right twice at once is right once; and of many guesses at once five are looked at (case 53)."""
    user = person(world)
    codes = make_codes(world, user)

    def one(nth: int) -> object:
        try:
            return recover(world, user, codes[0])
        except TooManyTries:
            return "refused"

    with ThreadPoolExecutor(2) as pool:  # as many as hash at one moment
        assert Counter(pool.map(one, range(8))) == {9: 1, None: 4, "refused": 3}
    assert len(world.events(recovery_codes.WRONG)) == 4


def test_a_new_set_ends_the_former(world: World) -> None:
    """Made anew, the former codes are waste paper. A page that is sent twice makes no second set: the codes that were shown stay good."""
    user = person(world)
    former = make_codes(world, user)
    with world.reads():
        seen = recovery_codes.left(user)
    assert seen is not None
    codes = make_codes(world, user, instead_of=seen.set_id)
    with world.writes():
        users.get(user, alone=True)
        assert not recovery_codes.keep(user, recovery_codes.draw(user), instead_of=seen.set_id)
        assert not recovery_codes.keep(user, recovery_codes.draw(user), instead_of="")
        assert session.scalar(sa.select(sa.func.count()).select_from(RecoveryCode)) == 10
    assert recover(world, user, former[0]) is None
    assert recover(world, user, codes[0]) == 9
    with world.writes():
        assert recovery_codes.are_left(user)
        assert recovery_codes.remove(user)
        assert not recovery_codes.remove(user)
        assert recovery_codes.guess(user, for_id="flw_1") is None


def test_ten_wrong_ones_an_hour(world: World) -> None:
    """Over all sign-ins, apart from those at the authenticator app."""
    user = person(world)
    codes = make_codes(world, user)
    with clock.freeze(clock.now()) as later:
        for nth in range(10):
            assert recover(world, user, "0000-0000-0000", for_id=f"flw_{nth // 5}") is None
        with pytest.raises(TooManyTries) as refused:
            recover(world, user, codes[0], for_id="flw_9")
        assert refused.value.message == recovery_codes.WORDS.wrong
        later(3601)
        assert recover(world, user, codes[0], for_id="flw_10") == 9


def test_what_is_read_as_a_code() -> None:
    """What looks alike is read as the one that there is; what cannot be a code is no guess (case 61)."""
    assert recovery_codes.read_code(" 7K3M–X9QD 4TFW ") == "7k3mx9qd4tfw"
    assert recovery_codes.read_code("OIL0-oil1-0000") == "011001110000"
    for typed in ("", "7k3m-x9qd-4tf", "7k3m-x9qd-4tfww", "7k3m-x9qd-4tfu", "7k3m-x9qd-4tf٣"):
        with pytest.raises(BadInput):
            recovery_codes.read_code(typed)
