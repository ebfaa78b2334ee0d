"""The command line on PostgreSQL: tables are brought up on purpose, never by a server that starts (pages.md §4 Ops)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from idp.db import schema
from tests import machine, servers
from tests.cli.running import Place, wait_until

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def cluster() -> Iterator[servers.Cluster]:
    if reason := machine.missing("postgresql"):
        pytest.skip(reason)
    with servers.postgresql() as started:
        yield started


@pytest.fixture
def place(cluster: servers.Cluster, empty: Place) -> Iterator[Place]:
    """A folder whose configuration names an empty database."""
    cluster.drop("cli")
    empty.variables["IDP_DATABASE__URL"] = cluster.create("cli")
    yield empty
    cluster.drop("cli")


def test_a_server_does_not_touch_the_tables(place: Place) -> None:
    """Other machines may still run the old program."""
    place.idp("init")
    place.idp("db", "downgrade", "--yes")
    done = place.idp("serve", IDP_SERVER__PORT=str(machine.free_port()))
    assert done.code == 1
    assert f"lacks {schema.revisions()[-1]}" in done.err
    assert "idp db upgrade" in done.err
    assert place.idp("db", "check").code == 1


def test_it_serves_and_is_well(place: Place) -> None:
    assert place.idp("init").code == 0
    with place.serving("--workers", "2") as server:
        assert server.get() == 200
        wait_until("the worker", lambda: server.children("main worker"))
        done = place.idp("doctor", "--format", "json")
        found = {line["name"]: line for line in json.loads(done.out)}
        assert done.code == 0, found
        assert "PostgreSQL" in found["database"]["says"]
        assert "s from the database's" in found["clock"]["says"]


def test_a_client_is_made_here_too(place: Place) -> None:
    place.idp("init")
    made = place.idp("clients", "create", "--name", "Shop", "--redirect-uri", "https://shop.example/callback", "--id", "shop")
    assert made.code == 0, made.err
    assert json.loads(place.idp("clients", "show", "shop", "--format", "json").out)["live_secrets"] == 1


def test_a_table_that_somebody_holds_is_waited_for_briefly(place: Place) -> None:
    """R16: an upgrade that waits for a table makes everybody wait behind it, so it gives up after two seconds and can be run again."""
    place.idp("init")
    place.idp("db", "downgrade", "0001", "--yes")
    url = place.variables["IDP_DATABASE__URL"].replace("+psycopg", "")
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        done = place.idp("db", "upgrade")
        assert (done.code, "in use by another process" in done.err) == (1, True), done.err
    assert place.idp("db", "upgrade").code == 0


def test_two_upgrades_take_turns(place: Place) -> None:
    """R16: while another machine upgrades, this one waits, longer than statements may take here, and then finds out what is left to do."""
    place.idp("init")
    place.idp("db", "downgrade", "--yes")
    url = place.variables["IDP_DATABASE__URL"].replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("ALTER DATABASE cli SET statement_timeout = '1s'")
        other.execute(f"SELECT pg_advisory_lock({schema.LOCK})")
        threading.Timer(2, other.close).start()
        began = time.monotonic()
        done = place.idp("db", "upgrade")
        assert (done.code, time.monotonic() - began > 1.5) == (0, True), done.err
    assert schema.revisions()[-1] in done.out
    assert place.idp("db", "upgrade").out == "The tables are up to date.\n"
