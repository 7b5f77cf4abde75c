"""Spreadsheets, the zip for everybody and the descriptions in a real release, as their readers judge them."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.assets import Workplace, release_input
from pipelines.contract import Contract, load_contracts
from pipelines.release import bundle, spreadsheet
from pipelines.release.build import Outcome, build_release
from pipelines.release.bundle import BYTE_ORDER_MARK, bundle_faults
from pipelines.release.manifest import LICENCES, Manifest, read_manifest, read_pointer
from pipelines.release.metadata.schema_org import json_ld
from pipelines.release.metadata.search_rules import jsonld_faults
from pipelines.release.package import SAMPLE_NOTICE, bundle_name
from pipelines.release.spreadsheet import FIRST_DAY, SAFE_INTEGER, read_shape
from pipelines.release.verify import verify_release
from pipelines.settings import Home, project_folder
from pipelines.warehouse import open_warehouse
from tests.conftest import DAY
from tests.helpers import resealed
from tests.metadata_judges import cff_faults, croissant_rows, datacite_faults, dcat_faults, unknown_terms

CONTRACTS: dict[str, Contract] = {
    c.name: c for c in load_contracts(project_folder("data_contracts")).values() if c.layer == "public"
}
DATASETS = tuple(CONTRACTS)
ADDED = ("CITATION.cff", "croissant.json", "datacite.json", "dcat.jsonld")
OFFICE = shutil.which("soffice")
# LibreOffice's export: commas, quotes where needed, UTF-8, every sheet, cells as shown.
AS_CSV = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"


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


def in_a_cell(value: Any) -> Any:
    """A value as a spreadsheet hands it back."""
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time()) if value >= FIRST_DAY else value.isoformat()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= SAFE_INTEGER:
        return str(value)
    return value


# --- spreadsheets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DATASETS)
def test_a_spreadsheet_holds_exactly_the_rows_of_its_parquet_file(release: Path, name: str) -> None:
    table = pq.read_table(release / f"{name}.parquet")
    book = openpyxl.load_workbook(release / f"{name}.xlsx", read_only=True)
    header, *rows = book.worksheets[0].iter_rows(values_only=True)
    assert list(header) == table.column_names
    assert len(rows) == table.num_rows
    expected = zip(*(column.to_pylist() for column in table.columns), strict=True)
    for got, values in zip(rows, expected, strict=True):
        wanted = tuple(in_a_cell(value) for value in values)
        assert got == wanted
        assert [type(cell) for cell in got] == [type(value) for value in wanted]


@pytest.mark.parametrize("name", DATASETS)
def test_pandas_reads_a_spreadsheet_as_it_stands(release: Path, name: str) -> None:
    frame = pd.read_excel(release / f"{name}.xlsx")
    table = pq.read_table(release / f"{name}.parquet")
    assert list(frame.columns) == table.column_names
    for column in CONTRACTS[name].columns:
        if column.type in ("integer", "number"):
            total = pa.compute.sum(table[column.name]).as_py() or 0
            assert frame[column.name].sum() == pytest.approx(total), column.name


@pytest.mark.parametrize("name", DATASETS)
def test_a_spreadsheet_carries_codebook_licence_and_the_mark_of_the_sample(
    release: Path, manifest: Manifest, name: str
) -> None:
    dataset, contract = manifest.dataset(name), CONTRACTS[name]
    book = openpyxl.load_workbook(release / f"{name}.xlsx", read_only=True)
    assert book.sheetnames == ["Sample data", "Codebook", "About"]
    listed = [row[0] for row in book["Codebook"].iter_rows(min_row=2, values_only=True)]
    assert listed == [column.name for column in contract.columns]
    told = dict(book["About"].iter_rows(values_only=True))
    assert told["Notice"] == SAMPLE_NOTICE
    assert LICENCES[dataset.licence][1] in told["Licence"]
    assert told["Limitations"] == contract.limitations
    assert told["How to cite"].startswith("Do not cite this.")


def test_the_manifest_lists_each_spreadsheet_with_its_rows(release: Path, manifest: Manifest) -> None:
    for dataset in manifest.datasets:
        entry = dataset.file(".xlsx")
        assert entry.rows == dataset.rows == read_shape(release / entry.path).rows
        assert entry.media_type == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(scope="module")
def converted(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every sheet of every spreadsheet as LibreOffice exports it."""
    if OFFICE is None:
        assert not os.environ.get("CI"), "where everything is asked for, LibreOffice must be there"
        pytest.skip("LibreOffice is not here: apt-get install --no-install-recommends libreoffice-calc-nogui")
    folder = tmp_path_factory.mktemp("office")
    profile = f"-env:UserInstallation=file://{folder / 'profile'}"
    books = [str(release / f"{name}.xlsx") for name in DATASETS]
    command = [OFFICE, profile, "--headless", "--convert-to", AS_CSV, "--outdir", str(folder), *books]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder


@pytest.mark.parametrize("name", DATASETS)
def test_libreoffice_opens_a_spreadsheet_and_shows_what_the_parquet_file_holds(
    release: Path, converted: Path, name: str
) -> None:
    text = (converted / f"{name}-Sample data.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    table = pq.read_table(release / f"{name}.parquet")
    assert header == table.column_names
    assert len(rows) == table.num_rows
    for place, column in enumerate(CONTRACTS[name].columns):
        shown = [row[place] for row in rows]
        for cell, value in zip(shown, table[column.name].to_pylist(), strict=True):
            assert shows(cell, value), f"{column.name}: {cell!r}"
    about = (converted / f"{name}-About.csv").read_text(encoding="utf-8")
    assert SAMPLE_NOTICE in about


def shows(cell: str, value: object) -> bool:
    """Whether a cell, as an office shows it, says a value."""
    if value is None:
        return cell == ""
    if isinstance(value, bool):
        return cell == str(value).upper()
    if isinstance(value, dt.datetime):
        return cell == f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return float(cell) == pytest.approx(value)
    return cell == str(value)


# --- the zip ------------------------------------------------------------------------------------------------


def test_the_zip_holds_every_spreadsheet_and_what_to_know(release: Path, manifest: Manifest) -> None:
    name = bundle_name(manifest)
    assert name == f"councillor-engagement-{manifest.version}-sample.zip"
    top = name.removesuffix(".zip")
    with zipfile.ZipFile(release / name) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            f"{top}/README.txt",
            f"{top}/codebook.txt",
            *(f"{top}/{dataset}.xlsx" for dataset in DATASETS),
        ]
        for name in DATASETS:
            assert archive.read(f"{top}/{name}.xlsx") == (release / f"{name}.xlsx").read_bytes()
        readme = archive.read(f"{top}/README.txt").decode()
        assert archive.read(f"{top}/codebook.txt") == (release / "codebook.md").read_bytes()
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert SAMPLE_NOTICE in readme
    for entry in manifest.datasets:
        assert f"{entry.name}.xlsx\r\n" in readme
        assert f"Licence: {entry.licence}." in readme
        assert CONTRACTS[entry.name].limitations in readme


def test_the_zip_is_hardly_larger_than_what_is_in_it(release: Path, manifest: Manifest) -> None:
    spreadsheets = sum(dataset.file(".xlsx").bytes for dataset in manifest.datasets)
    assert (release / bundle_name(manifest)).stat().st_size < 1.1 * spreadsheets


# --- too large for a spreadsheet ----------------------------------------------------------------------------


@pytest.fixture
def home(sample_home: Home, tmp_path: Path) -> Home:
    """A published home that a test may change."""
    return Home(Path(shutil.copytree(sample_home.root, tmp_path / "home")))


def build_again(home: Home) -> Outcome:
    """Build a release from the tables that stand in the warehouse, one name in them changed."""
    with open_warehouse(home.warehouse) as con:
        con.execute("update public.authorities set nice_name = 'Tŷ Newydd' where authority_code = 'ZZA'")
        return build_release(con, release_input(Workplace(home=str(home.root), released_on=DAY), con))


def test_a_larger_dataset_has_no_spreadsheet_and_goes_into_the_zip_as_csv(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreadsheet, "ROW_LIMIT", 27)
    outcome = build_again(home)
    manifest = read_manifest(outcome.folder)
    large = {dataset.name for dataset in manifest.datasets if dataset.rows > 27}
    assert "authorities" in large
    assert large != set(DATASETS)
    assert {path.stem for path in outcome.folder.glob("*.xlsx")} == set(DATASETS) - large
    assert verify_release(outcome.folder) == []
    with zipfile.ZipFile(outcome.folder / bundle_name(manifest)) as archive:
        held = {Path(name).name for name in archive.namelist()}
        top = Path(archive.namelist()[0]).parts[0]
        content = archive.read(f"{top}/authorities.csv")
    assert held == {
        *("README.txt", "codebook.txt"),
        *(f"{name}.csv" if name in large else f"{name}.xlsx" for name in DATASETS),
    }
    assert content == BYTE_ORDER_MARK + gzip.decompress((outcome.folder / "authorities.csv.gz").read_bytes())
    assert "Tŷ Newydd" in pd.read_csv(io.BytesIO(content))["nice_name"].tolist()
    readme = (outcome.folder / "README.md").read_text(encoding="utf-8")
    assert "too large for a spreadsheet" in readme
    files = {
        file["contentUrl"] for part in json_ld(manifest, CONTRACTS)["hasPart"] for file in part["distribution"]
    }
    assert "authorities.csv.gz" in files
    assert "authorities.xlsx" not in files


@pytest.mark.parametrize(("limit", "value"), [("SHEET_ROWS", 28), ("CSV_BYTES", 1185)])
def test_a_dataset_too_large_for_any_office_stays_out_of_the_zip_and_the_zip_says_so(
    home: Home, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(spreadsheet, "ROW_LIMIT", 27)
    monkeypatch.setattr(bundle, limit, value)
    outcome = build_again(home)
    manifest = read_manifest(outcome.folder)
    with zipfile.ZipFile(outcome.folder / bundle_name(manifest)) as archive:
        names = [Path(name).name for name in archive.namelist()]
        readme = archive.read(archive.namelist()[0]).decode()
    assert "account_activity_weekly.csv" not in names
    assert "data_issues.xlsx" in names
    assert "account_activity_weekly: not in this zip\r\n" in readme
    assert verify_release(outcome.folder) == []


# --- verifying ----------------------------------------------------------------------------------------------


def zip_of(folder: Path) -> Path:
    return folder / bundle_name(read_manifest(folder))


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change the members of a zip file, which a spreadsheet is, too."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def lose_a_row(folder: Path) -> None:
    def cut(parts: dict[str, bytes]) -> None:
        head, _, tail = parts[spreadsheet.DATA_PART].rpartition(b"<row ")
        parts[spreadsheet.DATA_PART] = head + tail[tail.index(b"</row>") + len(b"</row>") :]

    rewrite(folder / "coverage.xlsx", cut)


def rename_a_column(folder: Path) -> None:
    def rename(parts: dict[str, bytes]) -> None:
        xml = parts[spreadsheet.DATA_PART]
        parts[spreadsheet.DATA_PART] = xml.replace(b"<t>platform</t>", b"<t>renamed</t>", 1)

    rewrite(folder / "coverage.xlsx", rename)


def break_the_spreadsheet(folder: Path) -> None:
    (folder / "coverage.xlsx").write_bytes(b"not a spreadsheet")


def lose_a_member(folder: Path) -> None:
    rewrite(zip_of(folder), lambda members: members.__delitem__(next(n for n in members if "coverage" in n)))


def add_a_member(folder: Path) -> None:
    rewrite(zip_of(folder), lambda members: members.__setitem__("macro.xlsm", b"x"))


def change_a_member(folder: Path) -> None:
    rewrite(zip_of(folder), lambda members: members.update({n: b"x" for n in members if "coverage" in n}))


def break_the_zip(folder: Path) -> None:
    zip_of(folder).write_bytes(b"PK not really")


def damage_the_zip(folder: Path) -> None:
    content = bytearray(zip_of(folder).read_bytes())
    content[len(content) // 2] ^= 0xFF
    zip_of(folder).write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lose_a_row, "coverage.xlsx: rows or columns differ from coverage.parquet"),
        (rename_a_column, "coverage.xlsx: rows or columns differ from coverage.parquet"),
        (break_the_spreadsheet, "coverage.xlsx: cannot be read as a spreadsheet"),
        (lose_a_member, "coverage.xlsx is missing"),
        (add_a_member, "macro.xlsm is too much"),
        (change_a_member, "coverage.xlsx differs from coverage.xlsx"),
        (break_the_zip, "cannot be read as a zip file (BadZipFile)"),
        (damage_the_zip, "cannot be read as a zip file"),
    ],
)
def test_wrong_formats_are_caught_even_where_all_checksums_agree(
    copy: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    resealed(copy)
    assert verify_release(copy) == [], "sealing anew must not be what is noticed"
    spoil(copy)
    resealed(copy)
    assert [fault for fault in verify_release(copy) if sentence in fault]


def test_a_release_from_before_there_was_a_zip_has_none_to_judge(copy: Path) -> None:
    manifest = read_manifest(copy)
    older = manifest.model_copy(update={"files": tuple(f for f in manifest.files if not f.path.endswith(".zip"))})
    assert list(bundle_faults(copy, older)) == []


# --- descriptions for other systems -------------------------------------------------------------------------


def test_the_reference_reader_loads_two_rows_of_every_dataset_from_croissant(
    release: Path, manifest: Manifest
) -> None:
    rows = croissant_rows(release / "croissant.json", 2)
    assert {name: len(found) for name, found in rows.items()} == {
        d.name: min(2, d.rows) for d in manifest.datasets
    }
    for dataset in manifest.datasets:
        table = pq.read_table(release / f"{dataset.name}.parquet")
        column = dataset.key[0]
        loaded = [row[f"{dataset.name}/{column}"] for row in rows[dataset.name]]
        plain = [value.decode() if isinstance(value, bytes) else value for value in loaded]
        assert plain == table[column].to_pylist()[:2]


def test_the_catalogue_the_citation_and_the_registration_fit_their_schemas(release: Path) -> None:
    assert dcat_faults(orjson.loads((release / "dcat.jsonld").read_bytes())) == []
    assert cff_faults((release / "CITATION.cff").read_text(encoding="utf-8")) == []
    assert datacite_faults(orjson.loads((release / "datacite.json").read_bytes())) == []


def test_the_page_description_of_the_release_keeps_the_rules_of_dataset_search(manifest: Manifest) -> None:
    for base in (None, "https://data.example"):
        described = json_ld(manifest, CONTRACTS, base)
        assert jsonld_faults(described) == []
        assert unknown_terms(described) == set()
    assert described["distribution"][0]["contentUrl"] == (
        f"https://data.example/v/{manifest.version}/{bundle_name(manifest)}"
    )


@pytest.mark.parametrize("name", ADDED)
def test_each_description_marks_the_sample_and_names_every_dataset_with_its_licence(
    release: Path, manifest: Manifest, name: str
) -> None:
    text = (release / name).read_text(encoding="utf-8")
    plain = " ".join(text.split())  # YAML breaks lines
    assert "every authority, councillor and account in this release is fictional" in plain
    for dataset in manifest.datasets:
        assert dataset.name in text
        assert LICENCES[dataset.licence][1] in text
    assert "UK local authority names and codes" not in plain, "the sample credits nobody"


def test_the_descriptions_name_the_files_that_are_there_with_their_hashes(
    release: Path, manifest: Manifest
) -> None:
    catalogue = orjson.loads((release / "dcat.jsonld").read_bytes())
    told = {
        file["dcat:downloadURL"]["@id"]: (int(file["dcat:byteSize"]), file["spdx:checksum"]["spdx:checksumValue"])
        for dataset in catalogue["dcat:dataset"]
        for file in dataset["dcat:distribution"]
    }
    assert told == {file.path: (file.bytes, file.sha256) for d in manifest.datasets for file in d.files}


def test_the_address_of_the_publication_stands_in_every_description(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGAGEMENT_BASE_URL", "https://data.example/engagement/")
    outcome = build_again(home)
    for name in ADDED:
        text = (outcome.folder / name).read_text(encoding="utf-8")
        assert f"https://data.example/engagement/v/{outcome.version}/" in text, name
    assert verify_release(outcome.folder) == []
    cited = yaml.safe_load((outcome.folder / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["url"] == f"https://data.example/engagement/v/{outcome.version}/index.html"
