"""The provider as a test meets it: a database with the demo's story, the whole WSGI callable, browsers with a cookie jar.

Everything goes over HTTP (in this process, so that time can be frozen); only what a relying party or a person cannot do (registering a
client, blocking somebody, reading the event log) is done by the rules themselves, in a unit of work.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx2
import sqlalchemy as sa

from idp import outbox, throttle
from idp.app import WSGI, create_app, create_wsgi
from idp.cli import worker
from idp.config import Settings
from idp.config_redis import Redis
from idp.db.session import engine, reads, session, writes
from idp.delegation import clients
from idp.delegation.clients import Client
from idp.events import Event
from tests.canary import CANARY

ISSUER = "http://localhost:8000"
CALLBACK = "https://rp.example/callback"
SIGNED_OUT = "https://rp.example/signed-out"
SCOPES = ["openid", "profile", "email", "phone", "address", "account", "company", "companies", "offline_access"]


class _Forms(HTMLParser):
    """The forms of a page: address, method, fields in order, buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self.choice = ""  # the <select> whose options come

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what a browser would send."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(
                {
                    "action": given.get("action", ""),
                    "method": given.get("method", "get").lower(),
                    "fields": {},
                    "names": set(),
                    "buttons": [],
                }
            )
        if tag == "option" and self.forms and self.choice and ("selected" in given or self.choice not in self.forms[-1]["fields"]):
            self.forms[-1]["fields"][self.choice] = given.get("value", "")
        if not self.forms or tag not in {"input", "button", "select"} or not given.get("name"):
            return
        self.choice = given["name"] if tag == "select" else ""
        form = self.forms[-1]
        form["names"].add(given["name"])
        if tag == "button":
            form["buttons"].append((given["name"], given.get("value", "")))
        elif tag != "select" and (given.get("type") != "checkbox" or "checked" in given):
            form["fields"][given["name"]] = given.get("value", "on" if given.get("type") == "checkbox" else "")


@dataclass
class Party:
    """A relying party of the tests: its registration and, where it has one, its secret."""

    client: Client
    secret: str | None
    redirect_uri: str = CALLBACK
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """The S256 of its verifier."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    def asks(self, **changes: str | None) -> dict[str, str]:
        """The parameters of a sound authorization request; `changes` replace or (None) remove some."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (asked | changes).items() if value is not None}


class Browser(httpx2.Client):
    """A browser without scripts: cookies, forms, redirects within the provider."""

    def send(self, request: httpx2.Request, **how: Any) -> httpx2.Response:
        """Whatever passes here is looked at by the canary: a secret that was issued may be found nowhere else."""
        answer = super().send(request, **how)
        CANARY.notice(answer)
        return answer

    def authorize(self, party: Party, **changes: str | None) -> httpx2.Response:
        """Begin at the relying party; stops at a page or at the redirect to another site."""
        return self.go("/authorize?" + urlencode(party.asks(**changes)))

    def go(self, address: str) -> httpx2.Response:
        """GET, then follow redirects as long as they stay here."""
        return self.onward(self.get(address))

    def onward(self, answer: httpx2.Response) -> httpx2.Response:
        """Follow redirects as long as they stay here."""
        for _ in range(20):
            to = answer.headers.get("Location")
            if to is None or urlsplit(urljoin(str(answer.url), to)).netloc != urlsplit(ISSUER).netloc:
                return answer
            answer = self.get(urljoin(str(answer.url), to))
        raise AssertionError("the provider sends the browser in circles")

    def allow(self, page: httpx2.Response) -> httpx2.Response:
        """Press `Allow` on the page that asks for consent, and go on."""
        return self.onward(self.submit(page, answer="allow"))

    def submit(self, page: httpx2.Response, **values: str) -> httpx2.Response:
        """Fill in the first form that has the given fields (a button counts as one) and send it; does not follow the answer."""
        return self.send(self.filled(page, **values))

    def filled(self, page: httpx2.Response, **values: str) -> httpx2.Request:
        """The same, not sent: what would go out."""
        parser = _Forms()
        parser.feed(page.text)
        form = next((f for f in parser.forms if f["method"] == "post" and set(values) <= f["names"]), None)
        if form is None:
            raise AssertionError(
                f"no form with {sorted(values)} on {page.url} ({page.status_code}): {[sorted(f['names']) for f in parser.forms]}"
            )
        return self.build_request("POST", urljoin(str(page.url), form["action"] or str(page.url)), data=form["fields"] | values)

    def press(self, page: httpx2.Response, action: str) -> httpx2.Response:
        """Send the form whose address ends with `action`, as it stands."""
        return self.send(self.pressed(page, action))

    def pressed(self, page: httpx2.Response, action: str) -> httpx2.Request:
        """The same, not sent: what would go out."""
        parser = _Forms()
        parser.feed(page.text)
        form = next(f for f in parser.forms if f["method"] == "post" and f["action"].endswith(action))
        return self.build_request("POST", urljoin(str(page.url), form["action"]), data=form["fields"] | dict(form["buttons"][:1]))


def answer_of(response: httpx2.Response) -> dict[str, str]:
    """What came back to the relying party: the query of the redirect."""
    assert response.status_code == 303, (response.status_code, response.text[:2000])
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query, keep_blank_values=True))


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified: for tests that look at what it says."""
    body = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return decoded


class World:
    """One provider with its database."""

    def __init__(self, settings: Settings) -> None:
        clients.forget_cached()
        self.settings = settings
        self.app = create_app(settings)
        self.wsgi: WSGI = create_wsgi(app=self.app)

    def close(self) -> None:
        """Let go of the database."""
        with self.app.app_context():
            engine().dispose()
        throttle.use(Redis())

    def browser(
        self, *, address: str = "203.0.113.7", user_agent: str = "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0 Safari/537.36"
    ) -> Browser:
        """A fresh browser at `address`."""
        transport = httpx2.WSGITransport(app=self.wsgi, remote_addr=address, raise_app_exceptions=True)
        headers = {"User-Agent": user_agent, "Accept-Language": "en"}
        return Browser(transport=transport, base_url=ISSUER, headers=headers)

    @contextmanager
    def writes(self) -> Iterator[None]:
        """A unit of work, for what only the provider itself can do."""
        with self.app.app_context(), writes():
            yield

    @contextmanager
    def reads(self) -> Iterator[None]:
        """A look at the database."""
        with self.app.app_context(), reads():
            yield

    def party(self, **changes: Any) -> Party:
        """A relying party, registered as an operator would."""
        given: dict[str, Any] = {
            "name": "Test portal",
            "kind": "web",
            "redirect_uris": [CALLBACK],
            "post_logout_redirect_uris": [SIGNED_OUT],
            "scopes": SCOPES,
            "first_party": True,
            **changes,
        }
        with self.writes():
            client, secret = clients.register(**given)
        return Party(client, secret, next(iter(given["redirect_uris"]), ""))

    def machine(self, **changes: Any) -> Party:
        """A client that acts for itself (`client_credentials`), with two scopes of its operator's own."""
        with self.writes():
            client, secret = clients.register(**{"name": "Robot", "kind": "machine", "scopes": ["orders:read", "orders:write"], **changes})
        return Party(client, secret, "")

    def deliver(self) -> None:
        """One turn of the worker: what is waiting is delivered, reactions included."""
        worker.drain(self.app)

    def inbox(self, to: str | None = None) -> list[dict[str, Any]]:
        """What the demo's inbox shows, newest first."""
        self.deliver()
        listed: list[dict[str, Any]] = self.browser(address="127.0.0.1").get("/dev/inbox.json", params={"to": to} if to else {}).json()
        return listed

    def code_for(self, phone: str) -> str:
        """The newest code that was sent to `phone`."""
        sent = [message for message in self.inbox(phone) if message["code"]]
        when = [message["id"][:14] for message in sent]  # the milliseconds of its making; the rest of an id is by chance
        newest = {message["code"] for message, at in zip(sent, when, strict=True) if at == when[0]}
        assert len(newest) == 1, "two codes of one frozen instant: move the clock"
        return str(sent[0]["code"])

    def sign_in(self, browser: Browser, party: Party, phone: str, *, account: str | None = None, **changes: str | None) -> httpx2.Response:
        """The whole sign-in of a known person by phone and code; `account`: words in the chooser. Answers the redirect back."""
        page = browser.authorize(party, **changes)
        page = browser.onward(browser.submit(page, phone=phone))
        answer = browser.onward(browser.submit(page, code=self.code_for(phone)))
        answer = self.choose(browser, answer, account) if account else answer
        always_asked = party.client.can_be_mistaken_at(changes.get("redirect_uri") or party.redirect_uri)
        return browser.allow(answer) if always_asked else answer

    def choose(self, browser: Browser, page: httpx2.Response, words: str) -> httpx2.Response:
        """Press the account in the chooser whose row holds `words`."""
        row = re.search(
            rf'<button class="row go" name="account" value="([^"]+)">(?:(?!</button>).)*{re.escape(words)}', page.text, re.DOTALL
        )
        assert row is not None, page.text
        return browser.onward(browser.submit(page, account=row[1]))

    def token(self, party: Party, browser: Browser | None = None, *, headers: dict[str, str] | None = None, **form: str) -> httpx2.Response:
        """POST /token as the relying party's server: Basic where it has a secret."""
        return self._post(party, "/token", form, browser or self.browser(address="198.51.100.20"), headers)

    def introspect(self, party: Party, token: str, **more: str) -> httpx2.Response:
        """POST /introspect, likewise."""
        return self._post(party, "/introspect", {"token": token, **more}, self.browser(address="198.51.100.20"))

    def revoke(self, party: Party, token: str, *, headers: dict[str, str] | None = None, **more: str) -> httpx2.Response:
        """POST /revoke, likewise."""
        return self._post(party, "/revoke", {"token": token, **more}, self.browser(address="198.51.100.20"), headers)

    @staticmethod
    def _post(party: Party, path: str, form: dict[str, str], http: Browser, headers: dict[str, str] | None = None) -> httpx2.Response:
        if party.secret is None:
            return http.post(path, data={"client_id": party.client.id} | form, headers=headers)
        return http.post(path, data=form, auth=(party.client.id, party.secret), headers=headers)

    def redeem(self, party: Party, code: str, **changes: str) -> httpx2.Response:
        """Redeem a code."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": party.redirect_uri, "code_verifier": party.verifier}
        return self.token(party, **(form | changes))

    def refresh(self, party: Party, refresh_token: str, **more: str) -> httpx2.Response:
        """Refresh."""
        return self.token(party, grant_type="refresh_token", refresh_token=refresh_token, **more)

    def tokens(self, browser: Browser, party: Party, phone: str, *, account: str | None = None, **changes: str | None) -> dict[str, Any]:
        """Sign in and redeem: the token response."""
        answer = answer_of(self.sign_in(browser, party, phone, account=account, **changes))
        response = self.redeem(party, answer["code"])
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    def userinfo(self, access_token: str) -> httpx2.Response:
        """GET /userinfo."""
        return self.browser(address="198.51.100.20").get("/userinfo", headers={"Authorization": f"Bearer {access_token}"})

    def events(self, name: str | None = None) -> list[Event]:
        """The events, oldest first."""
        with self.reads():
            query = sa.select(Event).order_by(Event.at, Event.id)
            return list(session.scalars(query if name is None else query.where(Event.name == name)))

    def waiting(self) -> int:
        """How many messages still wait in the outbox, those apart that are too late."""
        with self.reads():
            return int(outbox.backlog()["waiting"])


def new_phone(number: int | None = None) -> str:
    """A mobile number that nobody in the story has."""
    return f"+7901{(secrets.randbelow(10**7) if number is None else number):07d}"
