"""The pace: what may go when, under a clock that tests move, and what hosts say about their limits."""

from __future__ import annotations

import asyncio
import email.utils
import random
import selectors
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest

from pipelines.sources.pace import (
    Budget,
    Budgets,
    Clock,
    Queue,
    Rate,
    Said,
    Unwilling,
    retry_after_seconds,
    said_of_limits,
)

WALL = 1_790_000_000.0


# --- an event loop whose time passes only while it waits ----------------------------------------------------


class LateSelector(selectors.DefaultSelector):
    """Waits in no time, and lets the loop believe that it waited, and somewhat longer than it asked for."""

    def __init__(self, late: Callable[[], float]) -> None:
        super().__init__()
        self.now = 0.0
        self._late = late

    def select(self, timeout: float | None = None) -> list[Any]:
        events = super().select(None if timeout is None else 0)
        if not events and timeout:
            self.now += timeout + self._late()
        return events


class LateLoop(asyncio.SelectorEventLoop):
    def __init__(self, late: Callable[[], float]) -> None:
        self._late_selector = LateSelector(late)
        super().__init__(self._late_selector)

    def time(self) -> float:
        return self._late_selector.now


class LoopClock(Clock):
    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def run(task: Coroutine[Any, Any, None], late: Callable[[], float] = lambda: 0.0) -> None:
    """Run a coroutine in virtual time; `late` says by how much a timer oversleeps."""
    with asyncio.Runner(loop_factory=lambda: LateLoop(late)) as runner:
        runner.run(task)


def queue(rate: Rate, budget: Budget | None = None, patience: float = 120.0) -> Queue:
    return Queue(budget or Budget(), rate, LoopClock(), patience)


def counted_by_server(
    rate: Rate, requests: int, delay: Callable[[], float], late: Callable[[], float] = lambda: 0.0
) -> list[float]:
    """When a server counts requests that many tasks want to send at once; each is delayed on the way and back."""
    counted: list[float] = []

    async def ask(waiting: Queue) -> None:
        async with waiting.turn():
            await asyncio.sleep(delay())
            counted.append(asyncio.get_running_loop().time())
            await asyncio.sleep(delay())

    async def go() -> None:
        waiting = queue(rate)
        await asyncio.gather(*(ask(waiting) for _ in range(requests)))

    run(go(), late)
    assert len(counted) == requests
    return sorted(counted)


def most_in_any(times: list[float], seconds: float) -> int:
    """The most in any window, both of its ends included."""
    return max(bisect_right(times, start + seconds - 1e-6) - n for n, start in enumerate(times))


# --- obeyed and used ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "slowest"),
    [
        (Rate(3000, 300.0), 0.3),  # Bluesky's public service
        (Rate(3000, 10.0, in_flight=32), 0.02),  # hundreds a second, where timers are late by whole turns
        (Rate(300, 300.0), 0.5),  # a Mastodon host
        (Rate(300, 900.0), 0.5),
    ],
    ids=str,
)
def test_a_limit_is_used_and_never_exceeded(rate: Rate, slowest: float) -> None:
    chance = random.Random(3)  # noqa: S311 - delays, not secrets
    times = counted_by_server(
        rate,
        4 * rate.requests,
        delay=lambda: chance.uniform(slowest / 10, slowest),
        # Most timers are a little late, some by a tenth of a second: a busy machine.
        late=lambda: chance.choices([0.0005, 0.003, 0.1], [70, 29, 1])[0],
    )
    used = (len(times) - 1) / (rate.requests * (times[-1] - times[0]) / rate.seconds)
    assert most_in_any(times, rate.seconds) <= rate.requests
    assert used >= 0.95


@pytest.mark.parametrize("seed", range(5))
def test_no_delay_on_the_way_makes_too_many_arrive_in_one_window(seed: int) -> None:
    """Requests that were held up arrive together with later ones: the worst case for even spacing alone."""
    chance = random.Random(seed)  # noqa: S311 - delays, not secrets
    rate = Rate(50, 5.0, in_flight=50)
    times = counted_by_server(
        rate,
        600,
        delay=lambda: chance.choice([0.01, 0.01, 0.5, 4.0]),
        late=lambda: chance.choice([0.0, 0.001, 0.01]),
    )
    assert most_in_any(times, rate.seconds) <= 50


def test_requests_go_evenly_from_the_first_on_and_after_an_idle_time() -> None:
    sent: list[float] = []

    async def ask(waiting: Queue) -> None:
        async with waiting.turn():
            sent.append(asyncio.get_running_loop().time())

    async def go() -> None:
        waiting = queue(Rate(100, 10.0))
        for _ in range(2):
            await asyncio.gather(*(ask(waiting) for _ in range(20)))
            await asyncio.sleep(500)

    run(go())
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert min(gaps) == pytest.approx(10 / 98)
    assert sorted(gaps)[-2] == pytest.approx(10 / 98), "all but the idle time"


def test_no_more_are_under_way_than_allowed_and_a_turn_given_up_is_free_again() -> None:
    under_way, most = 0, 0

    async def ask(waiting: Queue) -> None:
        nonlocal under_way, most
        async with waiting.turn():
            under_way += 1
            most = max(most, under_way)
            try:
                await asyncio.sleep(50)
            finally:
                under_way -= 1

    async def go() -> None:
        waiting = queue(Rate(1000, 1.0, in_flight=3))
        tasks = [asyncio.create_task(ask(waiting)) for _ in range(9)]
        await asyncio.sleep(10)
        for task in tasks[:5]:  # three under way and two in the queue
            task.cancel()
        await asyncio.gather(*tasks[5:])
        assert asyncio.get_running_loop().time() < 10 + 50 + 50 + 1

    run(go())
    assert most == 3


def test_threads_with_event_loops_of_their_own_keep_one_pace() -> None:
    rate, budgets, times = Rate(10, 0.25), Budgets(), list[float]()

    async def ask() -> None:
        waiting = Queue(budgets.of("a.example"), rate, Clock(), 120.0)
        for _ in range(12):
            async with waiting.turn():
                times.append(time.monotonic())

    threads = [threading.Thread(target=asyncio.run, args=(ask(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) == 36
    assert most_in_any(sorted(times), rate.seconds) <= rate.requests


def test_a_default_pace_lets_a_slow_host_have_several_under_way() -> None:
    rate = Rate.per_second(1.0)
    assert (rate.requests, rate.seconds) == (60, 60.0)
    assert rate.at_once == 8
    assert Rate.per_second(0.001) == Rate(1, 1000.0)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"requests": 0, "seconds": 1.0}, "requests"),
        ({"requests": 1.5, "seconds": 1.0}, "requests"),
        ({"requests": 1, "seconds": 0.0}, "seconds"),
        ({"requests": 1, "seconds": float("inf")}, "seconds"),
        ({"requests": 1, "seconds": 1.0, "in_flight": 0}, "in_flight"),
        ({"requests": 1, "seconds": 1.0, "budgets": {"a": Rate(1, 1.0, budgets={"b": Rate(1, 1.0)})}}, "budgets"),
    ],
)
def test_a_rate_that_makes_no_sense_is_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        Rate(**wrong)


# --- what a host says is left -------------------------------------------------------------------------------

FAST = Rate(1000, 1.0, in_flight=100)


def take(budget: Budget, now: float) -> float:
    return budget.take(FAST, now, queued=False)


def test_nothing_left_means_rest_until_the_reset() -> None:
    budget = Budget()
    budget.heed(Said(0, 30.0), now=100.0)
    assert take(budget, 100.0) == 30.0
    assert budget.resting(110.0) == 20.0
    assert take(budget, 130.0) == 0.0


def test_what_is_left_is_not_spent_twice_by_those_under_way() -> None:
    budget = Budget()
    for n in range(3):
        assert take(budget, n / 10) == 0.0
    budget.give_back(0.5)
    budget.heed(Said(3, 60.0), now=0.5)  # two others may not be counted in this
    assert take(budget, 1.0) == 0.0
    assert 0 < take(budget, 1.1) < 1, "three are under way and three were left: an answer may make room soon"
    for _ in range(3):
        budget.give_back(1.2)
    budget.heed(Said(1, 59.0), now=1.2)
    budget.heed(Said(2, 59.0), now=1.2)  # an answer that was overtaken
    assert take(budget, 1.3) == 0.0
    assert 0 < take(budget, 1.4) < 1
    assert take(budget, 61.0) == 0.0, "a new window"


def test_the_next_window_counts_anew() -> None:
    budget = Budget()
    budget.heed(Said(1, 10.0), now=0.0)
    budget.heed(Said(300, 300.0), now=10.5)
    budget.heed(Said(1, 0.5), now=10.5)  # of the window before, overtaken
    assert take(budget, 11.0) == take(budget, 11.1) == 0.0


def test_a_limit_without_a_number_says_nothing() -> None:
    budget = Budget()
    budget.heed(Said(None, 30.0), now=100.0)
    assert take(budget, 100.0) == 0.0


# --- refusals -----------------------------------------------------------------------------------------------


def test_refusals_of_one_burst_count_once_and_the_rest_grows() -> None:
    budget, now, rests = Budget(), 0.0, []
    for _ in range(8):
        rest = budget.rest(None, sent_at=now, now=now + 0.1)
        assert budget.rest(None, sent_at=now, now=now + 0.1) == pytest.approx(rest), "sent before it was known"
        rests.append(rest)
        now += 0.1 + rest
    assert all(low <= rest <= low + 1 for low, rest in zip([1, 2, 4, 8, 16, 32, 60, 60], rests, strict=True))
    budget.welcome()
    assert budget.rest(None, sent_at=now, now=now + 0.1) <= 2


def test_a_host_that_always_refuses_is_left_alone_by_everybody_and_asked_again_later() -> None:
    budget, now = Budget(), 0.0
    for _ in range(5):
        budget.check(120.0, now)
        budget.rest(10.0, sent_at=now, now=now + 0.1)
        now += 11
    with pytest.raises(Unwilling) as refused:
        budget.check(120.0, now)
    assert refused.value.refusals == 5
    budget.check(120.0, now + 120.0)


def test_a_rest_longer_than_our_patience_is_not_waited_out() -> None:
    async def go() -> None:
        budget = Budget()
        budget.heed(Said(0, 500.0), now=0.0)
        with pytest.raises(Unwilling):
            async with queue(Rate(300, 300.0), budget).turn():
                pass
        # Where the host's longest window is fifteen minutes, 500 seconds are what one has to expect.
        patient = Rate(300, 300.0, budgets={"paging": Rate(300, 900.0)})
        async with queue(patient, budget).turn():
            assert asyncio.get_running_loop().time() == pytest.approx(500)

    run(go())


def test_a_rest_that_is_announced_while_others_queue_binds_them() -> None:
    times: list[float] = []

    async def ask(waiting: Queue) -> None:
        async with waiting.turn():
            times.append(asyncio.get_running_loop().time())
            if len(times) == 3:
                waiting.budget.rest(50.0, sent_at=times[-1], now=times[-1])

    async def go() -> None:
        waiting = queue(Rate(10, 10.0))
        await asyncio.gather(*(ask(waiting) for _ in range(5)))

    run(go())
    assert times == pytest.approx([0, 1 / 0.98, 2 / 0.98, 2 / 0.98 + 50, 2 / 0.98 + 50 + 1 / 0.98])


# --- headers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        # Bluesky: seconds since 1970, which may be rounded down
        (
            {"ratelimit-limit": "3000", "ratelimit-remaining": "2998", "ratelimit-reset": str(int(WALL) + 300)},
            Said(2998, 301.0),
        ),
        # Mastodon: a time with microseconds
        (
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2026-09-21T14:18:20.500000Z"},
            Said(0, 300.5),
        ),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "2026-09-21T14:18:20"}, Said(7, 300.0)),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "2026-09-21T15:18:20+01:00"}, Said(7, 300.0)),
        # X
        ({"x-rate-limit-remaining": "1", "x-rate-limit-reset": str(int(WALL) + 900)}, Said(1, 901.0)),
        # seconds from now, as the IETF draft has it
        ({"ratelimit-remaining": "5", "ratelimit-reset": "30"}, Said(5, 30.0)),
        ({"ratelimit-remaining": "5", "ratelimit-reset": "1.5"}, Said(5, 1.5)),
        # the host's clock is what counts
        (
            {
                "date": email.utils.formatdate(WALL + 3600, usegmt=True),
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": "2026-09-21T15:14:20.000000Z",
            },
            Said(0, 60.0),
        ),
        # one half only
        ({"ratelimit-reset": "30"}, Said(None, 30.0)),
        ({"ratelimit-remaining": "0"}, None),
        # nonsense, the past and the far future
        ({"ratelimit-remaining": "-1", "ratelimit-reset": "30"}, Said(None, 30.0)),
        ({"ratelimit-remaining": "1, 2", "ratelimit-reset": "30"}, Said(None, 30.0)),
        ({"ratelimit-remaining": "٣", "ratelimit-reset": "30"}, Said(None, 30.0)),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "soon"}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "nan"}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "-30"}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "0"}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": str(int(WALL) - 5)}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": str(int(WALL) * 1000)}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "9" * 400}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "2026-13-45T00:00:00Z"}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "0001-01-01T00:00:00+23:59"}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "9999-12-31T23:59:59-23:59"}, None),
        # nonsense in one family does not hide sense in the next
        (
            {"ratelimit-reset": "soon", "x-ratelimit-reset": "30", "x-ratelimit-remaining": "2"},
            Said(2, 30.0),
        ),
        ({}, None),
    ],
)
def test_what_hosts_say_of_their_limits(headers: dict[str, str], said: Said | None) -> None:
    found = said_of_limits(headers, WALL)
    assert (found and found.remaining) == (said and said.remaining)
    assert (found and found.reset_seconds) == (said and pytest.approx(said.reset_seconds))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0", None),
        ("inf", None),
        (email.utils.formatdate(WALL + 9, usegmt=True), 9.0),
        ("Mon, 02 Nov 2020 10:00:00 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, WALL) == seconds
