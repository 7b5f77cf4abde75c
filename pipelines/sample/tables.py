"""Text of the sample's files: rows to CSV, as the different upstreams write it.

Here belong quoting and line ends. Which columns a file has is in the `…_files` modules.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

Row = Mapping[str, str]

# The upstream writes with PHP's fputcsv, which quotes for any of these and escapes nothing else.
_PHP_QUOTES_FOR = re.compile(r'[ ",\\\t\r\n]')


def csv_text(header: Sequence[str], rows: Iterable[Row], line_end: str = "\n") -> str:
    """Return rows as CSV under a header; a column that a row leaves out is blank.

    A column that the header lacks is an error in the writer: ValueError.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="", lineterminator=line_end)
    writer.writeheader()
    writer.writerows(dict(row) for row in rows)
    return text.getvalue()


def php_csv_text(header: Sequence[str], rows: Iterable[Row]) -> str:
    """Return rows as CSV in the quoting of PHP's fputcsv: every cell with a space is quoted."""
    lines = [header, *([row[column] for column in header] for row in rows)]
    return "".join(",".join(map(_php_cell, line)) + "\n" for line in lines)


def _php_cell(value: str) -> str:
    """Return one cell; a backslash keeps the next quote from being doubled, as in PHP."""
    return '"' + value.replace('"', '""') + '"' if _PHP_QUOTES_FOR.search(value) else value


def header_of(line: str) -> tuple[str, ...]:
    """Return the column names of a header line."""
    return tuple(line.split(","))
