"""Snapshots: the bytes of each source as received, named by hash, and the log of every attempt to fetch them.

Belongs here: storing and finding snapshots on the local disk, atomically. Does not belong here: how bytes are
fetched (`sources.http`, `pull`) and what they mean (`sources.reading`). Everything after this point replays
offline from what stands here.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

FetchStatus = Literal["new", "unchanged", "not_modified", "refused", "failed"]
PARTIAL = ".partial-"  # how a file is called while it is written; one that a killed process left can go
USABLE: frozenset[FetchStatus] = frozenset({"new", "unchanged", "not_modified"})


class SnapshotError(Exception):
    """A snapshot that is missing or damaged; the message names it and the remedy."""


class Finding(BaseModel):
    """Something about a file's shape that its publisher changed: a new or missing field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Literal["new_field", "missing_field"]
    field: str


class Fetch(BaseModel):
    """One attempt to fetch one location of one source; refused and failed attempts are recorded too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    location: str
    status: FetchStatus
    fetched_at: dt.datetime
    as_of: dt.date
    sha256: str | None = None
    size_bytes: int | None = None
    rows: int | None = None
    layout: str | None = None
    contract_version: str | None = None
    contract_digest: str | None = None
    http_status: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    message: str | None = None
    findings: tuple[Finding, ...] = ()
    expired_on: dt.date | None = None  # the day on which the snapshot was deleted, since its time was over
    erased_on: dt.date | None = None  # the day on which an erasure put a shorter snapshot in the place of this one


class SnapshotStore:
    """The snapshots of one home: `<source>/<sha256>.csv` and `<source>/fetches.jsonl`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, source: str, data: bytes) -> tuple[str, bool]:
        """Store bytes under their hash; returns the hash and whether they were new."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._path(source, sha256)
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            return sha256, False
        write_atomically(path, data)
        return sha256, True

    def has(self, source: str, sha256: str) -> bool:
        """Whether the snapshot is still on disk."""
        return self._path(source, sha256).is_file()

    def read(self, source: str, sha256: str) -> bytes:
        """The bytes of a snapshot. Errors: `SnapshotError` when they are gone or no longer match their name."""
        path = self._path(source, sha256)
        if not path.exists():
            raise SnapshotError(
                f"{source}: snapshot {sha256[:12]} is in the fetch log but not on disk: pull again"
            )
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise SnapshotError(f"{source}: snapshot {sha256[:12]} was changed on disk: delete it and pull again")
        return data

    def log(self, source: str, fetch: Fetch) -> None:
        """Append one attempt to the source's fetch log."""
        path = self.folder / source / "fetches.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            # A line that was cut by a kill is closed first, so that it spoils nothing but itself.
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            cut = size > 0 and file.read(1) != b"\n"
            file.write(b"\n" * cut + fetch.model_dump_json(exclude_none=True).encode() + b"\n")

    def fetches(self, source: str, location: str | None = None) -> list[Fetch]:
        """Every attempt in the order in which it was made, of one location or of all."""
        path = self.folder / source / "fetches.jsonl"
        if not path.exists():
            return []
        fetches = [fetch for line in path.read_bytes().split(b"\n") if (fetch := _fetch(line))]
        return [fetch for fetch in fetches if location is None or fetch.location == location]

    def succeeded(self, source: str, location: str) -> list[Fetch]:
        """The attempts at one location that ended with a usable snapshot, in order."""
        return [fetch for fetch in self.fetches(source, location) if fetch.status in USABLE]

    def usable(self, source: str, location: str, *, every: bool) -> list[Fetch]:
        """The fetches whose snapshots count, oldest first: one for each day, or only the newest.

        The day of an unchanged content is the day it was first seen. What is fetched again for the same day is a
        correction and replaces what was there.
        """
        changes: dict[dt.date, Fetch] = {}
        newest: Fetch | None = None
        for fetch in self.succeeded(source, location):
            if newest is None or newest.sha256 != fetch.sha256:
                changes.pop(fetch.as_of, None)
                changes[fetch.as_of] = newest = fetch
        kept = list(changes.values())
        return kept if every else kept[-1:]

    def expire(self, source: str, limit: dt.date, needed: Collection[str], day: dt.date) -> int:
        """Delete snapshots last fetched before `limit` that are neither `needed` nor the newest of their place.

        Their lines in the log stay, and say on which day that was. Returns how many went.
        """
        fetches = self.fetches(source)
        newest = {fetch.location: fetch.sha256 for fetch in fetches if fetch.status in USABLE}
        last = {fetch.sha256: fetch.fetched_at.date() for fetch in sorted(fetches, key=lambda one: one.fetched_at)}
        kept = {*needed, *newest.values()}
        gone = [one for one in self.stored(source) if one not in kept and one in last and last[one] < limit]
        if gone:
            self._rewrite_log(
                source,
                [f.model_copy(update={"expired_on": day}) if f.sha256 in gone else f for f in fetches],
            )
        for sha256 in gone:
            self._path(source, sha256).unlink()
        return len(gone)

    def _rewrite_log(self, source: str, fetches: Iterable[Fetch]) -> None:
        text = "".join(f"{fetch.model_dump_json(exclude_none=True)}\n" for fetch in fetches)
        write_atomically(self.folder / source / "fetches.jsonl", text.encode())

    def stored(self, source: str) -> list[str]:
        """The hashes of all snapshots of a source that are on disk, be they in the log or not."""
        return sorted(path.stem for path in (self.folder / source).glob("*.csv") if not path.name.startswith("."))

    def replace(self, source: str, sha256: str, data: bytes | None, rows: int, day: dt.date) -> None:
        """Put other bytes in the place of a snapshot, or none, and say so in the log; for an erasure.

        The old bytes go last, so that after a kill the same call finds them again.
        """
        if data is None:
            said: dict[str, object] = {"status": "refused", "message": "removed by an erasure", "sha256": None}
        else:
            said = {"sha256": self.put(source, data)[0], "size_bytes": len(data), "rows": rows}
        if said["sha256"] == sha256:
            return
        lines = [
            fetch.model_copy(update={**said, "erased_on": day}) if fetch.sha256 == sha256 else fetch
            for fetch in self.fetches(source)
        ]
        if lines:
            self._rewrite_log(source, lines)
        self._path(source, sha256).unlink(missing_ok=True)

    def _path(self, source: str, sha256: str) -> Path:
        return self.folder / source / f"{sha256}.csv"


def _fetch(line: bytes) -> Fetch | None:
    """A line of the log; None for one that a kill has cut, whose attempt will be made again."""
    try:
        return Fetch.model_validate_json(line)
    except ValidationError:
        return None


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader sees all of it or none, also after a power cut; `mode` is who may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PARTIAL)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
