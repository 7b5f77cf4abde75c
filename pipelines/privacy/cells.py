"""The language of the gate: cells, tables, what the gate knows and what the world is told.

Belongs here: types that the rules, the rounding and the attacks share. Does not belong here: any decision.

A cell is a conjunction such as role_group = councillor and gender = female; the empty conjunction is everybody.
Every table is a set of cells with its margins, so two tables that share a margin share the very same cell, and
rounding or attacking all tables of all releases jointly needs no bookkeeping about which table a number came
from. A theme is an attribute with two categories, `mentioned` and `not_mentioned`, named `theme:<theme_id>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

import pandas as pd

Cell = frozenset[tuple[str, str]]
EVERYBODY: Cell = frozenset()
MENTIONED, NOT_MENTIONED = "mentioned", "not_mentioned"
THEME_PREFIX = "theme:"


@dataclass(frozen=True)
class Table:
    """A cross-table over `dimensions` (two at most are ever published) of those for whom `where` holds."""

    dimensions: tuple[str, ...]
    where: Cell = EVERYBODY

    @property
    def width(self) -> int:
        """The number of dimensions; a filter counts as one each (rule D2)."""
        return len(self.dimensions) + len(self.where)


@dataclass(frozen=True)
class Population:
    """The truth about one study as the gate sees it, at one moment.

    `records` has one row per participant of a completed encounter, indexed by random id, and one text column
    per attribute and theme; nothing is null. `minutes` are lengths of encounters on the same index, null where
    not stated. `frame` gives how many people in the country hold each category, by attribute; from the study or
    from the register. `sensitive` are the themes, as columns, for which rule D7 holds.
    """

    study_id: str
    records: pd.DataFrame = field(repr=False)
    minutes: pd.Series[float] = field(repr=False)
    frame: Mapping[str, Mapping[str, int]] = field(repr=False)
    sensitive: frozenset[str]
    withdrawn: int = 0

    def categories(self, dimension: str, where: Cell = EVERYBODY) -> tuple[str, ...]:
        """The categories of a dimension that occur among those for whom `where` holds, sorted; both of a theme."""
        if dimension.startswith(THEME_PREFIX):
            return MENTIONED, NOT_MENTIONED
        column = self.records[dimension]
        for filtered, category in where:
            column = column[self.records.loc[column.index, filtered] == category]
        return tuple(sorted(column.unique()))

    def count(self, cell: Cell) -> int:
        """The true count of a cell."""
        rows = self.records
        for dimension, category in cell:
            rows = rows[rows[dimension] == category]
        return len(rows)

    def cells(self, table: Table) -> tuple[Cell, ...]:
        """All cells of a table with its margins, the inner ones first, everybody of `where` last."""
        found: dict[Cell, None] = {}
        choices = [[*self.categories(d, table.where), None] for d in table.dimensions]
        for chosen in product(*choices):
            pairs = zip(table.dimensions, chosen, strict=True)
            found[table.where | {(d, c) for d, c in pairs if c is not None}] = None
        return tuple(sorted(found, key=lambda cell: (-len(cell), sorted(cell))))


@dataclass(frozen=True)
class Publication:
    """What one release tells about a study: for each cell of `tables` a published count.

    `base` is the rounding base of D3: a published number r tells that the truth lies within base - 1 of r, and
    is not negative. Base 1 means exact numbers. A cell that is missing from `counts` is not published.
    """

    number: int
    tables: tuple[Table, ...]
    counts: Mapping[Cell, int] = field(repr=False)
    base: int

    def interval(self, cell: Cell) -> tuple[int, int]:
        """What a published count says about the truth: the lowest and highest possible true count."""
        told = self.counts[cell]
        return max(0, told - (self.base - 1)), told + (self.base - 1)


def additive_groups(
    tables: Iterable[Table], categories: Mapping[str, Iterable[str]]
) -> list[tuple[Cell, list[Cell]]]:
    """Every equation of the tables: a margin and the cells that add up to it, each once.

    `categories` gives the categories of each dimension. Raises nothing; an empty table has no equation.
    """
    found: dict[tuple[Cell, str], list[Cell]] = {}
    for table in tables:
        for summed in table.dimensions:
            others = [d for d in table.dimensions if d != summed]
            for chosen in product(*([*categories[d], None] for d in others)):
                pairs = zip(others, chosen, strict=True)
                margin = table.where | {(d, c) for d, c in pairs if c is not None}
                found[(margin, summed)] = [margin | {(summed, c)} for c in sorted(categories[summed])]
    return [(margin, parts) for (margin, _), parts in found.items()]
