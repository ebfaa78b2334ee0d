"""The settings of what messages may cost, and of what is done when somebody pumps them: `[spend]`.

NOTE: money is a decimal text and is counted in whole ten-thousandths: a float would lose some of it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

UNIT = 10_000  # what is counted is a ten-thousandth of the currency
ANY = "*"  # the price of numbers that no prefix fits


def units(money: str) -> int:
    """An amount as it is counted: whole ten-thousandths of the currency."""
    return int(Decimal(money) * UNIT)


def written(amount: int) -> str:
    """The same for people: at least two decimals, and none that says nothing."""
    text = f"{Decimal(amount) / UNIT:.4f}"
    return text[:-2] if text.endswith("00") else text.rstrip("0")


def _as_money(value: object) -> object:
    """A whole number is an amount; a float is refused, since what it holds is not what was written."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,4})?", value):
        raise ValueError('must be an amount in quotes with at most four decimals, as in "3.50"')
    return value


def _as_list(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Money = Annotated[str, BeforeValidator(_as_money)]
Percent = Annotated[int, Field(ge=1, le=100)]


class Spend(BaseModel):
    """What messages may cost. Budgets are money per day (UTC); what is refused costs nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    mode: Literal["enforce", "record"] = "enforce"
    """`record` counts, writes the ledger and raises alarms, and blocks nothing: for trying rules out (`idp messages simulate`)."""
    currency: str = Field("RUB", pattern="^[A-Z]{3}$")
    """The currency of all amounts here (ISO 4217)."""
    prices: dict[Literal["sms", "voice", "flash_call"], dict[str, Money]] = {
        "sms": {ANY: "10"},
        "voice": {ANY: "10"},
        "flash_call": {ANY: "5"},
    }
    """Channel = prefix = price of one message (of one part of a text, one call). The longest prefix that fits counts, `*` for all others:
    `{ sms = { "+7" = "3.50", "*" = "12" } }`."""
    day_budget: Money = "2000"
    """For all codes of a day. An attack costs no more than this."""
    known_browsers: int = Field(20, ge=0, le=100)
    """Per cent of `day_budget` that are kept for people in a browser that knows them, whatever strangers spend."""
    without_scripts: int = Field(5, ge=0, le=100)
    """Per cent of `day_budget` that are kept for browsers without scripts, which cannot work when others have to: each network gets one
    message in ten minutes."""
    notice_budget: Money = "200"
    """For all notices of a day (a new browser, a theft, signing out everywhere), apart from `day_budget`. When it is spent they go by mail
    alone, and each that is not sent is an event."""
    country_budget: Money = "2000"
    """For the codes of a day to one country, unless `country_budgets` names it."""
    country_budgets: dict[str, Money] = {}
    """Country (ISO 3166) = its budget."""
    prefix_budget: Money = "500"
    """For the codes of a day to numbers that begin with the same seven digits."""
    network_budget: Money = "500"
    """For the codes of a day that one network (IPv4 /24, IPv6 /56) asks for."""
    alarms: list[Percent] = [50, 80]
    """Per cent of the day's budget (without its two parts above) and of a country's at which an event `spend.alarm` is recorded, once a day
    each; when it is spent, `spend.exhausted`."""
    unverified_floor: int = Field(100, ge=1)
    """Codes of a day to one country that nobody entered, of which no notice is taken."""
    unverified_share: int = Field(50, ge=0, le=1000)
    """Per cent of the codes to this country that people usually enter in a day: so many more may go out that nobody enters. Then codes to
    it stop until the next day: a country in which nobody enters any is closed quickly. `[login] default_country`, and a country in which
    codes are usually entered, is never closed by it: browsers there work four times as long, and only money refuses."""
    unverified_days: int = Field(7, ge=1, le=30)
    """Days from which `usually` is learned."""
    work_from_budget: Percent = 50
    """Per cent of the day's or the country's budget from which browsers have to work (proof of work) for a code."""
    work_from_unverified: Percent = 50
    """The same, per cent of the codes to a country that may go out and that nobody enters."""
    work_from_prefix: int = Field(30, ge=1)
    """The same, codes of a day to numbers with the same seven digits that nobody entered: adjacent numbers are how messages are pumped."""
    work_from_network: int = Field(30, ge=1)
    """The same, codes of a day that one network asked for and nobody entered."""
    work: int = Field(1500, ge=10, le=100_000)
    """How much work: steps of a thousand rounds of PBKDF2 each. 1500 take a computer half a second, and a phone about one."""
    number_kinds: Annotated[list[Literal["mobile", "fixed", "voip", "personal"]], BeforeValidator(_as_list)] = ["mobile"]
    """The kinds of numbers that get codes: `mobile`, `fixed` (by a call that speaks, never by text), `voip`, `personal`. Numbers that
    somebody is paid for (premium, shared cost), free ones, pagers and company-wide ones never do."""

    @field_validator("prices")
    @classmethod
    def _prefixes(cls, value: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for channel, by_prefix in value.items():
            for prefix in by_prefix:
                if prefix != ANY and not re.fullmatch(r"\+[1-9][0-9]{0,6}", prefix):
                    raise ValueError(f'{channel}: "{prefix}" is no prefix; write "+7", "+7912" or "*"')
        return value

    @field_validator("country_budgets")
    @classmethod
    def _countries(cls, value: dict[str, str]) -> dict[str, str]:
        if wrong := [country for country in value if not re.fullmatch("[A-Z]{2}", country)]:
            raise ValueError(f'"{wrong[0]}" is no country; write two capital letters, as in "RU"')
        return value

    @model_validator(mode="after")
    def _reserves(self) -> Spend:
        if self.known_browsers + self.without_scripts > 100:
            raise ValueError("known_browsers and without_scripts are parts of day_budget: together they are more than it")
        return self
