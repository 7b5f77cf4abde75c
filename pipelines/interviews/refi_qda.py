"""Codebooks and projects in REFI-QDA: the code tree, and how often each code was used in which interview.

Belongs here: which elements and attributes of QDA-XML 1.0 are read. Does not belong here: archives and XML as
such (`guard`), and trees of codes (`code_tree`). Texts, notes, descriptions, users, paths, times and sets are on
no list, and `Sources/` is never opened. Ids are compared while a file is read and then forgotten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from lxml import etree

from pipelines.interviews.code_tree import SOURCE, FoundCode, FoundUse, build_coding
from pipelines.interviews.guard import MOST_CODES, MOST_USES, MOST_XML_BYTES, Allowed, open_xml, open_zip
from pipelines.interviews.study import Coding, InterviewError

_MEMBER: Final = "project.qde"
_SOURCES: Final = ("TextSource", "PDFSource", "PictureSource", "AudioSource", "VideoSource")
_SELECTIONS: Final = (
    "PlainTextSelection",
    "PDFSelection",
    "PictureSelection",
    "AudioSelection",
    "VideoSelection",
    "TranscriptSelection",
)
_CODES: Final = {"Codes": (), "Code": ("guid", "name")}
_CODEBOOK: Final = Allowed(
    "a REFI-QDA codebook",
    frozenset({"urn:QDA-XML:codebook:1.0"}),
    {"CodeBook": (), **_CODES},
    most={"Code": MOST_CODES},
)
_PROJECT: Final = Allowed(
    "a REFI-QDA project",
    frozenset({"urn:QDA-XML:project:1.0"}),
    {
        "Project": (),
        "CodeBook": (),
        **_CODES,
        "Cases": (),
        "Case": ("name",),
        "SourceRef": ("targetGUID",),
        "Sources": (),
        **dict.fromkeys(_SOURCES, ("guid", "name")),
        **dict.fromkeys(("Representation", "TextDescription", "Transcript"), ()),
        **dict.fromkeys(_SELECTIONS, ()),
        "Coding": (),
        "CodeRef": ("targetGUID",),
    },
    most={"Code": MOST_CODES, "CodeRef": MOST_USES, "SourceRef": MOST_USES},
)


def read_qdc(content: bytes) -> Coding:
    """The code tree of a codebook; errors as `open_xml` and `build_coding`."""
    return build_coding(list(_codes(open_xml(content, SOURCE, _CODEBOOK))), ())


def read_qdpx(content: bytes) -> Coding:
    """The code tree of a project, and how often each code was used in each of its sources.

    An interview's label is the name of the case that holds the source, where exactly one does, else the source's.
    Errors: `InterviewError` for an archive without exactly one `project.qde`; and as `open_zip`, `open_xml` and
    `build_coding`.
    """
    archive = open_zip(content, SOURCE)
    members = [name for name in archive.names if name.lower() == _MEMBER]
    if len(members) != 1:
        raise InterviewError(
            f"{SOURCE}: the archive holds {len(members)} members {_MEMBER} where a REFI-QDA project has one: "
            f"export the project again"
        )
    project = open_xml(archive.read(members[0], MOST_XML_BYTES), SOURCE, _PROJECT)
    return build_coding(list(_codes(project.find("CodeBook"))), _uses(project))


def _codes(codebook: etree._Element | None) -> Iterator[FoundCode]:
    """The codes in the order of the document."""
    for code in codebook.iterfind("Codes//Code") if codebook is not None else ():
        above = code.getparent()
        parent = _guid(above.get("guid")) if above.tag == "Code" else None
        yield FoundCode(_guid(code.get("guid")), parent, code.get("name", ""))


def _uses(project: etree._Element) -> Iterator[FoundUse]:
    cases = _cases(project)
    for source in project.iterfind("Sources/*"):
        names = cases.get(_guid(source.get("guid")), [])
        label = names[0] if len(names) == 1 else source.get("name", "")
        for code, references in _references(source).items():
            yield FoundUse(label, code, references)


def _cases(project: etree._Element) -> Mapping[str, list[str]]:
    """The names of the cases that hold each source."""
    held: dict[str, list[str]] = {}
    for case in project.iterfind("Cases/Case"):
        for source in {_guid(reference.get("targetGUID")) for reference in case.iterfind("SourceRef")}:
            if name := case.get("name", ""):
                held.setdefault(source, []).append(name)
    return held


def _references(source: etree._Element) -> Mapping[str, int]:
    """How often each code was used in a source.

    Programs write a coded passage of a PDF twice, as a place on the page and as a place in the extracted text
    (`Representation`); the larger of the two counts is taken.
    """
    on_page: Counter[str] = Counter()
    in_text: Counter[str] = Counter()
    for reference in source.iterfind(".//Coding/CodeRef"):
        is_text = next(reference.iterancestors("Representation"), None) is not None
        (in_text if is_text else on_page)[_guid(reference.get("targetGUID"))] += 1
    return on_page | in_text  # the union of counters is the maximum


def _guid(text: str | None) -> str:
    """An id as it is compared: programs differ in capitals and braces."""
    return (text or "").strip().strip("{}").upper()
