"""What following observations costs beside a bare script: `python -m tests.benchmarks.refresh`.

Each part runs in a process of its own, with what it imports loaded before the clock starts: a bare script that
writes the same tables with `create table … as`, no contracts, no checks, no memory of what was built; our refresh
of an empty warehouse, with contracts, row rules, and the verdicts of Great Expectations on the public tables; its
verdicts on all observations; the heaviest part of it in pandas; then seven more days, one after the other, among
them the end of a week, the end of a month, and days on which accounts disappear. The days are measured again on
twice the history of the same accounts. What is printed are ratios of one run, and the seconds behind them; nothing
is asserted about time. What is asserted is that all ways give the same rows: the bare script's, pandas' and the
whole refresh's after the days.

A day is divided by a full refresh in three ways. A first refresh judges all observations and a day those that came
with it, so like goes with like where both are judged, or neither. The third way is the hard one: the day with its
verdicts, divided by a refresh that does not judge observations.

Observations are made once and kept under `build/benchmark`; 20 million take four minutes and half a gigabyte, the
double history three times as much. Trust ratios on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import duckdb

from pipelines.checks import Verdict, check_table
from pipelines.contract import Contract, load_contracts
from pipelines.functions import FUNCTIONS
from pipelines.lineage import Query, build_order, load_queries
from pipelines.observations import TABLES, ObservationStore
from pipelines.policy import load_policy
from pipelines.refresh import Plan, changes_of, refresh, show_observations
from pipelines.settings import project_folder
from pipelines.warehouse import open_warehouse
from tests.benchmarks.generate import LAST_DAY, Size, generate

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "benchmark"
CONTRACTS = load_contracts(project_folder("data_contracts"))
QUERIES = load_queries(project_folder("sql"))
MACROS = (project_folder("sql") / "macros.sql").read_text(encoding="utf-8")
DATASETS = (
    "account_activity_weekly",
    "authority_engagement_monthly",
    "hourly_profile",
    "activity_distribution",
    "reply_latency",
)
VERDICTS = "verdicts"
OBSERVED_VERDICTS = "verdicts on observations"
GIVEN = {"model.account_owner": "account_owner", "clean.authority": "authority"}
# What pandas computes too.
HEAVY = ("model.post", "model.account_month", "model.authority_month_engagement", "model.area_hour")


@dataclass
class Cost:
    """What something took: seconds on the wall, seconds of all processors, and of each part the same two."""

    wall: float
    cpu: float
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)
    peak_mb: float = 0.0

    def cpu_of(self, part: str) -> float:
        """Seconds of all processors that a part took; none where it was not there."""
        return self.parts.get(part, (0.0, 0.0))[1]

    def without(self, part: str) -> Cost:
        """What is left without one part."""
        wall, cpu = self.parts.get(part, (0.0, 0.0))
        return replace(self, wall=self.wall - wall, cpu=self.cpu - cpu)

    def plus(self, other: Cost) -> Cost:
        """What this and something else take, one after the other."""
        return Cost(self.wall + other.wall, self.cpu + other.cpu)


class Clock:
    """Adds up the time of named parts; the whole is what lies between the start and `cost`.

    A part that runs inside of another counts for itself alone.
    """

    def __init__(self) -> None:
        self._parts: dict[str, tuple[float, float]] = {}
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what runs inside as `name`."""
        inside, before = self._spent(), (time.perf_counter(), time.process_time())
        yield
        after = (time.perf_counter(), time.process_time())
        taken = (a - b - (s - i) for a, b, s, i in zip(after, before, self._spent(), inside, strict=True))
        wall, cpu = self._parts.get(name, (0.0, 0.0))
        more_wall, more_cpu = taken
        self._parts[name] = (wall + more_wall, cpu + more_cpu)

    def _spent(self) -> tuple[float, float]:
        """What all parts that have ended took."""
        return sum(wall for wall, _ in self._parts.values()), sum(cpu for _, cpu in self._parts.values())

    def cost(self) -> Cost:
        """What was taken up to now."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return Cost(wall, cpu, self._parts, peak_of_memory())


def peak_of_memory() -> float:
    """The most memory that this process ever held, in MB; getrusage would count its parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# --- what is measured ---------------------------------------------------------------------------------------


def wanted() -> list[str]:
    """The tables that the datasets about posts are made of, each after all that it reads."""
    needed: set[str] = set()
    waiting = [*(f"public.{name}" for name in DATASETS), "model.account_state"]
    while waiting:
        table = waiting.pop()
        if table in QUERIES and table not in GIVEN and table not in needed:
            needed.add(table)
            waiting += QUERIES[table].reads
    return [table for table in build_order(QUERIES) if table in needed]


def store_of(home: Path) -> ObservationStore:
    """The store whose pulls were generated."""
    policy = load_policy(project_folder("data_contracts") / "policy.yml", CONTRACTS)
    return ObservationStore(home / "observations", CONTRACTS, policy)


def load_owners(con: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Put the tables about owners and authorities where the queries look for them."""
    con.execute(MACROS)
    for table, name in GIVEN.items():
        path = home / "owners" / f"{name}.parquet"
        con.execute(f"create or replace table {table} as select * from read_parquet('{path}')")


def warm_up() -> None:
    """Import all that is imported when it is first needed, and let every engine do something once."""
    with open_warehouse(CACHE / f"warm-{os.getpid()}.duckdb", FUNCTIONS) as con:
        con.execute(MACROS)
        con.execute(
            "select distribution_measures(list(n::varchar), list(n), 84) from range(30) as t(n)"
        ).fetchall()
        con.execute("select reply_latency(list(n::double), list(true)) from range(30) as t(n)").fetchall()
        contract = CONTRACTS["public.reply_latency"]
        columns = ", ".join(f'cast(null as {c.sql_type}) as "{c.name}"' for c in contract.columns)
        con.execute(f"create table {contract.table} as select {columns} where false")
        check_table(con, contract, "none")
    (CACHE / f"warm-{os.getpid()}.duckdb").unlink()


def run_bare(home: Path, path: Path) -> Cost:
    """The same tables from the same queries, as somebody would write them down who needs them once."""
    store, order = store_of(home), wanted()
    _remove(path)
    clock = Clock()
    with open_warehouse(path, FUNCTIONS) as con:
        load_owners(con, home)
        for name in TABLES:
            con.execute(f"create view observation.{name} as {store.query(name)}")
        for table in order:
            with clock.part(table):
                con.execute(f"create or replace table {table} as {QUERIES[table].text}")
    return clock.cost()


def run_refresh(home: Path, path: Path, *, judged: bool) -> Cost:
    """Bring every table up to date as a run does, judge the public ones, and close the warehouse.

    Observations that are new are judged only where that is asked for.
    """
    store, order = store_of(home), wanted()
    clock = Clock()
    with open_warehouse(path, FUNCTIONS) as con:
        load_owners(con, home)
        plan = Plan(QUERIES, _recipe, store)
        for name in TABLES:
            check = partial(_judge_new, con, CONTRACTS[f"observation.{name}"], clock) if judged else _not_judged
            with clock.part(f"observation.{name}"):
                show_observations(con, store, name, check)
        for table in order:
            contract = CONTRACTS.get(table)
            with clock.part(table):
                result = refresh(con, plan, QUERIES[table], contract)
            assert not result.quarantined, (table, result.quarantined)
            if contract:
                with clock.part(VERDICTS):
                    verdict = check_table(con, contract, "none", changes=changes_of(con, QUERIES[table]))
                assert not verdict.failures, [failure.sentence() for failure in verdict.failures]
    return clock.cost()


def run_verdicts_on_observations(home: Path, path: Path) -> Cost:
    """Judge all pulls at once, which a run does with those that are new to it."""
    store, clock = store_of(home), Clock()
    with open_warehouse(path, FUNCTIONS) as con:
        for name in TABLES:
            check = partial(_judge_new, con, store.contracts[name], clock)
            show_observations(con, store, name, check)
    return clock.cost()


def _judge_new(con: duckdb.DuckDBPyConnection, contract: Contract, clock: Clock, rows: str) -> Verdict:
    with clock.part(OBSERVED_VERDICTS):
        verdict = check_table(con, contract, "none", instead=rows)
    assert not verdict.failures, [failure.sentence() for failure in verdict.failures]
    return verdict


def _not_judged(rows: str) -> Verdict:
    return Verdict(rows, ())


def run_days(home: Path, path: Path) -> list[Cost]:
    """Let the pulls of the later days come in, one day after the other."""
    costs = []
    for day in later_days(home):
        add_day(home, day)
        costs.append(run_refresh(home, path, judged=True))
    return costs


def run_pandas(home: Path, path: Path) -> Cost:
    """The newest state of each post, months with Gini and quantiles, hours of the week: compared with `path`.

    Which accounts count when is given; it is a small part of the work.
    """
    import numpy as np
    import pandas as pd  # type: ignore[import-untyped]
    import pyarrow as pa
    import pyarrow.dataset as ds

    con = duckdb.connect(str(path), read_only=True)
    owned = con.execute("select * from model.owned_account").df()
    counted = con.execute("select * from model.counted_month").df()
    window = con.execute("select * from model.window_account where posts_reason is null").df()
    span = con.execute("select window_from, window_to from model.observation_window").df().iloc[0]
    clock = Clock()
    files = [str(store_of(home).place(pull) / "post.parquet") for pull in store_of(home).pulls()]
    columns = ["platform", "post_id", "account_id", "kind", "posted_at", "observed_at", "is_gone"]
    counts = ["likes", "reposts", "replies", "quotes"]
    hive = ds.partitioning(flavor="hive")
    with clock.part("read"):
        posts = (
            ds.dataset(files, partitioning=hive)
            .to_table([*columns, *counts])
            .to_pandas(types_mapper={pa.string(): pd.ArrowDtype(pa.string())}.get)
        )
    with clock.part("newest"):
        posts = posts.sort_values("observed_at").drop_duplicates(["platform", "post_id"], keep="last")
        opened = posts["platform"].map({"bluesky": "2022-11-17", "mastodon": "2016-10-05"})
        posts = posts[~posts["is_gone"] & (posts["posted_at"] >= pd.to_datetime(opened))]
        local = posts["posted_at"].dt.tz_localize("UTC").dt.tz_convert("Europe/London").dt.tz_localize(None)
        posts["day"] = local.dt.floor("D")
        posts["month_on"] = local.dt.to_period("M").dt.to_timestamp()
        posts["hour_of_week"] = 24 * local.dt.weekday + local.dt.hour
        posts["engagement"] = posts[counts].sum(axis=1, min_count=1)
    with clock.part("months"):
        own = posts[posts["kind"] != "repost"]
        # Periods of ownership that do not cover every day are rare; here all do.
        held = own.merge(owned[["platform", "account_id", "authority_code", "owner_kind"]])
        account = held.groupby(["platform", "account_id", "authority_code", "owner_kind", "month_on"])[
            "kind"
        ].size()
        cell = ["authority_code", "month_on", "platform", "owner_kind"]
        whole = held.merge(counted)
        spread = whole.dropna(subset="engagement").groupby(cell)["engagement"].quantile([0.5, 0.9]).unstack()
        written = counted.merge(account.rename("posts").reset_index(), how="left").fillna({"posts": 0})
        ordered = written.sort_values("posts")
        ordered["place"] = ordered.groupby(cell).cumcount() + 1
        ordered["weighed"] = ordered["posts"] * ordered["place"]
        sums = ordered.groupby(cell).agg(n=("posts", "size"), posts=("posts", "sum"), weighed=("weighed", "sum"))
        gini = (2 * sums["weighed"] - (sums["n"] + 1) * sums["posts"]) / (sums["n"] * sums["posts"])
    with clock.part("hours"):
        inside = own[(own["day"] >= span["window_from"]) & (own["day"] <= span["window_to"])]
        hours = inside.merge(window[["platform", "account_id", "owner_kind"]])
        profile = hours.groupby(["owner_kind", "hour_of_week"]).size()
    cost = clock.cost()
    ours = con.execute("select * from model.authority_month_engagement").df().set_index(cell).sort_index()
    spread = spread.sort_index()
    assert list(ours.index) == list(spread.index)
    assert np.allclose(ours.to_numpy(), spread.to_numpy())
    shown = con.execute(
        f"select {', '.join(cell)}, gini from public.authority_engagement_monthly where gini is not null"
    ).df()
    assert np.allclose(gini.reindex(pd.MultiIndex.from_frame(shown[cell])), shown["gini"], atol=1e-6)
    country = con.execute(
        "select owner_kind, hour_of_week, posts from model.area_hour where area_kind = 'country'"
    ).df()
    assert profile.to_dict() == country.set_index(["owner_kind", "hour_of_week"])["posts"].to_dict()
    con.close()
    return cost


def _recipe(query: Query, contract: Contract | None) -> str:
    return query.text + (contract.digest if contract else "")


# --- the days that follow ------------------------------------------------------------------------------------


def later_days(home: Path) -> list[dt.date]:
    """The days of which pulls were made that the history does not hold."""
    places = (home / "later").glob("platform=*/observed_on=*")
    return sorted({dt.date.fromisoformat(place.name.removeprefix("observed_on=")) for place in places})


def add_day(home: Path, day: dt.date) -> None:
    """Let the pulls of a day stand among the observations."""
    for place in (home / "later").glob(f"platform=*/observed_on={day}"):
        target = home / "observations" / place.relative_to(home / "later")
        shutil.copytree(place, target, copy_function=os.link, dirs_exist_ok=True)


def take_out_later_days(home: Path) -> None:
    """Leave only the history among the observations."""
    for place in (home / "observations").glob("platform=*/observed_on=*"):
        if dt.date.fromisoformat(place.name.removeprefix("observed_on=")) > LAST_DAY:
            shutil.rmtree(place)


def differences(one: Path, other: Path) -> list[str]:
    """The tables whose rows are not the same in two warehouses, whatever their order."""
    con = duckdb.connect()
    con.execute(f"attach '{one}' as one (read_only); attach '{other}' as other (read_only)")
    found = []
    for table in wanted():
        row = con.execute(
            f"select count(*) from ((from one.{table} except all from other.{table}) "
            f"union all (from other.{table} except all from one.{table}))"
        ).fetchone()
        if row != (0,):
            found.append(table)
    con.close()
    return found


# --- one run ------------------------------------------------------------------------------------------------


def in_a_process(name: str, home: Path, path: Path) -> list[Cost]:
    """Do one part in a process of its own; the cost of each of its steps."""
    command = [sys.executable, "-m", "tests.benchmarks.refresh", "--step", name, str(home), str(path)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return [Cost(**cost) for cost in json.loads(done.stdout.splitlines()[-1])]


def do_step(name: str, home: Path, path: Path) -> list[Cost]:
    """One part, in this process."""
    warm_up()
    if name == "days":
        return run_days(home, path)
    if name == "pandas":
        return [run_pandas(home, path)]
    _remove(path)
    if name == "verdicts":
        return [run_verdicts_on_observations(home, path)]
    return [run_bare(home, path) if name == "bare" else run_refresh(home, path, judged=False)]


def check_same(one: Path, other: Path, said: str) -> None:
    """Stop unless two warehouses hold the same rows."""
    if found := differences(one, other):
        raise SystemExit(f"{said}: not the same rows in {', '.join(found)}")
    print(f"the same rows in {len(wanted())} tables: {said}", flush=True)


def make(size: Size) -> Path:
    """The home of the observations of a size, which are made if they are not there."""
    home = CACHE / f"{size.observations}-{size.accounts}-{size.authorities}-{size.months}"
    started = time.perf_counter()
    generate(home, size)
    take_out_later_days(home)
    shutil.rmtree(home / "partial", ignore_errors=True)
    if time.perf_counter() - started > 1:
        print(f"observations made in {time.perf_counter() - started:.0f} s", flush=True)
    return home


def measure_full(home: Path) -> tuple[Cost, Cost]:
    """A full refresh, which is left there, and the verdicts on all of its observations."""
    (full,) = in_a_process("refresh", home, home / "ours.duckdb")
    _print_cost("full refresh: tables and verdicts on the public ones", full)
    return full, measure_verdicts(home)


def measure_verdicts(home: Path) -> Cost:
    """The verdicts on all observations at once, without which no first refresh ends."""
    (verdicts,) = in_a_process("verdicts", home, home / "verdicts.duckdb")
    _print_cost("verdicts on all observations at once, not part of the above", verdicts)
    return verdicts


def measure_history(home: Path, *, with_pandas: bool) -> tuple[Cost, Cost, Cost]:
    """Bare script, refresh, verdicts on observations and pandas on a history; the costs of the first three."""
    ours, bare = home / "ours.duckdb", home / "bare.duckdb"
    # The first pass reads the files from disk; of two passes the quicker one counts.
    passes = [(in_a_process("bare", home, bare)[0], in_a_process("refresh", home, ours)[0]) for _ in range(2)]
    script, full = (min(costs, key=lambda cost: cost.wall) for costs in zip(*passes, strict=True))
    check_same(ours, bare, "our refresh and the bare script")
    _print_cost("bare script", script)
    _print_cost("full refresh: tables and verdicts on the public ones", full)
    _print_ratio("full refresh ÷ bare script", full, script)
    _print_ratio("  without verdicts on the public tables", full.without(VERDICTS), script)
    verdicts = measure_verdicts(home)
    if with_pandas:
        (frames,) = in_a_process("pandas", home, ours)
        heavy = sum(script.cpu_of(table) for table in HEAVY)
        _print_cost("pandas, newest posts, months and hours", frames)
        print(f"pandas ÷ bare script, the same part of it: {frames.cpu / heavy:.2f} processors")
    return script, full, verdicts


def measure_days(home: Path, *, checked: bool = True) -> list[Cost]:
    """Seven more days after a full refresh, whose warehouse they go on with."""
    ours, anew = home / "ours.duckdb", home / "anew.duckdb"
    days = in_a_process("days", home, ours)
    if checked:
        in_a_process("refresh", home, anew)
        check_same(ours, anew, "day by day and everything anew")
    take_out_later_days(home)
    for day, cost in zip(later_days(home), days, strict=True):
        _print_cost(f"  {day:%a %d %B}", cost)
    return days


def main() -> None:
    """Make the observations that are missing, run every part, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--observations", type=int, default=20_000_000)
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--authorities", type=int, default=400)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--only-single", action="store_true", help="leave the double history out")
    parser.add_argument("--only-days", action="store_true", help="leave out all but a full refresh and the days")
    parser.add_argument("--no-pandas", action="store_true", help="leave pandas out, which takes most memory")
    parser.add_argument("--parts", action="store_true", help="print the processor time of each table")
    parser.add_argument("--step", nargs=3, metavar=("NAME", "HOME", "WAREHOUSE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    if given.step:
        name, home, path = given.step
        print(json.dumps([asdict(cost) for cost in do_step(name, Path(home), Path(path))]))
        return
    single = Size(given.observations, given.accounts, given.authorities, given.months)
    double = replace(single, observations=2 * given.observations, months=2 * given.months)
    print(
        f"{single.observations:,} observations of posts, {single.months} months, {single.accounts:,} accounts, "
        f"{single.authorities} authorities; DuckDB {duckdb.__version__}, {os.cpu_count()} processors"
    )
    home = make(single)
    if given.only_days:
        script, (full, verdicts) = Cost(0, 0), measure_full(home)
    else:
        script, full, verdicts = measure_history(home, with_pandas=not given.no_pandas)
    days = measure_days(home)
    print_days_of_full(days, full, verdicts)
    if given.parts:
        _print_parts(script, full, days)
    if not given.only_single:
        print(f"twice the history: {double.observations:,} observations in {double.months} months")
        home = make(double)
        in_a_process("refresh", home, home / "ours.duckdb")
        later = measure_days(home, checked=not given.only_days)
        _print_days("one more day with its verdicts, twice the history ÷ the single", later, days)
        if given.parts:
            _print_parts(script, full, later)


def print_days_of_full(days: Sequence[Cost], full: Cost, verdicts: Cost) -> None:
    """A day divided by a full refresh: like with like in two ways, and the hard way."""
    tables_only = [day.without(OBSERVED_VERDICTS) for day in days]
    everything = full.plus(verdicts)
    _print_days("a day ÷ full refresh, neither with verdicts on observations", tables_only, [full])
    _print_days("a day ÷ full refresh, both with verdicts on observations", days, [everything])
    _print_days("a day with ÷ full refresh without verdicts on observations", days, [full])


def _print_cost(said: str, cost: Cost) -> None:
    print(f"{said}: {cost.wall:.2f} s, {cost.cpu:.2f} s of processors, {cost.peak_mb:,.0f} MB", flush=True)


def _print_ratio(said: str, cost: Cost, of: Cost) -> None:
    print(f"{said}: {cost.wall / of.wall:.2f} ({cost.cpu / of.cpu:.2f} of processors)", flush=True)


def _print_days(said: str, days: Sequence[Cost], of: Sequence[Cost]) -> None:
    for name, middle in (("median", statistics.median), ("mean", statistics.mean), ("worst", max)):
        wall = middle([cost.wall for cost in days]) / middle([cost.wall for cost in of])
        cpu = middle([cost.cpu for cost in days]) / middle([cost.cpu for cost in of])
        print(f"{said}, {name} of {len(days)} days: {wall:.3f} ({cpu:.3f} of processors)", flush=True)


def _print_parts(script: Cost, full: Cost, days: Sequence[Cost]) -> None:
    print(f"{'seconds of processors':40} {'bare':>8} {'full':>8} {'a day':>8} {'worst':>8}")
    for table in dict.fromkeys([*full.parts, *days[0].parts]):
        each = [cost.cpu_of(table) for cost in days]
        figures = (script.cpu_of(table), full.cpu_of(table), statistics.median(each), max(each))
        print(f"{table:40} " + " ".join(f"{figure:8.2f}" for figure in figures))


def _remove(path: Path) -> None:
    for name in (path, path.with_name(f"{path.name}.wal")):
        name.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
