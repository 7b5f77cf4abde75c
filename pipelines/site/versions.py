"""The page of versions: every release, what each changed, what will go, and what was taken out afterwards.

Belongs here: choosing how much is told of each release, so that the page stays small however many there are. Does
not belong here: finding out what changed (`release.changes`) and its wording (`release.diff`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipelines.release.changes import ReleaseChanges
from pipelines.release.diff import MEANINGS, in_html
from pipelines.release.manifest import Change, DatasetEntry, Manifest, version_key
from pipelines.release.metadata.publisher import Publisher, cite
from pipelines.release.pages import sentence
from pipelines.release.versions import NOTICE_DAYS
from pipelines.site.page import Page
from pipelines.site.tombstones import Tombstone

DETAILED = 8  # releases of which everything is told
DETAIL_BYTES = 25_000  # and never more than this in all
LISTED = 52  # releases in the list: a year, at one a week; older ones stand in versions.json
SENTENCES = 3  # of each release in the list
SENTENCE_CHARACTERS = 12_000  # and never more than this in all
LEVELS: tuple[Change, ...] = ("major", "minor", "patch", "none", "first")


@dataclass(frozen=True)
class Told:
    """A release in the list: the first few sentences about what changed, and how many more there are."""

    manifest: Manifest
    sentences: tuple[str, ...]
    more: int
    stones: tuple[Tombstone, ...]


def versions_page(
    manifests: Sequence[Manifest],
    changes: Sequence[ReleaseChanges],
    publisher: Publisher,
    tombstones: Sequence[Tombstone] = (),
) -> Page:
    """The page `versions.html`; releases and their changes may come in any order, and one may lack the latter."""
    releases = sorted(manifests, key=lambda manifest: version_key(manifest.version), reverse=True)
    by_version = {told.version: told for told in changes}
    newest = releases[0]
    listed = releases[:LISTED]
    return Page(
        "versions.html",
        "Versions",
        "versions.html",
        {
            "newest": newest,
            "releases": _listed(listed, by_version, tombstones),
            "unlisted": len(releases) - len(listed),
            "details": _details(listed, by_version),
            "levels": [(level, MEANINGS[level]) for level in LEVELS],
            "deprecated": [dataset for dataset in newest.datasets if dataset.deprecation],
            "gone": _gone(releases),
            "citation": cite(newest, publisher),
            "address": publisher.address(newest.version, "") if publisher.base_url else f"v/{newest.version}/",
            "withdrawn": [stone for stone in tombstones if stone.is_withdrawn],
            "erased": [stone for stone in tombstones if not stone.is_withdrawn],
            "notice_days": NOTICE_DAYS,
        },
    )


def change_sentence(text: str) -> str:
    """A sentence about a change with a full stop; a dataset's name in front of it keeps its small letters."""
    return f"{text.rstrip('.')}." if ": " in text else sentence(text)


def _listed(
    releases: Sequence[Manifest], by_version: Mapping[str, ReleaseChanges], tombstones: Sequence[Tombstone]
) -> list[Told]:
    """The first sentences about each release, for as long as there is room for any."""
    found = []
    room = SENTENCE_CHARACTERS
    for manifest in releases:
        changes = by_version.get(manifest.version)
        sentences = changes.sentences if changes else ()
        first = tuple(change_sentence(text) for text in sentences[:SENTENCES])
        room -= sum(map(len, first))
        shown = first if room > 0 else ()
        stones = tuple(stone for stone in tombstones if stone.version == manifest.version)
        found.append(Told(manifest, shown, len(sentences) - len(shown), stones))
    return found


def _details(releases: Sequence[Manifest], by_version: Mapping[str, ReleaseChanges]) -> list[Markup]:
    """All that changed in the newest releases, dataset by dataset, as far as there is room for it."""
    found: list[Markup] = []
    size = 0
    for manifest in releases[:DETAILED]:
        changes = by_version.get(manifest.version)
        if changes is None or changes.previous is None:
            continue
        part = in_html(changes, level=3)
        size += len(part.encode())
        if size > DETAIL_BYTES:
            break
        found.append(part)
    return found


def _gone(releases: Sequence[Manifest]) -> list[tuple[DatasetEntry, str]]:
    """Datasets of older releases that the newest has no more, each with the last version that had it."""
    there = {dataset.name for dataset in releases[0].datasets}
    found: dict[str, tuple[DatasetEntry, str]] = {}
    for manifest in releases[1:]:
        for dataset in manifest.datasets:
            if dataset.name not in there:
                found.setdefault(dataset.name, (dataset, manifest.version))
    return [found[name] for name in sorted(found)]
