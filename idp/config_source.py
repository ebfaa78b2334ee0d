"""Where settings come from, and what can be wrong with how they are written: the file, the variables, names that nobody knows.

Knows nothing of the settings themselves: `sections` are the fields of the model, one for each table.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

DEFAULT = Path("config.toml")


def _as_list(value: object) -> object:
    """In the environment a list is written with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


TextList = Annotated[list[str], NoDecode, BeforeValidator(_as_list)]


def read_file(named: Path | None) -> tuple[dict[str, Any], list[str]]:
    """The values of the TOML file (`DEFAULT`, when it is there and none is named), and what is wrong with it."""
    file = named or DEFAULT
    if named is None and not file.exists():
        return {}, []
    try:
        return tomllib.loads(file.read_text("utf-8")), []
    except OSError as e:
        return {}, [f"{file} cannot be read: {e.strerror}. Name the file in IDP_CONFIG or make one from config.example.toml."]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        return {}, [f"{file} is not valid TOML: {e}"]


def read_environment(env: Mapping[str, str], prefix: str, sections: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """The variables that are ours, with `…_FILE` read, and what is wrong with them."""
    found: dict[str, str] = {}
    problems: list[str] = []
    for name, value in env.items():
        if not name.startswith(prefix):
            continue
        if "__" not in name:
            if name[len(prefix) :].lower() in sections:
                problems.append(f"{name} names a whole table. Set its keys one by one, as in {name}__<KEY>.")
            continue
        section, _, key = name[len(prefix) :].lower().partition("__")
        given_by_file = key.endswith("_file")  # also deeper: …__GATEWAYS__MAIN__URL_FILE
        key = key.removesuffix("_file").partition("__")[0]
        if given_by_file:
            try:
                found[name.removesuffix("_FILE")] = Path(value).read_text("utf-8").strip()
            except OSError as e:
                problems.append(f"{name} names {value}, which cannot be read: {e.strerror}.")
        else:
            found[name] = value
        problems += unknown({section: {key: ""}}, "as " + name, sections)
    return found, problems


def unknown(values: Mapping[str, Any], where: str, sections: Mapping[str, Any]) -> list[str]:
    """A sentence for each table or key that does not exist, with the nearest one that does."""
    problems = []
    for section, keys in values.items():
        field = sections.get(section)
        if field is None:
            problems.append(f"[{section}] ({where}) is not known{nearest(section, sections, '[{}]')}.")
            continue
        if not isinstance(keys, Mapping):
            problems.append(f"[{section}] ({where}) is a table of settings, not a value.")
            continue
        known = getattr(field.annotation, "model_fields", None)
        if known is None:  # tables with names of the deployment's own, as [providers.<key>]: each looks at its keys itself
            continue
        problems += [f"[{section}] {key} ({where}) is not known{nearest(key, known, '{}')}." for key in keys if key not in known]
    return problems


def nearest(name: str, known: Mapping[str, Any], form: str) -> str:
    """The end of a sentence about an unknown `name`: the nearest one that is known, or all of them; `form` is how one is written."""
    near = difflib.get_close_matches(name, known, 1, 0.5)
    return "; did you mean " + form.format(near[0]) if near else "; it knows " + ", ".join(form.format(k) for k in known)


def sentence(error: Any, prefix: str) -> str:
    """One of pydantic's errors as a sentence that says what to change."""
    section, *rest = [str(part) for part in error["loc"]] or [""]
    message = error["msg"].removeprefix("Value error, ")
    if not section:
        return f"{message}."
    if not rest:  # of several keys that do not go together
        return f"[{section}] {message}."
    return f"[{section}] {'.'.join(rest)}: {message}. The variable is {prefix}{section.upper()}__{(rest or [''])[0].upper()}."


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without brackets) is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
