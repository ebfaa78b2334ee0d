"""Every text of the product is in all three languages, and dates, numbers and phones are written as the reader writes them.

Whoever adds a text adds a line to `idp/catalogues/ru.po` and `zh.po` (to `en.po` only for plurals): these tests name what is missing.
OpenID Connect Core §3.1.2.1 (`ui_locales`), RFC 9110 §12.5.4.
"""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from babel.messages import extract
from babel.messages.pofile import read_po
from markupsafe import Markup

from idp import languages
from idp.languages import CATALOGUES, LANGUAGES
from idp.web.languages import accepted, bind, local_path, page_language, switches, texts

TOP = Path(__file__).parents[2]
PLACES = re.compile(r"%\((\w+)\)[sd]")
AT = datetime(2026, 11, 22, 11, 31, 2, tzinfo=UTC)
NBSP = "\N{NO-BREAK SPACE}"
Key = str | tuple[str, ...]


@cache
def used() -> dict[Key, str]:
    """Every text that templates and code may show, and a file that does. In Python the language comes first: `gettext(lang, text)`."""
    sources = [(path, "jinja2.ext:babel_extract", {"_": None, "ngettext": (1, 2)}) for path in sorted((TOP / "templates").rglob("*.html"))]
    code: dict[str, Any] = {"_": None, "N_": None, "gettext": (2,), "ngettext": (2, 3)}
    sources += [(path, "python", code) for path in sorted((TOP / "idp").rglob("*.py"))]
    found: dict[Key, str] = {}
    for path, method, keywords in sources:
        with path.open("rb") as file:
            for _line, text, _comments, _context in extract.extract(method, file, keywords=keywords):
                found.setdefault(text if isinstance(text, str) else tuple(text[:2]), str(path.relative_to(TOP)))
    return found


@cache
def translated(lang: str) -> dict[Key, tuple[str, ...]]:
    """The catalogue of `lang`: key and its forms."""
    with (CATALOGUES / f"{lang}.po").open("rb") as file:
        catalogue = read_po(file, locale=lang, abort_invalid=True)
    return {
        message.id if isinstance(message.id, str) else tuple(message.id): tuple(
            [message.string] if isinstance(message.string, str) else message.string
        )
        for message in catalogue
        if message.id
    }


def wanted(lang: str) -> dict[Key, str]:
    """What the catalogue of `lang` must hold. English is the key itself: only its plurals."""
    return {key: where for key, where in used().items() if lang != "en" or isinstance(key, tuple)}


def lines(keys: dict[Key, str]) -> str:
    """The texts that a test complains about, one a line."""
    return "\n" + "\n".join(f"  {where}: {key!r}" for key, where in sorted(keys.items(), key=str))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nothing_is_missing(lang: str) -> None:
    """Each text is in the catalogue, with all its forms."""
    have = translated(lang)
    missing = {key: where for key, where in wanted(lang).items() if not all(have.get(key, ("",)))}
    assert not missing, f"translate these in idp/catalogues/{lang}.po:{lines(missing)}"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nothing_is_left_over(lang: str) -> None:
    """What nobody shows any more is taken out; English may reword a key that is shown."""
    left = {key: f"{lang}.po" for key in translated(lang) if key not in used()}
    assert not left, f"no template and no code says these any more:{lines(left)}"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_same_places(lang: str) -> None:
    """A translation fills the same places as its key: a missing one hides a fact, a wrong one breaks the page."""
    wrong = {}
    for key, forms in translated(lang).items():
        places = set(PLACES.findall(key if isinstance(key, str) else " ".join(key)))
        for form in forms:
            if set(PLACES.findall(form)) != places:
                wrong[key] = f"{lang}.po"
            elif places:
                form % dict.fromkeys(places, "1")  # a lone percent sign would raise here
    assert not wrong, f"the places differ:{lines(wrong)}"


@pytest.mark.parametrize(("lang", "forms"), [("ru", 3), ("en", 2), ("zh", 1)])
def test_plural_forms(lang: str, forms: int) -> None:
    """Each plural has as many forms as its language."""
    wrong = {key: f"{lang}.po" for key, have in translated(lang).items() if isinstance(key, tuple) and len(have) != forms}
    assert not wrong, f"{forms} forms are needed:{lines(wrong)}"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_key_stands_once(lang: str) -> None:
    """A key that stands twice would be changed in one place only; a doubtful (`fuzzy`) entry would not be shown."""
    source = (CATALOGUES / f"{lang}.po").read_text()
    twice = [key for key, count in Counter(re.findall(r"^msgid (.+)$", source, re.MULTILINE)).items() if count > 1]
    assert not twice
    assert "fuzzy" not in source


def test_tone() -> None:
    """No exclamation marks, no "please", no "oops": `look/README.md`."""
    loud = re.compile(r"[!！]|\b(please|oops|пожалуйста|упс|ой)\b|请您务必|哎呀", re.IGNORECASE)
    said = {text: lang for lang in LANGUAGES for forms in translated(lang).values() for text in forms}
    said |= {text: where for key, where in used().items() for text in ((key,) if isinstance(key, str) else key)}
    assert not [(where, text) for text, where in said.items() if loud.search(text)]


def test_gettext_and_plurals() -> None:
    """Params fill the places; Russian has three forms; what nobody translated stays English."""
    assert languages.gettext("ru", "Sign in to %(app)s", app="Полка") == "Вход в «Полка»"
    assert languages.gettext("zh", "Sign in") == "登录"
    assert languages.gettext("en", "Sign in") == "Sign in"
    assert languages.gettext("ru", "100% nobody says this") == "100% nobody says this"
    assert languages.gettext("ru", "") == ""
    days = ("Remember this browser for %(n)s day", "Remember this browser for %(n)s days")
    assert [languages.ngettext("ru", *days, n).split()[-1] for n in (1, 2, 5, 11, 21, 22, 60, 111)] == [
        "день",
        "дня",
        "дней",
        "дней",
        "день",
        "дня",
        "дней",
        "дней",
    ]
    assert [languages.ngettext("en", *days, n) for n in (1, 60)] == ["Remember this browser for 1 day", "Remember this browser for 60 days"]
    assert languages.ngettext("zh", *days, 60) == "记住此浏览器 60 天"


def test_catalogues_are_read_once_by_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first readers may come at the same moment."""
    monkeypatch.setattr(languages, "_catalogues", {})
    with ThreadPoolExecutor(16) as pool:
        said = set(pool.map(lambda _: languages.gettext("ru", "Sign in"), range(64)))
    assert said == {"Войти"}


def test_markup_in_a_param() -> None:
    """A param that is markup stays markup; the sentence and all other params are escaped."""
    said = languages.gettext("ru", "I accept the %(terms)s and the %(privacy)s", terms=Markup("<a>a</a>"), privacy="<b>")
    assert said == "Принимаю <a>a</a> и &lt;b&gt;"
    assert isinstance(said, Markup)
    assert not isinstance(languages.gettext("ru", "Sign in to %(app)s", app="<b>"), Markup)


def test_times() -> None:
    """The reader's format; the zone stands wherever a time may be read elsewhere."""
    assert languages.format_time("ru", AT, "Europe/Moscow") == "14:31"
    assert languages.format_time("en", AT, "Europe/Moscow", seconds=True) == f"2:31:02{NBSP}PM"
    assert languages.format_date("ru", AT, "Europe/Moscow") == f"22{NBSP}ноября{NBSP}2026"
    assert languages.format_date("ru", AT.date(), "Asia/Tokyo") == f"22{NBSP}ноября{NBSP}2026"
    assert languages.format_date("en", AT, "Europe/Moscow") == f"November{NBSP}22, 2026"
    assert languages.format_date("zh", AT, "Europe/Moscow") == "2026年11月22日"
    assert languages.format_datetime("ru", AT, "Europe/Moscow") == f"22{NBSP}ноября{NBSP}2026, 14:31{NBSP}МСК"
    assert languages.format_datetime("ru", AT, "Asia/Vladivostok", seconds=True).endswith(f"21:31:02{NBSP}UTC+10")
    assert languages.format_datetime("en", AT, "UTC").endswith(f"11:31{NBSP}AM{NBSP}UTC")
    assert languages.format_datetime("en", AT, "Asia/Kathmandu").endswith("UTC+5:45")
    assert languages.format_time("ru", AT.replace(tzinfo=None), "Europe/Moscow") == "14:31"


@pytest.mark.parametrize(
    ("phone", "written", "masked"),
    [
        ("+79123456789", "+7 912 345-67-89", "+7 ••• •••-67-89"),
        ("+12025550123", "+1 202-555-0123", "+1 •••-•••-0123"),
        ("+8613812345678", "+86 138 1234 5678", "+86 ••• •••• 5678"),
        ("anna", "anna", "anna"),
        ("", "", ""),
    ],
)
def test_phones(phone: str, written: str, masked: str) -> None:
    """A number as its country writes it, and with only its last four digits."""
    assert languages.format_phone(phone) == written.replace(" ", NBSP)
    assert languages.mask_phone(phone) == masked.replace(" ", NBSP)


def test_negotiate() -> None:
    """BCP 47 tags, the best first; what we have not is passed over."""
    assert languages.negotiate(["se", "fr-CA", "zh-Hant-TW", "ru"]) == "zh"
    assert languages.negotiate(["EN_us"]) == "en"
    assert languages.negotiate(["english", "*", ""]) is None


def test_accept_language() -> None:
    """Weights order the tags; q=0 refuses one; nonsense is left out."""
    assert accepted("fr, en;q=0.8, ru;q=0.9, zh;q=0") == ["fr", "ru", "en"]
    assert accepted("en;q=high, ru;level=1, , zh") == ["zh"]
    assert accepted("en," * 100_000)[:1] == ["en"]


def test_language_of_a_page() -> None:
    """ui_locales, then what was chosen here, then the browser, then the default."""
    assert page_language(["zh"], "en", "ru") == "zh"
    assert page_language(["se"], "en", "ru") == "en"
    assert page_language([], "xx", "fr, en;q=0.5") == "en"
    assert page_language([], "", "fr", default="zh") == "zh"
    assert page_language() == "ru"


@pytest.mark.parametrize(
    "address", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\t/evil.example", "", "a"]
)
def test_the_way_back_is_ours(address: str) -> None:
    """After a change of language nobody is led elsewhere (CWE-601)."""
    assert local_path(address) == "/"
    assert local_path("/login/flw_1?x=1") == "/login/flw_1?x=1"


def test_switches_keep_the_page() -> None:
    """The links of the foot come back to the same page, its query included."""
    assert switches("/a?b=c&d=e")[0] == ("ru", "Русский", "/language?to=ru&next=%2Fa%3Fb%3Dc%26d%3De")


def test_short_words_are_bound_on_pages_only() -> None:
    """No line of a page ends in a preposition. A message keeps its plain spaces: it is counted by letters, and phones read its end."""
    assert bind("ru", "Вход в кабинет и на сайт") == f"Вход в{NBSP}кабинет и{NBSP}на{NBSP}сайт"
    assert bind("ru", "Запомнить на %(n)s дней — да") == f"Запомнить на{NBSP}%(n)s{NBSP}дней{NBSP}— да"
    assert bind("ru", "@%(host)s #%(code)s") == "@%(host)s #%(code)s"
    assert bind("en", "We’ll text you a code") == f"We’ll text you a{NBSP}code"
    assert bind("zh", "登录 a b") == "登录 a b"
    said = texts("ru")
    assert said["_"]("Sign in to %(app)s", app="Я и ты") == f"Вход в{NBSP}«Я и ты»"
    assert said["ngettext"]("Remember this browser for %(n)s day", "Remember this browser for %(n)s days", 2).endswith(
        f"на{NBSP}2{NBSP}дня"
    )
