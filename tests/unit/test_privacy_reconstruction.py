"""Bounds from published numbers: against counting all tables, against the full cross, and against suppression."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.privacy.cells import EVERYBODY, Cell, Population, Publication, Table
from pipelines.privacy.reconstruction import (
    AuditError,
    ContradictionError,
    Deadline,
    Range,
    Told,
    Unknowns,
    add_release,
    cyclic_parts,
    prove,
    suppressed,
    told_by,
)
from pipelines.privacy.rounding import Dither, round_jointly
from pipelines.privacy.tables import count_cells, equations

SOON = Deadline()
SUPPRESSED = Range(0, 4)


def draw(seed: int, categories: tuple[int, ...], interviews: int = 52) -> Population:
    """Random interviews with attributes a, b, c … of so many categories."""
    random = np.random.default_rng(seed)
    columns = {
        name: [f"{name}{number}" for number in random.integers(0, size, interviews)]
        for name, size in zip("abcdefgh", categories, strict=False)
    }
    records = pd.DataFrame(columns, dtype=str)
    return Population("drawn", records, pd.Series(1.0, index=records.index), {}, frozenset())


def pairs_of(population: Population) -> list[Table]:
    return [Table(pair) for pair in combinations(map(str, population.records.columns), 2)]


def rounded(population: Population, tables: list[Table]) -> Told:
    truth = count_cells(population, tables)
    counts = round_jointly(truth, equations(population, tables), 5, Dither(b"0" * 16, "drawn"))
    return told_by(Publication(1, tuple(tables), counts, 5), truth, {})


# --- against the definition ---------------------------------------------------------------------------------

limits = st.tuples(st.integers(0, 3), st.integers(0, 2)).map(lambda pair: Range(pair[0], pair[0] + pair[1]))


def by_counting(intervals: dict[Cell, Range]) -> dict[Cell, Range] | None:
    """Every table of two by two with small cells that fits, tried one after the other."""
    inner = [frozenset({("a", x), ("b", y)}) for x, y in product("01", "01")]
    seen: dict[Cell, set[int]] = {}
    for counts in product(range(6), repeat=4):
        table = dict(zip(inner, counts, strict=True))
        for margin in [EVERYBODY, *(frozenset({(d, c)}) for d, c in product("ab", "01"))]:
            table[margin] = sum(count for cell, count in table.items() if len(cell) == 2 and margin <= cell)
        if all(r.low <= table[cell] <= r.high for cell, r in intervals.items()):
            for cell, count in table.items():
                seen.setdefault(cell, set()).add(count)
    return {cell: Range(min(counts), max(counts)) for cell, counts in seen.items()} or None


@settings(deadline=None, max_examples=60)
@given(st.lists(limits, min_size=4, max_size=4), st.lists(limits, min_size=4, max_size=4), st.booleans())
def test_bounds_are_those_of_counting_every_table_that_fits(inner, margins, whole: bool) -> None:
    cells = [frozenset({("a", x), ("b", y)}) for x, y in product("01", "01")]
    sides = [frozenset({(d, c)}) for d, c in product("ab", "01")]
    intervals = dict(zip(cells, inner, strict=True))
    intervals |= {side: Range(r.low, r.high + 3) for side, r in zip(sides, margins, strict=True)}
    told = Told(1, (Table(("a", "b")),), intervals, dict.fromkeys(intervals, 0) | {EVERYBODY: 0})
    expected = by_counting(intervals)
    if expected is None:
        with pytest.raises(ContradictionError):
            prove(told, SOON, whole=whole)
    else:
        assert prove(told, SOON, whole=whole) == expected


def test_a_star_of_tables_is_as_tight_as_its_full_cross() -> None:
    """What the theory of acyclic schemas says, seen: adding the full cross of five attributes narrows nothing."""
    for seed in range(4):
        population = draw(seed, (2, 3, 3, 2, 3), 30)
        star = [Table(("a", name)) for name in "bcde"]
        plain = rounded(population, star)
        unknowns = Unknowns()
        add_release(unknowns, plain, extra=[Table(tuple("abcde"))])
        crossed = unknowns.ranges([(0, cell) for cell in plain.truth], SOON)
        assert prove(plain, SOON) == {cell: crossed[(0, cell)] for cell in prove(plain, SOON)}


def test_tables_that_form_a_cycle_prove_more_than_their_pairs_alone() -> None:
    """Half of each, never two together: three tables agree pairwise, and yet nobody can have all of it."""
    sides = [frozenset({(d, c)}) for d in "abc" for c in "01"]
    odd = {
        frozenset({(x, i), (y, j)}): int(i != j) for x, y in combinations("abc", 2) for i, j in product("01", "01")
    }
    truth = {**odd, **dict.fromkeys(sides, 1), EVERYBODY: 2}
    told = Told(
        1, tuple(Table(p) for p in combinations("abc", 2)), {c: Range(n, n) for c, n in truth.items()}, truth
    )
    with pytest.raises(ContradictionError):
        prove(told, SOON)


@pytest.mark.parametrize(
    ("tables", "cyclic"),
    [
        ([("a", "b"), ("a", "c"), ("a", "d")], []),
        ([("a", "b"), ("b", "c"), ("c", "d")], []),
        ([("a", "b"), ("b", "c"), ("c", "a")], [{"a", "b", "c"}]),
        ([("a", "b", "c"), ("a", "b"), ("b", "c"), ("c", "a")], []),  # the wide table holds the three
        ([("a", "b"), ("b", "c"), ("c", "a"), ("e", "f")], [{"a", "b", "c"}]),
        ([("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"), ("d", "e")], [set("abcde")]),
    ],
)
def test_cycles_are_found(tables: list[tuple[str, ...]], cyclic: list[set[str]]) -> None:
    assert cyclic_parts(Table(dimensions) for dimensions in tables) == [frozenset(part) for part in cyclic]


def test_a_filter_counts_as_a_dimension_of_a_cycle() -> None:
    tables = [Table(("b",), frozenset({("a", "0")})), Table(("b", "c")), Table(("c", "a"))]
    assert cyclic_parts(tables) == [frozenset("abc")]


# --- failing closed -----------------------------------------------------------------------------------------


def test_a_cross_that_is_too_large_is_refused_and_not_guessed_at() -> None:
    population = draw(1, (12, 12, 12, 12), 400)
    with pytest.raises(AuditError, match="too many to be attacked together"):
        prove(
            told_by(
                Publication(1, tuple(pairs_of(population)), {}, 5),
                count_cells(population, pairs_of(population)),
                {},
            ),
            SOON,
        )


def test_time_that_is_up_is_an_error() -> None:
    with pytest.raises(AuditError, match="time ran out"):
        prove(rounded(draw(1, (2, 3)), [Table(("a", "b"))]), Deadline.within(-1))


def test_numbers_that_exclude_each_other_are_an_error() -> None:
    unknowns = Unknowns()
    unknowns.add("x", 1, 3)
    with pytest.raises(ContradictionError):
        unknowns.add("x", 4, 5)


# --- suppression beside controlled rounding -----------------------------------------------------------------


def test_linear_programming_recovers_half_of_what_suppression_hides_and_nothing_of_ours() -> None:
    """52 random interviews, five attributes, all tables of one and two dimensions, small cells left out."""
    shares, ours = [], []
    for seed in (1, 2):
        population = draw(seed, (3, 4, 3, 4, 2))
        tables = pairs_of(population)
        truth = count_cells(population, tables)
        hidden = [cell for cell, count in truth.items() if count <= SUPPRESSED.high]
        assert len(hidden) > 40
        proven = prove(suppressed(truth, tables, SUPPRESSED), SOON)
        assert all(proven[cell].low <= truth[cell] <= proven[cell].high for cell in truth)
        shares.append(np.mean([proven[cell].is_exact for cell in hidden]))
        against_ours = prove(rounded(population, tables), SOON)
        assert all(against_ours[cell].low <= truth[cell] <= against_ours[cell].high for cell in truth)
        ours += [against_ours[cell] for cell in truth if truth[cell] < 10]
    assert 0.4 < np.mean(shares) < 0.75
    assert not any(found.is_exact or found.is_few for found in ours)
    assert min(found.width for found in ours) >= 4


def test_a_symbol_that_says_one_to_four_gives_more_away_than_one_that_says_nothing() -> None:
    population = draw(1, (3, 4, 3, 4, 2))
    tables = pairs_of(population)
    truth = count_cells(population, tables)
    some = [cell for cell, count in truth.items() if 1 <= count <= 4]
    silent = prove(suppressed(truth, tables, SUPPRESSED), SOON)
    telling = prove(suppressed(truth, tables, Range(1, 4)), SOON)
    assert sum(telling[c].is_exact for c in some) > sum(silent[c].is_exact for c in some)
