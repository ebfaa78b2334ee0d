"""The answer of the authorization endpoint as a relying party reads it, by whichever `response_mode` it came."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

import httpx2

from tests.world import ISSUER

DONE_AT, SHOWN = 303, 200
MODES = ("query", "fragment", "form_post")


class _Form(HTMLParser):
    """The one form of a page, as a browser would send it."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self.fields: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect forms and what is in them."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(given)
        if tag in {"input", "button"} and "name" in given:
            self.fields.append((given["name"], given.get("value", "")))


def came_back(response: httpx2.Response, redirect_uri: str, mode: str = "query") -> dict[str, str]:
    """The parameters that came to exactly `redirect_uri` by `mode` and no other way: each once, with `iss` (case 12)."""
    if mode == "form_post":
        pairs = _posted(response, redirect_uri)
    else:
        assert response.status_code == DONE_AT, (response.status_code, response.text[:2000])
        location = response.headers["Location"]
        mark = "#" if mode == "fragment" else "&" if "?" in redirect_uri else "?"
        assert location.startswith(redirect_uri + mark), location
        parts = urlsplit(location)
        assert mode == "fragment" or not parts.fragment
        text = parts.fragment if mode == "fragment" else location.removeprefix(redirect_uri + mark)
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    answer = dict(pairs)
    assert len(answer) == len(pairs), "a parameter stands twice"
    assert answer["iss"] == ISSUER
    assert ("error" in answer) != bool({"code", "id_token", "access_token"} & set(answer))
    return answer


def _posted(response: httpx2.Response, redirect_uri: str) -> list[tuple[str, str]]:
    assert response.status_code == SHOWN, (response.status_code, response.headers.get("Location"), response.text[:2000])
    assert "Location" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    assert "form-action" not in response.headers["Content-Security-Policy"]
    form = _Form()
    form.feed(response.text)
    assert [(each["method"], each["action"], each.get("enctype")) for each in form.forms] == [("post", redirect_uri, None)]
    return form.fields
