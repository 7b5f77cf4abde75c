"""The store of observations: whole or nothing, judged by contract and policy, remembered, expired."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from pipelines.contract import load_contracts
from pipelines.observations import TABLES, ObservationError, ObservationStore
from pipelines.policy import PolicyError, load_policy
from pipelines.settings import project_folder

FOLDER = project_folder("data_contracts")
CONTRACTS = load_contracts(FOLDER)
POLICY = load_policy(FOLDER / "policy.yml", CONTRACTS)
START = dt.datetime(2026, 11, 2, 6, tzinfo=dt.UTC)
NOW = START.replace(tzinfo=None)


def store_in(folder: Path) -> ObservationStore:
    return ObservationStore(folder, CONTRACTS, POLICY)


def account(account_id: str = "did:plc:a", outcome: str = "observed", **more: Any) -> dict[str, Any]:
    """A row about an account that was asked about."""
    read = {"read_from": NOW - dt.timedelta(days=28), "read_to": NOW, "read_since": NOW - dt.timedelta(days=28)}
    row = {"observed_at": NOW, "handle": f"{account_id[-1]}.test", "account_id": account_id, "outcome": outcome}
    return {**row, **(read if outcome == "observed" else {}), **more}


def post(post_id: str, account_id: str = "did:plc:a", **more: Any) -> dict[str, Any]:
    """A row about a post."""
    row = {"observed_at": NOW, "account_id": account_id, "post_id": post_id, "kind": "post", "is_gone": False}
    return {**row, "posted_at": NOW - dt.timedelta(days=2), "likes": 3, **more}


def write(store: ObservationStore, moment: dt.datetime = START, platform: str = "bluesky", **tables: Any) -> None:
    with store.pull(platform, moment) as writer:
        for table, rows in tables.items():
            writer.add(table, rows)


def rows_of(store: ObservationStore, table: str) -> list[tuple[Any, ...]]:
    con = duckdb.connect()
    try:
        return con.execute(f"select * from ({store.query(table)}) order by all").fetchall()
    finally:
        con.close()


def files_under(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_pull_becomes_visible_as_a_whole_with_the_same_files_each_time(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with store.pull("bluesky", START) as writer:
        writer.add("post", [post("at://1")])
        assert store.pulls() == []
    (record,) = store.pulls()
    place = store.place(record)
    assert {path.name for path in place.iterdir()} == {"pull.json", *(f"{table}.parquet" for table in TABLES)}
    assert place.parent.name == "observed_on=2026-11-02"
    assert place.parent.parent.name == "platform=bluesky"
    assert record.rows == {"account": 0, "profile": 0, "post": 1, "reply": 0}
    assert rows_of(store, "post")[0][:3] == ("bluesky", dt.date(2026, 11, 2), record.pull_id)


def test_the_columns_of_a_view_are_those_of_the_contract_with_and_without_files(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for filled in (False, True):
        if filled:
            write(store, account=[account()], post=[post("at://1")])
        for table in TABLES:
            con = duckdb.connect()
            found = con.execute(f"describe {store.query(table)}").fetchall()
            con.close()
            wanted = [(c.name, c.sql_type) for c in CONTRACTS[f"observation.{table}"].columns]
            assert [(row[0], row[1]) for row in found] == wanted


def test_the_same_rows_in_another_order_give_the_same_bytes_and_id(tmp_path: Path) -> None:
    rows = [post(f"at://{n}", f"did:plc:{'ab'[n % 2]}") for n in range(50)]
    for name, given in (("one", rows), ("two", rows[::-1])):
        write(store_in(tmp_path / name), account=[account()], post=given)
    assert files_under(tmp_path / "one") - {".staging/bluesky.lock"} == files_under(tmp_path / "two") - {
        ".staging/bluesky.lock"
    }
    for name in files_under(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_same_post_observed_twice_is_two_observations(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    later = START + dt.timedelta(days=1)
    write(store, post=[post("at://1")])
    write(store, later, post=[post("at://1", observed_at=later.replace(tzinfo=None), likes=5)])
    assert len(rows_of(store, "post")) == 2
    assert [pull.observed_on.day for pull in store.pulls()] == [2, 3]


def test_pulls_of_the_same_second_stand_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    """The content hash, which ends an id, must not decide; with eight pulls it would do so all but surely."""
    store = store_in(tmp_path)
    for n in range(8):
        write(store, START + dt.timedelta(milliseconds=n), account=[account(f"did:plc:{n}")])
    assert [pull.started_at.microsecond for pull in store.pulls()] == [1000 * n for n in range(8)]


def test_an_error_leaves_no_trace(tmp_path: Path) -> None:
    store = store_in(tmp_path)

    def fail() -> None:
        with store.pull("bluesky", START) as writer:
            writer.add("post", [post("at://1")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert files_under(tmp_path) == {".staging/bluesky.lock"}


def test_rows_that_break_a_rule_go_to_quarantine_and_are_counted(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    bad = [
        post("at://bad", likes=-1),
        post("at://gone", is_gone=True),
        post("at://from the future", posted_at=NOW + dt.timedelta(days=1)),
    ]
    write(store, post=[post("at://good"), *bad])
    (record,) = store.pulls()
    assert record.rows["post"] == 1
    assert record.refused == {"post": 3}
    assert record.quarantined == {
        "post": {"gone_has_no_counts": 1, "likes_range": 1, "not_from_the_future": 1},
    }
    con = duckdb.connect()
    found = con.execute(
        f"select post_id, broken_rules from ({store.query('post', quarantine=True)}) order by post_id"
    ).fetchall()
    con.close()
    assert found == [
        ("at://bad", "likes_range"),
        ("at://from the future", "not_from_the_future"),
        ("at://gone", "gone_has_no_counts"),
    ]


def test_what_the_policy_does_not_let_us_keep_is_not_written(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with pytest.raises(PolicyError, match=r"post\.quotes of youtube may not be stored"):
        write(store, platform="youtube", post=[post("1", quotes=1)])
    with pytest.raises(PolicyError, match="nothing about account"):
        write(store, platform="facebook", post=[post("1")])
    assert store.pulls() == []


def test_a_value_of_the_wrong_type_is_a_sentence_without_the_value(tmp_path: Path) -> None:
    with pytest.raises(ObservationError, match=r"observation\.post of bluesky: a value is not of its") as caught:
        write(store_in(tmp_path), post=[post("at://1", likes="CANARY")])
    assert "CANARY" not in str(caught.value)


def test_two_pulls_of_one_platform_do_not_run_side_by_side_and_of_two_they_do(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with store.pull("bluesky", START):
        with pytest.raises(ObservationError, match="another pull of bluesky is running"):
            write(store)
        write(store, platform="mastodon", post=[post("host/1", "host/7")])
    assert {pull.platform for pull in store.pulls()} == {"bluesky", "mastodon"}


def test_what_earlier_pulls_know(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    gone = post("at://3", is_gone=True, likes=None)
    write(
        store,
        account=[account(), account("did:plc:b", "unavailable", reason="not_answered")],
        post=[post("at://1"), post("at://2", posted_at=NOW - dt.timedelta(days=200)), post("at://3")],
        profile=[{"observed_at": NOW, "account_id": "did:plc:a", "handle": "a.test", "followers": 7}],
    )
    later = START + dt.timedelta(hours=2)
    again = account(read_to=later.replace(tzinfo=None), observed_at=later.replace(tzinfo=None))
    write(store, later, account=[again], post=[{**gone, "observed_at": later.replace(tzinfo=None)}])
    known = store.known("bluesky", START - dt.timedelta(days=31), START.date())
    assert known.ids == {"a.test": "did:plc:a", "b.test": "did:plc:b"}
    a = known.accounts["did:plc:a"]
    assert (a.read_since, a.read_to) == (START - dt.timedelta(days=28), later)
    assert set(a.posts) == {"at://1"}
    assert a.posts["at://1"].posted_at == START - dt.timedelta(days=2)
    assert a.profile == ("a.test", None, 7, None, None)
    assert known.accounts["did:plc:b"].read_to is None
    tomorrow = store.known("bluesky", START - dt.timedelta(days=31), START.date() + dt.timedelta(days=1))
    assert tomorrow.accounts["did:plc:a"].profile is None
    assert store.last_outcomes("bluesky") == {"a.test": ("observed", 2), "b.test": ("unavailable", 1)}


def test_expired_values_are_taken_out_and_the_pull_says_so(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    allowed = POLICY.kept("post", [c.name for c in CONTRACTS["observation.post"].columns], "youtube")
    youtube = {name: value for name, value in post("v1", "UC1").items() if name in allowed}
    write(store, platform="youtube", post=[youtube], account=[account("UC1")])
    write(store, post=[post("at://1")])
    before = {pull.platform: pull for pull in store.pulls()}
    assert store.expire(START.date() + dt.timedelta(days=30)) == 0
    assert store.expire(START.date() + dt.timedelta(days=31)) == 1
    assert store.expire(START.date() + dt.timedelta(days=31)) == 0
    after = {pull.platform: pull for pull in store.pulls()}
    assert after["bluesky"] == before["bluesky"]
    assert after["youtube"].key != before["youtube"].key
    assert [row[0] for row in rows_of(store, "post")] == ["bluesky"]
    assert len(rows_of(store, "account")) == 1
    path = store.place(after["youtube"]) / "post.parquet"
    assert pq.read_table(path, partitioning=None).num_rows == 0


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    write(store, post=[post("at://1")])
    (store.place(store.pulls()[0]) / "pull.json").write_text("{", encoding="utf-8")
    with pytest.raises(ObservationError, match=r"pull_id=.*/pull\.json is damaged"):
        store.pulls()


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.integration.test_observations import START, post, store_in
store = store_in(Path(sys.argv[1]))
with store.pull("bluesky", START) as writer:
    writer.add("post", [post("at://1")])
    if sys.argv[2] == "written":
        writer._flush("post")
    if sys.argv[2] == "before the rename":
        type(store).place = lambda self, pull: os.kill(os.getpid(), signal.SIGKILL)
        writer.publish()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["at once", "written", "before the rename"])
def test_a_killed_pull_leaves_nothing_visible_and_the_next_one_works(tmp_path: Path, when: str) -> None:
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), when], cwd=root, check=False, env=os.environ
    )
    assert ended.returncode == -signal.SIGKILL
    store = store_in(tmp_path)
    assert store.pulls() == []
    assert rows_of(store, "post") == []
    write(store, post=[post("at://1")])
    assert len(rows_of(store, "post")) == 1
    assert not (tmp_path / ".staging" / "bluesky").exists()


def test_a_pull_that_refuses_most_of_what_it_got_is_not_stored(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    spoilt = [post(f"at://{n}", likes=-1) for n in range(21)]
    with pytest.raises(
        ObservationError, match=r"post of bluesky: 21 of 22 rows break critical rules \(likes_range"
    ):
        write(store, post=[post("at://good"), *spoilt])
    assert store.pulls() == []
    write(store, post=[post("at://good"), *spoilt[:20]])
    assert store.pulls()[0].refused == {"post": 20}
