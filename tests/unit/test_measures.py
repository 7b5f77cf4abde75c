"""Measures against published examples, their definitions, and other ways to the same number."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.functions import FUNCTIONS
from pipelines.measures import (
    BANDS,
    ClusterBootstrap,
    DistributionMeasures,
    ReplyLatency,
    activity_bands,
    band_of,
    distribution_measures,
    entropy,
    gini,
    kaplan_meier,
    out_of_hours_share,
    reply_latency,
    van_der_eijk_a,
    wilson_interval,
)
from pipelines.measures.agreement import agreement_of_rows
from pipelines.measures.intervals import bootstrap
from pipelines.measures.values import publish

ROOT = Path(__file__).resolve().parents[2]
amounts = st.lists(st.integers(0, 500), min_size=1, max_size=40)
tables = st.lists(st.integers(0, 60), min_size=3, max_size=9)


# --- Gini ---------------------------------------------------------------------------------------------------


def gini_by_definition(values: list[float]) -> float:
    """Half the mean absolute difference of all pairs, over the mean."""
    n = len(values)
    return sum(abs(x - y) for x in values for y in values) / (2 * n * sum(values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5, 5, 5, 5], 0),
        ([0, 0, 0, 1], 3 / 4),
        ([1, 3], 1 / 4),
        ([1, 2, 3, 4, 5], 4 / 15),  # the first n whole numbers have (n - 1) / 3n
        (range(1, 101), 99 / 300),
        ([7], 0),
    ],
)
def test_gini_of_known_distributions(values: list[float], expected: float) -> None:
    assert gini(values) == pytest.approx(expected, abs=1e-15)


def test_gini_of_an_exponential_distribution_is_one_half() -> None:
    """Its Lorenz curve is known; here by its quantiles, so nothing is random."""
    quantiles = -np.log1p(-(np.arange(100_000) + 0.5) / 100_000)
    assert gini(quantiles) == pytest.approx(0.5, abs=1e-4)


@given(amounts)
def test_gini_equals_its_definition_and_keeps_its_bounds(values: list[int]) -> None:
    found = gini(values)
    if sum(values) == 0:
        assert found is None
    else:
        assert found == pytest.approx(gini_by_definition(values), abs=1e-12)
        assert -1e-15 <= found <= (len(values) - 1) / len(values) + 1e-12


@given(amounts.filter(any), st.floats(0.01, 1000), st.integers(2, 5))
def test_gini_knows_neither_scale_nor_how_often_a_group_is_counted(values, factor, times) -> None:
    assert gini([factor * value for value in values]) == pytest.approx(gini(values), abs=1e-12)
    assert gini(values * times) == pytest.approx(gini(values), abs=1e-12)


@given(amounts.filter(lambda values: len(values) > 1 and max(values) - min(values) > 1))
def test_gini_falls_when_the_largest_gives_to_the_smallest(values: list[int]) -> None:
    """The principle of transfers of Pigou and Dalton."""
    ordered = sorted(values)
    after = [ordered[0] + 1, *ordered[1:-1], ordered[-1] - 1]
    assert (gini(after) or 0) < (gini(ordered) or 0)


# --- van der Eijk's A -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([30, 40, 210, 130, 530, 50, 10], 0.6113333),  # p. 331
        ([0, 0, 0, 9, 0, 0, 0], 1),
        ([4] * 7, 0),
        ([5, 0, 0, 0, 0, 0, 5], -1),
        ([5, 0, 5], -1),
        # The layers of the example on p. 331 f.
        ([1, 1, 1, 1, 1, 1, 0], 1 / 6),
        ([0, 1, 1, 1, 1, 1, 0], 1 / 3),
        ([0, 0, 1, 1, 1, 1, 0], 1 / 2),
        ([0, 0, 1, 1, 1, 0, 0], 2 / 3),
        ([0, 0, 1, 0, 1, 0, 0], 7 / 15),
    ],
)
def test_agreement_of_published_examples(counts: list[float], expected: float) -> None:
    assert van_der_eijk_a(counts) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([2.4, 2.8, 3.2, 6.2, 13.5, 30.4, 41.6], 0.61),
        ([1.6, 2.6, 8.2, 21, 29.3, 27, 10.3], 0.48),
        ([2, 0, 1, 1], 0.08),
    ],
)
def test_agreement_of_the_examples_of_r(counts: list[float], expected: float) -> None:
    """Two Dutch parties on a scale of seven, and a small sample: the vignette of R's agrmt, two digits."""
    assert van_der_eijk_a(counts) == pytest.approx(expected, abs=0.005)


@given(tables)
def test_agreement_keeps_its_bounds_and_knows_neither_direction_nor_size(counts: list[int]) -> None:
    found = van_der_eijk_a(counts)
    if sum(counts) == 0:
        assert found is None
    else:
        assert -1 - 1e-12 <= found <= 1 + 1e-12
        assert van_der_eijk_a(counts[::-1]) == pytest.approx(found, abs=1e-12)
        assert van_der_eijk_a([3 * count for count in counts]) == pytest.approx(found, abs=1e-12)


@given(st.lists(st.lists(st.integers(0, 40), min_size=5, max_size=5), min_size=1, max_size=20))
def test_agreement_of_many_rows_is_that_of_each(rows: list[list[int]]) -> None:
    together = agreement_of_rows(np.array(rows, dtype=np.float64))
    for row, found in zip(rows, together, strict=True):
        alone = van_der_eijk_a(row)
        assert math.isnan(found) if alone is None else found == alone


@pytest.mark.parametrize("counts", [[1, 2], [1], []])
def test_agreement_needs_a_scale(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="categories"):
        van_der_eijk_a(counts)


# --- bands and the week ---------------------------------------------------------------------------------------


def test_bands_begin_just_above_their_borders() -> None:
    """6,818 days are 224 months of 30.4375 days, and 974 weeks."""
    posts = [0, 1, 224, 225, 974, 975, 6818, 6819]
    assert [BANDS[band] for band in band_of(posts, 6818)] == [
        "zero",
        "up to one a month",
        "up to one a month",
        "up to one a week",
        "up to one a week",
        "up to one a day",
        "up to one a day",
        "more than one a day",
    ]


def test_shares_of_bands_join_the_two_in_the_middle() -> None:
    found = activity_bands([0, 0, 1, 4, 40, 84, 85, 800], 84)
    assert found is not None
    assert dataclasses.astuple(found) == (2 / 8, 1 / 8, 3 / 8, 2 / 8)


def test_bands_of_rates_a_day_need_no_window() -> None:
    found = activity_bands([0, 1 / 30.4375, 0.5, 1.0, 1.01])
    assert found is not None
    assert dataclasses.astuple(found) == (1 / 5, 1 / 5, 2 / 5, 1 / 5)


def test_shares_of_nobody_are_nothing() -> None:
    assert activity_bands([], 84) is None


@pytest.mark.parametrize("days", [0, -1, math.nan, math.inf])
def test_a_window_has_a_length(days: float) -> None:
    with pytest.raises(ValueError, match="window"):
        activity_bands([1], days)


def test_entropy_of_known_distributions() -> None:
    """Shannon 1948, section 6: p = 1/2, 1/3, 1/6 have ln 2 / 2 + ln 3 / 3 + ln 6 / 6."""
    expected = (math.log(2) / 2 + math.log(3) / 3 + math.log(6) / 6) / math.log(3)
    assert entropy([3, 2, 1]) == pytest.approx(expected, abs=1e-15)
    assert entropy([7] * 168) == pytest.approx(1)
    assert entropy([0] * 167 + [9]) == 0
    assert entropy([1, 1, 0, 0]) == pytest.approx(0.5)
    assert entropy([0] * 168) is None
    with pytest.raises(ValueError, match="two categories"):
        entropy([4])


@given(st.lists(st.integers(0, 99), min_size=2, max_size=30).filter(any), st.randoms())
def test_entropy_keeps_its_bounds_in_any_order(counts, random) -> None:
    shuffled = list(counts)
    random.shuffle(shuffled)
    found = entropy(counts)
    assert found is not None
    assert 0 <= found <= 1
    assert entropy(shuffled) == pytest.approx(found, abs=1e-12)


def test_out_of_hours_is_three_quarters_of_an_even_week() -> None:
    assert out_of_hours_share([1] * 168) == pytest.approx(128 / 168)
    assert round(128 / 168, 3) == 0.762


@pytest.mark.parametrize(
    ("day", "hour", "outside"),
    [(0, 8, 1), (0, 9, 0), (0, 16, 0), (0, 17, 1), (4, 9, 0), (4, 16, 0), (5, 12, 1), (6, 12, 1), (2, 0, 1)],
)
def test_office_hours_are_monday_to_friday_nine_to_five(day: int, hour: int, outside: float) -> None:
    week = [0] * 168
    week[24 * day + hour] = 3
    assert out_of_hours_share(week) == outside


def test_a_week_has_168_hours() -> None:
    assert out_of_hours_share([0] * 168) is None
    with pytest.raises(ValueError, match="168"):
        out_of_hours_share([1] * 167)


# --- Wilson -------------------------------------------------------------------------------------------------


def test_wilson_equals_the_macros_of_sql() -> None:
    con = duckdb.connect()
    try:
        con.execute((ROOT / "sql" / "macros.sql").read_text(encoding="utf-8"))
        rows = con.execute(
            "select k, n, wilson_low(cast(k as double), n), wilson_high(cast(k as double), n) "
            "from range(1, 161) as counts(n), range(0, 161) as hits(k) where k <= n "
            "union all select 3, 20000, wilson_low(3.0::double, 20000), wilson_high(3.0::double, 20000)"
        ).fetchall()
    finally:
        con.close()
    assert len(rows) > 13_000
    different = [row for row in rows if dataclasses.astuple(wilson_interval(row[0], row[1])) != row[2:]]
    assert different == []


def test_wilson_of_a_published_example() -> None:
    """R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, table I: 81 of 263, and 15 of 148."""
    assert dataclasses.astuple(wilson_interval(81, 263)) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert dataclasses.astuple(wilson_interval(15, 148)) == pytest.approx((0.0624, 0.1605), abs=5e-5)


def test_wilson_of_nothing_is_nothing() -> None:
    assert wilson_interval(0, 0) is None
    assert wilson_interval(None, 5) is None
    with pytest.raises(ValueError, match="hits"):
        wilson_interval(6, 5)


# --- bootstrap over councils ----------------------------------------------------------------------------------


def make_accounts(seed: int, clusters: int = 40, largest: int = 12) -> tuple[list[str], list[int]]:
    """Accounts in councils that differ from one another in how much is posted."""
    random = np.random.default_rng(seed)
    codes: list[str] = []
    posts: list[int] = []
    for cluster in range(clusters):
        size = int(random.integers(1, largest + 1))
        mean = math.exp(random.normal(1, 1.5))
        codes += [f"C{cluster:03}"] * size
        posts += [int(n) for n in random.negative_binomial(0.7, 0.7 / (0.7 + mean), size)]
    return codes, posts


def test_every_draw_equals_the_accounts_written_out() -> None:
    """Gini, shares and A of 200 draws, each computed again from a list in which drawn councils are repeated."""
    codes, posts = make_accounts(1)
    draws = ClusterBootstrap(codes, replicates=200)
    bands = band_of(posts, 84)
    ginis, counts = draws.ginis(np.array(posts, dtype=np.float64)), draws.counts(bands, 5)
    agreements = agreement_of_rows(counts)
    names = sorted(set(codes))
    for draw, weights in enumerate(draws.weights):
        times = dict(zip(names, weights.astype(int), strict=True))
        assert sum(times.values()) == len(names)
        written = [n for code, n in zip(codes, posts, strict=True) for _ in range(times[code])]
        table = np.bincount(band_of(written, 84), minlength=5)
        assert ginis[draw] == pytest.approx(gini(written), abs=1e-12)
        assert counts[draw].tolist() == table.tolist()
        assert agreements[draw] == pytest.approx(van_der_eijk_a(table), abs=1e-12)


def test_clusters_are_drawn_evenly() -> None:
    weights = ClusterBootstrap([f"C{n}" for n in range(50)], replicates=4_000).weights
    assert weights.mean(axis=0) == pytest.approx(np.ones(50), abs=5 / math.sqrt(4_000))
    assert weights.var() == pytest.approx(1 - 1 / 50, rel=0.05)  # multinomial: n p (1 - p) with p = 1/n


def cover(intervals: list[tuple[float, float]], truth: float) -> float:
    return float(np.mean([low <= truth <= high for low, high in intervals]))


def test_intervals_over_councils_cover_the_truth_where_intervals_over_accounts_do_not() -> None:
    """Half of the councils are keen: 9 in 10 of their accounts post, elsewhere 1 in 10. The true share is 1/2."""
    over_councils, over_accounts = [], []
    for seed in range(150):
        random = np.random.default_rng(seed)
        keen = random.random(60) < 0.5
        codes = [f"C{n:03}" for n in range(60) for _ in range(8)]
        active = (random.random(480) < np.repeat(np.where(keen, 0.9, 0.1), 8)).astype(np.float64)
        for clusters, found in ((codes, over_councils), ([f"A{n}" for n in range(480)], over_accounts)):
            draws = ClusterBootstrap(clusters, replicates=400)
            interval = draws.interval(draws.totals(active) / draws.totals(np.ones(480)))
            assert interval is not None
            found.append((interval.low, interval.high))
    assert 0.89 <= cover(over_councils, 0.5) <= 0.99
    assert cover(over_accounts, 0.5) < 0.75


def test_few_councils_give_no_interval() -> None:
    nine, ten = (ClusterBootstrap([f"C{n}" for n in range(number)]) for number in (9, 10))
    assert nine.interval(np.arange(1_000.0)) is None
    interval = ten.interval(np.arange(1_000.0))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((24.975, 974.025))


def test_a_measure_that_most_draws_lack_has_no_interval() -> None:
    draws = ClusterBootstrap([f"C{n}" for n in range(20)])
    measured = np.arange(1_000.0)
    measured[:60] = np.nan
    assert draws.interval(measured) is None
    measured[20:60] = 1
    assert draws.interval(measured) is not None


# --- Kaplan-Meier -------------------------------------------------------------------------------------------

# E. J. Freireich and others, Blood 21 (1963) 699-716: weeks of remission; 6-MP, with 12 of 21 censored; placebo.
SIX_MP = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [bool(int(one)) for one in "111010100110001100000"]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
# Time, at risk, relapses, survival and Greenwood's error, as R's survival package prints them for this trial.
SIX_MP_TABLE = [
    (6, 21, 3, 0.8571, 0.0764),
    (7, 17, 1, 0.8067, 0.0869),
    (10, 15, 1, 0.7529, 0.0963),
    (13, 12, 1, 0.6902, 0.1068),
    (16, 11, 1, 0.6275, 0.1141),
    (22, 7, 1, 0.5378, 0.1282),
    (23, 6, 1, 0.4482, 0.1346),
]
# Limits of log(-log S) by the Python package lifelines 0.30.3, KaplanMeierFitter.confidence_interval_.
SIX_MP_LIMITS = [
    (0.619718, 0.951552),
    (0.563147, 0.922809),
    (0.503200, 0.889362),
    (0.431610, 0.849066),
    (0.367511, 0.804912),
    (0.267779, 0.746791),
    (0.188052, 0.680143),
]


def test_kaplan_meier_of_the_leukaemia_trial() -> None:
    curve = kaplan_meier(SIX_MP, RELAPSED)
    found = zip(curve.times, curve.at_risk, curve.events, curve.survival, curve.standard_error, strict=True)
    for row, expected in zip(found, SIX_MP_TABLE, strict=True):
        assert row == pytest.approx(expected, abs=5e-5)
    limits = zip(curve.low, curve.high, strict=True)
    for row, expected in zip(limits, SIX_MP_LIMITS, strict=True):
        assert row == pytest.approx(expected, abs=1e-6)
    # Median 23 weeks, from 13; the upper limit is not reached. lifelines and SAS say the same.
    assert (curve.median, curve.median_low, curve.median_high) == (23, 13, None)


def test_without_censoring_kaplan_meier_is_the_share_that_is_left() -> None:
    curve = kaplan_meier(PLACEBO, [True] * 21)
    left = [sum(week > time for week in PLACEBO) / 21 for time in curve.times]
    assert curve.survival == pytest.approx(left)
    assert (curve.median, curve.median_low, curve.median_high) == (8, 4, 11)
    assert math.isnan(curve.low[-1])
    assert math.isnan(curve.high[-1])


def test_a_curve_that_touches_one_half_has_its_median_there() -> None:
    """After 12 of 24 events the share left is one half, though the product of the steps misses it by a bit."""
    curve = kaplan_meier(range(1, 25), [True] * 24)
    assert curve.survival[11] != 0.5
    assert curve.median == 12


def test_nothing_seen_is_no_curve() -> None:
    for durations in ([], [3.0, 4.0]):
        curve = kaplan_meier(durations, [False] * len(durations))
        assert curve.times.size == 0
        assert curve.median is None


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=40), st.randoms())
def test_kaplan_meier_falls_and_knows_no_order(rows, random) -> None:
    curve = kaplan_meier([t for t, _ in rows], [o for _, o in rows])
    random.shuffle(rows)
    again = kaplan_meier([t for t, _ in rows], [o for _, o in rows])
    assert curve.survival.tolist() == again.survival.tolist()
    assert (np.diff(curve.survival) < 0).all()
    inside = np.isfinite(curve.low)
    assert (curve.low[inside] <= curve.survival[inside] + 1e-12).all()
    assert (curve.survival[inside] <= curve.high[inside] + 1e-12).all()


def test_answered_replies_alone_would_look_far_quicker() -> None:
    """True waits have a median of 13.1 hours and vary much; replies are watched for a day on average."""
    random = np.random.default_rng(13)
    waits = 13.1 * np.exp(2 * random.normal(size=4_000))
    watched = random.exponential(24, 4_000)
    answered = waits <= watched
    found = reply_latency(np.minimum(waits, watched).tolist(), answered.tolist())
    assert float(np.median(waits[answered])) < 13.1 / 3
    assert found.median_hours_low is not None
    assert found.median_hours_high is not None
    assert found.median_hours_low < 13.1 < found.median_hours_high
    assert found.median_hours_high - found.median_hours_low < 3
    assert found.replies == 4_000
    assert found.answered_share == round(float(answered.mean()), 6)


def test_latency_says_why_it_has_no_median() -> None:
    assert reply_latency([], []) == ReplyLatency(0, 0, None, None, None, None, "no replies")
    slow = reply_latency([5.0, 9.0, 9.0], [True, False, False])
    assert slow.median_hours is None
    assert slow.reason == "fewer than half are answered within the time observed"
    assert slow.answered_share == 0.333333


# --- the call that SQL makes ------------------------------------------------------------------------------------


def test_distribution_of_a_group_holds_every_measure() -> None:
    codes, posts = make_accounts(2)
    found = distribution_measures(codes, posts, 84)
    shares = activity_bands(posts, 84)
    assert shares is not None
    assert (found.accounts, found.clusters) == (len(posts), 40)
    assert (found.zero_share, found.low_share, found.middle_share, found.heavy_share) == tuple(
        round(share, 6) for share in dataclasses.astuple(shares)
    )
    assert found.gini == round(gini(posts) or 0, 6)
    assert found.agreement == round(van_der_eijk_a(np.bincount(band_of(posts, 84), minlength=5)) or 0, 6)
    for name in ("zero_share", "low_share", "middle_share", "heavy_share", "gini", "agreement"):
        low, value, high = (getattr(found, name + end) for end in ("_low", "", "_high"))
        assert low < value < high, name
    assert found.dip is not None
    assert found.dip_p_value is not None
    assert {name: value for name, value in dataclasses.asdict(found).items() if "reason" in name} == {
        "shares_reason": None,
        "gini_reason": None,
        "agreement_reason": None,
        "dip_reason": None,
        "interval_reason": None,
    }


def numbers_of(found: DistributionMeasures) -> dict[str, float | None]:
    return {
        n: v
        for n, v in dataclasses.asdict(found).items()
        if "reason" not in n and n not in ("accounts", "clusters")
    }


def test_distribution_of_nobody_says_so() -> None:
    found = distribution_measures([], [], 84)
    assert set(numbers_of(found).values()) == {None}
    assert found.shares_reason == found.gini_reason == found.dip_reason == found.interval_reason == "no accounts"


def test_distribution_of_few_councils_has_values_without_limits() -> None:
    found = distribution_measures(["A", "A", "B", "B"], [0, 5, 9, 200], 84)
    without = {name for name, value in numbers_of(found).items() if value is None}
    assert without == {name for name in numbers_of(found) if name.endswith(("_low", "_high"))}
    assert found.interval_reason == "fewer than 10 councils"


def test_distribution_of_the_silent_has_no_gini_and_no_dip() -> None:
    found = distribution_measures([f"C{n:02}" for n in range(20)], [0] * 20, 84)
    assert (found.zero_share, found.zero_share_low, found.zero_share_high) == (1, 1, 1)
    assert (found.gini, found.gini_reason) == (None, "no posts in the window")
    assert (found.dip, found.dip_reason) == (None, "all accounts posted equally often")
    assert found.agreement == 1


def test_gini_that_rests_on_one_council_has_no_limits() -> None:
    found = distribution_measures([f"C{n:02}" for n in range(20)], [0] * 19 + [7], 84)
    assert found.gini == 0.95
    assert found.gini_low is None
    assert found.gini_reason == "posts in too few councils for limits"
    assert found.interval_reason is None


def test_three_accounts_have_no_dip() -> None:
    assert distribution_measures(["A", "B", "C"], [1, 2, 3], 84).dip_reason == "fewer than 4 accounts"


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ABCDEFGHIJKL"), st.integers(0, 300)), max_size=40), st.randoms())
def test_the_order_of_rows_changes_nothing_and_no_number_is_nan(rows, random) -> None:
    found = distribution_measures([code for code, _ in rows], [n for _, n in rows], 84)
    random.shuffle(rows)
    assert distribution_measures([code for code, _ in rows], [n for _, n in rows], 84) == found
    for value in numbers_of(found).values():
        assert value is None or (type(value) is float and math.isfinite(value) and value == round(value, 6))


def test_the_number_of_threads_changes_nothing() -> None:
    """Sums are of whole numbers, so a linear algebra library may add them in any order."""
    code = (
        "import dataclasses, json, sys\nimport numpy as np\nfrom pipelines.measures import distribution_measures\n"
        "random = np.random.default_rng(4)\nposts = random.negative_binomial(0.3, 0.003, 2000).tolist()\n"
        "codes = [f'C{n:03}' for n in random.integers(0, 300, 2000)]\n"
        "print(json.dumps(dataclasses.asdict(distribution_measures(codes, posts, 84.0))))"
    )
    answers = set()
    for threads in ("1", "2", "4"):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        answers.add(done.stdout)
    assert len(answers) == 1
    assert json.loads(answers.pop())["gini_low"] > 0


@pytest.mark.parametrize(
    ("codes", "counts", "days", "message"),
    [
        (["A"], [1, 2], 84, "lengths"),
        ([None], [1], 84, "code of its cluster"),
        ([""], [1], 84, "code of its cluster"),
        (["A"], [None], 84, "missing"),
        (["A"], ["77a"], 84, "only numbers"),
        (["A"], [-77], 84, "negative"),
        (["A"], [1], 0, "window"),
    ],
)
def test_bad_input_is_named_and_not_shown(codes, counts, days, message) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        distribution_measures(codes, counts, days)
    assert "77" not in str(caught.value)


def sql_type(record: type) -> duckdb.DuckDBPyType:
    """The DuckDB type of a record of measures."""
    types = {"int": "BIGINT", "float | None": "DOUBLE", "str | None": "VARCHAR"}
    fields = ", ".join(f"{field.name} {types[str(field.type)]}" for field in dataclasses.fields(record))
    return duckdb.sqltype(f"STRUCT({fields})")


def test_sql_can_call_both_measures() -> None:
    """As the datasets do: lists gathered by DuckDB, in whatever order its threads leave them."""
    codes, posts = make_accounts(3)
    con = duckdb.connect()
    try:
        con.create_function(
            "distribution",
            lambda codes, counts, days: dataclasses.asdict(distribution_measures(codes, counts, days)),
            [duckdb.sqltype(one) for one in ("VARCHAR[]", "BIGINT[]", "DOUBLE")],
            sql_type(DistributionMeasures),
        )
        con.create_function(
            "latency",
            lambda hours, answered: dataclasses.asdict(reply_latency(hours, answered)),
            [duckdb.sqltype(one) for one in ("DOUBLE[]", "BOOLEAN[]")],
            sql_type(ReplyLatency),
        )
        con.execute(
            "create table accounts as select unnest(?::varchar[]) as code, unnest(?::bigint[]) as n",
            [codes, posts],
        )
        row = con.execute("select distribution(list(code), list(n), 84.0::double) from accounts").fetchone()
        waits = con.execute("select latency([1.5, 30.0, 2.25]::double[], [true, false, true])").fetchone()
    finally:
        con.close()
    assert row is not None
    assert waits is not None
    assert row[0] == dataclasses.asdict(distribution_measures(codes, posts, 84))
    assert waits[0]["median_hours"] == 2.25


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, np.float64("nan")])
def test_what_is_no_number_is_not_published(value: float | None) -> None:
    assert publish(value) is None


def test_published_numbers_are_plain_and_rounded() -> None:
    found = publish(np.float64(-1e-9))
    assert type(found) is float
    assert str(found) == "0.0"
    assert publish(2 / 3) == 0.666667


def test_two_areas_with_the_same_accounts_are_measured_once() -> None:
    measure = FUNCTIONS["distribution_measures"].call
    wales, welsh_authorities = (measure(["A", "A", "B", "C"], [0, 5, 9, 200], 84.0) for _ in range(2))
    assert wales is welsh_authorities
    assert wales == dataclasses.asdict(distribution_measures(["A", "A", "B", "C"], [0, 5, 9, 200], 84))
    assert measure(None, None, 84.0) is None


def test_draws_that_are_kept_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        bootstrap(["A", "B"], [1, 2]).weights[0, 0] = 7
