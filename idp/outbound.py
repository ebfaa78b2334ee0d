"""The one door to addresses that others name: another provider's discovery, keys and tokens (threats: cases 43 and 45).

    1  https, a host, no user, no fragment; plain http only to loopback, where the settings allow private addresses
    2  the name is looked up once; any address that is not public refuses the whole name, and the connection goes to the one looked at,
       so that a second look (DNS rebinding) finds nobody. The certificate is checked for the name
    3  no redirects, no proxies, no cookies, no compression
    4  one deadline for all of it, from the name to the last byte; at most LONGEST bytes; so many at once in a process

NOTE: what went wrong is a word of ours. What the other side says is neither logged nor shown: it may hold what was sent. Never call it
inside a writing unit.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from idp.config import settings
from idp.config_providers import is_address

if TYPE_CHECKING:
    import httpcore2

LONGEST = 256 * 1024
PATIENCE = 0.2  # seconds to wait for a place
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # behind it stands any address of the old kind
UNICAST = ipaddress.ip_network("2000::/3")


class OutboundFailed(RuntimeError):  # noqa: N818 - what happened
    """Nothing, or nothing useful, came back. `word` says why: `timeout`, `connection`, `tls`, `unknown_host`, `not_public`, `too_large`"""

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(word)


class Fetched(NamedTuple):
    """An answer: its status, and its body as it came."""

    status: int
    body: bytes


def fetch(
    address: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    bounded: bool = True,
) -> Fetched:
    """GET `address`, or POST `form` to it; raises OutboundFailed. `query` is added to what stands in the address.

    `bounded`: one of so many at once; False where the caller's own threads are what bounds it, and no request waits for it.
    """
    limits = settings().outbound
    if not is_address(address) or (address.startswith("http:") and not limits.allow_private_addresses):
        raise OutboundFailed("address")
    room = _room(limits.at_once) if bounded else None
    if room is not None and not room.acquire(timeout=PATIENCE):
        raise OutboundFailed("busy")
    until = time.monotonic() + limits.timeout
    answered: queue.SimpleQueue[Fetched | OutboundFailed] = queue.SimpleQueue()

    def run() -> None:
        # All waits in here end by `until`, but for the look-up of the name, which only the system can end. The place is given back with it.
        try:
            answered.put(_ask(address, form, headers or {}, query or {}, until))
        except OutboundFailed as e:
            answered.put(e)
        except Exception as e:
            answered.put(OutboundFailed(_word(e)))
        finally:
            if room is not None:
                room.release()

    threading.Thread(target=run, name="outbound", daemon=True).start()
    try:
        answer = answered.get(timeout=max(0.0, until - time.monotonic()))
    except queue.Empty:
        raise OutboundFailed("timeout") from None
    if isinstance(answer, OutboundFailed):
        raise answer
    return answer


def is_public(address: str) -> bool:
    """Whether this IP address is one that anybody on the internet may mean."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else None)
        if inner is not None:
            return is_public(str(inner))
        if ip not in UNICAST or ip.sixtofour or ip.teredo:  # tunnels of old lead to addresses of the old kind
            return False
    return ip.is_global and not ip.is_multicast


@cache
def _room(places: int) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(places)


def _ask(address: str, form: Mapping[str, str] | None, headers: Mapping[str, str], query: Mapping[str, str], until: float) -> Fetched:
    import httpcore2  # noqa: PLC0415 - a fifth of a server's start, for what few requests need

    if query:
        address += ("&" if urlsplit(address).query else "?") + urlencode(query)
    sent = {"User-Agent": "idp", "Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close", **headers}
    content = None
    if form is not None:
        content = urlencode(form).encode()
        sent |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(content))}
    left = max(0.001, until - time.monotonic())
    extensions = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), left)}
    authorities = tuple(settings().outbound.certificate_authorities)
    pool = httpcore2.ConnectionPool(ssl_context=_context(authorities), network_backend=_backend(until), http1=True, http2=False, retries=0)
    method = "GET" if form is None else "POST"
    lines = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    with pool, pool.stream(method, address, headers=lines, content=content, extensions=extensions) as answer:
        if any(name.lower() == b"content-encoding" and value.lower() != b"identity" for name, value in answer.headers):
            raise OutboundFailed("encoding")
        body = bytearray()
        for piece in answer.iter_stream():
            body += piece
            if len(body) > LONGEST:
                raise OutboundFailed("too_large")
        return Fetched(answer.status, bytes(body))


@cache  # reading all authorities takes longer than a fetch
def _context(authorities: tuple[Path, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for path in authorities:
        context.load_verify_locations(cafile=path)
    return context


def _backend(until: float) -> httpcore2.NetworkBackend:
    """How connections are made: to addresses that were looked at, each wait no longer than until the deadline."""
    import httpcore2  # noqa: PLC0415 - as above

    plain = httpcore2.SyncBackend()

    def left(timeout: float | None) -> float:
        rest = until - time.monotonic()
        if rest <= 0:  # whoever drips a byte a second never waits too long for the next one
            raise httpcore2.ReadTimeout("deadline")
        return min(rest, timeout) if timeout is not None else rest

    class Stream(httpcore2.NetworkStream):
        def __init__(self, inner: httpcore2.NetworkStream) -> None:
            self.inner = inner

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            return self.inner.read(max_bytes, left(timeout))

        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            self.inner.write(buffer, left(timeout))

        def close(self) -> None:
            self.inner.close()

        def start_tls(
            self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
        ) -> httpcore2.NetworkStream:
            return Stream(self.inner.start_tls(ssl_context, server_hostname, left(timeout)))

        def get_extra_info(self, info: str) -> Any:
            return self.inner.get_extra_info(info)

    class Backend(httpcore2.NetworkBackend):
        def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,
            local_address: str | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> httpcore2.NetworkStream:
            failure: Exception = OutboundFailed("unknown_host")
            for address in _look_up(host, port):
                try:
                    return Stream(plain.connect_tcp(address, port, left(timeout), local_address, socket_options))
                except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as e:
                    failure = e
            raise failure

    return Backend()


def _look_up(host: str, port: int) -> list[str]:
    """The addresses of a name; raises OutboundFailed when one of them is not public."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    addresses = list(dict.fromkeys(found))
    if not settings().outbound.allow_private_addresses and not all(is_public(address) for address in addresses):
        raise OutboundFailed("not_public")
    return addresses


def _word(error: BaseException) -> str:
    """The word for what went wrong on the way, however deep it lies in what was raised."""
    seen: BaseException | None = error
    for _ in range(10):
        if isinstance(seen, OutboundFailed):
            return seen.word
        if isinstance(seen, ssl.SSLError):
            return "tls"
        if isinstance(seen, TimeoutError) or "Timeout" in type(seen).__name__:
            return "timeout"
        if isinstance(seen, socket.gaierror):
            return "unknown_host"
        seen = seen and (seen.__cause__ or seen.__context__)
    return "connection"
