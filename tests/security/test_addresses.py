"""An address is served as it stands on the page of routes, or not at all. Cases 14 and 89 of threats.md."""

from __future__ import annotations

import httpx2
import pytest

from tests.world import ISSUER, World


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    ["//login/x", "/login//x", "/login/x//identify", "/authorize//x", "//authorize/x/consent", "//static//look.css", "/login/x/", "//"],
)
def test_doubled_slashes(world: World, method: str, path: str) -> None:
    """Cases 14 and 89: nothing is tidied up by a redirect, which would be a 308 to the host that the request's header names."""
    browser = world.browser()
    request = browser.build_request(method, ISSUER, headers={"Host": "evil.example"})
    request.url = httpx2.URL(ISSUER).copy_with(raw_path=path.encode())
    answer = browser.send(request)
    assert answer.status_code in {404, 405, 410}
    assert "Location" not in answer.headers
    assert "evil.example" not in answer.text
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
