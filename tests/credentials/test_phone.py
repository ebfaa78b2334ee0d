"""What people type becomes a number (`pages.md` §2, items 2 and 3); lines that somebody is paid for are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp import config
from idp.config import Settings
from idp.credentials import phone
from idp.errors import BadInput


@pytest.fixture(autouse=True)
def served() -> None:
    """Russia and China get codes."""
    config.use(Settings(login={"countries": ["RU", "CN"], "test_numbers": {"+15005550006": "123456"}}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "typed",
    [
        "+7 912 345-67-89",
        "8 (912) 345 67 89",
        "9123456789",
        "89123456789",
        " +79123456789 ",
        "٩١٢٣٤٥٦٧٨٩",
        "+7912345678９",
        "8-912-345-67-89",
    ],
)
def test_one_number_in_many_hands(typed: str) -> None:
    """Spaces, hyphens, brackets, 8 for +7, no country code, digits of other scripts."""
    assert phone.read_number(typed) == "+79123456789"


def test_other_countries_and_test_numbers() -> None:
    """Another country that is served; a listed test number, wherever it is."""
    assert phone.read_number("+86 138 0013 8000") == "+8613800138000"
    assert phone.read_number("+1 500 555 0006") == "+15005550006"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", phone.NOT_A_NUMBER),
        ("anna@example.com", phone.NOT_A_NUMBER),
        ("12345", phone.NOT_A_NUMBER),
        ("9" * 200, phone.NOT_A_NUMBER),
        ("+7 912 345-67-89 ext. 5", phone.NOT_A_NUMBER),
        ("+7 771 123 4567", phone.OTHER_COUNTRY),
        ("+1 212 555 0123", phone.OTHER_COUNTRY),
        ("+1 900 555 0100", phone.OTHER_COUNTRY),
        ("+7 809 200-00-00", phone.NOT_SERVICE),
        ("8 800 123-45-67", phone.NOT_SERVICE),
        ("+86 400 123 4567", phone.NOT_SERVICE),
        ("+7 495 123-45-67", phone.NOT_FIXED),
        ("+86 10 6552 9988", phone.NOT_FIXED),
    ],
)
def test_refused(typed: str, why: str) -> None:
    """Case 66: what is no number, another country's, free, premium or fixed is refused before anything is sent."""
    with pytest.raises(BadInput) as refused:
        phone.read_number(typed)
    assert refused.value.message == why


def test_landlines_by_a_setting() -> None:
    """Where the settings let landlines in they are called: no text goes there, and no flash call, which nobody could see."""
    spend = {"number_kinds": ["mobile", "fixed"]}
    config.use(Settings(spend=spend))  # type: ignore[arg-type] # pydantic reads the table
    landline, mobile = phone.read_number("+7 495 123-45-67"), phone.read_number("+7 912 345-67-89")
    channels = ("sms", "voice", "flash_call", "email")
    assert [each for each in channels if phone.carries(landline, each)] == ["voice", "email"]
    assert all(phone.carries(mobile, each) for each in channels)
    with pytest.raises(BadInput, match="service number"):
        phone.read_number("+7 809 200-00-00")


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    """Whatever is typed is a number in E.164 or a refusal; nothing else is ever raised."""
    try:
        read = phone.read_number(text)
    except BadInput:
        return
    assert read.startswith(("+7", "+86", "+1"))
    assert read[1:].isascii()
    assert read[1:].isdecimal()
