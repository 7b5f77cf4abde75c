"""How long until something happens, when for some it has not happened yet: the Kaplan-Meier estimate.

Belongs here: the survival curve, its median and their intervals. Does not belong here: what is waited for, and how
long it was watched (SQL).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from pipelines.measures.values import NORMAL_95, Floats, check_same_length, read_amounts

_HALF: Final = 0.5
_SAME: Final = 1e-9  # a curve that reaches one half exactly may miss it by the last bits of a product


@dataclass(frozen=True, slots=True)
class SurvivalCurve:
    """Survival at each time at which something happened, and the median time; limits are at 95 %.

    `survival` is the share for whom it has not happened up to and at that time. Limits of the curve are NaN where
    it is 0; the median and its limits are None where the curve or its band do not come down to one half.
    """

    times: Floats
    at_risk: Floats
    events: Floats
    survival: Floats
    standard_error: Floats
    low: Floats
    high: Floats
    median: float | None
    median_low: float | None
    median_high: float | None


def kaplan_meier(durations: ArrayLike, observed: Sequence[bool]) -> SurvivalCurve:
    """Product-limit estimate of survival from durations, of which some ended before the event was seen (censored).

        S(t) = prod over event times u <= t of (1 - d / n),   n at risk just before u, d events at u

    E. L. Kaplan and P. Meier, Nonparametric Estimation from Incomplete Observations, JASA 53 (1958) 457-481.
    Variance of log S by M. Greenwood (1926): sum of d / (n (n - d)). Limits are those of log(-log S), which stay
    between 0 and 1: S ** exp(± z se / log S), with se the root of that sum (J. D. Kalbfleisch and R. L. Prentice,
    The Statistical Analysis of Failure Time Data (1980), section 1.3). The median is the first time at which S is
    one half or less, its limits the first times at which the band's lower and upper edge are: R. Brookmeyer and
    J. Crowley, Biometrics 38 (1982) 29-41. A duration censored at an event time counts as at risk then.

    Raises `ValueError` for a missing or negative duration, or lists of unlike length.
    """
    lengths = read_amounts(durations, "kaplan_meier")
    check_same_length("kaplan_meier", lengths, observed)
    seen = np.asarray(observed, dtype=bool)
    times, events = np.unique(lengths[seen], return_counts=True)
    at_risk = lengths.size - np.searchsorted(np.sort(lengths), times, side="left")
    left = at_risk - events
    survival: Floats = np.cumprod(left / at_risk, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.cumsum(events / (at_risk * left)))
        # log S is negative: the greater power of S is the lower limit.
        power = np.exp(-NORMAL_95 * error / np.log(survival))
        low, high = survival**power, survival ** (1 / power)
        standard_error: Floats = survival * error
    ended = survival <= 0
    for row in (low, high, standard_error):
        row[ended] = np.nan
    return SurvivalCurve(
        times=times,
        at_risk=at_risk.astype(np.float64),
        events=events.astype(np.float64),
        survival=survival,
        standard_error=standard_error,
        low=low,
        high=high,
        median=_first_at_half(times, survival),
        median_low=_first_at_half(times, low),
        median_high=_first_at_half(times, high),
    )


def _first_at_half(times: Floats, curve: Floats) -> float | None:
    """The first time at which a falling curve is one half or less."""
    reached = np.flatnonzero(curve <= _HALF + _SAME)
    return float(times[reached[0]]) if reached.size else None
