"""What a person costs: the processor time of a whole sign-in by phone, with a code that really goes out (the test number of the other
figures sends none).
"""

from __future__ import annotations

import base64
import statistics
import time
from collections.abc import Callable
from typing import Any

from bench import workloads
from bench.line import Line
from bench.load import Script
from bench.provider import Served
from bench.workloads import Lab

AT_ONCE = {  # every channel of the ladder, without waiting; as many wrong codes as the walks take
    "IDP_LOGIN__CODE_PAUSES": "[0, 0, 0]",
    "IDP_LOGIN__SILENT_AFTER": "0",
    "IDP_LOGIN__WRONG_CODES_PER_HOUR": "1000000",
}
NUMBERS = 2000  # of each class; known ones have an ID, unknown ones have none, and both are written to equally often
KNOWN = [f"+7903{number:07}" for number in range(NUMBERS)]
UNKNOWN = [f"+7904{number:07}" for number in range(NUMBERS)]
HANDLES: dict[str, str] = {}  # by what the passkeys of the known ones call their owners
AIM = 25.0  # milliseconds of processor time for a sign-in
SIGN_INS = 100


def move_in() -> None:
    """Make the IDs of the known numbers, each with a confirmed address, a password and a passkey. In a writing unit."""
    from idp.credentials import passkey, password, password_hashing  # noqa: PLC0415 - read after the environment is known
    from idp.credentials.passkey_response import NOBODYS_KEY, NewKey  # noqa: PLC0415 - as above
    from idp.directory import users  # noqa: PLC0415 - as above

    digest = password_hashing.make("one for all of them")
    for phone in KNOWN:
        user = users.register(phone, "Анна Смирнова", "ru", "1")
        users.confirm_email(user.id, address_of(phone))
        password.keep(user.id, digest, user_id=user.id)
        passkey.add(user.id, NewKey(credential_of(phone), NOBODYS_KEY, 0, "", True, True, ()), browser="Bench", ip="")
        HANDLES[phone] = passkey.handle_of(user.id)


def credential_of(phone: str) -> str:
    """The id of this person's passkey."""
    return base64.urlsafe_b64encode(f"passkey of {phone}".encode()).rstrip(b"=").decode()


def address_of(phone: str) -> str:
    """The e-mail address of whoever has this number."""
    return f"p{phone[1:]}@post.example"


def whole_sign_in(served: Served, lab: Lab, code_of: Callable[[str], str]) -> str:
    """Three pages, a code that goes out, one token exchange; one person after the other. The line to print."""
    line, done = Line(served.port), 0
    began, milliseconds = served.processor_seconds(), []
    for turn in range(SIGN_INS):
        script = workloads.sign_in_with(lab, KNOWN[turn % NUMBERS], code_of)()
        start = time.perf_counter()
        done += _run(line, script)
        milliseconds.append((time.perf_counter() - start) * 1000)
    if done != SIGN_INS:
        raise SystemExit(f"{SIGN_INS - done} sign-ins failed: the figure would mean nothing")
    used = (served.processor_seconds() - began) * 1000 / SIGN_INS
    return f"a whole sign-in by phone: {used:.1f} ms of processor time (aim {AIM:.0f}), {statistics.median(milliseconds):.1f} ms in all\n"


def _run(line: Line, script: Script) -> int:
    request = next(script)
    while True:
        answer, _ = line.ask(request)
        try:
            request = script.send(answer)
        except StopIteration as end:
            return int(end.value)


def codes(database: str) -> Callable[[str], str]:
    """What was sent in a sign-in, by its id: derived as the provider derives it."""
    import sqlalchemy as sa  # noqa: PLC0415 - as above

    from idp.credentials import one_time_code  # noqa: PLC0415 - as above

    engine = sa.create_engine(database)
    find = sa.text("SELECT phone_code_id FROM login_flows WHERE id = :flow")

    def code_of(flow: str) -> str:
        with engine.connect() as connection:
            found: Any = connection.execute(find, {"flow": flow}).scalar_one()
        return one_time_code.derive_code(found)

    return code_of
