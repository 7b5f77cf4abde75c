"""Agreement in an ordered scale: one peak, no peak, or two camps.

Belongs here: van der Eijk's A of one table of counts or of many at once. Does not belong here: how accounts are
put into the bands of a scale (`activity`).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from pipelines.measures.values import Floats, read_amounts

_FEWEST_CATEGORIES: Final = 3
_MOST_CATEGORIES: Final = 62  # a pattern of categories is one bit each of a 64-bit number


def van_der_eijk_a(counts: ArrayLike) -> float | None:
    """Agreement A of counts in ordered categories: 1 all in one, 0 evenly spread, -1 half at each end.

    C. van der Eijk, Measuring agreement in ordered rating scales, Quality & Quantity 35 (2001) 325-341. The counts
    are taken apart into layers: each layer holds the same number in every category that still has any. A is
    the mean of the layers' agreement, weighted by how many each holds; a layer that fills S of K categories has

        A = U (1 - (S - 1) / (K - 1)),   U = ((K - 2) TU - (K - 1) TDU) / ((K - 2) (TU + TDU))

    where TU counts triples of categories, in order, that are filled 110 or 011, and TDU those filled 101 (p. 332).
    None without any count; raises `ValueError` for fewer than three categories.
    """
    row = read_amounts(counts, "agreement")
    value = agreement_of_rows(row[np.newaxis, :])[0]
    return None if np.isnan(value) else float(value)


def agreement_of_rows(table: Floats) -> Floats:
    """A of every row of a table, one category a column; NaN for a row without any count."""
    categories = table.shape[1]
    if not _FEWEST_CATEGORIES <= categories <= _MOST_CATEGORIES:
        raise ValueError(f"agreement: {_FEWEST_CATEGORIES} to {_MOST_CATEGORIES} categories, not {categories}")
    bits = 2 ** np.arange(categories, dtype=np.int64)
    levels = np.sort(table, axis=1)
    weighted = np.zeros(len(table))
    below = np.zeros(len(table))
    for level in levels.T:  # from the least filled category up: what is left above `below` is one layer
        filled = table >= level[:, np.newaxis]
        patterns, which = np.unique(filled @ bits, return_inverse=True)
        scores = np.array([_layer_agreement(int(pattern), categories) for pattern in patterns])
        weighted += scores[which] * (level - below) * filled.sum(axis=1)
        below = level
    totals = table.sum(axis=1)
    agreement: Floats = np.divide(weighted, totals, out=np.full(len(table), np.nan), where=totals > 0)
    return agreement


@lru_cache(maxsize=4_096)
def _layer_agreement(pattern: int, categories: int) -> float:
    """Agreement of one layer, given as the bits of the categories that it fills."""
    filled = [bool(pattern >> k & 1) for k in range(categories)]
    size = sum(filled)
    triples = list(combinations(filled, 3))
    unimodal = sum(triple in ((True, True, False), (False, True, True)) for triple in triples)
    deviating = sum(triple == (True, False, True) for triple in triples)
    if unimodal + deviating == 0:  # one category, or all of them: the spread alone decides
        unimodality = 1.0
    else:
        unimodality = ((categories - 2) * unimodal - (categories - 1) * deviating) / (
            (categories - 2) * (unimodal + deviating)
        )
    return unimodality * (1 - (size - 1) / (categories - 1))
