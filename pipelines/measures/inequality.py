"""How unequally an amount is spread: the Gini coefficient.

Belongs here: concentration of one amount over accounts. Does not belong here: the shape of the distribution
(`dip`, `agreement`) and intervals (`intervals`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pipelines.measures.values import read_amounts


def gini(values: ArrayLike) -> float | None:
    """Gini coefficient of amounts >= 0: 0 where all are equal, (n - 1) / n where one has everything.

    Half the mean absolute difference between two draws with replacement, over the mean: C. Gini, Variabilità e
    mutabilità (1912). With the amounts in ascending order that is

        G = sum((2 i - n - 1) x_i) / (n sum(x_i)),   i = 1 .. n

    (A. Sen, On Economic Inequality (1973), p. 31), without the factor n / (n - 1) of some packages, so that a
    group counted twice has the same value. None where there is nothing to share; raises `ValueError` for a
    missing or negative amount.
    """
    amounts = np.sort(read_amounts(values, "gini"))
    n = amounts.size
    total = amounts.sum()
    if total == 0:
        return None
    ranks = 2.0 * np.arange(1, n + 1) - n - 1
    return float((ranks * amounts).sum() / (n * total))
