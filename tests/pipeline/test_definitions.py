"""What Dagster sees: assets and what is said about them, jobs, the schedule, and parts that can be swapped."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from pipelines.assets import Workplace
from pipelines.contract import Contract, load_contracts
from pipelines.definitions import build_defs
from pipelines.sample.world import write_world
from pipelines.settings import project_folder

ROOT = Path(__file__).resolve().parents[2]
LONDON = ZoneInfo("Europe/London")
# The backbone; the test below says that nothing is missing and nothing is too much.
BACKBONE = {
    "snapshots/authority_register",
    "source/authority_register",
    "clean/authority",
    "model/authority_succession",
    "public/authorities",
    "public/authority_accounts",
    "public/account_adoption",
    "public/coverage",
    "public/data_issues",
    "release",
}

PULLS = ("observations/bluesky", "observations/mastodon")


@cache
def definitions() -> dg.Definitions:
    """The definitions with a workplace of their own; building them touches nothing."""
    return build_defs(Workplace(home="unused"))


@cache
def assets() -> dict[str, dg.AssetsDefinition]:
    """Every asset by its key, written as in Dagster's own pages."""
    found = [asset for asset in definitions().assets or () if isinstance(asset, dg.AssetsDefinition)]
    return {key.to_user_string(): asset for asset in found for key in asset.keys}


def spec(key: str) -> dg.AssetSpec:
    return assets()[key].get_asset_spec(dg.AssetKey(key.split("/")))


@cache
def contracts() -> dict[str, Contract]:
    return {
        table.replace(".", "/"): contract
        for table, contract in load_contracts(project_folder("data_contracts")).items()
    }


def files(folder: str, ending: str) -> set[str]:
    return {path.stem for path in (ROOT / folder).glob(f"*.{ending}")}


def keys_of(*groups: str) -> list[str]:
    return sorted(key for key in assets() if key.split("/")[0] in groups)


# --- assets -------------------------------------------------------------------------------------------------


def test_each_source_has_two_assets_each_sql_file_one_and_nothing_else_has_any() -> None:
    sources = files("data_contracts/source", "yml")
    tables = {f"{layer}/{name}" for layer in ("clean", "model", "public") for name in files(f"sql/{layer}", "sql")}
    expected = {f"{layer}/{name}" for layer in ("snapshots", "source") for name in sources} | tables
    expected |= {"release", "site"}
    expected |= {f"observation/{name}" for name in files("data_contracts/observation", "yml")}
    expected |= {"observations/roster", *PULLS}
    expected |= {"restricted/studies", *(f"protected/{name}" for name in files("data_contracts/protected", "yml"))}
    assert set(assets()) == expected
    assert expected >= BACKBONE


@pytest.mark.parametrize("key", sorted(assets()))
def test_every_asset_says_where_it_belongs_whose_it_is_and_what_it_is_for(key: str) -> None:
    about = spec(key)
    assert about.group_name == key.split("/")[0]
    assert about.owners == ["team:data-engineering"]
    assert about.description
    assert len(about.description) > 20
    assert about.kinds


@pytest.mark.parametrize("key", keys_of("source", "protected", "public"))
def test_a_table_with_a_contract_shows_its_columns_and_stands_behind_a_blocking_check(key: str) -> None:
    contract = contracts()[key]
    schema = spec(key).metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert [(c.name, c.type, c.description, c.constraints.nullable) for c in schema.columns] == [
        (c.name, c.sql_type, c.description, not c.required) for c in contract.columns
    ]
    assert spec(key).metadata["licence"] == contract.licence
    assert spec(key).metadata["schema_version"] == contract.version
    own = [check for check in assets()[key].check_specs if check.asset_key.to_user_string() == key]
    checks = {check.name: check.blocking for check in own}
    assert checks == {"contract": True, "warnings": False}


@pytest.mark.parametrize("key", keys_of("public"))
def test_a_public_table_must_be_fresh_and_carries_the_version_of_its_query(key: str) -> None:
    policy = spec(key).freshness_policy
    assert isinstance(policy, dg.FreshnessPolicy)
    assert policy == dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(days=contracts()[key].freshness_days))
    assert spec(key).code_version


def test_only_what_writes_the_warehouse_waits_for_its_one_writer() -> None:
    pools = {key: asset.op.pool for key, asset in assets().items()}
    assert {key for key, pool in pools.items() if pool is None} == {*keys_of("snapshots"), "site"}
    assert {pools.pop(key) for key in PULLS} == {"observe_bluesky", "observe_mastodon"}
    assert pools.pop("restricted/studies") == "restricted"  # a store of its own
    assert set(pools.values()) == {None, "duckdb"}


def test_only_pulls_are_tried_again() -> None:
    policies = {key: asset.op.retry_policy for key, asset in assets().items()}
    assert {key for key, policy in policies.items() if policy} == {*keys_of("snapshots"), *PULLS}
    for policy in filter(None, policies.values()):
        assert policy.max_retries >= 1
        assert policy.backoff == dg.Backoff.EXPONENTIAL
        assert policy.jitter is not None


def test_the_release_waits_for_every_public_table() -> None:
    assert {dep.asset_key.to_user_string() for dep in spec("release").deps} == set(keys_of("public"))


def test_a_source_table_waits_for_its_own_snapshots_only() -> None:
    for key in keys_of("source"):
        assert [dep.asset_key.to_user_string() for dep in spec(key).deps] == [key.replace("source/", "snapshots/")]


def test_the_dataset_of_issues_waits_for_every_table_that_can_raise_one() -> None:
    waiting, upstream = ["public/data_issues"], set()
    while waiting:
        for dep in spec(waiting.pop()).deps:
            key = dep.asset_key.to_user_string()
            if key not in upstream:
                upstream.add(key)
                waiting.append(key)
    told = {table for table in contracts() if not table.startswith("restricted/")}
    assert upstream >= told - {"public/data_issues"}


# --- jobs and the schedule ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "groups"),
    [
        (
            "publish",
            (
                *("snapshots", "source", "observations", "observation", "restricted", "protected"),
                *("clean", "model", "public", "release", "site"),
            ),
        ),
        ("pull", ("snapshots", *PULLS)),
        ("observe", PULLS),
    ],
)
def test_a_job_selects_whole_layers(job: str, groups: tuple[str, ...]) -> None:
    selected = definitions().resolve_job_def(job).asset_layer.executable_asset_keys
    layers = [group for group in groups if "/" not in group]
    named = [group for group in groups if "/" in group]
    assert sorted(key.to_user_string() for key in selected) == sorted([*keys_of(*layers), *named])


@pytest.mark.parametrize(("name", "job"), [("daily_pull", "pull"), ("weekly_release", "publish")])
def test_schedules_are_off_until_someone_turns_them_on(name: str, job: str) -> None:
    schedule = definitions().resolve_schedule_def(name)
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert schedule.job_name == job
    assert schedule.execution_timezone == "Europe/London"


@pytest.mark.parametrize("name", ["daily_pull", "weekly_release"])
def test_a_schedule_asks_for_the_day_that_has_begun(name: str) -> None:
    schedule = definitions().resolve_schedule_def(name)
    moment = dt.datetime(2026, 11, 23, 6, 15, tzinfo=LONDON)
    repository = definitions().get_repository_def()
    context = dg.build_schedule_context(scheduled_execution_time=moment, repository_def=repository)
    (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert request.partition_key == "2026-11-23"
    assert request.run_key
    partitions = definitions().resolve_job_def(schedule.job_name).partitions_def
    assert partitions is not None
    assert partitions.has_partition_key("2026-11-23")


@pytest.mark.parametrize(
    ("eve", "utc_hours"),
    [(dt.date(2027, 3, 27), (4, 3, 3)), (dt.date(2026, 10, 24), (3, 4, 4))],
    ids=["clocks go forward", "clocks go back"],
)
def test_the_schedule_keeps_to_local_time_when_the_clocks_change(eve: dt.date, utc_hours: tuple[int, ...]) -> None:
    schedule = definitions().resolve_schedule_def("daily_pull")
    start = dt.datetime.combine(eve, dt.time(), LONDON).timestamp()
    ticks = schedule_execution_time_iterator(start, schedule.cron_schedule, schedule.execution_timezone)
    found = [next(ticks) for _ in utc_hours]
    assert [tick.astimezone(LONDON).replace(tzinfo=None) for tick in found] == [
        dt.datetime.combine(eve + dt.timedelta(days=n), dt.time(4, 15)) for n in range(3)
    ]
    assert tuple(tick.astimezone(dt.UTC).hour for tick in found) == utc_hours


def test_runs_of_a_service_are_recorded_from_the_start() -> None:
    sensors = {sensor.name: sensor.default_status for sensor in definitions().sensors or ()}
    assert sensors.pop("ask_lost_accounts_again") == dg.DefaultSensorStatus.STOPPED
    assert sensors.pop("take_in_studies") == dg.DefaultSensorStatus.STOPPED
    assert sensors == dict.fromkeys(("record_success", "record_failure"), dg.DefaultSensorStatus.RUNNING)


def test_accounts_that_did_not_answer_are_asked_again_by_a_sensor(tmp_path: Path) -> None:
    """The first pull in vain, the second and the fourth ask for another; what answers asks for none."""
    workplace = Workplace(home=str(tmp_path), sources="sample")
    sensor = definitions().resolve_sensor_def("ask_lost_accounts_again")

    def requests() -> list[dg.RunRequest]:
        with dg.build_sensor_context(resources={"workplace": workplace}, definitions=definitions()) as context:
            return list(sensor.evaluate_tick(context).run_requests or ())

    assert requests() == []
    asked = []
    for day in range(1, 5):
        moment = dt.datetime(2026, 11, day, 6, tzinfo=dt.UTC)
        with workplace.store().pull("bluesky", moment) as writer:
            now = moment.replace(tzinfo=None)
            lost = {"observed_at": now, "handle": "lost.test", "outcome": "unavailable"}
            writer.add("account", [lost, {**lost, "handle": "shy.test", "outcome": "opted_out"}])
        asked.append(len(requests()))
    assert asked == [1, 1, 0, 1]
    (request,) = requests()
    assert request.run_config["ops"]["observations__bluesky"]["config"] == {"only_lost": True}
    assert request.partition_key == dt.datetime.now(dt.UTC).date().isoformat()


def test_a_study_is_taken_in_once_its_files_stay_as_they_are(tmp_path: Path) -> None:
    """Seen for the first time, then at rest: one run; again when it changes; never for half-copied files."""
    inbox = tmp_path / "inbox"
    listed = tmp_path / "sample.yml"
    listed.write_text(
        "world: sample\nsources: {gss_changes: {curated: gss_changes.csv}}\n"
        f"interviews: [{{inbox: {inbox}}}]\n",
        encoding="utf-8",
    )
    workplace = Workplace(home=str(tmp_path / "home"), sources=str(listed))
    sensor = definitions().resolve_sensor_def("take_in_studies")
    cursor: str | None = None

    def requests() -> list[str | None]:
        nonlocal cursor
        with dg.build_sensor_context(
            cursor=cursor, resources={"workplace": workplace}, definitions=definitions()
        ) as context:
            result = sensor.evaluate_tick(context)
        cursor = result.cursor
        return [request.run_key for request in result.run_requests or ()]

    assert requests() == []
    study = inbox / "handed-in"
    study.mkdir(parents=True)
    (study / "study.yml").write_text("study_id: a-study\n", encoding="utf-8")
    asked = [requests()]
    (study / "list.csv").write_text("half", encoding="utf-8")
    asked.append(requests())
    (study / "list.csv").write_text("half and the other half", encoding="utf-8")
    asked += [requests() for _ in range(3)]
    assert [len(one) for one in asked] == [0, 0, 0, 1, 0]
    (study / "validation-report.txt").write_text("what the run said", encoding="utf-8")
    assert [len(requests()) for _ in range(2)] == [0, 0], "the report is no change of the study"
    (study / "list.csv").write_text("mended", encoding="utf-8")
    again = [requests() for _ in range(3)]
    assert [len(one) for one in again] == [0, 1, 0]
    assert again[1] != asked[3]
    assert "handed-in" not in (cursor or "")


def test_a_day_that_is_over_cannot_be_observed_and_the_failure_says_what_to_do(tmp_path: Path) -> None:
    listed = tmp_path / "live.yml"
    listed.write_text(
        "world: live\nsources: {gss_changes: {curated: gss_changes.csv}}\nplatforms: {bluesky: {}}\n",
        encoding="utf-8",
    )
    workplace = Workplace(home=str(tmp_path / "home"), sources=str(listed), contact="x@example.org")
    pq.write_table(pa.table({"platform": ["bluesky"], "handle": ["a.test"]}), workplace.place().roster)
    job = build_defs(workplace).resolve_job_def("observe")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, partition_key="2026-11-02", raise_on_error=False)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    said = failure.step_failure_data.user_failure_data
    assert said is not None
    assert "bluesky: 2026-11-02 cannot be observed on" in str(said.description)


def test_days_of_the_sample_world_can_be_backfilled_one_by_one(tmp_path: Path) -> None:
    workplace = Workplace(home=str(tmp_path), sources="sample")
    table = {"platform": ["bluesky"], "handle": ["zz.example"], "account_id": [None], "is_official": [True]}
    pq.write_table(pa.table(table), workplace.place().roster)
    job = build_defs(workplace).resolve_job_def("observe")
    seen = []
    with dg.DagsterInstance.ephemeral() as instance:
        for day in ("2026-09-07", "2026-09-20", "2026-09-21"):
            assert job.execute_in_process(instance=instance, partition_key=day).success
            seen.append([pull.observed_on.isoformat() for pull in workplace.store().pulls("bluesky")])
        made = instance.get_materialized_partitions(dg.AssetKey(["observations", "bluesky"]))
    assert seen == [["2026-09-07"], ["2026-09-07", "2026-09-14"], ["2026-09-07", "2026-09-14", "2026-09-21"]]
    assert made == {"2026-09-07", "2026-09-20", "2026-09-21"}


# --- parts that can be swapped ------------------------------------------------------------------------------


def test_a_folder_of_files_can_take_the_place_of_the_sources(tmp_path: Path) -> None:
    write_world(tmp_path / "world")
    workplace = Workplace(home=str(tmp_path / "home"), sources=str(tmp_path / "world"), released_on="2026-11-23")
    job = build_defs(workplace).resolve_job_def("pull")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
    assert result.success
    pulled = {path.parent.name for path in (tmp_path / "home" / "snapshots").rglob("*.csv")}
    assert {f"snapshots/{name}" for name in pulled} == set(keys_of("snapshots"))
    assert (tmp_path / "home" / "world.txt").read_text(encoding="utf-8") == "live\n"


def test_a_deployment_chooses_its_executor_and_gets_the_one_without_processes_otherwise() -> None:
    workplace = Workplace(home="unused")
    assert definitions().resolve_job_def("publish").executor_def is dg.in_process_executor
    swapped = build_defs(workplace, dg.multiprocess_executor)
    assert swapped.resolve_job_def("publish").executor_def is dg.multiprocess_executor


def test_the_environment_decides_where_no_workplace_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path))
    monkeypatch.setenv("ENGAGEMENT_SOURCES", "live")
    monkeypatch.setenv("ENGAGEMENT_CONTACT", "data@example.org")
    workplace = (build_defs().resources or {})["workplace"]
    assert isinstance(workplace, Workplace)
    assert (workplace.home, workplace.sources, workplace.is_sample) == (str(tmp_path), "live", False)
    assert workplace.policy().contact == "data@example.org"


def test_the_definitions_load_completely() -> None:
    dg.Definitions.validate_loadable(definitions())


def test_the_workspace_file_is_valid_for_dagster_itself(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_bytes((ROOT / "dagster.yaml").read_bytes())
    done = subprocess.run(
        [Path(sys.executable).parent / "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=ROOT,
        env={**os.environ, "DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "councillor-engagement" in done.stdout + done.stderr
