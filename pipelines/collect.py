"""One pull of a platform: whom to ask, which posts are due, and what is written down of the answers.

Belongs here: the order of questions, the ages at which posts are observed again, what ends an account and what
ends a pull; the same for every platform. Does not belong here: how a platform is asked (`sources`), and files
(`observations`). An account counts as read only when all of it was: an answer that breaks off leaves nothing of it
behind, and its cursor where it was. Log lines carry outcomes and counts, never an account.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.observations import Known, KnownAccount, KnownPost, PullWriter
from pipelines.sources.http import FetchError
from pipelines.sources.social import (
    AccountUnavailable,
    Answer,
    Collector,
    Outcome,
    PlatformError,
    Post,
    Profile,
    Reply,
    Wanted,
)

log = logging.getLogger("engagement")

DAY = dt.timedelta(days=1)
# A post is observed when it is first seen and again at these ages; engagement with it has come in by the last.
AGES = (1 * DAY, 3 * DAY, 7 * DAY, 14 * DAY, 28 * DAY)
MATURE = AGES[-1]
REPLIES_AT = 7 * DAY
# How far before the cursor is read again: posts that reached the platform late are dated back by hours.
OVERLAP = 2 * DAY
BIGGEST = 2**63 - 1

Clock = Callable[[], dt.datetime]
Progress = Callable[["Tally"], None]


class CollectError(Exception):
    """A pull that had to end without anything; the message names the platform and what to do."""

    def __init__(self, message: str, *, is_transient: bool = False) -> None:
        super().__init__(message)
        self.is_transient = is_transient


@dataclass(frozen=True, slots=True)
class Entry:
    """An account on the list of those to observe; `is_official` accounts are asked for replies too."""

    handle: str | None
    account_id: str | None
    is_official: bool


@dataclass(frozen=True)
class Limits:
    """What bounds a pull: accounts in work per host and altogether, failures in a row, and time."""

    accounts_per_host: int = 16
    hosts: int = 64
    failures_in_a_row: int = 10
    seconds: float = 6 * 3600.0


@dataclass
class Tally:
    """How far a pull is, for a progress display."""

    accounts: int
    done: int = 0
    posts: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Reading:
    """All that was read about one account, before any of it is written."""

    outcome: Outcome
    reason: str | None = None
    account_id: str | None = None
    moved_to: str | None = None
    profile: Profile | None = None
    posts: Sequence[Mapping[str, Any]] = ()
    replies: Sequence[Mapping[str, Any]] = ()
    since: dt.datetime | None = None
    without_gap_since: dt.datetime | None = None
    until: dt.datetime | None = None
    posts_read: int | None = None


def is_due(posted_at: dt.datetime, last: dt.datetime | None, now: dt.datetime) -> bool:
    """Whether a post has to be observed: never observed, or past another of the ages since it last was."""
    if last is None:
        return True
    return any(last - posted_at < age <= now - posted_at for age in AGES)


class Pull:
    """One pull: asks a collector about every account on the list and writes what it answers."""

    def __init__(
        self,
        collector: Collector,
        known: Known,
        writer: PullWriter,
        *,
        clock: Clock,
        first_since: dt.datetime,
        since: dt.datetime | None = None,
        limits: Limits | None = None,
        progress: Progress | None = None,
    ) -> None:
        """`first_since` bounds what is read of a new account; `since` reads every account back to there again."""
        self._collector = collector
        self._known = known
        self._writer = writer
        self._clock = clock
        self._first_since = first_since
        self._since = since
        self._limits = limits or Limits()
        self._progress = progress or (lambda _: None)
        self._deadline = 0.0
        self._failures: Counter[str] = Counter()
        self._written: set[str] = set()
        self.tally = Tally(0)

    async def run(self, entries: Sequence[Entry]) -> Tally:
        """Ask about every entry. Errors: `CollectError` when none of them could be asked at all."""
        by_host: dict[str, list[Entry]] = {}
        for entry in entries:
            by_host.setdefault(self._collector.host(self._wanted(entry)), []).append(entry)
        self.tally = Tally(len(entries))
        self._deadline = asyncio.get_running_loop().time() + self._limits.seconds
        hosts = asyncio.Semaphore(self._limits.hosts)
        async with asyncio.TaskGroup() as tasks:
            for host, its_entries in sorted(by_host.items()):
                tasks.create_task(self._ask_host(host, its_entries, hosts))
        self._writer.ended_at = self._clock()
        self._writer.outcomes = self.tally.outcomes
        if entries and self.tally.outcomes["failed"] == len(entries):
            raise CollectError(
                f"{self._collector.platform}: none of {len(entries)} accounts could be asked; nothing is stored. "
                f"See that the service answers, and run again",
                is_transient=True,
            )
        return self.tally

    # --- one host -------------------------------------------------------------------------------------------

    async def _ask_host(self, host: str, entries: Sequence[Entry], hosts: asyncio.Semaphore) -> None:
        places = asyncio.Semaphore(self._limits.accounts_per_host)
        async with hosts, asyncio.TaskGroup() as tasks:
            for batch in _batches(entries, self._collector.batch_size):
                async with places:
                    answers = await self._profiles(host, batch)
                for entry, answer in zip(batch, answers, strict=True):
                    await places.acquire()
                    task = tasks.create_task(self._ask_account(host, entry, answer))
                    task.add_done_callback(lambda _: places.release())

    async def _profiles(self, host: str, batch: Sequence[Entry]) -> list[Answer | _Reading]:
        """The answers about a batch of accounts, or why there are none."""
        if reason := self._given_up(host):
            return [_Reading("failed", reason)] * len(batch)
        try:
            async with self._in_time():
                answers = await self._collector.profiles([self._wanted(entry) for entry in batch])
        except (FetchError, PlatformError, TimeoutError) as error:
            return [self._failed(host, error)] * len(batch)
        self._failures[host] = 0
        return list(answers)

    async def _ask_account(self, host: str, entry: Entry, answer: Answer | _Reading) -> None:
        shown = answer.profile if isinstance(answer, Answer) else None
        if shown and self._writer.is_suppressed(shown.account_id, shown.handle):
            self.tally.done += 1  # erased under another name: nobody is to know that it was met again
            self._progress(self.tally)
            return
        reading = answer if isinstance(answer, _Reading) else await self._read(host, entry, answer)
        self._write(entry, reading)
        self.tally.done += 1
        self.tally.posts += len(reading.posts)
        self.tally.outcomes[reading.outcome] += 1
        self._progress(self.tally)

    def _given_up(self, host: str) -> str | None:
        """Why a host is not asked any more in this pull; None while it is."""
        if asyncio.get_running_loop().time() >= self._deadline:
            return "out_of_time"
        return "host_given_up" if self._failures[host] >= self._limits.failures_in_a_row else None

    def _in_time(self) -> asyncio.Timeout:
        return asyncio.timeout_at(self._deadline)

    def _failed(self, host: str, error: Exception) -> _Reading:
        """What is noted of a question that failed; a host that cannot answer anybody is given up in time."""
        if isinstance(error, FetchError):
            self._failures[host] += error.transient or error.status is None
            return _Reading("failed", f"status_{error.status}" if error.status else "no_answer")
        return _Reading("failed", "out_of_time" if isinstance(error, TimeoutError) else "unusable_answer")

    # --- one account ----------------------------------------------------------------------------------------

    def _wanted(self, entry: Entry) -> Wanted:
        known_id = self._known.ids.get(entry.handle) if entry.handle else None
        return Wanted(entry.handle, entry.account_id or known_id)

    async def _read(self, host: str, entry: Entry, answer: Answer) -> _Reading:
        profile = answer.profile
        if answer.outcome != "observed" or profile is None:
            known_id = answer.wanted.account_id
            return _Reading(answer.outcome, answer.reason, account_id=known_id, moved_to=answer.moved_to)
        if profile.account_id in self._written:  # two entries of the list are one account
            return _Reading("observed", "listed_twice", profile.account_id)
        self._written.add(profile.account_id)
        if reason := self._given_up(host):
            reading = _Reading("failed", reason)
        else:
            try:
                async with self._in_time():
                    reading = await self._posts_of(entry, profile)
                self._failures[host] = 0
            except AccountUnavailable as gone:
                self._failures[host] = 0
                reading = _Reading(gone.outcome, gone.reason, profile.account_id)
            except (FetchError, PlatformError, TimeoutError) as error:
                reading = self._failed(host, error)
        if reading.outcome == "failed":
            self._written.discard(profile.account_id)
        return reading

    async def _posts_of(self, entry: Entry, profile: Profile) -> _Reading:
        """Read an account's posts back to where they are known and ripe, and note those that are due."""
        known = self._known.accounts.get(profile.account_id, KnownAccount(profile.account_id))
        started = self._clock()
        since = self._start(known)
        seen: dict[str, Post] = {}
        read = 0
        async for page in self._collector.posts(profile, since):
            read += len(page)
            seen.update({post.post_id: post for post in page if post.read_at >= since})
        missing = {id_: post for id_, post in known.posts.items() if id_ not in seen and post.posted_at >= since}
        found = await self._missing(profile, missing)
        now = self._clock()
        rows = [
            _post_row(profile, post, posted_at, now)
            for post in [*seen.values(), *(post for post in found.values() if post)]
            for posted_at, last in [_times(post, known.posts.get(post.post_id))]
            if is_due(posted_at, last, now)
        ]
        rows += [_gone_row(profile, id_, missing[id_], now) for id_, post in found.items() if post is None]
        replies = await self._replies(profile, seen.values(), known, now) if entry.is_official else []
        return _Reading(
            "observed",
            account_id=profile.account_id,
            profile=profile,
            posts=rows,
            replies=replies,
            since=since,
            without_gap_since=_without_gap(known, since),
            until=started,
            posts_read=read,
        )

    def _start(self, known: KnownAccount) -> dt.datetime:
        """From when on posts are read: the oldest that still matures, a little before the cursor, or as asked."""
        if known.read_to is None:
            start = self._first_since
        else:
            unripe = [p.posted_at for p in known.posts.values() if p.observed_at - p.posted_at < MATURE]
            start = min([known.read_to - OVERLAP, *unripe])
        return min(start, self._since) if self._since else start

    async def _missing(self, profile: Profile, missing: Mapping[str, KnownPost]) -> dict[str, Post | None]:
        """What became of posts that should have been on the pages and were not; None for one that is gone.

        A repost cannot be looked up by its id: if it is not in the list, it was taken back.
        """
        found: dict[str, Post | None] = {id_: None for id_, post in missing.items() if post.kind == "repost"}
        asked = [id_ for id_ in missing if id_ not in found]
        if asked:
            found |= await self._collector.lookup(profile, asked)
        return found

    async def _replies(
        self, profile: Profile, posts: Iterable[Post], known: KnownAccount, now: dt.datetime
    ) -> list[Mapping[str, Any]]:
        """Replies to posts that became a week old since they were last observed, or were first seen older."""
        rows = []
        for post in posts:
            posted_at, last = _times(post, known.posts.get(post.post_id))
            is_ripe = now - posted_at >= REPLIES_AT and (last is None or last - posted_at < REPLIES_AT)
            if is_ripe and post.replies:
                for reply in await self._collector.replies(profile, post.post_id) or ():
                    rows.append(_reply_row(profile, post, reply, now))
        return rows

    # --- what is written down -------------------------------------------------------------------------------

    def _write(self, entry: Entry, reading: _Reading) -> None:
        now = self._clock()
        account = {
            "observed_at": _plain(now),
            "handle": entry.handle,
            "account_id": reading.account_id or entry.account_id,
            "outcome": reading.outcome,
            "reason": reading.reason,
            "moved_to": None if self._writer.is_suppressed(reading.moved_to) else reading.moved_to,
            "read_from": _plain(reading.since),
            "read_to": _plain(reading.until),
            "read_since": _plain(reading.without_gap_since),
            "posts_read": reading.posts_read,
        }
        self._writer.add("account", [account])
        if reading.profile:
            self._writer.add("profile", self._profile_rows(reading.profile, now))
        self._writer.add("post", reading.posts)
        self._writer.add("reply", reading.replies)

    def _profile_rows(self, profile: Profile, now: dt.datetime) -> list[Mapping[str, Any]]:
        """The profile, unless it was seen the same before on this day."""
        shown = (
            profile.handle,
            _plain(profile.created_at),
            _count(profile.followers),
            _count(profile.following),
            _count(profile.posts),
        )
        known = self._known.accounts.get(profile.account_id)
        if known and known.profile == shown:
            return []
        names = ("handle", "created_at", "followers", "following", "posts")
        values = dict(zip(names, shown, strict=True))
        return [{"observed_at": _plain(now), "account_id": profile.account_id, **values}]


def _without_gap(known: KnownAccount, since: dt.datetime) -> dt.datetime:
    """From when on all was read, if this pull read back to `since`."""
    if known.read_since is None or known.read_to is None or since > known.read_to:
        return since
    return min(known.read_since, since)


def _times(post: Post, known: KnownPost | None) -> tuple[dt.datetime, dt.datetime | None]:
    """When a post was posted, as first observed, and when it was last observed."""
    return (known.posted_at, known.observed_at) if known else (post.posted_at, None)


def _post_row(profile: Profile, post: Post, posted_at: dt.datetime, now: dt.datetime) -> Mapping[str, Any]:
    """A post as observed; it keeps the time under which it was first stored, so that it stays one post."""
    return {
        "observed_at": _plain(now),
        "account_id": profile.account_id,
        "post_id": post.post_id,
        "kind": post.kind,
        "posted_at": _plain(posted_at),
        "claimed_at": _plain(post.claimed_at),
        "is_gone": False,
        "likes": _count(post.likes),
        "reposts": _count(post.reposts),
        "replies": _count(post.replies),
        "quotes": _count(post.quotes),
        "text_length": _count(post.text_length),
        "has_link": post.has_link,
        "language": post.language,
    }


def _gone_row(profile: Profile, post_id: str, known: KnownPost, now: dt.datetime) -> Mapping[str, Any]:
    return {
        "observed_at": _plain(now),
        "account_id": profile.account_id,
        "post_id": post_id,
        "kind": known.kind,
        "posted_at": _plain(known.posted_at),
        "is_gone": True,
    }


def _reply_row(profile: Profile, post: Post, reply: Reply, now: dt.datetime) -> Mapping[str, Any]:
    return {
        "observed_at": _plain(now),
        "account_id": profile.account_id,
        "post_id": post.post_id,
        "received_at": _plain(reply.received_at),
        "answered_at": _plain(reply.answered_at),
    }


def _plain(moment: dt.datetime | None) -> dt.datetime | None:
    """A moment as it is stored: UTC without a zone."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment else None


def _count(value: int | None) -> int | None:
    """A count that the store can hold; what it cannot is as unknown as one that is absent."""
    return value if value is None or 0 <= value <= BIGGEST else None


def _batches(entries: Sequence[Entry], size: int) -> Iterator[Sequence[Entry]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]
