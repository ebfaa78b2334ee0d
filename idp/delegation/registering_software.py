"""What may be registered of who made a client, and how it shows itself: a part of `registering` (RFC 7591 §2).

None of it was looked at by anybody: it is shown as what it is, text. Everything here raises BadInput with the reason.
"""

from __future__ import annotations

import re
from typing import Any

from idp.delegation import redirects
from idp.errors import N_, BadInput

FIELDS = ("logo_uri", "contacts", "software_id", "software_version")
LONGEST = {"software_id": 255, "software_version": 100}
MOST_CONTACTS, LONGEST_CONTACT = 10, 200
SEEN = re.compile(r"[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff<>]+")


def require(values: dict[str, Any]) -> None:
    """Judge FIELDS, and put them as they are stored."""
    values |= {name: values[name] or None for name in FIELDS}
    if values["logo_uri"]:
        redirects.require_registrable(values["logo_uri"], native=False)
    for name, longest in LONGEST.items():
        if values[name] and (len(values[name]) > longest or not SEEN.fullmatch(values[name])):
            raise BadInput(N_("%(field)s has at most %(count)s characters that can be seen."), field=name, count=longest)
    contacts = values["contacts"] = list(dict.fromkeys(values["contacts"] or ())) or None
    if contacts and (len(contacts) > MOST_CONTACTS or not all(SEEN.fullmatch(each) and len(each) <= LONGEST_CONTACT for each in contacts)):
        raise BadInput(N_("contacts are at most %(count)s addresses, of up to 200 characters that can be seen."), count=MOST_CONTACTS)
