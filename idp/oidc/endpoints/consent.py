"""`/authorize/<request>/consent`: may this app have what it asks for? And `…/cancel`, `…/switch`: the two other ways out of a journey."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from idp import crypto, languages
from idp.delegation import consents, logos, requests, resources, scopes
from idp.delegation.requests import Device
from idp.errors import N_, BadInput
from idp.oidc.endpoints.account import initials, row
from idp.oidc.endpoints.authorization import find, go_on, refuse
from idp.oidc.steps import account, sign_in
from idp.oidc.steps.journey import Journey
from idp.web.http import Answer, Page, Request, see_other
from idp.web.pages import language_of

# What a scope lets an app see, in the order of the page: scope, headline, detail.
SEEN = (
    ("profile", N_("Your name and profile"), N_("Name, picture, birthday, language")),
    ("phone", N_("Your phone number"), None),
    ("email", N_("Your e-mail address"), None),
    ("address", N_("Your postal address"), None),
    ("account", N_("Which account you came in as"), None),
    ("company", N_("The company"), N_("Name, INN, status, your role and what it allows")),
    ("companies", N_("All companies you work in"), N_("Names, INNs and your roles")),
)
DONE = (("offline_access", N_("Work while you are not there"), N_("Until you withdraw it")),)


def show(request: Request, request_id: str) -> Answer:
    """The page: who asks, as whom you are here, what it will see and do."""
    journey = find(request, request_id)
    if _not_yet(journey):
        return go_on(journey)
    person, language = journey.person(), language_of(request, journey.asked.ui_locales)
    client, standing = journey.client, journey.standing
    nothing = {scopes.COMPANY} if standing is not None and standing.company_id is None else set()  # of a company there is nothing to see

    def items(texts: tuple[tuple[str, str, str | None], ...]) -> list[dict[str, str | None]]:
        asked = [text for text in texts if text[0] in journey.asked.needed and text[0] not in nothing]
        return [
            {"title": languages.gettext(language, title), "detail": languages.gettext(language, detail) if detail else None}
            for _, title, detail in asked
        ]

    return Page(
        "oidc/consent.html",
        parked=True,
        ui_locales=journey.asked.ui_locales,
        client={
            "name": client.title(language),
            "logo": logos.path(client),
            "unverified": client.registered_by is not None,
            "purpose": client.purpose,
            "terms_url": client.tos_uri,
            "policy_url": client.policy_uri,
        },
        person={
            "name": person.name,
            "initials": initials(person.name),
            "phone": languages.mask_phone(person.phone) if person.phone else None,
        },
        company=row(standing, language) if standing and standing.kind == "employee" else None,
        see=items(SEEN) or [{"title": languages.gettext(language, N_("That you have an ID here")), "detail": None}],
        do=[*items(DONE), *({"title": text, "detail": where} for text, where in resources.described(journey.asked.scopes))],
        return_host="" if journey.asked.device else urlsplit(journey.asked.redirect_uri).netloc or client.name,
        device=_device(journey.asked.device, request) if journey.asked.device else None,
        action=f"/authorize/{request_id}/consent",
        shown=_shown(journey),
        switch_url=f"/authorize/{request_id}/switch",
    )


def _device(device: Device, request: Request) -> dict[str, Any]:
    """What the page says of a device that waits, so that a person can tell their own from a stranger's (RFC 10027 §6.1)."""
    return {
        "user_code": device["user_code"],
        "at": datetime.fromisoformat(device["asked_at"]),
        "name": device["name"],
        "network": device["network"],
        "is_here": device["network"] == request.network,
    }


def answer(request: Request, request_id: str) -> Answer:
    """Allow: remembered until it is withdrawn. Refuse: back to the app with `access_denied`."""
    journey = find(request, request_id)
    if _not_yet(journey):
        return go_on(journey)
    pressed = request.form.get("answer")
    if pressed == "deny":
        return refuse(journey, "access_denied", "The person refused.")
    if pressed != "allow" or journey.parked is None:
        raise BadInput(N_("Press Allow or Refuse."), detail="an answer that is on no button")
    if not crypto.equal(request.form.get("shown"), _shown(journey)):
        return see_other(f"/authorize/{request_id}/consent")
    person = journey.person()
    account_id = journey.standing.account_id if journey.standing else None
    consents.grant(
        user_id=person.user_id,
        client_id=journey.client.id,
        account_id=account_id,
        scopes=journey.asked.needed,
        session_id=person.id,
    )
    requests.decide(journey.parked, user_id=person.user_id, account_id=account_id, consented=True)
    return see_other(f"/authorize/{request_id}")


def _shown(journey: Journey) -> str:
    """Who and what stood on the page, for its form to say again: meanwhile another tab may have signed in somebody else in this browser,
    or chosen another account, and of that one nobody was asked (case 6).
    """
    account_id = journey.standing.account_id if journey.standing else ""
    return crypto.derive_text("consent page", journey.asked.client_id, journey.person().user_id, account_id, *journey.asked.needed)


def _not_yet(journey: Journey) -> bool:
    """Whether an earlier step is open again: then nothing is asked on behalf of somebody who is not here."""
    return sign_in.check(journey) is not None or account.check(journey) is not None


def cancel(request: Request, request_id: str) -> Answer:
    """Back to the app, with `access_denied`."""
    return refuse(find(request, request_id), "access_denied", "The person cancelled.")


def switch(request: Request, request_id: str) -> Answer:
    """Another person, or another number: the sign-in begins again for the same request."""
    journey = find(request, request_id)
    return sign_in.again(journey)
