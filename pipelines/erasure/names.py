"""Under which names an account is known: handles, permanent ids, and how sources write them.

Belongs here: finding the names in what a home holds. Does not belong here: taking anything out. A handle may pass
from one account to another, so a request by a handle that stood for two is refused, and an id takes only those
handles with it that were its alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.contract import Contract
from pipelines.erasure.journal import ErasureError
from pipelines.identity.platforms import PLATFORMS
from pipelines.observations import ObservationStore
from pipelines.release.manifest import read_manifest, released_versions
from pipelines.snapshots import SnapshotError, SnapshotStore
from pipelines.sources.reading import RefusedFile, read_csv
from pipelines.suppression import OWN_PLATFORM, spellings

HANDLE, ID, BODY = "handle", "account_id", "authority_code"  # what columns of tables are called that name accounts


@dataclass(frozen=True)
class Sighting:
    """One account as something stored names it: cells as they are written; `body` is an authority's code."""

    handle: str | None = None
    account_id: str | None = None
    body: str | None = None


@dataclass(frozen=True)
class Known:
    """The names of one account; `shared` counts its handles that stood for other accounts as well."""

    handles: frozenset[str]
    ids: frozenset[str]
    written: frozenset[str] = frozenset()
    bodies: frozenset[str] = frozenset()
    shared: int = 0


def find_names(platform: str, text: str, sightings: Iterable[Sighting]) -> Known:
    """All names of the account that `text`, a handle, an address or a permanent id, means.

    Errors: `ErasureError` when a handle stood for several accounts.
    """
    if platform not in PLATFORMS:
        raise ErasureError(f"{platform!r} is no platform: give one of {', '.join(PLATFORMS)}")
    asked = {name for where, name in spellings(platform, text) if where == platform}
    if not asked:
        raise ErasureError("give the account's handle, its address, or its permanent id")
    seen = [(_names(platform, one.handle), one.account_id, one) for one in sightings]
    by_handle: dict[str, set[str]] = {}
    for handles, account_id, _ in seen:
        for handle in handles:
            by_handle.setdefault(handle, set()).update({account_id} if account_id else ())
    all_ids = {account_id for _, account_id, _ in seen if account_id}
    ids = asked & all_ids or set[str]().union(*(by_handle.get(name, set()) for name in asked))
    if len(ids) > 1:
        raise ErasureError(
            f"the handle stood for {len(ids)} accounts one after the other: give the permanent id of the one "
            f"that is meant, which observation.account in the warehouse tells"
        )
    its = {handle for handles, account_id, _ in seen if account_id in ids for handle in handles}
    shared = {handle for handle in its if by_handle[handle] - ids}
    handles = frozenset((its | (asked - ids - _addresses(asked))) - shared)
    known = handles | ids
    told = [one for names, account_id, one in seen if account_id in ids or names & handles]
    return Known(
        handles - ids,
        frozenset(ids),
        frozenset(cell for one in told for cell in (one.handle, one.account_id) if cell and cell not in known),
        frozenset(one.body for one in told if one.body),
        len(shared),
    )


def _names(platform: str, cell: str | None) -> frozenset[str]:
    """A cell's names on a platform; not the cell itself, where it is an address."""
    found = {name for where, name in spellings(platform, cell or "") if where == platform}
    return frozenset(found - _addresses(found))


def _addresses(names: Iterable[str]) -> set[str]:
    """What is no name but a way to write one: an address, a quoted cell, another case."""
    names = set(names)
    return {
        name
        for name in names
        if "://" in name or '"' in name or any(other != name and other == name.lower() for other in names)
    }


# --- where accounts are named -------------------------------------------------------------------------------


def in_observations(store: ObservationStore, platform: str) -> Iterator[Sighting]:
    """The accounts that pulls of a platform saw."""
    for handle, account_id in store.sightings(platform):
        yield Sighting(handle, account_id)


def in_snapshots(store: SnapshotStore, contracts: Iterable[Contract], platform: str) -> Iterator[Sighting]:
    """The accounts of a platform that stored snapshots name; one that cannot be read any more tells nothing."""
    for contract in contracts:
        naming = {column.name: column.account for column in contract.columns if column.account}
        for sha256 in store.stored(contract.name) if naming else ():
            try:
                reading = read_csv(store.read(contract.name, sha256), contract, may_be_empty=True)
            except (RefusedFile, SnapshotError):
                continue
            for row in reading.rows:
                yield from _in_row(dict(zip(reading.columns, row, strict=True)), naming, platform)


def _in_row(row: Mapping[str, str], naming: Mapping[str, str | None], platform: str) -> Iterator[Sighting]:
    own = {name for name, stated in naming.items() if stated == OWN_PLATFORM and row.get(name)}
    if own and row[OWN_PLATFORM].strip() == platform:
        cell = next((row[name] for name in sorted(own - {ID})), None)
        yield Sighting(cell, row.get(ID) or None, row.get(BODY) or None)
    for name, stated in naming.items():
        if stated == platform and row.get(name):
            yield Sighting(row[name])


def in_releases(public: Path, platform: str) -> Iterator[Sighting]:
    """The accounts of a platform that the kept releases show in rows of their own."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for version in released_versions(public):
        folder = public / "v" / version
        for dataset in read_manifest(folder).datasets:
            path = folder / f"{dataset.name}.parquet"
            columns = [name for name in (HANDLE, ID, BODY) if name in pq.read_schema(path).names]
            if HANDLE not in columns and ID not in columns:
                continue
            rows = pq.read_table(path, columns=columns, filters=pc.field("platform") == platform)
            for row in rows.group_by(columns).aggregate([]).to_pylist():
                yield Sighting(row.get(HANDLE), row.get(ID), row.get(BODY))
