"""Croissant, the description of datasets for machine learning: files, and record sets with their fields."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.contract import Column, Contract, LogicalType
from pipelines.release.manifest import LICENCES, DatasetEntry, Manifest
from pipelines.release.metadata.publisher import Publisher, bibtex
from pipelines.release.metadata.schema_org import organisation
from pipelines.release.metadata.shared import (
    Contracts,
    Node,
    about,
    by_licence,
    keywords,
    licence_sentence,
    name_of,
    summary,
    without_none,
)

CROISSANT_TYPES: Mapping[LogicalType, str] = {
    "string": "sc:Text",
    "integer": "sc:Integer",
    "number": "sc:Float",
    "boolean": "sc:Boolean",
    "date": "sc:Date",
    "timestamp": "sc:DateTime",
}
CROISSANT_CONTEXT: Node = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "name": {"@container": "@language"},
    "description": {"@container": "@language"},
    "data": {"@id": "cr:data", "@type": "@json"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    **{
        term: f"cr:{term}"
        for term in (
            *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field"),
            *(
                "fileObject",
                "fileProperty",
                "fileSet",
                "format",
                "includes",
                "isArray",
                "isLiveDataset",
                "jsonPath",
            ),
            *("key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated", "replace"),
            *("samplingRate", "separator", "source", "subField", "transform"),
        )
    },
}


def croissant(manifest: Manifest, contracts: Contracts, publisher: Publisher) -> Node:
    """The Croissant 1.1 description: every Parquet file, and every column of every dataset as a field.

    Parquet has the media type `application/x-parquet` here, the only one that the reference reader takes.
    """
    return without_none(
        {
            "@context": CROISSANT_CONTEXT,
            "@type": "sc:Dataset",
            "conformsTo": "http://mlcommons.org/croissant/1.1",
            "name": manifest.title,
            "description": f"{summary(manifest)} {licence_sentence(manifest)}",
            "url": publisher.address(manifest.version, "index.html"),
            "version": manifest.version,
            "datePublished": manifest.released_on.isoformat(),
            "inLanguage": "en",
            "isLiveDataset": False,
            "keywords": keywords(manifest),
            "license": [LICENCES[code][1] for code in by_licence(manifest)],
            "creator": organisation(publisher),
            "publisher": organisation(publisher),
            "citeAs": bibtex(manifest, publisher),
            "rai:dataLimitations": [f"{d.name}: {contracts[d.name].limitations}" for d in manifest.datasets],
            "distribution": [_file_object(dataset, manifest, publisher) for dataset in manifest.datasets],
            "recordSet": [_record_set(d, contracts[d.name], manifest) for d in manifest.datasets],
        }
    )


def _file_object(dataset: DatasetEntry, manifest: Manifest, publisher: Publisher) -> Node:
    entry = dataset.file(".parquet")
    return {
        "@type": "cr:FileObject",
        "@id": entry.path,
        "name": entry.path,
        "description": f"{name_of(dataset, manifest)}, {dataset.licence}",
        "contentUrl": publisher.address(manifest.version, entry.path),
        "contentSize": f"{entry.bytes} B",
        "encodingFormat": "application/x-parquet",
        "sha256": entry.sha256,
    }


def _record_set(dataset: DatasetEntry, contract: Contract, manifest: Manifest) -> Node:
    return {
        "@type": "cr:RecordSet",
        "@id": dataset.name,
        "name": dataset.name,
        "description": f"{about(dataset, contract, manifest)} Licence: {dataset.licence}.",
        "key": [{"@id": f"{dataset.name}/{name}"} for name in dataset.key],
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{dataset.name}/{column.name}",
                "name": column.name,
                "description": _meaning(column),
                "dataType": CROISSANT_TYPES[column.type],
                "source": {
                    "fileObject": {"@id": dataset.file(".parquet").path},
                    "extract": {"column": column.name},
                },
            }
            for column in contract.columns
        ],
    }


def _meaning(column: Column) -> str:
    return f"{column.description} Unit: {column.unit}." if column.unit else column.description
