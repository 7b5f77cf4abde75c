"""Verdicts: remembered while the rows and the suite stay the same, and asked anew when either changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from pipelines import checks
from pipelines.checks import Changes, check_table
from pipelines.contract import Contract, ExpectationSpec, to_ddl
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


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many expectations each run had."""
    numbers: list[int] = []
    run = checks._run_suite

    def counted(con: duckdb.DuckDBPyConnection, table: str, specs: Sequence[ExpectationSpec]) -> checks.Verdict:
        numbers.append(len(specs))
        return run(con, table, specs)

    monkeypatch.setattr(checks, "_run_suite", counted)
    return numbers


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


def changed(serial: int, rows: str = "true", columns: tuple[str, ...] = ("code",)) -> Changes:
    """The table after so many changes, the last of which were made to some rows."""
    return Changes(f"a:{serial}", columns, lambda version: rows if version == f"a:{serial - 1}" else None)


def test_only_what_changed_is_judged_where_nothing_was_found_before(
    con: duckdb.DuckDBPyConnection, contract: Contract, runs: list[str], asked: list[int]
) -> None:
    first = check_table(con, contract, changes=changed(0))
    con.execute("insert into public.things values ('c', 3); delete from public.things where code = 'a'")
    found = check_table(con, contract, changes=changed(1, "code in ('a', 'c')"))
    assert found == first
    assert asked[0] > asked[1] == 3, "one question about all rules of rows, one about the key, the number of rows"
    assert check_table(con, contract, changes=changed(1)) == found
    assert len(runs) == 2, "remembered"
    assert check_table(con, contract) == found
    assert asked[2:] == [asked[0]], "who does not say what changed has the whole judged by the whole suite"


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("insert into public.things values ('c', 0)", "size_range"),
        ("update public.things set size = 0", "size_range"),
        (
            "create or replace table public.things as from (values ('a', 1), ('b', 2), ('b', 3)) t (code, size)",
            "key",
        ),
        ("insert into public.things values ('{x}:y', 0)", "size_range"),
        ("delete from public.things", "row_count"),
    ],
)
def test_what_is_found_in_what_changed_is_told_as_the_whole_suite_tells_it(
    con: duckdb.DuckDBPyConnection, contract: Contract, change: str, broken: str
) -> None:
    assert not check_table(con, contract, changes=changed(0)).failures
    con.execute(change)
    found = check_table(con, contract, changes=changed(1))
    assert any(broken in failure.rule for failure in found.failures)
    con.execute("delete from quarantine.judged")
    assert check_table(con, contract) == found, "the same verdict as on the whole"
    # After a verdict that is not clean the whole is judged, whatever changed since.
    con.execute("insert into public.things values ('z', 9)")
    again = check_table(con, contract, changes=changed(2, "code = 'z'"))
    con.execute("delete from quarantine.judged")
    assert check_table(con, contract) == again


@pytest.mark.parametrize(
    "changes",
    [
        changed(5),  # what changed since is not known
        Changes("b:1", ("code",), lambda _: None),
        changed(1, "false", ("size",)),  # rows with the same key may be on either side
    ],
)
def test_the_whole_is_judged_where_what_changed_does_not_tell(
    con: duckdb.DuckDBPyConnection, contract: Contract, asked: list[int], changes: Changes
) -> None:
    check_table(con, contract, changes=changed(0))
    con.execute("update public.things set size = 0")
    assert check_table(con, contract, changes=changes).failures
    assert asked[1] == asked[0]


def test_another_suite_knows_no_row(con: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    assert not check_table(con, contract, changes=changed(0)).failures
    size = contract.columns[1]
    stricter = replace(
        contract, columns=(contract.columns[0], replace(size, rules=(replace(size.rules[0], low=2.0),)))
    )
    found = check_table(con, stricter, changes=changed(1, "false"))
    assert [failure.rule for failure in found.failures] == ["size_range"]


def test_a_view_is_judged_in_the_place_of_a_table(con: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    con.execute("create view public.some as select 'c' as code, 0 as size")
    found = check_table(con, contract, instead="public.some")
    assert (found.table, [failure.rule for failure in found.failures]) == ("public.things", ["size_range"])
