"""The polite client against real servers on loopback; respx only where a test needs https."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import email.utils
import functools
import gzip
import inspect
import logging
import os
import shutil
import socket
import ssl
import subprocess
import time
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import respx
import stamina

from pipelines.sources import http
from pipelines.sources.http import Fetched, FetchError, HttpPolicy, PoliteClient, is_public_address
from pipelines.sources.pace import Budgets, Clock, Rate

T = TypeVar("T")
SECRET = "s3cr3t"  # noqa: S105 - planted, to be searched for
WALL = 1_790_000_000.0


# a server that says exactly what a test wants, broken HTTP included


@dataclass
class Seen:
    target: str
    headers: dict[str, str]
    at: float


Handler = Callable[[Seen], bytes | Awaitable[bytes]]


@dataclass
class Server:
    handler: Handler
    host: str = "127.0.0.1"
    port: int = 0
    connections: int = 0
    seen: list[Seen] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    def url(self, path: str = "/") -> str:
        return f"http://{self.place}{path}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                lines = [line.split(": ", 1) for line in head[1:] if line]
                headers = {name.lower(): value for name, value in lines}
                self.seen.append(Seen(head[0].split(" ")[1], headers, time.monotonic()))
                answer = self.handler(self.seen[-1])
                raw = await answer if inspect.isawaitable(answer) else answer
                writer.write(raw)
                await writer.drain()
                if b"Connection: close" in raw:
                    break
        writer.close()


@contextlib.asynccontextmanager
async def serving(
    handler: Handler, host: str = "127.0.0.1", context: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    server = Server(handler, host)
    listener = await asyncio.start_server(server.talk, host, 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


def reply(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    lines = {"Content-Length": str(len(body))} | {k.replace("_", "-"): v for k, v in headers.items()}
    if status == 304:
        del lines["Content-Length"]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"HTTP/1.1 {status} x\r\n{head}\r\n".encode("latin-1") + body


def script(*answers: bytes) -> Handler:
    """Answer in turn; the last answer repeats."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def run(task: Coroutine[Any, Any, T]) -> T:
    """Run one test's coroutine; a hang becomes a failure."""
    return asyncio.run(asyncio.wait_for(task, 30))


class FakeClock(Clock):
    """Time that passes only by waiting; waits of our own pace are too short here to be told of."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def wall(self) -> float:
        return WALL

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if seconds > 0.05:
            self.sleeps.append(round(seconds, 3))
        self.now += seconds
        await asyncio.sleep(0)


def policy(*servers: Server, **changes: Any) -> HttpPolicy:
    defaults: dict[str, Any] = {
        "contact": "mailto:data@example.org",
        "per_host_per_second": 10_000.0,
        "private_hosts": frozenset(server.place for server in servers),
    }
    return HttpPolicy(**(defaults | changes))


async def failing(client: PoliteClient, url: str, **arguments: Any) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await client.get(url, **arguments)
    return caught.value


def fetch(handler: Handler, path: str = "/list.csv", **changes: Any) -> tuple[Fetched, Server]:
    """One `get` against one server that must succeed."""

    async def go() -> tuple[Fetched, Server]:
        async with serving(handler) as server, PoliteClient(policy(server, **changes)) as client:
            return await client.get(server.url(path)), server

    return run(go())


def refuse(handler: Handler, path: str = "/list.csv", **changes: Any) -> tuple[FetchError, Server]:
    """One `get` against one server that must fail."""

    async def go() -> tuple[FetchError, Server]:
        async with serving(handler) as server, PoliteClient(policy(server, **changes)) as client:
            return await failing(client, server.url(path)), server

    return run(go())


@pytest.fixture(autouse=True)
def _quiet_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxy from the developer's machine, no backoff between ordinary retries, no host that is known yet."""
    monkeypatch.setattr(http, "SHARED", Budgets())
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: _context(os.environ.get("SSL_CERT_FILE")))
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


_make_context = httpx.create_ssl_context


@functools.cache
def _context(_: str | None) -> ssl.SSLContext:
    """Reading all authorities takes longer than most tests here: once is enough."""
    return _make_context()


# what is sent and what comes back


def test_an_answer_is_handed_over_whole() -> None:
    raw = reply(
        body=b"a,b\n1,2\n",
        ETag='"v1"',
        Last_Modified="Mon, 02 Nov 2026 10:00:00 GMT",
        Content_Type="text/csv",
    )
    got, server = fetch(lambda _: raw, "/list.csv?key=1#part")
    assert (got.status, got.body, got.etag) == (200, b"a,b\n1,2\n", '"v1"')
    assert got.last_modified == "Mon, 02 Nov 2026 10:00:00 GMT"
    assert got.content_type == got.headers["content-type"] == "text/csv"
    assert got.url == server.url("/list.csv")
    assert server.seen[0].target == "/list.csv?key=1"


def test_we_say_who_we_are_and_a_caller_cannot_change_it() -> None:
    async def go() -> dict[str, str]:
        async with serving(lambda _: reply()) as server, PoliteClient(policy(server)) as client:
            headers = {"User-Agent": "Mozilla/5.0", "Host": "other", "X-Api": "1", "Range": "bytes=0-1"}
            await client.get(server.url(), headers=headers, accept="text/csv")
            assert server.seen[0].headers["host"] == server.place
            return server.seen[0].headers

    sent = run(go())
    assert sent["user-agent"].startswith("councillor-engagement/")
    assert sent["user-agent"].endswith("(+mailto:data@example.org)")
    assert (sent["accept"], sent["x-api"]) == ("text/csv", "1")
    assert "range" not in sent


def test_userinfo_becomes_basic_authorization() -> None:
    async def go() -> str:
        async with serving(lambda _: reply()) as server, PoliteClient(policy(server)) as client:
            got = await client.get(f"http://me:{SECRET}@{server.place}/")
            assert SECRET not in repr(got)
            return server.seen[0].headers["authorization"]

    assert run(go()) == "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()


def test_cookies_are_neither_kept_nor_handed_on() -> None:
    async def go() -> None:
        answer = reply(Set_Cookie=f"id={SECRET}")
        async with serving(lambda _: answer) as server, PoliteClient(policy(server)) as client:
            got = await client.get(server.url())
            await client.get(server.url())
            assert "set-cookie" not in got.headers
            assert "cookie" not in server.seen[1].headers

    run(go())


def test_many_requests_share_one_connection_even_after_304() -> None:
    async def go() -> int:
        answers = script(reply(), reply(304), reply(304), reply())
        async with serving(answers) as server, PoliteClient(policy(server)) as client:
            for _ in range(4):
                await client.get(server.url(), etag='"v1"')
            return server.connections

    assert run(go()) == 1


def test_a_conditional_request_that_finds_nothing_new_has_no_body() -> None:
    async def go() -> tuple[Fetched, dict[str, str]]:
        answers = script(reply(304, ETag='"v1"'))
        async with serving(answers) as server, PoliteClient(policy(server)) as client:
            got = await client.get(server.url(), etag='"v1"', last_modified="Mon, 02 Nov 2026 10:00:00 GMT")
            return got, server.seen[0].headers

    got, sent = run(go())
    assert (got.status, got.body, got.etag) == (304, None, '"v1"')
    assert sent["if-none-match"] == '"v1"'
    assert sent["if-modified-since"] == "Mon, 02 Nov 2026 10:00:00 GMT"


def test_a_304_nobody_asked_for_is_an_error() -> None:
    error, server = refuse(lambda _: reply(304))
    assert error.status == 304
    assert len(server.seen) == 1


def test_an_etag_that_cannot_be_a_header_is_left_out() -> None:
    async def go() -> dict[str, str]:
        async with serving(lambda _: reply()) as server, PoliteClient(policy(server)) as client:
            await client.get(server.url(), etag="é\r\nX-Evil: 1")
            return server.seen[0].headers

    sent = run(go())
    assert "if-none-match" not in sent
    assert "x-evil" not in sent


# what a host says about its refusal


def test_a_json_error_is_handed_over_and_never_shown(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    said = b'{"error":"%s"}' % SECRET.encode()
    error, server = refuse(lambda _: reply(404, said, Content_Type="application/json; charset=utf-8"))
    assert error.body == said
    assert len(server.seen) == 1
    # With the values of local variables, as some tools print them.
    deep = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = [str(error), repr(error), *map(str, error.args), *deep.format(), caplog.text, *capfd.readouterr()]
    assert all(SECRET not in text for text in shown)


@pytest.mark.parametrize("status", [300, 400, 401, 403, 410, 429, 500, 503])
@pytest.mark.parametrize(
    "kind", ["application/json", "application/problem+json", "Application/JSON;charset=utf-8"]
)
def test_json_of_any_refusal_is_kept(status: int, kind: str) -> None:
    error, _ = refuse(lambda _: reply(status, b"{}", Content_Type=kind), attempts=1)
    assert (error.status, error.body) == (status, b"{}")


def test_a_json_error_is_inflated() -> None:
    raw = reply(400, gzip.compress(b'{"a":1}'), Content_Type="application/json", Content_Encoding="gzip")
    assert refuse(lambda _: raw)[0].body == b'{"a":1}'


def test_a_json_error_leaves_the_connection_open() -> None:
    async def go() -> int:
        answer = reply(404, b"{}", Content_Type="application/json")
        async with serving(lambda _: answer) as server, PoliteClient(policy(server)) as client:
            for _ in range(3):
                await failing(client, server.url())
            return server.connections

    assert run(go()) == 1


SIZE = 64 * 1024
BODIES_NOT_KEPT = {
    "no json": reply(404, b"{}", Content_Type="text/html"),
    "no type": reply(404, b"{}"),
    "almost json": reply(404, b"{}", Content_Type="application/jsonl"),
    "too large": reply(404, b"x" * (SIZE + 1), Content_Type="application/json"),
    "too large inside": reply(
        404, gzip.compress(b"x" * (SIZE + 1)), Content_Type="application/json", Content_Encoding="gzip"
    ),
    "damaged": reply(404, b"no gzip", Content_Type="application/json", Content_Encoding="gzip"),
    "oddly coded": reply(404, b"{}", Content_Type="application/json", Content_Encoding="br"),
    "cut short": b"HTTP/1.1 404 x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
    b"Connection: close\r\n\r\n{}",
    "never sent": b"HTTP/1.1 404 x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{}",
    "a success": reply(202, b"{}", Content_Type="application/json"),
    "a redirect": reply(302, b"{}", Content_Type="application/json"),
}


@pytest.mark.parametrize("case", BODIES_NOT_KEPT)
def test_other_bodies_are_left_and_the_status_stays_the_news(case: str) -> None:
    error, _ = refuse(lambda _: BODIES_NOT_KEPT[case], timeout_seconds=0.2)
    assert error.status in (202, 302, 404)
    assert error.body is None


def test_a_json_error_may_be_as_large_as_the_limit() -> None:
    error, _ = refuse(lambda _: reply(404, b"x" * SIZE, Content_Type="application/json"))
    assert error.body == b"x" * SIZE


# pace


def test_one_host_is_asked_at_its_pace_however_many_tasks_there_are() -> None:
    async def go() -> list[float]:
        async with serving(lambda _: reply()) as server:
            async with PoliteClient(policy(server, per_host_per_second=20.0)) as client:
                await asyncio.gather(*(client.get(server.url(f"/{n}")) for n in range(5)))
            return [seen.at for seen in server.seen]

    times = run(go())
    # Arrival may lag by some milliseconds; over all five the lower bound is firm.
    assert times[-1] - times[0] >= 4 / 20 - 0.03


def test_hosts_do_not_wait_for_each_other() -> None:
    async def go() -> int:
        async with serving(lambda _: reply()) as one, serving(lambda _: reply(), "127.0.0.2") as two:
            # At this pace a shared limiter would need a thousand seconds.
            async with PoliteClient(policy(one, two, per_host_per_second=0.001)) as client:
                await asyncio.gather(client.get(one.url()), client.get(two.url()))
            return len(one.seen) + len(two.seen)

    assert run(go()) == 2


def test_the_wait_in_our_own_queue_does_not_count_as_the_hosts_time() -> None:
    async def go() -> int:
        async with serving(lambda _: reply()) as server:
            slow = policy(server, per_host_per_second=8.0, total_seconds=1.0)
            async with PoliteClient(slow) as client:
                await asyncio.gather(*(client.get(server.url(f"/{n}")) for n in range(11)))
            return len(server.seen)

    assert run(go()) == 11


def test_no_more_are_under_way_at_one_host_than_its_rate_says() -> None:
    under_way, most = 0, 0

    async def slow(_: Seen) -> bytes:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        return reply()

    async def go(rate: Rate | None) -> int:
        nonlocal most
        most = 0
        async with serving(slow) as server:
            rates = {server.place: rate} if rate else {}
            async with PoliteClient(policy(server, rates=rates)) as client:
                await asyncio.gather(*(client.get(server.url(f"/{n}")) for n in range(40)))
                assert client.requests == 40
        return most

    assert run(go(None)) == 8
    assert run(go(Rate(10_000, 1.0, in_flight=20))) == 20


def test_hosts_that_are_slow_or_rest_do_not_hold_up_another() -> None:
    async def go() -> int:
        async with contextlib.AsyncExitStack() as stack:
            # The same port at many addresses would be one server: twenty servers are twenty hosts.
            hanging = [await stack.enter_async_context(serving(_never)) for _ in range(20)]
            resting = await stack.enter_async_context(serving(lambda _: reply(429, Retry_After="100")))
            slow = await stack.enter_async_context(serving(lambda _: reply()))
            good = await stack.enter_async_context(serving(lambda _: reply()))
            limits = policy(
                *hanging, resting, slow, good, timeout_seconds=20.0, rates={slow.place: Rate(1, 1000.0)}
            )
            client = await stack.enter_async_context(PoliteClient(limits))
            held = [*hanging[:10], resting, slow]
            waiting = [asyncio.create_task(client.get(server.url())) for server in held for _ in range(50)]
            while any(not server.seen for server in held):
                await asyncio.sleep(0.01)
            await asyncio.gather(*(client.get(good.url(f"/{n}")) for n in range(50)))
            assert sum(len(server.seen) for server in hanging) == 80, "eight at each of ten"
            assert client.waiting_until(resting.place) is not None
            assert client.waiting_until(good.place) is None
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            return len(good.seen)

    assert run(go()) == 50


def test_connections_are_kept_up_to_a_bound() -> None:
    async def go() -> tuple[int, int]:
        async with contextlib.AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(serving(lambda _: reply())) for _ in range(12)]
            client = await stack.enter_async_context(PoliteClient(policy(*servers)))
            for _ in range(2):
                for server in servers:
                    await client.get(server.url())
            kept = sum(server.connections for server in servers)
            await client.get(servers[-1].url())
            return kept, servers[-1].connections

    assert run(go()) == (12, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "_MAX_CONNECTIONS", 6)
        assert run(go()) == (24, 2)


def test_clients_that_follow_one_another_keep_one_pace() -> None:
    """Each with an event loop of its own, as sources are pulled."""

    async def go(place: str) -> None:
        async with PoliteClient(policy(rates={place: Rate(1, 0.3)}, private_hosts=frozenset({place}))) as client:
            await client.get(f"http://{place}/")

    seen: list[float] = []

    async def serve(started: asyncio.Queue[str]) -> None:
        async with serving(lambda _: reply()) as server:
            await started.put(server.place)
            for _ in range(3):
                await asyncio.to_thread(asyncio.run, go(server.place))
            seen.extend(one.at for one in server.seen)

    run(serve(asyncio.Queue()))
    # The next may go no sooner than the window after the answer to the one before.
    assert all(later - earlier >= 0.3 for earlier, later in pairwise(seen))


def test_a_budget_of_its_own_binds_only_requests_that_name_it() -> None:
    async def go() -> tuple[list[float], list[str]]:
        clock = FakeClock()

        def answer(seen: Seen) -> bytes:
            left = "0" if seen.target.startswith("/page") else "200"
            return reply(X_RateLimit_Remaining=left, X_RateLimit_Reset="600")

        async with serving(answer) as server:
            rates = {server.place: Rate(10_000, 10.0, budgets={"paging": Rate(10_000, 900.0)})}
            async with PoliteClient(policy(server, rates=rates), clock=clock) as client:
                await client.get(server.url("/page/1"), budget="paging")
                await client.get(server.url("/profile"))
                await client.get(server.url("/profile"), budget="unknown here")
                assert clock.sleeps == []
                await client.get(server.url("/page/2"), budget="paging")
            return clock.sleeps, [seen.target for seen in server.seen]

    sleeps, targets = run(go())
    assert sleeps == [pytest.approx(600, abs=0.01)]
    assert targets == ["/page/1", "/profile", "/profile", "/page/2"]


# retries


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    got, server = fetch(script(reply(status), reply(status), reply(body=b"ok")))
    assert got.body == b"ok"
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [201, 202, 206, 300, 400, 401, 403, 404, 406, 410, 418])
def test_what_will_not_pass_is_asked_once(status: int) -> None:
    error, server = refuse(lambda _: reply(status))
    assert len(server.seen) == 1
    assert (error.status, error.transient) == (status, False)
    assert f"{server.place}/list.csv: status {status}" in str(error)


def test_the_last_attempt_says_how_often_it_was_tried() -> None:
    error, server = refuse(lambda _: reply(503), attempts=4)
    assert len(server.seen) == error.tries == 4
    assert str(error).endswith("(tried 4 times)")
    assert error.transient


def test_backoff_grows_and_is_jittered(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await real_sleep(0)

    with stamina.set_testing(False):
        monkeypatch.setattr(asyncio, "sleep", sleep)
        refuse(lambda _: reply(500), attempts=4)
    assert len(waits) == 3
    assert all(low <= wait <= low + 1 for low, wait in zip((1, 2, 4), waits, strict=True))
    assert any(wait != round(wait) for wait in waits)


def test_a_host_that_rests_is_not_waited_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest after 429 is the pace's: the wait between retries does not come on top."""
    waits: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await real_sleep(0)

    with stamina.set_testing(False):
        monkeypatch.setattr(asyncio, "sleep", sleep)
        sleeps, _, requests = heed(
            reply(429), reply(429, RateLimit_Reset="9"), reply(429, Retry_After="7"), reply()
        )
    assert requests == 4
    assert len(sleeps) == 3
    assert max(waits) == 0


def test_a_cancelled_fetch_stops_and_is_not_tried_again() -> None:
    async def go() -> int:
        asked = asyncio.Event()

        async def hang(_: Seen) -> bytes:
            asked.set()
            await asyncio.sleep(20)
            return b""

        async with serving(hang) as server, PoliteClient(policy(server)) as client:
            task = asyncio.create_task(client.get(server.url()))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return len(server.seen)

    assert run(go()) == 1


# Retry-After


def obey(
    retry_after: str, *, gets: int = 1, **changes: Any
) -> tuple[list[float], list[Fetched | FetchError], int]:
    """Fetch from a host that first says 429; return sleeps, results and the number of requests."""

    async def go() -> tuple[list[float], list[Fetched | FetchError], int]:
        clock, results = FakeClock(), list[Fetched | FetchError]()
        async with serving(script(reply(429, Retry_After=retry_after), reply(body=b"ok"))) as server:
            async with PoliteClient(policy(server, **changes), clock=clock) as client:
                for _ in range(gets):
                    try:
                        results.append(await client.get(server.url("/a")))
                    except FetchError as error:
                        results.append(error)
            return clock.sleeps, results, len(server.seen)

    return run(go())


def test_retry_after_in_seconds_is_waited_out() -> None:
    sleeps, results, requests = obey("7")
    assert (sleeps, requests) == ([7.0], 2)
    assert isinstance(results[0], Fetched)


@pytest.mark.parametrize("form", ["GMT", "+0000"])
def test_retry_after_as_a_date_is_waited_out(form: str) -> None:
    date = email.utils.formatdate(WALL + 9, usegmt=form == "GMT")
    sleeps, _, requests = obey(date)
    assert (sleeps, requests) == ([9.0], 2)


@pytest.mark.parametrize(
    "nonsense",
    ["soon", "-5", "0", "nan", "inf", "Wed, 99 Foo 2026", "Mon, 02 Nov 2020 10:00:00 GMT", "1 2", "\xff"],
)
def test_retry_after_that_makes_no_sense_means_a_rest_of_our_choice(nonsense: str) -> None:
    sleeps, results, requests = obey(nonsense)
    assert requests == 2
    assert len(sleeps) == 1
    assert 1 <= sleeps[0] <= 2
    assert isinstance(results[0], Fetched)


def test_retry_after_beyond_our_patience_ends_the_fetch_and_spares_the_host() -> None:
    sleeps, results, requests = obey("121", gets=2)
    assert (sleeps, requests) == ([], 1)  # the second get did not even ask
    first, second = results
    assert isinstance(first, FetchError)
    assert isinstance(second, FetchError)
    assert (first.status, first.retry_after_seconds, first.transient) == (429, 121.0, False)
    assert "121 seconds" in str(first)
    assert "121 seconds" in str(second)


def test_retry_after_binds_the_other_tasks_too() -> None:
    sleeps, results, requests = obey("7", gets=2, attempts=1)
    assert [type(result) for result in results] == [FetchError, Fetched]
    assert (sleeps, requests) == ([7.0], 2)


# limits that the host announces


def heed(
    *answers: bytes, tasks: int = 1, gets: int = 1, **changes: Any
) -> tuple[list[float], list[Fetched | BaseException], int]:
    """Fetch from a host that answers in turn; return sleeps, results and the number of requests."""

    async def go() -> tuple[list[float], list[Fetched | BaseException], int]:
        clock, results = FakeClock(), list[Fetched | BaseException]()
        async with serving(script(*answers)) as server:
            rates = {server.place: changes.pop("rate")} if "rate" in changes else {}
            async with PoliteClient(policy(server, rates=rates, **changes), clock=clock) as client:
                for _ in range(gets):
                    asked = (client.get(server.url(f"/{n}")) for n in range(tasks))
                    results += await asyncio.gather(*asked, return_exceptions=True)
                assert client.requests == len(server.seen)
            return clock.sleeps, results, len(server.seen)

    return run(go())


def iso(seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(WALL + seconds, dt.UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


USED_UP: dict[str, tuple[dict[str, str], float]] = {
    "Bluesky": ({"RateLimit-Remaining": "0", "RateLimit-Reset": str(int(WALL) + 90)}, 91.0),
    "Mastodon": ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": iso(90.25)}, 90.25),
    "X": ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(WALL) + 90)}, 91.0),
    "IETF draft": ({"RateLimit-Remaining": "0", "RateLimit-Reset": "90"}, 90.0),
}


@pytest.mark.parametrize("host", USED_UP)
def test_a_host_with_nothing_left_is_asked_again_after_the_reset(host: str) -> None:
    headers, wait = USED_UP[host]
    sleeps, results, requests = heed(reply(200, b"a", **headers), reply(body=b"b"), gets=2)
    assert [type(result) for result in results] == [Fetched, Fetched]
    assert requests == 2
    assert sleeps == [pytest.approx(wait, abs=0.01)]


@pytest.mark.parametrize("host", USED_UP)
def test_429_without_retry_after_is_waited_out_until_the_reset(host: str) -> None:
    headers, wait = USED_UP[host]
    sleeps, results, requests = heed(reply(429, b"", **headers), reply(body=b"b"))
    assert isinstance(results[0], Fetched)
    assert requests == 2
    assert sleeps == [pytest.approx(wait, abs=0.01)]


def test_429_without_any_word_makes_the_whole_host_rest() -> None:
    refusals = [reply(429)] * 3
    sleeps, results, requests = heed(*refusals, reply(), tasks=3)
    assert [type(result) for result in results] == [Fetched] * 3
    assert requests == 6
    assert len(sleeps) == 1, "three were refused at once, and one rest is enough for all"
    assert 1 <= sleeps[0] <= 2


def test_retry_after_goes_before_the_reset() -> None:
    both = {"Retry-After": "7", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": iso(90)}
    sleeps, _, _ = heed(reply(429, Retry_After="7", X_RateLimit_Reset=iso(90)), reply())
    assert sleeps == [7.0]
    # Here the host also says that nothing is left until then.
    sleeps, _, _ = heed(reply(429, b"", **both), reply())
    assert sleeps == [pytest.approx(90, abs=0.01)]


@pytest.mark.parametrize("reset", ["soon", "-1", "0", iso(-5), str(int(WALL) - 5), "\xff"])
def test_a_reset_that_makes_no_sense_is_no_reason_to_wait(reset: str) -> None:
    sleeps, results, _ = heed(reply(RateLimit_Remaining="0", RateLimit_Reset=reset), gets=2)
    assert [type(result) for result in results] == [Fetched, Fetched]
    assert sleeps == []


def test_a_reset_within_the_hosts_own_window_is_waited_out_though_longer_than_we_wait_elsewhere() -> None:
    refusal = reply(429, X_RateLimit_Remaining="0", X_RateLimit_Reset=iso(280), Content_Type="application/json")
    sleeps, results, requests = heed(refusal, reply())
    assert isinstance(results[0], FetchError)
    assert (results[0].status, results[0].retry_after_seconds, results[0].transient) == (429, 280.0, False)
    assert "280 seconds" in str(results[0])
    assert (sleeps, requests) == ([], 1)
    sleeps, results, requests = heed(refusal, reply(), rate=Rate(10_000, 300.0))
    assert isinstance(results[0], Fetched)
    assert sleeps == [pytest.approx(280, abs=0.01)]
    assert requests == 2


def test_an_announced_rest_does_not_count_as_the_hosts_time() -> None:
    async def go() -> int:
        async with serving(script(reply(429, RateLimit_Reset="0.5"), reply())) as server:
            async with PoliteClient(policy(server, total_seconds=0.4)) as client:
                await client.get(server.url())
            return len(server.seen)

    assert run(go()) == 2


def test_a_host_that_refuses_everybody_costs_bounded_time() -> None:
    sleeps, results, requests = heed(reply(429), tasks=200, attempts=5)
    assert all(isinstance(result, FetchError) and result.status in (None, 429) for result in results)
    assert requests < 60, "eight at a time, five times, and nobody else"
    assert sum(sleeps) < 40
    assert any("refused 5 times in a row" in str(result) for result in results)


# size and compression


def chunked(body: bytes, **headers: str) -> bytes:
    parts = [body[start : start + 1000] for start in range(0, len(body), 1000)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return reply(200, b"", Content_Length="", Transfer_Encoding="chunked", **headers) + framed


@pytest.mark.parametrize("frame", [lambda body: reply(body=body), chunked])
def test_a_body_may_be_as_large_as_the_limit_but_no_larger(frame: Callable[[bytes], bytes]) -> None:
    got, _ = fetch(lambda _: frame(b"x" * 5000), max_bytes=5000)
    assert got.body == b"x" * 5000
    error, server = refuse(lambda _: frame(b"x" * 5001), max_bytes=5000)
    assert "larger than 5000 bytes" in str(error)
    assert len(server.seen) == 1


def test_an_announced_size_is_enough_to_stop() -> None:
    async def stall(_: Seen) -> bytes:
        return b"HTTP/1.1 200 x\r\nContent-Length: 99999999999\r\n\r\n"  # and never a body

    error, _ = refuse(stall, max_bytes=5000, timeout_seconds=20.0)
    assert "larger than 5000 bytes" in str(error)


@pytest.mark.parametrize("limit", [5000, 4999])
def test_gzip_is_inflated_and_measured_inflated(limit: int) -> None:
    members = gzip.compress(b"a" * 2000) + gzip.compress(b"b" * 3000)  # two members are one body
    raw = chunked(members, Content_Encoding="gzip")
    if limit == 5000:
        assert fetch(lambda _: raw, max_bytes=limit)[0].body == b"a" * 2000 + b"b" * 3000
    else:
        assert "larger than 4999 bytes" in str(refuse(lambda _: raw, max_bytes=limit)[0])


def test_a_gzip_bomb_does_not_fill_memory() -> None:
    bomb = reply(body=gzip.compress(bytes(50_000_000)), Content_Encoding="gzip")
    tracemalloc.start()
    try:
        error, _ = refuse(lambda _: bomb, max_bytes=200_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "larger than 200000 bytes" in str(error)
    assert peak < 10_000_000


@pytest.mark.parametrize("damage", [lambda body: body[:-9], lambda body: b"not gzip at all" + body])
def test_a_damaged_gzip_body_is_tried_again_and_never_handed_over(damage: Callable[[bytes], bytes]) -> None:
    good = gzip.compress(b"a,b\n" * 1000)
    bad = reply(body=damage(good), Content_Encoding="gzip")
    got, server = fetch(script(bad, reply(body=good, Content_Encoding="gzip")))
    assert (got.body, len(server.seen)) == (b"a,b\n" * 1000, 2)
    error, _ = refuse(lambda _: bad, attempts=2)
    assert "gzip body is damaged" in str(error)


def test_a_compression_we_did_not_ask_for_is_an_error() -> None:
    error, _ = refuse(lambda _: reply(body=b"\x1b\x00", Content_Encoding="br"))
    assert "compression we did not ask for" in str(error)


# broken and slow answers

CUT_SHORT = b"HTTP/1.1 200 x\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf"
CUT_CHUNKS = b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nhalf\r\n"
NOT_HTTP = b"220 mail.example ESMTP\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("broken", [CUT_SHORT, CUT_CHUNKS, NOT_HTTP, b"Connection: close"])
def test_a_truncated_answer_is_tried_again_and_never_handed_over(broken: bytes) -> None:
    got, server = fetch(script(broken, broken, reply(body=b"the whole")))
    assert (got.body, len(server.seen)) == (b"the whole", 3)
    error, server = refuse(lambda _: broken, attempts=2)
    assert "broke off" in str(error)
    assert len(server.seen) == 2


async def _never(_: Seen) -> bytes:
    await asyncio.sleep(25)
    return b""


def test_silence_is_a_time_out_and_tried_again() -> None:
    error, server = refuse(_never, timeout_seconds=0.1, attempts=2)
    assert "silent for too long" in str(error)
    assert len(server.seen) == 2


def test_the_total_time_bounds_an_endless_series_of_retries() -> None:
    error, server = refuse(_never, timeout_seconds=0.1, total_seconds=0.35, attempts=100)
    assert "no whole answer within 0.35 seconds" in str(error)
    assert 1 < len(server.seen) < 100


def test_nobody_at_home_is_an_error_with_a_remedy() -> None:
    async def go() -> FetchError:
        async with serving(lambda _: reply()) as server:
            pass  # closed again: a port where surely nobody listens
        async with PoliteClient(policy(server, attempts=2)) as client:
            return await failing(client, server.url("/x"))

    error = run(go())
    assert "no connection; check the host" in str(error)
    assert error.tries == 2


def test_tls_to_a_server_that_speaks_none_is_an_error() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(reply(400))
        writer.close()

    async def go() -> FetchError:
        async with await asyncio.start_server(plain, "127.0.0.1", 0) as listener:
            place = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            async with PoliteClient(policy(private_hosts=frozenset({place}), attempts=2)) as client:
                return await failing(client, f"https://{place}/x")

    error = run(go())
    assert "no connection" in str(error)
    assert error.tries == 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for register.test and its key."""
    if not (openssl := shutil.which("openssl")):
        pytest.skip("needs the openssl command to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "cert.pem", folder / "key.pem"
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=register.test"
    names = ["-addext", "subjectAltName=DNS:register.test", "-out", str(made[0]), "-keyout", str(made[1])]
    subprocess.run([openssl, *make.split(), *names], check=True, capture_output=True)
    return made


def over_tls(certificate: tuple[Path, Path], host: str) -> tuple[Fetched | FetchError, int]:
    """Fetch from a real TLS server under a name that resolves to it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def go() -> tuple[Fetched | FetchError, int]:
        async with serving(lambda _: reply(body=b"safe"), context=context) as server:
            allowed = policy(private_hosts=frozenset({host}))
            async with PoliteClient(allowed, resolve=resolve) as client:
                try:
                    return await client.get(f"https://{host}:{server.port}/"), len(server.seen)
                except FetchError as error:
                    return error, len(server.seen)

    return run(go())


def test_tls_is_verified_for_the_name_although_the_address_is_ours(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    got, _ = over_tls(certificate, "register.test")
    assert isinstance(got, Fetched)
    assert got.body == b"safe"
    error, requests = over_tls(certificate, "other.test")
    assert "certificate not trusted" in str(error)
    assert requests == 0


def test_a_certificate_nobody_vouches_for_is_refused_at_once(certificate: tuple[Path, Path]) -> None:
    error, requests = over_tls(certificate, "register.test")
    assert isinstance(error, FetchError)
    assert "certificate not trusted" in str(error)
    assert (error.tries, requests) == (1, 0)


def test_an_unknown_name_is_an_error() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, f"unknown {SECRET}")

    async def go() -> FetchError:
        async with PoliteClient(policy(attempts=2), resolve=resolve) as client:
            return await failing(client, "https://register.example/x")

    error = run(go())
    assert "register.example/x: the host name has no address" in str(error)
    assert SECRET not in str(error)


# where we go and where we do not

PRIVATE = [
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "http://127.0.0.1:9/",
    "http://localhost:9/",
    "http://2130706433:9/",
    "http://0x7f.1:9/",
    "http://0.0.0.0/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
]


@pytest.mark.parametrize("url", PRIVATE)
def test_a_private_address_is_refused_at_once(url: str) -> None:
    async def go() -> FetchError:
        async with PoliteClient(policy()) as client:
            return await failing(client, url)

    error = run(go())
    assert "is not a public one" in str(error)
    assert (error.tries, error.transient) == (1, False)


@pytest.mark.parametrize("url", PRIVATE)
def test_a_redirect_to_a_private_address_is_refused(url: str) -> None:
    error, server = refuse(lambda _: reply(302, Location=url))
    assert "is not a public one" in str(error)
    assert len(server.seen) == 1


def test_permission_for_one_port_is_not_permission_for_the_next() -> None:
    async def go() -> int:
        async with contextlib.AsyncExitStack() as stack:
            inner = await stack.enter_async_context(serving(lambda _: reply()))
            away = reply(302, Location=inner.url("/admin"))
            outer = await stack.enter_async_context(serving(lambda _: away))
            client = await stack.enter_async_context(PoliteClient(policy(outer)))
            await failing(client, outer.url())
            return inner.connections

    assert run(go()) == 0


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://example.org/x", "javascript:1", "http://", "//[", ""]
)
def test_a_redirect_to_anything_but_a_web_address_is_refused(location: str) -> None:
    error, server = refuse(lambda _: reply(302, Location=location))
    assert error.status == 302
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/x",
        "example.org",
        "http://",
        "http://[",
        "http://a:99999/",
        "",
    ],
)
def test_only_web_addresses_are_fetched(url: str) -> None:
    async def go() -> FetchError:
        async with PoliteClient(policy()) as client:
            return await failing(client, url)

    assert "correct" in str(run(go()))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("64:ff9b::808:808", True),  # a public IPv4 address seen through NAT64
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("::ffff:10.0.0.1", False),
        ("::7f00:1", False),
        ("fec0::1", False),
        ("fe80::1%eth0", False),
        ("ff02::1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("198.18.0.1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public_address(address) is public


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """No system resolver knows this name: only the answer that was checked can lead to the server."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.9", "127.0.0.1", "127.0.0.8"]  # nobody listens on the others

    async def go() -> Server:
        async with serving(lambda _: reply()) as server:
            allowed = frozenset({f"register.test:{server.port}"})
            async with PoliteClient(policy(private_hosts=allowed), resolve=resolve) as client:
                await client.get(f"http://register.test:{server.port}/")
            return server

    server = run(go())
    assert asked == ["register.test"]
    assert server.seen[0].headers["host"] == f"register.test:{server.port}"


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"]])
def test_a_public_name_with_a_private_address_is_refused(answer: list[str]) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return answer

    async def go() -> int:
        async with serving(lambda _: reply()) as server:
            async with PoliteClient(policy(), resolve=resolve) as client:
                error = await failing(client, f"http://register.test:{server.port}/")
            assert "is not a public one" in str(error)
            return server.connections

    assert run(go()) == 0


# redirects


def test_redirects_are_followed_and_the_url_stays_as_asked() -> None:
    def walk(seen: Seen) -> bytes:
        hops = {"/list.csv": "next?token=1", "/next?token=1": "/end#here"}
        return reply(307, Location=hops[seen.target]) if seen.target in hops else reply(body=b"there")

    got, server = fetch(walk)
    assert (got.body, got.url) == (b"there", server.url("/list.csv"))
    assert [seen.target for seen in server.seen] == ["/list.csv", "/next?token=1", "/end"]


def test_a_circle_of_redirects_is_an_error() -> None:
    error, server = refuse(lambda seen: reply(302, Location="/b" if seen.target == "/a" else "/a"), "/a")
    assert "redirects in a circle" in str(error)
    assert len(server.seen) == 2


def test_a_long_chain_of_redirects_is_an_error() -> None:
    chain: Handler = lambda seen: reply(302, Location=f"{seen.target}x")  # noqa: E731
    error, server = refuse(chain, max_redirects=3)
    assert "redirects too often" in str(error)
    assert len(server.seen) == 4


def test_a_callers_headers_stay_behind_when_the_host_changes() -> None:
    async def go() -> tuple[Seen, Seen, Seen]:
        async with serving(lambda _: reply(), "127.0.0.2") as away:
            target = away.url("/away").replace("//", f"//who:{SECRET}@")
            hops = {"/": "/same", "/same": target}
            async with serving(lambda seen: reply(302, Location=hops[seen.target])) as home:
                async with PoliteClient(policy(home, away)) as client:
                    given = {"Authorization": SECRET, "Cookie": SECRET, "X-Api-Key": SECRET}
                    await client.get(home.url(), headers=given, etag='"v1"')
                return home.seen[0], home.seen[1], away.seen[0]

    first, same, away = run(go())
    for seen in (first, same):
        assert [seen.headers[name] for name in ("authorization", "cookie", "x-api-key")] == [SECRET] * 3
    assert not {"authorization", "cookie", "x-api-key"} & away.headers.keys()
    assert SECRET not in str(away.headers)
    assert away.headers["if-none-match"] == '"v1"'


def test_a_downgrade_to_plain_http_is_refused() -> None:
    async def go() -> None:
        async with respx.mock(assert_all_called=False) as router, PoliteClient(policy()) as client:
            location = f"http://register.example/a?token={SECRET}"
            router.get("https://register.example/a").mock(httpx.Response(302, headers={"Location": location}))
            plain = router.get(url__startswith="http://").mock(httpx.Response(200))
            error = await failing(client, "https://register.example/a")
            assert "from https to plain http" in str(error)
            assert SECRET not in str(error)
            assert not plain.called

    run(go())


def test_a_step_up_to_https_keeps_the_callers_headers() -> None:
    async def go() -> None:
        async with respx.mock as router, PoliteClient(policy()) as client:
            up = {"Location": "https://register.example/a"}
            router.get("http://register.example/a").mock(httpx.Response(301, headers=up))
            safe = router.get("https://register.example/a").mock(httpx.Response(200, content=b"ok"))
            got = await client.get("http://register.example/a", headers={"Authorization": SECRET})
            assert got.body == b"ok"
            assert safe.calls.last.request.headers["authorization"] == SECRET

    run(go())


def test_an_error_after_a_redirect_names_both_places() -> None:
    error, server = refuse(
        lambda seen: reply(404) if seen.target == "/gone" else reply(302, Location="/gone"), "/a?token=1"
    )
    assert str(error).startswith(f"{server.place}/gone: status 404")
    assert str(error).endswith(f"(asked for as {server.place}/a)")


# proxies from the environment


def behind_proxy(
    monkeypatch: pytest.MonkeyPatch, url: str, answer: list[str] | None = None, no_proxy: str = ""
) -> tuple[Fetched | FetchError, Server]:
    async def resolve(host: str, port: int) -> list[str]:
        if answer is None:
            raise OSError("names are unknown here")
        return answer

    async def go() -> tuple[Fetched | FetchError, Server]:
        async with serving(lambda _: reply(body=b"by proxy")) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url())
            monkeypatch.setenv("no_proxy", no_proxy)
            async with PoliteClient(policy(attempts=1), resolve=resolve) as client:
                try:
                    return await client.get(url), proxy
                except FetchError as error:
                    return error, proxy

    return run(go())


def test_a_proxy_from_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    got, proxy = behind_proxy(monkeypatch, "http://register.test/a")
    assert isinstance(got, Fetched)
    assert got.body == b"by proxy"
    assert proxy.seen[0].target == "http://register.test/a"


@pytest.mark.parametrize(
    ("url", "answer"), [("http://169.254.169.254/", None), ("http://register.test/", ["10.0.0.1"])]
)
def test_a_proxy_is_not_asked_for_a_private_address(
    monkeypatch: pytest.MonkeyPatch, url: str, answer: list[str] | None
) -> None:
    error, proxy = behind_proxy(monkeypatch, url, answer)
    assert "is not a public one" in str(error)
    assert not proxy.seen


def test_no_proxy_is_honoured_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    # A name unknown here reaches a proxy, but cannot be reached directly.
    error, proxy = behind_proxy(monkeypatch, "http://register.test/", no_proxy=".test")
    assert isinstance(error, FetchError)
    assert not proxy.seen
    error, proxy = behind_proxy(monkeypatch, "http://register.test/", ["127.0.0.1"], no_proxy=".test")
    assert "is not a public one" in str(error)
    assert not proxy.seen


def test_allowed_private_hosts_never_go_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    got, server = fetch(lambda _: reply(body=b"direct"))
    assert got.body == b"direct"
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "proxy", [f"gopher://u:{SECRET}@h:1", f"http://u:{SECRET}@h:port", f"socks5://u:{SECRET}@h:1"]
)
def test_an_unusable_proxy_is_an_error_without_its_password(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)

    async def go() -> FetchError:
        async with PoliteClient(policy()) as client:
            return await failing(client, "http://8.8.8.8/")

    error = run(go())
    assert "the proxy in the environment is unusable" in str(error)
    assert SECRET not in "".join(traceback.format_exception(error))


# secrets


LEAKS: dict[str, Handler] = {
    "not found": lambda _: reply(404),
    "unwell": lambda _: reply(503),
    "told to wait": lambda _: reply(429, Retry_After="999"),
    "cut short": lambda _: CUT_SHORT,
    "no http": lambda _: f"{SECRET}\r\nConnection: close\r\n\r\n".encode(),
    "too large": lambda _: reply(body=b"x" * 9999),
    "scheme": lambda _: reply(302, Location=f"ftp://u:{SECRET}@h/{SECRET}"),
    "unreadable": lambda _: reply(302, Location=f"http://u:{SECRET}@[/{SECRET}"),
    "private": lambda _: reply(302, Location=f"http://u:{SECRET}@10.0.0.1/?{SECRET}"),
    "circle": lambda _: reply(302, Location=f"?token={SECRET}", Set_Cookie=SECRET),
    "silent": _never,
}


@pytest.mark.parametrize("case", LEAKS)
def test_no_secret_in_any_message_trace_or_log(
    case: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)

    async def go() -> FetchError:
        async with serving(LEAKS[case]) as server:
            limits = policy(server, attempts=2, max_bytes=5000, timeout_seconds=0.1)
            async with PoliteClient(limits) as client:
                given = {"Authorization": f"Bearer {SECRET}"}
                url = f"http://u:{SECRET}@{server.place}/list.csv?token={SECRET}"
                error = await failing(client, url, headers=given)
            assert f"{server.place}/list.csv" in str(error)
            return error

    error = run(go())
    printed = "".join(capfd.readouterr())
    shown = [
        str(error),
        repr(error),
        str(vars(error)),
        *traceback.format_exception(error),
        caplog.text,
        printed,
    ]
    assert all(SECRET not in text for text in shown)


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("http://127.0.0.1:9/", f"é{SECRET}"),
        ("http://127.0.0.1:9/", f"a\r\n{SECRET}: b"),
        (f"http://u:{SECRET}@h:port", "fine"),
        (f"{SECRET}:token", "fine"),
        (f"ftp://u:{SECRET}@h/{SECRET}", "fine"),
        (f"http://u:{SECRET}@h:99999/?{SECRET}", "fine"),
    ],
)
def test_no_secret_where_a_request_cannot_even_be_written(url: str, header: str) -> None:
    async def go() -> FetchError:
        async with PoliteClient(policy(private_hosts=frozenset({"127.0.0.1"}), attempts=1)) as client:
            return await failing(client, url, headers={"X-Token": header})

    error = run(go())
    assert SECRET not in "".join(traceback.format_exception(error))
    assert error.__cause__ is None


def test_a_result_does_not_show_body_query_or_headers() -> None:
    got, _ = fetch(lambda _: reply(body=SECRET.encode(), X_Session=SECRET), f"/a?token={SECRET}")
    assert SECRET not in repr(got)
    assert got.headers["x-session"] == SECRET


# misuse


@pytest.mark.parametrize(
    "wrong",
    [
        {"contact": " "},
        {"contact": "a\r\nX: y"},
        {"contact": "é"},
        {"per_host_per_second": 0},
        {"timeout_seconds": -1},
        {"total_seconds": float("nan")},
        {"max_bytes": 0},
        {"attempts": 0},
        {"longest_wait_seconds": float("nan")},
        {"max_redirects": -1},
        {"rates": {"https://a.example": Rate(1, 1.0)}},
        {"rates": {"A.example": Rate(1, 1.0)}},
        {"rates": {"": Rate(1, 1.0)}},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        policy(**wrong)


def test_a_rate_is_found_by_port_then_by_host_and_else_is_the_common_one() -> None:
    one, other, six = Rate(1, 1.0), Rate(2, 1.0), Rate(3, 1.0)
    limits = policy(per_host_per_second=1.0, rates={"a.example": one, "a.example:8080": other, "[::1]:80": six})
    assert limits.rate("a.example", 443) == limits.rate("a.example", 80) == one
    assert limits.rate("a.example", 8080) == other
    assert limits.rate("::1", 80) == six
    assert limits.rate("b.example", 443) == Rate(60, 60.0)
    assert policy(rates={"a.example": one}, default_rate=other).rate("b.example", 443) == other
    assert policy(rates={"a.example": one}, default_rate=other).rate("a.example", 443) == one


def test_outside_its_context_the_client_says_so() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        run(PoliteClient(policy()).get("http://8.8.8.8/"))
