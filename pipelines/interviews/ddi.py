"""Study descriptions in DDI-Codebook: the few elements that describe a whole study.

Belongs here: which elements of DDI-Codebook 2.5 are read, and their languages. Does not belong here: repositories
(`oai`) and the meaning of terms (`terms`). Authors, depositors, contacts, abstracts, variables and files are on no
list, so they never become part of what is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from lxml import etree

from pipelines.interviews import terms
from pipelines.interviews.guard import Allowed, clean_name, open_xml, own_text
from pipelines.interviews.study import Described, InterviewError, Issue, Sampling

NAMESPACES: Final = frozenset({"ddi:codebook:2_5", "ddi:codebook:2_0", "http://www.icpsr.umich.edu/DDI", ""})
ATTRIBUTES: Final[Mapping[str, Sequence[str]]] = {
    "codeBook": ("lang",),
    "stdyDscr": ("lang",),
    "citation": ("lang",),
    "titlStmt": ("lang",),
    "titl": ("lang",),
    "IDNo": (),
    "stdyInfo": (),
    "sumDscr": (),
    "collDate": ("date",),
    "timePrd": ("date",),
    "method": (),
    "dataColl": (),
    "collMode": (),
    "sampProc": (),
    "concept": (),
    "dataAccs": (),
    "useStmt": (),
    "conditions": (),
    "restrctn": (),
}
TEXT: Final = frozenset(
    {"titl", "IDNo", "collDate", "timePrd", "collMode", "sampProc", "concept", "conditions", "restrctn"}
)
_CODEBOOK: Final = Allowed("a study description in DDI-Codebook", NAMESPACES, ATTRIBUTES, TEXT)


def read_ddi(content: bytes) -> Described:
    """The study that a DDI-Codebook file describes; errors as `describe`, and as `open_xml` for the file."""
    return describe(open_xml(content, terms.SOURCE, _CODEBOOK))


def describe(codebook: etree._Element) -> Described:
    """The study that a `codeBook` element describes, which `open_xml` has reduced to what may be read.

    The title is the English one, else the first; years are those of the collection, else of the period covered.
    Errors: `InterviewError` for another element.
    """
    if codebook.tag != "codeBook":
        raise InterviewError(f"{terms.SOURCE}: the file is not {_CODEBOOK.what}: check which file was handed in")
    title, title_issues = read_title(_preferred(codebook.findall("stdyDscr/citation/titlStmt/titl")))
    years, year_issues = _years(codebook)
    mode, mode_issues = _term(codebook, "collMode", terms.known_mode, "mode of collection")
    sampling, sampling_issues = _term(codebook, "sampProc", terms.known_sampling, "sampling")
    licence, licence_issues = _licence(codebook)
    return Described(
        title=title,
        year_from=min(years, default=None),
        year_to=max(years, default=None),
        sampling=cast("Sampling | None", sampling),
        mode_of_collection=mode,
        persistent_id=terms.known_identifier(map(own_text, codebook.findall("stdyDscr/citation/titlStmt/IDNo"))),
        licence=licence,
        issues=(*title_issues, *year_issues, *mode_issues, *sampling_issues, *licence_issues),
    )


def read_title(text: str | None) -> tuple[str | None, tuple[Issue, ...]]:
    """A title as it may be shown, None without one; left out where spreadsheets would run it as a formula."""
    title, is_altered = clean_name(text or "")
    if title.startswith(("=", "+", "-", "@")):
        message = "begins with a character that spreadsheets take for a formula: state another title"
        return None, (Issue(terms.SOURCE, "title", message, "left_out"),)
    message = "is very long, or holds characters that hide or reorder text: read without them"
    return title or None, (Issue(terms.SOURCE, "title", message, "note"),) if is_altered else ()


def _preferred(titles: Sequence[etree._Element]) -> str | None:
    """The text in English, else the first; a language holds for all that stands in an element."""
    said = [(_language(title), text) for title in titles if (text := own_text(title))]
    return next((text for language, text in said if language.startswith("en")), said[0][1] if said else None)


def _language(element: etree._Element | None) -> str:
    while element is not None:
        if language := element.get("lang"):
            return str(language).lower()
        element = element.getparent()
    return ""


def _years(codebook: etree._Element) -> tuple[list[int], tuple[Issue, ...]]:
    """Years of the collection; else those of the period that the data cover, with a note."""
    summary = "stdyDscr/stdyInfo/sumDscr"
    collected, covered = (
        [year for element in codebook.findall(f"{summary}/{name}") for year in _years_of(element)]
        for name in ("collDate", "timePrd")
    )
    if collected or not covered:
        return collected, ()
    message = (
        "only the period covered is stated: taken as the years of the interviews; correct them where they differ"
    )
    return covered, (Issue(terms.SOURCE, "years", message, "note"),)


def _years_of(element: etree._Element) -> list[int]:
    dated = terms.year_of_day(element.get("date", ""))
    return [dated] if dated else terms.years_in(own_text(element))


def _term(
    codebook: etree._Element, name: str, known: Callable[[str], str | None], place: str
) -> tuple[str | None, tuple[Issue, ...]]:
    """What the elements of one name say in a controlled vocabulary: by their concept, else by their text."""
    values: list[str | None] = []
    said: list[str] = []
    for element in codebook.findall(f"stdyDscr/method/dataColl/{name}"):
        concepts = [text for concept in element.findall("concept") if (text := own_text(concept))]
        texts = [text for part in own_text(element).split(";") if (text := part.strip())]
        coded = [value for value in map(known, concepts) if value]
        values += coded or map(known, texts or concepts)
        said += texts or concepts
    return terms.only_one(values, place, "; ".join(said))


def _licence(codebook: etree._Element) -> tuple[str | None, tuple[Issue, ...]]:
    """The one known licence that the conditions of use name, with a note where they say more than that."""
    use = codebook.findall("stdyDscr/dataAccs/useStmt/conditions")
    use += codebook.findall("stdyDscr/dataAccs/useStmt/restrctn")
    texts = [text for element in use if (text := own_text(element))]
    if not texts:
        return None, ()
    licence = terms.known_licence(" | ".join(texts))
    message = (
        f"{licence} is taken from the conditions of use: check that it is meant for the data"
        if licence
        else "the conditions of use name no licence that is known: state it in the study's own description"
    )
    return licence, (Issue(terms.SOURCE, "licence", message, "note"),)
