"""Every page with something on it: the contexts that the tests and the screenshots render the templates with."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import wtforms
from markupsafe import Markup
from wtforms import BooleanField, PasswordField, StringField

from idp.account.picture import Picture
from idp.credentials import recovery_codes, totp
from idp.credentials.phone_sendings import Sending, Way
from idp.oidc.logout.browser_session import Ended
from idp.web import forms, languages
from idp.web.pages import environment

NOW = datetime(2026, 11, 22, 11, 31, 2, tzinfo=UTC)
BRANDS = {"ru": "Базар ID", "en": "Bazar ID", "zh": "Bazar ID"}
CSRF = Markup('<input type="hidden" name="csrf_token" value="token">')
PHONE = "+79123456789"
WRONG_PHONE = "Enter a phone number, for example +7 912 345-67-89."
WHY = "The phone is off, busy or out of coverage."
LOST_PROVIDER = "%(provider)s does not answer right now. Enter your number, or try again in a minute."
WRONG_FIELD = "Fill in this field."
WRONG_CODE = "The code has six digits. Some are missing."


class Form(wtforms.Form):
    """What a template sees of ours."""

    first_wrong = forms.Form.first_wrong


class Phone(Form):
    """`login/identify.html`."""

    phone = StringField()


class Code(Form):
    """`login/phone_code.html`."""

    code = StringField()
    remember = BooleanField()


class Waiting(Form):
    """The page of a device's code."""

    user_code = wtforms.StringField()


class Mail(Form):
    """`login/email_code.html`."""

    code = StringField()


class Secret(Form):
    """`login/password.html`, `login/reset.html`, `login/reset_password.html`."""

    login = StringField()
    password = PasswordField()
    password_again = PasswordField()
    remember = BooleanField()


class Own(Form):
    """`account/password.html`."""

    password = PasswordField()
    password_again = PasswordField()
    sign_out = BooleanField()


class Work(Form):
    """`login/proof_of_work.html`."""

    altcha = StringField()


class About(Form):
    """`account/profile.html`."""

    name = StringField()
    family_name, given_name, middle_name, birthdate, gender = (StringField() for _ in range(5))
    street_address, locality, region, postal_code, country = (StringField() for _ in range(5))


class File(Form):
    """`account/picture.html`."""

    picture = StringField()


class Spoken(Form):
    """`account/language.html`."""

    locale = StringField()
    zoneinfo = StringField()


class Address(Form):
    """`account/email.html`."""

    email = StringField()


class Sign(Form):
    """`login/register.html`."""

    name = StringField()
    terms = BooleanField()


def filled(form: Form, errors: dict[str, str] | None = None) -> Form:
    """`form` with `errors` as its validation would leave them."""
    for name, text in (errors or {}).items():
        form[name].errors = [text]
    return form


def _flow(**more: Any) -> dict[str, Any]:
    return {"id": "flw_1", "client_name": "Кабинет продавца", "client_logo": None, **more}


def _place(number: int, title: str, **more: Any) -> dict[str, Any]:
    initials = title.strip("«»ОИ ")[0]
    place = {"account_id": f"acc_{number}", "title": title, "initials": initials, "square": True, "role": "Бухгалтер", "inn": "7704218635"}
    return {**place, "recent": False, "disabled": False, "reason": None, **more}


PLACES = [
    _place(1, "ООО «Ромашка»", recent=True),
    _place(2, "ИП Смирнова А. В.", role="Владелец", inn="770418263519"),
    _place(3, "ООО «Северный ветер»", role="Менеджер", disabled=True, reason="Компания приостановлена. Спросите её владельца."),
]
SHOPPING = [_place(4, "Личный", square=False, role=None, inn=None), _place(5, "Бизнес", role="ООО «Ромашка»", inn=None)]
PEOPLE = [
    {"id": "brw_1", "name": "Анна Смирнова", "initials": "АС", "phone": "+7 ••• •••-67-89"},
    {"id": "brw_2", "name": "Тимур Гареев", "initials": "ТГ", "phone": "+7 ••• •••-20-15"},
]
SENT = [
    {
        "id": "msg_2",
        "channel": "sms",
        "to": PHONE,
        "text": "482913 — код Базар ID. Никому не говорите.\n@localhost #482913",
        "code": "482913",
        "link": None,
        "created_at": NOW,
    },
    {
        "id": "msg_1",
        "channel": "email",
        "to": "pavlova@romashka.example",
        "text": "Алексей Орлов приглашает вас в ООО «Ромашка».",
        "code": None,
        "link": "http://localhost:8002/invitations/5JQ2-W8RT",
        "created_at": NOW - timedelta(minutes=4),
    },
]
CODE = {
    "phone": PHONE,
    "channel": "sms",
    "digits": 6,
    "sent": ("sms",),
    "expires_at": NOW + timedelta(minutes=5),
    "state": "waiting",
    "mark": "1-waiting",
    "why": "",
    "ways": (Way("sms", NOW + timedelta(seconds=42)),),
    "about": "code",
    "flow": _flow(),
    "identify_url": "/login/flw_1/identify",
    "remember_days": 60,
    "tries_left": 5,
    "now": NOW,
    "passkeys": True,
}
FURTHER = {
    "flow": _flow(),
    "ways": (),
    "email": "a•••@p•••.example",
    "phone": None,
    "anew": True,
    "by_number": True,
    "why": "Your number is right. But the ID with this number was not used for a long time, and numbers change hands.",
    "problem": "",
    "identify_url": "/login/flw_1/identify",
}
NO_ID = "This passkey opens no ID here. Perhaps it was removed. Sign in another way."
PASSKEY = {"flow": _flow(), "address": "/login/flw_1/passkey", "other_url": "/login/flw_1/identify", "problem": "", "signal": ""}
ASKED_AGAIN = {"needs_code": True, "passkeys": True}
MASKED = "+7 ••• •••-67-89"
WAYS = [{"name": "totp", "title": "Sign in another way"}]
MAIL = {
    "email": "a•••@p•••.example",
    "sent": SimpleNamespace(is_open=True, digits=6, tries_left=3, expires_at=NOW + timedelta(minutes=5)),
    "resend_at": NOW + timedelta(seconds=42),
    "flow": _flow(),
    "about": "code",
    "now": NOW,
}
SENDINGS = [
    {"sending": Sending("sms", NOW - timedelta(minutes=2), "failed", "absent_subscriber", NOW - timedelta(minutes=1)), "why": WHY},
    {"sending": Sending("flash_call", NOW - timedelta(minutes=1), "delivered", None, NOW), "why": ""},
    {"sending": Sending("voice", NOW, "queued"), "why": ""},
    {"sending": Sending("sms", NOW, "queued", "connection"), "why": "We could not hand it over to the operator."},
    {"sending": Sending("email", NOW, "sent"), "why": ""},
]


def _help(about: str) -> dict[str, Any]:
    return {
        "flow": _flow(),
        "about": about,
        "others": [each for each in ("code", "number", "password", "locked", "linked") if each != about],
        "page": "phone_code",
        "back_url": "/login/flw_1/phone_code?back=1",
        "phone": "+7 ••• •••-67-89" if about == "code" else "",
        "sent": ("flash_call", "sms") if about == "code" else (),
        "receipts_url": "/login/flw_1/phone_code/receipts" if about == "code" else None,
        "identify_url": "/login/flw_1/identify",
    }


CHOICE = {
    "companies": PLACES,
    "shopping": SHOPPING,
    "person_name": "Анна Смирнова",
    "action": "/authorize/req_1/account",
    "switch_url": "/authorize/req_1/switch",
    "client_name": "Кабинет продавца",
    "query": "",
}
CONSENT = {
    "client": {"name": "Полка", "purpose": "Обновляет остатки и цены со склада.", "terms_url": "https://polka.example/terms"},
    "person": {"name": "Анна Смирнова", "initials": "АС", "phone": "+7 ••• •••-67-89"},
    "company": {"title": "ООО «Ромашка»", "initials": "Р", "role": "Администратор"},
    "see": [
        {"title": "Имя и номер телефона", "detail": "Анна Смирнова, +7 912 345-67-89"},
        {"title": "Компания", "detail": "Название, ИНН, ваша роль"},
    ],
    "do": [{"title": "Работать, когда вас нет на сайте", "detail": "Пока вы не отзовёте доступ"}],
    "return_host": "app.polka.example",
    "action": "/authorize/req_1/consent",
    "switch_url": "/authorize/req_1/account",
}
REFUSAL = {
    "title": "Не получилось вернуть вас в приложение",
    "message": "Приложение прислало адрес возврата, который у нас не записан.",
    "error": "invalid_request",
    "description": "redirect_uri is not registered",
    "client_name": "Полка",
    "client_id": "cli_8fk2mq",
    "client_logo": None,
    "at": NOW,
    "restart_url": "https://app.polka.example/",
    "support_url": "https://polka.example/help",
}

# page -> template and what makes its context; forms are made anew each time.
# A task that no worker ever solves, so that the page stays.
ENDLESS = {"algorithm": "PBKDF2/SHA-256", "nonce": "00" * 16, "salt": "00" * 16, "cost": 100_000, "keyLength": 32, "keyPrefix": "f" * 64}
WORK = {
    "flow": _flow(),
    "phone": PHONE,
    "hard": False,
    "challenge": json.dumps({"parameters": ENDLESS}),
    "plain_from": None,
    "identify_url": "/login/flw_1/identify",
    "about": "code",
}

ME = {"name": "Анна Смирнова", "initials": "АС", "phone": "+7 ••• •••-67-89", "picture": ""}
SHELL = {
    "said": "",
    "person": ME,
    "sections": [
        {"title": "Profile", "address": "/account/profile", "current": False},
        {"title": "Sign-in and security", "address": "/account/security", "current": True},
    ],
}
PROFILE = {**SHELL, "said": "Saved.", "picture": "x", "today": "2026-11-22", "genders": ("female", "male")}
ACCOUNT_CODE = {
    **SHELL,
    "channel": "sms",
    "to": PHONE,
    "digits": 6,
    "tries_left": 3,
    "expires_at": NOW + timedelta(minutes=5),
    "is_open": True,
    "ways": [("sms", NOW + timedelta(seconds=42)), ("voice", NOW)],
    "action": "/account/phone/code",
    "back": "/account/phone/new",
    "now": NOW,
}
ROWS = [
    {"name": Markup("phone"), "row": {"phone": PHONE, "verified_at": NOW}},
    {"name": Markup("email"), "row": {"email": "anna@post.example", "verified_at": NOW}},
    {"name": Markup("authenticator"), "row": {"since": None}},
    {"name": Markup("recovery_codes"), "row": {"left": 8, "of": 10}},
    {"name": Markup("providers"), "row": {"titles": ["VK ID"]}},
]
LINK = {"flow": _flow(), "provider": "VK ID", "there": "Анна С.", "name": "Анна Смирнова", "phone": "+7 ••• •••-67-89"}
PROVIDERS = {
    **SHELL,
    "linked": [{"id": "idt_1", "title": "VK ID", "label": "Анна С.", "created_at": NOW, "used_at": NOW}],
    "free": {"google": "Google", "yandex": "Яндекс ID"},
    "notice": ("%(provider)s is linked. You can sign in with it from now on.", "VK ID"),
}
KEY = SimpleNamespace(id="psk_1", name="iPhone Анны", backed_up=True, created_at=NOW - timedelta(days=90), last_used_at=NOW)
OTHER_KEY = SimpleNamespace(id="psk_2", name="", backed_up=False, created_at=NOW, last_used_at=None)
PASSKEYS = [{"name": Markup("passkeys"), "row": {"passkeys": [KEY, OTHER_KEY], "possible": True, "signal": "{}"}}]
SECURITY = {**SHELL, "above": PASSKEYS, "rows": ROWS, "below": []}

BROWSERS = [
    {"id": "dev_1", "name": "Chrome, Windows", "place": "203.0.113.7", "used_at": NOW, "is_handheld": False, "until": NOW, "here": True},
    {"id": "dev_2", "name": "Mobile Safari, iOS", "place": "203.0.113.8", "used_at": NOW, "is_handheld": True, "until": NOW, "here": False},
    {"id": "ses_3", "name": "", "place": "", "used_at": NOW - timedelta(days=20), "is_handheld": False, "until": None, "here": False},
]
BROWSERS = [each | {"today": each["used_at"] == NOW, "signed_in": each["id"] != "dev_2"} for each in BROWSERS]

APP = {
    "id": "reports",
    "name": "Отчёты",
    "initials": "О",
    "ours": False,
    "consented": True,
    "signed_in": True,
    "since": NOW - timedelta(days=90),
    "used_at": NOW,
    "see": [{"title": "Имя и профиль", "detail": "Имя, фото, день рождения, язык"}, {"title": "Номер телефона", "detail": None}],
    "do": [{"title": "Работать без вас", "detail": "Пока вы не отзовёте доступ"}],
    "accounts": [{"title": "ООО «Ромашка»", "role": "Бухгалтер"}, {"title": "Личный", "role": None}],
    "purpose": "Сводит продажи в таблицы",
    "policy_url": "https://reports.example/privacy",
}
ACTIVITY_KINDS = [{"name": "sign_in", "title": "Sign-ins", "current": False}, {"name": "apps", "title": "Apps", "current": True}]
_HAPPENED = {"at": NOW, "text": "Вход по коду на телефон", "is_bad": False, "browser": "Chrome, Windows", "place": "203.0.113.7"}
_HAPPENED |= {"by": None, "may_be_another": True}
DAYS = [
    {"day": "22 ноября 2026", "today": True, "rows": [_HAPPENED, {**_HAPPENED, "is_bad": True, "may_be_another": False}]},
    {
        "day": "1 ноября 2026",
        "today": False,
        "rows": [{**_HAPPENED, "by": "не вы", "browser": None, "place": None, "may_be_another": False}],
    },
]
OTPAUTH = "otpauth://totp/Bazar%20ID:anna%40post.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Bazar%20ID"
SET_UP = {
    **SHELL,
    "form": Code(),
    "secret": "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ",
    "address": OTPAUTH,
    "picture": Picture(OTPAUTH),
    "replaces": False,
}
LEFT = recovery_codes.Left("rcs_1", NOW, 8)
RECOVERY = {**SHELL, "left": LEFT, "guarded": True, "problem": False}

KEPT_CODE = {"form": Code(), "flow": _flow(), "example": "7k3m-x9qd-4tfw", "tries_left": None, "about": "app"}
LEAVING = {**SHELL, "owned": [], "works_in": ["ИП Смирнова А. В."], "family": "owner", "days": 14, "errors": []}
LEAVING |= {"due_at": None, "asked_at": None}
_AGAIN = {"resend_at": NOW + timedelta(seconds=42), "now": NOW, "about": "code"}
_ENTRY = {"flow": _flow(), "further": False, "locked": False, "reset_done": False, "remember_days": 60}
_ENTRY |= {"back_url": "/login/flw_1/identify", "about": "password"}
_RESET: dict[str, Any] = {"flow": _flow(), "about": "password", "account": None, "behind": None}
_RESET |= {f"{page}_url": f"/login/flw_1/{page}" for page in ("password", "reset", "identify")}
SHOP = SimpleNamespace(title="ООО «Ромашка»", kind="employee")
_LINK = {"flow": _flow(), "title": "ООО «Ромашка»", "kind": "employee", "login": "shop@romashka.example", "name": "Анна Смирнова"}
_LINK |= {"phone": "+7 ••• •••-67-89", "is_new": False, "may_link": True, "problem": "", "identify_url": "/login/flw_1/identify"}
# A lost phone.
LOST = SimpleNamespace(
    id="rcv_1", phone=PHONE, begun_at=NOW, due_at=NOW + timedelta(days=3), expires_at=NOW + timedelta(days=1), state="waiting"
)
LOST.is_waiting = True
LOST_SENT = SimpleNamespace(phone=PHONE, digits=6, is_open=True, tries_left=4, expires_at=NOW)
STATE = {"flow": _flow(), "case": LOST, "state": "waiting", "is_due": False, "vouch_code": "", "vouched": 0, "needed": 2}


class Lost(Form):
    """`login/recover.html`."""

    login = StringField()
    phone = StringField()


SAMPLES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "password": ("login/password.html", lambda: {**_ENTRY, "form": Secret(data={"login": "anna@post.example"})}),
    "password-wrong": (
        "login/password.html",
        lambda: {**_ENTRY, "locked": True, "about": "locked", "form": filled(Secret(), {"password": "Too many wrong passwords."})},
    ),
    "password-done": ("login/password.html", lambda: {**_ENTRY, "reset_done": True, "form": Secret()}),
    "password-further": ("login/password.html", lambda: {**_ENTRY, "further": True, "form": Secret()}),
    "password_address": (
        "login/password_address.html",
        lambda: {**_AGAIN, "flow": _flow(), "form": Mail(), "email": "s•••@r•••.example", "sent": MAIL["sent"]},
    ),
    "link": ("login/link.html", lambda: _LINK),
    "link-new": ("login/link.html", lambda: {**_LINK, "kind": "business", "title": "Business", "is_new": True}),
    "link-taken": ("login/link.html", lambda: {**_LINK, "may_link": False, "problem": "This ID has an account in that company already."}),
    "link-late": ("login/link.html", lambda: {**_LINK, "may_link": False, "title": "", "login": ""}),
    "reset": ("login/reset.html", lambda: {**_RESET, "form": Secret()}),
    "reset-wrong": (
        "login/reset.html",
        lambda: {**_RESET, "form": filled(Secret(), {"login": "Enter your e-mail address or phone number."})},
    ),
    "reset_code": (
        "login/reset_code.html",
        lambda: {**_RESET, **_AGAIN, "form": Mail(), "login": "anna@post.example", "is_phone": False, "code": MAIL["sent"]},
    ),
    "reset_code-phone": (
        "login/reset_code.html",
        lambda: {**_RESET, **_AGAIN, "form": Mail(), "login": PHONE, "is_phone": True, "code": MAIL["sent"], "resend_at": None},
    ),
    "reset_password": ("login/reset_password.html", lambda: {**_RESET, "form": Secret(), "why": "", "username": "anna@post.example"}),
    "reset_password-wrong": (
        "login/reset_password.html",
        lambda: {
            **_RESET,
            "form": filled(Secret(), {"password": "At least 8 characters.", "password_again": "These are not the same."}),
            "why": "",
            "username": "",
        },
    ),
    "reset_password-account": (
        "login/reset_password.html",
        lambda: {**_RESET, "form": Secret(), "why": "", "username": "shop@romashka.example", "account": SHOP},
    ),
    "reset_password-both": (
        "login/reset_password.html",
        lambda: {**_RESET, "form": Secret(), "why": "", "username": "anna@post.example", "behind": SHOP},
    ),
    "reset_password-none": (
        "login/reset_password.html",
        lambda: {**_RESET, "form": Secret(), "why": "There is no password to set anew for this login.", "username": ""},
    ),
    "identify": (
        "login/identify.html",
        lambda: {
            **{"form": Phone(), "flow": _flow(), "people_url": None, "cancel_url": "/authorize/req_1/cancel", "about": "number"},
            "passkeys": True,
        },
    ),
    "passkey": ("login/passkey.html", lambda: PASSKEY),
    "passkey-unknown": ("login/passkey.html", lambda: {**PASSKEY, "problem": NO_ID, "signal": '{"credentialID": "AA"}'}),
    "passkey_offer": ("login/passkey_offer.html", lambda: {"address": "/login/flw_1/passkey_offer", "problem": ""}),
    "passkey_offer-wrong": ("login/passkey_offer.html", lambda: {"address": "/login/flw_1/passkey_offer", "problem": NO_ID}),
    "identify-providers": (
        "login/identify.html",
        lambda: {
            **{"form": Phone(), "flow": _flow(), "people_url": None, "cancel_url": None, "about": "number"},
            **{"providers": {"vk": "VK ID", "google": "Google"}, "notice": (LOST_PROVIDER, "VK ID")},
        },
    ),
    "identify-wrong": (
        "login/identify.html",
        lambda: {
            "form": filled(Phone(data={"phone": "12 34"}), {"phone": WRONG_PHONE}),
            "flow": _flow(client_name=None),
            "people_url": "/login/flw_1/people",
            "cancel_url": None,
            "about": "locked",
        },
    ),
    "people": (
        "login/people.html",
        lambda: {**{"people": PEOPLE, "flow": _flow(), "identify_url": "/login/flw_1/identify", "removing": False}, **ASKED_AGAIN},
    ),
    "people-removing": (
        "login/people.html",
        lambda: {"people": PEOPLE, "flow": _flow(), "identify_url": "/login/flw_1/identify", "removing": True, "remembered": True},
    ),
    "proof_of_work": ("login/proof_of_work.html", lambda: {**WORK, "form": Work()}),
    "proof_of_work-refused": (
        "login/proof_of_work.html",
        lambda: {**WORK, "form": filled(Work(), {"altcha": "That did not count. Press the button to try again."}), "plain_from": NOW},
    ),
    "phone_code": ("login/phone_code.html", lambda: {**CODE, "form": Code(data={"remember": True})}),
    "phone_code-eight": ("login/phone_code.html", lambda: {**CODE, "digits": 8, "form": Code()}),
    "phone_code-wrong": (
        "login/phone_code.html",
        lambda: {
            **CODE,
            "form": filled(Code(data={"remember": True, "code": "48293"}), {"code": WRONG_CODE}),
            "tries_left": 3,
            "state": "silent",
            "ways": tuple(Way(each, NOW) for each in ("sms", "email", "flash_call")),
            "channel": "voice",
            "sent": ("voice",),
        },
    ),
    "phone_code-failed": (
        "login/phone_code.html",
        lambda: {
            **CODE,
            "form": Code(),
            "channel": "flash_call",
            "sent": ("sms", "flash_call"),
            "state": "failed",
            "mark": "2-failed",
            "why": WHY,
            "ways": (Way("voice", NOW), Way("email", NOW), Way("sms", NOW), Way("flash_call", NOW)),
        },
    ),
    "phone_code-over": (
        "login/phone_code.html",
        lambda: {
            **CODE,
            "form": filled(Code(), {"code": "The time of this code is over. Ask for a new one."}),
            "expires_at": NOW,
            "state": "over",
            "mark": "over",
            "ways": (Way("sms", NOW),),
            "about": "locked",
        },
    ),
    "further_proof": ("login/further_proof.html", lambda: FURTHER),
    "further_proof-no-email": ("login/further_proof.html", lambda: {**FURTHER, "email": None}),
    "further_proof-administrator": ("login/further_proof.html", lambda: {**FURTHER, "anew": False}),
    "further_proof-by-password": (
        "login/further_proof.html",
        lambda: {**FURTHER, "email": None, "phone": MASKED, "anew": False, "by_number": False, "ways": WAYS},
    ),
    "further_proof-too-many": ("login/further_proof.html", lambda: {**FURTHER, "problem": "Too many codes were sent to this number."}),
    "totp": ("login/totp.html", lambda: {"form": Code(), "flow": _flow(), "tries_left": None, "about": "app"}),
    "totp-wrong": (
        "login/totp.html",
        lambda: {"form": filled(Code(data={"code": "482935"}), {"code": WRONG_CODE}), "flow": _flow(), "tries_left": 3, "about": "app"},
    ),
    "recovery_code": ("login/recovery_code.html", lambda: KEPT_CODE),
    "recovery_code-wrong": (
        "login/recovery_code.html",
        lambda: {**KEPT_CODE, "form": filled(Code(data={"code": "7k3m"}), {"code": WRONG_CODE}), "tries_left": 1},
    ),
    "recovery_code_left": ("login/recovery_code_left.html", lambda: {"left": 3, "of": 10, "onward": "/authorize/req_1"}),
    "email_code": ("login/email_code.html", lambda: {**MAIL, "form": Mail()}),
    "email_code-wrong": ("login/email_code.html", lambda: {**MAIL, "form": filled(Mail(), {"code": WRONG_CODE}), "resend_at": NOW}),
    "email_code-last": ("login/email_code.html", lambda: {**MAIL, "form": Mail(), "resend_at": None}),
    "phone_code-last": ("login/phone_code.html", lambda: {**CODE, "form": Code(), "ways": (), "channel": "email", "sent": ("email",)}),
    "receipts": (
        "login/receipts.html",
        lambda: {
            "flow": _flow(),
            "phone": PHONE,
            "code_id": "otp_01jd9w3m8k6t2zb4",
            "sendings": SENDINGS,
            "back_url": "/login/flw_1/phone_code?back=1",
            "here": "/login/flw_1/phone_code/receipts",
        },
    ),
    **{f"help-{about}": ("login/help.html", partial(_help, about)) for about in ("code", "linked")},
    "register": ("login/register.html", lambda: {"form": Sign(), "phone": PHONE, "flow": _flow()}),
    "register-anew": ("login/register.html", lambda: {"form": Sign(), "phone": PHONE, "flow": _flow(), "anew": True}),
    "register-wrong": (
        "login/register.html",
        lambda: {"form": filled(Sign(), {"name": WRONG_FIELD, "terms": WRONG_FIELD}), "phone": PHONE, "flow": _flow()},
    ),
    "account": ("oidc/account.html", lambda: CHOICE),
    "account-many": ("oidc/account.html", lambda: {**CHOICE, "companies": PLACES + [_place(n, f"ООО «Лавка {n}»") for n in range(6, 12)]}),
    "account-found-nothing": ("oidc/account.html", lambda: {**CHOICE, "companies": [], "shopping": [], "query": "Роза"}),
    "no_account": (
        "oidc/no_account.html",
        lambda: {
            "client_name": "Кабинет продавца",
            "person_name": "Анна Смирнова",
            "switch_url": "/a",
            "cancel_url": "/authorize/req_1/cancel",
        },
    ),
    "form_post": (
        "oidc/form_post.html",
        lambda: {"action": "https://rp.example/callback", "host": "rp.example", "parameters": {"code": "c0de", "state": "a&b"}},
    ),
    "consent": ("oidc/consent.html", lambda: CONSENT),
    "consent-person": ("oidc/consent.html", lambda: {**CONSENT, "company": None, "switch_url": None, "do": []}),
    "consent-unverified": ("oidc/consent.html", lambda: {**CONSENT, "client": {**CONSENT["client"], "unverified": True}}),
    "consent-device": (
        "oidc/consent.html",
        lambda: {
            **CONSENT,
            "company": None,
            "return_host": "",
            "device": {"user_code": "BCDF-GHJK", "at": NOW, "name": "Chrome, Android TV", "network": "198.51.100.0/24", "is_here": False},
        },
    ),
    "device": ("oidc/device.html", lambda: {"form": Waiting(data={"user_code": "BCDF-GHJK"})}),
    "device-wrong": ("oidc/device.html", lambda: {"form": filled(Waiting(data={"user_code": "bcdf"}), {"user_code": WRONG_FIELD})}),
    "device_done": ("oidc/device_done.html", lambda: {"allowed": True}),
    "device_done-refused": ("oidc/device_done.html", lambda: {"allowed": False}),
    "end_session": (
        "oidc/end_session.html",
        lambda: {
            "client_name": "Кабинет продавца",
            "person_name": "Анна Смирнова",
            "action": "/end_session",
            "fields": {"client_id": "cli_seller", "state": "a&b"},
            "cancel_url": "/",
        },
    ),
    "signed_out": (
        "oidc/signed_out.html",
        lambda: {
            "ended": [Ended("Кабинет продавца", told=True), Ended("Полка", told=False)],
            "frame_urls": [],
            "return_url": "https://seller.example/",
            "goes_on": False,
            "client_name": "Кабинет продавца",
        },
    ),
    "signed_out-frames": (
        "oidc/signed_out.html",
        lambda: {
            "ended": [Ended("Кабинет продавца", told=True)],
            "frame_urls": ["https://seller.example/logout?a=b&iss=https%3A%2F%2Fid.example&sid=ses_1"],
            "return_url": "https://seller.example/signed-out?state=a%26b",
            "goes_on": False,  # else the sample would be left while somebody looks at it
            "client_name": "Кабинет продавца",
        },
    ),
    "signed_out-alone": (
        "oidc/signed_out.html",
        lambda: {"ended": [], "frame_urls": [], "return_url": None, "goes_on": False, "client_name": None},
    ),
    "profile": ("account/profile.html", lambda: {**PROFILE, "form": About(data={"name": "Анна Смирнова", "gender": "female"})}),
    "profile-wrong": (
        "account/profile.html",
        lambda: {
            **PROFILE,
            "picture": "",
            "form": filled(About(), {"name": WRONG_FIELD, "birthdate": "Enter a date, for example 1990-05-31."}),
        },
    ),
    "avatar": ("account/avatar.html", lambda: {**SHELL, "person": {**ME, "picture": "/static/mark.svg"}, "picture": "x", "form": File()}),
    "avatar-wrong": (
        "account/avatar.html",
        lambda: {**SHELL, "picture": "", "form": filled(File(), {"picture": "Choose a picture first."})},
    ),
    "language": (
        "account/language.html",
        lambda: {
            **SHELL,
            "form": Spoken(data={"locale": "ru", "zoneinfo": "Europe/Moscow"}),
            "locales": [("ru", "Русский"), ("en", "English"), ("zh", "中文")],
            "zones": [("Europe/Moscow", "Москва (Europe/Moscow)")],
        },
    ),
    "language-wrong": (
        "account/language.html",
        lambda: {
            **SHELL,
            "form": filled(Spoken(data={"locale": "xx", "zoneinfo": ""}), {"locale": "Choose one of the list."}),
            "locales": [("ru", "Русский"), ("en", "English"), ("zh", "中文")],
            "zones": [("Europe/Moscow", "Москва (Europe/Moscow)")],
        },
    ),
    "account-phone": ("account/phone.html", lambda: {**SHELL, "form": Form(), "phone": PHONE, "problem": ""}),
    "account-phone-too-many": ("account/phone.html", lambda: {**SHELL, "form": Form(), "phone": PHONE, "problem": "Too many codes."}),
    "account-phone_new": ("account/phone_new.html", lambda: {**SHELL, "form": Phone()}),
    "account-phone_new-wrong": (
        "account/phone_new.html",
        lambda: {**SHELL, "form": filled(Phone(data={"phone": "12 34"}), {"phone": WRONG_PHONE})},
    ),
    "account-email": ("account/email.html", lambda: {**SHELL, "form": Address(), "email": "anna@post.example", "removable": True}),
    "account-email-none": ("account/email.html", lambda: {**SHELL, "form": Address(), "email": "", "removable": False}),
    "account-email-wrong": (
        "account/email.html",
        lambda: {
            **SHELL,
            "form": filled(Address(data={"email": "anna"}), {"email": "Enter an e-mail address, for example name@example.com."}),
            "email": "",
            "removable": False,
        },
    ),
    "account-code": ("account/code.html", lambda: {**ACCOUNT_CODE, "form": Mail()}),
    "account-code-wrong": (
        "account/code.html",
        lambda: {
            **ACCOUNT_CODE,
            "channel": "email",
            "to": "anna@post.example",
            "form": filled(Mail(), {"code": WRONG_CODE}),
            "ways": [("email", NOW)],
        },
    ),
    "account-code-over": (
        "account/code.html",
        lambda: {
            **ACCOUNT_CODE,
            "form": filled(Mail(), {"code": "The time of this code is over. Ask for a new one."}),
            "is_open": False,
            "ways": [],
        },
    ),
    "email_undo": ("account/email_undo.html", lambda: {"former": "anna@post.example", "present": "t•••@e•••.example", "at": NOW}),
    "email_undone": ("account/email_undone.html", lambda: {"restored": True}),
    "email_undone-taken": ("account/email_undone.html", lambda: {"restored": False}),
    "passkey_add": ("account/passkey_add.html", lambda: {**SHELL, "address": "/account/passkeys/add", "problem": ""}),
    "passkey_add-wrong": ("account/passkey_add.html", lambda: {**SHELL, "address": "/account/passkeys/add", "problem": NO_ID}),
    "passkey-mine": ("account/passkey.html", lambda: {**SHELL, "passkey": KEY, "form": Sign(data={"name": "iPhone"}), "added": False}),
    "passkey-added": ("account/passkey.html", lambda: {**SHELL, "passkey": KEY, "form": Sign(data={"name": "iPhone"}), "added": True}),
    "passkey-wrong": (
        "account/passkey.html",
        lambda: {**SHELL, "passkey": KEY, "form": filled(Sign(), {"name": WRONG_FIELD}), "added": False},
    ),
    "passkey_remove": ("account/passkey_remove.html", lambda: {**SHELL, "passkey": KEY, "is_last": False}),
    "passkey_remove-last": ("account/passkey_remove.html", lambda: {**SHELL, "passkey": KEY, "is_last": True}),
    "passkey_removed": ("account/passkey_removed.html", lambda: {**SHELL, "signal": "{}"}),
    "authenticator": ("account/authenticator.html", lambda: {**SHELL, "live": None}),
    "authenticator-live": ("account/authenticator.html", lambda: {**SHELL, "live": totp.Live("atc_1", NOW, None)}),
    "authenticator_set_up": ("account/authenticator_set_up.html", lambda: SET_UP),
    "authenticator_set_up-wrong": (
        "account/authenticator_set_up.html",
        lambda: {**SET_UP, "replaces": True, "form": filled(Code(data={"code": "482935"}), {"code": WRONG_CODE})},
    ),
    "recovery_codes": ("account/recovery_codes.html", lambda: RECOVERY),
    "recovery_codes-none": ("account/recovery_codes.html", lambda: {**RECOVERY, "left": None, "problem": True}),
    "recovery_codes_made": (
        "account/recovery_codes_made.html",
        lambda: {**SHELL, "codes": [f"7k3m-x9qd-4tf{n}" for n in range(10)], "made_at": NOW},
    ),
    "security": ("account/security.html", lambda: SECURITY),
    "social": ("login/social.html", lambda: LINK),
    "social-no-names": ("login/social.html", lambda: {**LINK, "there": "", "name": "", "phone": ""}),
    "providers": ("account/providers.html", lambda: PROVIDERS),
    "providers-none": ("account/providers.html", lambda: {**PROVIDERS, "linked": [], "free": {}, "notice": None}),
    "apps": ("account/apps.html", lambda: {**SHELL, "apps": [APP, {**APP, "id": "shelf", "name": "Полка", "ours": True, "used_at": None}]}),
    "own_password": (
        "account/password.html",
        lambda: {**SHELL, "form": Own(data={"sign_out": True}), "since": None, "login": "anna@post.example"},
    ),
    "own_password-wrong": (
        "account/password.html",
        lambda: {
            **SHELL,
            "form": filled(Own(), {"password": "At least 8 characters.", "password_again": "These are not the same."}),
            "since": NOW,
            "is_last": False,
            "login": "",
        },
    ),
    "own_password-last": (
        "account/password.html",
        lambda: {**SHELL, "form": Own(data={"sign_out": True}), "since": NOW, "is_last": True, "login": "anna@post.example"},
    ),
    "apps-none": ("account/apps.html", lambda: {**SHELL, "apps": []}),
    "app": ("account/app.html", lambda: {**SHELL, "app": APP, "action": "/account/apps/reports"}),
    "app-ours": (
        "account/app.html",
        lambda: {**SHELL, "app": {**APP, "ours": True, "consented": False, "do": [], "used_at": None}, "action": "/account/apps/reports"},
    ),
    "activity": (
        "account/activity.html",
        lambda: {**SHELL, "days": DAYS, "kinds": ACTIVITY_KINDS, "kind": "", "newer": True, "older": "c"},
    ),
    "activity-none": (
        "account/activity.html",
        lambda: {**SHELL, "days": [], "kinds": ACTIVITY_KINDS, "kind": "apps", "newer": False, "older": ""},
    ),
    "data": ("account/data.html", lambda: {**SHELL, "due_at": None}),
    "data-leaving": ("account/data.html", lambda: {**SHELL, "person": {**ME, "deletion_due_at": NOW}, "due_at": NOW}),
    "download": ("account/download.html", lambda: {**SHELL, "parts": ["Profile", "Activity"], "left": 2}),
    "download-enough": ("account/download.html", lambda: {**SHELL, "parts": ["Profile"], "left": 0}),
    "archive": (
        "account/archive.html",
        lambda: {
            "brand_name": "Базар ID",
            "made_at": NOW,
            "parts": [
                {"title": "Profile", "columns": ["What", "Value"], "rows": [["name", "Анна Смирнова"]], "left_out": 5},
                {"title": "Activity", "columns": ["When", "What"], "rows": [], "left_out": 0},
            ],
        },
    ),
    "deletion": ("account/deletion.html", lambda: LEAVING),
    "deletion-wrong": ("account/deletion.html", lambda: {**LEAVING, "errors": ["Tick this if you want your ID deleted."]}),
    "deletion-owner": ("account/deletion.html", lambda: {**LEAVING, "owned": ["ООО «Ромашка»"]}),
    "deletion-awaited": ("account/deletion.html", lambda: {**LEAVING, "due_at": NOW + timedelta(days=14), "asked_at": NOW}),
    "not_me": ("account/not_me.html", lambda: {**SHELL}),
    "security-browsers": (
        "account/security.html",
        lambda: {**SECURITY, "below": [{"name": Markup("browsers"), "row": {"browsers": BROWSERS, "more": 3, "others": 2}}]},
    ),
    "security-no-number": (
        "account/security.html",
        lambda: {**SECURITY, "rows": [{"name": Markup("phone"), "row": {"phone": "", "verified_at": None}}]},
    ),
    "recover": ("login/recover.html", lambda: {"flow": _flow(), "form": Lost()}),
    "recover-wrong": (
        "login/recover.html",
        lambda: {"flow": _flow(), "form": filled(Lost(data={"login": "12"}), {"login": WRONG_PHONE, "phone": WRONG_PHONE})},
    ),
    "recover_code": (
        "login/recover_code.html",
        lambda: {"flow": _flow(), "form": Mail(), "sent": LOST_SENT, "ways": (Way("sms", NOW), Way("voice", NOW)), "now": NOW},
    ),
    "recover_ways": ("login/recover_ways.html", lambda: {"flow": _flow(), "phone": PHONE, "problem": "", "passkey_shown": False}),
    "recover_ways-refused": (
        "login/recover_ways.html",
        lambda: {"flow": _flow(), "phone": PHONE, "problem": "Wait a little and try again.", "passkey_shown": True},
    ),
    "recover_email": (
        "login/recover_email.html",
        lambda: {"flow": _flow(), "form": Mail(), "sent": LOST_SENT, "is_proved": False, "resend_at": NOW, "now": NOW, "example": "7k3m"},
    ),
    "recover_email-proved": (
        "login/recover_email.html",
        lambda: {"flow": _flow(), "form": Mail(), "sent": LOST_SENT, "is_proved": True, "resend_at": NOW, "now": NOW, "example": "7k3m"},
    ),
    "recover_state": ("login/recover_state.html", lambda: STATE),
    "recover_state-asking": ("login/recover_state.html", lambda: {**STATE, "state": "asking", "vouch_code": "7k3m-x9qd"}),
    "recover_state-due": ("login/recover_state.html", lambda: {**STATE, "is_due": True}),
    "recover_state-over": ("login/recover_state.html", lambda: {**STATE, "state": "cancelled"}),
    "recover_asked": ("login/recover_asked.html", lambda: {"flow": _flow(), "case": LOST}),
    "recover_link": ("login/recover_link.html", lambda: {"case": LOST}),
    "vouch": ("account/vouch.html", lambda: {**SHELL, "form": Mail()}),
    "vouch_person": (
        "account/vouch_person.html",
        lambda: {**SHELL, "name": "Тимур Гареев", "phone": PHONE, "companies": ["ООО «Ромашка»"], "done": False, "problem": ""},
    ),
    "vouch_person-done": (
        "account/vouch_person.html",
        lambda: {**SHELL, "name": "Тимур Гареев", "phone": PHONE, "companies": ["ООО «Ромашка»"], "done": True, "was_enough": True},
    ),
    "security-recovery": (
        "account/security.html",
        lambda: {
            **SECURITY,
            "above": [{"name": Markup("recovery"), "row": {"case": LOST, "administers": True}}],
            "below": [{"name": Markup("vouch"), "row": {"case": LOST, "administers": True}}],
        },
    ),
    "refusal": ("errors/refusal.html", lambda: REFUSAL),
    "refusal-ours": (
        "errors/refusal.html",
        lambda: {**REFUSAL, "client_name": None, "client_id": None, "description": None, "restart_url": None, "support_url": None},
    ),
    "inbox": ("messages/inbox.html", lambda: {"messages": SENT, "to": ""}),
    "inbox-empty": ("messages/inbox.html", lambda: {"messages": [], "to": ""}),
    "inbox-nothing-found": ("messages/inbox.html", lambda: {"messages": [], "to": PHONE}),
}


def everywhere(lang: str) -> dict[str, Any]:
    """What every template finds, as `idp/web/pages.py` gives it."""
    return {
        **languages.texts(lang, "Europe/Moscow"),
        "lang": lang,
        "languages": languages.switches("/login/flw_1/identify"),
        "brand": {
            "name": BRANDS[lang],
            "support_url": "/help",
            "support_email": "help@bazar.example",
            "support_phone": "+78005553535",
            "privacy_url": "/privacy",
            "terms_url": "/terms",
        },
        "nonce": "n0nce",
        "static": "/static/{}".format,
        "request_id": "req_01JD9W3M8K6T2ZB4",
        "csrf": CSRF,
    }


def rendered(page: str, lang: str, change: Callable[[Any], Any] = lambda context: context) -> str:
    """The HTML of a sample page; `change` may alter its context first."""
    template, context = SAMPLES[page]
    return environment().get_template(template).render({**everywhere(lang), **change(context())})
