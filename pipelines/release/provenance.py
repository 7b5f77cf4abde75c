"""What a release was made from, as a statement that tools for supply chains read.

Belongs here: `provenance.json`, an in-toto Statement v1 with a SLSA provenance v1 predicate, and whether it agrees
with its release. Does not belong here: signing. The manifest lists the statement, so one signature covers both.

The statement lists every file of the release but itself, the manifest, the checksums and the signature, which come
after it. It knows no clock and no folder of a machine, so the same input gives the same bytes. What it claims and
what it does not is told in `docs/trust.md`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from pipelines.release.manifest import FileEntry, InputEntry, Manifest, ManifestError
from pipelines.settings import lock_file

PROVENANCE = "provenance.json"
PRODUCT = "pkg:generic/councillor-engagement"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
RESOLVED = ("http://", "https://")
CODE, LOCK = "contracts, queries and functions", "requirements.lock"


def statement(manifest: Manifest, files: list[FileEntry], *, code_digest: str, lock_sha256: str | None) -> Any:
    """The statement about a release as plain data.

    `files` are all that stand in its folder by now, `code_digest` the SHA-256 of all contracts, queries and
    functions, `lock_sha256` that of the lock file, None where an installation brought none.
    """
    return {
        "_type": STATEMENT,
        "subject": [{"name": file.path, "digest": {"sha256": file.sha256}} for file in _by_path(files)],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": f"{PRODUCT}#publish",
                "externalParameters": {
                    "version": manifest.version,
                    "world": manifest.world,
                    "released_on": manifest.released_on.isoformat(),
                    **({"previous": manifest.previous} if manifest.previous else {}),
                },
                "resolvedDependencies": [
                    *(_dependency(entry) for entry in manifest.inputs),
                    {
                        "name": CODE,
                        "uri": f"{PRODUCT}@{manifest.code_version}",
                        "digest": {"sha256": code_digest},
                    },
                    *([{"name": LOCK, "digest": {"sha256": lock_sha256}}] if lock_sha256 else []),
                ],
            },
            "runDetails": {
                "builder": {"id": PRODUCT, "version": {"councillor-engagement": manifest.code_version}}
            },
        },
    }


def _dependency(entry: InputEntry) -> dict[str, Any]:
    """One snapshot, or the observations of a platform; without a hash where none was taken."""
    return {
        "name": entry.source,
        **({"uri": entry.location} if entry.location.startswith(RESOLVED) else {}),
        **({"digest": {"sha256": entry.sha256}} if entry.sha256 else {}),
        "annotations": {"place": entry.location, "as_of": entry.as_of.isoformat(), "rows": entry.rows},
    }


def _by_path(files: list[FileEntry]) -> list[FileEntry]:
    return sorted(files, key=lambda file: file.path)


def provenance_faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Where the statement in a release folder does not agree with the manifest; a release may have none."""
    path = folder / PROVENANCE
    if not path.exists():
        return
    try:
        said = orjson.loads(path.read_bytes())
        subjects = {subject["name"]: subject["digest"]["sha256"] for subject in said["subject"]}
        build = said["predicate"]["buildDefinition"]
        stated = build["externalParameters"]["version"]
        used = {found["digest"]["sha256"] for found in build["resolvedDependencies"] if "digest" in found}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        yield f"{PROVENANCE}: not a statement of provenance of this kind"
        return
    listed = {file.path: file.sha256 for file in manifest.every_file() if file.path != PROVENANCE}
    if subjects != listed or stated != manifest.version:
        yield f"{PROVENANCE}: speaks of other files than the manifest lists"
    if not {entry.sha256 for entry in manifest.inputs if entry.sha256} <= used:
        yield f"{PROVENANCE}: leaves out inputs that the manifest names"


def made_by(folder: Path) -> tuple[str, str | None]:
    """The digest of the code and the hash of the lock file that a release was made with, for its next edition.

    A release from before there were statements gives an empty digest. Errors: `ManifestError`.
    """
    path = folder / PROVENANCE
    if not path.exists():
        return "", None
    try:
        used = orjson.loads(path.read_bytes())["predicate"]["buildDefinition"]["resolvedDependencies"]
        digests = {found["name"]: found["digest"]["sha256"] for found in used if "digest" in found}
        return digests[CODE], digests.get(LOCK)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise ManifestError(f"{path}: not a statement of provenance of this kind") from None


def lock_sha256() -> str | None:
    """The SHA-256 of the lock file that this project was installed from, None where it did not come along."""
    path = lock_file()
    return hashlib.sha256(path.read_bytes()).hexdigest() if path else None
