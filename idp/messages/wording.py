"""Every text that is sent, in the reader's language.

A text message is short: one with a code fits one segment in every language (70 UCS-2 characters), any other fits two. Its code comes first,
where a notification shows it; its last line binds it to our host, so that a phone fills it in here and nowhere else (the origin-bound
one-time code, https://wicg.github.io/sms-one-time-codes/). No text of anybody else stands beside an address (threats: case 74).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from idp.config import settings
from idp.errors import N_
from idp.languages import gettext

LONGEST_PARAM = 40
ONE_SEGMENT = 70  # UCS-2 characters, as Russian and Chinese need them
TWO_SEGMENTS = 134

# wording: channel: text. A wording without the channel has nothing to say there.
WORDINGS: dict[str, dict[str, str]] = {
    "sign_in_code": {
        "sms": N_("%(code)s is your %(brand)s code. Never share it."),
        "voice": N_("Your %(brand)s code is: %(digits)s. Once more: %(digits)s. Never share it."),
        "email": N_(
            "%(code)s is your %(brand)s code. It works for a few minutes, and only in the browser that asked for it. Never share it."
        ),
    },
    "browser_stolen": {
        "sms": N_("%(brand)s: your sign-in was used from another browser too. Both were signed out. Sign in again."),
    },
    "token_reused": {
        "sms": N_("%(brand)s: an old key to your account was used again, so that app was signed out. Sign in there again."),
    },
}


class Text(NamedTuple):
    """What goes out: the text, and what stands in it."""

    text: str
    code: str | None
    link: str | None


def compose(wording: str, channel: str, language: str, *, code: str | None = None, params: Mapping[str, str] | None = None) -> Text:
    """The text of `wording` for `channel` in `language`; raises KeyError when there is none."""
    values = {name: inert(value) for name, value in (params or {}).items()}
    values["brand"] = brand(language)
    if code is not None:
        values |= {"code": code, "digits": ", ".join(code)}
    text = gettext(language, WORDINGS[wording][channel], **values)
    if channel == "sms" and code is not None:
        text += f"\n@{bound_host()} #{code}"
    return Text(text, code, None)


def brand(language: str) -> str:
    """The product's name as it is called in `language`."""
    return settings().brand.names.get(language, settings().brand.name)


def bound_host() -> str:
    """The host to which a text's code is bound: without scheme and port, as browsers compare it."""
    return settings().messages.bound_host or urlsplit(settings().server.issuer).hostname or ""


def inert(value: str) -> str:
    """Somebody's words as harmless ones: letters, digits and a little punctuation on one line, nothing that a phone makes a link of."""
    kept = re.sub(r"[^\w .,()«»№&+'’-]", " ", value).replace("_", " ")
    kept = re.sub(r"\.(?=\S)", ". ", kept)
    return " ".join(kept.split())[:LONGEST_PARAM].rstrip()
