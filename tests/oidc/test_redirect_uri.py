"""Where answers go: to a registered address, byte by byte, or nowhere (RFC 9700 §2.1, §4.1.3, §4.11; OpenID Connect Core §3.1.2.1).

Case 1 of threats.md, and the use of addresses of case 4.
"""

from __future__ import annotations

import itertools

import pytest
import sqlalchemy as sa

from idp.db.session import session
from idp.delegation import clients
from idp.delegation.tables import ClientRow, ParkedRequest
from tests.oidc.asking import back_at, is_page_of_ours, rows
from tests.world import CALLBACK, Party, World

BASE = "https://rp.example/callback"
HOST = "rp.example"


def mutations() -> list[str]:
    """Addresses that somebody could take for the registered one."""
    found = [
        *(BASE + tail for tail in ("/", "/x", "//", "/.", "/..", "/../", "/../callback", "/%2e%2e/", "/%2e", ".", ";x", ";", "%20", " ")),
        *(
            BASE + tail
            for tail in ("?", "?x=1", "?code=1", "#", "#x", "#?x", "?#", "%3F", "%23", "%00", "%0a", "%0d%0a", "%2f", "%5c", "\\")
        ),
        *(
            BASE + tail
            for tail in ("\t", "\n", "\r\n", "\u00a0", "\u200b", "\u202e", "\u3002", "\uff0f", "é", "@", ":", "*", "&", "=", "+", ",")
        ),
        *(
            BASE + tail
            for tail in ("@evil.example", "?@evil.example", "/@evil.example", "//evil.example", "/\\evil.example", ".evil.example")
        ),
        *(
            lead + BASE
            for lead in (" ", "\t", "\n", "%20", "x", "//", "http://evil.example/?", "https://evil.example/#", "view-source:", "\u200b")
        ),
        *(
            "https://rp.example" + path
            for path in ("", "/", "/Callback", "/CALLBACK", "/callbac", "/callbackk", "/call/back", "/callback/callback")
        ),
        *("https://rp.example" + path for path in ("//callback", "/./callback", "/x/../callback", "/%2e/callback", "/x/%2e%2e/callback")),
        *(
            "https://rp.example" + path
            for path in ("/%63allback", "/c%61llback", "/callbac%6b", "/callbac%6B", "\\callback", "/\\callback", "%2fcallback")
        ),
        *(
            "https://rp.example" + path
            for path in ("/callback%2e", "/callback%252e", "/callback%c0%ae", "/*", "/callback*", "/.*", "/callback?*")
        ),
        *(
            f"https://{host}/callback"
            for host in ("RP.example", "rp.EXAMPLE", "rp.example.", "www.rp.example", "x.rp.example", "rp.example.evil.example")
        ),
        *(
            f"https://{host}/callback"
            for host in ("evilrp.example", "rp-example", "rpXexample", "rp.example.com", "rp.examp1e", "rp.exemple", "rр.example")
        ),
        *(
            f"https://{host}/callback"
            for host in ("ｒp.example", "xn--rp-example", "rp。example", "rp．example", "rp.example%00", "rp.example%2eevil")
        ),
        *(
            f"https://{host}/callback"
            for host in ("rp.example%2F", "rp.example%5c", "rp.example\\.evil.example", "*.example", "rp.*", "", ".", "..")
        ),
        *(
            f"https://{host}/callback"
            for host in ("@rp.example", "x@rp.example", "x:y@rp.example", "rp.example@evil.example", "rp.example:x@evil.example")
        ),
        *(f"https://{host}/callback" for host in ("rp.example%40evil.example", "evil.example%23@rp.example", "evil.example#@rp.example")),
        *(
            f"https://{host}/callback"
            for host in ("evil.example?@rp.example", "evil.example/@rp.example", "evil.example\\@rp.example", "[rp.example]")
        ),
        *(
            f"https://rp.example:{port}/callback"
            for port in ("", "443", "0443", "80", "8443", "0", "65536", "-1", "443x", "443@evil.example", "443#")
        ),
        *(
            f"{scheme}rp.example/callback"
            for scheme in ("http://", "HTTPS://", "Https://", "https:", "https:/", "https:///", "https:\\\\", "https:/\\")
        ),
        *(
            f"{scheme}rp.example/callback"
            for scheme in ("//", "///", "/\\", "\\\\", "ftp://", "ws://", "wss://", "file://", "httpss://", "https ://")
        ),
        *(
            "javascript:alert(1)",
            "javascript://rp.example/%0aalert(1)",
            "JaVaScRiPt:alert(1)",
            "java\tscript:alert(1)",
            "\x01javascript:alert(1)",
        ),
        *(
            "data:text/html,x",
            "data:text/html;base64,PHNjcmlwdD4=",
            "vbscript:x",
            "blob:https://rp.example/x",
            "about:blank",
            "mailto:x@rp.example",
        ),
        *(
            "urn:ietf:wg:oauth:2.0:oob",
            "urn:ietf:wg:oauth:2.0:oob:auto",
            "postmessage",
            "storagerelay://https/rp.example",
            "intent://rp.example",
        ),
        *(
            "http://localhost/callback",
            "http://127.0.0.1/callback",
            "http://[::1]/callback",
            "http://169.254.169.254/callback",
            "com.example.app:/callback",
        ),
        *(
            "https://evil.example",
            "https://evil.example/callback",
            "https://evil.example/https://rp.example/callback",
            "//evil.example/callback",
        ),
        *(
            "/callback",
            "callback",
            "?",
            "#",
            ".",
            "*",
            "null",
            "undefined",
            "None",
            "[object Object]",
            "%",
            "%%",
            "\\",
            "'",
            '"',
            "<script>",
        ),
        *(
            "https://rp.example/callback,https://evil.example",
            "https://rp.example/callback https://evil.example",
            "https://rp.example/callback|x",
        ),
        *(
            "https%3A%2F%2Frp.example%2Fcallback",
            "https:%2f%2frp.example/callback",
            "HTTPS%3A//rp.example/callback",
            '["https://rp.example/callback"]',
        ),
        "https://rp.example/callback" * 2,
        BASE + "/" + "x" * 3000,
        BASE[::-1],
        *(BASE[:i] + BASE[i].swapcase() + BASE[i + 1 :] for i in range(len(BASE)) if BASE[i].isalpha()),
        *(BASE[:i] + BASE[i + 1 :] for i in range(0, len(BASE), 3)),
        *(BASE[:i] + c + BASE[i:] for i, c in itertools.product(range(8, len(BASE), 6), "\\@#?%;")),
    ]
    return sorted(set(found) - {BASE})


def test_nothing_but_the_registered_bytes(world: World) -> None:
    """Case 1: every mutation is answered by a page of ours with 400, without a Location header, and nothing is parked."""
    party, browser = world.party(), world.browser()
    tried = mutations()
    assert len(tried) >= 200
    for uri, changes in zip(tried, itertools.cycle(({}, {"prompt": "none"}, {"response_type": "token"}))):
        answer = browser.get("/authorize", params=party.asks(redirect_uri=uri, **changes))
        assert is_page_of_ours(answer), (uri, answer.status_code, answer.headers)
    assert rows(world, ParkedRequest) == []


def test_a_person_who_is_signed_in_is_sent_nowhere_either(world: World, story) -> None:
    """Case 1: a live session does not make a wrong address right, and no code is made for it."""
    party, browser = world.party(), world.browser()
    world.sign_in(browser, party, story.people[-1].phone)
    for uri in mutations()[::7]:
        assert is_page_of_ours(browser.get("/authorize", params=party.asks(redirect_uri=uri))), uri


def test_it_is_required(world: World) -> None:
    """RFC 9700 §2.1, OpenID Connect Core §3.1.2.1: without `redirect_uri` nobody guesses, although one is registered."""
    party, browser = world.party(), world.browser()
    for uri in (None, ""):
        assert is_page_of_ours(browser.get("/authorize", params=party.asks(redirect_uri=uri)))


def test_one_of_several(world: World, story) -> None:
    """Each registered address is one; one with a query keeps it (OpenID Connect conformance: redirect-uri-query-OK)."""
    uris = [CALLBACK, "https://rp.example/other?tenant=1&x=%20y"]
    party = world.party(redirect_uris=uris)
    browser = world.browser()
    world.sign_in(browser, party, story.people[-1].phone)
    for uri in uris:
        answer = back_at(browser.authorize(party, redirect_uri=uri), uri)
        assert answer["code"]
        assert world.redeem(party, answer["code"], redirect_uri=uri).status_code == 200
    for uri in (
        "https://rp.example/other",
        "https://rp.example/other?tenant=1",
        uris[1] + "&y=2",
        "https://rp.example/other?x=%20y&tenant=1",
    ):
        assert is_page_of_ours(browser.authorize(party, redirect_uri=uri)), uri


def test_another_clients_address(world: World) -> None:
    """Case 2: an address of somebody else's registration is not one of this client's."""
    mine, theirs = world.party(), world.party(redirect_uris=["https://other.example/callback"])
    assert is_page_of_ours(world.browser().authorize(mine, redirect_uri=theirs.redirect_uri))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_native_app_on_loopback_chooses_its_port(world: World, story, host: str) -> None:
    """RFC 8252 §7.3: the port of a loopback address may differ; nothing else may, and `localhost` is a name like any other."""
    party = world.party(kind="native", redirect_uris=[f"http://{host}/cb"])
    browser = world.browser()
    world.sign_in(browser, party, story.people[-1].phone, redirect_uri=f"http://{host}:49152/cb")
    for port in ("", ":1", ":8080", ":65535"):
        uri = f"http://{host}{port}/cb"
        answer = back_at(browser.allow(browser.authorize(party, redirect_uri=uri)), uri)
        assert world.redeem(party, answer["code"], redirect_uri=uri).status_code == 200
    other = "[::1]" if host == "127.0.0.1" else "127.0.0.1"
    wrong = [
        *(f"http://{host}:1{path}" for path in ("", "/", "/cb/", "/CB", "/cb/x", "/cb?x=1", "/cb#", "/cb#x", "/../cb", "/%63b", "/cb%00")),
        *(f"{scheme}://{host}:1/cb" for scheme in ("https", "HTTP", "ftp", "")),
        *(
            f"http://{given}:1/cb"
            for given in (other, "localhost", "127.0.0.2", "127.1", "0x7f.1", "2130706433", "0.0.0.0", "[::]", "[0:0:0:0:0:0:0:1]")  # noqa: S104
        ),
        *(
            f"http://{host}:{port}/cb"
            for port in ("", "x", "-1", "0", "080", "65536", "99999", "123456", "1:2", "1@evil.example", "1#@evil.example", "１")
        ),
        *(f"http://{before}{host}:1/cb" for before in ("x@", "@", "evil.example#", "evil.example\\", "x.")),
        f"http://{host}.evil.example:1/cb",
        f"http://{host}:1/cb\n",
        f"http://{host}:1/cb ",
    ]
    for uri in wrong:
        assert is_page_of_ours(browser.authorize(party, redirect_uri=uri)), uri


def test_the_code_is_bound_to_the_port_that_was_used(world: World, story) -> None:
    """RFC 6749 §4.1.3: at the token endpoint the address is the one of the request, not just one that could have been."""
    party = world.party(kind="native", redirect_uris=["http://127.0.0.1/cb"])
    uri = "http://127.0.0.1:50000/cb"
    answer = back_at(world.sign_in(world.browser(), party, story.people[-1].phone, redirect_uri=uri), uri)
    assert world.redeem(party, answer["code"], redirect_uri="http://127.0.0.1:50001/cb").json()["error"] == "invalid_grant"
    assert world.redeem(party, answer["code"], redirect_uri=uri).status_code == 200


def test_only_native_apps_choose_their_port(world: World) -> None:
    """A web client on loopback (outside production) is registered with its port, and comes back to that one only."""
    for kind in ("web", "single_page"):
        party = world.party(kind=kind, redirect_uris=["http://127.0.0.1:3000/cb"])
        assert is_page_of_ours(world.browser().authorize(party, redirect_uri="http://127.0.0.1:3001/cb"))
        assert world.browser().authorize(party).status_code == 200


def test_a_native_apps_own_scheme(world: World, story) -> None:
    """RFC 8252 §7.1: a scheme in reverse domain order, byte by byte."""
    uri = "com.example.app:/callback"
    party = world.party(kind="native", redirect_uris=[uri])
    browser = world.browser()
    answer = back_at(world.sign_in(browser, party, story.people[-1].phone), uri)
    assert world.redeem(party, answer["code"]).status_code == 200
    for wrong in ("com.example.app:callback", "com.example.app://callback", "com.example.app:/callback/", "COM.example.app:/callback"):
        assert is_page_of_ours(browser.authorize(party, redirect_uri=wrong)), wrong


def test_an_address_that_should_never_have_been_registered(world: World, story) -> None:
    """Case 4: even where a script's address stands in the table (an old import), nobody is sent there and no page links it."""
    party: Party = world.party()
    evil = "javascript:alert(document.domain)//"
    with world.writes():
        session.execute(
            sa.update(ClientRow).where(ClientRow.id == party.client.id).values(redirect_uris=[evil], post_logout_redirect_uris=[evil])
        )
    clients.forget_cached()
    browser = world.browser()
    for answer in (
        browser.get("/authorize", params=party.asks(redirect_uri=evil)),
        browser.get("/end_session", params={"client_id": party.client.id, "post_logout_redirect_uri": evil}),
    ):
        assert not answer.headers.get("Location", "").startswith("javascript:")
        assert "javascript:" not in answer.text
