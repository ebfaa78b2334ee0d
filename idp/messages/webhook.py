"""A gateway that takes a message, or makes a call, by one HTTP request that the settings describe: no redirects, checked TLS, one limit."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlsplit

from idp.config_gateways import WebhookGateway
from idp.messages.gateway import GatewayFailed, Outgoing, Taken, context, percent, read, status_failed, value_at, word_for

LONGEST_ANSWER = 64 * 1024
KEY = "Idempotency-Key"


def send(name: str, gateway: WebhookGateway, message: Outgoing) -> Taken:
    """Hand a message over; raises GatewayFailed."""
    try:
        status, body = _ask(gateway, message)
    except GatewayFailed as e:
        raise GatewayFailed(name, e.word) from None
    except Exception as e:
        raise GatewayFailed(name, word_for(e)) from None  # whose text may hold the address, and that a key
    if not 200 <= status < 300:
        raise status_failed(name, status)
    answer = read(body) if gateway.success or gateway.message_id else None
    for path, wanted in gateway.success.items():
        if value_at(answer, path) != wanted:
            raise GatewayFailed(name, "refused", is_about_message=True)
    known_as = value_at(answer, gateway.message_id) if gateway.message_id else ""
    return Taken(name, known_as or None)


def look(gateway: WebhookGateway) -> str:
    """What `idp doctor` says of it. It is not called: most gateways have nothing that could be asked for nothing."""
    if gateway.certificate_authority:
        context(gateway.certificate_authority)
    return f"{gateway.method} to {urlsplit(gateway.url).hostname}, not called"


def _ask(gateway: WebhookGateway, message: Outgoing) -> tuple[int, bytes]:
    """Status and body of the answer, at most LONGEST_ANSWER bytes of it."""
    import httpx2  # noqa: PLC0415 - only the worker sends, and this is a fifth of a server's start

    until = time.monotonic() + gateway.timeout
    headers = {name: message.fill(value, _one_line) for name, value in gateway.headers.items()}
    headers |= {KEY: message.id, "Accept": "application/json", "Accept-Encoding": "identity"}
    content = None
    if gateway.body:
        filled = _filled(gateway.body, message)
        content = json.dumps(filled).encode() if gateway.encoding == "json" else _form(filled)
        kind = "application/json" if gateway.encoding == "json" else "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind, **headers}
    # trust_env: a proxy that stands in the environment is nobody whom the configuration names.
    client = httpx2.Client(
        verify=context(gateway.certificate_authority), timeout=gateway.timeout, follow_redirects=False, trust_env=False, http2=False
    )
    address = message.fill(gateway.url, percent)
    with client, client.stream(gateway.method, address, headers=headers, content=content) as answer:
        body = b""
        for piece in answer.iter_raw():
            body += piece
            if len(body) > LONGEST_ANSWER:
                break
            if time.monotonic() > until:  # each piece came in time, all of them together do not
                raise GatewayFailed("", "timeout")
        return answer.status_code, body[:LONGEST_ANSWER]


def _filled(body: Any, message: Outgoing) -> Any:
    """The body with its places filled: in the table itself and not in its JSON, so that no text can break out of its quotes."""
    if isinstance(body, str):
        return message.fill(body)
    if isinstance(body, dict):
        return {key: _filled(item, message) for key, item in body.items()}
    return [_filled(item, message) for item in body] if isinstance(body, list) else body


def _form(fields: dict[str, str]) -> bytes:
    return "&".join(f"{percent(key)}={percent(value)}" for key, value in fields.items()).encode()


def _one_line(value: str) -> str:
    """A value in a header: what is not ASCII is percent-encoded, and so is the end of a line."""
    return value if value.isascii() and value.isprintable() else percent(value)
