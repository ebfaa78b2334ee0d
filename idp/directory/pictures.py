"""Pictures of people: drawn anew from what was uploaded, kept in the database, found by an id that nobody can guess.

What a camera or a stranger put into the file beside the picture (place, device, a second format) is not kept: only the points are, as a
JPEG of ours in two sizes. A new picture has a new id, so whatever shows one may keep it for long, and the former id leads nowhere.
"""

from __future__ import annotations

import threading
from io import BytesIO
from typing import NamedTuple

import sqlalchemy as sa
from PIL import Image, ImageOps

from idp import clock, crypto
from idp.config import settings
from idp.db.columns import table
from idp.db.session import changed, insert_or_ignore, session
from idp.directory import users
from idp.directory.tables import Picture
from idp.errors import N_, BadInput, TooManyTries

LARGEST = 5 * 2**20  # bytes of an upload
FORMATS = ("JPEG", "PNG", "WEBP")
MOST_POINTS = {"JPEG": 50_000_000, "PNG": 25_000_000, "WEBP": 25_000_000}  # a JPEG is opened at a fraction of its size
SMALLEST = 64  # of the shorter side: less is not a picture of anybody
SIDE, SMALL_SIDE = 512, 128
QUALITY = 85
KIND = "image/jpeg"
PATIENCE = 10  # seconds to wait for one's turn

UNREADABLE = N_("This picture cannot be read. Choose a JPEG, PNG or WebP file.")
TOO_MANY_POINTS = N_("This picture is too large. Choose one of up to 25 megapixels.")
TOO_SMALL = N_("This picture is too small. Choose one of at least %(side)s by %(side)s pixels.")

_rows = table(Picture)
_one_at_a_time = threading.Lock()  # an opened picture is a hundred megabytes, whatever the file was


class Drawn(NamedTuple):
    """One picture in our own format, square, in both sizes."""

    content: bytes
    small: bytes


def draw(file: bytes) -> Drawn:
    """The picture of an uploaded file, upright, its middle cut out as a square. Raises BadInput, TooManyTries. Slow: between units."""
    if not _one_at_a_time.acquire(timeout=PATIENCE):
        raise TooManyTries(detail="too many pictures are being drawn", retry_after=PATIENCE)
    try:
        return _draw(file)
    finally:
        _one_at_a_time.release()


def keep(user_id: str, drawn: Drawn) -> str:
    """Make it the person's picture, in the place of any other; answers its id. Raises NotFound."""
    users.get(user_id, alone=True)
    changed(sa.delete(_rows).where(_rows.c.user_id == user_id))
    picture_id = crypto.new_id("pic", ordered=False)
    insert_or_ignore(Picture, id=picture_id, user_id=user_id, content=drawn.content, small=drawn.small, created_at=clock.now())
    users.change_profile(user_id, {"picture": settings().server.issuer + path_of(picture_id)}, actor_id=user_id)
    return picture_id


def remove(user_id: str) -> bool:
    """The person has no picture any more; answers whether there was one. Raises NotFound."""
    if not users.get(user_id, alone=True).picture:
        return False
    changed(sa.delete(_rows).where(_rows.c.user_id == user_id))
    users.change_profile(user_id, {"picture": None}, actor_id=user_id)
    return True


def find(picture_id: str, *, small: bool = False) -> bytes | None:
    """The JPEG with this id."""
    content: bytes | None = session.execute(
        sa.select(_rows.c.small if small else _rows.c.content).where(_rows.c.id == picture_id)
    ).scalar_one_or_none()
    return content


def of_person(user_id: str) -> bytes | None:
    """The person's own picture, the large one."""
    content: bytes | None = session.execute(sa.select(_rows.c.content).where(_rows.c.user_id == user_id)).scalar_one_or_none()
    return content


def path_of(picture_id: str) -> str:
    """Its path at our address."""
    return f"/pictures/{picture_id}"


def small_path(picture: str | None) -> str:
    """The path of the small one for what stands in `users.picture`; empty where that is none of ours."""
    own = settings().server.issuer + path_of("")
    return f"{path_of(picture.removeprefix(own))}?size=small" if picture and picture.startswith(own) else ""


def _draw(file: bytes) -> Drawn:
    try:
        with Image.open(BytesIO(file), formats=FORMATS) as opened:
            _require_size(opened)
            opened.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG decodes at an eighth of its size, if that is enough
            upright = ImageOps.exif_transpose(opened)
            flat = _on_white(upright)
            large = ImageOps.fit(flat, (SIDE, SIDE), Image.Resampling.LANCZOS)
            return Drawn(_written(large), _written(large.resize((SMALL_SIDE, SMALL_SIDE), Image.Resampling.LANCZOS)))
    except BadInput:
        raise
    except Exception as e:  # decoders raise whatever they like on made-up bytes, and all of it means the same
        raise BadInput(UNREADABLE, detail=f"no picture: {type(e).__name__}") from e


def _require_size(opened: Image.Image) -> None:
    """Before anything is decoded: a small file may say that it is a very large picture (a decompression bomb)."""
    width, height = opened.size
    if width * height > MOST_POINTS[opened.format or "PNG"] or max(width, height) > 20 * min(width, height):
        raise BadInput(TOO_MANY_POINTS, detail=f"{width} x {height} points")
    if min(width, height) < SMALLEST:
        raise BadInput(TOO_SMALL, side=SMALLEST)


def _on_white(picture: Image.Image) -> Image.Image:
    """Without transparency: a JPEG has none, and what is behind would come out black."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(ground, layer).convert("RGB")


def _written(picture: Image.Image) -> bytes:
    """As a JPEG with nothing in it but the points: a fresh image has no EXIF, no profile, no comment."""
    bare = Image.new("RGB", picture.size)
    bare.paste(picture)
    written = BytesIO()
    bare.save(written, "JPEG", quality=QUALITY, optimize=True)
    return written.getvalue()
