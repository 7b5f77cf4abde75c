"""Running a job in this process, and the record that every attempt leaves.

Belongs here: starting Dagster for the command line, run records, and what they add up to. Does not belong here:
assets and their resources. A record names what failed in sentences; it never holds a cell.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from pipelines.release.manifest import read_manifest, read_pointer, to_json
from pipelines.release.signing import load_signer
from pipelines.settings import Home
from pipelines.snapshots import write_atomically

if TYPE_CHECKING:
    import dagster as dg

    from pipelines.assets import Workplace
    from pipelines.observations import PullRecord

# The command line shows one line per asset; Dagster's own events stand in its storage.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class PullSummary(BaseModel):
    """What one pull of a platform did: accounts by outcome, rows by table, rows refused by table and rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    platform: str
    pull_id: str
    outcomes: dict[str, int]
    rows: dict[str, int]
    quarantined: dict[str, dict[str, int]]
    requests: int


class RunRecord(BaseModel):
    """One attempt, successful or not: `runs/<start>-<id>.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_id: str
    job: Literal["publish", "pull"]
    sources: str
    started_at: dt.datetime
    ended_at: dt.datetime
    status: Literal["published", "unchanged", "pulled", "failed"]
    version: str | None = None
    problems: tuple[str, ...] = ()
    pulls: tuple[PullSummary, ...] = ()


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended; `version` and `folder` are the newest release, whether this run made it or not."""

    success: bool
    is_new: bool
    version: str | None
    folder: Path | None
    problems: tuple[str, ...]
    record: Path


def run_job(
    job: Literal["publish", "pull"],
    home: Path,
    sources: str,
    offline: bool = False,
    contact: str | None = None,
    released_on: str | None = None,
    since: str | None = None,
    forbid_major: bool = False,
) -> RunOutcome:
    """Run a job of the definitions inside this process, and record the attempt.

    `since`, a day, reads the posts of every account back to there again; `forbid_major` fails rather than release
    a change that may break what others wrote.
    Errors: `SettingsError` before anything is touched, when sources or home cannot be used. What fails inside
    the run is not raised but told in the outcome.
    """
    from pipelines.assets import Workplace
    from pipelines.definitions import build_defs

    workplace = Workplace(
        home=str(home.resolve()),
        sources=sources,
        offline=offline,
        keep_open=True,
        contact=contact,
        released_on=released_on,
    )
    if not offline:
        workplace.policy()  # a contact that is missing is better said before anything starts
    if job == "publish":
        load_signer()  # likewise a key that cannot be used
    place = workplace.place()
    before = read_pointer(place.public)
    pulled = {pull.pull_id for pull in workplace.store().pulls()}
    started = dt.datetime.now(dt.UTC)
    definitions = build_defs(workplace)
    with instance() as storage:
        result = definitions.resolve_job_def(job).execute_in_process(
            run_config={**QUIET, "ops": {**_observe_config(since), **_release_config(forbid_major)}},
            instance=storage,
            raise_on_error=False,
            partition_key=_partition(workplace),
        )
    problems = tuple(_problems(result.all_events))
    after = read_pointer(place.public)
    is_new = after is not None and (before is None or before.version != after.version)
    record = RunRecord(
        run_id=result.run_id,
        job=job,
        sources=workplace.source_list.name,
        started_at=started,
        ended_at=dt.datetime.now(dt.UTC),
        status=_status(job, result.success, is_new),
        version=after.version if after else None,
        problems=problems,
        pulls=tuple(_summary(pull) for pull in workplace.store().pulls() if pull.pull_id not in pulled),
    )
    path = write_record(place, record)
    folder = place.public / after.path if after else None
    return RunOutcome(result.success, is_new, record.version, folder, problems, path)


def _summary(pull: PullRecord) -> PullSummary:
    return PullSummary.model_validate(pull.model_dump(include=set(PullSummary.model_fields)))


def _observe_config(since: str | None) -> dict[str, Any]:
    from pipelines.assets import PLATFORMS

    return {f"observations__{p}": {"config": {"since": since}} for p in PLATFORMS} if since else {}


def _release_config(forbid_major: bool) -> dict[str, Any]:
    return {"release": {"config": {"forbid_major": True}}} if forbid_major else {}


def _partition(workplace: Workplace) -> str:
    """The day that a run observes: today, or the sample world's last."""
    if workplace.is_sample:
        from pipelines.sample.network import days

        return max(days()).isoformat()
    return workplace.now().date().isoformat()


def record_service_run(
    home: Home, sources: str, pulls: Sequence[PullRecord], storage: dg.DagsterInstance, run_id: str
) -> Path | None:
    """Record a run that a Dagster service made, as one from the command line is recorded.

    `pulls` are those of the home. Runs that neither tried to release nor to pull anything, such as of a single
    table, leave no record.
    """
    import dagster as dg

    found = storage.get_run_record_by_id(run_id)
    events = [entry.dagster_event for entry in storage.all_logs(run_id) if entry.dagster_event]
    about_release = [event for event in events if event.asset_key == dg.AssetKey("release")]
    about_pulls = [e for e in events if e.asset_key and e.asset_key.path[0] in ("snapshots", "observations")]
    if found is None or not (about_release or about_pulls):
        return None
    job: Literal["publish", "pull"] = "publish" if about_release else "pull"
    made = [event for event in about_release if event.event_type_value == "ASSET_MATERIALIZATION"]
    is_new = any(event.materialization.metadata["published"].value for event in made)
    pointer = read_pointer(home.public)
    started = dt.datetime.fromtimestamp(found.start_time or 0, dt.UTC)
    ended = dt.datetime.fromtimestamp(found.end_time or found.start_time or 0, dt.UTC)
    record = RunRecord(
        run_id=run_id,
        job=job,
        sources=sources,
        started_at=started,
        ended_at=ended,
        status=_status(job, found.dagster_run.is_success, is_new),
        version=pointer.version if pointer else None,
        problems=() if found.dagster_run.is_success else tuple(_problems(events)),
        pulls=tuple(_summary(pull) for pull in pulls if started <= pull.ended_at <= ended),
    )
    return write_record(home, record)


def _status(job: str, success: bool, is_new: bool) -> Literal["published", "unchanged", "pulled", "failed"]:
    if not success:
        return "failed"
    if job == "pull":
        return "pulled"
    return "published" if is_new else "unchanged"


@contextmanager
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's storage: the operator's where `DAGSTER_HOME` is set, else none that outlives the run.

    The run records of the home tell what happened either way; a run is twice as fast without a database for
    each event.
    """
    import dagster as dg

    if os.environ.get("DAGSTER_HOME"):
        with dg.DagsterInstance.get() as kept:
            yield kept
    else:
        with dg.DagsterInstance.ephemeral() as passing:
            yield passing


def _problems(events: Sequence[dg.DagsterEvent]) -> list[str]:
    """What went wrong, one sentence per failed step or check."""
    problems = []
    for event in events:
        if event.is_step_failure:
            data = event.step_failure_data
            error = data.error.cause if data.error and data.error.cause else data.error
            described = data.user_failure_data.description if data.user_failure_data else None
            text = described or (error.message.strip() if error else "failed for an unknown reason")
            if "DagsterAssetCheckFailedError" not in text:
                problems.append(f"{(event.step_key or '').replace('__', '.')}: {text}")
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if not check.passed and check.blocking:
                problems.append(f"{'.'.join(check.asset_key.path)}: {check.description}")
    return problems


def write_record(home: Home, record: RunRecord) -> Path:
    """Keep the record of an attempt, and tell of it on the status page."""
    path = home.runs / f"{record.started_at:%Y%m%dT%H%M%SZ}-{record.run_id[:8]}.json"
    write_atomically(path, to_json(record))
    _tell_public(home, record.ended_at)
    return path


def _tell_public(home: Home, now: dt.datetime) -> None:
    """Write the status page anew, whether the attempt succeeded or not."""
    from pipelines.site.status import Attempt, failed_steps, write_status

    attempts = [
        Attempt(record.job, record.started_at, record.ended_at, record.status, failed_steps(record.problems))
        for record in read_records(home)
    ]
    write_status(home.public, attempts, now)


def read_records(home: Home) -> list[RunRecord]:
    """Every recorded attempt, oldest first."""
    paths = sorted(home.runs.glob("*.json"))
    return [RunRecord.model_validate_json(path.read_bytes()) for path in paths]


@cache
def step_count() -> int:
    """How many assets a full run builds."""
    from pipelines.assets import all_assets
    from pipelines.interview_assets import interview_assets

    return sum(len(definition.keys) for definition in [*all_assets(), *interview_assets()])


def describe_status(home: Home, now: dt.datetime | None = None) -> tuple[list[str], bool]:
    """The state of a home in lines for people, and whether it is healthy.

    It is healthy when there is a release, the last attempt to publish succeeded, and the data is younger than
    the strictest freshness that a contract promises.
    """
    now = now or dt.datetime.now(dt.UTC)
    pointer = read_pointer(home.public)
    records = [record for record in read_records(home) if record.job == "publish"]
    if pointer is None:
        return [f"no release under {home.public}", *_attempts(records)], False
    manifest = read_manifest(home.public / pointer.path)
    good = [record for record in records if record.status != "failed"]
    checked = good[-1].ended_at if good else None
    limit = _strictest_freshness()
    stale = checked is None or now - checked > limit
    rows = sum(dataset.rows for dataset in manifest.datasets)
    lines = [
        f"release   {manifest.version}, {manifest.released_on}, {len(manifest.datasets)} datasets, {rows:,} rows"
        + (", sample" if manifest.world == "sample" else ""),
        f"fresh     {'no' if stale else 'yes'}: last success {_ago(checked, now)}, limit {limit.days} days",
        *_attempts(records),
    ]
    return lines, not stale and (not records or records[-1].status != "failed")


def _strictest_freshness() -> dt.timedelta:
    from pipelines.assets import PROJECT

    return min(dt.timedelta(days=c.freshness_days) for c in PROJECT.layer("public") if c.freshness_days)


def _ago(moment: dt.datetime | None, now: dt.datetime) -> str:
    if moment is None:
        return "never"
    hours = (now - moment).total_seconds() / 3600
    return f"{hours:.1f} hours ago" if hours < 48 else f"{hours / 24:.0f} days ago"


def _attempts(records: Sequence[RunRecord]) -> list[str]:
    lines = []
    for record in records[-5:]:
        lines.append(
            f"attempt   {record.started_at:%Y-%m-%d %H:%M}  {record.status}  {record.version or ''}".rstrip()
        )
        lines += [f"          {problem}" for problem in record.problems]
    return lines
