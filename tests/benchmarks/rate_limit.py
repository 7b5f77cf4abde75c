"""How much of an allowed rate a pull of 20,000 accounts uses: `python -m tests.benchmarks.rate_limit`.

The server runs in a process of its own, counts each request when it arrives, and answers 429 beyond its limit. It
reckons as services do: over the last seconds from now (`sliding`), or from one full period to the next (`fixed`).
What is printed comes from the server's log alone: requests answered ÷ requests allowed between the first and the
last of them, and how many were refused. The limit is that of the public Bluesky service, 3,000 in 300 seconds,
ten times as fast; so are the delays on the way. On a machine that cannot do 100 requests a second, server
included, the share shows that and nothing else: give more `--seconds`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import subprocess
import sys
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.sources.http import FetchError, HttpPolicy, PoliteClient
from pipelines.sources.pace import Rate

ROOT = Path(__file__).resolve().parents[2]
Window = Literal["sliding", "fixed"]


# --- the server ---------------------------------------------------------------------------------------------


class Limiter:
    """Counts requests in a window, and remembers when each came and whether it was let in."""

    def __init__(self, window: Window, requests: int, seconds: float) -> None:
        self._window = window
        self._requests = requests
        self._seconds = seconds
        self._recent: deque[float] = deque()
        self._period = 0
        self.admitted: list[float] = []
        self.refused: list[float] = []

    def admits(self, now: float) -> bool:
        if self._window == "fixed":
            if self._period != (period := int(now / self._seconds)):
                self._period = period
                self._recent.clear()
        else:
            while self._recent and self._recent[0] <= now - self._seconds:
                self._recent.popleft()
        if len(self._recent) >= self._requests:
            self.refused.append(now)
            return False
        self._recent.append(now)
        self.admitted.append(now)
        return True


async def serve(limiter: Limiter, delays: tuple[float, float]) -> None:
    """Answer until asked for `/log`, and then with the log; prints the port once it listens."""
    pages = {b"/profiles": _page("profiles", 25), b"/feed": _page("feed", 40)}
    chance = random.Random(1)  # noqa: S311 - delays, not secrets
    finished = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not finished.is_set():
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
                if path == b"/log":
                    log = {"admitted": limiter.admitted, "refused": limiter.refused}
                    writer.write(_answer(200, json.dumps(log).encode()))
                    finished.set()
                else:
                    await asyncio.sleep(chance.uniform(*delays))  # on the way here, differently each time
                    status, body = (
                        (200, pages[path.partition(b"?")[0]]) if limiter.admits(time.monotonic()) else (429, b"{}")
                    )
                    await asyncio.sleep(chance.uniform(*delays))  # and back
                    writer.write(_answer(status, body))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await finished.wait()
    await asyncio.sleep(0.1)  # the log has to leave
    server.close()


def _answer(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _page(key: str, count: int) -> bytes:
    """Something of the size of a page of profiles, or of posts."""
    item = {"uri": "at://did:plc:abcdefghijklmnopqrstuvwx/app.bsky.feed.post/3k", "likeCount": 3, "replyCount": 1}
    return json.dumps({key: [item] * count}).encode()


# --- the pull -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Log:
    """What the server saw."""

    admitted: list[float]
    refused: list[float]

    def share(self, rate: Rate) -> float:
        """Requests answered ÷ requests allowed, from the first to the last of them."""
        span = self.admitted[-1] - self.admitted[0]
        return (len(self.admitted) - 1) / (span * rate.requests / rate.seconds)

    def most_in_any(self, seconds: float) -> int:
        """The most requests, refused ones too, in any window of that length, wherever it starts."""
        times = sorted([*self.admitted, *self.refused])
        return max(bisect_left(times, start + seconds) - n for n, start in enumerate(times))


@contextlib.contextmanager
def server(window: Window, rate: Rate, delays: tuple[float, float]) -> Iterator[int]:
    """Run the server in a process of its own; gives its port."""
    limits = [window, str(rate.requests), str(rate.seconds), *map(str, delays)]
    command = [sys.executable, "-m", "tests.benchmarks.rate_limit", "--serve", *limits]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def read_log(port: int) -> Log:
    """Fetch the server's log, past the client."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /log HTTP/1.1\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().rpartition(b"content-length:")[2].split()[0])
    log = json.loads(await reader.readexactly(length))
    writer.close()
    return Log(log["admitted"], log["refused"])


async def pull(port: int, rate: Rate, accounts: int, *, at_once: int = 100) -> int:
    """Ask for profiles in batches of 25 and for one page of posts of each account; returns failed requests."""
    base, failed = f"http://127.0.0.1:{port}", 0
    policy = HttpPolicy(
        contact="benchmark", rates={f"127.0.0.1:{port}": rate}, private_hosts=frozenset({f"127.0.0.1:{port}"})
    )
    places, everybody = asyncio.Semaphore(at_once), range(accounts)

    async with PoliteClient(policy) as client:

        async def ask(path: str, key: str) -> None:
            nonlocal failed
            async with places:
                try:
                    fetched = await client.get(f"{base}{path}")
                    assert json.loads(fetched.body or b"")[key]
                except FetchError:
                    failed += 1

        async def account_batch(batch: range) -> None:
            await ask(f"/profiles?first={batch[0]}", "profiles")
            await asyncio.gather(*(ask(f"/feed?actor={account}", "feed") for account in batch))

        await asyncio.gather(*(account_batch(everybody[start : start + 25]) for start in everybody[::25]))
    return failed


def run(window: Window, rate: Rate, accounts: int, delays: tuple[float, float]) -> tuple[Log, int]:
    """One pull against one server; returns the server's log and the client's failures."""

    async def go(port: int) -> tuple[Log, int]:
        failed = await pull(port, rate, accounts)
        return await read_log(port), failed

    with server(window, rate, delays) as port:
        return asyncio.run(go(port))


def main() -> None:
    """Serve, or measure both ways of counting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", nargs=5, metavar=("WINDOW", "REQUESTS", "SECONDS", "LEAST", "MOST"))
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=30.0, help="the window in which 3,000 are allowed")
    given = parser.parse_args()
    if given.serve:
        window, requests, seconds, least, most = given.serve
        limiter = Limiter(window, int(requests), float(seconds))
        asyncio.run(serve(limiter, (float(least), float(most))))
        return
    rate = Rate(3000, given.seconds, in_flight=32)
    windows: tuple[Window, ...] = ("sliding", "fixed")
    for window in windows:
        log, failed = run(window, rate, given.accounts, (given.seconds / 3000, given.seconds / 1000))
        counts = f"{len(log.admitted)} answered, {len(log.refused)} refused with 429, {failed} failed"
        most = f"at most {log.most_in_any(rate.seconds)} of {rate.requests} in any {rate.seconds:g} s"
        print(f"{window}: used / allowed = {log.share(rate):.3f} ({counts}; {most})", flush=True)


if __name__ == "__main__":
    main()
