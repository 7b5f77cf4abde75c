"""The page about correction and removal: how to ask, what happens then, and what was done so far.

Belongs here: the record of corrections as the page shows it, and erasures as counts. Does not belong here: making
corrections, and anything that says whom an erasure was about.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.cadence import WEEKLY_RELEASE
from pipelines.release.manifest import ManifestError
from pipelines.site.page import Page
from pipelines.site.tombstones import Tombstone

SHOWN = 150  # corrections on the page, the newest


@dataclass(frozen=True)
class Correction:
    """One correction that is applied: when it was made, of what, why, and the role of who reported it."""

    made_on: dt.date
    dataset: str
    what: str
    reason: str
    reporter_role: str


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    table: str
    key: dict[str, str]
    column: str
    reason: str
    reported_by: str
    decided_on: dt.date


class _File(BaseModel):
    corrections: tuple[_Told, ...]


def read_corrections(folder: Path) -> list[Correction]:
    """The corrections in force in a release; an older one tells of none. Errors: `ManifestError`."""
    path = folder / "corrections.json"
    if not path.exists():
        return []
    try:
        told = _File.model_validate_json(path.read_bytes()).corrections
    except ValidationError as error:
        raise ManifestError(f"{path}: not a list of corrections ({error.error_count()} faults)") from None
    return [
        Correction(one.decided_on, one.table, _cell(one), one.reason, one.reported_by.replace("_", " "))
        for one in told
    ]


def _cell(told: _Told) -> str:
    """The cell that a correction mends, in words."""
    return f"{told.column} where {', '.join(f'{name} is {value}' for name, value in told.key.items())}"


@dataclass(frozen=True)
class ErasureCount:
    """One erasure in counts: its day, how many releases it touched, and how many rows left them."""

    day: dt.date | None
    releases: int
    rows: int


def corrections_page(corrections: Sequence[Correction] = (), tombstones: Sequence[Tombstone] = ()) -> Page:
    """The page `corrections.html`; corrections may come in any order."""
    newest_first = sorted(corrections, key=lambda one: (one.made_on, one.dataset, one.what), reverse=True)
    return Page(
        "corrections.html",
        "Correction and removal",
        "corrections.html",
        {
            "corrections": newest_first[:SHOWN],
            "older": max(len(newest_first) - SHOWN, 0),
            "erasures": erasure_counts(tombstones),
            "release_days": WEEKLY_RELEASE.days,
        },
    )


def erasure_counts(tombstones: Iterable[Tombstone]) -> list[ErasureCount]:
    """Erasures in counts, the newest first; those of one erasure in several releases are one."""

    def which(stone: Tombstone) -> str:
        return stone.erasure or ""

    counted = []
    for _, same in groupby(sorted((s for s in tombstones if not s.is_withdrawn), key=which), key=which):
        stones = list(same)
        counted.append(ErasureCount(stones[0].day, len(stones), sum(stone.row_count for stone in stones)))
    return sorted(counted, key=lambda one: (one.day or dt.date.min, one.releases, one.rows), reverse=True)
