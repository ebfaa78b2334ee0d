"""The base of our forms: WTForms over our own Parameters, in the language of the page.

A form only reads and shows. What a value may be is said by the rules (they raise BadInput), and whether the form is ours by the dispatcher
(`csrf`), so there is no token in here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import wtforms
from wtforms.validators import StopValidation

from idp import clock, languages
from idp.errors import N_, BadInput, Refusal, TooManyTries
from idp.web.http import Answer, Request
from idp.web.pages import language_of

SOON = timedelta(hours=12)  # further off, the time of day alone says too little


class _Texts:
    """WTForms' own messages, from our catalogues."""

    def __init__(self, language: str) -> None:
        self.language = language

    def gettext(self, text: str) -> str:
        """`text` in the page's language."""
        return languages.gettext(self.language, text)

    def ngettext(self, one: str, many: str, n: int) -> str:
        """The form of the text that `n` wants."""
        return languages.ngettext(self.language, one, many, n)


class Form(wtforms.Form):
    """A form of one request: a GET shows `values`, a POST what was sent."""

    class Meta:
        """How WTForms finds its words."""

        def get_translations(self, form: Form) -> _Texts:
            """The page's language."""
            return _Texts(form.language)

    def __init__(self, request: Request, *, ui_locales: tuple[str, ...] = (), **values: Any) -> None:
        self.language = language_of(request, ui_locales)
        super().__init__(formdata=request.form if request.is_post else None, data=values)  # type: ignore[no-untyped-call]

    def is_valid(self) -> bool:
        """Run the validators; what they refuse stands at the fields."""
        return bool(self.validate())  # type: ignore[no-untyped-call]

    @property
    def first_wrong(self) -> str:
        """The name of the first field with an error: it has the focus. Empty: none has one."""
        return next((field.name for field in self if field.errors), "")

    def translate(self, text: str, **params: object) -> str:
        """`text` (an English msgid) in the page's language."""
        return languages.gettext(self.language, text, **params)

    def refuse(self, name: str, refusal: Refusal) -> None:
        """Show `refusal` at the field `name`, with the time from which it may be tried again when there is one."""
        self.refuse_with(name, self.explain(refusal))

    def refused(self, name: str, refusal: Refusal, page: Callable[..., Answer]) -> Answer:
        """The page again, with `refusal` at the field `name`: 422, or 429 with the seconds to wait. `page` takes the `status`."""
        self.refuse(name, refusal)
        if isinstance(refusal, TooManyTries):
            return self.wait(page(status=429), refusal)
        return page(status=422)

    def explain(self, refusal: Refusal) -> str:
        """`refusal` in the page's language, likewise."""
        text = refusal.text(self.translate)
        if isinstance(refusal, TooManyTries) and refusal.retry_at is not None:
            text += " " + self.translate(N_("Try again after %(time)s."), time=self._when(refusal.retry_at))
        return text

    def refuse_with(self, name: str, text: str) -> None:
        """Show `text` (in the page's language) at the field `name`."""
        field = self[name]
        field.errors = [*field.errors, text]

    def wait(self, answer: Answer, refusal: TooManyTries) -> Answer:
        """`answer`, with the seconds after which it is worth another try (RFC 9110 §10.2.3)."""
        answer.headers.append(("Retry-After", str(refusal.retry_after)))
        return answer

    def _when(self, at: datetime) -> str:
        # A minute later than to the second: who comes back on the minute shown is not sent away again.
        later = at + timedelta(seconds=59)
        write = languages.format_time if later - clock.now() < SOON else languages.format_datetime
        return write(self.language, later)


def reads(rule: Callable[[str], str]) -> Callable[[Form, wtforms.Field], None]:
    """A validator that lets `rule` read the text: the field then holds what the rule gives, or shows why it refused."""

    def validate(form: Form, field: wtforms.Field) -> None:
        try:
            field.data = rule(field.data or "")
        except BadInput as refusal:
            raise StopValidation(refusal.text(form.translate)) from refusal

    return validate


def ticked(message: str) -> Callable[[Form, wtforms.Field], None]:
    """A validator for a tick that has to be set; `message` is a msgid."""

    def validate(form: Form, field: wtforms.Field) -> None:
        if not field.data:
            raise StopValidation(form.translate(message))

    return validate
