"""Claims under the names that a relying party expects: a small table of its registration, `claim = path or template`.

A path names one of the claims that we send, dots lead into an object: `company_id`, `address.country`. A template puts some into a
text: `"{company_name} ({company_inn})"`; over a list it gives a list, `"/{roles}"`. Dots in the name of the new claim make an object,
braces there are filled in as well: `organization.{company_id}.id`; a name with `://` is taken as it is.

Nothing is said that was not said anyway: a path finds only what the granted scopes put into this very token or answer, and where it
finds nothing the claim is left out. Judged when it is registered, parsed when the client is read.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from idp.errors import N_, BadInput

Claims = dict[str, Any]
Table = dict[str, str]

PRESETS: dict[str, Table] = {
    "org_id": {"org_id": "company_id", "org_name": "company_name"},
    "organization": {
        "organization.{company_id}.id": "company_id",
        "organization.{company_id}.name": "company_name",
        "groups": "/{roles}",
    },
    "groups": {"groups": "roles"},
}
"""What relying parties of other providers are often written for; a preset is stored as the table that it is on that day."""

LISTS = frozenset({"roles", "permissions"})
OBJECTS = frozenset({"address", "companies"})
PERSON = (
    *(
        "sub",
        "name",
        "family_name",
        "given_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "gender",
    ),
    *("birthdate", "zoneinfo", "locale", "updated_at", "email", "email_verified", "phone_number", "phone_number_verified"),
)
ADDRESS = ("formatted", "street_address", "locality", "region", "postal_code", "country")
COMPANY = ("company_id", "company_name", "company_type", "company_status", "company_inn")
PATHS = frozenset({*PERSON, *OBJECTS, *(f"address.{each}" for each in ADDRESS), "account_id", "account_type", *COMPANY, *LISTS})
# What a protocol decides by, and what others believe because we have proved it (`email`, `phone_number`).
RESERVED = frozenset(
    "iss sub aud exp iat nbf jti nonce azp auth_time acr amr sid at_hash c_hash s_hash client_id scope scp cnf act may_act token_type "
    "active events txn typ alg kid sub_jwk authorization_details token_introspection _claim_names _claim_sources verified_claims "
    "updated_at email email_verified phone_number phone_number_verified".split()
)
MOST, LONGEST, DEEPEST = 30, 200, 4
_segment = re.compile(r"[A-Za-z0-9_-]{1,60}|\{[a-z_.]{1,60}\}")
_uri = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]{1,180}")
_place = re.compile(r"\{([^{}]*)\}")


class _Rule(NamedTuple):
    """One line of the table: where to, and what; each an alternation of literal text and path, as `re.split` gives it."""

    target: tuple[list[str], ...]
    path: str | None
    template: list[str]


Mapping = tuple[_Rule, ...]


def require(given: Any) -> Table | None:
    """The table as it is stored, by a preset's name or as it is; None for none. Raises BadInput."""
    if isinstance(given, str) and given:
        if given not in PRESETS:
            raise BadInput(N_("Claims are mapped by a table, or by one of: %(presets)s."), presets=", ".join(PRESETS))
        return dict(PRESETS[given])
    if not given:
        return None
    if not isinstance(given, dict) or len(given) > MOST or not all(_is_text(each) for pair in given.items() for each in pair):
        raise BadInput(
            N_(
                "A claim mapping is an object of at most %(most)s claims, each with a path or a template of at most %(longest)s characters."
            ),
            most=MOST,
            longest=LONGEST,
        )
    for target, source in given.items():
        _require_target(target)
        _require_source(source)
    _require_apart(list(given))
    return dict(given)


def parsed(table: Table) -> Mapping:
    """A table that was judged, ready to be applied."""
    return tuple(
        _Rule(
            tuple(_place.split(segment) for segment in _segments(target)),
            *((None, _place.split(source)) if "{" in source else (source, [])),
        )
        for target, source in table.items()
    )


def applied(mapping: Mapping, claims: Claims) -> Claims:
    """`claims`, and those that the table makes of them."""
    added: Claims = {}
    for target, path, template in mapping:
        value = _found(claims, path) if path is not None else _filled(claims, template)
        names = [_filled(claims, segment) for segment in target]
        if value is None or not all(isinstance(name, str) and name for name in names):
            continue
        inner = added
        for name in names[:-1]:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                break
        else:
            inner[names[-1]] = value
    return {**claims, **added}


def _found(claims: Claims, path: str) -> Any:
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _filled(claims: Claims, template: list[str]) -> Any:
    """The text, or the list of texts where one of its paths leads to a list; None where one leads nowhere."""
    made = [""]
    listed = False
    for number, part in enumerate(template):
        values = [part]
        if number % 2:
            value = _found(claims, part)
            if value is None or isinstance(value, dict):
                return None
            listed = listed or isinstance(value, list)
            values = [_text(each) for each in (value if isinstance(value, list) else [value])]
        made = [before + value for value in values for before in made]
    return made if listed else made[0]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST and value.isprintable()


def _segments(target: str) -> list[str]:
    return [target] if "://" in target else re.split(r"\.(?![^{]*\})", target)


def _require_target(target: str) -> None:
    segments = _segments(target)
    if "://" in target:
        if not _uri.fullmatch(target) or "{" in target:
            raise BadInput(N_("%(claim)s is no name of a claim."), claim=target)
    elif len(segments) > DEEPEST or not all(_segment.fullmatch(each) for each in segments) or "{" in segments[0]:
        raise BadInput(N_("%(claim)s is no name of a claim."), claim=target)
    if segments[0] in RESERVED or (len(segments) > 1 and segments[0] in PATHS):
        raise BadInput(
            N_("The claim %(claim)s belongs to the protocol, or says what we have proved. Choose another name."), claim=segments[0]
        )
    _require_paths(target, [path for segment in segments for path in _place.findall(segment)], no_lists=True)


def _require_source(source: str) -> None:
    if "{" not in source and "}" not in source:
        if source not in PATHS:
            raise _unknown(source)
        return
    paths = _place.findall(source)
    if "{" in _place.sub("", source) or "}" in _place.sub("", source):
        raise BadInput(N_("%(template)s is no template: braces stand around a path, as in {company_id}."), template=source)
    _require_paths(source, paths)
    if sum(path in LISTS for path in paths) > 1:
        raise BadInput(N_("%(template)s has more than one list in it."), template=source)


def _require_paths(where: str, paths: list[str], *, no_lists: bool = False) -> None:
    for path in paths:
        if path not in PATHS:
            raise _unknown(path)
        if path in OBJECTS or (no_lists and path in LISTS):
            raise BadInput(N_("%(path)s cannot stand in the text %(template)s."), path=path, template=where)


def _unknown(path: str) -> BadInput:
    return BadInput(N_("There is no claim %(path)s. Known are: %(known)s."), path=path, known=", ".join(sorted(PATHS)))


def _require_apart(targets: list[str]) -> None:
    """A claim is a value or an object, not both."""
    all_segments = [tuple(_segments(target)) for target in targets]
    for one in all_segments:
        if any(other != one and other[: len(one)] == one for other in all_segments):
            raise BadInput(N_("The claim %(claim)s cannot be a value and an object at once."), claim=".".join(one))
