"""A client's sector: the host under which the pairwise subjects of its people are made (OpenID Connect Core §8.1, Registration §5)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from idp.delegation import fetched, redirects
from idp.errors import N_, BadInput

TYPES = ("public", "pairwise")
FIELDS = ("subject_type", "sector_identifier_uri")
MOST_LISTED = 1000


def require(kind: str, values: dict[str, Any]) -> None:
    """Judge FIELDS, and find `sector_identifier` by them; raises BadInput. `values` has the redirect addresses, judged already."""
    values["subject_type"] = values["subject_type"] or TYPES[0]
    uri = values["sector_identifier_uri"] = values["sector_identifier_uri"] or None
    if values["subject_type"] not in TYPES:
        raise BadInput(N_("The subject type is one of: %(kinds)s."), kinds=", ".join(TYPES))
    if uri:
        redirects.require_registrable(uri, native=False)
        if not uri.startswith("https://"):
            raise BadInput(N_("sector_identifier_uri is an https address."))
    values["sector_identifier"] = None
    if values["subject_type"] == "pairwise":
        values["sector_identifier"] = urlsplit(uri).hostname if uri else _common_host(kind, values["redirect_uris"])


def require_none(values: dict[str, Any]) -> None:
    """Raise BadInput unless `values`, a machine's, say nothing of people."""
    if values["subject_type"] not in {None, TYPES[0]} or values["sector_identifier_uri"]:
        raise BadInput(N_("Nobody signs in at a machine: it has no subject type and no sector."))
    values |= {"subject_type": TYPES[0], "sector_identifier_uri": None, "sector_identifier": None}


def require_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Raise BadInput for a change that would give every person another `sub`, as if all were strangers."""
    if before["subject_type"] == after["subject_type"] == "pairwise" and before["sector_identifier"] != after["sector_identifier"]:
        raise BadInput(
            N_("Its people would all get another sub: its sector is %(host)s. Keep it by a sector_identifier_uri there."),
            host=before["sector_identifier"] or before["id"],
        )


def require_listed(document: str, redirect_uris: list[str]) -> None:
    """Raise BadInput unless what stands at `sector_identifier_uri` names every redirect address (Core §8.1): else a stranger could enter
    somebody's sector, and learn how its people are called there.
    """
    try:
        listed = json.loads(document)
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list) or len(listed) > MOST_LISTED or not all(isinstance(each, str) for each in listed):
        raise BadInput(N_("sector_identifier_uri holds a JSON list of redirect addresses; here it does not."))
    if missing := [uri for uri in redirect_uris if uri not in listed]:
        raise BadInput(N_("sector_identifier_uri does not list %(uri)s. Every redirect address must stand there."), uri=missing[0][:200])


def require_claimed(before: dict[str, Any] | None, after: dict[str, Any]) -> None:
    """Look at the list of a sector that a client newly claims; within the unit that registers it, or changes it from `before`.

    Raises BadInput, and `fetched.Wanted` where the list has to be fetched first: it is as it is now, not as it was an hour ago.
    """
    uri = list_to_fetch(before, after)
    if uri is None:
        return
    document = fetched.find(uri, max_age=fetched.AGAIN)
    if document is None:
        raise BadInput(N_("sector_identifier_uri could not be read: %(uri)s"), uri=uri[:200])
    require_listed(document, after["redirect_uris"])


def list_to_fetch(before: dict[str, Any] | None, after: dict[str, Any]) -> str | None:
    """The address whose list has to be looked at before this is registered, or changed from `before`; None: nothing new is claimed."""
    uri: str | None = after.get("sector_identifier_uri")
    claims = ("sector_identifier_uri", "redirect_uris")
    return uri if uri and (before is None or any(before[name] != after[name] for name in claims)) else None


def _common_host(kind: str, redirect_uris: list[str]) -> str | None:
    """The one host of the addresses. None: they are on none, and the client is a sector of its own.

    NOTE: a native app's loopback address is nobody's host: all apps of all makers have it.
    """
    hosts = {urlsplit(uri).hostname for uri in redirect_uris if kind != "native" or uri.startswith("https://")}
    if len(hosts) > 1:
        raise BadInput(N_("Pairwise subjects with redirect addresses on several hosts need a sector_identifier_uri."))
    return next(iter(hosts), None)
