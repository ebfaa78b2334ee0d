"""Calls leave the house: one that speaks the code, after a key was pressed, and one whose number ends in it; and mail by several servers.

Product: the ladder `flash_call`, `sms`, `voice`, `email`. Threats: case 74; a voice mail box must not take down a code.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from idp import clock
from idp.cli import worker
from idp.languages import LANGUAGES
from idp.messages import breaker, channels
from tests.ground import Ground
from tests.messages.far_end import FarEnd, Mailbox, mail_server
from tests.messages.test_breaker import told
from tests.messages.test_gateways import CODE, PHONE, TOKEN, logged, receipt

SPOKEN = "4, 9, 3, 8, 1, 7"


def use(ground: Ground, end: FarEnd, **more: Any) -> None:
    """A gateway for each kind of call."""
    common = {"kind": "webhook", "timeout": 1, "message_id": "messages.0.id", "success": {"status": "ok"}}
    body = {"to": "{number}", "lang": "{language}", "first": "{prompt}", "then": "{digits}", "all": "{text}", "id": "{id}"}
    tables = {
        "sms": common | {"url": f"{end.url}/sms", "body": {"to": "{to}", "text": "{text}"}},
        "caller": common | {"url": f"{end.url}/call", "body": body},
        "patient": common | {"url": f"{end.url}/asks", "body": {"to": "{to}", "say": "{text}"}, "asks_first": True},
        "flash": common | {"url": f"{end.url}/flash?key={TOKEN}&to={{to}}&from={{code}}", "method": "GET"},
    }
    messages = {"channel": "gateways", "sms": ["sms"], "voice": ["caller", "patient"], "flash_call": ["flash"], "gateways": tables}
    ground.use(messages=messages | {"ladder": {"default": ["flash_call", "sms", "voice"]}}, **more)


def send(ground: Ground, kind: str, language: str = "ru") -> str:
    """A code by a channel, its id."""
    with ground.writes():
        return str(channels.send(kind, PHONE, "sign_in_code", language, code=CODE, expires_at=clock.now() + timedelta(minutes=5)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_that_speaks(ground: Ground, far_end: FarEnd, language: str) -> None:
    """First who calls and that a key has to be pressed, without the code; then the code in single digits, in the person's language."""
    use(ground, far_end)
    message_id = send(ground, "voice", language)
    worker.drain(ground.app)
    [asked] = far_end.asked
    said = asked.json
    assert (asked.path, said["to"], said["lang"], said["then"], said["id"]) == ("/call", PHONE[1:], language, SPOKEN, message_id)
    assert said["all"].count(SPOKEN) == 2
    word = {"ru": "любую клавишу", "en": "press any key", "zh": "按任意键"}[language]
    assert word in said["first"]
    assert not any(character.isdigit() for character in said["first"]), "a voice mail box hears this much"
    found = receipt(ground, message_id)
    assert (found.state, found.channel, found.gateway, found.gateway_message_id) == ("sent", "voice", "caller", "gw-1")


def test_the_next_caller_is_asked(ground: Ground, far_end: FarEnd) -> None:
    """A gateway that waits for a key by itself needs no prompt; one that is down is followed by it."""
    use(ground, far_end)
    far_end.answers.extend([503, "ok"])
    message_id = send(ground, "voice")
    worker.drain(ground.app)
    first, second = far_end.asked
    assert (first.path, second.path, first.key, second.key) == ("/call", "/asks", message_id, message_id)
    assert second.json == {"to": PHONE, "say": first.json["all"]}
    assert receipt(ground, message_id).passed == "caller status_503"


def test_a_call_whose_number_ends_in_the_code(ground: Ground, far_end: FarEnd) -> None:
    """The gateway is told the six digits and the number, nothing else; neither is in the log."""
    use(ground, far_end)
    with logged() as log:
        message_id = send(ground, "flash_call")
        worker.drain(ground.app)
    [asked] = far_end.asked
    assert asked.query == {"key": TOKEN, "to": PHONE, "from": CODE}
    assert (asked.body, asked.key) == (b"", message_id)
    assert (receipt(ground, message_id).channel, receipt(ground, message_id).gateway) == ("flash_call", "flash")
    assert [secret for secret in (CODE, PHONE[1:], TOKEN) if secret in log.getvalue()] == []


def test_what_is_carried(ground: Ground, far_end: FarEnd) -> None:
    """Every kind that has a gateway; on a desk, all."""
    use(ground, far_end)
    assert [channels.is_carried(kind) for kind in ("flash_call", "sms", "voice", "email", "pigeon")] == [True, True, True, False, False]
    ground.use()
    assert all(channels.is_carried(kind) for kind in channels.KINDS)


def test_on_a_desk(ground: Ground) -> None:
    """The inbox holds calls as well, with their code."""
    from idp.messages import inbox

    send(ground, "flash_call")
    send(ground, "voice")
    worker.drain(ground.app)
    with ground.reads():
        found = {message.channel: message for message in inbox.newest()}
    assert {kind: message.code for kind, message in found.items()} == {"flash_call": CODE, "voice": CODE}
    assert CODE in found["flash_call"].text


# ---- mail by several servers ----


@pytest.fixture(scope="module")
def boxes() -> Iterator[tuple[Mailbox, Mailbox]]:
    """Two mail servers."""
    with mail_server() as one, mail_server() as other:
        yield one, other


def test_mail_by_the_next_server(ground: Ground, boxes: tuple[Mailbox, Mailbox]) -> None:
    """`[smtp]` first, then a table of its own, each with its sender; a mailbox that is not there closes nobody's way."""
    one, other = boxes
    common = {"host": "localhost", "security": "none", "timeout": 2}
    sms = {"kind": "webhook", "url": "https://gateway.example/?to={to}&text={text}"}
    second = {"kind": "smtp", **common, "port": other.port, "sender": "spare@example.com"}
    messages = {"channel": "gateways", "sms": ["sms"], "gateways": {"sms": sms, "second": second}, "email": ["smtp", "second"]}
    ground.use(messages=messages, smtp={**common, "port": one.port, "sender": "id@example.com"})

    def mail() -> Any:
        with ground.writes():
            message_id = channels.send("email", "anna@example.com", "sign_in_code", "ru", code=CODE)
        worker.drain(ground.app)
        return receipt(ground, str(message_id))

    with clock.freeze(clock.now()):
        assert mail().gateway == "smtp"
        one.answers.append(451)
        found = mail()
        assert (found.gateway, found.passed) == ("second", "smtp status_451")
        assert [str(message["From"]).split("<")[1] for message in (*one.taken, *other.taken)] == ["id@example.com>", "spare@example.com>"]
        for _ in range(breaker.IN_A_ROW + 1):
            one.answers.append("rcpt")
            other.answers.append("rcpt")
            assert (mail().gateway, mail().gateway) == ("second", "smtp")
    assert told(ground) == []
