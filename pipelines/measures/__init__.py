"""What SQL cannot say well: measures of inequality, shape, time and uncertainty.

Here belong pure functions over numbers, each with its published source and formula. Reading tables, time zones,
which accounts form a group and whether that group may be published do not: those are the SQL's business. Functions
give full precision; `distribution_measures`, `reply_latency` and `wilson_interval` round to six digits.
"""

from pipelines.measures.activity import BANDS, BandShares, activity_bands, band_of, entropy, out_of_hours_share
from pipelines.measures.agreement import van_der_eijk_a
from pipelines.measures.dip import Dip, dip, dip_on_log_counts, dip_p_value
from pipelines.measures.distribution import (
    DistributionMeasures,
    ReplyLatency,
    distribution_measures,
    reply_latency,
)
from pipelines.measures.inequality import gini
from pipelines.measures.intervals import ClusterBootstrap, Interval, wilson_interval
from pipelines.measures.survival import SurvivalCurve, kaplan_meier

__all__ = [
    "BANDS",
    "BandShares",
    "ClusterBootstrap",
    "Dip",
    "DistributionMeasures",
    "Interval",
    "ReplyLatency",
    "SurvivalCurve",
    "activity_bands",
    "band_of",
    "dip",
    "dip_on_log_counts",
    "dip_p_value",
    "distribution_measures",
    "entropy",
    "gini",
    "kaplan_meier",
    "out_of_hours_share",
    "reply_latency",
    "van_der_eijk_a",
    "wilson_interval",
]
