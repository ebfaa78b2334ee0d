"""What these tests stand on: an empty database, and far ends that do what gateways do."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from tests.ground import ground
from tests.journeys.authority import certify
from tests.journeys.stage import Tls
from tests.messages.far_end import FarEnd, http_gateway

__all__ = ["ground"]


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A certificate for localhost, and the authority that signed it."""
    return certify(tmp_path_factory.mktemp("tls"), ["localhost"])


@pytest.fixture(scope="session")
def serving_tls(tls: Tls) -> ssl.SSLContext:
    """What a server speaks TLS with."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls.certificate, tls.key)
    return context


@pytest.fixture(scope="session")
def _far_end() -> Iterator[FarEnd]:
    with http_gateway() as end:
        yield end


@pytest.fixture
def far_end(_far_end: FarEnd) -> FarEnd:
    """A gateway that speaks plain HTTP, with a clean slate."""
    _far_end.clear()
    return _far_end
