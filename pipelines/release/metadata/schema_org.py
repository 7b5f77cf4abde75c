"""schema.org as JSON-LD, for pages and the search engines that read them."""

from __future__ import annotations

from dataclasses import replace

import orjson

from pipelines.contract import Column, Contract
from pipelines.release.manifest import LICENCES, DatasetEntry, FileEntry, Manifest
from pipelines.release.metadata.publisher import Publisher
from pipelines.release.metadata.search_rules import GOOGLE_LENGTHS
from pipelines.release.metadata.shared import (
    BOX,
    COUNTRY,
    SAMPLE_PLACE,
    Contracts,
    Node,
    about,
    by_licence,
    credit_to,
    format_of,
    keywords,
    name_of,
    period,
    summary,
    without_none,
)
from pipelines.release.package import PRODUCT, attributions


def json_ld(
    manifest: Manifest, contracts: Contracts, base_url: str | None = None, publisher: Publisher | None = None
) -> Node:
    """The schema.org description of a whole release, each dataset as a part with its own licence and files.

    `base_url` goes before that of the publisher.
    """
    by = _publisher(publisher, base_url)
    return {
        "@context": "https://schema.org/",
        **without_none(
            {
                "@type": "Dataset",
                "@id": f"{by.address(manifest.version, 'index.html')}#release",
                "name": f"{manifest.title}, release {manifest.version}",
                "description": _clamped(summary(manifest)),
                **_shared(manifest, by),
                "license": [LICENCES[code][1] for code in by_licence(manifest)],
                "creditText": "; ".join(credit_to(attributions(manifest), manifest)) or None,
                "distribution": [
                    _download(entry, manifest, by) for entry in manifest.files if entry.path.endswith(".zip")
                ],
                "hasPart": [_part(d, contracts[d.name], manifest, by) for d in manifest.datasets],
            }
        ),
    }


def dataset_json_ld(
    manifest: Manifest,
    contract: Contract,
    base_url: str | None = None,
    publisher: Publisher | None = None,
    *,
    page: str | None = None,
) -> Node:
    """The schema.org description of one dataset; `page` is the address of its page, if not that of the release."""
    by = _publisher(publisher, base_url)
    part = _part(manifest.dataset(contract.name), contract, manifest, by, page=page)
    whole = {"@type": "Dataset", **_whole(manifest, by)}
    return {"@context": "https://schema.org/", **part, "isPartOf": whole}


def script_text(document: Node) -> str:
    """A document as the content of a `<script type="application/ld+json">`: nothing in it can end the script."""
    text = orjson.dumps(document).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _publisher(publisher: Publisher | None, base_url: str | None) -> Publisher:
    given = publisher or Publisher()
    return replace(given, base_url=base_url.rstrip("/")) if base_url else given


def _whole(manifest: Manifest, publisher: Publisher) -> Node:
    """The release as its parts name it: complete enough to stand alone where a reader takes parts one by one."""
    return {
        "@id": f"{publisher.address(manifest.version, 'index.html')}#release",
        "name": f"{manifest.title}, release {manifest.version}",
        "description": _clamped(summary(manifest)),
        "license": [LICENCES[code][1] for code in by_licence(manifest)],
        "creator": organisation(publisher),
        "url": publisher.address(manifest.version, "index.html"),
    }


def organisation(publisher: Publisher) -> Node:
    """The publisher as an organisation, with the point of contact where there is one."""
    contact = publisher.contact
    point = {"@type": "ContactPoint", "contactType": "data"}
    point |= {"url": contact} if contact and "://" in contact else {"email": contact} if contact else {}
    return without_none(
        {
            "@type": "Organization",
            "name": publisher.name,
            "url": publisher.url,
            "contactPoint": point if contact else None,
        }
    )


def _shared(manifest: Manifest, publisher: Publisher) -> Node:
    """What a release and each of its datasets say alike."""
    days = period(manifest)
    day = manifest.released_on.isoformat()
    return {
        "version": manifest.version,
        "datePublished": day,
        "dateModified": day,
        "inLanguage": "en",
        "isAccessibleForFree": True,
        "keywords": keywords(manifest),
        "creator": organisation(publisher),
        "publisher": organisation(publisher),
        "temporalCoverage": "/".join(map(str, days)) if days else None,
        "spatialCoverage": _place(manifest),
        "includedInDataCatalog": without_none(
            {"@type": "DataCatalog", "name": manifest.title, "url": publisher.base_url}
        ),
        "url": publisher.address(manifest.version, "index.html"),
        "identifier": publisher.address(manifest.version, "")
        if publisher.base_url
        else f"{PRODUCT}/{manifest.version}",
    }


def _place(manifest: Manifest) -> Node:
    if manifest.notice:
        return {"@type": "Place", "name": SAMPLE_PLACE}
    box = " ".join(str(BOX[side]) for side in ("south", "west", "north", "east"))
    return {"@type": "Place", "name": COUNTRY, "geo": {"@type": "GeoShape", "box": box}}


def _part(
    dataset: DatasetEntry, contract: Contract, manifest: Manifest, publisher: Publisher, *, page: str | None = None
) -> Node:
    shared = _shared(manifest, publisher)
    url = page or publisher.address(manifest.version, f"index.html#{dataset.name}")
    return without_none(
        {
            "@type": "Dataset",
            "@id": f"{publisher.address(manifest.version, 'index.html')}#{dataset.name}",
            "name": f"{name_of(dataset, manifest)}, release {manifest.version}",
            "alternateName": dataset.name,
            "description": _clamped(about(dataset, contract, manifest)),
            **shared,
            "url": url,
            "identifier": f"{shared['identifier'].rstrip('/')}/{dataset.name}",
            "license": LICENCES[dataset.licence][1],
            "creditText": "; ".join(credit_to(dataset.attribution, manifest)) or None,
            "variableMeasured": [_variable(column) for column in contract.columns],
            "distribution": [_download(entry, manifest, publisher) for entry in dataset.files],
        }
    )


def _variable(column: Column) -> Node:
    return without_none(
        {
            "@type": "PropertyValue",
            "name": column.name,
            "description": column.description,
            "unitText": column.unit,
        }
    )


def _download(entry: FileEntry, manifest: Manifest, publisher: Publisher) -> Node:
    if entry.path.endswith(".zip"):
        kinds: str | list[str] = entry.media_type
    else:
        form = format_of(entry)
        kinds = [form.media_type, "application/gzip"] if form.compressed else form.media_type
    return {
        "@type": "DataDownload",
        "name": entry.path,
        "contentUrl": publisher.address(manifest.version, entry.path),
        "encodingFormat": kinds,
        "contentSize": f"{entry.bytes} B",
        "sha256": entry.sha256,
    }


def _clamped(text: str) -> str:
    """A description within the length that Google takes, cut between words."""
    most = GOOGLE_LENGTHS[1]
    return text if len(text) <= most else f"{text[: most - 2].rpartition(' ')[0]} …"
