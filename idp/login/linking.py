"""Whether an account waits to be linked: its password was right in this sign-in, its address is shown, and it is nobody's yet.

For the desk; the page is `link`.
"""

from __future__ import annotations

from datetime import datetime

from idp.credentials import password
from idp.credentials.password import Owner

PAGE = "link"


def waits(owner_id: str | None, password_at: datetime | None) -> bool:
    """Whether whoever is proved now is asked about the account whose password was right."""
    return waiting(owner_id, password_at) is not None


def waiting(owner_id: str | None, password_at: datetime | None) -> Owner | None:
    """That account; None when it is somebody's by now, closed, or has another password."""
    owner = password.find_account(owner_id) if owner_id else None
    if owner is None or owner.user_id is not None or owner.verified_at is None:
        return None
    return owner if password.is_unchanged_since(owner.id, password_at) else None
