"""A release as anyone who downloads it would judge it: bytes, settings, readers, metadata, versions, licences."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import hashlib
import io
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import frictionless
import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.assets import Workplace, release_input
from pipelines.contract import Contract, load_contracts
from pipelines.release import build
from pipelines.release.build import Outcome, build_release, finish_interrupted, licence_faults
from pipelines.release.manifest import Manifest, ReleaseError, next_version, read_manifest, read_pointer
from pipelines.release.package import write_views
from pipelines.release.tables import ROW_GROUP_ROWS, write_csv, write_parquet
from pipelines.release.verify import verify_release
from pipelines.settings import Home, project_folder
from pipelines.warehouse import open_warehouse
from tests.conftest import DAY
from tests.helpers import resealed

CONTRACTS = {c.name: c for c in load_contracts(project_folder("data_contracts")).values() if c.layer == "public"}
SOURCES = {c.name: c for c in load_contracts(project_folder("data_contracts")).values() if c.layer != "public"}
DATASETS = tuple(CONTRACTS)
COMPANIONS = (
    "CITATION.cff",
    "councillor-engagement-2026.11.0-sample.zip",
    "corrections.json",
    "croissant.json",
    "datacite.json",
    "dcat.jsonld",
    "disclosure_report.json",
    "CHANGES.md",
    "README.md",
    "SHA256SUMS",
    "changes.json",
    "codebook.md",
    "datapackage.json",
    "index.html",
    "manifest.json",
    "provenance.json",
    "quality.json",
    "views.duckdb",
    *(f"contracts/{name}.json" for name in DATASETS),
)
FILES = tuple(
    sorted([*COMPANIONS, *(f"{name}.{end}" for name in DATASETS for end in ("parquet", "csv.gz", "xlsx"))])
)
PHYSICAL = {
    "string": "BYTE_ARRAY",
    "integer": "INT64",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "INT32",
    "timestamp": "INT64",
}


@pytest.fixture(scope="module")
def release(sample_home: Home) -> Path:
    """The release as published; for reading only."""
    pointer = read_pointer(sample_home.public)
    assert pointer is not None
    return sample_home.public / pointer.path


@pytest.fixture(scope="module")
def manifest(release: Path) -> Manifest:
    return read_manifest(release)


@pytest.fixture
def copy(release: Path, tmp_path: Path) -> Path:
    """A release that a test may spoil; its folder keeps the version as its name."""
    return Path(shutil.copytree(release, tmp_path / release.name))


def contents(folder: Path) -> dict[str, bytes]:
    """Every byte under a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def naming(faults: list[str], file: str) -> list[str]:
    """The sentences that name a file, or the dataset whose file it is."""
    return [fault for fault in faults if file in fault or re.search(rf"\b{file.split('.')[0]}\b", fault)]


# --- verifying ----------------------------------------------------------------------------------------------


def test_a_release_as_published_verifies(release: Path) -> None:
    assert set(contents(release)) == set(FILES)
    assert verify_release(release) == []


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_caught_and_the_file_is_named(copy: Path, name: str) -> None:
    file = copy / name
    good = file.read_bytes()
    last = len(good) - 1
    flips = [(last * n // 15, 1 << n % 8) for n in range(16)]
    for place, flip in [*flips, (last, 0x01)]:
        file.write_bytes(good[:place] + bytes([good[place] ^ flip]) + good[place + 1 :])
        faults = verify_release(copy)
        assert faults, f"byte {place} of {name} was changed unseen"
        assert naming(faults, name) == faults, "a sentence blames another file"


@pytest.mark.parametrize("name", FILES)
def test_a_removed_file_is_caught_and_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    faults = verify_release(copy)
    assert naming(faults, name), faults


@pytest.mark.parametrize("kept", [0.5, 0], ids=["half a file", "an empty file"])
@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_caught_and_named(copy: Path, name: str, kept: float) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: int(len(content) * kept)])
    assert naming(verify_release(copy), name)


def test_an_added_file_is_caught_and_named(copy: Path) -> None:
    (copy / "changes").mkdir()
    (copy / "changes" / "late.csv").write_text("late", encoding="utf-8")
    assert verify_release(copy) == ["changes/late.csv: not listed in SHA256SUMS; it was added after the release"]


def test_a_release_under_another_name_is_caught(release: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(release, tmp_path / "2030.1.0"))
    assert verify_release(other) == [f"the folder is called 2030.1.0 but the manifest says {release.name}"]


def read_csv(path: Path) -> list[list[str]]:
    """Header and rows of a gzipped CSV file, as text."""
    return list(csv.reader(io.StringIO(gzip.decompress(path.read_bytes()).decode(), newline="")))


def write_rows(path: Path, rows: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    path.write_bytes(gzip.compress(out.getvalue().encode()))


def lose_a_row(folder: Path) -> None:
    table = pq.read_table(folder / "coverage.parquet")
    write_parquet(table.slice(1), CONTRACTS["coverage"], folder / "coverage.parquet")


def repeat_a_key(folder: Path) -> None:
    table = pq.read_table(folder / "coverage.parquet")
    doubled = pa.concat_tables([table.slice(0, 1), table.slice(0, table.num_rows - 1)])
    write_parquet(doubled, CONTRACTS["coverage"], folder / "coverage.parquet")


def rename_a_column(folder: Path) -> None:
    table = pq.read_table(folder / "coverage.parquet")
    names = ["renamed" if name == "platform" else name for name in table.column_names]
    pq.write_table(table.rename_columns(names), folder / "coverage.parquet")


def change_a_type(folder: Path) -> None:
    table = pq.read_table(folder / "coverage.parquet")
    days = next(place for place, field in enumerate(table.schema) if field.type == pa.date32())
    as_text = table.schema.set(days, table.schema.field(days).with_type(pa.string()))
    pq.write_table(table.cast(as_text), folder / "coverage.parquet")


def forget_the_metadata(folder: Path) -> None:
    table = pq.read_table(folder / "coverage.parquet")
    pq.write_table(table.replace_schema_metadata({}), folder / "coverage.parquet")


def lose_a_line_of_csv(folder: Path) -> None:
    write_rows(folder / "coverage.csv.gz", read_csv(folder / "coverage.csv.gz")[:-1])


def break_the_csv_stream(folder: Path) -> None:
    content = (folder / "coverage.csv.gz").read_bytes()
    (folder / "coverage.csv.gz").write_bytes(content[:10] + b"\xff" * 20 + content[30:])


def empty_the_csv(folder: Path) -> None:
    (folder / "coverage.csv.gz").write_bytes(gzip.compress(b""))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lose_a_row, r"coverage\.parquet: has \d+ rows where the manifest says \d+"),
        (repeat_a_key, r"coverage: 1 rows repeat the key authority_code, platform"),
        (rename_a_column, r"coverage: columns differ between Parquet and datapackage\.json"),
        (change_a_type, r"coverage: column \w+ .*type"),
        (forget_the_metadata, r"coverage\.parquet: its metadata names another schema version or licence"),
        (lose_a_line_of_csv, r"coverage\.csv\.gz: rows or columns differ from coverage\.parquet"),
        (break_the_csv_stream, r"coverage\.csv\.gz: cannot be read as gzipped UTF-8 text"),
        (empty_the_csv, r"coverage\.csv\.gz: rows or columns differ from coverage\.parquet"),
    ],
)
def test_wrong_content_is_caught_even_where_all_checksums_agree(
    copy: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    resealed(copy)
    assert verify_release(copy) == [], "sealing anew must not be what is noticed"
    spoil(copy)
    resealed(copy)
    faults = verify_release(copy)
    assert [fault for fault in faults if re.search(sentence, fault)], faults
    assert naming(faults, "coverage") == faults


# --- Parquet ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DATASETS)
def test_parquet_is_written_for_readers_who_fetch_parts_of_it(release: Path, name: str) -> None:
    contract = CONTRACTS[name]
    metadata = pq.ParquetFile(release / f"{name}.parquet").metadata
    places = {column.name: place for place, column in enumerate(contract.columns)}
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        assert group.num_rows <= ROW_GROUP_ROWS == 245_760
        assert [(s.column_index, s.descending, s.nulls_first) for s in group.sorting_columns] == [
            (places[key], False, False) for key in contract.key
        ]
        for column in contract.columns:
            chunk = group.column(places[column.name])
            assert chunk.path_in_schema == column.name
            assert chunk.compression == "ZSTD"
            assert chunk.has_offset_index
            assert chunk.has_column_index
            assert chunk.physical_type == PHYSICAL[column.type], column.name
            assert ("DELTA_BINARY_PACKED" in chunk.encodings) == (column.type in ("date", "timestamp")), (
                column.name
            )
            assert (chunk.bloom_filter_offset is not None) == (column.name == contract.key[0]), column.name


@pytest.mark.parametrize("name", DATASETS)
def test_parquet_says_what_its_columns_mean_and_which_may_be_empty(release: Path, name: str) -> None:
    contract = CONTRACTS[name]
    file = pq.ParquetFile(release / f"{name}.parquet")
    schema = file.schema_arrow
    about = {key.decode(): value.decode() for key, value in schema.metadata.items()}
    assert about["schema_version"] == contract.version
    assert (about["dataset"], about["grain"], about["licence"]) == (name, contract.grain, contract.licence)
    for place, column in enumerate(contract.columns):
        field = schema.field(place)
        assert field.name == column.name
        assert field.metadata[b"description"].decode() == column.description
        assert field.metadata.get(b"unit", b"").decode() == (column.unit or "")
        assert field.nullable is not column.required
        assert (file.schema.column(place).max_definition_level == 1) is not column.required


def wide(contract: Contract, rows: int) -> pa.Table:
    """A table of a contract's shape with many rows."""
    from pipelines.contract import to_arrow

    schema = to_arrow(contract)
    values = {"string": "ZZA", "integer": 7, "number": 0.5, "date": dt.date(2026, 5, 8), "boolean": True}
    arrays = [
        pa.array([values[column.type]], schema.field(column.name).type).take(pa.array([0] * rows))
        for column in contract.columns
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def test_large_tables_are_cut_into_row_groups_and_give_the_same_bytes_again(tmp_path: Path) -> None:
    contract = CONTRACTS["coverage"]
    table = wide(contract, ROW_GROUP_ROWS + 1)
    first, second = tmp_path / "first", tmp_path / "second"
    for path in (first, second):
        write_parquet(table, contract, path)
    metadata = pq.ParquetFile(first).metadata
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [ROW_GROUP_ROWS, 1]
    assert first.read_bytes() == second.read_bytes()


def test_the_gzip_header_carries_no_time_and_no_name(release: Path, tmp_path: Path) -> None:
    for name in DATASETS:
        header = (release / f"{name}.csv.gz").read_bytes()[:10]
        assert header[3] == 0, "no optional fields"
        assert header[4:8] == bytes(4), "no time"
    table = wide(CONTRACTS["coverage"], 10)
    for path in (tmp_path / "first", tmp_path / "second"):
        write_csv(table, path)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


# --- readers ------------------------------------------------------------------------------------------------

Rows = list[tuple[object, ...]]


def read_with_duckdb(path: Path) -> Rows:
    return duckdb.connect(":memory:").execute("select * from read_parquet(?)", [str(path)]).fetchall()


def read_with_polars(path: Path) -> Rows:
    return pl.read_parquet(path).rows()


def read_with_pandas(path: Path) -> Rows:
    frame = pd.read_parquet(path, dtype_backend="pyarrow")
    return [tuple(None if pd.isna(cell) else cell for cell in row) for row in frame.itertuples(index=False)]


@pytest.mark.parametrize("name", DATASETS)
def test_three_readers_see_the_same_rows_in_the_same_order(release: Path, manifest: Manifest, name: str) -> None:
    path = release / f"{name}.parquet"
    expected = read_with_duckdb(path)
    assert len(expected) == manifest.dataset(name).rows > 0
    assert read_with_polars(path) == expected
    assert read_with_pandas(path) == expected


@pytest.mark.parametrize("name", DATASETS)
def test_rows_are_sorted_by_the_key(release: Path, name: str) -> None:
    contract = CONTRACTS[name]
    table = pq.read_table(release / f"{name}.parquet", columns=list(contract.key))
    rows = list(zip(*(table[key].to_pylist() for key in contract.key), strict=True))
    assert rows == sorted(rows)


@pytest.mark.parametrize("name", DATASETS)
def test_csv_holds_the_same_as_parquet(release: Path, name: str) -> None:
    con = duckdb.connect(":memory:")
    con.execute(f"create view parquet as from read_parquet('{release / name}.parquet')")
    types = {row[0]: row[1] for row in con.execute("describe parquet").fetchall()}
    file = release / f"{name}.csv.gz"
    con.execute(f"create view csv as from read_csv('{file}', header = true, columns = {types}, nullstr = '')")
    assert con.execute("from csv").fetchall() == con.execute("from parquet").fetchall()


# --- metadata -----------------------------------------------------------------------------------------------


def test_the_data_package_is_valid_with_every_resource(release: Path, manifest: Manifest) -> None:
    """The judge's Parquet reader guesses types from the first rows, which may be empty: CSV is its to judge."""
    package = frictionless.Package(str(release / "datapackage.json"))
    assert {resource.name for resource in package.resources} == {
        f"{dataset}-{end}" for dataset in DATASETS for end in ("csv", "parquet")
    }
    for resource in package.resources:
        dataset, _, ending = resource.name.rpartition("-")
        if ending == "csv":
            report = resource.validate()
            assert report.valid, report.flatten(["name", "type", "message"])
            assert report.tasks[0].stats["rows"] == manifest.dataset(dataset).rows
        else:
            table = pq.read_table(release / str(resource.path))
            assert table.column_names == [column.name for column in CONTRACTS[dataset].columns]
            assert table.num_rows == manifest.dataset(dataset).rows


@pytest.mark.parametrize(
    ("column", "cell", "error"),
    [
        ("authority_code", "", "constraint-error"),
        ("authority_code", "not a code", "constraint-error"),
        ("valid_from", "last spring", "type-error"),
        ("seats", "many", "type-error"),
        ("seats", "100000", "constraint-error"),
        ("nation", "Atlantis", "constraint-error"),
    ],
)
def test_a_spoiled_cell_makes_the_data_package_invalid(copy: Path, column: str, cell: str, error: str) -> None:
    path = copy / "authorities.csv.gz"
    header, first, *others = read_csv(path)
    first[header.index(column)] = cell
    write_rows(path, [header, first, *others])
    package = frictionless.Package(str(copy / "datapackage.json"))
    report = package.get_resource("authorities-csv").validate()
    assert not report.valid
    assert error in {found[0] for found in report.flatten(["type"])}


def test_a_repeated_key_makes_the_data_package_invalid(copy: Path) -> None:
    path = copy / "authorities.csv.gz"
    rows = read_csv(path)
    write_rows(path, [*rows, rows[-1]])
    report = frictionless.Package(str(copy / "datapackage.json")).get_resource("authorities-csv").validate()
    assert {found[0] for found in report.flatten(["type"])} == {"primary-key"}


@pytest.mark.parametrize("name", ["README.md", "codebook.md", "quality.json", "datapackage.json", "index.html"])
def test_every_dataset_is_mentioned(release: Path, name: str) -> None:
    text = (release / name).read_text(encoding="utf-8")
    assert [dataset for dataset in DATASETS if dataset not in text] == []


def test_the_codebook_describes_every_column_in_a_table_that_stays_whole(release: Path) -> None:
    codebook = (release / "codebook.md").read_text(encoding="utf-8")
    for name, contract in CONTRACTS.items():
        section = codebook.split(f"\n## {name}\n")[1].split("\n## ")[0]
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("| ")]
        assert [row[0].strip() for row in rows] == ["column", *(column.name for column in contract.columns)]
        assert {len(row) for row in rows} == {5}, "a bar in a text would add a cell"


def test_quality_holds_counts_and_names_and_no_cell(release: Path, manifest: Manifest) -> None:
    quality = orjson.loads((release / "quality.json").read_bytes())["datasets"]
    assert set(quality) == set(DATASETS)
    for name, report in quality.items():
        contract = CONTRACTS[name]
        assert set(report) == {"rows", "critical_failures", "warnings", "rules"}
        assert report["rows"] == manifest.dataset(name).rows
        assert report["critical_failures"] == 0
        known = {rule.name for rule in contract.all_rules()}
        for warning in report["warnings"]:
            assert re.fullmatch(rf"({'|'.join(known)}): broken by \d+ rows", warning)
        assert {rule["rule"] for rule in report["rules"]} == known
        for rule in report["rules"]:
            assert set(rule) == {"rule", "column", "severity", "passed", "rows_breaking"}
            assert rule["column"] in {None, *(column.name for column in contract.columns)}
            assert isinstance(rule["passed"], bool)
            assert rule["rows_breaking"] is None or isinstance(rule["rows_breaking"], int)


def test_the_manifest_names_every_snapshot_with_its_licence(sample_home: Home, manifest: Manifest) -> None:
    stored = {(path.parent.name, path.stem) for path in sample_home.snapshots.rglob("*.csv")}
    files = [entry for entry in manifest.inputs if not entry.source.startswith("observation.")]
    assert {(entry.source, entry.sha256) for entry in files} == stored
    assert len(files) == len(stored)
    observed = [entry for entry in manifest.inputs if entry not in files]
    assert {(entry.source.partition(".")[2], entry.location.partition(",")[0]) for entry in observed} == {
        (table, platform)
        for table in ("account", "post", "profile", "reply")
        for platform in ("bluesky", "mastodon")
    }
    for entry in manifest.inputs:
        contract = SOURCES[entry.source.partition(".")[2] or entry.source]
        assert entry.licence == contract.licence
        assert entry.attribution == contract.attribution
        assert entry.rows > 0


def test_the_manifest_names_every_file_except_itself_and_the_checksums(release: Path, manifest: Manifest) -> None:
    entries = [*manifest.files, *(file for dataset in manifest.datasets for file in dataset.files)]
    assert {entry.path for entry in entries} == set(FILES) - {"manifest.json", "SHA256SUMS"}
    for entry in entries:
        assert entry.sha256 == hashlib.sha256((release / entry.path).read_bytes()).hexdigest()
    for dataset in manifest.datasets:
        contract = CONTRACTS[dataset.name]
        assert dataset.contract_sha256 == contract.digest
        assert (dataset.schema_version, dataset.key) == (contract.version, contract.key)


# --- the database of views ----------------------------------------------------------------------------------


def test_the_views_work_in_the_release_folder(
    release: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(release)
    with duckdb.connect("views.duckdb", read_only=True) as con:
        for dataset in manifest.datasets:
            assert con.execute(f"select count(*) from {dataset.name}").fetchone() == (dataset.rows,)


def test_the_views_work_from_elsewhere_when_told_where_the_release_is(
    release: Path, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with duckdb.connect(str(release / "views.duckdb"), read_only=True) as con:
        with pytest.raises(duckdb.IOException, match="coverage"):
            con.execute("select * from coverage")
        con.execute(f"set variable release = '{release}'")
        for dataset in manifest.datasets:
            assert con.execute(f"select count(*) from {dataset.name}").fetchone() == (dataset.rows,)


def test_the_database_of_views_holds_views_and_no_data(release: Path) -> None:
    with duckdb.connect(str(release / "views.duckdb"), read_only=True) as con:
        assert con.execute("select count(*) from duckdb_tables() where not internal").fetchone() == (0,)
        views = con.execute("select view_name from duckdb_views() where not internal order by 1").fetchall()
    assert [name for (name,) in views] == sorted(DATASETS)
    content = (release / "views.duckdb").read_bytes()
    assert str(release.parent).encode() not in content, "no folder of this machine"
    for name in pq.read_table(release / "authorities.parquet")["official_name"].to_pylist():
        assert name.encode() not in content


def test_the_database_of_views_has_the_same_bytes_when_written_twice(release: Path, tmp_path: Path) -> None:
    names = list(DATASETS)
    for folder in (tmp_path / "one", tmp_path / "another, with 'quotes'"):
        shutil.copytree(release, folder)
        (folder / "views.duckdb").unlink()
        write_views(folder, names)
        assert (folder / "views.duckdb").read_bytes() == (release / "views.duckdb").read_bytes()


# --- licences -----------------------------------------------------------------------------------------------

ALIKE = next(contract for contract in SOURCES.values() if contract.licence == "CC-BY-SA-4.0")
OPEN = next(contract for contract in SOURCES.values() if contract.licence == "CC-BY-4.0")


@pytest.mark.parametrize(
    ("licence", "origins", "expected"),
    [
        ("CC-BY-4.0", [OPEN], None),
        ("CC-BY-SA-4.0", [OPEN, ALIKE], None),
        ("CC-BY-SA-4.0", [OPEN], None),
        ("CC-BY-4.0", [OPEN, ALIKE], ALIKE.name),
        ("OGL-UK-3.0", [ALIKE], ALIKE.name),
    ],
)
def test_share_alike_sources_demand_a_share_alike_dataset(
    licence: str, origins: list[Contract], expected: str | None
) -> None:
    given = tuple(title for origin in origins for title in origin.attribution)
    dataset = replace(CONTRACTS["coverage"], licence=licence, attribution=given)
    faults = licence_faults([dataset], {"coverage": origins})
    if expected is None:
        assert faults == []
    else:
        (fault,) = faults
        assert fault.startswith("coverage.yml: ")
        assert expected in fault
        assert "must be one of CC-BY-SA-4.0" in fault


def test_every_source_must_be_attributed() -> None:
    dataset = replace(CONTRACTS["coverage"], licence="CC-BY-SA-4.0", attribution=OPEN.attribution)
    missing = set(ALIKE.attribution) - set(OPEN.attribution)
    assert missing
    assert licence_faults([dataset], {"coverage": [OPEN, ALIKE]}) == [
        f"coverage.yml: must attribute {'; '.join(sorted(missing))}"
    ]


# --- versions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "day", "expected"),
    [
        ([], "2026-11-23", "2026.11.0"),
        (["2026.11.0"], "2026-11-24", "2026.11.1"),
        (["2026.11.0", "2026.11.1"], "2026-12-01", "2026.12.0"),
        (["2026.12.3"], "2027-01-01", "2027.1.0"),
        (["2026.9.0"], "2026-10-01", "2026.10.0"),
        (["2026.11.9", "2026.11.10"], "2026-11-30", "2026.11.11"),
        (["2026.11.0", "2027.2.4"], "2026-11-30", "2027.2.5"),
        (["2027.2.4"], "2026-12-31", "2027.2.5"),
        (["2026.11.0", "notes", "2026.11.x"], "2026-11-30", "2026.11.1"),
    ],
)
def test_the_next_version_follows_the_calendar_and_never_goes_back(
    tmp_path: Path, taken: list[str], day: str, expected: str
) -> None:
    for name in taken:
        (tmp_path / "v" / name).mkdir(parents=True)
    assert next_version(tmp_path, dt.date.fromisoformat(day)) == expected


def test_a_version_that_was_announced_is_not_given_again_though_its_folder_is_gone(tmp_path: Path) -> None:
    (tmp_path / "v" / "2026.11.0").mkdir(parents=True)
    announced = {"versions": [{"version": "2026.11.1"}, {"version": "2026.11.0"}]}
    (tmp_path / "versions.json").write_bytes(orjson.dumps(announced))
    assert next_version(tmp_path, dt.date(2026, 11, 30)) == "2026.11.2"


# --- building again -----------------------------------------------------------------------------------------


@pytest.fixture
def home(sample_home: Home, tmp_path: Path) -> Home:
    """A published home that a test may change."""
    return Home(Path(shutil.copytree(sample_home.root, tmp_path / "home")))


@contextmanager
def warehouse(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_warehouse(home.warehouse) as con:
        yield con


def build_again(home: Home, *, change: str | None = None, day: str = DAY) -> Outcome:
    """Build a release from the tables that stand in the warehouse, after one change to them."""
    with warehouse(home) as con:
        if change:
            con.execute(change)
        return build_release(con, release_input(Workplace(home=str(home.root), released_on=day), con))


RENAMED = "update public.authorities set nice_name = 'Newname' where authority_code = 'ZZA'"


@pytest.fixture(scope="module")
def orphaned(sample_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a second release that no pointer names, and a half stage: a run was killed. Read only."""
    home = Home(Path(shutil.copytree(sample_home.root, tmp_path_factory.mktemp("orphaned") / "home")))
    assert build_again(home, change=RENAMED).version == "2026.11.1"
    for name in ("latest.json", "versions.json", "deltas.json", "catalog.json"):
        shutil.copy(sample_home.public / name, home.public / name)
    (home.staging / ".half").mkdir(parents=True)
    (home.staging / ".half" / "coverage.parquet").write_bytes(b"PAR1")
    return home


@pytest.fixture
def interrupted(orphaned: Home, tmp_path: Path) -> Home:
    return Home(Path(shutil.copytree(orphaned.root, tmp_path / "home")))


def test_nothing_changed_gives_no_release(home: Home) -> None:
    before = contents(home.public)
    outcome = build_again(home, day="2026-12-24")
    assert (outcome.version, outcome.is_new) == ("2026.11.0", False)
    assert contents(home.public) == before
    assert not list(home.staging.iterdir())


def test_one_changed_row_gives_a_release_and_leaves_every_byte_of_the_old(home: Home) -> None:
    before = contents(home.public / "v" / "2026.11.0")
    outcome = build_again(home, change=RENAMED, day="2026-12-01")
    assert (outcome.version, outcome.is_new) == ("2026.12.0", True)
    assert contents(home.public / "v" / "2026.11.0") == before
    assert verify_release(outcome.folder) == []
    assert read_manifest(outcome.folder).previous == "2026.11.0"
    pointer = read_pointer(home.public)
    assert pointer is not None
    assert pointer.version == "2026.12.0"
    assert pointer.manifest_sha256 == hashlib.sha256((outcome.folder / "manifest.json").read_bytes()).hexdigest()
    versions = orjson.loads((home.public / "versions.json").read_bytes())["versions"]
    assert [version["version"] for version in versions] == ["2026.12.0", "2026.11.0"]
    catalog = orjson.loads((home.public / "catalog.json").read_bytes())
    listed = [file for dataset in catalog["datasets"] for file in dataset["files"]]
    assert len(listed) == 3 * len(DATASETS)
    assert all((home.public / file).is_file() for file in listed)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("delete from public.coverage", r"public\.coverage row_count: only 0 rows"),
        (
            "insert into public.coverage from public.coverage limit 1",
            r"public\.coverage key_unique: broken by 2 rows",
        ),
        (
            "update public.authorities set nice_name = '=cmd()' where authority_code = 'ZZA'",
            r"public\.authorities nice_name_text: broken by 1 rows",
        ),
    ],
)
def test_a_broken_critical_rule_means_no_release(home: Home, change: str, sentence: str) -> None:
    before = contents(home.public)
    with pytest.raises(ReleaseError, match=sentence) as caught:
        build_again(home, change=change)
    assert "cmd" not in str(caught.value), "no cell in a message"
    assert contents(home.public) == before


def test_a_release_that_does_not_read_back_stays_unseen(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(home.public)

    def write_half(table: pa.Table, path: Path) -> None:
        write_csv(table.slice(1), path)

    monkeypatch.setattr(build, "write_csv", write_half)
    with pytest.raises(ReleaseError, match=r"do not read back: .*coverage\.csv\.gz"):
        build_again(home, change=RENAMED)
    assert contents(home.public) == before
    assert not list(home.staging.iterdir())


# --- interrupted runs ---------------------------------------------------------------------------------------


def test_pointers_of_a_release_that_none_points_to_are_completed(interrupted: Home) -> None:
    before = contents(interrupted.public / "v")
    finish_interrupted(interrupted)
    pointer = read_pointer(interrupted.public)
    assert pointer is not None
    assert pointer.version == "2026.11.1"
    assert "2026.11.1" in (interrupted.public / "versions.json").read_text(encoding="utf-8")
    assert orjson.loads((interrupted.public / "catalog.json").read_bytes())["version"] == "2026.11.1"
    assert contents(interrupted.public / "v") == before
    assert not interrupted.staging.exists() or not list(interrupted.staging.iterdir())


def test_a_home_whose_pointer_was_lost_points_to_the_newest_release_again(interrupted: Home) -> None:
    (interrupted.public / "latest.json").unlink()
    finish_interrupted(interrupted)
    pointer = read_pointer(interrupted.public)
    assert pointer is not None
    assert pointer.version == "2026.11.1"


@pytest.mark.parametrize("name", ["authorities.parquet", "datapackage.json", "manifest.json", "SHA256SUMS"])
def test_a_damaged_orphan_is_refused_by_name(interrupted: Home, name: str) -> None:
    damaged = interrupted.public / "v" / "2026.11.1" / name
    damaged.write_bytes(damaged.read_bytes()[:-100])
    latest = (interrupted.public / "latest.json").read_bytes()
    with pytest.raises(ReleaseError, match=r"2026\.11\.1 is damaged, remove its folder: .*" + re.escape(name)):
        finish_interrupted(interrupted)
    assert (interrupted.public / "latest.json").read_bytes() == latest


def test_a_home_in_order_is_left_as_it_is(home: Home) -> None:
    before = contents(home.public)
    finish_interrupted(home)
    assert contents(home.public) == before


@pytest.mark.parametrize("failing", ["versions.json", "deltas.json", "catalog.json", "latest.json"])
def test_latest_is_written_last_of_all(interrupted: Home, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    latest = (interrupted.public / "latest.json").read_bytes()
    written: list[str] = []

    def write(path: Path, data: bytes) -> None:
        if path.name == failing:
            raise OSError("no space left on device")
        written.append(path.name)
        path.write_bytes(data)

    monkeypatch.setattr(build, "write_atomically", write)
    with pytest.raises(OSError, match="no space left"):
        finish_interrupted(interrupted)
    assert (interrupted.public / "latest.json").read_bytes() == latest
    monkeypatch.undo()
    finish_interrupted(interrupted)
    assert b"2026.11.1" in (interrupted.public / "latest.json").read_bytes()
    if failing == "latest.json":
        assert sorted(written) == ["catalog.json", "deltas.json", "versions.json"]
