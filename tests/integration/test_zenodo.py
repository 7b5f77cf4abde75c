"""Drafts at Zenodo, against a stand-in that another project's client for Zenodo judges in its turn."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
from click.testing import CliRunner
from zenodo_client import Creator, Metadata, Zenodo

from pipelines.cli import main
from pipelines.contract import to_ddl
from pipelines.release.build import ReleaseInput, build_release
from pipelines.settings import Home
from pipelines.targets.edition import Edition, read_edition
from pipelines.targets.opening import open_target
from pipelines.targets.settings import ZenodoSettings
from pipelines.targets.target import TargetError
from pipelines.targets.zenodo import ZenodoTarget
from tests.fake_zenodo import FakeZenodo, running_zenodo
from tests.helpers import column, document, key, load
from tests.hub_lab import killed_push
from tests.target_lab import Told

VARIABLE = "ENGAGEMENT_TEST_ZENODO_TOKEN"
PLANTED = "planted-secret-77ab10"
OLD, NEW = "2026.11.0", "2026.12.0"
LEVELS = {"totals": "aggregate", "people": "account", "register": None}
SENT = {
    *("CITATION.cff", "README.md", "SHA256SUMS", "codebook.md", "datacite.json", "manifest.json"),
    *("totals.parquet", "totals.csv.gz", "totals.xlsx"),
}
CANARY = "canary-of-an-account"


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A public folder with two releases of three datasets, one of which names accounts."""
    folder = tmp_path_factory.mktemp("zenodo")
    home = Home(folder / "home")
    columns = [key("thing_code", 1), column("thing_count", "integer", required=True)]
    contracts = []
    for name, level in LEVELS.items():
        more = {"level": level} if level else {}
        contracts.append(load(folder, document(f"public.{name}", columns, **more)))
    for day, rows in ((dt.date(2026, 11, 23), 50), (dt.date(2026, 12, 7), 60)):
        con = duckdb.connect(":memory:")
        con.execute("create schema public")
        for contract in contracts:
            con.execute(to_ddl(contract))
            told = f"'{CANARY}-' || i" if contract.name == "people" else "md5(i::text)"
            con.execute(f"insert into {contract.table} select {told}, i from range({rows}) t(i)")
        build_release(
            con,
            ReleaseInput(
                home=home,
                world="sample",
                released_on=day,
                contracts=tuple(contracts),
                minimum_rows={c.name: "none" for c in contracts},
                inputs={},
                origins={c.name: () for c in contracts},
                code_digest="0" * 64,
            ),
        )
    return home.public


@pytest.fixture
def zenodo(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeZenodo]:
    monkeypatch.setenv(VARIABLE, PLANTED)
    with running_zenodo(PLANTED) as running:
        yield running


def settings_for(zenodo: FakeZenodo, record: str | None = None) -> ZenodoSettings:
    return ZenodoSettings(
        kind="zenodo", endpoint=zenodo.address, record=record, token=VARIABLE, timeout_seconds=10
    )


def opened(zenodo: FakeZenodo, record: str | None = None) -> ZenodoTarget:
    target = open_target("archive", settings_for(zenodo, record), Path("/nowhere"))
    assert isinstance(target, ZenodoTarget)
    return target


@functools.cache
def edition(public: Path, version: str = NEW) -> Edition:
    return read_edition(public, version)


def only(zenodo: FakeZenodo) -> Any:
    (deposit,) = zenodo.deposits.values()
    return deposit


# --- the stand-in -------------------------------------------------------------------------------------------


def test_the_stand_in_serves_a_client_that_others_wrote(zenodo: FakeZenodo, tmp_path: Path) -> None:
    """`zenodo-client` makes a record, publishes it and adds a version, as it does at the real Zenodo."""
    client = Zenodo(access_token=PLANTED)
    client.base = zenodo.address
    client.api_base = f"{zenodo.address}/api"
    client.depositions_base = f"{client.api_base}/deposit/depositions"
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    about = Metadata(
        title="Rows",
        upload_type="dataset",
        description="Some rows",
        creators=[Creator(name="Nobody, At All")],
        version="1.0.0",
    )
    first = client.create(about, file).json()
    assert (first["state"], first["submitted"]) == ("done", True)
    assert first["files"][0]["checksum"] == hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    file.write_text("a,b\n3,4\n", encoding="utf-8")
    second = client.update(str(first["id"]), file).json()
    assert second["conceptrecid"] == first["conceptrecid"]
    assert second["id"] != first["id"]
    assert client.get_latest_record(first["id"]) == str(second["id"])


# --- drafts -------------------------------------------------------------------------------------------------


def test_a_push_makes_a_draft_of_aggregates_and_nothing_else(public: Path, zenodo: FakeZenodo) -> None:
    receipt = opened(zenodo).push(edition(public), Told())
    deposit = only(zenodo)
    assert not deposit.submitted
    assert deposit.files.keys() == SENT
    for name, content in deposit.files.items():
        assert content == (public / "v" / NEW / name).read_bytes()
        assert CANARY.encode() not in content
    assert receipt.sent == len(SENT)
    assert "not stated to be aggregates: people, register" in " ".join(receipt.notes)
    assert f"publish-draft archive {NEW}" in receipt.notes[0]


def test_the_command_line_makes_a_draft_and_publishes_it(public: Path, zenodo: FakeZenodo, tmp_path: Path) -> None:
    told = f"{{kind: zenodo, endpoint: '{zenodo.address}', token: {VARIABLE}, timeout_seconds: 10}}"
    (tmp_path / "targets.yml").write_text(f"targets: {{archive: {told}}}\n", encoding="utf-8")
    call = ["--home", str(public.parent), "--targets", str(tmp_path / "targets.yml")]
    before = CliRunner().invoke(main, ["publish-draft", "archive", NEW, *call])
    assert before.exit_code == 1
    assert "push" in before.output
    pushed = CliRunner().invoke(main, ["push", "archive", NEW, *call])
    assert pushed.exit_code == 0, pushed.output
    assert not only(zenodo).submitted
    done = CliRunner().invoke(main, ["publish-draft", "archive", NEW, *call])
    assert done.exit_code == 0, done.output
    assert only(zenodo).submitted
    assert "10.5281/zenodo." in done.output
    assert PLANTED not in before.output + pushed.output + done.output


def test_the_metadata_say_what_the_deposit_is_with_warnings_first(public: Path, zenodo: FakeZenodo) -> None:
    opened(zenodo).push(edition(public), Told())
    told = only(zenodo).metadata
    assert told["description"].startswith("<p>Sample data: every authority")
    assert "Licences: CC-BY-4.0: totals." in told["description"]
    assert "people" not in told["description"]
    assert (told["version"], told["publication_date"], told["license"]) == (NEW, "2026-12-07", "cc-by-4.0")
    # The judge wants a person's name, and ours is that of a project.
    judged = Metadata.model_validate({**told, "creators": [{"name": "Project, The"}]})
    assert told["creators"] == [{"name": "Councillor engagement data project"}]
    assert (judged.upload_type, judged.access_right) == ("dataset", "open")
    cited = orjson.loads((public / "v" / NEW / "datacite.json").read_bytes())
    assert judged.title == cited["titles"][0]["title"]


def test_a_second_push_sends_nothing_and_makes_no_second_draft(public: Path, zenodo: FakeZenodo) -> None:
    opened(zenodo).push(edition(public), Told())
    zenodo.requests.clear()
    receipt = opened(zenodo).push(edition(public), Told())
    assert (receipt.sent, receipt.kept, len(zenodo.deposits)) == (0, len(SENT), 1)
    assert {method for method, _ in zenodo.requests} == {"GET"}


def test_a_push_finds_its_draft_among_many(public: Path, zenodo: FakeZenodo) -> None:
    opened(zenodo).push(edition(public), Told())
    for number in range(250):
        zenodo.make({"title": f"of somebody else, {number}"})
    opened(zenodo).push(edition(public), Told())
    assert len(zenodo.deposits) == 251


def test_what_is_in_a_draft_and_not_in_the_release_is_taken_out(public: Path, zenodo: FakeZenodo) -> None:
    opened(zenodo).push(edition(public), Told())
    only(zenodo).files["people.csv.gz"] = b"left by an older program"
    only(zenodo).files["README.md"] = b"changed"
    assert opened(zenodo).push(edition(public), Told()).sent == 1
    assert only(zenodo).files.keys() == SENT


def test_nothing_is_sent_where_no_contract_states_an_aggregate(public: Path, zenodo: FakeZenodo) -> None:
    """The whole push is refused, not only the dataset, where the level is missing everywhere."""
    known = edition(public)
    datasets = tuple(d for d in known.release.manifest.datasets if d.name != "totals")
    manifest = known.release.manifest.model_copy(update={"datasets": datasets})
    with pytest.raises(TargetError, match="level: aggregate"):
        opened(zenodo).push(replace(known, release=replace(known.release, manifest=manifest)), Told())
    assert zenodo.deposits == {}


# --- publishing ---------------------------------------------------------------------------------------------


def test_publishing_is_an_act_of_its_own_and_the_next_release_a_version_of_the_record(
    public: Path, zenodo: FakeZenodo
) -> None:
    with pytest.raises(TargetError, match="there is no draft"):
        opened(zenodo).publish(edition(public, OLD), Told())
    opened(zenodo).push(edition(public, OLD), Told())
    opened(zenodo).publish(edition(public, OLD), Told())
    first = only(zenodo)
    assert first.submitted
    for _ in range(2):
        opened(zenodo, str(first.concept)).push(edition(public), Told())
    assert len(zenodo.deposits) == 2
    opened(zenodo, str(first.number)).publish(edition(public), Told())
    assert {one.metadata["version"]: one.concept for one in zenodo.deposits.values()} == {
        OLD: first.concept,
        NEW: first.concept,
    }
    assert all(one.submitted and one.files.keys() == SENT for one in zenodo.deposits.values())
    count = len(zenodo.requests)
    again = opened(zenodo).publish(edition(public), Told())
    assert again.kept == len(SENT)
    assert {method for method, _ in zenodo.requests[count:]} == {"GET"}


def test_a_draft_that_was_changed_is_not_published(public: Path, zenodo: FakeZenodo) -> None:
    opened(zenodo).push(edition(public), Told())
    only(zenodo).files["totals.csv.gz"] += b"!"
    with pytest.raises(TargetError, match=r"totals\.csv\.gz of deposit \d+ is not as it is here: push again"):
        opened(zenodo).publish(edition(public), Told())
    assert not only(zenodo).submitted


def test_a_sample_is_not_published_at_the_real_zenodo(public: Path, zenodo: FakeZenodo) -> None:
    target = opened(zenodo)
    target.push(edition(public), Told())
    # Only the sentence is at stake: no request leaves, since the questions before it go to the stand-in.
    real = replace(target.site, address="https://zenodo.org")
    target._list = lambda _: iter(())  # type: ignore[method-assign]
    target.site = real
    with pytest.raises(TargetError, match="a sample gets no DOI"):
        target.publish(edition(public), Told())


def test_a_published_record_never_changes(public: Path, zenodo: FakeZenodo) -> None:
    opened(zenodo).push(edition(public), Told())
    opened(zenodo).publish(edition(public), Told())
    only(zenodo).files["README.md"] = b"as it was before an erasure"
    before = dict(only(zenodo).files)
    with pytest.raises(TargetError, match="ask Zenodo's support"):
        opened(zenodo).push(edition(public), Told())
    with pytest.raises(TargetError, match="which no user can delete"):
        opened(zenodo).withdraw(NEW, Told())
    assert only(zenodo).files == before


def test_a_draft_is_withdrawn_by_deleting_it(public: Path, zenodo: FakeZenodo) -> None:
    opened(zenodo).push(edition(public), Told())
    assert opened(zenodo).withdraw(NEW, Told()).removed == len(SENT)
    assert zenodo.deposits == {}
    assert opened(zenodo).withdraw(NEW, Told()).removed == 0


# --- failures -----------------------------------------------------------------------------------------------


def test_after_a_kill_a_rerun_completes_the_one_draft(public: Path, zenodo: FakeZenodo) -> None:
    chance = random.Random(20261123)  # noqa: S311 - the same moments each time
    environment = {VARIABLE: PLANTED}
    _, whole = killed_push("archive", settings_for(zenodo), public, environment, None)
    fell_into_the_push = 0
    for _ in range(4):
        zenodo.deposits.clear()
        killed, _ = killed_push("archive", settings_for(zenodo), public, environment, chance.uniform(0, whole))
        fell_into_the_push += killed and any(one.files.keys() != SENT for one in zenodo.deposits.values())
        opened(zenodo).push(edition(public), Told())
        assert only(zenodo).files.keys() == SENT
    assert fell_into_the_push, "the kills have to fall into the push"


def test_a_file_that_arrives_damaged_is_noticed(public: Path, zenodo: FakeZenodo) -> None:
    zenodo.damage = "totals.parquet"
    with pytest.raises(TargetError, match=r"totals\.parquet did not arrive as it was sent: push again"):
        opened(zenodo).push(edition(public), Told())
    zenodo.damage = None
    opened(zenodo).push(edition(public), Told())
    assert only(zenodo).files["totals.parquet"] == (public / "v" / NEW / "totals.parquet").read_bytes()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500])
@pytest.mark.parametrize("at", range(4))
def test_a_failure_is_a_sentence_that_never_holds_the_token(
    public: Path, zenodo: FakeZenodo, caplog: pytest.LogCaptureFixture, status: int, at: int
) -> None:
    caplog.set_level("DEBUG")
    zenodo.echo = True
    target = opened(zenodo)
    target.site.attempts = 1
    known = edition(public)
    plan = [0] * at + [status]
    route = zenodo.requests

    class Plan(list):  # type: ignore[type-arg]
        """Fail the request with number `at`, and no other."""

        def __bool__(self) -> bool:
            return len(route) == len(plan)

        def pop(self, _: Any = 0) -> int:
            return status

    zenodo.fail_next = Plan()
    with pytest.raises(TargetError) as raised:
        target.push(known, Told())
    assert str(raised.value).startswith("target archive: ")
    assert PLANTED not in str(raised.value) + caplog.text
    zenodo.fail_next = []
    opened(zenodo).push(known, Told())
    assert only(zenodo).files.keys() == SENT


def test_a_token_is_never_sent_to_another_site(public: Path, zenodo: FakeZenodo) -> None:
    with running_zenodo("of another") as other:
        original = zenodo.shown

        def led_astray(one: Any) -> dict[str, Any]:
            shown = original(one)
            shown["links"]["bucket"] = f"{other.address}/api/files/{one.bucket}"
            return shown

        zenodo.shown = led_astray  # type: ignore[method-assign]
        with pytest.raises(TargetError, match="to which the token is not sent"):
            opened(zenodo).push(edition(public), Told())
        assert other.requests == []
