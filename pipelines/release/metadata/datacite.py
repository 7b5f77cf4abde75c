"""DataCite's metadata, which a registrar of DOIs takes."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.release.manifest import LICENCES, Manifest
from pipelines.release.metadata.publisher import Publisher
from pipelines.release.metadata.shared import (
    BOX,
    COUNTRY,
    SAMPLE_PLACE,
    Contracts,
    Node,
    by_licence,
    credit_to,
    format_of,
    keywords,
    period,
    summary,
    without_none,
)
from pipelines.release.package import PRODUCT, attributions


def datacite(manifest: Manifest, contracts: Contracts, publisher: Publisher) -> Node:
    """The DataCite 4.7 metadata of a release that has no DOI yet: a registry adds the DOI when it makes one."""
    day = manifest.released_on.isoformat()
    days = period(manifest)
    forms = {format_of(entry).media_type for dataset in manifest.datasets for entry in dataset.files}
    return without_none(
        {
            "schemaVersion": "http://datacite.org/schema/kernel-4",
            "types": {"resourceType": "Tabular data", "resourceTypeGeneral": "Dataset"},
            "creators": [{"name": publisher.name, "nameType": "Organizational"}],
            "titles": [{"title": manifest.title, "lang": "en"}],
            "publisher": {"name": publisher.name},
            "publicationYear": str(manifest.released_on.year),
            "subjects": [{"subject": keyword, "lang": "en"} for keyword in keywords(manifest)],
            "dates": [
                {"date": day, "dateType": "Issued"},
                *([{"date": "/".join(map(str, days)), "dateType": "Collected"}] if days else []),
            ],
            "language": "en",
            "version": manifest.version,
            "url": publisher.address(manifest.version, "index.html") if publisher.base_url else None,
            "alternateIdentifiers": [
                {"alternateIdentifier": f"{PRODUCT}/{manifest.version}", "alternateIdentifierType": "Release"}
            ],
            "relatedIdentifiers": _previous(manifest, publisher),
            "formats": sorted(forms),
            "sizes": [f"{dataset.name}: {dataset.rows} rows" for dataset in manifest.datasets],
            "rightsList": [_rights(code, names) for code, names in by_licence(manifest).items()],
            "descriptions": _descriptions(manifest, contracts),
            "geoLocations": [_geo_location(manifest)],
        }
    )


def _previous(manifest: Manifest, publisher: Publisher) -> list[Node]:
    """The release before this one, where both have addresses."""
    if not (manifest.previous and publisher.base_url):
        return []
    return [
        {
            "relatedIdentifier": publisher.address(manifest.previous, "index.html"),
            "relatedIdentifierType": "URL",
            "relationType": "IsNewVersionOf",
            "resourceTypeGeneral": "Dataset",
        }
    ]


def _rights(code: str, names: Sequence[str]) -> Node:
    title, address = LICENCES[code]
    return {
        "rights": f"{title}: {', '.join(names)}",
        "rightsUri": address,
        "rightsIdentifier": code,
        "rightsIdentifierScheme": "SPDX",
        "schemeUri": "https://spdx.org/licenses/",
        "lang": "en",
    }


def _descriptions(manifest: Manifest, contracts: Contracts) -> list[Node]:
    limits = " ".join(f"{d.name}: {contracts[d.name].limitations}" for d in manifest.datasets)
    grains = "; ".join(f"{d.name}: {d.grain}" for d in manifest.datasets)
    credited = credit_to(attributions(manifest), manifest)
    said = [
        ("Abstract", summary(manifest)),
        ("TableOfContents", grains),
        ("TechnicalInfo", f"Limitations. {limits}"),
        *([("Other", f"Attribution: {'; '.join(credited)}.")] if credited else []),
    ]
    return [{"description": text, "descriptionType": kind, "lang": "en"} for kind, text in said]


def _geo_location(manifest: Manifest) -> Node:
    if manifest.notice:
        return {"geoLocationPlace": SAMPLE_PLACE}
    return {
        "geoLocationPlace": COUNTRY,
        "geoLocationBox": {
            "westBoundLongitude": BOX["west"],
            "eastBoundLongitude": BOX["east"],
            "southBoundLatitude": BOX["south"],
            "northBoundLatitude": BOX["north"],
        },
    }
