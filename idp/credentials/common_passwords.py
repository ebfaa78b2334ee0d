"""Passwords that somebody would try first: common ones, those of known leaks, and habits of the keyboard (ASVS 5.0 §6.2.4, §6.2.12).

`common_passwords.bin` holds about 49,000 of them as the sorted first five bytes of each one's SHA-256, 240 KiB in all: a look is a
bisection in memory, and the file is no word list for anybody. A password that is not in it is taken for one once in twenty million.
It was made by `pack` from the lists of the npm packages `@zxcvbn-ts/language-common` 4.1.3 (`src/passwords.json`) and `zxcvbn` 4.4.2 (the
list `passwords`), both under the MIT licence, (c) 2012-2016 Dan Wheeler and Dropbox, Inc., (c) 2021 zxcvbn-ts; those count what was found
in leaks of the years 2008 to 2020. Words shorter than four characters are left out.

What no list can hold is seen by its form: runs, repetitions, dates, phone numbers, a common word with a few digits behind it, a Russian
word typed on Latin keys or the other way round, and what is typed often in pinyin. It is asked only when a password is set.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).with_suffix(".bin")
WIDTH = 5  # bytes of each digest
SHORTEST = 4

# The keys of the Russian layout and what stands on them in the Latin one.
_LATIN = str.maketrans("йцукенгшщзхъфывапролджэячсмитьбюё", "qwertyuiop[]asdfghjkl;'zxcvbnm,.`")
_LEET = str.maketrans("4301$5@7", "aeoisat" + "t")
_RUNS = (
    *("01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "qwertzuiop", "azertyuiop"),
    *("1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "qazwsxedcrfvtgbyhnujmik,ol.p;/", "1q2w3e4r5t6y7u8i9o0p-[=]", "147258369", "123698745"),
    "абвгдежзийклмнопрстуфхцчшщъыьэюя",
)
_TAIL = re.compile(r"[0-9!@#$%&*?._+-]{1,6}$")
_PHONE = re.compile(r"[78]?9[0-9]{9}|(?:86)?1[3-9][0-9]{9}|[78]?[348][0-9]{9}")  # of Russia, of China
# Whole passwords and the words that people put digits behind; in Latin letters, as they are typed.
_HABITS = frozenset(
    (
        "woaini aini woaiwojia woaini520 woaini521 woaini1314 woaini5201314 5201314 1314520 5211314 7758521 5845201314 zhongguo "
        "beijing shanghai shenzhen baobei laopo laogong xiaoxiao mima mimashi wangba caonima nihao nihaoma tiankong xiaolong "
        "longlong zhangwei wangwei liwei wangfang zhangjie lihua liming mingming tiantian xingfu kuaile shengri nimabi qq123456 "
        "aa123456 a123456789 asd123456 abc123456 zxc123456 wo123456 li123456 wang123456 zhang123456 admin admin123 root passwd "
        "passw0rd password letmein welcome iloveyou parol parolparol moiparol privet privetprivet lubov lyubov lubimaya "
        "lyubimaya solnyshko solnishko krasotka zvezda rossiya russia moskva spartak dinamo natasha marina nastya sasha masha "
        "katya andrey sergey dmitriy dimadima aleksandr alexander vladimir tatyana svetlana samara kazan piter zenit lokomotiv "
        "cska babushka mamapapa mamochka kotenok koshka sobaka malina vishnya vesna druzhba shkola marketplace bazar magazin "
        "prodavec seller kabinet buhgalter любовь любимая люблютебя солнышко пароль привет звезда россия москва наташа марина "
        "спартак зенит динамо мамапапа бабушка"
    ).split()
)


def is_common(password: str) -> bool:
    """Whether somebody who knows what people choose would soon come to `password`."""
    return any(_is_known(form) or _is_pattern(form) for form in _forms(password))


def pack(words: Iterable[str]) -> bytes:
    """What stands in the file for these words."""
    return b"".join(sorted({_digest(folded) for word in words if len(folded := word.casefold()) >= SHORTEST}))


def _forms(password: str) -> Iterator[str]:
    """The password as it may stand in the list: folded, on the other layout's keys, without what was put behind it, without leet."""
    folded = password.casefold().strip()
    for typed in dict.fromkeys((folded, folded.translate(_LATIN))):
        yield typed
        bare = _TAIL.sub("", typed)
        if SHORTEST <= len(bare) < len(typed):
            yield bare
            yield bare.translate(_LEET)
        yield typed.translate(_LEET)
        yield re.sub(r"[\W_]", "", typed)


def _is_known(word: str) -> bool:
    if word in _HABITS:
        return True
    kept, wanted = _kept(), _digest(word)
    low, high = 0, len(kept) // WIDTH
    while low < high:
        middle = (low + high) // 2
        found = kept[middle * WIDTH : (middle + 1) * WIDTH]
        if found == wanted:
            return True
        low, high = (middle + 1, high) if found < wanted else (low, middle)
    return False


def _is_pattern(text: str) -> bool:
    """A run of the keyboard or the alphabet, one short piece over and over, a date, a phone number."""
    if len(text) < SHORTEST:
        return True
    for size in range(1, min(4, len(text) // 2) + 1):
        if text == (text[:size] * len(text))[: len(text)]:
            return True
    half = text[: len(text) // 2]
    if _is_run(text) or (text == half * 2 and _is_known(half)):
        return True
    digits = re.sub(r"[\s()./+-]", "", text)
    return digits.isascii() and digits.isdecimal() and (_PHONE.fullmatch(digits) is not None or _is_date(digits))


def _is_run(text: str) -> bool:
    """Whether it is made of at most two pieces of keys that lie in a row: `12345678`, `qwerty123`, `87654321qwe`."""
    return any(_piece(text[:cut]) and (cut == len(text) or _piece(text[cut:])) for cut in range(3, len(text) + 1))


def _piece(text: str) -> bool:
    backwards = text[::-1]
    return len(text) >= 3 and any(text in run or backwards in run for run in _RUNS)


def _is_date(digits: str) -> bool:
    """Whether eight digits are a day that somebody alive was born on, or will pay a bill on: in one of three orders."""
    if len(digits) != 8:
        return False
    orders = ((4, 2, 0), (4, 0, 2), (0, 4, 6))  # where year, month and day begin
    return any(_is_day(digits[y : y + 4], digits[m : m + 2], digits[d : d + 2]) for y, m, d in orders)


def _is_day(year: str, month: str, day: str) -> bool:
    try:
        return 1900 <= date(int(year), int(month), int(day)).year <= 2050
    except ValueError:
        return False


def _digest(word: str) -> bytes:
    return hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()[:WIDTH]


@lru_cache(maxsize=1)
def _kept() -> bytes:
    return FILE.read_bytes()
