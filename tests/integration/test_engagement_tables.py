"""The tables about posts and measures, held against an independent computation in pandas.

A small world of random observations, seeded, with every trap planted: both changes of the clocks, the 53rd week of
2026, New Year, hidden counts, deleted posts, renamed, shared, inherited and lost accounts, small and dominated
groups. Its tables are built from the project's SQL; the expected figures share nothing with that SQL.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.contract import SQL_TYPES, load_contracts, row_rule, to_ddl
from pipelines.functions import FUNCTIONS
from pipelines.lineage import Newest, Rebuilt, build_order, load_queries
from pipelines.measures import DistributionMeasures, distribution_measures
from pipelines.settings import project_folder
from pipelines.warehouse import attach_published, build_table, load_source, open_warehouse

LONDON = ZoneInfo("Europe/London")
CONTRACTS = load_contracts(project_folder("data_contracts"))
QUERIES = load_queries(project_folder("sql"))
MACROS = (project_folder("sql") / "macros.sql").read_text(encoding="utf-8")
OBSERVED = ("account", "profile", "post", "reply")
DATASETS = (
    "account_activity_weekly",
    "authority_engagement_monthly",
    "hourly_profile",
    "activity_distribution",
    "reply_latency",
)
GIVEN = {"model.account_owner", "clean.authority"}
FEW, TWO = "fewer than 10 contributing accounts", "two accounts make 90 % or more"
OWN = ("post", "quote", "reply")
COUNTS = ("likes", "reposts", "replies", "quotes")
# Digits after the point with which figures are published; six where none is said.
DIGITS = {
    "engagement_median": 2,
    "engagement_p90": 2,
    "out_of_hours_share": 4,
    "out_of_hours_share_by_account": 4,
    "hour_entropy": 4,
    "share": 4,
}
BANDS = ("zero", "low", "middle", "heavy")
# Windows that hold the hour that comes twice, the one that is left out, and the 53rd week.
LAST_DAYS = (dt.date(2026, 11, 17), dt.date(2027, 4, 14))
FIRST = dt.datetime(2026, 8, 20, 9, 30)  # noqa: DTZ001 - stored times are plain UTC


# --- a world of observations --------------------------------------------------------------------------------


@dataclass
class World:
    """What the tables are built from: observations, authorities and listed owners."""

    authority: pd.DataFrame
    owner: pd.DataFrame
    observed: dict[str, pd.DataFrame] = field(default_factory=dict)


AUTHORITIES = [
    # code, nation, region, type, councillors' accounts on Bluesky, on Mastodon
    ("AAA", "England", "South West", "UA", 31, 12),
    ("AAB", "England", "South West", "UA", 14, 3),
    ("AAC", "England", "South West", "NMD", 9, 0),
    ("AAD", "England", "South East", "NMD", 12, 10),
    ("AAE", "England", "London", "LBO", 22, 0),
    ("AAF", "England", "London", "LBO", 16, 0),
    ("AAG", "England", "London", "CC", 4, 0),
    ("AAH", "England", "North West", "MD", 15, 0),
    ("AAI", "Scotland", "Scotland", "SCO", 18, 0),
    ("AAJ", "Wales", "Wales", "WPA", 12, 0),
    ("AAK", "Northern Ireland", "Northern Ireland", "NID", 6, 0),
    ("AAL", "England", None, "COMB", 0, 0),
]


def authorities() -> pd.DataFrame:
    rows = [
        {
            "authority_code": code,
            "nation": nation,
            "region": region,
            "authority_type": kind,
            "valid_from": dt.date(1974, 4, 1),
            "valid_to": None,
        }
        for code, nation, region, kind, _, _ in AUTHORITIES
    ]
    rows.append({**rows[0], "authority_code": "AAX", "valid_to": dt.date(2026, 10, 31)})
    rows.append({**rows[0], "authority_code": "AAY", "valid_from": dt.date(2026, 11, 1)})
    return pd.DataFrame(rows)


class Maker:
    """Makes a world from a seed; accounts come with an activity, a state and the day from which they are read."""

    def __init__(self, seed: int, last_day: dt.date, accounts_per_authority: float = 1.0) -> None:
        self.random = np.random.default_rng(seed)
        self.last = dt.datetime.combine(last_day, dt.time(5))
        self.scale = accounts_per_authority
        self.owners: list[dict[str, Any]] = []
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in OBSERVED}
        days = (self.last - FIRST).days
        moments = [FIRST + dt.timedelta(days=6 * n + 1, hours=int(n % 7)) for n in range(days // 6)]
        self.pulls = [
            (f"{at:%Y%m%dT%H%M%SZ}-{n:08x}", at) for n, at in enumerate([*moments, self.last]) if at <= self.last
        ]

    def world(self) -> World:
        for code, *_, bluesky, mastodon in AUTHORITIES:
            self._account(code, "bluesky", "council", rate=float(self.random.exponential(1.2)))
            if self.random.random() < 0.4:
                self._account(code, "mastodon", "council", rate=float(self.random.exponential(0.4)))
            for platform, people in (("bluesky", bluesky), ("mastodon", mastodon)):
                for n in range(round(people * self.scale)):
                    silent = self.random.random() < 0.15
                    rate = 0.0 if silent else float(self.random.lognormal(-2.2, 1.1))
                    # In one council two people write nearly everything.
                    rate = {"AAH": 8.0 if n < 2 else 0.1}.get(code, rate)
                    self._account(code, platform, "councillor", rate=rate)
        self._special_accounts()
        frames = {name: pd.DataFrame(rows) for name, rows in self.rows.items()}
        return World(authorities(), pd.DataFrame(self.owners), frames)

    def _special_accounts(self) -> None:
        council = {"kind": "council", "rate": 0.8}
        for outcome in ("opted_out", "moved", "unavailable", "restricted"):
            self._account("AAA", "bluesky", **council, ends=outcome)
            self._account("AAA", "bluesky", "councillor", rate=1.5, ends=outcome)
        self._account("AAA", "bluesky", **council, ends="failed")  # a failure is no verdict
        self._account("AAA", "mastodon", **council, never=True)
        self._account("AAE", "bluesky", **council, read_from=FIRST + dt.timedelta(days=40))
        self._account("AAI", "bluesky", **council, hidden=True)
        # One account of two councils; one whose body was replaced; one renamed, which only its id shows.
        shared = self._account("AAD", "bluesky", **council)
        self._own(shared, "AAC", "council")
        inherited = self._account("AAX", "bluesky", **council, to=dt.date(2026, 10, 31))
        self._own(inherited, "AAY", "council", since=dt.date(2026, 11, 1))
        renamed = self._account("AAJ", "bluesky", **council, since=dt.date(2026, 10, 15), listed_id=True)
        self._own(renamed, "AAJ", "council", handle="formerly.example", to=dt.date(2026, 10, 14), listed_id=True)
        # Somebody on two councils, and a council's account that a candidate gave as theirs under another name.
        both = self._account("AAB", "bluesky", "councillor", rate=1.1)
        self._own(both, "AAA", "councillor")
        self._own(renamed, "AAJ", "councillor", handle="as.candidate.example")
        self._ask(renamed, "as.candidate.example")
        # A seat won in the middle of a month.
        self._account("AAI", "bluesky", "councillor", rate=1.0, since=dt.date(2026, 9, 18))

    def _account(
        self,
        code: str,
        platform: str,
        kind: str,
        *,
        rate: float,
        ends: str = "observed",
        never: bool = False,
        hidden: bool = False,
        read_from: dt.datetime = FIRST,
        since: dt.date | None = None,
        to: dt.date | None = None,
        listed_id: bool = False,
    ) -> dict[str, Any]:
        n = len(self.owners)
        account = {
            "platform": platform,
            "handle": f"user{n}@host.example" if platform == "mastodon" else f"user{n}.example",
            "account_id": f"host.example/{n}" if platform == "mastodon" else f"did:plc:{n}",
        }
        self._own(account, code, kind, since=since, to=to, listed_id=listed_id)
        if never:
            pull_id, at = self.pulls[-1]
            self._answer(account, pull_id, at, "unavailable", with_id=False)
            return account
        self._observe(account, rate, ends, hidden, read_from, official=kind == "council")
        return account

    def _own(
        self,
        account: Mapping[str, Any],
        code: str,
        kind: str,
        *,
        handle: str | None = None,
        since: dt.date | None = None,
        to: dt.date | None = None,
        listed_id: bool = False,
    ) -> None:
        self.owners.append(
            {
                "platform": account["platform"],
                "handle": handle or account["handle"],
                "authority_code": code,
                "owner_kind": kind,
                "account_id": account["account_id"] if listed_id else None,
                "valid_from": since,
                "valid_to": to,
            }
        )

    def _ask(self, account: Mapping[str, Any], handle: str) -> None:
        """Another handle of the list stands for an account that was already read."""
        pull_id, at = self.pulls[0]
        self._answer({**account, "handle": handle}, pull_id, at, "failed", with_id=True)

    def _answer(
        self,
        account: Mapping[str, Any],
        pull_id: str,
        at: dt.datetime,
        outcome: str,
        *,
        with_id: bool = True,
        read_from: dt.datetime | None = None,
    ) -> None:
        mark = "@" if account["platform"] == "mastodon" else ""
        self.rows["account"].append(
            {
                **self._frame(account, pull_id, at),
                "handle": mark + account["handle"],
                "account_id": account["account_id"] if with_id else None,
                "outcome": outcome,
                "reason": None,
                "moved_to": None,
                "read_from": read_from,
                "read_to": at if outcome == "observed" else None,
                "posts_read": None,
            }
        )

    @staticmethod
    def _frame(account: Mapping[str, Any], pull_id: str, at: dt.datetime) -> dict[str, Any]:
        return {
            "platform": account["platform"],
            "observed_on": at.date(),
            "pull_id": pull_id,
            "observed_at": at,
        }

    def _observe(
        self,
        account: Mapping[str, Any],
        rate: float,
        ends: str,
        hidden: bool,
        read_from: dt.datetime,
        *,
        official: bool,
    ) -> None:
        seconds = int(self.random.integers(0, 3000))
        pulls = [(pull_id, at + dt.timedelta(seconds=seconds)) for pull_id, at in self.pulls if at >= read_from]
        for place, (pull_id, at) in enumerate(pulls):
            outcome = ends if place == len(pulls) - 1 else "observed"
            if self.random.random() < 0.05 and outcome == "observed" and 0 < place < len(pulls) - 1:
                outcome = "failed"
            since = read_from if place == 0 else at - dt.timedelta(days=29)
            self._answer(
                account, pull_id, at, outcome, read_from=max(since, read_from) if outcome == "observed" else None
            )
            if outcome == "observed" and self.random.random() < 0.8:
                self._profile(account, pull_id, at)
        for n, posted_at in enumerate(self._times(rate, official=official)):
            self._post(account, n, posted_at, pulls, hidden, official=official)

    def _profile(self, account: Mapping[str, Any], pull_id: str, at: dt.datetime) -> None:
        self.rows["profile"].append(
            {
                **self._frame(account, pull_id, at),
                "account_id": account["account_id"],
                "handle": account["handle"],
                "created_at": None,
                "followers": int(self.random.integers(0, 900)) if self.random.random() < 0.9 else None,
                "following": int(self.random.integers(0, 900)),
                "posts": None,
            }
        )

    def _times(self, rate: float, *, official: bool) -> list[dt.datetime]:
        days = (self.last - FIRST).days
        size = int(self.random.poisson(rate * days))
        times = [
            FIRST + dt.timedelta(seconds=int(s)) for s in self.random.integers(-5 * 86400, days * 86400, size)
        ]
        if official:  # the hour that comes twice, both of it; around the one that is left out; New Year
            borders = [
                dt.datetime(2026, 10, 25, 0, 30),  # noqa: DTZ001
                dt.datetime(2026, 10, 25, 1, 30),  # noqa: DTZ001
                dt.datetime(2026, 9, 30, 23, 30),  # noqa: DTZ001 - in London it is October
                dt.datetime(2026, 12, 31, 23, 59, 59),  # noqa: DTZ001
                dt.datetime(2027, 1, 1),  # noqa: DTZ001
                dt.datetime(2027, 1, 3, 23, 59),  # noqa: DTZ001 - the last minute of 2026-W53
                dt.datetime(2027, 3, 28, 0, 59, 59),  # noqa: DTZ001
                dt.datetime(2027, 3, 28, 1),  # noqa: DTZ001
                dt.datetime(2026, 11, 16, 9),  # noqa: DTZ001 - the first minute of office hours
                dt.datetime(2026, 11, 13, 17),  # noqa: DTZ001 - and the first after them
            ]
            times += [moment for moment in borders if moment < self.last and self.random.random() < 0.7]
            times.append(dt.datetime(1985, 5, 1))  # noqa: DTZ001
        return sorted(times)

    def _post(
        self,
        account: Mapping[str, Any],
        n: int,
        posted_at: dt.datetime,
        pulls: Sequence[tuple[str, dt.datetime]],
        hidden: bool,
        *,
        official: bool,
    ) -> None:
        later = [(pull_id, at) for pull_id, at in pulls if at > posted_at][: int(self.random.integers(1, 8))]
        kind = str(self.random.choice(["post", "reply", "quote", "repost"], p=[0.5, 0.25, 0.1, 0.15]))
        reach = float(self.random.exponential(6))
        ahead = self.random.random() < 0.02
        is_deleted = self.random.random() < 0.05
        for place, (pull_id, at) in enumerate(later):
            is_gone = is_deleted and place == len(later) - 1
            is_counted = not is_gone and kind != "repost" and not hidden
            grown = min(1.0, 0.2 + (at - posted_at).days / 30)
            counts = {name: int(reach * grown / (place_ + 1)) for place_, name in enumerate(COUNTS)}
            if account["platform"] == "mastodon":
                counts["quotes"] = None  # type: ignore[assignment]
            if self.random.random() < 0.05:
                counts["likes"] = None  # type: ignore[assignment]
            self.rows["post"].append(
                {
                    **self._frame(account, pull_id, at),
                    "account_id": account["account_id"],
                    "post_id": f"{account['account_id']}/{n}",
                    "kind": kind,
                    "posted_at": posted_at,
                    "claimed_at": dt.datetime(2031, 1, 1) if ahead else posted_at,  # noqa: DTZ001
                    "is_gone": is_gone,
                    **{name: count if is_counted else None for name, count in counts.items()},
                    "text_length": 10,
                    "has_link": False,
                    "language": None,
                }
            )
        if official and kind != "repost" and later and self.random.random() < 0.5:
            self._replies(account, n, posted_at, later)

    def _replies(
        self, account: Mapping[str, Any], n: int, posted_at: dt.datetime, later: Sequence[tuple[str, dt.datetime]]
    ) -> None:
        ripe = [(pull_id, at) for pull_id, at in later if at - posted_at >= dt.timedelta(days=7)][:2]
        waits = self.random.exponential(30 * 3600, size=3)
        for pull_id, at in ripe:
            for k, wait in enumerate(waits):
                received = posted_at + dt.timedelta(hours=1 + k)
                answered = received + dt.timedelta(seconds=int(wait))
                self.rows["reply"].append(
                    {
                        **self._frame(account, pull_id, at),
                        "account_id": account["account_id"],
                        "post_id": f"{account['account_id']}/{n}",
                        "received_at": received,
                        "answered_at": answered if answered < at and k != 2 else None,
                    }
                )


@cache
def world_of(last_day: dt.date) -> World:
    return Maker(20261123, last_day).world()


# --- the tables as the project builds them ------------------------------------------------------------------


def wanted_tables() -> list[str]:
    """What the datasets are made of, in an order in which each comes after what it reads."""
    needed: set[str] = set()
    waiting = [*(f"public.{name}" for name in DATASETS), "model.account_state"]
    while waiting:
        table = waiting.pop()
        if table in QUERIES and table not in GIVEN and table not in needed:
            needed.add(table)
            waiting += QUERIES[table].reads
    return [table for table in build_order(QUERIES) if table in needed]


def fill(con: duckdb.DuckDBPyConnection, world: World) -> None:
    """Put a world where the queries look for it."""
    con.execute(MACROS)
    con.execute("create schema if not exists observation")
    for name in OBSERVED:
        columns = CONTRACTS[f"observation.{name}"].columns
        load(con, f"observation.{name}", world.observed[name], {c.name: SQL_TYPES[c.type] for c in columns})
    text = dict.fromkeys(("authority_code", "nation", "region", "authority_type"), "VARCHAR")
    dates = dict.fromkeys(("valid_from", "valid_to"), "DATE")
    load(con, "clean.authority", world.authority, {**text, **dates})
    owner = dict.fromkeys(("platform", "handle", "authority_code", "owner_kind", "account_id"), "VARCHAR")
    load(con, "model.account_owner", world.owner, {**owner, **dates})


def load(con: duckdb.DuckDBPyConnection, table: str, frame: pd.DataFrame, types: Mapping[str, str]) -> None:
    given = frame.reindex(columns=list(types)).astype(object)
    given = given.where(given.notna(), None)
    con.register("given", given.astype("string"))
    columns = ", ".join(f'cast("{name}" as {sql_type}) as "{name}"' for name, sql_type in types.items())
    con.execute(f"create or replace table {table} as select {columns} from given")
    con.unregister("given")


def build(con: duckdb.DuckDBPyConnection, tables: Sequence[str] | None = None) -> None:
    for table in tables or wanted_tables():
        query = QUERIES[table]
        result = build_table(con, table, query.text, query.grain, CONTRACTS.get(table))
        assert result.rows_in == result.rows_out, (table, result.quarantined)


@pytest.fixture(scope="module", params=LAST_DAYS, ids=str)
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, duckdb.DuckDBPyConnection]]:
    """A world and the warehouse that was built from it."""
    world = world_of(request.param)
    with open_warehouse(tmp_path_factory.mktemp("tables") / "warehouse.duckdb", FUNCTIONS) as con:
        fill(con, world)
        build(con)
        yield world, con


Built = tuple[World, duckdb.DuckDBPyConnection]


def rows_of(con: duckdb.DuckDBPyConnection, dataset: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows of a dataset by their key."""
    contract = CONTRACTS[f"public.{dataset}"]
    result = con.execute(f"select * from public.{dataset}")
    names = [column[0] for column in result.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    found = {tuple(row[name] for name in contract.key): row for row in rows}
    assert len(found) == len(rows), "the key is not unique"
    return found


def assert_same(found: Mapping[Any, Mapping[str, Any]], expected: Mapping[Any, Mapping[str, Any]]) -> None:
    """Every number of every row, to the digits that are published."""
    assert set(found) == set(expected)
    assert len(found) > 0
    wrong = [
        (key, name, row[name], expected[key][name])
        for key, row in found.items()
        for name in row
        if not _equal(row[name], expected[key][name], name)
    ]
    assert wrong == []


def _equal(found: Any, expected: Any, name: str) -> bool:
    if not isinstance(found, float) or expected is None:
        return bool(found == expected)
    value, digits = expected if isinstance(expected, Rounded) else (float(expected), DIGITS.get(name, 6))
    # Rounding may fall either way where the exact value ends in a five.
    return any(math.isclose(found, round(value + nudge, digits), abs_tol=1e-10) for nudge in (0, 1e-9, -1e-9))


class Rounded(NamedTuple):
    """A figure that is published with its own number of digits."""

    value: float
    digits: int


# --- the same figures in pandas -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """Steps that several datasets share."""

    posts: pd.DataFrame  # newest state of each post that counts, with its local time
    reading: dict[tuple[str, str], tuple[dt.date, dt.date]]  # whole days read, of accounts that are shown
    owners: pd.DataFrame  # platform, account_id, authority_code, owner_kind, handle, counted_from, counted_to


def local(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC).astimezone(LONDON)


def newest(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    return frame.sort_values(["observed_at", "pull_id"]).groupby(list(keys), as_index=False).tail(1)


@cache
def expect(last_day: dt.date) -> Expected:
    return expectation(world_of(last_day))


def expectation(world: World) -> Expected:
    asked = world.observed["account"].copy()
    asked["handle"] = asked["handle"].str.lstrip("@")
    identity = {
        (row.platform, row.handle): row.account_id
        for row in newest(asked[asked["account_id"].notna()], ["platform", "handle"]).itertuples()
    }
    asked["account_id"] = [
        row.account_id if isinstance(row.account_id, str) else identity.get((row.platform, row.handle))
        for row in asked.itertuples()
    ]
    known = asked[asked["account_id"].notna()]
    answered = newest(known[known["outcome"] != "failed"], ["platform", "account_id"])
    shown = {(r.platform, r.account_id) for r in answered.itertuples() if r.outcome == "observed"}
    reading = {}
    for key, group in known[known["outcome"] == "observed"].groupby(["platform", "account_id"]):
        since, upto = (
            local(group["read_from"].min().to_pydatetime()),
            local(group["read_to"].max().to_pydatetime()),
        )
        midnight = since.replace(hour=0, minute=0, second=0, microsecond=0)
        first = since.date() if since == midnight else since.date() + dt.timedelta(days=1)
        if key in shown:
            reading[key] = (first, upto.date() - dt.timedelta(days=1))
    return Expected(latest_posts(world), reading, owned(world.owner, identity, set(known["account_id"])))


def latest_posts(world: World) -> pd.DataFrame:
    posts = newest(world.observed["post"], ["platform", "post_id"]).copy()
    opened = {"bluesky": pd.Timestamp("2022-11-17"), "mastodon": pd.Timestamp("2016-10-05")}
    posts = posts[~posts["is_gone"].astype(bool) & (posts["posted_at"] >= posts["platform"].map(opened))].copy()
    times = [local(moment.to_pydatetime()) for moment in posts["posted_at"]]
    posts["day"] = [moment.date() for moment in times]
    posts["week_on"] = [moment.date() - dt.timedelta(days=moment.weekday()) for moment in times]
    posts["month_on"] = [moment.date().replace(day=1) for moment in times]
    posts["hour_of_week"] = [24 * moment.weekday() + moment.hour for moment in times]
    posts["out"] = [moment.weekday() > 4 or not 9 <= moment.hour <= 16 for moment in times]
    posts["mature"] = posts["observed_at"] - posts["posted_at"] >= pd.Timedelta(days=28)
    known = posts[list(COUNTS)].apply(pd.to_numeric)
    posts[list(COUNTS)] = known
    posts["engagement"] = known.sum(axis=1, min_count=1)
    posts["own"] = posts["kind"].isin(OWN)
    return posts


def owned(owners: pd.DataFrame, identity: Mapping[tuple[str, str], str], known: set[str]) -> pd.DataFrame:
    """Accounts with the days on which they count for an authority, found day by day."""
    spans: dict[tuple[str, str, str, str], list[tuple[dt.date, dt.date, str]]] = {}
    for row in owners.itertuples():
        listed = row.account_id if isinstance(row.account_id, str) and row.account_id in known else None
        account_id = listed or identity.get((row.platform, row.handle))
        if account_id is not None:
            since = row.valid_from if isinstance(row.valid_from, dt.date) else dt.date(1000, 1, 1)
            upto = row.valid_to if isinstance(row.valid_to, dt.date) else dt.date(9999, 12, 31)
            key = (row.platform, account_id, row.authority_code, row.owner_kind)
            spans.setdefault(key, []).append((since, upto, row.handle))
    official = {key[:2] for key in spans if key[3] == "council"}
    rows = []
    for key, listed_spans in spans.items():
        if key[3] == "councillor" and key[:2] in official:
            continue
        handle = sorted(listed_spans, key=lambda span: (-span[1].toordinal(), -span[0].toordinal(), span[2]))[0][2]
        merged: list[list[dt.date]] = []
        for since, upto, _ in sorted(listed_spans):
            if merged and since.toordinal() <= merged[-1][1].toordinal() + 1:
                merged[-1][1] = max(merged[-1][1], upto)
            else:
                merged.append([since, upto])
        rows += [(*key, handle, since, upto) for since, upto in merged]
    names = ["platform", "account_id", "authority_code", "owner_kind", "handle", "counted_from", "counted_to"]
    return pd.DataFrame(rows, columns=names)


def own_gini(values: Sequence[float]) -> float | None:
    """Half the mean absolute difference over the mean, written as the definition has it."""
    total, n = sum(values), len(values)
    if not total:
        return None
    return sum(abs(a - b) for a in values for b in values) / (2 * n * total)


def judge(kind: str, values: Sequence[float]) -> str | None:
    """Rule D12 for one figure, from what each account contributes."""
    if kind == "council":
        return None
    contributing = sorted((value for value in values if value > 0), reverse=True)
    if len(contributing) < 10:
        return FEW
    return TWO if sum(contributing[:2]) >= 0.9 * sum(contributing) - 1e-9 else None


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def none_if_nan(value: Any) -> Any:
    return None if value is None or (isinstance(value, float) and math.isnan(value)) else value


def whole_number(value: Any) -> int | None:
    return None if none_if_nan(value) is None else int(value)


# --- weekly -------------------------------------------------------------------------------------------------


def expected_weekly(world: World, by: Expected) -> dict[tuple[Any, ...], dict[str, Any]]:
    profiles = world.observed["profile"].copy()
    days = [local(moment.to_pydatetime()).date() for moment in profiles["observed_at"]]
    profiles["week_on"] = [day - dt.timedelta(days=day.weekday()) for day in days]
    last_profile = {
        (r.platform, r.account_id, r.week_on): r
        for r in newest(profiles, ["platform", "account_id", "week_on"]).itertuples()
    }
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    councils = by.owners[by.owners["owner_kind"] == "council"]
    groups = dict(iter(by.posts.groupby(["platform", "account_id"])))
    for owner in councils.itertuples():
        account = (owner.platform, owner.account_id)
        if account not in by.reading:
            continue
        first, last = by.reading[account]
        day = max(first, owner.counted_from)
        while day <= min(last, owner.counted_to):
            monday = day - dt.timedelta(days=day.weekday())
            key = (owner.authority_code, *account, monday)
            found.setdefault(key, {"handle": owner.handle, "days_read": 0})["days_read"] += 1
            day += dt.timedelta(days=1)
    for key, row in found.items():
        code, platform, account_id, monday = key
        spans = councils[(councils["authority_code"] == code) & (councils["account_id"] == account_id)]
        posts = groups.get((platform, account_id), by.posts.iloc[:0])
        posts = posts[posts["week_on"] == monday]
        held = [any(s.counted_from <= d <= s.counted_to for s in spans.itertuples()) for d in posts["day"]]
        posts = posts[np.array(held, dtype=bool)]
        profile = last_profile.get((platform, account_id, monday))
        year, week, _ = monday.isocalendar()
        row.update(weekly_row(posts))
        row.update(
            authority_code=code,
            platform=platform,
            account_id=account_id,
            week_on=monday,
            iso_week=f"{year}-W{week:02}",
            followers=whole_number(profile.followers) if profile else None,
            following=whole_number(profile.following) if profile else None,
        )
    return found


def weekly_row(posts: pd.DataFrame) -> dict[str, Any]:
    own = posts[posts["own"]]
    received = {f"{name}_received": whole_number(own[name].sum(min_count=1)) if len(own) else 0 for name in COUNTS}
    return {
        "posts": len(own),
        "quotes": int((own["kind"] == "quote").sum()),
        "replies": int((own["kind"] == "reply").sum()),
        "reposts": int((posts["kind"] == "repost").sum()),
        **received,
        "engagement": whole_number(own["engagement"].sum(min_count=1)) if len(own) else 0,
        "engagement_median": none_if_nan(own["engagement"].median()) if len(own) else None,
        "is_mature": bool(own["mature"].all()),
        "out_of_hours_share": share(own["out"].sum(), len(own)),
    }


def last_day_of(world: World) -> dt.date:
    return max(day for day in LAST_DAYS if day <= world.observed["account"]["observed_on"].max())


def test_weekly_activity_is_what_pandas_computes(built: Built) -> None:
    world, con = built
    by = expect(last_day_of(world))
    assert_same(rows_of(con, "account_activity_weekly"), expected_weekly(world, by))


def test_weeks_are_numbered_over_the_turn_of_the_year(built: Built) -> None:
    world, con = built
    weeks = {row["iso_week"]: row["week_on"] for row in rows_of(con, "account_activity_weekly").values()}
    if last_day_of(world) == LAST_DAYS[1]:
        assert weeks["2026-W53"] == dt.date(2026, 12, 28)
        assert weeks["2027-W01"] == dt.date(2027, 1, 4)
    assert weeks["2026-W35"] == dt.date(2026, 8, 24)


def test_every_iso_week_of_the_calendar_has_its_name(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "w.duckdb") as con:
        con.execute(MACROS)
        build(con, ["model.calendar_week", "model.calendar_month"])
        weeks = con.execute("select week_on, sunday_on, iso_week from model.calendar_week order by 1").fetchall()
        months = con.execute("select month_on, last_on from model.calendar_month order by 1").fetchall()
    for monday, sunday, name in weeks:
        year, week, weekday = monday.isocalendar()
        assert (name, weekday, sunday - monday) == (f"{year}-W{week:02}", 1, dt.timedelta(days=6))
    assert weeks[0][0] <= dt.date(2016, 10, 5)
    assert weeks[-1][0] > dt.date(2050, 1, 1)
    assert all(month.day == 1 and (last + dt.timedelta(days=1)).day == 1 for month, last in months)
    assert [last + dt.timedelta(days=1) for _, last in months[:-1]] == [month for month, _ in months[1:]]


def test_no_account_that_asked_not_to_be_shown_has_a_week(built: Built) -> None:
    world, con = built
    asked = world.observed["account"]
    lost = asked[asked["outcome"].isin(["opted_out", "moved", "unavailable", "restricted"])]["account_id"].dropna()
    shown = {row["account_id"] for row in rows_of(con, "account_activity_weekly").values()}
    assert lost.nunique() == 8
    assert not shown & set(lost)
    failed = set(asked[asked["outcome"] == "failed"]["account_id"]) & shown
    assert failed, "an account that failed to answer keeps what was read of it"


# --- monthly ------------------------------------------------------------------------------------------------


def months_read(by: Expected) -> dict[tuple[str, dt.date, str, str], list[tuple[str, str]]]:
    """The accounts that were read and owned for a whole month, by authority, month, platform and owner kind."""
    groups: dict[tuple[str, dt.date, str, str], list[tuple[str, str]]] = {}
    for owner in by.owners.itertuples():
        account = (owner.platform, owner.account_id)
        if account not in by.reading:
            continue
        since = max(by.reading[account][0], owner.counted_from)
        upto = min(by.reading[account][1], owner.counted_to)
        month = dt.date(2026, 1, 1)
        while month < dt.date(2028, 1, 1):
            following = (month + dt.timedelta(days=31)).replace(day=1)
            if since <= month and following - dt.timedelta(days=1) <= upto:
                key = (owner.authority_code, month, owner.platform, owner.owner_kind)
                groups.setdefault(key, []).append(account)
            month = following
    return groups


def expected_monthly(world: World, by: Expected) -> dict[tuple[Any, ...], dict[str, Any]]:
    groups = months_read(by)
    months = {month for _, month, _, _ in groups}
    keys = {key for key in groups if key[3] == "council"}
    for body in world.authority.itertuples():
        if not isinstance(body.valid_to, dt.date):
            keys |= {
                (body.authority_code, month, platform, "councillor")
                for month in months
                for platform in ("bluesky", "mastodon")
                if body.valid_from <= month
            }
    posts = dict(iter(by.posts.groupby(["platform", "account_id", "month_on"])))
    empty = by.posts.iloc[:0]
    return {
        key: monthly_row(key, [posts.get((*account, key[1]), empty) for account in groups.get(key, [])])
        for key in keys
    }


def monthly_row(key: tuple[str, dt.date, str, str], accounts: Sequence[pd.DataFrame]) -> dict[str, Any]:
    kind = key[3]
    own = [posts[posts["own"]] for posts in accounts]
    written = [len(posts) for posts in own]
    replied = [int((posts["kind"] == "reply").sum()) for posts in own]
    reposted = [int((posts["kind"] == "repost").sum()) for posts in accounts]
    got = [float(posts["engagement"].sum()) for posts in own]
    everything = pd.concat(own) if own else None
    engagement = everything["engagement"].dropna() if everything is not None else pd.Series(dtype=float)
    base = judge(kind, [1] * len(accounts)) if kind == "councillor" else None
    reasons = {
        "withheld_reason": base or judge(kind, written),
        "replies_withheld_reason": base or judge(kind, replied),
        "reposts_withheld_reason": base or judge(kind, reposted),
        "engagement_withheld_reason": base or judge(kind, got),
    }
    about_posts = {
        "active_accounts": sum(n > 0 for n in written),
        "posts": sum(written),
        "is_mature": bool(everything["mature"].all()) if everything is not None else True,
        "gini": own_gini(written),
        "out_of_hours_share": share(sum(p["out"].sum() for p in own), sum(written)),
        "out_of_hours_share_by_account": none_if_nan(
            float(np.mean([p["out"].mean() for p in own if len(p)])) if any(written) else None
        ),
    }
    about_engagement = {
        "engagement": whole_number(engagement.sum()) if len(engagement) else None,
        "engagement_median": none_if_nan(engagement.median()) if len(engagement) else None,
        "engagement_p90": none_if_nan(engagement.quantile(0.9)) if len(engagement) else None,
    }
    return {
        **dict(zip(("authority_code", "month_on", "platform", "owner_kind"), key, strict=True)),
        "accounts": None if base else len(accounts),
        **(dict.fromkeys(about_posts) if reasons["withheld_reason"] else about_posts),
        "replies": None if reasons["replies_withheld_reason"] else sum(replied),
        "reposts": None if reasons["reposts_withheld_reason"] else sum(reposted),
        **(dict.fromkeys(about_engagement) if reasons["engagement_withheld_reason"] else about_engagement),
        **reasons,
    }


def test_monthly_engagement_is_what_pandas_computes(built: Built) -> None:
    world, con = built
    found = rows_of(con, "authority_engagement_monthly")
    assert_same(found, expected_monthly(world, expect(last_day_of(world))))
    reasons = {row["withheld_reason"] for row in found.values()}
    assert reasons == {None, FEW, TWO}, "the world shows every case"


def test_an_account_of_two_councils_counts_for_both(built: Built) -> None:
    world, _ = built
    by = expect(last_day_of(world))
    months = months_read(by)
    both = by.owners.groupby("account_id")["authority_code"].nunique()
    (person,) = set(both[both > 1].index) & set(by.owners[by.owners["owner_kind"] == "councillor"]["account_id"])
    held = {code for (code, _, _, kind), accounts in months.items() if ("bluesky", person) in accounts}
    assert held == {"AAA", "AAB"}


# --- hours, bands, answers ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """The accounts that were read for the whole window, each in the cell of one authority."""

    first: dt.date
    last: dt.date
    accounts: pd.DataFrame


def window_of(world: World, by: Expected) -> Window:
    newest_by_platform = {}
    for (platform, _), (_, last) in by.reading.items():
        newest_by_platform[platform] = max(last, newest_by_platform.get(platform, last))
    upto = min(newest_by_platform.values())
    last = upto - dt.timedelta(days=(upto.weekday() + 1) % 7)
    oldest = min(first for first, _ in by.reading.values())
    oldest_monday = oldest + dt.timedelta(days=-oldest.weekday() % 7)
    first = max(last - dt.timedelta(days=83), oldest_monday)
    rows = []
    places = world.authority.set_index("authority_code")
    for (platform, account_id), held in by.owners.groupby(["platform", "account_id"]):
        if (platform, account_id) not in by.reading:
            continue
        since, until = by.reading[platform, account_id]
        fits = held[(held["counted_from"] <= first) & (held["counted_to"] >= last)]
        if since > first or until < last or fits.empty:
            continue
        owner = fits.sort_values(["counted_from", "authority_code"]).iloc[0]
        place = places.loc[owner["authority_code"]]
        posts = by.posts[
            (by.posts["account_id"] == account_id) & (by.posts["platform"] == platform) & by.posts["own"]
        ]
        posts = posts[(posts["day"] >= first) & (posts["day"] <= last)]
        region = place["region"] if isinstance(place["region"], str) else ""
        rows.append(
            {
                "platform": platform,
                "account_id": account_id,
                "owner_kind": owner["owner_kind"],
                "authority_code": owner["authority_code"],
                "cell": (place["nation"], region, place["authority_type"]),
                "posts": posts,
                "n": len(posts),
            }
        )
    return Window(first, last, pd.DataFrame(rows))


def areas_of(world: World) -> dict[tuple[str, str], set[tuple[str, str, str]]]:
    areas: dict[tuple[str, str], set[tuple[str, str, str]]] = {}
    for body in world.authority.itertuples():
        if isinstance(body.valid_to, dt.date):
            continue
        region = body.region if isinstance(body.region, str) else ""
        cell = (body.nation, region, body.authority_type)
        areas.setdefault(("country", "United Kingdom"), set()).add(cell)
        areas.setdefault(("nation", body.nation), set()).add(cell)
        areas.setdefault(("authority_type", body.authority_type), set()).add(cell)
        if body.nation == "England" and region:
            areas.setdefault(("region", region), set()).add(cell)
    return areas


def among(cells: pd.Series, wanted: set[tuple[str, str, str]]) -> np.ndarray:
    return np.array([cell in wanted for cell in cells], dtype=bool)


def cell_reasons(window: Window, kind: str, *, about_posts: bool) -> dict[tuple[str, str, str], str | None]:
    accounts = window.accounts[window.accounts["owner_kind"] == kind]
    return {
        cell: judge(kind, list(group["n"]) if about_posts else [1] * len(group))
        for cell, group in accounts.groupby("cell")
    }


def area_accounts(
    world: World, window: Window, *, about_posts: bool
) -> Iterator[tuple[tuple[str, str], str, pd.DataFrame, str | None]]:
    """Each area and owner kind with the accounts that its figures rest on, or the reason why there are none."""
    for area, cells in areas_of(world).items():
        for kind in ("council", "councillor"):
            reasons = cell_reasons(window, kind, about_posts=about_posts)
            good = {cell for cell in cells if cell in reasons and reasons[cell] is None}
            accounts = window.accounts[
                (window.accounts["owner_kind"] == kind) & among(window.accounts["cell"], good)
            ]
            reason = None
            if kind == "councillor" and not good:
                reason = max((reasons[cell] or "" for cell in cells if cell in reasons), default=FEW)
            yield area, kind, accounts, reason


def hours_in(window: Window) -> list[int]:
    """How often the clocks showed each hour of the week, minute hand by minute hand through the window."""
    hours = [0] * 168
    moment = dt.datetime.combine(window.first - dt.timedelta(days=1), dt.time(), dt.UTC)
    while moment.date() <= window.last + dt.timedelta(days=1):
        shown = moment.astimezone(LONDON)
        if window.first <= shown.date() <= window.last:
            hours[24 * shown.weekday() + shown.hour] += 1
        moment += dt.timedelta(hours=1)
    return hours


def expected_hours(world: World, by: Expected) -> dict[tuple[Any, ...], dict[str, Any]]:
    window = window_of(world, by)
    hours = hours_in(window)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for area, kind, accounts, area_reason in area_accounts(world, window, about_posts=True):
        active = accounts[accounts["n"] > 0]
        reason = area_reason or (None if len(active) else "no posts in the window")
        profiles = [np.bincount(posts["hour_of_week"], minlength=168) for posts in active["posts"]]
        pooled = sum(profiles, np.zeros(168))
        total = int(pooled.sum())
        equal = sum((p / p.sum() for p in profiles), np.zeros(168))
        digits = 4 if kind == "council" else 3
        for hour in range(168):
            found[(*area, kind, hour)] = {
                **dict(zip(("area_kind", "area", "owner_kind", "hour_of_week"), (*area, kind, hour), strict=True)),
                "window_from": window.first,
                "window_to": window.last,
                "hours": hours[hour],
                "accounts": None if reason else len(active) if kind == "council" else len(active) // 5 * 5,
                "posts": None if reason else total,
                "share": None if reason else Rounded(float(pooled[hour]) / total, digits),
                "share_by_account": None if reason else Rounded(float(equal[hour]) / len(active), digits),
                "uniform_share": hours[hour] / sum(hours),
                "withheld_reason": reason,
            }
    return found


def test_hours_are_what_pandas_computes(built: Built) -> None:
    world, con = built
    found = rows_of(con, "hourly_profile")
    assert_same(found, expected_hours(world, expect(last_day_of(world))))
    hours = {key[3]: row["hours"] for key, row in found.items() if key[:3] == ("nation", "England", "council")}
    odd = {hour: times for hour, times in hours.items() if times != 12}
    # Sunday 01:00 to 02:00 came twice on 25 October 2026 and was left out on 28 March 2027.
    assert odd == ({145: 13} if last_day_of(world) == LAST_DAYS[0] else {145: 11})


def test_the_hour_that_comes_twice_holds_both_posts(built: Built) -> None:
    _, con = built
    shown = con.execute(
        "select posted_at, hour_of_week, posted_on from model.post "
        "where posted_at in (timestamp '2026-10-25 00:30:00', timestamp '2026-10-25 01:30:00') group by all"
    ).fetchall()
    assert len(shown) == 2
    assert {row[1:] for row in shown} == {(145, dt.date(2026, 10, 25))}


def expected_distribution(world: World, by: Expected) -> dict[tuple[Any, ...], dict[str, Any]]:
    window = window_of(world, by)
    days = (window.last - window.first).days + 1
    profiles = hour_figures(world, window)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for area, kind, accounts, area_reason in area_accounts(world, window, about_posts=False):
        counts = [int(n) for n in accounts["n"]]
        reason = area_reason or (None if counts else "no accounts")
        row: dict[str, Any] = dict.fromkeys(row_names())
        row.update(dict(zip(("area_kind", "area", "owner_kind"), (*area, kind), strict=True)))
        row.update(window_from=window.first, window_to=window.last, withheld_reason=reason, **profiles[area, kind])
        for name in ("gini_reason", "dip_reason", "interval_reason"):
            row[name] = reason
        if reason is None:
            row.update(group_figures(kind, list(accounts["authority_code"]), counts, days))
        for band in BANDS:
            figures = (
                band_figures(kind, band, list(accounts["authority_code"]), counts, days) if not reason else {}
            )
            found[(*area, kind, band)] = {**row, "band": band, **figures}
    return found


def row_names() -> list[str]:
    return [column.name for column in CONTRACTS["public.activity_distribution"].columns]


@cache
def measures_of(codes: tuple[str, ...], counts: tuple[int, ...], days: int) -> DistributionMeasures:
    return distribution_measures(codes, counts, days)


def band_of(posts: int, days: int) -> str:
    a_month, a_day = posts * (365.25 / 12) / days, posts / days
    return "zero" if posts == 0 else "low" if a_month <= 1 else "middle" if a_day <= 1 else "heavy"


def band_figures(kind: str, band: str, codes: list[str], counts: list[int], days: int) -> dict[str, Any]:
    sizes = {one: sum(band_of(n, days) == one for n in counts) for one in BANDS}
    if kind == "councillor":
        sizes = {one: 5 * math.floor(n / 5 + 0.5) for one, n in sizes.items()}
    limits = measures_of(tuple(codes), tuple(counts), days)
    digits = 6 if kind == "council" else 2
    low, high = getattr(limits, f"{band}_share_low"), getattr(limits, f"{band}_share_high")
    return {
        "band_accounts": sizes[band],
        "share": sizes[band] / sum(sizes.values()),
        "share_low": None if low is None else round(low, digits),
        "share_high": None if high is None else round(high, digits),
    }


def own_agreement(counts: Sequence[int], days: int) -> float:
    """Van der Eijk's A after the definition: layers of equal height, each weighed by what it holds."""
    limits = (0, days / (365.25 / 12), days / 7, days)
    bands = np.bincount([sum(n > limit for limit in limits) for n in counts], minlength=5).astype(float)
    total, agreement = bands.sum(), 0.0
    while bands.max() > 1e-12:
        filled = bands > 1e-12
        height = bands[filled].min()
        agreement += layer_agreement(filled) * height * filled.sum() / total
        bands = np.where(filled, bands - height, 0)
    return float(agreement)


def layer_agreement(filled: np.ndarray) -> float:
    k, s = len(filled), int(filled.sum())
    triples = [
        (filled[i], filled[j], filled[m]) for i in range(k) for j in range(i + 1, k) for m in range(j + 1, k)
    ]
    agree = sum(sum(t) == 2 and bool(t[1]) for t in triples)
    against = sum(t == (True, False, True) for t in [tuple(map(bool, t)) for t in triples])
    unimodal = (
        1.0 if agree + against == 0 else ((k - 2) * agree - (k - 1) * against) / ((k - 2) * (agree + against))
    )
    return (1.0 if s == 1 else unimodal) * (1 - (s - 1) / (k - 1))


def group_figures(kind: str, codes: list[str], counts: list[int], days: int) -> dict[str, Any]:
    # Intervals and dip have tests of their own against published values; here it matters that they arrive.
    measures = measures_of(tuple(codes), tuple(counts), days)
    withheld = judge(kind, counts)
    gini = own_gini(counts)
    assert measures.agreement == pytest.approx(own_agreement(counts, days), abs=1e-6)
    return {
        "accounts": len(counts),
        "gini": None if withheld else gini,
        "gini_low": None if withheld else measures.gini_low,
        "gini_high": None if withheld else measures.gini_high,
        "gini_reason": withheld or measures.gini_reason,
        "agreement": own_agreement(counts, days),
        "agreement_low": measures.agreement_low,
        "agreement_high": measures.agreement_high,
        "dip": measures.dip,
        "dip_p_value": measures.dip_p_value,
        "dip_reason": measures.dip_reason,
        "interval_reason": measures.interval_reason,
    }


def hour_figures(world: World, window: Window) -> dict[tuple[tuple[str, str], str], dict[str, Any]]:
    figures = {}
    for area, kind, accounts, area_reason in area_accounts(world, window, about_posts=True):
        active = accounts[accounts["n"] > 0]
        reason = area_reason or (None if len(active) else "no posts in the window")
        given: dict[str, Any] = dict.fromkeys(
            ("out_of_hours_share", "out_of_hours_share_by_account", "hour_entropy")
        )
        if reason is None:
            posts = pd.concat(list(active["posts"]))
            spread = posts["hour_of_week"].value_counts(normalize=True)
            given = {
                "out_of_hours_share": posts["out"].mean(),
                "out_of_hours_share_by_account": np.mean([p["out"].mean() for p in active["posts"]]),
                "hour_entropy": -sum(p * math.log(p) for p in spread) / math.log(168),
            }
        figures[area, kind] = {**given, "hours_reason": reason}
    return figures


def test_bands_and_measures_are_what_pandas_computes(built: Built) -> None:
    world, con = built
    found = rows_of(con, "activity_distribution")
    assert_same(found, expected_distribution(world, expect(last_day_of(world))))
    for area, kind in {(key[:2], key[2]) for key in found}:
        shares = [found[(*area, kind, band)]["share"] for band in BANDS]
        assert shares == [None] * 4 or sum(shares) == pytest.approx(1, abs=3e-4)


def own_median(durations: Sequence[tuple[float, bool]]) -> float | None:
    """The product-limit estimate's median, one event after the other."""
    surviving, at_risk = 1.0, len(durations)
    for hours in sorted({length for length, _ in durations}):
        here = [answered for length, answered in durations if length == hours]
        if sum(here):
            surviving *= 1 - sum(here) / at_risk
            if surviving <= 0.5 + 1e-9:
                return hours
        at_risk -= len(here)
    return None


def test_answers_are_what_pandas_computes(built: Built) -> None:
    world, con = built
    by = expect(last_day_of(world))
    window = window_of(world, by)
    replies = world.observed["reply"]
    last_pull = replies.groupby(["platform", "post_id"])["pull_id"].transform("max")
    replies = replies[replies["pull_id"] == last_pull].copy()
    replies["day"] = [local(moment.to_pydatetime()).date() for moment in replies["received_at"]]
    replies = replies[(replies["day"] >= window.first) & (replies["day"] <= window.last)]
    found = rows_of(con, "reply_latency")
    assert set(found) == set(areas_of(world))
    given = 0
    for area, cells in areas_of(world).items():
        councils = window.accounts[
            (window.accounts["owner_kind"] == "council") & among(window.accounts["cell"], cells)
        ]
        here = replies[replies["account_id"].isin(councils["account_id"])]
        reason = judge("group", list(here.groupby("account_id").size()))
        row = found[area]
        if reason:
            assert row["withheld_reason"] == reason
            assert {row[name] for name in row if name not in ("area", "area_kind")} == {
                None,
                window.first,
                window.last,
                reason,
            }
            continue
        ended = here["answered_at"].fillna(here["observed_at"])
        hours = (ended - here["received_at"]).dt.total_seconds() / 3600
        answered = here["answered_at"].notna()
        median = own_median(list(zip(hours, answered, strict=True)))
        assert row["accounts"] == here["account_id"].nunique()
        assert (row["replies"], row["answered"]) == (len(here), int(answered.sum()))
        assert row["answered_share"] == pytest.approx(answered.mean(), abs=1e-6)
        assert row["median_hours"] == pytest.approx(median, abs=1e-6)
        given += 1
    assert given > 0


# --- disclosure ---------------------------------------------------------------------------------------------


def test_no_sum_or_difference_of_areas_is_about_a_few_councillors(built: Built) -> None:
    """Whatever can be computed from the areas' figures is made of cells that may be published by themselves."""
    world, _ = built
    window = window_of(world, expect(last_day_of(world)))
    for about_posts in (True, False):
        reasons = cell_reasons(window, "councillor", about_posts=about_posts)
        assert FEW in reasons.values(), "the world has cells that are too small"
        published = {
            area: {tuple(account) for account in accounts[["platform", "account_id"]].itertuples(index=False)}
            for area, kind, accounts, _ in area_accounts(world, window, about_posts=about_posts)
            if kind == "councillor"
        }
        sizes = window.accounts.set_index(["platform", "account_id"])["n"]
        for whole in published.values():
            for part in published.values():
                rest = whole - part
                if part < whole:
                    values = [int(sizes[account]) if about_posts else 1 for account in rest]
                    assert judge("councillor", values) is None


def test_areas_hold_no_account_twice(built: Built) -> None:
    _, con = built
    row = con.execute(
        "select count(*), count(distinct (platform, account_id)) from model.window_account"
    ).fetchone()
    assert row is not None
    assert row[0] == row[1] > 0


@pytest.mark.parametrize("dataset", DATASETS)
def test_withheld_figures_are_empty_by_the_rules_of_the_contract(built: Built, dataset: str) -> None:
    """The contract's own rules notice a withheld figure that is given, so that the pipeline stops."""
    _, con = built
    contract = CONTRACTS[f"public.{dataset}"]
    rules = [rule for rule in contract.rules if rule.kind == "row" and "withheld" in rule.name]
    figures = [c.name for c in contract.columns if c.name in ("posts", "share", "replies", "engagement")]
    reasons = [c.name for c in contract.columns if c.name.endswith("withheld_reason")]
    if dataset == "account_activity_weekly":
        assert not reasons, "official accounts are published one by one"
        return
    assert rules
    assert figures
    leaked = ", ".join(f"coalesce({name}, 7) as {name}" for name in figures)
    con.execute(
        f"create or replace temp table leaked as select * replace ({leaked}) from public.{dataset} "
        f"where withheld_reason = '{FEW}'"
    )
    for rule in rules:
        row = con.execute(f"select count(*) from leaked where {row_rule(rule, contract)}").fetchone()
        found = con.execute(f"select count(*) from public.{dataset} where {row_rule(rule, contract)}").fetchone()
        assert found == (0,)
        if rule.name == "withheld_or_given":
            assert row is not None
            assert row[0] > 0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=0, max_size=24))
def test_the_macro_of_the_rule_judges_as_the_rule_says(contributions: list[int]) -> None:
    top = sorted(contributions, reverse=True)
    row = (
        macro_connection()
        .execute(
            "select withheld('councillor', ?, ?, ?), withheld('council', ?, ?, ?)",
            2 * [sum(n > 0 for n in top), sum(top[:2]), sum(top)],
        )
        .fetchone()
    )
    assert row == (judge("councillor", top), None)


@cache
def macro_connection() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(MACROS)
    return con


@settings(max_examples=300, deadline=None)
@given(
    st.datetimes(min_value=dt.datetime(2016, 10, 5), max_value=dt.datetime(2040, 12, 31))  # noqa: DTZ001
)
def test_local_time_is_that_of_the_zone_database(moment: dt.datetime) -> None:
    row = (
        macro_connection().execute("select from_utc_timestamp(?::timestamp, 'Europe/London')", [moment]).fetchone()
    )
    assert row == (local(moment).replace(tzinfo=None),)


# --- without observations ------------------------------------------------------------------------------------


def test_without_any_source_or_observation_every_table_is_built_and_none_says_anything(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "w.duckdb", FUNCTIONS) as con:
        con.execute(MACROS)
        con.execute("create schema if not exists observation")
        for contract in CONTRACTS.values():
            if contract.layer == "source":
                load_source(con, contract, [])
            elif contract.layer in ("observation", "protected"):
                con.execute(to_ddl(contract))
        attach_published(con, [c for c in CONTRACTS.values() if c.layer == "public"], None)
        for table in build_order(QUERIES):
            if table in QUERIES:
                query = QUERIES[table]
                build_table(con, table, query.text, query.grain, CONTRACTS.get(table))
        for dataset in (*DATASETS, "coverage", "data_issues"):
            assert con.execute(f"select count(*) from public.{dataset}").fetchone() == (0,), dataset


def test_authorities_without_observations_are_not_collected(tmp_path: Path) -> None:
    world = World(authorities(), world_of(LAST_DAYS[0]).owner)
    with open_warehouse(tmp_path / "w.duckdb", FUNCTIONS) as con:
        con.execute("create schema if not exists observation")
        for name in OBSERVED:
            con.execute(to_ddl(CONTRACTS[f"observation.{name}"]))
            world.observed[name] = pd.DataFrame(columns=[c.name for c in CONTRACTS[f"observation.{name}"].columns])
        fill(con, world)
        build(con)
        states = con.execute("select distinct outcome, account_id, last_observed_on from model.account_state")
        assert states.fetchall() == [(None, None, None)]
        for dataset in DATASETS:
            assert con.execute(f"select count(*) from public.{dataset}").fetchone() == (0,), dataset


def test_the_state_of_an_account_is_its_newest_answer(built: Built) -> None:
    world, con = built
    states = con.execute("select distinct account_id, outcome from model.account_state").fetchall()
    asked = world.observed["account"]
    answered = asked[asked["account_id"].notna() & (asked["outcome"] != "failed")]
    expected = {r.account_id: r.outcome for r in newest(answered, ["platform", "account_id"]).itertuples()}
    assert {account: outcome for account, outcome in states if account is not None} == expected
    # The account that no answer ever named has the answer that was given to its handle.
    assert [outcome for account, outcome in states if account is None] == ["unavailable"]


# --- built in parts -----------------------------------------------------------------------------------------


def test_what_is_merged_pull_by_pull_is_what_all_pulls_give(built: Built, tmp_path: Path) -> None:
    world, con = built
    pulls = sorted(world.observed["account"]["pull_id"].unique())
    half = set(pulls[: len(pulls) // 2])
    merged = {table: query for table, query in QUERIES.items() if isinstance(query.refresh, Newest)}
    assert len(merged) == 7
    with open_warehouse(tmp_path / "w.duckdb", FUNCTIONS) as parts:
        parts.execute(MACROS)
        for table, query in merged.items():
            (source,) = query.reads
            name = source.split(".")[1]
            way = query.refresh
            assert isinstance(way, Newest)
            for n, is_old in enumerate((True, False)):
                frame = world.observed[name]
                frame = frame[frame["pull_id"].isin(half) == is_old]
                columns = CONTRACTS[source].columns
                load(parts, source, frame, {c.name: SQL_TYPES[c.type] for c in columns})
                parts.execute(f"create or replace table model.part{n} as {query.text}")
            later = f"partition by {', '.join(way.key)} order by {', '.join(f'{c} desc' for c in way.order)}"
            both = parts.execute(
                f"select * exclude (newest_first) from (select *, rank() over ({later}) as newest_first "
                "from (from model.part0 union all by name from model.part1)) where newest_first = 1 order by all"
            ).fetchall()
            assert both == con.execute(f"from {table} order by all").fetchall(), table
            assert both


def test_every_part_that_is_rebuilt_by_itself_is_the_part_of_the_whole(built: Built) -> None:
    """A day, or a pair of a day and a place, follows from the same part of every input that has the columns."""
    _, con = built
    rebuilt = {table: query for table, query in QUERIES.items() if isinstance(query.refresh, Rebuilt)}
    assert len(rebuilt) == 7
    for table, query in rebuilt.items():
        way = query.refresh
        assert isinstance(way, Rebuilt)
        names = [way.column, *([way.within] if way.within else [])]
        cells = con.execute(f"select distinct {', '.join(names)} from {table} order by all").fetchall()
        assert len(cells) >= 2
        for cell in cells[:: max(1, len(cells) // 5)]:
            held = dict(zip(names, cell, strict=True))
            text = query.text
            for upstream in query.reads:
                columns = [row[0] for row in con.execute(f"describe {upstream}").fetchall()]
                where = " and ".join(f"{name} = '{value}'" for name, value in held.items() if name in columns)
                if way.column in columns:
                    text = text.replace(f" {upstream} as ", f" (from {upstream} where {where}) as ")
            assert text != query.text
            where = " and ".join(f"{name} = '{value}'" for name, value in held.items())
            part = con.execute(f"select * from ({text}) where {where} order by all").fetchall()
            whole = con.execute(f"select * from {table} where {where} order by all").fetchall()
            assert part == whole, (table, cell)


def test_the_order_in_which_observations_came_changes_nothing(built: Built, tmp_path: Path) -> None:
    world, con = built
    shuffled = World(
        world.authority,
        world.owner.sample(frac=1, random_state=5),
        {name: frame.sample(frac=1, random_state=7) for name, frame in world.observed.items()},
    )
    with open_warehouse(tmp_path / "w.duckdb", FUNCTIONS) as other:
        fill(other, shuffled)
        build(other)
        for dataset in DATASETS:
            contract = CONTRACTS[f"public.{dataset}"]
            query = f"select * from {contract.table} order by {', '.join(contract.key)}"
            assert other.execute(query).fetchall() == con.execute(query).fetchall(), dataset
