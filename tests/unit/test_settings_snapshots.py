"""Source lists, the home of a run, and the store of snapshots with its log."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import load_contracts
from pipelines.settings import (
    QUERIES,
    SOURCE_LISTS,
    Home,
    Location,
    SettingsError,
    default_home,
    load_sources,
    project_folder,
)
from pipelines.snapshots import Fetch, Finding, SnapshotError, SnapshotStore, write_atomically
from tests.helpers import CONTRACTS

KNOWN = frozenset({"things", "others"})
SHIPPED = frozenset(c.name for c in load_contracts(CONTRACTS).values() if c.layer == "source")
SECRET = "zzsecret7f3a"  # noqa: S105 - made up, and never to be seen
NOON = dt.datetime(2026, 5, 8, 12, tzinfo=dt.UTC)


def write_list(folder: Path, text: str) -> str:
    path = folder / "list.yml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("code\nA\n", encoding="utf-8")


# --- source lists -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [path.stem for path in SOURCE_LISTS.glob("*.yml")])
def test_a_shipped_list_is_found_by_its_name(name: str) -> None:
    sources = load_sources(name, SHIPPED)
    assert (sources.name, sources.world) == (name, name)
    assert sources.locations


def test_the_sample_list_turns_every_source_on() -> None:
    sample = load_sources("sample", SHIPPED)
    assert set(sample.locations) == SHIPPED
    assert {place.kind for places in sample.locations.values() for place in places} == {"sample"}
    assert all(place.as_of for places in sample.locations.values() for place in places)


def test_a_list_in_yaml_reads_each_kind_of_place(tmp_path: Path) -> None:
    touch(tmp_path, "files/2025-01-28.csv")
    path = write_list(
        tmp_path,
        """
        world: live
        sources:
          things:
            - files/2025-01-28.csv
            - https://a.example/b.csv
            - {url: https://a.example/c.csv, as_of: 2024-02-03}
            - {sample: things/2023-11-20.csv}
            - {sparql: wikidata_accounts, endpoint: https://a.example/sparql, as_of: 2024-02-04}
          others: {curated: gss_changes.csv}
        """,
    )
    sources = load_sources(path, KNOWN)
    assert (sources.name, sources.world) == ("list", "live")
    assert sources.of("things") == (
        Location("path", str(tmp_path / "files/2025-01-28.csv"), dt.date(2025, 1, 28)),
        Location("url", "https://a.example/b.csv", None),
        Location("url", "https://a.example/c.csv", dt.date(2024, 2, 3)),
        Location("sample", "things/2023-11-20.csv", dt.date(2023, 11, 20)),
        Location(
            "sparql",
            "https://a.example/sparql",
            dt.date(2024, 2, 4),
            (QUERIES / "wikidata_accounts.rq").read_text(encoding="utf-8"),
            "wikidata_accounts",
        ),
    )
    assert [Path(place.address).name for place in sources.of("others")] == ["gss_changes.csv"]


def test_paths_are_relative_to_the_list_and_not_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "lists/files/a.csv", "elsewhere/files/a.csv")
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = write_list(tmp_path / "lists", "world: live\nsources: {things: files/a.csv}\n")
    assert load_sources(path, KNOWN).of("things")[0].address == str(tmp_path / "lists/files/a.csv")


def test_a_pattern_finds_files_in_order_each_with_its_own_day(tmp_path: Path) -> None:
    touch(tmp_path, "2025-01-28.csv", "2023-11-20 things.csv", "undated.csv", "2024-01-01.txt")
    path = write_list(tmp_path, "world: live\nsources: {things: '*.csv'}\n")
    found = [(Path(place.address).name, place.as_of) for place in load_sources(path, KNOWN).of("things")]
    assert found == [
        ("2023-11-20 things.csv", dt.date(2023, 11, 20)),
        ("2025-01-28.csv", dt.date(2025, 1, 28)),
        ("undated.csv", None),
    ]


def test_a_stated_day_wins_over_the_one_in_the_file_name(tmp_path: Path) -> None:
    touch(tmp_path, "2025-01-28.csv")
    path = write_list(tmp_path, "world: live\nsources: {things: {path: 2025-01-28.csv, as_of: 2020-02-02}}\n")
    assert load_sources(path, KNOWN).of("things")[0].as_of == dt.date(2020, 2, 2)


def test_digits_that_are_no_day_are_not_taken_for_one(tmp_path: Path) -> None:
    touch(tmp_path, "things/2025-99-99.csv")
    assert load_sources(str(tmp_path), KNOWN).of("things")[0].as_of is None


def test_a_source_that_is_not_named_is_off(tmp_path: Path) -> None:
    path = write_list(tmp_path, "world: live\nsources: {things: https://a.example/b.csv}\n")
    assert load_sources(path, KNOWN).of("others") == ()


def test_a_folder_of_source_folders_is_a_list(tmp_path: Path) -> None:
    touch(tmp_path, "things/2025-01-28.csv", "things/2023-11-20.csv", "unheard_of/a.csv", "others/notes.txt")
    sources = load_sources(str(tmp_path), KNOWN)
    assert sources.world == "live"
    assert list(sources.locations) == ["things"]
    assert [place.as_of for place in sources.of("things")] == [dt.date(2023, 11, 20), dt.date(2025, 1, 28)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("world: live\nsources: {unheard_of: https://a.example}\n", "unheard_of", id="unknown source"),
        pytest.param(
            "world: live\nsources: {things: nowhere.csv}\n", "nothing found at nowhere.csv", id="no file"
        ),
        pytest.param("world: live\nsources: {things: {curated: no.csv}}\n", "nothing found", id="no curated file"),
        pytest.param("world: live\nsources: {things: {}}\n", "one of path, url", id="no place"),
        pytest.param(
            "world: live\nsources: {things: {url: 'https://a.example', path: a.csv}}\n",
            "one of path, url",
            id="two places in one",
        ),
        pytest.param(
            "world: live\nsources: {things: {sparql: unheard_of, endpoint: 'https://a.example'}}\n",
            "no query 'unheard_of': give one of wikidata_accounts",
            id="no such query",
        ),
        pytest.param(
            "world: live\nsources: {things: {sparql: ../lists/live, endpoint: 'https://a.example'}}\n",
            "sparql",
            id="a query outside its folder",
        ),
        pytest.param(
            "world: live\nsources: {things: {sparql: wikidata_accounts}}\n", "both or neither", id="no endpoint"
        ),
        pytest.param(
            "world: live\nsources: {things: {endpoint: 'https://a.example'}}\n", "both or neither", id="no query"
        ),
        pytest.param(
            "world: live\nsources: {things: {sparql: wikidata_accounts, endpoint: 'https://a.example?b=c'}}\n",
            "endpoint",
            id="an endpoint that is asked something already",
        ),
        pytest.param(
            "world: live\nsources:\n  things:\n    - {sparql: wikidata_accounts, endpoint: 'https://a.example'}\n"
            "    - {sparql: wikidata_accounts, endpoint: 'https://me:pw@a.example'}\n",
            "several places called https://a.example#wikidata_accounts",
            id="one query twice",
        ),
        pytest.param("world: live\nsources: {}\n", "sources", id="no sources"),
        pytest.param("world: mars\nsources: {things: 'https://a.example'}\n", "world", id="unknown world"),
        pytest.param("world: live\nsources: {things: {ftp: a}}\n", "ftp", id="unknown kind of place"),
        pytest.param("world: live\nsources: {things: [1\n", "not a usable source list", id="not YAML"),
        pytest.param("", "not a usable source list", id="empty"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_sources(write_list(tmp_path, text), KNOWN)
    assert reason in str(error.value)
    assert "list.yml" in str(error.value)


def test_a_list_that_cannot_be_read_shows_no_secret_of_it(tmp_path: Path) -> None:
    path = write_list(
        tmp_path, f"world: live\nsources: {{things: {{url: 'https://me:{SECRET}@a.example', ftp: {SECRET}}}}}\n"
    )
    with pytest.raises(SettingsError) as error:
        load_sources(path, KNOWN)
    assert SECRET not in str(error.value)


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(SettingsError, match="no source list 'mars'") as error:
        load_sources("mars", KNOWN)
    assert "live, sample" in str(error.value)


def test_a_folder_with_a_list_of_its_own_is_read_as_that_says(tmp_path: Path) -> None:
    touch(tmp_path, "things/2025-01-28.csv")
    text = "world: sample\nsources: {things: {path: things/2025-01-28.csv}}\n"
    (tmp_path / "sources.yml").write_text(text, encoding="utf-8")
    assert load_sources(str(tmp_path), KNOWN).world == "sample"


def test_places_that_the_fetch_log_could_not_tell_apart_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a/rosters/part.csv", "b/rosters/part.csv")
    path = write_list(tmp_path, "world: live\nsources: {things: '*/rosters/part.csv'}\n")
    with pytest.raises(SettingsError, match=r"several places called rosters/part\.csv"):
        load_sources(path, KNOWN)


def test_a_folder_without_a_known_source_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "unheard_of/a.csv")
    with pytest.raises(SettingsError, match="holds no"):
        load_sources(str(tmp_path), KNOWN)


@pytest.mark.parametrize(
    ("location", "label"),
    [
        (Location("path", "/home/me/private/things/2025-01-28.csv"), "things/2025-01-28.csv"),
        (Location("path", "a.csv"), "a.csv"),
        (Location("sample", "things/2023-11-20.csv"), "things/2023-11-20.csv"),
        (Location("url", "https://a.example/b/c.csv"), "https://a.example/b/c.csv"),
        (Location("url", f"https://me:{SECRET}@a.example/b.csv"), "https://a.example/b.csv"),
        (Location("url", f"https://{SECRET}@a.example/b.csv"), "https://a.example/b.csv"),
        (Location("url", f"https://me:{SECRET}@{SECRET}@a.example/b.csv"), "https://a.example/b.csv"),
        (Location("url", f"HTTPS://me:{SECRET}@a.example/b.csv"), "https://a.example/b.csv"),
        (Location("url", f"https://a.example/b.csv#{SECRET}"), "https://a.example/b.csv"),
        (Location("url", "https://a.example/@someone/b.csv"), "https://a.example/@someone/b.csv"),
        (
            Location("sparql", f"https://me:{SECRET}@a.example/sparql", query=SECRET, query_name="things"),
            "https://a.example/sparql#things",
        ),
    ],
    ids=lambda value: value.address.replace(SECRET, "…") if isinstance(value, Location) else "",
)
def test_a_label_hides_folders_of_the_machine_and_user_information(location: Location, label: str) -> None:
    assert location.label.lower() == label.lower()


def test_a_label_hides_the_query_but_keeps_addresses_apart() -> None:
    one, two = (Location("url", f"https://a.example/b?key={SECRET}&day={day}").label for day in (1, 2))
    assert one != two
    for label in (one, two):
        assert label.startswith("https://a.example/b?")
        assert SECRET not in label
        assert "day" not in label


# --- the home of a run --------------------------------------------------------------------------------------


def test_a_home_takes_one_world_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "build")
    home.claim("sample")
    home.claim("sample")
    with pytest.raises(SettingsError, match="holds sample data and cannot take live data"):
        home.claim("live")
    Home(tmp_path / "other").claim("live")


def test_everything_of_a_run_stands_in_its_home(tmp_path: Path) -> None:
    home = Home(tmp_path)
    places = [home.snapshots, home.warehouse, home.public, home.staging, home.runs]
    assert len(set(places)) == 5
    assert {place.parent for place in places} == {tmp_path}


@pytest.mark.parametrize(("setting", "expected"), [("chosen", "chosen"), (None, "build")])
def test_the_home_is_chosen_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str | None, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENGAGEMENT_HOME", raising=False)
    if setting:
        monkeypatch.setenv("ENGAGEMENT_HOME", setting)
    assert default_home() == (tmp_path / expected).resolve()


def test_a_folder_that_the_project_lacks_is_named() -> None:
    with pytest.raises(SettingsError, match="no_such_folder/"):
        project_folder("no_such_folder")


# --- snapshots ----------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


def fetch(**changes: Any) -> Fetch:
    return Fetch(**{"location": "here", "status": "new", "fetched_at": NOON, "as_of": NOON.date(), **changes})


def log_file(store: SnapshotStore) -> Path:
    return store.folder / "things" / "fetches.jsonl"


def test_bytes_are_stored_once_under_their_hash(store: SnapshotStore) -> None:
    data = b"code\r\nA\x00\xff"
    sha256 = hashlib.sha256(data).hexdigest()
    assert store.put("things", data) == (sha256, True)
    assert store.put("things", data) == (sha256, False)
    assert store.read("things", sha256) == data
    assert [path.name for path in (store.folder / "things").iterdir()] == [f"{sha256}.csv"]


def test_a_snapshot_that_was_changed_on_disk_is_refused_and_mended_by_the_next_pull(store: SnapshotStore) -> None:
    sha256, _ = store.put("things", b"code\nA\n")
    (store.folder / "things" / f"{sha256}.csv").write_bytes(b"code\nB\n")
    with pytest.raises(SnapshotError, match=f"things: snapshot {sha256[:12]} was changed on disk"):
        store.read("things", sha256)
    assert store.put("things", b"code\nA\n") == (sha256, True)
    assert store.read("things", sha256) == b"code\nA\n"


def test_a_snapshot_that_is_gone_is_named(store: SnapshotStore) -> None:
    with pytest.raises(SnapshotError, match=r"things: snapshot 000000000000 .* not on disk"):
        store.read("things", "0" * 64)


def test_the_log_gives_back_every_attempt_in_order(store: SnapshotStore) -> None:
    attempts = [
        fetch(sha256="a" * 64, size_bytes=7, rows=1, layout="plain", http_status=200, etag='W/"é"'),
        fetch(status="failed", message="things: time-out\nafter 3 attempts"),
        fetch(location="there", findings=(Finding(rule="new_field", field="Extra"),)),
    ]
    assert store.fetches("things") == []
    for attempt in attempts:
        store.log("things", attempt)
    assert store.fetches("things") == attempts
    assert store.fetches("things", "there") == attempts[2:]
    assert store.fetches("others") == []


@given(text=st.text())
def test_the_log_survives_whatever_a_publisher_calls_a_field(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    assert_logged(SnapshotStore(tmp_path_factory.mktemp("store")), text)


@pytest.mark.parametrize("text", ["\x85", "\u2028", "\u2029", "\x0b", "\x1e", "\n", "}"])
def test_the_log_survives_characters_that_some_take_for_the_end_of_a_line(store: SnapshotStore, text: str) -> None:
    assert_logged(store, text)


def assert_logged(store: SnapshotStore, text: str) -> None:
    attempts = [fetch(findings=(Finding(rule="new_field", field=text),), message=text), fetch(location=text)]
    for attempt in attempts:
        store.log("things", attempt)
    assert store.fetches("things") == attempts


@pytest.mark.parametrize("before", [0, 2])
def test_a_line_that_was_cut_anywhere_is_ignored_and_the_next_attempt_is_not(
    store: SnapshotStore, before: int
) -> None:
    for number in range(before):
        store.log("things", fetch(rows=number))
    whole = log_file(store).read_bytes() if before else b""
    store.log(
        "things", fetch(findings=(Finding(rule="new_field", field="a}b"), Finding(rule="new_field", field="c")))
    )
    line = log_file(store).read_bytes()[len(whole) :]
    for end in range(1, len(line) - 1):
        log_file(store).write_bytes(whole + line[:end])
        assert [f.rows for f in store.fetches("things")] == list(range(before)), line[:end]
        store.log("things", fetch(rows=99))
        assert [f.rows for f in store.fetches("things")] == [*range(before), 99], line[:end]


def test_what_is_fetched_again_for_the_same_day_replaces_what_was_there(store: SnapshotStore) -> None:
    days = [dt.date(2026, 5, 1), dt.date(2026, 5, 8), dt.date(2026, 5, 8)]
    for day, sha256 in zip(days, ("a", "b", "c"), strict=True):
        store.log("things", fetch(as_of=day, sha256=sha256 * 64))
    assert [f.sha256[0] for f in store.usable("things", "here", every=True) if f.sha256] == ["a", "c"]
    store.log("things", fetch(as_of=days[1], sha256="b" * 64))
    assert [f.sha256[0] for f in store.usable("things", "here", every=True) if f.sha256] == ["a", "b"]


def test_only_fetches_that_succeeded_are_usable(store: SnapshotStore) -> None:
    for status in ("failed", "refused"):
        store.log("things", fetch(status=status, message="no"))
    assert store.usable("things", "here", every=True) == []
    store.log("things", fetch(sha256="a" * 64))
    store.log("things", fetch(status="failed", message="no"))
    assert [f.sha256 for f in store.usable("things", "here", every=False)] == ["a" * 64]
    assert store.usable("things", "there", every=False) == []


def test_each_change_of_content_counts_once_from_the_day_it_was_first_seen(store: SnapshotStore) -> None:
    days = [dt.date(2026, 1, day) for day in range(1, 7)]
    story = [
        ("new", "a"),
        ("unchanged", "a"),
        ("not_modified", "a"),
        ("new", "b"),
        ("refused", None),
        ("new", "a"),
    ]
    for day, (status, letter) in zip(days, story, strict=True):
        store.log("things", fetch(status=status, as_of=day, sha256=letter and letter * 64))
    every = [(f.sha256, f.as_of) for f in store.usable("things", "here", every=True)]
    assert every == [("a" * 64, days[0]), ("b" * 64, days[3]), ("a" * 64, days[5])]
    assert [(f.sha256, f.as_of) for f in store.usable("things", "here", every=False)] == every[-1:]


# --- atomic writing -----------------------------------------------------------------------------------------


def test_a_file_is_written_whole_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "file.bin"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert [found.name for found in path.parent.iterdir()] == ["file.bin"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file.bin"
    write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["file.bin"]
