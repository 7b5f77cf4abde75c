"""DCAT-AP, the catalogue that data portals harvest."""

from __future__ import annotations

from pipelines.contract import Contract
from pipelines.release.manifest import LICENCES, DatasetEntry, FileEntry, Manifest
from pipelines.release.metadata.publisher import Publisher
from pipelines.release.metadata.shared import (
    COUNTRY,
    SAMPLE_PLACE,
    Contracts,
    Node,
    about,
    credit_to,
    format_of,
    keywords,
    licence_sentence,
    name_of,
    period,
    summary,
    without_none,
)
from pipelines.release.package import PRODUCT

_EU = "http://publications.europa.eu/resource/authority"
_IANA = "https://www.iana.org/assignments/media-types"
DCAT_CONTEXT: Node = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "spdx": "http://spdx.org/rdf/terms#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "adms": "http://www.w3.org/ns/adms#",
    "dcatap": "http://data.europa.eu/r5r/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dct:issued": {"@type": "xsd:date"},
    "dct:modified": {"@type": "xsd:date"},
    "dcat:startDate": {"@type": "xsd:date"},
    "dcat:endDate": {"@type": "xsd:date"},
    "dcat:byteSize": {"@type": "xsd:nonNegativeInteger"},
    "spdx:checksumValue": {"@type": "xsd:hexBinary"},
}


def dcat(manifest: Manifest, contracts: Contracts, publisher: Publisher) -> Node:
    """The release as a DCAT-AP 3 catalogue in JSON-LD: each dataset with its licence, period, place and files."""
    day = manifest.released_on.isoformat()
    return {
        "@context": DCAT_CONTEXT,
        **without_none(
            {
                "@id": _dcat_id("catalogue", manifest, publisher),
                "@type": "dcat:Catalog",
                "dct:title": _english(manifest.title),
                "dct:description": _english(f"{summary(manifest)} {licence_sentence(manifest)}"),
                "dct:publisher": _agent(publisher, manifest),
                "foaf:homepage": {
                    "@id": publisher.address(manifest.version, "index.html"),
                    "@type": "foaf:Document",
                },
                "dct:language": _linguistic(),
                "dct:issued": day,
                "dct:modified": day,
                "dct:spatial": _location(manifest),
                "dcat:themeTaxonomy": {
                    "@id": f"{_EU}/data-theme",
                    "@type": "skos:ConceptScheme",
                    "dct:title": _english("Data theme"),
                },
                "dcat:dataset": [
                    _dcat_dataset(d, contracts[d.name], manifest, publisher) for d in manifest.datasets
                ],
            }
        ),
    }


def _dcat_id(name: str, manifest: Manifest, publisher: Publisher) -> str:
    return f"{publisher.address(manifest.version, 'dcat.jsonld')}#{name}"


def _english(text: str) -> Node:
    return {"@value": text, "@language": "en"}


def _linguistic() -> Node:
    return {"@id": f"{_EU}/language/ENG", "@type": "dct:LinguisticSystem"}


def _agent(publisher: Publisher, manifest: Manifest) -> Node:
    home = {"@id": publisher.url, "@type": "foaf:Document"} if publisher.url else None
    return without_none(
        {
            "@id": _dcat_id("publisher", manifest, publisher),
            "@type": "foaf:Agent",
            "foaf:name": publisher.name,
            "foaf:homepage": home,
        }
    )


def _location(manifest: Manifest) -> Node:
    if manifest.notice:
        return {"@type": "dct:Location", "skos:prefLabel": _english(SAMPLE_PLACE)}
    return {"@id": f"{_EU}/country/GBR", "@type": "dct:Location", "skos:prefLabel": _english(COUNTRY)}


def _contact(publisher: Publisher) -> Node:
    contact = publisher.contact
    reached: Node = {}
    if contact:
        reached = {"vcard:hasURL": {"@id": contact}}
        if "://" not in contact:
            reached = {"vcard:hasEmail": {"@id": f"mailto:{contact}"}}
    return {"@type": "vcard:Organization", "vcard:fn": publisher.name, **reached}


def _dcat_dataset(dataset: DatasetEntry, contract: Contract, manifest: Manifest, publisher: Publisher) -> Node:
    days = period(manifest)
    day = manifest.released_on.isoformat()
    credited = credit_to(dataset.attribution, manifest)
    return without_none(
        {
            "@id": _dcat_id(dataset.name, manifest, publisher),
            "@type": "dcat:Dataset",
            "dct:title": _english(name_of(dataset, manifest)),
            "dct:description": _english(about(dataset, contract, manifest)),
            "dct:identifier": f"{PRODUCT}/{manifest.version}/{dataset.name}",
            "dct:publisher": {"@id": _dcat_id("publisher", manifest, publisher)},
            "dcat:contactPoint": _contact(publisher),
            "dct:issued": day,
            "dct:modified": day,
            "dcat:version": manifest.version,
            "adms:versionNotes": _english(f"Schema {dataset.schema_version}, {dataset.rows} rows."),
            "dcat:keyword": [_english(keyword) for keyword in keywords(manifest)],
            "dcat:theme": {"@id": f"{_EU}/data-theme/GOVE"},
            "dct:language": _linguistic(),
            "dct:spatial": _location(manifest),
            "dct:temporal": {
                "@type": "dct:PeriodOfTime",
                "dcat:startDate": days[0].isoformat(),
                "dcat:endDate": days[1].isoformat(),
            }
            if days
            else None,
            "dct:accessRights": {"@id": f"{_EU}/access-right/PUBLIC", "@type": "dct:RightsStatement"},
            "dct:provenance": {
                "@type": "dct:ProvenanceStatement",
                "rdfs:label": _english(f"Made from: {'; '.join(credited)}."),
            }
            if credited
            else None,
            "dcat:landingPage": {
                "@id": publisher.address(manifest.version, f"index.html#{dataset.name}"),
                "@type": "foaf:Document",
            },
            "dcat:distribution": [_dcat_file(entry, dataset, manifest, publisher) for entry in dataset.files],
        }
    )


def _dcat_file(entry: FileEntry, dataset: DatasetEntry, manifest: Manifest, publisher: Publisher) -> Node:
    form = format_of(entry)
    where = {"@id": publisher.address(manifest.version, entry.path)}
    title, address = LICENCES[dataset.licence]
    packed = {"@id": f"{_IANA}/application/gzip", "@type": "dct:MediaType"} if form.compressed else None
    return without_none(
        {
            "@id": _dcat_id(entry.path, manifest, publisher),
            "@type": "dcat:Distribution",
            "dct:title": _english(f"{name_of(dataset, manifest)} as {form.name}"),
            "dct:description": _english(f"{dataset.rows} rows in {entry.path}."),
            "dcat:accessURL": where,  # DCAT-AP repeats the address of the file where there is no other way to it
            "dcat:downloadURL": where,
            "dct:format": {"@id": f"{_EU}/file-type/{form.file_type}", "@type": "dct:MediaTypeOrExtent"},
            "dcat:mediaType": {"@id": f"{_IANA}/{form.media_type}", "@type": "dct:MediaType"},
            "dcat:compressFormat": packed,
            "dcat:byteSize": str(entry.bytes),
            "dct:license": {"@id": address, "@type": "dct:LicenseDocument", "dct:title": _english(title)},
            "dct:issued": manifest.released_on.isoformat(),
            "dcatap:availability": {"@id": f"{_EU}/planned-availability/STABLE"},
            "spdx:checksum": {
                "@type": "spdx:Checksum",
                "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
                "spdx:checksumValue": entry.sha256,
            },
        }
    )
