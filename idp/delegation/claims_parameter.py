"""The `claims` parameter (OpenID Connect Core §5.5): claims that a client asks for one by one, and where it wants them.

A client may ask for claims of the scopes that it is registered for; others, and those that nobody knows, are left out, as it is to be with
claims that cannot be given (§5.5.1). A claim needs the same consent as its scope. Two of them make demands: `sub` with a value names the
person, an essential `acr` with values the level (§5.5.1.1).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from idp.delegation.scopes import ACCOUNT, COMPANIES, COMPANY
from idp.directory import users
from idp.errors import OAuthRefusal

PLACES = ("userinfo", "id_token")
SUB, ACR, AUTH_TIME = "sub", "acr", "auth_time"
SCOPE_OF: dict[str, str] = {
    **dict.fromkeys((*users.PROFILE, "updated_at"), "profile"),
    **dict.fromkeys(("email", "email_verified"), "email"),
    **dict.fromkeys(("phone_number", "phone_number_verified"), "phone"),
    "address": "address",
    **dict.fromkeys(("account_id", "account_type"), ACCOUNT),
    **dict.fromkeys(("company_id", "company_name", "company_type", "company_status", "company_inn", "roles", "permissions"), COMPANY),
    "companies": COMPANIES,
}
"""Every claim that can be asked for by its name, and the scope that it is a part of."""
MOST_VALUES, LONGEST_VALUE = 10, 255
Wish = dict[str, Any]
Wishes = dict[str, dict[str, Wish]]


def read(text: str, registered: Collection[str]) -> Wishes | None:
    """What of the parameter is understood and may be asked by a client that is `registered` for these scopes; None: nothing.

    Each wish is `{}` or has `essential` and `values`, what was one `value` too. Raises OAuthRefusal `invalid_request` for what is no JSON
    object of objects; `text` is 8 KiB at most, as any parameter is.
    """
    try:
        sent = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise _malformed() from e
    if not isinstance(sent, dict):
        raise _malformed()
    found: Wishes = {}
    for place in PLACES:
        wanted = sent.get(place)
        if wanted is None:
            continue
        if not isinstance(wanted, dict):
            raise _malformed()
        for name, wish in wanted.items():
            if wish is not None and not isinstance(wish, dict):
                raise _malformed()
            if name in {SUB, ACR} or SCOPE_OF.get(name) in registered:
                found.setdefault(place, {})[name] = _wish(wish or {})
    return found or None


def scopes_of(wishes: Wishes | None) -> tuple[str, ...]:
    """The scopes whose consent is needed for claims that were asked for one by one."""
    if not wishes:
        return ()
    return tuple(dict.fromkeys(SCOPE_OF[name] for wanted in wishes.values() for name in wanted if name in SCOPE_OF))


def names(wishes: Wishes | None, place: str, registered: Collection[str]) -> dict[str, Wish]:
    """What was asked for in `place` and the client may still ask for."""
    wanted = (wishes or {}).get(place, {})
    return {name: wish for name, wish in wanted.items() if SCOPE_OF.get(name) in registered}


def person(wishes: Wishes | None) -> str | None:
    """The `sub` that must be signed in; raises OAuthRefusal `invalid_request` where two are named."""
    named = {value for wanted in (wishes or {}).values() for value in wanted.get(SUB, {}).get("values", ()) if isinstance(value, str)}
    if len(named) > 1:
        raise OAuthRefusal("invalid_request", "claims names more than one sub.")
    return named.pop() if named else None


def levels(wishes: Wishes | None) -> tuple[tuple[str, ...], bool]:
    """The values of `acr` that are wanted in the ID token, the best first, and whether one of them is essential."""
    wish = (wishes or {}).get("id_token", {}).get(ACR, {})
    values = tuple(value for value in wish.get("values", ()) if isinstance(value, str))
    return values, bool(wish.get("essential") and values)


def _wish(sent: dict[str, Any]) -> Wish:
    wish: Wish = {}
    if "essential" in sent:
        if not isinstance(sent["essential"], bool):
            raise _malformed()
        wish["essential"] = sent["essential"]
    values = [sent["value"]] if "value" in sent else sent.get("values", [])
    if not isinstance(values, list):
        raise _malformed()
    kept = [each for each in values if isinstance(each, str | int | bool) and len(str(each)) <= LONGEST_VALUE][:MOST_VALUES]
    return wish | ({"values": kept} if kept else {})


def _malformed() -> OAuthRefusal:
    return OAuthRefusal(
        "invalid_request", "claims is a JSON object with the members userinfo and id_token, objects of claim names (Core section 5.5)."
    )
