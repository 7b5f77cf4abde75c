"""Strict reading of a source's CSV file against its contract.

Belongs here: decoding, the check of a file's shape, choosing the layout, and keeping only the fields that the
contract reads. Does not belong here: fetching, typing and judging values; those are `http` and the warehouse.
Every field is either read, or known and ignored, or dropped because it is personal, or reported the day it
appears. A malformed file is refused whole: a shifted column must never be read as another one.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipelines.contract import PROVENANCE, Column, Contract, Layout

# What is left of a row, given its columns' names and its cells; None for a row of which nothing may stay.
Conceal = Callable[[Sequence[str], list[str]], list[str] | None]

MARKUP = ("<!doctype", "<html", "<?xml", "<head", "<body", "<script")
EMAIL = re.compile(r"[\w.+'-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")
MAILBOX = re.compile(
    r"[\w.+'-]+(?:@|%40)(?:gmail|googlemail|hotmail|outlook|live|msn|yahoo|ymail|icloud|me|aol|btinternet|sky|"
    r"talktalk|virginmedia|ntlworld|blueyonder|tiscali|proton|protonmail)(?:\.[\w-]+)+",
    re.IGNORECASE,
)
REMOVED = "removed@example.invalid"
LONGEST_FIELD = 131_072  # characters; the usual limit of `csv`: what is longer has lost a quote


class RefusedFile(Exception):  # noqa: N818 - a verdict about a file, not a fault of ours
    """A file that is refused whole; the message names the source, the place in the file and what to do."""


@dataclass(frozen=True)
class Reading:
    """A file's rows reduced to the contract's columns, as text; `line_numbers` are those of the file.

    `kept` is the file again as CSV, but only with the fields that are read: what may go to disk when the
    contract does not allow to store the file as received. `concealed` counts the rows of which something was left
    out.
    """

    layout: str
    columns: tuple[str, ...]
    rows: list[list[str]]
    line_numbers: list[int]
    new_fields: tuple[str, ...]
    missing_fields: tuple[str, ...]
    kept: bytes
    concealed: int = 0


def read_csv(
    data: bytes, contract: Contract, conceal: Conceal | None = None, *, may_be_empty: bool = False
) -> Reading:
    """Read a source file strictly; what `conceal` leaves out of a row is never stored.

    `may_be_empty` reads a file of ours of which nothing but the header was left.

    Errors: `RefusedFile` for HTML, a wrong encoding, rows that are not as wide as the header, a header given
    twice, an empty file, or a header that fits no known layout.
    """
    source = contract.name
    text = _decode(data, source)
    header, rows, line_numbers = _split(text, contract, may_be_empty=may_be_empty)
    layout = _choose_layout(header, contract)
    fields = {column.name: column.field_in(layout.name) for column in _own_columns(contract)}
    position = {field: index for index, field in enumerate(header)}
    read = [(name, position[field]) for name, field in fields.items() if field in position]
    known = _known_fields(contract, [layout])
    missing = tuple(
        column.field_in(layout.name) or ""
        for column in _own_columns(contract)
        if not column.optional and (field := column.field_in(layout.name)) and field not in position
    )
    indexes = [index for _, index in read]
    kept_rows = [[row[index] for index in indexes] for row in rows]
    if not contract.store_raw:
        _remove_addresses(kept_rows, [contract.column(name) for name, _ in read])
    columns = tuple(name for name, _ in read)
    concealed = 0
    if conceal is not None:
        left = [conceal(columns, row) for row in kept_rows]
        concealed = sum(one != row for one, row in zip(left, kept_rows, strict=True))
        line_numbers = [n for n, row in zip(line_numbers, left, strict=True) if row is not None]
        kept_rows = [row for row in left if row is not None]
    return Reading(
        layout=layout.name,
        columns=columns,
        rows=kept_rows,
        line_numbers=line_numbers,
        new_fields=tuple(field for field in header if field not in known),
        missing_fields=missing,
        kept=_to_csv([header[index] for index in indexes], kept_rows),
        concealed=concealed,
    )


def _remove_addresses(rows: list[list[str]], columns: Sequence[Column]) -> None:
    """Take e-mail addresses out of cells where volunteers put them by mistake, before anything is stored.

    What is left still reads as an address, so that the mistake is counted. A name on Mastodon looks the same:
    in its own column only addresses at the large mail services are taken out.
    """
    patterns = [MAILBOX if column.may_hold_address else EMAIL for column in columns]
    for row in rows:
        for index, pattern in enumerate(patterns):
            if "@" in row[index] or "%40" in row[index]:
                row[index] = pattern.sub(REMOVED, row[index])


def _own_columns(contract: Contract) -> Iterator[Column]:
    return (column for column in contract.columns if column.name not in PROVENANCE)


def _decode(data: bytes, source: str) -> str:
    start = data[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if any(start.startswith(tag.encode()) for tag in MARKUP):
        raise RefusedFile(
            f"{source}: got a web page instead of CSV (the file begins with markup): "
            f"check the address, the publisher may have moved the file or be showing an error page"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise RefusedFile(
            f"{source}: line {line} is not UTF-8 (byte 0x{data[error.start]:02x}): "
            f"the file is in another encoding, perhaps cp1252; ask the publisher or convert it"
        ) from None
    if "\x00" in text:
        raise RefusedFile(f"{source}: the file holds NUL bytes: it is damaged or not a text file")
    return text


def _split(text: str, contract: Contract, *, may_be_empty: bool) -> tuple[list[str], list[list[str]], list[int]]:
    source = contract.name
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [field.strip() for field in next(reader, [])]
        _check_header(header, contract)
        rows, line_numbers, start = [], [], reader.line_num + 1
        for row in reader:
            if row and len(row) != len(header):
                raise RefusedFile(
                    f"{source}: line {start} has {len(row)} fields where the header has {len(header)}: "
                    f"refused whole, since columns may have shifted; ask the publisher to repair the file"
                )
            _check_lengths(row)
            if row:
                rows.append(row)
                line_numbers.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise RefusedFile(f"{source}: line {reader.line_num}: broken CSV ({error}): refused whole") from None
    if not rows and not may_be_empty:
        raise RefusedFile(f"{source}: the file has a header and no rows: an empty file is never a good answer")
    return header, rows, line_numbers


def _check_lengths(row: Sequence[str]) -> None:
    """Refuse what `csv` would, whose own limit is one for the whole process and is raised by libraries."""
    if any(len(field) > LONGEST_FIELD for field in row):
        raise csv.Error(f"field longer than {LONGEST_FIELD:,} characters")


def _known_fields(contract: Contract, layouts: Sequence[Layout]) -> set[str]:
    """Every field that is read, ignored or dropped in some of the layouts."""
    read = {column.field_in(layout.name) for column in _own_columns(contract) for layout in layouts}
    return {*filter(None, read), *contract.dropped, *(field for layout in layouts for field in layout.ignored)}


def _check_header(header: Sequence[str], contract: Contract) -> None:
    if not any(header):
        raise RefusedFile(f"{contract.name}: the file is empty")
    places = [place for place, field in enumerate(header, start=1) if header.count(field) > 1]
    if places:
        # A name is told only if it is a known one: in a file without a header the first row holds values.
        names = sorted({header[place - 1] for place in places} & _known_fields(contract, contract.layouts))
        told = ", ".join(names) or f"columns {', '.join(map(str, places))} by the same name,"
        raise RefusedFile(f"{contract.name}: the header names {told} twice: refused whole")


def _choose_layout(header: Sequence[str], contract: Contract) -> Layout:
    """The layout that leaves the fewest fields missing or new; refused when required fields are missing."""
    present = set(header)

    def distance(layout: Layout) -> tuple[int, int]:
        wanted = {c.field_in(layout.name) for c in _own_columns(contract) if not c.optional} - {None}
        return len(wanted - present), len(present - _known_fields(contract, [layout]))

    best = min(contract.layouts, key=lambda layout: (sum(distance(layout)), distance(layout)))
    lacking = [
        field
        for column in _own_columns(contract)
        if column.required and (field := column.field_in(best.name)) and field not in present
    ]
    if lacking:
        raise RefusedFile(
            f"{contract.name}: the header lacks {', '.join(lacking)} and fits no known layout "
            f"({', '.join(layout.name for layout in contract.layouts)}): compare it with {contract.path.name}"
        )
    return best


def _to_csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)  # a lone \r would else end a row
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8")
