"""Jobs and schedules: which assets run together, and when.

Belongs here: selection and time. Does not belong here: assets and resources (`assets`, `definitions`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import dagster as dg

from pipelines.assets import PLATFORMS, Workplace, lost_accounts_due
from pipelines.cadence import DAILY_PULL, TIME_ZONE, WEEKLY_RELEASE
from pipelines.interview_assets import inbox_digests
from pipelines.run import record_service_run

publish = dg.define_asset_job(
    "publish",
    selection=dg.AssetSelection.all(),
    description="Pull and observe all, build and check every table, and publish a release if anything changed.",
)
pull = dg.define_asset_job(
    "pull",
    selection=dg.AssetSelection.groups("snapshots")
    | dg.AssetSelection.assets(*(["observations", platform] for platform in PLATFORMS)),
    description="Fetch every source, observe every platform; writes files only and can run beside anything.",
)
observe = dg.define_asset_job(
    "observe",
    selection=dg.AssetSelection.assets(*(["observations", platform] for platform in PLATFORMS)),
    description="Observe every platform once; with since, read the posts of the past as well.",
)


def today(at: dt.datetime) -> str:
    """The partition of the day that lasts at a moment."""
    return at.astimezone(dt.UTC).date().isoformat()


@dg.schedule(
    name="daily_pull",
    job=pull,
    cron_schedule=DAILY_PULL.cron,
    execution_timezone=TIME_ZONE,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every night: sources, profiles and posts; off until someone turns it on.",
)
def daily_pull(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Observe the day that has begun."""
    day = today(context.scheduled_execution_time)
    return dg.RunRequest(run_key=f"pull-{day}", partition_key=day)


@dg.schedule(
    name="weekly_release",
    job=publish,
    cron_schedule=WEEKLY_RELEASE.cron,
    execution_timezone=TIME_ZONE,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every Monday, when a week is complete: everything, and a release; off until someone turns it on.",
)
def weekly_release(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Publish the week that has ended; what may break others' queries waits for a person."""
    day = today(context.scheduled_execution_time)
    careful = {"ops": {"release": {"config": {"forbid_major": True}}}}
    return dg.RunRequest(run_key=f"release-{day}", partition_key=day, run_config=careful)


@dg.sensor(
    name="ask_lost_accounts_again",
    job=observe,
    minimum_interval_seconds=6 * 3600,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description=(
        "Asks again, by handle and by permanent id, about accounts that did not answer: a handle may have come "
        "back, and a failure may have passed. Once a day at most, and less often the longer one is lost."
    ),
)
def ask_lost_accounts_again(workplace: Workplace) -> dg.SensorResult:
    """Request one pull of the lost accounts of each platform, if any are due."""
    day = today(dt.datetime.now(dt.UTC))
    due = lost_accounts_due(workplace)
    config = {
        "ops": {f"observations__{platform}": {"config": {"only_lost": True}} for platform in PLATFORMS},
    }
    requests = [dg.RunRequest(run_key=f"lost-{day}", partition_key=day, run_config=config)] if due else []
    return dg.SensorResult(run_requests=requests, cursor=f"{day}: {due} accounts due")


@dg.sensor(
    name="take_in_studies",
    job=publish,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description=(
        "Watches the inboxes of interview studies: once the files of a study have stopped changing, everything is "
        "built and released, or the study is refused and says why."
    ),
)
def take_in_studies(context: dg.SensorEvaluationContext, workplace: Workplace) -> dg.SensorResult:
    """Request one run for the studies that are as they were a moment ago and were not taken in as they are.

    The cursor holds hashes of the studies' files: those seen last time, and those that a run was requested for.
    """
    found = inbox_digests(workplace)
    seen = json.loads(context.cursor) if context.cursor else {"seen": [], "taken": []}
    ready = [digest for digest in found if digest in seen["seen"] and digest not in seen["taken"]]
    taken = sorted({digest for digest in seen["taken"] if digest in found} | set(ready))
    key = hashlib.sha256("".join(ready).encode()).hexdigest()[:12]
    day = today(dt.datetime.now(dt.UTC))
    requests = [dg.RunRequest(run_key=f"studies-{key}", partition_key=day)] if ready else []
    return dg.SensorResult(run_requests=requests, cursor=json.dumps({"seen": found, "taken": taken}))


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
            workplace.place(),
            workplace.source_list.name,
            workplace.store().pulls(),
            context.instance,
            context.dagster_run.run_id,
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
