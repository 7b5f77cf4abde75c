"""Which tables must be built again, and which parts of them: what changed decides, not the clock.

Belongs here: the memory of what each table was built from (schema `state`), and the three ways of building: whole,
newest row per key, rebuilt by part. Does not belong here: what a table says (SQL), rows that break a rule
(`warehouse`). Whatever the way, the result is the one that building everything anew would give; a test holds each
model against that.

- A plain table is built as a whole when something it reads, its SQL or its contract changed; else it stands.
  Without a contract it is not written if it then has the rows that it had, and nothing follows it.
- `-- newest per <key> by <order>` merges the pulls that it has not seen yet.
- `-- rebuilt by <column>` replaces the rows of those values whose inputs changed, `-- rebuilt by <column>, <text>`
  those of pairs of values. The column is a day, if its name ends in _on, or a text. What changed in a table that
  has the column is known value by value: whenever such a table is brought up to date, the values whose rows are
  not as before are noted. Any other table counts as a whole.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import duckdb

from pipelines.checks import Changes, Verdict
from pipelines.contract import Contract, quote
from pipelines.lineage import Newest, Query, Rebuilt, column_lineage
from pipelines.observations import TABLES, ObservationStore, PullRecord
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
create table if not exists state.changed (
  table_name varchar, column_name varchar, value varchar, within_name varchar, within varchar, serial bigint
);
create table if not exists state.traced (question varchar, answer varchar);
create table if not exists state.seen (table_name varchar, input varchar, serial bigint);
"""
SHOWN = "state.pull"  # the pulls that all tables see
NEW = "state.new_rows"
MANY_PLACES = 40  # from so many on, all places of a value are rebuilt
MANY_VALUES = 1000  # and from so many on, the whole table
FEW_ROWS = 1_000_000  # up to so many, one thread is enough

Cell = tuple[str, str | None]  # a value of the column, and a place within its rows, or all of them


@dataclass(frozen=True)
class Built:
    """What is remembered of a table: what it was built from, and what that did.

    `version` changes whenever its content does; a colon stands in it where others follow the table's changes.
    """

    table: str
    recipe: str
    inputs: str
    version: str
    result: str

    @property
    def is_followed(self) -> bool:
        """Whether it is noted which parts of the table changed."""
        return ":" in self.version

    @property
    def rows_out(self) -> int:
        """How many rows it has."""
        return int(json.loads(self.result)["rows_out"])

    def as_it_stands(self) -> TableResult:
        """What building it did, of a table that needs no building."""
        return TableResult(self.table, **json.loads(self.result), seconds=0.0, state="unchanged")


Memory = Mapping[str, Built]  # by table


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
    _open_state(con)
    way = query.refresh
    started = time.perf_counter()
    memory = _recall(con, query)
    try:
        if isinstance(way, Newest):
            result = _newest(con, plan, query, way, memory)
        elif isinstance(way, Rebuilt):
            result = _rebuilt(con, plan, query, way, contract, memory)
        else:
            result = _whole(con, plan, query, contract, memory)
    except (duckdb.Error, WarehouseError) as error:
        with suppress(duckdb.TransactionException):  # there is nothing to roll back
            con.rollback()
        if isinstance(error, WarehouseError):
            raise
        raise WarehouseError(f"{query.table}: the query failed: {reason_of(error)}") from None
    return replace(result, seconds=time.perf_counter() - started)


def show_observations(
    con: duckdb.DuckDBPyConnection, store: ObservationStore, table: str, check: Callable[[str], Verdict]
) -> tuple[TableResult, Verdict]:
    """Make `observation.<table>` show all rows of all pulls; `check` judges a view of those that are new.

    The first of the tables decides which pulls are seen: the others, and whatever is built from them, see the same
    ones, also where another pull ends meanwhile. What the pulls refused is shown as
    `quarantine.observation__<table>` and noted as issues.
    """
    _open_state(con)
    started = time.perf_counter()
    contract = store.contracts[table]
    if table == TABLES[0] or not _exists(con, SHOWN):
        _choose_pulls(con, store.pulls())
    new = _new_pulls(con, contract.table)
    verdict = Verdict(contract.table, ())
    if new:
        con.execute(f"create or replace view {NEW} as {store.query(table, _read(con, new))}")
        verdict = check(NEW)
        con.execute(f"drop view {NEW}")
    _show_all(con, store, table)
    said = con.execute(
        "select pull_key, cast(said[1] as bigint), coalesce(cast(said[2] as bigint), 0) from (select pull_key, "
        f"json_extract_string(record, ['$.rows.{table}', '$.refused.{table}']) as said from {SHOWN})"
    ).fetchall()
    refusing = _read(con, [key for key, _, bad in said if bad])
    refused = store.query(table, refusing, quarantine=True)
    con.execute(f"create or replace view quarantine.observation__{table} as {refused}")
    if not verdict.failures:
        _note_merged(con, contract.table)
    quarantined = _note_refused(con, contract, refusing)
    good, bad = sum(rows for _, rows, _ in said), sum(rows for _, _, rows in said)
    result = TableResult(
        contract.table,
        good + bad,
        good,
        time.perf_counter() - started,
        quarantined,
        state="updated" if new else "unchanged",
    )
    return result, verdict


def shown_pulls(con: duckdb.DuckDBPyConnection) -> list[PullRecord]:
    """The pulls that the tables of a warehouse are built from, in the order in which they began."""
    return _read(con, _shown(con))


def changes_of(con: duckdb.DuckDBPyConnection, query: Query) -> Changes | None:
    """What a verdict on a table has to know: its version, and which rows are not those of an earlier one."""
    known, way = _recall(con, query).get(query.table), query.refresh
    if known is None:
        return None
    if not isinstance(way, Rebuilt):
        return Changes(known.version, (), lambda _: "true")

    def since(version: str) -> str | None:
        first, serial = version.split(":")
        if first != known.version.split(":")[0]:
            return None
        cells = con.execute(
            "select value, within from state.changed where table_name = ? and column_name = ? and serial > ?",
            [query.table, way.column, int(serial)],
        ).fetchall()
        return _predicate(_parts(way, cells))

    return Changes(known.version, (way.column, way.within) if way.within else (way.column,), since)


def origins_of(con: duckdb.DuckDBPyConnection, query: Query) -> dict[str, list[tuple[str, str]]]:
    """Which columns of which tables each column of a finished table is computed from.

    Tracing a query takes longer than running it, so what was found is remembered under its text and the columns
    that it reads.
    """
    _open_state(con)
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


def _whole(
    con: duckdb.DuckDBPyConnection, plan: Plan, query: Query, contract: Contract | None, memory: Memory
) -> TableResult:
    """Build everything where an input changed; where the rows are as before, nothing is written."""
    recipe, known = plan.recipe(query, contract), memory.get(query.table)
    inputs = _hash(sorted(_versions(con, plan, query, memory).items()))
    if known and (known.recipe, known.inputs) == (recipe, inputs):
        return known.as_it_stands()
    watched = _watched(con, plan, query) if known else []
    with _few_threads(con, query, memory):
        if known and (known.recipe != recipe or known.is_followed != bool(watched)):
            known = None
        if known and watched:
            return _whole_by_cells(con, query, watched, known, inputs)
        if contract:
            _forget(con, query.table)
            result = build_table(con, query.table, query.text, query.grain, contract)
            _remember(con, result, recipe, inputs, fingerprint(con, query.table))
            return result
        return _whole_or_nothing(con, plan, query, known, recipe, inputs)


def _whole_or_nothing(
    con: duckdb.DuckDBPyConnection, plan: Plan, query: Query, known: Built | None, recipe: str, inputs: str
) -> TableResult:
    """Build a table, and take that back if it is what it was: what is not written need not be stored again."""
    con.execute("begin")
    _forget(con, query.table)
    result = build_table(con, query.table, query.text, query.grain)
    version = _next_version(None) if _watched(con, plan, query) else fingerprint(con, query.table)
    if known and known.version == version:
        con.execute("rollback")
        con.execute("update state.built set inputs = ? where table_name = ?", [inputs, query.table])
        return known.as_it_stands()
    _remember(con, result, recipe, inputs, version)
    con.execute("commit")
    return result


def _whole_by_cells(
    con: duckdb.DuckDBPyConnection, query: Query, watched: Sequence[Rebuilt], known: Built, inputs: str
) -> TableResult:
    """Build a table that others follow, and note and replace the cells whose rows are not as before."""
    con.execute("begin")
    con.execute(f"create or replace temp table fresh as {query.text}")
    changed = {way: _cells_that_differ(con, "fresh", query.table, way) for way in watched}
    version = known.version
    if any(changed.values()):
        version = _next_version(known)
        for way, cells in changed.items():
            _note_changes(con, query.table, way, cells, version)
        _take_over(con, query.table, watched[0], changed[watched[0]])
    con.execute("drop table fresh")
    size = _count(con, query.table)
    result = TableResult(query.table, size, size, 0.0)
    _remember(con, result, known.recipe, inputs, version)
    con.execute("commit")
    return result


def _cells_that_differ(con: duckdb.DuckDBPyConnection, one: str, other: str, way: Rebuilt) -> list[Cell]:
    """The values of a column, or pairs of values, whose rows are not the same in two tables."""
    prints = " union all ".join(
        f"select {_cell(way)}, {sign} * (hash(t) // 3)::hugeint as print, {sign} as size from {table} as t"
        for table, sign in ((one, 1), (other, -1))
    )
    return con.execute(
        "select cast(value as varchar), within from ("
        f"select value, within from ({prints}) group by value, within having sum(print) <> 0 or sum(size) <> 0)"
    ).fetchall()


def _cell(way: Rebuilt) -> str:
    return f"{way.column} as value, {way.within or 'cast(null as varchar)'} as within"


def _take_over(con: duckdb.DuckDBPyConnection, table: str, way: Rebuilt, cells: Sequence[Cell]) -> None:
    """Put the rows of `fresh` in some cells in the place of the table's; all rows that differ are in them."""
    has_nulls = any(value is None for value, _ in cells)
    rows = "true" if has_nulls else _predicate(_parts(way, cells))
    con.execute(f"delete from {table} where {rows}")
    con.execute(f"insert into {table} select * from fresh where {rows}")


# --- newest row per key -------------------------------------------------------------------------------------


def _newest(con: duckdb.DuckDBPyConnection, plan: Plan, query: Query, way: Newest, memory: Memory) -> TableResult:
    """Merge the pulls that were not merged yet; all of them where the query or an old pull changed."""
    recipe, known = plan.recipe(query, None), memory.get(query.table)
    versions = _versions(con, plan, query, memory, without="observation.")
    others = _hash(sorted(versions.items()))
    if (known and (known.recipe, known.inputs) != (recipe, others)) or _holds_lost_pulls(con, query.table):
        known = None
    if known and not (new := _new_pulls(con, query.table)):
        return known.as_it_stands()
    with _few_threads(con, query, memory):
        con.execute("begin; create schema part")
        source = _observation_of(query)
        pulls = _read(con, new if known else _shown(con))
        text = _instead(con, query.text, source, plan.store.query(source.split(".")[1], pulls))
        version = _next_version(known)
        if known:
            con.execute(f"create or replace temp table fresh as {text}")
            _merge(con, query.table, way, _watched(con, plan, query), version)
        else:
            _forget(con, query.table)
            # What was seen last is seen again soonest: rows that will be replaced lie together at the end.
            con.execute(f"create or replace table {query.table} as {text}\norder by {way.order[0]}")
            con.execute(f"comment on table {query.table} is {quote(query.grain)}")
        con.execute("drop schema part cascade")
        _note_merged(con, query.table)
        size = _count(con, query.table)
        result = TableResult(query.table, size, size, 0.0, state="updated" if known else "built")
        _remember(con, result, recipe, others, version)
        con.execute("commit")
    return result


def _merge(
    con: duckdb.DuckDBPyConnection, table: str, way: Newest, watched: Sequence[Rebuilt], version: str
) -> None:
    """Put the rows of `fresh` that are later in the place of those that they are later than.

    The table is searched once, and what is found is held beside it.
    """
    same = " and ".join(f"old.{c} = fresh.{c}" for c in way.key)
    is_later = f"({', '.join(f'fresh.{c}' for c in way.order)}) > ({', '.join(f'old.{c}' for c in way.order)})"
    followed = [column for way in watched for column in (way.column, way.within) if column]
    needed = ", ".join(dict.fromkeys(f"old.{c}" for c in (*way.key, *way.order, *followed)))
    con.execute(
        f"create or replace temp table stale as select old.rowid as place, {needed} "
        f"from {table} as old semi join fresh on {same}"
    )
    older = con.execute(f"delete from fresh using stale as old where {same} and not {is_later}").fetchone()
    if older != (0,):
        con.execute(f"delete from stale as old where not exists (select 1 from fresh where {same})")
    for other in watched:
        cells = con.execute(
            "select cast(value as varchar), within from ("
            f"select {_cell(other)} from fresh union select {_cell(other)} from stale)"
        ).fetchall()
        _note_changes(con, table, other, cells, version)
    con.execute(f"delete from {table} where rowid in (select place from stale)")
    con.execute(f"insert into {table} by name select * from fresh")
    con.execute("drop table fresh; drop table stale")


def _observation_of(query: Query) -> str:
    sources = [table for table in query.reads if table.startswith("observation.")]
    if len(sources) != 1:
        raise WarehouseError(f"{query.table}: a `newest` table reads exactly one observation table, not {sources}")
    return sources[0]


# --- rebuilt by part ----------------------------------------------------------------------------------------


def _rebuilt(
    con: duckdb.DuckDBPyConnection,
    plan: Plan,
    query: Query,
    way: Rebuilt,
    contract: Contract | None,
    memory: Memory,
) -> TableResult:
    """Replace the rows of those values of the column whose inputs changed; all where anything else did."""
    recipe, known = plan.recipe(query, contract), memory.get(query.table)
    versions = _versions(con, plan, query, memory)
    followed = {t: v.split(":") for t, v in versions.items() if _is_followed(con, plan, t, v, way)}
    inputs = _hash([(t, followed[t][0] if t in followed else v) for t, v in versions.items()])
    serials = {table: int(serial) for table, (_, serial) in followed.items()}
    if known and (known.recipe, known.inputs) != (recipe, inputs):
        known = None
    touched = _touched(con, query.table, way, serials) if known else set()
    if known and not touched:
        return known.as_it_stands()
    version = _next_version(known)
    with _few_threads(con, query, memory):
        if known:
            con.execute("begin; create schema part")
            watched = _watched(con, plan, query)
            result = _replace_parts(con, query, way, contract, touched, version, watched, sorted(serials))
            con.execute("drop schema part cascade")
        else:
            _forget(con, query.table)
            result = build_table(con, query.table, query.text, query.grain, contract)
            con.execute("begin")
        _remember(con, result, recipe, inputs, version)
        con.execute("delete from state.seen where table_name = ?", [query.table])
        con.execute(
            "insert into state.seen select ?, unnest(?::varchar[]), unnest(?::bigint[])",
            [query.table, list(serials), list(serials.values())],
        )
        con.execute("commit")
    return result


def _replace_parts(
    con: duckdb.DuckDBPyConnection,
    query: Query,
    way: Rebuilt,
    contract: Contract | None,
    touched: set[Cell],
    version: str,
    watched: Sequence[Rebuilt],
    followed: Sequence[str],
) -> TableResult:
    """Build the rows of some cells again, and note the change for the verdict and for those who follow."""
    parts = _parts(way, touched)
    rows = _predicate(parts)
    if contract:  # so that its verdict can follow
        _note_changes(con, query.table, way, touched, version)
    if watched:
        con.execute(f"create or replace temp table stale as select * from {query.table} where {rows}")
    for part in parts:
        text = _cut(con, query, way, part, followed)
        result = build_part(con, query.table, text, part.predicate(), contract)
    for other in watched:
        cells = _cells_that_differ(con, f"(select * from {query.table} where {rows})", "stale", other)
        _note_changes(con, query.table, other, cells, version)
    if watched:
        con.execute("drop table stale")
    return result


def _touched(con: duckdb.DuckDBPyConnection, table: str, way: Rebuilt, serials: Mapping[str, int]) -> set[Cell]:
    """The cells that changed in what a table reads since it was last brought up to date."""
    seen = dict(con.execute("select input, serial from state.seen where table_name = ?", [table]).fetchall())
    touched: set[Cell] = set()
    for upstream in serials:
        touched |= set(
            con.execute(
                "select distinct value, case when within_name = ? then within end from state.changed "
                "where table_name = ? and column_name = ? and serial > ?",
                [way.within, upstream, way.column, seen.get(upstream, -1)],
            ).fetchall()
        )
    return touched


@dataclass(frozen=True)
class _Part:
    """Some values of a table's column, or some places within their rows; without values, the whole table."""

    way: Rebuilt
    values: Sequence[str] = ()
    places: Sequence[str] = ()

    def predicate(self, *, has_places: bool = True) -> str:
        """What holds for its rows; without the places, for the rows of all of them."""
        if not self.values:
            return "true"
        listed = ", ".join(quote(value) for value in self.values)
        held = f'"{self.way.column}" in ({listed})'
        if self.way.column.endswith("_on"):
            # The quarantine holds texts, so the column is cast; on a day the cast costs nothing.
            listed = ", ".join(f"date {quote(value)}" for value in self.values)
            held = f'cast("{self.way.column}" as date) in ({listed})'
        if not self.places or not has_places:
            return held
        return f"{held} and {self.way.within} in ({', '.join(quote(place) for place in self.places)})"


def _parts(way: Rebuilt, touched: Iterable[Cell]) -> list[_Part]:
    """What holds all cells and not much more: whole values, then a few places within the rows of others."""
    places: dict[str, set[str]] = {}
    whole: set[str] = set()
    for value, place in touched:
        if place is None:
            whole.add(value)
        else:
            places.setdefault(value, set()).add(place)
    whole |= {value for value, found in places.items() if len(found) >= MANY_PLACES}
    rest = {value: found for value, found in places.items() if value not in whole}
    if len(whole) + len(rest) >= MANY_VALUES:
        return [_Part(way)]
    parts = [_Part(way, sorted(whole))] if whole else []
    if rest:
        parts.append(_Part(way, sorted(rest), sorted(set().union(*rest.values()))))
    return parts


def _predicate(parts: Sequence[_Part]) -> str:
    """What holds for the rows of any of the parts."""
    return " or ".join(f"({part.predicate()})" for part in parts) or "false"


def _cut(con: duckdb.DuckDBPyConnection, query: Query, way: Rebuilt, part: _Part, followed: Sequence[str]) -> str:
    """The query over those rows of its inputs that a part follows from.

    A predicate on the result alone would not reach the far side of a left join.
    """
    text = query.text
    names = [table.split(".")[1] for table in followed]
    for table, name in zip(followed, names, strict=True):
        if names.count(name) == 1:
            has_places = way.within is not None and _has_column(con, table, way.within)
            held = part.predicate(has_places=has_places)
            text = _instead(con, text, table, f"select * from {table} where {held}")
    return text


def _instead(con: duckdb.DuckDBPyConnection, text: str, table: str, rows: str) -> str:
    """The text of a query with a view of some rows, in schema `part`, in the place of a table."""
    name = f"part.{table.split('.')[1]}"
    con.execute(f"create or replace view {name} as {rows}")
    return re.sub(rf"(?<![\w.]){re.escape(table)}(?![\w.])", name, text)


def _is_followed(con: duckdb.DuckDBPyConnection, plan: Plan, table: str, version: str, way: Rebuilt) -> bool:
    """Whether the changes of a table are noted by the column that another one is rebuilt by."""
    query = plan.queries.get(table)
    return query is not None and ":" in version and _may_be_followed(query, _columns(con, table), way)


def _watched(con: duckdb.DuckDBPyConnection, plan: Plan, query: Query) -> list[Rebuilt]:
    """By which columns of a table others follow its changes; `within` only where the table has that column too."""
    found, columns = set(), _columns(con, query.table)
    for other in plan.queries.values():
        way = other.refresh
        if isinstance(way, Rebuilt) and query.table in other.reads and _may_be_followed(query, columns, way):
            is_finer = way.within is not None and way.within in columns
            found.add(way if is_finer else Rebuilt(way.column))
    return sorted(found, key=lambda way: (way.column, way.within or ""))


def _may_be_followed(query: Query, columns: Sequence[str], way: Rebuilt) -> bool:
    """Whether a table with some columns tells which values of one of them changed in it."""
    return query.layer != "public" and way.column in columns


# --- memory -------------------------------------------------------------------------------------------------


def _open_state(con: duckdb.DuckDBPyConnection) -> None:
    """Make the memory where it is not there; the last of its tables is asked for, since asking is quicker."""
    if not _exists(con, "state.seen"):
        con.execute(STATE_DDL)


def _recall(con: duckdb.DuckDBPyConnection, query: Query) -> Memory:
    """What is remembered of a table, if it still stands, and of all that it reads."""
    rows = con.execute(
        "select table_name, recipe, inputs, version, result from state.built "
        "where result is not null and list_contains(?::varchar[], table_name)",
        [[query.table, *query.reads]],
    ).fetchall()
    memory = {row[0]: Built(*row) for row in rows}
    if query.table in memory and not _exists(con, query.table):
        del memory[query.table]
    return memory


@contextmanager
def _few_threads(con: duckdb.DuckDBPyConnection, query: Query, memory: Memory) -> Iterator[None]:
    """Let one thread bring a table up to date where it and all that it reads are small.

    Threads that wait for each other take more of the processors than such a table does.
    """
    is_small = query.table in memory and max(built.rows_out for built in memory.values()) <= FEW_ROWS
    row = con.execute("select current_setting('threads')").fetchone() if is_small else None
    if not row or row[0] == 1:
        yield
        return
    con.execute("set threads = 1")
    try:
        yield
    finally:
        try:
            con.execute(f"set threads = {row[0]}")
        except duckdb.TransactionException:  # the query failed, or somebody stopped the run
            con.rollback()
            con.execute(f"set threads = {row[0]}")


def _versions(
    con: duckdb.DuckDBPyConnection, plan: Plan, query: Query, memory: Memory, without: str | None = None
) -> dict[str, str]:
    """Of each table that a query reads, what changes whenever its content does; `without` those of a schema."""
    tables = [table for table in sorted(query.reads) if not (without and table.startswith(without))]
    return {table: _version(con, plan, table, memory) for table in tables}


def _version(con: duckdb.DuckDBPyConnection, plan: Plan, table: str, memory: Memory) -> str:
    if table.startswith("observation."):
        return _hash(_shown(con))
    if table in plan.queries and table in memory:
        return memory[table].version
    return fingerprint(con, table)


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


def _choose_pulls(con: duckdb.DuckDBPyConnection, pulls: Sequence[PullRecord]) -> None:
    """Note which pulls all tables are to see, until this is called again."""
    con.execute(
        f"create or replace table {SHOWN} as "
        "select unnest(?::varchar[]) as pull_key, unnest(?::varchar[]) as record",
        [[pull.key for pull in pulls], [pull.model_dump_json() for pull in pulls]],
    )


def _shown(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The keys of the pulls that all tables see, in the order in which those began."""
    rows = con.execute(f"select pull_key from {SHOWN} order by rowid").fetchall() if _exists(con, SHOWN) else []
    return [key for (key,) in rows]


def _read(con: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> list[PullRecord]:
    """The records of some of those pulls; only of those, since there are many."""
    if not keys:
        return []
    found = con.execute(
        f"select pull_key, record from {SHOWN} where pull_key in (select unnest(?::varchar[]))", [keys]
    ).fetchall()
    records = dict(found)
    return [PullRecord.model_validate_json(records[key]) for key in keys]


def _show_all(con: duckdb.DuckDBPyConnection, store: ObservationStore, table: str) -> None:
    """Keep a view of all pulls for whoever looks at the warehouse; to make it, all folders have to be listed."""
    name, text = f"observation.{table}", store.query(table)
    made = con.execute("select recipe from state.built where table_name = ?", [name]).fetchone()
    there = con.execute(
        "select 1 from duckdb_views() where schema_name = 'observation' and view_name = ?", [table]
    ).fetchone()
    if made != (text,) or not there:
        con.execute(f"create or replace view {name} as {text}")
        con.execute("delete from state.built where table_name = ?", [name])
        con.execute("insert into state.built (table_name, recipe) values (?, ?)", [name, text])


def _new_pulls(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """The keys of the pulls that a table does not hold, in the order in which those began."""
    rows = con.execute(
        f"select shown.pull_key from {SHOWN} as shown anti join "
        "(select pull_key from state.merged where table_name = ?) as held using (pull_key) order by shown.rowid",
        [table],
    ).fetchall()
    return [key for (key,) in rows]


def _holds_lost_pulls(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether a table holds a pull that was taken out or revised."""
    lost = con.execute(
        f"select 1 from state.merged anti join {SHOWN} using (pull_key) where table_name = ? limit 1", [table]
    ).fetchone()
    return lost is not None


def _note_merged(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Note that a table holds all pulls that are seen, and no other."""
    con.execute(
        f"delete from state.merged where table_name = ? and pull_key not in (select pull_key from {SHOWN})",
        [table],
    )
    con.execute(
        f"insert into state.merged select ?, pull_key from {SHOWN} "
        "where pull_key not in (select pull_key from state.merged where table_name = ?)",
        [table, table],
    )


def _forget(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Forget how a table was built before it is touched, so that a run that is killed builds it again."""
    for memory in ("built", "merged", "seen", "changed"):
        con.execute(f"delete from state.{memory} where table_name = ?", [table])


def _next_version(known: Built | None) -> str:
    """The version of a table whose changes are noted: since when it grows, and a number that counts up."""
    if known is None:
        return f"{uuid.uuid4().hex}:0"
    since, serial = known.version.split(":")
    return f"{since}:{int(serial) + 1}"


def _note_changes(
    con: duckdb.DuckDBPyConnection, table: str, way: Rebuilt, cells: Iterable[Cell], version: str
) -> None:
    """Note which cells of a table changed with its version; of each cell the last time is enough."""
    found = [(value, place) for value, place in cells if value is not None]
    con.execute(
        "create or replace temp table cells as "
        "select unnest(?::varchar[]) as value, unnest(?::varchar[]) as within",
        [[value for value, _ in found], [place for _, place in found]],
    )
    con.execute(
        "delete from state.changed as old using cells where old.table_name = ? and old.column_name = ? "
        "and old.within_name is not distinct from ? "
        "and old.value = cells.value and old.within is not distinct from cells.within",
        [table, way.column, way.within],
    )
    con.execute(
        "insert into state.changed select distinct ?, ?, value, ?, within, ? from cells",
        [table, way.column, way.within, int(version.split(":")[1])],
    )
    con.execute("drop table cells")


def _exists(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(_columns(con, table))


def _has_column(con: duckdb.DuckDBPyConnection, table: str, column: str) -> bool:
    return column in _columns(con, table)


def _columns(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """The columns of a table, none if there is no such table; the catalogue's own tables are slower to ask."""
    try:
        return [column[0] for column in con.execute(f"select * from {table} limit 0").description or ()]
    except duckdb.CatalogException:
        return []


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0


def _hash(said: object) -> str:
    return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()
