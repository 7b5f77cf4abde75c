"""An official account is erased from the published sample world by the command, and does not come back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.release.build import pointer_faults
from pipelines.release.manifest import read_manifest, read_pointer, released_versions
from pipelines.release.verify import verify_release
from pipelines.settings import Home
from tests.canaries import sightings
from tests.conftest import DAY, publish

HANDLE = "zzneedlemoor.bsky.social"


def rows_of(folder: Path, dataset: str) -> int:
    """Rows as the file has them and as the manifest says."""
    rows: int = pq.read_metadata(folder / f"{dataset}.parquet").num_rows
    assert read_manifest(folder).dataset(dataset).rows == rows
    return rows


def test_an_account_is_found_everywhere_before_and_nowhere_after(sample_home: Home, tmp_path: Path) -> None:
    home = Home(Path(shutil.copytree(sample_home.root, tmp_path / "home")))
    first = home.public / "v" / released_versions(home.public)[0]
    told = pq.read_table(first / "account_activity_weekly.parquet", filters=[("handle", "=", HANDLE)]).to_pylist()
    tokens = {HANDLE, told[0]["account_id"].removeprefix("did:plc:")}
    before = {name.split("/")[0] for name, _ in sightings(home.root, tokens)}
    assert before == {"observations", "public", "roster.parquet", "snapshots", "warehouse.duckdb"}
    counts = {dataset.name: dataset.rows for dataset in read_manifest(first).datasets}

    result = CliRunner().invoke(main, ["erase", "bluesky", HANDLE, "--home", str(home.root)])
    assert result.exit_code == 0, result.output
    assert not any(token in result.output.lower() for token in tokens)
    assert sightings(home.root, tokens) == set()

    versions = released_versions(home.public)
    assert len(versions) == 2
    assert [verify_release(home.public / "v" / version) for version in versions] == [[], []]
    assert pointer_faults(home.public) == []
    (note,) = read_manifest(first).erasures or ()
    assert note.rows["account_activity_weekly"] == len(told) > 0
    assert {name: rows_of(first, name) for name in counts} == {
        name: rows - note.rows.get(name, 0) for name, rows in counts.items()
    }

    again = publish(home.root, day=DAY)  # with all sources, which list the account as before
    assert again.success, again.problems
    assert not again.is_new
    assert sightings(home.root, tokens) == set()
    pointer = read_pointer(home.public)
    assert pointer is not None
    assert pointer.version == versions[-1]
