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
create table if not exists quarantine.verdicts (dataset varchar, question varchar, verdict varchar)
"""


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
    on the same rows is not run again.
    """
    specs = to_suite_spec(contract, minimum)
    try:
        question = _question(con, contract, specs)
    except duckdb.CatalogException:  # there is no such table, of which every rule will say so
        return _run_suite(con, contract, specs)
    con.execute(VERDICTS_DDL)
    known = con.execute(
        "select verdict from quarantine.verdicts where dataset = ? and question = ?", [contract.table, question]
    ).fetchone()
    if known:
        return Verdict(contract.table, tuple(RuleResult(**result) for result in orjson.loads(known[0])))
    verdict = _run_suite(con, contract, specs)
    con.execute("delete from quarantine.verdicts where dataset = ?", [contract.table])
    if not any(result.problem for result in verdict.results):
        said = orjson.dumps([asdict(result) for result in verdict.results]).decode()
        con.execute("insert into quarantine.verdicts values (?, ?, ?)", [contract.table, question, said])
    return verdict


def _question(con: duckdb.DuckDBPyConnection, contract: Contract, specs: Sequence[ExpectationSpec]) -> str:
    """What a verdict is about: the suite, the judges' versions, and the rows, as one hash."""
    judges = (duckdb.__version__, metadata.version("great-expectations"))
    return hashlib.sha256(repr((specs, fingerprint(con, contract.table), judges)).encode()).hexdigest()


def _run_suite(con: duckdb.DuckDBPyConnection, contract: Contract, specs: Sequence[ExpectationSpec]) -> Verdict:
    gx, context = _great_expectations()
    source = context.data_sources.add_duckdb_connection(
        contract.table, connection_string="duckdb:///:memory:", kwargs=_engine_arguments(con)
    )
    asset = source.add_query_asset(contract.name, query=f"select * from {contract.table}")
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    suite = gx.ExpectationSuite(
        name=contract.table,
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
        context.data_sources.delete(contract.table)
    # Results may come back in another order than the suite's, so each expectation carries its place.
    raw = {result.expectation_config.meta["place"]: result for result in outcome.results}
    return Verdict(contract.table, tuple(_result(spec, raw[place]) for place, spec in enumerate(specs)))


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
