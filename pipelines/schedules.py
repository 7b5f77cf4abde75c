"""Jobs and schedules: which assets run together, and when.

Belongs here: selection and time. Does not belong here: assets and resources (`assets`, `definitions`).
"""

from __future__ import annotations

import dagster as dg

from pipelines.assets import Workplace
from pipelines.run import record_service_run

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


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    name="record_success",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Writes the run record of a finished run, so that `engagement status` knows of it.",
)
def record_success(context: dg.RunStatusSensorContext, workplace: Workplace) -> None:
    """Record a successful run of the service."""
    _record(context, workplace)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.FAILURE,
    name="record_failure",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Writes the run record of a failed run, with what went wrong.",
)
def record_failure(context: dg.RunStatusSensorContext, workplace: Workplace) -> None:
    """Record a failed run of the service."""
    _record(context, workplace)


def _record(context: dg.RunStatusSensorContext, workplace: Workplace) -> None:
    record_service_run(workplace.place(), workplace.source_list.name, context.instance, context.dagster_run.run_id)
