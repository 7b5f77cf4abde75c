"""Spreadsheets: small datasets as XLSX, with the codebook and the licence inside the file.

Belongs here: which tables fit a spreadsheet, the parts of an XLSX file, and reading its shape back. Does not
belong here: choosing datasets and listing files (`build`).

The parts are written by this module and not by a library, because a release must give the same bytes again (the
library stamps the hour into every file) and because a million cells then take a third of the time. The library
reads them back: `read_shape` is used whenever a release is verified.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape, quoteattr

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from lxml import etree

from pipelines.contract import Contract, LogicalType
from pipelines.release.manifest import LICENCES, DatasetEntry, Manifest
from pipelines.release.versions import standing

ROW_LIMIT = 100_000  # rows that people still scroll, filter and mail
CELL_LIMIT = 1_000_000  # cells that an office program opens within seconds
TEXT_LIMIT = 32_767  # what one cell holds, in UTF-16 units; never more than the bytes of the text in UTF-8
SAFE_INTEGER = 10**15  # beyond it a spreadsheet would round, so whole numbers are written as text
FIRST_DAY = dt.date(1900, 3, 1)  # spreadsheets count a day in February 1900 that never was; earlier days are text
DAY_ZERO = dt.date(1899, 12, 30)
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can say; bytes carry no clock
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
TYPE_WORDS: Mapping[LogicalType, str] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "date": "date",
    "timestamp": "date and time, UTC",
}
WIDTHS = (8, 48)  # the narrowest and the widest column, in characters
SAMPLED_ROWS = 200  # rows that decide how wide a column is
DATA_PART = "xl/worksheets/sheet1.xml"

# Places in the list of cell styles of `_STYLES`.
PLAIN, HEADER, DAY, TIME, QUOTED, WRAPPED, QUOTED_WRAPPED = range(7)


@dataclass(frozen=True)
class Shape:
    """What a spreadsheet holds: the names of its sheets, and columns and rows of its data, the header apart."""

    sheets: tuple[str, ...]
    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class Sheet:
    """One sheet: a header, rows of XML below it, widths in characters, and whether the header filters."""

    name: str
    columns: tuple[str, ...]
    rows: Iterable[str]
    widths: tuple[int, ...]
    last_row: int
    has_filter: bool = False


class SpreadsheetError(Exception):
    """A spreadsheet that cannot be read; the message names the file."""


@dataclass(frozen=True)
class About:
    """What a spreadsheet says besides its data; `creator` and `citation` as the whole release gives them."""

    manifest: Manifest
    contract: Contract
    creator: str
    citation: str

    @property
    def dataset(self) -> DatasetEntry:
        """The dataset as the manifest lists it."""
        return self.manifest.dataset(self.contract.name)


def fits(parquet: Path) -> bool:
    """Whether a dataset can be a spreadsheet without losing anything and without being a burden to open.

    A large one is told from the end of its file, without reading it.
    """
    shape = pq.read_metadata(parquet)
    if shape.num_rows > ROW_LIMIT or shape.num_rows * shape.num_columns > CELL_LIMIT:
        return False
    table = pq.read_table(parquet)
    texts = [column for column in table.columns if pa.types.is_string(column.type)]
    return all((pc.max(pc.binary_length(text)).as_py() or 0) <= TEXT_LIMIT for text in texts)


def write_spreadsheet(table: pa.Table, about: About, path: Path) -> None:
    """Write a dataset as XLSX: a sheet of data, its codebook, and what to know before using it.

    The same table and manifest give the same bytes: the only day in the file is that of the release. The table
    must fit, see `fits`.
    """
    sheets = (
        _data_sheet(table, "Sample data" if about.manifest.notice else "Data"),
        _codebook_sheet(about.contract),
        _about_sheet(about),
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _frame(sheets, about).items():
            archive.writestr(zip_entry(name), text)
        for number, sheet in enumerate(sheets, start=1):
            with archive.open(zip_entry(f"xl/worksheets/sheet{number}.xml"), "w") as part:
                for piece in _pieces(_sheet_xml(sheet, is_first=number == 1)):
                    part.write(piece.encode())


def read_shape(path: Path) -> Shape:
    """The sheets of a spreadsheet of ours and the shape of its data. Errors: `SpreadsheetError`."""
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True)
        try:
            header = next(book.worksheets[0].iter_rows(max_row=1, values_only=True), ())
        finally:
            book.close()
        with zipfile.ZipFile(path) as archive, archive.open(DATA_PART) as part:
            rows = _count_rows(part)
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile, etree.LxmlError) as error:
        raise SpreadsheetError(f"{path.name}: cannot be read as a spreadsheet ({type(error).__name__})") from None
    return Shape(tuple(book.sheetnames), tuple(str(name) for name in header), rows - 1)


def _count_rows(part: IO[bytes]) -> int:
    """Rows of a sheet, read in a stream; a library that makes every cell an object takes six times as long."""
    count = 0
    for _, row in etree.iterparse(part, tag="{*}row", resolve_entities=False, no_network=True):
        count += 1
        row.clear()
        while row.getprevious() is not None:
            del row.getparent()[0]
    return count


def zip_entry(name: str, *, stored: bool = False) -> zipfile.ZipInfo:
    """An entry of a zip file that is the same on every machine and at any hour; `stored` is left uncompressed."""
    entry = zipfile.ZipInfo(name, ZIP_TIME)
    entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, also where it is written elsewhere
    entry.external_attr = 0o644 << 16
    return entry


# --- the three sheets ---------------------------------------------------------------------------------------


def _data_sheet(table: pa.Table, name: str) -> Sheet:
    columns = tuple(table.column_names)
    return Sheet(name, columns, _data_rows(table), _widths(table), table.num_rows + 1, has_filter=True)


def _data_rows(table: pa.Table) -> Iterator[str]:
    letters = [column_letters(place) for place in range(table.num_columns)]
    number = 1
    for batch in table.to_batches(max_chunksize=4096):
        columns = [column.to_pylist() for column in batch.columns]
        for row in zip(*columns, strict=True):
            number += 1
            yield _row(number, letters, row)


def _widths(table: pa.Table) -> tuple[int, ...]:
    """Widths that show the header with its filter button, and most of the first rows."""
    first = table.slice(0, SAMPLED_ROWS)
    shown = [[len(str(value)) for value in column.to_pylist() if value is not None] for column in first.columns]
    narrow, wide = WIDTHS
    return tuple(
        min(wide, max(narrow, len(name) + 4, *(lengths or [0]))) + 1
        for name, lengths in zip(table.column_names, shown, strict=True)
    )


def _codebook_sheet(contract: Contract) -> Sheet:
    rows = [
        (c.name, TYPE_WORDS[c.type], c.unit or "", "no" if c.required else "yes", c.description)
        for c in contract.columns
    ]
    return _text_sheet(
        "Codebook", ("column", "type", "unit", "may be empty", "meaning"), rows, (34, 18, 18, 13, 90)
    )


def _about_sheet(about: About) -> Sheet:
    dataset, contract, manifest = about.dataset, about.contract, about.manifest
    licence, address = LICENCES[dataset.licence]
    rows = [
        ("Dataset", f"{dataset.title} ({dataset.name})"),
        *([("Notice", manifest.notice)] if manifest.notice else []),
        *([("Standing", notice)] if (notice := standing(dataset)) else []),
        ("One row per", dataset.grain.removeprefix("one row per ")),
        ("What it is for", contract.purpose),
        ("Limitations", contract.limitations),
        ("How to use it", contract.usage or ""),
        ("Release", f"{manifest.version} of {manifest.released_on.isoformat()}: {manifest.title}"),
        ("Schema version", dataset.schema_version),
        ("Rows", f"{dataset.rows:,}"),
        ("Licence", f"{licence}, {address}"),
        *(("Attribution", title) for title in _credits(dataset, manifest)),
        ("How to cite", about.citation),
        ("Dates", "Days before 1 March 1900 are text, because spreadsheets cannot count them."),
        ("Other forms", f"The same rows are in {dataset.name}.csv.gz and {dataset.name}.parquet."),
    ]
    return _text_sheet("About", ("about", "this file"), rows, (18, 110))


def _credits(dataset: DatasetEntry, manifest: Manifest) -> Sequence[str]:
    """Whom to credit; the sample holds nobody's data."""
    return (
        ("Real releases credit their sources here; the sample has none.",)
        if manifest.notice
        else dataset.attribution
    )


def _text_sheet(
    name: str, columns: tuple[str, ...], rows: Sequence[Sequence[str]], widths: tuple[int, ...]
) -> Sheet:
    return Sheet(
        name,
        columns,
        [_text_row(number, row) for number, row in enumerate(rows, start=2)],
        widths,
        len(rows) + 1,
    )


def _text_row(number: int, values: Sequence[str]) -> str:
    cells = [
        _text_cell(f"{column_letters(place)}{number}", value, wrapped=True)
        for place, value in enumerate(values)
        if value
    ]
    return f'<row r="{number}">{"".join(cells)}</row>'


# --- cells --------------------------------------------------------------------------------------------------


def column_letters(place: int) -> str:
    """What a spreadsheet calls a column, counted from 0: A to Z, then AA."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _row(number: int, letters: Sequence[str], values: Sequence[object]) -> str:
    cells = [
        _CELLS[type(value)](f"{letter}{number}", value)
        for letter, value in zip(letters, values, strict=True)
        if value is not None
    ]
    return f'<row r="{number}">{"".join(cells)}</row>'


def _text_cell(place: str, value: str, *, wrapped: bool = False) -> str:
    """A text, stored inline and marked as text, so that no program ever runs it as a formula.

    Where it begins like a formula it also has the style of a quoted text, which keeps it a text when somebody
    edits the cell. The value itself gets no apostrophe: other readers would take that for data. (Contracts refuse
    such texts in the first place.)
    """
    if value.startswith(FORMULA_STARTS):
        style = QUOTED_WRAPPED if wrapped else QUOTED
    else:
        style = WRAPPED if wrapped else PLAIN
    look = f' s="{style}"' if style else ""
    space = ' xml:space="preserve"' if value != value.strip() or "\n" in value else ""
    return f'<c r="{place}"{look} t="inlineStr"><is><t{space}>{xml_text(value)}</t></is></c>'


def _number_cell(place: str, value: float) -> str:
    if not math.isfinite(value):
        return _text_cell(place, str(value))
    return f'<c r="{place}"><v>{value!r}</v></c>'


def _integer_cell(place: str, value: int) -> str:
    return f'<c r="{place}"><v>{value}</v></c>' if abs(value) < SAFE_INTEGER else _text_cell(place, str(value))


def _boolean_cell(place: str, value: bool) -> str:
    return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'


def _day_cell(place: str, value: dt.date) -> str:
    if value < FIRST_DAY:
        return _text_cell(place, value.isoformat())
    return f'<c r="{place}" s="{DAY}"><v>{(value - DAY_ZERO).days}</v></c>'


def _time_cell(place: str, value: dt.datetime) -> str:
    if value.date() < FIRST_DAY:
        return _text_cell(place, value.isoformat(sep=" "))
    since = value.replace(tzinfo=None) - dt.datetime.combine(DAY_ZERO, dt.time())
    return f'<c r="{place}" s="{TIME}"><v>{since / dt.timedelta(days=1)!r}</v></c>'


_CELLS: Mapping[type, Callable[..., str]] = {
    str: _text_cell,
    bool: _boolean_cell,
    int: _integer_cell,
    float: _number_cell,
    dt.date: _day_cell,
    dt.datetime: _time_cell,
}
# What XML cannot hold or would change, and an underscore that a reader would take for the start of an escape.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def xml_text(text: str) -> str:
    """A text as it stands in a part of a spreadsheet; characters that XML cannot hold as `_x0007_` (ECMA-376)."""
    return escape(_UNSAFE.sub(lambda found: f"_x{ord(found[0]):04X}_", text))


# --- parts of the file --------------------------------------------------------------------------------------

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_WRAP = '<alignment vertical="top" wrapText="1"/>'
_XF = '<xf numFmtId="{form}" fontId="{font}" fillId="{fill}" borderId="0" xfId="0"{more}</xf>'
_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts>'
    '<fills count="3"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill>'
    '<fill><patternFill patternType="solid"><fgColor rgb="FFE7ECF2"/></patternFill></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="7">'
    + "".join(
        (
            _XF.format(form=0, font=0, fill=0, more=">"),
            _XF.format(form=0, font=1, fill=2, more=' applyFont="1" applyFill="1">'),
            _XF.format(form=164, font=0, fill=0, more=' applyNumberFormat="1">'),
            _XF.format(form=165, font=0, fill=0, more=' applyNumberFormat="1">'),
            _XF.format(form=0, font=0, fill=0, more=' quotePrefix="1">'),
            _XF.format(form=0, font=0, fill=0, more=f' applyAlignment="1">{_WRAP}'),
            _XF.format(form=0, font=0, fill=0, more=f' quotePrefix="1" applyAlignment="1">{_WRAP}'),
        )
    )
    + '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def _pieces(lines: Iterator[str]) -> Iterator[str]:
    """Lines in pieces that are worth a call of the compressor."""
    while piece := "".join(islice(lines, 1000)):
        yield piece


def _sheet_xml(sheet: Sheet, *, is_first: bool) -> Iterator[str]:
    selected = ' tabSelected="1"' if is_first else ""
    letters = [column_letters(place) for place in range(len(sheet.columns))]
    yield (
        f'{_HEAD}<worksheet xmlns="{_MAIN}"><dimension ref="A1:{letters[-1]}{sheet.last_row}"/>'
        f'<sheetViews><sheetView{selected} workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        '<selection pane="bottomLeft" activeCell="A2" sqref="A2"/></sheetView></sheetViews>'
        '<sheetFormatPr defaultRowHeight="15"/><cols>'
    )
    for place, width in enumerate(sheet.widths, start=1):
        yield f'<col min="{place}" max="{place}" width="{width}" customWidth="1"/>'
    header = (
        f'<c r="{letter}1" s="{HEADER}" t="inlineStr"><is><t>{xml_text(name)}</t></is></c>'
        for letter, name in zip(letters, sheet.columns, strict=True)
    )
    yield f'</cols><sheetData><row r="1">{"".join(header)}</row>'
    yield from sheet.rows
    yield "</sheetData>"
    if sheet.has_filter:
        yield f'<autoFilter ref="A1:{letters[-1]}{sheet.last_row}"/>'
    yield "</worksheet>"


def _frame(sheets: Sequence[Sheet], about: About) -> dict[str, str]:
    """All parts besides the sheets, by name."""
    numbers = range(1, len(sheets) + 1)
    relation = '<Relationship Id="{id}" Type="{type}" Target="{target}"/>'
    return {
        "[Content_Types].xml": _content_types(numbers),
        "_rels/.rels": _relations(
            relation.format(id="rId1", type=f"{_OFFICE}/relationships/officeDocument", target="xl/workbook.xml"),
            relation.format(
                id="rId2", type=f"{_PACKAGE}/relationships/metadata/core-properties", target="docProps/core.xml"
            ),
        ),
        "docProps/core.xml": _core_properties(about),
        "xl/workbook.xml": _workbook(sheets),
        "xl/_rels/workbook.xml.rels": _relations(
            *(
                relation.format(
                    id=f"rId{n}", type=f"{_OFFICE}/relationships/worksheet", target=f"worksheets/sheet{n}.xml"
                )
                for n in numbers
            ),
            relation.format(id="rId100", type=f"{_OFFICE}/relationships/styles", target="styles.xml"),
        ),
        "xl/styles.xml": _STYLES,
    }


def _content_types(numbers: Iterable[int]) -> str:
    main = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "/xl/workbook.xml": f"{main}.sheet.main+xml",
        **{f"/xl/worksheets/sheet{n}.xml": f"{main}.worksheet+xml" for n in numbers},
        "/xl/styles.xml": f"{main}.styles+xml",
        "/docProps/core.xml": "application/vnd.openxmlformats-package.core-properties+xml",
    }
    overrides = "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in parts.items())
    return (
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def _relations(*relations: str) -> str:
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{"".join(relations)}</Relationships>'


def _workbook(sheets: Sequence[Sheet]) -> str:
    listed = "".join(
        f'<sheet name={quoteattr(sheet.name)} sheetId="{n}" r:id="rId{n}"/>'
        for n, sheet in enumerate(sheets, start=1)
    )
    # Programs look for the filter's range under this hidden name, too.
    filters = "".join(
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{place}" hidden="1">'
        f"'{sheet.name}'!$A$1:${column_letters(len(sheet.columns) - 1)}${sheet.last_row}</definedName>"
        for place, sheet in enumerate(sheets)
        if sheet.has_filter
    )
    return (
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}/relationships">'
        f"<bookViews><workbookView/></bookViews><sheets>{listed}</sheets><definedNames>{filters}</definedNames></workbook>"
    )


def _core_properties(about: About) -> str:
    """Title, creator and day of the file, as file managers and search show them."""
    dataset, manifest = about.dataset, about.manifest
    title = f"{dataset.title}, release {manifest.version}" + (" (sample)" if manifest.notice else "")
    day = f"{manifest.released_on.isoformat()}T00:00:00Z"
    stamps = "".join(
        f'<dcterms:{name} xsi:type="dcterms:W3CDTF">{day}</dcterms:{name}>' for name in ("created", "modified")
    )
    return (
        f'{_HEAD}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{xml_text(title)}</dc:title><dc:subject>{xml_text(manifest.title)}</dc:subject>"
        f"<dc:creator>{xml_text(about.creator)}</dc:creator>"
        f"<dc:description>{xml_text(manifest.notice or dataset.grain)}</dc:description>"
        f"<dc:language>en-GB</dc:language>{stamps}</cp:coreProperties>"
    )
