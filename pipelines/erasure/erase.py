"""The order of an erasure: keep it out, take it out, publish without it, prove it, forget it.

Belongs here: which step follows which, and what is told of it. Does not belong here: the steps themselves
(`stored`, `editions`, `search`). Each step finds by itself what is left to do, so an erasure that was killed at
any point is completed by doing all of them again; the journal keeps the names until then.
"""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipelines.contract import Contract
from pipelines.erasure.editions import count_in_releases, erase_from_releases
from pipelines.erasure.journal import ErasureError, Pending, Reason, read_pending
from pipelines.erasure.names import Known, find_names, in_observations, in_releases, in_snapshots
from pipelines.erasure.search import Trace, find_traces, needle_for
from pipelines.erasure.stored import (
    drop_unfinished,
    drop_warehouse,
    erase_from_records,
    erase_from_roster,
    erase_from_snapshots,
    refuse_running,
)
from pipelines.observations import ObservationStore
from pipelines.release.manifest import read_pointer
from pipelines.settings import Home
from pipelines.snapshots import SnapshotStore, write_atomically
from pipelines.suppression import OWNER_ONLY, read_suppressed

Tell = Callable[[str], None]  # is told of each step before it is taken
SHOWN_TRACES = 20


@dataclass(frozen=True)
class Place:
    """A home, and what is needed to read it; `sources` are the contracts of all sources."""

    home: Home
    observations: ObservationStore
    sources: Sequence[Contract]

    @property
    def snapshots(self) -> SnapshotStore:
        """The snapshots of the home."""
        return SnapshotStore(self.home.snapshots)


@dataclass(frozen=True)
class Counts:
    """What goes, or went, in rows and files by place; never a name.

    `handles`, `ids` and `shared` count the names of the account; see `names.Known`.
    """

    handles: int = 0
    ids: int = 0
    shared: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    releases: tuple[str, ...] = ()


class Record(BaseModel):
    """An erasure that is done, for whoever has to show that it was: a line of `erasures/done.jsonl`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    erasure: str
    began_on: dt.date
    ended_on: dt.date
    reason: Reason
    releases: tuple[str, ...]
    files_searched_in: int


def find(place: Place, platform: str, text: str) -> Known:
    """The names of the account that is meant, from all that the home holds. Errors: `ErasureError`."""
    sightings = [
        *in_observations(place.observations, platform),
        *in_snapshots(place.snapshots, place.sources, platform),
        *in_releases(place.home.public, platform),
    ]
    return find_names(platform, text, sightings)


def plan(known: Known, platform: str, reason: Reason, day: dt.date, *, is_word: bool = False) -> Pending:
    """An erasure that has not begun."""
    return Pending(
        erasure=uuid.uuid4().hex,
        day=day,
        reason=reason,
        platform=platform,
        handles=known.handles,
        ids=known.ids,
        written=known.written,
        bodies=known.bodies,
        is_word=is_word,
    )


def count(place: Place, pending: Pending, shared: int = 0) -> Counts:
    """What an erasure would take out, without taking anything out."""
    rows: Counter[str] = Counter()
    needle = needle_for(pending)
    snapshots = erase_from_snapshots(place.snapshots, place.sources, pending, needle, dry_run=True)
    rows.update({f"snapshots of {source}": n for source, n in snapshots.items()})
    observed = place.observations.erase(pending.platform, _meant(pending), dry_run=True)
    rows.update({f"observations: {table}": n for table, n in observed.items()})
    rows.update({"list of accounts to ask about": erase_from_roster(place.home, pending, dry_run=True)})
    rows.update({"records (files)": erase_from_records(place.home, needle, dry_run=True)})
    published = count_in_releases(place.home, pending)
    rows.update({f"release {name}": n for name, n in published.items()})
    releases = tuple(dict.fromkeys(name.split()[0] for name in published))
    return Counts(len(pending.handles), len(pending.ids), shared, +rows, releases)


def carry_out(
    place: Place, pending: Pending, publish: Callable[[], None], tell: Tell = lambda _: None
) -> tuple[str, ...]:
    """Do all that is left of an erasure; returns the versions that were written anew.

    `publish` makes a release from what is stored, without fetching anything, and raises `ErasureError` where it
    cannot. Errors: `ErasureError` when something else uses the home or a trace is left; the journal then stays,
    and the same call goes on.
    """
    home = place.home
    refuse_running(home)
    drop_unfinished(home)
    pending = pending.save(home)
    needle = needle_for(pending)
    tell("keeping the account out of what is fetched from now on")
    suppressed = read_suppressed(home.erasures)
    suppressed.with_names(pending.names, pending.day)
    tell("snapshots")
    erase_from_snapshots(place.snapshots, place.sources, pending, needle)
    tell("observations")
    place.observations.erase(pending.platform, _meant(pending))
    tell("list of accounts to ask about")
    erase_from_roster(home, pending)
    tell("warehouse")
    drop_warehouse(home)
    tell("records")
    erase_from_records(home, needle)
    tell("releases")
    releases = tuple(erase_from_releases(home, pending))
    pending = pending.model_copy(update={"is_mended": True}).save(home)
    if read_pointer(home.public):
        tell("a new release")
        publish()
    tell("search of every byte")
    roots = _roots(home)
    refuse_traces(find_traces(roots, needle, without={home.erasures / "pending.json"}))
    tell("done")
    _record(home, pending, releases, sum(path.is_file() for root in roots for path in root.rglob("*")))
    (home.erasures / "pending.json").unlink()
    return releases


def _meant(pending: Pending) -> Callable[[str], bool]:
    return lambda text: pending.holds(pending.platform, text)


def _roots(home: Home) -> list[Path]:
    """What is searched: the home, and the storage of Dagster where that stands elsewhere."""
    storage = os.environ.get("DAGSTER_HOME")
    elsewhere = (
        [Path(storage)] if storage and not Path(storage).resolve().is_relative_to(home.root.resolve()) else []
    )
    return [home.root, *elsewhere]


def refuse_traces(traces: Sequence[Trace]) -> None:
    """Refuse to call an erasure done while anything names the account. Errors: `ErasureError`."""
    if not traces:
        return
    listed = "; ".join(str(trace) for trace in traces[:SHOWN_TRACES])
    more = f"; and {len(traces) - SHOWN_TRACES} more" if len(traces) > SHOWN_TRACES else ""
    raise ErasureError(
        f"the erasure is not done: the account is still named in {len(traces)} places: {listed}{more}. Take it "
        f"out there and run `engagement erase --resume`. If these places mean something else by the same word, "
        f"such as another platform's account or a web site, add --also-a-word: then the permanent id, cells that "
        f"name accounts and addresses of profiles are what is looked for"
    )


def _record(home: Home, pending: Pending, releases: tuple[str, ...], files: int) -> None:
    """Keep that an erasure was done, and of what extent; a second time changes nothing."""
    path = home.erasures / "done.jsonl"
    kept = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    record = Record(
        erasure=pending.erasure,
        began_on=pending.day,
        ended_on=today(),
        reason=pending.reason,
        releases=releases,
        files_searched_in=files,
    )
    lines = [*(line for line in kept if pending.erasure not in line), record.model_dump_json()]
    write_atomically(path, "".join(f"{line}\n" for line in lines).encode(), mode=OWNER_ONLY)


def resumed(home: Home, *, is_word: bool = False) -> Pending:
    """The erasure that is under way. Errors: `ErasureError` where there is none."""
    pending = read_pending(home)
    if pending is None:
        raise ErasureError("no erasure is under way here: there is nothing to resume")
    return pending.model_copy(update={"is_word": pending.is_word or is_word})


def today() -> dt.date:
    """The day in UTC."""
    return dt.datetime.now(dt.UTC).date()
