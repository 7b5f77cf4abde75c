"""The page inside a release folder, for whoever opens the folder by itself, and the words that all pages share.

Belongs here: what that page shows, and how values of a release are put into words for readers. Does not belong
here: the HTML itself (`templates/`), writing files (`build`), the site around the releases (`pipelines.site`), and
any figure that is not in the manifest or the contracts.

The page is static: no script, nothing loaded from elsewhere, and no clock, so the same release gives the same
bytes. Columns and first rows stand in the codebook beside it and on the pages of the site.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.contract import Column, Contract, LogicalType
from pipelines.release.manifest import LICENCES, SHARE_ALIKE, DatasetEntry, FileEntry, Manifest
from pipelines.release.versions import standing

TEMPLATES = Path(__file__).resolve().parent / "templates"
# Spelt out, because `strftime` would follow the language of the machine.
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
TYPES: Mapping[LogicalType, str] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "date": "date",
    "timestamp": "date and time",
}
NUMERIC: frozenset[LogicalType] = frozenset({"integer", "number"})
# By the ending of a file: the name of the format, and what the file is for.
FORMATS = {
    ".parquet": ("Parquet", "for DuckDB, Python and R"),
    ".csv.gz": ("CSV", "compressed; unpack it to open it in a spreadsheet"),
    ".xlsx": ("Excel", "a sheet of data, its codebook, and how to cite it"),
}
LONG_TEXT = 40  # longer cells may wrap, shorter ones stay on one line


@dataclass(frozen=True)
class Cell:
    """One cell of the first rows: its text, None where the file has no value, and its CSS class."""

    text: str | None
    style: str


@dataclass(frozen=True)
class Section:
    """What the page says about one dataset."""

    entry: DatasetEntry
    contract: Contract


def release_page(manifest: Manifest, contracts: Mapping[str, Contract]) -> str:
    """The page `v/<version>/index.html` of one release.

    `contracts` are by dataset name and hold every dataset of the manifest. Links are relative to the folder.
    Errors: `KeyError` for a dataset that is missing.
    """
    sections = [Section(entry, contracts[entry.name]) for entry in manifest.datasets]
    return _render("release.html", manifest=manifest, sections=sections, home="../../index.html")


def cells_of(row: Sequence[object], contract: Contract) -> tuple[Cell, ...]:
    """A row of a dataset as cells. Errors: `ValueError` where there are not as many as there are columns."""
    return tuple(_cell(value, column) for value, column in zip(row, contract.columns, strict=True))


def _cell(value: object, column: Column) -> Cell:
    text = _cell_text(value)
    if column.type in NUMERIC:
        return Cell(text, "number")
    return Cell(text, "long" if text and len(text) > LONG_TEXT else "")


def _cell_text(value: object) -> str | None:
    """A value as it stands in the CSV file; an empty text has nothing to show and counts as empty."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return str(value)


# --- words for readers --------------------------------------------------------------------------------------


def long_day(day: dt.date) -> str:
    """A day as people write it, such as 5 November 2026."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def human_size(size: int) -> str:
    """A size in bytes with a decimal unit, such as 1.2 kB."""
    if size < 1000:
        return f"{size} bytes"
    amount = float(size)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"


def thousands(count: int) -> str:
    """A count with thousands set apart, such as 12,345."""
    return f"{count:,}"


def short_format(entry: FileEntry) -> str:
    """The format of a data file in a word; the media type where its ending is not known."""
    known = (name for ending, (name, _) in FORMATS.items() if entry.path.endswith(ending))
    return next(known, entry.media_type)


def file_format(entry: FileEntry) -> str:
    """The format of a data file and what it is for; the media type where its ending is not known."""
    known = (f"{name}, {use}" for ending, (name, use) in FORMATS.items() if entry.path.endswith(ending))
    return next(known, entry.media_type)


def licence_link(code: str) -> Markup:
    """A licence by its full name, with a link to its text; the bare code where the text is not known."""
    if code not in LICENCES:
        return Markup("{}").format(code)
    title, address = LICENCES[code]
    return Markup('<a href="{}" rel="license">{}</a>').format(address, title)


def sentence(text: str) -> str:
    """A phrase with a capital letter in front and a full stop behind it."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


# --- rendering ----------------------------------------------------------------------------------------------


def _render(template: str, **values: object) -> str:
    inline = style()
    page = environment().get_template(template)
    return page.render(style=Markup(inline), style_hash=csp_hash(inline), **values)  # noqa: S704 - our own file


@cache
def environment() -> Environment:
    """The templates of the release page, with the filters that put values into words."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "long_day": long_day,
        "human_size": human_size,
        "thousands": thousands,
        "short_format": short_format,
        "file_format": file_format,
        "licence_link": licence_link,
        "sentence": sentence,
        "standing": standing,
    }
    made.globals |= {"types": TYPES, "numeric": NUMERIC, "share_alike": SHARE_ALIKE}
    return made


@cache
def style() -> str:
    """The stylesheet that every page carries."""
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")


def csp_hash(style: str) -> str:
    """The source expression that lets exactly this inline stylesheet through the content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"
