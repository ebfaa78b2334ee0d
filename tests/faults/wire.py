"""A wire between the provider and its database, in a process of its own so that it never waits for the test: cut, swallowing, slow; and
counted.

    flowing    what comes goes on
    swallowed  connections are taken and nothing goes either way, as when a machine freezes or a firewall drops
    refused    nobody listens: what was open is cut, what comes is turned away
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa


class Wire:
    """The test's end: one order, one answer, a line each."""

    def __init__(self, to: int) -> None:
        command = [sys.executable, "-m", "tests.faults.wire", str(to)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())

    def become(self, how: str, *, delay: float = 0.0) -> None:
        """From here on it is `flowing` (each byte `delay` seconds late), `swallowed` or `refused`."""
        self._order(how=how, delay=delay)

    def counted(self) -> int:
        """How often, since the last time this was asked, the client spoke after the server had: round trips."""
        return self._order()

    def _order(self, **order: object) -> int:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def url(self, url: str) -> str:
        """The same database, through this wire."""
        return sa.make_url(url).set(port=self.port).render_as_string(hide_password=False)


@contextmanager
def wire(to: int) -> Iterator[Wire]:
    """A wire to a port of 127.0.0.1."""
    made = Wire(to)
    try:
        yield made
    finally:
        made.process.communicate()


class _Ends:
    """The process's side."""

    def __init__(self, to: int) -> None:
        self.to, self.how, self.delay, self.trips = to, "flowing", 0.0, 0
        self.writers: set[asyncio.StreamWriter] = set()
        self.changed = asyncio.Event()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end."""
        self.writers.add(writer)
        other = None
        try:
            if self.how == "refused":
                return
            await self._flowing()
            there, other = await asyncio.open_connection("127.0.0.1", self.to)
            self.writers.add(other)
            speaks = [False]
            back = asyncio.create_task(self._carry(there, writer, speaks, client=False))
            await self._carry(reader, other, speaks, client=True)
            back.cancel()
        except OSError:
            pass
        finally:
            for end in filter(None, (writer, other)):
                self.writers.discard(end)
                end.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, speaks: list[bool], *, client: bool) -> None:
        with suppress(OSError):
            while part := await reader.read(65536):
                if client and not speaks[0]:
                    self.trips += 1
                speaks[0] = client
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._flowing()
                writer.write(part)
                await writer.drain()
        writer.close()

    async def _flowing(self) -> None:
        while self.how == "swallowed":
            self.changed.clear()
            await self.changed.wait()

    def become(self, how: str, delay: float) -> None:
        """See Wire."""
        self.how, self.delay = how, delay
        self.changed.set()
        if how == "refused":
            for writer in self.writers:
                writer.transport.abort()


async def _main(to: int) -> None:
    ends = _Ends(to)
    server = await asyncio.start_server(ends.take, "127.0.0.1", 0)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    while line := await orders.readline():
        order = json.loads(line)
        if order:
            ends.become(**order)
        sys.stdout.write(f"{ends.trips}\n")
        sys.stdout.flush()
        ends.trips = 0


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
