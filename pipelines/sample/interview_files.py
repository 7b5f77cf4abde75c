"""Files of interview research: a workbook, a codebook and a project of coded interviews, the same bytes each time.

Here belong the formats: Excel, and REFI-QDA 1.0 as programs for qualitative analysis exchange it. What stands in
them is in `interviews`.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as ET

from openpyxl import Workbook

Cell = str | int | dt.date | None

PROJECT_NAMESPACE: Final = "urn:QDA-XML:project:1.0"
CODEBOOK_NAMESPACE: Final = "urn:QDA-XML:codebook:1.0"
_ORIGIN: Final = "Synthetic: the fictional sample world"
_MOMENT: Final = dt.datetime(2025, 1, 15, 9, 0, 0)  # noqa: DTZ001 - formats that know no time zone
_MODIFIED: Final = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*")


@dataclass(frozen=True, slots=True)
class CodeNode:
    """A code with those under it; a heading that only groups others `is_codable` no passage."""

    name: str
    children: tuple[CodeNode, ...] = ()
    is_codable: bool = True


@dataclass(frozen=True, slots=True)
class CodedSource:
    """One interview of a project by its file's name: how many of its passages bear each code; no text of it."""

    name: str
    passages: Mapping[str, int]


def archive(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive whose bytes depend on its members alone: one date, and nothing is packed."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as file:
        for name, member in members.items():
            file.writestr(zipfile.ZipInfo(name, _MOMENT.timetuple()[:6]), member)
    return content.getvalue()


def workbook(sheets: Mapping[str, Sequence[Sequence[Cell]]], title: str) -> bytes:
    """Return an Excel workbook; days are cells of a date, as Excel itself would keep them."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.properties.title, book.properties.creator = title, _ORIGIN
    book.properties.created = _MOMENT
    saved = io.BytesIO()
    book.save(saved)
    with zipfile.ZipFile(saved) as file:
        members = {name: file.read(name) for name in file.namelist()}
    # The library writes the moment of saving, whatever the workbook says.
    core = "docProps/core.xml"
    members[core] = _MODIFIED.sub(rb"\g<1>" + _MOMENT.isoformat().encode() + b"Z", members[core])
    return archive(members)


def codebook(codes: Sequence[CodeNode]) -> bytes:
    """Return a REFI-QDA codebook (.qdc) of a code tree."""
    root = ET.Element("CodeBook", {"xmlns": CODEBOOK_NAMESPACE, "origin": _ORIGIN})
    _write_codes(ET.SubElement(root, "Codes"), codes)
    return _document(root)


def project(name: str, description: str, codes: Sequence[CodeNode], sources: Sequence[CodedSource]) -> bytes:
    """Return a REFI-QDA project (.qdpx): codes, and interviews without content whose passages bear them."""
    user, moment = _guid("user"), f"{_MOMENT.isoformat()}Z"
    made = {"creatingUser": user, "creationDateTime": moment}
    root = ET.Element(
        "Project",
        {
            "xmlns": PROJECT_NAMESPACE,
            "name": name,
            "origin": _ORIGIN,
            "creatingUserGUID": user,
            "creationDateTime": moment,
        },
    )
    ET.SubElement(ET.SubElement(root, "Users"), "User", {"guid": user, "name": "FICTIONAL-RESEARCHER-01"})
    _write_codes(ET.SubElement(ET.SubElement(root, "CodeBook"), "Codes"), codes)
    listed = ET.SubElement(root, "Sources")
    for source in sources:
        element = ET.SubElement(
            listed, "TextSource", {"guid": _guid("source", source.name), "name": source.name, **made}
        )
        for place, code in enumerate(_each_passage(source)):
            passage = ET.SubElement(
                element,
                "PlainTextSelection",
                {
                    "guid": _guid("passage", source.name, place),
                    "startPosition": str(place * 100),
                    "endPosition": str(place * 100 + 99),
                    **made,
                },
            )
            coding = ET.SubElement(passage, "Coding", {"guid": _guid("coding", source.name, place), **made})
            ET.SubElement(coding, "CodeRef", {"targetGUID": _guid("code", code)})
    ET.SubElement(root, "Description").text = description
    return archive({"project.qde": _document(root)})


def _each_passage(source: CodedSource) -> Iterator[str]:
    for code, times in source.passages.items():
        yield from [code] * times


def _write_codes(parent: ET.Element, codes: Sequence[CodeNode]) -> None:
    for code in codes:
        element = ET.SubElement(
            parent,
            "Code",
            {"guid": _guid("code", code.name), "name": code.name, "isCodable": str(code.is_codable).lower()},
        )
        _write_codes(element, code.children)


def _document(root: ET.Element) -> bytes:
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _guid(*labels: object) -> str:
    """Return an identifier that belongs to these labels, always the same."""
    return str(uuid5(NAMESPACE_URL, " ".join(map(str, ("https://sample.example", *labels)))))
