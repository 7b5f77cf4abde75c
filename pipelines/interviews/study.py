"""One internal schema for a study: what every adapter yields, and how it says what it could not read.

Belongs here: the tables that a study becomes, the files it is read from, and issues in two wordings, one for
the researcher and one for everybody else. Does not belong here: any format, and storing. Labels of interviews,
names of codes and of files live in these objects while a study is read and matched; no table of the restricted
store has a column for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

NOT_STATED = "not_stated"
Status = Literal["completed", "withdrawn"]
Sampling = Literal["purposive", "probability", "census", "not_stated"]
LawfulBasis = Literal["consent", "public_task", "legitimate_interests", "not_stated"]
Severity = Literal["refused", "left_out", "note"]


class InterviewError(Exception):
    """A study that cannot be used at all; the message names the file's role, the place and the remedy, no value.

    `for_researcher` may quote what was read; it is shown to whoever handed the study in and to nobody else.
    """

    def __init__(self, message: str, for_researcher: str | None = None) -> None:
        super().__init__(message)
        self.for_researcher = for_researcher or message


@dataclass(frozen=True)
class Issue:
    """Something in a study that was not read as it stands.

    `source` is the role of a file (`data list`, `codes`, `themes`, `description`, `frame`), never its name;
    `place` says where in it, such as `row 14, column tenure` with the attribute's name, not the file's own
    heading. `message` holds no value of a cell; `shown` is the same for the researcher, and may quote it.
    `refused` stops the study, `left_out` leaves a row, code or value out, `note` changes nothing.
    """

    source: str
    place: str
    message: str
    severity: Severity
    shown: str = field(default="", repr=False)

    def __str__(self) -> str:
        """The wording that may stand in a log."""
        return f"{self.source}, {self.place}: {self.message}" if self.place else f"{self.source}: {self.message}"

    @property
    def for_researcher(self) -> str:
        """The wording that may quote what was read, such as `row 14, column tenure: 'twelve' is not …`."""
        said = self.shown or self.message
        return f"{self.source}, {self.place}: {said}" if self.place else f"{self.source}: {said}"


@dataclass(frozen=True)
class Description:
    """What a study says about itself; all of it is public once the study is published."""

    study_id: str
    title: str
    is_synthetic: bool
    year_from: int
    year_to: int
    sampling: Sampling
    lawful_basis: LawfulBasis
    persistent_id: str | None = None
    licence: str | None = None
    mode_of_collection: str = NOT_STATED


@dataclass(frozen=True)
class Encounter:
    """One interview or focus group; `label` is what the study calls it, used to match files and then forgotten.

    `minutes` is its length to the nearest five minutes, None where it is not stated.
    """

    label: str = field(repr=False)
    status: Status = "completed"
    year: int | None = None
    mode_of_collection: str = NOT_STATED
    minutes: int | None = None


@dataclass(frozen=True)
class Participant:
    """One person in one encounter: per attribute a category of `data_contracts/interviews.yml`, all banded."""

    label: str = field(repr=False)
    attributes: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Code:
    """One code of a study's code tree; `name` is its path, used to match the theme map and then forgotten."""

    name: str = field(repr=False)
    position: int
    parent: int | None = None


@dataclass(frozen=True)
class EncounterCode:
    """How often a code, by its position, was used in an encounter, by its label."""

    label: str = field(repr=False)
    code: int
    references: int


@dataclass(frozen=True)
class ThemeMapping:
    """One reviewed line of a theme map: a code, by its position, stands for a theme of the reviewed list."""

    code: int
    theme_id: str
    reviewed_on: str


@dataclass(frozen=True)
class FrameLine:
    """How many people the study could have asked: holders of a category of one attribute."""

    attribute: str
    category: str
    holders: int


@dataclass(frozen=True)
class Coding:
    """What a file of codes yields: its code tree, and which encounters each was used in."""

    codes: tuple[Code, ...] = ()
    uses: tuple[EncounterCode, ...] = ()
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True)
class Study:
    """A whole study as read: what goes into the restricted store, and every issue that was found."""

    description: Description
    encounters: tuple[Encounter, ...]
    participants: tuple[Participant, ...]
    codes: tuple[Code, ...]
    uses: tuple[EncounterCode, ...]
    themes: tuple[ThemeMapping, ...]
    frame: tuple[FrameLine, ...]
    issues: tuple[Issue, ...]

    @property
    def refusals(self) -> tuple[Issue, ...]:
        """The issues that stop the study."""
        return tuple(issue for issue in self.issues if issue.severity == "refused")


@dataclass(frozen=True)
class StudyFiles:
    """The files of a study as handed in, by name; bytes only, so that nothing reads a path a file names."""

    content: Mapping[str, bytes] = field(repr=False)

    def __iter__(self) -> Iterator[str]:
        """The names of the files, sorted."""
        return iter(sorted(self.content))


@dataclass(frozen=True)
class Described:
    """What a study description in a foreign format yields; None where it does not say.

    `is_deleted` is true for a record that its archive has withdrawn.
    """

    title: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    sampling: Sampling | None = None
    mode_of_collection: str | None = None
    persistent_id: str | None = None
    licence: str | None = None
    is_deleted: bool = False
    issues: tuple[Issue, ...] = ()
