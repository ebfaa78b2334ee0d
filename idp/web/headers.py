"""What every page and every answer carries in its headers, on one page."""

from __future__ import annotations

from idp.web.cookies import is_secure

# no-store everywhere that somebody may be signed in: a shared cache, or the Back button after signing out, must show nothing.
NO_STORE = ("Cache-Control", "no-store")
HSTS = ("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
ALWAYS = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
PAGE = (
    ("Content-Type", "text/html; charset=utf-8"),
    NO_STORE,
    ("Vary", "Cookie, Accept-Language"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), otp-credentials=(self)"),
)


def policy(nonce: str, *, parked: bool, works: bool = False, frames: tuple[str, ...] = ()) -> str:
    """The content security policy of a page; `works`: its script has workers, which are ours. `frames`: origins that it frames.

    NOTE: a page of a parked request has no `form-action`: Chromium applies it to the whole chain of redirects after the form, the relying
    party's own included, and would stop the person on the way back. Elsewhere a form may only go to us.
    """
    parts = [
        "default-src 'none'",
        "style-src 'self'",
        f"script-src 'nonce-{nonce}'",
        "font-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    if works:
        parts.append("worker-src 'self'")
    if frames:
        parts.append(f"frame-src {' '.join(frames)}")
    if not parked:
        parts.append("form-action 'self'")
    return "; ".join(parts)


OPENER = "Cross-Origin-Opener-Policy"
# Any other value cuts the window off from the page that opened it, for good, also once it has gone back to that page's site: nobody would
# be told how the sign-in ended. That page can close or leave this window; it can neither read nor press anything in it.
IN_A_POPUP = tuple((name, "unsafe-none" if name == OPENER else value) for name, value in PAGE)


def page_headers(
    nonce: str, *, parked: bool, works: bool = False, frames: tuple[str, ...] = (), popup: bool = False
) -> list[tuple[str, str]]:
    """The headers of a page; `popup`: a relying party's page has opened its window for a sign-in (`display=popup`)."""
    return [
        *(IN_A_POPUP if popup else PAGE),
        ("Content-Security-Policy", policy(nonce, parked=parked, works=works, frames=frames)),
        *every_headers(),
    ]


def every_headers() -> list[tuple[str, str]]:
    """The headers of every answer."""
    return [*ALWAYS, HSTS] if is_secure() else [*ALWAYS]
