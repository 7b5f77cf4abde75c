"""Simulates the distribution of the dip under uniformity, and writes it to the table that `dip` reads.

Run by hand with `python -m pipelines.measures.dip_table`; about ten minutes on one core. Belongs here: how the
table was made. The seed is fixed, so the same numpy gives the same file again.
"""

from __future__ import annotations

import sys
from typing import Final

import numpy as np

from pipelines.measures.dip import TABLE, dip_of_sorted
from pipelines.measures.values import Floats

REPLICATES: Final = 100_000
SEED: Final = 217  # the number of Hartigan's algorithm
SIZES: Final = (
    4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1_000, 2_000, 5_000, 10_000, 20_000,
)  # fmt: skip
PROBABILITIES: Final = (
    0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85,
    0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999,
)  # fmt: skip


def simulate_dips(n: int, replicates: int, seed: int = SEED) -> Floats:
    """Dips of `replicates` samples of n values from a uniform distribution.

    The dip knows only the proportions of the gaps between ordered values, and those of a uniform sample are
    proportions of independent exponential times (L. Devroye, Non-Uniform Random Variate Generation (1986), V.2),
    so nothing has to be sorted. Each size has its own random stream.
    """
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, n])))
    dips = (dip_of_sorted(np.cumsum(random.standard_exponential(n))) for _ in range(replicates))
    return np.fromiter((found for found in dips if found is not None), np.float64, replicates)


def write_table() -> None:
    """Simulate every size and write the table: a row a size, the quantiles of sqrt(n) dip, seven digits."""
    lines = [
        f"# sqrt(n) x dip of n uniform values: quantiles of {REPLICATES} samples each, seed {SEED}",
        "# written by pipelines/measures/dip_table.py",
        ",".join(["n", *map(str, PROBABILITIES)]),
    ]
    for n in SIZES:
        quantiles = np.quantile(np.sqrt(n) * simulate_dips(n, REPLICATES), PROBABILITIES)
        lines.append(",".join([str(n), *(f"{value:.7f}" for value in quantiles)]))
        sys.stderr.write(f"n = {n} done\n")
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_table()
