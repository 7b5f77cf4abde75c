"""One pull of a platform: what is due, what is gone, what ends an account and what ends a pull."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.collect import AGES, MATURE, CollectError, Entry, Limits, Pull, Tally, is_due
from pipelines.contract import load_contracts
from pipelines.observations import ObservationStore
from pipelines.policy import load_policy
from pipelines.settings import project_folder
from pipelines.sources.http import FetchError
from pipelines.sources.social import AccountUnavailable, Answer, PlatformError, Post, Profile, Reply, Wanted

FOLDER = project_folder("data_contracts")
CONTRACTS = load_contracts(FOLDER)
POLICY = load_policy(FOLDER / "policy.yml", CONTRACTS)
START = dt.datetime(2026, 11, 2, 6, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


class World:
    """A platform in memory: accounts with their posts, which tests change between pulls."""

    platform = "bluesky"
    batch_size = 3

    def __init__(self) -> None:
        self.now = START
        self.posts_of: dict[str, list[Post]] = {}
        self.answers: dict[str, Answer | Exception] = {}
        self.trouble: dict[str, Exception] = {}
        self.replies_to: dict[str, list[Reply]] = {}
        self.page_size = 4
        self.asked: list[str] = []
        self.looked_up: list[str] = []
        self.threads: list[str] = []

    def host(self, wanted: Wanted) -> str:
        return (wanted.handle or "").partition(".")[2]

    async def profiles(self, wanted: Sequence[Wanted]) -> list[Answer]:
        await asyncio.sleep(0)
        self.asked += [one.account_id or one.handle or "" for one in wanted]
        answers = []
        for one in wanted:
            said = self.answers.get(one.handle or "")
            if isinstance(said, Exception):
                raise said
            id_ = one.account_id or f"did:{one.handle}"
            profile = Profile(id_, one.handle, None, 10, 5, len(self.posts_of.get(id_, ())))
            answers.append(replace(said, wanted=one) if said else Answer(one, "observed", profile))
        return answers

    async def posts(self, profile: Profile, since: dt.datetime) -> AsyncIterator[list[Post]]:
        await asyncio.sleep(0)
        shown = sorted(self.posts_of.get(profile.account_id, ()), key=lambda post: post.read_at, reverse=True)
        for start in range(0, len(shown) + 1, self.page_size):
            page = shown[start : start + self.page_size]
            yield page
            if page and all(post.read_at < since for post in page):
                return
            if start and profile.account_id in self.trouble:
                raise self.trouble[profile.account_id]
        if profile.account_id in self.trouble:
            raise self.trouble[profile.account_id]

    async def lookup(self, profile: Profile, post_ids: Sequence[str]) -> dict[str, Post | None]:
        self.looked_up += post_ids
        here = {post.post_id: post for post in self.posts_of.get(profile.account_id, ())}
        return {id_: here.get(id_) for id_ in post_ids}

    async def replies(self, profile: Profile, post_id: str) -> list[Reply] | None:
        self.threads.append(post_id)
        return self.replies_to.get(post_id)


def a_post(number: int, age: dt.timedelta, now: dt.datetime = START, **more: Any) -> Post:
    return Post(f"at://{number}", "post", now - age, now - age, now - age, **{"likes": 1, **more})


def pull(world: World, folder: Path, *entries: str | Entry, **more: Any) -> Tally:
    """One pull of the world into a store."""
    store = ObservationStore(folder, CONTRACTS, POLICY)
    listed = [e if isinstance(e, Entry) else Entry(e, None, False) for e in entries]
    known = store.known("bluesky", world.now - 63 * DAY, world.now.date())
    since = {"first_since": world.now - 84 * DAY, **more}
    with store.pull("bluesky", world.now) as writer:
        work = Pull(world, known, writer, clock=lambda: world.now, **since)
        return asyncio.run(work.run(listed))


def rows(folder: Path, table: str, columns: str) -> list[Any]:
    store = ObservationStore(folder, CONTRACTS, POLICY)
    con = duckdb.connect()
    try:
        return con.execute(f"select {columns} from ({store.query(table)}) order by all").fetchall()
    finally:
        con.close()


# --- which posts are due ------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 60 * 24), min_size=1, max_size=40, unique=True))
def test_a_post_is_observed_at_most_once_per_age_and_never_after_it_is_ripe(hours: list[int]) -> None:
    last: dt.datetime | None = None
    seen: list[dt.timedelta] = []
    for hour in sorted(hours):
        now = START + hour * HOUR
        if is_due(START, last, now):
            seen.append(now - START)
            last = now
    assert len(seen) <= 1 + len(AGES)
    assert seen[0] == sorted(hours)[0] * HOUR
    ripe = [age for age in seen if age >= MATURE]
    assert len(ripe) <= 1
    if max(hours) * HOUR >= MATURE:
        assert ripe
    for earlier, later in pairwise(seen):
        assert any(earlier < age <= later for age in AGES)


# --- one account --------------------------------------------------------------------------------------------


def test_a_second_pull_brings_only_what_is_new_and_a_later_one_what_has_grown(tmp_path: Path) -> None:
    world = World()
    world.posts_of["did:a.x"] = [a_post(n, n * HOUR) for n in range(1, 11)]
    assert pull(world, tmp_path, "a.x").posts == 10
    world.now += HOUR
    assert pull(world, tmp_path, "a.x").posts == 0
    world.posts_of["did:a.x"].append(a_post(99, 1 * HOUR, world.now))
    assert pull(world, tmp_path, "a.x").posts == 1
    world.now += 1 * DAY
    world.posts_of["did:a.x"] = [replace(post, likes=5) for post in world.posts_of["did:a.x"]]
    assert pull(world, tmp_path, "a.x").posts == 11
    counts = rows(tmp_path, "post", "post_id, likes")
    assert counts.count(("at://1", 1)) == counts.count(("at://1", 5)) == 1
    assert world.asked == ["a.x", "did:a.x", "did:a.x", "did:a.x"]
    assert (
        len(rows(tmp_path, "profile", "account_id")) == 3
    )  # the first day's counts changed once with the new post


def test_what_is_read_reaches_back_over_all_that_still_matures(tmp_path: Path) -> None:
    world = World()
    world.posts_of["did:a.x"] = [a_post(n, n * DAY) for n in (1, 27, 60, 83, 90)]
    pull(world, tmp_path, "a.x")
    assert rows(tmp_path, "post", "post_id") == [("at://1",), ("at://27",), ("at://60",), ("at://83",)]
    (first,) = rows(tmp_path, "account", "read_from, read_since, read_to")
    start = (START - 84 * DAY).replace(tzinfo=None)
    assert first == (start, start, START.replace(tzinfo=None))
    world.now += 10 * DAY
    pull(world, tmp_path, "a.x")
    (_, second) = rows(tmp_path, "account", "read_from, read_since, read_to")
    assert second == ((START - 27 * DAY).replace(tzinfo=None), start, world.now.replace(tzinfo=None))
    world.now += 30 * DAY
    pull(world, tmp_path, "a.x")
    (*_, third) = rows(tmp_path, "account", "read_from, read_since, read_to")
    assert third[0] == (START - 1 * DAY).replace(tzinfo=None), "back to the one post that is not ripe yet"


def test_a_post_is_observed_when_it_is_ripe_however_long_no_pull_was_made(tmp_path: Path) -> None:
    world = World()
    world.posts_of["did:a.x"] = [a_post(1, 1 * DAY), a_post(2, 2 * DAY)]
    pull(world, tmp_path, "a.x")
    world.now += 33 * DAY
    world.posts_of["did:a.x"] = [replace(world.posts_of["did:a.x"][0], likes=9)]
    pull(world, tmp_path, "a.x")
    assert rows(tmp_path, "post", "post_id, likes, is_gone") == [
        ("at://1", 1, False),
        ("at://1", 9, False),
        ("at://2", 1, False),
        ("at://2", None, True),
    ]


def test_since_reads_the_past_again_and_adds_what_was_never_seen(tmp_path: Path) -> None:
    world = World()
    world.posts_of["did:a.x"] = [a_post(n, n * DAY) for n in (1, 60, 200)]
    pull(world, tmp_path, "a.x", first_since=START - 30 * DAY)
    assert rows(tmp_path, "post", "post_id") == [("at://1",)]
    pull(world, tmp_path, "a.x", since=START - 100 * DAY)
    assert rows(tmp_path, "post", "post_id") == [("at://1",), ("at://60",)]
    assert rows(tmp_path, "account", "read_since")[0] == ((START - 100 * DAY).replace(tzinfo=None),)


def test_a_gap_begins_a_new_span(tmp_path: Path) -> None:
    world = World()
    pull(world, tmp_path, "a.x")
    world.now += 200 * DAY
    pull(world, tmp_path, "a.x")
    assert len({since for (since,) in rows(tmp_path, "account", "read_since")}) == 1, (
        "read from the cursor: no gap"
    )


def test_posts_that_vanish_are_looked_up_and_then_gone(tmp_path: Path) -> None:
    world = World()
    kept, deleted, hidden = a_post(1, 2 * HOUR), a_post(2, 3 * HOUR), a_post(3, 4 * HOUR)
    boost = Post("at://r", "repost", START - HOUR, START - HOUR, START - HOUR)
    world.posts_of["did:a.x"] = [kept, deleted, hidden, boost]
    pull(world, tmp_path, "a.x")
    world.posts_of["did:a.x"] = [kept]
    world.now += 3 * HOUR
    pull(world, tmp_path, "a.x")
    assert sorted(world.looked_up) == ["at://2", "at://3"]
    gone = rows(tmp_path, "post", "post_id, kind, is_gone, likes, posted_at")
    assert [row[:4] for row in gone if row[2]] == [
        ("at://2", "post", True, None),
        ("at://3", "post", True, None),
        ("at://r", "repost", True, None),
    ]
    world.looked_up.clear()
    pull(world, tmp_path, "a.x")
    assert world.looked_up == [], "what is gone is not asked about again"


def test_a_post_that_is_only_missing_from_the_list_is_not_gone(tmp_path: Path) -> None:
    world = World()
    world.posts_of["did:a.x"] = [a_post(1, 2 * HOUR)]
    pull(world, tmp_path, "a.x")
    moved = replace(world.posts_of["did:a.x"][0], read_at=START - 400 * DAY, likes=8)
    world.posts_of["did:a.x"] = [moved]
    world.now += DAY
    pull(world, tmp_path, "a.x")
    assert rows(tmp_path, "post", "is_gone, likes") == [(False, 1), (False, 8)]


def test_a_post_keeps_the_time_under_which_it_was_first_stored(tmp_path: Path) -> None:
    world = World()
    world.posts_of["did:a.x"] = [a_post(1, 2 * HOUR)]
    pull(world, tmp_path, "a.x")
    world.posts_of["did:a.x"] = [replace(a_post(1, 5 * HOUR), likes=4)]
    world.now += DAY
    pull(world, tmp_path, "a.x")
    assert len({when for (when,) in rows(tmp_path, "post", "posted_at")}) == 1


def test_replies_are_asked_for_once_when_a_post_is_a_week_old_and_only_for_official_accounts(
    tmp_path: Path,
) -> None:
    world = World()
    official = Entry("a.x", None, True)
    ripe, young, quiet = (
        a_post(1, 8 * DAY, replies=2),
        a_post(2, 6 * DAY, replies=1),
        a_post(3, 9 * DAY, replies=0),
    )
    world.posts_of["did:a.x"] = [ripe, young, quiet]
    world.posts_of["did:b.x"] = [replace(ripe, post_id="at://b")]
    world.replies_to["at://1"] = [Reply(START - 7 * DAY, START - 6 * DAY), Reply(START - 5 * DAY, None)]
    pull(world, tmp_path, official, "b.x")
    assert world.threads == ["at://1"]
    pull(world, tmp_path, official, "b.x")
    assert world.threads == ["at://1"]
    world.now += 2 * DAY
    pull(world, tmp_path, official, "b.x")
    assert world.threads == ["at://1", "at://2"]
    assert len(rows(tmp_path, "reply", "answered_at")) == 2


# --- outcomes -----------------------------------------------------------------------------------------------


def answered(outcome: Any, **more: Any) -> Answer:
    return Answer(Wanted("x"), outcome, **more)


def test_what_became_of_each_account_is_written_down_and_nothing_else_of_those_not_observed(
    tmp_path: Path,
) -> None:
    world = World()
    world.answers = {
        "gone.x": answered("unavailable", reason="not_answered"),
        "left.x": answered("moved", moved_to="@new@elsewhere"),
        "shy.x": answered("opted_out", reason="noindex"),
        "closed.x": answered("restricted", reason="status_401"),
    }
    world.trouble = {"did:late.x": AccountUnavailable("no", "unavailable", "profile_not_found")}
    tally = pull(world, tmp_path, "gone.x", "left.x", "shy.x", "closed.x", "late.x", "fine.x")
    assert tally.outcomes == {"unavailable": 2, "moved": 1, "opted_out": 1, "restricted": 1, "observed": 1}
    assert rows(tmp_path, "account", "handle, outcome, reason, moved_to, read_to is null") == [
        ("closed.x", "restricted", "status_401", None, True),
        ("fine.x", "observed", None, None, False),
        ("gone.x", "unavailable", "not_answered", None, True),
        ("late.x", "unavailable", "profile_not_found", None, True),
        ("left.x", "moved", None, "@new@elsewhere", True),
        ("shy.x", "opted_out", "noindex", None, True),
    ]
    assert rows(tmp_path, "profile", "account_id") == [("did:fine.x",)]


def test_an_account_that_breaks_off_leaves_nothing_and_is_read_from_its_cursor_next_time(tmp_path: Path) -> None:
    world = World()
    world.posts_of = {f"did:{name}.x": [a_post(n, n * HOUR) for n in range(1, 12)] for name in "ab"}
    world.trouble = {"did:a.x": FetchError("broke off", transient=True)}
    tally = pull(world, tmp_path, "a.x", "b.x")
    assert tally.outcomes == {"failed": 1, "observed": 1}
    assert {id_ for (id_,) in rows(tmp_path, "post", "account_id")} == {"did:b.x"}
    world.trouble = {}
    world.now += HOUR
    pull(world, tmp_path, "a.x", "b.x")
    posts = rows(tmp_path, "post", "account_id, post_id")
    assert len(posts) == len(set(posts)) == 22


def test_two_entries_that_are_one_account_are_read_once(tmp_path: Path) -> None:
    world = World()
    world.posts_of["did:same"] = [a_post(1, HOUR)]
    pull(world, tmp_path, Entry("old.x", "did:same", False), Entry("new.x", "did:same", False))
    assert rows(tmp_path, "post", "post_id") == [("at://1",)]
    assert rows(tmp_path, "account", "outcome, reason") == [("observed", "listed_twice"), ("observed", None)]


def test_a_host_that_fails_again_and_again_is_given_up_and_the_others_are_not(tmp_path: Path) -> None:
    world = World()
    world.batch_size = 1
    world.answers = {f"a{n}.down": FetchError("nothing", transient=True) for n in range(50)}
    tally = pull(
        world,
        tmp_path,
        *(f"a{n}.down" for n in range(50)),
        *(f"b{n}.up" for n in range(5)),
        limits=Limits(accounts_per_host=2, failures_in_a_row=4),
    )
    assert tally.outcomes == {"failed": 50, "observed": 5}
    assert len([one for one in world.asked if one.endswith(".down")]) == 4
    reasons = [reason for (reason,) in rows(tmp_path, "account", "reason") if reason]
    assert reasons.count("host_given_up") == 46


def test_answers_that_are_final_do_not_count_against_a_host(tmp_path: Path) -> None:
    world = World()
    world.batch_size = 1
    world.answers = {f"a{n}.x": FetchError("no", status=404) for n in range(30)}
    tally = pull(world, tmp_path, *(f"a{n}.x" for n in range(30)), "fine.x", limits=Limits(failures_in_a_row=2))
    assert tally.outcomes == {"failed": 30, "observed": 1}
    assert ("status_404",) in rows(tmp_path, "account", "reason")


def test_a_pull_in_which_nobody_could_be_asked_stores_nothing(tmp_path: Path) -> None:
    world = World()
    world.answers = {"a.x": PlatformError("a web page")}
    with pytest.raises(CollectError, match="bluesky: none of 1 accounts could be asked") as caught:
        pull(world, tmp_path, "a.x")
    assert caught.value.is_transient
    assert rows(tmp_path, "account", "handle") == []


def test_time_that_runs_out_ends_the_pull_with_what_there_is(tmp_path: Path) -> None:
    class Slow(World):
        async def posts(self, profile: Profile, since: dt.datetime) -> AsyncIterator[list[Post]]:
            await asyncio.sleep(30 if profile.account_id == "did:slow.x" else 0)
            yield []

    tally = pull(Slow(), tmp_path, "slow.x", "fine.x", limits=Limits(seconds=0.3))
    assert tally.outcomes == {"failed": 1, "observed": 1}
    assert ("failed", "out_of_time") in rows(tmp_path, "account", "outcome, reason")


def test_counts_that_cannot_be_stored_are_unknown(tmp_path: Path) -> None:
    world = World()
    world.posts_of["did:a.x"] = [a_post(1, HOUR, likes=2**70, reposts=-1, replies=None)]
    pull(world, tmp_path, "a.x")
    assert rows(tmp_path, "post", "likes, reposts, replies") == [(None, None, None)]


def test_progress_is_told_account_by_account(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    pull(World(), tmp_path, "a.x", "b.x", "c.y", progress=lambda tally: told.append((tally.done, tally.accounts)))
    assert told == [(1, 3), (2, 3), (3, 3)]


# --- who is left out ----------------------------------------------------------------------------------------


def test_an_erased_account_that_is_met_under_another_handle_is_not_written_down(tmp_path: Path) -> None:
    """Its posts are not asked for, no row and no count tells of it, and nobody is said to have moved to it."""
    world = World()
    world.posts_of = {"did:new.x": [a_post(1, DAY)], "did:b.x": [a_post(2, DAY)]}
    gone = Answer(Wanted("c.x", None), "moved", None, moved_to="new.x")
    world.answers["c.x"] = gone
    erased = {("bluesky", "did:new.x"), ("bluesky", "new.x")}
    store = ObservationStore(tmp_path, CONTRACTS, POLICY, suppressed=lambda *one: one in erased)
    known = store.known("bluesky", world.now - 63 * DAY, world.now.date())
    with store.pull("bluesky", world.now) as writer:
        work = Pull(world, known, writer, clock=lambda: world.now, first_since=world.now - 84 * DAY)
        tally = asyncio.run(work.run([Entry(handle, None, True) for handle in ("new.x", "b.x", "c.x")]))
    assert tally.done == tally.accounts == 3
    (record,) = store.pulls()
    assert record.outcomes == {"moved": 1, "observed": 1}
    assert rows(tmp_path, "account", "handle, moved_to") == [("b.x", None), ("c.x", None)]
    assert rows(tmp_path, "post", "account_id") == [("did:b.x",)]
    assert rows(tmp_path, "profile", "handle") == [("b.x",)]
