"""A strict validator for answers of the AT Protocol, from the official lexicons (JSON, https://atproto.com/specs/lexicon).

Checks types, required and nullable fields, lengths, ranges, enumerations, constants, unions by `$type`, and the
formats of strings. Not checked: `maxGraphemes`, for which nothing here cuts text into graphemes. A definition that
is not in the folder cannot be checked: it is listed in `missing`, and a test says which ones may be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Definition = dict[str, Any]

_HANDLE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DID = r"did:[a-z]+:[A-Za-z0-9._:%-]*[A-Za-z0-9._-]"
_NSID = (
    r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+\.[A-Za-z][A-Za-z0-9]*"
)
_KEY = r"(?!\.{1,2}\Z)[A-Za-z0-9._~:-]{1,512}"
_TIME = r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](?:\.[0-9]{1,20})?"
_FORMATS = {
    "at-identifier": rf"{_HANDLE}|{_DID}",
    "at-uri": rf"at://(?:{_HANDLE}|{_DID})(?:/{_NSID}(?:/{_KEY})?)?",
    "cid": r"[A-Za-z0-9+/=]{8,256}",
    "datetime": rf"{_TIME}(?:Z|(?!-00:00)[+-][0-2][0-9]:[0-5][0-9])",
    "did": _DID,
    "handle": _HANDLE,
    "language": r"(?:i|[a-z]{2,3})(?:-[A-Za-z0-9]+)*",
    "nsid": _NSID,
    "record-key": _KEY,
    "tid": r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}",
    "uri": r"[a-z][a-z.-]{0,80}:\S+",
}
_LINKS = {"cid-link": "$link", "bytes": "$bytes"}
_PRIMITIVES: dict[str, type[Any]] = {"boolean": bool, "integer": int, "string": str}


class Lexicons:
    """The lexicons of a folder; `missing` collects the definitions that were asked for and are not in it."""

    def __init__(self, folder: Path) -> None:
        documents = [json.loads(path.read_bytes()) for path in sorted(folder.rglob("*.json"))]
        self._definitions = {
            f"{document['id']}#{name}": definition
            for document in documents
            for name, definition in document["defs"].items()
        }
        self.missing: set[str] = set()

    def problems_of_answer(self, method: str, answer: Any) -> list[str]:
        """What is wrong with the answer to a query, each with its place; empty where all is well."""
        output = self._definitions[f"{method}#main"]["output"]["schema"]
        return list(self._check(output, answer, method, method))

    def problems_of_record(self, record: Any) -> list[str]:
        """What is wrong with a record, by the lexicon that its `$type` names."""
        name = record.get("$type")
        definition = self._resolve(str(name), str(name))
        if definition is None:
            return []
        if definition["type"] != "record":
            return [f"{name}: is no record"]
        return list(self._check(definition["record"], record, str(name), str(name)))

    def _resolve(self, reference: str, within: str) -> Definition | None:
        full = f"{within}{reference}" if reference.startswith("#") else reference
        full = full if "#" in full else f"{full}#main"
        if full not in self._definitions:
            self.missing.add(full)
        return self._definitions.get(full)

    def _check(self, wanted: Definition, value: Any, place: str, within: str) -> Iterator[str]:
        kind = wanted["type"]
        if kind in _PRIMITIVES:
            yield from self._check_primitive(wanted, value, place)
        elif kind == "ref":
            yield from self._check_reference(wanted["ref"], value, place, within)
        elif kind == "union":
            yield from self._check_union(wanted, value, place, within)
        elif kind == "array":
            yield from self._check_array(wanted, value, place, within)
        elif kind == "object":
            yield from self._check_object(wanted, value, place, within)
        elif kind == "blob":
            yield from _check_blob(wanted, value, place)
        elif kind in _LINKS:
            if not (isinstance(value, dict) and [type(value.get(_LINKS[kind])), len(value)] == [str, 1]):
                yield f"{place}: is no {kind}"
        elif not (kind == "unknown" and isinstance(value, dict)):
            yield f"{place}: is no {kind}"

    def _check_primitive(self, wanted: Definition, value: Any, place: str) -> Iterator[str]:
        kind = wanted["type"]
        if not isinstance(value, _PRIMITIVES[kind]) or (kind == "integer" and isinstance(value, bool)):
            yield f"{place}: is no {kind}"
            return
        if "const" in wanted and value != wanted["const"]:
            yield f"{place}: is not {wanted['const']!r}"
        if "enum" in wanted and value not in wanted["enum"]:
            yield f"{place}: is none of {wanted['enum']}"
        if kind == "integer" and not wanted.get("minimum", value) <= value <= wanted.get("maximum", value):
            yield f"{place}: {value} is out of range"
        if isinstance(value, str):
            yield from _check_length(wanted, len(value.encode("utf-8")), place)
            if "format" in wanted and not re.fullmatch(_FORMATS[wanted["format"]], value):
                yield f"{place}: {value!r} is no {wanted['format']}"

    def _check_reference(self, reference: str, value: Any, place: str, within: str) -> Iterator[str]:
        definition = self._resolve(reference, within)
        if definition is not None and definition["type"] != "token":
            home = within if reference.startswith("#") else reference.split("#")[0]
            yield from self._check(definition, value, place, home)

    def _check_union(self, wanted: Definition, value: Any, place: str, within: str) -> Iterator[str]:
        name = value.get("$type") if isinstance(value, dict) else None
        if not isinstance(name, str):
            yield f"{place}: names no $type"
            return
        known = {ref if not ref.startswith("#") else f"{within}{ref}" for ref in wanted["refs"]}
        if name in known or f"{name}#main" in known:
            yield from self._check_reference(name, value, place, within)
        elif wanted.get("closed"):
            yield f"{place}: {name} is none of {sorted(known)}"

    def _check_array(self, wanted: Definition, value: Any, place: str, within: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{place}: is no array"
            return
        yield from _check_length(wanted, len(value), place)
        for index, item in enumerate(value):
            yield from self._check(wanted["items"], item, f"{place}[{index}]", within)

    def _check_object(self, wanted: Definition, value: Any, place: str, within: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{place}: is no object"
            return
        yield from (f"{place}: lacks {name}" for name in wanted.get("required", ()) if name not in value)
        for name, definition in wanted.get("properties", {}).items():
            if name not in value or (value[name] is None and name in wanted.get("nullable", ())):
                continue
            yield from self._check(definition, value[name], f"{place}.{name}", within)


def _check_length(wanted: Definition, length: int, place: str) -> Iterator[str]:
    if not wanted.get("minLength", 0) <= length <= wanted.get("maxLength", length):
        yield f"{place}: has length {length}"


def _check_blob(wanted: Definition, value: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("$type") != "blob":
        yield f"{place}: is no blob"
        return
    size = value.get("size")
    if not isinstance(size, int) or size > wanted.get("maxSize", size):
        yield f"{place}.size: is {size!r}"
    if not isinstance(value.get("mimeType"), str):
        yield f"{place}.mimeType: is no text"
    if not (isinstance(value.get("ref"), dict) and isinstance(value["ref"].get("$link"), str)):
        yield f"{place}.ref: is no cid-link"
