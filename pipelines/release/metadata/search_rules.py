"""The rules of Google's dataset search, as a judge of what `schema_org` writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

GOOGLE_LENGTHS = (50, 5000)  # characters of a description; Google's rules for Dataset
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
