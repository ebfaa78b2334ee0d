"""Every secret that was ever issued in a test run, and where none of them may be found (threats: cases 41 and 42, goal G-9).

Secrets are noticed where they pass: in what browsers and relying parties of the tests send and get. Looked through are every line that was
logged (at DEBUG), every error page, and the database of every test, byte by byte.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx2
import sqlalchemy as sa

from idp import telemetry

LENGTH = 20  # characters; what is shorter can be there by chance, and is looked for where it is known what it is
COOKIES = {"idp_login", "idp_session", "idp_browser", "idp_undo", "idp_recovery"}
GIVEN = (
    *("access_token", "refresh_token", "id_token", "client_secret", "challenge", "device_code"),
    *("registration_access_token", "initial_access_token"),
)
WORD = re.compile(r"[A-Za-z0-9_-]{8,}")
SENT_BACK = ("code", "access_token", "id_token")  # in the answer of an authorization request
POSTED = re.compile(r'<input type="hidden" name="(code|access_token|id_token)" value="([^"]+)"')
CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
SECRET = re.compile(r"secret=([A-Z2-7]{32})")  # what an authenticator app is told by the picture, and by the link beside it
RECOVERY_CODE = re.compile(r"<li><span>([0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4})</span></li>")
VOUCH_CODE = re.compile(r'<h2 class="mono">([0-9a-z]{4}-[0-9a-z]{4})</h2>')
ADDRESS = re.compile(r'(?:href|action|src)="((?!otpauth:)[^"]*)"')
# What stands in no address of ours: addresses are logged, kept in histories, and sent to other sites.
NOT_IN_ADDRESSES = {
    *("access_token", "refresh_token", "client_secret", "client secret", "cookie", "csrf token", "code_verifier", "device_code"),
    *("registration_access_token", "initial_access_token"),
    *("password", "authenticator's secret", "recovery code", "vouch code"),
}
PRINTS = ("write", "debug", "info", "warning", "error", "critical", "msg")  # what a log line is handed to


class Canary:
    """What is secret, by its last part: of `fam_….3.<HMAC>` and of a JWT that is what nobody else can make."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}  # secret: what it is
        self.codes: set[str] = set()  # one-time codes
        self.found: list[str] = []

    def notice(self, answer: httpx2.Response) -> None:
        """Remember the secrets in an answer and, when it was a good one, in its request; look through an error page."""
        request = answer.request
        good = answer.status_code < 400
        for cookie in answer.headers.get_list("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            if name.removeprefix("__Host-") in COOKIES:
                self.add("cookie", value)
        location = answer.headers.get("Location", "")
        own = set(WORD.findall(str(request.url)))  # the links to other languages lead back to the page's own address, whatever stands in it
        self._look_at_addresses([location], own, f"the redirect from {request.url.path}")
        if good:
            self._notice_sent_back(location, answer.text if "html" in answer.headers.get("Content-Type", "") else "")
        kind = answer.headers.get("Content-Type", "")
        if good and "json" in kind:
            self._notice_json(answer.json())
        if "html" in kind:
            if not good:
                typed = dict(parse_qsl(request.read().decode("utf-8", "replace"))).get("code", "") if answer.status_code == 422 else ""
                own |= set(WORD.findall(typed))  # a code that was mistyped stands in its field again, for whoever typed it
                self.look_through(set(WORD.findall(answer.text)) - own, f"the page {answer.status_code} of {request.url.path}")
            for token in CSRF.findall(answer.text):
                self.add("csrf token", token, shown=True)
            for secret in SECRET.findall(answer.text):
                self.add("authenticator's secret", secret, shown=True)
            for code in RECOVERY_CODE.findall(answer.text):
                self.add_written("recovery code", code)
            for code in VOUCH_CODE.findall(answer.text):
                self.add_written("vouch code", code, shown=True)
            self._look_at_addresses(ADDRESS.findall(answer.text), own, f"a link on {request.url.path}")
        if good:
            self._notice_request(request)

    def _notice_sent_back(self, location: str, page: str) -> None:
        """What the authorization endpoint gives, by whichever response mode."""
        parts = urlsplit(location if "iss=" in location else "")
        for name, value in [*parse_qsl(parts.query), *parse_qsl(parts.fragment), *POSTED.findall(page)]:
            if name in SENT_BACK:
                self.add(name, value)

    def _notice_json(self, body: object) -> None:
        if isinstance(body, dict):
            for name in GIVEN:
                self.add(name, str(body.get(name) or ""))
            if body.get("user_code"):
                self.add_written("user code", str(body["user_code"]), shown=True)
        elif isinstance(body, list):  # the inbox
            messages = [message for message in body if isinstance(message, dict)]
            self.codes |= {str(message["code"]) for message in messages if message.get("code")}
            for message in messages:
                self.add("link", str(message.get("link") or "").rpartition("/")[2], shown=True)

    def _notice_request(self, request: httpx2.Request) -> None:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            self.add("client secret", base64.b64decode(credentials).decode("utf-8", "replace").partition(":")[2])
        if request.method == "POST" and "form" in request.headers.get("Content-Type", ""):
            sent = dict(parse_qsl(request.read().decode("utf-8", "replace")))
            for name in ("code_verifier", "client_secret", "password"):
                self.add(name, sent.get(name, ""))

    def add(self, kind: str, value: str, *, shown: bool = False) -> None:
        """One more secret. `shown`: it stands in pages of ours."""
        last = value.rpartition(".")[2]
        if len(last) >= LENGTH:
            self.secrets[last] = "shown " + kind if shown else kind

    def add_written(self, kind: str, code: str, *, shown: bool = False) -> None:
        """One more that people write down and type: with its hyphens and without."""
        for text in (code, code.replace("-", "")):
            self.secrets[text] = "shown " + kind if shown else kind

    def _look_at_addresses(self, addresses: Iterable[str], own: set[str], where: str) -> None:
        words = {word for address in addresses for word in WORD.findall(address)} - own
        kinds = {self.secrets.get(word, "").removeprefix("shown ") for word in words}
        self.found += [f"{kind} in {where}" for kind in kinds & NOT_IN_ADDRESSES]

    def look_through(self, words: Iterable[str], where: str) -> None:
        """Write down each secret that is among the words of a page of ours."""
        kinds = {self.secrets.get(word, "") for word in words}
        self.found += [f"{kind} in {where}" for kind in kinds if kind and not kind.startswith("shown ")]

    def look_at_lines(self, lines: Iterable[str], where: str) -> None:
        """Write down each secret that stands in a line that was logged."""
        for line in lines:
            hits = {self.secrets[word] for word in WORD.findall(line) if word in self.secrets}
            self.found += [f"{kind} in {where}: {line[:300]}" for kind in hits]

    def look_at_database(self, url: str, known: Iterable[str]) -> None:
        """Write down which of `known` the database holds. A SQLite file is read as it lies on the disk, with what was deleted from it."""
        path = sa.make_url(url).database or ""
        if url.startswith("sqlite"):
            raw = b"\n".join(file.read_bytes() for file in Path(path).parent.glob(Path(path).name + "*"))
        else:
            raw = "\n".join(dump(url)).encode()
        self.found += [f"{self.secrets[secret]} in the database" for secret in known if secret.encode() in raw]


CANARY = Canary()


def dump(url: str) -> Iterator[str]:
    """Every row of every table as a line of text."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        for table in sorted(sa.inspect(connection).get_table_names()):
            for row in connection.execute(sa.text(f'SELECT * FROM "{table}"')):  # noqa: S608 - our own tables
                yield f"{table}: {tuple(row)!r}"


@contextmanager
def listening(to: Path) -> Iterator[None]:
    """Keep every line that is logged in this process meanwhile, and look through them at the end."""
    sink = telemetry._Sink
    before = {name: getattr(sink, name) for name in PRINTS}
    with to.open("w+", encoding="utf-8", errors="surrogatepass") as lines:

        def write(self: telemetry._Sink, line: str) -> None:
            lines.write(line + "\n")
            before["write"](self, line)

        for name in PRINTS:
            setattr(sink, name, write)
        try:
            yield
        finally:
            for name, method in before.items():
                setattr(sink, name, method)
        lines.seek(0)
        CANARY.look_at_lines(lines, "the log")
