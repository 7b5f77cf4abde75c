"""Rows of CSV files and of Excel sheets, numbered as a spreadsheet shows them.

Belongs here: headings, delimiters, shifted rows, formulas that were never calculated. Does not belong here: what
a column means. A file that may have shifted or lost cells is refused whole.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any, Final, TypeAlias

import openpyxl

from pipelines.interviews import guard
from pipelines.interviews.bands import Value
from pipelines.interviews.study import InterviewError

MAX_ROWS, MAX_COLUMNS = 20_000, 1_000
ROWS_AT_ONCE = 500
DELIMITERS: Final[Mapping[str, str]] = {",": ",", ";": ";", "tab": "\t"}
_MERGED_CELLS = re.compile(rb"<(?:\w+:)?mergeCell\s")
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")


@dataclass(frozen=True)
class NotCalculated:
    """A formula whose result the file does not hold."""


Cell: TypeAlias = Value | NotCalculated | None
Row: TypeAlias = tuple[int, Sequence[Cell]]


@dataclass(frozen=True)
class Sheet:
    """The headings of a table, and its rows below them, read one by one; blank rows are passed over."""

    header: tuple[str, ...]
    rows: Iterator[Row]


def is_blank(cell: Cell) -> bool:
    """Whether nothing stands in a cell."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def heading(text: str) -> str:
    """A heading as it is compared: with single spaces and none around it."""
    return " ".join(text.split())


def quoted(text: str) -> str:
    """A value as the researcher's report quotes it: short, and with what cannot be seen written out."""
    short = text[:60]
    return repr(short) if short.isprintable() else ascii(short)


def csv_sheet(text: str, source: str, known: Iterable[str], delimiter: str | None = None) -> Sheet:
    """The rows of a CSV text; `known` are headings by which an undeclared delimiter is recognised.

    Errors: `InterviewError` for broken quotes, rows that are not as wide as the header, too much of anything.
    """
    chosen = delimiter or _recognise(text, source, {heading(name) for name in known})
    return _sheet(_equally_wide(_csv_rows(text, source, chosen), source), source)


def xlsx_sheet(content: bytes, source: str, name: str | None = None) -> Sheet:
    """The rows of one sheet of an Excel workbook, as last calculated; the only sheet where none is named.

    Errors: `InterviewError` for what is no such workbook or no such sheet, for merged cells, of which all but
    the first would read as empty, and too much of anything.
    """
    guard.check_workbook(content, source)
    return _sheet(_xlsx_rows(content, source, name), source)


def read_table(
    content: bytes, source: str, required: Sequence[str], optional: Sequence[str] = ()
) -> list[tuple[int, dict[str, str]]]:
    """A small CSV file whose headings are fixed, as row numbers and required fields, all of them text.

    Errors: `InterviewError` for a heading that is missing, unknown or given twice, and as `csv_sheet`.
    """
    sheet = csv_sheet(guard.check_text(content, source), source, [*required, *optional])
    if missing := [name for name in required if name not in sheet.header]:
        raise InterviewError(f"{source}: the column {', '.join(missing)} is missing: add it to the first row")
    unknown = [place for place, name in enumerate(sheet.header, 1) if name not in {*required, *optional}]
    if unknown:
        raise InterviewError(
            f"{source}: column {', '.join(map(str, unknown))} is not one of {', '.join([*required, *optional])}: "
            f"take it out"
        )
    places = {name: sheet.header.index(name) for name in required}
    return [(row, {name: str(cells[p]).strip() for name, p in places.items()}) for row, cells in sheet.rows]


def _sheet(rows: Iterator[Row], source: str) -> Sheet:
    _, first = next(rows, (1, []))
    names = [heading(cell) if isinstance(cell, str) else "" for cell in first]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise InterviewError(f"{source}: the first row holds no headings: they have to stand in row 1")
    if len(names) > MAX_COLUMNS:
        raise InterviewError(f"{source}: more than {MAX_COLUMNS} columns")
    twice = [place for place, name in enumerate(names, 1) if name and names.count(name) > 1]
    if twice:
        raise InterviewError(
            f"{source}: columns {', '.join(map(str, twice))} share a heading: every column needs its own"
        )
    return Sheet(tuple(names), _below(rows, len(names), source))


def _below(rows: Iterator[Row], width: int, source: str) -> Iterator[Row]:
    for number, cells in rows:
        if number > MAX_ROWS:
            raise InterviewError(f"{source}: more than {MAX_ROWS} rows: delete the empty ones below the list, too")
        if not all(is_blank(cell) for cell in cells[width:]):
            raise InterviewError(
                f"{source}: row {number} has something beyond the last heading: give it a heading"
            )
        if not all(is_blank(cell) for cell in cells):
            yield number, [*cells[:width], *[None] * (width - len(cells))]


# --- CSV ----------------------------------------------------------------------------------------------------


def _csv_rows(text: str, source: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Records, not lines, since a quoted cell may hold line breaks; a blank line is a row of a spreadsheet too."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            yield number, cells
    except csv.Error:
        raise InterviewError(
            f"{source}: after row {number} the file is not valid CSV: check quotes and the length of cells there"
        ) from None


def _recognise(text: str, source: str, known: set[str]) -> str:
    """The delimiter with which the first row has most of the headings that are looked for."""

    def recognised(delimiter: str) -> int:
        try:
            _, cells = next(_csv_rows(text, source, delimiter), (1, []))
        except InterviewError:
            return -1
        return len(known & {heading(cell) for cell in cells})

    return max(DELIMITERS.values(), key=recognised)


def _equally_wide(rows: Iterator[tuple[int, list[str]]], source: str) -> Iterator[Row]:
    width = None
    for number, cells in rows:
        width = width or len(cells)
        if cells and len(cells) != width:
            raise InterviewError(
                f"{source}: row {number} has {len(cells)} cells where row 1 has {width}: refused whole, since "
                f"columns may have shifted; put cells that hold the delimiter into quotes"
            )
        yield number, cells


# --- Excel --------------------------------------------------------------------------------------------------


def _xlsx_rows(content: bytes, source: str, name: str | None) -> Iterator[Row]:
    """The rows as last calculated; where a sheet has formulas, held against the rows as written."""
    sheet = _worksheet(content, source, name, data_only=True)
    markup = _guarded(lambda: guard.open_zip(content, source).read(sheet._worksheet_path), source)
    if _MERGED_CELLS.search(markup):
        raise InterviewError(
            f"{source}: cells of the sheet are merged: unmerge them and fill in every cell, since of merged cells "
            f"only the first has a value"
        )
    width = _guarded(lambda: _header_width(sheet), source)
    # One column more than there are headings: a cell there may belong to the list, notes farther off do not.
    limits = {"max_col": min(width, MAX_COLUMNS) + 1}

    def rows() -> Iterator[Row]:
        written = ()
        if _FORMULA.search(markup):
            written = _worksheet(content, source, name, data_only=False).iter_rows(**limits)
        pairs = zip_longest(sheet.iter_rows(**limits), written, fillvalue=())
        for number, both in enumerate(pairs, start=1):
            yield number, [_cell(*cells) for cells in zip_longest(*both)]

    return _in_blocks(rows(), source)


def _header_width(sheet: Any) -> int:
    """The number of columns up to the last heading; empty ones beyond it may be formatted and so stored."""
    first = next(sheet.iter_rows(max_row=1, max_col=MAX_COLUMNS + 1, values_only=True), ())
    return max((place for place, value in enumerate(first, start=1) if value is not None), default=0)


def _in_blocks(rows: Iterator[Row], source: str) -> Iterator[Row]:
    """The rows, with every failure of the library that reads them turned into one without values."""
    while found := _guarded(lambda: list(islice(rows, ROWS_AT_ONCE)), source):
        yield from found


def _guarded(read: Callable[[], Any], source: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about parts of a workbook that are not read anyway
            return read()
    except Exception:  # noqa: BLE001 - on a damaged workbook the library may raise anything, and quotes cells
        raise InterviewError(
            f"{source}: the workbook is damaged and cannot be read: open it in Excel and save it as .xlsx again"
        ) from None


def _worksheet(content: bytes, source: str, name: str | None, *, data_only: bool) -> Any:
    book = _guarded(
        lambda: openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=data_only, keep_links=False),
        source,
    )
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if name is None and len(sheets) == 1:
        return next(iter(sheets.values()))
    if name is None:
        raise InterviewError(f"{source}: the workbook has {len(sheets)} sheets: name the right one under `sheet`")
    if name not in sheets:
        raise InterviewError(
            f"{source}: the workbook has no sheet of the name that study.yml gives",
            f"{source}: the workbook has no sheet {name!r}, but {', '.join(map(repr, sheets))}",
        )
    return sheets[name]


def _cell(calculated: Any, written: Any) -> Cell:
    value = getattr(calculated, "value", None)
    if value is None:
        is_formula = getattr(written, "data_type", None) == "f"
        return NotCalculated() if is_formula else None
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return str(int(value)) if value == int(value) else repr(value)
    if isinstance(value, dt.time):
        return dt.timedelta(hours=value.hour, minutes=value.minute, seconds=value.second)
    return value if isinstance(value, dt.datetime | dt.date | dt.timedelta) else str(value)
