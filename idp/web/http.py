"""What a view is given and what it gives back: `Request`, and the answers `Response`, `Page`, `see_other`.

One kind for pages and for machines, and nothing of a web framework: so a view is a function from a request to a value. Templates are
rendered and bytes are written after the commit.
"""

from __future__ import annotations

import re
import secrets
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import parse_qsl

from idp.config import settings
from idp.errors import N_, BadInput, Refusal, TooLarge
from idp.web import multipart
from idp.web.cookies import FOR_SCRIPTS, browser_state, cookie_header, cookie_name, read_cookies

FORM = "application/x-www-form-urlencoded"
FIELDS = 200  # of one query or form
PARAMETER = 8192  # bytes of one value (RFC 9700 names no figure; a request object of a thorough client is about 3 KiB)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
SEE_OTHER = 303  # RFC 9700 §4.12: a 307 would send the code or the password on to the relying party


class Parameters:
    """The pairs of a query or a form, in the order they came; a name may stand more than once, and nobody picks one silently."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs

    def get(self, name: str, default: str = "") -> str:
        """The first value of `name`."""
        return next((value for key, value in self.pairs if key == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of `name`."""
        return [value for key, value in self.pairs if key == name]

    def __contains__(self, name: str) -> bool:
        """Whether `name` was sent."""
        return any(key == name for key, _ in self.pairs)

    # WTForms asks for these two.
    def getlist(self, name: str) -> list[str]:
        """As WTForms calls `all`."""
        return self.all(name)

    def __iter__(self) -> Any:
        """The names, each once."""
        return iter(dict(self.pairs))

    def __len__(self) -> int:
        return len(self.pairs)


def read_pairs(raw: bytes | str) -> Parameters:
    """Read a query or a form strictly: UTF-8, a bounded number of fields, no control characters; raises BadInput."""
    try:
        text = raw.decode("ascii") if isinstance(raw, bytes) else raw
        pairs = parse_qsl(text, keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=FIELDS)
    except ValueError as e:
        raise BadInput(
            N_("What was sent cannot be read. Send it as a form in UTF-8."), detail=f"unreadable parameters: {type(e).__name__}"
        ) from e
    return _checked(pairs)


def _checked(pairs: list[tuple[str, str]]) -> Parameters:
    """The pairs, when nothing in them is too long or cannot be typed; raises BadInput."""
    for name, value in pairs:
        if len(value) > PARAMETER or len(name) > PARAMETER:
            raise BadInput(N_("One of the values is too long."), detail="a parameter is longer than 8 KiB")
        if CONTROL.search(value) or CONTROL.search(name):
            raise BadInput(N_("One of the values holds characters that cannot be typed."), detail="a control character in a parameter")
    return Parameters(pairs)


class Request:
    """One request. Built from a WSGI environment; the body is read when the form is first asked for, up to `[server] max_body` bytes."""

    __slots__ = (
        *("_body", "_cookies", "_files", "_form", "_query", "environ", "language", "largest", "method", "path", "popup", "request_id"),
        "ui_locales",
        "zone",
    )

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = environ.get("PATH_INFO", "")
        self.request_id = "req_" + secrets.token_hex(10)
        self.language = ""  # set when a page is about to be written
        self.ui_locales: tuple[str, ...] = ()
        self.popup = False  # the page stands in a window that a relying party's page has opened
        self.zone: str | None = None  # in which the page writes its times; None: that of the settings
        self.largest = 0  # bytes of the body where the route takes files; 0: it takes none
        self._query: Parameters | None = None
        self._form: Parameters | None = None
        self._files: dict[str, bytes] = {}
        self._body: bytes | None = None
        self._cookies: dict[str, str] | None = None

    @property
    def query(self) -> Parameters:
        """The parameters of the query string; raises BadInput."""
        if self._query is None:
            self._query = read_pairs(self.environ.get("QUERY_STRING", ""))
        return self._query

    @property
    def form(self) -> Parameters:
        """The parameters of the body; raises BadInput (not a form), TooLarge."""
        if self._form is None:
            self._form = self._read_form()
        return self._form

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the form by the names of their fields, where the route takes any; raises as `form` does."""
        return self._files if self.form else {}

    @property
    def body(self) -> bytes:
        """The body as it came; raises BadInput, TooLarge."""
        if self._body is None:
            self._body = self._read_body()
        return self._body

    @property
    def content_type(self) -> str:
        """The media type of the body, in lower case and without parameters."""
        kind: str = self.environ.get("CONTENT_TYPE", "")
        return kind.partition(";")[0].strip().lower()

    def _read_body(self) -> bytes:
        length = self.environ.get("CONTENT_LENGTH") or ""
        if length and not re.fullmatch("[0-9]{1,12}", length):
            raise BadInput(detail="Content-Length is not a number")
        limit = self.largest or settings().server.max_body
        if length and int(length) > limit:
            raise self._too_large(f"a body of {length} bytes")
        body: bytes = self.environ["wsgi.input"].read(int(length) if length else limit + 1)
        if len(body) > limit:
            raise self._too_large("a body without Content-Length that is too large")
        return body

    def _too_large(self, detail: str) -> TooLarge:
        if not self.largest:
            return TooLarge(detail=detail)
        refusal = TooLarge(N_("The file is too large. Choose one of up to %(size)s MB."), size=self.largest // 2**20, detail=detail)
        refusal.shown["restart_url"] = self.path
        return refusal

    def _read_form(self) -> Parameters:
        if not self.body:
            return Parameters([])
        if self.largest and self.content_type == multipart.KIND:
            pairs, self._files = multipart.read(self.body, self.environ.get("CONTENT_TYPE", ""))
            return _checked(pairs)
        if self.content_type != FORM:
            raise BadInput(N_("Send this as a form (application/x-www-form-urlencoded)."), detail="the body is not a form")
        return read_pairs(self.body)

    def header(self, name: str) -> str:
        """A header's value, or an empty text."""
        value: str = self.environ.get("HTTP_" + name.upper().replace("-", "_"), "")
        return value

    def cookie(self, name: str) -> str:
        """The value of one of our cookies by its short name (`session`, `login`, `browser`, `language`, `shared`), or an empty text."""
        if self._cookies is None:
            self._cookies = read_cookies(self.environ.get("HTTP_COOKIE", ""))
        return self._cookies.get(cookie_name(name), "")

    @property
    def remote_address(self) -> str:
        """The caller's address: the peer's, or what the outermost of `[server] trusted_hops` proxies saw; never a client's own header."""
        peer: str = self.environ.get("REMOTE_ADDR", "")
        hops = settings().server.trusted_hops
        if hops:
            seen = [part.strip() for part in self.header("X-Forwarded-For").split(",") if part.strip()]
            if len(seen) >= hops:
                return _bare_address(seen[-hops])
        return _bare_address(peer)

    @property
    def network(self) -> str:
        """The network of the caller, as limits count it: IPv4 /24, IPv6 /56."""
        return network_of(self.remote_address)

    @property
    def user_agent(self) -> str:
        """What the browser calls itself; at most 400 characters."""
        return self.header("User-Agent")[:400]

    @property
    def is_post(self) -> bool:
        """Whether something is to be done."""
        return self.method == "POST"


def network_of(text: str) -> str:
    """The network of an address, as limits count it: IPv4 /24, IPv6 /56."""
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(ip_network((address, 24 if address.version == 4 else 56), strict=False))


def _bare_address(text: str) -> str:
    """Without port and brackets; empty when it is no address."""
    text = text.strip().removeprefix("[").partition("]")[0] if text.startswith("[") else text
    if text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        return ""


class Answer:
    """What all answers have: a status, headers, cookies."""

    def __init__(self, status: int, headers: list[tuple[str, str]] | None = None) -> None:
        self.status = status
        self.headers: list[tuple[str, str]] = headers or []

    def set_cookie(self, name: str, value: str, max_age: int | None = None) -> None:
        """Give the browser one of our cookies by its short name; without `max_age` (seconds) it ends with the browser."""
        self.headers.append(("Set-Cookie", cookie_header(name, value, max_age)))
        if name == "session":
            self.headers.append(("Set-Cookie", cookie_header(FOR_SCRIPTS, browser_state(value), max_age)))

    def delete_cookie(self, name: str) -> None:
        """Take the cookie back."""
        self.headers.append(("Set-Cookie", cookie_header(name, "", 0)))
        if name == "session":
            self.headers.append(("Set-Cookie", cookie_header(FOR_SCRIPTS, "", 0)))


class Response(Answer):
    """Bytes, or a redirect."""

    def __init__(self, body: bytes = b"", *, status: int = 200, headers: list[tuple[str, str]] | None = None) -> None:
        super().__init__(status, headers)
        self.body = body


class Page(Answer):
    """A page: a template and what it shows, rendered after the commit.

    `parked`: an unfinished authorization request waits behind it, so its policy carries no `form-action` (Chromium applies that directive
    to the whole chain of redirects, the relying party's own included). `ui_locales`: languages the relying party asked for. `works`: its
    script has workers. `frames`: origins of what it frames; nothing else can be framed.
    """

    def __init__(
        self,
        template: str,
        *,
        status: int = 200,
        parked: bool = False,
        works: bool = False,
        frames: tuple[str, ...] = (),
        ui_locales: tuple[str, ...] = (),
        **context: Any,
    ) -> None:
        super().__init__(status)
        self.works = works
        self.frames = frames
        self.template = template
        self.parked = parked
        self.ui_locales = ui_locales
        self.context = context


def see_other(url: str) -> Response:
    """A redirect by 303, whatever the method was."""
    return Response(status=SEE_OTHER, headers=[("Location", url), ("Cache-Control", "no-store")])


class Elsewhere(Refusal):
    """Not here and now: `answer` leads to what comes first, a sign-in. As with any refusal, what was written before it is committed."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(detail="first something else")
        self.answer = answer
