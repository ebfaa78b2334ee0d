"""The desk of the further factors, without pages: each call in a unit of work of its own, as the pages make them."""

from __future__ import annotations

import pyotp
import sqlalchemy as sa

from idp import clock
from idp.credentials import password_hashing, recovery_codes, totp
from idp.credentials.totp import Secret
from idp.db.session import session
from idp.directory import users
from idp.directory.tables import User
from tests.world import World


def person(world: World, nth: int = 0) -> str:
    """Somebody of the story."""
    with world.reads():
        return str(session.scalars(sa.select(User.id).where(User.status == "active").order_by(User.id)).all()[nth])


def code_of(secret: str, *, steps: int = 0) -> str:
    """What the app shows now, or so many steps from now."""
    return pyotp.TOTP(secret).at(int(clock.now().timestamp()) + 30 * steps)


def wrong_code(secret: str, nth: int = 1) -> str:
    """A code that is no step's that is good now."""
    near = {code_of(secret, steps=steps) for steps in range(-2, 3)}
    return [code for each in range(nth + 5) if (code := f"{each:06}") not in near][nth - 1]


def set_up(world: World, user_id: str, *, session_id: str = "ses_1") -> Secret:
    """An authenticator, confirmed by the code of the step before: the present one is still good."""
    with world.writes():
        secret = totp.begin(user_id, session_id)
    with world.writes():
        users.get(user_id, alone=True)
        assert totp.confirm(secret, user_id, session_id, code_of(secret.text, steps=-1))
    return secret


def enter(world: World, user_id: str, code: str, *, for_id: str = "flw_1", device_id: str | None = None) -> bool:
    """The whole of a guess at the app's code."""
    with world.writes():
        guess = totp.guess(user_id, for_id=for_id, device_id=device_id)
    if guess is None:
        return False
    with world.writes():
        right = totp.judge(guess, code)
        return right is not None and totp.redeem(right)


def make_codes(world: World, user_id: str, *, instead_of: str = "") -> tuple[str, ...]:
    """Ten recovery codes, as they are shown."""
    with password_hashing.place():
        drawn = recovery_codes.draw(user_id)
    with world.writes():
        users.get(user_id, alone=True)
        assert recovery_codes.keep(user_id, drawn, instead_of=instead_of)
    return drawn.texts


def recover(world: World, user_id: str, typed: str, *, for_id: str = "flw_1") -> int | None:
    """The whole of a guess at a recovery code: how many are left, None for a wrong one."""
    code = recovery_codes.read_code(typed)
    with world.writes():
        guess = recovery_codes.guess(user_id, for_id=for_id)
    if guess is None:
        return None
    with password_hashing.place():
        digest = recovery_codes.digest(guess, code)
    with world.writes():
        return recovery_codes.redeem(guess, digest)
