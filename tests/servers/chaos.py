"""A TCP proxy on this machine that misbehaves as told: what lies between a collector and a real server.

Belongs here: faults of the network, acting on what the server sends. Does not belong here: answers that are wrong
in themselves, such as a status or a body; those are the work of a fake server.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import urlsplit

Kind = Literal[
    "ok",  # passes everything on
    "latency",  # each piece comes `seconds` late
    "bandwidth",  # `rate` bytes a second
    "cut_start",  # closed before the first byte
    "cut_fin",  # closed in good order after `after` bytes
    "cut_reset",  # reset after `after` bytes
    "cut_half",  # nothing more after `after` bytes, but held open for `seconds`
    "black_hole",  # takes the request and answers nothing for `seconds`
    "corrupt",  # one byte, the one after `after` others, arrives with all its bits turned
    "refuse",  # reset as soon as it is opened
]
PIECE = 65_536
SLICES_A_SECOND = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one connection; the numbers matter to the kinds that name them."""

    kind: Kind
    after: int = 300
    seconds: float = 0.3
    rate: int = 20_000


EVERY_FAULT = tuple(Fault(kind) for kind in Kind.__args__)  # type: ignore[attr-defined]


@dataclass
class ChaosProxy:
    """A proxy in front of `upstream`; connection number n meets fault number n of the plan, over and over.

    `single_use` asks the server to close after each answer, so that every request meets a fault of its own; else a
    client that keeps its connection alive would meet only the first. `met` lists the faults met, in order.
    """

    upstream: str
    plan: Sequence[Fault] = EVERY_FAULT
    single_use: bool = True
    met: list[Kind] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where the proxy listens."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        parts = urlsplit(self.upstream)
        self._place = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._faults = itertools.cycle(self.plan)
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        fault = next(self._faults)
        self.met.append(fault.kind)
        try:
            await self._serve(fault, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # one of the two went away: nothing is left to misbehave with
        finally:
            writer.close()

    async def _serve(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if fault.kind == "refuse":
            _reset(writer)
            return
        first = await reader.read(PIECE)
        if fault.kind == "cut_start" or not first:
            return
        if fault.kind == "black_hole":
            await asyncio.sleep(fault.seconds)
            _reset(writer)
            return
        answers, requests = await asyncio.open_connection(*self._place)
        requests.write(_close_after_answer(first) if self.single_use else first)
        onward = asyncio.create_task(_pass_on(reader, requests))
        try:
            await _answer(fault, answers, writer)
        finally:
            onward.cancel()
            requests.close()


async def _answer(fault: Fault, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what the server sends, as the fault will have it."""
    passed = 0
    while piece := await answers.read(PIECE):
        if fault.kind.startswith("cut_") and passed + len(piece) >= fault.after:
            await _cut(fault, piece[: fault.after - passed], writer)
            return
        if fault.kind == "corrupt" and passed <= fault.after < passed + len(piece):
            place = fault.after - passed
            piece = piece[:place] + bytes([piece[place] ^ 0xFF]) + piece[place + 1 :]
        if fault.kind == "latency":
            await asyncio.sleep(fault.seconds)
        if fault.kind == "bandwidth":
            await _drip(fault, piece, writer)
        else:
            writer.write(piece)
            await writer.drain()
        passed += len(piece)


async def _cut(fault: Fault, rest: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(rest)
    await writer.drain()
    if fault.kind == "cut_reset":
        # What is still on its way would be thrown away by the reset.
        await asyncio.sleep(0.05)
        _reset(writer)
    elif fault.kind == "cut_half":
        writer.write_eof()
        await asyncio.sleep(fault.seconds)


async def _drip(fault: Fault, piece: bytes, writer: asyncio.StreamWriter) -> None:
    size = max(1, fault.rate // SLICES_A_SECOND)
    for start in range(0, len(piece), size):
        writer.write(piece[start : start + size])
        await writer.drain()
        await asyncio.sleep(1 / SLICES_A_SECOND)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()


def _close_after_answer(request: bytes) -> bytes:
    """The same request, asking for the connection to be closed after the answer."""
    head, blank, rest = request.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close"]) + blank + rest


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close at once, telling the other side by a reset instead of an orderly end."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def running_chaos(proxy: ChaosProxy) -> Iterator[ChaosProxy]:
    """Run a proxy beside code that is not asynchronous, or has an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result(10)
        try:
            yield proxy
        finally:
            asyncio.run_coroutine_threadsafe(proxy.__aexit__(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
