"""Every text that is sent, in the reader's language.

A text message is short: one with a code is one part in every language (70 characters, 160 of those that English is written in), any other
at most two. Where host or brand are long, a code's text is the short form; `idp check` refuses what fits neither. Its code comes first,
where a notification shows it; its last line binds it to our host, so that a phone fills it in here and nowhere else (the origin-bound
one-time code, https://wicg.github.io/sms-one-time-codes/). No text of anybody else stands beside an address (threats: case 74).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from idp.config import settings
from idp.errors import N_
from idp.languages import LANGUAGES, NAMES, gettext

LONGEST_PARAM = 40
ONE_SEGMENT = 70  # UCS-2 characters, as Russian and Chinese need them
TWO_SEGMENTS = 134
# 3GPP TS 23.038 §6.2.1: what fits a part of 160 septets, and what takes two of them. One other character makes all of it UCS-2.
GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_TWICE = frozenset("^{}\\[~]|€\f")

# wording: channel: text. A wording without the channel has nothing to say there.
WORDINGS: dict[str, dict[str, str]] = {
    "sign_in_code": {
        "sms": N_("%(code)s is your %(brand)s code. Never share it."),
        "flash_call": N_("A call to sign in to %(brand)s, from a number that ends in %(code)s."),  # nobody speaks: the number is all
        "voice": N_("Your %(brand)s code is: %(digits)s. Once more: %(digits)s. Never share it."),
        "email": N_(
            "%(code)s is your %(brand)s code. It works for a few minutes, and only in the browser that asked for it. Never share it."
        ),
    },
    "email_code": {
        "email": N_(
            "%(code)s is your %(brand)s code. It works for a few minutes, and only in the browser that asked for it. Never share it. If "
            "you did not ask for a code, there is nothing to do."
        ),
    },
    "browser_new": {
        "sms": N_("%(brand)s: new sign-in, %(browser)s. Not you? Write to support."),
        "email": N_(
            "Somebody has just signed in to %(brand)s with your number in a browser that we did not know: %(browser)s. If it was you, "
            "there is nothing to do. If it was not, write to support at once."
        ),
    },
    "browser_stolen": {
        "sms": N_("%(brand)s: your sign-in was used from another browser too. Both were signed out. Sign in again."),
        "email": N_(
            "Your sign-in to %(brand)s was used from another browser too: somebody may have copied it. Both browsers were signed out. "
            "Sign in again. If this happens once more, write to support."
        ),
    },
    "token_reused": {
        "sms": N_("%(brand)s: an old key to your account was used again, so that app was signed out. Sign in there again."),
        "email": N_(
            "An app showed %(brand)s an old key to your account a second time, as a thief would who had copied it. So that app was "
            "signed out. Sign in there again. If this happens once more, write to support."
        ),
    },
    "signed_out_everywhere": {
        "sms": N_("%(brand)s: you were signed out everywhere. Not you? Write to support."),
        "email": N_(
            "You were signed out of %(brand)s in all browsers and apps, and none of them is remembered any more. If neither you nor our "
            "support did this for you, write to support."
        ),
    },
    "signed_out_elsewhere": {
        "sms": N_("%(brand)s: you were signed out in all other browsers. Not you? Write to support."),
        "email": N_(
            "You were signed out of %(brand)s in all apps and in all browsers but the one in which you asked for it. If it was not you, "
            "write to support at once."
        ),
    },
    "deletion_pending": {
        "sms": N_("%(brand)s: your ID will be deleted on %(date)s. To keep it, sign in and cancel that."),
        "email": N_(
            "Your %(brand)s ID will be deleted on %(date)s, with everything in it. If you want to keep it, or somebody else asked for "
            "this, sign in, open My data and cancel the deletion. Then sign out everywhere."
        ),
    },
    "deletion_cancelled": {
        "sms": N_("%(brand)s: your ID will not be deleted. Not you? Write to support."),
        "email": N_("The deletion of your %(brand)s ID was cancelled. If it was not you who cancelled it, write to support."),
    },
    "id_deleted": {
        "sms": N_("%(brand)s: your ID has been deleted. You can begin a new one at any time."),
        "email": N_("Your %(brand)s ID has been deleted, as you asked. You can begin a new one with the same number at any time."),
    },
    "data_downloaded": {
        "sms": N_("%(brand)s: a copy of your data was downloaded. Not you? Write to support."),
        "email": N_(
            "A copy of all your data was downloaded from %(brand)s. If it was not you, sign in, sign out everywhere and write to support "
            "at once."
        ),
    },
    "phone_changed": {
        "sms": N_("%(brand)s: the number of your ID was changed. Not you? Write to support."),
        "email": N_(
            "The phone number of your %(brand)s ID was changed, and you were signed out everywhere. If neither you nor our support did "
            "this for you, write to support at once."
        ),
    },
    "password_changed": {
        "sms": N_("%(brand)s: the password of your ID was changed. Not you? Write to support."),
        "email": N_(
            "A password of your %(brand)s ID, or of an account of yours, was set. If it was you, there is nothing to do. If it was not, "
            "set a new one by “Forgotten password” and write to support at once."
        ),
    },
    "password_removed": {
        "sms": N_("%(brand)s: your ID has no password any more. Not you? Write to support."),
        "email": N_(
            "The password of your %(brand)s ID was taken off: you sign in with phone and code. If it was not you, write to support at once."
        ),
    },
    "password_locked": {
        "sms": N_("%(brand)s: many wrong passwords for your ID. It is locked for a while. Your browsers are not."),
        "email": N_(
            "Somebody entered many wrong passwords for your %(brand)s ID, so signing in with it is locked for a while. Browsers that "
            "remember you are not, and you can sign in with phone and code. If it was not you, there is nothing to do: nobody got in."
        ),
    },
    "account_linked": {
        "sms": N_("%(brand)s: an account was linked to your ID for good. Not you? Write to support."),
        "email": N_(
            "An account was linked to your %(brand)s ID, for good: whoever signs in with your ID enters it too. If it was not you, write "
            "to support at once."
        ),
    },
    # Its mail goes to the former address, with the link that undoes it.
    "email_changed": {
        "sms": N_("%(brand)s: the e-mail of your ID was changed. Not you? Write to support."),
        "email": N_(
            "This address no longer belongs to your %(brand)s ID: it was changed or removed. If it was you, there is nothing to do. If it "
            "was not, open this link within 72 hours: your ID gets this address back, and everybody is signed out."
        ),
    },
    "email_added": {
        "sms": N_("%(brand)s: an e-mail address was added to your ID. Not you? Write to support."),
        "email": N_("This address now belongs to your %(brand)s ID. If it was not you who added it, write to support."),
    },
    "email_undone": {
        "sms": N_("%(brand)s: the e-mail of your ID is the former one again, you were signed out. Not you? Write to support."),
        "email": N_(
            "The change of the e-mail address of your %(brand)s ID was undone: it is this one again, and you were signed out everywhere. "
            "Sign in and look through what opens your ID."
        ),
    },
    "recovery_begun": {
        "sms": N_("%(brand)s: the number of your ID changes in %(hours)s hours. Not you? Sign in and stop it."),
        "email": N_(
            "Somebody proved in another way that your %(brand)s ID is theirs and that the phone is lost. Its number changes in %(hours)s "
            "hours. If it was you, there is nothing to do. If it was not, stop it: by the link below, or by signing in."
        ),
    },
    "recovery_cancelled": {
        "sms": N_("%(brand)s: the change of your ID’s number was stopped. Nothing has changed."),
        "email": N_(
            "The change of the number of your %(brand)s ID was stopped, and nothing has changed. If it was not you who asked for it, look "
            "through the browsers, passkeys and codes of your ID: somebody could prove one of them."
        ),
    },
    "recovery_completed": {
        "sms": N_("%(brand)s: this number opens your ID now. Sign in with it."),
    },
    "phone_given_up": {
        "sms": N_("%(brand)s: your ID has this number no more. Not right? Write to support."),
        "email": N_(
            "Somebody who has your phone number now began an ID of their own with it at %(brand)s. Yours keeps everything but the "
            "number. If the number is still yours, write to support at once."
        ),
    },
    "authenticator_added": {
        "sms": N_("%(brand)s: an authenticator app was set up for your ID. Not you? Write to support."),
        "email": N_(
            "An authenticator app was set up for your %(brand)s ID. Browsers that do not know you will ask for its codes, and you were "
            "signed out everywhere but where it was set up. If it was not you, write to support at once."
        ),
    },
    "authenticator_removed": {
        "sms": N_("%(brand)s: the authenticator app of your ID was removed. Not you? Write to support."),
        "email": N_(
            "The authenticator app of your %(brand)s ID was removed: a code to your number is enough to sign in now. If it was not you, "
            "write to support at once."
        ),
    },
    "passkey_added": {
        "sms": N_("%(brand)s: a passkey was added to your ID. Not you? Write to support."),
        "email": N_(
            "A passkey was added to your %(brand)s ID: %(browser)s. Whoever has it can sign in without a code. If it was not you, remove "
            "it in your ID, sign out everywhere and write to support at once."
        ),
    },
    "passkey_removed": {
        "sms": N_("%(brand)s: a passkey of your ID was removed. Not you? Write to support."),
        "email": N_("A passkey of your %(brand)s ID was removed: it opens nothing any more. If it was not you, write to support at once."),
    },
    "passkey_doubted": {
        "sms": N_("%(brand)s: a passkey of your ID may have been copied and was refused. Remove it."),
        "email": N_(
            "Somebody used a passkey of your %(brand)s ID that does not look as it did before, as a copy would. They were not let in. "
            "Remove that passkey in your ID and create a new one. If this happens once more, write to support."
        ),
    },
    "recovery_codes_made": {
        "sms": N_("%(brand)s: new recovery codes were made for your ID. Not you? Write to support."),
        "email": N_(
            "New recovery codes were made for your %(brand)s ID; the former ones do not work any more. If it was not you, write to support "
            "at once."
        ),
    },
    "recovery_code_used": {
        "sms": N_("%(brand)s: a recovery code of your ID was used to sign in. Not you? Write to support."),
        "email": N_(
            "A recovery code was used to sign in to your %(brand)s ID. Left: %(left)s. If it was not you, write to support at once; if few "
            "are left, make new ones."
        ),
    },
    "factors_reset": {
        "sms": N_("%(brand)s: support took the extra sign-in checks off your ID. Not you? Write to support."),
        "email": N_(
            "Our support removed the passkeys, the authenticator app and the recovery codes of your %(brand)s ID, and you were signed out "
            "everywhere. If you did not ask for it, write to support at once."
        ),
    },
    "provider_linked": {
        "sms": N_("%(brand)s: your ID got one more way to sign in. Not you? Write to support."),
        "email": N_(
            "An account at another provider was linked to your %(brand)s ID: whoever can sign in there can now sign in here. If it was not "
            "you, unlink it in the settings of your ID and write to support at once."
        ),
    },
    "provider_unlinked": {
        "sms": N_("%(brand)s: your ID has one way to sign in less. Not you? Write to support."),
        "email": N_(
            "An account at another provider was unlinked from your %(brand)s ID: it opens your ID no more. If it was not you, write to "
            "support at once."
        ),
    },
    "test": {
        "sms": N_("%(brand)s: a test message. Nothing has to be done."),
        "voice": N_("This is a test call of %(brand)s. Nothing has to be done."),
        "flash_call": N_("A call to sign in to %(brand)s, from a number that ends in %(code)s."),
        "email": N_("This is a test message of %(brand)s. It arrived, so nothing has to be done."),
    },
}

# What a text message says when the longer text with our host and brand is more than one part.
SHORT: dict[str, str] = {"sign_in_code": N_("%(code)s: %(brand)s. Never share.")}
# The same for a code of eight digits: a host that leaves room for six may leave none for two more, and names us as well.
LONG_CODE: dict[str, str] = {"sign_in_code": N_("%(code)s. Never share.")}

# The subject of a wording's mail. NOTE: never the code.
SUBJECTS: dict[str, str] = {
    "sign_in_code": N_("Your code for signing in to %(brand)s"),
    "email_code": N_("Your %(brand)s code"),
    "browser_new": N_("A new sign-in to %(brand)s"),
    "browser_stolen": N_("Your sign-in to %(brand)s was used from another browser"),
    "token_reused": N_("An app was signed out of %(brand)s"),
    "signed_out_everywhere": N_("You were signed out of %(brand)s everywhere"),
    "signed_out_elsewhere": N_("You were signed out of %(brand)s in all other browsers"),
    "deletion_pending": N_("Your %(brand)s ID will be deleted"),
    "deletion_cancelled": N_("Your %(brand)s ID will not be deleted"),
    "id_deleted": N_("Your %(brand)s ID has been deleted"),
    "data_downloaded": N_("Your data was downloaded from %(brand)s"),
    "phone_changed": N_("The number of your %(brand)s ID was changed"),
    "password_changed": N_("A password of your %(brand)s ID was set"),
    "password_removed": N_("Your %(brand)s ID has no password any more"),
    "password_locked": N_("Wrong passwords for your %(brand)s ID"),
    "account_linked": N_("An account was linked to your %(brand)s ID"),
    "email_changed": N_("The e-mail address of your %(brand)s ID was changed"),
    "email_added": N_("An e-mail address of your %(brand)s ID"),
    "email_undone": N_("The e-mail address of your %(brand)s ID is the former one again"),
    "recovery_begun": N_("The number of your %(brand)s ID is to change"),
    "recovery_cancelled": N_("The number of your %(brand)s ID stays as it is"),
    "phone_given_up": N_("Your %(brand)s ID has its number no more"),
    "passkey_added": N_("A passkey was added to your %(brand)s ID"),
    "passkey_removed": N_("A passkey of your %(brand)s ID was removed"),
    "passkey_doubted": N_("A passkey of your %(brand)s ID may have been copied"),
    "authenticator_added": N_("An authenticator app was set up for your %(brand)s ID"),
    "authenticator_removed": N_("The authenticator app of your %(brand)s ID was removed"),
    "recovery_codes_made": N_("New recovery codes for your %(brand)s ID"),
    "recovery_code_used": N_("A recovery code of your %(brand)s ID was used"),
    "factors_reset": N_("The extra checks of your %(brand)s ID were removed"),
    "provider_linked": N_("Your %(brand)s ID got one more way to sign in"),
    "provider_unlinked": N_("Your %(brand)s ID has one way to sign in less"),
    "test": N_("A test message of %(brand)s"),
}
CODE_DIGITS = 6  # of a code at ordinary times; eight while codes are guessed at
UNKNOWN_BROWSER = N_("an unknown browser")

# What a voice call says before a key is pressed. NOTE: never the code: voice mail boxes do not press keys.
PROMPT = N_("This is a call from %(brand)s, for which you have asked. To hear it, press any key.")


class Text(NamedTuple):
    """What goes out: the text and what stands in it, its language; for mail the subject, for a voice call what is said before it.

    The text of a flash call goes nowhere: nobody speaks. The inbox of a desk shows it.
    """

    text: str
    code: str | None
    link: str | None
    subject: str = ""
    language: str = ""
    prompt: str = ""

    @property
    def digits(self) -> str:
        """The code as it is spoken."""
        return spoken(self.code or "")


def compose(
    wording: str,
    channel: str,
    language: str,
    *,
    code: str | None = None,
    params: Mapping[str, str] | None = None,
    link: str | None = None,
) -> Text:
    """The text of `wording` for `channel` in `language`, and in a mail `link` on its last line; raises KeyError when there is none."""
    values = {name: inert(value) for name, value in (params or {}).items()}
    values["brand"] = brand(language)
    if code is not None:
        values |= {"code": code, "digits": spoken(code)}
    text = gettext(language, WORDINGS[wording][channel], **values)
    if channel == "sms" and code is not None:
        last = f"\n@{bound_host()} #{code}"
        if wording in SHORT and parts(text + last) > 1:
            text = gettext(language, SHORT[wording], **values)
        if wording in LONG_CODE and len(code) > CODE_DIGITS and parts(text + last) > 1:
            text = gettext(language, LONG_CODE[wording], **values)
        text += last
    if channel == "email" and link is not None:
        text += f"\n\n{link}"
    subject = gettext(language, SUBJECTS[wording], **values) if channel == "email" else ""
    prompt = gettext(language, PROMPT, **values) if channel == "voice" else ""
    return Text(text, code, link, subject, language, prompt)


def spoken(code: str) -> str:
    """A code in single digits, with a pause after each."""
    return ", ".join(code)


def parts(text: str) -> int:
    """How many text messages `text` is, as operators count and bill them."""
    if all(character in GSM7 or character in GSM7_TWICE for character in text):
        length, one, each = len(text) + sum(character in GSM7_TWICE for character in text), 160, 153
    else:
        length, one, each = len(text.encode("utf-16-be")) // 2, ONE_SEGMENT, ONE_SEGMENT - 3
    return 1 if length <= one else -(-length // each)


def problems() -> list[str]:
    """What is wrong with the host and the brand of the settings, a sentence for each language in which a code's text is too long."""
    found = []
    for language in LANGUAGES:
        text = compose("sign_in_code", "sms", language, code="0" * CODE_DIGITS).text
        if parts(text) > 1:
            over = len(text) - (160 if set(text) <= GSM7 else ONE_SEGMENT)
            found.append(
                f'[messages] bound_host "{bound_host()}" is too long: in {NAMES[language]} even the short text of a code, with the brand '
                f'"{brand(language)}", is more than one message, by {over} characters. Use a shorter host, or a shorter [brand] name.'
            )
    return found


def brand(language: str) -> str:
    """The product's name as it is called in `language`."""
    return settings().brand.names.get(language, settings().brand.name)


def bound_host() -> str:
    """The host to which a text's code is bound: without scheme and port, as browsers compare it."""
    return settings().messages.bound_host or urlsplit(settings().server.issuer).hostname or ""


def inert(value: str) -> str:
    """Somebody's words as harmless ones: letters, digits and a little punctuation on one line, nothing that a phone makes a link of."""
    kept = re.sub(r"[^\w .,()«»№&+'’-]", " ", value).replace("_", " ")
    kept = re.sub(r"\.(?=\S)", ". ", kept)
    return " ".join(kept.split())[:LONGEST_PARAM].rstrip()
