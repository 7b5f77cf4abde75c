"""The one polite HTTP client: every byte the project takes from the outside comes through here.

Here belongs what is true of any host: who we say we are, retries, time-outs, size limits, conditional requests,
redirects and the rule that a public address may not lead us into a private network. When a host may be asked is
reckoned in `sources.pace`. What a source's bytes mean, which addresses it has and where its bytes are kept does
not belong here.

Requests go straight to httpx transports, not through `httpx.AsyncClient`: that client keeps cookies and logs
every address with its query string, and costs more per request. No cookie is ever kept or sent unless the
caller gives one.

**The address check, and what remains.** A host name is resolved once per connection, every address found must
be public, and the connection goes to an address that was checked; so a name that changes its answer between
check and use (DNS rebinding) gains nothing. Not covered:

- Behind a proxy named by the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY; NO_PROXY is honoured) the proxy
  resolves the name. We then check the name as seen from here, once per client, and pass names we cannot
  resolve; the last word is the proxy's. Hosts in `private_hosts` never go through a proxy.
- A public address that forwards into a private network, and hosts in `private_hosts`, are trusted.

A body that ends early is an error where Content-Length, chunks or gzip betray it; without any of them HTTP
has no means to tell it from a whole one.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import importlib.metadata
import io
import ipaddress
import logging
import math
import re
import socket
import ssl
import types
import urllib.request
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

import httpcore
import httpx
import stamina

from pipelines.sources.pace import SHARED, Budgets, Queue, Unwilling, retry_after_seconds, said_of_limits
from pipelines.sources.pace import Clock as Clock
from pipelines.sources.pace import Rate as Rate

PROJECT = "councillor-engagement"
DEFAULT_MAX_BYTES = 64 * 1024 * 1024
ERROR_MAX_BYTES = 64 * 1024

Resolver = Callable[[str, int], Awaitable[list[str]]]

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WHOLE = frozenset({200, 203, 204})
_PASSING = frozenset({408, 425, 429})
# Set by this client or by the protocol: a caller cannot change them.
_RESERVED_HEADERS = frozenset(
    {
        *("accept-encoding", "connection", "content-length", "host", "if-modified-since", "if-none-match"),
        *("range", "transfer-encoding", "user-agent"),
    }
)
_FIRST_BACKOFF_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 60.0
_MAX_CONNECTIONS = 100
_JSON = re.compile(r"(application|text)/([\w.+-]+\+)?json\s*(;|$)", re.IGNORECASE)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

_LATER = "try again later; if it persists, ask the source"
_REMEDIES = {
    401: "check the credentials for this source",
    403: "check that we may read this, and the credentials if it needs any",
    404: "the address has changed or was withdrawn: correct it where the source is listed",
    406: "check the accept header for this source",
    410: "the source withdrew it: correct the address where the source is listed",
    429: "lower the rate for this host or run later",
}


class FetchError(Exception):
    """A fetch failed; the message names host, path, status and what to do, never a query string or a secret.

    `status` is None where no answer came; `transient` says that another attempt may succeed;
    `retry_after_seconds` is what the host asked for, if it did; `tries` counts attempts made;
    `asked` is host and path as first asked, where a redirect may have led elsewhere. `body` is what the host said
    in JSON about an answer that is no success, as far as it is small; a host may quote us, so it is never shown.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        transient: bool = False,
        retry_after_seconds: float | None = None,
        body: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.transient = transient
        self.retry_after_seconds = retry_after_seconds
        self.body = body
        self.tries = 1
        self.asked = ""

    def __str__(self) -> str:
        message = str(self.args[0])
        origin = "" if message.startswith(self.asked) else f" (asked for as {self.asked})"
        return message + origin + (f" (tried {self.tries} times)" if self.tries > 1 else "")


@dataclass(frozen=True)
class Fetched:
    """One answer: `url` as asked without userinfo and query; `body` is None when the host said 304.

    Headers have lower-case names and no cookies; `body` is decompressed. Neither appears in the repr.
    """

    url: str
    status: int
    body: bytes | None = field(repr=False)
    etag: str | None
    last_modified: str | None
    content_type: str | None
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class HttpPolicy:
    """How we behave towards other people's servers; raises ValueError naming a field that makes no sense.

    `contact` is an address or page where an operator reaches us. `rates` (by `host` or `host:port`) says what
    hosts allow, `default_rate` what any other does; without it, others are asked at `per_host_per_second`, for the
    sake of manners. `timeout_seconds` bounds connecting and each silence while reading; `total_seconds` bounds one
    `get` with its retries, but not the wait for its turn, be it in our own queue or because the host wants a rest.
    A rest longer than `longest_wait_seconds` ends the fetch, unless the host's rate speaks of a longer window.
    `max_bytes` counts as sent and again after decompression. `private_hosts` (`host` or `host:port`) may have
    private addresses.
    """

    contact: str
    per_host_per_second: float = 1.0
    rates: Mapping[str, Rate] = field(default_factory=dict, hash=False)
    default_rate: Rate | None = None
    timeout_seconds: float = 30.0
    total_seconds: float = 300.0
    max_bytes: int = DEFAULT_MAX_BYTES
    attempts: int = 5
    longest_wait_seconds: float = 120.0
    max_redirects: int = 5
    private_hosts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not (self.contact.strip() and self.contact.isascii() and self.contact.isprintable()):
            raise ValueError("contact must be one line of ASCII: an e-mail address or a page")
        for name in ("per_host_per_second", "timeout_seconds", "total_seconds", "max_bytes", "attempts"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a positive number, not {value}")
        for name in ("longest_wait_seconds", "max_redirects"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
        for host in self.rates:
            if not re.fullmatch(r"[a-z0-9._-]+(:[0-9]+)?|\[[0-9a-f:.]+\](:[0-9]+)?", host):
                raise ValueError("rates must name each host in lower case as host or host:port, without a scheme")

    def rate(self, host: str, port: int) -> Rate:
        """Return what a host allows, as far as we know."""
        name = _bracketed(host)
        known = self.rates.get(f"{name}:{port}") or self.rates.get(name)
        return known or self.default_rate or Rate.per_second(self.per_host_per_second)


async def resolve_host(host: str, port: int) -> list[str]:
    """Return all addresses of a host name, in the system's order; raises OSError when there are none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public_address(text: str) -> bool:
    """Say whether an IP address is one anybody on the internet could reach, also when IPv6 wraps IPv4."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and (inner := _embedded(address)) is not None:
        address = inner
    odd = address.is_multicast or address.is_reserved or address.is_link_local or address.is_unspecified
    site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not (odd or site_local or address.is_loopback or address.is_private)


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


# from a name to a connection


class _Refused(Exception):  # noqa: N818 - a verdict inside this module, not an error anybody else sees
    """The address is one we do not go to; the text is fit for a message."""


class _Guard:
    """Knows which addresses a host has and whether we may go there."""

    def __init__(self, private_hosts: Iterable[str], resolve: Resolver) -> None:
        self._private_hosts = {host.lower() for host in private_hosts}
        self._resolve = resolve

    def allows_private(self, host: str, port: int) -> bool:
        host = host.lower()
        bracketed = _bracketed(host)
        return not self._private_hosts.isdisjoint({host, bracketed, f"{bracketed}:{port}"})

    async def addresses(self, host: str, port: int) -> list[str]:
        """Return addresses we may connect to; raises _Refused, or OSError when the name is unknown."""
        found = [host] if _is_literal(host) else await self._resolve(host, port)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        if not self.allows_private(host, port):
            # One private address among public ones is enough: nobody publishes such a mix in earnest.
            for address in found:
                if not is_public_address(address):
                    raise _Refused(f"its address {address} is not a public one")
        return found


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections only to addresses the guard has just passed."""

    def __init__(self, guard: _Guard) -> None:
        self._guard = guard
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._addresses(host, port, timeout)
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses[:-1]:
            try:
                return await self._network.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue  # the host's next address may answer
        return await self._network.connect_tcp(addresses[-1], port, share, local_address, socket_options)

    async def _addresses(self, host: str, port: int, seconds: float | None) -> list[str]:
        try:
            async with asyncio.timeout(seconds):
                return await self._guard.addresses(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout("name not resolved in time") from None
        except OSError as problem:
            raise httpcore.ConnectError("name not resolved") from problem


class _DirectTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport over a pool whose connections are checked."""

    def __init__(self, guard: _Guard, context: ssl.SSLContext) -> None:
        super().__init__(verify=context)
        if not isinstance(self._pool, httpcore.AsyncConnectionPool):  # the check must never be lost silently
            raise TypeError("httpx no longer keeps its connection pool in _pool: adapt _DirectTransport")
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=1,
            keepalive_expiry=5.0,
            network_backend=_CheckedBackend(guard),
        )


@dataclass(frozen=True)
class _Way:
    """Where a connection leads, and through which proxy."""

    scheme: str
    host: str
    port: int
    proxy: str | None


class _Routes:
    """Sends requests directly, or through the proxy that the environment names, over connections that it keeps.

    Each transport carries one request at a time, so each has one connection. One pool for all would hand the same
    idle connection to every request of a burst, of which all but one ask again, and look at every idle connection
    each time: beyond a hundred requests a second that costs more than all the rest.
    """

    def __init__(self, guard: _Guard, timeout_seconds: float) -> None:
        self._guard = guard
        self._timeout_seconds = timeout_seconds
        # Reads SSL_CERT_FILE and SSL_CERT_DIR, as httpx does.
        self._context = httpx.create_ssl_context()
        self._proxies = urllib.request.getproxies()
        self._passed: set[tuple[str, int]] = set()
        self._busy = 0
        self._idle: list[tuple[_Way, httpx.AsyncHTTPTransport]] = []  # the last used comes last

    @contextlib.asynccontextmanager
    async def answering(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        """Send a request and hold the connection while its answer is read."""
        host, port = request.url.host, _port(request.url)
        way = _Way(request.url.scheme, host, port, self._proxy_for(request.url.scheme, host, port))
        if way.proxy is not None:
            await self._check_behind_proxy(host, port)
        transport = await self._transport(way)
        self._busy += 1
        try:
            response = await transport.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()
        except BaseException:
            await transport.aclose()  # nobody knows in what state it is
            raise
        else:
            self._idle.append((way, transport))
        finally:
            self._busy -= 1

    async def aclose(self) -> None:
        while self._idle:
            await self._idle.pop()[1].aclose()

    async def _transport(self, way: _Way) -> httpx.AsyncHTTPTransport:
        """Take the connection to this place that was used last, else a new one in place of the oldest idle one."""
        for index in reversed(range(len(self._idle))):
            if self._idle[index][0] == way:
                return self._idle.pop(index)[1]
        transport = self._open(way.proxy)
        while self._idle and self._busy + len(self._idle) >= _MAX_CONNECTIONS:
            await self._idle.pop(0)[1].aclose()
        return transport

    def _open(self, proxy: str | None) -> httpx.AsyncHTTPTransport:
        if proxy is None:
            return _DirectTransport(self._guard, self._context)
        try:
            url = proxy if "://" in proxy else f"http://{proxy}"
            return httpx.AsyncHTTPTransport(verify=self._context, proxy=url)
        except (ImportError, ValueError, httpx.InvalidURL):
            # The original message may hold the proxy's password.
            raise httpx.UnsupportedProtocol("unusable proxy") from None

    def _proxy_for(self, scheme: str, host: str, port: int) -> str | None:
        # A proxy's idea of 127.0.0.1 is its own machine: what was allowed as private is reached from here.
        if self._guard.allows_private(host, port):
            return None
        proxy = self._proxies.get(scheme) or self._proxies.get("all")
        return None if not proxy or urllib.request.proxy_bypass(f"{_bracketed(host)}:{port}") else proxy

    async def _check_behind_proxy(self, host: str, port: int) -> None:
        if (host, port) in self._passed:
            return
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._guard.addresses(host, port)
        except OSError:  # also the time-out: behind a proxy names are often unknown from here
            pass
        self._passed.add((host, port))


# reading an answer


class _TooLarge(Exception):  # noqa: N818 - becomes a FetchError with the place in it
    """The body passed the limit."""


class _OddlyCoded(Exception):  # noqa: N818 - becomes a FetchError with the place in it
    """The body has a compression that we do not undo."""


class _Body:
    """Collects a body and, if it is gzip, inflates it step by step, never past the limit."""

    def __init__(self, limit: int, *, gzipped: bool) -> None:
        self._limit = limit
        self._member = zlib.decompressobj(wbits=31) if gzipped else None
        self._received = 0
        self._out = io.BytesIO()

    def expect(self, announced: str) -> None:
        if re.fullmatch(r"[0-9]{1,20}", announced) and int(announced) > self._limit:
            raise _TooLarge

    def add(self, chunk: bytes) -> None:
        self._received += len(chunk)
        if self._received > self._limit:
            raise _TooLarge
        if self._member is None:
            self._out.write(chunk)
        else:
            self._inflate(chunk)

    def finish(self) -> bytes:
        if self._member is not None and self._received and not self._member.eof:
            raise zlib.error("ends early")
        return self._out.getvalue()

    def _inflate(self, chunk: bytes) -> None:
        assert self._member is not None  # noqa: S101 - for the type checker: add() asked already
        while chunk:
            if self._member.eof:  # gzip may be several members in a row
                self._member = zlib.decompressobj(wbits=31)
            room = self._limit - self._out.tell() + 1
            self._out.write(self._member.decompress(chunk, room))
            if self._out.tell() > self._limit:
                raise _TooLarge
            chunk = self._member.unconsumed_tail or self._member.unused_data


@dataclass(frozen=True)
class _Answer:
    """What came back; `error` is what the host says in JSON where the answer is no success."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes | None = field(repr=False)
    error: bytes | None = field(default=None, repr=False)


async def _receive(url: httpx.URL, response: httpx.Response, policy: HttpPolicy) -> _Answer:
    """Read the body of a good answer; raises FetchError when it is too large, damaged or oddly coded."""
    status, headers, max_bytes = response.status_code, response.headers, policy.max_bytes
    if status == 304:
        async for _ in response.aiter_raw():
            pass  # there is nothing to read, but only a finished answer keeps its connection open
    if status not in _WHOLE:
        return _Answer(status, headers, None, await _read_error(response, policy.timeout_seconds))
    try:
        return _Answer(status, headers, await _read(response, max_bytes))
    except _OddlyCoded:
        failure = _failure(url, "the body has a compression we did not ask for", _LATER, status=status)
    except _TooLarge:
        problem, remedy = f"larger than {max_bytes} bytes", "raise max_bytes if the size is right"
        failure = _failure(url, problem, remedy, status=status)
    except zlib.error:
        failure = _failure(url, "the gzip body is damaged or ends early", _LATER, status=status, transient=True)
    raise failure


async def _read(response: httpx.Response, limit: int) -> bytes:
    """Read a body and undo its compression; raises _TooLarge, _OddlyCoded, zlib.error or httpx.TransportError."""
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip"):
        raise _OddlyCoded
    body = _Body(limit, gzipped=coding.endswith("gzip"))
    body.expect(response.headers.get("content-length", ""))
    async for chunk in response.aiter_raw():
        body.add(chunk)
    return body.finish()


async def _read_error(response: httpx.Response, seconds: float) -> bytes | None:
    """Read what a host says in JSON about its refusal; None where there is no such thing or it cannot be had."""
    status = response.status_code
    says = status >= 300 and status not in _REDIRECTS and status != 304
    if not (says and _JSON.match(response.headers.get("content-type", ""))):
        return None
    # The status is the news: a body that drips in for minutes must not become a time-out in its place.
    with contextlib.suppress(_TooLarge, _OddlyCoded, zlib.error, httpx.TransportError, OSError):
        async with asyncio.timeout(seconds):
            return await _read(response, ERROR_MAX_BYTES)
    return None


# words


def _place(url: httpx.URL) -> str:
    """Return host, port where unusual, and path still percent-encoded: no userinfo, query or line break."""
    return f"{url.netloc.decode('ascii')}{url.raw_path.partition(b'?')[0].decode('ascii')}"


def _failure(
    url: httpx.URL,
    problem: str,
    remedy: str,
    *,
    status: int | None = None,
    transient: bool = False,
    retry_after_seconds: float | None = None,
    body: bytes | None = None,
) -> FetchError:
    said = "" if status is None else f"status {status}: "
    return FetchError(
        f"{_place(url)}: {said}{problem}; {remedy}",
        status=status,
        transient=transient,
        retry_after_seconds=retry_after_seconds,
        body=body,
    )


# First match wins. The library's own text is never used: it may quote a header's value or an address.
_TROUBLE: tuple[tuple[type[Exception], str, str, bool], ...] = (
    (_Refused, "refused", "name the host in private_hosts if it is meant", False),
    (httpx.LocalProtocolError, "the request cannot be written", "check the headers for this source", False),
    (httpx.UnsupportedProtocol, "the proxy in the environment is unusable", "check HTTPS_PROXY", False),
    (ssl.SSLCertVerificationError, "certificate not trusted", "check the host, or set SSL_CERT_FILE", False),
    (socket.gaierror, "the host name has no address", "check the host name and the network", True),
    (httpx.ConnectTimeout, "no connection in time", _LATER, True),
    (httpx.ConnectError, "no connection", "check the host, the port and the network", True),
    (httpx.TimeoutException, "silent for too long", "try again later or raise timeout_seconds", True),
    (httpx.ProxyError, "the proxy did not pass the request on", "check HTTPS_PROXY and NO_PROXY", True),
    (httpx.RemoteProtocolError, "the answer broke off or is not HTTP", _LATER, True),
    (Exception, "the connection broke", _LATER, True),
)


def _explain(url: httpx.URL, problem: Exception) -> FetchError:
    """Put a library's exception into our words."""
    causes = list(_causes(problem))
    for kind, words, remedy, transient in _TROUBLE:
        if cause := next((one for one in causes if isinstance(one, kind)), None):
            said = f"{words}, {cause}" if isinstance(cause, _Refused) else words
            return _failure(url, said, remedy, transient=transient)
    raise AssertionError("unreachable: the last row matches everything")


def _causes(problem: BaseException | None) -> Iterator[BaseException]:
    while problem is not None:
        yield problem
        # httpcore raises again with `from None`, so the origin often survives as context only.
        problem = problem.__cause__ or problem.__context__


# addresses and headers


def _port(url: httpx.URL) -> int:
    return url.port or _PORTS.get(url.scheme, 0)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _host(url: httpx.URL) -> str:
    """Return what has a pace of its own: a host name, with its port where that is not the web's."""
    name, port = _bracketed(url.host), _port(url)
    return name if port in _PORTS.values() else f"{name}:{port}"


def _parsed(text: str) -> httpx.URL:
    """Return the address without its fragment; raises FetchError when it is no web address."""
    try:
        url = httpx.URL(text).copy_with(fragment=None)
    except (httpx.InvalidURL, TypeError, ValueError):
        url = None
    if url is None:
        # Not quoted: an address we cannot read is one whose secrets we cannot find.
        raise FetchError("the address is not a URL; correct it where the source is listed")
    if url.scheme not in _PORTS:
        raise FetchError(f"{url.host or 'the address'}: only http and https are fetched; correct the address")
    # httpx percent-encodes what cannot be in a host name instead of refusing it.
    if not url.host or "%" in url.host or _port(url) > 65535:
        raise FetchError("the address has no possible host or port; correct it where the source is listed")
    return url


def _redirected(url: httpx.URL, status: int, location: str | None) -> httpx.URL:
    """Return where a redirect leads, without userinfo; raises FetchError when we do not follow it."""
    remedy = "look at the address in a browser and correct it where the source is listed"
    if not location:
        raise _failure(url, "a redirect that names no place", remedy, status=status)
    try:
        target = _parsed(str(url.join(location)))
    except (httpx.InvalidURL, ValueError, FetchError):
        target = None
    if target is None:
        raise _failure(url, "redirects to something that is not a web address", remedy, status=status)
    if url.scheme == "https" and target.scheme == "http":
        place = _place(target)
        raise _failure(url, f"redirects from https to plain http ({place})", remedy, status=status)
    return target.copy_with(userinfo=b"")


def _same_site(one: httpx.URL, other: httpx.URL) -> bool:
    """Say whether a caller's headers may go along: same host and port, or a step up from http to https."""
    ports = (_port(one), _port(other))
    return one.host == other.host and (ports == (80, 443) or (ports[0] == ports[1]))


def _user_agent(contact: str) -> str:
    try:
        version = importlib.metadata.version(PROJECT)
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        version = "unreleased"
    return f"{PROJECT}/{version} (+{contact.strip()})"


def _sendable(value: str | None) -> str | None:
    """Return a validator only if it fits in a header: what a host sent us may not."""
    return value if value and value.isascii() and value.isprintable() else None


# the client


@dataclass(frozen=True)
class _Call:
    """One `get`: our headers go everywhere, the caller's only to the host they were meant for."""

    url: httpx.URL
    ours: Mapping[str, str]
    callers: Mapping[str, str] = field(repr=False)
    conditional: bool
    budget: str | None


class PoliteClient:
    """Fetches over HTTP at a pace and in a manner any server's operator could accept.

    Use as `async with PoliteClient(policy) as client`, within one event loop; any number of tasks may call `get`
    at once. Connections and queues belong to the client. What was asked of a host is known to the whole process,
    except where a `clock` of one's own makes for times that mean nothing to others. `requests` counts the answers
    received.
    """

    def __init__(
        self, policy: HttpPolicy, *, clock: Clock | None = None, resolve: Resolver = resolve_host
    ) -> None:
        self.requests = 0
        self._policy = policy
        self._clock = clock or Clock()
        self._budgets = Budgets() if clock else SHARED
        self._guard = _Guard(policy.private_hosts, resolve)
        self._routes: _Routes | None = None
        self._queues: dict[tuple[str, str], Queue] = {}
        # A connection is not held while waiting for a turn, so hosts that make us wait block nobody else.
        self._connections = asyncio.Semaphore(_MAX_CONNECTIONS)
        self._user_agent = _user_agent(policy.contact)
        # There is always a free connection, see above.
        timeout = httpx.Timeout(policy.timeout_seconds, pool=None)
        self._extensions = {"timeout": timeout.as_dict()}

    async def __aenter__(self) -> Self:
        engine_log = logging.getLogger("httpcore")
        if engine_log.level == logging.NOTSET:
            engine_log.setLevel(logging.INFO)  # at DEBUG it writes whole headers: redirects, cookies
        self._routes = _Routes(self._guard, self._policy.timeout_seconds)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._routes is not None:
            await self._routes.aclose()
            self._routes = None

    async def get(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        headers: Mapping[str, str] | None = None,
        accept: str | None = None,
        budget: str | None = None,
    ) -> Fetched:
        """Fetch one address, waiting for this host's turn and retrying what may pass.

        `etag` and `last_modified`, as an earlier answer gave them, make the request conditional: `body` is
        None when nothing changed. `headers` stay behind when a redirect leaves the host; those this client
        sets itself (User-Agent, Accept-Encoding, Host …) are ignored. `budget` names the limit, beside the host's
        general one, that the request counts against, if the host's rate has it. Raises FetchError for every
        failure of the fetch, RuntimeError when used outside `async with`.
        """
        call = self._call(url, _sendable(etag), _sendable(last_modified), headers or {}, accept, budget)
        seconds = self._policy.total_seconds
        try:
            async with asyncio.timeout(seconds) as bound:
                return await self._attempts(call, bound)
        except TimeoutError:
            problem = f"no whole answer within {seconds:g} seconds, retries included"
        raise _failure(call.url, problem, "try again later or raise total_seconds", transient=True)

    def waiting_until(self, host: str) -> dt.datetime | None:
        """Return until when a host (`host` or `host:port`) wants to be left alone, None when it does not."""
        rest = self._budgets.of(host).resting(self._clock.monotonic())
        return dt.datetime.fromtimestamp(self._clock.wall() + rest, dt.UTC) if rest else None

    def _call(
        self,
        text: str,
        etag: str | None,
        last_modified: str | None,
        headers: Mapping[str, str],
        accept: str | None,
        budget: str | None,
    ) -> _Call:
        url = _parsed(text)
        callers = {name.lower(): value for name, value in headers.items()}
        callers = {name: value for name, value in callers.items() if name not in _RESERVED_HEADERS}
        if url.userinfo:
            secret = base64.b64encode(f"{url.username}:{url.password}".encode()).decode("ascii")
            callers.setdefault("authorization", f"Basic {secret}")
        ours = {
            "user-agent": self._user_agent,
            "accept-encoding": "gzip",
            "accept": accept or callers.pop("accept", "*/*"),
            "if-none-match": etag,
            "if-modified-since": last_modified,
        }
        return _Call(
            url=url.copy_with(userinfo=b""),
            ours={name: value for name, value in ours.items() if value is not None},
            callers=callers,
            conditional=bool(etag or last_modified),
            budget=budget,
        )

    async def _attempts(self, call: _Call, bound: asyncio.Timeout) -> Fetched:
        attempts = stamina.retry_context(
            on=_backoff,
            attempts=self._policy.attempts,
            timeout=None,  # the total time bounds it
            wait_initial=_FIRST_BACKOFF_SECONDS,
            wait_max=_LONGEST_BACKOFF_SECONDS,
            wait_jitter=1.0,
        )
        async for attempt in attempts:
            with attempt:
                try:
                    return await self._follow(call, bound)
                except FetchError as failure:
                    failure.tries, failure.asked = attempt.num, _place(call.url)
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _follow(self, call: _Call, bound: asyncio.Timeout) -> Fetched:
        url, headers, seen = call.url, {**call.callers, **call.ours}, {call.url}
        while True:
            async with self._turn(url, call.budget, bound):
                sent_at = self._clock.monotonic()
                answer = await self._exchange(url, headers)
                # While the turn is held: others must know what the host said before they take theirs.
                rest = self._heed(url, call.budget, answer, sent_at)
            if answer.status not in _REDIRECTS:
                return self._accept(call, url, answer, rest)
            target = _redirected(url, answer.status, answer.headers.get("location"))
            if target in seen or len(seen) > self._policy.max_redirects:
                circle = "redirects in a circle" if target in seen else "redirects too often"
                remedy = "correct the address where the source is listed"
                raise _failure(url, circle, remedy, status=answer.status)
            if not _same_site(url, target):
                headers = dict(call.ours)  # and never again, even if a later redirect leads back
            url = target
            seen.add(url)

    @contextlib.asynccontextmanager
    async def _turn(self, url: httpx.URL, budget: str | None, bound: asyncio.Timeout) -> AsyncIterator[None]:
        """Wait until this host may be asked again, and for a connection; raises FetchError if that is too long."""
        async with contextlib.AsyncExitStack() as held:
            unwilling = None
            try:
                with _off_the_clock(bound):
                    for queue in self._queues_for(url, budget):
                        await held.enter_async_context(queue.turn())
                    await held.enter_async_context(self._connections)
            except Unwilling as problem:
                unwilling = problem
            if unwilling is not None:
                raise self._left_alone(url, unwilling, status=None)
            yield

    def _queues_for(self, url: httpx.URL, budget: str | None) -> list[Queue]:
        """The queues to pass: of a budget of its own, where the request has one, then of the host."""
        host, rate = _host(url), self._policy.rate(url.host, _port(url))
        own = {budget: rate.budgets[budget]} if budget is not None and budget in rate.budgets else {}
        rates = {**own, "": rate}
        for name, limit in rates.items():
            if (host, name) not in self._queues:
                shared = self._budgets.of(host, name)
                patience = self._policy.longest_wait_seconds
                self._queues[host, name] = Queue(shared, limit, self._clock, patience)
        return [self._queues[host, name] for name in rates]

    def _heed(self, url: httpx.URL, budget: str | None, answer: _Answer, sent_at: float) -> float | None:
        """Do as the host says about its limits, on behalf of every task; returns the seconds it wants to rest."""
        status, headers, now = answer.status, answer.headers, self._clock.monotonic()
        queues = self._queues_for(url, budget)
        said = said_of_limits(headers, self._clock.wall())
        if said is not None:
            queues[0].budget.heed(said, now)
        host = queues[-1].budget
        if not _is_passing(status):
            host.welcome()
            return None
        wait = retry_after_seconds(headers.get("retry-after"), self._clock.wall())
        if wait is None and status == 429 and said is not None:
            wait = said.reset_seconds
        if wait is not None or status == 429:
            host.rest(wait, sent_at, now)
        return wait

    async def _exchange(self, url: httpx.URL, headers: Mapping[str, str]) -> _Answer:
        """Ask once and read the answer; raises FetchError, and outside handlers, so no cause goes along."""
        if self._routes is None:
            raise RuntimeError("PoliteClient is used outside `async with`")
        try:
            request = httpx.Request("GET", url, headers=headers, extensions=self._extensions)
        except (TypeError, ValueError):
            request = None  # a header is not text or not ASCII; the original message would quote it
        if request is None:
            raise _explain(url, httpx.LocalProtocolError(""))
        try:
            async with self._routes.answering(request) as response:
                self.requests += 1
                return await _receive(url, response, self._policy)
        except (_Refused, httpx.TransportError, OSError) as problem:
            failure = _explain(url, problem)
        raise failure

    def _accept(self, call: _Call, url: httpx.URL, answer: _Answer, rest: float | None) -> Fetched:
        """Turn an answer that is no redirect into a result; raises FetchError for every other status."""
        status, headers = answer.status, answer.headers
        if answer.body is None and not (status == 304 and call.conditional):
            raise self._refusal(url, answer, rest)
        kept = {name: value for name, value in headers.items() if name != "set-cookie"}
        return Fetched(
            url=str(call.url.copy_with(query=None)),
            status=status,
            body=answer.body,
            etag=headers.get("etag"),
            last_modified=headers.get("last-modified"),
            content_type=headers.get("content-type"),
            headers=types.MappingProxyType(kept),
        )

    def _refusal(self, url: httpx.URL, answer: _Answer, rest: float | None) -> FetchError:
        status, passing = answer.status, _is_passing(answer.status)
        host = self._queues_for(url, None)[-1]
        if rest is not None and rest > host.patience:
            failure = self._left_alone(url, Unwilling(rest, 0), status=status)
            failure.body = answer.error
            return failure
        remedy = _REMEDIES.get(status, _LATER if passing else "check the address and headers for this source")
        problem = "the host cannot answer now" if passing else "not the document we asked for"
        return _failure(
            url,
            problem,
            remedy,
            status=status,
            transient=passing,
            retry_after_seconds=rest,
            body=answer.error,
        )

    def _left_alone(self, url: httpx.URL, unwilling: Unwilling, *, status: int | None) -> FetchError:
        if unwilling.refusals:
            problem = f"the host refused {unwilling.refusals} times in a row and is left alone for a while"
            return _failure(url, problem, _REMEDIES[429], status=status)
        wait, longest = unwilling.seconds, self._queues_for(url, None)[-1].patience
        problem = f"the host wants to be left alone for {math.ceil(wait)} seconds"
        bound = f"longer than longest_wait_seconds and its rate allow, which is {longest:g}"
        return _failure(
            url, f"{problem}, {bound}", "run again after that", status=status, retry_after_seconds=wait
        )


def _is_passing(status: int) -> bool:
    return status in _PASSING or status >= 500


def _backoff(problem: Exception) -> bool | float:
    """Tell stamina whether to retry: at once where the whole host rests, for `_turn` waits that out."""
    if not (isinstance(problem, FetchError) and problem.transient):
        return False
    rests = problem.status == 429 or problem.retry_after_seconds is not None
    return 0.0 if rests else True


@contextlib.contextmanager
def _off_the_clock(bound: asyncio.Timeout) -> Iterator[None]:
    """Do not let the total time run on: a queue, or a rest that the host asked for, is nobody's failure."""
    loop = asyncio.get_running_loop()
    deadline = bound.when()
    left = None if deadline is None else deadline - loop.time()
    bound.reschedule(None)
    try:
        yield
    finally:
        bound.reschedule(None if left is None else loop.time() + left)
