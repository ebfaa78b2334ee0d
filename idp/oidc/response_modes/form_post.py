"""`response_mode=form_post` (OAuth 2.0 Form Post Response Mode): a page of ours whose form the browser posts to the redirect address.

With scripts it is sent at once, without them by its button. The template escapes every value (Authlib's page would quote them as for an
address, and dies under our policy). Never to an address that is not http(s): to post to `javascript:` is to run it (case 4).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from idp.web.http import Page


def can_reach(redirect_uri: str) -> bool:
    """Whether a form may be posted to `redirect_uri`."""
    return redirect_uri.startswith(("https://", "http://"))


def answer(redirect_uri: str, parameters: dict[str, str]) -> Page:
    """The page; `parked`, since a `form-action` would stop the form on its way to another site."""
    return Page("oidc/form_post.html", parked=True, action=redirect_uri, parameters=parameters, host=urlsplit(redirect_uri).netloc)
