"""One event is one line, whatever was typed, and the log holds no secret of a sign-in: cases 62 and 125, goal G-9."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from idp import events, telemetry
from idp.cli.demo_story import Story
from idp.db.session import writes
from idp.directory import users
from idp.events import Event
from tests.login.http_lab import claims, cookie, guess_wrong, known, post, right_code
from tests.login.lab import ANNA, OTHER, at_code
from tests.world import Browser, Party, World, answer_of, new_phone

FORGED = '{"name":"login.succeeded","user_id":"usr_admin","outcome":"ok"}'
POISON = (
    f"x\r\n{FORGED}",
    f"x\n{FORGED}\n",
    f'x","name":"login.succeeded","x":"{FORGED}',
    f"x\u2028{FORGED}\u2029{FORGED}",
    f"x\u0085{FORGED}",
    "x\u202e}drowssap{\u202c",
    "x\\n\\r\\u000a\\x0a",
    "\x1b[2J\x1b[1;31mx",
)


@pytest.fixture
def log(world: World) -> Iterator[io.StringIO]:
    """What the provider logs meanwhile."""
    stream = io.StringIO()
    telemetry.set_up(world.settings.telemetry, stream=stream)
    yield stream
    telemetry.set_up(world.settings.telemetry)


def lines_of(world: World) -> list[dict[str, Any]]:
    """Every event as its exported line: exactly one line each, read back."""
    read = []
    for event in world.events():
        line = events.line(event)
        assert line.isascii()
        assert len(line.splitlines()) == 1
        back = json.loads(line)
        assert events._canonical(back) == line
        read.append(back)
    return read


def logged(log: io.StringIO) -> list[dict[str, Any]]:
    """Every line of the log, read; no line breaks inside one, and none that is not ours."""
    text = log.getvalue()
    found = [json.loads(line) for line in text.splitlines()]
    assert len(found) == text.count("\n")
    assert all({"ts", "level", "event"} <= set(each) for each in found)
    return found


@pytest.mark.parametrize("poison", POISON)
def test_what_a_browser_sends(world: World, party: Party, log: io.StringIO, poison: str) -> None:
    """Case 125: CRLF, JSON, line separators and escapes in number, code, name, client_id, headers: one event, one line, read back equal."""
    inner, raw = world.wsgi, poison.encode().decode("latin-1")
    forged = {"HTTP_USER_AGENT": f"{raw} {OTHER} {raw}", "HTTP_REFERER": raw, "HTTP_X_REQUEST_ID": raw, "HTTP_X_FORWARDED_FOR": raw}
    world.wsgi = lambda environ, start: inner({**environ, **forged}, start)  # also what a careful server would not let through
    browser, phone = world.browser(), new_phone(1)
    page = browser.authorize(party, login_hint=poison)
    page = page if page.status_code == 200 else browser.authorize(party)
    for typed in (poison, f"+79005553501{poison}", f"{phone}{poison[:8]}"):
        browser.submit(page, phone=typed)
    browser.get("/authorize", params=party.asks(client_id=poison))
    browser.get("/authorize", params=party.asks() | {"client_id": party.client.id + poison})
    browser.get("/login/x", params={"x": poison})
    page = at_code(world, browser, party, phone)
    guess_wrong(world, browser, page)
    browser.submit(page, code=poison)
    page = browser.onward(browser.submit(page, code=right_code(world, page)))
    answer = browser.onward(post(browser, page, name=f"Ева {poison}"[:100], terms="1"))
    if "\x1b" in poison:  # cannot be typed at all
        assert answer.status_code == 400
        answer = browser.onward(post(browser, page, name="Ева", terms="1"))
    sub = claims(world, party, answer)["sub"]
    with world.writes():
        users.block(sub, f"спам {poison}")
    read, written = lines_of(world), logged(log)
    names = sorted(each["name"] for each in read if each["user_id"] == sub)
    assert names == ["authorization.granted", "device.trusted", "login.succeeded", "token.issued", "user.blocked", "user.registered"]
    assert len([each for each in read if each["name"] == "login.succeeded"]) == 1
    assert not any(each["user_id"] == "usr_admin" for each in read)
    assert not any(each.get("name") == "login.succeeded" or each.get("user_id") == "usr_admin" for each in written)
    assert "drowssap{\u202c" not in log.getvalue()


@pytest.mark.parametrize("poison", POISON)
def test_what_a_rule_is_given(world: World, poison: str) -> None:
    """Case 125: the same in every place of an event, as a rule records it: stored, exported, read back equal; the chain holds."""
    with world.app.app_context(), writes():
        events.record(
            "test.poisoned", user_id=poison, client_id=poison, details={"text": poison, poison[:5]: [poison]}, personal={"phone": poison}
        )
    with world.writes():
        events.link()
    (event,) = world.events("test.poisoned")
    (line,) = [each for each in lines_of(world) if each["name"] == "test.poisoned"]
    assert line["details"] == event.details
    assert line["personal"] == event.personal
    assert line["client_id"] == event.client_id
    assert "\n" not in str(event.details)
    with world.reads():
        assert events.verify_chain().broken is None


def test_no_secret_in_the_log(world: World, party: Party, story: Story, log: io.StringIO) -> None:
    """Case 62, G-9: a whole sign-in, wrong codes and refusals included: neither code, nor cookie, nor token, nor number is in the log.

    Nor is the code in an answer to the browser, or in any event.
    """
    browser = world.browser()
    answers: list[str] = []
    page = at_code(world, browser, party, ANNA, login_hint=ANNA)
    code = right_code(world, page)
    answers += [str(page.headers), page.text]
    answers += [answer.text + str(answer.headers) for answer in guess_wrong(world, browser, page, 2)]
    resent = browser.onward(browser.submit(page, channel="sms"))
    answers.append(resent.text)
    browser.post(str(page.url), data={"code": code})
    browser.post(str(page.url), json={"code": code})
    world.browser().get(str(page.url))
    done = browser.submit(page, code=code)
    answers += [done.text, str(done.headers)]
    given = answer_of(browser.onward(done))
    tokens = world.redeem(party, given["code"]).json()
    browser.get("/end_session", params={"id_token_hint": tokens["id_token"]})
    world.deliver()
    secrets = [given["code"], *(str(tokens[name]) for name in ("access_token", "id_token")), ANNA, ANNA[1:], "555-35-01"]
    secrets += [value for name in ("idp_login", "idp_browser") if (value := cookie(browser, name))]
    text = log.getvalue()
    assert logged(log)
    assert [secret for secret in secrets if secret in text] == []
    kept = [json.dumps([event.details, event.personal]) for event in world.events()]
    alone = re.compile(rf"(?<![\w.-]){code}(?![\w-])")  # not by chance, inside an id or a duration
    assert not any(alone.search(each) for each in (text, *answers, *kept))


def test_who_did_what(world: World, party: Party) -> None:
    """A sign-in can be told from its events: what was sent and tried, by which proof, where, in which request; the number apart."""
    browser: Browser = known(world, party, ANNA)
    page = at_code(world, browser, party, ANNA, prompt="create")
    guess_wrong(world, browser, page)
    browser.onward(browser.submit(page, code=right_code(world, page)))
    found: list[Event] = world.events()[-4:]
    assert [(event.name, event.outcome) for event in found] == [
        ("code.sent", "ok"),
        ("code.wrong", "refused"),
        ("login.succeeded", "ok"),
        ("authorization.granted", "ok"),
    ]
    login = found[2]
    assert login.details["proof"] == "phone_code"
    assert login.details["flow"].startswith("flw_")
    assert (login.personal or {})["ip"] == "203.0.113.7"
    assert all((event.request_id or "").startswith("req_") for event in found)
    assert not any(ANNA[2:] in json.dumps(event.details) for event in world.events())
