"""Every setting: one typed model per TOML table, its reason under each field. `config.example.toml` says the same as a manual.

Read from `config.toml` (or the file in `IDP_CONFIG`); `IDP_<SECTION>__<KEY>` in the environment overrides a key, and
`IDP_<SECTION>__<KEY>_FILE` names a file that holds its value (for secrets). An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from idp import config_passkeys, config_registration, config_resources, config_source
from idp.config_gateways import Smtp
from idp.config_messages import Messages
from idp.config_outbound import Outbound
from idp.config_providers import Provider, problem_with
from idp.config_redis import Redis
from idp.config_registration import Registration
from idp.config_resources import Resource
from idp.config_source import TextList
from idp.config_spend import Spend

PREFIX = "IDP_"
is_loopback = config_source.is_loopback
Seconds = Annotated[int, Field(ge=0)]


class ConfigurationError(Exception):
    """The configuration cannot be used; `problems` says, a line each, what is wrong and what to do."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Server(_Section):
    """Where the provider is, and how it is served."""

    environment: Literal["development", "production"] = "development"
    """`production` refuses what is only safe on a desk: http, the `inbox` channel, a default key folder that others can read."""
    issuer: str = "http://localhost:8000"
    """The public address, without a slash at the end. It stands in every token, and is never taken from a request."""
    bind: str = "127.0.0.1"
    """The address to listen on. Leave it on loopback behind a proxy."""
    port: int = Field(8000, ge=1, le=65535)
    """The port to listen on."""
    workers: int = Field(1, ge=1, le=64)
    """Server processes. One per core is a good start."""
    threads: int = Field(4, ge=1, le=64)
    """Threads in each process; each may hold one database connection. More than four only wait for one another in Python."""
    certificate: Path | None = None
    """PEM file, when the provider serves TLS itself (1.2 or newer) instead of a proxy."""
    key: Path | None = None
    """PEM file with the private key of the certificate."""
    trusted_hops: int = Field(0, ge=0, le=8)
    """How many proxies in front add to X-Forwarded-For. 0: that header is ignored, and limits count the peer's address."""
    max_body: int = Field(65536, ge=1024)
    """The largest request body in bytes; more is answered with 413."""
    notice: Seconds = Field(0, le=60)
    """Seconds after SIGTERM in which we still answer while /health/ready says 503: as long as the load balancer in front needs to send no
    more here. 0 where there is none."""
    worker: bool = True
    """Run `idp worker` (messages, reactions, schedule) as a child of `idp serve`. Turn off where it runs on its own."""

    @field_validator("issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.query
            or parts.fragment
            or parts.path
            or "@" in parts.netloc
        ):
            raise ValueError("must be scheme and host, as in https://id.example.com, without a path, query or slash at the end")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("plain http is only for loopback (http://localhost:8000); use https")
        return value


class Database(_Section):
    """Where everything is kept."""

    url: str = "sqlite:///idp.sqlite3"
    """SQLite (one machine) or PostgreSQL (`postgresql+psycopg://user@host/name`). A relative path starts at the working directory."""
    lock_timeout: float = Field(5.0, gt=0)
    """Seconds to wait for another writer before the answer is 503."""
    statement_timeout: float = Field(5.0, gt=0)
    """Seconds a statement may take on PostgreSQL."""
    stuck_after: float = Field(0.9, gt=0)
    """Seconds in which nobody comes back from PostgreSQL, until new requests are turned away with 503: many may be waiting for one row."""
    pool_timeout: float = Field(2.0, gt=0)
    """Seconds to wait for a free or a new connection."""

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("must begin with sqlite:/// or postgresql+psycopg://")
        return value


class Keys(_Section):
    """The root secrets and the signing keys that they seal."""

    folder: Path = Path("keys")
    """The folder of `root.key`, which `idp init` makes. Back it up apart from the database: neither opens without the other."""
    lifetime: Seconds = 90 * 86400
    """Seconds a signing key signs before the next one takes over."""
    published_before: Seconds = 2 * 3600 + 60
    """Seconds a new key stands in /jwks before it signs: at least twice what relying parties may cache."""
    jwks_max_age: Seconds = 3600
    """Seconds that relying parties may cache /jwks."""


class Brand(_Section):
    """What the pages call themselves."""

    name: str = "Bazar ID"
    """The product's name, in English and wherever no other is set."""
    names: dict[str, str] = {"ru": "Базар ID"}
    """The name in other languages, by language code."""
    support_url: str = ""
    """Where `Help` leads; left out when empty."""
    support_email: str = ""
    """The address of support on the help pages; left out when empty."""
    support_phone: str = ""
    """The number of support on the help pages, in international form; left out when empty."""
    privacy_url: str = ""
    """Where `Privacy` leads; left out when empty."""
    terms_url: str = ""
    """The terms that a new person accepts; without it the sign-up page has no link."""


class Login(_Section):
    """How people sign in."""

    default_country: str = Field("RU", pattern="^[A-Z]{2}$")
    """A number without a country code is read as one of this country (ISO 3166 code)."""
    countries: TextList = []
    """Countries whose numbers get codes (ISO 3166). Empty: only the default country."""
    terms_version: str = "1"
    """The version of the terms that is recorded when a person signs up."""
    code_lifetime: Seconds = 300
    """Seconds a one-time code lives. A new sending does not lengthen it."""
    code_tries: int = Field(5, ge=1, le=10)
    """Wrong codes per sign-in."""
    code_sends: int = Field(3, ge=1, le=5)
    """Messages per sign-in, spoken calls apart."""
    code_calls: int = Field(1, ge=0, le=3)
    """Spoken calls per sign-in."""
    code_pauses: list[int] = [30, 60, 120]
    """Seconds before the first, second and third new sending. A sending that has failed is followed by another at once."""
    silent_after: Seconds = 30
    """Seconds without word of a message's arrival after which the next channel of the ladder is offered."""
    number_wrong_per_hour: int = Field(10, ge=1)
    """Wrong codes per phone number and hour, over all sign-ins."""
    number_wrong_per_day: int = Field(20, ge=1)
    """Wrong codes per phone number and day."""
    number_wrong_in_a_row: int = Field(100, ge=1)
    """Wrong codes in a row, after which codes are off for the number until an operator turns them on."""
    wrong_codes_per_hour: int = Field(2000, ge=1)
    """Wrong codes of an hour over all numbers, from which browsers that know nobody work for each new code (as `[spend] work` says), and a
    new code has eight digits: one guess in a million is right, whosever number it is for."""
    number_messages_per_day: int = Field(10, ge=1)
    """Messages per phone number and day, over all purposes."""
    network_messages_per_hour: int = Field(20, ge=1)
    """Messages per network (IPv4 /24, IPv6 /56) and hour."""
    password_wrong_per_hour: int = Field(10, ge=1)
    """Wrong passwords per login (e-mail address or number) and hour; then it is locked for a while. A browser that knows the person counts
    apart, so that no stranger locks anybody out of it. From the fifth on there are pauses between them."""
    password_wrong_per_day: int = Field(20, ge=1)
    """Wrong passwords per login and day."""
    password_wrong_in_a_row: int = Field(100, ge=1)
    """Wrong passwords in a row, after which no password is looked at until a new one is set or an operator unlocks the login."""
    network_wrong_passwords_per_hour: int = Field(100, ge=1)
    """Wrong passwords per network (IPv4 /24, IPv6 /56) and hour, over all logins: one password tried with many of them. Browsers that know
    the person, and signing in by phone and code, are not held up."""
    flow_lifetime: Seconds = 3600
    """Seconds until an unfinished sign-in has to be started again."""
    session_idle: Seconds = 12 * 3600
    """Seconds without use after which a session ends."""
    session_lifetime: Seconds = 30 * 86400
    """Seconds after which a session ends whatever its use."""
    session_idle_administrators: Seconds = 1800
    """The same as session_idle for whoever is an administrator or the owner of a company: more hangs on their sessions."""
    session_lifetime_administrators: Seconds = 8 * 3600
    """The same as session_lifetime for them: a working day."""
    remember_browser: Seconds = 60 * 86400
    """Seconds a trusted browser stays trusted, counted from its last use. A company may shorten it for its people."""
    remember_browser_administrators: Seconds = 7 * 86400
    """The same for administrators and owners of companies."""
    administrators_second_proof: bool = False
    """In a browser that does not know them, administrators prove their e-mail address besides the number: whoever reads along at the
    gateway of the text messages has a code, but not that. Who has no verified address is let in by the code, and the event says so."""
    recycled_after: Seconds = 180 * 86400
    """Seconds without a sign-in after which a code alone does not open an ID: operators sell a number again some months after its line was
    cut. The person then proves their e-mail address too, or begins a fresh ID with the number. 0: a code always opens it."""
    recovery_wait: Seconds = 3 * 86400
    """Seconds from the proof of a lost phone until the number changes, in which whoever has the ID can stop it: as long as an undo link to
    the former contact lives (threats, case 97)."""
    recovery_wait_passkey: Seconds = 86400
    """The same where a passkey was shown, by itself a sign-in with two factors. Our decision: a day, so that a notice is read."""
    recovery_vouching: Seconds = 86400
    """Seconds in which two administrators can vouch for a colleague who has lost their phone. Our decision: a working day and its night."""
    browser_grace: Seconds = 60
    """Seconds for which the former value of a trusted browser's cookie is still honoured: two tabs, or an answer that was lost."""
    fresh_proof: Seconds = 300
    """Seconds for which a proof counts as fresh: before a phone, an address, a password or a passkey is changed, the person proves who they
    are once more, unless they did so lately."""
    passkey_domain: str = ""
    """The domain that passkeys belong to (their RP ID). Empty: the host of the issuer. A domain above it keeps them working when the issuer
    moves to another host there. Choose it before the first passkey is made: those of another domain never work again."""
    passkey_origins: TextList = []
    """Where else than under `passkey_domain` its passkeys may be used: origins such as https://id.example.org, the issuer's among them.
    Only for an issuer that has moved to another domain; they stand at /.well-known/webauthn, which the former domain must serve."""
    acr_prefix: str = "urn:idp:acr:"
    """What stands before `remembered`, `code` … in the `acr` claim."""
    test_numbers: dict[str, str] = {}
    """Phone number (E.164) = fixed code, for app-store reviewers and automatic tests. Nothing is sent, every use is an event, and in
    production only people marked `test` can use them."""

    @property
    def allowed_countries(self) -> frozenset[str]:
        """The countries whose numbers get codes."""
        return frozenset(self.countries) or frozenset({self.default_country})

    @field_validator("test_numbers")
    @classmethod
    def _test_numbers(cls, value: dict[str, str]) -> dict[str, str]:
        for phone, code in value.items():
            if not re.fullmatch(r"\+[1-9][0-9]{6,14}", phone) or not re.fullmatch("[0-9]{6}", code):
                raise ValueError(f'"{phone}" = "{code}": the number is written as +79005550000, its code is six digits')
        return value


class Account(_Section):
    """A person's own pages."""

    deletion_wait: Seconds = 14 * 86400
    """Seconds from asking for an ID to be deleted until it is. Every way to the person is told, and signing in is enough to take it
    back."""
    archives_per_day: int = Field(3, ge=1)
    """Copies of their data that a person may download in a day."""


class Oidc(_Section):
    """What relying parties get."""

    code_lifetime: Seconds = Field(60, le=600)
    """Seconds an authorization code lives."""
    access_token_lifetime: Seconds = 300
    """Seconds an access token lives."""
    id_token_lifetime: Seconds = 300
    """Seconds an ID token may be accepted."""
    refresh_token_idle: Seconds = 30 * 86400
    """Seconds without use after which a refresh token is dead."""
    refresh_token_lifetime: Seconds = 90 * 86400
    """Seconds after which a refresh token is dead whatever its use."""
    refresh_token_grace: Seconds = 10
    """Seconds for which the same refresh may be repeated, and gets the same successor: for an answer that was lost."""
    request_lifetime: Seconds = 7200
    """Seconds an authorization request waits for the person: longer than `[login] flow_lifetime`, so that a sign-in that has run out can be
    started again."""
    device_code_lifetime: Seconds = Field(600, ge=60, le=1800)
    """Seconds in which a person answers a device that shows a code. Long enough to fetch the phone, and short, since a code that somebody
    sent along works no longer than that (RFC 10027)."""
    device_pause: Seconds = Field(5, ge=1, le=60)
    """Seconds that a device leaves between two questions whether the person has answered."""
    wrong_user_codes_per_hour: int = Field(10, ge=1)
    """Wrong device codes that one browser may type in an hour."""
    network_wrong_user_codes_per_hour: int = Field(100, ge=1)
    """The same for a network (IPv4 /24, IPv6 /56). With a thousand devices waiting, a network guesses one of their codes in 29 years."""
    access_token_algorithm: Literal["ES256", "RS256", "Ed25519"] = "ES256"
    """How access tokens are signed. ES256 is ten times as quick to sign as RS256."""
    legacy_response_types: bool = False
    """`true` serves `id_token`, `code id_token` and their like, to clients that are registered for them. Their tokens pass through the
    browser, its history and whatever runs in it (RFC 9700 §2.1.2): only for what cannot be changed."""


class Languages(_Section):
    """Languages and times."""

    default: Literal["ru", "en", "zh"] = "ru"
    """The language of a person of whom nothing else is known."""
    timezone: str = "Europe/Moscow"
    """The zone in which pages and messages write times of day."""


class Telemetry(_Section):
    """What is told to those who run the provider."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The lowest level that is written to standard output."""
    log_format: Literal["json", "console"] = "json"
    """`json`: one object a line. `console`: for eyes."""
    metrics_port: int = Field(0, ge=0, le=65535)
    """The port of /metrics, on loopback. 0: no metrics are served."""


class Settings(BaseSettings):
    """The whole configuration, table by table."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    server: Server = Server()
    database: Database = Database()
    redis: Redis = Redis()
    keys: Keys = Keys()
    brand: Brand = Brand()
    login: Login = Login()
    messages: Messages = Messages()
    account: Account = Account()
    oidc: Oidc = Oidc()
    languages: Languages = Languages()
    telemetry: Telemetry = Telemetry()
    smtp: Smtp = Smtp()
    spend: Spend = Spend()
    outbound: Outbound = Outbound()
    registration: Registration = Registration()
    providers: dict[str, Provider] = {}
    resources: dict[str, Resource] = {}

    @model_validator(mode="after")
    def _pairs(self) -> Settings:
        if bool(self.server.certificate) != bool(self.server.key):
            raise ValueError("[server] certificate and key belong together: give both or neither")
        if self.keys.published_before <= 2 * self.keys.jwks_max_age:
            raise ValueError("[keys] published_before must be more than twice jwks_max_age, or a relying party may not know the key")
        if problem := self.messages.problem_with(self.smtp):
            raise ValueError(f"[messages] {problem}")
        if misfit := config_passkeys.problem_with(self.server.issuer, self.login.passkey_domain, self.login.passkey_origins):
            raise ValueError(f"[login] {misfit}")
        if confused := problem_with(self.providers):
            raise ValueError(f"[providers] {confused}")
        if unclear := config_resources.problem_with(self.resources, self.server.issuer):
            raise ValueError(f"[resources] {unclear}")
        if len(self.login.code_pauses) < self.login.code_sends:
            raise ValueError("[login] code_pauses needs one pause for each of code_sends")
        return self


def unsafe_in_production(settings: Settings) -> list[str]:
    """What may not be so in production, a sentence each; empty when all is well, or when it is not production."""
    if settings.server.environment != "production":
        return []
    problems = []
    if not settings.server.issuer.startswith("https://"):
        problems.append("[server] issuer must be https in production.")
    if settings.messages.channel == "inbox":
        problems.append('[messages] channel = "inbox" shows every code to whoever can open the page. Choose a real channel in production.')
    root = settings.keys.folder / "root.key"
    if root.exists() and root.stat().st_mode & 0o077:
        problems.append(f"{root} can be read by others. Run: chmod 600 {root}")
    if settings.outbound.allow_private_addresses:
        problems.append("[outbound] allow_private_addresses lets others reach what stands behind the firewall. Turn it off in production.")
    problems += config_registration.unsafe(settings.registration)
    if settings.telemetry.log_level == "DEBUG":
        problems.append('[telemetry] log_level = "DEBUG" is too talkative for production. Use INFO.')
    return problems


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the configuration; raises ConfigurationError with every problem and what to do about it.

    `path`: the TOML file (default: `IDP_CONFIG`, else `./config.toml` when it is there). `environment`: default `os.environ`.
    """
    env = dict(os.environ if environment is None else environment)
    named = path or (Path(env["IDP_CONFIG"]) if env.get("IDP_CONFIG") else None)
    values, problems = config_source.read_file(named)
    env, more = config_source.read_environment(env, PREFIX, Settings.model_fields)
    problems += config_source.unknown(values, f"in {named or config_source.DEFAULT}", Settings.model_fields) + more
    if problems:
        raise ConfigurationError(problems)
    try:
        settings = _read(values, env)
    except ValidationError as e:
        raise ConfigurationError([config_source.sentence(error, PREFIX) for error in e.errors()]) from e
    except SettingsError as e:
        raise ConfigurationError([f"A variable cannot be read: {e}. Lists are written with commas, tables as JSON."]) from e
    if problems := unsafe_in_production(settings):
        raise ConfigurationError(problems)
    return settings


def _read(values: dict[str, Any], env: dict[str, str]) -> Settings:
    """Validate `values` (from the file) under the variables in `env`."""

    class Environment(EnvSettingsSource):
        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {name.lower(): value for name, value in env.items()}

    class Read(Settings):
        @classmethod
        def settings_customise_sources(cls, settings_cls: type[BaseSettings], *given: Any, **named: Any) -> tuple[Any, ...]:
            """The environment wins over the file, which comes as `init_settings`."""
            return (Environment(settings_cls), named.get("init_settings") or given[0])

    return Read(**values)


class _Current:
    settings: Settings | None = None


def use(settings: Settings) -> None:
    """Make `settings` the ones that `settings()` gives in this process."""
    _Current.settings = settings


def settings() -> Settings:
    """The configuration of this process, read when it is first asked for."""
    if _Current.settings is None:
        _Current.settings = load()
    return _Current.settings
