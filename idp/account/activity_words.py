"""What each event is called to the person whom it befell. To add one: a line in SAID; what is not there is not shown.

A test holds that every event of a person stands either here or in UNSAID, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from idp.credentials import recoveries, recovery_codes, totp, vouches
from idp.delegation import apps
from idp.directory import deletion, employees, numbers
from idp.errors import N_
from idp.oidc import reset_factors, sign_out_browser, sign_out_everywhere

SIGN_IN, SECURITY, APPS, PROFILE, COMPANIES = "sign_in", "security", "apps", "profile", "companies"

# In the order of the page.
KINDS = {
    SIGN_IN: N_("Sign-ins"),
    SECURITY: N_("Security"),
    APPS: N_("Apps"),
    PROFILE: N_("Profile and data"),
    COMPANIES: N_("Companies and family"),
}

SOME_APP, SOME_COMPANY, SOME_BROWSER = N_("an app"), N_("a company"), N_("a browser")
NOBODY = N_("not by you: by support or an administrator")


class Said(NamedTuple):
    """`text` may name `%(app)s`, `%(company)s`, `%(browser)s`. `by`: another text for the proof, or the reason, that the event tells.

    `is_bad`: it should be looked at. `may_be_another`: somebody else can have done it, so the way to say so stands beside it.
    """

    kind: str
    text: str
    by: Mapping[str, str] = {}
    is_bad: bool = False
    may_be_another: bool = False


PROOFS = {
    "phone_code": N_("Signed in with a code to the phone"),
    "email_code": N_("Signed in with a code by e-mail"),
    "password": N_("Signed in with a password"),
    "password_by_number": N_("Signed in with a password"),
    "passkey": N_("Signed in with a passkey"),
    "totp": N_("Signed in with the authenticator app"),
    "recovery_code": N_("Signed in with a recovery code"),
    "social": N_("Signed in through another provider"),
    "remembered": N_("Signed in with one press, in a remembered browser"),
}

SAID: dict[str, Said] = {
    "login.succeeded": Said(SIGN_IN, N_("Signed in"), PROOFS, may_be_another=True),
    "social.failed": Said(SIGN_IN, N_("Signing in with another provider did not work")),
    "login.refused": Said(SIGN_IN, N_("A sign-in was refused"), {"blocked": N_("A sign-in was refused: the ID is blocked")}, is_bad=True),
    "login.further_proof_due": Said(SIGN_IN, N_("A code alone was not enough: another proof was asked for"), may_be_another=True),
    "browser.stolen": Said(SIGN_IN, N_("A copy of a browser’s sign-in was used: that browser was signed out"), is_bad=True),
    sign_out_browser.EVENT: Said(SIGN_IN, N_("Signed out of a browser: %(browser)s"), may_be_another=True),
    sign_out_everywhere.EVENT: Said(SIGN_IN, N_("Signed out everywhere"), may_be_another=True),
    totp.ADDED: Said(SECURITY, N_("An authenticator app was added"), may_be_another=True),
    totp.REMOVED: Said(SECURITY, N_("The authenticator app was removed"), may_be_another=True),
    totp.WRONG: Said(SECURITY, N_("A wrong code of the authenticator app was entered")),
    recovery_codes.MADE: Said(SECURITY, N_("Recovery codes were made"), may_be_another=True),
    recovery_codes.REMOVED: Said(SECURITY, N_("The recovery codes were removed"), may_be_another=True),
    recovery_codes.USED: Said(SECURITY, N_("A recovery code was used"), may_be_another=True),
    recovery_codes.WRONG: Said(SECURITY, N_("A wrong recovery code was entered")),
    "passkey.added": Said(SECURITY, N_("A passkey was added"), may_be_another=True),
    "passkey.removed": Said(SECURITY, N_("A passkey was removed"), may_be_another=True),
    "passkey.renamed": Said(SECURITY, N_("A passkey was renamed"), may_be_another=True),
    "passkey.doubted": Said(SECURITY, N_("A passkey was refused: it may have been copied"), is_bad=True),
    "passkey.refused": Said(SECURITY, N_("A passkey was refused")),
    "password.wrong": Said(SIGN_IN, N_("A wrong password was entered"), is_bad=True),
    "password.set": Said(SECURITY, N_("A password was set"), may_be_another=True),
    "password.changed": Said(SECURITY, N_("The password was changed"), may_be_another=True),
    "password.reset": Said(SECURITY, N_("A forgotten password was replaced"), may_be_another=True),
    "password.locked": Said(SECURITY, N_("The password was locked for a while: too many wrong ones were entered"), is_bad=True),
    "password.unlocked": Said(SECURITY, N_("The password was unlocked")),
    "password.removed": Said(SECURITY, N_("The password was removed"), may_be_another=True),
    "social.linked": Said(SECURITY, N_("Another provider was linked"), may_be_another=True),
    "social.unlinked": Said(SECURITY, N_("Another provider was unlinked"), may_be_another=True),
    "account.login_email_verified": Said(SECURITY, N_("A login e-mail was confirmed")),
    reset_factors.EVENT: Said(SECURITY, N_("Support removed the authenticator app, passkeys and recovery codes"), is_bad=True),
    recoveries.BEGUN: Said(SECURITY, N_("A new phone number was asked for, and its waiting time began"), is_bad=True, may_be_another=True),
    vouches.EVENT: Said(SECURITY, N_("An administrator vouched for you, who have lost your phone"), is_bad=True, may_be_another=True),
    recoveries.ENDED: Said(SECURITY, N_("The change of the phone number was stopped")),
    recoveries.DONE: Said(SECURITY, N_("The waiting time for the new phone number is over")),
    numbers.CHANGED: Said(SECURITY, N_("The phone number was changed"), may_be_another=True),
    numbers.GIVEN_UP: Said(SECURITY, N_("The phone number left this ID: its holder began another one"), is_bad=True),
    "user.phone_believed": Said(SECURITY, N_("The phone number was confirmed again")),
    "user.email_changed": Said(SECURITY, N_("The e-mail address was changed"), is_bad=True, may_be_another=True),
    "user.email_removed": Said(SECURITY, N_("The e-mail address was removed"), is_bad=True, may_be_another=True),
    "user.email_undone": Said(SECURITY, N_("A change of the e-mail address was undone"), is_bad=True),
    "user.email_confirmed": Said(SECURITY, N_("An e-mail address was confirmed"), may_be_another=True),
    "phone.codes_turned_on": Said(SECURITY, N_("Codes to the phone were turned on again")),
    "user.blocked": Said(SECURITY, N_("The ID was blocked"), is_bad=True),
    "user.unblocked": Said(SECURITY, N_("The ID was unblocked")),
    "consent.granted": Said(APPS, N_("%(app)s was allowed what it asked for"), may_be_another=True),
    "device_authorization.denied": Said(APPS, N_("A device was refused access to %(app)s"), may_be_another=True),
    apps.WITHDRAWN: Said(APPS, N_("Access was withdrawn from %(app)s")),
    apps.SIGNED_OUT: Said(APPS, N_("Signed out of %(app)s")),
    "token.reused": Said(APPS, N_("An old key of %(app)s was used again: the app was signed out"), is_bad=True),
    "user.registered": Said(PROFILE, N_("The ID was created")),
    "user.profile_changed": Said(PROFILE, N_("The profile was changed"), may_be_another=True),
    deletion.REQUESTED: Said(PROFILE, N_("Deletion of the ID was asked for"), is_bad=True, may_be_another=True),
    deletion.CANCELLED: Said(PROFILE, N_("Deletion of the ID was cancelled")),
    deletion.DUE_SOON: Said(PROFILE, N_("Reminded that the ID will be deleted soon")),
    "data.downloaded": Said(PROFILE, N_("A copy of the data was downloaded"), may_be_another=True),
    "account.linked": Said(COMPANIES, N_("An account was linked: %(company)s")),
    "employee.added": Said(COMPANIES, N_("You work in %(company)s now")),
    "employee.removed": Said(COMPANIES, N_("You no longer work in %(company)s")),
    "employee.roles_changed": Said(COMPANIES, N_("Your role in %(company)s was changed")),
    "employee.restricted": Said(COMPANIES, N_("What you may do in %(company)s was changed")),
    "employee.blocked": Said(COMPANIES, N_("Your access to %(company)s was blocked")),
    "employee.unblocked": Said(COMPANIES, N_("Your access to %(company)s was unblocked")),
    "company.owner_replaced": Said(COMPANIES, N_("You own %(company)s now")),
    "invitation.declined": Said(COMPANIES, N_("An invitation was declined: %(company)s")),
    "family.founded": Said(COMPANIES, N_("You began a family")),
    "family.joined": Said(COMPANIES, N_("You joined a family")),
    "family.left": Said(COMPANIES, N_("You left a family")),
}

# What is not told, and why.
UNSAID: dict[str, str] = {
    "browser.new": "the sign-in itself is told",
    "device.trusted": "the sign-in is told, and the list of browsers shows it",
    "device.removed": "told by what it followed from",
    "session.begun": "the sign-in here goes on after a changed number, which is told",
    "session.ended": "told by what it followed from; pressing Sign out is no news",
    "browser.ended": "told by what it followed from",
    "token.issued": "the sign-in, or the consent, is told",
    "token.revoked": "an app gave back what it held",
    "token.refused": "between an app and us",
    "code.refused": "between an app and us",
    "device_authorization.refused": "between an app and us",
    "code.replayed": "between an app and us",
    "account.opened": "told by what it followed from",
    "account.premium_changed": "the shop's matter",
    "invitation.accepted": "told by what it followed from",
    "user.test_mark_changed": "the operator's matter",
    "notice.withheld": "support's matter",
    employees.RAISED: "the new role is told",
    "employee.contact_changed": "the company's own records",
    deletion.DELETED: "nobody is left to read it",
}
