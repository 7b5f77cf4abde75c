"""The dip against its definition, published examples and another implementation; its table; its use on counts."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from pipelines.measures import dip, dip_on_log_counts, dip_p_value
from pipelines.measures.dip import TABLE
from pipelines.measures.dip_table import PROBABILITIES, SIZES, simulate_dips

R_EXAMPLE = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.5, 2.5, 2.5]
numbers = st.floats(min_value=-1e6, max_value=1e6, allow_subnormal=False)


# --- inputs that need no random numbers, for golden values ---------------------------------------------------


def spread(n: int) -> list[float]:
    return [k * 7919 % 104_729 / 104_729 for k in range(1, n + 1)]


def two_camps(n: int) -> list[float]:
    return [u * u for u in spread(n // 2)] + [3 + u * u * u for u in spread(n - n // 2)]


def in_tens(n: int) -> list[float]:
    return [float(round(10 * value)) for value in two_camps(n)]


def whole(n: int) -> list[float]:
    return [float(k * k % 11) for k in range(n)]


# Computed with the Python package diptest 0.12.0, `diptest.dipstat(values, allow_zero=False)`.
GOLDEN: list[tuple[Callable[[int], list[float]], int, float]] = [
    (spread, 5, 0.1),
    (spread, 12, 0.0416666666666667),
    (spread, 37, 0.0222949935666188),
    (spread, 250, 0.00489784063644402),
    (spread, 4001, 0.000877148436088362),
    (two_camps, 5, 0.198854480328504),
    (two_camps, 12, 0.23329450479068),
    (two_camps, 37, 0.165092140168638),
    (two_camps, 250, 0.166987831750736),
    (two_camps, 4001, 0.166639465216526),
    (in_tens, 5, 0.2),
    (in_tens, 12, 0.233333333333333),
    (in_tens, 37, 0.164864864864865),
    (in_tens, 250, 0.169),
    (in_tens, 4001, 0.168457885528618),
    (whole, 5, 0.15),
    (whole, 12, 0.111111111111111),
    (whole, 37, 0.0990990990990991),
    (whole, 250, 0.092),
    (whole, 4001, 0.0909772556860785),
]


# 95 % quantiles of the dip as R's diptest tabulates them (qDiptab, a million samples each).
PUBLISHED_95 = [
    (4, 0.20726978858736),
    (5, 0.186391796027944),
    (10, 0.139611395137099),
    (20, 0.105130218270636),
    (50, 0.0702737877191269),
    (100, 0.0511279442868827),
    (200, 0.0368418413878307),
    (500, 0.0237294742633411),
    (1_000, 0.0169343970067564),
    (2_000, 0.0120380990328341),
    (5_000, 0.0076506368153935),
    (10_000, 0.00542372242836395),
    (20_000, 0.00384330190244679),
]


def dip_by_definition(values: list[float]) -> float:
    """The least d for which some unimodal function stays within d of the distribution function: linear programs.

    One program for each place of the peak: the function is convex up to it, may jump there, and is concave after
    it. Unknown are its heights at the values, twice at the peak, and d.
    """
    levels, counts = np.unique(values, return_counts=True)
    up_to = np.cumsum(counts) / len(values)
    below = up_to - counts / len(values)
    return max(
        1 / (2 * len(values)), min(_distance_with_peak_at(k, levels, below, up_to) for k in range(len(levels)))
    )


def _distance_with_peak_at(peak: int, levels: np.ndarray, below: np.ndarray, up_to: np.ndarray) -> float:
    """The least d with the peak at one value: columns are heights up to the jump, heights from it on, and d."""
    d = len(levels) + 1
    problem: list[tuple[dict[int, float], float]] = [({peak: 1, peak + 1: -1}, 0)]  # a jump goes up
    edges = [(k + (k > peak), up_to[k], below[k]) for k in range(len(levels)) if k != peak]
    edges += [(peak, below[peak], below[peak]), (peak + 1, up_to[peak], up_to[peak])]
    for column, most, least in edges:
        problem += [({column: -1, d: -1}, -most), ({column: 1, d: -1}, least)]
    sides = ((range(peak + 1), levels[: peak + 1], 1), (range(peak + 1, d), levels[peak:], -1))
    for columns, places, bend in sides:
        problem += [({a: 1, a + 1: -1}, 0) for a in columns[:-1]]
        for b, (before, after) in zip(columns[1:-1], pairwise(np.diff(places)), strict=True):
            slopes = {b - 1: -1 / before, b: 1 / before + 1 / after, b + 1: -1 / after}
            problem.append(({column: bend * slope for column, slope in slopes.items()}, 0))
    rows = np.zeros((len(problem), d + 1))
    for row, (terms, _) in zip(rows, problem, strict=True):
        row[list(terms)] = list(terms.values())
    found = linprog(np.eye(d + 1)[d], A_ub=rows, b_ub=[limit for _, limit in problem], bounds=(0, 1))
    assert found.success
    return float(found.fun)


# --- the statistic ------------------------------------------------------------------------------------------


def test_dip_of_the_example_of_r() -> None:
    """R's diptest gives D = 0.13636 and p = 0.04419 for it, from a table of its own."""
    found = dip(R_EXAMPLE)
    assert found == pytest.approx(3 / 22, abs=1e-15)
    assert dip_p_value(found, len(R_EXAMPLE)) == pytest.approx(0.04419, abs=0.003)


@pytest.mark.parametrize(("make", "n", "expected"), GOLDEN)
def test_dip_equals_another_implementation(make: Callable[[int], list[float]], n: int, expected: float) -> None:
    assert dip(make(n)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_dip_equals_its_definition(seed: int) -> None:
    """Found by minimising over all unimodal functions: nothing of the algorithm is used."""
    random = np.random.default_rng(seed)
    n = int(random.integers(2, 11))
    values = random.random(n) if seed % 2 else random.integers(0, 6, n) ** 2
    assert dip(values) == pytest.approx(dip_by_definition([float(value) for value in values]), abs=1e-7)


def test_dip_of_two_far_points_is_a_quarter() -> None:
    """The most that a dip can be: half the values at each of two places."""
    assert dip([0.0] * 50 + [1.0] * 50) == pytest.approx(0.25)


@pytest.mark.parametrize("values", [[1.0], [2.0] * 9, [1.0, 2.0], [1.0, 2.0, 3.0, 4.0, 5.0]])
def test_dip_is_never_below_half_of_one_value(values: list[float]) -> None:
    assert dip(values) == pytest.approx(1 / (2 * len(values)))


@given(st.lists(numbers, min_size=1, max_size=60))
def test_dip_lies_between_its_bounds(values: list[float]) -> None:
    found = dip(values)
    assert found is not None
    assert 1 / (2 * len(values)) <= found <= max(0.25, 1 / (2 * len(values))) + 1e-12


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=60), st.integers(1, 9), st.integers(-9, 9), st.randoms()
)
def test_dip_knows_neither_order_nor_scale_nor_direction(values, factor, shift, random) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert dip(shuffled) == dip(values)
    assert dip([factor * value + shift for value in values]) == pytest.approx(dip(values), abs=1e-12)
    assert dip([-value for value in values]) == pytest.approx(dip(values), abs=1e-12)


@given(st.lists(st.integers(0, 20), min_size=2, max_size=30), st.integers(2, 4))
def test_dip_of_a_group_counted_twice_is_the_same_where_it_is_not_least(values, times) -> None:
    once, more = dip(values), dip(values * times)
    assert more is not None
    assert once is not None
    assert more <= once + 1e-12
    if once > 1 / (2 * len(values)) + 1e-12:
        assert more == pytest.approx(once, abs=1e-12)


def test_dip_copes_with_gaps_of_every_size() -> None:
    values = [-1e300, -1.0, 0.0, 5e-324, 1e-300, 1e-9, 1.0, 1e300]
    found = dip(values)
    assert found is not None
    assert math.isfinite(found)


def test_dip_of_nothing_is_nothing() -> None:
    assert dip([]) is None
    assert dip_on_log_counts([]) is None


@pytest.mark.parametrize("values", [[1.0, math.nan], [1.0, math.inf], [1.0, None], ["a"], [[1.0], [2.0]]])
def test_dip_refuses_what_is_no_number(values: list[object]) -> None:
    with pytest.raises(ValueError, match="dip: "):
        dip(values)  # type: ignore[arg-type]


# --- the table and the p-value --------------------------------------------------------------------------------


def read_table() -> tuple[list[float], dict[int, list[float]]]:
    with TABLE.open(encoding="utf-8") as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))
    return [float(p) for p in rows[0][1:]], {int(row[0]): [float(q) for q in row[1:]] for row in rows[1:]}


def test_the_table_is_the_one_that_its_script_describes() -> None:
    probabilities, quantiles = read_table()
    assert tuple(probabilities) == PROBABILITIES
    assert tuple(quantiles) == SIZES
    assert all(row == sorted(row) for row in quantiles.values())


@pytest.mark.parametrize(("n", "published"), PUBLISHED_95)
def test_the_table_agrees_with_a_published_one(n: int, published: float) -> None:
    probabilities, quantiles = read_table()
    assert quantiles[n][probabilities.index(0.95)] / math.sqrt(n) == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize("n", [4, 11, 62, 800])
def test_p_values_of_uniform_samples_are_uniform(n: int) -> None:
    """Also between the sizes of the table: 62 lies between 50 and 75. Another seed than the table's."""
    replicates = 2_000
    p_values = np.array([dip_p_value(float(found), n) for found in simulate_dips(n, replicates, seed=5)])
    for level in (0.01, 0.05, 0.2, 0.5):
        reached = float((p_values <= level).mean())
        assert reached <= level + 3.5 * math.sqrt(level * (1 - level) / replicates)
        if n > 10:  # smaller samples have the least dip so often that not every level can be reached
            assert reached >= level - 3.5 * math.sqrt(level * (1 - level) / replicates)


def test_the_same_seed_simulates_the_same_dips() -> None:
    assert simulate_dips(30, 5).tolist() == simulate_dips(30, 5).tolist()
    assert simulate_dips(30, 5).tolist() != simulate_dips(30, 5, seed=1).tolist()


@given(st.integers(1, 100_000), st.floats(0, 0.25), st.floats(0, 0.25))
def test_a_larger_dip_is_never_less_surprising(n: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 < dip_p_value(high, n) <= dip_p_value(low, n) <= 1


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 9, 11, 13, 40, 25_000])
def test_the_least_dip_is_no_surprise(n: int) -> None:
    assert dip_p_value(1 / (2 * n), n) == pytest.approx(1, abs=1e-3)


def test_the_p_value_is_never_zero_and_the_largest_row_serves_beyond_the_table() -> None:
    assert dip_p_value(0.25, 50) == pytest.approx(0.0001)
    scaled = 0.4
    assert dip_p_value(scaled / math.sqrt(80_000), 80_000) == pytest.approx(
        dip_p_value(scaled / math.sqrt(SIZES[-1]), SIZES[-1])
    )


# --- on counts ----------------------------------------------------------------------------------------------


def test_ties_of_a_poisson_sample_are_not_taken_for_peaks() -> None:
    """Raw counts with mean 4 and n = 52 seem bimodal 98 % of the time; jittered, no more often than by chance."""
    random = np.random.default_rng(52)
    samples = random.poisson(4, (60, 52))
    raw = [dip_p_value(dip(sample) or 0, 52) <= 0.05 for sample in samples]
    jittered = [dip_on_log_counts(sample) for sample in samples]
    assert np.mean(raw) > 0.9
    assert sum(found is not None and found.p_value <= 0.05 for found in jittered) <= 7  # P(more | 5 %) = 0.01


def test_two_camps_are_found() -> None:
    random = np.random.default_rng(7)
    found = []
    for _ in range(12):
        silent, heavy = random.poisson(1, 50), random.poisson(60, 50)
        found.append(dip_on_log_counts(np.concatenate((silent, heavy))))
    assert all(one is not None and one.p_value < 0.01 for one in found)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.randoms())
def test_the_same_counts_give_the_same_numbers_in_any_order(counts, random) -> None:
    shuffled = list(counts)
    random.shuffle(shuffled)
    assert dip_on_log_counts(shuffled, jitters=5) == dip_on_log_counts(counts, jitters=5)


def test_jitters_are_averaged_and_seeded() -> None:
    counts = np.random.default_rng(1).poisson(4, 52)
    singles = [dip_on_log_counts(counts, jitters=1, seed=seed) for seed in range(20)]
    means = [dip_on_log_counts(counts, seed=seed) for seed in range(20)]
    assert len({one.dip for one in singles if one}) == 20
    assert np.std([one.dip for one in means if one]) < np.std([one.dip for one in singles if one]) / 5


def test_the_formula_is_the_stated_one() -> None:
    """One jitter, recomputed from the generator that the docstring's formula needs."""
    counts = [3, 0, 17, 0, 2, 250, 9]
    moved = np.random.Generator(np.random.PCG64(11)).random(7)
    found = dip_on_log_counts(counts, jitters=1, seed=11)
    assert found is not None
    assert found.dip == dip(np.log1p(np.sort(counts) + moved))
    assert found.p_value == dip_p_value(found.dip, 7)


def test_only_the_logarithmic_spread_leaves_large_quiet_groups_without_teeth() -> None:
    """A geometric distribution falls from zero on: one peak. The default's known weakness in large groups."""
    counts = np.random.default_rng(3).geometric(1 / 3, 20_000) - 1
    by_count, by_log = (dip_on_log_counts(counts, jitters=10, spread=spread) for spread in ("count", "log"))
    assert by_count is not None
    assert by_log is not None
    assert by_count.p_value < 0.05 < by_log.p_value


@pytest.mark.parametrize("counts", [[1, -1], [1, None], [math.nan]])
def test_counts_must_be_counts(counts: list[object]) -> None:
    with pytest.raises(ValueError, match="dip: "):
        dip_on_log_counts(counts)  # type: ignore[arg-type]
