"""Whole pulls of the real Bluesky network, as a data engineer runs them: what ends up in the files.

The collector by itself is held against the network in `test_bluesky_network`. Here the command line runs, Dagster
and all, over a good line, over a bad one, and killed in the middle.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.assets import PROJECT
from pipelines.observations import ObservationStore
from pipelines.run import RunOutcome, run_job
from pipelines.settings import Home
from tests.servers.chaos import EVERY_FAULT, ChaosProxy, Fault, running_chaos
from tests.servers.network import BlueskyNetwork
from tests.servers.seed import LONG_AGO, TO_COME, World

pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[2]
CONTACT = "tests@example.org"
KILLS = 30
REPLY = "account_id, post_id, received_at, answered_at"


def everybody(world: World) -> list[str]:
    """The handles of the ordinary accounts and of the odd ones, of the renamed one the handle it no longer has."""
    odd = [world.deleted, world.deactivated, world.taken_down, world.opted_out]
    return [*(owner.handle for owner in world.owners), world.old_handle, *(o.handle for o in odd if o)]


def a_home(folder: Path, service: str, names: Sequence[str], timeout: float = 20) -> tuple[Home, Path]:
    """A home with a list of accounts, and a source list that asks a service for all that they ever posted."""
    home = Home(folder)
    home.claim("live")
    table = {
        "platform": ["bluesky"] * len(names),
        "handle": names,
        "account_id": pa.array([None] * len(names), pa.string()),
        "is_official": [True] * len(names),
    }
    pq.write_table(pa.table(table), home.roster)
    sources = folder / "sources.yml"
    told = {
        "world": "live",
        "private_hosts": ["127.0.0.1", "localhost"],
        "sources": {"gss_changes": {"curated": "gss_changes.csv"}},
        "platforms": {
            "bluesky": {
                "service": service,
                "requests": 60_000,
                "seconds": 60,
                "timeout_seconds": timeout,
                "first_days": 20_000,
            },
        },
    }
    sources.write_text(yaml.safe_dump(told), encoding="utf-8")
    return home, sources


def pull(home: Home, sources: Path) -> RunOutcome:
    return run_job("pull", home.root, str(sources), contact=CONTACT)


def record_of(outcome: RunOutcome) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(outcome.record.read_bytes())
    return found


def store_of(home: Home) -> ObservationStore:
    return ObservationStore(home.observations, PROJECT.contracts, PROJECT.policy)


def rows(home: Home, table: str, columns: str, where: str = "true") -> list[Any]:
    con = duckdb.connect()
    try:
        query = f"select {columns} from ({store_of(home).query(table)}) where {where} order by all"
        return con.execute(query).fetchall()
    finally:
        con.close()


def content(home: Home) -> list[Any]:
    """Every post with all that was observed of it, but when that was."""
    columns = "account_id, post_id, kind, posted_at, claimed_at, is_gone, likes, reposts, replies, quotes"
    return rows(home, "post", f"{columns}, text_length, has_link, language")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, bluesky_network: BlueskyNetwork, world: World) -> Home:
    """What one pull over a good line brings of the world that no test changes."""
    home, sources = a_home(tmp_path_factory.mktemp("whole"), bluesky_network.appview, everybody(world))
    outcome = pull(home, sources)
    assert outcome.success, outcome.problems
    return home


# --- over a good line ---------------------------------------------------------------------------------------


def test_counts_in_the_files_are_those_that_the_appview_reports(
    whole: Home, bluesky_network: BlueskyNetwork, world: World
) -> None:
    posts = rows(whole, "post", "post_id, likes, reposts, replies, quotes", "kind <> 'repost' and not is_gone")
    assert len(posts) >= 80
    for start in range(0, len(posts), 25):
        batch = posts[start : start + 25]
        views = bluesky_network.ask("app.bsky.feed.getPosts", uris=[row[0] for row in batch]).json()["posts"]
        reported = {v["uri"]: (v["likeCount"], v["repostCount"], v["replyCount"], v["quoteCount"]) for v in views}
        assert {row[0]: tuple(row[1:]) for row in batch} == reported
    profiles = rows(whole, "profile", "account_id, followers, following, posts")
    assert len(profiles) >= 15
    for account_id, *counts in profiles:
        view = bluesky_network.ask("app.bsky.actor.getProfile", actor=account_id).json()
        assert counts == [view["followersCount"], view["followsCount"], view["postsCount"]]


def test_odd_dates_are_kept_as_claimed_and_never_later_than_the_platforms_own_time(whole: Home) -> None:
    claimed = {row[0]: row[1] for row in rows(whole, "post", "claimed_at, posted_at", "claimed_at is not null")}
    long_ago, to_come = (moment.astimezone(dt.UTC).replace(tzinfo=None) for moment in (LONG_AGO, TO_COME))
    assert claimed[long_ago] == long_ago
    assert claimed[to_come] < dt.datetime.now(dt.UTC).replace(tzinfo=None)


def test_accounts_that_do_not_answer_are_written_down_as_such_and_have_no_profile(whole: Home) -> None:
    outcomes = Counter(outcome for (outcome,) in rows(whole, "account", "outcome"))
    assert outcomes["unavailable"] >= 2
    assert outcomes["opted_out"] >= 1
    assert not outcomes["failed"]
    shown = {account_id for (account_id,) in rows(whole, "profile", "account_id")}
    read = {account_id for (account_id,) in rows(whole, "account", "account_id", "outcome = 'observed'")}
    assert shown == read


def test_a_second_pull_brings_only_what_is_new(tmp_path: Path, bluesky_network: BlueskyNetwork) -> None:
    owner = bluesky_network.create_account("second-pull")
    bluesky_network.set_profile(owner)
    old = [bluesky_network.post(owner, f"Post {n}") for n in range(4)]
    bluesky_network.settle()
    home, sources = a_home(tmp_path, bluesky_network.appview, [owner.handle])
    assert pull(home, sources).success
    new = bluesky_network.post(owner, "One more")
    bluesky_network.delete(owner, old[0])
    bluesky_network.settle()
    outcome = pull(home, sources)
    assert outcome.success
    (summary,) = record_of(outcome)["pulls"]
    assert summary["rows"]["post"] == 2
    second = store_of(home).pulls()[-1].pull_id
    found = rows(home, "post", "post_id, is_gone", f"pull_id = '{second}'")
    assert sorted(found) == sorted([(new.uri, False), (old[0].uri, True)])
    assert pull(home, sources).success
    assert len(rows(home, "post", "post_id")) == 6


def test_an_account_is_followed_through_its_new_handle_its_absence_and_its_return(
    tmp_path: Path, bluesky_network: BlueskyNetwork
) -> None:
    renamed, away = bluesky_network.create_account("before"), bluesky_network.create_account("away")
    for owner in (renamed, away):
        bluesky_network.set_profile(owner)
        bluesky_network.post(owner, "Here I am")
    bluesky_network.settle()
    home, sources = a_home(tmp_path, bluesky_network.appview, [renamed.handle, away.handle])
    assert pull(home, sources).success
    after = bluesky_network.rename(renamed, "after")
    bluesky_network.deactivate(away)
    bluesky_network.settle()
    assert pull(home, sources).success
    bluesky_network.activate(away)
    bluesky_network.settle()
    assert pull(home, sources).success
    by_pull = rows(home, "account", "handle, pull_id, outcome")
    assert [row[2] for row in by_pull if row[0] == renamed.handle] == ["observed"] * 3
    assert [row[2] for row in by_pull if row[0] == away.handle] == ["observed", "unavailable", "observed"]
    handles = {handle for (handle,) in rows(home, "profile", "handle", f"account_id = '{renamed.did}'")}
    assert handles == {renamed.handle, after.handle}
    assert len(rows(home, "post", "post_id")) == 2, "nothing is doubled, nothing taken for deleted"


# --- over a bad line ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: fault.kind)
def test_whatever_the_line_does_the_pull_ends_and_the_rerun_has_everything_once(
    tmp_path: Path, fault: Fault, bluesky_network: BlueskyNetwork, world: World, whole: Home
) -> None:
    plan = [fault, Fault("ok"), Fault("ok")]
    with running_chaos(ChaosProxy(bluesky_network.appview, plan)) as proxy:
        home, sources = a_home(tmp_path, proxy.url, everybody(world), timeout=1.5)
        outcome = pull(home, sources)
        assert fault.kind in proxy.met
        (good,) = store_of(whole).pulls()
        assert len(proxy.met) <= 5 * good.requests, "every question is asked five times at most"
        record = record_of(outcome)
        if outcome.success:
            (summary,) = record["pulls"]
            assert sum(summary["outcomes"].values()) == len(everybody(world))
        else:
            assert any("bluesky" in problem for problem in record["problems"])
    home, sources = a_home(tmp_path, bluesky_network.appview, everybody(world))
    assert pull(home, sources).success
    assert content(home) == content(whole)
    assert rows(home, "reply", REPLY) == rows(whole, "reply", REPLY)


def test_a_line_that_is_dead_ends_the_pull_with_a_sentence_and_leaves_nothing(
    tmp_path: Path, bluesky_network: BlueskyNetwork, world: World
) -> None:
    with running_chaos(ChaosProxy(bluesky_network.appview, [Fault("refuse")])) as proxy:
        home, sources = a_home(tmp_path, proxy.url, everybody(world), timeout=1.5)
        outcome = pull(home, sources)
    assert not outcome.success
    (problem,) = record_of(outcome)["problems"]
    assert problem.startswith("observations.bluesky: bluesky: none of 20 accounts could be asked")
    assert store_of(home).pulls() == []


# --- killed in the middle -----------------------------------------------------------------------------------


# The pull by itself, without the second that Dagster takes to start, so that kills fall into it.
KILLED = """
import sys
import pyarrow.parquet
from pipelines.assets import Workplace
from pipelines.observe import observe
from pipelines.sources import bluesky, http
workplace = Workplace(home=sys.argv[1], sources=sys.argv[2], contact="tests@example.org")
print("starting", flush=True)
place = workplace.source_list.platforms["bluesky"]
observe("bluesky", place, workplace.store(), workplace.place().roster, workplace.policy())
"""


def test_killed_at_any_moment_a_pull_is_whole_or_not_there_and_the_rerun_has_everything_once(
    tmp_path: Path, bluesky_network: BlueskyNetwork, world: World, whole: Home
) -> None:
    def start(home: Home, sources: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", KILLED, str(home.root), str(sources)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"starting\n"
        return process

    def check(home: Home) -> None:
        for made in store_of(home).pulls():
            assert made.outcomes.get("failed", 0) == 0
            asked = rows(home, "account", "handle", f"pull_id = '{made.pull_id}'")
            assert len(asked) == len(everybody(world))

    home, sources = a_home(tmp_path / "0", bluesky_network.appview, everybody(world))
    process, started = start(home, sources), time.monotonic()
    assert process.wait() == 0
    takes = time.monotonic() - started
    homes = [(home, sources)]
    chance = random.Random(30)  # noqa: S311 - repeatable, not secret
    interrupted = 0
    for number in range(1, KILLS + 1):
        if store_of(homes[-1][0]).pulls():  # a finished one leaves the next nothing to be killed in
            homes.append(a_home(tmp_path / str(number), bluesky_network.appview, everybody(world)))
        process = start(*homes[-1])
        time.sleep(takes * chance.uniform(0, 0.9))
        process.kill()
        interrupted += process.wait() != 0
        check(homes[-1][0])
    assert interrupted > KILLS / 2, "most of the kills fell into a pull"
    assert pull(*homes[-1]).success
    for home, _ in homes:
        check(home)
        assert content(home) == content(whole)
        assert rows(home, "reply", REPLY) == rows(whole, "reply", REPLY)
        assert not (home.observations / ".staging" / "bluesky").exists()
