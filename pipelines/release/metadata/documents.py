"""The files of a release that describe it to machines, together."""

from __future__ import annotations

from pipelines.release.manifest import Manifest, to_json
from pipelines.release.metadata.citation import citation_cff
from pipelines.release.metadata.croissant import croissant
from pipelines.release.metadata.datacite import datacite
from pipelines.release.metadata.dcat import dcat
from pipelines.release.metadata.publisher import Publisher
from pipelines.release.metadata.shared import Contracts


def documents(manifest: Manifest, contracts: Contracts, publisher: Publisher) -> dict[str, bytes]:
    """The files of a release that describe it to machines, by name; the manifest must list the datasets' files."""
    return {
        "CITATION.cff": citation_cff(manifest, publisher).encode(),
        "croissant.json": to_json(croissant(manifest, contracts, publisher)),
        "datacite.json": to_json(datacite(manifest, contracts, publisher)),
        "dcat.jsonld": to_json(dcat(manifest, contracts, publisher)),
    }
