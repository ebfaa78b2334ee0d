"""Made-up input at every endpoint: never a 5xx, never a redirect to an address that is not registered (goal G-1 of threats.md).

Cases 1, 2, 3b and 26, by property: names, values, orders and repetitions out of what the endpoints know and what they don't.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.machine import count
from tests.oidc.asking import phone, raw
from tests.world import CALLBACK, ISSUER, SIGNED_OUT, World, answer_of

pytestmark = pytest.mark.fuzz
ASKED = (
    "client_id redirect_uri response_type response_mode scope state nonce prompt max_age acr_values login_hint id_token_hint ui_locales "
    "code_challenge code_challenge_method company account request request_uri registration claims display resource dpop_jkt x"
).split()
TOKEN = "grant_type code redirect_uri code_verifier client_id client_secret refresh_token scope company client_assertion resource x".split()
LEAVE = "id_token_hint post_logout_redirect_uri client_id state logout_hint ui_locales x".split()
WORDS = [
    *"code none login consent select_account create openid profile company account offline_access S256 plain query fragment".split(),
    *"form_post 0 1 -1 authorization_code refresh_token password 99999999999999999999 null undefined [] {} ' \" < > % %00".split(),
    *("id_token", "id_token token", "code id_token token", "eyJhbGciOiJub25lIn0.e30.", "urn:ietf:params:oauth:request_uri:x"),
    *('{"userinfo":{"name":null}}', '{"id_token":{"acr":{"essential":true,"value":"x"}}}', '{"userinfo":[]}', "{" * 500, "popup"),
    *("%0d%0a", "\\", "//", "#", "?", "&", ";", "é", "🙂", "\x00", "\n", "\r\n", " "),
]
EVIL = (
    "https://evil.example/",
    "//evil.example",
    "javascript:alert(1)",
    CALLBACK + "@evil.example",
    CALLBACK + "/..",
    "https://rp.example.evil.example/",
)
many = settings(
    max_examples=count(200, 20000),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def pairs(names: list[str], good: dict[str, str]) -> st.SearchStrategy[list[tuple[str, str]]]:
    """A good request in which some parameters are changed, left out, repeated or made up; or nothing but made-up ones."""
    text = st.text(max_size=60) | st.sampled_from(WORDS) | st.sampled_from(EVIL) | st.text("A9-_.", max_size=9000)
    value = text | st.sampled_from(sorted(good.values()))
    made_up = st.lists(st.tuples(st.sampled_from(names) | st.text(max_size=10), value), max_size=6)

    def mix(drawn: tuple[list[tuple[str, str]], set[str], bool]) -> list[tuple[str, str]]:
        more, without, together = drawn
        kept = [(name, given) for name, given in good.items() if name not in without]
        replaced = {name for name, _ in more}
        return [(name, given) for name, given in kept if together or name not in replaced] + more

    return st.tuples(made_up, st.sets(st.sampled_from(names), max_size=3), st.booleans()).map(mix) | made_up


class Bench:
    """One provider, a client, a person who is signed in."""

    def __init__(self, world: World, story) -> None:
        self.world, self.party = world, world.party()
        browser = world.browser()
        self.tokens = world.tokens(browser, self.party, phone(story, "zimin"))
        self.code = answer_of(browser.authorize(self.party))["code"]
        self.cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)
        self.basic = base64.b64encode(f"{self.party.client.id}:{self.party.secret}".encode()).decode()

    def check(
        self, method: str, path: str, text: str, *, allowed: tuple[str, ...] = (), **environ: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send it; what must hold of every answer is looked at here."""
        sent = {"query": text} if method == "GET" else {"body": text.encode()}
        status, headers, body = raw(self.world, method, path, **sent, **environ)  # type: ignore[arg-type]
        assert status < 500, (status, text, body[:500])
        assert status in {200, 303, 400, 401, 403, 405, 410, 413}, (status, text)
        location = headers.get("Location")
        if location is not None:
            assert status == 303
            assert all("!" <= c <= "~" for c in location), location
            here = location.startswith("/") and not location.startswith(("//", "/\\"))
            assert here or location in allowed or location.startswith(tuple(uri + "?" for uri in allowed)), location
            if not here and path == "/authorize":
                assert f"iss={ISSUER.replace(':', '%3A').replace('/', '%2F')}" in location
        assert not [value for value in headers.values() if "\n" in value or "\r" in value]
        if headers["Content-Type"].startswith("application/json") if "Content-Type" in headers else False:
            json.loads(body)
        return status, headers, body


@pytest.fixture
def bench(world: World, story) -> Bench:
    """Where it is tried."""
    return Bench(world, story)


def run(names: list[str], good: dict[str, str], check: Callable[[str], None]) -> None:
    """Try it often."""

    @many
    @given(pairs(names, good))
    def tried(drawn: list[tuple[str, str]]) -> None:
        check(urlencode(drawn, errors="surrogatepass"))

    tried()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("signed_in", [True, False])
def test_authorize(bench: Bench, method: str, signed_in: bool) -> None:
    """/authorize, by both methods, with and without a session."""
    cookies = {"HTTP_COOKIE": bench.cookies} if signed_in else {}
    good = bench.party.asks(id_token_hint=bench.tokens["id_token"], prompt="none", max_age="1000", ui_locales="ru")
    run(ASKED, good, lambda text: (bench.check(method, "/authorize", text, allowed=(CALLBACK,), **cookies), None)[1])


@pytest.mark.parametrize("basic", [True, False])
def test_token(bench: Bench, basic: bool) -> None:
    """/token, with the client's authentication in the header and in the body."""
    headers = {"HTTP_AUTHORIZATION": f"Basic {bench.basic}"} if basic else {}
    good = {
        "grant_type": "authorization_code",
        "code": bench.code,
        "redirect_uri": CALLBACK,
        "code_verifier": bench.party.verifier,
        "refresh_token": bench.tokens["refresh_token"],
    }
    good |= {} if basic else {"client_id": bench.party.client.id, "client_secret": str(bench.party.secret)}

    def check(text: str) -> None:
        status, headers_, _ = bench.check("POST", "/token", text, **headers)
        assert status in {200, 400, 401, 413}
        assert headers_["Cache-Control"] == "no-store"

    run(TOKEN, good, check)


def test_userinfo(bench: Bench) -> None:
    """/userinfo, by a POST's body."""

    def check(text: str) -> None:
        status, _, body = bench.check("POST", "/userinfo", text)
        assert (status == 200) == (b'"sub"' in body)

    run(["access_token", "x"], {"access_token": bench.tokens["access_token"]}, check)


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
def test_a_token_to_ask_about(bench: Bench, path: str) -> None:
    """/introspect and /revoke, with the client's authentication in the body."""
    good = {"token": bench.tokens["refresh_token"] if path == "/introspect" else "x", "token_type_hint": "access_token"}
    good |= {"client_id": bench.party.client.id, "client_secret": str(bench.party.secret)}

    def check(text: str) -> None:
        status, headers, body = bench.check("POST", path, text)
        assert status in {200, 400, 401, 413}
        assert headers["Cache-Control"] == "no-store"
        assert (b'"sub"' in body) <= (status == 200 and path == "/introspect")

    run([*good, "client_assertion", "x"], good, check)


def test_authorization_headers(bench: Bench) -> None:
    """/userinfo, /token, /introspect and /revoke, by whatever stands in the Authorization header."""
    good = [f"Bearer {bench.tokens['access_token']}", f"Basic {bench.basic}", "Bearer ", "Basic ", "DPoP "]

    @many
    @given(
        st.sampled_from(good),
        st.text(st.characters(max_codepoint=255), max_size=200),
        st.booleans(),
        st.sampled_from(["/userinfo", "/token", "/introspect", "/revoke"]),
    )
    def tried(start: str, made_up: str, before: bool, path: str) -> None:
        header = made_up + start if before else start + made_up
        form = {"/token": "grant_type=refresh_token&refresh_token=x", "/userinfo": ""}.get(path, "token=x")
        status, _, _ = bench.check("POST", path, form, HTTP_AUTHORIZATION=header)
        assert status in {200, 400, 401}

    tried()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_end_session(bench: Bench, method: str) -> None:
    """/end_session: back to the registered address, on to our own page, or nowhere."""
    good = {
        "id_token_hint": bench.tokens["id_token"],
        "post_logout_redirect_uri": SIGNED_OUT,
        "client_id": bench.party.client.id,
        "state": "x",
    }
    run(LEAVE, good, lambda text: (bench.check(method, "/end_session", text, allowed=(SIGNED_OUT,)), None)[1])


def test_addresses_of_parked_requests(bench: Bench) -> None:
    """/authorize/<anything>: our own pages, and nothing else."""

    @many
    @given(st.text(st.characters(max_codepoint=255), max_size=40), st.sampled_from(["", "/account", "/consent", "/switch", "/cancel"]))
    def tried(request_id: str, tail: str) -> None:
        status, headers, _ = raw(bench.world, "GET", f"/authorize/{request_id}{tail}", HTTP_COOKIE=bench.cookies)
        assert status in {200, 303, 308, 400, 404, 405, 410}, (status, request_id)
        location = urlsplit(headers.get("Location", "/"))
        assert location.netloc in {"", "localhost:8000"}

    tried()
