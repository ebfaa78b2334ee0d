"""The one tree of refusals: values with a message for people; the detail goes to the log.

    Refusal
    ├── BadInput            400  what was sent cannot be understood
    ├── NotAuthenticated    401  nobody has proved who they are
    ├── Forbidden           403  proved, and still not allowed
    ├── NotFound            404
    ├── NotAllowedMethod    405
    ├── Conflict            409  it was true a moment ago
    ├── Gone                410  it was there and has expired, or was used
    ├── TooLarge            413
    ├── TooManyTries        429  come back later
    │   └── WorkNeeded      429  first the browser works for it
    ├── Unavailable         503  something that we need is away
    └── OAuthRefusal        any  an error code of the protocol, for a client

NOTE: a refusal is an answer. What was written before it was raised is committed (a counted guess stays counted);
any other exception rolls back. So a rule raises its refusals before its effects, or means them to stay.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar


def N_(text: str) -> str:  # noqa: N802 - the name that gettext's tools look for
    """Mark `text` (English) for the catalogues and return it unchanged."""
    return text


class Refusal(Exception):  # noqa: N818 - it is an answer, not an accident
    """A refusal that can be shown: status, machine word, title and message (English, translated when it is rendered).

    `detail` is for the log and never shown to a person; `params` fill `%(name)s` in the message. Who knows more adds it to `shown`, for the
    page: `client_id`, `client_name`, `client_logo`, `restart_url` (where to begin again), `help_url`, `support_url`.
    """

    status: ClassVar[int] = 400
    error: str = "invalid_request"
    title: str = N_("That did not work")
    message: str = N_("Go back and try again.")

    def __init__(self, message: str | None = None, *, title: str | None = None, detail: str | None = None, **params: Any) -> None:
        self.message = message or type(self).message
        self.title = title or type(self).title
        self.detail = detail
        self.params = params
        self.shown: dict[str, str] = {}
        super().__init__(detail or self.message)

    def text(self, translate: Callable[..., str]) -> str:
        """The message in the reader's words; `translate(text, **params)` is the page's own."""
        return translate(self.message, **self.params)


class First(Exception):  # noqa: N818 - no refusal either
    """Something slow comes first, which nobody does within a unit of work: it is taken back, `do` is done, and the request begins anew.

    NOTE: whoever raises it must see afterwards that it was done, well or badly, and not raise it again.
    """

    def do(self) -> None:
        """What comes first; outside of any unit."""
        raise NotImplementedError


class BadInput(Refusal):
    """What was sent cannot be understood."""


class NotAuthenticated(Refusal):
    """Nobody has proved who they are."""

    status = 401
    error = "login_required"
    title = N_("Sign in first")
    message = N_("Sign in and try again.")


class Forbidden(Refusal):
    """Proved, and still not allowed."""

    status = 403
    error = "access_denied"
    title = N_("You may not do this")
    message = N_("Ask the administrator of your company for access.")


class NotFound(Refusal):
    """There is no such thing, or the asker may not know."""

    status = 404
    error = "not_found"
    title = N_("There is no such page")
    message = N_("Check the address or start again from the app you came from.")


class NotAllowedMethod(Refusal):
    """The address exists, but not for this method."""

    status = 405
    error = "invalid_request"
    title = N_("This page cannot be opened this way")
    message = N_("Go back and start again.")


class Conflict(Refusal):
    """It was true a moment ago."""

    status = 409
    error = "conflict"
    title = N_("This has changed meanwhile")
    message = N_("Reload the page and try again.")


class Gone(Refusal):
    """It was there, and has expired or was used."""

    status = 410
    error = "expired"
    title = N_("This sign-in is out of date")
    message = N_("Start again from the app you want to enter.")


class TooLarge(Refusal):
    """More was sent than anybody needs."""

    status = 413
    error = "invalid_request"
    title = N_("Too much was sent")
    message = N_("Send less and try again.")


class TooManyTries(Refusal):
    """Come back later. `retry_at` is when (UTC), `retry_after` the seconds until then."""

    status = 429
    error = "too_many_requests"
    title = N_("Too many tries")
    message = N_("Wait a little and try again.")

    def __init__(self, message: str | None = None, *, retry_after: int = 60, retry_at: datetime | None = None, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.retry_after = retry_after
        self.retry_at = retry_at


class WorkNeeded(TooManyTries):
    """First the browser works for it (proof of work). Whoever knows the page for that leads there; else it reads as what it is above.

    `is_hard`: longer than is usual.
    """

    is_hard = False


class Unavailable(Refusal):
    """Something that we need is away; it comes back by itself."""

    status = 503
    error = "temporarily_unavailable"
    title = N_("We cannot answer right now")
    message = N_("Nothing is lost. Try again in a minute.")
    retry_after = 5


class OAuthRefusal(Refusal):
    """An error of the protocol (RFC 6749 §5.2 and its extensions): `error`, an ASCII `description`, a status.

    `headers` go out with it (`WWW-Authenticate` of RFC 6750 §3, for one).
    """

    title = N_("The app asked for something it may not have")
    message = N_("Start again from the app. If it happens again, send its support the details below.")

    def __init__(
        self, error: str, description: str, *, status: int = 400, headers: tuple[tuple[str, str], ...] = (), **kwargs: Any
    ) -> None:
        super().__init__(detail=f"{error}: {description}", **kwargs)
        self.error = error
        self.description = description
        self.http_status = status
        self.headers = headers
