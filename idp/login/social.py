"""Sign in with another provider: to it, back from it, and, when nobody here is linked to who came back, the question after the sign-in.

    begin      a button was pressed: state, nonce and challenge are made for this browser and this sign-in; 303 to the provider
    callback   the state is redeemed once, in the browser that began it; then, outside of any unit, the code; then
               known      signed in, as by any proof
               unknown    to the phone and the code. Who came back is kept, sealed, and proves nothing here
    show       after that: "link it to this ID?", with the ID in sight. Only a yes links (threats: case 107)

A provider that is away, refuses or lies leads back to the phone page, which says so: nothing is lost. NOTE: who came to link it from their
own pages comes back here too; `account/providers` has the other half of that.
"""

from __future__ import annotations

from collections.abc import Callable

from idp import events, languages, telemetry, throttle
from idp.credentials import social
from idp.credentials.social import Begun, Claimed
from idp.db.session import places, reads, writes
from idp.directory import users
from idp.errors import N_, BadInput, Conflict, Gone, NotFound, TooManyTries
from idp.login import browser, flow_row, policy, upstream
from idp.login import flow as flows
from idp.login.flow_row import Flow
from idp.login.session import SignedIn
from idp.login.upstream import UpstreamFailed
from idp.web.http import Answer, Page, Parameters, Request, see_other

AMR = ("fed",)  # what the other provider's own sign-in was is not copied (`claims.md`)
LOOPBACK = ("127.", "::/")  # not counted: a proxy here whose hops nobody configured speaks for everybody
CROWD, PACE = 100, 3.0  # journeys of one network at once, and seconds for each one after that
ONCE = ("state", "code", "error", "iss")

# What the page says that somebody comes back to; an address can name no other.
SAYS = {
    "unknown": N_("Nobody here is linked to this account at %(provider)s yet. Enter your number: after the code you can link it."),
    "declined": N_("You have not signed in with %(provider)s. Try again, or enter your number."),
    "away": N_("%(provider)s does not answer right now. Enter your number, or try again in a minute."),
    "failed": N_("Signing in with %(provider)s did not work. Enter your number, or try again."),
}


def offered(flow: Flow) -> dict[str, str]:
    """Which providers this sign-in offers: key and title, in the order of the configuration.

    None where the app wants a proof of this very moment: another provider lets in whoever is still signed in there (threats: case 10).
    """
    if flow.demand.fresh_since is not None or (flow.doubted_user_id is not None):
        return {}
    every = upstream.titles()
    return every if flow.providers is None else {key: title for key, title in every.items() if key in flow.providers}


def notice(request: Request) -> tuple[str, str] | None:
    """What the phone page says to who came back: a msgid and the provider's title."""
    key, why = request.query.get("provider"), request.query.get("why")
    title = upstream.titles().get(key)
    return (SAYS[why], title) if title is not None and why in SAYS and not request.is_post else None


def desk(request: Request, flow: str, provider: str) -> Answer:
    """`GET /login/<flow>/social/<provider>`: a form has no page of its own."""
    del provider
    return flows.view(request, flow)


def begin(request: Request, flow: str, provider: str) -> Answer:
    """`POST /login/<flow>/social/<provider>`: to the provider."""
    with places(), reads():
        row = flow_row.get(request, flow)
        there = flows.elsewhere(row, request, "social")
        if provider not in offered(row) and not there:
            raise NotFound(detail="a provider that this sign-in does not offer")
    if there:
        return see_other(there)
    return go(request, provider, f"{row.address}/identify", lambda: social.begin(provider, request.cookie("login"), flow_id=row.id))


def go(request: Request, provider: str, back_to: str, make: Callable[[], social.Asked]) -> Answer:
    """Send the person to `provider`, with what `make` writes down in a unit of its own; or `back_to` with the reason why not.

    Outside of any unit: where the provider is may have to be asked first.
    """
    chosen = upstream.configured(provider)
    if chosen is None:
        raise NotFound(detail="a provider that is not configured")
    _require_pace(request.network)
    try:
        at = upstream.endpoints(chosen)
    except UpstreamFailed as failed:
        upstream.log_failure(provider, failed)
        return see_other(f"{back_to}?provider={provider}&why={failed.why}")
    with places(), writes():
        asked = make()
    return see_other(upstream.address(provider, chosen, at, asked))


def _require_pace(network: str) -> None:
    """Each journey makes us ask the provider twice or thrice: nobody keeps us busy with it. Raises TooManyTries."""
    if network.startswith(LOOPBACK):
        return
    ahead = throttle.count("social", network, crowd=CROWD, pace=PACE)
    if ahead > 0:
        telemetry.count_limited("social")
        raise TooManyTries(N_("Too many sign-ins were begun from your network. Try again in a moment."), retry_after=int(ahead) + 1)


def posted(request: Request, provider: str) -> Answer:
    """`POST /login/social/callback/<provider>` (`response_mode=form_post`): a POST from another site comes without our cookies, so it is
    made a GET of our own. What goes on is what a callback may have, each once.
    """
    chosen = upstream.configured(provider)
    if chosen is None:
        raise NotFound(detail="a provider that is not configured")
    sent = {name: value for name, value in _once(request.form, chosen.carried).items() if value}
    return see_other(f"/login/social/callback/{provider}?{upstream.query(sent)}")


def callback(request: Request, provider: str) -> Answer:
    """`GET /login/social/callback/<provider>`: somebody comes back. The address holds a code: the answer always leads away from it."""
    chosen = upstream.configured(provider)
    if chosen is None:
        raise NotFound(detail="a provider that is not configured")
    answer = _once(request.query, chosen.carried)
    state, secret = answer.get("state", ""), request.cookie("login")
    with places(), writes():
        begun = social.redeem(state, provider, secret)
        former = None if begun else social.find_redeemed(state, provider, secret)
    if begun is None:
        if former is not None:  # Back, or a reload: the desk knows how far it is, and the code is not used again (case 113)
            return see_other(f"/login/{former.flow_id}" if former.flow_id else LINKING)
        raise Gone(flow_row.OVER, detail="no such journey of this browser")
    try:
        claimed = upstream.who_came(provider, chosen, state, answer)
    except UpstreamFailed as failed:
        return _failed(begun, failed)
    with places(), writes():
        return (_to_sign_in if begun.flow_id else _to_link)(request, begun, claimed)


LINKING = "/account/providers"


def _once(given: Parameters, carried: list[str]) -> dict[str, str]:
    """What a callback may have; a name that stands twice is two answers, and nobody picks one (RFC 6749 §3.1)."""
    names = (*ONCE, *carried)
    if any(len(given.all(name)) > 1 for name in names):
        raise BadInput(detail="a parameter of a callback stands there twice")
    return {name: given.get(name) for name in names if name in given}


def _failed(begun: Begun, failed: UpstreamFailed) -> Answer:
    upstream.log_failure(begun.provider, failed)
    with places(), writes():
        details = {"provider": begun.provider, "reason": failed.word, **({"flow": begun.flow_id} if begun.flow_id else {})}
        events.record("social.failed", outcome="failed", user_id=begun.user_id, session_id=begun.session_id, details=details)
    back_to = f"/login/{begun.flow_id}/identify" if begun.flow_id else LINKING
    return see_other(f"{back_to}?provider={begun.provider}&why={failed.why}")


def _to_sign_in(request: Request, begun: Begun, claimed: Claimed) -> Answer:
    """Who came back signs in, if they are linked to an ID; else the way is by the number, and the question comes after it."""
    row = flow_row.get(request, begun.flow_id or "", lock=True)
    if there := flows.elsewhere(row, request, "social"):
        return see_other(there)
    user = users.get(owner, alone=True) if (owner := social.owner(claimed)) else None
    identity = social.find(claimed) if user is not None else None
    if user is None or identity is None or identity.user_id != user.id:  # None: unlinked while we waited for its row
        social.keep_found(begun.id, claimed)
        flow_row.write(row, social_request_id=begun.id)
        return see_other(f"{row.address}/identify?provider={begun.provider}&why=unknown")
    social.note_use(identity.id)
    proof = policy.proof(policy.SOCIAL, AMR)
    return flows.proved(row, request, user, proof, remember=not browser.is_shared(request))


def _to_link(request: Request, begun: Begun, claimed: Claimed) -> Answer:
    """Link it to the ID from whose pages it was asked for: in the same session, which was proved a moment before (case 112)."""
    me = browser.signed_in(request)
    if me is None or me.id != begun.session_id or me.user_id != begun.user_id:
        raise Gone(flow_row.OVER, detail="another session than the one that asked to link")
    users.get(me.user_id, alone=True)
    social.link(me.user_id, begun.provider, claimed, title=upstream.titles()[begun.provider], session_id=me.id)
    return see_other(f"{LINKING}?linked={begun.provider}")


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/social`: "link it to this ID?"."""
    row = flow_row.get(request, flow)
    if there := _not_now(row, request):
        return see_other(there)
    waiting = _waiting(row, request)
    return _page(row, *waiting) if waiting else see_other(row.return_to)


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/social`, `answer`: `link` or `skip`; then on to where the sign-in leads."""
    row = flow_row.get(request, flow, lock=True)
    if there := _not_now(row, request):
        return see_other(there)
    waiting = _waiting(row, request)
    if waiting is None:
        return see_other(row.return_to)
    claimed, key, me = waiting
    wanted = request.form.get("answer")
    if wanted not in {"link", "skip"}:
        return _page(row, *waiting, status=422)
    if social.settle(row.social_request_id or "") and wanted == "link":
        users.get(me.user_id, alone=True)
        try:
            social.link(me.user_id, key, claimed, title=upstream.titles()[key], session_id=me.id)
        except Conflict as refusal:  # linked to another ID meanwhile
            refusal.shown["restart_url"] = row.return_to
            raise
    flow_row.write(row, social_request_id=None)
    return see_other(row.return_to)


def claimed_name(flow: Flow) -> str:
    """What the name field of a sign-up begins with: the name at the provider that the person came from. It proves nothing."""
    waiting = social.found(flow.social_request_id)
    return waiting[0].name if waiting else ""


def _not_now(row: Flow, request: Request) -> str | None:
    """Nothing is asked before the sign-in is over."""
    return None if flows.is_over(row, request) else flows.next_address(row, request)


def _waiting(row: Flow, request: Request) -> tuple[Claimed, str, SignedIn] | None:
    """Who came back, from where, and who has proved since that the ID of this browser's session is theirs, by a proof of our own."""
    waiting, me = social.found(row.social_request_id), browser.signed_in(request)
    if waiting is None or me is None or waiting[1] not in upstream.titles():
        return None
    claimed, key, found_at = waiting
    is_proved = me.auth_time >= found_at and me.acr != policy.REMEMBERED and bool(set(me.amr) - set(AMR))
    return (claimed, key, me) if is_proved else None


def _page(row: Flow, claimed: Claimed, key: str, me: SignedIn, *, status: int = 200) -> Page:
    return Page(
        "login/social.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        flow=row,
        provider=upstream.titles()[key],
        there=claimed.name,
        name=me.name,
        phone=languages.mask_phone(me.phone) if me.phone else "",
    )
