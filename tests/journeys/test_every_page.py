"""Every live page, in each language: nothing for axe to find in light and in dark, no sideways scroll at 320 px, a title of its own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from idp.languages import LANGUAGES
from tests.axe import CONTRAST, WCAG, WORDS, violations
from tests.journeys.tour import SETTINGS, tour
from tests.journeys.visitor import Visitors
from tests.machine import count

__all__ = ["SETTINGS"]  # the stage is set up with them
pytestmark = pytest.mark.browser

TEMPLATES = Path(__file__).parents[2] / "templates"
# No page of the site: it is packed into the copy of a person's data, where `test_own_pages` looks at it.
ELSEWHERE = {"account-archive"}

OPEN = "document.querySelectorAll('details.help').forEach(each => each.open = true)"
FACTS = "[document.documentElement.scrollWidth, document.documentElement.lang, document.title]"
# The dark differs in nothing but its colours, and those are the same in each language. Light and dark, axe looks at the samples of all
# pages every day (house/test_pages_in_browser).
# Every day the walk is made in one language: the samples are looked at in two, and every word is counted in each (house/test_languages).
LOOKED_AT = {"ru": (("light", WCAG), *(("dark", CONTRAST),) * count(0, 1)), "en": (("light", WORDS),), "zh": ()}


@pytest.mark.parametrize("language", LANGUAGES[: count(1, 3)])
def test_every_page(visitors: Visitors, language: str) -> None:
    """WCAG 2.2 AA; 1.4.10 (reflow) at 320 px, with whatever opens opened."""
    visitor = visitors.come(language, reduced_motion="reduce")
    page, found = visitor.page, []
    titles: dict[str, str] = {}

    def look(name: str) -> None:
        page.evaluate(OPEN)
        for scheme, rules in LOOKED_AT[language]:
            if len(LOOKED_AT[language]) > 1:
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found.extend(f"{name} {scheme} {each}" for each in violations(page, rules))
        page.set_viewport_size({"width": 320, "height": 640})
        width, spoken, titles[name] = page.evaluate(FACTS)
        page.set_viewport_size({"width": 1280, "height": 720})
        if width > 320:
            found.append(f"{name} is {width} px wide")
        if spoken != language:
            found.append(f"{name} is in {spoken}")

    tour(visitor, look)
    assert not found, "\n".join(found)
    assert all(titles.values())
    kinds = {name.split("-")[0] for name in titles}
    assert kinds == {"seller", "login", "oidc", "staff", "partner", "account", "errors", "messages"}
    assert _missed(titles) == []


def _missed(names: Iterable[str]) -> list[str]:
    """The pages of which no name tells: `<room>-<page>`, and whatever stands behind another hyphen."""
    pages = {f"{each.parent.name}-{each.stem}" for each in TEMPLATES.glob("*/*.html") if each.parent.name != "layout"}
    return sorted(page for page in pages - ELSEWHERE if not any(name == page or name.startswith(f"{page}-") for name in names))
