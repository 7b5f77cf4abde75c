"""Releases that follow each other: levels, refusals, deltas, deprecation; on real releases of small datasets."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import orjson
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.contract import official_faults, to_ddl
from pipelines.definitions import build_defs
from pipelines.release.build import Outcome, ReleaseInput, build_release, pointer_faults
from pipelines.release.changes import ReleaseChanges, apply_delta, changelog, read_changes
from pipelines.release.manifest import Manifest, ManifestError, ReleaseError, read_manifest, read_pointer
from pipelines.release.verify import verify_release
from pipelines.schedules import weekly_release
from pipelines.settings import Home
from tests.conftest import DAY
from tests.helpers import column, contents, document, key, load

Document = dict[str, Any]
Row = tuple[Any, ...]
Edit = Callable[[Document], Any]
ROWS: tuple[Row, ...] = (("A", 1, "first"), ("B", 2, "secundus"), ("C", 3, None))
FIRST_DAY = dt.date(2026, 11, 23)


def things(version: str = "1.0.0") -> Document:
    """A small dataset: a key, a number, a text."""
    columns = [key("thing_code", 1), column("thing_count", "integer", required=True), column("note")]
    return document("public.things", columns) | {"version": version}


def stuff() -> Document:
    """A dataset beside it, in which nothing ever changes."""
    return document("public.stuff", [key("stuff_code", 1)])


def columns_of(contract: Document) -> list[Document]:
    found: list[Document] = contract["schema"][0]["properties"]
    return found


def deprecate(contract: Document, after: dt.date) -> Document:
    """The contract with the notice that the dataset will go."""
    said = [{"property": "removeAfter", "value": after}, {"property": "replacedBy", "value": "stuff"}]
    return contract | {
        "status": "deprecated",
        "version": "1.1.0",
        "customProperties": [*contract["customProperties"], *said],
    }


@dataclass(frozen=True)
class Press:
    """A home in which small datasets are released again and again."""

    folder: Path

    @property
    def public(self) -> Path:
        return self.folder / "home" / "public"

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    def release(
        self,
        contract: Document | None = None,
        rows: Sequence[Row] = ROWS,
        *,
        day: dt.date = FIRST_DAY,
        forbid_major: bool = False,
    ) -> Outcome:
        """Release `stuff` and, if a contract is given, `things` with these rows."""
        documents = [(stuff(), (("S",),)), *([(contract, rows)] if contract else [])]
        con = duckdb.connect(":memory:")
        con.execute("create schema public")
        contracts = []
        for written, table_rows in documents:
            loaded = load(self.folder, written)
            contracts.append(loaded)
            con.execute(to_ddl(loaded))
            for row in table_rows:
                con.execute(f"insert into {loaded.table} values ({', '.join('?' * len(row))})", row)
        return build_release(
            con,
            ReleaseInput(
                home=self.home,
                world="sample",
                released_on=day,
                contracts=tuple(sorted(contracts, key=lambda c: c.name)),
                minimum_rows={c.name: "none" for c in contracts},
                inputs={},
                origins={c.name: () for c in contracts},
                code_digest="0" * 64,
                forbid_major=forbid_major,
            ),
        )

    def latest(self) -> str:
        pointer = read_pointer(self.public)
        assert pointer is not None
        return pointer.version


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """A home with a first release."""
    press = Press(tmp_path)
    press.release(things())
    return press


def told(outcome: Outcome) -> tuple[Manifest, ReleaseChanges]:
    """What a release says about itself, after verifying it."""
    assert outcome.is_new
    assert verify_release(outcome.folder) == []
    assert pointer_faults(outcome.folder.parent.parent) == []
    changes = read_changes(outcome.folder)
    assert changes is not None
    return read_manifest(outcome.folder), changes


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def call(*arguments: str | Path) -> Result:
    """Run a command in this process; whatever it does, it must not end in a traceback."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    unexpected = result.exception if not isinstance(result.exception, SystemExit) else None
    assert unexpected is None, f"{type(unexpected).__name__}: {unexpected}"
    return result


# --- levels -------------------------------------------------------------------------------------------------


def add_column(contract: Document) -> None:
    columns_of(contract).append(column("colour"))


def rename_column(contract: Document) -> None:
    columns_of(contract)[2]["name"] = "remark"


ONE_CHANGED = (ROWS[0], ("B", 20, "secundus"), ROWS[2])
WITH_COLOUR = tuple((*row, "red" if row[0] == "A" else None) for row in ROWS)
CASES: dict[str, tuple[Edit, str, Sequence[Row], str, str]] = {
    "one changed row": (lambda c: c, "1.0.0", ONE_CHANGED, "patch", "rows: 1 changed, 2 as before"),
    "an added column": (add_column, "1.1.0", WITH_COLOUR, "minor", "column colour is new"),
    "a renamed column": (rename_column, "2.0.0", ROWS, "major", "column note was renamed to remark"),
}


def test_a_first_release_has_nothing_to_compare_with(tmp_path: Path) -> None:
    press = Press(tmp_path)
    outcome = press.release(things(), forbid_major=True)
    manifest, changes = told(outcome)
    assert (manifest.change, changes.change, changes.previous) == ("first", "first", None)
    assert {dataset.change for dataset in manifest.datasets} == {"first"}
    assert not (outcome.folder / "changes").exists()
    assert orjson.loads((press.public / "deltas.json").read_bytes()) == {"deltas": []}


def test_a_release_keeps_its_contracts_complete_and_valid(press: Press) -> None:
    for name in ("things", "stuff"):
        kept = orjson.loads((press.public / "v" / "2026.11.0" / "contracts" / f"{name}.json").read_bytes())
        assert official_faults(kept) == []
        assert kept["id"] == f"public.{name}"


@pytest.mark.parametrize("case", CASES)
def test_a_change_gives_the_level_that_is_documented(press: Press, case: str) -> None:
    edit, version, rows, level, sentence = CASES[case]
    contract = things(version)
    edit(contract)
    manifest, changes = told(press.release(contract, rows))
    assert (manifest.version, manifest.change, changes.change) == ("2026.11.1", level, level)
    assert {dataset.name: dataset.change for dataset in manifest.datasets} == {"stuff": "none", "things": level}
    assert f"things: {sentence}" in changes.sentences
    for name in ("CHANGES.md", "README.md", "index.html"):
        assert "CHANGES.md" in (press.public / "v" / "2026.11.1" / name).read_text() or name == "CHANGES.md"
    assert sentence in (press.public / "v" / "2026.11.1" / "CHANGES.md").read_text()
    (newest, first) = orjson.loads((press.public / "versions.json").read_bytes())["versions"]
    assert (newest["change"], newest["previous"], first["change"]) == (level, "2026.11.0", "first")
    catalog = {d["name"]: d for d in orjson.loads((press.public / "catalog.json").read_bytes())["datasets"]}
    assert catalog["things"]["change"] == level


@pytest.mark.parametrize("case", ["an added column", "a renamed column"])
def test_a_contract_that_states_too_low_a_version_is_told_which_to_write(press: Press, case: str) -> None:
    edit, version, rows, _, sentence = CASES[case]
    contract = things("1.0.1")
    edit(contract)
    before = files(press.public)
    expected = rf"things\.yml: states version 1\.0\.1 after 1\.0\.0, but {sentence}: write {re.escape(version)}"
    with pytest.raises(ReleaseError, match=expected):
        press.release(contract, rows)
    assert files(press.public) == before
    assert not list(press.home.staging.iterdir())


def test_a_major_change_is_refused_where_nobody_watches_and_made_by_hand(press: Press) -> None:
    contract = things("2.0.0")
    rename_column(contract)
    before = files(press.public)
    with pytest.raises(ReleaseError, match=r"forbidden here \(things: column note was renamed to remark\)"):
        press.release(contract, forbid_major=True)
    assert files(press.public) == before
    assert press.latest() == "2026.11.0"
    assert not list(press.home.staging.iterdir())
    assert press.release(contract).version == press.latest() == "2026.11.1"


@pytest.mark.parametrize("case", ["one changed row", "an added column"])
def test_lesser_changes_are_made_where_nobody_watches(press: Press, case: str) -> None:
    edit, version, rows, level, _ = CASES[case]
    contract = things(version)
    edit(contract)
    manifest, _ = told(press.release(contract, rows, forbid_major=True))
    assert manifest.change == level


def test_other_words_are_a_patch_that_changes_no_row(press: Press) -> None:
    contract = things("1.0.1")
    contract["description"]["limitations"] = "It is still about nobody."
    manifest, changes = told(press.release(contract))
    assert manifest.change == "patch"
    (things_changes,) = (d for d in changes.datasets if d.name == "things")
    assert things_changes.sentences() == ["other words for: limitations", "every row is as before"]


def test_a_new_dataset_is_minor(tmp_path: Path) -> None:
    press = Press(tmp_path)
    press.release()
    manifest, changes = told(press.release(things()))
    assert manifest.change == "minor"
    assert changes.sentences == ("things: this dataset is new",)


def test_nothing_changed_gives_no_release(press: Press) -> None:
    before = files(press.public)
    outcome = press.release(things(), day=dt.date(2026, 12, 24))
    assert (outcome.is_new, outcome.version) == (False, "2026.11.0")
    assert files(press.public) == before


def test_the_same_changes_give_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        press = Press(tmp_path / name)
        press.release(things())
        made.append(files(press.release(things(), ONE_CHANGED).folder))
    assert {name: data for name, data in made[0].items() if made[1][name] != data} == {}
    assert {"CHANGES.md", "changes.json", "changes/things.parquet", "contracts/things.json"} <= set(made[0])


# --- deltas -------------------------------------------------------------------------------------------------


def test_the_listed_deltas_lead_from_the_first_release_to_the_newest(press: Press, tmp_path: Path) -> None:
    press.release(things(), ONE_CHANGED)
    wider = things("1.1.0")
    add_column(wider)
    press.release(wider, WITH_COLOUR[1:])
    press.release(wider, [*WITH_COLOUR, ("D", 4, "fourth", "blue")])
    deltas = [
        entry
        for entry in reversed(orjson.loads((press.public / "deltas.json").read_bytes())["deltas"])
        if entry["dataset"] == "things"
    ]
    assert [(d["from"], d["to"], d["rows"]) for d in deltas] == [
        ("2026.11.0", "2026.11.1", 1),
        ("2026.11.1", "2026.11.2", 2),
        ("2026.11.2", "2026.11.3", 2),
    ]
    current = tmp_path / "current.parquet"
    shutil.copy(press.public / "v" / "2026.11.0" / "things.parquet", current)
    for entry in deltas:
        pq.write_table(apply_delta(current, press.public / entry["path"], ["thing_code"]), current)
        published = pq.read_table(press.public / "v" / entry["to"] / "things.parquet")
        assert pq.read_table(current).equals(published), entry["to"]


def test_the_query_that_the_release_prints_gives_the_new_version(
    press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = press.release(things(), [*ONE_CHANGED[1:], ("D", 4, "fourth")])
    text = (outcome.folder / "CHANGES.md").read_text(encoding="utf-8")
    (query,) = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(outcome.folder)
    assert duckdb.execute(query).fetchall() == duckdb.execute("from 'things.parquet'").fetchall()


def test_a_delta_does_not_bring_back_what_was_removed(press: Press) -> None:
    outcome = press.release(things(), ROWS[:1])
    assert [name for name, data in contents(outcome.folder) if b"secundus" in data] == []
    removed = pq.read_table(outcome.folder / "changes" / "things.parquet").to_pylist()
    assert [(row["change"], row["thing_code"], row["note"]) for row in removed] == [
        ("removed", "B", None),
        ("removed", "C", None),
    ]


def test_where_another_key_names_rows_there_is_no_delta_and_a_reason(press: Press) -> None:
    contract = things("2.0.0")
    columns_of(contract)[1] = key(
        "thing_count", 2, "integer", customProperties=columns_of(contract)[1]["customProperties"]
    )
    outcome = press.release(contract)
    _, changes = told(outcome)
    (found,) = (d for d in changes.datasets if d.name == "things")
    assert (found.delta, found.rows) == (None, None)
    assert (
        found.no_delta
        == "what names a row changed from thing_code to thing_code, thing_count: take the whole file"
    )
    assert not (outcome.folder / "changes" / "things.parquet").exists()
    assert found.no_delta in (outcome.folder / "CHANGES.md").read_text(encoding="utf-8")


def test_the_changelog_lists_every_release_newest_first(press: Press) -> None:
    press.release(things(), ONE_CHANGED)
    assert [(c.version, c.previous, c.change) for c in changelog(press.public)] == [
        ("2026.11.1", "2026.11.0", "patch"),
        ("2026.11.0", None, "first"),
    ]


# --- releases that cannot be compared -----------------------------------------------------------------------


def test_a_release_from_before_contracts_were_kept_waits_for_a_person(press: Press) -> None:
    shutil.rmtree(press.public / "v" / "2026.11.0" / "contracts")
    with pytest.raises(ReleaseError, match=r"release 2026\.11\.0 keeps no contract of it"):
        press.release(things(), ONE_CHANGED, forbid_major=True)
    manifest, _ = told(press.release(things(), ONE_CHANGED))
    assert manifest.change == "major"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("things.parquet", b"PAR1", r"things\.parquet: cannot be read as Parquet"),
        ("contracts/things.json", b"{", r"contracts/things\.json: not JSON"),
        ("contracts/things.json", b"[]", r"contracts/things\.json: not a contract of this kind"),
    ],
)
def test_a_damaged_release_before_is_named_and_nothing_is_released(
    press: Press, name: str, content: bytes, sentence: str
) -> None:
    (press.public / "v" / "2026.11.0" / name).write_bytes(content)
    before = files(press.public)
    with pytest.raises(ManifestError, match=sentence):
        press.release(things(), ONE_CHANGED)
    assert files(press.public) == before


# --- deprecation --------------------------------------------------------------------------------------------

LAST = FIRST_DAY + dt.timedelta(days=90)


def test_a_deprecated_dataset_is_shown_as_such_wherever_it_is_shown(press: Press) -> None:
    outcome = press.release(deprecate(things(), LAST))
    manifest, changes = told(outcome)
    assert manifest.change == "minor"
    entry = manifest.dataset("things")
    assert entry.deprecation is not None
    assert (entry.status, entry.deprecation.since, entry.deprecation.remove_after) == (
        "deprecated",
        FIRST_DAY,
        LAST,
    )
    assert "things: it is deprecated and may be removed after 2027-02-21; use stuff instead" in changes.sentences
    notice = "This dataset is deprecated since 2026-11-23 and may be removed after 2027-02-21. Use stuff instead."
    for name in ("README.md", "codebook.md", "datapackage.json", "index.html"):
        assert notice in (outcome.folder / name).read_text(encoding="utf-8"), name


def test_a_dataset_is_removed_only_after_the_notice_has_run_out(press: Press) -> None:
    before = files(press.public)
    with pytest.raises(ReleaseError, match=r"dataset things is gone, but release 2026\.11\.0 did not say"):
        press.release()
    too_soon = deprecate(things(), LAST - dt.timedelta(days=1))
    with pytest.raises(ReleaseError, match="write 2027-02-21"):
        press.release(too_soon)
    assert files(press.public) == before
    press.release(deprecate(things(), LAST))
    later = FIRST_DAY + dt.timedelta(days=30)
    press.release(deprecate(things(), LAST), ONE_CHANGED, day=later)
    assert (
        read_manifest(press.public / "v" / press.latest()).dataset("things").deprecation
        == read_manifest(press.public / "v" / "2026.11.1").dataset("things").deprecation
    )
    with pytest.raises(ReleaseError, match="dataset things is gone, but promised until 2027-02-21"):
        press.release(day=LAST)
    after = LAST + dt.timedelta(days=1)
    with pytest.raises(ReleaseError, match=r"forbidden here \(things: this dataset was removed\)"):
        press.release(day=after, forbid_major=True)
    manifest, _ = told(press.release(day=after))
    assert (manifest.change, [d.name for d in manifest.datasets]) == ("major", ["stuff"])


# --- commands and schedules ---------------------------------------------------------------------------------


def test_two_releases_are_compared_by_version_by_folder_and_in_every_format(press: Press) -> None:
    press.release(things(), ONE_CHANGED)
    folder = press.public / "v"
    text = call("diff", "2026.11.0", "latest", "--home", press.home.root)
    assert text.exit_code == 0
    assert "patch" in text.output
    assert "thing_count  +18 to 20 (B)" in text.output
    markdown = call("diff", folder / "2026.11.0", folder / "2026.11.1", "--format", "markdown")
    assert "| things | patch | 1.0.0 | 0 | 0 | 1 | 2 |" in markdown.output
    assert "`thing_count` +18 to 20 (`B`)" in markdown.output
    page = call("diff", folder / "2026.11.0", press.public, "--format", "html")
    assert page.output.startswith("<!doctype html>")
    assert "rows: 1 changed, 2 as before" in page.output
    back = call("diff", "2026.11.1", "2026.11.0", "--home", press.home.root)
    assert "thing_count  −18 to 2 (B)" in back.output


def test_a_release_that_is_not_there_is_a_sentence(press: Press) -> None:
    result = call("diff", "2026.11.0", "2027.1.0", "--home", press.home.root)
    assert result.exit_code == 1
    assert "no release 2027.1.0" in result.output
    assert "one of the versions here: 2026.11.0" in result.output


def test_contracts_are_compared_with_a_release_without_data(press: Press) -> None:
    """Against a release of other datasets, all of the project's own are new, and those are gone too early."""
    result = call("check", "--against", press.public)
    assert result.exit_code == 1
    assert "minor  coverage: this dataset is new" in result.output
    assert "major  things: this dataset was removed" in result.output
    assert "error: dataset things is gone, but release 2026.11.0 did not say that it would go" in result.output


def test_the_weekly_release_forbids_major_changes() -> None:
    """The run that the schedule asks for is one that the job takes, and says so to the asset of the release."""
    moment = dt.datetime(2026, 11, 23, 6, 15, tzinfo=dt.UTC)
    request = weekly_release(dg.build_schedule_context(scheduled_execution_time=moment))
    assert isinstance(request, dg.RunRequest)
    resolved = dg.validate_run_config(build_defs().resolve_job_def("publish"), request.run_config)
    assert resolved["ops"]["release"]["config"] == {"forbid_major": True}


def test_publish_with_forbid_major_fails_and_leaves_latest(sample_home: Home, tmp_path: Path) -> None:
    """The whole job: the release before promised a column that today's contract has no more."""
    home = Home(Path(shutil.copytree(sample_home.root, tmp_path / "home")))
    folder = home.public / "v" / "2026.11.0"
    kept = folder / "contracts" / "coverage.json"
    promised = orjson.loads(kept.read_bytes())
    columns_of(promised).append(column("lost_column"))
    kept.write_bytes(orjson.dumps(promised))
    manifest = read_manifest(folder)
    other = [
        d.model_copy(update={"contract_sha256": "0"} if d.name == "coverage" else {}) for d in manifest.datasets
    ]
    (folder / "manifest.json").write_text(manifest.model_copy(update={"datasets": tuple(other)}).model_dump_json())
    latest = (home.public / "latest.json").read_bytes()
    result = call("publish", "--home", home.root, "--offline", "--released-on", DAY, "--forbid", "major")
    assert result.exit_code == 1
    assert "a major change is forbidden here (coverage: column lost_column was removed)" in result.output
    assert "the newest release is still 2026.11.0" in result.output
    assert (home.public / "latest.json").read_bytes() == latest
    assert [path.name for path in (home.public / "v").iterdir()] == ["2026.11.0"]
