"""The proxy that misbehaves, seen from a plain socket: each fault is what it says, and `ok` is none."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator

import pytest

from tests.servers.chaos import EVERY_FAULT, ChaosProxy, Fault, Kind, running_chaos

pytestmark = pytest.mark.servers

ANSWER = bytes(range(256)) * 40
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"


@contextlib.asynccontextmanager
async def upstream(heard: list[bytes]) -> AsyncIterator[str]:
    """A server that answers every connection with the same bytes and closes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def talk(port: int) -> tuple[bytes, str]:
    """What arrives, and how it ends: closed in good order, or reset."""
    got = b""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        while piece := await reader.read(65_536):
            got += piece
    except ConnectionResetError:
        return got, "reset"
    writer.close()
    return got, "closed"


def meet(fault: Fault) -> tuple[bytes, str, float, list[bytes]]:
    async def one() -> tuple[bytes, str, float, list[bytes]]:
        heard: list[bytes] = []
        async with upstream(heard) as place, ChaosProxy(place, [fault]) as proxy:
            start = time.monotonic()
            got, end = await talk(proxy.port)
            assert proxy.met == [fault.kind]
            return got, end, time.monotonic() - start, heard

    return asyncio.run(asyncio.wait_for(one(), 20))


def test_there_are_ten_faults() -> None:
    assert len({fault.kind for fault in EVERY_FAULT}) == 10


@pytest.mark.parametrize(
    ("kind", "expected", "end"),
    [
        ("ok", ANSWER, "closed"),
        ("latency", ANSWER, "closed"),
        ("bandwidth", ANSWER, "closed"),
        ("cut_start", b"", "closed"),
        ("cut_fin", ANSWER[:300], "closed"),
        ("cut_reset", ANSWER[:300], "reset"),
        ("cut_half", ANSWER[:300], "closed"),
        ("black_hole", b"", "reset"),
        ("refuse", b"", "reset"),
    ],
)
def test_what_arrives_and_how_it_ends(kind: Kind, expected: bytes, end: str) -> None:
    got, ended, _, _ = meet(Fault(kind))
    assert (got, ended) == (expected, end)


@pytest.mark.parametrize(
    ("fault", "least"),
    [
        (Fault("latency", seconds=0.4), 0.4),
        (Fault("bandwidth", rate=len(ANSWER) * 2), 0.45),
        (Fault("black_hole", seconds=0.4), 0.4),
    ],
)
def test_slow_faults_take_their_time(fault: Fault, least: float) -> None:
    assert meet(fault)[2] >= least


def test_one_byte_is_damaged_and_no_other() -> None:
    got, _, _, _ = meet(Fault("corrupt", after=5_000))
    assert [place for place, pair in enumerate(zip(got, ANSWER, strict=True)) if len(set(pair)) > 1] == [5_000]


def test_a_cut_beyond_the_answer_cuts_nothing() -> None:
    assert meet(Fault("cut_fin", after=len(ANSWER) + 1))[:2] == (ANSWER, "closed")


def test_the_server_is_asked_to_close_unless_told_otherwise() -> None:
    assert meet(Fault("ok"))[3] == [b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"]

    async def untouched() -> list[bytes]:
        heard: list[bytes] = []
        async with upstream(heard) as place, ChaosProxy(place, [Fault("ok")], single_use=False) as proxy:
            await talk(proxy.port)
        return heard

    assert asyncio.run(untouched()) == [REQUEST]


def test_connections_meet_the_faults_in_turn() -> None:
    async def several() -> list[Kind]:
        async with upstream([]) as place, ChaosProxy(place, [Fault("ok"), Fault("refuse")]) as proxy:
            for _ in range(5):
                await talk(proxy.port)
            return proxy.met

    assert asyncio.run(several()) == ["ok", "refuse", "ok", "refuse", "ok"]


def test_it_runs_beside_code_that_is_not_asynchronous() -> None:
    with running_chaos(ChaosProxy("http://127.0.0.1:9", [Fault("refuse")])) as proxy:
        with (
            socket.create_connection(("127.0.0.1", proxy.port)) as connection,
            pytest.raises(ConnectionResetError),
        ):
            connection.recv(1)
        assert proxy.met == ["refuse"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port))
