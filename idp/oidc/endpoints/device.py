"""`/device` (RFC 8628 §3.3, RFC 10027): the person types the code that a device shows, and the same desk as at `/authorize` is asked.

NOTE: a code that stands in the address fills the field and nothing more: whoever follows a link that somebody sent has pressed a button
with the code beside it, and then sees who asks and from where, before anything is allowed (RFC 8628 §5.4).

Guesses are counted by browser and by network, before they are looked at, in the same unit; a right one does not count.
"""

from __future__ import annotations

import wtforms

from idp import crypto, limits
from idp.config import settings
from idp.delegation import clients, device_authorizations, requests
from idp.errors import N_, BadInput, TooManyTries
from idp.oidc import arrivals
from idp.web.forms import Form, reads
from idp.web.http import Answer, Page, Request, see_other

BY_BROWSER, BY_NETWORK = "user_code_browser", "user_code_network"
HOUR = 3600
WRONG = N_("No device is waiting with this code. Look at the device: it may show another one by now.")


class CodeForm(Form):
    """The code, as the device shows it."""

    user_code = wtforms.StringField(validators=[reads(device_authorizations.read_user_code)])


def show(request: Request) -> Answer:
    """The field, filled in with the code of the address where it can be one."""
    form = CodeForm(request)
    try:
        form.user_code.data = device_authorizations.written(device_authorizations.read_user_code(request.query.get("user_code")))
    except BadInput:
        form.user_code.data = ""
    return _page(form)


def answer(request: Request) -> Answer:
    """A right code: its request is parked in this browser, and the desk is asked."""
    form = CodeForm(request)
    typed = request.form.get("user_code")[: device_authorizations.LONGEST_TYPED]
    if not form.is_valid():
        form.user_code.data = typed
        return _page(form, status=422)
    subjects = {BY_BROWSER: crypto.digest(request.cookie("login")), BY_NETWORK: request.network}
    oidc = settings().oidc
    try:
        limits.spend(BY_BROWSER, subjects[BY_BROWSER], limit=oidc.wrong_user_codes_per_hour, window_seconds=HOUR)
        limits.spend(BY_NETWORK, subjects[BY_NETWORK], limit=oidc.network_wrong_user_codes_per_hour, window_seconds=HOUR)
    except TooManyTries as refusal:
        form.user_code.data = typed
        return form.refused("user_code", refusal, lambda status: _page(form, status=status))
    asked = device_authorizations.find(str(form.user_code.data))
    if asked is None or clients.find(asked.client_id) is None:
        form.user_code.data = typed
        return form.refused("user_code", BadInput(WRONG), lambda status: _page(form, status=status))
    for rule, subject in subjects.items():
        limits.give_back(rule, subject)
    arrivals.admit(request.network)
    parked = requests.park(asked, login_secret=request.cookie("login"))
    return see_other(f"/authorize/{parked.id}")


def allowed(request: Request) -> Answer:
    """`/device/allowed`: the last page. Nothing is left to be done here."""
    del request
    return Page("oidc/device_done.html", allowed=True)


def refused(request: Request) -> Answer:
    """`/device/refused`: likewise."""
    del request
    return Page("oidc/device_done.html", allowed=False)


def _page(form: CodeForm, *, status: int = 200) -> Page:
    return Page("oidc/device.html", status=status, form=form)
