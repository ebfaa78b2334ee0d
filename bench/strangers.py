"""What a stranger could measure: can logins that somebody has and logins that nobody has be told apart by time (G-7 of threats)?

Each walk is made by one browser after the other, none of which was ever here; known and unknown logins take turns at random.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import secrets
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlencode

from bench.line import Line
from bench.load import Answer, get, post
from bench.people import HANDLES, KNOWN, UNKNOWN, address_of, credential_of
from bench.provider import Served
from bench.workloads import HIDDEN, Lab

MOST, LARGEST = 0.53, 2.0  # what may be seen: the area under the curve, and milliseconds between the medians


class Walker:
    """One browser in one sign-in."""

    def __init__(self, line: Line, lab: Lab) -> None:
        self.line, self.lab, self.cookies = line, lab, dict[str, str]()
        self.page = self.open(lab.authorize())
        self.desk = "/".join(self.path.split("/")[:3])

    def open(self, path: str) -> Answer:
        """A page, and all redirects before it."""
        page = None
        while page is None or page.status == 303:
            page, _ = self.line.ask(get(path, self.lab.host, cookies=self.cookies))
            self.cookies |= page.cookies()
            self.path, path = path, page.header(b"location") if page.status == 303 else ""
        self.page = page
        return page

    def send(self, path: str, *, keep: bool = False, **fields: str) -> float:
        """A form of the page that was opened last; the milliseconds until its answer was there. `keep`: the page stays, as for a script."""
        found = HIDDEN.search(self.page.body)
        if found is None:
            raise RuntimeError(f"a page without a form ({self.page.status})")
        form = urlencode({"csrf_token": found[1].decode()} | fields)
        self.answer, milliseconds = self.line.ask(post(path, self.lab.host, form, cookies=self.cookies))
        if self.answer.status not in {200, 303, 404, 422}:
            raise RuntimeError(f"{path} answers {self.answer.status}")
        self.page = self.page if keep else self.answer
        return milliseconds

    def follow(self) -> float:
        """Where the last answer leads; its milliseconds."""
        self.path = self.page.header(b"location")
        self.page, milliseconds = self.line.ask(get(self.path, self.lab.host, cookies=self.cookies))
        return milliseconds


def _number(walker: Walker, phone: str) -> Iterator[tuple[str, float]]:
    yield "the number", walker.send(walker.path, phone=phone)
    yield "its page", walker.follow()
    page = walker.page
    yield "by e-mail", walker.send(f"{walker.path}/resend", channel="email")
    walker.page = page
    yield "a wrong code", walker.send(walker.path, code="000000")


def _password(walker: Walker, login: str) -> Iterator[tuple[str, float]]:
    walker.open(f"{walker.desk}/password")
    yield "a wrong password", walker.send(walker.path, login=login, password="not it, whatever it is")


def _reset(walker: Walker, login: str) -> Iterator[tuple[str, float]]:
    walker.open(f"{walker.desk}/reset")
    yield "forgotten", walker.send(walker.path, login=login)
    yield "its page", walker.follow()
    yield "a wrong code", walker.send(walker.path, code="000000")


def _recover(walker: Walker, login: str) -> Iterator[tuple[str, float]]:
    walker.open(f"{walker.desk}/recover")
    yield "a lost phone", walker.send(walker.path, login=login, phone=f"+7905{random.randrange(10**7):07}")
    yield "its page", walker.follow()


def _passkey(walker: Walker, phone: str) -> Iterator[tuple[str, float]]:
    """An answer whose signature is wrong, to the question that every page asks."""
    yield "the question", walker.send(f"{walker.desk}/passkey/options", keep=True)
    said = {"type": "webauthn.get", "challenge": json.loads(walker.answer.body)["challenge"], "origin": f"http://{walker.lab.host}"}
    there = hashlib.sha256(walker.lab.host.partition(":")[0].encode()).digest() + b"\x1d\x00\x00\x00\x00"  # present, verified, synced
    parts = {"clientDataJSON": json.dumps(said | {"crossOrigin": False}).encode(), "authenticatorData": there, "signature": bytes(70)}
    response = {name: base64.urlsafe_b64encode(part).rstrip(b"=").decode() for name, part in parts.items()}
    response["userHandle"] = HANDLES.get(phone) or secrets.token_urlsafe(32)
    named = credential_of(phone)
    whole = {"id": named, "rawId": named, "type": "public-key", "clientExtensionResults": {}, "response": response}
    yield "a wrong answer", walker.send(f"{walker.desk}/passkey", credential=json.dumps(whole))


Walk = Callable[[Walker, str], Iterator[tuple[str, float]]]
WALKS: dict[str, tuple[Walk, Callable[[str], str]]] = {
    "numbers": (_number, str),
    "password, by number": (_password, str),
    "password, by e-mail": (_password, address_of),
    "forgotten, by number": (_reset, str),
    "forgotten, by e-mail": (_reset, address_of),
    "passkey": (_passkey, str),
    "lost phone, by number": (_recover, str),
    "lost phone, by e-mail": (_recover, address_of),
}


def told_apart(one: Sequence[float], other: Sequence[float]) -> float:
    """The area under the curve of the best guess by a threshold (Mann and Whitney): 0.5 is chance, 1 is certainty. Both ways count."""
    ordered = sorted(other)
    above = sum((bisect_left(ordered, value) + bisect_right(ordered, value)) / 2 for value in one)
    area = above / (len(one) * len(other))
    return max(area, 1 - area)


def timing(served: Served, lab: Lab, tries: int, only: Sequence[str] = ()) -> Iterator[str]:
    """`tries` of each class of each walk (all, or those whose name begins with one of `only`), a line to print for each step."""
    yield f"known and unknown logins, {tries} of each, interleaved: area under the curve (0.50 is chance; at most {MOST:.2f})\n"
    for name, (walk, written) in WALKS.items():
        if only and not name.startswith(tuple(only)):
            continue
        line = Line(served.port)
        seen: dict[tuple[str, bool], list[float]] = {}
        order = [(known, turn) for turn in range(tries) for known in (True, False)]
        random.shuffle(order)
        for known, turn in order:
            login = written((KNOWN if known else UNKNOWN)[turn % len(KNOWN)])
            for step, milliseconds in walk(Walker(line, lab), login):
                seen.setdefault((step, known), []).append(milliseconds)
        for step in dict.fromkeys(step for step, _ in seen):
            known_ones, unknown_ones = seen[step, True], seen[step, False]
            area = told_apart(known_ones, unknown_ones)
            apart = abs(statistics.median(known_ones) - statistics.median(unknown_ones))
            told = "" if area <= MOST and apart <= LARGEST else "   CAN BE TOLD APART"
            yield f"  {name + ': ' + step:40}{area:8.3f}   medians {apart:.3f} ms apart, of {statistics.median(known_ones):.2f} ms{told}\n"
