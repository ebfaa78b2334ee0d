"""Signing out in Chromium: the other portal is out by itself, an app's frame is loaded, a page in a frame notices (case 85).

OpenID Connect Back-Channel Logout, Front-Channel Logout and Session Management.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.stage import Stage
from tests.journeys.visitor import ROMASHKA, Visitor, Visitors
from tests.machine import AUTHORITIES
from tests.world import Party, claims_of

pytestmark = pytest.mark.browser

ANNA = "+79005553501"


class App(BaseHTTPRequestHandler):
    """A relying party: a callback, a front-channel address, and a page with the provider's frame in it."""

    came: list[str] = []  # noqa: RUF012 - one server, one list
    frame = ""

    def do_GET(self) -> None:
        """By path; every address is kept."""
        App.came.append(self.path)
        path = urlsplit(self.path).path
        body = f"<h1>{path}</h1>"
        if path == "/watch":
            body = f"""<iframe src="{App.frame}"></iframe><p></p><script>
                addEventListener("message", (event) => {{
                    document.querySelector("p").textContent += event.origin + " " + event.data + ";";
                }});
                function ask(said) {{ document.querySelector("iframe").contentWindow.postMessage(said, new URL("{App.frame}").origin); }}
                </script>"""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def app() -> Iterator[str]:
    """Its address."""
    App.came.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), App)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def party_at(stage: Stage, app: str) -> Party:
    """The app as a client."""
    addresses = {"redirect_uris": [f"{app}/callback"], "post_logout_redirect_uris": [f"{app}/bye"]}
    return stage.world.party(name="Lantern", frontchannel_logout_uri=f"{app}/front?keep=1", scopes=["openid"], **addresses)


def enter(page: Page, stage: Stage, party: Party) -> tuple[str, dict[str, str]]:
    """Sign in at the app by the session that there is; its ID token, and what came back."""
    page.goto(f"{stage.provider}/authorize?" + urlencode(party.asks(scope="openid")))
    answer = dict(parse_qsl(urlsplit(page.url).query))
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": party.redirect_uri,
        "code_verifier": party.verifier,
    }
    auth = (party.client.id, party.secret or "")
    tokens = httpx2.post(f"{stage.provider}/token", data=form, auth=auth, verify=AUTHORITIES).json()
    return str(tokens["id_token"]), answer


def leaves(stage: Stage, party: Party, app: str, hint: str) -> str:
    """The address of the sign-out."""
    return f"{stage.provider}/end_session?" + urlencode({"id_token_hint": hint, "post_logout_redirect_uri": f"{app}/bye", "state": "a b&c"})


def ended_in(stage: Stage, portal: str) -> list[int]:
    """Of each session in a portal's own store: whether the provider has ended it."""
    with sqlite3.connect(stage.folder / f"{portal}.sqlite3") as db:
        return [row[0] for row in db.execute("SELECT ended FROM sessions WHERE sid IS NOT NULL")]


def anna_in(visitors: Visitors, stage: Stage) -> Visitor:
    """Somebody who is signed in at the seller portal."""
    anna = visitors.come("ru")
    anna.sign_in("seller", ANNA, ROMASHKA)
    return anna


def test_the_other_portal_is_out(visitors: Visitors, stage: Stage) -> None:
    """Signed out at one portal: the other one's server has been told, and its next page says so, without asking anybody."""
    anna = anna_in(visitors, stage)
    anna.begin("staff")
    anna.arrived("staff")
    anna.open("seller")
    anna.sign_out()
    until = time.monotonic() + 30
    while 0 in ended_in(stage, "staff"):
        assert time.monotonic() < until, "the staff portal was not told"
        time.sleep(0.1)
    assert ended_in(stage, "staff") == [1]
    answer = anna.page.goto(stage.portals["staff"] + "/")
    assert answer is not None
    assert answer.status == 401
    expect(anna.heading).to_have_text(anna.portal("You have been signed out"))
    assert ended_in(stage, "staff") == []  # said once


def test_frames_are_loaded_and_then_it_goes_on(visitors: Visitors, stage: Stage, app: str) -> None:
    """Front-Channel Logout §3: the app's page is loaded with `iss` and `sid`, under our policy; then back with `state`."""
    anna, party = anna_in(visitors, stage), party_at(stage, app)
    anna.welcome.add(app)
    hint, _ = enter(anna.page, stage, party)
    anna.page.goto(leaves(stage, party, app, hint))
    anna.page.wait_for_url(re.compile(f"^{re.escape(app)}/bye"))
    assert dict(parse_qsl(urlsplit(anna.page.url).query)) == {"state": "a b&c"}
    [front] = [path for path in App.came if path.startswith("/front")]
    assert parse_qs(urlsplit(front).query) == {"keep": ["1"], "iss": [stage.provider], "sid": [claims_of(hint)["sid"]]}
    assert "idp_session" not in anna.cookies()
    anna.page.go_back()
    assert "Анна" not in anna.page.content()


def test_without_scripts(chromium: Browser, visitors: Visitors, stage: Stage, app: str) -> None:
    """The same in a browser that runs none: it goes on by itself, a moment later, and by a press at once."""
    anna, party = anna_in(visitors, stage), party_at(stage, app)
    anna.welcome.add(app)
    hint, _ = enter(anna.page, stage, party)
    context = chromium.new_context(java_script_enabled=False)
    try:
        context.add_cookies([{"name": "idp_session", "value": anna.cookies()["idp_session"]["value"], "url": stage.provider}])
        page = context.new_page()
        page.goto(leaves(stage, party, app, hint))
        assert page.locator("a[data-go-on]").get_attribute("href") == f"{app}/bye?state=a+b%26c"
        page.wait_for_url(re.compile(f"^{re.escape(app)}/bye"))
        assert [path for path in App.came if path.startswith("/front")]
    finally:
        context.close()


def test_a_page_notices(visitors: Visitors, stage: Stage, app: str) -> None:
    """Session Management §3.1, §3.2: `unchanged` while signed in, `changed` after the sign-out, `error` for what is no question."""
    anna, party = anna_in(visitors, stage), party_at(stage, app)
    anna.welcome.add(app)
    App.frame = f"{stage.provider}/check_session"
    hint, answer = enter(anna.page, stage, party)
    watch = anna.context.new_page()
    watch.goto(f"{app}/watch")
    watch.frame_locator("iframe").locator("html").wait_for(state="attached")
    said = watch.locator("p")

    def ask(text: str, expected: str) -> None:
        watch.evaluate("document.querySelector('p').textContent = ''")
        watch.evaluate("said => ask(said)", text)
        expect(said).to_have_text(f"{stage.provider} {expected};")

    ask(f"{party.client.id} {answer['session_state']}", "unchanged")
    ask(f"other {answer['session_state']}", "changed")
    for nonsense in ("", "x", f"{party.client.id} x", f" {answer['session_state']}", f"{party.client.id}  {answer['session_state']}"):
        ask(nonsense, "error")
    ask(f"{party.client.id} {answer['session_state']}", "unchanged")
    anna.page.goto(leaves(stage, party, app, hint))
    anna.page.wait_for_url(re.compile(f"^{re.escape(app)}/bye"))
    ask(f"{party.client.id} {answer['session_state']}", "changed")
    watch.close()
