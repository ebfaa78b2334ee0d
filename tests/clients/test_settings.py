"""A portal's environment: what is missing or unsafe is said at the start, in words that name the variable."""

from pathlib import Path

import pytest

from clients.settings import BadSettings, read

GOOD = {
    "OIDC_ISSUER": "https://id.example",
    "OIDC_CLIENT_ID": "seller",
    "OIDC_CLIENT_SECRET": "secret",
    "PORTAL_URL": "https://seller.example/",
}


def test_the_shortest_environment() -> None:
    found = read("seller", GOOD)
    assert found.url == "https://seller.example"
    assert found.redirect_uri == "https://seller.example/callback"
    assert found.post_logout_redirect_uri == "https://seller.example/signed-out"
    assert (found.host, found.port) == ("seller.example", 443)
    assert found.secure
    assert found.store == Path("seller.sqlite3")


@pytest.mark.parametrize(
    ("bind", "host", "port"),
    [("0.0.0.0:9000", "0.0.0.0", 9000), ("[::1]:9000", "::1", 9000)],  # noqa: S104 - read, not bound
)
def test_the_address_to_listen_on_can_be_told(bind: str, host: str, port: int) -> None:
    found = read("seller", GOOD | {"PORTAL_BIND": bind})
    assert (found.host, found.port) == (host, port)


def test_localhost_listens_on_loopback() -> None:
    found = read("seller", GOOD | {"PORTAL_URL": "http://localhost:8001"})
    assert (found.host, found.port, found.secure) == ("127.0.0.1", 8001, False)


def test_the_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-file\n")
    environ = {key: value for key, value in GOOD.items() if key != "OIDC_CLIENT_SECRET"}
    assert read("seller", environ | {"OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret")}).client_secret == "from-file"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"OIDC_ISSUER": ""}, "OIDC_ISSUER"),
        ({"OIDC_CLIENT_ID": " "}, "OIDC_CLIENT_ID"),
        ({"OIDC_CLIENT_SECRET": ""}, "OIDC_CLIENT_SECRET_FILE"),
        ({"OIDC_ISSUER": "http://id.example"}, "https"),
        ({"PORTAL_URL": "http://seller.example"}, "https"),
        ({"PORTAL_URL": "seller.example"}, "https"),
        ({"PORTAL_URL": "https://seller.example/shop"}, "path"),
        ({"PORTAL_BIND": "9000"}, "PORTAL_BIND"),
        ({"PORTAL_LINKS": "staff"}, "PORTAL_LINKS"),
        ({"PORTAL_LINKS": "[1]"}, "PORTAL_LINKS"),
        ({"PORTAL_LINKS": '{"staff": "javascript:alert(1)"}'}, "PORTAL_LINKS"),
        ({"PORTAL_CERTIFICATE": "/nowhere"}, "PORTAL_CERTIFICATE"),
        ({"PORTAL_KEY": __file__}, "together"),
        ({"OIDC_CA_FILE": "/nowhere"}, "OIDC_CA_FILE"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(change: dict[str, str], named: str) -> None:
    with pytest.raises(BadSettings, match=named):
        read("seller", GOOD | change)
