"""Spreadsheets as other programs read them: what stands in a cell, what fits, and that bytes repeat."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from openpyxl.utils import get_column_letter

from pipelines.contract import Contract, to_arrow
from pipelines.release.manifest import DatasetEntry, Deprecation, FileEntry, Manifest
from pipelines.release.spreadsheet import (
    CELL_LIMIT,
    DATA_PART,
    ROW_LIMIT,
    TEXT_LIMIT,
    About,
    SpreadsheetError,
    column_letters,
    fits,
    read_shape,
    write_spreadsheet,
    xml_text,
)
from tests.helpers import column, document, key, load

NOTICE = "Sample data: everything in it is made up."
UTC = dt.UTC


def midnight(year: int, month: int, day: int) -> dt.datetime:
    """A day as openpyxl hands it out; a spreadsheet has no time zones."""
    return dt.datetime.combine(dt.date(year, month, day), dt.time())


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    """A dataset with a column of every type, and a description that begins like a formula."""
    columns = [
        key("name", 1, description="=What the thing is called, as people say it."),
        column("how_many", "integer"),
        column("share", "number"),
        column("is_open", "boolean"),
        column("opened_on", "date"),
        column("seen_at", "timestamp"),
    ]
    return load(tmp_path_factory.mktemp("contracts"), document("public.things", columns))


def manifest_of(contract: Contract, *, notice: str | None = None, rows: int = 1) -> Manifest:
    file = FileEntry(path="things.parquet", sha256="0" * 64, bytes=1, media_type="any/thing", rows=rows)
    dataset = DatasetEntry(
        name=contract.name,
        title=contract.title,
        grain=contract.grain,
        schema_version=contract.version,
        contract_sha256=contract.digest,
        rows=rows,
        licence=contract.licence,
        attribution=("First source", "Second source"),
        key=contract.key,
        files=(file,),
    )
    return Manifest(
        title="Things of the country",
        version="2026.11.0",
        world="sample" if notice else "live",
        notice=notice,
        released_on=dt.date(2026, 11, 23),
        code_version="1",
        datasets=(dataset,),
        inputs=(),
        files=(),
    )


def about(contract: Contract, **more: Any) -> About:
    return About(manifest_of(contract, **more), contract, creator="The <Press> & Co", citation="Cite it so.")


def table_of(contract: Contract, rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(contract.columns)
    schema = to_arrow(contract)
    return pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )


def row(name: str = "plain", **more: Any) -> tuple[Any, ...]:
    given = {"how_many": None, "share": None, "is_open": None, "opened_on": None, "seen_at": None, **more}
    return (name, *given.values())


def cells(path: Path, number: int = 2) -> list[Any]:
    """One row of the data as openpyxl reads it, cell objects."""
    book = openpyxl.load_workbook(path)
    return list(book.worksheets[0][number])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "things.xlsx"


# --- cells --------------------------------------------------------------------------------------------------


def test_values_have_the_types_of_their_columns(contract: Contract, path: Path) -> None:
    seen = dt.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    full = ("Ŵy", 12, 0.1, True, dt.date(2026, 11, 23), seen)
    write_spreadsheet(table_of(contract, [full, row("empty")]), about(contract, rows=2), path)
    name, how_many, share, is_open, opened_on, seen_at = cells(path)
    assert [c.data_type for c in (name, how_many, share, is_open)] == ["s", "n", "n", "b"]
    assert [c.value for c in (name, how_many, share, is_open)] == ["Ŵy", 12, 0.1, True]
    assert opened_on.is_date
    assert (opened_on.value, opened_on.number_format) == (midnight(2026, 11, 23), r"yyyy\-mm\-dd")
    assert (seen_at.value, seen_at.is_date) == (seen.replace(tzinfo=None), True)
    assert [cell.value for cell in cells(path, 3)] == ["empty", None, None, None, None, None]
    assert '<c r="B3"' not in data_xml(path), "an empty cell is not written"


def data_xml(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(DATA_PART).decode()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_begins_like_a_formula_stays_text_without_a_changed_letter(
    contract: Contract, path: Path, start: str
) -> None:
    text = f'{start}HYPERLINK("https://bad.example","x")'
    write_spreadsheet(table_of(contract, [row(text)]), about(contract), path)
    xml = data_xml(path)
    assert "<f" not in xml
    assert re.search(r'<c r="A2" s="4" t="inlineStr"><is><t', xml)
    cell = cells(path)[0]
    assert cell.data_type in ("s", "inlineStr")
    assert cell.quotePrefix, "it stays text when somebody edits the cell"
    shown = "_x000D_" + text[1:] if start == "\r" else text  # openpyxl shows the escape that offices take back
    assert cell.value == shown


@pytest.mark.parametrize("text", ["#N/A", "TRUE", "007", "1/2", "1e5", "'quoted", "2026-01-01"])
def test_text_that_looks_like_another_type_stays_text(contract: Contract, path: Path, text: str) -> None:
    write_spreadsheet(table_of(contract, [row(text)]), about(contract), path)
    cell = cells(path)[0]
    assert (cell.value, cell.data_type) == (text, "s")
    assert not cell.quotePrefix


@pytest.mark.parametrize(
    ("values", "number", "shown"),
    [
        ({"how_many": 10**15 - 1}, 1, 10**15 - 1),
        ({"how_many": 10**15}, 1, "1000000000000000"),
        ({"how_many": -(2**63)}, 1, "-9223372036854775808"),
        ({"share": 1e-300}, 2, 1e-300),
        ({"share": 1 / 3}, 2, 1 / 3),
        ({"share": float("inf")}, 2, "inf"),
        ({"share": float("nan")}, 2, "nan"),
        ({"opened_on": dt.date(1900, 3, 1)}, 4, midnight(1900, 3, 1)),
        ({"opened_on": dt.date(1900, 2, 28)}, 4, "1900-02-28"),
        ({"opened_on": dt.date(1889, 4, 1)}, 4, "1889-04-01"),
        ({"opened_on": dt.date(9999, 12, 31)}, 4, midnight(9999, 12, 31)),
        ({"seen_at": dt.datetime(1850, 1, 1, 12, tzinfo=UTC)}, 5, "1850-01-01 12:00:00+00:00"),
    ],
)
def test_what_a_spreadsheet_would_round_or_misread_is_text(
    contract: Contract, path: Path, values: dict[str, Any], number: int, shown: object
) -> None:
    write_spreadsheet(table_of(contract, [row(**values)]), about(contract), path)
    assert cells(path)[number].value == shown


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a<b>&c", "a&lt;b&gt;&amp;c"),
        ("bell\x07", "bell_x0007_"),
        ("a\rb", "a_x000D_b"),
        ("_x0041_", "_x005F_x0041_"),
        ("_x004_ _y0041_ snake_x0041", "_x004_ _y0041_ snake_x0041"),
        ("tab\tline\n", "tab\tline\n"),
        ("\ufffe\uffff", "_xFFFE__xFFFF_"),
    ],
)
def test_letters_that_xml_cannot_hold_are_escaped_as_offices_read_them(text: str, written: str) -> None:
    assert xml_text(text) == written


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.dates(),
)
def test_any_value_gives_a_file_that_opens(
    contract: Contract,
    tmp_path_factory: pytest.TempPathFactory,
    text: str,
    how_many: int,
    share: float,
    day: dt.date,
) -> None:
    table = table_of(contract, [row(text, how_many=how_many, share=share, opened_on=day)])
    file = tmp_path_factory.mktemp("any") / "things.xlsx"
    write_spreadsheet(table, about(contract), file)
    assert read_shape(file).rows == 1
    parsed = etree.fromstring(data_xml(file).encode())
    first = parsed.find("{*}sheetData")[1][0]
    held = "".join(first.itertext())
    plain = re.sub("_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), held)
    assert plain == text


@pytest.mark.parametrize("place", [0, 1, 25, 26, 51, 52, 701, 702, 16383])
def test_columns_are_called_as_offices_call_them(place: int) -> None:
    assert column_letters(place) == get_column_letter(place + 1)


# --- the sheets ---------------------------------------------------------------------------------------------


def test_the_header_is_bold_frozen_and_filters(contract: Contract, path: Path) -> None:
    write_spreadsheet(table_of(contract, [row("a"), row("b")]), about(contract, rows=2), path)
    sheet = openpyxl.load_workbook(path).worksheets[0]
    assert [cell.value for cell in sheet[1]] == [c.name for c in contract.columns]
    assert all(cell.font.bold for cell in sheet[1])
    assert not sheet["A2"].font.bold
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:F3"
    assert sheet.calculate_dimension() == "A1:F3"


def test_columns_are_as_wide_as_what_stands_in_them_within_bounds(contract: Contract, path: Path) -> None:
    rows = [row("x" * 30), *[row("y")] * 300, row("z" * 500)]
    write_spreadsheet(table_of(contract, rows), about(contract, rows=302), path)
    widths = openpyxl.load_workbook(path).worksheets[0].column_dimensions
    assert widths["A"].width == 31
    assert widths["B"].width == len("how_many") + 5
    write_spreadsheet(table_of(contract, rows[::-1]), about(contract, rows=302), path)
    assert openpyxl.load_workbook(path).worksheets[0].column_dimensions["A"].width == 49


def test_the_codebook_explains_every_column(contract: Contract, path: Path) -> None:
    write_spreadsheet(table_of(contract, [row()]), about(contract), path)
    sheet = openpyxl.load_workbook(path)["Codebook"]
    header, *rows = sheet.iter_rows(values_only=True)
    assert header == ("column", "type", "unit", "may be empty", "meaning")
    assert [found[0] for found in rows] == [c.name for c in contract.columns]
    assert rows[0] == ("name", "text", None, "no", "=What the thing is called, as people say it.")
    assert rows[1][:4] == ("how_many", "whole number", "things", "yes")
    assert rows[5][1] == "date and time, UTC"
    assert sheet["E2"].quotePrefix
    assert sheet["E2"].data_type == "s"


def test_the_about_sheet_says_what_to_know(contract: Contract, path: Path) -> None:
    write_spreadsheet(table_of(contract, [row()]), about(contract), path)
    said = list(openpyxl.load_workbook(path)["About"].iter_rows(values_only=True))
    told = dict(said)
    assert told["Release"] == "2026.11.0 of 2026-11-23: Things of the country"
    assert told["Licence"] == "Creative Commons Attribution 4.0, https://creativecommons.org/licenses/by/4.0/"
    assert told["Limitations"] == contract.limitations
    assert told["How to cite"] == "Cite it so."
    assert [value for name, value in said if name == "Attribution"] == ["First source", "Second source"]
    assert "Notice" not in told
    assert "Standing" not in told


def test_a_sample_says_so_on_its_first_sheet_in_its_properties_and_credits_nobody(
    contract: Contract, path: Path
) -> None:
    write_spreadsheet(table_of(contract, [row()]), about(contract, notice=NOTICE), path)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Sample data", "Codebook", "About"]
    told = dict(book["About"].iter_rows(values_only=True))
    assert told["Notice"] == NOTICE
    assert "First source" not in told.values()
    assert book.properties.title == "Things, release 2026.11.0 (sample)"
    assert book.properties.description == NOTICE


def test_a_dataset_that_will_go_says_so(contract: Contract, path: Path) -> None:
    end = Deprecation(since_version="2026.11.0", since=dt.date(2026, 11, 23), remove_after=dt.date(2027, 3, 1))
    manifest = manifest_of(contract)
    going = manifest.datasets[0].model_copy(update={"status": "deprecated", "deprecation": end})
    told = replace(about(contract), manifest=manifest.model_copy(update={"datasets": (going,)}))
    write_spreadsheet(table_of(contract, [row()]), told, path)
    said = dict(openpyxl.load_workbook(path)["About"].iter_rows(values_only=True))
    assert "2027-03-01" in said["Standing"]


def test_the_properties_carry_the_day_of_the_release_and_no_other(contract: Contract, path: Path) -> None:
    write_spreadsheet(table_of(contract, [row()]), about(contract), path)
    properties = openpyxl.load_workbook(path).properties
    assert properties.creator == "The <Press> & Co"
    assert properties.created == properties.modified == midnight(2026, 11, 23)
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.create_system for entry in archive.infolist()} == {3}


def test_the_same_table_gives_the_same_bytes(contract: Contract, tmp_path: Path) -> None:
    table = table_of(contract, [row(f"thing {n}", share=n / 7) for n in range(5000)])
    first, second = tmp_path / "first.xlsx", tmp_path / "second.xlsx"
    write_spreadsheet(table, about(contract, rows=5000), first)
    write_spreadsheet(pa.concat_tables([table.slice(0, 1), table.slice(1)]), about(contract, rows=5000), second)
    assert first.read_bytes() == second.read_bytes()


def test_pandas_reads_the_data_back(contract: Contract, path: Path) -> None:
    rows = [row(f"thing {n}", how_many=n, share=n / 7, is_open=n % 2 == 0) for n in range(50)]
    table = table_of(contract, rows)
    write_spreadsheet(table, about(contract, rows=50), path)
    frame = pd.read_excel(path)
    for name in ("name", "how_many", "share", "is_open"):
        assert frame[name].tolist() == table[name].to_pylist()


# --- which tables fit ---------------------------------------------------------------------------------------


def parquet(folder: Path, table: pa.Table) -> Path:
    pq.write_table(table, folder / "table.parquet")
    return folder / "table.parquet"


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [
        (0, 1, True),
        (ROW_LIMIT, 10, True),
        (ROW_LIMIT + 1, 1, False),
        (CELL_LIMIT // 20, 20, True),
        (CELL_LIMIT // 20 + 1, 20, False),
    ],
)
def test_a_table_fits_up_to_a_number_of_rows_and_of_cells(
    tmp_path: Path, rows: int, columns: int, expected: bool
) -> None:
    table = pa.table({f"c{n}": pa.nulls(rows, pa.int64()) for n in range(columns)})
    assert fits(parquet(tmp_path, table)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("x" * TEXT_LIMIT, True), ("x" * (TEXT_LIMIT + 1), False), ("Ŵ" * TEXT_LIMIT, False), (None, True)],
)
def test_a_table_with_a_text_too_long_for_a_cell_does_not_fit(
    tmp_path: Path, text: str | None, expected: bool
) -> None:
    assert fits(parquet(tmp_path, pa.table({"t": pa.array(["a", text], pa.string())}))) is expected


# --- reading back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [0, 1, 1000, 5000])
def test_the_shape_is_read_back(contract: Contract, path: Path, rows: int) -> None:
    write_spreadsheet(table_of(contract, [row(f"n{n}") for n in range(rows)]), about(contract, rows=rows), path)
    shape = read_shape(path)
    assert shape.rows == rows
    assert shape.columns == tuple(c.name for c in contract.columns)
    assert shape.sheets == ("Data", "Codebook", "About")


def spoil_nothing_there(path: Path) -> None:
    path.unlink()


def spoil_no_zip(path: Path) -> None:
    path.write_bytes(b"name,how_many\na,1\n")


def spoil_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil_zip_of_something_else(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")


def rewritten(path: Path, part: str, change: tuple[str, str]) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert change[0].encode() in parts[part]
    parts[part] = parts[part].replace(change[0].encode(), change[1].encode())
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def spoil_xml(path: Path) -> None:
    rewritten(path, DATA_PART, ("</sheetData>", ""))


def spoil_bomb(path: Path) -> None:
    names = "abcdefghijkl"
    entities = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairwise(names))
    rewritten(path, DATA_PART, ("<worksheet", f'<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa">{entities}]><worksheet'))
    rewritten(path, DATA_PART, ("<t>plain</t>", f"<t>&{names[-1]};</t>"))


@pytest.mark.parametrize(
    "spoil", [spoil_nothing_there, spoil_no_zip, spoil_half, spoil_zip_of_something_else, spoil_xml, spoil_bomb]
)
def test_what_is_no_spreadsheet_is_called_so_in_a_sentence(contract: Contract, path: Path, spoil: Any) -> None:
    write_spreadsheet(table_of(contract, [row()]), about(contract), path)
    spoil(path)
    with pytest.raises(SpreadsheetError, match=r"^things\.xlsx: cannot be read as a spreadsheet \(\w+\)$"):
        read_shape(path)
