"""Which language a page speaks, and the words and numbers of one page in it. Plain functions of plain values.

OpenID Connect Core §3.1.2.1 (`ui_locales`), RFC 9110 §12.5.4 (`Accept-Language`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import lru_cache
from urllib.parse import quote

from idp import languages
from idp.config import settings
from idp.languages import LANGUAGES, NAMES, NBSP, Zone

# A short word stays with the next one, a number with what it counts, a dash with what is before it.
_SHORT = re.compile(r"(?<![\w’)])(\w{1,2}|%\(n\)s|\d+) (?=\S)")
_SHORT_ENGLISH = re.compile(r"(?<![\w’)])(a|A|I|%\(n\)s|\d+) (?=\S)")
_DASH = re.compile(r" (?=—)")


def accepted(header: str) -> list[str]:
    """The tags of an `Accept-Language` header, the most wanted first; what was refused (`q=0`) or cannot be read is left out."""
    found: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:1000].split(",")):
        tag, _, weight = part.partition(";")
        match = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", weight) if weight else None
        if tag.strip() and (match or not weight):
            found.append((-float(match[1]) if match else -1.0, place, tag.strip()))
    return [tag for weight, _, tag in sorted(found) if weight]


def page_language(ui_locales: Iterable[str] = (), cookie: str = "", accept: str = "", default: str = "") -> str:
    """The language of a page: what the relying party asked for (`ui_locales`, tags), what the reader chose here (`cookie`), what the
    browser says (`accept`, a header), the `default` (that of the settings, if empty).
    """
    return (
        languages.negotiate(list(ui_locales))
        or languages.negotiate([cookie])
        or languages.negotiate(accepted(accept))
        or languages.negotiate([default or settings().languages.default])
        or LANGUAGES[0]
    )


def local_path(address: str) -> str:
    """`address` when it is a path of ours, else `/`: the way back after a change of language must not lead elsewhere (CWE-601)."""
    # Browsers read a backslash as a slash, and drop tabs and line ends before they look.
    if not address.startswith("/") or address.startswith(("//", "/\\")) or re.search(r"[\x00-\x20\\\x7f]", address):
        return "/"
    return address


def switches(address: str) -> list[tuple[str, str, str]]:
    """The languages for the foot of the page at `address` (path and query): code, its own name, where to press."""
    return [(code, NAMES[code], f"/language?to={code}&next={quote(address, safe='')}") for code in LANGUAGES]


@lru_cache(maxsize=4096)
def bind(lang: str, text: str) -> str:
    """`text` with no-break spaces where a line should not end. Only for pages: a message is counted by its letters."""
    if lang == "zh":
        return text
    pattern = _SHORT_ENGLISH if lang == "en" else _SHORT
    return _DASH.sub(NBSP, pattern.sub(rf"\1{NBSP}", text))


def texts(lang: str, tz: Zone = None) -> dict[str, Callable[..., str]]:
    """What a template calls: `_`, `ngettext`, `format_time`, `format_date`, `format_datetime`, `format_phone`, `mask_phone`, `mask_email`.

    `tz` is the zone in which times are written, None the one of the settings.
    """

    def _(text: str, /, **params: object) -> str:
        return languages.fill(bind(lang, languages.gettext(lang, text)), params)

    def ngettext(one: str, many: str, n: int, /, **params: object) -> str:
        return languages.fill(bind(lang, languages.plural(lang, one, many, n)), {"n": n, **params})

    def format_time(at: datetime, *, seconds: bool = False) -> str:
        return languages.format_time(lang, at, tz, seconds=seconds)

    def format_date(at: date) -> str:
        return languages.format_date(lang, at, tz)

    def format_datetime(at: datetime, *, seconds: bool = False) -> str:
        return languages.format_datetime(lang, at, tz, seconds=seconds)

    return {
        "_": _,
        "ngettext": ngettext,
        "format_time": format_time,
        "format_date": format_date,
        "format_datetime": format_datetime,
        "format_phone": languages.format_phone,
        "mask_phone": languages.mask_phone,
        "mask_email": languages.mask_email,
    }
