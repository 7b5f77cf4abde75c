"""What an attacker can prove from everything told: the lowest and the highest true count that each cell can have.

Belongs here: the unknown counts as variables, all that is known about them as linear constraints, and bounds by
linear programming (R. A. Dandekar and L. H. Cox, Synthetic Tabular Data, 2002; L. Buzzigoli and A. Giusti, An
Algorithm to Calculate the Lower and Upper Bounds of the Elements of an Array, 1999, call it the shuttle). Does not
belong here: which bounds are too narrow (`attacks`).

One variable stands for each cell of a table and each margin; tables that share a margin share its variable. Where
the tables' dimensions form an acyclic hypergraph, such as a star around the role, counts that agree on the shared
margins can always be completed to whole interviews (C. Beeri et al., On the Desirability of Acyclic Database
Schemes, JACM 30 (1983) 479-513; for counts A. Atserias and P. Kolaitis, Structure and Complexity of Bag
Consistency, PODS 2021), so these bounds are those of the full cross-table. Where they form a cycle, the full cross
of the connected part is added; one that is too large is refused, never guessed at.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.privacy.cells import Cell, Publication, Table, additive_groups

LARGEST_CROSS: Final = 20_000
CEILING: Final = 1_000_000  # no study has as many interviews; what nothing limits is limited by this
_NEAR: Final = 1e-6
_HALVES: Final = (1, 2, 4, 8)
_OPTIMAL, _LIMIT, _INFEASIBLE = 0, 1, 2

Floats = NDArray[np.float64]
Categories = Mapping[str, Sequence[str]]


class AuditError(Exception):
    """An attack that could not be carried through, which fails the audit (D13); no value in the message."""


class ContradictionError(AuditError):
    """What is held to be known cannot be true together."""


@dataclass(frozen=True)
class Deadline:
    """A moment, on the monotonic clock, after which an attack has failed."""

    at: float = math.inf

    @classmethod
    def within(cls, seconds: float) -> Deadline:
        """A deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left. Errors: `AuditError` when there are none."""
        seconds = self.at - time.monotonic()
        if seconds <= 0:
            raise AuditError("time ran out")
        return seconds


@dataclass(frozen=True)
class Range:
    """The lowest and the highest true count that is consistent with everything known."""

    low: int
    high: int

    @property
    def width(self) -> int:
        """How many counts beside one are possible."""
        return self.high - self.low

    @property
    def is_exact(self) -> bool:
        """Whether only one count is possible."""
        return self.low == self.high

    @property
    def is_few(self) -> bool:
        """Whether it is proven that there are some, and fewer than five."""
        return self.low >= 1 and self.high <= 4


class Unknowns:
    """Whole numbers that are not known, and linear equations and limits that they keep."""

    def __init__(self) -> None:
        self._places: dict[Hashable, int] = {}
        self._low: list[float] = []
        self._high: list[float] = []
        self._equations: list[tuple[dict[int, float], float]] = []
        self._known: set[tuple[tuple[tuple[int, float], ...], float]] = set()

    def __len__(self) -> int:
        """The number of unknowns."""
        return len(self._low)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._places

    def add(self, key: Hashable, low: float = 0, high: float = CEILING) -> None:
        """Add an unknown, or narrow the limits of one that is there.

        Errors: `ContradictionError` where its limits leave no number.
        """
        place = self._places.setdefault(key, len(self._low))
        if place == len(self._low):
            self._low.append(low)
            self._high.append(high)
        self._low[place] = max(self._low[place], low)
        self._high[place] = min(self._high[place], high)
        if self._low[place] > self._high[place]:
            raise ContradictionError("two numbers told about the same cell exclude each other")

    def equate(self, parts: Mapping[Hashable, float], total: float = 0) -> None:
        """Demand that the parts, each by its factor, add up to a total; an equation given twice counts once."""
        for key in parts:
            if key not in self._places:
                self.add(key)
        row = {self._places[key]: factor for key, factor in parts.items()}
        known = (tuple(sorted(row.items())), total)
        if known not in self._known:
            self._known.add(known)
            self._equations.append((row, total))

    def ranges(
        self,
        keys: Iterable[Hashable],
        limit: Deadline,
        *,
        whole: bool = False,
        enough: Callable[[Range], bool] | None = None,
    ) -> dict[Hashable, Range]:
        """The range of each of the unknowns.

        Where `enough` is content with the values that an unknown was seen to have, these are returned, and its
        range is at least as wide.
        `whole` demands whole numbers of every unknown at once: never wider than the linear bounds rounded inwards,
        and far slower on a full cross. Errors: `ContradictionError` where nothing fits;
        `AuditError` when the deadline passes or the solver gives up.
        """
        wanted = [(key, self._places[key]) for key in keys]
        if not wanted:
            return {}
        search = _Search(self._matrix(), np.array(self._low), np.array(self._high), limit, whole=whole)
        search.explore([place for _, place in wanted])
        found: dict[Hashable, Range] = {}
        for key, place in wanted:
            seen = search.seen(place)
            found[key] = seen if enough is not None and enough(seen) else search.range_of(place)
        return found

    def _matrix(self) -> tuple[object, Floats]:
        from scipy.sparse import csr_array  # type: ignore[import-untyped] # slow to load

        entries = [
            (n, place, factor) for n, (row, _) in enumerate(self._equations) for place, factor in row.items()
        ]
        numbers, places, factors = zip(*entries, strict=True) if entries else ((), (), ())
        shape = (len(self._equations), len(self))
        matrix = csr_array((np.array(factors, dtype=np.float64), (numbers, places)), shape=shape)
        return matrix, np.array([total for _, total in self._equations])


class _Search:
    """Minimises and maximises one unknown after the other under the same constraints.

    Every solution is a witness for all unknowns at once: what was seen at its limit needs no solving of its own.
    """

    def __init__(
        self, equations: tuple[object, Floats], low: Floats, high: Floats, limit: Deadline, *, whole: bool
    ) -> None:
        from scipy.optimize import Bounds, LinearConstraint  # type: ignore[import-untyped]

        matrix, totals = equations
        self._constraints = LinearConstraint(matrix, totals, totals) if len(totals) else ()
        self._bounds = Bounds(low, high)
        self._low, self._high, self._limit = low, high, limit
        self._integrality = np.full(len(low), int(whole))
        self._least, self._most = np.full(len(low), np.inf), np.full(len(low), -np.inf)

    def explore(self, places: Sequence[int]) -> None:
        """Look at solutions in which the unknowns are low or high, all together and in different halves."""
        for block in (len(places), *_HALVES):
            for sign in (1.0, -1.0):
                objective = np.zeros(len(self._low))
                objective[list(places)] = np.where(np.arange(len(places)) // block % 2 == 0, sign, -sign)
                self._solve(objective)

    def seen(self, place: int) -> Range:
        """The lowest and highest whole number between the values that an unknown had in some solution."""
        low, high = math.ceil(self._least[place] - _NEAR), math.floor(self._most[place] + _NEAR)
        return Range(low, max(low, high))

    def range_of(self, place: int) -> Range:
        """The range of one unknown."""
        return Range(self._extreme(place, 1.0), self._extreme(place, -1.0))

    def _extreme(self, place: int, sign: float) -> int:
        seen = float(self._least[place] if sign > 0 else self._most[place])
        border = self._low[place] if sign > 0 else self._high[place]
        if abs(seen - border) > _NEAR:
            objective = np.zeros(len(self._low))
            objective[place] = sign
            seen = float(self._solve(objective)[place])
        return math.ceil(seen - _NEAR) if sign > 0 else math.floor(seen + _NEAR)

    def _solve(self, objective: Floats) -> Floats:
        from scipy.optimize import milp

        result = milp(
            objective,
            integrality=self._integrality,
            bounds=self._bounds,
            constraints=self._constraints,
            options={"time_limit": self._limit.left(), "mip_rel_gap": 0.0},
        )
        if result.status == _INFEASIBLE:
            raise ContradictionError("the numbers told exclude each other")
        if result.status != _OPTIMAL or result.x is None:
            raise AuditError("time ran out" if result.status == _LIMIT else "the solver found no end")
        found: Floats = np.asarray(result.x, dtype=np.float64)
        self._least = np.minimum(self._least, found)
        self._most = np.maximum(self._most, found)
        return found


@dataclass(frozen=True)
class Told:
    """One release as an attacker sees it, and the truth that the audit holds against what can be proven.

    `intervals` are the published statements by cell; `truth` has every cell of the tables, told or not.
    """

    number: int
    tables: tuple[Table, ...]
    intervals: Mapping[Cell, Range] = field(repr=False)
    truth: Mapping[Cell, int] = field(repr=False)
    levels: Mapping[str, int] = field(default_factory=dict)


def told_by(publication: Publication, truth: Mapping[Cell, int], levels: Mapping[str, int]) -> Told:
    """A publication as an attacker sees it: of every count the interval that its rounding allows."""
    intervals = {cell: Range(*publication.interval(cell)) for cell in publication.counts}
    return Told(publication.number, publication.tables, intervals, truth, levels)


def suppressed(truth: Mapping[Cell, int], tables: Sequence[Table], hidden: Range, number: int = 1) -> Told:
    """The usual remedy, to be attacked beside ours: exact counts, those in the range of `hidden` left out."""
    intervals = {
        cell: hidden if hidden.low <= count <= hidden.high else Range(count, count)
        for cell, count in truth.items()
    }
    return Told(number, tuple(tables), intervals, truth)


def add_release(unknowns: Unknowns, told: Told, block: Hashable = 0, extra: Iterable[Table] = ()) -> None:
    """Add all cells of a release, told or not, each as the unknown `(block, cell)`, and how they add up.

    `extra` are tables that are not published and still of interest. Errors: `AuditError` where dimensions form a
    cycle whose full cross-table has more than `LARGEST_CROSS` cells.
    """
    tables = [*told.tables, *extra]
    by_table = {table: _categories(table, told) for table in tables}
    for cell, interval in told.intervals.items():
        unknowns.add((block, cell), interval.low, interval.high)
    for table, categories in by_table.items():
        for margin, parts in additive_groups([table], categories):
            unknowns.equate({(block, margin): -1.0, **{(block, part): 1.0 for part in parts}})
    for dimensions in cyclic_parts(tables):
        _add_cross(unknowns, block, sorted(dimensions), by_table)


def prove(told: Told, limit: Deadline, *, whole: bool = False) -> dict[Cell, Range]:
    """What can be proven about every cell of a release from this release alone. Errors: see `Unknowns.ranges`."""
    unknowns = Unknowns()
    add_release(unknowns, told)
    cells = sorted({**told.truth, **told.intervals}, key=lambda cell: (len(cell), sorted(cell)))
    ranges = unknowns.ranges([(0, cell) for cell in cells if (0, cell) in unknowns], limit, whole=whole)
    return {cell: ranges[(0, cell)] for cell in cells if (0, cell) in ranges}


def _categories(table: Table, told: Told) -> dict[str, list[str]]:
    """The categories of a table's dimensions that its own cells have, be they told or only true."""
    found: dict[str, set[str]] = {dimension: set() for dimension in table.dimensions}
    for cell in {**told.truth, **told.intervals}:
        inside = cell - table.where
        if table.where <= cell and {dimension for dimension, _ in inside} <= found.keys():
            for dimension, category in inside:
                found[dimension].add(category)
    return {dimension: sorted(categories) for dimension, categories in found.items()}


def cyclic_parts(tables: Iterable[Table]) -> list[frozenset[str]]:
    """The connected groups of dimensions in which tables form a cycle, by Graham's reduction.

    M. H. Graham, On the Universal Relation (1979); C. T. Yu and M. Z. Ozsoyoglu (1979): take away, as long as
    there is one, a dimension that only one table has, or a table within another; what is left is cyclic.
    """
    edges = {frozenset({*table.dimensions, *(d for d, _ in table.where)}) for table in tables}
    whole = set(edges)
    before: set[frozenset[str]] = set()
    while edges != before:
        before = edges
        uses: dict[str, int] = defaultdict(int)
        for edge in edges:
            for dimension in edge:
                uses[dimension] += 1
        edges = {frozenset(d for d in edge if uses[d] > 1) for edge in edges}
        edges = {edge for edge in edges if edge and not any(edge < other for other in edges)}
    return [part for part in _connected(whole) if any(edge & part for edge in edges)]


def _connected(edges: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    parts: list[frozenset[str]] = []
    for edge in edges:
        touching = [part for part in parts if part & edge]
        parts = [part for part in parts if not part & edge]
        parts.append(frozenset(edge.union(*touching)))
    return sorted(parts, key=sorted)


def _add_cross(
    unknowns: Unknowns, block: Hashable, dimensions: Sequence[str], tables: Mapping[Table, Categories]
) -> None:
    """Add every combination of the dimensions, and each table's inner cells as sums of them."""
    own = [t for t in tables if {*t.dimensions, *(d for d, _ in t.where)} <= set(dimensions)]
    categories: dict[str, set[str]] = defaultdict(set)
    for table in own:
        for dimension, given in tables[table].items():
            categories[dimension] |= set(given)
        for dimension, category in table.where:
            categories[dimension].add(category)
    if math.prod(len(categories[d]) for d in dimensions) > LARGEST_CROSS:
        raise AuditError("the tables are linked in a circle and too many to be attacked together")
    sums: dict[Cell, dict[Hashable, float]] = defaultdict(dict)
    for chosen in product(*(sorted(categories[d]) for d in dimensions)):
        whole = dict(zip(dimensions, chosen, strict=True))
        key = (block, "cross", frozenset(whole.items()))
        for table in own:
            if table.where <= whole.items():
                sums[table.where | {(d, whole[d]) for d in table.dimensions}][key] = 1.0
    for cell, parts in sums.items():
        unknowns.equate({**parts, (block, cell): -1.0})
