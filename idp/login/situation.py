"""What `policy` decides about: this browser, this person, what is strange here. Gathered only where somebody proves or presses something;
a session that is silently taken needs none of it, unless it lacks what is demanded.

`FACTORS` is what people can set up beyond their phone: for each proof, whether `of_user` has it, as a part of one statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import sqlalchemy as sa

from idp import clock
from idp.config import settings
from idp.credentials import password, phone_limits, recovery_codes, social, totp
from idp.credentials.tables import Passkey
from idp.credentials.trusted_device import Recognition
from idp.db.columns import table
from idp.db.session import session as database
from idp.directory import numbers, sign_in_rules, users
from idp.directory.sign_in_rules import Rules
from idp.directory.tables import User
from idp.login import browser, policy, session
from idp.login.browser import PersonHere
from idp.login.policy import NOBODY, NOTHING, SESSION, Decision, Demand, Given, Person, Proved, Situation
from idp.login.session import SignedIn
from idp.messages.spend_rules import country_of
from idp.web.http import Request, network_of
from idp.web.languages import page_language

_OF_USER: sa.BindParameter[str] = sa.bindparam("of_user")
FACTORS: dict[str, sa.ColumnElement[bool]] = {
    policy.PASSKEY: sa.exists().where(table(Passkey).c.user_id == _OF_USER),
    policy.TOTP: totp.IS_SET_UP,
    policy.RECOVERY_CODE: recovery_codes.ARE_LEFT,
    policy.PASSWORD: password.is_set(_OF_USER),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """Why something had to be proved (`before`: by what the browser had to show), and whether it is enough (`after`)."""

    browser: Literal["known", "shared", "new"]
    before: Decision
    after: Decision
    signs: frozenset[str]

    def details(self) -> dict[str, Any]:
        """For the event: the rules in their order, those that nobody can meet yet, and what was strange."""
        told = {
            "rules": list(dict.fromkeys(self.before.rules + self.after.rules)),
            "unmet": list(dict.fromkeys(self.before.unmet + self.after.unmet)),
            "signs": sorted(self.signs),
        }
        return {"trust": self.browser} | {name: value for name, value in told.items() if value or name == "rules"}


def of_press(demand: Demand, request: Request, known: Recognition, person: PersonHere) -> Decision:
    """Whether it is enough that this person, who is known here, presses their name."""
    return policy.decide(Situation(demand, clock.now(), person, browser="known", signs=_signs_here(request, known), limits=policy.limits()))


@dataclass(frozen=True, slots=True)
class Scene:
    """Where somebody proved something: what the browser knows, what companies ask, and what was judged of it."""

    known: Recognition
    rules: Rules
    judged: Judged


def look(demand: Demand, request: Request, user: User, proved: Proved) -> Scene:
    """Gather it, and judge whether what was proved signs `user` in."""
    known, former, rules = browser.recognise(request), browser.signed_in(request), sign_in_rules.of_person(user.id)
    now, limits = clock.now(), policy.limits()
    here = next((each for each in browser.everybody(known, former) if each.user_id == user.id), None)
    # A browser whose word would not even let them in by a press does not vouch for them either.
    vouches = here is not None and policy.decide(Situation(Demand(now), now, here, limits=limits)).is_enough
    where: Literal["known", "shared", "new"] = "known" if vouches else "shared" if browser.is_shared(request) else "new"
    signs = _signs_here(request, known) if vouches else _signs(request, user)
    person = _person(user, is_administrator=rules.is_administrator)
    before = policy.decide(Situation(demand, now, here, browser=where, person=person, signs=signs, limits=limits))
    after = before
    if proved.proofs:
        password_at = here.password_at if here is not None and vouches else None
        held = Given(user.id, proved.acr, proved.auth_time, now, user.rights_raised_at, password_at=password_at)
        after = policy.decide(Situation(demand, now, held, proved.proofs, where, person, signs, limits))
    return Scene(known, rules, Judged(where, before, after, signs))


def of_session(demand: Demand, held: SignedIn | None) -> Decision | None:
    """What a session lacks of a demand, one further proof at a time; None without a session. The person is only looked at where it must."""
    if held is None:
        return None
    lacks = policy.decide(Situation(demand, clock.now(), held, limits=policy.limits()))
    if lacks.due == NOTHING and not lacks.unmet:
        return lacks
    user = users.find(held.user_id)
    person = _person(user) if user is not None else NOBODY
    proofs = policy.of_session(held.amr) | {SESSION} if held.acr != policy.REMEMBERED else frozenset[str]()
    return policy.decide(Situation(demand, clock.now(), held, proofs, "known", person, limits=policy.limits()))


def is_met(demand: Demand, held: SignedIn | None) -> bool:
    """Whether the session is all that is demanded, as far as its person can prove it: then nobody has to see a page."""
    decided = of_session(demand, held)
    return decided is not None and decided.due == NOTHING


def lacks_password(user_id: str, session_id: str) -> bool:
    """Whether somebody who has a password or a passkey never gave it in the browser of this session."""
    return session.password_at(session_id) is None and bool(factors(user_id) & policy.KNOWN_BY_HEART)


def factors(user_id: str) -> frozenset[str]:
    """What the person set up beyond their phone, by the names of `policy.PROOFS`; one statement."""
    if not FACTORS:
        return frozenset()
    of = {"of_user": user_id, "doubted_since": clock.now() - password.DOUBTED}
    row = database.execute(sa.select(*(there.label(name) for name, there in FACTORS.items())), of).one()
    return frozenset(name for name, there in row._mapping.items() if there)


def ways_in(user: User, *, but: str = "") -> frozenset[str]:
    """What opens this ID: the last of it is not taken away. `but`: as if that were gone already, all of its kind.

    A password needs something to be found by, and a number that is doubted something to stand beside it, as the rule of that name asks.
    NOTE: a silent number is none to think of: whoever takes anything away has just signed in, and it is not silent for long from then on.
    """
    mail = {policy.EMAIL_CODE} if user.email_verified_at is not None else set()
    left = (factors(user.id) | mail) - {but}
    ways = left & {policy.PASSKEY}
    if user.phone is not None or policy.EMAIL_CODE in left:
        ways |= left & {policy.PASSWORD}
    if user.phone is not None and (user.phone_doubted_at is None or left & policy.BESIDE_A_NUMBER):
        ways |= {policy.PHONE_CODE}
    realms = {each.realm for each in settings().providers.values()}
    if any(each.issuer in realms for each in social.of_person(user.id)):
        ways |= {policy.SOCIAL} - {but}
    return ways


def _person(user: User, *, is_administrator: bool = False) -> Person:
    return Person(
        silent=is_silent(user),
        doubted=user.phone_doubted_at is not None,
        factors=factors(user.id),
        has_email=user.email_verified_at is not None and user.email is not None,
        has_phone=user.phone is not None,
        is_administrator=is_administrator,
    )


def spoken(request: Request) -> str:
    """The language that the browser itself asks for, whatever the app or the person chose for these pages."""
    return page_language(accept=request.header("Accept-Language"))


def is_silent(user: User) -> bool:
    """Whether the number may be somebody else's by now. A test number is nobody's at any time."""
    login = settings().login
    if not login.recycled_after or user.phone in login.test_numbers:
        return False
    return numbers.heard_of(user) + timedelta(seconds=login.recycled_after) <= clock.now()


def _signs_here(request: Request, known: Recognition) -> frozenset[str]:
    """What is strange in a browser that is known: compared with the last time it was used."""
    signs = {"new_network"} if known.last_ip and network_of(known.last_ip) != request.network else set()
    if known.language is not None and known.language != spoken(request):
        signs.add("new_language")
    return frozenset(signs)


def _signs(request: Request, user: User) -> frozenset[str]:
    """What is strange in a browser that does not know the person: compared with their last sign-ins, their language, their number."""
    networks = {network_of(address) for address in session.addresses_of(user.id)}
    signs = {"new_network"} if networks and request.network not in networks else set()
    if user.locale and user.locale != spoken(request):
        signs.add("new_language")
    if user.phone:
        login = settings().login
        if country_of(user.phone) != login.default_country:
            signs.add("foreign_number")
        if 2 * phone_limits.wrong_lately(user.phone) >= login.number_wrong_per_hour:
            signs.add("many_failures")
    return frozenset(signs)
