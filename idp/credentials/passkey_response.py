"""What an authenticator says, read and judged: WebAuthn Level 3 §7.1 and §7.2 (https://www.w3.org/TR/webauthn-3/). No database in here.

The library (py_webauthn) looks at the challenge it is given, origin, domain, presence, attestation and signature. Here stands what it does
not look at, or only if it is told to:

    user verification    always required: a passkey is the whole of a sign-in (threats: case 100)
    crossOrigin, topOrigin    refused: none of our pages lies in somebody's frame (case 103)
    the key    one of the three kinds that were offered, well-formed, as large as it must be; it is stored, and no signature is made at
        registration, so the library would keep one that nothing can ever be verified with (case 105)
    attestation    not asked for. `none`, or the authenticator's own signature; a maker's certificate was not wanted and is not believed
    backup flags    "is backed up" without "may be backed up" is nonsense; that the second never changes, `passkey` looks at
    user handle, whose credential it is, counter, one use of the challenge: `passkey`

Whatever is sent, nothing but `Unsound` comes out.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography, parse_authenticator_data
from webauthn.helpers.cose import COSEAlgorithmIdentifier as Algorithm
from webauthn.helpers.structs import CredentialDeviceType

CREATE, GET = "webauthn.create", "webauthn.get"
ALGORITHMS = (Algorithm.EDDSA, Algorithm.ECDSA_SHA_256, Algorithm.RSASSA_PKCS1_v1_5_SHA_256)
TRANSPORTS = ("ble", "hybrid", "internal", "nfc", "smart-card", "usb")
LONGEST_ID = 1023  # bytes (WebAuthn §7.1, step 25)
SMALLEST_RSA = 2048
_TEXT = re.compile("[A-Za-z0-9_-]+")
_FORMATS = ("none", "packed")

# Nobody's key (x is a digest, so nobody has the other half): a credential that we do not know costs the same work as one that we know.
NOBODYS_KEY = "pQECAyYgASFYIMd4L-ExeK7HIb6jJgJ--33NJVZ_T64SOsdUBaiGWnfrIlggmRNkbCnuVuxWxtOQkmNGHrUQth9sKzbYVEPZuM5--8o"


class Unsound(Exception):  # noqa: N818 - an answer of the rules, which the page puts into words
    """What was sent proves nothing; `reason` is a word for the event, and never shown."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer of `navigator.credentials`, of which nothing is believed yet: as it is, and what names things in it (base64url)."""

    whole: dict[str, Any]
    credential_id: str
    user_handle: str | None
    challenge: str
    client: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, as it is kept. `eligible`: it may leave the device; `backed_up`: it has."""

    credential_id: str
    public_key: str
    counter: int
    aaguid: str
    eligible: bool
    backed_up: bool
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Used:
    """What a right signature says beside being right."""

    counter: int
    eligible: bool
    backed_up: bool


def read(text: str) -> Response:
    """The JSON that the page sent, as far as its form goes; raises Unsound."""
    try:
        whole = json.loads(text)
        inner = whole["response"]
        client = json.loads(_bytes(inner["clientDataJSON"]).decode("utf-8"))
        found = Response(whole, whole["id"], inner.get("userHandle"), client["challenge"], client)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise Unsound("unreadable") from e
    named: list[Any] = [found.credential_id, found.challenge, *([] if found.user_handle is None else [found.user_handle])]
    if not all(isinstance(name, str) and _TEXT.fullmatch(name) for name in named) or whole.get("rawId") != found.credential_id:
        raise Unsound("unreadable")
    if len(found.credential_id) * 6 // 8 > LONGEST_ID:
        raise Unsound("credential_id")
    return found


def require_here(response: Response, kind: str, *, origin: str, domain: str) -> None:
    """Raise Unsound unless it was said on a page of ours (CREATE or GET), by somebody who was there and was verified.

    NOTE: all this can be seen without the key. So what fails later, for whatever credential, fails by its key alone.
    """
    client = response.client
    if client.get("type") != kind:
        raise Unsound("type")
    if client.get("origin") != origin:
        raise Unsound("origin")
    if client.get("crossOrigin", False) is not False or "topOrigin" in client:
        raise Unsound("cross_origin")
    if kind == CREATE:
        return  # the rest lies in the attestation, which the library opens
    try:
        said = parse_authenticator_data(_bytes(response.whole["response"]["authenticatorData"]))
    except Exception as e:  # the library raises what its parsers raise
        raise Unsound("authenticator_data") from e
    if said.rp_id_hash != hashlib.sha256(domain.encode()).digest():
        raise Unsound("domain")
    if not said.flags.up or not said.flags.uv:
        raise Unsound("not_verified")
    if said.flags.bs and not said.flags.be:
        raise Unsound("backup")


def verify_new(response: Response, *, origin: str, domain: str) -> NewKey:
    """The key of a registration; raises Unsound. The caller has used up its challenge."""
    require_here(response, CREATE, origin=origin, domain=domain)
    try:
        found = verify_registration_response(
            credential=response.whole,
            expected_challenge=_bytes(response.challenge),
            expected_rp_id=domain,
            expected_origin=origin,
            require_user_verification=True,
            supported_pub_key_algs=list(ALGORITHMS),
        )
        sound = found.fmt in _FORMATS and _is_sound(found.credential_public_key)
    except Exception as e:  # the library raises what its parsers raise
        raise Unsound(type(e).__name__) from e
    if not sound:
        raise Unsound("key")
    if _text(found.credential_id) != response.credential_id or len(found.credential_id) > LONGEST_ID:
        raise Unsound("credential_id")
    eligible = found.credential_device_type == CredentialDeviceType.MULTI_DEVICE
    transports = response.whole["response"].get("transports")
    known = tuple(name for name in TRANSPORTS if name in transports) if isinstance(transports, list) else ()
    return NewKey(
        *(response.credential_id, _text(found.credential_public_key), found.sign_count, found.aaguid),
        *(eligible, found.credential_backed_up, known),
    )


def verify(response: Response, public_key: str, *, origin: str, domain: str) -> Used:
    """What a signature with this key says; raises Unsound when it is not one. The caller has used up its challenge.

    The counter is not compared here: the library would do so before it looks at the signature, and anybody could raise the alarm.
    """
    try:
        found = verify_authentication_response(
            credential=response.whole,
            expected_challenge=_bytes(response.challenge),
            expected_rp_id=domain,
            expected_origin=origin,
            credential_public_key=_bytes(public_key),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as e:  # the library raises what its parsers raise
        raise Unsound("signature") from e
    return Used(found.new_sign_count, found.credential_device_type == CredentialDeviceType.MULTI_DEVICE, found.credential_backed_up)


def _is_sound(public_key: bytes) -> bool:
    """Whether it is a key of a kind that was offered, on its own curve; raises what the library raises."""
    decoded = decode_credential_public_key(public_key)
    key = decoded_public_key_to_cryptography(decoded)
    if decoded.alg == Algorithm.EDDSA:
        return isinstance(key, Ed25519PublicKey)
    if decoded.alg == Algorithm.ECDSA_SHA_256:
        return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    return isinstance(key, RSAPublicKey) and SMALLEST_RSA <= key.key_size <= 4 * SMALLEST_RSA


def _bytes(text: str) -> bytes:
    """base64url without padding, strictly; raises ValueError and TypeError."""
    if not _TEXT.fullmatch(text):
        raise ValueError("not base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
