"""The published figures of the sample, held against the same computed in pandas from the observations alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import duckdb
import pandas as pd
import pytest

from pipelines.assets import PROJECT
from pipelines.observations import TABLES, ObservationStore
from pipelines.release.manifest import read_pointer
from pipelines.settings import Home
from tests.integration.test_engagement_tables import (
    Expected,
    World,
    assert_same,
    expectation,
    expected_distribution,
    expected_hours,
    expected_monthly,
    expected_weekly,
    rows_of,
)

Computed = Callable[[World, Expected], Mapping[Any, Mapping[str, Any]]]
FIGURES: dict[str, Computed] = {
    "account_activity_weekly": expected_weekly,
    "authority_engagement_monthly": expected_monthly,
    "hourly_profile": expected_hours,
    "activity_distribution": expected_distribution,
}


def frame(con: duckdb.DuckDBPyConnection, query: str) -> pd.DataFrame:
    found = con.sql(query).df()
    for name in found.columns:
        if name.endswith(("_from", "_to")) and name.startswith("valid"):
            found[name] = [None if pd.isna(value) else value.date() for value in found[name]]
        elif found[name].dtype == object or str(found[name].dtype).startswith("str"):
            found[name] = [None if pd.isna(value) else value for value in found[name]]
    return found


@pytest.fixture(scope="module")
def world(sample_home: Home) -> World:
    """What was observed, and whose accounts they are; nothing else of the warehouse."""
    store = ObservationStore(sample_home.observations, PROJECT.contracts, PROJECT.policy)
    con = duckdb.connect(str(sample_home.warehouse), read_only=True)
    try:
        authority = frame(
            con,
            "select authority_code, nation, region, authority_type, valid_from, valid_to from clean.authority",
        )
        # A body whose first day is not known has been there all the time.
        authority["valid_from"] = [value or dt.date.min for value in authority["valid_from"]]
        owner = frame(con, "select * from model.account_owner")
    finally:
        con.close()
    con = duckdb.connect()
    try:
        observed = {table: con.sql(store.query(table)).df() for table in TABLES}
    finally:
        con.close()
    return World(authority, owner, observed)


@pytest.fixture(scope="module")
def released(sample_home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """The newest release, each dataset as `public.<name>`."""
    pointer = read_pointer(sample_home.public)
    assert pointer is not None
    con = duckdb.connect()
    con.execute("create schema public")
    for path in (sample_home.public / pointer.path).glob("*.parquet"):
        con.execute(f"create view public.{path.stem} as select * from read_parquet('{path}')")
    yield con
    con.close()


@pytest.mark.parametrize("dataset", FIGURES)
def test_every_published_figure_is_what_pandas_computes(
    released: duckdb.DuckDBPyConnection, world: World, dataset: str
) -> None:
    assert_same(rows_of(released, dataset), FIGURES[dataset](world, expectation(world)))


def test_the_rule_of_ten_lets_figures_out_and_holds_figures_back_in_the_sample(
    released: duckdb.DuckDBPyConnection,
) -> None:
    rows = released.execute(
        "select withheld_reason, count(*), count(posts) from public.authority_engagement_monthly "
        "where owner_kind = 'councillor' group by 1"
    ).fetchall()
    reasons = {reason: (number, shown) for reason, number, shown in rows}
    assert reasons[None][0] == reasons[None][1] > 0
    assert len(reasons) >= 3, "too few accounts, and two accounts that write nearly everything"
    assert all(shown == 0 for reason, (_, shown) in reasons.items() if reason)


def test_the_sample_covers_twelve_weeks_with_a_change_of_clocks(released: duckdb.DuckDBPyConnection) -> None:
    window = released.execute("select distinct window_from, window_to from public.hourly_profile").fetchall()
    assert window == [(dt.date(2026, 8, 31), dt.date(2026, 11, 22))]
    tiers = released.execute(
        "select count(*) filter (where posts = 0), count(*) filter (where posts between 1 and 7), "
        "count(*) filter (where posts > 7) from public.account_activity_weekly"
    ).fetchone()
    assert tiers is not None
    assert all(number > 10 for number in tiers), "councils that are silent, middling and heavy"
