"""Merging of categories in their declared order, as far as rules D4, D8 and D9 ask.

Belongs here: what a category becomes at a level, and the finest level that may be told. Does not belong here: the
words themselves (they come as plain data) and which tables are made of them (`tables`).

Level 0 is the finest; each level merges the one before. An attribute has one level in all tables of a study, and
over time it only becomes coarser: two tellings of it are then always nested, and differencing them yields no group
that neither of them shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from pipelines.privacy.evidence import Withheld
from pipelines.privacy.rules import DisclosureError, Rules

NOT_STATED: Final = "not_stated"


@dataclass(frozen=True)
class Hierarchy:
    """In which order the categories of an attribute merge; what an entry does not name stays as it is.

    `always_merged` categories are never shown alone. `of` is the only role group that has the attribute, None for
    all. `categories` are the finest; where they are not given, a category that something merges into counts as a
    merged one, and unknown categories are not found out.
    """

    attribute: str
    merges: tuple[Mapping[str, str], ...] = ()
    always_merged: frozenset[str] = frozenset()
    of: str | None = None
    categories: frozenset[str] = frozenset()

    @property
    def top(self) -> int:
        """The coarsest level."""
        return len(self.merges)

    def broaden(self, category: str, level: int) -> str:
        """What a category becomes at a level; one that is broader already stays what it is."""
        for merge in self.merges[:level]:
            category = merge.get(category, category)
        return category

    def level_of(self, category: str) -> int:
        """The finest level that has a category; `DisclosureError` (D13) for one that no level has."""
        if category in self.categories:
            return 0
        for level, merge in enumerate(self.merges, start=1):
            if category in merge.values():
                return level
        if self.categories:
            raise DisclosureError(f"D13: {self.attribute}: a category is not in the vocabulary")
        return 0


def read_hierarchies(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Hierarchy]:
    """The hierarchies of a vocabulary as `data_contracts/interviews.yml` writes it, in its order."""
    return {
        name: Hierarchy(
            attribute=name,
            merges=tuple(dict(merge) for merge in written.get("merges", ())),
            always_merged=frozenset(written.get("always_merged", ())),
            of=written.get("of"),
            categories=frozenset(written["categories"]),
        )
        for name, written in attributes.items()
    }


def recode(series: pd.Series[str], hierarchy: Hierarchy, level: int) -> pd.Series[str]:
    """The categories of a column as they are shown at a level."""
    return series.map({category: hierarchy.broaden(category, level) for category in series.unique()})


def choose_level(
    series: pd.Series[str],
    hierarchy: Hierarchy,
    rules: Rules,
    holders: Mapping[str, int] | None = None,
    at_least: int = 0,
    at_most_categories: int | None = None,
) -> int | Withheld:
    """The finest level at which a column may be told, or why it may not be told at any.

    `series` are the interviews that the table is about, `holders` the people in the country by category, None
    where nobody counted them. It is never finer than `at_least`, which is what was told before, nor than the
    broadest category that an interview was given with. Raises `DisclosureError` (D13) for an unknown category.
    """
    start = max((hierarchy.level_of(category) for category in series.unique()), default=0)
    start = max(start, at_least)
    if start > hierarchy.top:
        return Withheld("D13", hierarchy.attribute, "its categories cannot be merged any further")
    if not rules.holds("D8") and hierarchy.of is not None and hierarchy.always_merged:
        return start
    broken = ""
    for level in range(start, hierarchy.top + 1):
        shown = recode(series, hierarchy, level)
        broken = _broken_rule(shown, hierarchy, level, rules, holders, at_most_categories)
        if not broken:
            return level
    return Withheld(broken, hierarchy.attribute, _REASONS[broken])


_REASONS: Final[Mapping[str, str]] = {
    "D4": "a category has too few interviews, however it is merged",
    "D8": "a category has too few holders in the country, however it is merged",
    "D9": "there are too many categories for a group without public register, however they are merged",
}


def _broken_rule(
    shown: pd.Series[str],
    hierarchy: Hierarchy,
    level: int,
    rules: Rules,
    holders: Mapping[str, int] | None,
    at_most_categories: int | None,
) -> str:
    """The first of D4, D8 and D9 that a column breaks as it would be shown; empty where it breaks none."""
    counts = shown.value_counts()
    if rules.holds("D4") and len(counts) and int(counts.min()) < rules.minimum_denominator:
        return "D4"
    if rules.holds("D8") and _has_rare(counts.index, hierarchy, level, rules.minimum_holders, holders):
        return "D8"
    if rules.holds("D9") and at_most_categories is not None and len(counts) > at_most_categories:
        return "D9"
    return ""


def _has_rare(
    shown: Iterable[str],
    hierarchy: Hierarchy,
    level: int,
    minimum: int,
    holders: Mapping[str, int] | None,
) -> bool:
    """Whether a category must not stand alone or is held by too few; nobody holds `not_stated`.

    A category that is missing in a frame which knows the attribute has no holders.
    """
    categories = set(shown)
    if categories & hierarchy.always_merged:
        return True
    if not holders:
        return False
    merged: dict[str, int] = {}
    for category, number in holders.items():
        broader = hierarchy.broaden(category, level)
        merged[broader] = merged.get(broader, 0) + number
    return any(merged.get(category, 0) < minimum for category in categories - {NOT_STATED})
