"""What changed between two releases, dataset by dataset and row by row, and the files that say so.

Belongs here: comparing two release folders, `changes/<dataset>.parquet` (a delta), `changes.json`, and applying a
delta. Does not belong here: what a change of a contract means (`versions`), and words for people (`diff`).

A delta has the columns of the new version, and before them `change` (added, removed, changed) and
`changed_columns` (names, with commas between them). Added and changed rows stand there as they are now, removed
ones with their key alone: what was removed must not come back through a delta. Rows are sorted by the key.
"""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.contract import DELTA_COLUMNS, NAME, Contract, quote
from pipelines.release.manifest import (
    Change,
    DatasetEntry,
    Manifest,
    ManifestError,
    read_manifest,
    released_versions,
)
from pipelines.release.tables import ROW_GROUP_ROWS
from pipelines.release.versions import (
    LEVELS,
    Promise,
    SchemaChange,
    broken_promises,
    compare_promises,
    deprecation_of,
    highest,
    read_promise,
)

MEMORY = "1GB"  # what comparing may use; beyond that DuckDB goes to the disk
GROUPS_AT_ONCE = 4  # row groups that are compared at once: about a million rows
REQUIRED = b"required"  # in the metadata of a delta: the columns that are never empty in the dataset itself
BETWEEN = (b"from_version", b"to_version")  # there as well: the releases that a delta stands between
CONTRACTS = "contracts"
DELTAS = "changes"
NEW_DATASET = SchemaChange(level="minor", sentence="this dataset is new")
REMOVED_DATASET = SchemaChange(level="major", sentence="this dataset was removed")


class ChangesError(ManifestError):
    """Two releases that cannot be compared; the message names the file and the remedy."""


# --- changes.json -------------------------------------------------------------------------------------------


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RowCounts(_Record):
    """Rows by what happened to them."""

    added: int
    removed: int
    changed: int
    unchanged: int

    @property
    def touched(self) -> int:
        """Rows that a delta holds."""
        return self.added + self.removed + self.changed

    def sentence(self) -> str:
        """The counts in a sentence."""
        named = {"added": self.added, "removed": self.removed, "changed": self.changed}
        said = [f"{count:,} {what}" for what, count in named.items() if count]
        return f"rows: {', '.join(said)}, {self.unchanged:,} as before" if said else "every row is as before"


class LargestChange(_Record):
    """The row in which a number changed most: its key as text, its value now, and by how much it differs."""

    column: str
    key: tuple[str, ...]
    now: float
    difference: float


class DatasetChanges(_Record):
    """What happened to one dataset since the release before.

    `rows` is None where rows cannot be told from each other, and `no_delta` then says why; `columns` counts the
    changed rows by column, `gone` are columns that are no more or have another type. `largest` is not part of a
    release, since it tells values that were replaced.
    """

    name: str
    change: Change
    schema_version: str | None = None
    previous_schema_version: str | None = None
    schema_changes: tuple[SchemaChange, ...] = ()
    rows: RowCounts | None = None
    columns: dict[str, int] = {}
    gone: tuple[str, ...] = ()
    delta: str | None = None
    no_delta: str | None = None
    largest: tuple[LargestChange, ...] | None = None

    def sentences(self) -> list[str]:
        """All that happened, the gravest first, without the dataset's name."""
        told = [change.sentence for change in self.schema_changes]
        if self.rows and self.delta:
            told.append(self.rows.sentence())
        return told


class ReleaseChanges(_Record):
    """What happened since the release before: `changes.json`; `previous` is None in the first release."""

    version: str
    previous: str | None = None
    change: Change
    sentences: tuple[str, ...]
    datasets: tuple[DatasetChanges, ...]


def read_changes(folder: Path) -> ReleaseChanges | None:
    """The changes that a release tells of, None where it was made before releases did. Errors: `ManifestError`."""
    path = folder / "changes.json"
    try:
        return ReleaseChanges.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ManifestError(f"{path}: not a list of changes ({error.error_count()} faults)") from None


def changelog(public: Path) -> list[ReleaseChanges]:
    """The changes of every release under a public folder, the newest first: for pages and feeds."""
    found = (read_changes(public / "v" / version) for version in reversed(released_versions(public)))
    return [changes for changes in found if changes]


def list_deltas(manifests: Sequence[Manifest]) -> list[dict[str, Any]]:
    """The deltas of releases, which come oldest first, as `deltas.json` lists them: the newest first."""
    return [
        {
            "dataset": Path(file.path).stem,
            "from": manifest.previous,
            "to": manifest.version,
            "change": manifest.dataset(Path(file.path).stem).change,
            "path": f"v/{manifest.version}/{file.path}",
            "rows": file.rows,
            "bytes": file.bytes,
            "sha256": file.sha256,
        }
        for manifest in reversed(manifests)
        for file in manifest.files
        if file.path.startswith(f"{DELTAS}/")
    ]


# --- comparing two releases ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Edition:
    """A release to compare: its folder, its manifest, and what its contracts promised, by dataset."""

    folder: Path
    manifest: Manifest
    promises: Mapping[str, Promise]

    def parquet(self, name: str) -> Path:
        """The file with the rows of a dataset."""
        return self.folder / f"{name}.parquet"


def read_edition(folder: Path, manifest: Manifest | None = None) -> Edition:
    """A release folder as one side of a comparison; `manifest` where the folder has none yet.

    A release from before contracts were kept has no promises. Errors: `ManifestError`.
    """
    manifest = manifest or read_manifest(folder)
    if odd := [dataset.name for dataset in manifest.datasets if not re.fullmatch(NAME, dataset.name)]:
        raise ManifestError(f"{folder}: {odd[0]!r} is not a dataset's name")  # a name becomes a path
    paths = {dataset.name: folder / CONTRACTS / f"{dataset.name}.json" for dataset in manifest.datasets}
    return Edition(folder, manifest, {name: _kept_promise(p) for name, p in paths.items() if p.is_file()})


def _kept_promise(path: Path) -> Promise:
    try:
        document = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        raise ManifestError(f"{path}: not JSON; see what `engagement verify` says about the release") from None
    if not isinstance(document, dict):
        raise ManifestError(f"{path}: not a contract of this kind")
    return read_promise(document, str(path))


def compare_editions(
    old: Edition | None, new: Edition, into: Path, *, with_largest: bool = False
) -> ReleaseChanges:
    """Compare two releases, and write `changes/<dataset>.parquet` under `into` for each dataset of both.

    Errors: `ChangesError` when a file cannot be read or does not fit its key.
    """
    if old is None:
        firsts = tuple(
            DatasetChanges(name=d.name, change="first", schema_version=d.schema_version)
            for d in new.manifest.datasets
        )
        return ReleaseChanges(
            version=new.manifest.version,
            previous=None,
            change="first",
            sentences=("this is the first release",),
            datasets=firsts,
        )
    before = {dataset.name: dataset for dataset in old.manifest.datasets}
    now = {dataset.name: dataset for dataset in new.manifest.datasets}
    found = []
    for name, dataset in now.items():
        if name not in before:
            found.append(_added_dataset(dataset))
            continue
        changes = _dataset_changes(old, new, name, into)
        if with_largest and changes.delta:
            paths = old.parquet(name), into / changes.delta
            changes = changes.model_copy(update={"largest": largest_changes(*paths, dataset.key)})
        found.append(changes)
    found += [_removed_dataset(dataset) for name, dataset in before.items() if name not in now]
    return ReleaseChanges(
        version=new.manifest.version,
        previous=old.manifest.version,
        change=highest(level for level in LEVELS for changes in found if changes.change == level),
        sentences=tuple(f"{changes.name}: {sentence}" for changes in found for sentence in _told(changes)),
        datasets=tuple(found),
    )


def compare_contracts(
    folder: Path, contracts: Sequence[Contract], day: dt.date
) -> tuple[list[SchemaChange], list[str]]:
    """What a release of `day` would change against a release folder, and why it would be refused; without data.

    Each sentence has its dataset in front. Errors: `ManifestError` when the folder cannot be read.
    """
    old = read_edition(folder)
    before = {dataset.name: dataset for dataset in old.manifest.datasets}
    new = {contract.name: read_promise(contract.document, str(contract.path)) for contract in contracts}
    found = {name: compare_promises(old.promises[name], new[name]) for name in new if name in old.promises}
    found |= {name: [NEW_DATASET] for name in new if name not in before}
    found |= {name: [REMOVED_DATASET] for name in before if name not in new}
    told = [
        change.model_copy(update={"sentence": f"{name}: {change.sentence}"})
        for name, changes in sorted(found.items())
        for change in changes
    ]
    deprecations = {c.name: deprecation_of(c, before.get(c.name), "next", day) for c in contracts}
    return told, broken_promises(old.manifest, old.promises, new, deprecations, day)


def _told(changes: DatasetChanges) -> list[str]:
    return changes.sentences() if changes.change != "none" else []


def major_sentences(changes: ReleaseChanges) -> list[str]:
    """What is major about a release, each sentence with its dataset in front."""
    return [
        f"{dataset.name}: {change.sentence}"
        for dataset in changes.datasets
        for change in dataset.schema_changes
        if change.level == "major"
    ]


def _added_dataset(dataset: DatasetEntry) -> DatasetChanges:
    return DatasetChanges(
        name=dataset.name,
        change="minor",
        schema_version=dataset.schema_version,
        schema_changes=(NEW_DATASET,),
        rows=RowCounts(added=dataset.rows, removed=0, changed=0, unchanged=0),
        no_delta="it is new: its file holds all of it",
    )


def _removed_dataset(dataset: DatasetEntry) -> DatasetChanges:
    return DatasetChanges(
        name=dataset.name,
        change="major",
        previous_schema_version=dataset.schema_version,
        schema_changes=(REMOVED_DATASET,),
        rows=RowCounts(added=0, removed=dataset.rows, changed=0, unchanged=0),
        no_delta="it was removed",
    )


def _dataset_changes(old: Edition, new: Edition, name: str, into: Path) -> DatasetChanges:
    was, now = old.manifest.dataset(name), new.manifest.dataset(name)
    schema_changes = _schema_changes(old, new, name)
    levels = [change.level for change in schema_changes]
    rows: RowCounts | None = None
    columns: dict[str, int] = {}
    reason, delta = _incomparable(old, new, name), None
    same = was.file(".parquet").sha256 == now.file(".parquet").sha256
    if reason is None:
        delta = f"{DELTAS}/{name}.parquet"
        paths = old.parquet(name), new.parquet(name)
        rows, columns = write_delta(*paths, now.key, into / delta, _about(old, new), same=same)
    if not same:
        levels.append("patch")
    return DatasetChanges(
        name=name,
        change=highest(levels),
        schema_version=now.schema_version,
        previous_schema_version=was.schema_version,
        schema_changes=tuple(schema_changes),
        rows=rows,
        columns=columns,
        gone=tuple(_gone(_schema(old.parquet(name)), _schema(new.parquet(name)))) if delta else (),
        delta=delta,
        no_delta=reason,
    )


def _schema_changes(old: Edition, new: Edition, name: str) -> list[SchemaChange]:
    if name in old.promises and name in new.promises:
        return compare_promises(old.promises[name], new.promises[name])
    which = (old if name not in old.promises else new).manifest.version
    sentence = f"release {which} keeps no contract of it, so a change that breaks queries cannot be ruled out"
    return [SchemaChange(level="major", sentence=sentence)]


def _about(old: Edition, new: Edition) -> dict[str, str]:
    versions = old.manifest.version, new.manifest.version
    return {name.decode(): version for name, version in zip(BETWEEN, versions, strict=True)}


def _incomparable(old: Edition, new: Edition, name: str) -> str | None:
    """Why the rows of a dataset cannot be told from each other, None where they can."""
    was, now = old.manifest.dataset(name).key, new.manifest.dataset(name).key
    if was != now:
        return f"what names a row changed from {', '.join(was)} to {', '.join(now)}: take the whole file"
    before, after = _schema(old.parquet(name)), _schema(new.parquet(name))
    if missing := [key for key in now if key not in before.names or key not in after.names]:
        raise ChangesError(f"{name}.parquet: has no column {missing[0]}, which names its rows")
    for key in now:
        if before.field(key).type != after.field(key).type:
            return f"column {key}, which names a row, has another type: take the whole file"
    return None


# --- deltas -------------------------------------------------------------------------------------------------


def write_delta(
    old: Path, new: Path, key: Sequence[str], path: Path, about: Mapping[str, str], *, same: bool = False
) -> tuple[RowCounts, dict[str, int]]:
    """Write the difference of two Parquet files with the same key; returns rows by kind, changed rows by column.

    A column that is new or has another type counts as empty before. The same files give the same bytes. `same`
    spares the comparison of files that are known to have the same bytes. Errors: `ChangesError` when a file cannot
    be read, or when a key repeats, so that the difference would not add up.
    """
    before, after = _schema(old), _schema(new)
    schema = _delta_schema(after, key, about)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _engine(path.parent, old, new) as con:
        conditions = [] if same else _parts(new, key[0])
        parts = (_difference(before, after, key, old, new, condition) for condition in conditions)
        batches = (batch for part in parts for batch in con.sql(part).to_arrow_reader(ROW_GROUP_ROWS))
        with pq.ParquetWriter(path, schema, **_settings(schema, key)) as writer:
            for table in _row_groups(batches, schema):
                writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        kinds = dict(con.execute(f"select change, count(*) from {_file(path)} group by change").fetchall())
        per_column = dict(
            con.execute(
                "select name, count(*) from (select unnest(string_split(changed_columns, ',')) as name "
                f"from {_file(path)}) group by name"
            ).fetchall()
        )
    added, removed, changed = (kinds.get(kind, 0) for kind in ("added", "removed", "changed"))
    rows_before, rows_after = (pq.read_metadata(file).num_rows for file in (old, new))
    if rows_before + added - removed != rows_after:
        raise ChangesError(
            f"{new.name}: {', '.join(key)} does not name a row, so it cannot be compared with {old}"
        )
    counts = RowCounts(added=added, removed=removed, changed=changed, unchanged=rows_before - removed - changed)
    return counts, {name: per_column[name] for name in after.names if name in per_column}


def apply_delta(old: Path, delta: Path, key: Sequence[str]) -> pa.Table:
    """The new version of a dataset, made from the old file and a delta: the same rows in the same order.

    Errors: `ChangesError` when a file cannot be read.
    """
    before, after = _schema(old), _schema(delta)
    said = dict(after.metadata or {})
    required, _, _ = (said.pop(name, b"").decode().split(",") for name in (REQUIRED, *BETWEEN))
    fields = [f.with_nullable(f.name not in required) for f in after if f.name not in DELTA_COLUMNS]
    gone = _gone(before, after)
    with tempfile.TemporaryDirectory() as spill, _engine(Path(spill), old, delta) as con:
        table = con.sql(applying(str(old), str(delta), key, gone)).to_arrow_table()
        return table.cast(pa.schema(fields, metadata=said))


def _gone(before: pa.Schema, after: pa.Schema) -> list[str]:
    """Columns that are no more, or in another type."""
    return [f.name for f in before if f.name not in after.names or after.field(f.name).type != f.type]


def applying(old: str, delta: str, key: Sequence[str], gone: Sequence[str] = ()) -> str:
    """The query, for DuckDB, that makes the new version from an old file and a delta.

    `gone` are columns of the old file that the new version has no more, or in another type.
    """
    keys = ", ".join(_name(column) for column in key)
    kept = f"* exclude ({', '.join(_name(column) for column in gone)})" if gone else "*"
    return (
        "select * from (\n"
        f"  select * exclude ({', '.join(DELTA_COLUMNS)}) from {quote(delta)} where change <> 'removed'\n"
        "  union all by name\n"
        f"  select {kept} from {quote(old)} as before anti join {quote(delta)} as changes using ({keys})\n"
        f")\norder by {keys}"
    )


def largest_changes(old: Path, delta: Path, key: Sequence[str]) -> tuple[LargestChange, ...]:
    """For each number of a dataset, the row whose value changed most; among equals the first by key."""
    before, after = _schema(old), _schema(delta)
    numbers = [
        field.name
        for field in after
        if field.name not in key
        and field.name in before.names
        and before.field(field.name).type == field.type
        and (pa.types.is_integer(field.type) or pa.types.is_floating(field.type))
    ]
    keys = ", ".join(f"now.{_name(column)}" for column in key)
    found = []
    with tempfile.TemporaryDirectory() as spill, _engine(Path(spill), old, delta) as con:
        for name in numbers:
            value, was = (f"cast({side}.{_name(name)} as double)" for side in ("now", "was"))
            row = con.execute(
                f"select {value}, {value} - {was}, {keys} from {_file(delta)} as now "
                f"join {_file(old)} as was using ({', '.join(_name(column) for column in key)}) "
                f"where now.change = 'changed' and isfinite({value} - {was}) and {value} <> {was} "
                f"order by abs({value} - {was}) desc, {keys} limit 1"
            ).fetchone()
            if row:
                largest = tuple(str(cell) for cell in row[2:])
                found.append(LargestChange(column=name, now=row[0], difference=row[1], key=largest))
    return tuple(found)


def _parts(path: Path, column: str) -> list[str]:
    """Conditions on the first column of the key that cut the rows into parts, in its order and without a gap.

    Files are sorted by it, so each part is read from a few row groups and joined in memory. Where the parts begin
    follows from the statistics of the file; were they wrong, parts would be uneven and still complete.
    """
    metadata = pq.read_metadata(path)
    place = metadata.schema.to_arrow_schema().get_field_index(column)
    groups = range(0, metadata.num_row_groups, GROUPS_AT_ONCE)
    found = [metadata.row_group(number).column(place).statistics for number in groups]
    starts = sorted({s.min for s in found if s is not None and s.has_min_max and isinstance(s.min, str)})[1:]
    name, bounds = _name(column), [quote(start) for start in starts]
    if not bounds:
        return ["true"]
    middle = [f"{name} >= {low} and {name} < {high}" for low, high in pairwise(bounds)]
    return [f"{name} < {bounds[0]}", *middle, f"{name} >= {bounds[-1]}"]


def _difference(before: pa.Schema, after: pa.Schema, key: Sequence[str], old: Path, new: Path, part: str) -> str:
    """The rows of one part of a delta: a join on the key of all that is on one side only or differs."""
    differs = {field.name: _differs(field, before) for field in after if field.name not in key}
    both = f"was.{_name(key[0])} is not null and now.{_name(key[0])} is not null"
    names = ", ".join(f"case when {test} then {quote(name)} end" for name, test in differs.items())
    listed = f"concat_ws(',', {names})" if names else "null"
    kind = (
        f"case when was.{_name(key[0])} is null then 'added' "
        f"when now.{_name(key[0])} is null then 'removed' else 'changed' end"
    )
    columns = [
        f"coalesce(now.{_name(name)}, was.{_name(name)}) as {_name(name)}" if name in key else f"now.{_name(name)}"
        for name in after.names
    ]
    on = " and ".join(f"was.{_name(column)} = now.{_name(column)}" for column in key)
    order = ", ".join(str(after.names.index(column) + 1 + len(DELTA_COLUMNS)) for column in key)
    return (
        f"select {kind} as change, case when {both} then {listed} end as changed_columns, "
        f"{', '.join(columns)} "
        f"from (select * from {_file(old)} where {part}) as was "
        f"full join (select * from {_file(new)} where {part}) as now on {on} "
        f"where not ({both}) or {' or '.join(differs.values()) or 'false'} order by {order}"
    )


def _differs(field: pa.Field, before: pa.Schema) -> str:
    """The condition that a column of a row that is on both sides changed; bit by bit, as files are compared."""
    was, now = f"was.{_name(field.name)}", f"now.{_name(field.name)}"
    if field.name not in before.names or before.field(field.name).type != field.type:
        return f"{now} is not null"
    if pa.types.is_floating(field.type):  # 0 and -0 are equal, and yet two values
        return f"({was} is distinct from {now} or coalesce(signbit({was}) <> signbit({now}), false))"
    return f"({was} is distinct from {now})"


def _delta_schema(after: pa.Schema, key: Sequence[str], about: Mapping[str, str]) -> pa.Schema:
    said = [
        pa.field(
            "change", pa.string(), nullable=False, metadata={"description": "One of added, removed and changed."}
        ),
        pa.field(
            "changed_columns",
            pa.string(),
            metadata={"description": "Which columns of a changed row differ, with commas between them."},
        ),
    ]
    fields = [field.with_nullable(field.name not in key) for field in after]
    required = ",".join(field.name for field in after if not field.nullable)  # in a delta they may be empty
    return pa.schema([*said, *fields], metadata={**(after.metadata or {}), **about, REQUIRED: required})


def _settings(schema: pa.Schema, key: Sequence[str]) -> dict[str, Any]:
    """The writer's settings, as for the data itself; a delta is read whole, so it needs no look-up."""
    return {
        "compression": "zstd",
        "compression_level": 3,
        "use_dictionary": [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_integer(f.type)],
        "sorting_columns": pq.SortingColumn.from_ordering(schema, [(name, "ascending") for name in key]),
    }


def _row_groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Tables of exactly one row group each, whatever batches come: the same rows give the same bytes."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while count >= ROW_GROUP_ROWS:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, ROW_GROUP_ROWS).cast(schema)
            waiting = table.slice(ROW_GROUP_ROWS).to_batches()
            count -= ROW_GROUP_ROWS
    if count:
        yield pa.Table.from_batches(waiting).cast(schema)


@contextmanager
def _engine(spill: Path, old: Path, new: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with bounded memory and, inside `spill`, a passing folder for what is beyond; see `MEMORY`."""
    with tempfile.TemporaryDirectory(dir=spill, prefix=".compare-") as folder, duckdb.connect(":memory:") as con:
        con.execute(
            f"set memory_limit = {quote(MEMORY)}; set temp_directory = {quote(folder)}; set TimeZone = 'UTC'"
        )
        try:
            yield con
        except (duckdb.Error, pa.ArrowException) as error:
            raise ChangesError(
                f"{new.name} cannot be compared with {old} ({type(error).__name__}); see what `engagement verify` "
                f"says about both releases"
            ) from None


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException):
        raise ChangesError(f"{path}: cannot be read as Parquet; see what `engagement verify` says") from None


def _file(path: Path) -> str:
    return f"read_parquet({quote(str(path))})"


def _name(column: str) -> str:
    """A column's name as SQL, whatever is in it."""
    return '"' + column.replace('"', '""') + '"'
