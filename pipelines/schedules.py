"""Jobs and schedules: which assets run together, and when.

Belongs here: selection and time. Does not belong here: assets and resources (`assets`, `definitions`).
"""

from __future__ import annotations

import dagster as dg

publish = dg.define_asset_job(
    "publish",
    selection=dg.AssetSelection.all(),
    description="Pull every source, build and check every table, and publish a release if anything changed.",
)
pull = dg.define_asset_job(
    "pull",
    selection=dg.AssetSelection.groups("snapshots"),
    description="Fetch every source into snapshots; writes files only and can run beside anything else.",
)
daily = dg.ScheduleDefinition(
    name="daily_publish",
    job=publish,
    cron_schedule="15 5 * * *",
    execution_timezone="Europe/London",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every morning before office hours; off until someone turns it on.",
)
