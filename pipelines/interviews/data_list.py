"""The list of a study's interviews, read through the columns that the study declares, and through no others.

Belongs here: which column means what, the words that stand in it, group interviews, withdrawals. Does not belong
here: how a file is cut into rows (`rows`), and how exact values become bands (`bands`). It fails closed: a column
that nobody declared, or a value that is not understood, refuses the study.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn, TypeVar

import pandas as pd

from pipelines.interviews import guard
from pipelines.interviews.bands import (
    UnreadableValue,
    Value,
    When,
    age_band,
    as_band,
    interview_date,
    is_not_stated,
    nearest_five_minutes,
    tenure_band,
    year_of,
)
from pipelines.interviews.declaration import STUDY_FILE, DeclaredDataList, RowStatus
from pipelines.interviews.rows import (
    DELIMITERS,
    Cell,
    NotCalculated,
    Sheet,
    csv_sheet,
    is_blank,
    quoted,
    xlsx_sheet,
)
from pipelines.interviews.study import NOT_STATED, Encounter, InterviewError, Issue, Participant, Severity
from pipelines.interviews.vocabulary import MODE, NOT_MENTIONED, ROLE_GROUP, Attribute, Vocabulary, fold

SOURCE: Final = "data list"
STATUS_WORDS: Final[dict[str, RowStatus]] = {
    "completed": "completed",
    "complete": "completed",
    "done": "completed",
    "withdrawn": "withdrawn",
}
BANDS: Final[Mapping[str, tuple[str, Callable[[Value, When | None], str]]]] = {
    "age_band": ("age", age_band),
    "tenure_band": ("tenure", tenure_band),
}
FILE_ENDINGS: Final = frozenset(
    {
        "aac", "aiff", "avi", "doc", "docx", "eaf", "flac", "htm", "html", "json", "m4a", "md", "mov", "mp3",
        "mp4", "odt", "ogg", "opus", "pdf", "rtf", "srt", "txt", "vtt", "wav", "webm", "wma", "wmv", "xlsx", "xml",
    }
)  # fmt: skip
T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """What is known of a study before its list is read: its years, how it was held, and which day it is."""

    year_from: int
    year_to: int
    today: dt.date
    mode_of_collection: str = NOT_STATED


@dataclass(frozen=True)
class DataList:
    """What a list yields; `mentions` are pairs of an encounter's label and a theme that a column tells of."""

    encounters: tuple[Encounter, ...] = ()
    participants: tuple[Participant, ...] = ()
    mentions: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    issues: tuple[Issue, ...] = ()


def read_data_list(
    content: bytes, declared: DeclaredDataList, vocabulary: Vocabulary, setting: Setting
) -> DataList:
    """Read a list of interviews; with a refused issue among them, it yields the issues alone.

    Errors: `InterviewError` for a file that cannot be cut into rows without doubt.
    """
    if faults := tuple(_declaration_issues(declared, vocabulary)):
        return DataList(issues=faults)
    sheet = _open(content, declared)
    issues = [*_header_issues(sheet.header, declared)]
    if _is_refused(issues):
        return DataList(issues=tuple(issues))
    reader = _Reader(declared, vocabulary, setting)
    rows = reader.rows(_kept_columns(sheet, declared.read))
    if not any(row.status == "completed" for row in rows) and not _is_refused(reader.issues):
        reader.say("", "no completed interview is in the list", "refused")
    encounters, participants = reader.join(rows)
    issues += reader.issues
    if _is_refused(issues):
        return DataList(issues=tuple(issues))
    encounters, participants, notes = _at_common_levels(encounters, participants, vocabulary)
    joined = {match_key(encounter.label): encounter.label for encounter in encounters}
    mentions = {(joined[match_key(row.label)], theme) for row in rows for theme in row.mentioned}
    return DataList(encounters, participants, tuple(sorted(mentions)), (*issues, *notes))


def match_key(label: str) -> str:
    """A label as interviews and files are matched: without capitals, outer spaces or the ending of a file name."""
    folded = fold(guard.clean_name(label)[0])
    stem, _, ending = folded.rpartition(".")
    return stem.rstrip() if stem and ending in FILE_ENDINGS else folded


def _is_refused(issues: Sequence[Issue]) -> bool:
    return any(issue.severity == "refused" for issue in issues)


# --- the declaration and the header -------------------------------------------------------------------------


def _declaration_issues(declared: DeclaredDataList, vocabulary: Vocabulary) -> Iterator[Issue]:
    """What a declaration says that the vocabulary does not know."""
    if ROLE_GROUP not in declared.attributes:
        said = f"{ROLE_GROUP} is missing: give its column, or `constant: councillor` if everybody is one"
        yield Issue("description", f"{STUDY_FILE}, data_list.attributes", said, "refused")
    for name, attribute in declared.attributes.items():
        if name not in vocabulary.attributes:
            yield _unknown_word("attributes", name, "attribute", vocabulary.attributes)
            continue
        wanted = {*attribute.values.values(), *filter(None, [attribute.constant])}
        known = vocabulary.levels(name)[-1]
        for category in sorted(wanted - known.keys()):
            yield _unknown_word(f"attributes.{name}", category, "category", known)
        if attribute.band and BANDS.get(name, ("",))[0] != attribute.band:
            place = f"{STUDY_FILE}, data_list.attributes.{name}"
            yield Issue("description", place, f"is not banded as {attribute.band}", "refused")
    for theme_id in sorted(set(declared.theme_ids) - vocabulary.themes.keys()):
        yield _unknown_word("themes", theme_id, "theme", [*vocabulary.themes, NOT_MENTIONED])


def _unknown_word(place: str, word: str, kind: str, known: Iterable[str]) -> Issue:
    said = f"is not in the vocabulary; there are: {', '.join(known)}"
    where = f"{STUDY_FILE}, data_list.{place}"
    return Issue("description", where, f"one {kind} {said}", "refused", f"{kind} {quoted(word)} {said}")


def _open(content: bytes, declared: DeclaredDataList) -> Sheet:
    is_workbook = content.startswith(b"PK")
    if is_workbook != (declared.format == "xlsx"):
        said = (
            "a workbook: declare `format: xlsx`" if is_workbook else "no .xlsx workbook: save it as one, or as CSV"
        )
        raise InterviewError(f"{SOURCE}: the file is {said}")
    if is_workbook:
        return xlsx_sheet(content, SOURCE, declared.sheet)
    delimiter = DELIMITERS[declared.delimiter] if declared.delimiter else None
    text = guard.check_text(content, SOURCE, declared.encoding)
    return csv_sheet(text, SOURCE, [*declared.read, *declared.dropped], delimiter)


def _header_issues(header: Sequence[str], declared: DeclaredDataList) -> Iterator[Issue]:
    """Columns that are neither read nor dropped, by their position, since a heading may be anything."""
    known = {*declared.read, *declared.dropped}
    for place, name in enumerate(header, start=1):
        if name not in known:
            said = "is neither read nor listed under `dropped`: declare it in study.yml"
            yield Issue(SOURCE, f"column {place}", said, "refused", f"{quoted(name)} {said}")
    for number, name in enumerate(declared.read, start=1):
        if name not in header:
            said = "that study.yml declares is not among the headings"
            yield Issue(
                SOURCE, "row 1", f"declared column {number} {said}", "refused", f"column {quoted(name)} {said}"
            )
    if absent := [name for name in declared.dropped if name not in header]:
        said = f"dropped columns that are not in the file: {len(absent)}"
        yield Issue(SOURCE, "row 1", said, "note", f"{said}, {', '.join(map(quoted, absent))}")


def _kept_columns(sheet: Sheet, read: Sequence[str]) -> pd.DataFrame:
    """The declared columns as a frame, with the row numbers of the file as its index; nothing else is kept."""
    places = [sheet.header.index(name) for name in read]
    numbers, kept = [], []
    for number, cells in sheet.rows:
        numbers.append(number)
        kept.append([cells[place] for place in places])
    return pd.DataFrame(kept, index=numbers, columns=list(read), dtype=object)


# --- rows ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """One row of the list as judged; of a withdrawn one, only that it is."""

    number: int
    label: str = field(repr=False)
    participant: str = field(default="", repr=False)
    status: RowStatus = "completed"
    year: int | None = None
    minutes: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    mentioned: frozenset[str] = field(default=frozenset(), repr=False)


class _Reader:
    """Judges rows and cells; what it does not understand it collects as issues."""

    def __init__(self, declared: DeclaredDataList, vocabulary: Vocabulary, setting: Setting) -> None:
        self.issues: list[Issue] = []
        self._declared = declared
        self._vocabulary = vocabulary
        self._setting = setting

    def say(self, place: str, message: str, severity: Severity, shown: str = "") -> None:
        """Collect an issue."""
        self.issues.append(Issue(SOURCE, place, message, severity, shown))

    def rows(self, frame: pd.DataFrame) -> list[_Row]:
        """Every row of the frame that is one of an interview."""
        headings = list(frame.columns)
        found = (
            self._row(number, dict(zip(headings, cells, strict=True)))
            for number, *cells in frame.itertuples(name=None)
        )
        return [row for row in found if row is not None]

    def _row(self, number: int, cells: Mapping[str, Cell]) -> _Row | None:
        declared = self._declared
        if all(is_blank(cell) for cell in cells.values()) or not self._is_complete(number, cells):
            return None
        label = self._read(number, "label", cells[declared.label], _text, "")
        status = self._status(number, cells)
        if status == "left_out":
            self.say(f"row {number}", "left out because of its status", "left_out")
            return None
        participant = _text(cells[declared.participant]) if declared.participant else ""
        if status == "withdrawn":
            return _Row(number, label, participant, status)
        when = self._date(number, cells)
        minutes = None
        if declared.minutes:
            minutes = self._read(number, "minutes", cells[declared.minutes], nearest_five_minutes, None)
        return _Row(
            number=number,
            label=label,
            participant=participant,
            year=None if when is None else year_of(when),
            minutes=minutes,
            attributes=self._attributes(number, cells, when),
            mentioned=frozenset(self._mentioned(number, cells)),
        )

    def _is_complete(self, number: int, cells: Mapping[str, Cell]) -> bool:
        """Whether a row has a label and something besides it; a total below the list has not."""
        label = cells[self._declared.label]
        if not isinstance(label, NotCalculated) and (is_not_stated(label) or not match_key(_text(label))):
            self.say(f"row {number}, column label", "is not stated: a row without a label is left out", "left_out")
            return False
        others = [cell for name, cell in cells.items() if name != self._declared.label]
        if others and all(is_blank(cell) for cell in others):
            self.say(f"row {number}", "holds a label and nothing else that is read: left out", "left_out")
            return False
        return True

    def _read(
        self,
        number: int,
        name: str,
        cell: Cell,
        parse: Callable[[Value], T],
        default: T,
        words: Mapping[str, T] | None = None,
    ) -> T:
        """A cell's meaning: by the study's own words, else as parsed; what is not stated reads as the default.

        What is not understood is an issue, and refuses the study.
        """
        place = f"row {number}, column {name.removesuffix('_band')}"
        if isinstance(cell, NotCalculated):
            said = "holds a formula without its result: open the file in Excel, save it, and hand it in again"
            self.say(place, said, "refused")
            return default
        if words and fold(_text(cell)) in words:
            return words[fold(_text(cell))]
        if cell is None or is_not_stated(cell):
            return default
        try:
            return parse(cell)
        except UnreadableValue as error:
            self.say(place, f"the value {error}", "refused", f"{quoted(str(cell))} {error}")
            return default

    def _status(self, number: int, cells: Mapping[str, Cell]) -> RowStatus:
        declared = self._declared.status
        if declared is None:
            return "completed"
        cell = cells[declared.column]
        parse = _unknown("is no known status: map it under `values`")
        found = self._read(number, "status", cell, parse, None, {**STATUS_WORDS, **declared.values})
        if found is None and is_not_stated(cell):
            self.say(f"row {number}, column status", "is not stated: say completed or withdrawn", "refused")
        return found or "completed"

    def _date(self, number: int, cells: Mapping[str, Cell]) -> When | None:
        setting = self._setting

        def parse(cell: Value) -> When:
            when = interview_date(cell, setting.today)
            if not setting.year_from <= year_of(when) <= setting.year_to:
                raise UnreadableValue("lies outside the years of the study")
            return when

        found: When | None = None
        if self._declared.date:
            found = self._read(number, "date", cells[self._declared.date], parse, None)
        if found is None and setting.year_from == setting.year_to:
            return setting.year_to
        return found

    def _attributes(self, number: int, cells: Mapping[str, Cell], when: When | None) -> dict[str, str]:
        """A category for every attribute; what is read for one role group only is not stated for the others."""
        found: dict[str, str] = {}
        for attribute in sorted(self._vocabulary.attributes.values(), key=lambda a: a.name != ROLE_GROUP):
            if attribute.of not in (None, found.get(ROLE_GROUP)):
                found[attribute.name] = NOT_STATED
            else:
                found[attribute.name] = self._attribute(number, attribute, cells, when)
        return {name: found[name] for name in self._vocabulary.attributes}

    def _attribute(self, number: int, attribute: Attribute, cells: Mapping[str, Cell], when: When | None) -> str:
        declared = self._declared.attributes.get(attribute.name)
        default = self._setting.mode_of_collection if attribute.name == MODE else NOT_STATED
        if declared is None:
            return default
        if declared.column is None:
            return declared.constant or default
        return self._read(
            number,
            attribute.name,
            cells[declared.column],
            lambda cell: self._category(attribute, cell, when),
            NOT_STATED,
            declared.values,
        )

    def _category(self, attribute: Attribute, value: Value, when: When | None) -> str:
        text = _text(value)
        found = self._vocabulary.mode(text) if attribute.name == MODE else attribute.category(text)
        if found is not None:
            return found
        if attribute.name not in BANDS:
            raise UnreadableValue(f"is no category of {attribute.name}: map it under `values`")
        _, band = BANDS[attribute.name]
        return attribute.category(as_band(text)) or band(value, when)

    def _mentioned(self, number: int, cells: Mapping[str, Cell]) -> Iterator[str]:
        parse = _unknown("is no answer that `values` maps to a theme")
        for place, column in enumerate(self._declared.theme_columns, start=1):
            cell = cells[column.column]
            theme = self._read(number, f"theme {place}", cell, parse, NOT_MENTIONED, column.values)
            if theme != NOT_MENTIONED:
                yield theme

    # --- encounters -----------------------------------------------------------------------------------------

    def join(self, rows: Sequence[_Row]) -> tuple[tuple[Encounter, ...], tuple[Participant, ...]]:
        """One encounter for each label, and its participants; an encounter that nobody is left of is withdrawn."""
        groups: dict[str, list[_Row]] = {}
        for row in rows:
            groups.setdefault(match_key(row.label), []).append(row)
        encounters, participants = [], []
        for group in groups.values():
            self._check_group(group)
            encounters.append(self._encounter(group))
            label = group[0].label
            participants += [Participant(label, row.attributes) for row in group if row.status == "completed"]
        return tuple(encounters), tuple(participants)

    def _check_group(self, group: Sequence[_Row]) -> None:
        if len(group) == 1:
            return
        first, *others = group
        if self._declared.participant is None:
            for row in others:
                said = f"the label stands in row {first.number} already: every interview needs its own"
                self.say(f"row {row.number}, column label", said, "refused", f"{quoted(row.label)}: {said}")
            return
        seen: set[str] = set()
        for row in group:
            person = fold(row.participant)
            if not person or person in seen:
                said = "everybody in a group needs a participant of their own"
                self.say(f"row {row.number}, column participant", said, "refused")
            seen.add(person)
        if {row.status for row in group} == {"completed", "withdrawn"}:
            self.say(f"row {first.number}", "part of the group has withdrawn and is left out", "note")

    def _encounter(self, group: Sequence[_Row]) -> Encounter:
        label = group[0].label
        completed = [row for row in group if row.status == "completed"]
        if not completed:
            return Encounter(label, "withdrawn")
        return Encounter(
            label=label,
            year=self._common(completed, "year", lambda row: row.year, None),
            mode_of_collection=self._common(completed, MODE, lambda row: row.attributes[MODE], NOT_STATED),
            minutes=self._common(completed, "minutes", lambda row: row.minutes, None),
        )

    def _common(self, group: Sequence[_Row], name: str, read: Callable[[_Row], T], not_stated: T) -> T:
        """What the rows of one encounter say of it together; they may leave it out, but not disagree."""
        stated = list(dict.fromkeys(value for row in group if (value := read(row)) != not_stated))
        if len(stated) > 1:
            numbers = ", ".join(str(row.number) for row in group)
            said = f"rows {numbers} are one encounter, but differ in {name}"
            self.say(f"row {group[0].number}", said, "refused")
        return stated[0] if stated else not_stated


def _at_common_levels(
    encounters: Sequence[Encounter], participants: Sequence[Participant], vocabulary: Vocabulary
) -> tuple[tuple[Encounter, ...], tuple[Participant, ...], tuple[Issue, ...]]:
    """Where a broader category was given, everybody is shown at that level: both cannot stand in one table."""
    given = {name: {p.attributes[name] for p in participants} for name in vocabulary.attributes}
    given[MODE] |= {encounter.mode_of_collection for encounter in encounters}
    levels = {name: vocabulary.attribute(name).level_of(values) for name, values in given.items()}
    lift = {name: vocabulary.levels(name)[level] for name, level in levels.items()}
    notes = tuple(
        Issue(
            SOURCE,
            f"column {name.removesuffix('_band')}",
            "a broader category is given: all rows are kept at that level",
            "note",
        )
        for name, level in levels.items()
        if level
    )
    lifted = [replace(e, mode_of_collection=lift[MODE][e.mode_of_collection]) for e in encounters]
    merged = [
        replace(p, attributes={name: lift[name][category] for name, category in p.attributes.items()})
        for p in participants
    ]
    return tuple(lifted), tuple(merged), notes


def _unknown(message: str) -> Callable[[Value], NoReturn]:
    """A reading that knows no value of its own."""

    def parse(_cell: Value) -> NoReturn:
        raise UnreadableValue(message)

    return parse


def _text(cell: Cell) -> str:
    return "" if cell is None or isinstance(cell, NotCalculated) else str(cell).strip()
