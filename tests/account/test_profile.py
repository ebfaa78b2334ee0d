"""Profile, language and picture: what a person says of themselves, and what apps then see (`product.md` §12, OpenID Connect Core §5.1)."""

from __future__ import annotations

import zlib
from io import BytesIO

import pytest
from PIL import Image

from idp import limits
from idp.account import avatar
from idp.directory import pictures, users
from idp.directory.tables import User
from idp.errors import BadInput
from tests.account.lab import ANNA, entered, prove
from tests.world import ISSUER, Browser, World, answer_of

PLACE = b"GPS of the flat"


def me(world: World, phone: str = ANNA) -> User:
    """The person as they are now."""
    with world.reads():
        found = users.find_by_phone(phone)
    assert found is not None
    return found


def file_of(kind: str = "JPEG", size: tuple[int, int] = (900, 600), *, turned: bool = False, mode: str = "RGB") -> bytes:
    """A picture whose left half is red and right half blue, with a camera's notes in it."""
    picture = Image.new(mode, size, (255, 0, 0) if mode == "RGB" else (255, 0, 0, 0))
    picture.paste((0, 0, 255) if mode == "RGB" else (0, 0, 255, 255), (size[0] // 2, 0, *size))
    notes = Image.Exif()
    notes[0x010E] = PLACE.decode()
    if turned:
        notes[0x0112] = 3  # upside down
    written = BytesIO()
    picture.save(written, kind, exif=notes)
    return written.getvalue()


def upload(browser: Browser, file: bytes, *, token: str | None = None):
    """Send the form of the picture as a browser does."""
    page = browser.get("/account/avatar")
    sent = token if token is not None else page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    return browser.post("/account/avatar", data={"csrf_token": sent}, files={"picture": ("../../etc/passwd.svg", file, "image/svg+xml")})


def test_what_was_typed_is_kept_and_reaches_apps(world: World) -> None:
    """Name, birthday, gender, address; the address also in one line. Wrong input is said beside the field, and nothing typed is lost."""
    browser, page = entered(world)
    refused = browser.submit(page, name=" ", birthdate="2999-01-01", locality="Тула", gender="female")
    assert refused.status_code == 422
    assert refused.text.count('aria-invalid="true"') == 2
    assert 'value="Тула"' in refused.text
    assert "for example 1990-05-31" in refused.text
    done = browser.onward(browser.submit(refused, name="Анна  Петрова", birthdate="1990-05-31"))
    assert 'role="status"><p>Saved.' in done.text
    assert (me(world).name, me(world).birthdate, me(world).locality, me(world).gender) == ("Анна Петрова", "1990-05-31", "Тула", "female")
    party = world.party()
    claims = world.userinfo(world.tokens(world.browser(), party, ANNA, scope="openid profile address")["access_token"]).json()
    assert claims["name"] == "Анна Петрова"
    assert "Тула" in claims["address"]["formatted"]
    browser.submit(done, birthdate="", name="Анна Петрова")
    assert me(world).birthdate is None


def test_a_field_that_is_not_on_the_form_is_not_read(world: World) -> None:
    """Case 122: neither status, phone, e-mail nor anybody's id can be set by adding it to a form."""
    browser, page = entered(world)
    before = me(world)
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    evil = {
        "phone": "+79990000000",
        "email": "thief@evil.example",
        "email_verified_at": "2026-01-01",
        "email_canonical": "thief@evil.example",
        "status": "blocked",
        "is_test": "1",
        "picture": "https://evil.example/x.png",
        "user_id": "usr_x",
        "id": "usr_x",
        "sub": "usr_x",
        "rights_raised_at": "",
    }
    assert browser.post("/account/profile", data=evil | {"csrf_token": token, "name": "Анна", "gender": "<script>"}).status_code == 303
    after = me(world)
    assert after.name == "Анна"
    for name in ("phone", "email", "email_canonical", "status", "is_test", "picture", "id", "gender", "locality", "birthdate"):
        assert getattr(after, name) == getattr(before, name), name
    assert browser.post("/account/profile", data={"name": "Eve"}).status_code == 410  # without the token of our form


def test_pages_and_messages_speak_the_chosen_language(world: World) -> None:
    """The language stays with the ID: here at once, in other browsers, in messages; the clock is the person's."""
    browser, _ = entered(world)
    page = browser.get("/account/language")
    assert browser.submit(page, locale="xx").status_code == 422
    assert browser.submit(page, zoneinfo="../../etc/passwd").status_code == 422
    done = browser.onward(browser.submit(page, locale="zh", zoneinfo="Asia/Vladivostok"))
    assert 'lang="zh"' in done.text
    assert (me(world).locale, me(world).zoneinfo) == ("zh", "Asia/Vladivostok")
    other = world.browser()
    other.headers["Accept-Language"] = "ru"
    assert 'lang="zh"' in prove(world, other, other.go("/account/profile"), ANNA).text
    assert any("浏览器" in message["text"] for message in world.inbox())  # that somebody signed in in a new one


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_drawn_anew(kind: str) -> None:
    """Whatever comes in, a square JPEG in two sizes goes out, upright, of its middle, and nothing of the camera's notes is in it."""
    drawn = pictures.draw(file_of(kind, turned=True))
    for content, side in ((drawn.content, 512), (drawn.small, 128)):
        assert PLACE not in content
        with Image.open(BytesIO(content)) as seen:
            assert (seen.format, seen.size, seen.mode, dict(seen.getexif())) == ("JPEG", (side, side), "RGB", {})
            red, _, blue = seen.getpixel((side // 8, side // 2))
            assert blue > 200 > red  # upright: what was on the left is on the right


def test_transparent_points_are_white() -> None:
    """What shows through is white, not black."""
    with Image.open(BytesIO(pictures.draw(file_of("PNG", mode="RGBA")).content)) as seen:
        assert seen.getpixel((5, 256)) == pytest.approx((255, 255, 255), abs=3)


def bomb() -> bytes:
    """A file of a few kilobytes that says it is 30 000 by 30 000 points."""
    raw = bytearray(file_of("PNG", (100, 100)))
    raw[16:24] = (30000).to_bytes(4, "big") * 2
    raw[29:33] = zlib.crc32(bytes(raw[12:29])).to_bytes(4, "big")
    return bytes(raw)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"GIF89a" + b"\0" * 100,
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        file_of()[:400],
        file_of(size=(40, 40)),
        file_of(size=(6400, 70)),
        bomb(),
        b"\xff\xd8\xff\xe0" + b"\0" * 2000,
        b"%PDF-1.7",
    ],
    ids=["empty", "gif", "svg", "cut", "small", "strip", "bomb", "noise", "pdf"],
)
def test_what_is_no_picture_is_refused(file: bytes) -> None:
    """A file that is none, is of a kind we do not take, or says that it is huge: refused before it is opened."""
    with pytest.raises(BadInput):
        pictures.draw(file)


def test_uploaded_shown_replaced_removed(world: World) -> None:
    """The claim is an address of ours; a new picture has a new one, and the former leads nowhere. A stranger's file name is never read."""
    browser, _ = entered(world)
    assert upload(browser, b"x").status_code == 422
    assert upload(browser, b"").status_code == 422
    assert upload(browser, file_of(), token="forged").status_code == 410
    assert browser.onward(upload(browser, file_of())).url.path == "/account/profile"
    first = str(me(world).picture)
    assert first.startswith(f"{ISSUER}/pictures/pic_")
    party = world.party()
    claims = world.userinfo(world.tokens(world.browser(), party, ANNA, scope="openid profile")["access_token"]).json()
    assert claims["picture"] == first
    shown = world.browser().get(first)
    assert shown.headers["Content-Type"] == "image/jpeg"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert shown.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert PLACE not in shown.content
    assert len(world.browser().get(first + "?size=small").content) < len(shown.content)
    assert f'src="{first.removeprefix(ISSUER)}?size=small"' in browser.get("/account/profile").text
    upload(browser, file_of("PNG"))
    second = str(me(world).picture)
    assert second != first
    assert world.browser().get(first).status_code == 404
    browser.press(browser.get("/account/avatar"), "/account/avatar/remove")
    assert me(world).picture is None
    assert world.browser().get(second).status_code == 404
    assert world.browser().get("/pictures/pic_'or''='").status_code == 404


def test_no_more_than_its_route_says(world: World) -> None:
    """Case 128: five megabytes where a picture is taken, and the usual body everywhere else; a bounded number of uploads a day."""
    browser, page = entered(world)
    assert upload(browser, b"x" * (5 * 2**20 + 20000)).status_code == 413
    assert browser.post("/account/profile", data={"name": "x" * 70000}).status_code == 413
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    for files in ({"name": ("a", b"x", "text/plain")}, None):
        assert browser.post("/account/profile", data={"csrf_token": token}, files=files).status_code in {400, 303, 422}
    for broken in (b"", b"--x\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--", b"\0" * 500):
        answer = browser.post("/account/avatar", content=broken, headers={"Content-Type": "multipart/form-data; boundary=x"})
        assert answer.status_code in {400, 410}, broken
    many = [("csrf_token", (None, token))] + [(f"f{n}", (None, "x")) for n in range(50)]
    assert browser.post("/account/avatar", files=many).status_code == 400
    with world.writes():
        for _ in range(avatar.A_DAY):
            limits.spend("pictures", me(world).id, limit=avatar.A_DAY, window_seconds=86400)
    refused = upload(browser, file_of())
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0


def test_a_picture_elsewhere_is_not_fetched(world: World) -> None:
    """What an operator put there from another site stays a claim; our pages show the letters of the name instead."""
    _, page = entered(world)
    assert str(me(world).picture or "").startswith("https://")
    assert "<img" not in page.text
    assert answer_of(world.sign_in(world.browser(), world.party(), ANNA, scope="openid"))
