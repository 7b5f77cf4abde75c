"""Attacks on the numbers of one release: A1 singling out, A2 risk, A3 likeness, A4 reconstruction, A6 uniformity.

Belongs here: what can be learned about single interviews from one release. Does not belong here: comparing
releases (`chain`) and other sources (`linkage`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations, islice, product
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.privacy.attacks.attacker import SMALL, Attacker, is_exposed, names_of, result, shown_level
from pipelines.privacy.cells import MENTIONED, NOT_MENTIONED, THEME_PREFIX, Cell
from pipelines.privacy.evidence import AttackResult
from pipelines.privacy.reconstruction import AuditError, Range, Told, Unknowns, add_release
from pipelines.privacy.tables import COUNCILLOR, ROLE

SUBSET: Final = 4  # attributes that an attacker knows of somebody
WORLDS: Final = 12
MOST_SOLVED: Final = 2_000
ENOUGH: Final = 25  # who are singled out; that there are more makes no difference
DOMINANT: Final = 0.8
NOT_STATED: Final = "not_stated"

Codes = NDArray[np.int64]


def singling_out(attacker: Attacker) -> AttackResult:
    """A1: whether somebody who is alone with up to four values is proven to be there, and alone.

    Most suspicions end with a witness: other interviews, made by exchanging values among those that agree on
    whatever stands in a table with them, have the same counts in every table, and there the class is empty or
    shared. What no witness clears is decided by linear programming.
    """
    suspects = _alone_in_every_world(attacker)
    if len(suspects) > MOST_SOLVED:
        raise AuditError("too many combinations of values are alone in whatever fits")
    found = list(islice((cell for cell in suspects if _is_proven_alone(attacker, cell)), ENOUGH))
    tried = sum(1 for _ in _subsets(attacker))
    names = names_of(attacker.now, found)
    return result("A1", "Singling out", tried, len(found), names, subset_size=SUBSET, solved=len(suspects))


def prosecutor_and_frame(attacker: Attacker) -> AttackResult:
    """A2: how small the groups that something is told about are, among the interviews and in the country.

    Found is a group proven to be smaller than a share may be told of (prosecutor), a category that fewer hold in
    the country than the rules ask for (journalist, marketer), and one that the frame does not have or has too few
    of: then one of the two is wrong, and no risk can be stated.
    """
    found = {cell for cell, needed in attacker.bases.items() if attacker.proven[cell].high < needed}
    prosecutor = max((1 / max(1, attacker.proven[cell].high) for cell in attacker.bases), default=0.0)
    told = [cell for cell in attacker.protected.publication.counts if _is_of_attributes(cell)]
    frames = {cell: holders(attacker, cell) for cell in told if attacker.now.truth.get(cell, 0)}
    for cell, number in frames.items():
        if number is not None and number < max(attacker.rules.minimum_holders, attacker.now.truth[cell]):
            found.add(cell)
    known = {cell: max(1, number) for cell, number in frames.items() if number is not None}
    risks = [1 / number for number in known.values()]
    weights = [attacker.now.truth[cell] for cell in known]
    return result(
        "A2",
        "Prosecutor, journalist and marketer risk",
        len(attacker.bases) + len(told),
        len(found),
        names_of(attacker.now, found),
        highest_prosecutor_risk=prosecutor,
        highest_journalist_risk=max(risks, default=0.0),
        marketer_risk=float(np.average(risks, weights=weights)) if risks else 0.0,
    )


def holders(attacker: Attacker, cell: Cell) -> int | None:
    """How many people in the country a cell describes at most; None where nobody counted them.

    A group without public register has no frame: what is told of it beyond what the rules let is held by nobody.
    """
    pairs = dict(cell)
    role = pairs.pop(ROLE, None)
    if role is not None and role != COUNCILLOR:
        return None if all(_is_allowed(attacker, role, attribute) for attribute in pairs) else 0
    if not attacker.is_about_councillors(cell) or NOT_STATED in pairs.values():
        return None
    counted = [_counted(attacker, attribute, category) for attribute, category in pairs.items()]
    known = [number for number in (*counted, attacker.registered(cell)) if number is not None]
    return min(known, default=None)


def _counted(attacker: Attacker, attribute: str, category: str) -> int | None:
    frame = attacker.population.frame.get(attribute)
    if not frame:
        return None
    return sum(number for finest, number in frame.items() if shown_level(attacker, attribute, finest) == category)


def _is_allowed(attacker: Attacker, role: str, attribute: str) -> bool:
    """Whether an attribute may be told of a group that has no public register."""
    told = {
        category
        for cell in attacker.protected.publication.counts
        for dimension, category in cell
        if dimension == attribute and (ROLE, role) in cell
    }
    rules = attacker.rules
    return attribute in rules.officer_attributes and len(told) <= rules.officer_categories


def likeness(attacker: Attacker) -> AttackResult:
    """A3: whether those of a class are proven to be alike in a sensitive theme, or nearly so.

    l is the fewest distinct values that a class is proven to have no more than, t how far its share is proven to
    be from the share of all. `not_stated` is a value and makes a class like any other.
    """
    found: set[Cell] = set()
    tried, furthest = 0, 0.0
    for base, mentioned, other in _themes(attacker):
        tried += 1
        shares = _share_range(mentioned, other)
        furthest = max(furthest, _distance(attacker, base, shares))
        theme = next(d for d, _ in base[1])
        is_small = 0 < attacker.now.truth.get(base[0], 0) < attacker.rules.sensitive_base
        is_alike = shares[0] > DOMINANT or shares[1] < 1 - DOMINANT
        if theme in attacker.population.sensitive and is_small and is_alike:
            found.add(base[0] | base[1])
    names = names_of(attacker.now, found)
    return result("A3", "Homogeneity, l and t", tried, len(found), names, largest_proven_distance=furthest)


def _themes(attacker: Attacker) -> Iterator[tuple[tuple[Cell, Cell], Range, Range]]:
    """For each group and theme that has a told cell: the group, the theme, and both proven ranges."""
    for cell in attacker.proven:
        themes = [(d, c) for d, c in cell if d.startswith(THEME_PREFIX)]
        if len(themes) == 1 and themes[0][1] == MENTIONED:
            group = cell - {themes[0]}
            other = attacker.proven.get(group | {(themes[0][0], NOT_MENTIONED)})
            if other is not None and group in attacker.proven:
                yield (group, frozenset(themes)), attacker.proven[cell], other


def _share_range(mentioned: Range, other: Range) -> tuple[float, float]:
    """The lowest and the highest share of those who mention something that two ranges allow."""
    low = mentioned.low / (mentioned.low + other.high) if mentioned.low else 0.0
    high = mentioned.high / (mentioned.high + other.low) if mentioned.high else 0.0
    return low, high


def _distance(attacker: Attacker, base: tuple[Cell, Cell], shares: tuple[float, float]) -> float:
    """How far the share of a group is proven to be from that of everybody; 0 where that is not told."""
    whole = [attacker.proven.get(frozenset({(d, c)})) for d, _ in base[1] for c in (MENTIONED, NOT_MENTIONED)]
    if whole[0] is None or whole[1] is None:
        return 0.0
    overall = _share_range(whole[0], whole[1])
    return max(0.0, shares[0] - overall[1], overall[0] - shares[1])


def reconstruction(attacker: Attacker) -> AttackResult:
    """A4: the lowest and the highest count that each cell can have, given every number told."""
    small = {cell: proven for cell, proven in attacker.proven.items() if attacker.now.truth.get(cell, 0) < SMALL}
    found = [cell for cell, proven in small.items() if is_exposed(attacker.now.truth.get(cell, 0), proven)]
    return result(
        "A4",
        "Reconstruction by linear programming",
        len(attacker.proven),  # not how many of them are small: results are published
        len(found),
        names_of(attacker.now, found),
        exact_share=float(np.mean([proven.is_exact for proven in small.values()])) if small else 0.0,
        narrowest=min((proven.width for proven in small.values()), default=0),
    )


def uniform_groups(attacker: Attacker) -> AttackResult:
    """A6: whether a small group is told to be all alike in an attribute or theme."""
    counts = attacker.protected.publication.counts
    found: set[Cell] = set()
    tried = 0
    for cell in counts:
        for pair in cell:
            group = cell - {pair}
            if pair[0] == ROLE or group not in counts:
                continue
            tried += 1
            if _is_uniform(attacker, cell, group, pair):
                found.add(cell)
    for row in attacker.protected.themes:
        if row.share_percent in (0, 100) and (row.base or 0) < attacker.rules.percentage_base:
            found.add(frozenset({(ROLE, row.role_group), (f"{THEME_PREFIX}{row.theme_id}", MENTIONED)}))
    return result("A6", "Groups that are all alike", tried, len(found), names_of(attacker.now, found))


def _is_uniform(attacker: Attacker, cell: Cell, group: Cell, pair: tuple[str, str]) -> bool:
    counts = attacker.protected.publication.counts
    size = min(counts[group], attacker.now.truth.get(group, 0))
    if size >= attacker.rules.sensitive_base or size == 0:
        return False
    tells_nothing = pair[1] == NOT_MENTIONED and pair[0] not in attacker.population.sensitive
    return counts[cell] == counts[group] and not tells_nothing


# --- A1: witnesses, and what they do not clear --------------------------------------------------------------


def _subsets(attacker: Attacker) -> Iterator[tuple[str, ...]]:
    names = sorted(map(str, attacker.population.records.columns))
    for size in range(1, SUBSET + 1):
        yield from combinations(names, size)


def _alone_in_every_world(attacker: Attacker) -> list[Cell]:
    """The classes of one, by up to four values, that are classes of one in every world that was tried."""
    records = attacker.population.records
    categories = {str(name): sorted(records[name].unique()) for name in records}
    worlds = [_codes(world, categories) for world in _worlds(attacker)]
    truth = _codes(records, categories)
    found: list[Cell] = []
    for names in _subsets(attacker):
        attacker.limit.left()
        classes = _classes(truth, names, categories)
        alone, first = _singles(classes)
        for world in worlds:
            if not len(alone):
                break
            there, _ = _singles(_classes(world, names, categories))
            keep = np.isin(alone, there, assume_unique=True)
            alone, first = alone[keep], first[keep]
        found += [frozenset((name, categories[name][truth[name][place]]) for name in names) for place in first]
    return found


def _codes(records: pd.DataFrame, categories: dict[str, list[str]]) -> dict[str, Codes]:
    return {name: np.searchsorted(given, records[name].to_numpy(dtype=str)) for name, given in categories.items()}


def _classes(codes: dict[str, Codes], names: Sequence[str], categories: dict[str, list[str]]) -> Codes:
    """One number for each record: the same for two that agree on all of the columns."""
    classes = np.zeros(len(codes[names[0]]), dtype=np.int64)
    for name in names:
        classes = classes * len(categories[name]) + codes[name]
    return classes


def _singles(classes: Codes) -> tuple[Codes, Codes]:
    """The classes of one, in order, and at which record each is."""
    values, first, sizes = np.unique(classes, return_index=True, return_counts=True)
    return values[sizes == 1], first[sizes == 1]


def _worlds(attacker: Attacker) -> Iterator[pd.DataFrame]:
    """Other interviews with the same true counts in every told table.

    A column changes places among those that agree on all that stands in a table with it. An exchange leaves
    every table as it is, and so does one after the other.
    """
    records = attacker.population.records
    beside: dict[str, set[str]] = {str(name): set() for name in records}
    for table in attacker.protected.publication.tables:
        dimensions = {*table.dimensions, *(d for d, _ in table.where)}
        for name in dimensions & beside.keys():
            beside[name] |= dimensions - {name}
    for seed in range(WORLDS):
        random = np.random.Generator(np.random.PCG64(seed))
        world = records.copy()
        for name, others in beside.items():
            order = pd.Series(random.random(len(world)), index=world.index)
            keys = [world[other] for other in sorted(others)]
            places = world.groupby(keys, sort=False).ngroup() if keys else pd.Series(0, index=world.index)
            shuffled = np.lexsort((order, places))
            plain = np.lexsort((np.arange(len(world)), places))
            values = world[name].to_numpy(copy=True)
            values[plain] = values[shuffled]
            world[name] = values
        yield world


def _is_proven_alone(attacker: Attacker, cell: Cell) -> bool:
    """Whether all that is told leaves exactly one interview in a class."""
    attacker.limit.left()
    proven = attacker.proven.get(cell)
    if proven is None:
        if any(r.low == 0 for told, r in attacker.proven.items() if told < cell):
            return False
        unknowns = Unknowns()
        add_release(unknowns, attacker.now)
        proven = unknowns.ranges([_add_class(unknowns, attacker.now, cell)], attacker.limit)["class"]
    return proven.low == proven.high == 1


def _add_class(unknowns: Unknowns, now: Told, cell: Cell) -> str:
    """Add the count of a class that is no cell of any table, by what all told cells say about its values.

    Within each role group an interview has each of the values or not; what a cell of such values counts is a sum
    over these combinations. Other values of the same columns need no distinction.
    """
    values = sorted(pair for pair in cell if pair[0] != ROLE)
    roles = sorted({c for told in now.truth for d, c in told if d == ROLE}) or [""]
    having = list(product(roles, product((True, False), repeat=len(values))))
    for told in now.truth:
        inside = told - {pair for pair in told if pair[0] == ROLE}
        if inside <= set(values) and (0, told) in unknowns:
            asked = [place for place, value in enumerate(values) if value in inside]
            parts: dict[Hashable, float] = {
                ("combination", role, has): 1.0
                for role, has in having
                if all(has[place] for place in asked) and {(ROLE, role)} >= told - inside
            }
            unknowns.equate({**parts, (0, told): -1.0})
    whole = [role for role in roles if all(c == role for d, c in cell if d == ROLE)]
    members: dict[Hashable, float] = {("combination", role, (True,) * len(values)): 1.0 for role in whole}
    unknowns.equate({**members, "class": -1.0})
    return "class"


def _is_of_attributes(cell: Cell) -> bool:
    return bool(cell) and not any(dimension.startswith(THEME_PREFIX) for dimension, _ in cell)
