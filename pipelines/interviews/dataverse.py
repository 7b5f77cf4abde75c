"""Study descriptions from Dataverse: the JSON of its native interface.

Belongs here: which fields of the citation block are read. Does not belong here: the meaning of terms (`terms`).
Authors, contacts, depositors, descriptions, keywords and files are not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipelines.interviews import terms
from pipelines.interviews.ddi import read_title
from pipelines.interviews.guard import check_text
from pipelines.interviews.study import Described, InterviewError, Issue

_MOST_BYTES: Final = 8_000_000
_COLLECTION: Final = ("dateOfCollectionStart", "dateOfCollectionEnd")


def read_dataverse(content: bytes) -> Described:
    """The study that a Dataverse dataset describes, as exported or as answered by the native interface.

    Errors: `InterviewError` for what is no JSON, an answer other than OK, and a document without the citation
    block of a dataset's version.
    """
    dataset = _dataset(_parse(content))
    version = _mapping(dataset.get("datasetVersion") or dataset.get("latestVersion") or dataset)
    fields = _citation(version)
    title, issues = read_title(_text(fields.get("title")))
    years = [year for text in _collected(fields.get("dateOfCollection")) if (year := terms.year_of_day(text))]
    licence, licence_issues = _licence(version.get("license"))
    return Described(
        title=title,
        year_from=min(years, default=None),
        year_to=max(years, default=None),
        persistent_id=terms.known_identifier(_identifiers(dataset, version)),
        licence=licence,
        is_deleted=version.get("versionState") == "DEACCESSIONED",
        issues=(*issues, *licence_issues),
    )


def _parse(content: bytes) -> Mapping[str, Any]:
    text = check_text(content, terms.SOURCE, most=_MOST_BYTES)
    try:
        return _mapping(json.loads(text))
    except (ValueError, RecursionError):
        raise InterviewError(
            f"{terms.SOURCE}: the file is not JSON: download the dataset's metadata again"
        ) from None


def _dataset(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The dataset, out of the envelope of an answer where there is one."""
    if "status" not in document or "data" not in document:
        return document
    if document["status"] != "OK":
        raise InterviewError(f"{terms.SOURCE}: the repository's answer is an error: ask for the dataset again")
    return _mapping(document["data"])


def _citation(version: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values of the citation block by the names of its fields."""
    block = _mapping(_mapping(version.get("metadataBlocks")).get("citation"))
    fields = block.get("fields")
    if not isinstance(fields, list):
        raise InterviewError(
            f"{terms.SOURCE}: the file is not a Dataverse dataset with its citation metadata: export it as JSON"
        )
    named = (_mapping(field) for field in fields)
    return {name: field.get("value") for field in named if isinstance(name := field.get("typeName"), str)}


def _collected(value: object) -> Iterator[str]:
    """The dates of collection; a compound's keys differ between versions, the names of its types do not."""
    for period in value if isinstance(value, list) else ():
        for date in map(_mapping, _mapping(period).values()):
            if date.get("typeName") in _COLLECTION:
                yield _text(date.get("value"))


def _identifiers(dataset: Mapping[str, Any], version: Mapping[str, Any]) -> Iterator[str]:
    yield _text(dataset.get("persistentUrl"))
    yield _text(version.get("datasetPersistentId"))


def _licence(value: object) -> tuple[str | None, tuple[Issue, ...]]:
    """A known licence, which newer versions give with name and address and older ones by name alone."""
    named = _mapping(value)
    said = [text for text in (_text(named.get("uri")), _text(named.get("name")), _text(value)) if text]
    known = next((licence for text in said if (licence := terms.known_licence(text))), None)
    if known or not said:
        return known, ()
    message = "the licence is not one that is known: state it in the study's own description"
    return None, (Issue(terms.SOURCE, "licence", message, "note"),)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
