"""`idp check`: the configuration in force. Unknown keys and what is unsafe in production are refused while it is read;
a host that makes a code's text more than one message, here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from idp import config, throttle
from idp.cli.output import FORMAT, as_json, remark, table
from idp.config_gateways import AppriseGateway, SmppGateway, SmtpGateway, WebhookGateway
from idp.messages import wording

HIDDEN = "[hidden]"
SECRET = re.compile(r"secret|password|token$|api_key")


@click.command()
@FORMAT
def check(form: str) -> None:
    """Print the configuration in force, secrets hidden; exit code 1 when it cannot be used."""
    settings = config.load()
    config.use(settings)
    if problems := wording.problems():
        raise config.ConfigurationError(problems)
    _look_at_redis(settings)
    values = {name: {key: hide(key, value) for key, value in part.items()} for name, part in settings.model_dump(mode="python").items()}
    if form == "json":
        as_json(values)
        return
    rows = [
        (
            f"[{section}] {key}",
            _written(value),
            "" if section in {"providers", "resources"} or key in getattr(settings, section).model_fields_set else "default",
        )
        for section, part in values.items()
        for key, value in part.items()
    ]
    table(("setting", "value", ""), rows, empty="")
    remark("The configuration can be used.")


def _look_at_redis(settings: config.Settings) -> None:
    """Said, not refused: everything goes on without it."""
    is_well, says = throttle.look(settings.redis) if settings.redis.url else (True, "")
    if not is_well:
        remark(f"{says}. Sign-ins go on meanwhile; each process throttles for itself.")


def hide(key: str, value: Any) -> Any:
    """`value` of the setting `key` as it may be shown: no passwords in addresses, no fixed codes, no secrets."""
    if key == "test_numbers":
        return dict.fromkeys(value, HIDDEN)
    if key == "gateways":
        return {name: _gateway(gateway) for name, gateway in value.items()}
    if isinstance(value, str):
        if SECRET.search(key) and value:
            return HIDDEN
        return re.sub(r"(?<=://)([^/@:\s]*):[^/\s]*@", rf"\1:{HIDDEN}@", value)
    if isinstance(value, dict):
        return {name: hide(name, item) for name, item in value.items()}
    if isinstance(value, list):
        return [hide(key, item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _gateway(gateway: dict[str, Any]) -> dict[str, Any]:
    """A gateway as it may be shown: its key may stand anywhere in its address, headers and body, so all of them are hidden whole."""
    hidden = {
        name
        for kind in (AppriseGateway, WebhookGateway, SmppGateway, SmtpGateway)
        for name, field in kind.model_fields.items()
        if not field.repr
    }
    return {name: HIDDEN if name in hidden and value else hide(name, value) for name, value in gateway.items()}


def _written(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{name} = {item}" for name, item in value.items())
    return value
