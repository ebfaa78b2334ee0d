"""One authorization request on its way: what was asked, who is here, what was decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idp.delegation.clients import Client
from idp.delegation.requests import Asked, Parked
from idp.directory.accounts import Standing
from idp.errors import OAuthRefusal
from idp.login.session import SignedIn
from idp.web.http import Answer, Request


@dataclass(slots=True)
class Journey:
    """Filled in step by step. `parked` is None as long as no page had to be shown.

    `login_secret` is what binds it to this browser: the `login` cookie, or the one that goes out with this very answer.
    """

    request: Request
    client: Client
    asked: Asked
    parked: Parked | None = None
    signed_in: SignedIn | None = None
    standing: Standing | None = None
    login_secret: str = ""

    def person(self) -> SignedIn:
        """Who is here; the steps after sign_in may rely on it."""
        if self.signed_in is None:
            raise OAuthRefusal("login_required", "Nobody is signed in.")
        return self.signed_in

    def decided_here(self) -> Parked | None:
        """The parked request, if what was decided in it was decided by the person who is here now."""
        if self.parked is not None and self.signed_in is not None and self.parked.user_id == self.signed_in.user_id:
            return self.parked
        return None


@dataclass(frozen=True, slots=True)
class Open:
    """A step that the person still has to take: the error of `prompt=none`, and where to send the person otherwise."""

    error: str
    description: str
    go: Callable[[Journey], Answer]
