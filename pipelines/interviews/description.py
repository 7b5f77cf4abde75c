"""What a study says of itself, from `study.yml` and from an archive's description of it.

Belongs here: which of the two is heard, and that they do not contradict each other. Does not belong here: the
formats of archives, and anything about single interviews.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final, TypeVar

from pipelines.interviews import terms
from pipelines.interviews.declaration import STUDY_FILE, DeclaredStudy, readable
from pipelines.interviews.rows import quoted
from pipelines.interviews.study import NOT_STATED, Described, Description, Issue
from pipelines.interviews.vocabulary import MODE, Vocabulary, fold

SOURCE: Final = "description"
EARLIEST_YEAR: Final = 1900
T = TypeVar("T")


def describe_study(
    declared: DeclaredStudy, described: Described, vocabulary: Vocabulary, today: dt.date
) -> tuple[Description, tuple[Issue, ...]]:
    """The description of a study: `study.yml` first, the archive's record where it says nothing.

    Refused: a record that its archive has withdrawn, facts that contradict each other, a title or years that
    nobody gives, years in the future. Where a fact is refused, a stand-in keeps the rest readable.
    """
    facts = _Facts()
    if described.is_deleted:
        facts.refuse("", "the archive has withdrawn this record: ask there why before using the study")
    mode = _mode(declared, vocabulary, facts)
    sampling = None if declared.sampling == NOT_STATED else declared.sampling
    title = facts.agreed("title", declared.title, _readable_title(described.title, facts), fold)
    year_from, year_to = _years(declared, described, facts, today)
    return Description(
        study_id=declared.study_id,
        title=title or facts.missing("title", declared.study_id),
        is_synthetic=declared.synthetic,
        year_from=year_from,
        year_to=year_to,
        sampling=facts.agreed("sampling", sampling, described.sampling) or "not_stated",
        lawful_basis=declared.lawful_basis,
        persistent_id=facts.agreed("persistent_id", _identifier(declared.persistent_id), described.persistent_id),
        licence=facts.agreed("licence", declared.licence, described.licence),
        mode_of_collection=facts.agreed("mode_of_collection", mode, described.mode_of_collection) or NOT_STATED,
    ), tuple(facts.issues)


class _Facts:
    """Collects what is wrong while facts are put together."""

    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def refuse(self, name: str, said: str, value: str = "") -> None:
        """Collect a refusal; the researcher reads the value, too."""
        place = f"{STUDY_FILE}, {name}" if name else ""
        self.issues.append(Issue(SOURCE, place, said, "refused", f"{quoted(value)} {said}" if value else ""))

    def agreed(
        self, name: str, own: T | None, archived: T | None, key: Callable[[T], object] = lambda value: value
    ) -> T | None:
        """What the study says, else what the archive says; a refusal where they differ."""
        if own is not None and archived is not None and key(own) != key(archived):
            said = "contradicts the description file: correct one, or leave it out of study.yml"
            self.refuse(name, said, str(own))
        return archived if own is None else own

    def missing(self, name: str, stand_in: T) -> T:
        """A stand-in for what nobody says, and a refusal."""
        self.refuse(name, f"neither {STUDY_FILE} nor a description file says it: add it to {STUDY_FILE}")
        return stand_in


def _years(declared: DeclaredStudy, described: Described, facts: _Facts, today: dt.date) -> tuple[int, int]:
    archived = None
    if described.year_from is not None:
        archived = (described.year_from, described.year_to or described.year_from)
    first, last = facts.agreed("years", declared.years, archived) or facts.missing(
        "years", (EARLIEST_YEAR, today.year)
    )
    if not EARLIEST_YEAR <= first <= last <= today.year:
        facts.refuse("years", "are not a first and a last year, none of them in the future")
    return first, last


def _readable_title(title: str | None, facts: _Facts) -> str | None:
    try:
        return None if title is None else readable(title)
    except ValueError as error:
        facts.refuse("title", f"in the description file {error}: give it in {STUDY_FILE}")
        return None


def _identifier(own: str | None) -> str | None:
    return own and (terms.known_identifier([own]) or own)


def _mode(declared: DeclaredStudy, vocabulary: Vocabulary, facts: _Facts) -> str | None:
    own = declared.mode_of_collection
    if own is None or own == NOT_STATED:
        return None
    if (mode := vocabulary.mode(own)) is None:
        known = ", ".join(vocabulary.attribute(MODE).categories)
        facts.refuse("mode_of_collection", f"is not in the vocabulary; there are: {known}", own)
    return mode
