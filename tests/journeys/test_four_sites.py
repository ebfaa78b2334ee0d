"""The provider and its relying parties as in the world: over TLS, each on a site of its own, in a browser that blocks third-party cookies.

And a relying party whose callback leads on to a third site: Chromium applies `form-action` to the whole chain of redirects after a form
(threats §1.10; `pages.md` §2, 16a), which no test without a browser sees.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from tests import machine
from tests.conftest import Told
from tests.journeys.authority import certify
from tests.journeys.stage import Stage, Tls, set_up
from tests.journeys.visitor import LOCALES, ROMASHKA, SMIRNOVA, Visitor
from tests.world import Party

pytestmark = pytest.mark.browser

ANNA = "+79005553501"
HOSTS = {"provider": "id.example.test", "seller": "seller.example.net", "staff": "staff.example.org", "partner": "partner.example.com"}
APP, THIRD = "app.shop.example", "start.elsewhere.example"
FOR_SCRIPTS = "__Host-idp_session_state"  # in a frame on another site
COOKIES = {"__Host-idp_login", "__Host-idp_session", "__Host-idp_browser", FOR_SCRIPTS}


class Sites(BaseHTTPRequestHandler):
    """What is no portal: an app whose callback leads on to a third site, and pages that try a cookie inside a frame."""

    came: list[tuple[str, str]] = []  # noqa: RUF012 - one server, one list

    def do_GET(self) -> None:
        """By the host that was asked for."""
        host, path = self.headers["Host"].partition(":")[0], urlsplit(self.path)
        Sites.came.append((host, self.path))
        port = self.server.server_address[1]
        if host == APP and path.path in {"/callback", "/signed-out"}:
            self._answer(303, "", {"Location": f"https://{THIRD}:{port}{self.path}"})
        elif path.path == "/frame":
            self._answer(200, f'<iframe src="https://{THIRD}:{port}/cookie"></iframe>')
        elif path.path == "/watch":
            page = """<iframe src="{0}"></iframe><p></p><script>
                addEventListener("message", (event) => {{ document.querySelector("p").textContent = event.data; }});
                const ask = (said) => document.querySelector("iframe").contentWindow.postMessage(said, "*");
                </script>"""
            self._answer(200, page.format(dict(parse_qsl(path.query))["frame"]))
        elif path.path == "/cookie":
            cookie = "seen" if "tried=1" in self.headers.get("Cookie", "") else "none"
            self._answer(200, f"<p>{cookie}</p>", {"Set-Cookie": "tried=1; Secure; SameSite=None; Path=/"})
        else:
            self._answer(200 if path.path in {"/callback", "/signed-out", "/"} else 404, f"<h1>{host}{path.path}</h1>")

    def _answer(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "text/html", "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """One certificate for everybody."""
    return certify(tmp_path_factory.mktemp("tls"), [*HOSTS.values(), APP, THIRD])


@pytest.fixture(scope="module")
def sites(tls: Tls) -> Iterator[int]:
    """The port of the sites that are no portals."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sites)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield int(server.server_port)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def stage(playwright: Playwright, told: Told, tls: Tls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Four sites."""
    with set_up(told, tmp_path_factory.mktemp("stage"), HOSTS, tls) as made:
        yield made


@pytest.fixture
def blocks() -> bool:
    """Whether the browser blocks third-party cookies."""
    return True


@pytest.fixture
def context(playwright: Playwright, tmp_path: Path, blocks: bool) -> Iterator[BrowserContext]:
    """A browser whose profile says whether third-party cookies are blocked, and for which every host is this machine."""
    settings = tmp_path / "Default" / "Preferences"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"profile": {"block_third_party_cookies": blocks, "cookie_controls_mode": int(blocks)}}))
    made = playwright.chromium.launch_persistent_context(
        tmp_path,
        executable_path=machine.chromium(),
        args=["--no-sandbox", "--host-resolver-rules=MAP * 127.0.0.1"],
        ignore_https_errors=True,
        locale=LOCALES["ru"],
    )
    yield made
    made.close()


@pytest.fixture
def anna(context: BrowserContext, stage: Stage, sites: int) -> Iterator[Visitor]:
    """Somebody in it."""
    Sites.came.clear()
    visitor = Visitor(context, stage, "ru")
    visitor.welcome |= {f"https://{host}:{sites}" for host in (APP, THIRD)}
    yield visitor
    visitor.finish()


def test_third_party_cookies_are_blocked(context: BrowserContext, sites: int) -> None:
    """Of this file itself: a frame of another site gets no cookie back here."""
    page = context.new_page()
    for _ in range(2):
        page.goto(f"https://{APP}:{sites}/frame")
        expect(page.frame_locator("iframe").locator("p")).to_have_text("none")


def test_a_frame_that_sees_no_cookies(anna: Visitor, stage: Stage, sites: int) -> None:
    """Session Management: where the browser keeps our cookie from the frame it says `error`, and no app signs anybody out for that."""
    anna.sign_in("seller", ANNA, ROMASHKA)
    watch = anna.context.new_page()
    watch.goto(f"https://{APP}:{sites}/watch?" + urlencode({"frame": f"{stage.provider}/check_session"}))
    watch.frame_locator("iframe").locator("script").wait_for(state="attached")
    watch.evaluate("said => ask(said)", f"seller {'0' * 64}.salt")
    expect(watch.locator("p")).to_have_text("error")
    watch.close()


@pytest.mark.parametrize("blocks", [False])
def test_a_frame_that_sees_cookies(anna: Visitor, stage: Stage, sites: int) -> None:
    """Session Management §3: where cookies of other sites are allowed, on another site `unchanged`, and `changed` after the sign-out."""
    anna.sign_in("seller", ANNA, ROMASHKA)
    party = stage.world.party(redirect_uris=[f"https://{APP}:{sites}/callback"])
    page = anna.context.new_page()
    page.goto(f"{stage.provider}/authorize?" + urlencode(party.asks(scope="openid", prompt="none")))
    said = next(dict(parse_qsl(urlsplit(path).query)) for host, path in Sites.came if host == APP and path.startswith("/callback"))
    watch = anna.context.new_page()
    watch.goto(f"https://{APP}:{sites}/watch?" + urlencode({"frame": f"{stage.provider}/check_session"}))
    watch.frame_locator("iframe").locator("script").wait_for(state="attached")
    watch.evaluate("said => ask(said)", f"{party.client.id} {said['session_state']}")
    expect(watch.locator("p")).to_have_text("unchanged")
    page.goto(f"{stage.provider}/end_session")
    page.get_by_role("button", name=anna.idp("Sign out"), exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(anna.idp("You are signed out"))
    watch.evaluate("said => ask(said)", f"{party.client.id} {said['session_state']}")
    expect(watch.locator("p")).to_have_text("changed")
    page.close()
    watch.close()


def test_four_sites(anna: Visitor) -> None:
    """Signed in once for all of them, switched, allowed, signed out of all of them; cookies are `__Host-`, and only on the sites' own."""
    anna.sign_in("seller", ANNA, ROMASHKA)
    assert set(anna.cookies()) == COOKIES | ({"__Host-idp_csrf"} & set(anna.cookies()))
    for portal in ("seller", "staff", "partner"):
        given = anna.cookies(anna.stage.portals[portal])
        assert set(given) <= {f"__Host-{portal}_session"}
    for cookie in anna.context.cookies():
        assert cookie["secure"], cookie["name"]
        assert cookie["httpOnly"] is (cookie["name"] != FOR_SCRIPTS), cookie["name"]
        assert cookie["sameSite"] == ("None" if cookie["name"] == FOR_SCRIPTS else "Lax"), cookie["name"]
        assert cookie["path"] == "/", cookie["name"]
    anna.page.locator(".switcher summary").click()
    anna.page.locator(".switcher button", has_text=SMIRNOVA).click()
    expect(anna.heading).to_contain_text(SMIRNOVA)

    anna.begin("staff")
    anna.arrived("staff")
    assert anna.saw_nothing_of_the_provider()
    anna.begin("partner")
    anna.choose(ROMASHKA)
    anna.button(anna.idp("Allow")).click()
    anna.arrived("partner")

    anna.open("seller")
    anna.sign_out()
    for portal in ("staff", "partner"):
        answer = anna.page.goto(anna.stage.portals[portal] + "/")
        assert answer is not None
        assert answer.status == 401
    anna.begin("staff")
    anna.page.locator("button.row", has_text="Анна Смирнова").click()
    anna.arrived("staff")


@pytest.fixture(scope="module")
def app(stage: Stage, sites: int) -> Party:
    """The app that leads on to a third site: accounts to choose from, and consent."""
    return stage.world.party(
        name="Лавка",
        first_party=False,
        redirect_uris=[f"https://{APP}:{sites}/callback"],
        post_logout_redirect_uris=[f"https://{APP}:{sites}/signed-out"],
    )


@pytest.fixture(scope="module")
def own_app(stage: Stage, sites: int) -> Party:
    """The same of the house's own: a code, and back."""
    return stage.world.party(name="Витрина", redirect_uris=[f"https://{APP}:{sites}/callback"], account_types=["personal"])


def ask(anna: Visitor, party: Party, **changes: str) -> Page:
    """Come to /authorize as the app sends people there."""
    anna.page.goto(f"{anna.stage.provider}/authorize?{urlencode(party.asks(**changes))}")
    return anna.page


def landed(anna: Visitor, sites: int, expected: str) -> dict[str, str]:
    """Three sites in a row: the provider's form, the app's callback, the third site. Answers what the app was told."""
    anna.page.wait_for_url(f"https://{THIRD}:{sites}/**")
    host, path = [each for each in Sites.came if each[1] != "/favicon.ico"][-1]
    assert host == THIRD
    assert urlsplit(path).path == expected
    assert (APP, path) in Sites.came
    return dict(parse_qsl(urlsplit(path).query))


def test_every_form_leads_to_a_third_site(anna: Visitor, app: Party, own_app: Party, sites: int) -> None:
    """Case 14 and §1.10: the POST of the code, a name, the chooser, the consent, a refusal, a cancelled sign-in, the sign-out.

    Each answers 303 to the app, whose own 303 leads elsewhere, and the browser follows; no referrer tells where the person was.
    """
    ask(anna, own_app)
    anna.enter(anna.ask_for_code(ANNA))
    assert "code" in landed(anna, sites, "/callback")

    ask(anna, app, scope="openid account")
    anna.choose(ROMASHKA)
    anna.button(anna.idp("Refuse")).click()
    assert landed(anna, sites, "/callback")["error"] == "access_denied"
    assert anna.page.evaluate("document.referrer") == ""
    ask(anna, app, scope="openid account")
    anna.choose(ROMASHKA)
    anna.button(anna.idp("Allow")).click()
    assert "code" in landed(anna, sites, "/callback")
    ask(anna, app, scope="openid account", prompt="select_account")
    anna.choose_person_if_asked("Анна Смирнова")
    anna.choose(ROMASHKA)
    assert "code" in landed(anna, sites, "/callback")

    anna.page.goto(f"{anna.stage.provider}/end_session?client_id={app.client.id}&post_logout_redirect_uri=https://{APP}:{sites}/signed-out")
    anna.button(anna.idp("Sign out")).click()
    landed(anna, sites, "/signed-out")

    ask(anna, own_app)
    anna.page.locator("button.row", has_text="Анна Смирнова").click()
    assert "code" in landed(anna, sites, "/callback")
    ask(anna, own_app, prompt="login")
    anna.link(anna.idp("Another number")).click()
    anna.button(anna.idp("Back to %(app)s", app="Витрина")).click()
    assert landed(anna, sites, "/callback")["error"] == "access_denied"
