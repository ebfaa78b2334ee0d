"""Proof of work: a browser spends a second of its processor before a message goes out, so that ten thousand of them cost somebody hours.

The protocol is altcha's, the second one (https://altcha.org): a signed challenge that names a sign-in, and a counter to be found. No other
site is asked anything. A solution works once, for the sign-in it was made for, for ten minutes.
"""

from __future__ import annotations

import binascii
import json
import secrets
from datetime import UTC, datetime
from typing import Any

from idp import clock, crypto
from idp.config import settings
from idp.db.session import insert_or_ignore
from idp.messages.tables import UsedWork

LIFETIME = 600  # seconds
HARDER = 4  # times as many steps, where otherwise nothing would be sent any more
ROUNDS = 1000  # of PBKDF2 in each step
ALGORITHM = "PBKDF2/SHA-256"
LONGEST = 4096  # characters of a solution


def challenge(flow_id: str, *, hard: bool = False) -> str:
    """A challenge for one sign-in, as JSON for the page."""
    import altcha  # noqa: PLC0415 - seldom needed, and no part of a start

    most = settings().spend.work * (HARDER if hard else 1)
    made = altcha.create_challenge(
        ALGORITHM,
        ROUNDS,
        # Known beforehand, so that it takes everybody about as long: never a lucky moment, never a minute.
        counter=most // 2 + secrets.randbelow(most // 2 + 1),
        expires_at=clock.timestamp() + LIFETIME,
        data={"flow": flow_id, "is": "hard" if hard else "usual"},
        hmac_secret=_key("challenge"),
        hmac_key_secret=_key("solution"),
    )
    return json.dumps(made.to_dict())


def accept(solution: str, flow_id: str, *, hard: bool = False) -> bool:
    """Whether `solution` (base64 of JSON) is one to a challenge of ours for this sign-in, in time, and nobody has used it: it is used now.
    `hard`: one to a usual challenge is not enough.

    In a `writes()` unit, in the transaction of what it was worked for.
    """
    import altcha  # noqa: PLC0415 - as above

    if len(solution) > LONGEST:
        return False
    try:
        shown: Any = altcha.Payload.from_base64(solution)
        parameters = shown.challenge.parameters
        result = altcha.verify_solution(shown, _key("challenge"), hmac_key_secret=_key("solution"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError, binascii.Error):
        return False  # no solution at all
    # From here on the parameters are ours: their signature was right.
    if not result.verified or (parameters.data or {}).get("flow") != flow_id or not isinstance(parameters.expires_at, int):
        return False
    if hard and (parameters.data or {}).get("is") != "hard":
        return False
    if parameters.expires_at <= clock.timestamp():  # by the clock that all machines share
        return False
    return insert_or_ignore(UsedWork, nonce=parameters.nonce, expires_at=datetime.fromtimestamp(parameters.expires_at, UTC))


def _key(purpose: str) -> bytes:
    return crypto.derive("proof of work", purpose)
