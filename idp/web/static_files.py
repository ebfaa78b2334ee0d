"""`/static/…`: stylesheet, script, fonts. An address that names its content's digest may be kept for ever."""

from __future__ import annotations

import re
from functools import lru_cache

from idp.errors import NotFound
from idp.web.http import Request, Response
from idp.web.pages import STATIC

KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".woff2": "font/woff2",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
NAME = re.compile(r"[a-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9]+)+")


@lru_cache(maxsize=64)
def _read(name: str) -> bytes | None:
    path = STATIC / name
    return path.read_bytes() if path.is_file() else None


def serve(request: Request, name: str) -> Response:
    """One file; there are no folders, so no path can lead out of them."""
    kind = KINDS.get("." + name.rpartition(".")[2])
    body = _read(name) if kind and NAME.fullmatch(name) else None
    if body is None or kind is None:
        raise NotFound(detail="no such file")
    caching = "public, max-age=31536000, immutable" if request.query.get("v") else "public, max-age=300"
    return Response(body, headers=[("Content-Type", kind), ("Cache-Control", caching)])
