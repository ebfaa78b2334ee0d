"""The portals of the tests: each in its own process-like server on loopback, beside the laboratory's provider."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.partner.app import create_app as partner_app
from clients.seller.app import create_app as seller_app
from clients.staff.app import create_app as staff_app
from tests.clients.lab import Browser, Lab, environment, serve
from tests.machine import free_port


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    with serve(lab.app()) as port:
        lab.issuer = f"http://localhost:{port}"
        yield lab


@pytest.fixture
def seller(lab: Lab, tmp_path: Path) -> Iterator[str]:
    """The seller portal; gives its address."""
    port = free_port()
    with serve(seller_app(environment(lab, port, tmp_path / "seller.sqlite3")), port):
        yield f"http://localhost:{port}"


@pytest.fixture
def staff(lab: Lab, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    links = '{"seller": "http://localhost:8001"}'
    with serve(staff_app(environment(lab, port, tmp_path / "staff.sqlite3", PORTAL_LINKS=links)), port):
        yield f"http://localhost:{port}"


@pytest.fixture
def partner(lab: Lab, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    with serve(partner_app(environment(lab, port, tmp_path / "partner.sqlite3")), port):
        yield f"http://localhost:{port}"


@pytest.fixture
def browser(seller: str) -> Iterator[Browser]:
    """A browser at the seller portal, nobody signed in."""
    with Browser(seller) as browser:
        yield browser
