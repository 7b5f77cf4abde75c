"""One zip file per release for people who do not program: spreadsheets, what they mean, how to cite them.

Belongs here: what goes into the zip and in which form, and checking it. Does not belong here: making the
spreadsheets (`spreadsheet`) and the texts that stand beside the data (`package`).

The zip repeats files of the release, so that one click brings all of them. It holds no table that a spreadsheet
program could not open: those would make it large and would help nobody who needs it.
"""

from __future__ import annotations

import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from pipelines.contract import Contract
from pipelines.release.manifest import DatasetEntry, FileEntry, Manifest
from pipelines.release.package import attributions, bundle_name
from pipelines.release.spreadsheet import zip_entry
from pipelines.release.versions import standing

SHEET_ROWS = 1_048_575  # rows below the header in a sheet of any office program of today
CSV_BYTES = 20_000_000  # of a compressed CSV file; a larger one would make the zip as large as the release
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # without it Excel takes UTF-8 for another encoding and spoils Welsh names
PIECE = 1 << 20  # bytes


def write_bundle(
    folder: Path, manifest: Manifest, contracts: Mapping[str, Contract], *, codebook: str, citation: str
) -> Path:
    """Write the zip beside the files it is made of, and return its path; the same files give the same bytes.

    Spreadsheets go in as they are. A table without one goes in as CSV that Excel reads rightly, if a sheet can
    hold its rows and the file is not too large; else the zip's README says where it is.
    """
    path = folder / bundle_name(manifest)
    top = path.stem
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zip_entry(f"{top}/README.txt"), readme(manifest, contracts, citation))
        archive.writestr(zip_entry(f"{top}/codebook.txt"), codebook)
        for dataset in manifest.datasets:
            entry = _bundled(dataset)
            if entry is None:
                continue
            is_ready = entry.path.endswith(".xlsx")
            name = f"{top}/{entry.path.removesuffix('.gz')}"
            with archive.open(zip_entry(name, stored=is_ready), "w") as member:
                for piece in _content(folder, entry):
                    member.write(piece)
    return path


def _bundled(dataset: DatasetEntry) -> FileEntry | None:
    """The file of a dataset that goes into the zip: its spreadsheet, else its CSV, None where it is too large."""
    spreadsheet = next((file for file in dataset.files if file.path.endswith(".xlsx")), None)
    if spreadsheet:
        return spreadsheet
    csv = dataset.file(".csv.gz")
    return csv if dataset.rows <= SHEET_ROWS and csv.bytes <= CSV_BYTES else None


def _content(folder: Path, entry: FileEntry) -> Iterator[bytes]:
    """What the zip holds of a file, piece by piece: CSV unpacked and marked as UTF-8."""
    if not entry.path.endswith(".gz"):
        with (folder / entry.path).open("rb") as file:
            yield from _pieces(file)
        return
    yield BYTE_ORDER_MARK
    with gzip.open(folder / entry.path, "rb") as file:
        yield from _pieces(file)


def _pieces(file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def readme(manifest: Manifest, contracts: Mapping[str, Contract], citation: str) -> str:
    """The text that somebody who unpacked the zip reads first."""
    lines = [f"{manifest.title}, release {manifest.version}", ""]
    lines += [manifest.notice, ""] if manifest.notice else []
    lines += ["FILES", ""]
    for dataset in manifest.datasets:
        entry = _bundled(dataset)
        name = entry.path.removesuffix(".gz") if entry else f"{dataset.name}: not in this zip"
        lines += [
            f"{name}",
            f"  {dataset.title}: {dataset.grain}; {dataset.rows:,} rows. Licence: {dataset.licence}.",
            *([] if entry else ["  It is too large for a spreadsheet program: take its CSV or Parquet file."]),
            *([f"  {notice}"] if (notice := standing(dataset)) else []),
            f"  Before you use it: {contracts[dataset.name].limitations}",
            "",
        ]
    lines += ["codebook.txt", "  What each column means; every spreadsheet says it on its second sheet, too.", ""]
    lines += ["HOW TO CITE", "", citation, ""]
    lines += ["ATTRIBUTION", ""]
    lines += ["Real releases credit these; the sample holds none of their data.", ""] if manifest.notice else []
    lines += attributions(manifest)
    return "\r\n".join(lines) + "\r\n"  # the oldest text editors know no other end of a line


# --- checking -----------------------------------------------------------------------------------------------


def bundle_faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Where the zip of a release folder does not hold what its README says, one sentence each.

    A release without a zip has none to judge.
    """
    path = folder / bundle_name(manifest)
    if path.name not in {file.path for file in manifest.files}:
        return
    expected = {
        f"{path.stem}/{entry.path.removesuffix('.gz')}": entry
        for dataset in manifest.datasets
        if (entry := _bundled(dataset))
    }
    try:
        with zipfile.ZipFile(path) as archive:
            held = set(archive.namelist())
            for name in sorted({*expected, f"{path.stem}/README.txt", f"{path.stem}/codebook.txt"} ^ held):
                yield f"{path.name}: {name} is {'too much' if name in held else 'missing'}"
            for name in sorted(held & set(expected)):
                with archive.open(name) as member:
                    if _digest(_pieces(member)) != _digest(_content(folder, expected[name])):
                        yield f"{path.name}: {name} differs from {expected[name].path}"
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        yield f"{path.name}: cannot be read as a zip file ({type(error).__name__})"


def _digest(pieces: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
