"""What the site reads: the newest release, its tables as views, and the releases before it.

Belongs here: opening a public folder for reading. Does not belong here: what pages make of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import orjson

from pipelines.cadence import WEEKLY_RELEASE
from pipelines.contract import Contract, released_contract
from pipelines.release.build import latest_release
from pipelines.release.changes import CONTRACTS, ReleaseChanges, read_changes
from pipelines.release.manifest import Manifest, ManifestError, read_manifest, released_versions
from pipelines.release.metadata.publisher import Publisher

Row = dict[str, Any]
QUERIES = Path(__file__).resolve().parent / "queries"


@dataclass(frozen=True)
class Released:
    """The newest release of a public folder, open for reading; `manifests` are all releases, the oldest first."""

    public: Path
    folder: Path
    manifest: Manifest
    manifests: Sequence[Manifest]
    contracts: Mapping[str, Contract]
    changes: ReleaseChanges | None
    quality: Mapping[str, Any]
    publisher: Publisher
    con: duckdb.DuckDBPyConnection

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows of a query on the released tables, each by column name."""
        cursor = self.con.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def query(self, name: str) -> list[Row]:
        """The rows of the query `queries/<name>.sql`."""
        return self.rows((QUERIES / f"{name}.sql").read_text(encoding="utf-8"))

    def has(self, *names: str) -> bool:
        """Whether the release holds all of these datasets."""
        return set(names) <= set(self.contracts)

    @property
    def next_expected(self) -> dt.date:
        """The day by which the next release is expected, if anything changes until then."""
        released = dt.datetime.combine(self.manifest.released_on, dt.time.max, dt.UTC)
        return WEEKLY_RELEASE.next_after(released).date()


@contextmanager
def open_released(public: Path, publisher: Publisher) -> Iterator[Released]:
    """Open the newest release of a public folder. Errors: `ManifestError` where there is none or it is damaged."""
    folder = latest_release(public)
    if folder is None:
        raise ManifestError(f"{public}: holds no release yet, so there is nothing to make pages of")
    manifest = read_manifest(folder)
    con = duckdb.connect(":memory:")
    try:
        for dataset in manifest.datasets:
            _create_view(con, folder / dataset.file(".parquet").path, dataset.name)
        yield Released(
            public=public,
            folder=folder,
            manifest=manifest,
            manifests=[read_manifest(public / "v" / version) for version in released_versions(public)],
            contracts={
                d.name: released_contract(folder / CONTRACTS / f"{d.name}.json") for d in manifest.datasets
            },
            changes=read_changes(folder),
            quality=orjson.loads((folder / "quality.json").read_bytes())["datasets"],
            publisher=publisher,
            con=con,
        )
    finally:
        con.close()


def _create_view(con: duckdb.DuckDBPyConnection, file: Path, name: str) -> None:
    try:
        con.from_parquet(str(file)).create_view(name)
    except duckdb.Error:
        raise ManifestError(f"{file}: cannot be read as Parquet; run `engagement verify` on its folder") from None
