"""Verdicts: remembered while the rows and the suite stay the same, and asked anew when either changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from pipelines import checks
from pipelines.checks import check_table
from pipelines.contract import Contract, to_ddl
from tests.helpers import column, document, key, load


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    columns = [key("code", 1), column("size", "integer", logicalTypeOptions={"minimum": 1})]
    return load(tmp_path, document("public.things", columns))


@pytest.fixture
def con(contract: Contract) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(":memory:")
    connection.execute("create schema public")
    connection.execute(to_ddl(contract))
    connection.execute("insert into public.things values ('a', 1), ('b', 2)")
    yield connection
    connection.close()


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables whose suite was really run."""
    asked: list[str] = []
    run = checks._run_suite

    def counted(con: duckdb.DuckDBPyConnection, contract: Contract, specs: object) -> checks.Verdict:
        asked.append(contract.table)
        return run(con, contract, specs)  # type: ignore[arg-type]

    monkeypatch.setattr(checks, "_run_suite", counted)
    return asked


def test_the_same_suite_on_the_same_rows_is_not_run_again(
    con: duckdb.DuckDBPyConnection, contract: Contract, runs: list[str]
) -> None:
    first = check_table(con, contract)
    con.execute("create or replace table public.things as select * from public.things order by code desc")
    assert check_table(con, contract) == first
    assert runs == ["public.things"]


@pytest.mark.parametrize(
    "change",
    [
        "update public.things set size = 0 where code = 'b'",
        "insert into public.things values ('b', 3)",
        "update public.things set size = case code when 'a' then 2 else 0 end",
        "delete from public.things",
    ],
)
def test_changed_rows_are_judged_anew(
    con: duckdb.DuckDBPyConnection, contract: Contract, runs: list[str], change: str
) -> None:
    assert not check_table(con, contract).failures
    con.execute(change)
    assert check_table(con, contract).failures
    assert len(runs) == 2


def test_a_changed_rule_is_judged_anew(
    con: duckdb.DuckDBPyConnection, contract: Contract, runs: list[str]
) -> None:
    assert not check_table(con, contract).failures
    size = contract.columns[1]
    stricter = replace(
        contract, columns=(contract.columns[0], replace(size, rules=(replace(size.rules[0], low=2.0),)))
    )
    assert [failure.rule for failure in check_table(con, stricter).failures] == ["size_range"]
    assert check_table(con, contract, "sample").failures == ()
    assert len(runs) == 3


def test_what_could_not_be_checked_is_not_remembered(
    con: duckdb.DuckDBPyConnection, contract: Contract, runs: list[str]
) -> None:
    size = contract.columns[1]
    broken = replace(size.rules[0], kind="row", expression="no_such_column > 1", column=None)
    odd = replace(contract, columns=(contract.columns[0], replace(size, rules=(broken,))))
    for _ in range(2):
        assert check_table(con, odd).failures
    assert len(runs) == 2
