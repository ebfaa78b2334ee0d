"""What is refused before anything is understood: a name that stands twice, characters that no specification allows, parameters in the wrong
place (RFC 6749 §3.1, §3.2; threats.md 0.3.4, cases 10 and 26). The words go to a developer, who must see which parameter it is.
"""

from __future__ import annotations

import pytest

from idp.errors import OAuthRefusal
from idp.oidc import guard
from idp.web.http import Parameters
from tests.world import World


def refusal(*pairs: tuple[str, str]) -> tuple[str, str]:
    """How these parameters are refused."""
    with pytest.raises(OAuthRefusal) as refused:
        guard.one_of_each(Parameters(list(pairs)))
    return refused.value.error, str(refused.value.description)


def test_what_passes() -> None:
    """By name; an empty value counts as left out; `resource` and `audience` may repeat; any text where no specification forbids it."""
    assert guard.one_of_each(Parameters([("a", "1"), ("b", ""), ("state", "й")])) == {"a": "1", "state": "й"}
    for name in ("resource", "audience"):
        assert guard.one_of_each(Parameters([(name, "x"), (name, "y")])) == {name: "x y"}


def test_each_of_several_is_looked_at() -> None:
    """What may repeat is judged each time; several stand apart by spaces, which no address holds."""
    assert refusal(("resource", "a"), ("resource", "é"))[0] == "invalid_request"
    assert guard.one_of_each(Parameters([("resource", ""), ("resource", "b"), ("resource", "")])) == {"resource": "b"}


@pytest.mark.parametrize("second", ["1", "2", ""])
def test_twice(second: str) -> None:
    """Nobody wins, whatever the two say."""
    assert refusal(("scope", "1"), ("scope", second)) == ("invalid_request", "The parameter scope was sent more than once.")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b~", "a b~"),
        ('x"y\\z', "xyz"),
        ("tab\tline\nbell\x07", "tablinebell"),
        ("й\x7fé", ""),
        ("n" * 60, "n" * 40),
        ("XX", "XX"),
    ],
)
def test_a_strangers_word(name: str, shown: str) -> None:
    """RFC 6749 §5.2: printable ASCII without quotes and backslash, and no more than forty characters of it."""
    assert refusal((name, "1"), (name, "1")) == ("invalid_request", f"The parameter {shown} was sent more than once.")


@pytest.mark.parametrize("name", sorted(guard.ASCII_ONLY))
def test_outside_ascii(name: str) -> None:
    """Vchars and spaces only, as their grammars say (RFC 6749 Appendix A)."""
    assert refusal((name, "é")) == ("invalid_request", f"The parameter {name} holds characters outside ASCII.")


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
def test_in_the_address(world: World, path: str) -> None:
    """Case 26: what a machine says stands in the body; in an address, logs would keep it."""
    answer = world.browser().post(f"{path}?client_id=x", data={"token": "x"})
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "invalid_request",
        "error_description": "Send the parameters in the body of the POST, not in the address.",
    }
