"""Words that archives use in study descriptions, and what they mean here.

Belongs here: licences, persistent identifiers, years, ways of sampling and modes of collection as they are
written in DDI and Dataverse records. Does not belong here: any format, and the categories themselves
(`vocabulary`). What is not recognised exactly is not guessed from its words: it stays unread, with a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final, get_args

from pipelines.contract import Licence
from pipelines.interviews.study import Issue, Sampling
from pipelines.interviews.vocabulary import Vocabulary, load_vocabulary
from pipelines.settings import project_folder

SOURCE: Final = "description"

# Codes and terms of the DDI Alliance's vocabulary "Sampling Procedure" 1.1, and terms of the UK Data Service.
# Other ways without probability (availability, quota, respondent-assisted) are none of the three.
_SAMPLING: Final[Mapping[str, Sampling]] = {
    "totaluniversecompleteenumeration": "census",
    "total universe/complete enumeration": "census",
    "no sampling (total universe)": "census",
    "nonprobability.purposive": "purposive",
    "non-probability: purposive": "purposive",
    "purposive selection/case studies": "purposive",
    "purposive selection": "purposive",
    "purposive sample": "purposive",
    "purposive sampling": "purposive",
    "purposive": "purposive",
    "simple random sample": "probability",
    "one-stage stratified or systematic random sample": "probability",
    "one-stage cluster sample": "probability",
    "multi-stage stratified random sample": "probability",
}
_PROBABILITY: Final = re.compile(r"probability(\.[a-z]+)*|probability: [a-z -]+|probability sampl(e|ing)")

# English terms of the DDI Alliance's vocabulary "Mode of Collection"; a finer one follows after a colon.
_MODES: Final = {
    "interview": "Interview",
    "face-to-face interview": "Interview.FaceToFace",
    "face-to-face interviews": "Interview.FaceToFace",
    "telephone interview": "Interview.Telephone",
    "telephone interviews": "Interview.Telephone",
    "e-mail interview": "Interview.Email",
    "email interview": "Interview.Email",
    "web-based interview": "Interview.WebBased",
    "focus group": "FocusGroup",
    "focus groups": "FocusGroup",
    "self-administered questionnaire": "SelfAdministeredQuestionnaire",
}

_CREATIVE_COMMONS: Final = re.compile(r"CREATIVECOMMONS\.ORG/(?:LICENSES|PUBLICDOMAIN)/([A-Z-]+)/(\d\.\d)")
_LICENCE_NAMES: Final = re.compile(
    r"\bCC-?BY(?:-(?:NC|SA|ND))*(?:-\d\.\d)?|\bCC-?0(?:-1\.0)?\b|\bOGL(?:-UK)?-V?\d(?:\.\d)?"
    r"|OPEN-GOVERNMENT-LICEN[CS]E(?:-VERSION)?(?:-V?\d(?:\.\d)?|/VERSION/\d)?"
)
_KNOWN_LICENCES: Final = frozenset(get_args(Licence))

_DOI: Final = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/[-._;()/:A-Z0-9]+)", re.I)
_HANDLE: Final = re.compile(r"(?:https?://hdl\.handle\.net/|hdl:\s*)([0-9.]+/[-._;()/:A-Z0-9]+)", re.I)
_URN: Final = re.compile(r"(?:https?://urn\.fi/)?(urn:nbn:[a-z]{2}[-._:a-z0-9]+)", re.I)
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_DAY: Final = re.compile(r"\s*((?:19|20)\d\d)(?:-?\d\d){0,2}(?:[T ].*)?")


@cache
def vocabulary() -> Vocabulary:
    """The project's controlled words."""
    return load_vocabulary(project_folder("data_contracts") / "interviews.yml")


def known_sampling(text: str) -> Sampling | None:
    """The way of sampling that a code or term stands for."""
    said = " ".join(text.casefold().split())
    return "probability" if _PROBABILITY.fullmatch(said) else _SAMPLING.get(said)


def known_mode(text: str) -> str | None:
    """The mode of collection that a code or term stands for, as a category of `data_contracts/interviews.yml`."""
    broad = _MODES.get(" ".join(text.casefold().partition(":")[0].split()))
    return vocabulary().mode(text) or (vocabulary().mode(broad) if broad else None)


def only_one(values: Iterable[str | None], place: str, shown: str) -> tuple[str | None, tuple[Issue, ...]]:
    """The one thing that all recognised values say; else None, with a note about why."""
    said = list(values)
    known = {value for value in said if value is not None}
    if len(known) == 1:
        return known.pop(), ()
    if not said:
        return None, ()
    message = "says more than one thing, so none is taken" if known else "is in no vocabulary that is read"
    remedy = "state it in the study's own description or data list"
    return None, (Issue(SOURCE, place, f"{message}: {remedy}", "note", f"{message}: {shown[:200]!a}: {remedy}"),)


def known_licence(text: str) -> str | None:
    """The one licence that a text names by its id or address, as an SPDX id that contracts know.

    None where it names another one too, or a version or variant that contracts do not know.
    """
    upper = re.sub(r"[\s_\u2010-\u2014]+", "-", text.upper())
    named = {f"CC-{kind}-{version}" for kind, version in _CREATIVE_COMMONS.findall(upper)}
    named = {"CC0-1.0" if name == "CC-ZERO-1.0" else name for name in named}
    named |= {_spdx(name) for name in _LICENCE_NAMES.findall(upper)}
    return next(iter(named)) if len(named) == 1 and named <= _KNOWN_LICENCES else None


def _spdx(name: str) -> str:
    """The SPDX id of a licence as found in a text; what cannot be one stays as it is."""
    if name.startswith("CC"):
        parts = name.removeprefix("CC").removeprefix("-")
        return "CC0-1.0" if parts.startswith("0") else f"CC-{parts}"
    return "OGL-UK-3.0" if re.search(r"[-V/]3(\.0)?$", name) else name


def known_identifier(texts: Iterable[str]) -> str | None:
    """The first DOI among identifiers, else handle, else URN:NBN; as an address where there is one."""
    said = [text.strip() for text in texts]
    for pattern, prefix in ((_DOI, "https://doi.org/"), (_HANDLE, "https://hdl.handle.net/"), (_URN, "")):
        for text in said:
            if found := pattern.fullmatch(text):
                return prefix + found.group(1)
    return None


def year_of_day(text: str) -> int | None:
    """The year of a date such as 2018-02-09, 20180209, 2018-02 or 2018; None for anything else."""
    found = _DAY.fullmatch(text)
    return int(found.group(1)) if found else None


def years_in(text: str) -> list[int]:
    """The years that a text names."""
    return [int(year) for year in _YEAR.findall(text)]
