"""Short words that the tests of the protocol share: who is in the story, what came back, what was written."""

from __future__ import annotations

import io
import sys
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import sqlalchemy as sa

from idp.cli.demo_story import Person, Story
from idp.db.columns import Base
from idp.db.session import session
from tests.world import ISSUER, Browser, Party, World

DONE_AT = 303


def person(story: Story, key: str) -> Person:
    """Who has this key in the story."""
    return next(p for p in story.people if p.key == key)


def phone(story: Story, key: str) -> str:
    """The number of the person with this key."""
    return person(story, key).phone


def signed_in(world: World, story: Story, key: str = "zimin", party: Party | None = None, **changes: str | None) -> Browser:
    """A browser in which this person has just signed in at `party` (by default at some party, for the person alone)."""
    browser = world.browser()
    done = world.sign_in(browser, party or world.party(), phone(story, key), **changes)
    assert done.status_code == DONE_AT, done.text
    return browser


def back_at(response: httpx2.Response, redirect_uri: str, *, mode: str = "query") -> dict[str, str]:
    """The answer that the relying party got at exactly its own address; always with `iss` (case 12), and never code and error together.

    `mode`: `query`, or `fragment`; what goes by one does not go by the other.
    """
    assert response.status_code == DONE_AT, (response.status_code, response.text[:2000])
    location = response.headers["Location"]
    before = redirect_uri + ("#" if mode == "fragment" else "&" if "?" in redirect_uri else "?")
    assert location.startswith(before), location
    parts = urlsplit(location)
    assert mode == "fragment" or not parts.fragment
    pairs = parse_qsl(parts.fragment if mode == "fragment" else parts.query, keep_blank_values=True, strict_parsing=True)
    answer = dict(pairs)
    assert len(answer) == len(pairs), "a parameter stands twice"
    assert answer["iss"] == ISSUER
    assert ("code" in answer) != ("error" in answer)
    return answer


def error_at(response: httpx2.Response, party: Party, *, state: str | None = "state-1", mode: str = "query") -> str:
    """The error that the relying party got, with its state; everything else about it is checked here (RFC 6749 §4.1.2.1)."""
    answer = back_at(response, party.redirect_uri, mode=mode)
    assert set(answer) <= {"error", "error_description", "iss", "state"}
    assert answer.get("state") == state
    description = answer["error_description"]
    assert description
    assert all(" " <= c <= "~" and c not in '"\\' for c in description), description
    return answer["error"]


def is_page_of_ours(response: httpx2.Response, status: int = 400) -> bool:
    """Whether a page of ours was shown, and nobody was sent anywhere."""
    return (
        response.status_code == status
        and "Location" not in response.headers
        and "Refresh" not in response.headers
        and "http-equiv" not in response.text
        and response.headers["Content-Type"] == "text/html; charset=utf-8"
    )


def token_error(response: httpx2.Response, *statuses: int) -> str:
    """The error of an endpoint that machines call (RFC 6749 §5.2): JSON that no cache keeps."""
    assert response.status_code in (statuses or (400,)), (response.status_code, response.text)
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    body = response.json()
    assert set(body) == {"error", "error_description"}
    assert all(" " <= c <= "~" and c not in '"\\' for c in body["error_description"]), body
    return str(body["error"])


def rows(world: World, model: type[Base], *conditions: Any) -> list[Any]:
    """What stands in a table."""
    with world.reads():
        return list(session.execute(sa.select(model.__table__).where(*conditions)))


def change(world: World, model: type[Base], *conditions: Any, **values: Any) -> None:
    """Change rows, for states that no page leads to."""
    with world.writes():
        session.execute(sa.update(model.__table__).where(*conditions).values(**values))


def raw(world: World, method: str, path: str, *, body: bytes = b"", query: str = "", **environ: str) -> tuple[int, dict[str, str], bytes]:
    """A request as only a raw socket can send it: header bytes outside ASCII (as latin-1), a Content-Length that lies."""
    given: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "203.0.113.9",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
        **environ,
    }
    answered: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], *_: object) -> None:
        answered.append((int(status.split(maxsplit=1)[0]), dict(headers)))

    content = b"".join(world.wsgi(given, start))
    return *answered[0], content
