"""Whatever way a table is brought up to date, it is what building everything anew would give."""

from __future__ import annotations

import contextlib
import datetime as dt
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.checks import Verdict
from pipelines.contract import Contract
from pipelines.lineage import Newest, Query, Rebuilt, SqlError
from pipelines.observations import TABLES, ObservationStore
from pipelines.refresh import Plan, changes_of, refresh, show_observations, shown_pulls
from pipelines.warehouse import WarehouseError, open_warehouse, rolled_back_on_error
from tests.helpers import column, document, key, load, row_rule_quality
from tests.integration.test_observations import account, post, store_in

MONDAY = dt.datetime(2026, 9, 7, 6, tzinfo=dt.UTC)


def day_of(month: int, day: int) -> dt.datetime:
    """A day of the year 2026 as observations hold it: UTC without a zone."""
    return dt.datetime(2026, month, day, tzinfo=dt.UTC).replace(tzinfo=None)


NEWEST = """-- one row per post
-- newest per post_id, month_on by observed_at, pull_id
select post_id, account_id, cast(date_trunc('month', posted_at) as date) as month_on,
  cast(date_trunc('week', posted_at) as date) as week_on, likes, is_gone, observed_at, pull_id
from (
  select *, row_number() over (partition by post_id, posted_at order by observed_at desc, pull_id desc) as n
  from observation.post
) as seen where n = 1
"""
MONTHLY = """-- one row per month and account
-- rebuilt by month_on
select post.month_on, post.account_id, owner.name, count(*) as posts, sum(post.likes) as likes
from model.newest as post
join clean.owner as owner on owner.account_id = post.account_id
where not post.is_gone
group by post.month_on, post.account_id, owner.name
"""
YEARLY = """-- one row per account
select account_id, sum(posts) as posts from model.monthly group by account_id
"""
PUBLIC = """-- one row per month and account
-- rebuilt by month_on
select month_on, account_id, cast(likes as bigint) as likes from model.monthly
"""
OWNERS = """-- one row per account
select account_id, name from source.owner
"""
SHOWN = """-- one row per account that is shown
select account_id, name from clean.owner where name <> 'gone'
"""
COUNTED = """-- one row per account that is shown and month since June
-- rebuilt by account_id
select shown.account_id, shown.name, month.month_on
from model.shown as shown
cross join (values (date '2026-06-01'), (date '2026-07-01'), (date '2026-08-01')) as month (month_on)
"""
PLACED = """-- one row per month, account that is shown, with posts or without
-- rebuilt by month_on, account_id
select counted.month_on, counted.account_id, coalesce(posted.posts, 0) as posts
from model.counted as counted
left join model.monthly as posted
  on posted.account_id = counted.account_id and posted.month_on = counted.month_on
"""
LAST = """-- one row per account
-- newest per account_id by observed_at, pull_id
select account_id, observed_at, pull_id, outcome
from (
  select *, row_number() over (partition by account_id order by observed_at desc, pull_id desc) as n
  from observation.account
) as seen where n = 1
"""
SEEN = """-- one row per day on which an account was last seen
select observed_at, count(*) as accounts from model.last group by observed_at
"""
TEXTS = {
    "clean.owner": OWNERS,
    "model.newest": NEWEST,
    "model.last": LAST,
    "model.seen": SEEN,
    "model.monthly": MONTHLY,
    "model.shown": SHOWN,
    "model.counted": COUNTED,
    "model.placed": PLACED,
    "model.yearly": YEARLY,
    "public.likes": PUBLIC,
}


def queries(folder: Path, **changed: str) -> dict[str, Query]:
    texts = {**TEXTS, **{name.replace("__", "."): text for name, text in changed.items()}}
    return {
        table: Query(folder / "sql" / table.split(".")[0] / f"{table.split('.')[1]}.sql", text)
        for table, text in texts.items()
    }


def contract_of_likes(folder: Path) -> Contract:
    """A public table that refuses more than a hundred likes and doubts none."""
    columns = [
        key("month_on", 1, "date"),
        key("account_id", 2),
        column(
            "likes",
            "integer",
            classification="measure",
            logicalTypeOptions={"maximum": 100},
        ),
    ]
    rule = row_rule_quality("some_likes", "likes > 0", "warning")
    return load(folder, document("public.likes", columns, quality=[rule], maxQuarantinePercent=100))


def run(con: Any, folder: Path, store: ObservationStore, given: dict[str, Query]) -> dict[str, str]:
    """Bring every table up to date; returns how each was built."""
    plan = Plan(given, lambda query, contract: query.text + (contract.digest if contract else ""), store)
    contract = contract_of_likes(folder)
    for table in TABLES:
        show_observations(con, store, table, lambda rows: Verdict(rows, ()))
    return {
        table: refresh(con, plan, query, contract if table == "public.likes" else None).state
        for table, query in given.items()
    }


def content(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """All rows of all tables, what was refused and what was noted."""
    tables = [*TEXTS, "quarantine.public__likes", "quarantine.issues"]
    return {table: con.execute(f"select * from {table} order by all").fetchall() for table in tables}


def owners(con: duckdb.DuckDBPyConnection, names: dict[str, str]) -> None:
    rows = ", ".join(f"('{account_id}', '{name}')" for account_id, name in names.items())
    con.execute(f"create or replace table source.owner as select * from (values {rows}) as t (account_id, name)")


def observe(store: ObservationStore, moment: dt.datetime, posts: list[dict[str, Any]]) -> None:
    with store.pull("bluesky", moment) as writer:
        writer.add("account", [account(observed_at=moment.replace(tzinfo=None))])
        writer.add("post", posts)


def random_posts(dice: random.Random, moment: dt.datetime) -> list[dict[str, Any]]:
    """Some posts of the last sixty days, old ones again among them; sometimes gone, sometimes much liked."""
    now = moment.replace(tzinfo=None)
    posts = []
    for number in dice.sample(range(60), dice.randrange(0, 12)):
        posted_at = day_of(7, 10) + dt.timedelta(days=number)
        is_gone = dice.random() < 0.1
        likes = None if is_gone else dice.choice([0, 1, 5, 60])
        posts.append(
            post(
                f"at://{number}",
                f"did:plc:{'abc'[number % 3]}",
                posted_at=posted_at,
                is_gone=is_gone,
                likes=likes,
                observed_at=now,
            )
        )
    return posts


@pytest.fixture
def place(tmp_path: Path) -> Any:
    with open_warehouse(tmp_path / "w.duckdb") as con:
        owners(con, {"did:plc:a": "A", "did:plc:b": "B", "did:plc:c": "C"})
        yield con, tmp_path, store_in(tmp_path / "observations")


def anew(folder: Path, store: ObservationStore, names: dict[str, str], given: dict[str, Query]) -> dict[str, Any]:
    """What building everything in an empty warehouse gives."""
    path = folder / "fresh.duckdb"
    path.unlink(missing_ok=True)
    with open_warehouse(path) as con:
        owners(con, names)
        run(con, folder, store, given)
        return content(con)


@pytest.mark.parametrize("seed", range(6))
def test_day_by_day_is_the_same_as_all_at_once(place: Any, seed: int) -> None:
    con, folder, store = place
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    names = {"did:plc:a": "A", "did:plc:b": "B", "did:plc:c": "C"}
    given = queries(folder)
    states = []
    for day in range(8):
        moment = MONDAY + dt.timedelta(days=day)
        observe(store, moment, random_posts(dice, moment))
        if dice.random() < 0.4:
            names[f"did:plc:{dice.choice('abc')}"] = dice.choice([f"B{day}", "gone"])
            owners(con, names)
        states.append(run(con, folder, store, given))
        assert content(con) == anew(folder, store, names, given)
    assert states[0] == dict.fromkeys(TEXTS, "built")
    assert "updated" in {state["public.likes"] for state in states[1:]}
    assert "updated" in {state["model.placed"] for state in states[1:]}
    assert "updated" in {state["model.counted"] for state in states[1:]}
    assert run(con, folder, store, given) == dict.fromkeys(TEXTS, "unchanged")


def test_only_the_months_that_were_touched_are_built_again(place: Any) -> None:
    con, folder, store = place
    given = queries(folder)
    old = [post(f"at://{m}", posted_at=day_of(m, 5), observed_at=day_of(9, 7)) for m in (6, 7)]
    observe(store, MONDAY, old)
    run(con, folder, store, given)
    con.execute("update model.monthly set likes = 77 where month_on = date '2026-06-01'")  # as a mark
    new = post("at://9", posted_at=day_of(7, 20), observed_at=day_of(9, 8))
    observe(store, MONDAY + dt.timedelta(days=1), [new])
    states = run(con, folder, store, given)
    assert states["model.newest"] == states["model.monthly"] == states["public.likes"] == "updated"
    found = dict(con.execute("select month_on, likes from model.monthly").fetchall())
    assert found == {dt.date(2026, 6, 1): 77, dt.date(2026, 7, 1): 6}


def test_an_account_that_is_gone_is_taken_out_of_its_own_rows_only(place: Any) -> None:
    con, folder, store = place
    names = {"did:plc:a": "A", "did:plc:b": "B", "did:plc:c": "C"}
    of_all = "-- one row per month and account\n-- rebuilt by month_on\nselect month_on, account_id, '' as name, "
    of_all += "count(*) as posts, sum(likes) as likes from model.newest group by month_on, account_id"
    given = queries(folder, model__monthly=of_all)
    posts = [
        post(f"at://{m}{a}", f"did:plc:{a}", posted_at=day_of(m, 5), observed_at=day_of(9, 7))
        for m in (6, 7)
        for a in "abc"
    ]
    observe(store, MONDAY, posts)
    run(con, folder, store, given)
    con.execute("update model.placed set posts = 77 where account_id <> 'did:plc:b'")  # as a mark
    names["did:plc:b"] = "gone"
    owners(con, names)
    assert run(con, folder, store, given)["model.placed"] == "updated"
    rows = con.execute("select account_id, posts, count(*) from model.placed group by all order by all").fetchall()
    assert rows == [("did:plc:a", 77, 3), ("did:plc:c", 77, 3)]


def test_a_run_that_is_killed_at_any_moment_is_completed_by_the_next(place: Any) -> None:
    con, folder, store = place
    given, names = queries(folder), {"did:plc:a": "A", "did:plc:b": "B", "did:plc:c": "C"}
    dice = random.Random(7)  # noqa: S311 - repeatable, not secret
    killed = 0
    for day in range(24):
        moment = MONDAY + dt.timedelta(days=day)
        observe(store, moment, random_posts(dice, moment))
        if day % 5 == 2:
            names["did:plc:b"] = dice.choice([f"B{day}", "gone"])
            owners(con, names)
        with contextlib.suppress(KeyboardInterrupt), rolled_back_on_error(con):
            run(Dying(con, dice.randrange(1, 220)), folder, store, given)
            killed -= 1
        killed += 1
        run(con, folder, store, given)
        assert content(con) == anew(folder, store, names, given)
    assert killed > 12


class Dying:
    """A connection that is interrupted before one of its statements."""

    def __init__(self, con: duckdb.DuckDBPyConnection, statements: int) -> None:
        self._con, self._left = con, statements

    def execute(self, *given: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return self._con.execute(*given)


def test_a_pull_that_is_taken_out_or_revised_is_followed(place: Any) -> None:
    con, folder, store = place
    given, names = queries(folder), {"did:plc:a": "A", "did:plc:b": "B", "did:plc:c": "C"}
    for day in range(3):
        moment = MONDAY + dt.timedelta(days=day)
        now = moment.replace(tzinfo=None)
        observe(store, moment, [post(f"at://{day}", posted_at=day_of(8, 5), observed_at=now)])
    run(con, folder, store, given)
    first, second, _ = store.pulls()
    revised = second.model_copy(update={"revision": 1})
    (store.place(second) / "pull.json").write_text(revised.model_dump_json(), encoding="utf-8")
    assert run(con, folder, store, given)["model.newest"] == "built"
    for path in store.place(first).iterdir():
        path.unlink()
    store.place(first).rmdir()
    assert run(con, folder, store, given)["model.newest"] == "built"
    assert con.execute("select count(*) from model.newest").fetchone() == (2,)
    assert content(con) == anew(folder, store, names, given)


def test_another_query_contract_or_owner_builds_anew(place: Any) -> None:
    con, folder, store = place
    observe(store, MONDAY, [post("at://1")])
    run(con, folder, store, queries(folder))
    other = MONTHLY.replace("sum(post.likes)", "2 * sum(post.likes)")
    states = run(con, folder, store, queries(folder, model__monthly=other))
    assert states == {
        "clean.owner": "unchanged",
        "model.newest": "unchanged",
        "model.last": "unchanged",
        "model.seen": "unchanged",
        "model.monthly": "built",
        "model.shown": "unchanged",
        "model.counted": "unchanged",
        "model.placed": "built",
        "model.yearly": "unchanged",  # it was built, but from a number of posts that is what it was
        "public.likes": "built",
    }
    owners(con, {"did:plc:a": "A new name"})
    states = run(con, folder, store, queries(folder, model__monthly=other))
    assert states["clean.owner"] == states["model.monthly"] == "built"
    assert states["model.newest"] == "unchanged"


def test_a_table_that_is_built_as_it_was_is_not_written_and_nothing_follows_it(place: Any) -> None:
    con, folder, store = place
    of_year = "-- one row per account\nselect date '2026-01-01' as month_on, account_id, "
    given = queries(folder, public__likes=of_year + "cast(posts as bigint) as likes from model.yearly")
    observe(store, MONDAY, [post("at://1", likes=1, posted_at=day_of(8, 5), observed_at=day_of(9, 7))])
    run(con, folder, store, given)
    con.execute("comment on table model.yearly is 'as a mark'")
    later = MONDAY + dt.timedelta(days=1)
    observe(store, later, [post("at://1", likes=5, posted_at=day_of(8, 5), observed_at=day_of(9, 8))])
    states = run(con, folder, store, given)
    assert states["model.monthly"] == "updated"
    assert states["model.yearly"] == states["public.likes"] == "unchanged"
    mark = "select comment from duckdb_tables() where table_name = 'yearly'"
    assert con.execute(mark).fetchone() == ("as a mark",)
    assert run(con, folder, store, given) == dict.fromkeys(TEXTS, "unchanged")


def test_a_table_that_was_dropped_comes_back(place: Any) -> None:
    con, folder, store = place
    observe(store, MONDAY, [post("at://1")])
    run(con, folder, store, queries(folder))
    con.execute("drop table model.newest; drop table clean.owner")
    states = run(con, folder, store, queries(folder))
    assert states["model.newest"] == states["clean.owner"] == "built"
    assert con.execute("select count(*) from model.monthly").fetchone() == (1,)


def test_a_query_that_fails_leaves_the_old_table_and_is_tried_again(place: Any) -> None:
    con, folder, store = place
    observe(store, MONDAY, [post("at://1")])
    run(con, folder, store, queries(folder))
    before = con.execute("select * from model.monthly").fetchall()
    broken = MONTHLY.replace("count(*)", "cast(min(post.post_id) as integer)")
    with pytest.raises(
        WarehouseError, match=r"model\.monthly: the query failed: ConversionException on some value"
    ):
        run(con, folder, store, queries(folder, model__monthly=broken))
    assert con.execute("select * from model.monthly").fetchall() == before
    assert run(con, folder, store, queries(folder))["model.monthly"] == "built"


def test_small_tables_take_one_thread_and_leave_as_many_as_there_were(place: Any) -> None:
    con, folder, store = place
    con.execute("set threads = 3")
    observe(store, MONDAY, [post("at://1")])
    run(con, folder, store, queries(folder))
    asking = COUNTED.replace("shown.name,", "shown.name, current_setting('threads') as threads,")
    assert run(con, folder, store, queries(folder, model__counted=asking))["model.counted"] == "built"
    assert con.execute("select distinct threads from model.counted").fetchall() == [(1,)]
    owners(con, {"did:plc:a": "A", "did:plc:b": "Bee"})
    failing = asking.replace("month.month_on", "month.month_on, cast(shown.name as integer) as number", 1)
    for text in (failing, asking):
        with contextlib.suppress(WarehouseError):
            run(con, folder, store, queries(folder, model__counted=text))
        assert con.execute("select current_setting('threads')").fetchone() == (3,)


def test_the_second_line_says_how_a_table_follows_and_nothing_else_will_do(tmp_path: Path) -> None:
    given = queries(tmp_path)
    assert given["model.newest"].refresh == Newest(("post_id", "month_on"), ("observed_at", "pull_id"))
    assert given["model.monthly"].refresh == Rebuilt("month_on")
    assert given["model.yearly"].refresh is None
    for line in ("-- newest per post_id", "-- rebuilt by a, b, c", "-- newest per a by"):
        with pytest.raises(SqlError, match="the second line must be"):
            _ = Query(tmp_path / "a.sql", f"-- one row per thing\n{line}\nselect 1").refresh


def test_a_newest_table_reads_one_observation(place: Any) -> None:
    con, folder, store = place
    wrong = NEWEST.replace(
        "from observation.post", "from observation.post semi join observation.account using (handle)"
    )
    with pytest.raises(
        WarehouseError, match=r"model\.newest: a `newest` table reads exactly one observation table"
    ):
        run(con, folder, store, queries(folder, model__newest=wrong))


def test_a_pull_that_ends_during_a_run_is_seen_by_no_table_of_it(place: Any) -> None:
    con, folder, store = place
    given, names = queries(folder), {"did:plc:a": "A", "did:plc:b": "B", "did:plc:c": "C"}
    observe(store, MONDAY, [post("at://1")])
    run(con, folder, store, given)
    judged: list[int] = []

    def check(rows: str) -> Verdict:
        (size,) = con.execute(f"select count(*) from {rows}").fetchone()
        judged.append(size)
        return Verdict(rows, ())

    def tables(names: Sequence[str]) -> None:
        plan = Plan(given, lambda query, contract: query.text + (contract.digest if contract else ""), store)
        for table in names:
            refresh(con, plan, given[table], contract_of_likes(folder) if table == "public.likes" else None)

    observe(store, MONDAY + dt.timedelta(days=1), [post("at://2")])
    show_observations(con, store, "account", check)
    tables(["model.last"])
    observe(store, MONDAY + dt.timedelta(days=2), [post("at://3"), post("at://4")])
    show_observations(con, store, "post", check)
    tables([table for table in TEXTS if table != "model.last"])
    assert judged == [1, 1]
    assert [pull.observed_on.day for pull in shown_pulls(con)] == [7, 8]
    assert con.execute("select count(*) from model.newest").fetchone() == (2,)
    run(con, folder, store, given)
    assert con.execute("select count(*) from model.newest").fetchone() == (4,)
    assert content(con) == anew(folder, store, names, given)


def test_a_verdict_is_told_which_rows_changed_since_any_version(place: Any) -> None:
    con, folder, store = place
    given, dice = queries(folder), random.Random(3)  # noqa: S311 - repeatable, not secret
    query = given["public.likes"]
    versions: dict[str, set[Any]] = {}
    changes = None
    for day in range(6):
        moment = MONDAY + dt.timedelta(days=day)
        observe(store, moment, random_posts(dice, moment))
        run(con, folder, store, given)
        changes = changes_of(con, query)
        assert changes is not None
        assert changes.columns == ("month_on",)
        rows = set(con.execute(f"select * from {query.table}").fetchall())
        for version, before in versions.items():
            con.execute(
                "create or replace temp table month as select unnest(?::date[]) as month_on",
                [sorted({row[0] for row in rows | before})],
            )
            same = con.execute(f"select month_on from month where not ({changes.since(version)})").fetchall()
            assert {row for row in rows if row[:1] in same} == {row for row in before if row[:1] in same}
        versions[changes.version] = rows
    assert len(versions) > 3
    assert changes is not None
    assert changes.since(changes.version) == "false"
    con.execute("drop table public.likes")
    assert changes_of(con, query) is None
    run(con, folder, store, given)
    anew = changes_of(con, query)
    assert anew is not None
    assert anew.since(changes.version) is None
