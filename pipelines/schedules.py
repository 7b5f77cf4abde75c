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


def _recorder(status: dg.DagsterRunStatus, name: str, description: str) -> dg.SensorDefinition:
    """A sensor that writes the run record of each run of the service that ended so."""

    @dg.run_status_sensor(
        run_status=status,
        name=name,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def record(context: dg.RunStatusSensorContext, workplace: Workplace) -> None:
        record_service_run(
            workplace.place(), workplace.source_list.name, context.instance, context.dagster_run.run_id
        )

    return record


record_success = _recorder(
    dg.DagsterRunStatus.SUCCESS,
    "record_success",
    "Writes the run record of a finished run, so that `engagement status` knows of it.",
)
record_failure = _recorder(
    dg.DagsterRunStatus.FAILURE,
    "record_failure",
    "Writes the run record of a failed run, with what went wrong.",
)
