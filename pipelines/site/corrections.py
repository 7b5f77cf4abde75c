"""The page about correction and removal: how to ask, what happens then, and what was done so far.

Belongs here: the record of corrections as the page shows it, and erasures as counts. Does not belong here: making
corrections, and anything that says whom an erasure was about.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from pipelines.cadence import WEEKLY_RELEASE
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
