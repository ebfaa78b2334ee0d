"""EVERY address on one page: path, view, methods, what it does to the database, its face, and who may enter.

`direct` ones are called by machines (and `/authorize` by every browser): they are served straight from WSGI, before Flask's request
machinery; pages are Flask's. A page's POST must carry the token of our own form, unless the relying party's own site sends it (`foreign`).
Forms without a page of their own lead back to the desk when they are opened: under a refused one stand the languages, and people reload.
Who may enter: everybody; what each view then asks for (a client's authentication, an access token, this browser's cookie) stands in it.
"""

from __future__ import annotations

from collections.abc import Callable

from idp.account import (
    activity,
    apps,
    authenticator,
    avatar,
    browsers,
    data,
    deletion,
    email,
    email_undo,
    passkeys,
    phone,
    profile,
    providers,
    recovery,
    recovery_codes,
    security,
    shell,
    sign_out,
    vouch,
    well_known,
)
from idp.account import language as account_language
from idp.account import password as own_password
from idp.api import message_receipts
from idp.console import health, inbox
from idp.login import (
    email_code,
    flow,
    further_proof,
    identify,
    link,
    passkey,
    passkey_offer,
    password,
    password_address,
    people,
    phone_code,
    proof_of_work,
    receipts,
    recover,
    recover_email,
    recover_state,
    recover_ways,
    recovery_code,
    register,
    reset,
    social,
    totp,
)
from idp.login import help as guidance
from idp.oidc.endpoints import (
    account,
    authorization,
    consent,
    device,
    device_authorization,
    discovery,
    end_session,
    introspection,
    jwks,
    logo,
    protected_resource,
    registration,
    revocation,
    token,
    userinfo,
)
from idp.oidc.logout import session_state
from idp.web import language, static_files
from idp.web.http import Answer
from idp.web.serve import Mode, Route

View = Callable[..., Answer]


def _machine(path: str, view: View, methods: str, mode: Mode) -> Route:
    return Route(path, view, tuple(methods.split()), mode, "json", checked=False, direct=True)


def _foreign(path: str, view: View, mode: Mode) -> Route:
    return Route(path, view, ("GET", "POST"), mode, checked=False, direct=True)


def _page(path: str, view: View, mode: Mode) -> Route:
    return Route(path, view, ("GET",), mode)


def _form(path: str, view: View) -> Route:
    return Route(path, view, ("POST",), "writes")


def _asked(path: str, view: View) -> Route:
    """What a page's script asks for, with the token of the page's form; refused as JSON."""
    return Route(path, view, ("POST",), "writes", "json")


def _slow_form(path: str, view: View) -> Route:
    """Something slow is done between two units (a password is hashed): the view has them itself."""
    return Route(path, view, ("POST",), "none")


ROUTES: tuple[Route, ...] = (
    # The protocol, for machines
    _machine("/.well-known/openid-configuration", discovery.openid_configuration, "GET OPTIONS", "none"),
    _machine("/.well-known/oauth-authorization-server", discovery.openid_configuration, "GET OPTIONS", "none"),
    _machine("/.well-known/oauth-protected-resource", protected_resource.protected_resource, "GET OPTIONS", "none"),
    _machine("/.well-known/webauthn", well_known.webauthn, "GET", "none"),
    _machine("/.well-known/passkey-endpoints", well_known.passkey_endpoints, "GET", "none"),
    _machine("/.well-known/change-password", well_known.change_password, "GET", "none"),
    _machine("/jwks", jwks.jwks, "GET OPTIONS", "none"),
    _machine("/token", token.token, "POST OPTIONS", "writes"),
    _machine("/userinfo", userinfo.userinfo, "GET POST OPTIONS", "reads"),
    _machine("/introspect", introspection.introspect, "POST", "reads"),
    _machine("/revoke", revocation.revoke, "POST OPTIONS", "writes"),
    _machine("/register", registration.register, "POST OPTIONS", "writes"),
    Route("/register/<client_id>", registration.look_after, ("GET", "PUT", "DELETE"), "writes", "json", checked=False),
    _machine("/device_authorization", device_authorization.device_authorization, "POST", "writes"),
    # The protocol, for browsers
    _foreign("/authorize", authorization.begin, "writes"),
    _page("/authorize/<request_id>", authorization.resume, "writes"),
    _page("/authorize/<request_id>/account", account.show, "writes"),
    _form("/authorize/<request_id>/account", account.choose),
    _page("/authorize/<request_id>/consent", consent.show, "writes"),
    _form("/authorize/<request_id>/consent", consent.answer),
    _page("/authorize/<request_id>/switch", consent.switch, "writes"),
    _page("/authorize/<request_id>/cancel", authorization.resume, "writes"),
    _form("/authorize/<request_id>/cancel", consent.cancel),
    _page("/logos/<path:client_id>", logo.serve, "reads"),
    _page("/device", device.show, "none"),
    _form("/device", device.answer),
    _page("/device/allowed", device.allowed, "none"),
    _page("/device/refused", device.refused, "none"),
    _foreign("/end_session", end_session.end_session, "writes"),
    _form("/end_session/confirm", end_session.confirm),
    _page("/signed-out", end_session.signed_out, "none"),
    _machine("/check_session", session_state.check_session, "GET", "none"),
    # Signing in
    _page("/login/<flow>", flow.view, "writes"),
    _page("/login/<flow>/people", people.show, "reads"),
    _form("/login/<flow>/people", people.answer),
    _page("/login/<flow>/people/forget", flow.view, "writes"),
    _form("/login/<flow>/people/forget", people.forget),
    _page("/login/<flow>/people/shared", flow.view, "writes"),
    _form("/login/<flow>/people/shared", people.share),
    _page("/login/<flow>/identify", identify.show, "reads"),
    _form("/login/<flow>/identify", identify.answer),
    _page("/login/<flow>/proof_of_work", proof_of_work.show, "reads"),
    _form("/login/<flow>/proof_of_work", proof_of_work.answer),
    _page("/login/<flow>/phone_code", phone_code.show, "reads"),
    _form("/login/<flow>/phone_code", phone_code.answer),
    _page("/login/<flow>/phone_code/resend", flow.view, "writes"),
    _form("/login/<flow>/phone_code/resend", phone_code.resend),
    _page("/login/<flow>/phone_code/receipts", receipts.show, "reads"),
    _form("/login/<flow>/phone_code/receipts", receipts.leave),
    _page("/login/<flow>/phone_code/state", receipts.state, "reads"),
    _page("/login/<flow>/passkey", passkey.show, "reads"),
    _form("/login/<flow>/passkey", passkey.answer),
    _asked("/login/<flow>/passkey/options", passkey.options),
    _page("/login/<flow>/passkey_offer", passkey_offer.show, "reads"),
    _form("/login/<flow>/passkey_offer", passkey_offer.answer),
    _asked("/login/<flow>/passkey_offer/options", passkey_offer.options),
    _page("/login/<flow>/further_proof", further_proof.show, "reads"),
    _form("/login/<flow>/further_proof", further_proof.answer),
    _page("/login/<flow>/email_code", email_code.show, "reads"),
    _form("/login/<flow>/email_code", email_code.answer),
    _page("/login/<flow>/email_code/resend", flow.view, "writes"),
    _form("/login/<flow>/email_code/resend", email_code.resend),
    _page("/login/<flow>/totp", totp.show, "reads"),
    _form("/login/<flow>/totp", totp.answer),
    _page("/login/<flow>/recovery_code", recovery_code.show, "reads"),
    _slow_form("/login/<flow>/recovery_code", recovery_code.answer),
    _page("/login/<flow>/recovery_code/left", recovery_code.left, "reads"),
    _page("/login/<flow>/social", social.show, "reads"),
    _form("/login/<flow>/social", social.answer),
    _page("/login/<flow>/social/<provider>", social.desk, "writes"),
    Route("/login/<flow>/social/<provider>", social.begin, ("POST",), "none"),
    _page("/login/social/callback/<provider>", social.callback, "none"),
    Route("/login/social/callback/<provider>", social.posted, ("POST",), "none", checked=False),
    _page("/login/<flow>/password", password.show, "reads"),
    _slow_form("/login/<flow>/password", password.answer),
    _page("/login/<flow>/password/code", password_address.show, "reads"),
    _form("/login/<flow>/password/code", password_address.answer),
    _page("/login/<flow>/password/code/resend", flow.view, "writes"),
    _form("/login/<flow>/password/code/resend", password_address.resend),
    _page("/login/<flow>/link", link.show, "reads"),
    _form("/login/<flow>/link", link.answer),
    _page("/login/<flow>/reset", reset.show, "reads"),
    _form("/login/<flow>/reset", reset.answer),
    _page("/login/<flow>/reset/code", reset.show_code, "reads"),
    _form("/login/<flow>/reset/code", reset.answer_code),
    _page("/login/<flow>/reset/code/resend", flow.view, "writes"),
    _form("/login/<flow>/reset/code/resend", reset.resend),
    _page("/login/<flow>/reset/password", reset.show_password, "reads"),
    _slow_form("/login/<flow>/reset/password", reset.set_password),
    _page("/login/<flow>/help", guidance.show, "reads"),
    _form("/login/<flow>/help", guidance.leave),
    _page("/login/<flow>/recover", recover.show, "reads"),
    _form("/login/<flow>/recover", recover.answer),
    _page("/login/<flow>/recover/code", recover.show_code, "reads"),
    _form("/login/<flow>/recover/code", recover.answer_code),
    _page("/login/<flow>/recover/code/resend", flow.view, "writes"),
    _form("/login/<flow>/recover/code/resend", recover.resend),
    _page("/login/<flow>/recover/ways", recover_ways.show, "reads"),
    _form("/login/<flow>/recover/ways", recover_ways.answer),
    _page("/login/<flow>/recover/email", recover_email.show, "reads"),
    _slow_form("/login/<flow>/recover/email", recover_email.answer),
    _page("/login/<flow>/recover/email/resend", flow.view, "writes"),
    _form("/login/<flow>/recover/email/resend", recover_email.resend),
    _page("/login/<flow>/recover/state", recover_state.show, "reads"),
    _page("/login/<flow>/recover/stop", flow.view, "writes"),
    _form("/login/<flow>/recover/stop", recover_state.stop),
    _page("/login/<flow>/recover/asked", recover_state.asked, "reads"),
    _form("/login/<flow>/recover/asked", recover_state.answer),
    _page("/recovery", recover_state.show_link, "reads"),
    _form("/recovery", recover_state.stop_link),
    _page("/recovery/<token>", recover_state.follow_link, "none"),
    _page("/login/<flow>/register", register.show, "reads"),
    _form("/login/<flow>/register", register.answer),
    # A person's own pages
    _page("/account", shell.view, "none"),
    _page("/account/profile", profile.show, "writes"),
    _form("/account/profile", profile.answer),
    _page("/account/avatar", avatar.show, "writes"),
    Route("/account/avatar", avatar.answer, ("POST",), "writes", largest=avatar.LARGEST),
    _page("/account/avatar/remove", shell.view, "none"),
    _form("/account/avatar/remove", avatar.remove),
    _page("/pictures/<picture_id>", avatar.serve, "reads"),
    _page("/account/language", account_language.show, "writes"),
    _form("/account/language", account_language.answer),
    _page("/account/security", security.show, "writes"),
    _page("/account/phone", phone.show, "writes"),
    _form("/account/phone", phone.begin),
    _page("/account/phone/lost", phone.show, "writes"),
    _form("/account/phone/lost", phone.lost),
    _page("/account/phone/former", phone.show_former, "writes"),
    _form("/account/phone/former", phone.answer_former),
    _page("/account/phone/former/resend", phone.show_former, "writes"),
    _form("/account/phone/former/resend", phone.resend_former),
    _page("/account/phone/new", phone.show_new, "writes"),
    _form("/account/phone/new", phone.answer_new),
    _page("/account/phone/code", phone.show_code, "writes"),
    _form("/account/phone/code", phone.answer_code),
    _page("/account/phone/code/resend", phone.show_code, "writes"),
    _form("/account/phone/code/resend", phone.resend_code),
    _page("/account/email", email.show, "writes"),
    _form("/account/email", email.answer),
    _page("/account/email/code", email.show_code, "writes"),
    _form("/account/email/code", email.answer_code),
    _page("/account/email/code/resend", email.show_code, "writes"),
    _form("/account/email/code/resend", email.resend),
    _page("/account/email/remove", email.show, "writes"),
    _form("/account/email/remove", email.remove),
    _page("/account/email/undo", email_undo.show, "reads"),
    _form("/account/email/undo", email_undo.answer),
    _page("/account/email/undo/<token>", email_undo.follow, "none"),
    _page("/account/apps", apps.show, "writes"),
    _page("/account/apps/<path:client_id>", apps.show_one, "writes"),
    _form("/account/apps/<path:client_id>", apps.withdraw),
    _page("/account/activity", activity.show, "writes"),
    _page("/account/not_me", activity.show_advice, "writes"),
    _page("/account/data", data.show, "writes"),
    _page("/account/data/archive", data.show_archive, "writes"),
    Route("/account/data/archive", data.download, ("POST",), "none"),
    _page("/account/deletion", deletion.show, "writes"),
    _form("/account/deletion", deletion.ask),
    _page("/account/deletion/cancel", deletion.view, "none"),
    _form("/account/deletion/cancel", deletion.cancel),
    _page("/account/browsers", browsers.view, "none"),
    _page("/account/browsers/sign_out", browsers.view, "none"),
    _form("/account/browsers/sign_out", browsers.sign_out),
    _page("/account/browsers/sign_out_everywhere", browsers.view, "none"),
    _form("/account/browsers/sign_out_everywhere", browsers.sign_out_of_all),
    _page("/account/passkeys", passkeys.view, "none"),
    _page("/account/passkeys/add", passkeys.show_add, "writes"),
    _form("/account/passkeys/add", passkeys.add),
    _asked("/account/passkeys/add/options", passkeys.options),
    _page("/account/passkeys/removed", passkeys.show_removed, "writes"),
    _page("/account/passkeys/<passkey_id>", passkeys.show, "writes"),
    _form("/account/passkeys/<passkey_id>", passkeys.rename),
    _page("/account/passkeys/<passkey_id>/remove", passkeys.show_remove, "writes"),
    _form("/account/passkeys/<passkey_id>/remove", passkeys.remove),
    _page("/account/password", own_password.show, "writes"),
    _slow_form("/account/password", own_password.answer),
    _page("/account/password/remove", own_password.show, "writes"),
    _form("/account/password/remove", own_password.remove),
    _page("/account/authenticator", authenticator.show, "writes"),
    _page("/account/authenticator/set_up", authenticator.set_up, "writes"),
    _form("/account/authenticator/set_up", authenticator.confirm),
    _page("/account/authenticator/remove", authenticator.show, "writes"),
    _form("/account/authenticator/remove", authenticator.remove),
    _page("/account/recovery_codes", recovery_codes.show, "writes"),
    _slow_form("/account/recovery_codes", recovery_codes.make),
    _page("/account/providers", providers.show, "writes"),
    _page("/account/providers/link/<provider>", providers.view, "none"),
    Route("/account/providers/link/<provider>", providers.link, ("POST",), "none"),
    _page("/account/providers/unlink", providers.view, "none"),
    _form("/account/providers/unlink", providers.unlink),
    _page("/account/recovery", recovery.view, "none"),
    _form("/account/recovery", recovery.stop),
    _page("/account/vouch", vouch.show, "writes"),
    _form("/account/vouch", vouch.answer),
    _page("/account/vouch/<ticket>", vouch.show_person, "writes"),
    _form("/account/vouch/<ticket>", vouch.vouch),
    _page("/account/sign_out", shell.view, "none"),
    _form("/account/sign_out", sign_out.answer),
    # Everywhere
    _page("/language", language.change, "none"),
    _page("/static/<name>", static_files.serve, "none"),
    _machine("/health/live", health.live, "GET", "none"),
    _machine("/health/ready", health.ready, "GET", "reads"),
    # What gateways report
    Route("/api/messages/receipts/<gateway>", message_receipts.report, ("POST",), "writes", "json", checked=False),
    # On a desk
    _page("/dev/inbox", inbox.show, "reads"),
    _machine("/dev/inbox.json", inbox.show_json, "GET", "reads"),
)

# Answered from memory, whatever the database does.
QUICK = frozenset(route.path for route in ROUTES if route.mode == "none" and route.direct)

# Where files are taken: how large a body may be there, in bytes.
LARGER = {route.path: route.largest for route in ROUTES if route.largest}
