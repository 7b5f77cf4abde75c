"""How often the project pulls and releases: the hours that its schedules keep and that its pages promise.

Belongs here: the two rhythms, as cron for Dagster and as moments for people. Does not belong here: the schedules
themselves (`schedules`), which an operator may leave off, and what counts as stale (the contracts' freshness).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

TIME_ZONE = "Europe/London"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Rhythm:
    """A time of the day in London, on every day or on one day of the week (0 is Monday)."""

    at: dt.time
    weekday: int | None = None

    @property
    def cron(self) -> str:
        """The rhythm as cron writes it, where 0 is Sunday."""
        day = "*" if self.weekday is None else str((self.weekday + 1) % 7)
        return f"{self.at.minute} {self.at.hour} * * {day}"

    @property
    def words(self) -> str:
        """The rhythm for people, such as every Monday at 06:15, London time."""
        day = "day" if self.weekday is None else WEEKDAYS[self.weekday]
        return f"every {day} at {self.at:%H:%M}, London time"

    @property
    def days(self) -> int:
        """Days from one time to the next."""
        return 1 if self.weekday is None else 7

    def next_after(self, moment: dt.datetime) -> dt.datetime:
        """The first time after a moment, which must know its time zone; in London's time."""
        here = moment.astimezone(ZoneInfo(TIME_ZONE))
        ahead = 0 if self.weekday is None else (self.weekday - here.weekday()) % 7
        day = here.date() + dt.timedelta(days=ahead)
        found = dt.datetime.combine(day, self.at, ZoneInfo(TIME_ZONE))
        if found > moment:
            return found
        return dt.datetime.combine(day + dt.timedelta(days=self.days), self.at, ZoneInfo(TIME_ZONE))


DAILY_PULL = Rhythm(dt.time(4, 15))
WEEKLY_RELEASE = Rhythm(dt.time(6, 15), weekday=0)  # Monday: an ISO week is then complete
