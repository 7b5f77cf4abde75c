"""Deltas: applied to the old file they give the new one exactly; and how changes are put before people."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from pipelines.release import changes as changes_module
from pipelines.release.changes import (
    ChangesError,
    DatasetChanges,
    LargestChange,
    ReleaseChanges,
    RowCounts,
    apply_delta,
    applying,
    largest_changes,
    write_delta,
)
from pipelines.release.diff import as_page, in_html, in_markdown, in_terminal
from pipelines.release.versions import SchemaChange

KEY = ("code", "day")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
FIELDS = [
    pa.field("code", pa.string(), nullable=False, metadata={"description": "Which one."}),
    pa.field("day", pa.date32(), nullable=False),
    pa.field("seats", pa.int64(), metadata={"unit": "seats"}),
    pa.field("share", pa.float64()),
    pa.field("is_new", pa.bool_()),
    pa.field("seen_at", pa.timestamp("us", tz="UTC")),
    pa.field("note", pa.string()),
]
FILLED = pa.field("filled", pa.int64(), nullable=False)
LATER = pa.field("later", pa.string())
Row = tuple[Any, ...]


def table(rows: Sequence[Row], fields: Sequence[pa.Field] = FIELDS) -> pa.Table:
    """Rows as a release holds them: in the order of the key."""
    ordered = sorted(rows, key=lambda row: (row[0].encode(), row[1]))
    schema = pa.schema(fields, metadata={"dataset": "things"})
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in ordered], schema)


def keep(path: Path, rows: pa.Table, group: int = 1_000) -> Path:
    pq.write_table(rows, path, row_group_size=group)
    return path


def delta(folder: Path, old: pa.Table, new: pa.Table, name: str = "delta.parquet") -> tuple[Path, RowCounts, Any]:
    """The delta of two tables as a file, with what was counted."""
    before, after = keep(folder / "old.parquet", old), keep(folder / "new.parquet", new)
    counts, columns = write_delta(before, after, KEY, folder / "changes" / name, {"from_version": "2026.11.0"})
    return folder / "changes" / name, counts, columns


days = st.dates(dt.date(2026, 1, 1), dt.date(2026, 1, 3))
texts = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=3)
cells = st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(allow_nan=False) | st.just(-0.0),
    st.none() | st.booleans(),
    st.none() | st.integers(-(2**50), 2**50).map(lambda n: EPOCH + dt.timedelta(microseconds=n)),
    texts,
)
codes = st.sampled_from(["A", "B", "Z", "a", "é", "ZZ", "=1", "o'x", ""])
tables = st.dictionaries(st.tuples(codes, days), cells, max_size=12)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=tables, new=tables, kept=st.sets(st.tuples(codes, days)), group=st.integers(1, 5))
def test_a_delta_makes_the_new_release_out_of_the_old_one_exactly(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    old: dict[Row, Row],
    new: dict[Row, Row],
    kept: set[Row],
    group: int,
) -> None:
    """Whatever the rows, wherever the parts are cut, and bit by bit: -0.0 is not 0.0."""
    monkeypatch.setattr(changes_module, "GROUPS_AT_ONCE", 1)
    new = new | {key: old[key] for key in kept if key in old}
    before = table([(*key, *cells) for key, cells in old.items()])
    after = table([(*key, *cells) for key, cells in new.items()])
    paths = keep(tmp_path / "old.parquet", before, group), keep(tmp_path / "new.parquet", after, group)
    path = tmp_path / "changes" / "delta.parquet"
    counts, columns = write_delta(*paths, KEY, path, {})
    made = apply_delta(paths[0], path, KEY)
    assert repr(made.to_pylist()) == repr(after.to_pylist())
    assert made.schema == after.schema
    assert counts.added == len(new.keys() - old.keys())
    assert counts.removed == len(old.keys() - new.keys())
    differing = [key for key in old.keys() & new.keys() if repr(old[key]) != repr(new[key])]
    assert counts.changed == len(differing)
    assert counts.unchanged == len(old.keys() & new.keys()) - len(differing)
    assert sum(columns.values()) == sum(
        repr(was) != repr(now) for key in differing for was, now in zip(old[key], new[key], strict=True)
    )


ROW = ("ZZA", dt.date(2026, 1, 1), 5, 0.5, True, dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "same")
OTHER = ("ZZB", dt.date(2026, 1, 1), 7, None, None, None, "gone with its row")
CHANGED = (*ROW[:2], 9, 0.5, True, ROW[5], "now another")
ADDED = ("ZZC", dt.date(2026, 1, 1), 1, None, None, None, "new")


def test_a_delta_holds_rows_as_they_are_now_and_of_removed_ones_the_key_alone(tmp_path: Path) -> None:
    path, counts, columns = delta(tmp_path, table([ROW, OTHER]), table([CHANGED, ADDED]))
    rows = pq.read_table(path).to_pylist()
    assert [(row["change"], row["changed_columns"], row["code"]) for row in rows] == [
        ("changed", "seats,note", "ZZA"),
        ("removed", None, "ZZB"),
        ("added", None, "ZZC"),
    ]
    assert [row["note"] for row in rows] == ["now another", None, "new"]
    assert {value for name, value in rows[1].items() if name not in ("change", *KEY)} == {None}
    assert b"gone with its row" not in path.read_bytes()
    assert counts == RowCounts(added=1, removed=1, changed=1, unchanged=0)
    assert columns == {"seats": 1, "note": 1}


def test_a_delta_says_what_its_columns_mean_and_between_which_releases_it_stands(tmp_path: Path) -> None:
    path, _, _ = delta(tmp_path, table([ROW]), table([CHANGED]))
    schema = pq.read_schema(path)
    assert schema.names == ["change", "changed_columns", *(field.name for field in FIELDS)]
    assert all(schema.field(name).metadata[b"description"] for name in ("change", "changed_columns", "code"))
    assert schema.metadata[b"from_version"] == b"2026.11.0"
    assert schema.metadata[b"dataset"] == b"things"
    assert [name for name in schema.names if not schema.field(name).nullable] == ["change", *KEY]


def test_the_same_releases_give_a_delta_of_the_same_bytes(tmp_path: Path) -> None:
    one, _, _ = delta(tmp_path, table([ROW, OTHER]), table([CHANGED, ADDED]))
    other, _, _ = delta(tmp_path, table([ROW, OTHER]), table([CHANGED, ADDED]), "again.parquet")
    assert one.read_bytes() == other.read_bytes()
    assert {path.name for path in one.parent.iterdir()} == {"delta.parquet", "again.parquet"}, (
        "nothing stays behind"
    )


def test_files_of_the_same_bytes_need_no_comparison_and_give_the_same_delta(tmp_path: Path) -> None:
    path, counts, _ = delta(tmp_path, table([ROW]), table([ROW]))
    short = tmp_path / "short.parquet"
    spared = write_delta(
        tmp_path / "old.parquet", tmp_path / "new.parquet", KEY, short, {"from_version": "2026.11.0"}, same=True
    )
    assert spared == (counts, {}) == (RowCounts(added=0, removed=0, changed=0, unchanged=1), {})
    assert short.read_bytes() == path.read_bytes()


def test_a_column_that_is_never_empty_is_so_again_once_the_delta_is_applied(tmp_path: Path) -> None:
    fields = [*FIELDS, FILLED]
    old, new = table([(*ROW, 1), (*OTHER, 2)], fields), table([(*ROW, 3)], fields)
    path, _, _ = delta(tmp_path, old, new)
    assert pq.read_schema(path).field("filled").nullable, "a removed row has no value"
    made = apply_delta(tmp_path / "old.parquet", path, KEY)
    assert made.schema.field("filled") == FILLED
    assert made.schema.equals(new.schema, check_metadata=True)


def test_a_new_column_counts_as_empty_before(tmp_path: Path) -> None:
    later = [*FIELDS, LATER]
    path, counts, columns = delta(tmp_path, table([ROW, OTHER]), table([(*ROW, None), (*OTHER, "x")], later))
    assert (counts.changed, counts.unchanged, columns) == (1, 1, {"later": 1})
    assert apply_delta(tmp_path / "old.parquet", path, KEY).equals(table([(*ROW, None), (*OTHER, "x")], later))


@pytest.mark.parametrize(
    ("fields", "cut"),
    [(FIELDS[:-1], slice(None, -1)), ([*FIELDS[:2], pa.field("seats", pa.string()), *FIELDS[3:]], slice(None))],
    ids=["a removed column", "a column of another type"],
)
def test_a_delta_also_follows_columns_that_went_or_changed_their_type(
    tmp_path: Path, fields: list[pa.Field], cut: slice
) -> None:
    def adapt(row: Row) -> Row:
        return (*row[:2], row[2] if len(fields) < len(FIELDS) else str(row[2]), *row[3:])[cut]

    old, new = table([ROW, OTHER]), table([adapt(ROW), adapt(ADDED)], fields)
    path, counts, _ = delta(tmp_path, old, new)
    assert (counts.added, counts.removed) == (1, 1)
    assert apply_delta(tmp_path / "old.parquet", path, KEY).equals(new)


def test_the_printed_query_is_the_one_that_applies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = table([CHANGED, ADDED])
    delta(tmp_path, table([ROW, OTHER]), new)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.parquet").rename(tmp_path / "delta.parquet")  # both have the dataset's name in a release
    rows = duckdb.connect(":memory:").execute(applying("delta.parquet", "changes/delta.parquet", KEY)).fetchall()
    assert rows == [tuple(row.values()) for row in new.to_pylist()]


def test_large_tables_are_compared_in_parts_and_written_in_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes_module, "GROUPS_AT_ONCE", 1)
    monkeypatch.setattr(changes_module, "ROW_GROUP_ROWS", 300)
    rows = [(f"Z{n:04}", ROW[1], n, None, None, None, None) for n in range(2_000)]
    now = [(*row[:2], row[2] + row[2] % 2, *row[3:]) for row in rows]
    paths = keep(tmp_path / "old.parquet", table(rows), 100), keep(tmp_path / "new.parquet", table(now), 100)
    assert len(changes_module._parts(paths[1], "code")) == 20
    counts, _ = write_delta(*paths, KEY, tmp_path / "changes" / "delta.parquet", {})
    assert (counts.changed, counts.unchanged) == (1_000, 1_000)
    metadata = pq.read_metadata(tmp_path / "changes" / "delta.parquet")
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [300, 300, 300, 100]
    assert apply_delta(paths[0], tmp_path / "changes" / "delta.parquet", KEY).equals(table(now))


def test_a_repeated_key_is_noticed_instead_of_giving_a_wrong_delta(tmp_path: Path) -> None:
    with pytest.raises(ChangesError, match=r"new\.parquet: code, day does not name a row"):
        delta(tmp_path, table([ROW, ROW]), table([CHANGED, CHANGED, CHANGED]))


@pytest.mark.parametrize("name", ["old.parquet", "new.parquet"])
@pytest.mark.parametrize("spoil", [lambda data: data[:0], lambda data: data[:40] + bytes(60) + data[100:]])
def test_a_damaged_file_is_a_sentence_and_no_traceback(tmp_path: Path, name: str, spoil: Any) -> None:
    rows = table([(f"Z{n}", ROW[1], n, n / 7, None, None, f"note {n}") for n in range(500)])
    paths = keep(tmp_path / "old.parquet", rows), keep(tmp_path / "new.parquet", rows)
    (tmp_path / name).write_bytes(spoil((tmp_path / name).read_bytes()))
    with pytest.raises(ChangesError, match="engagement verify"):
        write_delta(*paths, KEY, tmp_path / "changes" / "delta.parquet", {})


def test_the_row_that_changed_most_is_found_for_each_number(tmp_path: Path) -> None:
    old = table([ROW, OTHER, ("ZZD", ROW[1], 100, 1.0, None, None, None)])
    new = table([CHANGED, (*OTHER[:2], 3, *OTHER[3:]), ("ZZD", ROW[1], 100, float("inf"), None, None, None)])
    path, _, _ = delta(tmp_path, old, new)
    assert largest_changes(tmp_path / "old.parquet", path, KEY) == (
        LargestChange(column="seats", key=("ZZA", "2026-01-01"), now=9, difference=4),
    ), "among equals the first; no difference to an endless number"


# --- words --------------------------------------------------------------------------------------------------

TOLD = ReleaseChanges(
    version="2026.12.0",
    previous="2026.11.0",
    change="major",
    sentences=("things: column state no longer knows the value <b>|shut`",),
    datasets=(
        DatasetChanges(
            name="things",
            change="major",
            schema_version="2.0.0",
            previous_schema_version="1.2.3",
            schema_changes=(
                SchemaChange(level="major", sentence="column state no longer knows the value <b>|shut`"),
                SchemaChange(level="minor", sentence="column last_one is new", column="last_one"),
            ),
            rows=RowCounts(added=1_200, removed=0, changed=2, unchanged=3),
            columns={"state": 1, "note": 2},
            delta="changes/things.parquet",
            largest=(
                LargestChange(column="seats", key=("@someone`s|", "[red]x[/red]"), now=1234.5, difference=-0.5),
            ),
        ),
        DatasetChanges(name="stuff", change="none", schema_version="1.0.0", previous_schema_version="1.0.0"),
        DatasetChanges(
            name="gone",
            change="major",
            previous_schema_version="1.0.0",
            schema_changes=(SchemaChange(level="major", sentence="this dataset was removed"),),
            rows=RowCounts(added=0, removed=4, changed=0, unchanged=0),
            no_delta="it was removed",
        ),
    ),
)
FIRST = ReleaseChanges(version="2026.11.0", previous=None, change="first", sentences=("it is",), datasets=())


def printed(changes: ReleaseChanges) -> str:
    console = Console(width=120, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(in_terminal(changes))
    return capture.get()


class Words(HTMLParser):
    """The text of a page, and its tags in order; what is not closed is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.open: list[str] = []
        self.ids: list[str] = []
        self.levels: list[int] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        if re.fullmatch(r"h\d", tag):
            self.levels.append(int(tag[1]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


FORMS: dict[str, Callable[[ReleaseChanges], str]] = {
    "terminal": printed,
    "Markdown": in_markdown,
    "a part of a page": lambda changes: Words(str(in_html(changes))).text,
    "a page": lambda changes: Words(as_page(changes)).text,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_the_same_facts(form: str) -> None:
    text = FORMS[form](TOLD)
    assert "2026.11.0" in text
    assert "2026.12.0" in text
    for fact in (
        "1.2.3 → 2.0.0",
        "1.0.0 → gone",
        "column last_one is new",
        "rows: 1,200 added, 2 changed, 3 as before",
        "no list of changed rows: it was removed",
        "this dataset was removed",
        "in 2 rows",
        "in 1 row",
        "−0.5 to 1,234.5",
        "queries that were written for the release before may break",
    ):
        assert fact in text, fact
    assert text.index("in 2 rows") < text.index("in 1 row"), "the column that changed most comes first"


@pytest.mark.parametrize("form", FORMS)
def test_a_first_release_says_that_it_is_one(form: str) -> None:
    text = FORMS[form](FIRST)
    assert "2026.11.0" in text
    assert "there is no release before to compare it with" in text
    assert "None" not in text


def test_markdown_takes_nothing_in_the_data_for_a_mark_or_a_mention() -> None:
    text = in_markdown(TOLD)
    assert "the value &lt;b&gt;\\|shut\\`" in text
    assert "(`` @someone`s\\| / [red]x[/red] ``)" in text
    table_lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table_lines} == {8}
    assert len(table_lines) == 2 + len(TOLD.datasets)


def test_the_terminal_takes_nothing_in_the_data_for_its_own_marks() -> None:
    assert "[red]x[/red]" in printed(TOLD)


@pytest.mark.parametrize("level", [1, 2, 4])
def test_a_part_of_a_page_fits_below_any_heading(level: int) -> None:
    part = Words(str(in_html(TOLD, level)))
    assert part.levels == [level, level + 1, level + 1]
    assert len(part.ids) == len(set(part.ids)) == 4
    assert "<b>|shut" in part.text, "shown, not taken for a tag"


def test_a_page_of_its_own_loads_nothing_and_lets_only_its_style_through() -> None:
    page = as_page(TOLD)
    assert Words(page).levels == [1, 2, 2]
    assert re.search(r"default-src 'none'; style-src 'sha256-[\w+/=]{44}'", page)
    assert not re.search(r"https?:|src=|@import|url\(", page)
