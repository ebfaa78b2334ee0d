"""Configuration: the manual says what the code does, mistakes are named with the nearest right word, production is strict."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from idp import config, config_source
from idp.cli.check import hide
from idp.config import ConfigurationError, Settings, load
from tests.house import manual

TEXT = manual.FILE.read_text("utf-8")
KEYS = [(section, key) for section, model in manual.sections().items() for key in model.model_fields]


def problems(environment: dict[str, str] | None = None, path: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load(path, environment or {})
    return str(refused.value)


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, "utf-8")
        return path

    return write


# ---- the manual ----


@pytest.mark.parametrize(("section", "key"), KEYS, ids=[".".join(pair) for pair in KEYS])
def test_the_manual_holds_the_paragraph_of_each_setting(section: str, key: str) -> None:
    """Reason, default and variable stand in config.example.toml as they stand in idp/config.py; a failure prints what is missing."""
    table = TEXT.split(f"\n[{section}]\n", 1)[1].split("\n[", 1)[0]
    assert manual.paragraph(section, key) in table


def test_the_manual_says_what_each_table_is_for() -> None:
    for section in manual.sections():
        assert manual.heading(section) in TEXT


def test_the_manual_says_what_a_gateway_may_be_told() -> None:
    """Every key of `[messages.gateways.<name>]` with its default and reason, and examples that can be used as they stand."""
    assert manual.gateways() in TEXT
    examples = re.sub(r"(?m)^#( {4}|$)", "", TEXT.split(manual.gateways(), 1)[1].split("\n[", 1)[0].split("\n\n", 2)[1])
    settings = Settings(**tomllib.loads(examples))
    assert {gateway.kind for gateway in settings.messages.gateways.values()} == {"apprise", "webhook", "smpp", "smtp"}
    assert settings.messages.sms == ["main", "operator", "spare"]
    assert set(settings.messages.ladder) == {"7", "default"}


def test_the_manual_says_what_a_provider_may_be_told() -> None:
    """Every key of `[providers.<key>]` with its default and reason, and examples that can be used as they stand."""
    assert manual.providers() in TEXT
    settings = Settings(**tomllib.loads(re.sub(r"(?m)^#( {4}|$)", "", TEXT.split(manual.providers(), 1)[1])))
    assert {key: (each.kind, each.title) for key, each in settings.providers.items()} == {
        "vk": ("oauth2", "VK ID"),
        "yandex": ("oauth2", "Яндекс ID"),
        "google": ("oidc", "Google"),
        "staff": ("oidc", "Romashka staff"),
        "forum": ("oauth2", "Sellers' forum"),
    }


def test_the_manual_says_what_a_resource_may_be_told() -> None:
    """Every key of `[resources."<address>"]` with its default and reason, and an example that can be used as it stands."""
    assert manual.resources() in TEXT
    example = TEXT.split(manual.resources(), 1)[1].split("What stands in a table", 1)[0]
    settings = Settings(**tomllib.loads(re.sub(r"(?m)^#( {4}|$)", "", example.rpartition("\n")[0])))
    assert {address: each.title for address, each in settings.resources.items()} == {"https://orders.bazar.example": "Orders"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[resources."http://orders.example"]\nscopes = {a = "x"}', "https address"),
        ('[resources."https://orders.example#x"]\nscopes = {a = "x"}', "https address"),
        ('[resources."orders"]\nscopes = {a = "x"}', "https address"),
        ('[resources."http://localhost:8000/"]\nscopes = {a = "x"}', "this provider itself"),
        ('[resources."https://orders.example"]\n', "scopes"),
        ('[resources."https://orders.example"]\nscopes = {}', "scopes"),
        ('[resources."https://orders.example"]\nscopes = {"a b" = "x"}', "is no scope"),
        ('[resources."https://orders.example"]\nscopes = {openid = "x"}', "scope of this provider"),
        ('[resources."https://orders.example"]\nscopes = {"admin:users" = "x"}', "scope of this provider"),
        ('[resources."https://orders.example"]\nscopes = {a = ""}', "what do people read"),
        (
            '[resources."https://a.example"]\nscopes = {a = "x"}\n[resources."https://b.example"]\nscopes = {a = "y"}',
            "one consent would open both",
        ),
        ('[resources."https://a.example"]\nscopes = {a = "x"}\nlifetime = 5', "lifetime"),
    ],
)
def test_resources_that_are_refused(written, table: str, said: str) -> None:
    assert said in problems(path=written(table))


def test_the_manual_knows_no_more_than_the_code(written) -> None:
    """Every key set to its default gives the defaults: so none is unknown, and none has another value."""
    all_set = re.sub(r"(?m)^#(\w+ = )", r"\1", TEXT)
    values = tomllib.loads(all_set)
    assert [(section, key) for section, table in values.items() for key in table] == KEYS
    for section, key in KEYS:
        if manual.sections()[section].model_fields[key].get_default(call_default_factory=True) is None:
            all_set = re.sub(rf"(?m)^{key} = .*\n", "", all_set)
    assert load(written(all_set), {}).model_dump() == Settings().model_dump()


def test_as_it_is_the_example_sets_nothing(written) -> None:
    assert load(written(TEXT), {}).model_dump() == Settings().model_dump()


def test_each_variable_that_the_manual_names_is_read() -> None:
    for section, key in KEYS:
        assert config_source.read_environment({f"IDP_{section.upper()}__{key.upper()}": ""}, config.PREFIX, Settings.model_fields)[1] == []


# ---- where values come from ----


def test_the_environment_wins_over_the_file(written) -> None:
    file = written('[server]\nissuer = "https://file.example"\nport = 9000\n')
    settings = load(file, {"IDP_SERVER__ISSUER": "https://environment.example"})
    assert settings.server.issuer == "https://environment.example"
    assert settings.server.port == 9000


def test_the_file_is_named_in_idp_config(written) -> None:
    assert load(environment={"IDP_CONFIG": str(written("[server]\nport = 9001\n"))}).server.port == 9001


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    said = problems({"IDP_CONFIG": str(tmp_path / "none.toml")})
    assert "none.toml cannot be read" in said
    assert "config.example.toml" in said


def test_lists_are_written_with_commas_and_tables_as_json() -> None:
    settings = load(environment={"IDP_LOGIN__COUNTRIES": "RU, KZ,BY", "IDP_BRAND__NAMES": '{"ru": "Имя"}'})
    assert settings.login.countries == ["RU", "KZ", "BY"]
    assert settings.brand.names == {"ru": "Имя"}


def test_a_secret_can_be_given_by_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql+psycopg://idp:word@db/idp\n")
    assert load(environment={"IDP_DATABASE__URL_FILE": str(secret)}).database.url == "postgresql+psycopg://idp:word@db/idp"


def test_a_secrets_file_that_is_missing_is_named(tmp_path: Path) -> None:
    said = problems({"IDP_DATABASE__URL_FILE": str(tmp_path / "none")})
    assert "IDP_DATABASE__URL_FILE names" in said
    assert "cannot be read" in said


# ---- mistakes ----


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[server]\nisuer = "https://id.example"\n', "[server] isuer (in {file}) is not known; did you mean issuer"),
        ("[sever]\nport = 1\n", "[sever] (in {file}) is not known; did you mean [server]"),
        ("server = 1\n", "[server] (in {file}) is a table of settings, not a value"),
        ("port = 8000\n", "[port] (in {file}) is not known"),
        ("[server\n", "{file} is not valid TOML"),
        ("[server]\nport = 'x'\n", "[server] port: "),
    ],
)
def test_mistakes_in_the_file_are_named(written, text: str, said: str) -> None:
    file = written(text)
    assert said.format(file=file) in problems(path=file)


@pytest.mark.parametrize("table", ["LOGIN", "PROVIDERS"])
def test_a_variable_for_a_whole_table_is_said_to_be_none(table: str) -> None:
    assert f"IDP_{table} names a whole table" in problems({f"IDP_{table}": "{}"})


def test_an_unknown_variable_is_named_with_the_nearest_known_key() -> None:
    assert "[server] isuer (as IDP_SERVER__ISUER) is not known; did you mean issuer" in problems(
        {"IDP_SERVER__ISUER": "https://id.example"}
    )


def test_every_mistake_is_told_at_once(written) -> None:
    said = problems({"IDP_SERVER__WORKRS": "2"}, written("[server]\nprt = 1\n[databas]\n"))
    assert said.count("is not known") == 3


def test_the_variable_is_named_where_a_value_is_wrong() -> None:
    assert "IDP_SERVER__PORT" in problems({"IDP_SERVER__PORT": "70000"})


@pytest.mark.parametrize(
    "issuer",
    ["http://id.example.com", "https://id.example.com/", "https://id.example.com/path", "https://u@id.example.com", "id.example.com"],
)
def test_an_issuer_is_scheme_and_host(issuer: str) -> None:
    assert "[server] issuer" in problems({"IDP_SERVER__ISSUER": issuer})


def test_certificate_and_key_belong_together() -> None:
    assert "certificate and key belong together" in problems({"IDP_SERVER__CERTIFICATE": "c.pem"})


def test_a_fixed_code_is_written_in_full() -> None:
    assert "its code is six digits" in problems({"IDP_LOGIN__TEST_NUMBERS": '{"+79005550000": "12"}'})


def _table(key: str, values: dict[str, object]) -> str:
    return f"[providers.{key}]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


OIDC = {"title": "Staff", "issuer": "https://login.example", "client_id": "us", "client_secret": "secret"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"preset": "gogle"}, "preset 'gogle' is not known"),
        ({"client": "us"}, "client is not known; did you mean client_id"),
        ({"issuer": "http://login.example"}, "must be https"),
        ({"issuer": "https://localhost:80@login.example"}, "must be https"),
        ({"issuer": "https://login.example/#"}, "must be https"),
        ({"issuer": ""}, "issuer: name it"),
        ({"title": ""}, "what shall the button say"),
        ({"client_secret": ""}, "client_secret is missing"),
        ({"algorithms": ["HS256"]}, "one or more of RS256"),
        ({"algorithms": ["none"]}, "one or more of RS256"),
        ({"scopes": ["profile"]}, "openid is one of them"),
        ({"kind": "oauth2"}, "oauth2 needs authorization_endpoint"),
        ({"client_auth": "private_key_jwt"}, "needs private_key and key_id"),
        ({"client_auth": "apple", "key_id": "k"}, "and team_id"),
    ],
)
def test_a_provider_that_cannot_be_spoken_to_is_named(written, given: dict[str, object], said: str) -> None:
    assert said in problems(path=written(_table("staff", OIDC | given)))


def test_two_providers_of_one_issuer_are_refused(written) -> None:
    """Case 107: what finds a person is issuer and subject; one table could pass its people off as the other's."""
    assert "have one issuer" in problems(path=written(_table("staff", OIDC) + _table("other", OIDC)))
    assert "a key has up to 32" in problems(path=written(_table("Staff", OIDC)))


def test_a_providers_secret_can_be_given_by_a_file(tmp_path: Path, written) -> None:
    secret = tmp_path / "secret"
    secret.write_text("Zk3-token\n")
    file = written('[providers.google]\npreset = "google"\nclient_id = "us"\n')
    settings = load(file, {"IDP_PROVIDERS__GOOGLE__CLIENT_SECRET_FILE": str(secret)})
    assert settings.providers["google"].client_secret == "Zk3-token"
    assert "Zk3-token" not in repr(settings)
    assert "Zk3-token" not in str(hide("google", settings.providers["google"].model_dump()))


# ---- production ----


def test_production_names_everything_that_is_unsafe(tmp_path: Path) -> None:
    root = tmp_path / "root.key"
    root.write_text("x")
    root.chmod(0o644)
    said = problems(
        {
            "IDP_SERVER__ENVIRONMENT": "production",
            "IDP_KEYS__FOLDER": str(tmp_path),
            "IDP_TELEMETRY__LOG_LEVEL": "DEBUG",
            "IDP_OUTBOUND__ALLOW_PRIVATE_ADDRESSES": "true",
        }
    )
    for part in (
        "[outbound] allow_private_addresses",
        "[server] issuer must be https",
        '[messages] channel = "inbox"',
        "chmod 600",
        "[telemetry] log_level",
    ):
        assert part in said


def test_production_starts_with_real_channels(tmp_path: Path) -> None:
    settings = load(
        environment={
            "IDP_SERVER__ENVIRONMENT": "production",
            "IDP_SERVER__ISSUER": "https://id.example.com",
            "IDP_KEYS__FOLDER": str(tmp_path),
            "IDP_MESSAGES__CHANNEL": "gateways",
            "IDP_MESSAGES__SMS": "main",
            "IDP_MESSAGES__GATEWAYS": '{"main": {"kind": "apprise", "url": "smsc://user:word@{to}"}}',
            "IDP_SMTP__HOST": "mail.example.com",
            "IDP_SMTP__SENDER": "id@example.com",
        }
    )
    assert (settings.messages.sms, settings.smtp.security) == (["main"], "starttls")


# ---- what carries messages ----

SECRETS = ("hunter2", "Zk3-token")


def test_a_gateways_secret_can_come_from_a_file(written, tmp_path: Path) -> None:
    """One key of a table in the file, the rest from the configuration; and printing the settings tells none of it."""
    secret = tmp_path / "secret"
    secret.write_text("smsc://user:hunter2@{to}\n")
    file = written('[messages]\nchannel = "gateways"\nsms = ["main"]\n[messages.gateways.main]\nkind = "apprise"\n')
    settings = load(
        file, {"IDP_MESSAGES__GATEWAYS__MAIN__URL_FILE": str(secret), "IDP_SMTP__PASSWORD": "Zk3-token", "IDP_SMTP__USER": "idp"}
    )
    assert settings.messages.gateways["main"].url == "smsc://user:hunter2@{to}"
    assert not any(secret in repr(settings) for secret in SECRETS)


WEBHOOK = 'kind = "webhook"\nurl = "https://gw.example/?key=hunter2"\nbody = { to = "{to}", text = "{text}" }\n'
SMPP = 'kind = "smpp"\nhost = "10.0.0.1"\nsecurity = "none"\nsystem_id = "idp"\npassword = "hunter2"\n'


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('url = "smsc://u:hunter2@{to}"', "'kind'"),
        ('kind = "pigeon"\nurl = "smsc://u:hunter2@{to}"', "'apprise', 'webhook', 'smpp', 'smtp'"),
        ('kind = "apprise"\nurl = "smsc://u:hunter2@79005550000"', "{to} stands nowhere"),
        ('kind = "apprise"\nurl = "smsc://u:hunter2@{too}"', "{too} is not known"),
        ('kind = "apprise"\nurl = "json://gw.example/?:to={to}&:x=hunter2"', "in clear"),
        ('kind = "apprise"\nulr = "smsc://u:hunter2@{to}"', "ulr is not known; did you mean url"),
        (WEBHOOK.replace("https", "http"), "must be https"),
        (WEBHOOK.replace("gw.example", "{to}.example"), "in the host"),
        (WEBHOOK.replace("{text}", "hello"), "{text} stands nowhere"),
        (WEBHOOK + 'method = "GET"', "GET has none"),
        (WEBHOOK + 'encoding = "form"\n'.replace("form", "xml"), "encoding"),
        (WEBHOOK.replace('"{text}" }', '"{text}", deep = { a = "b" } }') + 'encoding = "form"', "a form is a table of texts"),
        (WEBHOOK + 'headers = { "X-Key" = "hunter2\\r\\nX: y" }', "cannot be sent"),
        (WEBHOOK + "timeout = 60", "less than or equal to 18"),
        (WEBHOOK + "sucess = {}", "sucess is not known; did you mean success"),
        (WEBHOOK + 'reports = { secret = "hunter2" }', "at least 32"),
        (WEBHOOK + "reports = { secrt = 1 }", "did you mean secret"),
        (SMPP.replace('host = "10.0.0.1"', 'host = "smsc.example"'), "a private address"),
        (SMPP.replace("hunter2", "hunter2-too-long"), "at most 8"),
        (SMPP.replace("idp", "айди"), "in ASCII"),
        (SMPP.replace("system_id", "systemid"), "did you mean system_id"),
        ('kind = "smtp"\nsender = "id@example.com"', "name the server"),
        ('kind = "smtp"\nhost = "mail.example"\npassword = "hunter2"\nsender = "id@example.com"', "belong together"),
    ],
)
def test_mistakes_in_a_gateway_are_named(written, table: str, said: str) -> None:
    """Each with the table that it stands in, none with a secret."""
    found = problems(path=written(f"[messages.gateways.main]\n{table}\n"))
    assert "[messages] gateways.main" in found
    assert said in found
    assert not any(secret in found for secret in SECRETS)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"IDP_MESSAGES__SMS": "main"}, "there is no table [messages.gateways.main]"),
        ({"IDP_MESSAGES__CHANNEL": "gateways"}, "name a gateway"),
        ({"IDP_MESSAGES__GATEWAYS": '{"Main": {"kind": "apprise", "url": "smsc://u:hunter2@{to}"}}'}, "'Main' is no name"),
        (
            {
                "IDP_MESSAGES__SMS": "a,b",
                "IDP_MESSAGES__GATEWAYS": '{"a": {"kind": "apprise", "url": "x://{to}", "timeout": 10},'
                ' "b": {"kind": "apprise", "url": "x://{to}", "timeout": 10}}',
            },
            "more than 18 seconds",
        ),
        ({"IDP_SMTP__HOST": "mail.example.com"}, "sender must be an e-mail address"),
        ({"IDP_SMTP__HOST": "mail.example.com", "IDP_SMTP__SENDER": "id@example.com", "IDP_SMTP__SECURITY": "none"}, "on loopback"),
        ({"IDP_SMTP__PASSWORD": "hunter2"}, "user and password belong together"),
    ],
)
def test_what_does_not_go_together(variables: dict[str, str], said: str) -> None:
    found = problems(variables)
    assert said in found
    assert "hunter2" not in found


CALLS = """
[messages]
channel = "gateways"
sms = ["main"]
%s
[messages.gateways.main]
kind = "webhook"
url = "https://gw.example/?key=hunter2"
body = { to = "{to}", text = "{text}" }
[messages.gateways.spare]
kind = "webhook"
timeout = 9.5
url = "https://gw.example/?key=hunter2"
body = { to = "{to}", text = "{text}" }
[messages.gateways.caller]
kind = "webhook"
url = "https://gw.example/call?key=hunter2"
body = { to = "{to}", first = "{prompt}", then = "{digits}" }
[messages.gateways.flash]
kind = "webhook"
url = "https://gw.example/flash?key=hunter2"
body = { to = "{to}", from = "{code}" }
"""


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('voice = ["main"]', "speak the code to a voice mail box"),
        ('voice = ["flash"]', "{code}, which only flash_call has"),
        ('flash_call = ["caller"]', "{digits}, which only voice has"),
        ('flash_call = ["main"]', "uses {code} nowhere"),
        ('email = ["main"]', 'of kind "webhook", which does not carry it; use smtp'),
        ('email = ["smtp"]', "[smtp] host is not set"),
        ('email = ["nobody"]', "there is no table [messages.gateways.nobody]"),
        ('voice = ["caller", "caller"]', "named twice"),
        ('flash_call = ["flash"]', "no line of [messages.ladder] names it"),
        ('ladder = { "+7" = ["pigeon"] }', "pigeon is no channel"),
        ('ladder = { "+7" = ["sms"], "7" = ["sms"] }', "there twice"),
        ('ladder = { "seven" = ["sms"] }', "no beginning of a number"),
        ('ladder = { "+0" = ["sms"] }', "no beginning of a number"),
        ('ladder = { "+7" = ["sms", "sms"] }', "each channel once"),
        ('ladder = { "+7" = [] }', "each channel once"),
        ('ladder = { "+7" = ["voice", "email"] }', 'no channel of "7" has a gateway'),
        ('quiet_hours = "22-8"', "as in 22:00-08:00"),
        ('quiet_hours = "22:00-22:00"', "two different times"),
    ],
)
def test_who_carries_what(written, keys: str, said: str) -> None:
    """A gateway is told what this kind of message has; a call that speaks at once is refused; a ladder leads somewhere."""
    found = problems(path=written(CALLS % keys))
    assert said in found
    assert "hunter2" not in found


def test_a_dead_gateway_is_left_within_ten_seconds(written) -> None:
    """R13: one that others follow has nine seconds, the last one may take more, all of them eighteen."""
    assert "may take 9 seconds at most" in problems(path=written(CALLS.replace('sms = ["main"]', 'sms = ["spare", "main"]') % ""))
    assert load(written(CALLS.replace('sms = ["main"]', 'sms = ["main", "spare"]') % ""), {}).messages.sms == ["main", "spare"]


def test_smpp_without_its_library(written, monkeypatch: pytest.MonkeyPatch) -> None:
    """The optional extra is named as soon as a gateway needs it; nobody else misses it."""
    monkeypatch.setitem(sys.modules, "smpplib", None)
    assert "pip install 'idp[smpp]'" in problems(path=written(f"[messages.gateways.main]\n{SMPP}"))
    assert load(written(CALLS % 'voice = ["caller"]'), {}).messages.voice == ["caller"]


# ---- redis ----


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://:hunter2@redis.example",
        "redis://",
        "redis://:hunter2@/0",
        "redis://:hunter2@redis.example:port/0",
        "redis://:hunter2@redis.example:70000/0",
        "redis://:hunter2@redis.example/zero",
        "redis://:hun/ter2@redis.example/0",
        "redis://redis.example/0?socket_timeout=60&password=hunter2",
        "redis://:hunter2@[redis.example/0",
    ],
)
def test_an_address_of_redis(url: str) -> None:
    """No query: it would lengthen the time that a sign-in waits. And no word of a password in what is said about it."""
    said = problems({"IDP_REDIS__URL": url})
    assert said.startswith("[redis] url: must be redis://host:6379/0, or rediss:// for TLS")
    assert not any(secret in said for secret in ("hunter2", "ter2", "hun"))


def test_the_address_of_redis_can_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("rediss://idp:hunter2@redis.example:6380\n")
    settings = load(environment={"IDP_REDIS__URL_FILE": str(secret)})
    assert settings.redis.url == "rediss://idp:hunter2@redis.example:6380"
    assert "hunter2" not in repr(settings)


def test_redis_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The optional extra is named as soon as an address needs it; nobody else misses it."""
    monkeypatch.setitem(sys.modules, "redis", None)
    assert "pip install 'idp[redis]'" in problems({"IDP_REDIS__URL": "redis://redis.example"})
    assert load(environment={}).redis.url == ""


def test_a_desk_may_do_all_of_it() -> None:
    assert config.unsafe_in_production(Settings()) == []
