"""What SQL files read, what the house's rules find wrong with them, their order, and where columns come from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from pipelines.contract import load_contracts
from pipelines.lineage import (
    MAY_READ,
    Query,
    SqlError,
    build_order,
    column_lineage,
    load_queries,
    upstream_sources,
)
from pipelines.settings import project_folder
from tests.helpers import CONTRACTS

SHIPPED = load_queries(project_folder("sql"))


def query(table: str, sql: str, grain: str = "-- one row per thing\n") -> Query:
    layer, name = table.split(".")
    return Query(Path(f"sql/{layer}/{name}.sql"), grain + sql)


def queries(**reads: str) -> dict[str, Query]:
    """Queries of the model layer by name, each reading the tables named after it with spaces between."""
    found = {}
    for name, tables in reads.items():
        sources = " union all ".join(f"select a from {table}" for table in tables.split()) or "select 1 as a"
        found[f"model.{name}"] = query(f"model.{name}", sources)
    return found


# --- what a file says ---------------------------------------------------------------------------------------


def test_a_query_is_called_after_its_folder_and_file() -> None:
    found = query("clean.thing", "select 1 as a")
    assert (found.layer, found.table) == ("clean", "clean.thing")


@pytest.mark.parametrize("end", ["\n", ".\n"])
def test_the_first_line_says_the_grain(end: str) -> None:
    found = query("clean.thing", "select 1 as a", f"-- one row per council, platform and ISO week{end}")
    assert found.grain == "one row per council, platform and ISO week"


@pytest.mark.parametrize("head", ["", "-- things\n", "\n-- one row per thing\n", "/* one row per thing */\n"])
def test_a_file_that_does_not_begin_with_its_grain_is_named(head: str) -> None:
    found = query("clean.thing", "select 1 as a", head)
    with pytest.raises(SqlError, match=r"clean/thing\.sql: the first line"):
        _ = found.grain
    assert len(found.faults()) == 1
    assert "one row per" in found.faults()[0]


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select a from source.x", ["source.x"]),
        ("select a from source.x as x join clean.y as y on x.a = y.a", ["clean.y", "source.x"]),
        ("select a from source.x, clean.y", ["clean.y", "source.x"]),
        ("with t as (select a from source.x) select a from t", ["source.x"]),
        ("with t as (select a from source.x), u as (select a from t) select a from u, t", ["source.x"]),
        ("select a from source.x where a in (select a from clean.y)", ["clean.y", "source.x"]),
        ("select a from source.x where exists (select 1 from clean.y)", ["clean.y", "source.x"]),
        ("select (select max(a) from clean.y) as a from source.x", ["clean.y", "source.x"]),
        ("select a from source.x union all select a from clean.y", ["clean.y", "source.x"]),
        ("select a from (select a from source.x) as t", ["source.x"]),
        ("select a from range(3) as t(a)", []),
        ("select a from (values (1), (2)) as t(a)", []),
        ("select t.a from source.x as x, unnest(x.list) as t(a)", ["source.x"]),
        ("select 'source.y' as a /* clean.z */ from source.x -- model.w", ["source.x"]),
        (
            "with recursive t as (select a from source.x union all select t.a from t, clean.y) select a from t",
            ["clean.y", "source.x"],
        ),
    ],
)
def test_every_table_that_a_query_reads_is_found(sql: str, tables: list[str]) -> None:
    assert sorted(query("model.thing", sql).reads) == tables


# --- what is a fault ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "sql", "fault"),
    [
        pytest.param("public.thing", "select * from model.x", "select *", id="star in public"),
        pytest.param("public.thing", "select x.* from model.x as x", "select *", id="star of one table in public"),
        pytest.param(
            "public.thing",
            "with t as (select * from model.x) select a from t",
            "select *",
            id="star inside a public table",
        ),
        pytest.param("public.thing", "from model.x", "select *", id="from without select in public"),
        pytest.param("public.thing", "select columns(*) from model.x", "select *", id="star within columns"),
        pytest.param("public.thing", "select * exclude (b) from model.x", "select *", id="star but for a column"),
        pytest.param(
            "clean.thing", "select x.a from source.x join source.y using (a)", "joins", id="join in clean"
        ),
        pytest.param("clean.thing", "select x.a from source.x, source.y", "joins", id="comma join in clean"),
        pytest.param("clean.thing", "select a from model.x", "may not read model.x", id="clean reads model"),
        pytest.param("clean.thing", "select a from public.x", "may not read public.x", id="clean reads public"),
        pytest.param("model.thing", "select a from public.x", "may not read public.x", id="model reads public"),
        pytest.param(
            "model.thing", "select a from quarantine.x", "may not read quarantine.x", id="model reads quarantine"
        ),
        pytest.param("public.thing", "select a from source.x", "may not read source.x", id="public reads source"),
        pytest.param("model.thing", "select a from secret.x", "unknown schema 'secret'", id="unknown schema"),
        pytest.param(
            "model.thing", "select a from main.x", "unknown schema 'main'", id="the database's own schema"
        ),
        pytest.param("model.thing", "select a from x", "write 'x' as schema.table", id="no schema"),
        pytest.param("model.thing", "select a from 'x.csv'", "schema.table", id="a file by its name"),
        pytest.param("model.thing", "select a from read_csv('x.csv')", "read_csv", id="a file by a function"),
        pytest.param("model.thing", "select a from read_parquet('x')", "read_parquet", id="a Parquet file"),
        pytest.param(
            "model.thing", "select a from restricted.model.x", "restricted", id="a table of another database"
        ),
        pytest.param("model.thing", "select 1; select 2", "exactly one query", id="two statements"),
        pytest.param("model.thing", "", "exactly one query", id="no statement"),
        pytest.param("model.thing", "drop table model.x", "exactly one query", id="no query"),
        pytest.param(
            "model.thing", "create table model.y as select 1 as a", "exactly one query", id="a definition"
        ),
        pytest.param("model.thing", "select (", "model/thing.sql", id="not SQL"),
        pytest.param("model.thing", "select 'a", "model/thing.sql", id="a text without end"),
    ],
)
def test_a_broken_rule_of_the_house_is_one_fault_that_names_the_file(table: str, sql: str, fault: str) -> None:
    faults = query(table, sql).faults()
    assert len(faults) == 1
    assert f"{table.replace('.', '/')}.sql" in faults[0]
    assert fault in faults[0]


def test_several_faults_are_all_told() -> None:
    faults = query("clean.thing", "select a from source.x join model.y using (a)").faults()
    assert len(faults) == 2


@pytest.mark.parametrize(
    ("table", "sql"),
    [
        ("public.thing", "select count(*) as n, count(*) filter (where a > 0) as m from model.x"),
        ("public.thing", "select a * b as product from model.x"),
        ("public.thing", "select a from model.x join clean.y using (a) join published.thing using (a)"),
        ("public.thing", "select a from quarantine.issues"),
        ("model.thing", "select * from clean.x"),
        ("model.thing", "select a from source.x;"),
        ("clean.thing", "select a from source.x union select a from clean.y"),
    ],
)
def test_what_the_house_allows_is_no_fault(table: str, sql: str) -> None:
    assert query(table, sql).faults() == []


# --- order --------------------------------------------------------------------------------------------------


def assert_each_comes_after_all_it_reads(order: Iterable[str], known: dict[str, Query]) -> None:
    built: set[str] = set()
    for table in order:
        assert known[table].reads & set(known) <= built
        built.add(table)
    assert built == set(known)


def test_each_table_is_built_after_all_that_it_reads() -> None:
    known = queries(a="model.b model.c", b="model.d", c="model.d source.x", d="clean.y", e="")
    assert_each_comes_after_all_it_reads(build_order(known), known)


def test_the_order_does_not_depend_on_the_order_of_the_files() -> None:
    known = queries(a="model.b", b="", c="model.b", d="")
    backwards = dict(reversed(known.items()))
    assert build_order(known) == build_order(backwards)


def test_a_circle_is_named() -> None:
    with pytest.raises(SqlError, match="circle") as error:
        build_order(queries(a="model.b", b="model.c", c="model.a", d=""))
    for table in ("model.a", "model.b", "model.c"):
        assert table in str(error.value)
    assert "model.d" not in str(error.value)


def test_every_source_behind_a_table_is_found_through_all_layers() -> None:
    known = queries(a="model.b source.x", b="model.c", c="source.y source.z", d="source.w")
    assert upstream_sources("model.a", known) == {"source.x", "source.y", "source.z"}
    assert upstream_sources("model.d", known) == {"source.w"}
    assert upstream_sources("model.unknown", known) == frozenset()


def test_the_search_for_sources_ends_in_a_circle_too() -> None:
    assert upstream_sources("model.a", queries(a="model.b", b="model.a source.x")) == {"source.x"}


# --- columns ------------------------------------------------------------------------------------------------

COLUMNS = {
    "clean.seat": {"authority_code": "VARCHAR", "seats": "BIGINT", "year": "BIGINT"},
    "clean.name": {"authority_code": "VARCHAR", "name": "VARCHAR"},
}
CODE = ("clean.seat", "authority_code")
NAME_CODE = ("clean.name", "authority_code")
NAME = ("clean.name", "name")
SEATS = ("clean.seat", "seats")
YEAR = ("clean.seat", "year")


@pytest.mark.parametrize(
    ("sql", "origins"),
    [
        pytest.param(
            "select seat.authority_code as code, seat.seats + seat.year as total from clean.seat as seat",
            {"code": [CODE], "total": [SEATS, YEAR]},
            id="rename and reckon",
        ),
        pytest.param(
            "select name.name, seat.seats from clean.seat as seat "
            "join clean.name as name on name.authority_code = seat.authority_code",
            {"name": [NAME], "seats": [SEATS]},
            id="join",
        ),
        pytest.param(
            "select name, seats from clean.seat join clean.name using (authority_code)",
            {"name": [NAME], "seats": [SEATS]},
            id="join without table names",
        ),
        pytest.param(
            "with newest as (select authority_code, max(year) as year from clean.seat group by authority_code), "
            "named as (select newest.year, name.name from newest join clean.name as name using (authority_code)) "
            "select named.name as title, named.year as as_of from named",
            {"title": [NAME], "as_of": [YEAR]},
            id="CTE upon CTE",
        ),
        pytest.param(
            "select authority_code from clean.seat union all select authority_code from clean.name",
            {"authority_code": [NAME_CODE, CODE]},
            id="union",
        ),
        pytest.param(
            "with both_kinds as (select authority_code, seats as n from clean.seat union "
            "select authority_code, 1 as n from clean.name) select b.authority_code, b.n from both_kinds as b",
            {"authority_code": [NAME_CODE, CODE], "n": [SEATS]},
            id="union in a CTE",
        ),
        pytest.param(
            "select authority_code, sum(seats) as total, count(*) as n, max_by(seats, year) as newest "
            "from clean.seat group by authority_code",
            {"authority_code": [CODE], "total": [SEATS], "newest": [SEATS, YEAR]},
            id="aggregates",
        ),
        pytest.param(
            "select row_number() over (partition by authority_code order by year) as place from clean.seat",
            {"place": [CODE, YEAR]},
            id="window",
        ),
        pytest.param(
            "select case when seats > 9 then 'many' else 'few' end as size, 'fixed' as kind from clean.seat",
            {"size": [SEATS]},
            id="case and literal",
        ),
        pytest.param(
            "select t.seats from (select seats from clean.seat where year > 2020) as t",
            {"seats": [SEATS]},
            id="subquery",
        ),
        pytest.param("select * from clean.name", {"authority_code": [NAME_CODE], "name": [NAME]}, id="star"),
    ],
)
def test_each_column_is_traced_to_those_it_is_computed_from(
    sql: str, origins: dict[str, list[tuple[str, str]]]
) -> None:
    traced = column_lineage(query("model.thing", sql), COLUMNS)
    assert traced == origins


def test_tracing_columns_leaves_the_query_as_it_was() -> None:
    found = query("model.thing", "select seats from clean.seat")
    before = found.tree.sql()
    column_lineage(found, COLUMNS)
    assert found.tree.sql() == before


# --- the files that ship ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shipped", SHIPPED.values(), ids=list(SHIPPED))
def test_a_shipped_query_has_no_faults(shipped: Query) -> None:
    assert shipped.faults() == []


def test_every_sql_file_is_loaded() -> None:
    files = {f"{path.parent.name}.{path.stem}" for path in project_folder("sql").glob("*/*.sql")}
    assert set(SHIPPED) == files
    assert {table.split(".")[0] for table in files} == set(MAY_READ)


def test_the_shipped_queries_can_be_built_in_order() -> None:
    assert_each_comes_after_all_it_reads(build_order(SHIPPED), SHIPPED)


def test_whatever_a_shipped_query_reads_is_built_loaded_or_released() -> None:
    contracts = load_contracts(CONTRACTS)
    published = {f"published.{c.name}" for c in contracts.values() if c.layer == "public"}
    known = {*SHIPPED, *contracts, *published, "quarantine.issues"}
    assert {table for shipped in SHIPPED.values() for table in shipped.reads} <= known


def test_every_public_dataset_is_a_contract_and_a_query() -> None:
    contracts = {table for table in load_contracts(CONTRACTS) if table.startswith("public.")}
    assert contracts == {table for table in SHIPPED if table.startswith("public.")}


def test_every_public_dataset_rests_on_a_source() -> None:
    outside = ("source.", "observation.", "protected.")
    sources = {table for table in load_contracts(CONTRACTS) if table.startswith(outside)}
    for table in SHIPPED:
        if table.startswith("public."):
            assert upstream_sources(table, SHIPPED)
            assert upstream_sources(table, SHIPPED) <= sources
