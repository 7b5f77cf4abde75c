"""Whether released rows keep the released contract, judged from the release folder alone.

Belongs here: asking a contract's rules of a Parquet file in plain SQL. Does not belong here: the verdict before a
release (`checks`, by Great Expectations), which can judge more: how many rows a healthy run has depends on the
sources that were on, so `row_count` is not asked here.

A contract that came with a download is somebody's SQL. Only expressions are run, no query within a query and no
table function, on a database that holds nothing but these rows and can reach no file, no network and no setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from pipelines.contract import Contract, ContractError, Rule, released_contract, row_rule, to_arrow
from pipelines.release.manifest import DatasetEntry

MEMORY = "1GB"
ROWS = "rows"
CLOSED = f"""
set timezone = 'UTC';
set memory_limit = '{MEMORY}';
set temp_directory = '';
set python_enable_replacements = false;
set enable_external_access = false;
set lock_configuration = true;
"""


def contract_faults(path: Path, dataset: DatasetEntry, table: pa.Table) -> Iterator[str]:
    """Where the rows of a dataset break its contract, which stands at `path`; one sentence each, and no value."""
    try:
        contract = released_contract(path)
    except ContractError as error:
        yield f"contracts/{path.name}: {str(error).removeprefix(f'{path}: ')}"
        return
    if contract.digest != dataset.contract_sha256:
        yield f"contracts/{path.name}: is not the contract that the manifest speaks of"
    if faults := list(_shape_faults(contract, dataset, table)):
        yield from faults
        return  # rules about columns that are not there would only say so again
    try:
        yield from _rule_faults(contract, table)
    except duckdb.Error as error:
        # Not its message, which may quote a value.
        yield f"{dataset.name}: a rule of its contract cannot be asked ({type(error).__name__})"


def _shape_faults(contract: Contract, dataset: DatasetEntry, table: pa.Table) -> Iterator[str]:
    promised = to_arrow(contract)
    stated = (dataset.schema_version, dataset.licence, dataset.key)
    if stated != (contract.version, contract.licence, contract.key):
        yield f"{dataset.name}: version, licence or key differ between manifest and contract"
    if table.column_names != promised.names:
        yield f"{dataset.name}: columns differ between Parquet and contract"
        return
    for field, expected in zip(table.schema, promised, strict=True):
        if field.type != expected.type:
            yield f"{dataset.name}: column {field.name} has type {field.type}, its contract says {expected.type}"


def _rule_faults(contract: Contract, table: pa.Table) -> Iterator[str]:
    rules = [rule for rule in contract.all_rules() if rule.severity == "critical"]
    per_row = [rule for rule in rules if rule.per_row]
    with duckdb.connect(":memory:") as con:
        con.register("released", table)
        columns = ", ".join(f'cast("{c.name}" as {c.sql_type}) as "{c.name}"' for c in contract.columns)
        con.execute(f"create temp view {ROWS} as select {columns} from released")
        con.execute(CLOSED)
        counts = ", ".join(f"count(*) filter (where {row_rule(rule, contract)})" for rule in per_row)
        asked = f"select {counts} from {ROWS}"
        if per_row and not _is_plain(con, asked):
            yield f"{contract.name}: a rule of its contract is more than an expression about a row"
            return
        found = con.execute(asked).fetchall()[0] if per_row else ()
        yield from (
            _sentence(contract, rule, broken) for rule, broken in zip(per_row, found, strict=True) if broken
        )
        for rule in rules:
            if rule.kind == "unique" and (repeated := _repeated(con, rule)):
                yield _sentence(contract, rule, repeated)


def _is_plain(con: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether a text is one query that reads nothing but the rows.

    DuckDB reads it as it would run it. Errors: `duckdb.Error` when it cannot be read.
    """
    row = con.execute("select json_serialize_sql(?)", [sql]).fetchone()
    parsed = orjson.loads(row[0]) if row else {}
    nodes = list(_nodes(parsed))
    tables = [node.get("table_name") for node in nodes if node.get("type") == "BASE_TABLE"]
    selects = [node for node in nodes if node.get("type") in ("SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE")]
    others = [node for node in nodes if node.get("type") in ("TABLE_FUNCTION", "JOIN", "SUBQUERY", "COLUMN_DATA")]
    return len(parsed.get("statements", ())) == 1 and len(selects) == 1 and tables == [ROWS] and not others


def _nodes(parsed: object) -> Iterator[dict[str, Any]]:
    """Every node of a parsed query."""
    if isinstance(parsed, dict):
        yield parsed
    if isinstance(parsed, dict | list):
        for child in parsed.values() if isinstance(parsed, dict) else parsed:
            yield from _nodes(child)


def _repeated(con: duckdb.DuckDBPyConnection, rule: Rule) -> int:
    """Rows beyond the first of each key; a key with an empty cell is no key."""
    names = ", ".join(f'"{name}"' for name in rule.columns)
    whole = " and ".join(f'"{name}" is not null' for name in rule.columns)
    counted = f"select count(*) as n from {ROWS} where {whole} group by {names}"
    row = con.execute(f"select cast(coalesce(sum(n - 1), 0) as bigint) from ({counted})").fetchone()
    return row[0] if row else 0


def _sentence(contract: Contract, rule: Rule, rows: int) -> str:
    return f"{contract.name}: {rows} rows break the rule {rule.name} of its contract"
