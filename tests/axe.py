"""What axe finds on a page: WCAG 2.2 AA and its best practices."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
WORDS = WCAG | {"rules": {"color-contrast": {"enabled": False}}}


def violations(page: Page, rules: dict[str, Any] = WCAG) -> list[str]:
    """One line for each rule that the page breaks as it is shown now, with the elements."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    # Only what is wrong: a list of all that is well takes longer than to find it out.
    found = page.evaluate("rules => axe.run(rules).then(found => found.violations)", rules | {"resultTypes": ["violations"]})
    return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found]
