"""The judgement on a release, in a folder or at an address, as `engagement verify` gives it.

Belongs here: what is judged in which place, and the lines that say so. Does not belong here: the single checks
(`verify`, `signing`, `contract_check`, `build` for the lists) and fetching (`remote`).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.release.build import latest_release, pointer_faults
from pipelines.release.manifest import ManifestError, read_manifest
from pipelines.release.remote import Progress, RemoteError, fetch
from pipelines.release.signing import PublicKey, describe_signature
from pipelines.release.verify import verify_release


@dataclass(frozen=True)
class Judgement:
    """What was judged, what is wrong with it, and, if nothing is, what holds."""

    name: str
    faults: tuple[str, ...]
    lines: tuple[str, ...] = ()


def judge_folder(path: Path, key: PublicKey | None) -> Judgement:
    """Judge a release folder, or the newest release of a public folder and the lists beside it."""
    is_public = (path / "latest.json").exists()
    folder = ((latest_release(path) or path) if is_public else path).resolve()
    return _judged(folder, path if is_public else None, key)


def judge_address(address: str, key: PublicKey | None, show: Progress | None = None) -> Judgement:
    """Fetch a release, or the newest of a public address and its lists, and judge it; nothing is kept."""
    with tempfile.TemporaryDirectory(prefix="engagement-verify-") as temporary:
        place = Path(temporary)
        try:
            fetched = fetch(address, place, show)
        except RemoteError as error:
            return Judgement("what is at the address", (str(error),))
        if fetched.faults:
            return Judgement(fetched.release.name, fetched.faults)
        found = _judged(fetched.release, fetched.public, key)
        said = tuple(fault.replace(f"{place}/", "") for fault in found.faults)
        return Judgement(found.name, said, found.lines)


def _judged(folder: Path, public: Path | None, key: PublicKey | None) -> Judgement:
    faults = verify_release(folder, key)
    if public and not faults:
        try:
            faults = pointer_faults(public)
        except ManifestError as error:  # of a release that is not the newest
            faults = [str(error)]
    if faults:
        return Judgement(folder.name, tuple(faults))
    manifest = read_manifest(folder)
    rows = sum(dataset.rows for dataset in manifest.datasets)
    verifies = f"{manifest.version} verifies: {len(manifest.datasets)} datasets, {rows:,} rows"
    return Judgement(folder.name, (), (verifies, describe_signature(folder, key)))
