"""Pushes to CKAN 2.11 as it really runs: what its readers get before, during and after, and what stays behind."""

from __future__ import annotations

import hashlib
import random
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.targets.ckan import CkanTarget
from pipelines.targets.edition import read_edition
from pipelines.targets.opening import open_target
from pipelines.targets.settings import CkanSettings
from pipelines.targets.target import Receipt, TargetError
from tests.hub_lab import erased, killed_push
from tests.servers.portal import ORGANISATION, Portal, running_portal
from tests.target_lab import NEW, OLD, Publics, Told, files, make_publics

pytestmark = pytest.mark.servers

TOKEN = "ENGAGEMENT_TEST_CKAN_TOKEN"  # noqa: S105 - the name of a variable
PLANTED = "planted-secret-5d81c7"


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    with running_portal() as running:
        yield running


@pytest.fixture(scope="module")
def publics(tmp_path_factory: pytest.TempPathFactory) -> Publics:
    return make_publics(tmp_path_factory.mktemp("publics"))


@pytest.fixture
def target(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> CkanTarget:
    """A dataset that nobody has made yet."""
    monkeypatch.setenv(TOKEN, portal.token)
    return opened(portal, f"things-{uuid.uuid4().hex[:8]}")


def settings_for(portal: Portal, dataset: str, **more: Any) -> CkanSettings:
    given = {"endpoint": portal.address, "organisation": ORGANISATION, "token": TOKEN, "timeout_seconds": 60}
    return CkanSettings(kind="ckan", dataset=dataset, **(given | more))


def opened(portal: Portal, dataset: str, **more: Any) -> CkanTarget:
    made = open_target("portal", settings_for(portal, dataset, **more), Path("/nowhere"))
    assert isinstance(made, CkanTarget)
    return made


def push(target: CkanTarget, public: Path) -> Receipt:
    return target.push(read_edition(public, "latest"), Told())


def shown(portal: Portal, dataset: str) -> dict[str, Any]:
    """What somebody who is not signed in is shown."""
    answer = portal.act("package_show", {"id": dataset}, token="")
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["result"])


def release_that_readers_get(portal: Portal, dataset: str) -> dict[str, bytes]:
    """Every file of the dataset by its path, downloaded from the address that the portal gives."""
    found = shown(portal, dataset)["resources"]
    return {one["release_path"]: as_stored(one["url"]) for one in found}


def as_stored(url: str) -> bytes:
    """What an address gives, without unpacking what the portal calls encoded."""
    with httpx.stream("GET", url, timeout=30) as answer:
        return b"".join(answer.iter_raw())


def release_in(public: Path, version: str) -> dict[str, bytes]:
    return files(public / "v" / version)


def test_a_release_is_shown_whole_with_its_warnings_licences_and_checksums(
    portal: Portal, publics: Publics, target: CkanTarget
) -> None:
    receipt = push(target, publics.old)
    expected = release_in(publics.old, OLD)
    assert release_that_readers_get(portal, target.dataset) == expected
    assert (receipt.sent, receipt.kept) == (len(expected), 0)
    assert httpx.get(receipt.place, follow_redirects=True, timeout=60).status_code == 200
    package = shown(portal, target.dataset)
    assert package["version"] == OLD
    assert package["notes"].startswith("**Sample data: every authority")
    assert package["license_id"] == "cc-by"
    assert package["license_title"]
    assert "sample data" in {tag["name"] for tag in package["tags"]}
    extras = {extra["key"]: extra["value"] for extra in package["extras"]}
    assert extras["release_manifest_sha256"] == hashlib.sha256(expected["manifest.json"]).hexdigest()
    assert [one["release_path"] for one in package["resources"]] == [
        item.name.split("/", 2)[2] for item in read_edition(publics.old, "latest").release.files
    ]
    table = next(one for one in package["resources"] if one["name"] == "things.parquet")
    assert table["hash"] == hashlib.sha256(expected["things.parquet"]).hexdigest()
    assert (table["format"], table["mimetype"]) == ("Parquet", "application/vnd.apache.parquet")
    assert "Limitations:" in table["description"]


def test_a_second_push_changes_nothing_at_all(portal: Portal, publics: Publics, target: CkanTarget) -> None:
    push(target, publics.old)
    before, stored = shown(portal, target.dataset), portal.stored()
    receipt = push(target, publics.old)
    assert (receipt.sent, receipt.kept) == (0, len(release_in(publics.old, OLD)))
    assert shown(portal, target.dataset) == before
    assert portal.stored() == stored


def test_the_next_release_takes_the_place_of_the_last(
    portal: Portal, publics: Publics, target: CkanTarget
) -> None:
    push(target, publics.old)
    before = {one["release_path"]: one for one in shown(portal, target.dataset)["resources"]}
    receipt = push(target, publics.new)
    expected = release_in(publics.new, NEW)
    after = {one["release_path"]: one for one in shown(portal, target.dataset)["resources"]}
    assert release_that_readers_get(portal, target.dataset) == expected
    same = {path for path in expected if release_in(publics.old, OLD).get(path) == expected[path]}
    assert same
    assert {path for path in after if path in before and after[path]["id"] == before[path]["id"]} == same
    assert (receipt.sent, receipt.kept) == (len(expected) - len(same), len(same))
    gone = [one["url"] for path, one in before.items() if path not in same]
    assert {httpx.get(url, timeout=30).status_code for url in gone} == {404}
    assert {one["release_version"] for one in after.values()} == {NEW}


def test_a_reader_never_sees_files_of_two_releases(portal: Portal, publics: Publics, target: CkanTarget) -> None:
    """The files change at one moment, and the heading with them.

    CKAN reads the row of a dataset before its resources, in two statements: an answer that was under way at
    that moment may carry the heading of before above the files of after. The next answer may not.
    """
    push(target, publics.old)
    seen: list[tuple[str, frozenset[str]]] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            found = shown(portal, target.dataset)
            files_of = frozenset(one["release_version"] for one in found["resources"])
            seen.append((found["version"], files_of))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        push(target, publics.new)
    finally:
        done.set()
        reader.join()
    before, straddling, after = (OLD, frozenset({OLD})), (OLD, frozenset({NEW})), (NEW, frozenset({NEW}))
    assert seen[0] == before
    assert seen == sorted(seen, key=[before, straddling, after].index)
    assert seen.count(straddling) <= 1


@pytest.mark.parametrize("seed", range(6))
def test_after_a_kill_readers_get_one_whole_release_and_a_rerun_completes(
    portal: Portal, publics: Publics, target: CkanTarget, seed: int
) -> None:
    """A push to a dataset that is new, or that shows the release before, is killed at a random moment."""
    if seed % 2:
        push(target, publics.old)
    moment = random.Random(seed).uniform(0.05, 1.2)  # noqa: S311 - the same moments each time
    settings = settings_for(portal, target.dataset)
    killed_push("portal", settings, publics.new, {TOKEN: portal.token}, moment)
    answer = portal.act("package_show", {"id": target.dataset}, token="")
    if answer.status_code == 200:
        got = release_that_readers_get(portal, target.dataset)
        assert got in (release_in(publics.old, OLD), release_in(publics.new, NEW))
    else:
        assert seed % 2 == 0, "a dataset that was shown is not shown any more"
        assert answer.status_code in (403, 404)
    push(target, publics.new)
    assert release_that_readers_get(portal, target.dataset) == release_in(publics.new, NEW)


def test_a_file_that_arrives_damaged_brings_the_release_before_back(
    portal: Portal, publics: Publics, target: CkanTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(target, publics.old)
    revise = target._revise

    def damaged(package: Mapping[str, Any], update: Mapping[str, Any], wanted: Any) -> Any:
        """The portal is sent the README with other bytes than those that were read here."""
        spoilt = [
            replace(one, item=replace(one.item, path=publics.old / "versions.json"))
            if one.path == "README.md"
            else one
            for one in wanted
        ]
        return revise(dict(package), dict(update), spoilt)

    monkeypatch.setattr(target, "_revise", damaged)
    with pytest.raises(TargetError, match=rf"README\.md does not come back .* shows {OLD} again"):
        push(target, publics.new)
    assert release_that_readers_get(portal, target.dataset) == release_in(publics.old, OLD)
    monkeypatch.undo()
    monkeypatch.setenv(TOKEN, portal.token)
    push(opened(portal, target.dataset), publics.new)
    assert release_that_readers_get(portal, target.dataset) == release_in(publics.new, NEW)


def test_what_the_portal_does_not_take_is_linked_or_said(
    portal: Portal, publics: Publics, target: CkanTarget
) -> None:
    with pytest.raises(TargetError, match="give the base_url"):
        push(opened(portal, target.dataset, largest_megabytes=0.001), publics.old)
    linking = opened(portal, target.dataset, uploads=False, base_url="https://data.example/public")
    receipt = push(linking, publics.old)
    found = {one["release_path"]: one["url"] for one in shown(portal, target.dataset)["resources"]}
    assert found["things.parquet"] == f"https://data.example/public/v/{OLD}/things.parquet"
    assert "push them there too" in receipt.notes[0]
    assert push(linking, publics.old).sent == 0


def test_a_portal_does_not_go_back_nor_take_over_what_is_not_ours(
    portal: Portal, publics: Publics, target: CkanTarget
) -> None:
    push(target, publics.new)
    with pytest.raises(TargetError, match=f"shows {NEW}, which is newer than {OLD}"):
        push(target, publics.old)
    foreign = f"foreign-{uuid.uuid4().hex[:8]}"
    assert portal.act("package_create", {"name": foreign, "owner_org": ORGANISATION}).status_code == 200
    with pytest.raises(TargetError, match="none of ours"):
        push(opened(portal, foreign), publics.new)
    with pytest.raises(TargetError, match="newest release only"):
        target.push(read_edition(publics.new, OLD), Told())


def test_a_version_is_withdrawn_once_another_took_its_place(
    portal: Portal, publics: Publics, target: CkanTarget
) -> None:
    assert target.withdraw(OLD, Told()).removed == 0
    push(target, publics.old)
    with pytest.raises(TargetError, match="push the newest release first"):
        target.withdraw(OLD, Told())
    assert push(target, publics.new).notes == ()
    receipt = target.withdraw(OLD, Told())
    assert "ask its operator" in receipt.notes[0]
    assert release_that_readers_get(portal, target.dataset) == release_in(publics.new, NEW)


def test_a_release_that_an_erasure_changed_takes_the_place_of_the_one_before(
    portal: Portal, publics: Publics, target: CkanTarget, tmp_path: Path
) -> None:
    push(target, publics.new)
    anew = erased(read_edition(publics.new, "latest"), tmp_path)
    receipt = target.push(anew, Told())
    assert "keeps uploaded files on its disk" in " ".join(receipt.notes), "the portal still has them"
    assert release_that_readers_get(portal, target.dataset) == files(tmp_path / NEW)
    assert target.push(anew, Told()).sent == 0
    with pytest.raises(TargetError, match="with another manifest than here"):
        push(target, publics.new)
    assert release_that_readers_get(portal, target.dataset) == files(tmp_path / NEW)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"organisation": "nobody"}, "the organisation nobody"),
        ({"endpoint": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"endpoint": "{portal}/no/portal"}, "answers with something that is not JSON|status 404"),
        ({}, "check the token in ENGAGEMENT_TEST_CKAN_TOKEN|or the token in ENGAGEMENT_TEST_CKAN_TOKEN"),
    ],
)
def test_a_failure_is_a_sentence_with_a_remedy_and_without_the_token(
    portal: Portal,
    publics: Publics,
    target: CkanTarget,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, str],
    sentence: str,
) -> None:
    caplog.set_level("DEBUG")
    secret = portal.token if settings else PLANTED
    monkeypatch.setenv(TOKEN, secret)
    given = {name: value.format(portal=portal.address) for name, value in settings.items()}
    failing = opened(portal, target.dataset, **given)
    failing.site.attempts = 1
    with pytest.raises(TargetError, match=sentence) as raised:
        push(failing, publics.old)
    assert str(raised.value).startswith("target portal: ")
    assert secret not in str(raised.value) + caplog.text
