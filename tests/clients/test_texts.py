"""Every text of the portals exists in Russian, English and Chinese."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from clients import texts
from tests.clients.lab import Browser

CLIENTS = Path(texts.__file__).parent
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
PLACE = re.compile(r"%\(\w+\)s")


def used() -> set[str]:
    found = extract_from_dir(CLIENTS, METHODS, keywords={"_": None, "N_": None, "translate": (2,)})
    return {text for _, _, text, _, _ in found if isinstance(text, str)}


def catalogue(language: str) -> Catalog:
    with (CLIENTS / "catalogues" / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def test_the_texts_are_found() -> None:
    assert {"Sign in", "Sign out", "Accountant", "%(person)s, %(role)s of %(company)s"} <= used()


@pytest.mark.parametrize("language", ["ru", "zh"])
def test_none_is_missing_and_none_is_left_over(language: str) -> None:
    translated = {str(message.id) for message in catalogue(language) if message.id and message.string and not message.fuzzy}
    assert used() - translated == set()
    assert translated - used() == set()


@pytest.mark.parametrize("language", ["ru", "zh"])
def test_what_is_filled_in_is_the_same(language: str) -> None:
    for message in catalogue(language):
        assert sorted(PLACE.findall(str(message.id))) == sorted(PLACE.findall(str(message.string))), message.id


def test_pages_follow_the_browser_then_the_choice(browser: Browser) -> None:
    for asked, shown in (("ru-RU,ru;q=0.9", "Войти"), ("zh-TW", "登录"), ("en-GB,de;q=0.5", "Sign in"), ("fr", "Войти")):
        page = browser.get("/", headers={"Accept-Language": asked})
        assert shown in page.text
    assert '<html lang="zh">' in browser.get("/", params={"lang": "zh"}).text
    assert "登录" in browser.get("/", headers={"Accept-Language": "ru"}).text
    assert '<html lang="zh">' in browser.get("/", params={"lang": "xx"}).text


@pytest.mark.parametrize(
    ("language", "whole", "part"), [("ru", "73 219 ₽", "349,50 ₽"), ("en", "73,219 ₽", "349.50 ₽"), ("zh", "73,219 ₽", "349.50 ₽")]
)
def test_money_is_written_as_the_reader_writes_it(language: str, whole: str, part: str) -> None:
    assert texts.money(language, Decimal("73219")).replace("\u00a0", " ") == whole
    assert texts.money(language, Decimal("349.50")).replace("\u00a0", " ") == part
