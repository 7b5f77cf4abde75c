"""Somebody who has read everything that was ever told about a study, and knows the rules it was told by.

Belongs here: what all attacks share: the releases as statements about unknown counts, what can be proven from the
last one, and how a result is put. Does not belong here: any attack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from pipelines.privacy.cells import MENTIONED, THEME_PREFIX, Cell, Population, Table
from pipelines.privacy.evidence import AttackResult, CoverageRow, Evidence, LedgerEntry, Protected, ThemeRow
from pipelines.privacy.reconstruction import AuditError, Deadline, Range, Told, prove, told_by
from pipelines.privacy.rules import Rules
from pipelines.privacy.tables import COUNCILLOR, ROLE, count_cells, table_name

ALL: Final = "all"
SMALL: Final = 10  # true counts below this are the attack's target
NARROW: Final = 4  # a range has to be at least this wide


@dataclass(frozen=True)
class Attacker:
    """What an attack has to work with; `limit` is when it has failed, `memory` what others have worked out."""

    evidence: Evidence
    rules: Rules = field(default_factory=Rules)
    limit: Deadline = field(default_factory=Deadline)
    memory: dict[tuple[int, ...], Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def protected(self) -> Protected:
        """What is told now."""
        return self.evidence.protected

    @property
    def population(self) -> Population:
        """The truth of today, at the levels that are told."""
        return self.protected.population

    @cached_property
    def releases(self) -> tuple[Told, ...]:
        """All that was told, oldest first; a release that only repeats the one before tells nothing of its own."""
        earlier = [self._earlier(entry) for entry in self.evidence.ledger if entry.publication.counts]
        if self.protected.is_unchanged and earlier:
            return tuple(earlier)
        return (*earlier, self._told_now())

    @property
    def now(self) -> Told:
        """The last release that tells something of its own."""
        return self.releases[-1]

    @cached_property
    def proven(self) -> Mapping[Cell, Range]:
        """What can be proven about every cell of the last release from it alone."""
        return prove(self.now, self.limit)

    @cached_property
    def bases(self) -> Mapping[Cell, int]:
        """The groups that something is told about, with the number of interviews that the rules ask of them.

        They are whatever a theme's row is a share of, every category that stands in a margin (both D4), and all
        whom a table is about (D2).
        """
        counts = self.protected.publication.counts
        themes = {_group(row.role_group) for row in self.protected.themes if row.base is not None}
        margins = {cell for table in self.now.tables for cell in margins_of(table, counts)}
        needed = dict.fromkeys(themes | margins, self.rules.minimum_denominator)
        needed |= {table.where: self.rules.minimum_base for table in self.now.tables}
        return {cell: number for cell, number in needed.items() if cell in counts}

    @cached_property
    def register(self) -> Mapping[frozenset[str], Mapping[Cell, int]]:
        """How many councillors the public register has by each combination of columns, at the levels told now."""
        found: dict[frozenset[str], dict[Cell, int]] = {}
        # Everybody in it is a councillor, so a cell with that role and the one without are the same.
        finest = {cell - {(ROLE, COUNCILLOR)}: number for cell, number in self.evidence.register.items()}
        for cell, number in finest.items():
            shown = frozenset((d, shown_level(self, d, c)) for d, c in cell)
            of_columns = found.setdefault(frozenset(d for d, _ in shown), {})
            of_columns[shown] = of_columns.get(shown, 0) + number
        return found

    def registered(self, cell: Cell) -> int | None:
        """How many councillors of the register a cell describes; None where it does not have these columns."""
        values = cell - {(ROLE, COUNCILLOR)}
        of_columns = self.register.get(frozenset(d for d, _ in values))
        return None if of_columns is None else of_columns.get(values, 0)

    def is_about_councillors(self, cell: Cell) -> bool:
        """Whether a cell describes councillors only."""
        records = self.population.records
        return (ROLE, COUNCILLOR) in cell or (ROLE in records and set(records[ROLE].unique()) == {COUNCILLOR})

    def _told_now(self) -> Told:
        truth = count_cells(self.population, self.protected.publication.tables)
        told = told_by(self.protected.publication, truth, self.protected.levels)
        return self._known_by_rules(_with_rows(told, self.protected.themes, self.protected.coverage, self._base))

    def _earlier(self, entry: LedgerEntry) -> Told:
        told = told_by(entry.publication, entry.truth, entry.levels)
        return self._known_by_rules(_with_rows(told, entry.themes, entry.coverage, entry.publication.base))

    @property
    def _base(self) -> int:
        return self.protected.publication.base

    def _known_by_rules(self, told: Told) -> Told:
        """What follows from the rules themselves, which are public, as far as they were kept.

        Nothing is told of fewer than so many interviews (D2), a category that stands in a margin has so many (D4),
        and one that is listed at all has one.
        """
        lows: dict[Cell, int] = {}
        for table in told.tables:
            lows[table.where] = self.rules.minimum_base
            for cell in margins_of(table, told.intervals):
                lows[cell] = self.rules.minimum_denominator
        intervals = dict(told.intervals)
        for cell, low in lows.items():
            known = low if told.truth.get(cell, 0) >= low else min(1, told.truth.get(cell, 0))
            if cell in intervals:
                intervals[cell] = Range(max(known, intervals[cell].low), intervals[cell].high)
        return replace(told, intervals=intervals)


def margins_of(table: Table, cells: Iterable[Cell]) -> list[Cell]:
    """The cells of a table that one category of an attribute makes: margins, or all where it has one dimension."""
    return [
        cell
        for cell in cells
        if table.where <= cell
        and len(cell - table.where) == 1
        and all(d in table.dimensions and not d.startswith(THEME_PREFIX) for d, _ in cell - table.where)
    ]


def _with_rows(told: Told, themes: Iterable[ThemeRow], coverage: Iterable[CoverageRow], base: int) -> Told:
    """A release with what its rows say beside its counts; two numbers for one cell hold both."""
    intervals = dict(told.intervals)
    for cell, count in statements(themes, coverage):
        said, reach = intervals.get(cell, Range(0, count + base - 1)), base - 1
        intervals[cell] = Range(max(said.low, count - reach), min(said.high, count + reach))
    return replace(told, intervals=intervals)


def statements(themes: Iterable[ThemeRow], coverage: Iterable[CoverageRow]) -> list[tuple[Cell, int]]:
    """The counts that published rows hold, by cell."""
    found: list[tuple[Cell, int]] = []
    for row in themes:
        group = _group(row.role_group)
        if row.interviews is not None:
            found.append((group | {(f"{THEME_PREFIX}{row.theme_id}", MENTIONED)}, row.interviews))
        if row.base is not None:
            found.append((group, row.base))
    for told in coverage:
        one = frozenset() if told.attribute == ALL else frozenset({(told.attribute, told.category)})
        found.append((_group(told.role_group) | one, told.interviews))
    return found


def _group(role_group: str) -> Cell:
    return frozenset() if role_group == ALL else frozenset({(ROLE, role_group)})


def is_exposed(true_count: int, proven: Range) -> bool:
    """Whether a small true count is proven exactly, proven to be few, or narrowed too far."""
    return true_count < SMALL and (proven.is_exact or proven.is_few or proven.width < NARROW)


def names_of(told: Told, cells: Iterable[Cell]) -> tuple[str, ...]:
    """The tables in which cells stand, by name, sorted; a cell of none is named by its dimensions."""
    names: set[str] = set()
    for cell in cells:
        dimensions = {dimension for dimension, _ in cell}
        inside = [
            table_name(table)
            for table in told.tables
            if table.where <= cell and {d for d, _ in cell - table.where} <= set(table.dimensions)
        ]
        names |= {*inside[:1]} or {" by ".join(sorted(dimensions)) or ALL}
    return tuple(sorted(names))


def result(
    attack: str,
    title: str,
    tried: int,
    found: int,
    tables: tuple[str, ...] = (),
    **measures: float,
) -> AttackResult:
    """What an attack came to: nothing to try, nothing found, or found."""
    outcome = "found" if found else "nothing found" if tried else "not applicable"
    rounded = {name: round(float(value), 6) for name, value in measures.items()}
    return AttackResult(attack, title, outcome, tried, found, tables, rounded)  # type: ignore[arg-type]


def shown_level(attacker: Attacker, attribute: str, category: str) -> str:
    """What a category of an attribute becomes at the level that is told now.

    Errors: `AuditError` where the attribute is merged and nobody handed in how.
    """
    level = attacker.protected.levels.get(attribute, 0)
    merges = attacker.evidence.merges.get(attribute, ())
    if level > len(merges):
        raise AuditError(f"{attribute} is merged, and its merges were not handed in")
    for merge in merges[:level]:
        category = merge.get(category, category)
    return category
