"""What a name, an e-mail address, a phone and a link may look like before they are kept; the one form in which addresses are compared."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

import idna

from idp.errors import N_, BadInput

NAME_LENGTH = 100
LINK_LENGTH = 500
# Direction marks and isolates turn a line around ("threats.md" case 74); the zero-width joiners stay, some scripts need them.
_TURNING = {chr(c) for c in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)}
_BLANK = {"\u115f", "\u1160", "\u2800", "\u3164", "\uffa0"}  # letters and signs by category, and nothing to be seen
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_LOCAL_PART = re.compile(r"[^\s@\"(),:;<>\[\]\\]+")


def _is_shown(char: str) -> bool:
    return char not in _TURNING and unicodedata.category(char) not in {"Cc", "Cs", "Cn", "Co", "Zl", "Zp"}


def _is_ink(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNPS" and char not in _BLANK


def clean_name(text: str, *, longest: int = NAME_LENGTH) -> str:
    """`text` as one line that reads as it is written: no control and no direction characters, single spaces, NFC.

    Raises BadInput when nothing is left that can be seen, or more than `longest` characters.
    """
    line = unicodedata.normalize("NFC", "".join(c if _is_shown(c) else " " for c in text))
    line = " ".join(line.split())
    if not any(_is_ink(c) for c in line):
        raise BadInput(N_("Fill in this field."))
    if len(line) > longest:
        raise BadInput(N_("Shorten this to %(longest)s characters."), longest=longest)
    return line


def canonical_email(text: str) -> str:
    """The form in which two addresses are the same: NFKC, folded case, the domain as DNS has it. Raises BadInput when it is no address.

    For comparing only: mail goes to the address as given (case 98). What stands after a plus is kept: only the mailbox's own host
    knows what it means (RFC 5321 §2.3.11).
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.strip()).casefold())
    local, at, domain = folded.rpartition("@")
    try:
        host = idna.encode(domain, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        host = ""
    well_formed = _LOCAL_PART.fullmatch(local) and not local.startswith(".") and not local.endswith(".") and ".." not in local
    too_long = len(local) > 64 or len(local) + len(host) > 253
    if not at or not well_formed or not all(_is_shown(c) for c in local) or "." not in host or too_long:
        raise BadInput(N_("Enter an e-mail address, for example name@example.com."))
    return f"{local}@{host}"


def kept_email(text: str) -> str:
    """The address as it was given, without spaces around it; raises BadInput when it is no address."""
    canonical_email(text)
    return text.strip()


def require_phone(text: str) -> str:
    """`text` when it is in E.164; raises BadInput otherwise. Reading what people type is the sign-in page's work."""
    if not _PHONE.fullmatch(text):
        raise BadInput(N_("Enter a phone number, for example +7 912 345-67-89."), detail="a phone must be in E.164")
    return text


def require_link(text: str) -> str:
    """`text` when it is an absolute http(s) address without user info: a portal will put it into `href` and `src`."""
    try:
        parts = urlsplit(text)
        bad = parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc
    except ValueError:
        bad = True
    if bad or len(text) > LINK_LENGTH or not text.isascii() or any(c <= " " or c in "\"'<>\\`" for c in text):
        raise BadInput(N_("Enter a full web address that begins with https://."))
    return text
