"""Machine-readable descriptions of a release: Croissant, schema.org, DCAT-AP, CITATION.cff and DataCite.

Belongs here: pure functions from a manifest and its contracts to these documents, who publishes, how a release is
cited, and the rules of Google's dataset search as a judge. Does not belong here: the Data Package and the texts
for people (`package`), and writing files (`build`).

Licences differ between datasets, so every document says them dataset by dataset. A sample says in every document
that it is fictional and credits nobody. Without a base address all links are relative to the release folder.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import orjson
import yaml

from pipelines.contract import Column, Contract, LogicalType
from pipelines.release.manifest import LICENCES, DatasetEntry, FileEntry, Manifest, to_json
from pipelines.release.package import PRODUCT, TITLE, attributions
from pipelines.release.versions import standing
from pipelines.settings import SettingsError

Node = dict[str, Any]
Contracts = Mapping[str, Contract]

KEYWORDS = ("local government", "councils", "councillors", "social media", "digital engagement", "open data")
SAMPLE_KEYWORDS = ("sample data", "fictional")
COUNTRY = "United Kingdom"
SAMPLE_PLACE = "No real place: the authorities of the sample are fictional"
BOX = {"south": 49.8, "west": -8.7, "north": 60.9, "east": 1.8}  # the United Kingdom, in degrees
GOOGLE_LENGTHS = (50, 5000)  # characters of a description; Google's rules for Dataset
CROISSANT_TYPES: Mapping[LogicalType, str] = {
    "string": "sc:Text",
    "integer": "sc:Integer",
    "number": "sc:Float",
    "boolean": "sc:Boolean",
    "date": "sc:Date",
    "timestamp": "sc:DateTime",
}


@dataclass(frozen=True)
class Format:
    """A form of the data: its name, what reads it, its media type, and its code in the EU's list of file types."""

    name: str
    media_type: str
    file_type: str
    compressed: bool = False


# By the ending of a file. Validators of Croissant know Parquet by its older media type, see `croissant`.
FORMATS = {
    ".parquet": Format("Parquet", "application/vnd.apache.parquet", "PARQUET"),
    ".csv.gz": Format("CSV", "text/csv", "CSV", compressed=True),
    ".xlsx": Format("Excel", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "XLSX"),
}


# --- who publishes, and where -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Publisher:
    """Who stands for the data, and where it is published.

    `contact` is an e-mail or web address. `base_url` is the address of the folder that holds `latest.json`,
    without a slash at its end; with None all links are relative.
    """

    name: str = "Councillor engagement data project"
    url: str | None = None
    contact: str | None = None
    base_url: str | None = None

    def address(self, version: str, path: str) -> str:
        """The address of a file of a release; relative to the release folder where no base is set."""
        return f"{self.base_url}/v/{version}/{path}" if self.base_url else path


# By environment variable: the setting, and what its value looks like.
_WEB = r"https?://[^\s/?#@<>\"]+(/[^\s?#<>\"]*)?"
VARIABLES = {
    "ENGAGEMENT_PUBLISHER": ("name", r"\S(.{0,198}\S)?", "a name"),
    "ENGAGEMENT_PUBLISHER_URL": ("url", _WEB, "a web address"),
    "ENGAGEMENT_CONTACT": ("contact", rf"[^\s@<>\"]+@[^\s@<>\"]+|{_WEB}", "an e-mail or web address"),
    "ENGAGEMENT_BASE_URL": ("base_url", _WEB, "a web address without query or user, such as https://data.example"),
}


def publisher_from(environment: Mapping[str, str] | None = None) -> Publisher:
    """The publisher that environment variables name; what is not set keeps its default.

    Reads `ENGAGEMENT_PUBLISHER`, `ENGAGEMENT_PUBLISHER_URL`, `ENGAGEMENT_CONTACT`, `ENGAGEMENT_BASE_URL`. Errors:
    `SettingsError` naming the variable.
    """
    given = os.environ if environment is None else environment
    values = {}
    for variable, (setting, pattern, words) in VARIABLES.items():
        value = given.get(variable, "").strip()
        if not value:
            continue
        if not re.fullmatch(pattern, value) or not _has_usable_port(value):
            raise SettingsError(f"{variable}: expected {words}")
        values[setting] = value.rstrip("/") if setting == "base_url" else value
    return Publisher(**values)


def _has_usable_port(value: str) -> bool:
    try:
        _ = urlsplit(value).port
    except ValueError:
        return False
    return True


def cite(manifest: Manifest, publisher: Publisher) -> str:
    """How to cite a release, in one line; a sample says that there is nothing to cite."""
    if manifest.notice:
        return f"Do not cite this. {manifest.notice}"
    who = f"{publisher.name} ({manifest.released_on.year})"
    where = [publisher.address(manifest.version, "index.html")] if publisher.base_url else []
    return " ".join([f"{who}. {manifest.title}, release {manifest.version} [Data set].", *where])


def documents(manifest: Manifest, contracts: Contracts, publisher: Publisher) -> dict[str, bytes]:
    """The files of a release that describe it to machines, by name; the manifest must list the datasets' files."""
    return {
        "CITATION.cff": citation_cff(manifest, publisher).encode(),
        "croissant.json": to_json(croissant(manifest, contracts, publisher)),
        "datacite.json": to_json(datacite(manifest, contracts, publisher)),
        "dcat.jsonld": to_json(dcat(manifest, contracts, publisher)),
    }


# --- what several documents say -----------------------------------------------------------------------------


def _summary(manifest: Manifest) -> str:
    """What the release is, in a few sentences."""
    titles = ", ".join(dataset.title for dataset in manifest.datasets)
    about = f"{TITLE} in the United Kingdom, council by council, as open data. Datasets: {titles}."
    return f"{manifest.notice} {about}" if manifest.notice else about


def _about(dataset: DatasetEntry, contract: Contract, manifest: Manifest) -> str:
    """What a dataset is: the notice of a sample and a deprecation first, then its purpose and its limitations."""
    grain = dataset.grain[:1].upper() + dataset.grain[1:]
    said = [
        manifest.notice or "",
        standing(dataset) or "",
        f"{grain}.",
        contract.purpose,
        f"Limitations: {contract.limitations}",
    ]
    return " ".join(part for part in said if part)


def _name(dataset: DatasetEntry, manifest: Manifest) -> str:
    return f"{dataset.title} (sample)" if manifest.notice else dataset.title


def _keywords(manifest: Manifest) -> list[str]:
    return [*(SAMPLE_KEYWORDS if manifest.notice else ()), *KEYWORDS]


def _credits(titles: Sequence[str], manifest: Manifest) -> list[str]:
    """Whom to credit; nobody's data is in a sample."""
    return [] if manifest.notice else list(titles)


def period(manifest: Manifest) -> tuple[dt.date, dt.date] | None:
    """The first and the last day that a source of the release stands for; None where it names no source."""
    days = [entry.as_of for entry in manifest.inputs]
    return (min(days), max(days)) if days else None


def format_of(entry: FileEntry) -> Format:
    """The form of a data file. Errors: `KeyError` for an ending that no dataset has."""
    for ending, form in FORMATS.items():
        if entry.path.endswith(ending):
            return form
    raise KeyError(entry.path)


def _by_licence(manifest: Manifest) -> dict[str, list[str]]:
    """The datasets under each licence."""
    found: dict[str, list[str]] = {}
    for dataset in manifest.datasets:
        found.setdefault(dataset.licence, []).append(dataset.name)
    return dict(sorted(found.items()))


def _without_none(node: Node) -> Node:
    return {key: value for key, value in node.items() if value is not None and value != []}


# --- Croissant ----------------------------------------------------------------------------------------------

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
    return _without_none(
        {
            "@context": CROISSANT_CONTEXT,
            "@type": "sc:Dataset",
            "conformsTo": "http://mlcommons.org/croissant/1.1",
            "name": manifest.title,
            "description": f"{_summary(manifest)} {_licence_sentence(manifest)}",
            "url": publisher.address(manifest.version, "index.html"),
            "version": manifest.version,
            "datePublished": manifest.released_on.isoformat(),
            "inLanguage": "en",
            "isLiveDataset": False,
            "keywords": _keywords(manifest),
            "license": [LICENCES[code][1] for code in _by_licence(manifest)],
            "creator": _organisation(publisher),
            "publisher": _organisation(publisher),
            "citeAs": _bibtex(manifest, publisher),
            "rai:dataLimitations": [f"{d.name}: {contracts[d.name].limitations}" for d in manifest.datasets],
            "distribution": [_file_object(dataset, manifest, publisher) for dataset in manifest.datasets],
            "recordSet": [_record_set(d, contracts[d.name], manifest) for d in manifest.datasets],
        }
    )


def _licence_sentence(manifest: Manifest) -> str:
    said = (f"{code} for {', '.join(names)}" for code, names in _by_licence(manifest).items())
    return f"Licences: {'; '.join(said)}."


def _bibtex(manifest: Manifest, publisher: Publisher) -> str:
    """The citation as BibTeX; that of a sample is a sentence against citing it."""
    if manifest.notice:
        return cite(manifest, publisher)
    fields = {
        "author": f"{{{publisher.name}}}",
        "title": manifest.title,
        "year": str(manifest.released_on.year),
        "version": manifest.version,
        **({"url": publisher.address(manifest.version, "index.html")} if publisher.base_url else {}),
    }
    said = ", ".join(f"{name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{{PRODUCT}-{manifest.version}, {said}}}"


def _file_object(dataset: DatasetEntry, manifest: Manifest, publisher: Publisher) -> Node:
    entry = dataset.file(".parquet")
    return {
        "@type": "cr:FileObject",
        "@id": entry.path,
        "name": entry.path,
        "description": f"{_name(dataset, manifest)}, {dataset.licence}",
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
        "description": f"{_about(dataset, contract, manifest)} Licence: {dataset.licence}.",
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


# --- schema.org, for the page and the search engines --------------------------------------------------------


def json_ld(
    manifest: Manifest, contracts: Contracts, base_url: str | None = None, publisher: Publisher | None = None
) -> Node:
    """The schema.org description of a whole release, each dataset as a part with its own licence and files.

    `base_url` goes before that of the publisher.
    """
    by = _publisher(publisher, base_url)
    return {
        "@context": "https://schema.org/",
        **_without_none(
            {
                "@type": "Dataset",
                "@id": f"{by.address(manifest.version, 'index.html')}#release",
                "name": f"{manifest.title}, release {manifest.version}",
                "description": _clamped(_summary(manifest)),
                **_shared(manifest, by),
                "license": [LICENCES[code][1] for code in _by_licence(manifest)],
                "creditText": "; ".join(_credits(attributions(manifest), manifest)) or None,
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
        "description": _clamped(_summary(manifest)),
        "license": [LICENCES[code][1] for code in _by_licence(manifest)],
        "creator": _organisation(publisher),
        "url": publisher.address(manifest.version, "index.html"),
    }


def _organisation(publisher: Publisher) -> Node:
    contact = publisher.contact
    point = {"@type": "ContactPoint", "contactType": "data"}
    point |= {"url": contact} if contact and "://" in contact else {"email": contact} if contact else {}
    return _without_none(
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
        "keywords": _keywords(manifest),
        "creator": _organisation(publisher),
        "publisher": _organisation(publisher),
        "temporalCoverage": "/".join(map(str, days)) if days else None,
        "spatialCoverage": _place(manifest),
        "includedInDataCatalog": _without_none(
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
    return _without_none(
        {
            "@type": "Dataset",
            "@id": f"{publisher.address(manifest.version, 'index.html')}#{dataset.name}",
            "name": f"{_name(dataset, manifest)}, release {manifest.version}",
            "alternateName": dataset.name,
            "description": _clamped(_about(dataset, contract, manifest)),
            **shared,
            "url": url,
            "identifier": f"{shared['identifier'].rstrip('/')}/{dataset.name}",
            "license": LICENCES[dataset.licence][1],
            "creditText": "; ".join(_credits(dataset.attribution, manifest)) or None,
            "variableMeasured": [_variable(column) for column in contract.columns],
            "distribution": [_download(entry, manifest, publisher) for entry in dataset.files],
        }
    )


def _variable(column: Column) -> Node:
    return _without_none(
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


# --- the rules of Google's dataset search -------------------------------------------------------------------

_DAY = r"\d{4}(-\d{2}(-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2})?)?)?)?"
_COVERAGE = re.compile(rf"{_DAY}(/({_DAY}|\.\.))?")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_web(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"https?://\S+", value) is not None


def _is_address(value: object) -> bool:
    """An absolute web address, or one relative to the page that the document stands in."""
    return _is_text(value) and (_is_web(value) or ":" not in str(value).split("/", maxsplit=1)[0])


def _is_a(*types: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and value.get("@type") in types


def _each(judge: Callable[[object], bool]) -> Callable[[object], bool]:
    """Whether one value, or each of several, is right; an empty list is not."""
    return lambda value: bool(value) and all(judge(one) for one in (value if isinstance(value, list) else [value]))


def _is_description(value: object) -> bool:
    return _is_text(value) and GOOGLE_LENGTHS[0] <= len(str(value)) <= GOOGLE_LENGTHS[1]


def _is_agent(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.get("@type") in ("Person", "Organization")
        and _is_text(value.get("name"))
    )


def _is_licence(value: object) -> bool:
    return _is_web(value) or (
        _is_a("CreativeWork")(value) and isinstance(value, dict) and _is_address(value.get("url"))
    )


def _is_box(value: object) -> bool:
    """A `GeoShape` box: south, west, north and east in degrees."""
    try:
        south, west, north, east = (float(part) for part in re.split(r"[\s,]+", str(value)))
    except ValueError:
        return False
    return -90 <= south < north <= 90 and -180 <= west < east <= 180


def _is_place(value: object) -> bool:
    if not isinstance(value, dict):
        return _is_text(value)
    geo = value.get("geo")
    shaped = geo is None or (isinstance(geo, dict) and ("box" not in geo or _is_box(geo["box"])))
    return value.get("@type") == "Place" and shaped and (_is_text(value.get("name")) or geo is not None)


@dataclass(frozen=True)
class SearchRule:
    """What Google says about one property of a Dataset; a recommended one may only be absent with a reason."""

    property: str
    is_required: bool
    expected: str
    holds: Callable[[object], bool]


# Google Search Central, "Dataset structured data", as of 2026; `alternateName`, `citation`, `funder`, `sameAs` and
# `measurementTechnique` are recommended where there is something to say, so their absence is no fault.
SEARCH_RULES = (
    SearchRule("name", True, "a text", _is_text),
    SearchRule("description", True, "a text of 50 to 5000 characters", _is_description),
    SearchRule("creator", False, "persons or organizations with names", _each(_is_agent)),
    SearchRule("license", False, "addresses or creative works with an address", _each(_is_licence)),
    SearchRule(
        "identifier",
        False,
        "a text, address or property value",
        _each(lambda v: _is_text(v) or _is_a("PropertyValue")(v)),
    ),
    SearchRule("isAccessibleForFree", False, "true or false", lambda value: isinstance(value, bool)),
    SearchRule("keywords", False, "texts", _each(_is_text)),
    SearchRule(
        "version", False, "a text or number", lambda value: _is_text(value) or isinstance(value, int | float)
    ),
    SearchRule("url", False, "an address", _is_address),
    SearchRule(
        "temporalCoverage", False, "a day or period as ISO 8601 says", lambda v: bool(_COVERAGE.fullmatch(str(v)))
    ),
    SearchRule("spatialCoverage", False, "a text or place", _each(_is_place)),
    SearchRule("includedInDataCatalog", False, "a data catalogue", _each(_is_a("DataCatalog"))),
    SearchRule("distribution", False, "downloads", _each(_is_a("DataDownload"))),
)


def jsonld_faults(document: Mapping[str, Any]) -> list[str]:
    """Where a schema.org Dataset breaks Google's rules, or leaves out what they recommend; one sentence each."""
    faults = [] if "schema.org" in str(document.get("@context")) else ["@context: is not schema.org"]
    return [*faults, *_dataset_faults(document, "")]


def _dataset_faults(document: Mapping[str, Any], where: str) -> Iterator[str]:
    if document.get("@type") != "Dataset":
        yield f"{where}@type: is not Dataset"
    for rule in SEARCH_RULES:
        if rule.property not in document:
            kind = "required" if rule.is_required else "recommended"
            yield f"{where}{rule.property}: is missing and {kind}"
        elif not rule.holds(document[rule.property]):
            yield f"{where}{rule.property}: is not {rule.expected}"
    for name in ("alternateName", "creditText"):
        if name in document and not _is_text(document[name]):
            yield f"{where}{name}: is not a text"
    yield from _nested_faults(document, where)


def _nested_faults(document: Mapping[str, Any], where: str) -> Iterator[str]:
    for variable in document.get("variableMeasured", []):
        if not (_is_text(variable) or (_is_a("PropertyValue")(variable) and _is_text(variable.get("name")))):
            yield f"{where}variableMeasured: has one without a name"
    for download in document.get("distribution", []):
        if not isinstance(download, dict):
            continue
        if not _is_address(download.get("contentUrl")):
            yield f"{where}distribution: contentUrl is required and no address"
        if not _each(_is_text)(download.get("encodingFormat")):
            yield f"{where}distribution: encodingFormat is missing"
    for part in document.get("hasPart", []):
        name = part.get("alternateName") or part.get("name") or "a part" if isinstance(part, dict) else "a part"
        yield from _dataset_faults(part if isinstance(part, dict) else {}, f"{where}hasPart {name}: ")


# --- DCAT-AP ------------------------------------------------------------------------------------------------

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
        **_without_none(
            {
                "@id": _dcat_id("catalogue", manifest, publisher),
                "@type": "dcat:Catalog",
                "dct:title": _english(manifest.title),
                "dct:description": _english(f"{_summary(manifest)} {_licence_sentence(manifest)}"),
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
    return _without_none(
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
    credited = _credits(dataset.attribution, manifest)
    return _without_none(
        {
            "@id": _dcat_id(dataset.name, manifest, publisher),
            "@type": "dcat:Dataset",
            "dct:title": _english(_name(dataset, manifest)),
            "dct:description": _english(_about(dataset, contract, manifest)),
            "dct:identifier": f"{PRODUCT}/{manifest.version}/{dataset.name}",
            "dct:publisher": {"@id": _dcat_id("publisher", manifest, publisher)},
            "dcat:contactPoint": _contact(publisher),
            "dct:issued": day,
            "dct:modified": day,
            "dcat:version": manifest.version,
            "adms:versionNotes": _english(f"Schema {dataset.schema_version}, {dataset.rows} rows."),
            "dcat:keyword": [_english(keyword) for keyword in _keywords(manifest)],
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
    return _without_none(
        {
            "@id": _dcat_id(entry.path, manifest, publisher),
            "@type": "dcat:Distribution",
            "dct:title": _english(f"{_name(dataset, manifest)} as {form.name}"),
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


# --- CITATION.cff -------------------------------------------------------------------------------------------


def citation_cff(manifest: Manifest, publisher: Publisher) -> str:
    """The Citation File Format 1.2 description; licences stand with each dataset under `references`.

    A list of licences at the top would mean a choice between them, so it is given only where there is one.
    """
    page = publisher.address(manifest.version, "index.html") if publisher.base_url else None
    licences = _by_licence(manifest)
    document = {
        "cff-version": "1.2.0",
        "message": cite(manifest, publisher)
        if manifest.notice
        else "If you use these data, please cite them as below.",
        "title": manifest.title,
        "type": "dataset",
        "version": manifest.version,
        "date-released": manifest.released_on,
        "authors": [_without_none({"name": publisher.name, "website": publisher.url})],
        "abstract": _summary(manifest),
        "keywords": _keywords(manifest),
        "license": next(iter(licences)) if len(licences) == 1 else None,
        "url": page,
        "references": [_cff_reference(dataset, manifest, publisher) for dataset in manifest.datasets],
    }
    return yaml.safe_dump(_without_none(document), sort_keys=False, allow_unicode=True, width=110)


def _cff_reference(dataset: DatasetEntry, manifest: Manifest, publisher: Publisher) -> Node:
    page = publisher.address(manifest.version, f"index.html#{dataset.name}") if publisher.base_url else None
    credited = _credits(dataset.attribution, manifest)
    return _without_none(
        {
            "type": "data",
            "title": _name(dataset, manifest),
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


# --- DataCite -----------------------------------------------------------------------------------------------


def datacite(manifest: Manifest, contracts: Contracts, publisher: Publisher) -> Node:
    """The DataCite 4.7 metadata of a release that has no DOI yet: a registry adds the DOI when it makes one."""
    day = manifest.released_on.isoformat()
    days = period(manifest)
    forms = {format_of(entry).media_type for dataset in manifest.datasets for entry in dataset.files}
    return _without_none(
        {
            "schemaVersion": "http://datacite.org/schema/kernel-4",
            "types": {"resourceType": "Tabular data", "resourceTypeGeneral": "Dataset"},
            "creators": [{"name": publisher.name, "nameType": "Organizational"}],
            "titles": [{"title": manifest.title, "lang": "en"}],
            "publisher": {"name": publisher.name},
            "publicationYear": str(manifest.released_on.year),
            "subjects": [{"subject": keyword, "lang": "en"} for keyword in _keywords(manifest)],
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
            "rightsList": [_rights(code, names) for code, names in _by_licence(manifest).items()],
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
    credited = _credits(attributions(manifest), manifest)
    said = [
        ("Abstract", _summary(manifest)),
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
