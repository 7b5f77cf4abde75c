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

    def counted(con: duckdb.DuckDBPyConnection, table: str, specs: object) -> checks.Verdict:
        asked.append(table)
        return run(con, table, specs)  # type: ignore[arg-type]

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


def test_of_a_large_table_only_new_rows_are_judged(
    con: duckdb.DuckDBPyConnection, contract: Contract, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "MANY_ROWS", 2)
    assert not check_table(con, contract).failures
    con.execute("insert into public.things values ('c', 3); delete from public.things where code = 'a'")
    before = len(runs)
    found = check_table(con, contract)
    assert runs[before:] == ["quarantine.unseen", "public.things"]
    con.execute("delete from quarantine.verdicts; delete from quarantine.good_rows")
    assert check_table(con, contract) == found, "the same verdict as on the whole"


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("insert into public.things values ('c', 0)", "size_range"),
        ("update public.things set size = 0", "size_range"),
        (
            "create or replace table public.things as from (values ('a', 1), ('b', 2), ('b', 3)) t (code, size)",
            "key",
        ),
    ],
)
def test_a_new_row_that_breaks_a_rule_is_found_among_many_good_ones(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    runs: list[str],
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    broken: str,
) -> None:
    monkeypatch.setattr(checks, "MANY_ROWS", 2)
    assert not check_table(con, contract).failures
    con.execute(change)
    found = check_table(con, contract)
    assert [broken in failure.rule for failure in found.failures] == [True]
    con.execute("delete from quarantine.verdicts; delete from quarantine.good_rows")
    assert check_table(con, contract) == found, "the same verdict as on the whole"
    # What was good stays known as good, and what is broken is found each time anew.
    con.execute("insert into public.things values ('z', 9)")
    assert check_table(con, contract).failures


def test_another_suite_knows_no_row(
    con: duckdb.DuckDBPyConnection, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "MANY_ROWS", 2)
    assert not check_table(con, contract).failures
    size = contract.columns[1]
    stricter = replace(
        contract, columns=(contract.columns[0], replace(size, rules=(replace(size.rules[0], low=2.0),)))
    )
    con.execute("insert into public.things values ('c', 3)")
    assert [failure.rule for failure in check_table(con, stricter).failures] == ["size_range"]
