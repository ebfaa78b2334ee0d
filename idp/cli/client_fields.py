"""What can be said of a client on the command line: one option for each field, the same when it is made and when it is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from idp.cli.failures import Failure
from idp.delegation import claim_mapping, client_keys, registering, registering_answers, registering_keys, response_types, sectors

SCOPES = "openid profile phone account company"
METHODS = tuple(dict.fromkeys(method for methods in registering.METHODS.values() for method in methods))
MORE_LISTS = ("request_uris", "resources", "response_types", "default_acr_values", "contacts")  # that may be none at all
DEVICE = "device_code"  # as people write it; the specification's name is an URN
Command = Callable[..., Any]
ANSWERS = {
    "id-token": ("ID tokens", "[default: RS256]"),
    "userinfo": ("Answers of /userinfo", "[default: they are JSON]"),
    "introspection": ("Signed answers of /introspect", "[default: RS256]"),
}

OPTIONS: tuple[Callable[[Command], Command], ...] = (
    click.option("--name", help="What people read on the sign-in page."),
    click.option("--name-in", "names", multiple=True, metavar="LANG=NAME", help="The name in another language, as in ru=Магазин."),
    click.option("--redirect-uri", "redirect_uris", multiple=True, help="Where people come back to; may be given more than once."),
    click.option(
        "--post-logout-redirect-uri", "post_logout_redirect_uris", multiple=True, help="Where they come back to after signing out."
    ),
    click.option("--scope", help=f"What it may ask for, separated by spaces [default: {SCOPES}; of a machine: nothing]"),
    click.option(
        "--resource", "resources", multiple=True, metavar="ADDRESS", help='A [resources."<address>"] that it may get tokens for (RFC 8707).'
    ),
    click.option(
        "--grant-type",
        "grant_types",
        multiple=True,
        type=click.Choice((*registering.DEFAULT_GRANT_TYPES, DEVICE)),
        help="What it gets tokens by; device_code: on devices without a browser [default: all that its kind can, but device_code]",
    ),
    click.option("--account-type", "account_types", multiple=True, type=click.Choice(registering.ACCOUNT_TYPES), help="[default: all]"),
    click.option("--first-party/--no-first-party", default=None, help="Ours: people are not asked for consent."),
    click.option(
        "--auth-method",
        "token_endpoint_auth_method",
        type=click.Choice(METHODS),
        help="How it says who it is; secret: by Basic or in the body [default: secret; of public kinds: none]",
    ),
    click.option("--jwks", metavar="FILE", help="Its public keys, to sign and to be encrypted to: a JWK Set, or one JWK."),
    click.option("--jwks-uri", metavar="ADDRESS", help="Where they stand instead; fetched again when a key there is not known."),
    click.option(
        "--auth-signing-alg",
        "token_endpoint_auth_signing_alg",
        type=click.Choice(registering_keys.REQUEST_OBJECTS[:-1]),
        help="By what it signs its assertions, and nothing else [default: whatever its keys can]",
    ),
    click.option(
        "--request-object-alg",
        "request_object_signing_alg",
        type=click.Choice(registering_keys.REQUEST_OBJECTS),
        help="By what it signs its request objects, and nothing else; none: it may leave them unsigned [default: whatever its keys can]",
    ),
    click.option("--request-object-encryption-alg", type=click.Choice(client_keys.ENCRYPTION), help="How it may encrypt them to us."),
    click.option("--request-object-encryption-enc", type=click.Choice(client_keys.CONTENT), help="[default: A128CBC-HS256]"),
    click.option(
        "--require-signed-request-object/--no-require-signed-request-object",
        default=None,
        help="Refuse its requests that are not signed, and let only what is signed count.",
    ),
    click.option("--request-uri", "request_uris", multiple=True, help="Where request objects of it may be fetched; more than once."),
    click.option(
        "--response-type",
        "response_types",
        multiple=True,
        metavar="TYPE",
        help=f"Besides or instead of code: {', '.join(response_types.LEGACY)}; needs [oidc] legacy_response_types [default: code]",
    ),
    click.option("--default-max-age", type=click.IntRange(0), metavar="SECONDS", help="The max_age of requests that have none."),
    click.option("--require-auth-time/--no-require-auth-time", default=None, help="Its ID tokens say auth_time. They always do."),
    click.option(
        "--default-acr",
        "default_acr_values",
        multiple=True,
        metavar="LEVEL",
        help="The acr_values of requests that have none, the best first.",
    ),
    click.option("--pkce", type=click.Choice(registering.PKCE), help="[default: or_nonce; public clients: required]"),
    *(
        click.option(
            f"--{said}-alg", name, type=click.Choice(["", *registering_answers.ALGORITHMS]), help=f"{what} are signed by it {default}"
        )
        for said, name, (what, default) in zip(ANSWERS, registering_answers.SIGNED, ANSWERS.values(), strict=True)
    ),
    *(
        click.option(
            f"--{said}-encryption-alg", name, type=click.Choice(["", *client_keys.ENCRYPTION]), help=f"{what} are encrypted to it, so"
        )
        for said, name, (what, _) in zip(ANSWERS, registering_answers.ENCRYPTED, ANSWERS.values(), strict=True)
    ),
    *(
        click.option(f"--{said}-encryption-enc", name, type=click.Choice(["", *client_keys.CONTENT]), help="[default: A128CBC-HS256]")
        for said, name in zip(ANSWERS, registering_answers.CONTENT, strict=True)
    ),
    click.option(
        "--subject-type",
        type=click.Choice(sectors.TYPES),
        help="pairwise: a person has another sub in each sector, the host of its addresses [default: public]",
    ),
    click.option(
        "--claim-mapping",
        metavar="FILE|PRESET",
        help=f"Claims under names that it expects: a JSON object of claim and path or template, or {', '.join(claim_mapping.PRESETS)}.",
    ),
    click.option("--sector-identifier-uri", help="Lists its redirect addresses: they are one sector, of this address's host."),
    click.option(
        "--access-token-format",
        type=click.Choice(registering.TOKEN_FORMATS),
        help="jwt says what it stands for; opaque is asked about at /introspect [default: jwt]",
    ),
    click.option(
        "--new-browser",
        type=click.Choice(registering.NEW_BROWSER),
        help="What people prove in a browser that is new to them, once: with +password also a password or a passkey [default: code]",
    ),
    click.option("--purpose", help="What it is for, in a sentence, on the page that asks for consent."),
    click.option(
        "--providers",
        metavar="KEYS",
        help="Which of [providers.<key>] its sign-in page offers, separated by spaces; all, or none [default: all]",
    ),
    click.option("--initiate-login-uri", help="Where a person begins again after a mishap."),
    click.option("--client-uri", help="Its home page."),
    click.option("--policy-uri", help="What it does with what it learns."),
    click.option("--terms-uri", "tos_uri", help="Its terms."),
    click.option("--support-uri", help="Where its people get help."),
    click.option("--logo-uri", help="Its logo: it is fetched once, and shown where people are asked for consent."),
    click.option("--contact", "contacts", multiple=True, help="Whom we write to about it; more than once."),
    click.option("--software-id", help="Which software it is, the same wherever it is installed (RFC 7591)."),
    click.option("--software-version", help="And which version of it."),
    click.option("--backchannel-logout-uri", help="Its server is told there that somebody has signed out."),
    click.option(
        "--backchannel-logout-session-required/--no-backchannel-logout-session-required", default=None, help="And in which session (sid)."
    ),
    click.option("--frontchannel-logout-uri", help="This page of it is loaded in a frame when somebody signs out."),
    click.option(
        "--frontchannel-logout-session-required/--no-frontchannel-logout-session-required",
        default=None,
        help="With iss and sid. They are always sent.",
    ),
)


def fields(command: Command) -> Command:
    """Give a command all of OPTIONS, in their order."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def said(given: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The fields that were named, as the rules take them; an empty text takes a value out. `names`: those in other languages until now.

    Raises Failure for a file that cannot be read, click's BadParameter for a language without a name.
    """
    found: dict[str, Any] = {}
    for name in registering.FIELDS:
        value = given.get(name)
        if name in (*registering.LISTS, *MORE_LISTS) and value:
            found[name] = [each for each in value if each]
        elif name not in {*registering.LISTS, *MORE_LISTS, "names", "jwks", "providers", "claim_mapping"} and value is not None:
            found[name] = value
    if "grant_types" in found:
        found["grant_types"] = [registering.DEVICE_CODE if each == DEVICE else each for each in found["grant_types"]]
    if given.get("scope") is not None:
        found["scopes"] = given["scope"].split()
    if given.get("providers") is not None:
        keys = given["providers"].split()
        found["providers"] = None if keys == ["all"] else [] if keys == ["none"] else keys
    if given.get("names"):
        found["names"] = names | dict(_named(each) for each in given["names"])
    if given.get("jwks") is not None:
        found["jwks"] = _keys(given["jwks"]) if given["jwks"] else None
    if given.get("claim_mapping") is not None:
        named = given["claim_mapping"]
        found["claim_mapping"] = named if named in {"", *claim_mapping.PRESETS} else _table(named)
    return found


def _named(each: str) -> tuple[str, str]:
    language, equals, name = each.partition("=")
    if not equals:
        raise click.BadParameter("write it as LANG=NAME, for example ru=Магазин", param_hint="--name-in")
    return language, name


def _table(file: str) -> Any:
    try:
        return json.loads(Path(file).read_text("utf-8"))
    except OSError as e:
        presets = ", ".join(claim_mapping.PRESETS)
        raise Failure(f"{file} cannot be read: {e.strerror}. Give a file, or one of: {presets}.") from e
    except (ValueError, RecursionError) as e:
        raise Failure(f'{file} is not JSON. Give an object such as {{"org_id": "company_id"}}.') from e


def _keys(file: str) -> Any:
    try:
        given = json.loads(Path(file).read_text("utf-8"))
    except OSError as e:
        raise Failure(f"{file} cannot be read: {e.strerror}.") from e
    except (ValueError, RecursionError) as e:
        raise Failure(f'{file} is not JSON. Give public keys as a JWK Set: {{"keys": [...]}}.') from e
    return {"keys": [given]} if isinstance(given, dict) and "kty" in given else given
