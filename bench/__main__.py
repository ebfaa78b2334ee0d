"""`make bench`: operations per second, p50 and p99 of what relying parties and people do, each beside its floor of the same run.

    python -m bench [--workers N] [--database URL] [--seconds S] [--rounds R] [--users U] [--only WORKLOAD ...] [--tries N]
                    [--walks NAME ...]

At the end: what a sign-in by phone costs, and whether known and unknown logins can be told apart by time (`--tries` of each, 0: left out).

Servers run on the first core (or all but the last, with more workers), the load on the last. Rounds of ours and of the floor take turns and
the medians count, since a machine is never quiet for long. The database is durable: SQLite WAL, synchronous FULL, or PostgreSQL as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench import load, people, strangers, workloads
from bench.load import Result, Script
from bench.provider import Served, floor_command, free_port, provider_command, serving, settings
from bench.workloads import CALLBACK, FLOORS, Lab

THREADS = 4  # as the provider has by default
WIDTH = max(map(len, FLOORS)) + 1
PHONE, CODE = "+79005550000", "424242"


def prepare(environment: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Keys, tables, one person and the clients: for people (`web`) and for themselves (`machine`), with JWTs and with opaque access tokens.

    Answers the id and the secret of each, by kind and format.
    """
    from idp import config, crypto, keyring  # noqa: PLC0415 - read after the environment is known
    from idp.cli.setting import at_work  # noqa: PLC0415 - as above
    from idp.db import schema  # noqa: PLC0415 - as above
    from idp.db.session import writes  # noqa: PLC0415 - as above
    from idp.delegation import clients  # noqa: PLC0415 - as above
    from idp.directory import roles, users  # noqa: PLC0415 - as above

    chosen = config.load(environment=environment)
    crypto.make_keys(chosen.keys.folder)
    schema.upgrade(chosen.database.url)
    with at_work(chosen):
        with writes():
            keyring.ensure()
        with writes():
            roles.install()
            users.register(PHONE, "Анна Смирнова", "ru", "1")
            people.move_in()
            made = {}
            for format_ in ("jwt", "opaque"):
                web = {"redirect_uris": [CALLBACK], "first_party": True, "id_token_signed_response_alg": "ES256"}
                for kind, scopes, more in (("web", ["openid", "profile"], web), ("machine", ["orders:read"], {})):
                    client, secret = clients.register(name="Bench", kind=kind, scopes=scopes, access_token_format=format_, **more)
                    made[f"{kind} {format_}"] = (client.id, secret or "")
    return made


def signed_in(lab: Lab, served: Served) -> tuple[dict[str, str], dict[str, str]]:
    """One sign-in by hand: the browser's cookies, and the token response."""
    cookies: dict[str, str] = {}
    tokens: dict[str, str] = {}

    def watched() -> Script:
        inner = workloads.sign_in(lab)()
        request = next(inner)
        while True:
            answer = yield request
            cookies.update(answer.cookies())
            if answer.body.startswith(b'{"access_token"'):
                tokens.update(json.loads(answer.body))
            try:
                request = inner.send(answer)
            except StopIteration as end:
                return int(end.value)

    while not tokens:
        load.run(served.port, watched, users=1, seconds=0.3)
    return cookies, tokens


def measured(served: Served, script: Callable[[], Script], options: argparse.Namespace) -> tuple[Result, float]:
    """One round: its result, and the milliseconds of processor time per operation."""
    before = served.processor_seconds()
    result = load.run(served.port, script, users=options.users, seconds=options.seconds)
    used = served.processor_seconds() - before
    if result.failed:
        raise SystemExit(f"{result.failed} operations failed, the first with {result.first_failure}: the figures would mean nothing")
    return result, used * 1000 / max(1, result.done)


def line(name: str, rounds: list[tuple[tuple[Result, float], tuple[Result, float]]], plain: float) -> str:
    """One row of the table: the medians of ours, then of the floor; last, what as many of `plain`'s requests a second would give."""
    ours, floors = [ours for ours, _ in rounds], [floor for _, floor in rounds]

    def middle(results: list[tuple[Result, float]], value: Callable[[Result], float]) -> float:
        return statistics.median(value(result) for result, _ in results)

    rate, base = middle(ours, lambda r: r.rate), middle(floors, lambda r: r.rate)
    p50, p99 = middle(ours, lambda r: r.percentile(0.5)), middle(ours, lambda r: r.percentile(0.99))
    processor = statistics.median(used for _, used in ours)
    floor_p99 = middle(floors, lambda r: r.percentile(0.99))
    ratios = f"{base / rate:12.2f}{plain / len(FLOORS[name]) / rate:12.2f}"
    return f"{name:{WIDTH}}{rate:9.0f}{p50:9.1f}{p99:9.1f}{processor:9.2f}   {base:9.0f}{floor_p99:9.1f}{ratios}\n"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--database", default=None)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--only", nargs="+", choices=[*FLOORS, "nothing"], metavar="WORKLOAD")
    parser.add_argument("--tries", type=int, default=2000)
    parser.add_argument("--walks", nargs="+", metavar="NAME")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    server_cores = set(cores if options.workers > 1 else cores[:1])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="idp-bench-")))
        port = free_port()
        environment = settings(folder, port, options.database, options.workers) | people.AT_ONCE
        environment["IDP_LOGIN__TEST_NUMBERS"] = json.dumps({PHONE: CODE})
        made = prepare(environment)
        began = time.perf_counter()
        ours = stack.enter_context(serving(provider_command(options.workers), environment, port, cores=server_cores, ready="/health/live"))
        first = time.perf_counter() - began
        floor_port = free_port()
        floor = stack.enter_context(
            serving(
                floor_command(floor_port, options.workers, THREADS),
                {"FLOOR_DATABASE": str(folder / "floor.sqlite3")},
                floor_port,
                cores=server_cores,
                ready="/do",
            )
        )
        labs = {name: Lab(ours.host, client_id, secret, PHONE, CODE) for name, (client_id, secret) in made.items()}
        lab, opaque = labs["web jwt"], labs["web opaque"]
        cookies, tokens = signed_in(lab, ours)
        kept = signed_in(opaque, ours)[1]["access_token"]
        chains = [signed_in(lab, ours)[1]["refresh_token"] for _ in range(options.users)]
        scripts = {
            "flow": workloads.flow(lab, cookies),
            "refresh": workloads.refresh(lab, chains),
            "client credentials": workloads.client_credentials(labs["machine jwt"]),
            "client credentials, opaque": workloads.client_credentials(labs["machine opaque"]),
            "userinfo": workloads.userinfo(lab, tokens["access_token"]),
            "userinfo, opaque": workloads.userinfo(opaque, kept),
            "introspection": workloads.introspection(lab, tokens["access_token"]),
            "introspection, opaque": workloads.introspection(opaque, kept),
            "sign-in": workloads.sign_in(lab),
        }
        out = sys.stdout
        out.write(f"{options.workers} worker(s), {options.users} connections, {options.rounds} rounds of {options.seconds:g} s, medians\n")
        out.write(f"{'':{WIDTH}}{'per s':>9}{'p50 ms':>9}{'p99 ms':>9}{'cpu ms':>9}   {'floor/s':>9}{'p99 ms':>9}")
        out.write(f"{'floor/ours':>12}{'plain/ours':>12}\n")
        plain = statistics.median(
            measured(floor, workloads.floor(floor.host, [workloads.PLAIN]), options)[0].rate for _ in range(options.rounds)
        )
        for name, script in scripts.items():
            if options.only and name not in options.only:
                continue
            rounds = [
                (measured(ours, script, options), measured(floor, workloads.floor(floor.host, FLOORS[name]), options))
                for _ in range(options.rounds)
            ]
            out.write(line(name, rounds, plain))
            out.flush()
        out.write(people.whole_sign_in(ours, lab, people.codes(environment["IDP_DATABASE__URL"])))
        if options.tries:
            for told in strangers.timing(ours, lab, options.tries, options.walks or ()):
                out.write(told)
                out.flush()
        sizes = ", ".join(f"{size:.0f}" for size in ours.megabytes())
        out.write(f"first answer {first:.2f} s after the process started; memory of its processes, MB: {sizes}\n")


if __name__ == "__main__":
    main()
