"""What the audit of a study costs: `python -m tests.benchmarks.audit`.

The made-up study of 52 interviews goes through the gate, and then through every attack; after it a second and a
third release, which have to withstand being compared, and a folder of files. What is printed are seconds of each
part; nothing is asserted about time. Beside it stands what suppressing small cells would have kept hidden.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.privacy.attacks.attacker import Attacker
from pipelines.privacy.audit import asking_again, attacks_on_a_study, audit_files, audit_study, blocking
from pipelines.privacy.cells import Population, Publication, Table
from pipelines.privacy.evidence import Evidence, LedgerEntry, Protected
from pipelines.privacy.protection import protect
from pipelines.privacy.reconstruction import Deadline, Range, Told, prove, suppressed, told_by
from pipelines.privacy.rounding import Dither, round_jointly
from pipelines.privacy.tables import count_cells, equations
from tests.interview_study import HIERARCHIES, MERGES, RULES, SECRET, entry_of, first, study

Result = TypeVar("Result")
HIDDEN = Range(0, 4)
ROWS = 2_000_000


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """A result and the seconds that it took."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def through_the_gate(population: Population, ledger: tuple[LedgerEntry, ...]) -> Protected:
    """What is told after the audit had its say, as a release is made."""

    def audit(protected: Protected) -> list[str]:
        return blocking(audit_study(Evidence(protected, ledger, merges=MERGES), RULES))

    return protect(population, HIERARCHIES, RULES, SECRET, ledger, audit)


def show_releases() -> None:
    """Three releases of one study, each with the seconds of every attack."""
    population = study(interviews=96, officers=20)
    ledger: tuple[LedgerEntry, ...] = ()
    for number in (52, 72, 96):
        protected, seconds = timed(lambda: through_the_gate(first(population, number), ledger))  # noqa: B023
        evidence = Evidence(protected, ledger, merges=MERGES)
        print(f"release of {number} interviews: {seconds:.1f} s through the gate and its audit", flush=True)
        attacker = Attacker(evidence, RULES)
        again = asking_again(HIERARCHIES, RULES, SECRET, ledger)
        whole = 0.0
        for name, title, attack in attacks_on_a_study(again):
            result, seconds = timed(lambda: attack(attacker))  # noqa: B023
            whole += seconds
            print(
                f"  {name:4} {title:42} {result.outcome:15} tried {result.tried:6,} {seconds:7.2f} s", flush=True
            )
        print(f"  whole audit of the study: {whole:.1f} s", flush=True)
        ledger = (*ledger, entry_of(protected))


def show_suppression() -> None:
    """Linear programming against suppression and against rounding: 52 interviews, all pairs of five attributes."""
    random = np.random.default_rng(1)
    sizes = {"a": 3, "b": 4, "c": 3, "d": 4, "e": 2}
    columns = {name: [f"{name}{n}" for n in random.integers(0, size, 52)] for name, size in sizes.items()}
    records = pd.DataFrame(columns, dtype=str)
    population = Population("drawn", records, pd.Series(1.0, index=records.index), {}, frozenset())
    tables = [Table(pair) for pair in combinations(sizes, 2)]
    truth = count_cells(population, tables)
    rounded = round_jointly(truth, equations(population, tables), 5, Dither(SECRET, "drawn"))
    ways: dict[str, Told] = {
        "left out below 5": suppressed(truth, tables, HIDDEN),
        'given as "1 to 4"': suppressed(truth, tables, Range(1, 4)),
        "controlled rounding to 5": told_by(Publication(1, tuple(tables), rounded, 5), truth, {}),
    }
    for name, told in ways.items():
        proven, seconds = timed(lambda: prove(told, Deadline()))  # noqa: B023
        hidden = [cell for cell, count in truth.items() if count < 5]
        if "1 to 4" in name:
            hidden = [cell for cell in hidden if truth[cell]]
        share = np.mean([proven[cell].is_exact for cell in hidden])
        widths = min(proven[cell].width for cell in hidden)
        print(f"{name:26} exact {share:6.1%} of {len(hidden)} small cells, narrowest {widths}, {seconds:.1f} s")


def show_files() -> None:
    """A Parquet file of two million rows, and a gazetteer of twenty thousand names."""
    names = [f"Forename{n % 200} Surname{n}" for n in range(20_000)]
    with tempfile.TemporaryDirectory() as folder:
        numbers = np.arange(ROWS)
        table = pa.table(
            {
                "authority": pa.array([f"E{n:08d}" for n in numbers % 400]),
                "account": pa.array([f"account number {n}" for n in numbers]),
                "count": pa.array(numbers),
            }
        )
        path = Path(folder) / "posts.parquet"
        pq.write_table(table, path, compression="zstd")
        results, seconds = timed(lambda: audit_files(Path(folder), gazetteer=names))
        found = sum(result.found for result in results)
        megabytes = path.stat().st_size / 1e6
        print(
            f"files: {ROWS:,} rows, {megabytes:.0f} MB, all distinct in a column: {seconds:.1f} s, found {found}"
        )


def main() -> None:
    """Print all three."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors")
    show_releases()
    show_suppression()
    show_files()


if __name__ == "__main__":
    main()
