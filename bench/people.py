"""What a stranger could measure, and what a person costs: can known and unknown numbers be told apart by time, and the processor time of a
whole sign-in by phone, with a code that really goes out (the test number of the other figures sends none).
"""

from __future__ import annotations

import random
import socket
import statistics
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from bench import workloads
from bench.load import Answer, Script, get, post, receive
from bench.provider import Served
from bench.workloads import HIDDEN, Lab

AT_ONCE = {"IDP_LOGIN__CODE_PAUSES": "[0, 0, 0]", "IDP_LOGIN__SILENT_AFTER": "0"}  # every channel of the ladder, without waiting
NUMBERS = 200  # of each class; known ones have an ID, unknown ones have none, and both are written to equally often
KNOWN = [f"+7903{number:07}" for number in range(NUMBERS)]
UNKNOWN = [f"+7904{number:07}" for number in range(NUMBERS)]
AIM = 25.0  # milliseconds of processor time for a sign-in
SIGN_INS = 100


def move_in() -> None:
    """Make the IDs of the known numbers, each with a confirmed address. In a writing unit."""
    from idp.directory import users  # noqa: PLC0415 - read after the environment is known

    for phone in KNOWN:
        users.confirm_email(users.register(phone, "Анна Смирнова", "ru", "1").id, f"p{phone[1:]}@post.example")


class Line:
    """One connection, one request after the other."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> tuple[Answer, float]:
        """The answer, and the milliseconds until it was there."""
        began, buffer, answer = time.perf_counter(), b"", None
        self.socket.sendall(request)
        while answer is None:
            read = self.socket.recv(262144)
            if not read:
                raise ConnectionError("the server hung up")
            buffer += read
            answer, buffer = receive(buffer)
        return answer, (time.perf_counter() - began) * 1000


def told_apart(one: Sequence[float], other: Sequence[float]) -> float:
    """The area under the curve of the best guess by a threshold (Mann and Whitney): 0.5 is chance, 1 is certainty. Both ways count."""
    ordered = sorted(other)
    above = sum((bisect_left(ordered, value) + bisect_right(ordered, value)) / 2 for value in one)
    area = above / (len(one) * len(other))
    return max(area, 1 - area)


def timing(served: Served, lab: Lab, tries: int) -> str:
    """`tries` of each class in random order, each in a browser that was never here; the lines to print.

    Measured are the answer to the number, the page that follows, the code asked for by e-mail, and a wrong code.
    """
    line = Line(served.port)
    steps = ("the number", "the code page", "by e-mail", "a wrong code")
    seen: dict[bool, dict[str, list[float]]] = {known: {step: [] for step in steps} for known in (True, False)}
    order = [True, False] * tries
    random.shuffle(order)
    for turn, known in enumerate(order):
        phone = (KNOWN if known else UNKNOWN)[turn % NUMBERS]
        for step, took in zip(steps, _walk(line, lab, phone), strict=True):
            seen[known][step].append(took)
    lines = [f"known and unknown numbers, {tries} tries of each, interleaved: area under the curve (0.50 is chance; at most 0.53)\n"]
    for step in steps:
        known, unknown = seen[True][step], seen[False][step]
        apart = abs(statistics.median(known) - statistics.median(unknown))
        lines.append(f"  {step:16}{told_apart(known, unknown):8.3f}   medians {apart:.3f} ms apart, of {statistics.median(known):.2f} ms\n")
    return "".join(lines)


def _walk(line: Line, lab: Lab, phone: str) -> list[float]:
    cookies: dict[str, str] = {}
    path, took = lab.authorize(), []
    page = None
    while page is None or page.status == 303:
        page, _ = line.ask(get(path, lab.host, cookies=cookies))
        cookies |= page.cookies()
        path = page.header(b"location") or path
    page, milliseconds = line.ask(post(path, lab.host, urlencode({"csrf_token": _token(page), "phone": phone}), cookies=cookies))
    took.append(milliseconds)
    path = page.header(b"location")
    page, milliseconds = line.ask(get(path, lab.host, cookies=cookies))
    took.append(milliseconds)
    token = _token(page)
    page, milliseconds = line.ask(post(f"{path}/resend", lab.host, urlencode({"csrf_token": token, "channel": "email"}), cookies=cookies))
    took.append(milliseconds)
    page, milliseconds = line.ask(post(path, lab.host, urlencode({"csrf_token": token, "code": "000000"}), cookies=cookies))
    took.append(milliseconds)
    return took


def _token(page: Answer) -> str:
    found = HIDDEN.search(page.body)
    if found is None:
        raise RuntimeError(f"a page without a form ({page.status})")
    return found[1].decode()


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
