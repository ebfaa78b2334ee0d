"""What may be registered of authorization requests: how they are answered, and what holds when they do not say; a part of `registering`.

OpenID Connect Dynamic Client Registration §2. Everything here raises BadInput with the reason.
"""

from __future__ import annotations

from typing import Any

from idp.config import settings
from idp.delegation import response_types
from idp.errors import N_, BadInput

FIELDS = ("response_types", "default_max_age", "require_auth_time", "default_acr_values")
LONGEST_AGE = 999_999_999  # seconds, as long as a `max_age` can be
IMPLICIT = "implicit"
MOST_LEVELS, LONGEST_LEVEL = 10, 100


def require(values: dict[str, Any], *, by_person: bool) -> None:
    """Judge FIELDS, and put them and the grant types that follow from them as they are stored. `by_person`: people sign in at it."""
    if not by_person and any(values[name] for name in FIELDS):
        raise BadInput(N_("Nobody signs in at a machine: it has no response types, and nothing that holds for sign-ins."))
    if by_person:
        _judge_types(values)
    age = values["default_max_age"]
    if age is not None and (isinstance(age, bool) or not isinstance(age, int) or not 0 <= age <= LONGEST_AGE):
        raise BadInput(N_("default_max_age is a number of seconds."))
    if not isinstance(values["require_auth_time"], bool | None):
        raise BadInput(N_("require_auth_time is true or false."))
    values["require_auth_time"] = values["require_auth_time"] or None
    levels = values["default_acr_values"] = list(dict.fromkeys(values["default_acr_values"] or ())) or None
    if levels and (len(levels) > MOST_LEVELS or not all(0 < len(each) <= LONGEST_LEVEL and " " not in each for each in levels)):
        raise BadInput(N_("default_acr_values are at most ten levels, without spaces."))


def require_served(types: list[str] | None) -> None:
    """Raise BadInput for a response type that is not served here. Asked only when they are named: the setting may be turned off again."""
    served = response_types.supported()
    if unserved := [each for each in types or () if response_types.named(each) not in served]:
        reason = N_("The response type %(type)s is not served here: [oidc] legacy_response_types is off. Served are: %(served)s.")
        if settings().oidc.legacy_response_types:
            reason = N_("There is no response type %(type)s. Served are: %(served)s.")
        raise BadInput(reason, type=unserved[0][:40], served=", ".join(served))


def _judge_types(values: dict[str, Any]) -> None:
    named = [response_types.named(each) for each in values["response_types"] or (response_types.CODE,)]
    types = [each for each in dict.fromkeys(named) if each is not None]
    if len(types) != len(set(named)):
        raise BadInput(N_("Response types are: %(known)s."), known=", ".join((response_types.CODE, *response_types.LEGACY)))
    values["response_types"] = None if types == [response_types.CODE] else types
    legacy = [each for each in types if each != response_types.CODE]
    # The grant types follow (Registration §2): what goes through the browser is `implicit`.
    kept = [each for each in values["grant_types"] if each != IMPLICIT]
    values["grant_types"] = [*kept, IMPLICIT] if legacy else kept
