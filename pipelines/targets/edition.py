"""What is pushed: a verified release of a local public folder, and what stands beside it there.

Belongs here: reading and judging the local side before anything is sent. Does not belong here: any target.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import orjson

from pipelines.release.manifest import (
    Manifest,
    Pointer,
    read_manifest,
    read_pointer,
    released_versions,
    version_key,
)
from pipelines.release.verify import CHECKSUMS, sha256_of, verify_release
from pipelines.targets.target import TargetError

LATEST = "latest.json"
CATALOGUE = ("deltas.json", "versions.json", "catalog.json")  # in the order in which they are written
MANIFEST = "manifest.json"
RELEASES = "v"
TEMPORARY = ".partial-"  # how a pointer is called that is being written


@dataclass(frozen=True)
class Item:
    """One file to be sent: its name below the public folder, with `/`, where it stands, size and SHA-256."""

    name: str
    path: Path
    size: int
    sha256: str

    def content(self) -> bytes:
        """All bytes of a small file. Errors: `TargetError` where it was changed since it was listed."""
        content = self.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise TargetError(f"{self.path} was changed while it was pushed, by a run perhaps: push again")
        return content


@dataclass(frozen=True)
class Release:
    """A release that verifies; `SHA256SUMS` is the last of its files, so whoever finds it finds all others."""

    folder: Path
    manifest: Manifest
    files: tuple[Item, ...]

    @property
    def version(self) -> str:
        """Such as 2026.11.0."""
        return self.manifest.version

    @property
    def checksums(self) -> Item:
        """`SHA256SUMS`, which is sent last."""
        return self.files[-1]

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(item.size for item in self.files)


@dataclass(frozen=True)
class Edition:
    """A release and the public folder that it stands in.

    `pages`, `catalogue` and `latest` are what stands beside the releases, in the order in which it may change at a
    target; all three are about the newest release and are empty where another one is pushed. `pages` holds every
    file that is neither catalogue nor pointer. `listed` are the versions that the catalogue names, oldest first.
    """

    public: Path
    release: Release
    pages: tuple[Item, ...]
    catalogue: tuple[Item, ...]
    latest: Item | None
    listed: tuple[str, ...]

    @property
    def version(self) -> str:
        """Of the release that is pushed."""
        return self.release.version

    @cached_property
    def is_newest(self) -> bool:
        """Whether the release is the one that `latest.json` names."""
        return self.latest is not None

    def other(self, version: str) -> Release:
        """Another release of the same folder. Errors: `TargetError` where it does not verify."""
        return open_release(self.public, version)


def read_edition(public: Path, version: str) -> Edition:
    """Read and verify a release to be pushed; `latest` is the one that `latest.json` names.

    Errors: `TargetError`, and `ManifestError` where a manifest or pointer cannot be read.
    """
    pointer = read_pointer(public)
    if pointer is None:
        raise TargetError(f"{public} has no {LATEST}: run `engagement publish` first")
    wanted = pointer.version if version == "latest" else version
    version_key(wanted)  # refuses what is no version, such as a path
    release = open_release(public, wanted)
    if wanted != pointer.version:
        return Edition(public, release, (), (), None, ())
    listed = _listed(public, pointer, release)
    special = (*CATALOGUE, LATEST)
    pages = tuple(_item(public, name) for name in _beside_releases(public) if name not in special)
    catalogue = tuple(_item(public, name) for name in CATALOGUE)
    return Edition(public, release, pages, catalogue, _item(public, LATEST), listed)


def open_release(public: Path, version: str) -> Release:
    """Verify a release folder and list its files. Errors: `TargetError` with every fault."""
    folder = public / RELEASES / version
    if not folder.is_dir():
        held = ", ".join(released_versions(public)) or "none"
        raise TargetError(f"no release {version} below {public}: it holds {held}")
    if faults := verify_release(folder):
        raise TargetError(f"release {version} does not verify and is not pushed: {'; '.join(faults)}")
    lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    sums = {name: sha256 for sha256, name in (line.split("  ", 1) for line in lines)}
    # Small files first: what is wrong with a target shows before the large ones are sent.
    items = sorted(
        (
            Item(f"{RELEASES}/{version}/{name}", folder / name, (folder / name).stat().st_size, sha256)
            for name, sha256 in sums.items()
        ),
        key=lambda item: (item.size, item.name),
    )
    return Release(folder, read_manifest(folder), (*items, _item(public, f"{RELEASES}/{version}/{CHECKSUMS}")))


def erasures_in(manifest: bytes) -> frozenset[str]:
    """The numbers of the erasures that a manifest tells of: each made a new edition of the same release.

    The manifest is read as plain JSON, since that at a target may be older than what this program knows.
    """
    try:
        told = orjson.loads(manifest).get("erasures") or []
        return frozenset(str(one["erasure"]) for one in told)
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return frozenset()


def _listed(public: Path, pointer: Pointer, release: Release) -> tuple[str, ...]:
    """The versions that the lists name, after a look whether lists, pointer and folders agree."""
    versions = {str(entry["version"]) for entry in _entries(public)}
    held = set(released_versions(public))
    newest = max(versions, key=version_key, default=None)
    if versions != held or newest != pointer.version:
        raise TargetError(
            f"versions.json and {LATEST} in {public} do not agree with the folders below {RELEASES}/: run "
            f"`engagement publish` again, then push"
        )
    if sha256_of(release.folder / MANIFEST) != pointer.manifest_sha256:
        raise TargetError(f"{LATEST} names another manifest of {release.version} than the one that is there")
    if _json(public, "catalog.json").get("version") != pointer.version:
        raise TargetError(f"catalog.json in {public} is about another release than {LATEST}: publish again")
    return tuple(sorted(versions, key=version_key))


def _entries(public: Path) -> list[dict[str, object]]:
    found = _json(public, "versions.json").get("versions")
    if not isinstance(found, list) or not all(isinstance(entry, dict) and "version" in entry for entry in found):
        raise TargetError(f"{public / 'versions.json'}: damaged; publish again")
    return found


def _json(public: Path, name: str) -> dict[str, object]:
    try:
        found = orjson.loads((public / name).read_bytes())
    except FileNotFoundError:
        raise TargetError(f"{public / name} is missing: publish again") from None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise TargetError(f"{public / name}: damaged; publish again")
    return found


def _beside_releases(public: Path) -> Iterator[str]:
    """Every file below the public folder that belongs to no release, by name."""
    for path in sorted(public.rglob("*")):
        name = path.relative_to(public).as_posix()
        if path.is_file() and not name.startswith(f"{RELEASES}/") and not path.name.startswith(TEMPORARY):
            yield name


def _item(public: Path, name: str) -> Item:
    path = public / name
    try:
        return Item(name, path, path.stat().st_size, sha256_of(path))
    except FileNotFoundError:
        raise TargetError(f"{path} is missing: publish again") from None
