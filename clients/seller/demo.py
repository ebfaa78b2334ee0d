"""The rows that the sections show: invented, and said to be so on the page. No money moves by them."""

from dataclasses import dataclass

from clients.texts import N_


@dataclass(frozen=True)
class Money:
    """Roubles, as text with a dot: exact."""

    amount: str


@dataclass(frozen=True)
class Figure:
    value: int


@dataclass(frozen=True)
class Day:
    """So many days ago."""

    ago: int


@dataclass(frozen=True)
class State:
    """`look` is ok, warn, bad or nothing; `word` a text."""

    look: str
    word: str


@dataclass(frozen=True)
class Verbatim:
    """The same in every language: numbers of documents, names."""

    text: str


Row = tuple[Money | Figure | Day | State | Verbatim | str, ...]

NEW, PACKED, SENT = State("warn", N_("New")), State("", N_("Being packed")), State("ok", N_("Sent"))
ON_SALE, HIDDEN, NO_PHOTO = State("ok", N_("On sale")), State("", N_("Hidden")), State("warn", N_("Photo wanted"))
PAID, WAITING = State("ok", N_("Paid")), State("warn", N_("Waiting"))
WORKS = State("ok", N_("Works"))

SHIRT, TEAPOT, LAMP = N_("Linen shirt, white"), N_("Clay teapot, 0.8 l"), N_("Desk lamp, brass")
BLANKET, NOTEBOOK = N_("Wool blanket, grey"), N_("Notebook, squared, A5")
MOSCOW, KAZAN, PERM = N_("Moscow"), N_("Kazan"), N_("Perm")

ORDERS: tuple[Row, ...] = (
    (Verbatim("48-2091"), Day(0), Figure(2), Money("4380"), NEW),
    (Verbatim("48-2088"), Day(0), Figure(1), Money("1290"), NEW),
    (Verbatim("48-2075"), Day(1), Figure(5), Money("12450"), PACKED),
    (Verbatim("48-2061"), Day(2), Figure(1), Money("6900"), SENT),
    (Verbatim("48-2044"), Day(3), Figure(3), Money("3870"), SENT),
)
CUSTOMERS: tuple[Row, ...] = (
    (N_("Olga P."), MOSCOW, Figure(7), Day(0)),
    (N_("Timur G."), KAZAN, Figure(2), Day(1)),
    (N_("Vera L."), PERM, Figure(4), Day(5)),
    (N_("Ivan K."), MOSCOW, Figure(1), Day(9)),
)
PRODUCTS: tuple[Row, ...] = (
    (SHIRT, Verbatim("LN-114"), Money("2190"), Figure(6), ON_SALE),
    (TEAPOT, Verbatim("CT-080"), Money("1290"), Figure(4), ON_SALE),
    (LAMP, Verbatim("LB-007"), Money("6900"), Figure(5), ON_SALE),
    (BLANKET, Verbatim("WB-201"), Money("4150"), Figure(0), NO_PHOTO),
    (NOTEBOOK, Verbatim("NB-A5K"), Money("349.50"), Figure(2), HIDDEN),
)
STOCK: tuple[Row, ...] = (
    (SHIRT, Verbatim("A-04-2"), Figure(118), Figure(12)),
    (TEAPOT, Verbatim("B-11-1"), Figure(64), Figure(3)),
    (LAMP, Verbatim("B-02-5"), Figure(9), Figure(1)),
    (BLANKET, Verbatim("C-07-1"), Figure(0), Figure(0)),
    (NOTEBOOK, Verbatim("A-01-3"), Figure(1430), Figure(0)),
)
SHIPMENTS: tuple[Row, ...] = (
    (Verbatim("48-2091"), Figure(2), MOSCOW, NEW),
    (Verbatim("48-2088"), Figure(1), KAZAN, NEW),
    (Verbatim("48-2075"), Figure(5), PERM, PACKED),
    (Verbatim("48-2070"), Figure(1), MOSCOW, PACKED),
)
ROUTES: tuple[Row, ...] = (
    (N_("Kazan — Moscow"), Day(0), Figure(24), WAITING),
    (N_("Kazan — Perm"), Day(1), Figure(9), SENT),
    (N_("Moscow — Kazan"), Day(2), Figure(31), SENT),
)
RETURNS: tuple[Row, ...] = (
    (Verbatim("48-1987"), Day(1), N_("The size does not fit"), WAITING),
    (Verbatim("48-1952"), Day(3), N_("Arrived damaged"), State("ok", N_("Accepted"))),
    (Verbatim("48-1940"), Day(4), N_("Changed their mind"), State("ok", N_("Accepted"))),
)
DOCUMENTS: tuple[Row, ...] = (
    (N_("Act of services"), Verbatim("УПД-311"), Day(4), Money("18420.60")),
    (N_("Report of the commission agent"), Verbatim("КО-046"), Day(7), Money("214300")),
    (N_("Invoice for advertising"), Verbatim("СЧ-127"), Day(9), Money("9500")),
    (N_("Act of reconciliation"), Verbatim("АС-012"), Day(22), Money("0")),
)
SETTLEMENTS: tuple[Row, ...] = (
    (Day(2), Money("86140"), Money("12921"), Money("73219"), WAITING),
    (Day(9), Money("91020"), Money("13653"), Money("77367"), PAID),
    (Day(16), Money("78450.50"), Money("11767.58"), Money("66682.92"), PAID),
)
EMPLOYEES: tuple[Row, ...] = (
    (N_("Alexey Orlov"), N_("Owner"), Day(0), WORKS),
    (N_("Elena Belova"), N_("Accountant"), Day(1), WORKS),
    (N_("Timur Gareev"), N_("Manager"), Day(0), WORKS),
    (N_("Marat Karimov"), N_("Warehouse operator"), Day(12), State("bad", N_("Blocked"))),
)
PARTNERS: tuple[Row, ...] = (
    (Verbatim("StockFlow"), N_("Keeps stock equal in all shops"), Day(120), WORKS),
    (Verbatim("Etiketka"), N_("Prints labels"), Day(34), WORKS),
    (Verbatim("PriceRadar"), N_("Suggests prices"), Day(3), State("warn", N_("Not used yet"))),
)
