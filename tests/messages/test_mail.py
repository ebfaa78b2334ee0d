"""Mail leaves the house: by SMTP to a real server, with STARTTLS, TLS or neither, that refuses, hangs and breaks off.

RFC 5322 §3.6.4 (Message-ID), RFC 3834 §5 (Auto-Submitted), RFC 3207 §4.1 (STARTTLS is required, not hoped for). Promises R2, R13; case 62.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from idp import clock, outbox
from idp.cli import worker
from idp.languages import LANGUAGES
from idp.messages import channels, mail, receipts, wording
from idp.messages.gateway import GatewayFailed
from idp.outbox import Outbox
from tests.ground import Ground
from tests.journeys.stage import Tls
from tests.messages.far_end import PASSWORD, USER, Mailbox, mail_server
from tests.messages.test_gateways import CODE, Died, logged, receipt

TO = "anna@example.com"


@pytest.fixture(scope="module")
def _box(serving_tls: ssl.SSLContext) -> Iterator[Mailbox]:
    with mail_server(serving_tls, login=True) as box:
        yield box


@pytest.fixture
def box(_box: Mailbox) -> Mailbox:
    """A server that wants STARTTLS and a login, with a clean slate."""
    _box.clear()
    return _box


def use(ground: Ground, box: Mailbox, tls: Tls | None, **more: Any) -> None:
    """Make this the mail server."""
    smtp = {"host": "localhost", "port": box.port, "sender": "id@example.com", "timeout": 1, "user": USER, "password": PASSWORD}
    smtp |= {"certificate_authority": tls.authority if tls else None, **more}
    gateway = {"kind": "webhook", "url": "https://gateway.example/?to={to}&text={text}"}
    ground.use(messages={"channel": "gateways", "sms": ["main"], "gateways": {"main": gateway}}, smtp=smtp)


def send(ground: Ground, words: str = "sign_in_code", language: str = "ru", to: str = TO, **more: Any) -> str:
    """A mail, its id."""
    with ground.writes():
        code = CODE if words == "sign_in_code" else None
        return str(channels.send("email", to, words, language, code=code, **more))


def parts(message: EmailMessage) -> dict[str, str]:
    """Type and text of each part."""
    return {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_by_mail(ground: Ground, box: Mailbox, tls: Tls, language: str) -> None:
    """Plain text and HTML in the reader's language, the headers that such a mail has, and no code in its subject."""
    use(ground, box, tls)
    with clock.freeze(clock.now()):
        message_id = send(ground, language=language)
        worker.drain(ground.app)
        [message] = box.taken
        assert parsedate_to_datetime(message["Date"]) == clock.now().replace(microsecond=0)
    brand = wording.brand(language)
    assert message["Message-ID"] == f"<{message_id}@id.example.com>"
    assert (message["From"], message["To"]) == (f"{brand} <id@example.com>", TO)
    assert (message["Auto-Submitted"], message["Content-Language"]) == ("auto-generated", language)
    assert message.get_content_type() == "multipart/alternative"
    assert brand in message["Subject"]
    assert CODE not in str(message["Subject"])
    found = parts(message)
    assert list(found) == ["text/plain", "text/html"]
    assert found["text/plain"].strip() == wording.compose("sign_in_code", "email", language, code=CODE).text
    page = found["text/html"]
    assert f'<html lang="{language}">' in page
    assert f">{CODE}</p>" in page
    assert not re.search(r"<(a|img|script|link|form)\b|https?:|url\(", page), "nothing to follow, nothing that is fetched"
    assert box.sessions == [{"tls": True, "user": True, "to": [TO]}]
    found_receipt = receipt(ground, message_id)
    assert (found_receipt.state, found_receipt.gateway, found_receipt.channel) == ("sent", "smtp", "email")


def test_words_of_others_in_mail(ground: Ground, box: Mailbox, tls: Tls) -> None:
    """Case 74: what a browser calls itself cannot bring a link, markup or a header along."""
    use(ground, box, tls)
    send(ground, "browser_new", "en", params={"browser": '<a href="http://evil.example">x</a>\r\nBcc: all@example.com'})
    worker.drain(ground.app)
    [message] = box.taken
    assert message["Bcc"] is None
    for said in parts(message).values():
        assert "evil.example" not in said
        assert "<a " not in said


FAILURES = {421: "status_421", 451: "status_451", 554: "status_554", "rcpt": "status_550", "close": "connection", "hang": "timeout"}


@pytest.mark.parametrize(("answer", "word"), FAILURES.items())
def test_whatever_the_server_does_it_is_tried_again(ground: Ground, box: Mailbox, tls: Tls, answer: int | str, word: str) -> None:
    """R13: a word is kept, and the mail goes out at the next try with the same Message-ID; address, text and password are in no log."""
    use(ground, box, tls)
    box.answers.append(answer)
    with clock.freeze(clock.now()) as shift, logged() as log:
        message_id = send(ground)
        worker.drain(ground.app)
        found = receipt(ground, message_id)
        assert (found.state, found.reason, found.gateway) == ("queued", word, "smtp")
        assert [row.last_error for row in ground.rows(Outbox)] == [word]
        shift(5)
        worker.drain(ground.app)
        assert receipt(ground, message_id).state == "sent"
    assert {message["Message-ID"] for message in box.taken} == {f"<{message_id}@id.example.com>"}
    assert len(box.taken) == (2 if answer in {"close", "hang"} else 1)  # it was taken, and nobody said so
    assert [secret for secret in (CODE, TO, "anna", PASSWORD, "no such mailbox") if secret in log.getvalue()] == []


def test_a_worker_that_dies_after_sending(ground: Ground, box: Mailbox, tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    """R2: it is sent again, and is the same mail to whoever reads it."""
    use(ground, box, tls)

    def die(*_: object) -> bool:
        raise Died

    with clock.freeze(clock.now()) as shift:
        message_id = send(ground)
        with monkeypatch.context() as patch:
            patch.setattr(outbox, "done", die)
            with pytest.raises(Died):
                worker.drain(ground.app)
        shift(worker.LEASE + 1)
        worker.drain(ground.app)
    assert [message["Message-ID"] for message in box.taken] == [f"<{message_id}@id.example.com>"] * 2


def test_nothing_after_its_time(ground: Ground, box: Mailbox, tls: Tls) -> None:
    """R2: a code whose five minutes are over is not sent."""
    use(ground, box, tls)
    with clock.freeze(clock.now()) as shift:
        send(ground, expires_at=clock.now() + timedelta(minutes=5))
        shift(300)
        worker.drain(ground.app)
    assert box.taken == []


# ---- who is at the other end ----


def test_tls_from_the_first_byte(ground: Ground, serving_tls: ssl.SSLContext, tls: Tls) -> None:
    """`security = "tls"`; and nobody is spoken to whose certificate nobody vouches for."""
    with mail_server(serving_tls, starttls=False) as box:
        use(ground, box, tls, security="tls", user="", password="")
        send(ground)
        worker.drain(ground.app)
        assert len(box.taken) == 1
        use(ground, box, None, security="tls", user="", password="")
        message_id = send(ground)
        worker.drain(ground.app)
        assert receipt(ground, message_id).reason == "tls"
        assert len(box.taken) == 1


def test_starttls_is_required(ground: Ground, box: Mailbox, tls: Tls) -> None:
    """RFC 3207 §4.1: where it is not offered, somebody may have taken it out; where the certificate is not good, somebody is in between."""
    with mail_server() as plain:
        use(ground, plain, tls, user="", password="")
        message_id = send(ground)
        worker.drain(ground.app)
        assert (receipt(ground, message_id).reason, plain.taken) == ("not_supported", [])
        use(ground, plain, tls, user="", password="", security="none")
        send(ground)
        worker.drain(ground.app)
        assert [session["tls"] for session in plain.sessions] == [False]
    use(ground, box, None)
    message_id = send(ground)
    worker.drain(ground.app)
    assert (receipt(ground, message_id).reason, box.taken) == ("tls", [])


def test_a_wrong_password(ground: Ground, box: Mailbox, tls: Tls) -> None:
    """The server's word is kept, the password is not told."""
    use(ground, box, tls, password="Wrong-Horse-8")
    with logged() as log:
        message_id = send(ground)
        worker.drain(ground.app)
    assert receipt(ground, message_id).reason == "status_535"
    assert "Wrong-Horse" not in log.getvalue()


def test_what_doctor_asks(ground: Ground, box: Mailbox, tls: Tls) -> None:
    """NOOP, after STARTTLS and login; nothing is sent."""
    use(ground, box, tls)
    assert "answers (starttls)" in mail.look("smtp", ground.settings.smtp)
    assert box.taken == []
    use(ground, box, tls, password="Wrong-Horse-8")
    with pytest.raises(GatewayFailed, match=r"^smtp: status_535$"):
        mail.look("smtp", ground.settings.smtp)


def test_without_a_server_no_mail_is_put_in(ground: Ground, box: Mailbox, tls: Tls) -> None:
    """Who sends asks first whether anybody carries it."""
    use(ground, box, tls)
    assert [channels.is_carried(kind) for kind in ("sms", "email", "voice")] == [True, True, False]
    use(ground, box, tls, host="")
    assert [channels.is_carried(kind) for kind in ("sms", "email", "voice")] == [True, False, False]
    ground.use()
    assert all(channels.is_carried(kind) for kind in ("sms", "email", "voice"))


def test_a_domain_of_the_reader(ground: Ground, box: Mailbox, tls: Tls) -> None:
    """A domain in Russian goes out as DNS has it."""
    use(ground, box, tls)
    send(ground, to="anna@почта.рф")
    worker.drain(ground.app)
    assert [session["to"] for session in box.sessions] == [["anna@xn--80a1acny.xn--p1ai"]]


def test_receipts_are_found(ground: Ground, box: Mailbox, tls: Tls) -> None:
    """The newest first; and they hold neither address nor text."""
    use(ground, box, tls)
    with clock.freeze(clock.now()) as shift:
        ids = []
        for _ in range(3):
            ids.append(send(ground))
            worker.drain(ground.app)
            shift(1)
    with ground.reads():
        assert [row.id for row in receipts.newest(2)] == [ids[2], ids[1]]
    assert not any(secret in ground.dump() for secret in (TO, CODE))
