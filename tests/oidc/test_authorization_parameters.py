"""Every standard parameter of an authorization request is understood or tolerated, by GET and by POST.

OpenID Connect Core §3.1.2.1, RFC 6749 §3.1; cases 26 and 42 of threats.md.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from idp.delegation.tables import ParkedRequest
from tests.oidc.asking import back_at, error_at, is_page_of_ours, phone, rows, signed_in
from tests.world import CALLBACK, Browser, World, answer_of, claims_of

TOLERATED = {
    "display": ["page", "popup", "touch", "wap", "nonsense"],
    "ui_locales": ["ru", "en", "zh-Hans", "se", "xx-nonsense fr-CA", "ru " * 40],
    "claims_locales": ["se", "ru en"],
    "acr_values": ["urn:idp:acr:code", "urn:idp:acr:mfa", "1 2", "urn:mace:incommon:iap:silver"],
    "login_hint": ["buffy@host", "+7 900 555-35-10", "not a number", "x" * 2000],
    "claims": ['{"userinfo":{"name":{"essential":true}}}', "{}", '{"userinfo":null,"other":1}', '{"id_token":{"made_up":{"x":[]}}}'],
    "dpop_jkt": ["0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"],
    "prompt": ["nonsense"],
    "foobar": ["1", ""],
    "extra[]": ["1"],
    "__proto__": ["x"],
}


@pytest.mark.parametrize("name", TOLERATED)
def test_it_causes_no_error(world: World, story, name: str) -> None:
    """Standard parameters that change nothing here, and unknown ones, are no reason to refuse (Core §3.1.2.1)."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    for value in TOLERATED[name]:
        assert back_at(browser.authorize(party, **{name: value}), CALLBACK)["code"]
        assert world.browser().authorize(party, **{name: value}).status_code == 200


def test_empty_values_count_as_left_out(world: World, story) -> None:
    """RFC 6749 §3.1: a parameter without a value is treated as if it were omitted."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    empty = dict.fromkeys(
        ("prompt", "max_age", "login_hint", "id_token_hint", "company", "account", "request", "response_mode", "acr_values"), ""
    )
    answer = back_at(browser.authorize(party, **empty), CALLBACK)
    assert answer["code"]
    assert "state" not in back_at(browser.authorize(party, state=""), CALLBACK)


@pytest.mark.parametrize(
    "value",
    [
        "x",
        "a" * 128,
        "b" * 1000,
        "".join(map(chr, range(33, 127))),
        "two words + a plus",
        "тест 中文 🙂",
        "%20%2B%00",
        "a=b&c=d#e?f",
        "  spaces around  ",
        "'; DROP TABLE codes; --",
        "null",
        "0",
    ],
)
def test_state_and_nonce_come_back_unchanged(world: World, story, value: str) -> None:
    """RFC 6749 §4.1.2, OpenID Connect Core §3.1.3.7: both are the relying party's own, whatever is in them."""
    party = world.party()
    answer = back_at(world.sign_in(world.browser(), party, phone(story, "zimin"), state=value, nonce=value), CALLBACK)
    assert answer["state"] == value
    tokens = world.redeem(party, answer["code"]).json()
    assert claims_of(tokens["id_token"])["nonce"] == value
    assert error_at(world.browser().authorize(party, state=value, prompt="none"), party, state=value) == "login_required"


def test_without_state_and_without_nonce(world: World, story) -> None:
    """claims.md, "What a client must send": both are optional where the specification says so; neither is invented."""
    party = world.party()
    answer = back_at(world.sign_in(world.browser(), party, phone(story, "zimin"), state=None, nonce=None), CALLBACK)
    assert "state" not in answer
    assert "nonce" not in claims_of(world.redeem(party, answer["code"]).json()["id_token"])
    assert error_at(world.browser().authorize(party, state=None, prompt="none"), party, state=None) == "login_required"


def test_parameters_in_any_order(world: World, story) -> None:
    """OpenID Connect conformance, alternate happy flow: order means nothing, neither of parameters nor of scopes."""
    party = world.party()
    asked = dict(reversed(party.asks(scope="email openid").items()))
    browser = signed_in(world, story, "zimin", party)
    tokens = world.redeem(party, answer_of(browser.get("/authorize", params=asked))["code"]).json()
    assert set(tokens["scope"].split()) == {"openid", "email"}


def test_post(world: World, story) -> None:
    """Core §3.1.2.1: the authorization endpoint takes POST. It comes without Lax cookies, so it is sent on as a GET, by 303."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    sent = browser.post("/authorize", data=party.asks(state="s &=+ü"), headers={"Origin": "https://rp.example"})
    assert sent.status_code == 303
    assert sent.headers["Location"].startswith("/authorize?")
    assert "Set-Cookie" not in sent.headers
    assert back_at(browser.onward(sent), CALLBACK)["state"] == "s &=+ü"
    fresh = world.browser()
    assert fresh.onward(fresh.post("/authorize", data=party.asks())).status_code == 200


def test_post_that_is_no_form(world: World) -> None:
    """RFC 6749 §3.1, case 26: JSON, a file, nothing at all, or too much: a page, never a 500."""
    party, browser = world.party(), world.browser()
    for body in (
        {"json": party.asks()},
        {"content": b"x=\xff"},
        {"content": b""},
        {"files": {"x": b"y"}},
        {"data": {"client_id": "x" * 9000}},
    ):
        answer = browser.onward(browser.post("/authorize", **body))
        assert is_page_of_ours(answer), body
    assert is_page_of_ours(browser.post("/authorize", data=party.asks(state="x" * 70000)), 413)
    assert browser.post("/authorize", data={f"p{i}": "x" * 500 for i in range(40)} | party.asks()).status_code == 400


@pytest.mark.parametrize("length", ["abc", "-1", "1.5", "9" * 30, "0x10", " 5", "+5"])
def test_a_content_length_that_is_no_number(world: World, length: str) -> None:
    """Case 26: a header that only a raw socket sends is refused, not stumbled over."""
    answer = world.browser().post(
        "/authorize", content=b"client_id=x", headers={"Content-Length": length, "Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code in {400, 413}


@pytest.mark.parametrize("end", ["\r\nSet-Cookie: idp_session=evil", "\nX: y", "\r", "%0d%0aSet-Cookie:x=y", "\u2028", " x", "\t"])
@pytest.mark.parametrize("path", ["/authorize", "/end_session"])
def test_a_line_end_in_the_body_makes_no_header(world: World, path: str, end: str) -> None:
    """CWE-113: what a form holds does not become a header line of ours."""
    party, browser = world.party(), world.browser()
    body = f"client_id={party.client.id}&state=a{end}".encode()
    answer = browser.post(path, content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code in {303, 400}
    assert "Set-Cookie" not in answer.headers
    assert all(" " < c <= "~" for c in answer.headers.get("Location", "x"))


def test_login_hint_fills_the_field(world: World, story) -> None:
    """Core §3.1.2.1: a number is filled in, what is none is not; neither tells whether anybody has it."""
    party = world.party()
    for hint, filled in (("+79005553510", "900 555"), ("buffy@host", None), ('"><b>', None)):
        page = world.browser().authorize(party, login_hint=hint)
        field = page.text.partition('name="phone"')[2].partition(">")[0]
        assert (
            ('value=""' in field or "value=" not in field) if filled is None else ("9005553510" in field.replace(" ", "").replace("-", ""))
        ), hint


def test_ui_locales_choose_the_language(world: World) -> None:
    """Core §3.1.2.1: the first language of the list that is spoken here; also on the pages of refusals."""
    party = world.party()
    for wanted, lang in (("ru", "ru"), ("zh", "zh"), ("zh-Hans-CN", "zh"), ("fr ru en", "ru"), ("fr", "en"), ("", "en")):
        for changes in ({}, {"redirect_uri": "https://evil.example"}):
            page = world.browser().authorize(party, ui_locales=wanted, **changes)
            assert f'<html lang="{lang}' in page.text, (wanted, changes)


def test_other_methods(world: World) -> None:
    """RFC 6749 §3.1: GET and POST, and nothing else."""
    browser = world.browser()
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = browser.request(method, "/authorize")
        assert answer.status_code == 405
        assert set(answer.headers["Allow"].split(", ")) - {"HEAD"} == {"GET", "POST"}


def test_what_is_parked_is_sealed(world: World) -> None:
    """Case 42: of a waiting request the table tells nobody state, nonce or hint."""
    party = world.party()
    world.browser().authorize(party, state="state-of-mine", nonce="nonce-of-mine", login_hint="+79005553510")
    text = str(rows(world, ParkedRequest))
    assert "of-mine" not in text
    assert "9005553510" not in text


def test_a_page_carries_nothing_of_the_request_in_its_address(world: World) -> None:
    """RFC 9700 §4.2: from the first page on the address is our own id; state and challenge are in no Referer and no history."""
    browser: Browser = world.browser()
    party = world.party()
    page = browser.authorize(party, state="state-of-mine")
    parts = urlsplit(str(page.url))
    assert parse_qs(parts.query) == {}
    assert "state-of-mine" not in page.text
    assert party.challenge not in page.text
