"""Controlled rounding: it adds up, keeps its promise about the truth, and says no more than that."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.privacy.cells import EVERYBODY, Cell, Population, Table
from pipelines.privacy.rounding import STEPS, Dither, Equation, canonical, round_jointly
from pipelines.privacy.rules import DisclosureError
from pipelines.privacy.tables import count_cells, equations

ROOT = Path(__file__).resolve().parents[2]
SECRET = bytes(range(32))
LONE: Cell = frozenset({("party", "green")})


def dither(seed: int = 0, salt: str = "") -> Dither:
    """The thresholds under the secret of a number."""
    return Dither(seed.to_bytes(32, "big"), "study", salt)


def tables_of(seed: int, interviews: int) -> tuple[dict[Cell, int], list[Equation]]:
    """True counts and sums of a random study: themes by role group, and attributes of councillors."""
    draw = np.random.default_rng(seed)
    columns = {
        "role_group": draw.choice(["councillor", "officer", "other"], interviews, p=draw.dirichlet([4, 2, 1])),
        **{f"theme:{n}": draw.choice(["mentioned", "not_mentioned"], interviews) for n in range(6)},
        **{
            name: draw.choice(list("abcde"), interviews, p=draw.dirichlet([1] * 5)) for name in ("party", "region")
        },
    }
    records = pd.DataFrame(columns, dtype=str)
    themes = [Table((name, "role_group")) for name in columns if name.startswith("theme:")]
    role = frozenset({("role_group", records["role_group"].iloc[0])})
    tables = [*themes, Table(("role_group", "region")), Table(("party",), role)]
    study = Population("study", records, pd.Series(0.0, index=records.index), {}, frozenset())
    return count_cells(study, tables), equations(study, tables)


def adds_up(told: Mapping[Cell, int], sums: list[Equation]) -> bool:
    """Whether every margin is the sum of its parts."""
    return all(told[margin] == sum(told[part] for part in parts) for margin, parts in sums)


studies = st.tuples(st.integers(0, 10_000), st.integers(1, 90))


# --- what it promises ---------------------------------------------------------------------------------------


@given(studies, st.sampled_from([2, 3, 5, 10]), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_every_number_is_a_multiple_near_its_truth_and_every_table_adds_up(study, base, seed) -> None:
    truth, sums = tables_of(*study)
    told = round_jointly(truth, sums, base, dither(seed))
    assert told.keys() == truth.keys()
    assert adds_up(truth, sums)
    assert adds_up(told, sums)
    assert all(told[cell] % base == 0 and abs(told[cell] - truth[cell]) <= base - 1 for cell in truth)
    assert all(number >= 0 for number in told.values())
    assert all(told[cell] == truth[cell] for cell in truth if truth[cell] % base == 0)


@given(studies, st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_in_which_cells_and_sums_arrive_is_nowhere_to_be_seen(study, shuffle: random.Random) -> None:
    truth, sums = tables_of(*study)
    cells, shuffled = list(truth), [(margin, shuffle.sample(parts, len(parts))) for margin, parts in sums]
    shuffle.shuffle(cells)
    shuffle.shuffle(shuffled)
    once = round_jointly(truth, sums, 5, dither())
    again = round_jointly({cell: truth[cell] for cell in cells}, shuffled, 5, dither())
    assert list(once.items()) == list(again.items())


def test_the_number_of_threads_is_nowhere_to_be_seen() -> None:
    """The same study in processes that may use one core, or all."""
    code = (
        "import os, sys\n"
        "if sys.argv[1] == '1': os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from tests.unit.test_privacy_rounding import *\n"
        "told = round_jointly(*tables_of(7, 52), 5, dither())\n"
        "print([(canonical(cell), number) for cell, number in told.items()])"
    )
    shown = []
    for threads in ("1", "8"):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": threads,
            "PYTHONHASHSEED": threads,
        }
        command = [sys.executable, "-c", code, threads]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        shown.append(done.stdout)
    assert shown[0] == shown[1]
    assert shown[0].count("role_group") > 20


def every_rounding(truth: Mapping[Cell, int], sums: list[Equation], base: int) -> list[dict[Cell, int]]:
    """All roundings that keep the rules, by trying them all."""
    cells = sorted(truth, key=canonical)
    choices = [
        (count,) if count % base == 0 else (count - count % base, count - count % base + base)
        for count in (truth[cell] for cell in cells)
    ]
    tried = (dict(zip(cells, chosen, strict=True)) for chosen in product(*choices))
    return [told for told in tried if adds_up(told, sums)]


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_one_rounding_nearest_to_the_dithered_truth(seed: int) -> None:
    """Against trying them all: the sum of (r - x - d)² is least, and no other rounding comes as near."""
    draw = np.random.default_rng(seed)
    rows, columns = ("theme:a", ("mentioned", "not_mentioned")), ("role_group", ("councillor", "officer", "other"))
    inner = {
        frozenset({(rows[0], row), (columns[0], column)}): int(draw.integers(0, 23))
        for row in rows[1]
        for column in columns[1]
    }
    margins = [EVERYBODY, *(frozenset({(name, c)}) for name, listed in (rows, columns) for c in listed)]
    truth = inner | {m: sum(count for cell, count in inner.items() if m <= cell) for m in margins}
    sums: list[Equation] = [
        (
            m,
            [
                cell
                for cell in truth
                if m < cell and len(cell) == len(m) + 1 and dict(cell).keys() - dict(m).keys() == {d}
            ],
        )
        for m in margins
        for d in {rows[0], columns[0]} - dict(m).keys()
    ]
    secret = dither(seed)

    def distance(told: Mapping[Cell, int]) -> float:
        dithers = {cell: 5 * ((secret.step(cell) + 0.5) / STEPS - 0.5) for cell in truth}
        return sum((told[cell] - truth[cell] - dithers[cell]) ** 2 for cell in truth)

    possible = sorted(every_rounding(truth, sums, 5), key=distance)
    assert len(possible) > 1
    assert round_jointly(truth, sums, 5, secret) == possible[0]
    assert distance(possible[1]) > distance(possible[0])


# --- what it does not say -----------------------------------------------------------------------------------


@pytest.mark.parametrize("remainder", range(5))
def test_a_cell_goes_up_as_often_as_its_remainder_asks(remainder: int) -> None:
    """Over secrets each side is possible, and the mean is the truth: within four standard errors."""
    count, secrets = 10 + remainder, 2_000
    told = [round_jointly({LONE: count}, [], 5, dither(seed))[LONE] for seed in range(secrets // 10)]
    ups = sum(dither(seed).cost_of_up(LONE, count, 5) < 0 for seed in range(secrets))
    share = remainder / 5
    assert abs(ups / secrets - share) <= 4 * np.sqrt(share * (1 - share) / secrets)
    assert set(told) == ({10} if remainder == 0 else {10, 15})


def test_no_truth_in_the_promised_range_can_be_ruled_out_by_knowing_the_method() -> None:
    truths = {
        count
        for count in range(3, 18)
        for seed in range(60)
        if round_jointly({LONE: count}, [], 5, dither(seed))[LONE] == 10
    }
    assert truths == set(range(6, 15))


def test_cells_and_studies_have_dithers_of_their_own_and_the_salt_changes_them() -> None:
    cells = [frozenset({("party", name)}) for name in "abcdefghij"]
    drawn = [
        [secret.step(cell) for cell in cells]
        for secret in (dither(), dither(1), dither(salt="2"), Dither(bytes(32), "another"))
    ]
    assert len({step for row in drawn for step in row}) == 40
    assert [dither().step(cell) for cell in cells] == drawn[0]


def test_a_names_separator_does_not_make_two_cells_one() -> None:
    told = [frozenset({("a", 'b","c'), ("d", "e")}), frozenset({("a", "b"), ("c", 'd","e')})]
    assert canonical(told[0]) != canonical(told[1])
    assert json.loads(canonical(told[0])) == [["a", 'b","c'], ["d", "e"]]


def test_the_secret_is_in_no_representation() -> None:
    assert SECRET.hex() not in repr(Dither(SECRET, "study"))
    assert repr(SECRET) not in repr(Dither(SECRET, "study"))


# --- what was told before -----------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [10, 15])
def test_a_number_stays_while_it_is_near_the_truth_and_moves_when_it_is_not(before: int) -> None:
    for seed in range(30):
        for count in range(31):
            told = round_jointly({LONE: count}, [], 5, dither(seed), {LONE: before})[LONE]
            assert (told == before) == (abs(count - before) <= 4)


@given(studies, st.integers(0, 99), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_all_numbers_stay_when_nothing_changed_even_under_another_secret(study, first: int, second: int) -> None:
    truth, sums = tables_of(*study)
    told = round_jointly(truth, sums, 5, dither(first))
    assert round_jointly(truth, sums, 5, dither(second), told) == told


def test_a_number_of_another_base_or_far_away_holds_nothing() -> None:
    assert round_jointly({LONE: 12}, [], 5, dither(), {LONE: 12}) == round_jointly({LONE: 12}, [], 5, dither())
    assert round_jointly({LONE: 12}, [], 5, dither(), {LONE: 90}) == round_jointly({LONE: 12}, [], 5, dither())


# --- where it fails, it fails closed --------------------------------------------------------------------------


def test_sums_that_cannot_be_kept_stop_it() -> None:
    parts = [frozenset({("party", name)}) for name in "abc"]
    with pytest.raises(
        DisclosureError, match=r"^D13: study study: there is no rounding that adds up: nothing is told$"
    ):
        round_jointly({EVERYBODY: 31, **dict.fromkeys(parts, 1)}, [(EVERYBODY, parts)], 5, dither())


def test_a_sum_of_exact_multiples_that_is_false_stops_it() -> None:
    with pytest.raises(DisclosureError, match="does not add up"):
        round_jointly({EVERYBODY: 10, LONE: 5}, [(EVERYBODY, [LONE])], 5, dither())


def test_running_out_of_time_stops_it() -> None:
    with pytest.raises(DisclosureError, match="D13: study study: no proven rounding within 0 seconds"):
        round_jointly(*tables_of(3, 80), 5, dither(), time_limit=0.0)


def test_no_cells_are_no_numbers() -> None:
    assert round_jointly({}, [], 5, dither()) == {}
