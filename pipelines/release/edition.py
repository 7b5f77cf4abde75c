"""Another edition of a release that is out: rows taken out, and every file that tells of them made anew.

Belongs here: writing the new edition whole and putting it in the place of the old. Does not belong here: which
rows go, and why (`erasure`). This is the one exception to the rule that a release never changes, and the edition
says so: in its manifest, in `erasure.json`, in its README, and in the list of versions.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.contract import Contract, released_contract
from pipelines.release import provenance
from pipelines.release.build import Inspection, ReleaseInput, file_entry, flush, write_companions
from pipelines.release.changes import (
    CONTRACTS,
    DELTAS,
    ReleaseChanges,
    compare_editions,
    read_changes,
    read_edition,
)
from pipelines.release.manifest import DatasetEntry, Erasure, Manifest, ReleaseError, read_manifest
from pipelines.release.signing import load_signer
from pipelines.release.tables import write_csv, write_parquet
from pipelines.release.verify import verify_release
from pipelines.settings import Home

KEPT = ("disclosure_report.json", "corrections.json")  # about interviews and sources; no account occurs in them

TakeOut = Callable[[pa.Table], pa.Table]


def rows_to_go(folder: Path, take_out: TakeOut) -> dict[str, int]:
    """How many rows of each dataset of a release folder would be taken out; datasets without any are left out."""
    tables = {d.name: pq.read_table(folder / f"{d.name}.parquet") for d in read_manifest(folder).datasets}
    counts = {name: table.num_rows - take_out(table).num_rows for name, table in tables.items()}
    return {name: count for name, count in counts.items() if count}


def delta_tells(folder: Path, take_out: TakeOut) -> bool:
    """Whether a delta of a release folder holds a row that would be taken out."""
    tables = (pq.read_table(path) for path in sorted((folder / DELTAS).glob("*.parquet")))
    return any(take_out(table).num_rows < table.num_rows for table in tables)


def write_edition(home: Home, version: str, take_out: TakeOut, note: Erasure, stage: Path) -> None:
    """Write a release anew into `stage`, without some rows and with a note that says so; nothing is replaced yet.

    The name of `stage` begins with a dot, since it is no release yet. Deltas are made again from this edition and
    the release before, as that stands now. Errors: `ReleaseError` when the release is from before contracts were
    kept, or when what was written does not read back.
    """
    folder = home.public / "v" / version
    old = read_manifest(folder)
    contracts = {dataset.name: _kept_contract(folder, dataset) for dataset in old.datasets}
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    shutil.copytree(folder / CONTRACTS, stage / CONTRACTS)
    datasets = tuple(
        _rewritten(folder, stage, dataset, contracts[dataset.name], take_out) for dataset in old.datasets
    )
    erasures = (*(old.erasures or ()), note)
    manifest = old.model_copy(update={"datasets": datasets, "files": (), "erasures": erasures})
    changes = _changes(home.public, folder, manifest, stage)
    levels = {dataset.name: dataset.change for dataset in changes.datasets}
    told = tuple(d.model_copy(update={"change": levels[d.name]}) for d in manifest.datasets)
    manifest = manifest.model_copy(update={"change": changes.change, "datasets": told})
    write_companions(
        _given(home, folder, manifest, contracts), _judged(folder, manifest), manifest, changes, stage
    )
    if faults := verify_release(stage):
        raise ReleaseError(
            f"{version} cannot be written anew, its new files do not read back: {'; '.join(faults)}"
        )
    flush([*sorted(stage.rglob("*"), reverse=True), stage])


def put_in_place(home: Home, version: str, stage: Path, aside: Path) -> None:
    """Put a finished edition in the place of the release; between two renames readers find none for a moment.

    After a kill, `complete_swap` does what is left.
    """
    folder = home.public / "v" / version
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    stage.rename(folder)
    flush([folder.parent])
    shutil.rmtree(aside)


def complete_swap(home: Home, version: str, stage: Path, aside: Path) -> None:
    """Finish or undo what `put_in_place` was doing when it was killed: one of the two editions is in place."""
    folder = home.public / "v" / version
    if not folder.exists() and aside.exists():
        (stage if stage.exists() else aside).rename(folder)
        flush([folder.parent])
    shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(stage, ignore_errors=True)


def _kept_contract(folder: Path, dataset: DatasetEntry) -> Contract:
    path = folder / CONTRACTS / f"{dataset.name}.json"
    if not path.is_file():
        raise ReleaseError(
            f"{folder.name} keeps no contract of {dataset.name}, so it cannot be written anew: take its folder "
            f"out of {folder.parent} and out of what you serve, and go on"
        )
    return released_contract(path)


def _rewritten(
    folder: Path, stage: Path, dataset: DatasetEntry, contract: Contract, take_out: TakeOut
) -> DatasetEntry:
    """Write a dataset's Parquet and CSV; where no row goes, the files are those of before to the last byte."""
    parquet, csv = stage / f"{dataset.name}.parquet", stage / f"{dataset.name}.csv.gz"
    table = pq.read_table(folder / parquet.name)
    left = take_out(table)
    if left.num_rows == table.num_rows:
        for path in (parquet, csv):
            shutil.copyfile(folder / path.name, path)
    else:
        write_parquet(left, contract, parquet)
        write_csv(left, csv)
    files = (file_entry(parquet, stage, left.num_rows), file_entry(csv, stage, left.num_rows))
    return dataset.model_copy(update={"rows": left.num_rows, "files": files})


def _changes(public: Path, folder: Path, manifest: Manifest, stage: Path) -> ReleaseChanges:
    """What changed since the release before; where that is gone, what was told, without the deltas."""
    if manifest.previous is None:
        return compare_editions(None, read_edition(stage, manifest), stage)
    before = public / "v" / manifest.previous
    if before.is_dir():
        return compare_editions(read_edition(before), read_edition(stage, manifest), stage)
    told = read_changes(folder)
    if told is None:
        raise ReleaseError(f"{folder.name}: neither its changes.json nor the release before it is there any more")
    lost = {"delta": None, "rows": None, "no_delta": "the release before is gone"}
    return told.model_copy(update={"datasets": tuple(d.model_copy(update=lost) for d in told.datasets)})


def _judged(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """What was checked when the release was made, with the numbers of rows that it has now."""
    judged: dict[str, Any] = orjson.loads((folder / "quality.json").read_bytes())
    for dataset in manifest.datasets:
        if dataset.name in judged["datasets"]:
            judged["datasets"][dataset.name]["rows"] = dataset.rows
    return judged


def _given(home: Home, folder: Path, manifest: Manifest, contracts: Mapping[str, Contract]) -> ReleaseInput:
    """What the files around the data are made from: the contracts of then, the publisher of now."""
    kept = {name: (folder / name).read_bytes() for name in KEPT if (folder / name).exists()}
    code_digest, lock_sha256 = provenance.made_by(folder)
    return ReleaseInput(
        home=home,
        world=manifest.world,
        released_on=manifest.released_on,
        contracts=tuple(contracts.values()),
        minimum_rows={},
        inputs={},
        origins={},
        code_digest=code_digest,
        lock_sha256=lock_sha256,
        signer=load_signer(),
        inspect=lambda _: Inspection((), kept),
    )
