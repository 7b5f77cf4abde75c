"""Replaced snapshots go when their contract says so; what a table or a release needs stays."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.contract import Contract, ContractError, load_contracts
from pipelines.release.manifest import read_manifest
from pipelines.retention import expire_snapshots
from pipelines.settings import Home, project_folder
from pipelines.snapshots import Fetch, SnapshotStore
from tests.helpers import column, document, load

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def a_source(folder: Path, **custom: Any) -> Contract:
    return load(folder, document("source.things", [column("code")], **custom))


def put(home: Home, text: str, day: int, location: str = "here") -> str:
    """Store a snapshot that was fetched on a day."""
    store = SnapshotStore(home.snapshots)
    sha256, is_new = store.put("things", text.encode())
    at = NOON + dt.timedelta(days=day)
    status = "new" if is_new else "unchanged"
    store.log(
        "things", Fetch(location=location, status=status, fetched_at=at, as_of=at.date(), sha256=sha256, rows=1)
    )
    return sha256


def test_a_replaced_snapshot_goes_after_its_days_and_the_log_remembers_it(tmp_path: Path) -> None:
    home, contract = Home(tmp_path / "home"), a_source(tmp_path, retentionDays=30)
    old, other, newest = put(home, "a", 0), put(home, "b", 1, "there"), put(home, "c", 2)
    store = SnapshotStore(home.snapshots)
    assert expire_snapshots(home, contract, NOON.date() + dt.timedelta(days=30)) == 0
    day = NOON.date() + dt.timedelta(days=31)
    assert expire_snapshots(home, contract, day) == 1
    assert store.stored("things") == sorted([other, newest])
    first = store.fetches("things")[0]
    assert (first.sha256, first.rows, first.expired_on) == (old, 1, day)
    assert [fetch.expired_on for fetch in store.fetches("things")[1:]] == [None, None]
    assert expire_snapshots(home, contract, day) == 0


def test_its_days_count_from_when_it_was_last_seen(tmp_path: Path) -> None:
    home, contract = Home(tmp_path / "home"), a_source(tmp_path, retentionDays=30)
    put(home, "a", 0)
    put(home, "a", 20)
    put(home, "c", 21)
    assert expire_snapshots(home, contract, NOON.date() + dt.timedelta(days=50)) == 0
    assert expire_snapshots(home, contract, NOON.date() + dt.timedelta(days=51)) == 1


def test_without_days_nothing_goes(tmp_path: Path) -> None:
    home, contract = Home(tmp_path / "home"), a_source(tmp_path)
    put(home, "a", 0)
    put(home, "c", 1)
    assert expire_snapshots(home, contract, NOON.date() + dt.timedelta(days=9999)) == 0


def test_what_a_kept_release_was_made_from_stays_until_the_release_goes(sample_home: Home, tmp_path: Path) -> None:
    home = Home(Path(shutil.copytree(sample_home.root, tmp_path / "home")))
    contract = load_contracts(project_folder("data_contracts"))["source.open_council_data_councillors"]
    assert contract.retention_days == 365
    store = SnapshotStore(home.snapshots)
    before = store.stored(contract.name)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    for location in {fetch.location for fetch in store.fetches(contract.name)}:
        sha256, _ = store.put(contract.name, f"new at {location}".encode())
        fetch = Fetch(location=location, status="new", fetched_at=later, as_of=later.date(), sha256=sha256)
        store.log(contract.name, fetch)
    (folder,) = (home.public / "v").iterdir()
    assert {one.sha256 for one in read_manifest(folder).inputs if one.source == contract.name} == set(before)
    day = later.date() + dt.timedelta(days=400)
    assert expire_snapshots(home, contract, day) == 0
    shutil.rmtree(folder)
    assert expire_snapshots(home, contract, day) == len(before)


@pytest.mark.parametrize("custom", [{"keepSnapshots": "all"}, {"retentionDays": 0}])
def test_days_that_would_delete_history_are_refused(tmp_path: Path, custom: dict[str, object]) -> None:
    with pytest.raises(ContractError, match="retentionDays"):
        a_source(tmp_path, **{"retentionDays": 30, **custom})
