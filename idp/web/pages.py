"""Templates become bytes: one Jinja environment of ours, so that the dispatcher, the pages and the command line render alike.

What every template finds is listed in `_globals`; each page adds its own context.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from idp import languages
from idp.config import settings
from idp.web.csrf import Csrf
from idp.web.headers import page_headers
from idp.web.http import Page, Request, Response
from idp.web.languages import page_language

STATIC = Path(__file__).parent / "static"
# In a checkout the templates stand at its top, in an installed package inside it.
TEMPLATES = next(p for p in (Path(__file__).parents[1] / "templates", Path(__file__).parents[2] / "templates") if p.is_dir())


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The Jinja environment: everything is escaped, a name that is missing is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


@lru_cache(maxsize=64)
def static_url(name: str) -> str:
    """The address of a file in `static/`, with the digest of what is in it, so that it may be cached for ever."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


class Brand:
    """What the pages call the product, in the reader's language."""

    def __init__(self, language: str) -> None:
        brand = settings().brand
        self.name = brand.names.get(language, brand.name)
        self.support_url = brand.support_url
        self.privacy_url = brand.privacy_url
        self.terms_url = brand.terms_url


def _globals(request: Request, language: str, nonce: str) -> dict[str, Any]:
    zone = ZoneInfo(settings().languages.timezone)
    here = request.path + ("?" + request.environ["QUERY_STRING"] if request.environ.get("QUERY_STRING") and not request.is_post else "")
    return {
        "_": lambda text, **params: languages.gettext(language, text, **params),
        "ngettext": lambda one, many, n, **params: languages.ngettext(language, one, many, n, **params),
        "lang": language,
        "languages": [(code, name, f"/language?to={code}&next={quote(here, safe='')}") for code, name in languages.NAMES.items()],
        "brand": Brand(language),
        "nonce": nonce,
        "static": static_url,
        "request_id": request.request_id,
        "format_time": lambda at, seconds=False: languages.format_time(language, at, zone, seconds=seconds),
        "format_datetime": lambda at, seconds=False: languages.format_datetime(language, at, zone, seconds=seconds),
        "format_date": lambda at: languages.format_date(language, at if not isinstance(at, datetime) else at.astimezone(zone)),
        "format_phone": languages.format_phone,
        "mask_phone": languages.mask_phone,
    }


def language_of(request: Request, ui_locales: tuple[str, ...] = ()) -> str:
    """The language of the page that answers `request`, looked up once."""
    if not request.language:
        request.language = page_language(ui_locales or request.ui_locales, request.cookie("language"), request.header("Accept-Language"))
    return request.language


def render(page: Page, request: Request) -> Response:
    """The bytes of `page` for the reader of `request`, with its headers and cookies."""
    nonce = secrets.token_urlsafe(16)
    csrf = Csrf(request)
    context = _globals(request, language_of(request, page.ui_locales), nonce)
    body = environment().get_template(page.template).render(context | {"csrf": csrf} | page.context)
    response = Response(body.encode(), status=page.status, headers=[*page_headers(nonce, parked=page.parked), *page.headers])
    csrf.settle(response)
    return response
