"""The verdict on a finished table, by Great Expectations inside DuckDB.

Belongs here: running a contract's suite and saying what failed, in counts. Does not belong here: which rules
there are (`contract`) and what a failure leads to (`assets`). Great Expectations takes seconds to import, so
it is imported inside functions only; values of cells are never taken over from its results.
"""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib import metadata
from typing import Any

import duckdb
import orjson

from pipelines.contract import (
    Contract,
    ExpectationSpec,
    MinimumRows,
    Rule,
    Severity,
    row_rule,
    to_suite_spec,
)
from pipelines.warehouse import fingerprint

VERDICTS_DDL = """
create schema if not exists quarantine;
create table if not exists quarantine.judged (dataset varchar, suite varchar, state varchar, verdict varchar)
"""
IN_QUESTION = "quarantine.in_question"  # a view of what Great Expectations is asked about


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


@dataclass(frozen=True)
class Changes:
    """What is known of how a table came to be as it is.

    `since` gives a predicate for the rows that may not be as they were in another version, None where that is not
    known. Rows that are alike in `columns` are all among them, or none is.
    """

    version: str
    columns: tuple[str, ...]
    since: Callable[[str], str | None]


def check_table(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    minimum: MinimumRows = "live",
    *,
    changes: Changes | None = None,
    instead: str | None = None,
) -> Verdict:
    """Run the contract's suite on its table, in DuckDB, over the connection that is open.

    A rule that cannot be evaluated counts as failed. The verdict is remembered in the warehouse: the same suite
    on the same rows is not run again. With `changes`, where the suite found nothing before, only what changed
    since is judged; if anything is found then, the whole suite is run on the whole table. `instead` names a view
    that is judged in the table's place.
    """
    specs = to_suite_spec(contract, minimum)
    table = instead or contract.table
    con.execute(VERDICTS_DDL)
    suite = _hash(specs, *_versions())
    try:
        state = f"version {changes.version}" if changes else _rows_state(con, table)
    except duckdb.CatalogException:  # there is no such table, of which every rule will say so
        return _run_suite(con, table, specs)
    if known := _remembered(con, contract.table, suite, state):
        return Verdict(contract.table, known)
    if changes and (found := _judge_changes(con, contract, specs, suite, changes)):
        _remember(con, found, suite, [state])
        return found
    verdict = replace(_run_suite(con, table, specs), table=contract.table)
    if not any(result.problem for result in verdict.results):
        _remember(con, verdict, suite, [state, _rows_state(con, table)] if changes else [state])
    return verdict


def _judge_changes(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    specs: Sequence[ExpectationSpec],
    suite: str,
    changes: Changes,
) -> Verdict | None:
    """The verdict on a table of which only some rows changed since the suite found nothing in it; else None.

    All rules about rows are asked in one question, since it is not the rows that take Great Expectations its time
    but the number of expectations. Rows with the same key are all among the changed ones, or none is.
    """
    last = con.execute(
        "select state, verdict from quarantine.judged where dataset = ? and suite = ? and state like 'version %'",
        [contract.table, suite],
    ).fetchone()
    rows = changes.since(last[0].removeprefix("version ")) if last else None
    results = _results(last[1]) if last else ()
    unique = [spec.rule.columns for spec in specs if spec.rule.kind == "unique"]
    if rows is None or not _is_clean(specs, results) or any(set(changes.columns) - {*key} for key in unique):
        return None
    rules = [row_rule(spec.rule, contract) for spec in specs if spec.rule.per_row]
    questions = [f"({rows}) and ({' or '.join(rules) or 'false'})"]
    for key in unique:
        names = ", ".join(f'"{name}"' for name in key)
        questions.append(f"({rows}) group by {names} having count(*) > 1")
    counted = [spec for spec in specs if spec.rule.kind == "row_count"]
    answers = _run_suite(con, contract.table, [*map(_nothing_where, questions), *counted]).results
    sizes = {result.rule: result for result in answers[len(questions) :]}
    if not all(answer.passed for answer in answers) or any(size.observed == 0 for size in sizes.values()):
        return None
    return Verdict(contract.table, tuple(sizes.get(result.rule, result) for result in results))


def _nothing_where(condition: str) -> ExpectationSpec:
    """The expectation that there is no row of which a condition is true."""
    # Great Expectations fills in braces, and SQLAlchemy takes a word after a colon for a parameter.
    escaped = condition.replace("{", "{{").replace("}", "}}").replace(":", "\\:")
    query = "select 1 as broken from {batch} where " + escaped
    rule = Rule("what_changed", "row", "critical")
    return ExpectationSpec(rule, "UnexpectedRowsExpectation", {"unexpected_rows_query": query})


def _is_clean(specs: Sequence[ExpectationSpec], results: Sequence[RuleResult]) -> bool:
    """Whether no row breaks any rule, not even a rule that only warns; of an empty table that is not known."""
    found = zip(specs, results, strict=True)
    return all(r.passed and not r.problem and (r.broken == 0 or not spec.rule.per_row) for spec, r in found)


def _remembered(
    con: duckdb.DuckDBPyConnection, table: str, suite: str, state: str
) -> tuple[RuleResult, ...] | None:
    known = con.execute(
        "select verdict from quarantine.judged where dataset = ? and suite = ? and state = ?",
        [table, suite, state],
    ).fetchone()
    return _results(known[0]) if known else None


def _remember(con: duckdb.DuckDBPyConnection, verdict: Verdict, suite: str, states: Sequence[str]) -> None:
    """Remember a verdict under each of the states, in the place of older ones of the same kind."""
    said = orjson.dumps([asdict(result) for result in verdict.results]).decode()
    for state in states:
        con.execute(
            "delete from quarantine.judged where dataset = ? and starts_with(state, split_part(?, ' ', 1))",
            [verdict.table, state],
        )
        con.execute("insert into quarantine.judged values (?, ?, ?, ?)", [verdict.table, suite, state, said])


def _results(said: str) -> tuple[RuleResult, ...]:
    return tuple(RuleResult(**result) for result in orjson.loads(said))


def _rows_state(con: duckdb.DuckDBPyConnection, table: str) -> str:
    return f"rows {fingerprint(con, table)}"


@lru_cache(maxsize=1)
def _versions() -> tuple[str, str]:
    return duckdb.__version__, metadata.version("great-expectations")


def _hash(*said: object) -> str:
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _run_suite(con: duckdb.DuckDBPyConnection, table: str, specs: Sequence[ExpectationSpec]) -> Verdict:
    _open_connection[:] = [con]
    gx, asset = _great_expectations()
    try:
        con.execute(f"create or replace view {IN_QUESTION} as select * from {table}")
    except duckdb.CatalogException:  # there is no such table, and no rule can be evaluated
        con.execute(f"drop view if exists {IN_QUESTION}")
    batch = asset.get_batch(asset.build_batch_request())
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
        asset.datasource.get_execution_engine().let_go()
        _open_connection.clear()
        con.execute(f"drop view if exists {IN_QUESTION}")
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


_open_connection: list[duckdb.DuckDBPyConnection] = []  # the one that is asked just now


def _engine_arguments() -> dict[str, Any]:
    from duckdb_sqlalchemy import ConnectionWrapper
    from sqlalchemy.pool import StaticPool

    return {
        "creator": lambda: ConnectionWrapper(_open_connection[0].cursor()),
        "poolclass": StaticPool,
        # A rule that cannot be evaluated must not abort a transaction that the others' queries run in.
        "isolation_level": "AUTOCOMMIT",
    }


@lru_cache(maxsize=1)
def _great_expectations() -> tuple[Any, Any]:
    """Import Great Expectations, and make the asset that it judges: the rows of `IN_QUESTION`.

    Its context leaves nothing on disk and sends nothing anywhere. It is taught to keep one DuckDB connection open
    until it is told to let go: its own SQL engine closes the connection before it reads the result, which DuckDB
    does not allow.
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

        def let_go(self) -> None:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self.engine.dispose()

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
    context: Any = gx.get_context(project_config=settings, mode="ephemeral")
    source = context.data_sources.add_duckdb_connection(
        "warehouse", connection_string="duckdb:///:memory:", kwargs=_engine_arguments()
    )
    source.get_engine().dispose()  # what it was tried with
    # What was imported stays. Without this Python looks through all of it, again and again, for what nobody uses.
    gc.collect()
    gc.freeze()
    return gx, source.add_query_asset("rows", query=f"select * from {IN_QUESTION}")
