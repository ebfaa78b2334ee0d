"""What reaches people: the texts in three languages, the way through the outbox, and the inbox of a desk.

The origin-bound one-time code: https://wicg.github.io/sms-one-time-codes/. Threats: cases 42, 62, 63, 74; promise R2.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from idp import clock, languages, outbox
from idp.languages import LANGUAGES
from idp.messages import channels, inbox, wording
from idp.messages.inbox import Received
from tests.ground import Ground, one_over

PHONE = "+79005550001"
CODE = "493817"
PARAMS = {
    "browser_new": {"browser": "Mobile Safari, iOS"},
    "passkey_added": {"browser": "Mobile Safari, iOS"},
    "recovery_code_used": {"left": "9"},
    "recovery_begun": {"hours": "72"},
    "deletion_pending": {"date": "28 сентября"},
}
TEXTS = {name for name, channels_of in wording.WORDINGS.items() if "sms" in channels_of}  # the others go by mail alone


def deliver(ground: Ground) -> int:
    """What the worker does with what waits; answers how many."""
    with ground.writes():
        jobs = outbox.claim()
    for job in jobs:
        with ground.writes():
            channels.deliver(job.id, job.payload())
            outbox.done(job)
    return len(jobs)


def send(ground: Ground, **more: Any) -> str | None:
    """A code for PHONE by text, in Russian."""
    given: dict[str, Any] = {"channel": "sms", "to": PHONE, "words": "sign_in_code", "language": "ru", "code": CODE, **more}
    with ground.writes():
        return channels.send(given.pop("channel"), given.pop("to"), given.pop("words"), given.pop("language"), **given)


def received(ground: Ground, to: str | None = None) -> list[Received]:
    """The inbox."""
    with ground.reads():
        return inbox.newest(to)


def units(text: str) -> int:
    """Length as a text message counts it: UCS-2."""
    return len(text.encode("utf-16-be")) // 2


BRANDS: list[dict[str, Any]] = [
    {},
    {"name": "Ozon ID", "names": {}},
    {"name": "Маркет ID", "names": {"zh": "市场通行证"}},
    {"name": "Northwind Marketplace", "names": {"ru": "Северный ветер"}},
]
HOSTS = ["", "localhost", "a.ru", "id.example.com", "auth.market.example.org", "sign-in.bazar.example"]


@pytest.mark.parametrize("brand", BRANDS, ids=lambda brand: brand.get("name", "as it is"))
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_is_one_part(ground: Ground, language: str, host: str, brand: dict[str, Any]) -> None:
    """In every language, with every brand and host that `idp check` lets pass; the code first, a warning, the last line bound to our
    host (case 63). The long form, where it fits.
    """
    ground.use(messages={"bound_host": host}, brand=brand)
    refused = [problem for problem in wording.problems() if f"in {languages.NAMES[language]} " in problem]
    text = wording.compose("sign_in_code", "sms", language, code=CODE).text
    fits = len(text) <= 160 if text.isascii() else units(text) <= 70
    assert fits is (not refused), (units(text), text)
    assert fits or len(host) + len(wording.brand(language)) > 34, text
    assert text.startswith(CODE)
    assert wording.brand(language) in text
    assert re.search("Never share|е называйте|勿告诉", text)
    host = host or "id.example.com"
    assert text.split("\n")[1:] == [f"@{host} #{CODE}"]
    assert text.count(CODE) == 2
    long = wording.gettext(language, wording.WORDINGS["sign_in_code"]["sms"], code=CODE, brand=wording.brand(language))
    both = f"{long}\n@{host} #{CODE}"
    assert (text == both) is (len(both) <= 160 if both.isascii() else units(both) <= 70)


@pytest.mark.parametrize("brand", BRANDS, ids=lambda brand: brand.get("name", "as it is"))
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_of_eight_digits_is_one_part(ground: Ground, language: str, host: str, brand: dict[str, Any]) -> None:
    """Wherever a code of six is: what has to go is our name, which the host says as well; never the warning (case 63)."""
    ground.use(messages={"bound_host": host}, brand=brand)
    text = wording.compose("sign_in_code", "sms", language, code="49381750").text
    if not any(f"in {languages.NAMES[language]} " in problem for problem in wording.problems()):
        assert len(text) <= 160 if text.isascii() else units(text) <= 70, text
    assert text.startswith("49381750")
    assert re.search("Never share|е называйте|勿告诉", text)
    assert text.split("\n")[1:] == [f"@{host or 'id.example.com'} #49381750"]


def test_a_host_that_fits_no_form(ground: Ground) -> None:
    """`idp check` names host, language, brand and by how much; English has room for more."""
    ground.use(messages={"bound_host": "sign-in.accounts.marketplace.example.org"})
    problems = wording.problems()
    assert len(problems) == 2
    assert all("sign-in.accounts.marketplace.example.org" in problem and "[brand] name" in problem for problem in problems)
    assert any("in Русский" in problem and "Базар ID" in problem for problem in problems)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("[]{}~^|\\" * 10, 1),
        ("ы" * 70, 1),
        ("ы" * 71, 2),
        ("ы" * 134, 2),
        ("ы" * 135, 3),
        ("a" * 69 + "—", 1),
        ("a" * 70 + "—", 2),
        ("`" + "a" * 70, 2),  # the one sign of ASCII that is not in the alphabet
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_parts(text: str, parts: int) -> None:
    """3GPP TS 23.038 §6.2.1 and 23.040 §9.2.3.24.1: 160 septets or 70 characters; a part of several holds 153 or 67."""
    assert wording.parts(text) == parts


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(TEXTS))
def test_no_text_is_longer_than_two_parts(ground: Ground, language: str, name: str) -> None:
    """Each part is billed: with every brand, a code is one, a notice two at most."""
    for brand in BRANDS:
        ground.use(brand=brand)
        code = CODE if name == "sign_in_code" else None
        text = wording.compose(name, "sms", language, code=code, params=PARAMS.get(name)).text
        assert wording.parts(text) <= (1 if code else 2), (brand, text)


def test_what_a_flash_call_ends_in(ground: Ground) -> None:
    """Nobody speaks: the text is for the inbox of a desk and says the digits once."""
    for language in LANGUAGES:
        assert wording.compose("sign_in_code", "flash_call", language, code=CODE).text.count(CODE) == 1


def test_the_texts_are_translated(ground: Ground) -> None:
    """Each wording says something of its own in each language."""
    for name, channels_of in wording.WORDINGS.items():
        for channel in channels_of:
            texts = {wording.compose(name, channel, language, code=CODE, params=PARAMS.get(name)) for language in LANGUAGES}
            assert len({text.text for text in texts}) == 3, (name, channel)
            assert not any("%(" in text.text + text.subject for text in texts)
            assert channel != "email" or len({text.subject for text in texts}) == 3, name
            assert not any(CODE in text.subject for text in texts), "a subject stands on lock screens"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_is_never_to_be_shared(ground: Ground, language: str) -> None:
    """Case 63: by whatever channel, the warning is there; a voice says the digits apart, twice."""
    warning = {"en": "Never share", "ru": "не называйте", "zh": "请勿告诉"}[language]
    for channel in ("sms", "voice", "email"):
        assert warning in wording.compose("sign_in_code", channel, language, code=CODE).text
    assert warning in wording.compose("email_code", "email", language, code=CODE).text
    spoken = wording.compose("sign_in_code", "voice", language, code=CODE).text
    assert spoken.count("4, 9, 3, 8, 1, 7") == 2
    assert "@" not in spoken


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(TEXTS - {"sign_in_code"}))
def test_a_notice_is_short_and_leads_nowhere(ground: Ground, language: str, name: str) -> None:
    """134 characters, no address in it: whoever copies our notices cannot make people used to following links."""
    text = wording.compose(name, "sms", language, params=PARAMS.get(name)).text
    assert units(text) <= wording.TWO_SEGMENTS, (units(text), text)
    for said in [
        wording.compose(name, each, language, params=PARAMS.get(name)).text for each in wording.WORDINGS[name] if each in {"sms", "email"}
    ]:
        assert not re.search(r"https?:|www\.|/|@", said)
        assert not re.search(r"\d{4,}", said)
        assert wording.brand(language) in said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["browser_new", "signed_out_everywhere", "test"])
def test_the_commonest_notices_are_one_segment(ground: Ground, language: str, name: str) -> None:
    """Each segment costs: 70 characters, or 160 of those that English is written in."""
    text = wording.compose(name, "sms", language, params={"browser": "Chrome, Windows"} if name == "browser_new" else None).text
    assert units(text) <= (160 if text.isascii() else wording.ONE_SEGMENT), (units(text), text)


@pytest.mark.parametrize(
    "words",
    [
        "visit http://evil.example",
        "evil.example",
        "www.evil.example/login",
        "a\r\nb: c",
        "\u202egnp.exe",
        "<b>x</b>",
        "@host #123456",
        "x" * 500,
        "ООО «Ромашка»\u2028",
        "call +7 900 555\x00",
    ],
)
def test_words_of_others_are_inert(words: str) -> None:
    """Case 74: no link, no second line, no control, no host line; short."""
    said = wording.inert(words)
    assert len(said) <= wording.LONGEST_PARAM
    assert said.isprintable()
    assert not re.search(r"[/@#<>:\n\r\u202e]|\.\S", said)
    assert wording.inert("ООО «Ромашка»") == "ООО «Ромашка»"


def test_a_code_arrives(ground: Ground) -> None:
    """Through the outbox into the inbox, in the shape that `/dev/inbox.json` promises."""
    with clock.freeze(clock.now()):
        message_id = send(ground, expires_at=clock.now() + timedelta(minutes=5))
        assert received(ground) == []
        assert deliver(ground) == 1
        [message] = received(ground)
        assert message.as_json() == {
            "id": message_id,
            "channel": "sms",
            "to": PHONE,
            "text": f"{CODE} — код Базар ID. Никому не называйте.\n@id.example.com #{CODE}",
            "code": CODE,
            "link": None,
            "created_at": clock.now().isoformat(),
        }


def test_a_message_goes_with_its_transaction(ground: Ground) -> None:
    """What was rolled back is never sent."""
    with pytest.raises(ZeroDivisionError), ground.writes():
        one_over(channels.send("sms", PHONE, "sign_in_code", "en", code=CODE))
    assert deliver(ground) == 0


def test_delivered_twice_is_there_once(ground: Ground) -> None:
    """R2: a worker that died between delivering and saying so is repeated, and the person has one message."""
    send(ground)
    with ground.writes():
        [job] = outbox.claim()
    for _ in range(2):
        with ground.writes():
            channels.deliver(job.id, job.payload())
    assert len(received(ground)) == 1


def test_the_inbox_is_sealed(ground: Ground) -> None:
    """Cases 42, 62: neither number nor code nor text stands in the database in clear, wherever the message is on its way."""
    send(ground)
    for _ in range(2):
        dump = ground.dump()
        assert CODE not in dump
        assert PHONE[1:] not in dump
        assert "Базар" not in dump
        deliver(ground)


def test_newest_first_and_by_recipient(ground: Ground) -> None:
    """The inbox lists what came last first, and filters by exactly this recipient."""
    with clock.freeze(clock.now()) as shift:
        for number in range(4):
            shift(1)
            send(ground, to=f"+7900555000{number % 2}", code=f"00000{number}")
            deliver(ground)
        shift(1)
        send(ground, channel="email", to="anna@example.com", words="sign_in_code", language="en", code="777777")
        deliver(ground)
    assert [message.code for message in received(ground)][1:] == ["000003", "000002", "000001", "000000"]
    assert [message.code for message in received(ground, "+79005550001")] == ["000003", "000001"]
    assert [message.channel for message in received(ground, "anna@example.com")] == ["email"]
    assert received(ground, "+7900555000") == []
    with ground.reads():
        assert len(inbox.newest(limit=2)) == 2


def test_the_inbox_forgets(ground: Ground) -> None:
    """Codes do not lie about: after a day they are gone."""
    with clock.freeze(clock.now()) as shift:
        send(ground)
        deliver(ground)
        shift(timedelta(days=1))
        with ground.writes():
            assert inbox.sweep(clock.now()) == 0
        shift(1)
        with ground.writes():
            assert inbox.sweep(clock.now()) == 1
        assert received(ground) == []


def test_a_wording_must_exist(ground: Ground) -> None:
    """A message that nobody can write is refused when it is sent, not when it is delivered."""
    with pytest.raises(KeyError), ground.writes():
        channels.send("voice", PHONE, "browser_stolen", "en")
    with pytest.raises(KeyError), ground.writes():
        channels.send("sms", PHONE, "no_such_wording", "en")


def test_a_key_sends_once(ground: Ground) -> None:
    """The same notice for the same event is one message."""
    assert send(ground, words="browser_stolen", code=None, key="evt_1:browser_stolen") is not None
    assert send(ground, words="browser_stolen", code=None, key="evt_1:browser_stolen") is None
    deliver(ground)
    assert [message.code for message in received(ground)] == [None]
