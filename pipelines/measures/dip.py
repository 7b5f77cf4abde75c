"""Hartigan's dip: how far a distribution is from having one peak, and how surprising that is.

Belongs here: the statistic, its p-value from a table, and its use on counts, where ties must not be mistaken for
peaks. Does not belong here: the simulation that made the table (`dip_table`), and any verdict: a dip is published
beside the plain shares of the bands, never instead of them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.measures.values import Floats, Integers, read_amounts, read_numbers

MOST_JITTERS: Final = 100
LEAST_JITTERS: Final = 20
_JITTERED: Final = 2_500  # values in all, as long as these bounds let them be
SEED: Final = 19_850_301  # the paper's year and month; any fixed number would do
TABLE: Final = Path(__file__).with_name("dip_table.csv")
_SMALLEST_N: Final = 4  # with three values or fewer the dip is 1/(2n) whatever they are
_SAME: Final = 1e-7  # what seven digits in the table cannot tell apart

Spread = Literal["count", "log"]


@dataclass(frozen=True, slots=True)
class Dip:
    """A dip and the probability of one at least as large in a sample of that size from a uniform distribution."""

    dip: float
    p_value: float


@dataclass(frozen=True, slots=True)
class _Steps:
    """An empirical distribution function: distinct values, and how many lie below and up to each."""

    values: Floats
    below: Integers
    up_to: Integers


@dataclass(frozen=True, slots=True)
class _Hulls:
    """Corners of the greatest convex minorant and the least concave majorant, as indices into the values."""

    minorant: NDArray[np.intp]
    majorant: NDArray[np.intp]


def dip(values: ArrayLike) -> float | None:
    """Dip statistic: the greatest distance of the empirical distribution function from the nearest unimodal one.

    J. A. Hartigan and P. M. Hartigan, The Dip Test of Unimodality, Annals of Statistics 13 (1985) 70-84, part 3.
    The least value is 1/(2n), also where the values could not be more unimodal, as in R's diptest, in which M.
    Maechler corrected P. M. Hartigan's algorithm AS 217 (Applied Statistics 34 (1985) 320-325).

    From the whole range inwards: draw the greatest convex minorant and the least concave majorant of the
    distribution function between the current ends, find where the two are farthest apart, take the nearest corner
    of each as the new ends, and remember how far the function strays from the two outside of the new ends. Stop
    where the distance within is no larger than what is remembered. Each hull is an isotonic regression of the gaps
    between values, so a step costs time in proportion to what is left.

    None without values; raises `ValueError` for a missing or infinite one.
    """
    return dip_of_sorted(np.sort(read_numbers(values, "dip")))


def dip_p_value(statistic: float, n: int) -> float:
    """Probability that n values from a uniform distribution have a dip of at least `statistic`.

    Interpolated in a table of the distribution of sqrt(n) dip, simulated by `dip_table`: straight lines between
    quantiles, and between sample sizes in 1 / sqrt(n). The uniform stands for "one peak", as Hartigan and Hartigan
    (1985) propose: other distributions with one peak tend to smaller dips, so for them the p-value errs on the
    large side. 1 for fewer than four values; never below the smallest probability that the table resolves, 0.0001,
    which stands for itself and less. Samples beyond the table's largest size use its last row, by which the
    distribution has settled.
    """
    if n < _SMALLEST_N:
        return 1.0
    sizes, probabilities, quantiles = _null_table()
    place = 1 / np.sqrt(n)
    above = min(int(np.searchsorted(sizes, n)), len(sizes) - 1)
    lower = max(above - 1, 0)
    ends = 1 / np.sqrt(sizes[[above, lower]])
    share = 0.0 if above == lower else float(np.clip((place - ends[0]) / (ends[1] - ends[0]), 0, 1))
    row = quantiles[above] * (1 - share) + quantiles[lower] * share
    # Small samples often have the least dip possible: "at least as large" begins below such a step.
    below = float(np.interp(np.sqrt(n) * statistic - _SAME, row, probabilities, left=0.0))
    return 1 - below


def dip_on_log_counts(
    counts: ArrayLike, jitters: int | None = None, seed: int = SEED, spread: Spread = "count"
) -> Dip | None:
    """Dip of counts on a logarithmic scale, with their ties broken at random: log1p(count + U(0, 1)).

    The dip is for continuous values. On raw counts it takes the steps between whole numbers for peaks: 98 in 100
    samples of 52 from a Poisson distribution with mean 4 seem bimodal. So each count is moved by a uniform random
    amount, `jitters` times over, and the mean of the dips is given with the p-value of that mean, read as if it
    were one dip. The mean varies less than one dip does, so chance alone passes 5 % in fewer than one in 20.
    Without `jitters`, `jitters_for` says how many.

    `spread` says on which scale the amount is uniform. "count" is the formula above. "log" spreads evenly between
    log(1 + count) and log(2 + count); it differs only in groups of many thousand accounts that post little, where
    "count" draws teeth into the distribution that the dip then finds (docs/methods-measures.md has the figures).
    The published dip is spread on the logarithmic scale.

    The same counts give the same numbers in any order. None without counts.
    """
    ordered = np.sort(read_amounts(counts, "dip"))
    times = jitters_for(ordered.size) if jitters is None else jitters
    if ordered.size == 0 or times < 1:
        return None
    random = np.random.Generator(np.random.PCG64(seed))
    start, width = np.log1p(ordered), np.log1p(ordered + 1) - np.log1p(ordered)
    dips = []
    for _ in range(times):
        moved = random.random(ordered.size)
        jittered = np.log1p(ordered + moved) if spread == "count" else start + moved * width
        dips.append(dip_of_sorted(np.sort(jittered)))
    mean = float(np.mean([found for found in dips if found is not None]))
    return Dip(mean, dip_p_value(mean, ordered.size))


def jitters_for(n: int) -> int:
    """How often counts are jittered: 100 times where there are few, 20 times where there are many.

    What chance then leaves in the mean of the dips is below a thirtieth of 1 / (4 sqrt(n)), which is about what
    another sample of accounts would change (docs/methods-measures.md).
    """
    return max(LEAST_JITTERS, min(MOST_JITTERS, _JITTERED // max(n, 1)))


def dip_of_sorted(ordered: Floats) -> float | None:
    """The dip of values in ascending order; distances are counted in values, and halved and divided at the end."""
    n = ordered.size
    if n == 0:
        return None
    steps = _read_steps(ordered)
    start, end = 0, len(steps.values) - 1
    strayed = 1.0
    while start < end:
        hulls = _draw_hulls(steps, start, end)
        apart, new_start, new_end = _farthest_apart(steps, hulls)
        if apart <= strayed:
            break
        strayed = max(strayed, _strays_outside(steps, hulls, new_start, new_end))
        if (new_start, new_end) == (start, end):
            break
        start, end = new_start, new_end
    return strayed / (2 * n)


def _read_steps(ordered: Floats) -> _Steps:
    changes = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    below = np.concatenate(([0], changes))
    return _Steps(ordered[below], below, np.append(changes, ordered.size))


def _draw_hulls(steps: _Steps, start: int, end: int) -> _Hulls:
    """Both hulls between two values: just before each step for the minorant, just after it for the majorant.

    A convex function of the values has slopes that rise; turned on its side, gaps per count that fall. So the
    hull's corners are where blocks begin in the antitonic (for the majorant: isotonic) regression of the gap per
    count, weighted by count: R. E. Barlow and others, Statistical Inference under Order Restrictions (1972), 1.2.
    """
    from scipy.optimize import isotonic_regression  # type: ignore[import-untyped] # slow to load, rarely needed

    gaps = np.diff(steps.values[start : end + 1])
    if len(steps.values) == steps.up_to[-1]:  # no value comes twice: every rise is one
        corners = [start + isotonic_regression(gaps, increasing=upper).blocks for upper in (False, True)]
        return _Hulls(corners[0], corners[1])
    rises = np.diff(steps.below[start : end + 1]), np.diff(steps.up_to[start : end + 1])
    corners = [
        start + isotonic_regression(gaps / rise, weights=rise, increasing=upper).blocks
        for rise, upper in zip(rises, (False, True), strict=True)
    ]
    return _Hulls(corners[0], corners[1])


def _farthest_apart(steps: _Steps, hulls: _Hulls) -> tuple[float, int, int]:
    """The largest distance between the hulls, which lies at a corner, and the corners that enclose it."""
    low, high = hulls.minorant, hulls.majorant
    over_low = np.interp(steps.values[low], steps.values[high], steps.up_to[high]) - steps.below[low]
    over_high = steps.up_to[high] - np.interp(steps.values[high], steps.values[low], steps.below[low])
    at_low, at_high = int(over_low.argmax()), int(over_high.argmax())
    if over_low[at_low] >= over_high[at_high]:
        corner = low[at_low]
        return float(over_low[at_low]), int(corner), int(high[np.searchsorted(high, corner)])
    corner = high[at_high]
    return float(over_high[at_high]), int(low[np.searchsorted(low, corner, side="right") - 1]), int(corner)


def _strays_outside(steps: _Steps, hulls: _Hulls, new_start: int, new_end: int) -> float:
    """How far the function lies above the minorant before the new start, and below the majorant after the new end.

    The steps at the new ends belong to the peak, where a unimodal function may jump.
    """
    low, high = hulls.minorant, hulls.majorant
    before, after = slice(low[0], new_start), slice(new_end + 1, high[-1] + 1)
    over = steps.up_to[before] - np.interp(steps.values[before], steps.values[low], steps.below[low])
    under = np.interp(steps.values[after], steps.values[high], steps.up_to[high]) - steps.below[after]
    return float(max(over.max(initial=0), under.max(initial=0)))


@cache
def _null_table() -> tuple[Floats, Floats, Floats]:
    """Sample sizes, probabilities, and the quantiles of sqrt(n) dip: a row a size, a column a probability."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))
    table = np.array(rows[1:], dtype=np.float64)
    return table[:, 0], np.array(rows[0][1:], dtype=np.float64), table[:, 1:]
