"""Which tables must be built again, and which parts of them: what changed decides, not the clock.

Belongs here: the memory of what each table was built from (schema `state`), and the three ways of building: whole,
newest row per key, rebuilt by part. Does not belong here: what a table says (SQL), rows that break a rule
(`warehouse`). Whatever the way, the result is the one that building everything anew would give; a test holds each
model against that.

- A plain table is built as a whole when something it reads, its SQL or its contract changed; else it stands.
- `-- newest per <key> by <order>` merges the pulls that it has not seen yet.
- `-- rebuilt by <column>` replaces the rows of those values of the column whose inputs changed. A table it reads
  that has that column is compared value by value, any other as a whole.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from pipelines.checks import Verdict
from pipelines.contract import Contract, quote
from pipelines.lineage import Newest, Query, Rebuilt, column_lineage
from pipelines.observations import ObservationStore, PullRecord
from pipelines.warehouse import (
    TableResult,
    WarehouseError,
    build_part,
    build_table,
    columns_of,
    fingerprint,
    reason_of,
)

STATE_DDL = """
create schema if not exists state;
create table if not exists state.built (
  table_name varchar, recipe varchar, inputs varchar, version varchar, result varchar
);
create table if not exists state.merged (table_name varchar, pull_key varchar);
create table if not exists state.change (table_name varchar, column_name varchar, value date, serial bigint);
create table if not exists state.traced (question varchar, answer varchar);
create table if not exists state.part (table_name varchar, input varchar, value date, print varchar);
"""


@dataclass(frozen=True)
class Plan:
    """All that the building of a table depends on besides the warehouse.

    `recipe` is the hash of contracts' and functions' texts that the result follows from; `queries` are all of the
    project, to know which inputs change in which way.
    """

    queries: Mapping[str, Query]
    recipe: Callable[[Query, Contract | None], str]
    store: ObservationStore


def refresh(con: duckdb.DuckDBPyConnection, plan: Plan, query: Query, contract: Contract | None) -> TableResult:
    """Bring one table up to date with what it reads. Errors: `WarehouseError`."""
    con.execute(STATE_DDL)
    way = query.refresh
    started = time.perf_counter()
    try:
        if isinstance(way, Newest):
            result = _newest(con, plan, query, way)
        elif isinstance(way, Rebuilt):
            result = _rebuilt(con, plan, query, way, contract)
        else:
            result = _whole(con, plan, query, contract)
    except duckdb.Error as error:
        raise WarehouseError(f"{query.table}: the query failed: {reason_of(error)}") from None
    return replace(result, seconds=time.perf_counter() - started)


def show_observations(
    con: duckdb.DuckDBPyConnection, store: ObservationStore, table: str, check: Callable[[], Verdict]
) -> tuple[TableResult, Verdict]:
    """Make `observation.<table>` show all rows of all pulls; `check` judges those of pulls that are new.

    What the pulls refused is shown as `quarantine.observation__<table>` and noted as issues.
    """
    con.execute(STATE_DDL)
    started = time.perf_counter()
    contract = store.contracts[table]
    pulls = {pull.key: pull for pull in store.pulls()}
    rows = con.execute("select pull_key from state.merged where table_name = ?", [contract.table]).fetchall()
    judged = {key for (key,) in rows}
    new = [pull for key, pull in pulls.items() if key not in judged]
    _show(con, store, contract.table, new)
    verdict = check() if new else Verdict(contract.table, ())
    _show(con, store, contract.table, None)
    refused = store.query(table, quarantine=True)
    con.execute(f"create or replace view quarantine.observation__{table} as {refused}")
    if not verdict.failures:
        con.execute("delete from state.merged where table_name = ?", [contract.table])
        con.execute("insert into state.merged select ?, unnest(?::varchar[])", [contract.table, sorted(pulls)])
    quarantined = _note_refused(con, contract, pulls.values())
    good = sum(pull.rows[table] for pull in pulls.values())
    bad = sum(pull.refused.get(table, 0) for pull in pulls.values())
    result = TableResult(
        contract.table,
        good + bad,
        good,
        time.perf_counter() - started,
        quarantined,
        state="updated" if new else "unchanged",
    )
    return result, verdict


def origins_of(con: duckdb.DuckDBPyConnection, query: Query) -> dict[str, list[tuple[str, str]]]:
    """Which columns of which tables each column of a finished table is computed from.

    Tracing a query takes longer than running it, so what was found is remembered under its text and the columns
    that it reads.
    """
    con.execute(STATE_DDL)
    schema = columns_of(con, sorted(query.reads))
    question = _hash([query.table, query.text, schema])
    known = con.execute("select answer from state.traced where question = ?", [question]).fetchone()
    if known:
        found: dict[str, list[list[str]]] = json.loads(known[0])
        return {column: [(table, name) for table, name in origins] for column, origins in found.items()}
    traced = column_lineage(query, schema)
    con.execute("insert into state.traced values (?, ?)", [question, json.dumps(traced)])
    return traced


def _note_refused(
    con: duckdb.DuckDBPyConnection, contract: Contract, pulls: Iterable[PullRecord]
) -> dict[str, int]:
    """Note as issues, per platform and rule, what pulls refused; returns the counts per rule."""
    con.execute("delete from quarantine.issues where dataset = ?", [contract.table])
    counts: dict[tuple[str, str], int] = {}
    since: dict[tuple[str, str], dt.date] = {}
    for pull in pulls:
        for rule, rows in pull.quarantined.get(contract.name, {}).items():
            place = (pull.platform, rule)
            counts[place] = counts.get(place, 0) + rows
            since[place] = min(since.get(place, pull.observed_on), pull.observed_on)
    for (platform, rule), rows in sorted(counts.items()):
        con.execute(
            "insert into quarantine.issues values (?, ?, ?, 'critical', 'source', ?, ?, null)",
            [contract.table, platform, rule, rows, since[platform, rule]],
        )
    return {rule: sum(n for (_, r), n in counts.items() if r == rule) for _, rule in sorted(counts)}


# --- built as a whole ---------------------------------------------------------------------------------------


def _whole(con: duckdb.DuckDBPyConnection, plan: Plan, query: Query, contract: Contract | None) -> TableResult:
    recipe = plan.recipe(query, contract)
    inputs = _hash(sorted((table, _version(con, plan, table)) for table in query.reads))
    if stands := _standing(con, query.table, recipe, inputs):
        return stands
    _forget(con, query.table)
    result = build_table(con, query.table, query.text, query.grain, contract)
    _remember(con, result, recipe, inputs, fingerprint(con, query.table))
    return result


# --- newest row per key -------------------------------------------------------------------------------------


def _newest(con: duckdb.DuckDBPyConnection, plan: Plan, query: Query, way: Newest) -> TableResult:
    """Merge the pulls that were not merged yet; all of them where the query or an old pull changed."""
    source = _observation_of(query)
    recipe = plan.recipe(query, None)
    others = _hash(sorted((t, _version(con, plan, t)) for t in query.reads if not t.startswith("observation.")))
    pulls = {pull.key: pull for pull in plan.store.pulls()}
    rows = con.execute("select pull_key from state.merged where table_name = ?", [query.table]).fetchall()
    merged = {key for (key,) in rows}
    known = _known(con, query.table)
    is_whole = known is None or (known[0], known[1]) != (recipe, others) or not merged <= set(pulls)
    new = [pull for key, pull in pulls.items() if is_whole or key not in merged]
    if not is_whole and not new:
        return _as_it_stands(con, query.table)
    con.execute("begin")
    if is_whole:
        _forget(con, query.table)
        con.execute(f"create or replace table {query.table} as {query.text}\norder by {way.key[0]}")
        con.execute(f"comment on table {query.table} is {quote(query.grain)}")
        version = f"{uuid.uuid4().hex}:0"
    else:
        _show(con, plan.store, source, new)
        con.execute(f"create or replace temp table fresh as {query.text}")
        _show(con, plan.store, source, None)
        serial = _merge(con, query.table, way, _watched(plan, query.table))
        version = f"{(known or ('', '', ''))[2].split(':')[0]}:{serial}"
    con.execute("delete from state.merged where table_name = ?", [query.table])
    con.execute("insert into state.merged select ?, unnest(?::varchar[])", [query.table, sorted(pulls)])
    size = _count(con, query.table)
    result = TableResult(query.table, size, size, 0.0, state="built" if is_whole else "updated")
    _remember(con, result, recipe, others, version)
    con.execute("commit")
    return result


def _merge(con: duckdb.DuckDBPyConnection, table: str, way: Newest, watched: Iterable[str]) -> int:
    """Put the rows of `fresh` that are later in the place of those that they are later than."""
    same = " and ".join(f"old.{c} = fresh.{c}" for c in way.key)
    is_later = f"({', '.join(f'fresh.{c}' for c in way.order)}) > ({', '.join(f'old.{c}' for c in way.order)})"
    con.execute(f"delete from fresh using {table} as old where {same} and not {is_later}")
    changed = {
        column: con.execute(
            f"select distinct value from (select {column} as value from fresh union all "
            f"select old.{column} from {table} as old join fresh on {same}) where value is not null"
        ).fetchall()
        for column in watched
    }
    con.execute(f"delete from {table} as old using fresh where {same}")
    con.execute(f"insert into {table} by name select * from fresh")
    con.execute("drop table fresh")
    return _note_changes(con, table, {column: [v for (v,) in values] for column, values in changed.items()})


def _show(
    con: duckdb.DuckDBPyConnection, store: ObservationStore, source: str, pulls: Sequence[PullRecord] | None
) -> None:
    con.execute(f"create or replace view {source} as {store.query(source.split('.')[1], pulls)}")


def _observation_of(query: Query) -> str:
    sources = [table for table in query.reads if table.startswith("observation.")]
    if len(sources) != 1:
        raise WarehouseError(f"{query.table}: a `newest` table reads exactly one observation table, not {sources}")
    return sources[0]


# --- rebuilt by part ----------------------------------------------------------------------------------------


def _rebuilt(
    con: duckdb.DuckDBPyConnection, plan: Plan, query: Query, way: Rebuilt, contract: Contract | None
) -> TableResult:
    """Replace the rows of those values of the column whose inputs changed; all where anything else did."""
    recipe = plan.recipe(query, contract)
    logged, compared, whole = _kinds_of_inputs(con, plan, query, way.column)
    inputs = _hash(
        [
            sorted((table, _version(con, plan, table)) for table in whole),
            sorted((table, _version(con, plan, table).split(":")[0]) for table in logged),
            sorted(compared),
        ]
    )
    prints = {table: _prints(con, table, way.column) for table in compared}
    known = _known(con, query.table)
    serials = {table: int(_version(con, plan, table).split(":")[1]) for table in logged}
    if known is None or (known[0], known[1]) != (recipe, inputs):
        _forget(con, query.table)
        result = build_table(con, query.table, query.text, query.grain, contract)
        version = f"{uuid.uuid4().hex}:0"
    else:
        touched = _touched(con, query.table, way.column, serials, prints)
        if not touched:
            return _as_it_stands(con, query.table)
        con.execute("begin")
        result = build_part(con, query.table, query.text, way.column, touched, contract)
        serial = _note_changes(con, query.table, {way.column: touched})
        version = f"{known[2].split(':')[0]}:{serial}"
        con.execute("commit")
    _remember(con, result, recipe, inputs, version)
    _remember_inputs(con, query.table, serials, prints)
    return result


def _kinds_of_inputs(
    con: duckdb.DuckDBPyConnection, plan: Plan, query: Query, column: str
) -> tuple[list[str], list[str], list[str]]:
    """Inputs whose changes are logged by value, those compared value by value, and those compared as a whole."""
    logged, compared, whole = [], [], []
    for table in sorted(query.reads):
        if not _has_column(con, table, column):
            whole.append(table)
        elif table in plan.queries and plan.queries[table].refresh:
            logged.append(table)
        else:
            compared.append(table)
    return logged, compared, whole


def _touched(
    con: duckdb.DuckDBPyConnection,
    table: str,
    column: str,
    serials: Mapping[str, int],
    prints: Mapping[str, Mapping[dt.date, str]],
) -> list[dt.date]:
    touched: set[dt.date] = set()
    for upstream in serials:
        seen = con.execute(
            "select print from state.part where table_name = ? and input = ? and value is null", [table, upstream]
        ).fetchone()
        rows = con.execute(
            "select distinct value from state.change where table_name = ? and column_name = ? and serial > ?",
            [upstream, column, int(seen[0]) if seen else -1],
        ).fetchall()
        touched |= {value for (value,) in rows}
    for upstream, now in prints.items():
        before = dict(
            con.execute(
                "select value, print from state.part where table_name = ? and input = ? and value is not null",
                [table, upstream],
            ).fetchall()
        )
        touched |= {value for value in {*before, *now} if before.get(value) != now.get(value)}
    return sorted(touched)


def _remember_inputs(
    con: duckdb.DuckDBPyConnection,
    table: str,
    serials: Mapping[str, int],
    prints: Mapping[str, Mapping[dt.date, str]],
) -> None:
    con.execute("delete from state.part where table_name = ?", [table])
    for upstream, serial in serials.items():
        con.execute("insert into state.part values (?, ?, null, ?)", [table, upstream, str(serial)])
    for upstream, found in prints.items():
        con.execute(
            "insert into state.part select ?, ?, unnest(?::date[]), unnest(?::varchar[])",
            [table, upstream, list(found), list(found.values())],
        )


def _prints(con: duckdb.DuckDBPyConnection, table: str, column: str) -> dict[dt.date, str]:
    rows = con.execute(
        f"select {column}, concat_ws(' ', count(*), bit_xor(hash(t)), sum(hash(t) // 3)) from {table} as t "
        f"where {column} is not null group by {column}"
    ).fetchall()
    return dict(rows)


# --- memory -------------------------------------------------------------------------------------------------


def _version(con: duckdb.DuckDBPyConnection, plan: Plan, table: str) -> str:
    """What changes whenever a table's content does."""
    if table.startswith("observation."):
        return _hash([pull.key for pull in plan.store.pulls()])
    if table in plan.queries and (known := _known(con, table)):
        return known[2]
    return fingerprint(con, table)


def _known(con: duckdb.DuckDBPyConnection, table: str) -> tuple[str, str, str] | None:
    """Recipe, inputs and version of a table as it was last built, if it still stands."""
    row = con.execute("select recipe, inputs, version from state.built where table_name = ?", [table]).fetchone()
    return (row[0], row[1], row[2]) if row and _exists(con, table) else None


def _standing(con: duckdb.DuckDBPyConnection, table: str, recipe: str, inputs: str) -> TableResult | None:
    known = _known(con, table)
    return _as_it_stands(con, table) if known and known[:2] == (recipe, inputs) else None


def _as_it_stands(con: duckdb.DuckDBPyConnection, table: str) -> TableResult:
    row = con.execute("select result from state.built where table_name = ?", [table]).fetchone()
    said = json.loads(row[0]) if row else {}
    return TableResult(
        table, said["rows_in"], said["rows_out"], 0.0, said["quarantined"], said["warnings"], "unchanged"
    )


def _remember(con: duckdb.DuckDBPyConnection, result: TableResult, recipe: str, inputs: str, version: str) -> None:
    said = json.dumps(
        {
            "rows_in": result.rows_in,
            "rows_out": result.rows_out,
            "quarantined": dict(result.quarantined),
            "warnings": dict(result.warnings),
        }
    )
    con.execute("delete from state.built where table_name = ?", [result.table])
    con.execute("insert into state.built values (?, ?, ?, ?, ?)", [result.table, recipe, inputs, version, said])


def _forget(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Forget how a table was built before it is touched, so that a run that is killed builds it again."""
    for memory in ("built", "merged", "part", "change"):
        con.execute(f"delete from state.{memory} where table_name = ?", [table])


def _watched(plan: Plan, table: str) -> list[str]:
    """The columns by which other tables follow a table's changes."""
    ways = [query.refresh for query in plan.queries.values() if table in query.reads]
    return sorted({way.column for way in ways if isinstance(way, Rebuilt)})


def _note_changes(con: duckdb.DuckDBPyConnection, table: str, changed: Mapping[str, Sequence[dt.date]]) -> int:
    row = con.execute(
        "select coalesce(max(serial), 0) + 1 from state.change where table_name = ?", [table]
    ).fetchone()
    serial = int(row[0]) if row else 1
    for column, values in changed.items():
        con.execute(
            "delete from state.change "
            "where table_name = ? and column_name = ? and list_contains(?::date[], value)",
            [table, column, list(values)],
        )
        con.execute(
            "insert into state.change select ?, ?, unnest(?::date[]), ?", [table, column, list(values), serial]
        )
    return serial


def _exists(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    schema, name = table.split(".")
    return (
        con.execute(
            "select 1 from duckdb_tables() where schema_name = ? and table_name = ?", [schema, name]
        ).fetchone()
        is not None
    )


def _has_column(con: duckdb.DuckDBPyConnection, table: str, column: str) -> bool:
    schema, name = table.split(".")
    return (
        con.execute(
            "select 1 from duckdb_columns() where schema_name = ? and table_name = ? and column_name = ?",
            [schema, name, column],
        ).fetchone()
        is not None
    )


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0


def _hash(said: object) -> str:
    return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()
