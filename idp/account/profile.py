"""Profile: what the ID says of the person, and apps see of it as far as they are allowed (OpenID Connect Core §5.1)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from wtforms import StringField

from idp import clock
from idp.account import entry, shell
from idp.account.entry import Me
from idp.directory import users
from idp.directory.names import clean_name
from idp.errors import N_, BadInput
from idp.web.forms import Form, reads
from idp.web.http import Answer, Page, Request, see_other

NAMES = ("name", "family_name", "given_name", "middle_name", "birthdate", "gender")
ADDRESS = ("street_address", "locality", "region", "postal_code", "country")
GENDERS = ("female", "male")
LONGEST_ADDRESS = 300
EARLIEST = date(1900, 1, 1)
NO_DATE = N_("Enter a date, for example 1990-05-31.")


def _or_nothing(rule: Callable[[str], str]) -> Callable[[str], str]:
    """`rule`, for a field that may be left empty."""
    return lambda text: rule(text) if text.strip() else ""


def _address(text: str) -> str:
    return clean_name(text, longest=LONGEST_ADDRESS)


def read_birthdate(text: str) -> str:
    """A day in the life of somebody alive, as YYYY-MM-DD; raises BadInput."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError as e:
        raise BadInput(NO_DATE) from e
    if not EARLIEST <= day <= clock.now().date():
        raise BadInput(NO_DATE)
    return day.isoformat()


def _name_field() -> StringField:
    return StringField(validators=[reads(_or_nothing(clean_name))])


def _address_field() -> StringField:
    return StringField(validators=[reads(_or_nothing(_address))])


class ProfileForm(Form):
    """What can be set here, and nothing else: a field that is not in it is not read (case 122)."""

    name = StringField(validators=[reads(clean_name)])
    family_name, given_name, middle_name = _name_field(), _name_field(), _name_field()
    birthdate = StringField(validators=[reads(_or_nothing(read_birthdate))])
    gender = StringField()
    street_address, locality, region, postal_code, country = (_address_field() for _ in ADDRESS)


def show(request: Request) -> Answer:
    """`GET /account/profile`."""
    me = entry.enter(request)
    kept: dict[str, Any] = {name: getattr(me.user, name) or "" for name in (*NAMES, *ADDRESS)}
    return _page(me, ProfileForm(request, **kept), said=shell.done(request))


def answer(request: Request) -> Answer:
    """`POST /account/profile`: the fields of the form, each as it is to be from now on."""
    me = entry.enter(request)
    form = ProfileForm(request)
    if not form.is_valid():
        return _page(me, form, status=422)
    if changes := _changes(me, form, request):
        users.change_profile(me.id, changes, actor_id=me.id)
    return see_other("/account/profile?done=profile")


def _changes(me: Me, form: ProfileForm, request: Request) -> dict[str, Any]:
    """What was sent and is other than it was; what was not sent stays."""
    was = {name: getattr(me.user, name) or "" for name in (*NAMES, *ADDRESS)}
    new = was | {name: form[name].data or "" for name in was if name in request.form}
    if new["gender"] not in {"", *GENDERS}:  # none of the list
        new["gender"] = was["gender"]
    changes: dict[str, Any] = {name: new[name] for name in NAMES if new[name] != was[name]}
    address = {name: new[name] for name in ADDRESS if new[name] != was[name]}
    if address:
        changes["address"] = address | {"formatted": ", ".join(new[name] for name in ADDRESS if new[name])[:LONGEST_ADDRESS]}
    return changes


def _page(me: Me, form: ProfileForm, *, status: int = 200, said: str = "") -> Page:
    return shell.page(
        me,
        "account/profile.html",
        section="profile",
        status=status,
        said=said,
        form=form,
        genders=GENDERS,
        picture=me.user.picture or "",
        today=clock.now().date().isoformat(),
    )
