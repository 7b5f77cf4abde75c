"""The pace at which hosts are asked: how often, how many at once, and when one wants to be left alone.

Here belongs what a host allows (`Rate`), what of it is spent (`Budget`), waiting for one's turn (`Queue`) and
reading what a host says about its limits. Requests and answers themselves do not belong here (`sources.http`).

**What is kept to.** A server counts a request at some moment between our sending it and our having its answer.
So a request may go only while fewer than `requests` others are unanswered or were answered within the last
`seconds`. Of all the requests that a server counts in any window of that length, look at the one sent last: at
that moment every other was unanswered or answered no longer ago, so they are fewer than `requests`. This holds for
a window at any place, hence for servers with fixed windows too, and however long requests are under way. It does
not hold for a request that we gave up on and that arrives later still, for other programs that share our
address, nor over a restart; a host's own word (headers, 429) covers these.

**What is used.** Requests go evenly at 98 % of what is allowed; what remains is for clocks that disagree. Timers
that fire late, or a process that gets no processor, would cost some per cent at hundreds of requests a second. So
whoever had to queue may go as if woken in time, if only a little late. Few are under way at once, so catching up
is no burst worth the name; and after an idle time nobody was late.

State belongs to the process and to no event loop or thread, so that clients which follow one another, or run side
by side, keep one pace. Several processes do not share it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import email.utils
import math
import random
import re
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

_SHARE = 0.98
# How late one may have been and still catch up: a share of the window, and seconds.
_CATCH_UP = 0.1
_CATCH_UP_SECONDS = 3.0
# An answer may come any moment and make room: look again soon.
_POLL_SECONDS = 0.02
_LONGEST_BACKOFF_SECONDS = 60.0
# A host that refuses so often in a row is left alone by everybody for a while.
_REFUSALS = 5
# A point in time given in whole seconds may be rounded down, and a window's end comes a little after its length.
_ROUNDING_SECONDS = 1.0
_WINDOW_SLACK_SECONDS = 5.0
# Two answers of one window may name its end a little differently.
_SAME_RESET_SECONDS = 2.0
_EPOCH_FROM = 1_000_000_000
_FARTHEST_RESET_SECONDS = 31 * 86400.0
_FAMILIES = ("ratelimit", "x-ratelimit", "x-rate-limit")


class Clock:
    """Time as the client sees it, in seconds; tests put their own in its place.

    Time-outs follow the event loop; the wait between ordinary retries is stamina's, which `stamina.set_testing`
    switches off. All other waiting is done here.
    """

    def wall(self) -> float:
        """Return seconds since 1970, for a Retry-After or a reset that is a date."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never run backwards, the same for all threads."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for a turn, or because a host asked for it."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True)
class Rate:
    """What a host allows: `requests` in any `seconds`; raises ValueError naming a field that makes no sense.

    `in_flight` bounds how many are under way at once. `budgets` are further limits of the same host, by name, for
    those requests that name them. A rest that the host announces is waited out if it is not much longer than the
    longest of these windows, whatever the policy's `longest_wait_seconds`.
    """

    requests: int
    seconds: float
    in_flight: int = 8
    budgets: Mapping[str, Rate] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name in ("requests", "in_flight"):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= 1):
                raise ValueError(f"{name} must be a whole number of at least 1, not {value}")
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise ValueError(f"seconds must be a positive number, not {self.seconds}")
        if any(rate.budgets for rate in self.budgets.values()):
            raise ValueError("budgets must not have budgets of their own")

    @property
    def spacing(self) -> float:
        """Seconds from one request to the next."""
        return self.seconds / (self.requests * _SHARE)

    @property
    def at_once(self) -> int:
        """How many requests may be under way."""
        return min(self.in_flight, self.requests)

    @property
    def longest_rest(self) -> float:
        """Seconds of rest that a host with these limits may announce in the ordinary course of things."""
        windows = [self.seconds, *(rate.seconds for rate in self.budgets.values())]
        return max(windows) + _WINDOW_SLACK_SECONDS

    @classmethod
    def per_second(cls, rate: float) -> Rate:
        """An even pace, bounded over a minute: one request a second must not mean only one under way."""
        requests = max(1, round(60 * rate))
        return cls(requests, requests / rate)


@dataclass(frozen=True)
class Said:
    """What an answer's headers say of a limit: requests left, None where not said, and seconds to its reset."""

    remaining: int | None
    reset_seconds: float


class Unwilling(Exception):  # noqa: N818 - a verdict that the client puts into words
    """A host wants to be left alone for longer than we wait, or refuses whenever it is asked."""

    def __init__(self, seconds: float, refusals: int) -> None:
        super().__init__()
        self.seconds = seconds
        self.refusals = refusals


class Budget:
    """What is spent of one limit of one host, for every thread and event loop of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_at = -math.inf
        self._under_way = 0
        self._answered: deque[float] = deque()
        self._resume_at = -math.inf
        self._remaining = math.inf
        self._reset_at = -math.inf
        self._refusals = 0
        self._refused_at = -math.inf

    def take(self, rate: Rate, now: float, *, queued: bool) -> float:
        """Take a turn and return 0, or return the seconds after which to ask again."""
        with self._lock:
            wait = self._wait(rate, now)
            if wait > 0:
                return wait
            late = min(_CATCH_UP * rate.seconds, _CATCH_UP_SECONDS) if queued else 0.0
            # Nor was anybody late who rested because the host wanted it.
            self._next_at = max(self._next_at, self._resume_at, now - late) + rate.spacing
            self._under_way += 1
            return 0.0

    def _wait(self, rate: Rate, now: float) -> float:
        while self._answered and self._answered[0] <= now - rate.seconds:
            self._answered.popleft()
        rest = max(self._resume_at, self._next_at) - now
        if self._under_way + len(self._answered) >= rate.requests:
            freed = self._answered[0] + rate.seconds - now if self._answered else _POLL_SECONDS
            return max(rest, freed)
        # Those under way may not be counted yet in what the host said last.
        if now < self._reset_at and self._remaining <= self._under_way:
            return max(rest, _POLL_SECONDS)
        return rest

    def give_back(self, now: float) -> None:
        """Note that a request which took its turn is answered, or was given up."""
        with self._lock:
            self._under_way -= 1
            self._answered.append(now)

    def heed(self, said: Said, now: float) -> None:
        """Note what the host said is left, and rest until the reset where nothing is.

        What is left counts down within a window, so the lowest number heard is the newest, whatever the order in
        which answers arrive.
        """
        if said.remaining is None:
            return
        reset_at = now + said.reset_seconds
        with self._lock:
            if said.remaining == 0:
                self._resume_at = max(self._resume_at, reset_at)
            if now >= self._reset_at or reset_at > self._reset_at + _SAME_RESET_SECONDS:
                self._remaining, self._reset_at = said.remaining, reset_at
            elif reset_at >= self._reset_at - _SAME_RESET_SECONDS:
                self._remaining = min(self._remaining, said.remaining)

    def rest(self, seconds: float | None, sent_at: float, now: float) -> float:
        """Rest after a refusal for as long as the host said, else for longer each time; returns the seconds.

        Refusals of requests that were sent before the last refusal was known count as one with it.
        """
        with self._lock:
            if sent_at > self._refused_at:
                self._refusals += 1
                self._refused_at = now
            elif seconds is None:
                return max(self._resume_at - now, 0.0)  # the first of them chose already
            if seconds is None:
                # Jitter keeps programs that were refused together from coming back together.
                backoff = min(2.0 ** (self._refusals - 1), _LONGEST_BACKOFF_SECONDS)
                seconds = backoff + random.uniform(0, 1)  # noqa: S311 - no secret depends on it
            self._resume_at = max(self._resume_at, now + seconds)
            return seconds

    def welcome(self) -> None:
        """Note that the host answers again."""
        with self._lock:
            self._refusals = 0

    def check(self, patience: float, now: float) -> None:
        """Raise Unwilling where waiting for this host makes no sense."""
        rest = self.resting(now)
        hopeless = self._refusals >= _REFUSALS and now < self._resume_at + patience
        if rest > patience or hopeless:
            raise Unwilling(rest, self._refusals if hopeless else 0)

    def resting(self, now: float) -> float:
        """Return for how many more seconds the host wants to be left alone."""
        return max(self._resume_at - now, 0.0)


class Budgets:
    """All budgets of the process, by host and name; the name of a host's general one is empty."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._budgets: dict[tuple[str, str], Budget] = {}

    def of(self, host: str, name: str = "") -> Budget:
        """Return a budget, a fresh one for a host that was never asked."""
        with self._lock:
            return self._budgets.setdefault((host, name), Budget())


SHARED = Budgets()


class Queue:
    """Those of one event loop who want to spend from one budget, served in the order in which they came."""

    def __init__(self, budget: Budget, rate: Rate, clock: Clock, patience: float) -> None:
        self.budget = budget
        self._rate = rate
        self._clock = clock
        self._patience = max(patience, rate.longest_rest)
        self._room = asyncio.Semaphore(rate.at_once)
        self._head = asyncio.Lock()

    @property
    def patience(self) -> float:
        """How many seconds of rest are waited out when the host announces them."""
        return self._patience

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it while the request is under way; raises Unwilling if that makes no sense."""
        queued = self._room.locked() or self._head.locked()
        async with self._room:
            # Only the first in the queue looks at the clock: a thousand tasks are not a thousand timers.
            async with self._head:
                while wait := self._take(queued=queued):
                    await self._clock.sleep(wait)
                    queued = True
            try:
                yield
            finally:
                self.budget.give_back(self._clock.monotonic())

    def _take(self, *, queued: bool) -> float:
        now = self._clock.monotonic()
        self.budget.check(self._patience, now)
        return self.budget.take(self._rate, now, queued=queued)


def said_of_limits(headers: Mapping[str, str], wall: float) -> Said | None:
    """Read RateLimit-*, X-RateLimit-* or X-Rate-Limit-*, the first with a reset that makes sense; else None.

    The reset may be seconds since 1970, seconds from now, or an ISO 8601 time; `wall` is our time, used where the
    answer has no Date, for it is the host's clock that counts.
    """
    now = _date_seconds(headers.get("date")) or wall
    for family in _FAMILIES:
        reset = _seconds_until(headers.get(f"{family}-reset", "").strip(), now)
        if reset is not None:
            remaining = headers.get(f"{family}-remaining", "").strip()
            return Said(int(remaining) if re.fullmatch(r"[0-9]{1,9}", remaining) else None, reset)
    return None


def _seconds_until(reset: str, now: float) -> float | None:
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", reset):
        seconds = float(reset)
        if seconds >= _EPOCH_FROM:
            seconds -= now
            if seconds > 0 and "." not in reset:
                seconds += _ROUNDING_SECONDS
    else:
        try:
            moment = dt.datetime.fromisoformat(reset)
        except ValueError:
            return None
        seconds = _timestamp(moment) - now
    return seconds if 0 < seconds <= _FARTHEST_RESET_SECONDS else None


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """Read Retry-After as seconds or as an HTTP date; nonsense, zero and the past give None."""
    if value is None:
        return None
    try:
        wait = float(value)
    except ValueError:
        moment = _date_seconds(value)
        if moment is None:
            return None
        wait = moment - now
    return wait if math.isfinite(wait) and wait > 0 else None


def _date_seconds(value: str | None) -> float | None:
    try:
        return _timestamp(email.utils.parsedate_to_datetime(value or ""))
    except (ValueError, OverflowError):
        return None


def _timestamp(moment: dt.datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
