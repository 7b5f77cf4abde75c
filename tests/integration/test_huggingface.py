"""Releases at the Hugging Face Hub, against a stand-in that the Hub's own client judges, and reads from."""

from __future__ import annotations

import functools
import hashlib
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.targets.edition import Edition, read_edition
from pipelines.targets.huggingface import HubTarget
from pipelines.targets.opening import open_target
from pipelines.targets.settings import HubSettings
from pipelines.targets.target import TargetError
from tests.fake_hub import FakeHub, running_hub
from tests.hub_lab import erased, killed_push
from tests.target_lab import NEW, OLD, Publics, Told, make_publics

VARIABLE = "ENGAGEMENT_TEST_HUB_TOKEN"
PLANTED = "planted-secret-c0ffee"
REPOSITORY = "data-project/things"
DOCUMENTS = {"CITATION.cff", "SHA256SUMS", "codebook.md", "croissant.json", "datacite.json", "manifest.json"}
FILES = {".gitattributes", "README.md", "data/things.parquet", *DOCUMENTS}


@pytest.fixture(scope="module")
def publics(tmp_path_factory: pytest.TempPathFactory) -> Publics:
    return make_publics(tmp_path_factory.mktemp("publics"))


@functools.cache
def edition(public: Path, version: str = "latest") -> Edition:
    return read_edition(public, version)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setenv(VARIABLE, PLANTED)
    with running_hub(PLANTED) as running:
        yield running


def settings_for(hub: FakeHub) -> HubSettings:
    return HubSettings(
        kind="huggingface", endpoint=hub.address, repository=REPOSITORY, token=VARIABLE, timeout_seconds=10
    )


def opened(hub: FakeHub) -> HubTarget:
    target = open_target("hub", settings_for(hub), Path("/nowhere"))
    assert isinstance(target, HubTarget)
    return target


@pytest.fixture
def client(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> object:
    """The Hub's own client, with large files over the protocol of git, since its own store cannot run here."""
    from huggingface_hub import HfApi, constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    return HfApi(endpoint=hub.address, token=PLANTED)


def expected(public: Path, version: str) -> dict[str, bytes]:
    folder = public / "v" / version
    return {"data/things.parquet": (folder / "things.parquet").read_bytes()} | {
        name: (folder / name).read_bytes() for name in DOCUMENTS
    }


def shown(hub: FakeHub, revision: str = "main") -> dict[str, bytes]:
    """Every file of a revision but the card and what the Hub makes itself."""
    commit = hub.repositories[REPOSITORY].resolve(revision)
    assert commit is not None
    return {n: hub.content(f) for n, f in commit.files.items() if n not in ("README.md", ".gitattributes")}


# --- the judge ----------------------------------------------------------------------------------------------


def test_the_hubs_own_client_writes_to_the_stand_in_and_reads_from_it(
    hub: FakeHub, client: object, tmp_path: Path
) -> None:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    assert isinstance(client, HfApi)
    client.create_repo("someone/rows", repo_type="dataset")
    assert str(client.create_repo("someone/rows", repo_type="dataset", exist_ok=True)).endswith("someone/rows")
    adding = [
        CommitOperationAdd("data/rows.parquet", b"PAR1 rows PAR1"),
        CommitOperationAdd("notes.md", b"# Rows\n"),
        CommitOperationAdd("gone.md", b"soon\n"),
    ]
    first = client.create_commit("someone/rows", adding, commit_message="one", repo_type="dataset")
    client.create_tag("someone/rows", tag="1", repo_type="dataset")
    deleting = [CommitOperationDelete("gone.md")]
    client.create_commit(
        "someone/rows", deleting, commit_message="two", repo_type="dataset", parent_commit=first.oid
    )
    assert set(client.list_repo_files("someone/rows", repo_type="dataset")) == {
        ".gitattributes",
        "data/rows.parquet",
        "notes.md",
    }
    assert "gone.md" in client.list_repo_files("someone/rows", repo_type="dataset", revision="1")
    got = client.hf_hub_download(
        "someone/rows", "data/rows.parquet", repo_type="dataset", revision="1", local_dir=tmp_path
    )
    assert Path(got).read_bytes() == b"PAR1 rows PAR1"
    large = next(e for e in client.list_repo_tree("someone/rows", "data", repo_type="dataset", recursive=True))
    assert large.path


def test_the_hubs_own_client_finds_the_release_under_main_and_its_tag(
    hub: FakeHub, client: object, publics: Publics, tmp_path: Path
) -> None:
    from huggingface_hub import DatasetCard, HfApi

    assert isinstance(client, HfApi)
    receipt = opened(hub).push(edition(publics.new), Told())
    assert receipt.place == f"{hub.address}/datasets/{REPOSITORY}/tree/{NEW}"
    assert set(client.list_repo_files(REPOSITORY, repo_type="dataset")) == FILES
    assert [tag.name for tag in client.list_repo_refs(REPOSITORY, repo_type="dataset").tags] == [NEW]
    for name, content in expected(publics.new, NEW).items():
        path = client.hf_hub_download(
            REPOSITORY, name, repo_type="dataset", revision=NEW, local_dir=tmp_path / "got"
        )
        assert Path(path).read_bytes() == content, name
    entry = next(
        one
        for one in client.list_repo_tree(REPOSITORY, repo_type="dataset", recursive=True)
        if one.path == "data/things.parquet"
    )
    content = expected(publics.new, NEW)["data/things.parquet"]
    assert entry.lfs is not None  # type: ignore[union-attr]
    assert entry.lfs.sha256 == hashlib.sha256(content).hexdigest()  # type: ignore[union-attr]
    card = client.hf_hub_download(REPOSITORY, "README.md", repo_type="dataset", local_dir=tmp_path / "got")
    told = DatasetCard.load(card).data.to_dict()
    assert told["configs"] == [{"config_name": "things", "data_files": "data/things.parquet", "default": True}]
    assert told["license"] == ["cc-by-4.0"]
    text = Path(card).read_text(encoding="utf-8")
    assert text.index("Sample data: every authority") < text.index("Datasets:")
    rows = duckdb.sql(f"select count(*) from '{tmp_path / 'got' / 'data' / 'things.parquet'}'").fetchone()
    assert rows == (400,)


# --- pushing ------------------------------------------------------------------------------------------------


def test_a_second_push_commits_nothing(hub: FakeHub, publics: Publics) -> None:
    opened(hub).push(edition(publics.new), Told())
    before = dict(hub.repositories[REPOSITORY].commits)
    hub.requests.clear()
    receipt = opened(hub).push(edition(publics.new), Told())
    assert (receipt.sent, receipt.kept) == (0, len(FILES) - 1)
    assert hub.repositories[REPOSITORY].commits == before
    assert {method for method, _ in hub.requests} == {"GET"}


def test_a_release_is_one_commit_and_the_last_stays_under_its_tag(hub: FakeHub, publics: Publics) -> None:
    opened(hub).push(edition(publics.old), Told())
    count = len(hub.repositories[REPOSITORY].commits)
    seen: list[dict[str, bytes]] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            with hub.lock:
                seen.append(shown(hub))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        opened(hub).push(edition(publics.new), Told())
    finally:
        done.set()
        reader.join()
    old, new = expected(publics.old, OLD), expected(publics.new, NEW)
    assert all(one in (old, new) for one in seen)
    assert len(hub.repositories[REPOSITORY].commits) == count + 1
    assert (shown(hub), shown(hub, OLD), shown(hub, NEW)) == (new, old, new)


def test_what_is_not_of_the_release_leaves_the_branch(hub: FakeHub, publics: Publics) -> None:
    opened(hub).push(edition(publics.new), Told())
    repository = hub.repositories[REPOSITORY]
    files = dict(repository.commits[repository.head].files) | {"stray.txt": (b"x", "0" * 40)}
    hub.commit(repository, files, (repository.head,))
    assert opened(hub).push(edition(publics.new), Told()).removed == 1
    assert shown(hub) == expected(publics.new, NEW)


def test_a_repository_does_not_go_back_nor_take_over_what_is_not_ours(hub: FakeHub, publics: Publics) -> None:
    opened(hub).push(edition(publics.new), Told())
    with pytest.raises(TargetError, match=f"shows {NEW}, which is newer than {OLD}"):
        opened(hub).push(edition(publics.old), Told())
    with pytest.raises(TargetError, match="is not the newest"):
        opened(hub).push(edition(publics.new, OLD), Told())
    repository = hub.repositories[REPOSITORY]
    hub.commit(repository, {"model.bin": (b"x", "0" * 40)}, (repository.head,))
    with pytest.raises(TargetError, match=r"holds model\.bin and no release"):
        opened(hub).push(edition(publics.new), Told())


def test_somebody_elses_commit_meanwhile_is_not_written_over(
    hub: FakeHub, publics: Publics, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(hub).push(edition(publics.old), Told())
    repository = hub.repositories[REPOSITORY]
    target = opened(hub)
    large = target._large

    def meanwhile(adding: object) -> frozenset[str]:
        hub.commit(repository, dict(repository.commits[repository.head].files), (repository.head,))
        return large(adding)  # type: ignore[arg-type]

    monkeypatch.setattr(target, "_large", meanwhile)
    with pytest.raises(TargetError, match="somebody changed"):
        target.push(edition(publics.new), Told())
    assert shown(hub) == expected(publics.old, OLD)


# --- taking back --------------------------------------------------------------------------------------------


def test_a_version_is_withdrawn_with_all_history_that_holds_it(hub: FakeHub, publics: Publics) -> None:
    opened(hub).push(edition(publics.old), Told())
    with pytest.raises(TargetError, match="push the newest release first"):
        opened(hub).withdraw(OLD, Told())
    opened(hub).push(edition(publics.new), Told())
    taken_back = hub.repositories[REPOSITORY].tags[OLD]
    receipt = opened(hub).withdraw(OLD, Told())
    repository = hub.repositories[REPOSITORY]
    assert taken_back not in repository.reachable()
    assert len(repository.reachable()) == 1
    assert shown(hub, NEW) == shown(hub) == expected(publics.new, NEW)
    assert any("LFS files" in note for note in receipt.notes)
    assert opened(hub).withdraw(OLD, Told()).removed == 0


@pytest.mark.parametrize("stop_before", [None, "super-squash", "tag"])
def test_a_release_that_an_erasure_changed_leaves_no_history_also_after_a_stop(
    hub: FakeHub, publics: Publics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_before: str | None
) -> None:
    opened(hub).push(edition(publics.old), Told())
    opened(hub).push(edition(publics.new), Told())
    taken_back = hub.repositories[REPOSITORY].tags[NEW]
    anew = erased(edition(publics.new), tmp_path)
    target = opened(hub)
    if stop_before is not None:
        send = target.site.send

        def stopped(act: str, method: str, url: str, **options: Any) -> Any:
            if f"/{stop_before}/" in url:
                raise KeyboardInterrupt
            return send(act, method, url, **options)

        monkeypatch.setattr(target.site, "send", stopped)
        with pytest.raises(KeyboardInterrupt):
            target.push(anew, Told())
    opened(hub).push(anew, Told())
    repository = hub.repositories[REPOSITORY]
    assert taken_back not in repository.reachable()
    assert shown(hub) == shown(hub, NEW)
    assert shown(hub)["data/things.parquet"] == (tmp_path / NEW / "things.parquet").read_bytes()
    assert shown(hub, OLD) == expected(publics.old, OLD), "what the erasure did not touch stays"
    assert opened(hub).push(anew, Told()).sent == 0
    with pytest.raises(TargetError, match="never overwritten"):
        opened(hub).push(edition(publics.new), Told())


# --- failures -----------------------------------------------------------------------------------------------


def test_after_a_kill_readers_get_one_whole_release_and_a_rerun_completes(hub: FakeHub, publics: Publics) -> None:
    chance = random.Random(20261123)  # noqa: S311 - the same moments each time
    environment = {VARIABLE: PLANTED}
    opened(hub).push(edition(publics.old), Told())
    _, whole = killed_push("hub", settings_for(hub), publics.new, environment, None)
    old, new = expected(publics.old, OLD), expected(publics.new, NEW)
    fell_into_the_push = 0
    for _ in range(4):
        hub.repositories.clear()
        hub.large.clear()
        opened(hub).push(edition(publics.old), Told())
        killed, _ = killed_push("hub", settings_for(hub), publics.new, environment, chance.uniform(0, whole))
        with hub.lock:
            assert shown(hub) in (old, new)
            fell_into_the_push += killed and NEW not in hub.repositories[REPOSITORY].tags
        opened(hub).push(edition(publics.new), Told())
        assert shown(hub) == shown(hub, NEW) == new
    assert fell_into_the_push, "the kills have to fall into the push"


def test_a_file_that_comes_back_damaged_gets_no_tag(hub: FakeHub, publics: Publics) -> None:
    hub.damage = "data/things.parquet"
    with pytest.raises(TargetError, match="gets no tag"):
        opened(hub).push(edition(publics.new), Told())
    assert hub.repositories[REPOSITORY].tags == {}
    hub.damage = None
    opened(hub).push(edition(publics.new), Told())
    assert shown(hub, NEW) == expected(publics.new, NEW)


@pytest.mark.parametrize("status", [401, 403, 404, 413, 500])
@pytest.mark.parametrize("at", [1, 2, 4, 6, 7, 8, 9, 10])
def test_a_failure_is_a_sentence_that_never_holds_the_token(
    hub: FakeHub, publics: Publics, caplog: pytest.LogCaptureFixture, status: int, at: int
) -> None:
    caplog.set_level("DEBUG")
    hub.echo, hub.fail_at, hub.fail_status = True, at, status
    target = opened(hub)
    target.site.attempts = 1
    said = ""
    try:
        target.push(edition(publics.new), Told())
    except TargetError as error:
        said = str(error)
        assert said.startswith("target hub: ")
    assert said or status == 404, "only that something is not there may be an answer"
    assert PLANTED not in said + caplog.text
    hub.fail_at = None
    opened(hub).push(edition(publics.new), Told())
    assert shown(hub, NEW) == expected(publics.new, NEW)


def test_the_token_does_not_go_to_where_large_files_are_kept(hub: FakeHub, publics: Publics) -> None:
    opened(hub).push(edition(publics.new), Told())
    sent = [path for method, path in hub.requests if path.startswith("/lfs/")]
    assert sent
    assert not [path for path in hub.signed if path.startswith("/lfs/")]
