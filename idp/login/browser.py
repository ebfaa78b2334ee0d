"""What this browser knows: the people who trust it, the one who is signed in, and the thief who came with a copied cookie."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from idp import clock
from idp.credentials import trusted_device
from idp.credentials.trusted_device import KnownPerson, Recognition
from idp.login import session
from idp.login.policy import REMEMBERED, Demand, Proved
from idp.login.session import SignedIn
from idp.web.http import Answer, Request

SHARED_FOR = 365 * 86400  # seconds


@dataclass(frozen=True, slots=True)
class PersonHere:
    """Somebody who can come in here by pressing their name; `id` is what the form sends: a device's, or the session's.

    What vouches for them: the device, the session, or both.
    """

    id: str
    user_id: str
    name: str
    phone: str | None
    acr: str
    amr: tuple[str, ...]
    auth_time: datetime
    confirmed_at: datetime
    device_id: str | None
    vouched_at: datetime
    rights_raised_at: datetime | None = None
    browser_lifetime: int | None = None
    is_administrator: bool = False
    session_id: str | None = None
    password_at: datetime | None = None

    @property
    def proved(self) -> Proved:
        """What the browser can vouch for: the last real proof, and never more."""
        return Proved(REMEMBERED, self.acr, self.amr, self.auth_time)


def signed_in(request: Request) -> SignedIn | None:
    """Who is signed in in this browser."""
    return session.find(request.cookie("session"))


def recognise(request: Request) -> Recognition:
    """What the `browser` cookie says; only reads."""
    return trusted_device.recognise(request.cookie("browser"), request.user_agent)


def expel_thief(request: Request) -> bool:
    """An old value of a rotated cookie came back: end the browser and all sessions that were begun in it (case 77). In a writing unit.

    Nobody can tell the thief from the owner here, so both are out; each person who trusted the browser is told by the event.
    """
    recognition = recognise(request)
    if recognition.verdict != "stolen" or recognition.browser_id is None:
        return False
    if trusted_device.report_theft(recognition.browser_id):
        session.end_of_browser(recognition.browser_id, "browser_stolen")
    return True


def people(request: Request, demand: Demand) -> list[PersonHere]:
    """Who can press their name here: those who trust the browser, and the one who is signed in, as far as the demand lets them."""
    if demand.create:
        return []
    here = everybody(recognise(request), signed_in(request))
    return [person for person in here if demand.user_id in {None, person.user_id}]


def everybody(recognition: Recognition, live: SignedIn | None) -> list[PersonHere]:
    """Whoever trusts the browser, and the one who is signed in; each as strong as what vouches for them."""
    now = clock.now()
    here = [_by_device(person, live, now) for person in recognition.people]
    if live is not None and live.user_id not in {person.user_id for person in here}:
        here.insert(0, _by_session(live, live.id, None, now))
    return here


def knows(recognition: Recognition, live: SignedIn | None, user_id: str) -> bool:
    """Whether this person has been here before: they trust the browser, or are signed in in it."""
    return any(person.user_id == user_id for person in recognition.people) or (live is not None and live.user_id == user_id)


def password_at(recognition: Recognition, live: SignedIn | None, user_id: str) -> datetime | None:
    """When this person last gave a password or a passkey in this browser."""
    seen = [person.password_at for person in recognition.people if person.user_id == user_id]
    if live is not None and live.user_id == user_id:
        seen.append(live.password_at)
    return max((at for at in seen if at is not None), default=None)


def device_of(request: Request, phone: str) -> str | None:
    """The device in this browser of the person with this number; None when this browser does not know them."""
    return next((person.device_id for person in recognise(request).people if person.phone == phone), None)


def device_of_person(request: Request, user_id: str) -> str | None:
    """The same by the person's id."""
    return next((person.device_id for person in recognise(request).people if person.user_id == user_id), None)


def place(request: Request) -> dict[str, str]:
    """From where something is done, for the personal part of its event."""
    return {"ip": request.remote_address, "browser": trusted_device.name_of(request.user_agent)}


def is_shared(request: Request) -> bool:
    """Whether somebody said that others use this browser too: then the tick that remembers it is off beforehand. It is a preference, no
    more: whoever ticks it all the same is remembered.
    """
    return request.cookie("shared") == "1"


def mark_shared(request: Request, answer: Answer, remember: bool | None) -> None:
    """Keep what the person said with the tick: off, the browser is shared; on, it is not; None: they were not asked."""
    if remember is False:
        answer.set_cookie("shared", "1", SHARED_FOR)
    elif remember and is_shared(request):
        answer.delete_cookie("shared")


def drop_unknown(request: Request, answer: Answer) -> None:
    """Take back a `browser` cookie that nobody trusts any more."""
    if request.cookie("browser") and recognise(request).verdict in {"unknown", "stolen"}:
        answer.delete_cookie("browser")


def _by_device(person: KnownPerson, live: SignedIn | None, now: datetime) -> PersonHere:
    """A live session of the same person holds at least what the device remembers; without one it is only `remembered`."""
    if live is not None and live.user_id == person.user_id:
        return _by_session(live, person.device_id, person.device_id, now)
    return PersonHere(
        *(person.device_id, person.user_id, person.name, person.phone, REMEMBERED, person.amr, person.auth_time, now, person.device_id),
        *(person.last_used_at, person.rights_raised_at, person.browser_lifetime, person.is_administrator, None, person.password_at),
    )


def _by_session(live: SignedIn, form_id: str, device_id: str | None, now: datetime) -> PersonHere:
    return PersonHere(
        *(form_id, live.user_id, live.name, live.phone, live.acr, live.amr, live.auth_time, now, device_id),
        *(live.vouched_at, live.rights_raised_at, live.browser_lifetime, live.is_administrator, live.id, live.password_at),
    )
