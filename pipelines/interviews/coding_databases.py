"""Codes and counts from the databases of QualCoder and Taguette.

Belongs here: which tables and columns of their SQLite files are read. Does not belong here: SQLite itself
(`guard`) and trees of codes (`code_tree`). Texts, coded passages, memos, owners, members and times are on no
list, so SQLite refuses to read them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Final

from pipelines.interviews.code_tree import SOURCE, FoundCode, FoundUse, build_coding
from pipelines.interviews.guard import MOST_CODES, MOST_USES, Tables, open_sqlite
from pipelines.interviews.study import Coding, InterviewError

# Not every version of QualCoder has all of these: sub-codes (`supercid`) came with version 16 of its database.
# Where two coders gave a passage the same code, it stands twice, with different owners.
_QUALCODER: Final[Mapping[str, Sequence[str]]] = {
    "code_cat": ("catid", "name", "supercatid"),
    "code_name": ("cid", "name", "catid", "supercid"),
    "source": ("id", "name"),
    "cases": ("caseid", "name"),
    "case_text": ("caseid", "fid"),
    "code_text": ("fid", "cid", "pos0", "pos1"),
    "code_image": ("id", "cid", "x1", "y1", "width", "height", "pdf_page"),
    "code_av": ("id", "cid", "pos0", "pos1"),
}
_QUALCODER_NEEDS: Final = {
    "code_cat": ("catid", "name", "supercatid"),
    "code_name": ("cid", "name", "catid"),
    "source": ("id", "name"),
    "code_text": ("fid", "cid", "pos0", "pos1"),
}
_TAGUETTE: Final[Mapping[str, Sequence[str]]] = {
    "projects": ("id",),
    "documents": ("id", "name"),
    "tags": ("id", "path"),
    "highlights": ("id", "document_id"),
    "highlight_tags": ("highlight_id", "tag_id"),
}


def read_qualcoder(content: bytes) -> Coding:
    """The code tree of a QualCoder project (`data.qda`), and how often each code was used in each source.

    Categories are codes that others stand under. A passage counts once, however many coders gave it the code. An
    interview's label is the name of the case that holds the source, where exactly one does, else the source's.
    Errors: `InterviewError` for another database, and as `open_sqlite` and `build_coding`.
    """
    with open_sqlite(content, SOURCE, _QUALCODER) as tables:
        _check_columns(tables, _QUALCODER_NEEDS, "a QualCoder project (data.qda)")
        codes = [
            *(
                FoundCode(("category", catid), ("category", above), _text(name))
                for catid, name, above in _sorted_rows(tables, "code_cat", MOST_CODES)
            ),
            *(
                FoundCode(("code", cid), ("category", catid) if above is None else ("code", above), _text(name))
                for cid, name, catid, above in _sorted_rows(tables, "code_name", MOST_CODES)
            ),
        ]
        labels = _qualcoder_labels(tables)
        uses = [
            FoundUse(labels.get(source, ""), ("code", cid))
            for table in ("code_text", "code_image", "code_av")
            for source, cid, *_ in set(tables.rows(table, _QUALCODER[table], MOST_USES))
        ]
    return build_coding(codes, uses)


def _qualcoder_labels(tables: Tables) -> Mapping[Hashable, str]:
    """What each source is called: by its only case, else by its own name."""
    labels = {key: _text(name) for key, name in tables.rows("source", _QUALCODER["source"], MOST_USES)}
    cases = {key: _text(name) for key, name in tables.rows("cases", _QUALCODER["cases"], MOST_USES)}
    held: dict[Hashable, set[Hashable]] = {}
    for case, source in tables.rows("case_text", _QUALCODER["case_text"], MOST_USES):
        held.setdefault(source, set()).add(case)
    only = {source: cases.get(next(iter(holding)), "") for source, holding in held.items() if len(holding) == 1}
    return labels | {source: name for source, name in only.items() if name and source in labels}


def read_taguette(content: bytes) -> Coding:
    """The tags of a Taguette project, and how many passages of each document were highlighted with each.

    Errors: `InterviewError` for another database, or one with several projects, as servers have; and as
    `open_sqlite` and `build_coding`.
    """
    with open_sqlite(content, SOURCE, _TAGUETTE) as tables:
        _check_columns(tables, _TAGUETTE, "a Taguette project")
        projects = len(tables.rows("projects", ("id",), MOST_CODES))
        if projects != 1:
            raise InterviewError(
                f"{SOURCE}: the Taguette database holds {projects} projects: export the one study as a project of "
                f"its own, so that no other study is read"
            )
        codes = [FoundCode(key, None, _text(path)) for key, path in _sorted_rows(tables, "tags", MOST_CODES)]
        labels = {key: _text(name) for key, name in tables.rows("documents", ("id", "name"), MOST_USES)}
        highlights = dict(tables.rows("highlights", ("id", "document_id"), MOST_USES))
        uses = [
            FoundUse(labels.get(highlights.get(highlight), ""), tag)
            for highlight, tag in tables.rows("highlight_tags", ("highlight_id", "tag_id"), MOST_USES)
        ]
    return build_coding(codes, uses)


def _check_columns(tables: Tables, needed: Mapping[str, Sequence[str]], what: str) -> None:
    """Refuse a database that lacks a table or column, as another program's or version's does."""
    if any(not set(columns) <= tables.present[table] for table, columns in needed.items()):
        raise InterviewError(
            f"{SOURCE}: the database is not {what}, or was saved by a version that is not known: check which file "
            f"was handed in, or open it in a current version and save it"
        )


def _sorted_rows(tables: Tables, table: str, most: int) -> Iterator[tuple[Any, ...]]:
    """All allowed columns of a table, by the first of them; ids are numbers, and anything else comes last."""
    rows = tables.rows(table, tables.allowed[table], most)
    return iter(
        sorted(rows, key=lambda row: (not isinstance(row[0], int), row[0] if isinstance(row[0], int) else 0))
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
