"""Every reaction on one page: what happened -> what follows elsewhere.

The rule that records an event does not know what hangs off it. The worker calls these after the commit; each may be called again for the
same event (a crash, a second worker), so what it wants done goes into the outbox under a key made of the event's id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from idp import clock, events, limits
from idp.config import settings
from idp.credentials import passkey, recoveries, recovery_codes, totp, trusted_device
from idp.db.columns import table
from idp.db.session import changed, reads, session, writes
from idp.delegation import apps, tokens
from idp.directory import deletion, employees, numbers, users
from idp.errors import TooManyTries
from idp.events import Event
from idp.languages import format_day, gettext, negotiate
from idp.login import password_reset
from idp.login import session as sessions
from idp.messages import gateways, spend, wording
from idp.messages.channels import is_carried, send
from idp.oidc import reset_factors, sign_out_browser, sign_out_everywhere
from idp.oidc.logout import backchannel

NOTICE_LIFETIME = timedelta(days=1)  # a warning that comes later frightens more than it helps
NOTICES = 5  # a day to one person: whoever holds tokens of their own can have them reused on purpose, and each text costs (case 66)
A_DAY = {"notice_password_locked": 1}  # fewer of some that are counted apart: it comes of what anybody can do
GIVE_UP = timedelta(days=1)  # an event that could not be reacted to for so long is left alone
BATCH = 100

_log = logging.getLogger("idp.reactions")
_rows = table(Event)


def tell_of_stolen_browser(event: Event) -> None:
    """A copied browser was noticed: everybody who trusted it learns that it was signed out (threats: case 77)."""
    _tell(event, "browser_stolen")


def tell_of_reused_token(event: Event) -> None:
    """A refresh token came back after its time: the person learns that the app was signed out (threats: case 28)."""
    _tell(event, "token_reused")


def tell_of_new_browser(event: Event) -> None:
    """Somebody signed in in a browser that did not know them. By mail where there is an address: the thief of a number reads its texts."""
    _tell(event, "browser_new", browser=str((event.personal or {}).get("browser") or ""), once=True)


def tell_of_sign_out_everywhere(event: Event) -> None:
    """Every session was ended and every browser forgotten, by the person or by support. What it followed from is told of by itself."""
    if event.details.get("reason", sign_out_everywhere.REASON) == sign_out_everywhere.REASON:
        _tell(event, "signed_out_elsewhere" if event.details.get("stays") else "signed_out_everywhere")


def tell_of_changed_phone(event: Event) -> None:
    """The number is another one: told where the former one still leads, and by mail; whoever has the new one knows it (case 97)."""
    _tell(event, "phone_changed", phone=(event.personal or {}).get("former_phone"))


def tell_of_added_email(event: Event) -> None:
    """An address was confirmed, by the person themselves: told by text message, and to the address (case 97)."""
    if event.actor_id is not None and event.actor_id == event.user_id:
        _tell(event, "email_added")


def tell_of_changed_email(event: Event) -> None:
    """The address is another one, or none: told by text message, and to the new one. The former one got its mail, with the link that undoes
    it, at once.
    """
    _tell(event, "email_changed", by=("sms",))
    if (event.personal or {}).get("email"):
        _tell(event, "email_added", by=("email",))


def tell_of_undone_email(event: Event) -> None:
    """The former address took the change back: told there, which is the present one again, and by text message."""
    _tell(event, "email_undone")


def tell_of_lost_phone(event: Event) -> None:
    """Whoever has the number now began a fresh ID with it: the former one is told by mail, the only way that is left."""
    _tell(event, "phone_given_up")


def tell_of_new_passkey(event: Event) -> None:
    """A passkey was added: perhaps by who has just broken in, and wants to stay (case 102)."""
    _tell(event, "passkey_added", browser=str((event.personal or {}).get("browser") or ""))


def tell_of_removed_passkey(event: Event) -> None:
    """One opens nothing any more."""
    if event.actor_id is None:  # support's reset is told of by itself
        _tell(event, "passkey_removed")


def tell_of_doubted_passkey(event: Event) -> None:
    """One contradicts what it was before: it may have been copied (case 105)."""
    _tell(event, "passkey_doubted")


def tell_of_new_authenticator(event: Event) -> None:
    """An authenticator app was set up: perhaps by who has just broken in, and wants to stay (case 102)."""
    _tell(event, "authenticator_added")


def tell_of_removed_authenticator(event: Event) -> None:
    """It was taken away, and the number alone opens the ID again."""
    if event.actor_id is None:  # support's reset is told of by itself
        _tell(event, "authenticator_removed")


def tell_of_new_recovery_codes(event: Event) -> None:
    """Whoever made them can sign in with them."""
    _tell(event, "recovery_codes_made")


def tell_of_used_recovery_code(event: Event) -> None:
    """One was used: rare enough to be told each time, and the person learns how many are left."""
    _tell(event, "recovery_code_used", left=event.details.get("left"))


def tell_of_reset_factors(event: Event) -> None:
    """Support took off what guarded the ID beside the number."""
    _tell(event, "factors_reset")


def tell_of_deletion(event: Event) -> None:
    """The ID is to be deleted: told everywhere, by each way, when it was asked for and once more shortly before."""
    _tell(event, "deletion_pending", day=datetime.fromisoformat(event.details["due_at"]), counted="notice_deletion")


def tell_of_cancelled_deletion(event: Event) -> None:
    """It lives on: whoever asked for its end learns that somebody took it back."""
    _tell(event, "deletion_cancelled", counted="notice_deletion")


def tell_of_downloaded_data(event: Event) -> None:
    """A copy of all that we know of the person left the house."""
    _tell(event, "data_downloaded")


def tell_of_linked_provider(event: Event) -> None:
    """Another provider opens the ID from now on."""
    _tell(event, "provider_linked")


def tell_of_unlinked_provider(event: Event) -> None:
    """One opens it no more."""
    _tell(event, "provider_unlinked")


def tell_of_recovery(event: Event) -> None:
    """A lost phone was proved in another way: all channels are told, and by mail how to stop it (case 97). A budget of its own: whoever had
    the day's notices used up beforehand would work unseen.
    """
    case = recoveries.find(str(event.details.get("recovery")))
    if case is not None and case.is_waiting and case.due_at is not None:
        hours = max(1, round((case.due_at - event.at).total_seconds() / 3600))
        link = f"{settings().server.issuer}/recovery/{recoveries.token(case.id)}"
        _tell(event, "recovery_begun", params={"hours": str(hours)}, link=link, counted="notice_recovery", until=case.due_at)


def tell_of_stopped_recovery(event: Event) -> None:
    """It does not happen. Where the number was changed otherwise meanwhile, that was told already."""
    if event.details.get("reason") != recoveries.CHANGED:
        _tell(event, "recovery_cancelled", counted="notice_recovery")


def tell_of_completed_recovery(event: Event) -> None:
    """The new number opens the ID: told there; all others are told of the changed number."""
    phone = (event.personal or {}).get("phone")
    if phone:
        _tell(event, "recovery_completed", phone=phone, counted="notice_recovery", by=("sms",))


def end_the_browser_that_asked(event: Event) -> None:
    """It was not the person: the browser whose word stood for them is out (case 77)."""
    browser_id = event.details.get("browser")
    if event.user_id is not None and browser_id and event.details.get("reason") == recoveries.NOT_ME:
        trusted_device.forget(browser_id, user_id=event.user_id, reason="recovery_cancelled")
        sessions.end_of_browser(browser_id, "recovery_cancelled", user_id=event.user_id)
        for session_id in sessions.ended_for(browser_id, event.user_id, "recovery_cancelled"):
            tokens.revoke_of_session(session_id, reason="recovery_cancelled")


def stop_what_waits_for_the_former_number(event: Event) -> None:
    """The number was changed in another way: what waits would change it once more."""
    if event.user_id is not None:
        recoveries.cancel_of_person(event.user_id, recoveries.CHANGED)


def end_what_was_before_the_rise(event: Event) -> None:
    """Made an administrator or an owner: sessions, browsers and tokens of an earlier proof end (cases 76, 82). What `login/policy` would
    not take already is gone a moment later, and what was proved meanwhile stays.
    """
    if event.user_id is not None:
        before = datetime.fromisoformat(event.details["before"]) if "before" in event.details else event.at
        trusted_device.forget_all(event.user_id, "rights_raised", proved_before=before)
        sessions.end_all(event.user_id, "rights_raised", proved_before=before)
        tokens.revoke_of_user(event.user_id, reason="rights_raised", before=before)


def end_what_the_former_password_opened(event: Event) -> None:
    """A forgotten password was set anew: what was proved before it ends everywhere (case 76). Its transaction has ended most of it already;
    what was begun in that very moment, and what apps hold, is gone a moment later.
    """
    if event.user_id is not None:
        trusted_device.forget_all(event.user_id, "password_reset", proved_before=event.at)
        sessions.end_all(event.user_id, "password_reset", proved_before=event.at)
        tokens.revoke_of_user(event.user_id, reason="password_reset", before=event.at)


def tell_of_changed_password(event: Event) -> None:
    """A password was set, changed or set anew (ASVS 5.0 §6.3.7): whoever reads one of the channels may be who did it."""
    _tell(event, "password_changed")


def tell_of_removed_password(event: Event) -> None:
    """There is no password any more."""
    _tell(event, "password_removed")


def tell_of_locked_password(event: Event) -> None:
    """Somebody tried many wrong passwords: the person may want to know, and is not locked out of their own browsers (ASVS 5.0 §6.3.5).

    Once a day, and counted apart: anybody can bring it about, and must not use up the notices of what matters more.
    """
    _tell(event, "password_locked", once=True, counted="notice_password_locked")


def tell_of_linked_account(event: Event) -> None:
    """An account was linked to the ID, for good."""
    _tell(event, "account_linked")


def stop_what_a_thief_may_have_begun(event: Event) -> None:
    """A browser was copied: a new number that waits may be the thief's (cases 77, 97). Not in that transaction: it holds the browser, and
    the person comes first (`db/session`).
    """
    if event.user_id is not None:
        recoveries.cancel_of_person(event.user_id, "browser_stolen")


def revoke_what_a_stolen_browser_got(event: Event) -> None:
    """Its sessions ended with it. What was to outlive them (`offline_access`) must not: the thief may be who asked for it (case 77)."""
    browser_id = event.details.get("browser")
    if event.user_id is not None and browser_id is not None:
        for session_id in sessions.ended_for(browser_id, event.user_id, "browser_stolen"):
            tokens.revoke_of_session(session_id, reason="browser_stolen")


def revoke_what_was_given_meanwhile(event: Event) -> None:
    """A code that was redeemed in the very moment of the sign-out gave tokens which that transaction could not see yet (case 30)."""
    if event.user_id is not None:
        reason = str(event.details.get("reason", sign_out_everywhere.REASON))
        tokens.revoke_of_user(event.user_id, reason=reason, before=event.at, but_session=event.details.get("stays"))


def revoke_what_a_browser_got_meanwhile(event: Event) -> None:
    """The same, for one browser that was signed out."""
    for session_id in event.details.get("sessions", ()):
        tokens.revoke_of_session(session_id, reason=sign_out_browser.REASON)


def end_what_a_withdrawn_app_got_meanwhile(event: Event) -> None:
    """A code that was issued in the very moment in which the person withdrew, and what came of it."""
    if event.user_id is not None and event.client_id is not None:
        apps.end(event.user_id, event.client_id, before=event.at)


def tell_relying_parties(event: Event) -> None:
    """A session has ended, whatever ended it: the servers of those it had signed in to are told (threats: case 85)."""
    if event.user_id is not None and event.session_id is not None:
        backchannel.tell(event.session_id, event.user_id, cause=event.id)


def tell_relying_parties_of_blocked_person(event: Event) -> None:
    """Nobody lets them in any more: their sessions wait, the relying parties' end."""
    if event.user_id is not None:
        backchannel.tell_of_person(event.user_id, cause=event.id)


def tell_relying_party_of_withdrawal(event: Event) -> None:
    """The person wants to be signed in there no more: where they still are, the app's own session ends too."""
    if event.user_id is not None and event.client_id is not None:
        backchannel.tell_of_person(event.user_id, cause=event.id, only=event.client_id)


REACTIONS: dict[str, tuple[Callable[[Event], None], ...]] = {
    passkey.ADDED: (tell_of_new_passkey,),
    passkey.REMOVED: (tell_of_removed_passkey,),
    passkey.DOUBTED: (tell_of_doubted_passkey,),
    totp.ADDED: (tell_of_new_authenticator,),
    totp.REMOVED: (tell_of_removed_authenticator,),
    recovery_codes.MADE: (tell_of_new_recovery_codes,),
    recovery_codes.USED: (tell_of_used_recovery_code,),
    reset_factors.EVENT: (tell_of_reset_factors,),
    "browser.new": (tell_of_new_browser,),
    sign_out_browser.EVENT: (revoke_what_a_browser_got_meanwhile,),
    "browser.stolen": (stop_what_a_thief_may_have_begun, revoke_what_a_stolen_browser_got, tell_of_stolen_browser),
    apps.WITHDRAWN: (end_what_a_withdrawn_app_got_meanwhile, tell_relying_party_of_withdrawal),
    apps.SIGNED_OUT: (end_what_a_withdrawn_app_got_meanwhile, tell_relying_party_of_withdrawal),
    deletion.REQUESTED: (tell_of_deletion,),
    deletion.DUE_SOON: (tell_of_deletion,),
    deletion.CANCELLED: (tell_of_cancelled_deletion,),
    "data.downloaded": (tell_of_downloaded_data,),
    employees.RAISED: (end_what_was_before_the_rise,),
    numbers.CHANGED: (tell_of_changed_phone, stop_what_waits_for_the_former_number),
    password_reset.EVENT: (end_what_the_former_password_opened, tell_of_changed_password),
    "password.set": (tell_of_changed_password,),
    "password.changed": (tell_of_changed_password,),
    "password.removed": (tell_of_removed_password,),
    "password.locked": (tell_of_locked_password,),
    "account.linked": (tell_of_linked_account,),
    numbers.GIVEN_UP: (tell_of_lost_phone,),
    "social.linked": (tell_of_linked_provider,),
    "social.unlinked": (tell_of_unlinked_provider,),
    recoveries.BEGUN: (tell_of_recovery,),
    recoveries.ENDED: (end_the_browser_that_asked, tell_of_stopped_recovery),
    recoveries.DONE: (tell_of_completed_recovery,),
    "token.reused": (tell_of_reused_token,),
    users.EMAIL_CHANGED: (tell_of_changed_email,),
    users.EMAIL_CONFIRMED: (tell_of_added_email,),
    users.EMAIL_REMOVED: (tell_of_changed_email,),
    users.EMAIL_UNDONE: (tell_of_undone_email,),
    sessions.ENDED: (tell_relying_parties,),
    users.BLOCKED: (tell_relying_parties_of_blocked_person,),
    sign_out_everywhere.EVENT: (revoke_what_was_given_meanwhile, tell_of_sign_out_everywhere),
}


def react() -> int:
    """React to what has happened since the last time; answers to how many events. For the worker, outside of any unit.

    Each event has a unit of its own: one that cannot be reacted to holds up no other.
    """
    with reads():
        waiting = session.scalars(_waiting().limit(BATCH)).all()
    return sum(_react(event_id) for event_id in waiting)


def _waiting() -> sa.Select[str]:
    late = clock.now() - GIVE_UP
    return sa.select(_rows.c.id).where(_rows.c.reacted_at.is_(None), _rows.c.name.in_(REACTIONS), _rows.c.at >= late)


def _react(event_id: str) -> bool:
    try:
        with writes():
            first = sa.update(_rows).where(_rows.c.id == event_id, _rows.c.reacted_at.is_(None)).values(reacted_at=clock.now())
            if changed(first) == 0:  # another worker was quicker
                return False
            event = session.get_one(Event, event_id)
            for reaction in REACTIONS[event.name]:
                reaction(event)
    except (sa.exc.OperationalError, sa.exc.InterfaceError):  # the database is away: the loop knows what to do
        raise
    except Exception as e:
        _log.exception("no reaction to %s (%s), it is tried again", event_id, type(e).__name__)
        return False
    return True


def _tell(
    event: Event,
    words: str,
    *,
    browser: str | None = None,
    day: datetime | None = None,
    phone: str | None = None,
    left: int | None = None,
    once: bool = False,
    counted: str = "notice",
    by: tuple[str, ...] = ("sms", "email"),
    params: Mapping[str, str] | None = None,
    link: str | None = None,
    until: datetime | None = None,
) -> None:
    """Tell the person by text message (to `phone`, if not theirs now) and, where they have proved an address, by mail too; `once`: by mail
    instead, for what changed nothing and may come often. `counted`: what is counted apart, so that nobody uses it up with other notices
    beforehand. `by`: which of them, if not by both. `until`: as long as it is worth it.

    No notice holds a code, nor a link: whoever copies ours cannot make people used to following links. One mail has a `link`: what it leads
    to can stop a change that must not happen, and nothing else.
    """
    user = users.find(event.user_id) if event.user_id else None
    if user is None or user.phone in settings().login.test_numbers:
        return
    reach = {"sms": phone or user.phone, "email": user.email if user.email_verified_at else None}
    kinds = [kind for kind, address in reach.items() if kind in by and address and is_carried(kind)]
    if not kinds:
        return
    try:
        limits.spend(counted, user.id, limit=A_DAY.get(counted, NOTICES), window_seconds=86400)
    except TooManyTries:
        _log.warning("no more notices to one person today", extra={"event_name": event.name, "sub": user.id})
        _withheld(user.id, event, words, kinds, "notices_of_a_person")
        return
    language = negotiate([user.locale or ""]) or settings().languages.default
    params = dict(params or {}) if browser is None else {"browser": browser or gettext(language, wording.UNKNOWN_BROWSER)}
    if left is not None:
        params["left"] = str(left)
    params |= {} if day is None else {"date": format_day(language, day)}
    until = until or event.at + NOTICE_LIFETIME
    for kind in kinds[-1:] if once else kinds:
        key, to, paid = f"{event.id}:{words}:{kind}", str(reach[kind]), None
        if kind == "sms":
            parts = gateways.parts_of(wording.compose(words, kind, language, params=params).text)
            paid = spend.admit_notice(to, kind, parts=parts)
            if paid is None:
                _withheld(user.id, event, words, [kind], "notice_budget")
                continue
        below = link if kind == "email" else None
        send(kind, to, words, language, params=params, key=key, link=below, expires_at=until, person_note=user.id, message_id=paid)


def _withheld(user_id: str, event: Event, words: str, kinds: list[str], why: str) -> None:
    """A notice that does not go out by these channels is written down: support can tell the person."""
    details = {"of": event.id, "notice": words, "channels": kinds, "reason": why}
    events.record("notice.withheld", outcome="refused", user_id=user_id, details=details)
