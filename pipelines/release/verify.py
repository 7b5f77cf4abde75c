"""Verifying a release folder from the outside: nothing but the folder is needed.

Belongs here: checks that anyone who downloads a release can repeat. Does not belong here: judging data against
rules (`checks`), and mending anything.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.contract import NAME
from pipelines.release.bundle import bundle_faults
from pipelines.release.contract_check import contract_faults
from pipelines.release.manifest import TOMBSTONE, DatasetEntry, Manifest, ManifestError, read_manifest
from pipelines.release.provenance import provenance_faults
from pipelines.release.signing import SIGNATURE, PublicKey, signature_fault, signature_form_fault
from pipelines.release.spreadsheet import SpreadsheetError, read_shape

CHECKSUMS = "SHA256SUMS"
CONTRACTS = "contracts"
OURS = frozenset({"manifest.json", CHECKSUMS, SIGNATURE})  # what a manifest cannot list
# Plain names in folders: nothing that leads out of a release, is hidden, or needs quoting in an address.
PATH = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")
TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", tz="UTC"),
}


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_release(folder: Path, key: PublicKey | None = None) -> list[str]:
    """What is wrong with a release folder, one sentence each; empty when it verifies.

    Compares every file with `SHA256SUMS` and the manifest, reads every Parquet, CSV and XLSX file to its last row,
    compares columns and types with `datapackage.json`, rows with the released contract, and the zip file with what
    it is made of. With a `key` the release must be signed with it.
    """
    faults = list(_checksum_faults(folder))
    if fault := signature_fault(folder, key) if key else signature_form_fault(folder):
        faults.append(fault)
    try:
        manifest = read_manifest(folder)
    except ManifestError as error:
        return [*faults, str(error)]
    if odd := path_fault(manifest):
        return [*faults, odd]
    if folder.name != manifest.version and not folder.name.startswith("."):
        faults.append(f"the folder is called {folder.name} but the manifest says {manifest.version}")
    named = {fault.partition(":")[0] for fault in faults}
    faults += [fault for fault in _manifest_faults(folder, manifest) if fault.partition(":")[0] not in named]
    if faults:
        return faults  # damaged files are named; reading on would only blame others for them
    for dataset in manifest.datasets:
        try:
            faults += _dataset_faults(folder, manifest, dataset)
        except (OSError, ValueError, KeyError, csv.Error) as error:
            faults.append(f"{dataset.name}: cannot be read ({type(error).__name__})")
    return [*faults, *provenance_faults(folder, manifest), *bundle_faults(folder, manifest)]


def _checksum_faults(folder: Path) -> Iterator[str]:
    path = folder / CHECKSUMS
    if not path.exists():
        yield f"{CHECKSUMS} is missing: this is not a complete release"
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [line.split("  ", 1) for line in text.split("\n") if "  " in line]
    listed = {name: sha256 for sha256, name in lines}
    present = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} - {CHECKSUMS, SIGNATURE}
    for name in sorted(set(listed) - present):
        yield f"{name}: listed in {CHECKSUMS} but missing"
    for name in sorted(present - set(listed)):
        yield f"{name}: not listed in {CHECKSUMS}; it was added after the release"
    for name in sorted(present & set(listed)):
        if sha256_of(folder / name) != listed[name]:
            yield f"{name}: its SHA-256 is not the one in {CHECKSUMS}; download it again"
    if text != "".join(f"{listed[name]}  {name}\n" for name in sorted(listed)):
        yield f"{CHECKSUMS}: was changed after the release; download it again"


def _manifest_faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    if bool(manifest.erasures) != (folder / TOMBSTONE).exists():
        yield f"{TOMBSTONE}: does not agree with the {len(manifest.erasures or ())} erasures of the manifest"
    entries = manifest.every_file()
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    for name in sorted(present - {entry.path for entry in entries} - OURS):
        yield f"{name}: the manifest does not list it"
    for entry in entries:
        path = folder / entry.path
        if not path.is_file():
            yield f"{entry.path}: listed in the manifest but missing"
        elif path.stat().st_size != entry.bytes:
            yield f"{entry.path}: has {path.stat().st_size} bytes where the manifest says {entry.bytes}"
        elif sha256_of(path) != entry.sha256:
            yield f"{entry.path}: SHA-256 differs from the manifest"


def path_fault(manifest: Manifest) -> str | None:
    """Why the names in a manifest cannot be taken for files of its folder, in a sentence; None if they can."""
    paths = [entry.path for entry in manifest.every_file()]
    if odd := [path for path in paths if not PATH.fullmatch(path) or path in OURS]:
        return f"manifest.json: {odd[0]!r} is not the name of a file of a release"
    if odd := [dataset.name for dataset in manifest.datasets if not re.fullmatch(NAME, dataset.name)]:
        return f"manifest.json: {odd[0]!r} is not the name of a dataset"
    if twice := sorted({path for path in paths if paths.count(path) > 1}):
        return f"manifest.json: lists {twice[0]} twice"
    return None


def _dataset_faults(folder: Path, manifest: Manifest, dataset: DatasetEntry) -> Iterator[str]:
    parquet = folder / f"{dataset.name}.parquet"
    try:
        table = pq.read_table(parquet)
    except (OSError, pa.ArrowException):
        yield f"{parquet.name}: cannot be read as Parquet"
        return
    if table.num_rows != dataset.rows:
        yield f"{parquet.name}: has {table.num_rows} rows where the manifest says {dataset.rows}"
    about = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if about.get("schema_version") != dataset.schema_version or about.get("licence") != dataset.licence:
        yield f"{parquet.name}: its metadata names another schema version or licence than the manifest"
    yield from _column_faults(folder, dataset, table)
    yield from _key_faults(dataset, table)
    yield from _csv_faults(folder, dataset, table)
    yield from _spreadsheet_faults(folder, dataset, table)
    if manifest.lists(
        contract := f"{CONTRACTS}/{dataset.name}.json"
    ):  # not in releases from before they were kept
        yield from contract_faults(folder / contract, dataset, table)


def _column_faults(folder: Path, dataset: DatasetEntry, table: pa.Table) -> Iterator[str]:
    package = orjson.loads((folder / "datapackage.json").read_bytes())
    resource = next((r for r in package["resources"] if r["name"] == f"{dataset.name}-csv"), None)
    described = [field["name"] for field in resource["schema"]["fields"]] if resource else []
    if table.column_names != described:
        yield f"{dataset.name}: columns differ between Parquet and datapackage.json"
    kinds = [field["type"] for field in resource["schema"]["fields"]] if resource else []
    for field, kind in zip(table.schema, kinds, strict=False):
        if field.type != TYPES.get(kind):
            yield f"{dataset.name}: column {field.name} has type {field.type}, datapackage.json says {kind}"
    for name, column in zip(described, table.columns, strict=False):
        if column.null_count and not table.schema.field(name).nullable:
            yield f"{dataset.name}: column {name} has empty cells although it may not"


def _key_faults(dataset: DatasetEntry, table: pa.Table) -> Iterator[str]:
    if table.num_rows and set(dataset.key) <= set(table.column_names):
        distinct = table.select(list(dataset.key)).group_by(list(dataset.key)).aggregate([]).num_rows
        if distinct != table.num_rows:
            yield f"{dataset.name}: {table.num_rows - distinct} rows repeat the key {', '.join(dataset.key)}"


def _csv_faults(folder: Path, dataset: DatasetEntry, table: pa.Table) -> Iterator[str]:
    path = folder / f"{dataset.name}.csv.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            # One row more than expected is enough to know: a packed file may unpack to any size.
            count = sum(1 for _ in islice(rows, dataset.rows + 1))
    except (OSError, EOFError, UnicodeDecodeError, zlib.error):
        yield f"{path.name}: cannot be read as gzipped UTF-8 text"
        return
    if count != dataset.rows or header != table.column_names:
        yield f"{path.name}: rows or columns differ from {dataset.name}.parquet"


def _spreadsheet_faults(folder: Path, dataset: DatasetEntry, table: pa.Table) -> Iterator[str]:
    for path in [folder / file.path for file in dataset.files if file.path.endswith(".xlsx")]:
        try:
            shape = read_shape(path)
        except SpreadsheetError as error:
            yield str(error)
            continue
        if shape.rows != dataset.rows or list(shape.columns) != table.column_names:
            yield f"{path.name}: rows or columns differ from {dataset.name}.parquet"
