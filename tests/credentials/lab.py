"""The desk of a sign-in page, without the page: each call in a unit of work of its own."""

from __future__ import annotations

from idp.credentials import one_time_code, phone_code
from idp.credentials.phone_code import Guess, Transaction
from idp.credentials.phone_sendings import Progress
from tests.world import World

PHONE = "+79012223344"
LISTED: dict[str, object] = {"test_numbers": {PHONE: "424242"}}


class Desk:
    """The calls of a sign-in page, each in its own unit of work, as the page makes them."""

    def __init__(self, world: World) -> None:
        self.world = world

    def begin(self, phone: str = PHONE, *, flow: str = "flw_1", network: str = "203.0.113.0/24", device: str | None = None) -> Transaction:
        """A code goes out."""
        with self.world.writes():
            return phone_code.begin(phone, flow_id=flow, purpose="sign_in", language="en", network=network, device_id=device)

    def resend(self, sent: Transaction, channel: str = "sms", *, flow: str = "flw_1") -> None:
        """It goes out once more."""
        with self.world.writes():
            phone_code.resend(sent.id, flow, channel)

    def progress(self, sent: Transaction, *, flow: str = "flw_1") -> Progress:
        """How its ladder stands."""
        with self.world.reads():
            found = phone_code.find(sent.id, flow)
            assert found is not None
            return found.progress()

    def count(self, sent: Transaction, *, flow: str = "flw_1") -> Guess | None:
        """A guess is counted."""
        with self.world.writes():
            return phone_code.guess(sent.id, flow)

    def guess(self, sent: Transaction, code: str, *, flow: str = "flw_1") -> bool:
        """The whole of a guess."""
        guess = self.count(sent, flow=flow)
        if guess is None:
            return False
        with self.world.writes():
            right = phone_code.judge(guess, code)
            return right is not None and phone_code.redeem(right)

    def look(self, sent: Transaction, *, flow: str = "flw_1") -> Transaction:
        """The transaction as it is now."""
        with self.world.reads():
            found = phone_code.find(sent.id, flow)
        assert found is not None
        return found


def wrong(sent: Transaction, nth: int = 1) -> str:
    """A code that is not the right one."""
    return f"{(int(one_time_code.derive_code(sent.id)) + nth) % 10**6:06}"
