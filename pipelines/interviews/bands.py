"""Exact ages, dates, lengths of service and of interviews, made coarse as they enter.

Belongs here: how such values are written, what is impossible, and the bands. Does not belong here: where a value
stands, and what happens to the study when it cannot be read. Nothing exact leaves this module but the year.
"""

from __future__ import annotations

import calendar
import datetime as dt
import math
import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from pipelines.interviews.vocabulary import fold

# A cell as CSV and Excel hand it over; numbers are text, so that 7 and "7" are the same.
Value: TypeAlias = str | dt.datetime | dt.date | dt.timedelta
# A date of which the day may be unknown; the year alone is an `int`.
When: TypeAlias = dt.date | int

NOT_STATED_WORDS: Final = frozenset(
    {
        "", "-", "–", "—", ".", "?", "n/a", "na", "n.a.", "not applicable", "not stated", "not_stated",
        "not given", "not known", "not recorded", "unknown", "missing", "no answer", "declined", "refused",
        "withheld", "prefer not to say", "prefer not to answer", "rather not say", "don't know", "don’t know",
    }
)  # fmt: skip

YOUNGEST, OLDEST = 18, 110  # who may stand for a council in the United Kingdom; hardly anybody lives longer
LONGEST_TENURE = 70  # from 18 to 88
EARLIEST_YEAR = 1900
SHORTEST_MINUTES, LONGEST_MINUTES = 3, 600
LONGEST_CLOCK_TIME = dt.timedelta(hours=5)
MINUTES_STEP = 5

AGE_BANDS: Final[Mapping[int, str]] = {
    0: "under_35", 35: "35_44", 45: "45_54", 55: "55_64", 65: "65_74", 75: "75_plus",
}  # fmt: skip
TENURE_BANDS: Final[Mapping[int, str]] = {0: "under_4", 4: "4_7", 8: "8_11", 12: "12_19", 20: "20_plus"}

_YEAR = re.compile(r"(?:19|20)\d\d", re.ASCII)
_AMOUNT = re.compile(r"(\d{1,4}(?:\.\d{1,6})?) ?(years?|yrs?|y|months?|years? old)?", re.ASCII)
_ISO = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d)(?:[t ]\d\d:\d\d.*)?)?", re.ASCII)
_BRITISH = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})(?: \d\d?:\d\d.*)?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,2}):)?(\d{1,3}):([0-5]\d)", re.ASCII)
_MINUTES = re.compile(r"(\d{1,4}(?:\.\d{1,6})?) ?(?:m|mins?|minutes?)?\.?", re.ASCII)
_ISO_LENGTH = re.compile(r"pt(?:(\d{1,2})h)?(?:(\d{1,4})m)?(?:(\d{1,4})s)?", re.ASCII)


class UnreadableValue(ValueError):  # noqa: N818 - a verdict about a cell, not a fault of ours
    """A value that is not understood or cannot be; the message completes the sentence "the value …"."""


def is_not_stated(value: object) -> bool:
    """Whether a cell says that something is not stated; every other cell has to be understood."""
    return value is None or (isinstance(value, str) and fold(value) in NOT_STATED_WORDS)


def age_band(value: Value, interviewed: When | None) -> str:
    """The band of an age in years, or of a date or year of birth at the time of the interview.

    Errors: `UnreadableValue` for what is neither, for an age under 18 or over 110, and for a birth without the
    interview's date.
    """
    born = _when(value)
    years = _years(value, "an age") if born is None else _whole_years(born, interviewed, "a birth")
    if not YOUNGEST <= years <= OLDEST:
        raise UnreadableValue(f"is not an age from {YOUNGEST} to {OLDEST}")
    return band_of(years, AGE_BANDS)


def tenure_band(value: Value, interviewed: When | None) -> str:
    """The band of years in office, or of a date or year of first election at the time of the interview.

    Errors: `UnreadableValue` for what is neither, for more than 70 years, and for a start without the interview's
    date or after it.
    """
    since = _when(value)
    years = _years(value, "a number of years") if since is None else _whole_years(since, interviewed, "a start")
    if not 0 <= years <= LONGEST_TENURE:
        raise UnreadableValue(f"is not a time in office of 0 to {LONGEST_TENURE} years")
    return band_of(years, TENURE_BANDS)


def band_of(years: float, bands: Mapping[int, str]) -> str:
    """The band that a number of years of at least 0 falls into; a band begins with its number."""
    return bands[max(start for start in bands if years >= start)]


def as_band(text: str) -> str:
    """A text in the spelling of the bands where it is one, such as 35-44, < 35, 75+ or 20 years or more."""
    text = re.sub(r" (?:years?|yrs?)\b", "", _plain(text))
    text = re.sub(r"(\d) ?(?:-|–|—|_|to) ?(\d)", r"\1_\2", text)
    text = re.sub(r"^(?:<|under|less than) ?(\d)", r"under_\1", text)
    return re.sub(r"(\d) ?(?:\+|plus|or older|or over|and over|or more|and more)$", r"\1_plus", text)


def interview_date(value: Value, today: dt.date) -> When:
    """When an interview was held: a date, or a year alone.

    Errors: `UnreadableValue` for what is neither, and for the future.
    """
    when = _when(value)
    if when is None:
        raise UnreadableValue("is not a date such as 2016-03-14, 14/03/2016 or 2016")
    is_later = when > today.year if isinstance(when, int) else when > today
    if is_later:
        raise UnreadableValue("lies in the future")
    return when


def year_of(when: When) -> int:
    """The year, the only part of a date that is kept."""
    return when if isinstance(when, int) else when.year


def nearest_five_minutes(value: Value) -> int:
    """The length of an interview in minutes, to the nearest five; 2.5 of them count upward.

    `54:02` means minutes and seconds, `1:02:30` begins with hours, a bare number means minutes. Excel takes
    54:02 for hours and minutes; since no interview lasts five hours, a longer time of the clock is read back.
    Errors: `UnreadableValue` for what is no length, and for less than 3 or more than 600 minutes.
    """
    minutes = _clock_minutes(value) if isinstance(value, dt.timedelta) else _written_minutes(value)
    if not SHORTEST_MINUTES <= minutes <= LONGEST_MINUTES:
        raise UnreadableValue(
            f"is not a length of {SHORTEST_MINUTES} to {LONGEST_MINUTES} minutes: "
            f"54:02 means minutes and seconds, 1:02:30 begins with hours"
        )
    return MINUTES_STEP * math.floor(minutes / MINUTES_STEP + 0.5)


def _clock_minutes(value: dt.timedelta) -> float:
    minutes = value.total_seconds() / 60
    return minutes if value <= LONGEST_CLOCK_TIME else minutes / 60


def _written_minutes(value: Value) -> float:
    text = _plain(value) if isinstance(value, str) else ""
    if found := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return hours * 60 + minutes + seconds / 60
    if found := _MINUTES.fullmatch(text):
        return float(found[1])
    if text != "pt" and (found := _ISO_LENGTH.fullmatch(text)):
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return hours * 60 + minutes + seconds / 60
    raise UnreadableValue("is not a length such as 54, 54:02, 1:02:30, 54 min or PT54M")


def _years(value: Value, wanted: str) -> float:
    found = _AMOUNT.fullmatch(_plain(value)) if isinstance(value, str) else None
    if found is None:
        raise UnreadableValue(f"is not {wanted}")
    amount = float(found[1])
    return amount / 12 if (found[2] or "").startswith("month") else amount


def _whole_years(since: When, until: When | None, what: str) -> int:
    """Completed years between two dates; where one is a year alone, the difference of the years."""
    if until is None:
        raise UnreadableValue(f"is the date of {what}, which needs the date of the interview")
    years = year_of(until) - year_of(since)
    if isinstance(since, dt.date) and isinstance(until, dt.date):
        years -= (until.month, until.day) < (since.month, since.day)
    return years


def _when(value: Value) -> When | None:
    """A date, or a year alone; a month counts from its first day. None for what is no date."""
    if isinstance(value, dt.datetime):
        return _plausible(value.date())
    if isinstance(value, dt.date):
        return _plausible(value)
    if not isinstance(value, str):
        return None
    text = _plain(value)
    if _YEAR.fullmatch(text):
        return int(text)
    if found := _ISO.fullmatch(text):
        return _date(found[1], found[2], found[3] or "1")
    if found := _BRITISH.fullmatch(text):
        return _date(found[3], found[2], found[1])
    return None


def _date(year: str, month: str, day: str) -> dt.date | None:
    y, m, d = int(year), int(month), int(day)
    if y < EARLIEST_YEAR or not 1 <= m <= 12 or not 1 <= d <= calendar.monthrange(y, m)[1]:
        return None
    return dt.date(y, m, d)


def _plausible(date: dt.date) -> dt.date | None:
    return date if date.year >= EARLIEST_YEAR else None


def _plain(text: str) -> str:
    """Without capitals, with single spaces; a footnote mark stays one, so that 7² is not read as 72."""
    return " ".join(text.casefold().split())
