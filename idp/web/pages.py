"""Templates become bytes: one Jinja environment of ours, so that the dispatcher, the pages and the command line render alike.

What every template finds is listed in `_globals`; each page adds its own context.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from idp.config import settings
from idp.web.csrf import Csrf
from idp.web.headers import page_headers
from idp.web.http import Page, Request, Response
from idp.web.languages import page_language, switches, texts

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
        self.support_email = brand.support_email
        self.support_phone = brand.support_phone
        self.privacy_url = brand.privacy_url
        self.terms_url = brand.terms_url


def _globals(request: Request, language: str, nonce: str) -> dict[str, Any]:
    query = request.environ.get("QUERY_STRING", "")
    return {
        "lang": language,
        "languages": switches(f"{request.path}?{query}" if query and not request.is_post else request.path),
        "brand": Brand(language),
        "nonce": nonce,
        "static": static_url,
        "request_id": request.request_id,
        **texts(language, request.zone),
    }


def language_of(request: Request, ui_locales: tuple[str, ...] = ()) -> str:
    """The language of the page that answers `request`, looked up once.

    What the person pressed at the foot of this sign-in's pages (`<code>.here`) is stronger than what the relying party asked for; the next
    request begins anew with the relying party's wish.
    """
    if not request.language:
        chosen, _, here = request.cookie("language").partition(".")
        wanted = () if here else (ui_locales or request.ui_locales)
        request.language = page_language(wanted, chosen, request.header("Accept-Language"))
    return request.language


def render(page: Page, request: Request) -> Response:
    """The bytes of `page` for the reader of `request`, with its headers and cookies."""
    nonce = secrets.token_urlsafe(16)
    csrf = Csrf(request)
    context = _globals(request, language_of(request, page.ui_locales), nonce)
    body = environment().get_template(page.template).render(context | {"csrf": csrf} | page.context)
    headers = page_headers(nonce, parked=page.parked, works=page.works, frames=page.frames, popup=request.popup and page.parked)
    response = Response(body.encode(), status=page.status, headers=[*headers, *page.headers])
    csrf.settle(response)
    return response
