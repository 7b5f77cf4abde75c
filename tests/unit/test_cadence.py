"""The rhythms that schedules keep and pages promise, against Dagster's own reading of their cron."""

from __future__ import annotations

import datetime as dt
from itertools import islice

import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from pipelines.cadence import DAILY_PULL, TIME_ZONE, WEEKLY_RELEASE, Rhythm

SUNDAY = Rhythm(dt.time(23, 59), weekday=6)
MOMENTS = [
    dt.datetime(2026, 11, 23, 6, 14, 59, tzinfo=dt.UTC),
    dt.datetime(2026, 11, 23, 6, 15, tzinfo=dt.UTC),  # the very moment: the next one is meant
    dt.datetime(2026, 11, 29, 23, 59, tzinfo=dt.UTC),
    dt.datetime(2026, 12, 31, 12, tzinfo=dt.UTC),
    dt.datetime(2026, 3, 28, 12, tzinfo=dt.UTC),  # the night after, clocks go forward in London
    dt.datetime(2026, 10, 24, 12, tzinfo=dt.UTC),  # and here back
    dt.datetime(2026, 7, 6, 5, 15, tzinfo=dt.UTC),  # 06:15 in London's summer
]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
@pytest.mark.parametrize("rhythm", [DAILY_PULL, WEEKLY_RELEASE, SUNDAY], ids=lambda rhythm: rhythm.words)
def test_the_next_time_is_the_one_at_which_dagster_would_run(rhythm: Rhythm, moment: dt.datetime) -> None:
    ticks = schedule_execution_time_iterator(moment.timestamp(), rhythm.cron, TIME_ZONE, ascending=True)
    expected = next(tick for tick in islice(ticks, 3) if tick > moment)
    assert rhythm.next_after(moment) == expected


def test_rhythms_in_words() -> None:
    assert DAILY_PULL.words == "every day at 04:15, London time"
    assert WEEKLY_RELEASE.words == "every Monday at 06:15, London time"
