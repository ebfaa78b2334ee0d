"""What a request's headers say about where we are changes nothing: the issuer is configured (RFC 9700 §4.13). Case 89 of threats.md."""

from __future__ import annotations

import re

import httpx2
import pytest

from idp import clock
from tests.account.test_email import asked
from tests.login.http_lab import known
from tests.login.recovering import by_browser
from tests.oidc.asking import back_at, phone, signed_in
from tests.world import CALLBACK, ISSUER, Browser, World, new_phone

EVIL = (
    {"Host": "evil.example"},
    {"Host": "localhost:9999"},
    {"Host": "evil.example@localhost:8000"},
    {"Host": ""},
    {"Host": "a b<c>"},
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Port": "1"},
    {"X-Forwarded-Prefix": "/evil"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Server": "evil.example"},
    {"Forwarded": "for=127.0.0.1;host=evil.example;proto=https"},
    {"Origin": "https://evil.example"},
    {"Referer": "https://evil.example/login"},
    {"X-Original-URL": "/signed-out"},
    {"X-Rewrite-URL": "/signed-out"},
    {"X-Original-Host": "evil.example"},
    {"X-Host": "evil.example"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"X-Script-Name": "/evil"},
    {"X-Real-IP": "127.0.0.1"},
    {"Via": "1.1 evil.example"},
    {"True-Client-IP": "127.0.0.1"},
)


def stripped(answer: httpx2.Response) -> tuple[int, str, str]:
    """An answer without what is new in each: ids, nonces, form tokens, times."""
    text, headers = answer.text, str(sorted((k, v) for k, v in answer.headers.items() if k != "content-length"))
    for pattern in (
        r"req_[0-9a-z]{20,26}",
        r"flw_[0-9a-z]{26}",
        r"session_state=[0-9a-z]+\.[\w-]+",
        r"[A-Za-z0-9_-]{43}",
        r"nonce-[^']+|nonce=\"[^\"]+\"",
        r"<time.*?</time>",
    ):
        text, headers = re.sub(pattern, "*", text), re.sub(pattern, "*", headers)
    return answer.status_code, headers, text


@pytest.mark.parametrize("headers", EVIL, ids=lambda h: "-".join(*h.items()) if isinstance(h, dict) else None)
def test_the_same_bytes(world: World, story, headers: dict[str, str]) -> None:
    """Case 89: discovery, keys, pages, redirects, refusals and tokens are the same, whatever the headers say."""
    party = world.party()
    browser, number = signed_in(world, story, "zimin", party), phone(story, "zimin")
    wrong = party.asks(redirect_uri="https://evil.example/")

    def all_of(more: dict[str, str]) -> list[tuple[int, str, str]]:
        fresh: Browser = world.browser()
        answers = [fresh.get(path, headers=more) for path in ("/.well-known/openid-configuration", "/jwks", "/signed-out", "/nothing")]
        answers += [fresh.get("/userinfo", headers=more), fresh.get("/authorize", params=wrong, headers=more)]
        answers += [fresh.post("/authorize", data=party.asks(), headers=more), fresh.get("/authorize", params=party.asks(), headers=more)]
        page = fresh.onward(answers[-1])
        answers += [page, fresh.get(str(page.url), headers=more)]
        answers += [browser.get("/authorize", params=party.asks(), headers=more), browser.get("/end_session", headers=more)]
        return [stripped(answer) for answer in answers]

    honest = {"Host": "localhost:8000"}
    for plain, forged in zip(all_of(honest), all_of(honest | headers), strict=True):
        assert forged == plain
    assert number


def test_the_way_back_is_unchanged(world: World, story) -> None:
    """Case 89: with all of them at once the code goes to the registered address, and `iss` is ours."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    together = {name: value for headers in EVIL for name, value in headers.items() if value}
    answer = back_at(browser.get("/authorize", params=party.asks(), headers=together), CALLBACK)
    tokens = world.token(
        party,
        headers=together | {"Host": "evil.example"},
        grant_type="authorization_code",
        code=answer["code"],
        redirect_uri=CALLBACK,
        code_verifier=party.verifier,
    )
    assert tokens.status_code == 200
    assert "evil" not in tokens.text


@pytest.mark.parametrize("host", ["evil.example", "localhost:9999", "evil.example@localhost:8000"])
def test_links_in_mails_are_ours(world: World, story, host: str) -> None:
    """Case 89: the link that takes an address back and the one that stops a lost phone, asked for with all of them, lead to the issuer."""
    cross_site = {"Origin", "Referer"}  # a form with these is refused before anything is sent
    forged = {name: value for headers in EVIL for name, value in headers.items() if value and name not in cross_site} | {"Host": host}
    number, party = phone(story, "zimin"), world.party()
    with clock.freeze(clock.now()) as later:
        browser = known(world, party, number)
        later(60)
        mine, page = asked(world, "zimin.new@post.example", phone=number)
        mine.headers.update(forged)
        assert mine.submit(page, code=world.code_for("zimin.new@post.example")).status_code == 303
        later(60)
        browser.headers.update(forged)
        by_browser(world, browser, party, number, new_phone())
        sent = world.inbox()
    links = [str(message["link"]) for message in sent if message["link"]]
    assert {link.removeprefix(ISSUER).split("/")[1] for link in links} >= {"account", "recovery"}
    assert all(link.startswith(f"{ISSUER}/") for link in links), links
    assert not [message["text"] for message in sent if "evil" in message["text"] or "9999" in message["text"]]
