"""The desk of signing in: what is demanded, what has been proved, and what is due next. The only place here that knows the order.

    people         somebody is known in this browser            -> one press, if that is enough for who asks
    identify       which number?
    proof_of_work  while somebody pumps messages: first the browser works for the code
    phone_code     prove it
    further_proof  what was proved does not open the ID: another proof, or a fresh ID
    email_code ... the other proof
    social         who came from another provider, and is linked to no ID, may link it once they are signed in
    password       instead of number and code, where somebody has one; an account's leads to
    link           the ID that an account is to be linked to is shown, and asked for
    register       the number is new, or begins anew: name and terms
    finish         a session, a trusted browser, and back to where the person came from

A page only says what was proved (`proved`), and goes where `next_address` says. The id in the address is useless in another browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from idp import clock, crypto, events
from idp.config import settings
from idp.credentials import phone_code, recoveries, trusted_device
from idp.credentials.phone_code import Guess
from idp.credentials.phone_sendings import EMAIL
from idp.directory import numbers, users
from idp.directory.tables import User
from idp.errors import N_, Forbidden
from idp.login import browser, flow_row, linking, policy, session, situation
from idp.login.flow_row import NOTHING_PROVED, Flow, code_of, get, hinted_phone, write
from idp.login.policy import FURTHER_PROOF, SESSION, Demand, Proved
from idp.login.situation import Scene
from idp.web.http import Answer, Request, see_other
from idp.web.pages import language_of

NUMBER_TITLE = N_("The number is asked for as well")
NUMBER_FIRST = N_("A code by e-mail alone does not open this ID. Start again and have the code sent to the phone.")
OTHER_TITLE = N_("The app asks for another ID")
OTHER_ID = N_("You proved a number that belongs to a different ID than the one the app asks for. Start again with the other number.")

# A proof that whoever gave it holds the phone; what was read in an e-mail is none.
BY_PHONE = frozenset(amr for channel, amr in phone_code.AMR.items() if channel != EMAIL)
# What others may stand beside.
FIRST = frozenset(each.name for each in policy.PROOFS if each.is_first) | {SESSION, policy.NUMBERS_PASSWORD}
# Proofs that say by themselves who somebody is, whoever was proved before.
AT_ANY_TIME = frozenset({policy.PASSKEY, policy.SOCIAL})


def begin(
    *,
    return_to: str,
    demand: Demand,
    login_secret: str,
    client_name: str | None = None,
    client_logo: str | None = None,
    cancel_to: str | None = None,
    ui_locales: tuple[str, ...] = (),
    providers: Iterable[str] | None = None,
) -> Flow:
    """Begin a sign-in that ends with a 303 to `return_to` (a path of ours); send the person to its `.address`.

    `login_secret`: the value of the browser's `login` cookie; only its digest is kept, and only that browser can go on. `cancel_to`: a path
    of ours that takes a POST. `providers`: which other providers are offered; None: all that are configured. Raises ValueError for an
    address that is not ours: it would be our mistake, or an open redirect.
    """
    for address in (return_to, cancel_to):
        if address is not None and not re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", address):
            raise ValueError("a sign-in returns to a path of this server")
    expires_at = clock.now() + timedelta(seconds=settings().login.flow_lifetime)
    flow = Flow(crypto.new_id("flw"), return_to, demand, expires_at, cancel_to, client_name, client_logo, ui_locales)
    flow.providers = None if providers is None else tuple(providers)
    flow_row.insert(flow, login_secret)
    return flow


def view(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>`: the desk."""
    return enter(get(request, flow), request)


def enter(flow: Flow, request: Request) -> Answer:
    """Notice a stolen cookie, and lead to what is due: for the desk, and for whoever has just begun a sign-in in this browser."""
    browser.expel_thief(request)
    _step_up(flow, request)
    answer = see_other(next_address(flow, request))
    browser.drop_unknown(request, answer)
    return answer


def _step_up(flow: Flow, request: Request) -> None:
    """Where this browser's session lacks only one proof more, that alone is asked for (RFC 9470)."""
    live = browser.signed_in(request) if not (flow.demand.choose_person or flow.demand.create) else None
    lacks = situation.of_session(flow.demand, live) if live and not flow.given and not flow.phone_code_id else None
    if live and lacks and lacks.due == FURTHER_PROOF and not lacks.is_stale:
        held = Proved(SESSION, live.acr, live.amr, live.auth_time, session_id=live.id)
        write(flow, doubted_user_id=live.user_id, given=(held,), wanted=lacks.ways)


def next_address(flow: Flow, request: Request) -> str:
    """Where the person goes from here: the order of the pages, and the way out."""
    if is_over(flow, request):
        return way_out(flow)
    if pages := _due_pages(flow):
        return f"{flow.address}/{pages[0]}"
    if flow.password_owner_id:  # an account is to be linked to whoever proves a number now
        return f"{flow.address}/identify"
    phone = hinted_phone(flow)
    if any(phone in {"", person.phone} for person in browser.people(request, flow.demand)):
        return f"{flow.address}/people"
    return f"{flow.address}/identify"


def way_out(flow: Flow) -> str:
    """Back to where the person came from; first to the question whether who they are at another provider is to be linked to their ID."""
    return f"{flow.address}/social" if flow.social_request_id else flow.return_to


def elsewhere(flow: Flow, request: Request, page: str) -> str | None:
    """Where to go instead of `page`, when it is not its turn: a page that is opened by its address skips nothing (case 60)."""
    if is_over(flow, request):
        return way_out(flow)
    if page == "identify" or page in AT_ANY_TIME:  # a wrong number can be corrected without starting over
        return None
    if page == policy.PASSWORD and flow.doubted_user_id is None:
        return None
    if page == "people":
        return None if browser.people(request, flow.demand) else next_address(flow, request)
    return None if page in _due_pages(flow) else next_address(flow, request)


def _due_pages(flow: Flow) -> list[str]:
    """The pages that may be shown once a code was sent or something proved, the one whose turn it is first."""
    code = code_of(flow)
    sent = ["phone_code"] if code is not None and not code.used_at else []
    if flow.doubted_user_id is None:
        return sent or (["register"] if code is not None else [])
    if flow.wanted == {linking.PAGE}:
        return [linking.PAGE]
    chosen = ["register"] if flow.anew_at else ["email_code"] if flow.email_code_id else sent
    return [*chosen, "further_proof", *sorted(flow.wanted - {policy.EMAIL_CODE, policy.PHONE_CODE})]  # whoever chose may choose again


def is_over(flow: Flow, request: Request) -> bool:
    """Whether nothing is to be proved any more: it was finished here, or the session holds all that is demanded."""
    return flow.finished_at is not None or situation.is_met(flow.demand, browser.signed_in(request))


def proved_phone(flow: Flow, request: Request, guess: Guess, *, remember: bool) -> Answer:
    """The code was right and is used up: sign in whose number it is, or let them register. Which number, says the guess, no form (case 58).

    Only now does it show whether the number was known, or its ID is blocked (case 70).
    """
    user, by_code = users.find_by_phone(guess.phone, alone=True), _by_code(guess.channel, clock.now())
    if user is None and guess.channel == EMAIL:  # the number has left the ID in this very moment: nobody proved it
        raise _number_first(flow, None)
    if user is not None:
        return proved(flow, request, user, by_code, remember=remember, code_id=guess.id)
    require_welcome(flow, None)
    # Written whatever was read: meanwhile another tab may have begun with another number, and that one is not proved.
    write(flow, phone_code_id=guess.id, remember=remember, **NOTHING_PROVED)
    if recoveries.of_number(guess.phone) is not None:  # nobody's yet: an ID is to get it
        return see_other(f"{flow.address}/recover/state")
    return see_other(next_address(flow, request))


def proved(
    flow: Flow,
    request: Request,
    user: User,
    proof: Proved,
    *,
    remember: bool | None = None,
    account_id: str | None = None,
    code_id: str | None = None,
) -> Answer:
    """Whoever gave `proof` is `user`, who was read `alone`: sign them in, or ask for what is still missing, and remember that it was asked.

    For every page whose proof was right, in the unit that used it up. What was proved before in this sign-in counts beside it, if it was of
    the same person. `remember`: the tick of the page; None: it was not asked there. `account_id`: the account whose password it was.
    """
    require_welcome(flow, user)
    given = (*(standing(flow, request, user) if flow.doubted_user_id == user.id else ()), proof)
    if given[0].proof not in FIRST:  # what it stood beside has ended meanwhile: by itself it opens nothing
        return begin_again(flow)
    all_of_it = policy.together(given)
    if remember is None:
        # One more proof in a session changes nothing about its browser, but that a known one has seen it.
        remember = flow.remember if given[0].proof != SESSION else browser.knows(browser.recognise(request), None, user.id) or None
    browser.expel_thief(request)
    scene = situation.look(flow.demand, request, user, all_of_it)
    judged, account_id = scene.judged, account_id or (flow.account_id if len(given) > 1 else None)
    if judged.after.due != FURTHER_PROOF and linking.waits(flow.password_owner_id, flow.password_at):
        of_number = code_id or flow.phone_code_id
        to_link: dict[str, Any] = {"doubted_user_id": user.id, "given": given, "wanted": frozenset({linking.PAGE})}
        write(flow, phone_code_id=of_number, remember=bool(remember), **NOTHING_PROVED | to_link)
        return see_other(f"{flow.address}/{linking.PAGE}")
    if judged.after.due != FURTHER_PROOF:
        return finish(flow, request, user, all_of_it, remember=remember, scene=scene, account_id=account_id)
    if all_of_it.amr == (phone_code.AMR[EMAIL],):
        raise _number_first(flow, user)
    if policy.PHONE_CODE in all_of_it.proofs and not policy.OF_NUMBER.isdisjoint(judged.after.rules):
        numbers.doubt(user.id, user.phone or "")
    kept: dict[str, Any] = {"doubted_user_id": user.id, "given": given, "wanted": judged.after.ways, "account_id": account_id}
    ticked = {} if remember is None else {"remember": remember}
    of_number = code_id or (flow.phone_code_id if policy.PHONE_CODE in all_of_it.proofs else None)
    write(flow, phone_code_id=of_number, **ticked, **NOTHING_PROVED | kept)
    details = {"flow": flow.id, "proof": proof.proof, **judged.details()}
    events.record("login.further_proof_due", user_id=user.id, details=details, personal=_personal(request))
    return see_other(next_address(flow, request))


def standing(flow: Flow, request: Request, user: User) -> tuple[Proved, ...]:
    """What was proved of `user` in this sign-in and still counts: no session that has ended, nothing from before they were signed out
    everywhere, or had another password or number (cases 76, 90, 92).
    """
    live, since = browser.signed_in(request), user.proofs_since
    here = live.id if live is not None and live.user_id == user.id else None
    return tuple(
        each
        for each in flow.given
        if (each.proof != SESSION or (here is not None and each.session_id == here)) and (since is None or each.auth_time >= since)
    )


def begin_again(flow: Flow) -> Answer:
    """What was proved counts no more: the desk asks from the beginning."""
    write(flow, phone_code_id=None, **NOTHING_PROVED)
    return see_other(flow.address)


def registered(flow: Flow, request: Request, name: str) -> Answer:
    """The person with the proved number gave a name and took the terms: make their ID, or find the one made a moment ago, and sign in."""
    code = code_of(flow)
    if code is None or code.used_at is None:
        return see_other(next_address(flow, request))
    require_welcome(flow, None)
    if flow.doubted_user_id is not None and not numbers.give_up(flow.doubted_user_id, code.phone):
        # Another tab was first, or somebody has shown meanwhile that the number is theirs: whoever this is proves it again.
        write(flow, phone_code_id=None, **NOTHING_PROVED)
        return see_other(next_address(flow, request))
    locale = language_of(request, flow.ui_locales)
    user = users.register(code.phone, name, locale, settings().login.terms_version, is_test=code.is_test)
    if user.phone_verified_at != user.created_at and (user.phone_verified_at is None or user.phone_verified_at > code.used_at):
        return begin_again(flow)  # since the code was entered the number has become another ID's
    return proved(flow, request, user, _by_code(code.channel, code.used_at), remember=flow.remember, code_id=code.id)


def finish(
    flow: Flow,
    request: Request,
    user: User,
    proved: Proved,
    *,
    remember: bool | None,
    device_id: str | None = None,
    session_id: str | None = None,
    scene: Scene | None = None,
    account_id: str | None = None,
) -> Answer:
    """Sign in `user`, who was read `alone`, once: session, trusted browser, events, 303 to `return_to`; in the transaction of the proof.

    `remember`: trust this browser from now on (True), no longer (False), leave it as it is (None: a name was pressed, and `device_id` or
    `session_id` or both vouched; when they do no more, it leads back to the desk). `scene`: what was judged already.
    NOTE: the secrets of session and browser are new after every sign-in (case 8). The `login` cookie is not: it only binds parked requests
    to this browser, proves nothing about anybody, and without it the other tabs' requests would be lost.
    """
    require_welcome(flow, user)
    if not flow_row.finish(flow):
        return see_other(way_out(flow))  # another tab was first, and this proof gives no second session (case 54)
    if scene is None:
        browser.expel_thief(request)
        scene = situation.look(flow.demand, request, user, proved)
    known, rules, judged = scene.known, scene.rules, scene.judged
    shown = proved.proofs and not BY_PHONE.isdisjoint(proved.amr)
    if shown and (judged.browser == "known" or len(proved.proofs) > 1) and user.phone_doubted_at is not None and user.phone is not None:
        numbers.believe(user.id, user.phone)  # who is known here, or proves more, has the number: it did not change hands
    where = {"user_agent": request.user_agent, "ip": request.remote_address}
    here = where | {"language": situation.spoken(request)}
    browser_id, cookie = known.browser_id, None
    password_at = clock.now() if proved.proofs & policy.KNOWN_BY_HEART else None
    if device_id is not None:
        cookie = trusted_device.use(known, device_id, **here)
        if cookie is None:  # forgotten in another tab a moment ago
            return _vouched_no_more(flow)
    elif remember and rules.browser_lifetime != 0:  # where a company takes no browser's word, none is given
        vouching: dict[str, Any] = {"amr": proved.amr, "auth_time": proved.auth_time, "password_at": password_at, **here}
        browser_id, cookie = trusted_device.trust(known, user.id, **vouching)
    elif remember is not None and browser_id is not None:
        trusted_device.forget(browser_id, user_id=user.id, reason="company_browser" if remember else "not_remembered")
    former = browser.signed_in(request)  # only now: above we waited for other tabs of this browser, and one may have renewed the session
    # The very first sign-in is no news to anybody.
    is_news = user.last_sign_in_at is not None and device_id is None and not browser.knows(known, former, user.id)
    if session_id is not None and former is None and (device_id is None or not session.is_live(session_id)):
        return _vouched_no_more(flow, cookie)  # ended; else only renewed, in another tab of a known browser
    password_at = password_at or browser.password_at(known, former, user.id)
    begun = session.start(
        user.id,
        proved,
        former=former,
        browser_id=browser_id,
        is_administrator=rules.is_administrator,
        password_at=password_at,
        account_id=account_id,
        **where,
    )
    if begun is None:
        return _vouched_no_more(flow, cookie)
    live, secret = begun
    users.note_sign_in(user.id)
    details = {"proof": proved.proof, "acr": live.acr, "amr": list(live.amr), "flow": flow.id, "browser": browser_id, **judged.details()}
    personal = _personal(request)
    events.record("login.succeeded", user_id=user.id, session_id=live.id, details=details, personal=personal)
    if is_news:
        events.record("browser.new", user_id=user.id, session_id=live.id, details={"browser": browser_id}, personal=personal)
    # While a recovery waits, whoever signs in is asked first whether it was them.
    answer = see_other(way_out(flow) if user.phone_changes_at is None else f"{flow.address}/recover/asked")
    # In a browser that is not to be remembered the session ends with the window.
    answer.set_cookie("session", secret, settings().login.session_lifetime if cookie else None)
    if cookie:
        answer.set_cookie("browser", cookie, settings().login.remember_browser)
    browser.mark_shared(request, answer, remember)
    return answer


def _vouched_no_more(flow: Flow, cookie: str | None = None) -> Answer:
    """What let the person in by a press has ended in this very moment: the desk looks anew. `cookie`: the browser's, if it has rotated."""
    write(flow, finished_at=None)
    answer = see_other(flow.address)
    if cookie:
        answer.set_cookie("browser", cookie, settings().login.remember_browser)
    return answer


def _personal(request: Request) -> dict[str, str]:
    """What of a request names a person."""
    return {"ip": request.remote_address, "browser": trusted_device.name_of(request.user_agent)}


def _by_code(channel: str, at: datetime) -> Proved:
    return Proved("phone_code", "code", (phone_code.AMR[channel],), at)


def require_welcome(flow: Flow, user: User | None) -> None:
    """Raise Forbidden for a blocked ID, and for another one than the app asks for; then another number can be tried in this sign-in."""
    wanted = flow.demand.user_id
    if wanted is not None and (user is None or user.id != wanted):
        refusal, reason, rule = Forbidden(OTHER_ID, title=OTHER_TITLE), "another_id", "another_person"
    elif user is not None and user.status != "active":
        refusal, reason, rule = Forbidden(session.BLOCKED, title=session.BLOCKED_TITLE), "blocked", "blocked"
    else:
        return
    write(flow, phone_code_id=None)
    refusal.shown["help_url"] = f"{flow.address}/help?about={'linked' if reason == 'another_id' else 'locked'}"
    details = {"reason": reason, "flow": flow.id, "rules": [rule]}
    events.record("login.refused", outcome="refused", user_id=user.id if user else None, details=details)
    refusal.shown["restart_url"] = flow.address
    raise refusal


def _number_first(flow: Flow, user: User | None) -> Forbidden:
    """NOTE: whoever read the e-mail has not shown that the number is theirs; else they could begin a fresh ID with somebody's number."""
    write(flow, phone_code_id=None)
    details = {"reason": "number_first", "flow": flow.id, "rules": ["number_first"]}
    events.record("login.refused", outcome="refused", user_id=user.id if user else None, details=details)
    refusal = Forbidden(NUMBER_FIRST, title=NUMBER_TITLE)
    refusal.shown |= {"help_url": f"{flow.address}/help?about=number", "restart_url": flow.address}
    return refusal
