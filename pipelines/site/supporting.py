"""The supporting pages together: all but home, datasets, authorities and status, made from a public folder.

Belongs here: which pages there are and what each is given. Does not belong here: their content, and writing them.
The status page is not among them, since it alone has a clock (`status`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipelines.contract import Contract
from pipelines.release.changes import changelog
from pipelines.release.manifest import Manifest
from pipelines.release.metadata.publisher import Publisher
from pipelines.settings import project_folder
from pipelines.site.accessibility import accessibility_page
from pipelines.site.corrections import corrections_page, read_corrections
from pipelines.site.dictionary import dictionary_page
from pipelines.site.documents import document_pages, read_documents
from pipelines.site.feed import PATH as FEED
from pipelines.site.feed import atom_feed
from pipelines.site.issues import issues_page, read_issues
from pipelines.site.methods import methods_page
from pipelines.site.page import Page
from pipelines.site.tombstones import read_tombstones
from pipelines.site.versions import versions_page


def supporting_pages(
    public: Path,
    manifests: Sequence[Manifest],
    contracts: Mapping[str, Contract],
    publisher: Publisher,
) -> Iterator[Page]:
    """Every supporting page of a public folder.

    `manifests` are its releases, the oldest first, `contracts` those of the newest by dataset. Errors:
    `ManifestError` for a release that cannot be read, `SettingsError` for a document that is missing.
    """
    newest = manifests[-1]
    tombstones = read_tombstones(public)
    documents = read_documents(project_folder("docs"))
    yield versions_page(manifests, changelog(public), publisher, tombstones)
    yield dictionary_page(newest, contracts)
    yield methods_page(documents)
    yield from document_pages(documents)
    yield issues_page(newest, read_issues(public / "v" / newest.version))
    yield accessibility_page()
    yield corrections_page(read_corrections(public / "v" / newest.version), tombstones)


def supporting_files(public: Path, manifests: Sequence[Manifest], publisher: Publisher) -> dict[str, bytes]:
    """The files beside the pages, by their path below the public folder: the feed of releases."""
    return {FEED: atom_feed(manifests, changelog(public), publisher)}
