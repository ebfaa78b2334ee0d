"""What may be a password, and how it is kept (`product.md` §5.4, ASVS 5.0 §6.2; cases 94, 95, 98, 128)."""

from __future__ import annotations

import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from idp.credentials import common_passwords, password, password_hashing
from idp.credentials.password_hashing import Busy, make, place
from idp.credentials.tables import Password
from idp.db.session import session
from idp.directory import accounts, users
from idp.errors import BadInput
from tests.world import World

GOOD = (
    *(
        "correct horse battery staple",
        "вишнёвый трамвай",
        "зелёный жираф",
        "七只猫在屋顶上",
        "7h3-q!!z",
        "  two  spaces  ",
        "blue cup 17 rain",
    ),
    *("Не скажу никому", "xkq9vbt2", "ёжик под дождём"),
)
TRIED_FIRST = (
    *("password", "PASSWORD", "P@ssw0rd2024", "qwertyuiop", "qwerty123456", "1q2w3e4r", "letmein1", "iloveyou", "aaaaaaaa", "abcabcabc"),
    *("12345678", "87654321", "123456789", "1234567890", "88005553535", "89161234567", "+7 916 123-45-67", "13800138000"),
    *("01011990", "19900101", "01.02.1987", "йцукенгш", "пароль123", "Пароль2024!", "любовь777", "привет12345", "gfhjkm123", "мариночка"),
    *(
        "woaini1314",
        "WoAiNi520",
        "woaini5201314",
        "woaiwojia",
        "zhang123456",
        "qq123456",
        "marina1987",
        "спартак1",
        "abcdefgh",
        "asdfghjkl",
    ),
)


def problem(text: str, *own: str | None) -> str | None:
    """Why it may not be set."""
    try:
        password.require_good(text, own=own)
    except BadInput as refusal:
        return refusal.message
    return None


def test_what_is_tried_first(world: World) -> None:
    """Case 95: common ones of every keyboard are refused when they are set, however they are spelled; nothing else is asked."""
    assert [text for text in TRIED_FIRST if problem(text) != password.COMMON] == []
    assert [text for text in GOOD if problem(text) is not None and len(text) >= 8] == []
    assert [problem(text) for text in ("short 7", "", "七只猫", "a" * 7)] == [password.TOO_SHORT] * 4


def test_the_list_is_small_and_sound() -> None:
    """It is sorted, holds nothing twice, and is small enough to be in memory; a word that is packed is found."""
    kept = common_passwords.FILE.read_bytes()
    pieces = [kept[at : at + common_passwords.WIDTH] for at in range(0, len(kept), common_passwords.WIDTH)]
    assert pieces == sorted(set(pieces))
    assert 40_000 < len(pieces) < 60_000
    assert common_passwords.pack(["Trustno1", "abc"]) == common_passwords.pack(["trustno1"])
    assert common_passwords.pack(["trustno1"]) in pieces


def test_not_ones_own(world: World) -> None:
    """What whoever knows the person would try: name, number, address, the name of the site."""
    own = ("Анна Смирнова", "+79005553501", "anna.smirnova@post.example", None)
    for text in (
        "смирнова",
        "Анна-Смирнова",
        "смирнова22",
        "89005553501",
        "9005553501!!",
        "anna.smirnova",
        "post.example1",
        "bazar id 1",
        "Базар ID 77",
    ):
        assert problem(text, *own) in {password.YOURS, password.COMMON}, text
    assert problem("смирнова ест вишню", *own) is None
    assert problem("anna and a tall ladder", *own) is None


def test_as_it_was_typed() -> None:
    """Case 94: case, spaces, NFC and NFD, what stands after the 72nd byte and after the thousandth: all of it counts."""
    composed = unicodedata.normalize("NFC", "й ёлка и й")
    long = "я" * 512
    pairs = [
        ("Trailing space", "Trailing space "),
        ("case matters", "Case matters"),
        (composed, unicodedata.normalize("NFD", composed)),
        ("x" * 72 + "a", "x" * 72 + "b"),
        (long, long[:-1] + "ю"),
        ("nul here", "nul\0here"),
    ]
    for one, other in pairs:
        with place():
            digest = make(one)
            assert digest.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
            assert password_hashing.is_right(digest, one)
            assert not password_hashing.is_right(digest, other), one
    assert len(long.encode()) == password.LONGEST
    assert problem(long) == password.COMMON  # one letter over and over, and not too long
    for text in (long + "1", "ab" * 500_000):
        assert problem(text) == password.TOO_LONG


def test_equal_work_for_nobody() -> None:
    """G-7: where there is no password one is hashed all the same, in the same way, and nothing is right."""
    with place():
        assert not password_hashing.is_right(None, "anything at all")
    assert not password_hashing.is_old(password_hashing.NOBODY)
    assert password_hashing.is_old("$argon2id$v=19$m=8192,t=2,p=1$Zl6PwLPpbNq1Ty4B0xqN3Q$Xzx0b1TQpfM0Hq1DqU9m5kq2cN7l3mWm0yJH4m9V1oA")


def test_the_line_is_bounded(world: World) -> None:
    """Case 128: so many stand in line, and who comes then is told at once; few hash at a time; the line is free again afterwards."""
    threads = world.settings.server.threads
    with ExitStack() as line:
        for _ in range(threads):
            line.enter_context(place())
        with pytest.raises(Busy) as refused, place():
            pass
        assert refused.value.retry_after == password_hashing.RETRY_AFTER
    at_once, most, lock = 0, 0, threading.Lock()
    hasher = password_hashing._hasher

    class Watched:
        def hash(self, given: bytes) -> str:
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            try:
                return hasher.hash(given)
            finally:
                with lock:
                    at_once -= 1

    def one(number: int) -> str:
        with place():
            return make(str(number))

    password_hashing._hasher = Watched()  # type: ignore[assignment]
    try:
        with ThreadPoolExecutor(threads) as pool:
            assert len(set(pool.map(one, range(threads * 2)))) == threads * 2
    finally:
        password_hashing._hasher = hasher
    assert 1 <= most <= password_hashing.at_once()


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (" Mike@Example.com ", "mike@example.com"),
        ("8 (900) 555-35-01", "+79005553501"),
        ("+7 900 555 35 01", "+79005553501"),
        ("anna", None),
        ("", None),
        ("a@b", None),
        ("12", None),
    ],
)
def test_a_login_is_an_address_or_a_number(world: World, typed: str, read: str | None) -> None:
    if read is None:
        with pytest.raises(BadInput):
            password.read_login(typed)
    else:
        assert password.read_login(typed).canonical == read


def test_whose_login_it_is(world: World) -> None:
    """Cases 98 and 111: one address in all its spellings; an account opened with a person's address takes nothing from them."""
    with world.writes():
        mike = users.register("+79005550101", "Mike", "en", "1")
        users.confirm_email(mike.id, "Mike@Example.com")
        trap = accounts.open_account("business", login_email="mike@example.com")
        shop = accounts.open_account("business", login_email="Shop@Example.com")
        password.keep(mike.id, "d1", user_id=mike.id, reason="set")
        password.keep(trap, "d2", user_id=None, reason="set")
        password.keep(shop, "d3", user_id=None, reason="set")
    with world.reads():

        def owner(typed: str) -> tuple[str, str | None] | None:
            found = password.find_owner(password.read_login(typed))
            return None if found is None else (found.id, found.address)

        assert owner("MIKE@example.COM") == owner("+7 900 555-01-01") == (mike.id, "Mike@Example.com")
        assert owner("ｍike@example.com") == (mike.id, "Mike@Example.com")
        assert owner("mıke@example.com") is None
        assert owner("mike+shop@example.com") is None
        assert owner("SHOP@example.com") == (shop, "Shop@Example.com")
    with world.writes():
        assert password.remove(mike.id, user_id=mike.id)
        assert not password.remove(mike.id, user_id=mike.id)
        found = password.find_owner(password.read_login("mike@example.com"))
        assert found is not None
        assert (found.id, found.user_id, found.verified_at) == (trap, None, None)
        password.verified(found)
        password.verified(found)
        assert session.get(Password, mike.id) is None
    assert [event.name for event in world.events("account.login_email_verified")] == ["account.login_email_verified"]
    assert [event.name for event in world.events() if event.name.startswith("password.")] == ["password.set"] * 3 + ["password.removed"]


def test_what_a_person_can_prove_to_know(world: World) -> None:
    """Their own password and their accounts'; the named account's or their own; nobody else's."""
    with world.writes():
        mike = users.register("+79005550101", "Mike", "en", "1")
        shop = accounts.open_account("business", user_id=mike.id, login_email="shop@example.com")
        other = accounts.open_account("business", login_email="other@example.com")
        password.keep(shop, "d3", user_id=None, reason="set")
        password.keep(other, "d4", user_id=None, reason="set")
        assert password.digests_of(mike.id) == [(shop, "d3")]
        password.keep(mike.id, "d1", user_id=mike.id, reason="set")
        assert password.digests_of(mike.id) == [(mike.id, "d1"), (shop, "d3")]
        assert password.digests_of(mike.id, other) == [(mike.id, "d1")]
        accounts.close(shop)
        assert password.digests_of(mike.id) == [(mike.id, "d1")]
        password.renew(mike.id, "d0", "d9")
        assert password.is_still(mike.id, "d1")
        password.renew(mike.id, "d1", "d9")
        assert password.is_still(mike.id, "d9")
