"""The status page: whether the data is up to date, how the last attempts ended, and when the next release is due.

Belongs here: putting run records into sentences for the public, and the one page that is written with a clock.
Does not belong here: the records themselves (`run`). The page tells which step of a failed run failed, not its
message, which may name files of the machine.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.cadence import DAILY_PULL, WEEKLY_RELEASE
from pipelines.contract import ContractError, released_contract
from pipelines.release.changes import CONTRACTS
from pipelines.release.manifest import Manifest, ManifestError, read_manifest, read_pointer
from pipelines.release.metadata.publisher import Publisher, publisher_from
from pipelines.settings import SettingsError
from pipelines.site.page import Frame, Page, render
from pipelines.snapshots import write_atomically

log = logging.getLogger("engagement")
ASSETS = Path(__file__).resolve().parent / "assets"
SCRIPT = "assets/status.js"
SHOWN = 10  # attempts on the page, the newest
Ending = Literal["published", "unchanged", "pulled", "failed"]
ENDINGS: dict[Ending, str] = {
    "published": "A new release was published.",
    "unchanged": "Everything was checked and nothing had changed, so there is no new release.",
    "pulled": "Sources and platforms were read and kept for the next release.",
    "failed": "It failed",
}


@dataclass(frozen=True)
class Attempt:
    """One run that tried to release or to pull, as the public may know it; `failed_at` names steps."""

    job: Literal["publish", "pull"]
    started_at: dt.datetime
    ended_at: dt.datetime
    ending: Ending
    failed_at: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """What was tried, in words."""
        return "making a release" if self.job == "publish" else "reading sources"

    @property
    def sentence(self) -> str:
        """How it ended, in words."""
        if self.ending != "failed":
            return ENDINGS[self.ending]
        where = f" at {', '.join(self.failed_at)}" if self.failed_at else ""
        kept = " What was released before stays as it is." if self.job == "publish" else ""
        return f"{ENDINGS['failed']}{where}.{kept}"


def failed_steps(problems: Sequence[str]) -> tuple[str, ...]:
    """The steps that the problems of a run record begin with, once each; what is no step's name is left out."""
    steps = (problem.partition(": ")[0] for problem in problems)
    named = (step for step in steps if step and all(part.isidentifier() for part in step.split(".")))
    return tuple(dict.fromkeys(named))


def status_page(
    manifest: Manifest, attempts: Sequence[Attempt], limit: dt.timedelta | None, now: dt.datetime
) -> Page:
    """The page `status.html` as of `now`; attempts come oldest first.

    Data is stale when the last success of making a release, with or without anything new in it, is longer ago than
    `limit`. Without such an attempt the day of the release counts.
    """
    tries = [attempt for attempt in attempts if attempt.job == "publish"]
    good = [attempt for attempt in tries if attempt.ending != "failed"]
    released = dt.datetime.combine(manifest.released_on, dt.time(), dt.UTC)
    checked = good[-1].ended_at if good else released
    stale_from = checked + limit if limit is not None else None
    return Page(
        "status.html",
        "Status",
        "status.html",
        {
            "now": now,
            "last_success": good[-1] if good else None,
            "last_attempt": tries[-1] if tries else None,
            "stale_from": stale_from,
            "last_fresh_day": (stale_from - dt.timedelta(seconds=1)).date() if stale_from else None,
            "is_stale": stale_from is not None and now >= stale_from,
            "limit_days": limit.days if limit is not None else None,
            "next_release": WEEKLY_RELEASE.next_after(now),
            "release_rhythm": WEEKLY_RELEASE.words,
            "pull_rhythm": DAILY_PULL.words,
            "attempts": list(reversed(attempts[-SHOWN:])),
            "minute": minute,
            "script": SCRIPT,
        },
    )


def minute(moment: dt.datetime) -> str:
    """The time of the day of a moment, in UTC, such as 06:15."""
    return f"{moment.astimezone(dt.UTC):%H:%M}"


def freshness_limit(folder: Path, manifest: Manifest) -> dt.timedelta | None:
    """The strictest freshness that the contracts of a release promise; None where it promises none."""
    paths = (folder / CONTRACTS / f"{dataset.name}.json" for dataset in manifest.datasets)
    days = [released_contract(path).freshness_days for path in paths if path.is_file()]
    return min((dt.timedelta(days=count) for count in days if count), default=None)


def write_status(
    public: Path, attempts: Sequence[Attempt], now: dt.datetime, publisher: Publisher | None = None
) -> Path | None:
    """Write `status.html` and its script into a public folder; returns its path.

    Before the first release there is no site, and nothing is written. A folder that cannot be read is logged and
    not raised: a run ends as it ended, whatever becomes of this page.
    """
    try:
        pointer = read_pointer(public)
        if pointer is None:
            return None
        manifest = read_manifest(public / pointer.path)
        limit = freshness_limit(public / pointer.path, manifest)
        frame = Frame(manifest, publisher or publisher_from())
        path = public / "status.html"
        (public / SCRIPT).parent.mkdir(exist_ok=True)
        write_atomically(public / SCRIPT, (ASSETS / Path(SCRIPT).name).read_bytes())
        write_atomically(path, render(status_page(manifest, attempts, limit, now), frame))
    except (ManifestError, ContractError, SettingsError, OSError) as error:
        log.warning("the status page was not written: %s", error)
        return None
    return path
