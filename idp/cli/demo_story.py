"""The story that the demo tells, as data, and `seed`, which writes it: three companies, the people in them, a family, two partners.

Every number, name and address here is invented; INN, OGRN and bank accounts have valid check digits in ranges that are not given out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from idp import clock
from idp.credentials import password
from idp.directory import accounts, companies, employees, invitations, partners, roles, users
from idp.directory.accounts import Standing
from idp.directory.companies import Kind

TERMS = "2026-11-01"
OFFER = "2026-11-01"


@dataclass(frozen=True)
class Person:
    """Who can sign in to the demo: `shows` says, in English, what there is to see as this person."""

    key: str
    phone: str
    name: str  # given, middle and family name
    nickname: str
    gender: str
    birthdate: str
    street: str
    shows: str
    user_id: str = ""


@dataclass(frozen=True)
class Seller:
    """A company of the demo."""

    key: str
    kind: Kind
    inn: str
    ogrn: str
    legal_name: str
    short_name: str
    owner: str
    bank_account: str
    warehouse: str
    site: str


@dataclass(frozen=True)
class Work:
    """Who works where, as what."""

    person: str
    company: str
    role: str
    position: str


@dataclass(frozen=True)
class App:
    """A technology partner of the demo."""

    key: str
    name: str
    developer: str
    description: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Story:
    """What is in the database now, by the keys below. `invitation_token` is there only on the run that made it."""

    people: tuple[Person, ...]
    companies: dict[str, str]
    partners: dict[str, str]
    invitation_token: str | None = None


PEOPLE = (
    Person("anna", "+79005553501", "Анна Викторовна Смирнова", "Аня", "female", "1991-04-12", "ул. Лесная, д. 14, кв. 32",
           "five accounts, so a chooser: accountant of ООО «Ромашка», owner of her own firm, a suspended company, personal, business"),
    Person("orlov", "+79005553502", "Алексей Павлович Орлов", "Лёша", "male", "1984-09-03", "Малая Садовая ул., д. 5, кв. 8",
           "owner of ООО «Ромашка»: may do everything there"),
    Person("belova", "+79005553503", "Елена Андреевна Белова", "Лена", "female", "1988-01-27", "ул. Гагарина, д. 21, кв. 4",
           "administrator of ООО «Ромашка»"),
    Person("gareev", "+79005553504", "Тимур Ринатович Гареев", "Тим", "male", "1995-06-18", "ул. Баумана, д. 40, кв. 17",
           "manager of ООО «Ромашка», without the customers (restricted below the role)"),
    Person("lazareva", "+79005553505", "Юлия Сергеевна Лазарева", "Юля", "female", "1997-11-30", "ул. Мира, д. 3, кв. 55",
           "content manager of ООО «Ромашка», one company: no chooser in the seller portal"),
    Person("dyachenko", "+79005553506", "Ольга Ивановна Дьяченко", "Оля", "female", "1979-02-08", "ул. Заречная, д. 9, кв. 2",
           "warehouse operator of ООО «Ромашка»: shipping, returns, labels"),
    Person("karimov", "+79005553507", "Марат Ильдарович Каримов", "Марат", "male", "1993-08-21", "ул. Декабристов, д. 11, кв. 71",
           "blocked for a time in ООО «Ромашка»: sees the company and why he may not enter"),
    Person("laptev", "+79005553508", "Игорь Николаевич Лаптев", "Игорь", "male", "1976-12-05", "Литейный пр., д. 30, кв. 12",
           "owner of ООО «Северный ветер», which is suspended"),
    Person("zimina", "+79005553509", "Мария Олеговна Зимина", "Маша", "female", "1990-07-14", "ул. Садовая, д. 2, кв. 19",
           "a buyer who owns a family"),
    Person("zimin", "+79005553510", "Павел Дмитриевич Зимин", "Паша", "male", "1989-03-25", "ул. Садовая, д. 2, кв. 19",
           "a buyer in the family, exactly one account: never a chooser"),
)  # fmt: skip

COMPANIES = (
    Seller("romashka", "legal_entity", "7700491276", "1247799412739", "Общество с ограниченной ответственностью «Ромашка»", "ООО «Ромашка»",
           "orlov", "40702810900000412736", "Московская обл., г. Подольск, Складской проезд, д. 7", "romashka.example"),
    Seller("smirnova", "sole_proprietor", "770049138660", "321779990041380", "Индивидуальный предприниматель Смирнова Анна Викторовна",
           "ИП Смирнова А. В.", "anna", "40802810000000413865", "г. Москва, ул. Лесная, д. 14, помещение 2", "smirnova.example"),
    Seller("veter", "legal_entity", "7800935510", "1197899355147", "Общество с ограниченной ответственностью «Северный ветер»",
           "ООО «Северный ветер»", "laptev", "40702810900000935514", "г. Санкт-Петербург, Портовая ул., д. 15", "veter.example"),
)  # fmt: skip
BIK = "044599990"

WORK = (
    Work("belova", "romashka", "administrator", "Исполнительный директор"),
    Work("gareev", "romashka", "manager", "Менеджер по продажам"),
    Work("lazareva", "romashka", "content_manager", "Редактор карточек"),
    Work("anna", "romashka", "accountant", "Бухгалтер"),
    Work("dyachenko", "romashka", "warehouse_operator", "Кладовщик"),
    Work("karimov", "romashka", "warehouse_operator", "Кладовщик"),
    Work("anna", "veter", "manager", "Менеджер"),
)
RESTRICTED = ("gareev", ("customers:read", "customers:write"))
BLOCKED = ("karimov", timedelta(days=90), "Переоформляем пропуск на склад")
SUSPENDED = ("veter", "Истёк срок документов")
INVITED = ("romashka", "accountant", "pavlova@romashka.example", "Ирина Павлова")
FAMILY = ("zimina", "zimin")

PARTNERS = (
    App("polka", "Полка", "ООО «Полка Софт»", "Обновляет остатки и цены со склада.", ("company:read", "company:write")),
    App("uchyotka", "Учётка", "ООО «Учётка»", "Собирает документы для бухгалтерии.", ("company:read", "events:read")),
)
CONNECTED = ("romashka", "polka")


@dataclass(frozen=True)
class Secret:
    """Somebody of the demo who has a password: `login`, what is typed, its digest (so that nothing is hashed while it is written)."""

    login: str
    text: str
    digest: str
    shows: str


PERSONS_PASSWORD = Secret(
    "gareev@post.example",
    "two maps and a kettle",
    "$argon2id$v=19$m=19456,t=2,p=1$uaR+LIMt1oWUyxFdhKU64w$Cy+vxYlS9+tmzjaH41QseDJEgrSHD48kMD7F5xG6S2E",
    "Тимур Гареев: e-mail and password; phone and code work as ever",
)
STORES_PASSWORD = Secret(
    "kassa@romashka.example",
    "seven crates of pears",
    "$argon2id$v=19$m=19456,t=2,p=1$txEvQOq5gOe76oG7jHBuRQ$A12bHwuBLatv6kwFykk3BorkIso5zfEFueWmjPkvPus",
    "a login of ООО «Ромашка» that is linked to no ID yet: a code to the e-mail, then phone, code, and the question to which ID",
)


def give_passwords() -> tuple[Secret, ...]:
    """For the demo alone: a person and a store with a password, unless they are there. Runs inside the caller's `writes()`."""
    login = password.read_login(PERSONS_PASSWORD.login)
    person = password.find_owner(login)
    if person is not None and person.digest is None:
        password.keep(person.id, PERSONS_PASSWORD.digest, user_id=person.user_id, reason="set")
    company = companies.find_by_inn(COMPANIES[0].inn)
    if company is not None and password.find_owner(password.read_login(STORES_PASSWORD.login)) is None:
        roles_ = [roles.built_in("warehouse_operator")]
        employee = employees.add(company.id, roles_, login_email=STORES_PASSWORD.login, name="Касса", by=_owner(company.id))
        password.keep(employee.account_id, STORES_PASSWORD.digest, user_id=None, reason="set")
    return PERSONS_PASSWORD, STORES_PASSWORD


def seed() -> Story:
    """Write the story, unless it is there; then what has become of it stays as it is. Runs inside the caller's `writes()`."""
    roles.install()
    if companies.find_by_inn(COMPANIES[0].inn) is not None:
        return _what_is_there()
    ids = {person.key: _sign_up(person) for person in PEOPLE}
    firms = {seller.key: _register(seller, ids[seller.owner]) for seller in COMPANIES}
    staff = {(work.person, work.company): _hire(work, ids[work.person], firms[work.company]) for work in WORK}
    accounts.open_account("business", user_id=ids["anna"], company_id=firms["romashka"])
    employees.restrict(staff[RESTRICTED[0], "romashka"], RESTRICTED[1])
    employees.block(staff[BLOCKED[0], "romashka"], clock.now() + BLOCKED[1], BLOCKED[2])
    companies.suspend(firms[SUSPENDED[0]], SUSPENDED[1])
    _make_family(ids[FAMILY[0]], ids[FAMILY[1]])
    apps = {app.key: partners.publish(app.key, app.name, app.developer, app.scopes, description=app.description) for app in PARTNERS}
    _connect(firms[CONNECTED[0]], apps[CONNECTED[1]])
    company, role, email, name = INVITED
    issued = invitations.create(firms[company], roles.built_in(role), inviter=_owner(firms[company]), email=email, name=name)
    return _what_is_there(issued.token)


def _what_is_there(invitation_token: str | None = None) -> Story:
    found_people = ((person, users.find_by_phone(person.phone)) for person in PEOPLE)
    found_companies = ((seller.key, companies.find_by_inn(seller.inn)) for seller in COMPANIES)
    found_partners = ((app.key, partners.find_by_key(app.key)) for app in PARTNERS)
    return Story(
        people=tuple(Person(**{**vars(person), "user_id": user.id}) for person, user in found_people if user),
        companies={key: company.id for key, company in found_companies if company},
        partners={key: partner.id for key, partner in found_partners if partner},
        invitation_token=invitation_token,
    )


def _sign_up(person: Person) -> str:
    given, middle, family = person.name.split()
    user = users.register(person.phone, f"{given} {family}", "ru-RU", TERMS)
    page = f"https://people.example/{person.key}"
    address = {"street_address": person.street, "locality": "Москва", "region": "Москва", "postal_code": "125047", "country": "Россия"}
    claims = {
        "given_name": given,
        "middle_name": middle,
        "family_name": family,
        "nickname": person.nickname,
        "preferred_username": person.key,
        "profile": page,
        "picture": f"{page}/portrait.jpg",
        "website": f"https://{person.key}.example/",
        "gender": person.gender,
        "birthdate": person.birthdate,
        "zoneinfo": "Europe/Moscow",
        "address": {**address, "formatted": f"{person.street}, Москва, 125047, Россия"},
    }
    users.change_profile(user.id, claims)
    users.confirm_email(user.id, f"{person.key}@post.example")
    return user.id


def _register(seller: Seller, owner_user_id: str) -> str:
    company = companies.register(
        seller.kind,
        seller.inn,
        seller.legal_name,
        short_name=seller.short_name,
        ogrn=seller.ogrn,
        owner_user_id=owner_user_id,
        owner_name=users.get(owner_user_id).name,
        owner_email=f"{seller.owner}@{seller.site}",
        offer_version=OFFER,
    )
    companies.change_details(company.id, bik=BIK, bank_account=seller.bank_account, warehouse_address=seller.warehouse)
    companies.activate(company.id)
    return company.id


def _hire(work: Work, user_id: str, company_id: str) -> str:
    site = next(seller.site for seller in COMPANIES if seller.key == work.company)
    employee = employees.add(
        company_id,
        [roles.built_in(work.role)],
        user_id=user_id,
        name=users.get(user_id).name,
        email=f"{work.person}@{site}",
        position=work.position,
        by=_owner(company_id),
    )
    return employee.id


def _owner(company_id: str) -> Standing:
    owner = companies.owner_of(company_id)
    standing = accounts.standing(owner.account_id) if owner else None
    if standing is None:
        raise RuntimeError(f"{company_id} has no owner: registering gives it one")
    return standing


def _make_family(owner_user_id: str, member_user_id: str) -> None:
    account_id = accounts.personal_of(owner_user_id)
    accounts.give_premium(account_id)
    owner = accounts.standing(account_id)
    member = users.get(member_user_id)
    if owner is not None and member.email is not None:
        issued = invitations.create_for_family(owner, email=member.email)
        invitations.accept(issued.token, member_user_id)


def _connect(company_id: str, partner_id: str) -> None:
    scopes = next(app.scopes for app in PARTNERS if app.key == CONNECTED[1])
    connection_id = partners.request(partner_id, scopes, by=_owner(company_id))
    partners.confirm(connection_id, partner_id=partner_id)
