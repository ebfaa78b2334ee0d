"""How a text becomes text messages: in GSM 03.38 where all its characters stand there, else in UCS-2, and in as many parts as it needs.

3GPP TS 23.038 §6.2.1 (the alphabet and its extension, each of whose characters takes two places), TS 23.040 §9.2.3.24.1 (the header that
joins the parts). Each part is paid for.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPE = 0x1B
_CODES = {char: bytes([code]) for code, char in enumerate(_BASIC) if code != _ESCAPE}
_EXTENDED = {"\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65}
_CODES |= {char: bytes([_ESCAPE, code]) for char, code in _EXTENDED.items()}
GSM7, UCS2 = 0x00, 0x08  # data_coding of SMPP 3.4 §5.2.19
SINGLE = {GSM7: 160, UCS2: 140}  # octets of a text that needs no header, as SMPP carries it: a septet takes an octet there
JOINED = {GSM7: 153, UCS2: 134}
MOST = 255


class Parts(NamedTuple):
    """A text as it is handed to a message centre. `is_joined`: each part begins with the header that joins them."""

    coding: int
    parts: list[bytes]
    is_joined: bool


def split(text: str, *, ucs2: bool = False) -> Parts:
    """`text` in its parts; `ucs2`: in UCS-2 whatever it says. Raises ValueError when it is too long for any number of them."""
    coding = UCS2 if ucs2 or any(char not in _CODES for char in text) else GSM7
    pieces = [_CODES[char] if coding == GSM7 else char.encode("utf-16-be", "replace") for char in text]
    if sum(map(len, pieces)) <= SINGLE[coding]:
        return Parts(coding, [b"".join(pieces)], is_joined=False)
    bodies = [b""]
    for piece in pieces:  # a character is never torn in two, also one of two places
        if len(bodies[-1]) + len(piece) > JOINED[coding]:
            bodies.append(b"")
        bodies[-1] += piece
    if len(bodies) > MOST:
        raise ValueError("the text is too long")
    reference = secrets.randbelow(256)  # the same for all parts: by it a phone knows which belong together
    headers = [bytes([5, 0, 3, reference, len(bodies), number]) for number in range(1, len(bodies) + 1)]
    return Parts(coding, [header + body for header, body in zip(headers, bodies, strict=True)], is_joined=True)


def count(text: str, *, ucs2: bool = False) -> int:
    """How many text messages `text` is; `ucs2` as for `split`."""
    return len(split(text, ucs2=ucs2).parts)
