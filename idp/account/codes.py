"""The page on which a code is entered, on a person's own pages: to their number, to a new one, to an address."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wtforms import StringField

from idp import clock
from idp.account import shell
from idp.account.entry import Me
from idp.credentials import one_time_code
from idp.login.phone_code import ALL_TRIED, WRONG, WRONG_DIGITS
from idp.web.forms import Form
from idp.web.http import Page


class CodeForm(Form):
    """One field, not six: it takes a paste."""

    code = StringField()


def refuse(form: CodeForm, tries_left: int | None, *, of_call: bool = False) -> None:
    """Say at the field what was wrong with a guess. `tries_left`: None, it was not taken. `of_call`: the number that called was typed."""
    if tries_left is not None:
        form.refuse_with("code", form.translate((WRONG_DIGITS if of_call else WRONG) if tries_left else ALL_TRIED))


def bury(form: CodeForm, *, is_open: bool, tries_left: int) -> None:
    """What was typed for a code that is over can win nothing any more: it is not shown again, and the field says why."""
    if not is_open:
        form.code.data = ""
        if not form.code.errors:
            form.refuse_with("code", form.translate(one_time_code.TIME_OVER if tries_left else ALL_TRIED))


def page(
    me: Me, form: CodeForm, *, action: str, back: str, is_open: bool, ways: list[tuple[str, datetime]], status: int = 200, **context: Any
) -> Page:
    """`action`: where the code goes, and `<action>/resend`; `back`: where something else is typed.

    `ways`: channels, and from when each is open. `context`: `channel`, `to` (number or address), `digits`, `tries_left`, `expires_at`.
    """
    shown: dict[str, Any] = {
        "form": form,
        "action": action,
        "back": back,
        "is_open": is_open,
        "ways": ways if is_open else [],
        "now": clock.now(),
    }
    return shell.page(me, "account/code.html", section="security", status=status, **shown, **context)
