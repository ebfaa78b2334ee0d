"""The third step: did the person allow this client what it asks for? Our own clients are not asked about (an operator's decision)."""

from __future__ import annotations

from idp.config import settings
from idp.delegation import consents
from idp.oidc.steps.journey import Journey, Open
from idp.web.http import Answer, see_other


def check(journey: Journey) -> Open | None:
    """Silent for a first party, and where all of it was allowed before; `prompt=consent` always asks, and so does a device: whoever typed
    its code may have got it from a stranger, and only this page says so (RFC 10027).

    Never silent for a native app that cannot be told from another one on the same device, at a scheme of its own or on loopback: whoever
    registers that scheme, or listens on that port, would get a code without anybody noticing (RFC 8252 §8.6).
    """
    parked, account_id = journey.decided_here(), journey.standing.account_id if journey.standing else None
    # What was allowed in this journey may have been withdrawn in another window since.
    if parked is not None and parked.consented and parked.account_id == account_id and _remembered(journey):
        return None
    wanted = journey.asked.device is not None or "consent" in journey.asked.prompts
    wanted = wanted or journey.client.can_be_mistaken_at(journey.asked.redirect_uri)
    if not wanted and (journey.client.first_party or _in_a_laboratory(journey) or _remembered(journey)):
        return None
    return Open("consent_required", "The person has to allow this client what it asks for.", _go)


def _in_a_laboratory(journey: Journey) -> bool:
    return journey.client.registered_by is not None and settings().registration.skip_consent


def _remembered(journey: Journey) -> bool:
    return consents.covers(
        user_id=journey.person().user_id,
        client_id=journey.client.id,
        account_id=journey.standing.account_id if journey.standing else None,
        scopes=journey.asked.needed,
    )


def _go(journey: Journey) -> Answer:
    if journey.parked is None:
        raise RuntimeError("a page needs a parked request")
    return see_other(f"/authorize/{journey.parked.id}/consent")
