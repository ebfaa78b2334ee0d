"""Every page is valid HTML in every language, works without a script, and gives nothing to a stranger's markup.

HTML Standard (https://html.spec.whatwg.org/), CSP Level 3 (https://www.w3.org/TR/CSP3/), `pages.md` §2.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import html5lib
import pytest
from markupsafe import Markup

from idp.languages import LANGUAGES
from tests.house.samples import SAMPLES, rendered

TEMPLATES = Path(__file__).parents[2] / "templates"
PAGES = [(page, lang) for page in SAMPLES for lang in LANGUAGES]
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}%(name)s"
HUGE = "Общество-с-ограниченной-ответственностью" * 4


def parsed(html: str) -> Element:
    """The document as a browser reads it; what the standard calls a parse error is an error here."""
    root: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)
    return root


def pages(test: Any) -> Any:
    """Run a test on every sample page in every language."""
    return pytest.mark.parametrize(("page", "lang"), PAGES)(test)


def test_every_template_has_a_sample() -> None:
    """A template without a sample is checked by nobody. What stands in `layout` and `rows` is a part of pages."""
    have = {str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html") if path.parent.name not in {"layout", "rows"}}
    missing = have - {template for template, _ in SAMPLES.values()}
    assert not missing, f"give these a context in tests/house/samples.py: {sorted(missing)}"


@pages
def test_valid(page: str, lang: str) -> None:
    """Strictly valid, in its language, with one h1, one main and a title that tells it from its neighbours."""
    root = parsed(rendered(page, lang))
    assert root.get("lang") == lang
    assert len(root.findall(".//main")) == 1
    assert len(root.findall(".//h1")) == 1
    title = root.findtext(".//title") or ""
    heading = "".join(root.find(".//h1").itertext()).strip()  # type: ignore[union-attr]
    assert heading
    assert heading in title
    wrong = root.find(".//*[@aria-invalid]") is not None or page.startswith("refusal")
    assert title.startswith({"ru": "Ошибка:", "en": "Error:", "zh": "错误："}[lang]) == wrong


GOES_BACK = ("form_post", "form")  # the one form that is another site's: what the person is sent back with


@pages
def test_ids_and_names(page: str, lang: str) -> None:
    """Ids are unique; labels and descriptions point at something; every field has its label (WCAG 1.3.1, 4.1.2)."""
    root = parsed(rendered(page, lang))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for element in root.iter():
        for attribute in ("for", "aria-describedby", "aria-labelledby"):
            for target in (element.get(attribute) or "").split():
                assert target in ids, f"{attribute}={target} points at nothing"
    labels = list(root.iter("label"))
    labelled = {label.get("for") for label in labels} | {item.get("id") for label in labels for item in label.iter("input")}
    for field in root.iter("input"):
        assert field.get("type") == "hidden" or field.get("id") in labelled, field.attrib
        if field.get("aria-invalid"):
            assert f"{field.get('id')}-error" in (field.get("aria-describedby") or "").split()


@pages
def test_nothing_inline_and_nothing_foreign(page: str, lang: str) -> None:
    """What the content security policy would stop is not there: inline styles and handlers, scripts without the nonce, other hosts."""
    root = parsed(rendered(page, lang))
    assert root.find(".//style") is None
    for element in root.iter():
        assert not [name for name in element.attrib if name == "style" or name.startswith("on")], element.attrib
        assert not str(element.get("href", "")).lower().startswith(("javascript:", "data:"))
    for script in root.iter("script"):
        assert script.get("nonce") == "n0nce"
        assert not script.text
    for element in [*root.iter("script"), *root.iter("link"), *root.iter("img"), *root.iter("form")]:
        address = element.get("src") or element.get("href") or element.get("action") or ""
        assert not urlsplit(address).netloc or (page, element.tag) == GOES_BACK, f"{element.tag} leads to {address}"


@pages
def test_forms(page: str, lang: str) -> None:
    """Each posting form carries its token once and has a button; the one that goes on is the form's first (`commands.md`)."""
    root = parsed(rendered(page, lang))
    for form in root.iter("form"):
        tokens = [field for field in form.iter("input") if field.get("name") == "csrf_token"]
        assert len(tokens) == (1 if form.get("method") == "post" and (page, form.tag) != GOES_BACK else 0)
        buttons = [button for button in form.iter("button") if button.get("type", "submit") == "submit"]
        assert buttons
        primary = [button for button in buttons if "primary" in button.get("class", "").split()]
        assert not primary or primary[0] is buttons[0]
    everything = [element for element in root.iter() if "primary" in (element.get("class") or "").split()]
    assert len(everything) <= 1, "one filled button at most"


def altered(value: Any, text: str) -> Any:
    """`value` with `text` in the place of every string a stranger could have chosen."""
    if isinstance(value, Markup) or not isinstance(value, str | list | dict):
        return value
    if isinstance(value, str):
        return value if value in {"sms", "voice", "email"} or value.startswith(("/", "http")) else text
    if isinstance(value, list):
        return [altered(item, text) for item in value]
    return {key: altered(item, text) for key, item in value.items()}


@pages
def test_strangers_markup_stays_text(page: str, lang: str) -> None:
    """Markup in any shown value is text: no element, attribute or second template of it (CWE-79)."""
    root = parsed(rendered(page, lang, lambda context: altered(context, EVIL)))
    assert all(script.get("nonce") for script in root.iter("script"))
    assert all(image.get("src") != "x" for image in root.iter("img"))
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]
    assert "49%(name)s" not in "".join(root.itertext())


@pages
def test_long_values_stay_valid(page: str, lang: str) -> None:
    """A very long name breaks no page."""
    parsed(rendered(page, lang, lambda context: altered(context, HUGE)))


def test_code_field() -> None:
    """One text field that phones and password managers can fill (WCAG F109, 1.3.5); what was typed is still in it."""
    field = parsed(rendered("phone_code-wrong", "ru")).find(".//input[@id='code']")
    assert field is not None
    assert (field.get("type"), field.get("inputmode"), field.get("autocomplete")) == ("text", "numeric", "one-time-code")
    assert field.get("maxlength") is None
    assert field.get("value") == "48293"
    assert field.get("autofocus") is not None


def test_phone_is_masked_on_the_code_page() -> None:
    """The number that was typed is not repeated in full where the code is asked for."""
    html = rendered("phone_code", "ru")
    assert "912" not in html
    assert "+7\N{NO-BREAK SPACE}••• •••-67-89".replace(" ", "\N{NO-BREAK SPACE}") in html


def test_the_phone_comes_back_as_it_was_typed() -> None:
    """A wrong number is not reformatted in the field; focus goes to it."""
    field = parsed(rendered("identify-wrong", "en")).find(".//input[@id='phone']")
    assert field is not None
    assert field.get("value") == "12 34"
    assert field.get("autocomplete") == "tel"
    assert field.get("autofocus") is not None


def test_stylesheet_asks_nobody() -> None:
    """The stylesheet and its fonts are ours; the script sets no style and writes no markup."""
    static = Path(__file__).parents[2] / "idp" / "web" / "static"
    css = (static / "look.css").read_text()
    for address in re.findall(r"url\(\s*[\"']?([^\"')]+)", css):
        assert (static / address).is_file(), address
    assert "@import" not in css
    script = (static / "login.js").read_text()
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(|\.style\b|localStorage", script)
    # It asks only for this page, and for what this page names.
    assert set(re.findall(r"fetch\((.*?)\)", script)) == {"location.pathname", "ways.dataset.look"}
