"""The texts of the portals in three languages.

English stands in the source and is the key; `catalogues/ru.po` and `catalogues/zh.po` hold the rest and are read by Babel when
first needed. A test fails when a text has no translation.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

from babel.core import Locale, UnknownLocaleError, negotiate_locale
from babel.dates import format_date, format_skeleton
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

LANGUAGES = {"ru": "Русский", "en": "English", "zh": "中文"}
DEFAULT = "ru"


def N_(text: str) -> str:  # noqa: N802 - the name that the extraction of texts knows
    """Marks a text for the catalogues where it is written down but not yet shown."""
    return text


def translate(language: str, text: str, **params: object) -> str:
    """`text` in `language` (a key of LANGUAGES), with its `%(name)s` filled in."""
    found = _catalogue(language).get(text, text)
    return found % params if params else found


def negotiate(wanted: Iterable[str]) -> str | None:
    """The first of the wanted language tags (best first) that the portals speak; `zh-TW` is served in `zh`."""
    return negotiate_locale([tag.replace("-", "_") for tag in wanted], list(LANGUAGES))


def money(language: str, amount: Decimal) -> str:
    """An amount in roubles, without kopecks when there are none."""
    pattern = "#,##0" if amount == amount.to_integral_value() else "#,##0.00"
    return format_decimal(amount, format=pattern + "\u00a0₽", locale=_locale(language))


def number(language: str, value: int) -> str:
    return format_decimal(value, locale=_locale(language))


def day(language: str, value: date) -> str:
    return format_skeleton("MMMd", value, locale=_locale(language))


def long_day(language: str, value: str) -> str:
    """A date in the form 1991-04-12, with its month as a word."""
    try:
        return format_date(date.fromisoformat(value), "long", locale=_locale(language))
    except ValueError:
        return value


def language_name(language: str, tag: str) -> str:
    """What the language of a tag such as ru-RU is called."""
    try:
        return Locale.parse(tag, sep="-").get_language_name(_locale(language)) or tag
    except (ValueError, UnknownLocaleError):
        return tag


@cache
def _catalogue(language: str) -> dict[str, str]:
    if language == "en":
        return {}
    with (Path(__file__).parent / "catalogues" / f"{language}.po").open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file, locale=language) if message.id and message.string}


@cache
def _locale(language: str) -> Locale:
    return Locale.parse({"zh": "zh_Hans_CN"}.get(language, language))
