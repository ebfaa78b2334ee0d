"""Random tokens, digests, sealing, derived values, signed links.

Everything secret hangs off the root keys in `keys/root.key`: one key a line (base64url, 32 bytes), the first one seals, all of them
open. Each use has its own key, derived by HKDF from its purpose, so that a value of one kind never passes for another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import threading
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from itsdangerous import BadSignature, URLSafeTimedSerializer

from idp import clock

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: nothing that is read as something else
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
ROOT_KEY = "root.key"


class KeysMissing(RuntimeError):  # noqa: N818 - a state of the deployment
    """The root keys are not there or cannot be read; the message says what to do."""


class _Keys:
    """The root keys of this process, read once, and the purposes derived from them."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.roots: list[bytes] = []
        self.derived: dict[tuple[int, str], bytes] = {}
        self.sealing: dict[tuple[int, str], AESGCM] = {}
        self.veiling: dict[tuple[int, str], AESSIV] = {}
        self.lock = threading.Lock()


_keys = _Keys()


def load_keys(folder: Path) -> None:
    """Read the root keys from `folder`; raises KeysMissing with what to do."""
    path = folder / ROOT_KEY
    try:
        lines = path.read_text("ascii").split()
    except OSError as e:
        raise KeysMissing(
            f"{path} cannot be read ({e.strerror}). Run `idp init` to make it, or put back the file of this deployment."
        ) from e
    try:
        roots = [base64.urlsafe_b64decode(line) for line in lines]
    except ValueError as e:
        raise KeysMissing(f"{path} is damaged: each line is 32 bytes in base64url. Put back the file of this deployment.") from e
    if not roots or any(len(root) != 32 for root in roots):
        raise KeysMissing(f"{path} is damaged: each line is 32 bytes in base64url. Put back the file of this deployment.")
    with _keys.lock:
        _keys.folder, _keys.roots, _keys.derived, _keys.sealing, _keys.veiling = folder, roots, {}, {}, {}


def make_keys(folder: Path) -> bool:
    """Write a root key into `folder` unless there is one; only its owner can read it. Answers whether one was made.

    It appears whole or not at all: an empty file, left by a process that died, would look like a damaged key for ever.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ROOT_KEY
    if path.exists():
        return False
    temporary = folder / f".{ROOT_KEY}.{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(base64.urlsafe_b64encode(secrets.token_bytes(32)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # unlike a rename, it fails when another process was quicker
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _key(purpose: str, generation: int = 0) -> bytes:
    known = _keys.derived.get((generation, purpose))
    if known is not None:
        return known
    if not _keys.roots:
        raise KeysMissing("The root keys have not been loaded. Run `idp init` first.")
    key = HKDF(SHA256(), 32, None, b"idp " + purpose.encode()).derive(_keys.roots[generation])
    _keys.derived[generation, purpose] = key
    return key


def new_id(kind: str, *, ordered: bool = True) -> str:
    """An id that carries its kind: `ses_` and 26 characters, 128 bits; `ordered` ones begin with the time, for the index's sake."""
    number = secrets.randbits(128)
    if ordered:
        number = (int(clock.now().timestamp() * 1000) << 80) | (number >> 48)
    return f"{kind}_{base32(number)}"


def base32(number: int) -> str:
    """128 bits in 26 characters of Crockford's alphabet, whose order is that of the numbers."""
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])


def new_secret() -> str:
    """256 random bits, base64url without padding: 43 characters of `[A-Za-z0-9_-]`."""
    return secrets.token_urlsafe(32)


def random_text(length: int, alphabet: str = ALPHABET) -> str:
    """As many random characters of `alphabet`; of Crockford's, five bits each. For what people read and type."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def digest(secret: str) -> str:
    """What is stored of a secret of 128 bits or more: its SHA-256, hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def equal(one: str, other: str) -> bool:
    """Compare in constant time; any text is welcome (hmac.compare_digest raises on non-ASCII str)."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def derive(purpose: str, *parts: object, generation: int = 0) -> bytes:
    """HMAC-SHA256 over `parts` under the purpose's key: the same every time, unguessable without `keys/`.

    `generation`: which root key, 0 the first. What was given out under an older one is recognised by `is_derived`.
    """
    message = b"".join(len(p).to_bytes(4, "big") + p for p in (str(part).encode() for part in parts))
    return hmac.digest(_key("derive " + purpose, generation), message, "sha256")


def derive_text(purpose: str, *parts: object, generation: int = 0) -> str:
    """`derive`, base64url without padding: 43 characters."""
    return base64.urlsafe_b64encode(derive(purpose, *parts, generation=generation)).rstrip(b"=").decode()


def is_derived(given: str, purpose: str, *parts: object) -> bool:
    """Whether `given` is `derive_text(purpose, *parts)` under any root key that is still kept: a new first key logs nobody out."""
    return any(equal(given, derive_text(purpose, *parts, generation=generation)) for generation in range(max(1, len(_keys.roots))))


def seal(purpose: str, text: str) -> str:
    """Encrypt `text` (AES-256-GCM, the purpose bound in); `unseal` with the same purpose gives it back."""
    nonce = secrets.token_bytes(12)
    return base64.urlsafe_b64encode(nonce + _cipher(purpose, 0).encrypt(nonce, text.encode(), purpose.encode())).decode()


def unseal(purpose: str, sealed: str) -> str:
    """Open what `seal` closed, under any root key that is still kept; raises ValueError when nothing opens it."""
    raw = base64.urlsafe_b64decode(sealed)
    for generation in range(max(1, len(_keys.roots))):
        try:
            return _cipher(purpose, generation).decrypt(raw[:12], raw[12:], purpose.encode()).decode()
        except InvalidTag:
            continue
    raise ValueError(f"A sealed value ({purpose}) does not open with the keys in keys/. They are not this database's keys.")


def _cipher(purpose: str, generation: int) -> AESGCM:
    known = _keys.sealing.get((generation, purpose))
    if known is None:
        known = _keys.sealing[generation, purpose] = AESGCM(_key("seal " + purpose, generation))
    return known


def veil(purpose: str, text: str, bound_to: str) -> str:
    """`text` encrypted so that the same text, bound to the same word, always looks the same (AES-SIV, RFC 5297); base64url.

    NOTE: under the *last* root key, so that a new first line changes nothing: what is veiled was given to others, who keep it.
    """
    return base64.urlsafe_b64encode(_veiling(purpose).encrypt(text.encode(), [bound_to.encode()])).rstrip(b"=").decode()


def unveil(purpose: str, veiled: str, bound_to: str) -> str | None:
    """What `veil` covered; None for anything that we did not make, or not for this word."""
    try:
        raw = base64.urlsafe_b64decode(veiled + "=" * (-len(veiled) % 4))
        return _veiling(purpose).decrypt(raw, [bound_to.encode()]).decode()
    except (InvalidTag, ValueError):
        return None


def _veiling(purpose: str) -> AESSIV:
    last = max(0, len(_keys.roots) - 1)
    known = _keys.veiling.get((last, purpose))
    if known is None:
        known = _keys.veiling[last, purpose] = AESSIV(_key("veil " + purpose, last))
    return known


def sign_link(purpose: str, value: Any) -> str:
    """A text that can stand in a link or a form and that only we can have made. It is not secret, and can be read more than once."""
    return URLSafeTimedSerializer(_key("link " + purpose), salt=purpose).dumps(value)


def read_link(purpose: str, text: str, *, max_age: int) -> Any | None:
    """What `sign_link` put in, at most `max_age` seconds ago; None when it is not ours, or older."""
    for generation in range(max(1, len(_keys.roots))):
        try:
            return URLSafeTimedSerializer(_key("link " + purpose, generation), salt=purpose).loads(text, max_age=max_age)
        except BadSignature:
            continue
    return None
