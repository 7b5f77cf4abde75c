"""What was taken out of releases after they were out, as the public folder itself tells it.

Belongs here: reading `erasure.json` of a release and what `versions.json` says of withdrawn ones. Does not belong
here: erasing or withdrawing. Neither file names anybody; where there are none, nothing was taken out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.release.manifest import ManifestError, released_versions, version_key

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Tombstone:
    """That something is missing from a release, or a whole release: when, why, and how many rows by dataset.

    `erasure` is the same in every release that one erasure touched; None where the whole release was withdrawn.
    """

    version: str
    day: dt.date | None
    reason: str | None
    rows: tuple[tuple[str, int], ...] = ()
    erasure: str | None = None

    @property
    def is_withdrawn(self) -> bool:
        """Whether the whole release is gone."""
        return self.erasure is None

    @property
    def row_count(self) -> int:
        """Rows that were taken out, over all datasets."""
        return sum(count for _, count in self.rows)


class _Lenient(BaseModel):
    """Read as far as the pages need."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Erasure(_Lenient):
    erasure: str
    erased_on: dt.date | None = None
    reason: str | None = None
    rows: dict[str, int] = {}


class _ErasureFile(_Lenient):
    erasures: tuple[_Erasure, ...]


class _Withdrawn(_Lenient):
    on: dt.date | None = None
    reason: str | None = None


class _Listed(_Lenient):
    version: str = Field(pattern=r"^\d{4}\.\d{1,2}\.\d+$")
    withdrawn: _Withdrawn | dt.date | bool | None = None


class _VersionList(_Lenient):
    versions: tuple[_Listed, ...]


def read_tombstones(public: Path) -> tuple[Tombstone, ...]:
    """All that was taken out of the releases of a public folder, the newest release first.

    Errors: `ManifestError` naming the file that cannot be read.
    """
    found = [*_withdrawn(public / "versions.json")]
    for version in released_versions(public):
        path = public / "v" / version / "erasure.json"
        if path.exists():
            found += [_stone(version, told) for told in _read(_ErasureFile, path).erasures]
    return tuple(sorted(found, key=lambda stone: (version_key(stone.version), stone.erasure or ""), reverse=True))


def _stone(version: str, told: _Erasure) -> Tombstone:
    return Tombstone(version, told.erased_on, told.reason, tuple(sorted(told.rows.items())), told.erasure)


def _withdrawn(path: Path) -> Sequence[Tombstone]:
    if not path.exists():
        return []
    stones = []
    for entry in _read(_VersionList, path).versions:
        said = entry.withdrawn
        if isinstance(said, _Withdrawn):
            stones.append(Tombstone(entry.version, said.on, said.reason))
        elif said:
            stones.append(Tombstone(entry.version, said if isinstance(said, dt.date) else None, None))
    return stones


def _read(model: type[Model], path: Path) -> Model:
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ManifestError(
            f"{path}: not a file of this kind ({error.error_count()} faults); put it back from a copy"
        ) from None
