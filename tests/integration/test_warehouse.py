"""The warehouse: loading sources, building tables, the split into good rows and quarantine, one writer."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.contract import Contract, load_contracts, to_arrow
from pipelines.warehouse import (
    SCHEMAS,
    Function,
    Incoming,
    WarehouseError,
    attach_published,
    build_table,
    columns_of,
    load_source,
    note_findings,
    open_warehouse,
    rolled_back_on_error,
)
from tests.helpers import CONTRACTS, column, document, key, load, row_rule_quality

CANARY = "zzcanary7f3a"
DAY = dt.date(2025, 6, 1)
GRAIN = "one row per thing"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "warehouse.duckdb"


@pytest.fixture
def con(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_warehouse(path) as connection:
        yield connection


def source(folder: Path, *columns: dict[str, Any], **custom: Any) -> Contract:
    return load(folder, document("source.things", columns, **{"maxQuarantinePercent": 100, **custom}))


def public(folder: Path, **custom: Any) -> Contract:
    columns = [
        key("code", 1, logicalTypeOptions={"pattern": "[A-Z]+"}),
        column("size", "integer", logicalTypeOptions={"minimum": 1}),
        column("kind", quality=[allowed("small", "large", severity="warning")]),
    ]
    quality = [row_rule_quality("small_is_small", "kind <> 'small' or size < 10")]
    return load(folder, document("public.things", columns, quality=quality, **custom))


def allowed(*values: str, severity: str = "critical") -> dict[str, Any]:
    return {
        "metric": "invalidValues",
        "mustBe": 0,
        "severity": severity,
        "arguments": {"validValues": list(values)},
    }


def batch(columns: Sequence[str], *rows: Sequence[str], day: dt.date = DAY, sha256: str = "a" * 64) -> Incoming:
    return Incoming(sha256, day, columns, rows, [line + 2 for line in range(len(rows))])


def issues(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return con.execute(
        "select rule, severity, responsibility, source, row_count, first_seen_on, detail "
        "from quarantine.issues order by dataset, rule, detail"
    ).fetchall()


def rows(con: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(query).fetchall()


# --- opening ------------------------------------------------------------------------------------------------


def test_a_new_warehouse_has_its_schemas_and_no_issues(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    found = {name for (name,) in rows(con, "select schema_name from information_schema.schemata")}
    assert set(SCHEMAS) <= found
    assert issues(con) == []
    assert path.exists()


def test_sql_may_call_the_functions_that_it_is_given(path: Path) -> None:
    greet = Function(lambda name: f"hello {name}", ("VARCHAR",), "VARCHAR")
    with open_warehouse(path, {"greet": greet}) as con:
        assert rows(con, "select greet('you'), greet(null)") == [("hello you", "hello None")]


def test_what_was_written_is_read_after_closing(path: Path) -> None:
    with open_warehouse(path) as con:
        con.execute("create table model.thing as select 1 as a")
    with open_warehouse(path, read_only=True) as con:
        assert rows(con, "select a from model.thing") == [(1,)]
        with pytest.raises(duckdb.InvalidInputException):
            con.execute("create table model.other as select 1 as a")


def test_a_warehouse_that_is_not_there_cannot_be_read(path: Path) -> None:
    with pytest.raises(WarehouseError, match=r"warehouse\.duckdb: there is none yet"):
        open_warehouse(path, read_only=True).__enter__()


def test_a_file_that_is_no_warehouse_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(WarehouseError, match="damaged"):
        open_warehouse(path).__enter__()


HOLD = """
import sys
from pathlib import Path
from pipelines.warehouse import open_warehouse
with open_warehouse(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("read_only", [False, True])
def test_a_warehouse_that_another_process_writes_is_not_opened(path: Path, read_only: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(WarehouseError, match="another process is writing it") as error:
            open_warehouse(path, read_only=read_only).__enter__()
        assert str(path.parent) not in str(error.value)
        holder.communicate("")
    with open_warehouse(path):
        pass


def test_a_step_that_fails_leaves_the_connection_usable(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table model.thing as select 1 as a")
    for attempt in ("begin; delete from model.thing; select no_such_column", "select no_such_column"):
        with pytest.raises(duckdb.BinderException), rolled_back_on_error(con):
            con.execute(attempt)
        assert rows(con, "select a from model.thing") == [(1,)]


# --- loading a source ---------------------------------------------------------------------------------------


def test_text_is_trimmed_and_cast_and_empty_cells_are_null(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    columns = [
        column("label"),
        column("size", "integer"),
        column("share", "number"),
        column("is_open", "boolean"),
        column("began_on", "date"),
        column("seen_at", "timestamp"),
    ]
    contract = source(tmp_path, *columns)
    result = load_source(
        con,
        contract,
        [
            batch(
                [c["name"] for c in columns],
                [" a  b\t", "12", "0.5", "true", "2025-01-28", "2025-01-28 09:30:00"],
                ["\u00a0é\r\n", " -3 ", "1e-3", "False", " 2025-01-28 ", "2025-01-28T09:30:00"],
                ["", " ", "", "\t", "\u00a0", ""],
            )
        ],
    )
    moment = dt.datetime(2025, 1, 28, 9, 30)  # noqa: DTZ001 - the warehouse hands out naive UTC
    assert rows(con, "select * from source.things") == [
        ("a  b", 12, 0.5, True, dt.date(2025, 1, 28), moment, "a" * 64, DAY, 2),
        ("é", -3, 0.001, False, dt.date(2025, 1, 28), moment, "a" * 64, DAY, 3),
        (None, None, None, None, None, None, "a" * 64, DAY, 4),
    ]
    assert (result.table, result.rows_in, result.rows_out, result.rows_quarantined) == ("source.things", 3, 3, 0)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "twelve"),
        ("integer", "12.7"),
        ("integer", "9223372036854775808"),
        ("number", "0,5"),
        ("number", "nan"),
        ("number", "inf"),
        ("boolean", "perhaps"),
        ("date", "31/12/2024"),
        ("date", "2024-02-30"),
        ("date", "infinity"),
        ("timestamp", "yesterday"),
    ],
)
def test_a_text_that_is_not_of_the_column_s_type_goes_to_quarantine_as_it_stood(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, kind: str, text: str
) -> None:
    contract = source(tmp_path, column("value", kind))
    result = load_source(con, contract, [batch(["value"], [text], [""])])
    assert result.quarantined == {"value_type": 1}
    assert rows(con, "select value, source_row from source.things") == [(None, 3)]
    quarantined = rows(
        con, "select value, snapshot_sha256, source_row, broken_rules from quarantine.source__things"
    )
    assert quarantined == [(text, "a" * 64, 2, "value_type")]


def test_rows_that_break_rules_are_quarantined_once_and_counted_per_rule(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    contract = source(
        tmp_path,
        column("code", required=True, logicalTypeOptions={"pattern": "[A-Z]+"}),
        column("kind", quality=[allowed("small", "large", severity="warning")]),
        column("size", "integer", logicalTypeOptions={"minimum": 1, "maximum": 9}),
    )
    names = ["code", "kind", "size"]
    early, late = dt.date(2024, 6, 1), dt.date(2025, 6, 1)
    result = load_source(
        con,
        contract,
        [
            batch(names, ["A", "small", "1"], ["b", "odd", "10"], ["C", "odd", ""], day=late, sha256="b" * 64),
            batch(names, ["", "large", "1"], ["D", "large", "0"], day=early),
        ],
    )
    assert (result.rows_in, result.rows_out, result.rows_quarantined) == (5, 2, 3)
    assert result.quarantined == {"code_pattern": 1, "code_required": 1, "size_range": 2}
    assert result.warnings == {"kind_allowed": 1}, "a row in quarantine is not doubted besides"
    assert rows(con, "select code, kind, size from source.things order by all") == [
        ("A", "small", 1),
        ("C", "odd", None),
    ]
    assert rows(con, "select broken_rules from quarantine.source__things order by all") == [
        ("code_pattern,size_range",),
        ("code_required",),
        ("size_range",),
    ]
    assert issues(con) == [
        ("code_pattern", "critical", "source", "things", 1, late, None),
        ("code_required", "critical", "source", "things", 1, early, None),
        ("kind_allowed", "warning", "source", "things", 1, late, None),
        ("size_range", "critical", "source", "things", 2, early, None),
    ]


def test_issues_that_are_mended_disappear_with_the_next_load(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    contract = source(tmp_path, column("code", required=True))
    load_source(con, contract, [batch(["code"], [""], ["A"])])
    assert len(issues(con)) == 1
    load_source(con, contract, [batch(["code"], ["B"], ["A"])])
    assert issues(con) == []
    assert rows(con, "select * from quarantine.source__things") == []
    assert rows(con, "select code from source.things order by source_row") == [("B",), ("A",)]


@pytest.mark.parametrize(("bad", "tolerated"), [(2, True), (3, False)])
def test_more_bad_rows_than_tolerated_keep_the_table_of_the_last_good_run(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, bad: int, tolerated: bool
) -> None:
    contract = source(tmp_path, column("code", required=True), maxQuarantinePercent=2)
    load_source(con, contract, [batch(["code"], ["old"])])
    incoming = [batch(["code"], *[[""]] * bad, *[["new"]] * (100 - bad))]
    if tolerated:
        assert load_source(con, contract, incoming).rows_out == 98
        assert rows(con, "select distinct code from source.things") == [("new",)]
        return
    with pytest.raises(WarehouseError, match=r"source\.things: 3 of 100 rows .*code_required 3.* 2 %") as error:
        load_source(con, contract, incoming)
    assert "quarantine.source__things" in str(error.value)
    assert rows(con, "select code from source.things") == [("old",)]
    assert len(rows(con, "select * from quarantine.source__things")) == 3
    assert load_source(con, contract, [batch(["code"], ["mended"])]).rows_out == 1
    assert rows(con, "select code from source.things") == [("mended",)]


def test_a_source_that_is_off_is_an_empty_table_of_the_right_shape(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    contract = source(tmp_path, column("code", required=True), column("size", "integer"))
    result = load_source(con, contract, [])
    assert (result.rows_in, result.rows_out) == (0, 0)
    described = columns_of(con, ["source.things", "source.no_such_thing"])
    assert described == {"source.things": {c.name: c.sql_type for c in contract.columns}}


def test_a_column_that_a_layout_lacks_is_null_whatever_the_order_of_the_others(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    contract = source(tmp_path, column("code"), column("size", "integer"), column("kind"))
    load_source(
        con,
        contract,
        [batch(["size", "code"], ["1", "A"]), batch(["kind", "code"], ["x", "B"], sha256="b" * 64)],
    )
    assert rows(con, "select code, size, kind from source.things order by code") == [
        ("A", 1, None),
        ("B", None, "x"),
    ]


def test_rows_stand_in_the_order_of_their_files_whatever_the_order_of_the_batches(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    contract = source(tmp_path, column("code"))
    late = batch(["code"], ["c"], ["d"], day=dt.date(2026, 1, 1), sha256="c" * 64)
    early = batch(["code"], ["a"], ["b"], day=dt.date(2024, 1, 1), sha256="d" * 64)
    for batches in ([early, late], [late, early]):
        load_source(con, contract, batches)
        assert [code for (code,) in rows(con, "select code from source.things")] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("contract", load_contracts(CONTRACTS).values(), ids=lambda contract: contract.table)
def test_every_shipped_source_can_be_off(con: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    if contract.layer == "source":
        assert load_source(con, contract, []).rows_out == 0
        assert list(columns_of(con, [contract.table])[contract.table]) == [c.name for c in contract.columns]


# --- building tables ----------------------------------------------------------------------------------------


def test_a_table_without_contract_is_replaced_whole_and_described(con: duckdb.DuckDBPyConnection) -> None:
    for number in (1, 2):
        sql = f"-- one row per thing\nselect {number} as a -- the end"
        result = build_table(con, "model.thing", sql, "one council's row")
    assert (result.rows_in, result.rows_out) == (1, 1)
    assert rows(con, "select a from model.thing") == [(2,)]
    assert rows(con, "select comment from duckdb_tables() where table_name = 'thing'") == [("one council's row",)]


def test_a_public_table_has_the_columns_types_and_comments_of_its_contract_sorted_by_key(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    contract = public(tmp_path)
    sql = "select 'large' as kind, code, cast(3 as tinyint) as size from (values ('B'), ('A')) as t(code)"
    build_table(con, contract.table, sql, GRAIN, contract)
    assert columns_of(con, ["public.things"]) == {
        "public.things": {"code": "VARCHAR", "size": "BIGINT", "kind": "VARCHAR"}
    }
    assert rows(con, "select * from public.things") == [("A", 3, "large"), ("B", 3, "large")]
    comments = rows(con, "select comment from duckdb_columns() where schema_name = 'public' order by column_index")
    assert [comment for (comment,) in comments] == [
        f"{c.description} [{c.unit}]" if c.unit else c.description for c in contract.columns
    ]


@pytest.mark.parametrize(
    ("sql", "lacks", "has"),
    [
        ("select 'A' as code, 1 as size", "['kind']", "nothing"),
        ("select 'A' as code, 1 as size, 'x' as kind, 2 as extra", "nothing", "['extra']"),
        ("select 'A' as code, 1 as sizes, 'x' as kind", "['size']", "['sizes']"),
    ],
    ids=["missing", "extra", "renamed"],
)
def test_a_query_with_other_columns_than_its_contract_is_refused(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str, lacks: str, has: str
) -> None:
    contract = public(tmp_path)
    with pytest.raises(WarehouseError) as error:
        build_table(con, contract.table, sql, GRAIN, contract)
    assert f"public.things: the query lacks {lacks} and has {has} besides what things.yml names" in str(
        error.value
    )
    assert columns_of(con, ["public.things"]) == {}


def test_bad_rows_of_a_public_table_are_quarantined_and_are_ours_to_mend(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    contract = public(tmp_path, maxQuarantinePercent=50)
    values = "('A', 1, 'small'), ('B', 2, 'odd'), ('c', 0, 'large'), ('D', 10, 'small')"
    sql = f"select * from (values {values}) as t(code, size, kind)"
    result = build_table(con, contract.table, sql, GRAIN, contract)
    assert (result.rows_in, result.rows_out) == (4, 2)
    assert rows(con, "select * from public.things") == [("A", 1, "small"), ("B", 2, "odd")]
    assert rows(con, "select * from quarantine.public__things order by code") == [
        ("D", "10", "small", "small_is_small"),
        ("c", "0", "large", "code_pattern,size_range"),
    ]
    assert issues(con) == [
        ("code_pattern", "critical", "us", None, 1, None, None),
        ("kind_allowed", "warning", "us", None, 1, None, None),
        ("size_range", "critical", "us", None, 1, None, None),
        ("small_is_small", "critical", "us", None, 1, None, None),
    ]


def test_a_warning_on_many_rows_of_a_public_table_is_one_issue_with_a_count(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    sql = "select * from (values ('A', 20, 'odd'), ('B', 30, 'odder'), ('C', 40, 'large')) as t (code, size, kind)"
    build_table(con, "public.things", sql, GRAIN, public(tmp_path))
    assert rows(con, "select rule, severity, row_count, first_seen_on from quarantine.issues") == [
        ("kind_allowed", "warning", 2, None)
    ]


def test_a_public_table_with_too_many_bad_rows_stays_as_it_was(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    contract = public(tmp_path)
    build_table(con, contract.table, "select 'A' as code, 1 as size, 'small' as kind", GRAIN, contract)
    with pytest.raises(WarehouseError, match=r"public\.things: 1 of 1 rows .*code_pattern 1") as error:
        build_table(con, contract.table, f"select '{CANARY}' as code, 1 as size, '' as kind", GRAIN, contract)
    assert CANARY not in str(error.value)
    assert rows(con, "select code from public.things") == [("A",)]


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param(f"select cast(code as integer) as code from (values ('{CANARY}')) as t(code)", id="cast"),
        pytest.param(f"select cast(code as date) as code from (values ('{CANARY}')) as t(code)", id="date"),
        pytest.param(f"select strptime(code, '%d') as code from (values ('{CANARY}')) as t(code)", id="strptime"),
        pytest.param(f"select json_extract(code, '$') as code from (values ('{CANARY}{{')) as t(code)", id="json"),
        pytest.param("select cast(code as tinyint) as code from (values (918273)) as t(code)", id="too large"),
        pytest.param(
            "select code + 918273 as code from (values (cast(9223372036854775807 as bigint))) as t(code)",
            id="overflow",
        ),
        pytest.param(f"select error(code) as code from (values ('{CANARY}')) as t(code)", id="raised"),
        pytest.param(f"select explode(code) as code from (values ('{CANARY}')) as t(code)", id="Python"),
    ],
)
@pytest.mark.parametrize("with_contract", [False, True])
def test_a_query_that_fails_on_a_value_is_named_without_the_value(
    path: Path, tmp_path: Path, sql: str, with_contract: bool
) -> None:
    def explode(text: str) -> str:
        raise ValueError(text)

    contract = load(tmp_path, document("public.things", [key("code", 1)])) if with_contract else None
    with open_warehouse(path, {"explode": Function(explode, ("VARCHAR",), "VARCHAR")}) as con:
        with pytest.raises(WarehouseError, match=r"^public\.things: the query failed: \w+") as error:
            build_table(con, "public.things", sql, GRAIN, contract)
        assert CANARY not in str(error.value)
        assert "918273" not in str(error.value)
        assert error.value.__cause__ is None
        assert con.execute("select 1").fetchone() == (1,)


def test_a_value_that_does_not_fit_the_contract_s_type_is_not_shown(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    contract = public(tmp_path)
    with pytest.raises(WarehouseError, match=r"public\.things: the query failed") as error:
        build_table(con, contract.table, f"select 'A' as code, '{CANARY}' as size, 'x' as kind", GRAIN, contract)
    assert CANARY not in str(error.value)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select no_such_column from model.thing", "no_such_column"),
        ("select a from model.no_such_table", "no_such_table"),
        ("select no_such_function(a) from model.thing", "no_such_function"),
        ("selec a from model.thing", "syntax error"),
    ],
)
def test_a_query_that_is_wrong_in_itself_is_told_what_is_wrong(
    con: duckdb.DuckDBPyConnection, sql: str, reason: str
) -> None:
    con.execute("create table model.thing as select 1 as a")
    with pytest.raises(WarehouseError, match=rf"model\.other: the query failed: .*{reason}"):
        build_table(con, "model.other", sql, GRAIN)


def test_a_build_that_fails_leaves_the_last_table(con: duckdb.DuckDBPyConnection) -> None:
    build_table(con, "model.thing", "select 1 as a", GRAIN)
    with pytest.raises(WarehouseError):
        build_table(con, "model.thing", "select cast('x' as integer) as a", GRAIN)
    assert rows(con, "select a from model.thing") == [(1,)]


# --- what publishers changed, and what was released last ----------------------------------------------------


def test_findings_are_issues_of_the_source_beside_its_broken_rows(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    contract = source(tmp_path, column("code", required=True))
    note_findings(con, contract, [("new_field", "Extra", DAY), ("missing_field", "it's gone", DAY)])
    load_source(con, contract, [batch(["code"], [""], ["A"])])
    broken = ("code_required", "critical", "source", "things", 1, DAY, None)
    extra = ("new_field", "warning", "source", "things", 1, DAY, "Extra")
    gone = ("missing_field", "warning", "source", "things", 1, DAY, "it's gone")
    assert issues(con) == [broken, gone, extra]
    note_findings(con, contract, [("new_field", "Extra", DAY)])
    assert issues(con) == [broken, extra]
    note_findings(con, contract, [])
    assert issues(con) == [broken]


def test_issues_of_other_tables_stay(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    contract = source(tmp_path, column("code", required=True))
    others = load(tmp_path, document("source.others", [column("code", required=True)], maxQuarantinePercent=100))
    for each in (contract, others):
        note_findings(con, each, [("new_field", "Extra", DAY)])
        load_source(con, each, [batch(["code"], [""])])
    load_source(con, contract, [batch(["code"], ["A"])])
    note_findings(con, contract, [])
    assert {source for _, _, _, source, *_ in issues(con)} == {"others"}
    assert len(issues(con)) == 2


def published(folder: Path, contract: Contract, rows: list[dict[str, Any]], *columns: str) -> None:
    table = pa.Table.from_pylist(rows, schema=to_arrow(contract))
    folder.mkdir(exist_ok=True)
    pq.write_table(table.select(columns) if columns else table, folder / f"{contract.name}.parquet")


def test_before_the_first_release_what_was_published_is_empty(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    contract = public(tmp_path)
    attach_published(con, [contract], None)
    assert rows(con, "select * from published.things") == []
    assert columns_of(con, ["published.things"]) == {
        "published.things": {"code": "VARCHAR", "size": "BIGINT", "kind": "VARCHAR"}
    }


def test_after_a_release_its_rows_can_be_read(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    contract, release = public(tmp_path), tmp_path / "it's a release"
    published(
        release, contract, [{"code": "A", "size": 1, "kind": "small"}, {"code": "B", "size": None, "kind": None}]
    )
    attach_published(con, [contract], None)
    attach_published(con, [contract], release)
    assert rows(con, "select * from published.things order by code") == [("A", 1, "small"), ("B", None, None)]


def test_a_column_that_is_newer_than_the_release_is_null(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    contract, release = public(tmp_path), tmp_path / "release"
    published(release, contract, [{"code": "A", "size": 1, "kind": "small"}], "code", "kind")
    attach_published(con, [contract], release)
    assert rows(con, "select code, size, kind from published.things") == [("A", None, "small")]


def test_a_dataset_that_is_newer_than_the_release_is_empty(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    contract, release = public(tmp_path), tmp_path / "release"
    release.mkdir()
    attach_published(con, [contract], release)
    assert rows(con, "select * from published.things") == []


def test_the_release_is_copied_so_that_it_may_move_while_the_warehouse_is_open(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    contract, release = public(tmp_path), tmp_path / "release"
    published(release, contract, [{"code": "A", "size": 1, "kind": "small"}])
    attach_published(con, [contract], release)
    (release / "things.parquet").unlink()
    assert rows(con, "select code from published.things") == [("A",)]
