"""`make screens`: a picture of every page of the provider and the portals, 360 and 1280 px wide, light and dark, in each language.

They go to `screens/`, which is not part of the repository: `screens/<language>/<page>-<width>-<scheme>.png`.
`ARGS="--language ru --width 360 --scheme dark"` narrows it (each may stand more than once), `--folder` puts them elsewhere.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from idp.languages import LANGUAGES
from tests import machine
from tests.conftest import Told
from tests.journeys.stage import Stage, set_up
from tests.journeys.tour import SETTINGS, tour
from tests.journeys.visitor import Visitors

WIDTHS, SCHEMES = (360, 1280), ("light", "dark")
HEIGHT = {360: 740, 1280: 800}


def take(visitors: Visitors, language: str, widths: list[int], schemes: list[str], folder: Path) -> int:
    """Walk past every page and take the pictures; answers how many."""
    visitor = visitors.come(language, reduced_motion="reduce", timezone_id="Europe/Moscow")
    page, taken = visitor.page, 0
    (folder / language).mkdir(parents=True, exist_ok=True)

    def look(name: str) -> None:
        nonlocal taken
        for width in widths:
            page.set_viewport_size({"width": width, "height": HEIGHT[width]})
            for scheme in schemes:
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                page.screenshot(path=folder / language / f"{name}-{width}-{scheme}.png", full_page=True, animations="disabled")
                taken += 1
        page.set_viewport_size({"width": 1280, "height": HEIGHT[1280]})

    tour(visitor, look)
    return taken


def pictures(stage: Stage, given: argparse.Namespace) -> int:
    """The pictures of all that was asked for; answers how many."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=machine.headless(), args=["--no-sandbox"])
        taken = 0
        for language in given.language or LANGUAGES:
            with Visitors.of(browser, stage) as visitors:
                taken += take(visitors, language, given.width or list(WIDTHS), given.scheme or list(SCHEMES), given.folder)
        browser.close()
    return taken


def main() -> int:
    """Take the pictures; 1 when there is no browser."""
    parser = argparse.ArgumentParser(prog="make screens")
    parser.add_argument("--language", action="append", choices=LANGUAGES)
    parser.add_argument("--width", action="append", type=int, choices=WIDTHS)
    parser.add_argument("--scheme", action="append", choices=SCHEMES)
    parser.add_argument("--folder", type=Path, default=Path("screens"))
    given = parser.parse_args()
    with machine.one_at_a_time("apt"):
        machine.install()
    if reason := machine.missing("chromium"):
        sys.stderr.write(f"{reason}\n")
        return 1
    with tempfile.TemporaryDirectory() as scratch, set_up(Told(Path(scratch), None), Path(scratch), **SETTINGS) as stage:
        taken = pictures(stage, given)
    machine.say(f"{taken} pictures in {given.folder}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
