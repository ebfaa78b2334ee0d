"""Made-up input at every address on the page of routes, by every method, at every stage of a sign-in (goal G-1 of threats.md).

Never a 5xx, never a redirect to an address that is not registered, always an answer that says what to do. The protocol's endpoints have a
grammar of their own in tests/oidc/test_made_up_input.py; here it is whatever stands in idp/routes.py, also what is added later.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote, urlencode

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp.routes import ROUTES
from idp.web.serve import Route
from tests.machine import count
from tests.oidc.asking import phone, raw
from tests.plenty import PLENTY, ROOMY
from tests.world import CALLBACK, SIGNED_OUT, Party, World, new_phone

pytestmark = pytest.mark.fuzz
METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X")
NAMES = (
    "phone code remember person name terms account answer to next removing q csrf_token channel client_id redirect_uri state id_token_hint "
    "post_logout_redirect_uri logout_hint token token_type_hint access_token grant_type scope v x user_code device_code resource prompt"
).split()
WORDS = [
    *"1 0 -1 on ru en zh allow deny true null [] {} <script> ' \" % %00 %ff 99999999999999999999 +79005553501 424242 000000".split(),
    *(
        "\\",
        "//",
        "/\\evil.example",
        "https://evil.example/",
        "é",
        "🙂",
        "\x00",
        "\r\n",
        "\u202e",
        " ",
        "",
        "１２３４５６",
        CALLBACK,
        SIGNED_OUT,
    ),
]
RENEWED = count(40, 200)  # examples after which the sign-ins under way are begun anew: some input ends them
PARAMETER = re.compile(r"<\w+>")


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """As many codes as the test asks for: it signs in a hundred times."""
    return {"login": ROOMY, "spend": PLENTY}


class Stage:
    """One provider and one browser, with a sign-in at each page: `stages` are (cookies, flow, parked request, token of the forms)."""

    def __init__(self, world: World, story) -> None:
        self.world, self.story = world, story
        self.ours, self.theirs = world.party(), world.party(first_party=False, name="Somebody's")
        self.uses = 0
        self.stages: list[dict[str, str]] = []

    def renew(self) -> None:
        """Begin a sign-in for each page."""
        self.stages = [
            self._at(self.ours),
            self._at(self.ours, phone=new_phone()),
            self._at(self.ours, phone=new_phone(), code=True),
            self._at(self.ours, phone=phone(self.story, "zimin"), code=True, prompt="select_account", scope="openid account"),
            self._at(self.theirs, phone=phone(self.story, "zimin"), code=True, prompt="consent", scope="openid profile"),
        ]

    def _at(self, party: Party, *, code: bool = False, **asked: str) -> dict[str, str]:
        browser = self.world.browser(address=f"203.0.{len(self.stages)}.7")
        number = asked.pop("phone", None)
        page = browser.authorize(party, **asked)
        flow = str(page.url)
        if number:
            page = browser.onward(browser.submit(page, phone=number))
            if code:
                page = browser.onward(browser.submit(page, code=self.world.code_for(number)))
        return {
            "cookies": "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar),
            "flow": _part(r"flw_\w+", flow, str(page.url)),
            "request_id": _part(r"req_\w+", str(page.url), page.text),
            "csrf_token": _part(r'(?<=name="csrf_token" value=")[^"]+', page.text),
        }

    def check(self, route: Route, method: str, stage: int, drawn: list[tuple[str, str]], made_up: str | None) -> None:
        """Send it; what must hold of every answer is looked at here."""
        if self.uses % RENEWED == 0 and ("<" in route.path or not self.stages):
            self.renew()
        self.uses += 1
        here = self.stages[stage % len(self.stages)]
        path = PARAMETER.sub(lambda found: made_up if made_up is not None else here.get(found[0][1:-1], "look.css"), route.path)
        text = urlencode([(name, here["csrf_token"] if value == "csrf" else value) for name, value in drawn], errors="surrogatepass")
        sent = {"query": text} if method != "POST" else {"body": text.encode()}
        loopback = {"REMOTE_ADDR": "127.0.0.1"} if stage % 2 else {}
        status, headers, body = raw(
            self.world,
            method,
            path.encode("utf-8", "surrogatepass").decode("latin-1"),
            HTTP_COOKIE=here["cookies"],
            **sent,  # type: ignore[arg-type]
            **loopback,
        )
        told = (method, quote(path, errors="surrogatepass"), text, status)
        assert status in {200, 204, 303, 400, 401, 403, 404, 405, 410, 413, 422, 429}, (told, body[:400])
        location = headers.get("Location")
        assert (location is not None) == (status == 303), told
        if location is not None:
            local = location.startswith("/") and not location.startswith(("//", "/\\"))
            assert local or location.split("?")[0] in {CALLBACK, SIGNED_OUT}, (told, location)
            assert all("!" <= c <= "~" for c in location), (told, location)
        assert not [value for value in headers.values() if "\n" in value or "\r" in value], told
        if status >= 400 and method != "HEAD":
            _says_what_to_do(headers, body, told)


def _part(pattern: str, *texts: str) -> str:
    return next((found[0] for text in texts if (found := re.search(pattern, text))), "none")


def _says_what_to_do(headers: dict[str, str], body: bytes, told: tuple[object, ...]) -> None:
    """A page with words on it, or JSON with a description."""
    if headers["Content-Type"].startswith("application/json"):
        refused = json.loads(body)
        assert refused["error"], told
        assert len(refused["error_description"]) > 10, told
    else:
        assert headers["Content-Type"].startswith("text/html"), told
        assert re.search(r"<h1[^>]*>\s*\S", body.decode()), told
        assert b"Traceback" not in body, told


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{'+'.join(route.methods)} {route.path}")
def test_every_address(world: World, story, route: Route) -> None:
    """As the forms have it, changed; with a live sign-in in the address, or anything."""
    stage = Stage(world, story)
    value = st.sampled_from(WORDS) | st.text(max_size=40) | st.just("csrf")
    drawn = st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=8), value), max_size=5)
    with_token = st.booleans().flatmap(lambda yes: drawn.map(lambda pairs: [("csrf_token", "csrf"), *pairs] if yes else pairs))
    path = st.none() | st.none() | st.text(st.characters(blacklist_characters="/", blacklist_categories=["Cs"]), max_size=30)

    @settings(
        max_examples=count(12, 20000),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(st.sampled_from((*route.methods, *route.methods, *METHODS)), st.integers(0, 9), with_token, path)
    def tried(method: str, at: int, pairs: list[tuple[str, str]], made_up: str | None) -> None:
        stage.check(route, method, at, pairs, made_up)

    tried()


def test_an_address_of_nobody(world: World) -> None:
    """What is not on the page of routes is not there, by any method."""
    for path in (
        "/admin",
        "/.env",
        "/login",
        "/login/",
        "/authorize/",
        "/token/",
        "//token",
        "/api",
        "/console",
        "/accounts",
        "/static/../x",
    ):
        for method in METHODS:
            status, headers, body = raw(world, method, path)
            assert status in {404, 405}, (method, path, status)
            if method != "HEAD":
                _says_what_to_do(headers, body, (method, path))


def test_the_browser_of_the_test_is_no_cleverer_than_it_seems(world: World, story) -> None:
    """The stages are what they are called: otherwise the pages above would only ever be refused."""
    stage = Stage(world, story)
    stage.renew()
    seen = []
    for here in stage.stages:
        answer = world.browser().get(f"/login/{here['flow']}", headers={"Cookie": here["cookies"]})
        seen.append(answer.headers.get("Location", "").replace(here["flow"], "").rpartition("/")[2] if _is_flow(answer) else "over")
    assert seen[:3] == ["identify", "phone_code", "register"]
    assert all(here["request_id"].startswith("req_") for here in stage.stages[3:])


def _is_flow(answer: httpx2.Response) -> bool:
    return answer.headers.get("Location", "").startswith("/login/")
