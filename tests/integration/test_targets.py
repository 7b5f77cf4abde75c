"""Pushes to a folder: order, repetition, refusals, kills, faults, erasures; real releases of a small dataset."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import stamina
from click.testing import CliRunner
from obstore.store import LocalStore

from pipelines.cli import main
from pipelines.release.manifest import ManifestError
from pipelines.settings import SettingsError
from pipelines.targets.edition import read_edition
from pipelines.targets.objects import ObjectTarget
from pipelines.targets.opening import open_target
from pipelines.targets.settings import FolderSettings, load_targets
from pipelines.targets.store import DiskObjects
from pipelines.targets.target import TargetError
from tests.target_lab import (
    NEW,
    OLD,
    Publics,
    Told,
    everything_at,
    files,
    folder_target,
    killed_push,
    make_publics,
    push,
    version_that_readers_get,
)

KILLS = 30


@pytest.fixture(scope="module")
def publics(tmp_path_factory: pytest.TempPathFactory) -> Publics:
    """A public folder with one release, and with two; for reading only."""
    return make_publics(tmp_path_factory.mktemp("press"))


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


def reseal(folder: Path) -> None:
    """Write the checksums of a release folder anew."""
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files(folder).items() if name != "SHA256SUMS"}
    text = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
    (folder / "SHA256SUMS").write_text(text, encoding="utf-8")


# --- what a push does ---------------------------------------------------------------------------------------


def test_a_push_brings_every_byte_and_nothing_else(publics: Publics, tmp_path: Path) -> None:
    target = folder_target(tmp_path / "web", publics.new)
    told = Told()
    receipt = target.push(read_edition(publics.new, "latest"), told)
    assert files(tmp_path / "web") == files(publics.new)
    assert (receipt.version, receipt.sent, receipt.kept) == (NEW, len(files(publics.new)), 0)
    assert receipt.sent_bytes == sum(len(content) for content in files(publics.new).values())
    assert told.sentences == [f"release {OLD} is in the catalogue and not at web yet: it goes along"]
    assert told.done == sum(size for _, size in told.steps), "the bar ends where it said it would"


def test_what_a_killed_trial_left_is_taken_away(publics: Publics, tmp_path: Path) -> None:
    left = tmp_path / "web" / ".engagement-probe"
    left.mkdir(parents=True)
    (left / "b8eb0c87").write_bytes(b"a probe")
    (left / "b8eb0c87#1").write_bytes(b"not linked to its name yet")
    push(folder_target(tmp_path / "web", publics.new), publics.new)
    assert files(tmp_path / "web") == files(publics.new)


def test_a_second_push_sends_nothing_and_leaves_every_file_untouched(publics: Publics, tmp_path: Path) -> None:
    target = folder_target(tmp_path / "web", publics.new)
    push(target, publics.new)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "web").rglob("*") if path.is_file()}
    receipt = push(target, publics.new)
    assert receipt.sent == 0
    assert receipt.kept > 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "web").rglob("*") if path.is_file()} == before


def test_what_stands_beside_the_releases_changes_after_them_and_latest_last(
    publics: Publics, tmp_path: Path
) -> None:
    written: list[str] = []

    class Watched(DiskObjects):
        def create(self, name: str, content: bytes | Path, headers: Mapping[str, str]) -> None:
            super().create(name, content, headers)
            written.append(name)

        def replace(self, name: str, content: bytes, headers: Mapping[str, str]) -> None:
            super().replace(name, content, headers)
            written.append(name)

    push(watched(Watched, tmp_path / "web"), publics.new)
    written = [name for name in written if not name.startswith(".engagement-probe")]
    kinds = ["release" if name.startswith("v/") else "page" for name in written[:-4]]
    assert kinds == sorted(kinds, reverse=True)
    assert written[-4:] == ["deltas.json", "versions.json", "catalog.json", "latest.json"]
    for version in (OLD, NEW):
        of_release = [name for name in written if name.startswith(f"v/{version}/")]
        assert of_release[-1] == f"v/{version}/SHA256SUMS"


def watched(kind: type[DiskObjects], root: Path) -> ObjectTarget:
    """A folder whose objects behave in a way of their own."""
    root.mkdir(exist_ok=True)
    store = LocalStore(root, automatic_cleanup=True)
    return ObjectTarget("web", kind("web", store, str(root), has_headers=False, root=root))


def test_an_earlier_release_is_kept_without_touching_what_readers_follow(publics: Publics, tmp_path: Path) -> None:
    target = folder_target(tmp_path / "web", publics.new)
    receipt = push(target, publics.new, OLD)
    assert {name.split("/")[1] for name in everything_at(target)} == {OLD}
    assert "stay as they are" in receipt.notes[0]


def test_pages_that_are_gone_here_are_taken_away_and_files_of_others_stay(
    publics: Publics, tmp_path: Path
) -> None:
    target = folder_target(tmp_path / "web", publics.new)
    push(target, publics.old)
    for name in ("datasets/gone.html", "robots.txt", "other/file.txt"):
        path = tmp_path / "web" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine", encoding="utf-8")
    receipt = push(target, publics.new)
    assert files(tmp_path / "web").keys() - files(publics.new).keys() == {"robots.txt", "other/file.txt"}
    assert receipt.removed == 1


# --- what a push refuses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["other bytes", "half of it", "one byte more"])
def test_an_object_with_other_bytes_is_named_and_never_overwritten(
    publics: Publics, tmp_path: Path, change: str
) -> None:
    target = folder_target(tmp_path / "web", publics.new)
    push(target, publics.old)
    theirs = tmp_path / "web" / "v" / NEW / "things.csv.gz"
    theirs.parent.mkdir()
    ours = (publics.new / "v" / NEW / "things.csv.gz").read_bytes()
    spoilt = {
        "other bytes": ours[:-1] + bytes([ours[-1] ^ 1]),
        "half of it": ours[: len(ours) // 2],
        "one byte more": ours + b"x",
    }
    theirs.write_bytes(spoilt[change])
    with pytest.raises(TargetError, match=rf"target web: v/{NEW}/things.csv.gz is there with other bytes"):
        push(target, publics.new)
    assert theirs.read_bytes() == spoilt[change]
    assert version_that_readers_get(target, tmp_path / "reader") == OLD


def test_a_file_that_is_not_of_the_release_stops_the_push(publics: Publics, tmp_path: Path) -> None:
    target = folder_target(tmp_path / "web", publics.new)
    stranger = tmp_path / "web" / "v" / NEW / "stranger.txt"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("?", encoding="utf-8")
    with pytest.raises(TargetError, match=r"stranger.txt is not part of release"):
        push(target, publics.new)
    assert "latest.json" not in everything_at(target)


def test_a_file_that_no_store_takes_in_one_piece_is_refused_before_it_is_sent(
    publics: Publics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.targets.objects.LARGEST_BYTES", 2000)
    with pytest.raises(TargetError, match=rf"v/{OLD}/\S+ is larger than 5 GiB"):
        push(folder_target(tmp_path / "web", publics.new), publics.new)
    assert files(tmp_path / "web") == {}


def test_a_target_never_goes_back(publics: Publics, tmp_path: Path) -> None:
    target = folder_target(tmp_path / "web", publics.new)
    push(target, publics.new)
    before = everything_at(target)
    with pytest.raises(TargetError, match=f"names {NEW}, which is newer than {OLD}"):
        push(target, publics.old)
    assert everything_at(target) == before


def test_sample_and_live_data_never_share_a_target(publics: Publics, tmp_path: Path) -> None:
    target = folder_target(tmp_path / "web", publics.new)
    push(target, publics.old)
    pointer = tmp_path / "web" / "latest.json"
    pointer.write_bytes(orjson.dumps(orjson.loads(pointer.read_bytes()) | {"world": "live"}))
    with pytest.raises(TargetError, match="holds live data and cannot take sample data"):
        push(target, publics.new)


def test_a_folder_with_a_latest_of_somebody_else_is_refused(publics: Publics, tmp_path: Path) -> None:
    target = folder_target(tmp_path / "web", publics.new)
    (tmp_path / "web" / "latest.json").write_text('{"version": "7"}', encoding="utf-8")
    with pytest.raises(TargetError, match="none of ours"):
        push(target, publics.new)


def test_a_release_that_does_not_verify_is_not_pushed(publics: Publics, tmp_path: Path) -> None:
    public = Path(shutil.copytree(publics.new, tmp_path / "public"))
    with (public / "v" / NEW / "things.parquet").open("r+b") as file:
        file.write(b"x")
    with pytest.raises(TargetError, match=r"does not verify and is not pushed: things.parquet"):
        read_edition(public, "latest")


@pytest.mark.parametrize("name", ["versions.json", "catalog.json", "deltas.json"])
def test_a_public_folder_whose_lists_are_gone_or_of_another_release_is_not_pushed(
    publics: Publics, tmp_path: Path, name: str
) -> None:
    public = Path(shutil.copytree(publics.new, tmp_path / "public"))
    (public / name).unlink()
    with pytest.raises(TargetError, match=f"{name} is missing"):
        read_edition(public, "latest")
    if name != "deltas.json":
        shutil.copyfile(publics.old / name, public / name)
        with pytest.raises(TargetError, match=r"do not agree|another release"):
            read_edition(public, "latest")


@pytest.mark.parametrize("version", ["2031.1.0", "newest", "../other", ""])
def test_a_version_that_is_none_is_a_sentence(publics: Publics, version: str) -> None:
    with pytest.raises((TargetError, ManifestError), match=r"no release|is not a version"):
        read_edition(publics.new, version)


# --- a store that does not keep its word --------------------------------------------------------------------


class Overwriting(DiskObjects):
    """Says that all went well, and overwrote."""

    def create(self, name: str, content: bytes | Path, headers: Mapping[str, str]) -> None:
        self.replace(name, content if isinstance(content, bytes) else content.read_bytes(), headers)


class Truncating(DiskObjects):
    """Loses the last byte of what is larger than a probe."""

    def create(self, name: str, content: bytes | Path, headers: Mapping[str, str]) -> None:
        data = content if isinstance(content, bytes) else content.read_bytes()
        super().create(name, data[:-1] if len(data) > 200 else data, headers)


class Flipping(DiskObjects):
    """Turns one bit of what is larger than a probe; the size stays."""

    def create(self, name: str, content: bytes | Path, headers: Mapping[str, str]) -> None:
        data = content if isinstance(content, bytes) else content.read_bytes()
        middle = len(data) // 2
        turned = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        super().create(name, turned if len(data) > 200 else data, headers)


class Forgetful(DiskObjects):
    """Answers that it wrote, and did not."""

    def replace(self, name: str, content: bytes, headers: Mapping[str, str]) -> None:
        pass


class Spoiling(DiskObjects):
    """Spoils `latest.json`, and nothing else."""

    def replace(self, name: str, content: bytes, headers: Mapping[str, str]) -> None:
        super().replace(name, content[:-2] if name == "catalog.json" else content, headers)


class Whole(DiskObjects):
    """Answers with all of an object where a part is asked for."""

    def read_part(self, name: str, start: int, end: int) -> bytes:
        return self.read(name) or b""


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (Overwriting, "overwrites an object although it is asked not to"),
        (Forgetful, "shows an object as it was before it was replaced"),
        (Whole, "does not answer with the part"),
    ],
)
def test_a_store_that_lies_is_found_out_before_anything_is_pushed(
    publics: Publics, tmp_path: Path, kind: type[DiskObjects], what: str
) -> None:
    with pytest.raises(TargetError, match=what):
        push(watched(kind, tmp_path / "web"), publics.new)
    assert files(tmp_path / "web") == {}


@pytest.mark.parametrize("kind", [Truncating, Flipping])
def test_what_arrives_damaged_is_caught_by_reading_it_back(
    publics: Publics, tmp_path: Path, kind: type[DiskObjects]
) -> None:
    push(folder_target(tmp_path / "web", publics.old), publics.old)
    target = watched(kind, tmp_path / "web")
    with pytest.raises(TargetError, match=rf"target web: v/{NEW}/\S+ did not come back as it was sent"):
        push(target, publics.new)
    assert version_that_readers_get(target, tmp_path / "reader") == OLD
    healthy = folder_target(tmp_path / "web", publics.new)
    push(healthy, publics.new)  # what was damaged is out of the way
    assert files(tmp_path / "web") == files(publics.new)


def test_a_list_that_arrives_damaged_stops_the_push_before_latest(publics: Publics, tmp_path: Path) -> None:
    push(folder_target(tmp_path / "web", publics.old), publics.old)
    with pytest.raises(TargetError, match=r"catalog.json did not come back"):
        push(watched(Spoiling, tmp_path / "web"), publics.new)
    assert orjson.loads((tmp_path / "web" / "latest.json").read_bytes())["version"] == OLD


# --- kills --------------------------------------------------------------------------------------------------


def test_a_reader_of_a_target_whose_push_was_killed_sees_old_or_new_and_a_rerun_completes(
    publics: Publics, tmp_path: Path
) -> None:
    chance = random.Random(20261123)  # noqa: S311 - the same moments each time
    before = tmp_path / "before"
    push(folder_target(before, publics.old), publics.old)
    complete = files(publics.new)
    whole = []
    for n in range(3):
        trial = Path(shutil.copytree(before, tmp_path / f"trial-{n}"))
        whole.append(killed_push(trial, publics.new, None)[1])
        assert files(trial) == complete
    left_half_done = 0
    for n in range(KILLS):
        web = Path(shutil.copytree(before, tmp_path / f"web-{n}"))
        killed, _ = killed_push(web, publics.new, chance.uniform(0, min(whole)))
        target = folder_target(web, publics.new)
        version = version_that_readers_get(target, tmp_path / "reader")
        assert version in ((OLD, NEW) if killed else (NEW,))
        left_half_done += killed and files(web) not in (files(publics.old), complete)
        push(target, publics.new)
        assert files(web) == complete, "a rerun completes, and takes away what the kill left"
        shutil.rmtree(web)
    assert left_half_done >= KILLS // 3, "the kills have to fall into the push"


# --- erasures and withdrawals -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Erased:
    """A public folder in which an erasure made a new edition of the older release."""

    public: Path


@pytest.fixture
def erased(publics: Publics, tmp_path: Path) -> Erased:
    """The older release says less than before, and its manifest tells of an erasure."""
    public = Path(shutil.copytree(publics.new, tmp_path / "erased"))
    folder = public / "v" / OLD
    (folder / "quality.json").write_text('{"rules": "fewer"}\n', encoding="utf-8")
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    for entry in manifest["files"]:
        if entry["path"] == "quality.json":
            content = (folder / "quality.json").read_bytes()
            entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest["erasures"] = [{"erasure": "4f1d", "erased_on": "2026-12-08", "reason": "asked", "rows": {}}]
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest))
    reseal(folder)
    return Erased(public)


@pytest.fixture
def erasures_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a push does about it is tested here; whether the edition is sound is for `verify` to say."""
    monkeypatch.setattr("pipelines.targets.edition.verify_release", lambda _: [])
    monkeypatch.setattr("pipelines.targets.edition.read_manifest", _lenient)
    monkeypatch.setattr("tests.target_lab.verify_release", lambda _: [])


def _lenient(folder: Path) -> object:
    from pipelines.release.manifest import Manifest

    told = orjson.loads((folder / "manifest.json").read_bytes())
    told.pop("erasures", None)
    return Manifest.model_validate_json(orjson.dumps(told))


@pytest.mark.usefixtures("erasures_are_known")
@pytest.mark.parametrize("stop_after", [None, 0, 1, 5, 1000])
def test_a_release_that_an_erasure_changed_is_replaced_also_after_a_stop(
    publics: Publics, erased: Erased, tmp_path: Path, stop_after: int | None
) -> None:
    push(folder_target(tmp_path / "web", publics.new), publics.new)
    if stop_after is not None:
        removed: list[str] = []

        class Stopping(DiskObjects):
            def remove(self, names: object) -> None:
                for name in list(names):  # type: ignore[call-overload]
                    if name.startswith("v/") and len(removed) == stop_after:
                        raise KeyboardInterrupt
                    super().remove([name])
                    removed.append(name) if name.startswith("v/") else None
                if removed:
                    raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            push(watched(Stopping, tmp_path / "web"), erased.public)
        assert orjson.loads((tmp_path / "web" / "latest.json").read_bytes())["version"] == NEW
    receipt = push(folder_target(tmp_path / "web", publics.new), erased.public)
    assert files(tmp_path / "web") == files(erased.public)
    if stop_after is None:
        assert any(f"objects of {OLD} were deleted" in note for note in receipt.notes)
    assert push(folder_target(tmp_path / "web", publics.new), erased.public).removed == 0


@pytest.mark.usefixtures("erasures_are_known")
def test_an_old_edition_never_comes_back_over_a_newer_one(
    publics: Publics, erased: Erased, tmp_path: Path
) -> None:
    push(folder_target(tmp_path / "web", erased.public), erased.public)
    with pytest.raises(TargetError, match="is there with other bytes"):
        push(folder_target(tmp_path / "web", publics.new), publics.new)
    assert files(tmp_path / "web") == files(erased.public)


def test_a_version_that_is_not_here_is_left_and_said(publics: Publics, tmp_path: Path) -> None:
    target = folder_target(tmp_path / "web", publics.new)
    push(target, publics.new)
    shutil.copytree(tmp_path / "web" / "v" / OLD, tmp_path / "web" / "v" / "2026.10.0")
    (note,) = push(target, publics.new).notes
    assert "web holds 2026.10.0, which is not here" in note
    assert (tmp_path / "web" / "v" / "2026.10.0").is_dir()


def test_a_version_is_withdrawn_once_no_pointer_names_it(publics: Publics, tmp_path: Path) -> None:
    target = folder_target(tmp_path / "web", publics.new)
    push(target, publics.new)
    for version in (OLD, NEW):
        with pytest.raises(TargetError, match=rf"its \S+\.json still names {version}"):
            target.withdraw(version, Told())
    assert files(tmp_path / "web") == files(publics.new)
    for name in ("versions.json", "deltas.json"):
        path = tmp_path / "web" / name
        left = orjson.loads(path.read_bytes())
        kept = {kind: [one for one in found if OLD not in str(one)] for kind, found in left.items()}
        path.write_bytes(orjson.dumps(kept))
    receipt = target.withdraw(OLD, Told())
    assert receipt.removed == len(files(publics.new / "v" / OLD))
    assert not (tmp_path / "web" / "v" / OLD).exists()
    assert target.withdraw(OLD, Told()).removed == 0, "a second time is no error"


# --- the command line and its settings ----------------------------------------------------------------------


def test_the_command_line_pushes_and_withdraws(publics: Publics, tmp_path: Path) -> None:
    (tmp_path / "targets.yml").write_text("targets: {web: {kind: folder, path: web}}\n", encoding="utf-8")
    call = ["--home", str(publics.new.parent), "--targets", str(tmp_path / "targets.yml")]
    done = CliRunner().invoke(main, ["push", "web", *call])
    assert done.exit_code == 0, done.output
    assert f"web has {NEW}: {len(files(publics.new))} sent; all read back" in done.output
    assert files(tmp_path / "web") == files(publics.new)
    refused = CliRunner().invoke(main, ["withdraw", "web", OLD, *call])
    assert refused.exit_code == 1
    assert "the next push would bring it back" in refused.output


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("targets: {web: {kind: folder, path: web, colour: red}}", "web.folder.colour: extra inputs"),
        ("targets: {web: {kind: ftp, path: web}}", "kind is one of ckan, folder, huggingface, s3, zenodo"),
        ("targets: {web: {path: web}}", "say its kind, one of ckan, folder, huggingface, s3, zenodo"),
        ("targets: {}", "targets: "),
        ("other: 1", "targets: field required"),
        ("targets: {web: [", "not readable as YAML"),
        ("- a", "not a usable list of targets"),
        ("targets: {Web!: {kind: folder, path: web}}", "targets.Web!"),
        ("targets: {b: {kind: s3, bucket: B}}", "targets.b.s3.bucket"),
        ("targets: {b: {kind: s3, bucket: books, endpoint: s3.example.org}}", "starts with https://"),
    ],
)
def test_a_list_of_targets_that_cannot_be_used_says_where_and_why(
    tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "targets.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"targets\.yml") as refused:
        load_targets(file)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "targets: {b: {kind: s3, bucket: books, secret_key: planted-5ecret}}",
        "targets: {b: {kind: s3, bucket: books, access_key: AKIAPLANTED5ECRET}}",
        "targets: {b: {kind: s3, bucket: books, endpoint: 'https://user:planted-5ecret@s3.example.org'}}",
        "targets: {b: {kind: s3, bucket: books, endpoint: 'https://s3.example.org/?key=planted-5ecret'}}",
        "targets: {b: {kind: planted-5ecret, bucket: books}}",
        "targets: {b: {kind: s3, bucket: planted-5ecret/x}}",
        "targets: {b: {kind: s3, bucket: books, password: planted-5ecret}}",
        "targets: {b: {kind: s3, bucket: books, timeout_seconds: planted-5ecret}}",
        "targets: {b: planted-5ecret}",
        "planted-5ecret",
        "targets: {b: {kind: s3, secret: 'planted-5ecret",
    ],
)
def test_a_credential_that_stands_in_the_list_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    file = tmp_path / "targets.yml"
    file.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(main, ["push", "b", "--home", str(tmp_path), "--targets", str(file)])
    assert done.exit_code == 2
    assert "5ecret" not in done.output.lower()
    assert "Traceback" not in done.output


@pytest.mark.parametrize("place", [".", "inside", ".."])
def test_a_folder_that_lies_in_what_is_pushed_is_refused(publics: Publics, place: str) -> None:
    settings = FolderSettings(kind="folder", path=(publics.new / place).resolve())
    with pytest.raises(SettingsError, match="lie in one another"):
        open_target("web", settings, publics.new)


def test_a_folder_that_may_not_be_written_is_a_sentence(publics: Publics, tmp_path: Path) -> None:
    (tmp_path / "web").write_text("a file", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"target web: .* cannot be made"):
        folder_target(tmp_path / "web", publics.new)
    target = folder_target(tmp_path / "shelf", publics.new)
    (tmp_path / "shelf" / "v").write_text("a file is in the way", encoding="utf-8")
    with pytest.raises(TargetError, match="a file is in the way"):
        push(target, publics.new)
