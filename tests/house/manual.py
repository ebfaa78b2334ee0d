"""The paragraph that `config.example.toml` should hold for each setting, made from `idp/config.py`."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from idp.config import Settings
from idp.config_gateways import AppriseGateway, SmppGateway, Smtp, SmtpGateway, WebhookGateway
from idp.config_providers import Provider
from idp.config_resources import Resource

FILE = Path(__file__).parents[2] / "config.example.toml"


def sections() -> dict[str, type[BaseModel]]:
    """Each table and the model that describes it, in the order of the file."""
    return {
        name: field.annotation for name, field in Settings.model_fields.items() if name not in {"providers", "resources"}
    }  # which are many tables


def written(value: Any) -> str:
    """`value` as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | Path):
        return '"' + str(value) + '"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{key}" = {written(item)}' for key, item in value.items()) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(written(item) for item in value) + "]"
    return str(value)


def paragraph(section: str, key: str) -> str:
    """Reason, default and variable of one setting, and the line that sets it to its default."""
    field = sections()[section].model_fields[key]
    default = field.get_default(call_default_factory=True)
    assert default is not PydanticUndefined, f"[{section}] {key} has no default: what would a deployment start with?"
    assert field.description, f"[{section}] {key} gives no reason"
    reason = textwrap.wrap(" ".join(field.description.split()), 116, break_on_hyphens=False, break_long_words=False)
    shown = "none" if default is None else written(default)
    lines = [*reason, f"Default: {shown}. Variable: IDP_{section.upper()}__{key.upper()}"]
    return "\n".join(f"# {line}" for line in lines) + f"\n#{key} = {written(f'{key}.pem' if default is None else default)}"


def heading(section: str) -> str:
    """The line that opens a table, and what the table is for."""
    return f"[{section}]\n# {' '.join((sections()[section].__doc__ or '').split())}"


def gateways() -> str:
    """The part on `[messages.gateways.<name>]`: their names are the deployment's, so no variable of theirs can be named here."""
    lines = []
    for model in (AppriseGateway, WebhookGateway, SmppGateway, SmtpGateway):
        kind = model.model_fields["kind"].annotation.__args__[0]
        lines += textwrap.wrap(f'kind = "{kind}": {" ".join((model.__doc__ or "").split())}', 116)
        for key, field in model.model_fields.items():
            if key == "kind" or (model is SmtpGateway and key in Smtp.model_fields):  # which stand under [smtp]
                continue
            lines += _said(key, field)
    return "\n".join(f"# {line}" for line in lines)


def providers() -> str:
    """The part on `[providers.<key>]`, likewise."""
    lines = textwrap.wrap(" ".join((Provider.__doc__ or "").split()), 116)
    lines += [line for key, field in Provider.model_fields.items() for line in _said(key, field)]
    return "\n".join(f"# {line}" for line in lines)


def resources() -> str:
    """The part on `[resources."<address>"]`, likewise."""
    lines = textwrap.wrap(" ".join((Resource.__doc__ or "").split()), 116)
    lines += [line for key, field in Resource.model_fields.items() for line in _said(key, field)]
    return "\n".join(f"# {line}" for line in lines)


def _said(key: str, field: Any) -> list[str]:
    default = "required" if field.is_required() else written(field.default) if field.default is not None else "none"
    said = f"{key} ({default}): {' '.join((field.description or '').split())}"
    return textwrap.wrap(said, 116, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)
