"""Study descriptions from repositories, over OAI-PMH 2.0.

Belongs here: requests, pages, deleted records and errors of the protocol (Open Archives Initiative, Protocol for
Metadata Harvesting 2.0). Does not belong here: the network (the caller brings its polite client) and what a
record's metadata mean (`ddi`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit

from lxml import etree

from pipelines.interviews import ddi, terms
from pipelines.interviews.guard import Allowed, open_xml, own_text
from pipelines.interviews.study import Described, InterviewError, Issue

Fetch = Callable[[str], bytes]

MOST_PAGES: Final = 1_000
_NAMESPACE: Final = "http://www.openarchives.org/OAI/2.0/"
_ERRORS: Final = frozenset(
    {
        "badArgument",
        "badResumptionToken",
        "badVerb",
        "cannotDisseminateFormat",
        "idDoesNotExist",
        "noMetadataFormats",
        "noRecordsMatch",
        "noSetHierarchy",
    }
)
_REMEDIES: Final = {
    "badResumptionToken": "the list has expired at the repository: harvest again from the start",
    "cannotDisseminateFormat": "the repository has no DDI-Codebook under this prefix: ask it for its formats",
    "idDoesNotExist": "the repository has no record by this identifier: check it",
    "noRecordsMatch": "nothing fits the request: check the set",
}
_ANSWER: Final = Allowed(
    "an answer over OAI-PMH",
    ddi.NAMESPACES | {_NAMESPACE},
    {
        "OAI-PMH": (),
        "error": ("code",),
        "GetRecord": (),
        "ListRecords": (),
        "record": (),
        "header": ("status",),
        "identifier": (),
        "metadata": (),
        "resumptionToken": (),
        **ddi.ATTRIBUTES,
    },
    ddi.TEXT | {"identifier", "resumptionToken"},
)


@dataclass(frozen=True)
class Harvested:
    """One record of a repository, by the repository's own identifier."""

    identifier: str = field(repr=False)
    described: Described


def read_oai(content: bytes) -> Described:
    """The study that a stored answer to GetRecord describes.

    Errors: `InterviewError` for an answer with an error, with another number of records than one, or whose record
    is not in DDI-Codebook; and as `open_xml`.
    """
    answer = _open(content)
    if code := _error_of(answer):
        raise _refusal(code)
    records = _records(answer)
    if len(records) != 1:
        raise InterviewError(
            f"{terms.SOURCE}: the answer holds {len(records)} records: hand in one study, the answer to GetRecord"
        )
    return _described(records[0])


def harvest(
    fetch: Fetch,
    base_url: str,
    *,
    identifier: str | None = None,
    set_spec: str | None = None,
    prefix: str = "oai_ddi25",
) -> Iterator[Harvested]:
    """Records of a repository: one by its identifier, else all of a set, else all; page after page.

    A record that cannot be read is described by an issue that refuses it, so that one does not end the harvest.
    Errors: `InterviewError` for an address that is not http or https, an error of the protocol, a resumption token
    given twice, and more than 1,000 pages; and whatever `fetch` raises.
    """
    if urlsplit(base_url).scheme not in ("http", "https"):
        raise InterviewError(f"{terms.SOURCE}: the repository's address must begin with http:// or https://")
    if identifier is not None:
        arguments = {"verb": "GetRecord", "identifier": identifier, "metadataPrefix": prefix}
    else:
        arguments = {"verb": "ListRecords", "metadataPrefix": prefix} | ({"set": set_spec} if set_spec else {})
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        answer = _open(fetch(_address(base_url, arguments)))
        if code := _error_of(answer):
            if code == "noRecordsMatch":
                return
            raise _refusal(code)
        yield from _harvested(answer)
        token = answer.findtext("ListRecords/resumptionToken", "").strip()
        if not token:
            return
        if token in seen:
            raise InterviewError(
                f"{terms.SOURCE}: the repository gives one resumption token twice: tell its keepers"
            )
        seen.add(token)
        arguments = {"verb": "ListRecords", "resumptionToken": token}
    raise InterviewError(f"{terms.SOURCE}: the list has more than {MOST_PAGES:,} pages: harvest a set of it")


def _address(base_url: str, arguments: dict[str, str]) -> str:
    return f"{base_url}{'&' if '?' in base_url else '?'}{urlencode(arguments)}"


def _open(content: bytes) -> etree._Element:
    answer = open_xml(content, terms.SOURCE, _ANSWER)
    if answer.tag != "OAI-PMH":
        raise InterviewError(f"{terms.SOURCE}: the file is not {_ANSWER.what}: check which file was handed in")
    return answer


def _error_of(answer: etree._Element) -> str | None:
    """The code of the answer's error, `an unknown error` for one that the protocol does not have."""
    error = answer.find("error")
    if error is None:
        return None
    code = error.get("code", "")
    return code if code in _ERRORS else "an unknown error"


def _refusal(code: str) -> InterviewError:
    remedy = _REMEDIES.get(code, "tell the repository's keepers")
    return InterviewError(f"{terms.SOURCE}: the repository answered {code}: {remedy}")


def _records(answer: etree._Element) -> list[etree._Element]:
    return [*answer.iterfind("GetRecord/record"), *answer.iterfind("ListRecords/record")]


def _harvested(answer: etree._Element) -> Iterator[Harvested]:
    for place, record in enumerate(_records(answer), start=1):
        header = record.find("header/identifier")
        try:
            described = _described(record)
        except InterviewError as error:
            said = str(error).removeprefix(f"{terms.SOURCE}: ")
            described = Described(issues=(Issue(terms.SOURCE, f"record {place} of the page", said, "refused"),))
        yield Harvested(own_text(header) if header is not None else "", described)


def _described(record: etree._Element) -> Described:
    """What one record describes; errors: `InterviewError` where it holds no DDI-Codebook."""
    header = record.find("header")
    if header is not None and header.get("status") == "deleted":
        return Described(is_deleted=True)
    codebook = record.find("metadata/codeBook")
    if codebook is None:
        raise InterviewError(
            f"{terms.SOURCE}: the record is in a format that is not read: ask for DDI-Codebook 2.5"
        )
    return ddi.describe(codebook)
