"""Text messages leave the house: by webhook and by apprise, to a real HTTP server that fails in every way gateways fail.

Threats: cases 62, 63, 74; promises R2 (at least once, under one key, nothing after its time) and R13 (whatever the gateway does, nothing is
lost, and no sign-in waits for it).
"""

from __future__ import annotations

import io
import random
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from idp import clock, outbox, telemetry
from idp.cli import worker
from idp.config import Telemetry
from idp.config_gateways import AppriseGateway, WebhookGateway
from idp.messages import apprise, channels, receipts, webhook
from idp.messages.gateway import GatewayFailed, Outgoing
from idp.messages.tables import Receipt
from idp.outbox import Outbox
from tests.ground import Ground
from tests.journeys.stage import Tls
from tests.machine import count
from tests.messages.far_end import FarEnd, http_gateway

PHONE = "+79005550001"
CODE = "493817"
TOKEN = "Zk3-gateway-token"
SMS = Outgoing("out_1", PHONE, f'{CODE} — код "Базар ID".\n@id.example.com #{CODE}')


def a_webhook(end: FarEnd, **more: Any) -> dict[str, Any]:
    """The table of a JSON gateway."""
    given = {
        "kind": "webhook",
        "url": f"{end.url}/send?key={TOKEN}",
        "headers": {"Authorization": f"Bearer {TOKEN}"},
        "body": {"to": "{number}", "message": {"text": "{text}", "parts": ["{to}", 1, True]}, "id": "{id}"},
        "success": {"status": "ok", "code": "0"},
        "message_id": "messages.0.id",
        "timeout": 0.5,
    }
    return given | more


def an_apprise(end: FarEnd, **more: Any) -> dict[str, Any]:
    """The table of apprise's own JSON service."""
    url = f"{end.url.replace('http', 'json', 1)}/send/{TOKEN}?+Idempotency-Key={{id}}&:to={{to}}"
    return {"kind": "apprise", "url": url, "timeout": 0.6, **more}


KINDS = {"webhook": a_webhook, "apprise": an_apprise}


def use(ground: Ground, *gateways: dict[str, Any]) -> None:
    """Make these the gateways, in this order: gw0, gw1 …"""
    tables = {f"gw{number}": table for number, table in enumerate(gateways)}
    ground.use(messages={"channel": "gateways", "sms": list(tables), "gateways": tables})


def send(ground: Ground, count: int = 1, *, to: str = PHONE, **more: Any) -> list[str]:
    """Codes to a number; their ids."""
    with ground.writes():
        sent = [channels.send("sms", to, "sign_in_code", "ru", code=f"{int(CODE) + n}", **more) for n in range(count)]
    return [str(message_id) for message_id in sent]


def receipt(ground: Ground, message_id: str) -> Any:
    """What became of it."""
    with ground.reads():
        return receipts.find(message_id)


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """What is logged meanwhile, at DEBUG."""
    stream = io.StringIO()
    telemetry.set_up(Telemetry(log_level="DEBUG"), stream=stream)
    try:
        yield stream
    finally:
        telemetry.set_up(Telemetry())


# ---- what is sent ----


def test_a_webhook_is_given_what_its_table_says(far_end: FarEnd) -> None:
    """Places are filled in the table, not in its JSON: quotes, line ends and braces of a text stay text. The key is always a header."""
    nasty = SMS._replace(text='"},{"to":"+1","x":"\\ {to} {id}\n\u2028')
    taken = webhook.send("main", WebhookGateway(**a_webhook(far_end)), nasty)
    assert (taken.gateway, taken.known_as, taken.delivered) == ("main", "gw-1", False)
    [asked] = far_end.asked
    assert asked.json == {"to": PHONE[1:], "message": {"text": nasty.text, "parts": [PHONE, 1, True]}, "id": "out_1"}
    assert (asked.method, asked.key, asked.path) == ("POST", "out_1", f"/send?key={TOKEN}")
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"


def test_a_form_and_a_query(far_end: FarEnd) -> None:
    """The same as a form, and in the address, whose every place is percent-encoded."""
    table = a_webhook(far_end, encoding="form", body={"phones": "{to}", "mes": "{text}&x=1"}, headers={"X-Id": "{id}", "X-Text": "{text}"})
    webhook.send("main", WebhookGateway(**table), SMS)
    url = f"{far_end.url}/send?psw={TOKEN}&phones={{number}}&mes={{text}}"
    webhook.send("main", WebhookGateway(**a_webhook(far_end, method="GET", body={}, url=url)), SMS)
    form, query = far_end.asked
    assert form.form == {"phones": PHONE, "mes": f"{SMS.text}&x=1"}
    assert form.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "\n" not in form.headers["x-text"]
    assert (query.method, query.body, query.key) == ("GET", b"", "out_1")
    assert query.query == {"psw": TOKEN, "phones": PHONE[1:], "mes": SMS.text}


def test_apprise_is_given_number_text_and_key(far_end: FarEnd) -> None:
    """Apprise's own JSON service: the text whole, with its last line (case 63), and the key as a header."""
    apprise.send("main", AppriseGateway(**an_apprise(far_end)), SMS)
    [asked] = far_end.asked
    assert (asked.json["message"], asked.json["to"], asked.key) == (SMS.text, PHONE, "out_1")
    assert asked.path == f"/send/{TOKEN}"


# ---- what can go wrong ----

FAILURES = {  # how the far end answers: the word, of a webhook and of apprise
    500: ("status_500", "status_500"),
    429: ("status_429", "status_429"),
    401: ("status_401", "status_401"),
    "error": ("refused", None),  # apprise's JSON service reads no answer
    "words": ("refused", None),
    "flood": ("refused", None),
    "redirect": ("status_302", "status_302"),
    "close": ("connection", "connection"),
    "hang": ("timeout", "connection"),
}


@pytest.mark.parametrize(
    ("kind", "answer", "word"), [(k, a, w[k == "apprise"]) for k in KINDS for a, w in FAILURES.items() if w[k == "apprise"]]
)
def test_whatever_the_gateway_does_it_is_tried_again(ground: Ground, far_end: FarEnd, kind: str, answer: int | str, word: str) -> None:
    """R13: a word is kept, the message goes out at the next try under the same key; redirects lead nowhere; nothing of it is in the log."""
    use(ground, KINDS[kind](far_end))
    far_end.answers.extend([answer])
    with clock.freeze(clock.now()) as shift, logged() as log:
        [message_id] = send(ground, expires_at=clock.now() + timedelta(minutes=5))
        began = time.monotonic()
        worker.drain(ground.app)
        assert time.monotonic() - began < 2
        [row] = ground.rows(Outbox)
        assert (row.state, row.attempts, row.last_error) == ("waiting", 1, word)
        found = receipt(ground, message_id)
        assert (found.state, found.reason, found.gateway, found.tries, found.sent_at) == ("queued", word, "gw0", 1, None)
        shift(5)
        worker.drain(ground.app)
        found = receipt(ground, message_id)
        assert (found.state, found.reason, found.tries, found.sent_at) == ("sent", None, 2, clock.now())
        assert found.gateway_message_id == ("gw-2" if kind == "webhook" else None)
    assert [asked.key for asked in far_end.asked] == [message_id, message_id]
    assert far_end.asked[0].body == far_end.asked[1].body
    assert not any(asked.path.startswith("/elsewhere") for asked in far_end.asked)
    assert [secret for secret in (CODE, PHONE, PHONE[1:], TOKEN, "Базар") if secret in log.getvalue()] == []
    assert word in log.getvalue()
    assert [secret for secret in (CODE, PHONE[1:], TOKEN) if secret in ground.dump()] == []


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_there(ground: Ground, kind: str) -> None:
    """A closed port; a host that no name server knows."""
    for url, words in (("http://localhost:1", {"connection"}), ("https://no-such-host.invalid", {"unknown_host", "connection"})):
        use(ground, KINDS[kind](FarEnd(url)))
        [message_id] = send(ground)
        worker.drain(ground.app)
        assert receipt(ground, message_id).reason in words


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_is_checked(ground: Ground, serving_tls: ssl.SSLContext, tls: Tls, kind: str) -> None:
    """R13: a certificate that nobody vouches for gets no message, also when the address says that it should; with its authority it does."""
    with http_gateway(serving_tls) as end:
        table = KINDS[kind](end)
        if kind == "apprise":
            table["url"] += "&verify=no"
        use(ground, table, table | {"certificate_authority": tls.authority})
        [message_id] = send(ground)
        worker.drain(ground.app)
        assert (receipt(ground, message_id).state, receipt(ground, message_id).gateway) == ("sent", "gw1")
        assert len(end.asked) == 1
        use(ground, table)
        [message_id] = send(ground)
        worker.drain(ground.app)
        assert receipt(ground, message_id).reason == ("tls" if kind == "webhook" else "connection")
        assert len(end.asked) == 1


def test_an_address_that_apprise_cannot_read(ground: Ground) -> None:
    """It is a failed try like any other, and says nothing of the address."""
    use(ground, {"kind": "apprise", "url": f"nosuchservice://{TOKEN}@{{to}}"})
    with logged() as log:
        [message_id] = send(ground)
        worker.drain(ground.app)
    assert receipt(ground, message_id).reason == "bad_address"
    assert TOKEN not in log.getvalue()


def test_the_next_gateway_is_asked(ground: Ground, far_end: FarEnd) -> None:
    """R13: when the first does not take it, the second gets the same message under the same key, within the same try."""
    use(ground, a_webhook(far_end), an_apprise(far_end))
    far_end.answers.extend([503, "ok"])
    [message_id] = send(ground)
    worker.drain(ground.app)
    found = receipt(ground, message_id)
    assert (found.state, found.gateway, found.tries) == ("sent", "gw1", 1)
    assert {asked.key for asked in far_end.asked} == {message_id}


# ---- at least once, and not after its time ----


class Died(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_dies_after_sending(ground: Ground, far_end: FarEnd, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """R2: nobody wrote down that it was sent, so it is sent again when the lease ends: the same key, the same text, one receipt."""
    use(ground, KINDS[kind](far_end))
    with clock.freeze(clock.now()) as shift:
        [message_id] = send(ground)

        def die(*_: object) -> bool:
            raise Died

        with monkeypatch.context() as patch:
            patch.setattr(outbox, "done", die)
            with pytest.raises(Died):
                worker.drain(ground.app)
        assert len(far_end.asked) == 1
        assert receipt(ground, message_id) is None
        worker.drain(ground.app)
        assert len(far_end.asked) == 1, "the lease still runs"
        shift(worker.LEASE + 1)
        worker.drain(ground.app)
    first, second = far_end.asked
    assert (first.key, first.body) == (second.key, second.body)
    assert [(row.id, row.state) for row in ground.rows(Receipt)] == [(message_id, "sent")]
    assert [row.state for row in ground.rows(Outbox)] == ["done"]


def test_an_expired_code_stays(ground: Ground, far_end: FarEnd) -> None:
    """R2: after five minutes of a gateway that fails the code is not sent any more; its receipt says so, and a new code can go out."""
    use(ground, a_webhook(far_end))
    far_end.answers.extend([500] * 50)
    with clock.freeze(clock.now()) as shift:
        [message_id] = send(ground, expires_at=clock.now() + timedelta(minutes=5))
        random.seed(1)  # chance is in every pause, and would move the number of tries
        for _ in range(300):
            worker.drain(ground.app)
            shift(1)
        asked = len(far_end.asked)
        assert asked >= 8
        far_end.answers.clear()
        shift(300)  # the longest pause of its breaker
        worker.drain(ground.app)
        assert len(far_end.asked) == asked
        with ground.writes():
            outbox.sweep(clock.now())
            receipts.sweep(clock.now())
        assert [row.sealed for row in ground.rows(Outbox)] == [None]
        found = receipt(ground, message_id)
        assert (found.state, found.reason) == ("failed", "expired")
        [again] = send(ground)
        worker.drain(ground.app)
        assert receipt(ground, again).state == "sent"


def test_given_up(ground: Ground, far_end: FarEnd) -> None:
    """After the last try the receipt says that it failed, and why."""
    use(ground, a_webhook(far_end))
    far_end.answers.extend([500] * outbox.TRIES)
    with clock.freeze(clock.now()) as shift:
        [message_id] = send(ground)
        for _ in range(outbox.TRIES):
            worker.drain(ground.app)
            shift(outbox.LONGEST_PAUSE * 2)
        found = receipt(ground, message_id)
        assert (found.state, found.reason, found.tries) == ("failed", "status_500", outbox.TRIES)
        with ground.writes():
            assert receipts.sweep(clock.now()) == 0
        shift(receipts.KEEP)
        with ground.writes():
            assert receipts.sweep(clock.now()) == 1


def test_none_is_lost(ground: Ground, far_end: FarEnd) -> None:
    """R2: a fifth of all calls go wrong and the worker dies now and then: every message gets there; twice only where nobody could know,
    always under its own key and with one text; none is left over."""
    use(ground, a_webhook(far_end, timeout=5))
    faults = random.Random(8)
    far_end.otherwise = lambda: faults.choices(["ok", 500, 429, "error", "close"], [80, 5, 5, 5, 5])[0]
    messages, dice = count(25, 10_000), random.Random(7)
    ours = outbox.done

    def done(job: outbox.Job, said: str | None = None) -> bool:
        if dice.random() < 0.02:
            raise Died
        return ours(job, said)

    with clock.freeze(clock.now()) as shift, pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "done", done)
        sent = send(ground, messages)
        for _ in range(messages * 20):
            with suppress(Died):
                worker.drain(ground.app)
            with ground.reads():
                if outbox.backlog()["waiting"] == 0:
                    break
            shift(worker.LEASE + 1)
    assert {row.state for row in ground.rows(Outbox)} == {"done"}
    assert {(row.state, row.id) for row in ground.rows(Receipt)} == {("sent", message_id) for message_id in sent}
    bodies: dict[str, set[bytes]] = {}
    for asked in far_end.asked:
        bodies.setdefault(asked.key, set()).add(asked.body)
    assert set(bodies) == set(sent)
    assert all(len(said) == 1 for said in bodies.values()), "one key, two texts"
    assert len(far_end.asked) > messages, "nothing went wrong"


def test_a_refused_message_says_who(far_end: FarEnd) -> None:
    """What is raised names gateway and word, and nothing that the other side said."""
    far_end.answers.append("error")
    with pytest.raises(GatewayFailed, match=r"^main: refused$") as raised:
        webhook.send("main", WebhookGateway(**a_webhook(far_end)), SMS)
    assert raised.value.__cause__ is None
