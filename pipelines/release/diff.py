"""What changed between two releases, put before people: as Markdown, in a terminal, and as HTML.

Belongs here: wording and layout of changes, the same facts in each form, and finding the releases that someone
names. Does not belong here: finding out what changed (`changes`), and what it means (`versions`).

Names and values of the data are shown as code, so that no place that renders Markdown takes one for a mention.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.release.changes import (
    ChangesError,
    DatasetChanges,
    LargestChange,
    ReleaseChanges,
    applying,
    compare_editions,
    read_edition,
)
from pipelines.release.manifest import VERSION, Change, Manifest, read_pointer, released_versions

if TYPE_CHECKING:
    from rich.console import Group

TEMPLATES = Path(__file__).resolve().parent / "templates"
MEANINGS: dict[Change, str] = {
    "first": "there is no release before to compare it with.",
    "none": "nothing changed.",
    "patch": "rows or words changed; every query keeps working and keeps its meaning.",
    "minor": "something is new; what was there before keeps its meaning.",
    "major": "queries that were written for the release before may break or mean something else.",
}
COLOURS: dict[Change, str] = {
    "first": "none",
    "none": "dim",
    "patch": "green",
    "minor": "yellow",
    "major": "bold red",
}
TAKE_CHANGES = (
    "`changes/` holds a file per dataset: the rows that were added or changed, as they are now, and the keys of "
    "those that were removed. Who has the release before needs no more. In DuckDB, started in this folder, this "
    "gives the new version of a dataset, row by row:"
)
HEADS = ("dataset", "change", "schema", "added", "removed", "changed", "as before")


@dataclass(frozen=True)
class Item:
    """A column, what is said about it, and the key of the row that is meant, if one is."""

    name: str
    text: str
    row: str | None = None


@dataclass(frozen=True)
class Note:
    """One line about the rows of a dataset: what it is about, and what is said of single columns."""

    lead: str
    items: tuple[Item, ...] = ()


def title_of(changes: ReleaseChanges) -> str:
    """The heading of a comparison."""
    if changes.previous is None:
        return f"Release {changes.version}"
    return f"Changes from release {changes.previous} to {changes.version}"


def notes_on(dataset: DatasetChanges) -> list[Note]:
    """What is said about the rows of a dataset: how many changed, in which columns, and by how much at most."""
    notes = []
    if dataset.rows and dataset.delta:
        notes.append(Note(dataset.rows.sentence()))
    elif dataset.no_delta:
        notes.append(Note(f"no list of changed rows: {dataset.no_delta}"))
    if dataset.columns:
        ordered = sorted(dataset.columns.items(), key=lambda item: -item[1])
        counted = tuple(Item(name, f"in {count:,} {'row' if count == 1 else 'rows'}") for name, count in ordered)
        notes.append(Note("changed columns", counted))
    if dataset.largest:
        items = tuple(
            Item(largest.column, _largest_words(largest), " / ".join(largest.key)) for largest in dataset.largest
        )
        notes.append(Note("largest changes", items))
    return notes


def _largest_words(largest: LargestChange) -> str:
    sign = "+" if largest.difference > 0 else "−"
    return f"{sign}{abs(largest.difference):,.12g} to {largest.now:,.12g}"


def table_rows(changes: ReleaseChanges) -> list[tuple[str, ...]]:
    """One row per dataset under `HEADS`; an en dash where rows cannot be told from each other."""
    return [
        (
            dataset.name,
            dataset.change,
            _schema_words(dataset),
            *(
                [f"{n:,}" for n in (rows.added, rows.removed, rows.changed, rows.unchanged)]
                if (rows := dataset.rows)
                else ["–"] * 4
            ),
        )
        for dataset in changes.datasets
    ]


def _schema_words(dataset: DatasetChanges) -> str:
    was, now = dataset.previous_schema_version, dataset.schema_version
    if was and now and was != now:
        return f"{was} → {now}"
    return now or f"{was} → gone"


# --- Markdown -----------------------------------------------------------------------------------------------


def in_markdown(changes: ReleaseChanges) -> str:
    """The changes as Markdown: for a comment on a proposed change, and the body of `CHANGES.md`."""
    lines = [f"# {title_of(changes)}", "", f"**{changes.change.capitalize()}**: {MEANINGS[changes.change]}", ""]
    if changes.previous is None:
        return "\n".join(lines)
    lines += [f"| {' | '.join(HEADS)} |", "|---|---|---|---:|---:|---:|---:|"]
    lines += [f"| {' | '.join(row)} |" for row in table_rows(changes)]
    for dataset in _told(changes):
        lines += ["", f"## {dataset.name}", ""]
        lines += [f"- **{change.level}**: {_plain(change.sentence)}" for change in dataset.schema_changes]
        lines += [f"- {_note_in_markdown(note)}" for note in notes_on(dataset)]
    return "\n".join([*lines, ""])


def change_notes(manifest: Manifest, changes: ReleaseChanges) -> str:
    """`CHANGES.md` of a release: what changed, and how to take only that."""
    text = in_markdown(changes)
    touched = [dataset for dataset in changes.datasets if dataset.delta and dataset.rows and dataset.rows.touched]
    if not touched:
        return text
    dataset = max(touched, key=lambda dataset: dataset.rows.touched if dataset.rows else 0)
    old, key = f"../{changes.previous}/{dataset.name}.parquet", manifest.dataset(dataset.name).key
    query = applying(old, f"{dataset.delta}", key, dataset.gone)
    lines = [
        "",
        "## Take only the changes",
        "",
        TAKE_CHANGES,
        "",
        "```sql",
        f"{query};",
        "```",
        "",
    ]
    return text + "\n".join(lines)


def _told(changes: ReleaseChanges) -> list[DatasetChanges]:
    """The datasets that something is to be said about."""
    return [dataset for dataset in changes.datasets if dataset.change not in ("none", "first")]


def _note_in_markdown(note: Note) -> str:
    items = ", ".join(
        f"{_code(item.name)} {item.text}" + (f" ({_code(item.row)})" if item.row else "") for item in note.items
    )
    return f"{_plain(note.lead)}: {items}" if items else _plain(note.lead)


def _plain(text: str) -> str:
    """Words in which nothing is taken for a mark or a tag."""
    return re.sub(r"([\\`*\[\]|])", r"\\\1", html.escape(text, quote=False))


def _code(text: str) -> str:
    """Text as code, whatever is in it."""
    clean = " ".join(text.split()).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", clean)), default=0) + 1)
    pad = " " if "`" in clean else ""
    return f"{fence}{pad}{clean}{pad}{fence}"


# --- the terminal -------------------------------------------------------------------------------------------


def in_terminal(changes: ReleaseChanges) -> Group:
    """The changes for rich to print; nothing in them is taken for its markup."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head = Text(f"{title_of(changes)}\n", style="bold")
    head.append(changes.change, style=COLOURS[changes.change]).append(f": {MEANINGS[changes.change]}\n", "none")
    if changes.previous is None:
        return Group(head)
    table = Table(*HEADS[:3], box=None, pad_edge=False, header_style="bold")
    for name in HEADS[3:]:
        table.add_column(name, justify="right")
    for dataset, row in zip(changes.datasets, table_rows(changes), strict=True):
        table.add_row(*(Text(cell, style=COLOURS[dataset.change] if cell == row[1] else "none") for cell in row))
    details = Text()
    for dataset in _told(changes):
        details.append(f"\n{dataset.name}\n", style="bold")
        for change in dataset.schema_changes:
            details.append(f"  {change.level:<7}", style=COLOURS[change.level]).append(f"{change.sentence}\n")
        for note in notes_on(dataset):
            details.append(f"  {note.lead}{':' if note.items else ''}\n")
            for item in note.items:
                details.append(f"    {item.name}  {item.text}{f' ({item.row})' if item.row else ''}\n")
    return Group(head, table, details)


# --- HTML ---------------------------------------------------------------------------------------------------


def in_html(changes: ReleaseChanges, level: int = 2) -> Markup:
    """The changes as a part of a page, with a heading of a level from 1 to 5 and parts one below it."""
    return Markup(_environment().get_template("changes.html").render(_values(changes, level)))  # noqa: S704


def as_page(changes: ReleaseChanges) -> str:
    """The changes as a page of its own, which loads nothing."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("changes_page.html")
        .render(_values(changes, 1), style=Markup(style), style_hash=f"sha256-{digest}")  # noqa: S704 - our own file
    )


def _values(changes: ReleaseChanges, level: int) -> dict[str, Any]:
    return {
        "changes": changes,
        "title": title_of(changes),
        "meaning": MEANINGS[changes.change],
        "heads": HEADS,
        "rows": table_rows(changes),
        "told": _told(changes),
        "notes": notes_on,
        "level": level,
    }


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


# --- two releases that someone names ------------------------------------------------------------------------


def compare_folders(old: Path, new: Path) -> ReleaseChanges:
    """Compare two release folders, with the rows that changed most. Errors: `ManifestError`."""
    with tempfile.TemporaryDirectory() as folder:
        return compare_editions(read_edition(old), read_edition(new), Path(folder), with_largest=True)


def find_release(name: str, public: Path) -> Path:
    """The folder of a release that is named by its version, as `latest`, or by a path.

    A path may lead to a release or to a public folder, whose newest release is then meant. Errors: `ChangesError`
    that says which versions there are.
    """
    if VERSION.fullmatch(name) and (public / "v" / name).is_dir():
        return public / "v" / name
    place = public if name == "latest" else Path(name)
    if (place / "manifest.json").is_file():
        return place
    pointer = read_pointer(place) if place.is_dir() else None
    if pointer:
        return place / pointer.path
    known = ", ".join(released_versions(public)) or "none"
    raise ChangesError(
        f"no release {name}: give a folder with a manifest.json, or one of the versions here: {known}"
    )
