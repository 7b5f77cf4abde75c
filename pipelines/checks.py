"""The verdict on a finished table, by Great Expectations inside DuckDB.

Belongs here: running a contract's suite and saying what failed, in counts. Does not belong here: which rules
there are (`contract`) and what a failure leads to (`assets`). Great Expectations takes seconds to import, so
it is imported inside functions only; values of cells are never taken over from its results.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import metadata
from typing import Any

import duckdb
import orjson

from pipelines.contract import Contract, ExpectationSpec, MinimumRows, Severity, to_suite_spec
from pipelines.warehouse import fingerprint

VERDICTS_DDL = """
create schema if not exists quarantine;
create table if not exists quarantine.verdicts (dataset varchar, question varchar, verdict varchar);
create table if not exists quarantine.good_rows (dataset varchar, suite varchar, row_hash ubigint)
"""
UNSEEN = "quarantine.unseen"
MANY_ROWS = 20_000  # a table of so many is judged by its new rows; fewer cost less than finding out which are new


@dataclass(frozen=True)
class RuleResult:
    """One rule's outcome; `broken` counts rows, or is None where the rule is about the whole table."""

    rule: str
    column: str | None
    expectation: str
    severity: Severity
    passed: bool
    broken: int | None
    observed: int | None
    problem: str | None = None

    def sentence(self) -> str:
        """What failed, in words and without any value of a cell."""
        if self.problem:
            return f"{self.rule}: could not be checked ({self.problem})"
        if self.rule == "row_count":
            return f"row_count: only {self.observed} rows, fewer than a healthy run has"
        return f"{self.rule}: broken by {self.broken} rows"


@dataclass(frozen=True)
class Verdict:
    """The outcome of a suite on one table."""

    table: str
    results: tuple[RuleResult, ...]

    @property
    def failures(self) -> tuple[RuleResult, ...]:
        """Critical rules that do not hold: nothing may be built on this table."""
        return tuple(r for r in self.results if not r.passed and r.severity == "critical")

    @property
    def warnings(self) -> tuple[RuleResult, ...]:
        """Rules that do not hold but only warn."""
        return tuple(r for r in self.results if not r.passed and r.severity == "warning")


def check_table(con: duckdb.DuckDBPyConnection, contract: Contract, minimum: MinimumRows = "live") -> Verdict:
    """Run the contract's suite on its table, in DuckDB, over the connection that is open.

    A rule that cannot be evaluated counts as failed. The verdict is remembered in the warehouse: the same suite
    on the same rows is not run again, and of a large table only on rows that it has not seen.
    """
    specs = to_suite_spec(contract, minimum)
    try:
        rows = fingerprint(con, contract.table)
    except duckdb.CatalogException:  # there is no such table, of which every rule will say so
        return _run_suite(con, contract.table, specs)
    con.execute(VERDICTS_DDL)
    suite = _hash(specs, duckdb.__version__, metadata.version("great-expectations"))
    question = _hash(suite, rows)
    known = con.execute(
        "select verdict from quarantine.verdicts where dataset = ? and question = ?", [contract.table, question]
    ).fetchone()
    if known:
        return Verdict(contract.table, tuple(RuleResult(**result) for result in orjson.loads(known[0])))
    by_new_rows = _judge_new_rows(con, contract.table, specs, suite)
    verdict = by_new_rows or _run_suite(con, contract.table, specs)
    con.execute("delete from quarantine.verdicts where dataset = ?", [contract.table])
    if not any(result.problem for result in verdict.results):
        said = orjson.dumps([asdict(result) for result in verdict.results]).decode()
        con.execute("insert into quarantine.verdicts values (?, ?, ?)", [contract.table, question, said])
    if _is_clean(specs, verdict):
        _remember_good_rows(con, contract.table, suite, is_new=by_new_rows is not None)
    con.execute(f"drop table if exists {UNSEEN}")
    return verdict


def _judge_new_rows(
    con: duckdb.DuckDBPyConnection, table: str, specs: Sequence[ExpectationSpec], suite: str
) -> Verdict | None:
    """The verdict on a table of which most rows were found good before; None where it must be judged as a whole.

    What a single row can break is asked of the rows that the same suite has not seen, the rest of the whole table.
    A row that breaks a rule leads to a judgement of the whole, so that all such rows are counted.
    """
    if not _good_rows(con, table, suite):
        return None
    con.execute(
        f"create or replace table {UNSEEN} as select * from {table} as t where hash(t) not in "
        "(select row_hash from quarantine.good_rows where dataset = ? and suite = ?)",
        [table, suite],
    )
    of_rows = [spec for spec in specs if spec.rule.per_row]
    of_table = [spec for spec in specs if not spec.rule.per_row]
    new = _run_suite(con, UNSEEN, of_rows)
    if not _is_clean(of_rows, new):
        return None
    found = iter(new.results), iter(_run_suite(con, table, of_table).results)
    return Verdict(table, tuple(next(found[0] if spec.rule.per_row else found[1]) for spec in specs))


def _good_rows(con: duckdb.DuckDBPyConnection, table: str, suite: str) -> int:
    """How many rows of a table, gone ones too, are known to break no rule of a suite."""
    row = con.execute(
        "select count(*) from quarantine.good_rows where dataset = ? and suite = ?", [table, suite]
    ).fetchone()
    return int(row[0]) if row else 0


def _is_clean(specs: Sequence[ExpectationSpec], verdict: Verdict) -> bool:
    """Whether no row breaks any rule, not even a rule that only warns or that tolerates some."""
    found = zip(specs, verdict.results, strict=True)
    return all(r.passed and not r.broken and not r.problem for spec, r in found if spec.rule.per_row)


def _remember_good_rows(con: duckdb.DuckDBPyConnection, table: str, suite: str, *, is_new: bool) -> None:
    """Remember the hashes of a clean table's rows: `is_new` where only those in `UNSEEN` are not known yet.

    Rows that are gone stay remembered until they are as many as those that are there.
    """
    row = con.execute(f"select count(*) from {table}").fetchone()
    size = int(row[0]) if row else 0
    if is_new and _good_rows(con, table, suite) <= 2 * size:
        con.execute(f"insert into quarantine.good_rows select ?, ?, hash(t) from {UNSEEN} as t", [table, suite])
        return
    con.execute("delete from quarantine.good_rows where dataset = ?", [table])
    if size >= MANY_ROWS:
        con.execute(f"insert into quarantine.good_rows select ?, ?, hash(t) from {table} as t", [table, suite])


def _hash(*said: object) -> str:
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _run_suite(con: duckdb.DuckDBPyConnection, table: str, specs: Sequence[ExpectationSpec]) -> Verdict:
    gx, context = _great_expectations()
    source = context.data_sources.add_duckdb_connection(
        table, connection_string="duckdb:///:memory:", kwargs=_engine_arguments(con)
    )
    asset = source.add_query_asset(table.split(".")[1], query=f"select * from {table}")
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    suite = gx.ExpectationSuite(
        name=table,
        expectations=[
            getattr(gx.expectations, spec.expectation)(
                **spec.arguments, severity=spec.severity, meta={"place": place}
            )
            for place, spec in enumerate(specs)
        ],
    )
    try:
        outcome = batch.validate(suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
    finally:
        source.get_execution_engine().close()
        context.data_sources.delete(table)
    # Results may come back in another order than the suite's, so each expectation carries its place.
    raw = {result.expectation_config.meta["place"]: result for result in outcome.results}
    return Verdict(table, tuple(_result(spec, raw[place]) for place, spec in enumerate(specs)))


def _result(spec: ExpectationSpec, raw: Any) -> RuleResult:
    raised = (raw.exception_info or {}).get("raised_exception", True)
    details = raw.result or {}
    observed = details.get("observed_value")
    broken = details.get("unexpected_count")
    if spec.expectation == "UnexpectedRowsExpectation":
        broken = observed
    return RuleResult(
        rule=spec.rule.name,
        column=spec.rule.column,
        expectation=spec.expectation,
        severity=spec.severity,
        passed=bool(raw.success) and not raised,
        broken=broken if isinstance(broken, int) else None,
        observed=observed if isinstance(observed, int) else None,
        problem="the engine refused the query" if raised else None,
    )


def _engine_arguments(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    from duckdb_sqlalchemy import ConnectionWrapper
    from sqlalchemy.pool import StaticPool

    return {
        "creator": lambda: ConnectionWrapper(con.cursor()),
        "poolclass": StaticPool,
        # A rule that cannot be evaluated must not abort a transaction that the others' queries run in.
        "isolation_level": "AUTOCOMMIT",
    }


@lru_cache(maxsize=1)
def _great_expectations() -> tuple[Any, Any]:
    """Import Great Expectations, and make a context that leaves nothing on disk and sends nothing anywhere.

    It is taught to keep one DuckDB connection open: its own SQL engine closes the connection before it reads
    the result, which DuckDB does not allow.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    from typing import Literal

    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults
    from great_expectations.datasource.fluent import SQLDatasource
    from great_expectations.execution_engine import SqlAlchemyExecutionEngine

    class DuckDBConnectionEngine(SqlAlchemyExecutionEngine):  # type: ignore[misc]
        @contextmanager
        def get_connection(self) -> Iterator[Any]:
            if self._connection is None:
                self._connection: Any = self.engine.connect()
            yield self._connection

    class DuckDBConnectionDatasource(SQLDatasource):  # type: ignore[misc]
        type: Literal["duckdb_connection"] = "duckdb_connection"

        @property
        def execution_engine_type(self) -> Any:
            return DuckDBConnectionEngine

    settings = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars={"globally": False},
        analytics_enabled=False,
    )
    return gx, gx.get_context(project_config=settings, mode="ephemeral")
