"""The one door to the catalogues: texts, plurals, times, phone numbers, for pages, messages and the worker alike.

English text is the key (`msgid`). The catalogues are `idp/catalogues/<language>.po`, read when first asked for and kept in memory; nothing
compiled stands in the repository. A text without a translation comes out in English; a test names every such text before a reader does.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from gettext import GNUTranslations
from pathlib import Path
from zoneinfo import ZoneInfo

import phonenumbers
from babel import dates
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import escape

from idp.config import settings

LANGUAGES = ("ru", "en", "zh")
NAMES = {"ru": "Русский", "en": "English", "zh": "中文"}
CATALOGUES = Path(__file__).parent / "catalogues"

NBSP = "\N{NO-BREAK SPACE}"
DATE = {"ru": f"d{NBSP}MMMM{NBSP}y", "en": f"MMMM{NBSP}d, y", "zh": "y年M月d日"}
DAY = {"ru": f"d{NBSP}MMMM", "en": f"MMMM{NBSP}d", "zh": "M月d日"}
TIME = {"ru": ("HH:mm", "HH:mm:ss"), "en": (f"h:mm{NBSP}a", f"h:mm:ss{NBSP}a"), "zh": ("HH:mm", "HH:mm:ss")}
ZONES = {("ru", "MSK"): "МСК", ("zh", "MSK"): "莫斯科时间"}

Zone = tzinfo | str | None  # a zone, its IANA name, or None for the one of the settings

_catalogues: dict[str, GNUTranslations] = {}
_reading = threading.Lock()


def _catalogue(lang: str) -> GNUTranslations:
    """The catalogue of a language we have; of the first one in the list when we have it not."""
    lang = lang if lang in LANGUAGES else LANGUAGES[0]
    found = _catalogues.get(lang)
    if found is None:
        with _reading:
            found = _catalogues.get(lang)
            if found is None:
                with (CATALOGUES / f"{lang}.po").open("rb") as file:
                    catalogue = read_po(file, locale=lang, abort_invalid=True)
                compiled = io.BytesIO()
                write_mo(compiled, catalogue)
                compiled.seek(0)
                found = _catalogues[lang] = GNUTranslations(compiled)
    return found


def fill(text: str, params: Mapping[str, object]) -> str:
    """`text` with `params` in the places of `%(name)s`; without params it is left as it is, percent signs included.

    A param that is markup makes the result markup, with everything else in it escaped.
    """
    if not params:
        return text
    if any(hasattr(value, "__html__") for value in params.values()):
        return escape(text) % params
    return text % params


def gettext(lang: str, text: str, /, **params: object) -> str:
    """`text` (English) in `lang`, filled with `params`."""
    return fill(_catalogue(lang).gettext(text) if text else "", params)


def ngettext(lang: str, one: str, many: str, n: int, /, **params: object) -> str:
    """The form of the text that the number `n` wants in `lang`; `%(n)s` is the number."""
    return fill(plural(lang, one, many, n), {"n": n, **params})


def plural(lang: str, one: str, many: str, n: int) -> str:
    """The form that the number `n` wants in `lang`, its places still to be filled."""
    return _catalogue(lang).ngettext(one, many, n)


def negotiate(wanted: list[str]) -> str | None:
    """The first language of `wanted` (BCP 47 tags, the best first) that we have, or None. `zh-Hant-TW` is served by `zh`."""
    for tag in wanted:
        primary = re.split(r"[-_]", tag.strip().lower(), maxsplit=1)[0]
        if primary in LANGUAGES:
            return primary
    return None


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _local(at: datetime, tz: Zone) -> datetime:
    """`at` (aware; a naive one is UTC) in the zone `tz`."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return aware.astimezone(tz if isinstance(tz, tzinfo) else _zone(tz or settings().languages.timezone))


def _zone_name(lang: str, local: datetime) -> str:
    """What people call the zone: `MSK`, or `UTC+10` where it has no short name."""
    name = local.tzname() or ""
    if name[:1] not in "+-":
        return ZONES.get((lang, name), name)
    return f"UTC{name[:3].replace('+0', '+').replace('-0', '-')}{':' + name[3:] if name[3:] else ''}"


def format_date(lang: str, at: date, tz: Zone = None) -> str:
    """The day (of a moment: where the reader is), written out: `22 ноября 2026`."""
    day = _local(at, tz).date() if isinstance(at, datetime) else at
    return dates.format_date(day, DATE[lang if lang in DATE else "ru"], locale=lang)


def format_day(lang: str, at: datetime, tz: Zone = None) -> str:
    """The day without its year: for messages, in which four digits in a row would pass for a code."""
    return dates.format_date(_local(at, tz).date(), DAY[lang if lang in DAY else "ru"], locale=lang)


def format_time(lang: str, at: datetime, tz: Zone = None, *, seconds: bool = False) -> str:
    """The time of day as the reader writes it: `14:31`, `2:31 PM`; with seconds where they matter."""
    local = _local(at, tz)
    return dates.format_time(local.time(), TIME[lang if lang in TIME else "ru"][seconds], locale=lang)


def format_datetime(lang: str, at: datetime, tz: Zone = None, *, seconds: bool = False) -> str:
    """Day, time and zone: for pages and messages that are read elsewhere and later."""
    local = _local(at, tz)
    comma = "" if lang == "zh" else ","
    return f"{format_date(lang, at, tz)}{comma} {format_time(lang, at, tz, seconds=seconds)}{NBSP}{_zone_name(lang, local)}"


@lru_cache(maxsize=4096)
def format_phone(phone: str) -> str:
    """An E.164 number as it is written in its country: `+7 912 345-67-89`, with no-break spaces. What is no number stays as it is."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return phone
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL).replace(" ", NBSP)


def mask_email(address: str) -> str:
    """The address with all but the first letters hidden: `a•••@p•••.example`. Its owner knows it again, nobody learns it."""
    name, _, host = address.partition("@")
    label, dot, top = host.rpartition(".")
    return f"{name[:1]}•••@{label[:1]}•••{dot}{top}"


def mask_phone(phone: str) -> str:
    """The number with all but the country and the last four digits hidden: `+7 ••• •••-45-67`."""
    written = format_phone(phone)
    country, space, rest = written.partition(NBSP)
    if not space or not country.startswith("+"):
        country, rest = "", written
    shown = 4
    hidden = sum(character.isdigit() for character in rest) - shown
    masked = []
    for character in rest:
        if character.isdigit() and hidden > 0:
            hidden -= 1
            masked.append("•")
        else:
            masked.append(character)
    return f"{country}{space}{''.join(masked)}"
