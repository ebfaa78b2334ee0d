"""`make screens`: a picture of every page, as a phone and as a desk show it, light and dark, into `screens/`.

    python -m tests.screens [page …] [--language ru]

The pages are those of `tests/house/samples.py`, under their real policy; nothing is listened on.
"""

from __future__ import annotations

import argparse
import mimetypes
import sys
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Route, ViewportSize, sync_playwright

from idp.languages import LANGUAGES
from idp.web.headers import policy
from tests import machine
from tests.house.samples import SAMPLES, rendered

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "idp" / "web" / "static"
SITE = "http://localhost:8000"
WIDTHS = {"phone": ViewportSize(width=360, height=740), "desk": ViewportSize(width=1280, height=800)}
SCHEMES = ("light", "dark")


def answer(route: Route) -> None:
    """`/<page>/<language>` is a sample, `/static/` our files."""
    name, _, rest = urlsplit(route.request.url).path.strip("/").partition("/")
    if name in SAMPLES:
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy("n0nce", parked=False)}
        route.fulfill(headers=headers, body=rendered(name, rest))
        return
    path = STATIC / Path(rest).name
    if name == "static" and path.is_file():
        route.fulfill(content_type=mimetypes.guess_type(path.name)[0] or "font/woff2", body=path.read_bytes())
    else:
        route.fulfill(status=404)


def main() -> int:
    """Take the pictures; 1 when there is no browser."""
    reader = argparse.ArgumentParser(prog="make screens")
    reader.add_argument("pages", nargs="*", metavar="page", help=f"of {', '.join(SAMPLES)}; all by default")
    reader.add_argument("--language", choices=LANGUAGES, action="append", help="may be repeated; all by default")
    wanted = reader.parse_args()
    unknown = set(wanted.pages) - set(SAMPLES)
    if unknown:
        reader.error(f"no such page: {', '.join(sorted(unknown))}")
    if reason := machine.missing("chromium"):
        machine.say(reason)
        return 1
    folder = ROOT / "screens"
    folder.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=machine.chromium(), args=["--no-sandbox"])
        for width, scheme in product(WIDTHS, SCHEMES):
            page = browser.new_page(viewport=WIDTHS[width], color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            page.route("**/*", answer)
            for name, language in product(wanted.pages or SAMPLES, wanted.language or LANGUAGES):
                page.goto(f"{SITE}/{name}/{language}")
                page.screenshot(path=folder / f"{name}-{language}-{width}-{scheme}.png", full_page=True)
            page.close()
        browser.close()
    machine.say(f"{len(list(folder.glob('*.png')))} pictures are in screens/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
