"""Text messages straight to a message centre: SMPP 3.4, against a simulator that speaks it and fails in every way centres fail.

3GPP TS 23.038 and 23.040 (alphabets and parts). Promises R2 (one id, nothing after its time) and R13.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from idp import clock
from idp.cli import worker
from idp.config_spend import units
from idp.messages import channels, gateways, parts
from idp.messages.tables import Receipt, SpendEntry
from idp.outbox import Outbox
from tests.cli.test_worker import soon, working
from tests.ground import Ground
from tests.journeys.stage import Tls
from tests.messages import smsc
from tests.messages.far_end import FarEnd
from tests.messages.smsc import Centre, message_centre
from tests.messages.test_gateways import CODE, PHONE, a_webhook, logged, receipt

TABLE = {"kind": "smpp", "host": "127.0.0.1", "security": "none", "system_id": smsc.SYSTEM_ID, "password": smsc.PASSWORD, "timeout": 0.6}


@pytest.fixture(scope="module")
def _centre() -> Iterator[Centre]:
    with message_centre() as centre:
        yield centre


@pytest.fixture
def centre(_centre: Centre) -> Iterator[Centre]:
    """A centre with a clean slate; afterwards nobody is bound to it any more."""
    _centre.clear()
    yield _centre
    gateways.close_lines()


def use(ground: Ground, centre: Centre, *others: dict[str, Any], **more: Any) -> None:
    """Make the centre the first gateway, and `others` those that follow it: gw1 …"""
    tables = {"centre": {**TABLE, "port": centre.port, "source": "BAZAR", **more}}
    tables |= {f"gw{number}": table for number, table in enumerate(others, 1)}
    ground.use(messages={"channel": "gateways", "sms": list(tables), "gateways": tables})


def send(ground: Ground, **more: Any) -> str:
    """A code to PHONE; its id."""
    with ground.writes():
        return str(channels.send("sms", PHONE, "sign_in_code", "ru", code=CODE, **more))


def heard(ground: Ground) -> int:
    """What the worker does with reports in every turn."""
    with ground.app.app_context():
        return gateways.write_down_reports()


def settled(ground: Ground, message_id: str) -> Callable[[], bool]:
    """Whether the report on a message has been written down, for `soon`."""
    return lambda: heard(ground) >= 0 and receipt(ground, message_id).settled_at is not None


# ---- alphabets and parts ----


@pytest.mark.parametrize(
    ("text", "coding", "lengths"),
    [
        ("a" * 160, 0, [160]),
        ("a" * 161, 0, [159, 14]),
        ("€" * 80, 0, [160]),
        ("a" * 152 + "€" * 5, 0, [6 + 152, 6 + 10]),
        ("ж" * 70, 8, [140]),
        ("ж" * 71, 8, [140, 14]),
        ("ж" * 66 + "😀" * 3, 8, [6 + 132, 6 + 12]),
        ("`", 8, [2]),
        ("ç", 8, [2]),
        ("Ç@£$_\n", 0, [6]),
    ],
)
def test_a_text_in_its_parts(text: str, coding: int, lengths: list[int]) -> None:
    """160 septets or 70 characters, 153 and 67 where they are joined; no character is torn, nor an escape from what it stands before."""
    found = parts.split(text)
    assert (found.coding, [len(part) for part in found.parts]) == (coding, lengths)
    assert parts.count(text) == len(lengths)
    if found.is_joined:
        assert len({part[:5] for part in found.parts}) == 1
        assert [part[5] for part in found.parts] == [1, 2]
    body = b"".join(part[6:] if found.is_joined else part for part in found.parts)
    if coding == parts.UCS2:
        assert body.decode("utf-16-be") == text
    else:
        assert body.count(0x1B) == text.count("€")
        assert not any(part.endswith(b"\x1b") for part in found.parts)


def test_a_text_without_end() -> None:
    """255 parts are the most that can be joined."""
    with pytest.raises(ValueError, match="too long"):
        parts.split("a" * 153 * 256)


def test_what_the_centre_is_given(ground: Ground, centre: Centre) -> None:
    """Number, sender, alphabet, how long it is good for, and that a report is wanted; the centre's id is kept."""
    use(ground, centre)
    with clock.freeze(clock.now()):
        message_id = send(ground, expires_at=clock.now() + timedelta(minutes=5))
        worker.drain(ground.app)
    [given] = centre.submitted
    assert centre.binds == [(smsc.BIND_TRANSCEIVER, smsc.SYSTEM_ID)]
    assert (given.source, given.to) == ((5, 0, "BAZAR"), (1, 1, PHONE[1:]))
    assert (given.coding, given.esm_class, given.validity, given.wants_report) == (8, 0, "000000000500000R", True)
    assert given.body.decode("utf-16-be").startswith(CODE)
    found = receipt(ground, message_id)
    assert (found.state, found.gateway, found.gateway_message_id) == ("sent", "centre", "smsc-1")


def test_a_long_text_is_joined(ground: Ground, centre: Centre) -> None:
    """Two parts with one reference; the last one's report is the message's."""
    use(ground, centre)
    with ground.writes():
        message_id = str(channels.send("sms", PHONE, "browser_stolen", "ru"))
    worker.drain(ground.app)
    first, second = centre.submitted
    assert first.header[0] == second.header[0]
    assert (first.header[1:], second.header[1:]) == ((2, 1), (2, 2))
    assert "другого браузера" in (first.body + second.body).decode("utf-16-be")
    assert (first.wants_report, second.wants_report) == (False, True)
    assert receipt(ground, message_id).gateway_message_id == "smsc-2"


@pytest.mark.parametrize(("alphabet", "paid"), [("gsm7", 1), ("ucs2", 2)])
def test_each_part_is_paid_for(ground: Ground, centre: Centre, alphabet: str, paid: int) -> None:
    """A text that would be one part in GSM 03.38 is two in UCS-2, where the gateway sends nothing else: so it stands in the ledger."""
    use(ground, centre, alphabet=alphabet)
    with ground.writes():
        channels.send("sms", PHONE, "browser_stolen", "en")
    worker.drain(ground.app)
    [entry] = ground.rows(SpendEntry)
    assert (len(centre.submitted), entry.parts, entry.cost) == (paid, paid, paid * units("10"))


def test_the_line_is_kept(ground: Ground, centre: Centre) -> None:
    """One bind for many messages, also when they are handed over at the same time; it is left politely."""
    use(ground, centre)
    with working(ground.app):
        for _ in range(12):
            send(ground)
        soon(lambda: len(centre.submitted) == 12)
    assert len(centre.binds) == 1
    assert {row.state for row in ground.rows(Receipt)} == {"sent"}
    assert len({row.gateway_message_id for row in ground.rows(Receipt)}) == 12
    assert centre.unbound == 1


def test_a_transmitter_hears_nothing(ground: Ground, centre: Centre) -> None:
    """It asks for no reports, and goes by its own command."""
    use(ground, centre, mode="transmitter", source="")
    send(ground)
    worker.drain(ground.app)
    assert centre.binds[0][0] == smsc.BIND_TRANSMITTER
    assert (centre.submitted[0].wants_report, centre.submitted[0].source) == (False, (0, 0, ""))


def test_over_tls(ground: Ground, serving_tls: ssl.SSLContext, tls: Tls) -> None:
    """The certificate is checked, and its name; nobody is bound to whom nobody vouches for."""
    with message_centre(serving_tls) as centre:
        use(ground, centre, host="localhost", security="tls", certificate_authority=tls.authority)
        first = send(ground)
        worker.drain(ground.app)
        assert receipt(ground, first).state == "sent"
        centre.report("smsc-1")
        soon(settled(ground, first))
        use(ground, centre, host="localhost", security="tls")
        second = send(ground)
        worker.drain(ground.app)
        assert receipt(ground, second).reason == "tls"
        use(ground, centre, host="127.0.0.1", security="tls", certificate_authority=tls.authority)
        third = send(ground)
        worker.drain(ground.app)
        assert receipt(ground, third).reason == "tls", "the certificate is localhost's"
        gateways.close_lines()
    assert len(centre.submitted) == 1


# ---- reports ----


@pytest.mark.parametrize("tlv", [False, True])
@pytest.mark.parametrize(("state", "ends"), [("DELIVRD", ("delivered", None)), ("UNDELIV", ("failed", "undeliv"))])
def test_a_report(ground: Ground, centre: Centre, tlv: bool, state: str, ends: tuple[str, str | None]) -> None:
    """As text and as parameters; acknowledged once it is written down, harmless twice (R13); on the way it changes nothing."""
    use(ground, centre)
    message_id = send(ground)
    worker.drain(ground.app)
    centre.report("smsc-1", "ENROUTE")
    soon(lambda: centre.acknowledged == [(7001, 0)])
    assert receipt(ground, message_id).state == "sent"
    centre.report("smsc-1", state, sequence=7002, tlv=tlv)
    soon(settled(ground, message_id))
    soon(lambda: centre.acknowledged[1:] == [(7002, 0)])
    for sequence in (7003, 7004):
        centre.report("smsc-1", "DELIVRD" if sequence == 7003 else "UNDELIV", sequence=sequence)
    soon(lambda: heard(ground) >= 0 and len(centre.acknowledged) == 4)
    found = receipt(ground, message_id)
    assert (found.state, found.reason) == ends


def test_a_report_that_is_quicker_than_we_are(ground: Ground, centre: Centre) -> None:
    """It is kept until the message is known, and only then acknowledged: the centre's own memory is the safer one."""
    use(ground, centre)
    first = send(ground)
    worker.drain(ground.app)
    centre.report("smsc-2")
    deadline = time.monotonic() + 0.4
    while time.monotonic() < deadline:
        assert heard(ground) == 0
        time.sleep(0.05)
    assert centre.acknowledged == []
    second = send(ground)
    worker.drain(ground.app)
    soon(settled(ground, second))
    soon(lambda: centre.acknowledged == [(7001, 0)])
    assert receipt(ground, first).state == "sent"


def test_what_is_no_report(ground: Ground, centre: Centre) -> None:
    """Somebody's answer to a text is acknowledged and dropped, whatever it says."""
    use(ground, centre)
    message_id = send(ground)
    worker.drain(ground.app)
    centre.report("smsc-1", esm_class=0)
    soon(lambda: centre.acknowledged == [(7001, 0)])
    assert heard(ground) == 0
    assert receipt(ground, message_id).state == "sent"


def test_ids_in_hexadecimal(ground: Ground, centre: Centre) -> None:
    """A centre that calls a message 1F when it takes it, and 31 in its report."""
    centre.name = lambda number: f"{number + 30:X}"
    use(ground, centre, report_ids="decimal")
    message_id = send(ground)
    worker.drain(ground.app)
    centre.report("31")
    soon(settled(ground, message_id))
    assert receipt(ground, message_id).state == "delivered"


def test_reports_that_waited_for_us(ground: Ground, centre: Centre) -> None:
    """The worker binds when it begins, not with its first message: what the centre has to say of former ones is heard."""
    use(ground, centre)
    message_id = send(ground)
    worker.drain(ground.app)
    gateways.close_lines()
    with working(ground.app):
        soon(lambda: len(centre.binds) == 2 and len(centre.lines) == 1)
        centre.report("smsc-1")
        soon(lambda: receipt(ground, message_id).state == "delivered")


# ---- what goes wrong ----

FAULTS = {
    smsc.THROTTLED: "throttled",
    smsc.QUEUE_FULL: "queue_full",
    smsc.BAD_NUMBER: "bad_number",
    0x08: "smpp_08",
    "hang": "timeout",
    "close": "connection",
    "nack": "smpp_03",
}


@pytest.mark.parametrize(("answer", "word"), FAULTS.items())
def test_the_next_gateway_is_asked(ground: Ground, centre: Centre, far_end: FarEnd, answer: int | str, word: str) -> None:
    """R13: whatever the centre does, the message goes out by the next gateway in the same try, and nothing of it is in the log."""
    use(ground, centre, a_webhook(far_end))
    centre.answers.append(answer)
    with logged() as log:
        message_id = send(ground)
        began = time.monotonic()
        worker.drain(ground.app)
        assert time.monotonic() - began < 2
        found = receipt(ground, message_id)
        assert (found.state, found.gateway, found.passed, found.tries) == ("sent", "gw1", f"centre {word}", 1)
        after = send(ground)
        worker.drain(ground.app)
        assert receipt(ground, after).gateway == "centre", "the line is there again"
    assert [asked.key for asked in far_end.asked] == [message_id]
    said = log.getvalue()
    secrets = (CODE, PHONE[1:], smsc.PASSWORD, CODE.encode("utf-16-be").hex(), PHONE[1:].encode().hex())
    assert [secret for secret in secrets if secret in said] == []


def test_a_wrong_password(ground: Ground, centre: Centre) -> None:
    """The word is `login`; and every try is one bind, not a flood of them."""
    use(ground, centre, password="wrong")
    message_id = send(ground)
    with clock.freeze(clock.now()):
        worker.drain(ground.app)
    assert receipt(ground, message_id).reason == "login"
    assert len(centre.binds) == 1


def test_nobody_is_there(ground: Ground, centre: Centre) -> None:
    """A closed port."""
    use(ground, centre, port=1)
    message_id = send(ground)
    worker.drain(ground.app)
    assert receipt(ground, message_id).reason == "connection"


def test_a_line_that_breaks_is_made_again(ground: Ground, centre: Centre) -> None:
    """Without a message: reports are to be heard. The centre's own unbind is answered, and is no reason to stay away."""
    use(ground, centre)
    send(ground)
    worker.drain(ground.app)
    centre.cut()
    soon(lambda: len(centre.binds) == 2 and len(centre.lines) == 1)
    centre.say(smsc.UNBIND)
    soon(lambda: len(centre.binds) == 3)
    send(ground)
    worker.drain(ground.app)
    assert len(centre.submitted) == 2


def test_a_silent_line_is_tried(ground: Ground, centre: Centre) -> None:
    """enquire_link goes both ways; a centre that does not answer it any more is left, and met again when it hears."""
    use(ground, centre, enquire_every=0.2, timeout=0.4)
    send(ground)
    worker.drain(ground.app)
    soon(lambda: centre.enquired >= 2)
    centre.say(smsc.ENQUIRE)
    centre.say(0x0000BEEF)  # nobody's command: read over
    soon(lambda: centre.enquired >= 3)
    assert len(centre.binds) == 1
    centre.deaf = True
    soon(lambda: centre.lines == [])
    centre.deaf = False
    soon(lambda: len(centre.binds) >= 2)


def test_left_while_it_is_being_made(ground: Ground, centre: Centre) -> None:
    """A worker that ends in the moment in which its line is made holds none afterwards: the centre would wait for its reports."""
    use(ground, centre)
    centre.slow = threading.Event()
    with ground.app.app_context():
        gateways.open_lines()
    soon(lambda: len(centre.binds) == 1)
    threading.Timer(0.2, centre.slow.set).start()
    gateways.close_lines()
    soon(lambda: centre.lines == [], 2)
    assert not [thread for thread in threading.enumerate() if thread.name == "smpp centre"]


def test_many_wait_for_one_line(ground: Ground, centre: Centre) -> None:
    """Answers may come in any order, each finds its message: twelve at once, one of which the centre never answers."""
    use(ground, centre, timeout=1.5)
    centre.answers.extend([smsc.OK] * 4 + ["hang"])
    sent = [send(ground, expires_at=clock.now() + timedelta(seconds=1)) for _ in range(12)]
    with working(ground.app):
        soon(lambda: len(centre.submitted) == 12)
        soon(lambda: sum(row.state == "sent" for row in ground.rows(Receipt)) == 11)
        assert threading.active_count() < 40
    rows = {row.id: row.gateway_message_id for row in ground.rows(Receipt) if row.state == "sent"}
    assert len(set(rows.values())) == 11
    assert set(rows) < set(sent)
    assert sum(row.state == "done" for row in ground.rows(Outbox)) == 11


def test_what_doctor_asks(ground: Ground, centre: Centre) -> None:
    """It binds and tries the line, and leaves; nothing is sent."""
    use(ground, centre)
    [(name, says, is_well)] = gateways.look()
    assert (name, is_well) == ("centre (sms)", True)
    assert "binds as bazar (transceiver, none)" in says
    assert (centre.enquired, centre.unbound, centre.submitted) == (1, 1, [])
    use(ground, centre, password="wrong")
    [(_, says, is_well)] = gateways.look()
    assert (says, is_well) == ("does not answer (login)", False)
