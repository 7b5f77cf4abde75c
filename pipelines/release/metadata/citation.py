"""CITATION.cff, which code hosts and reference managers read."""

from __future__ import annotations

import yaml

from pipelines.release.manifest import LICENCES, DatasetEntry, Manifest
from pipelines.release.metadata.publisher import Publisher, cite
from pipelines.release.metadata.shared import Node, by_licence, credit_to, keywords, name_of, summary, without_none


def citation_cff(manifest: Manifest, publisher: Publisher) -> str:
    """The Citation File Format 1.2 description; licences stand with each dataset under `references`.

    A list of licences at the top would mean a choice between them, so it is given only where there is one.
    """
    page = publisher.address(manifest.version, "index.html") if publisher.base_url else None
    licences = by_licence(manifest)
    document = {
        "cff-version": "1.2.0",
        "message": cite(manifest, publisher)
        if manifest.notice
        else "If you use these data, please cite them as below.",
        "title": manifest.title,
        "type": "dataset",
        "version": manifest.version,
        "date-released": manifest.released_on,
        "authors": [without_none({"name": publisher.name, "website": publisher.url})],
        "abstract": summary(manifest),
        "keywords": keywords(manifest),
        "license": next(iter(licences)) if len(licences) == 1 else None,
        "url": page,
        "references": [_cff_reference(dataset, manifest, publisher) for dataset in manifest.datasets],
    }
    return yaml.safe_dump(without_none(document), sort_keys=False, allow_unicode=True, width=110)


def _cff_reference(dataset: DatasetEntry, manifest: Manifest, publisher: Publisher) -> Node:
    page = publisher.address(manifest.version, f"index.html#{dataset.name}") if publisher.base_url else None
    credited = credit_to(dataset.attribution, manifest)
    return without_none(
        {
            "type": "data",
            "title": name_of(dataset, manifest),
            "authors": [{"name": publisher.name}],
            "version": manifest.version,
            "date-released": manifest.released_on,
            "license": dataset.licence,
            "license-url": LICENCES[dataset.licence][1],
            "url": page,
            "notes": f"{dataset.name}, schema {dataset.schema_version}."
            + (f" Attribution: {'; '.join(credited)}." if credited else ""),
        }
    )
