"""A picture that a camera reads (QR): drawn while the page is written, after the commit, and into the page: nothing is fetched for it."""

from __future__ import annotations

from dataclasses import dataclass

import segno
from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Picture:
    """Of this text. In a template it is its own SVG: shapes and presentation attributes, which the strict policy lets pass.

    NOTE: black on white with its margin, in the dark as well: many apps read it no other way.
    """

    text: str

    def __html__(self) -> Markup:
        """The SVG."""
        drawn = segno.make(self.text, error="m", micro=False)
        return Markup(drawn.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None))  # noqa: S704 - ours
