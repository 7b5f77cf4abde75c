"""Observing a platform: one pull from the list of accounts to finished files, live or in the sample world.

Belongs here: which collector, which client, which clock, and on which days. Does not belong here: the order of
questions (`collect`), files (`observations`), HTTP (`sources.http`). A day can be observed only while it lasts:
the counts of yesterday are gone. The sample world has a clock of its own; its days can be observed any time.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipelines.collect import CollectError, Entry, Limits, Pull, Tally
from pipelines.observations import ObservationError, ObservationStore, PullRecord
from pipelines.policy import PolicyError
from pipelines.settings import PlatformPlace

if TYPE_CHECKING:
    from pipelines.sources.http import Fetched, HttpPolicy
    from pipelines.sources.social import Collector, Session

log = logging.getLogger("engagement")
# Posts this young may still mature: four weeks, and five more in which no pull may have been made.
MEMORY = dt.timedelta(days=63)
SAY_EVERY_SECONDS = 30.0
IN_FLIGHT = 16  # per host: with less, an answer that takes a second and a half would set the pace


@dataclass(frozen=True)
class Order:
    """What a pull is to do: `since` reads all accounts back to that day again, `only` leaves all others alone."""

    since: dt.date | None = None
    only: frozenset[str] | None = None
    limits: Limits | None = None


def collector_for(platform: str, session: Session, place: PlatformPlace) -> Collector:
    """The collector of a platform. Errors: `CollectError` for one that has none yet."""
    from pipelines.sources.social import Settings

    settings = Settings(place.service, place.tokens)
    if platform == "bluesky":
        from pipelines.sources.bluesky import Bluesky

        return Bluesky(session, settings)
    if platform == "mastodon":
        from pipelines.sources.mastodon import Mastodon

        return Mastodon(session, settings)
    raise CollectError(f"{platform}: there is no collector for it yet; take it out of the source list")


def read_roster(path: Path, platform: str) -> list[Entry]:
    """The accounts to ask about. Errors: `CollectError` when the list was never written."""
    import pyarrow.parquet as pq

    if not path.exists():
        raise CollectError("there is no list of accounts yet: build model.account_to_observe first")
    rows = pq.read_table(path, filters=[("platform", "=", platform)]).to_pylist()
    return [Entry(_spelt(platform, row["handle"]), row["account_id"], bool(row["is_official"])) for row in rows]


def _spelt(platform: str, handle: str | None) -> str | None:
    """A handle as collectors take it: tables drop the leading @, without which a fediverse name is an address."""
    return f"@{handle}" if handle and platform == "mastodon" and not handle.startswith("@") else handle


def observe(
    platform: str,
    place: PlatformPlace,
    store: ObservationStore,
    roster: Path,
    policy: HttpPolicy,
    order: Order | None = None,
    *,
    moment: dt.datetime | None = None,
) -> PullRecord:
    """Make one pull of a platform; `moment` stops the clock there, for the sample world.

    Errors: `CollectError`, `ObservationError`, `PolicyError`; then nothing is stored.
    """
    order = order or Order()
    listed = [e for e in read_roster(roster, platform) if order.only is None or e.handle in order.only]
    entries = [e for e in listed if not store.is_suppressed(platform, e.handle, e.account_id)]
    try:
        return asyncio.run(_observe(platform, place, store, entries, policy, order, moment))
    except* (CollectError, ObservationError, PolicyError) as group:
        problem: BaseException = group
        while isinstance(problem, BaseExceptionGroup):
            problem = problem.exceptions[0]
    except* Exception as group:  # noqa: BLE001 - whatever it is, its own text must not reach a log
        fault: BaseException = group
        while isinstance(fault, BaseExceptionGroup):
            fault = fault.exceptions[0]
        place_of = _where(fault)
        # The text of an error from inside may hold what an account said.
        problem = CollectError(
            f"{platform}: {type(fault).__name__} at {place_of}, a fault of this program; nothing is stored"
        )
    raise problem


def _where(fault: BaseException) -> str:
    """File and line at which an error arose."""
    trace = fault.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "an unknown place"


async def _observe(
    platform: str,
    place: PlatformPlace,
    store: ObservationStore,
    entries: Sequence[Entry],
    policy: HttpPolicy,
    order: Order,
    moment: dt.datetime | None,
) -> PullRecord:
    from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

    from pipelines.sources.http import PoliteClient

    set_on_retry_hooks([LoggingOnRetryHook])

    def clock() -> dt.datetime:
        return moment or dt.datetime.now(dt.UTC)

    started = clock()
    known = store.known(platform, started - MEMORY, started.date())
    since = dt.datetime.combine(order.since, dt.time(), dt.UTC) if order.since else None
    async with AsyncExitStack() as stack:
        writer = stack.enter_context(store.pull(platform, started))
        session: SampleSession | PoliteClient = SampleSession(started)
        if not place.is_sample:
            session = await stack.enter_async_context(PoliteClient(_policy_for(place, policy)))
        pull = Pull(
            collector_for(platform, session, place),
            known,
            writer,
            clock=clock,
            first_since=started - dt.timedelta(days=place.first_days),
            since=since,
            limits=order.limits,
            progress=Teller(platform),
        )
        await pull.run(entries)
        writer.requests = session.requests
    assert writer.record is not None  # noqa: S101 - a pull that was published has its record
    return writer.record


def _policy_for(place: PlatformPlace, policy: HttpPolicy) -> HttpPolicy:
    """The run's manners with what this platform allows each of its hosts."""
    from pipelines.sources.http import Rate

    # Mastodon counts requests for a further page apart: as many, in three times the time.
    paging = Rate(place.requests, 3 * place.seconds)
    rate = Rate(place.requests, place.seconds, in_flight=IN_FLIGHT, budgets={"paging": paging})
    return replace(policy, default_rate=rate, timeout_seconds=place.timeout_seconds)


class Teller:
    """Tells how far a pull is: every step to a listener that draws, now and then to the log."""

    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._started = self._said = time.monotonic()

    def __call__(self, tally: Tally) -> None:
        """Tell of one more account."""
        now = time.monotonic()
        log.debug("%s", self._platform, extra={"tally": tally, "platform": self._platform})
        if now - self._said >= SAY_EVERY_SECONDS:
            self._said = now
            log.info("observations %s", self.sentence(tally, now - self._started))

    def sentence(self, tally: Tally, seconds: float) -> str:
        """How far the pull is, at which rate, and how long it will still take if nothing changes."""
        rate = tally.done / seconds if seconds else 0.0
        left = (tally.accounts - tally.done) / rate if rate else 0.0
        return (
            f"{self._platform}: {tally.done} of {tally.accounts} accounts, {tally.posts} posts, "
            f"{rate:.1f} accounts a second, about {left / 60:.0f} minutes left"
        )


class SampleSession:
    """The sample world in the place of HTTP: the same questions, answered as of one moment."""

    def __init__(self, moment: dt.datetime) -> None:
        self._moment = moment
        self.requests = 0

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002 - as the session's
        accept: str | None = None,  # noqa: ARG002
        budget: str | None = None,  # noqa: ARG002
    ) -> Fetched:
        """Answer one address; errors as the polite client's."""
        from pipelines.sample.network import answer
        from pipelines.sources.http import Fetched, FetchError

        self.requests += 1
        said = answer(url, self._moment)
        if said.status >= 400:
            parts = urlsplit(url)
            error = FetchError(
                f"{parts.netloc}{parts.path}: status {said.status}: the sample world has no answer",
                status=said.status,
                transient=said.status >= 500,
            )
            error.body = said.body
            raise error
        names = {name.lower(): value for name, value in said.headers.items()}
        return Fetched(
            url=url.partition("?")[0],
            status=said.status,
            body=said.body,
            etag=None,
            last_modified=None,
            content_type=names.get("content-type"),
            headers=names,
        )


def days_to_observe(
    place: PlatformPlace, store: ObservationStore, platform: str, day: dt.date, today: dt.date
) -> list[dt.datetime | None]:
    """The moments at which to pull for a day: None is now. Errors: `CollectError` for a live day that is over.

    In the sample world these are all its days up to `day` that have not been observed yet.
    """
    if place.is_sample:
        from pipelines.sample.network import days, moment

        done = {pull.observed_on for pull in store.pulls(platform)}
        return [moment(one) for one in days() if one <= day and one not in done]
    if day != today:
        raise CollectError(
            f"{platform}: {day} cannot be observed on {today}; to read posts of the past, observe today with since"
        )
    return [None]


def lost_accounts_due(store: ObservationStore, platform: str) -> frozenset[str]:
    """The handles that did not answer when last asked about, and that are due to be asked about by themselves.

    The first day after, then after 2, 4, 8 … pulls in vain: what is lost for long is left to the daily pull.
    """
    lost = {"unavailable", "failed"}
    return frozenset(
        handle
        for handle, (outcome, times) in store.last_outcomes(platform).items()
        if outcome in lost and times & (times - 1) == 0
    )
