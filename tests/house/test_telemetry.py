"""Logs and metrics: one event is one line, no line holds a secret, and the counts of all processes come together.

threats.md cases 41 (secrets in logs) and 125 (forged lines); pages.md §4 (names of the metrics).
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp import clock, config, telemetry
from tests.machine import count, free_port

Lines = Callable[[], list[dict[str, Any]]]
JWT = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJlLW9mLXRoaXMtdG9rZW4"
SECRET = "Zk3vJ8-qLw_pT5xYbN1mR7sD2fG9hK4cV6aE0uQiOtX"  # as crypto.new_secret makes them


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is a thing of the whole process: put back what a test changed."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in telemetry.QUIET}
    telemetry.forget()
    yield
    telemetry.forget()
    logging.captureWarnings(False)
    root.handlers, root.level = handlers, level
    for name, was in levels.items():
        logging.getLogger(name).setLevel(was)
    telemetry._configure(logging.INFO, telemetry._as_json, None)


def begin(**values: Any) -> tuple[io.StringIO, Lines]:
    stream = io.StringIO()
    telemetry.set_up(config.Telemetry(**values), stream=stream)
    return stream, lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


# ---- one event, one line ----


def test_a_line_says_when_what_and_in_which_request() -> None:
    _, lines = begin()
    telemetry.bind(request_id="req_1", client_id="seller")
    with clock.freeze(datetime(2026, 11, 22, 10, 0, tzinfo=UTC)):
        telemetry.log.info("message_sent", channel="sms", result="ok", duration_ms=12)
    assert lines() == [
        {
            "ts": "2026-11-22T10:00:00.000+00:00",
            "level": "info",
            "event": "message_sent",
            "request_id": "req_1",
            "client_id": "seller",
            "channel": "sms",
            "result": "ok",
            "duration_ms": 12,
        }
    ]
    assert telemetry.request_id() == "req_1"
    telemetry.bind(request_id="req_2")
    telemetry.log.info("next")
    assert "client_id" not in lines()[1], "one request spoke in the name of another"
    telemetry.forget()
    assert telemetry.request_id() == ""


FORGED = {
    "a second line": 'x\r\n{"ts":"2026-01-01T00:00:00Z","level":"info","event":"login.success"}',
    "a quote": 'x","event":"login.success","x":"',
    "what else ends a line": "x\u2028y\u2029z\x85next\x1c\x1d\x1e\x0b\x0c",
    "orders to a terminal": "\x1b[2K\x1b[1Aall is well",
    "writing backwards": "\u202egnp.exe\u2066",
    "nothing": "\x00",
}


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED.keys())
def test_nothing_that_is_sent_makes_a_second_line(text: str) -> None:
    """Case 125: line ends, quotes, control characters in a value: one event is one line, parsed back equal."""
    stream, lines = begin()
    telemetry.log.info("refused", ua=text, client=text)
    logging.getLogger("anything").warning("%s", text)
    written = stream.getvalue()
    assert len(written.splitlines()) == written.count("\n") == 2
    first, second = lines()
    assert (first["event"], first["ua"], first["client"]) == ("refused", text, text)
    assert second["event"] == text
    assert not re.search("[\x00-\x09\x0b-\x1f\x80-\x9f\u2028-\u202e\u2066-\u2069]", written)


def test_half_of_a_pair_is_one_line() -> None:
    """Case 125: what is no valid UTF-8 must not end in silence either."""
    stream, lines = begin()
    telemetry.log.info("refused", ua="half of a pair \ud800\n")
    assert lines()[0]["ua"] == "half of a pair \ud800\n"
    assert stream.getvalue().isascii()


@pytest.mark.fuzz
@settings(max_examples=count(200, 50_000), deadline=None)
@given(st.text(alphabet=st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Ll", "Po"]), max_size=60))
def test_whatever_is_sent_is_one_line(text: str) -> None:
    """Case 125, with made-up input."""
    stream, lines = begin()
    telemetry.log.info("refused", ua=text)
    assert len(stream.getvalue().splitlines()) == 1
    if "…" not in text and "@" not in text:
        assert lines()[0]["ua"] == text


def test_the_form_for_eyes_keeps_to_one_line_too() -> None:
    """Case 125, at a terminal."""
    stream, _ = begin(log_format="console")
    telemetry.log.info("refused\nlogin.success", ua="a\r\nb\x1b[2K")
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_an_exception_is_one_line_and_is_searched_for_secrets_as_well() -> None:
    stream, lines = begin()
    try:
        raise ValueError(f"Key (phone)=(+79161234567) already exists\n[SQL: INSERT]\n[parameters: ('usr_1', '{SECRET}', '123456')]\n")
    except ValueError:
        telemetry.log.exception("broken")
        logging.getLogger("idp.web").exception("broken", extra={"route": "/token", "token": SECRET})
    assert stream.getvalue().count("\n") == 2
    for line in lines():
        assert "Traceback" in line["exception"]
        assert "(phone)=(+…67) already exists" in line["exception"]
        assert SECRET not in str(line)
        assert "123456" not in str(line)
    assert lines()[1]["route"] == "/token"


def test_a_closed_stream_fails_no_request() -> None:
    stream, _ = begin()
    stream.close()
    telemetry.log.info("said to nobody")


def test_a_message_without_its_arguments_fails_no_request() -> None:
    _, lines = begin()
    (bridge,) = (handler for handler in logging.getLogger().handlers if isinstance(handler, telemetry._Bridge))
    bridge.handle(logging.LogRecord("anything", logging.WARNING, __file__, 1, "%d is a number", ("this",), None))
    assert lines()[0]["event"] == "%d is a number"


def test_what_is_not_json_is_still_said() -> None:
    _, lines = begin()
    telemetry.log.info("odd", huge=2**70, at=datetime(2026, 1, 1, tzinfo=UTC), path=Path("/x"), raw=b"ok", many={1}, table={1: {"a": None}})
    said = lines()[0]
    assert (said["huge"], said["path"], said["raw"], said["many"], said["table"]) == (2**70, "/x", "ok", [1], {"1": {"a": None}})
    assert said["at"].startswith("2026-01-01")


# ---- no secret ----


@pytest.mark.parametrize(
    "name",
    "code otp token access_token refresh_token id_token secret client_secret password new_password cookie set_cookie Set-Cookie "
    "authorization Authorization code_verifier verifier client_assertion id_token_hint login_hint device_code dpop recovery_code".split(),
)
@pytest.mark.parametrize("value", [SECRET, "123456", 123456, ["a-b-c-d"], {"x": "a-b-c-d"}, b"a-b-c-d"])
def test_a_value_is_hidden_for_its_name(name: str, value: Any) -> None:
    """Case 41: also deep inside, and when it is a number or a list."""
    stream, _ = begin()
    telemetry.log.info("said", **{name: value})
    telemetry.log.info("said", deep=[{"list": [{name: value}]}], headers=[(name, value)])
    telemetry.bind(**{name: value})
    telemetry.log.info("bound")
    logging.getLogger("other").warning("said", extra={name: value})
    for secret in (SECRET, "123456", "a-b-c-d"):
        assert secret not in stream.getvalue()
    assert stream.getvalue().count(telemetry.HIDDEN) == 5


LOOKS_LIKE_ONE = [
    f"Authorization: Bearer {SECRET}",
    f"got 'Bearer {SECRET}' from the client",
    "Basic c2VsbGVyOnMzY3JldC12YWx1ZQ==",
    f"GET /callback?code={SECRET}&state=x",
    "GET /callback?state=x&code=short1",
    "grant_type=refresh_token&refresh_token=rt_short1&client_id=seller",
    "client_secret=s3cret-value",
    '{"access_token": "short1", "token_type": "Bearer"}',
    "{'code_verifier': 'short1'}",
    "[('code', 'short1')]",
    f"token {JWT} refused",
    JWT,
    f"Issue token {{'access_token': '{JWT}', 'refresh_token': '{SECRET}'}} to seller",
    SECRET,
    f"({SECRET})",
    "Cookie: idp_session=short1; seller_session=s3cret-value",
    "__Host-idp_login=short1; Path=/",
    "[(b'Authorization', b'Basic c2VsbGVyOnMzY3JldC12YWx1ZQ==')]",
    "smsc://user:s3cret-value@gateway.example/79009998877",
    "postgresql+psycopg://idp:s3cret-value@db/idp",
    "Your code is 123456. Never tell it to anybody.",
    "Код для входа: 123456",
    "您的验证码是123456",
    "@id.example.com #123456",
]


@pytest.mark.parametrize("text", LOOKS_LIKE_ONE)
def test_a_value_is_hidden_for_what_it_looks_like(text: str) -> None:
    """Case 41: in the text of an event, in a value of a harmless name, in a message of the standard library."""
    stream, _ = begin()
    telemetry.log.info(text, note=text, notes=[text])
    logging.getLogger("other").warning("it was: %s", text)
    for secret in (SECRET, JWT, JWT.split(".")[2], "short1", "s3cret-value", "123456", "c2VsbGVyOnMzY3JldC12YWx1ZQ"):
        assert secret not in stream.getvalue()
    assert telemetry.HIDDEN in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sent to +79161234567", "sent to +…67"),
        ("sent to +7 (916) 123-45-67.", "sent to +…67."),
        ("?phone=%2B79161234567&x=1", "?phone=+…67&x=1"),
        ("+8613800138000", "+…00"),
        ("ivan.petrov@example.com wrote", "…@example.com wrote"),
    ],
)
def test_people_are_not_named(text: str, said: str) -> None:
    """A phone keeps its last two digits, so that support can tell two apart; an e-mail address its host."""
    assert telemetry.scrub(text) == said


def test_a_phone_is_cut_short_for_its_name_however_it_is_written() -> None:
    assert telemetry.redact("phone", "8 916 123-45-67") == "…67"
    assert telemetry.redact("to", 79161234567) == "…67"
    assert telemetry.redact("to", "ivan@example.com") == "…@example.com"


@pytest.mark.parametrize(
    "text",
    [
        "usr_01ABCDEFGHJKMNPQRSTVWXYZ00",
        "authorization_code",
        "invalid_grant: the code was used before",
        "GET /authorize?client_id=seller&code_challenge_method=S256",
        "2026-11-22T10:00:00.000+03:00",
        "status 200, error_code=17, status_code=200",
        "a3f5" * 16,  # a digest is no secret
        "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Safari/604.1",
        "ООО «Ромашка», ИНН 7707083893",
        "Basic authentication is not offered",
    ],
)
def test_what_is_needed_to_understand_a_line_stays(text: str) -> None:
    assert telemetry.scrub(text) == text


def test_authlib_never_tells_tokens() -> None:
    """Case 41: Authlib prints whole tokens at DEBUG. It stays at INFO whatever the level, and its lines are searched all the same."""
    stream, lines = begin(log_level="DEBUG")
    engine = logging.getLogger("authlib.oauth2.rfc6749.grants.authorization_code")
    engine.debug("Issue token %r to %r", {"access_token": SECRET}, "seller")
    engine.info("Issue token %r to %r", {"access_token": SECRET}, "seller")
    logging.getLogger("sqlalchemy.engine").info("[generated in 0.1s] ('%s',)", SECRET)
    logging.getLogger("httpcore2").debug("send_request_headers %r", [(b"Authorization", b"Bearer " + SECRET.encode())])
    telemetry.log.debug("ours")
    assert [line["event"] for line in lines()] == [f"Issue token {{'access_token': {telemetry.HIDDEN}}} to 'seller'", "ours"]
    assert SECRET not in stream.getvalue()


def test_a_long_value_is_cut() -> None:
    """A megabyte in a header must not be a megabyte in the log, nor a second of a processor."""
    began = time.perf_counter()
    for text in ("a" * 1_000_000, "a." * 500_000 + "@", "+1" * 500_000, "code" * 250_000, "eyJ" * 300_000):
        assert len(telemetry.scrub(text)) <= telemetry.LONGEST + 1
    assert time.perf_counter() - began < 2


def test_the_level_is_kept() -> None:
    _, lines = begin(log_level="WARNING")
    telemetry.log.info("quiet")
    logging.getLogger("other").info("quiet")
    telemetry.log.warning("loud")
    logging.getLogger("other").warning("loud")
    assert [line["event"] for line in lines()] == ["loud", "loud"]


# ---- metrics ----
# In processes of their own: whether counts are shared is decided once, when the library is loaded.

COUNT = """
import sys
from idp import telemetry
telemetry.count_event("login.success")
telemetry.count_event("login.failed", "wrong_code")
telemetry.count_message("sms", "RU", "sent")
telemetry.observe_code(12)
telemetry.count_token("refresh_token")
telemetry.observe_token_request(0.003)
telemetry.set_gauge("sessions", int(sys.argv[1]))
telemetry.set_gauge("key_age", 3600)
telemetry.set_gauge("gateways", 1, "main")
telemetry.count_limited("number_wrong_per_hour")
telemetry.observe_request("GET", "/login/<flow>", 200, 0.004)
telemetry.observe_request("BREW", "", 405, 0.004)
"""

SERVE = """
import pathlib, subprocess, sys, urllib.error, urllib.request
from idp import telemetry
folder, port, count = sys.argv[1:]
telemetry.share_metrics(pathlib.Path(folder))
stop = telemetry.serve_metrics(int(port))
read = lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
assert not read()
for sessions in ("3", "4"):
    subprocess.run([sys.executable, "-c", count, sessions], check=True)
print(read())
stop()
try:
    read()
except urllib.error.URLError:
    print("stopped 1")
"""

COST = """
import pathlib, sys, time
from idp import telemetry
telemetry.share_metrics(pathlib.Path(sys.argv[1]))
best = 1.0
for _ in range(20):
    began = time.perf_counter()
    for _ in range(500):
        telemetry.count_token("refresh_token")
        telemetry.observe_token_request(0.003)
        telemetry.observe_request("POST", "/token", 200, 0.004)
    best = min(best, (time.perf_counter() - began) / 500)
print("microseconds", best * 1e6)
"""

LOST = """
import pathlib, sys
from idp import telemetry
folder = pathlib.Path(sys.argv[1])
telemetry.share_metrics(folder)
folder.rmdir()
telemetry.count_token("refresh_token")
telemetry.observe_request("GET", "/", 200, 0.1)
"""

IDLE = """
import sys
from idp import telemetry
telemetry.count_token("refresh_token")
print({"prometheus_client", "rich"} & {*sys.modules})
"""


def run(program: str, *arguments: object) -> str:
    """What `program` prints, in a process with no configuration but the defaults."""
    root = Path(telemetry.__file__).parents[1]
    env = {name: value for name, value in os.environ.items() if name != telemetry.SHARED and not name.startswith("IDP_")}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=root, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_counts_of_all_processes_come_together(tmp_path: Path) -> None:
    """Two processes count, a third one serves: as `idp serve --workers 2` does. What a former run left is not counted."""
    (tmp_path / "counter_1.db").write_bytes(b"left by a former run")
    rows = [line.rsplit(" ", 1) for line in run(SERVE, tmp_path, free_port(), COUNT).splitlines() if line and not line.startswith("#")]
    found = {name: float(value) for name, value in rows}
    assert found['idp_events_total{error="",event="login.success"}'] == 2
    assert found['idp_events_total{error="wrong_code",event="login.failed"}'] == 2
    assert found['idp_otp_sent_total{channel="sms",country="RU",result="sent"}'] == 2
    assert found["idp_otp_verify_seconds_sum"] == 24
    assert found['idp_tokens_issued_total{grant="refresh_token"}'] == 2
    assert found["idp_token_request_duration_seconds_count"] == 2
    assert found["idp_active_sessions"] == 4, "the newest wins, they are not added up"
    assert found["idp_signing_key_age_seconds"] == 3600
    assert found['idp_gateway_open{gateway="main"}'] == 1
    assert found['idp_rate_limited_total{rule="number_wrong_per_hour"}'] == 2
    assert found['http_server_request_duration_seconds_count{method="GET",route="/login/<flow>",status="200"}'] == 2
    assert found['http_server_request_duration_seconds_count{method="_OTHER",route="",status="405"}'] == 2
    assert found["stopped"] == 1


def test_counting_is_cheap(tmp_path: Path) -> None:
    """All that a token request counts, with several processes: less than 20 µs."""
    assert float(run(COST, tmp_path).split()[1]) < 20


def test_a_lost_folder_fails_no_request(tmp_path: Path) -> None:
    """Somebody tidied up /tmp: it is said, and requests are answered."""
    events = [json.loads(line)["event"] for line in run(LOST, tmp_path / "metrics").splitlines()]
    assert events == ["metrics_lost"]


def test_metrics_cost_nothing_until_they_are_wanted() -> None:
    """Neither the library nor its HTTP server is loaded by a command, or by a server without `metrics_port`."""
    assert run(IDLE).strip() == "set()"
