"""How far a number could be from the truth: Wilson's interval, and the bootstrap over councils.

Belongs here: intervals at 95 %. Does not belong here: the measures that they surround. Interviews were sought out,
not drawn, so no interval of this kind is ever given for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.measures.values import (
    DIGITS,
    NORMAL_95,
    Floats,
    Integers,
    check_same_length,
    read_amounts,
)

NORMAL_95_SQUARED: Final = 3.841459  # as in sql/macros.sql
REPLICATES: Final = 1_000
SEED: Final = 19_790_101  # Efron's bootstrap appeared in the first Annals of Statistics of 1979
FEWEST_CLUSTERS: Final = 10
_FEWEST_DEFINED: Final = 0.95
_TAILS: Final = (0.025, 0.975)
_LEVELS_AT_ONCE: Final = 1_000  # of distinct values, so that many of them do not fill the memory
_PIECE: Final = 250_000  # products in a piece of a matrix product
_PIECE_COLUMNS: Final = 32
_KEPT_DRAWS: Final = 32  # areas have few different numbers of councils


@dataclass(frozen=True, slots=True)
class Interval:
    """Limits at 95 %."""

    low: float
    high: float


def wilson_interval(hits: float | None, n: float | None) -> Interval | None:
    """Wilson score interval of a share of `hits` in `n` at 95 %, rounded to six digits as the SQL macros round it.

        (p + z²/2n ± z sqrt(p (1 - p) / n + z²/4n²)) / (1 + z²/n),   p = hits / n,   z = 1.959964

    E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 22 (1927) 209-212. The
    same as `wilson_low` and `wilson_high` in sql/macros.sql. None where nothing was counted; raises `ValueError`
    for more hits than `n`.
    """
    if hits is None or n is None or n == 0:
        return None
    if not 0 <= hits <= n:
        raise ValueError("wilson_interval: hits must lie between 0 and n")
    share = hits / n
    middle = share + NORMAL_95_SQUARED / (2 * n)
    reach = NORMAL_95 * float(np.sqrt(share * (1 - share) / n + NORMAL_95_SQUARED / (4 * n * n)))
    width = 1 + NORMAL_95_SQUARED / n
    return Interval(
        max(0.0, round((middle - reach) / width, DIGITS)), min(1.0, round((middle + reach) / width, DIGITS))
    )


class ClusterBootstrap:
    """Draws of whole clusters, to see how much a measure of their members owes to which clusters there are.

    Accounts of one council are alike: a council that trains its members has many that post. Drawing accounts one
    by one would take them for independent and give intervals that are too narrow, so councils are drawn, as many
    as there are, with replacement, each with all of its accounts: B. Efron, Bootstrap Methods, Annals of
    Statistics 7 (1979) 1-26; A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application (1997),
    section 3.8. The interval reaches from the 2.5 % to the 97.5 % quantile of the measure over the draws
    (percentile method).

    A draw is a row of `weights`: how often each cluster came up. Everything follows from sums over clusters, which
    are whole numbers for counts and thus exact: the order of rows and the number of threads cannot show in them.
    """

    def __init__(self, cluster_codes: Sequence[str], replicates: int = REPLICATES, seed: int = SEED) -> None:
        places = {code: place for place, code in enumerate(sorted(set(cluster_codes)))}
        self.clusters = len(places)
        self.members: NDArray[np.intp] = np.fromiter(map(places.get, cluster_codes), np.intp, len(cluster_codes))
        self.weights = _draw_clusters(self.clusters, replicates, seed) if self.clusters else np.zeros((0, 0))

    def totals(self, values: Floats) -> Floats:
        """The sum of an amount over the members that each draw has, one row a draw."""
        by_cluster = np.bincount(self.members, weights=values, minlength=self.clusters)
        return self._drawn(by_cluster.astype(np.float64))

    def counts(self, categories: Integers, number: int) -> Floats:
        """How many members of each category each draw has: one row a draw, one column a category."""
        return self._counts(self.members, categories, number)

    def ginis(self, values: Floats) -> Floats:
        """The Gini coefficient of each draw; NaN where its members have nothing between them.

        |x - y| is the length of the line between x and y, so in a draw each gap between neighbouring values counts
        once for every pair that it parts: those up to it times those above it. The values are put in order once.
        """
        amounts = read_amounts(values, "bootstrap")
        levels, places = np.unique(amounts, return_inverse=True)
        gaps = np.append(np.diff(levels), 0.0)
        up_to, parted = np.zeros((len(self.weights), 1)), np.zeros(len(self.weights))
        everyone = self.totals(np.ones(amounts.size))
        for first in range(0, levels.size, _LEVELS_AT_ONCE):
            here = gaps[first : first + _LEVELS_AT_ONCE]
            inside = (places >= first) & (places < first + here.size)
            members = self._counts(self.members[inside], places[inside] - first, here.size)
            up_to = up_to[:, -1:] + np.cumsum(members, axis=1)
            parted += np.einsum("dl,dl,l->d", up_to, everyone[:, np.newaxis] - up_to, here)
        scale = everyone * self.totals(amounts)
        coefficients: Floats = np.divide(parted, scale, out=np.full(len(parted), np.nan), where=scale > 0)
        return coefficients

    def interval(self, measured: Floats) -> Interval | None:
        """The interval of a measure from its value in each draw.

        None with fewer than ten clusters, where draws of them say little about others (A. C. Cameron, J. B.
        Gelbach and D. L. Miller, Review of Economics and Statistics 90 (2008) 414-427), and where more than one
        draw in twenty has no value.
        """
        defined = measured[np.isfinite(measured)]
        if self.clusters < FEWEST_CLUSTERS or defined.size < _FEWEST_DEFINED * measured.size:
            return None
        low, high = np.quantile(defined, _TAILS)
        return Interval(float(low), float(high))

    def _counts(self, members: NDArray[np.intp], categories: Integers, number: int) -> Floats:
        cells = np.bincount(members * number + categories, minlength=self.clusters * number)
        return self._drawn(cells.reshape(self.clusters, number).astype(np.float64))

    def _drawn(self, by_cluster: Floats) -> Floats:
        """Weights times what each cluster has, in pieces so small that the caller's thread does them itself.

        For larger ones BLAS wakes threads, which go on spinning for longer than all of this takes. Sums of whole
        numbers are the same in any pieces.
        """
        if by_cluster.ndim == 1:
            return np.asarray(np.einsum("dc,c->d", self.weights, by_cluster), dtype=np.float64)
        drawn = np.empty((len(self.weights), by_cluster.shape[1]))
        rows = max(1, _PIECE // (_PIECE_COLUMNS * max(self.clusters, 1)))
        for left in range(0, drawn.shape[1], _PIECE_COLUMNS):
            columns = slice(left, left + _PIECE_COLUMNS)
            piece = np.ascontiguousarray(by_cluster[:, columns])
            for top in range(0, len(drawn), rows):
                drawn[top : top + rows, columns] = self.weights[top : top + rows] @ piece
        return drawn


@lru_cache(maxsize=_KEPT_DRAWS)
def _draw_clusters(clusters: int, replicates: int, seed: int) -> Floats:
    """How often each cluster comes up in each draw.

    Made from uniform numbers alone: numpy may change how its generators draw whole numbers, not these. The same
    number of clusters has the same draws, which nobody may write to.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = np.floor(random.random((replicates, clusters)) * clusters).astype(np.int64)
    cells = drawn + np.arange(replicates)[:, np.newaxis] * clusters
    counts = np.bincount(cells.ravel(), minlength=replicates * clusters)
    weights: Floats = np.asarray(counts.reshape(replicates, clusters), dtype=np.float64)
    weights.flags.writeable = False
    return weights


def bootstrap(cluster_codes: Sequence[str], values: Sequence[float]) -> ClusterBootstrap:
    """Draws for values that belong to clusters; raises `ValueError` for a cluster without code or unlike lists."""
    check_same_length("bootstrap", cluster_codes, values)
    if any(not isinstance(code, str) or not code for code in set(cluster_codes)):
        raise ValueError("bootstrap: every value needs the code of its cluster")
    return ClusterBootstrap(cluster_codes)
