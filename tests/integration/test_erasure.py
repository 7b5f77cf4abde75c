"""An account is erased from a home: every place of it, every release, at whatever moment the erasure is killed."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import duckdb
import orjson
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pipelines.assets import Workplace
from pipelines.cli import main
from pipelines.erasure.erase import carry_out, count, find, plan, resumed
from pipelines.erasure.journal import ErasureError, read_pending
from pipelines.erasure.names import Sighting, find_names
from pipelines.erasure.search import find_traces, needle_for
from pipelines.observations import TABLES, ObservationStore
from pipelines.pull import pull_source, replay
from pipelines.release.build import pointer_faults
from pipelines.release.changes import apply_delta, read_changes
from pipelines.release.manifest import read_manifest, read_pointer, released_versions
from pipelines.release.verify import verify_release
from pipelines.settings import Home, Location
from pipelines.snapshots import SnapshotStore
from pipelines.sources.http import HttpPolicy
from pipelines.suppression import SuppressionError, read_suppressed
from pipelines.warehouse import WarehouseError
from tests.canaries import sightings
from tests.erasure_home import (
    CONTRACTS,
    DAY,
    HANDLE,
    ID,
    OFFICIAL,
    OTHER,
    OTHER_ID,
    POLICY,
    START,
    TOKENS,
    begin,
    build_home,
    place_of,
    release,
    rows_with,
    run_child,
)

KILLS = 24


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home before anything is erased; for reading only."""
    root = tmp_path_factory.mktemp("erasure") / "home"
    build_home(root)
    return root


@pytest.fixture(scope="module")
def erased_home(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home after the erasure; for reading only."""
    root = Path(shutil.copytree(built, tmp_path_factory.mktemp("erased") / "home"))
    begin(root)
    return root


@pytest.fixture
def home(built: Path, tmp_path: Path) -> Path:
    """A home in which a test may erase."""
    return Path(shutil.copytree(built, tmp_path / "home"))


def versions(root: Path) -> Iterator[Path]:
    public = Home(root).public
    return (public / "v" / version for version in released_versions(public))


def faults_of(root: Path) -> list[str]:
    """All that is wrong with the releases, their lists, and the records of pulls."""
    found = [f"{folder.name}: {fault}" for folder in versions(root) for fault in verify_release(folder)]
    found += pointer_faults(Home(root).public)
    store = ObservationStore(Home(root).observations, CONTRACTS, POLICY)
    for record in store.pulls():
        for table in TABLES:
            held = pq.read_metadata(store.place(record) / f"{table}.parquet").num_rows
            if held != record.rows[table]:
                found.append(f"{record.pull_id}: {table} holds {held} rows, the record says {record.rows[table]}")
    return found


# --- what goes, and what stays ------------------------------------------------------------------------------


def test_the_account_is_in_every_place_before_and_in_none_after(built: Path, erased_home: Path) -> None:
    places = {name.split("/")[0] for name, _ in sightings(built, TOKENS)}
    assert places == {"observations", "public", "roster.parquet", "runs", "snapshots", "warehouse.duckdb"}
    assert sightings(erased_home, TOKENS) == set()
    assert faults_of(erased_home) == []
    assert read_pending(Home(erased_home)) is None


def test_others_keep_everything(built: Path, erased_home: Path) -> None:
    def of_others(root: Path, table: str) -> list[tuple[object, ...]]:
        store = place_of(root).observations
        columns = "account_id, observed_at" + (", handle" if table == "profile" else "")
        query = f"select {columns} from ({store.query(table)}) where account_id <> ? order by all"
        return duckdb.execute(query, [ID]).fetchall()

    for table in ("account", "profile", "post"):
        assert of_others(erased_home, table) == of_others(built, table) != []
    for before, after in zip(versions(built), versions(erased_home), strict=True):
        kept = [row for row in pq.read_table(before / "listed.parquet").to_pylist() if row["handle"] != HANDLE]
        assert pq.read_table(after / "listed.parquet").to_pylist() == kept
        assert (after / "every.parquet").read_bytes() == (before / "every.parquet").read_bytes()
        assert (after / "every.csv.gz").read_bytes() == (before / "every.csv.gz").read_bytes()


def test_figures_that_rest_on_the_account_alone_go_with_it(erased_home: Path) -> None:
    """A council's figures on the platform are the account's; those of its councillors are not."""
    for folder in versions(erased_home):
        kinds = {
            (r["authority_code"], r["owner_kind"]) for r in pq.read_table(folder / "owned.parquet").to_pylist()
        }
        assert kinds == {("ZZB", "councillor"), ("ZZC", "council")}


def test_editions_say_what_is_missing_and_name_nobody(erased_home: Path) -> None:
    first, second, third, fourth = versions(erased_home)
    assert not (first / "erasure.json").exists()
    assert read_manifest(first).erasures is None
    for folder, rows in ((second, {"listed": 1, "owned": 1}), (third, {"listed": 1, "owned": 1}), (fourth, {})):
        (told,) = orjson.loads((folder / "erasure.json").read_bytes())["erasures"]
        assert set(told) == {"erasure", "erased_on", "reason", "rows"}
        assert told["rows"] == rows
        assert told["erased_on"] == "2026-11-23"
        assert "erased from this release on 2026-11-23" in (folder / "README.md").read_text(encoding="utf-8")
    listed = orjson.loads((Home(erased_home).public / "versions.json").read_bytes())["versions"]
    assert [("erased_on" in one) for one in listed] == [True, True, True, False]


def test_row_counts_and_deltas_follow_from_what_is_left(erased_home: Path) -> None:
    folders = list(versions(erased_home))
    for before, after in pairwise(folders):
        changes = read_changes(after)
        assert changes is not None
        for dataset in read_manifest(after).datasets:
            assert dataset.rows == pq.read_metadata(after / f"{dataset.name}.parquet").num_rows
            told = next(one for one in changes.datasets if one.name == dataset.name)
            assert told.delta is not None
            rebuilt = apply_delta(before / f"{dataset.name}.parquet", after / told.delta, dataset.key)
            assert rebuilt.to_pylist() == pq.read_table(after / f"{dataset.name}.parquet").to_pylist()


def test_a_snapshot_says_that_it_was_altered_and_is_read_again(erased_home: Path) -> None:
    store = SnapshotStore(Home(erased_home).snapshots)
    for source, rows in (("official_accounts", 2), ("democracy_club_candidates", 3)):
        fetches = store.fetches(source)
        assert [fetch.erased_on for fetch in fetches] == [DAY, DAY]
        assert {fetch.rows for fetch in fetches} == {rows}
        assert store.stored(source) == [fetches[0].sha256]
        contract = CONTRACTS[f"source.{source}"]
        (batch,) = replay(contract, [Location("path", f"/x/{source}/a.csv")], store)
        assert len(batch.rows) == rows
    people = dict(zip(batch.columns, zip(*batch.rows, strict=True), strict=True))
    assert people["person_name"] == ("Ada Kettle", "Bea Spoon", "Cas Teapot")
    assert people["bluesky_account"] == ("", "zzwren.example", "")


def test_the_record_of_a_pull_counts_what_is_left(erased_home: Path) -> None:
    for record in place_of(erased_home).observations.pulls():
        assert record.revision == 1
        assert record.rows == {"account": 2, "profile": 1, "post": 1, "reply": 0}
        assert record.outcomes == {"moved": 1, "observed": 1}
        assert record.refused == {}
        assert record.quarantined == {}


def test_a_dry_run_counts_and_changes_nothing(home: Path) -> None:
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.suffix != ".lock"}
    place = place_of(home)
    known = find(place, "bluesky", f"https://bsky.app/profile/{HANDLE}")
    told = count(place, plan(known, "bluesky", "request", DAY))
    assert (told.handles, told.ids) == (1, 1)
    assert told.rows["observations: post"] == 2
    assert told.rows["observations: quarantine_post"] == 2
    assert told.rows["observations: moved_to"] == 2
    assert told.rows["snapshots of democracy_club_candidates"] == 1
    assert told.releases == ("2026.11.1", "2026.11.2", "2026.11.3")
    after = {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert after == before


# --- it does not come back ----------------------------------------------------------------------------------


def test_a_source_that_still_lists_the_account_brings_nothing_back(erased_home: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(erased_home, tmp_path / "home"))
    file = tmp_path / "official_accounts" / "a.csv"
    file.parent.mkdir()
    file.write_text(OFFICIAL, encoding="utf-8")
    store = SnapshotStore(Home(root).snapshots)
    suppressed = read_suppressed(Home(root).erasures)
    (fetch,) = pull_source(
        CONTRACTS["source.official_accounts"],
        [Location("path", str(file))],
        store,
        HttpPolicy(contact="tests"),
        lambda: START,
        suppressed.holds,
    )
    assert (fetch.status, fetch.rows) == ("unchanged", 2), "the bytes are those that the erasure left"
    assert sightings(root, TOKENS) == set()


@pytest.mark.parametrize("text", [HANDLE, HANDLE.upper(), f"@{HANDLE}", f"https://bsky.app/profile/{HANDLE}", ID])
def test_the_list_knows_the_account_however_it_is_written(erased_home: Path, text: str) -> None:
    suppressed = read_suppressed(Home(erased_home).erasures)
    assert suppressed.holds("bluesky", text)
    assert not suppressed.holds("mastodon", HANDLE)
    assert not suppressed.holds("bluesky", OTHER)


def test_the_list_names_nobody_and_is_its_owners_only(erased_home: Path) -> None:
    folder = Home(erased_home).erasures
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in folder.iterdir()} == {"done.jsonl", "key", "suppressed.json"}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert len({mark["mark"] for mark in json.loads((folder / "suppressed.json").read_bytes())["marks"]}) == 2


def test_a_list_without_its_key_lets_nothing_in(erased_home: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(Home(erased_home).erasures, tmp_path / "erasures"))
    (folder / "key").unlink()
    with pytest.raises(SuppressionError, match="key is missing"):
        read_suppressed(folder)


def test_an_account_that_is_stored_nowhere_is_kept_from_coming_in(home: Path) -> None:
    place = place_of(home)
    carry_out(place, plan(find(place, "mastodon", "@zzlate@zz.example"), "mastodon", "request", DAY), lambda: None)
    assert read_suppressed(Home(home).erasures).holds("mastodon", "https://zz.example/@zzlate")
    assert all(read_manifest(folder).erasures is None for folder in versions(home))


# --- which account ------------------------------------------------------------------------------------------


def test_a_handle_of_two_accounts_is_refused_and_an_id_takes_only_its_own() -> None:
    seen = [
        Sighting("a.example", "did:plc:1"),
        Sighting("b.example", "did:plc:1"),
        Sighting("a.example", "did:plc:2"),
    ]
    with pytest.raises(ErasureError, match="stood for 2 accounts") as refusal:
        find_names("bluesky", "a.example", seen)
    assert "a.example" not in str(refusal.value)
    known = find_names("bluesky", "did:plc:1", seen)
    assert known.handles == {"b.example"}
    assert known.ids == {"did:plc:1"}
    assert known.shared == 1


def test_all_handles_of_an_id_are_found() -> None:
    seen = [Sighting("@old@zz.example", "zz.example/1"), Sighting("@new@zz.example", "zz.example/1")]
    known = find_names("mastodon", "new@zz.example", [*seen, Sighting("https://zz.example/@OLD")])
    assert known.handles == {"old@zz.example", "new@zz.example"}
    assert known.ids == {"zz.example/1"}
    assert "https://zz.example/@OLD" in known.written


def test_an_unknown_platform_is_refused() -> None:
    with pytest.raises(ErasureError, match="'myspace' is no platform: give one of x, facebook"):
        find_names("myspace", "a", [])


# --- the search ---------------------------------------------------------------------------------------------


def test_an_erasure_is_not_done_while_a_file_names_the_account(home: Path) -> None:
    note = Home(home).root / "note.txt"
    note.write_text(f"asked by {HANDLE}.", encoding="utf-8")
    with pytest.raises(ErasureError, match=r"still named in 1 places: note\.txt \(text\)") as refusal:
        begin(home)
    assert HANDLE not in str(refusal.value)
    assert read_pending(Home(home)) is not None
    note.unlink()
    begin(home)
    assert read_pending(Home(home)) is None
    assert faults_of(home) == []


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("bath", True),
        ("see @Bath, today", True),
        ("https://x.com/bath/", True),
        ("Bath.", True),
        ("bathing in bath-spa at www.bath.gov.uk, mail bath@zz.example", False),
    ],
)
def test_a_name_counts_where_it_stands_by_itself(tmp_path: Path, text: str, is_found: bool) -> None:
    (tmp_path / "note.md").write_text(text, encoding="utf-8")
    pending = plan(find_names("x", "bath", []), "x", "request", DAY)
    assert bool(find_traces([tmp_path], needle_for(pending))) == is_found


def test_of_a_word_only_its_forms_as_an_account_are_looked_for(tmp_path: Path) -> None:
    pending = plan(find_names("x", "bath", []), "x", "request", DAY, is_word=True)
    (tmp_path / "a.csv").write_text("handle,town\nderby,Bath\n", encoding="utf-8")
    assert find_traces([tmp_path], needle_for(pending)) == []
    (tmp_path / "a.csv").write_text("handle,town\nbath,Derby\n", encoding="utf-8")
    (tmp_path / "b.md").write_text("see https://x.com/Bath", encoding="utf-8")
    assert [str(one) for one in find_traces([tmp_path], needle_for(pending))] == ["a.csv (handle)", "b.md (text)"]


def test_what_a_database_deleted_and_did_not_overwrite_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    con = duckdb.connect(str(path))
    con.execute("set force_compression = 'uncompressed'")
    con.execute(f"create table u as select '{HANDLE}' || ' ' || i as handle from range(200000) as r(i)")
    con.execute("checkpoint")
    con.execute("create table t as select 'keep' || i as handle from range(20000) as r(i)")
    con.execute("checkpoint")
    con.execute("drop table u")
    con.execute("checkpoint")
    con.close()
    assert HANDLE.encode() in path.read_bytes(), "the engine overwrites what it drops: this test shows nothing"
    pending = plan(find_names("bluesky", HANDLE, []), "bluesky", "request", DAY)
    assert [str(one) for one in find_traces([tmp_path], needle_for(pending))] == [
        "a.duckdb (bytes that are in no column)"
    ]


# --- interrupted --------------------------------------------------------------------------------------------


def test_killed_before_any_step_it_is_completed_by_going_on(built: Path, tmp_path: Path) -> None:
    """The account is in the journal alone afterwards, if at all; what readers see verifies once it is resumed."""
    whole = Path(shutil.copytree(built, tmp_path / "whole" / "home"))
    assert run_child(whole, 0, tmp_path / "steps") == 0
    steps = int((tmp_path / "steps").read_text(encoding="ascii"))
    assert steps > KILLS
    assert sightings(whole, TOKENS) == set()
    dice = random.Random(20261123)  # noqa: S311 - repeatable, not secret
    for step in sorted(dice.sample(range(1, steps + 1), KILLS)):
        root = Path(shutil.copytree(built, tmp_path / f"{step}" / "home"))
        assert run_child(root, step) == -9, step
        if read_pending(Home(root)) or sightings(root, TOKENS):  # else it was killed while the journal was removed
            begin(root)
        assert sightings(root, TOKENS) == set(), step
        assert faults_of(root) == [], step
        assert read_pending(Home(root)) is None
        counts = [read_manifest(folder).erasures for folder in versions(root)]
        assert [one[0].rows if one else None for one in counts] == [
            None,
            {"listed": 1, "owned": 1},
            {"listed": 1, "owned": 1},
            {},
        ], step
        shutil.rmtree(root.parent)


def test_nothing_else_uses_a_home_that_is_half_erased(home: Path) -> None:
    place = place_of(home)
    pending = plan(find(place, "bluesky", HANDLE), "bluesky", "request", DAY).save(place.home)
    with pytest.raises(ErasureError, match="engagement erase --resume"):
        Workplace(home=str(home)).place()
    pending.model_copy(update={"is_mended": True}).save(place.home)
    assert Workplace(home=str(home)).place() == place.home


def test_what_was_asked_is_not_forgotten_where_no_release_can_be_made(home: Path) -> None:
    def refuse() -> None:
        raise ErasureError("no new release could be made")

    place = place_of(home)
    with pytest.raises(ErasureError, match="no new release"):
        carry_out(place, plan(find(place, "bluesky", HANDLE), "bluesky", "request", DAY), refuse)
    assert {name for name, _ in sightings(home, TOKENS)} == {"erasures/pending.json"}
    assert (Home(home).erasures / "pending.json").stat().st_mode & 0o777 == 0o600
    assert faults_of(home) == []
    carry_out(place, resumed(place.home), lambda: None)
    assert sightings(home, TOKENS) == set()


def test_a_pull_that_is_running_stops_the_erasure_before_it_misses_anything(home: Path) -> None:
    from pipelines.observations import ObservationError

    place = place_of(home)
    with (
        place.observations.pull("bluesky", START.replace(day=20)),
        pytest.raises(ObservationError, match="another pull of bluesky"),
    ):
        begin(home)
    begin(home)
    assert sightings(home, TOKENS) == set()


def test_a_run_that_writes_the_warehouse_stops_the_erasure_before_anything_is_touched(home: Path) -> None:
    hold = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(Home(home).warehouse)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(WarehouseError, match="another process is writing it"):
            begin(home)
        assert read_pending(Home(home)) is None
        assert not Home(home).erasures.exists()
        holder.communicate()
    begin(home)
    assert sightings(home, TOKENS) == set()


def test_a_second_erasure_leaves_the_note_of_the_first(erased_home: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(erased_home, tmp_path / "home"))
    place = place_of(root)
    carry_out(place, plan(find(place, "bluesky", OTHER), "bluesky", "wrong_listing", DAY), lambda: None)
    assert sightings(root, {OTHER_ID.removeprefix("did:plc:")}) == set()
    assert faults_of(root) == []
    notes = [read_manifest(folder).erasures or () for folder in versions(root)]
    assert [len(note) for note in notes] == [1, 2, 2, 2]
    assert read_suppressed(place.home.erasures).holds("bluesky", HANDLE)


def test_the_next_release_follows_the_edition(erased_home: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(erased_home, tmp_path / "home"))
    outcome = release(Home(root), rows_with(heron=False, posts=10))
    assert outcome.is_new
    assert outcome.version == "2026.11.4"
    assert read_manifest(outcome.folder).erasures is None
    assert read_manifest(outcome.folder).change == "patch"
    pointer = read_pointer(Home(root).public)
    assert pointer is not None
    assert pointer.version == "2026.11.4"
    assert faults_of(root) == []


def test_the_command_says_in_counts_what_would_go_and_names_nobody(home: Path) -> None:
    result = CliRunner().invoke(main, ["erase", "bluesky", HANDLE, "--home", str(home), "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "2  observations: post" in result.output
    assert "nothing was changed" in result.output
    assert not any(token in result.output.lower() for token in TOKENS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give a platform and an account, or --resume alone"),
        (["bluesky"], "give a platform and an account"),
        (["bluesky", HANDLE, "--resume"], "or --resume alone"),
        (["--resume"], "no erasure is under way here"),
        (["myspace", "tom"], "is no platform"),
    ],
)
def test_a_wrong_call_is_a_sentence(home: Path, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["erase", *arguments, "--home", str(home)])
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert "Traceback" not in result.output
