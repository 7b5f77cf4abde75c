"""A limit enforced by a server in a process of its own is never exceeded, and what it refuses is waited out."""

from __future__ import annotations

import asyncio

import pytest

from pipelines.sources.pace import Rate
from tests.benchmarks.rate_limit import Window, pull, read_log, run, server


@pytest.mark.parametrize("window", ["sliding", "fixed"])
def test_a_limit_that_is_known_is_never_exceeded(window: Window) -> None:
    """Not even by delays on the way that are as long as dozens of turns; how much is used is no test's matter."""
    rate = Rate(300, 2.0, in_flight=40)
    log, failed = run(window, rate, 720, (0.0, 0.1))
    assert failed == 0
    assert log.refused == []
    assert len(log.admitted) == 720 + 29
    assert log.most_in_any(rate.seconds) <= rate.requests


def test_a_limit_that_is_not_known_is_met_and_nothing_is_lost() -> None:
    """The server allows a quarter of what we believe, and says neither when to come back nor what is left."""

    async def go(port: int) -> None:
        failed = await pull(port, Rate(200, 1.0), 100)
        log = await read_log(port)
        assert failed == 0
        assert len(log.admitted) == 104
        assert 0 < len(log.refused) < 60, "eight under way are refused at once, and then the whole host rests"

    with server("fixed", Rate(50, 1.0), (0.0, 0.01)) as port:
        asyncio.run(go(port))
