"""The DuckDB warehouse: loading sources, building tables from SQL, and the split of good rows from quarantine.

Belongs here: everything that talks to DuckDB. Does not belong here: what a table means (contracts and SQL
files say that) and the verdict on a finished table (`checks`). One process writes; others open it read-only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import duckdb
from duckdb.func import SPECIAL

from pipelines.contract import PROVENANCE, Contract, Rule, quote, row_rule, to_ddl
from pipelines.corrections import Correction

if TYPE_CHECKING:
    import pyarrow as pa


SCHEMAS = ("source", "observation", "protected", "clean", "model", "public", "quarantine", "published", "state")
SEES_NULLS = SPECIAL  # a function decides itself what a null means
WHITE_SPACE = "' \t\r\n' || chr(160)"
ISSUES_DDL = """
create table if not exists quarantine.issues (
  dataset varchar, source varchar, rule varchar, severity varchar, responsibility varchar,
  row_count bigint, first_seen_on date, detail varchar
)"""


class WarehouseError(Exception):
    """A table that could not be built; the message names the table, the reason and what to do."""


@dataclass(frozen=True)
class Function:
    """A Python function that SQL may call by name; types are DuckDB's."""

    call: Callable[..., Any]
    arguments: tuple[str, ...]
    returns: str


@dataclass(frozen=True)
class Incoming:
    """Rows of one snapshot as text: `columns` are the contract's, `rows` as wide as `columns`."""

    sha256: str
    as_of: Any
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    line_numbers: Sequence[int]


@dataclass(frozen=True)
class TableResult:
    """What building one table did: row counts and how many rows broke which rule; `state` is how it was built."""

    table: str
    rows_in: int
    rows_out: int
    seconds: float
    quarantined: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    state: Literal["built", "updated", "unchanged"] = "built"

    @property
    def rows_quarantined(self) -> int:
        """How many rows went to quarantine; a row that breaks two rules counts once."""
        return self.rows_in - self.rows_out


@contextmanager
def open_warehouse(
    path: Path, functions: Mapping[str, Function] | None = None, *, read_only: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse, with its schemas and the functions that SQL files may call.

    Errors: `WarehouseError` when another process holds the file, or when there is none to read.
    """
    if not read_only:
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        con = duckdb.connect(str(path), read_only=read_only)
    except duckdb.IOException as error:
        reason = (
            "another process is writing it"
            if "Could not set lock" in str(error)
            else "there is none yet, or it is damaged"
        )
        raise WarehouseError(f"cannot open {path.name}: {reason}; wait for the run, or publish first") from None
    try:
        con.execute("set timezone = 'UTC'; set preserve_insertion_order = true; set enable_progress_bar = false")
        if not read_only:
            for schema in SCHEMAS:
                con.execute(f"create schema if not exists {schema}")
            con.execute(ISSUES_DDL)
            # What a run writes goes into the file once, when it is closed, and until then into the log beside it.
            con.execute("set checkpoint_threshold = '4GB'")
        for name, function in (functions or {}).items():
            arguments: list[Any] = [duckdb.sqltype(argument) for argument in function.arguments]
            returns = duckdb.sqltype(function.returns)
            con.create_function(name, function.call, arguments, returns, null_handling=SEES_NULLS)
        yield con
    finally:
        con.close()


@contextmanager
def rolled_back_on_error(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Leave no half-done transaction behind when a step fails, so that the connection can be used again."""
    try:
        yield
    except BaseException:
        with suppress(duckdb.TransactionException):  # there is nothing to roll back
            con.rollback()
        raise


def load_source(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    batches: Sequence[Incoming],
    corrections: Sequence[Correction] = (),
) -> TableResult:
    """Build `source.<name>` from snapshots: text is trimmed and cast, rows that break a rule are quarantined.

    Corrections come before any rule, so that they can mend a row that broke one. Their guard is an error too.
    No batches (a source that is off) builds an empty table. Errors: `WarehouseError` when more rows break
    critical rules than the contract tolerates; the table of the last good run then stays.
    """
    started = time.perf_counter()
    names = [c.name for c in contract.columns if c.name not in PROVENANCE]
    con.register("incoming", _as_arrow(batches, names))
    typed = ", ".join(
        f'nullif(trim("{n}", {WHITE_SPACE}), \'\') as "raw_{n}", {_typed(n, c.sql_type)} as "{n}"'
        for c in contract.columns
        if (n := c.name) not in PROVENANCE
    )
    con.execute(f"create or replace temp table staged as select {typed}, {', '.join(PROVENANCE)} from incoming")
    con.unregister("incoming")
    if batches:
        for correction in corrections:
            _correct(con, contract, correction)
    kept = [f'"raw_{n}" as "{n}"' for n in names] + list(PROVENANCE)
    return _split(con, contract, kept, "source", started)


def _correct(con: duckdb.DuckDBPyConnection, contract: Contract, correction: Correction) -> None:
    """Mend one cell in every snapshot that says what the correction expects.

    Errors: `WarehouseError` when the newest snapshot that has the row says something else, or none has it.
    """
    row = " and ".join(f'"raw_{name}" = {quote(value)}' for name, value in correction.key.items())
    cell = f'"raw_{correction.column}"'
    said = con.execute(
        f"select distinct {cell} from staged where {row} "
        f"and snapshot_on = (select max(snapshot_on) from staged where {row})"
    ).fetchall()
    if not said:
        raise WarehouseError(
            f"corrections.yml: {correction.where}: no snapshot has this row: remove the correction"
        )
    if said != [(correction.expect,)]:
        found = " and ".join(sorted(_told(value) for (value,) in said))
        hint = "the source has repaired itself: " if said == [(correction.becomes,)] else ""
        raise WarehouseError(
            f"corrections.yml: {correction.where}: {hint}the source now says {found} where the correction "
            f"expected {_told(correction.expect)}: remove the correction or look again"
        )
    becomes = "null" if correction.becomes is None else quote(correction.becomes)
    sql_type = contract.column(correction.column).sql_type
    con.execute(
        f'update staged set {cell} = {becomes}, "{correction.column}" = try_cast({becomes} as {sql_type}) '
        f"where {row} and {cell} is not distinct from {quote(correction.expect) if correction.expect else 'null'}"
    )


def _told(value: str | None) -> str:
    """A value of a column that is about nobody, for an error."""
    return "nothing" if value is None else repr(value)


def note_corrections(
    con: duckdb.DuckDBPyConnection, contract: Contract, corrections: Sequence[Correction]
) -> None:
    """Note as issues of the source how many cells of a column are corrected; after `note_findings`."""
    for column in sorted({one.column for one in corrections}):
        its = [one for one in corrections if one.column == column]
        con.execute(
            "insert into quarantine.issues values (?, ?, 'corrected', 'warning', 'source', ?, ?, ?)",
            [contract.table, contract.name, len(its), min(one.decided_on for one in its), column],
        )


def _typed(name: str, sql_type: str) -> str:
    """A cast that is null for what is not of the type: no rounding of 12.7, no infinite day, no NaN."""
    text = f"nullif(trim(\"{name}\", {WHITE_SPACE}), '')"
    cast = f"try_cast({text} as {sql_type})"
    if sql_type == "BIGINT":  # whole numbers may come as 1338.0
        return f"case when regexp_full_match({text}, '[+-]?[0-9]+([.]0*)?') then {cast} end"
    if sql_type in ("DOUBLE", "DATE", "TIMESTAMP"):
        return f"case when isfinite({cast}) then {cast} end"
    return cast


def _as_arrow(batches: Sequence[Incoming], names: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    text = {name: pa.string() for name in names}
    schema = pa.schema(
        [
            *text.items(),
            ("snapshot_sha256", pa.string()),
            ("snapshot_on", pa.date32()),
            ("source_row", pa.int64()),
        ]
    )
    tables = []
    for batch in batches:
        given = dict(zip(batch.columns, zip(*batch.rows, strict=True), strict=True))
        size = len(batch.rows)
        arrays = [pa.array(given.get(name, [None] * size), pa.string()) for name in names]
        arrays += [
            pa.array([batch.sha256] * size, pa.string()),
            pa.array([batch.as_of] * size, pa.date32()),
            pa.array(batch.line_numbers, pa.int64()),
        ]
        tables.append(pa.Table.from_arrays(arrays, schema=schema))
    return pa.concat_tables(tables) if tables else schema.empty_table()


def build_table(
    con: duckdb.DuckDBPyConnection, table: str, sql: str, grain: str, contract: Contract | None = None
) -> TableResult:
    """Build one `clean`, `model` or `public` table from its query, replacing it as a whole.

    With a contract the result must have exactly its columns; rows that break a critical rule go to
    `quarantine`. Errors: `WarehouseError` naming the table and what is wrong with it.
    """
    started = time.perf_counter()
    try:
        if contract is None:
            con.execute(f"create or replace table {table} as {sql}")
            con.execute(f"comment on table {table} is {quote(grain)}")
            rows = _count(con, table)
            return TableResult(table, rows, rows, time.perf_counter() - started)
        con.execute(f"create or replace temp table found as {sql}")
        _check_columns(con, contract)
        typed = ", ".join(f'cast("{c.name}" as {c.sql_type}) as "{c.name}"' for c in contract.columns)
        con.execute(f"create or replace temp table staged as select {typed} from found")
        con.execute("drop table found")
    except duckdb.Error as error:
        raise WarehouseError(f"{table}: the query failed: {reason_of(error)}") from None
    return _split(con, contract, _texts(contract), "us", started)


def build_part(
    con: duckdb.DuckDBPyConnection, table: str, sql: str, part: str, contract: Contract | None = None
) -> TableResult:
    """Build those rows of a table for which the predicate `part` holds, and put them in place of the old.

    It must hold for the quarantine's texts as for the table's values. Runs within the caller's transaction.
    Errors: as `build_table`.
    """
    started = time.perf_counter()
    rows = f"select * from (\n{sql}\n) as whole where {part}"
    if contract is None:
        con.execute(f"create or replace temp table part as {rows}")
        con.execute(f"delete from {table} where {part}")
        con.execute(f"insert into {table} by name select * from part")
        con.execute("drop table part")
        size = _count(con, table)
        return TableResult(table, size, size, time.perf_counter() - started, state="updated")
    typed = ", ".join(f'cast("{c.name}" as {c.sql_type}) as "{c.name}"' for c in contract.columns)
    con.execute(f"create or replace temp table staged as select {typed} from ({rows})")
    return _split(con, contract, _texts(contract), "us", started, part)


def _texts(contract: Contract) -> list[str]:
    return [f'cast("{c.name}" as varchar) as "{c.name}"' for c in contract.columns]


def reason_of(error: duckdb.Error) -> str:
    """Why a query failed; the engine's own words only where they cannot quote the value of a cell."""
    about_the_query = duckdb.BinderException | duckdb.CatalogException | duckdb.ParserException
    if isinstance(error, about_the_query):
        return str(error).strip().splitlines()[0]
    return f"{type(error).__name__} on some value of a row; run the query by hand on the warehouse to see which"


def _check_columns(con: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    found = [row[0] for row in con.execute("describe found").fetchall()]
    wanted = [column.name for column in contract.columns]
    lacking, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if lacking or extra:
        raise WarehouseError(
            f"{contract.table}: the query lacks {lacking or 'nothing'} and has {extra or 'nothing'} besides "
            f"what {contract.path.name} names: change the contract and its version, or the query"
        )


def _split(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    kept: Sequence[str],
    responsibility: Literal["source", "us"],
    started: float,
    within: str | None = None,
) -> TableResult:
    """Split `staged` into the table and its quarantine, and note every broken rule as an issue.

    With `within` only the rows for which that predicate holds are replaced, inside the caller's transaction.
    """
    rules = [rule for rule in contract.all_rules() if rule.per_row]
    critical = broken_rules([r for r in rules if r.severity == "critical"], contract)
    warning = broken_rules([r for r in rules if r.severity == "warning"], contract)
    con.execute(f"create or replace temp table judged as select *, {critical} as broken_rules from staged")
    quarantine = f"quarantine.{contract.layer}__{contract.name}"
    refused = f"select {', '.join(kept)}, broken_rules from judged where broken_rules <> ''"
    if within is None:
        con.execute(f"create or replace table {quarantine} as {refused}")
    else:
        con.execute(f"delete from {quarantine} where {within}")
        con.execute(f"insert into {quarantine} {refused}")
    quarantined = _per_rule(con, "broken_rules", quarantine)
    bad, good = _count(con, quarantine), _count(con, "judged", "broken_rules = ''")
    good += _count(con, contract.table, f"not {within}") if within else 0
    if bad and 100 * bad / (good + bad) > contract.max_quarantine_percent:
        _note_issues(con, contract, rules, quarantined, responsibility)
        raise WarehouseError(
            f"{contract.table}: {bad} of {good + bad} rows break critical rules "
            f"({', '.join(f'{rule} {n}' for rule, n in sorted(quarantined.items()))}), more than the "
            f"{contract.max_quarantine_percent:g} % that the contract tolerates; see {quarantine}"
        )
    columns = ", ".join(f'"{column.name}"' for column in contract.columns)
    order = ", ".join(contract.key or ("snapshot_on", "snapshot_sha256", "source_row"))
    if within is None:
        con.execute("begin")
        con.execute(to_ddl(contract))
    else:
        con.execute(f"delete from {contract.table} where {within}")
    con.execute(
        f"insert into {contract.table} select {columns} from judged where broken_rules = '' order by {order}"
    )
    if within is None:
        con.execute("commit")
    has_warnings = any(rule.severity == "warning" for rule in rules)
    warnings = _per_rule(con, warning, contract.table) if has_warnings else {}
    _note_issues(con, contract, rules, {**quarantined, **warnings}, responsibility)
    con.execute("drop table staged; drop table judged")
    state: Literal["built", "updated"] = "built" if within is None else "updated"
    seconds = time.perf_counter() - started
    return TableResult(contract.table, good + bad, good, seconds, quarantined, warnings, state)


def broken_rules(rules: Sequence[Rule], contract: Contract) -> str:
    """An SQL text expression: the names of the broken rules with commas between, empty when none is broken."""
    cases = [f"case when {row_rule(rule, contract)} then {quote(rule.name)} end" for rule in rules]
    return f"concat_ws(',', {', '.join(cases)})" if cases else "''"


def _per_rule(con: duckdb.DuckDBPyConnection, broken: str, table: str) -> dict[str, int]:
    """How many rows of a table break which rule; `broken` is an expression for the names of the rules."""
    rows = con.execute(
        f"select rule, count(*) from (select unnest(string_split({broken}, ',')) as rule from {table}) as each "
        f"where rule <> '' group by rule order by rule"
    ).fetchall()
    return dict(rows)


def _note_issues(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    rules: Sequence[Rule],
    counts: Mapping[str, int],
    responsibility: Literal["source", "us"],
) -> None:
    """Note each broken rule as one issue, with the day of the first snapshot that shows it."""
    con.execute("delete from quarantine.issues where dataset = ? and detail is null", [contract.table])
    by_name = {rule.name: rule for rule in rules}
    source = contract.name if contract.layer == "source" else None
    for name, rows in sorted(counts.items()):
        rule, since = by_name[name], None
        if source and rule.severity == "critical":
            since = _first_day(
                con,
                f"quarantine.{contract.layer}__{contract.name}",
                f"list_contains(string_split(broken_rules, ','), {quote(name)})",
            )
        elif source:
            since = _first_day(con, contract.table, row_rule(rule, contract))
        con.execute(
            "insert into quarantine.issues values (?, ?, ?, ?, ?, ?, ?, null)",
            [contract.table, source, name, rule.severity, responsibility, rows, since],
        )


def _first_day(con: duckdb.DuckDBPyConnection, table: str, where: str) -> Any:
    row = con.execute(f"select min(cast(snapshot_on as date)) from {table} where {where}").fetchone()
    return row[0] if row else None


def note_findings(
    con: duckdb.DuckDBPyConnection, contract: Contract, findings: Sequence[tuple[str, str, Any]]
) -> None:
    """Note what publishers changed about a file's shape: `(rule, field, day)`, as issues of the source."""
    con.execute("delete from quarantine.issues where dataset = ? and detail is not null", [contract.table])
    for rule, field_name, day in findings:
        con.execute(
            "insert into quarantine.issues values (?, ?, ?, 'warning', 'source', 1, ?, ?)",
            [contract.table, contract.name, rule, day, field_name],
        )


def attach_published(con: duckdb.DuckDBPyConnection, contracts: Sequence[Contract], release: Path | None) -> None:
    """Make `published.<dataset>` the dataset as last released; empty before the first release."""
    for contract in contracts:
        file = release / f"{contract.name}.parquet" if release else None
        columns = ", ".join(f'cast(null as {c.sql_type}) as "{c.name}"' for c in contract.columns)
        if file and file.exists():
            names = [row[0] for row in con.execute(f"describe from {_parquet(file)}").fetchall()]
            columns = ", ".join(
                f'cast("{c.name}" as {c.sql_type}) as "{c.name}"'
                if c.name in names
                else f'cast(null as {c.sql_type}) as "{c.name}"'
                for c in contract.columns
            )
            origin = f"from {_parquet(file)}"
        else:
            origin = "where false"
        con.execute(f"create or replace table published.{contract.name} as select {columns} {origin}")


def write_roster(con: duckdb.DuckDBPyConnection, table: str, path: Path) -> int:
    """Write the list of accounts to ask about as Parquet, all of it or nothing; returns how many there are."""
    part = path.with_suffix(".partial")
    con.execute(
        f"copy (select platform, handle, account_id, is_official from {table} "
        f"order by platform, handle nulls last, account_id) to {quote(str(part))} (format parquet)"
    )
    part.replace(path)
    return _count(con, table)


def _parquet(file: Path) -> str:
    return f"read_parquet({quote(str(file))})"


def columns_of(con: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> dict[str, dict[str, str]]:
    """Columns and types of tables, in order: `{table: {column: type}}`; unknown tables are left out."""
    rows = con.execute(
        "select schema_name || '.' || table_name, column_name, data_type from duckdb_columns() "
        "where not internal order by 1, column_index"
    ).fetchall()
    wanted, found = set(tables), dict[str, dict[str, str]]()
    for table, column, data_type in rows:
        if table in wanted:
            found.setdefault(table, {})[column] = data_type
    return found


def _count(con: duckdb.DuckDBPyConnection, table: str, where: str = "true") -> int:
    row = con.execute(f"select count(*) from {table} where {where}").fetchone()
    return int(row[0]) if row else 0


def fingerprint(con: duckdb.DuckDBPyConnection, table: str) -> str:
    """What changes with the rows of a table and not with their order."""
    rows = con.execute(
        f"select count(*), bit_xor(hash(t)), sum(hash(t) // 3), sum(hash(t) % 1000003) from {table} as t"
    ).fetchone()
    return " ".join(str(part) for part in rows or ())


def texts_that_hold(path: Path, holds: Callable[[str, Sequence[str]], bool]) -> set[str]:
    """The columns of a database file, as `schema.table.column`, of which some text passes a test.

    `holds` gets a column's name and some of its values; views and their texts are asked about as well, under the
    name `view`. Errors: `WarehouseError` when the file cannot be opened.
    """
    found = set()
    with open_warehouse(path, read_only=True) as con:
        views = con.execute("select sql from duckdb_views() where not internal and sql is not null").fetchall()
        found |= {"the text of a view"} if holds("view", [text for (text,) in views]) else set()
        columns = con.execute(
            "select schema_name, table_name, column_name from duckdb_columns() join duckdb_tables() "
            "using (schema_name, table_name) "
            "where data_type not in ('BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', 'BOOLEAN')"
        ).fetchall()
        for schema, table, column in columns:
            values = con.execute(f'select distinct cast("{column}" as varchar) from "{schema}"."{table}"')
            while some := values.fetchmany(50_000):
                if holds(column, [value for (value,) in some if value is not None]):
                    found.add(f"{schema}.{table}.{column}")
                    break
    return found
