"""The command line: what it says, with which exit code, and what it can reach; a traceback is never an answer.

Exit codes: 0 done, 1 the data or a release is not good, 2 the call was wrong.
"""

from __future__ import annotations

import csv
import datetime as dt
import inspect
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import duckdb
import pytest
import yaml
from click.testing import CliRunner, Result

from pipelines import authoring, run
from pipelines.assets import PROJECT
from pipelines.authoring import project_faults, start_dataset
from pipelines.checks import check_table
from pipelines.cli import main
from pipelines.contract import Contract, ContractError, load_contracts, quote
from pipelines.functions import FUNCTIONS
from pipelines.lineage import load_queries
from pipelines.release.manifest import read_manifest
from pipelines.release.verify import verify_release
from pipelines.run import RunOutcome, RunRecord, describe_status, run_job, write_record
from pipelines.settings import Home, project_folder
from pipelines.warehouse import TableResult, build_table, open_warehouse
from tests.conftest import DAY

ENGAGEMENT = Path(sys.executable).parent / "engagement"
DATASETS = sorted(contract.name for contract in PROJECT.layer("public"))
EXAMPLES = Path(__file__).resolve().parents[1] / "fixtures" / "counter_examples"


def call(*arguments: str | Path) -> Result:
    """Run a command in this process; whatever it does, it must not end in a traceback."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    unexpected = result.exception if not isinstance(result.exception, SystemExit) else None
    assert unexpected is None, f"{type(unexpected).__name__}: {unexpected}"
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def home(sample_home: Home, tmp_path: Path) -> Home:
    """A published home that a test may change."""
    return Home(Path(shutil.copytree(sample_home.root, tmp_path / "home")))


@pytest.fixture(scope="module")
def release(sample_home: Home) -> Path:
    return sample_home.public / "v" / "2026.11.0"


# --- help ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", *sorted(main.commands)])
def test_every_command_explains_itself_in_sentences(name: str) -> None:
    result = call(*filter(None, [name]), "--help")
    assert result.exit_code == 0
    command = main.commands[name] if name else main
    first = (command.help or "").strip().splitlines()[0]
    assert first[:1].isupper()
    assert len(first.split()) >= 5
    assert (command.help or "").strip().split("\n\n")[0].endswith((".", "?"))
    for parameter in command.params:
        if isinstance(parameter, click.Option) and "help" not in parameter.name:
            assert parameter.help, parameter.name


def test_the_executable_says_its_version_and_its_commands() -> None:
    version = subprocess.run([ENGAGEMENT, "--version"], capture_output=True, text=True, check=True)
    assert "0.1.0" in version.stdout
    shown = subprocess.run([ENGAGEMENT, "--help"], capture_output=True, text=True, check=True).stdout
    assert [name for name in main.commands if f"\n  {name} " not in shown] == []


# --- calls that are wrong -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("world: sample\nsources: {nothing_known: a.csv}\n", "no contract for source ['nothing_known']"),
        ("world: sample\nsources: {}\n", "not a usable source list"),
        ("world: fairyland\nsources: {gss_changes: a.csv}\n", "not a usable source list"),
        ("world: live\nsources: {gss_changes: nowhere.csv}\n", "nothing found at nowhere.csv"),
        (
            "world: live\nsources: {gss_changes: {path: a, url: b}}\n",
            "a place is one of path, url, sample, curated or sparql",
        ),
        ("world: [live\n", "not a usable source list"),
        ("just a sentence\n", "not a usable source list"),
        (b"PAR1\x8c\xff\x00", "not a usable source list"),
    ],
    ids=[
        "unknown source",
        "no source",
        "unknown world",
        "nothing there",
        "two places",
        "not YAML",
        "no mapping",
        "not text",
    ],
)
@pytest.mark.parametrize("command", ["publish", "pull"])
def test_an_unusable_source_list_is_refused_before_anything_is_written(
    tmp_path: Path, command: str, content: str | bytes, sentence: str
) -> None:
    file = tmp_path / "list.yml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = call(command, "--sources", file, "--home", tmp_path / "home")
    assert result.exit_code == 2
    assert sentence in result.output
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        ("fairyland", "no source list 'fairyland': give one of live, sample, a YAML file or a folder"),
        (".", "holds no <source>/*.csv for any known source"),
    ],
)
def test_sources_that_do_not_exist_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("publish", "--sources", sources, "--home", tmp_path / "home")
    assert result.exit_code == 2
    assert sentence in result.output
    assert not (tmp_path / "home").exists()


def test_a_home_of_another_world_is_refused_and_left_as_it_is(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "live.yml"
    file.write_text("world: live\nsources: {gss_changes: {curated: gss_changes.csv}}\n", encoding="utf-8")
    before = sorted(path for path in home.root.rglob("*"))
    result = call("publish", "--sources", file, "--home", home.root)
    assert result.exit_code == 2
    assert "holds sample data and cannot take live data" in result.output
    assert sorted(path for path in home.root.rglob("*")) == before


def test_a_home_that_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for home in (tmp_path / "file", tmp_path / "file" / "home"):
        result = call("publish", "--home", home)
        assert result.exit_code == 2
        assert "file" in result.output


@pytest.mark.parametrize("command", ["publish", "pull"])
def test_fetching_without_a_contact_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.delenv("ENGAGEMENT_CONTACT", raising=False)
    result = call(command, "--sources", "live", "--home", tmp_path / "home")
    assert result.exit_code == 2
    assert "--contact or ENGAGEMENT_CONTACT" in " ".join(result.output.split())
    assert not (tmp_path / "home").exists()


def test_a_day_that_is_none_is_refused_before_the_run(tmp_path: Path) -> None:
    result = call("publish", "--home", tmp_path / "home", "--released-on", "Monday")
    assert result.exit_code == 2
    assert "Monday" in result.output
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["publish", "--sources", "fairyland"], 2, "no source list 'fairyland'"),
        (["verify", "/nowhere"], 2, "/nowhere is neither a folder nor an address"),
        (["status"], 1, "no release under"),
        (["fly"], 2, "No such command 'fly'"),
    ],
)
def test_the_executable_ends_with_the_same_codes_and_sentences(
    tmp_path: Path, arguments: list[str], code: int, sentence: str
) -> None:
    environment = {**os.environ, "ENGAGEMENT_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [ENGAGEMENT, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert sentence in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


# --- publish and pull ---------------------------------------------------------------------------------------


def test_publishing_again_says_that_nothing_changed_and_where_the_release_is(home: Home) -> None:
    result = call("publish", "--home", home.root, "--offline", "--released-on", DAY)
    assert result.exit_code == 0
    assert [line.split("  ")[-1].strip() for line in result.stdout.strip().splitlines()] == [
        str(home.public / "v" / "2026.11.0"),
        str(home.public / "index.html"),
    ]
    assert "nothing changed since release  2026.11.0" in result.stdout
    steps = [line for line in result.stderr.splitlines() if " s  " in line]
    assert len(steps) >= len(PROJECT.queries), "one line per finished step"


def test_pulling_fills_snapshots_and_builds_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    result = call("pull", "--home", home.root)
    assert result.exit_code == 0
    assert {path.name for path in home.snapshots.iterdir()} == PROJECT.sources
    assert not home.warehouse.exists()
    assert not home.public.exists()
    (record,) = run.read_records(home)
    assert (record.job, record.status, record.sources) == ("pull", "pulled", "sample")


@pytest.mark.parametrize(
    ("command", "version", "sentence"),
    [
        ("publish", "2026.11.0", "nothing was published; the newest release is still 2026.11.0."),
        ("publish", None, "nothing was published; there is no release yet."),
        ("pull", None, "not every source could be pulled."),
    ],
)
def test_a_failed_run_names_each_problem_and_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, version: str | None, sentence: str
) -> None:
    record = tmp_path / "runs" / "record.json"
    outcome = RunOutcome(False, False, version, None, ("first problem", "second problem"), record)
    monkeypatch.setattr(run, "run_job", lambda *_, **__: outcome)
    result = call(command, "--home", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-3:] == [
        "error: first problem",
        "error: second problem",
        f"error: {sentence} Attempt recorded in {record}",
    ]


def test_the_environment_gives_home_sources_and_contact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def note(*arguments: Any, **more: Any) -> RunOutcome:
        asked.update(inspect.signature(run_job).bind(*arguments, **more).arguments)
        return RunOutcome(True, False, None, None, (), tmp_path)

    monkeypatch.setattr(run, "run_job", note)
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("ENGAGEMENT_SOURCES", "live")
    monkeypatch.setenv("ENGAGEMENT_CONTACT", "data@example.org")
    assert call("pull").exit_code == 0
    assert {name: asked[name] for name in ("job", "home", "sources", "contact")} == {
        "job": "pull",
        "home": tmp_path / "elsewhere",
        "sources": "live",
        "contact": "data@example.org",
    }


# --- verify -------------------------------------------------------------------------------------------------


def test_a_release_and_the_public_folder_above_it_verify(sample_home: Home, release: Path) -> None:
    rows = sum(dataset.rows for dataset in read_manifest(release).datasets)
    for path in (release, sample_home.public):
        result = call("verify", path)
        assert (result.exit_code, result.stdout) == (
            0,
            f"2026.11.0 verifies: {len(DATASETS)} datasets, {rows:,} rows\nnot signed\n",
        )


def test_the_folder_that_one_stands_in_can_be_verified(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(release)
    assert call("verify", ".").exit_code == 0


def test_a_folder_that_is_no_release_does_not_verify(tmp_path: Path) -> None:
    result = call("verify", tmp_path)
    assert result.exit_code == 1
    assert "holds no manifest.json; is it a release folder?" in result.stderr


def test_a_changed_byte_is_reported_for_its_file_and_for_no_other(home: Home) -> None:
    file = home.public / "v" / "2026.11.0" / "README.md"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for path in (home.public, file.parent):
        result = call("verify", path)
        assert result.exit_code == 1
        *faults, last = result.stderr.splitlines()
        assert faults
        assert all(fault.startswith("error: README.md: ") for fault in faults)
        assert last.endswith("does not verify")


def test_a_pointer_to_a_release_that_is_gone_is_told(home: Home) -> None:
    shutil.rmtree(home.public / "v" / "2026.11.0")
    for arguments in (
        ["verify", home.public],
        ["status", "--home", home.root],
        ["query", "select 1", "--home", home.root],
    ):
        result = call(*arguments)
        assert result.exit_code == 1
        assert "2026.11.0" in result.output


def test_a_damaged_pointer_is_told_with_the_remedy(home: Home) -> None:
    (home.public / "latest.json").write_text("{", encoding="utf-8")
    for arguments in (
        ["verify", home.public],
        ["status", "--home", home.root],
        ["query", "select 1", "--home", home.root],
        ["publish", "--home", home.root],
    ):
        result = call(*arguments)
        assert result.exit_code == 1
        assert "latest.json: damaged; delete it and publish again" in result.stderr


# --- status -------------------------------------------------------------------------------------------------


def attempt(home: Home, status: str, ended_at: dt.datetime, *problems: str) -> None:
    """Record an attempt to publish."""
    record = RunRecord.model_validate(
        {
            "run_id": f"{status}-attempt",
            "job": "publish",
            "sources": "sample",
            "started_at": ended_at - dt.timedelta(minutes=1),
            "ended_at": ended_at,
            "status": status,
            "version": "2026.11.0",
            "problems": problems,
        }
    )
    write_record(home, record)


def test_a_home_without_a_release_is_not_healthy(tmp_path: Path) -> None:
    result = call("status", "--home", tmp_path / "home")
    assert (result.exit_code, result.stdout) == (1, f"no release under {tmp_path / 'home' / 'public'}\n")


def test_a_published_home_is_healthy(sample_home: Home) -> None:
    result = call("status", "--home", sample_home.root)
    assert result.exit_code == 0
    newest, fresh, last = result.stdout.splitlines()
    assert newest.startswith(f"release   2026.11.0, {DAY}, {len(DATASETS)} datasets, ")
    assert newest.endswith(" rows, sample")
    assert fresh.startswith("fresh     yes: last success 0.")
    assert last.startswith("attempt   ")
    assert last.endswith("published  2026.11.0")


def test_a_failed_attempt_makes_a_home_unhealthy_and_its_problems_are_shown(home: Home) -> None:
    attempt(
        home, "failed", dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90), "snapshots.gss_changes: got a web page"
    )
    result = call("status", "--home", home.root)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-2].endswith("failed  2026.11.0")
    assert result.stdout.splitlines()[-1] == "          snapshots.gss_changes: got a web page"


def test_a_failed_attempt_is_forgotten_after_a_good_one_even_where_nothing_changed(home: Home) -> None:
    now = dt.datetime.now(dt.UTC)
    attempt(home, "failed", now + dt.timedelta(minutes=5))
    attempt(home, "unchanged", now + dt.timedelta(minutes=10))
    assert describe_status(home)[1]


def test_freshness_is_that_of_the_strictest_contract_and_counts_unchanged_attempts(home: Home) -> None:
    limit = min(dt.timedelta(days=c.freshness_days) for c in PROJECT.layer("public") if c.freshness_days)
    later = dt.datetime.now(dt.UTC) + limit - dt.timedelta(hours=1)
    assert describe_status(home, later)[1]
    lines, healthy = describe_status(home, later + dt.timedelta(hours=2))
    assert not healthy
    assert f"fresh     no: last success {limit.days} days ago, limit {limit.days} days" in lines
    attempt(home, "unchanged", later)
    assert describe_status(home, later + dt.timedelta(hours=2))[1]


def test_pulls_alone_do_not_make_a_home_fresh(home: Home) -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=400)
    record = run.read_records(home)[0].model_copy(
        update={"job": "pull", "status": "pulled", "started_at": later, "ended_at": later}
    )
    write_record(home, record)
    assert not describe_status(home, later)[1]


# --- query --------------------------------------------------------------------------------------------------

ONE = "select authority_code, seats, valid_from from authorities where authority_code = 'ZZB'"


def test_a_query_prints_a_table(sample_home: Home) -> None:
    result = call("query", ONE, "--home", sample_home.root)
    assert result.exit_code == 0
    for text in ("authority_code", "ZZB", "2023-04-01"):
        assert text in result.stdout


def test_csv_and_json_are_machine_readable_and_keep_whole_numbers_whole(sample_home: Home) -> None:
    sql = "select authority_code, seats from authorities order by authority_code"
    seats = dict(
        duckdb.sql(f"select authority_code, seats from '{released(sample_home)}/authorities.parquet'").fetchall()
    )
    assert None in seats.values(), "a column with gaps is the case that tempts to decimals"
    printed = call("query", sql, "--home", sample_home.root, "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert {row["authority_code"]: row["seats"] for row in rows} == {
        code: "" if count is None else str(count) for code, count in seats.items()
    }
    printed = call("query", sql, "--home", sample_home.root, "--format", "json").stdout
    assert {row["authority_code"]: row["seats"] for row in json.loads(printed)} == seats


def released(home: Home) -> Path:
    return home.public / "v" / "2026.11.0"


@pytest.mark.parametrize("shape", ["csv", "json"])
def test_a_day_is_printed_as_a_day(sample_home: Home, shape: str) -> None:
    printed = call("query", ONE, "--home", sample_home.root, "--format", shape).stdout
    row = json.loads(printed)[0] if shape == "json" else next(csv.DictReader(io.StringIO(printed)))
    assert row["valid_from"] == "2023-04-01"


@pytest.mark.parametrize(
    "sql",
    [
        "from coverage limit 1",
        "describe coverage",
        "show tables",
        "with c as (from coverage) select count(*) from c",
    ],
)
def test_every_way_to_write_a_query_is_welcome(sample_home: Home, sql: str) -> None:
    assert call("query", sql, "--home", sample_home.root).exit_code == 0


def test_an_unknown_table_is_answered_with_the_names_of_the_tables(sample_home: Home) -> None:
    result = call("query", "select * from councils", "--home", sample_home.root)
    assert result.exit_code == 1
    assert f"The tables are {', '.join(DATASETS)}." in result.stderr


@pytest.mark.parametrize("sql", ["selec 1", "select nothing_known from coverage", "", "select 'a'::int"])
def test_sql_that_cannot_run_is_answered_in_a_sentence(sample_home: Home, sql: str) -> None:
    result = call("query", sql, "--home", sample_home.root)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")


def test_without_a_release_a_query_says_what_to_do(tmp_path: Path) -> None:
    result = call("query", "select 1", "--home", tmp_path)
    assert result.exit_code == 1
    assert "run `engagement publish` first" in result.stderr


def test_a_release_that_lost_a_file_is_told(home: Home) -> None:
    (released(home) / "coverage.parquet").unlink()
    result = call("query", "select 1", "--home", home.root)
    assert result.exit_code == 1
    assert "coverage.parquet" in result.stderr


def test_a_home_with_a_quote_in_its_name_can_be_queried(sample_home: Home, tmp_path: Path) -> None:
    home = Path(shutil.copytree(sample_home.root, tmp_path / "o'brien's"))
    assert call("query", "select count(*) from coverage", "--home", home).exit_code == 0


@pytest.mark.parametrize(
    "sql",
    [
        "create table mine as select 1",
        "drop view coverage",
        "set threads = 1",
        "copy (select 1) to '{release}/written.csv'",
        "copy (select 1) to '{release}/coverage.parquet'",
        "copy (select 1) to '{release}/written.csv'; select 1",
        "select 1; copy (select 1) to '{release}/written.csv'",
        "attach '{release}/written.duckdb' as written",
        "export database '{release}/written'",
        "explain analyze copy (select 1) to '{release}/written.csv'",
    ],
)
def test_what_is_not_a_query_is_refused_and_leaves_the_release_alone(home: Home, sql: str) -> None:
    result = call("query", sql.format(release=released(home)), "--home", home.root)
    assert verify_release(released(home)) == [], "a release is never changed"
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/passwd')",
        "select * from read_csv('/etc/passwd', header = false)",
        "select * from read_blob('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from read_text('{release}/../../../../../../../../../../../etc/passwd')",
        "select * from read_text('{home}/world.txt')",
        "select * from read_text('{release}/../../latest.json')",
        "select * from read_text('{release}-secret/file.csv')",
        "select * from '{home}/world.csv'",
        "select * from glob('/etc/*')",
        "select * from glob('{home}/*')",
        "select * from sniff_csv('/etc/passwd')",
        "select * from parquet_metadata('{home}/other.parquet')",
        "copy (select 1) to '{home}/written.csv'",
        "copy (select 1) to '/dev/stdout'",
        "attach '{home}/warehouse.duckdb' as warehouse",
        "attach '{home}/warehouse.duckdb' as warehouse (read_only); select * from warehouse.clean.candidacy",
        "import database '{home}'",
        "install httpfs",
        "load httpfs",
        "select * from 'https://example.org/data.parquet'",
        "set enable_external_access = true; select * from read_text('/etc/passwd')",
        "set allowed_directories = ['/']; select * from read_text('/etc/passwd')",
        "pragma enable_external_access; select * from read_text('/etc/passwd')",
        "select getenv('HOME')",
    ],
)
def test_a_query_reaches_nothing_but_the_release(home: Home, sql: str) -> None:
    root = home.root
    (root / "world.csv").write_text("world\nsecret\n", encoding="utf-8")
    (root / "public" / "v" / "2026.11.0-secret").mkdir()
    (root / "public" / "v" / "2026.11.0-secret" / "file.csv").write_text("secret\n", encoding="utf-8")
    shutil.copy(released(home) / "coverage.parquet", root / "other.parquet")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    result = call("query", sql.format(release=released(home), home=root), "--home", root)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "root:" not in result.output
    assert "secret\n" not in result.output
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_query_cannot_see_the_variables_of_the_program(sample_home: Home) -> None:
    for name in ("names", "sql", "folder", "public", "frame", "relation"):
        result = call("query", f"select * from {name}", "--home", sample_home.root)
        assert result.exit_code == 1
        assert "The tables are" in result.stderr


def test_the_executable_answers_a_query_and_nothing_else_on_standard_output(sample_home: Home) -> None:
    sql = "select count(*) as authorities from authorities"
    done = subprocess.run(
        [ENGAGEMENT, "query", sql, "--format", "csv"],
        env={**os.environ, "ENGAGEMENT_HOME": str(sample_home.root)},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = read_manifest(released(sample_home)).dataset("authorities").rows
    assert done.stdout == f"authorities\n{rows}\n"


# --- sample -------------------------------------------------------------------------------------------------


def test_the_sample_world_is_written_in_the_shape_that_publish_reads(tmp_path: Path) -> None:
    result = call("sample", tmp_path / "world")
    assert result.exit_code == 0
    folders = {path.name for path in (tmp_path / "world").iterdir() if path.is_dir()}
    assert folders == PROJECT.sources | {"interviews"}
    places = tmp_path / "world" / "sources.yml"
    assert f"--sources {places}" in result.stdout
    assert call("pull", "--sources", places, "--home", tmp_path / "home").exit_code == 0
    assert (tmp_path / "home" / "world.txt").read_text(encoding="utf-8") == "sample\n"


# --- check and new ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checkout:
    """Copies of the folders that an author writes to."""

    contracts: Path
    sql: Path
    examples: Path

    def start(self, name: str) -> list[Path]:
        """Start a dataset in these folders."""
        return start_dataset(name, self.contracts, self.sql, self.examples)

    def faults(self) -> list[str]:
        """What is wrong with contracts and SQL."""
        return project_faults(self.contracts, self.sql)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    contracts = Path(shutil.copytree(project_folder("data_contracts"), tmp_path / "checkout" / "data_contracts"))
    sql = Path(shutil.copytree(project_folder("sql"), tmp_path / "checkout" / "sql"))
    return Checkout(contracts, sql, tmp_path / "checkout" / "tests" / "fixtures" / "counter_examples")


@contextmanager
def sample_warehouse(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse of a home, as a run opens it."""
    with open_warehouse(home.warehouse, FUNCTIONS) as con:
        con.execute(PROJECT.macros)
        yield con


def test_the_project_as_it_stands_is_in_order() -> None:
    result = call("check")
    assert (result.exit_code, result.stdout) == (0, "contracts and SQL are in order\n")


def test_check_names_every_fault_with_its_file(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout.sql / "public" / "orphan.sql").write_text(
        "-- one row per nothing\nselect a.b from clean.nowhere as a\n", encoding="utf-8"
    )
    (checkout.sql / "public" / "coverage.sql").unlink()
    folders = {"data_contracts": checkout.contracts, "sql": checkout.sql}
    monkeypatch.setattr(authoring, "project_folder", folders.__getitem__)
    result = call("check")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"error: {checkout.contracts}/public/coverage.yml: has no sql/public/coverage.sql",
        f"error: {checkout.sql}/public/orphan.sql: has no data_contracts/public/orphan.yml",
        f"error: {checkout.sql}/public/orphan.sql: reads clean.nowhere, which nothing builds",
        "error: 3 faults in contracts or SQL",
    ]


def test_a_new_dataset_is_three_files_that_pass_every_check(checkout: Checkout) -> None:
    paths = checkout.start("council_pages")
    assert paths == [
        checkout.contracts / "public" / "council_pages.yml",
        checkout.sql / "public" / "council_pages.sql",
        checkout.examples / "council_pages.yml",
    ]
    assert all(path.is_file() for path in paths)
    assert checkout.faults() == []


def test_the_new_command_names_what_it_wrote(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {"data_contracts": checkout.contracts, "sql": checkout.sql}
    monkeypatch.setattr(authoring, "project_folder", folders.__getitem__)
    monkeypatch.chdir(checkout.sql.parent)
    result = call("new", "council_pages")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:3] == [
        "wrote data_contracts/public/council_pages.yml",
        "wrote sql/public/council_pages.sql",
        "wrote tests/fixtures/counter_examples/council_pages.yml",
    ]
    assert checkout.faults() == []


def test_a_new_dataset_is_built_and_judged_at_once_and_its_counter_examples_are_refused(
    checkout: Checkout, home: Home
) -> None:
    checkout.start("council_pages")
    contract = load_contracts(checkout.contracts)["public.council_pages"]
    query = load_queries(checkout.sql)["public.council_pages"]
    with sample_warehouse(home) as con:
        result = build_table(con, query.table, query.text, query.grain, contract)
        assert result.rows_out == result.rows_in > 10
        assert check_table(con, contract, "sample").failures == ()
        examples = read_examples(checkout.examples / "council_pages.yml")
        assert len(examples) >= 2
        for example in examples:
            assert example["rule"] in spoiled(con, contract, example).quarantined, example


@pytest.mark.parametrize(
    "name",
    ["", "Bad", "1st", "a-b", "a b", "a.b", "../escape", "/escape", "name\n", "naïve", "_hidden", "a;drop"],
)
def test_a_name_that_cannot_be_a_table_is_refused_and_nothing_is_written(checkout: Checkout, name: str) -> None:
    before = sorted(checkout.sql.parent.rglob("*"))
    with pytest.raises(ContractError, match="cannot be a dataset's name"):
        checkout.start(name)
    assert sorted(checkout.sql.parent.rglob("*")) == before


@pytest.mark.parametrize("taken", ["contract", "query", "examples"])
def test_a_name_that_is_taken_is_refused_and_nothing_is_written(checkout: Checkout, taken: str) -> None:
    paths = dict(zip(("contract", "query", "examples"), checkout.start("council_pages"), strict=True))
    for what, path in paths.items():
        if what != taken:
            path.unlink()
    paths[taken].write_text("written by hand", encoding="utf-8")
    before = sorted(checkout.sql.parent.rglob("*"))
    with pytest.raises(ContractError, match=r"exists already: choose another name"):
        checkout.start("council_pages")
    assert sorted(checkout.sql.parent.rglob("*")) == before
    assert paths[taken].read_text(encoding="utf-8") == "written by hand"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("Council-Pages", "cannot be a dataset's name"), ("authorities", "exists already: choose another name")],
)
def test_the_new_command_refuses_in_a_sentence(name: str, sentence: str) -> None:
    result = call("new", name)
    assert result.exit_code == 1
    assert sentence in result.stderr


# --- counter-examples ---------------------------------------------------------------------------------------


def read_examples(path: Path) -> list[dict[str, Any]]:
    """The counter-examples of one dataset: `{rule, set: {column: value}}`."""
    examples: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return examples


def spoiled(con: duckdb.DuckDBPyConnection, contract: Contract, example: dict[str, Any]) -> TableResult:
    """Build a dataset from one of its own good rows with some columns set to other values."""
    known = {column.name: column.sql_type for column in contract.columns}
    assert set(example["set"]) <= set(known), f"{example['rule']}: sets a column that the contract does not have"
    columns = ", ".join(
        f"cast({literal(example['set'][name])} as {sql_type}) as {name}" if name in example["set"] else name
        for name, sql_type in known.items()
    )
    con.execute(f"create or replace temp table good as from {contract.table} limit 1")
    try:
        relaxed = replace(contract, max_quarantine_percent=100.0)
        return build_table(con, contract.table, f"select {columns} from good", contract.grain, relaxed)
    finally:
        con.execute(f"insert into {contract.table} from good")


def literal(value: object) -> str:
    return "null" if value is None else quote(str(value))


def test_the_counter_examples_of_every_dataset_are_refused_by_the_rule_they_name(home: Home) -> None:
    with sample_warehouse(home) as con:
        for path in sorted(EXAMPLES.glob("*.yml")):
            contract = PROJECT.contracts[f"public.{path.stem}"]
            rules = {rule.name: rule for rule in contract.all_rules()}
            for example in read_examples(path):
                assert example["rule"] in rules, f"{path.name}: the contract has no rule {example['rule']}"
                assert rules[example["rule"]].per_row, f"{path.name}: {example['rule']} is not about a row"
                result = spoiled(con, contract, example)
                assert example["rule"] in {**result.quarantined, **result.warnings}, (path.name, example)
