"""Every string that a file to be published holds, by column or key: what the search for personal data reads.

Belongs here: taking files apart, metadata and archives included. Does not belong here: what is looked for in them
(`tripwire`). A file of an unknown kind is read as runs of printable bytes; one that is broken raises.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from lxml import etree

LARGEST: Final = 4 << 30  # unpacked bytes of one file
DEEPEST: Final = 3  # archives within archives
SHEET: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
# What stands in a piece for something that is no string: a cell with a formula, a column of times.
FORMULA: Final = "=formula\t"
CLOCK: Final = "2000-01-01T00:00:01"
BROKEN: Final = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    EOFError,
    RecursionError,
    NotImplementedError,
    pa.ArrowException,
    zlib.error,
    zipfile.BadZipFile,
    etree.LxmlError,
)
_IS_NUMBER = re.compile(r"[+-]?(?:\d[\d,]*)?\.?\d+(?:[eE][+-]?\d+)?%?")

Piece = tuple[str, Collection[str]]


@dataclass(frozen=True)
class Strings:
    """Distinct strings of a file: of which member, where it is an archive, and of which column or key."""

    member: str
    column: str
    values: Collection[str] = field(repr=False)


def strings_of(path: Path) -> Iterator[Strings]:
    """The strings of a file. Errors: those of `BROKEN`, for a file that is not what its name says or too large."""
    yield from _open(path.name, path.read_bytes(), "", DEEPEST)


def _open(name: str, data: bytes, member: str, depth: int) -> Iterator[Strings]:
    if len(data) > LARGEST or depth < 0:
        raise ValueError("too large")
    suffix = Path(name).suffix
    if suffix == ".gz":
        with gzip.open(io.BytesIO(data)) as packed:
            yield from _open(name.removesuffix(".gz"), packed.read(LARGEST + 1), member, depth - 1)
    elif suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_size(archive)
            yield Strings(member, "file name", [*archive.namelist(), archive.comment.decode("utf-8", "replace")])
            for item in archive.infolist():
                inside = f"{member}/{item.filename}" if member else item.filename
                yield from _open(item.filename, archive.read(item), inside, depth - 1)
    elif suffix == ".xlsx":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_size(archive)
            yield Strings(member, "file name", archive.namelist())
            yield from (Strings(member, column, values) for column, values in _xlsx(archive))
    else:
        yield from (Strings(member, column, values) for column, values in _read(suffix, data))


def _check_size(archive: zipfile.ZipFile) -> None:
    if sum(item.file_size for item in archive.infolist()) > LARGEST:
        raise ValueError("too large")


def _read(suffix: str, data: bytes) -> Iterator[Piece]:
    if suffix == ".parquet":
        yield from _parquet(data)
    elif suffix == ".csv":
        yield from _csv(data.decode("utf-8-sig"))
    elif suffix in (".json", ".jsonld"):
        yield from _json(json.loads(data))
    elif suffix == ".html":
        yield from _html(data.decode("utf-8"))
    elif suffix in ("", ".md", ".txt", ".cff", ".yml", ".xml", ".sql"):
        yield "", data.decode("utf-8-sig").splitlines()
    else:
        yield "", [run.decode("ascii") for run in re.findall(rb"[\x20-\x7e]{6,}", data)]


def _csv(text: str) -> Iterator[Piece]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = next(reader, [])
    yield "column names", header
    columns: list[set[str]] = [set() for _ in header]
    for row in reader:
        if len(row) != len(header):
            raise ValueError("a row is not as wide as the header")
        for column, value in zip(columns, row, strict=True):
            column.add(value)
    for name, values in zip(header, columns, strict=True):
        yield name, values
        if any(map(_is_formula, values)):
            yield name, [FORMULA]


def _json(document: Any) -> Iterator[Piece]:
    found: dict[str, set[str]] = {"keys": set()}
    waiting = [("", document)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            found["keys"] |= value.keys()
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(key, one) for one in value]
        elif isinstance(value, str):
            found.setdefault(key, set()).add(value)
    yield from found.items()


class _Page(HTMLParser):
    """Collects what a page shows or links to, and its scripts; style sheets hold no data."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, set[str]] = {}
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        for name, value in attrs:
            if value and name not in ("d", "style", "points", "transform", "viewbox"):
                self.found.setdefault(name, set()).add(value)

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the base class's name
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self.found.setdefault("text", set()).add(data)

    def handle_comment(self, data: str) -> None:
        self.found.setdefault("comment", set()).add(data)


def _html(text: str) -> Iterator[Piece]:
    page = _Page()
    page.feed(text)
    page.close()
    yield from page.found.items()


def _xlsx(archive: zipfile.ZipFile) -> Iterator[Piece]:
    """The cells of a spreadsheet by what heads their column in the first row, and its other parts as text."""
    names = archive.namelist()
    shared = list(_shared_strings(archive)) if "xl/sharedStrings.xml" in names else []
    unused = set(range(len(shared)))  # what no cell refers to is in the file all the same
    for name in names:
        if name.startswith("xl/worksheets/") and name.endswith(".xml"):
            yield from _sheet(archive.read(name), shared, unused)
        elif name != "xl/sharedStrings.xml":
            yield "", [archive.read(name).decode("utf-8", "replace")]
    yield "shared strings", [shared[place] for place in sorted(unused)]


def _shared_strings(archive: zipfile.ZipFile) -> Iterator[str]:
    for item in _elements(archive.read("xl/sharedStrings.xml"), "si"):
        yield "".join(item.itertext())


def _sheet(part: bytes, shared: Sequence[str], unused: set[int]) -> Iterator[Piece]:
    heads: dict[str, str] = {}
    columns: dict[str, set[str]] = {}
    for cell in _elements(part, "c"):
        place = cell.get("r", "")
        letters = place.rstrip("0123456789")
        if cell.find(f"{SHEET}f") is not None:
            columns.setdefault(heads.get(letters, letters), set()).add(FORMULA)
        text = "".join(cell.itertext())
        if cell.get("t") == "s":
            unused.discard(int(text))
            text = shared[int(text)]
        if place == f"{letters}1":
            heads[letters] = text
        else:
            columns.setdefault(heads.get(letters, letters), set()).add(text)
    yield "column names", [*heads.values()]
    yield from columns.items()


def _elements(part: bytes, name: str) -> Iterator[Any]:
    """The elements of a name, one after the other; nothing outside of the part is ever read."""
    reader = etree.iterparse(
        io.BytesIO(part), tag=f"{SHEET}{name}", resolve_entities=False, no_network=True, load_dtd=False
    )
    for _, element in reader:
        yield element
        element.clear()


def _parquet(data: bytes) -> Iterator[Piece]:
    schema = pq.read_schema(pa.BufferReader(data))
    yield "column names", schema.names
    yield "metadata", [*_metadata(schema.metadata)]
    for one in schema:
        yield one.name, [*_metadata(one.metadata)]
    texts = [one.name for one in schema if _is_text(one.type)]
    file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts)
    yield "metadata", [*_metadata(file.metadata.metadata), file.metadata.created_by or ""]
    for group in range(file.num_row_groups):
        yield from _statistics(file.metadata.row_group(group))
        for one in schema:
            yield one.name, _values(file.read_row_group(group, columns=[one.name]).column(0))
            if pa.types.is_timestamp(one.type):
                yield one.name, [CLOCK]


def _metadata(given: Mapping[bytes, bytes] | None) -> Iterator[str]:
    for key, value in (given or {}).items():
        if key != b"ARROW:schema":  # the schema again, packed; it is read as such
            yield key.decode("utf-8", "replace")
            yield value.decode("utf-8", "replace")


def _statistics(group: Any) -> Iterator[Piece]:
    for place in range(group.num_columns):
        chunk = group.column(place)
        said = chunk.statistics
        if said is not None and said.has_min_max:
            yield chunk.path_in_schema, [_as_text(value) for value in (said.min, said.max)]


def _as_text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _values(column: pa.ChunkedArray) -> Collection[str]:
    """The distinct strings in a column: whole dictionaries, be their entries used or not; long numbers as text."""
    found: set[str] = set()
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):
            found |= {value for value in chunk.dictionary.to_pylist() if value is not None}
        elif pa.types.is_integer(chunk.type):
            found |= {str(value) for value in chunk.unique().to_pylist() if value and abs(value) >= 10**8}
        elif pa.types.is_nested(chunk.type) or pa.types.is_binary(chunk.type) or _is_text(chunk.type):
            found |= set(_texts(chunk.to_pylist()))
    return found


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str | bytes):
        yield _as_text(value)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(key)
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _is_formula(value: str) -> bool:
    """Whether a spreadsheet would take a cell for a formula, or a tab or return hides one."""
    return value[:1] in ("=", "+", "-", "@", "\t", "\r") and not _IS_NUMBER.fullmatch(value)
