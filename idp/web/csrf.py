"""Forms come from our own pages: a token bound to this browser's `login` cookie stands in each (CWE-352).

The token is derived, not stored, and lives as long as the cookie: a person may take an hour to find the phone.
"""

from __future__ import annotations

from markupsafe import Markup

from idp import crypto
from idp.errors import N_, Gone
from idp.web.http import Answer, Request

FIELD = "csrf_token"
PURPOSE = "csrf"


class Csrf:
    """The hidden input of one page; a page that shows it to a browser without a `login` cookie gives it one."""

    def __init__(self, request: Request) -> None:
        self.secret = request.cookie("login")
        self.made = False

    def __html__(self) -> str:
        """The hidden input."""
        if not self.secret:
            self.secret, self.made = crypto.new_secret(), True
        return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token(self.secret))

    def settle(self, answer: Answer) -> None:
        """Set the cookie that the page's token is bound to, if this page made it."""
        if self.made:
            answer.set_cookie("login", self.secret)


def token(login_secret: str) -> str:
    """The token for the browser that holds `login_secret` in its cookie."""
    return crypto.derive_text(PURPOSE, login_secret)


def require(request: Request) -> None:
    """Raise Gone unless the form came from a page that we gave to this browser."""
    secret = request.cookie("login")
    if not secret or not crypto.is_derived(request.form.get(FIELD), PURPOSE, secret):
        raise Gone(
            N_("This page was open for too long, or cookies are off. Start again from the app you want to enter."),
            detail="the form's token does not belong to this browser",
        )
