"""`GET /logos/<client_id>`: the logo of a client, as the page that asks for consent shows it."""

from __future__ import annotations

from idp.delegation import clients, logos
from idp.directory import pictures
from idp.errors import NotFound
from idp.web.http import Request, Response

HEADERS = (
    ("Content-Type", pictures.KIND),
    ("Content-Disposition", 'inline; filename="logo.jpg"'),
    ("Cache-Control", "public, max-age=3600"),
    ("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
)


def serve(request: Request, client_id: str) -> Response:
    """The JPEG, for everybody; raises NotFound, and `First` where it has to be fetched."""
    del request
    client = clients.find(client_id)
    content = logos.find(client) if client is not None else None
    if content is None:
        raise NotFound(detail="no such logo")
    return Response(content, headers=list(HEADERS))
