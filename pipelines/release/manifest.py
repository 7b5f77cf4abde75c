"""The manifest of a release: what it holds, what it was made from, and under which licence.

Belongs here: the shape of `manifest.json` and of the pointer files. Does not belong here: making or checking
a release.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.settings import World

VERSION = re.compile(r"(\d{4})\.(\d{1,2})\.(\d+)")
LICENCES = {
    "CC-BY-4.0": ("Creative Commons Attribution 4.0", "https://creativecommons.org/licenses/by/4.0/"),
    "CC-BY-SA-4.0": (
        "Creative Commons Attribution-ShareAlike 4.0",
        "https://creativecommons.org/licenses/by-sa/4.0/",
    ),
    "CC0-1.0": ("Creative Commons Zero 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "OGL-UK-3.0": (
        "Open Government Licence v3.0",
        "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
    ),
    "MIT": ("MIT Licence", "https://opensource.org/license/mit"),
}
Level = Literal["none", "patch", "minor", "major"]  # how much a change asks of those who use the data
Change = Literal["first", "none", "patch", "minor", "major"]  # a first release has nothing to compare with
Status = Literal["draft", "active", "deprecated"]
TOMBSTONE = "erasure.json"  # in a release from which an account was erased
SHARE_ALIKE = frozenset({"CC-BY-SA-4.0"})


class ManifestError(Exception):
    """A manifest or pointer file that cannot be read; the message names it."""


class ReleaseError(Exception):
    """A release that was not made; `latest` still points to the one before. The message says why."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Record):
    """One file of a release; `rows` only where it holds a table."""

    path: str
    sha256: str
    bytes: int
    media_type: str
    rows: int | None = None


class Deprecation(_Record):
    """That a dataset will go: since which release that is said, what to use instead, and its last promised day."""

    since_version: str
    since: dt.date
    replaced_by: str | None = None
    remove_after: dt.date


class DatasetEntry(_Record):
    """One dataset of a release; `contract_sha256` changes with anything its contract says.

    `change` is what happened to it since the previous release; see `versions`.
    """

    name: str
    title: str
    grain: str
    schema_version: str
    contract_sha256: str
    rows: int
    licence: str
    attribution: tuple[str, ...]
    key: tuple[str, ...]
    files: tuple[FileEntry, ...]
    change: Change | None = None
    status: Status = "active"
    deprecation: Deprecation | None = None

    def file(self, ending: str) -> FileEntry:
        """The dataset's file with an ending such as `.parquet`."""
        return next(entry for entry in self.files if entry.path.endswith(ending))


class Erasure(_Record):
    """That an account was erased from a release after it was out; says what is missing, and of nobody.

    `rows` are the rows taken out by dataset; a release of which only the delta told of the account has none.
    `erasure` is a random number: the same one in every release that one erasure touched.
    """

    erasure: str
    erased_on: dt.date
    reason: str
    rows: dict[str, int]


class InputEntry(_Record):
    """One snapshot that the release was made from."""

    source: str
    location: str
    as_of: dt.date
    sha256: str
    rows: int
    licence: str
    attribution: tuple[str, ...]


class Manifest(_Record):
    """All that a release says about itself; `files` are those that belong to no single dataset."""

    title: str
    version: str
    world: World
    notice: str | None = None
    released_on: dt.date
    code_version: str
    previous: str | None = None
    change: Change | None = None
    datasets: tuple[DatasetEntry, ...]
    inputs: tuple[InputEntry, ...]
    files: tuple[FileEntry, ...]
    erasures: tuple[Erasure, ...] | None = None

    def dataset(self, name: str) -> DatasetEntry:
        """The entry of one dataset. Errors: `ManifestError` when the release has none of that name."""
        for entry in self.datasets:
            if entry.name == name:
                return entry
        names = ", ".join(entry.name for entry in self.datasets)
        raise ManifestError(f"release {self.version} has no dataset {name!r}; it has {names}")

    def every_file(self) -> tuple[FileEntry, ...]:
        """All files that the manifest lists: those of the datasets, then the others."""
        return (*(file for dataset in self.datasets for file in dataset.files), *self.files)

    def lists(self, path: str) -> bool:
        """Whether the release has a file of this name."""
        return any(entry.path == path for entry in self.every_file())

    def fingerprint(self) -> list[tuple[str, str, str]]:
        """What decides whether anything changed: each dataset's data and contract."""
        return [(d.name, d.contract_sha256, d.file(".parquet").sha256) for d in self.datasets]


class Pointer(_Record):
    """`latest.json`: which release is the newest; written last of all."""

    version: str
    path: str
    world: World
    released_on: dt.date
    manifest_sha256: str


def to_json(record: BaseModel | object) -> bytes:
    """JSON with a fixed layout, so that the same content gives the same bytes."""
    plain = record.model_dump(mode="json", exclude_none=True) if isinstance(record, BaseModel) else record
    return orjson.dumps(plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_manifest(folder: Path) -> Manifest:
    """Read a release's manifest. Errors: `ManifestError`."""
    path = folder / "manifest.json"
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ManifestError(f"{folder}: holds no manifest.json; is it a release folder?") from None
    except ValidationError as error:
        raise ManifestError(f"{path}: not a manifest of this kind ({error.error_count()} faults)") from None


def read_pointer(public: Path) -> Pointer | None:
    """Read `latest.json`, None before the first release. Errors: `ManifestError`."""
    path = public / "latest.json"
    if not path.exists():
        return None
    try:
        return Pointer.model_validate_json(path.read_bytes())
    except ValidationError:
        raise ManifestError(
            f"{path}: damaged; delete it and publish again to point to the newest release"
        ) from None


def version_key(version: str) -> tuple[int, int, int]:
    """The order of calendar versions such as 2026.11.0."""
    match = VERSION.fullmatch(version)
    if not match:
        raise ManifestError(f"{version!r} is not a version such as 2026.11.0")
    year, month, count = match.groups()
    return int(year), int(month), int(count)


def released_versions(public: Path) -> list[str]:
    """Every release folder, oldest first."""
    folder = public / "v"
    names = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return sorted((name for name in names if VERSION.fullmatch(name)), key=version_key)


def _announced(public: Path) -> list[str]:
    """Versions that were ever announced: a number is not used twice, even where its folder was removed."""
    path = public / "versions.json"
    if not path.exists():
        return []
    try:
        return [str(entry["version"]) for entry in orjson.loads(path.read_bytes())["versions"]]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise ManifestError(f"{path}: damaged; put it back from a copy, or delete it and publish again") from None


def next_version(public: Path, day: dt.date) -> str:
    """The next calendar version: year, month, and a count within the month."""
    taken = sorted(version_key(version) for version in {*released_versions(public), *_announced(public)})
    counts = [count for year, month, count in taken if (year, month) == (day.year, day.month)]
    proposed = (day.year, day.month, max(counts, default=-1) + 1)
    if taken and proposed < taken[-1]:  # a clock set back must not hide the new release behind an old one
        year, month, count = taken[-1]
        proposed = (year, month, count + 1)
    return ".".join(str(part) for part in proposed)
