"""A study as handed in: one folder of files, read as `study.yml` declares them, into one study or a clear refusal.

Belongs here: taking the files in, putting what the adapters read together, the report to the researcher, and the
records that leave for disclosure control. Does not belong here: any format, storing, and deciding what goes out.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import pandas as pd

from pipelines.interviews import coding_databases, dataverse, ddi, oai, refi_qda
from pipelines.interviews.data_list import DataList, Setting, match_key, read_data_list
from pipelines.interviews.declaration import (
    STUDY_FILE,
    DeclaredCodes,
    DeclaredDataList,
    DeclaredDescription,
    DeclaredStudy,
    read_declaration,
)
from pipelines.interviews.description import describe_study
from pipelines.interviews.frame import read_frame
from pipelines.interviews.rows import quoted
from pipelines.interviews.study import (
    Code,
    Coding,
    Described,
    Encounter,
    EncounterCode,
    InterviewError,
    Issue,
    Severity,
    Study,
    StudyFiles,
    ThemeMapping,
)
from pipelines.interviews.theme_map import read_theme_map
from pipelines.interviews.vocabulary import NOT_MENTIONED, Vocabulary

MOST_FILES: Final = 50
MOST_BYTES: Final = 200_000_000
MENTIONED, THEME_PREFIX = "mentioned", "theme:"

ROLES: Final = ("description", "data list", "codes", "themes", "frame")
SEVERITIES: Final[Mapping[Severity, str]] = {"refused": "refused", "left_out": "left out", "note": "note"}
MOST_TOLD: Final = 40  # issues of one kind about one file: who mends these sees the rest next time
NOTHING: Final[tuple[tuple[Any, ...], tuple[Issue, ...]]] = ((), ())

DESCRIPTIONS: Final[Mapping[str, Callable[[bytes], Described]]] = {
    "ddi": ddi.read_ddi,
    "oai": oai.read_oai,
    "dataverse": dataverse.read_dataverse,
}
DATABASES: Final[Mapping[str, Callable[[bytes], Coding]]] = {
    "qualcoder": coding_databases.read_qualcoder,
    "taguette": coding_databases.read_taguette,
}
P = TypeVar("P", str, DeclaredDescription, DeclaredDataList, DeclaredCodes)
T = TypeVar("T")


# --- taking files in ----------------------------------------------------------------------------------------


def load_files(folder: Path) -> StudyFiles:
    """The regular files of one folder, as bytes; names that begin with a dot are passed over.

    Errors: `InterviewError` for a folder that cannot be read, a link, a subfolder or a device in it, and for more
    than 50 files or 200 MB together.
    """
    content: dict[str, bytes] = {}
    left = MOST_BYTES
    try:
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        if len(names) > MOST_FILES:
            raise InterviewError(f"the folder holds more than {MOST_FILES} files: leave only those of the study")
        for name in names:
            content[name] = _read_file(folder / name, left)
            left -= len(content[name])
    except OSError as error:
        raise InterviewError(
            f"the folder or a file in it cannot be read ({error.strerror})", f"cannot read {error.filename}"
        ) from None
    return StudyFiles(content)


def _read_file(path: Path, most: int) -> bytes:
    """The bytes of a regular file; a link fails to open, so nothing can become one after a look at it."""
    if path.is_symlink():
        raise _refused_entry(path, "a link")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refused_entry(path, "a subfolder or a device")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            found = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(found) > most:
        raise InterviewError(
            f"the files hold more than {MOST_BYTES // 1_000_000} MB together: leave recordings out"
        )
    return found


def _refused_entry(path: Path, kind: str) -> InterviewError:
    said = f"the folder holds {kind}: put the study's files themselves into it"
    return InterviewError(said, f"{quoted(path.name)}: {said}")


# --- reading ------------------------------------------------------------------------------------------------


def read_study(files: StudyFiles, vocabulary: Vocabulary, today: dt.date | None = None) -> Study:
    """Read a study as its `study.yml` declares it; a study with a refused issue carries its issues and no data.

    `today` is the day after which nothing can have happened. Errors: `InterviewError` where `study.yml` is missing
    or cannot be read; whatever is wrong with another file is an issue.
    """
    if STUDY_FILE not in files.content:
        raise InterviewError(f"the folder has no {STUDY_FILE}: add one that names the data list and its columns")
    day = today or dt.datetime.now(dt.UTC).date()
    declared = read_declaration(files.content[STUDY_FILE], vocabulary.attributes)
    parts = _Parts(files)
    described = parts.read("description", declared.description, _read_description, Described())
    description, contradictions = describe_study(declared, described, vocabulary, day)
    setting = Setting(description.year_from, description.year_to, day, description.mode_of_collection)
    listed = parts.read(
        "data list",
        declared.data_list,
        lambda part, content: read_data_list(content, part, vocabulary, setting),
        DataList(),
    )
    coding = parts.read("codes", declared.codes, _read_coding, Coding())
    themes, theme_issues = parts.read(
        "themes",
        declared.themes,
        lambda _, content: read_theme_map(content, coding.codes, vocabulary, day),
        NOTHING,
    )
    lines, frame_issues = parts.read(
        "frame", declared.frame, lambda _, content: read_frame(content, vocabulary), NOTHING
    )
    uses, unmatched = _match_uses(coding, listed) if declared.codes else NOTHING
    study = Study(
        description=description,
        encounters=listed.encounters,
        participants=listed.participants,
        codes=coding.codes,
        uses=uses,
        themes=themes,
        frame=lines,
        issues=(
            *_unread(files, declared),
            *parts.issues,
            *described.issues,
            *contradictions,
            *listed.issues,
            *coding.issues,
            *unmatched,
            *theme_issues,
            *frame_issues,
        ),
    )
    if study.refusals:
        return replace(study, encounters=(), participants=(), codes=(), uses=(), themes=(), frame=())
    return _with_theme_columns(study, listed, declared.data_list)


class _Parts:
    """Reads the files of a study one by one; a file that cannot be read is an issue, and the next one is read."""

    def __init__(self, files: StudyFiles) -> None:
        self.issues: list[Issue] = []
        self._files = files

    def read(self, role: str, part: P | None, read: Callable[[P, bytes], T], nothing: T) -> T:
        """What a declared part yields; nothing where it is not declared or cannot be read."""
        if part is None:
            return nothing
        name = part if isinstance(part, str) else part.file
        try:
            if name not in self._files.content:
                said = f"the file that {STUDY_FILE} names is not in the folder"
                raise InterviewError(said, f"{quoted(name)}: {said}")  # noqa: TRY301 - it is an issue like any other
            return read(part, self._files.content[name])
        except InterviewError as error:
            message, shown = (text.removeprefix(f"{role}: ") for text in (str(error), error.for_researcher))
            self.issues.append(Issue(role, "", message, "refused", shown))
            return nothing


def _read_description(part: DeclaredDescription, content: bytes) -> Described:
    return DESCRIPTIONS[part.format](content)


def _read_coding(part: DeclaredCodes, content: bytes) -> Coding:
    """The codes of a file; a REFI-QDA project is a zip archive, a codebook alone is XML."""
    if part.format == "refi-qda":
        return refi_qda.read_qdpx(content) if content.startswith(b"PK") else refi_qda.read_qdc(content)
    return DATABASES[part.format](content)


def _unread(files: StudyFiles, declared: DeclaredStudy) -> Iterator[Issue]:
    unread = [name for name in files if name not in declared.files | {STUDY_FILE}]
    if unread:
        said = f"files in the folder that it does not name were not read: {len(unread)}"
        yield Issue("description", STUDY_FILE, said, "note", f"{said}, {', '.join(map(quoted, unread))}")


def _match_uses(coding: Coding, listed: DataList) -> tuple[tuple[EncounterCode, ...], tuple[Issue, ...]]:
    """The uses of codes under the labels of the data list, and issues about what is only in one of the two.

    Uses in withdrawn interviews are dropped. Several files of one interview count together.
    """
    if not listed.encounters:  # the list was refused: nothing can be said about the codes
        return NOTHING
    encounters = {match_key(encounter.label): encounter for encounter in listed.encounters}
    found = {use.label: encounters.get(match_key(use.label)) for use in coding.uses}
    counts: Counter[tuple[str, int]] = Counter()
    for use in coding.uses:
        encounter = found[use.label]
        if encounter is not None and encounter.status == "completed":
            counts[encounter.label, use.code] += use.references
    uses = tuple(EncounterCode(label, code, n) for (label, code), n in sorted(counts.items()))
    return uses, (*_unmatched(found), *_uncoded(listed, {use.label for use in uses}))


def _unmatched(found: Mapping[str, Encounter | None]) -> Iterator[Issue]:
    for place, (label, encounter) in enumerate(sorted(found.items(), key=lambda pair: pair[0]), start=1):
        said = "matches no label of the data list: its codes are left out"
        if encounter is None:
            yield Issue("codes", f"source {place}", said, "left_out", f"{quoted(label)} {said}")
    if any(encounter and encounter.status == "withdrawn" for encounter in found.values()):
        yield Issue("codes", "uses", "those in withdrawn interviews are left out", "note")


def _uncoded(listed: DataList, coded: AbstractSet[str]) -> Iterator[Issue]:
    if not coded:
        said = "no code is used in an interview of the data list: every theme counts as not mentioned"
        yield Issue("codes", "uses", said, "note")
        return
    for place, encounter in enumerate(listed.encounters, start=1):
        if encounter.status == "completed" and encounter.label not in coded:
            said = "has no codes: it counts as mentioning no theme"
            yield Issue("codes", f"interview {place}", said, "note", f"{quoted(encounter.label)} {said}")


def _with_theme_columns(study: Study, listed: DataList, declared: DeclaredDataList) -> Study:
    """The study with each theme that columns of the data list tell of as one more code, used where mentioned."""
    if declared.themes is None:
        return study
    start = max((code.position for code in study.codes), default=0) + 1
    places = {theme_id: place for place, theme_id in enumerate(declared.theme_ids, start=start)}
    reviewed_on = declared.themes.reviewed_on
    return replace(
        study,
        codes=(*study.codes, *(Code(theme_id, place) for theme_id, place in places.items())),
        uses=(*study.uses, *(EncounterCode(label, places[theme_id], 1) for label, theme_id in listed.mentions)),
        themes=(*study.themes, *(ThemeMapping(place, name, reviewed_on) for name, place in places.items())),
    )


# --- records ------------------------------------------------------------------------------------------------


def to_records(study: Study) -> tuple[pd.DataFrame, pd.Series[float]]:
    """One row for each participant of a completed encounter, and the encounters' minutes on the same index.

    Columns are the attributes and, for every theme that the study maps, `theme:<id>` with `mentioned` where any of
    its codes was used in the encounter, else `not_mentioned`. The index is random, and rows are in its order, so
    that neither tells which interview came first.
    """
    minutes = {e.label: e.minutes for e in study.encounters if e.status == "completed"}
    people = [person for person in study.participants if person.label in minutes]
    themes = _themes_by_label(study)
    rows = [
        dict(person.attributes)
        | {
            THEME_PREFIX + theme_id: MENTIONED if theme_id in themes.get(person.label, ()) else NOT_MENTIONED
            for theme_id in sorted({mapping.theme_id for mapping in study.themes})
        }
        for person in people
    ]
    index = pd.Index([secrets.token_hex(8) for _ in people], name="record_id", dtype="object")
    records = pd.DataFrame(rows, index=index).sort_index()
    lengths = pd.Series([minutes[person.label] for person in people], index=index, dtype="float64", name="minutes")
    return records, lengths.reindex(records.index)


def _themes_by_label(study: Study) -> Mapping[str, AbstractSet[str]]:
    meant: dict[int, set[str]] = {}
    for mapping in study.themes:
        meant.setdefault(mapping.code, set()).add(mapping.theme_id)
    found: dict[str, set[str]] = {}
    for use in study.uses:
        found.setdefault(use.label, set()).update(meant.get(use.code, ()))
    return found


# --- the report ---------------------------------------------------------------------------------------------


def report(result: Study | InterviewError, for_researcher: bool) -> str:
    """What was found wrong, by file, files with refusals first; the researcher's wording may quote cells.

    The other wording, which may stand in a log, holds no value, and no number of interviews.
    """
    if isinstance(result, InterviewError):
        said = result.for_researcher if for_researcher else str(result)
        return f"The study was refused.\n\n{said}\n"
    lines = [_verdict(result)]
    if for_researcher and not result.refusals:
        lines += [_summary(result)]
    roles = {issue.source for issue in result.issues}
    refused = {issue.source for issue in result.refusals}
    for role in sorted(roles, key=lambda role: (role not in refused, _rank(role))):
        issues = [issue for issue in result.issues if issue.source == role]
        lines += ["", f"{role}:", *_told(issues, for_researcher)]
    return "\n".join(lines) + "\n"


def _verdict(study: Study) -> str:
    name = f"Study {study.description.study_id}"
    if study.refusals:
        return f"{name} was refused: mend what is called `refused` below, and hand it in again."
    return f"{name} was read{' with remarks' if study.issues else ''}."


def _summary(study: Study) -> str:
    statuses = Counter(encounter.status for encounter in study.encounters)
    themes = len({mapping.theme_id for mapping in study.themes})
    return (
        f"{statuses['completed']} interviews with {len(study.participants)} participants, "
        f"{statuses['withdrawn']} withdrawn, {len(study.codes)} codes, {themes} themes."
    )


def _rank(role: str) -> tuple[int, str]:
    return (ROLES.index(role) if role in ROLES else len(ROLES)), role


def _told(issues: Sequence[Issue], for_researcher: bool) -> Iterator[str]:
    for severity, word in SEVERITIES.items():
        alike = [issue for issue in issues if issue.severity == severity]
        for issue in alike[:MOST_TOLD]:
            said = (for_researcher and issue.shown) or issue.message
            yield f"  {word}: {f'{issue.place}: ' if issue.place else ''}{said}"
        if len(alike) > MOST_TOLD:
            yield f"  {word}: and {len(alike) - MOST_TOLD} more"
