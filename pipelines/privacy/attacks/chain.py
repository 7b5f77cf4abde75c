"""Attacks that compare: A5 releases with each other, A7 tables with their complements, A12 many askings.

Belongs here: what several tellings say together that none says alone. Does not belong here: single releases
(`cells`).

Between two releases interviews came, went or were corrected. An attacker may know that they only came and how
many, or, as long as they are few, all about each of them: they may be the attacker's own, or the attacker.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.privacy.attacks.attacker import NARROW, SMALL, Attacker, is_exposed, names_of, result
from pipelines.privacy.cells import EVERYBODY, MENTIONED, NOT_MENTIONED, THEME_PREFIX, Cell, Population, Table
from pipelines.privacy.evidence import AttackResult, Protected
from pipelines.privacy.reconstruction import AuditError, Range, Told, Unknowns, add_release
from pipelines.privacy.tables import ROLE, count_cells

NEIGHBOURS: Final = 3  # interviews with which each kind of change is simulated
RERUNS: Final = 2
NEAR: Final = 2.0  # an average this close to the truth has found it

Merges = Mapping[str, Sequence[Mapping[str, str]]]
Atoms = frozenset[tuple[str, frozenset[str]]]


class Reprotect(Protocol):
    """The gate, to be asked again."""

    def __call__(self, population: Population, *, after: Protected | None = None) -> Protected:
        """What the gate would tell of a population now, or after `after` was published."""
        ...


@dataclass(frozen=True)
class Link:
    """Cells of two releases about the same people: the counts of each side, added up, differ by `change`."""

    earlier: tuple[Cell, ...]
    later: tuple[Cell, ...]
    change: int

    @property
    def is_whole(self) -> bool:
        """Whether it is about everybody."""
        return self.earlier == (EVERYBODY,) and self.later == (EVERYBODY,)


def releases_compared(attacker: Attacker, reprotect: Reprotect | None = None) -> AttackResult:
    """A5: every pair and the whole chain of releases, and releases with one interview more, less or otherwise.

    Found is a small cell of any release that is proven too closely with the help of another, a group of newcomers
    that is proven to be there and few, and a number that moves when one interview changes.
    """
    seen = [one for chain in _chains(attacker) for one in _attacks_on(attacker, chain)]
    tried, exposed = sum(one.tried for one in seen), sum(one.exposed for one in seen)
    names = {name for one in seen for name in one.tables}
    if reprotect is not None and attacker.now.tables:
        for neighbour in neighbours_of(attacker.population, NEIGHBOURS):
            attacker.limit.left()
            moved = _moved(attacker.protected, reprotect(neighbour, after=attacker.protected))
            tried, exposed = tried + 1, exposed + len(moved)
            names |= {*names_of(attacker.now, moved)}
    widths = [one.narrowest for one in seen if one.tried]
    measures = {"narrowest": min(widths)} if widths else {}
    return result("A5", "Releases compared", tried, exposed, tuple(sorted(names)), **measures)


def complements(attacker: Attacker) -> AttackResult:
    """A7: what is not told, as a difference of what is: other groups, areas, finer and broader categories."""
    counts, ranges = _untold(attacker)
    exposed = [cell for cell, proven in ranges.items() if is_exposed(counts[cell], proven)]
    names = set(names_of(attacker.now, exposed))
    nested = [chain for chain in _chains(attacker) if chain[0].levels != chain[-1].levels]
    seen = [one for chain in nested for one in _attacks_on(attacker, chain)]
    names |= {name for one in seen for name in one.tables}
    return result(
        "A7",
        "Geographic and hierarchy differencing",
        len(ranges) + sum(one.tried for one in seen),
        len(exposed) + sum(one.exposed for one in seen),
        tuple(sorted(names)),
    )


def _untold(attacker: Attacker) -> tuple[dict[Cell, int], dict[Cell, Range]]:
    """The cells of role group by anything that are not told and not empty: counts, and what is proven."""
    now, records = attacker.now, attacker.population.records
    if ROLE not in records or not now.tables:
        return {}, {}
    names = sorted({d for table in now.tables for d in table.dimensions} - {ROLE})
    extra = [Table((ROLE, name)) for name in names]
    unknowns = Unknowns()
    # Which role groups there are is no secret, so their cells are unknowns even where no table has them.
    now = replace(now, truth={**count_cells(attacker.population, extra), **now.truth})
    add_release(unknowns, now, extra=extra)
    pairs = {(name, *pair) for name in names for pair in records[[ROLE, name]].itertuples(index=False, name=None)}
    cells = {frozenset({(ROLE, role), (name, category)}) for name, role, category in pairs}
    counts = {cell: attacker.population.count(cell) for cell in cells if cell not in now.intervals}
    known = [cell for cell in counts if (0, cell) in unknowns]
    ranges = unknowns.ranges([(0, cell) for cell in known], attacker.limit)
    return counts, {cell: ranges[(0, cell)] for cell in known}


def averaging(
    attacker: Attacker, reprotect: Reprotect, *, neighbours: int = NEIGHBOURS, reruns: int = RERUNS
) -> AttackResult:
    """A12: whether asking again gives other numbers, or asking with one interview more or less tells the truth.

    The mean over what is told of neighbours may come within two of the truth no more often than the release alone
    does; by chance it may in a few cells, so what is more has to be beyond two standard errors of a share.
    """
    population, moved = attacker.population, set[Cell]()
    first = reprotect(population)
    for _ in range(reruns - 1):
        attacker.limit.left()
        moved |= _moved(first, reprotect(population))
    told = [attacker.protected.publication.counts]
    for neighbour in neighbours_of(population, neighbours):
        if len(neighbour.records) != len(population.records):
            attacker.limit.left()
            told.append(reprotect(neighbour, after=attacker.protected).publication.counts)
    cells = [cell for cell in told[0] if all(cell in counts for counts in told)]
    truth = np.array([attacker.now.truth.get(cell, 0) for cell in cells])
    numbers = np.array([[counts[cell] for cell in cells] for counts in told], dtype=np.float64)
    once = _near_share(numbers[0] - truth)
    averaged = _near_share(numbers.mean(axis=0) - truth)
    gained = averaged - once > 2 * np.sqrt(0.25 / max(1, len(cells)))
    names = names_of(attacker.now, moved)
    tried = reruns + len(told) - 1
    return result(
        "A12",
        "Reruns and averages",
        tried,
        len(moved) + int(gained),
        names,
        near_once=once,
        near_averaged=averaged,
    )


def _near_share(distances: NDArray[np.float64]) -> float:
    return float(np.mean(np.abs(distances) <= NEAR)) if distances.size else 0.0


# --- pairs and chains ---------------------------------------------------------------------------------------


def _chains(attacker: Attacker) -> Iterator[tuple[Told, ...]]:
    """Every pair of releases, and all of them where there are more."""
    releases = attacker.releases
    for later in range(1, len(releases)):
        for earlier in range(later):
            yield releases[earlier], releases[later]
    if len(releases) > 2:
        yield releases


@dataclass(frozen=True)
class _Seen:
    """What an attack on linked releases came to."""

    tried: int = 0
    exposed: int = 0
    tables: tuple[str, ...] = ()
    narrowest: int = 0


def _attacks_on(attacker: Attacker, chain: tuple[Told, ...]) -> list[_Seen]:
    """What both attackers come to, worked out once for A5 and A7."""
    numbers = tuple(told.number for told in chain)
    if numbers not in attacker.memory:
        attacker.memory[numbers] = [_attack_chain(attacker, chain, knows) for knows in (True, False)]
    found: list[_Seen] = attacker.memory[numbers]
    return found


def _attack_chain(attacker: Attacker, chain: Sequence[Told], knows_changes: bool) -> _Seen:
    """Link releases by what an attacker knows, and count the small cells and groups of newcomers that it exposes.

    `knows_changes` is the attacker who knows all about the interviews that changed, where they are few; the other
    one knows where interviews only came, and how many.
    """
    unknowns = Unknowns()
    newcomers: dict[Hashable, Link] = {}
    is_linked = False
    for block, told in enumerate(chain):
        add_release(unknowns, told, block)
        links = link(chain[block - 1], told, attacker.evidence.merges) if block else []
        if links and knows_changes and _apparent_changes(links) < attacker.rules.changed_interviews:
            is_linked = True
            for one in links:
                unknowns.equate(_difference(one, block), one.change)
        elif links and not knows_changes and all(one.change >= 0 for one in links):
            is_linked = True
            newcomers |= _add_newcomers(unknowns, block, links)
    if not is_linked:
        return _Seen()
    small: dict[Hashable, tuple[int, Cell]] = {
        (block, cell): (count, cell)
        for block, told in enumerate(chain)
        for cell, count in told.truth.items()
        if count < SMALL and (block, cell) in unknowns
    }
    ranges = unknowns.ranges([*small, *newcomers], attacker.limit, enough=_is_harmless)
    exposed = [cell for key, (count, cell) in small.items() if is_exposed(count, ranges[key])]
    for key, one in newcomers.items():
        if ranges[key].low >= 1 and (ranges[key].is_exact or ranges[key].is_few):
            exposed.append(one.later[0])
    names = tuple(sorted({name for told in chain for name in names_of(told, exposed)}))
    narrowest = min((min(NARROW, ranges[key].width) for key in small), default=NARROW)
    tried = len(newcomers) + sum(len(told.truth) for told in chain)  # not how many are small: it is published
    return _Seen(tried, len(exposed), names, narrowest)


def _is_harmless(seen: Range) -> bool:
    """Whether the counts that a cell was seen to have already show that nothing is proven about it."""
    return seen.width >= NARROW and (seen.low < 1 or seen.high >= SMALL)


def _difference(one: Link, block: int) -> dict[Hashable, float]:
    later: dict[Hashable, float] = {(block, cell): 1.0 for cell in one.later}
    return later | {(block - 1, cell): -1.0 for cell in one.earlier}


def _add_newcomers(unknowns: Unknowns, block: int, links: Sequence[Link]) -> dict[Hashable, Link]:
    """Say that interviews only came between two releases, and how many; what is not known is who they are."""
    newcomers: dict[Hashable, Link] = {}
    for number, one in enumerate(links):
        if one.is_whole:
            unknowns.equate(_difference(one, block), one.change)
            continue
        key = ("came", block, number)
        unknowns.add(key)
        unknowns.equate({**_difference(one, block), key: -1.0})
        newcomers[key] = one
    return newcomers


def _apparent_changes(links: Sequence[Link]) -> int:
    """How many interviews at least have changed: by some set of dimensions, those that came or those that went."""
    came: dict[frozenset[str], int] = defaultdict(int)
    went: dict[frozenset[str], int] = defaultdict(int)
    for one in links:
        shape = frozenset(dimension for dimension, _ in one.later[0])
        came[shape] += max(0, one.change)
        went[shape] += max(0, -one.change)
    return max([*came.values(), *went.values()], default=0)


def link(earlier: Told, later: Told, merges: Merges) -> list[Link]:
    """The smallest groups of cells by which two releases are about the same people, whatever their levels."""
    sides = (_by_shape(earlier, merges), _by_shape(later, merges))
    links: list[Link] = []
    for shape in sorted(sides[0].keys() & sides[1].keys(), key=sorted):
        for before, after in _overlaps(sides[0][shape], sides[1][shape]):
            change = sum(later.truth[cell] for cell in after) - sum(earlier.truth[cell] for cell in before)
            links.append(Link(before, after, change))
    return links


def _by_shape(told: Told, merges: Merges) -> dict[frozenset[str], dict[Cell, Atoms]]:
    found: dict[frozenset[str], dict[Cell, Atoms]] = {}
    for cell in sorted(told.truth, key=sorted):
        atoms = frozenset((d, _finest(d, c, told.levels.get(d, 0), merges)) for d, c in cell)
        found.setdefault(frozenset(d for d, _ in cell), {})[cell] = atoms
    return found


def _finest(dimension: str, category: str, level: int, merges: Merges) -> frozenset[str]:
    """All categories that have become one at a level. Errors: `AuditError` where nobody handed in how."""
    given = merges.get(dimension, ())
    if level > len(given):
        raise AuditError(f"{dimension} is merged, and its merges were not handed in")
    names = {category}
    for merge in reversed(given[:level]):
        names = {finer for finer, broader in merge.items() if broader in names} | (names - merge.keys())
    return frozenset(names)


def _overlaps(
    before: Mapping[Cell, Atoms], after: Mapping[Cell, Atoms]
) -> Iterator[tuple[tuple[Cell, ...], tuple[Cell, ...]]]:
    """Groups of cells that overlap each other and nothing else; a cell that only one side has is left out."""
    left = dict(before)
    for cell, atoms in after.items():
        mine = [other for other, theirs in left.items() if _meet(atoms, theirs)]
        if not mine:
            continue
        also = [c for c, a in after.items() if any(_meet(a, before[other]) for other in mine)]
        mine = [other for other, theirs in left.items() if any(_meet(after[c], theirs) for c in also)]
        for other in mine:
            del left[other]
        yield tuple(mine), tuple(also) or (cell,)


def _meet(one: Atoms, other: Atoms) -> bool:
    theirs = dict(other)
    return all(names & theirs[dimension] for dimension, names in one)


# --- one interview more, less or otherwise ------------------------------------------------------------------


def neighbours_of(population: Population, number: int) -> Iterator[Population]:
    """Populations that differ from this one by one interview: added, removed and recoded, in turn."""
    records, minutes = population.records, population.minutes
    if records.empty:
        return
    for place in np.unique(np.linspace(0, len(records) - 1, number).astype(int)):
        index = records.index[place]
        new = "another interview"
        twin = records.loc[[index]].set_axis([new])
        yield replace(
            population,
            records=pd.concat([records, twin]),
            minutes=pd.concat([minutes, minutes.loc[[index]].set_axis([new])]),
        )
        yield replace(population, records=records.drop(index), minutes=minutes.drop(index))
        recoded = records.copy()
        for name in map(str, records.columns):
            if name.startswith(THEME_PREFIX):
                is_mentioned = records.loc[index, name] == MENTIONED
                recoded.loc[index, name] = NOT_MENTIONED if is_mentioned else MENTIONED
        yield replace(population, records=recoded)


def _moved(before: Protected, after: Protected) -> set[Cell]:
    """The cells of which other numbers are told."""
    told, now = before.publication.counts, after.publication.counts
    moved = {cell for cell in {**told, **now} if told.get(cell) != now.get(cell)}
    if before.themes != after.themes or before.coverage != after.coverage:
        moved |= {EVERYBODY}
    return moved
