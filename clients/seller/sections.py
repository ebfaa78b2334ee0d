"""Which sections the seller portal has, and which permission opens which.

A section opens to those who hold one of its `needs`; a part of it to those who hold one of the part's. So a warehouse operator
sees what is to be shipped without the routes, and an accountant the documents without anything else.
"""

from dataclasses import dataclass
from zlib import crc32

from clients.seller import demo
from clients.texts import N_


@dataclass(frozen=True)
class Part:
    """One table of a section. Without one of `writes` it is shown as view only."""

    key: str
    title: str
    needs: tuple[str, ...]
    writes: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[demo.Row, ...]

    def is_figure(self, column: int) -> bool:
        """Is this a column of numbers, to be set to the right?"""
        return isinstance(self.rows[0][column], demo.Money | demo.Figure)

    def rows_for(self, company_id: str) -> tuple[demo.Row, ...]:
        """The rows of one company: one of the rows is not theirs, so that a switch can be seen."""
        missing = crc32(company_id.encode()) % len(self.rows)
        return self.rows[:missing] + self.rows[missing + 1 :]


@dataclass(frozen=True)
class Section:
    """One entry of the menu. `facts`: it shows what the provider says about the company."""

    key: str
    title: str
    lead: str
    needs: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    facts: bool = False


_ALL = (
    Section(
        "orders",
        N_("Orders"),
        N_("What has been bought, and by whom."),
        ("orders:read", "customers:read"),
        (
            Part(
                "list",
                N_("New orders"),
                ("orders:read",),
                ("orders:write",),
                (N_("Order"), N_("Date"), N_("Pieces"), N_("Sum"), N_("State")),
                demo.ORDERS,
            ),
            Part(
                "customers",
                N_("Customers"),
                ("customers:read",),
                ("customers:write",),
                (N_("Customer"), N_("City"), N_("Orders"), N_("Last order")),
                demo.CUSTOMERS,
            ),
        ),
    ),
    Section(
        "products",
        N_("Products and prices"),
        N_("What is on sale, for how much, and how it looks in the shop."),
        ("products:read",),
        (
            Part(
                "list",
                N_("Products"),
                ("products:read",),
                ("products:write", "prices:write", "photos:write"),
                (N_("Product"), N_("Article"), N_("Price"), N_("Photos"), N_("State")),
                demo.PRODUCTS,
            ),
        ),
    ),
    Section(
        "stock",
        N_("Warehouse"),
        N_("How much lies where, and what is reserved."),
        ("stock:read",),
        (
            Part(
                "list",
                N_("In stock"),
                ("stock:read",),
                ("stock:write",),
                (N_("Product"), N_("Place"), N_("In stock"), N_("Reserved")),
                demo.STOCK,
            ),
        ),
    ),
    Section(
        "logistics",
        N_("Logistics"),
        N_("Shipments, routes and returns."),
        ("logistics:read", "shipping:read", "returns:read"),
        (
            Part(
                "shipping",
                N_("To ship today"),
                ("shipping:read",),
                ("shipping:write", "labels:print"),
                (N_("Order"), N_("Pieces"), N_("Where to"), N_("State")),
                demo.SHIPMENTS,
            ),
            Part(
                "routes",
                N_("Routes"),
                ("logistics:read",),
                ("logistics:write",),
                (N_("Route"), N_("Date"), N_("Boxes"), N_("State")),
                demo.ROUTES,
            ),
            Part(
                "returns",
                N_("Returns"),
                ("returns:read",),
                ("returns:write",),
                (N_("Order"), N_("Date"), N_("Reason"), N_("State")),
                demo.RETURNS,
            ),
        ),
    ),
    Section(
        "finance",
        N_("Finance"),
        N_("Documents and settlements with the marketplace."),
        ("finance:read", "documents:read"),
        (
            Part(
                "documents",
                N_("Documents"),
                ("documents:read",),
                ("finance:write",),
                (N_("Document"), N_("Number"), N_("Date"), N_("Sum")),
                demo.DOCUMENTS,
            ),
            Part(
                "settlements",
                N_("Settlements"),
                ("finance:read",),
                ("finance:write",),
                (N_("Week until"), N_("Sold"), N_("Commission"), N_("To be paid"), N_("State")),
                demo.SETTLEMENTS,
            ),
        ),
    ),
    Section(
        "employees",
        N_("Employees"),
        N_("Who works here and what each may do."),
        ("employees:read",),
        (
            Part(
                "list",
                N_("Employees"),
                ("employees:read",),
                ("employees:write", "roles:write"),
                (N_("Name"), N_("Role"), N_("Last sign-in"), N_("State")),
                demo.EMPLOYEES,
            ),
        ),
    ),
    Section(
        "partners",
        N_("Partners"),
        N_("Which technology partners act for the company."),
        ("partners:read",),
        (
            Part(
                "list",
                N_("Connected"),
                ("partners:read",),
                ("partners:write",),
                (N_("Partner"), N_("What for"), N_("Since"), N_("State")),
                demo.PARTNERS,
            ),
        ),
    ),
    Section("company", N_("Company"), N_("The company as the sign-in service knows it at this moment."), ("company:read",), facts=True),
)

SECTIONS = {section.key: section for section in _ALL}
