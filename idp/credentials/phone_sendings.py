"""The ladder of one code: what was sent for it, what became of that, and which channel is open next (`product.md` §2.2).

The person climbs: the first channel is the settings' first; the same one again after a pause; another one when the last sending failed
(at once), when nobody has heard of its arrival for a while, or when one was sent again already. All of them are counted together.

NOTE: e-mail is offered for every number, and goes nowhere where no ID with a confirmed address has it: what is offered, what is done and
what is told must not show whether a number is known (case 70). So of an e-mail nothing is ever told but that it was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa

from idp import clock
from idp.config import settings
from idp.credentials.phone import carries
from idp.credentials.tables import PhoneCodeSending
from idp.db.columns import asked_for, table
from idp.db.ready import Ready
from idp.db.session import delete_some, insert_or_ignore, session
from idp.directory import users
from idp.directory.tables import User
from idp.errors import N_, TooManyTries
from idp.messages import channels, ladder, receipts

EMAIL, FLASH, VOICE = "email", "flash_call", "voice"
WORDING = "sign_in_code"
STUCK = timedelta(seconds=10)  # so long no gateway took it, and it is still tried: the person need not wait for that (promise R13)
NOBODY = "nobody@invalid"  # where an e-mail goes that has nowhere to go; it has expired before it could be sent

TOO_EARLY = N_("A new code can be asked for a little later.")
ALL_SENT = N_("No more codes can be sent for this sign-in. Wait for the last one, or start again later.")
NOT_OPEN = N_("The code cannot be sent this way now. Choose another one.")


class NotOpen(TooManyTries):
    """This way is not open now: it is too early for it, nothing more is sent, or another way is due."""


State = Literal["waiting", "silent", "failed", "delivered"]

_rows, _users = table(PhoneCodeSending), table(User)
_ASKED = asked_for(_users.c.phone)
_ADDRESS = Ready(
    sa.select(_users.c.id, _users.c.email).select_from(
        _ASKED.outerjoin(_users, (_users.c.phone == _ASKED.c.wanted) & _users.c.email_verified_at.is_not(None))
    )
)
_OF_CODE = Ready(sa.select(_rows).where(_rows.c.code_id == sa.bindparam("of_code")).order_by(_rows.c.place))


@dataclass(frozen=True, slots=True)
class Sending:
    """One sending as the person may see it: `state` is a receipt's, `reason` its word, `settled_at` when that became known."""

    channel: str
    created_at: datetime
    state: str
    reason: str | None = None
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """A channel that can be asked for, and from when."""

    channel: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """How the last sending fares, and the ways that are open, the most promising one first; none: nothing more is sent."""

    sendings: tuple[Sending, ...]
    state: State
    ways: tuple[Way, ...]
    silent_at: datetime

    @property
    def reason(self) -> str | None:
        """The word for why the last sending failed."""
        return self.sendings[-1].reason if self.sendings and self.state == "failed" else None

    def require(self, channel: str) -> None:
        """Raise NotOpen unless `channel` may be asked for at this moment."""
        way = next((way for way in self.ways if way.channel == channel), None)
        if way is None:
            raise NotOpen(NOT_OPEN if self.ways else ALL_SENT)
        now = clock.now()
        if way.at > now:
            raise NotOpen(TOO_EARLY, retry_after=int((way.at - now).total_seconds()) + 1, retry_at=way.at)


def first(phone: str, wanted: str | None = None) -> str:
    """The channel with which a new code for `phone` (E.164) begins: `wanted`, if it is offered, else the ladder's first.

    Never e-mail by itself: nobody new could ever come in by it.
    """
    order = _order(phone)
    return wanted if wanted in order else next((each for each in order if each != EMAIL), "sms")


def send(code_id: str, place: int, channel: str, *, message_id: str, phone: str, language: str, value: str, expires_at: datetime) -> None:
    """Put a message with the code `value` out, under the id that the ledger gave it, and write down which it was.

    The same statements whoever has the number (case 70).
    """
    to, until, person_id = phone, expires_at, None
    if channel == EMAIL:
        owner = session.execute(_ADDRESS, {"wanted": phone}).one()
        to, until, person_id = (owner.email, expires_at, owner.id) if owner.id else (NOBODY, clock.now(), None)
    channels.send(channel, to, WORDING, language, code=value, expires_at=until, message_id=message_id)
    values = {"code_id": code_id, "place": place, "channel": channel, "person_id": person_id, "created_at": clock.now()}
    insert_or_ignore(PhoneCodeSending, message_id=message_id, **values)


def by_phone_or_mail(code_id: str, phone: str, repeated: list[str]) -> str | None:
    """The channel by which the value came that `repeated` have in common, now that it was typed and is right; None: it cannot have come.

    NOTE: when one value went out by several channels, nobody knows which of them was read. Then the last one counts; but never `sms` or
    `tel` where an e-mail was really sent: that would claim a phone that perhaps nobody held (RFC 8176). And that e-mail opens only the ID
    whose address it went to: when the number has changed hands since, the value is nothing.
    """
    calls_and_texts = [each for each in repeated if each != EMAIL]
    if EMAIL in repeated:
        went_to = {row.person_id for row in session.execute(_OF_CODE, {"of_code": code_id}) if row.person_id}
        if went_to:
            owner = users.find_by_phone(phone)
            return EMAIL if owner is not None and went_to == {owner.id} else None
    return calls_and_texts[-1] if calls_and_texts else None


def messages_of(code_id: str) -> list[str]:
    """The ids of the messages with a code, the first one first: for support, to whom the person reads out the id of the code."""
    return [row.message_id for row in session.execute(_OF_CODE, {"of_code": code_id})]


def of(code_id: str) -> tuple[Sending, ...]:
    """What was sent for a code, the first one first."""
    rows = session.execute(_OF_CODE, {"of_code": code_id}).all()
    states = receipts.states_of([row.message_id for row in rows if row.channel != EMAIL])
    found = []
    for row in rows:
        receipt = states.get(row.message_id)
        if receipt is None:  # nobody has tried it yet; or nothing is to be told
            found.append(Sending(row.channel, row.created_at, "sent" if row.channel == EMAIL else "queued"))
        else:
            found.append(Sending(row.channel, row.created_at, receipt.state, receipt.reason, receipt.settled_at))
    return tuple(found)


def progress(code_id: str, phone: str, sent: tuple[str, ...], next_send_at: datetime, *, only: tuple[str, ...] | None = None) -> Progress:
    """How the ladder of a code stands; `sent`: the channel of each sending, `next_send_at`: the end of the present pause.

    `only`: the channels that this code may go by, where they are not the ladder's.
    """
    now, sendings = clock.now(), of(code_id)
    silent_at = (sendings[-1].created_at if sendings else now) + timedelta(seconds=settings().login.silent_after)
    state: State = "waiting"
    if sendings and sendings[-1].state == "delivered":
        state = "delivered"
    elif sendings and (sendings[-1].state == "failed" or _is_stuck(sendings[-1], now)):
        state = "failed"
    elif sendings and silent_at <= now:
        state = "silent"
    order = _order(phone) if only is None else only
    return Progress(sendings, state, _ways(order, sent, state, now if state == "failed" else next_send_at), silent_at)


def again(phone: str, sent: tuple[str, ...]) -> tuple[Way, ...]:
    """The ways for a new code when the last one is over: as it began, or as it was sent last; at once."""
    now, order = clock.now(), _order(phone)
    return tuple(Way(each, now) for each in dict.fromkeys((first(phone), *sent[-1:])) if each in order or each == first(phone))


def by_phone(phone: str) -> tuple[str, ...]:
    """The rungs for this number but e-mail: for a code that is to show who holds it."""
    return tuple(each for each in _order(phone) if each != EMAIL)


def sweep(now: datetime) -> int:
    """Delete what was sent two days ago."""
    return delete_some(PhoneCodeSending, _rows.c.created_at < now - timedelta(days=2))


def _is_stuck(sending: Sending, now: datetime) -> bool:
    """Whether every gateway was asked, and none took it, for a while now."""
    return sending.state == "queued" and sending.reason is not None and sending.created_at + STUCK <= now


def _order(phone: str) -> tuple[str, ...]:
    """The rungs for this number: what its ladder offers, as far as a number of its kind can be reached that way."""
    return tuple(each for each in ladder.offered(phone, has_email=True) if each == EMAIL or carries(phone, each))


def _ways(rungs: tuple[str, ...], sent: tuple[str, ...], state: State, at: datetime) -> tuple[Way, ...]:
    """From the rung of the last sending upwards, and round. Others than that rung: after a failure first, else after it."""
    order = [each for each in rungs if _left(each, sent)]
    last = sent[-1]
    same = [each for each in order if each == last]
    others = [each for each in _after(rungs, last) if each in order]
    if state == "failed":
        order = others + same
    elif state == "silent" or len(sent) > 1 or not same:
        order = same + others
    else:
        order = same
    return tuple(Way(each, at) for each in order)


def _after(rungs: tuple[str, ...], last: str) -> tuple[str, ...]:
    place = rungs.index(last) if last in rungs else -1
    return rungs[place + 1 :] + rungs[: max(place, 0)]


def _left(channel: str, sent: tuple[str, ...]) -> bool:
    """Whether this sign-in has a sending of this kind left; spoken calls are counted apart."""
    login = settings().login
    calls = sent.count(VOICE)
    return calls < login.code_calls if channel == VOICE else len(sent) - calls < login.code_sends
