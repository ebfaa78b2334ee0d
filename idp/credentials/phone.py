"""What people type becomes a phone number: E.164, of a country that gets codes, on a line that can receive one.

The reading is libphonenumber's (spaces, brackets, 8 for +7, digits of other scripts); nothing here looks whether somebody has the number.
"""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import PhoneNumberType

from idp.config import settings
from idp.errors import N_, BadInput

LONGEST = 40  # what people paste, with brackets and spaces; libphonenumber itself would read 250 characters

NOT_A_NUMBER = N_("Enter a phone number, for example +7 912 345-67-89.")
NOT_MOBILE = N_("Codes cannot be sent to this number. Enter a mobile number.")
OTHER_COUNTRY = N_("Codes are not sent to numbers of this country. Enter another number.")

# Everything else is a landline, or a number that somebody is paid to be called on (premium, shared cost, UAN: SMS pumping).
_GETS_CODES = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


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
    if phonenumbers.number_type(number) not in _GETS_CODES:
        raise BadInput(NOT_MOBILE)
    return phone
