"""`idp init`, `check`, `doctor`, `db`, `clients`: what they make, what they say, and with which exit code (commands.md)."""

from __future__ import annotations

import json
import re
import sqlite3
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from redis import Redis

from idp.cli.main import COMMANDS
from idp.db import schema
from tests import machine, servers
from tests.cli.running import Place

CREATE = ["clients", "create", "--name", "Shop", "--redirect-uri"]


def signing_keys(place: Place) -> list[tuple[str, str]]:
    with sqlite3.connect(place.folder / "idp.sqlite3") as database:
        return sorted(database.execute("SELECT algorithm, state FROM signing_keys").fetchall())


# ---- help and usage ----


def test_help_names_every_command_and_reads_none(empty: Place) -> None:
    """It reads no command's file, so it is there in a tenth of a second."""
    done = empty.idp("--help")
    assert done.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in done.out
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, idp.cli.main; print('pydantic' in sys.modules, 'sqlalchemy' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        env=empty.environment,
    )
    assert loaded.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    "words",
    [
        "serve",
        "worker",
        "init",
        "check",
        "doctor",
        "db upgrade",
        "db downgrade",
        "clients create",
        "messages test",
        "demo",
        "users list",
        "users codes-on",
        "users unlock-password",
        "companies suspend",
        "employees change-role",
        "keys rotate",
        "events tail",
        "events export",
    ],
)
def test_each_command_explains_itself(empty: Place, words: str) -> None:
    done = empty.idp(*words.split(), "--help")
    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) > 4


@pytest.mark.parametrize("words", ["nonsense", "clients", "clients create", "clients show", "check --format xml", "demo --port 80"])
def test_wrong_usage_is_2(place: Place, words: str) -> None:
    assert place.idp(*words.split()).code == 2


# ---- init ----


def test_init_makes_what_is_missing_and_touches_nothing(empty: Place) -> None:
    first = empty.idp("init")
    assert first.code == 0, first.err
    key = empty.folder / "keys" / "root.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert tomllib.loads((empty.folder / "config.toml").read_text("utf-8"))["server"] == {}
    assert schema.pending(f"sqlite:///{empty.folder / 'idp.sqlite3'}") == []
    assert ("ES256", "active") in signing_keys(empty)
    assert "made" in first.out
    before = key.read_bytes(), (empty.folder / "config.toml").read_bytes(), signing_keys(empty)
    second = empty.idp("init")
    assert second.code == 0
    assert "made" not in second.out
    assert (key.read_bytes(), (empty.folder / "config.toml").read_bytes(), signing_keys(empty)) == before


def test_parallel_first_runs_end_in_one(empty: Place) -> None:
    """Case 126, R5: all succeed, and there is one root key, one configuration, one set of signing keys that it opens."""
    command = [sys.executable, "-m", "idp.cli.main", "init"]
    running = [subprocess.Popen(command, cwd=empty.folder, env=empty.environment, stdout=subprocess.PIPE) for _ in range(3)]
    said = [process.communicate(timeout=120)[0].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert sum("made   keys/root.key" in each for each in said) == 1
    assert sum("made   config.toml" in each for each in said) == 1
    assert [state for _, state in signing_keys(empty)].count("active") == len({algorithm for algorithm, _ in signing_keys(empty)})
    assert empty.idp("doctor").code == 0
    assert sorted(path.name for path in empty.folder.iterdir() if path.name.startswith(".")) == []


def test_init_says_where_it_may_not_write(empty: Place) -> None:
    done = empty.idp("init", IDP_CONFIG=str(empty.folder / "none" / "config.toml"))
    assert done.code == 1
    assert "cannot be written" in done.err


# ---- check ----


def test_check_shows_what_is_in_force_without_secrets(empty: Place) -> None:
    url = "postgresql+psycopg://idp:hunter2@db.example/idp"
    variables = {"IDP_DATABASE__URL": url, "IDP_LOGIN__TEST_NUMBERS": '{"+79005550000": "482913"}', "IDP_SERVER__PORT": "8123"}
    for form in ("table", "json"):
        done = empty.idp("check", "--format", form, **variables)
        assert done.code == 0, done.err
        for secret in ("hunter2", "482913"):
            assert secret not in done.out + done.err
        assert "8123" in done.out
        assert "idp:[hidden]@db.example/idp" in done.out
    assert json.loads(empty.idp("check", "--format", "json").out)["server"]["port"] == 8000


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"IDP_SERVER__ISUER": "x"}, "did you mean issuer"),
        ({"IDP_SERVER__ENVIRONMENT": "production"}, "[messages] channel"),
        ({"IDP_CONFIG": "none.toml"}, "none.toml cannot be read"),
        ({"IDP_MESSAGES__BOUND_HOST": "sign-in.accounts.marketplace.example.org"}, "is more than one message, by"),
    ],
)
def test_check_refuses(empty: Place, variables: dict[str, str], said: str) -> None:
    done = empty.idp("check", **variables)
    assert (done.code, done.out) == (1, "")
    assert said in done.err


STAFF = {"title": "Staff", "issuer": "https://localhost:1", "client_id": "us", "client_secret": "hunter2-hunter2"}


def test_check_hides_what_other_providers_gave_us(place: Place) -> None:
    done = place.idp("check", IDP_PROVIDERS__STAFF=json.dumps(STAFF))
    assert (done.code, "hunter2" in done.out + done.err, "[providers] staff" in done.out) == (0, False, True)
    said = place.idp("check", IDP_PROVIDERS__STAFF=json.dumps(STAFF | {"issuer": "http://login.example"}))
    assert (said.code, "hunter2" in said.out + said.err, "must be https" in said.err) == (1, False, True)


# ---- doctor ----


def doctor(place: Place, **variables: str) -> dict[str, dict[str, str]]:
    done = place.idp("doctor", "--format", "json", **variables)
    found = {line["name"]: line for line in json.loads(done.out)}
    assert done.code == (1 if any(line["state"] == "bad" for line in found.values()) else 0)
    return found


def test_doctor_asks_other_providers(place: Place) -> None:
    """Where one is that nobody should reach, or that is away, is said; it stops nothing else."""
    found = doctor(place, IDP_PROVIDERS__STAFF=json.dumps(STAFF))["providers"]
    assert (found["state"], "staff not_public" in found["says"]) == ("bad", True)


def test_doctor_finds_all_well(place: Place) -> None:
    found = doctor(place)
    assert list(found) == [
        "configuration",
        "database",
        "migrations",
        "keys",
        "clock",
        "queue",
        "wrong codes",
        "redis",
        "channels",
        "providers",
        "certificate",
    ]
    assert {line["state"] for line in found.values()} == {"ok"}
    assert len(place.idp("doctor").out.splitlines()) == len(found)


def test_doctor_says_what_is_wrong_and_what_that_hides(empty: Place) -> None:
    found = doctor(empty)
    assert found["database"]["state"] == "bad"
    assert "idp init" in found["database"]["says"]
    assert found["migrations"] == {"name": "migrations", "state": "skipped", "says": "needs database"}
    assert not (empty.folder / "idp.sqlite3").exists()


def test_doctor_does_not_wait_for_a_database_that_is_away(place: Place) -> None:
    found = doctor(place, IDP_DATABASE__URL="postgresql+psycopg://idp:hunter2@127.0.0.1:1/idp")
    assert found["database"]["state"] == "bad"
    assert "hunter2" not in str(found)


def test_doctor_sees_keys_that_are_not_the_databases(place: Place) -> None:
    key = place.folder / "keys" / "root.key"
    key.chmod(0o644)
    assert "chmod 600" in doctor(place)["keys"]["says"]
    key.unlink()
    assert "idp init" in doctor(place)["keys"]["says"]
    place.idp("init")
    assert "not this database's keys" in doctor(place)["keys"]["says"]


def test_doctor_sees_a_queue_that_nobody_works_on(place: Place) -> None:
    with sqlite3.connect(place.folder / "idp.sqlite3") as database:
        database.execute(
            "INSERT INTO outbox (id, kind, state, attempts, due_at, created_at) VALUES"
            " ('out_1', 'message', 'waiting', 0, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000')"
        )
    found = doctor(place)["queue"]
    assert found["state"] == "bad"
    assert "idp worker" in found["says"]


# ---- redis ----


def test_redis_that_does_not_answer_is_said_and_refuses_nothing(place: Place) -> None:
    """R14: sign-ins go on without it, so the configuration can be used; the doctor calls it bad. Its password is shown by neither."""
    variables = {"IDP_REDIS__URL": f"redis://idp:hunter2@127.0.0.1:{machine.free_port()}/0"}
    done = place.idp("check", **variables)
    assert done.code == 0
    assert "cannot be counted in: Error 111" in done.err
    assert "idp:[hidden]@127.0.0.1" in done.out
    found = doctor(place, **variables)
    assert [name for name, line in found.items() if line["state"] != "ok"] == ["redis"]
    assert "Sign-ins go on" in found["redis"]["says"]
    assert "hunter2" not in done.out + done.err + str(found)


def test_redis_that_answers(place: Place) -> None:
    """And one that answers, but has no room left: throttles cannot be counted in it."""
    if reason := machine.missing("redis-server"):
        pytest.skip(reason)
    with servers.redis() as redis:
        assert re.search(r"answers in [0-9.]+ ms", doctor(place, IDP_REDIS__URL=redis.url)["redis"]["says"])
        assert "Redis" not in place.idp("check", IDP_REDIS__URL=redis.url).err
        with Redis.from_url(redis.url) as client:
            client.config_set("maxmemory", "1")
        assert "maxmemory" in doctor(place, IDP_REDIS__URL=redis.url)["redis"]["says"]


# ---- db ----


def test_tables_go_up_and_down(place: Place) -> None:
    assert place.idp("db", "check").code == 0
    assert place.idp("db", "downgrade", "--yes").code == 0
    missing = place.idp("db", "check")
    assert missing.code == 1
    assert schema.revisions()[-1] in missing.err
    assert "idp db upgrade" in place.idp("clients", "list").err
    assert place.idp("db", "upgrade").out.startswith("Applied")
    assert json.loads(place.idp("db", "check", "--format", "json").out) == {"current": True, "pending": []}


def test_nothing_is_taken_down_unasked(place: Place) -> None:
    assert place.idp("db", "downgrade").code != 0
    assert place.idp("db", "check").code == 0


# ---- clients ----


def test_a_client_is_made_and_its_secret_shown_once(place: Place) -> None:
    made = place.idp(*CREATE, "https://shop.example/callback", "--id", "shop", "--format", "json")
    assert made.code == 0, made.err
    client = json.loads(made.out)
    secret = client["client_secret"]
    assert len(secret) == 43
    for text in client["snippets"].values():
        assert secret in text
        assert "http://localhost:8000" in text
    for words in (["clients", "show", "shop"], ["clients", "list"], ["clients", "show", "shop", "--format", "json"]):
        shown = place.idp(*words)
        assert shown.code == 0
        assert "Shop" in shown.out
        assert secret not in shown.out + shown.err
    assert secret.encode() not in (place.folder / "idp.sqlite3").read_bytes()


def test_what_is_printed_can_be_pasted(place: Place) -> None:
    """The Python snippet compiles, the variables parse, and nothing is left to fill in but the app's own."""
    client = json.loads(place.idp(*CREATE, "https://shop.example/oidc/back", "--format", "json").out)
    python = client["snippets"]["Python: Flask and Authlib"]
    compile(python, "snippet", "exec")
    assert '@app.get("/oidc/back")' in python
    variables = dict(line.split("=", 1) for line in client["snippets"][".env"].splitlines() if line)
    assert variables["OIDC_CLIENT_SECRET"] == client["client_secret"]
    assert variables["OIDC_ISSUER"] == "http://localhost:8000"
    assert "$" not in "".join(client["snippets"].values())


def test_a_public_client_has_no_secret(place: Place) -> None:
    done = place.idp(*CREATE, "com.example.shop:/callback", "--kind", "native", "--format", "json")
    client = json.loads(done.out)
    assert client["client_secret"] is None
    assert client["pkce"] == "required"
    assert "client.None()" in client["snippets"]["JavaScript: openid-client"]
    assert "Python: Flask and Authlib" not in client["snippets"]


def test_the_format_of_access_tokens(place: Place) -> None:
    """A JWT unless it is said otherwise."""
    made = [
        place.idp(*CREATE, "https://shop.example/callback", "--format", "json", *more) for more in ([], ["--access-token-format", "opaque"])
    ]
    assert [json.loads(each.out)["access_token_format"] for each in made] == ["jwt", "opaque"]
    assert place.idp(*CREATE, "https://shop.example/callback", "--access-token-format", "saml").code == 2


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://shop.example/callback", "use https"),
        ("https://shop.example/callback#part", "fragment"),
        ("https://*.shop.example/callback", "wildcards"),
        ("https://user@shop.example/callback", "user name"),
        ("javascript:alert(1)", "own scheme"),
        ("https://shop.example/a/../b", ".."),
    ],
)
def test_a_bad_address_is_refused_with_the_reason(place: Place, address: str, reason: str) -> None:
    done = place.idp(*CREATE, address)
    assert (done.code, done.out) == (1, "")
    assert reason in done.err
    assert json.loads(place.idp("clients", "list", "--format", "json").out) == []


def test_an_unknown_scope_is_named(place: Place) -> None:
    done = place.idp(*CREATE, "https://shop.example/callback", "--scope", "openid everything")
    assert done.code == 1
    assert "everything" in done.err


def test_an_unknown_client_is_said(place: Place) -> None:
    done = place.idp("clients", "show", "nobody")
    assert (done.code, done.out) == (1, "")
    assert "idp clients list" in done.err


def test_an_empty_list_teaches(place: Place) -> None:
    done = place.idp("clients", "list")
    assert (done.code, done.out) == (0, "")
    assert "idp clients create" in done.err


def test_a_name_cannot_order_the_terminal_about(place: Place) -> None:
    """Case 125's sibling: what somebody typed is printed as text, on one line."""
    with sqlite3.connect(place.folder / "idp.sqlite3") as database:
        assert place.idp(*CREATE, "https://shop.example/callback", "--id", "shop").code == 0
        database.execute("UPDATE clients SET name = ?", ("Evil\x1b[2J\n[red]shop[/red]",))
    shown = place.idp("clients", "list")
    assert "\x1b" not in shown.out
    assert "[red]shop[/red]" in shown.out


# ---- a database that is away ----


@pytest.mark.parametrize("words", ["db upgrade", "db check", "clients list", "worker"])
def test_a_database_that_is_away_is_said(place: Place, words: str) -> None:
    done = place.idp(*words.split(), IDP_DATABASE__URL="postgresql+psycopg://idp:hunter2@127.0.0.1:1/idp")
    assert (done.code, done.out) == (1, "")
    assert "does not answer" in done.err
    assert "hunter2" not in done.err


def test_a_folder_that_is_missing_is_said(place: Place) -> None:
    done = place.idp("clients", "list", IDP_DATABASE__URL=f"sqlite:///{Path('/none/there.sqlite3')}")
    assert done.code == 1
    assert "its folder must exist" in done.err
