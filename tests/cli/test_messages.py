"""`idp messages test`, and what doctor and check say of what carries messages (commands.md): no secret of a gateway is ever printed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cli.running import Place
from tests.messages.far_end import FarEnd, Mailbox, http_gateway, mail_server

PHONE, MAIL = "+79005550001", "anna@example.com"
SECRETS = ("Zk3-gateway-token", "hunter2")


@pytest.fixture(scope="module")
def far_end() -> Iterator[FarEnd]:
    """A gateway."""
    with http_gateway() as end:
        yield end


@pytest.fixture(scope="module")
def box() -> Iterator[Mailbox]:
    """A mail server."""
    with mail_server() as mailbox:
        yield mailbox


@pytest.fixture
def sending(place: Place, far_end: FarEnd, box: Mailbox) -> Place:
    """A place whose messages go there."""
    far_end.clear()
    box.clear()
    webhook = {"kind": "webhook", "url": f"{far_end.url}/send?key={SECRETS[0]}", "body": {"to": "{to}", "text": "{text}"}, "timeout": 2}
    webhook |= {"headers": {"Authorization": f"Bearer {SECRETS[1]}"}, "message_id": "messages.0.id"}
    apprise = {"kind": "apprise", "url": f"{far_end.url.replace('http', 'json', 1)}/{SECRETS[0]}?:to={{to}}", "timeout": 2}
    return Place(
        place.folder,
        {
            "IDP_MESSAGES__CHANNEL": "gateways",
            "IDP_MESSAGES__SMS": "main,spare",
            "IDP_MESSAGES__GATEWAYS": json.dumps({"main": webhook, "spare": apprise}),
            "IDP_SMTP__HOST": "localhost",
            "IDP_SMTP__PORT": str(box.port),
            "IDP_SMTP__SECURITY": "none",
            "IDP_SMTP__SENDER": "id@example.com",
        },
    )


def test_a_test_message(sending: Place, far_end: FarEnd, box: Mailbox) -> None:
    """To a number and to an address: it arrives, and the answer says who took it and under which name."""
    done = sending.idp("messages", "test", "--to", PHONE, "--language", "en", "--format", "json")
    said = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert (said["channel"], said["gateway"], said["state"], said["reason"]) == ("sms", "main", "sent", None)
    assert said["gateway_message_id"] == "gw-1"
    [asked] = far_end.asked
    assert asked.key == said["message_id"]
    assert asked.json == {"to": PHONE, "text": "Bazar ID: a test message. Nothing has to be done."}
    done = sending.idp("messages", "test", "--to", MAIL)
    assert done.code == 0
    assert "smtp" in done.out
    assert [message["To"] for message in box.taken] == [MAIL]


def test_a_test_message_that_nobody_takes(sending: Place, far_end: FarEnd) -> None:
    """Exit code 1, the word of the last gateway, and nothing of what it was asked."""
    far_end.answers.extend([500, 503])
    done = sending.idp("messages", "test", "--to", PHONE, "--format", "json")
    assert done.code == 1
    said = json.loads(done.out)
    assert (said["state"], said["gateway"], said["reason"]) == ("failed", "spare", "status_503")
    assert "status_503" in done.err
    assert not any(secret in done.out + done.err for secret in (*SECRETS, PHONE))


def test_the_inbox_takes_it_too(place: Place) -> None:
    """On a desk it is in the inbox."""
    said = json.loads(place.idp("messages", "test", "--to", PHONE, "--format", "json").out)
    assert (said["gateway"], said["state"]) == ("inbox", "delivered")


@pytest.mark.parametrize(("to", "said"), [("12", "phone number"), ("a@b", "e-mail address")])
def test_where_to_must_be_known(place: Place, to: str, said: str) -> None:
    """What is neither number nor address is refused before anything is sent."""
    done = place.idp("messages", "test", "--to", to)
    assert (done.code, done.out) == (1, "")
    assert said in done.err


def test_mail_without_a_server(sending: Place) -> None:
    """What to set is said."""
    done = sending.idp("messages", "test", "--to", MAIL, IDP_SMTP__HOST="")
    assert done.code == 1
    assert "[smtp] host" in done.err


def test_doctor_asks_the_channels(sending: Place, far_end: FarEnd, box: Mailbox) -> None:
    """The mail server is asked, gateways are not: that would cost a message; no secret is told."""
    done = sending.idp("doctor", "--format", "json")
    channels = next(line for line in json.loads(done.out) if line["name"] == "channels")
    assert channels["state"] == "ok"
    for part in (
        "main (sms): POST to localhost, not called",
        "spare (sms): JSON by apprise",
        f"smtp (email): localhost:{box.port} answers",
    ):
        assert part in channels["says"]
    assert (far_end.asked, box.taken) == ([], [])
    assert not any(secret in done.out + done.err for secret in SECRETS)
    wrong = {"main": {"kind": "apprise", "url": f"nosuch://{SECRETS[0]}@{{to}}"}}
    done = sending.idp("doctor", IDP_SMTP__PORT="1", IDP_MESSAGES__SMS="main", IDP_MESSAGES__GATEWAYS=json.dumps(wrong))
    assert done.code == 1
    assert "main (sms): apprise cannot read its url" in done.out
    assert "smtp (email): does not answer (connection)" in done.out
    assert SECRETS[0] not in done.out + done.err


def test_check_hides_gateways(sending: Place) -> None:
    """Addresses, headers, bodies and passwords, whole; what is no secret is shown."""
    secret = {"password": "hunter2", "host": "localhost"}
    more = {
        "operator": secret | {"kind": "smpp", "security": "none", "system_id": "bazar"},
        "second": secret | {"kind": "smtp", "security": "none", "user": "idp", "sender": "spare@example.com"},
    }
    gateways = json.dumps(json.loads(sending.variables["IDP_MESSAGES__GATEWAYS"]) | more)
    for form in ("table", "json"):
        given = {"IDP_SMTP__USER": "idp", "IDP_SMTP__PASSWORD": "hunter2", "IDP_MESSAGES__GATEWAYS": gateways}
        done = sending.idp("check", "--format", form, **given)
        assert done.code == 0, done.err
        assert not any(secret in done.out + done.err for secret in SECRETS)
        for shown in ("main", "spare", "webhook", "apprise", "messages.0.id", "id@example.com", "bazar", "spare@example.com"):
            assert shown in done.out


# ---- what became of them ----


@pytest.fixture
def two_codes(sending: Place, far_end: FarEnd) -> tuple[str, str]:
    """The ids of two tests: one that was taken by the second gateway, one that nobody took."""
    far_end.answers.extend([500, "ok", 500, 503])
    ids = [json.loads(sending.idp("messages", "test", "--to", to, "--format", "json").out)["message_id"] for to in (PHONE, "+79005550002")]
    return ids[0], ids[1]


def test_listed_and_shown(sending: Place, two_codes: tuple[str, str]) -> None:
    """Channel, gateway, state, reason, times; by number, state and time; the number masked, no text."""
    taken, refused = two_codes
    done = sending.idp("messages", "list", "--format", "json")
    found = {row["id"]: row for row in json.loads(done.out)}
    assert (found[taken]["state"], found[taken]["gateway"], found[taken]["passed"]) == ("sent", "spare", "main status_500")
    assert (found[refused]["state"], found[refused]["reason"], found[refused]["recipient"]) == ("failed", "status_503", "+7…02")
    by_all = ("--phone", "8 900 555 00 02", "--since", "1h", "--state", "failed", "--limit", "5", "--format", "json")
    assert [row["id"] for row in json.loads(sending.idp("messages", "list", *by_all).out)] == [refused]
    shown = json.loads(sending.idp("messages", "show", taken, "--format", "json").out)
    assert (shown["wording"], shown["tries"], shown["passed"]) == ("test", 1, "main status_500")
    assert shown["created_at"] <= shown["sent_at"]
    done = sending.idp("messages", "list")
    assert done.code == 0
    assert "spare" in done.out
    assert not any(secret in done.out + done.err for secret in (*SECRETS, PHONE, PHONE[1:], "a test message"))
    done = sending.idp("messages", "show", "out_nobody")
    assert (done.code, "no message 'out_nobody'" in done.err) == (1, True)


def test_by_channel_and_gateway(sending: Place, far_end: FarEnd) -> None:
    """A test can go by one gateway and no other, and by every channel that is carried."""
    said = json.loads(sending.idp("messages", "test", "--to", PHONE, "--gateway", "spare", "--format", "json").out)
    assert (said["gateway"], said["state"]) == ("spare", "sent")
    gateway = {"kind": "webhook", "url": f"{far_end.url}/flash", "body": {"to": "{to}", "from": "{code}"}}
    text = {"kind": "webhook", "url": f"{far_end.url}/send", "body": {"to": "{to}", "text": "{text}"}}
    flash = {
        "IDP_MESSAGES__SMS": "main",
        "IDP_MESSAGES__GATEWAYS": json.dumps({"main": text, "flash": gateway}),
        "IDP_MESSAGES__FLASH_CALL": "flash",
        "IDP_MESSAGES__LADDER": json.dumps({"default": ["flash_call", "sms"]}),
    }
    far_end.clear()
    said = json.loads(sending.idp("messages", "test", "--to", PHONE, "--channel", "flash_call", "--format", "json", **flash).out)
    assert far_end.asked[0].json == {"to": PHONE, "from": said["caller_ends_in"]}
    for words, told, code in (
        (("--to", PHONE, "--channel", "voice"), "set [messages] voice", 1),
        (("--to", PHONE, "--gateway", "nobody"), "'nobody' carries no sms. There are: main, spare", 1),
        (("--to", MAIL, "--channel", "sms"), "goes to an address", 2),
    ):
        done = sending.idp("messages", "test", *words)
        assert (done.code, told in done.err) == (code, True), done.err


def test_what_waits_is_listed_too(place: Place) -> None:
    """Before anybody was asked: queued, with its channel and nothing of its text; and it is shown when it will be tried."""
    program = (
        "from idp.cli.setting import at_work\n"
        "from idp.db.session import writes\n"
        "from idp.messages import channels\n"
        "with at_work(), writes():\n"
        f"    print(channels.send('voice', '{PHONE}', 'sign_in_code', 'ru', code='493817'))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=place.folder, env=place.environment, capture_output=True, text=True, check=True, timeout=60
    )
    message_id = ran.stdout.split()[-1]
    [row] = json.loads(place.idp("messages", "list", "--format", "json", "--phone", PHONE).out)
    assert (row["id"], row["state"], row["channel"], row["recipient"], row["gateway"]) == (message_id, "queued", "voice", "+7…01", None)
    shown = json.loads(place.idp("messages", "show", message_id, "--format", "json").out)
    assert shown["next_try_at"] == shown["created_at"]
    assert "493817" not in json.dumps([row, shown])


def test_by_the_id_that_the_person_reads_out(place: Place) -> None:
    """The page tells the person an id `for support`: with it support sees each sending, and the reason of one that failed."""
    program = (
        "from idp import clock\n"
        "from idp.cli.setting import at_work\n"
        "from idp.credentials import phone_code\n"
        "from idp.db.session import writes\n"
        "from idp.messages import receipts\n"
        "with at_work():\n"
        "    with writes():\n"
        f"        code = phone_code.begin('{PHONE}', flow_id='flw_1', purpose='sign_in', language='en', network='203.0.113.0/24')\n"
        "        with clock.freeze(code.next_send_at):\n"
        "            phone_code.resend(code.id, 'flw_1', 'sms')\n"
        "    with writes():\n"
        "        first = phone_code.phone_sendings.messages_of(code.id)[0]\n"
        f"        about = dict(channel='sms', wording='sign_in_code', to='{PHONE}', gateway='main', reason='absent', given_up=True)\n"
        "        receipts.failed(first, **about)\n"
        "    print(code.id)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=place.folder, env=place.environment, capture_output=True, text=True, check=True, timeout=60
    )
    code_id = ran.stdout.split()[-1]
    done = place.idp("messages", "show", code_id)
    assert (done.code, f"idp messages list --code {code_id}" in done.err) == (1, True)
    rows = json.loads(place.idp("messages", "list", "--code", code_id, "--format", "json").out)
    assert {(row["state"], row["gateway"], row["reason"], row["recipient"]) for row in rows} == {
        ("failed", "main", "absent", "+7…01"),
        ("queued", None, None, "+7…01"),
    }
    assert json.loads(place.idp("messages", "list", "--code", "otp_nobody", "--format", "json").out) == []
    assert place.idp("messages", "list", "--code", code_id, "--phone", PHONE).code == 2
