"""How much is posted, and at which hours: bands of activity and the profile of a week.

Belongs here: the definition of the bands, their shares, and two measures of a week's profile. Does not belong
here: which hour a post fell in (SQL knows the time zone), and intervals (`intervals`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from pipelines.measures.values import Integers, read_amounts

DAYS_A_MONTH: Final = 30.4375  # 365.25 / 12: a whole number of sixteenths, so products with it are exact
DAYS_A_WEEK: Final = 7
HOURS_A_WEEK: Final = 168

# The five bands, from silent to heavy; the two in the middle are the one band "middle" of the four shares.
BANDS: Final = ("zero", "up to one a month", "up to one a week", "up to one a day", "more than one a day")


@dataclass(frozen=True, slots=True)
class BandShares:
    """Shares of accounts by posts: none; at most one a month; up to one a day; more. They sum to 1."""

    zero: float
    low: float
    middle: float
    heavy: float


def activity_bands(posts: ArrayLike, days: float = 1.0) -> BandShares | None:
    """Shares of accounts in four bands of activity, for the posts of each in a window of `days` days.

    With rates a day instead of counts, leave `days` out. None without accounts.
    """
    counts = count_bands(band_of(posts, days))
    total = int(counts.sum())
    if total == 0:
        return None
    zero, monthly, weekly, daily, above = (int(count) for count in counts)
    return BandShares(zero / total, monthly / total, (weekly + daily) / total, above / total)


def band_of(posts: ArrayLike, days: float = 1.0) -> Integers:
    """The band of each account, as an index into `BANDS`; a rate on a border belongs to the quieter band.

    A month is 30.4375 days. Raises `ValueError` for a missing or negative number, or a window without length.
    """
    amounts = read_amounts(posts, "activity")
    if not (np.isfinite(days) and days > 0):
        raise ValueError("activity: the window must be longer than no days")
    borders = (amounts > 0, amounts * DAYS_A_MONTH > days, amounts * DAYS_A_WEEK > days, amounts > days)
    return np.asarray(np.sum(borders, axis=0), dtype=np.int64)


def count_bands(bands: Integers) -> Integers:
    """How many accounts are in each of the five bands."""
    return np.bincount(bands, minlength=len(BANDS))


def entropy(counts: ArrayLike) -> float | None:
    """Shannon entropy of counts over its greatest value: 1 for an even spread, 0 for all in one category.

        H = -sum(p log p) / log K,   p = count / total,   K categories

    C. E. Shannon, A Mathematical Theory of Communication, Bell System Technical Journal 27 (1948) 379-423,
    sections 6 and 7, where H over its maximum is the relative entropy. None without any count; raises `ValueError`
    for fewer than two categories.
    """
    row = read_amounts(counts, "entropy")
    if row.size < 2:
        raise ValueError(f"entropy: at least two categories are needed, not {row.size}")
    total = row.sum()
    if total == 0:
        return None
    shares = row[row > 0] / total
    return float(np.clip(-(shares * np.log(shares)).sum() / np.log(row.size), 0, 1))


def out_of_hours_share(counts: ArrayLike) -> float | None:
    """Share of 168 hourly counts that falls outside Monday to Friday, 09:00 to 17:00.

    The first count is Monday 00:00 to 01:00, local time. An even spread gives 128 / 168 = 0.762. None without any
    count; raises `ValueError` unless there are 168.
    """
    row = read_amounts(counts, "out-of-hours share")
    if row.size != HOURS_A_WEEK:
        raise ValueError(f"out-of-hours share: {HOURS_A_WEEK} hours are needed, not {row.size}")
    total = row.sum()
    if total == 0:
        return None
    within = row.reshape(7, 24)[:5, 9:17].sum()
    return float((total - within) / total)
