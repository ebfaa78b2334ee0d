"""What people type becomes a phone number: E.164, of a country that gets codes, on a line that can receive one.

The reading is libphonenumber's (spaces, brackets, 8 for +7, digits of other scripts); nothing here looks whether somebody has the number.
"""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType

from idp.config import settings
from idp.errors import N_, BadInput

LONGEST = 40  # what people paste, with brackets and spaces; libphonenumber itself would read 250 characters

NOT_A_NUMBER = N_("Enter a phone number, for example +7 912 345-67-89.")
NOT_MOBILE = N_("Codes cannot be sent to this number. Enter a mobile number.")
NOT_FIXED = N_("Codes cannot be sent to a landline. Enter a mobile number.")
NOT_SERVICE = N_("Codes cannot be sent to a service number. Enter the number of your own mobile phone.")
OTHER_COUNTRY = N_("Codes are not sent to numbers of this country. Enter another number.")

# What `[spend] number_kinds` may name. Everything else never gets a code: somebody is paid for being called there (premium, shared cost),
# or it is nobody's own (toll-free, company-wide, voicemail, pagers).
_KINDS = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE: "fixed",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: "personal",
}
_REFUSED = {"fixed": NOT_FIXED, "": NOT_SERVICE}


def read_number(text: str, default_country: str | None = None) -> str:
    """The number in E.164; without a country code it is one of `default_country` (ISO 3166; the setting's by default).

    Raises BadInput: not a number, a line that gets no codes, a country that is not served. A test number of the settings is always read.
    """
    login = settings().login
    if not text.strip() or len(text) > LONGEST:
        raise BadInput(NOT_A_NUMBER)
    try:
        number = phonenumbers.parse(text, default_country or login.default_country)
    except phonenumbers.NumberParseException as e:
        raise BadInput(NOT_A_NUMBER) from e
    phone = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if phone in login.test_numbers:
        return phone
    if number.extension or not re.fullmatch(r"\+[1-9][0-9]{6,14}", phone) or not phonenumbers.is_valid_number(number):
        raise BadInput(NOT_A_NUMBER)
    if phonenumbers.region_code_for_number(number) not in login.allowed_countries:
        raise BadInput(OTHER_COUNTRY)
    kind = _KINDS.get(phonenumbers.number_type(number), "")
    if kind not in settings().spend.number_kinds:
        raise BadInput(_REFUSED.get(kind, NOT_MOBILE))
    return phone


@lru_cache(maxsize=4096)
def kind_of(phone: str) -> str:
    """The kind of a number (E.164): `mobile`, `fixed`, `voip`, `personal`, or empty for what never gets a code."""
    try:
        return _KINDS.get(phonenumbers.number_type(phonenumbers.parse(phone)), "")
    except phonenumbers.NumberParseException:
        return ""


def carries(phone: str, channel: str) -> bool:
    """Whether a code can reach this number by `channel`: a landline is called, and shows neither a text nor who calls."""
    return channel in {"voice", "email"} or kind_of(phone) != "fixed"
