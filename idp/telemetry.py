"""Logs and metrics: what those who run the provider see of it.

A log line is one JSON object on one line, whatever was put into it, and holds no secret: a value is hidden for the name it is given and,
wherever it stands, for what it looks like. The standard library's logging (Granian, SQLAlchemy, Authlib) takes the same way.

    from idp.telemetry import bind, log
    bind(request_id="req_…", client_id="cli_…")          # stands on every line until the next request
    log.info("message_sent", channel="sms", result="ok", duration_ms=12)

Metrics are counted only when somebody reads them: `[telemetry] metrics_port` is set, or `idp serve` shares a folder among its processes.
No label is a person, an address or a client: a label's values must fit on a page.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

import orjson

from idp import clock
from idp.config import Telemetry, settings

if "rich" not in sys.modules:
    # structlog.dev takes rich for tracebacks when it finds it: 30 ms of every start, for a printer that is not used here.
    sys.modules["rich"] = None  # type: ignore[assignment]
    import structlog

    del sys.modules["rich"]
else:
    import structlog

Event = MutableMapping[str, Any]

# ---- what must not be told ----

HIDDEN = "[hidden]"
LONGEST = 4096

SECRET_NAMES = frozenset(
    "code otp pin token tokens secret secrets password passwd cookie set_cookie authorization proxy_authorization verifier assertion dpop "
    "jwt id_token_hint login_hint logout_hint signature private_key api_key root_key request_object form body".split()
)
SECRET_ENDINGS = ("_token", "_secret", "_password", "_verifier", "_cookie", "_otp", "_assertion", "_pin", "_code", "_codes")
HARMLESS_NAMES = frozenset("status_code error_code exit_code country_code language_code".split())
PHONE_NAMES = frozenset("phone phones phone_number tel msisdn to recipient".split())

_NAMES = (
    r"(?:client_|access_|refresh_|id_|device_|user_|auth_|authorization_|code_|logout_|csrf_|registration_|initial_access_|"
    r"registration_access_|new_|old_)?(?:code|otp|token|secret|password|verifier|assertion|id_token_hint|login_hint)"
)
# In this order: a header before its parts, a named value before a shape. A shape is looked for only where its sign (left) is seen.
SHAPES: tuple[tuple[str, re.Pattern[str], str], ...] = (
    # a header, to the end of its line
    ("", re.compile(r"(?i)\b((?:set-)?cookie|(?:proxy-)?authorization|dpop)(['\"]?\s*[:=,]\s*)[^\r\n]+"), rf"\1\2{HIDDEN}"),
    (" ", re.compile(r"\b((?i:bearer|basic|dpop))\s+(?=[^\s]*[0-9A-Z=])[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    # what an IntegrityError brings along
    ("[parameters: ", re.compile(r"\[parameters: .*?\](?=\s|$)", re.DOTALL), f"[parameters: {HIDDEN}]"),
    # our cookies and those of the portals
    ("=", re.compile(r"((?:__Host-)?\b[a-z]{2,20}_(?:session|login|browser|csrf))=[^;\s&]+"), rf"\1={HIDDEN}"),
    # a query, a form, JSON, the repr of a dict
    ("=", re.compile(rf"(?i)(?<![A-Za-z0-9_])({_NAMES})=(?!=)[^&\s\"';,)}}\]]+"), rf"\1={HIDDEN}"),
    ("", re.compile(rf"(?i)(['\"]{_NAMES}['\"]\s*[:,]\s*b?)(?:\"[^\"]*\"|'[^']*'|[^\s,}}\])]+)"), rf"\1{HIDDEN}"),
    # the user part of an address: gateways keep their passwords there
    ("://", re.compile(r"(?<=://)[^/\s@\"']{1,200}@"), f"{HIDDEN}@"),
    # a JWT or JWE, and any other value as long and as random as ours (43 characters of base64url)
    ("eyJ", re.compile(r"\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)+"), HIDDEN),
    ("", re.compile(r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*[a-z])(?=[A-Za-z0-9_-]*[A-Z])[A-Za-z0-9_-]{43,}"), HIDDEN),
    # a one-time code inside a sentence
    ("", re.compile(r"(?i)((?<![A-Za-z])(?:code|код|otp|验证码)\D{0,12}|#)\d{6,8}(?!\d)"), rf"\1{HIDDEN}"),
    # people: a phone keeps its last two digits, an e-mail address its host
    ("", re.compile(r"(?:\+|%2[Bb])[1-9](?:[ ().-]{0,2}\d){5,11}[ ().-]{0,2}(\d)[ -]?(\d)(?!\d)"), r"+…\1\2"),
    ("@", re.compile(r"[\w.+%-]{1,64}@(?=[\w-]{1,63}\.[A-Za-z])"), "…@"),
)
_PLAIN = re.compile(r"(?!eyJ)[A-Za-z0-9_./ -]{0,5}|(?!eyJ)[A-Za-z0-9_.-]{0,42}")


def scrub(text: str) -> str:
    """`text` without what looks like a secret, a phone or an e-mail address, and no longer than 4096 characters."""
    if _PLAIN.fullmatch(text):
        return text
    text = text[: 2 * LONGEST]
    for sign, shape, instead in SHAPES:
        if sign in text:
            text = shape.sub(instead, text)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def redact(name: str, value: Any, depth: int = 0) -> Any:
    """`value`, given under `name`, as it may be logged: JSON types only. Lists and tables are looked through."""
    key = name.lower().replace("-", "_")
    if value is None or isinstance(value, bool):
        return value
    if key in SECRET_NAMES or (key.endswith(SECRET_ENDINGS) and key not in HARMLESS_NAMES):
        return HIDDEN
    if key in PHONE_NAMES and isinstance(value, str | int):
        return scrub(str(value)) if "@" in str(value) else "…" + re.sub(r"\D", "", str(value))[-2:]
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return scrub(value)
    if depth > 4:
        return HIDDEN
    if isinstance(value, MutableMapping | dict):
        return {scrub(str(k)): redact(str(k), v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        # A header or a form field as a pair: its first half is the name.
        if len(value) == 2 and isinstance(value, tuple) and isinstance(value[0], str):
            return [scrub(value[0]), redact(value[0], value[1], depth + 1)]
        return [redact(name, v, depth + 1) for v in value]
    return scrub(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


# ---- the present request ----

_bound: ContextVar[dict[str, Any] | None] = ContextVar("bound", default=None)


def bind(**values: Any) -> None:
    """From here on, every line of this request, job or command says these `values` (`client_id`, `flow_id`, `sub` …).

    A `request_id` begins anew: a thread that served one request must not speak in its name in the next one.
    """
    before = {} if "request_id" in values else _bound.get() or {}
    _bound.set({**before, **{name: redact(name, value) for name, value in values.items()}})


def forget() -> None:
    """Forget what was bound."""
    _bound.set(None)


def request_id() -> str:
    """The id of the present request, as it stands in the log, in X-Request-Id and on error pages; empty outside of one."""
    return str((_bound.get() or {}).get("request_id", ""))


# ---- from an event to a line ----


def _explain(_logger: Any, _method: str, event: Event) -> Event:
    """An exception becomes text before anything is hidden in it."""
    failure = event.pop("exc_info", None)
    if failure:
        failure = sys.exc_info() if failure is True else failure
        failure = (type(failure), failure, failure.__traceback__) if isinstance(failure, BaseException) else failure
        if failure[0] is not None:
            event["exception"] = logging.Formatter().formatException(failure)
    return event


def _hide(_logger: Any, _method: str, event: Event) -> Event:
    return {name: redact(name, value) for name, value in event.items()}


def _gather(_logger: Any, method: str, event: Event) -> Event:
    """What every line has comes first, then what is bound, then what was given."""
    ts = clock.now().isoformat(timespec="milliseconds")
    return {"ts": ts, "level": method, "event": event.pop("event", ""), **(_bound.get() or {}), **event}


# What a terminal, an editor or str.splitlines takes for the end of a line, or for an order to write backwards. JSON itself escapes C0.
_BREAKS = re.compile("[\x80-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _as_json(_logger: Any, _method: str, event: Event) -> str:
    try:
        line = orjson.dumps(event).decode()
    except (TypeError, ValueError):  # half of a surrogate pair, an integer past 64 bits: then slowly
        return json.dumps(event, ensure_ascii=True, default=str)
    return line if line.isascii() else _BREAKS.sub(_escape, line)


def _for_eyes(_logger: Any, _method: str, event: Event) -> str:
    """One line as well; only our own traceback may take more."""
    trace = event.pop("exception", None)
    head = f"{event.pop('ts')[11:23]} {event.pop('level'):8}{event.pop('event')}"
    line = " ".join([head, *(f"{name}={value}" for name, value in event.items())])
    line = re.sub("[\x00-\x1f]", _escape, _BREAKS.sub(_escape, line))
    return f"{line}\n{trace}" if trace else line


class _Sink:
    """Where lines go: one write for each, so that the lines of several processes never mix. A full disk must not fail a request."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream

    def write(self, line: str) -> None:
        stream = self.stream or sys.stdout
        try:
            stream.write(line + "\n")
            stream.flush()
        except (OSError, ValueError):
            pass

    debug = info = warning = error = critical = msg = write


_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class _Bridge(logging.Handler):
    """The standard library's records, on the same way."""

    def __init__(self, processors: list[Any], sink: _Sink) -> None:
        super().__init__()
        self.processors, self.sink = processors, sink

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # arguments that do not fit their message are the caller's slip, not the request's end
            text = str(record.msg)
        extra = {name: value for name, value in record.__dict__.items() if name not in _OWN}
        event: Any = {"event": text, **extra, "logger": record.name, "exc_info": record.exc_info}
        for processor in self.processors:
            event = processor(None, record.levelname.lower(), event)
        self.sink.write(event)


# Louder than this they tell secrets: Authlib prints whole tokens at DEBUG, HTTP clients headers and addresses, SQLAlchemy its parameters.
QUIET = {"authlib": logging.INFO, "httpx2": logging.WARNING, "httpcore2": logging.INFO, "sqlalchemy": logging.WARNING}
QUIET |= dict.fromkeys(("urllib3", "requests", "oauthlib", "requests_oauthlib"), logging.WARNING)  # apprise's

SERVER_LOGGING = {"handlers": {}, "loggers": {name: {"handlers": [], "propagate": True} for name in ("_granian", "granian.access")}}
"""Granian's `log_dictconfig`: no printers of its own."""


def set_up(wanted: Telemetry | None = None, *, stream: TextIO | None = None) -> None:
    """Begin to log as `wanted` (default: the configuration's table `telemetry`) to `stream` (default: standard output, which for a command
    carries its answer: commands give sys.stderr). Called once by each process, again by tests."""
    chosen = wanted or settings().telemetry
    level = logging.getLevelNamesMapping()[chosen.log_level]
    processors, sink = _configure(level, _as_json if chosen.log_format == "json" else _for_eyes, stream)
    root = logging.getLogger()
    # Only printers are replaced: a test's recorder stays.
    root.handlers = [h for h in root.handlers if not isinstance(h, _Bridge) and type(h) is not logging.StreamHandler]
    root.addHandler(_Bridge(processors, sink))
    root.setLevel(level)
    for name, lowest in QUIET.items():
        logging.getLogger(name).setLevel(max(level, lowest))
    logging.captureWarnings(True)


def _configure(level: int, render: Callable[..., str], stream: TextIO | None) -> tuple[list[Any], _Sink]:
    processors: list[Any] = [_explain, _hide, _gather, render]
    sink = _Sink(stream)
    wrapper = structlog.make_filtering_bound_logger(level)
    structlog.configure(processors=processors, wrapper_class=wrapper, logger_factory=lambda *_: sink)
    return processors, sink


# Safe from the first line on, also where nobody calls `set_up`.
_configure(logging.INFO, _as_json, None)
log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


# ---- metrics ----

SHARED = "PROMETHEUS_MULTIPROC_DIR"
METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS".split())
_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_HUMAN_SECONDS = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300)


@cache
def _meters() -> SimpleNamespace | None:
    """Every metric there is; None when nobody reads them, and then the library (and its HTTP server) is not even loaded."""
    if SHARED not in os.environ and not settings().telemetry.metrics_port:
        return None
    try:
        return _define()
    except OSError as e:  # somebody tidied up the shared folder: the requests go on, uncounted
        log.warning("metrics_lost", reason=e.strerror)
        return None


def _define() -> SimpleNamespace:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram  # noqa: PLC0415 - see above; `share_metrics` must come first

    registry = CollectorRegistry()
    into: Any = {"registry": registry}
    now: Any = {**into, "multiprocess_mode": "mostrecent"}
    took: Any = {**into, "buckets": _REQUEST_SECONDS}
    return SimpleNamespace(
        registry=registry,
        events=Counter("idp_events_total", "What happened, as in the audit trail", ["event", "error"], **into),
        messages=Counter("idp_otp_sent_total", "Messages with a one-time code", ["channel", "country", "result"], **into),
        codes=Histogram("idp_otp_verify_seconds", "From sending a code to its proof", **into, buckets=_HUMAN_SECONDS),
        tokens=Counter("idp_tokens_issued_total", "Answers of the token endpoint that gave tokens", ["grant"], **into),
        token_requests=Histogram("idp_token_request_duration_seconds", "The token endpoint", **took),
        sessions=Gauge("idp_active_sessions", "Sessions that have not ended", **now),
        key_age=Gauge("idp_signing_key_age_seconds", "Age of the oldest key that signs", **now),
        gateways=Gauge("idp_gateway_open", "1 while a message gateway is left alone because it failed", ["gateway"], **now),
        limited=Counter("idp_rate_limited_total", "Refused by a limit", ["rule"], **into),
        requests=Histogram("http_server_request_duration_seconds", "HTTP requests by route", ["method", "route", "status"], **took),
    )


def _tell(meter: str, verb: str, amount: float, *labels: str) -> None:
    meters = _meters()
    if meters is None:
        return
    found = getattr(meters, meter)
    try:
        getattr(found.labels(*labels) if labels else found, verb)(amount)
    except OSError as e:  # or its disk is full
        log.warning("metric_lost", metric=meter, reason=e.strerror)


def count_event(event: str, error: str = "") -> None:
    """Something of the audit trail happened; `error` is its code when it went wrong."""
    _tell("events", "inc", 1, event, error)


def count_message(channel: str, country: str, result: str) -> None:
    """A one-time code was handed to `channel` for a number of `country` (ISO 3166); `result`: sent, failed, refused."""
    _tell("messages", "inc", 1, channel, country, result)


def observe_code(seconds: float) -> None:
    """A one-time code was proved `seconds` after it was sent."""
    _tell("codes", "observe", seconds)


def count_token(grant: str) -> None:
    """Tokens were issued for the grant type `grant`."""
    _tell("tokens", "inc", 1, grant)


def observe_token_request(seconds: float) -> None:
    """The token endpoint answered within `seconds`."""
    _tell("token_requests", "observe", seconds)


def set_gauge(meter: str, value: float, *labels: str) -> None:
    """How it is now: `sessions` that live, `key_age` (seconds) of the oldest that signs, `gateways` (label: name) that are left alone."""
    _tell(meter, "set", value, *labels)


def count_limited(rule: str) -> None:
    """The limit `rule` refused something."""
    _tell("limited", "inc", 1, rule)


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """An HTTP request; `route` is the template of its address, empty when none fits. An unknown method counts as `_OTHER`."""
    _tell("requests", "observe", seconds, method if method in METHODS else "_OTHER", route, str(status))


def share_metrics(folder: Path) -> None:
    """For `idp serve`, before it starts a process: all of them count into `folder`, which is emptied of what former ones left."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob("*.db"):
        left.unlink()
    os.environ[SHARED] = str(folder)
    _meters.cache_clear()


def serve_metrics(port: int, address: str = "127.0.0.1") -> Callable[[], None]:
    """Serve the metrics of all processes at http://address:port/metrics, in a thread; answers what stops it. Raises OSError when the port
    is taken."""
    from prometheus_client import CollectorRegistry, multiprocess, start_http_server  # noqa: PLC0415 - as in _meters

    if SHARED in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        meters = _meters()
        registry = meters.registry if meters else CollectorRegistry()
    server, thread = start_http_server(port, address, registry)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(5)

    return stop
