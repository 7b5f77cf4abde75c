"""The two calls that SQL makes: the distribution of activity in a group, and how fast replies are answered.

Belongs here: which measures a group gets, with which interval, and the reason where it has none. Here numbers are
rounded to six digits, and what is no number becomes None. Does not belong here: any formula, and rule D12 (SQL
decides which group is large enough to be published).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.measures.activity import BANDS, band_of, count_bands
from pipelines.measures.agreement import agreement_of_rows, van_der_eijk_a
from pipelines.measures.dip import Dip, dip_on_log_counts
from pipelines.measures.inequality import gini
from pipelines.measures.intervals import FEWEST_CLUSTERS, ClusterBootstrap, Interval, bootstrap
from pipelines.measures.survival import kaplan_meier
from pipelines.measures.values import Floats, check_same_length, publish, read_amounts

_FEWEST_FOR_DIP: Final = 4
NO_ACCOUNTS: Final = "no accounts"
NO_POSTS: Final = "no posts in the window"
FEW_WITH_POSTS: Final = "posts in too few councils for limits"
FEW_CLUSTERS: Final = f"fewer than {FEWEST_CLUSTERS} councils"
FEW_FOR_DIP: Final = f"fewer than {_FEWEST_FOR_DIP} accounts"
ALL_ALIKE: Final = "all accounts posted equally often"
NO_REPLIES: Final = "no replies"
FEW_ANSWERED: Final = "fewer than half are answered within the time observed"


@dataclass(frozen=True, slots=True)
class DistributionMeasures:
    """How activity is spread over the accounts of one group; shares are 0 to 1, `_low` and `_high` limits at 95 %.

    `interval_reason` says why no measure has limits, the other reasons why one has no value (for Gini also: no
    limits of its own); None where there is nothing to explain.
    """

    accounts: int
    clusters: int
    zero_share: float | None
    zero_share_low: float | None
    zero_share_high: float | None
    low_share: float | None
    low_share_low: float | None
    low_share_high: float | None
    middle_share: float | None
    middle_share_low: float | None
    middle_share_high: float | None
    heavy_share: float | None
    heavy_share_low: float | None
    heavy_share_high: float | None
    gini: float | None
    gini_low: float | None
    gini_high: float | None
    agreement: float | None
    agreement_low: float | None
    agreement_high: float | None
    dip: float | None
    dip_p_value: float | None
    shares_reason: str | None
    gini_reason: str | None
    agreement_reason: str | None
    dip_reason: str | None
    interval_reason: str | None


@dataclass(frozen=True, slots=True)
class ReplyLatency:
    """How fast replies are answered: the median in hours counts those still unanswered; limits are at 95 %."""

    replies: int
    answered: int
    answered_share: float | None
    median_hours: float | None
    median_hours_low: float | None
    median_hours_high: float | None
    reason: str | None


def distribution_measures(
    cluster_codes: Sequence[str], counts: Sequence[int], days: float
) -> DistributionMeasures:
    """Measure how posts are spread over the accounts of a group.

    `cluster_codes` names the council of each account, `counts` its posts in the window, zero included, and `days`
    is the window's length. Intervals are of a bootstrap over councils; the dip has none. The same accounts give
    the same numbers in any order. Raises `ValueError`, which shows no value, for lists of unlike length, an
    account without council, a missing or negative count, or a window without length.
    """
    posts = read_amounts(counts, "distribution_measures")
    draws = bootstrap(cluster_codes, counts)
    bands = band_of(posts, days)
    shares = _four_shares(count_bands(bands)[np.newaxis, :].astype(np.float64))[0]
    drawn_bands = draws.counts(bands, len(BANDS))
    drawn_shares = _four_shares(drawn_bands)
    share_limits = [_limits(draws, drawn_shares[:, band]) for band in range(4)]
    gini_low, gini_high = _limits(draws, draws.ginis(posts))
    agreement_low, agreement_high = _limits(draws, agreement_of_rows(drawn_bands))
    found, dip_reason = _measure_dip(posts)
    inequality = gini(posts)
    empty = None if posts.size else NO_ACCOUNTS
    return DistributionMeasures(
        accounts=posts.size,
        clusters=draws.clusters,
        zero_share=publish(shares[0]),
        zero_share_low=share_limits[0][0],
        zero_share_high=share_limits[0][1],
        low_share=publish(shares[1]),
        low_share_low=share_limits[1][0],
        low_share_high=share_limits[1][1],
        middle_share=publish(shares[2]),
        middle_share_low=share_limits[2][0],
        middle_share_high=share_limits[2][1],
        heavy_share=publish(shares[3]),
        heavy_share_low=share_limits[3][0],
        heavy_share_high=share_limits[3][1],
        gini=publish(inequality),
        gini_low=gini_low,
        gini_high=gini_high,
        agreement=publish(van_der_eijk_a(count_bands(bands))),
        agreement_low=agreement_low,
        agreement_high=agreement_high,
        dip=publish(found.dip) if found else None,
        dip_p_value=publish(found.p_value) if found else None,
        shares_reason=empty,
        gini_reason=empty or _explain_gini(inequality, gini_low, draws.clusters),
        agreement_reason=empty,
        dip_reason=empty or dip_reason,
        interval_reason=empty or (FEW_CLUSTERS if draws.clusters < FEWEST_CLUSTERS else None),
    )


def reply_latency(hours: Sequence[float], answered: Sequence[bool]) -> ReplyLatency:
    """Median time to an answer, with replies that have none counted as waiting for as long as they were watched.

    `hours` runs from a reply to its answer where `answered`, else from the reply to the last look at it. Leaving
    the unanswered out would show only those that were quick (`kaplan_meier`). Raises `ValueError` for a missing or
    negative duration, or lists of unlike length.
    """
    check_same_length("reply_latency", hours, answered)
    curve = kaplan_meier(hours, answered)
    replies, seen = len(hours), int(np.count_nonzero(answered))
    reason = FEW_ANSWERED if curve.median is None else None
    return ReplyLatency(
        replies=replies,
        answered=seen,
        answered_share=publish(seen / replies) if replies else None,
        median_hours=publish(curve.median),
        median_hours_low=publish(curve.median_low),
        median_hours_high=publish(curve.median_high),
        reason=reason if replies else NO_REPLIES,
    )


def _four_shares(bands: Floats) -> Floats:
    """Shares of zero, low, middle and heavy from counts in the five bands, row by row; NaN for a row of zeros."""
    four = np.stack((bands[:, 0], bands[:, 1], bands[:, 2] + bands[:, 3], bands[:, 4]), axis=1)
    totals = four.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(four, totals, out=np.full(four.shape, np.nan), where=totals > 0)
    return shares


def _limits(draws: ClusterBootstrap, measured: Floats) -> tuple[float | None, float | None]:
    interval: Interval | None = draws.interval(measured)
    return (publish(interval.low), publish(interval.high)) if interval else (None, None)


def _explain_gini(value: float | None, low: float | None, clusters: int) -> str | None:
    if value is None:
        return NO_POSTS
    return FEW_WITH_POSTS if low is None and clusters >= FEWEST_CLUSTERS else None


def _measure_dip(posts: Floats) -> tuple[Dip | None, str | None]:
    if posts.size < _FEWEST_FOR_DIP:
        return None, FEW_FOR_DIP
    if np.ptp(posts) == 0:  # jittered, one value would be a uniform distribution and nothing else
        return None, ALL_ALIKE
    # Evenly on the logarithmic scale: in groups of many thousand quiet accounts the other way finds peaks that
    # it made itself.
    return dip_on_log_counts(posts, spread="log"), None
